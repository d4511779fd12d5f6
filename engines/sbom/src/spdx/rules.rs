//! What an SPDX 2 document has to be: its schema, unique identifiers, no dangling ones.

use std::collections::HashMap;

use serde_json::Value;

use crate::bom::{Problem, Rule};
use crate::schema;

/// Everything that is wrong, up to `max` problems.
pub(super) fn check(value: &Value, max: usize) -> Vec<Problem> {
    let problems = schema::check(super::schema(), value, max);
    if problems.is_empty() { references(value, max) } else { problems }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn references(value: &Value, max: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut known: HashMap<&str, String> = HashMap::from([("SPDXRef-DOCUMENT", String::new())]);
    for name in ["packages", "files", "snippets"] {
        for (index, one) in list(value, name) {
            let Some(id) = one.get("SPDXID").and_then(Value::as_str) else { continue };
            let pointer = format!("/{name}/{index}/SPDXID");
            if let Some(first) = known.get(id) {
                let what = format!("{id} stands at {first} already");
                problems.push(Problem::at(pointer, Rule::Unique, what));
            } else {
                known.insert(id, pointer);
            }
        }
    }
    let mut names = |text: Option<&str>, pointer: String| {
        let Some(text) = text else { return };
        let elsewhere = text.starts_with("DocumentRef-") || matches!(text, "NONE" | "NOASSERTION");
        if !elsewhere && !known.contains_key(text) {
            let what = format!("{text:?} names nothing in this document");
            problems.push(Problem::at(pointer, Rule::Dangling, what));
        }
    };
    for (index, one) in list(value, "relationships") {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            let text = one.get(end).and_then(Value::as_str);
            names(text, format!("/relationships/{index}/{end}"));
        }
    }
    for (index, one) in list(value, "documentDescribes") {
        names(one.as_str(), format!("/documentDescribes/{index}"));
    }
    for (index, one) in list(value, "packages") {
        for (at, file) in list(one, "hasFiles") {
            names(file.as_str(), format!("/packages/{index}/hasFiles/{at}"));
        }
    }
    for (index, one) in list(value, "snippets") {
        let text = one.get("snippetFromFile").and_then(Value::as_str);
        names(text, format!("/snippets/{index}/snippetFromFile"));
    }
    problems.truncate(max);
    problems
}
