//! Tables of cron. Values of variables are kept only for the ones that steer cron itself.

use super::{Sink, Text, at, base, settings, val};
use crate::{
    bytes::Bytes,
    capture::{Digest, Kind},
    fact::{Class, Value},
};

const STEERING: [&str; 6] = ["PATH", "SHELL", "HOME", "MAILTO", "MAILFROM", "CRON_TZ"];

pub(crate) fn facts(sink: &mut Sink<'_>) {
    if let Some(text) = sink.text("/etc/crontab") {
        table(sink, &text, None, true);
    }
    for text in sink.matching("/etc/cron.d/*") {
        let active = runs(base(&text.path));
        table(sink, &text, None, active);
    }
    for text in sink.matching("/var/spool/cron/crontabs/*") {
        let owner = base(&text.path).to_owned();
        table(sink, &text, Some(&owner), true);
    }
    for period in ["hourly", "daily", "weekly", "monthly", "yearly"] {
        for path in super::paths(sink.capture, &format!("/etc/cron.{period}/*")) {
            script(sink, &path, period);
        }
    }
    for name in ["cron.allow", "cron.deny", "at.allow", "at.deny"] {
        let path = format!("/etc/{name}");
        if let Some(text) = sink.text(&path) {
            let users = super::sorted(settings(&text.text).map(|(_, user)| user));
            sink.add(Class::Cron, Bytes::parse(&path), users, at(&path, 0));
        }
    }
    for (line, entry) in sink.text("/etc/anacrontab").iter().flat_map(|text| settings(&text.text)) {
        let words: Vec<&str> = entry.splitn(4, char::is_whitespace).collect();
        if let [period, delay, name, command] = words[..] {
            let value = Value::map([
                ("schedule", val(period)),
                ("delay", val(delay)),
                ("command", val(command.trim())),
            ]);
            sink.add(
                Class::Cron,
                Bytes::parse(&format!("/etc/anacrontab {name}")),
                value,
                at("/etc/anacrontab", line),
            );
        }
    }
}

/// A table of a user has no user column.
fn table(sink: &mut Sink<'_>, text: &Text, owner: Option<&str>, active: bool) {
    for (line, entry) in settings(&text.text) {
        let found = variable(entry).or_else(|| job(entry, owner));
        let Some((name, value)) = found else {
            sink.problem(&text.path, line, "not an entry of cron");
            continue;
        };
        let key = format!("{} {name}", text.path);
        let value = if active { value } else { Value::map([("inactive", value)]) };
        sink.add(Class::Cron, Bytes::parse(&key), value, at(&text.path, line));
    }
}

fn variable(line: &str) -> Option<(String, Value)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_matches(['"', '\'']);
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(named) {
        return None;
    }
    let shown = if STEERING.contains(&name) { value.trim() } else { "[cut]" };
    Some((name.to_owned(), Value::map([("variable", val(name)), ("value", val(shown))])))
}

fn job(line: &str, owner: Option<&str>) -> Option<(String, Value)> {
    let columns = if line.starts_with('@') { 1 } else { 5 };
    let mut schedule = Vec::new();
    let mut rest = line;
    for _ in 0..columns {
        schedule.push(word(&mut rest)?);
    }
    let user = match owner {
        Some(owner) => owner,
        None => word(&mut rest)?,
    };
    let command = rest.trim();
    if command.is_empty() {
        return None;
    }
    let schedule = schedule.join(" ");
    let value =
        Value::map([("schedule", val(&schedule)), ("user", val(user)), ("command", val(command))]);
    Some((format!("{user} {command}"), value))
}

fn word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let trimmed = rest.trim_start();
    let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
    let (word, after) = trimmed.split_at(end);
    *rest = after;
    (!word.is_empty()).then_some(word)
}

fn script(sink: &mut Sink<'_>, path: &str, period: &str) {
    let Ok(real) = sink.capture.resolve(Bytes::parse(path).as_slice()) else { return };
    let Some(entry) = sink.capture.entry(&real).filter(|entry| entry.kind() == Kind::File) else {
        return;
    };
    let active = runs(base(path)) && entry.mode & 0o111 != 0;
    let digest = match sink.capture.contents.get(&real[..]).map(|content| content.digest) {
        Some(Digest::Plain(hash)) => val(&hex::encode(hash)),
        Some(Digest::Keyed(print)) => Value::Secret(print),
        None => Value::Absent,
    };
    let value = Value::map([
        ("schedule", val(period)),
        ("active", Value::Bool(active)),
        ("sha256", digest),
    ]);
    sink.add(Class::Cron, Bytes::parse(path), value, at(path, 0));
}

/// Debian's cron and run-parts skip names with other characters, such as `x.dpkg-old`.
pub(crate) fn runs(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}
