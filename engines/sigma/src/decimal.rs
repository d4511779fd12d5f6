//! Decimal numbers added exactly, in whatever order: a window's sum must not depend on what left it before.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

const UNIT: i128 = 1_000_000_000;

/// A number with nine places after the point, of less than 10^18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Exact {
    whole: i64,
    /// Billionths, from 0; −0.5 is −1 and 500,000,000
    nano: u32,
}

impl Exact {
    pub const MAX: i64 = 1_000_000_000_000_000_000;

    pub fn of(whole: i64) -> Exact {
        Exact { whole, nano: 0 }
    }

    pub fn of_f64(number: f64) -> Option<Exact> {
        let scaled = (number * 1e9).round();
        (number.abs() < Self::MAX as f64).then(|| Exact::from_nanos(scaled as i128)).flatten()
    }

    fn from_nanos(nanos: i128) -> Option<Exact> {
        let whole = i64::try_from(nanos.div_euclid(UNIT)).ok()?;
        (whole.abs() <= Self::MAX).then_some(Exact { whole, nano: nanos.rem_euclid(UNIT) as u32 })
    }

    pub fn nanos(self) -> i128 {
        i128::from(self.whole) * UNIT + i128::from(self.nano)
    }

    pub fn as_f64(self) -> f64 {
        self.nanos() as f64 / 1e9
    }

    /// Digits beyond the ninth place are cut; an exponent goes by a float.
    pub fn parse(text: &str) -> Option<Exact> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits_only = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        if !digits_only(whole) || !digits_only(fraction) {
            let exponent = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
            return exponent.then(|| text.parse().ok().and_then(Exact::of_f64)).flatten();
        }
        if whole.len() > 18 {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let nano = (0..9).fold(0, |n, i| {
            n * 10 + fraction.as_bytes().get(i).map_or(0, |b| i128::from(b - b'0'))
        });
        let nanos = whole * UNIT + nano;
        Exact::from_nanos(if negative { -nanos } else { nanos })
    }
}

/// A measured value as `nanos / parts`, compared without rounding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    pub nanos: i128,
    pub parts: i128,
}

impl Measure {
    pub fn count(count: usize) -> Measure {
        Measure { nanos: count as i128 * UNIT, parts: 1 }
    }

    pub fn compare(self, bound: Exact) -> Ordering {
        match bound.nanos().checked_mul(self.parts) {
            Some(right) => self.nanos.cmp(&right),
            None => self.as_f64().total_cmp(&bound.as_f64()),
        }
    }

    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / self.parts as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let nanos = |text: &str| Exact::parse(text).map(Exact::nanos);
        assert_eq!(nanos("0.1"), Some(100_000_000));
        assert_eq!(nanos("-0.5"), Some(-500_000_000));
        assert_eq!(nanos("1e3"), Some(1_000 * UNIT));
        assert_eq!(nanos("999999999999999999"), Some(999_999_999_999_999_999 * UNIT));
        assert_eq!(nanos("1.0000000019"), Some(UNIT + 1));
        for not in ["", "-", ".", "1 2", "0x1", "9999999999999999999", "1e99", "abc"] {
            assert_eq!(nanos(not), None, "{not}");
        }
        assert_eq!(Exact::of_f64(-0.5), Exact::parse("-0.5"));
    }
}
