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
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        .iter()
        .position(|name| head.starts_with(name))? as i16
        + 1;
    let day = head.get(4..6)?.trim_start().parse::<i16>().ok()?;
    let clock = clock_of(head.get(7..15)?)?;
    let instant = jiff::Timestamp::from_microsecond(now.0).ok()?;
    let this_year = zone.to_datetime(instant).year();
    // Eight years back finds a 29 February even over 1900 and 2100.
    let years = (this_year.saturating_sub(8)..=this_year.saturating_add(1)).rev();
    let time = years
        .filter_map(|year| at(year, month, day, clock, zone))
        .find(|time| *time <= now.plus_hours(24))?;
    Some((time, rest))
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
