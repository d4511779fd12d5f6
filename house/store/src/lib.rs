//! The eleven subject tables with history, on SQLite (default) and PostgreSQL.
//!
//! Invariants:
//! - every change of a row keeps its old version with who, when and why, and puts a leaf for the
//!   ledger into the outbox in the same transaction; there is no other way to write a subject table;
//! - a save names the version it saw; a stale save is refused, never overwrites;
//! - values are always bound; table names come from an enum;
//! - the clock is given at opening, so that tests and the demonstration own time.

mod about;
mod accounts;
mod api;
mod changes;
mod db;
mod keys;
mod meter;
mod notices;
mod payload;
mod people;
mod personal;
mod records;
mod rows;
mod shred;
mod tally;
mod tasks;
mod transfer;

use std::{collections::HashMap, path::Path, sync::Arc};

use model::{Id, Timestamp};

pub use about::End;
pub use accounts::{AccountChange, LiveSession, OidcFlow, PasskeyRow};
pub use api::{ApiToken, Once, RecordFilter};
pub use changes::{Change, Changes};
pub use db::{Db, Tx, Val};
pub use keys::{KeyFault, Keys};
pub use meter::Meter;
pub use notices::{Notice, NoticeState, Preference, QueueState, Reader};
pub use payload::PAYLOAD_BYTES_MAX;
pub use people::{Account, Session};
pub use records::{Record, RecordDraft, StoredRecord, record_leaf};
pub use rows::{Filter, Row, Version, Write, row_leaf};
pub use shred::{SHREDDED, Shredding};
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
    #[error("this is the last enabled officer: make someone else officer first")]
    LastOfficer,
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
    #[error("{path}: {source}")]
    Io { path: std::path::PathBuf, source: std::io::Error },
    #[error("{0}: {1}: restore the file from a backup")]
    Keys(std::path::PathBuf, String),
    #[error("no folder for keys: payloads are stored sealed only, give the store one (with_keys)")]
    NoKeys,
    #[error("the payload has {0} bytes, more than the limit of {1}")]
    LargePayload(usize, usize),
    #[error("{0} cannot be shredded: {1}")]
    Unshreddable(String, &'static str),
    #[error(
        "the shredded is gone from the tables, but others still read the database: {0}. Run the command again when they have ended"
    )]
    Scrub(&'static str),
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

impl StoreError {
    /// Whether the database could not be reached, so that a later try may work.
    pub fn is_away(&self) -> bool {
        use sqlx::Error::{Io, PoolTimedOut};
        matches!(self, StoreError::Database(PoolTimedOut | Io(_)))
    }
}

/// The store.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
    notices: changes::Notices,
    keys: Option<Keys>,
    personal: Arc<HashMap<(&'static str, String), Vec<String>>>,
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
        number: 2,
        sqlite: include_str!("../migrations/sqlite/0002_api.sql"),
        postgres: include_str!("../migrations/postgres/0002_api.sql"),
    },
    Migration {
        number: 3,
        sqlite: include_str!("../migrations/sqlite/0003_people.sql"),
        postgres: include_str!("../migrations/postgres/0003_people.sql"),
    },
    Migration {
        number: 4,
        sqlite: include_str!("../migrations/sqlite/0004_shred.sql"),
        postgres: include_str!("../migrations/postgres/0004_shred.sql"),
    },
    Migration {
        number: 7,
        sqlite: include_str!("../migrations/sqlite/0007_notices.sql"),
        postgres: include_str!("../migrations/postgres/0007_notices.sql"),
    },
    Migration {
        number: 8,
        sqlite: include_str!("../migrations/sqlite/0008_evaluation.sql"),
        postgres: include_str!("../migrations/postgres/0008_evaluation.sql"),
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
        let keys = Some(Keys::new(&folder.join("keys")));
        let store = Store::over(Db::sqlite(&folder.join("ume.db"), false).await?, clock, keys);
        store.migrate().await?;
        store.settle_keys().await?;
        Ok(store)
    }

    /// Opens `ume.db` in the data folder for reading only.
    pub async fn open_read_only(folder: &Path, clock: Clock) -> Result<Store, StoreError> {
        let keys = Some(Keys::new(&folder.join("keys")));
        let store = Store::over(Db::sqlite(&folder.join("ume.db"), true).await?, clock, keys);
        store.check_version().await?;
        Ok(store)
    }

    /// Connects to PostgreSQL and migrates it. It takes payloads only [`Store::with_keys`].
    pub async fn connect(url: &str, clock: Clock) -> Result<Store, StoreError> {
        let store = Store::over(Db::postgres(url).await?, clock, None);
        store.migrate().await?;
        Ok(store)
    }

    pub(crate) fn over(db: Db, clock: Clock, keys: Option<Keys>) -> Store {
        let notices = changes::Notices::default();
        Store { db, clock, notices, keys, personal: Arc::default() }
    }

    /// Keeps salts and keys of payloads in `DIR/keys` of this data folder, whatever the database.
    pub async fn with_keys(mut self, folder: &Path) -> Result<Store, StoreError> {
        self.keys = Some(Keys::new(&folder.join("keys")));
        self.settle_keys().await?;
        Ok(self)
    }

    /// Names the personal fields of kinds as JSON pointers into the row (`/name`,
    /// `/attributes/mail`). Versions saved from now on commit to each of them separately.
    pub fn with_personal(
        mut self,
        kinds: impl IntoIterator<Item = (model::Table, String, Vec<String>)>,
    ) -> Store {
        self.personal =
            Arc::new(kinds.into_iter().map(|(table, kind, p)| ((table.name(), kind), p)).collect());
        self
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

    /// What this process committed since the last call.
    pub fn take_changes(&self) -> Changes {
        self.notices.take()
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

    /// Settings whose names start with the prefix, as `(name, value)`.
    pub async fn settings(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT name, value FROM setting WHERE substr(name, 1, $2) = $1 ORDER BY name";
        let length = prefix.chars().count() as i64;
        let rows = self.db.fetch(sql, &[prefix.into(), length.into()]).await?;
        rows.iter().map(|r| Ok((r[0].text()?.to_owned(), r[1].text()?.to_owned()))).collect()
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
