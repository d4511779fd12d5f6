//! Objects of collections on disk: one SQLite file of their own, since they are too many and too large for the
//! registers, whatever database these lie in.
//!
//! Invariants: `date_added` rises strictly within a collection, whatever the clock does; what one request posts is
//! stored as a whole or not at all, with its status; of each object exactly one row is the last.
//!
//! The functions of [`Storage`] wait for the database and are called on threads that may.

use std::path::Path;

use indicators::{
    stix::time,
    taxii::{Collection, Entry, Filter, Outcome, Page, Status, Storage, Versions, Window},
};
use serde_json::Value as Json;
use sqlx::{
    QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::runtime::Handle;

const CONNECTIONS: u32 = 4;
/// Objects of a collection that a peer writes into: a peer fills its own and no disk.
const OBJECTS_MAX: u64 = 1_000_000;
/// How long a status is kept, in microseconds.
const STATUS_KEPT: i64 = 48 * 3_600 * 1_000_000;
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS object (
        collection TEXT NOT NULL,
        date_added INTEGER NOT NULL,
        id TEXT NOT NULL,
        type TEXT NOT NULL,
        version INTEGER NOT NULL,
        spec_version TEXT NOT NULL,
        is_last INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (collection, date_added)
    );
    CREATE INDEX IF NOT EXISTS object_id ON object (collection, id, spec_version, version);
    CREATE INDEX IF NOT EXISTS object_last ON object (collection, date_added) WHERE is_last = 1;
    CREATE TABLE IF NOT EXISTS status (
        root TEXT NOT NULL,
        id TEXT NOT NULL,
        poster TEXT NOT NULL,
        at INTEGER NOT NULL,
        outcomes TEXT NOT NULL,
        PRIMARY KEY (root, id)
    );
    CREATE INDEX IF NOT EXISTS status_at ON status (at);
";

/// All collections of this house.
#[derive(Clone)]
pub struct Objects {
    pool: SqlitePool,
}

impl Objects {
    pub async fn open(path: &Path) -> Result<Objects, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(10));
        let pool =
            SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Objects { pool })
    }

    /// Entries of a collection in the order they were added, all versions.
    pub async fn after(
        &self,
        collection: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Entry>, sqlx::Error> {
        let filter = Filter { versions: Versions::All, ..Filter::default() };
        let window = Window { filter: &filter, after: Some(after), limit };
        Ok(self.page_of(collection, &window).await?.entries)
    }

    /// How many objects a collection holds, each counted once.
    pub async fn count(&self, collection: &str) -> Result<u64, sqlx::Error> {
        let sql = "SELECT COUNT(*) FROM object WHERE collection = ? AND is_last = 1";
        let count: i64 = sqlx::query(sql).bind(collection).fetch_one(&self.pool).await?.get(0);
        Ok(count.unsigned_abs())
    }

    /// Whether this version of an object is there.
    pub async fn knows(&self, collection: &str, entry: &Entry) -> Result<bool, sqlx::Error> {
        let sql = "SELECT 1 FROM object WHERE collection = ? AND id = ? AND version = ? LIMIT 1";
        let query = sqlx::query(sql).bind(collection).bind(&entry.id).bind(entry.version);
        Ok(query.fetch_optional(&self.pool).await?.is_some())
    }

    async fn page_of(&self, collection: &str, window: &Window<'_>) -> Result<Page, sqlx::Error> {
        let limit = i64::try_from(window.limit).unwrap_or(i64::MAX - 1);
        let mut query =
            QueryBuilder::new("SELECT date_added, id, version, spec_version, bytes FROM object o");
        wanted(&mut query, collection, window.filter);
        if let Some(after) = window.after {
            query.push(" AND o.date_added > ").push_bind(after);
        }
        query.push(" ORDER BY o.date_added LIMIT ").push_bind(limit + 1);
        let rows = query.build().fetch_all(&self.pool).await?;
        let more = rows.len() > window.limit;
        let entry = |row: &sqlx::sqlite::SqliteRow| Entry {
            date_added: row.get(0),
            id: row.get(1),
            version: row.get(2),
            spec_version: row.get(3),
            bytes: row.get(4),
        };
        Ok(Page { entries: rows.iter().take(window.limit).map(entry).collect(), more })
    }

    /// Stores objects in one transaction.
    pub async fn add_all(
        &self,
        collection: &str,
        objects: Vec<Entry>,
        now: i64,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        // What is read here decides what is written: nobody else writes in between.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "SELECT MAX(date_added) FROM object WHERE collection = ?";
        let last: Option<i64> =
            sqlx::query(sql).bind(collection).fetch_one(&mut *transaction).await?.get(0);
        let mut last = last.unwrap_or(i64::MIN);
        let mut outcomes = Vec::with_capacity(objects.len());
        for entry in objects {
            let added = add(&mut transaction, collection, entry, now.max(last.saturating_add(1)));
            let (outcome, date_added) = added.await?;
            last = date_added.unwrap_or(last);
            outcomes.push(outcome);
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    async fn remove(&self, collection: &str, filter: &Filter) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut query = QueryBuilder::new("SELECT o.id, o.date_added FROM object o");
        wanted(&mut query, collection, filter);
        let rows = query.build().fetch_all(&mut *transaction).await?;
        for row in &rows {
            let (id, date_added): (String, i64) = (row.get(0), row.get(1));
            let sql = "DELETE FROM object WHERE collection = ? AND date_added = ?";
            sqlx::query(sql).bind(collection).bind(date_added).execute(&mut *transaction).await?;
            mark_last(&mut transaction, collection, &id).await?;
        }
        transaction.commit().await
    }

    async fn write_status(&self, root: &str, status: &Status) -> Result<(), sqlx::Error> {
        let outcomes: Vec<[Option<&str>; 3]> = status
            .outcomes
            .iter()
            .map(|o| [Some(o.id.as_str()), Some(o.version.as_str()), o.failure.as_deref()])
            .collect();
        let mut transaction = self.pool.begin().await?;
        let old = status.at.saturating_sub(STATUS_KEPT);
        sqlx::query("DELETE FROM status WHERE at < ?").bind(old).execute(&mut *transaction).await?;
        sqlx::query("INSERT OR REPLACE INTO status VALUES (?, ?, ?, ?, ?)")
            .bind(root)
            .bind(&status.id)
            .bind(&status.poster)
            .bind(status.at)
            .bind(serde_json::json!(outcomes).to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    async fn read_status(&self, root: &str, id: &str) -> Result<Option<Status>, sqlx::Error> {
        let sql = "SELECT poster, at, outcomes FROM status WHERE root = ? AND id = ?";
        let row = sqlx::query(sql).bind(root).bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| {
            let outcomes: Vec<[Option<String>; 3]> =
                serde_json::from_str(row.get::<&str, _>(2)).unwrap_or_default();
            let outcome = |[id, version, failure]: [Option<String>; 3]| Outcome {
                id: id.unwrap_or_default(),
                version: version.unwrap_or_default(),
                failure,
            };
            Status {
                id: id.to_owned(),
                poster: row.get(0),
                at: row.get(1),
                outcomes: outcomes.into_iter().map(outcome).collect(),
            }
        }))
    }
}

/// One object; the moment it was added at, if it was.
async fn add(
    connection: &mut SqliteConnection,
    collection: &str,
    mut entry: Entry,
    date_added: i64,
) -> Result<(Outcome, Option<i64>), sqlx::Error> {
    let versioned = entry.version != i64::MIN;
    let mut query =
        QueryBuilder::<Sqlite>::new("SELECT version, bytes FROM object WHERE collection = ");
    query.push_bind(collection).push(" AND id = ").push_bind(&entry.id);
    if versioned {
        query.push(" AND version = ").push_bind(entry.version);
        query.push(" AND spec_version = ").push_bind(&entry.spec_version);
    }
    // With the `+` the rows of the id are sorted; else the whole collection would be gone through in order.
    query.push(" ORDER BY +date_added LIMIT 1");
    let known = query.build().fetch_optional(&mut *connection).await?;
    if let Some(known) = known {
        let (version, bytes): (i64, Vec<u8>) = (known.get(0), known.get(1));
        let failure = (!same(&bytes, &entry.bytes))
            .then(|| "this version is here with other content".to_owned());
        let version = time::print_millis(version);
        return Ok((Outcome { id: entry.id, version, failure }, None));
    }
    if !versioned {
        entry.version = date_added;
    }
    let ty = entry.id.split("--").next().unwrap_or_default().to_owned();
    // Of most objects there is one version: then no other has to be looked at.
    let sql = "INSERT INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
               NOT EXISTS (SELECT 1 FROM object WHERE collection = ?1 AND id = ?3), ?7) \
               RETURNING is_last";
    let is_only: bool = sqlx::query(sql)
        .bind(collection)
        .bind(date_added)
        .bind(&entry.id)
        .bind(ty)
        .bind(entry.version)
        .bind(&entry.spec_version)
        .bind(&entry.bytes)
        .fetch_one(&mut *connection)
        .await?
        .get(0);
    if !is_only {
        mark_last(connection, collection, &entry.id).await?;
    }
    let version = time::print_millis(entry.version);
    Ok((Outcome { id: entry.id, version, failure: None }, Some(date_added)))
}

/// The newest version of the newest edition of STIX is the last.
async fn mark_last(
    connection: &mut SqliteConnection,
    collection: &str,
    id: &str,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE object SET is_last = (date_added = (SELECT date_added FROM object e \
               WHERE e.collection = object.collection AND e.id = object.id \
               ORDER BY spec_version DESC, version DESC, date_added DESC LIMIT 1)) \
               WHERE collection = ? AND id = ?";
    sqlx::query(sql).bind(collection).bind(id).execute(connection).await?;
    Ok(())
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one == other || {
        let read = |bytes: &[u8]| serde_json::from_slice::<Json>(bytes).ok();
        read(one) == read(other)
    }
}

fn list(query: &mut QueryBuilder<Sqlite>, column: &str, values: &[String]) {
    if values.is_empty() {
        return;
    }
    query.push(format!(" AND {column} IN ("));
    let mut separated = query.separated(", ");
    for value in values {
        separated.push_bind(value.clone());
    }
    query.push(")");
}

/// The condition of a filter over rows `o`.
fn wanted(query: &mut QueryBuilder<Sqlite>, collection: &str, filter: &Filter) {
    // A few objects are found by their ids, not by going through the collection in order.
    if !filter.ids.is_empty() {
        query.push(" INDEXED BY object_id");
    }
    query.push(" WHERE o.collection = ").push_bind(collection.to_owned());
    list(query, "o.id", &filter.ids);
    list(query, "o.type", &filter.types);
    let editions = &filter.spec_versions;
    list(query, "o.spec_version", editions);
    let Versions::Some { first, last, at } = &filter.versions else {
        return newest_edition(query, editions);
    };
    if (*first, *last, at.is_empty(), editions.is_empty()) == (false, true, true, true) {
        query.push(" AND o.is_last = 1");
        return;
    }
    newest_edition(query, editions);
    query.push(" AND (0");
    for (is_wanted, extreme) in [(*first, "MIN"), (*last, "MAX")] {
        if is_wanted {
            query.push(format!(
                " OR o.version = (SELECT {extreme}(e.version) FROM object e \
                 WHERE e.collection = o.collection AND e.id = o.id"
            ));
            match editions.is_empty() {
                true => drop(query.push(" AND e.spec_version = o.spec_version")),
                false => list(query, "e.spec_version", editions),
            }
            query.push(")");
        }
    }
    for version in at {
        query.push(" OR o.version = ").push_bind(*version);
    }
    query.push(")");
}

/// Without a wish for an edition of STIX an object is shown in its newest.
fn newest_edition(query: &mut QueryBuilder<Sqlite>, editions: &[String]) {
    if editions.is_empty() {
        query.push(
            " AND o.spec_version = (SELECT MAX(e.spec_version) FROM object e \
             WHERE e.collection = o.collection AND e.id = o.id)",
        );
    }
}

/// Collections as one client sees them, over the objects of all.
pub struct Desk {
    pub objects: Objects,
    pub collections: Vec<Collection>,
    pub runtime: Handle,
}

impl Storage for Desk {
    type Error = sqlx::Error;

    fn collections(&self, _root: &str, _who: &str) -> Result<Vec<Collection>, sqlx::Error> {
        Ok(self.collections.clone())
    }

    fn page(&self, collection: &str, window: &Window<'_>) -> Result<Page, sqlx::Error> {
        self.runtime.block_on(self.objects.page_of(collection, window))
    }

    fn has(&self, collection: &str, id: &str) -> Result<bool, sqlx::Error> {
        let sql = "SELECT 1 FROM object WHERE collection = ? AND id = ? LIMIT 1";
        let query = sqlx::query(sql).bind(collection).bind(id);
        Ok(self.runtime.block_on(query.fetch_optional(&self.objects.pool))?.is_some())
    }

    fn add(
        &mut self,
        collection: &str,
        objects: Vec<Entry>,
        now: i64,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        self.runtime.block_on(async {
            if self.objects.count(collection).await? >= OBJECTS_MAX {
                let what = format!("the collection holds {OBJECTS_MAX} objects, and takes no more");
                return Err(sqlx::Error::Protocol(what));
            }
            self.objects.add_all(collection, objects, now).await
        })
    }

    fn delete(&mut self, collection: &str, filter: &Filter) -> Result<(), sqlx::Error> {
        self.runtime.block_on(self.objects.remove(collection, filter))
    }

    fn keep_status(&mut self, root: &str, status: Status) -> Result<(), sqlx::Error> {
        self.runtime.block_on(self.objects.write_status(root, &status))
    }

    fn status(&self, root: &str, id: &str) -> Result<Option<Status>, sqlx::Error> {
        self.runtime.block_on(self.objects.read_status(root, id))
    }
}

#[cfg(test)]
mod tests {
    use indicators::taxii::Memory;

    use super::*;

    fn entry(id: &str, version: i64, spec: &str, text: &str) -> Entry {
        let bytes = format!("{{\"id\":\"{id}\",\"v\":{version},\"x\":\"{text}\"}}").into_bytes();
        Entry { date_added: 0, id: id.into(), version, spec_version: spec.into(), bytes }
    }

    fn some(first: bool, last: bool, at: &[i64]) -> Versions {
        Versions::Some { first, last, at: at.to_vec() }
    }

    /// The plainest storage there is says what this one has to say.
    #[test]
    fn it_answers_as_the_model_does_over_restarts_and_a_clock_that_steps_back() {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("objects.db");
        let open = || runtime.block_on(Objects::open(&path)).expect("objects");
        let desk =
            |objects| Desk { objects, collections: Vec::new(), runtime: runtime.handle().clone() };
        let (mut ours, mut model) = (desk(open()), Memory::default());
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut now = 1_000_000_i64;
        for round in 0..120 {
            now += [5, 1, 0, -30][random(4) as usize];
            let objects: Vec<Entry> = (0..=random(4))
                .map(|_| {
                    let id =
                        format!("{}--{}", ["indicator", "malware"][random(2) as usize], random(6));
                    let version = if random(9) == 0 { i64::MIN } else { 1_000 * random(4) as i64 };
                    let spec = ["2.0", "2.1"][random(2) as usize];
                    entry(&id, version, spec, ["a", "b"][random(2) as usize])
                })
                .collect();
            let mine = ours.add("c", objects.clone(), now).expect("added");
            assert_eq!(Ok(mine), model.add("c", objects, now), "round {round}");
            if random(12) == 0 {
                let filter = Filter {
                    ids: vec![format!("indicator--{}", random(6))],
                    versions: [Versions::All, some(true, false, &[])][random(2) as usize].clone(),
                    ..Filter::default()
                };
                ours.delete("c", &filter).expect("deleted");
                assert_eq!(model.delete("c", &filter), Ok(()));
            }
            let versions = [
                some(false, true, &[]),
                some(true, false, &[]),
                some(true, true, &[2_000]),
                some(false, false, &[1_000, 3_000]),
                Versions::All,
            ];
            let filter = Filter {
                ids: if random(3) == 0 { vec![format!("malware--{}", random(6))] } else { vec![] },
                types: if random(3) == 0 { vec!["indicator".into()] } else { vec![] },
                spec_versions: if random(3) == 0 { vec!["2.0".into()] } else { vec![] },
                versions: versions[random(5) as usize].clone(),
            };
            let after = [None, Some(now - 20)][random(2) as usize];
            let window = Window { filter: &filter, after, limit: 1 + random(5) as usize };
            let mine = ours.page("c", &window).expect("page");
            assert_eq!(Ok(mine), model.page("c", &window), "round {round}: {filter:?}");
            if round % 40 == 39 {
                ours = desk(open());
            }
        }
    }

    #[test]
    fn a_status_is_kept_for_its_poster_and_two_days() {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let folder = tempfile::tempdir().expect("folder");
        let objects = runtime.block_on(Objects::open(&folder.path().join("o.db"))).expect("open");
        let mut desk = Desk { objects, collections: Vec::new(), runtime: runtime.handle().clone() };
        let outcome = Outcome { id: "a".into(), version: "v".into(), failure: Some("no".into()) };
        let status = |id: &str, at| Status {
            id: id.into(),
            poster: "peer".into(),
            at,
            outcomes: vec![outcome.clone()],
        };
        desk.keep_status("ume", status("one", 0)).expect("kept");
        assert_eq!(desk.status("ume", "one").expect("read"), Some(status("one", 0)));
        desk.keep_status("ume", status("two", STATUS_KEPT + 1)).expect("kept");
        assert_eq!(desk.status("ume", "one").expect("read"), None);
    }
}
