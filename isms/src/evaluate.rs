//! `evaluate` and `level`: pure functions from evidence to verdict and from verdicts to level.
//!
//! Rules that hold everywhere: unknown is never pass; attested records count for 梅 only; a person's
//! word fills in for evidence that is missing or old, never for evidence that says "fail"; an empty
//! denominator is unknown.

use model::{
    Aggregate, Assurance, Bound, Check, Cond, Criterion, Id, Level, Measure, Origin, PerSubject,
    Predicate, RoomSpec, Status, Subjects, Table, Timestamp, check::lookup,
};
use serde_json::{Value as Json, json};
use store::Record;

use crate::evidence::{BY_HAND, Evidence};

/// Most misses a verdict names; the count is always whole.
pub const MISSES_NAMED_MAX: usize = 200;

/// The judgement of one criterion at one moment.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Verdict {
    pub criterion: &'static str,
    pub status: Status,
    pub reason: Reason,
    pub passed: u64,
    pub total: u64,
    /// Subjects that do not pass, by name.
    pub misses: Vec<Miss>,
    /// Oldest observation a pass rests on.
    pub oldest: Option<Timestamp>,
    /// When time alone would change the verdict.
    pub valid_until: Option<Timestamp>,
    /// True where only a person's word or a document carries it.
    pub by_hand: bool,
}

/// A subject that does not pass.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Miss {
    pub id: Option<Id>,
    pub name: String,
    pub status: Status,
}

/// Why a verdict is what it is; rendered in the reader's language at the edge.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    Met,
    /// Met by imported or attested records.
    MetByHand,
    NotCollected,
    NoSubjects,
    Coverage {
        passed: u64,
        total: u64,
        needed_permille: u16,
    },
    TooOld,
    /// The number computed and the bound it missed.
    Measured {
        value: i64,
        bound: i64,
        at_least: bool,
    },
    Excluded {
        until: Option<Timestamp>,
    },
}

struct Subject {
    id: Option<Id>,
    part: Option<(&'static str, &'static str)>,
    name: String,
    object: Json,
    hash: Option<String>,
    observed: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Judged {
    status: Status,
    observed: Option<Timestamp>,
    valid_until: Option<Timestamp>,
}

impl Judged {
    fn of(status: Status) -> Judged {
        Judged { status, observed: None, valid_until: None }
    }
}

/// Judges one criterion.
pub fn evaluate(criterion: &Criterion, evidence: &Evidence, now: Timestamp) -> Verdict {
    let floor =
        if criterion.level == Level::Ume { Assurance::Attested } else { Assurance::Imported };
    let judge = Judge { criterion, evidence, now, floor };
    let mut verdict = match &criterion.check {
        Check::PerSubject(check) => judge.per_subject(check),
        Check::Aggregate(check) => judge.aggregate(check),
    };
    if let Some(until) = judge.exclusion() {
        verdict.status = Status::Excluded;
        verdict.valid_until = until;
        verdict.reason = Reason::Excluded { until };
    }
    verdict
}

/// The level that these verdicts reach on a room's ladder: the highest rung for which it and every
/// rung below hold.
pub fn level(spec: &RoomSpec, verdicts: &[Verdict]) -> Level {
    climb(spec, &|id| passes(verdicts, id))
}

/// The level by the slides' own criteria alone; a rung without any is not reached.
pub fn level_by_slides(spec: &RoomSpec, verdicts: &[Verdict]) -> Level {
    let own = |id: &str| spec.criterion(id).is_some_and(|c| c.origin == Origin::Ume);
    let mut reached = Level::None;
    for (rung, expr) in Level::RUNGS.into_iter().zip(&spec.ladder) {
        let has_slides = spec.rung(rung).any(|c| c.origin == Origin::Slides);
        if !has_slides || !expr.holds(&|id| own(id) || passes(verdicts, id)) {
            break;
        }
        reached = rung;
    }
    reached
}

/// When time alone would first lower the level; `None` below 梅.
pub fn level_valid_until(spec: &RoomSpec, verdicts: &[Verdict]) -> Option<Timestamp> {
    let now_level = level(spec, verdicts);
    if now_level == Level::None {
        return None;
    }
    let mut times: Vec<Timestamp> = verdicts.iter().filter_map(|v| v.valid_until).collect();
    times.sort_unstable();
    times.dedup();
    times.into_iter().find(|time| {
        let still = |id: &str| {
            passes(verdicts, id)
                && verdicts
                    .iter()
                    .any(|v| v.criterion == id && v.valid_until.is_none_or(|until| until > *time))
        };
        climb(spec, &still) < now_level
    })
}

fn climb(spec: &RoomSpec, passes: &dyn Fn(&str) -> bool) -> Level {
    let mut reached = Level::None;
    for (rung, expr) in Level::RUNGS.into_iter().zip(&spec.ladder) {
        if !expr.holds(passes) {
            break;
        }
        reached = rung;
    }
    reached
}

fn passes(verdicts: &[Verdict], id: &str) -> bool {
    verdicts.iter().any(|v| v.criterion == id && v.status == Status::Pass)
}

struct Judge<'a> {
    criterion: &'a Criterion,
    evidence: &'a Evidence,
    now: Timestamp,
    floor: Assurance,
}

impl Judge<'_> {
    fn per_subject(&self, check: &PerSubject) -> Verdict {
        let subjects = self.subjects(&check.of);
        let whole = self.handed_in(None, check.fresh_hours);
        let mut passing: Vec<Judged> = Vec::new();
        let (mut stale, mut unknown) = (0u64, 0u64);
        let mut misses = Vec::new();
        let mut by_hand = false;
        for subject in &subjects {
            let mut judged = self.predicate(&check.must, subject, check.fresh_hours);
            if matches!(judged.status, Status::Unknown | Status::Stale) {
                let own = subject.id.and_then(|id| self.handed_in(Some(id), check.fresh_hours));
                if let Some(hand) = own.or(whole) {
                    judged = hand;
                    by_hand = true;
                }
            }
            match judged.status {
                Status::Pass => {
                    passing.push(judged);
                    continue;
                }
                Status::Stale => stale += 1,
                Status::Unknown => unknown += 1,
                Status::Fail | Status::Excluded => {}
            }
            if misses.len() < MISSES_NAMED_MAX {
                misses.push(Miss {
                    id: subject.id,
                    name: subject.name.clone(),
                    status: judged.status,
                });
            }
        }
        let (passed, total) = (passing.len() as u64, subjects.len() as u64);
        let enough = |n: u64| n * 1000 >= u64::from(check.at_least_permille) * total;
        let (status, reason) = if total == 0 {
            match whole {
                Some(_) => {
                    by_hand = true;
                    (Status::Pass, Reason::MetByHand)
                }
                None => (Status::Unknown, Reason::NoSubjects),
            }
        } else if enough(passed) {
            (Status::Pass, if by_hand { Reason::MetByHand } else { Reason::Met })
        } else if passed == 0 && unknown == total {
            (Status::Unknown, Reason::NotCollected)
        } else if enough(passed + stale + unknown) {
            let status = if stale > 0 { Status::Stale } else { Status::Unknown };
            (status, self.coverage(check, passed, total))
        } else {
            (Status::Fail, self.coverage(check, passed, total))
        };
        let valid_until = match (status, total) {
            (Status::Pass, 0) => whole.and_then(|w| w.valid_until),
            (Status::Pass, _) => pass_ends(&passing, check.at_least_permille, total),
            _ => None,
        };
        Verdict {
            criterion: self.criterion.id,
            status,
            reason,
            passed,
            total,
            misses,
            oldest: passing.iter().filter_map(|j| j.observed).min(),
            valid_until,
            by_hand,
        }
    }

    fn coverage(&self, check: &PerSubject, passed: u64, total: u64) -> Reason {
        Reason::Coverage { passed, total, needed_permille: check.at_least_permille }
    }

    fn aggregate(&self, check: &Aggregate) -> Verdict {
        let all: Vec<&Record> = check
            .types
            .iter()
            .flat_map(|ty| self.evidence.records(ty))
            .filter(|r| r.assurance >= self.floor && meets(check.only, &facts(r)))
            .collect();
        let since = self.now.minus_hours(i64::from(check.within_hours));
        let counted: Vec<&Record> =
            all.iter().copied().filter(|r| r.observed_to >= since).collect();
        let oldest = counted.iter().map(|r| r.observed_to).min();
        let mut verdict = Verdict {
            criterion: self.criterion.id,
            status: Status::Unknown,
            reason: Reason::NotCollected,
            passed: 0,
            total: counted.len() as u64,
            misses: Vec::new(),
            oldest,
            valid_until: oldest.map(|t| t.plus_hours(i64::from(check.within_hours))),
            by_hand: false,
        };
        match measure(&check.measure, &counted) {
            Some(value) => {
                let (met, bound, at_least) = match check.bound {
                    Bound::AtLeast(min) => (value >= min, min, true),
                    Bound::AtMost(max) => (value <= max, max, false),
                };
                verdict.status = if met { Status::Pass } else { Status::Fail };
                verdict.reason =
                    if met { Reason::Met } else { Reason::Measured { value, bound, at_least } };
                verdict.passed = if met { verdict.total } else { 0 };
            }
            None if !all.is_empty() && counted.is_empty() => {
                verdict.status = Status::Stale;
                verdict.reason = Reason::TooOld;
            }
            None => {}
        }
        if matches!(verdict.status, Status::Unknown | Status::Stale)
            && let Some(hand) = self.handed_in(None, check.within_hours)
        {
            verdict.status = Status::Pass;
            verdict.reason = Reason::MetByHand;
            verdict.oldest = hand.observed;
            verdict.valid_until = hand.valid_until;
            verdict.by_hand = true;
        }
        if verdict.status != Status::Pass {
            verdict.valid_until = None;
        }
        verdict
    }

    /// What a person handed in for this criterion, about one subject or as a whole.
    fn handed_in(&self, subject: Option<Id>, fresh_hours: u32) -> Option<Judged> {
        self.criterion.by_hand?;
        let newest = BY_HAND
            .iter()
            .flat_map(|ty| self.evidence.about(ty, subject))
            .filter(|r| r.facts.get("criterion").and_then(Json::as_str) == Some(self.criterion.id))
            .map(|r| r.observed_to)
            .max()?;
        let judged = self.aged(newest, fresh_hours);
        (judged.status == Status::Pass).then_some(judged)
    }

    fn exclusion(&self) -> Option<Option<Timestamp>> {
        self.evidence
            .rows(Table::Decision)
            .iter()
            .filter(|d| d.kind == "exclusion" && d.status == "approved")
            .filter(|d| {
                d.attributes.get("criterion").and_then(Json::as_str) == Some(self.criterion.id)
            })
            .find(|d| d.ends_at.is_some_and(|end| end > self.now))
            .map(|d| d.ends_at)
    }

    fn subjects(&self, of: &Subjects) -> Vec<Subject> {
        match *of {
            Subjects::Assets { kinds, only } => self.row_subjects(Table::Asset, kinds, only),
            Subjects::Parties { kinds, only } => self.row_subjects(Table::Party, kinds, only),
            Subjects::Rules { kinds, only } => self.row_subjects(Table::Rule, kinds, only),
            Subjects::Plans { kinds, only } => self.row_subjects(Table::Plan, kinds, only),
            Subjects::Norms { prefix } => self
                .row_subjects(Table::Norm, &[], &[])
                .into_iter()
                .filter(|s| {
                    s.object
                        .get("norm_id")
                        .and_then(Json::as_str)
                        .is_some_and(|id| id.starts_with(prefix))
                })
                .collect(),
            Subjects::Records { types, only, within_hours } => {
                let since = self.now.minus_hours(i64::from(within_hours));
                types
                    .iter()
                    .flat_map(|ty| self.evidence.records(ty))
                    .filter(|r| r.observed_to >= since && r.assurance >= self.floor)
                    .map(record_subject)
                    .filter(|s| meets(only, &s.object))
                    .collect()
            }
            Subjects::Parts { field, parts } => parts
                .iter()
                .map(|part| Subject {
                    id: None,
                    part: Some((field, part)),
                    name: (*part).to_owned(),
                    object: json!({}),
                    hash: None,
                    observed: None,
                })
                .collect(),
            Subjects::AssetParts { kinds, only, field, parts } => {
                let mut out = Vec::new();
                for asset in self.row_subjects(Table::Asset, kinds, only) {
                    out.extend(parts.iter().map(|part| Subject {
                        id: asset.id,
                        part: Some((field, part)),
                        name: format!("{} / {part}", asset.name),
                        object: asset.object.clone(),
                        hash: asset.hash.clone(),
                        observed: None,
                    }));
                }
                out
            }
        }
    }

    fn row_subjects(&self, table: Table, kinds: &[&str], only: &[Cond]) -> Vec<Subject> {
        self.evidence
            .rows(table)
            .iter()
            .filter(|row| row.status == "active")
            .filter(|row| kinds.is_empty() || kinds.contains(&row.kind.as_str()))
            .map(|row| {
                let mut object = row.attributes.clone();
                object.entry("owner").or_insert(json!(row.owner));
                object.entry("status").or_insert(json!(row.status));
                Subject {
                    id: Some(row.id),
                    part: None,
                    name: row.name.clone(),
                    object: Json::Object(object),
                    hash: row.content_hash().ok(),
                    observed: Some(row.updated_at),
                }
            })
            .filter(|s| meets(only, &s.object))
            .collect()
    }

    fn predicate(&self, predicate: &Predicate, subject: &Subject, fresh_hours: u32) -> Judged {
        match predicate {
            Predicate::Record { types, only, must } => {
                self.record(types, only, must, subject, fresh_hours)
            }
            Predicate::Attributes(conds) => Judged {
                status: if meets(conds, &subject.object) { Status::Pass } else { Status::Fail },
                observed: subject.observed,
                valid_until: None,
            },
            Predicate::Link { kind } => {
                let linked = subject.id.is_some_and(|id| self.evidence.is_linked(kind, id));
                Judged::of(if linked { Status::Pass } else { Status::Fail })
            }
            Predicate::Decision { kind } => self.decision(kind, subject),
            Predicate::Task => self.task(subject),
            Predicate::All(list) => self.combine(list, subject, fresh_hours, false),
            Predicate::Any(list) => self.combine(list, subject, fresh_hours, true),
        }
    }

    fn record(
        &self,
        types: &[&str],
        only: &[Cond],
        must: &[Cond],
        subject: &Subject,
        fresh_hours: u32,
    ) -> Judged {
        let counts = |r: &&Record| {
            let object = facts(r);
            let in_part = subject.part.is_none_or(|(field, part)| {
                lookup(&object, field).and_then(Json::as_str) == Some(part)
            });
            in_part && r.assurance >= self.floor && meets(only, &object)
        };
        let newest = types
            .iter()
            .filter_map(|ty| match subject.id {
                Some(_) => self.evidence.about(ty, subject.id).rev().find(counts),
                // A part of the organisation: whatever the record's own subject is.
                None => self.evidence.records(ty).iter().rev().find(counts),
            })
            .max_by_key(|r| (r.observed_to, r.id));
        let Some(record) = newest else { return Judged::of(Status::Unknown) };
        let judged = self.aged(record.observed_to, fresh_hours);
        if judged.status == Status::Pass && !meets(must, &facts(record)) {
            return Judged { status: Status::Fail, ..judged };
        }
        judged
    }

    fn aged(&self, observed: Timestamp, fresh_hours: u32) -> Judged {
        let end = observed.plus_hours(i64::from(fresh_hours));
        let status = if end >= self.now { Status::Pass } else { Status::Stale };
        Judged { status, observed: Some(observed), valid_until: Some(end) }
    }

    fn decision(&self, kind: &str, subject: &Subject) -> Judged {
        let about = self
            .evidence
            .rows(Table::Decision)
            .iter()
            .filter(|d| d.kind == kind && d.subject.is_some() && d.subject == subject.id)
            .max_by_key(|d| d.updated_at);
        let Some(decision) = about else { return Judged::of(Status::Unknown) };
        let expired = decision.ends_at.is_some_and(|end| end <= self.now);
        let edited = decision.subject_hash.is_none() || decision.subject_hash != subject.hash;
        let status = if decision.status != "approved" {
            Status::Fail
        } else if expired || edited {
            Status::Stale
        } else {
            Status::Pass
        };
        Judged { status, observed: Some(decision.updated_at), valid_until: decision.ends_at }
    }

    fn task(&self, subject: &Subject) -> Judged {
        let about = |t: &&store::Row| t.subject.is_some() && t.subject == subject.id;
        let mut tasks = self.evidence.rows(Table::Task).iter().filter(about).peekable();
        if tasks.peek().is_none() {
            return Judged::of(Status::Fail);
        }
        let overdue =
            |t: &store::Row| t.status != "closed" && t.ends_at.is_some_and(|due| due < self.now);
        let mut valid_until: Option<Timestamp> = None;
        for task in tasks {
            if overdue(task) {
                return Judged::of(Status::Fail);
            }
            if task.status != "closed" {
                valid_until = [valid_until, task.ends_at].into_iter().flatten().min();
            }
        }
        Judged { status: Status::Pass, observed: None, valid_until }
    }

    fn combine(
        &self,
        list: &[Predicate],
        subject: &Subject,
        fresh_hours: u32,
        any: bool,
    ) -> Judged {
        let judged: Vec<Judged> =
            list.iter().map(|p| self.predicate(p, subject, fresh_hours)).collect();
        // Rank from worst to best; All takes the worst, Any the best.
        let rank = |j: &&Judged| match j.status {
            Status::Fail | Status::Excluded => 0,
            Status::Unknown => 1,
            Status::Stale => 2,
            Status::Pass => 3,
        };
        let chosen = if any {
            judged.iter().max_by_key(|j| (rank(j), j.valid_until.map_or(i64::MAX, |t| t.0)))
        } else {
            judged.iter().min_by_key(rank)
        };
        let Some(chosen) = chosen else { return Judged::of(Status::Unknown) };
        if any {
            return *chosen;
        }
        Judged {
            status: chosen.status,
            observed: judged.iter().filter_map(|j| j.observed).min(),
            valid_until: judged.iter().filter_map(|j| j.valid_until).min(),
        }
    }
}

/// When so many passes have expired that the threshold is missed.
fn pass_ends(passing: &[Judged], at_least_permille: u16, total: u64) -> Option<Timestamp> {
    let needed = (u64::from(at_least_permille) * total).div_ceil(1000);
    let spare = (passing.len() as u64).saturating_sub(needed) as usize;
    let mut ends: Vec<Timestamp> = passing.iter().filter_map(|j| j.valid_until).collect();
    ends.sort_unstable();
    ends.get(spare).copied()
}

fn facts(record: &Record) -> Json {
    Json::Object(record.facts.clone())
}

fn record_subject(record: &Record) -> Subject {
    Subject {
        id: Some(record.id),
        part: None,
        name: format!("{} {}", record.ty, record.observed_to.rfc3339()),
        object: facts(record),
        hash: None,
        observed: Some(record.observed_to),
    }
}

fn meets(conds: &[Cond], object: &Json) -> bool {
    conds.iter().all(|c| c.holds(object))
}

fn measure(measure: &Measure, records: &[&Record]) -> Option<i64> {
    if records.is_empty() {
        return None;
    }
    let ints = |field: &str| -> Vec<i64> {
        records.iter().filter_map(|r| lookup(&facts(r), field).and_then(Json::as_i64)).collect()
    };
    match *measure {
        Measure::Count => Some(records.len() as i64),
        Measure::Share(conds) => {
            let met = records.iter().filter(|r| meets(conds, &facts(r))).count();
            Some(met as i64 * 1000 / records.len() as i64)
        }
        Measure::SumShare { part, whole } => {
            let whole: i64 = ints(whole).into_iter().fold(0, i64::saturating_add);
            let part: i64 = ints(part).into_iter().fold(0, i64::saturating_add);
            (whole > 0).then(|| (i128::from(part) * 1000 / i128::from(whole)) as i64)
        }
        Measure::Sum(field) => {
            let values = ints(field);
            (!values.is_empty()).then(|| values.into_iter().fold(0, i64::saturating_add))
        }
        Measure::Max(field) => ints(field).into_iter().max(),
        Measure::Percentile(percent, field) => {
            let mut values = ints(field);
            values.sort_unstable();
            let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
            values.get(rank - 1).copied()
        }
        Measure::Distinct(field) => {
            let seen: std::collections::BTreeSet<String> = records
                .iter()
                .filter_map(|r| lookup(&facts(r), field).map(Json::to_string))
                .collect();
            Some(seen.len() as i64)
        }
    }
}
