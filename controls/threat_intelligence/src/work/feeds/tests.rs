//! Feeds from a real server that misbehaves, through the real store into the real set.

mod formats;
mod news;
mod place;
mod poisoned;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use model::Id;
use serde_json::json;

use place::{Place, answer, plain};

static CUT: Mutex<BTreeSet<Id>> = Mutex::new(BTreeSet::new());

/// Whether the process ends between rows and cursor.
pub(super) fn is_cut(source: Id) -> bool {
    CUT.lock().unwrap_or_else(PoisonError::into_inner).contains(&source)
}

fn cut(source: Id, is_cut: bool) {
    let mut all = CUT.lock().unwrap_or_else(PoisonError::into_inner);
    if is_cut {
        all.insert(source)
    } else {
        all.remove(&source)
    };
}

fn list(rows: usize) -> String {
    (0..rows).map(|n| format!("bad{n}.example.com\n")).collect()
}

#[tokio::test]
async fn a_list_arrives_is_recorded_with_what_was_refused_and_is_asked_for_by_its_tag() {
    let place = Place::new().await;
    let body = "# feed\nevil.example.com\n0.0.0.0 worse.example.com # x\nhxxp://bad[.]example[.]com/a\nnonsense\n";
    place.serve(
        "/list",
        vec![answer("200 OK\r\netag: \"1\"", body.as_bytes()), answer("304 Not Modified", b"")],
    );
    let source = place.source("list", "/list", json!({})).await;
    let account = place.fetch(source).await;
    assert_eq!((account.rows, account.items, account.trouble), (3, 3, None));
    assert_eq!(
        (account.refused["unknown_kind"], account.samples[0].value.as_str()),
        (1, "nonsense")
    );
    let received = place.of_type("threat_intelligence.intel_received").await;
    let facts = &received[0].facts;
    assert_eq!(
        (&facts["items"], &facts["refused"], &facts["cursor"]),
        (&json!(3), &json!({"unknown_kind": 1}), &json!("\"1\""))
    );
    assert_eq!(received[0].subject, Some(source));
    let watched = place.of_type("threat_intelligence.source_watched").await;
    assert_eq!(
        (&watched[0].facts["silent_min"], &watched[0].facts["limit_min"]),
        (&json!(0), &json!(120))
    );

    place.later(61 * 60);
    assert_eq!(place.fetch(source).await.rows, 3);
    assert!(place.asked().last().is_some_and(|asked| asked.contains("if-none-match: \"1\"")));
    assert_eq!(place.of_type("threat_intelligence.intel_received").await.len(), 1, "nothing came");
    let watched = place.of_type("threat_intelligence.source_watched").await;
    assert_eq!(watched[0].facts["silent_min"], 61, "to say that nothing is new is silence");
}

#[tokio::test]
async fn what_a_server_may_do_wrong_is_said_and_leaves_what_was_there() {
    let place = Place::new().await;
    place.serve("/list", vec![plain(&list(30))]);
    let source = place.source("list", "/list", json!({})).await;
    assert_eq!(place.fetch(source).await.rows, 30);
    let bomb = place::gzip(&vec![b'a'; 9 << 20]);
    place.rule(source, json!({ "interval_min": 60, "bytes_max": 300_000 })).await;
    let wrong: Vec<(Vec<Vec<u8>>, &str)> = vec![
        (vec![answer("503 Busy", b""); 3], "503"),
        (vec![answer("404 Not Found", b"")], "404"),
        (vec![answer("200 OK", b"")], "empty"),
        (vec![answer("200 OK", &vec![b'\n'; 300_001])], "larger than 300000"),
        (vec![answer("200 OK", &bomb)], "more than 4800000"),
        (vec![place::cut_off(); 3], "early"),
        (
            vec![answer(
                "200 OK\r\ncontent-type: text/html",
                b"<!doctype html><p>evil.example.com</p>",
            )],
            "web page",
        ),
        (vec![answer("302 Found\r\nlocation: http://192.0.2.1/x", b"")], "https"),
        (vec![answer("200 OK", b"# nothing any more\n")], "empty"),
        (Vec::new(), "time"),
    ];
    for (answers, words) in wrong {
        let is_slow = answers.is_empty();
        place.serve("/list", answers);
        place.later(3_600);
        let account = place.fetch(source).await;
        let trouble = account.trouble.expect(words);
        assert!(trouble.en.contains(words) || is_slow, "{words}: {trouble:?}");
        assert!(!trouble.ja.is_empty());
        assert_eq!((account.rows, place.rows(source).await), (30, 30), "{words}");
    }
    place.serve("/list", vec![plain(&list(31))]);
    let account = place.fetch(source).await;
    assert_eq!((account.trouble, account.rows, account.failures), (None, 31, 0));
}

#[tokio::test]
async fn who_asks_to_wait_is_left_alone_until_then() {
    let place = Place::new().await;
    place.serve("/list", vec![answer("429 Too Many\r\nretry-after: 7200", b"")]);
    let source = place.source("list", "/list", json!({})).await;
    let account = place.fetch(source).await;
    assert!(account.trouble.is_some_and(|trouble| trouble.en.contains("7200")));
    place.serve("/list", vec![plain(&list(3))]);
    place.later(3_700);
    place.round().await;
    assert_eq!(place.rows(source).await, 0, "not yet");
    place.later(3_700);
    place.round().await;
    assert_eq!(place.rows(source).await, 3);
}

#[tokio::test]
async fn half_the_rows_wait_for_a_person_who_lets_them_in_or_keeps_what_was_there() {
    let place = Place::new().await;
    place.serve("/list", vec![plain(&list(100))]);
    let source = place.source("list", "/list", json!({})).await;
    place.fetch(source).await;
    place.serve("/list", vec![plain(&list(85))]);
    assert_eq!(place.fetch(source).await.rows, 85, "15 % may go");
    let half = || vec![plain(&list(40))];
    place.serve("/list", half());
    let account = place.fetch(source).await;
    let held = account.held.expect("held");
    assert_eq!((held.had, held.have, place.rows(source).await), (85, 40, 85));

    let page = place.page("officer", &format!("/intelligence/sources/{source}")).await;
    assert!(page.contains("Held delivery") && page.contains("Keep what was there"), "{page}");
    let path = format!("/intelligence/sources/{source}/ruling");
    assert_eq!(place.send("officer", &path, &[("ruling", "reject"), ("reason", "")]).await, 400);
    assert_eq!(
        place.send("officer", &path, &[("ruling", "reject"), ("reason", "提供元に確認中")]).await,
        303
    );
    let ruled = place.of_type("threat_intelligence.feed_ruled").await;
    assert_eq!((&ruled[0].facts["ruling"], &ruled[0].facts["had"]), (&json!("reject"), &json!(85)));
    place.serve("/list", half());
    let account = place.fetch(source).await;
    assert_eq!(
        (account.held, place.rows(source).await),
        (None, 85),
        "what was rejected is not asked about again"
    );

    place.serve("/list", vec![plain(&list(39))]);
    assert!(place.fetch(source).await.held.is_some());
    assert_eq!(
        place.send("officer", &path, &[("ruling", "confirm"), ("reason", "縮小と確認")]).await,
        303
    );
    assert_eq!(place.rows(source).await, 39);
    let received = place.of_type("threat_intelligence.intel_received").await;
    assert_eq!(received[0].facts["items"], 39);
    assert_eq!(
        place.send("officer", &path, &[("ruling", "confirm"), ("reason", "x")]).await,
        400,
        "nothing is held"
    );
}

#[tokio::test]
async fn killed_between_rows_and_cursor_a_delivery_is_repeated_and_doubles_nothing() {
    let place = Place::new().await;
    place.serve("/list", vec![plain(&list(5)), plain(&list(5))]);
    let source = place.source("list", "/list", json!({ "rows_use": "inbox" })).await;
    cut(source, true);
    assert!(super::one(&place.house, source).await.is_err());
    assert_eq!(place.rows(source).await, 5, "the rows are there");
    assert!(place.of_type("threat_intelligence.intel_received").await.is_empty());
    assert!(place.items().await.is_empty(), "and nothing was entered");
    cut(source, false);
    let account = place.fetch(source).await;
    assert_eq!((account.rows, account.items), (5, 5));
    assert_eq!(place.of_type("threat_intelligence.intel_received").await.len(), 1);
    let items = place.items().await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].attributes["indicators"].as_array().map(Vec::len), Some(5));

    // New values while it waits join it; once it was judged they are another item.
    place.serve("/list", vec![plain(&list(6)), plain(&list(8))]);
    place.fetch(source).await;
    let items = place.items().await;
    assert_eq!(
        (items.len(), items[0].attributes["indicators"].as_array().map(Vec::len)),
        (1, Some(6))
    );
    place.judge(&items[0], "act").await;
    place.fetch(source).await;
    let items = place.items().await;
    assert_eq!(items.len(), 2);
    let newest =
        items.iter().find(|item| !item.attributes.contains_key("verdict")).expect("another");
    assert_eq!(
        newest.attributes["indicators"].as_array().map(Vec::len),
        Some(2),
        "only what is new"
    );
}

#[tokio::test]
async fn files_are_read_from_permitted_folders_only() {
    let place = Place::new().await;
    let incoming = place.folder.path().join("indicators/incoming");
    std::fs::create_dir_all(&incoming).expect("made");
    std::fs::write(incoming.join("a.txt"), "evil.example.com\n").expect("written");
    let source = place.source_at("list", incoming.to_str().expect("utf-8"), json!({})).await;
    assert_eq!(place.fetch(source).await.rows, 1);
    std::os::unix::fs::symlink("/etc/hosts", incoming.join("b.txt")).expect("linked");
    assert_eq!(place.fetch(source).await.rows, 1, "links are not followed");
    let source = place.source_at("list", "/etc/hosts", json!({})).await;
    let trouble = place.fetch(source).await.trouble.expect("refused");
    assert!(trouble.en.contains("folders"), "{trouble:?}");
}

#[tokio::test]
async fn a_key_goes_to_its_server_and_nowhere_else() {
    let place = Place::new().await;
    let (tail, sent) = ("/secret", [("key", "tops3cret-key")]);
    place.serve("/list", vec![plain(&list(2)), answer("403 Forbidden", b"no")]);
    let source = place.source("list", "/list", json!({})).await;
    let path = format!("/intelligence/sources/{source}");
    assert_eq!(place.send("officer", &format!("{path}{tail}"), &sent).await, 303);
    place.fetch(source).await;
    assert!(place.asked()[0].contains("authorization: tops3cret-key"));
    place.fetch(source).await;
    let page = place.page("officer", &path).await;
    assert!(page.contains("403") && !page.contains("tops3cret"), "{page}");
    let kept = place.of_type("threat_intelligence.source_key_kept").await;
    assert_eq!(kept[0].facts["way"], "header");
    let settings = place.house.store.settings("threat_intelligence.").await.expect("settings");
    assert!(settings.iter().all(|(_, value)| !value.contains("tops3cret")), "sealed at rest");
    for role in ["employee", "auditor"] {
        assert_ne!(place.send(role, &format!("{path}{tail}"), &sent).await, 303, "{role}");
    }
}
