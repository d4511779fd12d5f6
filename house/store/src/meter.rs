//! Counts what one request asks of the database, so that a page that reads too much is seen.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

tokio::task_local! {
    static METER: Meter;
}

/// Statements and rows of one piece of work; clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    statements: Arc<AtomicU64>,
    rows: Arc<AtomicU64>,
}

impl Meter {
    /// Runs the work and counts what it asks of the database.
    pub async fn measure<F: Future>(&self, work: F) -> F::Output {
        METER.scope(self.clone(), work).await
    }

    /// Statements run so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

pub(crate) fn note(rows: usize) {
    // Outside of a measured piece of work nobody counts.
    let _ = METER.try_with(|meter| {
        meter.statements.fetch_add(1, Ordering::Relaxed);
        meter.rows.fetch_add(rows as u64, Ordering::Relaxed);
    });
}
