//! What is needed beside some leaves of a tree to compute its root: one set of nodes for all of them,
//! instead of a proof for each.
//!
//! A level of `m` nodes has the next one of `m / 2`, rounded up: neighbours are hashed together, and a
//! last one without a neighbour goes up as it is. That is the tree of RFC 6962 section 2.1 read from
//! below, so a verifier needs nothing but pairs. A [`Node`] may therefore stand for the right edge of
//! the tree, whose subtree is not full.
//!
//! Invariant: [`cover`] gives exactly the nodes that [`root_from_cover`] asks for; one too many or too
//! few is refused, so that the nodes hold nothing that was not hashed.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::ProofError;
use crate::hash::{Hash, empty_root, node_hash};
use crate::reader::TileReader;

/// A node by its place: height above the leaves, position in its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Height above the leaves.
    pub level: u32,
    /// Position in the level.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The nodes that, with the hashes of these leaves, give the root of the tree of `size` leaves; none if
/// no leaf is given. In the order of level and index.
pub fn cover(
    leaves: &BTreeSet<u64>,
    size: u64,
    reader: &impl TileReader,
) -> Result<Vec<Node>, ProofError> {
    if let Some(index) = leaves.last().copied().filter(|last| *last >= size) {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut nodes = Vec::new();
    let mut known: Vec<u64> = leaves.iter().copied().collect();
    let (mut level, mut width, mut edge) = (0, size, None);
    while width > 1 && !known.is_empty() {
        for (_, beside) in pairs(&known, width) {
            if let Some(index) = beside.filter(|index| known.binary_search(index).is_err()) {
                let hash = at(level, index, width, edge, size, reader)?;
                nodes.push(Node { level, index, hash });
            }
        }
        edge = edge_above(level, width, edge, size, reader)?;
        known = known.iter().map(|index| index / 2).collect();
        known.dedup();
        width = width.div_ceil(2);
        level += 1;
    }
    Ok(nodes)
}

/// The root that follows from leaf hashes and the nodes of their [`cover`].
pub fn root_from_cover(
    leaves: &BTreeMap<u64, Hash>,
    size: u64,
    nodes: &[Node],
) -> Result<Hash, ProofError> {
    if size == 0 && leaves.is_empty() && nodes.is_empty() {
        return Ok(empty_root());
    }
    let last = leaves.last_key_value().map(|(index, _)| *index);
    if let Some(index) = last.filter(|last| *last >= size) {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let length = ProofError::ProofLength { got: nodes.len() };
    let given: BTreeMap<(u32, u64), Hash> =
        nodes.iter().map(|node| ((node.level, node.index), node.hash)).collect();
    let mut level_hashes: Vec<(u64, Hash)> = leaves.iter().map(|(i, hash)| (*i, *hash)).collect();
    let (mut level, mut width, mut used) = (0, size, 0);
    while width > 1 && !level_hashes.is_empty() {
        let known: BTreeMap<u64, Hash> = level_hashes.iter().copied().collect();
        let mut above = Vec::with_capacity(known.len());
        let indexes: Vec<u64> = known.keys().copied().collect();
        for (index, beside) in pairs(&indexes, width) {
            let mine = known[&index];
            let Some(beside) = beside else {
                above.push((index / 2, mine));
                continue;
            };
            let other = match known.get(&beside) {
                Some(other) => *other,
                None => {
                    used += 1;
                    *given.get(&(level, beside)).ok_or_else(|| length.clone())?
                }
            };
            let hash =
                if index < beside { node_hash(&mine, &other) } else { node_hash(&other, &mine) };
            above.push((index / 2, hash));
        }
        level_hashes = above;
        width = width.div_ceil(2);
        level += 1;
    }
    match level_hashes.first() {
        Some((_, root)) if used == nodes.len() => Ok(*root),
        _ => Err(length),
    }
}

/// One known node of each pair with the place of its neighbour; `None` where the level ends.
fn pairs(known: &[u64], width: u64) -> Vec<(u64, Option<u64>)> {
    let mut out: Vec<(u64, Option<u64>)> = Vec::with_capacity(known.len());
    for index in known {
        if out.last().is_some_and(|(before, _)| before / 2 == index / 2) {
            continue;
        }
        let beside = index ^ 1;
        out.push((*index, (beside < width).then_some(beside)));
    }
    out
}

/// A node of the level; `edge` is the last one of it where its subtree is not full.
fn at(
    level: u32,
    index: u64,
    width: u64,
    edge: Option<Hash>,
    size: u64,
    reader: &impl TileReader,
) -> Result<Hash, ProofError> {
    match edge {
        Some(edge) if index + 1 == width && !is_full(level, index, size) => Ok(edge),
        _ => reader.hash(level, index),
    }
}

fn is_full(level: u32, index: u64, size: u64) -> bool {
    (index + 1).checked_shl(level).is_some_and(|end| end >> level == index + 1 && end <= size)
}

/// The last node of the level above, if its subtree is not full.
fn edge_above(
    level: u32,
    width: u64,
    edge: Option<Hash>,
    size: u64,
    reader: &impl TileReader,
) -> Result<Option<Hash>, ProofError> {
    let last = width - 1;
    if is_full(level + 1, last / 2, size) {
        return Ok(None);
    }
    let mine = at(level, last, width, edge, size, reader)?;
    if last.is_multiple_of(2) {
        return Ok(Some(mine));
    }
    Ok(Some(node_hash(&reader.hash(level, last - 1)?, &mine)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::reader::MemTree;
    use proptest::prelude::*;

    fn leaf(index: u64) -> Hash {
        leaf_hash(&index.to_be_bytes())
    }

    fn tree(size: u64) -> MemTree {
        (0..size).map(leaf).collect()
    }

    fn hashes(leaves: &BTreeSet<u64>) -> BTreeMap<u64, Hash> {
        leaves.iter().map(|index| (*index, leaf(*index))).collect()
    }

    #[test]
    fn every_subset_of_every_small_tree_gives_its_root() {
        for size in 1..=9_u64 {
            let tree = tree(size);
            for bits in 1..1_u64 << size {
                let leaves: BTreeSet<u64> = (0..size).filter(|i| bits >> i & 1 == 1).collect();
                let nodes = cover(&leaves, size, &tree).unwrap();
                let root = root_from_cover(&hashes(&leaves), size, &nodes);
                assert_eq!(root, Ok(tree.root()), "{size} {leaves:?}");
            }
        }
    }

    #[test]
    fn all_leaves_need_nothing_and_no_leaf_proves_nothing() {
        let tree = tree(7);
        let all: BTreeSet<u64> = (0..7).collect();
        assert_eq!(cover(&all, 7, &tree), Ok(Vec::new()));
        assert_eq!(cover(&BTreeSet::new(), 7, &tree), Ok(Vec::new()));
        assert!(root_from_cover(&BTreeMap::new(), 7, &[]).is_err());
        assert_eq!(root_from_cover(&BTreeMap::new(), 0, &[]), Ok(empty_root()));
        assert!(cover(&BTreeSet::from([7]), 7, &tree).is_err());
        assert!(root_from_cover(&hashes(&BTreeSet::from([7])), 7, &[]).is_err());
    }

    proptest! {
        #[test]
        fn one_cover_stands_for_all_proofs_and_a_changed_one_for_none(
            size in 1..200_u64,
            picks in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
            at: prop::sample::Index,
        ) {
            let tree = tree(size);
            let leaves: BTreeSet<u64> =
                picks.iter().map(|p| p.index(size as usize) as u64).collect();
            let nodes = cover(&leaves, size, &tree).unwrap();
            let have = hashes(&leaves);
            prop_assert_eq!(root_from_cover(&have, size, &nodes), Ok(tree.root()));
            let place = |n: &Node| (n.level, n.index);
            prop_assert!(nodes.windows(2).all(|w| place(&w[0]) < place(&w[1])));
            if !nodes.is_empty() {
                let at = at.index(nodes.len());
                let mut wrong = nodes.clone();
                wrong[at].hash[0] ^= 1;
                prop_assert_ne!(root_from_cover(&have, size, &wrong), Ok(tree.root()));
                let mut fewer = nodes.clone();
                fewer.remove(at);
                prop_assert!(root_from_cover(&have, size, &fewer).is_err());
                let mut more = nodes.clone();
                more.push(Node { level: 63, index: 0, hash: [0; 32] });
                prop_assert!(root_from_cover(&have, size, &more).is_err());
            }
        }
    }
}
