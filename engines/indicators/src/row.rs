//! A row: a value and what its sources said of it; an entry: what of it a set holds.

use serde::{Deserialize, Serialize};

use crate::{Key, Kind};

/// Microseconds since 1970, UTC.
pub type Micros = i64;

/// Which side of a connection a value is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Either, or not said.
    #[default]
    Both,
    /// It comes to us: 外→内.
    Source,
    /// We go to it: 内→外.
    Destination,
}

impl Direction {
    pub const ALL: &[Direction] = &[Direction::Both, Direction::Source, Direction::Destination];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Both => "both",
            Direction::Source => "source",
            Direction::Destination => "destination",
        }
    }

    pub fn named(word: &str) -> Option<Direction> {
        Direction::ALL.iter().copied().find(|direction| direction.as_str() == word)
    }

    pub(crate) fn meets(self, other: Direction) -> bool {
        self == other || self == Direction::Both || other == Direction::Both
    }
}

/// The most that may be done when a value is seen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Ceiling {
    /// Nothing: the value is in no set.
    Nothing,
    /// Told, never blocked.
    Alert,
    /// Blocked as this URL, never as its host.
    UrlOnly,
    #[default]
    Block,
}

impl Ceiling {
    pub const ALL: &[Ceiling] =
        &[Ceiling::Nothing, Ceiling::Alert, Ceiling::UrlOnly, Ceiling::Block];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Ceiling::Nothing => "nothing",
            Ceiling::Alert => "alert",
            Ceiling::UrlOnly => "url_only",
            Ceiling::Block => "block",
        }
    }

    pub fn named(word: &str) -> Option<Ceiling> {
        Ceiling::ALL.iter().copied().find(|ceiling| ceiling.as_str() == word)
    }
}

/// What a person decided on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `Nothing` is a false positive.
    pub ceiling: Ceiling,
    /// Decisions end: what was true once is looked at again.
    pub until: Micros,
    pub reason: String,
}

/// A value and what its sources said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The caller's number of the row, the same in base and deltas.
    pub id: u64,
    pub key: Key,
    pub direction: Direction,
    pub source: String,
    /// What its source allows at most, such as MISP's `to_ids` false: *alert*.
    pub ceiling: Ceiling,
    pub valid_from: Option<Micros>,
    pub valid_until: Option<Micros>,
    pub received: Micros,
    pub sighted: Option<Micros>,
    /// Withdrawn or deleted by its producer.
    pub revoked: bool,
    /// Score when it was new, 0 to 100; without one the default life holds.
    pub score: Option<u8>,
    pub decision: Option<Decision>,
}

impl Row {
    pub fn new(id: u64, key: Key, source: &str, received: Micros) -> Row {
        Row {
            id,
            key,
            direction: Direction::Both,
            source: source.to_owned(),
            ceiling: Ceiling::Block,
            valid_from: None,
            valid_until: None,
            received,
            sighted: None,
            revoked: false,
            score: None,
            decision: None,
        }
    }
}

/// What a set holds: a value, its period and what may be done in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub key: Key,
    pub direction: Direction,
    /// Of an indicator its source, of a warning its list.
    pub source: String,
    pub ceiling: Ceiling,
    /// From then on, and before then.
    pub from: Option<Micros>,
    pub until: Option<Micros>,
    /// Of a warning: the kinds of rows that it speaks of.
    pub kinds: Kinds,
}

impl Entry {
    pub fn new(id: u64, key: Key, source: &str) -> Entry {
        Entry {
            id,
            key,
            direction: Direction::Both,
            source: source.to_owned(),
            ceiling: Ceiling::Block,
            from: None,
            until: None,
            kinds: Kinds::ALL,
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kinds(u32);

impl Kinds {
    pub const ALL: Kinds = Kinds(u32::MAX);
    pub const NONE: Kinds = Kinds(0);

    #[must_use]
    pub fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | 1 << kind as u32)
    }

    pub fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
}
