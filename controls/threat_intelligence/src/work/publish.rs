//! Publishes the indicators that hold: a signed set that every edge loads.
//!
//! Invariants: a value is in the set only if an item judged "act" confirms it and nothing speaks against it now
//! (engine `indicators`, first that speaks); the set in force is replaced whole and only where what holds has changed;
//! what ends, ends in the set by itself, and the set is made anew then.
//!
//! Limits: `LINES_MAX` confirmed lines; beyond them the round fails and the set before stays.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Mutex,
};

use indicators::{
    Ceiling, Decision, Direction, Entry, Kind, Micros, Row as Indicator, Scope, Set, set,
    validity::{self, Context, State, Verdict},
};
use intel::Manifest;
use model::{Table, Timestamp};
use netname::Names;
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store};

use super::{
    inbox::{self, ITEM, Line},
    publish_patterns::{self, More},
};

pub const PUBLISHED: &str = "threat_intelligence.set_published";
const ACTOR: &str = "system:threat_intelligence.publish";
const EXCLUSION: &str = "indicator_exclusion";
const OWN_KINDS: [&str; 3] = ["brand", "subnet", "address"];
/// Setting: what the set in force was made of.
const MADE_OF: &str = "threat_intelligence.set_entries";
/// Beside the set: what it holds, a line each, for the difference to the next.
const HELD: &str = "held.txt";
const LINES_MAX: usize = 2_000_000;
const RULES_MAX: usize = 10_000;
const DAY: Micros = 86_400_000_000;

/// What the last round saw, so that a round in which nothing changed costs three counts.
#[derive(Default)]
pub struct Publisher(Mutex<Option<Last>>);

#[derive(Clone, PartialEq, Eq)]
struct Last {
    stamps: Vec<(u64, Timestamp)>,
    /// When something in the set begins or ends by itself.
    next: Option<Micros>,
}

/// An indicator with the verdict on it.
pub struct Judged {
    pub row: Indicator,
    pub verdict: Verdict,
    /// What of it goes into the set: nothing of one that does not hold.
    pub entries: Vec<Entry>,
}

/// One round: makes and publishes the set anew if what holds has changed.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    let (store, kept) = (ctx.store(), ctx.house.kept.get::<Publisher>());
    let now = store.now().0;
    let stamps = vec![
        store.stamp(Table::Asset, &[ITEM]).await?,
        store.stamp(Table::Asset, &OWN_KINDS).await?,
        store.stamp(Table::Rule, &[EXCLUSION]).await?,
    ];
    let last = kept.0.lock().map_err(|_| Error::said("the publisher failed before"))?.clone();
    let is_same =
        last.is_some_and(|last| last.stamps == stamps && last.next.is_none_or(|next| now < next));
    if is_same {
        return Ok(());
    }
    let seen = ctx.house.folder().join(intel::FOLDER);
    let seen = room::blocking(move || intel::Sightings::read(&seen)).await?.map_err(Error::said)?;
    let judged = judged_seen(store, Timestamp(now), &seen).await?;
    let more = publish_patterns::gather(store, &judged, Timestamp(now)).await?;
    let next = judged.iter().flat_map(|one| [one.verdict.from, one.verdict.until]);
    let next = next.chain([more.next(now)]).flatten().filter(|time| *time > now).min();
    publish(&ctx, &judged, more, now).await?;
    let mut place = kept.0.lock().map_err(|_| Error::said("the publisher failed before"))?;
    *place = Some(Last { stamps, next });
    Ok(())
}

/// All confirmed indicators of items judged "act", each value once, with the verdict on it.
pub async fn judged(store: &Store, at: Timestamp) -> Result<Vec<Judged>, Error> {
    judged_seen(store, at, &intel::Sightings::default()).await
}

/// The same, with what edges met of each value.
async fn judged_seen(
    store: &Store,
    at: Timestamp,
    seen: &intel::Sightings,
) -> Result<Vec<Judged>, Error> {
    let names = Names::shipped();
    let mut rows = confirmed(store, &names, at).await?;
    publish_patterns::sight(&mut rows, seen);
    let own = own(store, &names).await?;
    room::blocking(move || {
        let set = match &own {
            Some(bytes) => Some(Set::open(bytes, &[]).map_err(Error::said)?),
            None => None,
        };
        let mut context = Context::new(&names);
        context.own = set.as_ref();
        let verdict = |row: Indicator| {
            let verdict = validity::validity(&row, &context, at.0).map_err(Error::said)?;
            let entries = validity::entries(&row, &context, at.0).map_err(Error::said)?;
            Ok(Judged { row, verdict, entries })
        };
        rows.into_iter().map(verdict).collect()
    })
    .await?
}

async fn confirmed(store: &Store, names: &Names, at: Timestamp) -> Result<Vec<Indicator>, Error> {
    let items = store.all(Table::Asset, &[ITEM]).await?;
    let acts = |item: &&Row| {
        !item.deleted
            && item.status == "active"
            && item.attributes.get("verdict").and_then(Json::as_str) == Some("act")
    };
    let exclusions = exclusions(store, names).await?;
    let mut rows: BTreeMap<(Kind, Scope, String), Indicator> = BTreeMap::new();
    for item in items.iter().filter(acts) {
        for line in inbox::confirmed(store, item).await.map_err(Error::said)?.unwrap_or_default() {
            let Some(row) = row(&line, &item.name, names, at) else { continue };
            let key = (row.key.kind(), row.key.scope(), row.key.text().to_owned());
            match rows.get_mut(&key) {
                Some(known) => merge(known, &row),
                None => drop(rows.insert(key, row)),
            }
            if rows.len() > LINES_MAX {
                return Err(Error::said(format!("more than {LINES_MAX} confirmed indicators")));
            }
        }
    }
    let mut rows: Vec<Indicator> = rows.into_values().collect();
    for (id, row) in (0..).zip(&mut rows) {
        row.id = id;
        row.decision = exclusions.get(row.key.text()).cloned();
    }
    Ok(rows)
}

/// A line that is none any more is left out: what was confirmed by an older Ume may be refused by this one.
fn row(line: &Line, source: &str, names: &Names, at: Timestamp) -> Option<Indicator> {
    let kind = Kind::named(&line.kind)?;
    let scope = line.scope.as_deref().and_then(Scope::named).unwrap_or_default();
    let key = indicators::normalise(kind, &line.value, names).ok()?;
    let key = if key.scope() == scope { key } else { key.reaching(scope).ok()? };
    let time = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
    let received = time(&line.received).unwrap_or(at);
    let mut row = Indicator::new(0, key, source, received.0);
    row.direction = line.direction.as_deref().and_then(Direction::named).unwrap_or_default();
    row.valid_from = time(&line.valid_from).map(|from| from.0);
    Some(row)
}

/// The same value of two items: what either says holds.
fn merge(known: &mut Indicator, other: &Indicator) {
    if known.direction != other.direction {
        known.direction = Direction::Both;
    }
    known.received = known.received.max(other.received);
    known.valid_from = match (known.valid_from, other.valid_from) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => None,
    };
}

/// What people took out, until their decision ends.
async fn exclusions(store: &Store, names: &Names) -> Result<BTreeMap<String, Decision>, Error> {
    let rows = store.all(Table::Rule, &[EXCLUSION]).await?;
    let mut all = BTreeMap::new();
    for rule in rows.iter().filter(|rule| rule.status == "active").take(RULES_MAX) {
        let text = |name: &str| rule.attributes.get(name).and_then(Json::as_str).unwrap_or("");
        let Some(until) = end_of(text("expires")) else { continue };
        let reason = text("reason").to_owned();
        for kind in Kind::ALL {
            if let Ok(key) = indicators::normalise(*kind, text("value"), names) {
                let decision =
                    Decision { ceiling: Ceiling::Nothing, until, reason: reason.clone() };
                all.insert(key.text().to_owned(), decision);
            }
        }
    }
    Ok(all)
}

/// The last day counts to its end.
fn end_of(day: &str) -> Option<Micros> {
    Timestamp::parse(&format!("{day}T00:00:00Z")).map(|start| start.0 + DAY)
}

/// A set of what is ours: genuine domains, networks, addresses. No feed puts them into a set.
async fn own(store: &Store, names: &Names) -> Result<Option<Vec<u8>>, Error> {
    let mut keys = BTreeSet::new();
    for row in store.all(Table::Asset, &OWN_KINDS).await?.iter().filter(|row| !row.deleted) {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or("");
        let mut add = |kind, value: &str, scope: Scope| {
            let key = indicators::normalise(kind, value, names).ok();
            let key = key.and_then(|key| key.reaching(scope).ok());
            keys.extend(key);
        };
        match row.kind.as_str() {
            "brand" => {
                let domains = row.attributes.get("domains").and_then(Json::as_array);
                for domain in domains.into_iter().flatten().filter_map(Json::as_str) {
                    add(Kind::Domain, domain, Scope::Subdomains);
                }
            }
            "subnet" => add(Kind::Cidr, text("cidr"), Scope::Exact),
            _ => add(Kind::Ip, text("address"), Scope::Exact),
        }
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let entries = (0..).zip(keys).map(|(id, key)| Entry::new(id, key, "own"));
    let mut bytes = Vec::new();
    set::build(entries, seed()?, &set::Limits::DEFAULT, &mut bytes).map_err(Error::said)?;
    Ok(Some(bytes))
}

fn seed() -> Result<[u8; 16], Error> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(Error::said)?;
    Ok(seed)
}

async fn publish(ctx: &Shared, judged: &[Judged], more: More, now: Micros) -> Result<(), Error> {
    let store = ctx.store();
    let entries: Vec<Entry> = judged.iter().flat_map(|one| one.entries.clone()).collect();
    let expired = judged.iter().filter(|one| one.verdict.state == State::Expired).count();
    let made_of = digest(&entries) + &more.digest();
    let before = store.setting(MADE_OF).await?;
    // Before the first indicator there is no set to sign.
    if before.as_deref() == Some(&made_of)
        || (before.is_none() && entries.is_empty() && more.is_empty())
    {
        return Ok(());
    }
    let folder = ctx.house.folder().join(intel::FOLDER);
    let rows = entries.len() as u64;
    let held: BTreeSet<String> = entries.iter().map(held).collect();
    let seed = seed()?;
    let place = folder.clone();
    let (files, was) = room::blocking(move || {
        let mut bytes = Vec::new();
        set::build(entries, seed, &set::Limits::DEFAULT, &mut bytes).map_err(Error::said)?;
        let file = intel::add_file(&place, "base", &bytes).map_err(Error::said)?;
        let mut files = vec![file];
        files.extend(more.add(&place).map_err(Error::said)?);
        Ok::<_, Error>((files, held_before(&place)))
    })
    .await??;
    let sequence = sequence(&folder) + 1;
    let manifest = Manifest { sequence, made_at: now, rows, files };
    let note = ctx.house.ledger.lock().await.sign(&manifest.text())?;
    let facts = json!({
        "root": manifest.root(),
        "added": held.difference(&was).count(),
        "removed": was.difference(&held).count(),
        "expired": expired,
    });
    let (place, set) = (folder.clone(), manifest.clone());
    room::blocking(move || put(&place, &set, &note, &held)).await??;
    let mut write = store.write(ACTOR, "work", "").await?;
    write.record(room::draft(PUBLISHED, None, Timestamp(now), facts)).await?;
    write.set_setting(MADE_OF, &made_of).await?;
    write.commit().await?;
    ctx.house.wake();
    Ok(())
}

fn put(
    folder: &Path,
    manifest: &Manifest,
    note: &str,
    held: &BTreeSet<String>,
) -> Result<(), Error> {
    intel::put(folder, manifest, note).map_err(Error::said)?;
    let text: String = held.iter().map(|line| format!("{line}\n")).collect();
    let path = folder.join(HELD);
    disk::replace(&path, text.as_bytes()).map_err(|source| Error::Io { path, source })?;
    intel::sweep(folder, &[manifest]).map_err(Error::said)?;
    Ok(())
}

fn held(entry: &Entry) -> String {
    format!("{} {}", entry.key.kind().as_str(), entry.key.text())
}

fn held_before(folder: &Path) -> BTreeSet<String> {
    let path: PathBuf = folder.join(HELD);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Of the set on disk, whoever signed it: the next one counts on from there.
fn sequence(folder: &Path) -> u64 {
    let bytes = std::fs::read(folder.join(intel::MANIFEST)).unwrap_or_default();
    let signed: Option<intel::Signed> = serde_json::from_slice(&bytes).ok();
    signed.map_or(0, |signed| signed.manifest.sequence)
}

fn digest(entries: &[Entry]) -> String {
    let mut hash = Sha256::new();
    for entry in entries {
        let Entry { key, direction, ceiling, from, until, source, .. } = entry;
        let (kind, scope) = (key.kind().as_str(), key.scope().as_str());
        hash.update(format!(
            "{kind}\t{scope}\t{key}\t{}\t{}\t{from:?}\t{until:?}\t{source}\n",
            direction.as_str(),
            ceiling.as_str()
        ));
    }
    hex::encode(hash.finalize())
}
