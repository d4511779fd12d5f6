//! Signed sets of indicators: one room publishes them, every edge loads them, and neither knows the other.
//!
//! A folder holds the files of a set (`base-*.uix`, `delta-*.uix`, `patterns-*.ndjson`, `origins-*.idx`, named by
//! their content) and `set.json`, which names them and is signed as a note with the key of the house. A set comes into force by the rename of
//! `set.json`, so an edge sees the old set or the new one.
//!
//! Invariants: a set whose signature, sequence or bytes are wrong is never used, and what was in force stays; no
//! older set follows a newer one; every file is read once to the last byte before it is in force.
//!
//! Absent here: where indicators come from, whether they are valid (engine `indicators`), and what is done with a hit.

mod built;
mod current;
mod manifest;
mod map;
mod origins;
mod patterns;
mod publish;
mod sightings;

pub use built::Draft;
pub use current::{Current, Look, Watch};
pub use manifest::{FileRef, MANIFEST, Manifest, Signed};
pub use map::Map;
pub use origins::{ITEMS_OF_ROW_MAX, add_origins};
pub use patterns::{Language, PATTERNS_MAX, PatternLine, add_patterns};
pub use publish::{add_file, adopt, put, sweep};
pub use sightings::{SIGHTINGS_MAX, Sighting, Sightings};

/// Folder of published sets, in the data folder.
pub const FOLDER: &str = "indicators";

/// Why a set is not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name}: {source}")]
    Io { name: String, source: std::io::Error },
    #[error("{MANIFEST} is not one: {0}")]
    Form(#[from] serde_json::Error),
    #[error("{MANIFEST} has {0} bytes, more than {max}", max = manifest::BYTES_MAX)]
    Large(u64),
    #[error("{MANIFEST} is not signed by this house: {0}")]
    Signature(#[from] merkle::NoteError),
    #[error("{MANIFEST} says otherwise than what was signed")]
    Other,
    #[error("set {found} is older than {known}, which was in force")]
    Older { known: u64, found: u64 },
    #[error("{name}: not the file that {MANIFEST} names")]
    File { name: String },
    #[error("{name}: {damage}")]
    Damage { name: String, damage: String },
}
