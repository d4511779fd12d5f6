//! From an object along a path to its values.

use serde_json::Value;

use super::ast::Step;
use super::observe::Observation;

/// What the value at hand is a reference by.
#[derive(Clone, Copy, PartialEq)]
enum Hop {
    No,
    /// `…_ref`: an id.
    One,
    /// `…_refs`: a list of ids.
    Many,
}

/// Shows `look` each value at the end of the path until it says yes; counts steps into `cost`.
///
/// A reference at the end is the id itself; one on the way leads to the object in the same observation.
pub(crate) fn any<'a>(
    observation: &'a Observation<'a>,
    object: &'a Value,
    steps: &[Step],
    cost: &mut u64,
    look: &mut dyn FnMut(&'a Value) -> bool,
) -> bool {
    walk(observation, object, steps, Hop::No, cost, look)
}

fn walk<'a>(
    observation: &'a Observation<'a>,
    value: &'a Value,
    steps: &[Step],
    hop: Hop,
    cost: &mut u64,
    look: &mut dyn FnMut(&'a Value) -> bool,
) -> bool {
    *cost += 1;
    let Some((step, rest)) = steps.split_first() else { return look(value) };
    match (step, value) {
        (Step::Key(_), Value::String(id)) if hop == Hop::One => match observation.object(id) {
            Some(target) => walk(observation, target, steps, Hop::No, cost, look),
            None => false,
        },
        (Step::Key(key), Value::Object(members)) => match members.get(key) {
            Some(next) => walk(observation, next, rest, hop_of(key), cost, look),
            None => false,
        },
        (Step::Index(index), Value::Array(items)) => {
            let item = usize::try_from(*index).ok().and_then(|index| items.get(index));
            item.is_some_and(|item| walk(observation, item, rest, of_item(hop), cost, look))
        }
        (Step::Any, Value::Array(items)) => {
            items.iter().any(|item| walk(observation, item, rest, of_item(hop), cost, look))
        }
        _ => false,
    }
}

fn hop_of(key: &str) -> Hop {
    match key {
        _ if key.ends_with("_ref") => Hop::One,
        _ if key.ends_with("_refs") => Hop::Many,
        _ => Hop::No,
    }
}

fn of_item(hop: Hop) -> Hop {
    if hop == Hop::Many { Hop::One } else { Hop::No }
}
