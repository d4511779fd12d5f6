use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use model::Assurance;
use store::{Preference, RecordDraft};

use super::*;
use crate::settings::{Secrets, Settings};

struct Bench {
    store: Store,
    time: Arc<AtomicI64>,
    officer: model::Id,
    _folder: tempfile::TempDir,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

impl Bench {
    async fn open() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(at("2026-11-25T00:00:00Z").0));
        let clock = time.clone();
        let store =
            Store::open(folder.path(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))))
                .await
                .unwrap();
        let officer = store.add_account("umeko", "officer", "-").await.unwrap();
        store.add_account("boss", "executive", "-").await.unwrap();
        Bench { store, time, officer, _folder: folder }
    }

    async fn put(&self, row: Row) -> Row {
        let mut write = self.store.write("test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    fn go(&self, text: &str) {
        self.time.store(at(text).0, Ordering::SeqCst);
    }

    async fn kinds(&self, account: model::Id) -> Vec<String> {
        let told = self.store.notices_of(account, 99).await.unwrap();
        told.into_iter().rev().map(|n| n.kind).collect()
    }
}

#[tokio::test]
async fn a_task_is_reminded_of_then_overdue_then_escalated_each_once() {
    let bench = Bench::open().await;
    let mut task = Row::new(Table::Task, bench.store.new_id().unwrap(), "task", "訓練");
    task.status = "open".to_owned();
    task.ends_at = Some(at("2026-11-28T00:00:00Z"));
    task.attributes.insert("remind_days".into(), json!(2));
    task.attributes.insert("escalation".into(), json!(["1 executive"]));
    bench.put(task).await;
    let mut triggers = Triggers::default();
    triggers.run(&bench.store, &TimeZone::UTC).await.unwrap();
    assert!(bench.kinds(bench.officer).await.is_empty(), "three days before");
    let days = ["2026-11-26T00:00:00Z", "2026-11-28T01:00:00Z", "2026-11-29T01:00:00Z"];
    for day in days {
        bench.go(day);
        triggers.run(&bench.store, &TimeZone::UTC).await.unwrap();
        // A restart forgets what was told; the table does not.
        assert_eq!(Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap(), 0);
    }
    assert_eq!(bench.kinds(bench.officer).await, ["task_due", "task_overdue"]);
    let boss =
        bench.store.readers().await.unwrap().into_iter().find(|r| r.login == "boss").unwrap();
    assert_eq!(bench.kinds(boss.id).await, ["task_escalated"]);
}

#[tokio::test]
async fn a_drop_is_told_and_a_rise_is_not() {
    let bench = Bench::open().await;
    for (from, to) in [("none", "ume"), ("take", "ume")] {
        let now = bench.store.now();
        let facts = json!({"control": "8.9", "from": from, "to": to});
        let mut write = bench.store.write("test", "", "").await.unwrap();
        let draft = RecordDraft {
            ty: LEVEL_CHANGED.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap(),
            payload: None,
        };
        write.record(draft).await.unwrap();
        write.commit().await.unwrap();
    }
    Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap();
    let told = bench.store.notices_of(bench.officer, 9).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].facts["from"], &told[0].facts["to"]), (&json!("take"), &json!("ume")));
}

#[tokio::test]
async fn a_decision_is_told_of_two_weeks_before_it_ends_unless_renewed() {
    let bench = Bench::open().await;
    let subject = bench.store.new_id().unwrap();
    let decision = |end: &str| {
        let mut row = Row::new(Table::Decision, bench.store.new_id().unwrap(), "approval", "方針");
        row.status = "approved".to_owned();
        row.subject = Some(subject);
        row.ends_at = Some(at(end));
        row
    };
    bench.put(decision("2026-12-20T00:00:00Z")).await;
    Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap();
    assert!(bench.kinds(bench.officer).await.is_empty(), "25 days before");
    bench.go("2026-12-10T00:00:00Z");
    Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap();
    assert_eq!(bench.kinds(bench.officer).await, ["decision_expiring"]);
    bench.put(decision("2027-12-20T00:00:00Z")).await;
    bench.put(decision("2026-12-21T00:00:00Z")).await;
    Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap();
    assert_eq!(bench.kinds(bench.officer).await.len(), 1, "a later one took its place");
}

#[tokio::test]
async fn a_failing_job_is_told_once_a_day_without_its_error() {
    let bench = Bench::open().await;
    run_job(&bench.store, Err("password=open sesame")).await;
    Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap();
    assert_eq!(Triggers::default().run(&bench.store, &TimeZone::UTC).await.unwrap(), 0);
    let told = bench.store.notices_of(bench.officer, 9).await.unwrap();
    assert_eq!(told[0].kind, "job_failing");
    assert!(!format!("{:?}", told[0].facts).contains("sesame"));
    run_job(&bench.store, Ok("{}")).await;
    assert!(bench.store.failing_jobs().await.unwrap().is_empty());
}

/// A run of the job `collect` that ends like this.
async fn run_job(store: &Store, ended: Result<&str, &str>) {
    store.job_declare("collect").await.unwrap();
    assert!(store.job_take("collect", "me", 1_000_000, 1_000_000).await.unwrap());
    assert!(store.job_end("collect", "me", ended, 0).await.unwrap());
}

#[tokio::test]
async fn mail_and_webhook_are_queued_only_where_they_are_set_up() {
    let bench = Bench::open().await;
    let event = ledger_fault("asset/1", 3, bench.store.now());
    let settings = Settings {
        smtp_host: "mail.example.jp".to_owned(),
        webhook_url: "https://hooks.example.jp/".to_owned(),
        ..Settings::default()
    };
    settings::save(&bench.store, &settings, &Secrets::default()).await.unwrap();
    let preference = Preference { mail: "umeko@example.jp".to_owned(), ..Preference::default() };
    bench.store.set_preference(bench.officer, &preference).await.unwrap();
    let readers = bench.store.readers().await.unwrap();
    let added = tell(&bench.store, &settings, &readers, &event).await.unwrap();
    assert_eq!(added, 3, "page, mail and webhook; the executive is not asked");
    assert_eq!(tell(&bench.store, &settings, &readers, &event).await.unwrap(), 0);
    assert_eq!(bench.store.due_notices("mail", 9).await.unwrap().len(), 1);
    assert_eq!(bench.store.due_notices("webhook", 9).await.unwrap().len(), 1);
    assert_eq!(bench.store.unread_notices(bench.officer).await.unwrap(), 1);
    bench.store.read_notices(bench.officer, bench.store.now()).await.unwrap();
    assert_eq!(bench.store.unread_notices(bench.officer).await.unwrap(), 0);
}
