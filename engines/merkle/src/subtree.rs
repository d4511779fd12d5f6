//! Subtrees `[start, end)` of a log (draft-ietf-plants-merkle-tree-certs, "Subtrees"): a part of a log
//! that can be shown to belong to a tree, and to hold a leaf, without the rest.
//!
//! Invariant: `start` is a multiple of the smallest power of two that is at least `end - start`, so the
//! part is cut where the tree itself is cut. Empty subtrees are refused.

use crate::error::ProofError;
use crate::hash::{Hash, node_hash};
use crate::proof::{Range, matching, verify_inclusion};
use crate::reader::TileReader;

/// Proof that the subtree `[start, end)` is part of the tree of `size` leaves, `SUBTREE_PROOF` of the
/// draft. From 0 it is a consistency proof, of one leaf an inclusion proof.
pub fn subtree_proof(
    start: u64,
    end: u64,
    size: u64,
    reader: &impl TileReader,
) -> Result<Vec<Hash>, ProofError> {
    check_subtree(start, end, size)?;
    let mut proof = Vec::new();
    let mut range = Range { start: 0, size };
    let mut first = start;
    while (range.start, range.end()) != (first, end) {
        let (left, right) = range.cut();
        if end <= right.start {
            proof.push(right.root(reader)?);
            range = left;
        } else {
            proof.push(left.root(reader)?);
            range = right;
            // A subtree that the cut divides starts with its left half; the right half remains.
            first = first.max(right.start);
        }
    }
    if first != start {
        proof.push(range.root(reader)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks an audit path inside the subtree `[start, end)` against the subtree's root.
pub fn verify_subtree_inclusion(
    index: u64,
    start: u64,
    end: u64,
    leaf: &Hash,
    proof: &[Hash],
    subtree_root: &Hash,
) -> Result<(), ProofError> {
    check_subtree(start, end, end)?;
    let inside =
        index.checked_sub(start).ok_or(ProofError::IndexOutOfRange { index, size: end })?;
    verify_inclusion(inside, end - start, leaf, proof, subtree_root)
}

/// Checks that the subtree `[start, end)` with the given root is part of the tree of `size` leaves with
/// the given root ("Verifying a Subtree Consistency Proof" of the draft).
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    size: u64,
    proof: &[Hash],
    subtree_root: &Hash,
    root: &Hash,
) -> Result<(), ProofError> {
    check_subtree(start, end, size)?;
    let length = ProofError::ProofLength { got: proof.len() };
    let mut walk = Walk { first: start, last: end - 1, tree_last: size - 1 };
    let at_edge = walk.last == walk.tree_last;
    while walk.first != walk.last && (at_edge || walk.last % 2 == 1) {
        walk.rise();
    }
    // A subtree that is one node of the tree is the first hash itself and left out of the proof.
    let (known, rest) = match proof {
        _ if walk.first == walk.last => (subtree_root, proof),
        [known, rest @ ..] => (known, rest),
        [] => return Err(length),
    };
    let (mut subtree_computed, mut computed) = (*known, *known);
    for sibling in rest {
        if walk.tree_last == 0 {
            return Err(length);
        }
        if walk.last % 2 == 1 || walk.last == walk.tree_last {
            if walk.first < walk.last {
                subtree_computed = node_hash(sibling, &subtree_computed);
            }
            computed = node_hash(sibling, &computed);
            while walk.last.is_multiple_of(2) && walk.last != 0 {
                walk.rise();
            }
        } else {
            computed = node_hash(&computed, sibling);
        }
        walk.rise();
    }
    if walk.tree_last != 0 {
        return Err(length);
    }
    matching(&subtree_computed, subtree_root)?;
    matching(&computed, root)
}

fn check_subtree(start: u64, end: u64, size: u64) -> Result<(), ProofError> {
    let wrong = ProofError::Subtree { start, end };
    if start >= end {
        return Err(wrong);
    }
    if end > size {
        return Err(ProofError::SizesReversed { old: end, new: size });
    }
    // Above 2^63 leaves no power of two fits but 2^64, and only 0 is a multiple of that.
    let aligned = match (end - start).checked_next_power_of_two() {
        Some(width) => start.is_multiple_of(width),
        None => start == 0,
    };
    if aligned { Ok(()) } else { Err(wrong) }
}

/// First and last node of the subtree and last node of the tree, level by level: `fn`, `sn` and `tn`.
struct Walk {
    first: u64,
    last: u64,
    tree_last: u64,
}

impl Walk {
    fn rise(&mut self) {
        self.first >>= 1;
        self.last >>= 1;
        self.tree_last >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, root_of};
    use crate::proof::{consistency_proof, inclusion_proof};
    use crate::reader::MemTree;
    use proptest::prelude::*;

    const MOST: u64 = 20;

    fn leaves() -> Vec<Hash> {
        (0..MOST).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    fn subtrees(size: u64) -> impl Iterator<Item = (u64, u64)> {
        let all = (0..size).flat_map(move |start| (start + 1..=size).map(move |end| (start, end)));
        all.filter(move |(start, end)| check_subtree(*start, *end, size).is_ok())
    }

    #[test]
    fn every_subtree_of_every_small_tree_verifies_and_nothing_else() {
        let leaves = leaves();
        let tree: MemTree = leaves.iter().copied().collect();
        for size in 1..=MOST {
            let root = root_of(&leaves[..size as usize]);
            for (start, end) in subtrees(size) {
                let part = root_of(&leaves[start as usize..end as usize]);
                let proof = subtree_proof(start, end, size, &tree).unwrap();
                let verify = |proof: &[Hash], part: &Hash, root: &Hash| {
                    verify_subtree_consistency(start, end, size, proof, part, root)
                };
                assert_eq!(verify(&proof, &part, &root), Ok(()), "[{start}, {end}) of {size}");
                assert!(verify(&proof, &[0; 32], &root).is_err());
                assert!(verify(&proof, &part, &[0; 32]).is_err());
                for at in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[at][at] ^= 1;
                    assert!(verify(&changed, &part, &root).is_err());
                }
                let longer = [proof.as_slice(), &[[0; 32]]].concat();
                assert!(verify(&longer, &part, &root).is_err());
            }
        }
    }

    #[test]
    fn from_zero_it_is_a_consistency_proof_and_of_one_leaf_an_inclusion_proof() {
        let tree: MemTree = leaves().into_iter().collect();
        for size in 1..=MOST {
            for at in 0..size {
                let inclusion = inclusion_proof(at, size, &tree);
                assert_eq!(subtree_proof(at, at + 1, size, &tree), inclusion);
                let consistency = consistency_proof(at + 1, size, &tree);
                assert_eq!(subtree_proof(0, at + 1, size, &tree), consistency);
            }
        }
    }

    #[test]
    fn a_leaf_is_proved_inside_its_subtree() {
        let leaves = leaves();
        let part: MemTree = leaves[8..13].iter().copied().collect();
        let path = inclusion_proof(3, 5, &part).unwrap();
        let verify =
            |index| verify_subtree_inclusion(index, 8, 13, &leaves[11], &path, &part.root());
        assert_eq!(verify(11), Ok(()));
        for wrong in [0, 7, 10, 12, 13] {
            assert!(verify(wrong).is_err());
        }
    }

    #[test]
    fn parts_that_the_tree_does_not_cut_are_refused() {
        for (start, end) in [(0, 0), (1, 3), (2, 5), (4, 12), (5, 4), (u64::MAX, u64::MAX)] {
            let wrong = Err(ProofError::Subtree { start, end });
            assert_eq!(check_subtree(start, end, u64::MAX), wrong);
        }
        assert_eq!(check_subtree(0, u64::MAX, u64::MAX), Ok(()));
        assert!(check_subtree(0, 2, 1).is_err());
    }

    proptest! {
        #[test]
        fn any_sizes_and_hashes_are_judged_without_panic(
            start: u64, end: u64, size: u64, shift in 0..64_u32,
            proof in prop::collection::vec(any::<Hash>(), 0..70), hash: Hash
        ) {
            let start = start >> shift << shift;
            for (end, size) in [(end, size), (start.saturating_add(1 << shift), u64::MAX)] {
                let _ = verify_subtree_consistency(start, end, size, &proof, &hash, &hash);
                let _ = verify_subtree_inclusion(size, start, end, &hash, &proof, &hash);
            }
        }
    }
}
