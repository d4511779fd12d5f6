//! RFC 6962 section 2.1: the three hashes a tree is made of.

use sha2::{Digest, Sha256};

/// A SHA-256 value: a leaf, a node or a root.
pub type Hash = [u8; 32];

/// `SHA-256(0x00 ‖ entry)`, the hash of a leaf (RFC 6962 section 2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// `SHA-256(0x01 ‖ left ‖ right)`, the hash of an inner node (RFC 6962 section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // One buffer, one call: the hasher copies blocks rather than joining three pieces.
    let mut block = [1; 65];
    block[1..33].copy_from_slice(left);
    block[33..].copy_from_slice(right);
    Sha256::digest(block).into()
}

/// `SHA-256("")`, the root of a tree without leaves (RFC 6962 section 2.1).
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Merkle tree hash of the leaf hashes, `MTH` of RFC 6962 section 2.1 read literally.
///
/// It is the plain definition that the incremental [`crate::Frontier`] is tested against.
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split_point(leaves.len() as u64) as usize);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// Largest power of two smaller than `size`, where RFC 6962 cuts a tree in two; `size` is at least 2.
pub(crate) fn split_point(size: u64) -> u64 {
    debug_assert!(size >= 2);
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_hashes_nothing() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(root_of(&[])), expected);
    }

    #[test]
    fn the_eight_leaves_of_the_certificate_transparency_tests_give_their_root() {
        let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
        let last = "606162636465666768696a6b6c6d6e6f";
        let leaves: Vec<Hash> = entries
            .iter()
            .chain([&last])
            .map(|entry| leaf_hash(&hex::decode(entry).unwrap()))
            .collect();
        let expected = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
        assert_eq!(hex::encode(root_of(&leaves)), expected);
    }

    #[test]
    fn the_cut_is_the_largest_smaller_power_of_two() {
        for (size, cut) in [(2, 1), (3, 2), (4, 2), (5, 4), (u64::MAX, 1 << 63)] {
            assert_eq!(split_point(size), cut);
        }
    }
}
