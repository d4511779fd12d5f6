//! Keys that open a log-in, host keys, and when somebody logged in last.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{Sink, Text, at, settings, val};
use crate::{
    bytes::Bytes,
    fact::{Class, Unit, Value},
};

pub(crate) fn facts(sink: &mut Sink<'_>) {
    host_keys(sink);
    let mut seen = BTreeSet::new();
    for (user, home) in homes(sink) {
        for name in ["authorized_keys", "authorized_keys2"] {
            let path = format!("{}/.ssh/{name}", home.trim_end_matches('/'));
            if seen.insert((user.clone(), path.clone())) {
                if let Some(text) = sink.text(&path) {
                    keys(sink, &user, &text);
                }
            }
        }
    }
    last_logins(sink);
}

fn homes(sink: &Sink<'_>) -> Vec<(String, String)> {
    let users = sink.facts.iter().filter(|fact| fact.class == Class::User);
    let homes = users.filter_map(|fact| {
        Some((
            fact.name.to_string(),
            fact.attribute("home").filter(|h| h.starts_with('/'))?.to_owned(),
        ))
    });
    homes.collect()
}

fn host_keys(sink: &mut Sink<'_>) {
    for text in sink.matching("/etc/ssh/ssh_host_*_key.pub") {
        let words: Vec<&str> = text.text.split_whitespace().take(2).collect();
        if let [kind, _] = words[..] {
            let value = val(&words.join(" "));
            let name = format!("ssh/{kind}");
            sink.add(Class::HostKey, Bytes::parse(&name), value, at(&text.path, 1));
        }
    }
}

/// sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
fn keys(sink: &mut Sink<'_>, user: &str, text: &Text) {
    for (line, entry) in settings(&text.text) {
        let Some((options, kind, blob, comment)) = key(entry) else {
            sink.problem(&text.path, line, "not a public key");
            continue;
        };
        let Ok(bytes) = STANDARD.decode(blob.trim_end_matches('=').to_owned() + padding(blob))
        else {
            sink.problem(&text.path, line, "not a public key");
            continue;
        };
        let print = STANDARD.encode(Sha256::digest(&bytes));
        let name = format!("{user} SHA256:{}", print.trim_end_matches('='));
        let value = Value::map([
            ("user", val(user)),
            ("type", val(kind)),
            ("key", val(blob)),
            ("options", val(options)),
            ("comment", val(comment)),
            ("file", val(&text.path)),
        ]);
        sink.add(Class::AuthorizedKey, Bytes::parse(&name), value, at(&text.path, line));
    }
}

fn padding(blob: &str) -> &'static str {
    match blob.trim_end_matches('=').len() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    }
}

/// Options, type, key, comment; a quoted option may hold blanks.
fn key(entry: &str) -> Option<(&str, &str, &str, &str)> {
    let is_type = |word: &str| {
        ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| word.starts_with(prefix))
    };
    let mut rest = entry;
    let mut options = "";
    if !is_type(entry) {
        let mut quoted = false;
        let end = entry.char_indices().find(|(at, c)| {
            quoted ^= *c == '"' && !entry[..*at].ends_with('\\');
            c.is_whitespace() && !quoted
        });
        let (end, _) = end?;
        options = &entry[..end];
        rest = entry[end..].trim_start();
    }
    let (kind, rest) = rest.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (blob, comment) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    is_type(kind).then_some((options, kind, blob, comment.trim()))
}

/// lastlog(5) holds one entry per uid: seconds, line, host. A day is kept, no host.
fn last_logins(sink: &mut Sink<'_>) {
    const ENTRY: usize = 292;
    const WTMP: usize = 384;
    const USER_PROCESS: i16 = 7;
    const DAY: i64 = 86_400;
    let mut days: BTreeMap<String, i64> = BTreeMap::new();
    if let Some(content) = sink.capture.contents.get(&b"/var/log/lastlog"[..]) {
        for fact in sink.facts.iter().filter(|fact| fact.class == Class::User) {
            let uid = fact.value.get("uid").and_then(Value::as_int).unwrap_or(-1);
            let Ok(at) = usize::try_from(uid) else { continue };
            let entry =
                content.bytes.get(at.saturating_mul(ENTRY)..).and_then(|b| b.first_chunk::<4>());
            let seconds = entry.map_or(0, |bytes| i64::from(u32::from_le_bytes(*bytes)));
            if seconds > 0 {
                days.insert(fact.name.to_string(), seconds / DAY);
            }
        }
    }
    if let Some(content) = sink.capture.contents.get(&b"/var/log/wtmp"[..]) {
        for entry in content.bytes.chunks_exact(WTMP) {
            if i16::from_le_bytes([entry[0], entry[1]]) != USER_PROCESS {
                continue;
            }
            let name = entry[44..76].split(|byte| *byte == 0).next().unwrap_or_default();
            let seconds = u32::from_le_bytes([entry[340], entry[341], entry[342], entry[343]]);
            let day = days.entry(Bytes::from(name).to_string()).or_default();
            *day = (*day).max(i64::from(seconds) / DAY);
        }
    }
    for (user, day) in days {
        let value = Value::Quantity(day, Unit::Days);
        sink.add(Class::LastLogin, Bytes::parse(&user), value, at("/var/log/lastlog", 0));
    }
}
