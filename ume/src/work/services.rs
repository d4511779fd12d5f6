//! What one process does all the time: ledger, board, archive. They restart after a panic.

use std::time::Duration;

use model::Timestamp;
use serde_json::json;
use store::{Store, WriterLock};
use web::Shared;

use super::{
    Ctx,
    jobs::{changed_levels, draft},
};
use crate::{CliError, jobs_page::Services, rooms::ROOMS};

const DRAIN_EVERY: Duration = Duration::from_millis(500);
const JUDGE_EVERY: Duration = Duration::from_secs(30);
const REBUILD_EVERY: Duration = Duration::from_secs(3600);
const FLUSH_EVERY: Duration = Duration::from_secs(15);
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Runs the services until aborted.
pub async fn run(
    ctx: std::sync::Arc<Ctx>,
    house: Shared,
    lock: WriterLock,
    services: std::sync::Arc<Services>,
) {
    let lock = std::sync::Arc::new(tokio::sync::Mutex::new(lock));
    let drain = {
        let (ctx, services, lock) = (ctx.clone(), services.clone(), lock.clone());
        always("ledger", services, move |services| drain(ctx.clone(), lock.clone(), services))
    };
    let judge = {
        let (ctx, house) = (ctx.clone(), house.clone());
        always("board", services.clone(), move |services| {
            judge(ctx.clone(), house.clone(), services)
        })
    };
    let notices = {
        let house = house.clone();
        always("notices", services.clone(), move |_| notices::run(house.clone()))
    };
    let archive =
        always("archive", services, move |services| archive(ctx.clone(), house.clone(), services));
    tokio::join!(drain, judge, archive, notices);
}

/// Starts a service again when it panicked.
async fn always<F, Fut>(name: &'static str, services: std::sync::Arc<Services>, start: F)
where
    F: Fn(std::sync::Arc<Services>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    loop {
        let task = tokio::spawn(start(services.clone()));
        let _end = AbortOnDrop(task.abort_handle());
        if let Err(error) = task.await {
            services.note(name, Err(error));
        }
        tokio::time::sleep(RESTART_AFTER).await;
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Lock = std::sync::Arc<tokio::sync::Mutex<WriterLock>>;

/// Moves leaves from the outbox into the ledger and signs a checkpoint within a second.
async fn drain(ctx: std::sync::Arc<Ctx>, lock: Lock, services: std::sync::Arc<Services>) {
    loop {
        services.note("ledger", drain_once(&ctx, &lock).await);
        tokio::time::sleep(DRAIN_EVERY).await;
    }
}

async fn drain_once(ctx: &Ctx, lock: &Lock) -> Result<(), CliError> {
    if !lock.lock().await.hold().await? {
        return Err(CliError::LedgerHeld);
    }
    let mut ledger = ctx.ledger.lock().await;
    ledger::drain(&ctx.store, &mut ledger).await?;
    ledger.checkpoint()?;
    Ok(())
}

/// Brings the board up to date after each change and on a timer; the job `isms.levels` records
/// changes.
async fn judge(ctx: std::sync::Arc<Ctx>, house: Shared, services: std::sync::Arc<Services>) {
    let mut keeper = None;
    let mut rebuilt = tokio::time::Instant::now();
    loop {
        // Now and then from scratch: another process may have written.
        if rebuilt.elapsed() > REBUILD_EVERY {
            keeper = None;
            rebuilt = tokio::time::Instant::now();
        }
        services.note("board", judge_once(&ctx, &house, &mut keeper).await);
        let _ = tokio::time::timeout(JUDGE_EVERY, house.changed.notified()).await;
    }
}

async fn judge_once(
    ctx: &Ctx,
    house: &Shared,
    keeper: &mut Option<isms::Keeper>,
) -> Result<(), CliError> {
    isms::welcome::refresh_local(house).await?;
    // A keeper that failed half-way is not kept: the next round reads everything.
    let kept = match keeper.take() {
        Some(mut kept) => {
            kept.refresh(&ctx.store).await?;
            kept
        }
        None => isms::Keeper::open(&ctx.store, &ROOMS).await?,
    };
    let fresh = kept.board(&ctx.store, ctx.store.now()).await?;
    *keeper = Some(kept);
    let changed = changed_levels(&ctx.store, &fresh).await?;
    if let Some(board) = &ctx.board {
        board.put(fresh);
    }
    if !changed.is_empty() {
        ctx.store.job_ask("isms.levels").await?;
    }
    Ok(())
}

/// Archives what the spool holds, and publishes the counts.
async fn archive(ctx: std::sync::Arc<Ctx>, house: Shared, services: std::sync::Arc<Services>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        services.note("archive", archive_once(&ctx.store, &ctx.stream, ctx.store.now()).await);
        if let Ok(mut intake) = house.intake.write() {
            *intake = serde_json::to_value(ctx.stream.counters()).unwrap_or_default();
        }
    }
}

/// Flushes the stream and records the root of each segment.
pub(crate) async fn archive_once(
    store: &Store,
    stream: &stream::Stream,
    now: Timestamp,
) -> Result<(), CliError> {
    let flushing = stream.clone();
    let segments = tokio::task::spawn_blocking(move || flushing.flush(now)).await;
    let segments = segments.map_err(|e| CliError::Worker(e.to_string()))??;
    if segments.is_empty() {
        return Ok(());
    }
    let mut write = store.write("system:monitoring.archive", "work", "").await?;
    for segment in segments {
        let facts = json!({
            "path": segment.path.file_name().map(|n| n.to_string_lossy().into_owned()),
            "rows": segment.rows,
            "bytes": segment.bytes,
            "root": hex::encode(segment.row_root),
        });
        write.record(draft("monitoring.segment_root", None, now, facts)).await?;
    }
    Ok(write.commit().await?)
}
