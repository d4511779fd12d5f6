//! What somebody decides on a GAP analysis, and what follows from it.
//!
//! Invariant: the decision, the judgement of its finding and what they set going are one change.

use calendar::Holidays;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use model::{Assurance, Id, Timestamp};
use serde_json::json;
use store::{Record, RecordDraft, Store, Write};

use super::{Analysis, document};
use crate::findings::{self, Alert, JudgeError, Judging};

/// Type of the record that holds what was decided.
pub const ANALYSIS: &str = "monitoring.gap_analysis";
/// Days that are counted at most.
const DAYS_MAX: i64 = 3_660;

/// What is decided.
pub struct Deciding<'a> {
    pub analysis: &'a Analysis,
    pub judging: Judging<'a>,
    /// Since when it could be decided, in working days.
    pub working_days: i64,
}

/// Writes the decision; of a finding that nobody judged yet it is the judgement as well.
pub async fn decide(
    store: &Store,
    write: &mut Write<'_>,
    alert: Option<&Alert>,
    deciding: &Deciding<'_>,
) -> Result<Record, JudgeError> {
    let subject = alert.map_or(deciding.analysis.host, |alert| Some(alert.record.id));
    let record = write.record(draft(store.now(), subject, deciding)).await?;
    let Some(alert) = alert.filter(|alert| alert.judged.is_none()) else { return Ok(record) };
    let judged = findings::judge(store, write, alert, &deciding.judging).await?;
    // What was decided holds for the incident that comes of it.
    if let Some(incident) = judged.incident {
        write.record(draft(store.now(), Some(incident), deciding)).await?;
    }
    Ok(record)
}

fn draft(now: Timestamp, subject: Option<Id>, deciding: &Deciding<'_>) -> RecordDraft {
    let analysis = deciding.analysis;
    let mut facts = json!({
        "verdict": deciding.judging.judgement.name(),
        "decision_working_days": deciding.working_days,
        "items": analysis.items.len(),
        "steady_weeks": analysis.weeks.len(),
    });
    if let Some(root) = &analysis.steady_root {
        facts["steady_root"] = json!(root);
    }
    if let Some(root) = &analysis.incident_root {
        facts["incident_root"] = json!(root);
    }
    // Keys name people and machines, the reason may as well.
    let payload = json!({ "reason": deciding.judging.reason, "analysis": document(analysis) });
    RecordDraft {
        ty: ANALYSIS.to_owned(),
        subject,
        observed_from: now,
        observed_to: now,
        source: "monitoring.gap".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&payload).ok(),
    }
}

/// Working days that passed from one moment to another: a decision on the same day took none.
pub fn working_days(from: Timestamp, to: Timestamp, zone: &TimeZone, holidays: &Holidays) -> i64 {
    let day = |at: Timestamp| -> Option<Date> {
        let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
        Some(zone.to_datetime(at).date())
    };
    let (Some(first), Some(last)) = (day(from), day(to)) else { return DAYS_MAX };
    let (mut at, mut days) = (first, 0);
    while at < last && days < DAYS_MAX {
        let Ok(next) = at.checked_add(1.day()) else { break };
        at = next;
        days += i64::from(holidays.is_business_day(at));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_and_holidays_are_no_working_days() {
        let zone = TimeZone::get("Asia/Tokyo").expect("zone");
        let holidays = Holidays::by_law();
        let days = |from: &str, to: &str| {
            let at = |text: &str| Timestamp::parse(text).expect("time");
            working_days(at(from), at(to), &zone, &holidays)
        };
        assert_eq!(days("2026-11-27T01:00:00Z", "2026-11-27T08:00:00Z"), 0);
        assert_eq!(days("2026-11-27T01:00:00Z", "2026-11-30T01:00:00Z"), 1, "over a weekend");
        // 21 to 23 September 2026 are holidays, the 22nd between two of them.
        assert_eq!(days("2026-09-18T01:00:00Z", "2026-09-25T01:00:00Z"), 2);
        assert_eq!(
            days("2026-11-26T16:00:00Z", "2026-11-27T01:00:00Z"),
            0,
            "the same day in Japan"
        );
    }
}
