//! Composer: versions are brought to four numbers and a stability, then compared as PHP's `version_compare`
//! does. Branches (`dev-name`) are below all of them and say nothing about each other.

use super::number::run;

/// What stands at a place, in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    Dev,
    Alpha,
    Beta,
    Candidate,
    End,
    /// PHP reads numbers as signed 64 bits and stops at the biggest.
    Number(i64),
    Patch,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Branch(String),
    Version(Vec<Part>),
}

const WORDS: [&str; 9] = ["stable", "beta", "b", "rc", "alpha", "a", "patch", "pl", "p"];
const STABILITIES: [&str; 5] = ["@stable", "@rc", "@beta", "@alpha", "@dev"];
const SEPARATORS: [char; 3] = ['.', '_', '-'];
/// What a missing number of a numbered branch (`2.x-dev`) stands for.
const BRANCH_TOP: i64 = 9_999_999;

pub(super) fn key(text: &str) -> Result<Key, &'static str> {
    let text = text.trim().to_ascii_lowercase();
    let text = aliased(&text);
    let text = STABILITIES.iter().find_map(|s| text.strip_suffix(s)).unwrap_or(text);
    if matches!(text, "master" | "trunk" | "default") {
        return Ok(Key::Branch(text.to_owned()));
    }
    if let Some(branch) = text.strip_prefix("dev-") {
        return Ok(Key::Branch(branch.to_owned()));
    }
    let text = match text.split_once('+') {
        Some((front, build)) if !front.is_empty() && !build.is_empty() => front,
        _ => text,
    };
    if text.contains(|c: char| c.is_whitespace() || c == ',') {
        return Err("it holds white space or a comma");
    }
    classical(text)
        .or_else(|| dated(text))
        .or_else(|| branch(text))
        .map(Key::Version)
        .ok_or("it is neither numbers with a stability, nor a date, nor a branch")
}

/// `1.0 as 2.0`: the first counts.
fn aliased(text: &str) -> &str {
    match text.split_once(" as ") {
        Some((version, alias)) if !version.contains(',') && !alias.trim().contains([' ', ',']) => {
            version.trim()
        }
        _ => text,
    }
}

fn classical(text: &str) -> Option<Vec<Part>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (first, mut rest) = run(text, |b| b.is_ascii_digit());
    if first.is_empty() || first.len() > 5 {
        return None;
    }
    let mut parts = vec![number(first)];
    while parts.len() < 4 {
        let Some((digits, after)) = rest.strip_prefix('.').map(|r| run(r, |b| b.is_ascii_digit()))
        else {
            break;
        };
        if digits.is_empty() {
            break;
        }
        parts.push(number(digits));
        rest = after;
    }
    parts.resize(4, Part::Number(0));
    modified(parts, rest)
}

/// A year, pairs of digits, at most three digits more.
fn dated(text: &str) -> Option<Vec<Part>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let year = text.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()))?;
    // How far pairs reach; later choices are given up first.
    let mut ends = Vec::new();
    let mut end = year.len();
    while ends.len() < 6 {
        let Some(next) = digits_after(text, end, 2) else { break };
        ends.push(next);
        end = next;
    }
    for end in ends.into_iter().rev() {
        let tails = [3, 2, 1].iter().filter_map(|n| digits_after(text, end, *n)).chain([end]);
        for stop in tails {
            let numbers = text[..stop].split(['.', ':', '-']).map(number).collect();
            if let Some(parts) = modified(numbers, &text[stop..]) {
                return Some(parts);
            }
        }
    }
    None
}

/// Where `count` digits end that begin at `from`, a separator in front of them allowed.
fn digits_after(text: &str, from: usize, count: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let skip = usize::from(rest.starts_with(['.', ':', '-']));
    let digits = rest.get(skip..skip + count)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(from + skip + count)
}

/// `2.x-dev`: a branch of numbers stands above all of them.
fn branch(text: &str) -> Option<Vec<Part>> {
    let name = text.strip_suffix("dev")?;
    let name = name.strip_suffix(['.', '-']).unwrap_or(name);
    let name = name.strip_prefix('v').unwrap_or(name);
    let mut parts = Vec::new();
    for part in name.split('.') {
        match part {
            "x" | "*" if !parts.is_empty() => parts.push(Part::Number(BRANCH_TOP)),
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                parts.push(number(digits));
            }
            _ => return None,
        }
    }
    if parts.len() > 4 {
        return None;
    }
    parts.resize(4, Part::Number(BRANCH_TOP));
    parts.extend([Part::Dev, Part::End]);
    Some(parts)
}

/// Adds the stability that follows the numbers; nothing if it is none.
fn modified(mut parts: Vec<Part>, rest: &str) -> Option<Vec<Part>> {
    let without = rest.strip_prefix(SEPARATORS);
    let (word, digits, dev) = without.into_iter().chain([rest]).find_map(stability)?;
    let stable = word == Some("stable");
    let part = match word.map(|w| w.as_bytes()[0]) {
        Some(b'a') => Some(Part::Alpha),
        Some(b'b') => Some(Part::Beta),
        Some(b'r') => Some(Part::Candidate),
        Some(b'p') => Some(Part::Patch),
        _ => None,
    };
    if let Some(part) = part {
        parts.push(part);
        parts.extend(digits.split(['.', '-']).filter(|d| !d.is_empty()).map(number));
    }
    // A version that says it is stable is no development version, whatever follows.
    if dev && !stable {
        parts.push(Part::Dev);
    }
    parts.push(Part::End);
    Some(parts)
}

type Stability<'a> = (Option<&'static str>, &'a str, bool);

fn stability(text: &str) -> Option<Stability<'_>> {
    let words = WORDS.iter().filter(|w| text.starts_with(**w)).map(|w| Some(*w));
    for word in words.chain([None]) {
        let rest = &text[word.map_or(0, str::len)..];
        let length = if word.is_some() { numbers_length(rest) } else { 0 };
        let (digits, rest) = rest.split_at(length);
        match rest {
            "" => return Some((word, digits, false)),
            "dev" | ".dev" | "-dev" => return Some((word, digits, true)),
            _ => {}
        }
    }
    None
}

/// How long the numbers are that follow a word, each with a separator in front if it likes.
fn numbers_length(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        let skip = usize::from(rest.starts_with(['.', '-']));
        let digits = run(&rest[skip..], |b| b.is_ascii_digit()).0.len();
        if digits == 0 {
            return end;
        }
        end += skip + digits;
    }
}

fn number(digits: &str) -> Part {
    Part::Number(digits.parse().unwrap_or(i64::MAX))
}
