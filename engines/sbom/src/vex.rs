//! VEX: what somebody decided about an advisory and a product, in and out, and how long that holds.
//!
//! # Invariants
//! - A statement keeps the status as it was written ([`Statement::original`]) beside what it means here.
//! - A statement speaks of the products that it names: without version of all, with one of that version only.
//! - A decision of ours is keyed by package URL without version, advisory and reason: upgrades leave it
//!   standing. It ends by time, or when the fact it rests on is no longer what it was.
//!
//! # Sources
//! OpenVEX 0.2.0; CycloneDX `vulnerabilities[].analysis`; CSAF 2.0 profile VEX (section 4.5) and 2.1.

mod cyclonedx;
mod decision;
mod openvex;
mod write;

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    advisory::Advisory,
    bom::{Problem, Rule},
    judge::{State, Subject},
    limits::Limits,
    purl::Purl,
};

pub use decision::{Decision, Standing, standing};
pub use write::{Document, Form, write};

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    NotAffected,
    Affected,
    Fixed,
    UnderInvestigation,
}

impl Status {
    /// The word of OpenVEX.
    pub fn name(self) -> &'static str {
        match self {
            Status::NotAffected => "not_affected",
            Status::Affected => "affected",
            Status::Fixed => "fixed",
            Status::UnderInvestigation => "under_investigation",
        }
    }

    /// What it means for a verdict.
    pub fn state(self) -> State {
        match self {
            Status::NotAffected | Status::Fixed => State::NotAffected,
            Status::Affected => State::Affected,
            Status::UnderInvestigation => State::Unknown,
        }
    }
}

/// Why something is not affected: the words of OpenVEX and CSAF.
pub const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// One statement about one product.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// CVE, GHSA or another name of the weakness.
    pub advisory: String,
    pub product: Product,
    pub status: Status,
    /// The status as the document writes it.
    pub original: String,
    pub justification: Option<String>,
    /// In words: why it has no impact, or what to do.
    pub impact: Option<String>,
    pub action: Option<String>,
    /// Who says so.
    pub author: String,
    /// When, as it was written.
    pub at: Option<String>,
}

/// Of what a statement speaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Product {
    /// With a version: of that version only.
    Purl(Purl),
    Cpe(String),
    /// `sha256:…`
    Hash(String),
    /// Some other name; it matches nothing here and is kept.
    Name(String),
}

impl Statement {
    /// The reason in the words of the statement.
    pub fn reason_text(&self) -> String {
        let first = self.justification.clone().or_else(|| self.impact.clone());
        first.or_else(|| self.action.clone()).unwrap_or_else(|| self.original.clone())
    }
}

/// What a file held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    pub statements: Vec<Statement>,
    pub problems: Vec<Problem>,
}

/// Reads a VEX document: OpenVEX, CycloneDX JSON with vulnerabilities, CSAF.
pub fn read(bytes: &[u8], limits: &Limits) -> Read {
    let mut out = Read::default();
    match crate::json::read(bytes, limits) {
        Ok(value) => read_value(&value, &mut out),
        Err(problem) => out.problems.push(problem),
    }
    out
}

fn read_value(value: &Value, out: &mut Read) {
    let context = value.get("@context").and_then(Value::as_str).unwrap_or_default();
    if context.starts_with("https://openvex.dev/") {
        openvex::read(value, out);
    } else if value.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
        cyclonedx::read(value, out);
    } else if value.pointer("/document/csaf_version").is_some() {
        crate::csaf::statements(value, out);
    } else {
        let what = "neither OpenVEX, CycloneDX nor CSAF";
        out.problems.push(Problem::at("", Rule::Format, what));
    }
}

/// Statements, found by advisory.
pub(crate) struct Book<'a>(HashMap<&'a str, Vec<&'a Statement>>);

impl<'a> Book<'a> {
    pub(crate) fn new(statements: &'a [Statement]) -> Book<'a> {
        let mut book: HashMap<&str, Vec<&Statement>> = HashMap::new();
        for statement in statements {
            book.entry(&statement.advisory).or_default().push(statement);
        }
        Book(book)
    }

    /// The statement about subject and advisory: the latest, and of those without time the last.
    pub(crate) fn on(&self, subject: &Subject, advisory: &Advisory) -> Option<&'a Statement> {
        let names = [&advisory.id].into_iter().chain(&advisory.aliases);
        let all = names.filter_map(|name| self.0.get(name.as_str())).flatten().copied();
        let mut found: Option<&Statement> = None;
        for statement in all.filter(|s| s.product.is(subject)) {
            if found.is_none_or(|f| f.at <= statement.at) {
                found = Some(statement);
            }
        }
        found
    }
}

impl Product {
    /// Whether a subject is this product.
    pub fn is(&self, subject: &Subject) -> bool {
        match self {
            Product::Purl(purl) => {
                let own = subject.purl.as_ref();
                own.is_some_and(|own| {
                    let qualifiers =
                        purl.qualifiers.iter().all(|(k, v)| own.qualifier(k) == Some(v));
                    let version = purl.version.is_none() || purl.version == own.version;
                    purl.versionless() == own.versionless() && version && qualifiers
                })
            }
            Product::Cpe(cpe) => crate::cpe::Cpe::parse(cpe).is_ok_and(|cpe| {
                use crate::cpe::Relation::{Equal, Superset};
                subject.cpes.iter().any(|own| matches!(cpe.relation(own), Equal | Superset))
            }),
            Product::Hash(hash) => subject.hashes.contains(&hash.to_ascii_lowercase()),
            Product::Name(_) => false,
        }
    }
}
