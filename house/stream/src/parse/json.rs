//! NDJSON and journald's JSON: known keys into columns, the rest into fields.

use model::Timestamp;
use serde_json::{Map, Value};

use super::{CLASSES, Draft, Shape, hardware, identity, ids, severity_of_syslog, web, windows};
use crate::decode::decode;

/// Reads one JSON object; `false` if it is none.
pub fn read(draft: &mut Draft, text: &str) -> bool {
    // serde_json itself refuses more than 128 levels.
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return false };
    let journal_entry = object.contains_key("__REALTIME_TIMESTAMP");
    if journal_entry {
        journal(draft, |name| object.get(name).filter(|v| !v.is_null()).map(journal_text));
    } else {
        plain(draft, &object);
        // OCSF says its class itself.
        let class = object.get("class_uid").and_then(Value::as_u64);
        draft.class =
            CLASSES.into_iter().find(|c| class == Some((*c).into())).unwrap_or(draft.class);
    }
    for (name, value) in &object {
        draft.set(name, if journal_entry { journal_text(value) } else { text_of(value) });
    }
    draft.shape = Some(if journal_entry { Shape::Journal } else { Shape::Json });
    if !journal_entry {
        shape(draft, &object);
    }
    true
}

/// An object that is a whole message of another envelope, which has said when, where and which program.
pub fn read_inner(draft: &mut Draft, text: &str) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return false };
    let (host, app) = (draft.host.clone(), draft.app.clone());
    for (name, value) in &object {
        draft.set_new(name, &text_of(value));
    }
    shape(draft, &object);
    // Whoever writes a message must not change which machine and program it came from.
    for (known, now) in [(host, &mut draft.host), (app, &mut draft.app)] {
        if !known.is_empty() {
            *now = known;
        }
    }
    true
}

/// Which tool's object it is.
fn shape(draft: &mut Draft, object: &Map<String, Value>) {
    if hardware::smartctl(draft, object) || windows::json(draft, object) {
        return;
    }
    let has = |name: &str| object.contains_key(name);
    let is_tool = has("event_type") || has("id.orig_h") || has("_path") || has("note");
    let is_request =
        has("status") || has("DownstreamStatus") || has("status_code") || has("response_code");
    let is_kubernetes = has("auditID") && has("objectRef");
    let is_identity = identity::is_likely(object);
    if is_tool || is_request || is_kubernetes || is_identity {
        flatten(draft, object);
    }
    if is_kubernetes {
        draft.shape = Some(Shape::Kubernetes);
        draft.class = super::CLASS_API;
        draft.alias("user", "user.username");
        draft.alias("src_ip", "sourceIPs");
    } else if is_identity && identity::json(draft, object) {
        // Who it was stands in the fields now.
    } else if !(is_tool && (ids::eve(draft) || ids::zeek_json(draft))) && is_request {
        web::json(draft);
    }
}

/// Leaves of inner objects, names joined with dots; a list gives its texts, or the leaves of its first object.
fn flatten(draft: &mut Draft, object: &Map<String, Value>) {
    let mut open: Vec<(String, &Value)> = Vec::new();
    for (name, value) in object.iter().rev().filter(|(_, v)| v.is_object() || v.is_array()) {
        open.push((name.clone(), value));
    }
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(inner) if path.len() < 128 => {
                open.extend(inner.iter().rev().map(|(name, v)| (format!("{path}.{name}"), v)));
            }
            Value::Array(list) => match list.first() {
                Some(first @ Value::Object(_)) => open.push((path, first)),
                Some(_) => {
                    let texts: Vec<String> = list.iter().map(text_of).collect();
                    draft.set(&path, texts.join(","));
                }
                None => {}
            },
            Value::Null => {}
            scalar => draft.set(&path, text_of(scalar)),
        }
    }
}

/// What journald says of an entry, whichever way it was written down.
pub fn journal(draft: &mut Draft, field: impl Fn(&str) -> Option<String>) {
    let first = |names: &[&str]| names.iter().find_map(|name| field(name)).unwrap_or_default();
    let micros = |name: &str| field(name)?.parse::<i64>().ok().map(Timestamp);
    draft.time = micros("_SOURCE_REALTIME_TIMESTAMP").or_else(|| micros("__REALTIME_TIMESTAMP"));
    draft.host = first(&["_HOSTNAME"]);
    draft.app = first(&["SYSLOG_IDENTIFIER", "_COMM", "_SYSTEMD_UNIT"]);
    draft.message = Some(field("MESSAGE").unwrap_or_default());
    let priority = first(&["PRIORITY"]).parse::<u8>();
    draft.severity = priority.map_or(0, severity_of_syslog);
}

fn plain(draft: &mut Draft, object: &Map<String, Value>) {
    let time = ["@timestamp", "timestamp", "time", "ts"].iter().find_map(|k| object.get(*k));
    draft.time = time.and_then(time_of);
    draft.host = first(object, &["host", "hostname"]);
    draft.app = first(object, &["app", "application", "program", "service", "logger"]);
    let message = first(object, &["message", "msg", "log"]);
    draft.message = (!message.is_empty()).then_some(message);
    draft.severity = severity_of_word(&first(object, &["severity", "level"]));
}

/// What programs call it.
pub fn severity_of_word(word: &str) -> u8 {
    match word.to_ascii_lowercase().as_str() {
        "trace" | "debug" | "info" | "informational" => 1,
        "notice" => 2,
        "warn" | "warning" => 3,
        "error" | "err" => 4,
        "critical" | "crit" | "alert" => 5,
        "fatal" | "emerg" | "panic" => 6,
        _ => 0,
    }
}

fn first(object: &Map<String, Value>, names: &[&str]) -> String {
    let found = names.iter().find_map(|name| object.get(*name).filter(|v| !v.is_null()));
    found.map(text_of).unwrap_or_default()
}

/// RFC 3339, or seconds, milliseconds or microseconds since 1970, told apart by size.
fn time_of(value: &Value) -> Option<Timestamp> {
    let number = match value {
        Value::String(text) => return Timestamp::parse(text),
        number => number.as_f64()?,
    };
    let micros = match number.abs() {
        n if n < 1e11 => number * 1e6,
        n if n < 1e14 => number * 1e3,
        n if n < 1e17 => number,
        _ => return None,
    };
    Some(Timestamp(micros as i64))
}

/// A scalar as its text, anything else as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As [`text_of`]; journald writes what is not UTF-8 as an array of bytes.
fn journal_text(value: &Value) -> String {
    let byte = |v: &Value| v.as_u64().and_then(|n| u8::try_from(n).ok());
    let items = value.as_array().filter(|items| !items.is_empty());
    let bytes = items.and_then(|items| items.iter().map(byte).collect::<Option<Vec<u8>>>());
    bytes.map_or_else(|| text_of(value), |bytes| decode(&bytes).0)
}
