//! Whether executives are served as was promised: criteria, short-term hits, the brief before the review, orders.
//!
//! Invariants: what is not watched is not in time: without an approved criterion nothing is said of late hits; a record
//! is written when something changed, and once a day.

use model::Timestamp;
use serde_json::{Map, Value as Json, json};
use store::{Store, StoreError};

use super::{
    ACTOR, Horizon, REVIEWED, YEAR_HOURS, begin, brief,
    criterion::{self, Ruled},
    fact, hits, orders, review_day,
};

/// A strand is told again after so long though nothing changed.
const AGAIN_HOURS: i64 = 20;
const RECORDS_MAX: usize = 200;

/// The strands, each with its facts.
pub async fn strands(store: &Store) -> Result<[Json; 4], StoreError> {
    let now = store.now();
    let (_, zone) = super::organisation(store).await?;
    let criteria = criterion::all(store).await?;
    let unapproved = criteria.iter().filter(|ruled| ruled.in_force().is_none()).count();
    let of_criteria =
        json!({ "strand": "criteria", "checked": criteria.len(), "unapproved": unapproved });
    let of_orders = orders::all(store, &zone).await?;
    let open = || of_orders.iter().filter(|given| given.is_open());
    let orders = json!({
        "strand": "orders",
        "checked": of_orders.len(),
        "unowned": open().filter(|given| given.owner.is_none() || given.task.is_none()).count(),
        "undated": open().filter(|given| given.due.is_none()).count(),
        "overdue": open().filter(|given| given.days_late(now).is_some()).count(),
    });
    Ok([
        of_criteria,
        short_term(store, &criteria, now).await?,
        long_term(store, now).await?,
        orders,
    ])
}

async fn short_term(store: &Store, criteria: &[Ruled], now: Timestamp) -> Result<Json, StoreError> {
    let hits = hits::records(store, now.minus_hours(YEAR_HOURS)).await?;
    let (briefs, acks) = (brief::records(store).await?, brief::acknowledgements(store).await?);
    let short = hits.iter().filter(|hit| fact(hit, "horizon") == Horizon::Short.as_str());
    let late = short.clone().filter(|hit| {
        let Some(due) = Timestamp::parse(fact(hit, "due")) else { return true };
        brief::delivered(hit, &briefs, &acks).unwrap_or(now) > due
    });
    let mut facts = json!({ "strand": "short_term", "checked": short.clone().count() });
    let watches = |ruled: &Ruled| {
        ruled.in_force().is_some_and(|(criterion, _)| criterion.horizon == Horizon::Short)
    };
    if criteria.iter().any(watches) {
        facts["late"] = json!(late.count());
    }
    Ok(facts)
}

async fn long_term(store: &Store, now: Timestamp) -> Result<Json, StoreError> {
    let (_, zone) = super::organisation(store).await?;
    let last = review_day::last(store).await?;
    let in_last_review = match &last {
        None => false,
        Some(pack) => {
            let held = begin(fact(pack, "held_on"), &zone);
            held.is_some_and(|held| now.hours_since(held) <= YEAR_HOURS)
                && review_day::had_brief(store, pack).await?
        }
    };
    let checked = usize::from(last.is_some());
    Ok(json!({ "strand": "long_term", "checked": checked, "in_last_review": in_last_review }))
}

/// Writes what changed, and once a day what did not. Says how many records it wrote.
pub async fn record(store: &Store) -> Result<usize, StoreError> {
    let now = store.now();
    let before = store.newest_records(&[REVIEWED], None, RECORDS_MAX).await?;
    let mut drafts = Vec::new();
    for facts in strands(store).await? {
        let facts: Map<String, Json> = facts.as_object().cloned().unwrap_or_default();
        let strand = facts["strand"].as_str().unwrap_or_default();
        let last = before.iter().find(|record| fact(record, "strand") == strand);
        let is_told = last.is_some_and(|record| {
            record.facts == facts && now.hours_since(record.observed_to) < AGAIN_HOURS
        });
        if !is_told {
            drafts.push(room::draft(REVIEWED, None, now, Json::Object(facts)));
        }
    }
    let count = drafts.len();
    if count > 0 {
        let mut write = store.write(ACTOR, "executives served", "work").await?;
        for draft in drafts {
            write.record(draft).await?;
        }
        write.commit().await?;
    }
    Ok(count)
}
