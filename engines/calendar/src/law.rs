//! 国民の祝日に関する法律 (Act 178 of 1948, as amended to 2022) as a function of the date.
//!
//! Article 2 names the days, article 3(2) the substitute holiday (振替休日), article 3(3) the day
//! between two holidays (国民の休日). The equinoxes follow the usual formula of the almanac,
//! good for 1980 to 2099.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Weekday};

/// Years for which [`holiday`] is right: 2020 and 2021 moved days for the Olympics.
pub const YEARS: RangeInclusive<i16> = 2022..=2099;

/// Longest run of holidays that a substitute has to step over, with room to spare.
const RUN_DAYS_MAX: usize = 7;

enum Rule {
    Fixed(i8, i8),
    /// The n-th Monday of a month (ハッピーマンデー).
    Monday(i8, i8),
    SpringEquinox,
    AutumnEquinox,
}

/// Article 2, in the order of the year.
const ARTICLE_2: [(&str, Rule); 16] = [
    ("元日", Rule::Fixed(1, 1)),
    ("成人の日", Rule::Monday(1, 2)),
    ("建国記念の日", Rule::Fixed(2, 11)),
    ("天皇誕生日", Rule::Fixed(2, 23)),
    ("春分の日", Rule::SpringEquinox),
    ("昭和の日", Rule::Fixed(4, 29)),
    ("憲法記念日", Rule::Fixed(5, 3)),
    ("みどりの日", Rule::Fixed(5, 4)),
    ("こどもの日", Rule::Fixed(5, 5)),
    ("海の日", Rule::Monday(7, 3)),
    ("山の日", Rule::Fixed(8, 11)),
    ("敬老の日", Rule::Monday(9, 3)),
    ("秋分の日", Rule::AutumnEquinox),
    ("スポーツの日", Rule::Monday(10, 2)),
    ("文化の日", Rule::Fixed(11, 3)),
    ("勤労感謝の日", Rule::Fixed(11, 23)),
];

/// The name of the holiday on this day, if it is one.
pub fn holiday(day: Date) -> Option<&'static str> {
    if !YEARS.contains(&day.year()) {
        return None;
    }
    named(day).or_else(|| substitute(day)).or_else(|| between(day))
}

/// Every holiday of a year, in order.
pub fn year(year: i16) -> Vec<(Date, &'static str)> {
    let Ok(first) = Date::new(year, 1, 1) else { return Vec::new() };
    let days = first.series(jiff::Span::new().days(1)).take_while(|day| day.year() == year);
    days.filter_map(|day| Some((day, holiday(day)?))).collect()
}

/// Article 2: a day with a name of its own.
fn named(day: Date) -> Option<&'static str> {
    let falls = |rule: &Rule| match *rule {
        Rule::Fixed(month, on) => (day.month(), day.day()) == (month, on),
        Rule::Monday(month, n) => {
            let nth = (day.day() - 1) / 7 + 1;
            day.month() == month && day.weekday() == Weekday::Monday && nth == n
        }
        Rule::SpringEquinox => day.month() == 3 && i32::from(day.day()) == equinox(day, 20.8431),
        Rule::AutumnEquinox => day.month() == 9 && i32::from(day.day()) == equinox(day, 23.2488),
    };
    ARTICLE_2.iter().find(|(_, rule)| falls(rule)).map(|(name, _)| *name)
}

/// Day of the month; `base` is the equinox of 1980 in days.
fn equinox(day: Date, base: f64) -> i32 {
    let years = i32::from(day.year()) - 1980;
    (base + 0.242_194 * f64::from(years)).floor() as i32 - years.div_euclid(4)
}

/// Article 3(2): a holiday on a Sunday makes the nearest following day that is none a day off.
fn substitute(day: Date) -> Option<&'static str> {
    let mut before = day;
    for _ in 0..RUN_DAYS_MAX {
        before = before.yesterday().ok()?;
        named(before)?;
        if before.weekday() == Weekday::Sunday {
            return Some("振替休日");
        }
    }
    None
}

/// Article 3(3): a day between two holidays is one.
fn between(day: Date) -> Option<&'static str> {
    let (before, after) = (day.yesterday().ok()?, day.tomorrow().ok()?);
    named(before)?;
    named(after)?;
    Some("国民の休日")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_the_cabinet_office_published_are_found() {
        // The cabinet office's list (国民の祝日について) for 2024 to 2026.
        let published = [
            (date(2024, 2, 12), "振替休日"),
            (date(2024, 3, 20), "春分の日"),
            (date(2024, 5, 6), "振替休日"),
            (date(2024, 8, 12), "振替休日"),
            (date(2024, 9, 22), "秋分の日"),
            (date(2024, 9, 23), "振替休日"),
            (date(2024, 11, 4), "振替休日"),
            (date(2025, 2, 24), "振替休日"),
            (date(2025, 5, 6), "振替休日"),
            (date(2025, 11, 24), "振替休日"),
            (date(2026, 1, 12), "成人の日"),
            (date(2026, 5, 6), "振替休日"),
            (date(2026, 9, 21), "敬老の日"),
            (date(2026, 9, 22), "国民の休日"),
            (date(2026, 9, 23), "秋分の日"),
        ];
        for (day, name) in published {
            assert_eq!(holiday(day), Some(name), "{day}");
        }
        let counts = [2024, 2025, 2026].map(|y| year(y).len());
        assert_eq!(counts, [21, 19, 18]);
    }

    #[test]
    fn three_holidays_in_a_row_push_the_substitute_behind_them() {
        // 3 May 2026 is a Sunday; 4 and 5 May are holidays, so 6 May is the day off.
        assert_eq!(date(2026, 5, 3).weekday(), Weekday::Sunday);
        assert_eq!(holiday(date(2026, 5, 6)), Some("振替休日"));
        assert_eq!(holiday(date(2026, 5, 7)), None);
    }

    #[test]
    fn outside_its_years_the_law_says_nothing() {
        assert_eq!(holiday(date(2021, 1, 1)), None);
        assert_eq!(holiday(date(2100, 1, 1)), None);
    }
}
