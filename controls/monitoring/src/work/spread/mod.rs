//! Evaluation on other nodes: `sieve` is what a node does with events, `lane` the main node's side of the bus.
//!
//! A node says which events some rule meets, and what records of audit say together. The main node holds these, and
//! only these, against the rules again, in the order of its spool: so correlations, alerts and records are made in
//! one place, by the same code and with the same outcome as without a bus. All matches of every correlation go to
//! that one place.

pub(super) mod lane;
pub mod node;
pub mod sieve;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{OnceLock, PoisonError, RwLock},
};

use bus::{BusError, Settings};
use model::Timestamp;
use serde_json::{Value as Json, json};

/// What this process knows of the bus; nothing where none is configured.
#[derive(Default)]
pub struct Bus {
    settings: OnceLock<Settings>,
    shown: RwLock<Shown>,
}

/// How the bus fares.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub is_up: bool,
    /// What went wrong last, until it goes well again.
    pub trouble: Option<BusError>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Bytes of the spool that wait to be evaluated.
    pub behind_bytes: u64,
    /// When the oldest of them came.
    pub oldest: Option<Timestamp>,
    /// Nodes with how many partitions each holds.
    pub nodes: BTreeMap<String, u32>,
    /// The indicators that each node holds.
    pub sets: BTreeMap<String, NodeSet>,
    pub partitions: u32,
}

/// The indicators that a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSet {
    /// Root of the set.
    pub root: Option<String>,
    /// When the node first said so.
    pub since: Timestamp,
    /// Why it is not the set in force.
    pub trouble: Option<String>,
}

/// File in the folder of the stream that says how the bus fares, for who asks without the server.
const FILE: &str = "rules/bus.json";

impl Shown {
    /// As programs read it.
    pub fn document(&self) -> Json {
        json!({
            "configured": true,
            "connected": self.is_up,
            "trouble_ja": self.trouble.as_ref().map(BusError::ja),
            "trouble_en": self.trouble.as_ref().map(ToString::to_string),
            "since": self.since.map(Timestamp::rfc3339),
            "behind_bytes": self.behind_bytes,
            "oldest": self.oldest.map(Timestamp::rfc3339),
            "partitions": self.partitions,
            "nodes": self.nodes,
            "sets": self.sets.iter().map(|(node, set)| (node.clone(), json!({
                "root": set.root,
                "since": set.since.rfc3339(),
                "trouble": set.trouble,
            }))).collect::<serde_json::Map<String, Json>>(),
        })
    }
}

/// How the bus of a folder fared when that was written down last; nothing where there is none.
pub fn told(data: &Path) -> Option<Json> {
    serde_json::from_slice(&std::fs::read(data.join("stream").join(FILE)).ok()?).ok()
}

/// The file below the folder of the stream.
pub(super) fn file(stream: &Path) -> PathBuf {
    stream.join(FILE)
}

impl Bus {
    /// Says where the bus is; once, before work begins.
    pub fn configure(&self, settings: Settings) {
        self.change(|shown| shown.partitions = settings.partitions);
        let _ = self.settings.set(settings);
    }

    pub fn settings(&self) -> Option<&Settings> {
        self.settings.get()
    }

    /// How it fares, if there is one.
    pub fn shown(&self) -> Option<Shown> {
        self.settings.get()?;
        Some(self.shown.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The partition of a source.
pub fn partition_of(source: &str, partitions: u32) -> u32 {
    crc32c::crc32c(source.as_bytes()) % partitions.max(1)
}
