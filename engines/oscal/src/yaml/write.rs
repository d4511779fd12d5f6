//! Block YAML that YAML 1.1 and 1.2 readers take for the same values.

use crate::{model::Ty, node::Node};

/// Keys longer than this take YAML's explicit form; an implicit one ends at 1,024 characters.
const KEY_CHARS_MAX: usize = 500;

/// Writes a document.
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    value(&mut out, node, None, 0, Place::Line);
    out.push('\n');
    out
}

/// Where a value begins.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// At the beginning of a line, or right after `- `: a list or object may start here
    Line,
    /// After `name:`; a list or object starts on the next line
    Member,
}

fn value(out: &mut String, node: &Node, ty: Option<&Ty>, level: usize, place: Place) {
    match node {
        Node::List(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 || place == Place::Member {
                    new_line(out, level);
                }
                out.push_str("- ");
                value(out, item, ty.and_then(Ty::item), level + 1, Place::Line);
            }
        }
        Node::Object(members) if !members.is_empty() => {
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 || place == Place::Member {
                    new_line(out, level);
                }
                key(out, name, level);
                let root = if level == 0 { Some(Ty::root(name)) } else { None };
                let inner = root.as_ref().or_else(|| ty.and_then(|ty| ty.member(name)));
                value(out, member, inner, level + 1, Place::Member);
            }
        }
        scalar => {
            if place == Place::Member {
                out.push(' ');
            }
            self::scalar(out, scalar, ty, level);
        }
    }
}

fn scalar(out: &mut String, node: &Node, ty: Option<&Ty>, level: usize) {
    // A reader takes a plain scalar at such a place for a text: what is none must say so.
    let tag = |tag| if ty.is_some_and(Ty::is_text) { tag } else { "" };
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(yes) => {
            out.push_str(tag("!!bool "));
            out.push_str(if *yes { "true" } else { "false" });
        }
        Node::Number(text) => {
            let whole = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            out.push_str(tag(if whole { "!!int " } else { "!!float " }));
            out.push_str(text);
        }
        Node::Text(text) => text_value(out, text, level),
        Node::List(_) => out.push_str("[]"),
        Node::Object(_) => out.push_str("{}"),
    }
}

fn new_line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", level));
}

fn key(out: &mut String, name: &str, level: usize) {
    let start = out.len();
    plain_or_quoted(out, name);
    if out[start..].chars().count() > KEY_CHARS_MAX {
        out.insert_str(start, "? ");
        new_line(out, level);
    }
    out.push(':');
}

fn text_value(out: &mut String, text: &str, level: usize) {
    if level == 0 || !is_block(text) {
        return plain_or_quoted(out, text);
    }
    out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if line.is_empty() {
            out.push('\n');
        } else {
            new_line(out, level);
            out.push_str(line);
        }
    }
}

/// Whether a literal block holds the text exactly, whoever reads it.
fn is_block(text: &str) -> bool {
    let mut lines = text.lines();
    let first = lines.next().is_some_and(|line| !line.is_empty() && !line.starts_with(' '));
    let blank = |line: &str| !line.is_empty() && line.trim_matches(' ').is_empty();
    first
        && text.contains('\n')
        && !text.ends_with("\n\n")
        && text.chars().all(|c| c == '\n' || is_shown(c))
        && !text.split('\n').any(blank)
}

/// A character that stands for itself in every reader.
fn is_shown(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

fn plain_or_quoted(out: &mut String, text: &str) {
    if is_plain(text) { out.push_str(text) } else { quoted(out, text) }
}

/// Whether a text can stand without quotation marks and is a text to YAML 1.1 and 1.2 alike: it begins
/// with a letter and is none of their words.
fn is_plain(text: &str) -> bool {
    text.starts_with(char::is_alphabetic)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_shown)
        && !is_word(text)
}

fn is_word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_shown(c) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, json, yaml};

    fn node(text: &str) -> Node {
        json::read(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn a_document_reads_well() {
        let found = write(&node(
            r#"{"a": {"b": [{"c": "x: y", "d": [1, [2, []]]}, {}], "e": "二行\n目\n"}, "5": "no", "f": "1.0"}"#,
        ));
        let want = "a:\n  b:\n    - c: \"x: y\"\n      d:\n        - 1\n        - - 2\n          - []\n    - {}\n  \
                    e: |\n    二行\n    目\n\"5\": \"no\"\nf: \"1.0\"\n";
        assert_eq!(found, want);
    }

    #[test]
    fn every_awkward_text_survives_as_value_item_and_name() {
        let texts = [
            "",
            " ",
            "~",
            "null",
            "no",
            "Yes",
            "1.0",
            "0x1f",
            "2024-02-01",
            "12:30",
            "- a",
            "a: b",
            "a #b",
            "a:",
            "#",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "'",
            "\"",
            "%",
            "@",
            "`",
            "{a}",
            "[a]",
            "a, b",
            "? a",
            "---",
            "...",
            "a\n",
            "a\n\n",
            "\na",
            "a\n b\n",
            " a\nb",
            "a\n \nb",
            "a\tb",
            "a\n\tb",
            "\t",
            "a\rb",
            "a\r\nb",
            "\0",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{fffe}",
            "🌸",
            "梅\n竹\n松",
            "=",
            "<<",
            "a ",
            "é:",
            "a\u{85}b\nc",
            "\n",
            "\n\n",
            "a\n\nb",
            "a\n#b",
            "x\n--- y",
            "x\n...\n",
            "%YAML 1.1\nx",
        ];
        for text in texts {
            let text = Node::Text(text.to_owned());
            let list = Node::List(vec![text.clone(), Node::List(vec![text.clone()]), Node::Null]);
            let mut members = crate::Members::new();
            members.set("value", text.clone());
            members.set("list", list);
            members.set(text.text().unwrap_or_default(), Node::Number("1".into()));
            members.set("last", text.clone());
            for case in [text.clone(), Node::Object(members)] {
                let written = write(&case);
                let read = yaml::read(written.as_bytes(), &Limits::default());
                assert_eq!(read.as_ref(), Ok(&case), "{written}");
            }
        }
    }

    #[test]
    fn long_names_take_the_explicit_form() {
        let name = "\u{1}".repeat(1_000);
        let mut members = crate::Members::new();
        members.set(name, Node::List(vec![Node::Object(members.clone()), Node::Null]));
        let case = Node::Object(members);
        let written = write(&case);
        assert_eq!(yaml::read(written.as_bytes(), &Limits::default()), Ok(case), "{written}");
    }
}
