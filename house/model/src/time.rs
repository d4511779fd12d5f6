//! Points in time: microseconds since 1970-01-01T00:00:00Z.

use serde::{Deserialize, Serialize};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Microseconds UTC since the Unix epoch; the one time type of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Adds whole hours, saturating at the ends of time.
    pub fn plus_hours(self, hours: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(hours.saturating_mul(MICROS_PER_HOUR)))
    }

    /// Subtracts whole hours, saturating at the ends of time.
    pub fn minus_hours(self, hours: i64) -> Timestamp {
        self.plus_hours(-hours)
    }

    /// Whole hours from `earlier` to `self`, negative if `earlier` is later.
    pub fn hours_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(MICROS_PER_HOUR)
    }

    /// RFC 3339 in UTC with a trailing `Z`; times outside jiff's range clamp to its ends.
    pub fn rfc3339(self) -> String {
        let nearest_end = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(nearest_end).to_string()
    }

    /// Parses RFC 3339; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Timestamp(time.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_round_trips() {
        let time = Timestamp(1_795_600_000_123_456);
        assert_eq!(Timestamp::parse(&time.rfc3339()), Some(time));
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        assert_eq!(Timestamp(i64::MAX).plus_hours(i64::MAX), Timestamp(i64::MAX));
        assert!(!Timestamp(i64::MIN).rfc3339().is_empty());
    }
}
