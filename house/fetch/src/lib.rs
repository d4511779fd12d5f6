//! Documents of others: over HTTPS, in the clear from this machine only, or as files.
//!
//! Invariants: nothing is read beyond its limit, neither as it comes nor as gzip unpacks it; a redirect leads to HTTPS
//! only, or from this machine to itself; what failed is one [`Fault`], in words and without secrets.
//!
//! Absent here: what a document means, and when it is asked for.

mod address;
mod client;
mod fault;
mod open;

pub use address::{Address, address, is_here};
pub use client::{Client, Got, Limits, Reply, Tags, Trust};
pub use fault::{Fault, cause};
pub use open::open;
