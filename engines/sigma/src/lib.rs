//! Sigma 2.1: rules, filters and correlations, compiled together and matched on events.

mod arena;
mod civil;
mod condition;
mod correlation;
mod coverage;
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
mod pcre;
mod predicate;
mod profile;
mod set;
mod taxonomy;
mod value;
mod xml;
mod yaml;

pub use arena::{Arena, EVENT_BYTES_MAX, EventError, FIELDS_MAX};
pub use civil::micros;
pub use correlation::Correlation;
pub use coverage::{FieldCensus, RuleCoverage};
pub use document::{CorrelationType, Level, LogSource, Meta, Relation, Status};
pub use error::{Reason, Rejected};
pub use explain::{ClauseResult, Explanation, Hit, SelectionResult, TestResult};
pub use limits::Limits;
pub use matcher::{Match, Matcher};
pub use profile::TrafficProfile;
pub use set::{Env, Rule, RuleId, RuleSet, Source, load};
