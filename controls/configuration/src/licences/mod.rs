//! Licences and maintenance: how much is used of what the house may use, what its licences allow, and until when things
//! are supported.
//!
//! Invariants: what cannot be counted by machine has no number and so never passes; installations of several products
//! under one licence are counted together; an expired licence entitles to nothing; a licence that the policy refuses
//! entitles to nothing, whatever was bought.

pub(crate) mod count;
pub(crate) mod load;
pub(crate) mod policy;

pub(crate) const RECORD: &str = "configuration.licence_count";
