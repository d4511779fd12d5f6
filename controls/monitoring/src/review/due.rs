//! When reviews fall due: investigation five days after an incident, discovery with each week, prevention with each
//! month of the organisation.
//!
//! Invariant: of one purpose and period, or incident, there is one due record, however often it is looked at.

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError};

use super::Purpose;
use crate::findings::{self, FINDING, HANDLED, INCIDENT, Judgement};

/// Type of the record that says a review fell due.
pub const DUE: &str = "monitoring.review_due";
/// Setting: since when Ume schedules reviews here.
const SINCE: &str = "monitoring.reviews_since";
/// Days within which the cause of an incident is reviewed.
const INVESTIGATION_DAYS: i64 = 5;
/// Purposes that have a schedule: Ume schedules all three.
const SCHEDULED: i64 = 3;
/// How far back a missed review is told.
const BACK_DAYS: i64 = 35;
const LOOKED_AT_MAX: usize = 5_000;
const ACTOR: &str = "system:monitoring.reviews";

/// A review that nobody held yet.
#[derive(Clone, Debug)]
pub struct Pending {
    pub purpose: Purpose,
    /// The incident that is investigated.
    pub incident: Option<Record>,
    pub due: Timestamp,
    /// The record that says it fell due, if that is written.
    pub record: Option<Id>,
}

/// Reviews that are to be held, the next first: three statements.
pub async fn pending(store: &Store, zone: &TimeZone) -> Result<Vec<Pending>, StoreError> {
    let now = store.now();
    let since = store.setting(SINCE).await?;
    let since = since.and_then(|text| text.parse().ok()).map_or(now, Timestamp);
    let types: Vec<&str> =
        Purpose::ALL.iter().map(|purpose| purpose.record()).chain([DUE]).collect();
    let back = now.minus_hours(24 * (BACK_DAYS + INVESTIGATION_DAYS));
    let others = store.records_since(&types, back, LOOKED_AT_MAX).await?;
    // A flood of findings hides none of what fell due, at worst the oldest incidents.
    let found = store.newest_records(&[FINDING, HANDLED], None, LOOKED_AT_MAX).await?;
    let (mut found, handled): (Vec<Record>, Vec<Record>) =
        found.into_iter().partition(|record| record.ty == FINDING);
    found.retain(|record| {
        record.received_at >= back
            && record.facts.get("class").and_then(Json::as_str) == Some(INCIDENT)
    });
    let incidents = findings::joined(found, &handled);
    // What was judged to be no incident after all is not investigated.
    let is_real = |alert: &&findings::Alert| {
        !matches!(alert.judgement(), Some(Judgement::Normal | Judgement::FalseAlarm))
    };
    let incidents = incidents.iter().filter(is_real).map(|alert| Pending {
        purpose: Purpose::Investigation,
        due: alert.record.received_at.plus_hours(24 * INVESTIGATION_DAYS),
        incident: Some(alert.record.clone()),
        record: None,
    });
    let periods = periods(since, now, zone).into_iter();
    let periods =
        periods.map(|(purpose, due)| Pending { purpose, incident: None, due, record: None });
    let mut all: Vec<Pending> = incidents.chain(periods).collect();
    all.retain_mut(|pending| {
        pending.record = others.iter().find(|r| pending.is_told_by(r)).map(|r| r.id);
        let held = |r: &Record| r.ty == pending.purpose.record() && r.subject == pending.record;
        pending.record.is_none() || !others.iter().any(held)
    });
    all.sort_by_key(|pending| (pending.due, pending.purpose));
    Ok(all)
}

impl Pending {
    fn is_told_by(&self, record: &Record) -> bool {
        let fact = |name: &str| record.facts.get(name).and_then(Json::as_str);
        record.ty == DUE
            && fact("purpose") == Some(self.purpose.name())
            && match &self.incident {
                Some(incident) => record.subject == Some(incident.id),
                None => fact("due") == Some(&day_of(self.due)),
            }
    }

    /// The hours that are looked at.
    pub fn window(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let days = self.purpose.days();
        match &self.incident {
            Some(incident) => (incident.observed_from.minus_hours(24 * days), now),
            None => (self.due.min(now).minus_hours(24 * days), now),
        }
    }
}

fn day_of(time: Timestamp) -> String {
    time.rfc3339().chars().take("2026-01-31".len()).collect()
}

/// Ends of weeks and months since reviews are scheduled: those that passed lately, and the next one of each.
fn periods(since: Timestamp, now: Timestamp, zone: &TimeZone) -> Vec<(Purpose, Timestamp)> {
    let first = since.max(now.minus_hours(24 * BACK_DAYS));
    let Ok(begin) = jiff::Timestamp::from_microsecond(first.0) else { return Vec::new() };
    let mut day = zone.to_datetime(begin).date();
    let (mut found, mut open) = (Vec::new(), vec![Purpose::Discovery, Purpose::Prevention]);
    // The next end of a month is at most 31 days ahead.
    for _ in 0..BACK_DAYS + 40 {
        let Some(end) = end_of(day, zone) else { break };
        for purpose in [Purpose::Discovery, Purpose::Prevention] {
            if ends_with(purpose, day) && open.contains(&purpose) {
                found.push((purpose, end));
                if end > now {
                    open.retain(|other| *other != purpose);
                }
            }
        }
        let Ok(next) = day.checked_add(1.day()) else { break };
        day = next;
    }
    found
}

fn ends_with(purpose: Purpose, day: Date) -> bool {
    match purpose {
        Purpose::Investigation => false,
        Purpose::Discovery => day.weekday() == jiff::civil::Weekday::Friday,
        Purpose::Prevention => day == day.last_of_month(),
    }
}

/// The last moment of a day.
fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = zone.to_timestamp(day.tomorrow().ok()?.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp(next.as_microsecond() - 1))
}

/// The record that a review fell due, observed at `at`.
pub fn draft(pending: &Pending, at: Timestamp) -> RecordDraft {
    let facts = json!({
        "purpose": pending.purpose.name(),
        "purposes_scheduled": SCHEDULED,
        "due": day_of(pending.due),
    });
    room::draft(DUE, pending.incident.as_ref().map(|incident| incident.id), at, facts)
}

/// Notes since when reviews are scheduled, and writes down what is overdue.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    // A demonstration has a year of its own.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (store, now) = (ctx.store(), ctx.store().now());
    if store.setting(SINCE).await?.is_none() {
        store.set_setting(SINCE, &now.0.to_string()).await?;
    }
    let zone = ctx.house.people.local().zone.clone();
    let is_over = |pending: &&Pending| pending.due < now && pending.record.is_none();
    let mut written = 0;
    let due = pending(store, &zone).await?;
    if due.iter().any(|pending| is_over(&pending)) {
        let mut write = store.write(ACTOR, "work", "").await?;
        // Read behind the beginning of the change: somebody may sign it meanwhile.
        for pending in pending(store, &zone).await?.iter().filter(is_over) {
            write.record(draft(pending, pending.due)).await?;
            written += 1;
        }
        write.commit().await?;
        ctx.house.wake();
    }
    Ok(json!({ "fell_due": written, "open": due.len() }))
}

/// The task to review the cause of an incident.
pub fn task(store: &Store, incident: Id, now: Timestamp) -> Result<Row, StoreError> {
    let name = "原因調査レビュー / Investigation review";
    let mut task = Row::new(Table::Task, store.new_id()?, "task", name);
    let due = now.plus_hours(24 * INVESTIGATION_DAYS);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.ends_at = Some(due);
    let attributes = json!({
        "due": day_of(due),
        "zone": "UTC",
        "description": format!("/monitoring/review/investigation?incident={incident}"),
        "remind_days": 2,
        "role": "officer",
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("time")
    }

    #[test]
    fn weeks_and_months_end_where_the_organisation_is() {
        let zone = TimeZone::get("Asia/Tokyo").expect("zone");
        let found = periods(at("2026-11-10T00:00:00Z"), at("2026-11-28T00:00:00Z"), &zone);
        let told: Vec<String> =
            found.iter().map(|(p, due)| format!("{} {}", p.name(), due.rfc3339())).collect();
        let ends = |day: &str| told.iter().any(|text| text.contains(day));
        assert_eq!(found.len(), 5, "{told:?}");
        assert!(ends("discovery 2026-11-13T14:59:59"), "{told:?}");
        assert!(ends("discovery 2026-11-20") && ends("discovery 2026-11-27"), "{told:?}");
        assert!(ends("discovery 2026-12-04T14:59:59"), "the next week: {told:?}");
        assert!(ends("prevention 2026-11-30T14:59:59"), "{told:?}");
    }

    #[test]
    fn nothing_was_due_before_reviews_were_scheduled() {
        let now = at("2026-11-28T00:00:00Z");
        let found = periods(now, now, &TimeZone::UTC);
        assert!(found.iter().all(|(_, due)| *due > now) && found.len() == 2, "{found:?}");
    }
}
