//! Where a prover finds the nodes of a tree: in memory, in tiles, or wherever the caller keeps them.
//!
//! Invariant: only nodes whose subtree is full are ever asked for. They never change once the log has
//! grown past them, so any copy of one is as good as another.

use crate::error::ProofError;
use crate::hash::{Hash, node_hash};
use crate::tile::TileId;

/// Gives the nodes of one tree.
pub trait TileReader {
    /// Root of the full subtree over the leaves `index << level .. (index + 1) << level`; level 0 is
    /// the leaf hashes.
    fn hash(&self, level: u32, index: u64) -> Result<Hash, ProofError>;
}

impl<R: TileReader + ?Sized> TileReader for &R {
    fn hash(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        (**self).hash(level, index)
    }
}

/// Every full node of a tree in memory, about 64 bytes per leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemTree {
    levels: Vec<Vec<Hash>>,
}

impl MemTree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for height in 0.. {
            if height == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let level = &mut self.levels[height];
            level.push(node);
            if level.len() % 2 == 1 {
                return;
            }
            node = node_hash(&level[level.len() - 2], &level[level.len() - 1]);
        }
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Root of the tree as it stands.
    pub fn root(&self) -> Hash {
        let edges = self.levels.iter().filter(|level| level.len() % 2 == 1);
        let folded = edges
            .filter_map(|level| level.last().copied())
            .reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(crate::hash::empty_root)
    }
}

impl Extend<Hash> for MemTree {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for MemTree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        tree.extend(leaves);
        tree
    }
}

impl TileReader for MemTree {
    fn hash(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let find = || self.levels.get(level as usize)?.get(usize::try_from(index).ok()?).copied();
        find().ok_or(ProofError::MissingNode { level, index })
    }
}

/// A tree of known size whose tiles a function fetches; nodes between tile levels are hashed anew.
///
/// A proof asks for a tile more than once: a caller that reads from disk keeps the tiles it has read.
pub struct TiledTree<F> {
    size: u64,
    fetch: F,
}

impl<F: Fn(TileId) -> Result<Vec<Hash>, ProofError>> TiledTree<F> {
    /// A tree of `size` leaves over `fetch`, which gets ids of the width the tile has at that size.
    pub fn new(size: u64, fetch: F) -> Self {
        Self { size, fetch }
    }
}

impl<F: Fn(TileId) -> Result<Vec<Hash>, ProofError>> TileReader for TiledTree<F> {
    fn hash(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let missing = || ProofError::MissingNode { level, index };
        let tile = TileId::of_node(level, index, self.size).ok_or_else(missing)?;
        let hashes = (self.fetch)(tile)?;
        let height = level % 8;
        let first = ((index << height) % 256) as usize;
        let mut nodes = hashes.get(first..first + (1 << height)).ok_or_else(missing)?.to_vec();
        while nodes.len() > 1 {
            nodes = nodes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        }
        nodes.first().copied().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, root_of};
    use crate::proof::{inclusion_proof, tree_root};

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    #[test]
    fn a_tree_in_memory_has_the_root_of_the_definition() {
        for count in 0..70 {
            let leaves = leaves(count);
            let tree: MemTree = leaves.iter().copied().collect();
            assert_eq!(tree.root(), root_of(&leaves));
            assert_eq!(tree.size(), count);
        }
    }

    #[test]
    fn tiles_answer_like_memory() {
        let size = 70_000;
        let tree: MemTree = leaves(size).into_iter().collect();
        let tiled = TiledTree::new(size, |tile: TileId| {
            let start = tile.index() * 256;
            (start..start + u64::from(tile.width()))
                .map(|index| tree.hash(u32::from(tile.level()) * 8, index))
                .collect()
        });
        assert_eq!(tree_root(size, &tiled), Ok(tree.root()));
        for index in [0, 255, 256, 65_535, 65_536, 69_999] {
            let expected = inclusion_proof(index, size, &tree);
            assert_eq!(inclusion_proof(index, size, &tiled), expected);
        }
        for (level, index) in [(0, size), (17, 0), (64, 0), (8, 273), (3, u64::MAX)] {
            assert_eq!(tiled.hash(level, index), Err(ProofError::MissingNode { level, index }));
        }
    }
}
