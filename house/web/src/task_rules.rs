//! What the attributes of a task mean: when it is due, and what is wrong with them beyond the schema.

use std::sync::LazyLock;

use calendar::{BusinessDay, Due, DueError, Holidays};
use jiff::tz::TimeZone;
use model::{FieldError, Timestamp};
use serde_json::{Map, Value as Json};

use crate::access::ROLES;

/// Attributes that no form shows: the machine sets them.
pub const HIDDEN: [&str; 2] = ["closes_where", "closed_by"];

/// Most rungs of an escalation.
const ESCALATIONS_MAX: usize = 10;
const DAYS_MAX: i64 = 366;

/// The holidays that ship with Ume.
pub static HOLIDAYS: LazyLock<Holidays> = LazyLock::new(|| {
    let table = include_str!("../../../content/calendar/jp-holidays.toml");
    // A test holds the table against the law; the law alone gives the same days.
    Holidays::from_table(table).unwrap_or_else(|_| Holidays::by_law())
});

/// Days after the due date, and the role that hears of it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    pub days: i64,
    pub role: String,
}

fn text<'a>(attributes: &'a Map<String, Json>, name: &str) -> &'a str {
    attributes.get(name).and_then(Json::as_str).unwrap_or("")
}

/// The due moment as the task's attributes say it.
pub fn due(attributes: &Map<String, Json>) -> Result<Due, DueError> {
    let get = |name| text(attributes, name);
    Due::parse(get("due"), get("clock"), get("zone"), &TimeZone::system())
}

/// The same in the store's time.
pub fn due_at(attributes: &Map<String, Json>) -> Option<Timestamp> {
    due(attributes).ok()?.micros().ok().map(Timestamp)
}

/// Writes the organisation's time zone into a task that names none, so that its due moment does not
/// depend on where it is computed.
pub fn in_zone(attributes: &mut Map<String, Json>, zone: &TimeZone) {
    if text(attributes, "zone").is_empty()
        && let Some(name) = zone.iana_name()
    {
        attributes.insert("zone".into(), Json::from(name));
    }
}

/// What a day off does to the due date.
pub fn business_day(attributes: &Map<String, Json>) -> BusinessDay {
    match text(attributes, "business_day") {
        "next" => BusinessDay::Next,
        "previous" => BusinessDay::Previous,
        _ => BusinessDay::AsIs,
    }
}

/// Who hears of it, when it stays undone.
pub fn escalations(attributes: &Map<String, Json>) -> Vec<Escalation> {
    let lines = attributes.get("escalation").and_then(Json::as_array);
    lines.into_iter().flatten().filter_map(Json::as_str).filter_map(escalation).collect()
}

fn escalation(line: &str) -> Option<Escalation> {
    let (days, role) = line.trim().split_once(char::is_whitespace)?;
    let days = days.parse().ok().filter(|days| (0..=DAYS_MAX).contains(days))?;
    let role = role.trim().to_owned();
    ROLES.contains(&role.as_str()).then_some(Escalation { days, role })
}

/// The attributes of the next occurrence, due after `after`; `None` if the task does not recur or
/// the recurrence has ended.
pub fn next(
    attributes: &Map<String, Json>,
    after: Timestamp,
) -> Result<Option<Map<String, Json>>, DueError> {
    let rule = text(attributes, "rrule");
    if rule.trim().is_empty() {
        return Ok(None);
    }
    let own = due(attributes)?;
    let anchor = match text(attributes, "anchor").trim() {
        "" => own.day,
        day => day.parse().map_err(|_| DueError::Day)?,
    };
    let from = Due { day: anchor, ..own.clone() };
    // An early close must not bring the same occurrence again.
    let moved = own.clone().moved(business_day(attributes), &HOLIDAYS);
    let behind = after.0.max(own.micros()?).max(moved.micros()?);
    let found = calendar::next_due(rule, &from, business_day(attributes), &HOLIDAYS, behind)?;
    Ok(found.map(|due| {
        let mut next = attributes.clone();
        next.insert("due".into(), Json::from(due.day.to_string()));
        next.remove("closed_by");
        next.insert("anchor".into(), Json::from(anchor.to_string()));
        next
    }))
}

/// What is wrong with a task's attributes beyond their schema; `known` tells record types.
pub fn faults(attributes: &Map<String, Json>, known: &dyn Fn(&str) -> bool) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, expected: &'static str| {
        wrong.push(FieldError::Type { field: field.to_owned(), expected });
    };
    match due(attributes).and_then(|due| due.micros()) {
        Err(DueError::Clock) => say("clock", "a time such as 17:00"),
        Err(DueError::Zone) => say("zone", "a time zone such as Asia/Tokyo"),
        // An unreadable date is the schema's to name.
        Err(_) | Ok(_) => {}
    }
    let rule = text(attributes, "rrule");
    if !rule.trim().is_empty() && calendar::check_rule(rule).is_err() {
        say("rrule", "a daily, weekly, monthly or yearly recurrence such as FREQ=MONTHLY");
    }
    let closes = text(attributes, "closes_with");
    if !closes.is_empty() && !known(closes) {
        say("closes_with", "a record type such as house.task_done");
    }
    let lines = attributes.get("escalation").and_then(Json::as_array).map_or(0, Vec::len);
    if lines != escalations(attributes).len() || lines > ESCALATIONS_MAX {
        say("escalation", "at most ten lines of days overdue and role, such as: 3 officer");
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(json: Json) -> Map<String, Json> {
        json.as_object().cloned().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_next_occurrence_keeps_its_anchor_and_skips_what_was_missed() {
        let monthly = task(json!({
            "due": "2026-01-30", "zone": "Asia/Tokyo", "clock": "17:00",
            "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1", "anchor": "2026-01-31",
            "business_day": "previous",
        }));
        let early = next(&monthly, at("2026-01-05T00:00:00Z")).unwrap().unwrap();
        assert_eq!(early["due"], "2026-02-27", "28 February 2026 is a Saturday");
        let late = next(&monthly, at("2026-03-05T00:00:00Z")).unwrap().unwrap();
        assert_eq!((&late["due"], &late["anchor"]), (&json!("2026-03-31"), &json!("2026-01-31")));
        assert_eq!(next(&task(json!({"due": "2026-01-30"})), at("2026-03-05T00:00:00Z")), Ok(None));
    }

    #[test]
    fn each_wrong_field_is_named() {
        let wrong = task(json!({
            "due": "2026-01-30", "clock": "25:00", "rrule": "often", "closes_with": "no.such",
            "escalation": ["3 officer", "soon boss"],
        }));
        let fields: Vec<String> =
            faults(&wrong, &|_| false).iter().map(|e| e.field().to_owned()).collect();
        assert_eq!(fields, ["clock", "rrule", "closes_with", "escalation"]);
        let right = task(json!({
            "due": "2026-01-30", "zone": "Asia/Tokyo", "rrule": "FREQ=WEEKLY;BYDAY=MO",
            "closes_with": "house.task_done", "escalation": ["0 officer", "7 executive"],
        }));
        assert_eq!(faults(&right, &|ty| ty == "house.task_done"), []);
        assert_eq!(escalations(&right)[1], Escalation { days: 7, role: "executive".to_owned() });
    }

    #[test]
    fn the_shipped_holidays_are_read() {
        assert_eq!(HOLIDAYS.name(jiff::civil::date(2026, 9, 22)), Some("国民の休日"));
    }
}
