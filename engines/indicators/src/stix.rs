//! STIX 2.1: documents read and judged, versions ordered, ids of observables.
//!
//! - [`parse`] keeps every object's own bytes; what it does not know is kept and passed on as it came.
//! - One bad object costs itself alone: the others are read.
//! - Diagnostics bear a pointer, the rule and how grave it is; an *error* breaks a MUST of the specification,
//!   a *warning* a SHOULD or something that bites.
//! - Everything has a limit: bytes, depth, objects, diagnostics.

mod check;
mod diagnostic;
mod document;
mod format;
mod id;
mod jcs;
mod laws;
mod model;
pub mod time;
mod validate;
mod version;

pub use diagnostic::{Diagnostic, Rule, Severity};
pub use document::{Limits, Object, ParseError, Parsed, parse};
pub use id::{sco_id, sco_key};
pub use jcs::canonical;
pub use validate::{validate, validate_objects};
pub use version::{Standing, supersedes};
