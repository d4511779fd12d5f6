//! Correlations as documents say them, their references resolved: who stands on whom, which field is meant.

use std::collections::{BTreeMap, HashMap};

use crate::{
    condition::{self, Expr},
    decimal::Exact,
    document::{CorrelationDocument, CorrelationType, Meta, timespan},
    error::{Fault, Place, Reason},
    limits::Limits,
    number::Op,
    set::{Rule, fnv, is_named},
    yaml::{Node, Number, Value},
};

/// A correlation of a set.
#[derive(Clone, Debug)]
pub struct Correlation {
    pub meta: Meta,
    pub kind: CorrelationType,
    pub timespan_us: i64,
    /// Names of the group's fields; empty for one group over all
    pub group_by: Vec<String>,
    /// Whether its findings are reported; not so if only other correlations use them
    pub standalone: bool,
    /// Changes with every change of the correlation or of what it stands on
    pub version: u128,
    /// Decided when a window closes, not when an event arrives
    pub at_close: bool,
    pub(crate) inputs: Vec<Input>,
    /// Of each input, the slots of the group's fields
    pub(crate) group_slots: Vec<Vec<usize>>,
    /// Slots of the group's names, for correlations above
    pub(crate) name_slots: Vec<usize>,
    /// Of each input, the slots of the fields that are counted
    pub(crate) value_slots: Vec<Vec<usize>>,
    pub(crate) condition: Condition,
    /// In millionths of a per cent, where it was written or is that of the median
    pub(crate) percentile: Option<i128>,
    /// Correlations above, with the place there
    pub(crate) users: Vec<(usize, u16)>,
    pub(crate) own: Own,
}

/// Ume's own, under `ume`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// Groups at once
    pub groups: Option<usize>,
    /// A pause longer than this ends the window
    pub session_us: Option<i64>,
    /// Events must come as regularly as this
    pub periodic: Option<Periodic>,
}

/// Beaconing: gaps between events that hardly differ.
#[derive(Clone, Copy, Debug)]
pub struct Periodic {
    /// Events looked at, at least
    pub events: usize,
    /// Mean deviation of the gaps from their median, as a share of it in thousandths
    pub jitter_permille: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Rule(u32),
    Correlation(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Bounds(Vec<(Op, Exact)>),
    /// Over the inputs
    Expr(Expr),
}

/// What resolving gives: the correlations, inner ones first; names of the slots; what was refused.
pub(crate) struct Resolved {
    pub correlations: Vec<Correlation>,
    pub slots: Vec<String>,
    pub refused: Vec<(Meta, Fault)>,
}

pub(crate) fn resolve(
    documents: Vec<(CorrelationDocument, u128)>,
    rules: &mut [Rule],
    off: &[Meta],
    limits: &Limits,
) -> Resolved {
    let mut resolver = Resolver {
        documents,
        rules,
        off,
        limits,
        state: Vec::new(),
        order: Vec::new(),
        refused: Vec::new(),
    };
    resolver.state = vec![State::New; resolver.documents.len()];
    for at in 0..resolver.documents.len() {
        // The fault is kept where it arose.
        let _ = resolver.visit(at, 0);
    }
    resolver.build()
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done(usize),
    Refused,
}

struct Resolver<'a> {
    documents: Vec<(CorrelationDocument, u128)>,
    rules: &'a mut [Rule],
    off: &'a [Meta],
    limits: &'a Limits,
    state: Vec<State>,
    /// Places of sound documents with their inputs, inner ones first
    order: Vec<(usize, Vec<Input>, usize)>,
    refused: Vec<(Meta, Fault)>,
}

impl Resolver<'_> {
    /// Levels below and with this one.
    fn visit(&mut self, at: usize, above: usize) -> Result<usize, ()> {
        match self.state[at] {
            State::Done(place) => return Ok(self.order[place].2),
            State::Refused => return Err(()),
            State::Open | State::New => {}
        }
        let names = self.documents[at].0.rules.clone();
        self.state[at] = State::Open;
        let mut inputs = Vec::new();
        let mut levels = 1;
        for (name, place) in names {
            match self.input(&name, place, at, above) {
                Ok((input, below)) => {
                    inputs.push(input);
                    levels = levels.max(below + 1);
                }
                Err(fault) => return self.refuse(at, fault),
            }
        }
        if levels > self.limits.chain {
            let place = self.documents[at].0.place;
            return self.refuse(
                at,
                Fault::at(place, Reason::Limit("correlations on each other", self.limits.chain)),
            );
        }
        self.state[at] = State::Done(self.order.len());
        self.order.push((at, inputs, levels));
        Ok(levels)
    }

    fn refuse(&mut self, at: usize, fault: Fault) -> Result<usize, ()> {
        self.state[at] = State::Refused;
        self.refused.push((self.documents[at].0.meta.clone(), fault));
        Err(())
    }

    fn input(
        &mut self,
        name: &str,
        place: Place,
        from: usize,
        above: usize,
    ) -> Result<(Input, usize), Fault> {
        let fault = |reason| Err(Fault::at(place, reason));
        if let Some(at) = self.rules.iter().position(|rule| is_named(&rule.meta, name)) {
            return Ok((Input::Rule(at as u32), 0));
        }
        let Some(at) = self.documents.iter().position(|(d, _)| is_named(&d.meta, name)) else {
            return match self.off.iter().any(|meta| is_named(meta, name)) {
                true => fault(Reason::ReferenceOff(name.to_owned())),
                false => fault(Reason::Reference(name.to_owned())),
            };
        };
        if self.state[at] == State::Open || at == from {
            return fault(Reason::Cycle(name.to_owned()));
        }
        if above > self.limits.chain {
            return fault(Reason::Limit("correlations on each other", self.limits.chain));
        }
        match self.visit(at, above + 1) {
            Ok(levels) => match self.state[at] {
                State::Done(place) => Ok((Input::Correlation(place), levels)),
                _ => fault(Reason::Reference(name.to_owned())),
            },
            Err(()) => fault(Reason::Reference(name.to_owned())),
        }
    }

    fn build(mut self) -> Resolved {
        let mut slots = Slots::default();
        let mut built: Vec<Correlation> = Vec::new();
        // A correlation whose condition is refused leaves its place empty; those above are refused too.
        let mut places: Vec<Option<usize>> = Vec::new();
        for (at, inputs, _) in std::mem::take(&mut self.order) {
            let (document, version) = self.documents[at].clone();
            match self.one(&document, version, &inputs, &built, &places, &mut slots) {
                Ok(correlation) => {
                    places.push(Some(built.len()));
                    built.push(correlation);
                }
                Err(fault) => {
                    places.push(None);
                    self.refused.push((document.meta, fault));
                }
            }
        }
        for above in 0..built.len() {
            for (place, input) in built[above].inputs.clone().into_iter().enumerate() {
                if let Input::Correlation(inner) = input {
                    built[inner].users.push((above, place as u16));
                }
            }
        }
        self.mark_standalone(&mut built);
        Resolved { correlations: built, slots: slots.names, refused: self.refused }
    }

    fn one(
        &self,
        document: &CorrelationDocument,
        version: u128,
        inputs: &[Input],
        built: &[Correlation],
        places: &[Option<usize>],
        slots: &mut Slots,
    ) -> Result<Correlation, Fault> {
        let mut resolved = Vec::new();
        let mut version = version;
        for (input, (name, place)) in inputs.iter().zip(&document.rules) {
            let (input, below) = match input {
                Input::Rule(rule) => (*input, self.rules[*rule as usize].version),
                Input::Correlation(at) => match places[*at] {
                    Some(at) => (Input::Correlation(at), built[at].version),
                    None => return Err(Fault::at(*place, Reason::Reference(name.clone()))),
                },
            };
            resolved.push(input);
            version = fnv(&below.to_le_bytes(), version);
        }
        let names: Vec<&str> = document.rules.iter().map(|(name, _)| name.as_str()).collect();
        let (condition, at_close) = self.condition(document, &names)?;
        let mut of_input = |fields: &[String]| -> Vec<Vec<usize>> {
            let mut field = |rule: &str, name: &String| {
                let alias = document.aliases.get(name).and_then(|rules| rules.get(rule));
                slots.of(alias.unwrap_or(name))
            };
            let mut all = Vec::with_capacity(names.len());
            for rule in &names {
                all.push(fields.iter().map(|name| field(rule, name)).collect());
            }
            all
        };
        let group_slots = of_input(&document.group_by);
        let value_slots = of_input(&document.condition.fields);
        let name_slots = document.group_by.iter().map(|name| slots.of(name)).collect();
        let percentile = match document.kind {
            CorrelationType::ValueMedian => Some(50_000_000),
            _ => document.condition.percentile.map(|p| (p * 1e6).round() as i128),
        };
        Ok(Correlation {
            meta: document.meta.clone(),
            kind: document.kind,
            timespan_us: document.timespan_us,
            group_by: document.group_by.clone(),
            standalone: true,
            version,
            at_close,
            inputs: resolved,
            group_slots,
            name_slots,
            value_slots,
            condition,
            percentile,
            users: Vec::new(),
            own: document
                .own
                .as_ref()
                .map(|node| own(node, document, at_close))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    fn condition(
        &self,
        document: &CorrelationDocument,
        names: &[&str],
    ) -> Result<(Condition, bool), Fault> {
        if let Some((text, place)) = &document.condition.expression {
            let fault = |reason| Fault::at(*place, reason);
            let expr = condition::read(text, names, self.limits).map_err(fault)?;
            if !needs_event(&expr) {
                let what = "it holds when nothing happens; name a rule that must occur".to_owned();
                return Err(fault(Reason::ConditionMap(what)));
            }
            let at_close = has_not(&expr);
            return Ok((Condition::Expr(expr), at_close));
        }
        let mut bounds = Vec::new();
        for (word, number) in &document.condition.bounds {
            let op = Op::read(word).unwrap_or(Op::Eq);
            let Some(exact) = Exact::of_f64(*number) else {
                let what = format!("{word} takes numbers up to {}", Exact::MAX);
                return Err(Fault::at(document.place, Reason::ConditionMap(what)));
            };
            bounds.push((op, exact));
        }
        if bounds.is_empty() {
            bounds.push((Op::Gte, Exact::of(document.rules.len() as i64)));
        }
        let at_close = bounds.iter().any(|(op, _)| !matches!(op, Op::Gt | Op::Gte));
        Ok((Condition::Bounds(bounds), at_close))
    }

    /// What only correlations without `generate` use is not reported for itself.
    fn mark_standalone(&mut self, built: &mut [Correlation]) {
        let generates: HashMap<u128, bool> = built
            .iter()
            .map(|c| {
                let document = self
                    .documents
                    .iter()
                    .find(|(d, _)| d.meta.file == c.meta.file && d.meta.line == c.meta.line);
                (c.version, document.is_some_and(|(d, _)| d.generate))
            })
            .collect();
        let mut used: HashMap<Key, bool> = HashMap::new();
        for correlation in built.iter() {
            let generate = generates[&correlation.version];
            for input in &correlation.inputs {
                let key = match input {
                    Input::Rule(at) => Key(false, *at as usize),
                    Input::Correlation(at) => Key(true, *at),
                };
                *used.entry(key).or_default() |= generate;
            }
        }
        for (Key(correlation, at), generate) in used {
            match correlation {
                true => built[at].standalone = generate,
                false => self.rules[at].standalone = generate,
            }
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Key(bool, usize);

#[derive(Default)]
struct Slots {
    names: Vec<String>,
    by_name: BTreeMap<String, usize>,
}

impl Slots {
    fn of(&mut self, name: &str) -> usize {
        if let Some(slot) = self.by_name.get(name) {
            return *slot;
        }
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

fn has_not(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_) => false,
        Expr::Not(_) => true,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(has_not),
    }
}

/// Whether it cannot hold on nothing.
fn needs_event(expr: &Expr) -> bool {
    !holds(expr, &|_| false)
}

pub(crate) fn holds(expr: &Expr, seen: &impl Fn(usize) -> bool) -> bool {
    match expr {
        Expr::Name(at) => seen(*at),
        Expr::Not(inner) => !holds(inner, seen),
        Expr::And(parts) => parts.iter().all(|part| holds(part, seen)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, seen)),
    }
}

fn own(node: &Node, document: &CorrelationDocument, at_close: bool) -> Result<Own, Fault> {
    let wrong = |place, what: &str| Fault::at(place, Reason::Extension(what.to_owned()));
    let Value::Map(entries) = &node.value else {
        return Err(Fault::at(node.place, Reason::WantsMap("ume".into())));
    };
    let mut own = Own::default();
    for (key, place, value) in entries {
        match key.as_str() {
            "groups" => own.groups = Some(count(value, "groups")?),
            "session" if at_close => {
                return Err(wrong(*place, "session needs a condition with gt or gte"));
            }
            "session" => own.session_us = Some(timespan(value)?),
            "periodic" if document.kind != CorrelationType::EventCount || at_close => {
                return Err(wrong(*place, "periodic needs event_count with gt or gte"));
            }
            "periodic" => {
                let part = |name: &str| {
                    value.get(name).ok_or_else(|| {
                        wrong(value.place, "periodic needs events and jitter_permille")
                    })
                };
                let events = count(part("events")?, "events")?;
                let jitter_permille = count(part("jitter_permille")?, "jitter_permille")? as i64;
                if events < 3 {
                    return Err(wrong(value.place, "periodic needs three events or more"));
                }
                own.periodic = Some(Periodic { events, jitter_permille });
            }
            _ => return Err(wrong(*place, "known are groups, session and periodic")),
        }
    }
    Ok(own)
}

fn count(node: &Node, key: &str) -> Result<usize, Fault> {
    match &node.value {
        Value::Number(Number::Int(i), _) if (1..=100_000_000).contains(i) => Ok(*i as usize),
        _ => Err(Fault::at(node.place, Reason::OutOfRange(key.to_owned(), "from 1 to 100000000"))),
    }
}
