//! What a node does with the events of a partition: holds each against the rules, says which some rule meets. Pure.
//!
//! Invariants: the same messages, rules and state give the same answer; an event is left out only if no rule meets it;
//! what several audit records say together goes with the answer, since its records lie in several messages.

use std::{collections::BTreeMap, sync::Arc};

use bus::Frame;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use sigma::{Arena, FieldCensus, Match, Matcher};
use stream::{Event, Home, JoinLimits, Joiner};

use super::super::{
    evaluate::{is_joined, itself_first, lay},
    intel::Intel,
    rules::Loaded,
    saved::{Source, census},
};

/// What waits to be joined goes over the bus with each answer.
const JOIN: JoinLimits =
    JoinLimits { events: 1024, records: 64, bytes: 128 << 10, wait_us: 2_000_000 };

/// What is said of one message.
#[derive(Default, Serialize, Deserialize)]
pub struct Sifted {
    /// Evaluated events, by source.
    pub evaluated: BTreeMap<String, u64>,
    /// Events that were too large to be laid out.
    pub unreadable: u64,
    pub census: Vec<Source>,
    pub met: Vec<Met>,
    pub held: Held,
}

/// Which indicators events were held against, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub node: String,
    /// Root of the set; none where there was none.
    pub root: Option<String>,
    /// Why it is not the set that was asked for.
    pub trouble: Option<String>,
}

/// Indicators as a node holds them.
#[derive(Clone, Default)]
pub struct Indicators {
    pub intel: Option<Arc<Intel>>,
    pub held: Held,
}

/// An event that some rule, or some indicator, meets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// Offset behind it, and its number among what came of that event.
    pub end: u64,
    pub part: u32,
    /// The event, where it is none that lies in the spool.
    pub event: Option<Event>,
}

/// Rules, and what waits in one partition.
pub struct Sieve {
    loaded: Arc<Loaded>,
    matcher: Matcher,
    joiner: Joiner,
    arena: Arena,
    home: Home,
    indicators: Indicators,
}

impl Sieve {
    /// Goes on with what waited.
    pub fn new(loaded: Arc<Loaded>, state: &[u8], home: Home, indicators: Indicators) -> Sieve {
        let joiner = match state.is_empty() {
            true => Joiner::new(JOIN),
            false => postcard::from_bytes(state).unwrap_or_else(|_| Joiner::new(JOIN)),
        };
        let (matcher, arena) = (Matcher::new(&loaded.set), Arena::new());
        Sieve { matcher, loaded, joiner, arena, home, indicators }
    }

    /// Goes on with other rules or indicators, or reading otherwise.
    pub fn change(&mut self, loaded: Arc<Loaded>, home: Home, indicators: Indicators) {
        (self.home, self.indicators) = (home, indicators);
        self.matcher = Matcher::new(&loaded.set);
        self.loaded = loaded;
    }

    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// What waits; nothing if that is nothing.
    pub fn state(&self) -> Vec<u8> {
        match self.joiner.is_empty() {
            true => Vec::new(),
            false => postcard::to_stdvec(&self.joiner).unwrap_or_default(),
        }
    }

    /// Holds frames against the rules; with `now` also lets go what waited long enough, at the offset `to`.
    pub fn take(&mut self, frames: &[Frame], to: u64, now: Option<i64>) -> Sifted {
        let (mut said, mut seen) = (Sifted::default(), FieldCensus::default());
        said.held = self.indicators.held.clone();
        let mut parts = Vec::new();
        for frame in frames {
            // What cannot be read was said by whoever published it.
            let Some(event) = stream::read_frame(&frame.bytes, &self.home) else { continue };
            *said.evaluated.entry(event.source.clone()).or_default() += 1;
            let arrived = event.arrived;
            self.joiner.push(event, arrived, &mut parts);
            itself_first(&mut parts);
            for (part, event) in parts.drain(..).enumerate() {
                let is_itself = !is_joined(&event);
                self.one(event, (frame.end, part as u32), is_itself, &mut said, &mut seen);
            }
        }
        if let Some(now) = now {
            self.joiner.pass(Timestamp(now), &mut parts);
            for (part, event) in parts.drain(..).enumerate() {
                self.one(event, (to, part as u32), false, &mut said, &mut seen);
            }
        }
        said.census = census(&seen);
        said
    }

    fn one(
        &mut self,
        event: Event,
        (end, part): (u64, u32),
        is_itself: bool,
        said: &mut Sifted,
        seen: &mut FieldCensus,
    ) {
        if lay(&mut self.arena, &event).is_err() {
            said.unreadable += 1;
            return;
        }
        seen.observe(&self.arena);
        let mut matches: Vec<Match> = Vec::new();
        self.matcher.eval(&self.arena, &mut matches);
        // Where these are not the indicators that were asked for, who asked looks at each event for itself; what was
        // put together here is seen by nobody else.
        let is_unsure = self.indicators.held.trouble.is_some() && !is_itself;
        if !matches.is_empty() || is_unsure || self.is_indicated(&event) {
            said.met.push(Met { end, part, event: Some(event).filter(|_| !is_itself) });
        }
    }
}

impl Sieve {
    /// Whether an indicator, or some test of a pattern, meets the event.
    fn is_indicated(&self, event: &Event) -> bool {
        let intel = self.indicators.intel.as_ref();
        intel.is_some_and(|intel| intel.is_touched(event, event.time().min(event.arrived)))
    }
}

#[cfg(test)]
mod tests {
    use stream::{Limits, RawLine, Stream};

    use super::{
        super::{super::rules::shipped, partition_of},
        *,
    };
    use crate::work::evaluate::{Evaluator, Occurrence};

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
    const PARTITIONS: u32 = 3;

    /// Lines of several sources that rules meet, count over time, or join; the records of an event lie apart.
    fn stream(folder: &std::path::Path) -> Stream {
        let stream = Stream::open(folder, Limits::default()).unwrap();
        let audit = |n: i64, rest: &str| {
            format!("type={rest}").replacen(
                "msg=",
                &format!("msg=audit(1795600000.{:03}:{n}): ", n % 1000),
                1,
            )
        };
        for n in 0..240i64 {
            let now = Timestamp(NOW.0 + n * 1_000_000);
            let at = now.rfc3339();
            let failed = format!(
                "<38>1 {at} h{} sshd 7 - - Failed password for root from 192.0.2.{} port 22 ssh2",
                n % 3,
                n % 4
            );
            let disk = format!(
                "<3>1 {at} db kernel - - - blk_update_request: I/O error, dev sda, sector {n}"
            );
            let quiet = format!("<30>1 {at} db app - - - served {n}");
            let line = match n % 10 {
                0 => disk,
                1..=4 => failed,
                _ => quiet,
            };
            let source = format!("s{}", n % 5);
            stream.ingest(&source, vec![RawLine::new(line)], now).unwrap();
            if n % 6 == 0 {
                let first = audit(
                    n,
                    "SYSCALL msg=arch=c000003e syscall=257 success=yes exit=3 items=1 ppid=1 pid=2 auid=1000 uid=0 comm=\"x\" exe=\"/usr/bin/cat\" key=\"shadow\"",
                );
                stream.ingest("audit", vec![RawLine::new(first)], now).unwrap();
            }
            if n % 6 == 1 {
                let second = audit(n - 1, "PATH msg=item=0 name=\"/etc/shadow\" nametype=NORMAL");
                let last = audit(n - 1, "PROCTITLE msg=proctitle=\"x\"");
                let lines = if n % 4 == 1 { vec![second, last] } else { vec![second] };
                let lines = lines.into_iter().map(RawLine::new).collect();
                stream.ingest("audit", lines, now).unwrap();
            }
        }
        stream
    }

    type Told = (String, String, Option<u64>, i64, Option<u64>, Option<u128>);

    /// What time or other records decide is known by what it is of; where it is told may differ.
    fn told(found: &[Occurrence]) -> Vec<Told> {
        let one = |o: &Occurrence| {
            let value = o.value.map(f64::to_bits);
            let end = Some(o.end).filter(|_| o.once.is_none());
            (o.about.title_en.clone(), o.key.clone(), end, o.time.0, value, o.once)
        };
        let mut all: Vec<Told> = found.iter().map(one).collect();
        all.sort();
        all
    }

    fn home() -> Home {
        Home { zone: jiff::tz::TimeZone::UTC, host: None, manners: Arc::default() }
    }

    /// In rounds of so many bytes, each partition taken over by another node after so many messages.
    fn sieved(
        stream: &Stream,
        loaded: &Arc<Loaded>,
        bytes: usize,
        stay: usize,
    ) -> (Vec<Occurrence>, Evaluator) {
        let home = home();
        let mut evaluator = Evaluator::new(loaded.clone());
        let mut places: BTreeMap<u32, (usize, Sieve)> = BTreeMap::new();
        let (mut found, mut at) = (Vec::new(), 0);
        while at < stream.end() {
            let read = stream.frames_from(at, bytes).unwrap();
            let mut parts: BTreeMap<u32, Vec<Frame>> = BTreeMap::new();
            for frame in read.frames {
                let of = parts.entry(partition_of(&frame.source, PARTITIONS)).or_default();
                of.push(Frame { end: frame.end, bytes: frame.bytes });
            }
            let mut met = Vec::new();
            for (partition, frames) in parts {
                let fresh =
                    || (0, Sieve::new(loaded.clone(), &[], home.clone(), Indicators::default()));
                let (taken, sieve) = places.entry(partition).or_insert_with(fresh);
                if *taken == stay {
                    *sieve = Sieve::new(
                        loaded.clone(),
                        &sieve.state(),
                        home.clone(),
                        Indicators::default(),
                    );
                    *taken = 0;
                }
                *taken += 1;
                let said = sieve.take(&frames, read.next, None);
                let said: Sifted =
                    postcard::from_bytes(&postcard::to_stdvec(&said).unwrap()).unwrap();
                met.extend(said.met.iter().map(|met| {
                    let own = frames.iter().find(|frame| frame.end == met.end);
                    let read = || stream::read_frame(&own.unwrap().bytes, &home).unwrap();
                    (met.event.clone().unwrap_or_else(read), met.end, met.part)
                }));
                evaluator.count(said.evaluated, said.unreadable);
            }
            met.sort_by_key(|(_, end, part)| (*end, *part));
            evaluator.judge(met, &mut found);
            at = read.next;
        }
        evaluator.idle(NOW.plus_hours(9), at, &mut found);
        (found, evaluator)
    }

    #[test]
    fn what_nodes_leave_over_means_the_same_as_everything_wherever_rounds_and_nodes_end() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, loaded) = (stream(folder.path()), Arc::new(shipped()));
        let mut alone = Evaluator::new(loaded.clone());
        let mut wanted = Vec::new();
        alone.take(stream.read_from(0, usize::MAX).unwrap().events, &mut wanted);
        alone.idle(NOW.plus_hours(9), stream.end(), &mut wanted);
        let titles: std::collections::BTreeSet<&str> =
            wanted.iter().map(|o| o.about.title_en.as_str()).collect();
        assert!(titles.contains("Disk Reports Read or Write Errors"), "{titles:?}");
        assert!(wanted.iter().any(|o| o.value.is_some()), "a correlation: {titles:?}");
        let is_joined = |o: &Occurrence| o.value.is_none() && o.once.is_some();
        assert!(wanted.iter().any(is_joined), "records that were joined: {titles:?}");
        for (bytes, stay) in [(1, 1), (700, 2), (5_000, 1), (1 << 20, 9)] {
            let (found, evaluator) = sieved(&stream, &loaded, bytes, stay);
            assert_eq!(told(&found), told(&wanted), "{bytes} {stay}");
            assert_eq!(evaluator.seen.evaluated, alone.seen.evaluated, "{bytes} {stay}");
        }
    }

    #[test]
    fn what_waits_goes_when_time_says_so_and_is_told_in_full() {
        let loaded = Arc::new(shipped());
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        for rest in [
            "SYSCALL msg=audit(1795600000.001:7): arch=c000003e syscall=59 success=yes exit=0 pid=9 uid=33 comm=\"cat\" exe=\"/usr/bin/cat\"",
            "EXECVE msg=audit(1795600000.001:7): argc=2 a0=\"cat\" a1=\"/etc/shadow\"",
        ] {
            stream.ingest("audit", vec![RawLine::new(format!("type={rest}"))], NOW).unwrap();
        }
        let frames = stream.frames_from(0, usize::MAX).unwrap().frames;
        let frames: Vec<Frame> =
            frames.into_iter().map(|f| Frame { end: f.end, bytes: f.bytes }).collect();
        let mut sieve = Sieve::new(loaded.clone(), &[], home(), Indicators::default());
        let said = sieve.take(&frames, stream.end(), None);
        assert!(said.met.iter().all(|met| met.event.is_none()) && !sieve.state().is_empty());
        let mut next = Sieve::new(loaded, &sieve.state(), home(), Indicators::default());
        assert_eq!(next.take(&[], stream.end(), Some(NOW.0 + 1)).evaluated, BTreeMap::new());
        assert!(!next.state().is_empty(), "not yet");
        next.take(&[], stream.end(), Some(NOW.0 + 3_000_000));
        assert!(next.state().is_empty(), "let go");
    }
}
