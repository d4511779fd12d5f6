//! Inclusion and consistency proofs: making them (RFC 6962 sections 2.1.1 and 2.1.2) and checking them
//! (RFC 9162 sections 2.1.3.2 and 2.1.4.2, which give the algorithms for the same proofs).
//!
//! Invariant: sizes are untrusted. All arithmetic stays at or below the tree size, so `u64::MAX` is a
//! size like any other and every loop ends within 64 rounds or the length of the proof.

use crate::error::ProofError;
use crate::hash::{Hash, empty_root, node_hash, split_point};
use crate::reader::TileReader;

/// Audit path of leaf `index` in the tree of the first `size` leaves, `PATH` of RFC 6962 section 2.1.1.
pub fn inclusion_proof(
    index: u64,
    size: u64,
    reader: &impl TileReader,
) -> Result<Vec<Hash>, ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut path = Vec::new();
    let mut range = Range { start: 0, size };
    while range.size > 1 {
        let (left, right) = range.cut();
        if index < right.start {
            path.push(right.root(reader)?);
            range = left;
        } else {
            path.push(left.root(reader)?);
            range = right;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of `new` leaves extends that of `old`, `PROOF` of RFC 6962 section 2.1.2.
///
/// Equal sizes need no hashes. An `old` of 0 is refused unless `new` is 0 too: see
/// [`ProofError::EmptyOldTree`].
pub fn consistency_proof(
    old: u64,
    new: u64,
    reader: &impl TileReader,
) -> Result<Vec<Hash>, ProofError> {
    check_sizes(old, new)?;
    if old == new {
        return Ok(Vec::new());
    }
    let mut proof = Vec::new();
    let mut range = Range { start: 0, size: new };
    while range.end() != old {
        let (left, right) = range.cut();
        if old <= right.start {
            proof.push(right.root(reader)?);
            range = left;
        } else {
            proof.push(left.root(reader)?);
            range = right;
        }
    }
    // Starting at 0 the range is the old tree itself, whose root the verifier already holds.
    if range.start != 0 {
        proof.push(range.root(reader)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Root of the first `size` leaves (`MTH` of RFC 6962 section 2.1) from the nodes of a reader.
pub fn tree_root(size: u64, reader: &impl TileReader) -> Result<Hash, ProofError> {
    match size {
        0 => Ok(empty_root()),
        _ => Range { start: 0, size }.root(reader),
    }
}

/// Checks an audit path (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut computed = *leaf;
    for sibling in proof {
        computed = match climb.step(proof.len())? {
            Side::Left => node_hash(sibling, &computed),
            Side::Right => node_hash(&computed, sibling),
        };
    }
    climb.finish(proof.len())?;
    matching(&computed, root)
}

/// Checks a consistency proof (RFC 9162 section 2.1.4.2).
///
/// Equal sizes need equal roots and no hashes; an `old` of 0 below `new` proves nothing and fails.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    check_sizes(old, new)?;
    let length = ProofError::ProofLength { got: proof.len() };
    if old == new {
        return if proof.is_empty() { matching(old_root, new_root) } else { Err(length) };
    }
    // An old tree that is one full subtree is the first node of the proof and left out of it.
    let (first, rest) = match proof {
        _ if old.is_power_of_two() => (old_root, proof),
        [first, rest @ ..] => (first, rest),
        [] => return Err(length),
    };
    let mut climb = Climb { node: old - 1, last: new - 1 };
    climb.skip_left_edge();
    let (mut old_computed, mut new_computed) = (*first, *first);
    for sibling in rest {
        match climb.step(proof.len())? {
            Side::Left => {
                old_computed = node_hash(sibling, &old_computed);
                new_computed = node_hash(sibling, &new_computed);
            }
            Side::Right => new_computed = node_hash(&new_computed, sibling),
        }
    }
    climb.finish(proof.len())?;
    matching(&old_computed, old_root)?;
    matching(&new_computed, new_root)
}

/// [`verify_inclusion`] for hashes as they come from outside, where a wrong length is a failed proof.
pub fn verify_inclusion_bytes(
    index: u64,
    size: u64,
    leaf: &[u8],
    proof: &[impl AsRef<[u8]>],
    root: &[u8],
) -> Result<(), ProofError> {
    verify_inclusion(index, size, &sized(leaf)?, &sized_all(proof)?, &sized(root)?)
}

/// [`verify_consistency`] for hashes as they come from outside, where a wrong length is a failed proof.
///
/// Between trees of one size nothing is hashed: the roots are compared as given, whatever their length.
pub fn verify_consistency_bytes(
    old: u64,
    new: u64,
    proof: &[impl AsRef<[u8]>],
    old_root: &[u8],
    new_root: &[u8],
) -> Result<(), ProofError> {
    if old == new && proof.is_empty() {
        return if old_root == new_root { Ok(()) } else { Err(ProofError::RootMismatch) };
    }
    verify_consistency(old, new, &sized_all(proof)?, &sized(old_root)?, &sized(new_root)?)
}

fn check_sizes(old: u64, new: u64) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::SizesReversed { old, new });
    }
    if old == 0 && new > 0 {
        return Err(ProofError::EmptyOldTree);
    }
    Ok(())
}

pub(crate) fn matching(computed: &Hash, given: &Hash) -> Result<(), ProofError> {
    if computed == given { Ok(()) } else { Err(ProofError::RootMismatch) }
}

fn sized(bytes: &[u8]) -> Result<Hash, ProofError> {
    bytes.try_into().map_err(|_| ProofError::HashLength { got: bytes.len() })
}

fn sized_all(hashes: &[impl AsRef<[u8]>]) -> Result<Vec<Hash>, ProofError> {
    hashes.iter().map(|hash| sized(hash.as_ref())).collect()
}

/// Consecutive leaves that one RFC 6962 subtree covers; never empty.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) size: u64,
}

impl Range {
    pub(crate) fn end(self) -> u64 {
        self.start + self.size
    }

    pub(crate) fn cut(self) -> (Self, Self) {
        let left = split_point(self.size);
        let right = Self { start: self.start + left, size: self.size - left };
        (Self { start: self.start, size: left }, right)
    }

    /// A full range is one node; another is folded from its full parts, smallest first.
    pub(crate) fn root(self, reader: &impl TileReader) -> Result<Hash, ProofError> {
        let mut end = self.end();
        let mut rest = self.size;
        let mut root = None;
        while rest > 0 {
            let level = rest.trailing_zeros();
            end -= 1 << level;
            rest -= 1 << level;
            let part = reader.hash(level, end >> level)?;
            root = Some(root.map_or(part, |right| node_hash(&part, &right)));
        }
        Ok(root.unwrap_or_else(empty_root))
    }
}

/// Where the next hash of a proof stands beside the path.
enum Side {
    Left,
    Right,
}

/// The walk from a node to the root: `fn` and `sn` of RFC 9162, the node and the last node of a level.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn step(&mut self, got: usize) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::ProofLength { got });
        }
        let side = if self.node % 2 == 1 || self.node == self.last {
            // The last node of a level may stand alone and rise unhashed until it has a left sibling.
            self.rise_while(|climb| climb.node.is_multiple_of(2) && climb.node != 0);
            Side::Left
        } else {
            Side::Right
        };
        self.rise();
        Ok(side)
    }

    fn skip_left_edge(&mut self) {
        self.rise_while(|climb| climb.node % 2 == 1);
    }

    fn finish(self, got: usize) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::ProofLength { got }) }
    }

    fn rise_while(&mut self, condition: impl Fn(&Self) -> bool) {
        while condition(self) {
            self.rise();
        }
    }

    fn rise(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, root_of};
    use crate::reader::MemTree;
    use proptest::prelude::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    /// A tree whose every node has the same hash: proofs of any size, without leaves.
    struct Uniform;

    impl TileReader for Uniform {
        fn hash(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
            assert!(level < 64 && index <= u64::MAX >> level);
            Ok([7; 32])
        }
    }

    fn flip(hash: &mut Hash, bit: usize) {
        hash[bit / 8 % 32] ^= 1 << (bit % 8);
    }

    #[test]
    fn every_proof_of_every_small_tree_verifies() {
        let leaves = leaves(40);
        let tree: MemTree = leaves.iter().copied().collect();
        for size in 1..=leaves.len() {
            let root = root_of(&leaves[..size]);
            let new = size as u64;
            assert_eq!(tree_root(new, &tree), Ok(root));
            for old in 1..=size {
                let index = old as u64 - 1;
                let path = inclusion_proof(index, new, &tree).unwrap();
                verify_inclusion(index, new, &leaves[old - 1], &path, &root).unwrap();
                let proof = consistency_proof(old as u64, new, &tree).unwrap();
                let old_root = root_of(&leaves[..old]);
                verify_consistency(old as u64, new, &proof, &old_root, &root).unwrap();
            }
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_fails_inclusion(
            size in 1..300_u64, at: prop::sample::Index, which: prop::sample::Index, bit in 0..256_usize
        ) {
            let leaves = leaves(size);
            let tree: MemTree = leaves.iter().copied().collect();
            let at = at.index(leaves.len());
            let index = at as u64;
            let (mut leaf, mut root) = (leaves[at], tree.root());
            let mut path = inclusion_proof(index, size, &tree).unwrap();
            prop_assert_eq!(verify_inclusion(index, size, &leaf, &path, &root), Ok(()));
            match which.index(path.len() + 2) {
                0 => flip(&mut leaf, bit),
                1 => flip(&mut root, bit),
                part => flip(&mut path[part - 2], bit),
            }
            let verdict = verify_inclusion(index, size, &leaf, &path, &root);
            prop_assert_eq!(verdict, Err(ProofError::RootMismatch));
        }

        #[test]
        fn a_flipped_bit_fails_consistency(
            new in 2..300_u64, at: prop::sample::Index, which: prop::sample::Index, bit in 0..256_usize
        ) {
            let leaves = leaves(new);
            let tree: MemTree = leaves.iter().copied().collect();
            let old = at.index(leaves.len() - 1) as u64 + 1;
            let (mut old_root, mut new_root) = (root_of(&leaves[..old as usize]), tree.root());
            let mut proof = consistency_proof(old, new, &tree).unwrap();
            prop_assert_eq!(verify_consistency(old, new, &proof, &old_root, &new_root), Ok(()));
            match which.index(proof.len() + 2) {
                0 => flip(&mut old_root, bit),
                1 => flip(&mut new_root, bit),
                part => flip(&mut proof[part - 2], bit),
            }
            let verdict = verify_consistency(old, new, &proof, &old_root, &new_root);
            prop_assert_eq!(verdict, Err(ProofError::RootMismatch));
        }

        #[test]
        fn another_length_fails(size in 1..300_u64, at: prop::sample::Index) {
            let leaves = leaves(size);
            let tree: MemTree = leaves.iter().copied().collect();
            let at = at.index(leaves.len());
            let mut path = inclusion_proof(at as u64, size, &tree).unwrap();
            path.push([0; 32]);
            let verify = |path: &[Hash]| verify_inclusion(at as u64, size, &leaves[at], path, &tree.root());
            prop_assert_eq!(verify(&path), Err(ProofError::ProofLength { got: path.len() }));
            if path.len() > 1 {
                path.truncate(path.len() - 2);
                prop_assert_eq!(verify(&path), Err(ProofError::ProofLength { got: path.len() }));
            }
        }

        #[test]
        fn any_sizes_and_hashes_are_judged_without_panic(
            a: u64, b: u64, proof in prop::collection::vec(any::<Hash>(), 0..70), hash: Hash
        ) {
            let _ = verify_inclusion(a, b, &hash, &proof, &hash);
            let _ = verify_consistency(a, b, &proof, &hash, &hash);
            let _ = inclusion_proof(a, b, &Uniform);
            let _ = consistency_proof(a, b, &Uniform);
        }
    }

    #[test]
    fn the_largest_sizes_are_proved_and_checked() {
        let max = u64::MAX;
        let root = tree_root(max, &Uniform).unwrap();
        let too_short_or_long = |verdict| matches!(verdict, Err(ProofError::ProofLength { .. }));
        // The nodes are made up, so most roots differ, but the lengths must be right.
        for index in [0, 1, 1 << 63, max - 2, max - 1] {
            let path = inclusion_proof(index, max, &Uniform).unwrap();
            assert!(!too_short_or_long(verify_inclusion(index, max, &[7; 32], &path, &root)));
        }
        for old in [1, 2, 1 << 63, max - 1] {
            let proof = consistency_proof(old, max, &Uniform).unwrap();
            assert!(!too_short_or_long(verify_consistency(old, max, &proof, &[7; 32], &root)));
        }
    }

    #[test]
    fn the_edges_are_refused() {
        let out = ProofError::IndexOutOfRange { index: 0, size: 0 };
        assert_eq!(inclusion_proof(0, 0, &Uniform), Err(out.clone()));
        assert_eq!(verify_inclusion(0, 0, &[0; 32], &[], &[0; 32]), Err(out));
        assert_eq!(consistency_proof(0, 1, &Uniform), Err(ProofError::EmptyOldTree));
        assert_eq!(consistency_proof(0, 0, &Uniform), Ok(Vec::new()));
        let reversed = ProofError::SizesReversed { old: 2, new: 1 };
        assert_eq!(consistency_proof(2, 1, &Uniform), Err(reversed));
        let short = verify_inclusion_bytes(0, 1, &[0; 9], &[[0_u8; 32]; 0], &[0; 32]);
        assert_eq!(short, Err(ProofError::HashLength { got: 9 }));
    }
}
