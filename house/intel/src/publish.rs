//! Writes the files of a set and brings it into force.

use std::{collections::BTreeSet, path::Path};

use sha2::{Digest, Sha256};

use crate::{Error, FileRef, MANIFEST, Manifest, Signed, origins, patterns};

/// Stores bytes under a name made of `prefix` and their content. Nothing is in force by that.
pub fn add_file(folder: &Path, prefix: &str, bytes: &[u8]) -> Result<FileRef, Error> {
    add_named(folder, prefix, "uix", bytes)
}

pub(crate) fn add_named(
    folder: &Path,
    prefix: &str,
    ending: &str,
    bytes: &[u8],
) -> Result<FileRef, Error> {
    let sha256 = hex::encode(Sha256::digest(bytes));
    let name = format!("{prefix}-{}.{ending}", &sha256[..16]);
    let io = |source| Error::Io { name: name.clone(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    disk::replace(&folder.join(&name), bytes).map_err(io)?;
    Ok(FileRef { name, sha256, bytes: bytes.len() as u64 })
}

/// Brings a set into force; `note` is the house's signature over [`Manifest::text`].
pub fn put(folder: &Path, manifest: &Manifest, note: &str) -> Result<(), Error> {
    let signed = Signed { manifest: manifest.clone(), note: note.to_owned() };
    let bytes = serde_json::to_vec_pretty(&signed)?;
    let io = |source| Error::Io { name: MANIFEST.to_owned(), source };
    disk::replace(&folder.join(MANIFEST), &bytes).map_err(io)
}

/// Removes files of sets that neither of these names, warning lists (`warn-`) left out. Whoever still has one of them
/// open keeps it.
pub fn sweep(folder: &Path, kept: &[&Manifest]) -> Result<usize, Error> {
    let names: BTreeSet<&str> =
        kept.iter().flat_map(|set| &set.files).map(|file| file.name.as_str()).collect();
    let io = |source| Error::Io { name: folder.display().to_string(), source };
    let mut removed = 0;
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_of_sets = (name.ends_with(".uix") && !name.starts_with("warn-"))
            || patterns::is_it(name)
            || origins::is_it(name);
        if is_of_sets && !names.contains(name) {
            std::fs::remove_file(&path).map_err(io)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Brings a set into force that somebody else published, byte for byte.
pub fn adopt(folder: &Path, signed: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { name: MANIFEST.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    disk::replace(&folder.join(MANIFEST), signed).map_err(io)
}
