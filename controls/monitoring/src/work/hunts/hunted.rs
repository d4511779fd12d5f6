//! What sets were hunted for, between two runs: so that the next one asks only for what is new in it.
//!
//! Invariant: what stands here was looked for in everything that is archived, and was in force ever since.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use intel::Current;
use room::{Error, Shared};

use crate::work::intel::{
    Intel,
    wanted::{self, Hunted, New},
};

/// The file of a stream.
pub(super) fn path(ctx: &Shared, stream: &str) -> PathBuf {
    super::folder(ctx).join(format!("hunted-{stream}.set"))
}

/// What was hunted for; nothing where the file is not there, or not whole.
pub(super) fn read(path: &Path) -> Hunted {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(%error, "what was hunted for is not known: everything is looked for");
            }
            return Hunted::default();
        }
    };
    Hunted::read(&bytes).unwrap_or_else(|| {
        tracing::warn!("what was hunted for is damaged: everything is looked for");
        Hunted::default()
    })
}

/// What of a set is new.
pub(super) fn new_in(intel: &Intel, before: &Hunted) -> Result<New, Error> {
    wanted::new_in(&intel.set, before, intel.names()).map_err(Error::said)
}

/// Writes that a set was hunted for, but for what went out of force meanwhile.
pub(super) fn write(path: &Path, set: &Current, came: &[Arc<Current>]) -> Result<(), Error> {
    let mut hunted = Hunted::of(set).map_err(Error::said)?;
    for set in came {
        hunted = hunted.and(&Hunted::of(set).map_err(Error::said)?);
    }
    replace(path, &hunted)
}

/// Another set came into force: what it does not hold has to be looked for again when it comes back.
pub(super) fn cut(path: &Path, set: &Current) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    let before = read(path);
    let left = before.and(&Hunted::of(set).map_err(Error::said)?);
    if left == before { Ok(()) } else { replace(path, &left) }
}

fn replace(path: &Path, hunted: &Hunted) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    disk::replace(path, &hunted.bytes()).map_err(io)
}
