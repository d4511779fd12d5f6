//! Running totals of series whose senders tell increases, and beginnings of those that tell totals. Pure.
//!
//! What reads series knows totals that only rise and sees that one began anew when it falls. So increases are
//! added up; and a total that began anew and has already passed where it stood before is told as 0 first.
//! An increase that was added already is known by its time and not added again.
//!
//! Totals are kept in memory: after a restart they begin at 0, which is a beginning like any other.
//! Limit: [`SERIES_MAX`] series; one that was not heard for [`FORGET_NANOS`] gives its place to a new one.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Most series that are added up.
pub const SERIES_MAX: usize = 100_000;
const FORGET_NANOS: i128 = 3_600 * 1_000_000_000;

/// Says which series it is.
pub type Key = u128;

#[derive(Clone, Copy, Debug)]
struct Total {
    start: i128,
    time: i128,
    value: f64,
}

/// When a point begins and ends.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start: i128,
    pub time: i128,
}

/// Why an increase is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// It is not behind what was added last.
    Repeated,
    /// There is no place for another series.
    Full,
}

/// Totals by series. What [`Totals::begin`] starts becomes theirs by [`Totals::keep`] only.
#[derive(Debug, Default)]
pub struct Totals {
    kept: HashMap<Key, Total>,
    fresh: HashMap<Key, Total>,
    newest: i128,
}

impl Totals {
    /// Forgets what was not kept.
    pub fn begin(&mut self) {
        self.fresh.clear();
    }

    /// What was added since is on the disk.
    pub fn keep(&mut self) {
        let newest = self.fresh.values().map(|total| total.time).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
        self.kept.extend(self.fresh.drain());
    }

    fn get(&self, key: Key) -> Option<Total> {
        self.fresh.get(&key).or_else(|| self.kept.get(&key)).copied()
    }

    /// Whether another series has a place.
    fn has_room(&mut self) -> bool {
        if self.kept.len() + self.fresh.len() < SERIES_MAX {
            return true;
        }
        let since = self.newest - FORGET_NANOS;
        self.kept.retain(|_, total| total.time >= since);
        self.kept.len() + self.fresh.len() < SERIES_MAX
    }

    /// Adds an increase and gives the total.
    pub fn add(&mut self, key: Key, span: Span, increase: f64) -> Result<f64, Skipped> {
        let known = self.get(key);
        if known.is_some_and(|known| span.time <= known.time) {
            return Err(Skipped::Repeated);
        }
        if known.is_none() && !self.has_room() {
            return Err(Skipped::Full);
        }
        let value = known.map_or(0.0, |known| known.value) + increase;
        self.fresh.insert(key, Total { start: span.start, time: span.time, value });
        Ok(value)
    }

    /// Sees a total; whether it began anew since it was seen last and nothing in its value shows it.
    pub fn began_anew(&mut self, key: Key, span: Span, value: f64) -> bool {
        let known = self.get(key);
        if known.is_some_and(|known| span.time <= known.time) {
            return false;
        }
        if known.is_some() || self.has_room() {
            self.fresh.insert(key, Total { start: span.start, time: span.time, value });
        }
        known.is_some_and(|known| {
            known.start > 0
                && span.start > known.start
                && span.start >= known.time
                && value >= known.value
        })
    }
}

/// The key of a series.
pub fn key(host: &str, name: &str, labels: &[(String, String)]) -> Key {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, host, name, labels).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: i128, time: i128) -> Span {
        Span { start, time }
    }

    #[test]
    fn increases_add_up_once_and_only_when_they_are_kept() {
        let (mut totals, one) = (Totals::default(), key("h", "n", &[]));
        assert_eq!(totals.add(one, span(0, 10), 5.0), Ok(5.0));
        totals.begin();
        assert_eq!(totals.add(one, span(0, 10), 5.0), Ok(5.0));
        assert_eq!(totals.add(one, span(10, 20), 2.0), Ok(7.0));
        totals.keep();
        assert_eq!(totals.add(one, span(10, 20), 2.0), Err(Skipped::Repeated));
        assert_eq!(totals.add(one, span(20, 30), 1.0), Ok(8.0));
        assert_ne!(one, key("h", "n", &[("a".to_owned(), "b".to_owned())]));
    }

    #[test]
    fn a_total_that_began_anew_and_is_higher_than_before_is_noticed() {
        let (mut totals, one) = (Totals::default(), key("h", "n", &[]));
        assert!(!totals.began_anew(one, span(1, 10), 5.0));
        assert!(!totals.began_anew(one, span(1, 20), 9.0));
        assert!(totals.began_anew(one, span(25, 30), 9.5));
        // A fall shows by itself.
        assert!(!totals.began_anew(one, span(35, 40), 1.0));
        // Late ones and ones without a beginning say nothing.
        assert!(!totals.began_anew(one, span(36, 39), 100.0));
        assert!(!totals.began_anew(one, span(0, 50), 100.0));
    }

    #[test]
    fn a_flood_of_series_is_refused_until_old_ones_are_silent() {
        let mut totals = Totals::default();
        for n in 0..SERIES_MAX as u128 {
            totals.add(n, span(0, 1), 1.0).unwrap();
        }
        totals.keep();
        assert_eq!(totals.add(u128::MAX, span(0, 2), 1.0), Err(Skipped::Full));
        totals.add(1, span(0, 2 * FORGET_NANOS), 1.0).unwrap();
        totals.keep();
        assert_eq!(totals.add(u128::MAX, span(0, 3 * FORGET_NANOS), 1.0), Ok(1.0));
    }
}
