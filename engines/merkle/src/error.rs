//! What can go wrong, each message a fragment that reads after "failed to …:".

use thiserror::Error;

/// A proof that could not be made, or that does not prove.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("leaf {index} is outside a tree of {size} leaves")]
    IndexOutOfRange {
        /// The leaf asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("the old tree of {old} leaves is larger than the new one of {new}")]
    SizesReversed {
        /// Leaves in the tree called old.
        old: u64,
        /// Leaves in the tree called new.
        new: u64,
    },
    /// Every tree extends the empty one, so such a proof would say nothing.
    #[error("consistency with the empty tree proves nothing")]
    EmptyOldTree,
    /// Empty, or not cut where the tree is cut.
    #[error("[{start}, {end}) is not a subtree")]
    Subtree {
        /// First leaf.
        start: u64,
        /// Leaf after the last.
        end: u64,
    },
    /// More or fewer hashes than the sizes demand.
    #[error("the proof has {got} hashes where another number is needed")]
    ProofLength {
        /// Hashes in the proof.
        got: usize,
    },
    /// A hash that is not 32 bytes long.
    #[error("a hash has {got} bytes instead of 32")]
    HashLength {
        /// Bytes found.
        got: usize,
    },
    /// The computed root differs from the given one.
    #[error("the computed root differs from the given root")]
    RootMismatch,
    /// Number of parts and tree size contradict each other.
    #[error("a tree of {size} leaves does not have {got} parts")]
    PartCount {
        /// Leaves in the tree.
        size: u64,
        /// Parts given.
        got: usize,
    },
    /// The tree would pass [`crate::MAX_LEAVES`].
    #[error("a tree of {size} leaves is above the limit")]
    TooLarge {
        /// Leaves asked for.
        size: u64,
    },
    /// The reader does not hold a node.
    #[error("node {index} of level {level} is not available")]
    MissingNode {
        /// Height above the leaves.
        level: u32,
        /// Position in the level.
        index: u64,
    },
    /// The reader's own failure, in its words.
    #[error("reading a node: {0}")]
    Read(String),
}

/// A tile path, tile or entry bundle that breaks the tlog-tiles format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TileError {
    /// Not a tile path in its one canonical spelling.
    #[error("{0:?} is not a tile path")]
    Path(String),
    /// Level above 63 or width outside 1..=256.
    #[error("level {level} and width {width} do not name a tile")]
    Shape {
        /// Level asked for.
        level: u8,
        /// Width asked for.
        width: u16,
    },
    /// An entry longer than its u16 length prefix can say.
    #[error("entry {position} has {bytes} bytes, above the limit of 65535")]
    EntryTooLong {
        /// Position in the bundle.
        position: usize,
        /// Bytes in the entry.
        bytes: usize,
    },
    /// More than 256 entries or hashes.
    #[error("more than 256 items in a tile")]
    TooMany,
    /// The bytes end inside an item, or go on after the last.
    #[error("the bytes do not hold whole items (at byte {at})")]
    Truncated {
        /// Offset of the broken item.
        at: usize,
    },
}

/// A note, key, checkpoint, cosignature or proof file that is malformed or not authentic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Larger than a limit of this crate.
    #[error("{what} is above the limit of {limit}")]
    TooLarge {
        /// The thing measured.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The bytes break the format.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// The thing read.
        what: &'static str,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A key of a type this crate does not verify.
    #[error("key type 0x{0:02x} is not supported")]
    KeyType(u8),
    /// Two trusted keys share name and id, so a signature would not say which one made it.
    #[error("two trusted keys are both called {name} with the same id")]
    AmbiguousKey {
        /// Their name.
        name: String,
    },
    /// A signature that names a trusted key but was not made by it.
    #[error("the signature of {name} is wrong")]
    BadSignature {
        /// The key's name.
        name: String,
    },
    /// No trusted key signed the note.
    #[error("no signature of a known key")]
    Unsigned,
    /// The checkpoint belongs to another log.
    #[error("the checkpoint is of {got:?}, not of {expected:?}")]
    Origin {
        /// The log asked for.
        expected: String,
        /// The log named in the checkpoint.
        got: String,
    },
    /// The signatures hold but the Merkle proof does not.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl NoteError {
    pub(crate) fn malformed(what: &'static str, why: &'static str) -> Self {
        Self::Malformed { what, why }
    }
}
