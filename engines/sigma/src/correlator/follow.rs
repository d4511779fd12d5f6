//! Windows outlive the rules around them: what a correlation holds stays as long as it, and all it stands on, reads as it did.
//!
//! Invariants: a correlation is the same if its version is (its text, its rules, their filters); its windows, the events that
//! wait for it and its timers go to its new place, those of others are let go; values move with the names of their slots.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Correlator, State, Values, Waiting};
use crate::set::RuleSet;

/// What places in a state mean: the versions of rules and correlations, the names of slots.
#[derive(Serialize, Deserialize)]
pub(super) struct Known {
    /// Only rules that feed a correlation
    rules: HashMap<u32, u128>,
    correlations: Vec<u128>,
    slots: Vec<String>,
}

impl Known {
    pub(super) fn of(correlator: &Correlator) -> Known {
        let set = &correlator.set;
        let version = |rule: &u32| (*rule, set.rules()[*rule as usize].version);
        Known {
            rules: correlator.users.keys().map(version).collect(),
            correlations: set.correlations().iter().map(|c| c.version).collect(),
            slots: set.core.slots.clone(),
        }
    }

    /// Whether the state has a place for each correlation and none beyond.
    pub(super) fn fits(&self, state: &State) -> bool {
        let correlations = self.correlations.len();
        let values = |values: &Values| values.len() == self.slots.len();
        state.groups.len() == correlations
            && state.timers.iter().all(|(_, at, _)| (*at as usize) < correlations)
            && state.waiting.values().all(|waiting| values(&waiting.values))
    }
}

/// New places by old ones.
struct Moved {
    rules: HashMap<u32, u32>,
    correlations: Vec<Option<usize>>,
    /// Of each new slot the old one
    slots: Vec<Option<usize>>,
}

impl Moved {
    fn between(old: &Known, new: &Known) -> Moved {
        let rule_of: HashMap<u128, u32> = new.rules.iter().map(|(at, v)| (*v, *at)).collect();
        let correlation_of: HashMap<u128, usize> =
            new.correlations.iter().enumerate().map(|(at, v)| (*v, at)).collect();
        let slot_of: HashMap<&String, usize> =
            old.slots.iter().enumerate().map(|(at, name)| (name, at)).collect();
        let rule = |(at, version): (&u32, &u128)| Some((*at, *rule_of.get(version)?));
        Moved {
            rules: old.rules.iter().filter_map(rule).collect(),
            correlations: old.correlations.iter().map(|v| correlation_of.get(v).copied()).collect(),
            slots: new.slots.iter().map(|name| slot_of.get(name).copied()).collect(),
        }
    }

    fn values(&self, values: &[Option<Box<str>>]) -> Values {
        let value = |old: &Option<usize>| old.and_then(|old| values.get(old).cloned().flatten());
        self.slots.iter().map(value).collect()
    }

    fn waiting(&self, waiting: Waiting) -> Option<Waiting> {
        let Waiting { id, rules, values } = waiting;
        let rules: Vec<u32> = rules.iter().filter_map(|r| self.rules.get(r).copied()).collect();
        (!rules.is_empty()).then(|| Waiting { id, rules, values: self.values(&values) })
    }
}

impl Correlator {
    /// The same with other rules: correlations that read as before go on, the windows of others begin anew. An event that
    /// waits to be sorted was not held against rules that are new.
    pub fn follow(self, set: &RuleSet) -> Correlator {
        let mut next = Correlator::new(set, self.settings);
        let known = Known::of(&self);
        next.take_over(&known, self.state);
        next
    }

    pub(super) fn take_over(&mut self, known: &Known, state: State) {
        let moved = Moved::between(known, &Known::of(self));
        let State { next, watermark, swept, waiting, groups, timers, counters } = state;
        let waiting = waiting.into_iter().filter_map(|(at, w)| Some((at, moved.waiting(w)?)));
        let timers = timers.into_iter().filter_map(|(time, at, key)| {
            Some((time, moved.correlations[at as usize]? as u32, key))
        });
        let mut state = State {
            next,
            watermark,
            swept,
            waiting: waiting.collect(),
            groups: vec![HashMap::new(); self.set.correlations().len()],
            timers: timers.collect(),
            counters,
        };
        for (to, mut windows) in moved.correlations.iter().zip(groups) {
            let Some(to) = *to else { continue };
            for window in windows.values_mut() {
                window.last = window.last.take().map(|last| moved.values(&last).into());
            }
            state.groups[to] = windows;
        }
        self.state = state;
    }
}
