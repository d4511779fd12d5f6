//! Small files that are either the old or the new one, never half of either.

use std::{fs, path::Path};

use crate::error::{At, Error, Result};

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<()> {
    disk::sync_folder(folder).at("sync folder", folder)
}

/// Replaces `path` by a file with these bytes: temporary file, fsync, rename, fsync of the folder.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    disk::replace(path, bytes).at("replace", path)
}

/// Writes `value` as JSON with [`write_atomic`].
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|e| corrupt(path, &e))?;
    write_atomic(path, &bytes)
}

/// Reads JSON; `None` if there is no such file.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| corrupt(path, &e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).at("read", path),
    }
}

fn corrupt(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Corrupt { path: path.to_path_buf(), reason: reason.to_string() }
}
