//! Bills of materials as a pure engine: read, write, check and make them; order versions, match
//! advisories, keep VEX statements.
//!
//! Absent here: files, sockets, clocks, random numbers, threads. Bytes and values in, answers out.

pub mod advisory;
pub mod bom;
pub mod catalogue;
mod compare;
mod convert;
pub mod cpe;
pub mod csaf;
pub mod cyclonedx;
mod document;
mod json;
pub mod judge;
mod limits;
pub mod order;
pub mod purl;
mod schema;
pub mod spdx;
pub mod vers;
pub mod vex;
mod xml;
mod yaml;

pub use bom::{Bom, Component, Hash, Licence, Problem};
pub use catalogue::Catalogue;
pub use compare::{Change, compare};
pub use document::{Format, UnknownFormat, Written, parse, parse_within, write};
pub use limits::Limits;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
