//! What the house itself does: the ledger, the tasks, the notices.

use std::{sync::Arc, time::Duration};

use model::t;
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
    let drain = move |ctx| drain(ctx, lock.clone());
    let mut all = vec![Service::new("ledger", Pause::For(DRAIN_EVERY), drain), witness::service()];
    all.extend(notices::services());
    all
}

/// Moves leaves from the outbox into the ledger and signs a checkpoint within a second.
async fn drain(ctx: Shared, lock: Arc<Mutex<WriterLock>>) -> Result<(), Error> {
    if !lock.lock().await.hold().await? {
        return Err(Error::said(crate::CliError::LedgerHeld));
    }
    let mut ledger = ctx.house.ledger.lock().await;
    ledger::drain(ctx.store(), &mut ledger).await?;
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
    // Held while reading, so that the log does not grow under the verifier.
    let mut ledger = ctx.house.ledger.lock().await;
    if ledger.fork().is_none() {
        ledger.checkpoint()?;
    }
    let report = ledger::verify_all(ledger.folder(), ctx.store()).await?;
    drop(ledger);
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
