//! The state of each source that the register knows and of hosts that are heard without an agent, for the records.
//!
//! Counts are those of the lines that were read behind the spool: what was refused or lost before stands in the record
//! of the machine that took it in.

use std::collections::BTreeMap;

use model::{Id, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft};

use super::{Logs, sources::Line};
use crate::work::alerts;

pub const STATUS: &str = "monitoring.source_status";
/// A state is recorded so often, and when it changes.
const EVERY_H: i64 = 6;
/// Hosts that are looked up in the register.
const HOSTS_MAX: usize = 500;

/// Whether everything that this machine sends itself has fallen silent.
pub fn is_this_machine_silent(lines: &[Line]) -> bool {
    let own = lines.iter().filter(|line| line.row.is_none() && is_own(line));
    let mut silent = own.map(|line| line.silent.is_some()).peekable();
    silent.peek().is_some() && silent.all(|is_silent| is_silent)
}

fn is_own(line: &Line) -> bool {
    let names_it = line.host.is_empty() || line.host.eq_ignore_ascii_case(&room::host_name());
    names_it && !line.source.contains('/')
}

/// Records that are due, of rows of the register and of hosts.
pub async fn due(ctx: &Shared, now: Timestamp) -> Result<Vec<RecordDraft>, Error> {
    let shown = ctx.house.kept.get::<Logs>().shown();
    let mut found: BTreeMap<Id, (Json, String)> = BTreeMap::new();
    for line in shown.sources.iter().filter(|line| line.last > 0 || line.silent.is_some()) {
        if let Some(row) = line.row {
            found
                .insert(row, (facts(std::slice::from_ref(line), &line.class), line.source.clone()));
        }
    }
    for (host, lines) in hosts(&shown.sources) {
        if let Some(id) = alerts::host_of(ctx, "", &host).await? {
            found.insert(id, (facts(&lines, "system"), host));
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let newest = ctx.store().latest_per_subject(&[STATUS]).await?;
    let is_due = |id: &Id, facts: &Json| {
        let last = newest.iter().find(|record| record.subject == Some(*id));
        last.is_none_or(|record| is_old(record, facts, now))
    };
    let due = found.into_iter().filter(|(id, (facts, _))| is_due(id, facts));
    let drafts = due.map(|(id, (facts, source))| {
        let mut draft = room::draft(STATUS, Some(id), now, facts);
        draft.source = source;
        draft
    });
    Ok(drafts.collect())
}

fn is_old(record: &Record, facts: &Json, now: Timestamp) -> bool {
    now.hours_since(record.observed_to) >= EVERY_H
        || record.facts.get("silent") != facts.get("silent")
}

/// Hosts that others speak of: agents report of theirs, and this machine has its own record.
fn hosts(lines: &[Line]) -> BTreeMap<String, Vec<Line>> {
    let mut hosts: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.row.is_none() && !line.source.contains('/')) {
        if !is_own(line) && (hosts.len() < HOSTS_MAX || hosts.contains_key(&line.host)) {
            hosts.entry(line.host.clone()).or_default().push(line.clone());
        }
    }
    hosts
}

/// Silent is who says nothing at all any more.
fn facts(lines: &[Line], class: &str) -> Json {
    let read: u64 = lines.iter().map(|line| line.lines).sum();
    let bytes: u64 = lines.iter().map(|line| line.bytes).sum();
    json!({
        "source_class": class,
        "received": read,
        "stored": read,
        "refused_total": 0,
        "lost_total": 0,
        "lost_permille": 0,
        "evaluated": read,
        "pending": 0,
        "lag_max_ms": 0,
        "bytes": bytes,
        "silent": lines.iter().all(|line| line.silent.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: &str, host: &str, silent: Option<i64>) -> Line {
        Line {
            source: source.to_owned(),
            host: host.to_owned(),
            last: 1,
            lines: 2,
            bytes: 3,
            usual: None,
            alarm_after: None,
            silent,
            row: None,
            class: String::new(),
        }
    }

    #[test]
    fn a_machine_is_silent_when_all_of_its_sources_are() {
        assert!(!is_this_machine_silent(&[]), "nothing is known");
        let own = room::host_name();
        assert!(!is_this_machine_silent(&[
            line("syslog", "", Some(1)),
            line("journal", &own, None)
        ]));
        assert!(is_this_machine_silent(&[
            line("syslog", "", Some(1)),
            line("journal", &own, Some(1)),
            line("agent/syslog", "", None),
            line("syslog", "other", None),
        ]));
    }

    #[test]
    fn hosts_without_an_agent_are_told_apart() {
        let lines = [
            line("syslog", "db1", Some(1)),
            line("relp", "db1", None),
            line("web1/journal", "web1", None),
            line("syslog", "", None),
        ];
        let hosts = hosts(&lines);
        assert_eq!(hosts.keys().collect::<Vec<_>>(), ["db1"]);
        let told = facts(&hosts["db1"], "system");
        assert_eq!((told["received"].clone(), told["silent"].clone()), (json!(4), json!(false)));
        let spec = crate::SPEC.records.iter().find(|r| r.ty == STATUS).unwrap();
        assert_eq!(spec.validate(told.as_object().unwrap()), []);
    }
}
