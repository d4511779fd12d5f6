//! The jobs themselves.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use model::{Assurance, Id, Level, Table, Timestamp, t};
use serde_json::{Map, Value as Json, json};
use store::{Filter, RecordDraft, Row, Store, StoreError};

use super::{Ctx, Job, host_name};
use crate::{CliError, rooms::ROOMS};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// Every job of this build.
pub const JOBS: &[Job] = &[
    Job {
        name: "configuration.collect",
        title: t("このマシンの構成の収集", "Collect this machine's configuration"),
        every: HOUR.saturating_mul(6),
        limit: MINUTE.saturating_mul(10),
        local: true,
        run: |ctx| Box::pin(collect(ctx)),
    },
    Job {
        name: "monitoring.status",
        title: t("受信状況の記録", "Record the state of the intake"),
        every: HOUR,
        limit: MINUTE,
        local: true,
        run: |ctx| Box::pin(source_status(ctx)),
    },
    Job {
        name: "isms.levels",
        title: t("レベルの変化の記録", "Record changes of levels"),
        every: MINUTE.saturating_mul(10),
        limit: MINUTE.saturating_mul(5),
        local: false,
        run: |ctx| Box::pin(levels(ctx)),
    },
    Job {
        name: "files.sweep",
        title: t("参照されないファイルの削除", "Remove files that nothing names"),
        every: HOUR,
        limit: MINUTE.saturating_mul(10),
        local: false,
        run: |ctx| Box::pin(sweep(ctx)),
    },
    Job {
        name: "ledger.verify",
        title: t("証跡の検証", "Verify the ledger"),
        every: HOUR.saturating_mul(24),
        limit: HOUR,
        local: false,
        run: |ctx| Box::pin(verify(ctx)),
    },
];

pub(crate) fn draft(ty: &str, subject: Option<Id>, at: Timestamp, facts: Json) -> RecordDraft {
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

pub(crate) async fn write(
    store: &Store,
    actor: &str,
    draft: RecordDraft,
) -> Result<(), StoreError> {
    let mut write = store.write(actor, "work", "").await?;
    write.record(draft).await?;
    write.commit().await
}

/// Jobs of this machine start together, and only one may make its row.
static REGISTERING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// This machine's row in the register; made at the first run.
pub(super) async fn this_host(ctx: &Ctx) -> Result<Id, StoreError> {
    let _one = REGISTERING.lock().await;
    let name = host_name();
    let setting = format!("this_host:{name}");
    if let Some(id) = ctx.store.setting(&setting).await?.and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    let known = Filter { kind: Some("host".to_owned()), limit: 200, ..Filter::default() };
    let existing = ctx.store.list(Table::Asset, &known).await?.into_iter().find(|h| h.name == name);
    let id = match existing {
        Some(row) => row.id,
        None => {
            let mut row = Row::new(Table::Asset, ctx.store.new_id()?, "host", &name);
            // What the kind requires, so that the row can be changed and imported like any other.
            row.attributes.insert("hostname".to_owned(), name.as_str().into());
            row.attributes.insert("os".to_owned(), this_os().into());
            let mut write = ctx.store.write("system:serve", "this machine", "").await?;
            let row = write.put(row).await?;
            write.commit().await?;
            row.id
        }
    };
    ctx.store.set_setting(&setting, &id.to_string()).await?;
    Ok(id)
}

/// What this machine's system calls itself (os-release(5)).
fn this_os() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| CliError::Worker(e.to_string()))
}

/// A demonstration never reads the machine it is shown on.
fn not_this_machine() -> Json {
    json!({ "skipped": "demonstration" })
}

/// Collects the configuration of this machine.
async fn collect(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    if web::demo::is_demo(&ctx.store).await? {
        return Ok(not_this_machine());
    }
    let host = this_host(&ctx).await?;
    let started = ctx.store.now();
    let (facts, payload) = blocking(|| {
        let snapshot = configuration::work::collect::collect(Path::new("/"), true);
        (snapshot.facts(), snapshot.to_json())
    })
    .await?;
    let mut draft = draft("configuration.snapshot", Some(host), ctx.store.now(), facts);
    draft.observed_from = started;
    let payload = payload.to_string().into_bytes();
    let bytes = payload.len();
    draft.payload = Some(payload);
    write(&ctx.store, "system:configuration.collect", draft).await?;
    (ctx.wake)();
    Ok(json!({ "host": host.to_string(), "payload_bytes": bytes }))
}

/// Records the counts of this machine's sources.
async fn source_status(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    if web::demo::is_demo(&ctx.store).await? {
        return Ok(not_this_machine());
    }
    let counters = ctx.stream.counters();
    if counters.is_empty() {
        return Ok(json!({ "sources": 0 }));
    }
    let host = this_host(&ctx).await?;
    // Sources of agents bear their host's name before a slash and are counted there.
    let own: BTreeMap<_, _> = counters.into_iter().filter(|(s, _)| !s.contains('/')).collect();
    let facts = sums(&own, ctx.stream.pending());
    let draft = draft("monitoring.source_status", Some(host), ctx.store.now(), facts.clone());
    write(&ctx.store, "system:monitoring.status", draft).await?;
    (ctx.wake)();
    Ok(json!({ "sources": own.len(), "received": facts["received"] }))
}

/// Sums the counts of this machine's sources since the folder was made.
pub(crate) fn sums(counters: &BTreeMap<String, stream::Counters>, pending: u64) -> Json {
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

/// A control whose level is not the one recorded last.
pub(super) struct Changed {
    control: &'static str,
    setting: String,
    from: String,
    to: &'static str,
}

/// Holds every level of a board against the one recorded last.
pub(super) async fn changed_levels(
    store: &Store,
    board: &isms::Board,
) -> Result<Vec<Changed>, StoreError> {
    const PREFIX: &str = "recorded_level:";
    let recorded: BTreeMap<String, String> = store.settings(PREFIX).await?.into_iter().collect();
    let changed = board.all().filter_map(|control| {
        let (id, to) = (control.spec.control, control.level.name());
        let setting = format!("{PREFIX}{id}");
        let from = recorded.get(&setting).map_or(Level::None.name(), String::as_str).to_owned();
        (from != to).then_some(Changed { control: id, setting, from, to })
    });
    Ok(changed.collect())
}

/// Records each change of a level since the last record.
async fn levels(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    let board = match &ctx.board {
        Some(board) => board.wait().await,
        None => {
            let keeper = isms::Keeper::open(&ctx.store, &ROOMS).await?;
            Arc::new(keeper.board(&ctx.store, ctx.store.now()).await?)
        }
    };
    let changed = record_levels(&ctx.store, &board).await?;
    let tasks = isms::drops::answer(&ctx.store).await?;
    Ok(json!({ "controls": board.controls.len(), "changed": changed, "tasks": tasks }))
}

/// Records what changed since the last record; returns how many levels did.
pub(crate) async fn record_levels(store: &Store, board: &isms::Board) -> Result<usize, StoreError> {
    let changed = changed_levels(store, board).await?;
    for Changed { control, setting, from, to } in &changed {
        let facts = json!({ "control": control, "from": from, "to": to });
        write(store, "system:judge", draft("isms.level_changed", None, board.at, facts)).await?;
        store.set_setting(setting, to).await?;
        tracing::info!(control, level = to, "level changed");
    }
    Ok(changed.len())
}

/// Removes files that nothing has named for a day.
async fn sweep(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    Ok(json!({ "removed": ctx.store.sweep_blobs().await? }))
}

/// Verifies log, tiles, checkpoint and every row. A mismatch is a failed run.
async fn verify(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    // Held while reading, so that the log does not grow under the verifier.
    let mut ledger = ctx.ledger.lock().await;
    if ledger.fork().is_none() {
        ledger.checkpoint()?;
    }
    let report = ledger::verify_all(ledger.folder(), &ctx.store).await?;
    drop(ledger);
    if let Some(first) = report.faults.first() {
        let (count, place, what) = (report.faults.len(), &first.place, &first.what);
        notices::ledger_fault(&ctx.store, place, count).await?;
        let why = format!("{count} mismatches, the first at {place}: {what}");
        return Err(CliError::Job("ledger.verify".to_owned(), why));
    }
    if report.unreadable > 0 {
        let why =
            format!("{} payloads cannot be opened: keys/epoch is not here", report.unreadable);
        return Err(CliError::Job("ledger.verify".to_owned(), why));
    }
    Ok(json!({ "leaves": report.leaves, "rows": report.rows, "files": report.blobs }))
}
