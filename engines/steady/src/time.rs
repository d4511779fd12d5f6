//! Instants and spans, in microseconds; where an instant lies in somebody's week.

use std::ops::RangeInclusive;

use calendar::{Holidays, law};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Microseconds since 1970, UTC; or a span of them.
pub type Micros = i64;

pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
pub const HOUR: Micros = 60 * MINUTE;
pub const DAY: Micros = 24 * HOUR;
pub const WEEK: Micros = 7 * DAY;

/// The farthest time from 1970, some 73,000 years: what is added to it stays a number.
pub const TIME_MAX_US: Micros = i64::MAX / 4;

/// Hours of a week, from Monday 00:00.
pub(crate) const SLOTS: usize = 168;

/// Changes of offset that a calendar keeps: two a year for two centuries.
const OFFSETS_MAX: usize = 400;

/// An organisation's week: its zone and its days off, for the years it was made for.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// From when which offset holds, ascending; the first from the beginning of time
    offsets: Vec<(Micros, Micros)>,
    /// Days since 1970 that are holidays though no Saturday or Sunday, ascending
    holidays: Vec<i64>,
}

impl Calendar {
    /// Zone and holidays for `years`. Outside of them no day is a holiday, and the zone's last offset holds.
    pub fn new(zone: &TimeZone, holidays: &Holidays, years: RangeInclusive<i16>) -> Calendar {
        let start = Date::new(*years.start(), 1, 1).unwrap_or(Date::MIN);
        let end = Date::new(*years.end(), 12, 31).unwrap_or(Date::MAX);
        let from = Timestamp::from_second(day_number(start) * 86_400).unwrap_or(Timestamp::MIN);
        let until = Timestamp::from_second(day_number(end) * 86_400).unwrap_or(Timestamp::MAX);
        let offset = |seconds: i32| Micros::from(seconds) * SECOND;
        let mut offsets = vec![(Micros::MIN, offset(zone.to_offset(from).seconds()))];
        let changes = zone.following(from).take_while(|change| change.timestamp() <= until);
        offsets.extend(changes.take(OFFSETS_MAX).map(|change| {
            (change.timestamp().as_microsecond(), offset(change.offset().seconds()))
        }));
        let days = start.series(jiff::Span::new().days(1)).take_while(|day| *day <= end);
        let named = days.filter(|day| holidays.name(*day).is_some());
        let holidays = named.map(day_number).filter(|day| weekday(*day) < 5).collect();
        Calendar { offsets, holidays }
    }

    /// Japan by law, substitute holidays (振替休日) included.
    pub fn japan() -> Calendar {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        Calendar::new(&zone, &Holidays::by_law(), law::YEARS)
    }

    /// UTC without holidays.
    pub fn utc() -> Calendar {
        Calendar { offsets: vec![(Micros::MIN, 0)], holidays: Vec::new() }
    }

    /// Whether nobody is expected to work on the local day of this instant.
    pub fn is_day_off(&self, time: Micros) -> bool {
        let day = self.local(time).div_euclid(DAY);
        weekday(day) >= 5 || self.holidays.binary_search(&day).is_ok()
    }

    /// The local day, counted from 1970.
    pub fn day(&self, time: Micros) -> i64 {
        self.local(time).div_euclid(DAY)
    }

    /// How far local time is ahead of UTC.
    pub fn offset(&self, time: Micros) -> Micros {
        self.local(time) - time.clamp(-TIME_MAX_US, TIME_MAX_US)
    }

    /// The local hour of the day.
    pub fn hour(&self, time: Micros) -> i64 {
        self.local(time).rem_euclid(DAY) / HOUR
    }

    fn local(&self, time: Micros) -> Micros {
        let time = time.clamp(-TIME_MAX_US, TIME_MAX_US);
        let place = self.offsets.partition_point(|(from, _)| *from <= time);
        time + self.offsets[place.saturating_sub(1)].1
    }

    pub(crate) fn place(&self, time: Micros) -> Place {
        let local = self.local(time);
        let hour = local.div_euclid(HOUR);
        let (day, of_day) = (hour.div_euclid(24), hour.rem_euclid(24) as usize);
        let slot = weekday(day) * 24 + of_day;
        let holiday = self.holidays.binary_search(&day).is_ok();
        Place {
            hour,
            slot: if holiday { 6 * 24 + of_day } else { slot },
            plain: holiday.then_some(slot),
            part: local.rem_euclid(HOUR) as f32 / HOUR as f32,
        }
    }
}

/// Where an instant lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// Local hours since 1970
    pub hour: i64,
    /// Hour of the week; a holiday is a Sunday
    pub slot: usize,
    /// On a holiday, the hour as if it were none: not everything rests then
    pub plain: Option<usize>,
    /// How much of the hour has passed
    pub part: f32,
}

fn day_number(date: Date) -> i64 {
    i64::from((date - Date::constant(1970, 1, 1)).get_days())
}

/// 0 is Monday; 1970 began on a Thursday.
fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn a_substitute_holiday_is_a_sunday() {
        let japan = Calendar::japan();
        // 2026-05-06 is 振替休日 for the Sunday of 憲法記念日; 2026-05-07 an ordinary Thursday.
        let substitute = japan.place(at("2026-05-06T01:30:00Z"));
        assert_eq!((substitute.slot, substitute.plain), (6 * 24 + 10, Some(2 * 24 + 10)));
        assert_eq!(substitute.part, 0.5);
        assert!(japan.is_day_off(at("2026-05-06T01:30:00Z")));
        let ordinary = japan.place(at("2026-05-07T01:30:00Z"));
        assert_eq!((ordinary.slot, ordinary.plain), (3 * 24 + 10, None));
        assert!(!japan.is_day_off(at("2026-05-07T01:30:00Z")));
    }

    #[test]
    fn the_day_begins_in_the_zone() {
        let japan = Calendar::japan();
        assert_eq!(japan.place(at("2026-11-29T14:59:59Z")).slot, 6 * 24 + 23);
        assert_eq!(japan.place(at("2026-11-29T15:00:00Z")).slot, 0);
    }

    #[test]
    fn summer_time_is_known() {
        let rule = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let berlin = Calendar::new(&rule, &Holidays::from_table("").unwrap(), 2000..=2030);
        assert_eq!(berlin.place(at("2026-07-06T10:00:00Z")).slot, 12);
        assert_eq!(berlin.place(at("2026-01-05T10:00:00Z")).slot, 11);
    }

    #[test]
    fn the_ends_of_time_have_a_place() {
        for time in [Micros::MIN, Micros::MAX, 0] {
            assert!(Calendar::japan().place(time).slot < SLOTS);
        }
    }
}
