//! JSON (RFC 8259) in and out. The text of numbers stays; a name that stands twice is refused, since
//! no reader could say which one counts.

use std::collections::HashSet;

use crate::{
    error::{Fault, Limits, ReadError},
    node::{Members, Node},
    pointer::{self, Step},
};

/// Objects with more members than this are searched for doubles by hash.
const FEW_MEMBERS: usize = 16;

/// Reads one value with nothing but white space around it; a byte order mark is passed over.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Node, ReadError> {
    if bytes.len() > limits.bytes {
        return Err(refused(bytes, 0, "", Fault::Bytes(limits.bytes)));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| refused(bytes, error.valid_up_to(), "", Fault::Utf8))?;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut reader = Reader { text, at: start, nodes: 0, path: Vec::new(), limits };
    let node = reader.document();
    node.map_err(|fault| {
        let path: Vec<Step<'_>> = reader.path.iter().map(Part::step).collect();
        refused(bytes, reader.at, &pointer::of(&path), fault)
    })
}

fn refused(bytes: &[u8], at: usize, pointer: &str, fault: Fault) -> ReadError {
    let before = &bytes[..at.min(bytes.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    ReadError {
        pointer: pointer.to_owned(),
        line: before.iter().filter(|b| **b == b'\n').count() + 1,
        column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
        fault,
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

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    path: Vec<Part>,
    limits: &'a Limits,
}

fn syntax<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::Syntax(what.to_owned()))
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Fault> {
        let node = self.value()?;
        self.space();
        if self.peek().is_some() { syntax("text after the end of the value") } else { Ok(node) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Passes over the byte if it is the next one after white space.
    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self) -> Result<Node, Fault> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(Fault::Nodes(self.limits.nodes));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.deeper(Reader::object),
            Some(b'[') => self.deeper(Reader::list),
            Some(b'"') => self.string().map(Node::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Node::Bool(true)),
            Some(b'f') => self.word("false", Node::Bool(false)),
            Some(b'n') => self.word("null", Node::Null),
            Some(_) => syntax("no JSON value begins like this"),
            None => syntax("the file ends in the middle"),
        }
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Result<Node, Fault>) -> Result<Node, Fault> {
        if self.path.len() >= self.limits.depth() {
            return Err(Fault::Depth(self.limits.depth()));
        }
        self.at += 1;
        read(self)
    }

    fn word(&mut self, word: &str, node: Node) -> Result<Node, Fault> {
        if !self.text[self.at..].starts_with(word) {
            return syntax("no JSON value begins like this");
        }
        self.at += word.len();
        Ok(node)
    }

    fn list(&mut self) -> Result<Node, Fault> {
        let mut items = Vec::new();
        if self.takes(b']') {
            return Ok(Node::List(items));
        }
        loop {
            self.path.push(Part::Item(items.len()));
            items.push(self.value()?);
            self.path.pop();
            if self.takes(b']') {
                return Ok(Node::List(items));
            }
            if !self.takes(b',') {
                return syntax("a comma or ] is missing");
            }
        }
    }

    fn object(&mut self) -> Result<Node, Fault> {
        let (mut members, mut seen) = (Members::new(), HashSet::new());
        if self.takes(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return syntax("a member's name in quotation marks is missing");
            }
            let name = self.string()?;
            if name.len() > self.limits.name {
                return Err(Fault::Name(self.limits.name));
            }
            if is_double(&members, &mut seen, &name) {
                return Err(Fault::Twice(name));
            }
            if !self.takes(b':') {
                return syntax("a colon after the member's name is missing");
            }
            self.path.push(Part::Member(name));
            let value = self.value()?;
            if let Some(Part::Member(name)) = self.path.pop() {
                members.push_new(name, value);
            }
            if self.takes(b'}') {
                return Ok(Node::Object(members));
            }
            if !self.takes(b',') {
                return syntax("a comma or } is missing");
            }
        }
    }

    fn number(&mut self) -> Result<Node, Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        let Some(len) = number_length(rest) else {
            return syntax("a number is not complete");
        };
        let text = self.text[self.at..self.at + len].to_owned();
        self.at += len;
        Ok(Node::Number(text))
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(run) = special(rest.as_bytes()) else {
                return syntax("a text is not closed");
            };
            out.push_str(&rest[..run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return syntax("a control character in a text; write it as an escape"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        self.at += 2;
        Ok(match self.text.as_bytes().get(self.at - 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                self.at -= 1;
                return syntax("an escape that JSON does not have");
            }
        })
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if self.text.as_bytes()[self.at..].get(..2) != Some(b"\\u") {
                return syntax("half of a surrogate pair");
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return syntax("half of a surrogate pair");
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).map_or_else(|| syntax("half of a surrogate pair"), Ok)
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits.and_then(|d| std::str::from_utf8(d).ok()) else {
            return syntax("four hexadecimal digits are missing");
        };
        self.at += 4;
        u32::from_str_radix(digits, 16).map_or_else(|_| syntax("no hexadecimal number"), Ok)
    }
}

/// Whether the object has the name; from some size on by hash.
pub(crate) fn is_double(members: &Members, seen: &mut HashSet<String>, name: &str) -> bool {
    if members.len() < FEW_MEMBERS {
        return members.get(name).is_some();
    }
    if seen.is_empty() {
        seen.extend(members.iter().map(|(name, _)| name.to_owned()));
    }
    !seen.insert(name.to_owned())
}

/// Length of the JSON number the bytes begin with.
pub(crate) fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    match (bytes.get(at), digits(at)) {
        (_, 0) => return None,
        (Some(b'0'), _) => at += 1,
        (_, n) => at += n,
    }
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = bytes.get(at + 1 + sign..).map_or(0, |_| digits(at + 1 + sign));
        if exponent == 0 {
            return None;
        }
        at += 1 + sign + exponent;
    }
    Some(at)
}

/// Writes a value: two spaces a level, UTF-8, a newline at the end.
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    value(&mut out, node, 0);
    out.push('\n');
    out
}

fn value(out: &mut String, node: &Node, level: usize) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Node::Number(text) => out.push_str(text),
        Node::Text(text) => quoted(out, text),
        Node::List(items) if items.is_empty() => out.push_str("[]"),
        Node::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                next_line(out, at > 0, level + 1);
                value(out, item, level + 1);
            }
            next_line(out, false, level);
            out.push(']');
        }
        Node::Object(members) if members.is_empty() => out.push_str("{}"),
        Node::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                next_line(out, at > 0, level + 1);
                quoted(out, name);
                out.push_str(": ");
                value(out, member, level + 1);
            }
            next_line(out, false, level);
            out.push('}');
        }
    }
}

fn next_line(out: &mut String, comma: bool, level: usize) {
    const SPACES: &str = "                                                                ";
    out.push_str(if comma { ",\n" } else { "\n" });
    let mut left = 2 * level;
    while left > 0 {
        let some = left.min(SPACES.len());
        out.push_str(&SPACES[..some]);
        left -= some;
    }
}

/// Where the first byte stands that ends a run of plain text: a quotation mark, a backslash or a control
/// character. Eight bytes at a time, since most of a document is such text.
fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        // The lowest mark is exact; a borrow can only set marks above it.
        let below =
            |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let found = below(word, 0x20) | is(b'"') | is(b'\\');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes[at..].iter().position(|b| *b == b'"' || *b == b'\\' || *b < 0x20);
    rest.map(|n| at + n)
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => out.push_str(&format!("\\u{other:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (String, Fault) {
        let error = read(text.as_bytes(), &Limits::default()).unwrap_err();
        (error.pointer, error.fault)
    }

    #[test]
    fn numbers_keep_their_text_and_members_their_order() {
        let text =
            "{\n  \"z\": 1.10,\n  \"a\": -0.0e+07,\n  \"m\": 123456789012345678901234567890\n}\n";
        let node = read(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(write(&node), text);
    }

    #[test]
    fn escapes_are_read_and_written_in_one_spelling() {
        let node = read(br#""\u6885\ud83c\udf38\/\b\u0000\t\"""#, &Limits::default()).unwrap();
        assert_eq!(node.text(), Some("梅🌸/\u{8}\0\t\""));
        assert_eq!(write(&node), "\"梅🌸/\\u0008\\u0000\\t\\\"\"\n");
    }

    #[test]
    fn runs_of_plain_text_end_at_the_same_byte_as_one_by_one() {
        let plain = |b: &u8| *b == b'"' || *b == b'\\' || *b < 0x20;
        for byte in 0..=255 {
            for other in
                [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff, b'"', 0x1f]
            {
                for at in 0..20 {
                    let mut bytes = [other; 21];
                    bytes[at] = byte;
                    assert_eq!(special(&bytes), bytes.iter().position(plain), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let cases = [
            "",
            "nul",
            "{",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "01",
            "1.",
            "-",
            "1e",
            "+1",
            ".5",
            "\"\\x\"",
            "\"\n\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\\u12\"",
            "\"a",
            "1 2",
            "NaN",
            "{'a':1}",
            "// x\n1",
            "{a:1}",
        ];
        for case in cases {
            assert!(matches!(fault(case).1, Fault::Syntax(_)), "{case}");
        }
        let error = read("{\n \"梅\": [0, tru]}".as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!((error.pointer.as_str(), error.line, error.column), ("/梅/1", 2, 11));
        let shown = "/梅/1: no JSON value begins like this (line 2, column 11)";
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_in_small_and_large_objects() {
        assert_eq!(fault(r#"{"x":[{"a":1,"a":2}]}"#), ("/x/0".into(), Fault::Twice("a".into())));
        let many: Vec<String> = (0..100).map(|n| format!("\"m{n}\":0")).collect();
        assert!(read(format!("{{{}}}", many.join(",")).as_bytes(), &Limits::default()).is_ok());
        let twice = format!("{{{},\"m0\":1}}", many.join(","));
        assert_eq!(fault(&twice).1, Fault::Twice("m0".into()));
    }

    #[test]
    fn each_limit_refuses_and_names_the_place() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(fault(&deep), ("/0".repeat(200), Fault::Depth(200)));
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(read(deep.as_bytes(), &Limits::default()).is_ok());
        let deep = "{\"a\":".repeat(5_000);
        assert_eq!(fault(&deep), ("/a".repeat(200), Fault::Depth(200)));
        let limits = Limits { nodes: 3, name: 3, bytes: 20, depth: 9_999 };
        let limited = |text: &str| read(text.as_bytes(), &limits).map_err(|e| (e.pointer, e.fault));
        assert!(limited("[1,2]").is_ok());
        assert_eq!(limited("[1,2,3]"), Err(("/2".into(), Fault::Nodes(3))));
        assert_eq!(limited("{\"abcd\":1}"), Err(("".into(), Fault::Name(3))));
        assert_eq!(limited(&" ".repeat(21)), Err(("".into(), Fault::Bytes(20))));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let limits = Limits { depth: 9_999, ..Limits::default() };
        let found = read(deep.as_bytes(), &limits).unwrap_err().fault;
        assert_eq!(found, Fault::Depth(Limits::DEPTH_MAX));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused_and_a_byte_order_mark_is_not() {
        assert_eq!(read(b"\"\xff\"", &Limits::default()).unwrap_err().fault, Fault::Utf8);
        assert_eq!(read(b"\xef\xbb\xbf1", &Limits::default()), Ok(Node::Number("1".into())));
    }
}
