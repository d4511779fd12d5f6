//! Threat indicators as a pure engine: normalise, extract, build, match, explain; STIX 2.1, patterns,
//! TLP, TAXII, MISP.
//!
//! Absent here: files, sockets, clocks, random numbers, threads. Bytes and values in, answers out.

pub mod exchange;
pub mod extract;
pub mod feed;
mod key;
mod kind;
pub mod misp;
pub mod ndjson;
pub mod normalise;
pub mod outlet;
pub mod pattern;
mod reject;
mod row;
pub mod set;
pub mod stix;
pub mod taxii;
pub mod tlp;
pub mod validity;
pub mod warning;

pub use key::{Key, Scope};
pub use kind::Kind;
pub use normalise::normalise;
pub use reject::Reject;
pub use row::{Ceiling, Decision, Direction, Entry, Kinds, Micros, Row};
pub use set::{Hit, Observable, Set};
pub use validity::validity;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
