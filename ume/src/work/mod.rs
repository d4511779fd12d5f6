//! What runs beside the server. Jobs are reconcilers of one shape: they take no input, are idempotent,
//! run on a timer or by hand, and their runs stand in the `job` table, whose leases keep two nodes
//! from running one twice. Services (ledger, board, archive) belong to one process and run always.
//! A panic in one never stops the others.

pub mod command;
mod jobs;
mod schedule;
mod services;
#[cfg(test)]
mod tests;

use std::{pin::Pin, sync::Arc, time::Duration};

use model::Text;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::CliError;

pub use jobs::JOBS;
pub(crate) use jobs::{draft, record_levels, sums, write};
pub use schedule::Schedule;
pub(crate) use services::archive_once;
pub use services::run;

/// What a job works on.
pub struct Ctx {
    pub store: store::Store,
    pub ledger: Arc<Mutex<ledger::Ledger>>,
    pub stream: stream::Stream,
    /// The board of a running server; without one it is computed.
    pub board: Option<isms::pages::SharedBoard>,
    /// Called when a job changed what levels rest on.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

/// The outcome of a run: JSON for the table, or why it failed.
pub type Run = Pin<Box<dyn Future<Output = Result<Json, CliError>> + Send>>;

/// One reconciler.
#[derive(Clone, Copy)]
pub struct Job {
    /// `part.verb`, as the command line names it.
    pub name: &'static str,
    pub title: Text,
    pub every: Duration,
    /// A run that takes longer has failed.
    pub limit: Duration,
    /// True if each machine runs it for itself; else one run serves all nodes.
    pub local: bool,
    pub run: fn(Arc<Ctx>) -> Run,
}

impl Job {
    /// Its name in the table: a local job has one row per machine.
    pub fn row(&self) -> String {
        if self.local { format!("{}@{}", self.name, host_name()) } else { self.name.to_owned() }
    }
}

/// The name of this machine.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
