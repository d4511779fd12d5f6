//! From a pattern and observations to what is to be assigned: slots with what could fill them.
//!
//! Everything about single observations is settled here; what is left speaks of time and of not using one
//! observation twice.

use super::ast::{Comparison, Expression};
use super::observe::Observation;
use super::property;
use super::solve::{Meter, Spent};

/// How many copies of an expression with an order or a span in it are laid out side by side.
const COPIES_MAX: u32 = 200;

/// One observation that could fill a slot, with the part of its span that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub last: i64,
    pub first: i64,
    pub observation: u32,
}

/// So many observations of these are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub demand: u64,
    /// Index into [`Slots::pools`].
    pub pool: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    /// By their last moment.
    pub entries: Vec<Entry>,
    /// The least first moment from here on.
    pub first_from: Vec<i64>,
    /// Pools that share observations, perhaps through others, have the same.
    pub group: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Slot(usize),
    And(Vec<Node>),
    Or(Vec<Node>),
    Chain(Vec<Node>),
    Within(Box<Node>, i64),
    Never,
}

#[derive(Debug, Default)]
pub(crate) struct Slots {
    pub slots: Vec<Slot>,
    pub pools: Vec<Pool>,
}

impl Slots {
    pub fn pool(&self, slot: usize) -> &Pool {
        &self.pools[self.slots[slot].pool]
    }
}

/// Lays out an expression over observations.
pub(crate) fn lay_out(
    expression: &Expression,
    observations: &[Observation<'_>],
    meter: &mut Meter,
) -> Result<(Node, Slots), Spent> {
    let mut builder = Builder { observations, meter, slots: Slots::default() };
    let root = builder.node(expression, (i64::MIN, i64::MAX))?;
    let mut slots = builder.slots;
    group(&mut slots.pools, observations.len());
    Ok((root, slots))
}

struct Builder<'a, 'o> {
    observations: &'a [Observation<'o>],
    meter: &'a mut Meter,
    slots: Slots,
}

impl Builder<'_, '_> {
    /// `span`: from, included, to, excluded.
    fn node(&mut self, expression: &Expression, span: (i64, i64)) -> Result<Node, Spent> {
        Ok(match expression {
            Expression::Test(comparison) => self.slot(comparison, span)?,
            Expression::And(parts) => all(self.nodes(parts, span)?, Node::And),
            Expression::FollowedBy(parts) => all(self.nodes(parts, span)?, Node::Chain),
            Expression::Or(parts) => {
                let parts = self.nodes(parts, span)?;
                self.either(parts)
            }
            Expression::StartStop(inner, start, stop) => {
                self.node(inner, (span.0.max(*start), span.1.min(*stop)))?
            }
            Expression::Within(inner, micros) => match self.node(inner, span)? {
                Node::Slot(slot) if self.slots.slots[slot].demand == 1 => Node::Slot(slot),
                Node::Never => Node::Never,
                inner => Node::Within(Box::new(inner), *micros),
            },
            Expression::Repeats(inner, times) => {
                let inner = self.node(inner, span)?;
                self.repeat(inner, *times)?
            }
        })
    }

    fn nodes(&mut self, parts: &[Expression], span: (i64, i64)) -> Result<Vec<Node>, Spent> {
        parts.iter().map(|part| self.node(part, span)).collect()
    }

    fn slot(&mut self, comparison: &Comparison, span: (i64, i64)) -> Result<Node, Spent> {
        let mut entries = Vec::new();
        for (at, observation) in self.observations.iter().enumerate() {
            let first = observation.observed.first.max(span.0);
            let last = observation.observed.last.min(span.1.saturating_sub(1));
            if first <= last && property::holds(comparison, observation, &mut self.meter.used) {
                entries.push(Entry { last, first, observation: at as u32 });
            }
            self.meter.pay(1)?;
        }
        Ok(self.pooled(entries))
    }

    fn pooled(&mut self, mut entries: Vec<Entry>) -> Node {
        if entries.is_empty() {
            return Node::Never;
        }
        entries.sort_unstable();
        entries.dedup();
        let mut first_from: Vec<i64> = entries.iter().map(|entry| entry.first).collect();
        for at in (1..first_from.len()).rev() {
            first_from[at - 1] = first_from[at - 1].min(first_from[at]);
        }
        self.slots.pools.push(Pool { entries, first_from, group: 0 });
        self.slots.slots.push(Slot { demand: 1, pool: self.slots.pools.len() - 1 });
        Node::Slot(self.slots.slots.len() - 1)
    }

    /// Single observations of which any will do are one slot.
    fn either(&mut self, parts: Vec<Node>) -> Node {
        let (single, mut others): (Vec<Node>, Vec<Node>) = parts
            .into_iter()
            .filter(|part| *part != Node::Never)
            .partition(|part| matches!(part, Node::Slot(at) if self.slots.slots[*at].demand == 1));
        match single.len() {
            0 => {}
            1 => others.extend(single),
            _ => {
                let entries = single.iter().flat_map(|part| match part {
                    Node::Slot(at) => self.slots.pool(*at).entries.clone(),
                    _ => Vec::new(),
                });
                let entries = entries.collect();
                others.insert(0, self.pooled(entries));
            }
        }
        match others.len() {
            0 => Node::Never,
            1 => others.remove(0),
            _ => Node::Or(others),
        }
    }

    fn repeat(&mut self, inner: Node, times: u32) -> Result<Node, Spent> {
        if times == 1 || inner == Node::Never {
            return Ok(inner);
        }
        // Without time and choice in it, copies only want more of each.
        if let Some(slots) = plain(&inner) {
            for slot in slots {
                let demand = &mut self.slots.slots[slot].demand;
                *demand = demand.saturating_mul(u64::from(times));
            }
            return Ok(inner);
        }
        if times > COPIES_MAX {
            return Err(Spent);
        }
        let mut copies = Vec::with_capacity(times as usize);
        for _ in 1..times {
            copies.push(self.copy(&inner)?);
        }
        copies.push(inner);
        Ok(Node::And(copies))
    }

    /// The same with slots of its own over the same pools.
    fn copy(&mut self, node: &Node) -> Result<Node, Spent> {
        self.meter.pay(1)?;
        let copies = |builder: &mut Self, parts: &[Node]| {
            parts.iter().map(|part| builder.copy(part)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match node {
            Node::Slot(at) => {
                let slot = self.slots.slots[*at].clone();
                self.slots.slots.push(slot);
                Node::Slot(self.slots.slots.len() - 1)
            }
            Node::And(parts) => Node::And(copies(self, parts)?),
            Node::Or(parts) => Node::Or(copies(self, parts)?),
            Node::Chain(parts) => Node::Chain(copies(self, parts)?),
            Node::Within(inner, micros) => Node::Within(Box::new(self.copy(inner)?), *micros),
            Node::Never => Node::Never,
        })
    }
}

fn all(parts: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match parts.contains(&Node::Never) {
        true => Node::Never,
        false => join(parts),
    }
}

/// The slots of a node that is nothing but slots.
fn plain(node: &Node) -> Option<Vec<usize>> {
    match node {
        Node::Slot(at) => Some(vec![*at]),
        Node::And(parts) => {
            let slots: Option<Vec<Vec<usize>>> = parts.iter().map(plain).collect();
            Some(slots?.concat())
        }
        _ => None,
    }
}

/// Says of each pool with which others it shares observations.
fn group(pools: &mut [Pool], observations: usize) {
    let mut parent: Vec<usize> = (0..pools.len()).collect();
    let mut holder: Vec<Option<usize>> = vec![None; observations];
    for (at, pool) in pools.iter().enumerate() {
        for entry in &pool.entries {
            match holder[entry.observation as usize] {
                Some(other) => {
                    let (a, b) = (root(&mut parent, at), root(&mut parent, other));
                    parent[a] = b;
                }
                None => holder[entry.observation as usize] = Some(at),
            }
        }
    }
    for (at, pool) in pools.iter_mut().enumerate() {
        pool.group = root(&mut parent, at);
    }
}

pub(crate) fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}
