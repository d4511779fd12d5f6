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
        name: "ledger.verify",
        title: t("証跡の検証", "Verify the ledger"),
        every: HOUR.saturating_mul(24),
        limit: HOUR,
        local: false,
        run: |ctx| Box::pin(verify(ctx)),
    },
];

pub(super) fn draft(ty: &str, subject: Option<Id>, at: Timestamp, facts: Json) -> RecordDraft {
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

pub(super) async fn write(
    store: &Store,
    actor: &str,
    draft: RecordDraft,
) -> Result<(), StoreError> {
    let mut write = store.write(actor, "work", "").await?;
    write.record(draft).await?;
    write.commit().await
}

/// This machine's row in the register; made at the first run.
async fn this_host(ctx: &Ctx) -> Result<Id, StoreError> {
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
            let mut write = ctx.store.write("system:serve", "this machine", "").await?;
            let row = write.put(Row::new(Table::Asset, ctx.store.new_id()?, "host", &name)).await?;
            write.commit().await?;
            row.id
        }
    };
    ctx.store.set_setting(&setting, &id.to_string()).await?;
    Ok(id)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| CliError::Worker(e.to_string()))
}

/// Collects the configuration of this machine.
async fn collect(ctx: Arc<Ctx>) -> Result<Json, CliError> {
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
    let counters = ctx.stream.counters();
    if counters.is_empty() {
        return Ok(json!({ "sources": 0 }));
    }
    let host = this_host(&ctx).await?;
    let facts = sums(&counters, ctx.stream.pending());
    let draft = draft("monitoring.source_status", Some(host), ctx.store.now(), facts.clone());
    write(&ctx.store, "system:monitoring.status", draft).await?;
    (ctx.wake)();
    Ok(json!({ "sources": counters.len(), "received": facts["received"] }))
}

/// Sums the counts of this machine's sources since the folder was made.
fn sums(counters: &BTreeMap<String, stream::Counters>, pending: u64) -> Json {
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

/// Setting that holds the last level of a control that was recorded.
pub(super) fn level_setting(control: &str) -> String {
    format!("recorded_level:{control}")
}

/// Compares every level with the last recorded one and records each change.
async fn levels(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    let board = isms::compute(&ctx.store, &ROOMS).await?;
    let mut changed = 0;
    for control in &board.controls {
        let (id, to) = (control.spec.control, control.level.name());
        let setting = level_setting(id);
        let known = ctx.store.setting(&setting).await?;
        let from = known.as_deref().unwrap_or(Level::None.name());
        if from == to {
            continue;
        }
        let facts = json!({ "control": id, "from": from, "to": to });
        let draft = draft("isms.level_changed", None, board.at, facts);
        write(&ctx.store, "system:judge", draft).await?;
        ctx.store.set_setting(&setting, to).await?;
        tracing::info!(control = id, level = to, "level changed");
        changed += 1;
    }
    Ok(json!({ "controls": board.controls.len(), "changed": changed }))
}

/// Verifies log, tiles, checkpoint and every row. A mismatch is a failed run.
async fn verify(ctx: Arc<Ctx>) -> Result<Json, CliError> {
    // Held while reading, so that the log does not grow under the verifier.
    let mut ledger = ctx.ledger.lock().await;
    ledger.checkpoint()?;
    let folder = ledger.folder().to_owned();
    let (mut report, leaves) = blocking(move || ledger::verify(&folder)).await??;
    ledger::verify_rows(&ctx.store, &leaves, &mut report).await?;
    drop(ledger);
    if let Some(first) = report.faults.first() {
        let (count, place, what) = (report.faults.len(), &first.place, &first.what);
        let why = format!("{count} mismatches, the first at {place}: {what}");
        return Err(CliError::Job("ledger.verify".to_owned(), why));
    }
    Ok(json!({ "leaves": report.leaves, "rows": report.rows, "pending": report.pending }))
}
