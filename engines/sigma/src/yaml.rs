//! YAML 1.2 files to values with places, under limits; each document of a file on its own.
//!
//! A fault inside a document refuses that document; broken syntax refuses what follows it in the file, since
//! nobody can say where the next document begins.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::{
    error::{Fault, Place, Reason},
    limits::Limits,
};

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Its value and how it was written
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Place, Node)>),
}

/// A number of YAML's core schema.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.0 == key).map(|e| &e.2),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The documents of a file; an `Err` stands where one could not be read.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Vec<Result<Node, Fault>> {
    let start = Place { line: 1, column: 1 };
    if bytes.len() > limits.file_bytes {
        let reason = Reason::Limit("bytes in a file", limits.file_bytes);
        return vec![Err(Fault::at(start, reason))];
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|b| **b == b'\n').count() + 1;
            return vec![Err(Fault::at(Place { line, column: 1 }, Reason::Utf8))];
        }
    };
    let mut loader = Loader {
        limits,
        nodes: 0,
        bytes: 0,
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
    };
    let mut documents = Vec::new();
    let mut failed = None;
    for next in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                let reason = match error.info() {
                    "recursion limit exceeded" => {
                        Reason::Limit("levels of lists and maps", limits.depth)
                    }
                    other => Reason::Yaml(other.to_owned()),
                };
                documents.push(Err(Fault::at(place(*error.marker()), reason)));
                return documents;
            }
        };
        match event {
            Event::DocumentStart(_) => {
                loader.begin();
                failed = None;
            }
            Event::DocumentEnd => match failed.take() {
                Some(fault) => documents.push(Err(fault)),
                None => documents.extend(loader.root.take().filter(is_something).map(Ok)),
            },
            _ if failed.is_some() => {}
            event => {
                if let Err(reason) = loader.take(event, place(span.start)) {
                    failed = Some(Fault::at(place(span.start), reason));
                }
            }
        }
    }
    documents
}

/// An empty document (`---` at the end of a file) is nothing, not a fault.
fn is_something(node: &Node) -> bool {
    !matches!(node.value, Value::Null)
}

fn place(at: Marker) -> Place {
    Place { line: at.line().max(1), column: at.col() + 1 }
}

enum Frame {
    List(Place, usize, Vec<Node>),
    Map(Place, usize, Vec<(String, Place, Node)>, Option<(String, Place)>),
}

struct Loader<'l> {
    limits: &'l Limits,
    nodes: usize,
    bytes: usize,
    frames: Vec<Frame>,
    /// What an anchor stands for, with its number of nodes, bytes and levels
    anchors: HashMap<usize, (Node, Size)>,
    root: Option<Node>,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Loader<'_> {
    /// Anchors do not reach into the next document; what was spent does.
    fn begin(&mut self) {
        self.frames.clear();
        self.anchors.clear();
        self.root = None;
    }

    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Reason> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(Size { nodes: 1, bytes: text.len(), depth: 0 })?;
                let value = scalar(text, style, tag.as_deref())?;
                self.done(Node { place: at, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(tag.as_deref(), "seq")?;
                self.frames.push(Frame::List(at, anchor, Vec::new()));
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                self.open(tag.as_deref(), "map")?;
                self.frames.push(Frame::Map(at, anchor, Vec::new(), None));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(Frame::List(place, anchor, items)) => {
                    self.done(Node { place, value: Value::List(items) }, anchor)
                }
                Some(Frame::Map(place, anchor, entries, _)) => {
                    self.done(Node { place, value: Value::Map(entries) }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(id) => {
                let (node, size) = self.anchors.get(&id).ok_or(Reason::Alias)?.clone();
                self.spend(size)?;
                self.place(Node { place: at, ..node })
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, tag: Option<&Tag>, own: &str) -> Result<(), Reason> {
        if matches!(self.frames.last(), Some(Frame::Map(_, _, _, None))) {
            return Err(Reason::KeyType);
        }
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == own) => {
                return Err(Reason::Tag(tag.to_string()));
            }
            _ => {}
        }
        self.spend(Size { nodes: 1, bytes: 0, depth: 1 })
    }

    fn spend(&mut self, size: Size) -> Result<(), Reason> {
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        if self.nodes > self.limits.nodes {
            return Err(Reason::Limit("YAML values in a file", self.limits.nodes));
        }
        if self.bytes > self.limits.file_bytes {
            return Err(Reason::Limit("bytes after aliases", self.limits.file_bytes));
        }
        if self.frames.len() + size.depth > self.limits.depth {
            return Err(Reason::Limit("levels of lists and maps", self.limits.depth));
        }
        Ok(())
    }

    /// The copy that an anchor keeps counts too: anchors inside anchors would hold the same values often.
    fn done(&mut self, node: Node, anchor: usize) -> Result<(), Reason> {
        if anchor > 0 {
            let size = size(&node);
            self.spend(Size { depth: 0, ..size })?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), Reason> {
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List(_, _, items)) => items.push(node),
            Some(Frame::Map(_, _, entries, key)) => match key.take() {
                Some((name, place)) => entries.push((name, place, node)),
                None => {
                    let name = match node.value {
                        Value::Text(text) => text,
                        // `1: x` and `true: x` name a field all the same.
                        Value::Number(_, text) => text,
                        Value::Bool(on) => on.to_string(),
                        _ => return Err(Reason::KeyType),
                    };
                    if entries.iter().any(|e| e.0 == name) {
                        return Err(Reason::Twice(name));
                    }
                    *key = Some((name, node.place));
                }
            },
        }
        Ok(())
    }
}

fn size(node: &Node) -> Size {
    let inner = |parts: &mut dyn Iterator<Item = Size>| {
        let sum = parts.fold(Size::default(), |a, b| Size {
            nodes: a.nodes + b.nodes,
            bytes: a.bytes + b.bytes,
            depth: a.depth.max(b.depth),
        });
        Size { nodes: sum.nodes + 1, depth: sum.depth + 1, ..sum }
    };
    match &node.value {
        Value::List(items) => inner(&mut items.iter().map(size)),
        Value::Map(entries) => inner(&mut entries.iter().map(|(name, _, node)| {
            let value = size(node);
            Size { nodes: value.nodes + 1, bytes: value.bytes + name.len(), ..value }
        })),
        Value::Text(text) | Value::Number(_, text) => {
            Size { nodes: 1, bytes: text.len(), depth: 0 }
        }
        Value::Null | Value::Bool(_) => Size { nodes: 1, bytes: 0, depth: 0 },
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Reason> {
    let plain = match tag {
        None => style == ScalarStyle::Plain,
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => false,
        Some(tag) => return Err(Reason::Tag(tag.to_string())),
    };
    if !plain {
        return Ok(Value::Text(text.into_owned()));
    }
    Ok(match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        other => match number(other) {
            Some(number) => Value::Number(number, text.into_owned()),
            None => Value::Text(text.into_owned()),
        },
    })
}

/// Numbers of the core schema: decimal, `0o17`, `0x1f`, floats.
fn number(text: &str) -> Option<Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return i128::from_str_radix(hex, 16)
            .ok()
            .filter(|_| !hex.starts_with(['+', '-']))
            .map(Number::Int);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return i128::from_str_radix(octal, 8)
            .ok()
            .filter(|_| !octal.starts_with(['+', '-']))
            .map(Number::Int);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Number::Int);
    }
    let numeric =
        digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !numeric || !digits.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(Number::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Vec<Result<Node, Fault>> {
        read(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_fault_in_one_document_leaves_the_others() {
        let read = documents("a: 1\n---\na: 1\na: 2\n---\nb: 2\n---\n");
        assert_eq!(read.len(), 3);
        assert!(read[0].is_ok() && read[2].is_ok());
        let fault = read[1].as_ref().unwrap_err();
        assert_eq!((fault.line, &fault.reason), (4, &Reason::Twice("a".into())));
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let read = documents(
            "- yes\n- 0777\n- 2020-01-02\n- 0x1F\n- ~\n- 'null'\n- 1.5\n- .\n- -3\n- True\n- 1.2.3.4",
        );
        let Value::List(items) = &read[0].as_ref().unwrap().value else { panic!() };
        let shown: Vec<String> = items
            .iter()
            .map(|n| match &n.value {
                Value::Number(Number::Int(i), _) => format!("i{i}"),
                Value::Number(Number::Float(f), _) => format!("f{f}"),
                Value::Text(t) => format!("t{t}"),
                Value::Bool(b) => format!("b{b}"),
                other => format!("{other:?}"),
            })
            .collect();
        let want = [
            "tyes",
            "i777",
            "t2020-01-02",
            "i31",
            "Null",
            "tnull",
            "f1.5",
            "t.",
            "i-3",
            "btrue",
            "t1.2.3.4",
        ];
        assert_eq!(shown, want);
    }

    #[test]
    fn a_bomb_of_aliases_names_its_limit() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let row = vec![format!("*a{}", i - 1); 8].join(", ");
            text += &format!("a{i}: &a{i} [{row}]\n");
        }
        let read = documents(&text);
        assert_eq!(read[0].as_ref().unwrap_err().reason.code(), "limit");
    }

    #[test]
    fn depth_is_bounded_even_by_aliases() {
        let deep = format!("{}x{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(documents(&deep)[0].as_ref().unwrap_err().reason.code(), "limit");
        let half = format!("{}x{}", "[".repeat(20), "]".repeat(20));
        let alias = format!("a: &a {half}\nb: {}*a{}", "[".repeat(20), "]".repeat(20));
        assert_eq!(documents(&alias)[0].as_ref().unwrap_err().reason.code(), "limit");
    }
}
