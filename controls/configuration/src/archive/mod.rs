//! Signed Debian archives as this room uses them: which there are, how their bytes come here, and the
//! manifests that are made of them and kept.
//!
//! Invariants: only keys that are named for an archive are believed for it; wherever bytes lie (mirror,
//! folder, cache of this host) they count once they agree with the signed index; a kept manifest is
//! sealed with the key of the house and read only if the seal fits.
//!
//! Limits: an answer has the size that the signed index says and no more; the pool of packages has a
//! size; what could not be had is named with its reason and tried again.

mod fetch;
mod keep;
mod make;

use std::path::PathBuf;

use serde::Deserialize;

pub use fetch::{Failure, Folder, Transport, Web};
pub use keep::Keep;
pub use make::{Index, Made, Missing, make};

const ARCHIVES_MAX: usize = 32;
const NAME_CHARS_MAX: usize = 32;
const POOL_MIB: u32 = 4_096;

/// `[packages]` of `ume.toml`: archives whose signed packages hosts are held against.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Packages {
    /// Size of the pool in which packages stay that were fetched.
    pub pool_mib: u32,
    pub archive: Vec<Archive>,
}

impl Default for Packages {
    fn default() -> Packages {
        Packages { pool_mib: POOL_MIB, archive: Vec::new() }
    }
}

/// One archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ArchiveKeys")]
pub struct Archive {
    pub name: String,
    /// Address that begins with `http://` or `https://`, or a folder.
    pub place: String,
    /// Below `dists/`; none for a flat archive, whose `InRelease` lies beside its packages.
    pub suites: Vec<String>,
    /// Keys that are believed, and no others.
    pub keyrings: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArchiveKeys {
    name: String,
    place: String,
    #[serde(default)]
    suites: Vec<String>,
    keyrings: Vec<PathBuf>,
}

impl TryFrom<ArchiveKeys> for Archive {
    type Error = String;
    fn try_from(keys: ArchiveKeys) -> Result<Archive, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let name = &keys.name;
        if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(plain) {
            let what = "letters, digits, '-', '_' and '.'";
            return Err(format!("the name of an archive is 1 to {NAME_CHARS_MAX} {what}"));
        }
        if !is_address(&keys.place) && !keys.place.starts_with('/') {
            return Err("a place begins with http://, https:// or / (a folder)".to_owned());
        }
        let inside = |suite: &String| {
            !suite.is_empty() && suite.split('/').all(|part| !matches!(part, "" | "." | ".."))
        };
        if !keys.suites.iter().all(inside) {
            return Err("a suite is a name below dists, as trixie or trixie-updates".to_owned());
        }
        if keys.keyrings.is_empty() {
            return Err("an archive without keyrings is never believed".to_owned());
        }
        let ArchiveKeys { name, place, suites, keyrings } = keys;
        Ok(Archive { name, place, suites, keyrings })
    }
}

/// Whether a place is in the network.
fn is_address(place: &str) -> bool {
    place.starts_with("https://") || place.starts_with("http://")
}

impl Packages {
    /// Whether hosts can be held against anything.
    pub fn is_empty(&self) -> bool {
        self.archive.is_empty()
    }

    /// The archives, as many as are read.
    pub fn archives(&self) -> &[Archive] {
        &self.archive[..self.archive.len().min(ARCHIVES_MAX)]
    }
}
