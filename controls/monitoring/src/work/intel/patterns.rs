//! STIX patterns of a set, as they are looked for: each test of one observation by the values without which it cannot
//! hold, so that an event that shows none of them costs one look at each of its values. Pure.
//!
//! Invariants: a test that is left asleep by an event does not hold in it; what cannot be looked for at all is refused with
//! its reason and never passed over in silence.
//!
//! Limits: [`TESTS_MAX`] tests over all patterns, [`OPEN_TESTS_MAX`] of them without a value to look for,
//! [`KEPT_MAX`] observations that one pattern may ask for.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use indicators::{
    Kind,
    pattern::{
        self, Budget, Comparison, Expression, Literal, Observation, Observed, Operator, Outcome,
        Pattern, Plan, Step,
    },
};
use intel::{Language, PatternLine};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use stream::Event;

use super::facts;

const TESTS_MAX: usize = 50_000;
/// Tests without a value to look for are held against every event, so there are few.
const OPEN_TESTS_MAX: usize = 1_000;
/// Observations that a pattern keeps at once.
pub const KEPT_MAX: usize = 500;
/// Steps that one test of one event may take.
const TEST_STEPS: u64 = 100_000;

/// A pattern that is looked for.
#[derive(Debug)]
pub struct Compiled {
    pub line: PatternLine,
    pub pattern: Pattern,
    /// SHA-256 over id and text: what windows are known by.
    pub print: String,
    /// Whether it asks for several observations, so that some have to be kept.
    pub is_over_time: bool,
    /// Microseconds that all of them lie within, if the pattern says so.
    pub within: Option<i64>,
}

/// One `[…]` of a pattern.
#[derive(Debug)]
struct Test {
    of: u32,
    pattern: Pattern,
}

/// All patterns of a set.
#[derive(Debug, Default)]
pub struct Patterns {
    pub all: Vec<Compiled>,
    /// Id of each that is not looked for, and why.
    pub refused: Vec<(String, String)>,
    tests: Vec<Test>,
    /// Tests that one of these texts wakes.
    by_text: HashMap<Box<str>, Vec<u32>>,
    /// Tests that an address in these networks wakes.
    by_net: Vec<(ipnet::IpNet, u32)>,
    /// Tests that every event wakes.
    open: Vec<u32>,
}

/// An event as an observation.
#[derive(Clone, Debug)]
pub struct Seen {
    pub objects: Arc<Vec<Json>>,
    pub time: i64,
}

impl Seen {
    pub fn of(event: &Event, time: i64) -> Seen {
        Seen { objects: Arc::new(facts::objects(event)), time }
    }

    pub fn observation(&self) -> Observation<'_> {
        let observed = Observed { id: "", first: self.time, last: self.time, number: 1 };
        Observation::new(observed, self.objects.iter().collect())
    }
}

impl Patterns {
    pub fn new(lines: &[PatternLine]) -> Patterns {
        let mut patterns = Patterns::default();
        for line in lines.iter().filter(|line| line.language == Language::Stix) {
            if let Err(why) = patterns.add(line) {
                patterns.refused.push((line.id.clone(), why));
            }
        }
        patterns
    }

    fn add(&mut self, line: &PatternLine) -> Result<(), String> {
        let mut parsed = pattern::parse(&line.pattern).map_err(|error| error.to_string())?;
        settle(&mut parsed.root);
        if observations(&parsed.root) > KEPT_MAX as u64 {
            return Err(format!("it asks for more than {KEPT_MAX} observations"));
        }
        let mut tests = Vec::new();
        tests_of(&parsed.root, &mut tests);
        if self.tests.len() + tests.len() > TESTS_MAX {
            return Err(format!("more than {TESTS_MAX} tests in all patterns"));
        }
        let open = tests.iter().filter(|test| matches!(pattern::plan(test), Plan::Types(_)));
        if self.open.len() + open.count() > OPEN_TESTS_MAX {
            return Err(format!("more than {OPEN_TESTS_MAX} tests name no value to look for"));
        }
        let of = self.all.len() as u32;
        let within = match &parsed.root {
            Expression::Within(_, micros) => Some(*micros),
            _ => None,
        };
        let hash = Sha256::digest(format!("{}\n{}", line.id, line.pattern));
        self.all.push(Compiled {
            line: line.clone(),
            print: hex::encode(&hash[..16]),
            is_over_time: !is_of_one(&parsed.root),
            within,
            pattern: parsed,
        });
        for test in tests {
            self.index(of, test);
        }
        Ok(())
    }

    fn index(&mut self, of: u32, test: Pattern) {
        let number = self.tests.len() as u32;
        match pattern::plan(&test) {
            Plan::Values(triggers) | Plan::Triggers(triggers) => {
                for trigger in triggers {
                    let net = trigger.value.parse::<ipnet::IpNet>().ok();
                    match net.filter(|_| trigger.kind == Kind::Cidr) {
                        Some(net) => self.by_net.push((net, number)),
                        None => {
                            let waking = self.by_text.entry(trigger.value.into()).or_default();
                            waking.push(number);
                        }
                    }
                }
            }
            Plan::Types(_) => self.open.push(number),
        }
        self.tests.push(Test { of, pattern: test });
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Tests that the event may meet, each once.
    fn woken(&self, event: &Event) -> Vec<u32> {
        let mut woken = self.open.clone();
        facts::texts(event, |text| {
            if let Some(tests) = self.by_text.get(text) {
                woken.extend(tests);
            }
            if !self.by_net.is_empty()
                && let Ok(ip) = text.parse::<IpAddr>()
            {
                let around = self.by_net.iter().filter(|(net, _)| net.contains(&ip));
                woken.extend(around.map(|(_, test)| *test));
            }
        });
        woken.sort_unstable();
        woken.dedup();
        woken
    }

    /// Which patterns have a test that the event meets at that time, each once; second, those of which nobody can say.
    pub fn touched(&self, event: &Event, time: i64) -> Touched {
        let mut touched = Touched::default();
        if self.all.is_empty() {
            return touched;
        }
        let woken = self.woken(event);
        let mut seen = None;
        for test in woken {
            let Test { of, pattern } = &self.tests[test as usize];
            if touched.met.last() == Some(of) || !self.all[*of as usize].line.holds(time) {
                continue;
            }
            let seen = seen.get_or_insert_with(|| Seen::of(event, time));
            let budget = Budget { steps: TEST_STEPS };
            match pattern::eval(pattern, &[seen.observation()], budget) {
                Outcome::True(_) => touched.met.push(*of),
                Outcome::Undecided => touched.undecided.push(*of),
                Outcome::False => {}
            }
        }
        touched.seen = seen;
        touched
    }
}

/// What an event means to patterns: their places, in order.
#[derive(Default)]
pub struct Touched {
    pub met: Vec<u32>,
    pub undecided: Vec<u32>,
    pub seen: Option<Seen>,
}

/// Whether one observation decides it.
fn is_of_one(node: &Expression) -> bool {
    match node {
        Expression::Test(_) => true,
        Expression::Or(parts) => parts.iter().all(is_of_one),
        Expression::Within(inner, _) | Expression::StartStop(inner, ..) => is_of_one(inner),
        Expression::Repeats(inner, times) => *times == 1 && is_of_one(inner),
        Expression::And(_) | Expression::FollowedBy(_) => false,
    }
}

/// Observations that the pattern asks for at least.
fn observations(node: &Expression) -> u64 {
    match node {
        Expression::Test(_) => 1,
        Expression::Or(parts) => parts.iter().map(observations).min().unwrap_or(0),
        Expression::And(parts) | Expression::FollowedBy(parts) => {
            parts.iter().map(observations).fold(0, u64::saturating_add)
        }
        Expression::Within(inner, _) | Expression::StartStop(inner, ..) => observations(inner),
        Expression::Repeats(inner, times) => observations(inner).saturating_mul((*times).into()),
    }
}

/// Each `[…]` as a pattern of its own; what limits the time around it stays with the whole.
fn tests_of(node: &Expression, out: &mut Vec<Pattern>) {
    match node {
        Expression::Test(inner) => out.push(Pattern { root: Expression::Test(inner.clone()) }),
        Expression::Or(parts) | Expression::And(parts) | Expression::FollowedBy(parts) => {
            parts.iter().for_each(|part| tests_of(part, out));
        }
        Expression::Within(inner, _)
        | Expression::StartStop(inner, ..)
        | Expression::Repeats(inner, _) => tests_of(inner, out),
    }
}

/// Brings constants into the form in which objects of events hold them.
fn settle(node: &mut Expression) {
    match node {
        Expression::Test(inner) => settle_test(inner),
        Expression::Or(parts) | Expression::And(parts) | Expression::FollowedBy(parts) => {
            parts.iter_mut().for_each(settle);
        }
        Expression::Within(inner, _)
        | Expression::StartStop(inner, ..)
        | Expression::Repeats(inner, _) => settle(inner),
    }
}

fn settle_test(node: &mut Comparison) {
    match node {
        Comparison::And(parts) | Comparison::Or(parts) => parts.iter_mut().for_each(settle_test),
        Comparison::Exists { .. } => {}
        Comparison::Test(test) => {
            let keys: Vec<&str> = test.path.steps.iter().filter_map(key).collect();
            let is_hash = keys.contains(&"hashes");
            let object = test.path.object.as_str();
            let form = move |text: &str| match object {
                _ if is_hash => Some(text.to_ascii_lowercase()),
                "domain-name" => Some(text.trim_end_matches('.').to_ascii_lowercase()),
                "ipv6-addr" => Some(text.parse::<IpAddr>().ok()?.to_string()),
                "windows-registry-key" if keys == ["key"] => Some(facts::whole_key(text).into()),
                _ => None,
            };
            let one = |literal: &mut Literal| {
                if let Literal::Text(text) = literal
                    && let Some(settled) = form(text)
                {
                    *text = settled;
                }
            };
            match &mut test.operator {
                Operator::Equal(literal) | Operator::NotEqual(literal) => one(literal),
                Operator::In(literals) => literals.iter_mut().for_each(one),
                _ => {}
            }
        }
    }
}

fn key(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) | Step::Any => None,
    }
}

/// Types of objects that no event becomes: a pattern on them alone never matches, which has to be said.
pub fn unknown_types(pattern: &Pattern) -> Vec<String> {
    const KNOWN: [&str; 13] = [
        "ipv4-addr",
        "ipv6-addr",
        "domain-name",
        "url",
        "email-addr",
        "network-traffic",
        "file",
        "directory",
        "process",
        "windows-registry-key",
        "email-message",
        "user-account",
        facts::EVENT,
    ];
    let mut tests = Vec::new();
    tests_of(&pattern.root, &mut tests);
    let mut types = Vec::new();
    for test in &tests {
        if let Expression::Test(inner) = &test.root {
            types_in(inner, &mut types);
        }
    }
    types.retain(|ty| !KNOWN.contains(&ty.as_str()));
    types.sort();
    types.dedup();
    types
}

fn types_in(node: &Comparison, out: &mut Vec<String>) {
    match node {
        Comparison::And(parts) | Comparison::Or(parts) => {
            parts.iter().for_each(|part| types_in(part, out));
        }
        Comparison::Test(test) => out.push(test.path.object.clone()),
        Comparison::Exists { path, .. } => out.push(path.object.clone()),
    }
}
