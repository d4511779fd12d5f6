//! Hosts, domains, URLs and addresses as a pure engine: parse, canonicalise, public suffix,
//! confusables.
//!
//! Whatever two programs take for the same name has one canonical text here, so names are compared
//! as bytes afterwards. Canonicalising is idempotent: a canonical text is its own canonical text.
//!
//! Absent here: files, sockets, clocks, random numbers, threads. Texts in, names out. Limits:
//! [`HOST_BYTES_MAX`] and [`URL_BYTES_MAX`] of input, labels of 63 and names of 253 bytes; all work
//! is linear in the input, but for the comparison of two labels.

mod domain;
mod error;
mod host;
pub mod ip;
pub mod lookalike;
mod percent;
mod suffix;
mod url;

pub use domain::{DOMAIN_BYTES_MAX, Domain, HOST_BYTES_MAX, LABEL_BYTES_MAX};
pub use error::Error;
pub use host::Host;
pub use lookalike::{Brand, Likeness, Lookalike};
pub use suffix::Names;
pub use url::{URL_BYTES_MAX, Url};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
