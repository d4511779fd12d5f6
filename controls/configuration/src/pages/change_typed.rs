//! What the form of a change holds, as typed: from a form, from a change, and back to a scope.

use std::collections::BTreeSet;

use jiff::{civil::DateTime, tz::TimeZone};
use model::{Id, Timestamp};
use serde_json::{Value as Json, json};

use crate::work::changes::{
    Change,
    scope::{ChangeScope, Hosts, ScopeError},
    text,
};

const CHOICES_MAX: usize = 500;
const HOURS_USUAL: i64 = 2;

/// What the form holds, as typed.
#[derive(Clone, Default)]
pub struct Typed {
    pub name: String,
    pub kind: String,
    pub reason: String,
    pub all_hosts: bool,
    pub hosts: BTreeSet<String>,
    pub settings: String,
    pub exact: String,
    pub actors: BTreeSet<String>,
    pub pattern: String,
    pub from: String,
    pub to: String,
    pub undo: String,
    pub tests: String,
    /// Search among the facts of a host.
    pub find_host: String,
    pub find: String,
    pub version: i64,
}

impl Typed {
    pub fn of_pairs(pairs: &[(String, String)]) -> Typed {
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.trim().to_owned())
                .unwrap_or_default()
        };
        let each = |name: &str| -> BTreeSet<String> {
            let own = pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.trim().to_owned());
            own.filter(|v| !v.is_empty()).take(CHOICES_MAX).collect()
        };
        let mut settings = get("settings");
        for pick in each("pick") {
            if !settings.lines().any(|line| line.trim() == pick) {
                settings = format!("{}\n{pick}", settings.trim_end()).trim_start().to_owned();
            }
        }
        Typed {
            name: get("name"),
            kind: get("type"),
            reason: get("reason"),
            all_hosts: get("all_hosts") == "true",
            hosts: each("host"),
            settings,
            exact: get("exact"),
            actors: each("actor"),
            pattern: get("pattern"),
            from: get("from"),
            to: get("to"),
            undo: get("undo"),
            tests: get("tests"),
            find_host: get("find_host"),
            find: get("find"),
            version: get("version").parse().unwrap_or(0),
        }
    }

    pub fn fresh(now: Timestamp, zone: &TimeZone) -> Typed {
        Typed {
            kind: "normal".to_owned(),
            from: local(now.plus_hours(1), zone),
            to: local(now.plus_hours(1 + HOURS_USUAL), zone),
            ..Typed::default()
        }
    }

    pub fn of_change(change: &Change, zone: &TimeZone) -> Typed {
        let said = |name: &str| text(&change.row, name).to_owned();
        let time = |name: &str| {
            Timestamp::parse(text(&change.row, name)).map(|at| local(at, zone)).unwrap_or_default()
        };
        let mut typed = Typed {
            name: change.row.name.clone(),
            kind: said("type"),
            reason: said("reason"),
            from: time("from"),
            to: time("to"),
            undo: said("undo"),
            tests: said("tests"),
            version: change.row.version,
            ..Typed::default()
        };
        let Some(scope) = &change.scope else { return typed };
        match &scope.hosts {
            Hosts::All => typed.all_hosts = true,
            Hosts::These(ids) => {
                typed.hosts = ids.iter().map(Id::to_string).collect();
            }
        }
        let lines = |all: Vec<String>| all.join("\n");
        typed.settings = lines(scope.settings.iter().map(|(text, _)| text.clone()).collect());
        let exact = scope
            .exact
            .iter()
            .map(|one| format!("{} = {}", one.setting, one.value.as_deref().unwrap_or("none")));
        typed.exact = lines(exact.collect());
        typed.actors = scope.actors.iter().map(Id::to_string).collect();
        typed.pattern = scope.pattern.map(|id| id.to_string()).unwrap_or_default();
        typed
    }

    /// The field `scope`.
    pub fn scope(&self) -> Result<ChangeScope, ScopeError> {
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect()
        };
        let mut exact = Vec::new();
        for line in lines(&self.exact) {
            let Some((setting, value)) = line.split_once('=') else {
                return Err(ScopeError::Value(line));
            };
            let value = value.trim();
            let gone = crate::sheet::value::is_nothing(value);
            let value = if gone { Json::Null } else { json!(value) };
            exact.push(json!({ "setting": setting.trim(), "value": value }));
        }
        let mut json = json!({
            "hosts": if self.all_hosts { json!("all") } else { json!(self.hosts) },
            "settings": lines(&self.settings),
            "exact": exact,
            "actors": self.actors,
        });
        if self.kind == "standard" && !self.pattern.is_empty() {
            json["pattern"] = json!(self.pattern);
        }
        ChangeScope::read(&json)
    }
}

/// A time as `datetime-local` takes it, where the organisation is.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(at).strftime("%Y-%m-%dT%H:%M").to_string()
}

pub fn time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Some(at) = Timestamp::parse(text) {
        return Some(at);
    }
    // With a date alone the library would take midnight.
    let civil: DateTime = text.contains('T').then(|| text.parse().ok())??;
    let at = zone.to_timestamp(civil).ok()?;
    Some(Timestamp(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_picked_joins_what_was_typed_and_a_time_is_where_the_organisation_is() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let typed = Typed::of_pairs(&[
            pair("settings", "sshd/port\n"),
            pair("pick", "sshd/port"),
            pair("pick", "sshd/banner"),
            pair("host", "a"),
            pair("host", "b"),
        ]);
        assert_eq!(typed.settings, "sshd/port\nsshd/banner");
        assert_eq!(typed.hosts.len(), 2);
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let at = time("2026-12-01T09:00", &zone).unwrap();
        assert_eq!(at.rfc3339(), "2026-12-01T00:00:00Z");
        assert_eq!(local(at, &zone), "2026-12-01T09:00");
        assert_eq!(time("2026-12-01", &zone), None);
        assert_eq!(time("soon", &zone), None);
    }

    #[test]
    fn values_are_read_line_by_line() {
        let typed = Typed {
            all_hosts: true,
            exact: "sshd/port = 2222\nuser/eve = なし\n".to_owned(),
            ..Typed::default()
        };
        let scope = typed.scope().unwrap();
        assert_eq!(scope.exact.len(), 2);
        assert_eq!(scope.exact[1].value, None);
        let wrong = Typed { exact: "sshd/port".to_owned(), all_hosts: true, ..Typed::default() };
        assert_eq!(wrong.scope().unwrap_err().part(), "exact");
    }
}
