//! JSON from foreign bytes, stricter than readers usually are.
//!
//! A name that stands twice in an object is refused: two readers could take different ones, and what
//! was checked would not be what is used. Depth and number of values are limited while reading, so
//! memory is bounded by what was read, not by what follows.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::bom::{Problem, Rule};
use crate::limits::Limits;

/// Reads a JSON text.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Value, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let state = State {
        left: Cell::new(limits.values_max),
        depth_max: limits.depth_max,
        beyond: RefCell::new(None),
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { state: &state, depth: 0 }.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match state.beyond.take() {
        Some(what) => Problem::line(error.line().max(1), Rule::Limit, what),
        None => Problem::line(error.line().max(1), Rule::Syntax, said(&error)),
    })
}

/// The words of the reader without the place, which stands beside them; the column helps.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    format!("no JSON: {} (column {})", &text[..end], error.column())
}

struct State {
    left: Cell<usize>,
    depth_max: usize,
    beyond: RefCell<Option<String>>,
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    state: &'a State,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.state.depth_max {
            let what = format!("lists and objects nest deeper than {}", self.state.depth_max);
            self.state.beyond.replace(Some(what));
            return Err(E::custom("too deep"));
        }
        Ok(Seed { state: self.state, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let Some(left) = self.state.left.get().checked_sub(1) else {
            self.state.beyond.replace(Some("more values than are read".into()));
            return Err(D::Error::custom("too many values"));
        };
        self.state.left.set(left);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                let name: String = name.chars().take(100).collect();
                return Err(A::Error::custom(format!(
                    "the name {name:?} stands twice in an object"
                )));
            }
            let value = object.next_value_seed(below)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// Appends a name to an RFC 6901 pointer.
pub(crate) fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    for char in name.chars() {
        match char {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            char => pointer.push(char),
        }
    }
}

/// A path from the root, kept on the stack; the pointer is only written when there is a problem.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The whole.
    Root,
    /// A member.
    Name(&'a Path<'a>, &'a str),
    /// An item.
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// As a pointer.
    pub(crate) fn pointer(&self) -> String {
        match self {
            Path::Root => String::new(),
            Path::Name(above, name) => {
                let mut pointer = above.pointer();
                push(&mut pointer, name);
                pointer
            }
            Path::Index(above, index) => format!("{}/{index}", above.pointer()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let limits = Limits { values_max: 50, depth_max: 4, ..Limits::DEFAULT };
        read(text.as_bytes(), &limits).expect_err(text).to_string()
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert!(refused("{\"a\":1,\n\"a\":2}").starts_with("line 2: no JSON: the name \"a\""));
        assert!(refused("{} {}").contains("trailing"));
        assert!(refused("[1,]").starts_with("line 1: no JSON"));
        assert!(refused("").starts_with("line 1: no JSON: EOF"));
    }

    #[test]
    fn depth_and_number_are_limited() {
        assert_eq!(refused("[[[[[]]]]]"), "line 1: lists and objects nest deeper than 4");
        let many = format!("[{}]", vec!["1"; 60].join(","));
        assert_eq!(refused(&many), "line 1: more values than are read");
        assert!(read(b"\xef\xbb\xbf[[[[]]]]", &Limits { depth_max: 4, ..Limits::DEFAULT }).is_ok());
    }
}
