//! How a host is configured, as a pure engine: what to read of it, facts in five layers, effective
//! values, checks, differences and what they are.
//!
//! Invariants: no I/O, clock, randomness or threads; any bytes are accepted and nothing panics on
//! them; equal hosts give equal facts, so their roots can be compared; a secret becomes a keyed
//! fingerprint where it is read and is in nothing this crate gives out; what was not read is said to
//! be unread and never counts as absent.

pub mod actor;
pub mod addresses;
pub mod archive;
mod bytes;
mod capture;
mod check;
mod chunk;
mod classify;
mod collect;
mod diff;
mod document;
pub mod export;
mod fact;
mod facts;
mod glob;
mod integrity;
mod names;
mod parse;
mod pristine;
mod secret;
#[cfg(test)]
mod testing;
mod upgrade;
mod xattr;

pub use archive::PackageManifest;
pub use bytes::Bytes;
pub use capture::{
    Ask, Capture, Content, Digest, Digests, ENTRIES_MAX, Entry, FILE_BYTES_MAX, Fault, Got, Kind,
    Live, Only, TABLE_BYTES_MAX, Xattr,
};
pub use check::{CheckResult, Failing, Family, Outcome, RuleSet, Says, check, tally};
pub use chunk::{
    Chunk, ChunkError, ChunkId, ChunkIndex, Chunks, Fetch, Roots, diff_roots, seal, unseal,
};
pub use classify::{Actor, ApprovedChange, Context, DriftClass, Mask, Scope, Verdict, classify};
pub use collect::{Collector, Plan, Step};
pub use diff::{Delta, changes, withhold};
pub use document::DocumentError;
pub use fact::{Class, Fact, Facts, Fingerprint, Layer, Origin, Unit, Unread, Value};
pub use facts::facts;
pub use integrity::{Checked, Deviation, Finding, Integrity, Standing, Why};
pub use parse::sshd::{Connection, sshd_effective};
pub use secret::{FingerprintKey, REFERENCE, reference};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
