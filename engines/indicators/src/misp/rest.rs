//! Bodies of the REST API: `events/restSearch`, `events/add`, `sightings/add`.

use serde_json::{Value, json};

use super::event::{Event, Limits, MispError};

/// What is asked of `events/restSearch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Published since, in seconds since 1970.
    pub published_since: Option<i64>,
    pub tags: Vec<String>,
    /// From 1.
    pub page: u32,
    pub limit: u32,
}

impl Search {
    pub fn body(&self) -> Value {
        let mut body = json!({
            "returnFormat": "json", "published": true, "page": self.page.max(1), "limit": self.limit.max(1),
        });
        if let Some(seconds) = self.published_since {
            body["publish_timestamp"] = seconds.into();
        }
        if !self.tags.is_empty() {
            body["tags"] = json!(self.tags);
        }
        body
    }
}

/// Events of an answer, each with its error if it is none; one bad event costs itself alone.
pub fn read_response(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Vec<Result<Event, MispError>>, MispError> {
    if bytes.len() > limits.bytes {
        return Err(MispError::Bytes(limits.bytes));
    }
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| MispError::Json(error.to_string()))?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut members) => match members.get_mut("response").map(Value::take) {
            Some(Value::Array(items)) => items,
            // `events/add` answers with the event itself.
            _ => vec![Value::Object(members)],
        },
        _ => return Err(MispError::Shape("neither events nor a response")),
    };
    Ok(items.into_iter().map(|item| Event::from_value(item, limits)).collect())
}

/// The body of `sightings/add`: seen (0), a false positive (1), expired (2).
pub fn sighting(value: &str, kind: u8, at_seconds: i64, source: &str) -> Value {
    json!({ "value": value, "type": kind.to_string(), "timestamp": at_seconds, "source": source })
}
