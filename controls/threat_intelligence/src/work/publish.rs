//! Publishes the indicators that hold: a signed set that every edge loads.
//!
//! A set is a base and what changed since. A small set is made whole each time; of a large one what changed is a file of
//! its own at once, and the base is made anew beside the rounds.
//!
//! Invariants: a value is in the set only if an item judged "act" confirms it, or the register says that the rows of its
//! source are used at once, and nothing speaks against it now (engine `indicators`, first that speaks); sets come into
//! force by one rename, and only where what holds has changed; what ends, ends in the set by itself.
//!
//! Limits: `LINES_MAX` confirmed lines; beyond them the round fails and the set before stays. Rows of feeds are read in
//! pages.

mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use indicators::{
    Ceiling, Decision, Direction, Entry, Key, Kind, Micros, Row as Indicator, Scope, set,
    validity::{self, State, Verdict},
};
use intel::Map;
use model::{Table, Timestamp};
use netname::Names;
use room::{Error, Shared};
use serde_json::Value as Json;
use store::{Row, Store};

use super::{
    edges,
    feed_set::Judge,
    feeds::rows,
    inbox::{self, ITEM, Line, SOURCE},
    lists,
    publish_patterns::{self, More},
};
use files::{Built, Made};

pub const PUBLISHED: &str = "threat_intelligence.set_published";
const ACTOR: &str = "system:threat_intelligence.publish";
const EXCLUSION: &str = "indicator_exclusion";
const OWN_KINDS: [&str; 3] = ["brand", "subnet", "address"];
/// Setting: what the set in force was made of.
const MADE_OF: &str = "threat_intelligence.set_entries";
/// Rows of feeds up to which the whole set is made each time.
const WHOLE_ROWS_MAX: u64 = 50_000;
/// Files of a set before its base is made anew, and how old a base gets.
const FILES_MAX: usize = 16;
const BASE_EVERY: Micros = DAY;
/// Of the numbers of confirmed values.
const CONFIRMED_BIT: u64 = 1 << 63;
const LINES_MAX: usize = 2_000_000;
const RULES_MAX: usize = 10_000;
const DAY: Micros = 86_400_000_000;

/// What the last round saw, so that a round in which nothing changed costs a few counts.
pub struct Publisher {
    last: Mutex<Option<Last>>,
    whole_rows_max: AtomicU64,
    /// A base that is being made beside the rounds, or is ready.
    base: Mutex<Base>,
}

#[derive(Default)]
enum Base {
    #[default]
    None,
    Making,
    Ready(Box<Built>),
    Failed(String),
}

impl Default for Publisher {
    fn default() -> Publisher {
        Publisher {
            last: Mutex::default(),
            whole_rows_max: AtomicU64::new(WHOLE_ROWS_MAX),
            base: Mutex::default(),
        }
    }
}

impl Publisher {
    /// Sets up to how many rows of feeds are made whole each time.
    pub fn whole_rows_max(&self, rows: u64) {
        self.whole_rows_max.store(rows, Ordering::Relaxed);
    }

    fn take_base(&self) -> Result<Base, Error> {
        let mut place = self.base.lock().map_err(|_| Error::said("the publisher failed before"))?;
        Ok(match *place {
            Base::Making => Base::Making,
            _ => std::mem::take(&mut *place),
        })
    }

    fn is_making(&self) -> bool {
        self.base.lock().is_ok_and(|place| matches!(*place, Base::Making))
    }

    fn put_base(&self, base: Base) {
        if let Ok(mut place) = self.base.lock() {
            *place = base;
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Last {
    stamps: Vec<(u64, Timestamp)>,
    /// Newest change of a row of a feed, and the file of warning lists.
    mark: i64,
    lists: String,
    /// When something in the set begins or ends by itself, or the base gets old.
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
    let feeds = rows::feeds(&ctx.house).await?;
    let lists = lists::account(store).await?.file;
    let has_canary = edges::canary(store).await?.is_some();
    let stamps = vec![
        (u64::from(has_canary), Timestamp(0)),
        store.stamp(Table::Asset, &[ITEM]).await?,
        store.stamp(Table::Asset, &OWN_KINDS).await?,
        store.stamp(Table::Asset, &[SOURCE]).await?,
        store.stamp(Table::Rule, &[EXCLUSION]).await?,
    ];
    let mark = feeds.mark().await.map_err(Error::said)?;
    let base = kept.take_base()?;
    let is_waiting = matches!(base, Base::None | Base::Making);
    let last = kept.last.lock().map_err(|_| Error::said("the publisher failed before"))?.clone();
    let is_same = last.is_some_and(|last| {
        (&last.stamps, last.mark, &last.lists) == (&stamps, mark, &lists)
            && last.next.is_none_or(|next| now < next)
    });
    if is_same && is_waiting {
        return Ok(());
    }
    let judge = judge(&ctx.house).await?;
    let folder = ctx.house.folder().join(intel::FOLDER);
    let (judge, judged) = judged_by(store, &folder, judge, Timestamp(now)).await?;
    let more = publish_patterns::gather(store, &judged, Timestamp(now)).await?;
    let next = judged.iter().flat_map(|one| [one.verdict.from, one.verdict.until]);
    let next = next.chain([more.next(now)]).flatten().filter(|time| *time > now).min();
    let making = matches!(base, Base::Making);
    let done = publish(&ctx, &kept, base, judge, (&judged, more), now).await?;
    let mut place = kept.last.lock().map_err(|_| Error::said("the publisher failed before"))?;
    let next = next.unwrap_or(Micros::MAX).min(done.unwrap_or(now).saturating_add(BASE_EVERY));
    *place = match making && done.is_none() {
        // What waits for the base is looked at again once it is there.
        true => None,
        false => Some(Last { stamps, mark, lists, next: Some(next) }),
    };
    Ok(())
}

/// What rows of any kind are judged by now.
async fn judge(house: &web::House) -> Result<Judge, Error> {
    judge_by(&house.store, lists::made(house).await?).await
}

async fn judge_by(store: &Store, lists: Option<(String, Arc<Map>)>) -> Result<Judge, Error> {
    let names = Names::shipped();
    let exclusions = exclusions(store, &names).await?;
    let (own, own_keys) = own(store, &names).await?;
    Ok(Judge { own, own_keys, lists, exclusions, sources: Judge::sources(store).await?, names })
}

/// All confirmed indicators of items judged "act", each value once, with the verdict on it, and what they were judged
/// by.
pub(super) async fn judged(
    house: &web::House,
    at: Timestamp,
) -> Result<(Arc<Judge>, Vec<Judged>), Error> {
    let folder = house.folder().join(intel::FOLDER);
    judged_by(&house.store, &folder, judge(house).await?, at).await
}

/// Values with the verdicts on them: confirmed ones, and rows of feeds that are used at once. `folder` is that of the
/// sets; nothing in it is changed.
pub(super) async fn judged_of(
    store: &Store,
    folder: &Path,
    values: &BTreeSet<(Kind, String)>,
) -> Result<Vec<Judged>, Error> {
    let at = store.now();
    let judge = judge_by(store, lists::kept(store, folder).await?).await?;
    let (judge, confirmed) = judged_by(store, folder, judge, at).await?;
    let is_it = |key: &Key| values.contains(&(key.kind(), key.text().to_owned()));
    let mut all: Vec<Judged> = confirmed.into_iter().filter(|one| is_it(&one.row.key)).collect();
    let kept = rows::of_values(folder, values).await.map_err(Error::said)?;
    let of_feeds = room::blocking(move || judge.rows(&kept, at.0)).await??;
    all.extend(of_feeds);
    Ok(all)
}

/// Whether a row of a set came from a feed, and not from a person's confirmation.
pub(super) fn is_of_feed(id: u64) -> bool {
    id & CONFIRMED_BIT == 0
}

async fn judged_by(
    store: &Store,
    folder: &Path,
    judge: Judge,
    at: Timestamp,
) -> Result<(Arc<Judge>, Vec<Judged>), Error> {
    let mut rows = confirmed(store, &judge, at).await?;
    let seen = folder.to_owned();
    let seen = room::blocking(move || intel::Sightings::read(&seen)).await?.map_err(Error::said)?;
    publish_patterns::sight(&mut rows, &seen);
    let canary = edges::canary(store).await?;
    if let Some(canary) = canary.and_then(|name| edges::row(&name, &judge.names)) {
        rows.push(Indicator { id: number(&canary), ..canary });
    }
    let judge = Arc::new(judge);
    let by = judge.clone();
    let judged = room::blocking(move || {
        by.with(|context| {
            let verdict = |row: Indicator| {
                let verdict = validity::validity(&row, context, at.0).map_err(Error::said)?;
                let entries = validity::entries(&row, context, at.0).map_err(Error::said)?;
                Ok(Judged { row, verdict, entries })
            };
            rows.into_iter().map(verdict).collect()
        })
    })
    .await??;
    Ok((judge, judged))
}

async fn confirmed(store: &Store, judge: &Judge, at: Timestamp) -> Result<Vec<Indicator>, Error> {
    let names = &judge.names;
    let items = store.all(Table::Asset, &[ITEM]).await?;
    let acts = |item: &&Row| {
        !item.deleted
            && item.status == "active"
            && item.attributes.get("verdict").and_then(Json::as_str) == Some("act")
    };
    let mut rows: BTreeMap<(Kind, Scope, String), Indicator> = BTreeMap::new();
    for item in items.iter().filter(acts) {
        for line in inbox::confirmed(store, item).await.map_err(Error::said)?.unwrap_or_default() {
            let Some(row) = row(&line, &super::tlp::label(item), names, at) else { continue };
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
    for row in &mut rows {
        row.id = number(row);
        let key = (row.key.kind(), row.key.text().to_owned());
        row.decision = judge.exclusions.get(&key).cloned();
    }
    Ok(rows)
}

/// The number of a confirmed value: the same in every set.
fn number(row: &Indicator) -> u64 {
    use sha2::{Digest, Sha256};
    let (kind, scope) = (row.key.kind().as_str(), row.key.scope().as_str());
    let hash = Sha256::digest(format!("{kind} {scope} {}", row.key));
    let mut head = [0; 8];
    head.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(head) | CONFIRMED_BIT
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
    row.valid_until = time(&line.valid_until).map(|until| until.0);
    row.revoked = line.revoked;
    row.ceiling = line.ceiling.as_deref().and_then(Ceiling::named).unwrap_or_default();
    Some(row)
}

/// The same value of two items: what either says holds.
fn merge(known: &mut Indicator, other: &Indicator) {
    if known.direction != other.direction {
        known.direction = Direction::Both;
    }
    known.received = known.received.max(other.received);
    known.ceiling = known.ceiling.max(other.ceiling);
    // As long as one of them still says it, it is said.
    known.revoked &= other.revoked;
    known.valid_until = match (known.valid_until, other.valid_until) {
        (Some(one), Some(other)) => Some(one.max(other)),
        _ => None,
    };
    known.valid_from = match (known.valid_from, other.valid_from) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => None,
    };
}

/// What people took out, until their decision ends.
async fn exclusions(
    store: &Store,
    names: &Names,
) -> Result<BTreeMap<(Kind, String), Decision>, Error> {
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
                all.insert((key.kind(), key.text().to_owned()), decision);
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
async fn own(store: &Store, names: &Names) -> Result<(Option<Vec<u8>>, String), Error> {
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
        return Ok((None, String::new()));
    }
    // The file has a seed of its own each time; what it holds has not.
    let said = keys.iter().map(|key| format!("{key} {}\n", key.scope().as_str())).collect();
    let entries = (0..).zip(keys).map(|(id, key)| Entry::new(id, key, "own"));
    let mut bytes = Vec::new();
    set::build(entries, seed()?, &set::Limits::DEFAULT, &mut bytes).map_err(Error::said)?;
    Ok((Some(bytes), said))
}

fn seed() -> Result<[u8; 16], Error> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(Error::said)?;
    Ok(seed)
}

/// Publishes what changed; says when the base in force was made, and nothing while one is being made.
async fn publish(
    ctx: &Shared,
    kept: &Arc<Publisher>,
    base: Base,
    judge: Arc<Judge>,
    (judged, more): (&[Judged], More),
    now: Micros,
) -> Result<Option<Micros>, Error> {
    let store = ctx.store();
    let feeds = rows::feeds(&ctx.house).await?;
    let folder = ctx.house.folder().join(intel::FOLDER);
    let entries: Vec<Entry> = judged.iter().flat_map(|one| one.entries.clone()).collect();
    let confirmed = files::Confirmed::of(entries);
    let expired = judged.iter().filter(|one| one.verdict.state == State::Expired).count() as u64;
    let context = format!("{} {}", set::VERSION, judge.digest());
    let made = Made::read(store.setting(MADE_OF).await?.as_deref(), &folder);
    let mark = feeds.mark().await.map_err(Error::said)?;
    let rows = feeds.total(&judge.sources).await.map_err(Error::said)?;
    let job = files::Job {
        house: ctx.house.clone(),
        feeds,
        folder,
        judge,
        context: context.clone(),
        confirmed: Arc::new(confirmed),
        more: Arc::new(more),
        expired,
        now,
    };
    match base {
        Base::Failed(why) => return Err(Error::Said(why)),
        Base::Ready(built) if built.context == context => {
            job.install(*built).await?;
            return Ok(Some(now));
        }
        _ => {}
    }
    let is_due = made.based_at.saturating_add(BASE_EVERY) <= now || made.files >= FILES_MAX;
    if made.is_current(&context, &job.confirmed, mark) && !is_due {
        if made.more != job.more.digest() {
            job.beside(&made).await?;
        }
        return Ok(Some(made.based_at));
    }
    // Before the first indicator there is no set to sign.
    if made.files == 0 && job.confirmed.is_empty() && rows == 0 && job.more.is_empty() {
        return Ok(Some(now));
    }
    if rows <= kept.whole_rows_max.load(Ordering::Relaxed) {
        if is_due && made.is_current(&context, &job.confirmed, mark) && rows == 0 {
            // Only confirmed values: they end by themselves, and what they say has not changed.
            return Ok(Some(now));
        }
        let built = job.base().await?;
        job.install(built).await?;
        return Ok(Some(now));
    }
    let may_add = made.context == context && made.files > 0 && made.files < set::LAYERS_MAX - 1;
    if may_add {
        job.delta(&made).await?;
    }
    if !kept.is_making() && (is_due || !may_add) {
        kept.put_base(Base::Making);
        let (kept, job) = (kept.clone(), job);
        tokio::spawn(async move {
            kept.put_base(match job.base().await {
                Ok(built) => Base::Ready(Box::new(built)),
                Err(error) => Base::Failed(error.to_string()),
            });
        });
    }
    Ok(may_add.then_some(if is_due { now } else { made.based_at }))
}
