//! OSCAL documents without loss: JSON and YAML of versions 1.0 to 1.2 in and out, judged place by place,
//! made from an ISMS, and read into one.
//!
//! # Invariants
//! - No file, socket, clock, random number, thread or async; times and ids are arguments.
//! - What is read is written back equal as JSON, whether this crate knows the member or not: the text of
//!   numbers stays, members keep their order. A document that breaks rules is read all the same.
//! - What the `export` functions make has passed [`check`] without a finding: UUIDs of version 4 or 5, ids
//!   that are tokens, no empty list, no unknown member, no time without zone, no dangling reference.
//! - Every fault and every finding names its place as an RFC 6901 pointer.
//!
//! # Limits
//! [`Limits`]: bytes, depth, values and length of names; what YAML aliases expand to counts. [`check`]
//! stops at [`FINDINGS_MAX`].
//!
//! # Where things are
//! | file | noun |
//! |---|---|
//! | `node`, `pointer` | [`Node`], [`Members`] and the pointers into them |
//! | `json`, `yaml` | text in and out |
//! | `document` | [`Document`], [`Kind`], [`Form`] |
//! | `model`, `scalar` | the models as a table, their scalar types |
//! | `check`, `references` | [`check`]: findings |
//! | `export` | documents from plain structs |
//! | `import` | plain structs from documents |
//! | `overlay` | [`overlay`]: a new export laid over the file that was read |

mod check;
mod document;
mod error;
pub mod export;
pub mod import;
mod json;
mod model;
mod node;
mod overlay;
mod pointer;
mod references;
mod scalar;
mod yaml;

pub use check::{FINDINGS_MAX, Finding, Rule, check};
pub use document::{Document, Form, Kind};
pub use error::{Fault, Limits, ReadError};
pub use node::{Members, Node};
pub use overlay::{Overlaid, overlay};
pub use scalar::{Scalar, is_token, is_uuid};
pub use uuid::Uuid;

/// The UUID of a name in a namespace: version 5, the same for ever. Ume's own ids are of version 7, which
/// OSCAL refuses; derive one from them with this.
pub fn uuid_v5(namespace: &Uuid, name: &str) -> Uuid {
    Uuid::new_v5(namespace, name.as_bytes())
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
