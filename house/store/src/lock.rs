//! The one writer of the ledger: an advisory lock of PostgreSQL, held by a connection of its own.
//! Beside SQLite the lock of the data folder says the same.

use sqlx::{Connection, PgConnection, PgPool, Row as _};

use crate::{Db, StoreError};

/// Key of the lock within a database; "ume" and "leaf" in ASCII.
const LEDGER_LOCK: i64 = 0x0075_6D65_6C65_6166;

/// The right to write the ledger of a database.
pub struct WriterLock {
    db: Db,
    held: Option<PgConnection>,
}

impl WriterLock {
    /// A lock that is not held yet.
    pub fn new(db: &Db) -> WriterLock {
        WriterLock { db: db.clone(), held: None }
    }

    /// Takes the lock, or makes sure that it is still held: the server may have been restarted.
    /// `false` if another process holds it.
    pub async fn hold(&mut self) -> Result<bool, StoreError> {
        let Db::Postgres(pool) = &self.db else { return Ok(true) };
        if let Some(connection) = &mut self.held {
            if sqlx::query("SELECT 1").execute(&mut *connection).await.is_ok() {
                return Ok(true);
            }
            // The lock died with its connection.
            self.held = None;
        }
        self.held = take(pool).await?;
        Ok(self.held.is_some())
    }

    /// Gives the lock back.
    pub async fn release(&mut self) {
        if let Some(connection) = self.held.take() {
            let _ = connection.close().await;
        }
    }
}

async fn take(pool: &PgPool) -> Result<Option<PgConnection>, StoreError> {
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    let row = sqlx::query("SELECT pg_try_advisory_lock($1)")
        .bind(LEDGER_LOCK)
        .fetch_one(&mut connection)
        .await?;
    Ok(row.try_get::<bool, _>(0)?.then_some(connection))
}
