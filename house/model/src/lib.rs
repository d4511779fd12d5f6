//! The nouns of Ume and their invariants.
//!
//! A norm says what, a rule makes it happen, a check sees whether it did, a record proves it, a
//! decision takes responsibility, a task closes the gap. The types of these nouns live here, and
//! [`RoomSpec`]: what a room *is*, as pure data.
//!
//! Invariants: no I/O, no async, no clock and no random numbers (both are arguments); every spec is
//! `'static` data that a room writes as a struct literal without `..` (a kind leaves groups, rules and
//! the first version to [`KindSpec::BASE`]).

pub mod canonical;
pub mod check;
pub mod duration;
pub mod id;
pub mod level;
pub mod platform;
pub mod rule;
pub mod schema;
pub mod spec;
pub mod table;
pub mod text;
pub mod time;

pub use check::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Measure, Op, PerSubject, Predicate, Producer,
    Subjects, Value,
};
pub use id::Id;
pub use level::{Assurance, Level, Origin, Status};
pub use rule::{Group, Rule};
pub use schema::{
    Choice, Closed, Field, FieldError, FieldType, Guard, KindSpec, RecordSpec, Table, Tie, Writer,
};
pub use spec::{LevelText, Mend, Question, RoomSpec};
pub use text::{Lang, Text, t};
pub use time::Timestamp;
