//! Events against a rule set: one pass for the gates, then the candidates' steps, each predicate once.

use std::collections::HashMap;

use crate::{
    arena::{Arena, Kind},
    document::LogSource,
    explain::Hit,
    index::{FAIL, Gate, MATCH, text_hash},
    number::Num,
    predicate::{FieldId, Logic, Predicate, PredicateId, Spot},
    set::{Bits, RuleId, RuleSet, groups_of},
    taxonomy,
};

/// An event met a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    pub rule: RuleId,
}

/// A field that no rule asks for.
const UNKNOWN: FieldId = FieldId::MAX;

/// Log sources told with events of which the groups are remembered.
const REMEMBERED_MAX: usize = 1_024;

/// Matches events one after the other; what it allocates it keeps.
pub struct Matcher {
    set: RuleSet,
    /// Number of the event; what bears another number is of an earlier one
    stamp: u32,
    /// Of each predicate: stamp twice, plus whether it holds
    memo: Vec<u32>,
    /// Literals seen in this event, exact predicates met; as bits, since conditions ask for them all the time
    literals: Bits,
    exacts: Bits,
    /// What is set in them, to be taken back
    opened: Vec<(bool, u32)>,
    candidates: Vec<u32>,
    candidate_stamp: Vec<u32>,
    /// Of each field: stamp and its first place in the event
    heads: Vec<(u32, u32)>,
    /// Of each place: the next of the same name, or itself
    nexts: Vec<u32>,
    /// Of each place, the field it is, if a rule asks for it
    ids: Vec<FieldId>,
    groups: Bits,
    routes: Vec<u16>,
    remembered: HashMap<LogSource, Bits>,
    always: Vec<Vec<u32>>,
    /// Of each set of groups, the fields its rules ask for; `None` where one looks through the whole event
    asked: HashMap<Bits, Option<Bits>>,
    wanted: Vec<PredicateId>,
    /// Candidates tried since the beginning
    pub tried: u64,
}

impl Matcher {
    pub fn new(set: &RuleSet) -> Matcher {
        let core = &set.core;
        let mut always = vec![Vec::new(); core.groups.len()];
        for rule in &set.index.always {
            always[usize::from(core.rules[*rule as usize].group)].push(*rule);
        }
        Matcher {
            stamp: 0,
            memo: vec![0; core.predicates.len()],
            literals: Bits::of(set.index.literals.len()),
            exacts: Bits::of(core.predicates.len()),
            opened: Vec::new(),
            candidates: Vec::new(),
            candidate_stamp: vec![0; core.rules.len()],
            heads: vec![(0, 0); core.fields.len()],
            nexts: Vec::new(),
            ids: Vec::new(),
            groups: Bits::of(core.groups.len()),
            routes: Vec::new(),
            remembered: HashMap::new(),
            always,
            asked: HashMap::new(),
            wanted: Vec::new(),
            tried: 0,
            set: set.clone(),
        }
    }

    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// Appends every rule the event meets, in the order of the set.
    pub fn eval(&mut self, arena: &Arena, found: &mut Vec<Match>) {
        self.begin(arena);
        self.open_exact(arena);
        self.open_literals(arena);
        let from = found.len();
        let candidates = std::mem::take(&mut self.candidates);
        self.tried += candidates.len() as u64;
        for rule in &candidates {
            if self.run(*rule, arena) {
                found.push(Match { rule: RuleId(*rule) });
            }
        }
        self.candidates = candidates;
        found[from..].sort_unstable();
    }

    /// What of the event met a rule that [`Matcher::eval`] just found: for each positive test that holds, the
    /// field and its bytes. Cheap, since it is known already; [`Matcher::explain`] tells the whole story.
    pub fn hits<'e>(&mut self, arena: &'e Arena, rule: RuleId) -> Vec<Hit<'e>> {
        let mut ids = std::mem::take(&mut self.wanted);
        ids.clear();
        if let Some(rule) = self.set.rule(rule) {
            positive(&rule.clauses[0].logic, false, &mut ids);
        }
        let mut hits: Vec<Hit<'e>> = Vec::new();
        for id in &ids {
            if self.ask(*id, arena) {
                let predicate = &self.set.core.predicates[*id as usize];
                let spot = predicate.event(arena, |field| self.places(field));
                let hit = spot.and_then(|spot| Hit::of(arena, spot));
                hits.extend(hit.filter(|hit| !hits.contains(hit)));
            }
        }
        self.wanted = ids;
        hits
    }

    fn begin(&mut self, arena: &Arena) {
        if self.stamp >= u32::MAX / 2 - 1 {
            self.stamp = 0;
            for stamps in [&mut self.memo, &mut self.candidate_stamp] {
                stamps.fill(0);
            }
            self.heads.fill((0, 0));
        }
        self.stamp += 1;
        for (literal, at) in self.opened.drain(..) {
            let bits = if literal { &mut self.literals } else { &mut self.exacts };
            bits.clear(at as usize);
        }
        self.route(arena);
        let core = &self.set.core;
        let fields = arena.all();
        self.nexts.clear();
        self.nexts.extend(0..fields.len() as u32);
        self.ids.clear();
        self.ids.resize(fields.len(), UNKNOWN);
        for (at, field) in fields.iter().enumerate().rev() {
            let Some(id) = core.field_of.get(&field.hash) else { continue };
            if core.fields[*id as usize] != arena.name(field) {
                continue;
            }
            self.ids[at] = *id;
            let head = &mut self.heads[*id as usize];
            if head.0 == self.stamp {
                self.nexts[at] = head.1;
            }
            *head = (self.stamp, at as u32);
        }
        self.candidates.clear();
        for group in 0..self.always.len() {
            if self.groups.has(group) {
                self.candidates.extend(&self.always[group]);
            }
        }
    }

    /// The groups of rules this event is for.
    fn route(&mut self, arena: &Arena) {
        self.groups.0.fill(0);
        let core = &self.set.core;
        for source in arena.sources() {
            if let Some(bits) = self.remembered.get(source) {
                self.groups.add(bits);
                continue;
            }
            let bits = groups_of(&core.groups, source);
            self.groups.add(&bits);
            if self.remembered.len() < REMEMBERED_MAX {
                self.remembered.insert(source.clone(), bits);
            }
        }
        taxonomy::route(arena, &mut self.routes);
        for at in &self.routes {
            self.groups.add(&core.of_source[usize::from(*at)]);
        }
        if self.routes.is_empty() && arena.sources().is_empty() {
            self.groups.fill();
        }
    }

    fn open_exact(&mut self, arena: &Arena) {
        let (core, index) = (&self.set.core, &self.set.index);
        let (exacts, opened) = (&mut self.exacts, &mut self.opened);
        let mut candidates = Candidates {
            rules: &core.rules,
            groups: &self.groups,
            stamps: &mut self.candidate_stamp,
            stamp: self.stamp,
            list: &mut self.candidates,
        };
        let mut open = |predicates: Option<&Vec<PredicateId>>| {
            for id in predicates.into_iter().flatten().filter(|id| exacts.put(**id as usize)) {
                opened.push((false, *id));
                if let Some(rules) = index.of_exact.get(id) {
                    candidates.add(rules);
                }
            }
        };
        for (field, id) in arena.all().iter().zip(&self.ids) {
            if *id == UNKNOWN || !matches!(field.kind, Kind::Value | Kind::Void) {
                continue;
            }
            let (texts, numbers) = index.exact[*id as usize];
            if texts {
                open(index.texts.get(&(*id, text_hash(arena.folded(field)))));
            }
            if numbers && let Some(number) = Num::parse(arena.raw(field)) {
                open(index.numbers.get(&(*id, number)));
            }
        }
    }

    /// Looks for literals in the fields that the rules of this event's groups ask for.
    fn open_literals(&mut self, arena: &Arena) {
        let asked = match self.asked.get(&self.groups) {
            Some(asked) => asked,
            None => {
                if self.asked.len() >= REMEMBERED_MAX {
                    self.asked.clear();
                }
                let asked = asked(&self.set, &self.groups);
                self.asked.entry(self.groups.clone()).or_insert(asked)
            }
        };
        let (core, index) = (&self.set.core, &self.set.index);
        let opened = &mut self.opened;
        let mut candidates = Candidates {
            rules: &core.rules,
            groups: &self.groups,
            stamps: &mut self.candidate_stamp,
            stamp: self.stamp,
            list: &mut self.candidates,
        };
        let mut hit = |literal: u32| {
            opened.push((true, literal));
            candidates.add(&index.of_literal[literal as usize]);
        };
        let Some(asked) = asked else {
            index.scan(arena.folded_all(), &mut self.literals, hit);
            return;
        };
        for (field, id) in arena.all().iter().zip(&self.ids) {
            if *id != UNKNOWN && asked.has(*id as usize) {
                index.scan(arena.folded(field), &mut self.literals, &mut hit);
            }
        }
    }

    /// Follows a rule's steps to their end.
    fn run(&mut self, rule: u32, arena: &Arena) -> bool {
        let mut at = self.set.index.starts[rule as usize];
        while at < FAIL {
            let step = self.set.index.steps[at as usize];
            let holds =
                self.is_open(step.gate, step.predicate) && self.ask_open(step.predicate, arena);
            at = if holds { step.yes } else { step.no };
        }
        at == MATCH
    }

    fn ask(&mut self, id: PredicateId, arena: &Arena) -> bool {
        self.is_open(self.set.index.gates[id as usize], id) && self.ask_open(id, arena)
    }

    fn is_open(&self, gate: Gate, id: PredicateId) -> bool {
        match gate {
            Gate::Open => true,
            Gate::Literal(literal) => self.literals.has(literal as usize),
            Gate::Exact => self.exacts.has(id as usize),
        }
    }

    fn ask_open(&mut self, id: PredicateId, arena: &Arena) -> bool {
        let memo = self.memo[id as usize];
        if memo >> 1 == self.stamp {
            return memo & 1 == 1;
        }
        let predicate = &self.set.core.predicates[id as usize];
        let holds = predicate.event(arena, |field| self.places(field)).is_some();
        self.memo[id as usize] = self.stamp << 1 | u32::from(holds);
        holds
    }

    /// The places of a field's values.
    fn places(&self, field: u32) -> Places<'_> {
        let (stamp, first) = self.heads[field as usize];
        Places { nexts: &self.nexts, at: (stamp == self.stamp).then_some(first) }
    }
}

/// The fields that rules of these groups ask for; `None` if one asks for the whole event.
fn asked(set: &RuleSet, groups: &Bits) -> Option<Bits> {
    let core = &set.core;
    let mut asked = Bits::of(core.fields.len());
    let mut whole = false;
    for rule in core.rules.iter().filter(|rule| groups.has(usize::from(rule.group))) {
        rule.logic.visit(&mut |id| match core.predicates[id as usize].field {
            Some(field) => asked.set(field as usize),
            None => whole = true,
        });
    }
    (!whole).then_some(asked)
}

/// The tests of a condition that do not stand under a `not`.
fn positive(logic: &Logic, negated: bool, found: &mut Vec<PredicateId>) {
    match logic {
        Logic::Test(id) if !negated => found.push(*id),
        Logic::Test(_) => {}
        Logic::Not(inner) => positive(inner, !negated, found),
        Logic::And(parts) | Logic::Or(parts) => {
            parts.iter().for_each(|part| positive(part, negated, found))
        }
    }
}

struct Candidates<'a> {
    rules: &'a [crate::set::Rule],
    groups: &'a Bits,
    stamps: &'a mut [u32],
    stamp: u32,
    list: &'a mut Vec<u32>,
}

impl Candidates<'_> {
    fn add(&mut self, rules: &[u32]) {
        for rule in rules {
            let at = *rule as usize;
            if self.stamps[at] != self.stamp && self.groups.has(usize::from(self.rules[at].group)) {
                self.stamps[at] = self.stamp;
                self.list.push(*rule);
            }
        }
    }
}

struct Places<'a> {
    nexts: &'a [u32],
    at: Option<u32>,
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.at?;
        let next = self.nexts[at as usize];
        self.at = (next != at).then_some(next);
        Some(at as usize)
    }
}

/// Asks a predicate without gates, memory or order: what the fast way must agree with.
pub(crate) fn plainly(set: &RuleSet, predicate: &Predicate, arena: &Arena) -> Option<Spot> {
    let fields = &set.core.fields;
    predicate.event(arena, |id| {
        let name = &fields[id as usize];
        let named = arena.all().iter().enumerate().filter(|(_, f)| arena.name(f) == name);
        named.map(|(at, _)| at).collect::<Vec<_>>().into_iter()
    })
}

impl RuleSet {
    /// Whether the event is for the rule's log source.
    pub fn concerns(&self, rule: RuleId, arena: &Arena) -> bool {
        let Some(rule) = self.rule(rule) else { return false };
        let mut routes = Vec::new();
        taxonomy::route(arena, &mut routes);
        let known = routes.iter().map(|at| &taxonomy::sources()[usize::from(*at)]);
        let mut sources = arena.sources().iter().chain(known).peekable();
        sources.peek().is_none() || sources.any(|source| rule.logsource.holds_for(source))
    }
}
