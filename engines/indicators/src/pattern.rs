//! STIX 2.1 patterns: parsed, printed, held against observations.
//!
//! - What [`parse`] returned prints to a text that parses to the same pattern.
//! - An observation has a span of time (first to last observed) and a number. A pattern matches if each of its
//!   tests can be given an observation of its own and each of these a moment of its span so that all holds;
//!   no list of such choices is ever kept.
//! - Whatever is asked costs at most a [`Budget`]; when it is spent the answer is *undecided*.
//!
//! Absent here: look-around and back references in `MATCHES` (refused with their place), so every test of a
//! text is linear in its length.

mod ast;
mod flow;
mod lex;
mod like;
mod net;
mod observe;
mod parse;
mod path;
mod plan;
mod print;
mod property;
mod slots;
mod solve;
mod value;
mod words;

pub use ast::{
    Comparison, Expression, Literal, Operator, Order, Path, Pattern, PatternError, PropertyTest,
    Step,
};
pub use like::Like;
pub use net::Net;
pub use observe::{Observation, ObserveError, Observed, observations};
pub use parse::parse;
pub use plan::{Plan, Side, Trigger, plan};
pub use solve::{Budget, Outcome, eval};
pub use value::Matches;
