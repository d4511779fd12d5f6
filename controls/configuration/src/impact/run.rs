//! The jobs: advisories are brought up to date, and what changed is judged, told and made into tasks.
//!
//! Invariants: one run at a time changes the state; what is told of an asset (verdicts that turned, and the run with all
//! that stands) is one transaction; a run that is cut off is made up for by the next, since what was told stands in the
//! records.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard},
};

use baseline::Facts;
use model::{Id, Table, Timestamp};
use room::{Error, Shared, blocking, draft};
use sbom::{cpe::Cpe, judge::Subject, purl::Purl};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store};

use super::{
    bring::{bring, open_shelf},
    deeds,
    document::{self, Aliases},
    settings::Configured,
    state::{Desk, State, Taken},
    told::{RUN, Told, VERDICT, turns},
    vex::Rulings,
};

const SNAPSHOT: &str = "configuration.snapshot";
pub(super) const ACTOR: &str = "system:configuration.impact";
/// What did not change is told again after this time.
const AGAIN_HOURS: i64 = 12;
/// Verdicts with a record of their own in one run of an asset.
const SINGLE_MAX: usize = 200;
pub(crate) const ADVISORIES_FRESH_H: i64 = 24;
pub(crate) const SBOM_FRESH_H: i64 = 168;
const MINUTE_MICROS: i64 = 60_000_000;

pub(crate) fn read(desk: &Desk) -> RwLockReadGuard<'_, State> {
    desk.state.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn change(desk: &Desk) -> RwLockWriteGuard<'_, State> {
    desk.state.write().unwrap_or_else(PoisonError::into_inner)
}

/// The job that brings every source up to date, and judges.
pub(crate) async fn advisories(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let Some(place) = ctx.house.kept.get::<Configured>().place() else {
        return Ok(json!({ "sources": 0 }));
    };
    let desk = ctx.house.kept.get::<Desk>();
    let gate = desk.gate.lock().await;
    open_shelf(&ctx, &desk, &place).await?;
    let mut results = serde_json::Map::new();
    for source in &place.sources {
        if let Some(result) = bring(&ctx, &desk, &place, source).await? {
            results.insert(source.name.clone(), result);
        }
    }
    let judged = judge(&ctx, &desk).await?;
    drop(gate);
    Ok(json!({ "sources": results, "judged": judged }))
}

/// The job that judges what came in since.
pub(crate) async fn impact(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let desk = ctx.house.kept.get::<Desk>();
    let _gate = desk.gate.lock().await;
    // Without sources there is nothing to judge by, but the fleet can be searched all the same.
    if let Some(place) = ctx.house.kept.get::<Configured>().place() {
        open_shelf(&ctx, &desk, &place).await?;
    }
    judge(&ctx, &desk).await
}

fn attribute<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim()
}

/// The assets that are judged.
pub(crate) async fn rows(store: &Store) -> Result<Vec<Row>, Error> {
    let mut rows = store.all(Table::Asset, &["host", "software"]).await?;
    rows.retain(|row| row.status == "active");
    Ok(rows)
}

/// What the register calls software, as something that can be judged.
fn own_subject(row: &Row) -> Option<Subject> {
    if row.kind != "software" {
        return None;
    }
    let purl = Purl::parse_lenient(attribute(row, "purl")).ok();
    let cpe = Cpe::parse(attribute(row, "cpe")).ok();
    if purl.is_none() && cpe.is_none() {
        return None;
    }
    let mut subject = purl.as_ref().map(Subject::of).unwrap_or_default();
    if subject.name.is_empty() {
        subject.name = row.name.clone();
    }
    if subject.version.is_empty() {
        subject.version = attribute(row, "version").to_owned();
    }
    subject.cpes.extend(cpe);
    Some(subject)
}

/// The aliases of the register.
pub(crate) async fn aliases(store: &Store) -> Result<Aliases, Error> {
    let rows = store.all(Table::Rule, &["identity_alias"]).await?;
    let active = rows.iter().filter(|row| row.status == "active");
    Ok(Aliases::new(active.map(|row| (attribute(row, "purl"), attribute(row, "cpe")))))
}

/// Judges and tells what changed since the last run.
async fn judge(ctx: &Shared, desk: &Arc<Desk>) -> Result<Json, Error> {
    let store = ctx.store();
    let now = store.now();
    let rows = rows(store).await?;
    recall(store, desk).await?;
    let broken = take_bills(store, desk, &rows).await?;
    let rulings = Rulings::load(store).await?;
    let subjects = {
        let desk = desk.clone();
        blocking(move || {
            let mut state = change(&desk);
            state.rule(rulings, now);
            state.judge(now)
        })
        .await?
    };
    if read(desk).index.is_empty() {
        return Ok(json!({ "advisories": 0, "broken_bills": broken }));
    }
    let facts = facts(store, desk).await?;
    let told = tell(store, desk, &facts, now).await?;
    let deeds = deeds::reconcile(store, desk, &rows).await?;
    if told.assets > 0 || deeds.changes() > 0 {
        ctx.house.wake();
    }
    Ok(json!({
        "advisories": read(desk).index.len(), "subjects_judged": subjects, "assets_told": told.assets,
        "verdicts": told.verdicts, "broken_bills": broken,
        "tasks_made": deeds.made, "tasks_changed": deeds.changed, "tasks_closed": deeds.closed,
        "tasks_waiting": deeds.waiting,
    }))
}

/// What was told before this process began.
async fn recall(store: &Store, desk: &Arc<Desk>) -> Result<(), Error> {
    if read(desk).is_recalled {
        return Ok(());
    }
    let runs = store.latest_per_subject(&[RUN]).await?;
    let mut all = Vec::new();
    for chunk in runs.chunks(50) {
        let ids: Vec<Id> = chunk.iter().map(|record| record.id).collect();
        let mut payloads = store.payloads(&ids).await?;
        all.extend(chunk.iter().map(|record| {
            (record.clone(), Told::open(&payloads.remove(&record.id).unwrap_or_default()))
        }));
    }
    let mut state = change(desk);
    for (record, told) in all {
        let Some(subject) = record.subject else { continue };
        let number = |name: &str| record.facts.get(name).and_then(Json::as_i64).unwrap_or(0);
        let fresh = number("sbom_age_h") <= SBOM_FRESH_H
            && number("advisories_age_h") <= ADVISORIES_FRESH_H;
        state.remember(subject, told, (record.observed_to, fresh), number("verdict_min_max"));
    }
    state.is_recalled = true;
    Ok(())
}

/// Takes new bills in, and lets go of assets that are no more. Says how many bills cannot be read.
async fn take_bills(store: &Store, desk: &Arc<Desk>, rows: &[Row]) -> Result<usize, Error> {
    let aliases = aliases(store).await?;
    let bills = store.latest_per_subject(&[document::RECORD]).await?;
    let bills: BTreeMap<Id, &Record> =
        bills.iter().filter_map(|record| Some((record.subject?, record))).collect();
    {
        let mut state = change(desk);
        let live: BTreeSet<Id> = rows.iter().map(|row| row.id).collect();
        let gone: Vec<Id> = state.assets.keys().filter(|id| !live.contains(id)).copied().collect();
        gone.into_iter().for_each(|id| state.forget(id));
        if state.aliases != aliases {
            // Who is who changed: every bill is read again.
            state.assets.values_mut().for_each(|asset| asset.sbom = None);
            state.aliases = aliases.clone();
        }
    }
    for row in rows {
        let Some(record) = bills.get(&row.id) else { continue };
        let own = own_subject(row);
        let named = own.as_ref().map(|own| format!("{own:?}")).unwrap_or_default();
        let is_known = read(desk).assets.get(&row.id).is_some_and(|asset| {
            let taken = asset.sbom.is_some_and(|(id, _)| id == record.id) && asset.own == named;
            taken || asset.broken.as_ref().is_some_and(|(id, _)| *id == record.id)
        });
        if is_known {
            continue;
        }
        let payload = store.payload(record.id).await.ok().flatten().unwrap_or_default();
        let (aliases, at, id) =
            (aliases.clone(), [record.observed_to, record.received_at], record.id);
        let taken = blocking(move || {
            let bom = document::open(&payload)?;
            Ok::<_, String>(Taken::new(id, at, &bom, own, &aliases))
        })
        .await?;
        let mut state = change(desk);
        match taken {
            Ok(taken) => state.take(row.id, taken),
            Err(why) => state.break_bill(row.id, id, why),
        }
        if let Some(asset) = state.assets.get_mut(&row.id) {
            asset.own = named;
        }
    }
    Ok(read(desk).assets.values().filter(|asset| asset.broken.is_some()).count())
}

/// The facts of hosts on which decisions rest; a host whose facts changed is told anew.
async fn facts(store: &Store, desk: &Arc<Desk>) -> Result<BTreeMap<Id, Facts>, Error> {
    let resting: BTreeSet<Id> = {
        let state = read(desk);
        let resting = state.assets.iter().filter(|(_, asset)| state.rests(asset));
        resting.map(|(id, _)| *id).collect()
    };
    let mut all = BTreeMap::new();
    if resting.is_empty() {
        return Ok(all);
    }
    let snapshots = store.latest_per_subject(&[SNAPSHOT]).await?;
    for record in snapshots.iter().filter(|r| r.subject.is_some_and(|id| resting.contains(&id))) {
        let Some(id) = record.subject else { continue };
        let is_due = {
            let mut state = change(desk);
            let Some(asset) = state.assets.get_mut(&id) else { continue };
            if asset.snapshot != Some(record.id) {
                asset.snapshot = Some(record.id);
                asset.dirty_since.get_or_insert(record.received_at);
            }
            asset.dirty_since.is_some()
        };
        if is_due && let Ok(Some(payload)) = store.payload(record.id).await {
            let facts = blocking(move || Facts::from_document(&payload)).await?;
            all.extend(facts.ok().map(|facts| (id, facts)));
        }
    }
    Ok(all)
}

#[derive(Default)]
struct Telling {
    assets: usize,
    verdicts: usize,
}

/// Writes down what turned, and what stands.
async fn tell(
    store: &Store,
    desk: &Arc<Desk>,
    facts: &BTreeMap<Id, Facts>,
    now: Timestamp,
) -> Result<Telling, Error> {
    let mut telling = Telling::default();
    let (ids, age_h): (Vec<Id>, Option<i64>) = {
        let state = read(desk);
        (state.assets.keys().copied().collect(), state.age_h(now))
    };
    let Some(age_h) = age_h else { return Ok(telling) };
    for id in ids {
        let Some(news) = news(desk, id, facts.get(&id), age_h, now) else {
            if let Some(asset) = change(desk).assets.get_mut(&id) {
                asset.dirty_since = None;
            }
            continue;
        };
        let mut write = store.write(ACTOR, "work", "").await?;
        telling.verdicts += news.drafts.len() - 1;
        for draft in news.drafts {
            write.record(draft).await?;
        }
        write.commit().await?;
        telling.assets += 1;
        if let Some(asset) = change(desk).assets.get_mut(&id) {
            (asset.told, asset.told_at) = (news.told, Some((now, news.is_fresh)));
            (asset.minutes, asset.dirty_since) = (news.minutes, None);
        }
    }
    Ok(telling)
}

struct News {
    /// Verdicts that turned, and behind them the run.
    drafts: Vec<RecordDraft>,
    told: Told,
    is_fresh: bool,
    minutes: i64,
}

/// What is to be written of an asset, if anything.
fn news(desk: &Desk, id: Id, facts: Option<&Facts>, age_h: i64, now: Timestamp) -> Option<News> {
    let state = read(desk);
    let asset = state.assets.get(&id)?;
    let (_, observed) = asset.sbom?;
    let sbom_age_h = now.hours_since(observed).max(0);
    let is_fresh = age_h <= ADVISORIES_FRESH_H && sbom_age_h <= SBOM_FRESH_H;
    let is_due = asset
        .told_at
        .is_none_or(|(at, was_fresh)| was_fresh != is_fresh || now.hours_since(at) >= AGAIN_HOURS);
    if asset.dirty_since.is_none() && !is_due {
        return None;
    }
    let told = match asset.dirty_since {
        Some(_) => state.tell(asset, facts, now),
        None => asset.told.clone(),
    };
    if told == asset.told && !is_due {
        return None;
    }
    let waited = asset.dirty_since.filter(|since| *since <= now).map(|since| now.0 - since.0);
    let minutes = waited.map_or(asset.minutes, |micros| micros.div_euclid(MINUTE_MICROS) + 1);
    let mut drafts = verdict_drafts(id, &asset.told, &told, &state, now);
    let facts = json!({
        "sbom_age_h": sbom_age_h,
        "advisories_age_h": age_h,
        "verdict_min_max": minutes,
        "affected": told.count("affected"),
        "unknown": told.count("unknown"),
        "uncovered": told.uncovered,
    });
    let mut run = draft(RUN, Some(id), now, facts);
    run.payload = told.pack().ok();
    drafts.push(run);
    Some(News { drafts, told, is_fresh, minutes })
}

fn verdict_drafts(
    id: Id,
    before: &Told,
    now_told: &Told,
    state: &State,
    now: Timestamp,
) -> Vec<RecordDraft> {
    let turns = turns(before, now_told);
    let one = |turn: &super::told::Turn<'_>| {
        let is_listed = state.index.find(turn.weakness).next().is_some();
        let (ja, en) = match (turn.is_gone, turn.touch.part()) {
            (true, _) => super::sentence::gone(is_listed),
            (false, Some(part)) => (part.ja.clone(), part.en.clone()),
            (false, None) => Default::default(),
        };
        let part = turn.touch.part();
        json!({
            "advisory": turn.weakness,
            "impact": turn.state,
            "reason": format!("{ja} / {en}").chars().take(1_000).collect::<String>(),
            "package": part.map_or("", |part| part.package.as_str()),
            "version": part.map_or("", |part| part.version.as_str()),
            "fixed": part.and_then(|part| part.fixed.as_deref()).filter(|_| !turn.is_gone).unwrap_or(""),
        })
    };
    let mut drafts: Vec<RecordDraft> = Vec::new();
    for turn in turns.iter().take(SINGLE_MAX) {
        let mut draft = draft(VERDICT, Some(id), now, one(turn));
        draft.payload = serde_json::to_vec(turn.touch).ok();
        drafts.push(draft);
    }
    let rest = turns.get(SINGLE_MAX..).unwrap_or_default();
    // The gravest state stands for all of them.
    let rank = |state: &str| super::told::STATES.iter().position(|one| *one == state);
    if let Some(gravest) = rest.iter().min_by_key(|turn| rank(turn.state)) {
        let mut facts = one(gravest);
        facts["advisory"] = format!("{} (+{})", gravest.weakness, rest.len() - 1).into();
        let all: Vec<Json> = rest.iter().map(one).collect();
        let mut draft = draft(VERDICT, Some(id), now, facts);
        draft.payload = document::pack(Json::Array(all).to_string().as_bytes()).ok();
        drafts.push(draft);
    }
    drafts
}
