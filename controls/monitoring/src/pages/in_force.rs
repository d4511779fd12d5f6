//! The set of threat indicators in force, as pages and API show it: what it holds, how old it is, who has it.

use model::Timestamp;
use serde_json::{Value as Json, json};
use web::House;

use crate::work::{live::Live, spread::Bus};

/// Beginning of a root that is shown.
const ROOT_CHARS: usize = 12;

/// The set in force, or why there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct InForce {
    pub root: String,
    pub sequence: u64,
    pub rows: u64,
    pub patterns: usize,
    pub made_at: Option<Timestamp>,
    /// Patterns that are not looked for, with the reason.
    pub refused: Vec<(String, String)>,
    /// Why the set that was published last is not this one.
    pub trouble: Option<String>,
    /// Other nodes: name, root, trouble.
    pub nodes: Vec<(String, Option<String>, Option<String>)>,
    /// Indicators that were met, and events that met them.
    pub met: (usize, u64),
}

impl InForce {
    /// None where no set was ever published.
    pub(super) fn of(house: &House) -> Option<InForce> {
        let shown = house.kept.get::<Live>().shown();
        if shown.intel.is_none() && shown.intel_refused.is_none() {
            return None;
        }
        let bus = house.kept.get::<Bus>().shown();
        let nodes = bus.into_iter().flat_map(|bus| bus.sets);
        let nodes = nodes.map(|(node, set)| (node, set.root, set.trouble)).collect();
        let events = shown.sightings.all().map(|one| one.count).sum();
        let met = (shown.sightings.all().len(), events);
        let mut all = InForce { trouble: shown.intel_refused, nodes, met, ..InForce::default() };
        if let Some(intel) = shown.intel {
            let manifest = intel.set.manifest();
            all.root = manifest.root();
            (all.sequence, all.rows) = (manifest.sequence, manifest.rows);
            all.made_at = Some(Timestamp(manifest.made_at));
            all.patterns = intel.set.patterns().len();
            all.refused.clone_from(&intel.patterns.refused);
        }
        Some(all)
    }

    pub(super) fn short(&self) -> &str {
        self.root.get(..ROOT_CHARS).unwrap_or(&self.root)
    }

    /// Whole hours since the set was made.
    pub(super) fn age_h(&self, now: &Timestamp) -> i64 {
        self.made_at.map_or(0, |made| (now.0 - made.0).max(0) / 3_600_000_000)
    }

    /// Whether a node holds the set in force.
    pub(super) fn has_it(&self, root: &Option<String>) -> bool {
        root.as_deref() == Some(self.root.as_str())
    }

    pub(super) fn document(&self) -> Json {
        let node = |(name, root, trouble): &(String, Option<String>, Option<String>)| json!({ "node": name, "root": root, "trouble": trouble });
        let refused = |(id, why): &(String, String)| json!({ "pattern": id, "why": why });
        json!({
            "root": self.root,
            "sequence": self.sequence,
            "rows": self.rows,
            "patterns": self.patterns,
            "made_at": self.made_at.map(Timestamp::rfc3339),
            "trouble": self.trouble,
            "refused": self.refused.iter().map(refused).collect::<Vec<_>>(),
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "indicators_met": self.met.0,
            "events_met": self.met.1,
        })
    }
}
