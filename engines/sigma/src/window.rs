//! The window of one group: what is in it, and what is measured of it, without looking at it all again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    correlation::{Condition, Correlation, holds},
    decimal::{Exact, Measure},
    document::CorrelationType,
};

/// Values of which a percentile is exact; beyond, it is that of buckets 2 % wide: wrong by 1 % at most.
pub const EXACT_VALUES_MAX: usize = 4_096;

/// An event, or a finding of a correlation below, in the window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Live {
    pub time: i64,
    id: [u64; 2],
    /// A number, or the place of a text
    value: Exact,
    pub input: u16,
    textual: bool,
}

impl Live {
    pub fn id(&self) -> u128 {
        u128::from(self.id[0]) << 64 | u128::from(self.id[1])
    }
}

/// One group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    pub live: VecDeque<Live>,
    pub held: bool,
    /// What the values of its last event were, if a correlation above wants to know
    pub last: Option<Box<[Option<Box<str>>]>>,
    state: Option<Box<State>>,
}

/// What is kept of the window so that it need not be read again.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum State {
    Texts(Texts),
    Sum(i128),
    Sorted {
        values: Values,
        texts: Texts,
        textual: usize,
    },
    /// Of each input, how often it is in the window
    Inputs(Vec<u32>),
    /// Of each input, the latest beginning of a chain of one, two, … that ends there
    Chains(Vec<Vec<i64>>),
}

/// How often each text is in the window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Texts {
    places: HashMap<Box<str>, u32>,
    entries: Vec<(Box<str>, u32)>,
    free: Vec<u32>,
    /// Texts of which the condition held last
    held: Vec<u32>,
}

impl Texts {
    fn add(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            self.entries[*place as usize].1 += 1;
            return *place;
        }
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = (text.into(), 1);
                place
            }
            None => {
                self.entries.push((text.into(), 1));
                self.entries.len() as u32 - 1
            }
        };
        self.places.insert(text.into(), place);
        place
    }

    fn remove(&mut self, place: u32) {
        let entry = &mut self.entries[place as usize];
        entry.1 -= 1;
        if entry.1 == 0 {
            let text = std::mem::take(&mut entry.0);
            self.places.remove(&text);
            self.free.push(place);
            self.held.retain(|held| *held != place);
        }
    }
}

/// Numbers in order, or in buckets once there are too many.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Values {
    Exact(Vec<Exact>),
    Buckets { counts: BTreeMap<i32, u32>, total: usize },
}

const LN_GAMMA: f64 = 0.019_802_627_296_179_712;

fn bucket(value: Exact) -> i32 {
    let nanos = value.nanos();
    if nanos == 0 {
        return 0;
    }
    let index = 1 + ((nanos.unsigned_abs() as f64).ln() / LN_GAMMA) as i32;
    if nanos < 0 { -index } else { index }
}

fn middle(bucket: i32) -> i128 {
    let nanos = |index: i32| ((f64::from(index) - 0.5) * LN_GAMMA).exp() as i128;
    match bucket {
        0 => 0,
        b if b < 0 => -nanos(-b),
        b => nanos(b),
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Exact(values) => values.len(),
            Values::Buckets { total, .. } => *total,
        }
    }

    fn add(&mut self, value: Exact) {
        match self {
            Values::Exact(values) if values.len() < EXACT_VALUES_MAX => {
                let at = values.partition_point(|v| *v < value);
                values.insert(at, value);
            }
            Values::Exact(values) => {
                let mut counts: BTreeMap<i32, u32> = BTreeMap::new();
                for value in values.iter().chain([&value]) {
                    *counts.entry(bucket(*value)).or_default() += 1;
                }
                *self = Values::Buckets { counts, total: EXACT_VALUES_MAX + 1 };
            }
            Values::Buckets { counts, total } => {
                *counts.entry(bucket(value)).or_default() += 1;
                *total += 1;
            }
        }
    }

    /// Takes a value out; `rest` are those that stay, asked for where buckets become exact again.
    fn remove(&mut self, value: Exact, rest: impl Iterator<Item = Exact>) {
        match self {
            Values::Exact(values) => {
                let at = values.partition_point(|v| *v < value);
                values.remove(at);
            }
            Values::Buckets { counts, total } => {
                let bucket = bucket(value);
                if let Some(count) = counts.get_mut(&bucket) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(&bucket);
                    }
                }
                *total -= 1;
                if *total <= EXACT_VALUES_MAX / 2 {
                    let mut values: Vec<Exact> = rest.collect();
                    values.sort_unstable();
                    *self = Values::Exact(values);
                }
            }
        }
    }

    /// The value at a percentile in millionths of a per cent, linear between neighbours.
    fn percentile(&self, percentile: i128) -> Measure {
        const PARTS: i128 = 100_000_000;
        let rank = percentile * (self.len() as i128 - 1);
        let (low, share) = ((rank / PARTS) as usize, rank % PARTS);
        match self {
            Values::Exact(values) => {
                let high = values[(low + 1).min(values.len() - 1)].nanos();
                Measure {
                    nanos: values[low].nanos() * (PARTS - share) + high * share,
                    parts: PARTS,
                }
            }
            Values::Buckets { counts, .. } => {
                let mut passed = 0;
                let found = counts.iter().find(|(_, count)| {
                    passed += **count as usize;
                    passed > low
                });
                Measure { nanos: found.map_or(0, |(bucket, _)| middle(*bucket)), parts: 1 }
            }
        }
    }
}

/// What was found out about a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// The condition holds and did not before
    pub rises: bool,
    pub value: f64,
    /// The text whose share it is
    pub subject: Option<String>,
}

/// What comes into a window.
pub(crate) struct Arrival<'a> {
    pub time: i64,
    pub id: u128,
    pub input: u16,
    /// What is counted: the joined texts
    pub value: &'a str,
}

impl Window {
    /// Takes an event in; gives `false` if its value is no number where one is needed.
    pub fn add(&mut self, of: &Correlation, arrival: &Arrival<'_>) -> bool {
        use CorrelationType::*;
        let none = Exact::of(0);
        let (value, textual) = match of.kind {
            EventCount => (none, false),
            Temporal => {
                let inputs = self
                    .state
                    .get_or_insert_with(|| Box::new(State::Inputs(vec![0; of.inputs.len()])));
                if let State::Inputs(counts) = &mut **inputs {
                    counts[usize::from(arrival.input)] += 1;
                }
                (none, false)
            }
            TemporalOrdered => {
                let count = of.inputs.len();
                let chains = self.state.get_or_insert_with(|| {
                    Box::new(State::Chains(vec![vec![i64::MIN; count]; count]))
                });
                if let State::Chains(chains) = &mut **chains {
                    chain(chains, usize::from(arrival.input), arrival.time);
                }
                (none, false)
            }
            ValueCount => {
                let texts =
                    self.state.get_or_insert_with(|| Box::new(State::Texts(Texts::default())));
                match &mut **texts {
                    State::Texts(texts) => (Exact::of(i64::from(texts.add(arrival.value))), true),
                    _ => (none, false),
                }
            }
            ValueSum | ValueAvg => {
                let Some(number) = Exact::parse(arrival.value) else { return false };
                let sum = self.state.get_or_insert_with(|| Box::new(State::Sum(0)));
                if let State::Sum(sum) = &mut **sum {
                    *sum += number.nanos();
                }
                (number, false)
            }
            ValuePercentile | ValueMedian => {
                let number = Exact::parse(arrival.value);
                if number.is_none() && of.percentile.is_some() {
                    return false;
                }
                let fresh = || {
                    let values = Values::Exact(Vec::new());
                    Box::new(State::Sorted { values, texts: Texts::default(), textual: 0 })
                };
                match (&mut **self.state.get_or_insert_with(fresh), number) {
                    (State::Sorted { values, texts, .. }, Some(number)) => {
                        values.add(number);
                        if of.percentile.is_none() {
                            texts.add(&number_text(number));
                        }
                        (number, false)
                    }
                    (State::Sorted { texts, textual, .. }, None) => {
                        *textual += 1;
                        (Exact::of(i64::from(texts.add(arrival.value))), true)
                    }
                    _ => (none, false),
                }
            }
        };
        if self.live.capacity() == 0 {
            // Most groups never see a second event.
            self.live.reserve_exact(1);
        }
        let id = [(arrival.id >> 64) as u64, arrival.id as u64];
        self.live.push_back(Live { time: arrival.time, id, value, input: arrival.input, textual });
        true
    }

    /// Lets the oldest event go.
    pub fn pop(&mut self) -> Option<Live> {
        let gone = self.live.pop_front()?;
        let numbers = self.live.iter().filter(|l| !l.textual).map(|l| l.value);
        match self.state.as_deref_mut() {
            Some(State::Texts(texts)) => texts.remove(place(gone)),
            Some(State::Sum(sum)) => *sum -= gone.value.nanos(),
            Some(State::Inputs(counts)) => counts[usize::from(gone.input)] -= 1,
            Some(State::Sorted { texts, textual, .. }) if gone.textual => {
                *textual -= 1;
                texts.remove(place(gone));
            }
            Some(State::Sorted { values, texts, .. }) => {
                values.remove(gone.value, numbers);
                if let Some(place) = texts.places.get(number_text(gone.value).as_str()).copied() {
                    texts.remove(place);
                }
            }
            Some(State::Chains(_)) | None => {}
        }
        Some(gone)
    }

    /// Whether the condition holds, and what was measured; events before `from` are gone.
    pub fn judge(&self, of: &Correlation, from: i64) -> (bool, f64) {
        let met = |measure: Measure, bounds: &[(crate::number::Op, Exact)]| {
            let holds = bounds.iter().all(|(op, bound)| op.holds(measure.compare(*bound)));
            (holds, measure.as_f64())
        };
        match (&of.condition, self.state.as_deref()) {
            (Condition::Expr(expr), Some(State::Inputs(counts))) => {
                let seen = counts.iter().filter(|c| **c > 0).count();
                (holds(expr, &|at| counts[at] > 0), seen as f64)
            }
            (Condition::Bounds(bounds), state) => {
                let measure = match state {
                    None => Measure::count(self.live.len()),
                    Some(State::Texts(texts)) => Measure::count(texts.places.len()),
                    Some(State::Inputs(counts)) => {
                        Measure::count(counts.iter().filter(|c| **c > 0).count())
                    }
                    Some(State::Chains(chains)) => Measure::count(longest(chains, from)),
                    Some(State::Sum(sum)) if of.kind == CorrelationType::ValueSum => {
                        Measure { nanos: *sum, parts: 1 }
                    }
                    Some(State::Sum(sum)) => {
                        Measure { nanos: *sum, parts: self.live.len().max(1) as i128 }
                    }
                    Some(State::Sorted { values, .. }) if values.len() > 0 => {
                        values.percentile(of.percentile.unwrap_or(50_000_000))
                    }
                    Some(State::Sorted { .. }) => Measure::count(0),
                };
                met(measure, bounds)
            }
            (Condition::Expr(_), _) => (false, 0.0),
        }
    }

    /// Whether shares of texts decide, not numbers: a window with any text, unless a percentile is written.
    pub fn by_share(&self, of: &Correlation) -> bool {
        let textual =
            matches!(self.state.as_deref(), Some(State::Sorted { textual, .. }) if *textual > 0);
        of.percentile.is_none() && textual
    }

    /// The share of an event's text in the window, and whether the condition rises for this text.
    pub fn judge_share(&mut self, of: &Correlation, at: usize) -> Judged {
        let total = self.live.len() as i128;
        let Some(live) = self.live.get(at).copied() else { return Judged::default() };
        let Some(State::Sorted { texts, .. }) = self.state.as_deref_mut() else {
            return Judged::default();
        };
        let Condition::Bounds(bounds) = &of.condition else { return Judged::default() };
        let share =
            |count: u32| Measure { nanos: i128::from(count) * 100 * 1_000_000_000, parts: total };
        let meets = |m: Measure| bounds.iter().all(|(op, bound)| op.holds(m.compare(*bound)));
        // Others have lost or won by what came or went since.
        let entries = &texts.entries;
        texts.held.retain(|held| meets(share(entries[*held as usize].1)));
        let place = match live.textual {
            true => Some(place(live)),
            false => texts.places.get(number_text(live.value).as_str()).copied(),
        };
        let Some(place) = place else { return Judged::default() };
        let measure = share(texts.entries[place as usize].1);
        let holds = meets(measure);
        let held = texts.held.contains(&place);
        if holds && !held {
            texts.held.push(place);
        }
        let subject = Some(texts.entries[place as usize].0.to_string());
        Judged { rises: holds && !held, value: measure.as_f64(), subject }
    }

    /// The events a finding stands on: of an ordered correlation the chain, else all.
    pub fn evidence(&self, of: &Correlation, from: i64) -> Vec<u128> {
        if of.kind != CorrelationType::TemporalOrdered {
            return self.live.iter().map(Live::id).collect();
        }
        // Backwards from the end: the latest beginning of each chain is what was kept, so walk it again with
        // the events themselves.
        let count = of.inputs.len();
        let mut best: Vec<Vec<Vec<usize>>> = vec![vec![Vec::new(); count]; count];
        let mut starts = vec![vec![i64::MIN; count]; count];
        for (at, live) in self.live.iter().enumerate().filter(|(_, l)| l.time >= from) {
            let input = usize::from(live.input);
            for length in (1..=input).rev() {
                let below = (0..input).filter(|b| starts[*b][length - 1] > i64::MIN);
                if let Some(below) =
                    below.max_by_key(|b| (starts[*b][length - 1], std::cmp::Reverse(*b)))
                {
                    let mut chain = best[below][length - 1].clone();
                    chain.push(at);
                    starts[input][length] = starts[below][length - 1];
                    best[input][length] = chain;
                }
            }
            starts[input][0] = live.time;
            best[input][0] = vec![at];
        }
        let all = best.iter().flatten();
        let longest = all.max_by_key(|chain| chain.len()).cloned().unwrap_or_default();
        longest.into_iter().map(|at| self.live[at].id()).collect()
    }

    /// Whether the last events come regularly: their gaps differ little from the median gap.
    pub fn is_periodic(&self, periodic: crate::correlation::Periodic) -> bool {
        if self.live.len() < periodic.events {
            return false;
        }
        let times: Vec<i64> =
            self.live.iter().rev().take(periodic.events).map(|l| l.time).collect();
        let mut gaps: Vec<i64> = times.windows(2).map(|w| w[0].saturating_sub(w[1])).collect();
        gaps.sort_unstable();
        let median = gaps[gaps.len() / 2];
        let off: i128 =
            gaps.iter().map(|gap| i128::from(gap.saturating_sub(median).saturating_abs())).sum();
        median > 0
            && off * 1_000
                <= i128::from(periodic.jitter_permille) * i128::from(median) * gaps.len() as i128
    }

    pub fn clear(&mut self) {
        *self = Window::default();
    }
}

fn place(live: Live) -> u32 {
    (live.value.nanos() / 1_000_000_000) as u32
}

/// A number as a text of its own, the same for every spelling.
fn number_text(value: Exact) -> String {
    value.nanos().to_string()
}

/// Longer chains first, so that an event does not continue itself.
fn chain(chains: &mut [Vec<i64>], input: usize, time: i64) {
    for length in (1..=input).rev() {
        let start = (0..input).map(|below| chains[below][length - 1]).max().unwrap_or(i64::MIN);
        if start > i64::MIN {
            chains[input][length] = chains[input][length].max(start);
        }
    }
    chains[input][0] = time;
}

fn longest(chains: &[Vec<i64>], from: i64) -> usize {
    let lengths = chains.iter().flat_map(|starts| starts.iter().enumerate());
    lengths.filter(|(_, start)| **start >= from).map(|(length, _)| length + 1).max().unwrap_or(0)
}
