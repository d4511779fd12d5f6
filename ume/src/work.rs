//! What runs beside the server: reconcilers on timers. Each takes no input, is idempotent, leaves a
//! record of its run, and a failure of one never stops the others.

use std::{collections::BTreeMap, path::Path, time::Duration};

use isms::pages::SharedBoard;
use model::{Assurance, Id, Level, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{Filter, RecordDraft, Row, StoreError};
use web::{House, Shared};

use crate::{CliError, rooms::ROOMS};

const DRAIN_EVERY: Duration = Duration::from_millis(500);
const JUDGE_EVERY: Duration = Duration::from_secs(30);
const REBUILD_EVERY: Duration = Duration::from_secs(3600);
const COLLECT_EVERY_HOURS: i64 = 6;
const FLUSH_EVERY: Duration = Duration::from_secs(15);
const STATUS_EVERY_HOURS: i64 = 1;

/// Runs every job until aborted.
pub async fn run(house: Shared, board: SharedBoard) {
    let jobs = [
        tokio::spawn(drain(house.clone())),
        tokio::spawn(judge(house.clone(), board)),
        tokio::spawn(collect(house.clone())),
        tokio::spawn(intake(house.clone())),
        tokio::spawn(notices::run(house)),
    ];
    let _guard = AbortOnDrop(jobs.iter().map(tokio::task::JoinHandle::abort_handle).collect());
    for job in jobs {
        if let Err(error) = job.await {
            tracing::error!(%error, "a job ended");
        }
    }
}

struct AbortOnDrop(Vec<tokio::task::AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// Moves leaves from the outbox into the ledger and signs a checkpoint within a second.
async fn drain(house: Shared) {
    loop {
        let mut ledger = house.ledger.lock().await;
        let moved = match ledger::drain(&house.store, &mut ledger).await {
            Ok(_) => ledger.checkpoint().map(drop),
            Err(error) => Err(error),
        };
        drop(ledger);
        if let Err(error) = moved {
            tracing::error!(%error, "the ledger took nothing");
        }
        tokio::time::sleep(DRAIN_EVERY).await;
    }
}

/// Recomputes the board after each change and on a timer, and records each change of a level.
async fn judge(house: Shared, board: SharedBoard) {
    let mut known: BTreeMap<&'static str, Level> =
        board.read().await.all().map(|c| (c.spec.control, Level::None)).collect();
    if let Err(error) = isms::drops::recall(&house.store, &mut known).await {
        tracing::error!(%error, "the levels before the start are not known");
    }
    let mut keeper = None;
    let mut rebuilt = tokio::time::Instant::now();
    loop {
        let _ = tokio::time::timeout(JUDGE_EVERY, house.changed.notified()).await;
        if let Err(error) = isms::welcome::refresh_local(&house).await {
            tracing::error!(%error, "the organisation's time zone was not read");
        }
        // Now and then from scratch: another process may have written.
        if rebuilt.elapsed() > REBUILD_EVERY {
            keeper = None;
            rebuilt = tokio::time::Instant::now();
        }
        let outcome = async {
            let kept = match keeper.take() {
                Some(mut kept) => {
                    isms::Keeper::refresh(&mut kept, &house.store).await?;
                    kept
                }
                None => isms::Keeper::open(&house.store, &ROOMS).await?,
            };
            let fresh = kept.board(&house.store, house.store.now()).await?;
            keeper = Some(kept);
            record_changes(&house, &fresh, &mut known).await?;
            *board.write().await = fresh;
            isms::drops::answer(&house.store).await?;
            Ok::<(), StoreError>(())
        };
        if let Err(error) = outcome.await {
            tracing::error!(%error, "levels were not computed");
        }
    }
}

async fn record_changes(
    house: &House,
    board: &isms::Board,
    known: &mut BTreeMap<&'static str, Level>,
) -> Result<(), StoreError> {
    for control in board.all() {
        let before = known.insert(control.spec.control, control.level).unwrap_or(Level::None);
        if before == control.level {
            continue;
        }
        let facts = json!({
            "control": control.spec.control,
            "from": before.name(),
            "to": control.level.name(),
        });
        write(house, "system:judge", draft("isms.level_changed", None, board.at, facts)).await?;
        tracing::info!(
            control = control.spec.control,
            level = control.level.name(),
            "level changed"
        );
    }
    Ok(())
}

fn draft(ty: &str, subject: Option<Id>, at: Timestamp, facts: Json) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject,
        observed_from: at,
        observed_to: at,
        source: "this machine".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

async fn write(house: &House, actor: &str, draft: RecordDraft) -> Result<(), StoreError> {
    let mut write = house.store.write(actor, "work", "").await?;
    write.record(draft).await?;
    write.commit().await
}

/// This machine's row in the register; made at the first start.
async fn this_host(house: &House) -> Result<Id, StoreError> {
    if let Some(id) = house.store.setting("this_host").await?.and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned());
    let known = Filter { kind: Some("host".to_owned()), limit: 200, ..Filter::default() };
    let existing =
        house.store.list(Table::Asset, &known).await?.into_iter().find(|h| h.name == name);
    let id = match existing {
        Some(row) => row.id,
        None => {
            let mut row = Row::new(Table::Asset, house.store.new_id()?, "host", &name);
            // What the kind requires, so that the row can be changed and imported like any other.
            row.attributes.insert("hostname".to_owned(), name.as_str().into());
            row.attributes.insert("os".to_owned(), this_os().into());
            let mut write = house.store.write("system:serve", "this machine", "").await?;
            let row = write.put(row).await?;
            write.commit().await?;
            row.id
        }
    };
    house.store.set_setting("this_host", &id.to_string()).await?;
    house.wake();
    Ok(id)
}

/// What this machine's system calls itself (os-release(5)).
fn this_os() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

async fn due(house: &House, ty: &str, subject: Id, hours: i64) -> Result<bool, StoreError> {
    let newest = house.store.newest_records(&[ty], Some(subject), 1).await?;
    let now = house.store.now();
    Ok(newest.first().is_none_or(|r| now.hours_since(r.observed_to) >= hours))
}

/// Collects the configuration of this machine.
async fn collect(house: Shared) {
    loop {
        if let Err(error) = collect_once(&house).await {
            tracing::error!(%error, "the configuration of this machine was not collected");
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}

async fn collect_once(house: &House) -> Result<(), StoreError> {
    let host = this_host(house).await?;
    if !due(house, "configuration.snapshot", host, COLLECT_EVERY_HOURS).await? {
        return Ok(());
    }
    let started = house.store.now();
    let snapshot = tokio::task::spawn_blocking(|| {
        let snapshot = configuration::work::collect::collect(Path::new("/"), true);
        (snapshot.facts(), snapshot.to_json())
    });
    let Ok((facts, payload)) = snapshot.await else { return Ok(()) };
    let mut draft = draft("configuration.snapshot", Some(host), house.store.now(), facts);
    draft.observed_from = started;
    draft.payload = Some(payload.to_string().into_bytes());
    write(house, "system:configuration.collect", draft).await?;
    house.wake();
    Ok(())
}

/// Follows this machine's journal and log files into spool and archive, and reports their counts.
async fn intake(house: Shared) {
    let folder = house.archive.clone();
    let limits = stream::Limits::default();
    let opened = tokio::task::spawn_blocking(move || stream::Stream::open(&folder, limits)).await;
    let stream = match opened {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::error!(%error, "the intake did not start"),
        Err(error) => return tracing::error!(%error, "the intake did not start"),
    };
    let (_end, shutdown) = tokio::sync::watch::channel(false);
    let mut followers = follow(&stream, &shutdown);
    followers.push(tokio::spawn(crate::people::watch(house.clone(), stream.clone())));
    let _guard = AbortOnDrop(followers.iter().map(tokio::task::JoinHandle::abort_handle).collect());
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = flush_once(&house, &stream).await {
            tracing::error!(%error, "events were not archived");
        }
    }
}

const BACKLOG_BYTES_MAX: u64 = 64 << 20;
const JOURNAL_FIRST_LINES: u32 = 10_000;

/// Follows the journal, and every log file that this machine has.
fn follow(
    stream: &stream::Stream,
    shutdown: &stream::intake::Shutdown,
) -> Vec<tokio::task::JoinHandle<()>> {
    let mut followers = Vec::new();
    if let Some(journal) = stream::intake::JournalFollow::find("journal", JOURNAL_FIRST_LINES) {
        let (stream, shutdown) = (stream.clone(), shutdown.clone());
        followers.push(tokio::spawn(async move {
            if let Err(error) = journal.run(stream, shutdown).await {
                tracing::error!(%error, "the journal is no longer followed");
            }
        }));
    }
    for (source, path) in stream::Stream::standard_files(Path::new("/")) {
        let format = format_of(&source);
        let tail =
            stream::intake::FileTail::open(stream, &source, &path, format, BACKLOG_BYTES_MAX);
        let tail = match tail {
            Ok(tail) => tail,
            Err(error) => {
                tracing::error!(%error, source, "the log file is not followed");
                continue;
            }
        };
        let (stream, shutdown) = (stream.clone(), shutdown.clone());
        followers.push(tokio::spawn(async move {
            if let Err(error) = tail.run(stream, shutdown).await {
                tracing::error!(%error, source, "the log file is no longer followed");
            }
        }));
    }
    followers
}

fn format_of(source: &str) -> stream::Format {
    match source {
        s if s.contains("dpkg") => stream::Format::Dpkg,
        s if s.contains("apt") => stream::Format::AptHistory,
        s if s.contains("alternatives") => stream::Format::Plain,
        _ => stream::Format::Syslog,
    }
}

async fn flush_once(house: &House, stream: &stream::Stream) -> Result<(), CliError> {
    let (flushing, now) = (stream.clone(), house.store.now());
    let Ok(segments) = tokio::task::spawn_blocking(move || flushing.flush(now)).await else {
        return Ok(());
    };
    for segment in segments? {
        let facts = json!({
            "path": segment.path.file_name().map(|n| n.to_string_lossy().into_owned()),
            "rows": segment.rows,
            "bytes": segment.bytes,
            "root": hex::encode(segment.row_root),
        });
        write(
            house,
            "system:monitoring.archive",
            draft("monitoring.segment_root", None, now, facts),
        )
        .await?;
    }
    let counters = stream.counters();
    if let Ok(mut intake) = house.intake.write() {
        *intake = serde_json::to_value(&counters).unwrap_or_default();
    }
    let host = this_host(house).await?;
    if !counters.is_empty()
        && due(house, "monitoring.source_status", host, STATUS_EVERY_HOURS).await?
    {
        let facts = source_status(&counters, stream.pending());
        write(
            house,
            "system:monitoring.status",
            draft("monitoring.source_status", Some(host), now, facts),
        )
        .await?;
        house.wake();
    }
    Ok(())
}

/// Sums the counts of this machine's sources since the folder was made.
fn source_status(counters: &BTreeMap<String, stream::Counters>, pending: u64) -> Json {
    let (mut received, mut stored, mut bytes) = (0, 0, 0);
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
        // No rule is evaluated yet, so nothing is claimed to have been.
        "evaluated": 0,
        "pending": pending,
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
