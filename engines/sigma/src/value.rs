//! Values of rules: texts with wildcards and escapes, and the patterns they become.

use crate::{error::Reason, fold::folded};

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Lit(Vec<u8>),
    /// `?`: exactly one character
    One,
    /// `*`
    Many,
    /// Any of the five dashes of `windash`
    Dash,
    /// `%name%` until `expand` gives it values
    Placeholder(String),
}

/// The characters that `windash` takes for one another.
pub(crate) const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// Reads a text: `\*` and `\?` are themselves, `\\` is one backslash, a backslash before anything else is
/// itself. With `placeholders`, `%name%` is one and `\%` a per cent sign.
pub(crate) fn parse(text: &str, placeholders: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lit = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let part = match c {
            '\\' => {
                let next = after.chars().next();
                match next {
                    Some(n @ ('*' | '?' | '\\')) => {
                        lit.push(n);
                        rest = &after[1..];
                    }
                    Some('%') if placeholders => {
                        lit.push('%');
                        rest = &after[1..];
                    }
                    _ => {
                        lit.push('\\');
                        rest = after;
                    }
                }
                continue;
            }
            '*' => Part::Many,
            '?' => Part::One,
            '%' if placeholders => match placeholder(after) {
                Some(name) => {
                    flush(&mut lit, &mut parts);
                    parts.push(Part::Placeholder(name.to_owned()));
                    rest = &after[name.len() + 1..];
                    continue;
                }
                None => {
                    lit.push(c);
                    rest = after;
                    continue;
                }
            },
            _ => {
                lit.push(c);
                rest = after;
                continue;
            }
        };
        flush(&mut lit, &mut parts);
        parts.push(part);
        rest = after;
    }
    flush(&mut lit, &mut parts);
    parts
}

fn flush(lit: &mut String, parts: &mut Vec<Part>) {
    if !lit.is_empty() {
        parts.push(Part::Lit(std::mem::take(lit).into_bytes()));
    }
}

/// The name before the closing `%`.
fn placeholder(rest: &str) -> Option<&str> {
    let name = &rest[..rest.find('%')?];
    let sound = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    sound.then_some(name)
}

/// Joins neighbouring literals and stars.
pub(crate) fn tidy(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Lit(lit)), Part::Lit(more)) => lit.extend_from_slice(&more),
            (Some(Part::Many), Part::Many) => {}
            (_, Part::Lit(empty)) if empty.is_empty() => {}
            (_, part) => out.push(part),
        }
    }
    out
}

pub(crate) fn has_wildcard(parts: &[Part]) -> bool {
    parts.iter().any(|part| !matches!(part, Part::Lit(_)))
}

/// The bytes of a text without wildcards.
pub(crate) fn plain(parts: &[Part]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|part| if let Part::Lit(lit) = part { &lit[..] } else { &[] })
        .copied()
        .collect()
}

/// Dashes at the beginning of a word become any dash.
pub(crate) fn windash(parts: Vec<Part>) -> Vec<Part> {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = Vec::new();
    for part in parts {
        let Part::Lit(bytes) = part else {
            out.push(part);
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut lit = String::new();
        let (mut before, mut chars) = (None, text.chars().peekable());
        while let Some(c) = chars.next() {
            if DASHES.contains(&c) && !word(before) && word(chars.peek().copied()) {
                flush(&mut lit, &mut out);
                out.push(Part::Dash);
            } else {
                lit.push(c);
            }
            before = Some(c);
        }
        flush(&mut lit, &mut out);
    }
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Utf16 {
    Le,
    Be,
    /// Little endian behind a byte order mark
    Bom,
}

/// Encodes the literals; wildcards stay.
pub(crate) fn utf16(parts: Vec<Part>, form: Utf16) -> Vec<Part> {
    let encode = |part: Part| match part {
        Part::Lit(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let unit = |u: u16| if form == Utf16::Be { u.to_be_bytes() } else { u.to_le_bytes() };
            Part::Lit(text.encode_utf16().flat_map(unit).collect())
        }
        other => other,
    };
    let mark = (form == Utf16::Bom).then(|| Part::Lit(vec![0xff, 0xfe]));
    tidy(mark.into_iter().chain(parts.into_iter().map(encode)).collect())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(*chunk.get(i).unwrap_or(&0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = ALPHABET[(group >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() { digit } else { b'=' });
        }
    }
    out
}

/// What stays the same of `bytes` in Base64 at each of the three shifts.
pub(crate) fn base64_offsets(bytes: &[u8]) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|shift| {
        let mut shifted = vec![b' '; shift];
        shifted.extend_from_slice(bytes);
        let encoded = base64(&shifted);
        let start = [0, 2, 3][shift];
        let cut = [0, 3, 2][shifted.len() % 3];
        encoded[start..(encoded.len() - cut).max(start)].to_vec()
    })
}

/// A pattern made ready: folded unless `cased`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    pub parts: Vec<Part>,
    pub cased: bool,
}

impl Pattern {
    pub fn new(parts: Vec<Part>, cased: bool) -> Pattern {
        let ready = |part| match part {
            Part::Lit(bytes) if !cased => Part::Lit(match String::from_utf8(bytes) {
                Ok(text) => folded(&text),
                Err(bytes) => bytes.into_bytes().to_ascii_lowercase(),
            }),
            other => other,
        };
        Pattern { parts: tidy(parts).into_iter().map(ready).collect(), cased }
    }

    /// The same somewhere inside.
    pub fn within(mut self) -> Pattern {
        self.parts.insert(0, Part::Many);
        self.parts.push(Part::Many);
        self.parts = tidy(self.parts);
        self
    }

    /// Where the pattern lies in `text`, from the first byte of its first piece to the last of its last; a
    /// pattern holds for all of the text or not at all.
    pub fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        find(&self.parts, text)
    }

    /// The longest literal, which every text that meets the pattern contains.
    pub fn longest(&self) -> &[u8] {
        let literals = self.parts.iter().filter_map(|part| match part {
            Part::Lit(lit) => Some(&lit[..]),
            _ => None,
        });
        literals.max_by_key(|lit| lit.len()).unwrap_or_default()
    }
}

/// Matches all of `text`; gives the span without leading and trailing stars.
fn find(parts: &[Part], text: &[u8]) -> Option<(usize, usize)> {
    match parts {
        [] => text.is_empty().then_some((0, 0)),
        [Part::Many] => Some((0, text.len())),
        [Part::Lit(lit)] => (lit == text).then_some((0, text.len())),
        [Part::Many, Part::Lit(lit)] => {
            text.ends_with(lit).then(|| (text.len() - lit.len(), text.len()))
        }
        [Part::Lit(lit), Part::Many] => text.starts_with(lit).then_some((0, lit.len())),
        [Part::Many, Part::Lit(lit), Part::Many] => {
            memchr::memmem::find(text, lit).map(|at| (at, at + lit.len()))
        }
        _ => glob(parts, text),
    }
}

/// The general case: greedy from left to right, going back to the last star only. That is enough, since a
/// later star can take whatever an earlier one could.
fn glob(parts: &[Part], text: &[u8]) -> Option<(usize, usize)> {
    let (mut part, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut first = None;
    let trailing = parts.last() == Some(&Part::Many);
    let mut end = 0;
    loop {
        let step = match parts.get(part) {
            None if at == text.len() => {
                let end = if trailing { end } else { text.len() };
                return Some((first.unwrap_or(end).min(end), end));
            }
            None => None,
            Some(Part::Many) => {
                if part + 1 == parts.len() {
                    return Some((first.unwrap_or(at).min(at), at));
                }
                star = Some((part + 1, at));
                part += 1;
                // A literal behind a star is looked for at once.
                if let Some(Part::Lit(lit)) = parts.get(part) {
                    let found = memchr::memmem::find(&text[at..], lit)?;
                    at += found;
                    star = Some((part, at));
                }
                continue;
            }
            Some(Part::Lit(lit)) => text[at..].starts_with(lit).then_some(lit.len()),
            Some(Part::One) => one(&text[at..]),
            Some(Part::Dash) => dash(&text[at..]),
            Some(Part::Placeholder(_)) => return None,
        };
        match (step, star) {
            (Some(step), _) => {
                // The span begins where the first piece after a leading star lies.
                if part == usize::from(parts[0] == Part::Many) {
                    first = Some(at);
                }
                at += step;
                part += 1;
                end = at;
            }
            (None, Some((back, from))) => {
                let next = from + one(&text[from..])?;
                let next = match &parts[back] {
                    Part::Lit(lit) => next + memchr::memmem::find(&text[next..], lit)?,
                    _ => next,
                };
                star = Some((back, next));
                part = back;
                at = next;
            }
            (None, None) => return None,
        }
    }
}

/// Length of the first character.
fn one(text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let length = match first {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        _ => 1,
    };
    Some(length.min(text.len()))
}

fn dash(text: &[u8]) -> Option<usize> {
    match text {
        [b'-' | b'/', ..] => Some(1),
        [0xe2, 0x80, 0x93..=0x95, ..] => Some(3),
        _ => None,
    }
}

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Net {
    address: core::net::IpAddr,
    prefix: u8,
}

impl Net {
    pub fn read(text: &str) -> Result<Net, Reason> {
        let fault = || Reason::Cidr(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: core::net::IpAddr = address.parse().map_err(|_| fault())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(p) if p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit()) => {
                p.parse().map_err(|_| fault())?
            }
            Some(_) => return Err(fault()),
        };
        let net = Net { address, prefix };
        let clean = prefix <= bits && net.masked(address) == net.bits(address);
        if clean { Ok(net) } else { Err(fault()) }
    }

    pub fn holds(&self, text: &str) -> bool {
        text.trim().parse().is_ok_and(|other: core::net::IpAddr| {
            other.is_ipv4() == self.address.is_ipv4()
                && self.masked(other) == self.bits(self.address)
        })
    }

    fn bits(&self, address: core::net::IpAddr) -> u128 {
        match address {
            core::net::IpAddr::V4(a) => u128::from(u32::from(a)) << 96,
            core::net::IpAddr::V6(a) => a.into(),
        }
    }

    fn masked(&self, address: core::net::IpAddr) -> u128 {
        match self.prefix {
            0 => 0,
            prefix => self.bits(address) & (u128::MAX << (128 - u32::from(prefix.min(128)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(text: &str) -> Part {
        Part::Lit(text.as_bytes().to_vec())
    }

    fn meets(pattern: &str, text: &str) -> bool {
        let pattern = Pattern::new(parse(pattern, false), false);
        let folded = folded(text);
        let met = pattern.find(&folded);
        if let Some((from, to)) = met {
            assert!(from <= to && to <= folded.len());
        }
        met.is_some()
    }

    #[test]
    fn backslashes_escape_wildcards_and_themselves() {
        let cases = [
            (r"a\b", vec![lit(r"a\b")]),
            (r"a\\b", vec![lit(r"a\b")]),
            (r"a\*b", vec![lit("a*b")]),
            (r"a\?b", vec![lit("a?b")]),
            (r"a\\*b", vec![lit(r"a\"), Part::Many, lit("b")]),
            (r"a\\\*b", vec![lit(r"a\*b")]),
            (r"a\\\b", vec![lit(r"a\\b")]),
            (r"a\\\\b", vec![lit(r"a\\b")]),
            (r"a\", vec![lit(r"a\")]),
            (r"a\\", vec![lit(r"a\")]),
            (r"a\\\", vec![lit(r"a\\")]),
            ("", vec![]),
            ("*?", vec![Part::Many, Part::One]),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text, false), want, "{text}");
        }
    }

    #[test]
    fn placeholders_are_read_only_where_expand_asks_for_them() {
        let name = |n: &str| Part::Placeholder(n.to_owned());
        assert_eq!(parse("%name%", false), [lit("%name%")]);
        assert_eq!(parse("%name%", true), [name("name")]);
        assert_eq!(parse(r"\%plain%name%", true), [lit("%plain"), name("name")]);
        assert_eq!(parse(r"CORP\\%Admins%*", true), [lit(r"CORP\"), name("Admins"), Part::Many]);
        assert_eq!(parse("100% and 50%", true), [lit("100% and 50%")]);
    }

    #[test]
    fn a_question_mark_is_one_character_of_any_width() {
        assert!(meets("prog?.exe", "progA.exe"));
        assert!(!meets("prog?.exe", "prog.exe"));
        assert!(meets("a?c", "a梅c"));
        assert!(meets("a??", "aẞ🌸"));
        assert!(!meets("a??", "a梅"));
    }

    #[test]
    fn stars_take_any_number() {
        assert!(meets("antivirus_V*.exe", "Antivirus_v21.2.1.EXE"));
        assert!(meets("*a*b*", "xxaxxbxx"));
        assert!(!meets("*a*b*", "xxbxxaxx"));
        assert!(meets("a*b?d", "a bbbcd"));
        assert!(meets("*?", "x") && !meets("*?", ""));
        assert!(meets("*ab?", "aabab1"));
        assert!(meets("*", ""));
        assert!(!meets("", "x") && meets("", ""));
    }

    #[test]
    fn case_is_equal_beyond_ascii() {
        assert!(meets("STRAẞE", "straße"));
        assert!(meets("ＡＢＣ*", "ａｂｃ梅"));
        assert!(meets("ΣΑΣ", "σας"));
        assert!(meets("kelvin", "KELVIN"));
        assert!(!meets("istanbul", "ıstanbul"));
    }

    #[test]
    fn windash_folds_dashes_at_the_beginning_of_words() {
        let parts = |text: &str| windash(parse(text, false));
        assert_eq!(parts(" -param-name "), [lit(" "), Part::Dash, lit("param-name ")]);
        assert_eq!(parts("/c"), [Part::Dash, lit("c")]);
        assert_eq!(parts("a - b"), [lit("a - b")]);
        let pattern = Pattern::new(parts("cmd /c –x"), false);
        for dash in DASHES {
            let text = format!("CMD {dash}C -X");
            assert!(pattern.find(&folded(&text)).is_some(), "{text}");
        }
        assert!(pattern.find(b"cmd +c -x").is_none());
    }

    #[test]
    fn base64_has_three_shifts() {
        assert_eq!(base64(b"foobar"), b"Zm9vYmFy");
        assert_eq!(base64(b"fo"), b"Zm8=");
        for text in ["http://", "https", "foobar!"] {
            let offsets = base64_offsets(text.as_bytes());
            for (shift, encoded) in offsets.iter().enumerate() {
                for tail in ["", "x", "xy", "xyz"] {
                    let whole = base64(format!("{}{text}{tail}", &"\u{7f}~q"[..shift]).as_bytes());
                    let found = memchr::memmem::find(&whole, encoded);
                    assert!(found.is_some(), "{text} {shift} {tail:?}");
                }
            }
        }
    }

    #[test]
    fn utf16_has_both_orders_and_a_mark() {
        let of = |form| plain(&utf16(parse("cmd", false), form));
        assert_eq!(of(Utf16::Le), b"c\0m\0d\0");
        assert_eq!(of(Utf16::Be), b"\0c\0m\0d");
        assert_eq!(of(Utf16::Bom), b"\xff\xfec\0m\0d\0");
    }

    #[test]
    fn networks_hold_their_addresses_only() {
        let holds = |net: &str, address: &str| Net::read(net).unwrap().holds(address);
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("fe80::/10", "FE80::1") && !holds("fe80::/10", "fec0::1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::1/128", "0:0:0:0:0:0:0:1") && holds("127.0.0.1", "127.0.0.1"));
        assert!(!holds("10.0.0.0/8", "10.0.0.0.1") && !holds("10.0.0.0/8", ""));
        for bad in
            ["10.0.0.1/8", "10.0.0.0/33", "fe80::/129", "x/8", "10.0.0.0/", "10.0.0.0/+8", ""]
        {
            assert!(Net::read(bad).is_err(), "{bad}");
        }
    }
}
