//! An event without what is about a person. Pure.
//!
//! Accounts, client addresses and e-mail addresses give way to [`MASK`]: as values of the fields that hold them, and wherever
//! those values stand in other fields, the message and the raw line. Machines and programs stay, so that a masked event is
//! still an event. Accounts that are no person's (`root`, `SYSTEM`, `-`) stay too.

use std::borrow::Cow;

use crate::event::Event;

pub const MASK: &str = "•••";
/// Shorter values are masked in their field only: as parts of other words they are everywhere.
const CHARS_MIN: usize = 2;
/// Values of one event that are looked for in its texts.
const VALUES_MAX: usize = 32;
/// Field names, folded; of a dotted name the last part counts too.
const NAMES: &[&str] = &[
    "user",
    "username",
    "user_name",
    "target_user",
    "ruser",
    "suser",
    "duser",
    "invalid_user_name",
    "account",
    "accountname",
    "targetusername",
    "subjectusername",
    "samaccountname",
    "userprincipalname",
    "upn",
    "login",
    "email",
    "mail",
    "src_ip",
    "srcip",
    "sourceip",
    "sourceaddress",
    "ipaddress",
    "clientip",
    "client_ip",
    "c-ip",
    "remote_addr",
    "remoteip",
    "cs-username",
    "suid",
    "auid",
    "acct",
    "usrname",
    "src",
    "displayname",
    "alternateid",
    "sourceuser",
    "destinationuser",
    "sourceipaddress",
    "callingstationid",
    "xauthuser",
];
/// Accounts of the system.
const NOBODY: &[&str] = &[
    "root",
    "system",
    "nobody",
    "local service",
    "network service",
    "anonymous logon",
    "-",
    "0",
    "127.0.0.1",
    "::1",
    "localhost",
    "unknown",
    "(none)",
    "unset",
    "4294967295",
];

/// Whether a field of this name is about a person.
pub fn is_personal(name: &str) -> bool {
    let folded = name.to_lowercase();
    let last = folded.rsplit('.').next().unwrap_or_default();
    NAMES.contains(&folded.as_str()) || NAMES.contains(&last)
}

/// The event without what is about a person.
pub fn masked(mut event: Event) -> Event {
    let mut values: Vec<String> = Vec::new();
    for (name, value) in &mut event.fields {
        let is_person = !NOBODY.contains(&value.to_lowercase().as_str());
        if is_personal(name) && is_person && !value.is_empty() {
            if value.chars().count() >= CHARS_MIN && values.len() < VALUES_MAX {
                values.push(std::mem::take(value));
            }
            MASK.clone_into(value);
        }
    }
    // The longest first, or a part of one would spoil it.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for text in event.fields.values_mut().chain([&mut event.message]) {
        if let Cow::Owned(changed) = without(text, &values) {
            *text = changed;
        }
    }
    if let Cow::Owned(changed) = without(&String::from_utf8_lossy(&event.raw), &values) {
        event.raw = changed.into_bytes();
    }
    event
}

/// The text with the values, and e-mail addresses, masked where they stand as words of their own.
fn without<'a>(text: &'a str, values: &[String]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for value in values {
        if text.contains(value.as_str()) {
            text = Cow::Owned(replaced(&text, value));
        }
    }
    if text.contains('@') {
        let changed = without_mail(&text);
        if changed != *text {
            text = Cow::Owned(changed);
        }
    }
    text
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn replaced(text: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, behind) = (&rest[..at], &rest[at + value.len()..]);
        let joins = |inner: Option<char>, outer: Option<char>| {
            inner.is_some_and(is_word) && outer.is_some_and(is_word)
        };
        let is_part = joins(value.chars().next(), before.chars().next_back())
            || joins(value.chars().next_back(), behind.chars().next());
        out.push_str(before);
        out.push_str(if is_part { value } else { MASK });
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn without_mail(text: &str) -> String {
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let is_domain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('@') {
        let local = rest[..at].len() - rest[..at].trim_end_matches(is_local).len();
        let behind = &rest[at + 1..];
        let domain = behind.len() - behind.trim_start_matches(is_domain).len();
        let is_mail = local > 0 && behind[..domain].trim_end_matches('.').contains('.');
        match is_mail {
            true => {
                out.push_str(&rest[..at - local]);
                out.push_str(MASK);
                rest = &behind[domain..];
            }
            false => {
                out.push_str(&rest[..=at]);
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::{RawLine, event::Format, parse};

    fn event(line: &str) -> Event {
        let raw = RawLine::with_format(line, Format::Auto);
        parse(&raw, "auth", Timestamp(1_800_000_000_000_000), &jiff::tz::TimeZone::UTC)
    }

    #[test]
    fn accounts_and_addresses_give_way_wherever_they_stand() {
        let line = "2026-11-25T10:00:00Z web1 sshd[7]: Failed password for yamada from 192.0.2.7 port 22 ssh2";
        let masked = masked(event(line));
        for text in masked.fields.values().chain([&masked.message]) {
            assert!(!text.contains("yamada") && !text.contains("192.0.2.7"), "{text}");
        }
        let raw = String::from_utf8(masked.raw.clone()).unwrap();
        assert!(raw.ends_with("Failed password for ••• from ••• port 22 ssh2"), "{raw}");
        assert_eq!(masked.host, "web1");
    }

    #[test]
    fn what_is_nobodys_stays() {
        let line = "2026-11-25T10:00:00Z web1 sshd[7]: Accepted publickey for root from 127.0.0.1 port 22 ssh2";
        let before = event(line);
        assert_eq!(masked(before.clone()), before);
    }

    #[test]
    fn parts_of_words_stay_and_mail_goes() {
        let values = ["al".to_owned(), "山田".to_owned()];
        assert_eq!(without("al sent normal mail", &values), "••• sent normal mail");
        assert_eq!(without("利用者 山田 です", &values), "利用者 ••• です");
        assert_eq!(without("to=<a.b@example.jp>, x@y @ z", &[]), "to=<•••>, x@y @ z");
        assert!(matches!(without("nothing here", &values), Cow::Borrowed(_)));
    }
}
