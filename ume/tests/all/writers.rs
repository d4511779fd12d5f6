//! Who may write which record: the list (`writers.expected`, written anew with
//! `UME_BLESS=1 cargo test -p ume --test writers`), and each type tried through the API.

use std::{fmt::Write as _, path::Path};

use model::{RecordSpec, Writer};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::{
    rooms,
    served::{Served, read},
};

const PATH: &str = "/api/v1/records";

fn declared() -> Vec<&'static RecordSpec> {
    let rooms = rooms::ROOMS.iter().flat_map(|room| room.records);
    model::platform::RECORDS.iter().chain(isms::SPEC.records).chain(rooms).collect()
}

#[test]
fn the_list_of_writers_changes_on_purpose_only() {
    let mut now = String::new();
    for spec in declared() {
        writeln!(now, "{} {:?}", spec.ty, spec.writer).expect("to a string");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/writers.expected");
    if std::env::var_os("UME_BLESS").is_some() {
        std::fs::write(&path, &now).expect("written");
    }
    similar(&std::fs::read_to_string(&path).unwrap_or_default(), &now);
}

fn similar(was: &str, is: &str) {
    let only = |these: &str, those: &str| -> Vec<String> {
        these.lines().filter(|l| !those.lines().any(|o| o == *l)).map(str::to_owned).collect()
    };
    let (gone, new) = (only(was, is), only(is, was));
    assert!(gone.is_empty() && new.is_empty(), "expected: {gone:#?}\ndeclared: {new:#?}");
}

/// What the ISMS itself is judged by, nobody else says; by hand its 梅 is met through `isms.imported`
/// and `isms.attested`, which count for 梅 only.
#[test]
fn the_hall_is_judged_by_what_ume_alone_writes() {
    let all = declared();
    for criterion in isms::SPEC.criteria {
        for ty in criterion.check.reads() {
            let spec = all.iter().find(|spec| spec.ty == ty).expect("declared");
            let by_hand = matches!(ty, "isms.imported" | "isms.attested");
            assert!(by_hand || spec.writer == Writer::Ume, "{}: {ty}", criterion.id);
        }
    }
}

#[tokio::test]
async fn each_type_is_taken_through_the_api_only_from_whom_it_is_declared_for() {
    let served = Served::start(1_000_000).await;
    let token = served.token("officer").await;
    let specs = declared();
    assert!(specs.len() > 200);
    for spec in &specs {
        // A fact that nothing declares: what is taken at all is refused for this alone.
        let body = json!({"type": spec.ty, "source": "test", "facts": {"no_such_fact": 1}});
        let (status, _, problem) = read(served.with(&token, Method::POST, PATH).json(&body)).await;
        assert_eq!(status, 422, "{}: {problem}", spec.ty);
        let errors = problem["errors"].as_array().expect("errors");
        let found: Vec<&str> = errors.iter().filter_map(|e| e["pointer"].as_str()).collect();
        if spec.writer == Writer::Anyone {
            assert!(found.contains(&"/facts/no_such_fact"), "{}: {problem}", spec.ty);
            assert!(!found.contains(&"/type"), "{}: {problem}", spec.ty);
        } else {
            assert_eq!(found, ["/type"], "{}: {problem}", spec.ty);
            let detail = errors[0]["detail"].as_str().expect("text");
            assert!(detail.contains(spec.ty) && detail.contains("alone"), "{detail}");
        }
    }
    let kept = served.house.store.records_after(None, 100).await.unwrap();
    assert!(kept.iter().all(|record| record.source != "test"), "{kept:?}");
}

#[tokio::test]
async fn whole_facts_of_a_hall_record_are_refused_in_both_languages_and_an_open_type_is_taken() {
    let served = Served::start(1_000_000).await;
    let token = served.token("administrator").await;
    let facts =
        json!({"scope": "organisation", "open": 1, "untreated": 0, "unowned": 0, "unsigned": 0});
    let body = json!({"type": "isms.risk_state", "source": "test", "facts": facts});
    let request = served.client.post(format!("{}{PATH}", served.base)).bearer_auth(&token);
    let (status, _, problem) = read(request.header("accept-language", "ja").json(&body)).await;
    assert_eq!(status, 422);
    assert!(text(&problem).contains("だけが書く記録"), "{problem}");
    let body = json!({"type": "isms.training_completed", "source": "test",
        "facts": {"course": "awareness"}});
    let (status, _, made) = read(served.with(&token, Method::POST, PATH).json(&body)).await;
    assert_eq!((status, &made["assurance"]), (201, &json!("imported")), "{made}");
}

/// The gate itself, behind every face.
#[tokio::test]
async fn the_store_takes_from_agents_and_from_outside_what_is_theirs_only() {
    let served = Served::start(1_000_000).await;
    let store = &served.house.store;
    for spec in declared() {
        for by in [Writer::Anyone, Writer::Agents] {
            let mut write = store.write("test", "", "").await.unwrap();
            let draft = room::draft(spec.ty, None, store.now(), json!({}));
            let taken = write.record_by(by, spec, draft).await;
            match by >= spec.writer {
                true => assert!(taken.is_ok(), "{} {by:?}", spec.ty),
                false => {
                    assert!(matches!(taken, Err(store::StoreError::NotTheirs(ty)) if ty == spec.ty))
                }
            }
        }
    }
}

fn text(problem: &Json) -> String {
    problem["errors"][0]["detail"].as_str().unwrap_or_default().to_owned()
}
