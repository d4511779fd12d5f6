//! Which rules can fire at all, by what fields arrive from which log sources.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    arena::Arena,
    document::LogSource,
    modifier::Test,
    predicate::{Logic, Predicate},
    set::{RuleId, RuleSet},
    taxonomy,
};

/// Names a source is remembered with.
const NAMES_MAX: usize = 20_000;

/// The fields that arrived, by log source.
#[derive(Clone, Debug, Default)]
pub struct FieldCensus {
    sources: HashMap<LogSource, Seen>,
    routes: Vec<u16>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    events: u64,
    fields: HashSet<String>,
}

impl FieldCensus {
    /// Counts an event for every log source it belongs to; one that belongs to none counts for nothing.
    pub fn observe(&mut self, arena: &Arena) {
        let mut routes = std::mem::take(&mut self.routes);
        taxonomy::route(arena, &mut routes);
        let known = routes.iter().map(|at| &taxonomy::sources()[usize::from(*at)]);
        for source in arena.sources().iter().chain(known) {
            if !self.sources.contains_key(source) {
                self.sources.insert(source.clone(), Seen::default());
            }
            let Some(seen) = self.sources.get_mut(source) else { continue };
            seen.events += 1;
            for field in arena.all() {
                let name = arena.name(field);
                if !seen.fields.contains(name) && seen.fields.len() < NAMES_MAX {
                    seen.fields.insert(name.to_owned());
                }
            }
        }
        self.routes = routes;
    }

    /// What was seen of each source, for [`FieldCensus::add`]: events and names of fields.
    pub fn parts(&self) -> impl Iterator<Item = (&LogSource, u64, Vec<&str>)> {
        self.sources.iter().map(|(source, seen)| {
            let mut fields: Vec<&str> = seen.fields.iter().map(String::as_str).collect();
            fields.sort_unstable();
            (source, seen.events, fields)
        })
    }

    /// Adds what was seen before.
    pub fn add(
        &mut self,
        source: LogSource,
        events: u64,
        fields: impl IntoIterator<Item = String>,
    ) {
        let seen = self.sources.entry(source).or_default();
        seen.events += events;
        seen.fields.extend(fields);
    }

    pub fn sources(&self) -> impl Iterator<Item = (&LogSource, u64)> {
        self.sources.iter().map(|(source, seen)| (source, seen.events))
    }
}

/// Whether a rule can fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    pub rule: RuleId,
    /// Events of its log source that arrived
    pub events: u64,
    /// How many fields it asks for
    pub needed: usize,
    /// Those of them that never came
    pub missing: Vec<String>,
    /// Whether its condition can hold with the fields that do come
    pub can_fire: bool,
}

impl RuleSet {
    pub fn coverage(&self, census: &FieldCensus) -> Vec<RuleCoverage> {
        let rules = self.rules().iter().enumerate();
        rules
            .map(|(at, rule)| {
                let seen: Vec<&Seen> = census
                    .sources
                    .iter()
                    .filter(|(source, _)| rule.logsource.holds_for(source))
                    .map(|(_, seen)| seen)
                    .collect();
                let arrives = |name: &str| seen.iter().any(|s| s.fields.contains(name));
                let (mut needed, mut missing) = (BTreeSet::new(), BTreeSet::new());
                rule.logic.visit(&mut |id| {
                    let predicate = &self.core.predicates[id as usize];
                    for field in predicate.field.into_iter().chain(predicate.other) {
                        let name = &self.core.fields[field as usize];
                        needed.insert(field);
                        if !arrives(name) {
                            missing.insert(name.clone());
                        }
                    }
                });
                let possible = self.possible(&rule.logic, &arrives);
                // One event can count for several of the sources a rule takes; the largest is certain.
                let events = seen.iter().map(|s| s.events).max().unwrap_or(0);
                let can_fire = events > 0 && possible.yes;
                RuleCoverage {
                    rule: RuleId(at as u32),
                    events,
                    needed: needed.len(),
                    missing: missing.into_iter().collect(),
                    can_fire,
                }
            })
            .collect()
    }

    fn possible(&self, logic: &Logic, arrives: &impl Fn(&str) -> bool) -> Possible {
        let all =
            |parts: &[Logic]| parts.iter().map(|p| self.possible(p, arrives)).collect::<Vec<_>>();
        match logic {
            Logic::Test(id) => self.possible_test(&self.core.predicates[*id as usize], arrives),
            Logic::Not(inner) => {
                let Possible { yes, no } = self.possible(inner, arrives);
                Possible { yes: no, no: yes }
            }
            Logic::And(parts) => {
                let parts = all(parts);
                Possible { yes: parts.iter().all(|p| p.yes), no: parts.iter().any(|p| p.no) }
            }
            Logic::Or(parts) => {
                let parts = all(parts);
                Possible { yes: parts.iter().any(|p| p.yes), no: parts.iter().all(|p| p.no) }
            }
        }
    }

    fn possible_test(&self, predicate: &Predicate, arrives: &impl Fn(&str) -> bool) -> Possible {
        let mut fields = predicate.field.into_iter().chain(predicate.other);
        let here = fields.all(|id| arrives(&self.core.fields[id as usize]));
        match (&predicate.test, here) {
            (_, true) => Possible { yes: true, no: true },
            (Test::Null, false) => Possible { yes: true, no: false },
            (_, false) => Possible { yes: false, no: true },
        }
    }
}

/// What a condition can turn out to be.
#[derive(Clone, Copy)]
struct Possible {
    yes: bool,
    no: bool,
}
