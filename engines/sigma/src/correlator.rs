//! Matches over time: windows by event time, groups, findings where a condition begins to hold.
//!
//! # Laws
//! - The window of time t is (t − timespan, t]. An event leaves before another of the same instant arrives;
//!   events of one instant come in the order they were pushed.
//! - Events may be late by [`Settings::lateness_us`]: they are sorted before anything is judged. Later ones
//!   are counted and left out.
//! - Conditions of only `gt` and `gte` are judged whenever an event arrives or leaves, others when a window
//!   closes: just before its oldest event leaves. A finding is made where the condition holds and did not
//!   before; an empty group holds nothing.
//! - A finding's id comes from the correlation's version, the group and the events, so that replays make no
//!   new findings.

mod follow;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use self::follow::Known;
use crate::{
    arena::Arena,
    correlation::{Correlation, Input},
    document::CorrelationType,
    matcher::Match,
    set::{FNV_SEED, RuleSet, fnv},
    window::{Arrival, Judged, Window},
};

/// The farthest time of an event from 1970, some 73,000 years: what is added to it stays a number.
pub const TIME_MAX_US: i64 = i64::MAX / 4;

/// How a correlator runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How late an event may be
    pub lateness_us: i64,
    /// Groups of one correlation at once
    pub groups: usize,
    /// Events of one group at once
    pub window_events: usize,
    /// Events waiting to be sorted
    pub waiting: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            lateness_us: 120_000_000,
            groups: 1_000_000,
            window_events: 1_000_000,
            waiting: 1_000_000,
        }
    }
}

/// What did not count, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Matches used by a correlation
    pub taken: u64,
    /// Later than the lateness allowed
    pub late: u64,
    /// Without one of the group's fields
    pub no_group: u64,
    /// Without the field that is counted, or no number where one is needed
    pub no_value: u64,
    /// Of new groups beyond the limit
    pub no_room: u64,
    /// Let go early, since their group was full
    pub evicted: u64,
}

/// A correlation's condition began to hold for a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Place of the correlation in [`RuleSet::correlations`]
    pub correlation: usize,
    pub time: i64,
    pub id: u128,
    /// Names and values of the group
    pub group: Vec<(String, String)>,
    /// Ids of the events, or of the findings of a correlation below
    pub evidence: Vec<u128>,
    /// What was measured: a count, a sum, …
    pub value: f64,
    /// The text whose share was measured
    pub subject: Option<String>,
}

/// Why a snapshot was not taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot is damaged; rebuild the state from the archive")]
    Damaged,
}

impl SnapshotError {
    /// The same in Japanese.
    pub fn ja(&self) -> &'static str {
        match self {
            SnapshotError::Damaged => {
                "スナップショットが壊れています。アーカイブから状態を作り直してください"
            }
        }
    }
}

/// Seed of a snapshot's sum; another one for each form of the body.
const SNAPSHOT_SEED: u128 = FNV_SEED ^ 2;

/// Values of the fields that correlations ask for, by slot.
type Values = Vec<Option<Box<str>>>;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    id: u128,
    rules: Vec<u32>,
    values: Values,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Number of the next event
    next: u64,
    watermark: Option<i64>,
    swept: Option<i64>,
    waiting: BTreeMap<(i64, u64), Waiting>,
    /// Groups of each correlation by their joined values
    groups: Vec<HashMap<Box<str>, Window>>,
    /// When something leaves a group that must be judged then
    timers: BTreeSet<(i64, u32, Box<str>)>,
    counters: Counters,
}

/// Follows the correlations of a rule set.
pub struct Correlator {
    set: RuleSet,
    settings: Settings,
    slots: Vec<u64>,
    /// Of each rule, the correlations it feeds and its place there
    users: HashMap<u32, Vec<(usize, u16)>>,
    state: State,
}

/// Something that arrives at a correlation.
struct Entry {
    input: u16,
    id: u128,
    values: Values,
}

/// What comes out: findings, and what they are to the correlations above.
struct Out<'a> {
    work: &'a mut BTreeMap<usize, Vec<Entry>>,
    found: &'a mut Vec<Finding>,
}

impl Correlator {
    pub fn new(set: &RuleSet, settings: Settings) -> Correlator {
        let correlations = set.correlations();
        let mut users: HashMap<u32, Vec<(usize, u16)>> = HashMap::new();
        for (at, correlation) in correlations.iter().enumerate() {
            for (place, input) in correlation.inputs.iter().enumerate() {
                if let Input::Rule(rule) = input {
                    users.entry(*rule).or_default().push((at, place as u16));
                }
            }
        }
        let slots = set.core.slots.iter().map(|name| crate::arena::name_hash(name)).collect();
        let groups = vec![HashMap::new(); correlations.len()];
        let state = State { groups, ..State::default() };
        Correlator { set: set.clone(), settings, slots, users, state }
    }

    pub fn counters(&self) -> Counters {
        self.state.counters
    }

    /// Groups that hold events now.
    pub fn groups(&self) -> usize {
        self.state.groups.iter().map(HashMap::len).sum()
    }

    /// Takes all matches of one event, with the event's time and its id. A time beyond [`TIME_MAX_US`] is
    /// taken for that one.
    pub fn push(
        &mut self,
        matches: &[Match],
        arena: &Arena,
        time: i64,
        id: u128,
        found: &mut Vec<Finding>,
    ) {
        let time = time.clamp(-TIME_MAX_US, TIME_MAX_US);
        let rules: Vec<u32> =
            matches.iter().map(|m| m.rule.0).filter(|rule| self.users.contains_key(rule)).collect();
        if rules.is_empty() {
            self.watermark(time.saturating_sub(self.settings.lateness_us), found);
            return;
        }
        self.state.counters.taken += rules.len() as u64;
        if self.state.watermark.is_some_and(|w| time < w) {
            self.state.counters.late += rules.len() as u64;
            return;
        }
        let values = self.values(arena);
        let number = self.state.next;
        self.state.next += 1;
        self.state.waiting.insert((time, number), Waiting { id, rules, values });
        let mut until = time.saturating_sub(self.settings.lateness_us);
        if self.state.waiting.len() > self.settings.waiting
            && let Some(((oldest, _), _)) = self.state.waiting.first_key_value()
        {
            until = until.max(*oldest);
        }
        self.watermark(until, found);
    }

    /// No event before `time` comes any more: what it decides is decided.
    pub fn watermark(&mut self, time: i64, found: &mut Vec<Finding>) {
        if self.state.watermark.is_some_and(|w| time <= w) {
            return;
        }
        self.state.watermark = Some(time);
        while let Some(first) = self.state.waiting.first_entry() {
            if first.key().0 > time {
                break;
            }
            let ((at, _), event) = first.remove_entry();
            self.fire_timers(at, found);
            self.event(at, event, found);
        }
        self.fire_timers(time, found);
        self.sweep(time);
    }

    /// The state as bytes, for [`Correlator::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(&(Known::of(self), &self.state)).unwrap_or_default();
        let mut bytes = fnv(&body, SNAPSHOT_SEED).to_le_bytes().to_vec();
        bytes.extend(body);
        bytes
    }

    /// Takes up where a snapshot ended; of another rule set as [`Correlator::follow`] does. The state stays as it
    /// was if that fails.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let (sum, body) = bytes.split_at_checked(16).ok_or(SnapshotError::Damaged)?;
        if fnv(body, SNAPSHOT_SEED).to_le_bytes() != sum {
            return Err(SnapshotError::Damaged);
        }
        let (known, state): (Known, State) =
            postcard::from_bytes(body).map_err(|_| SnapshotError::Damaged)?;
        if !known.fits(&state) {
            return Err(SnapshotError::Damaged);
        }
        self.take_over(&known, state);
        Ok(())
    }

    fn values(&self, arena: &Arena) -> Values {
        let names = &self.set.core.slots;
        let value = |(hash, name): (&u64, &String)| {
            let mut named = arena.all().iter().filter(|f| f.hash == *hash && arena.name(f) == name);
            named.find(|f| f.kind == crate::arena::Kind::Value).map(|f| arena.raw(f).into())
        };
        self.slots.iter().zip(names).map(value).collect()
    }

    fn event(&mut self, time: i64, event: Waiting, found: &mut Vec<Finding>) {
        let Waiting { id, rules, values } = event;
        let mut uses = rules.iter().flat_map(|rule| &self.users[rule]).copied();
        let mut work: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        if let (Some((at, input)), None) = (uses.next(), uses.next()) {
            // Nearly always one correlation wants the event; then nothing is put in order.
            let set = self.set.clone();
            let mut out = Out { work: &mut work, found };
            self.feed(at, &set.correlations()[at], time, Entry { input, id, values }, &mut out);
        } else {
            for (at, input) in rules.iter().flat_map(|rule| &self.users[rule]) {
                let entry = Entry { input: *input, id, values: values.clone() };
                work.entry(*at).or_default().push(entry);
            }
        }
        if !work.is_empty() {
            self.work(time, work, found);
        }
    }

    /// Feeds correlations, inner ones first, and those above with what comes out.
    fn work(&mut self, time: i64, mut work: BTreeMap<usize, Vec<Entry>>, found: &mut Vec<Finding>) {
        let set = self.set.clone();
        while let Some((at, mut entries)) = work.pop_first() {
            let correlation = &set.correlations()[at];
            // Later places first: an event must not follow itself in an ordered chain.
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.input));
            if !matches!(
                correlation.kind,
                CorrelationType::Temporal | CorrelationType::TemporalOrdered
            ) {
                // An event that meets several of the rules is one event.
                let mut seen = BTreeSet::new();
                entries.retain(|entry| seen.insert(entry.id));
            }
            let mut out = Out { work: &mut work, found };
            for entry in entries {
                self.feed(at, correlation, time, entry, &mut out);
            }
        }
    }

    fn feed(
        &mut self,
        at: usize,
        correlation: &Correlation,
        time: i64,
        entry: Entry,
        out: &mut Out<'_>,
    ) {
        let Some(key) = joined(&entry.values, &correlation.group_slots[usize::from(entry.input)])
        else {
            self.state.counters.no_group += 1;
            return;
        };
        let Some(value) = joined(&entry.values, &correlation.value_slots[usize::from(entry.input)])
        else {
            self.state.counters.no_value += 1;
            return;
        };
        if is_timed(correlation) {
            // A finding from below may come in the very instant in which something leaves here.
            let due = self.state.groups[at]
                .get(key.as_str())
                .and_then(|w| w.live.front())
                .map(|l| l.time);
            if let Some(due) =
                due.map(|t| t.saturating_add(correlation.timespan_us)).filter(|due| *due <= time)
            {
                self.state.timers.remove(&(due, at as u32, key.as_str().into()));
                self.leave(at, correlation, due, &key, out);
            }
        }
        let groups = &mut self.state.groups[at];
        let max = correlation.own.groups.unwrap_or(self.settings.groups);
        if !groups.contains_key(key.as_str()) {
            if groups.len() >= max {
                let gone = time.saturating_sub(correlation.timespan_us);
                groups.retain(|_, window| window.live.back().is_some_and(|live| live.time > gone));
            }
            if groups.len() >= max {
                self.state.counters.no_room += 1;
                return;
            }
            groups.insert(key.as_str().into(), Window::default());
        }
        let Some(window) = groups.get_mut(key.as_str()) else { return };
        if !is_timed(correlation) {
            expire(correlation, window, time);
        }
        let pause = correlation.own.session_us.filter(|pause| {
            window.live.back().is_some_and(|l| time.saturating_sub(l.time) > *pause)
        });
        if pause.is_some() {
            window.clear();
        }
        if window.live.len() >= self.settings.window_events {
            window.pop();
            self.state.counters.evicted += 1;
        }
        let arrival = Arrival { time, id: entry.id, input: entry.input, value: single(&value) };
        if !window.add(correlation, &arrival) {
            self.state.counters.no_value += 1;
            if window.live.is_empty() {
                groups.remove(key.as_str());
            }
            return;
        }
        if window.live.len() == 1 && is_timed(correlation) {
            let timer =
                (time.saturating_add(correlation.timespan_us), at as u32, key.as_str().into());
            self.state.timers.insert(timer);
        }
        if !correlation.users.is_empty() {
            window.last = Some(entry.values.into());
        }
        if correlation.at_close {
            return;
        }
        let from = time.saturating_sub(correlation.timespan_us).saturating_add(1);
        let judged = match window.by_share(correlation) {
            true => window.judge_share(correlation, window.live.len() - 1),
            false => rises(correlation, window, from),
        };
        if judged.rises {
            self.found(at, correlation, &key, (time, from), judged, out);
        }
    }

    /// Everything that leaves a window until `time`, in order.
    fn fire_timers(&mut self, time: i64, found: &mut Vec<Finding>) {
        if self.state.timers.first().is_none_or(|first| first.0 > time) {
            return;
        }
        let set = self.set.clone();
        while let Some(first) = self.state.timers.first() {
            if first.0 > time {
                return;
            }
            let Some((now, at, key)) = self.state.timers.pop_first() else { return };
            let correlation = &set.correlations()[at as usize];
            let mut work = BTreeMap::new();
            let mut out = Out { work: &mut work, found };
            self.leave(at as usize, correlation, now, &key, &mut out);
            self.work(now, work, found);
        }
    }

    /// The oldest events of a group leave at `now`.
    fn leave(
        &mut self,
        at: usize,
        correlation: &Correlation,
        now: i64,
        key: &str,
        out: &mut Out<'_>,
    ) {
        let gone = now.saturating_sub(correlation.timespan_us);
        let Some(window) = self.state.groups[at].get_mut(key) else { return };
        let due = window.live.iter().take_while(|live| live.time <= gone).count();
        if due > 0 && correlation.at_close {
            let judged: Vec<Judged> = match window.by_share(correlation) {
                true => (0..due).map(|place| window.judge_share(correlation, place)).collect(),
                false => vec![rises(correlation, window, gone)],
            };
            for judged in judged.into_iter().filter(|j| j.rises) {
                self.found(at, correlation, key, (now, gone), judged, out);
            }
        }
        let Some(window) = self.state.groups[at].get_mut(key) else { return };
        for _ in 0..due {
            window.pop();
        }
        let Some(next) = window.live.front().map(|live| live.time) else {
            self.state.groups[at].remove(key);
            return;
        };
        let judged = match correlation.at_close || window.by_share(correlation) {
            true => Judged::default(),
            false => rises(correlation, window, gone + 1),
        };
        self.state.timers.insert((
            next.saturating_add(correlation.timespan_us),
            at as u32,
            key.into(),
        ));
        if judged.rises {
            self.found(at, correlation, key, (now, gone.saturating_add(1)), judged, out);
        }
    }

    fn found(
        &mut self,
        at: usize,
        correlation: &Correlation,
        key: &str,
        (time, from): (i64, i64),
        judged: Judged,
        out: &mut Out<'_>,
    ) {
        let Some(window) = self.state.groups[at].get(key) else { return };
        let Judged { value, subject, .. } = judged;
        let evidence = window.evidence(correlation, from);
        let mut id = fnv(key.as_bytes(), correlation.version);
        id = fnv(subject.as_deref().unwrap_or_default().as_bytes(), id);
        for event in &evidence {
            id = fnv(&event.to_le_bytes(), id);
        }
        let group = split(key);
        for (above, input) in &correlation.users {
            let mut values: Values = window.last.as_deref().map(<[_]>::to_vec).unwrap_or_default();
            values.resize(self.slots.len(), None);
            for (slot, value) in correlation.name_slots.iter().zip(&group) {
                values[*slot] = Some((*value).into());
            }
            out.work.entry(*above).or_default().push(Entry { input: *input, id, values });
        }
        if correlation.standalone {
            let names = correlation.group_by.iter().cloned();
            let group = names.zip(group.iter().map(|v| (*v).to_owned())).collect();
            out.found.push(Finding { correlation: at, time, id, group, evidence, value, subject });
        }
    }

    /// Forgets groups whose last event has left; at most once per shortest timespan.
    fn sweep(&mut self, time: i64) {
        let correlations = self.set.core.correlations.iter();
        let Some(every) = correlations.filter(|c| !is_timed(c)).map(|c| c.timespan_us).min() else {
            return;
        };
        if self.state.swept.is_some_and(|swept| time.saturating_sub(swept) < every) {
            return;
        }
        self.state.swept = Some(time);
        for (correlation, groups) in self.set.core.correlations.iter().zip(&mut self.state.groups) {
            if !is_timed(correlation) {
                let gone = time.saturating_sub(correlation.timespan_us);
                groups.retain(|_, window| window.live.back().is_some_and(|live| live.time > gone));
            }
        }
    }
}

/// Whether something may come to hold by an event leaving, or is decided then.
fn is_timed(correlation: &Correlation) -> bool {
    use CorrelationType::*;
    correlation.at_close
        || matches!(correlation.kind, ValueSum | ValueAvg | ValuePercentile | ValueMedian)
}

/// Lets go what is gone where leaving can only end a condition.
fn expire(correlation: &Correlation, window: &mut Window, time: i64) {
    let gone = time.saturating_sub(correlation.timespan_us);
    let mut any = false;
    while window.live.front().is_some_and(|live| live.time <= gone) {
        window.pop();
        any = true;
    }
    if any && window.held {
        window.held = !window.live.is_empty() && holds(correlation, window, gone + 1).0;
    }
}

fn holds(correlation: &Correlation, window: &Window, from: i64) -> (bool, f64) {
    let (holds, value) = window.judge(correlation, from);
    (holds && correlation.own.periodic.is_none_or(|p| window.is_periodic(p)), value)
}

/// Whether the condition begins to hold.
fn rises(correlation: &Correlation, window: &mut Window, from: i64) -> Judged {
    let (holds, value) = holds(correlation, window, from);
    let rises = holds && !window.held;
    window.held = holds;
    Judged { rises, value, subject: None }
}

/// The values of slots, each behind its length; `None` if one is missing.
fn joined(values: &Values, slots: &[usize]) -> Option<String> {
    let mut text = String::new();
    for slot in slots {
        let value = values.get(*slot)?.as_deref()?;
        text.push_str(itoa::Buffer::new().format(value.len()));
        text.push(':');
        text.push_str(value);
    }
    Some(text)
}

/// The values again.
fn split(mut text: &str) -> Vec<&str> {
    let mut values = Vec::new();
    while let Some((length, rest)) = text.split_once(':') {
        let length = length.parse::<usize>().unwrap_or(0).min(rest.len());
        values.push(&rest[..length]);
        text = &rest[length..];
    }
    values
}

/// A single value without its length; several stay joined.
fn single(joined: &str) -> &str {
    let values = split(joined);
    match values[..] {
        [one] => one,
        _ => joined,
    }
}
