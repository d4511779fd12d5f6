//! What tells, from one pass over an event, which rules it can meet at all.
//!
//! # Invariants
//! - A predicate behind a [`Gate`] is false unless its gate opened: its literal occurs in the folded event, or
//!   its exact value in its field.
//! - A rule is either always tried in its log source, or has witnesses: it can hold only if the gate of at
//!   least one of them opened.

use rustc_hash::FxHashMap;

use crate::{
    fold::folded,
    modifier::Test,
    number::Num,
    pcre,
    predicate::{FieldId, Logic, Predicate, PredicateId},
    profile::{TrafficProfile, gram_slot},
    set::Bits,
    value::{Part, Pattern},
};

/// Bytes of a gram.
pub(crate) const GRAM: usize = 4;
/// The shortest literal that is looked for.
const SHORTEST: usize = 3;
/// 8 KiB for the few literals shorter than a gram by one: homoglyphs, emoji.
const SHORT_BITS: u32 = 16;
/// 64 KiB: some 30,000 grams fill a sixteenth of it. Half of that would fit a core's first cache, but be hit in
/// vain twice as often.
const BITS: u32 = 19;

/// What must have been seen before a predicate can be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Gate {
    /// Nothing is known beforehand
    Open,
    /// A literal of the table
    Literal(u32),
    /// Its value, exactly
    Exact,
}

pub(crate) struct Index {
    /// Of each predicate
    pub gates: Vec<Gate>,
    pub literals: Vec<Box<[u8]>>,
    bitmap: Box<[u64]>,
    /// gram → from and to in `entries`
    grams: FxHashMap<u32, (u32, u32)>,
    entries: Vec<Entry>,
    /// Literals of three bytes: one bit for the hash of each
    short_bitmap: Box<[u64]>,
    /// Those literals by what they are
    short: FxHashMap<u32, u32>,
    /// field and folded text → predicates
    pub texts: FxHashMap<(FieldId, u64), Vec<PredicateId>>,
    pub numbers: FxHashMap<(FieldId, Num), Vec<PredicateId>>,
    /// Of each field: whether exact texts, exact numbers are asked of it
    pub exact: Vec<(bool, bool)>,
    /// Rules a literal is a witness of
    pub of_literal: Vec<Vec<u32>>,
    /// Rules an exact predicate is a witness of
    pub of_exact: FxHashMap<PredicateId, Vec<u32>>,
    /// Rules without witness
    pub always: Vec<u32>,
    /// All rules' conditions, flat
    pub steps: Vec<Step>,
    /// Where each rule begins in `steps`
    pub starts: Vec<u32>,
}

/// A literal behind its gram.
#[derive(Clone, Copy)]
struct Entry {
    literal: u32,
    length: u32,
    /// Where its gram stands in it
    offset: u32,
    /// Where four other bytes of it stand, and these: most of what shares the gram differs there
    other_at: u32,
    other: u32,
}

/// One test and where to go: the flat form of a condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub predicate: PredicateId,
    /// That of the predicate, here so that a closed one costs no other look
    pub gate: Gate,
    pub yes: u32,
    pub no: u32,
}

pub(crate) const MATCH: u32 = u32::MAX;
pub(crate) const FAIL: u32 = u32::MAX - 1;

/// Builds the index of predicates and rules, with what is known of the traffic.
pub(crate) fn build(
    predicates: &[Predicate],
    fields: usize,
    rules: &[&Logic],
    profile: Option<&TrafficProfile>,
) -> Index {
    let builder = Builder::new(predicates, fields);
    let weights = builder.weights(profile);
    let mut index = builder.index;
    for logic in rules {
        let cx = Emitting { gates: &index.gates, weights: &weights };
        let start = emit(logic, MATCH, FAIL, &cx, &mut index.steps);
        index.starts.push(start);
    }
    for (rule, logic) in rules.iter().enumerate() {
        match witnesses(logic, false, &index.gates, &weights) {
            None => index.always.push(rule as u32),
            Some((_, found)) => {
                for predicate in found {
                    let rules = match index.gates[predicate as usize] {
                        Gate::Literal(literal) => &mut index.of_literal[literal as usize],
                        Gate::Exact => index.of_exact.entry(predicate).or_default(),
                        Gate::Open => unreachable!("an open gate is no witness"),
                    };
                    if rules.last() != Some(&(rule as u32)) {
                        rules.push(rule as u32);
                    }
                }
            }
        }
    }
    index.choose_grams(profile);
    index
}

struct Builder {
    index: Index,
    /// How many predicates use a literal
    uses: Vec<u32>,
}

impl Builder {
    fn new(predicates: &[Predicate], fields: usize) -> Builder {
        let mut by_text: FxHashMap<Vec<u8>, u32> = FxHashMap::default();
        let mut index = Index {
            gates: Vec::with_capacity(predicates.len()),
            literals: Vec::new(),
            bitmap: vec![0; 1 << (BITS - 6)].into(),
            grams: FxHashMap::default(),
            entries: Vec::new(),
            short_bitmap: vec![0; 1 << (SHORT_BITS - 6)].into(),
            short: FxHashMap::default(),
            texts: FxHashMap::default(),
            numbers: FxHashMap::default(),
            exact: vec![(false, false); fields],
            of_literal: Vec::new(),
            of_exact: FxHashMap::default(),
            always: Vec::new(),
            steps: Vec::new(),
            starts: Vec::new(),
        };
        let mut uses: Vec<u32> = Vec::new();
        for (id, predicate) in predicates.iter().enumerate() {
            let id = id as PredicateId;
            let gate = match (predicate.field, &predicate.test) {
                (Some(field), Test::Number(number)) => {
                    index.numbers.entry((field, *number)).or_default().push(id);
                    index.exact[field as usize].1 = true;
                    Gate::Exact
                }
                (Some(field), Test::Text(pattern)) if exact(pattern).is_some() => {
                    let text = exact(pattern).unwrap_or_default();
                    index.texts.entry((field, text_hash(&text))).or_default().push(id);
                    index.exact[field as usize].0 = true;
                    Gate::Exact
                }
                (_, test) => match literal(test) {
                    Some(text) => {
                        let literals = &mut index.literals;
                        let at = *by_text.entry(text).or_insert_with_key(|text| {
                            literals.push(text.clone().into());
                            uses.push(0);
                            literals.len() as u32 - 1
                        });
                        uses[at as usize] += 1;
                        Gate::Literal(at)
                    }
                    None => Gate::Open,
                },
            };
            index.gates.push(gate);
        }
        index.of_literal = vec![Vec::new(); index.literals.len()];
        Builder { index, uses }
    }

    /// Of each predicate, how often its gate is thought to open.
    fn weights(&self, profile: Option<&TrafficProfile>) -> Vec<f64> {
        let literal = |at: usize| {
            let text = &self.index.literals[at];
            let guess = match text.len() < GRAM {
                true => 0.2,
                false => f64::from(self.uses[at]) / text.len() as f64 / 100.0,
            };
            match profile {
                Some(profile) if profile.events > 0 => profile.share(text) + guess / 1000.0,
                _ => guess,
            }
        };
        let literals: Vec<f64> = (0..self.index.literals.len()).map(literal).collect();
        let weight = |gate: &Gate| match gate {
            Gate::Literal(at) => literals[*at as usize],
            // A number such as EventID may be in every event of its source.
            Gate::Exact => 0.2,
            Gate::Open => f64::INFINITY,
        };
        self.index.gates.iter().map(weight).collect()
    }
}

/// The folded text an exact pattern asks for.
fn exact(pattern: &Pattern) -> Option<Vec<u8>> {
    match &pattern.parts[..] {
        [] => Some(Vec::new()),
        [Part::Lit(lit)] => Some(fold_bytes(lit)),
        _ => None,
    }
}

/// A folded literal without which the test cannot hold, if it is long enough to be looked for.
fn literal(test: &Test) -> Option<Vec<u8>> {
    let text = match test {
        Test::Text(pattern) => fold_bytes(pattern.longest()),
        Test::Regex(source) => pcre::required(source),
        _ => return None,
    };
    (text.len() >= SHORTEST).then_some(text)
}

fn fold_bytes(bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => folded(text),
        Err(_) => bytes.to_ascii_lowercase(),
    }
}

pub(crate) fn text_hash(text: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(text);
    hasher.finish()
}

/// Predicates of which one must be true for `logic` to be what `negated` asks, and how often that is thought
/// to be; `None` if there are none.
fn witnesses(
    logic: &Logic,
    negated: bool,
    gates: &[Gate],
    weights: &[f64],
) -> Option<(f64, Vec<PredicateId>)> {
    match (logic, negated) {
        (Logic::Test(id), false) if gates[*id as usize] != Gate::Open => {
            Some((weights[*id as usize], vec![*id]))
        }
        (Logic::Test(_), _) => None,
        (Logic::Not(inner), _) => witnesses(inner, !negated, gates, weights),
        (Logic::And(parts), false) | (Logic::Or(parts), true) => parts
            .iter()
            .filter_map(|part| witnesses(part, negated, gates, weights))
            .min_by(|a, b| a.0.total_cmp(&b.0)),
        (Logic::Or(parts), false) | (Logic::And(parts), true) => {
            let mut sum = (0.0, Vec::new());
            for part in parts {
                let (weight, found) = witnesses(part, negated, gates, weights)?;
                sum.0 += weight;
                sum.1.extend(found);
            }
            Some(sum)
        }
    }
}

/// Folded literals of [`GRAM`] bytes or more of which one is in every event for which `logic` is what `negated` asks.
/// Of several answers the one whose shortest literal is the longest.
pub(crate) fn necessary(
    logic: &Logic,
    negated: bool,
    predicates: &[Predicate],
) -> Option<Vec<Vec<u8>>> {
    let shortest = |found: &Vec<Vec<u8>>| found.iter().map(Vec::len).min().unwrap_or(0);
    match (logic, negated) {
        (Logic::Test(id), false) => {
            literal(&predicates[*id as usize].test).filter(|l| l.len() >= GRAM).map(|l| vec![l])
        }
        (Logic::Test(_), true) => None,
        (Logic::Not(inner), _) => necessary(inner, !negated, predicates),
        (Logic::And(parts), false) | (Logic::Or(parts), true) => parts
            .iter()
            .filter_map(|part| necessary(part, negated, predicates))
            .max_by_key(shortest),
        (Logic::Or(parts), false) | (Logic::And(parts), true) => {
            let found: Option<Vec<_>> =
                parts.iter().map(|part| necessary(part, negated, predicates)).collect();
            found.map(|found| found.concat()).filter(|found| !found.is_empty())
        }
    }
}

struct Emitting<'a> {
    gates: &'a [Gate],
    weights: &'a [f64],
}

/// Writes `logic` as steps, last part first, and gives where it begins. Of parts that must all hold the one
/// that seldom does comes first, so that most rules end there.
fn emit(logic: &Logic, yes: u32, no: u32, cx: &Emitting<'_>, steps: &mut Vec<Step>) -> u32 {
    match logic {
        Logic::Test(predicate) => {
            let gate = cx.gates[*predicate as usize];
            steps.push(Step { predicate: *predicate, gate, yes, no });
            steps.len() as u32 - 1
        }
        Logic::Not(inner) => emit(inner, no, yes, cx, steps),
        Logic::And(parts) => {
            let mut parts: Vec<&Logic> = parts.iter().collect();
            parts.sort_by(|a, b| chance(a, cx.weights).total_cmp(&chance(b, cx.weights)));
            parts.into_iter().rev().fold(yes, |yes, part| emit(part, yes, no, cx, steps))
        }
        Logic::Or(parts) => parts.iter().rev().fold(no, |no, part| emit(part, yes, no, cx, steps)),
    }
}

/// How often a part is thought to hold.
fn chance(logic: &Logic, weights: &[f64]) -> f64 {
    match logic {
        Logic::Test(id) => weights[*id as usize].min(1.0),
        Logic::Not(inner) => 2.0 - chance(inner, weights),
        Logic::And(parts) => parts.iter().map(|p| chance(p, weights)).fold(2.0, f64::min),
        Logic::Or(parts) => parts.iter().map(|p| chance(p, weights)).sum::<f64>().min(1.0),
    }
}

fn gram_at(text: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]])
}

fn short_slot(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (32 - SHORT_BITS)) as usize
}

fn slot(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

impl Index {
    /// Each literal registers its rarest gram: by the traffic, else among the literals themselves.
    fn choose_grams(&mut self, profile: Option<&TrafficProfile>) {
        let mut among: FxHashMap<u32, u32> = FxHashMap::default();
        for literal in self.literals.iter().filter(|l| l.len() >= GRAM) {
            for at in 0..=literal.len() - GRAM {
                *among.entry(gram_at(literal, at)).or_default() += 1;
            }
        }
        let cost = |gram: u32| {
            let seen = profile.map_or(0, |p| p.grams[gram_slot(gram)]);
            (seen, among.get(&gram).copied().unwrap_or(0))
        };
        let mut chosen: Vec<(u32, u32, u32)> = Vec::with_capacity(self.literals.len());
        for (id, literal) in self.literals.iter().enumerate() {
            if literal.len() < GRAM {
                let key = u32::from_le_bytes([literal[0], literal[1], literal[2], 0]);
                let slot = short_slot(key);
                self.short_bitmap[slot >> 6] |= 1 << (slot & 63);
                self.short.insert(key, id as u32);
                continue;
            }
            let best = (0..=literal.len() - GRAM)
                .min_by_key(|at| cost(gram_at(literal, *at)))
                .unwrap_or(0);
            chosen.push((gram_at(literal, best), id as u32, best as u32));
        }
        chosen.sort_unstable();
        for (gram, id, at) in chosen {
            let end = self.entries.len() as u32;
            self.grams.entry(gram).or_insert((end, end)).1 += 1;
            let text = &self.literals[id as usize];
            let last = text.len() - GRAM;
            let other_at = if (at as usize) < last.div_ceil(2) { last } else { 0 };
            self.entries.push(Entry {
                literal: id,
                length: text.len() as u32,
                offset: at,
                other_at: other_at as u32,
                other: gram_at(text, other_at),
            });
            let slot = slot(gram);
            self.bitmap[slot >> 6] |= 1 << (slot & 63);
        }
    }

    /// Calls `hit` once for each literal in `text` that is not yet `seen`, and sets it there.
    pub fn scan(&self, text: &[u8], seen: &mut Bits, mut hit: impl FnMut(u32)) {
        for (at, window) in text.windows(GRAM).enumerate() {
            let gram = u32::from_le_bytes([window[0], window[1], window[2], window[3]]);
            let slot = slot(gram);
            if self.bitmap[slot >> 6] >> (slot & 63) & 1 == 1 {
                self.behind(gram, at, text, seen, &mut hit);
            }
            self.short(gram & 0x00ff_ffff, seen, &mut hit);
        }
        if let [.., a, b, c] = text {
            self.short(u32::from_le_bytes([*a, *b, *c, 0]), seen, &mut hit);
        }
    }

    #[inline(always)]
    fn short(&self, key: u32, seen: &mut Bits, hit: &mut impl FnMut(u32)) {
        let slot = short_slot(key);
        if self.short_bitmap[slot >> 6] >> (slot & 63) & 1 == 1
            && let Some(id) = self.short.get(&key)
            && seen.put(*id as usize)
        {
            hit(*id);
        }
    }

    /// The literals behind a gram at a place.
    #[inline(never)]
    fn behind(
        &self,
        gram: u32,
        at: usize,
        text: &[u8],
        seen: &mut Bits,
        hit: &mut impl FnMut(u32),
    ) {
        let Some((from, to)) = self.grams.get(&gram) else { return };
        for entry in &self.entries[*from as usize..*to as usize] {
            let Some(start) = at.checked_sub(entry.offset as usize) else { continue };
            let Some(part) = text.get(start..start + entry.length as usize) else { continue };
            let other = gram_at(part, entry.other_at as usize);
            if other != entry.other || seen.has(entry.literal as usize) {
                continue;
            }
            if *part == *self.literals[entry.literal as usize] {
                seen.set(entry.literal as usize);
                hit(entry.literal);
            }
        }
    }
}
