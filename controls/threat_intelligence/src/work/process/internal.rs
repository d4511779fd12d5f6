//! What comes from inside: incidents, grave findings and reports of employees, each judged as intelligence or not; and
//! whether each new set of indicators was looked for in what came before.
//!
//! Invariants: nothing is settled by age; what became an incident is judged with it; a set counts as looked for if it,
//! or one that took its place within [`HUNT_HOURS`], was.

use std::collections::{BTreeMap, BTreeSet};

use model::{Assurance, Id, Text, Timestamp, t};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Store, StoreError, Write};

use crate::work::{
    publish::PUBLISHED,
    triage::{TRIAGED, limit_min},
};

pub const REVIEWED: &str = "threat_intelligence.internal_reviewed";
pub const FINDING: &str = "monitoring.finding";
const ACTOR: &str = "system:threat_intelligence.internal";
const ACTIVATED: &str = "monitoring.rule_activated";
const HUNT: &str = "monitoring.hunt_run";
const WINDOW_HOURS: i64 = 90 * 24;
const HUNT_HOURS: i64 = 24;
const RECORDS_MAX: usize = 50_000;
/// What is still open, by id.
const NAMED_MAX: usize = 100;
const AGAIN_HOURS: i64 = 24;
const MINUTE_MICROS: i64 = 60_000_000;

/// Which of the four a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    Incident,
    Finding,
    Report,
    Set,
}

impl Input {
    pub const ALL: [Input; 4] = [Input::Incident, Input::Finding, Input::Report, Input::Set];

    pub fn as_str(self) -> &'static str {
        match self {
            Input::Incident => "incident",
            Input::Finding => "finding",
            Input::Report => "employee_report",
            Input::Set => "indicator_set",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Input::Incident => t("インシデント", "Incident"),
            Input::Finding => t("重大な検知", "Grave finding"),
            Input::Report => t("従業員の報告", "Employee's report"),
            Input::Set => t("指標集", "Indicator set"),
        }
    }

    /// None for what nobody has to judge.
    pub fn of(finding: &Record) -> Option<Input> {
        let fact = |name: &str| finding.facts.get(name).and_then(Json::as_str).unwrap_or_default();
        match (fact("class"), fact("severity")) {
            ("incident", _) => Some(Input::Incident),
            ("report", _) => Some(Input::Report),
            (_, "high" | "critical") => Some(Input::Finding),
            _ => None,
        }
    }
}

/// Something from inside, judged or not.
#[derive(Clone, Debug)]
pub struct Inside {
    pub finding: Record,
    pub input: Input,
    pub judged: Option<Record>,
}

impl Inside {
    pub fn waited_min(&self, now: Timestamp) -> i64 {
        (now.0 - self.finding.received_at.0).max(0) / MINUTE_MICROS
    }

    /// Whether it should have been judged by now.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.judged.is_none() && self.waited_min(now) > limit_min(false, self.finding.received_at)
    }
}

/// All of the last 90 days, the newest first.
pub async fn all(store: &Store) -> Result<Vec<Inside>, StoreError> {
    let since = store.now().minus_hours(WINDOW_HOURS);
    let records = store.records_since(&[FINDING, TRIAGED], since, RECORDS_MAX).await?;
    let (findings, judged): (Vec<Record>, Vec<Record>) =
        records.into_iter().partition(|record| record.ty == FINDING);
    let of = |record: &Record| -> Option<Id> {
        record.facts.get("of").and_then(Json::as_str).and_then(|id| id.parse().ok())
    };
    let internal = |record: &&Record| record.facts.get("origin") == Some(&json!("internal"));
    let mut by: BTreeMap<Id, Record> = BTreeMap::new();
    for record in judged.iter().filter(internal) {
        for id in [record.subject, of(record)].into_iter().flatten() {
            by.insert(id, record.clone());
        }
    }
    // What became an incident is judged as that.
    let grown: BTreeSet<Id> = findings.iter().filter_map(of).collect();
    let inside = |finding: Record| {
        let input = Input::of(&finding).filter(|_| !grown.contains(&finding.id))?;
        Some(Inside { judged: by.get(&finding.id).cloned(), input, finding })
    };
    let mut all: Vec<Inside> = findings.into_iter().filter_map(inside).collect();
    all.sort_by_key(|one| std::cmp::Reverse((one.finding.received_at, one.finding.id)));
    Ok(all)
}

/// Writes that something from inside was judged: taken up as intelligence, or not.
pub async fn judge(
    write: &mut Write<'_>,
    inside: &Inside,
    verdict: &str,
    item: Option<Id>,
    reason: &str,
) -> Result<Record, StoreError> {
    let now = write.now();
    let mut facts = json!({
        "origin": "internal",
        "verdict": verdict,
        "reasons": [inside.input.as_str()],
        "urgent": false,
        "delay_min": inside.waited_min(now),
        "limit_min": limit_min(false, inside.finding.received_at),
        "of": inside.finding.id,
    });
    if let Some(item) = item {
        facts["item"] = json!(item);
    }
    write
        .record(RecordDraft {
            ty: TRIAGED.to_owned(),
            subject: Some(inside.finding.id),
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.internal".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: serde_json::to_vec(&json!({ "reason": reason })).ok(),
        })
        .await
}

/// What a review of one input found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub due: usize,
    pub settled: usize,
    pub open: Vec<String>,
}

impl Count {
    fn add(&mut self, id: Id, is_settled: bool) {
        self.due += 1;
        match is_settled {
            true => self.settled += 1,
            false if self.open.len() < NAMED_MAX => self.open.push(id.to_string()),
            false => {}
        }
    }

    /// Nothing due is all settled.
    fn permille(&self) -> usize {
        (self.settled * 1000).checked_div(self.due).unwrap_or(1000)
    }
}

/// One run: a record for each of the four.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let now = store.now();
    let mut counts: BTreeMap<Input, Count> =
        Input::ALL.map(|input| (input, Count::default())).into();
    for inside in all(store).await? {
        // What may wait still is not due.
        if inside.judged.is_some() || inside.is_late(now) {
            let count = counts.entry(inside.input).or_default();
            count.add(inside.finding.id, inside.judged.is_some());
        }
    }
    counts.insert(Input::Set, hunts(store, now).await?);
    let told = store.newest_records(&[REVIEWED], None, 50).await?;
    let mut written = 0;
    for (input, count) in &counts {
        let facts = json!({
            "input": input.as_str(),
            "due": count.due,
            "settled": count.settled,
            "settled_permille": count.permille(),
            "open": count.open,
        });
        let last = told.iter().find(|record| record.facts.get("input") == facts.get("input"));
        let is_told = last.is_some_and(|record| {
            Some(&record.facts) == facts.as_object()
                && now.hours_since(record.observed_to) < AGAIN_HOURS
        });
        if !is_told {
            room::write(store, ACTOR, draft(REVIEWED, None, now, facts)).await?;
            written += 1;
        }
    }
    if written > 0 {
        ctx.house.wake();
    }
    let open: usize = counts.values().map(|count| count.due - count.settled).sum();
    Ok(json!({ "open": open, "written": written }))
}

/// Sets published longer ago than a day, or looked for already, and whether each was.
async fn hunts(store: &Store, now: Timestamp) -> Result<Count, StoreError> {
    let since = now.minus_hours(WINDOW_HOURS);
    let records = store.records_since(&[PUBLISHED, ACTIVATED, HUNT], since, RECORDS_MAX).await?;
    let of = |ty: &str| {
        let ty = ty.to_owned();
        records.iter().filter(move |record| record.ty == ty)
    };
    let hunted: BTreeSet<Id> = of(HUNT).filter_map(|hunt| hunt.subject).collect();
    let root = |record: &Record, name: &str| -> String {
        record.facts.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let looked_for: BTreeSet<String> = of(ACTIVATED)
        .filter(|activated| hunted.contains(&activated.id))
        .map(|activated| root(activated, "hash"))
        .collect();
    let sets: Vec<(Id, Timestamp, bool)> = of(PUBLISHED)
        .map(|set| (set.id, set.received_at, looked_for.contains(&root(set, "root"))))
        .collect();
    let mut count = Count::default();
    for (id, at, _) in &sets {
        let end = at.plus_hours(HUNT_HOURS);
        let is_settled = sets.iter().any(|(_, heir, met)| *met && heir >= at && *heir <= end);
        if is_settled || end < now {
            count.add(*id, is_settled);
        }
    }
    Ok(count)
}
