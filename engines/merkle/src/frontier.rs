//! The right edge of a growing tree: the roots of its full subtrees, largest first.
//!
//! Invariant: one part per set bit of the size, so a log of any length is appended to, and its root
//! known, with at most 64 hashes in memory.

use crate::error::ProofError;
use crate::hash::{Hash, empty_root, node_hash};

/// Most leaves a [`Frontier`] or [`crate::MemTree`] is restored with. Half of what a `u64` counts, so
/// that no series of pushes a machine could perform reaches the end of the counter.
pub const MAX_LEAVES: u64 = 1 << 63;

/// Compact range of a whole tree (RFC 6962 section 2.1 computed leaf by leaf).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    parts: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a frontier from what [`Frontier::parts`] gave at that size.
    pub fn from_parts(size: u64, parts: Vec<Hash>) -> Result<Self, ProofError> {
        if size > MAX_LEAVES {
            return Err(ProofError::TooLarge { size });
        }
        if parts.len() != size.count_ones() as usize {
            return Err(ProofError::PartCount { size, got: parts.len() });
        }
        Ok(Self { size, parts })
    }

    /// Appends one leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit of the size is a full subtree as large as the one that just closed.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.parts.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.parts.push(node);
        self.size += 1;
    }

    /// Root of the tree as it stands.
    pub fn root(&self) -> Hash {
        let folded =
            self.parts.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(empty_root)
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, largest and leftmost first.
    pub fn parts(&self) -> &[Hash] {
        &self.parts
    }
}

impl Extend<Hash> for Frontier {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut frontier = Self::new();
        frontier.extend(leaves);
        frontier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::root_of;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_root_is_that_of_the_definition(leaves: Vec<Hash>) {
            let frontier: Frontier = leaves.iter().copied().collect();
            prop_assert_eq!(frontier.root(), root_of(&leaves));
            prop_assert_eq!(frontier.size(), leaves.len() as u64);
        }

        #[test]
        fn a_restored_frontier_goes_on_where_it_stopped(first: Vec<Hash>, second: Vec<Hash>) {
            let stopped: Frontier = first.iter().copied().collect();
            let mut restored =
                Frontier::from_parts(stopped.size(), stopped.parts().to_vec()).unwrap();
            restored.extend(second.iter().copied());
            prop_assert_eq!(restored, first.into_iter().chain(second).collect::<Frontier>());
        }
    }

    #[test]
    fn parts_that_contradict_the_size_are_refused() {
        let wrong = Frontier::from_parts(3, vec![[0; 32]]);
        assert_eq!(wrong, Err(ProofError::PartCount { size: 3, got: 1 }));
        let huge = Frontier::from_parts(u64::MAX, vec![[0; 32]; 64]);
        assert_eq!(huge, Err(ProofError::TooLarge { size: u64::MAX }));
    }

    #[test]
    fn the_largest_frontier_still_grows() {
        let mut frontier = Frontier::from_parts(MAX_LEAVES, vec![[1; 32]]).unwrap();
        frontier.push([2; 32]);
        assert_eq!(frontier.root(), node_hash(&[1; 32], &[2; 32]));
    }
}
