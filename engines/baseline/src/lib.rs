//! How a host is configured, as a pure engine: what to read of it, facts in five layers, effective
//! values, checks, differences and what they are.
//!
//! Invariants: no I/O, clock, randomness or threads; any bytes are accepted and nothing panics on
//! them; equal hosts give equal facts, so their roots can be compared; a secret becomes a keyed
//! fingerprint where it is read and is in nothing this crate gives out; what was not read is said to
//! be unread and never counts as absent.

mod bytes;
mod fact;

pub use bytes::Bytes;
pub use fact::{Class, Fact, Facts, Fingerprint, Layer, Origin, Unit, Unread, Value};
