//! The mark of an object with all that leaves with it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Exit, Level, Marking, Permit, Refusal, permits, read_definition};

/// How deep a value is looked through; what lies deeper cannot be read.
const DEPTH_MAX: usize = 100;

/// The mark of a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub marking: Marking,
    /// The object it comes from.
    pub by: String,
    /// All that leaves together, in the order of ids.
    pub objects: Vec<String>,
}

/// The strictest mark among the roots and everything their references reach.
///
/// `object` looks an id up: what is not there does not leave. `default` is the mark of an object that has none,
/// which its source says. Marks of persons count only where all REDs name them.
pub fn effective<'a>(
    roots: &[&str],
    object: &dyn Fn(&str) -> Option<&'a Value>,
    default: &dyn Fn(&Value) -> Marking,
) -> Effective {
    let mut marking = Marking::level(Level::Clear);
    let mut by = String::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = roots.iter().map(|id| (*id).to_owned()).collect();
    let mut objects = Vec::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let Some(value) = object(&id) else { continue };
        let own = own(value, object, default);
        let before = (marking.level, marking.widest());
        marking = stricter(marking, own);
        if by.is_empty() || before != (marking.level, marking.widest()) {
            by.clone_from(&id);
        }
        if references(value, 0, &mut open).is_none() {
            marking = Marking::level(Level::Red);
            by.clone_from(&id);
        }
        objects.push(id);
    }
    objects.sort();
    Effective { marking, by, objects }
}

/// What leaves by an exit for these roots, or why nothing does.
pub fn release<'a>(
    exit: &Exit,
    roots: &[&str],
    object: &dyn Fn(&str) -> Option<&'a Value>,
    default: &dyn Fn(&Value) -> Marking,
) -> Result<Vec<&'a Value>, (String, Refusal)> {
    let whole = effective(roots, object, default);
    match permits(exit, &whole.marking) {
        Permit::Allow => Ok(whole.objects.iter().filter_map(|id| object(id)).collect()),
        Permit::Refuse(refusal) => Err((whole.by, refusal)),
    }
}

/// Both limits at once.
fn stricter(a: Marking, b: Marking) -> Marking {
    let narrower = a.widest().min(b.widest());
    let persons = match (a.level, b.level) {
        (Level::Red, Level::Red) => {
            a.persons.into_iter().filter(|p| b.persons.contains(p)).collect()
        }
        (Level::Red, _) => a.persons,
        (_, Level::Red) => b.persons,
        _ => Vec::new(),
    };
    let level = a.level.max(b.level);
    let audience = (narrower < level.audience()).then_some(narrower);
    Marking { level, audience, persons }
}

/// The mark of one object by itself.
fn own<'a>(
    value: &Value,
    object: &dyn Fn(&str) -> Option<&'a Value>,
    default: &dyn Fn(&Value) -> Marking,
) -> Marking {
    let whole = marks(value.get("object_marking_refs"));
    let parts = granular(value.get("granular_markings"));
    let (Some(whole), Some(parts)) = (whole, parts) else { return Marking::level(Level::Red) };
    let levels: Vec<Level> =
        whole.iter().chain(&parts).filter_map(|id| level(id, object)).collect();
    match levels.iter().max() {
        Some(strictest) => {
            // What its source asks of the unmarked does not widen a mark, but the persons of a RED are known there.
            let persons = default(value).persons;
            Marking { persons, ..Marking::level(*strictest) }
        }
        None => default(value),
    }
}

/// The level a marking stands for; none if it limits nothing of this kind, such as a copyright statement.
fn level<'a>(id: &str, object: &dyn Fn(&str) -> Option<&'a Value>) -> Option<Level> {
    if let Some((_, level)) = read_definition(id) {
        return Some(level);
    }
    let statement = object(id)
        .filter(|definition| definition.get("extensions").is_none())
        .is_some_and(|definition| definition["definition_type"] == "statement");
    if statement { None } else { Some(Level::Red) }
}

/// Ids in a list; none if it is no such list.
fn marks(list: Option<&Value>) -> Option<Vec<&str>> {
    match list {
        None => Some(Vec::new()),
        Some(list) => list.as_array()?.iter().map(Value::as_str).collect(),
    }
}

fn granular(list: Option<&Value>) -> Option<Vec<&str>> {
    let Some(list) = list else { return Some(Vec::new()) };
    let mut found = Vec::new();
    for part in list.as_array()? {
        let part = part.as_object()?;
        match part.get("marking_ref") {
            Some(id) => found.push(id.as_str()?),
            // A part may name its language instead.
            None => {
                part.get("lang")?;
            }
        }
    }
    Some(found)
}

/// Adds the ids of all references, however deep; none if it is too deep to be read.
fn references(value: &Value, depth: usize, out: &mut Vec<String>) -> Option<()> {
    if depth > DEPTH_MAX {
        return None;
    }
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                if key.ends_with("_ref") || key.ends_with("_refs") {
                    ids(inner, out);
                }
                references(inner, depth + 1, out)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                references(item, depth + 1, out)?;
            }
        }
        _ => {}
    }
    Some(())
}

fn ids(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(id) => out.push(id.clone()),
        Value::Array(items) => items.iter().for_each(|item| ids(item, out)),
        _ => {}
    }
}
