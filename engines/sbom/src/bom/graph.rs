//! Edges between components, and how complete the document says it is.

use super::Rest;

/// What one component has to do with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// Needs them: CycloneDX `dependsOn`, SPDX `DEPENDS_ON`.
    DependsOn,
    /// Implements what they specify: CycloneDX `provides`.
    Provides,
    /// Holds them: SPDX `CONTAINS`.
    Contains,
    /// The document describes them: SPDX `DESCRIBES`.
    Describes,
    /// In the words of SPDX: `BUILD_TOOL_OF`, `hasDeclaredLicense`.
    Other(String),
}

/// Edges from one component to others.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Where they begin.
    pub from: String,
    /// What they say.
    pub kind: EdgeKind,
    /// Where they end; empty means "known to have none".
    pub to: Vec<String>,
    /// Whether the format wrote them into the same entry as the edge before.
    pub joined: bool,
    /// Everything else of the entry.
    pub rest: Rest,
}

impl Edge {
    /// `from` needs `to`.
    pub fn depends(from: impl Into<String>, to: Vec<String>) -> Edge {
        Edge { from: from.into(), kind: EdgeKind::DependsOn, to, joined: false, rest: Rest::new() }
    }
}

/// How much of the whole is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// All of it.
    Complete,
    /// Parts are known to be missing.
    Incomplete,
    /// Only first-party parts are listed.
    IncompleteFirstPartyOnly,
    /// Only proprietary first-party parts are listed.
    IncompleteFirstPartyProprietaryOnly,
    /// Only open-source first-party parts are listed.
    IncompleteFirstPartyOpensourceOnly,
    /// Only third-party parts are listed.
    IncompleteThirdPartyOnly,
    /// Only proprietary third-party parts are listed.
    IncompleteThirdPartyProprietaryOnly,
    /// Only open-source third-party parts are listed.
    IncompleteThirdPartyOpensourceOnly,
    /// The maker knows that it does not know.
    Unknown,
    /// The maker says nothing.
    NotSpecified,
}

const AGGREGATES: [(Aggregate, &str); 10] = [
    (Aggregate::Complete, "complete"),
    (Aggregate::Incomplete, "incomplete"),
    (Aggregate::IncompleteFirstPartyOnly, "incomplete_first_party_only"),
    (Aggregate::IncompleteFirstPartyProprietaryOnly, "incomplete_first_party_proprietary_only"),
    (Aggregate::IncompleteFirstPartyOpensourceOnly, "incomplete_first_party_opensource_only"),
    (Aggregate::IncompleteThirdPartyOnly, "incomplete_third_party_only"),
    (Aggregate::IncompleteThirdPartyProprietaryOnly, "incomplete_third_party_proprietary_only"),
    (Aggregate::IncompleteThirdPartyOpensourceOnly, "incomplete_third_party_opensource_only"),
    (Aggregate::Unknown, "unknown"),
    (Aggregate::NotSpecified, "not_specified"),
];

impl Aggregate {
    /// As CycloneDX writes it.
    pub fn name(self) -> &'static str {
        AGGREGATES.iter().find(|(one, _)| *one == self).map_or("not_specified", |(_, name)| name)
    }

    /// The reverse of [`Aggregate::name`].
    pub fn named(name: &str) -> Option<Aggregate> {
        AGGREGATES.iter().find(|(_, one)| *one == name).map(|(one, _)| *one)
    }
}

/// A statement on completeness.
#[derive(Clone, Debug, PartialEq)]
pub struct Composition {
    /// What is said.
    pub aggregate: Aggregate,
    /// Of whose parts: CycloneDX `assemblies`.
    pub parts: Vec<String>,
    /// Of whose dependencies: CycloneDX `dependencies`.
    pub dependencies: Vec<String>,
    /// Everything else.
    pub rest: Rest,
}
