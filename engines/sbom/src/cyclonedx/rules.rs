//! What a CycloneDX document has to be: the schema, and what a schema cannot say.
//!
//! References are unique over the whole document, and those of dependencies, compositions and
//! affected parts name something in it or are BOM-Links. A version range stands on external
//! components only, and never beside a version.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::schemas;
use crate::bom::{Problem, Rule};
use crate::json::Path;
use crate::schema;

/// Everything that is wrong, up to `max` problems.
pub(super) fn check(value: &Value, minor: u8, max: usize) -> Vec<Problem> {
    let mut problems = schema::check(schemas::json(minor), value, max);
    if problems.is_empty() {
        problems = beyond(value, max);
    }
    problems
}

/// What no schema says.
pub(super) fn beyond(value: &Value, max: usize) -> Vec<Problem> {
    let mut rules = Rules { known: HashMap::new(), problems: Vec::new(), max };
    rules.walk(value, &Path::Root);
    rules.references(value);
    rules.problems
}

struct Rules<'a> {
    /// Reference and where it stands.
    known: HashMap<&'a str, String>,
    problems: Vec<Problem>,
    max: usize,
}

impl<'a> Rules<'a> {
    fn say(&mut self, pointer: String, rule: Rule, what: String) {
        if self.problems.len() < self.max {
            self.problems.push(Problem::at(pointer, rule, what));
        }
    }

    fn walk(&mut self, value: &'a Value, path: &Path<'_>) {
        match value {
            Value::Array(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.walk(item, &Path::Index(path, index));
                }
            }
            Value::Object(members) => {
                self.reference(members, path);
                let name = |path: &Path<'_>| matches!(path, Path::Name(_, "component"));
                let list = |path: &Path<'_>| match path {
                    Path::Index(Path::Name(_, "components"), _) => true,
                    path => name(path),
                };
                if list(path) {
                    self.version_range(members, path);
                }
                for (name, member) in members {
                    self.walk(member, &Path::Name(path, name));
                }
            }
            _ => {}
        }
    }

    fn reference(&mut self, members: &'a Map<String, Value>, path: &Path<'_>) {
        let Some(reference) = members.get("bom-ref").and_then(Value::as_str) else { return };
        let pointer = Path::Name(path, "bom-ref").pointer();
        if let Some(first) = self.known.get(reference) {
            let what = format!("the reference {reference:?} stands at {first} already");
            self.say(pointer, Rule::Unique, what);
        } else {
            self.known.insert(reference, pointer);
        }
    }

    fn version_range(&mut self, members: &Map<String, Value>, path: &Path<'_>) {
        if !members.contains_key("versionRange") {
            return;
        }
        let pointer = Path::Name(path, "versionRange").pointer();
        if members.get("isExternal") != Some(&Value::Bool(true)) {
            let what = "a version range stands on external components only (isExternal: true)";
            self.say(pointer, Rule::VersionRange, what.into());
        } else if members.contains_key("version") {
            let what = "a component has a version or a version range, not both";
            self.say(pointer, Rule::VersionRange, what.into());
        }
    }

    fn references(&mut self, value: &'a Value) {
        let lists = [
            ("dependencies", &["ref"][..], &["dependsOn", "provides"][..]),
            ("compositions", &[], &["assemblies", "dependencies", "vulnerabilities"]),
            ("annotations", &[], &["subjects"]),
        ];
        for (list, texts, arrays) in lists {
            let items = value.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let mut seen = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                for name in texts {
                    if let Some(text) = item.get(name).and_then(Value::as_str) {
                        self.names(text, || format!("/{list}/{index}/{name}"));
                        if !seen.insert(text) {
                            let what = format!("the dependencies of {text:?} are listed already");
                            self.say(format!("/{list}/{index}/{name}"), Rule::Unique, what);
                        }
                    }
                }
                for name in arrays {
                    let texts = item.get(name).and_then(Value::as_array);
                    for (at, text) in texts.into_iter().flatten().enumerate() {
                        let text = text.as_str().unwrap_or_default();
                        self.names(text, || format!("/{list}/{index}/{name}/{at}"));
                    }
                }
            }
        }
        let list = value.get("vulnerabilities").and_then(Value::as_array);
        for (index, one) in list.into_iter().flatten().enumerate() {
            let affects = one.get("affects").and_then(Value::as_array);
            for (at, one) in affects.into_iter().flatten().enumerate() {
                if let Some(text) = one.get("ref").and_then(Value::as_str) {
                    self.names(text, || format!("/vulnerabilities/{index}/affects/{at}/ref"));
                }
            }
        }
    }

    fn names(&mut self, text: &str, pointer: impl Fn() -> String) {
        // A BOM-Link names something in another document.
        if !self.known.contains_key(text) && !text.starts_with("urn:cdx:") {
            let what = format!("{text:?} names nothing in this document");
            self.say(pointer(), Rule::Dangling, what);
        }
    }
}
