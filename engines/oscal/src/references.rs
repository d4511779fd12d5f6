//! References between and inside documents: what a `…-uuid`, a `#fragment`, a role or a control id leads to.

use std::collections::HashSet;

use crate::{
    check::{Finding, Rule, imports},
    document::{Document, Kind},
    node::Node,
    pointer::{self, Step},
};

/// References that must be satisfied in the document itself.
const OWN: [&str; 10] = [
    "party-uuid",
    "party-uuids",
    "location-uuids",
    "member-of-organizations",
    "risk-uuid",
    "observation-uuid",
    "finding-uuid",
    "response-uuid",
    "subject-placeholder-uuid",
    "leveraged-authorization-uuid",
];

/// References into a plan that was leveraged, which nobody has to have.
const LEVERAGED: [&str; 2] = ["provided-uuid", "responsibility-uuid"];

/// Where the targets lie.
#[derive(Default)]
struct Targets<'a> {
    uuids: HashSet<&'a str>,
    /// `id` members: controls, parts, parameters, groups, roles
    ids: HashSet<&'a str>,
    roles: HashSet<&'a str>,
}

impl<'a> Targets<'a> {
    fn collect(&mut self, document: &'a Document) {
        self.below(&document.root);
        let roles = document.body().and_then(|body| body.get("metadata"));
        let roles = roles.map_or(&[][..], |metadata| metadata.items_of("roles"));
        self.roles.extend(roles.iter().filter_map(|role| role.text_of("id")));
    }

    fn below(&mut self, node: &'a Node) {
        match node {
            Node::List(items) => items.iter().for_each(|item| self.below(item)),
            Node::Object(members) => {
                for (name, value) in members.iter() {
                    match (name, value) {
                        ("uuid", Node::Text(text)) => drop(self.uuids.insert(text)),
                        ("id", Node::Text(text)) => drop(self.ids.insert(text)),
                        _ => self.below(value),
                    }
                }
            }
            _ => {}
        }
    }
}

struct Checker<'a, 'f> {
    kind: Kind,
    own: Targets<'a>,
    all: Targets<'a>,
    /// Whether a catalogue is among the documents, so that control ids can be looked up
    catalog: bool,
    /// Whether targets may lie in an imported document that was not given
    open: bool,
    path: Vec<Step<'a>>,
    left: usize,
    findings: &'f mut Vec<Finding>,
}

pub(crate) fn check(
    document: &Document,
    others: &[&Document],
    left: usize,
    findings: &mut Vec<Finding>,
) {
    let (Some(kind), Some(body)) = (document.kind(), document.body()) else {
        return;
    };
    let (mut own, mut all) = (Targets::default(), Targets::default());
    own.collect(document);
    all.collect(document);
    others.iter().for_each(|other| all.collect(other));
    let catalog = others.iter().chain([&document]).any(|d| d.kind() == Some(Kind::Catalog));
    let open = imports(kind, body) && others.is_empty();
    let path = Vec::new();
    Checker { kind, own, all, catalog, open, path, left, findings }.below(&document.root);
}

impl<'a> Checker<'a, '_> {
    fn below(&mut self, node: &'a Node) {
        match node {
            Node::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(at));
                    self.below(item);
                    self.path.pop();
                }
            }
            Node::Object(members) => {
                for (name, value) in members.iter() {
                    self.path.push(Step::Member(name));
                    self.member(name, value);
                    self.below(value);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, name: &str, value: &'a Node) {
        if let Some(text) = value.text() {
            self.reference(name, text);
        }
        for (at, item) in value.items().iter().enumerate() {
            if let Some(text) = item.text() {
                self.path.push(Step::Item(at));
                self.reference(name, text);
                self.path.pop();
            }
        }
    }

    fn reference(&mut self, name: &str, text: &'a str) {
        let rule = match name {
            "href" | "source" if text.starts_with('#') => {
                let target = &text[1..];
                let there = self.all.uuids.contains(target) || self.all.ids.contains(target);
                self.judged(there, text, self.open)
            }
            "role-id" | "role-ids" => self.judged(self.all.roles.contains(text), text, self.open),
            "control-id" | "with-ids" | "statement-id" | "statement-ids" | "target-id"
            | "objective-id" => {
                self.judged(!self.catalog || self.all.ids.contains(text), text, false)
            }
            name if OWN.contains(&name) => self.judged(self.own.uuids.contains(text), text, false),
            name if LEVERAGED.contains(&name) => {
                self.judged(self.all.uuids.contains(text), text, true)
            }
            name if name.ends_with("-uuid") || name.ends_with("-uuids") => {
                let local = name == "activity-uuid" && self.kind == Kind::AssessmentPlan;
                self.judged(self.all.uuids.contains(text), text, self.open && !local)
            }
            _ => None,
        };
        if let Some(rule) = rule.filter(|_| self.left > 0) {
            self.left -= 1;
            self.findings.push(Finding { pointer: pointer::of(&self.path), rule });
        }
    }

    fn judged(&self, there: bool, text: &str, elsewhere: bool) -> Option<Rule> {
        match (there, elsewhere) {
            (true, _) => None,
            (false, true) => Some(Rule::Elsewhere(text.to_owned())),
            (false, false) => Some(Rule::Dangling(text.to_owned())),
        }
    }
}
