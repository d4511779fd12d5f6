//! YAML to JSON values, under limits: what advisories are written in.
//!
//! Plain scalars are texts but for null, true and false: `1.10` is a version, never a number. A name that
//! stands twice is refused. Anchors are read, and what they expand to counts.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use crate::bom::{Problem, Rule};
use crate::limits::Limits;

/// Reads the first document of a text.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Value, Problem> {
    if bytes.len() > limits.bytes_max {
        let what = format!("it is longer than {} bytes", limits.bytes_max);
        return Err(Problem::line(1, Rule::Limit, what));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Problem::line(line, Rule::Syntax, "it is not UTF-8")
    })?;
    let mut loader = Loader {
        left: limits.values_max,
        depth_max: limits.depth_max,
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
    };
    for next in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = next.map_err(|error| {
            Problem::line(
                error.marker().line().max(1),
                Rule::Syntax,
                format!("no YAML: {}", error.info()),
            )
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        loader
            .take(event)
            .map_err(|(rule, what)| Problem::line(span.start.line().max(1), rule, what))?;
    }
    loader.root.ok_or_else(|| Problem::line(1, Rule::Syntax, "it is empty"))
}

enum Frame {
    List(usize, Vec<Value>),
    Map(usize, Map<String, Value>, Option<String>),
}

struct Loader {
    left: usize,
    depth_max: usize,
    frames: Vec<Frame>,
    /// What an anchor stands for, with its number of values and its levels.
    anchors: HashMap<usize, (Value, (usize, usize))>,
    root: Option<Value>,
}

type Fault = (Rule, String);

impl Loader {
    fn take(&mut self, event: Event<'_>) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                self.spend(1)?;
                let value = match (&*text, style) {
                    ("" | "~" | "null" | "Null" | "NULL", ScalarStyle::Plain) => Value::Null,
                    ("true" | "True" | "TRUE", ScalarStyle::Plain) => Value::Bool(true),
                    ("false" | "False" | "FALSE", ScalarStyle::Plain) => Value::Bool(false),
                    _ => Value::String(text.into_owned()),
                };
                self.done(value, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(Frame::List(anchor, Vec::new())),
            Event::MappingStart(anchor, _) => self.open(Frame::Map(anchor, Map::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(Frame::List(anchor, items)) => self.done(Value::Array(items), anchor),
                Some(Frame::Map(anchor, entries, _)) => self.done(Value::Object(entries), anchor),
                None => Ok(()),
            },
            Event::Alias(id) => {
                let known = self.anchors.get(&id).cloned();
                let (value, (size, depth)) = known
                    .ok_or_else(|| (Rule::Syntax, "an alias names no anchor before it".into()))?;
                self.deep(depth)?;
                self.spend(size)?;
                self.place(value)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Fault> {
        self.deep(1)?;
        self.spend(1)?;
        self.frames.push(frame);
        Ok(())
    }

    fn deep(&self, levels: usize) -> Result<(), Fault> {
        if self.frames.len() + levels > self.depth_max {
            return Err((Rule::Limit, format!("it nests deeper than {}", self.depth_max)));
        }
        Ok(())
    }

    fn spend(&mut self, values: usize) -> Result<(), Fault> {
        let left = self.left.checked_sub(values);
        self.left = left.ok_or_else(|| (Rule::Limit, "it has too many values".to_owned()))?;
        Ok(())
    }

    fn done(&mut self, value: Value, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            let size = size(&value);
            self.spend(size.0)?;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        self.place(value)
    }

    fn place(&mut self, value: Value) -> Result<(), Fault> {
        match self.frames.last_mut() {
            None => self.root = Some(value),
            Some(Frame::List(_, items)) => items.push(value),
            Some(Frame::Map(_, entries, key)) => match key.take() {
                Some(name) => {
                    entries.insert(name, value);
                }
                None => {
                    let Value::String(name) = value else {
                        return Err((Rule::Syntax, "a name is no text".to_owned()));
                    };
                    if entries.contains_key(&name) {
                        return Err((Rule::Unique, format!("{name:?} stands twice")));
                    }
                    *key = Some(name);
                }
            },
        }
        Ok(())
    }
}

/// Values and levels.
fn size(value: &Value) -> (usize, usize) {
    let inner = |parts: &mut dyn Iterator<Item = (usize, usize)>| {
        let (values, levels) = parts.fold((0, 0), |(n, d), (m, e)| (n + m, d.max(e)));
        (values + 1, levels + 1)
    };
    match value {
        Value::Array(items) => inner(&mut items.iter().map(size)),
        Value::Object(entries) => inner(&mut entries.values().map(size)),
        _ => (1, 0),
    }
}
