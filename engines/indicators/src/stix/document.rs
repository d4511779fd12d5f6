//! From bytes to objects: a bundle, a list or a single object.

use std::ops::Range;

use serde_json::Value;
use thiserror::Error;

use super::diagnostic::{Diagnostic, Rule};

/// What a document may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    pub object_bytes: usize,
    pub objects: usize,
    /// Of braces and brackets within an object.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 256 << 20, object_bytes: 8 << 20, objects: 1_000_000, depth: 64 }
    }
}

/// An object with the bytes it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<'a> {
    pub bytes: &'a [u8],
    pub value: Value,
    /// Where it stands in the document.
    pub pointer: String,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<'a> {
    pub objects: Vec<Object<'a>>,
    /// The bundle without its objects, if it is one.
    pub bundle: Option<Value>,
    /// Objects that could not be read.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why nothing of a document was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    #[error("a document of more than {0} bytes")]
    Bytes(usize),
    #[error("more than {0} objects")]
    Objects(usize),
    #[error("no JSON at byte {at}: {what}")]
    Json { at: usize, what: &'static str },
    #[error("neither an object nor a list of objects")]
    Shape,
}

/// Reads a document; an object that is none or too large is told in the diagnostics and left out.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Parsed<'a>, ParseError> {
    if bytes.len() > limits.bytes {
        return Err(ParseError::Bytes(limits.bytes));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut scan = Scan { bytes, at: 0 };
    let first = scan.blank();
    let whole = scan.value()?;
    if scan.blank().is_some() {
        return Err(scan.error("something stands behind the document"));
    }
    let mut parsed = Parsed { objects: Vec::new(), bundle: None, diagnostics: Vec::new() };
    match first {
        Some(b'[') => {
            let items = Scan { bytes, at: whole.start }.items()?;
            take(&mut parsed, bytes, items, "", limits)?;
        }
        Some(b'{') => object_or_bundle(&mut parsed, bytes, whole, limits)?,
        _ => return Err(ParseError::Shape),
    }
    Ok(parsed)
}

fn object_or_bundle<'a>(
    parsed: &mut Parsed<'a>,
    bytes: &'a [u8],
    whole: Range<usize>,
    limits: &Limits,
) -> Result<(), ParseError> {
    let members = Scan { bytes, at: whole.start }.members()?;
    let member =
        |name: &str| members.iter().rev().find(|(key, _)| &bytes[key.clone()] == name.as_bytes());
    let is_bundle =
        member("\"type\"").is_some_and(|(_, value)| &bytes[value.clone()] == b"\"bundle\"");
    let Some((_, list)) = member("\"objects\"").filter(|_| is_bundle) else {
        if is_bundle {
            parsed.bundle = serde_json::from_slice(&bytes[whole]).ok();
            return Ok(());
        }
        one(parsed, bytes, whole, String::new(), limits);
        return Ok(());
    };
    parsed.bundle = Some(frame(bytes, &members));
    if bytes[list.start] != b'[' {
        parsed.diagnostics.push(said("/objects", Rule::Type, "a list of objects"));
        return Ok(());
    }
    let items = Scan { bytes, at: list.start }.items()?;
    take(parsed, bytes, items, "/objects", limits)
}

/// A bundle without its objects.
fn frame(bytes: &[u8], members: &[Member]) -> Value {
    let read = |range: &Range<usize>| serde_json::from_slice::<Value>(&bytes[range.clone()]).ok();
    let kept = members.iter().filter_map(|(key, value)| match read(key)? {
        Value::String(key) if key != "objects" => Some((key, read(value)?)),
        _ => None,
    });
    Value::Object(kept.collect())
}

fn take<'a>(
    parsed: &mut Parsed<'a>,
    bytes: &'a [u8],
    items: Vec<Range<usize>>,
    below: &str,
    limits: &Limits,
) -> Result<(), ParseError> {
    if items.len() > limits.objects {
        return Err(ParseError::Objects(limits.objects));
    }
    for (at, item) in items.into_iter().enumerate() {
        one(parsed, bytes, item, format!("{below}/{at}"), limits);
    }
    Ok(())
}

fn one<'a>(
    parsed: &mut Parsed<'a>,
    bytes: &'a [u8],
    range: Range<usize>,
    pointer: String,
    limits: &Limits,
) {
    let own = &bytes[range];
    let wrong = if own.len() > limits.object_bytes {
        Some((Rule::Limit, format!("{} bytes in an object", limits.object_bytes)))
    } else if depth(own) > limits.depth {
        Some((Rule::Limit, format!("{} levels of brackets", limits.depth)))
    } else {
        None
    };
    if let Some((rule, detail)) = wrong {
        parsed.diagnostics.push(said(&pointer, rule, &detail));
        return;
    }
    match serde_json::from_slice::<Value>(own) {
        Ok(value) if value.is_object() => {
            parsed.objects.push(Object { bytes: own, value, pointer })
        }
        Ok(_) => parsed.diagnostics.push(said(&pointer, Rule::NotObject, "")),
        Err(error) => parsed.diagnostics.push(said(&pointer, Rule::Json, &error.to_string())),
    }
}

fn said(pointer: &str, rule: Rule, detail: &str) -> Diagnostic {
    Diagnostic { pointer: pointer.to_owned(), rule, detail: detail.to_owned() }
}

/// How deep brackets nest, those in texts left out.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut most, mut text, mut escaped) = (0usize, 0usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'{' | b'[' if !text => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Where key and value of a member stand.
type Member = (Range<usize>, Range<usize>);

/// Finds where values begin and end, without a stack and without judging what lies in them.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn error(&self, what: &'static str) -> ParseError {
        ParseError::Json { at: self.at, what }
    }

    /// The next byte that is no blank.
    fn blank(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn value(&mut self) -> Result<Range<usize>, ParseError> {
        let Some(first) = self.blank() else { return Err(self.error("a value is missing")) };
        let start = self.at;
        match first {
            b'"' => self.text()?,
            b'{' | b'[' => self.nested()?,
            b',' | b':' | b'}' | b']' => return Err(self.error("a value is missing")),
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                let length = self.bytes[start..].iter().position(ends);
                self.at = length.map_or(self.bytes.len(), |length| start + length);
            }
        }
        Ok(start..self.at)
    }

    fn text(&mut self) -> Result<(), ParseError> {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => self.at += 1,
            }
        }
        self.at = self.bytes.len();
        Err(self.error("a text does not end"))
    }

    fn nested(&mut self) -> Result<(), ParseError> {
        let mut open = 0usize;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Ok(());
            }
        }
        Err(self.error("a bracket does not end"))
    }

    /// The values of the list that begins here.
    fn items(mut self) -> Result<Vec<Range<usize>>, ParseError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.blank() == Some(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value()?);
            match self.blank() {
                Some(b',') => self.at += 1,
                Some(b']') => return Ok(items),
                _ => return Err(self.error("a comma or ] is missing")),
            }
        }
    }

    /// Keys and values of the object that begins here.
    fn members(mut self) -> Result<Vec<Member>, ParseError> {
        self.at += 1;
        let mut members = Vec::new();
        if self.blank() == Some(b'}') {
            return Ok(members);
        }
        loop {
            if self.blank() != Some(b'"') {
                return Err(self.error("a key is missing"));
            }
            let key = self.value()?;
            if self.blank() != Some(b':') {
                return Err(self.error("a colon is missing"));
            }
            self.at += 1;
            members.push((key, self.value()?));
            match self.blank() {
                Some(b',') => self.at += 1,
                Some(b'}') => return Ok(members),
                _ => return Err(self.error("a comma or } is missing")),
            }
        }
    }
}
