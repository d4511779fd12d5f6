//! The handle: ingest, flush, count.
//!
//! A folder holds `lock`, `spool/`, `archive/`, `counters.json`, perhaps an older `state/`, and, during a flush,
//! `flush.json`: the range being archived, so that a flush cut off by a crash is repeated over the same
//! range, finds its segments by name and writes none twice.
//!
//! What files said of their columns is part of that: a step begins with the columns that its plan holds, so
//! rows of a repeated step are read by the same, and those behind it by what the step learnt.
//!
//! Counters are saved with the offset they cover. What was appended after it is counted again from the
//! spool when the folder is opened, so a crash between acknowledgement and count loses no count.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use jiff::tz::TimeZone;
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    archive::{Archive, SegmentInfo},
    counters::Counters,
    entry::{Tag, decode},
    error::{At, Error, Result},
    event::{Event, RawLine},
    files::{read_json, write_json},
    headers::{Headers, HeadersAt},
    home::{Home, Manners},
    marks::Marked,
    once::{Once, Said},
    ready::Ready,
    search::{Query, SearchResult, search},
    spool::{Snapshot, Spool, SpoolLimits},
};

/// Bounds and surroundings of a stream.
#[derive(Clone, Debug)]
pub struct Limits {
    pub spool: SpoolLimits,
    /// Most bytes of spool that become segments in one step; bounds memory.
    pub flush_bytes: usize,
    /// Most sources; a flood of names must not fill memory.
    pub max_sources: usize,
    /// Zone of lines that name none.
    pub zone: TimeZone,
    /// Host of lines of this machine's files that name none.
    pub host: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            spool: SpoolLimits::default(),
            flush_bytes: 32 << 20,
            max_sources: 4096,
            zone: TimeZone::UTC,
            host: None,
        }
    }
}

/// What became of a batch. Stored lines are durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    pub stored: u64,
    pub refused: BTreeMap<String, u64>,
    /// Spool offset after the batch.
    pub end: u64,
}

/// An event with its place in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Offset behind it: unique and rising over the life of the folder.
    pub end: u64,
    pub event: Event,
}

/// A frame of the spool as it lies there, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedFrame {
    pub end: u64,
    pub source: String,
    pub arrived: Timestamp,
    pub bytes: Vec<u8>,
}

/// Frames read in order.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    pub frames: Vec<PlacedFrame>,
    /// Where to go on.
    pub next: u64,
    /// Bytes that were asked for and are not there any more, or cannot be read.
    pub gone_bytes: u64,
}

/// The event in a frame of the spool, wherever it is read. Columns that an earlier line named are not known to it.
pub fn read_frame(bytes: &[u8], home: &Home) -> Option<Event> {
    Some(home.event(&decode(bytes)?, &mut Headers::default()))
}

/// Events read in order.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub events: Vec<Placed>,
    /// Where to go on.
    pub next: u64,
    /// Bytes that were asked for and are not there any more, or cannot be read.
    pub gone_bytes: u64,
}

/// A stream of events in a folder; clones share it. Calls block on the disk: use a blocking task.
#[derive(Clone, Debug)]
pub struct Stream {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    folder: PathBuf,
    pub(crate) limits: Limits,
    /// Changed as a whole.
    home: RwLock<Home>,
    archive: Archive,
    state: Mutex<State>,
    /// One flush at a time; intake goes on meanwhile.
    pub(crate) flush: Mutex<()>,
    /// Columns where readers go on, the newest last.
    reading: Mutex<VecDeque<HeadersAt>>,
    _lock: File,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) spool: Spool,
    pub(crate) sources: BTreeMap<String, Counters>,
    /// Highest sequence taken of each sender that numbers its lines.
    pub(crate) origins: BTreeMap<String, u64>,
    /// Where each intake goes on reading, by the intake's name.
    pub(crate) marks: BTreeMap<String, String>,
    /// Ids of lines by which repetitions are known.
    once: Once,
    /// The columns behind what is archived.
    columns: HeadersAt,
}

impl State {
    fn move_mark(&mut self, intake: &str, lines: &[Marked]) {
        if let Some(position) = lines.iter().rev().find_map(|line| line.position.as_ref()) {
            self.marks.insert(intake.to_owned(), position.clone());
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    counted_to: u64,
    sources: BTreeMap<String, Counters>,
    #[serde(default)]
    origins: BTreeMap<String, u64>,
    #[serde(default)]
    marks: BTreeMap<String, String>,
    #[serde(default)]
    columns: HeadersAt,
}

#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    from: u64,
    to: u64,
    #[serde(default)]
    headers: Headers,
}

/// A step of a flush.
struct Step {
    events: Vec<Event>,
    /// The columns at its end.
    columns: HeadersAt,
}

/// Readers that go on somewhere of their own.
const READERS_MAX: usize = 16;

const REPLAY_BYTES: usize = 4 << 20;
/// File with the ids of lines that the spool does not hold any more.
const ONCE: &str = "once.json";

impl Stream {
    /// Opens or creates the folder; one process at a time.
    pub fn open(folder: &Path, limits: Limits) -> Result<Stream> {
        let states = folder.join("state");
        fs::create_dir_all(&states).at("create folder", &states)?;
        let lock = lock(&folder.join("lock"))?;
        let spool = Spool::open(&folder.join("spool"), limits.spool)?;
        let archive = Archive::open(&folder.join("archive"))?;
        let (snapshot, end) = (spool.snapshot(), spool.end());
        let saved = recount(&folder.join("counters.json"), &snapshot, end)?;
        let once = Once::open(&folder.join(ONCE), &snapshot, end)?;
        let Saved { sources, origins, marks, mut columns, .. } = saved;
        // They are saved when they change: up to here they did not.
        columns.at = columns.at.max(spool.cursor());
        let state = Mutex::new(State { spool, sources, origins, marks, once, columns });
        let (folder, flush, reading) = (folder.to_path_buf(), Mutex::new(()), Mutex::default());
        let home = RwLock::new(Home {
            zone: limits.zone.clone(),
            host: limits.host.clone(),
            manners: Arc::default(),
        });
        let inner = Inner { folder, limits, home, archive, state, flush, reading, _lock: lock };
        Ok(Stream { inner: Arc::new(inner) })
    }

    /// Stores lines durably, then counts them. Over-long and empty lines and a full spool are refused,
    /// counted and said in the result; an error means that nothing is known to be stored.
    pub fn ingest(&self, source: &str, lines: Vec<RawLine>, now: Timestamp) -> Result<Ack> {
        let lines = lines.into_iter().map(|line| Marked { line, position: None });
        self.store("", source, Said::Lines, lines.collect(), now)
    }

    /// As [`Stream::ingest`], but a batch that comes again under the same key is known, and of one that a crash tore
    /// only the missing lines are taken.
    pub fn ingest_once(
        &self,
        source: &str,
        key: &str,
        lines: Vec<RawLine>,
        now: Timestamp,
    ) -> Result<Ack> {
        let lines = lines.into_iter().map(|line| Marked { line, position: None });
        self.store("", source, Said::Key(key), lines.collect(), now)
    }

    /// As [`Stream::ingest`], but a full spool is an error and counts nothing: for senders that keep
    /// their lines until they are told.
    pub fn offer(&self, source: &str, lines: &[RawLine], now: Timestamp) -> Result<Ack> {
        let lines = lines.iter().map(|line| (line, None));
        let mut ready = Ready::of("", source, Said::Lines, lines, now);
        let mut state = self.state();
        self.check_source(&state, source)?;
        ready.refuse_known(&state.once, source);
        append(&mut state, &ready)?;
        self.count(&mut state, source, ready)
    }

    /// Stores lines, and with each of them where `intake` goes on reading after it.
    pub(crate) fn store(
        &self,
        intake: &str,
        source: &str,
        said: Said<'_>,
        lines: Vec<Marked>,
        now: Timestamp,
    ) -> Result<Ack> {
        let mut ready = Ready::of(intake, source, said, lines.iter().map(Marked::parts), now);
        let mut state = self.state();
        self.check_source(&state, source)?;
        ready.refuse_known(&state.once, source);
        match append(&mut state, &ready) {
            Err(Error::SpoolFull { .. }) => ready.refuse_all("spool full"),
            appended => drop(appended?),
        }
        state.move_mark(intake, &lines);
        self.count(&mut state, source, ready)
    }

    /// As [`Stream::store`], but nothing is counted and no position moves if the spool is full.
    pub(crate) fn store_or_fail(
        &self,
        intake: &str,
        source: &str,
        lines: &[Marked],
        now: Timestamp,
    ) -> Result<Ack> {
        let ready = Ready::of(intake, source, Said::Lines, lines.iter().map(Marked::parts), now);
        let mut state = self.state();
        self.check_source(&state, source)?;
        append(&mut state, &ready)?;
        state.move_mark(intake, lines);
        self.count(&mut state, source, ready)
    }

    fn count(&self, state: &mut State, source: &str, ready: Ready) -> Result<Ack> {
        let counters = state.sources.entry(source.to_owned()).or_default();
        counters.store(ready.payloads.len() as u64, ready.payloads.iter().map(|p| p.bytes).sum());
        for (reason, lines) in &ready.refused {
            counters.refuse(reason, *lines);
        }
        for id in ready.payloads.iter().filter_map(|payload| payload.id) {
            state.once.take(source, id);
        }
        if !ready.refused.is_empty() {
            self.save_counters(state)?;
        }
        let (stored, end) = (ready.payloads.len() as u64, state.spool.end());
        Ok(Ack { stored, refused: ready.refused, end })
    }

    /// Counts lines that are known to have existed and cannot be had any more.
    pub fn lost(&self, source: &str, cause: &str, lines: u64) -> Result<()> {
        let mut state = self.state();
        self.check_source(&state, source)?;
        state.sources.entry(source.to_owned()).or_default().lose(cause, lines);
        self.save_counters(&state)
    }

    /// Counts lines that a sender repeated or that were read and are not kept.
    pub fn refused(&self, source: &str, reason: &str, lines: u64) -> Result<()> {
        let mut state = self.state();
        self.check_source(&state, source)?;
        state.sources.entry(source.to_owned()).or_default().refuse(reason, lines);
        self.save_counters(&state)
    }

    /// Counts a connection that was not let in. Saved with the next counts: a flood of strangers must
    /// not become a flood of writes.
    pub fn turned_away(&self, source: &str, peer: &str, reason: &str) -> Result<()> {
        let mut state = self.state();
        self.check_source(&state, source)?;
        state.sources.entry(source.to_owned()).or_default().turn_away(peer, reason);
        Ok(())
    }

    /// Bytes the spool still takes; an intake that can wait does so instead of being refused.
    pub fn free(&self) -> u64 {
        self.state().spool.free()
    }

    /// Bytes in the spool that are not archived yet.
    pub fn pending(&self) -> u64 {
        let state = self.state();
        state.spool.end() - state.spool.cursor()
    }

    /// Archives everything in the spool and gives the segments, those of a repeated flush included:
    /// whoever records them must take each path once.
    pub fn flush(&self, _now: Timestamp) -> Result<Vec<SegmentInfo>> {
        let _one = self.inner.flush.lock().unwrap_or_else(PoisonError::into_inner);
        let mut infos = Vec::new();
        let end = self.state().spool.end();
        loop {
            let (snapshot, from) = {
                let mut state = self.state();
                // Counts first: what is consumed can no longer be counted from the spool.
                self.save_counters(&state)?;
                self.save_ids(&mut state)?;
                (state.spool.snapshot(), state.spool.cursor())
            };
            if from >= end {
                return Ok(infos);
            }
            let Step { events, columns } = self.planned(&snapshot, from, end)?;
            let to = columns.at;
            infos.extend(self.inner.archive.write(&events, from, to)?);
            let mut state = self.state();
            let is_new = state.columns.headers != columns.headers;
            state.columns = columns;
            if is_new {
                self.save_counters(&state)?;
            }
            state.spool.advance(to)?;
        }
    }

    /// Events from an offset on, each with the offset behind it, at most some `max_bytes` of them. Whoever
    /// reads like this [`Stream::hold`]s what it has still to read.
    pub fn read_from(&self, from: u64, max_bytes: usize) -> Result<Reading> {
        let snapshot = self.state().spool.snapshot();
        let batch = snapshot.read(from, u64::MAX, max_bytes)?;
        let mut headers = self.headers_at(&snapshot, from)?;
        let home = self.home();
        let mut events = Vec::with_capacity(batch.payloads.len());
        for (payload, end) in batch.payloads.iter().zip(&batch.ends) {
            if let Some(frame) = decode(payload) {
                let event = home.event(&frame, &mut headers);
                events.push(Placed { end: *end, event });
            }
        }
        self.go_on(HeadersAt { at: batch.next, headers });
        let gone = snapshot.start().saturating_sub(from) + batch.damaged_bytes;
        Ok(Reading { events, next: batch.next, gone_bytes: gone })
    }

    /// As [`Stream::read_from`], but as the frames lie in the spool: for others to read.
    pub fn frames_from(&self, from: u64, max_bytes: usize) -> Result<Frames> {
        let snapshot = self.state().spool.snapshot();
        let batch = snapshot.read(from, u64::MAX, max_bytes)?;
        let gone_bytes = snapshot.start().saturating_sub(from) + batch.damaged_bytes;
        let placed = batch.payloads.into_iter().zip(batch.ends).filter_map(|(bytes, end)| {
            let frame = decode(&bytes)?;
            Some(PlacedFrame { end, source: frame.source, arrived: frame.arrived, bytes })
        });
        Ok(Frames { frames: placed.collect(), next: batch.next, gone_bytes })
    }

    /// What lines are taken for that do not say it themselves.
    pub fn home(&self) -> Home {
        self.inner.home.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How single sources write from now on, as it is read.
    pub fn take_manners(&self, manners: Manners) {
        let mut home = self.inner.home.write().unwrap_or_else(PoisonError::into_inner);
        if *home.manners != manners {
            home.manners = Arc::new(manners);
        }
    }

    /// The columns at a place: as a reader left them there, else as the archive has them and what came since.
    fn headers_at(&self, snapshot: &Snapshot, at: u64) -> Result<Headers> {
        let known = {
            let reading = self.inner.reading.lock().unwrap_or_else(PoisonError::into_inner);
            reading.iter().rev().find(|known| known.at == at).cloned()
        };
        if let Some(known) = known {
            return Ok(known.headers);
        }
        let HeadersAt { at: mut from, mut headers } = self.state().columns.clone();
        while from < at {
            let batch = snapshot.read(from, at, REPLAY_BYTES)?;
            let frames = batch.payloads.iter().filter_map(|payload| decode(payload));
            frames.for_each(|frame| _ = headers.learn(&frame));
            if batch.next <= from {
                break;
            }
            from = batch.next;
        }
        Ok(headers)
    }

    fn go_on(&self, known: HeadersAt) {
        let mut reading = self.inner.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.retain(|other| other.at != known.at);
        if reading.len() >= READERS_MAX {
            reading.pop_front();
        }
        reading.push_back(known);
    }

    /// Keeps what lies behind `from` for a reader, over restarts too, as long as that is not more than
    /// half of what the spool may hold.
    pub fn hold(&self, reader: &str, from: u64) -> Result<()> {
        self.state().spool.hold(reader, from)
    }

    /// Offset up to which everything is archived.
    pub fn archived(&self) -> u64 {
        self.state().spool.cursor()
    }

    /// First offset that can still be read.
    pub fn start(&self) -> u64 {
        self.state().spool.start()
    }

    /// Offset behind the newest event with the counters that include it.
    pub fn counted(&self) -> (u64, BTreeMap<String, Counters>) {
        let state = self.state();
        (state.spool.end(), state.sources.clone())
    }

    /// Counters of every source.
    pub fn counters(&self) -> BTreeMap<String, Counters> {
        let counters = self.state().sources.clone();
        counters.values().for_each(Counters::assert_identity);
        counters
    }

    /// Searches what is archived.
    pub fn search(&self, query: &Query) -> Result<SearchResult> {
        search(&self.archive_folder(), query)
    }

    /// Where the segments are.
    pub fn archive_folder(&self) -> PathBuf {
        self.inner.folder.join("archive")
    }

    /// Says what else is written beside each segment from now on; the first word stands.
    pub fn beside(&self, write: crate::Beside) {
        self.inner.archive.beside(write);
    }

    /// Where intakes kept their positions before these stood in the spool; only read.
    pub fn state_folder(&self) -> PathBuf {
        self.inner.folder.join("state")
    }

    /// The usual log files below `root` that exist and can be read, with a source name each.
    pub fn standard_files(root: &Path) -> Vec<(String, PathBuf)> {
        let names = [
            "dpkg.log",
            "apt/history.log",
            "alternatives.log",
            "auth.log",
            "syslog",
            "messages",
            "kern.log",
            "secure",
            "daemon.log",
            "mail.log",
        ];
        let paths = names.iter().map(|name| {
            let source = name.trim_end_matches(".log").replace('/', "-");
            (source, root.join("var/log").join(name))
        });
        paths.filter(|(_, path)| path.is_file() && File::open(path).is_ok()).collect()
    }

    /// The events of the next step and its end, as planned before a crash or planned now.
    fn planned(&self, snapshot: &Snapshot, from: u64, end: u64) -> Result<Step> {
        let path = self.inner.folder.join("flush.json");
        let plan = read_json::<Plan>(&path)?.filter(|p| p.from == from && p.to <= end);
        let (to, max) =
            plan.as_ref().map_or((end, self.inner.limits.flush_bytes), |p| (p.to, usize::MAX));
        let batch = snapshot.read(from, to, max)?;
        if batch.damaged_bytes > 0 {
            tracing::error!(
                bytes = batch.damaged_bytes,
                from,
                "skipped a damaged part of the spool"
            );
        }
        let mut headers = match plan {
            Some(plan) => plan.headers,
            None => {
                let headers = self.state().columns.headers.clone();
                write_json(&path, &Plan { from, to: batch.next, headers: headers.clone() })?;
                headers
            }
        };
        let frames = batch.payloads.iter().filter_map(|payload| decode(payload));
        let home = self.home();
        let events = frames.map(|frame| home.event(&frame, &mut headers)).collect();
        Ok(Step { events, columns: HeadersAt { at: batch.next, headers } })
    }

    pub(crate) fn check_source(&self, state: &State, source: &str) -> Result<()> {
        let fits = (1..=128).contains(&source.len()) && !source.chars().any(char::is_control);
        if !fits {
            return Err(Error::SourceName { name: source.chars().take(128).collect() });
        }
        let max = self.inner.limits.max_sources;
        if state.sources.len() >= max && !state.sources.contains_key(source) {
            return Err(Error::TooManySources { name: source.to_owned(), max });
        }
        Ok(())
    }

    pub(crate) fn save_counters(&self, state: &State) -> Result<()> {
        let (sources, origins) = (state.sources.clone(), state.origins.clone());
        let marks = state.marks.clone();
        let columns = state.columns.clone();
        let saved = Saved { counted_to: state.spool.end(), sources, origins, marks, columns };
        write_json(&self.inner.folder.join("counters.json"), &saved)
    }

    pub(crate) fn save_ids(&self, state: &mut State) -> Result<()> {
        let end = state.spool.end();
        state.once.save(&self.inner.folder.join(ONCE), end)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(state: &mut State, ready: &Ready) -> Result<u64> {
    let frames: Vec<&[u8]> = ready.payloads.iter().map(|payload| &payload.frame[..]).collect();
    state.spool.append(&frames)
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).at("create", path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: path.to_path_buf() }),
        Err(TryLockError::Error(e)) => Err(e).at("lock", path),
    }
}

/// What was saved, and what the spool got since.
fn recount(path: &Path, spool: &Snapshot, end: u64) -> Result<Saved> {
    let mut saved = read_json::<Saved>(path)?.unwrap_or_default();
    while saved.counted_to < end {
        let batch = spool.read(saved.counted_to, end, REPLAY_BYTES)?;
        for frame in batch.payloads.iter().filter_map(|payload| decode(payload)) {
            let counters = saved.sources.entry(frame.source).or_default();
            counters.store(1, frame.line.bytes.len() as u64);
            match frame.tag {
                Tag::Number(origin, sequence) => {
                    let known = saved.origins.entry(origin).or_default();
                    *known = sequence.max(*known);
                }
                Tag::Mark(intake, position) => {
                    saved.marks.insert(intake, position);
                }
                Tag::None | Tag::Id(_) => {}
            }
        }
        saved.counted_to = batch.next;
    }
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Encoding, MAX_LINE_BYTES, MAX_PARTS, Numbered, Own, archive::recompute_root, query::parse,
    };

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn lines(from: usize, to: usize) -> Vec<RawLine> {
        (from..to).map(|i| RawLine::new(format!("<13>1 - h app - - - line {i}"))).collect()
    }

    fn open(folder: &Path) -> Stream {
        let spool = SpoolLimits { max_bytes: 1 << 20, segment_bytes: 400 };
        Stream::open(folder, Limits { spool, flush_bytes: 600, ..Limits::default() }).unwrap()
    }

    fn all(stream: &Stream) -> SearchResult {
        stream.search(&Query { limit: 10_000, ..Query::default() }).unwrap()
    }

    #[test]
    fn bars_hold_what_a_search_of_their_span_finds() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        for i in 0..40 {
            let source = if i % 3 == 0 { "b" } else { "a" };
            let at = Timestamp(NOW.0 + i as i64 * 7_000_000);
            stream.ingest(source, lines(i * 5, i * 5 + 5), at).unwrap();
        }
        stream.flush(NOW).unwrap();
        let narrowed = |q: &str, source: Option<&str>| Query {
            terms: parse(q).unwrap(),
            source: source.map(str::to_owned),
            limit: 10_000,
            ..Query::default()
        };
        for query in [
            narrowed("", None),
            narrowed("", Some("b")),
            narrowed("line -7", None),
            Query { from: Some(Timestamp(NOW.0 + 33_000_000)), ..narrowed("", None) },
            Query { to: Some(Timestamp(NOW.0 + 99_000_001)), ..narrowed("host:h", Some("a")) },
        ] {
            let found = stream.search(&Query { bars: 13, ..query.clone() }).unwrap();
            let bars = found.histogram.unwrap();
            assert_eq!((bars.total(), bars.counted_from), (found.events.len() as u64, None));
            for bar in 0..13 {
                let end = if bar == 12 { bars.to } else { bars.start(bar + 1) };
                let span = Query { from: Some(bars.start(bar)), to: Some(end), ..query.clone() };
                let within = stream.search(&span).unwrap().events.len() as u64;
                assert_eq!(bars.counts[bar], within, "bar {bar} of {query:?}");
            }
        }
        let none = stream.search(&Query { bars: 13, ..narrowed("", Some("c")) }).unwrap();
        assert_eq!(none.histogram, None);
    }

    #[test]
    fn who_may_not_see_people_does_not_find_them_either() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        let line = "<38>Nov 25 10:00:00 web1 sshd[7]: Failed password for yamada from 192.0.2.7 port 22 ssh2";
        stream.ingest("auth", vec![RawLine::new(line)], NOW).unwrap();
        stream.flush(NOW).unwrap();
        let found = |q: &str, hides_personal: bool| {
            let query = Query { terms: parse(q).unwrap(), hides_personal, ..Query::default() };
            stream.search(&query).unwrap().events
        };
        for q in ["yamada", "user:yamada", "user:y*", "src_ip:192.0.2.7", "raw:*yamada*"] {
            assert_eq!((found(q, false).len(), found(q, true).len()), (1, 0), "{q}");
        }
        assert!(found("sshd", true)[0].message.ends_with("for ••• from ••• port 22 ssh2"));
        assert_eq!(found("user:•••", true).len(), 1);
    }

    #[test]
    fn lines_that_name_no_host_are_of_the_machine_whose_file_they_stood_in() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { host: Some("here".to_owned()), ..Limits::default() };
        let stream = Stream::open(folder.path(), limits).unwrap();
        let line = || RawLine::new("2026-11-25 10:00:00 something");
        let read = Marked { line: line(), position: Some("1".to_owned()) };
        stream.ingest_marked("file-dpkg", "dpkg", vec![read], NOW).unwrap();
        let numbered = Numbered { sequence: 1, source: "web1/app".to_owned(), line: line() };
        stream.ingest_numbered("agent", &[numbered], NOW).unwrap();
        stream.ingest("posted", vec![line()], NOW).unwrap();
        let hosts = |events: &[Event]| {
            let pairs = events.iter().map(|e| (e.source.clone(), e.host.clone()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let want = [("dpkg", "here"), ("posted", ""), ("web1/app", "web1")];
        let want = want.map(|(source, host)| (source.to_owned(), host.to_owned())).into();
        let live = stream.read_from(0, 1 << 20).unwrap().events;
        assert_eq!(hosts(&live.into_iter().map(|p| p.event).collect::<Vec<_>>()), want);
        stream.flush(NOW).unwrap();
        assert_eq!(hosts(&all(&stream).events), want);
    }

    #[test]
    fn how_a_source_writes_goes_before_what_holds_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        let own = |zone: &str, encoding| Own { zone: TimeZone::get(zone).ok(), encoding };
        let manners = || Manners {
            sources: [("app".to_owned(), own("Asia/Tokyo", Some(Encoding::Cp932)))].into(),
            peers: [("192.0.2.9".to_owned(), own("America/New_York", None))].into(),
        };
        let line = |peer: Option<&str>| RawLine {
            bytes: b"2026-11-25 10:00:00 \xc3\xbd\xc4\xbd".to_vec(),
            peer: peer.map(str::to_owned),
            ..RawLine::default()
        };
        let read = |stream: &Stream| -> Vec<(String, Option<String>)> {
            let events = stream.read_from(0, 1 << 20).unwrap().events;
            let said = |e: &Event| {
                (e.time().rfc3339()[11..13].to_owned(), e.fields.get("encoding").cloned())
            };
            events.iter().map(|placed| said(&placed.event)).collect()
        };
        for (source, peer) in
            [("app", None), ("web1/App", None), ("app", Some("192.0.2.9")), ("b", None)]
        {
            stream.ingest(source, vec![line(peer)], NOW).unwrap();
        }
        let hours = |read: &[(String, Option<String>)]| -> Vec<String> {
            read.iter().map(|(hour, _)| hour.clone()).collect()
        };
        let before = read(&stream);
        assert_eq!(hours(&before), ["10"; 4]);
        assert!(before.iter().all(|(_, encoding)| encoding.as_deref() != Some("cp932")));
        stream.take_manners(manners());
        let after = read(&stream);
        assert_eq!(hours(&after), ["01", "01", "15", "10"]);
        let known = after.iter().map(|(_, encoding)| encoding.as_deref() == Some("cp932"));
        assert_eq!(known.collect::<Vec<_>>(), [true, true, false, false]);
        // The archive says the same, and so does whoever has nothing but the frame.
        stream.flush(NOW).unwrap();
        let mut archived: Vec<String> =
            all(&stream).events.iter().map(|e| e.time().rfc3339()[11..13].to_owned()).collect();
        archived.sort();
        assert_eq!(archived, ["01", "01", "10", "15"]);
    }

    #[test]
    fn what_goes_in_is_found_once_and_roots_verify() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        for i in 0..10 {
            stream.ingest("a", lines(i * 5, i * 5 + 5), NOW).unwrap();
        }
        let infos = stream.flush(NOW).unwrap();
        assert!(infos.len() > 1);
        for info in &infos {
            assert_eq!(recompute_root(&info.path).unwrap(), info.row_root);
        }
        assert_eq!(infos.iter().map(|i| i.rows).sum::<u64>(), 50);
        assert_eq!(all(&stream).events.len(), 50);
        assert_eq!((stream.pending(), stream.flush(NOW).unwrap().len()), (0, 0));
        let asked = |text: &str| Query { terms: parse(text).unwrap(), ..Query::default() };
        let one = stream.search(&asked("\"LINE 49\"")).unwrap();
        assert_eq!(one.events[0].message, "line 49");
        assert!(one.pruned_segments > 0 && one.without_sidecar == 0, "{one:?}");
        let some = stream.search(&Query { limit: 7, ..asked("host:h") }).unwrap();
        assert_eq!(some.events.len(), 7);
        assert!(some.pruned_segments > 0);
        let source = Some("b".to_owned());
        let none = stream.search(&Query { source, ..Query::default() }).unwrap();
        assert_eq!((none.events.len(), none.scanned_segments), (0, 0));
        let from = Some(NOW.plus_hours(100));
        let later = stream.search(&Query { from, ..Query::default() }).unwrap();
        assert_eq!((later.scanned_segments, later.pruned_segments), (0, infos.len()));
    }

    #[test]
    fn a_crash_after_the_segment_and_before_the_advance_makes_no_duplicate() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        stream.ingest("a", lines(0, 4), NOW).unwrap();
        let snapshot = stream.state().spool.snapshot();
        let end = stream.state().spool.end();
        let Step { events, columns } = stream.planned(&snapshot, 0, end).unwrap();
        let to = columns.at;
        stream.inner.archive.write(&events, 0, to).unwrap();
        drop(stream);
        let stream = open(folder.path());
        stream.ingest("a", lines(4, 6), NOW).unwrap();
        stream.flush(NOW).unwrap();
        assert_eq!(all(&stream).events.len(), 6);
        assert_eq!(stream.counters()["a"].stored, 6);
    }

    #[test]
    fn the_identity_holds_after_stored_refused_and_lost_and_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        stream.ingest("a", lines(0, 3), NOW).unwrap();
        let long = RawLine::new(vec![b'x'; MAX_LINE_BYTES * usize::from(MAX_PARTS + 3)]);
        let ack = stream.ingest("a", vec![long, RawLine::new("")], NOW).unwrap();
        let refused: u64 = ack.refused.values().sum();
        assert!(refused >= 2, "{ack:?}");
        stream.lost("a", "backlog", 7).unwrap();
        // Counted only from the spool after the restart.
        stream.ingest("a", lines(3, 5), NOW).unwrap();
        let before = stream.counters();
        let a = &before["a"];
        assert!(a.identity_holds());
        assert_eq!(a.received, 5 + ack.stored + refused + 7);
        drop(stream);
        assert_eq!(open(folder.path()).counters(), before);
    }

    #[test]
    fn a_reader_of_its_own_sees_each_event_once_and_what_was_archived_before_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        stream.hold("reader", 0).unwrap();
        stream.ingest("a", lines(0, 30), NOW).unwrap();
        stream.flush(NOW).unwrap();
        stream.ingest("a", lines(30, 40), NOW).unwrap();
        drop(stream);
        let stream = open(folder.path());
        let (mut seen, mut from) = (Vec::new(), stream.start());
        while from < stream.end() {
            let reading = stream.read_from(from, 300).unwrap();
            assert_eq!(reading.gone_bytes, 0);
            seen.extend(reading.events);
            from = reading.next;
        }
        let messages: Vec<&str> = seen.iter().map(|p| p.event.message.as_str()).collect();
        let sent: Vec<String> = (0..40).map(|i| format!("line {i}")).collect();
        assert_eq!(messages, sent);
        assert!(seen.is_sorted_by(|a, b| a.end < b.end));
        stream.hold("reader", from).unwrap();
        stream.flush(NOW).unwrap();
        assert!(stream.start() > 0, "what was read by both is gone");
        assert!(stream.read_from(0, 1).unwrap().gone_bytes > 0, "and that is said");
    }

    #[test]
    fn a_full_spool_refuses_counts_and_recovers_by_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let spool = SpoolLimits { max_bytes: 300, segment_bytes: 100 };
        let limits = Limits { spool, ..Limits::default() };
        let stream = Stream::open(folder.path(), limits).unwrap();
        while stream.ingest("a", lines(0, 1), NOW).unwrap().stored == 1 {}
        let counters = stream.counters();
        assert_eq!(counters["a"].refused["spool full"], 1);
        assert!(counters["a"].identity_holds());
        stream.flush(NOW).unwrap();
        assert_eq!(stream.ingest("a", lines(0, 1), NOW).unwrap().stored, 1);
    }

    #[test]
    fn two_processes_cannot_share_a_folder_and_names_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        assert!(matches!(Stream::open(folder.path(), Limits::default()), Err(Error::Busy { .. })));
        assert!(matches!(stream.ingest("a\n", vec![], NOW), Err(Error::SourceName { .. })));
    }

    #[test]
    fn a_long_line_is_kept_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        let long = vec![b'x'; MAX_LINE_BYTES + 10];
        assert_eq!(stream.ingest("a", vec![RawLine::new(long)], NOW).unwrap().stored, 2);
        stream.flush(NOW).unwrap();
        let parts: Vec<_> = all(&stream).events.iter().map(|e| e.fields["part"].clone()).collect();
        assert_eq!(parts.len(), 2);
    }
}
