//! The mandatory tests of CSAF 2.0, 6.1.1 to 6.1.33.
//!
//! Not judged: 6.1.11 knows the form of a weakness's number, not the list of names; 6.1.8 asks for what the
//! scores need (vector, score, severity), not for the whole schema of CVSS; 6.1.9 computes base scores.
//! 6.1.12 holds languages against the grammar of RFC 5646, not against the registry.
//!
//! # Limits
//! [`FINDINGS_MAX`] findings.

mod history;
mod products;
mod profile;
mod scores;

use std::collections::HashSet;

use serde_json::Value;

use super::list;
use crate::advisory::{text, texts};

/// How many findings are told of one document.
pub const FINDINGS_MAX: usize = 1000;

/// A test that a document does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `6.1.1` and so on.
    pub test: &'static str,
    /// RFC 6901 pointer.
    pub pointer: String,
    pub what: String,
}

/// Findings as they are gathered.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn say(&mut self, test: &'static str, pointer: impl Into<String>, what: impl Into<String>) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(Finding { test, pointer: pointer.into(), what: what.into() });
        }
    }
}

/// Holds a document against the mandatory tests.
pub fn check(document: &Value) -> Vec<Finding> {
    let mut out = Findings::default();
    products::check(document, &mut out);
    scores::check(document, &mut out);
    history::check(document, &mut out);
    profile::check(document, &mut out);
    language(document, &mut out);
    vulnerabilities(document, &mut out);
    out.0.sort_by(|a, b| (number(a.test), &a.pointer).cmp(&(number(b.test), &b.pointer)));
    out.0
}

fn number(test: &str) -> Vec<u32> {
    test.split('.').filter_map(|n| n.parse().ok()).collect()
}

fn of<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    document.pointer(pointer).and_then(Value::as_str)
}

/// 6.1.12, 6.1.15, 6.1.28
fn language(document: &Value, out: &mut Findings) {
    for name in ["lang", "source_lang"] {
        let pointer = format!("/document/{name}");
        if let Some(tag) = of(document, &pointer).filter(|t| !is_language(t)) {
            out.say("6.1.12", pointer, format!("{tag:?} is no language tag"));
        }
    }
    let source = of(document, "/document/source_lang");
    if of(document, "/document/publisher/category") == Some("translator") && source.is_none() {
        out.say("6.1.15", "/document/source_lang", "a translator says from which language it is");
    }
    if let (Some(own), Some(source)) = (of(document, "/document/lang"), source)
        && own.eq_ignore_ascii_case(source)
    {
        out.say("6.1.28", "/document/lang", "a translation is in another language than its source");
    }
}

/// The grammar of RFC 5646, without grandfathered tags but `i-` and `x-`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let letters = first.bytes().all(|b| b.is_ascii_alphabetic());
    let length = matches!(first.len(), 2 | 3 | 5..=8) || matches!(first, "i" | "x");
    let good = |p: &str| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric());
    // `qqq`-like texts are private use; a second primary language is none.
    letters && length && parts.all(good)
}

/// 6.1.11, 6.1.23, 6.1.24, 6.1.29, 6.1.32, 6.1.33
fn vulnerabilities(document: &Value, out: &mut Findings) {
    let groups = products::groups(document);
    let mut names: HashSet<String> = HashSet::new();
    list(document, "vulnerabilities", |at, one| {
        let place = format!("/vulnerabilities/{at}");
        if let Some(cve) = text(one, "cve")
            && !names.insert(cve.clone())
        {
            out.say("6.1.23", format!("{place}/cve"), format!("{cve} stands twice"));
        }
        let number = one.pointer("/cwe/id").and_then(Value::as_str);
        let well = |id: &str| {
            id.strip_prefix("CWE-").is_some_and(|n| {
                (1..=6).contains(&n.len())
                    && n.bytes().all(|b| b.is_ascii_digit())
                    && !n.starts_with('0')
            })
        };
        if let Some(id) = number.filter(|id| !well(id)) {
            out.say(
                "6.1.11",
                format!("{place}/cwe/id"),
                format!("{id:?} is no number of a weakness"),
            );
        }
        let mut parties = HashSet::new();
        list(one, "involvements", |i, party| {
            if !parties.insert((text(party, "party"), text(party, "date"))) {
                let place = format!("{place}/involvements/{i}");
                out.say("6.1.24", place, "the same party says something else of the same time");
            }
        });
        let mut flagged = HashSet::new();
        for (name, test) in [("remediations", "6.1.29"), ("flags", "6.1.32")] {
            list(one, name, |i, entry| {
                let (products, of_groups) =
                    (texts(entry, "product_ids"), texts(entry, "group_ids"));
                let place = format!("{place}/{name}/{i}");
                if products.is_empty() && of_groups.is_empty() {
                    out.say(test, &place, "it names neither product nor group");
                }
                if name == "flags" {
                    let members = of_groups.iter().filter_map(|g| groups.get(g)).flatten();
                    let own: HashSet<&String> = products.iter().chain(members).collect();
                    for product in own {
                        if !flagged.insert(product.clone()) {
                            let what = format!("{product:?} has a justification already");
                            out.say("6.1.33", &place, what);
                        }
                    }
                }
            });
        }
    });
}

/// Reads a document and holds it against the mandatory tests.
pub fn check_bytes(bytes: &[u8], limits: &crate::Limits) -> Result<Vec<Finding>, crate::Problem> {
    Ok(check(&crate::json::read(bytes, limits)?))
}
