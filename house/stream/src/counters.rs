//! Where every line went, per source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of lines since the folder was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub received: u64,
    pub stored: u64,
    pub refused: BTreeMap<String, u64>,
    pub lost: BTreeMap<String, u64>,
    /// Bytes of the stored lines.
    pub bytes: u64,
    /// Connections that were not let in, by `peer: reason`; no line was received on them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub turned_away: BTreeMap<String, u64>,
}

/// Most peers told apart among those turned away; the others are counted together.
const PEERS_MAX: usize = 256;

impl Counters {
    pub(crate) fn store(&mut self, lines: u64, bytes: u64) {
        self.received += lines;
        self.stored += lines;
        self.bytes += bytes;
        self.assert_identity();
    }

    pub(crate) fn refuse(&mut self, reason: &str, lines: u64) {
        self.received += lines;
        *self.refused.entry(reason.to_owned()).or_default() += lines;
        self.assert_identity();
    }

    pub(crate) fn lose(&mut self, cause: &str, lines: u64) {
        self.received += lines;
        *self.lost.entry(cause.to_owned()).or_default() += lines;
        self.assert_identity();
    }

    pub(crate) fn turn_away(&mut self, peer: &str, reason: &str) {
        let mut key = format!("{peer}: {reason}");
        if self.turned_away.len() >= PEERS_MAX && !self.turned_away.contains_key(&key) {
            key = format!("others: {reason}");
        }
        *self.turned_away.entry(key).or_default() += 1;
    }

    /// Whether `received = stored + refused + lost`.
    pub fn identity_holds(&self) -> bool {
        let refused: u64 = self.refused.values().sum();
        let lost: u64 = self.lost.values().sum();
        self.received == self.stored + refused + lost
    }

    /// Panics if the identity is broken: that is a bug of ours, never an input.
    pub fn assert_identity(&self) {
        assert!(self.identity_holds(), "received = stored + refused + lost is broken: {self:?}");
    }
}
