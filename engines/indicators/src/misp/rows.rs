//! What of an event can be matched and enforced.

use serde_json::Value;

use super::event::{Event, list};
use super::types;
use crate::Kind;
use crate::pattern::Side;
use crate::tlp::{Level, Marking};

/// One value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub kind: Kind,
    pub value: String,
    pub side: Option<Side>,
    /// Of the attribute.
    pub uuid: String,
    /// Only if the event says that detection may use it, and it is not deleted.
    pub enforce: bool,
    /// Microseconds since 1970.
    pub first_seen: Option<i64>,
    pub last_seen: Option<i64>,
    pub ceiling: Marking,
    /// Where the attribute stands in the event.
    pub pointer: String,
}

/// Rows, and attributes that none were made of, with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub left: Vec<(String, &'static str)>,
}

/// The rows of an event; `default` limits what neither distribution nor tag limits.
pub fn rows(event: &Event, default: &Marking) -> Rows {
    let mut out = Rows::default();
    let own = limits(event.get("distribution"), event.list("Tag"));
    for (at, attribute) in event.list("Attribute").iter().enumerate() {
        add(&mut out, attribute, format!("/Attribute/{at}"), &own, false, default);
    }
    for (at, object) in event.list("Object").iter().enumerate() {
        let mut levels = own.clone();
        levels.extend(limits(object.get("distribution"), list(object, "Tag")));
        let gone = truth(object.get("deleted"));
        for (inner, attribute) in list(object, "Attribute").iter().enumerate() {
            let pointer = format!("/Object/{at}/Attribute/{inner}");
            add(&mut out, attribute, pointer, &levels, gone, default);
        }
    }
    out
}

fn add(
    out: &mut Rows,
    attribute: &Value,
    pointer: String,
    levels: &[Level],
    gone: bool,
    default: &Marking,
) {
    let text = |key: &str| attribute.get(key).and_then(Value::as_str);
    let Some(name) = text("type") else { return out.left.push((pointer, "it has no type")) };
    let value = match attribute.get("value") {
        Some(Value::String(value)) => value.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return out.left.push((pointer, "it has no value")),
    };
    let parts = types::split(name, &value);
    if parts.is_empty() {
        let why =
            if types::is_known(name) { "no value to match" } else { "a type that is not known" };
        return out.left.push((pointer, why));
    }
    let mut levels = levels.to_vec();
    levels.extend(limits(attribute.get("distribution"), list(attribute, "Tag")));
    let ceiling = levels.iter().max().map_or_else(|| default.clone(), |l| Marking::level(*l));
    let enforce = truth(attribute.get("to_ids")) && !truth(attribute.get("deleted")) && !gone;
    let uuid = text("uuid").unwrap_or_default().to_owned();
    let seen = |key: &str| attribute.get(key).and_then(moment);
    for part in parts {
        out.rows.push(Row {
            kind: part.kind,
            value: part.value,
            side: part.side,
            uuid: uuid.clone(),
            enforce,
            first_seen: seen("first_seen"),
            last_seen: seen("last_seen"),
            ceiling: ceiling.clone(),
            pointer: pointer.clone(),
        });
    }
}

/// What distribution and tags allow.
fn limits(distribution: Option<&Value>, tags: &[Value]) -> Vec<Level> {
    let number = match distribution {
        None | Some(Value::Null) => None,
        Some(value) => Some(whole(value)),
    };
    let by_distribution = match number {
        None => None,
        // Our organisation only; a sharing group, whose members are not known here.
        Some(Some(0 | 4)) => Some(Level::AmberStrict),
        Some(Some(1)) => Some(Level::Amber),
        Some(Some(2)) => Some(Level::Green),
        Some(Some(3)) => Some(Level::Clear),
        // As what it stands in.
        Some(Some(5)) => None,
        Some(_) => Some(Level::Red),
    };
    let by_tags = tags.iter().filter_map(|tag| tag.get("name")?.as_str()).filter_map(|name| {
        let lower = name.trim().to_ascii_lowercase();
        // A mark of this protocol that nobody here can read is RED.
        lower.starts_with("tlp:").then(|| Level::parse(&lower).unwrap_or(Level::Red))
    });
    by_distribution.into_iter().chain(by_tags).collect()
}

/// Numbers and truths come as themselves or as texts.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn truth(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(truth)) => *truth,
        Some(Value::String(text)) => text == "1" || text.eq_ignore_ascii_case("true"),
        Some(value) => whole(value) == Some(1),
        None => false,
    }
}

/// `2026-01-31T12:00:00.000000+00:00`, with any offset; or seconds since 1970.
fn moment(value: &Value) -> Option<i64> {
    let Some(text) = value.as_str() else { return value.as_i64()?.checked_mul(1_000_000) };
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1_000_000);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_microsecond())
}
