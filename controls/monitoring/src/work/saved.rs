//! What the evaluation of events keeps in its folder between two runs.
//!
//! Invariant: windows and offset belong together, since the file that holds the offset names that of the windows
//! and is replaced last. A damaged state is told and left behind: what the spool still holds is evaluated again.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use model::Id;
use room::Error;
use serde::{Deserialize, Serialize};
use sigma::{FieldCensus, LogSource};
use store::Store;

use super::{live::Again, spread::lane::States};

/// File with the name of the stream: offsets of another folder are of other events.
const STREAM: &str = "stream";

/// What lies in the folder between two runs.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Saved {
    pub at: u64,
    /// Name of the file with the windows.
    pub windows: String,
    pub evaluated: BTreeMap<String, u64>,
    pub before: Option<BTreeMap<String, u64>>,
    pub again: HashMap<Id, Again>,
    pub gone_bytes: u64,
    /// What was met of indicators.
    #[serde(default)]
    pub sightings: Vec<::intel::Sighting>,
    /// Log sources with how many of their events and which fields came.
    #[serde(default)]
    pub census: Vec<Source>,
}

/// A log source with what was seen of it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Source {
    category: Option<String>,
    product: Option<String>,
    service: Option<String>,
    events: u64,
    fields: Vec<String>,
}

/// What was seen, as it is saved.
pub(super) fn census(seen: &FieldCensus) -> Vec<Source> {
    let source = |(source, events, fields): (&LogSource, u64, Vec<&str>)| {
        let LogSource { category, product, service } = source.clone();
        let fields = fields.into_iter().map(str::to_owned).collect();
        Source { category, product, service, events, fields }
    };
    seen.parts().map(source).collect()
}

/// Adds what was seen elsewhere, or was saved.
pub(super) fn add(census: &mut FieldCensus, saved: Vec<Source>) {
    for Source { category, product, service, events, fields } in saved {
        census.add(LogSource { category, product, service }, events, fields);
    }
}

/// The name of the stream, made when rules first met it.
pub(super) fn name_of(folder: &Path, store: &Store) -> Result<String, Error> {
    let path = folder.join(STREAM);
    let io = |source| Error::Io { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(name) => Ok(name.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = store.new_id()?.to_string();
            std::fs::create_dir_all(folder).map_err(io)?;
            disk::replace(&path, name.as_bytes()).map_err(io)?;
            Ok(name)
        }
        Err(error) => Err(io(error)),
    }
}

pub(super) fn read(folder: &Path) -> Result<Option<Saved>, Error> {
    let path = folder.join("state.json");
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(saved) => Ok(Some(saved)),
            Err(error) => {
                // What is in the spool is evaluated again; findings do not double.
                tracing::error!(%error, path = %path.display(), "the state of the rules is damaged");
                Ok(None)
            }
        },
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path, source }),
    }
}

/// The windows of correlations with what waits to be joined, here and on other nodes.
pub(super) fn pack(windows: Vec<u8>, states: &States) -> Vec<u8> {
    postcard::to_stdvec(&(windows, states)).unwrap_or_default()
}

/// Reads what [`pack`] made.
pub(super) fn unpack(bytes: &[u8]) -> Option<(Vec<u8>, States)> {
    postcard::from_bytes(bytes).ok()
}

/// The windows first, then the file that names them, then the windows before.
pub(super) fn write(folder: &Path, saved: &Saved, windows: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    disk::replace(&folder.join(&saved.windows), windows).map_err(io)?;
    let text = serde_json::to_vec(saved).map_err(Error::said)?;
    disk::replace(&folder.join("state.json"), &text).map_err(io)?;
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_old = path.extension().is_some_and(|e| e == "windows")
            && path.file_name().is_none_or(|name| name != saved.windows.as_str());
        if is_old {
            std::fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}
