//! OTLP/JSON: what its values say. Pure.
//!
//! Numbers of 64 bits come as texts and, from some senders, as numbers; both are read.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use model::Timestamp;
use serde_json::{Map, Value};

use crate::decode::decode;

/// With or without the signs at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A text, or an empty one.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number.
pub fn int(object: &Value, name: &str) -> Option<i128> {
    match object.get(name)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
        }
        _ => None,
    }
}

/// A number.
pub fn double(object: &Value, name: &str) -> Option<f64> {
    number(object.get(name)?)
}

/// A number as any of the kinds writes it.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text if text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => {
                text.parse().ok()
            }
            _ => None,
        },
        _ => None,
    }
}

/// A list, or an empty one.
pub fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Nanoseconds since 1970; 0 says that nobody knows.
pub fn nanos(object: &Value, name: &str) -> Option<i128> {
    int(object, name).filter(|nanos| *nanos > 0)
}

/// The same as a time.
pub fn time(object: &Value, name: &str) -> Option<Timestamp> {
    nanos(object, name).and_then(|nanos| i64::try_from(nanos / 1000).ok()).map(Timestamp)
}

/// Names and values, as they stand.
pub fn attributes(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    list(object, "attributes").iter().map(pair)
}

fn pair(pair: &Value) -> (&str, &Value) {
    (text(pair, "key"), pair.get("value").unwrap_or(&Value::Null))
}

/// The value of an attribute as text, unless it is empty.
pub fn attribute(object: &Value, name: &str) -> Option<String> {
    let (_, value) = attributes(object).find(|(key, _)| *key == name)?;
    Some(plain_text(value)).filter(|text| !text.is_empty())
}

/// A value without OTLP's names of types around it.
pub fn plain(any: &Value) -> Value {
    let Some((kind, value)) = any.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "arrayValue" => list(value, "values").iter().map(plain).collect(),
        "kvlistValue" => {
            let pairs = list(value, "values").iter().map(pair);
            Value::Object(pairs.map(|(key, v)| (key.to_owned(), plain(v))).collect::<Map<_, _>>())
        }
        "bytesValue" => {
            let bytes = BASE64.decode(value.as_str().unwrap_or_default());
            bytes.map_or_else(|_| value.clone(), |bytes| decode(&bytes).0.into())
        }
        "intValue" => int(any, "intValue")
            .and_then(|n| i64::try_from(n).ok())
            .map_or(Value::Null, Value::from),
        _ => value.clone(),
    }
}

/// The same as a text: what is no text as JSON, nothing as nothing.
pub fn plain_text(any: &Value) -> String {
    match plain(any) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
