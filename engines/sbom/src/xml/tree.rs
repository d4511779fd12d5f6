//! Elements with their namespaces resolved, in and out.
//!
//! Kept: elements, attributes, texts. Not kept: comments, processing instructions, prefixes, white
//! space between elements.

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::bom::{Problem, Rule};
use crate::limits::Limits;

/// An attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute {
    /// Namespace; empty for none.
    pub space: String,
    pub name: String,
    pub value: String,
}

/// An element.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element {
    /// Namespace; empty for none.
    pub space: String,
    pub name: String,
    pub attributes: Vec<Attribute>,
    pub children: Vec<Element>,
    /// The texts within it, joined; where there are children, white space alone is dropped.
    pub text: String,
    /// Where it begins, from 1.
    pub line: usize,
}

impl Element {
    /// The value of an attribute without namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|one| one.space.is_empty() && one.name == name);
        found.map(|one| one.value.as_str())
    }

    /// Adds an attribute without namespace.
    pub(crate) fn put(&mut self, name: &str, value: String) {
        self.attributes.push(Attribute { space: String::new(), name: name.into(), value });
    }
}

/// Reads a document.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Element, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Problem::line(line, Rule::Syntax, "the text is no UTF-8")
    })?;
    let mut state = State { text, at: 0, line: 1, left: limits.values_max, spaces: Vec::new() };
    state.read(limits)
}

struct State<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    left: usize,
    /// Prefix, namespace and depth of what is declared.
    spaces: Vec<(String, String, usize)>,
}

impl State<'_> {
    fn read(&mut self, limits: &Limits) -> Result<Element, Problem> {
        let mut reader = Reader::from_str(self.text);
        let mut open: Vec<Element> = Vec::new();
        let mut whole = None;
        loop {
            let event = reader.read_event();
            // The line at which the event begins.
            let line = self.line;
            let now = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            self.move_to(now.min(self.text.len()));
            let fault = |what: &dyn std::fmt::Display| {
                Err(Problem::line(line, Rule::Syntax, format!("no XML: {what}")))
            };
            let event = match event {
                Ok(event) => event,
                Err(error) => return fault(&error),
            };
            match event {
                Event::Start(start) | Event::Empty(start) if whole.is_some() => {
                    return fault(&format!(
                        "{} after the end of the document",
                        start.name().as_ref()
                    ));
                }
                Event::Start(start) => {
                    if open.len() >= limits.depth_max {
                        let what = format!("elements nest deeper than {}", limits.depth_max);
                        return Err(Problem::line(line, Rule::Limit, what));
                    }
                    open.push(self.begin(&start, open.len(), line)?);
                }
                Event::Empty(start) => {
                    let element = self.begin(&start, open.len(), line)?;
                    self.end(element, &mut open, &mut whole);
                }
                Event::End(_) => match open.pop() {
                    Some(element) => self.end(element, &mut open, &mut whole),
                    None => return fault(&"an element ends that never began"),
                },
                Event::Text(text) => match open.last_mut() {
                    Some(element) => element.text.push_str(&lines(&text.into_inner())),
                    None if text.trim().is_empty() => {}
                    None => return fault(&"text outside of the document"),
                },
                Event::CData(text) => match open.last_mut() {
                    Some(element) => element.text.push_str(&lines(&text.into_inner())),
                    None => return fault(&"text outside of the document"),
                },
                Event::GeneralRef(name) => match (entity(&name), open.last_mut()) {
                    (Some(char), Some(element)) => element.text.push(char),
                    _ => return fault(&format!("the entity &{};", &*name)),
                },
                Event::DocType(_) => return fault(&"a document type is not read"),
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            }
        }
        match whole {
            Some(element) if open.is_empty() => Ok(element),
            _ => Err(Problem::line(self.line, Rule::Syntax, "no XML: the document ends early")),
        }
    }

    fn move_to(&mut self, at: usize) {
        let passed = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count();
        self.at = at;
    }

    fn begin(
        &mut self,
        start: &BytesStart<'_>,
        depth: usize,
        line: usize,
    ) -> Result<Element, Problem> {
        let fault = |what: &dyn std::fmt::Display| {
            Problem::line(line, Rule::Syntax, format!("no XML: {what}"))
        };
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| fault(&error))?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| fault(&error))?
                .into_owned();
            let name: &str = attribute.key.as_ref();
            match name.strip_prefix("xmlns") {
                Some("") => self.spaces.push((String::new(), value, depth)),
                Some(prefix) if prefix.starts_with(':') => {
                    self.spaces.push((prefix[1..].to_owned(), value, depth));
                }
                _ => attributes.push((name.to_owned(), value)),
            }
        }
        let taken = 1 + attributes.len();
        let Some(left) = self.left.checked_sub(taken) else {
            return Err(Problem::line(line, Rule::Limit, "more elements than are read"));
        };
        self.left = left;
        let name = start.name();
        let (space, name) = self.resolve(name.as_ref(), true).ok_or_else(|| {
            fault(&format!("the prefix of {} is not declared", start.name().as_ref()))
        })?;
        let mut element = Element { space, name, line, ..Element::default() };
        for (name, value) in attributes {
            let resolved = self.resolve(&name, false);
            let (space, name) =
                resolved.ok_or_else(|| fault(&format!("the prefix of {name} is not declared")))?;
            element.attributes.push(Attribute { space, name, value });
        }
        Ok(element)
    }

    fn resolve(&self, name: &str, element: bool) -> Option<(String, String)> {
        let (prefix, local) = match name.split_once(':') {
            Some((prefix, local)) => (prefix, local),
            None if element => ("", name),
            None => return Some((String::new(), name.to_owned())),
        };
        if prefix == "xml" {
            return Some((XML.to_owned(), local.to_owned()));
        }
        let found = self.spaces.iter().rev().find(|(one, ..)| one == prefix);
        match found {
            Some((_, space, _)) => Some((space.clone(), local.to_owned())),
            None => prefix.is_empty().then(|| (String::new(), local.to_owned())),
        }
    }

    fn end(&mut self, mut element: Element, open: &mut [Element], whole: &mut Option<Element>) {
        let depth = open.len();
        while self.spaces.last().is_some_and(|(.., at)| *at >= depth) {
            self.spaces.pop();
        }
        if !element.children.is_empty() && element.text.trim().is_empty() {
            element.text.clear();
        }
        match open.last_mut() {
            Some(above) => above.children.push(element),
            None => *whole = Some(element),
        }
    }
}

const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Line ends are one character, as XML says.
fn lines(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n").into()
    } else {
        text.into()
    }
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).filter(|char| *char != '\0')?
        }
    })
}

/// Writes a document; elements of the namespace of the root have no prefix.
pub(crate) fn write(root: &Element) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put(root, "", 0, &mut out);
    out
}

fn put(element: &Element, space: &str, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = write!(out, "{indent}<{}", element.name);
    if element.space != space {
        out.push_str(" xmlns=\"");
        escape(&element.space, true, out);
        out.push('"');
    }
    let mut spaces: Vec<&str> = Vec::new();
    for attribute in &element.attributes {
        out.push(' ');
        if attribute.space == XML {
            out.push_str("xml:");
        } else if !attribute.space.is_empty() {
            let known = spaces.iter().position(|one| *one == attribute.space);
            let index = known.unwrap_or_else(|| {
                let _ = write!(out, "xmlns:n{}=\"", spaces.len());
                escape(&attribute.space, true, out);
                out.push_str("\" ");
                spaces.push(&attribute.space);
                spaces.len() - 1
            });
            let _ = write!(out, "n{index}:");
        }
        let _ = write!(out, "{}=\"", attribute.name);
        escape(&attribute.value, true, out);
        out.push('"');
    }
    if element.children.is_empty() && element.text.is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push('>');
    escape(&element.text, false, out);
    if !element.children.is_empty() {
        // Text beside elements would gain white space; where there is any, nothing is added.
        out.push('\n');
        for child in &element.children {
            put(child, &element.space, depth + 1, out);
        }
        out.push_str(&indent);
    }
    let _ = writeln!(out, "</{}>", element.name);
}

/// What XML 1.0 cannot carry (controls) becomes the replacement character.
fn escape(text: &str, attribute: bool, out: &mut String) {
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' if attribute => out.push_str("&quot;"),
            '\n' | '\t' if attribute => {
                let _ = write!(out, "&#{};", char as u32);
            }
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(char),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            char if char.is_control() && (char as u32) < 0x20 => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_lines_and_texts_are_as_xml_says() {
        let text = "<a xmlns='u' xmlns:p='v'\n p:x='1' y='&lt;\n2'>\n<p:b>1&amp;2<![CDATA[<3>]]></p:b><c xmlns=''/></a>";
        let root = read(text.as_bytes(), &Limits::DEFAULT).expect("XML");
        assert_eq!((root.space.as_str(), root.children[0].space.as_str()), ("u", "v"));
        assert_eq!((root.children[1].space.as_str(), root.children[0].line), ("", 4));
        assert_eq!(root.children[0].text, "1&2<3>");
        assert_eq!((root.attribute("y"), root.attribute("x")), (Some("< 2"), None));
        let again = read(write(&root).as_bytes(), &Limits::DEFAULT).expect("XML");
        assert_eq!(again.children[0].text, "1&2<3>");
        assert_eq!(again.attributes, root.attributes);
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("<a>\n<b></a>", 2),
            ("<a/>\n<b/>", 2),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]>\n<a>&x;</a>", 1),
            ("<a>\n&x;</a>", 2),
            ("\n<p:a/>", 2),
            ("<a x='1' x='2'/>", 1),
        ] {
            let problem = read(text.as_bytes(), &Limits::DEFAULT).expect_err(text);
            assert_eq!(problem.place, crate::bom::Place::Line(line), "{text}: {problem}");
        }
        let deep = "<a>".repeat(200);
        let problem = read(deep.as_bytes(), &Limits::DEFAULT).expect_err("depth");
        assert_eq!(problem.rule, Rule::Limit);
    }
}
