//! CSAF 2.0 and 2.1: products and what vulnerabilities say of them.
//!
//! The document itself stays JSON; here are the questions that advisories, VEX and the mandatory tests ask.
//!
//! # Source
//! OASIS Common Security Advisory Framework, sections 3.1.3 and 3.2.

pub mod check;
pub(crate) mod cvss;

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    advisory::{Advisory, Affected, Bound, Package, Range, Read, Said, Span, text},
    bom::{Problem, Rule},
    cpe::Cpe,
    purl::Purl,
    vers::Vers,
    vex,
};

/// How deep branches lie in each other at most.
const DEPTH_MAX: usize = 100;

/// A product of the tree.
#[derive(Debug, Clone, Default)]
pub struct Product {
    pub id: String,
    pub name: String,
    pub purls: Vec<Purl>,
    pub cpe: Option<Cpe>,
    /// The branch `product_version` above it.
    pub version: Option<String>,
    /// The branch `product_version_range` above it.
    pub range: Option<String>,
    /// Of a relationship: what it is made of, and where it runs.
    pub part_of: Option<(String, String)>,
    /// Where it is defined.
    pub pointer: String,
}

/// Every definition of a product, in the order of the document; an id may stand several times.
pub fn products(document: &Value) -> Vec<Product> {
    let mut out = Vec::new();
    let Some(tree) = document.get("product_tree") else { return out };
    list(tree, "full_product_names", |at, one| {
        out.push(product(one, format!("/product_tree/full_product_names/{at}")));
    });
    branches(tree, "/product_tree", (None, None), 0, &mut out);
    list(tree, "relationships", |at, one| {
        let name = one.get("full_product_name").unwrap_or(&Value::Null);
        let mut made = product(name, format!("/product_tree/relationships/{at}/full_product_name"));
        made.part_of = Some((
            text(one, "product_reference").unwrap_or_default(),
            text(one, "relates_to_product_reference").unwrap_or_default(),
        ));
        out.push(made);
    });
    out
}

/// Version and range that the branches above give.
type Above = (Option<String>, Option<String>);

fn branches(value: &Value, at: &str, above: Above, depth: usize, out: &mut Vec<Product>) {
    if depth > DEPTH_MAX {
        return;
    }
    list(value, "branches", |index, branch| {
        let at = format!("{at}/branches/{index}");
        let mut above = above.clone();
        match branch.get("category").and_then(Value::as_str) {
            Some("product_version") => above.0 = text(branch, "name"),
            Some("product_version_range") => above.1 = text(branch, "name"),
            _ => {}
        }
        if let Some(one) = branch.get("product") {
            let mut made = product(one, format!("{at}/product"));
            (made.version, made.range) = above.clone();
            out.push(made);
        }
        branches(branch, &at, above, depth + 1, out);
    });
}

fn product(value: &Value, pointer: String) -> Product {
    let helper = value.get("product_identification_helper").unwrap_or(&Value::Null);
    let mut purls: Vec<String> = text(helper, "purl").into_iter().collect();
    purls.extend(crate::advisory::texts(helper, "purls"));
    Product {
        id: text(value, "product_id").unwrap_or_default(),
        name: text(value, "name").unwrap_or_default(),
        purls: purls.iter().filter_map(|p| Purl::parse_lenient(p).ok()).collect(),
        cpe: text(helper, "cpe").and_then(|c| Cpe::parse(&c).ok()),
        pointer,
        ..Product::default()
    }
}

pub(crate) fn list(value: &Value, name: &str, mut each: impl FnMut(usize, &Value)) {
    for (at, one) in value.get(name).and_then(Value::as_array).into_iter().flatten().enumerate() {
        each(at, one);
    }
}

/// The states of a vulnerability and what they say.
pub(crate) const STATES: [(&str, Said); 8] = [
    ("first_affected", Said::Affected),
    ("known_affected", Said::Affected),
    ("last_affected", Said::Affected),
    ("first_fixed", Said::Fixed),
    ("fixed", Said::Fixed),
    ("known_not_affected", Said::NotAffected),
    ("under_investigation", Said::Open),
    ("unknown", Said::Open),
];

/// One advisory for each vulnerability of a document.
pub(crate) fn advisories(document: &Value, out: &mut Read) {
    let tracking = document.pointer("/document/tracking").unwrap_or(&Value::Null);
    let Some(id) = text(tracking, "id") else {
        let what = "a CSAF document needs an id";
        out.problems.push(Problem::at("/document/tracking/id", Rule::Schema, what));
        return;
    };
    let products = products(document);
    let by_id: HashMap<&str, &Product> = products.iter().map(|p| (p.id.as_str(), p)).collect();
    list(document, "vulnerabilities", |at, one| {
        let mut affected = Vec::new();
        for (state, said) in &STATES {
            for product in product_ids(one, state) {
                let Some(known) = by_id.get(product.as_str()) else {
                    let place = format!("/vulnerabilities/{at}/product_status/{state}");
                    let what = format!("no product is defined as {product:?}");
                    out.problems.push(Problem::at(place, Rule::Dangling, what));
                    continue;
                };
                affected.extend(entries(known, &by_id, said));
            }
        }
        let name = text(one, "cve");
        let mut aliases: Vec<String> = name.iter().map(|_| id.clone()).collect();
        list(one, "ids", |_, i| aliases.extend(text(i, "text")));
        out.advisories.push(Advisory {
            id: name.unwrap_or_else(|| id.clone()),
            aliases,
            title: text(one, "title").or_else(|| {
                document.pointer("/document/title").and_then(Value::as_str).map(str::to_owned)
            }),
            published: text(tracking, "initial_release_date"),
            modified: text(tracking, "current_release_date"),
            affected,
            ..Advisory::default()
        });
    });
}

pub(crate) fn product_ids(vulnerability: &Value, state: &str) -> Vec<String> {
    vulnerability
        .get("product_status")
        .map(|s| crate::advisory::texts(s, state))
        .unwrap_or_default()
}

/// What a state says of a product, for each way in which the product is identified.
fn entries(product: &Product, by_id: &HashMap<&str, &Product>, said: &Said) -> Vec<Affected> {
    let (part, place) = match &product.part_of {
        Some((part, place)) => {
            (by_id.get(part.as_str()).copied(), by_id.get(place.as_str()).copied())
        }
        None => (None, None),
    };
    let of = |p: &Product| (!p.purls.is_empty() || p.cpe.is_some()).then(|| p.clone());
    let named = of(product).or_else(|| part.and_then(of)).unwrap_or_else(|| product.clone());
    let version = product.version.clone().or_else(|| part.and_then(|p| p.version.clone()));
    let range = product.range.clone().or_else(|| part.and_then(|p| p.range.clone()));
    // Where it runs says of which release of a distribution it is.
    let release = place.and_then(|p| p.cpe.as_ref()).and_then(|c| c.version().map(str::to_owned));
    let mut out = Vec::new();
    for purl in &named.purls {
        let mut package = Package::of(purl);
        if let Package::Distribution { release: slot @ None, distribution, .. } = &mut package {
            *slot = release.as_ref().map(|r| crate::advisory::release(distribution, r));
        }
        let version = with_epoch(purl).or_else(|| version.clone());
        out.push(entry(package, version, range.as_deref(), said));
    }
    if let (true, Some(cpe)) = (named.purls.is_empty(), &named.cpe) {
        let version = cpe.version().map(str::to_owned).or(version);
        out.push(entry(Package::Cpe(Box::new(cpe.versionless())), version, range.as_deref(), said));
    }
    out
}

/// The version of a package URL; of rpm with the epoch, which stands apart.
fn with_epoch(purl: &Purl) -> Option<String> {
    let version = purl.version.clone()?;
    match purl.qualifier("epoch").filter(|_| purl.kind == "rpm") {
        Some(epoch) => Some(format!("{epoch}:{version}")),
        None => Some(version),
    }
}

fn entry(package: Package, version: Option<String>, range: Option<&str>, said: &Said) -> Affected {
    let everything = Span { low: Bound::Open, high: Bound::Open };
    let (versions, ranges) = match (version, range) {
        (_, Some(range)) => (
            vec![],
            vec![match Vers::parse(range) {
                Ok(vers) => Range::Vers(vers),
                Err(_) => Range::Words(range.to_owned()),
            }],
        ),
        // A distribution that says where something is fixed says it of everything before.
        (Some(version), None)
            if *said == Said::Fixed && matches!(package, Package::Distribution { .. }) =>
        {
            let below = Span { low: Bound::Open, high: Bound::Beyond(version) };
            return Affected {
                package,
                versions: vec![],
                ranges: vec![Range::Span(below)],
                said: Said::Affected,
            };
        }
        (Some(version), None) => (vec![version], vec![]),
        (None, None) => (vec![], vec![Range::Span(everything)]),
    };
    Affected { package, versions, ranges, said: said.clone() }
}

/// The statements of a document, of whatever profile.
pub(crate) fn statements(document: &Value, out: &mut vex::Read) {
    let products = products(document);
    let by_id: HashMap<&str, &Product> = products.iter().map(|p| (p.id.as_str(), p)).collect();
    let of = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let author = of("/document/publisher/name").unwrap_or("CSAF").to_owned();
    let made = of("/document/tracking/current_release_date").map(str::to_owned);
    list(document, "vulnerabilities", |at, one| {
        let mut names: Vec<String> = text(one, "cve").into_iter().collect();
        list(one, "ids", |_, i| names.extend(text(i, "text")));
        for (state, said) in &STATES {
            for id in product_ids(one, state) {
                let Some(product) = by_id.get(id.as_str()) else {
                    let place = format!("/vulnerabilities/{at}/product_status/{state}");
                    let what = format!("no product is defined as {id:?}");
                    out.problems.push(Problem::at(place, Rule::Dangling, what));
                    continue;
                };
                let justification = words(one, "flags", "label", &id);
                let impact = words(one, "threats", "details", &id);
                let action = words(one, "remediations", "details", &id);
                for (name, product) in names
                    .iter()
                    .flat_map(|n| identities(product, &by_id).into_iter().map(move |p| (n, p)))
                {
                    out.statements.push(vex::Statement {
                        advisory: name.clone(),
                        product,
                        status: match said {
                            Said::Affected => vex::Status::Affected,
                            Said::Fixed => vex::Status::Fixed,
                            Said::NotAffected => vex::Status::NotAffected,
                            Said::Open => vex::Status::UnderInvestigation,
                        },
                        original: (*state).to_owned(),
                        justification: justification.clone(),
                        impact: impact.clone(),
                        action: action.clone(),
                        author: author.clone(),
                        at: made.clone(),
                    });
                }
            }
        }
    });
}

/// What a list says of a product, if it names it.
fn words(vulnerability: &Value, name: &str, member: &str, product: &str) -> Option<String> {
    let mut found = None;
    list(vulnerability, name, |_, one| {
        if found.is_none()
            && crate::advisory::texts(one, "product_ids").iter().any(|p| p == product)
        {
            found = text(one, member);
        }
    });
    found
}

fn identities(product: &Product, by_id: &HashMap<&str, &Product>) -> Vec<vex::Product> {
    let part = product.part_of.as_ref().and_then(|(part, _)| by_id.get(part.as_str()).copied());
    let named = [Some(product), part].into_iter().flatten();
    let mut named = named.filter(|p| !p.purls.is_empty() || p.cpe.is_some());
    let Some(named) = named.next() else { return vec![vex::Product::Name(product.name.clone())] };
    let mut out: Vec<_> = named.purls.iter().cloned().map(vex::Product::Purl).collect();
    if let (true, Some(cpe)) = (out.is_empty(), &named.cpe) {
        out.push(vex::Product::Cpe(cpe.to_string()));
    }
    out
}
