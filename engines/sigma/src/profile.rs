//! What a site's traffic looks like, learnt from its events, so that rules wait for what is rare there.

use crate::arena::Arena;

const SLOTS: usize = 1 << 16;

/// Where a gram is counted; grams may share a place, which only makes them look more frequent.
pub(crate) fn gram_slot(gram: u32) -> usize {
    (gram.wrapping_mul(0x85eb_ca6b) >> 16) as usize
}

/// Events in which each gram occurred. 512 KiB.
#[derive(Clone, Debug)]
pub struct TrafficProfile {
    pub(crate) events: u32,
    pub(crate) grams: Box<[u32]>,
    /// Number of the event that counted the gram last
    last: Box<[u32]>,
}

impl Default for TrafficProfile {
    fn default() -> TrafficProfile {
        TrafficProfile { events: 0, grams: vec![0; SLOTS].into(), last: vec![0; SLOTS].into() }
    }
}

impl TrafficProfile {
    pub fn observe(&mut self, arena: &Arena) {
        if self.events == u32::MAX {
            return;
        }
        self.events += 1;
        for window in arena.folded_all().windows(4) {
            let slot = gram_slot(u32::from_le_bytes([window[0], window[1], window[2], window[3]]));
            if std::mem::replace(&mut self.last[slot], self.events) != self.events {
                self.grams[slot] += 1;
            }
        }
    }

    /// The share of events that may contain `literal`, at most that of its rarest gram.
    pub(crate) fn share(&self, literal: &[u8]) -> f64 {
        let grams = literal
            .windows(4)
            .map(|w| self.grams[gram_slot(u32::from_le_bytes([w[0], w[1], w[2], w[3]]))]);
        f64::from(grams.min().unwrap_or(self.events)) / f64::from(self.events.max(1))
    }
}
