//! When a peer is asked: not before it must, not again too soon after a failure.

use std::{cmp::min, collections::BTreeMap};

use model::Timestamp;

const SECOND_US: i64 = 1_000_000;
/// Pauses after a failure: 5, 10, 20 … seconds, at most five minutes.
const RETRY_S: i64 = 5;
const RETRY_S_MAX: i64 = 300;
/// A log that does not grow is cosigned anew after this long, so that its proof stays fresh.
const AGAIN_S: i64 = 3_600;

/// What was last heard of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Leaves covered, and when.
    pub size: u64,
    pub at: Option<Timestamp>,
}

/// Failures of the peers since they last answered.
#[derive(Debug, Default)]
pub(crate) struct Pace(BTreeMap<String, (u32, Timestamp)>);

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.0 - from.0) / SECOND_US
}

impl Pace {
    /// Whether a peer is to be asked now about a log of `size` leaves.
    pub fn is_due(
        &self,
        peer: &str,
        heard: Heard,
        size: u64,
        every_s: u32,
        now: Timestamp,
    ) -> bool {
        if let Some((failures, last)) = self.0.get(peer) {
            let pause = RETRY_S << min(failures.saturating_sub(1), 6);
            // A clock that went back must not silence a peer.
            let passed = seconds(*last, now);
            return passed >= min(pause, RETRY_S_MAX) || passed < 0;
        }
        let Some(at) = heard.at else { return true };
        let every = i64::from(every_s);
        let wait = if size > heard.size { every } else { every.max(AGAIN_S) };
        let passed = seconds(at, now);
        passed >= wait || passed < -AGAIN_S
    }

    /// Notes how it went.
    pub fn note(&mut self, peer: &str, good: bool, now: Timestamp) {
        if good {
            self.0.remove(peer);
        } else {
            let failures = self.0.get(peer).map_or(0, |(count, _)| *count);
            self.0.insert(peer.to_owned(), (failures.saturating_add(1), now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_795_600_000_000_000 + seconds * SECOND_US)
    }

    #[test]
    fn a_peer_is_asked_when_the_log_grew_and_hourly_when_it_did_not() {
        let pace = Pace::default();
        let heard = Heard { size: 5, at: Some(at(0)) };
        let due = |size, s| pace.is_due("w", heard, size, 60, at(s));
        assert!(pace.is_due("w", Heard::default(), 0, 60, at(0)));
        assert_eq!((due(6, 59), due(6, 60)), (false, true));
        assert_eq!((due(5, 3_599), due(5, 3_600)), (false, true));
    }

    #[test]
    fn a_silent_peer_is_asked_less_and_less_but_never_not_at_all() {
        let mut pace = Pace::default();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            pace.note("w", false, at(now));
            let mut pause = 1;
            while !pace.is_due("w", Heard::default(), 1, 60, at(now + pause)) {
                pause += 1;
            }
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert!(pace.is_due("w", Heard::default(), 1, 60, at(now - 86_400)));
        pace.note("w", true, at(now));
        let heard = Heard { size: 1, at: Some(at(now)) };
        assert!(!pace.is_due("w", heard, 2, 60, at(now + 1)));
    }
}
