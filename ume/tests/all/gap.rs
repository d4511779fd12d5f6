//! From a finding to what differs from quiet weeks, and to a decision: real intake, archive, pages, API, command line.

use std::process::Command;

use model::{Assurance, Id, Table, Timestamp};
use monitoring::{
    findings::{FINDING, HANDLED},
    gap::ANALYSIS,
    work::series::{self, About, Folder, Point, Shape},
};
use reqwest::Method;
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft};
use stream::RawLine;

use crate::findings::Place;

const MINUTE_US: i64 = 60_000_000;
const WEEK_US: i64 = 7 * 24 * 60 * MINUTE_US;

fn line(at: Timestamp, message: &str, user: &str) -> RawLine {
    let line = json!({
        "time": at.rfc3339(), "host": "db1", "app": "payroll", "message": message, "user": user,
    });
    RawLine::new(line.to_string())
}

/// Two hours before to one hour after, a line every five minutes.
fn usual(at: Timestamp) -> Vec<RawLine> {
    let minutes = (-120..60).step_by(5);
    minutes
        .map(|m| line(Timestamp(at.0 + m * MINUTE_US), "nightly batch finished", "batch"))
        .collect()
}

fn come(place: &Place, lines: Vec<RawLine>, at: Timestamp) {
    place.served.stream.ingest("app", lines, at).unwrap();
    place.served.stream.flush(at).unwrap();
}

/// Six weeks in which the same came, of which in the second something was wrong; and now exports and a broken disk.
async fn trouble(place: &Place) -> Record {
    let at = Timestamp(place.store().now().0 - 130 * MINUTE_US);
    // From now on the spool keeps what the rules did not see yet.
    place.round().await;
    let host = place.put_row(Table::Asset, "host", json!({"hostname": "db1"})).await;
    for week in (1..=6).rev() {
        let then = Timestamp(at.0 - week * WEEK_US);
        come(place, usual(then), Timestamp(then.0 + 61 * MINUTE_US));
    }
    incident(place, host.id, Timestamp(at.0 - 2 * WEEK_US)).await;
    measured(place, at);
    let mut lines = usual(at);
    lines.extend((0..200).map(|n| {
        let then = Timestamp(at.0 - 90 * MINUTE_US + n * 20_000_000);
        line(then, &format!("export {n} of table salaries began"), "mallory")
    }));
    let disk = format!(
        "<3>{} db1 kernel: [   12.3] blk_update_request: I/O error, dev sda, sector 2048",
        at.rfc3339()
    );
    lines.push(RawLine::new(disk));
    come(place, lines, Timestamp(at.0 + 61 * MINUTE_US));
    place.round().await;
    let found = place.found().await;
    let own =
        found.iter().filter(|r| r.facts["class"] == "detection" && r.subject == Some(host.id));
    own.max_by_key(|r| r.observed_from).expect("the disk is found").clone()
}

/// What is kept of two series: one as in every week, one that rises an hour before.
fn measured(place: &Place, at: Timestamp) {
    let mut files = Folder::open(&series::folder(&place.served.house)).unwrap();
    let about = |id, name: &str| About {
        id,
        source: "app".to_owned(),
        host: "db1".to_owned(),
        name: name.to_owned(),
        labels: Vec::new(),
        shape: Shape::Gauge,
    };
    files.name(&[about(1, "room_temperature"), about(2, "memory_used_ratio")]).unwrap();
    for week in 0..=6 {
        for minute in -120..60 {
            let time = at.0 - week * WEEK_US + minute * MINUTE_US;
            let noise = (minute % 5) as f64 / 100.0;
            let memory = if week == 0 && minute > -60 { 0.97 } else { 0.4 + noise };
            let points = [(1, 21.0 + noise), (2, memory)];
            files.append(&points.map(|(series, value)| Point { series, time, value })).unwrap();
        }
    }
    files.sync().unwrap();
}

async fn incident(place: &Place, host: Id, at: Timestamp) {
    let facts = json!({"severity": "high", "class": "incident", "phase": "sign"});
    let draft = RecordDraft {
        ty: FINDING.to_owned(),
        subject: Some(host),
        observed_from: at,
        observed_to: at,
        source: "test".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap(),
        payload: None,
    };
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    write.record(draft).await.unwrap();
    write.commit().await.unwrap();
}

async fn post(place: &Place, path: &str) -> (u16, Json) {
    let token = place.served.token("administrator").await;
    let answer = place.served.with(&token, Method::POST, path).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn what_differs_from_quiet_weeks_is_shown_decided_and_bound_to_what_was_read() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let finding = trouble(&place).await;
    let path = format!("/monitoring/gap?finding={}", finding.id);
    assert!(
        place.page("administrator", &format!("/findings/{}", finding.id)).await.contains(&path)
    );

    let page = place.page("administrator", &path).await;
    assert!(page.contains("of table salaries began") && page.contains("mallory"), "{page}");
    assert!(!page.contains("nightly batch"), "what is as usual does not differ: {page}");
    assert!(page.contains("memory_used_ratio"), "a series that is kept is compared: {page}");
    assert!(!page.contains("room_temperature"), "a series as usual does not differ: {page}");
    let page = place.page("auditor", &path).await;
    assert!(!page.contains("mallory") && page.contains("shown to those who judge"), "{page}");

    let api = format!("/api/v1/monitoring/gap?finding={}", finding.id);
    let (status, told) = post(&place, &api).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["weeks"].as_array().unwrap().len(), 4);
    assert_eq!(told["weeks_in_trouble"], json!([1, 2]), "an incident that nobody closed lasts");
    let items = told["items"].as_array().unwrap();
    let export = items.iter().find(|i| i["key"].as_str().unwrap().contains("salaries")).unwrap();
    assert_eq!((&export["observed"], &export["expected"]), (&json!(200.0), &json!(0.0)));
    let user = |i: &&Json| i["facet"] == "user" && i["key"] == "mallory";
    let merged = export["also"].to_string().contains("mallory") || items.iter().any(|i| user(&i));
    assert!(merged, "the user is named: {told}");

    // The roots are those over the segments of the windows.
    let folder = place.served.folder.path().join("stream/archive");
    let archive = stream::Archive::open(&folder).unwrap().segments().unwrap();
    let from = Timestamp::parse(told["from"].as_str().unwrap()).unwrap();
    let mut read: Vec<_> = archive.into_iter().filter(|s| s.max_time >= from).collect();
    read.sort_by(|a, b| a.path.cmp(&b.path));
    let leaves: Vec<_> = read.iter().map(|s| merkle::leaf_hash(&s.row_root)).collect();
    assert_eq!(told["incident_root"], hex::encode(merkle::root_of(&leaves)));
    assert_eq!(told["steady_root"].as_str().unwrap().len(), 64);

    let id = finding.id.to_string();
    place.costs_little("administrator", &format!("/monitoring/gap?finding={id}")).await;
    let form = [("finding", id.as_str()), ("verdict", "incident"), ("reason", "給与の持ち出し")];
    assert_eq!(place.send("employee", "/monitoring/gap", &form).await, 403);
    assert_eq!(place.send("auditor", "/monitoring/gap", &form).await, 403);
    let bad = [("finding", id.as_str()), ("verdict", "incident"), ("reason", " ")];
    assert_eq!(place.send("administrator", "/monitoring/gap", &bad).await, 400);
    assert_eq!(place.send("administrator", "/monitoring/gap", &form).await, 303);

    let spec = |ty: &str| monitoring::SPEC.records.iter().find(|r| r.ty == ty).unwrap();
    let decided = place.store().newest_records(&[ANALYSIS], None, 10).await.unwrap();
    assert_eq!(decided.len(), 2, "of the finding, and of the incident that it is");
    for record in &decided {
        assert_eq!(spec(ANALYSIS).validate(&record.facts), []);
        assert_eq!(record.facts["incident_root"], told["incident_root"]);
        assert_eq!(record.facts["decision_working_days"], 0);
        assert_eq!(record.facts["steady_weeks"], 4);
        assert!(!Json::Object(record.facts.clone()).to_string().contains("mallory"));
    }
    let raised = place.found().await;
    let raised = raised.iter().find(|r| r.facts.get("of") == Some(&json!(finding.id))).unwrap();
    assert_eq!(spec(FINDING).validate(&raised.facts), []);
    assert_eq!((&raised.facts["class"], raised.subject), (&json!("incident"), finding.subject));
    let handled = place.store().newest_records(&[HANDLED], None, 10).await.unwrap();
    assert_eq!(handled.len(), 2, "the finding and the incident");
    // The incident of two weeks before, which nobody compared, keeps it from passing.
    let verdict = place.verdict("8.16/take-2").await;
    assert_eq!((verdict.passed, verdict.total), (1, 2), "{verdict:?}");
    let tasks = place.store().all(Table::Task, &["task"]).await.unwrap();
    assert_eq!(tasks.len(), 2, "what to do, and the review of the cause");
    let shown = place.page("administrator", &path).await;
    assert!(shown.contains("給与の持ち出し"), "{shown}");
    assert!(place.page("auditor", "/monitoring/gap").await.contains(&decided[0].id.to_string()));
    let list = place.api("/api/v1/monitoring/gap").await;
    assert_eq!(list["analyses"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_command_line_ranks_what_differs_beside_a_running_server() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let finding = trouble(&place).await;
    let hour = 60 * MINUTE_US;
    let from = Timestamp(finding.observed_from.0 - 2 * hour).rfc3339();
    let to = Timestamp(finding.observed_from.0 + hour).rfc3339();
    let run = |host: &str| {
        Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["monitoring", "gap", "--from", &from, "--to", &to, "--host", host])
            .arg("--data")
            .arg(place.served.folder.path())
            .output()
            .unwrap()
    };
    let done = run("db1");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&done.stderr));
    assert!(text.contains("salaries"), "{text}");
    let unknown = run("nobody");
    assert_eq!(unknown.status.code(), Some(2), "{}", String::from_utf8_lossy(&unknown.stderr));
}

#[tokio::test]
async fn without_a_quiet_week_it_says_so_and_finds_nothing() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let at = Timestamp(place.store().now().0 - 120 * MINUTE_US);
    come(&place, usual(at), Timestamp(at.0 + 61 * MINUTE_US));
    let from = Timestamp(at.0 - 60 * MINUTE_US).rfc3339();
    let query = |to: Timestamp| {
        let (from, to) = (urlencoding::encode(&from).into_owned(), to.rfc3339());
        format!("from={from}&to={}", urlencoding::encode(&to))
    };
    let to = Timestamp(at.0 + 30 * MINUTE_US);
    let page = place.page("administrator", &format!("/monitoring/gap?{}", query(to))).await;
    assert!(page.contains("no quiet week") && !page.contains("nightly batch"), "{page}");
    let (status, told) = post(&place, &format!("/api/v1/monitoring/gap?{}", query(to))).await;
    assert_eq!((status, told["items"].as_array().map(Vec::len)), (200, Some(0)));
    assert_eq!(told["weeks_without_data"].as_array().map(Vec::len), Some(12));
    let long = Timestamp(at.0 + 48 * 60 * MINUTE_US);
    assert_eq!(post(&place, &format!("/api/v1/monitoring/gap?{}", query(long))).await.0, 400);
    let nobody = format!("/api/v1/monitoring/gap?finding={}", place.store().new_id().unwrap());
    assert_eq!(post(&place, &nobody).await.0, 404);
}
