//! Whether an object of an observation is what a comparison asks for.

use std::cmp::Ordering;
use std::sync::LazyLock;

use serde_json::Value;

use super::ast::{Comparison, Encoding, Operator, Order, Path, PropertyTest, Step};
use super::net::Net;
use super::observe::Observation;
use super::{path, value};

/// Whether one object of the observation is what is asked for: all tests look at the same one.
pub(crate) fn holds(
    comparison: &Comparison,
    observation: &Observation<'_>,
    cost: &mut u64,
) -> bool {
    observation.objects().any(|object| on_object(comparison, observation, object, cost))
}

fn on_object(
    comparison: &Comparison,
    observation: &Observation<'_>,
    object: &Value,
    cost: &mut u64,
) -> bool {
    match comparison {
        Comparison::And(parts) => {
            parts.iter().all(|part| on_object(part, observation, object, cost))
        }
        Comparison::Or(parts) => {
            parts.iter().any(|part| on_object(part, observation, object, cost))
        }
        Comparison::Test(test) => {
            is_type(object, &test.path)
                && reach(&test.path, observation, object, cost, &mut |found| judge(test, found))
        }
        Comparison::Exists { path, negated } => {
            is_type(object, path)
                && reach(path, observation, object, cost, &mut |_| true) != *negated
        }
    }
}

fn is_type(object: &Value, path: &Path) -> bool {
    object.get("type").and_then(Value::as_str) == Some(path.object.as_str())
}

/// `process:name` is no property of STIX 2.1, though its own examples use it: where there is none, the name of
/// the image is meant.
static IMAGE_NAME: LazyLock<[Step; 2]> =
    LazyLock::new(|| ["image_ref", "name"].map(|key| Step::Key(key.to_owned())));

fn reach<'a>(
    path: &Path,
    observation: &'a Observation<'a>,
    object: &'a Value,
    cost: &mut u64,
    look: &mut dyn FnMut(&'a Value) -> bool,
) -> bool {
    let alias = path.object == "process"
        && matches!(path.steps.as_slice(), [Step::Key(key)] if key == "name")
        && object.get("name").is_none();
    let steps = if alias { IMAGE_NAME.as_slice() } else { &path.steps };
    path::any(observation, object, steps, cost, look)
}

fn judge(test: &PropertyTest, found: &Value) -> bool {
    let encoding = test.path.encoding();
    // Values without order to each other are neither less nor not less.
    if let Operator::Order(order, literal) = &test.operator {
        return value::order(found, encoding, literal)
            .is_some_and(|ordering| in_order(*order, ordering) != test.negated);
    }
    plainly(&test.operator, found, encoding) != test.negated
}

fn plainly(operator: &Operator, found: &Value, encoding: Encoding) -> bool {
    match operator {
        Operator::Equal(literal) => value::equal(found, encoding, literal),
        Operator::NotEqual(literal) => !value::equal(found, encoding, literal),
        Operator::In(literals) => literals.iter().any(|l| value::equal(found, encoding, l)),
        Operator::Like(like) => value::texts(found, encoding).any(|text| like.is_match(&text)),
        Operator::Matches(matches) => matches.is_match(found, encoding),
        Operator::Subset(net) => network(found).is_some_and(|inner| net.contains(&inner)),
        Operator::Superset(net) => network(found).is_some_and(|outer| outer.contains(net)),
        Operator::Order(..) => false,
    }
}

fn network(found: &Value) -> Option<Net> {
    Net::parse(found.as_str()?)
}

fn in_order(order: Order, ordering: Ordering) -> bool {
    match order {
        Order::Less => ordering.is_lt(),
        Order::LessOrEqual => ordering.is_le(),
        Order::Greater => ordering.is_gt(),
        Order::GreaterOrEqual => ordering.is_ge(),
    }
}
