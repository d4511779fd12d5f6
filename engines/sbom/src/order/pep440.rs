//! Python: PEP 440, and below all of it what `setuptools` once took, by the old rule.

use super::number::{Number, is_digits, run};

/// Legacy versions are below all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Legacy(Box<[String]>),
    Version(Box<Version>),
}

/// The fields in the order in which they are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Version {
    epoch: Number,
    release: Vec<Number>,
    pre: Pre,
    post: Option<Number>,
    dev: Dev,
    local: Vec<Local>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Pre {
    /// A development release of the final version: below its pre-releases.
    OnlyDev,
    Alpha(Number),
    Beta(Number),
    Candidate(Number),
    Final,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Dev {
    At(Number),
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Local {
    Word(String),
    Number(Number),
}

pub(super) fn key(text: &str) -> Result<Key, &'static str> {
    let text = text.trim().to_ascii_lowercase();
    match version(&text) {
        Some(version) => Ok(Key::Version(Box::new(version))),
        None if text.is_empty() || text.bytes().any(|b| b.is_ascii_whitespace()) => {
            Err("it is empty or holds white space")
        }
        None => Ok(Key::Legacy(legacy(&text))),
    }
}

fn version(text: &str) -> Option<Version> {
    let (text, local) = text.split_once('+').map_or((text, None), |(t, l)| (t, Some(l)));
    let text = text.strip_prefix('v').unwrap_or(text);
    let (epoch, text) = match text.split_once('!') {
        Some((epoch, rest)) => (Number::whole(epoch)?, rest),
        None => (Number::ZERO, text),
    };
    let (release, rest) = release(text)?;
    let (pre, rest) = pre(rest);
    let (post, rest) = post(rest);
    let (dev, rest) = dev(rest);
    if !rest.is_empty() {
        return None;
    }
    let pre = match pre {
        None if post.is_none() && dev.is_some() => Pre::OnlyDev,
        None => Pre::Final,
        Some(pre) => pre,
    };
    let local = local.map_or(Some(Vec::new()), |l| l.split(['-', '_', '.']).map(word).collect())?;
    Some(Version { epoch, release, pre, post, dev: dev.map_or(Dev::Done, Dev::At), local })
}

/// The numbers without the zeros at the end, which say nothing.
fn release(text: &str) -> Option<(Vec<Number>, &str)> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let (digits, after) = run(rest, |b| b.is_ascii_digit());
        if digits.is_empty() {
            return None;
        }
        numbers.push(Number::of(digits));
        rest = after;
        match after.strip_prefix('.') {
            Some(more) if more.starts_with(|c: char| c.is_ascii_digit()) => rest = more,
            _ => break,
        }
    }
    while numbers.last().is_some_and(Number::is_zero) {
        numbers.pop();
    }
    Some((numbers, rest))
}

fn pre(text: &str) -> (Option<Pre>, &str) {
    // Longer words first: each begins with a shorter one.
    const WORDS: [&str; 8] = ["alpha", "a", "beta", "b", "preview", "pre", "c", "rc"];
    let Some((word, number, rest)) = tagged(text, &WORDS) else { return (None, text) };
    let make = match word.as_bytes()[0] {
        b'a' => Pre::Alpha,
        b'b' => Pre::Beta,
        _ => Pre::Candidate,
    };
    (Some(make(number)), rest)
}

fn post(text: &str) -> (Option<Number>, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        let (digits, after) = run(rest, |b| b.is_ascii_digit());
        if !digits.is_empty() {
            return (Some(Number::of(digits)), after);
        }
    }
    tagged(text, &["post", "rev", "r"]).map_or((None, text), |(_, n, rest)| (Some(n), rest))
}

fn dev(text: &str) -> (Option<Number>, &str) {
    tagged(text, &["dev"]).map_or((None, text), |(_, n, rest)| (Some(n), rest))
}

/// A separator, one of the words, a separator, a number; all but the word may be missing.
fn tagged<'a, 'b>(text: &'a str, words: &[&'b str]) -> Option<(&'b str, Number, &'a str)> {
    const SEPARATORS: [char; 3] = ['-', '_', '.'];
    let rest = text.strip_prefix(SEPARATORS).unwrap_or(text);
    let word = words.iter().find(|w| rest.starts_with(**w))?;
    let rest = &rest[word.len()..];
    // The separator may stand there without a number.
    let (digits, rest) = run(rest.strip_prefix(SEPARATORS).unwrap_or(rest), |b| b.is_ascii_digit());
    Some((word, Number::of(digits), rest))
}

fn word(text: &str) -> Option<Local> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then(|| Number::whole(text).map_or_else(|| Local::Word(text.to_owned()), Local::Number))
}

/// The parts by which old versions were compared: numbers filled to eight digits, words behind a star.
fn legacy(text: &str) -> Box<[String]> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let (part, after) = match first {
            b'.' | b'-' => rest.split_at(1),
            b'0'..=b'9' => run(rest, |b| b.is_ascii_digit()),
            b'a'..=b'z' => run(rest, |b| b.is_ascii_lowercase()),
            _ => run(rest, |b| {
                !b.is_ascii_digit() && !b.is_ascii_lowercase() && b != b'.' && b != b'-'
            }),
        };
        rest = after;
        let part = match part {
            "." => continue,
            "pre" | "preview" | "rc" => "c",
            "-" => "final-",
            "dev" => "@",
            part => part,
        };
        if is_digits(part) {
            parts.push(format!("{part:0>8}"));
        } else {
            push_word(format!("*{part}"), &mut parts);
        }
    }
    push_word("*final".to_owned(), &mut parts);
    parts.into()
}

/// A word below "final" takes dashes and zeros in front of it away.
fn push_word(word: String, parts: &mut Vec<String>) {
    if word.as_str() < "*final" {
        while parts.last().is_some_and(|p| p == "*final-") {
            parts.pop();
        }
    }
    while parts.last().is_some_and(|p| p == "00000000") {
        parts.pop();
    }
    parts.push(word);
}
