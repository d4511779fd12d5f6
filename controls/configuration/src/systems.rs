//! Systems and the eight considerations: what was designed, and what the checks of their hosts say.
//!
//! Invariants: a consideration nobody answered is unknown, whatever the checks say short of a failure; "not applicable"
//! counts only where it was signed; what was checked longer ago than [`FRESH_HOURS`] is unchecked.
//!
//! Limits: [`SYSTEMS_MAX`] systems of one page, the newest [`RUNS_MAX`] check runs.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Record, Row, Store, StoreError, Within};

use crate::{
    design::FAMILY_DESIGN,
    kinds::FAMILIES,
    registers::{fact, number, reference},
    work::seen,
};

pub(crate) const CHECK: &str = "configuration.check_run";
pub(crate) const SYSTEMS_MAX: usize = 200;
const RUNS_MAX: usize = 8_000;
const ANSWERS_MAX: usize = 4_000;
/// Check runs of one host that are looked at for the newest of each consideration.
const OF_HOST_MAX: usize = 16;
const FRESH_HOURS: i64 = 7 * 24;
const ANSWER_HOURS: i64 = 365 * 24;

/// How a consideration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Fail,
    Unanswered,
    Old,
    NotApplicable,
    Unchecked,
    Pass,
}

impl Mark {
    pub fn as_str(self) -> &'static str {
        match self {
            Mark::Fail => "fail",
            Mark::Unanswered => "unanswered",
            Mark::Old => "old",
            Mark::NotApplicable => "not_applicable",
            Mark::Unchecked => "unchecked",
            Mark::Pass => "pass",
        }
    }

    /// Class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Mark::Fail => "fail",
            Mark::Unanswered | Mark::Unchecked => "unknown",
            Mark::Old => "stale",
            Mark::NotApplicable => "excluded",
            Mark::Pass => "pass",
        }
    }
}

/// One system under one consideration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub mark: Mark,
    /// Design values.
    pub values: i64,
    /// Checks that fail on its hosts.
    pub failures: i64,
}

/// A system with its hosts.
pub(crate) struct System {
    pub row: Row,
    pub hosts: Vec<Row>,
    /// In the order of [`FAMILIES`].
    pub cells: Vec<Cell>,
}

/// All systems in use that the reader sees.
pub(crate) async fn all(store: &Store, within: &Within) -> Result<Vec<System>, StoreError> {
    let mut rows = store.all(Table::Asset, &["system"]).await?;
    rows.retain(|row| row.status == "active");
    rows.truncate(SYSTEMS_MAX);
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let reached = store.reached(Table::Asset, &ids, within).await?;
    rows.retain(|row| reached.contains(&row.id));
    let hosts = seen::hosts(store, within).await?;
    let answers = store.newest_records(&[FAMILY_DESIGN], None, ANSWERS_MAX).await?;
    let runs = store.newest_records(&[CHECK], None, RUNS_MAX).await?;
    let now = store.now();
    Ok(rows.into_iter().map(|row| system(row, &hosts, &answers, &runs, now)).collect())
}

/// One system, if the reader sees it.
pub(crate) async fn one(
    store: &Store,
    id: Id,
    within: &Within,
) -> Result<Option<System>, StoreError> {
    let row = store.rows_by_id(Table::Asset, &[id]).await?.pop();
    let Some(row) = row.filter(|row| row.kind == "system") else { return Ok(None) };
    if !store.reaches(Table::Asset, id, within).await? {
        return Ok(None);
    }
    let hosts = seen::hosts(store, within).await?;
    let answers = store.newest_records(&[FAMILY_DESIGN], Some(id), ANSWERS_MAX).await?;
    let mut runs = Vec::new();
    for host in hosts.iter().filter(|host| reference(host, "system") == Some(id)) {
        runs.extend(store.newest_records(&[CHECK], Some(host.id), OF_HOST_MAX).await?);
    }
    Ok(Some(system(row, &hosts, &answers, &runs, store.now())))
}

fn system(row: Row, hosts: &[Row], answers: &[Record], runs: &[Record], now: Timestamp) -> System {
    let own: Vec<Row> =
        hosts.iter().filter(|host| reference(host, "system") == Some(row.id)).cloned().collect();
    let ids: BTreeSet<Id> = own.iter().map(|host| host.id).collect();
    let of = |family: &str| {
        // The newest come first.
        let is_it =
            |record: &&Record| record.subject == Some(row.id) && fact(record, "family") == family;
        let answer = answers.iter().find(is_it);
        let mut newest: BTreeMap<Id, &Record> = BTreeMap::new();
        for run in runs.iter().filter(|run| fact(run, "family") == family) {
            if let Some(host) = run.subject.filter(|host| ids.contains(host)) {
                newest.entry(host).or_insert(run);
            }
        }
        cell(answer, &newest.into_values().collect::<Vec<_>>(), ids.len(), now)
    };
    let cells = FAMILIES.iter().map(|family| of(family.value)).collect();
    System { row, hosts: own, cells }
}

fn cell(answer: Option<&Record>, runs: &[&Record], hosts: usize, now: Timestamp) -> Cell {
    let fresh: Vec<&&Record> =
        runs.iter().filter(|run| run.observed_to >= now.minus_hours(FRESH_HOURS)).collect();
    let failures = fresh.iter().map(|run| number(run, "failures")).sum();
    let whole = |run: &&&Record| {
        run.facts.get("ran").and_then(Json::as_bool) == Some(true) && number(run, "checks") > 0
    };
    let is_checked = hosts > 0 && fresh.iter().filter(|run| whole(run)).count() == hosts;
    let values = answer.map_or(0, |answer| number(answer, "values"));
    let mark = match answer {
        _ if failures > 0 => Mark::Fail,
        None => Mark::Unanswered,
        Some(answer) if answer.observed_to < now.minus_hours(ANSWER_HOURS) => Mark::Old,
        Some(answer) if fact(answer, "answer") == "not_applicable" => {
            if number(answer, "signatures") > 0 { Mark::NotApplicable } else { Mark::Unanswered }
        }
        Some(_) if values == 0 => Mark::Unanswered,
        Some(_) if !is_checked => Mark::Unchecked,
        Some(_) => Mark::Pass,
    };
    Cell { mark, values, failures }
}

#[cfg(test)]
mod tests {
    use model::Assurance;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn record(facts: Json, hours_ago: i64) -> Record {
        let at = NOW.minus_hours(hours_ago);
        Record {
            id: Id::nil(),
            ty: String::new(),
            subject: None,
            actor: String::new(),
            observed_from: at,
            observed_to: at,
            received_at: at,
            source: String::new(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload_commit: None,
            leaf_index: None,
        }
    }

    #[test]
    fn an_unanswered_or_unchecked_consideration_never_passes_and_a_failure_goes_first() {
        let answer = record(json!({"answer": "design", "values": 3}), 24);
        let old = record(json!({"answer": "design", "values": 3}), 24 * 400);
        let unsigned = record(json!({"answer": "not_applicable"}), 1);
        let signed = record(json!({"answer": "not_applicable", "signatures": 1}), 1);
        let good = record(json!({"ran": true, "checks": 4, "failures": 0}), 2);
        let bad = record(json!({"ran": false, "checks": 4, "failures": 2}), 2);
        let stale = record(json!({"ran": true, "checks": 4, "failures": 0}), 24 * 8);
        let mark =
            |answer: Option<&Record>, runs: &[&Record], hosts| cell(answer, runs, hosts, NOW).mark;
        assert_eq!(mark(Some(&answer), &[&good], 1), Mark::Pass);
        assert_eq!(mark(Some(&answer), &[&good], 2), Mark::Unchecked, "one of two hosts");
        assert_eq!(mark(Some(&answer), &[&stale], 1), Mark::Unchecked);
        assert_eq!(mark(Some(&answer), &[], 0), Mark::Unchecked);
        assert_eq!(mark(None, &[&good], 1), Mark::Unanswered);
        assert_eq!(mark(None, &[&bad], 1), Mark::Fail);
        assert_eq!(mark(Some(&old), &[&good], 1), Mark::Old);
        assert_eq!(mark(Some(&unsigned), &[&good], 1), Mark::Unanswered);
        assert_eq!(mark(Some(&signed), &[], 0), Mark::NotApplicable);
    }
}
