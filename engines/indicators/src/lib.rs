//! Threat indicators as a pure engine: normalise, extract, build, match, explain; STIX 2.1, patterns,
//! TLP, TAXII, MISP.
//!
//! Absent here: files, sockets, clocks, random numbers, threads. Bytes and values in, answers out.

pub mod extract;
mod kind;

pub use kind::Kind;
