//! One event.

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::types;
use crate::Kind;
use crate::pattern::Side;
use crate::stix::time;
use crate::tlp::Level;

/// What an event may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    /// Those of objects included.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 256 << 20, attributes: 1_000_000 }
    }
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    members: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MispError {
    #[error("an event of more than {0} bytes")]
    Bytes(usize),
    #[error("more than {0} attributes")]
    Attributes(usize),
    #[error("no JSON: {0}")]
    Json(String),
    #[error("no event: {0}")]
    Shape(&'static str),
}

impl MispError {
    /// The reason in Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            MispError::Bytes(max) => format!("イベントが{max}バイトを超えています"),
            MispError::Attributes(max) => format!("属性が{max}件を超えています"),
            MispError::Json(what) => format!("JSONとして読めません: {what}"),
            MispError::Shape("uuid is none") => {
                "MISPのイベントではありません: uuidがUUIDではありません".to_owned()
            }
            MispError::Shape("Event is no object") => {
                "MISPのイベントではありません: Eventがオブジェクトではありません".to_owned()
            }
            MispError::Shape(_) => {
                "MISPのイベントではありません: オブジェクトではありません".to_owned()
            }
        };
        (ja, self.to_string())
    }
}

/// Reads `{"Event": {…}}` or the event alone.
pub fn read_event(bytes: &[u8], limits: &Limits) -> Result<Event, MispError> {
    if bytes.len() > limits.bytes {
        return Err(MispError::Bytes(limits.bytes));
    }
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| MispError::Json(error.to_string()))?;
    Event::from_value(value, limits)
}

/// The event as its file in a feed holds it.
pub fn write_event(event: &Event) -> Value {
    json!({ "Event": event.members })
}

impl Event {
    pub(crate) fn from_value(value: Value, limits: &Limits) -> Result<Event, MispError> {
        let Value::Object(mut members) = value else { return Err(MispError::Shape("no object")) };
        if let Some(inner) = members.get_mut("Event") {
            let Value::Object(inner) = inner.take() else {
                return Err(MispError::Shape("Event is no object"));
            };
            members = inner;
        }
        let event = Event { members };
        if event.uuid().is_none_or(|uuid| uuid::Uuid::try_parse(uuid).is_err()) {
            return Err(MispError::Shape("uuid is none"));
        }
        let count = event.list("Attribute").len()
            + event.list("Object").iter().map(|o| list(o, "Attribute").len()).sum::<usize>();
        match count > limits.attributes {
            true => Err(MispError::Attributes(limits.attributes)),
            false => Ok(event),
        }
    }

    pub fn uuid(&self) -> Option<&str> {
        self.members.get("uuid")?.as_str()
    }

    pub fn info(&self) -> &str {
        self.members.get("info").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.members.get(key)
    }

    pub(crate) fn list(&self, key: &str) -> &[Value] {
        self.members.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An event of our own, before it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub uuid: String,
    pub info: String,
    /// Microseconds since 1970.
    pub at: i64,
    /// Name and UUID of who makes it.
    pub org: (String, String),
    pub level: Level,
    pub attributes: Vec<DraftAttribute>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DraftAttribute {
    pub uuid: String,
    pub kind: Kind,
    pub value: String,
    pub side: Option<Side>,
    pub first_seen: Option<i64>,
    pub last_seen: Option<i64>,
    pub to_ids: bool,
}

impl From<&Draft> for Event {
    fn from(draft: &Draft) -> Event {
        let seconds = draft.at.div_euclid(1_000_000).to_string();
        let attributes: Vec<Value> =
            draft.attributes.iter().map(|a| attribute(a, &seconds)).collect();
        let day = &time::print_micros(draft.at)[..10];
        let event = json!({
            "uuid": draft.uuid, "info": draft.info, "date": day, "timestamp": seconds,
            "publish_timestamp": seconds, "published": true, "analysis": "2", "threat_level_id": "4",
            "distribution": distribution(draft.level).to_string(),
            "Orgc": { "name": draft.org.0, "uuid": draft.org.1 },
            "Tag": [{ "name": draft.level.as_str().to_ascii_lowercase(), "colour": colour(draft.level) }],
            "Attribute": attributes,
        });
        match event {
            Value::Object(members) => Event { members },
            _ => Event { members: Map::new() },
        }
    }
}

fn attribute(draft: &DraftAttribute, seconds: &str) -> Value {
    let (name, category) = types::of_kind(draft.kind, draft.side);
    let mut made = json!({
        "uuid": draft.uuid, "type": name, "category": category, "value": draft.value,
        "to_ids": draft.to_ids, "timestamp": seconds, "distribution": "5", "comment": "",
        "disable_correlation": false, "deleted": false,
    });
    for (key, moment) in [("first_seen", draft.first_seen), ("last_seen", draft.last_seen)] {
        if let Some(moment) = moment {
            made[key] = time::print_micros(moment).replace('Z', "+00:00").into();
        }
    }
    made
}

/// The widest distribution a level allows.
fn distribution(level: Level) -> u8 {
    match level {
        Level::Clear => 3,
        Level::Green => 2,
        Level::Amber => 1,
        Level::AmberStrict | Level::Red => 0,
    }
}

/// As the taxonomy of MISP colours them.
fn colour(level: Level) -> &'static str {
    match level {
        Level::Clear => "#ffffff",
        Level::Green => "#339900",
        Level::Amber | Level::AmberStrict => "#ffc000",
        Level::Red => "#cc0033",
    }
}
