//! RubyGems: numbers and words in turn, words below nothing, zeros at the end of either half without weight.

use std::cmp::Ordering;

use super::number::{Number, run};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Segment {
    Word(String),
    Number(Number),
}

const ZERO: Segment = Segment::Number(Number::ZERO);

pub(super) fn key(text: &str) -> Result<Vec<Segment>, &'static str> {
    let text = text.trim();
    if !text.is_empty() && !well_formed(text) {
        return Err("it is not a number followed by parts of letters and digits");
    }
    let text = text.replace('-', ".pre.");
    let mut segments = Vec::new();
    for part in text.split('.') {
        let mut rest = part;
        while !rest.is_empty() {
            let digit = rest.as_bytes()[0].is_ascii_digit();
            let (piece, after) = run(rest, |b| b.is_ascii_digit() == digit);
            segments.push(match digit {
                true => Segment::Number(Number::of(piece)),
                false => Segment::Word(piece.to_owned()),
            });
            rest = after;
        }
    }
    let words = segments.iter().position(|s| matches!(s, Segment::Word(_)));
    let mut pre = segments.split_off(words.unwrap_or(segments.len()));
    for half in [&mut segments, &mut pre] {
        while half.last() == Some(&ZERO) {
            half.pop();
        }
    }
    segments.append(&mut pre);
    Ok(segments)
}

fn well_formed(text: &str) -> bool {
    let (front, back) = text.split_once('-').map_or((text, None), |(f, b)| (f, Some(b)));
    let plain = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric());
    let dashed =
        |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let first = front.split('.').next().unwrap_or_default();
    Number::whole(first).is_some()
        && front.split('.').all(plain)
        && back.is_none_or(|b| b.split('.').all(dashed))
}

pub(super) fn compare(a: &[Segment], b: &[Segment]) -> Ordering {
    let at = |list: &[Segment], i: usize| list.get(i).cloned().unwrap_or(ZERO);
    let common = a.len().min(b.len());
    match a[..common].cmp(&b[..common]) {
        Ordering::Equal => {}
        order => return order,
    }
    for i in common..a.len().max(b.len()) {
        match at(a, i).cmp(&at(b, i)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    Ordering::Equal
}
