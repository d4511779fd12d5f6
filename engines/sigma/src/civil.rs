//! Dates and times as logs write them: `2026-04-01T09:30:00.5+09:00`, `2026-04-01 09:30:00`, `2026-04-01`.

/// A date and time as written, without thinking about zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    second: i64,
    micro: i64,
    /// Minutes east of Greenwich, where written
    offset: Option<i64>,
}

impl Civil {
    pub fn parse(text: &str) -> Option<Civil> {
        let bytes = text.trim().as_bytes();
        let digits = |from: usize, count: usize| -> Option<i64> {
            let part = bytes.get(from..from + count)?;
            part.iter()
                .all(u8::is_ascii_digit)
                .then(|| part.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
        };
        let sep = |at: usize, of: &[u8]| bytes.get(at).is_some_and(|b| of.contains(b));
        let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
        let dated = sep(4, b"-/")
            && sep(7, b"-/")
            && (1..=12).contains(&month)
            && (1..=days(year, month)).contains(&day);
        if !dated {
            return None;
        }
        let mut civil =
            Civil { year, month, day, hour: 0, minute: 0, second: 0, micro: 0, offset: None };
        if bytes.len() == 10 {
            return Some(civil);
        }
        if !sep(10, b"Tt ") || !sep(13, b":") {
            return None;
        }
        (civil.hour, civil.minute) = (digits(11, 2)?, digits(14, 2)?);
        let mut at = 16;
        if sep(at, b":") {
            civil.second = digits(17, 2)?;
            at = 19;
        }
        if sep(at, b".,") {
            let fraction: Vec<u8> =
                bytes[at + 1..].iter().copied().take_while(u8::is_ascii_digit).collect();
            at += 1 + fraction.len();
            civil.micro =
                (0..6).fold(0, |n, i| n * 10 + fraction.get(i).map_or(0, |b| i64::from(b - b'0')));
        }
        civil.offset = zone(&bytes[at..])?;
        let timed = civil.hour < 24 && civil.minute < 60 && civil.second <= 60;
        timed.then_some(civil)
    }

    /// Week of ISO 8601.
    pub fn week(&self) -> i64 {
        let day = day_number(self.year, self.month, self.day);
        // Day 0 (1970-01-01) was a Thursday; the week belongs to the year of its Thursday.
        let thursday = day - (day + 3).rem_euclid(7) + 3;
        let year = (self.year - 1..=self.year + 1)
            .rev()
            .find(|y| day_number(*y, 1, 1) <= thursday)
            .unwrap_or(self.year);
        (thursday - day_number(year, 1, 1)) / 7 + 1
    }

    /// Microseconds since 1970; a time without zone is taken for UTC.
    fn micros(&self) -> i64 {
        let minutes =
            (day_number(self.year, self.month, self.day) * 24 + self.hour) * 60 + self.minute;
        ((minutes - self.offset.unwrap_or(0)) * 60 + self.second) * 1_000_000 + self.micro
    }
}

/// Microseconds since 1970 of a time as logs write it; without zone it is taken for UTC.
pub fn micros(text: &str) -> Option<i64> {
    Civil::parse(text).map(|civil| civil.micros())
}

/// `Some(None)` if there is none, `None` if it cannot be read.
fn zone(rest: &[u8]) -> Option<Option<i64>> {
    match rest {
        [] => Some(None),
        b"Z" | b"z" | b" UTC" => Some(Some(0)),
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let digits: Vec<i64> = digits
                .iter()
                .filter(|b| **b != b':')
                .map(|b| i64::from(b.wrapping_sub(b'0')))
                .collect();
            let [a, b, c, d] = digits[..] else { return None };
            if [a, b, c, d].iter().any(|n| !(0..=9).contains(n)) {
                return None;
            }
            let minutes = (a * 10 + b) * 60 + c * 10 + d;
            Some(Some(if *sign == b'-' { -minutes } else { minutes }))
        }
        _ => None,
    }
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (m * 153 + 2) / 5 + day
        - 1
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_logs_write_them() {
        assert_eq!(micros("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(micros("1970-01-02 00:00:01.5"), Some(86_401_500_000));
        assert_eq!(micros("2026-04-01T09:00:00+09:00"), micros("2026-04-01T00:00:00Z"));
        assert_eq!(micros("2000-03-01"), Some(951_868_800_000_000));
        assert_eq!(micros("2025-11-27T07:40:10.165324Z"), Some(1_764_229_210_165_324));
        for bad in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-01-01T24:00:00",
            "2026-01-01X10:00",
            "20260101",
            "２０２６-01-01",
        ] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        let week = |text: &str| Civil::parse(text).unwrap().week();
        let cases = [
            ("2021-01-03", 53),
            ("2021-01-04", 1),
            ("2020-12-31", 53),
            ("2024-12-30", 1),
            ("2026-11-28", 48),
            ("2026-01-01", 1),
        ];
        for (date, want) in cases {
            assert_eq!(week(date), want, "{date}");
        }
    }
}
