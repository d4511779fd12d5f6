use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use model::{RecordSpec, Table, Writer, t};
use serde_json::json;

use super::*;

struct Bench {
    store: Store,
    time: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

impl Bench {
    async fn open() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(at("2026-01-10T00:00:00Z").0));
        let clock = time.clone();
        let store =
            Store::open(folder.path(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        Bench { store: store.await.unwrap(), time, _folder: folder }
    }

    async fn task(&self, attributes: Json) -> Row {
        let mut task = Row::new(Table::Task, self.store.new_id().unwrap(), "task", "見直し");
        task.status = "open".to_owned();
        task.attributes = attributes.as_object().cloned().unwrap();
        task.ends_at = web::task_rules::due_at(&task.attributes);
        let mut write = self.store.write("test", "", "").await.unwrap();
        let task = write.put(task).await.unwrap();
        write.commit().await.unwrap();
        task
    }

    async fn record(&self, ty: &str, facts: Json, assurance: Assurance) -> Record {
        let mut write = self.store.write("test", "", "").await.unwrap();
        let now = self.store.now();
        let draft = RecordDraft {
            ty: ty.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance,
            facts: facts.as_object().cloned().unwrap(),
            payload: None,
        };
        let record = write.record(draft).await.unwrap();
        write.commit().await.unwrap();
        record
    }
}

fn entry(task: &Row, done: Timestamp) -> Entry {
    let facts = json!({"task": task.id.to_string(), "held_on": "2026-01-10"});
    Entry { facts: facts.as_object().cloned().unwrap(), done, statement: "済み".to_owned() }
}

#[tokio::test]
async fn only_the_record_type_it_asks_for_closes_a_task() {
    let bench = Bench::open().await;
    let task = bench.task(json!({"due": "2026-01-31", "closes_with": "isms.review_pack"})).await;
    let other = bench.record("isms.audit_state", json!({}), Assurance::Machine).await;
    let refused = close(&bench.store, task.clone(), &other, "account:a").await;
    assert!(matches!(refused, Err(NotClosed::Type { .. })));
    let right = bench.record("isms.review_pack", json!({}), Assurance::Machine).await;
    let closed = close(&bench.store, task.clone(), &right, "account:a").await.unwrap();
    assert_eq!(closed.task.status, "closed");
    assert_eq!(closed.task.attributes["closed_by"], json!(right.id.to_string()));
    assert!(closed.next.is_none());
    let again = close(&bench.store, closed.task, &right, "account:a").await;
    assert!(matches!(again, Err(NotClosed::Already)));
    let second = bench.task(json!({"due": "2026-01-31", "closes_with": "isms.review_pack"})).await;
    assert!(matches!(close(&bench.store, second, &right, "a").await, Err(NotClosed::Used)));
}

#[tokio::test]
async fn an_older_record_and_one_that_says_something_else_close_nothing() {
    let bench = Bench::open().await;
    let old = bench.record("x.y", json!({"to": "take"}), Assurance::Machine).await;
    bench.time.store(at("2026-01-12T00:00:00Z").0, Ordering::SeqCst);
    let ask = json!({"due": "2026-01-31", "closes_with": "x.y", "closes_where": {"to": ["take"]}});
    let task = bench.task(ask).await;
    assert!(matches!(fits(&task, &old), Err(NotClosed::Old)));
    let low = bench.record("x.y", json!({"to": "ume"}), Assurance::Machine).await;
    assert!(matches!(fits(&task, &low), Err(NotClosed::Facts)));
    assert!(offered(&bench.store, &task).await.unwrap().is_empty());
    let good = bench.record("x.y", json!({"to": "take"}), Assurance::Machine).await;
    assert_eq!(offered(&bench.store, &task).await.unwrap(), [good]);
}

const fn spec(ty: &'static str, writer: Writer) -> RecordSpec {
    RecordSpec { ty, writer, title: t("", ""), fields: &[] }
}

#[tokio::test]
async fn what_only_ume_writes_is_not_entered_by_hand_even_where_none_is_there_yet() {
    let bench = Bench::open().await;
    let task = bench.task(json!({"due": "2026-01-31", "closes_with": "x.y"})).await;
    let now = bench.store.now();
    for writer in [Writer::Ume, Writer::Agents] {
        let spec = spec("x.y", writer);
        assert!(!may_enter(&bench.store, &task, &spec).await.unwrap());
        let refused = enter(&bench.store, task.clone(), &spec, entry(&task, now), "a").await;
        assert!(matches!(refused, Err(NotClosed::Machine(_))));
    }
    // A declaration of another type opens no way round.
    let other = spec("x.z", Writer::Anyone);
    let refused = enter(&bench.store, task.clone(), &other, entry(&task, now), "a").await;
    assert!(matches!(refused, Err(NotClosed::Machine(_))));
    let spec = spec("x.y", Writer::Anyone);
    assert!(enter(&bench.store, task.clone(), &spec, entry(&task, now), "a").await.is_ok());
}

#[tokio::test]
async fn the_machines_records_are_not_entered_by_hand() {
    let bench = Bench::open().await;
    bench.record("x.y", json!({}), Assurance::Machine).await;
    let task = bench.task(json!({"due": "2026-01-31", "closes_with": "x.y"})).await;
    let refused = enter(
        &bench.store,
        task.clone(),
        &spec("x.y", Writer::Anyone),
        entry(&task, bench.store.now()),
        "a",
    )
    .await;
    assert!(matches!(refused, Err(NotClosed::Machine(_))));
    assert_eq!(bench.store.newest_records(&["x.y"], None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn closing_a_recurring_task_makes_the_next_one_once() {
    let bench = Bench::open().await;
    let task = bench
        .task(json!({
            "due": "2026-01-31", "zone": "Asia/Tokyo", "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1",
            "business_day": "previous", "role": "officer",
        }))
        .await;
    let spec = spec(DEFAULT_TYPE, Writer::Anyone);
    let closed =
        enter(&bench.store, task.clone(), &spec, entry(&task, bench.store.now()), "account:a");
    let next = closed.await.unwrap().next.unwrap();
    assert_eq!((&next.attributes["due"], next.status.as_str()), (&json!("2026-02-27"), "open"));
    assert_eq!(next.attributes["role"], json!("officer"));
    assert_eq!(next.attributes.get("closed_by"), None);
    assert_eq!(next.ends_at, Some(Timestamp(at("2026-02-27T15:00:00Z").0 - 1)));
    assert_eq!(crate::materialise(&bench.store).await.unwrap(), 0, "it is there already");
    assert_eq!(bench.store.open_tasks(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_task_closed_elsewhere_gets_its_next_occurrence_from_the_job() {
    let bench = Bench::open().await;
    let mut task = bench.task(json!({"due": "2026-01-31", "rrule": "FREQ=YEARLY"})).await;
    task.status = "closed".to_owned();
    let mut write = bench.store.write("test", "", "").await.unwrap();
    write.put(task).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(crate::materialise(&bench.store).await.unwrap(), 1);
    assert_eq!(crate::materialise(&bench.store).await.unwrap(), 0);
    let open = bench.store.open_tasks(9).await.unwrap();
    assert_eq!(open[0].attributes["due"], json!("2027-01-31"));
}

#[tokio::test]
async fn open_tasks_come_the_most_overdue_first() {
    let bench = Bench::open().await;
    for due in ["2026-03-01", "2025-12-01", "2026-02-01"] {
        bench.task(json!({"due": due})).await;
    }
    let open = bench.store.open_tasks(9).await.unwrap();
    let dues: Vec<&str> = open.iter().filter_map(|t| t.attributes["due"].as_str()).collect();
    assert_eq!(dues, ["2025-12-01", "2026-02-01", "2026-03-01"]);
    let late = open.iter().filter(|t| crate::whose::is_overdue(t, bench.store.now())).count();
    assert_eq!(late, 1);
}
