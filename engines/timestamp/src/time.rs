//! GeneralizedTime as RFC 3161 writes it, to Unix seconds.

use crate::error::StampError;

const BAD: StampError = StampError::Malformed { what: "time of a stamp", at: 0 };

/// `YYYYMMDDhhmmss[.s…]Z`; a fraction is dropped.
pub(crate) fn parse(text: &[u8]) -> Result<i64, StampError> {
    let (digits, rest) = text.split_at_checked(14).ok_or(BAD)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    let fraction = rest.strip_suffix(b"Z").ok_or(BAD)?;
    let good = match fraction {
        [] => true,
        // No fraction ends in zero, or one time would have many spellings.
        [b'.', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit) && digits.last().is_some_and(|last| *last != b'0')
        }
        _ => false,
    };
    let number = |range: std::ops::Range<usize>| {
        digits[range].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    let (hour, minute, second) = (number(8..10), number(10..12), number(12..14));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(BAD),
    };
    // A leap second counts as the one before it.
    if !good || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return Err(BAD);
    }
    Ok(days_from_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second.min(59))
}

/// Days of the Gregorian calendar, counted in years that begin in March.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_are_read() {
        assert_eq!(parse(b"19700101000000Z"), Ok(0));
        assert_eq!(parse(b"20000229235959Z"), Ok(951_868_799));
        assert_eq!(parse(b"20261128063506.25Z"), Ok(1_795_847_706));
        assert_eq!(parse(b"19691231235960Z"), Ok(-1));
        for bad in [
            &b""[..],
            b"20261128063506",
            b"20261128063506.Z",
            b"20261128063506.0Z",
            b"20261128063506+0900",
            b"20261328063506Z",
            b"20260229063506Z",
            b"20261128243506Z",
            b"2026112806350aZ",
            b"261128063506Z",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
