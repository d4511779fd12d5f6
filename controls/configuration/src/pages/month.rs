//! The calendar of changes: a month of weeks from Monday on, with the changes of each day.

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use model::{Id, Timestamp};
use web::frame::Cx;

use super::changes::colour;
use crate::work::changes::Change;

/// A day with its changes: id, name, colour.
pub struct Day {
    pub number: i8,
    pub is_today: bool,
    pub is_off: bool,
    pub changes: Vec<(Id, String, &'static str)>,
}

/// A month of the calendar.
pub struct Month {
    pub title: String,
    pub before: String,
    pub after: String,
    /// None where the week has days of another month.
    pub weeks: Vec<Vec<Option<Day>>>,
}

fn day_of(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
    Some(zone.to_datetime(at).date())
}

/// The month asked for as `2026-11`, else this one.
pub fn month(cx: &Cx, asked: &str, all: &[Change]) -> Month {
    let zone = &cx.local.zone;
    let today = day_of(cx.now, zone).unwrap_or(Date::ZERO);
    let named: Option<Date> = format!("{asked}-01").parse().ok();
    let first =
        named.filter(|d| (1970..=2199).contains(&d.year())).unwrap_or(today).first_of_month();
    let name = |day: Date| day.strftime("%Y-%m").to_string();
    let spans: Vec<(Date, Date, &Change)> = all
        .iter()
        .filter(|change| !change.is_pattern())
        .filter_map(|change| Some((day_of(change.from, zone)?, day_of(change.to, zone)?, change)))
        .collect();
    let day = |date: Date| Day {
        number: date.day(),
        is_today: date == today,
        is_off: !web::task_rules::HOLIDAYS.is_business_day(date),
        changes: spans
            .iter()
            .filter(|(from, to, _)| (*from..=*to).contains(&date))
            .map(|(_, _, change)| (change.row.id, change.row.name.clone(), colour(change)))
            .collect(),
    };
    let (before, after) = (first.checked_sub(1.day()), first.last_of_month().tomorrow());
    let lead = usize::try_from(first.weekday().to_monday_zero_offset()).unwrap_or(0);
    let mut cells: Vec<Option<Day>> = (0..lead).map(|_| None).collect();
    cells.extend((0..first.days_in_month()).filter_map(|n| {
        let date = first.checked_add(i64::from(n).days()).ok()?;
        Some(Some(day(date)))
    }));
    let mut weeks = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(cells.len().min(7));
        let mut week = std::mem::replace(&mut cells, rest);
        week.resize_with(7, || None);
        weeks.push(week);
    }
    Month {
        title: name(first),
        before: before.map(name).unwrap_or_default(),
        after: after.map(name).unwrap_or_default(),
        weeks,
    }
}
