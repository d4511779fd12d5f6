//! Two pools behind one interface: six value kinds, one SQL text for both databases.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, Column, Executor, PgPool, Row as _, SqlitePool, Statement, TypeInfo, ValueRef,
    postgres::{PgArguments, PgPoolOptions, PgRow},
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};

use crate::StoreError;

const READERS_MAX: u32 = 4;
const PG_CONNECTIONS_MAX: u32 = 8;
/// Longest wait for a connection: a request shall fail clean while someone still waits for it.
const PG_WAIT_MAX: Duration = Duration::from_secs(3);

/// A value that goes into or comes out of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Val {
    /// The integer, or the error of a column that holds something else.
    pub fn int(&self) -> Result<i64, StoreError> {
        match self {
            Val::Int(n) => Ok(*n),
            Val::Bool(flag) => Ok(i64::from(*flag)),
            other => Err(StoreError::Column(format!("expected an integer, found {other:?}"))),
        }
    }

    /// The integer, `None` for NULL.
    pub fn opt_int(&self) -> Result<Option<i64>, StoreError> {
        if *self == Val::Null { Ok(None) } else { self.int().map(Some) }
    }

    /// The text.
    pub fn text(&self) -> Result<&str, StoreError> {
        match self {
            Val::Text(text) => Ok(text),
            other => Err(StoreError::Column(format!("expected a text, found {other:?}"))),
        }
    }

    /// The text, `None` for NULL.
    pub fn opt_text(&self) -> Result<Option<&str>, StoreError> {
        if *self == Val::Null { Ok(None) } else { self.text().map(Some) }
    }

    /// The bytes.
    pub fn bytes(&self) -> Result<&[u8], StoreError> {
        match self {
            Val::Bytes(bytes) => Ok(bytes),
            other => Err(StoreError::Column(format!("expected bytes, found {other:?}"))),
        }
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::Text(text.to_owned())
    }
}
impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Text(text)
    }
}
impl From<i64> for Val {
    fn from(n: i64) -> Val {
        Val::Int(n)
    }
}
impl From<bool> for Val {
    fn from(flag: bool) -> Val {
        Val::Int(i64::from(flag))
    }
}
impl From<Vec<u8>> for Val {
    fn from(bytes: Vec<u8>) -> Val {
        Val::Bytes(bytes)
    }
}
impl<T: Into<Val>> From<Option<T>> for Val {
    fn from(value: Option<T>) -> Val {
        value.map_or(Val::Null, Into::into)
    }
}

/// The database: SQLite with one writer and a pool of readers, or PostgreSQL.
#[derive(Clone)]
pub enum Db {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

/// An open write transaction. Dropped without commit, it rolls back.
pub enum Tx {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Db {
    /// Opens (and creates) the SQLite file.
    pub async fn sqlite(path: &Path, read_only: bool) -> Result<Db, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF");
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_lazy_with(options.clone().read_only(true));
        let writer = if read_only {
            readers.clone()
        } else {
            // What a reader may not set: on a file that nobody has written to yet it would fail.
            let options = options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .pragma("secure_delete", "ON");
            SqlitePoolOptions::new().max_connections(1).connect_with(options).await?
        };
        Ok(Db::Sqlite { writer, readers })
    }

    /// Connects to PostgreSQL.
    pub async fn postgres(url: &str) -> Result<Db, StoreError> {
        let options = sqlx::postgres::PgConnectOptions::from_str(url)?;
        let pool = PgPoolOptions::new()
            .max_connections(PG_CONNECTIONS_MAX)
            .acquire_timeout(PG_WAIT_MAX)
            .connect_with(options)
            .await?;
        Ok(Db::Postgres(pool))
    }

    /// Runs a query on a reader.
    pub async fn fetch(&self, sql: &str, args: &[Val]) -> Result<Vec<Vec<Val>>, StoreError> {
        refuse_nul(args)?;
        match self {
            Db::Sqlite { readers, .. } => {
                let rows = bind_sqlite(sql, args).fetch_all(readers).await?;
                crate::meter::note(rows.len());
                rows.iter().map(sqlite_row).collect()
            }
            Db::Postgres(pool) => {
                let rows = bind_postgres(sql, args).fetch_all(pool).await?;
                crate::meter::note(rows.len());
                rows.iter().map(postgres_row).collect()
            }
        }
    }

    /// Begins a write transaction; on SQLite it takes the one writer at once.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Db::Sqlite { writer, .. } => {
                Ok(Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?))
            }
            Db::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Begins a transaction that sees one snapshot of everything and writes nothing.
    pub(crate) async fn begin_read(&self) -> Result<Tx, StoreError> {
        match self {
            Db::Sqlite { readers, .. } => Ok(Tx::Sqlite(readers.begin_with("BEGIN").await?)),
            Db::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Ok(Tx::Postgres(pool.begin_with(begin).await?))
            }
        }
    }

    /// Writes a consistent copy of a SQLite database to an empty file, beside a running server.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let path = path.to_str().ok_or(StoreError::Address)?;
        self.fetch("VACUUM INTO $1", &[path.into()]).await.map(|_| ())
    }

    /// Rewrites everything, so that no free page keeps what was deleted.
    pub(crate) async fn vacuum(&self) -> Result<(), StoreError> {
        match self {
            Db::Sqlite { writer, .. } => {
                sqlx::raw_sql("VACUUM").execute(writer).await?;
            }
            Db::Postgres(pool) => {
                sqlx::raw_sql("VACUUM FULL").execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Moves the write-ahead log into the database file and cuts it to nothing; false while a reader
    /// is in the way. PostgreSQL recycles its log by itself.
    pub(crate) async fn empty_wal(&self) -> Result<bool, StoreError> {
        let Db::Sqlite { writer, .. } = self else { return Ok(true) };
        let rows = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(writer).await?;
        let row = rows.first().map(sqlite_row).transpose()?.unwrap_or_default();
        Ok(row.first() == Some(&Val::Int(0)))
    }

    /// Runs several statements of a migration as they stand.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let text = AssertSqlSafe(sql.to_owned());
        match self {
            Db::Sqlite { writer, .. } => {
                let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                sqlx::raw_sql(text).execute(&mut *tx).await?;
                tx.commit().await?;
            }
            Db::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::raw_sql(text).execute(&mut *tx).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Prepares a statement without running it: the test that each SQL text is good on both.
    pub async fn prepare(&self, sql: &str) -> Result<usize, StoreError> {
        let text = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.to_owned()));
        match self {
            Db::Sqlite { writer, .. } => {
                Ok(writer.acquire().await?.prepare(text).await?.columns().len())
            }
            Db::Postgres(pool) => Ok(pool.acquire().await?.prepare(text).await?.columns().len()),
        }
    }

    /// The file of a SQLite database.
    pub fn sqlite_file(&self) -> Option<std::path::PathBuf> {
        let Db::Sqlite { writer, .. } = self else { return None };
        Some(writer.connect_options().get_filename().to_owned())
    }

    /// Whether this is SQLite.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Db::Sqlite { .. })
    }

    /// Closes all connections; on SQLite this also checkpoints the WAL.
    pub async fn close(&self) {
        match self {
            Db::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Tx::Sqlite(_))
    }

    /// Runs a statement and returns the number of rows it changed.
    pub async fn execute(&mut self, sql: &str, args: &[Val]) -> Result<u64, StoreError> {
        refuse_nul(args)?;
        match self {
            Tx::Sqlite(tx) => Ok(bind_sqlite(sql, args).execute(&mut **tx).await?.rows_affected()),
            Tx::Postgres(tx) => {
                Ok(bind_postgres(sql, args).execute(&mut **tx).await?.rows_affected())
            }
        }
    }

    /// Runs a query inside the transaction.
    pub async fn fetch(&mut self, sql: &str, args: &[Val]) -> Result<Vec<Vec<Val>>, StoreError> {
        refuse_nul(args)?;
        match self {
            Tx::Sqlite(tx) => {
                let rows = bind_sqlite(sql, args).fetch_all(&mut **tx).await?;
                crate::meter::note(rows.len());
                rows.iter().map(sqlite_row).collect()
            }
            Tx::Postgres(tx) => {
                let rows = bind_postgres(sql, args).fetch_all(&mut **tx).await?;
                crate::meter::note(rows.len());
                rows.iter().map(postgres_row).collect()
            }
        }
    }

    /// Makes everything durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// PostgreSQL has no NUL in a text, so SQLite must not take one either.
fn refuse_nul(args: &[Val]) -> Result<(), StoreError> {
    for arg in args {
        if let Val::Text(text) = arg
            && text.contains('\0')
        {
            return Err(StoreError::Nul(text.chars().take(80).collect()));
        }
    }
    Ok(())
}

// Table names come from an enum and values are always bound, so no text of a user reaches `sql`.
fn bind_sqlite(sql: &str, args: &[Val]) -> Query<'static, sqlx::Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for arg in args {
        query = match arg.clone() {
            Val::Null => query.bind(None::<String>),
            Val::Bool(flag) => query.bind(i64::from(flag)),
            Val::Int(n) => query.bind(n),
            Val::Float(x) => query.bind(x),
            Val::Text(text) => query.bind(text),
            Val::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

fn bind_postgres(sql: &str, args: &[Val]) -> Query<'static, sqlx::Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for arg in args {
        query = match arg.clone() {
            Val::Null => query.bind(PgNull),
            Val::Bool(flag) => query.bind(i64::from(flag)),
            Val::Int(n) => query.bind(n),
            Val::Float(x) => query.bind(x),
            Val::Text(text) => query.bind(text),
            Val::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

/// A NULL whose type PostgreSQL infers from the place it stands in.
struct PgNull;

impl sqlx::Type<sqlx::Postgres> for PgNull {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        sqlx::postgres::PgTypeInfo::with_oid(sqlx::postgres::types::Oid(0))
    }
}

impl sqlx::Encode<'_, sqlx::Postgres> for PgNull {
    fn encode_by_ref(
        &self,
        _: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        Ok(sqlx::encode::IsNull::Yes)
    }
}

fn sqlite_row(row: &SqliteRow) -> Result<Vec<Val>, StoreError> {
    let mut out = Vec::with_capacity(row.columns().len());
    for i in 0..row.columns().len() {
        let raw = row.try_get_raw(i)?;
        let kind =
            if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        out.push(match kind.as_str() {
            "NULL" => Val::Null,
            "INTEGER" | "BOOLEAN" | "INT8" | "INT4" => Val::Int(row.try_get::<i64, _>(i)?),
            "REAL" => Val::Float(row.try_get::<f64, _>(i)?),
            "BLOB" => Val::Bytes(row.try_get::<Vec<u8>, _>(i)?),
            _ => Val::Text(row.try_get::<String, _>(i)?),
        });
    }
    Ok(out)
}

fn postgres_row(row: &PgRow) -> Result<Vec<Val>, StoreError> {
    let mut out = Vec::with_capacity(row.columns().len());
    for (i, column) in row.columns().iter().enumerate() {
        if row.try_get_raw(i)?.is_null() {
            out.push(Val::Null);
            continue;
        }
        out.push(match column.type_info().name() {
            "INT8" => Val::Int(row.try_get::<i64, _>(i)?),
            "INT4" => Val::Int(i64::from(row.try_get::<i32, _>(i)?)),
            "BOOL" => Val::Bool(row.try_get::<bool, _>(i)?),
            "FLOAT8" => Val::Float(row.try_get::<f64, _>(i)?),
            "BYTEA" => Val::Bytes(row.try_get::<Vec<u8>, _>(i)?),
            _ => Val::Text(row.try_get::<String, _>(i)?),
        });
    }
    Ok(out)
}
