//! Japanese holidays by law, business days, and recurrences in a time zone.
//!
//! Invariants: no I/O, no clock; every search has an end. Holidays are right for
//! [`law::YEARS`]; outside, only weekends are days off.

mod holidays;
pub mod law;
mod recurrence;

pub use holidays::{Holidays, TableError};
pub use recurrence::{BusinessDay, Due, DueError, RULE_CHARS_MAX, check_rule, next_due};
