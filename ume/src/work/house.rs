//! What the house itself does: the ledger, the tasks, the notices.

use std::{sync::Arc, time::Duration};

use ledger::LedgerError;
use model::t;
use notices::alarm::Alarm;
use room::{Error, Job, Pause, Service, Shared};
use serde_json::{Value as Json, json};
use store::WriterLock;
use tokio::sync::Mutex;

const HOUR: Duration = Duration::from_secs(3600);
const DRAIN_EVERY: Duration = Duration::from_millis(500);

/// Jobs of the house.
pub fn jobs() -> Vec<Job> {
    let verify_title = t("証跡の検証", "Verify the ledger");
    let sweep_title = t("参照されないファイルの削除", "Remove files that nothing names");
    let recur_title =
        t("繰り返すタスクの次回分の作成", "Make the next occurrence of recurring tasks");
    vec![
        Job::new("files.sweep", sweep_title, sweep).limit(HOUR / 6),
        Job::new("ledger.verify", verify_title, verify).every(HOUR * 24).limit(HOUR),
        Job::new("tasks.recur", recur_title, recur).every(HOUR / 6),
    ]
}

/// Services of the house. `lock` is the right to write the ledger of the database.
pub fn services(lock: WriterLock) -> Vec<Service> {
    let lock = Arc::new(Mutex::new(lock));
    let alarm = Arc::new(Mutex::new(Alarm::default()));
    let drain = move |ctx| drain(ctx, lock.clone(), alarm.clone());
    let mut all = vec![Service::new("ledger", Pause::For(DRAIN_EVERY), drain), witness::service()];
    all.extend(notices::services());
    all
}

/// Moves leaves from the outbox into the ledger and signs a checkpoint within a second.
/// People are told of a ledger that stands still.
async fn drain(
    ctx: Shared,
    lock: Arc<Mutex<WriterLock>>,
    alarm: Arc<Mutex<Alarm>>,
) -> Result<(), Error> {
    if !lock.lock().await.hold().await? {
        return Err(Error::said(crate::CliError::LedgerHeld));
    }
    let (done, fork) = {
        let mut ledger = ctx.house.ledger.lock().await;
        (drain_once(&ctx, &mut ledger).await, ledger.fork().cloned())
    };
    let local = ctx.house.people.local();
    let mut alarm = alarm.lock().await;
    let told = match (&fork, &done) {
        (Some(fork), _) => alarm.forked(ctx.store(), &local.zone, fork).await,
        (None, Err(error)) => alarm.failed(ctx.store(), &local.zone, error).await,
        (None, Ok(())) => Ok(false),
    };
    if let Err(error) = told {
        tracing::error!("nobody could be told that the ledger stands still: {error}");
    }
    Ok(done?)
}

async fn drain_once(ctx: &Shared, ledger: &mut ledger::Ledger) -> Result<(), LedgerError> {
    ledger::drain(ctx.store(), ledger).await?;
    ledger.checkpoint()?;
    Ok(())
}

/// Removes files that nothing has named for a day.
async fn sweep(ctx: Shared) -> Result<Json, Error> {
    Ok(json!({ "removed": ctx.store().sweep_blobs().await? }))
}

/// Makes the next occurrence of each recurring task that has none.
async fn recur(ctx: Shared) -> Result<Json, Error> {
    let made = tasks::materialise(ctx.store()).await.map_err(Error::said)?;
    Ok(json!({ "made": made }))
}

/// Verifies log, tiles, checkpoint and every row. A mismatch is a failed run.
async fn verify(ctx: Shared) -> Result<Json, Error> {
    let folder = ctx.house.checkpointed().await?;
    let report = ledger::verify_all(&folder, ctx.store()).await?;
    if let Some(first) = report.faults.first() {
        let (count, place, what) = (report.faults.len(), &first.place, &first.what);
        notices::ledger_fault(ctx.store(), place, count).await?;
        let why = format!("{count} mismatches, the first at {place}: {what}");
        return Err(Error::said(why));
    }
    if report.unreadable > 0 {
        let why =
            format!("{} payloads cannot be opened: keys/epoch is not here", report.unreadable);
        return Err(Error::said(why));
    }
    Ok(
        json!({ "leaves": report.leaves, "rows": report.rows, "files": report.blobs, "pending": report.pending }),
    )
}
