//! How a host is configured, as a pure engine.

pub mod addresses;
