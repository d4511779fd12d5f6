//! YAML 1.2 in and out.
//!
//! A plain scalar where the model knows a text is that text: `version: 1.0`, `value: no` and
//! `published: 2024-02-01T00:00:00Z` stay what was written. Elsewhere YAML 1.2's core schema decides, so
//! `no` and dates are texts there too. What is written holds for readers of YAML 1.1 as well: every text
//! that one of the two would take for something else stands in quotation marks.

mod read;
mod write;

pub use read::read;
pub use write::write;
