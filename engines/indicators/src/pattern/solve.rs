//! Whether observations can be given to the tests of a pattern.
//!
//! Order and span turn into limits on single observations as soon as a moment is chosen: `A FOLLOWEDBY B` holds
//! if for some moment all of A begin not after it and all of B end not before it; a span holds if for some moment
//! all end not before it and begin not after it plus the span. So moments are tried, among those at which
//! something changes, and with all of them fixed the rest is a bipartite matching. Parts that share no
//! observation are settled apart, and chains of such parts by taking the earliest of each.

use std::collections::BTreeMap;

use super::ast::{Expression, Pattern};
use super::flow::Flow;
use super::observe::Observation;
use super::property;
use super::slots::{self, Node, Slots};

/// How many steps an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub steps: u64,
}

impl Default for Budget {
    /// Some tenths of a second.
    fn default() -> Budget {
        Budget { steps: 10_000_000 }
    }
}

/// What became of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With observations that together match, by their place in the list.
    True(Vec<usize>),
    False,
    /// The budget was spent first.
    Undecided,
}

/// How many choices are open at once; each takes some of the stack.
const DEPTH_MAX: usize = 300;

#[derive(Debug)]
pub(crate) struct Spent;

#[derive(Debug)]
pub(crate) struct Meter {
    pub used: u64,
    pub limit: u64,
}

impl Meter {
    pub fn pay(&mut self, steps: u64) -> Result<(), Spent> {
        self.used += steps;
        if self.used > self.limit { Err(Spent) } else { Ok(()) }
    }
}

/// Holds a pattern against observations.
pub fn eval(pattern: &Pattern, observations: &[Observation<'_>], budget: Budget) -> Outcome {
    let mut meter = Meter { used: 0, limit: budget.steps };
    let found = match &pattern.root {
        Expression::Test(comparison) => {
            one(observations, &mut meter, |o, used| property::holds(comparison, o, used))
        }
        root => assigned(root, observations, &mut meter),
    };
    match found {
        Ok(Some(mut found)) => {
            found.sort_unstable();
            found.dedup();
            Outcome::True(found.into_iter().map(|at| at as usize).collect())
        }
        Ok(None) => Outcome::False,
        Err(Spent) => Outcome::Undecided,
    }
}

type Found = Result<Option<Vec<u32>>, Spent>;

fn one<'o>(
    observations: &[Observation<'o>],
    meter: &mut Meter,
    holds: impl Fn(&Observation<'o>, &mut u64) -> bool,
) -> Found {
    for (at, observation) in observations.iter().enumerate() {
        if holds(observation, &mut meter.used) {
            return Ok(Some(vec![at as u32]));
        }
        meter.pay(1)?;
    }
    Ok(None)
}

fn assigned(root: &Expression, observations: &[Observation<'_>], meter: &mut Meter) -> Found {
    let (root, slots) = slots::lay_out(root, observations, meter)?;
    let limits = vec![Limits::default(); slots.slots.len()];
    let capacity = observations.iter().map(|o| u64::from(o.observed.number)).collect();
    Solver { slots: &slots, limits, capacity, meter, depth: 0 }.solve(vec![&root])
}

/// What the moments that were chosen ask of whatever fills a slot.
#[derive(Clone, Copy, Debug)]
struct Limits {
    first_max: i64,
    last_min: i64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { first_max: i64::MAX, last_min: i64::MIN }
    }
}

struct Solver<'a> {
    slots: &'a Slots,
    limits: Vec<Limits>,
    capacity: Vec<u64>,
    meter: &'a mut Meter,
    depth: usize,
}

impl<'a> Solver<'a> {
    /// Observations that meet all goals at once.
    fn solve(&mut self, goals: Vec<&'a Node>) -> Found {
        if self.depth == DEPTH_MAX {
            return Err(Spent);
        }
        self.depth += 1;
        let found = self.at_once(goals);
        self.depth -= 1;
        found
    }

    fn at_once(&mut self, goals: Vec<&'a Node>) -> Found {
        let Some(goals) = flat(goals) else { return Ok(None) };
        if self.relaxed(&goals)?.is_none() {
            return Ok(None);
        }
        let parts = self.components(goals)?;
        let mut found = Vec::new();
        for part in parts {
            match self.component(part)? {
                Some(more) => found.extend(more),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// A matching for the slots all goals need whatever is chosen: without one there is no solution.
    fn relaxed(&mut self, goals: &[&'a Node]) -> Found {
        let mut needed = Vec::new();
        goals.iter().for_each(|goal| needed_slots(goal, &mut needed));
        self.matching(&needed)
    }

    /// Goals by whether they could want the same observation.
    fn components(&mut self, goals: Vec<&'a Node>) -> Result<Vec<Vec<&'a Node>>, Spent> {
        let mut parent: Vec<usize> = (0..goals.len()).collect();
        let mut holder: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, goal) in goals.iter().enumerate() {
            let groups = self.groups(goal);
            self.meter.pay(1 + groups.len() as u64)?;
            for group in groups {
                let other = *holder.entry(group).or_insert(at);
                let (a, b) = (slots::root(&mut parent, at), slots::root(&mut parent, other));
                parent[a] = b;
            }
        }
        let mut parts: BTreeMap<usize, Vec<&Node>> = BTreeMap::new();
        for (at, goal) in goals.into_iter().enumerate() {
            parts.entry(slots::root(&mut parent, at)).or_default().push(goal);
        }
        Ok(parts.into_values().collect())
    }

    fn groups(&self, node: &Node) -> Vec<usize> {
        let mut slots = Vec::new();
        all_slots(node, &mut slots);
        let mut groups: Vec<usize> =
            slots.iter().map(|slot| self.slots.pool(*slot).group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn component(&mut self, mut goals: Vec<&'a Node>) -> Found {
        let Some(at) = goals.iter().position(|goal| !matches!(goal, Node::Slot(_))) else {
            return self.relaxed(&goals);
        };
        let goal = goals.remove(at);
        match goal {
            Node::Or(parts) => self.choice(parts, goals),
            Node::Within(inner, micros) => self.span(inner, *micros, goals),
            Node::Chain(parts) if goals.is_empty() && self.apart(parts) => self.earliest(parts),
            Node::Chain(parts) => self.split(&parts[0], &parts[1..], goals),
            Node::Slot(_) | Node::And(_) | Node::Never => Ok(None),
        }
    }

    fn choice(&mut self, parts: &'a [Node], goals: Vec<&'a Node>) -> Found {
        for part in parts {
            let mut goals = goals.clone();
            goals.push(part);
            if let Some(found) = self.solve(goals)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Tries each moment at which something of it ends.
    fn span(&mut self, inner: &'a Node, micros: i64, goals: Vec<&'a Node>) -> Found {
        let mut slots = Vec::new();
        all_slots(inner, &mut slots);
        let saved = self.saved(&slots);
        for begin in self.moments(&slots, |entry| entry.last)? {
            self.meter.pay(slots.len() as u64)?;
            self.narrow(&slots, begin.saturating_add(micros), begin);
            let mut goals = goals.clone();
            goals.push(inner);
            let found = self.solve(goals);
            self.restore(&saved);
            if let Some(found) = found? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Tries each moment at which something of the first part begins, as that between it and the rest.
    fn split(&mut self, head: &'a Node, rest: &'a [Node], goals: Vec<&'a Node>) -> Found {
        if rest.is_empty() {
            let mut goals = goals;
            goals.push(head);
            return self.solve(goals);
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        all_slots(head, &mut before);
        rest.iter().for_each(|node| all_slots(node, &mut after));
        let saved = self.saved(&[before.clone(), after.clone()].concat());
        for moment in self.moments(&before, |entry| entry.first)? {
            self.meter.pay(saved.len() as u64)?;
            self.narrow(&before, moment, i64::MIN);
            self.narrow(&after, i64::MAX, moment);
            let found = self.split_at(head, rest, goals.clone());
            self.restore(&saved);
            match found? {
                Split::Found(found) => return Ok(Some(found)),
                Split::TooLate => return Ok(None),
                Split::Not => {}
            }
        }
        Ok(None)
    }

    fn split_at(
        &mut self,
        head: &'a Node,
        rest: &'a [Node],
        goals: Vec<&'a Node>,
    ) -> Result<Split, Spent> {
        // Later moments leave the rest even less.
        if self.relaxed(&rest.iter().collect::<Vec<_>>())?.is_none() {
            return Ok(Split::TooLate);
        }
        let mut all = goals.clone();
        all.push(head);
        all.extend(rest);
        if self.relaxed(&all)?.is_none() {
            return Ok(Split::Not);
        }
        let mut goals = goals;
        goals.push(head);
        Ok(match self.split_rest(rest, goals)? {
            Some(found) => Split::Found(found),
            None => Split::Not,
        })
    }

    fn split_rest(&mut self, rest: &'a [Node], goals: Vec<&'a Node>) -> Found {
        self.split(&rest[0], &rest[1..], goals)
    }

    /// Whether no two parts could want the same observation.
    fn apart(&self, parts: &[Node]) -> bool {
        let mut seen = Vec::new();
        for part in parts {
            let groups = self.groups(part);
            if groups.iter().any(|group| seen.contains(group)) {
                return false;
            }
            seen.extend(groups);
        }
        true
    }

    /// Each part as early as it can be, which leaves most to the next ones.
    fn earliest(&mut self, parts: &'a [Node]) -> Found {
        let mut found = Vec::new();
        let mut reached = i64::MIN;
        for part in parts {
            let mut slots = Vec::new();
            all_slots(part, &mut slots);
            let saved = self.saved(&slots);
            self.narrow(&slots, i64::MAX, reached);
            let done = self.soonest(part, &slots);
            self.restore(&saved);
            let Some((moment, more)) = done? else { return Ok(None) };
            reached = reached.max(moment);
            found.extend(more);
        }
        Ok(Some(found))
    }

    /// The least moment by which all of it can have begun.
    fn soonest(
        &mut self,
        node: &'a Node,
        slots: &[usize],
    ) -> Result<Option<(i64, Vec<u32>)>, Spent> {
        let moments = self.moments(slots, |entry| entry.first)?;
        let (mut low, mut high) = (0, moments.len());
        let mut best = None;
        while low < high {
            let middle = (low + high) / 2;
            let saved = self.saved(slots);
            self.narrow(slots, moments[middle], i64::MIN);
            let found = self.solve(vec![node]);
            self.restore(&saved);
            match found? {
                Some(found) => {
                    best = Some((moments[middle], found));
                    high = middle;
                }
                None => low = middle + 1,
            }
        }
        Ok(best)
    }

    /// The different moments of what could fill slots now, in order.
    fn moments(
        &mut self,
        slots: &[usize],
        of: fn(&slots::Entry) -> i64,
    ) -> Result<Vec<i64>, Spent> {
        let mut moments = Vec::new();
        let mut seen = Vec::new();
        for slot in slots {
            self.meter.pay(1 + seen.len() as u64)?;
            let limits = self.limits[*slot];
            let key = (self.slots.slots[*slot].pool, limits.first_max, limits.last_min);
            // Copies of an expression look at the same.
            if seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let pool = self.slots.pool(*slot);
            let from = pool.entries.partition_point(|entry| entry.last < limits.last_min);
            self.meter.pay((pool.entries.len() - from) as u64)?;
            let fitting = pool.entries[from..].iter().filter(|e| e.first <= limits.first_max);
            moments.extend(fitting.map(of));
        }
        moments.sort_unstable();
        moments.dedup();
        Ok(moments)
    }

    fn saved(&self, slots: &[usize]) -> Vec<(usize, Limits)> {
        slots.iter().map(|slot| (*slot, self.limits[*slot])).collect()
    }

    fn restore(&mut self, saved: &[(usize, Limits)]) {
        for (slot, limits) in saved {
            self.limits[*slot] = *limits;
        }
    }

    fn narrow(&mut self, slots: &[usize], first_max: i64, last_min: i64) {
        for slot in slots {
            let limits = &mut self.limits[*slot];
            limits.first_max = limits.first_max.min(first_max);
            limits.last_min = limits.last_min.max(last_min);
        }
    }

    /// Gives each slot as many observations as it wants, none beyond its number.
    fn matching(&mut self, slots: &[usize]) -> Found {
        let total: u64 =
            slots.iter().fold(0, |sum, slot| sum.saturating_add(self.slots.slots[*slot].demand));
        let mut flow = Flow::new(slots.len());
        for (at, slot) in slots.iter().enumerate() {
            let demand = self.slots.slots[*slot].demand;
            if !self.offer(&mut flow, at, *slot, demand, total)? {
                return Ok(None);
            }
        }
        flow.settle(self.meter)
    }

    /// Offers a slot what fits it, no more than all slots together could take; false if that is too little.
    fn offer(
        &mut self,
        flow: &mut Flow,
        at: usize,
        slot: usize,
        demand: u64,
        total: u64,
    ) -> Result<bool, Spent> {
        let limits = self.limits[slot];
        let pool = self.slots.pool(slot);
        let from = pool.entries.partition_point(|entry| entry.last < limits.last_min);
        let mut offered = 0u64;
        let mut previous = None;
        for (entry, first_from) in pool.entries[from..].iter().zip(&pool.first_from[from..]) {
            self.meter.pay(1)?;
            if *first_from > limits.first_max || offered >= total {
                break;
            }
            if entry.first > limits.first_max || previous == Some(entry.observation) {
                continue;
            }
            previous = Some(entry.observation);
            let capacity = self.capacity[entry.observation as usize];
            offered = offered.saturating_add(flow.offer(at, entry.observation, capacity));
        }
        flow.want(at, demand);
        Ok(offered >= demand)
    }
}

enum Split {
    Found(Vec<u32>),
    Not,
    TooLate,
}

/// Goals with `AND` taken apart; none if one of them can never be met.
fn flat(goals: Vec<&Node>) -> Option<Vec<&Node>> {
    let mut out = Vec::with_capacity(goals.len());
    let mut open = goals;
    open.reverse();
    while let Some(goal) = open.pop() {
        match goal {
            Node::And(parts) => open.extend(parts.iter().rev()),
            Node::Never => return None,
            goal => out.push(goal),
        }
    }
    Some(out)
}

/// The slots that every choice needs.
fn needed_slots(node: &Node, out: &mut Vec<usize>) {
    match node {
        Node::Slot(slot) => out.push(*slot),
        Node::And(parts) | Node::Chain(parts) => parts.iter().for_each(|p| needed_slots(p, out)),
        Node::Within(inner, _) => needed_slots(inner, out),
        Node::Or(_) | Node::Never => {}
    }
}

fn all_slots(node: &Node, out: &mut Vec<usize>) {
    match node {
        Node::Slot(slot) => out.push(*slot),
        Node::And(parts) | Node::Chain(parts) | Node::Or(parts) => {
            parts.iter().for_each(|p| all_slots(p, out));
        }
        Node::Within(inner, _) => all_slots(inner, out),
        Node::Never => {}
    }
}
