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
mod agents;
mod api;
mod blob_read;
mod blob_settle;
mod blobs;
mod changes;
mod db;
mod derived;
mod file_name;
mod imports;
mod index;
mod jobs;
mod keys;
mod list;
mod lock;
mod meter;
mod notices;
mod payload;
mod people;
mod personal;
mod records;
mod rows;
mod sealed;
mod secret;
mod shred;
mod sign;
mod tally;
mod tasks;
mod transfer;
mod upcast;
mod upload;
#[cfg(test)]
mod upload_crash;
mod view;
mod within;
mod words;

use std::{collections::HashMap, path::Path, sync::Arc};

use model::{Id, Timestamp};

pub use about::End;
pub use accounts::{AccountChange, LiveSession, OidcFlow, PasskeyRow};
pub use agents::{Agent, EnrolError, Enrolment};
pub use api::{ApiToken, Once, RecordFilter};
pub use blob_read::{BlobReader, Opening};
pub use blobs::{Blob, BlobState, FILE_BYTES_MAX, FileFields, is_file_name, is_sha256};
pub use changes::{Change, Changes};
pub use db::{Db, Tx, Val};
pub use derived::derived_id;
pub use file_name::{FILE_NAME_BYTES_MAX, clean_name};
pub use imports::{ImportDraft, ImportMapping};
pub use index::{CHANGED, ENDS, Key, STATUS};
pub use jobs::JobRow;
pub use keys::{KeyFault, Keys};
pub use list::{By, CONDITIONS_MAX, Condition, Filter, Order, Reach, Test};
pub use lock::WriterLock;
pub use meter::Meter;
pub use notices::{Notice, NoticeState, Preference, QueueState, Reader};
pub use payload::{PAYLOAD_BYTES_MAX, PayloadOpening};
pub use people::{Account, Session};
pub use personal::RowOpening;
pub use records::{Record, RecordDraft, StoredRecord, record_leaf};
pub use rows::{PAGE_ROWS_MAX, Row, Version, Write, row_leaf};
pub use secret::SECRET_SETTINGS;
pub use shred::{SHREDDED, Shredding};
pub use transfer::{Moved, TableSum, compare, known_tables, sqlite_path, table_sums, transfer};
pub use upcast::{Upcast, Upcasts};
pub use upload::Upload;
pub use view::View;
pub use within::{Bounds, Place, Sight, Within};

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
        "the data were written by a newer Ume (schema {found}, this build knows {known}): start that version, or restore a backup made by this one"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "{path}: {source}; the copy kept before a migration could not be made, nothing was migrated"
    )]
    Copy { path: std::path::PathBuf, source: std::io::Error },
    #[error(
        "the database was written by an older Ume, migrations {missing:?} are not done: start `ume serve` once, or run a command that writes; either brings it up to date"
    )]
    Older { missing: Vec<i64> },
    #[error("{0} is personal: this reader neither sorts by it nor asks for it")]
    Hidden(String),
    #[error("{table} {id} lies beyond what this account may write")]
    OutOfReach { table: &'static str, id: Id },
    #[error(
        "{field} of {id} is not lowered without a signed decision of another person about the row as it is"
    )]
    Loosened { field: &'static str, id: Id },
    #[error("records of type {0} are written by Ume alone, or by its agents")]
    NotTheirs(&'static str),
    #[error("an approval of {0} is asked for already")]
    AskedAlready(Id),
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
    #[error("setting {0} is sealed under a key that is not in keys/epoch: enter it again")]
    SealedSetting(String),
    #[error("no folder for keys: payloads are stored sealed only, give the store one (with_keys)")]
    NoKeys,
    #[error(
        "{0}: piece {1} was changed, moved or does not belong to this file: run `ume ledger verify`"
    )]
    SealedFile(std::path::PathBuf, u64),
    #[error("no folder for files: give the store one (with_keys)")]
    NoFiles,
    #[error("a file has at most {0} bytes")]
    LargeFile(u64),
    #[error("{name} is not what its name says: the content is {found}")]
    FileType { name: String, found: &'static str },
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

/// SQLSTATE of a server that goes away, comes up, or takes no more connections.
const AWAY: [&str; 4] = ["57P01", "57P02", "57P03", "53300"];
/// SQLITE_FULL, and disk_full of PostgreSQL.
const FULL: [&str; 2] = ["13", "53100"];

impl StoreError {
    /// Whether the database cannot be reached just now: trying again later helps.
    pub fn is_away(&self) -> bool {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        let StoreError::Database(error) = self else { return false };
        matches!(error, Io(_) | PoolTimedOut | PoolClosed | Protocol(_) | Tls(_) | WorkerCrashed)
            || code(error).is_some_and(|c| AWAY.contains(&c.as_str()) || c.starts_with("08"))
    }

    /// Whether the disk below the database is full.
    pub fn is_full(&self) -> bool {
        match self {
            StoreError::Database(error) => code(error).is_some_and(|c| FULL.contains(&c.as_str())),
            StoreError::Copy { source, .. } | StoreError::Io { source, .. } => {
                source.kind() == std::io::ErrorKind::StorageFull
            }
            _ => false,
        }
    }
}

/// Whether a statement named a table that is not there.
fn lacks_table(error: &sqlx::Error) -> bool {
    let message = error.as_database_error().map_or("", |e| e.message());
    message.starts_with("no such table") || code(error).is_some_and(|code| code == "42P01")
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Something declared about kinds, by table and kind.
type OfKind<T> = Arc<HashMap<(&'static str, String), Vec<T>>>;

/// The store.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
    notices: changes::Notices,
    /// How many leaves of the ledger are known here.
    settled: tokio::sync::watch::Sender<u64>,
    keys: Option<Keys>,
    blobs: Option<blobs::Blobs>,
    personal: OfKind<String>,
    ties: OfKind<(String, model::Tie)>,
    /// Whether a row may be closed ([`model::Guard`]).
    guarded: Arc<std::sync::atomic::AtomicBool>,
    files: Arc<FileFields>,
    upcasts: Arc<Upcasts>,
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
        number: 5,
        sqlite: include_str!("../migrations/sqlite/0005_agents.sql"),
        postgres: include_str!("../migrations/postgres/0005_agents.sql"),
    },
    Migration {
        number: 6,
        sqlite: include_str!("../migrations/sqlite/0006_job_owner.sql"),
        postgres: include_str!("../migrations/postgres/0006_job_owner.sql"),
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
    Migration {
        number: 9,
        sqlite: include_str!("../migrations/sqlite/0009_attribute.sql"),
        postgres: include_str!("../migrations/postgres/0009_attribute.sql"),
    },
    Migration {
        number: 10,
        sqlite: include_str!("../migrations/sqlite/0010_personal_words.sql"),
        postgres: include_str!("../migrations/postgres/0010_personal_words.sql"),
    },
    Migration {
        number: 11,
        sqlite: include_str!("../migrations/sqlite/0011_belonging.sql"),
        postgres: include_str!("../migrations/postgres/0011_belonging.sql"),
    },
    Migration {
        number: 12,
        sqlite: include_str!("../migrations/sqlite/0012_blob.sql"),
        postgres: include_str!("../migrations/postgres/0012_blob.sql"),
    },
    Migration {
        number: 13,
        sqlite: include_str!("../migrations/sqlite/0013_received.sql"),
        postgres: include_str!("../migrations/postgres/0013_received.sql"),
    },
    Migration {
        number: 14,
        sqlite: include_str!("../migrations/sqlite/0014_sealed_blob.sql"),
        postgres: include_str!("../migrations/postgres/0014_sealed_blob.sql"),
    },
    Migration {
        number: 16,
        sqlite: include_str!("../migrations/sqlite/0016_sites.sql"),
        postgres: include_str!("../migrations/postgres/0016_sites.sql"),
    },
    Migration {
        number: 17,
        sqlite: include_str!("../migrations/sqlite/0017_agent_rules.sql"),
        postgres: include_str!("../migrations/postgres/0017_agent_rules.sql"),
    },
    Migration {
        number: 20,
        sqlite: include_str!("../migrations/sqlite/0020_import.sql"),
        postgres: include_str!("../migrations/postgres/0020_import.sql"),
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
        let db = Db::sqlite(&folder.join("ume.db"), false).await?;
        let store = Store::over(db, clock, None).in_folder(folder);
        store.migrate().await?;
        store.settle_keys().await?;
        Ok(store)
    }

    /// Opens `ume.db` in the data folder for reading only.
    pub async fn open_read_only(folder: &Path, clock: Clock) -> Result<Store, StoreError> {
        let db = Db::sqlite(&folder.join("ume.db"), true).await?;
        let store = Store::over(db, clock, None).in_folder(folder);
        store.refuse_older().await?;
        Ok(store)
    }

    /// Refuses a database that lacks migrations: who only reads cannot bring it up to date.
    pub(crate) async fn refuse_older(&self) -> Result<(), StoreError> {
        let done = match self.check_version().await {
            // Nothing was ever migrated here.
            Err(StoreError::Database(error)) if lacks_table(&error) => Vec::new(),
            done => done?,
        };
        let all = MIGRATIONS.iter().map(|m| m.number);
        let missing: Vec<i64> = all.filter(|number| !done.contains(number)).collect();
        if missing.is_empty() { Ok(()) } else { Err(StoreError::Older { missing }) }
    }

    /// Connects to PostgreSQL and migrates it. It takes payloads only [`Store::with_keys`].
    pub async fn connect(url: &str, clock: Clock) -> Result<Store, StoreError> {
        let store = Store::over(Db::postgres(url).await?, clock, None);
        store.migrate().await?;
        Ok(store)
    }

    pub(crate) fn over(db: Db, clock: Clock, keys: Option<Keys>) -> Store {
        let notices = changes::Notices::default();
        let settled = tokio::sync::watch::Sender::new(0);
        let (personal, ties) = (Arc::default(), Arc::default());
        let (files, upcasts) = (Arc::default(), Arc::default());
        let guarded = Arc::new(std::sync::atomic::AtomicBool::new(false));
        Store {
            db,
            clock,
            notices,
            settled,
            keys,
            blobs: None,
            personal,
            ties,
            guarded,
            files,
            upcasts,
        }
    }

    /// Keys and files lie in this data folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Store {
        self.keys = Some(Keys::new(&folder.join("keys")));
        self.blobs = Some(blobs::Blobs::new(folder));
        self
    }

    /// Keeps salts and keys of payloads in `DIR/keys`, files in `DIR/blobs` of this data folder,
    /// whatever the database.
    pub async fn with_keys(self, folder: &Path) -> Result<Store, StoreError> {
        let store = self.in_folder(folder);
        store.settle_keys().await?;
        Ok(store)
    }

    /// The same for a store that only reads: nothing in the folder is settled.
    pub fn with_keys_read_only(self, folder: &Path) -> Store {
        self.in_folder(folder)
    }

    /// Names the personal fields of kinds as JSON pointers into the row (`/name`,
    /// `/attributes/mail`). Versions saved from now on commit to each of them separately, and their
    /// words are found by nobody who may not see them; [`Store::settle_index`] sees to older rows.
    pub fn with_personal(
        mut self,
        kinds: impl IntoIterator<Item = (model::Table, String, Vec<String>)>,
    ) -> Store {
        self.personal =
            Arc::new(kinds.into_iter().map(|(table, kind, p)| ((table.name(), kind), p)).collect());
        self
    }

    /// Runs what is missing in one transaction: all of it or nothing.
    async fn migrate(&self) -> Result<(), StoreError> {
        self.migrate_with(MIGRATIONS).await
    }

    async fn migrate_with(&self, migrations: &[Migration]) -> Result<(), StoreError> {
        let table = "CREATE TABLE IF NOT EXISTS migration (number BIGINT NOT NULL PRIMARY KEY)";
        self.db.batch(table).await?;
        let done = self.check_version().await?;
        let mut all = String::new();
        for migration in migrations.iter().filter(|m| !done.contains(&m.number)) {
            let sql = if self.db.is_sqlite() { migration.sqlite } else { migration.postgres };
            let number = migration.number;
            all.push_str(&format!("{sql}\nINSERT INTO migration (number) VALUES ({number});\n"));
        }
        if all.is_empty() {
            return Ok(());
        }
        self.keep_copy(&done, migrations).await?;
        self.db.batch(&all).await?;
        tracing::info!(?done, "migrated the database");
        Ok(())
    }

    /// Keeps the file as it was before the first missing migration, so that a failed or regretted
    /// update has a way back: `ume.db.before-000N`.
    async fn keep_copy(&self, done: &[i64], migrations: &[Migration]) -> Result<(), StoreError> {
        let Some(path) = self.db.sqlite_file().filter(|_| !done.is_empty()) else { return Ok(()) };
        let Some(next) = migrations.iter().find(|m| !done.contains(&m.number)) else {
            return Ok(());
        };
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".before-{:04}", next.number));
        let kept = std::path::PathBuf::from(name);
        let temporary = kept.with_extension("tmp");
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Copy { path, source }
        };
        match std::fs::remove_file(&temporary) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(&temporary)(e)),
            _ => {}
        }
        std::os::unix::fs::OpenOptionsExt::mode(
            std::fs::OpenOptions::new().write(true).create_new(true),
            0o600,
        )
        .open(&temporary)
        .map_err(io(&temporary))?;
        if let Err(error) = self.db.copy_to(&temporary).await {
            let _ = std::fs::remove_file(&temporary);
            return Err(error);
        }
        std::fs::File::open(&temporary).and_then(|f| f.sync_all()).map_err(io(&temporary))?;
        std::fs::rename(&temporary, &kept).map_err(io(&kept))
    }

    /// Whether the schema is the one of this build.
    pub async fn is_current(&self) -> Result<bool, StoreError> {
        let done = self.check_version().await?;
        Ok(MIGRATIONS.iter().all(|m| done.contains(&m.number)))
    }

    /// Numbers of the migrations done; an unknown one is the work of a newer Ume.
    async fn check_version(&self) -> Result<Vec<i64>, StoreError> {
        let rows = self.db.fetch("SELECT number FROM migration ORDER BY number", &[]).await?;
        let done = rows.iter().map(|r| r[0].int()).collect::<Result<Vec<i64>, _>>()?;
        let found = done.last().copied().unwrap_or(0);
        let known = MIGRATIONS.last().map_or(0, |m| m.number);
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        Ok(done)
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
        // The length stands in the text: PostgreSQL has no substr with the BIGINT that would be bound.
        let length = prefix.chars().count();
        let sql = format!(
            "SELECT name, value FROM setting WHERE substr(name, 1, {length}) = $1 ORDER BY name"
        );
        let rows = self.db.fetch(&sql, &[prefix.into()]).await?;
        rows.iter().map(|r| Ok((r[0].text()?.to_owned(), r[1].text()?.to_owned()))).collect()
    }

    /// Writes a setting of the house.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        set_setting(&mut tx, name, value).await?;
        tx.commit().await
    }

    /// Removes a setting and returns its value: whoever gets it is the only one.
    pub async fn take_setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.db.begin().await?;
        let rows = tx.fetch("SELECT value FROM setting WHERE name = $1", &[name.into()]).await?;
        let gone = tx.execute("DELETE FROM setting WHERE name = $1", &[name.into()]).await?;
        tx.commit().await?;
        match rows.first() {
            Some(row) if gone == 1 => Ok(Some(row[0].text()?.to_owned())),
            _ => Ok(None),
        }
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

async fn set_setting(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(sql, &[name.into(), value.into()]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_migration_keeps_the_old_database_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("ume.db"), false).await.unwrap();
        let store = Store::over(db, system_clock(), None);
        store.migrate_with(&MIGRATIONS[..1]).await.unwrap();
        store.set_setting("mine", "kept").await.unwrap();
        let good = "ALTER TABLE job ADD COLUMN owner TEXT NOT NULL DEFAULT '';";
        let half = "CREATE TABLE half (a INTEGER); SELECT no_such_column FROM job;";
        let step = |number, sqlite| Migration { number, sqlite, postgres: "" };
        let refused = store.migrate_with(&[step(6, good), step(7, half)]).await;
        assert!(refused.is_err());
        assert_eq!(store.check_version().await.unwrap(), [1]);
        assert!(store.db.prepare("SELECT owner FROM job").await.is_err());
        assert!(store.db.prepare("SELECT a FROM half").await.is_err());
        store.db.close().await;

        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        assert!(store.is_current().await.unwrap());
        assert_eq!(store.setting("mine").await.unwrap().as_deref(), Some("kept"));
        store.db.close().await;
        let kept = folder.path().join("ume.db.before-0002");
        // For writing, as whoever goes back would open it: the copy has no write-ahead log yet.
        let old = Store::over(Db::sqlite(&kept, false).await.unwrap(), system_clock(), None);
        assert_eq!(old.check_version().await.unwrap(), [1]);
        assert_eq!(old.setting("mine").await.unwrap().as_deref(), Some("kept"));
        old.db.close().await;
    }

    #[tokio::test]
    async fn who_only_reads_is_told_which_migrations_are_missing() {
        let folder = tempfile::tempdir().unwrap();
        let all = |error| match error {
            StoreError::Older { missing } => missing,
            other => panic!("{other}"),
        };
        std::fs::write(folder.path().join("ume.db"), "").unwrap();
        let empty = Store::open_read_only(folder.path(), system_clock()).await.err().unwrap();
        assert_eq!(all(empty).len(), MIGRATIONS.len());
        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        // One between, as a branch that was merged later leaves it.
        store.db.batch("DELETE FROM migration WHERE number = 3").await.unwrap();
        store.db.close().await;
        let error = Store::open_read_only(folder.path(), system_clock()).await.err().unwrap();
        assert!(error.to_string().contains("[3]") && error.to_string().contains("ume serve"));
        assert_eq!(all(error), [3]);
        let at = format!("sqlite:{}", folder.path().display());
        assert_eq!(all(Store::at(&at, false, system_clock()).await.err().unwrap()), [3]);
    }
}
