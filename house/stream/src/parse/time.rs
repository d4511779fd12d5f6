//! Times as logs write them.

use jiff::{civil::DateTime, tz::TimeZone};
use model::Timestamp;

/// `YYYY-MM-DD HH:MM:SS` (any run of spaces) at the start, local; returns the rest after it.
pub fn local_date_time<'a>(text: &'a str, zone: &TimeZone) -> Option<(Timestamp, &'a str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(' ')?.trim_start_matches(' ');
    let (clock, rest) = rest.split_at_checked(8)?;
    let mut day = date.split('-');
    let (year, month) = (number(day.next()?, 4)?, number(day.next()?, 2)?);
    let time = at(year, month, number(day.next()?, 2)?, clock_of(clock)?, zone)?;
    Some((time, rest))
}

/// `Mmm dd hh:mm:ss` at the start; the year is the latest that is at most a day after `now`.
pub fn bsd<'a>(text: &'a str, now: Timestamp, zone: &TimeZone) -> Option<(Timestamp, &'a str)> {
    let (head, rest) = text.split_at_checked(15)?;
    let month = month_of(head.get(..3)?)?;
    let day = head.get(4..6)?.trim_start().parse::<i16>().ok()?;
    let clock = clock_of(head.get(7..15)?)?;
    Some((latest(month, day, clock, now, zone)?, rest))
}

/// The latest such day that is at most a day after `now`.
fn latest(
    month: i16,
    day: i16,
    clock: (i8, i8, i8),
    now: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let instant = jiff::Timestamp::from_microsecond(now.0).ok()?;
    let this_year = zone.to_datetime(instant).year();
    // Eight years back finds a 29 February even over 1900 and 2100.
    let years = (this_year.saturating_sub(8)..=this_year.saturating_add(1)).rev();
    years
        .filter_map(|year| at(year, month, day, clock, zone))
        .find(|time| *time <= now.plus_hours(24))
}

/// An RFC 3339 time as the first word; returns the rest after one space.
pub fn rfc3339_word(text: &str) -> Option<(Timestamp, &str)> {
    let (word, rest) = text.split_once(' ')?;
    // Dates alone and other ISO forms are not what syslog writes.
    (word.len() >= 20 && word.as_bytes()[10] == b'T').then_some(())?;
    Some((Timestamp::parse(word)?, rest))
}

fn clock_of(text: &str) -> Option<(i8, i8, i8)> {
    let mut parts = text.split(':');
    let mut next = || number(parts.next()?, 2).map(|n| n as i8);
    // A leap second is the second before it, as everywhere else.
    Some((next()?, next()?, next()?.min(59)))
}

fn number(text: &str, digits: usize) -> Option<i16> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn at(year: i16, month: i16, day: i16, clock: (i8, i8, i8), zone: &TimeZone) -> Option<Timestamp> {
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let local = DateTime::new(year, month, day, clock.0, clock.1, clock.2, 0).ok()?;
    let time = zone.to_timestamp(local).ok()?;
    Some(Timestamp(time.as_microsecond()))
}

/// `10/Oct/2000:13:55:36 -0700`, as web servers write it.
pub fn common_log(text: &str) -> Option<Timestamp> {
    let (when, zone) = text.split_once(' ')?;
    let mut parts = when.splitn(3, '/');
    let (day, month) = (number(parts.next()?, 2)?, month_of(parts.next()?)?);
    let (year, clock) = parts.next()?.split_once(':')?;
    let hours = i32::from(number(zone.get(1..3)?, 2)?);
    let minutes = i32::from(number(zone.get(3..)?, 2)?);
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let offset = jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?;
    at(number(year, 4)?, month, day, clock_of(clock)?, &TimeZone::fixed(offset))
}

fn month_of(name: &str) -> Option<i16> {
    let names =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    Some(names.iter().position(|known| *known == name)? as i16 + 1)
}

/// `Fri Sep 09 10:42:29.902022 2011`, as C programs write it, with or without a part of the second; local.
pub fn weekday(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let (_, month, day) =
        (words.next().filter(|w| w.len() == 3)?, month_of(words.next()?)?, words.next()?);
    let (clock, year) = (words.next()?, words.next()?);
    let (clock, part) = clock.split_once('.').unwrap_or((clock, ""));
    let whole = at(number(year, 4)?, month, day.parse().ok()?, clock_of(clock)?, zone)?;
    Some(plus_part(whole, part))
}

/// `2026/01/01 10:00:00`, local; returns the rest.
pub fn slashed<'a>(text: &'a str, zone: &TimeZone) -> Option<(Timestamp, &'a str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.strip_prefix(' ')?.split_at_checked(8)?;
    let mut day = date.split('/');
    let (year, month) = (number(day.next()?, 4)?, number(day.next()?, 2)?);
    Some((at(year, month, number(day.next()?, 2)?, clock_of(clock)?, zone)?, rest))
}

/// `01/31/2026` and `10:00:00`, local.
pub fn american(date: &str, clock: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut day = date.split('/');
    let (month, date, year) = (number(day.next()?, 2)?, number(day.next()?, 2)?, day.next()?);
    let year = if year.len() == 2 { number(year, 2)? + 2000 } else { number(year, 4)? };
    at(year, month, date, clock_of(clock)?, zone)
}

/// `08/28-12:34:56.789012` or `08/28/2024-…`; without a year the latest at most a day after `now`.
pub fn month_day<'a>(
    text: &'a str,
    now: Timestamp,
    zone: &TimeZone,
) -> Option<(Timestamp, &'a str)> {
    let (stamp, rest) = text.split_once(' ')?;
    let (date, clock) = stamp.split_once('-')?;
    let (clock, part) = clock.split_once('.').unwrap_or((clock, ""));
    let clock = clock_of(clock)?;
    let parts: Vec<&str> = date.split('/').collect();
    let (month, day, year) = match parts.as_slice() {
        [month, day] => (month, day, None),
        [month, day, year] if year.len() == 4 => (month, day, number(year, 4)),
        [year, month, day] => (month, day, Some(number(year, 2)? + 2000)),
        _ => return None,
    };
    let (month, day) = (number(month, 2)?, number(day, 2)?);
    let time = match year {
        Some(year) => at(year, month, day, clock, zone)?,
        None => latest(month, day, clock, now, zone)?,
    };
    Some((plus_part(time, part), rest))
}

/// `2026-01-01 10:00:00.123 JST` at the start; a zone that is no well-known name is taken for the place's own.
pub fn local_date_time_zone<'a>(text: &'a str, zone: &TimeZone) -> Option<(Timestamp, &'a str)> {
    let (_, rest) = local_date_time(text, zone)?;
    let (part, rest) = match rest.strip_prefix('.') {
        Some(after) => {
            after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()))
        }
        None => ("", rest),
    };
    let (named, rest) = match rest.strip_prefix(' ').and_then(|r| r.split_once(' ')) {
        Some((word, after)) if is_zone(word) => (known_zone(word), after),
        _ => (None, rest),
    };
    let (time, _) = local_date_time(text, named.as_ref().unwrap_or(zone))?;
    Some((plus_part(time, part), rest.trim_start()))
}

fn is_zone(word: &str) -> bool {
    let letters =
        word.len() >= 2 && word.len() <= 5 && word.bytes().all(|b| b.is_ascii_uppercase());
    letters
        || (word.len() >= 3
            && word.starts_with(['+', '-'])
            && word[1..].bytes().all(|b| b.is_ascii_digit() || b == b':'))
}

fn known_zone(word: &str) -> Option<TimeZone> {
    let hours = match word {
        "UTC" | "GMT" => 0,
        "JST" | "KST" => 9,
        _ => word.get(..3)?.parse::<i8>().ok().filter(|_| word.starts_with(['+', '-']))?,
    };
    Some(TimeZone::fixed(jiff::tz::Offset::from_hours(hours).ok()?))
}

/// Seconds since 1970 with a part, as texts have them.
pub fn epoch(text: &str) -> Option<Timestamp> {
    let (seconds, part) = text.split_once('.').unwrap_or((text, ""));
    if seconds.len() < 9 || !seconds.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?;
    Some(plus_part(Timestamp(micros), part))
}

/// Adds the digits behind a decimal point, as far as microseconds go.
pub fn plus_part(time: Timestamp, digits: &str) -> Timestamp {
    let digits: String = digits.chars().filter(char::is_ascii_digit).take(6).collect();
    let micros = format!("{digits:0<6}").parse::<i64>().unwrap_or(0);
    Timestamp(time.0.saturating_add(micros))
}
