//! STIX.

pub mod time;
