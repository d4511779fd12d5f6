//! Events of the YAML parser to values, under the limits; aliases are written out and counted.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::{
    error::{Fault, Limits, ReadError},
    json,
    model::Ty,
    node::{Members, Node},
    pointer::{self, Step},
};

/// Flow lists and objects inside each other that the parser itself takes; it looks ahead, so that it may
/// refuse a document before the place is reached.
const PARSER_FLOW_DEPTH_MAX: usize = 255;

/// Reads one YAML document.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Node, ReadError> {
    let refused = |line, fault| ReadError { pointer: String::new(), line, column: 1, fault };
    if bytes.len() > limits.bytes {
        return Err(refused(1, Fault::Bytes(limits.bytes)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        refused(before.iter().filter(|b| **b == b'\n').count() + 1, Fault::Utf8)
    })?;
    let mut loader = Loader::new(limits);
    let raw = loader.load(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let mut path = Vec::new();
    raw.node(None, &mut path).map_err(|fault| ReadError {
        pointer: pointer::of(&path.iter().map(Part::step).collect::<Vec<_>>()),
        ..refused(1, fault)
    })
}

/// A value before its type is known.
#[derive(Clone)]
enum Raw {
    Scalar { text: String, plain: bool, tag: Option<Core> },
    List(Vec<Raw>),
    Object(Vec<(String, Raw)>),
}

/// A tag of YAML's core schema on a scalar.
#[derive(Clone, Copy, PartialEq)]
enum Core {
    Str,
    Other,
}

/// What an anchor stands for, and what writing it out costs.
struct Anchored {
    raw: Raw,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

enum Frame {
    List { items: Vec<Raw>, open: Open },
    Object { members: Vec<(String, Raw)>, names: HashSet<String>, key: Option<String>, open: Open },
}

/// What must be known when a list or object closes.
struct Open {
    anchor: usize,
    before: Size,
    deepest_outside: usize,
}

struct Loader<'l> {
    limits: &'l Limits,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    spent: Size,
    /// Deepest level reached since the innermost open frame began
    deepest: usize,
    root: Option<Raw>,
}

impl<'l> Loader<'l> {
    fn new(limits: &'l Limits) -> Loader<'l> {
        Loader {
            limits,
            frames: Vec::new(),
            anchors: HashMap::new(),
            spent: Size::default(),
            deepest: 0,
            root: None,
        }
    }

    fn load(&mut self, text: &str) -> Result<Raw, ReadError> {
        let mut parser = Parser::new_from_str(text);
        let mut last = Marker::default();
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| {
                let fault = match error.info() {
                    "recursion limit exceeded" => {
                        Fault::Depth(self.limits.depth().min(PARSER_FLOW_DEPTH_MAX))
                    }
                    other => Fault::Syntax(other.to_owned()),
                };
                self.refused(*error.marker(), fault)
            })?;
            last = span.start;
            self.take(event).map_err(|fault| self.refused(last, fault))?;
        }
        let empty = Fault::Syntax("the file holds no value".to_owned());
        self.root.take().ok_or_else(|| self.refused(last, empty))
    }

    fn refused(&self, at: Marker, fault: Fault) -> ReadError {
        let path: Vec<Step<'_>> = self.frames.iter().filter_map(Frame::step).collect();
        let pointer = pointer::of(&path);
        ReadError { pointer, line: at.line().max(1), column: at.col() + 1, fault }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(Fault::Several),
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(id) => self.alias(id),
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag),
            Event::SequenceStart(anchor, tag) => {
                let open = self.opens(anchor, tag.as_deref(), "seq")?;
                self.frames.push(Frame::List { items: Vec::new(), open });
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                let open = self.opens(anchor, tag.as_deref(), "map")?;
                let (members, names) = (Vec::new(), HashSet::new());
                self.frames.push(Frame::Object { members, names, key: None, open });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.closes(),
        }
    }

    fn spend(&mut self, size: Size) -> Result<(), Fault> {
        self.spent.nodes = self.spent.nodes.saturating_add(size.nodes);
        self.spent.bytes = self.spent.bytes.saturating_add(size.bytes);
        if self.spent.nodes > self.limits.nodes {
            return Err(Fault::Nodes(self.limits.nodes));
        }
        if self.spent.bytes > self.limits.bytes {
            return Err(Fault::Bytes(self.limits.bytes));
        }
        let depth = self.frames.len() + size.depth;
        if depth > self.limits.depth() {
            return Err(Fault::Depth(self.limits.depth()));
        }
        self.deepest = self.deepest.max(depth);
        Ok(())
    }

    fn opens(&mut self, anchor: usize, tag: Option<&Tag>, own: &str) -> Result<Open, Fault> {
        if let Some(Frame::Object { key: None, .. }) = self.frames.last() {
            return Err(Fault::Key);
        }
        match tag {
            None => {}
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == own => {}
            Some(tag) => return Err(Fault::Tag(tag.to_string())),
        }
        let before = self.spent;
        self.spend(Size { nodes: 1, bytes: 0, depth: 1 })?;
        let deepest_outside = std::mem::replace(&mut self.deepest, self.frames.len() + 1);
        Ok(Open { anchor, before, deepest_outside })
    }

    fn closes(&mut self) -> Result<(), Fault> {
        let (raw, open) = match self.frames.pop() {
            Some(Frame::List { items, open }) => (Raw::List(items), open),
            Some(Frame::Object { members, open, .. }) => (Raw::Object(members), open),
            None => return Ok(()),
        };
        let size = Size {
            nodes: self.spent.nodes - open.before.nodes,
            bytes: self.spent.bytes - open.before.bytes,
            depth: self.deepest - self.frames.len(),
        };
        self.deepest = self.deepest.max(open.deepest_outside);
        self.keep(open.anchor, &raw, size)?;
        self.place(raw);
        Ok(())
    }

    /// Keeps what an anchor names. The copy counts as well: anchors inside anchors would otherwise hold
    /// the same values hundreds of times.
    fn keep(&mut self, anchor: usize, raw: &Raw, size: Size) -> Result<(), Fault> {
        if anchor > 0 {
            self.spend(Size { depth: 0, ..size })?;
            self.anchors.insert(anchor, Anchored { raw: raw.clone(), size });
        }
        Ok(())
    }

    fn alias(&mut self, id: usize) -> Result<(), Fault> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Fault::Alias);
        };
        let size = anchored.size;
        self.spend(size)?;
        let raw = self.anchors[&id].raw.clone();
        match raw {
            Raw::Scalar { text, .. } if self.wants_key() => self.key(text),
            _ if self.wants_key() => Err(Fault::Key),
            raw => {
                self.place(raw);
                Ok(())
            }
        }
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
    ) -> Result<(), Fault> {
        let size = Size { nodes: 1, bytes: text.len(), depth: 0 };
        self.spend(size)?;
        let plain = style == ScalarStyle::Plain;
        let tag = core_tag(tag.as_deref())?;
        let raw = Raw::Scalar { text: text.into_owned(), plain, tag };
        self.keep(anchor, &raw, size)?;
        match raw {
            Raw::Scalar { text, plain: true, tag: None } if self.wants_key() && text == "<<" => {
                Err(Fault::MergeKey)
            }
            Raw::Scalar { text, .. } if self.wants_key() => self.key(text),
            raw => {
                self.place(raw);
                Ok(())
            }
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Object { key: None, .. }))
    }

    fn key(&mut self, name: String) -> Result<(), Fault> {
        if name.len() > self.limits.name {
            return Err(Fault::Name(self.limits.name));
        }
        if let Some(Frame::Object { names, key, .. }) = self.frames.last_mut() {
            if !names.insert(name.clone()) {
                return Err(Fault::Twice(name));
            }
            *key = Some(name);
        }
        Ok(())
    }

    fn place(&mut self, raw: Raw) {
        match self.frames.last_mut() {
            Some(Frame::List { items, .. }) => items.push(raw),
            Some(Frame::Object { members, key, .. }) => {
                if let Some(name) = key.take() {
                    members.push((name, raw));
                }
            }
            None => self.root = Some(raw),
        }
    }
}

impl Frame {
    /// The step from this frame to what is being read in it.
    fn step(&self) -> Option<Step<'_>> {
        match self {
            Frame::List { items, .. } => Some(Step::Item(items.len())),
            Frame::Object { key, .. } => key.as_deref().map(Step::Member),
        }
    }
}

fn core_tag(tag: Option<&Tag>) -> Result<Option<Core>, Fault> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(Some(Core::Str)),
        Some(tag) if tag.handle == "!" && tag.suffix.is_empty() => Ok(Some(Core::Str)),
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "str" => Ok(Some(Core::Str)),
            "int" | "float" | "bool" | "null" => Ok(Some(Core::Other)),
            _ => Err(Fault::Tag(tag.to_string())),
        },
        Some(tag) => Err(Fault::Tag(tag.to_string())),
    }
}

enum Part {
    Member(String),
    Item(usize),
}

impl Part {
    fn step(&self) -> Step<'_> {
        match self {
            Part::Member(name) => Step::Member(name),
            Part::Item(at) => Step::Item(*at),
        }
    }
}

impl Raw {
    /// The value, typed by the model where it knows the place. Leaves the path at a fault.
    fn node(self, ty: Option<&Ty>, path: &mut Vec<Part>) -> Result<Node, Fault> {
        match self {
            Raw::Scalar { text, plain: false, tag: None }
            | Raw::Scalar { text, tag: Some(Core::Str), .. } => Ok(Node::Text(text)),
            Raw::Scalar { text, tag: Some(Core::Other), .. } => core(text),
            Raw::Scalar { text, .. } => match ty {
                Some(ty) if ty.is_text() && !is_null(&text) => Ok(Node::Text(text)),
                _ => core(text),
            },
            Raw::List(items) => {
                let ty = ty.and_then(Ty::item);
                let mut out = Vec::with_capacity(items.len());
                for (at, item) in items.into_iter().enumerate() {
                    path.push(Part::Item(at));
                    out.push(item.node(ty, path)?);
                    path.pop();
                }
                Ok(Node::List(out))
            }
            Raw::Object(members) => {
                let mut out = Members::new();
                for (name, value) in members {
                    let root = if path.is_empty() { Some(Ty::root(&name)) } else { None };
                    let inner = root.as_ref().or_else(|| ty.and_then(|ty| ty.member(&name)));
                    path.push(Part::Member(name.clone()));
                    let value = value.node(inner, path)?;
                    path.pop();
                    out.push_new(name, value);
                }
                Ok(Node::Object(out))
            }
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A plain scalar by YAML 1.2's core schema.
fn core(text: String) -> Result<Node, Fault> {
    match text.as_str() {
        null if is_null(null) => return Ok(Node::Null),
        "true" | "True" | "TRUE" => return Ok(Node::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Node::Bool(false)),
        _ => {}
    }
    if json::number_length(text.as_bytes()) == Some(text.len()) {
        return Ok(Node::Number(text));
    }
    if is_no_number(&text) {
        return Err(Fault::Number(text));
    }
    Ok(respelled(&text).map_or(Node::Text(text), Node::Number))
}

fn is_no_number(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(text, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

/// A number of the core schema that JSON spells otherwise: `0x1F`, `0o17`, `+1`, `007`, `.5`, `1.`.
fn respelled(text: &str) -> Option<String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
            let value = plain.then(|| u128::from_str_radix(digits, radix).ok()).flatten();
            return value.map(|value| value.to_string());
        }
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let split = rest.find(['e', 'E']).unwrap_or(rest.len());
    let (mantissa, exponent) = rest.split_at(split);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let number = format!("{sign}{whole}{point}{fraction}{exponent}");
    (json::number_length(number.as_bytes()) == Some(number.len())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_json(text: &str) -> String {
        let node =
            read(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let value: serde_json::Value = serde_json::from_str(&json::write(&node)).unwrap();
        value.to_string()
    }

    fn fault(text: &str) -> (String, Fault) {
        let error =
            read(text.as_bytes(), &Limits::default()).err().unwrap_or_else(|| panic!("{text}"));
        (error.pointer, error.fault)
    }

    #[test]
    fn texts_of_the_model_stay_texts_however_they_look() {
        let text = "catalog:\n  metadata:\n    title: no\n    version: 1.0\n    oscal-version: 1.1\n    \
                    published: 2024-02-01\n    remarks: true\n  x: {version: 1.0, y: no, z: 2024-02-01}\n";
        let want = r#"{"catalog":{"metadata":{"title":"no","version":"1.0","oscal-version":"1.1","published":"2024-02-01","remarks":"true"},"x":{"version":1.0,"y":"no","z":"2024-02-01"}}}"#;
        assert_eq!(as_json(text), want);
    }

    #[test]
    fn elsewhere_the_core_schema_of_yaml_1_2_decides() {
        let text = "[~, null, True, FALSE, yes, off, 1, +1, 007, 0x1F, 0o17, .5, 1., 1e3, 12:30, \
                    '1', \"no\", !!str 1, !!int '7', 1_000, 0b1, e5, -, x]";
        let text = text.replace(" -,", " '-',");
        let want = r#"[null,null,true,false,"yes","off",1,1,7,31,15,0.5,1,1e3,"12:30","1","no","1",7,"1_000","0b1","e5","-","x"]"#;
        let node = read(text.as_bytes(), &Limits::default()).unwrap();
        let items: Vec<String> =
            node.items().iter().map(|n| json::write(n).trim().to_owned()).collect();
        assert_eq!(format!("[{}]", items.join(",")), want);
        assert_eq!(fault("a: [1, .inf]"), ("/a/1".into(), Fault::Number(".inf".into())));
        assert!(matches!(fault("-.NaN").1, Fault::Number(_)));
    }

    #[test]
    fn aliases_are_written_out() {
        let found = as_json("a: &x [1, &y c]\nb: *x\nd: *y\n*y : 2");
        assert_eq!(found, r#"{"a":[1,"c"],"b":[1,"c"],"d":"c","c":2}"#);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..30 {
            let before = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{before}]\n"));
        }
        assert!(matches!(fault(&bomb).1, Fault::Nodes(_)));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 100].join(", "));
        assert_eq!(fault(&long), ("/b/61".into(), Fault::Bytes(64 << 20)));
        let nested: String = (0..150).map(|n| format!("&a{n} [")).collect();
        let nested = format!("a: {nested}{}", "x, ".repeat(20_000));
        let nested = format!("{nested}{}", "]".repeat(150));
        assert!(matches!(fault(&nested).1, Fault::Nodes(_)), "anchors inside anchors");
        assert!(matches!(fault("a: &a [*a]").1, Fault::Alias | Fault::Syntax(_)));
        let mut chain = "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n".to_owned();
        for n in 1..30 {
            chain.push_str(&format!("a{n}: &a{n} [[[[[[[[[[*a{}]]]]]]]]]]\n", n - 1));
        }
        assert!(matches!(fault(&chain).1, Fault::Depth(200)));
    }

    #[test]
    fn what_json_cannot_say_is_refused_with_its_place() {
        assert_eq!(fault("a:\n  b: !x 1"), ("/a/b".into(), Fault::Tag("!x".into())));
        assert_eq!(fault("a:\n  <<: {b: 1}"), ("/a".into(), Fault::MergeKey));
        assert_eq!(fault("a:\n  ? [1]\n  : 2"), ("/a".into(), Fault::Key));
        assert_eq!(fault("a:\n  - b: 1\n    b: 2"), ("/a/0".into(), Fault::Twice("b".into())));
        assert_eq!(fault("--- 1\n--- 2\n").1, Fault::Several);
        assert!(matches!(fault("").1, Fault::Syntax(_)));
        assert!(matches!(fault("a: [1").1, Fault::Syntax(_)));
        assert!(matches!(fault("a: 'x").1, Fault::Syntax(_)));
    }

    #[test]
    fn deep_nesting_is_refused_with_its_place_in_block_and_in_flow() {
        let flow = format!("a: {}", "[".repeat(5_000));
        assert!(matches!(fault(&flow), (at, Fault::Depth(200)) if at.starts_with("/a")));
        let flow = format!("a: {}{}", "[".repeat(220), "]".repeat(220));
        assert_eq!(fault(&flow), (format!("/a{}", "/0".repeat(199)), Fault::Depth(200)));
        assert!(matches!(fault(&"- ".repeat(5_000)).1, Fault::Depth(200)));
        assert!(matches!(fault(&"{a: ".repeat(5_000)).1, Fault::Depth(200)));
    }
}
