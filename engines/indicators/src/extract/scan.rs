//! What looks like an indicator, without asking what stands around it: addresses, domains, URLs, mail addresses, hashes.
//!
//! Invariants: candidates of a line do not overlap and are in order; every byte is looked at a bounded number of times.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::Kind;

use super::host;

/// A URL that is longer is cut out whole and then left out.
const URL_BYTES_MAX: usize = 4_096;
const LOCAL_BYTES_MAX: usize = 64;
const V6_BYTES_MAX: usize = 48;

/// What may be an indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
    pub value: String,
    pub port: Option<u16>,
    /// It may as well be the name of a file.
    pub is_doubtful: bool,
}

impl Candidate {
    pub(super) fn new(start: usize, end: usize, kind: Kind, value: String) -> Candidate {
        Candidate { start, end, kind, value, port: None, is_doubtful: false }
    }
}

/// The candidates of one line, which begins at `base`; where `taken`, something else was found.
pub(super) fn line(text: &str, base: usize, taken: &mut [bool], commas: bool) -> Vec<Candidate> {
    let mut all = Vec::new();
    urls(text, base, taken, commas, &mut all);
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let length =
            rest.iter().zip(&taken[at..]).take_while(|(b, taken)| is_run(**b) && !**taken).count();
        if length == 0 {
            at += 1;
            continue;
        }
        run(text, at, at + length, base, &mut all);
        at += length;
    }
    let mut other = Vec::new();
    idns(text, base, taken, &mut other);
    settle(text, base, other, &mut all);
    all.sort_by_key(|candidate| candidate.start);
    let mut end = 0;
    all.retain(|candidate| {
        let is_free = candidate.start >= end;
        if is_free {
            end = candidate.end;
        }
        is_free
    });
    all
}

/// Bytes that a plain value is made of.
fn is_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_:/@%+~$*?=&#!".contains(&byte)
}

fn urls(text: &str, base: usize, taken: &mut [bool], commas: bool, all: &mut Vec<Candidate>) {
    const SCHEMES: [&str; 12] =
        ["https", "http", "ftps", "ftp", "sftp", "tcp", "udp", "wss", "ws", "ldaps", "ldap", "rmi"];
    let mut from = 0;
    while let Some(found) = text[from..].find("://") {
        let colon = from + found;
        from = colon + 3;
        let before = &text[..colon];
        let scheme = SCHEMES.into_iter().find(|scheme| ends_with(before, scheme));
        let Some(scheme) = scheme else { continue };
        let start = colon - scheme.len();
        let is_part = text[..start].ends_with(|sign: char| sign.is_ascii_alphanumeric());
        if is_part || taken[start] {
            continue;
        }
        let Some(authority) = host::authority(&text[from..]) else { continue };
        let end = url_end(text, start, from + authority, commas);
        from = end;
        taken[start..end].fill(true);
        if end - start > URL_BYTES_MAX {
            continue;
        }
        let rest = &text[colon + 3..end];
        // A scheme of transport says where to, not what is there.
        if matches!(scheme, "tcp" | "udp") {
            run(text, colon + 3, end, base, all);
            continue;
        }
        let (name, path) = rest.split_at(authority);
        let value = format!("{scheme}://{}{path}", name.to_lowercase());
        all.push(Candidate::new(base + start, base + end, Kind::Url, value));
    }
}

fn ends_with(before: &str, scheme: &str) -> bool {
    let tail = before.len().checked_sub(scheme.len()).and_then(|at| before.as_bytes().get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// Where a URL ends whose host ends at `at`.
fn url_end(text: &str, start: usize, at: usize, commas: bool) -> usize {
    let bytes = text.as_bytes();
    let (mut end, mut depth, mut has_query) = (at, 0_i32, false);
    if !matches!(bytes.get(at), Some(b'/' | b'?' | b'#' | b':')) {
        return at;
    }
    while let Some(byte) = bytes.get(end) {
        let goes_on = match byte {
            b'?' => {
                has_query = true;
                true
            }
            b'(' => {
                depth += 1;
                true
            }
            b')' => {
                depth -= 1;
                depth >= 0
            }
            // A list of URLs is likelier than a URL with a comma in its path.
            b',' | b';' => has_query && !commas && bytes.get(end + 1).is_some_and(|b| is_run(*b)),
            b'|' | b'"' | b'<' | b'>' | b'`' | b'\'' | b'\\' | b'^' | b'{' | b'}' => false,
            b'[' | b']' => false,
            byte => byte.is_ascii_graphic(),
        };
        if !goes_on {
            break;
        }
        end += 1;
    }
    while end > at && b".,;:!?'*_~(".contains(&bytes[end - 1]) && end > start + 1 {
        end -= 1;
    }
    end
}

/// Looks through one run of plain bytes.
fn run(text: &str, start: usize, end: usize, base: usize, all: &mut Vec<Candidate>) {
    let mut at = start;
    // `key=value`, `a#b` and the like are two texts.
    for piece in text[start..end].split(['=', '&', '#', '!', '?', '*', '$', '~']) {
        self::piece(text, at, at + piece.len(), base, all);
        at += piece.len() + 1;
    }
}

/// Takes values off a piece one after the other: `192.0.2.1-192.0.2.9`.
fn piece(text: &str, start: usize, end: usize, base: usize, all: &mut Vec<Candidate>) {
    let mut at = start;
    while let Some(mut candidate) = first(text, at, end, base, all) {
        at = candidate.end;
        candidate.start += base;
        candidate.end += base;
        all.push(candidate);
    }
}

/// The value that a piece begins with; if there is none, its parts are looked at.
fn first(
    text: &str,
    start: usize,
    end: usize,
    base: usize,
    all: &mut Vec<Candidate>,
) -> Option<Candidate> {
    let raw = &text[start..end];
    let inner = raw.trim_start_matches([':', '.', '-', '_', '/', '+', '%', '@']);
    // A path of Unix is none of these.
    if raw.starts_with('/') && inner.contains('/') {
        return None;
    }
    let start = end - inner.len();
    let inner = inner.trim_end_matches(['.', ':', '-', '_', '/', '+', '%', '@']);
    let end = start + inner.len();
    if inner.is_empty() {
        return None;
    }
    let found = hash(inner)
        .or_else(|| email(inner))
        .or_else(|| asn(inner))
        .or_else(|| v6(inner))
        .map(|(kind, value)| Candidate::new(start, end, kind, value))
        .or_else(|| v4(inner, start, text))
        .or_else(|| name(inner, start));
    if found.is_none() {
        parts(text, start, end, base, all);
    }
    found
}

/// `a:b`, `a/b`, `a-b` of which a part is something.
fn parts(text: &str, start: usize, end: usize, base: usize, all: &mut Vec<Candidate>) {
    for cut in [':', '/', '-'] {
        let inner = &text[start..end];
        if !inner.contains(cut) {
            continue;
        }
        let mut at = start;
        for part in inner.split(cut) {
            let trimmed = part.trim_matches(['.', ':', '-', '_', '/']);
            let is_value = trimmed.contains('.') || trimmed.len() >= 32;
            if is_value && (cut != '-' || v4(trimmed, 0, trimmed).is_some()) {
                let from = at + part.find(trimmed).unwrap_or(0);
                piece(text, from, from + trimmed.len(), base, all);
            }
            at += part.len() + 1;
        }
        return;
    }
}

fn hash(text: &str) -> Option<(Kind, String)> {
    let kind = match text.len() {
        32 => Kind::Md5,
        40 => Kind::Sha1,
        64 => Kind::Sha256,
        128 => Kind::Sha512,
        _ => return ssdeep(text),
    };
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A row of one digit is a placeholder.
    let first = text.as_bytes()[0];
    let varies = text.bytes().any(|byte| byte != first);
    (is_hex && varies).then(|| (kind, text.to_ascii_lowercase()))
}

/// `blocksize:chunk:chunk`.
fn ssdeep(text: &str) -> Option<(Kind, String)> {
    let mut parts = text.splitn(3, ':');
    let (size, first, second) = (parts.next()?, parts.next()?, parts.next()?);
    let size: u64 = size.parse().ok()?;
    let is_size = size.is_multiple_of(3) && (size / 3).is_power_of_two();
    let is_chunk = |chunk: &str| {
        let signs = chunk.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
        (4..=64).contains(&chunk.len()) && signs
    };
    (is_size && is_chunk(first) && is_chunk(second)).then(|| (Kind::Ssdeep, text.to_owned()))
}

fn email(text: &str) -> Option<(Kind, String)> {
    let is_short = text.len() <= LOCAL_BYTES_MAX + 1 + host::BYTES_MAX;
    let (local, domain) = text.rsplit_once('@').filter(|_| is_short)?;
    let is_local = (1..=LOCAL_BYTES_MAX).contains(&local.len())
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+%".contains(&b));
    let domain = domain.to_ascii_lowercase();
    (is_local && host::is_domain(&domain)).then(|| (Kind::Email, format!("{local}@{domain}")))
}

fn asn(text: &str) -> Option<(Kind, String)> {
    let number = text.strip_prefix("AS").or_else(|| text.strip_prefix("ASN"))?;
    let is_number = (1..=10).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = if is_number { number.parse().ok()? } else { return None };
    Some((Kind::Asn, format!("AS{number}")))
}

fn v6(text: &str) -> Option<(Kind, String)> {
    if text.len() > V6_BYTES_MAX || text.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: Ipv6Addr = address.parse().ok()?;
    // `a::b` may be a name of a program.
    if address.segments().iter().filter(|segment| **segment != 0).count() < 2 {
        return None;
    }
    match prefix {
        None => Some((Kind::Ip, address.to_string())),
        Some(prefix) => {
            let bits: u8 = prefix.parse().ok().filter(|bits| *bits <= 128)?;
            Some((Kind::Cidr, format!("{address}/{bits}")))
        }
    }
}

/// An address with what may follow: a port, a length of prefix, a path.
fn v4(text: &str, start: usize, whole: &str) -> Option<Candidate> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let length = text.bytes().take(17).take_while(is_part).count();
    let (numbers, rest) = text.split_at(length);
    let trimmed = numbers.trim_end_matches('.');
    let address: Ipv4Addr = trimmed.parse().ok()?;
    let is_cut = rest.is_empty() || rest.starts_with([':', '/', '-', '@']);
    if !is_cut || trimmed.len() != numbers.len() && !rest.is_empty() {
        return None;
    }
    let end = start + trimmed.len();
    let mut candidate = Candidate::new(start, end, Kind::Ip, address.to_string());
    let number = |text: &str| -> Option<u32> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let goes_on = text[digits..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
        if digits == 0 || digits > 5 || goes_on { None } else { text[..digits].parse().ok() }
    };
    let path = |host: &str, at: usize| {
        let path = whole.get(at..start + text.len()).filter(|path| path.len() > 1)?;
        Some(Candidate::new(start, start + text.len(), Kind::Url, format!("http://{host}{path}")))
    };
    if let Some(behind) = rest.strip_prefix('/') {
        let bits = number(behind).filter(|bits| *bits <= 32);
        let is_all = |bits: u32| behind.len() == bits.to_string().len();
        let Some(bits) = bits.filter(|bits| is_all(*bits)) else {
            return path(trimmed, end).or(Some(candidate));
        };
        candidate.end = end + 1 + behind.len();
        candidate.kind = Kind::Cidr;
        candidate.value = format!("{}/{bits}", network(address, bits));
        return Some(candidate);
    }
    if let Some(behind) = rest.strip_prefix(':') {
        let port =
            number(behind).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        if let Some(port) = port {
            let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
            if behind[digits..].starts_with('/') && behind.len() > digits + 1 {
                return path(trimmed, end);
            }
            candidate.end = end + 1 + digits;
            candidate.port = Some(port);
        }
    }
    Some(candidate)
}

fn network(address: Ipv4Addr, bits: u32) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Ipv4Addr::from(u32::from(address) & mask)
}

/// A domain, with a port or a path behind it.
fn name(text: &str, start: usize) -> Option<Candidate> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let length = text.bytes().take(host::BYTES_MAX + 1).take_while(is_part).count();
    let (host, rest) = text.split_at(length);
    let host_end = start + length;
    let value = host.trim_end_matches('.').to_ascii_lowercase();
    if !host::is_domain(&value) || host::is_sentence(host) {
        return None;
    }
    let is_doubtful = host::is_file_like(&value);
    let mut candidate = Candidate::new(start, host_end, Kind::Domain, value);
    candidate.is_doubtful = is_doubtful;
    let (port, path) = match rest.strip_prefix(':') {
        Some(behind) => {
            let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
            (behind[..digits].parse::<u16>().ok(), &behind[digits..])
        }
        None => (None, rest),
    };
    candidate.port = port;
    if path.starts_with('/') && path.len() > 1 && !candidate.is_doubtful {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let value = format!("http://{}{port}{path}", candidate.value);
        return Some(Candidate::new(start, start + text.len(), Kind::Url, value));
    }
    if let Some(port) = port {
        candidate.end = host_end + 1 + port.to_string().len();
    }
    (rest.is_empty() || rest.starts_with([':', '/'])).then_some(candidate)
}

/// `日本語.example.jp` is one name, `端末はexample.jp` is prose and a name: what counts is whether the Latin part begins
/// behind a dot.
fn settle(text: &str, base: usize, others: Vec<Candidate>, all: &mut Vec<Candidate>) {
    all.sort_by_key(|candidate| candidate.start);
    let mut free = Vec::new();
    for other in others {
        let first = all.partition_point(|candidate| candidate.start < other.start);
        let within = all.get(first).filter(|candidate| candidate.end <= other.end).cloned();
        match within {
            None => free.push(other),
            Some(latin) if text[..latin.start - base].ends_with('.') => all[first] = other,
            Some(_) => {}
        }
    }
    all.append(&mut free);
}

/// Domains that are written in other letters: `例え.jp`. They begin behind a sign or a blank.
fn idns(text: &str, base: usize, taken: &[bool], all: &mut Vec<Candidate>) {
    let mut from = 0;
    for word in text.split(|sign: char| !(sign.is_alphanumeric() || matches!(sign, '.' | '-'))) {
        let start = from;
        from = start + word.len();
        from += text[from..].chars().next().map_or(0, char::len_utf8);
        if word.is_ascii() || !word.contains('.') || word.len() > host::BYTES_MAX {
            continue;
        }
        if taken[start..start + word.len()].iter().any(|taken| *taken) {
            continue;
        }
        // The last label is Latin: what is glued to it is prose.
        let Some((name, last)) = word.rsplit_once('.') else { continue };
        let latin = last.bytes().take_while(u8::is_ascii_alphabetic).count();
        let value = format!("{name}.{}", &last[..latin]).to_lowercase();
        if host::is_idn(&value) && !name.is_ascii() {
            let end = base + start + name.len() + 1 + latin;
            all.push(Candidate::new(base + start, end, Kind::Domain, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Kind, String)> {
        let mut taken = vec![false; text.len()];
        let all = line(text, 0, &mut taken, false);
        all.into_iter().map(|c| (c.kind, c.value)).collect()
    }

    fn one(text: &str) -> (Kind, String) {
        let all = found(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        all[0].clone()
    }

    #[test]
    fn a_url_ends_where_prose_goes_on() {
        for text in [
            "「https://a.example/x?y=1」です",
            "https://a.example/x?y=1、次",
            "https://a.example/x?y=1。",
            "(https://a.example/x?y=1)",
            "“https://a.example/x?y=1”",
            "‘https://a.example/x?y=1’.",
            "https://a.example/x?y=1にアクセス",
            "<https://a.example/x?y=1>",
            "HTTPS://A.example/x?y=1,",
        ] {
            assert_eq!(one(text), (Kind::Url, "https://a.example/x?y=1".to_owned()), "{text}");
        }
        assert_eq!(one("https://a.example/w_(x) y").1, "https://a.example/w_(x)");
        assert_eq!(one("https://a.exampleに接続").1, "https://a.example");
    }

    #[test]
    fn an_address_of_a_url_is_not_told_again() {
        assert_eq!(
            one("http://192.0.2.1:8080/a"),
            (Kind::Url, "http://192.0.2.1:8080/a".to_owned())
        );
        assert_eq!(one("tcp://192.0.2.1:4444"), (Kind::Ip, "192.0.2.1".to_owned()));
        assert_eq!(one("192.0.2.1/gate.php").0, Kind::Url);
    }

    #[test]
    fn values_are_told_from_what_looks_like_them() {
        assert_eq!(one("192.0.2.77/24"), (Kind::Cidr, "192.0.2.0/24".to_owned()));
        assert_eq!(one("2001:db8::5"), (Kind::Ip, "2001:db8::5".to_owned()));
        assert_eq!(one("A@B.Example"), (Kind::Email, "A@b.example".to_owned()));
        assert_eq!(one("AS64500"), (Kind::Asn, "AS64500".to_owned()));
        assert_eq!(one("D41D8CD98F00B204E9800998ECF8427E").0, Kind::Md5);
        assert_eq!(found("192.0.2.1-192.0.2.9").len(), 2);
        for text in [
            "12:34:56",
            "10.0.19045.2",
            "1.2.3.4.5",
            "v1.2.3.4",
            "std::string",
            "e.g.",
            "x.x.x.x",
            "*.*.*.*",
            "00:11:22:33:44:55",
            "00000000000000000000000000000000",
            "end.The next",
            "a..b",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn names_in_other_letters_are_domains() {
        assert_eq!(one("日本語.example.jpへ").1, "日本語.example.jp");
        assert_eq!(one("端末はa.example.jpに接続").1, "a.example.jp");
        assert_eq!(one("「例え.jp」に"), (Kind::Domain, "例え.jp".to_owned()));
    }
}
