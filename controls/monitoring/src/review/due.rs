//! When reviews fall due: investigation with each incident, discovery every week, prevention every month.
//!
//! Invariant: of one purpose and period there is one due record, however often and wherever it is looked at.

use model::{Id, Timestamp};
use serde_json::json;
use store::{Record, StoreError, Write};

/// Type of the record that says a review fell due.
pub const DUE: &str = "monitoring.review_due";
/// Hours within which the cause of an incident is reviewed.
const INVESTIGATION_H: i64 = 5 * 24;
/// Purposes that have a schedule: all three are scheduled by Ume itself.
const PURPOSES: i64 = 3;

/// The review of an incident falls due.
pub async fn investigation(
    write: &mut Write<'_>,
    incident: Id,
    now: Timestamp,
) -> Result<Record, StoreError> {
    let due = now.plus_hours(INVESTIGATION_H).rfc3339();
    let facts = json!({
        "purpose": "investigation",
        "purposes_scheduled": PURPOSES,
        "due": due.chars().take("2026-01-31".len()).collect::<String>(),
    });
    write.record(room::draft(DUE, Some(incident), now, facts)).await
}
