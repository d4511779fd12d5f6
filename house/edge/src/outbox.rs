//! The agent's records that wait for the centre: one file each, named by its sequence.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{EdgeError, Result, files, protocol::WireRecord};

/// Most records that wait; the oldest make room, since a newer snapshot says more.
const WAITING_MAX: usize = 200;
const REFUSED_MAX: usize = 50;

/// The folder of waiting records.
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// Opens or creates the folder.
    pub fn open(folder: &Path) -> Result<Outbox> {
        files::create_dir(folder)?;
        files::create_dir(&folder.join("refused"))?;
        Ok(Outbox { folder: folder.to_owned() })
    }

    /// Adds a record under the next sequence.
    pub fn push(&self, mut record: WireRecord) -> Result<u64> {
        let waiting = self.waiting()?;
        let sequence = waiting.last().copied().unwrap_or(0).max(self.highest()?) + 1;
        record.sequence = sequence;
        for old in waiting.iter().rev().skip(WAITING_MAX - 1) {
            tracing::warn!(sequence = old, "a waiting record was given up, too many wait");
            files::remove(&self.path(*old))?;
        }
        let bytes = serde_json::to_vec(&record).map_err(|e| self.wrong(e.to_string()))?;
        files::replace(&self.path(sequence), &bytes)?;
        files::replace(&self.folder.join("highest"), sequence.to_string().as_bytes())?;
        Ok(sequence)
    }

    /// Waiting sequences, rising.
    pub fn waiting(&self) -> Result<Vec<u64>> {
        let io = |source| EdgeError::Io { path: self.folder.clone(), source };
        let names = fs::read_dir(&self.folder).map_err(io)?.flatten().map(|e| e.file_name());
        let mut all: Vec<u64> =
            names.filter_map(|n| n.to_str()?.strip_suffix(".json")?.parse().ok()).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Highest sequence ever given.
    pub fn highest(&self) -> Result<u64> {
        let text = files::read(&self.folder.join("highest"))?;
        Ok(text.and_then(|t| t.trim().parse().ok()).unwrap_or(0))
    }

    /// A waiting record; one that cannot be read is set aside.
    pub fn read(&self, sequence: u64) -> Result<Option<WireRecord>> {
        let path = self.path(sequence);
        let Some(text) = files::read(&path)? else { return Ok(None) };
        match serde_json::from_str(&text) {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                self.refused(sequence, &error.to_string())?;
                Ok(None)
            }
        }
    }

    /// Forgets a delivered record.
    pub fn delivered(&self, sequence: u64) -> Result<()> {
        files::remove(&self.path(sequence))
    }

    /// Sets a record aside that will never be taken; at most 50 are kept to look at.
    pub fn refused(&self, sequence: u64, reason: &str) -> Result<()> {
        tracing::error!(sequence, reason, "a record will never be delivered; see refused/");
        let folder = self.folder.join("refused");
        let io = |source| EdgeError::Io { path: folder.clone(), source };
        let mut kept: Vec<PathBuf> =
            fs::read_dir(&folder).map_err(io)?.flatten().map(|e| e.path()).collect();
        kept.sort();
        for old in kept.iter().rev().skip(REFUSED_MAX - 1) {
            files::remove(old)?;
        }
        fs::rename(self.path(sequence), folder.join(name(sequence))).map_err(io)
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.folder.join(name(sequence))
    }

    fn wrong(&self, what: String) -> EdgeError {
        EdgeError::File { path: self.folder.clone(), what }
    }
}

fn name(sequence: u64) -> String {
    format!("{sequence:020}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> WireRecord {
        WireRecord {
            sequence: 0,
            ty: "configuration.snapshot".into(),
            observed_from: 1,
            observed_to: 2,
            facts: serde_json::Map::new(),
            payload: None,
        }
    }

    #[test]
    fn sequences_rise_and_are_never_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!((outbox.push(record()).unwrap(), outbox.push(record()).unwrap()), (1, 2));
        outbox.delivered(1).unwrap();
        outbox.delivered(2).unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(outbox.push(record()).unwrap(), 3);
        assert_eq!(outbox.read(3).unwrap().unwrap().sequence, 3);
        outbox.refused(3, "test").unwrap();
        assert!(outbox.waiting().unwrap().is_empty());
        assert_eq!(outbox.highest().unwrap(), 3);
    }

    #[test]
    fn a_long_absence_of_the_centre_fills_no_disk() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        for _ in 0..WAITING_MAX + 5 {
            outbox.push(record()).unwrap();
        }
        let waiting = outbox.waiting().unwrap();
        assert_eq!((waiting.len(), waiting[0]), (WAITING_MAX, 6));
    }
}
