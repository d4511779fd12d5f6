//! Rows of feeds on disk: one SQLite file of their own, since they are too many for the registers, whatever database
//! these lie in.
//!
//! What a reader gives is staged first; it comes into force as a whole, and only what differs is changed, so that what
//! depends on it is told little. A row keeps its number as long as it stands.
//!
//! Invariants: numbers are never used again; whatever changes a row gives it the next mark, and what goes leaves its
//! number and mark behind until a publication has seen them.

mod kept;
mod marks;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use indicators::Kind;
use model::Id;
use room::Error;
use sqlx::{
    QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tokio::sync::Mutex;

use super::{Extent, settle::Balance};
use kept::KEPT;
pub use kept::{FeedRow, Group, Judged, Kept, KeptGroup};

const FILE: &str = "feeds.db";
const CONNECTIONS: u32 = 4;
/// Rows of one statement: times their columns below the 32,766 parameters of SQLite.
pub const BATCH: usize = 2_000;
/// Rows of all sources together.
const ROWS_MAX: u64 = 20_000_000;
/// Rows of one value that are shown.
const OF_VALUE_MAX: usize = 100;
/// How old a sighting gets before the next one is written: a list that says the same every hour changes nothing.
const SIGHTED_EVERY: i64 = 7 * 86_400_000_000;
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS row (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        grp TEXT NOT NULL,
        kind TEXT NOT NULL,
        scope TEXT NOT NULL,
        value TEXT NOT NULL,
        direction TEXT NOT NULL,
        ceiling TEXT NOT NULL,
        valid_from INTEGER,
        valid_until INTEGER,
        received INTEGER NOT NULL,
        sighted INTEGER,
        score INTEGER,
        revoked INTEGER NOT NULL,
        level TEXT NOT NULL,
        said_by TEXT NOT NULL,
        changed INTEGER NOT NULL,
        told INTEGER NOT NULL,
        in_set INTEGER NOT NULL DEFAULT 0,
        verdict TEXT,
        UNIQUE (source, grp, kind, scope, value)
    );
    CREATE INDEX IF NOT EXISTS row_changed ON row (changed);
    CREATE INDEX IF NOT EXISTS row_said_by ON row (source, said_by) WHERE said_by <> '';
    CREATE INDEX IF NOT EXISTS row_value ON row (value);
    CREATE INDEX IF NOT EXISTS row_told ON row (source) WHERE told = 0;
    CREATE INDEX IF NOT EXISTS row_verdict ON row (source, verdict) WHERE verdict IS NOT NULL;
    CREATE TABLE IF NOT EXISTS gone (id INTEGER PRIMARY KEY, changed INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS gone_changed ON gone (changed);
    CREATE TABLE IF NOT EXISTS staged (
        source TEXT NOT NULL,
        grp TEXT NOT NULL,
        kind TEXT NOT NULL,
        scope TEXT NOT NULL,
        value TEXT NOT NULL,
        direction TEXT NOT NULL,
        ceiling TEXT NOT NULL,
        valid_from INTEGER,
        valid_until INTEGER,
        sighted INTEGER,
        score INTEGER,
        revoked INTEGER NOT NULL,
        level TEXT NOT NULL,
        said_by TEXT NOT NULL,
        PRIMARY KEY (source, grp, kind, scope, value)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS revoked (source TEXT NOT NULL, said_by TEXT NOT NULL, PRIMARY KEY (source, said_by)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS grp (
        source TEXT NOT NULL,
        key TEXT NOT NULL,
        title TEXT NOT NULL,
        level TEXT NOT NULL,
        raw TEXT NOT NULL,
        stamp TEXT NOT NULL,
        next TEXT NOT NULL,
        PRIMARY KEY (source, key)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
";

/// All rows of this house.
#[derive(Clone)]
pub struct Feeds {
    pool: SqlitePool,
    writing: Arc<Mutex<()>>,
}

/// The rows of this process, opened at the first use.
#[derive(Default)]
pub struct Shelf(tokio::sync::OnceCell<Feeds>);

pub async fn feeds(house: &web::House) -> Result<Feeds, Error> {
    let shelf: Arc<Shelf> = house.kept.get();
    let folder = house.folder().join(intel::FOLDER);
    let open = || async {
        std::fs::create_dir_all(&folder)
            .map_err(|source| Error::Io { path: folder.clone(), source })?;
        Feeds::open(&folder.join(FILE)).await.map_err(Error::said)
    };
    shelf.0.get_or_try_init(open).await.cloned()
}

/// Rows that say these values, of the rows that lie in a folder; nothing is made there.
pub async fn of_values(
    folder: &Path,
    values: &BTreeSet<(Kind, String)>,
) -> Result<Vec<Kept>, sqlx::Error> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(std::time::Duration::from_secs(60));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let sql = format!("SELECT {KEPT} FROM row WHERE value = ? AND kind = ? LIMIT {OF_VALUE_MAX}");
    let mut all = Vec::new();
    for (kind, value) in values {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(value)
            .bind(kind.as_str())
            .fetch_all(&pool)
            .await?;
        all.extend(rows.iter().map(Kept::of));
    }
    pool.close().await;
    Ok(all)
}

impl Feeds {
    pub async fn open(path: &Path) -> Result<Feeds, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(std::time::Duration::from_secs(60));
        let pool =
            SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Feeds { pool, writing: Arc::default() })
    }

    /// Forgets what is staged of a source.
    pub async fn clear(&self, source: Id) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        for table in ["staged", "revoked"] {
            let sql = format!("DELETE FROM {table} WHERE source = ?");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(source.to_string())
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }

    /// Stages rows; of two that name the same value the later one holds.
    pub async fn stage(&self, source: Id, rows: &[FeedRow]) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let mut transaction = self.pool.begin().await?;
        let source = source.to_string();
        for batch in rows.chunks(BATCH) {
            let mut query = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO staged ");
            query.push_values(batch, |mut values, row| {
                values
                    .push_bind(&source)
                    .push_bind(&row.group)
                    .push_bind(row.key.kind().as_str())
                    .push_bind(row.key.scope().as_str())
                    .push_bind(row.key.text())
                    .push_bind(row.direction.as_str())
                    .push_bind(row.ceiling.as_str())
                    .push_bind(row.valid_from)
                    .push_bind(row.valid_until)
                    .push_bind(row.sighted)
                    .push_bind(row.score.map(i64::from))
                    .push_bind(i64::from(row.revoked))
                    .push_bind(row.level.as_str())
                    .push_bind(&row.said_by);
            });
            query.build().persistent(false).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Stages that a producer took something back.
    pub async fn stage_revoked(&self, source: Id, said_by: &str) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let sql = "INSERT OR REPLACE INTO revoked VALUES (?, ?)";
        sqlx::query(sql).bind(source.to_string()).bind(said_by).execute(&self.pool).await?;
        Ok(())
    }

    /// Names a group; its stamp counts once [`Feeds::told`] says that what came is entered.
    pub async fn put_group(&self, source: Id, group: &Group, raw: &str) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let sql = "INSERT INTO grp VALUES (?, ?, ?, ?, ?, '', ?) ON CONFLICT (source, key) DO UPDATE SET \
                   title = excluded.title, level = excluded.level, raw = excluded.raw, next = excluded.next";
        sqlx::query(sql)
            .bind(source.to_string())
            .bind(&group.key)
            .bind(&group.title)
            .bind(group.level.map_or("", |level| level.as_str()))
            .bind(raw)
            .bind(&group.stamp)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The stamps of groups that are entered.
    pub async fn stamps(&self, source: Id) -> Result<Vec<(String, String)>, sqlx::Error> {
        let sql = "SELECT key, stamp FROM grp WHERE source = ?";
        let rows = sqlx::query(sql).bind(source.to_string()).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Lets go of groups, and with the next delivery of their rows.
    pub async fn drop_groups(&self, source: Id, keys: &[String]) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let mut transaction = self.pool.begin().await?;
        let mark = next_mark(&mut transaction).await?;
        for key in keys {
            let source = source.to_string();
            let wanted = "source = ? AND grp = ?";
            gone(&mut transaction, wanted, &[&source, key], mark).await?;
            let sql = "DELETE FROM grp WHERE source = ? AND key = ?";
            sqlx::query(sql).bind(&source).bind(key).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Puts aside what is staged, until a person has spoken.
    pub async fn hold(&self, source: Id) -> Result<(), sqlx::Error> {
        self.unhold(source).await?;
        self.rename(&source.to_string(), &held(source)).await
    }

    /// Stages again what was put aside.
    pub async fn release(&self, source: Id) -> Result<(), sqlx::Error> {
        self.clear(source).await?;
        self.rename(&held(source), &source.to_string()).await
    }

    /// Forgets what was put aside.
    pub async fn unhold(&self, source: Id) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let sql = "DELETE FROM staged WHERE source = ?";
        sqlx::query(sql).bind(held(source)).execute(&self.pool).await?;
        Ok(())
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let sql = "UPDATE staged SET source = ? WHERE source = ?";
        sqlx::query(sql).bind(to).bind(from).execute(&self.pool).await?;
        Ok(())
    }

    /// How many rows stand, and how many are staged.
    pub async fn compare(&self, source: Id) -> Result<Balance, sqlx::Error> {
        let count = |table: &str| format!("SELECT COUNT(*) FROM {table} WHERE source = ?");
        let mut counts = [0u64; 2];
        for (place, table) in counts.iter_mut().zip(["row", "staged"]) {
            let sql = sqlx::AssertSqlSafe(count(table));
            let found: i64 =
                sqlx::query(sql).bind(source.to_string()).fetch_one(&self.pool).await?.get(0);
            *place = found.unsigned_abs();
        }
        Ok(Balance { had: counts[0], have: counts[1] })
    }

    /// Brings what is staged into force. Whoever judges rows is told of what differs; `told` says that no person is
    /// to judge it.
    pub async fn apply(
        &self,
        source: Id,
        extent: Extent,
        now: i64,
        told: bool,
    ) -> Result<u64, sqlx::Error> {
        let _writing = self.writing.lock().await;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let total: i64 =
            sqlx::query("SELECT COUNT(*) FROM row").fetch_one(&mut *transaction).await?.get(0);
        let mark = next_mark(&mut transaction).await?;
        let source = source.to_string();
        let absent = "source = ? AND NOT EXISTS (SELECT 1 FROM staged s WHERE s.source = row.source \
                      AND s.grp = row.grp AND s.kind = row.kind AND s.scope = row.scope \
                      AND s.value = row.value)";
        match extent {
            Extent::Part => {}
            Extent::Whole => gone(&mut transaction, absent, &[&source], mark).await?,
            Extent::Groups => {
                let wanted = format!(
                    "{absent} AND grp IN (SELECT key FROM grp g WHERE g.source = row.source \
                     AND g.next <> g.stamp)"
                );
                gone(&mut transaction, &wanted, &[&source], mark).await?;
            }
        }
        let staged: i64 = sqlx::query("SELECT COUNT(*) FROM staged WHERE source = ?")
            .bind(&source)
            .fetch_one(&mut *transaction)
            .await?
            .get(0);
        if total.unsigned_abs() + staged.unsigned_abs() > ROWS_MAX {
            return Err(sqlx::Error::Protocol(format!("more than {ROWS_MAX} rows of feeds")));
        }
        // The words of SQLite for what differs, its sighting left out.
        let other =
            ["direction", "ceiling", "valid_from", "valid_until", "score", "revoked", "level"]
                .map(|column| format!("row.{column} IS NOT excluded.{column}"))
                .join(" OR ");
        let sql = format!(
            "INSERT INTO row (source, grp, kind, scope, value, direction, ceiling, valid_from, \
             valid_until, received, sighted, score, revoked, level, said_by, changed, told) \
             SELECT source, grp, kind, scope, value, direction, ceiling, valid_from, valid_until, \
             ?2, sighted, score, revoked, level, said_by, ?3, ?4 FROM staged WHERE source = ?1 \
             ON CONFLICT (source, grp, kind, scope, value) DO UPDATE SET \
             direction = excluded.direction, ceiling = excluded.ceiling, \
             valid_from = excluded.valid_from, valid_until = excluded.valid_until, \
             sighted = MAX(COALESCE(excluded.sighted, row.sighted), COALESCE(row.sighted, excluded.sighted)), \
             score = excluded.score, revoked = excluded.revoked, level = excluded.level, \
             said_by = excluded.said_by, changed = excluded.changed, \
             told = CASE WHEN {other} THEN excluded.told ELSE row.told END \
             WHERE {other} OR excluded.sighted - COALESCE(row.sighted, row.received) > {SIGHTED_EVERY}"
        );
        let done = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(&source)
            .bind(now)
            .bind(mark)
            .bind(i64::from(told))
            .execute(&mut *transaction)
            .await?;
        let sql = "UPDATE row SET revoked = 1, changed = ? WHERE source = ? AND revoked = 0 \
                   AND said_by IN (SELECT said_by FROM revoked r WHERE r.source = row.source) \
                   AND said_by <> ''";
        sqlx::query(sql).bind(mark).bind(&source).execute(&mut *transaction).await?;
        for table in ["staged", "revoked"] {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE source = ?"));
            sqlx::query(sql).bind(&source).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Groups with rows that no person was told of yet, with how many.
    pub async fn untold(&self, source: Id, max: usize) -> Result<Vec<KeptGroup>, sqlx::Error> {
        let sql = "SELECT DISTINCT r.grp, COALESCE(g.title, ''), COALESCE(g.level, ''), \
                   COALESCE(g.raw, '') FROM row r LEFT JOIN grp g ON g.source = r.source \
                   AND g.key = r.grp WHERE r.source = ? AND r.told = 0 ORDER BY r.grp LIMIT ?";
        let rows = sqlx::query(sql)
            .bind(source.to_string())
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        let group = |row: &SqliteRow| KeptGroup {
            key: row.get(0),
            title: row.get(1),
            level: row.get(2),
            raw: row.get(3),
        };
        Ok(rows.iter().map(group).collect())
    }

    /// The rows of a group, those that no person was told of first.
    pub async fn of_group(
        &self,
        source: Id,
        group: &str,
        max: usize,
    ) -> Result<Vec<Kept>, sqlx::Error> {
        let sql =
            format!("SELECT {KEPT} FROM row WHERE source = ? AND grp = ? AND told = 0 LIMIT ?");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(source.to_string())
            .bind(group)
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(Kept::of).collect())
    }

    /// What came is entered: these rows are told of, and the stamps of groups count.
    pub async fn told(&self, source: Id, ids: &[i64]) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let mut transaction = self.pool.begin().await?;
        for ids in ids.chunks(BATCH) {
            let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
            let sql = format!("UPDATE row SET told = 1 WHERE id IN ({})", ids.join(","));
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false);
            query.execute(&mut *transaction).await?;
        }
        sqlx::query("UPDATE grp SET stamp = next WHERE source = ? AND stamp <> next")
            .bind(source.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    pub async fn count(&self, source: Id) -> Result<u64, sqlx::Error> {
        let sql = "SELECT COUNT(*) FROM row WHERE source = ?";
        let count: i64 =
            sqlx::query(sql).bind(source.to_string()).fetch_one(&self.pool).await?.get(0);
        Ok(count.unsigned_abs())
    }

    /// Lets go of all rows of a source.
    pub async fn remove(&self, source: &str) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let mut transaction = self.pool.begin().await?;
        let mark = next_mark(&mut transaction).await?;
        gone(&mut transaction, "source = ?", &[source], mark).await?;
        for table in ["staged", "revoked", "grp"] {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE source = ?"));
            sqlx::query(sql).bind(source).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// The sources that have rows.
    pub async fn sources(&self) -> Result<Vec<String>, sqlx::Error> {
        // Each step leaps over the rows of one source.
        let sql = "WITH RECURSIVE s(source) AS (SELECT MIN(source) FROM row UNION ALL \
                   SELECT (SELECT MIN(source) FROM row WHERE source > s.source) FROM s \
                   WHERE s.source IS NOT NULL) SELECT source FROM s WHERE source IS NOT NULL";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// What staged rows of a source that are held are called.
fn held(source: Id) -> String {
    format!("held:{source}")
}

async fn next_mark(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let sql = "INSERT INTO mark VALUES ('changed', 1) ON CONFLICT (name) \
               DO UPDATE SET value = value + 1 RETURNING value";
    Ok(sqlx::query(sql).fetch_one(connection).await?.get(0))
}

/// Removes rows; those that are in the set leave their number.
async fn gone(
    connection: &mut SqliteConnection,
    wanted: &str,
    args: &[&str],
    mark: i64,
) -> Result<(), sqlx::Error> {
    let keep = format!("INSERT INTO gone SELECT id, {mark} FROM row WHERE in_set = 1 AND {wanted}");
    let remove = format!("DELETE FROM row WHERE {wanted}");
    for sql in [keep, remove] {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for arg in args {
            query = query.bind((*arg).to_owned());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
