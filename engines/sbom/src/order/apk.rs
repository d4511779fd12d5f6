//! Alpine: `number{.number}{letter}{_suffix{number}}{~hash}{-rN}`, as apk-tools compares it.
//!
//! Where two versions differ in what comes next, the one with a pre-release suffix is smaller, then the one
//! that ends, then the one that is at a later part of the grammar. What older tools took beside the grammar
//! (empty numbers, a number behind the letter) is taken.

use super::number::{push_digits, run};

/// Words whose order is that of the versions.
pub(super) type Key = Box<[u16]>;

const PRE: &[&str] = &["alpha", "beta", "pre", "rc"];
const POST: &[&str] = &["cvs", "svn", "git", "hg", "p"];

// Ranks of what comes next; pre-release suffixes take 0 to 3.
const END: u16 = 10;
const REVISION: u16 = 11;
const HASH: u16 = 12;
const SUFFIX_NUMBER: u16 = 13;
const SUFFIX: u16 = 14;
const LETTER: u16 = 20;
const NUMBER: u16 = 30;

/// Where in the grammar the reader is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Number,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
}

pub(super) fn key(text: &str) -> Result<Key, &'static str> {
    let mut out = Vec::with_capacity(text.len() * 2);
    let (digits, mut rest) = run(text, |b| b.is_ascii_digit());
    if digits.is_empty() {
        return Err("it does not begin with a number");
    }
    push_digits(digits, &mut out);
    let mut at = At::Number;
    while let Some(first) = rest.bytes().next() {
        (at, rest) = match first {
            b'.' if at <= At::Letter => number(&rest[1..], &mut out),
            b'0'..=b'9' if at == At::Letter => number(rest, &mut out),
            b'a'..=b'z' if at == At::Number => {
                out.extend([LETTER, first.into()]);
                (At::Letter, &rest[1..])
            }
            b'_' if at <= At::SuffixNumber => suffix(&rest[1..], &mut out)?,
            b'0'..=b'9' if at == At::Suffix => {
                let (digits, after) = run(rest, |b| b.is_ascii_digit());
                out.push(SUFFIX_NUMBER);
                push_digits(digits, &mut out);
                (At::SuffixNumber, after)
            }
            b'~' if at < At::Hash => hash(&rest[1..], &mut out)?,
            b'-' if at < At::Revision => revision(rest, &mut out)?,
            _ => return Err("it is not number{.number}{letter}{_suffix{number}}{~hash}{-rN}"),
        };
    }
    out.push(END);
    Ok(out.into())
}

/// A number with a leading zero is compared as text, below all that have none.
fn number<'a>(text: &'a str, out: &mut Vec<u16>) -> (At, &'a str) {
    let (digits, after) = run(text, |b| b.is_ascii_digit());
    out.push(NUMBER);
    if digits.is_empty() || digits.starts_with('0') {
        out.push(0);
        out.extend(digits.bytes().map(u16::from));
        out.push(0);
    } else {
        out.push(1);
        push_digits(digits, out);
    }
    (At::Number, after)
}

fn suffix<'a>(text: &'a str, out: &mut Vec<u16>) -> Result<(At, &'a str), &'static str> {
    let (word, after) = run(text, |b| b.is_ascii_lowercase());
    let place = |words: &[&str]| words.iter().position(|w| *w == word);
    match (place(PRE), place(POST)) {
        (Some(pre), _) => out.push(pre as u16),
        (_, Some(post)) => out.extend([SUFFIX, post as u16]),
        _ => return Err("it has a suffix that Alpine does not know"),
    }
    Ok((At::Suffix, after))
}

fn hash<'a>(text: &'a str, out: &mut Vec<u16>) -> Result<(At, &'a str), &'static str> {
    let (hash, after) = run(text, |b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hash.is_empty() {
        return Err("the commit hash is empty");
    }
    out.push(HASH);
    out.extend(hash.bytes().map(u16::from));
    out.push(0);
    Ok((At::Hash, after))
}

fn revision<'a>(text: &'a str, out: &mut Vec<u16>) -> Result<(At, &'a str), &'static str> {
    let rest = text.strip_prefix("-r").ok_or("what follows the dash is no revision -rN")?;
    let (digits, after) = run(rest, |b| b.is_ascii_digit());
    out.push(REVISION);
    push_digits(digits, out);
    Ok((At::Revision, after))
}
