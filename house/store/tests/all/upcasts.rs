//! A kind whose schema was raised: what was written stays, what is read is the newest; on both
//! databases.

use model::{Id, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU32, Ordering},
};
use store::{Condition, Filter, Key, Order, Row, Store, Test, Upcast};

async fn on_server(url: &str, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// Version 2 calls the colour a shade, version 3 counts from one instead of nought. Neither may be
/// taken twice.
const STEPS: &[Upcast] = &[
    |attributes| {
        if let Some(colour) = attributes.remove("colour") {
            attributes.insert("shade".to_owned(), colour);
        }
    },
    |attributes| {
        if let Some(n) = attributes.get("place").and_then(Json::as_i64) {
            attributes.insert("place".to_owned(), json!(n + 1));
        }
    },
];

fn raised(store: &Store) -> Store {
    store.clone().with_upcasts([("plum", STEPS)].into())
}

fn attributes(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

async fn put(store: &Store, row: Row) -> Row {
    let mut write = store.write("tester", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

async fn old(store: &Store, name: &str, colour: &str, place: i64) -> Row {
    let mut row = Row::new(Table::Asset, store.new_id().unwrap(), "plum", name);
    row.attributes = attributes(json!({"colour": colour, "place": place}));
    put(store, row).await
}

async fn names(store: &Store, filter: Filter) -> Vec<String> {
    let filter = Filter { kind: Some("plum".to_owned()), limit: 9, ..filter };
    let rows = store.list(Table::Asset, &filter).await.unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

async fn holds(store: Store) {
    let a = old(&store, "a", "white", 5).await;
    let b = old(&store, "b", "crimson", 3).await;
    let (then, bound) = (store.now(), a.content_hash().unwrap());
    let new = raised(&store);
    new.settle_index().await.unwrap();
    let wanted = attributes(json!({"shade": "white", "place": 6}));

    // Detail, history, the past.
    let read = |id: Id| {
        let new = new.clone();
        async move { new.row(Table::Asset, id).await.unwrap().unwrap() }
    };
    let lifted = read(a.id).await;
    assert_eq!((&lifted.attributes, lifted.schema_version), (&wanted, 3));
    assert_eq!(lifted.content_hash().unwrap(), bound, "a raised schema voids no decision");
    let past = new.row_as_of(Table::Asset, a.id, then).await.unwrap().unwrap();
    assert_eq!(past.attributes, wanted);
    assert_eq!(new.history(Table::Asset, a.id).await.unwrap()[0].attributes, wanted);

    // List, sort, condition, words: by the newest names and values.
    let sorted = |name: &str, number: bool| Filter {
        order: Order { by: Some(store::By { name: name.to_owned(), number }), descending: number },
        ..Filter::default()
    };
    assert_eq!(names(&new, sorted("shade", false)).await, ["b", "a"]);
    assert_eq!(names(&new, sorted("place", true)).await, ["a", "b"]);
    let only = Condition { name: "place".to_owned(), test: Test::Is(Key::Number(4)) };
    let only = Filter { conditions: vec![only], ..Filter::default() };
    assert_eq!(names(&new, only).await, ["b"]);
    let words = Filter { text: "crimson".to_owned(), ..Filter::default() };
    assert_eq!(names(&new, words).await, ["b"]);
    let listed = new.all(Table::Asset, &["plum"]).await.unwrap();
    assert_eq!(listed[0].attributes, wanted);

    // As written for the verifier; the next save writes the newest and keeps the old as it was.
    let written = |row: &Row| (row.attributes.clone(), row.schema_version);
    let raw = attributes(json!({"colour": "white", "place": 5}));
    let stored = new.stored_versions(Table::Asset, None, 9).await.unwrap();
    let first = stored.iter().find(|v| v.id == a.id.to_string()).unwrap();
    assert_eq!(written(first.row.as_ref().unwrap()), (raw.clone(), 1));
    let mut changed = lifted;
    changed.name = "a2".to_owned();
    let saved = put(&new, changed).await;
    assert_eq!(written(&saved), (wanted.clone(), 3));
    assert_eq!(read(a.id).await.attributes, wanted, "no step is taken twice");
    let stored = new.stored_versions(Table::Asset, None, 9).await.unwrap();
    let versions: Vec<_> = stored.iter().filter(|v| v.id == a.id.to_string()).collect();
    assert_eq!(written(versions[0].row.as_ref().unwrap()), (raw, 1));
    assert_eq!(written(versions[1].row.as_ref().unwrap()), (wanted, 3));

    // A deleted row of the first schema is not lifted twice either.
    let gone = read(b.id).await;
    let mut write = new.write("tester", "", "").await.unwrap();
    write.delete(gone).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(read(b.id).await.attributes["place"], 4);
    store.db().close().await;
}

fn clock() -> store::Clock {
    let time = AtomicI64::new(1_795_600_000_000_000);
    Arc::new(move || Timestamp(time.fetch_add(1_000, Ordering::Relaxed)))
}

#[tokio::test]
async fn a_raised_schema_reads_old_rows_as_new_and_leaves_them_as_written() {
    let folder = tempfile::tempdir().unwrap();
    holds(Store::open(folder.path(), clock()).await.unwrap()).await;
}

#[tokio::test]
async fn a_raised_schema_reads_old_rows_as_new_on_postgresql() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
        println!("skipped: no PostgreSQL");
        return;
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("ume_upcasts_{}_{number}", std::process::id());
    on_server(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    let url = format!("{host}/{name}?{query}");
    holds(Store::connect(&url, clock()).await.unwrap()).await;
    on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}
