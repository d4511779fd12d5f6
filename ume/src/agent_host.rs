//! What an agent tells of its host: the configuration, and who changed it.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use baseline::FingerprintKey;
use configuration::work::{FULL, SNAPSHOT, collect, driver::DigestCache, keys, watch::Observer};
use edge::agent::Collected;

use crate::CliError;

/// The host of an agent.
pub struct Host {
    key: FingerprintKey,
    /// None: changes are not watched here.
    observer: Option<Observer>,
    digests: Mutex<DigestCache>,
}

impl Host {
    /// Reads the key of this host, and begins to watch it unless told not to.
    pub fn begin(folder: &Path, is_watched: Option<bool>) -> Result<Host, CliError> {
        let key = keys::of_file(&folder.join("fingerprint.key"))?;
        let observer = match is_watched.unwrap_or(FULL) {
            false => None,
            true => {
                let journal = folder.join("journal");
                let begun = Observer::start(&journal, key.clone(), stream::intake::now);
                Some(begun.map_err(|source| room::Error::Io { path: journal, source })?)
            }
        };
        if let Some(trouble) = observer.as_ref().and_then(|observer| observer.status().trouble) {
            tracing::warn!("who changes this host stays unknown: {trouble}");
        }
        Ok(Host { key, observer, digests: Mutex::default() })
    }

    /// Whether something changed that should be looked at now.
    pub fn is_due(&self) -> bool {
        self.observer.as_ref().is_some_and(Observer::is_due)
    }

    /// Looks. A failure to look leaves the last snapshot to age, and what was seen waits.
    pub fn collect(&self) -> Vec<Collected> {
        let began = Instant::now();
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match collect::collect_again(Path::new("/"), FULL, &self.key, &mut digests) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the configuration is not collected");
                self.observer.iter().for_each(Observer::failed);
                return Vec::new();
            }
        };
        // What was seen goes first, so that it is there when the snapshot is judged.
        let taken = self.observer.as_ref().map(|observer| observer.take(began.elapsed()));
        let seen = taken.map(|taken| taken.records()).unwrap_or_default();
        let snapshot = (SNAPSHOT, collect::summary(&found), Some(found.to_document().to_string()));
        let record = |(ty, facts, payload): (&'static str, serde_json::Value, Option<String>)| {
            Collected { ty, facts: facts.as_object().cloned().unwrap_or_default(), payload }
        };
        seen.into_iter().chain([snapshot]).map(record).collect()
    }
}
