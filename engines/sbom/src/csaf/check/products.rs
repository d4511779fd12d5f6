//! Products and groups: defined, defined once, not by themselves, in states that fit each other.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Findings;
use crate::{
    advisory::{text, texts},
    csaf::{STATES, list, product_ids, products},
    purl::Purl,
    vers::Vers,
};

/// Members of the groups.
pub(super) fn groups(document: &Value) -> HashMap<String, Vec<String>> {
    let mut out = HashMap::new();
    let tree = document.get("product_tree").unwrap_or(&Value::Null);
    list(tree, "product_groups", |_, group| {
        out.insert(text(group, "group_id").unwrap_or_default(), texts(group, "product_ids"));
    });
    out
}

pub(super) fn check(document: &Value, out: &mut Findings) {
    let known = products(document);
    let mut ids = HashSet::new();
    for product in &known {
        // 6.1.2
        if !ids.insert(product.id.as_str()) {
            let what = format!("{:?} is defined already", product.id);
            out.say("6.1.2", format!("{}/product_id", product.pointer), what);
        }
    }
    references(document, &ids, out);
    circles(document, out);
    contradictions(document, out);
    identifiers(document, out);
    versions("/product_tree", document.get("product_tree"), 0, out);
}

/// 6.1.1, 6.1.4, 6.1.5
fn references(document: &Value, ids: &HashSet<&str>, out: &mut Findings) {
    let groups = groups(document);
    let product = |out: &mut Findings, id: &str, place: String| {
        if !ids.contains(id) {
            out.say("6.1.1", place, format!("no product is defined as {id:?}"));
        }
    };
    let tree = document.get("product_tree").unwrap_or(&Value::Null);
    let mut seen = HashSet::new();
    list(tree, "product_groups", |at, group| {
        let place = format!("/product_tree/product_groups/{at}");
        for (i, id) in texts(group, "product_ids").iter().enumerate() {
            product(out, id, format!("{place}/product_ids/{i}"));
        }
        let id = text(group, "group_id").unwrap_or_default();
        if !seen.insert(id.clone()) {
            out.say("6.1.5", format!("{place}/group_id"), format!("{id:?} is defined already"));
        }
    });
    list(tree, "relationships", |at, one| {
        for name in ["product_reference", "relates_to_product_reference"] {
            let place = format!("/product_tree/relationships/{at}/{name}");
            product(out, &text(one, name).unwrap_or_default(), place);
        }
    });
    list(document, "vulnerabilities", |at, one| {
        let place = format!("/vulnerabilities/{at}");
        for (state, ids) in
            one.get("product_status").and_then(Value::as_object).into_iter().flatten()
        {
            for (i, id) in
                ids.as_array().into_iter().flatten().filter_map(Value::as_str).enumerate()
            {
                product(out, id, format!("{place}/product_status/{state}/{i}"));
            }
        }
        for name in ["remediations", "threats", "flags", "scores", "metrics", "notes"] {
            list(one, name, |n, entry| {
                let member =
                    if matches!(name, "scores" | "metrics") { "products" } else { "product_ids" };
                for (i, id) in texts(entry, member).iter().enumerate() {
                    product(out, id, format!("{place}/{name}/{n}/{member}/{i}"));
                }
                for (i, id) in texts(entry, "group_ids").iter().enumerate() {
                    if !groups.contains_key(id) {
                        let place = format!("{place}/{name}/{n}/group_ids/{i}");
                        out.say("6.1.4", place, format!("no group is defined as {id:?}"));
                    }
                }
            });
        }
    });
}

/// 6.1.3: a product that is made of itself, by however many steps.
fn circles(document: &Value, out: &mut Findings) {
    let known = products(document);
    let made: HashMap<&str, [&str; 2]> = known
        .iter()
        .filter_map(|p| p.part_of.as_ref().map(|(a, b)| (p.id.as_str(), [a.as_str(), b.as_str()])))
        .collect();
    for product in known.iter().filter(|p| p.part_of.is_some()) {
        let mut open: Vec<&str> =
            made.get(product.id.as_str()).into_iter().flatten().copied().collect();
        let mut seen = HashSet::new();
        while let Some(next) = open.pop() {
            if next == product.id {
                let what = format!("{:?} is defined by itself", product.id);
                out.say("6.1.3", format!("{}/product_id", product.pointer), what);
                break;
            }
            if seen.insert(next) {
                open.extend(made.get(next).into_iter().flatten());
            }
        }
    }
}

/// 6.1.6: affected, not affected, fixed and under investigation exclude each other.
fn contradictions(document: &Value, out: &mut Findings) {
    list(document, "vulnerabilities", |at, one| {
        let mut said = HashMap::new();
        for (state, means) in &STATES {
            for (i, id) in product_ids(one, state).into_iter().enumerate() {
                let first = said.entry(id.clone()).or_insert((*state, means));
                if first.1 != means {
                    let what = format!("{id:?} is {} as well", first.0);
                    out.say(
                        "6.1.6",
                        format!("/vulnerabilities/{at}/product_status/{state}/{i}"),
                        what,
                    );
                }
            }
        }
    });
}

/// 6.1.13, 6.1.25
fn identifiers(document: &Value, out: &mut Findings) {
    for product in products(document) {
        let place = format!("{}/product_identification_helper", product.pointer);
        let Some(helper) = document.pointer(&place) else { continue };
        let mut purls: Vec<(String, String)> =
            text(helper, "purl").map(|p| ("/purl".to_owned(), p)).into_iter().collect();
        purls.extend(
            texts(helper, "purls").into_iter().enumerate().map(|(i, p)| (format!("/purls/{i}"), p)),
        );
        for (at, purl) in purls {
            if let Err(error) = Purl::parse(&purl) {
                out.say("6.1.13", format!("{place}{at}"), error.to_string());
            }
        }
        list(helper, "hashes", |at, file| {
            let mut seen = HashSet::new();
            list(file, "file_hashes", |i, hash| {
                let name = text(hash, "algorithm").unwrap_or_default();
                if !seen.insert(name.clone()) {
                    let place = format!("{place}/hashes/{at}/file_hashes/{i}");
                    out.say("6.1.25", place, format!("a hash by {name} stands there already"));
                }
            });
        });
    }
}

/// 6.1.31: a version is no range. The words are those that the test names.
fn versions(at: &str, value: Option<&Value>, depth: usize, out: &mut Findings) {
    const WORDS: [&str; 9] =
        ["all", "before", "later", "prior", "versions", "after", "earlier", "up to", "older"];
    let Some(value) = value.filter(|_| depth < 100) else { return };
    list(value, "branches", |index, branch| {
        let at = format!("{at}/branches/{index}");
        let name = text(branch, "name").unwrap_or_default().to_lowercase();
        if text(branch, "category").as_deref() == Some("product_version") {
            let words = name.split(|c: char| !c.is_alphanumeric());
            let word = words.clone().any(|w| WORDS.contains(&w)) || name.contains("up to");
            if word || name.contains(['<', '>']) || Vers::parse(&name).is_ok() {
                out.say(
                    "6.1.31",
                    format!("{at}/name"),
                    format!("{name:?} is a range, not a version"),
                );
            }
        }
        versions(&at, Some(branch), depth + 1, out);
    });
}
