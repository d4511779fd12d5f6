//! Bills of materials as a pure engine.

pub mod order;
pub mod purl;
pub mod vers;
