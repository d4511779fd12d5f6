//! Patterns over time: what of a pattern was met so far waits in its window for the rest. Pure.
//!
//! Invariants: of the same events in the same order come the same matches; an observation that helped to a match helps to
//! no other; what a window had to let go of, and what a budget left undecided, is told once for each pattern.
//!
//! Limits: [`KEPT_MAX`] observations of a pattern, [`KEPT_ALL_MAX`] of all, [`KEPT_S`] seconds where a pattern names no
//! span.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use indicators::pattern::{self, Budget, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use stream::Event;

use super::patterns::{Compiled, KEPT_MAX, Patterns, Seen, Touched};

const KEPT_ALL_MAX: usize = 50_000;
/// A pattern without WITHIN looks so far back, in seconds.
pub const KEPT_S: i64 = 24 * 3_600;
/// Steps that a whole pattern may take each time something of it is met.
const STEPS: u64 = 500_000;
const SHOWN_CHARS_MAX: usize = 300;
/// Observations that a finding names.
const NAMED_MAX: usize = 8;

/// What was seen of a pattern and waits for the rest.
#[derive(Clone, Debug)]
struct Kept {
    seen: Seen,
    /// For people: when, where, what.
    shown: String,
}

#[derive(Clone, Debug, Default)]
struct Window {
    kept: VecDeque<Kept>,
    newest: i64,
    /// That something of it could not be decided was told.
    is_told: bool,
}

/// A pattern that was met, or of which nobody can say whether it was.
#[derive(Debug)]
pub struct PatternMet {
    pub of: u32,
    /// The observations that made it so, in words; why it is undecided.
    pub seen: Vec<String>,
    pub is_undecided: bool,
}

/// Patterns of a set at work.
#[derive(Debug, Default)]
pub struct Watcher {
    patterns: Arc<Patterns>,
    windows: Vec<Window>,
    all: usize,
}

/// A window as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    newest: i64,
    is_told: bool,
    kept: Vec<(i64, String, Vec<Json>)>,
}

impl Watcher {
    pub fn new(patterns: Arc<Patterns>) -> Watcher {
        let windows = vec![Window::default(); patterns.all.len()];
        Watcher { patterns, windows, all: 0 }
    }

    /// Goes on with other patterns; windows of those that read as before stay.
    pub fn follow(&mut self, patterns: Arc<Patterns>) {
        let prints = self.patterns.all.iter().map(|one| one.print.clone());
        let mut old: BTreeMap<String, Window> =
            prints.zip(std::mem::take(&mut self.windows)).collect();
        let of = |one: &Compiled| old.remove(&one.print).unwrap_or_default();
        self.windows = patterns.all.iter().map(of).collect();
        self.all = self.windows.iter().map(|window| window.kept.len()).sum();
        self.patterns = patterns;
    }

    /// Holds an event against the patterns; `wanted` says of one over time or not whether it counts.
    pub fn push(
        &mut self,
        event: &Event,
        time: i64,
        wanted: impl Fn(bool) -> bool,
        met: &mut Vec<PatternMet>,
    ) {
        let patterns = self.patterns.clone();
        let Touched { met: touched, undecided, seen } = patterns.touched(event, time);
        for of in undecided {
            self.tell(of, "one test of an event took too many steps", met);
        }
        let Some(seen) = seen else { return };
        for of in touched {
            let one = &patterns.all[of as usize];
            if !wanted(one.is_over_time) {
                continue;
            }
            match one.is_over_time {
                true => self.keep(of, one, event, &seen, met),
                false => self.single(of, one, event, &seen, met),
            }
        }
    }

    /// A pattern that one observation decides: its time still has to be asked.
    fn single(
        &mut self,
        of: u32,
        one: &Compiled,
        event: &Event,
        seen: &Seen,
        met: &mut Vec<PatternMet>,
    ) {
        let budget = Budget { steps: STEPS };
        match pattern::eval(&one.pattern, &[seen.observation()], budget) {
            Outcome::True(_) => {
                let seen = vec![shown(event, seen.time)];
                met.push(PatternMet { of, seen, is_undecided: false });
            }
            Outcome::False => {}
            Outcome::Undecided => self.tell(of, "it took too many steps", met),
        }
    }

    fn keep(
        &mut self,
        of: u32,
        one: &Compiled,
        event: &Event,
        seen: &Seen,
        met: &mut Vec<PatternMet>,
    ) {
        let window = &mut self.windows[of as usize];
        let before = window.kept.len();
        window.newest = window.newest.max(seen.time);
        let span = one.within.unwrap_or(KEPT_S * 1_000_000);
        let oldest = window.newest.saturating_sub(span);
        window.kept.retain(|kept| kept.seen.time >= oldest);
        window.kept.push_back(Kept { seen: seen.clone(), shown: shown(event, seen.time) });
        let others = self.all.saturating_sub(before);
        let is_full = window.kept.len() > KEPT_MAX || others + window.kept.len() > KEPT_ALL_MAX;
        if is_full {
            window.kept.pop_front();
        }
        self.all = others + window.kept.len();
        if is_full {
            self.tell(of, "more observations wait for the rest of it than are kept", met);
        }
        let window = &mut self.windows[of as usize];
        let observations: Vec<_> = window.kept.iter().map(|kept| kept.seen.observation()).collect();
        match pattern::eval(&one.pattern, &observations, Budget { steps: STEPS }) {
            Outcome::True(places) => {
                let words = places.iter().filter_map(|at| window.kept.get(*at));
                let mut seen: Vec<String> =
                    words.take(NAMED_MAX).map(|kept| kept.shown.clone()).collect();
                if places.len() > NAMED_MAX {
                    seen.push(format!("+{}", places.len() - NAMED_MAX));
                }
                let before = window.kept.len();
                let mut place = 0..before;
                window.kept.retain(|_| place.next().is_none_or(|at| !places.contains(&at)));
                self.all -= before - window.kept.len();
                met.push(PatternMet { of, seen, is_undecided: false });
            }
            Outcome::False => {}
            Outcome::Undecided => self.tell(of, "it took too many steps", met),
        }
    }

    fn tell(&mut self, of: u32, why: &str, met: &mut Vec<PatternMet>) {
        let window = &mut self.windows[of as usize];
        if !window.is_told {
            window.is_told = true;
            met.push(PatternMet { of, seen: vec![why.to_owned()], is_undecided: true });
        }
    }

    /// All windows, for [`Watcher::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        let saved = |window: &Window| Saved {
            newest: window.newest,
            is_told: window.is_told,
            kept: window
                .kept
                .iter()
                .map(|kept| (kept.seen.time, kept.shown.clone(), kept.seen.objects.to_vec()))
                .collect(),
        };
        let all: BTreeMap<&str, Saved> = self
            .patterns
            .all
            .iter()
            .zip(&self.windows)
            .filter(|(_, window)| !window.kept.is_empty() || window.is_told)
            .map(|(one, window)| (one.print.as_str(), saved(window)))
            .collect();
        serde_json::to_vec(&all).unwrap_or_default()
    }

    /// Takes up windows of patterns that read as they did.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), serde_json::Error> {
        let mut all: BTreeMap<String, Saved> = serde_json::from_slice(bytes)?;
        for (one, window) in self.patterns.all.iter().zip(&mut self.windows) {
            let Some(saved) = all.remove(&one.print) else { continue };
            let kept = saved.kept.into_iter().take(KEPT_MAX);
            window.kept = kept
                .map(|(time, shown, objects)| Kept {
                    seen: Seen { objects: Arc::new(objects), time },
                    shown,
                })
                .collect();
            (window.newest, window.is_told) = (saved.newest, saved.is_told);
        }
        self.all = self.windows.iter().map(|window| window.kept.len()).sum();
        Ok(())
    }
}

/// An observation in words.
fn shown(event: &Event, time: i64) -> String {
    let time = model::Timestamp(time).rfc3339();
    let raw = String::from_utf8_lossy(&event.raw);
    let text = if event.message.is_empty() { raw.as_ref() } else { &event.message };
    let text: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{time} {} {}: {text}", event.host, event.source)
}
