//! Rows of the ten tables beside `record`: one shape, versioned, each change a leaf.

use model::{Id, Table, Timestamp, canonical};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{Store, StoreError, Tx, Val, parse_id, payload::Sealing, personal, random_hex};

/// Kind and status of a decision that asks for an approval.
const ASKED_KIND: &str = "approval";
const ASKED: &str = "proposed";
/// Longest name in bytes: it is part of index keys, which PostgreSQL limits to some 2,700.
pub const NAME_BYTES_MAX: usize = 2_000;
/// Most versions of one row that are read at once.
pub const VERSIONS_MAX: usize = 1_000;
/// What the length prefix of a ledger bundle can say.
const LEAF_BYTES_MAX: usize = 65_535;

/// What stands for a name that was shredded.
pub const NAME_SHREDDED: &str = "—";

/// Most rows a page may ask for.
pub const PAGE_ROWS_MAX: usize = 200;

/// A row of one of the ten tables. What `subject`, `object`, `starts_at` and `ends_at` mean depends
/// on the table: a link goes from `subject` to `object` and is valid between the two times; a
/// decision is about `subject` (bound by `subject_hash`) until `ends_at`; a task is about `subject`,
/// assigned to `object`, due at `ends_at`; a norm's `subject` is its parent.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub table: Table,
    pub id: Id,
    pub kind: String,
    pub name: String,
    pub owner: Option<Id>,
    pub status: String,
    pub subject: Option<Id>,
    pub object: Option<Id>,
    pub subject_hash: Option<String>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub attributes: Map<String, Json>,
    pub schema_version: i64,
    /// 0 for a row never saved; otherwise the version last seen.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub updated_by: String,
    pub reason: String,
    pub request: String,
    pub deleted: bool,
    pub(crate) salt: String,
    /// Salt, or after shredding commitment, of each personal field; `None` in a version whose leaf
    /// commits to the row as a whole.
    pub(crate) personal: Option<Map<String, Json>>,
    /// The attributes as they stand in the table, where an upcast made others of them.
    pub(crate) written: Option<Map<String, Json>>,
}

impl Row {
    /// A new row that is not saved yet.
    pub fn new(table: Table, id: Id, kind: &str, name: &str) -> Row {
        Row {
            table,
            id,
            kind: kind.to_owned(),
            name: name.to_owned(),
            owner: None,
            status: "active".to_owned(),
            subject: None,
            object: None,
            subject_hash: None,
            starts_at: None,
            ends_at: None,
            attributes: Map::new(),
            schema_version: 1,
            version: 0,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            updated_by: String::new(),
            reason: String::new(),
            request: String::new(),
            deleted: false,
            salt: String::new(),
            personal: None,
            written: None,
        }
    }

    /// The row as JSON with stable member names: API, export and the ledger's commitment.
    pub fn to_json(&self) -> Json {
        json!({
            "table": self.table.name(),
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "owner": self.owner,
            "status": self.status,
            "subject": self.subject,
            "object": self.object,
            "subject_hash": self.subject_hash,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "attributes": self.attributes,
            "schema_version": self.schema_version,
            "version": self.version,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by,
            "reason": self.reason,
            "request": self.request,
            "deleted": self.deleted,
        })
    }

    /// SHA-256 over the canonical content that a decision binds: what the row says as it was
    /// written, not who saved it when.
    pub fn content_hash(&self) -> Result<String, StoreError> {
        Ok(hex::encode(Sha256::digest(self.content()?)))
    }

    /// The canonical content itself, of which [`Row::content_hash`] is the hash.
    pub fn content(&self) -> Result<String, StoreError> {
        let content = json!({
            "table": self.table.name(),
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "owner": self.owner,
            "status": self.status,
            "subject": self.subject,
            "object": self.object,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "attributes": self.written.as_ref().unwrap_or(&self.attributes),
        });
        Ok(canonical::to_string(&content)?)
    }
}

/// The ledger leaf of a row version: names the row and commits to its whole content by a salted
/// hash, so that the leaf itself holds nothing personal.
pub fn row_leaf(row: &Row) -> Result<String, StoreError> {
    let commit = match &row.personal {
        None => whole_commit(row)?,
        Some(fields) => personal::commit(row, fields)?,
    };
    Ok(canonical::to_string(&json!({
        "type": "table_change",
        "table": row.table.name(),
        "id": row.id,
        "version": row.version,
        "at": row.updated_at,
        "commit": commit,
    }))?)
}

/// The commitment of a version without personal fields: to the row as a whole.
pub(crate) fn whole_commit(row: &Row) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    hash.update(b"ume/commit/v1\n");
    hash.update(hex::decode(&row.salt).map_err(|e| StoreError::Column(e.to_string()))?);
    hash.update(canonical::to_string(&row.to_json())?);
    Ok(hex::encode(hash.finalize()))
}

/// Who changes what and why; an open transaction.
pub struct Write<'s> {
    store: &'s Store,
    pub(crate) tx: Tx,
    actor: String,
    reason: String,
    request: String,
    pub(crate) changes: Vec<crate::Change>,
    /// Payloads wait here: their keys are synced once, right before the commit.
    pub(crate) sealing: Sealing,
    /// How far the change may go; none for the house itself.
    pub(crate) bounds: Option<crate::Bounds>,
    /// Blobs that something ceased to name.
    pub(crate) loosened: Vec<String>,
}

/// A row version as the database holds it, readable or not.
#[derive(Debug)]
pub struct Version {
    pub id: String,
    pub version: i64,
    /// When the next version took its place; `None` for the current one.
    pub replaced_at: Option<Timestamp>,
    pub row: Result<Row, StoreError>,
}

pub(crate) const COLUMNS: &str = "id, kind, name, owner, status, subject, object, subject_hash, starts_at, \
                       ends_at, attributes, schema_version, version, created_at, updated_at, \
                       updated_by, reason, request, deleted, salt, personal";

pub(crate) fn table_sql(table: Table) -> &'static str {
    if table == Table::Check { "\"check\"" } else { table.name() }
}

/// Pairs of id and version in one statement: PostgreSQL and SQLite both stop at some nesting.
const OLD_VERSIONS_PER_STATEMENT: usize = 200;

impl Store {
    /// Begins a change. Nothing is written before [`Write::commit`].
    pub async fn write(
        &self,
        actor: &str,
        reason: &str,
        request: &str,
    ) -> Result<Write<'_>, StoreError> {
        Ok(Write {
            store: self,
            tx: self.db.begin().await?,
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            request: request.to_owned(),
            changes: Vec::new(),
            sealing: Sealing::default(),
            bounds: None,
            loosened: Vec::new(),
        })
    }

    /// The current row, deleted ones included.
    pub async fn row(&self, table: Table, id: Id) -> Result<Option<Row>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {} WHERE id = $1", table_sql(table));
        let rows = self.db.fetch(&sql, &[id.to_string().into()]).await?;
        rows.first().map(|r| self.read(table, r)).transpose()
    }

    /// The row as it stood at `at`.
    pub async fn row_as_of(
        &self,
        table: Table,
        id: Id,
        at: Timestamp,
    ) -> Result<Option<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE id = $1 AND updated_at <= $2 UNION ALL \
             SELECT {COLUMNS} FROM {}_history WHERE id = $1 AND updated_at <= $2 AND replaced_at > $2",
            table_sql(table),
            table.name(),
        );
        let rows = self.db.fetch(&sql, &[id.to_string().into(), at.0.into()]).await?;
        rows.first().map(|r| self.read(table, r)).transpose()
    }

    /// The versions of a row, newest first; at most [`VERSIONS_MAX`].
    pub async fn history(&self, table: Table, id: Id) -> Result<Vec<Row>, StoreError> {
        self.newest_versions(table, id, VERSIONS_MAX).await
    }

    /// At most `limit` versions of a row, newest first.
    pub async fn newest_versions(
        &self,
        table: Table,
        id: Id,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE id = $1 UNION ALL \
             SELECT {COLUMNS} FROM {}_history WHERE id = $1 ORDER BY version DESC LIMIT {}",
            table_sql(table),
            table.name(),
            limit.min(VERSIONS_MAX),
        );
        let rows = self.db.fetch(&sql, &[id.to_string().into()]).await?;
        rows.iter().map(|r| self.read(table, r)).collect()
    }

    /// Old versions of these rows, as far as they are there; for merging what was exported then.
    pub async fn old_versions(
        &self,
        table: Table,
        wanted: &[(Id, i64)],
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for some in wanted.chunks(OLD_VERSIONS_PER_STATEMENT) {
            let pairs: Vec<String> = (0..some.len())
                .map(|i| format!("(id = ${} AND version = ${})", 2 * i + 1, 2 * i + 2))
                .collect();
            let sql = format!(
                "SELECT {COLUMNS} FROM {}_history WHERE {}",
                table.name(),
                pairs.join(" OR ")
            );
            let args: Vec<Val> =
                some.iter().flat_map(|(id, v)| [id.to_string().into(), (*v).into()]).collect();
            let rows = self.db.fetch(&sql, &args).await?;
            found.extend(rows.iter().map(|r| self.read(table, r)).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
    }

    /// All live rows of these kinds (every kind if empty): for the evaluation, not for pages.
    pub async fn all(&self, table: Table, kinds: &[&str]) -> Result<Vec<Row>, StoreError> {
        self.present().all(table, kinds).await
    }

    /// Live rows of these kinds of several tables, by kind, name and id: one statement.
    pub async fn all_in(&self, wanted: &[(Table, Vec<&str>)]) -> Result<Vec<Row>, StoreError> {
        let mut args: Vec<Val> = Vec::new();
        let mut parts = Vec::new();
        for (table, kinds) in wanted.iter().filter(|(_, kinds)| !kinds.is_empty()) {
            let first = args.len() + 1;
            let places: Vec<String> =
                (first..first + kinds.len()).map(|i| format!("${i}")).collect();
            args.extend(kinds.iter().map(|kind| Val::from(*kind)));
            parts.push(format!(
                "SELECT {COLUMNS}, '{}' FROM {} WHERE deleted = 0 AND kind IN ({})",
                table.name(),
                table_sql(*table),
                places.join(", "),
            ));
        }
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.db.fetch(&parts.join(" UNION ALL "), &args).await?;
        let row = |values: &Vec<Val>| {
            let name = values.last().map_or(Ok(""), Val::text)?;
            let table = Table::parse(name).unwrap_or(Table::Asset);
            self.read(table, values)
        };
        let mut rows: Vec<Row> = found.iter().map(row).collect::<Result<_, _>>()?;
        rows.sort_by(|a, b| (&a.kind, &a.name, a.id).cmp(&(&b.kind, &b.name, b.id)));
        Ok(rows)
    }

    /// Rows changed since `since`, newest first; at most `limit`.
    pub async fn changed_since(
        &self,
        tables: &[Table],
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let limit = limit.min(PAGE_ROWS_MAX);
        let part = |table: &Table| {
            format!(
                "SELECT * FROM (SELECT {COLUMNS}, '{}' FROM {} WHERE updated_at >= $1 \
                 ORDER BY updated_at DESC, id LIMIT {limit}) AS {0}_changed",
                table.name(),
                table_sql(*table),
            )
        };
        let sql = tables.iter().map(part).collect::<Vec<_>>().join(" UNION ALL ");
        let found = self.db.fetch(&sql, &[since.0.into()]).await?;
        let row = |values: &Vec<Val>| {
            let name = values.last().map_or(Ok(""), Val::text)?;
            let table = Table::parse(name).unwrap_or(Table::Asset);
            self.read(table, values)
        };
        let mut rows: Vec<Row> = found.iter().map(row).collect::<Result<_, _>>()?;
        rows.sort_by_key(|row| (std::cmp::Reverse(row.updated_at), row.id));
        rows.truncate(limit);
        Ok(rows)
    }

    /// Every stored version of a table, current and old, in pages by `(id, version)`: for the verifier.
    pub async fn versions(
        &self,
        table: Table,
        after: Option<(Id, i64)>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (id, version) = after.map_or((String::new(), 0), |(id, v)| (id.to_string(), v));
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT {COLUMNS} FROM {} UNION ALL SELECT {COLUMNS} FROM {}_history) AS v \
             WHERE (id, version) > ($1, $2) ORDER BY id, version LIMIT {}",
            table_sql(table),
            table.name(),
            limit.min(10_000),
        );
        let rows = self.db.fetch(&sql, &[id.into(), version.into()]).await?;
        rows.iter().map(|r| decode(table, r)).collect()
    }

    /// Every stored version as it stands in the database, in pages by `(id, version)`, damaged ones
    /// included: for the verifier.
    pub async fn stored_versions(
        &self,
        table: Table,
        after: Option<(String, i64)>,
        limit: usize,
    ) -> Result<Vec<Version>, StoreError> {
        // Any integer may stand in a damaged row, so the first page has no lower end.
        let (behind, args): (&str, Vec<Val>) = match after {
            None => ("", Vec::new()),
            Some((id, version)) => {
                ("WHERE (id, version) > ($1, $2)", vec![id.into(), version.into()])
            }
        };
        let sql = format!(
            "SELECT {COLUMNS}, replaced_at FROM (\
             SELECT {COLUMNS}, CAST(NULL AS BIGINT) AS replaced_at FROM {} UNION ALL \
             SELECT {COLUMNS}, replaced_at FROM {}_history) AS v \
             {behind} ORDER BY id, version LIMIT {}",
            table_sql(table),
            table.name(),
            limit.min(10_000),
        );
        let rows = self.db.fetch(&sql, &args).await?;
        rows.iter()
            .map(|values| {
                let (row, rest) = values.split_at(values.len() - 1);
                Ok(Version {
                    id: row[0].text()?.to_owned(),
                    version: row[12].int()?,
                    replaced_at: rest[0].opt_int()?.map(Timestamp),
                    row: decode_exactly(table, row),
                })
            })
            .collect()
    }

    /// Searches all tables for the words, as far as the reader reaches in each; at most `limit` hits.
    pub async fn search(
        &self,
        text: &str,
        limit: usize,
        reach: impl Fn(Table) -> crate::Reach,
    ) -> Result<Vec<Row>, StoreError> {
        let mut hits = Vec::new();
        for table in [Table::Asset, Table::Party, Table::Task, Table::Risk, Table::Norm] {
            let room = limit.saturating_sub(hits.len());
            if room == 0 || crate::words::query_tokens(text).is_empty() {
                break;
            }
            let filter = crate::Filter {
                text: text.to_owned(),
                limit: room,
                reach: reach(table),
                ..Default::default()
            };
            hits.extend(self.list(table, &filter).await?);
        }
        Ok(hits)
    }
}

impl Write<'_> {
    /// Writes a setting of the house together with the rest of the change.
    pub async fn set_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        crate::set_setting(&mut self.tx, name, value).await
    }

    /// Saves a row: version 0 inserts, any other must be the current one.
    pub async fn put(&mut self, mut row: Row) -> Result<Row, StoreError> {
        let now = self.store.now();
        let table = row.table;
        if row.name.len() > NAME_BYTES_MAX {
            return Err(StoreError::LongName(row.name.len(), NAME_BYTES_MAX));
        }
        let current = self.current(table, row.id).await?;
        if let Some(old) = &current {
            self.in_bounds(table, &old.kind, old.id).await?;
            self.not_loosened(old, &row).await?;
        }
        if table == Table::Link {
            self.ends_in_bounds(&row).await?;
        }
        self.ask_once(&row).await?;
        self.claim(&mut row);
        let found = current.as_ref().map_or(0, |r| r.version);
        if found != row.version {
            return Err(if current.is_none() {
                StoreError::Absent { table: table.name(), id: row.id }
            } else {
                conflict(&row, found)
            });
        }
        let saw = row.version;
        row.created_at = current.as_ref().map_or(now, |r| r.created_at);
        // Two changes within one microsecond must still have an order for `as_of`.
        row.updated_at = current.as_ref().map_or(now, |r| now.max(Timestamp(r.updated_at.0 + 1)));
        row.version = found + 1;
        row.updated_by = self.actor.clone();
        row.reason = self.reason.clone();
        row.request = self.request.clone();
        row.salt = random_hex::<32>()?;
        row.written = None;
        row.personal = personal::salts(self.store, &row)?;
        // Before anything is written: it names the place of what has no canonical form.
        let leaf = row_leaf(&row)?;
        let saved = match &current {
            Some(old) => {
                self.keep(old, row.updated_at).await?;
                self.update(&row, saw).await?
            }
            None => self.insert(&row).await?,
        };
        if !saved {
            let current = self.current(table, row.id).await?.map_or(0, |r| r.version);
            row.version = saw;
            return Err(conflict(&row, current));
        }
        self.index(&row).await?;
        self.bind_person(&row).await?;
        self.in_bounds(table, &row.kind, row.id).await?;
        self.refer(table, row.id, &row.attributes).await?;
        let lived = current.as_ref().is_some_and(|r| !r.deleted);
        let by = i64::from(!row.deleted) - i64::from(lived);
        self.tally(&format!("{}/{}", table.name(), row.kind), by).await?;
        let key = format!("{}/{}/{}", table.name(), row.id, row.version);
        self.outbox(&key, &leaf).await?;
        self.changes.push(crate::Change::Row {
            table,
            id: row.id,
            kind: row.kind.clone(),
            subject: row.subject,
            object: row.object,
        });
        Ok(row)
    }

    /// Marks a row deleted; its history stays.
    pub async fn delete(&mut self, mut row: Row) -> Result<Row, StoreError> {
        row.deleted = true;
        self.put(row).await
    }

    /// Makes everything of this change durable at once.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.seal().await?;
        self.tx.commit().await?;
        self.store.notices.add(self.changes);
        Ok(())
    }

    /// Now, by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Who makes the change.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    pub(crate) fn store(&self) -> &Store {
        self.store
    }

    pub(crate) async fn outbox(&mut self, key: &str, leaf: &str) -> Result<(), StoreError> {
        // A leaf the ledger refuses would stop every leaf behind it.
        if leaf.len() > LEAF_BYTES_MAX {
            return Err(StoreError::LargeLeaf(key.to_owned(), leaf.len(), LEAF_BYTES_MAX));
        }
        let sql = "INSERT INTO outbox (row_key, leaf) VALUES ($1, $2)";
        self.tx.execute(sql, &[key.into(), leaf.into()]).await.map(drop)
    }

    /// Refuses a second open request for an approval of one row, whichever way it comes. PostgreSQL
    /// lets two ask at once, so they line up at a lock of the row asked about; SQLite has one writer.
    async fn ask_once(&mut self, row: &Row) -> Result<(), StoreError> {
        let asks = row.table == Table::Decision && row.kind == ASKED_KIND && !row.deleted;
        let Some(about) = row.subject.filter(|_| asks && row.status == ASKED) else {
            return Ok(());
        };
        let about_val: Val = about.to_string().into();
        if !self.store.db.is_sqlite() {
            let sql = "SELECT CAST(pg_advisory_xact_lock(hashtextextended($1, 0)) AS TEXT)";
            self.tx.fetch(sql, &[format!("ume/ask/{about}").into()]).await?;
        }
        let sql = "SELECT 1 FROM decision WHERE subject = $1 AND kind = $2 AND status = $3 \
                   AND deleted = 0 AND id <> $4 LIMIT 1";
        let args = [about_val, ASKED_KIND.into(), ASKED.into(), row.id.to_string().into()];
        match self.tx.fetch(sql, &args).await?.is_empty() {
            true => Ok(()),
            false => Err(StoreError::AskedAlready(about)),
        }
    }

    pub(crate) async fn current(
        &mut self,
        table: Table,
        id: Id,
    ) -> Result<Option<Row>, StoreError> {
        let lock = if self.store.db.is_sqlite() { "" } else { " FOR UPDATE" };
        let sql = format!("SELECT {COLUMNS} FROM {} WHERE id = $1{lock}", table_sql(table));
        let rows = self.tx.fetch(&sql, &[id.to_string().into()]).await?;
        rows.first().map(|r| decode(table, r)).transpose()
    }

    async fn keep(&mut self, old: &Row, replaced_at: Timestamp) -> Result<(), StoreError> {
        let mut args = encode(old)?;
        args.push(replaced_at.0.into());
        let sql = format!(
            "INSERT INTO {}_history ({COLUMNS}, replaced_at) VALUES ({})",
            old.table.name(),
            places(args.len())
        );
        self.tx.execute(&sql, &args).await.map(drop)
    }

    /// False if the id was taken meanwhile by a change that this one could not see.
    async fn insert(&mut self, row: &Row) -> Result<bool, StoreError> {
        let args = encode(row)?;
        let sql = format!(
            "INSERT INTO {} ({COLUMNS}) VALUES ({}) ON CONFLICT (id) DO NOTHING",
            table_sql(row.table),
            places(args.len())
        );
        Ok(self.tx.execute(&sql, &args).await? == 1)
    }

    /// In place: on PostgreSQL a waiting writer follows a changed row, but not a removed and
    /// inserted one.
    async fn update(&mut self, row: &Row, saw: i64) -> Result<bool, StoreError> {
        let mut args = encode(row)?;
        args.push(saw.into());
        let sql = format!(
            "UPDATE {} SET ({COLUMNS}) = ({}) WHERE id = $1 AND version = ${}",
            table_sql(row.table),
            places(args.len() - 1),
            args.len()
        );
        Ok(self.tx.execute(&sql, &args).await? == 1)
    }
}

fn conflict(row: &Row, current: i64) -> StoreError {
    StoreError::Conflict { table: row.table.name(), id: row.id, saw: row.version, current }
}

/// `$1, $2, …, $n`
pub(crate) fn places(n: usize) -> String {
    (1..=n).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn encode(row: &Row) -> Result<Vec<Val>, StoreError> {
    let id = |id: Option<Id>| -> Val { id.map(|i| i.to_string()).into() };
    let time = |t: Option<Timestamp>| -> Val { t.map_or(Val::Null, |t| t.0.into()) };
    Ok(vec![
        row.id.to_string().into(),
        row.kind.as_str().into(),
        row.name.as_str().into(),
        id(row.owner),
        row.status.as_str().into(),
        id(row.subject),
        id(row.object),
        row.subject_hash.clone().into(),
        time(row.starts_at),
        time(row.ends_at),
        canonical::to_string(&Json::Object(row.attributes.clone()))?.into(),
        row.schema_version.into(),
        row.version.into(),
        row.created_at.0.into(),
        row.updated_at.0.into(),
        row.updated_by.as_str().into(),
        row.reason.as_str().into(),
        row.request.as_str().into(),
        row.deleted.into(),
        row.salt.as_str().into(),
        personal::encode(row)?,
    ])
}

pub(crate) fn decode(table: Table, v: &[Val]) -> Result<Row, StoreError> {
    let id = |v: &Val| v.opt_text()?.map(parse_id).transpose();
    let time = |v: &Val| Ok::<_, StoreError>(v.opt_int()?.map(Timestamp));
    let attributes = serde_json::from_str(v[10].text()?)
        .map_err(|e| StoreError::Column(format!("attributes of {}: {e}", table.name())))?;
    Ok(Row {
        table,
        id: parse_id(v[0].text()?)?,
        kind: v[1].text()?.to_owned(),
        name: v[2].text()?.to_owned(),
        owner: id(&v[3])?,
        status: v[4].text()?.to_owned(),
        subject: id(&v[5])?,
        object: id(&v[6])?,
        subject_hash: v[7].opt_text()?.map(str::to_owned),
        starts_at: time(&v[8])?,
        ends_at: time(&v[9])?,
        attributes,
        schema_version: v[11].int()?,
        version: v[12].int()?,
        created_at: Timestamp(v[13].int()?),
        updated_at: Timestamp(v[14].int()?),
        updated_by: v[15].text()?.to_owned(),
        reason: v[16].text()?.to_owned(),
        request: v[17].text()?.to_owned(),
        deleted: v[18].int()? != 0,
        salt: v[19].text()?.to_owned(),
        personal: personal::decode(&v[20])?,
        written: None,
    })
}

/// Decodes only what [`encode`] would write: an edit that means the same is still an edit.
fn decode_exactly(table: Table, v: &[Val]) -> Result<Row, StoreError> {
    let row = decode(table, v)?;
    let lower_case_salt = hex::decode(&row.salt).is_ok_and(|salt| hex::encode(salt) == row.salt);
    if encode(&row)? != v || !lower_case_salt {
        return Err(StoreError::Column(format!(
            "{} {} is not as Ume writes it",
            table.name(),
            row.id
        )));
    }
    Ok(row)
}
