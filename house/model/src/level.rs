//! Levels, verdict states and the assurance of evidence.

use serde::{Deserialize, Serialize};

/// Level of a control: below 梅, 梅, 竹 or 松. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    None,
    Ume,
    Take,
    Matsu,
}

impl Level {
    /// The three levels that criteria belong to, lowest first.
    pub const RUNGS: [Level; 3] = [Level::Ume, Level::Take, Level::Matsu];

    /// Stable name used in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Ume => "ume",
            Level::Take => "take",
            Level::Matsu => "matsu",
        }
    }

    /// The character shown to users; 未達 below 梅.
    pub fn sign(self) -> &'static str {
        match self {
            Level::None => "未達",
            Level::Ume => "梅",
            Level::Take => "竹",
            Level::Matsu => "松",
        }
    }

    /// Parses [`Level::name`].
    pub fn parse(name: &str) -> Option<Level> {
        [Level::None, Level::Ume, Level::Take, Level::Matsu]
            .into_iter()
            .find(|level| level.name() == name)
    }
}

/// Where a criterion comes from: the slides Ume is built from, or Ume itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Slides,
    Ume,
}

/// How much a record can be trusted; ordered, strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// A person says so. Counts for 梅 only.
    Attested,
    /// Taken over from a document or another system.
    Imported,
    /// Observed by Ume itself.
    Machine,
}

impl Assurance {
    /// Stable name, as stored.
    pub fn name(self) -> &'static str {
        match self {
            Assurance::Attested => "attested",
            Assurance::Imported => "imported",
            Assurance::Machine => "machine",
        }
    }

    /// Parses [`Assurance::name`].
    pub fn parse(name: &str) -> Option<Assurance> {
        [Assurance::Attested, Assurance::Imported, Assurance::Machine]
            .into_iter()
            .find(|assurance| assurance.name() == name)
    }
}

/// State of a verdict. Only `Pass` counts towards a level; unknown is never "pass".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Fail,
    Stale,
    Unknown,
    /// An unexpired decision takes this out; shown, never hidden.
    Excluded,
}

impl Status {
    /// Stable name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Stale => "stale",
            Status::Unknown => "unknown",
            Status::Excluded => "excluded",
        }
    }
}
