//! The data folder: where it is, that it is private, that one server holds it.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::CliError;

/// The folder named, else the default of the user.
pub fn folder(named: Option<PathBuf>) -> PathBuf {
    named.unwrap_or_else(|| {
        if rustix::process::geteuid().is_root() {
            return PathBuf::from("/var/lib/ume");
        }
        let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        std::env::var_os("XDG_DATA_HOME")
            .map_or_else(|| home().join(".local/share"), PathBuf::from)
            .join("ume")
    })
}

/// The folder, if Ume data stands in it.
pub fn existing(folder: &Path) -> Result<&Path, CliError> {
    if folder.join("ume.db").exists() {
        Ok(folder)
    } else {
        Err(CliError::NoData(folder.to_owned()))
    }
}

/// Refuses a place where no Ume was ever started or set up.
pub fn existing_place(place: &crate::place::Place) -> Result<(), CliError> {
    // On PostgreSQL a set-up leaves no more than the lock in the folder.
    let tables = if place.database.is_none() { "ume.db" } else { "lock" };
    let there = ["ledger", tables].into_iter().any(|name| place.folder.join(name).exists());
    if there { Ok(()) } else { Err(CliError::NoData(place.folder.clone())) }
}

/// Creates the folder, readable by its owner only.
pub fn create(folder: &Path) -> Result<(), CliError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| CliError::Io { path: folder.to_owned(), source })
}

/// Makes a private folder that must not be there yet.
pub fn create_new(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)
}

/// Takes the folder for this process until the file is dropped.
pub fn lock(folder: &Path) -> Result<File, CliError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| CliError::Io { path, source })?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| CliError::InUse(folder.to_owned()))?;
    Ok(file)
}
