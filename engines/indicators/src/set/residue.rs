//! The few values that are no whole values: substrings and patterns by one automaton a kind,
//! expressions one by one.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;

use super::format::{Damage, record};
use crate::{Kind, Scope, normalise::expression};

/// Bytes of literals that an automaton is built of.
const LITERAL_BYTES_MAX: usize = 8 << 20;
const EXPRESSIONS_MAX: usize = 2_000;

/// What is looked for in values of one kind.
#[derive(Debug)]
pub(super) struct Residue {
    kind: Kind,
    automaton: Option<AhoCorasick>,
    /// By the number of the literal: the whole pattern, if it is one.
    literals: Vec<(Option<String>, u32)>,
    expressions: Vec<(Regex, u32)>,
}

impl Residue {
    /// All residue of a file, by kind.
    pub(super) fn open(body: &[u8], places: &[(Kind, u32)]) -> Result<Vec<Residue>, Damage> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let mine: Vec<u32> =
                places.iter().filter(|(of, _)| of == kind).map(|(_, place)| *place).collect();
            if !mine.is_empty() {
                all.push(Residue::of(*kind, body, &mine)?);
            }
        }
        Ok(all)
    }

    fn of(kind: Kind, body: &[u8], places: &[u32]) -> Result<Residue, Damage> {
        let wrong = Damage::Part { part: "the patterns" };
        let mut residue =
            Residue { kind, automaton: None, literals: Vec::new(), expressions: Vec::new() };
        let mut needles: Vec<String> = Vec::new();
        for place in places {
            let record = record(body, u64::from(*place))?;
            let text = std::str::from_utf8(record.key).map_err(|_| wrong)?;
            match record.scope {
                Scope::Substring => {
                    needles.push(text.to_owned());
                    residue.literals.push((None, *place));
                }
                Scope::Pattern => {
                    needles.push(longest_literal(text).to_owned());
                    residue.literals.push((Some(text.to_owned()), *place));
                }
                Scope::Regex => {
                    residue.expressions.push((expression(text).ok_or(wrong)?, *place));
                }
                _ => return Err(wrong),
            }
        }
        let bytes: usize = needles.iter().map(String::len).sum();
        let empty = needles.iter().any(String::is_empty);
        if empty || bytes > LITERAL_BYTES_MAX || residue.expressions.len() > EXPRESSIONS_MAX {
            return Err(wrong);
        }
        if !needles.is_empty() {
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&needles);
            residue.automaton = Some(automaton.map_err(|_| wrong)?);
        }
        Ok(residue)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Records of what is found in the text, each once.
    pub(super) fn find(
        &self,
        text: &str,
        mut visit: impl FnMut(u32) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let mut seen: Vec<bool> = Vec::new();
        for found in
            self.automaton.iter().flat_map(|automaton| automaton.find_overlapping_iter(text))
        {
            let number = found.pattern().as_usize();
            if seen.is_empty() {
                seen.resize(self.literals.len(), false);
            }
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            let (pattern, place) = &self.literals[number];
            if pattern.as_ref().is_none_or(|pattern| glob(pattern, text)) {
                visit(*place)?;
            }
        }
        for (expression, place) in &self.expressions {
            if expression.is_match(text) {
                visit(*place)?;
            }
        }
        Ok(())
    }
}

fn longest_literal(pattern: &str) -> &str {
    pattern.split(['*', '?']).max_by_key(|literal| literal.len()).unwrap_or("")
}

/// Whether the pattern is the whole text: `*` any run of characters, `?` one. On a mismatch only the
/// last `*` takes one more, so it is the product of the lengths at worst.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => {
                t += width(text[t]);
                p += 1;
                continue;
            }
            Some(byte) if *byte == text[t] => {
                t += 1;
                p += 1;
                continue;
            }
            _ => {}
        }
        let Some((at, taken)) = star else { return false };
        let taken = taken + width(text[taken]);
        star = Some((at, taken));
        (p, t) = (at + 1, taken);
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Bytes of the character that begins so.
fn width(byte: u8) -> usize {
    match byte {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition, without regard to cost.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| plainly(rest, &text[at..])),
            Some((one, rest)) => {
                text.first().is_some_and(|first| *one == '?' || one == first)
                    && plainly(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn a_pattern_is_matched_by_its_definition(pattern in "[ab梅*?]{0,7}", text in "[ab梅]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern, &text), plainly(&chars(&pattern), &chars(&text)));
        }
    }

    #[test]
    fn a_pattern_of_stars_costs_no_more_than_its_length() {
        let text = "a".repeat(60_000);
        assert!(!glob(&"*a".repeat(200), &(text + "b")));
    }
}
