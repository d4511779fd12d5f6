//! How the organisation reads time: its zone, and 和暦 if it wishes.

use jiff::{civil::Date, tz::TimeZone};
use model::{Lang, Timestamp};

/// Zone and calendar of the organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    pub zone: TimeZone,
    /// Japanese pages show years by era.
    pub era: bool,
}

impl Default for Local {
    fn default() -> Local {
        Local { zone: TimeZone::system(), era: false }
    }
}

/// Eras and the day each began (元号を改める政令); before Meiji 6 Japan kept another calendar.
const ERAS: [(&str, i16, i8, i8); 5] = [
    ("令和", 2019, 5, 1),
    ("平成", 1989, 1, 8),
    ("昭和", 1926, 12, 25),
    ("大正", 1912, 7, 30),
    ("明治", 1868, 1, 25),
];

impl Local {
    /// A point in time as this organisation reads it.
    pub fn time(&self, time: Timestamp, lang: Lang) -> String {
        let Ok(at) = jiff::Timestamp::from_microsecond(time.0) else { return time.rfc3339() };
        let zoned = at.to_zoned_datetime(self.zone.clone());
        match (lang, self.era.then(|| era_date(zoned.date())).flatten()) {
            (Lang::Ja, Some(date)) => format!("{date} {}", zoned.strftime("%H:%M")),
            _ => zoned.strftime("%Y-%m-%d %H:%M").to_string(),
        }
    }
}

/// A date in 和暦; `None` before 1873, when the calendars part.
pub fn era_date(date: Date) -> Option<String> {
    if date.year() < 1873 {
        return None;
    }
    let began = |era: &&(&str, i16, i8, i8)| {
        (era.1, era.2, era.3) <= (date.year(), date.month(), date.day())
    };
    let (name, first, ..) = ERAS.iter().find(began)?;
    let year = match date.year() - first + 1 {
        1 => "元".to_owned(),
        n => n.to_string(),
    };
    Some(format!("{name}{year}年{}月{}日", date.month(), date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_era_begins_on_its_day_with_the_year_gannen() {
        let at = |y, m, d| era_date(jiff::civil::date(y, m, d)).unwrap_or_default();
        assert_eq!(at(2019, 5, 1), "令和元年5月1日");
        assert_eq!(at(2019, 4, 30), "平成31年4月30日");
        assert_eq!(at(1989, 1, 7), "昭和64年1月7日");
        assert_eq!(at(1926, 12, 25), "昭和元年12月25日");
        assert_eq!(at(1912, 7, 29), "明治45年7月29日");
        assert_eq!(era_date(jiff::civil::date(1872, 12, 31)), None);
    }

    #[test]
    fn the_zone_of_the_organisation_decides_the_day() {
        let zone = TimeZone::get("Asia/Tokyo").expect("zone");
        let time = Timestamp::parse("2019-04-30T15:30:00Z").expect("time");
        let local = Local { zone, era: true };
        assert_eq!(local.time(time, Lang::Ja), "令和元年5月1日 00:30");
        assert_eq!(local.time(time, Lang::En), "2019-05-01 00:30");
    }
}
