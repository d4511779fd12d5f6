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
    /// Newest observation a pass rests on.
    pub newest: Option<Timestamp>,
    /// Newest observation at all, whether it passes, fails or is too old.
    pub seen: Option<Timestamp>,
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
    /// When a record leaves the window of the denominator.
    leaves: Option<Timestamp>,
}

/// How one subject stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) status: Status,
    observed: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    /// First moment at which time alone could change the status, in whatever direction.
    pub(crate) next_change: Option<Timestamp>,
}

impl Judged {
    fn of(status: Status) -> Judged {
        Judged { status, observed: None, valid_until: None, next_change: None }
    }
}

/// One judged subject, as small as the fold needs it: this is what a cache keeps.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: Option<Id>,
    pub(crate) name: std::sync::Arc<str>,
    pub(crate) judged: Judged,
    /// When a record leaves the window of the denominator.
    pub(crate) leaves: Option<Timestamp>,
    /// Carried by a person's word about this subject.
    by_hand: bool,
}

/// What stands beside the subjects in a verdict.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// A person's word for the criterion as a whole.
    whole: Option<Judged>,
    /// The denominator is of records, and one was seen, however old.
    seen_before: bool,
    /// An unexpired exclusion, and until when.
    pub(crate) exclusion: Option<Option<Timestamp>>,
}

impl Beside {
    /// First moment at which time alone could change this.
    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        [self.whole.and_then(|w| w.next_change), self.exclusion.flatten()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Judges one criterion.
pub fn evaluate(criterion: &Criterion, evidence: &Evidence, now: Timestamp) -> Verdict {
    match &criterion.check {
        Check::PerSubject(check) => {
            let entries = judge_subjects(criterion, check, evidence, now);
            fold(criterion, check, entries.iter(), &beside(criterion, evidence, now))
        }
        Check::Aggregate(check) => {
            let judge = Judge::new(criterion, evidence, now);
            let mut verdict = judge.aggregate(check);
            exclude(&mut verdict, judge.exclusion());
            verdict
        }
    }
}

/// Judges every subject that the evidence holds.
pub(crate) fn judge_subjects(
    criterion: &Criterion,
    check: &PerSubject,
    evidence: &Evidence,
    now: Timestamp,
) -> Vec<Entry> {
    let judge = Judge::new(criterion, evidence, now);
    let mut entries: Vec<Entry> =
        judge.subjects(&check.of).into_iter().map(|subject| judge.entry(check, subject)).collect();
    entries.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    entries
}

/// First moment at which time alone could change the verdict of an aggregate.
pub(crate) fn aggregate_next_change(
    criterion: &Criterion,
    evidence: &Evidence,
    now: Timestamp,
) -> Option<Timestamp> {
    let Check::Aggregate(check) = &criterion.check else { return None };
    let judge = Judge::new(criterion, evidence, now);
    let oldest = judge.counted(check).1.iter().map(|r| r.observed_to).min();
    let leaves = oldest.map(|t| Timestamp(t.plus_hours(i64::from(check.within_hours)).0 + 1));
    let hand = judge.handed_in(None, check.within_hours).and_then(|h| h.next_change);
    [leaves, hand, judge.exclusion().flatten()].into_iter().flatten().min()
}

/// What stands beside the subjects.
pub(crate) fn beside(criterion: &Criterion, evidence: &Evidence, now: Timestamp) -> Beside {
    let judge = Judge::new(criterion, evidence, now);
    let Check::PerSubject(check) = &criterion.check else { return Beside::default() };
    Beside {
        whole: judge.handed_in(None, check.fresh_hours),
        seen_before: judge.seen_before(&check.of),
        exclusion: judge.exclusion(),
    }
}

fn exclude(verdict: &mut Verdict, exclusion: Option<Option<Timestamp>>) {
    if let Some(until) = exclusion {
        verdict.status = Status::Excluded;
        verdict.valid_until = until;
        verdict.reason = Reason::Excluded { until };
    }
}

/// Adds judged subjects up to a verdict.
pub(crate) fn fold<'e>(
    criterion: &Criterion,
    check: &PerSubject,
    entries: impl Iterator<Item = &'e Entry>,
    beside: &Beside,
) -> Verdict {
    let mut passing: Vec<Judged> = Vec::new();
    let mut leaving: Vec<Timestamp> = Vec::new();
    let (mut total, mut stale, mut unknown) = (0u64, 0u64, 0u64);
    let mut misses = Vec::new();
    let mut by_hand = false;
    let mut seen = beside.whole.and_then(|whole| whole.observed);
    for entry in entries {
        total += 1;
        seen = seen.max(entry.judged.observed);
        leaving.extend(entry.leaves);
        let mut judged = entry.judged;
        by_hand |= entry.by_hand;
        if let (Status::Unknown | Status::Stale, Some(whole)) = (judged.status, beside.whole) {
            judged = whole;
            by_hand = true;
        }
        match judged.status {
            Status::Pass => {
                let ends = [judged.valid_until, entry.leaves].into_iter().flatten().min();
                passing.push(Judged { valid_until: ends, ..judged });
                continue;
            }
            Status::Stale => stale += 1,
            Status::Unknown => unknown += 1,
            Status::Fail | Status::Excluded => {}
        }
        if misses.len() < MISSES_NAMED_MAX {
            let (id, name) = (entry.id, entry.name.to_string());
            misses.push(Miss { id, name, status: judged.status });
        }
    }
    let passed = passing.len() as u64;
    let needed_permille = check.at_least_permille;
    let enough = |n: u64| n * 1000 >= u64::from(needed_permille) * total;
    let coverage = Reason::Coverage { passed, total, needed_permille };
    let (status, reason) = if total == 0 {
        match beside.whole {
            Some(_) => {
                by_hand = true;
                (Status::Pass, Reason::MetByHand)
            }
            // Like an aggregate: what was seen once, but not in the window, is stale.
            None if beside.seen_before => (Status::Stale, Reason::TooOld),
            None => (Status::Unknown, Reason::NoSubjects),
        }
    } else if enough(passed) {
        (Status::Pass, if by_hand { Reason::MetByHand } else { Reason::Met })
    } else if passed == 0 && unknown == total {
        (Status::Unknown, Reason::NotCollected)
    } else if enough(passed + stale + unknown) {
        (if stale > 0 { Status::Stale } else { Status::Unknown }, coverage)
    } else {
        (Status::Fail, coverage)
    };
    let valid_until = match (status, total) {
        (Status::Pass, 0) => beside.whole.and_then(|w| w.valid_until),
        (Status::Pass, _) => pass_ends(&passing, &leaving, needed_permille, total),
        _ => None,
    };
    let mut verdict = Verdict {
        criterion: criterion.id,
        status,
        reason,
        passed,
        total,
        misses,
        oldest: passing.iter().filter_map(|j| j.observed).min(),
        newest: passing.iter().filter_map(|j| j.observed).max(),
        seen,
        valid_until,
        by_hand,
    };
    exclude(&mut verdict, beside.exclusion);
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

impl<'a> Judge<'a> {
    fn new(criterion: &'a Criterion, evidence: &'a Evidence, now: Timestamp) -> Judge<'a> {
        let floor =
            if criterion.level == Level::Ume { Assurance::Attested } else { Assurance::Imported };
        Judge { criterion, evidence, now, floor }
    }

    fn entry(&self, check: &PerSubject, subject: Subject) -> Entry {
        let mut judged = self.predicate(&check.must, &subject, check.fresh_hours);
        let mut by_hand = false;
        if matches!(judged.status, Status::Unknown | Status::Stale)
            && let Some(id) = subject.id
            && let Some(hand) = self.handed_in(Some(id), check.fresh_hours)
        {
            judged = hand;
            by_hand = true;
        }
        let (id, leaves) = (subject.id, subject.leaves);
        Entry { id, name: subject.name.into(), judged, leaves, by_hand }
    }

    /// Records the aggregate looks at: all that match, and those in its window.
    fn counted(&self, check: &Aggregate) -> (Vec<&'a Record>, Vec<&'a Record>) {
        let all: Vec<&Record> = check
            .types
            .iter()
            .flat_map(|ty| self.evidence.records(ty))
            .filter(|r| r.assurance >= self.floor && meets(check.only, &facts(r)))
            .collect();
        let since = self.now.minus_hours(i64::from(check.within_hours));
        let counted = all.iter().copied().filter(|r| r.observed_to >= since).collect();
        (all, counted)
    }

    fn aggregate(&self, check: &Aggregate) -> Verdict {
        let (all, counted) = self.counted(check);
        let oldest = counted.iter().map(|r| r.observed_to).min();
        let mut verdict = Verdict {
            criterion: self.criterion.id,
            status: Status::Unknown,
            reason: Reason::NotCollected,
            passed: 0,
            total: counted.len() as u64,
            misses: Vec::new(),
            oldest,
            newest: counted.iter().map(|r| r.observed_to).max(),
            seen: all.iter().map(|r| r.observed_to).max(),
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
            verdict.newest = hand.observed;
            verdict.seen = verdict.seen.max(hand.observed);
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
                        .is_some_and(|id| is_below(prefix, id))
                })
                .collect(),
            Subjects::Records { types, only, within_hours } => {
                let since = self.now.minus_hours(i64::from(within_hours));
                types
                    .iter()
                    .flat_map(|ty| self.evidence.records(ty))
                    .filter(|r| r.observed_to >= since && r.assurance >= self.floor)
                    .map(|r| record_subject(r, within_hours))
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
                    leaves: None,
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
                        leaves: None,
                    }));
                }
                out
            }
        }
    }

    /// Whether the denominator is of records and one of them is known, however old.
    fn seen_before(&self, of: &Subjects) -> bool {
        let Subjects::Records { types, only, .. } = *of else { return false };
        let mut records = types.iter().flat_map(|ty| self.evidence.records(ty));
        records.any(|r| r.assurance >= self.floor && meets(only, &facts(r)))
    }

    fn row_subjects(&self, table: Table, kinds: &[&str], only: &[Cond]) -> Vec<Subject> {
        self.evidence
            .rows(table)
            .iter()
            .filter(|row| row.status == "active")
            .filter(|row| table != Table::Asset || self.evidence.in_scope(row.id))
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
                    // A stored row has one; an empty hash equals none that a decision binds.
                    hash: Some(row.content_hash().unwrap_or_default()),
                    observed: Some(row.updated_at),
                    leaves: None,
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
                next_change: None,
            },
            Predicate::Link { kind } => {
                let linked = subject.id.is_some_and(|id| self.evidence.is_linked(kind, id));
                let next_change = subject.id.and_then(|id| self.evidence.link_changes(kind, id));
                let status = if linked { Status::Pass } else { Status::Fail };
                Judged { next_change, ..Judged::of(status) }
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
        // Still good at `end` itself, so the change comes one microsecond later.
        let next_change = (end >= self.now).then_some(Timestamp(end.0.saturating_add(1)));
        Judged { status, observed: Some(observed), valid_until: Some(end), next_change }
    }

    /// A part of the whole has no row: the decision's attributes name it. A decision about a row
    /// that names no part covers all its parts. What has no hash (a part, a record) is never edited.
    fn decision(&self, kind: &str, subject: &Subject) -> Judged {
        let about = |d: &&store::Row| {
            let named = subject.part.and_then(|(field, part)| {
                d.attributes.get(field).map(|named| named.as_str() == Some(part))
            });
            match subject.id {
                Some(_) => d.subject == subject.id && named != Some(false),
                None => named == Some(true),
            }
        };
        let newest = self
            .evidence
            .rows_about(Table::Decision, subject.id)
            .filter(|d| d.kind == kind && web::decide::is_signed(d))
            .filter(about)
            .max_by_key(|d| d.updated_at);
        let Some(decision) = newest else { return Judged::of(Status::Unknown) };
        let expired = decision.ends_at.is_some_and(|end| end <= self.now);
        let edited = subject
            .hash
            .as_deref()
            .is_some_and(|hash| hash.is_empty() || decision.subject_hash.as_deref() != Some(hash));
        let status = if decision.status != "approved" {
            Status::Fail
        } else if expired || edited {
            Status::Stale
        } else {
            Status::Pass
        };
        Judged {
            status,
            observed: Some(decision.updated_at),
            valid_until: decision.ends_at,
            next_change: decision.ends_at.filter(|end| *end > self.now),
        }
    }

    fn task(&self, subject: &Subject) -> Judged {
        let Some(id) = subject.id else { return Judged::of(Status::Fail) };
        let mut tasks = self.evidence.rows_about(Table::Task, Some(id)).peekable();
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
        let next_change = valid_until.map(|due| Timestamp(due.0.saturating_add(1)));
        Judged { status: Status::Pass, observed: None, valid_until, next_change }
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
        // Evidence that says "fail" (it has an age, attributes have none) is not hidden by a member
        // of which nothing is known; else a person's word could override it.
        let best = |j: &&Judged| match j.status {
            Status::Unknown => 1,
            Status::Fail if j.valid_until.is_some() => 2,
            _ => 2 * rank(j),
        };
        let chosen = if any {
            judged.iter().max_by_key(|j| (best(j), j.valid_until.map_or(i64::MAX, |t| t.0)))
        } else {
            judged.iter().min_by_key(rank)
        };
        let Some(chosen) = chosen else { return Judged::of(Status::Unknown) };
        let next_change = judged.iter().filter_map(|j| j.next_change).min();
        if any {
            return Judged { next_change, ..*chosen };
        }
        Judged {
            status: chosen.status,
            observed: judged.iter().filter_map(|j| j.observed).min(),
            valid_until: judged.iter().filter_map(|j| j.valid_until).min(),
            next_change,
        }
    }
}

/// When so many passes have expired that the threshold is missed. Records that leave the window take
/// themselves out of the denominator too.
fn pass_ends(
    passing: &[Judged],
    leaving: &[Timestamp],
    at_least_permille: u16,
    total: u64,
) -> Option<Timestamp> {
    let mut ends: Vec<Timestamp> = passing.iter().filter_map(|j| j.valid_until).collect();
    ends.sort_unstable();
    let mut leaving = leaving.to_vec();
    leaving.sort_unstable();
    let mut times = [&ends[..], &leaving[..]].concat();
    times.sort_unstable();
    times.dedup();
    times.into_iter().find(|time| {
        let passed = passing.len() as u64 - ends.partition_point(|t| t <= time) as u64;
        let total = total - leaving.partition_point(|t| t <= time) as u64;
        total == 0 || passed * 1000 < u64::from(at_least_permille) * total
    })
}

fn facts(record: &Record) -> Json {
    Json::Object(record.facts.clone())
}

fn record_subject(record: &Record, within_hours: u32) -> Subject {
    Subject {
        id: Some(record.id),
        part: None,
        name: format!("{} {}", record.ty, record.observed_to.rfc3339()),
        object: facts(record),
        hash: None,
        observed: Some(record.observed_to),
        leaves: Some(record.observed_to.plus_hours(i64::from(within_hours))),
    }
}

/// Whether the id of a norm begins with this prefix; a part `*` of it is any part.
fn is_below(prefix: &str, id: &str) -> bool {
    let mut parts = id.split('/');
    let mut wanted = prefix.split('/').peekable();
    while let Some(want) = wanted.next() {
        let Some(part) = parts.next() else { return false };
        let is_same = match wanted.peek() {
            None => part.starts_with(want),
            Some(_) => want == "*" || part == want,
        };
        if !is_same {
            return false;
        }
    }
    true
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

#[cfg(test)]
mod tests {
    use model::{Expr, Op, Producer, Value, t};
    use store::Row;
    use threat_intelligence::SPEC;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
    const FRESH_H: u32 = 100;
    const PARTS: [&str; 20] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t",
    ];
    const OK: Cond = Cond { field: "ok", op: Op::Eq(Value::Bool(true)) };
    const A: Predicate = Predicate::Record { types: &["x.a"], only: &[], must: &[OK] };
    const B: Predicate = Predicate::Record { types: &["x.b"], only: &[], must: &[OK] };

    fn criterion(of: Subjects, must: Predicate, at_least_permille: u16) -> Criterion {
        let check = PerSubject { of, must, at_least_permille, fresh_hours: FRESH_H };
        Criterion {
            id: "x/take-1",
            level: Level::Take,
            origin: Origin::Ume,
            text: t("試", "test"),
            check: Check::PerSubject(check),
            by_hand: None,
            producer: Producer::NotYet,
            minutes_per_miss: 1,
        }
    }

    fn record(ty: &str, part: &str, ok: bool, age_hours: i64) -> Record {
        let mut random = [0; 10];
        for (place, byte) in random.iter_mut().zip(ty.bytes().chain(part.bytes())) {
            *place = byte;
        }
        let at = NOW.minus_hours(age_hours);
        let facts = json!({"part": part, "ok": ok});
        Record {
            id: Id::from_parts(at, &random),
            ty: ty.to_owned(),
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

    fn judged(criterion: &Criterion, records: Vec<Record>, now: Timestamp) -> Verdict {
        let mut evidence = Evidence::default();
        evidence.add_records(records);
        evaluate(criterion, &evidence, now)
    }

    #[test]
    fn an_approval_holds_until_another_signature_whoever_asks_for_one() {
        let host = Row::new(Table::Asset, Id::from_parts(NOW, &[1; 10]), "host", "srv");
        let decision = |n: u8, status: &str, age_hours: i64| {
            let mut row =
                Row::new(Table::Decision, Id::from_parts(NOW, &[n; 10]), "approval", "srv");
            row.status = status.to_owned();
            (row.subject, row.subject_hash) = (Some(host.id), host.content_hash().ok());
            row.updated_at = NOW.minus_hours(age_hours);
            row
        };
        let of = Subjects::Assets { kinds: &["host"], only: &[] };
        let check = criterion(of, Predicate::Decision { kind: "approval" }, 1000);
        let status = |decisions: Vec<Row>| {
            let mut evidence = Evidence::default();
            evidence.set_rows(Table::Asset, vec![host.clone()]);
            evidence.set_rows(Table::Decision, decisions);
            evaluate(&check, &evidence, NOW).status
        };
        let signed = decision(2, "approved", 2);
        assert_eq!(status(vec![decision(3, "proposed", 1)]), Status::Unknown);
        assert_eq!(status(vec![signed.clone(), decision(3, "proposed", 1)]), Status::Pass);
        assert_eq!(status(vec![signed, decision(3, "rejected", 1)]), Status::Fail);
    }

    fn of_twenty() -> Criterion {
        criterion(Subjects::Parts { field: "part", parts: &PARTS }, A, 950)
    }

    fn twenty(passing: usize) -> Vec<Record> {
        let each = PARTS.iter().enumerate();
        each.map(|(i, part)| record("x.a", part, i < passing, i as i64)).collect()
    }

    #[test]
    fn nineteen_of_twenty_are_95_percent_and_eighteen_are_not() {
        let pass = judged(&of_twenty(), twenty(19), NOW);
        assert_eq!((pass.status, pass.passed, pass.total), (Status::Pass, 19, 20));
        assert_eq!(pass.misses.len(), 1);
        let fail = judged(&of_twenty(), twenty(18), NOW);
        assert_eq!(fail.status, Status::Fail);
        let reason = Reason::Coverage { passed: 18, total: 20, needed_permille: 950 };
        assert_eq!(fail.reason, reason);
    }

    #[test]
    fn what_might_still_pass_is_not_failed() {
        let mut records = twenty(18);
        records.truncate(18);
        assert_eq!(judged(&of_twenty(), records.clone(), NOW).status, Status::Unknown);
        records.push(record("x.a", "s", true, i64::from(FRESH_H) + 1));
        assert_eq!(judged(&of_twenty(), records, NOW).status, Status::Stale);
    }

    #[test]
    fn valid_until_is_when_the_threshold_would_be_missed() {
        // The oldest is 19 hours old; one may expire, so the next one, 18 hours old, decides.
        let all = judged(&of_twenty(), twenty(20), NOW);
        let until = NOW.plus_hours(i64::from(FRESH_H) - 18);
        assert_eq!(all.valid_until, Some(until));
        assert_eq!(judged(&of_twenty(), twenty(20), until).status, Status::Pass);
        let behind = judged(&of_twenty(), twenty(20), Timestamp(until.0 + 1));
        assert_eq!(behind.status, Status::Stale);
        // Without a spare the oldest that passes decides: the one that fails is the 19 hours old.
        let tight = judged(&of_twenty(), twenty(19), NOW);
        assert_eq!(tight.valid_until, Some(until));
    }

    #[test]
    fn records_that_leave_the_window_leave_the_denominator() {
        let of = Subjects::Records { types: &["x.a"], only: &[], within_hours: 50 };
        let half = criterion(of, Predicate::Attributes(&[OK]), 500);
        let records = || vec![record("x.a", "a", false, 20), record("x.a", "b", true, 10)];
        let now = judged(&half, records(), NOW);
        assert_eq!((now.status, now.valid_until), (Status::Pass, Some(NOW.plus_hours(40))));
        let gone = judged(&half, records(), Timestamp(NOW.plus_hours(40).0 + 1));
        assert_eq!((gone.status, gone.reason), (Status::Stale, Reason::TooOld));
        let mixed = vec![record("x.a", "a", false, 10), record("x.a", "b", true, 20)];
        assert_eq!(judged(&half, mixed, NOW).valid_until, Some(NOW.plus_hours(30)));
    }

    #[test]
    fn a_star_in_a_prefix_is_any_part() {
        for (prefix, id, want) in [
            ("ipa10/*/org/", "ipa10/2027/org/3", true),
            ("ipa10/*/org/", "ipa10/2027/person/3", false),
            ("ipa10/*/org/", "ipa10/org/3", false),
            ("ipa10/2026/", "ipa10/2026/org/1", true),
            ("a.5", "a.5.7", true),
            ("x/", "y/1", false),
        ] {
            assert_eq!(is_below(prefix, id), want, "{prefix} {id}");
        }
    }

    #[test]
    fn an_empty_denominator_is_unknown() {
        for of in [
            Subjects::Assets { kinds: &["host"], only: &[] },
            Subjects::Norms { prefix: "x/" },
            Subjects::Records { types: &["x.a"], only: &[], within_hours: 1 },
            Subjects::AssetParts { kinds: &["host"], only: &[], field: "part", parts: &PARTS },
        ] {
            let verdict = judged(&criterion(of, Predicate::Attributes(&[]), 0), vec![], NOW);
            assert_eq!((verdict.status, verdict.reason), (Status::Unknown, Reason::NoSubjects));
        }
    }

    #[test]
    fn all_takes_the_worst_and_any_the_best() {
        const ALL: Predicate = Predicate::All(&[A, B]);
        const ANY: Predicate = Predicate::Any(&[A, B]);
        let ranked = [Status::Fail, Status::Unknown, Status::Stale, Status::Pass];
        let about = |ty: &str, status: Status| match status {
            Status::Fail => Some(record(ty, "a", false, 1)),
            Status::Stale => Some(record(ty, "a", true, i64::from(FRESH_H) + 1)),
            Status::Pass => Some(record(ty, "a", true, 1)),
            Status::Unknown | Status::Excluded => None,
        };
        let of = Subjects::Parts { field: "part", parts: &["a"] };
        for (i, a) in ranked.into_iter().enumerate() {
            for (j, b) in ranked.into_iter().enumerate() {
                let records: Vec<Record> =
                    [about("x.a", a), about("x.b", b)].into_iter().flatten().collect();
                let all = judged(&criterion(of, ALL, 1000), records.clone(), NOW);
                assert_eq!(all.status, ranked[i.min(j)], "all of {a:?} and {b:?}");
                let any = judged(&criterion(of, ANY, 1000), records, NOW);
                // Evidence that says "fail" is not hidden by what is unknown.
                let best = if i.max(j) == 1 && i != j { Status::Fail } else { ranked[i.max(j)] };
                assert_eq!(any.status, best, "any of {a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn all_is_valid_as_long_as_its_first_member_and_any_as_its_last() {
        let of = Subjects::Parts { field: "part", parts: &["a"] };
        let records = || vec![record("x.a", "a", true, 5), record("x.b", "a", true, 1)];
        let fresh = i64::from(FRESH_H);
        let all = judged(&criterion(of, Predicate::All(&[A, B]), 1000), records(), NOW);
        assert_eq!(all.valid_until, Some(NOW.plus_hours(fresh - 5)));
        let any = judged(&criterion(of, Predicate::Any(&[A, B]), 1000), records(), NOW);
        assert_eq!(any.valid_until, Some(NOW.plus_hours(fresh - 1)));
    }

    /// Verdicts of the first room, whose 梅 has two ways: (ume-1 and ume-2) or ume-3.
    fn verdicts(spec: &RoomSpec, passes: &dyn Fn(&Criterion) -> bool) -> Vec<Verdict> {
        let each = spec.criteria.iter().map(|c| Verdict {
            criterion: c.id,
            status: if passes(c) { Status::Pass } else { Status::Fail },
            reason: Reason::Met,
            passed: 0,
            total: 1,
            misses: vec![],
            oldest: None,
            seen: None,
            newest: None,
            valid_until: None,
            by_hand: false,
        });
        each.collect()
    }

    #[test]
    fn a_rung_with_two_ways_is_reached_by_either() {
        assert!(matches!(SPEC.ladder[0], Expr::Any(_)));
        for (passing, reached) in [
            (&["5.7/ume-3"][..], Level::Ume),
            (&["5.7/ume-1", "5.7/ume-2"], Level::Ume),
            (&["5.7/ume-1"], Level::None),
            (&[], Level::None),
        ] {
            let verdicts = verdicts(&SPEC, &|c| passing.contains(&c.id));
            assert_eq!(level(&SPEC, &verdicts), reached, "{passing:?}");
        }
        let above = verdicts(&SPEC, &|c| c.level != Level::Ume);
        assert_eq!(level(&SPEC, &above), Level::None, "no rung without those below");
        assert_eq!(level(&SPEC, &verdicts(&SPEC, &|_| true)), Level::Matsu);
    }

    #[test]
    fn the_slides_level_ignores_what_ume_added() {
        let slides = verdicts(&SPEC, &|c| c.origin == Origin::Slides);
        assert_eq!(level(&SPEC, &slides), Level::Ume);
        assert_eq!(level_by_slides(&SPEC, &slides), Level::Matsu);
        // A rung on which the slides say nothing is not reached by them.
        let own: Vec<Criterion> = SPEC
            .criteria
            .iter()
            .map(|c| Criterion {
                origin: if c.level == Level::Take { Origin::Ume } else { c.origin },
                ..*c
            })
            .collect();
        let spec = RoomSpec { criteria: own.leak(), ..SPEC };
        assert_eq!(level_by_slides(&spec, &verdicts(&spec, &|_| true)), Level::Ume);
    }

    #[test]
    fn the_level_is_valid_until_the_first_rung_would_fall() {
        let mut all = verdicts(&SPEC, &|_| true);
        for verdict in &mut all {
            verdict.valid_until = match verdict.criterion {
                // The other way to 梅 still holds.
                "5.7/ume-1" => Some(NOW.plus_hours(1)),
                "5.7/take-2" => Some(NOW.plus_hours(2)),
                _ => Some(NOW.plus_hours(3)),
            };
        }
        assert_eq!(level_valid_until(&SPEC, &all), Some(NOW.plus_hours(2)));
    }
}
