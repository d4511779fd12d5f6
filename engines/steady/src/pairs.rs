//! First-seen pairs: user and host, parent and process, process and destination.
//!
//! A pair is kept as a hash of 64 bits with the day it was seen last, in a table of fixed size; where it is full
//! the pairs seen longest ago give way and are counted. For each left side the number of its pairs is known, so
//! that one more of somebody who always has new ones says less than the first in years.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::{
    snapshot::{SnapshotError, checksum, pack, unpack},
    time::{DAY, Micros},
};

/// A pair seen first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstSeen {
    pub time: Micros,
    /// Pairs that the left side had before
    pub pairs: u32,
    /// How often the left side has a new pair, per observation, before this one
    pub p: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    room: usize,
    learn: Micros,
    first: Option<Micros>,
    /// Day seen last, by pair
    seen: HashMap<u64, i32, FxBuildHasher>,
    left: HashMap<u64, Left, FxBuildHasher>,
    pub evicted: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Left {
    observed: u32,
    pairs: u32,
    day: i32,
}

impl Pairs {
    /// At most `room` pairs; nothing is told before `learn` has passed since the first.
    pub fn new(room: usize, learn: Micros) -> Pairs {
        Pairs {
            room: room.max(1),
            learn,
            first: None,
            seen: HashMap::default(),
            left: HashMap::default(),
            evicted: 0,
        }
    }

    pub fn observe(&mut self, time: Micros, left: &str, right: &str) -> Option<FirstSeen> {
        let first = *self.first.get_or_insert(time);
        let day = day(time);
        let of_left = checksum(left.as_bytes());
        // The length keeps ("a", "bc") and ("ab", "c") apart.
        let mut pair = of_left.to_le_bytes().to_vec();
        pair.extend(right.as_bytes());
        let new = match self.seen.insert(checksum(&pair), day) {
            Some(before) if before > day => {
                self.seen.insert(checksum(&pair), before);
                false
            }
            before => before.is_none(),
        };
        let known = self.left.entry(of_left).or_default();
        let before = *known;
        known.observed = known.observed.saturating_add(1);
        known.pairs = known.pairs.saturating_add(u32::from(new));
        known.day = known.day.max(day);
        self.make_room();
        let p = (f64::from(before.pairs) + 0.5) / (f64::from(before.observed) + 1.0);
        let told = new && time.saturating_sub(first) >= self.learn;
        told.then_some(FirstSeen { time, pairs: before.pairs, p: p.min(1.0) })
    }

    pub fn len(&self) -> usize {
        self.seen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub fn snapshot(&self) -> Vec<u8> {
        pack(self)
    }

    pub fn restore(bytes: &[u8]) -> Result<Pairs, SnapshotError> {
        unpack(bytes)
    }

    fn make_room(&mut self) {
        if self.seen.len() > self.room {
            self.evicted += forget_oldest(&mut self.seen, |day| *day);
        }
        if self.left.len() > self.room {
            forget_oldest(&mut self.left, |left| left.day);
        }
    }
}

/// Lets at least a tenth go, by days, oldest first; how many went.
fn forget_oldest<V>(map: &mut HashMap<u64, V, FxBuildHasher>, day: impl Fn(&V) -> i32) -> u64 {
    let mut ages: Vec<(i32, u64)> = map.iter().map(|(key, value)| (day(value), *key)).collect();
    ages.sort_unstable();
    let gone = (ages.len() / 10).max(1);
    for (_, key) in &ages[..gone] {
        map.remove(key);
    }
    gone as u64
}

fn day(time: Micros) -> i32 {
    time.div_euclid(DAY) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{HOUR, WEEK};

    #[test]
    fn a_pair_is_new_once_and_only_after_learning() {
        let mut pairs = Pairs::new(1_000, WEEK);
        assert_eq!(pairs.observe(0, "ume", "host1"), None);
        for n in 0..400 {
            assert_eq!(pairs.observe(n * HOUR, "ume", "host1"), None);
        }
        let found = pairs.observe(2 * WEEK, "ume", "host2").unwrap();
        assert_eq!(found.pairs, 1);
        assert!(found.p < 0.01);
        assert_eq!(pairs.observe(2 * WEEK, "ume", "host2"), None);
        let scanner = pairs.observe(2 * WEEK, "scanner", "host2").unwrap();
        assert!(scanner.p >= 0.5, "a left side nobody knows says little");
    }

    #[test]
    fn sides_do_not_run_into_each_other() {
        let mut pairs = Pairs::new(100, 0);
        assert!(pairs.observe(0, "a", "bc").is_some());
        assert!(pairs.observe(1, "ab", "c").is_some());
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut pairs = Pairs::new(1_000, 0);
        for n in 0..20_000i64 {
            pairs.observe(n * HOUR, "user", &format!("host{n}"));
            pairs.observe(n * HOUR, "root", "console");
            assert!(pairs.len() <= 1_001);
        }
        assert!(pairs.evicted > 0);
        assert_eq!(pairs.observe(20_000 * HOUR, "root", "console"), None);
        assert_eq!(Pairs::restore(&pairs.snapshot()), Ok(pairs));
    }
}
