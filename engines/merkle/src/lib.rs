//! Tamper-evident logs as a pure engine: RFC 6962 Merkle trees, their proofs, their tiles and the
//! signed text formats that publish them.
//!
//! # Invariants
//! - No file, socket, clock, random number, thread or async. Times are arguments, nodes come through
//!   [`TileReader`], keys come as seeds.
//! - A leaf is hashed as `SHA-256(0x00 ‖ entry)`, an inner node as `SHA-256(0x01 ‖ left ‖ right)`; no
//!   other input ever reaches the tree, so a leaf can never pass for a node.
//! - Nothing here panics on foreign bytes or on sizes up to `u64::MAX`; every parser has a limit.
//! - What parses formats back to the same bytes: base64 is padded and canonical, numbers have no sign
//!   and no leading zero.
//!
//! # Limits
//! [`MAX_LEAVES`] leaves in a tree, [`MAX_ENTRY_BYTES`] in an entry, [`MAX_NOTE_BYTES`] and
//! [`MAX_SIGNATURES`] in a note, [`MAX_PROOF_HASHES`] in a proof, [`MAX_EXTRA_BYTES`] beside it.
//!
//! # Where things are
//! | file | noun |
//! |---|---|
//! | `hash` | [`Hash`](type@Hash), [`leaf_hash`], [`node_hash`], [`root_of`] |
//! | `frontier` | [`Frontier`]: append and root in `O(log n)` memory |
//! | `reader` | [`TileReader`], [`MemTree`], [`TiledTree`]: where a prover finds its nodes |
//! | `proof` | making and checking inclusion and consistency proofs |
//! | `subtree` | the same for a part of a log |
//! | `cover` | one set of nodes that proves many leaves at once |
//! | `tile` | [`TileId`], tile and entry bundle bytes |
//! | `key`, `note` | [`VerifierKey`], [`Signer`], [`SignedNote`] |
//! | `checkpoint`, `cosignature`, `tlog_proof` | what is written into notes |
//! | `witness` | [`AddCheckpoint`], [`witness`]: the request to a witness and its decision |

mod checkpoint;
mod cosignature;
mod cover;
mod error;
mod frontier;
mod hash;
mod key;
mod note;
mod proof;
mod reader;
mod subtree;
mod text;
mod tile;
mod tlog_proof;
mod witness;

pub use checkpoint::{Checkpoint, OpenCheckpoint};
pub use cosignature::Cosignature;
pub use cover::{Node, cover, root_from_cover};
pub use error::{NoteError, ProofError, TileError};
pub use frontier::{Frontier, MAX_LEAVES};
pub use hash::{Hash, empty_root, leaf_hash, node_hash, root_of};
pub use key::{KeyId, KeyKind, Signer, VerifierKey};
pub use note::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteSignature, SignedNote, Verified};
pub use proof::{
    consistency_proof, inclusion_proof, tree_root, verify_consistency, verify_consistency_bytes,
    verify_inclusion, verify_inclusion_bytes,
};
pub use reader::{MemTree, TileReader, TiledTree};
pub use subtree::{subtree_proof, verify_subtree_consistency, verify_subtree_inclusion};
pub use tile::{
    MAX_ENTRY_BYTES, TILE_WIDTH, TileId, decode_bundle, decode_tile, encode_bundle, encode_tile,
    tiles_for_growth,
};
pub use tlog_proof::{MAX_EXTRA_BYTES, MAX_PROOF_HASHES, TlogProof};
pub use witness::{
    AddCheckpoint, MAX_WITNESS_BYTES, MAX_WITNESS_HASHES, SIZE_TYPE, Seen, WitnessRefusal,
    WitnessedLog, cosignature_in, size_in, witness,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
