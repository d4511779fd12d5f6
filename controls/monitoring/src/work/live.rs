//! Holds every event against the rules as soon as it is durable, and writes down what they met.
//!
//! Of one rule and group there is one alert at a time: it takes in what is met again until somebody has judged it.
//!
//! Invariants: findings and how far they reach are written in one transaction, so after a crash the events behind
//! the last saved state are held against the rules again and nothing is told twice; what is not read yet is held in
//! the spool; whatever fails ends in a restart from the saved state, never in a skipped event that nobody counts.

mod over_bus;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use intel::{Look, Sighting, Sightings, Watch};
use model::{Assurance, Id, Table, Timestamp};
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sigma::{Env, FieldCensus, LogSource};
use store::{RecordDraft, Store};
use stream::Event;

use super::{
    activation,
    alerts::{self, Alert, OPEN_MAX},
    canary,
    evaluate::{About, Evaluator, Occurrence, Part, nothing},
    hunts::{self, Hunts},
    intel::{Intel, seen},
    rules::{self, Loaded},
    saved::{self, Saved, census, name_of, read, write},
    spread::{
        Bus,
        lane::{Lane, States},
    },
};
use crate::findings::{FINDING, HANDLED};

/// Name under which the spool keeps what is not evaluated yet.
const READER: &str = "rules";
/// Setting of each stream: offset up to which findings are recorded.
const RECORDED: &str = "monitoring.recorded_to:";
/// Alerts of one rule that may be open at once; what is met beyond them goes into one more.
const OPEN_OF_RULE_MAX: usize = 200;
/// Group of that one.
const OTHERS: &str = "\0others";
pub(super) const ACTOR: &str = "system:monitoring.rules";
const READ_BYTES: usize = 4 << 20;
const SAVE_EVERY_S: i64 = 10;
/// Rules and clock are looked at this often; what comes is evaluated in every round.
const REST_EVERY_MS: i64 = 900;
/// Filters end with a day, so the rules are looked at from time to time.
const RELOAD_EVERY_S: i64 = 3_600;
/// Characters of a text in a payload.
const TEXT_CHARS_MAX: usize = 64 * 1024;
/// Characters of a fact about an indicator.
const FACT_CHARS_MAX: usize = 2_000;
/// A round that takes longer than this lets events wait.
const ROUND_MS_MAX: i64 = 60_000;
/// Whether somebody judged an alert is asked at most this often.
const ASK_EVERY_S: i64 = 5;

/// What pages show of the rules at work.
#[derive(Clone, Default)]
pub struct Shown {
    pub loaded: Option<Arc<Loaded>>,
    pub loaded_at: Option<Timestamp>,
    /// The indicators at work.
    pub intel: Option<Arc<Intel>>,
    /// Why a set that was published is not at work.
    pub intel_refused: Option<String>,
    /// What each alert took in after its first event, by the finding's id.
    pub again: HashMap<Id, Again>,
    pub coverage: Vec<sigma::RuleCoverage>,
    pub sources: Vec<(LogSource, u64)>,
    /// Which fields came from which log source.
    pub census: Arc<FieldCensus>,
    pub progress: Progress,
    /// Name of the stream that is evaluated.
    pub stream: String,
    /// What was met of indicators.
    pub sightings: Arc<Sightings>,
}

/// How far evaluation got.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Evaluated events, by source.
    pub evaluated: BTreeMap<String, u64>,
    /// Events that were stored before there was a rule here, by source.
    pub before: BTreeMap<String, u64>,
    /// Bytes of the spool that were gone before they were evaluated.
    pub gone_bytes: u64,
    pub unreadable: u64,
    /// Longest time between arrival and evaluation since the last status.
    pub lag_max_ms: i64,
    /// When the last round ended.
    pub at: Option<Timestamp>,
}

/// What an alert took in beside its first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    pub count: u64,
    pub last: i64,
}

/// The rules at work, and what pages see of them.
#[derive(Default)]
pub struct Live {
    running: tokio::sync::Mutex<Option<Running>>,
    shown: RwLock<Shown>,
    /// Offset up to which is evaluated.
    at: AtomicU64,
}

impl Live {
    pub fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Bytes of a stream that ends there which are not evaluated yet.
    pub(super) fn behind(&self, end: u64) -> u64 {
        end.saturating_sub(self.at.load(Ordering::Acquire))
    }

    /// What the alerts that wait to be judged are told apart by.
    pub(super) async fn open_keys(&self) -> HashSet<String> {
        let running = self.running.lock().await;
        running.iter().flat_map(|running| running.open.keys().cloned()).collect()
    }

    /// Takes up alerts that others wrote: what, which finding, which rule.
    pub(super) async fn adopt(&self, alerts: Vec<(String, Id, String)>) {
        if let Some(running) = self.running.lock().await.as_mut() {
            for (key, id, rule) in alerts {
                running.open.entry(key).or_insert(Alert { id, rule, offset: None });
            }
        }
    }

    /// Counts what a hunt met of indicators.
    pub(super) async fn sight(&self, all: Vec<Sighting>) {
        if let Some(running) = self.running.lock().await.as_mut().filter(|_| !all.is_empty()) {
            all.into_iter().for_each(|one| Arc::make_mut(&mut running.sightings).add(one));
            (running.is_dirty, running.is_sighted) = (true, true);
        }
    }

    /// The progress since it was asked for last. Where no round ended for a while, what came since may have
    /// waited as long.
    pub fn take_progress(&self, now: Timestamp) -> Progress {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let mut told = shown.progress.clone();
        shown.progress.lag_max_ms = 0;
        let idle_ms = told.at.map_or(0, |at| (now.0 - at.0) / 1_000);
        if idle_ms > ROUND_MS_MAX {
            told.lag_max_ms = told.lag_max_ms.max(idle_ms);
        }
        told
    }
}

struct Running {
    evaluator: Option<Box<Evaluator>>,
    /// The way to other nodes, where they evaluate.
    lane: Option<Lane>,
    /// Offset up to which is evaluated, and up to which findings are recorded.
    at: u64,
    recorded: u64,
    open: HashMap<String, Alert>,
    /// What was told and is not known by its place: a replay may decide it again.
    told: HashSet<u128>,
    again: HashMap<Id, Again>,
    /// What was met of indicators, as of the evaluated offset; whether it is to be written for others.
    sightings: Arc<Sightings>,
    is_sighted: bool,
    before: Option<BTreeMap<String, u64>>,
    gone_bytes: u64,
    stamp: (u64, Timestamp),
    /// Rules that came with the set of indicators, by name.
    of_set: BTreeMap<String, Vec<u8>>,
    loaded_at: Timestamp,
    /// When the rules were looked at, and when the clock decided last.
    looked_at: Timestamp,
    rested_at: Timestamp,
    /// Something is not saved yet.
    is_dirty: bool,
    saved_at: Timestamp,
    asked_at: Timestamp,
    folder: PathBuf,
    /// Name of the stream.
    stream: String,
    /// Sets of indicators, as they are published.
    sets: Option<Box<Watch>>,
}

/// One round: rules anew if they changed, then every event that came.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    let live = ctx.house.kept.get::<Live>();
    let mut place = live.running.lock().await;
    // Whatever fails leaves nothing behind: the next round starts from the saved state.
    let mut running = match place.take() {
        Some(running) => running,
        None => Running::begin(&ctx, &live).await?,
    };
    running.renew(&ctx, &live).await?;
    running.renew_set(&ctx, &live).await?;
    running.catch_up(&ctx, &live).await?;
    *place = Some(running);
    Ok(())
}

impl Running {
    async fn begin(ctx: &Shared, live: &Live) -> Result<Running, Error> {
        let store = ctx.store();
        let folder = ctx.house.archive.join("rules");
        let saved = read(&folder)?;
        let first = ctx.stream.start();
        // A state beyond the end is of another spool.
        let saved = saved.filter(|saved| saved.at <= ctx.stream.end());
        let saved_at = saved.as_ref().map_or(first, |saved| saved.at);
        let saved = saved.unwrap_or_default();
        let at = saved_at.max(first);
        ctx.stream.hold(READER, at)?;
        ctx.stream.beside(seen::write);
        let (stamp, loaded) = load(store, &BTreeMap::new()).await?;
        let mut evaluator = Box::new(Evaluator::new(loaded.clone()));
        evaluator.seen.evaluated = saved.evaluated;
        saved::add(&mut evaluator.seen.census, saved.census);
        let states = restore(&mut evaluator, &folder.join(&saved.windows));
        let is_spread = ctx.house.kept.get::<Bus>().settings().is_some() && !ctx.house.demo;
        let lane = is_spread.then(|| Lane::new(states));
        let stream = name_of(&folder, store)?;
        let recorded = store.setting(&format!("{RECORDED}{stream}")).await?;
        let recorded = recorded.and_then(|at| at.parse().ok()).unwrap_or(0);
        let now = store.now();
        let alerts::Told { open, once: told } = alerts::told(store, now, &stream).await?;
        live.at.store(at, Ordering::Release);
        live.change(|shown| {
            shown.loaded = Some(loaded.clone());
            shown.loaded_at = Some(now);
            shown.stream.clone_from(&stream);
        });
        if activation::tell(store, &loaded, &stream, at).await? {
            ctx.house.kept.get::<Hunts>().call();
        }
        Ok(Running {
            evaluator: Some(evaluator),
            lane,
            at,
            recorded,
            open,
            told,
            again: saved.again,
            sightings: Arc::new(saved.sightings.into_iter().collect()),
            is_sighted: true,
            before: saved.before,
            gone_bytes: saved.gone_bytes + first.saturating_sub(saved_at),
            stamp,
            of_set: BTreeMap::new(),
            loaded_at: now,
            // The first round looks at everything.
            looked_at: Timestamp(0),
            rested_at: Timestamp(0),
            is_dirty: true,
            saved_at: now,
            asked_at: now,
            folder,
            stream,
            sets: Some(Box::new(sets(ctx).await?)),
        })
    }

    /// Takes up the set of indicators that was published last.
    async fn renew_set(&mut self, ctx: &Shared, live: &Live) -> Result<(), Error> {
        let Some(mut sets) = self.sets.take() else {
            return Err(Error::said("the look at the indicators was cut off"));
        };
        let (sets, look) = room::blocking(move || {
            let look = sets.look();
            (sets, look)
        })
        .await?;
        self.sets = Some(sets);
        match look {
            Look::Unchanged => Ok(()),
            Look::New(current) => self.meet(ctx, live, current).await,
            Look::Refused(why) => self.refuse(ctx, live, &why).await,
        }
    }

    async fn meet(
        &mut self,
        ctx: &Shared,
        live: &Live,
        current: Arc<intel::Current>,
    ) -> Result<(), Error> {
        let Some(evaluator) = &mut self.evaluator else { return Ok(()) };
        let set = Arc::new(Intel::new(current));
        evaluator.meet(set.clone(), Part::All);
        live.change(|shown| {
            shown.intel = Some(set.clone());
            shown.intel_refused = None;
        });
        hunts::set_came(ctx, &self.stream, set.set.clone()).await?;
        let reach = self.lane.as_ref().map_or(self.at, |lane| lane.reach(self.at));
        let manifest = set.set.manifest();
        if activation::tell_set(ctx.store(), manifest, &self.stream, reach).await? {
            ctx.house.kept.get::<Hunts>().call();
        }
        ctx.house.wake();
        Ok(())
    }

    /// What was in force stays, and somebody has to see why.
    async fn refuse(&mut self, ctx: &Shared, live: &Live, why: &intel::Error) -> Result<(), Error> {
        let (why, now) = (why.to_string(), ctx.store().now());
        live.change(|shown| shown.intel_refused = Some(why.clone()));
        let about = Arc::new(refused());
        let digest = Sha256::digest(why.as_bytes());
        let once = u128::from_le_bytes(std::array::from_fn(|at| digest[at]));
        let event = Event { message: why.clone(), source: "ume".to_owned(), ..nothing(now) };
        let key = about.key(&why);
        let group = Vec::new();
        let (end, once) = (self.at, Some(once));
        let (value, why) = (None, None);
        let occurrence = Occurrence { about, key, group, value, event, end, time: now, once, why };
        self.record(ctx, vec![occurrence], self.at).await
    }

    /// Loads the rules again if one of them changed.
    async fn renew(&mut self, ctx: &Shared, live: &Live) -> Result<(), Error> {
        let (store, now) = (ctx.store(), ctx.store().now());
        if now.0 - self.looked_at.0 < REST_EVERY_MS * 1_000 {
            return Ok(());
        }
        self.looked_at = now;
        let stamp = store.stamp(Table::Rule, &rules::KINDS).await?;
        let of_set = self.evaluator.as_ref().and_then(|evaluator| evaluator.intel());
        let of_set = of_set.map(|intel| intel.rules(now)).unwrap_or_default();
        if stamp == self.stamp
            && of_set == self.of_set
            && now.0 - self.loaded_at.0 < RELOAD_EVERY_S * 1_000_000
        {
            return Ok(());
        }
        let (stamp, loaded) = load(store, &of_set).await?;
        self.of_set = of_set;
        (self.stamp, self.loaded_at) = (stamp, now);
        let Some(evaluator) = &mut self.evaluator else { return Ok(()) };
        if evaluator.loaded().is_like(&loaded) {
            return Ok(());
        }
        evaluator.change(loaded.clone());
        live.change(|shown| {
            shown.loaded = Some(loaded.clone());
            shown.loaded_at = Some(now);
        });
        let reach = self.lane.as_ref().map_or(self.at, |lane| lane.reach(self.at));
        if activation::tell(store, &loaded, &self.stream, reach).await? {
            ctx.house.kept.get::<Hunts>().call();
        }
        ctx.house.wake();
        Ok(())
    }

    /// Evaluates everything that came; where nothing came, only what the clock decides.
    async fn catch_up(&mut self, ctx: &Shared, live: &Live) -> Result<(), Error> {
        let until = match self.lane.take() {
            // Whatever fails here drops the lane with everything else, and both begin again where the state is.
            Some(mut lane) => {
                let until = self.over_bus(ctx, live, &mut lane).await?;
                self.lane = Some(lane);
                until
            }
            None => {
                while ctx.stream.end() > self.at {
                    self.step(ctx, live).await?;
                }
                Some(ctx.store().now())
            }
        };
        let now = ctx.store().now();
        if let Some(until) = until
            && now.0 - self.rested_at.0 >= REST_EVERY_MS * 1_000
        {
            self.rested_at = now;
            self.rest(ctx, live, until).await?;
        }
        if self.is_dirty && now.0 - self.saved_at.0 >= SAVE_EVERY_S * 1_000_000 {
            self.save(ctx).await?;
            self.cover(live);
        }
        Ok(())
    }

    /// The next piece of the stream.
    async fn step(&mut self, ctx: &Shared, live: &Live) -> Result<(), Error> {
        let (stream, at) = (ctx.stream.clone(), self.at);
        let Some(mut evaluator) = self.evaluator.take() else {
            return Err(Error::said("the evaluation of events was cut off"));
        };
        let now = ctx.store().now();
        let done = room::blocking(move || -> stream::Result<_> {
            let reading = stream.read_from(at, READ_BYTES)?;
            let arrivals = reading.events.iter().map(|placed| placed.event.arrived.0);
            let lag_ms = arrivals.map(|arrived| (now.0 - arrived) / 1_000).max().unwrap_or(0);
            let mut found = Vec::new();
            evaluator.take(reading.events, &mut found);
            Ok((evaluator, found, reading.next, reading.gone_bytes, lag_ms))
        });
        let (evaluator, found, next, gone, lag_ms) = done.await??;
        if next <= at {
            return Err(Error::said(format!("the spool cannot be read behind {at}")));
        }
        self.is_dirty = true;
        self.gone_bytes += gone;
        self.record(ctx, found, next).await?;
        self.at = next;
        live.at.store(next, Ordering::Release);
        self.tell(live, &evaluator, lag_ms, now);
        self.evaluator = Some(evaluator);
        Ok(())
    }

    /// What time alone decides: audit events that wait, windows that close.
    async fn rest(&mut self, ctx: &Shared, live: &Live, now: Timestamp) -> Result<(), Error> {
        let Some(mut evaluator) = self.evaluator.take() else {
            return Err(Error::said("the evaluation of events was cut off"));
        };
        let mut found = Vec::new();
        evaluator.idle(now, self.at, &mut found);
        self.is_dirty |= !found.is_empty();
        self.record(ctx, found, self.at).await?;
        self.tell(live, &evaluator, 0, now);
        self.evaluator = Some(evaluator);
        self.settle_before(ctx);
        Ok(())
    }

    /// Writes new alerts, and counts what belongs to one that is there.
    async fn record(
        &mut self,
        ctx: &Shared,
        found: Vec<Occurrence>,
        next: u64,
    ) -> Result<(), Error> {
        if found.is_empty() {
            return Ok(());
        }
        let (store, now) = (ctx.store(), ctx.store().now());
        self.forget_judged(store, now).await?;
        let mut first: BTreeMap<String, Occurrence> = BTreeMap::new();
        let mut again: Vec<(String, i64)> = Vec::new();
        for mut occurrence in found {
            if occurrence.about.is_canary {
                canary::seen(ctx, &occurrence).await?;
                continue;
            }
            let sighting = occurrence.why.as_deref().and_then(|why| why.sighting(occurrence.time));
            if let Some(sighting) = sighting {
                Arc::make_mut(&mut self.sightings).add(sighting);
                self.is_sighted = true;
            }
            let is_known =
                self.open.contains_key(&occurrence.key) || first.contains_key(&occurrence.key);
            if !is_known && self.is_full(&occurrence.about.id, &first) {
                occurrence.key = occurrence.about.key(OTHERS);
            }
            // After a crash events come a second time.
            let is_told = match occurrence.once {
                Some(id) => self.told.contains(&id),
                None => occurrence.end <= self.recorded,
            };
            match self.open.get(&occurrence.key) {
                Some(_) if is_told && occurrence.once.is_some() => {}
                // This one is in it, or is older than it.
                Some(alert) if occurrence.once.is_none() && alert.holds(occurrence.end) => {}
                Some(_) => again.push((occurrence.key, occurrence.time.0)),
                None if is_told => {}
                None if first.contains_key(&occurrence.key) => {
                    again.push((occurrence.key, occurrence.time.0));
                }
                None => drop(first.insert(occurrence.key.clone(), occurrence)),
            }
        }
        if !first.is_empty() {
            // Before the change begins: what is not known yet of this machine is a change of its own.
            let mut hosts = Vec::with_capacity(first.len());
            for occurrence in first.values() {
                let event = &occurrence.event;
                hosts.push(alerts::host_of(ctx, &event.source, &event.host).await?);
            }
            let mut write = store.write(ACTOR, "work", "").await?;
            let mut made = HashMap::new();
            for ((key, occurrence), host) in first.iter().zip(hosts) {
                let record = write.record(draft(occurrence, host, now, &self.stream)).await?;
                let (rule, offset) = (occurrence.about.id.clone(), Some(occurrence.end));
                made.insert(key.clone(), Alert { id: record.id, rule, offset });
            }
            write.set_setting(&format!("{RECORDED}{}", self.stream), &next.to_string()).await?;
            write.commit().await?;
            self.recorded = next;
            self.open.extend(made);
            self.told.extend(first.values().filter_map(|occurrence| occurrence.once));
            ctx.house.wake();
        }
        for (key, time) in again {
            let Some(alert) = self.open.get(&key) else { continue };
            let again = self.again.entry(alert.id).or_default();
            again.count += 1;
            again.last = again.last.max(time);
        }
        Ok(())
    }

    /// Whether a rule has as many alerts as it may.
    fn is_full(&self, rule: &str, first: &BTreeMap<String, Occurrence>) -> bool {
        let open = self.open.values().filter(|alert| alert.rule == rule).count();
        let new = first.values().filter(|occurrence| occurrence.about.id == rule).count();
        open + new >= OPEN_OF_RULE_MAX
    }

    /// An alert that was judged takes nothing in any more.
    async fn forget_judged(&mut self, store: &Store, now: Timestamp) -> Result<(), Error> {
        if self.open.is_empty() || now.0 - self.asked_at.0 < ASK_EVERY_S * 1_000_000 {
            return Ok(());
        }
        let since = self.asked_at.minus_hours(1);
        self.asked_at = now;
        let judged = store.records_since(&[HANDLED], since, OPEN_MAX).await?;
        let judged: Vec<Id> = judged.iter().filter_map(|record| record.subject).collect();
        self.open.retain(|_, alert| !judged.contains(&alert.id));
        self.again.retain(|id, _| !judged.contains(id));
        Ok(())
    }

    /// Once everything in the spool was evaluated it is known how much came before there were rules.
    fn settle_before(&mut self, ctx: &Shared) {
        let Some(evaluator) = self.evaluator.as_ref().filter(|_| self.before.is_none()) else {
            return;
        };
        let (end, counters) = ctx.stream.counted();
        if end != self.at {
            return;
        }
        let evaluated = &evaluator.seen.evaluated;
        let rest = |(source, counters): (String, stream::Counters)| {
            let known = evaluated.get(&source).copied().unwrap_or(0);
            (source, counters.stored.saturating_sub(known))
        };
        self.before = Some(counters.into_iter().map(rest).filter(|(_, n)| *n > 0).collect());
    }

    fn tell(&self, live: &Live, evaluator: &Evaluator, lag_ms: i64, now: Timestamp) {
        live.change(|shown| {
            let progress = &mut shown.progress;
            progress.at = Some(now);
            progress.evaluated.clone_from(&evaluator.seen.evaluated);
            progress.before = self.before.clone().unwrap_or_default();
            progress.gone_bytes = self.gone_bytes;
            progress.unreadable = evaluator.seen.unreadable;
            progress.lag_max_ms = progress.lag_max_ms.max(lag_ms);
            shown.again.clone_from(&self.again);
            shown.sightings = self.sightings.clone();
        });
    }

    /// Which rules can fire with the fields that arrive.
    fn cover(&self, live: &Live) {
        let Some(evaluator) = &self.evaluator else { return };
        let census = &evaluator.seen.census;
        let coverage = evaluator.loaded().set.coverage(census);
        let sources = census.sources().map(|(source, n)| (source.clone(), n)).collect();
        let census = Arc::new(census.clone());
        live.change(|shown| {
            shown.coverage = coverage;
            shown.sources = sources;
            shown.census = census;
        });
    }

    async fn save(&mut self, ctx: &Shared) -> Result<(), Error> {
        let Some(evaluator) = &self.evaluator else { return Ok(()) };
        let windows = format!("{:020}.windows", self.at);
        let saved = Saved {
            at: self.at,
            windows: windows.clone(),
            evaluated: evaluator.seen.evaluated.clone(),
            before: self.before.clone(),
            again: self.again.clone(),
            gone_bytes: self.gone_bytes,
            sightings: self.sightings.all().cloned().collect(),
            census: census(&evaluator.seen.census),
        };
        let states = self.lane.as_ref().map(|lane| lane.states().clone()).unwrap_or_default();
        let bytes = saved::pack(evaluator.windows(), &states);
        let folder = self.folder.clone();
        let sets = ctx.house.folder().join(::intel::FOLDER);
        let sightings = self.is_sighted.then(|| self.sightings.clone());
        room::blocking(move || {
            write(&folder, &saved, &bytes)?;
            match sightings {
                Some(sightings) => sightings.write(&sets).map_err(Error::said),
                None => Ok(()),
            }
        })
        .await??;
        self.is_sighted = false;
        ctx.stream.hold(READER, self.at)?;
        // What these windows decided they decide no more.
        self.told.clear();
        (self.saved_at, self.is_dirty) = (ctx.store().now(), false);
        Ok(())
    }
}

/// Takes up windows and what waited to be joined; gives what waits on other nodes.
fn restore(evaluator: &mut Evaluator, windows: &std::path::Path) -> States {
    let Ok(bytes) = std::fs::read(windows) else { return States::new() };
    let Some((windows, states)) = saved::unpack(&bytes) else {
        tracing::warn!("the windows of correlations are damaged and begin anew");
        return States::new();
    };
    if let Err(error) = evaluator.restore(&windows) {
        tracing::warn!(%error, "the windows of correlations begin anew");
    }
    states
}

/// The rules of the register with those that came with the set of indicators.
async fn load(
    store: &Store,
    of_set: &BTreeMap<String, Vec<u8>>,
) -> Result<((u64, Timestamp), Arc<Loaded>), Error> {
    // The stamp first: what changes in between is loaded by the next round.
    let stamp = store.stamp(Table::Rule, &rules::KINDS).await?;
    Ok((stamp, Arc::new(rules::load_with(store, &Env::default(), of_set).await?)))
}

/// The folder of published sets, and whose signature counts.
async fn sets(ctx: &Shared) -> Result<Watch, Error> {
    let key = ctx.house.ledger.lock().await.verifier_key();
    let key = merkle::VerifierKey::parse(&key).map_err(Error::said)?;
    Ok(Watch::new(ctx.house.folder().join(intel::FOLDER), vec![key]))
}

fn refused() -> About {
    About {
        file: super::intel::DOCUMENT.to_owned(),
        id: "indicators:refused".to_owned(),
        title_ja: "公開された指標集を使えません（前の指標集を使い続けます）".to_owned(),
        title_en: "A published set of indicators is not used; the one before stays".to_owned(),
        severity: "high",
        phase: "sign",
        hash: hex::encode(Sha256::digest("indicators:refused")),
        is_canary: false,
    }
}

/// Why an indicator is one, as the payload of a finding holds it.
fn told_of(why: &super::intel::Why) -> serde_json::Value {
    json!({
        "kind": why.kind,
        "value": why.value,
        "pattern": why.pattern,
        "source": why.source,
        "items": why.items,
        "direction": why.direction,
        "from": why.from,
        "until": why.until,
        "root": why.root,
        "seen": why.seen,
        "undecided": why.is_undecided,
    })
}

pub(super) fn draft(
    occurrence: &Occurrence,
    host: Option<Id>,
    now: Timestamp,
    stream: &str,
) -> RecordDraft {
    let about = &occurrence.about;
    let mut facts = json!({
        "severity": about.severity,
        "class": "detection",
        "phase": about.phase,
        "retro": false,
        "rule": about.id,
        "rule_hash": about.hash,
        "title_ja": about.title_ja,
        "title_en": about.title_en,
        "group": occurrence.key,
        "stream": stream,
        "offset": occurrence.end,
    });
    if let Some(why) = &occurrence.why {
        let items = why.items.join(",");
        for (name, text) in [
            ("indicator_kind", &why.kind),
            ("indicator", &why.value),
            ("indicator_source", &why.source),
            ("indicator_items", &items),
        ] {
            if !text.is_empty() {
                facts[name] = text.chars().take(FACT_CHARS_MAX).collect::<String>().into();
            }
        }
    }
    if let Some(once) = occurrence.once {
        facts[alerts::ONCE] = format!("{once:032x}").into();
    }
    let event = &occurrence.event;
    let cut = |text: &str| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
    let payload = json!({
        "document": about.file,
        "time": occurrence.time.rfc3339(),
        "arrived": event.arrived.rfc3339(),
        "source": event.source,
        "class": event.class,
        "host": event.host,
        "app": event.app,
        "message": cut(&event.message),
        "raw": cut(&String::from_utf8_lossy(&event.raw)),
        "raw_hex": std::str::from_utf8(&event.raw).is_err().then(|| hex::encode(&event.raw)),
        "fields": event.fields,
        "group": occurrence.group,
        "value": occurrence.value,
        "indicator": occurrence.why.as_deref().map(told_of),
    });
    // An event may be older than its arrival, never newer than now.
    let at = occurrence.time.min(now);
    RecordDraft {
        ty: FINDING.to_owned(),
        subject: host,
        observed_from: at,
        observed_to: at,
        source: "monitoring.rules".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&payload).ok(),
    }
}
