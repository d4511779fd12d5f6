//! A document against a compiled schema.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Additional, Node, Schema, kind};
use crate::bom::{Problem, Rule};
use crate::json::Path;

/// Everything that breaks the schema, up to `problems_max`.
pub(crate) fn check(schema: &Schema, value: &Value, problems_max: usize) -> Vec<Problem> {
    let mut check = Check { schema, problems: Vec::new(), problems_max };
    check.node(schema.root, value, &Path::Root);
    check.problems
}

struct Check<'a> {
    schema: &'a Schema,
    problems: Vec<Problem>,
    problems_max: usize,
}

/// The bit of a value's type; a number without fraction is an integer.
pub(super) fn kind_of(value: &Value) -> u8 {
    match value {
        Value::Null => kind::NULL,
        Value::Bool(_) => kind::BOOLEAN,
        Value::Number(n) if n.as_f64().is_some_and(|n| n.fract() != 0.0) => kind::NUMBER,
        Value::Number(_) => kind::INTEGER,
        Value::String(_) => kind::STRING,
        Value::Array(_) => kind::ARRAY,
        Value::Object(_) => kind::OBJECT,
    }
}

const KINDS: [(u8, &str); 7] = [
    (kind::NULL, "null"),
    (kind::BOOLEAN, "true or false"),
    (kind::INTEGER, "an integer"),
    (kind::NUMBER, "a number"),
    (kind::STRING, "a text"),
    (kind::ARRAY, "a list"),
    (kind::OBJECT, "an object"),
];

fn names(kinds: u8) -> String {
    let names = KINDS.iter().filter(|(bit, _)| kinds & bit != 0).map(|(_, name)| *name);
    // A number takes integers too; both words would say less.
    let skip = kinds & kind::NUMBER != 0;
    let names: Vec<&str> = names.filter(|name| !(skip && *name == "an integer")).collect();
    names.join(" or ")
}

/// What stands there, short.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(_) => return "a list".into(),
        Value::Object(_) => return "an object".into(),
        value => value.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Check<'_> {
    fn say(&mut self, path: &Path<'_>, what: impl FnOnce() -> String) {
        if self.problems.len() < self.problems_max {
            self.problems.push(Problem::at(path.pointer(), Rule::Schema, what()));
        }
    }

    fn full(&self) -> bool {
        self.problems.len() >= self.problems_max
    }

    fn node(&mut self, index: usize, value: &Value, path: &Path<'_>) {
        let schema = self.schema;
        let node = &schema.nodes[index];
        if let Some(target) = node.reference {
            return self.node(target, value, path);
        }
        if node.never {
            return self.say(path, || "nothing may stand here".into());
        }
        let found = kind_of(value);
        if node.kinds != 0 && node.kinds & found == 0 {
            return self
                .say(path, || format!("{} where {} belongs", shown(value), names(node.kinds)));
        }
        if let Some(values) = &node.values {
            let known = match value {
                Value::String(text) => node.texts.contains(text),
                value => values.contains(value),
            };
            if !known {
                self.say(path, || format!("{} is none of {}", shown(value), some_of(values)));
            }
        }
        match value {
            Value::String(text) => self.text(node, text, path),
            Value::Number(number) => self.number(node, number.as_f64(), path),
            Value::Array(list) => self.list(node, list, path),
            Value::Object(members) => self.object(node, members, path),
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(node, value, path);
    }

    fn text(&mut self, node: &Node, text: &str, path: &Path<'_>) {
        if node.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            let pattern = node.pattern.as_ref().map_or("", |pattern| pattern.as_str());
            self.say(path, || format!("{} does not match {pattern}", shown(&text.into())));
        }
        if let Some(format) = node.format.filter(|format| !format.fits(text)) {
            self.say(path, || format!("{} is no {}", shown(&text.into()), format.name()));
        }
        if node.length_min.is_none() && node.length_max.is_none() {
            return;
        }
        let length = text.chars().count() as u64;
        if node.length_min.is_some_and(|min| length < min) {
            self.say(path, || "the text is too short".into());
        }
        if node.length_max.is_some_and(|max| length > max) {
            self.say(path, || "the text is too long".into());
        }
    }

    fn number(&mut self, node: &Node, number: Option<f64>, path: &Path<'_>) {
        let Some(number) = number else { return };
        if let Some(minimum) = node.minimum.filter(|minimum| number < *minimum) {
            self.say(path, || format!("{number} is below {minimum}"));
        }
        if let Some(maximum) = node.maximum.filter(|maximum| number > *maximum) {
            self.say(path, || format!("{number} is above {maximum}"));
        }
    }

    fn list(&mut self, node: &Node, list: &[Value], path: &Path<'_>) {
        let count = list.len() as u64;
        if node.items_min.is_some_and(|min| count < min) {
            self.say(path, || "the list has too few items".into());
        }
        if node.items_max.is_some_and(|max| count > max) {
            self.say(path, || "the list has too many items".into());
        }
        for (index, item) in list.iter().enumerate() {
            if self.full() {
                return;
            }
            if let Some(schema) = node.tuple.get(index).copied().or(node.items) {
                self.node(schema, item, &Path::Index(path, index));
            }
        }
        if node.unique && list.len() > 1 {
            // Canonical texts: an item of a list may be large, but each is written once.
            let mut seen = HashSet::with_capacity(list.len());
            for (index, item) in list.iter().enumerate() {
                if !seen.insert(canonical(item)) {
                    self.say(&Path::Index(path, index), || "the item stands twice".into());
                }
            }
        }
        if let Some(holds) = node.holds
            && !list.iter().any(|item| self.fits(holds, item))
        {
            self.say(path, || "the list lacks an item that has to be there".into());
        }
    }

    fn object(&mut self, node: &Node, members: &Map<String, Value>, path: &Path<'_>) {
        for name in node.required.iter().filter(|name| !members.contains_key(*name)) {
            self.say(path, || format!("{name} is missing"));
        }
        for (name, others) in &node.dependent {
            for other in others {
                if members.contains_key(name) && !members.contains_key(other) {
                    self.say(path, || format!("{name} needs {other} beside it"));
                }
            }
        }
        for (name, value) in members {
            if self.full() {
                return;
            }
            let below = Path::Name(path, name);
            match (node.properties.get(name), &node.additional) {
                (Some(index), _) | (None, Additional::As(index)) => {
                    self.node(*index, value, &below);
                }
                (None, Additional::No) => {
                    self.say(&below, || "the format has no such member here".into());
                }
                (None, Additional::Any) => {}
            }
        }
    }

    fn combined(&mut self, node: &Node, value: &Value, path: &Path<'_>) {
        for index in &node.all {
            self.node(*index, value, path);
        }
        if !node.any.is_empty() && !node.any.iter().any(|index| self.fits(*index, value)) {
            self.nearest(&node.any, value, path);
        }
        if !node.one.is_empty() {
            match node.one.iter().filter(|index| self.fits(**index, value)).count() {
                1 => {}
                0 => self.nearest(&node.one, value, path),
                _ => self.say(path, || "more than one of the possible forms fits".into()),
            }
        }
        if node.not.is_some_and(|index| self.fits(index, value)) {
            self.say(path, || forbidden(self.schema, node.not));
        }
        if let Some((condition, then, otherwise)) = node.condition {
            let branch = if self.fits(condition, value) { then } else { otherwise };
            if let Some(branch) = branch {
                self.node(branch, value, path);
            }
        }
    }

    fn tried(&self, index: usize, value: &Value, path: &Path<'_>, max: usize) -> Vec<Problem> {
        let mut check = Check { schema: self.schema, problems: Vec::new(), problems_max: max };
        check.node(index, value, path);
        check.problems
    }

    fn fits(&self, index: usize, value: &Value) -> bool {
        self.tried(index, value, &Path::Root, 1).is_empty()
    }

    /// Of several forms none fits: tells what is wrong with the one that was most likely meant, the
    /// one whose problems lie deepest.
    fn nearest(&mut self, forms: &[usize], value: &Value, path: &Path<'_>) {
        let depth = |problems: &[Problem]| {
            let slashes = |one: &Problem| match &one.place {
                crate::bom::Place::Pointer(pointer) => pointer.matches('/').count(),
                _ => 0,
            };
            problems.iter().map(slashes).min().unwrap_or(0)
        };
        let tried = forms.iter().map(|index| self.tried(*index, value, path, 20));
        let Some(best) =
            tried.max_by_key(|problems| (depth(problems), 20 - problems.len().min(20)))
        else {
            return;
        };
        let room = self.problems_max.saturating_sub(self.problems.len());
        self.problems.extend(best.into_iter().take(room));
    }
}

/// What a `not` forbids, when it names members.
fn forbidden(schema: &Schema, not: Option<usize>) -> String {
    let required = not.map_or(&[][..], |index| &schema.nodes[index].required);
    match required {
        [] => "what stands here is not allowed".into(),
        names => format!("{} may not stand here", names.join(" and ")),
    }
}

fn some_of(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().take(12).map(shown).collect();
    let more = if values.len() > texts.len() { ", …" } else { "" };
    texts.join(", ") + more
}

/// Members in order of their names, so equal values have equal texts.
fn canonical(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Array(list) => {
                out.push('[');
                for item in list {
                    write(item, out);
                    out.push(',');
                }
                out.push(']');
            }
            Value::Object(members) => {
                let mut names: Vec<&String> = members.keys().collect();
                names.sort_unstable();
                out.push('{');
                for name in names {
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push(':');
                    write(&members[name], out);
                    out.push(',');
                }
                out.push('}');
            }
            scalar => out.push_str(&scalar.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out
}
