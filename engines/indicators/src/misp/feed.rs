//! The folder of a feed: `manifest.json`, `{uuid}.json`, `hashes.csv`.

use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::event::{Event, list};

/// What a manifest tells of an event.
const OF_EVENT: [&str; 4] = ["info", "date", "analysis", "threat_level_id"];

/// The manifest of these events.
pub fn manifest<'a>(events: impl IntoIterator<Item = &'a Event>) -> Value {
    let mut out = Map::new();
    for event in events {
        let Some(uuid) = event.uuid() else { continue };
        let mut entry = Map::new();
        entry.insert("Orgc".into(), kept(event.get("Orgc"), &["name", "uuid"]));
        let tags = event.list("Tag").iter().filter(|tag| exported(tag));
        let tags = tags.map(told);
        entry.insert("Tag".into(), Value::Array(tags.collect()));
        for key in OF_EVENT {
            let value = event.get(key).cloned().unwrap_or_default();
            entry.insert(
                key.into(),
                if matches!(key, "analysis" | "threat_level_id") { number(value) } else { value },
            );
        }
        entry.insert(
            "timestamp".into(),
            event.get("timestamp").cloned().map_or(Value::Null, number),
        );
        out.insert(uuid.to_owned(), Value::Object(entry));
    }
    Value::Object(out)
}

/// A tag as MISP tells it, with what it takes for granted.
fn told(tag: &Value) -> Value {
    let mut told = kept(Some(tag), &["name", "colour", "local", "relationship_type"]);
    if let Some(members) = told.as_object_mut() {
        members.entry("local").or_insert(Value::Bool(false));
        members.entry("relationship_type").or_insert_with(|| "".into());
    }
    told
}

fn exported(tag: &Value) -> bool {
    tag.get("exportable").and_then(Value::as_bool).unwrap_or(true)
}

fn kept(value: Option<&Value>, keys: &[&str]) -> Value {
    let members = value.and_then(Value::as_object);
    let kept = keys.iter().filter_map(|key| Some(((*key).to_owned(), members?.get(*key)?.clone())));
    Value::Object(kept.filter(|(_, value)| !value.is_null()).collect())
}

fn number(value: Value) -> Value {
    match value.as_str().and_then(|text| text.parse::<i64>().ok()) {
        Some(number) => number.into(),
        None => value,
    }
}

/// Lines of `hashes.csv`: MD5 of a value, UUID of its event.
pub struct Hashes(pub Vec<(String, String)>);

impl Hashes {
    pub fn csv(&self) -> String {
        self.0.iter().map(|(hash, uuid)| format!("{hash},{uuid}\n")).collect()
    }
}

/// The hashes by which others look values up without being told them.
pub fn hashes(event: &Event) -> Hashes {
    let uuid = event.uuid().unwrap_or_default();
    let objects = event.list("Object").iter().flat_map(|object| list(object, "Attribute"));
    let mut out = Vec::new();
    for attribute in event.list("Attribute").iter().chain(objects) {
        let name = attribute.get("type").and_then(Value::as_str).unwrap_or_default();
        let value = match attribute.get("value") {
            Some(Value::String(value)) => value.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        let parts: Vec<&str> = match name.contains('|') || name == "malware-sample" {
            true => value.split('|').collect(),
            false => vec![&value],
        };
        out.extend(parts.iter().map(|p| (hex::encode(Md5::digest(p.as_bytes())), uuid.to_owned())));
    }
    Hashes(out)
}
