//! What the API stands on, on SQLite and, where `UME_TEST_POSTGRES` names a server, on PostgreSQL.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

use model::{Assurance, Table, Timestamp};
use store::{Clock, Filter, Key, Once, RecordDraft, RecordFilter, Row, Store};

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
        let name = format!("ume_api_{}_{number}", std::process::id());
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

async fn an_import_belongs_to_its_person_for_a_day_and_is_claimed_once(f: &Fixture) {
    let store = &f.store;
    let id = store.add_import("account:umeko", "one").await.unwrap();
    let read = async |actor: &str| store.import(id, actor).await.unwrap().map(|d| d.content);
    assert_eq!(read("account:umeko").await.as_deref(), Some("one"));
    assert_eq!(read("account:takeo").await, None);
    assert!(!store.set_import(id, "account:takeo", "x").await.unwrap());
    assert!(store.claim_import(id, "account:umeko", "one", "two").await.unwrap());
    assert!(!store.claim_import(id, "account:umeko", "one", "three").await.unwrap());
    assert_eq!(read("account:umeko").await.as_deref(), Some("two"));
    assert!(store.set_import(id, "account:umeko", &"x".repeat(2 << 20)).await.is_err());
    f.pass(25 * HOUR);
    assert_eq!(read("account:umeko").await, None);
    for n in 0..25 {
        store.add_import("account:umeko", &n.to_string()).await.unwrap();
    }
    let kept = store.db().fetch("SELECT COUNT(*) FROM import_draft", &[]).await.unwrap();
    assert_eq!(kept[0][0].int().unwrap(), 20);
}

async fn the_mapping_of_a_header_is_kept_newest_first(f: &Fixture) {
    let store = &f.store;
    let keep = async |signature: &str, mapping: &str| {
        let mut write = store.write("test", "", "").await.unwrap();
        let kept = store::ImportMapping {
            signature: signature.to_owned(),
            header: "h".to_owned(),
            mapping: mapping.to_owned(),
        };
        write.keep_mapping(&kept).await.unwrap();
        write.commit().await.unwrap();
    };
    keep("a", "1").await;
    keep("b", "2").await;
    keep("a", "3").await;
    let found = store.import_mappings(&["h".to_owned(), "other".to_owned()]).await.unwrap();
    let found: Vec<(&str, &str)> =
        found.iter().map(|m| (m.signature.as_str(), m.mapping.as_str())).collect();
    assert_eq!(found, [("a", "3"), ("b", "2")]);
    assert_eq!(store.import_mappings(&[]).await.unwrap(), []);
}

async fn old_versions_are_found_by_id_and_number(f: &Fixture) {
    let store = &f.store;
    let mut rows = Vec::new();
    for name in ["one", "two"] {
        let mut write = store.write("test", "", "").await.unwrap();
        let row = Row::new(Table::Asset, store.new_id().unwrap(), "host", name);
        let mut row = write.put(row).await.unwrap();
        row.name = format!("{name} again");
        rows.push(write.put(row).await.unwrap());
        write.commit().await.unwrap();
    }
    let wanted: Vec<_> = rows.iter().map(|row| (row.id, 1)).chain([(rows[0].id, 9)]).collect();
    let mut old = store.old_versions(Table::Asset, &wanted).await.unwrap();
    old.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = old.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
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
    a_list_as_of_shows_what_stood_then
    a_key_counts_once_until_a_day_has_passed
    the_last_use_of_a_token_is_written_once_a_minute
    records_are_paged_newest_first_under_every_filter
    an_import_belongs_to_its_person_for_a_day_and_is_claimed_once
    the_mapping_of_a_header_is_kept_newest_first
    old_versions_are_found_by_id_and_number
}

async fn save(store: &Store, row: Row) -> Row {
    let mut write = store.write("test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

async fn a_list_as_of_shows_what_stood_then(f: &Fixture) {
    let store = &f.store;
    let mut rows = Vec::new();
    for name in ["c", "a", "b"] {
        let id = store.new_id().unwrap();
        // `check` is a reserved word, so it is the table to try.
        rows.push(save(store, Row::new(Table::Check, id, "one", name)).await);
    }
    let before = store.now();
    let mut changed = rows[1].clone();
    changed.name = "z".to_owned();
    save(store, changed).await;
    let mut write = store.write("test", "", "").await.unwrap();
    write.delete(rows[2].clone()).await.unwrap();
    write.commit().await.unwrap();
    let names = async |filter: Filter, at| -> Vec<String> {
        let rows = store.list_as_of(Table::Check, &filter, at).await.unwrap();
        rows.into_iter().map(|r| r.name).collect()
    };
    let all = || Filter { limit: 10, ..Filter::default() };
    assert_eq!(names(all(), before).await, ["a", "b", "c"]);
    assert_eq!(names(all(), store.now()).await, ["c", "z"]);
    assert_eq!(names(all(), Timestamp(START - 1)).await, [""; 0]);
    let page = Filter { limit: 1, after: Some((Key::Text("a".to_owned()), rows[1].id)), ..all() };
    assert_eq!(names(page, before).await, ["b"]);
    for filter in [
        Filter { kind: Some("other".to_owned()), ..all() },
        Filter { status: Some("open".to_owned()), ..all() },
        Filter { subject: Some(rows[0].id), ..all() },
    ] {
        assert_eq!(names(filter, before).await, [""; 0]);
    }
}

async fn a_key_counts_once_until_a_day_has_passed(f: &Fixture) {
    let store = &f.store;
    let once = Once { key_hash: "k".repeat(64), request_hash: "r".repeat(64) };
    let note = async || -> bool {
        let id = store.new_id().unwrap();
        let mut write = store.write("test", "", "").await.unwrap();
        write.put(Row::new(Table::Asset, id, "host", "a")).await.unwrap();
        let fresh = write.note_once(&once, Table::Asset, id).await.unwrap();
        if fresh {
            write.commit().await.unwrap();
        }
        fresh
    };
    assert!(note().await);
    assert!(!note().await);
    let (hash, table, id) = store.done_once(&once.key_hash).await.unwrap().unwrap();
    assert_eq!((hash, table), (once.request_hash.clone(), Table::Asset));
    // The second change was dropped with its row.
    let rows = store.all(Table::Asset, &[]).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [id]);
    f.pass(24 * HOUR);
    assert!(store.done_once(&once.key_hash).await.unwrap().is_none());
    assert!(note().await, "an expired key is free again");
}

async fn the_last_use_of_a_token_is_written_once_a_minute(f: &Fixture) {
    let store = &f.store;
    let account = store.add_account("梅子", "officer", "-").await.unwrap();
    let (id, secret) = store.add_api_token(account, "試験", 2).await.unwrap();
    assert!(secret.starts_with("ume_") && secret.len() == 68);
    let used = async || store.api_tokens().await.unwrap()[0].used_at;
    assert_eq!(used().await, None);
    let (found, by) = store.use_api_token(&secret).await.unwrap().unwrap();
    assert_eq!((found, by.login.as_str()), (id, "梅子"));
    let first = used().await;
    assert!(first.is_some());
    store.use_api_token(&secret).await.unwrap().unwrap();
    assert_eq!(used().await, first);
    f.pass(61_000_000);
    store.use_api_token(&secret).await.unwrap().unwrap();
    assert!(used().await > first);
    assert!(store.use_api_token("ume_other").await.unwrap().is_none());
    f.pass(48 * HOUR);
    assert!(store.use_api_token(&secret).await.unwrap().is_none(), "it ended with its days");
}

async fn records_are_paged_newest_first_under_every_filter(f: &Fixture) {
    let store = &f.store;
    let subject = store.new_id().unwrap();
    let mut ids = Vec::new();
    for n in 0..5 {
        // Ids of the same millisecond have no order of their own.
        f.pass(2_000);
        let mut write = store.write("test", "", "").await.unwrap();
        let draft = RecordDraft {
            ty: if n % 2 == 0 { "even" } else { "odd" }.to_owned(),
            subject: (n == 3).then_some(subject),
            observed_from: Timestamp(START),
            observed_to: Timestamp(START),
            source: "test".to_owned(),
            assurance: Assurance::Imported,
            facts: serde_json::Map::new(),
            payload: None,
        };
        ids.push(write.record(draft).await.unwrap());
        write.commit().await.unwrap();
    }
    let found = async |filter: RecordFilter| -> Vec<usize> {
        let records = store.list_records(&filter).await.unwrap();
        let place = |r: &store::Record| ids.iter().position(|i| i.id == r.id).unwrap();
        records.iter().map(place).collect()
    };
    let all = || RecordFilter { limit: 10, ..RecordFilter::default() };
    assert_eq!(found(all()).await, [4, 3, 2, 1, 0]);
    assert_eq!(found(RecordFilter { limit: 2, before: Some(ids[3].id), ..all() }).await, [2, 1]);
    assert_eq!(found(RecordFilter { ty: Some("odd".to_owned()), ..all() }).await, [3, 1]);
    assert_eq!(found(RecordFilter { subject: Some(subject), ..all() }).await, [3]);
    let then = ids[1].received_at;
    assert_eq!(found(RecordFilter { as_of: Some(then), ..all() }).await, [1, 0]);
}
