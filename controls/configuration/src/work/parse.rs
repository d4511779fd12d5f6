//! What all parsers share, and the small tables: os-release, dpkg status, mounts, sockets.
//!
//! Invariants: no I/O; any bytes are accepted; what is not understood becomes a [`Problem`] with its
//! line; no text holds NUL, since a ledger leaf may not.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A line that was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub line: usize,
    pub reason: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub facts: Vec<(String, Value)>,
    pub problems: Vec<Problem>,
}

impl Parsed {
    pub(super) fn problem(&mut self, line: usize, reason: &'static str) {
        self.problems.push(Problem { line, reason });
    }
}

/// Text of bytes; what is not UTF-8, and NUL, is shown as `\xNN`.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace('\0', "\\x00"));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Whether [`text`] had nothing to escape.
pub(super) fn is_clean(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// Lines with their numbers from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line))
}

pub(super) fn os_release(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                parsed.facts.push((key.to_owned(), json!(unquote(value))));
            }
            _ => parsed.problem(number, "not KEY=value"),
        }
    }
    parsed
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return if quote == '"' { unescape(inner) } else { inner.to_owned() };
        }
    }
    value.to_owned()
}

fn unescape(inner: &str) -> String {
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

/// A paragraph of a deb822 file: first line and fields with lower-case names.
pub(super) struct Paragraph {
    pub line: usize,
    pub fields: BTreeMap<String, String>,
}

/// Paragraphs of a deb822 file. Of the fields only those in `wanted` are kept.
pub(super) fn paragraphs(
    text: &str,
    wanted: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<Paragraph> {
    let mut done = Vec::new();
    let mut open: Option<Paragraph> = None;
    let mut last: Option<String> = None;
    for (number, line) in lines(text) {
        if line.trim().is_empty() {
            done.extend(open.take());
            last = None;
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let paragraph =
            open.get_or_insert_with(|| Paragraph { line: number, fields: BTreeMap::new() });
        if line.starts_with([' ', '\t']) {
            let field = last.as_ref().and_then(|name| paragraph.fields.get_mut(name));
            if let Some(value) = field {
                value.push('\n');
                value.push_str(line.trim());
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            problems.push(Problem { line: number, reason: "not Field: value" });
            last = None;
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        last = wanted.contains(&name.as_str()).then(|| name.clone());
        if last.is_some() && paragraph.fields.insert(name, value.trim().to_owned()).is_some() {
            problems.push(Problem { line: number, reason: "field given twice" });
        }
    }
    done.extend(open);
    done
}

/// Packages with files on the host. Held and half-installed ones count: their files are there.
pub(super) fn dpkg_status(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let wanted = ["package", "status", "version", "architecture"];
    for paragraph in paragraphs(text, &wanted, &mut parsed.problems) {
        let field = |name: &str| paragraph.fields.get(name).filter(|value| !value.is_empty());
        let (Some(name), Some(status)) = (field("package"), field("status")) else {
            parsed.problem(paragraph.line, "package without name or status");
            continue;
        };
        match status.split_whitespace().nth(2) {
            Some("not-installed" | "config-files") => continue,
            Some(_) => {}
            None => {
                parsed.problem(paragraph.line, "status without three words");
                continue;
            }
        }
        let (Some(version), Some(architecture)) = (field("version"), field("architecture")) else {
            parsed.problem(paragraph.line, "package without version or architecture");
            continue;
        };
        let fact = json!({
            "name": name, "version": version, "architecture": architecture, "status": status,
        });
        parsed.facts.push((format!("{name}:{architecture}"), fact));
    }
    parsed
}

/// `/etc/fstab` or `/proc/mounts`: keyed by mount point.
pub(super) fn mounts(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [source, target, kind, ..] = fields[..] else {
            parsed.problem(number, "mount without source, place and type");
            continue;
        };
        let given = fields.get(3).copied().unwrap_or("defaults");
        let options: BTreeSet<String> = given.split(',').map(cut_secrets).collect();
        let fact = json!({ "source": cut_secrets(source), "type": kind, "options": options });
        parsed.facts.push((target.to_owned(), fact));
    }
    parsed
}

const SECRET_NAMES: [&str; 8] =
    ["passw", "pwd", "secret", "token", "passphrase", "apikey", "api_key", "api-key"];

/// `text` without what looks like a secret: facts leave the host, and no secret may. Words after
/// `--password`-like options, values of `password=`, user parts of addresses and bearer tokens.
pub(super) fn cut_secrets(text: &str) -> String {
    let mut cut_next = false;
    let mut out = Vec::new();
    for word in text.split(' ') {
        if cut_next && !word.is_empty() {
            out.push("[cut]".to_owned());
            cut_next = false;
            continue;
        }
        let lower = word.to_ascii_lowercase();
        let secret = SECRET_NAMES.iter().filter_map(|name| lower.find(name)).min();
        let assigned = secret.and_then(|at| word[at..].find(['=', ':']).map(|sign| at + sign));
        match assigned {
            Some(sign) if sign + 1 < word.len() => out.push(format!("{}[cut]", &word[..=sign])),
            Some(_) => {
                cut_next = true;
                out.push(word.to_owned());
            }
            None => {
                let bearer = lower.ends_with("bearer") || lower.ends_with("basic");
                cut_next |= bearer || (secret.is_some() && word.starts_with('-'));
                out.push(cut_address(word));
            }
        }
    }
    out.join(" ")
}

fn cut_address(word: &str) -> String {
    let Some(start) = word.find("://").map(|at| at + 3) else { return word.to_owned() };
    let end = word[start..].find('/').map_or(word.len(), |at| start + at);
    match word[start..end].rfind('@') {
        Some(at) => format!("{}[cut]{}", &word[..start], &word[start + at..]),
        None => word.to_owned(),
    }
}

/// A socket that waits for others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub address: String,
    pub uid: u64,
    pub inode: u64,
}

/// A table of `/proc/net`: TCP sockets in state LISTEN, UDP sockets without a peer.
pub(super) fn listeners(text: &str, udp: bool) -> (Vec<Listener>, Vec<Problem>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (line, row) in lines(text).skip(1) {
        let fields: Vec<&str> = row.split_whitespace().collect();
        if fields.is_empty() {
            continue;
        }
        let wanted = if udp { "07" } else { "0A" };
        if fields.get(3).is_some_and(|state| *state != wanted) {
            continue;
        }
        match listener(&fields) {
            Some(one) => found.push(one),
            None => problems.push(Problem { line, reason: "socket row not understood" }),
        }
    }
    (found, problems)
}

fn listener(fields: &[&str]) -> Option<Listener> {
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = match ip(address)? {
        IpAddr::V4(v4) => format!("{v4}:{port}"),
        IpAddr::V6(v6) => format!("[{v6}]:{port}"),
    };
    Some(Listener {
        address,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The kernel prints each 32-bit word of an address in the byte order of the machine.
fn ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for chunk in hex.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match (hex.len(), bytes.len()) {
        (8, 4) => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        (32, 16) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_are_shown_escaped() {
        assert_eq!(text(b"a\xff\0\xe6\xa2\x85"), "a\\xff\\x00梅");
        assert!(is_clean("梅".as_bytes()));
        assert!(!is_clean(b"\xff") && !is_clean(b"\0"));
    }

    #[test]
    fn os_release_is_unquoted() {
        let parsed = os_release("ID=debian\n# c\nNAME=\"A \\\"b\\\"\"\nX='y'\nbad\n");
        let values: Vec<_> = parsed.facts.iter().map(|(_, v)| v.as_str().unwrap()).collect();
        assert_eq!(values, ["debian", "A \"b\"", "y"]);
        assert_eq!(parsed.problems[0].line, 5);
    }

    #[test]
    fn held_packages_stay_and_removed_ones_go() {
        let status = "Package: a\nStatus: hold ok installed\nVersion: 1:2\nArchitecture: all\n\
            Description: x\n more\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 1\n\
            Architecture: all\n\nPackage: c\nStatus: install ok installed\n\nPackage: d\nSta";
        let parsed = dpkg_status(status);
        assert_eq!(parsed.facts.len(), 1);
        assert_eq!(parsed.facts[0].0, "a:all");
        assert_eq!(parsed.facts[0].1["version"], "1:2");
        let reasons: Vec<_> = parsed.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(reasons, [17, 13, 16]);
    }

    #[test]
    fn mount_options_are_sorted_and_lose_secrets() {
        let parsed = mounts("//s/x /m cifs rw,password=geheim,nosuid 0 0\nshort\n");
        let (key, fact) = &parsed.facts[0];
        assert_eq!(key, "/m");
        assert_eq!(fact["options"], json!(["nosuid", "password=[cut]", "rw"]));
        assert_eq!(parsed.problems.len(), 1);
    }

    #[test]
    fn secrets_are_cut_from_commands() {
        for (given, expected) in [
            ("curl https://u:p@h/x", "curl https://[cut]@h/x"),
            ("x --password hunter2 -v", "x --password [cut] -v"),
            ("TOKEN=abc run", "TOKEN=[cut] run"),
            ("-H 'Authorization: Bearer abc'", "-H 'Authorization: Bearer [cut]"),
            ("run-parts /etc/cron.daily", "run-parts /etc/cron.daily"),
        ] {
            assert_eq!(cut_secrets(given), expected);
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn sockets_that_listen_are_found() {
        let table = "head\n 0: 0100007F:0016 00000000:0000 0A 0:0 0:0 0 999 0 31415 1 x\n \
            1: 0100007F:0016 0100007F:9999 01 0:0 0:0 0 0 0 7 1 x\n 2: zz 0 0A\n";
        let (found, problems) = listeners(table, false);
        let expected = Listener { address: "127.0.0.1:22".into(), uid: 999, inode: 31415 };
        assert_eq!(found, [expected]);
        assert_eq!(problems.len(), 1);
        assert_eq!(ip("00000000000000000000000001000000"), Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(ip("0100007"), None);
    }
}
