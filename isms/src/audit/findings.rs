//! Findings (10.2): correction, cause, similar cases, and whether it helped.
//!
//! Invariants: pure. A finding is closed well only by a check of effectiveness that somebody other than
//! the responsible made, on the day it was closed or later.

use model::Timestamp;
use serde_json::{Value as Json, json};
use store::Row;

use crate::{days, hall::text_of};

/// How a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Open,
    Overdue,
    /// Closed, but nobody independent saw that it helped.
    Unverified,
    Verified,
}

impl Standing {
    /// How people read it.
    pub fn text(self) -> model::Text {
        use model::t;
        match self {
            Standing::Open => t("是正中", "open"),
            Standing::Overdue => t("期限超過", "overdue"),
            Standing::Unverified => t("完了（有効性は未確認）", "closed, not verified"),
            Standing::Verified => t("完了（有効性を確認）", "closed, effective"),
        }
    }

    /// The class that colours it.
    pub fn class(self) -> &'static str {
        match self {
            Standing::Open => "unknown",
            Standing::Overdue | Standing::Unverified => "fail",
            Standing::Verified => "pass",
        }
    }
}

/// How the finding stands at this moment.
pub fn standing(row: &Row, now: Timestamp) -> Standing {
    if text_of(row, "closed_on").is_some() {
        return if is_effective(row) { Standing::Verified } else { Standing::Unverified };
    }
    let over = days::field(row, "due").is_some_and(|due| due.plus_hours(24) <= now);
    if over { Standing::Overdue } else { Standing::Open }
}

/// Whether somebody independent saw that it helped.
fn is_effective(row: &Row) -> bool {
    let days = (days::field(row, "closed_on"), days::field(row, "effective_on"));
    let later = matches!(days, (Some(closed), Some(seen)) if seen >= closed);
    let by = text_of(row, "verified_by");
    later
        && text_of(row, "effectiveness").is_some()
        && by.is_some()
        && by != text_of(row, "responsible")
}

/// The facts of its record.
pub fn facts(row: &Row) -> Json {
    let mut facts = json!({
        "control": text_of(row, "control").unwrap_or(""),
        "grade": text_of(row, "grade").unwrap_or("observation"),
        "corrected": text_of(row, "correction").is_some(),
        "cause_found": text_of(row, "cause").is_some(),
        "effective": standing(row, Timestamp(0)) == Standing::Verified,
    });
    if let Some(cases) = row.attributes.get("similar_cases").and_then(Json::as_i64) {
        facts["similar_cases"] = cases.into();
    }
    facts
}

#[cfg(test)]
mod tests {
    use model::{Id, Table};

    use super::*;

    #[test]
    fn a_finding_is_verified_only_by_another_and_not_before_it_was_closed() {
        let now = Timestamp(1_795_600_000_000_000);
        let mut row =
            Row::new(Table::Asset, Id::from_parts(now, &[1; 10]), "audit_finding", "所見");
        let set = |row: &mut Row, name: &str, value: &str| {
            row.attributes.insert(name.to_owned(), value.into());
        };
        set(&mut row, "due", &days::of(now));
        set(&mut row, "responsible", "a");
        assert_eq!(standing(&row, now), Standing::Open, "its last day is in time");
        assert_eq!(standing(&row, now.plus_hours(48)), Standing::Overdue);
        set(&mut row, "closed_on", "2026-11-20");
        assert_eq!(standing(&row, now), Standing::Unverified);
        set(&mut row, "effectiveness", "三か月の記録を見た");
        set(&mut row, "effective_on", "2026-11-24");
        set(&mut row, "verified_by", "a");
        assert_eq!(standing(&row, now), Standing::Unverified, "by the responsible");
        set(&mut row, "verified_by", "b");
        assert_eq!(standing(&row, now), Standing::Verified);
        set(&mut row, "effective_on", "2026-11-19");
        assert_eq!(standing(&row, now), Standing::Unverified, "before it was done");
    }
}
