//! What a pattern is made of.

use std::fmt;

use super::{Like, Matches, Net};

/// The longest text taken as a pattern.
pub(crate) const BYTES_MAX: usize = 256 * 1024;
/// How deep brackets nest; deeper ones would only serve to exhaust the stack.
pub(crate) const DEPTH_MAX: usize = 64;
/// How many tests a pattern has.
pub(crate) const TESTS_MAX: usize = 10_000;
/// How many parts follow each other: each takes some of the stack when it is looked for.
pub(crate) const CHAIN_MAX: usize = 64;
/// How many steps a path has: each may be a hop along a reference, so this also ends every cycle.
pub(crate) const STEPS_MAX: usize = 32;
/// How many values a set has.
pub(crate) const SET_MAX: usize = 100_000;
/// How often one expression is asked to repeat.
pub(crate) const REPEATS_MAX: u32 = 1_000_000;

/// A pattern that was parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub root: Expression,
}

/// What is asked of observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// `[…]`: one observation in which this holds.
    Test(Comparison),
    /// Different observations, one for each part.
    And(Vec<Expression>),
    Or(Vec<Expression>),
    /// All of a part come not after all of the next ones.
    FollowedBy(Vec<Expression>),
    Repeats(Box<Expression>, u32),
    /// Within so many microseconds.
    Within(Box<Expression>, i64),
    /// From the first moment, included, to the second, excluded.
    StartStop(Box<Expression>, i64, i64),
}

/// What is asked of one object of an observation.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// All of the same object.
    And(Vec<Comparison>),
    Or(Vec<Comparison>),
    Test(PropertyTest),
    Exists {
        path: Path,
        negated: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct PropertyTest {
    pub path: Path,
    pub negated: bool,
    pub operator: Operator,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    Equal(Literal),
    NotEqual(Literal),
    Order(Order, Literal),
    In(Vec<Literal>),
    Like(Like),
    Matches(Matches),
    Subset(Net),
    Superset(Net),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A constant in a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Integer(i128),
    Float(f64),
    Text(String),
    Bool(bool),
    /// `h''` and `b''`; how it was written is not kept.
    Bytes(Vec<u8>),
    /// Microseconds since 1970.
    Time(i64),
}

/// `type:key.key[0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub object: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(i64),
    Any,
}

impl Path {
    /// What the bytes of a text at the end of this path are written in, by the ending of its name.
    pub(crate) fn encoding(&self) -> Encoding {
        match self.steps.last() {
            Some(Step::Key(key)) if key.ends_with("_hex") => Encoding::Hex,
            Some(Step::Key(key)) if key.ends_with("_bin") => Encoding::Base64,
            _ => Encoding::Plain,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Hex,
    Base64,
}

/// Why a text is no pattern, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Bytes before it.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// Characters, from 1.
    pub column: usize,
    pub what: String,
}

impl PatternError {
    pub(crate) fn new(source: &str, offset: usize, what: impl Into<String>) -> PatternError {
        let before = &source[..offset.min(source.len())];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        PatternError {
            offset,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what: what.into(),
        }
    }

    /// The reason in Japanese and English.
    pub fn words(&self) -> (String, String) {
        let (line, column) = (self.line, self.column);
        let ja = super::words::ja(&self.what).unwrap_or_else(|| self.what.clone());
        (format!("パターンの{line}行{column}文字目: {ja}"), self.to_string())
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pattern, line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for PatternError {}
