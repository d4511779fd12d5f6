//! Which days are off.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};

use crate::law;

/// Longest run of days off that a search steps over.
const RUN_DAYS_MAX: usize = 60;

/// Why a table of holidays was refused.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the table of holidays is no TOML: {0}")]
    Toml(String),
    #[error("{0:?} is no date such as 2026-11-23")]
    Date(String),
    #[error("{0}: a holiday needs a name")]
    Name(String),
}

/// Days off: weekends, holidays from a table where it has the year, else by law, and days of one's own.
#[derive(Clone, Debug, Default)]
pub struct Holidays {
    table: BTreeMap<Date, String>,
    years: BTreeSet<i16>,
    own: BTreeMap<Date, String>,
    is_without_law: bool,
}

impl Holidays {
    /// By law alone.
    pub fn by_law() -> Holidays {
        Holidays::default()
    }

    /// Weekends alone: another country, or work on holidays.
    pub fn none() -> Holidays {
        Holidays { is_without_law: true, ..Holidays::default() }
    }

    /// The same with further days off, such as those on which a company is closed.
    pub fn and(mut self, days: impl IntoIterator<Item = (Date, String)>) -> Holidays {
        self.own.extend(days);
        self
    }

    /// Reads `[[year]]`-less TOML: one table `days` of `"2026-11-23" = "勤労感謝の日"`. A year with
    /// any day in it is taken whole from the table.
    pub fn from_table(text: &str) -> Result<Holidays, TableError> {
        let read: toml::Table = text.parse().map_err(|e| TableError::Toml(format!("{e}")))?;
        let mut table = BTreeMap::new();
        for (day, name) in read.get("days").and_then(toml::Value::as_table).into_iter().flatten() {
            let date: Date = day.parse().map_err(|_| TableError::Date(day.clone()))?;
            let name = name.as_str().filter(|name| !name.trim().is_empty());
            table.insert(date, name.ok_or_else(|| TableError::Name(day.clone()))?.to_owned());
        }
        let years = table.keys().map(|day| day.year()).collect();
        Ok(Holidays { table, years, ..Holidays::default() })
    }

    /// The name of the holiday on this day, if it is one.
    pub fn name(&self, day: Date) -> Option<&str> {
        if let Some(name) = self.own.get(&day) {
            return Some(name);
        }
        if self.is_without_law {
            return None;
        }
        if self.years.contains(&day.year()) {
            return self.table.get(&day).map(String::as_str);
        }
        law::holiday(day)
    }

    /// Whether people work on this day.
    pub fn is_business_day(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && self.name(day).is_none()
    }

    /// The day itself or the first business day after it.
    pub fn next_business_day(&self, day: Date) -> Option<Date> {
        self.walk(day, Date::tomorrow)
    }

    /// The day itself or the last business day before it.
    pub fn previous_business_day(&self, day: Date) -> Option<Date> {
        self.walk(day, Date::yesterday)
    }

    fn walk(&self, from: Date, step: fn(self::Date) -> Result<Date, jiff::Error>) -> Option<Date> {
        let mut day = from;
        for _ in 0..RUN_DAYS_MAX {
            if self.is_business_day(day) {
                return Some(day);
            }
            day = step(day).ok()?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_of_ones_own_are_off_with_the_law_and_without_it() {
        let closed = || [(date(2026, 12, 30), "年末休業".to_owned())];
        let japan = Holidays::by_law().and(closed());
        let elsewhere = Holidays::none().and(closed());
        for days in [&japan, &elsewhere] {
            assert_eq!(days.name(date(2026, 12, 30)), Some("年末休業"));
            assert!(!days.is_business_day(date(2026, 12, 30)));
        }
        let culture = date(2026, 11, 3);
        assert!(!japan.is_business_day(culture) && elsewhere.is_business_day(culture));
    }

    #[test]
    fn the_table_rules_its_years_and_the_law_the_others() {
        let days = Holidays::from_table("[days]\n\"2026-12-31\" = \"創立記念日\"\n").unwrap();
        assert_eq!(days.name(date(2026, 12, 31)), Some("創立記念日"));
        assert_eq!(days.name(date(2026, 1, 1)), None, "the table has the whole year");
        assert_eq!(days.name(date(2027, 1, 1)), Some("元日"));
    }

    #[test]
    fn a_bad_table_says_where() {
        let bad = |text: &str| Holidays::from_table(text).unwrap_err().to_string();
        assert!(bad("[days]\n\"2026-13-01\" = \"x\"").contains("2026-13-01"));
        assert!(bad("[days]\n\"2026-01-01\" = \"\"").contains("needs a name"));
        assert!(bad("[days").contains("no TOML"));
    }

    #[test]
    fn golden_week_is_stepped_over() {
        let days = Holidays::by_law();
        assert_eq!(days.next_business_day(date(2026, 5, 2)), Some(date(2026, 5, 7)));
        assert_eq!(days.previous_business_day(date(2026, 5, 6)), Some(date(2026, 5, 1)));
    }

    proptest! {
        #[test]
        fn a_business_day_is_its_own_and_nothing_between_is_one(n in 0i64..20_000) {
            let days = Holidays::by_law();
            let from = date(2022, 1, 10).checked_add(jiff::Span::new().days(n)).unwrap();
            let next = days.next_business_day(from).unwrap();
            prop_assert!(next >= from && days.is_business_day(next));
            prop_assert_eq!(days.next_business_day(next), Some(next));
            let mut day = from;
            while day < next {
                prop_assert!(!days.is_business_day(day));
                day = day.tomorrow().unwrap();
            }
        }
    }
}
