//! The queue of notices, tasks by their due moment and links by one end, on SQLite and, where `UME_TEST_POSTGRES` names a server, on PostgreSQL.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

use model::{Id, Table, Timestamp};
use serde_json::json;
use store::{Clock, End, Notice, NoticeState, Preference, Row, Store};

const START: i64 = 1_795_600_000_000_000;
const HOUR: i64 = 3_600_000_000;

struct Fixture {
    store: Store,
    time: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
    database: Option<(String, String)>,
}

fn ticking() -> (Arc<AtomicI64>, Clock) {
    let time = Arc::new(AtomicI64::new(START));
    let shared = time.clone();
    (time, Arc::new(move || Timestamp(shared.fetch_add(1_000, Ordering::Relaxed))))
}

async fn on_server(url: &str, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

impl Fixture {
    async fn sqlite() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let (time, clock) = ticking();
        let store = Store::open(folder.path(), clock).await.unwrap();
        Fixture { store, time, _folder: folder, database: None }
    }

    async fn postgres() -> Option<Fixture> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
            println!("skipped: no PostgreSQL");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ume_notices_{}_{number}", std::process::id());
        on_server(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = base.rsplit_once('/').unwrap();
        let (time, clock) = ticking();
        let store = Store::connect(&format!("{host}/{name}?{query}"), clock).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Some(Fixture { store, time, _folder: folder, database: Some((server, name)) })
    }

    async fn end(self) {
        self.store.db().close().await;
        if let Some((server, name)) = self.database {
            on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    fn pass(&self, micros: i64) {
        self.time.fetch_add(micros, Ordering::Relaxed);
    }
}

macro_rules! contract {
    ($($rule:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $rule() {
                let fixture = super::Fixture::sqlite().await;
                super::$rule(&fixture).await;
                fixture.end().await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $rule() {
                let Some(fixture) = super::Fixture::postgres().await else { return };
                super::$rule(&fixture).await;
                fixture.end().await;
            })*
        }
    };
}

contract! {
    an_event_reaches_a_channel_of_a_reader_once
    of_two_nodes_one_gets_a_waiting_notice
    what_was_sent_or_given_up_waits_no_more
    what_a_reader_wishes_comes_back
    a_job_fails_until_it_ran_well
    tasks_and_links_are_found_by_what_they_are_asked_for
}

async fn save(store: &Store, row: Row) -> Row {
    let mut write = store.write("test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

fn notice(store: &Store, channel: &str, account: Option<Id>, event: &str) -> Notice {
    let now = store.now();
    Notice {
        id: store.new_id().unwrap(),
        channel: channel.to_owned(),
        account,
        kind: "test".to_owned(),
        event: event.to_owned(),
        facts: json!({"path": "/"}).as_object().unwrap().clone(),
        state: if channel == "app" { NoticeState::Unread } else { NoticeState::Queued },
        attempts: 0,
        created_at: now,
        next_at: now,
        done_at: None,
        error: String::new(),
    }
}

async fn states(store: &Store) -> Vec<(String, String, i64)> {
    let queue = store.notice_queue().await.unwrap();
    queue.into_iter().map(|q| (q.channel, q.state, q.rows)).collect()
}

async fn an_event_reaches_a_channel_of_a_reader_once(f: &Fixture) {
    let store = &f.store;
    let account = store.add_account("umeko", "officer", "-").await.unwrap();
    let other = store.add_account("matsuo", "officer", "-").await.unwrap();
    let all = [
        notice(store, "app", Some(account), "e"),
        notice(store, "mail", Some(account), "e"),
        notice(store, "mail", Some(other), "e"),
        notice(store, "webhook", None, "e"),
    ];
    assert_eq!(store.add_notices(&all).await.unwrap(), 4);
    let again = all.clone().map(|n| Notice { id: store.new_id().unwrap(), ..n });
    assert_eq!(store.add_notices(&again).await.unwrap(), 0);
    assert_eq!(store.unread_notices(account).await.unwrap(), 1);
    let told = store.notices_of(account, 9).await.unwrap();
    assert_eq!((told.len(), &told[0]), (1, &all[0]), "it comes back as it went in");
    assert_eq!(store.read_notices(account, told[0].created_at).await.unwrap(), 1);
    assert_eq!(store.unread_notices(account).await.unwrap(), 0);
}

async fn of_two_nodes_one_gets_a_waiting_notice(f: &Fixture) {
    let store = &f.store;
    store.add_notices(&[notice(store, "webhook", None, "e")]).await.unwrap();
    let due = store.due_notices("webhook", 9).await.unwrap();
    let until = store.now().plus_hours(1);
    let (a, b) =
        tokio::join!(store.claim_notice(&due[0], until), store.claim_notice(&due[0], until));
    assert_eq!([a.unwrap(), b.unwrap()].iter().filter(|won| **won).count(), 1);
    assert!(store.due_notices("webhook", 9).await.unwrap().is_empty());
    f.pass(HOUR + 1);
    let due = store.due_notices("webhook", 9).await.unwrap();
    assert_eq!(due.len(), 1, "the node that had it died");
    assert!(store.claim_notice(&due[0], until).await.unwrap());
}

async fn what_was_sent_or_given_up_waits_no_more(f: &Fixture) {
    let store = &f.store;
    let all = [notice(store, "webhook", None, "a"), notice(store, "webhook", None, "b")];
    store.add_notices(&all).await.unwrap();
    store.settle_notice(all[0].id, NoticeState::Sent, store.now(), "").await.unwrap();
    store.settle_notice(all[1].id, NoticeState::Failed, store.now(), "refused").await.unwrap();
    assert!(store.due_notices("webhook", 9).await.unwrap().is_empty());
    let state = |name: &str| ("webhook".to_owned(), name.to_owned(), 1);
    assert_eq!(states(store).await, [state("failed"), state("sent")]);
    assert_eq!(store.retry_notices().await.unwrap(), 1);
    let due = store.due_notices("webhook", 9).await.unwrap();
    assert_eq!((due.len(), due[0].id, due[0].attempts), (1, all[1].id, 0));
    f.pass(HOUR);
    assert_eq!(store.forget_notices(store.now()).await.unwrap(), 1, "what waits is kept");
    assert_eq!(states(store).await, [state("queued")]);
}

async fn what_a_reader_wishes_comes_back(f: &Fixture) {
    let store = &f.store;
    let account = store.add_account("umeko", "officer", "-").await.unwrap();
    let wish = |quiet| Preference {
        mail: "umeko@example.jp".to_owned(),
        quiet,
        zone: "Asia/Tokyo".to_owned(),
        ..Preference::default()
    };
    assert_eq!(store.readers().await.unwrap()[0].preference, Preference::default());
    for wish in [wish(Some((22 * 60, 0))), wish(None)] {
        store.set_preference(account, &wish).await.unwrap();
        assert_eq!(store.reader(account).await.unwrap().unwrap().preference, wish);
    }
}

async fn a_job_fails_until_it_ran_well(f: &Fixture) {
    let store = &f.store;
    let now = store.now();
    run_job(store, Err("no way")).await;
    let failing = store.failing_jobs().await.unwrap();
    let [(name, started, said)] = failing.as_slice() else { panic!("{failing:?}") };
    assert_eq!((name.as_str(), said.as_str()), ("x", "no way"));
    assert!(*started >= now);
    run_job(store, Ok("{}")).await;
    assert!(store.failing_jobs().await.unwrap().is_empty());
}

/// A run of the job `x` that ends like this.
async fn run_job(store: &Store, ended: Result<&str, &str>) {
    store.job_declare("x").await.unwrap();
    assert!(store.job_take("x", "me", 1_000_000, 1_000_000).await.unwrap());
    assert!(store.job_end("x", "me", ended, 0).await.unwrap());
}

async fn tasks_and_links_are_found_by_what_they_are_asked_for(f: &Fixture) {
    let store = &f.store;
    let mut hosts = Vec::new();
    for (name, status) in [("a", "active"), ("b", "active"), ("c", "archived")] {
        let mut row = Row::new(Table::Asset, store.new_id().unwrap(), "host", name);
        row.status = status.to_owned();
        hosts.push(save(store, row).await.id);
    }
    assert_eq!(store.count_active(Table::Asset, "site").await.unwrap(), 2);
    assert_eq!(store.count_active(Table::Asset, "host").await.unwrap(), 0);
    for kind in ["located_in", "owns"] {
        let mut link = Row::new(Table::Link, store.new_id().unwrap(), kind, kind);
        (link.subject, link.object) = (Some(hosts[0]), Some(hosts[1]));
        save(store, link).await;
    }
    let count = async |id, end| store.links(&[id], "owns", end).await.unwrap().len();
    assert_eq!(count(hosts[0], End::Subject).await, 1);
    assert_eq!(count(hosts[0], End::Object).await, 0);
    assert_eq!(count(hosts[1], End::Object).await, 1);
    for (name, status, ends) in
        [("late", "open", Some(1)), ("never", "open", None), ("done", "closed", Some(0))]
    {
        let mut task = Row::new(Table::Task, store.new_id().unwrap(), "task", name);
        task.status = status.to_owned();
        task.ends_at = ends.map(Timestamp);
        save(store, task).await;
    }
    let names = |rows: Vec<Row>| rows.into_iter().map(|r| r.name).collect::<Vec<_>>();
    assert_eq!(names(store.open_tasks(9).await.unwrap()), ["late", "never"]);
    assert_eq!(names(store.closed_tasks(9).await.unwrap()), ["done"]);
}
