//! When the next management review is, and whether the last one had the brief before it.

use jiff::{Span, ToSpan, civil::Date, tz::TimeZone};
use model::{Id, Table};
use serde_json::Value as Json;
use store::{Record, Row, Store, StoreError};

use super::{DAY_CHARS, Horizon, ISSUED, fact, text_of};

const PACK: &str = "isms.review_pack";
const REVIEW: &str = "management_review";
const HELD: &str = "review_held";
const SCHEDULE: &str = "schedule";
/// Source of the review's inputs under which briefs stand.
const SOURCE: &str = "long_term_threats";
const BRIEFS_MAX: usize = 100;
const STEPS_MAX: i64 = 1_000;
/// A review is held at least so often.
const MONTHS: i64 = 12;

/// The day of the next review: planned, scheduled, or a year after the last; none without any of them.
pub async fn next(store: &Store, zone: &TimeZone) -> Result<Option<Date>, StoreError> {
    let today = super::day(store.now(), zone);
    let plans = store.all(Table::Plan, &[REVIEW]).await?;
    let ids: Vec<Id> = plans.iter().map(|plan| plan.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let is_held = |plan: &Row| {
        decisions.iter().any(|d| {
            d.subject == Some(plan.id) && d.kind == HELD && d.status == "approved" && !d.deleted
        })
    };
    let open = plans.iter().filter(|plan| !is_held(plan));
    let planned =
        open.filter_map(|plan| date(text_of(plan, "held_on"))).filter(|day| *day >= today);
    let rules = store.all(Table::Rule, &[SCHEDULE]).await?;
    let ours =
        rules.iter().filter(|rule| rule.status == "active" && text_of(rule, "activity") == REVIEW);
    let scheduled = ours.filter_map(|rule| {
        occurrence(date(text_of(rule, "first_on"))?, text_of(rule, "every"), today)
    });
    if let Some(day) = planned.chain(scheduled).min() {
        return Ok(Some(day));
    }
    let last = last(store).await?;
    let held = last.as_ref().and_then(|record| date(fact(record, "held_on")));
    let due = held.and_then(|day| day.checked_add(MONTHS.months()).ok());
    // A year that has passed makes it due now.
    Ok(due.map(|day| day.max(today)))
}

fn date(text: &str) -> Option<Date> {
    text.get(..DAY_CHARS)?.parse().ok()
}

/// The first occurrence from today on.
fn occurrence(first: Date, every: &str, today: Date) -> Option<Date> {
    if first >= today {
        return Some(first);
    }
    let every: Span = every.parse().ok()?;
    let step = |times: i64| first.checked_add(every.checked_mul(times).ok()?).ok();
    // What never advances has no next occurrence.
    if step(1)? <= first {
        return None;
    }
    (1..STEPS_MAX).filter_map(step).find(|day| *day >= today)
}

/// The record of the newest review that was held.
pub async fn last(store: &Store) -> Result<Option<Record>, StoreError> {
    Ok(store.newest_records(&[PACK], None, 1).await?.into_iter().next())
}

/// Whether a mid- and long-term brief stood among the inputs of that review.
pub async fn had_brief(store: &Store, pack: &Record) -> Result<bool, StoreError> {
    let Ok(review) = fact(pack, "review").parse::<Id>() else { return Ok(false) };
    let Some(row) = store.row(Table::Plan, review).await?.filter(|row| !row.deleted) else {
        return Ok(false);
    };
    let briefs = store.newest_records(&[ISSUED], None, BRIEFS_MAX).await?;
    let long = briefs.iter().filter(|b| fact(b, "horizon") == Horizon::Long.as_str());
    let paths: Vec<String> = long.map(|brief| format!("/records/{}", brief.id)).collect();
    Ok(hrefs(&row).iter().any(|href| paths.contains(href)))
}

fn hrefs(review: &Row) -> Vec<String> {
    let inputs = review.attributes.get("inputs").and_then(Json::as_array).into_iter().flatten();
    let sections = inputs.filter_map(|input| input["sections"].as_array()).flatten();
    let ours = sections.filter(|section| section["source"] == SOURCE);
    let lines = ours.filter_map(|section| section["lines"].as_array()).flatten();
    lines.filter_map(|line| line["href"].as_str()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_comes_round_and_one_that_stands_still_never() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let next =
            |first: &str, every: &str, today: &str| occurrence(day(first), every, day(today));
        assert_eq!(next("2026-04-01", "P1Y", "2026-11-29"), Some(day("2027-04-01")));
        assert_eq!(next("2026-01-31", "P1M", "2026-02-10"), Some(day("2026-02-28")));
        assert_eq!(next("2027-01-01", "P1Y", "2026-11-29"), Some(day("2027-01-01")));
        assert_eq!(next("2026-11-29", "P6M", "2026-11-29"), Some(day("2026-11-29")));
        assert_eq!(next("2020-01-01", "P0D", "2026-11-29"), None);
        assert_eq!(next("2020-01-01", "yearly", "2026-11-29"), None);
    }
}
