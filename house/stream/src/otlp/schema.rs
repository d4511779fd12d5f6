//! OTLP's messages as tables, and one reader that turns protobuf by them into OTLP/JSON. Pure.
//!
//! Everything behind this reads OTLP/JSON only, whichever way it came. What is not in the tables (exemplars,
//! metadata, entities) is read over, as both encodings ask of a receiver.
//!
//! Limits: [`VALUES_MAX`] values and [`DEPTH_MAX`] levels of a record; with four levels of JSON for each of
//! AnyValue's, what is read here stays readable for serde_json's 128.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    Fault,
    wire::{Piece, fields, varint},
};

/// Most values of a record, those within others counted too.
pub const VALUES_MAX: usize = 10_000;
/// Deepest value within values.
pub const DEPTH_MAX: usize = 24;
const MANY: &str = "too many values";
const DEEP: &str = "nested too deeply";

/// How a field is written on the wire and in JSON.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    /// Text of a value: what is no UTF-8 is kept as bytes.
    ValueText,
    /// Base64.
    Bytes,
    /// Trace and span ids.
    Hex,
    Bool,
    /// A varint that fits into 32 bits, or an enumeration: a number.
    Int32,
    Uint32,
    /// Zigzag.
    Sint32,
    /// 64 bits are texts in JSON.
    Int64,
    Uint64,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Message),
}

#[derive(Clone, Copy, Debug)]
struct Field {
    number: u32,
    name: &'static str,
    kind: Kind,
    is_list: bool,
}

/// A message of OTLP.
#[derive(Debug)]
pub struct Message {
    fields: &'static [Field],
    /// One of its fields stands; the last wins.
    is_one: bool,
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, is_list: false }
}

const fn list(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, is_list: true }
}

const fn of(fields: &'static [Field]) -> Message {
    Message { fields, is_one: false }
}

static ANY: Message = Message {
    fields: &[
        one(1, "stringValue", Kind::ValueText),
        one(2, "boolValue", Kind::Bool),
        one(3, "intValue", Kind::Int64),
        one(4, "doubleValue", Kind::Double),
        one(5, "arrayValue", Kind::Message(&ARRAY)),
        one(6, "kvlistValue", Kind::Message(&PAIRS)),
        one(7, "bytesValue", Kind::Bytes),
    ],
    is_one: true,
};
static ARRAY: Message = of(&[list(1, "values", Kind::Message(&ANY))]);
static PAIRS: Message = of(&[list(1, "values", Kind::Message(&PAIR))]);
static PAIR: Message = of(&[one(1, "key", Kind::Text), one(2, "value", Kind::Message(&ANY))]);

pub static RESOURCE: Message = of(&[
    list(1, "attributes", Kind::Message(&PAIR)),
    one(2, "droppedAttributesCount", Kind::Uint32),
]);
pub static SCOPE: Message = of(&[
    one(1, "name", Kind::Text),
    one(2, "version", Kind::Text),
    list(3, "attributes", Kind::Message(&PAIR)),
    one(4, "droppedAttributesCount", Kind::Uint32),
]);
pub static LOG_RECORD: Message = of(&[
    one(1, "timeUnixNano", Kind::Fixed64),
    one(11, "observedTimeUnixNano", Kind::Fixed64),
    one(2, "severityNumber", Kind::Int32),
    one(3, "severityText", Kind::Text),
    one(5, "body", Kind::Message(&ANY)),
    list(6, "attributes", Kind::Message(&PAIR)),
    one(7, "droppedAttributesCount", Kind::Uint32),
    one(8, "flags", Kind::Fixed32),
    one(9, "traceId", Kind::Hex),
    one(10, "spanId", Kind::Hex),
    one(12, "eventName", Kind::Text),
]);

/// A metric without its points.
pub static METRIC: Message = of(&[one(1, "name", Kind::Text), one(3, "unit", Kind::Text)]);
/// How the points of a metric belong together.
pub static AGGREGATION: Message =
    of(&[one(2, "aggregationTemporality", Kind::Int32), one(3, "isMonotonic", Kind::Bool)]);
pub static NUMBER: Message = of(&[
    list(7, "attributes", Kind::Message(&PAIR)),
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "asDouble", Kind::Double),
    one(6, "asInt", Kind::Sfixed64),
    one(8, "flags", Kind::Uint32),
]);
pub static HISTOGRAM: Message = of(&[
    list(9, "attributes", Kind::Message(&PAIR)),
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    list(6, "bucketCounts", Kind::Fixed64),
    list(7, "explicitBounds", Kind::Double),
    one(10, "flags", Kind::Uint32),
    one(11, "min", Kind::Double),
    one(12, "max", Kind::Double),
]);
static BUCKETS: Message =
    of(&[one(1, "offset", Kind::Sint32), list(2, "bucketCounts", Kind::Uint64)]);
pub static EXPONENTIAL: Message = of(&[
    list(1, "attributes", Kind::Message(&PAIR)),
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    one(6, "scale", Kind::Sint32),
    one(7, "zeroCount", Kind::Fixed64),
    one(8, "positive", Kind::Message(&BUCKETS)),
    one(9, "negative", Kind::Message(&BUCKETS)),
    one(10, "flags", Kind::Uint32),
    one(12, "min", Kind::Double),
    one(13, "max", Kind::Double),
]);
static QUANTILE: Message = of(&[one(1, "quantile", Kind::Double), one(2, "value", Kind::Double)]);
pub static SUMMARY: Message = of(&[
    list(7, "attributes", Kind::Message(&PAIR)),
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    list(6, "quantileValues", Kind::Message(&QUANTILE)),
    one(8, "flags", Kind::Uint32),
]);

/// A message as OTLP/JSON writes it.
pub fn read(message: &'static Message, bytes: &[u8]) -> Result<Value, Fault> {
    Room { values: VALUES_MAX, depth: 0 }.message(message, bytes).map(Value::Object)
}

/// Refuses what has more values or levels than a record may have: for what came as JSON.
pub fn fits(value: &Value) -> Result<(), Fault> {
    let (mut open, mut left) = (vec![(value, 0)], VALUES_MAX);
    while let Some((value, depth)) = open.pop() {
        let inner: Box<dyn Iterator<Item = &Value>> = match value {
            Value::Array(list) => Box::new(list.iter()),
            Value::Object(object) => Box::new(object.values()),
            _ => continue,
        };
        // Four levels of JSON for one of a value, and those of the record around it.
        if depth > 4 * DEPTH_MAX + 6 {
            return Err(Fault::Refused(DEEP));
        }
        for value in inner {
            // A pair is an object, its key, its value and what that says: as dear as three on the wire.
            left = left.checked_sub(1).ok_or(Fault::Refused(MANY))?;
            open.push((value, depth + 1));
        }
    }
    Ok(())
}

/// What a record may still take.
struct Room {
    values: usize,
    depth: usize,
}

impl Room {
    fn message(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
    ) -> Result<Map<String, Value>, Fault> {
        let mut object = Map::new();
        for field in fields(bytes) {
            let (number, piece) = field?;
            let Some(known) = message.fields.iter().find(|f| f.number == number) else { continue };
            self.values = self.values.checked_sub(1).ok_or(Fault::Refused(MANY))?;
            if message.is_one {
                object.clear();
            }
            if known.is_list {
                self.push(known, piece, &mut object)?;
                continue;
            }
            match (known.kind, piece) {
                (Kind::ValueText, Piece::Bytes(bytes)) if std::str::from_utf8(bytes).is_err() => {
                    object.insert("bytesValue".to_owned(), BASE64_STANDARD.encode(bytes).into());
                }
                (kind, piece) => {
                    object.insert(known.name.to_owned(), self.value(kind, piece)?);
                }
            }
        }
        Ok(object)
    }

    /// Another of a list; numbers may come packed.
    fn push(
        &mut self,
        field: &Field,
        piece: Piece<'_>,
        object: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let entry = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(list) = entry else { return Ok(()) };
        let (Piece::Bytes(mut rest), false) = (piece, matches!(field.kind, Kind::Message(_)))
        else {
            list.push(self.value(field.kind, piece)?);
            return Ok(());
        };
        while !rest.is_empty() {
            self.values = self.values.checked_sub(1).ok_or(Fault::Refused(MANY))?;
            let piece = match field.kind {
                Kind::Uint64 => varint(&mut rest).map(Piece::Varint),
                _ => rest.split_first_chunk::<8>().map(|(bytes, after)| {
                    rest = after;
                    Piece::Fixed64(u64::from_le_bytes(*bytes))
                }),
            };
            let piece = piece.ok_or(Fault::Broken("a packed list is cut off"))?;
            list.push(self.value(field.kind, piece)?);
        }
        Ok(())
    }

    fn value(&mut self, kind: Kind, piece: Piece<'_>) -> Result<Value, Fault> {
        Ok(match (kind, piece) {
            (Kind::Text | Kind::ValueText, Piece::Bytes(bytes)) => {
                String::from_utf8_lossy(bytes).into()
            }
            (Kind::Bytes, Piece::Bytes(bytes)) => BASE64_STANDARD.encode(bytes).into(),
            (Kind::Hex, Piece::Bytes(bytes)) => hex::encode(bytes).into(),
            (Kind::Bool, Piece::Varint(value)) => (value != 0).into(),
            (Kind::Int32, Piece::Varint(value)) => (value as i32).into(),
            (Kind::Uint32, Piece::Varint(value)) => (value as u32).into(),
            (Kind::Sint32, Piece::Varint(value)) => {
                let bits = value as u32;
                ((bits >> 1) as i32 ^ -((bits & 1) as i32)).into()
            }
            (Kind::Int64, Piece::Varint(value)) => (value as i64).to_string().into(),
            (Kind::Uint64, Piece::Varint(value)) => value.to_string().into(),
            (Kind::Fixed32, Piece::Fixed32(value)) => value.into(),
            (Kind::Fixed64, Piece::Fixed64(value)) => value.to_string().into(),
            (Kind::Sfixed64, Piece::Fixed64(value)) => (value as i64).to_string().into(),
            (Kind::Double, Piece::Fixed64(value)) => double(f64::from_bits(value)),
            (Kind::Message(message), Piece::Bytes(bytes)) => {
                // Only values within values go down; the tables bound everything else.
                self.depth += usize::from(std::ptr::eq(message, &ANY));
                if self.depth > DEPTH_MAX {
                    return Err(Fault::Refused(DEEP));
                }
                let object = self.message(message, bytes)?;
                self.depth -= usize::from(std::ptr::eq(message, &ANY));
                Value::Object(object)
            }
            _ => return Err(Fault::Broken("a field has another type than OTLP gives it")),
        })
    }
}

/// JSON knows neither NaN nor infinity: protobuf's mapping writes them as texts.
fn double(value: f64) -> Value {
    match value {
        v if v.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        v => v.into(),
    }
}
