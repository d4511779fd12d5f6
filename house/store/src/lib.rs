//! The eleven subject tables with history, on SQLite (default) and PostgreSQL.
//!
//! Invariants:
//! - every change of a row keeps its old version with who, when and why, and puts a leaf for the
//!   ledger into the outbox in the same transaction; there is no other way to write a subject table;
//! - a save names the version it saw; a stale save is refused, never overwrites;
//! - values are always bound; table names come from an enum;
//! - the clock is given at opening, so that tests and the demonstration own time.

mod db;
mod notices;
mod people;
mod records;
mod rows;
mod tasks;
mod transfer;

use std::{path::Path, sync::Arc};

use model::{Id, Timestamp};

pub use db::{Db, Tx, Val};
pub use notices::{Notice, NoticeState, Preference, QueueState, Reader};
pub use people::{Account, Session};
pub use records::{Record, RecordDraft, StoredRecord, record_leaf};
pub use rows::{Filter, Row, Version, Write, row_leaf};
pub use transfer::{Moved, TableSum, compare, known_tables, sqlite_path, table_sums, transfer};

/// Gives the current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Why the store refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    #[error("column does not hold what it should: {0}")]
    Column(String),
    #[error(
        "{table} {id} was changed by someone else: version {saw} is no longer current ({current} is)"
    )]
    Conflict { table: &'static str, id: Id, saw: i64, current: i64 },
    #[error("{table} {id} does not exist")]
    Absent { table: &'static str, id: Id },
    #[error("{0}")]
    Canonical(#[from] model::canonical::CanonicalError),
    #[error(
        "the data folder was written by a newer Ume (schema {found}, this build knows {known})"
    )]
    Newer { found: i64, known: i64 },
    #[error("no randomness from the operating system")]
    Random,
    #[error("{0} rows at once is more than the limit of {1}")]
    TooMany(usize, usize),
    #[error("NUL (U+0000) is not allowed in a text: {0:?}")]
    Nul(String),
    #[error("a name of {0} bytes is longer than the limit of {1}")]
    LongName(usize, usize),
    #[error(
        "the leaf of {0} has {1} bytes, the ledger takes at most {2}: move bulky content to the payload"
    )]
    LargeLeaf(String, usize, usize),
    #[error("not an address of a database: write sqlite:PATH or postgres://…")]
    Address,
    #[error("the target already holds rows (table {0}): move into an empty database")]
    NotEmpty(&'static str),
    #[error("table {0} came out different from what went in; nothing was moved")]
    Differs(&'static str),
    #[error(
        "the two databases have different schemas: start this version of Ume once on the older one"
    )]
    Migrations,
}

/// The store.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
}

struct Migration {
    number: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        sqlite: include_str!("../migrations/sqlite/0001_house.sql"),
        postgres: include_str!("../migrations/postgres/0001_house.sql"),
    },
    Migration {
        number: 7,
        sqlite: include_str!("../migrations/sqlite/0007_notices.sql"),
        postgres: include_str!("../migrations/postgres/0007_notices.sql"),
    },
];

/// The system clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| d.as_micros() as i64))
    })
}

impl Store {
    /// Opens `ume.db` in the data folder, creating and migrating it.
    pub async fn open(folder: &Path, clock: Clock) -> Result<Store, StoreError> {
        let store = Store { db: Db::sqlite(&folder.join("ume.db"), false).await?, clock };
        store.migrate().await?;
        Ok(store)
    }

    /// Opens `ume.db` in the data folder for reading only.
    pub async fn open_read_only(folder: &Path, clock: Clock) -> Result<Store, StoreError> {
        let store = Store { db: Db::sqlite(&folder.join("ume.db"), true).await?, clock };
        store.check_version().await?;
        Ok(store)
    }

    /// Connects to PostgreSQL and migrates it.
    pub async fn connect(url: &str, clock: Clock) -> Result<Store, StoreError> {
        let store = Store { db: Db::postgres(url).await?, clock };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        self.db
            .batch("CREATE TABLE IF NOT EXISTS migration (number BIGINT NOT NULL PRIMARY KEY)")
            .await?;
        let done = self.check_version().await?;
        for migration in MIGRATIONS.iter().filter(|m| m.number > done) {
            let sql = if self.db.is_sqlite() { migration.sqlite } else { migration.postgres };
            let number = migration.number;
            self.db
                .batch(&format!("{sql}\nINSERT INTO migration (number) VALUES ({number});"))
                .await?;
            tracing::info!(number, "migrated the database");
        }
        Ok(())
    }

    async fn check_version(&self) -> Result<i64, StoreError> {
        let rows = self.db.fetch("SELECT COALESCE(MAX(number), 0) FROM migration", &[]).await?;
        let found = rows[0][0].int()?;
        let known = MIGRATIONS.last().map_or(0, |m| m.number);
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        Ok(found)
    }

    /// The database below.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Now, by the store's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A new id.
    pub fn new_id(&self) -> Result<Id, StoreError> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|_| StoreError::Random)?;
        Ok(Id::from_parts(self.now(), &random))
    }

    /// Reads a setting of the house.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows =
            self.db.fetch("SELECT value FROM setting WHERE name = $1", &[name.into()]).await?;
        rows.first().map(|r| r[0].text().map(str::to_owned)).transpose()
    }

    /// Writes a setting of the house.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        tx.execute(sql, &[name.into(), value.into()]).await?;
        tx.commit().await
    }
}

pub(crate) fn random_hex<const N: usize>() -> Result<String, StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
    Ok(hex::encode(bytes))
}

pub(crate) fn parse_id(text: &str) -> Result<Id, StoreError> {
    text.parse().map_err(|_| StoreError::Column(format!("{text:?} is no id")))
}
