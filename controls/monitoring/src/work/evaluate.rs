//! Events against rules, in the order in which they came: pure, so that a replay sees what the first run saw.
//!
//! Invariants: every event that is handed over is counted as evaluated, whether a rule met it or not; the time of
//! an event that lies ahead of its arrival is not believed, or one wrong clock would close everybody's windows;
//! of the same events and rules come the same occurrences with the same keys.

use std::{collections::BTreeMap, sync::Arc};

use model::Timestamp;
use sha2::{Digest, Sha256};
use sigma::{Arena, Correlator, FieldCensus, LogSource, Match, Matcher, Settings};
use stream::{
    Event, JoinLimits, Joiner, Placed,
    parse::{SHAPE_FIELD, Shape},
};

use super::{
    intel::{Intel, Met, Why, watcher::Watcher},
    rules::{self, Loaded},
};

/// Attribute of a rule that names the run by which Ume tests itself.
pub const CANARY: &str = "canary";
const PHASES: [&str; 2] = ["sign", "precursor"];
/// Events that one event becomes at most, joined ones included; they share its offset.
const PARTS: u128 = 1 << 16;

/// A rule as an occurrence needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Name of the document it stands in.
    pub file: String,
    pub id: String,
    pub title_ja: String,
    pub title_en: String,
    pub severity: &'static str,
    pub phase: &'static str,
    /// SHA-256 of the document.
    pub hash: String,
    pub is_canary: bool,
}

impl About {
    /// What alerts of the rule are told apart by.
    pub fn key(&self, group: &str) -> String {
        let rule = if self.id.is_empty() { &self.file } else { &self.id };
        hex::encode(Sha256::digest(format!("ume/alert/v1\n{rule}\n{group}")))
    }
}

/// A rule was met, by one event or by several over time.
#[derive(Clone, Debug)]
pub struct Occurrence {
    pub about: Arc<About>,
    /// What alerts are told apart by: hash of the rule and of its group or host.
    pub key: String,
    /// The group of a correlation, by name.
    pub group: Vec<(String, String)>,
    /// What a correlation measured.
    pub value: Option<f64>,
    /// The event that met it, the last one of a correlation.
    pub event: Event,
    /// Offset behind the event.
    pub end: u64,
    pub time: Timestamp,
    /// What it is known by where the place does not tell: a replay decides at another place what the clock decided.
    pub once: Option<u128>,
    /// The indicator that it is about, if it is about one.
    pub why: Option<Arc<Why>>,
}

/// What of a set events are held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    All,
    /// What one event decides.
    Single,
    /// Patterns that ask for several.
    OverTime,
}

impl Part {
    fn has(self, is_over_time: bool) -> bool {
        match self {
            Part::All => true,
            Part::Single => !is_over_time,
            Part::OverTime => is_over_time,
        }
    }
}

/// What was seen of the events so far.
#[derive(Default)]
pub struct Seen {
    /// Evaluated events, by source.
    pub evaluated: BTreeMap<String, u64>,
    pub census: FieldCensus,
    /// Events that were too large to be laid out.
    pub unreadable: u64,
}

/// Holds events against rules.
pub struct Evaluator {
    loaded: Arc<Loaded>,
    matcher: Matcher,
    correlator: Correlator,
    joiner: Joiner,
    arena: Arena,
    rules: Vec<Option<Arc<About>>>,
    correlations: Vec<Option<Arc<About>>>,
    intel: Option<Arc<Intel>>,
    part: Part,
    watcher: Watcher,
    /// Windows of patterns that were saved, until their set is there.
    saved: Option<Vec<u8>>,
    pub seen: Seen,
}

impl Evaluator {
    pub fn new(loaded: Arc<Loaded>) -> Evaluator {
        let set = &loaded.set;
        let rules = set.rules().iter().map(|r| r.standalone.then(|| about(&loaded, &r.meta)));
        let correlations =
            set.correlations().iter().map(|c| c.standalone.then(|| about(&loaded, &c.meta)));
        Evaluator {
            matcher: Matcher::new(set),
            correlator: Correlator::new(set, Settings::default()),
            joiner: Joiner::new(JoinLimits::default()),
            arena: Arena::new(),
            rules: rules.collect(),
            correlations: correlations.collect(),
            intel: None,
            part: Part::All,
            watcher: Watcher::default(),
            saved: None,
            seen: Seen::default(),
            loaded,
        }
    }

    /// One that tells only what is wanted, whatever else its rules stand on.
    pub fn telling(loaded: Arc<Loaded>, wanted: &dyn Fn(&sigma::Meta, bool) -> bool) -> Evaluator {
        let mut evaluator = Evaluator::new(loaded.clone());
        for (about, rule) in evaluator.rules.iter_mut().zip(loaded.set.rules()) {
            about.take_if(|_| !wanted(&rule.meta, false));
        }
        for (about, c) in evaluator.correlations.iter_mut().zip(loaded.set.correlations()) {
            about.take_if(|_| !wanted(&c.meta, true));
        }
        evaluator
    }

    /// Lets go of what waits to be joined: what comes next does not follow what came.
    pub fn part(&mut self, end: u64, found: &mut Vec<Occurrence>) {
        let mut parts = Vec::new();
        let mut joiner = std::mem::replace(&mut self.joiner, Joiner::new(JoinLimits::default()));
        joiner.finish(&mut parts);
        for (at, part) in parts.into_iter().enumerate() {
            self.one(part, end, at as u128 % PARTS, found);
        }
    }

    /// Goes on with other rules: what waits to be joined and what was counted stays, and the windows of correlations that
    /// read as before.
    pub fn change(&mut self, loaded: Arc<Loaded>) {
        let mut next = Evaluator::new(loaded);
        std::mem::swap(&mut next.correlator, &mut self.correlator);
        next.correlator = next.correlator.follow(&next.loaded.set);
        next.intel = self.intel.take();
        next.part = self.part;
        std::mem::swap(&mut next.watcher, &mut self.watcher);
        std::mem::swap(&mut next.saved, &mut self.saved);
        std::mem::swap(&mut next.joiner, &mut self.joiner);
        std::mem::swap(&mut next.seen, &mut self.seen);
        *self = next;
    }

    /// Holds events against these indicators too from now on, or some of them; windows of patterns that read as before
    /// go on.
    pub fn meet(&mut self, intel: Arc<Intel>, part: Part) {
        self.watcher.follow(intel.patterns.clone());
        if let Some(Err(error)) = self.saved.take().map(|saved| self.watcher.restore(&saved)) {
            tracing::warn!(%error, "the windows of threat patterns begin anew");
        }
        (self.intel, self.part) = (Some(intel), part);
    }

    pub fn intel(&self) -> Option<&Arc<Intel>> {
        self.intel.as_ref()
    }

    /// Counts what others evaluated.
    pub fn count(&mut self, evaluated: BTreeMap<String, u64>, unreadable: u64) {
        for (source, events) in evaluated {
            *self.seen.evaluated.entry(source).or_default() += events;
        }
        self.seen.unreadable += unreadable;
    }

    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// The windows and what waits to be joined, for [`Evaluator::restore`].
    pub fn windows(&self) -> Vec<u8> {
        let patterns = self.saved.clone().unwrap_or_else(|| self.watcher.snapshot());
        let windows = (self.correlator.snapshot(), &self.joiner, patterns);
        postcard::to_stdvec(&windows).unwrap_or_default()
    }

    /// Takes up what waited to be joined, and windows of correlations that read as they did.
    pub fn restore(&mut self, windows: &[u8]) -> Result<(), sigma::SnapshotError> {
        type Old = (Vec<u8>, Joiner);
        let (windows, joiner, patterns) = match postcard::from_bytes(windows) {
            Ok(all) => all,
            // As an Ume wrote them that knew no patterns.
            Err(_) => {
                let (windows, joiner) = postcard::from_bytes::<Old>(windows)
                    .map_err(|_| sigma::SnapshotError::Damaged)?;
                (windows, joiner, Vec::new())
            }
        };
        self.joiner = joiner;
        let windows: Vec<u8> = windows;
        self.saved = Some(patterns).filter(|saved: &Vec<u8>| !saved.is_empty());
        if self.intel.is_some()
            && let Some(Err(error)) = self.saved.take().map(|saved| self.watcher.restore(&saved))
        {
            tracing::warn!(%error, "the windows of threat patterns begin anew");
        }
        self.correlator.restore(&windows)
    }

    /// Holds events against all rules.
    pub fn take(&mut self, events: Vec<Placed>, found: &mut Vec<Occurrence>) {
        let mut parts = Vec::new();
        for Placed { end, event } in events {
            *self.seen.evaluated.entry(event.source.clone()).or_default() += 1;
            let arrived = event.arrived;
            self.joiner.push(event, arrived, &mut parts);
            itself_first(&mut parts);
            for (at, part) in parts.drain(..).enumerate() {
                self.one(part, end, at as u128 % PARTS, found);
            }
        }
    }

    /// Decides what time alone decides, once every event that came before `now` was taken.
    pub fn idle(&mut self, now: Timestamp, end: u64, found: &mut Vec<Occurrence>) {
        let mut parts = Vec::new();
        self.joiner.pass(now, &mut parts);
        for (at, part) in parts.into_iter().enumerate() {
            self.one(part, end, at as u128 % PARTS, found);
        }
        let mut decided = Vec::new();
        self.correlator.watermark(now.0 - Settings::default().lateness_us, &mut decided);
        for finding in decided {
            self.correlated(finding, &nothing(now), end, found);
        }
    }

    fn one(&mut self, event: Event, end: u64, part: u128, found: &mut Vec<Occurrence>) {
        if lay(&mut self.arena, &event).is_err() {
            self.seen.unreadable += 1;
            return;
        }
        self.seen.census.observe(&self.arena);
        self.weigh(event, end, part, found);
    }

    /// Holds events against the rules that others evaluated and counted: those that some rule met, in their order.
    pub fn judge(&mut self, met: Vec<(Event, u64, u32)>, found: &mut Vec<Occurrence>) {
        for (event, end, part) in met {
            if lay(&mut self.arena, &event).is_ok() {
                self.weigh(event, end, u128::from(part) % PARTS, found);
            }
        }
    }

    /// What the rules make of the event that is laid out.
    fn weigh(&mut self, event: Event, end: u64, part: u128, found: &mut Vec<Occurrence>) {
        let (mut matches, mut decided): (Vec<Match>, Vec<sigma::Finding>) = Default::default();
        self.matcher.eval(&self.arena, &mut matches);
        let time = event.time().min(event.arrived);
        let once = joined(&event);
        let id = once.unwrap_or((u128::from(end) * PARTS) | part);
        self.correlator.push(&matches, &self.arena, time.0, id, &mut decided);
        for met in &matches {
            let Some(about) = self.rules[met.rule.0 as usize].clone() else { continue };
            let key = about.key(&event.host);
            let event = event.clone();
            let (group, value, why) = (Vec::new(), None, None);
            found.push(Occurrence { about, key, group, value, event, end, time, once, why });
        }
        for Met { about, why } in self.indicators(&event, time) {
            let key = about.key(&event.host);
            let group = vec![(why.kind.clone(), why.value.clone())];
            let (event, why) = (event.clone(), Some(why));
            found.push(Occurrence { about, key, group, value: None, event, end, time, once, why });
        }
        for finding in decided {
            self.correlated(finding, &event, end, found);
        }
    }

    /// What the set makes of an event.
    fn indicators(&mut self, event: &Event, time: Timestamp) -> Vec<Met> {
        let Some(intel) = self.intel.clone() else { return Vec::new() };
        let mut met = match self.part {
            Part::OverTime => Vec::new(),
            Part::All | Part::Single => intel.meets(event, time),
        };
        if !intel.patterns.is_empty() {
            let (part, mut patterns) = (self.part, Vec::new());
            self.watcher.push(event, time.0, |over_time| part.has(over_time), &mut patterns);
            met.extend(patterns.into_iter().filter_map(|one| intel.of_pattern(one)));
        }
        met
    }

    fn correlated(
        &mut self,
        finding: sigma::Finding,
        event: &Event,
        end: u64,
        found: &mut Vec<Occurrence>,
    ) {
        let Some(about) = self.correlations[finding.correlation].clone() else { return };
        let group: Vec<&str> = finding.group.iter().map(|(_, value)| value.as_str()).collect();
        let key = about.key(&group.join("\0"));
        found.push(Occurrence {
            about,
            key,
            group: finding.group,
            value: Some(finding.value),
            event: event.clone(),
            end,
            time: Timestamp(finding.time),
            once: Some(finding.id),
            why: None,
        });
    }
}

/// Whether an event was put together of several.
pub fn is_joined(event: &Event) -> bool {
    event.fields.get(SHAPE_FIELD).map(String::as_str) == Some(Shape::AuditJoined.name())
}

/// Puts the event itself before what it completes or lets go: what else waits elsewhere does not move its number.
pub fn itself_first(parts: &mut [Event]) {
    if let Some(at) = parts.iter().position(|event| !is_joined(event)) {
        parts[..=at].rotate_right(1);
    }
}

/// What an event that was joined of several is known by: they have a serial number of their own.
fn joined(event: &Event) -> Option<u128> {
    if !is_joined(event) {
        return None;
    }
    let mut hash = Sha256::new();
    for part in [event.source.as_bytes(), event.host.as_bytes(), &event.raw] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    Some(u128::from_le_bytes(id))
}

/// What stands for the event where a window closed by time alone.
pub fn nothing(now: Timestamp) -> Event {
    Event {
        raw: Vec::new(),
        event_time: None,
        arrived: now,
        source: String::new(),
        class: 0,
        host: String::new(),
        app: String::new(),
        severity: 0,
        message: String::new(),
        fields: BTreeMap::new(),
    }
}

/// Lays an event out for the matcher, with where it comes from.
pub fn lay(arena: &mut Arena, event: &Event) -> Result<(), sigma::EventError> {
    let is_windows = event.fields.contains_key("EventID") && event.raw.starts_with(b"{");
    let raw = std::str::from_utf8(&event.raw).ok().filter(|_| is_windows);
    match raw.and_then(|raw| serde_json::from_str(raw).ok()) {
        // The engine's own table knows what Windows says.
        Some(value) => arena.value(&value)?,
        None => {
            arena.clear();
            for (name, value) in stream::logsource::fields(event) {
                arena.push(&name, &value);
            }
            arena.seal();
        }
    }
    let source = |s: stream::logsource::LogSource<'_>| {
        LogSource::new(s.category, s.product, s.service.as_deref())
    };
    arena.set_sources(stream::logsource::logsources(event).into_iter().map(source));
    Ok(())
}

fn about(loaded: &Loaded, meta: &sigma::Meta) -> Arc<About> {
    let custom = |name: &str| meta.custom.get(name).and_then(|value| value.as_str());
    let phase = custom("phase").and_then(|said| PHASES.into_iter().find(|phase| *phase == said));
    Arc::new(About {
        file: meta.file.clone(),
        id: meta.id.clone().unwrap_or_default(),
        title_ja: custom("title_ja").unwrap_or(&meta.title).to_owned(),
        title_en: meta.title.clone(),
        severity: meta.level.map_or("medium", sigma::Level::word),
        phase: phase.unwrap_or(PHASES[0]),
        hash: rules::hash_of(loaded, &meta.file),
        is_canary: meta.custom.get(CANARY).and_then(|value| value.as_bool()) == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use stream::RawLine;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn placed(end: u64, rest: &str) -> Placed {
        let line = RawLine::new(format!("type={rest}"));
        let zone = &stream::Limits::default().zone;
        Placed { end, event: stream::parse(&line, "audit", NOW, zone) }
    }

    #[test]
    fn records_that_wait_over_a_restart_still_say_together_what_they_mean() {
        let loaded = Arc::new(rules::shipped());
        let syscall = "SYSCALL msg=audit(1700000000.123:1): arch=c000003e syscall=257 success=yes \
                       exit=3 items=1 ppid=1 pid=2 auid=1000 uid=0 comm=\"x\" exe=\"/usr/bin/cat\" key=\"shadow\"";
        let path = "PATH msg=audit(1700000000.123:1): item=0 name=\"/etc/shadow\" nametype=NORMAL";
        let end = "PROCTITLE msg=audit(1700000000.123:1): proctitle=\"x\"";
        let mut found = Vec::new();
        let mut before = Evaluator::new(loaded.clone());
        before.take(vec![placed(10, syscall)], &mut found);
        assert!(found.is_empty(), "one record is not enough");
        let mut after = Evaluator::new(loaded);
        after.restore(&before.windows()).unwrap();
        after.take(vec![placed(20, path), placed(30, end)], &mut found);
        let known: Vec<bool> = found.iter().map(|o| o.once.is_some()).collect();
        assert_eq!(known, [true], "what was joined is known by its content");
    }
}
