//! The main node's side: what lies in the spool goes out, what nodes say of it comes back in the order of the spool.
//!
//! Invariants: what waits in a partition is known as of the offset up to which everything is evaluated, so a new run can
//! begin there at any time; trouble of the bus ends a run and nothing else: the spool grows, and once the bus is back it
//! is caught up with.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{BusError, Frame, Link, centre::Centre, order::Done};
use model::Timestamp;
use room::{Error, Shared};
use serde_json::json;
use stream::Event;

use super::{
    super::{
        activation::{APPLIED, INDICATORS},
        intel::Intel,
        live::ACTOR,
        rules::Loaded,
    },
    Bus, NodeSet, file, node, partition_of,
    sieve::{Held, Met, Sifted},
};

/// Bytes of the spool in one round: even where every event is told in full, the answer fits into a message.
const ROUND_BYTES: usize = 256 << 10;
/// How long answers are waited for before other work has its turn.
const PATIENCE: Duration = Duration::from_millis(200);
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// What only time decides is asked so often, while something waits.
const TICK_EVERY: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_secs(5);
const NODES_EVERY: Duration = Duration::from_secs(20);

/// What each partition waits for.
pub(in super::super) type States = BTreeMap<u32, Vec<u8>>;

/// A piece of the spool that is evaluated but for what its events mean together.
pub(in super::super) struct Sieved {
    pub to: u64,
    /// Events that some rule meets, each with the offset behind it and its part, in their order.
    pub met: Vec<(Event, u64, u32)>,
    pub said: Vec<Sifted>,
    pub gone_bytes: u64,
    /// When its first and its last event came.
    pub arrived: Option<(Timestamp, Timestamp)>,
}

/// Which indicators an answer was made by, and which were asked for.
type Answered = (Held, Option<Arc<Intel>>);

/// What is known of a round that is on its way.
struct Sent {
    gone_bytes: u64,
    arrived: Option<(Timestamp, Timestamp)>,
    /// Each with its partition.
    frames: BTreeMap<u64, (u32, Vec<u8>)>,
    /// The indicators that were asked for.
    intel: Option<Arc<Intel>>,
}

/// The way to the nodes and back.
pub(in super::super) struct Lane {
    states: States,
    centre: Option<Centre>,
    /// Offset up to which is published.
    sent: u64,
    rounds: VecDeque<Sent>,
    /// What nodes work by.
    rules: Option<Provided>,
    /// What was written down of it, and when.
    told: Option<(serde_json::Value, Instant)>,
    /// What each node holds, as it was recorded last.
    held: BTreeMap<String, Held>,
    tried_at: Option<Instant>,
    ticked_at: Instant,
    asked_at: Option<Instant>,
}

/// Rules and how lines are read, with the name of both.
struct Provided {
    loaded: Arc<Loaded>,
    manners: Arc<stream::Manners>,
    intel: Option<Arc<Intel>>,
    hash: String,
}

impl Lane {
    pub fn new(states: States) -> Lane {
        Lane {
            states,
            centre: None,
            sent: 0,
            rounds: VecDeque::new(),
            rules: None,
            told: None,
            held: BTreeMap::new(),
            tried_at: None,
            ticked_at: Instant::now(),
            asked_at: None,
        }
    }

    pub fn states(&self) -> &States {
        &self.states
    }

    /// Offset from which on rules that come now are at work.
    pub fn reach(&self, at: u64) -> u64 {
        if self.centre.is_some() { self.sent.max(at) } else { at }
    }

    /// Publishes what there is and waits a moment for the next piece to be evaluated.
    pub async fn step(
        &mut self,
        ctx: &Shared,
        (loaded, intel): (&Arc<Loaded>, Option<&Arc<Intel>>),
        at: u64,
    ) -> Result<Option<Sieved>, Error> {
        let bus = ctx.house.kept.get::<Bus>();
        let stepped = self.steps(ctx, &bus, (loaded, intel), at).await;
        let done = match stepped {
            Ok(done) => done,
            Err(Step::Bus(error)) => {
                self.fail(ctx, &bus, error);
                None
            }
            Err(Step::Other(error)) => return Err(error),
        };
        let to = done.as_ref().map_or(at, |done| done.to);
        let sieved = match done {
            Some(done) => match self.sieved(ctx, done) {
                Ok((sieved, held)) => {
                    self.hear(ctx, &bus, held).await?;
                    Some(sieved)
                }
                Err(error) => {
                    self.fail(ctx, &bus, error);
                    None
                }
            },
            None => None,
        };
        let oldest = self.rounds.iter().find_map(|sent| Some(sent.arrived?.0));
        let (end, is_up) = (ctx.stream.end(), self.is_up());
        bus.change(|shown| {
            shown.is_up = is_up;
            shown.behind_bytes = end.saturating_sub(to);
            shown.oldest = match shown.behind_bytes {
                0 => None,
                // Where nothing is on its way what waits came since then at the latest.
                _ => oldest.or(shown.oldest).or(Some(ctx.store().now())),
            };
        });
        self.tell(ctx, &bus).await?;
        Ok(sieved)
    }

    /// Writes down how it fares, for who asks without the server.
    async fn tell(&mut self, ctx: &Shared, bus: &Bus) -> Result<(), Error> {
        if self.told.as_ref().is_some_and(|(_, at)| at.elapsed() < TELL_EVERY) {
            return Ok(());
        }
        let Some(shown) = bus.shown() else { return Ok(()) };
        let document = shown.document();
        let is_told = self.told.as_ref().is_some_and(|(told, _)| *told == document);
        self.told = Some((document.clone(), Instant::now()));
        if is_told {
            return Ok(());
        }
        let path = file(&ctx.house.archive);
        let written = room::blocking(move || {
            std::fs::create_dir_all(path.with_file_name(""))
                .and_then(|()| disk::replace(&path, document.to_string().as_bytes()))
                .map_err(|source| Error::Io { path, source })
        });
        written.await?
    }

    fn is_up(&self) -> bool {
        self.centre.as_ref().is_some_and(|centre| centre.link().is_up())
    }

    /// The run is over; another begins in a moment.
    fn fail(&mut self, ctx: &Shared, bus: &Bus, error: BusError) {
        self.centre = None;
        self.rounds.clear();
        self.held.clear();
        self.tried_at = Some(Instant::now());
        let now = ctx.store().now();
        bus.change(|shown| {
            if shown.trouble.as_ref() != Some(&error) {
                tracing::error!("{error}");
            }
            shown.since = shown.since.filter(|_| shown.trouble.is_some()).or(Some(now));
            shown.trouble = Some(error);
            shown.is_up = false;
            shown.nodes.clear();
            shown.sets.clear();
        });
    }

    async fn steps(
        &mut self,
        ctx: &Shared,
        bus: &Bus,
        (loaded, intel): (&Arc<Loaded>, Option<&Arc<Intel>>),
        at: u64,
    ) -> Result<Option<Done>, Step> {
        if self.centre.is_none() {
            if self.tried_at.is_some_and(|tried| tried.elapsed() < RETRY_AFTER) {
                return Ok(None);
            }
            self.begin(ctx, bus, at).await?;
        }
        let Some(centre) = &mut self.centre else { return Ok(None) };
        let home = ctx.stream.home();
        let is_known = self.rules.as_ref().is_some_and(|known| {
            let is_same = match (&known.intel, intel) {
                (Some(known), Some(intel)) => Arc::ptr_eq(known, intel),
                (known, intel) => known.is_none() && intel.is_none(),
            };
            is_same
                && Arc::ptr_eq(&known.loaded, loaded)
                && Arc::ptr_eq(&known.manners, &home.manners)
        });
        let signed = intel.map(|intel| intel.set.signed());
        if !is_known {
            let (loaded, manners) = (loaded.clone(), home.manners.clone());
            let hash = node::name(&loaded, &home, signed);
            self.rules = Some(Provided { hash, loaded, manners, intel: intel.cloned() });
        }
        if let Some(Provided { loaded, hash, .. }) = &self.rules {
            if !centre.is_provided(hash) {
                // Before the rules that name them.
                centre.provide_files(&files_of(ctx, intel)).await?;
            }
            centre.provide(hash, || node::bundle(loaded, &home, signed)).await?;
        }
        if self.asked_at.is_none_or(|asked| asked.elapsed() >= NODES_EVERY) {
            self.asked_at = Some(Instant::now());
            let nodes = centre.nodes().await?;
            bus.change(|shown| shown.nodes = nodes);
        }
        self.send(ctx).await?;
        let Some(centre) = &mut self.centre else { return Ok(None) };
        let done = centre.done(PATIENCE).await?;
        if done.is_some() {
            bus.change(|shown| (shown.trouble, shown.since) = (None, None));
        }
        centre.clean().await?;
        centre.look_after().await?;
        Ok(done)
    }

    async fn begin(&mut self, ctx: &Shared, bus: &Bus, at: u64) -> Result<(), Step> {
        let Some(settings) = bus.settings() else { return Ok(()) };
        self.tried_at = Some(Instant::now());
        let link = Link::connect(settings).await?;
        let run = ctx.store().now().0.unsigned_abs();
        self.centre = Some(Centre::begin(link, run, self.states.clone()).await?);
        (self.sent, self.asked_at) = (at, None);
        self.rounds.clear();
        bus.change(|shown| (shown.trouble, shown.since) = (None, None));
        tracing::info!(at, "events go over the bus");
        Ok(())
    }

    /// Publishes what the spool holds, as far ahead as it may.
    async fn send(&mut self, ctx: &Shared) -> Result<(), Step> {
        let Some(centre) = &mut self.centre else { return Ok(()) };
        let end = ctx.stream.end();
        while centre.has_room() && self.sent < end {
            let (stream, from) = (ctx.stream.clone(), self.sent);
            let read = room::blocking(move || stream.frames_from(from, ROUND_BYTES));
            let read = read.await?.map_err(Error::from)?;
            if read.next <= from {
                let what = format!("the spool cannot be read behind {from}");
                return Err(Step::Other(Error::said(what)));
            }
            let arrivals = read.frames.iter().map(|frame| frame.arrived);
            let arrived = arrivals.clone().min().zip(arrivals.max());
            let mut parts: BTreeMap<u32, Vec<Frame>> = BTreeMap::new();
            let mut frames = BTreeMap::new();
            for frame in read.frames {
                let partition = partition_of(&frame.source, centre.partitions());
                let of = parts.entry(partition).or_default();
                of.push(Frame { end: frame.end, bytes: frame.bytes.clone() });
                frames.insert(frame.end, (partition, frame.bytes));
            }
            centre.publish(read.next, None, parts).await?;
            let intel = self.rules.as_ref().and_then(|rules| rules.intel.clone());
            self.rounds.push_back(Sent { gone_bytes: read.gone_bytes, arrived, frames, intel });
            self.sent = read.next;
        }
        let is_all_in = self.sent >= end && centre.under_way() == 0;
        if is_all_in && !self.states.is_empty() && self.ticked_at.elapsed() >= TICK_EVERY {
            self.ticked_at = Instant::now();
            let parts = self.states.keys().map(|partition| (*partition, Vec::new())).collect();
            centre.publish(self.sent, Some(ctx.store().now().0), parts).await?;
            let (frames, intel) = (BTreeMap::new(), None);
            self.rounds.push_back(Sent { gone_bytes: 0, arrived: None, frames, intel });
        }
        Ok(())
    }

    /// Records which set a node holds, once for each.
    async fn hear(&mut self, ctx: &Shared, bus: &Bus, all: Vec<Answered>) -> Result<(), Error> {
        for (held, asked) in all {
            if held.node.is_empty() || self.held.get(&held.node) == Some(&held) {
                continue;
            }
            let now = ctx.store().now();
            let before = self.held.insert(held.node.clone(), held.clone());
            bus.change(|shown| {
                let root = held.root.clone();
                let set = NodeSet { root, since: now, trouble: held.trouble.clone() };
                shown.sets.insert(held.node.clone(), set);
            });
            let is_new = before.is_none_or(|before| before.root != held.root);
            let manifest = asked.as_ref().map(|intel| intel.set.manifest());
            let applied = manifest.filter(|m| is_new && held.root.as_ref() == Some(&m.root()));
            let Some(manifest) = applied else { continue };
            let facts = json!({
                "edge": format!("monitoring/{}", held.node),
                "kind": INDICATORS,
                "root": manifest.root(),
                "serial": manifest.sequence,
            });
            let mut write = ctx.store().write(ACTOR, "work", "").await?;
            write.record(room::draft(APPLIED, None, now, facts)).await?;
            write.commit().await?;
            ctx.house.wake();
        }
        Ok(())
    }

    /// What was said of a round, with the events that it is about, and which indicators each answer was made by.
    fn sieved(&mut self, ctx: &Shared, done: Done) -> Result<(Sieved, Vec<Answered>), BusError> {
        let gone = || BusError::Gone { what: "a round".to_owned() };
        let sent = self.rounds.pop_front().ok_or_else(gone)?;
        let mut said = Vec::with_capacity(done.answers.len());
        let mut states = Vec::with_capacity(done.answers.len());
        let root = sent.intel.as_ref().map(|intel| intel.set.manifest().root());
        let (mut held, mut unsure) = (Vec::new(), BTreeSet::new());
        for answer in done.answers {
            let one: Sifted = postcard::from_bytes(&answer.body).map_err(|e| BusError::Failed {
                what: "read what a node said",
                reason: e.to_string(),
            })?;
            // Where a node holds other indicators these events are looked at here.
            if root.is_some() && one.held.root != root {
                unsure.insert(answer.partition);
            }
            held.push((one.held.clone(), sent.intel.clone()));
            said.push(one);
            states.push((answer.partition, answer.state));
        }
        let mut met: Vec<Met> =
            said.iter_mut().flat_map(|one| std::mem::take(&mut one.met)).collect();
        let home = ctx.stream.home();
        if let Some(intel) = sent.intel.as_ref().filter(|_| !unsure.is_empty()) {
            met.extend(looked_at(&sent.frames, &unsure, intel, &home, &met));
        }
        met.sort_by_key(|met| (met.end, met.part));
        let event = |Met { end, part, event }: Met| {
            let own = || stream::read_frame(&sent.frames.get(&end)?.1, &home);
            Some((event.or_else(own)?, end, part))
        };
        let met = met.into_iter().filter_map(event).collect();
        for (partition, state) in states {
            match state.is_empty() {
                true => drop(self.states.remove(&partition)),
                false => drop(self.states.insert(partition, state)),
            }
        }
        let Sent { gone_bytes, arrived, .. } = sent;
        Ok((Sieved { to: done.to, met, said, gone_bytes, arrived }, held))
    }
}

/// Events of some partitions that an indicator meets and that no node named.
fn looked_at(
    frames: &BTreeMap<u64, (u32, Vec<u8>)>,
    unsure: &BTreeSet<u32>,
    intel: &Intel,
    home: &stream::Home,
    named: &[Met],
) -> Vec<Met> {
    let named: BTreeSet<u64> =
        named.iter().filter(|met| met.event.is_none()).map(|met| met.end).collect();
    let mut found = Vec::new();
    for (end, (partition, bytes)) in frames {
        if !unsure.contains(partition) || named.contains(end) {
            continue;
        }
        let Some(event) = stream::read_frame(bytes, home) else { continue };
        if intel.is_touched(&event, event.time().min(event.arrived)) {
            found.push(Met { end: *end, part: 0, event: None });
        }
    }
    found
}

/// The files of a set, where they lie.
fn files_of(ctx: &Shared, intel: Option<&Arc<Intel>>) -> Vec<(String, std::path::PathBuf)> {
    let folder = ctx.house.folder().join(::intel::FOLDER);
    let files = intel.map(|intel| intel.set.manifest().files.as_slice()).unwrap_or_default();
    files.iter().map(|file| (file.name.clone(), folder.join(&file.name))).collect()
}

/// Why a step went no further.
enum Step {
    Bus(BusError),
    Other(Error),
}

impl From<BusError> for Step {
    fn from(error: BusError) -> Step {
        Step::Bus(error)
    }
}

impl From<Error> for Step {
    fn from(error: Error) -> Step {
        Step::Other(error)
    }
}
