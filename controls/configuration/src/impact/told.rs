//! What was told of an asset: the payload of its newest `configuration.impact_run`, packed JSON.
//!
//! It is what the next run compares with and what the pages show, so both go on after a restart where they were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document;

/// Type of the record.
pub(crate) const RUN: &str = "configuration.impact_run";
/// Type of the record of one change.
pub(crate) const VERDICT: &str = "configuration.verdict";

/// What advisories mean for an asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    /// Record of the bill of materials.
    pub sbom: String,
    pub components: usize,
    /// Of these nothing is known because no advisory speaks of their kind.
    pub uncovered: usize,
    /// Which kinds that are, and how many of each.
    pub uncovered_kinds: BTreeMap<String, usize>,
    /// Packages whose old files are still held by processes.
    pub restart: Vec<String>,
    /// By weakness.
    pub touches: BTreeMap<String, Touch>,
}

/// One weakness and an asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Touch {
    /// The other names: of advisories and aliases.
    pub also: Vec<String>,
    pub title: String,
    /// CVSS base score in tenths.
    pub score: Option<u16>,
    /// RustSec: no weakness, but news.
    pub informational: Option<String>,
    pub parts: Vec<Part>,
}

/// A component that a weakness is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Part {
    /// Package URL without version, or what else names it.
    pub package: String,
    pub name: String,
    pub version: String,
    /// `affected`, `unknown` or, where somebody decided so, `not_affected`.
    pub state: String,
    pub ja: String,
    pub en: String,
    /// The version that mends it, where one does.
    pub fixed: Option<String>,
    pub decided: Option<Decided>,
    /// Why a decision about it does not hold any more.
    pub reopened: Option<(String, String)>,
}

/// Who decided what about a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Decided {
    /// Id of our decision; empty for a statement of somebody else.
    pub decision: String,
    pub by: String,
    pub status: String,
    pub why: String,
}

/// How grave states are, the gravest first.
pub(crate) const STATES: [&str; 3] = ["affected", "unknown", "not_affected"];

impl Touch {
    /// The gravest state of its parts.
    pub fn state(&self) -> &'static str {
        let is = |state: &&&str| self.parts.iter().any(|part| part.state == **state);
        STATES.iter().find(is).copied().unwrap_or("not_affected")
    }

    /// The part that says most.
    pub fn part(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.state == self.state())
    }

    /// What one would install: package and fixed version of every affected part that has one.
    pub fn mends(&self) -> impl Iterator<Item = (&str, &str)> {
        let affected = self.parts.iter().filter(|part| part.state == "affected");
        affected.filter_map(|part| Some((part.name.as_str(), part.fixed.as_deref()?)))
    }
}

impl Told {
    /// How many weaknesses are in a state.
    pub fn count(&self, state: &str) -> usize {
        let news = |touch: &Touch| touch.informational.is_some();
        self.touches.values().filter(|touch| !news(touch) && touch.state() == state).count()
    }

    pub fn pack(&self) -> Result<Vec<u8>, String> {
        document::pack(&serde_json::to_vec(self).map_err(|error| error.to_string())?)
    }

    /// Of a payload; one of an older form, or none, is as if nothing had been told.
    pub fn open(payload: &[u8]) -> Told {
        let bytes = document::unpack(payload).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

/// A change that is to be written down.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn<'t> {
    pub weakness: &'t str,
    pub state: &'static str,
    /// What it is now; where nothing stands any more, what it was.
    pub touch: &'t Touch,
    /// Nothing speaks of it any more.
    pub is_gone: bool,
}

/// What changed: what came, what turned, what went.
pub(crate) fn turns<'t>(before: &'t Told, now: &'t Told) -> Vec<Turn<'t>> {
    let mut turns = Vec::new();
    for (weakness, touch) in &now.touches {
        let known = before.touches.get(weakness);
        let same = known.is_some_and(|known| {
            known.state() == touch.state() && decision_of(known) == decision_of(touch)
        });
        if !same {
            turns.push(Turn { weakness, state: touch.state(), touch, is_gone: false });
        }
    }
    let gone = before.touches.iter().filter(|(weakness, touch)| {
        touch.state() != "not_affected" && !now.touches.contains_key(*weakness)
    });
    turns.extend(gone.map(|(weakness, touch)| Turn {
        weakness,
        state: "not_affected",
        touch,
        is_gone: true,
    }));
    turns
}

/// Another decision is another verdict, though the state be the same.
fn decision_of(touch: &Touch) -> Option<&Decided> {
    touch.part().and_then(|part| part.decided.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(states: &[&str]) -> Touch {
        let part = |state: &&str| Part { state: (*state).to_owned(), ..Part::default() };
        Touch { parts: states.iter().map(part).collect(), ..Touch::default() }
    }

    fn told(all: &[(&str, &[&str])]) -> Told {
        let touches = all.iter().map(|(name, states)| ((*name).to_owned(), touch(states)));
        Told { touches: touches.collect(), ..Told::default() }
    }

    #[test]
    fn the_gravest_part_speaks_for_an_asset() {
        assert_eq!(touch(&["not_affected", "unknown", "affected"]).state(), "affected");
        assert_eq!(touch(&["not_affected", "unknown"]).state(), "unknown");
        assert_eq!(touch(&[]).state(), "not_affected");
    }

    #[test]
    fn a_turn_is_told_once_in_each_direction() {
        let none = Told::default();
        let (bad, unknown) = (told(&[("A", &["affected"])]), told(&[("A", &["unknown"])]));
        let said = |before, now| -> Vec<(String, &str, bool)> {
            let all = turns(before, now);
            all.iter().map(|t| (t.weakness.to_owned(), t.state, t.is_gone)).collect()
        };
        assert_eq!(said(&none, &bad), [("A".to_owned(), "affected", false)]);
        assert_eq!(said(&bad, &bad), []);
        assert_eq!(said(&bad, &unknown), [("A".to_owned(), "unknown", false)]);
        assert_eq!(said(&bad, &none), [("A".to_owned(), "not_affected", true)]);
        let decided = told(&[("A", &["not_affected"])]);
        assert_eq!(said(&decided, &none), [], "it was not affected before");
    }

    #[test]
    fn what_was_told_comes_back() {
        let all = told(&[("A", &["affected", "unknown"])]);
        assert_eq!(Told::open(&all.pack().expect("small")), all);
        assert_eq!(Told::open(b"nonsense"), Told::default());
    }
}
