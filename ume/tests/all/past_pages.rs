//! The hall at a chosen past day, on the real router: what stood then is shown, that it is the past is
//! said, links keep the day, nothing can be changed there; the API and the command line say the same.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use model::{Table, Timestamp};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Row, Store};

use crate::{
    rooms,
    served::{Browser, Served, read},
};

const START: i64 = 1_795_600_000_000_000;
const DAY: i64 = 24 * 3_600_000_000;

struct World {
    served: Served,
    clock: Arc<AtomicI64>,
    risk: Row,
    /// A moment at which the risk had its first name.
    then: Timestamp,
}

async fn put(store: &Store, row: Row) -> Row {
    let mut write = store.write("test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

fn risk(store: &Store, name: &str) -> Row {
    let mut row = Row::new(Table::Risk, store.new_id().unwrap(), "risk", name);
    let rated = json!({"inherent_likelihood": 4, "inherent_consequence": 3, "treatment": "retain"});
    row.attributes = rated.as_object().cloned().unwrap();
    row
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let time = clock.clone();
        let now: store::Clock = Arc::new(move || Timestamp(time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), now).await.unwrap();
        isms::norms::load(&store).await.unwrap();
        let served = Served::over(store, folder, 1_000_000).await;
        let store = &served.house.store;
        let mut usage = Row::new(Table::Rule, store.new_id().unwrap(), "control_use", "8.9");
        usage.attributes.insert("control".into(), "8.9".into());
        usage.attributes.insert("applies".into(), "yes".into());
        usage.attributes.insert("reason".into(), "reason-of-then".into());
        let mut usage = put(store, usage).await;
        let mut old = put(store, risk(store, "name-of-then")).await;
        clock.fetch_add(10 * DAY, Ordering::SeqCst);
        let then = store.now();
        clock.fetch_add(10 * DAY, Ordering::SeqCst);
        old.name = "name-of-now".to_owned();
        let risk = put(store, old).await;
        usage.attributes.insert("reason".into(), "reason-of-now".into());
        put(store, usage).await;
        served.board.put(isms::compute(store, &rooms::ROOMS).await.unwrap());
        World { served, clock, risk, then }
    }

    async fn show(&self, who: &Browser, path: &str) -> (u16, u64, String) {
        let request = self.served.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let response = request.send().await.unwrap();
        let cost = response.headers()["server-timing"].to_str().unwrap();
        let statements = cost.split(['"', ' ']).find_map(|word| word.parse::<u64>().ok());
        (response.status().as_u16(), statements.unwrap(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_past_page_shows_what_stood_then_says_so_and_changes_nothing() {
    let world = World::new().await;
    let officer = world.served.browser("officer").await;
    let auditor = world.served.browser("auditor").await;
    let when = urlencoding::encode(&world.then.rfc3339()).into_owned();
    let id = world.risk.id;
    let (risk, row) = (format!("/risks/{id}"), format!("/row/risk/{id}"));
    let pages = [
        ("/", ""),
        ("/gap", ""),
        ("/annex-a", ""),
        ("/soa", "reason-of-then"),
        ("/soa?status=claimed", "reason-of-then"),
        ("/soa/8.9", "reason-of-then"),
        ("/soa/5.1", ""),
        ("/risks", "name-of-then"),
        (&risk, "name-of-then"),
        (&row, "name-of-then"),
        ("/rooms/configuration", ""),
        ("/rooms/isms", ""),
        ("/records", ""),
    ];
    for (path, holds) in pages {
        let mark = if path.contains('?') { '&' } else { '?' };
        let asked = format!("{path}{mark}as_of={when}");
        for who in [&officer, &auditor] {
            let (status, _, now) = world.show(who, path).await;
            // An officer's home is the first steps until these are done.
            assert!(status == 200 || (path, status) == ("/", 303), "{path}: {status}");
            assert!(!now.contains("You are looking at the past"), "{path}");
            let (status, statements, page) = world.show(who, &asked).await;
            assert_eq!(status, 200, "{asked}: {page}");
            assert!(page.contains("You are looking at the past"), "{asked}");
            assert!(page.contains(holds), "{asked}");
            assert!(!page.contains("-of-now"), "{asked}");
            // Only the button that signs out sends anything.
            assert_eq!(page.matches("method=\"post\"").count(), 1, "{asked}");
            assert!(!page.contains("/edit\"") && !page.contains("/new"), "{asked}");
            // The first to ask has the board computed, like the present one it is shared afterwards.
            let (_, again, _) = world.show(who, &asked).await;
            assert!(again <= 8 && again <= statements, "{asked}: {again} of {statements}");
        }
    }
    let links = world.show(&auditor, &format!("/soa?as_of={when}")).await.2;
    assert!(links.contains(&format!("href=\"/soa/8.9?as_of={when}\"")), "links keep the day");
    assert!(links.contains(&format!("href=\"/risks?as_of={when}\"")));
    assert!(links.contains("href=\"/audit\""), "what cannot show the past does not claim to");
    let employee = world.served.browser("employee").await;
    assert_eq!(world.show(&employee, &format!("/soa?as_of={when}")).await.0, 403);
}

#[tokio::test]
async fn a_day_ahead_before_the_first_entry_or_none_at_all_is_refused_with_what_to_do() {
    let world = World::new().await;
    let auditor = world.served.browser("auditor").await;
    let token = world.served.token("auditor").await;
    let ahead = "2099-01-01";
    let before = Timestamp(START - DAY).rfc3339();
    for (asked, says) in [
        (ahead, "still ahead"),
        (before.as_str(), "The first entry is of"),
        ("yesterday", "a day such as"),
    ] {
        let (status, _, page) = world.show(&auditor, &format!("/gap?as_of={asked}")).await;
        assert_eq!(status, 400, "{asked}");
        assert!(page.contains(says), "{asked}: {page}");
        let path = format!("/api/v1/isms/gap?as_of={asked}");
        let (status, _, problem) = read(world.served.with(&token, Method::GET, &path)).await;
        assert_eq!(status, 422, "{asked}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    // Today is now.
    let today = world.served.house.store.now().rfc3339();
    let (status, _, page) = world.show(&auditor, &format!("/gap?as_of={}", &today[..10])).await;
    assert!(status == 200 && !page.contains("You are looking at the past"));
}

#[tokio::test]
async fn every_document_of_the_api_is_there_for_a_past_moment() {
    let world = World::new().await;
    let (store, token) = (&world.served.house.store, world.served.token("auditor").await);
    let past = isms::compute_as_of(store, &rooms::ROOMS, world.then).await.unwrap();
    let view = &past.view;
    let at = world.then.rfc3339();
    let get = async |name: &str| {
        let path = format!("/api/v1/isms/{name}?as_of={at}");
        let (status, _, document) = read(world.served.with(&token, Method::GET, &path)).await;
        assert_eq!(status, 200, "{name}: {document}");
        document
    };
    assert_eq!(get("gap").await, json!({"at": at, "controls": view.gap}));
    assert_eq!(get("levels").await, isms::status::to_json(&past, model::Lang::En));
    assert_eq!(get("soa").await, view.soa_json());
    assert_eq!(get("comparison").await["lines"], json!(view.comparison.lines));
    let risks = get("risks").await;
    assert_eq!(risks["risks"], json!(view.risks));
    assert_eq!(risks["risks"][0]["name"], "name-of-then");
    world.clock.fetch_add(DAY / 2, Ordering::SeqCst);
    assert_eq!(get("risks").await, risks, "the past stays as it was");
    let (_, _, now) = read(world.served.with(&token, Method::GET, "/api/v1/isms/risks")).await;
    assert_eq!(now["risks"][0]["name"], "name-of-now");
}

fn ume(folder: &std::path::Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(args)
        .args(["--data", folder.to_str().unwrap()])
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_command_line_looks_at_the_past_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    isms::norms::load(&store).await.unwrap();
    let mut old = put(&store, risk(&store, "name-of-then")).await;
    let then = store.now().rfc3339();
    old.name = "name-of-now".to_owned();
    put(&store, old).await;
    store.db().close().await;
    let run = |args: &[&str]| ume(folder.path(), args);
    let json = |out: &str| serde_json::from_str::<Json>(out).unwrap();

    let (_, now, _) = run(&["isms", "risk", "--format", "json"]);
    assert!(now.contains("name-of-now"), "{now}");
    let (code, past, error) = run(&["isms", "risk", "--as-of", &then, "--format", "json"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(past.contains("name-of-then") && !past.contains("name-of-now"), "{past}");
    for verb in ["gap", "level", "soa", "compare"] {
        let (_, out, error) = run(&["isms", verb, "--as-of", &then, "--format", "json"]);
        assert_eq!(json(&out)["at"], then, "{verb}: {error}");
    }
    for wrong in ["2099-01-01", "1999-01-01", "yesterday"] {
        let (code, _, error) = run(&["isms", "gap", "--as-of", wrong]);
        assert_eq!(code, Some(2), "{wrong}: {error}");
    }
}
