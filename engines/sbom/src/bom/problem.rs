//! What is wrong with a document, and where.

use std::fmt;

/// Where in the input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// RFC 6901 pointer into a JSON document; empty for the whole.
    Pointer(String),
    /// Line, from 1, of a text that is no JSON, or of JSON that could not be read.
    Line(usize),
    /// Line and pointer: an XML document, whose content has a pointer too.
    Both(usize, String),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Pointer(pointer) if pointer.is_empty() => out.write_str("/"),
            Place::Pointer(pointer) => out.write_str(pointer),
            Place::Line(line) => write!(out, "line {line}"),
            Place::Both(line, pointer) => write!(out, "line {line}, {pointer}"),
        }
    }
}

/// The kind of rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The bytes are no document of any format that is read here.
    Format,
    /// No JSON, no XML, no tag-value text.
    Syntax,
    /// A limit of this crate.
    Limit,
    /// The schema of the format.
    Schema,
    /// Two things bear one reference.
    Unique,
    /// A reference names nothing.
    Dangling,
    /// A version range on a component that is not external, or beside a version.
    VersionRange,
    /// A licence expression that is none.
    Licence,
    /// A cycle in a containment that has to be a tree.
    Cycle,
}

impl Rule {
    /// For people and machines.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Format => "format",
            Rule::Syntax => "syntax",
            Rule::Limit => "limit",
            Rule::Schema => "schema",
            Rule::Unique => "unique",
            Rule::Dangling => "dangling",
            Rule::VersionRange => "version-range",
            Rule::Licence => "licence",
            Rule::Cycle => "cycle",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// Which rule.
    pub rule: Rule,
    /// What, in words that say what was found and what belongs there.
    pub what: String,
}

impl Problem {
    /// At a pointer.
    pub fn at(pointer: impl Into<String>, rule: Rule, what: impl Into<String>) -> Problem {
        Problem { place: Place::Pointer(pointer.into()), rule, what: what.into() }
    }

    /// At a line.
    pub fn line(line: usize, rule: Rule, what: impl Into<String>) -> Problem {
        Problem { place: Place::Line(line), rule, what: what.into() }
    }
}
