//! What a room *does*, as [`model::RoomSpec`] says what it *is*; and what runs it.
//!
//! Jobs are reconcilers of one shape: they take no input, are idempotent, run on a timer or by hand,
//! and their runs stand in the `job` table, whose leases keep two nodes from running one twice.
//! Services belong to one process and run always. A panic in one never stops the others.
//!
//! Limits: a job has a longest run, a service a pause between its rounds. Absent here: any room, any
//! norm; this crate does not know what the eleven controls are.

mod host;
mod job;
mod lang;
mod schedule;
mod service;
mod verdicts;
mod write;

use std::sync::Arc;

use model::RoomSpec;

pub use host::this_host;
pub use job::{Job, Run, host_name};
pub use lang::lang;
pub use schedule::Schedule;
pub use service::{Pause, Service, Services};
pub use verdicts::{Judged, Verdicts};
pub use write::{blocking, draft, write};

/// A room at work. There are no default methods: each room answers every question.
pub trait Room: Send + Sync {
    /// What it is.
    fn spec(&self) -> &'static RoomSpec;
    /// What it does on a timer, on a change, or by hand.
    fn jobs(&self) -> Vec<Job>;
    /// What it does all the time while the server runs.
    fn services(&self) -> Vec<Service>;
    /// Its own pages and API, beside the registers that its spec makes.
    fn routes(&self) -> Vec<web::route::Route>;
    /// Its verbs on the command line: they work on plain files, without a server.
    fn commands(&self) -> Vec<Verb>;
    /// The rows it adds to the demonstration, as TOML: `[[kinds]]` with `kind`, `day` and `rows`.
    fn demonstration(&self) -> &'static str;
}

/// A verb on the command line.
pub struct Verb {
    /// Name, help and arguments.
    pub command: clap::Command,
    /// Runs it and gives its outcome; what it prints goes to `out`.
    pub run: fn(&clap::ArgMatches, out: &mut dyn std::io::Write) -> Result<Outcome, Error>,
}

/// How a command ended: exit code 0, 1 or 3; errors are exit code 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Good, or nothing found.
    Good,
    /// Something found, or a mismatch.
    Found,
    /// Something could not be read or checked.
    Incomplete,
}

/// What jobs and services work on.
pub struct Ctx {
    /// Registers, ledger, people and what the pages see.
    pub house: web::Shared,
    /// Spool and archive of the events.
    pub stream: stream::Stream,
}

impl Ctx {
    /// The tables.
    pub fn store(&self) -> &store::Store {
        &self.house.store
    }
}

/// The shared handle that every run gets.
pub type Shared = Arc<Ctx>;

/// Why a run failed. It is shown on the page of the jobs, so each text says what failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    #[error(transparent)]
    Stream(#[from] stream::Error),
    #[error("{}: {source}", path.display())]
    Io { path: std::path::PathBuf, source: std::io::Error },
    /// Said by the run itself.
    #[error("{0}")]
    Said(String),
    /// The thread or task that did the work ended without an answer.
    #[error("a worker ended: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

impl Error {
    /// A failure in the run's own words.
    pub fn said(what: impl std::fmt::Display) -> Error {
        Error::Said(what.to_string())
    }
}
