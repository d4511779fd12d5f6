//! What detection and answers took, and how much of it was false: measured from records, told once a day.
//!
//! Invariants: detection is measured from when something happened to when its finding was written down; an exercise
//! that was not detected counts as detected never; what nobody judged is neither false nor right.
//!
//! Limits: [`LOOKED_AT_MAX`] records of the last [`DAYS`] days.

use model::{Id, Table, Timestamp};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError, Write};

use crate::{
    findings::{self, Alert, FINDING, HANDLED, INCIDENT, Judgement},
    review::{Purpose, status},
};

pub const DETECTION: &str = "monitoring.detection_time";
pub const FALSE_ALARMS: &str = "monitoring.false_alarms";
pub const EXERCISE: &str = "monitoring.exercise_run";
/// Kind of the rules that say which exercises there are.
pub const EXERCISES: &str = "detection_exercise";
/// Days that are looked back.
pub const DAYS: i64 = 30;
const LOOKED_AT_MAX: usize = 20_000;
/// Seconds that stand for "never".
const NEVER_S: i64 = 30 * 24 * 3_600;
/// An exercise is measured within so many hours.
const EXERCISE_H: i64 = 24;
/// False alarms of a day where no scope says how many are allowed.
const BUDGET_DAY: i64 = 3;
const ACTOR: &str = "system:monitoring.measured";

/// Times that were measured, and what is open.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Seconds to detect: incidents, and exercises.
    pub incidents: Vec<i64>,
    pub exercises: Vec<i64>,
    /// Minutes until findings were judged.
    pub acknowledged: Vec<i64>,
    /// Hours until the cause of an incident was reviewed.
    pub resolved: Vec<i64>,
    /// Incidents whose cause nobody reviewed yet.
    pub open: Vec<Record>,
}

impl Measured {
    /// One statement.
    pub async fn load(store: &Store, now: Timestamp) -> Result<Measured, StoreError> {
        let since = now.minus_hours(24 * DAYS);
        let investigated = Purpose::Investigation.record();
        let types = [FINDING, HANDLED, EXERCISE, investigated, crate::review::due::DUE];
        let mut records = store.newest_records(&types, None, LOOKED_AT_MAX).await?;
        records.retain(|record| record.observed_to >= since);
        let of = |ty: &'static str| records.iter().filter(move |record| record.ty == ty);
        let mut measured = Measured::default();
        let is_incident = |r: &&Record| fact(r, "class") == Some(INCIDENT);
        let found: Vec<Record> = of(FINDING).filter(is_incident).cloned().collect();
        for alert in findings::joined(found, &records) {
            if matches!(alert.judgement(), Some(Judgement::Normal | Judgement::FalseAlarm)) {
                continue;
            }
            measured.incidents.push(detected_s(&alert.record));
            let about = |r: &&Record| r.subject == Some(alert.record.id);
            let due = of(crate::review::due::DUE).find(about).map(|record| record.id);
            let review = of(investigated).find(|r| due.is_some() && r.subject == due);
            match review {
                Some(review) => measured
                    .resolved
                    .push(review.received_at.hours_since(alert.record.received_at).max(0)),
                None => measured.open.push(alert.record),
            }
        }
        measured.exercises = of(EXERCISE).map(exercised_s).collect();
        measured.acknowledged = of(HANDLED).filter_map(|r| number(r, "ack_min")).collect();
        Ok(measured)
    }

    /// Every time to detect.
    pub fn detected(&self) -> Vec<i64> {
        self.incidents.iter().chain(&self.exercises).copied().collect()
    }
}

fn fact<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.facts.get(name)?.as_str()
}

fn number(record: &Record, name: &str) -> Option<i64> {
    record.facts.get(name)?.as_i64()
}

fn detected_s(record: &Record) -> i64 {
    let from_times = (record.received_at.0 - record.observed_from.0).max(0) / 1_000_000;
    number(record, "detected_s").unwrap_or(from_times)
}

/// Until the last of the expected rules fired; never, if one did not.
fn exercised_s(record: &Record) -> i64 {
    let all = number(record, "detected") >= number(record, "expected");
    number(record, "detected_s").filter(|_| all).unwrap_or(NEVER_S)
}

/// The value that so many permille of the values do not exceed (nearest rank); none without values.
pub fn quantile(values: &[i64], permille: usize) -> Option<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * permille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied()
}

/// Records what detection took in the last days.
pub async fn detection_time(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (store, now) = (ctx.store(), ctx.store().now());
    let measured = Measured::load(store, now).await?;
    let all = measured.detected();
    // Without anything that was detected there is no time it took.
    let Some(p90) = quantile(&all, 900) else { return Ok(json!({ "measured": 0 })) };
    let facts = json!({
        "scope": "organisation",
        "p90_s": p90,
        "median_s": quantile(&all, 500),
        "incidents": measured.incidents.len(),
        "exercises": measured.exercises.len(),
    });
    room::write(store, ACTOR, draft(DETECTION, None, now, facts)).await?;
    ctx.house.wake();
    Ok(json!({ "measured": all.len(), "p90_s": p90 }))
}

/// Records for each site how many findings people judged false, against what is allowed.
pub async fn false_alarms(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (store, now) = (ctx.store(), ctx.store().now());
    let sites = status::sites(store).await?;
    let since = now.minus_hours(24 * DAYS);
    let Some(begun) = store.first_received().await?.filter(|_| !sites.is_empty()) else {
        return Ok(json!({ "sites": 0 }));
    };
    let mut found = store.newest_records(&[FINDING], None, LOOKED_AT_MAX).await?;
    found.retain(|record| record.observed_to >= since);
    // An incident was judged with the finding it came of.
    let own = found.into_iter().filter(|r| fact(r, "of").is_none()).collect();
    let alerts = findings::with_judgements(store, own).await?;
    let places = places(store, &alerts).await?;
    let days = (now.hours_since(begun) / 24).clamp(0, DAYS);
    let budget = budget(store).await?;
    let mut write = store.write(ACTOR, "work", "").await?;
    for site in &sites {
        // What is placed nowhere counts everywhere, or it would count nowhere.
        let here = |alert: &&Alert| {
            let place = alert.record.subject.and_then(|id| places.get(&id));
            place.is_none_or(|place| *place == site.id)
        };
        let facts = counted(alerts.iter().filter(here), days, budget);
        write.record(draft(FALSE_ALARMS, Some(site.id), now, facts)).await?;
    }
    write.commit().await?;
    ctx.house.wake();
    Ok(json!({ "sites": sites.len(), "days": days }))
}

fn counted<'a>(alerts: impl Iterator<Item = &'a Alert>, days: i64, budget_day: i64) -> Json {
    let (mut judged, mut unjudged, mut wrong) = (0, 0, 0);
    for alert in alerts {
        match alert.judgement() {
            None => unjudged += 1,
            Some(judgement) => {
                judged += 1;
                wrong += i64::from(judgement == Judgement::FalseAlarm);
            }
        }
    }
    json!({
        "days": days,
        "judged": judged,
        "unjudged": unjudged,
        "judged_false": wrong,
        "budget_total": budget_day.saturating_mul(days),
    })
}

type Places = std::collections::BTreeMap<Id, Id>;

async fn places(store: &Store, alerts: &[Alert]) -> Result<Places, StoreError> {
    let mut ids: Vec<Id> = alerts.iter().filter_map(|alert| alert.record.subject).collect();
    ids.sort_unstable();
    ids.dedup();
    let links = store.links(&ids, "located_in", store::End::Subject).await?;
    Ok(links.iter().filter_map(|link| Some((link.subject?, link.object?))).collect())
}

/// False alarms allowed a day, as the scope in force says.
async fn budget(store: &Store) -> Result<i64, StoreError> {
    let scopes = store.all(Table::Norm, &["monitoring_scope"]).await?;
    let active = scopes.iter().filter(|row| row.status == "active");
    let newest = active.max_by_key(|row| (row.updated_at, row.id));
    let said = newest.and_then(|row| row.attributes.get("false_alarms_day")?.as_i64());
    Ok(said.unwrap_or(BUDGET_DAY))
}

/// Why an exercise was not measured.
#[derive(Debug, thiserror::Error)]
pub enum ExerciseError {
    #[error("it was staged in the future, or longer ago than is measured")]
    Time,
    #[error("it expects no rule")]
    Empty,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Measures an exercise that was staged at a time: how many of the rules it expects fired since, and how soon.
pub async fn exercise(
    store: &Store,
    write: &mut Write<'_>,
    rule: &Row,
    staged: Timestamp,
) -> Result<Record, ExerciseError> {
    let now = store.now();
    if staged > now || now.hours_since(staged) >= EXERCISE_H {
        return Err(ExerciseError::Time);
    }
    let expects = rule.attributes.get("expects").and_then(Json::as_array);
    let expects: Vec<&str> = expects.into_iter().flatten().filter_map(Json::as_str).collect();
    if expects.is_empty() {
        return Err(ExerciseError::Empty);
    }
    // What happened has the time of its sender, whose clock may be slow; what counts is when it was written down.
    let since = staged.minus_hours(EXERCISE_H);
    let found = store.records_since(&[FINDING], since, LOOKED_AT_MAX).await?;
    let fired = |name: &&str| {
        let is_it = |r: &&Record| {
            let names = ["rule", "title_ja", "title_en"];
            r.received_at >= staged && names.iter().any(|n| fact(r, n) == Some(name))
        };
        found.iter().filter(is_it).map(|record| record.received_at.0 - staged.0).min()
    };
    let times: Vec<i64> = expects.iter().filter_map(fired).collect();
    let mut facts = json!({
        "staged_at": staged.rfc3339(),
        "expected": expects.len(),
        "detected": times.len(),
        "target_min": rule.attributes.get("target_min").and_then(Json::as_i64).unwrap_or(15),
    });
    if let Some(last) = times.iter().max() {
        facts["detected_s"] = json!(last / 1_000_000);
    }
    Ok(write.record(draft(EXERCISE, Some(rule.id), now, facts)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        assert_eq!(quantile(&[], 900), None);
        assert_eq!(quantile(&[5], 900), Some(5));
        let ten: Vec<i64> = (1..=10).rev().collect();
        assert_eq!((quantile(&ten, 900), quantile(&ten, 500)), (Some(9), Some(5)));
        assert_eq!(quantile(&(1..=11).collect::<Vec<_>>(), 900), Some(10));
    }
}
