//! What stands in `manifest.json`: every file with its hash and what it is, and what is not in the
//! bundle. It is canonical JSON (RFC 8785), so that its hash is the hash of the bundle.

use model::canonical;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Name of the form, and its version.
pub const FORMAT: &str = "ume.audit-bundle/v1";
/// First line of the note that signs the manifest. It never is the name of a ledger, so the note
/// cannot pass for a checkpoint.
const NOTE_HEAD: &str = "ume audit bundle v1";

/// The files that the manifest does not list: itself, and the signature over it.
pub const MANIFEST: &str = "manifest.json";
pub const NOTE: &str = "manifest.note";

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    /// When and by which Ume it was made.
    pub made_at: String,
    pub made_by: String,
    /// Nothing newer than this is in it.
    pub as_of: String,
    /// `all`, or numbers of controls.
    pub scope: Vec<String>,
    /// Name of the ledger.
    pub origin: String,
    pub checkpoint: Tree,
    /// `withheld` or `included`: payloads that may hold something personal.
    pub payloads: String,
    pub soa: Statement,
    /// In the order of the paths.
    pub files: Vec<Listed>,
    /// Contents that leaves commit to and that are not in the bundle, in the order of the leaves.
    pub held_back: Vec<Held>,
}

/// Size and root of the ledger that all proofs lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    pub size: u64,
    pub root: String,
}

/// Where the Statement of Applicability in the bundle comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `computed` from what was recorded by then. Bundles made before editions had a file of their own may
    /// say `edition`.
    pub basis: String,
    /// Hash of what a signature of it binds.
    pub hash: String,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    pub path: String,
    pub sha256: String,
    pub size: u64,
    pub what: What,
    /// The leaf it is, proves or opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u64>,
    /// How the leaf commits to this content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Leaf,
    Proof,
    /// Row or payload that a leaf commits to.
    Content,
    Soa,
    /// Nodes beside the leaves.
    Tree,
    Checkpoint,
    Key,
    Readme,
    /// `verify.sh`
    Verifier,
    Cosignature,
    Timestamp,
}

/// A content that is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub leaf: u64,
    pub state: State,
    pub why: Why,
}

/// Whether it still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Withheld,
    Shredded,
}

/// Why it is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It may hold something personal, and payloads were not asked for.
    Personal,
    /// A decision had it shredded.
    Decision,
    /// Its key is not on the machine that made the bundle.
    Key,
}

impl Manifest {
    /// Canonical text, and its SHA-256: the hash of the bundle.
    pub fn text(&self) -> Result<(String, String), store::StoreError> {
        let value = serde_json::to_value(self)
            .map_err(|e| store::StoreError::Column(format!("manifest: {e}")))?;
        let text = canonical::to_string(&value)?;
        let hash = hash(text.as_bytes());
        Ok((text, hash))
    }
}

/// The text that is signed for a bundle of this hash.
pub fn note_text(origin: &str, bundle_hash: &str) -> String {
    format!("{NOTE_HEAD}\n{origin}\n{bundle_hash}\n")
}

/// SHA-256 in hex.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
