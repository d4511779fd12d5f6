//! Takes due jobs by lease, runs each in a task of its own, and writes down how it ended.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value as Json;
use store::StoreError;

use crate::{Error, Job, Shared, service::AbortOnDrop};

const LEASE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The jobs of this process.
pub struct Schedule {
    ctx: Shared,
    jobs: Vec<Job>,
    /// Names this process in leases.
    owner: String,
    running: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Schedule {
    /// A schedule; `owner` must be drawn anew for each process.
    pub fn new(ctx: Shared, jobs: Vec<Job>, owner: String) -> Schedule {
        Schedule { ctx, jobs, owner, running: Arc::default() }
    }

    /// Makes the rows of all jobs.
    pub async fn declare(&self) -> Result<(), StoreError> {
        for job in &self.jobs {
            self.ctx.store().job_declare(&job.row()).await?;
        }
        Ok(())
    }

    /// Looks for due jobs until aborted. While the database is away, it waits for it.
    pub async fn run(self) {
        let (mut declared, mut away) = (false, false);
        loop {
            let looked = async {
                if !declared {
                    self.declare().await?;
                    declared = true;
                }
                self.look().await
            };
            match looked.await {
                Ok(_) => away = false,
                Err(error) if !away => {
                    tracing::error!(%error, "the jobs cannot be read");
                    away = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts every job that is due and that nobody else has.
    pub async fn look(&self) -> Result<Vec<tokio::task::JoinHandle<()>>, StoreError> {
        let (now, mut started) = (self.ctx.store().now().0, Vec::new());
        let rows = self.ctx.store().jobs().await?;
        for job in &self.jobs {
            let name = job.row();
            let due = rows.iter().any(|row| {
                let abandoned = !row.owner.is_empty();
                row.name == name && row.lease_until.0 <= now && (row.next_due.0 <= now || abandoned)
            });
            if due
                && !self.running().contains(job.name)
                && self
                    .ctx
                    .store()
                    .job_take(&name, &self.owner, micros(LEASE), micros(job.every))
                    .await?
            {
                self.running().insert(job.name);
                let this =
                    (self.ctx.clone(), job.clone(), self.owner.clone(), self.running.clone());
                started.push(tokio::spawn(async move {
                    let (ctx, job, owner, running) = this;
                    run_taken(&ctx, &job, &owner).await;
                    running.lock().unwrap_or_else(PoisonError::into_inner).remove(job.name);
                }));
            }
        }
        Ok(started)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Runs a job whose lease we have, prolonging it meanwhile.
async fn run_taken(ctx: &Shared, job: &Job, owner: &str) {
    let name = job.row();
    let mut work = tokio::spawn(tokio::time::timeout(job.limit, job.start(ctx.clone())));
    let _end = AbortOnDrop(work.abort_handle());
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            () = tokio::time::sleep(LEASE / 3) => {
                if let Ok(false) = ctx.store().job_renew(&name, owner, micros(LEASE)).await {
                    // Someone else has it now; two must never run it.
                    tracing::error!(job = name, "the lease was lost, the run is stopped");
                    return;
                }
            }
        }
    };
    let outcome = match ended {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::said(format!("not finished after {} s", job.limit.as_secs()))),
        Err(panic) if panic.is_panic() => Err(Error::said(message(&*panic.into_panic()))),
        Err(error) => Err(Error::said(error.to_string())),
    };
    if let Err(error) = write_down(ctx, &name, owner, &outcome).await {
        tracing::error!(%error, job = name, "how the job ended was not written");
    }
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_default())
}

async fn write_down(
    ctx: &Shared,
    name: &str,
    owner: &str,
    outcome: &Result<Json, Error>,
) -> Result<(), StoreError> {
    match outcome {
        Ok(result) => {
            ctx.store().job_end(name, owner, Ok(&result.to_string()), 0).await?;
        }
        Err(error) => {
            tracing::error!(%error, job = name, "a job failed");
            let text = error.to_string();
            ctx.store().job_end(name, owner, Err(&text), micros(RETRY)).await?;
        }
    }
    Ok(())
}
