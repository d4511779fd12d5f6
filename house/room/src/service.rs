//! Services: what one process does all the time, and how each fares.

use std::{
    collections::BTreeMap,
    fmt::Display,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{Error, Shared};

const RESTART_AFTER: Duration = Duration::from_secs(1);

/// How long a service rests between two rounds.
#[derive(Clone, Copy, Debug)]
pub enum Pause {
    For(Duration),
    /// Until the house is woken by a change, at most so long. One service may wait like this.
    UntilWoken(Duration),
}

type Round = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Something that goes round and round as long as the process lives.
#[derive(Clone)]
pub struct Service {
    pub name: &'static str,
    pub pause: Pause,
    round: Arc<dyn Fn(Shared) -> Round + Send + Sync>,
}

impl Service {
    /// A service; `round` does its work once. A round that serves until it fails is one as well.
    pub fn new<F, Fut>(name: &'static str, pause: Pause, round: F) -> Service
    where
        F: Fn(Shared) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Service { name, pause, round: Arc::new(move |ctx| -> Round { Box::pin(round(ctx)) }) }
    }

    /// Goes round until aborted, and writes down how each round went. A panic ends one round only.
    pub async fn run(self, ctx: Shared, states: Arc<Services>) {
        loop {
            let round = tokio::spawn((self.round)(ctx.clone()));
            let _end = AbortOnDrop(round.abort_handle());
            match round.await {
                Ok(outcome) => states.note(self.name, outcome),
                Err(panic) => {
                    states.note(self.name, Err(panic));
                    tokio::time::sleep(RESTART_AFTER).await;
                }
            }
            match self.pause {
                Pause::For(time) => tokio::time::sleep(time).await,
                Pause::UntilWoken(time) => {
                    let _ = tokio::time::timeout(time, ctx.house.changed.notified()).await;
                }
            }
        }
    }
}

/// Ends a task with whoever waits for it.
pub(crate) struct AbortOnDrop(pub tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How each service fares: `None` is well, else what it said last.
#[derive(Default)]
pub struct Services(Mutex<BTreeMap<&'static str, Option<String>>>);

impl Services {
    /// Name and trouble of each service.
    pub fn all(&self) -> Vec<(&'static str, Option<String>)> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter().map(|(name, trouble)| (*name, trouble.clone())).collect()
    }

    /// Keeps the outcome of a round; a trouble is logged once, not every round.
    pub fn note(&self, name: &'static str, outcome: Result<(), impl Display>) {
        let trouble = outcome.err().map(|e| e.to_string());
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = map.insert(name, trouble.clone()).flatten();
        match (&before, &trouble) {
            (old, Some(new)) if old.as_ref() != Some(new) => {
                tracing::error!(error = new, "{name} is in trouble");
            }
            (Some(_), None) => tracing::info!("{name} works again"),
            _ => {}
        }
    }
}
