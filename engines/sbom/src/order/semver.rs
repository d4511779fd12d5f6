//! Semantic Versioning 2.0.0, section 11, in the dialects of those who use it. Build metadata has no weight.

use super::number::{Number, is_digits};

/// A pre-release identifier: numbers are below words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Identifier {
    Number(Number),
    Word(Box<str>),
}

/// Identifiers of the pre-release; what has none is released, and above.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Pre {
    Before(Box<[Identifier]>),
    Released,
}

/// Major, minor, patch, pre-release.
pub(super) type Key = ([Number; 3], Pre);

/// What a dialect allows beside the specification.
pub(super) struct Dialect {
    /// A `v` in front.
    pub v: bool,
    /// One or two numbers instead of three, without more behind them.
    pub short: bool,
    /// The biggest number; numbers beyond it are refused.
    pub number_max: Option<u64>,
    /// Zeros in front of numbers.
    pub zeros: bool,
}

/// node-semver: a `v` in front; numbers that JavaScript can hold.
pub(super) const NPM: Dialect =
    Dialect { v: true, short: false, number_max: Some((1 << 53) - 1), zeros: false };
/// The specification, with numbers of 64 bits.
pub(super) const CARGO: Dialect =
    Dialect { v: false, short: false, number_max: Some(u64::MAX), zeros: false };
/// golang.org/x/mod/semver; advisories leave the `v` out.
pub(super) const GO: Dialect = Dialect { v: true, short: true, number_max: None, zeros: false };
/// Elixir's `Version`.
pub(super) const HEX: Dialect = Dialect { v: false, short: false, number_max: None, zeros: false };
/// What OSV calls SEMVER where no language has its own rules.
pub(super) const LOOSE: Dialect = Dialect { v: true, short: true, number_max: None, zeros: true };

pub(super) fn key(text: &str, dialect: &Dialect) -> Result<Key, &'static str> {
    let text = if dialect.v { text.trim().strip_prefix('v').unwrap_or(text.trim()) } else { text };
    let (text, build) = text.split_once('+').map_or((text, None), |(t, b)| (t, Some(b)));
    if build.is_some_and(|b| !b.split('.').all(is_word)) {
        return Err("the build metadata is not words of letters, digits and dashes");
    }
    let (core, pre) = text.split_once('-').map_or((text, None), |(c, p)| (c, Some(p)));
    let mut numbers = [const { Number::ZERO }; 3];
    let mut count = 0;
    for part in core.split('.') {
        let slot = numbers.get_mut(count).ok_or("it has more than three numbers")?;
        *slot = number(part, dialect)?;
        count += 1;
    }
    if count < 3 && (!dialect.short || pre.is_some() || build.is_some()) {
        return Err("it has fewer than three numbers");
    }
    let pre = match pre {
        None => Pre::Released,
        Some(pre) => {
            Pre::Before(pre.split('.').map(|p| identifier(p, dialect)).collect::<Result<_, _>>()?)
        }
    };
    Ok((numbers, pre))
}

fn number(text: &str, dialect: &Dialect) -> Result<Number, &'static str> {
    let number = Number::whole(text).ok_or("a part of it is no number")?;
    if !dialect.zeros && text.len() > 1 && text.starts_with('0') {
        return Err("a number begins with a zero");
    }
    match dialect.number_max {
        Some(max) if number > Number::Small(max) => Err("a number is too big"),
        _ => Ok(number),
    }
}

fn identifier(text: &str, dialect: &Dialect) -> Result<Identifier, &'static str> {
    if !is_word(text) {
        return Err("the pre-release is not words of letters, digits and dashes");
    }
    if is_digits(text) {
        if !dialect.zeros && text.len() > 1 && text.starts_with('0') {
            return Err("a number of the pre-release begins with a zero");
        }
        return Ok(Identifier::Number(Number::of(text)));
    }
    Ok(Identifier::Word(text.into()))
}

pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Dart: build metadata counts, and what has some is above what has none.
pub(super) mod dart {
    use super::{Dialect, Identifier, Key, LOOSE, identifier, is_word, key as semver};

    const DIALECT: Dialect = Dialect { short: false, ..LOOSE };

    pub(in super::super) fn key(text: &str) -> Result<(Key, Box<[Identifier]>), &'static str> {
        let parts = semver(text, &DIALECT)?;
        let build = text.split_once('+').map_or("", |(_, build)| build);
        let words = build.split('.').filter(|w| is_word(w));
        Ok((parts, words.map(|w| identifier(w, &DIALECT)).collect::<Result<_, _>>()?))
    }
}
