//! Whether each edge enforces what holds and nothing else: the set it applied against what is valid now, and a
//! daily canary that has to be met on the edge's real way.
//!
//! The canary is a name below `.invalid` that only this house knows, and a row of every set from the first check on:
//! an event with it is fed into the intake, and the edge has met it when the edge itself says so in a record that names
//! its set. What is not met within [`WAIT_MIN`] was not refused: an edge that is cut off fails here.
//!
//! Invariants: nothing is taken from what was published; the rows of an edge are those of the root it recorded, read
//! from what every set was built of; an edge whose set is not known holds nothing that counts as right.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use indicators::{
    Ceiling, Direction, Entry, Key, Kind, Micros, Observable, Row as Indicator, Scope,
    validity::State,
};
use intel::{MANIFEST, Manifest, Signed};
use model::Timestamp;
use netname::Names;
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Record, Store};
use stream::{Format, RawLine};

use super::{feed_set::Judge, past, publish};

pub const CHECKED: &str = "threat_intelligence.edge_checked";
/// What says which set an edge works by.
const APPLIED: &str = "house.rules_applied";
/// What says that events met the canary, and by which set.
const MET: &str = "monitoring.indicator_canary";
/// Setting: the name of this house's canary.
const NAME: &str = "threat_intelligence.canary";
/// Setting: the canary on its way.
const SENT: &str = "threat_intelligence.canary_sent";
/// Source of the event: what is learnt of logs leaves it out.
const SOURCE: &str = "ume-canary";
/// The edge that holds events against the set.
const EVENTS: &str = "monitoring";
const EVERY_H: i64 = 6;
const WAIT_MIN: i64 = 10;
const MINUTE: Micros = 60_000_000;
/// The last moment of the year 9999.
const NEVER: Micros = 253_402_300_799_000_000;
const RECORDS_MAX: usize = 200;
const ACTOR: &str = "system:threat_intelligence.edges";

#[derive(Serialize, Deserialize)]
struct Sent {
    at: Micros,
}

/// The canary's name, if there is one yet.
pub async fn canary(store: &Store) -> Result<Option<String>, Error> {
    Ok(store.setting(NAME).await?)
}

/// The row by which the canary is in a set. It never ends: each set has it.
pub fn row(name: &str, names: &Names) -> Option<Indicator> {
    let key = indicators::normalise(Kind::Domain, name, names).ok()?;
    let mut row = Indicator::new(0, key, "Ume canary", 0);
    row.direction = Direction::Both;
    row.valid_until = Some(NEVER);
    Some(row)
}

async fn name_it(store: &Store) -> Result<(), Error> {
    let mut word = [0; 12];
    getrandom::fill(&mut word).map_err(Error::said)?;
    let name = format!("ume-canary-{}.invalid", hex::encode(word));
    Ok(store.set_setting(NAME, &name).await?)
}

/// Sends the canary if it is time; judges every edge once it was met, or waited for too long.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (store, now) = (ctx.store(), ctx.store().now());
    let Some(current) = current(&ctx).await? else {
        return Ok(json!({ "skipped": "no set is published" }));
    };
    let Some(name) = canary(store).await? else {
        name_it(store).await?;
        return Ok(json!({ "waiting": "the next set holds the canary" }));
    };
    // A set that was just published is on its way to the edges.
    if now.0 - current.made_at < MINUTE {
        return Ok(json!({ "waiting": "the set is new" }));
    }
    let sent = store.setting(SENT).await?;
    let Some(sent) = sent.and_then(|text| serde_json::from_str::<Sent>(&text).ok()) else {
        return send_if_due(&ctx, &name, now).await;
    };
    let met = store.newest_records(&[MET], None, RECORDS_MAX).await?;
    let met = met.into_iter().find(|record| {
        record.observed_to.0 >= sent.at && record.facts.get("name") == Some(&json!(name))
    });
    if met.is_none() && now.0 - sent.at < WAIT_MIN * MINUTE {
        return Ok(json!({ "waiting": "the canary is on its way" }));
    }
    if store.take_setting(SENT).await?.is_none() {
        return Ok(json!({ "waiting": "another run judges" }));
    }
    judge(&ctx, &current, met.as_ref(), now).await
}

async fn send_if_due(ctx: &Shared, name: &str, now: Timestamp) -> Result<Json, Error> {
    let last = ctx.store().newest_records(&[CHECKED], None, 1).await?;
    if last.first().is_some_and(|record| now.hours_since(record.observed_to) < EVERY_H) {
        return Ok(json!({ "sent": false }));
    }
    let sent = serde_json::to_string(&Sent { at: now.0 }).map_err(Error::said)?;
    ctx.store().set_setting(SENT, &sent).await?;
    let line = json!({
        "time": now.rfc3339(), "app": SOURCE, "message": "Ume tests its indicators", "query": name,
    });
    let line = RawLine::with_format(line.to_string(), Format::Json);
    let stream = ctx.stream.clone();
    room::blocking(move || stream.ingest(SOURCE, vec![line], now)).await??;
    Ok(json!({ "sent": true }))
}

/// The set in force, by the signature of the house.
pub async fn current(ctx: &Shared) -> Result<Option<Manifest>, Error> {
    let path = ctx.house.folder().join(intel::FOLDER).join(MANIFEST);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let key = ctx.house.ledger.lock().await.verifier_key();
    let key = merkle::VerifierKey::parse(&key).map_err(Error::said)?;
    Signed::open(&bytes, &[key]).map(Some).map_err(Error::said)
}

/// What each edge says it works by, newest word only.
async fn applied(store: &Store) -> Result<BTreeMap<String, String>, Error> {
    let mut edges = BTreeMap::new();
    for record in store.newest_records(&[APPLIED], None, RECORDS_MAX).await? {
        let text = |name: &str| record.facts.get(name).and_then(Json::as_str).unwrap_or_default();
        if text("kind") == "indicators" {
            edges.entry(text("edge").to_owned()).or_insert_with(|| text("root").to_owned());
        }
    }
    // Where a set is published, events are held against it, or something is wrong.
    edges.entry(EVENTS.to_owned()).or_default();
    Ok(edges)
}

async fn judge(
    ctx: &Shared,
    current: &Manifest,
    met: Option<&Record>,
    now: Timestamp,
) -> Result<Json, Error> {
    let store = ctx.store();
    let known = known(&ctx.house, now).await?;
    let by = met.and_then(|record| record.facts.get("root")).and_then(Json::as_str);
    let (mut failed, edges) = (Vec::new(), applied(store).await?);
    let mut write = store.write(ACTOR, "work", "").await?;
    for (edge, root) in &edges {
        let wrong = invalid(ctx, root, &known, now).await?;
        let is_current = *root == current.root();
        // Who met it says so of itself and of no other edge.
        let is_refused = edge == EVENTS && !root.is_empty() && by == Some(root.as_str());
        let mut facts = json!({
            "edge": edge,
            "root_current": is_current,
            "invalid_enforced": wrong,
            "canary_refused": is_refused,
        });
        if !root.is_empty() {
            facts["root"] = json!(root);
        }
        if !is_current || !is_refused || wrong > 0 {
            failed.push(edge.as_str());
        }
        write.record(room::draft(CHECKED, None, now, facts)).await?;
    }
    write.commit().await?;
    ctx.house.wake();
    Ok(json!({ "edges": edges.len(), "failed": failed }))
}

type Value = (Kind, Scope, String);

/// What may be met now, and what is known and may not.
struct Known {
    valid: BTreeSet<Value>,
    invalid: Vec<Key>,
    judge: Arc<Judge>,
}

async fn known(house: &web::House, now: Timestamp) -> Result<Known, Error> {
    let (judge, judged) = publish::judged(house, now).await?;
    let mut known = Known { valid: BTreeSet::new(), invalid: Vec::new(), judge };
    for one in judged {
        match one.verdict.state == State::Active {
            true => drop(known.valid.insert(value(&one.row.key))),
            false => known.invalid.push(one.row.key),
        }
    }
    Ok(known)
}

fn value(key: &Key) -> Value {
    (key.kind(), key.scope(), key.text().to_owned())
}

/// How many values the set of this root enforces now that are not valid now: of its rows, as it was built; where
/// these are not kept, of the values that are known, by asking the set itself.
async fn invalid(ctx: &Shared, root: &str, known: &Known, now: Timestamp) -> Result<usize, Error> {
    if root.is_empty() {
        return Ok(0);
    }
    let (sets, wanted) = (ctx.house.folder().join(intel::FOLDER), root.to_owned());
    let entries = room::blocking(move || {
        let kept = past::find(&sets, &wanted)?;
        past::entries(&sets, &kept, &Names::shipped())
    });
    let entries = match entries.await? {
        Ok(entries) => entries,
        Err(past::PastError::Unknown(_)) => return asked(ctx, root, known, now).await,
        Err(error) => return Err(Error::said(error)),
    };
    let is_enforced = |entry: &&Entry| {
        entry.ceiling != Ceiling::Nothing
            && entry.from.is_none_or(|from| from <= now.0)
            && entry.until.is_none_or(|until| now.0 < until)
    };
    let enforced: BTreeMap<Value, Entry> = entries
        .into_iter()
        .filter(|entry| is_enforced(&entry))
        .map(|entry| (value(&entry.key), entry))
        .filter(|(value, _)| !known.valid.contains(value))
        .collect();
    // Rows of feeds are in no item: they are held against what every row is held against.
    let judge = known.judge.clone();
    let wrong = room::blocking(move || {
        judge.with(|context| {
            let mut wrong = 0;
            for entry in enforced.values() {
                let stands =
                    publish::is_of_feed(entry.id) && judge.stands(entry, context, now.0)?;
                wrong += usize::from(!stands);
            }
            Ok(wrong)
        })
    });
    wrong.await?
}

async fn asked(ctx: &Shared, root: &str, known: &Known, now: Timestamp) -> Result<usize, Error> {
    let key = ctx.house.ledger.lock().await.verifier_key();
    let key = merkle::VerifierKey::parse(&key).map_err(Error::said)?;
    let folder = ctx.house.folder().join(intel::FOLDER);
    let set = room::blocking(move || intel::Current::load(&folder, &[key])).await?;
    let set = set.map_err(Error::said)?;
    // Not known what it holds: that is one thing too many.
    let Some(set) = set.filter(|set| set.manifest().root() == root) else { return Ok(1) };
    let names = Names::shipped();
    let mut wrong = 0;
    for key in &known.invalid {
        let seen = Observable::of(key, Direction::Both, &names);
        let mut hits = Vec::new();
        set.set().lookup(&seen, now.0, &mut hits).map_err(Error::said)?;
        let is_it = |hit: &indicators::Hit<'_>| {
            hit.ceiling != Ceiling::Nothing && hit.kind == key.kind() && hit.value() == key.text()
        };
        wrong += usize::from(hits.iter().any(is_it));
    }
    Ok(wrong)
}
