//! Lines of applications that follow no standard but begin with a time, as most of them do: `2026-11-25 10:00:00,123
//! ERROR …`, `[2026-11-25T10:00:00+09:00] …`, `2026/11/25 10:00:00 …`, `I, [2026-11-25T10:00:00.123456 #7] INFO -- : …`.
//!
//! The time and the level are taken, and the message is what stands behind the time. A line without an offset is in the
//! zone that its source is known for.

use jiff::tz::TimeZone;
use model::Timestamp;

use super::{Draft, Place, json::severity_of_word, time};

/// A level stands among the first words, or it is none.
const LEVEL_WORDS: usize = 6;
const WORD_CHARS_MAX: usize = 40;

pub fn read(draft: &mut Draft, text: &str, place: &Place<'_>) -> bool {
    let (inside, is_bracketed) = opened(text);
    let Some((when, rest)) = stamp(inside, place.zone) else { return false };
    let rest = match is_bracketed {
        // Ruby writes the number of the process too.
        true => match rest.split_once(']') {
            Some((between, rest)) if between.len() <= WORD_CHARS_MAX => rest,
            _ => return false,
        },
        false => rest,
    };
    let message = rest.trim_start_matches([' ', '\t', ':']);
    if message.len() == rest.len() && !rest.is_empty() {
        return false;
    }
    draft.time = Some(when);
    if let Some((word, severity)) = level(message) {
        draft.severity = severity;
        draft.set("level", word);
    }
    draft.message = Some(message.to_owned());
    true
}

/// Whether a level stands where syslog's own files have the host: `2026-11-25T10:00:00Z ERROR …`.
pub fn is_marked(text: &str) -> bool {
    let behind = text.split_once(' ').filter(|(time, _)| time.as_bytes().get(10) == Some(&b'T'));
    behind.and_then(|(_, rest)| rest.split(' ').next()).and_then(level).is_some()
}

/// What stands within a leading bracket, if there is one.
fn opened(text: &str) -> (&str, bool) {
    let ruby = text.as_bytes().get(1..4) == Some(b", [") && text.as_bytes()[0].is_ascii_uppercase();
    match text.strip_prefix('[').or_else(|| text.get(4..).filter(|_| ruby)) {
        Some(inside) => (inside, true),
        None => (text, false),
    }
}

/// Date, clock, part of a second and offset.
fn stamp<'a>(text: &'a str, zone: &TimeZone) -> Option<(Timestamp, &'a str)> {
    let bytes = text.as_bytes();
    let (slash, between) = (*bytes.get(4)?, *bytes.get(10)?);
    if !matches!(slash, b'-' | b'/') || !matches!(between, b' ' | b'T') {
        return None;
    }
    let behind = text.get(19..)?;
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (part, behind) = match behind.strip_prefix(['.', ',']) {
        Some(rest) if (1..=9).contains(&digits(rest)) => rest.split_at(digits(rest)),
        _ => ("", behind),
    };
    let (offset, rest) = offset(behind);
    let named = offset.map(TimeZone::fixed);
    let zone = named.as_ref().unwrap_or(zone);
    // A date with slashes is read as one with hyphens.
    let whole = match slash {
        b'/' => time::slashed(&text.get(..19)?.replace('T', " "), zone)?.0,
        _ => time::local_date_time(&text.get(..19)?.replace('T', " "), zone)?.0,
    };
    Some((time::plus_part(whole, part), rest))
}

/// `Z`, `+09:00` or `+0900`, a space before it or none.
fn offset(text: &str) -> (Option<jiff::tz::Offset>, &str) {
    if let Some(rest) = text.strip_prefix('Z') {
        return (Some(jiff::tz::Offset::UTC), rest);
    }
    let near = text.strip_prefix(' ').unwrap_or(text);
    let sign = match near.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (None, text),
    };
    let two = |from: usize| near.get(from..from + 2)?.parse::<i32>().ok().filter(|n| *n >= 0);
    let long = near.as_bytes().get(3) == Some(&b':');
    let (minutes, end) = if long { (two(4), 6) } else { (two(3), 5) };
    let seconds = two(1).zip(minutes).map(|(h, m)| sign * (h * 3_600 + m * 60));
    match seconds.and_then(|s| jiff::tz::Offset::from_seconds(s).ok()) {
        Some(offset) => (Some(offset), &near[end..]),
        None => (None, text),
    }
}

fn level(message: &str) -> Option<(String, u8)> {
    let words = message.split([' ', '\t', '|']).filter(|word| !word.is_empty());
    words.take(LEVEL_WORDS).find_map(|word| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        // Laravel writes `production.ERROR`.
        let word = word.rsplit('.').next().unwrap_or(word);
        // In lower case it may be a word of a sentence.
        let is_level = word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase());
        let word = is_level.then(|| word.to_ascii_lowercase())?;
        let severity = match word.as_str() {
            "inf" => 1,
            "wrn" => 3,
            "err" => 4,
            "ftl" | "fatal" => 6,
            "severe" => 5,
            word => severity_of_word(word),
        };
        (severity > 0).then_some((word, severity))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RawLine, parse};

    fn at(line: &str) -> (String, u8, String) {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let event = parse(&RawLine::new(line), "app", Timestamp(1_795_600_000_000_000), &zone);
        let time = event.event_time.map_or(String::new(), |time| time.rfc3339());
        (time, event.severity, event.message)
    }

    #[test]
    fn lines_of_applications_have_their_time_and_level() {
        let utc = "2026-11-25T01:00:00";
        for (line, part, severity, message) in [
            (
                "2026-11-25 10:00:00,123 ERROR orders - 在庫がありません",
                ".123",
                4,
                "ERROR orders - 在庫がありません",
            ),
            (
                "2026-11-25 10:00:00.5 [main] WARN  a.b.C - slow",
                ".5",
                3,
                "[main] WARN  a.b.C - slow",
            ),
            ("[2026-11-25 10:00:00] production.ERROR: gone", "", 4, "production.ERROR: gone"),
            ("[2026-11-25T10:00:00+09:00] plain", "", 0, "plain"),
            ("2026-11-25T01:00:00Z INFO started", "", 1, "INFO started"),
            ("2026-11-25 01:00:00.000 +00:00 [INF] up", "", 1, "[INF] up"),
            ("2026/11/25 10:00:00 listening on :80", "", 0, "listening on :80"),
            ("E, [2026-11-25T10:00:00.25 #77] ERROR -- : broken", ".25", 4, "ERROR -- : broken"),
            ("2026-11-25 10:00:00 - app.db - CRITICAL - full", "", 5, "- app.db - CRITICAL - full"),
        ] {
            let (time, found, said) = at(line);
            assert!(time.starts_with(&format!("{utc}{part}")), "{line}: {time}");
            assert_eq!((found, said.as_str()), (severity, message), "{line}");
        }
    }

    #[test]
    fn what_is_no_time_is_left_alone() {
        for line in [
            "2026-13-25 10:00:00 x",
            "2026-11-25",
            "2026-11-25 10:00",
            "12345678901234567890123",
            "[x] y",
            "A, [b] c",
            "2026-11-25 10:00:00x y",
            "日本語の行で始まるだけの、時刻のない行です",
        ] {
            assert_eq!(at(line).0, "", "{line}");
            assert_eq!(at(line).2, line);
        }
        // An error told of in a sentence is no level.
        assert_eq!(at("2026-11-25 10:00:00 no error found").1, 0);
    }
}
