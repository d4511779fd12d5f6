//! Documents from plain structs: what an ISMS knows, as OSCAL 1.2.1.
//!
//! Every UUID derives from [`About::namespace`] and an id of the caller's: the same input makes the same
//! document, byte for byte. A document that would break a rule is not made; [`Refused`] says where and why.

mod assessment;
mod build;
mod catalog;
mod component;
mod plan;

pub use assessment::{
    Activity, Assurance, Gap, Gaps, Outcome, Plan, Rating, Results, Risk, RiskState, Task, Verdict,
    assessment_plan, assessment_results, plan_of_action,
};
pub use catalog::{Control, Group, Objective, catalog, profile};
pub use component::{Capability, Component, Requirement, component_definition};
pub use plan::{
    Driver, Evidence, Exclusion, Information, Inherited, Provided, Provider, Responsibility, Row,
    Satisfied, Sharing, Statement, Status, System, system_security_plan,
};

use uuid::Uuid;

use crate::{
    check::{Finding, check},
    document::Document,
    uuid_v5,
};
use build::Build;

/// The version written into every export.
pub const OSCAL_VERSION: &str = "1.2.1";

/// A text in both languages; where one is empty the other stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub ja: String,
    pub en: String,
}

impl Words {
    pub fn new(ja: impl Into<String>, en: impl Into<String>) -> Words {
        Words { ja: ja.into(), en: en.into() }
    }
}

/// The language of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Ja,
    En,
}

impl Tongue {
    pub(crate) fn of(self, words: &Words) -> &str {
        let (first, second) = match self {
            Tongue::Ja => (&words.ja, &words.en),
            Tongue::En => (&words.en, &words.ja),
        };
        if first.is_empty() { second } else { first }
    }

    /// The other language: its name and text, where it says something of its own.
    pub(crate) fn other(self, words: &Words) -> Option<(&'static str, &str)> {
        let (name, text) = match self {
            Tongue::Ja => ("en", &words.en),
            Tongue::En => ("ja", &words.ja),
        };
        (!text.is_empty() && text != self.of(words)).then_some((name, text))
    }
}

/// A person or organisation that documents refer to by `id`.
#[derive(Clone, Debug)]
pub struct Party {
    pub id: String,
    pub name: String,
    pub organisation: bool,
}

/// What every document says about itself.
#[derive(Clone, Debug)]
pub struct About {
    /// UUIDs derive from it: one per organisation, kept for ever
    pub namespace: Uuid,
    /// URI under which the names of the exporting program's own properties stand
    pub vocabulary: String,
    pub tongue: Tongue,
    pub title: Words,
    pub version: String,
    /// RFC 3339 with zone
    pub last_modified: String,
    /// `id` of the party that answers for the document
    pub publisher: String,
    pub parties: Vec<Party>,
}

impl About {
    /// The UUID of a thing: what it is, and the caller's id of it.
    pub fn uuid(&self, what: &str, id: &str) -> Uuid {
        uuid_v5(&self.namespace, &format!("{what}/{id}"))
    }
}

/// A document that breaks rules, and was therefore not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} breaks a rule: {}", .0[0].pointer, .0[0].rule.en())]
pub struct Refused(pub Vec<Finding>);

/// Gives the document out if nothing in it is wrong.
fn judged(name: &str, body: Build) -> Result<Document, Refused> {
    let document = Document::from(Build::new().node(name, body.done()).done());
    let mut findings = check(&document, &[]);
    findings.retain(|finding| !finding.rule.is_open());
    if findings.is_empty() { Ok(document) } else { Err(Refused(findings)) }
}
