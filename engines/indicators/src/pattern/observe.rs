//! Observations: objects seen together, from when to when and how often.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::stix::time;

/// Objects that were seen together.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    pub observed: Observed<'a>,
    objects: Vec<&'a Value>,
    /// Sorted by id.
    ids: Vec<(&'a str, usize)>,
}

/// When and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed<'a> {
    /// Of the observed-data object; empty if there is none.
    pub id: &'a str,
    /// Microseconds since 1970.
    pub first: i64,
    pub last: i64,
    /// At least 1.
    pub number: u32,
}

impl<'a> Observation<'a> {
    /// Objects by their property `id`.
    pub fn new(observed: Observed<'a>, objects: Vec<&'a Value>) -> Observation<'a> {
        let ids = objects.iter().map(|o| o.get("id").and_then(Value::as_str)).collect();
        Observation::with_ids(observed, objects, ids)
    }

    fn with_ids(
        observed: Observed<'a>,
        objects: Vec<&'a Value>,
        ids: Vec<Option<&'a str>>,
    ) -> Observation<'a> {
        let mut ids: Vec<(&str, usize)> =
            ids.into_iter().enumerate().filter_map(|(at, id)| Some((id?, at))).collect();
        ids.sort_unstable();
        Observation { observed, objects, ids }
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().copied()
    }

    pub(crate) fn object(&self, id: &str) -> Option<&'a Value> {
        let at = self.ids.binary_search_by(|(known, _)| known.cmp(&id)).ok()?;
        Some(self.objects[self.ids[at].1])
    }
}

/// Why an observed-data object is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("observed-data {id:?}: {what}")]
pub struct ObserveError {
    pub id: String,
    pub what: &'static str,
}

/// The observations of a bundle's objects: observed-data of STIX 2.1 (`object_refs`) and 2.0 (`objects`).
///
/// References that lead to nothing in the bundle are left out, as are objects no observed-data names.
pub fn observations(objects: &[Value]) -> Result<Vec<Observation<'_>>, ObserveError> {
    let mut known: Vec<(&str, &Value)> = objects
        .iter()
        .filter(|object| type_of(object) != Some("observed-data"))
        .filter_map(|object| Some((object.get("id")?.as_str()?, object)))
        .collect();
    known.sort_by_key(|(id, _)| *id);
    objects
        .iter()
        .filter(|object| type_of(object) == Some("observed-data"))
        .filter_map(Value::as_object)
        .map(|data| one(data, &known))
        .collect()
}

fn type_of(object: &Value) -> Option<&str> {
    object.get("type").and_then(Value::as_str)
}

fn one<'a>(
    data: &'a Map<String, Value>,
    known: &[(&'a str, &'a Value)],
) -> Result<Observation<'a>, ObserveError> {
    let id = data.get("id").and_then(Value::as_str).unwrap_or_default();
    let observed = observed(data, id).map_err(|what| ObserveError { id: id.to_owned(), what })?;
    if let Some(inner) = data.get("objects").and_then(Value::as_object) {
        let ids = inner.keys().map(|key| Some(key.as_str())).collect();
        return Ok(Observation::with_ids(observed, inner.values().collect(), ids));
    }
    let refs = data.get("object_refs").and_then(Value::as_array);
    let objects = refs
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter_map(|id| known.binary_search_by_key(&id, |(known, _)| known).ok())
        .map(|at| known[at].1)
        .collect();
    Ok(Observation::new(observed, objects))
}

fn observed<'a>(data: &Map<String, Value>, id: &'a str) -> Result<Observed<'a>, &'static str> {
    let moment = |key: &str| data.get(key).and_then(Value::as_str).and_then(time::parse);
    let first = moment("first_observed").ok_or("first_observed is no timestamp")?;
    let last = moment("last_observed").ok_or("last_observed is no timestamp")?;
    if last < first {
        return Err("last_observed comes before first_observed");
    }
    let number = data.get("number_observed").and_then(Value::as_u64);
    let number = number.filter(|n| (1..=999_999_999).contains(n));
    let number = number.ok_or("number_observed is no whole number from 1 to 999999999")?;
    Ok(Observed { id, first, last, number: number as u32 })
}
