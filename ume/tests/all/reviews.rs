//! Reviews of monitoring from their due time to their signature, and what is measured: real jobs, pages, records.

use model::{Id, Table};
use monitoring::{
    findings::INCIDENT,
    measured::{self, DETECTION, EXERCISE, FALSE_ALARMS},
    review::{due, status},
};
use serde_json::{Value as Json, json};
use store::Record;

use crate::findings::{DISK, Place};

const DAY_S: i64 = 24 * 3_600;

async fn records(place: &Place, ty: &str) -> Vec<Record> {
    let records = place.store().newest_records(&[ty], None, 100).await.unwrap();
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == ty).unwrap();
    for record in &records {
        assert_eq!(spec.validate(&record.facts), [], "{ty}");
    }
    records
}

/// A broken disk, now.
fn disk(place: &Place) -> String {
    let now = place.store().now().rfc3339();
    format!("<3>{now} db1 kernel: [   12.3] blk_update_request: I/O error, dev sda, sector 2048")
}

fn of<'r>(all: &'r [Record], purpose: &str) -> Vec<&'r Record> {
    all.iter().filter(|record| record.facts["purpose"] == purpose).collect()
}

#[tokio::test]
async fn a_review_falls_due_once_and_is_signed_with_what_was_seen() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    due::run(place.ctx()).await.unwrap();
    assert!(records(&place, due::DUE).await.is_empty(), "nothing was due before");
    place.later(33 * DAY_S);
    due::run(place.ctx()).await.unwrap();
    let first = records(&place, due::DUE).await;
    assert!((4..=5).contains(&of(&first, "discovery").len()), "a week each: {first:?}");
    assert!((1..=2).contains(&of(&first, "prevention").len()), "a month: {first:?}");
    due::run(place.ctx()).await.unwrap();
    assert_eq!(records(&place, due::DUE).await.len(), first.len(), "told once");

    let list = place.page("auditor", "/monitoring/review").await;
    assert!(list.contains("overdue"), "{list}");
    let path = "/monitoring/review/discovery";
    let page = place.page("auditor", path).await;
    assert!(page.contains("no source") && page.contains("Scheduled footage review"), "{page}");
    place.costs_little("administrator", path).await;
    place.costs_little("administrator", "/monitoring/review").await;
    assert!(!page.contains("<textarea"), "an auditor signs nothing: {page}");
    let form = [("note", "特になし"), ("findings", "2")];
    assert_eq!(place.send("auditor", path, &form).await, 403);
    assert_eq!(place.send("employee", path, &form).await, 403);
    assert_eq!(place.send("administrator", path, &[("note", " ")]).await, 400);

    let task = format!("{path}/task");
    assert_eq!(place.send("administrator", &task, &[("row", "backup")]).await, 303);
    assert_eq!(place.send("administrator", &task, &[("row", "backup")]).await, 303);
    assert_eq!(place.send("administrator", &task, &[("row", "nothing")]).await, 404);
    assert_eq!(place.store().all(Table::Task, &["task"]).await.unwrap().len(), 1);

    // The oldest is held late, the next that is to come in time.
    assert_eq!(place.send("administrator", path, &form).await, 303);
    let told = place.api("/api/v1/monitoring/reviews").await;
    let is_next = |r: &&Json| r["purpose"] == "discovery" && r["late"] == false;
    let next = told["reviews"].as_array().unwrap().iter().find(is_next).unwrap();
    let at = model::Timestamp::parse(next["due"].as_str().unwrap()).unwrap().0.to_string();
    let early = [("note", "先に確認した"), ("due", at.as_str())];
    assert_eq!(place.send("administrator", path, &early).await, 303);
    assert_eq!(place.send("administrator", path, &early).await, 404, "held once");
    let held = records(&place, "monitoring.review_discovery").await;
    let due = records(&place, due::DUE).await;
    assert_eq!((held.len(), due.len()), (2, first.len() + 1));
    for record in &held {
        assert!(due.iter().any(|due| Some(due.id) == record.subject), "it is about what fell due");
        assert_eq!(record.facts["panels"], 7);
        assert!(record.facts["panels_without_source"].as_i64().unwrap() >= 5, "{record:?}");
    }
    let late: Vec<bool> = held.iter().map(|r| r.facts["late_h"].as_i64().unwrap() > 0).collect();
    assert_eq!(late.iter().filter(|late| **late).count(), 1, "{held:?}");
    assert!(held.iter().any(|r| r.facts["tasks"] == 1 && r.facts["findings"] == 2), "{held:?}");
}

#[tokio::test]
async fn an_incident_is_investigated_with_the_events_around_it() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[&disk(&place)]);
    place.round().await;
    place.served.stream.flush(place.store().now()).unwrap();
    let found = place.found().await;
    let judge = format!("/findings/{}/judge", found[0].id);
    let form = [("verdict", "incident"), ("reason", "ディスクが壊れた")];
    assert_eq!(place.send("administrator", &judge, &form).await, 303);
    let all = place.found().await;
    let incident = all.iter().find(|r| r.facts["class"] == INCIDENT).unwrap();
    let path = format!("/monitoring/review/investigation?incident={}", incident.id);
    place.costs_little("administrator", &path).await;
    let page = place.page("administrator", &path).await;
    assert!(page.contains("Operation log of hardware"), "{page}");
    assert!(page.contains("app:kernel") && page.contains("Disk Reports"), "{page}");
    let incident_id = incident.id.to_string();
    let form = [("note", "交換した"), ("incident", incident_id.as_str())];
    assert_eq!(place.send("administrator", "/monitoring/review/investigation", &form).await, 303);
    assert_eq!(place.verdict("8.16/take-5").await.status, model::Status::Pass);
    let held = records(&place, "monitoring.review_investigation").await;
    assert_eq!((held.len(), &held[0].facts["late_h"]), (1, &json!(0)));
    let due = records(&place, due::DUE).await;
    assert_eq!((due.len(), due[0].subject), (1, Some(incident.id)));
    let open = measured::Measured::load(place.store(), place.store().now()).await.unwrap();
    assert_eq!((open.open.len(), open.resolved.len(), open.incidents.len()), (0, 1, 1));
}

#[tokio::test]
async fn a_site_is_looked_at_every_week_and_only_where_something_is_heard() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let site = place.put_row(Table::Asset, "site", json!({"address": "1-1"})).await;
    status::tasks(place.ctx()).await.unwrap();
    status::tasks(place.ctx()).await.unwrap();
    let open = |rows: Vec<store::Row>| rows.into_iter().filter(|r| r.status == "open").count();
    assert_eq!(open(place.store().all(Table::Task, &["task"]).await.unwrap()), 1);
    let id = site.id.to_string();
    let form = [("site", id.as_str()), ("note", "いつもどおり")];
    let path = "/monitoring/review/status";
    assert_eq!(place.send("administrator", path, &form).await, 400, "nothing was heard");
    place.come(&[DISK]);
    let counters = serde_json::to_value(place.served.stream.counters()).unwrap();
    *place.served.house.intake.write().unwrap() = counters;
    assert_eq!(place.send("auditor", path, &form).await, 403);
    assert!(place.page("auditor", &format!("{path}?site={id}")).await.contains("Status review"));
    place.costs_little("auditor", &format!("{path}?site={id}")).await;
    assert_ne!(place.verdict("8.16/ume-4").await.status, model::Status::Pass);
    assert_eq!(place.send("officer", path, &form).await, 303);
    assert_eq!(place.verdict("8.16/ume-4").await.status, model::Status::Pass);
    let signed = records(&place, status::REVIEW).await;
    assert_eq!((signed.len(), signed[0].subject), (1, Some(site.id)));
    assert_eq!(signed[0].facts["sources_seen"], 1);
    let tasks = place.store().all(Table::Task, &["task"]).await.unwrap();
    assert_eq!((tasks.len(), open(tasks)), (2, 1), "this week's is done, next week's is there");
}

#[tokio::test]
async fn exercises_and_judgements_are_measured_from_records() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let site = place.put_row(Table::Asset, "site", json!({"address": "1-1"})).await;
    measured::detection_time(place.ctx()).await.unwrap();
    assert!(records(&place, DETECTION).await.is_empty(), "nothing was measured");
    let staged = place.store().now();
    place.later(40);
    // A line of now: what was long before the exercise is none of it.
    let now = jiff::Timestamp::from_microsecond(place.store().now().0).unwrap();
    let now = now.strftime("%b %e %H:%M:%S").to_string();
    place.come(&[&DISK.replace("Nov 28 10:00:00", &now)]);
    place.round().await;
    let found = place.found().await;
    let (rule, title) = (found[0].facts["rule"].clone(), found[0].facts["title_en"].clone());
    let exercise = |expects: Json| json!({"scenario": "x", "expects": expects, "period_d": 90, "target_min": 15});
    let good = place.put("detection_exercise", exercise(json!([rule]))).await;
    let bad = place.put("detection_exercise", exercise(json!([title, "never fires"]))).await;
    let path = "/monitoring/measured/exercise";
    let send = async |rule: Id, staged: &str| {
        let rule = rule.to_string();
        place.send("administrator", path, &[("rule", &rule), ("staged", staged)]).await
    };
    assert_eq!(send(good.id, &staged.rfc3339()).await, 303);
    assert_eq!(send(bad.id, &staged.rfc3339()).await, 303);
    assert_eq!(send(good.id, &staged.minus_hours(30).rfc3339()).await, 400, "too long ago");
    assert_eq!(send(site.id, &staged.rfc3339()).await, 404);
    let runs = records(&place, EXERCISE).await;
    let run = |id| runs.iter().find(|r| r.subject == Some(id)).unwrap();
    let took = run(good.id).facts.get("detected_s").and_then(serde_json::Value::as_i64);
    let took = took.unwrap_or_else(|| panic!("{:?} {found:?}", run(good.id)));
    assert!((40..120).contains(&took), "{took}");
    assert_eq!(run(bad.id).facts["detected"], 1);

    measured::detection_time(place.ctx()).await.unwrap();
    let times = records(&place, DETECTION).await;
    assert_eq!(times[0].facts["exercises"], 2);
    assert!(
        times[0].facts["p90_s"].as_i64().unwrap() > 900,
        "what was missed is no quick detection"
    );

    let judge = format!("/findings/{}/judge", found[0].id);
    let form = [("verdict", "false_alarm"), ("reason", "演習")];
    assert_eq!(place.send("administrator", &judge, &form).await, 303);
    place.later(31 * DAY_S);
    place.come(&[&disk(&place)]);
    place.round().await;
    measured::false_alarms(place.ctx()).await.unwrap();
    let counted = records(&place, FALSE_ALARMS).await;
    let facts = &counted[0].facts;
    assert_eq!((counted.len(), counted[0].subject), (1, Some(site.id)));
    assert_eq!((&facts["days"], &facts["budget_total"]), (&json!(30), &json!(90)));
    assert_eq!((&facts["judged_false"], &facts["unjudged"]), (&json!(0), &json!(1)), "30 days");
    assert_eq!(place.verdict("8.16/matsu-5").await.status, model::Status::Pass);
    assert_ne!(place.verdict("8.16/matsu-3").await.status, model::Status::Pass);
    place.costs_little("executive", "/monitoring/measured").await;
    let page = place.page("executive", "/monitoring/measured").await;
    assert!(page.contains("Open incidents") && page.contains("1/2"), "{page}");
}

#[tokio::test]
async fn what_an_employee_reports_is_judged_like_any_finding_and_read_by_those_who_judge() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let path = "/monitoring/report";
    assert!(place.page("employee", path).await.contains("<textarea"));
    assert_eq!(place.send("employee", path, &[("what", " ")]).await, 400);
    for n in 0..20 {
        let what = format!("経理の画面が勝手に動いた {n}");
        assert_eq!(place.send("employee", path, &[("what", &what)]).await, 200);
    }
    assert_eq!(place.send("employee", path, &[("what", "もう一件")]).await, 400, "a limit");
    let found = records(&place, monitoring::findings::FINDING).await;
    assert_eq!((found.len(), &found[0].facts["class"]), (20, &json!("report")));
    let facts = Json::Object(found[0].facts.clone()).to_string();
    assert!(!facts.contains("経理"), "what may name people is no fact");
    let one = format!("/findings/{}", found[0].id);
    assert!(place.page("administrator", &one).await.contains("経理の画面"));
    assert!(!place.page("auditor", &one).await.contains("経理の画面"));
    let form = [("verdict", "normal"), ("reason", "更新の画面だった")];
    assert_eq!(place.send("administrator", &format!("{one}/judge"), &form).await, 303);
}
