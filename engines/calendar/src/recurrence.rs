//! When a piece of work is due, and when next.
//!
//! Limits: rules of at most [`RULE_CHARS_MAX`] characters, of days or longer, and a bounded number
//! of steps, so that no rule keeps a server busy.

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::Holidays;

/// Longest rule.
pub const RULE_CHARS_MAX: usize = 500;
/// Occurrences looked at: a daily rule over a hundred years.
const STEPS_MAX: usize = 40_000;

/// What happens when a day falls on a day off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BusinessDay {
    #[default]
    AsIs,
    Next,
    Previous,
}

/// When something is due: a day, and a time of day in a zone; without a time the day's end.
#[derive(Clone, Debug)]
pub struct Due {
    pub day: Date,
    pub clock: Option<Time>,
    pub zone: TimeZone,
}

/// Why a due date or a recurrence was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DueError {
    #[error("expected a date such as 2026-11-25")]
    Day,
    #[error("expected a time such as 17:00")]
    Clock,
    #[error("expected a time zone such as Asia/Tokyo")]
    Zone,
    #[error("expected a recurrence such as FREQ=MONTHLY;BYMONTHDAY=-1")]
    Rule,
    #[error("a recurrence repeats daily, weekly, monthly or yearly")]
    Frequency,
    #[error("the moment lies beyond the calendar")]
    Range,
}

impl Due {
    /// Reads day, time of day (may be empty) and zone (`fallback` if empty).
    pub fn parse(day: &str, clock: &str, zone: &str, fallback: &TimeZone) -> Result<Due, DueError> {
        let day = day.trim().parse().map_err(|_| DueError::Day)?;
        let clock = match clock.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| DueError::Clock)?),
        };
        let zone = match zone.trim() {
            "" => fallback.clone(),
            name => TimeZone::get(name).map_err(|_| DueError::Zone)?,
        };
        Ok(Due { day, clock, zone })
    }

    /// The moment in microseconds of Unix time; a time that a clock change skips is the one after.
    pub fn micros(&self) -> Result<i64, DueError> {
        let (day, clock) = match self.clock {
            Some(clock) => (self.day, clock),
            None => (self.day.tomorrow().map_err(|_| DueError::Range)?, Time::midnight()),
        };
        let moment = self.zone.to_timestamp(day.to_datetime(clock)).map_err(|_| DueError::Range)?;
        Ok(moment.as_microsecond() - i64::from(self.clock.is_none()))
    }

    /// The same moved off a day that is no business day.
    pub fn moved(mut self, rule: BusinessDay, holidays: &Holidays) -> Due {
        let to = match rule {
            BusinessDay::AsIs => None,
            BusinessDay::Next => holidays.next_business_day(self.day),
            BusinessDay::Previous => holidays.previous_business_day(self.day),
        };
        self.day = to.unwrap_or(self.day);
        self
    }
}

/// Holds a rule against what is supported, without a day to start from.
pub fn check_rule(rule: &str) -> Result<(), DueError> {
    let start = jiff::civil::date(2026, 1, 1);
    occurrences(rule, start).map(drop)
}

/// Days of the rule from its anchor on. The rule runs over days in UTC, so that no clock change of
/// the zone moves one; the time of day is added after.
fn occurrences(rule: &str, anchor: Date) -> Result<rrule::RRuleSet, DueError> {
    let rule = rule.trim().trim_start_matches("RRULE:").to_ascii_uppercase();
    if rule.is_empty() || rule.chars().count() > RULE_CHARS_MAX || rule.contains(['\n', '\r']) {
        return Err(DueError::Rule);
    }
    let mut parts = rule.split(';').filter_map(|p| p.split_once('='));
    let daily = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
    let frequency = parts.clone().find(|(key, _)| *key == "FREQ").ok_or(DueError::Rule)?.1;
    let hours = parts.any(|(key, _)| matches!(key, "BYHOUR" | "BYMINUTE" | "BYSECOND"));
    if !daily.contains(&frequency) || hours {
        return Err(DueError::Frequency);
    }
    let start = anchor.strftime("%Y%m%d");
    let text = format!("DTSTART:{start}T000000Z\nRRULE:{rule}");
    text.parse().map_err(|_| DueError::Rule)
}

/// The first occurrence of `rule`, counted from `anchor`, whose due moment lies after `after`
/// (microseconds); `None` when the rule has ended.
pub fn next_due(
    rule: &str,
    anchor: &Due,
    move_to: BusinessDay,
    holidays: &Holidays,
    after: i64,
) -> Result<Option<Due>, DueError> {
    let set = occurrences(rule, anchor.day)?;
    for moment in set.into_iter().take(STEPS_MAX) {
        let day = jiff::Timestamp::from_second(moment.timestamp())
            .map_err(|_| DueError::Range)?
            .to_zoned_datetime(TimeZone::UTC)
            .date();
        let due = Due { day, ..anchor.clone() }.moved(move_to, holidays);
        if due.micros()? > after {
            return Ok(Some(due));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn due(day: &str, clock: &str, zone: &str) -> Due {
        Due::parse(day, clock, zone, &TimeZone::UTC).unwrap()
    }

    fn after(rule: &str, anchor: &Due, move_to: BusinessDay, behind: &Due) -> Option<Date> {
        let behind = behind.micros().unwrap();
        next_due(rule, anchor, move_to, &Holidays::by_law(), behind).unwrap().map(|d| d.day)
    }

    #[test]
    fn a_day_ends_in_its_own_zone() {
        let tokyo = due("2026-11-25", "", "Asia/Tokyo").micros().unwrap();
        let utc = due("2026-11-25", "", "").micros().unwrap();
        assert_eq!(utc - tokyo, 9 * 3_600_000_000);
        let at_five = due("2026-11-25", "17:00", "Asia/Tokyo").micros().unwrap();
        assert_eq!(tokyo - at_five, 7 * 3_600_000_000 - 1);
    }

    #[test]
    fn the_last_day_of_each_month_does_not_drift_when_a_holiday_moves_it() {
        // 31 October 2026 is a Saturday: due on the Friday before; the next is still the 30th.
        let anchor = due("2026-08-31", "17:00", "Asia/Tokyo");
        let rule = "FREQ=MONTHLY;BYMONTHDAY=-1";
        let october = after(rule, &anchor, BusinessDay::Previous, &due("2026-10-01", "", ""));
        assert_eq!(october, Some(date(2026, 10, 30)));
        let november = after(rule, &anchor, BusinessDay::Previous, &due("2026-10-30", "", ""));
        assert_eq!(november, Some(date(2026, 11, 30)));
    }

    #[test]
    fn a_yearly_task_on_new_year_waits_for_the_first_business_day() {
        let anchor = due("2025-01-01", "", "Asia/Tokyo");
        let this = anchor.clone().moved(BusinessDay::Next, &Holidays::by_law());
        let next = after("FREQ=YEARLY", &anchor, BusinessDay::Next, &this);
        assert_eq!(next, Some(date(2026, 1, 2)));
    }

    #[test]
    fn a_rule_that_ended_has_no_next() {
        let anchor = due("2026-01-01", "", "");
        assert_eq!(
            after("FREQ=DAILY;COUNT=2", &anchor, BusinessDay::AsIs, &due("2026-01-02", "", "")),
            None
        );
    }

    #[test]
    fn what_is_no_rule_or_too_fast_is_refused() {
        for (rule, error) in [
            ("", DueError::Rule),
            ("every month", DueError::Rule),
            ("FREQ=FORTNIGHTLY", DueError::Frequency),
            ("FREQ=SECONDLY", DueError::Frequency),
            ("FREQ=DAILY;BYHOUR=1,2", DueError::Frequency),
            ("FREQ=DAILY\nDTSTART:19000101T000000Z", DueError::Rule),
            ("FREQ=DAILY;INTERVAL=x", DueError::Rule),
        ] {
            assert_eq!(check_rule(rule), Err(error), "{rule:?}");
        }
        assert_eq!(check_rule("RRULE:freq=weekly;byday=mo"), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_a_rule_or_an_error(text in "\\PC{0,80}") {
            let _ = check_rule(&text);
        }

        #[test]
        fn the_next_lies_after_and_on_a_business_day(
            n in 0i64..3_000,
            freq in 0usize..4,
            interval in 1u8..10,
        ) {
            let rule = format!("FREQ={};INTERVAL={interval}", ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"][freq]);
            let anchor = due("2024-01-15", "09:00", "Asia/Tokyo");
            let day = date(2024, 1, 15).checked_add(jiff::Span::new().days(n)).unwrap();
            let behind = Due { day, ..anchor.clone() }.micros().unwrap();
            let days = Holidays::by_law();
            let next = next_due(&rule, &anchor, BusinessDay::Next, &days, behind).unwrap().unwrap();
            prop_assert!(next.micros().unwrap() > behind);
            prop_assert!(days.is_business_day(next.day));
        }
    }
}
