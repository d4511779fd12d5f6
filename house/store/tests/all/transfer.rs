//! A database moved to another one is equal, hash by hash; a changed row is found.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use model::{Assurance, Table, Timestamp};
use serde_json::json;
use store::{RecordDraft, Row, Store, StoreError, compare, table_sums, transfer};

/// A small generator: the history is random, but the same each time.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

async fn open(folder: &Path) -> Store {
    let time = AtomicI64::new(1_795_600_000_000_000);
    let clock = Arc::new(move || Timestamp(time.fetch_add(1_000, Ordering::Relaxed)));
    Store::open(folder, clock).await.unwrap()
}

/// Rows of every table with changes and deletions, records with and without payload, accounts,
/// sessions, settings, jobs, settled and waiting leaves.
async fn fill(store: &Store, seed: u64) {
    let mut random = Seeded(seed);
    let mut rows: Vec<Row> = Vec::new();
    for step in 0..500 {
        let mut write = store.write("tester", "履歴", "req").await.unwrap();
        if rows.is_empty() || random.below(2) == 0 {
            let subject: Vec<Table> =
                Table::ALL.into_iter().filter(|t| *t != Table::Record).collect();
            let table = subject[random.below(subject.len() as u64) as usize];
            let id = store.new_id().unwrap();
            let mut row = Row::new(table, id, "server", &format!("機器 {step} “é” 𠮷"));
            row.attributes.insert("port".to_owned(), json!(random.below(65_536)));
            row.attributes.insert("os".to_owned(), json!("Ａlpine"));
            rows.push(write.put(row).await.unwrap());
        } else {
            let at = random.below(rows.len() as u64) as usize;
            let mut row = rows.swap_remove(at);
            row.name.push('x');
            if random.below(4) == 0 {
                write.delete(row).await.unwrap();
            } else {
                rows.push(write.put(row).await.unwrap());
            }
        }
        let bytes = random.below(3_000) as usize;
        let draft = RecordDraft {
            ty: "test".to_owned(),
            subject: rows.first().map(|r| r.id),
            observed_from: store.now(),
            observed_to: store.now(),
            source: "test".to_owned(),
            assurance: Assurance::Attested,
            facts: json!({"n": step}).as_object().unwrap().clone(),
            payload: (bytes > 1_500).then(|| (0..bytes).map(|i| i as u8).collect()),
        };
        write.record(draft).await.unwrap();
        write.commit().await.unwrap();
        if step == 300 {
            let pending = store.pending(10_000).await.unwrap();
            let settled: Vec<_> =
                (0..).zip(pending).map(|(i, (seq, key, _))| (seq, key, i)).collect();
            store.settle(&settled).await.unwrap();
        }
    }
    store.add_account("梅子", "officer", "hash").await.unwrap();
    store.set_setting("ledger_origin", "ume.local/x").await.unwrap();
    let mut tx = store.db().begin().await.unwrap();
    for sql in [
        "INSERT INTO job (name, lease_until, next_due) VALUES ('collect', 1, 9007199254740993)",
        "INSERT INTO token_api (id, token_hash, account, name, created_at) \
         VALUES ('i', 'h', 'a', 'n', -1)",
        "INSERT INTO idempotency (key_hash, request_hash, subject_table, row_id, expires_at) \
         VALUES ('k', 'r', 'asset', 'i', 9007199254740993)",
        "INSERT INTO session (token_hash, account, csrf, state, created_at, seen_at, address) \
         VALUES ('h', 'a', 'c', 's', 1, 2, '::1')",
        "INSERT INTO notice (id, channel, account, kind, event, facts, state, attempts, created_at, \
         next_at, error) VALUES ('i', 'mail', 'a', 'test', 'e', '{}', 'queued', 1, 1, \
         9007199254740993, '梅')",
        "INSERT INTO notice_preference (account, mail, lang, digest, quiet_from, zone) \
         VALUES ('a', 'm@example.jp', 'ja', 'each', 0, '')",
        "INSERT INTO recovery_code (account, code_hash, created_at) VALUES ('a', 'h', 1)",
        "INSERT INTO passkey (id, account, name, credential, created_at) \
         VALUES ('i', 'a', '鍵', '{}', 1)",
        "INSERT INTO identity (issuer, subject, account, created_at) VALUES ('i', 's', 'a', 1)",
        "INSERT INTO oidc_flow (state_hash, nonce, verifier, back, created_at) \
         VALUES ('h', 'n', 'v', '/', 1)",
        "INSERT INTO enrolment (token_hash, name, created_at, created_by, expires_at, used_at, \
         agent, key_hash) VALUES ('h', '機器', 1, '梅子', 9007199254740993, NULL, NULL, NULL)",
        "INSERT INTO agent (id, name, asset, fingerprint, previous, state, created_at, expires_at, \
         last_seen, revoked_at, record_sequence) \
         VALUES ('i', '機器', 'a', 'f', '', 'active', 1, 9007199254740993, 2, NULL, 7)",
        "INSERT INTO blob (sha256, bytes, media_type, name, uploaded_by, uploaded_at) \
         VALUES ('h', 9007199254740993, 'text/plain', '記録.txt', 'a', 1)",
        "INSERT INTO placement (source, row_id, place_id) VALUES ('梅', 'r', 'p')",
        "INSERT INTO blob_ref (sha256, subject_table, row_id) VALUES ('h', 'asset', 'i')",
    ] {
        tx.execute(sql, &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    store.add_import("tester", "{\"files\": []}").await.unwrap();
    let mut write = store.write("tester", "", "").await.unwrap();
    let kept = store::ImportMapping {
        signature: "s".to_owned(),
        header: "h".to_owned(),
        mapping: "{\"to\": \"asset/host\"}".to_owned(),
    };
    write.keep_mapping(&kept).await.unwrap();
    write.commit().await.unwrap();
}

async fn assert_equal(a: &Store, b: &Store) {
    for (a, b) in compare(a.db(), b.db()).await.unwrap() {
        assert_eq!(a, b);
    }
    assert_eq!(a.pending(10_000).await.unwrap(), b.pending(10_000).await.unwrap());
}

async fn differing(a: &Store, b: &Store) -> Vec<&'static str> {
    let pairs = compare(a.db(), b.db()).await.unwrap();
    pairs.iter().filter(|(a, b)| a != b).map(|(a, _)| a.table).collect()
}

#[tokio::test]
async fn sqlite_to_sqlite_is_equal_and_a_changed_row_is_found() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (open(a.path()).await, open(b.path()).await);
    fill(&from, 0x5eed).await;
    from.reindex().await.unwrap();
    let moved = transfer(from.db(), to.db()).await.unwrap();
    assert!(moved.tables.iter().all(|t| t.rows > 0), "{moved:?}");
    assert_eq!(moved.tables, table_sums(from.db()).await.unwrap());
    assert_equal(&from, &to).await;
    let version = "SELECT number, declared FROM index_version";
    let (there, here) = (from.db().fetch(version, &[]), to.db().fetch(version, &[]));
    assert_eq!(there.await.unwrap(), here.await.unwrap(), "the index is not made anew");

    let again = transfer(from.db(), to.db()).await;
    assert!(matches!(again, Err(StoreError::NotEmpty("party"))), "{again:?}");

    let change = |sql: &'static str| {
        let to = to.clone();
        async move {
            let mut tx = to.db().begin().await.unwrap();
            assert_eq!(tx.execute(sql, &[]).await.unwrap(), 1);
            tx.commit().await.unwrap();
        }
    };
    change("UPDATE risk SET owner = '' WHERE id = (SELECT MAX(id) FROM risk)").await;
    assert_eq!(differing(&from, &to).await, ["risk"]);
    change("DELETE FROM leaf WHERE leaf_index = 7").await;
    assert_eq!(differing(&from, &to).await, ["risk", "leaf"]);
}

#[tokio::test]
async fn a_target_with_a_single_row_is_refused_and_left_alone() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (open(a.path()).await, open(b.path()).await);
    from.set_setting("one", "1").await.unwrap();
    to.set_setting("other", "2").await.unwrap();
    let before = table_sums(to.db()).await.unwrap();
    let refused = transfer(from.db(), to.db()).await;
    assert!(matches!(refused, Err(StoreError::NotEmpty("setting"))), "{refused:?}");
    assert_eq!(table_sums(to.db()).await.unwrap(), before);
}

#[tokio::test]
async fn every_table_and_column_of_the_schema_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let sql = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT IN ('migration', 'index_version') \
               ORDER BY m.name, c.cid";
    let mut schema: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in store.db().fetch(sql, &[]).await.unwrap() {
        let (table, column) = (row[0].text().unwrap(), row[1].text().unwrap());
        schema.entry(table.to_owned()).or_default().push(column.to_owned());
    }
    let known: BTreeMap<String, Vec<String>> = store::known_tables()
        .map(|(name, columns)| (name.to_owned(), columns.iter().map(|c| (*c).to_owned()).collect()))
        .collect();
    assert_eq!(known, schema);
}

#[tokio::test]
async fn sqlite_to_postgres_and_back_is_equal() {
    let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
        println!("skipped: no PostgreSQL");
        return;
    };
    let name = format!("ume_transfer_{}", std::process::id());
    on_server(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    on_server(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    let url = format!("{host}/{name}?{query}");

    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, back) = (open(a.path()).await, open(b.path()).await);
    fill(&from, 0xbeef).await;
    let middle = Store::at(&url, true, store::system_clock()).await.unwrap();
    transfer(from.db(), middle.db()).await.unwrap();
    assert_equal(&from, &middle).await;
    transfer(middle.db(), back.db()).await.unwrap();
    assert_equal(&from, &back).await;

    // The moved database goes on: the next outbox row stands behind the moved ones.
    let last = from.pending(10_000).await.unwrap().last().unwrap().0;
    let mut write = middle.write("tester", "why", "").await.unwrap();
    let row = Row::new(Table::Asset, middle.new_id().unwrap(), "server", "new");
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    assert!(middle.pending(10_000).await.unwrap().last().unwrap().0 > last);
    assert!(differing(&from, &middle).await.contains(&"asset"));

    middle.db().close().await;
    on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

async fn on_server(url: &str, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}
