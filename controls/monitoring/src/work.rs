//! What this room does by itself: it holds what came in against the rules, archives it, looks back when rules are new,
//! and records how each source fares.

pub mod activation;
mod alerts;
pub mod canary;
pub mod collection;
pub mod coverage;
pub mod evaluate;
pub mod hunts;
pub mod intel;
mod joined;
pub mod live;
pub mod logs;
pub mod packs;
pub mod rules;
mod saved;
pub mod series;
pub mod spread;
pub mod week;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::{Timestamp, t};
use room::{Error, Job, Pause, Service, Shared, draft, this_host};
use serde_json::{Map, Value as Json, json};
use store::Store;

use crate::{measured, review};

const FLUSH_EVERY: Duration = Duration::from_secs(15);
/// Sidecars are made for so long in one round.
const COMPLETE: Duration = Duration::from_millis(300);
const EVALUATE_EVERY: Duration = Duration::from_millis(500);
const MEASURE_EVERY: Duration = Duration::from_secs(60);
const SERIES_EVERY: Duration = Duration::from_secs(2);
/// What is learnt of logs decides within minutes, not within a second.
const LEARN_EVERY: Duration = Duration::from_secs(5);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Longer than a slice of a hunt takes: it stays below a third of a core.
const HUNT_EVERY: Duration = Duration::from_millis(450);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("受信状況の記録", "Record the state of the intake");
    let canary = t("警報の自己点検", "Test of the alarm");
    let steady = t("定常状態の記録", "Record the steady state");
    let trends = t("セキュリティログの傾向", "Trends of security logs");
    let reviews = t("レビューの期日", "Reviews that fall due");
    let looks = t("定常状態の確認タスク", "Weekly tasks to look at the steady state");
    let detection = t("検知時間の集計", "Detection time");
    let wrong = t("誤検知の集計", "False alarms");
    let coverage = t("検知ルールの成立可否", "Which rules can fire");
    vec![
        Job::new("monitoring.trends", trends, logs::trends).limit(Duration::from_secs(60)).local(),
        Job::new("monitoring.status", title, source_status).limit(Duration::from_secs(60)).local(),
        Job::new("monitoring.canary", canary, canary::run)
            .every(Duration::from_secs(15 * 60))
            .limit(Duration::from_secs(60))
            .local(),
        Job::new("monitoring.steady", steady, series::record_daily)
            // What was said yesterday counts for a day: said twice a day it does not grow old in between.
            .every(Duration::from_secs(12 * 3_600))
            .limit(Duration::from_secs(30 * 60))
            .local(),
        Job::new("monitoring.reviews", reviews, review::due::run),
        Job::new("monitoring.status_tasks", looks, review::status::tasks),
        Job::new("monitoring.detection_time", detection, measured::detection_time).every(DAY),
        Job::new("monitoring.false_alarms", wrong, measured::false_alarms).every(DAY),
        Job::new("monitoring.coverage", coverage, coverage::run)
            .every(Duration::from_secs(24 * 3_600))
            .limit(Duration::from_secs(120)),
    ]
}

/// The room's services.
pub fn services() -> Vec<Service> {
    vec![
        Service::new("rules", Pause::For(EVALUATE_EVERY), live::round),
        Service::new("series", Pause::For(SERIES_EVERY), series::round),
        Service::new("measures", Pause::For(MEASURE_EVERY), series::measure_host),
        Service::new("logs", Pause::For(LEARN_EVERY), logs::round),
        Service::new("hunts", Pause::For(HUNT_EVERY), hunts::round),
        Service::new("archive", Pause::For(FLUSH_EVERY), archive),
    ]
}

/// Records the counts of this machine's sources.
async fn source_status(ctx: Shared) -> Result<Json, Error> {
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let counters = ctx.stream.counters();
    if counters.is_empty() {
        return Ok(json!({ "sources": 0 }));
    }
    let (host, store) = (this_host(&ctx).await?, ctx.store());
    // Sources of agents bear their host's name before a slash and are counted there.
    let own: BTreeMap<_, _> = counters.into_iter().filter(|(s, _)| !s.contains('/')).collect();
    let progress = ctx.house.kept.get::<live::Live>().take_progress(store.now());
    let mut facts = sums(&own, &progress);
    let learnt = ctx.house.kept.get::<logs::Logs>().shown();
    if logs::status::is_this_machine_silent(&learnt.sources) {
        facts["silent"] = true.into();
    }
    let received = facts["received"].clone();
    let others = logs::status::due(&ctx, store.now()).await?;
    let told = others.len();
    let mut write = store.write("system:monitoring.status", "work", "").await?;
    write.record(draft(logs::status::STATUS, Some(host), store.now(), facts)).await?;
    for draft in others {
        write.record(draft).await?;
    }
    write.commit().await?;
    ctx.house.wake();
    Ok(json!({ "sources": own.len(), "received": received, "others": told }))
}

/// Sums the counts of this machine's sources since the folder was made. What was stored before there were rules
/// is neither evaluated nor does it wait for that.
pub fn sums(counters: &BTreeMap<String, stream::Counters>, progress: &live::Progress) -> Json {
    let (mut received, mut stored, mut bytes) = (0, 0, 0);
    let of = |counts: &BTreeMap<String, u64>| -> u64 {
        counters.keys().filter_map(|source| counts.get(source)).sum()
    };
    let (evaluated, before) = (of(&progress.evaluated), of(&progress.before));
    let (mut refused, mut lost): (Map<String, Json>, Map<String, Json>) = Default::default();
    for c in counters.values() {
        received += c.received;
        stored += c.stored;
        bytes += c.bytes;
        add(&mut refused, &c.refused);
        add(&mut lost, &c.lost);
    }
    let total = |map: &Map<String, Json>| map.values().filter_map(Json::as_u64).sum::<u64>();
    let (refused_total, lost_total) = (total(&refused), total(&lost));
    json!({
        "received": received,
        "stored": stored,
        "refused": refused,
        "refused_total": refused_total,
        "lost": lost,
        "lost_total": lost_total,
        "lost_permille": (lost_total * 1000).checked_div(received).unwrap_or(0),
        "evaluated": evaluated,
        "before_rules": before,
        "pending": stored.saturating_sub(evaluated + before),
        "lag_max_ms": progress.lag_max_ms.max(0),
        "bytes": bytes,
        "silent": received == 0,
        "source_class": "system",
    })
}

fn add(into: &mut Map<String, Json>, counts: &BTreeMap<String, u64>) {
    for (reason, n) in counts {
        let sum = into.get(reason).and_then(Json::as_u64).unwrap_or(0) + n;
        into.insert(reason.clone(), sum.into());
    }
}

/// Archives what the spool holds, and publishes the counts.
async fn archive(ctx: Shared) -> Result<(), Error> {
    archive_once(ctx.store(), &ctx.stream, ctx.store().now()).await?;
    if let Ok(mut intake) = ctx.house.intake.write() {
        *intake = serde_json::to_value(ctx.stream.counters()).unwrap_or_default();
    }
    complete(&ctx).await
}

/// Segments that wait for a sidecar; not looked for yet at the start.
#[derive(Default)]
struct Bare(Mutex<Option<Vec<PathBuf>>>);

/// The same for what indicators are looked for by.
#[derive(Default)]
struct Unseen(Mutex<Option<Vec<PathBuf>>>);

/// Makes sidecars of segments that have none, some in each round. One that cannot be read stays without.
async fn complete(ctx: &Shared) -> Result<(), Error> {
    see(ctx).await?;
    let (bare, archive) = (ctx.house.kept.get::<Bare>(), ctx.stream.archive_folder());
    if bare.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Vec::is_empty) {
        return Ok(());
    }
    let done = room::blocking(move || -> stream::Result<()> {
        let mut bare = bare.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bare.is_none() {
            *bare = Some(stream::sidecar::missing(&archive)?);
        }
        let (waiting, until) = (bare.get_or_insert_default(), Instant::now() + COMPLETE);
        while Instant::now() < until
            && let Some(segment) = waiting.pop()
        {
            if let Err(error) = stream::sidecar::rebuild(&segment) {
                tracing::warn!(%error, "a segment has no sidecar");
            }
        }
        Ok(())
    });
    Ok(done.await??)
}

/// Makes the keys of segments that have none, some in each round.
async fn see(ctx: &Shared) -> Result<(), Error> {
    let (unseen, archive) = (ctx.house.kept.get::<Unseen>(), ctx.stream.archive_folder());
    if unseen.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Vec::is_empty) {
        return Ok(());
    }
    let done = room::blocking(move || -> stream::Result<()> {
        let mut unseen = unseen.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unseen.is_none() {
            *unseen = Some(intel::seen::missing(&archive)?);
        }
        let (waiting, until) = (unseen.get_or_insert_default(), Instant::now() + COMPLETE);
        while Instant::now() < until
            && let Some(segment) = waiting.pop()
        {
            if let Err(error) = intel::seen::rebuild(&segment) {
                tracing::warn!(%error, "a segment has no keys beside it");
            }
        }
        Ok(())
    });
    Ok(done.await??)
}

/// Flushes the stream and records the root of each segment.
pub async fn archive_once(
    store: &Store,
    stream: &stream::Stream,
    now: Timestamp,
) -> Result<(), Error> {
    let flushing = stream.clone();
    let segments = room::blocking(move || flushing.flush(now)).await??;
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
