//! A signed Debian archive, from the signature to the member of a package: what a version of a package
//! is made of, believed through a key that the reader trusts and through nothing else.
//!
//! The chain: a keyring verifies `InRelease` (or `Release` with `Release.gpg`); it names index files by
//! SHA-256 and size; an index names packages by SHA-256 and size; the members of a package are hashed.
//! Where the bytes came from (mirror, cache, another host) does not matter.
//!
//! Invariants: nothing is given out whose chain is not whole; hostile bytes end in an error that names
//! file, line or member, never in a panic.
//!
//! Limits: see the constants here; a compressed stream gives at most so many bytes and no more.

mod ar;
mod deb;
mod index;
mod manifest;
mod openpgp;
mod release;
mod unpack;

pub use deb::manifest as manifest_of_deb;
pub use index::{Listed, Wanted, listed};
pub use manifest::{PackageManifest, Shipped};
pub use openpgp::{Keyring, Signed};
pub use release::{IndexFile, Release};

use sha2::{Digest as _, Sha256};

/// `InRelease`, `Release` and a keyring.
pub const RELEASE_BYTES_MAX: usize = 16 << 20;
/// An index file as it lies in the archive, and unpacked.
pub const INDEX_BYTES_MAX: usize = 256 << 20;
/// A package as it lies in the archive.
pub const DEB_BYTES_MAX: u64 = 1 << 30;
/// All members of the data of a package.
const DATA_BYTES_MAX: u64 = 16 << 30;
/// All members of the control part of a package.
const CONTROL_BYTES_MAX: u64 = 32 << 20;
const MEMBERS_MAX: usize = 500_000;
const PATH_BYTES_MAX: usize = 4_096;

/// Why something of an archive is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("keyring: {0}")]
    Keyring(String),
    #[error("signature: {0}")]
    Signature(SignatureFault),
    #[error("Release line {line}: {what}")]
    Release { line: usize, what: String },
    #[error("the index expired at {until} (seconds since 1970)")]
    Expired { until: i64 },
    #[error("the index is dated in the future: {date} (seconds since 1970)")]
    Future { date: i64 },
    #[error("{path}: not listed in the signed Release")]
    NotListed { path: String },
    #[error("{path}: {what}")]
    Mismatch { path: String, what: &'static str },
    #[error("{path} line {line}: {what}")]
    Index { path: String, line: usize, what: &'static str },
    #[error("package, {member}: {what}")]
    Deb { member: String, what: String },
    #[error("more than {max} {what}")]
    Limit { what: &'static str, max: u64 },
}

impl ArchiveError {
    /// Stable word for records and pages.
    pub fn word(&self) -> &'static str {
        match self {
            ArchiveError::Keyring(_) => "keyring",
            ArchiveError::Signature(fault) => fault.word(),
            ArchiveError::Release { .. } => "release",
            ArchiveError::Expired { .. } => "expired",
            ArchiveError::Future { .. } => "future",
            ArchiveError::NotListed { .. } => "not_listed",
            ArchiveError::Mismatch { .. } => "mismatch",
            ArchiveError::Index { .. } => "index",
            ArchiveError::Deb { .. } => "deb",
            ArchiveError::Limit { .. } => "limit",
        }
    }
}

/// Why a signature is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    #[error("none, or not in the form of OpenPGP: {0}")]
    Form(String),
    #[error("made by no key of the keyring ({0})")]
    UnknownKey(String),
    #[error("does not fit the text")]
    Bad,
    #[error("the key {0} has expired or is revoked")]
    KeyExpired(String),
    #[error("made with a weak hash")]
    Weak,
    #[error("made in the future, before its key, or expired")]
    Time,
}

impl SignatureFault {
    fn word(&self) -> &'static str {
        match self {
            SignatureFault::Form(_) => "signature_form",
            SignatureFault::UnknownKey(_) => "key_unknown",
            SignatureFault::Bad => "signature_bad",
            SignatureFault::KeyExpired(_) => "key_expired",
            SignatureFault::Weak => "signature_weak",
            SignatureFault::Time => "signature_time",
        }
    }
}

/// Holds bytes against the size and SHA-256 that something signed says of them.
pub fn agrees(path: &str, bytes: &[u8], size: u64, sha256: &[u8; 32]) -> Result<(), ArchiveError> {
    let mismatch = |what| Err(ArchiveError::Mismatch { path: path.to_owned(), what });
    if bytes.len() as u64 != size {
        return mismatch("another size than the signed one");
    }
    if Sha256::digest(bytes)[..] != sha256[..] {
        return mismatch("another SHA-256 than the signed one");
    }
    Ok(())
}

/// Unpacks an index file by the ending of its name.
pub fn unpack_index(path: &str, bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    unpack::whole(path, bytes, INDEX_BYTES_MAX as u64)
}

/// The manifest of a package whose bytes are those that a signed index names.
pub fn verified(listed: &Listed, bytes: &[u8]) -> Result<PackageManifest, ArchiveError> {
    agrees(&listed.filename, bytes, listed.size, &listed.sha256)?;
    let manifest = manifest_of_deb(bytes)?;
    let same = manifest.name == listed.name
        && manifest.version == listed.version
        && manifest.architecture == listed.architecture;
    if !same {
        let what = "name, version or architecture differ from the index".to_owned();
        return Err(ArchiveError::Deb { member: "control".into(), what });
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
