//! Timestamps of STIX: RFC 3339 in UTC with `Z`, kept as microseconds since 1970.

const DAY: i64 = 86_400;

/// `2026-01-31T12:00:00.123456Z`; digits beyond the microsecond are cut off.
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !bytes.is_ascii() || bytes.last() != Some(&b'Z') {
        return None;
    }
    let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if shape.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?);
    let (hour, minute) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?);
    let second = digits(&bytes[17..19])?;
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    // A leap second is the first moment of the next minute.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let micros = fraction(&bytes[19..bytes.len() - 1])?;
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

/// With as many digits of the second as it takes.
pub fn print(micros: i64) -> String {
    let text = print_micros(micros);
    let short = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{short}Z")
}

/// With milliseconds, as STIX writes `created` and `modified`; microseconds where there are some.
pub fn print_millis(micros: i64) -> String {
    let text = print_micros(micros);
    match micros % 1000 {
        0 => format!("{}Z", &text[..text.len() - 4]),
        _ => text,
    }
}

/// With six digits of the second, as TAXII asks of times of its own.
pub fn print_micros(micros: i64) -> String {
    let (seconds, part) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{part:06}Z")
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

/// Microseconds of `.123`; of nothing 0.
fn fraction(bytes: &[u8]) -> Option<i64> {
    let Some((dot, rest)) = bytes.split_first() else { return Some(0) };
    if *dot != b'.' || rest.is_empty() || !rest.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let taken = &rest[..rest.len().min(6)];
    Some(digits(taken)? * 10_i64.pow(6 - taken.len() as u32))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; years begin in March so that a leap day ends one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_utc_time_is_refused() {
        let wrong = [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00",
            "2026-01-01",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01t00:00:00Z",
            "2026-01-01T00:00:00.1aZ",
            "２026-01-01T00:00:00Z",
            "",
        ];
        for text in wrong {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn digits_beyond_the_microsecond_are_cut_off() {
        assert_eq!(parse("1970-01-01T00:00:01.1234567Z"), Some(1_123_456));
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Some(-500_000));
    }

    #[test]
    fn each_form_has_its_digits() {
        assert_eq!(print(1_500_000), "1970-01-01T00:00:01.5Z");
        assert_eq!(print(0), "1970-01-01T00:00:00Z");
        assert_eq!(print_millis(1_500_000), "1970-01-01T00:00:01.500Z");
        assert_eq!(print_millis(1_500_001), "1970-01-01T00:00:01.500001Z");
        assert_eq!(print_micros(0), "1970-01-01T00:00:00.000000Z");
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(micros in -62_167_219_200_000_000_i64..253_402_300_799_999_999) {
            for text in [print(micros), print_millis(micros), print_micros(micros)] {
                prop_assert_eq!(parse(&text), Some(micros), "{}", text);
            }
        }
    }
}
