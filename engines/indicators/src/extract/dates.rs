//! Dates and periods as notices write them, Japanese eras included.
//!
//! Invariants: a date that the calendar does not have is none; a part of a date takes its year from the date before it
//! and from nothing else. Limits: the Gregorian calendar; eras from Heisei on.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// From when to when, both included; an open end is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Period {
    #[serde(with = "day")]
    pub from: Option<Date>,
    #[serde(with = "day")]
    pub to: Option<Date>,
}

/// Days as texts.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(day: &Option<Date>, to: S) -> Result<S::Ok, S::Error> {
        day.map(|day| day.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Date>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A period and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    pub period: Period,
    /// Two dates, or one with an open end: it says by itself that it is a period.
    pub is_range: bool,
}

/// First year of the era, less one.
const ERAS: [(&str, i16); 6] =
    [("令和", 2018), ("平成", 1988), ("R", 2018), ("H", 1988), ("㋿", 2018), ("㍻", 1988)];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A date with its last day, which differs if only a month was said.
#[derive(Clone, Copy)]
struct Day {
    first: Date,
    last: Date,
    end: usize,
}

/// All periods of a text that begins at `base`.
pub(super) fn find(text: &str, base: usize) -> Vec<Found> {
    let mut all = Vec::new();
    let mut at = 0;
    let mut before = ' ';
    while let Some(sign) = text[at..].chars().next() {
        let begins = !before.is_ascii_alphanumeric() && !matches!(before, '.' | '/' | '-');
        let Some(first) = begins.then(|| full(text, at)).flatten() else {
            before = sign;
            at += sign.len_utf8();
            continue;
        };
        let (period, end, is_range) = range(text, first);
        all.push(Found { start: base + at, end: base + end, period, is_range });
        at = end;
        before = text[..end].chars().next_back().unwrap_or(' ');
    }
    all
}

fn range(text: &str, first: Day) -> (Period, usize, bool) {
    let single = Period { from: Some(first.first), to: Some(first.last) };
    let Some((after, opens)) = separator(text, first.end) else {
        return (single, first.end, false);
    };
    let second = full(text, after).or_else(|| partial(text, after, first.first));
    if let Some(second) = second.filter(|second| second.last >= first.first) {
        let end = until(text, second.end);
        return (Period { from: Some(first.first), to: Some(second.last) }, end, true);
    }
    match opens {
        true => (Period { from: Some(first.first), to: None }, after, true),
        false => (single, first.end, false),
    }
}

/// What stands between two dates; whether it may also end a period that is still open.
fn separator(text: &str, at: usize) -> Option<(usize, bool)> {
    let at = clock(text, blanks(text, at));
    const BETWEEN: [(&str, bool); 12] = [
        ("~", true),
        ("から", true),
        ("より", true),
        ("以降", true),
        ("→", false),
        ("--", false),
        ("-", false),
        ("through", false),
        ("until", false),
        ("and", false),
        ("to", false),
        ("till", false),
    ];
    let (word, opens) = BETWEEN.into_iter().find(|(word, _)| starts(text, at, word))?;
    Some((blanks(text, at + word.len()), opens))
}

/// Behind a day of the week in brackets and a time of day.
fn clock(text: &str, at: usize) -> usize {
    let mut at = at;
    for day in ["(月)", "(火)", "(水)", "(木)", "(金)", "(土)", "(日)"] {
        if starts(text, at, day) {
            at = blanks(text, at + day.len());
        }
    }
    let bytes = text.as_bytes();
    let from = if bytes.get(at) == Some(&b'T') { at + 1 } else { at };
    let (hours, end) = digits(text, from);
    if !(1..=2).contains(&hours) || bytes.get(end) != Some(&b':') {
        return at;
    }
    let mut end = end;
    while bytes.get(end) == Some(&b':') {
        let (count, next) = digits(text, end + 1);
        if count != 2 {
            return at;
        }
        end = next;
    }
    if bytes.get(end) == Some(&b'Z') {
        end += 1;
    }
    blanks(text, end)
}

fn until(text: &str, at: usize) -> usize {
    let behind = blanks(text, at);
    if starts(text, behind, "まで") { behind + "まで".len() } else { at }
}

/// A date with its year.
fn full(text: &str, at: usize) -> Option<Day> {
    named_month(text, at).or_else(|| numbers(text, at))
}

fn numbers(text: &str, at: usize) -> Option<Day> {
    let (year, behind, _) = year(text, at)?;
    let bytes = text.as_bytes();
    if starts(text, behind, "年") {
        return month_day(text, blanks(text, behind + "年".len()), year);
    }
    let sign = *bytes.get(behind).filter(|sign| matches!(sign, b'.' | b'/' | b'-'))?;
    let (count, end) = digits(text, behind + 1);
    if !(1..=2).contains(&count) || bytes.get(end) != Some(&sign) {
        return None;
    }
    let month = text[behind + 1..end].parse().ok()?;
    let (count, last) = digits(text, end + 1);
    // A version number goes on.
    let goes_on = bytes.get(last).is_some_and(|b| *b == sign) && digits(text, last + 1).0 > 0;
    if !(1..=2).contains(&count) || goes_on {
        return None;
    }
    day(year, month, text[end + 1..last].parse().ok()?, last)
}

/// `6月14日`, `6月`.
fn month_day(text: &str, at: usize, year: i16) -> Option<Day> {
    let (count, end) = digits(text, at);
    if !(1..=2).contains(&count) || !starts(text, end, "月") {
        return None;
    }
    let month: i8 = text[at..end].parse().ok()?;
    let behind = end + "月".len();
    let from = blanks(text, behind);
    let (count, end) = digits(text, from);
    if (1..=2).contains(&count) && starts(text, end, "日") {
        return day(year, month, text[from..end].parse().ok()?, end + "日".len());
    }
    whole(year, month, behind)
}

fn whole(year: i16, month: i8, end: usize) -> Option<Day> {
    let first = Date::new(year, month, 1).ok()?;
    Some(Day { first, last: first.last_of_month(), end })
}

fn day(year: i16, month: i8, number: i8, end: usize) -> Option<Day> {
    let date = Date::new(year, month, number).ok()?;
    Some(Day { first: date, last: date, end })
}

/// A year of four digits, or of an era.
fn year(text: &str, at: usize) -> Option<(i16, usize, bool)> {
    for (era, before) in ERAS {
        if !text[at..].starts_with(era) {
            continue;
        }
        let from = blanks(text, at + era.len());
        if starts(text, from, "元") {
            return Some((before + 1, from + "元".len(), true));
        }
        let (count, end) = digits(text, from);
        let years: i16 = text[from..end].parse().ok()?;
        return ((1..=2).contains(&count) && years > 0).then_some((before + years, end, true));
    }
    let (count, end) = digits(text, at);
    let year: i16 = if count == 4 { text[at..end].parse().ok()? } else { return None };
    (1990..=2100).contains(&year).then_some((year, end, false))
}

/// `June 14, 2023`, `14 June 2023`, `June 2023`.
fn named_month(text: &str, at: usize) -> Option<Day> {
    let (count, end) = digits(text, at);
    if (1..=2).contains(&count) {
        let (month, behind) = month_name(text, blanks(text, ordinal(text, end)))?;
        let (year, end) = plain_year(text, blanks_and_comma(text, behind))?;
        return day(year, month, text[at..at + count].parse().ok()?, end);
    }
    let (month, behind) = month_name(text, at)?;
    let from = blanks(text, behind);
    let (count, end) = digits(text, from);
    if (1..=2).contains(&count)
        && let Some((year, last)) = plain_year(text, blanks_and_comma(text, ordinal(text, end)))
    {
        return day(year, month, text[from..end].parse().ok()?, last);
    }
    let (year, end) = plain_year(text, blanks_and_comma(text, behind))?;
    whole(year, month, end)
}

fn plain_year(text: &str, at: usize) -> Option<(i16, usize)> {
    let (year, end, is_era) = year(text, at)?;
    (!is_era).then_some((year, end))
}

fn ordinal(text: &str, at: usize) -> usize {
    let found = ["st", "nd", "rd", "th"].into_iter().find(|word| starts(text, at, word));
    at + found.map_or(0, str::len)
}

fn month_name(text: &str, at: usize) -> Option<(i8, usize)> {
    let letters =
        text.as_bytes().get(at..)?.iter().take(10).take_while(|b| b.is_ascii_alphabetic());
    let count = letters.count();
    let word = text.get(at..at + count)?.to_ascii_lowercase();
    let is_it = |name: &str| name == word || ((3..=4).contains(&count) && name.starts_with(&word));
    let place = MONTHS.iter().position(|name| is_it(name))?;
    let end = at + count;
    let end = if text.as_bytes().get(end) == Some(&b'.') { end + 1 } else { end };
    Some((i8::try_from(place + 1).ok()?, end))
}

/// The end of a range that leaves out what it shares with the beginning.
fn partial(text: &str, at: usize, first: Date) -> Option<Day> {
    let at = if starts(text, at, "同年") { at + "同年".len() } else { at };
    if starts(text, at, "同月") {
        let from = at + "同月".len();
        let (count, end) = digits(text, from);
        let is_day = (1..=2).contains(&count) && starts(text, end, "日");
        return is_day
            .then(|| day(first.year(), first.month(), text[from..end].parse().ok()?, end + 3))?;
    }
    if let Some(found) = month_day(text, at, first.year()) {
        return Some(found);
    }
    if let Some((month, behind)) = month_name(text, at) {
        let from = blanks(text, behind);
        let (count, end) = digits(text, from);
        let is_day = (1..=2).contains(&count);
        return is_day.then(|| day(first.year(), month, text[from..end].parse().ok()?, end))?;
    }
    let (count, end) = digits(text, at);
    if !(1..=2).contains(&count) {
        return None;
    }
    let number: i8 = text[at..end].parse().ok()?;
    let bytes = text.as_bytes();
    if starts(text, end, "日") {
        return day(first.year(), first.month(), number, end + "日".len());
    }
    if matches!(bytes.get(end), Some(b'.' | b'/' | b'-')) {
        let (count, last) = digits(text, end + 1);
        let is_day = (1..=2).contains(&count);
        return is_day
            .then(|| day(first.year(), number, text[end + 1..last].parse().ok()?, last))?;
    }
    None
}

fn digits(text: &str, at: usize) -> (usize, usize) {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    // Nothing of a date is longer.
    let count = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    (count, at + count)
}

fn blanks(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take(4).take_while(|byte| **byte == b' ').count()
}

fn blanks_and_comma(text: &str, at: usize) -> usize {
    let at = blanks(text, at);
    let behind = if text.as_bytes().get(at) == Some(&b',') { at + 1 } else { at };
    blanks(text, behind)
}

fn starts(text: &str, at: usize, word: &str) -> bool {
    let found = text.as_bytes().get(at..at + word.len());
    found.is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> (String, String) {
        let all = find(text, 0);
        let shown =
            |date: Option<Date>| date.map_or_else(|| "-".to_owned(), |date| date.to_string());
        let period = all.first().unwrap_or_else(|| panic!("no period in {text}")).period;
        (shown(period.from), shown(period.to))
    }

    #[test]
    fn periods_are_read_as_people_write_them() {
        let june = ("2023-06-14".to_owned(), "2023-07-23".to_owned());
        for text in [
            "2023.06.14~07.23",
            "2023/6/14-2023/7/23",
            "2023-06-14 to 2023-07-23",
            "2023年6月14日から7月23日まで",
            "2023年6月14日(水)~7月23日(日)",
            "令和5年6月14日~同年7月23日",
            "R5.6.14~R5.7.23",
            "June 14, 2023 - July 23, 2023",
            "14 June 2023 to 23 July 2023",
            "between June 14, 2023 and July 23, 2023",
            "2023-06-14T09:00:00Z to 2023-07-23T10:00:00Z",
            "2023/06/14 09:00 ~ 2023/07/23 18:30",
        ] {
            assert_eq!(one(text), june, "{text}");
        }
        assert_eq!(one("2024年4月から5月"), ("2024-04-01".into(), "2024-05-31".into()));
        assert_eq!(one("2024.02.03~"), ("2024-02-03".into(), "-".into()));
        assert_eq!(one("2024年2月3日以降"), ("2024-02-03".into(), "-".into()));
        assert_eq!(one("令和元年5月7日"), ("2019-05-07".into(), "2019-05-07".into()));
        assert_eq!(one("2024年5月7日~9日"), ("2024-05-07".into(), "2024-05-09".into()));
    }

    #[test]
    fn what_the_calendar_does_not_have_is_no_date() {
        for text in
            ["202x年6月", "2023.13.01", "2023.02.30", "1.2.3.4", "2023.06.14.01", "10.0.19045.2"]
        {
            assert!(find(text, 0).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_its_first_date() {
        assert_eq!(one("2023.06.14~2023.06.01").0, "2023-06-14");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[0-9./~年月日令和RH元 -]{0,80}") {
            for found in find(&text, 0) {
                proptest::prop_assert!(found.start < found.end && found.end <= text.len());
            }
        }
    }
}
