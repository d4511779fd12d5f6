//! Settings of sshd as sshd reads them: the first value wins, `Include` counts where it stands, a
//! `Match` block lasts to the next one or the end of its file and overrides what stands outside.
//!
//! Limits: 16 files deep, 1,000 files.

use std::collections::BTreeMap;

use super::{Sink, Text, at, lines, val};
use crate::{
    bytes::Bytes,
    capture::Capture,
    fact::{Class, Facts, Origin, Value},
};

const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 1_000;
const MAIN: &str = "/etc/ssh/sshd_config";

/// Keywords whose values add up.
const LISTS: [&str; 10] = [
    "acceptenv",
    "allowgroups",
    "allowusers",
    "denygroups",
    "denyusers",
    "hostcertificate",
    "hostkey",
    "listenaddress",
    "port",
    "subsystem",
];

/// What OpenSSH does when nothing is said: sshd_config(5).
const DEFAULTS: [(&str, &str); 35] = [
    ("addressfamily", "any"),
    ("allowagentforwarding", "yes"),
    ("allowstreamlocalforwarding", "yes"),
    ("allowtcpforwarding", "yes"),
    ("banner", "none"),
    ("clientalivecountmax", "3"),
    ("clientaliveinterval", "0"),
    ("compression", "yes"),
    ("disableforwarding", "no"),
    ("gatewayports", "no"),
    ("gssapiauthentication", "no"),
    ("hostbasedauthentication", "no"),
    ("ignorerhosts", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("kerberosauthentication", "no"),
    ("logingracetime", "120"),
    ("loglevel", "INFO"),
    ("maxauthtries", "6"),
    ("maxsessions", "10"),
    ("maxstartups", "10:30:100"),
    ("passwordauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("permitrootlogin", "prohibit-password"),
    ("permittty", "yes"),
    ("permittunnel", "no"),
    ("permituserenvironment", "no"),
    ("port", "22"),
    ("printlastlog", "yes"),
    ("pubkeyauthentication", "yes"),
    ("strictmodes", "yes"),
    ("syslogfacility", "AUTH"),
    ("tcpkeepalive", "yes"),
    ("usedns", "no"),
    ("usepam", "no"),
    ("x11forwarding", "no"),
];

#[derive(Clone, Debug)]
struct Setting {
    values: Vec<String>,
    origin: Origin,
}

/// Keyword to what is in force.
type Block = BTreeMap<String, Setting>;

#[derive(Debug, Default)]
struct Config {
    global: Block,
    /// Criteria of each block, in the order of the file; a block within a block joins both.
    blocks: Vec<(String, Block)>,
    files: usize,
    problems: Vec<(String, u32, &'static str)>,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let Some(text) = sink.text(MAIN) else { return };
    let mut config = Config::default();
    config.file(sink.capture, &text, None, 0);
    for (path, line, why) in std::mem::take(&mut config.problems) {
        sink.problem(&path, line, why);
    }
    for (keyword, value) in DEFAULTS {
        config
            .global
            .entry(keyword.to_owned())
            .or_insert_with(|| Setting { values: vec![value.to_owned()], origin: Origin::Default });
    }
    add(sink, "", config.global);
    if !config.blocks.is_empty() {
        let order = config.blocks.iter().map(|(criteria, _)| val(criteria)).collect();
        sink.add(Class::Sshd, "match", Value::List(order), at(MAIN, 0));
    }
    for (criteria, block) in config.blocks {
        add(sink, &format!("match {criteria}/"), block);
    }
}

fn add(sink: &mut Sink<'_>, prefix: &str, block: Block) {
    for (keyword, setting) in block {
        let value = Value::List(setting.values.iter().map(|value| val(value)).collect());
        sink.add(Class::Sshd, Bytes::parse(&format!("{prefix}{keyword}")), value, setting.origin);
    }
}

impl Config {
    fn file(&mut self, capture: &Capture, text: &Text, outer: Option<&str>, depth: usize) {
        self.files += 1;
        let mut block: Option<String> = outer.map(str::to_owned);
        for (line, content) in lines(&text.text) {
            let Some(words) = words(content) else {
                self.problems.push((text.path.clone(), line, "quote without end"));
                continue;
            };
            let Some((keyword, values)) = words.split_first() else { continue };
            if values.is_empty() {
                self.problems.push((text.path.clone(), line, "keyword without value"));
                continue;
            }
            match keyword.to_ascii_lowercase().as_str() {
                "match" => {
                    let criteria = criteria(values);
                    block = Some(match outer {
                        Some(outer) => format!("{outer} {criteria}"),
                        None => criteria,
                    });
                }
                "include" => {
                    for value in values {
                        self.include(capture, text, line, value, block.as_deref(), depth);
                    }
                }
                name => self.set(block.as_deref(), name, values, at(&text.path, line)),
            }
        }
    }

    fn include(
        &mut self,
        capture: &Capture,
        text: &Text,
        line: u32,
        pattern: &str,
        block: Option<&str>,
        depth: usize,
    ) {
        let pattern = match pattern.starts_with('/') {
            true => pattern.to_owned(),
            false => format!("/etc/ssh/{pattern}"),
        };
        for path in super::paths(capture, &pattern) {
            if depth >= DEPTH_MAX || self.files >= FILES_MAX {
                self.problems.push((text.path.clone(), line, "include too deep"));
                return;
            }
            match super::text(capture, &path) {
                Some(included) => self.file(capture, &included, block, depth + 1),
                None => self.problems.push((path, 0, "included and not read")),
            }
        }
    }

    fn set(&mut self, block: Option<&str>, name: &str, values: &[String], origin: Origin) {
        let place = match block {
            None => &mut self.global,
            Some(criteria) => {
                let at = self.blocks.iter().position(|(known, _)| known == criteria);
                let at = at.unwrap_or_else(|| {
                    self.blocks.push((criteria.to_owned(), Block::new()));
                    self.blocks.len() - 1
                });
                &mut self.blocks[at].1
            }
        };
        let values: Vec<String> =
            if name == "subsystem" { vec![values.join(" ")] } else { values.to_vec() };
        let keyword = current(name).to_owned();
        match place.get_mut(&keyword) {
            None => {
                place.insert(keyword, Setting { values, origin });
            }
            Some(known) if LISTS.contains(&name) => known.values.extend(values),
            Some(_) => {}
        }
    }
}

/// `User a Address b` with the names in one spelling.
fn criteria(values: &[String]) -> String {
    let mut out = Vec::new();
    let mut is_name = true;
    for value in values {
        if !is_name {
            out.push(value.clone());
            is_name = true;
            continue;
        }
        // Newer versions take `User=a` as well.
        let (name, rest) =
            value.split_once('=').map_or((value.as_str(), None), |(n, r)| (n, Some(r)));
        let name = name.to_ascii_lowercase();
        is_name = name == "all" || name == "invalid-user" || rest.is_some();
        out.push(name);
        out.extend(rest.map(str::to_owned));
    }
    out.join(" ")
}

/// Old spellings of the same setting.
fn current(name: &str) -> &str {
    match name {
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication",
        "dsaauthentication" => "pubkeyauthentication",
        "pubkeyacceptedkeytypes" => "pubkeyacceptedalgorithms",
        "hostbasedacceptedkeytypes" => "hostbasedacceptedalgorithms",
        other => other,
    }
}

/// Words of a line, the keyword first; `=` may stand after the keyword. None for an open quote.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Some(Vec::new());
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let mut words = vec![keyword.to_owned()];
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = rest.strip_prefix('=').unwrap_or(rest).chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(open) if c == open => quote = None,
            _ if c == '\\' && chars.peek().is_some_and(|next| "\"'\\".contains(*next)) => {
                word.extend(chars.next());
            }
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '#' && word.is_empty() => break,
            None if c.is_whitespace() => flush(&mut word, &mut words),
            None => word.push(c),
        }
    }
    flush(&mut word, &mut words);
    quote.is_none().then_some(words)
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// Who connects, for [`sshd_effective`].
#[derive(Clone, Debug, Default)]
pub struct Connection<'a> {
    pub user: &'a str,
    /// Groups of the user.
    pub groups: &'a [&'a str],
    pub host: &'a str,
    pub address: &'a str,
    pub local_address: &'a str,
    pub local_port: u16,
}

/// What `sshd -T -C` says for that connection: keyword to values.
pub fn sshd_effective(facts: &Facts, connection: &Connection<'_>) -> BTreeMap<String, Vec<String>> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_list().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut effective = BTreeMap::new();
    let mut matched: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let order = facts.get(Class::Sshd, b"match").map(|fact| texts(&fact.value)).unwrap_or_default();
    for fact in facts.class(Class::Sshd) {
        let name = fact.name.to_string();
        if name != "match" && !name.starts_with("match ") {
            effective.insert(name, texts(&fact.value));
        }
    }
    for criteria in order.iter().filter(|criteria| meets(criteria, connection)) {
        let prefix = format!("match {criteria}/");
        for fact in facts.class(Class::Sshd) {
            let name = fact.name.to_string();
            if let Some(keyword) = name.strip_prefix(&prefix) {
                let values = texts(&fact.value);
                match matched.get_mut(keyword) {
                    None => {
                        matched.insert(keyword.to_owned(), values);
                    }
                    Some(known) if LISTS.contains(&keyword) => known.extend(values),
                    Some(_) => {}
                }
            }
        }
    }
    effective.extend(matched);
    effective
}

/// Whether a connection meets all criteria of a block; one that is not known is not met.
fn meets(criteria: &str, connection: &Connection<'_>) -> bool {
    let mut words = criteria.split(' ');
    while let Some(name) = words.next() {
        let hit = match name {
            "all" => true,
            "invalid-user" => false,
            _ => {
                let Some(patterns) = words.next() else { return false };
                match name {
                    "user" => list(patterns, connection.user, false),
                    "group" => {
                        let groups = connection.groups;
                        groups.iter().any(|group| list(patterns, group, false))
                            && !groups.iter().any(|group| denied(patterns, group))
                    }
                    "host" => list(
                        &patterns.to_ascii_lowercase(),
                        &connection.host.to_ascii_lowercase(),
                        false,
                    ),
                    "address" => list(patterns, connection.address, true),
                    "localaddress" => list(patterns, connection.local_address, true),
                    "localport" => patterns.parse() == Ok(connection.local_port),
                    _ => false,
                }
            }
        };
        if !hit {
            return false;
        }
    }
    true
}

/// A list of patterns: one must match, and none with `!` may.
fn list(patterns: &str, text: &str, addresses: bool) -> bool {
    let hit = |pattern: &str| match addresses && pattern.contains('/') {
        true => in_network(text, pattern).unwrap_or(false),
        false => crate::glob::loose(pattern.as_bytes(), text.as_bytes()),
    };
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(inner) if hit(inner) => return false,
            Some(_) => {}
            None => found |= hit(pattern),
        }
    }
    found
}

fn denied(patterns: &str, text: &str) -> bool {
    let refused = patterns.split(',').filter_map(|pattern| pattern.strip_prefix('!'));
    refused.into_iter().any(|pattern| crate::glob::loose(pattern.as_bytes(), text.as_bytes()))
}

fn in_network(address: &str, network: &str) -> Option<bool> {
    let (base, bits) = network.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    let bytes = |text: &str| -> Option<Vec<u8>> {
        Some(match text.parse::<core::net::IpAddr>().ok()? {
            core::net::IpAddr::V4(v4) => v4.octets().to_vec(),
            core::net::IpAddr::V6(v6) => v6.octets().to_vec(),
        })
    };
    let (address, base) = (bytes(address)?, bytes(base)?);
    let bit =
        |bytes: &[u8], at: u32| bytes.get(at as usize / 8).map(|byte| byte >> (7 - at % 8) & 1);
    let fits = bits as usize <= base.len() * 8 && address.len() == base.len();
    Some(fits && (0..bits).all(|at| bit(&address, at) == bit(&base, at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_networks_match_as_in_sshd() {
        assert!(list("a*,!ab", "aa", false) && !list("a*,!ab", "ab", false));
        assert!(list("10.0.0.0/8", "10.2.3.4", true) && !list("10.0.0.0/8", "11.2.3.4", true));
        assert!(list("fe80::/10", "fe80::1", true));
        assert!(meets(
            "user git address 10.*",
            &Connection { user: "git", address: "10.1.1.1", ..Connection::default() }
        ));
        assert!(!meets("user git unknown x", &Connection { user: "git", ..Connection::default() }));
        assert_eq!(criteria(&["User=a".into(), "Host".into(), "B".into()]), "user a host B");
    }

    #[test]
    fn words_know_quotes_and_comments() {
        assert_eq!(
            words("X11Forwarding=yes # c"),
            Some(vec!["X11Forwarding".into(), "yes".into()])
        );
        assert_eq!(words("Banner \"x"), None);
        assert_eq!(
            words("Match Group \"a b\""),
            Some(vec!["Match".into(), "Group".into(), "a b".into()])
        );
    }
}
