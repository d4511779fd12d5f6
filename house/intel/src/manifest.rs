//! What a set is made of, and the note that vouches for it.

use merkle::{SignedNote, VerifierKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;

/// Name of the file that brings a set into force.
pub const MANIFEST: &str = "set.json";
pub(crate) const BYTES_MAX: u64 = 256 * 1024;
/// First line of what is signed: no other note of the house begins like this.
const SCHEME: &str = "ume/indicator-set/v1";

/// A file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    pub name: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    pub bytes: u64,
}

/// A set of indicators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Counts up with each set.
    pub sequence: u64,
    /// Microseconds since 1970.
    pub made_at: i64,
    /// Rows that the set holds.
    pub rows: u64,
    /// The base, then what was added and taken away since.
    pub files: Vec<FileRef>,
}

impl Manifest {
    /// Hash over all files: two sets with the same root say the same.
    pub fn root(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            hash.update(format!("{} {} {}\n", file.sha256, file.bytes, file.name));
        }
        hex::encode(hash.finalize())
    }

    /// The text of the note.
    pub fn text(&self) -> String {
        let Manifest { sequence, made_at, rows, .. } = self;
        format!("{SCHEME}\n{sequence} {made_at} {rows}\n{}\n", self.root())
    }
}

/// A manifest and its note, as `set.json` holds them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub manifest: Manifest,
    /// Signed note (C2SP signed-note) over [`Manifest::text`].
    pub note: String,
}

impl Signed {
    /// The manifest, if one of the keys signed it.
    pub fn open(bytes: &[u8], keys: &[VerifierKey]) -> Result<Manifest, Error> {
        let signed: Signed = serde_json::from_slice(bytes)?;
        let (note, _) = SignedNote::open(signed.note.as_bytes(), keys)?;
        if note.text() != signed.manifest.text() {
            return Err(Error::Other);
        }
        Ok(signed.manifest)
    }
}
