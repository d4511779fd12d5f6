//! A document: one OSCAL model in JSON or YAML, whole.

use crate::{
    error::{Limits, ReadError},
    json,
    node::Node,
    yaml,
};

/// The models Ume knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Catalog,
    Profile,
    ComponentDefinition,
    SystemSecurityPlan,
    AssessmentPlan,
    AssessmentResults,
    PlanOfActionAndMilestones,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Catalog,
        Kind::Profile,
        Kind::ComponentDefinition,
        Kind::SystemSecurityPlan,
        Kind::AssessmentPlan,
        Kind::AssessmentResults,
        Kind::PlanOfActionAndMilestones,
    ];

    /// The name of the document's one member.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Catalog => "catalog",
            Kind::Profile => "profile",
            Kind::ComponentDefinition => "component-definition",
            Kind::SystemSecurityPlan => "system-security-plan",
            Kind::AssessmentPlan => "assessment-plan",
            Kind::AssessmentResults => "assessment-results",
            Kind::PlanOfActionAndMilestones => "plan-of-action-and-milestones",
        }
    }
}

/// How a document is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Yaml,
}

impl Form {
    /// What the bytes look like: JSON begins with `{`, and everything else is taken for YAML.
    pub fn of(bytes: &[u8]) -> Form {
        let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match body.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{') => Form::Json,
            _ => Form::Yaml,
        }
    }
}

/// A document with everything that was in it, known to Ume or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(crate) root: Node,
}

impl Document {
    /// Reads JSON or YAML, whichever it is, under the usual limits.
    pub fn read(bytes: &[u8]) -> Result<Document, ReadError> {
        Document::read_as(Form::of(bytes), bytes, &Limits::default())
    }

    pub fn read_as(form: Form, bytes: &[u8], limits: &Limits) -> Result<Document, ReadError> {
        let root = match form {
            Form::Json => json::read(bytes, limits),
            Form::Yaml => yaml::read(bytes, limits),
        };
        root.map(Document::from)
    }

    /// The document as text. Nothing is judged and nothing left out; see [`crate::check`].
    pub fn write(&self, form: Form) -> String {
        match form {
            Form::Json => json::write(&self.root),
            Form::Yaml => yaml::write(&self.root),
        }
    }

    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What a pointer names.
    pub fn at(&self, pointer: &str) -> Option<&Node> {
        self.root.at(pointer)
    }

    /// The same to change it; what stands around it stays.
    pub fn at_mut(&mut self, pointer: &str) -> Option<&mut Node> {
        self.root.at_mut(pointer)
    }

    /// The model of the document, if it is one of the seven.
    pub fn kind(&self) -> Option<Kind> {
        let members = self.root.members()?;
        Kind::ALL.into_iter().find(|kind| members.get(kind.name()).is_some())
    }

    /// The value of the document's one member.
    pub fn body(&self) -> Option<&Node> {
        self.root.get(self.kind()?.name())
    }

    /// The version of OSCAL the document says it follows.
    pub fn oscal_version(&self) -> Option<&str> {
        self.body()?.get("metadata")?.text_of("oscal-version")
    }

    /// Pointer to the first place where two documents differ as JSON.
    pub fn difference(&self, other: &Document) -> Option<String> {
        self.root.difference(&other.root)
    }
}

impl From<Node> for Document {
    fn from(root: Node) -> Document {
        Document { root }
    }
}
