//! Debian and its children: `[epoch:]upstream[-revision]`, deb-version(7).
//!
//! Upstream and revision become words whose order is that of `dpkg --compare-versions`: runs of
//! non-digits (`~` below the end, letters below other characters) and of digits take turns.

use super::number::{Number, push_digits, run};

/// Epoch, upstream version, revision.
pub(super) type Key = (Number, Box<[u16]>, Box<[u16]>);

const TILDE: u16 = 0;
/// Where a run of non-digits ends, by a digit or the end of the text.
const END: u16 = 1;
const LETTERS: u16 = 2;
const OTHERS: u16 = 300;

pub(super) fn key(version: &str) -> Result<Key, &'static str> {
    let version = version.trim();
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    if epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the epoch is no number");
    }
    let epoch = Number::of(epoch);
    if epoch > Number::Small(i32::MAX as u64) {
        return Err("the epoch is too big");
    }
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((_, "")) => return Err("the revision is empty"),
        Some(parts) => parts,
        None => (rest, ""),
    };
    if upstream.is_empty() {
        return Err("the upstream version is empty");
    }
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("the upstream version does not begin with a digit");
    }
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-' | b'~' | b':');
    if !rest.bytes().all(allowed) || revision.contains(':') {
        return Err("it holds a character that Debian versions do not have");
    }
    Ok((epoch, words(upstream), words(revision)))
}

fn words(text: &str) -> Box<[u16]> {
    let mut out = Vec::with_capacity(text.len() * 2 + 2);
    // Nothing is zero.
    let mut rest = if text.is_empty() { "0" } else { text };
    while !rest.is_empty() {
        let (other, after) = run(rest, |b| !b.is_ascii_digit());
        let (digits, after) = run(after, |b| b.is_ascii_digit());
        out.extend(other.bytes().map(word));
        out.push(END);
        push_digits(digits, &mut out);
        rest = after;
    }
    out.extend([END, 0]);
    out.into()
}

fn word(byte: u8) -> u16 {
    match byte {
        b'~' => TILDE,
        b if b.is_ascii_alphabetic() => LETTERS + u16::from(b),
        b => OTHERS + u16::from(b),
    }
}
