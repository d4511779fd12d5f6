//! What people type into cells, read as values: dates of both calendars, serial numbers, amounts with
//! units, marks for yes and no.
//!
//! Invariants: no clock and no locale; what is not understood is `None`, never a guess; what was left
//! out of a text (`約`, a unit) is said with the value.

use jiff::{
    ToSpan,
    civil::{self, Date},
};

use crate::fold::fold;

/// Eras and the day each began (元号を改める政令), newest first; before Meiji 6 Japan kept another
/// calendar.
const ERAS: [(&[&str], Date); 5] = [
    (&["令和", "令", "r"], civil::date(2019, 5, 1)),
    (&["平成", "平", "h"], civil::date(1989, 1, 8)),
    (&["昭和", "昭", "s"], civil::date(1926, 12, 25)),
    (&["大正", "大", "t"], civil::date(1912, 7, 30)),
    (&["明治", "明", "m"], civil::date(1873, 1, 1)),
];
/// Numbers taken for a day's serial number: 1954 to 2119. Smaller ones are counts, larger ones dates
/// without separators.
const SERIALS: std::ops::RangeInclusive<i64> = 20_000..=80_000;

/// A date, and whether its 和暦 year lies outside its era (`平成35年`), as old contracts have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub date: Date,
    pub outside_era: bool,
}

/// Reads a date: `2026-11-25`, `2026/11/25`, `2026年11月25日(水)`, `20261125`, `令和5年4月1日`, `R5.4.1`,
/// `平成31/4/30`, `令和元年5月1日`, or the serial number of a day. A year of two digits without an era is
/// not understood: nobody knows its century.
pub fn date(text: &str, since_1904: bool) -> Option<Day> {
    let folded = fold(text);
    let plain = without_weekday(&folded);
    if let Some(day) = plain
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.')
        .then(|| bare(plain, since_1904))
        .flatten()
    {
        return Some(Day { date: day, outside_era: false });
    }
    match era(plain) {
        Some((index, rest)) => era_date(index, rest),
        None => western(plain).map(|date| Day { date, outside_era: false }),
    }
}

/// `2026年11月25日(水)` without its day of the week, and without a time of day that is midnight.
fn without_weekday(text: &str) -> &str {
    let text = match text.find('(') {
        Some(at) if text.ends_with(')') && text[at..].chars().count() <= 5 => &text[..at],
        _ => text,
    };
    let text = text.strip_suffix("00:00:00").or(text.strip_suffix("00:00")).unwrap_or(text);
    text.strip_suffix('t').filter(|head| head.contains('-')).unwrap_or(text)
}

/// Digits alone: `20261125`, or a serial number.
fn bare(text: &str, since_1904: bool) -> Option<Date> {
    if text.len() == 8 && !text.contains('.') {
        let part = |range: std::ops::Range<usize>| text[range].parse::<i16>().ok();
        return checked(part(0..4)?, part(4..6)?, part(6..8)?);
    }
    let days: i64 = match text.split_once('.') {
        // A part of a day is its time; `5.4.1` has two points and is no number.
        Some((days, part)) if days.len() == 5 && !part.contains('.') => days.parse().ok()?,
        Some(_) => return None,
        None => text.parse().ok()?,
    };
    if !SERIALS.contains(&days) {
        return None;
    }
    // Excel counts a 29 February 1900 that never was, so its day 0 lies two days before 1900.
    let first = if since_1904 { civil::date(1904, 1, 1) } else { civil::date(1899, 12, 30) };
    first.checked_add(days.days()).ok()
}

fn era(text: &str) -> Option<(usize, &str)> {
    ERAS.iter().enumerate().find_map(|(index, (names, _))| {
        let rest = names.iter().find_map(|name| text.strip_prefix(name))?;
        rest.starts_with(|c: char| c.is_ascii_digit() || c == '元' || c == '.')
            .then_some((index, rest))
    })
}

fn era_date(index: usize, rest: &str) -> Option<Day> {
    let (_, began) = ERAS[index];
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let rest = match rest.strip_prefix('元') {
        Some(rest) => format!("1{rest}"),
        None => rest.to_owned(),
    };
    let [year, month, day] = parts(&rest)?;
    if year == 0 || year > 99 {
        return None;
    }
    let date = checked(began.year() + year - 1, month, day)?;
    let ended = index.checked_sub(1).is_some_and(|next| date >= ERAS[next].1);
    Some(Day { date, outside_era: date < began || ended })
}

fn western(text: &str) -> Option<Date> {
    let text = text.strip_prefix("西暦").unwrap_or(text);
    let [year, month, day] = parts(text)?;
    (year >= 1_000).then(|| checked(year, month, day)).flatten()
}

/// Year, month and day between `年月日`, `/`, `.` or `-`.
fn parts(text: &str) -> Option<[i16; 3]> {
    let text = text.strip_suffix('日').unwrap_or(text);
    let mut parts = text.split(['年', '月', '/', '.', '-', '‐', '−']);
    let mut next = || {
        let part = parts.next()?;
        let digits =
            !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let all = [next()?, next()?, next()?];
    parts.next().is_none().then_some(all)
}

fn checked(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A whole number and what stood around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    pub number: i64,
    /// It was said to be rough: `約`, `程度`.
    pub about: bool,
    /// What followed, folded: `件`, `年`, `gb`; yen are left out.
    pub unit: String,
}

const ROUGH_BEFORE: [&str; 7] = ["約", "およそ", "おおよそ", "概ね", "ほぼ", "~", "about"];
const ROUGH_AFTER: [&str; 8] = ["程度", "くらい", "ぐらい", "前後", "以上", "以下", "弱", "強"];
const MULTIPLIERS: [(&str, i128); 6] = [
    ("百万", 1_000_000),
    ("十万", 100_000),
    ("億", 100_000_000),
    ("万", 10_000),
    ("千", 1_000),
    ("百", 100),
];

/// Reads a whole number: `１,０２４`, `約3年`, `5 件`, `¥1,200`, `3,500千円`, `1.5万円`, `△100`.
pub fn amount(text: &str) -> Option<Amount> {
    let folded = fold(text);
    let (mut rest, mut about) = (folded.as_str(), false);
    while let Some(head) = ROUGH_BEFORE.iter().find_map(|mark| rest.strip_prefix(mark)) {
        (rest, about) = (head, true);
    }
    while let Some(head) = ROUGH_AFTER.iter().find_map(|mark| rest.strip_suffix(mark)) {
        (rest, about) = (head, true);
    }
    rest = rest.trim_start_matches(['¥', '\\', '$', '€']);
    let negative = rest.starts_with(['-', '−', '△', '▲']);
    rest = rest.trim_start_matches(['-', '−', '△', '▲', '+']).trim_start_matches(['¥', '\\']);
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.').unwrap_or(rest.len());
    let (digits, mut unit) = rest.split_at(end);
    let mut times = 1;
    if let Some((mark, factor)) = MULTIPLIERS.iter().find(|(mark, _)| unit.starts_with(mark)) {
        (unit, times) = (&unit[mark.len()..], *factor);
    }
    let number = scaled(digits, times)?;
    if unit.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let unit = unit.strip_prefix('円').or(unit.strip_prefix("jpy")).unwrap_or(unit);
    Some(Amount { number: if negative { -number } else { number }, about, unit: unit.to_owned() })
}

/// `1,234.50` times a factor, if that is whole.
fn scaled(digits: &str, times: i128) -> Option<i64> {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let groups: Vec<&str> = whole.split(',').collect();
    let grouped = groups.len() == 1
        || (groups[1..].iter().all(|g| g.len() == 3) && (1..=3).contains(&groups[0].len()));
    let part = part.trim_end_matches('0');
    if !grouped || part.contains([',', '.']) || part.len() > 9 || whole.len() > 24 {
        return None;
    }
    let all: i128 = format!("{}{part}", groups.concat()).parse().ok()?;
    let by = 10i128.pow(part.len() as u32);
    let sum = all.checked_mul(times)?;
    (sum % by == 0).then(|| i64::try_from(sum / by).ok()).flatten()
}

const YES: [&str; 33] = [
    "true",
    "yes",
    "y",
    "1",
    "はい",
    "有",
    "有り",
    "あり",
    "○",
    "◯",
    "〇",
    "●",
    "◎",
    "✓",
    "✔",
    "☑",
    "レ",
    "✅",
    "要",
    "必要",
    "可",
    "済",
    "済み",
    "対象",
    "適用",
    "該当",
    "該当する",
    "実施",
    "実施済",
    "実施済み",
    "する",
    "on",
    "t",
];
const NO: [&str; 29] = [
    "false",
    "no",
    "n",
    "0",
    "いいえ",
    "無",
    "無し",
    "なし",
    "×",
    "✕",
    "✗",
    "✖",
    "☐",
    "x",
    "不要",
    "否",
    "不可",
    "未",
    "対象外",
    "非対象",
    "適用外",
    "適用除外",
    "除外",
    "非該当",
    "該当しない",
    "未実施",
    "しない",
    "off",
    "f",
];

/// Reads a mark for yes or no: `○`, `×`, `✓`, `有`, `無`, `はい`, `要`, `済`. A triangle is neither.
pub fn flag(text: &str) -> Option<bool> {
    let folded = fold(text);
    match folded.as_str() {
        yes if YES.contains(&yes) => Some(true),
        no if NO.contains(&no) => Some(false),
        _ => None,
    }
}

/// Whether a cell says that there is nothing: `-`, `ー`, `N/A`, `該当なし`.
pub fn is_blank(text: &str) -> bool {
    let folded = fold(text);
    let nothing =
        ["n/a", "na", "該当なし", "該当無し", "なし", "無し", "特になし", "未定", "不明", "null"];
    nothing.contains(&folded.as_str()) || folded.chars().all(|c| "-−―–—ー‐_/".contains(c))
}

/// Reads a span of the calendar as ISO 8601: `7年`, `約6か月`, `1年6ヶ月`, `90日`; and whether it was rough.
pub fn period(text: &str) -> Option<(String, bool)> {
    let folded = fold(text);
    let rough = ROUGH_BEFORE.iter().find_map(|mark| folded.strip_prefix(mark));
    let (mut rest, about) = (rest_of(rough, &folded), rough.is_some());
    let (mut out, mut last) = ("P".to_owned(), 0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(end);
        let units: [(&str, char, u8); 12] = [
            ("年間", 'Y', 1),
            ("年", 'Y', 1),
            ("か月", 'M', 2),
            ("ヶ月", 'M', 2),
            ("ヵ月", 'M', 2),
            ("カ月", 'M', 2),
            ("ケ月", 'M', 2),
            ("箇月", 'M', 2),
            ("月", 'M', 2),
            ("週間", 'W', 3),
            ("日間", 'D', 4),
            ("日", 'D', 4),
        ];
        let (mark, letter, rank) = units.iter().find(|(mark, ..)| tail.starts_with(mark))?;
        let number: u32 = number.parse().ok().filter(|n| *n <= 10_000)?;
        if *rank <= last {
            return None;
        }
        last = *rank;
        out.push_str(&format!("{number}{letter}"));
        rest = tail[mark.len()..].trim_start_matches('間');
    }
    (last > 0).then_some((out, about))
}

fn rest_of<'t>(cut: Option<&'t str>, whole: &'t str) -> &'t str {
    cut.unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> String {
        date(text, false).map_or("–".to_owned(), |day| {
            format!("{}{}", day.date, if day.outside_era { " outside" } else { "" })
        })
    }

    #[test]
    fn dates_of_both_calendars_are_read() {
        for text in [
            "2023-04-01",
            "2023/4/1",
            "2023.4.1",
            "２０２３年４月１日",
            "2023年4月1日(土)",
            "20230401",
            "令和5年4月1日",
            "令和５年４月１日（土）",
            "R5.4.1",
            "Ｒ５．４．１",
            "r5/4/1",
            "令5.4.1",
            "㋿5年4月1日",
            "令和 5 年 4 月 1 日",
            "45017",
            "45017.5",
            "2023-04-01 00:00:00",
            "2023-04-01T00:00:00",
            "西暦2023年4月1日",
        ] {
            assert_eq!(day(text), "2023-04-01", "{text}");
        }
        assert_eq!(day("平成31/4/30"), "2019-04-30");
        assert_eq!(day("令和元年5月1日"), "2019-05-01");
        assert_eq!(day("S64.1.7"), "1989-01-07");
        assert_eq!(day("昭和元年12月25日"), "1926-12-25");
        assert_eq!(day("T1.7.30"), "1912-07-30");
        assert_eq!(day("㍻30年1月1日"), "2018-01-01");
        assert_eq!(date("43555", true).map(|d| d.date), Some(civil::date(2023, 4, 1)));
    }

    #[test]
    fn a_year_outside_its_era_is_read_and_said_to_be() {
        assert_eq!(day("平成35年3月31日"), "2023-03-31 outside");
        assert_eq!(day("平成31年5月1日"), "2019-05-01 outside");
        assert_eq!(day("令和元年4月30日"), "2019-04-30 outside");
    }

    #[test]
    fn what_is_no_date_stays_none() {
        for text in [
            "",
            "23/4/1",
            "4/1",
            "2023年4月",
            "2023-02-30",
            "令和5年13月1日",
            "令和0年1月1日",
            "慶応3年1月1日",
            "R5",
            "未定",
            "5",
            "1024",
            "2023",
            "99999",
            "5.4.1",
            "2023-04-01 09:30",
            "令和五年四月一日",
            "2023//4/1",
        ] {
            assert_eq!(day(text), "–", "{text}");
        }
    }

    #[test]
    fn amounts_carry_what_stood_around_them() {
        let read = |text: &str| {
            amount(text).map(|a| (a.number, a.about, a.unit)).unwrap_or((
                i64::MIN,
                false,
                String::new(),
            ))
        };
        let plain = |n: i64| (n, false, String::new());
        for (text, number) in [
            ("１,０２４", 1_024),
            ("1024", 1_024),
            ("¥1,200", 1_200),
            ("￥1,200円", 1_200),
            ("3,500千円", 3_500_000),
            ("1.5万円", 15_000),
            ("2億円", 200_000_000),
            ("△100", -100),
            ("-5", -5),
            ("12.00", 12),
            ("0", 0),
        ] {
            assert_eq!(read(text), plain(number), "{text}");
        }
        assert_eq!(read("約3年"), (3, true, "年".to_owned()));
        assert_eq!(read("5 件"), (5, false, "件".to_owned()));
        assert_eq!(read("１６ＧＢ"), (16, false, "gb".to_owned()));
        assert_eq!(read("30人程度"), (30, true, "人".to_owned()));
        for text in [
            "",
            "many",
            "2.5",
            "1,2",
            "1,23,456",
            "3～5",
            "5/7",
            "千",
            "1.2.3",
            "99999999999999999999",
        ] {
            assert_eq!(amount(text), None, "{text}");
        }
    }

    #[test]
    fn marks_are_yes_or_no_and_a_triangle_is_neither() {
        for text in ["○", "◯", "〇", "✓", "有", "有り", "はい", "Yes", "TRUE", "要", "済", "適用"]
        {
            assert_eq!(flag(text), Some(true), "{text}");
        }
        for text in ["×", "✕", "無", "なし", "いいえ", "No", "不要", "適用外", "対象外", "☐"]
        {
            assert_eq!(flag(text), Some(false), "{text}");
        }
        for text in ["", "△", "検討中", "-"] {
            assert_eq!(flag(text), None, "{text}");
        }
        for text in ["-", "－", "ー", "―", "N/A", "該当なし"] {
            assert!(is_blank(text), "{text}");
        }
        assert!(!is_blank("a-b"));
    }

    #[test]
    fn spans_of_the_calendar_are_iso() {
        let read = |text: &str| {
            period(text).map_or("–".to_owned(), |(p, about)| {
                format!("{p}{}", if about { "~" } else { "" })
            })
        };
        assert_eq!(read("7年"), "P7Y");
        assert_eq!(read("１年６ヶ月"), "P1Y6M");
        assert_eq!(read("約6か月"), "P6M~");
        assert_eq!(read("90日間"), "P90D");
        assert_eq!(read("3年間"), "P3Y");
        for text in ["", "永年", "6か月1年", "年", "5"] {
            assert_eq!(read(text), "–", "{text}");
        }
    }
}
