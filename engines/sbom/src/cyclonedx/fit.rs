//! Makes a document fit a version: what the version does not know is taken out and told.

use serde_json::Value;

use super::{mapping, schemas};
use crate::bom::{Place, Problem, Rule};
use crate::schema;
use crate::xml::{tree::Element, valid};

/// Rounds until nothing is wrong; each takes out at least one value, and what is taken out can
/// only uncover a few more.
const ROUNDS_MAX: usize = 64;
const PROBLEMS_MAX: usize = 10_000;

/// Takes out what breaks the schema of the version; gives what was lost.
pub(super) fn fit(value: &mut Value, minor: u8) -> Vec<Problem> {
    let mut losses = Vec::new();
    soften(value, minor, &mut String::new(), &mut losses);
    for _ in 0..ROUNDS_MAX {
        let problems = schema::check(schemas::json(minor), value, PROBLEMS_MAX);
        if problems.is_empty() {
            break;
        }
        take_out(value, problems, &mut losses);
    }
    losses
}

/// The same for XML: what its schema does not take is taken out of the JSON form and told.
pub(super) fn fit_xml(value: &mut Value, minor: u8) -> (Element, Vec<Problem>) {
    let mut losses = Vec::new();
    soften(value, minor, &mut String::new(), &mut losses);
    for _ in 0..ROUNDS_MAX {
        let made = mapping::to_xml(value, minor);
        let problems = valid::check(schemas::xml(minor), &made.root, PROBLEMS_MAX);
        let without = |pointer| Problem::at(pointer, Rule::Schema, "XML has no place for this");
        if problems.is_empty() {
            losses.extend(made.lost.into_iter().map(without));
            return (made.root, losses);
        }
        let pointed = problems.into_iter().filter_map(|problem| match problem.place {
            Place::Line(line) => {
                let pointer = made.pointers.get(line)?.as_str();
                Some(Problem::at(pointer, problem.rule, problem.what))
            }
            _ => None,
        });
        take_out(value, pointed.collect(), &mut losses);
    }
    (mapping::to_xml(value, minor).root, losses)
}

/// From the back, so that the indices in front stay true.
fn take_out(value: &mut Value, problems: Vec<Problem>, losses: &mut Vec<Problem>) {
    let mut pointers: Vec<(Vec<Step>, Problem)> = problems
        .into_iter()
        .filter_map(|problem| match &problem.place {
            Place::Pointer(pointer) => Some((steps(pointer), problem)),
            _ => None,
        })
        .collect();
    pointers.sort_by(|(a, _), (b, _)| b.cmp(a));
    pointers.dedup_by(|(a, _), (b, _)| a == b);
    for (steps, problem) in pointers {
        if remove(value, &steps) {
            losses.push(problem);
        }
    }
}

/// Values that have a word of their own in an older version are given the nearest it has.
fn soften(value: &mut Value, minor: u8, pointer: &mut String, losses: &mut Vec<Problem>) {
    let length = pointer.len();
    match value {
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                pointer.push_str(&format!("/{index}"));
                soften(item, minor, pointer, losses);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                crate::json::push(pointer, name);
                if let Some(nearest) = nearest(name, member, pointer, minor) {
                    let what = format!("1.{minor} has no {member}; written as {nearest:?}");
                    losses.push(Problem::at(pointer.as_str(), Rule::Schema, what));
                    *member = nearest.into();
                } else {
                    soften(member, minor, pointer, losses);
                }
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

fn nearest(name: &str, member: &Value, pointer: &str, minor: u8) -> Option<&'static str> {
    let text = member.as_str()?;
    let parents: Vec<&str> = pointer.rsplit('/').skip(1).take(2).collect();
    let within = |list: &str| parents.get(1) == Some(&list) || parents.first() == Some(&list);
    if name == "type" && (within("components") || within("component")) {
        let since = match text {
            "platform" | "device-driver" | "machine-learning-model" | "data" => 5,
            "cryptographic-asset" => 6,
            _ => return None,
        };
        return (minor < since).then_some(match text {
            "data" | "machine-learning-model" => "file",
            "platform" => "framework",
            _ => "library",
        });
    }
    if name == "type" && within("externalReferences") {
        let at = schemas::json(minor).root().member("externalReferences")?.items()?;
        return (!at.member("type")?.allows(text)).then_some("other");
    }
    if name == "aggregate" && within("compositions") {
        let at = schemas::json(minor).root().member("compositions")?.items()?;
        return (!at.member("aggregate")?.allows(text)).then_some("incomplete");
    }
    None
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Index(usize),
    Name(String),
}

fn steps(pointer: &str) -> Vec<Step> {
    let name = |step: &str| step.replace("~1", "/").replace("~0", "~");
    let step = |step: &str| step.parse().map_or_else(|_| Step::Name(name(step)), Step::Index);
    pointer.split('/').skip(1).map(step).collect()
}

/// Takes the value out; the document itself stays.
fn remove(value: &mut Value, steps: &[Step]) -> bool {
    let Some((last, above)) = steps.split_last() else { return false };
    let mut at = value;
    for step in above {
        let next = match (at, step) {
            (Value::Object(members), Step::Name(name)) => members.get_mut(name),
            (Value::Object(members), Step::Index(index)) => members.get_mut(&index.to_string()),
            (Value::Array(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match (at, last) {
        (Value::Object(members), Step::Name(name)) => members.shift_remove(name).is_some(),
        (Value::Object(members), Step::Index(index)) => {
            members.shift_remove(&index.to_string()).is_some()
        }
        (Value::Array(list), Step::Index(index)) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}
