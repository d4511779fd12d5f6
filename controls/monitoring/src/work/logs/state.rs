//! The files in which what was learnt of logs lies between two runs.
//!
//! Invariant: a file is replaced as a whole. A damaged state is told and left behind: learning begins anew.

use std::path::Path;

use room::Error;
use steady::Micros;

use super::watch::Watch;

const STATE: &str = "state";
/// File with the moment at which Ume listened last.
const AWAKE: &str = "awake";

pub fn read(folder: &Path) -> Result<Option<Watch>, Error> {
    let path = folder.join(STATE);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let watch = Watch::from_bytes(&bytes);
            if watch.is_none() {
                tracing::error!(path = %path.display(), "what was learnt of logs is damaged and begins anew");
            }
            Ok(watch)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path, source }),
    }
}

pub fn write(folder: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(&folder.join(STATE), bytes)
}

/// When Ume listened last, if that is known.
pub fn awake(folder: &Path) -> Option<Micros> {
    std::fs::read_to_string(folder.join(AWAKE)).ok()?.trim().parse().ok()
}

pub fn write_awake(folder: &Path, now: Micros) -> Result<(), Error> {
    replace(&folder.join(AWAKE), now.to_string().as_bytes())
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    disk::replace(path, bytes).map_err(io)
}
