//! The simulated clock and the calendar of the year. Times are those of Japan, which knows no summer
//! time, whatever zone the machine is in.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::civil::Date;
use model::Timestamp;
use store::Clock;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;
const JAPAN: i64 = 9 * 60 * MICROS_PER_MINUTE;

/// A clock that stands where it is put. Each look moves it by a microsecond, so that what is written
/// later has the later time.
#[derive(Clone)]
pub struct SimClock(Arc<AtomicI64>);

impl SimClock {
    pub fn new(at: Timestamp) -> SimClock {
        SimClock(Arc::new(AtomicI64::new(at.0)))
    }

    pub fn set(&self, at: Timestamp) {
        self.0.fetch_max(at.0, Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let own = self.0.clone();
        Arc::new(move || Timestamp(own.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Days of the simulation, counted from 0.
pub struct Calendar {
    first: Date,
}

impl Calendar {
    pub fn new(first: Date) -> Calendar {
        Calendar { first }
    }

    pub fn date(&self, day: i64) -> Date {
        self.first.checked_add(jiff::Span::new().days(day)).unwrap_or(self.first)
    }

    /// A time of the day in Japan.
    pub fn at(&self, day: i64, hour: i64, minute: i64) -> Timestamp {
        let midnight = self.first.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24;
        Timestamp((midnight + day) * DAY + (hour * 60 + minute) * MICROS_PER_MINUTE - JAPAN)
    }

    pub fn works(&self, day: i64) -> bool {
        self.date(day).weekday().to_monday_zero_offset() < 5
    }

    /// `D+3` and `T-2` as date and time; any other text as it is.
    pub fn resolve(&self, day: i64, text: &str) -> String {
        let parsed = text.get(1..).and_then(|n| n.parse::<i64>().ok());
        let signed = text.get(1..2).is_some_and(|s| s == "+" || s == "-");
        match (text.get(..1), parsed.filter(|_| signed)) {
            (Some("D"), Some(days)) => self.date(day + days).to_string(),
            (Some("T"), Some(days)) => self.at(day + days, 18, 0).rfc3339(),
            _ => text.to_owned(),
        }
    }
}
