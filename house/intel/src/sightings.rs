//! What edges met of indicators: how often and when, by value, so that nobody has to read every finding.
//!
//! A file of JSON lines beside the sets, replaced whole by the edge that meets them. It is no record: findings are.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Error;

const FILE: &str = "sightings.ndjson";
/// Indicators whose hits are counted; beyond them those that were met longest ago give way.
pub const SIGHTINGS_MAX: usize = 10_000;
const BYTES_MAX: u64 = 64 << 20;

/// What was met of one indicator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Word of the kind of indicator; `pattern` for one that is a pattern.
    pub kind: String,
    /// Its value in its one form; the id of a pattern.
    pub value: String,
    /// Who or what it came with, and ids of the items.
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub items: Vec<String>,
    /// Events that met it.
    pub count: u64,
    /// Times of the first and of the last of them, microseconds since 1970.
    pub first: i64,
    pub last: i64,
}

/// Sightings by kind and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings(BTreeMap<(String, String), Sighting>);

impl Sightings {
    /// Counts one more; `one` says what and when.
    pub fn add(&mut self, one: Sighting) {
        let key = (one.kind.clone(), one.value.clone());
        if let Some(known) = self.0.get_mut(&key) {
            known.count += one.count;
            known.first = known.first.min(one.first);
            known.last = known.last.max(one.last);
            (known.source, known.items) = (one.source, one.items);
            return;
        }
        if self.0.len() >= SIGHTINGS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, one)| one.last).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.0.remove(&key));
        }
        self.0.insert(key, one);
    }

    pub fn of(&self, kind: &str, value: &str) -> Option<&Sighting> {
        self.0.get(&(kind.to_owned(), value.to_owned()))
    }

    pub fn all(&self) -> impl ExactSizeIterator<Item = &Sighting> {
        self.0.values()
    }

    /// Reads what the edge of this folder wrote last; nothing where it met nothing yet.
    pub fn read(folder: &Path) -> Result<Sightings, Error> {
        let path = path(folder);
        let io = |source| Error::Io { name: FILE.to_owned(), source };
        let bytes = match fs::metadata(&path) {
            Ok(meta) if meta.len() > BYTES_MAX => return Err(Error::Large(meta.len())),
            Ok(_) => fs::read(&path).map_err(io)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Sightings::default()),
            Err(error) => return Err(io(error)),
        };
        let mut all = Sightings::default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            all.add(serde_json::from_slice(line)?);
        }
        Ok(all)
    }

    /// Writes them for whoever asks.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let io = |source| Error::Io { name: FILE.to_owned(), source };
        let mut bytes = Vec::new();
        for one in self.all() {
            serde_json::to_writer(&mut bytes, one)?;
            bytes.push(b'\n');
        }
        fs::create_dir_all(folder).map_err(io)?;
        disk::replace(&path(folder), &bytes).map_err(io)
    }
}

impl FromIterator<Sighting> for Sightings {
    fn from_iter<T: IntoIterator<Item = Sighting>>(all: T) -> Sightings {
        let mut sightings = Sightings::default();
        all.into_iter().for_each(|one| sightings.add(one));
        sightings
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(value: &str, at: i64) -> Sighting {
        let (kind, value) = ("domain".to_owned(), value.to_owned());
        Sighting { kind, value, count: 1, first: at, last: at, ..Sighting::default() }
    }

    #[test]
    fn hits_add_up_and_come_back_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Sightings::read(folder.path()).unwrap(), Sightings::default());
        let all: Sightings = [seen("a", 5), seen("b", 9), seen("a", 3)].into_iter().collect();
        all.write(folder.path()).unwrap();
        let read = Sightings::read(folder.path()).unwrap();
        assert_eq!(read, all);
        let a = read.of("domain", "a").unwrap();
        assert_eq!((a.count, a.first, a.last), (2, 3, 5));
        assert!(read.of("url", "a").is_none());
    }

    #[test]
    fn there_are_never_too_many_and_the_newest_stay() {
        let count = SIGHTINGS_MAX as i64 + 3;
        let all: Sightings = (0..count).map(|at| seen(&at.to_string(), at)).collect();
        assert_eq!(all.all().len(), SIGHTINGS_MAX);
        assert!(all.of("domain", "2").is_none() && all.of("domain", "3").is_some());
    }
}
