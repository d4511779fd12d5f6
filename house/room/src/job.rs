//! A job: one reconciler.

use std::{pin::Pin, sync::Arc, time::Duration};

use model::Text;
use serde_json::Value as Json;

use crate::{Error, Shared};

/// The outcome of a run: JSON for the table, or why it failed.
pub type Run = Pin<Box<dyn Future<Output = Result<Json, Error>> + Send>>;

/// One reconciler.
#[derive(Clone)]
pub struct Job {
    /// `part.verb`, as the command line names it.
    pub name: &'static str,
    pub title: Text,
    pub every: Duration,
    /// A run that takes longer has failed.
    pub limit: Duration,
    /// True if each machine runs it for itself; else one run serves all nodes.
    pub local: bool,
    work: Arc<dyn Fn(Shared) -> Run + Send + Sync>,
}

impl Job {
    /// A job that one run does for all nodes, every hour, within five minutes.
    pub fn new<F, Fut>(name: &'static str, title: Text, work: F) -> Job
    where
        F: Fn(Shared) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Json, Error>> + Send + 'static,
    {
        let (every, limit) = (Duration::from_secs(3600), Duration::from_secs(300));
        let work = Arc::new(move |ctx| -> Run { Box::pin(work(ctx)) });
        Job { name, title, every, limit, local: false, work }
    }

    /// The same job with another time between runs.
    pub fn every(self, every: Duration) -> Job {
        Job { every, ..self }
    }

    /// The same job with another longest run.
    pub fn limit(self, limit: Duration) -> Job {
        Job { limit, ..self }
    }

    /// The same job, run by each machine for itself.
    pub fn local(self) -> Job {
        Job { local: true, ..self }
    }

    /// Its name in the table: a local job has one row per machine.
    pub fn row(&self) -> String {
        if self.local { format!("{}@{}", self.name, host_name()) } else { self.name.to_owned() }
    }

    /// Runs it now, lease or not.
    pub(crate) fn start(&self, ctx: Shared) -> Run {
        (self.work)(ctx)
    }
}

/// The name of this machine.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
