//! What a killed backup leaves beside its target, and how the next one takes it away.
//!
//! `backup.begun` in the data folder names the files before they are written. `FILE.epoch` stands under
//! its final name before `FILE` does, so that no backup is ever without its key; one that a killed run
//! left is known by its hash, and nothing else of that name is touched.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{at, create_new, epoch_path, sum_of, sync_folder, temporary_for};
use crate::CliError;

const NOTE: &str = "backup.begun";

#[derive(Serialize, Deserialize)]
struct Note {
    to: PathBuf,
    temporary: Vec<PathBuf>,
    /// SHA-256 of the epoch file, once there is one.
    epoch: Option<String>,
}

/// A backup under way.
pub(super) struct Begun {
    path: PathBuf,
    note: Note,
}

impl Begun {
    /// Says in the data folder what is going to be written.
    pub(super) fn note(folder: &Path, to: &Path) -> Result<Begun, CliError> {
        let to = std::path::absolute(to).map_err(at(to))?;
        let names = [&to, &epoch_path(&to)].map(|path| {
            let mut temporary = temporary_for(path);
            std::mem::take(&mut temporary.0)
        });
        let note = Note { to, temporary: names.to_vec(), epoch: None };
        let begun = Begun { path: folder.join(NOTE), note };
        begun.write()?;
        Ok(begun)
    }

    /// Where the epoch key goes.
    pub(super) fn epoch(&self) -> PathBuf {
        epoch_path(&self.note.to)
    }

    /// By what the epoch file is known, before it gets its name.
    pub(super) fn note_epoch(&mut self, sha256: String) -> Result<(), CliError> {
        self.note.epoch = Some(sha256);
        self.write()
    }

    fn write(&self) -> Result<(), CliError> {
        let _ = fs::remove_file(&self.path);
        let json = serde_json::to_vec(&self.note).unwrap_or_default();
        let mut file = create_new(&self.path)?;
        file.write_all(&json).and_then(|()| file.sync_all()).map_err(at(&self.path))?;
        sync_folder(super::parent(&self.path))
    }

    /// All of it stands.
    pub(super) fn finished(self) -> Result<(), CliError> {
        fs::remove_file(&self.path).map_err(at(&self.path))
    }
}

/// Takes away what a killed backup of this folder left; the lock of backups is held.
pub(super) fn remove(folder: &Path) -> Result<(), CliError> {
    let path = folder.join(NOTE);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        text => text.map_err(at(&path))?,
    };
    // One that was cut while it was written names nothing that was written yet.
    if let Ok(note) = serde_json::from_slice::<Note>(&text) {
        for temporary in &note.temporary {
            let _ = fs::remove_file(temporary);
        }
        let epoch = epoch_path(&note.to);
        let ours = |sha256: &String| sum_of(&epoch).is_ok_and(|sum| &sum.sha256 == sha256);
        if fs::symlink_metadata(&note.to).is_err() && note.epoch.as_ref().is_some_and(ours) {
            fs::remove_file(&epoch).map_err(at(&epoch))?;
        }
    }
    fs::remove_file(&path).map_err(at(&path))
}
