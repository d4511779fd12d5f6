//! Moves a whole database between SQLite and PostgreSQL, and compares two, hash by hash.
//!
//! The source is read in one snapshot and the target written in one transaction, which is committed
//! only when every table read back from it hashes as it did at the source.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{Clock, Db, Store, StoreError, Tx, Val};

const ROW: &[&str] = &[
    "id",
    "kind",
    "name",
    "owner",
    "status",
    "subject",
    "object",
    "subject_hash",
    "starts_at",
    "ends_at",
    "attributes",
    "schema_version",
    "version",
    "created_at",
    "updated_at",
    "updated_by",
    "reason",
    "request",
    "deleted",
    "salt",
    "personal",
];
const HISTORY: &[&str] = &[
    "id",
    "kind",
    "name",
    "owner",
    "status",
    "subject",
    "object",
    "subject_hash",
    "starts_at",
    "ends_at",
    "attributes",
    "schema_version",
    "version",
    "created_at",
    "updated_at",
    "updated_by",
    "reason",
    "request",
    "deleted",
    "salt",
    "replaced_at",
    "personal",
];
const RECORD: &[&str] = &[
    "id",
    "type",
    "subject",
    "actor",
    "observed_from",
    "observed_to",
    "received_at",
    "source",
    "assurance",
    "facts",
    "payload_commit",
    "leaf_index",
];
const ATTRIBUTE: &[&str] = &["subject_table", "kind", "row_id", "name", "item", "text", "number"];
const PLACEMENT: &[&str] = &["source", "row_id", "place_id"];
const TOKEN: &[&str] = &["subject_table", "row_id", "token", "personal"];
const ACCOUNT: &[&str] = &[
    "id",
    "login",
    "party",
    "role",
    "password",
    "totp",
    "totp_step",
    "recovery",
    "disabled",
    "created_at",
    "must_change",
    "signed_in_at",
    "sites",
];
const SESSION: &[&str] = &[
    "token_hash",
    "account",
    "csrf",
    "state",
    "created_at",
    "seen_at",
    "address",
    "confirmed_at",
    "method",
];
const RECOVERY_CODE: &[&str] = &["account", "code_hash", "created_at", "used_at"];
const PASSKEY: &[&str] = &["id", "account", "name", "credential", "created_at", "used_at"];
const IDENTITY: &[&str] = &["issuer", "subject", "account", "created_at"];
const OIDC_FLOW: &[&str] = &["state_hash", "nonce", "verifier", "back", "created_at"];
const TOKEN_API: &[&str] =
    &["id", "token_hash", "account", "name", "created_at", "expires_at", "used_at"];
const IDEMPOTENCY: &[&str] = &["key_hash", "request_hash", "subject_table", "row_id", "expires_at"];
const JOB: &[&str] = &[
    "name",
    "lease_until",
    "last_started",
    "last_ended",
    "last_result",
    "last_error",
    "next_due",
    "owner",
];

const ENROLMENT: &[&str] = &[
    "token_hash",
    "name",
    "created_at",
    "created_by",
    "expires_at",
    "used_at",
    "agent",
    "key_hash",
];
const AGENT: &[&str] = &[
    "id",
    "name",
    "asset",
    "fingerprint",
    "previous",
    "state",
    "created_at",
    "expires_at",
    "last_seen",
    "revoked_at",
    "record_sequence",
    "rules_serial",
    "rules_root",
];
const NOTICE: &[&str] = &[
    "id",
    "channel",
    "account",
    "kind",
    "event",
    "facts",
    "state",
    "attempts",
    "created_at",
    "next_at",
    "done_at",
    "error",
];
const NOTICE_PREFERENCE: &[&str] =
    &["account", "mail", "lang", "digest", "quiet_from", "quiet_to", "zone"];

const BLOB: &[&str] = &[
    "sha256",
    "bytes",
    "media_type",
    "name",
    "uploaded_by",
    "uploaded_at",
    "file",
    "cohort",
    "slot",
];
const BLOB_REF: &[&str] = &["sha256", "subject_table", "row_id"];

const IMPORT_MAPPING: &[&str] = &["signature", "header", "mapping", "updated_by", "updated_at"];

/// Table, its columns, the columns of its primary key.
struct TableSpec {
    name: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
}

const fn spec(
    name: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
) -> TableSpec {
    TableSpec { name, columns, key }
}

/// Every table of the schema except `migration` and
/// `index_version`, which speak of the schema; a test holds the list against the database.
const TABLES: &[TableSpec] = &[
    spec("party", ROW, &["id"]),
    spec("party_history", HISTORY, &["id", "version"]),
    spec("asset", ROW, &["id"]),
    spec("asset_history", HISTORY, &["id", "version"]),
    spec("link", ROW, &["id"]),
    spec("link_history", HISTORY, &["id", "version"]),
    spec("norm", ROW, &["id"]),
    spec("norm_history", HISTORY, &["id", "version"]),
    spec("rule", ROW, &["id"]),
    spec("rule_history", HISTORY, &["id", "version"]),
    spec("check", ROW, &["id"]),
    spec("check_history", HISTORY, &["id", "version"]),
    spec("risk", ROW, &["id"]),
    spec("risk_history", HISTORY, &["id", "version"]),
    spec("decision", ROW, &["id"]),
    spec("decision_history", HISTORY, &["id", "version"]),
    spec("plan", ROW, &["id"]),
    spec("plan_history", HISTORY, &["id", "version"]),
    spec("task", ROW, &["id"]),
    spec("task_history", HISTORY, &["id", "version"]),
    spec("record", RECORD, &["id"]),
    spec("payload", &["record", "cohort", "slot", "salt", "body"], &["record"]),
    spec("attribute", ATTRIBUTE, &["row_id", "subject_table", "name", "item"]),
    spec("token", TOKEN, &["token", "subject_table", "row_id"]),
    spec("placement", PLACEMENT, &["row_id", "place_id", "source"]),
    spec("outbox", &["seq", "row_key", "leaf"], &["seq"]),
    spec("leaf", &["row_key", "leaf_index"], &["row_key"]),
    spec("account", ACCOUNT, &["id"]),
    spec("session", SESSION, &["token_hash"]),
    spec("recovery_code", RECOVERY_CODE, &["account", "code_hash"]),
    spec("passkey", PASSKEY, &["id"]),
    spec("identity", IDENTITY, &["issuer", "subject"]),
    spec("oidc_flow", OIDC_FLOW, &["state_hash"]),
    spec("token_api", TOKEN_API, &["id"]),
    spec("idempotency", IDEMPOTENCY, &["key_hash"]),
    spec("job", JOB, &["name"]),
    spec("notice", NOTICE, &["id"]),
    spec("notice_preference", NOTICE_PREFERENCE, &["account"]),
    spec("setting", &["name", "value"], &["name"]),
    spec("tally", &["name", "amount"], &["name"]),
    spec("enrolment", ENROLMENT, &["token_hash"]),
    spec("agent", AGENT, &["id"]),
    spec("blob", BLOB, &["sha256"]),
    spec("blob_ref", BLOB_REF, BLOB_REF),
    spec("import_draft", &["id", "actor", "content", "created_at"], &["id"]),
    spec("import_mapping", IMPORT_MAPPING, &["signature"]),
];

/// Rows of one page; payloads are bulky, so fewer of them.
const PAGE_ROWS: usize = 200;
const PAGE_PAYLOADS: usize = 16;

/// Count and hash of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSum {
    pub table: &'static str,
    pub rows: u64,
    /// SHA-256, in hex, over the canonical rows in key order.
    pub sha256: String,
}

/// What was moved, table by table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub tables: Vec<TableSum>,
}

impl Moved {
    /// Rows over all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|t| t.rows).sum()
    }
}

impl Store {
    /// Opens `sqlite:PATH` (file, or folder that holds `ume.db`) or `postgres://…`, creating and
    /// migrating it where it is to be written.
    pub async fn at(address: &str, write: bool, clock: Clock) -> Result<Store, StoreError> {
        let db = match sqlite_path(address) {
            Some(path) => Db::sqlite(&path, !write).await?,
            None if address.starts_with("postgres://") || address.starts_with("postgresql://") => {
                Db::postgres(address).await?
            }
            None => return Err(StoreError::Address),
        };
        let mut store = Store::over(db, clock, None);
        if let Some(file) = sqlite_path(address) {
            store = store.in_folder(file.parent().unwrap_or(Path::new(".")));
        }
        if write {
            store.migrate().await?;
        } else {
            store.refuse_older().await?;
        }
        Ok(store)
    }
}

/// The file an address `sqlite:PATH` names.
pub fn sqlite_path(address: &str) -> Option<PathBuf> {
    let path = PathBuf::from(address.strip_prefix("sqlite:")?);
    Some(if path.is_dir() { path.join("ume.db") } else { path })
}

/// Copies everything into an empty database of the same schema; all of it or nothing.
pub async fn transfer(from: &Db, to: &Db) -> Result<Moved, StoreError> {
    let mut source = from.begin_read().await?;
    let mut target = to.begin().await?;
    same_schema(&mut source, &mut target).await?;
    for table in TABLES {
        let sql = format!("SELECT 1 FROM \"{}\" LIMIT 1", table.name);
        if !target.fetch(&sql, &[]).await?.is_empty() {
            return Err(StoreError::NotEmpty(table.name));
        }
    }
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let there = walk(&mut source, table, Some((&mut target, to.is_sqlite()))).await?;
        let here = walk(&mut target, table, None).await?;
        if there != here {
            return Err(StoreError::Differs(table.name));
        }
        tables.push(here);
    }
    if !to.is_sqlite() {
        let sql = "SELECT setval(pg_get_serial_sequence('outbox', 'seq'), \
                   (SELECT COALESCE(MAX(seq), 0) + 1 FROM outbox), false)";
        target.fetch(sql, &[]).await?;
    }
    same_index(&mut source, &mut target).await?;
    target.commit().await?;
    Ok(Moved { tables })
}

/// The index was moved like every table, so it need not be made anew where it was current.
async fn same_index(source: &mut Tx, target: &mut Tx) -> Result<(), StoreError> {
    let rows = source.fetch("SELECT number, declared FROM index_version", &[]).await?;
    if let Some(row) = rows.first() {
        let args = [row[0].int()?.into(), row[1].text()?.into()];
        target.execute("UPDATE index_version SET number = $1, declared = $2", &args).await?;
    }
    Ok(())
}

/// Count and hash of every table, from one snapshot.
pub async fn table_sums(db: &Db) -> Result<Vec<TableSum>, StoreError> {
    let mut source = db.begin_read().await?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        tables.push(walk(&mut source, table, None).await?);
    }
    Ok(tables)
}

/// Pairs of sums, table by table, of two databases of the same schema.
pub async fn compare(a: &Db, b: &Db) -> Result<Vec<(TableSum, TableSum)>, StoreError> {
    same_schema(&mut a.begin_read().await?, &mut b.begin_read().await?).await?;
    let (a, b) = (table_sums(a).await?, table_sums(b).await?);
    Ok(a.into_iter().zip(b).collect())
}

async fn same_schema(a: &mut Tx, b: &mut Tx) -> Result<(), StoreError> {
    let sql = "SELECT number FROM migration ORDER BY number";
    if a.fetch(sql, &[]).await? == b.fetch(sql, &[]).await? {
        Ok(())
    } else {
        Err(StoreError::Migrations)
    }
}

/// Reads a table in key order, hashing it and, where a target is given, writing it there.
async fn walk(
    source: &mut Tx,
    table: &TableSpec,
    mut target: Option<(&mut Tx, bool)>,
) -> Result<TableSum, StoreError> {
    let page_rows = if table.name == "payload" { PAGE_PAYLOADS } else { PAGE_ROWS };
    let places: Vec<usize> = table
        .key
        .iter()
        .filter_map(|key| table.columns.iter().position(|column| column == key))
        .collect();
    let (columns, key) = (table.columns.join(", "), table.key.join(", "));
    let select = format!("SELECT {columns} FROM \"{}\"", table.name);
    let end = format!("ORDER BY {key} LIMIT {page_rows}");
    let marks: Vec<String> = (1..=table.key.len()).map(|i| format!("${i}")).collect();
    let first = format!("{select} {end}");
    let next = format!("{select} WHERE ({key}) > ({}) {end}", marks.join(", "));

    let mut hash = Sha256::new();
    hash.update(format!("ume/table/v1\n{} ({columns})\n", table.name));
    let (mut rows, mut after) = (0, Vec::new());
    loop {
        let sql = if after.is_empty() { &first } else { &next };
        let page = source.fetch(sql, &after).await?;
        let Some(last) = page.last() else { break };
        after = places.iter().map(|i| last[*i].clone()).collect();
        rows += page.len() as u64;
        for value in page.iter().flatten() {
            hash_value(&mut hash, value);
        }
        let full = page.len() == page_rows;
        if let Some((target, sqlite)) = &mut target {
            let sql = insert(table, page.len(), *sqlite);
            let values: Vec<Val> = page.into_iter().flatten().collect();
            target.execute(&sql, &values).await?;
        }
        if !full {
            break;
        }
    }
    Ok(TableSum { table: table.name, rows, sha256: hex::encode(hash.finalize()) })
}

fn insert(table: &TableSpec, rows: usize, sqlite: bool) -> String {
    let mut sql = format!("INSERT INTO \"{}\" ({})", table.name, table.columns.join(", "));
    // PostgreSQL draws the number of an outbox row itself unless told otherwise.
    if table.name == "outbox" && !sqlite {
        sql.push_str(" OVERRIDING SYSTEM VALUE");
    }
    sql.push_str(" VALUES ");
    let width = table.columns.len();
    for row in 0..rows {
        let marks: Vec<String> = (1..=width).map(|i| format!("${}", row * width + i)).collect();
        let comma = if row == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}({})", marks.join(", "));
    }
    sql
}

/// Kind, length, bytes: no two rows share an encoding.
fn hash_value(hash: &mut Sha256, value: &Val) {
    let mut put = |kind: &[u8], bytes: &[u8]| {
        hash.update(kind);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match value {
        Val::Null => put(b"n", &[]),
        Val::Bool(flag) => put(b"i", &i64::from(*flag).to_be_bytes()),
        Val::Int(n) => put(b"i", &n.to_be_bytes()),
        Val::Float(x) => put(b"f", &x.to_bits().to_be_bytes()),
        Val::Text(text) => put(b"t", text.as_bytes()),
        Val::Bytes(bytes) => put(b"b", bytes),
    }
}

/// Tables and columns that [`transfer`] knows.
pub fn known_tables() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    TABLES.iter().map(|t| (t.name, t.columns))
}
