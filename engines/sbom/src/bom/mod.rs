//! One model of a bill of materials, whatever format it came in.
//!
//! Invariants: what the model has no field for stays in `rest`, in the words of the format it came
//! from ([`Bom::source`]), so that writing the same format again loses nothing; a field and `rest`
//! never say different things, since a writer takes the field and falls back on `rest` only where
//! the field is empty. Texts are kept as they were written (times, licences, purls): whoever needs
//! their meaning parses them.
//!
//! Absent here: any format. [`crate::cyclonedx`] and [`crate::spdx`] read into this model and write it.

mod component;
mod graph;
mod hash;
mod kind;
mod licence;
mod problem;

pub use component::{Component, Property, SourcePackage};
pub(crate) use component::{SOURCE_NAME, SOURCE_VERSION};
pub use graph::{Aggregate, Composition, Edge, EdgeKind};
pub use hash::{Algorithm, Hash};
pub use kind::Kind;
pub use licence::{Acknowledgement, Licence, LicenceForm};
pub use problem::{Place, Problem, Rule};

/// Members that the model has no field for, as JSON in the words of the source.
pub type Rest = serde_json::Map<String, serde_json::Value>;

/// A bill of materials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bom {
    /// The format it was read from.
    pub source: Source,
    /// What names this document for ever: CycloneDX `serialNumber`, SPDX namespace.
    pub serial: Option<String>,
    /// Which edition of the document, as CycloneDX counts them.
    pub edition: Option<u64>,
    /// When it was made, as it was written.
    pub created: Option<String>,
    /// What the document is about.
    pub subject: Option<Component>,
    /// Parts, nested where the document nests them.
    pub components: Vec<Component>,
    /// Who depends on, provides, contains whom.
    pub edges: Vec<Edge>,
    /// How complete the parts and edges are said to be.
    pub compositions: Vec<Composition>,
    /// Vulnerabilities and their analyses, in the words of CycloneDX.
    pub vulnerabilities: Vec<serde_json::Value>,
    /// Everything else of the document.
    pub rest: Rest,
}

/// The format a document was read from, or made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Source {
    /// Made by this crate; nothing stands in a foreign vocabulary.
    #[default]
    Made,
    /// CycloneDX and its minor version: 2 to 7. JSON and XML are one vocabulary.
    CycloneDx(u8),
    /// SPDX 2 and its minor version: 2 or 3.
    Spdx2(u8),
    /// SPDX 3.0.1.
    Spdx3,
}

impl Bom {
    /// Every component, the subject first, parents before their parts.
    pub fn walk(&self) -> impl Iterator<Item = &Component> {
        Walk { stack: self.subject.iter().chain(&self.components).rev().collect() }
    }

    /// How many components there are, nested ones too.
    pub fn count(&self) -> usize {
        self.walk().count()
    }

    /// The component that a reference names.
    pub fn find(&self, reference: &str) -> Option<&Component> {
        self.walk().find(|one| one.reference.as_deref() == Some(reference))
    }

    /// Whether the document itself says that parts are missing or that it does not know.
    /// Without any statement the answer is yes: silence is no promise.
    pub fn unknown_below(&self, reference: &str) -> bool {
        let said = |one: &&Composition| one.parts.iter().any(|part| part == reference);
        !self.compositions.iter().filter(said).any(|one| one.aggregate == Aggregate::Complete)
    }
}

/// Depth first without recursion: documents nest as deep as they like.
struct Walk<'a> {
    stack: Vec<&'a Component>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a Component;

    fn next(&mut self) -> Option<&'a Component> {
        let next = self.stack.pop()?;
        self.stack.extend(next.components.iter().rev());
        Some(next)
    }
}
