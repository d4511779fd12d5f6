//! Sigma 2.1: rules, filters and correlations read strictly, compiled together, matched on events, explained,
//! and followed over time.
//!
//! # Invariants
//! - No file, socket, clock, random number, thread or async; bytes, times and ids are arguments.
//! - A document that is refused changes nothing for the others and says where and why.
//! - What [`Matcher::eval`] finds is what every rule finds alone ([`RuleSet::meets`]): gates, memory and
//!   learning from traffic save work, never a match.
//! - A correlator that was restored goes on as if it had never stopped.
//!
//! # Limits
//! [`Limits`] for documents, [`EVENT_BYTES_MAX`] and [`FIELDS_MAX`] for events, [`Settings`] for windows.
//!
//! # Where things are
//! | file | noun |
//! |---|---|
//! | `yaml`, `document`, `condition` | documents in, judged by the schemas |
//! | `value`, `modifier`, `pcre`, `number`, `civil`, `fold` | what a value means |
//! | `predicate`, `set`, `index` | all rules compiled together |
//! | `arena`, `json`, `xml`, `taxonomy` | events and where they come from |
//! | `matcher`, `explain`, `coverage`, `profile` | events against rules |
//! | `correlation`, `correlator`, `window`, `decimal` | matches over time |

mod arena;
mod civil;
mod condition;
mod correlation;
mod correlator;
mod coverage;
mod decimal;
mod document;
mod error;
mod explain;
mod fold;
mod index;
mod json;
mod limits;
mod matcher;
mod modifier;
mod number;
pub mod pcre;
mod predicate;
mod profile;
mod set;
mod taxonomy;
mod value;
mod window;
mod xml;
mod yaml;

pub use arena::{Arena, EVENT_BYTES_MAX, EventError, FIELDS_MAX};
pub use civil::micros;
pub use correlation::{Correlation, Own, Periodic};
pub use correlator::{Correlator, Counters, Finding, Settings, SnapshotError, TIME_MAX_US};
pub use coverage::{FieldCensus, RuleCoverage};
pub use document::{CorrelationType, Level, LogSource, Meta, Relation, Status};
pub use error::{Reason, Rejected};
pub use explain::{ClauseResult, Explanation, Hit, SelectionResult, TestResult};
pub use fold::folded;
pub use limits::Limits;
pub use matcher::{Match, Matcher};
pub use profile::TrafficProfile;
pub use set::{Env, Rule, RuleId, RuleSet, Source, load};
pub use window::EXACT_VALUES_MAX;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
