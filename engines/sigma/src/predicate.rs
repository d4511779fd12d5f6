//! Predicates: one question to one event, each kept once for all rules; and what joins them.

use std::collections::HashMap;

use crate::{
    arena::{Arena, Field, Kind},
    civil::Civil,
    modifier::{FieldTest, Test, TimePart, Tree},
    number::{Num, Op},
    pcre,
    value::Part,
};

/// A field of some rule.
pub(crate) type FieldId = u32;
/// A predicate.
pub(crate) type PredicateId = u32;

/// A test of a field, or of every value of the event.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    pub field: Option<FieldId>,
    pub test: Test,
    /// What looks for the literal of `*literal*`
    pub finder: Option<Box<memchr::memmem::Finder<'static>>>,
    /// The compiled regular expression
    pub regex: Option<regex::Regex>,
    /// The other field of a comparison between fields
    pub other: Option<FieldId>,
}

/// Predicates joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Logic {
    Test(PredicateId),
    Not(Box<Logic>),
    And(Vec<Logic>),
    Or(Vec<Logic>),
}

impl Logic {
    pub fn visit(&self, each: &mut impl FnMut(PredicateId)) {
        match self {
            Logic::Test(id) => each(*id),
            Logic::Not(inner) => inner.visit(each),
            Logic::And(parts) | Logic::Or(parts) => parts.iter().for_each(|part| part.visit(each)),
        }
    }

    /// Whether it holds, asking `test` for each predicate that matters.
    pub fn holds(&self, test: &mut impl FnMut(PredicateId) -> bool) -> bool {
        match self {
            Logic::Test(id) => test(*id),
            Logic::Not(inner) => !inner.holds(test),
            Logic::And(parts) => parts.iter().all(|part| part.holds(test)),
            Logic::Or(parts) => parts.iter().any(|part| part.holds(test)),
        }
    }
}

/// All predicates and field names of a rule set.
#[derive(Default)]
pub(crate) struct Pool {
    pub predicates: Vec<Predicate>,
    pub fields: Vec<String>,
    by_test: HashMap<(Option<FieldId>, Test), PredicateId>,
    by_name: HashMap<String, FieldId>,
}

impl Pool {
    pub fn field(&mut self, name: &str) -> FieldId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = self.fields.len() as FieldId;
        self.fields.push(name.to_owned());
        self.by_name.insert(name.to_owned(), id);
        id
    }

    pub fn logic(&mut self, tree: &Tree, regex_bytes: usize) -> Logic {
        match tree {
            Tree::Test(field, test) => {
                let field = field.as_ref().map(|name| self.field(name));
                Logic::Test(self.predicate(field, test, regex_bytes))
            }
            Tree::Not(inner) => Logic::Not(Box::new(self.logic(inner, regex_bytes))),
            Tree::And(parts) => {
                Logic::And(parts.iter().map(|p| self.logic(p, regex_bytes)).collect())
            }
            Tree::Or(parts) => {
                Logic::Or(parts.iter().map(|p| self.logic(p, regex_bytes)).collect())
            }
        }
    }

    fn predicate(
        &mut self,
        field: Option<FieldId>,
        test: &Test,
        regex_bytes: usize,
    ) -> PredicateId {
        let key = (field, test.clone());
        if let Some(id) = self.by_test.get(&key) {
            return *id;
        }
        let other = match test {
            Test::Field(of) => Some(self.field(&of.other)),
            _ => None,
        };
        // It compiled when the rule was read, with the same limit.
        let regex = match test {
            Test::Regex(source) => pcre::compile(source, regex_bytes).ok(),
            _ => None,
        };
        let finder = match test {
            Test::Text(pattern) => match &pattern.parts[..] {
                [Part::Many, Part::Lit(lit), Part::Many] => {
                    Some(Box::new(memchr::memmem::Finder::new(lit).into_owned()))
                }
                _ => None,
            },
            _ => None,
        };
        let id = self.predicates.len() as PredicateId;
        self.predicates.push(Predicate { field, test: test.clone(), finder, regex, other });
        self.by_test.insert(key, id);
        id
    }
}

/// Where a predicate was met: the field, and bytes of its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub field: usize,
    pub span: Span,
}

impl Predicate {
    /// Asks one value; the span is in the folded value where `folded`, else in the raw one.
    pub fn value(&self, arena: &Arena, field: &Field) -> Option<Span> {
        if !matches!(field.kind, Kind::Value | Kind::Void) {
            return None;
        }
        let all = |text: &str| Span { from: 0, to: text.len(), folded: false };
        match &self.test {
            Test::Text(pattern) => {
                let text =
                    if pattern.cased { arena.raw(field).as_bytes() } else { arena.folded(field) };
                let found = match &self.finder {
                    Some(finder) => finder.find(text).map(|at| (at, at + finder.needle().len())),
                    None => pattern.find(text),
                };
                found.map(|(from, to)| Span { from, to, folded: !pattern.cased })
            }
            Test::Number(number) => {
                let text = arena.raw(field);
                (Num::parse(text)? == *number).then(|| all(text))
            }
            Test::Regex(_) => {
                let found = self.regex.as_ref()?.find(arena.raw(field))?;
                Some(Span { from: found.start(), to: found.end(), folded: false })
            }
            Test::Cidr(net) => {
                let text = arena.raw(field);
                net.holds(text).then(|| all(text))
            }
            Test::Compare(op, number) => {
                let text = arena.raw(field);
                op.holds(Num::parse(text)?.compare(*number)).then(|| all(text))
            }
            Test::Time(part, op, number) => {
                let text = arena.raw(field);
                time(*part, *op, *number, text).then(|| all(text))
            }
            Test::Null | Test::Exists | Test::Field(_) => None,
        }
    }

    /// Asks the event. `named` gives the places of a field's values.
    pub fn event<I: Iterator<Item = usize>>(
        &self,
        arena: &Arena,
        mut named: impl FnMut(FieldId) -> I,
    ) -> Option<Spot> {
        let whole = |at: usize| {
            let to = arena.raw(&arena.all()[at]).len();
            Spot { field: at, span: Span { from: 0, to, folded: false } }
        };
        let nowhere = Spot { field: usize::MAX, span: Span { from: 0, to: 0, folded: false } };
        let fields = arena.all();
        match (self.field, &self.test) {
            (None, _) => (0..fields.len())
                .filter(|at| !fields[*at].alias)
                .find_map(|at| self.value(arena, &fields[at]).map(|span| Spot { field: at, span })),
            (Some(field), Test::Null) => {
                let mut found = nowhere;
                for at in named(field) {
                    match fields[at].kind {
                        Kind::Null | Kind::Void => found = whole(at),
                        Kind::Value | Kind::Inner => return None,
                    }
                }
                Some(found)
            }
            (Some(field), Test::Exists) => named(field).next().map(whole),
            (Some(field), Test::Field(of)) => {
                let others: Vec<usize> = named(self.other?).collect();
                named(field)
                    .find(|at| others.iter().any(|o| of.holds(arena, &fields[*at], &fields[*o])))
                    .map(whole)
            }
            (Some(field), _) => named(field)
                .find_map(|at| self.value(arena, &fields[at]).map(|span| Spot { field: at, span })),
        }
    }
}

/// Bytes of a value that met a test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    from: usize,
    to: usize,
    folded: bool,
}

impl Span {
    /// The same in the raw value.
    pub fn in_raw(self, raw: &str) -> (usize, usize) {
        let place = |at| if self.folded { crate::fold::raw_place(raw, at) } else { at };
        (place(self.from), place(self.to))
    }
}

impl FieldTest {
    fn holds(&self, arena: &Arena, field: &Field, other: &Field) -> bool {
        let has = |f: &Field| matches!(f.kind, Kind::Value | Kind::Void);
        if !has(field) || !has(other) {
            return false;
        }
        let (text, part) = match self.cased {
            true => (arena.raw(field).as_bytes(), arena.raw(other).as_bytes()),
            false => (arena.folded(field), arena.folded(other)),
        };
        match (self.starts, self.ends) {
            (false, false) => text == part,
            (true, false) => text.starts_with(part),
            (false, true) => text.ends_with(part),
            (true, true) => memchr::memmem::find(text, part).is_some(),
        }
    }
}

fn time(part: TimePart, op: Op, number: i64, text: &str) -> bool {
    let Some(civil) = Civil::parse(text) else { return false };
    let value = match part {
        TimePart::Minute => civil.minute,
        TimePart::Hour => civil.hour,
        TimePart::Day => civil.day,
        TimePart::Week => civil.week(),
        TimePart::Month => civil.month,
        TimePart::Year => civil.year,
    };
    op.holds(value.cmp(&number))
}

impl Test {
    /// The test as a rule would write it, for people.
    pub fn shown(&self) -> String {
        match self {
            Test::Text(pattern) => {
                let mut text = String::new();
                for part in &pattern.parts {
                    match part {
                        Part::Lit(lit) => text.push_str(&String::from_utf8_lossy(lit)),
                        Part::One => text.push('?'),
                        Part::Many => text.push('*'),
                        Part::Dash => text.push_str("[-/–—―]"),
                        Part::Placeholder(name) => text.push_str(&format!("%{name}%")),
                    }
                }
                if pattern.cased { format!("cased {text:?}") } else { format!("{text:?}") }
            }
            Test::Number(number) => shown_number(*number),
            Test::Null => "null".to_owned(),
            Test::Exists => "exists".to_owned(),
            Test::Regex(source) => format!("re {source}"),
            Test::Cidr(net) => format!("cidr {net:?}"),
            Test::Compare(op, number) => format!("{} {}", op.word(), shown_number(*number)),
            Test::Time(part, op, number) => format!("{} {} {number}", part.word(), op.word()),
            Test::Field(of) => match (of.starts, of.ends) {
                (false, false) => format!("equal to field {}", of.other),
                (true, false) => format!("starts with field {}", of.other),
                (false, true) => format!("ends with field {}", of.other),
                (true, true) => format!("contains field {}", of.other),
            },
        }
    }
}

fn shown_number(number: Num) -> String {
    match number {
        Num::Int(i) => i.to_string(),
        Num::Float(bits) => f64::from_bits(bits).to_string(),
    }
}
