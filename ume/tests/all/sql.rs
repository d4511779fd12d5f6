//! `ume search --sql` and the process that it runs in.

use std::{path::Path, process::Command};

use model::Timestamp;
use reqwest::Method;
use serde_json::json;
use stream::{Archive, Event};

use crate::served::{Served, read};

fn archive(folder: &Path) {
    let event = |n: i64| Event {
        raw: format!("<13>line {n}").into_bytes(),
        event_time: None,
        arrived: Timestamp(1_795_600_000_000_000 + n),
        source: if n % 2 == 0 { "a" } else { "b" }.to_owned(),
        class: 0,
        host: "h".to_owned(),
        app: "app".to_owned(),
        severity: 1,
        message: format!("line {n}"),
        fields: Default::default(),
    };
    let events: Vec<Event> = (0..500).map(event).collect();
    Archive::open(folder).unwrap().write(&events, 0, 500).unwrap();
}

fn ume(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command.arg("search").args(args).arg("--archive").arg(folder).env("LANG", "en");
    let out = command.output().expect("ume runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
}

#[test]
#[cfg(not(feature = "sql"))]
fn a_build_without_sql_says_how_to_get_it() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let (code, _, said) = ume(place.path(), &["--sql", "SELECT 1"]);
    assert!(code == 2 && said.contains("--features sql"), "{code} {said}");
}

#[test]
#[cfg(feature = "sql")]
fn a_statement_is_answered_and_its_trouble_said() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let count = "SELECT source, count(*) AS n FROM events GROUP BY source ORDER BY source";
    let (code, out, said) = ume(place.path(), &["--sql", count, "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
    assert_eq!(
        (code, &rows[0]["n"], &rows[1]["source"]),
        (0, &250.into(), &"b".into()),
        "{out} {said}"
    );
    let (code, _, _) = ume(place.path(), &["--sql", "SELECT 1 FROM events WHERE false"]);
    assert_eq!(code, 1);
    let (code, _, said) = ume(place.path(), &["--sql", "SELECT x FROM events"]);
    assert!(code == 2 && said.contains("line 1, column 8"), "{code} {said}");
    let (code, _, said) = ume(place.path(), &["--sql", "DROP TABLE events"]);
    assert!(code == 2 && said.contains("SELECT or WITH"), "{code} {said}");
}

/// What the memory pool does not count is ended with the process, and not with ours.
#[test]
#[cfg(feature = "sql")]
fn what_grows_where_nobody_counts_ends_with_its_process() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let mut sql = "WITH t0 AS (SELECT message AS m FROM events)".to_owned();
    for n in 1..=34 {
        sql += &format!(", t{n} AS (SELECT concat(m, m) AS m FROM t{})", n - 1);
    }
    sql += " SELECT max(length(m)) FROM t34";
    let (code, _, said) = ume(place.path(), &["--sql", &sql]);
    assert!(code == 2 && said.contains("memory"), "{code} {said}");
}

/// Page and API: those who may see events may ask, and a build without SQL says so.
#[tokio::test]
async fn page_and_api_answer_those_who_may_see_events() {
    let served = Served::start(1_000).await;
    archive(&served.folder.path().join("stream/archive"));
    let page = |role: &'static str, path: &'static str| {
        let served = &served;
        async move {
            let browser = served.browser(role).await;
            let request = served.request(Method::GET, path).header("cookie", browser.cookie);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let ask = |role: &'static str, body: serde_json::Value| {
        let served = &served;
        async move {
            let token = served.token(role).await;
            let (status, _, body) =
                read(served.with(&token, Method::POST, "/api/v1/search/sql").json(&body)).await;
            (status, body)
        }
    };
    assert_eq!(page("employee", "/events/sql").await.0, 403);
    let one = json!({"sql": "SELECT count(*) AS n FROM events", "from": "2020-01-01T00:00:00Z"});
    assert_eq!(ask("employee", one.clone()).await.0, 403);
    let (status, shown) = page("administrator", "/events/sql").await;
    assert_eq!(status, 200);
    let (_, events) = page("administrator", "/events").await;
    assert_eq!(events.contains("/events/sql"), sql::BUILT);
    if !sql::BUILT {
        assert!(shown.contains("has no SQL"), "{shown}");
        let (status, said) = ask("administrator", one).await;
        assert!(status == 409 && said["detail"].to_string().contains("--features sql"), "{said}");
        return;
    }
    let _ = sql::apart::PROGRAM.set(env!("CARGO_BIN_EXE_ume").into());
    let (status, said) = ask("administrator", one).await;
    assert_eq!((status, &said["rows"]), (200, &json!([[500]])), "{said}");
    let (status, said) = ask("administrator", json!({"sql": "SELECT 1", "form": "x"})).await;
    assert_eq!(status, 400, "{said}");
    let (status, said) = ask("administrator", json!({"sql": "DROP TABLE events"})).await;
    assert!(status == 422 && said["detail"].to_string().contains("SELECT or WITH"), "{said}");
    let path = "/events/sql?hours=87840&sql=SELECT%20source%2C%20count(*)%20AS%20n%20FROM%20events%20GROUP%20BY%20source";
    let (_, shown) = page("administrator", path).await;
    assert!(shown.contains("<td class=\"num\">250</td>"), "{shown}");
    let (_, shown) = page("administrator", "/events/sql?sql=SELECT%20%3Cb%3E").await;
    assert!(shown.contains("role=\"alert\"") && !shown.contains("<b>"), "{shown}");
}
