//! Keeps what is known of systems up to date: templates and departures (take-8), designed in (matsu-5), the chain from
//! requirement to result with the tests that extensions ask for (take-5), defaults at introduction (ume-5).
//!
//! Invariants: a record is written when what it says changed, and otherwise every week; a run that is cut off repeats
//! nothing, since each system is one change.

use std::collections::BTreeSet;

use model::{Id, Table, Timestamp};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store, StoreError, Within, Write};

use super::seen;
use crate::{
    registers::{day, fact, number, reference, text},
    systems::CHECK,
    templates, trace, trials,
};

const DEFAULTS: &str = "configuration.defaults_check";
const AGAIN_HOURS: i64 = 7 * 24;
/// Check runs of one asset that are gone through to the first one after its introduction.
const RUNS_MAX: usize = 4_000;
const DAY_HOURS: i64 = 24;

/// Writes a record unless the newest one of its type about its subject says the same and is young.
pub(crate) async fn tell(
    store: &Store,
    write: &mut Write<'_>,
    draft: RecordDraft,
) -> Result<bool, StoreError> {
    let newest = store.newest_records(&[&draft.ty], draft.subject, 1).await?.pop();
    let is_young = |at: Timestamp| at > draft.observed_to.minus_hours(AGAIN_HOURS);
    if newest.is_some_and(|old| old.facts == draft.facts && is_young(old.observed_to)) {
        return Ok(false);
    }
    write.record(draft).await?;
    Ok(true)
}

async fn systems(store: &Store) -> Result<Vec<Row>, StoreError> {
    let mut rows = store.all(Table::Asset, &["system"]).await?;
    rows.retain(|row| row.status == "active");
    Ok(rows)
}

/// Templates that were put to systems: departures, and whether they came first.
pub(crate) async fn templates(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let hosts = seen::hosts(store, &Within::All).await?;
    let (mut uses, mut written) = (0, 0);
    for system in systems(store).await? {
        let used = templates::uses(store, &[system.id], &hosts).await?;
        let now = store.now();
        let mut drafts: Vec<RecordDraft> = Vec::new();
        // Of several templates the newest stands for the system, with the departures of all.
        if let Some(newest) = used.iter().max_by_key(|one| one.since) {
            let all = used.iter().flat_map(|one| one.deviations.iter().cloned()).collect();
            let (template, system) = (newest.template.clone(), newest.system);
            let whole = templates::Use { template, system, since: newest.since, deviations: all };
            drafts.push(templates::record_of(&whole, now));
        }
        drafts.extend(led(store, &system, &hosts, &used, now).await?);
        uses += used.len();
        let mut write = store.write("system:configuration.templates", "work", "").await?;
        for draft in drafts {
            written += u64::from(tell(store, &mut write, draft).await?);
        }
        write.commit().await?;
    }
    wake(&ctx, written);
    Ok(json!({ "uses": uses, "written": written }))
}

/// Whether template and requirements of an introduced system were there before its first snapshot.
async fn led(
    store: &Store,
    system: &Row,
    hosts: &[Row],
    used: &[templates::Use],
    now: Timestamp,
) -> Result<Option<RecordDraft>, StoreError> {
    if text(system, "stage") != "introduced" {
        return Ok(None);
    }
    let mut first: Option<Timestamp> = None;
    for host in hosts.iter().filter(|host| reference(host, "system") == Some(system.id)) {
        let of_host = seen::first(store, host.id).await?;
        first = [first, of_host].into_iter().flatten().min();
    }
    let Some(first) = first else { return Ok(None) };
    let template = used.iter().map(|one| one.since).min();
    let own = |row: &&Row| text(row, "system") == system.id.to_string();
    let requirements = store.all(Table::Norm, &["requirement"]).await?;
    let requirements = requirements.iter().filter(own).map(|row| row.created_at).min();
    Ok(Some(templates::designed_in(system.id, first, template, requirements, now)))
}

/// Chains of systems that were introduced or extended; tests that an extension asks for are done here once its hosts
/// were seen after its day.
pub(crate) async fn trace(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let hosts = seen::hosts(store, &Within::All).await?;
    let (mut traced, mut rerun, mut written) = (0, 0, 0);
    for system in systems(store).await? {
        if !matches!(text(&system, "stage"), "introduced" | "extended") {
            continue;
        }
        let own: Vec<Row> = hosts
            .iter()
            .filter(|host| reference(host, "system") == Some(system.id))
            .cloned()
            .collect();
        let life = trace::load(store, system.id).await?;
        for extension in life.extensions.iter().filter(|one| !one.open().is_empty()) {
            rerun += again(store, &system, &own, extension).await?;
        }
        let life = if rerun > 0 { trace::load(store, system.id).await? } else { life };
        let mut write = store.write("system:configuration.trace", "work", "").await?;
        let draft = life.draft(system.id, store.now());
        written += u64::from(tell(store, &mut write, draft).await?);
        write.commit().await?;
        traced += 1;
    }
    wake(&ctx, written + rerun);
    Ok(json!({ "systems": traced, "rerun": rerun, "written": written }))
}

/// Does the open tests of an extension, and no others; how many were done.
pub(crate) async fn again(
    store: &Store,
    system: &Row,
    hosts: &[Row],
    extension: &trace::Extension,
) -> Result<u64, Error> {
    let due = extension.open();
    let mut cases = trials::cases(store, system.id, hosts).await?;
    cases.retain(|case| {
        let is_due = case.test_spec.is_some_and(|test| due.contains(&test));
        is_due && case.verdict != trials::Verdict::Open && case.at >= extension.from
    });
    if cases.is_empty() {
        return Ok(0);
    }
    let now = store.now();
    let mut write = store.write("system:configuration.trace", "extension", "").await?;
    trials::record(&mut write, system.id, &cases, Some(extension.row.id), None, now).await?;
    write.commit().await?;
    let tests: BTreeSet<Id> = cases.iter().filter_map(|case| case.test_spec).collect();
    Ok(tests.len() as u64)
}

/// The first check of shipped defaults after an asset was introduced.
pub(crate) async fn defaults(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let kinds = ["host", "network_device", "hardware", "software"];
    let mut written = 0;
    for asset in store.all(Table::Asset, &kinds).await? {
        let Some(introduced) = day(text(&asset, "introduced_on")) else { continue };
        if asset.status != "active" || told(store, asset.id, introduced).await? {
            continue;
        }
        let runs = store.newest_records(&[CHECK], Some(asset.id), RUNS_MAX).await?;
        let is_first = |run: &&store::Record| {
            fact(run, "family") == "default_passwords"
                && run.observed_to >= introduced
                && number(run, "checks") > number(run, "unknown")
        };
        // The newest come first.
        let Some(run) = runs.iter().rev().find(is_first) else { continue };
        let days = run.observed_to.hours_since(introduced) / DAY_HOURS;
        let facts = json!({
            "days_after": days,
            "checks": number(run, "checks") - number(run, "unknown"),
            "failures_open": number(run, "failures_open"),
        });
        let draft = draft(DEFAULTS, Some(asset.id), run.observed_to, facts);
        room::write(store, "system:configuration.defaults", draft).await?;
        written += 1;
    }
    wake(&ctx, written);
    Ok(json!({ "written": written }))
}

/// Whether the check of this introduction is written down already.
async fn told(store: &Store, asset: Id, introduced: Timestamp) -> Result<bool, StoreError> {
    let newest = store.newest_records(&[DEFAULTS], Some(asset), 1).await?.pop();
    Ok(newest.is_some_and(|record| record.observed_to >= introduced))
}

fn wake(ctx: &Shared, written: u64) {
    if written > 0 {
        ctx.house.wake();
    }
}
