//! Identifiers: UUIDv7 (RFC 9562 section 5.7), so that ids sort by time of birth.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// The id of a row in one of the eleven subject tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(Uuid);

impl Id {
    /// Builds an id from its time and ten random bytes; the caller owns clock and randomness.
    pub fn from_parts(now: Timestamp, random: &[u8; 10]) -> Id {
        let millis = now.0.max(0) as u64 / 1000;
        Id(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }

    /// The zero id, used where the organisation itself is the subject.
    pub const fn nil() -> Id {
        Id(Uuid::nil())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Id, uuid::Error> {
        Uuid::parse_str(text).map(Id)
    }
}
