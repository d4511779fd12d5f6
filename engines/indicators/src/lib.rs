//! Threat indicators as a pure engine: normalise, extract, build, match, explain; STIX 2.1, patterns,
//! TLP, TAXII, MISP.
//!
//! Absent here: files, sockets, clocks, random numbers, threads. Bytes and values in, answers out.

pub mod exchange;
mod kind;
pub mod misp;
pub mod pattern;
pub mod stix;
pub mod taxii;
pub mod tlp;

pub use kind::Kind;
