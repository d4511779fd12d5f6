//! CycloneDX VEX, in: `vulnerabilities[].analysis`, with products by `bom-ref` or BOM-Link.

use std::collections::HashMap;

use serde_json::Value;

use super::{Product, Read, Statement, Status};
use crate::{
    advisory::text,
    bom::{Problem, Rule},
    csaf::list,
    purl::Purl,
};

/// The states of an analysis, and what they mean.
pub(super) const STATES: [(&str, Status); 6] = [
    ("resolved", Status::Fixed),
    ("resolved_with_pedigree", Status::Fixed),
    ("exploitable", Status::Affected),
    ("in_triage", Status::UnderInvestigation),
    ("false_positive", Status::NotAffected),
    ("not_affected", Status::NotAffected),
];

pub(super) fn read(document: &Value, out: &mut Read) {
    let mut known = HashMap::new();
    if let Some(subject) = document.pointer("/metadata/component") {
        collect(subject, 0, &mut known);
    }
    list(document, "components", |_, one| collect(one, 0, &mut known));
    let author = document
        .pointer("/metadata/supplier/name")
        .or_else(|| document.pointer("/metadata/authors/0/name"))
        .and_then(Value::as_str)
        .unwrap_or("CycloneDX");
    let made = document.pointer("/metadata/timestamp").and_then(Value::as_str);
    list(document, "vulnerabilities", |at, one| {
        let analysis = one.get("analysis").unwrap_or(&Value::Null);
        // Without an analysis it is a finding, not a statement.
        let Some(original) = text(analysis, "state") else { return };
        let place = format!("/vulnerabilities/{at}");
        let Some((_, status)) = STATES.iter().find(|(name, _)| *name == original) else {
            let what = "it is none of the states of an analysis";
            out.problems.push(Problem::at(place + "/analysis/state", Rule::Schema, what));
            return;
        };
        let Some(advisory) = text(one, "id") else {
            out.problems.push(Problem::at(
                place + "/id",
                Rule::Schema,
                "a vulnerability needs an id",
            ));
            return;
        };
        let mut names = vec![advisory];
        list(one, "references", |_, r| names.extend(text(r, "id")));
        let responses = crate::advisory::texts(analysis, "response").join(", ");
        list(one, "affects", |_, target| {
            let Some(reference) = text(target, "ref") else { return };
            for name in &names {
                out.statements.push(Statement {
                    advisory: name.clone(),
                    product: product(&reference, &known),
                    status: *status,
                    original: original.clone(),
                    justification: text(analysis, "justification"),
                    impact: text(analysis, "detail"),
                    action: Some(responses.clone()).filter(|r| !r.is_empty()),
                    author: author.to_owned(),
                    at: text(analysis, "lastUpdated").or_else(|| made.map(str::to_owned)),
                });
            }
        });
    });
}

/// References of components and the package URLs behind them.
fn collect(component: &Value, depth: usize, known: &mut HashMap<String, String>) {
    const DEPTH_MAX: usize = 100;
    if let (Some(reference), Some(purl)) = (text(component, "bom-ref"), text(component, "purl")) {
        known.insert(reference, purl);
    }
    if depth < DEPTH_MAX {
        list(component, "components", |_, one| collect(one, depth + 1, known));
    }
}

fn product(reference: &str, known: &HashMap<String, String>) -> Product {
    // A BOM-Link names the component behind the hash, percent-encoded.
    let local = reference.strip_prefix("urn:cdx:").and_then(|l| l.split_once('#'));
    let decoded = local.and_then(|(_, l)| crate::purl::decode(l).ok());
    let name = decoded.as_deref().unwrap_or(reference);
    let purl = known.get(name).map(String::as_str).unwrap_or(name);
    match Purl::parse_lenient(purl) {
        Ok(purl) => Product::Purl(purl),
        Err(_) => Product::Name(reference.to_owned()),
    }
}
