//! RPM: `[epoch:]version[-release]`, compared as rpm-version(7) says, with `~` and `^`.
//!
//! A missing epoch is zero. A missing release is below every release, as in rpm itself: advisories that
//! mean "any release" must say so in their own terms.

use super::number::{Number, push_digits, run};

/// Epoch, version, release.
pub(super) type Key = (Number, Box<[u16]>, Option<Box<[u16]>>);

const TILDE: u16 = 0;
const END: u16 = 1;
const CARET: u16 = 2;
const LETTERS: u16 = 3;
const DIGITS: u16 = 4;

pub(super) fn key(text: &str) -> Result<Key, &'static str> {
    let (digits, rest) = run(text, |b| b.is_ascii_digit());
    let (epoch, rest) = match rest.strip_prefix(':') {
        Some(rest) => (Number::of(digits), rest),
        None => (Number::ZERO, text),
    };
    let (version, release) = match rest.rsplit_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (rest, None),
    };
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
        return Err("it holds white space");
    }
    Ok((epoch, words(version), release.map(words)))
}

fn words(text: &str) -> Box<[u16]> {
    let mut out = Vec::with_capacity(text.len() * 2 + 1);
    let mut rest = text;
    loop {
        let separator = |b: u8| !b.is_ascii_alphanumeric() && b != b'~' && b != b'^';
        rest = run(rest, separator).1;
        let Some(first) = rest.bytes().next() else { break };
        rest = match first {
            b'~' => single(TILDE, rest, &mut out),
            b'^' => single(CARET, rest, &mut out),
            b if b.is_ascii_digit() => {
                let (digits, after) = run(rest, |b| b.is_ascii_digit());
                out.push(DIGITS);
                push_digits(digits, &mut out);
                after
            }
            _ => {
                let (letters, after) = run(rest, |b| b.is_ascii_alphabetic());
                out.push(LETTERS);
                out.extend(letters.bytes().map(u16::from));
                out.push(0);
                after
            }
        };
    }
    out.push(END);
    out.into()
}

fn single<'a>(word: u16, rest: &'a str, out: &mut Vec<u16>) -> &'a str {
    out.push(word);
    &rest[1..]
}
