//! The language of the search. Pure.
//!
//! Terms stand side by side and must all hold. `word` or `"some words"`: the event holds it, without regard to case.
//! `name:value`: the field (or `host`, `app`, `source`, `class`, `severity`, `message`, `raw`) is that value.
//! `*` stands for anything, `name:*` for any value at all; `-` before a term turns it round; `\` takes a character
//! for itself, and within quotes nothing but `"` and `\` needs that.
//!
//! Limits: [`TEXT_CHARS_MAX`], [`TERMS_MAX`].

use memchr::memmem;
use model::{Text, t};

use crate::event::Event;

pub const TEXT_CHARS_MAX: usize = 1_000;
pub const TERMS_MAX: usize = 32;
/// Names that are columns of numbers: what they say is no text of the event.
const NUMBERS: [&str; 2] = ["class", "severity"];

/// One thing that an event must be, or must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub is_negated: bool,
    /// Field or column; none: any text of the event.
    pub field: Option<String>,
    pub pattern: Pattern,
}

/// Folded texts with anything between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// One more than there are stars.
    parts: Vec<Vec<u8>>,
}

/// What is wrong with a query, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {fault}")]
pub struct QueryError {
    /// Character, from 1.
    pub at: usize,
    pub fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("a quotation that does not end; add a \"")]
    OpenQuote,
    #[error("nothing behind the name; give a value, or * for any")]
    NoValue,
    #[error("nothing behind the -; give what must not be there")]
    NoTerm,
    #[error("more than 32 terms; leave some out")]
    Terms,
    #[error("more than 1000 characters; shorten it")]
    Long,
}

impl Fault {
    pub fn text(self) -> Text {
        match self {
            Fault::OpenQuote => t(
                "引用符が閉じていません。\"で閉じてください",
                "a quotation that does not end; add a \"",
            ),
            Fault::NoValue => t(
                "項目名の後に値がありません。値か、何でもよければ*を書いてください",
                "nothing behind the name; give a value, or * for any",
            ),
            Fault::NoTerm => t(
                "「-」の後に語がありません。除きたい語を書いてください",
                "nothing behind the -; give what must not be there",
            ),
            Fault::Terms => {
                t("語が32個を超えています。減らしてください", "more than 32 terms; leave some out")
            }
            Fault::Long => t(
                "1000文字を超えています。短くしてください",
                "more than 1000 characters; shorten it",
            ),
        }
    }
}

/// Reads a query; an empty one has no terms and holds for everything.
pub fn parse(text: &str) -> Result<Vec<Term>, QueryError> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    if reader.chars.len() > TEXT_CHARS_MAX {
        return Err(QueryError { at: TEXT_CHARS_MAX + 1, fault: Fault::Long });
    }
    let mut terms = Vec::new();
    while reader.skip_space() {
        if terms.len() == TERMS_MAX {
            return Err(reader.fault(reader.at, Fault::Terms));
        }
        terms.push(reader.term()?);
    }
    Ok(terms)
}

/// The term that holds where the field is this value; none where the language has no way to say it.
pub fn is(name: &str, value: &str) -> Option<String> {
    let begins = name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@'));
    let fits = begins && name.chars().all(is_of_name) && value.chars().count() < TEXT_CHARS_MAX / 2;
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    (fits && !value.is_empty()).then(|| format!("{name}:\"{quoted}\""))
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn fault(&self, at: usize, fault: Fault) -> QueryError {
        QueryError { at: at + 1, fault }
    }

    fn at_end_of_term(&self) -> bool {
        self.peek().is_none_or(char::is_whitespace)
    }

    /// Whether anything follows.
    fn skip_space(&mut self) -> bool {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.at < self.chars.len()
    }

    fn term(&mut self) -> Result<Term, QueryError> {
        let start = self.at;
        let is_negated = self.peek() == Some('-');
        self.at += usize::from(is_negated);
        if is_negated && self.at_end_of_term() {
            return Err(self.fault(start, Fault::NoTerm));
        }
        let field = self.name();
        if field.is_some() && self.at_end_of_term() {
            return Err(self.fault(self.at, Fault::NoValue));
        }
        let pattern = self.pattern()?;
        Ok(Term { is_negated, field, pattern })
    }

    /// The name before a colon, if there is one: times and addresses of pages are none.
    fn name(&mut self) -> Option<String> {
        let rest = &self.chars[self.at..];
        let length = rest.iter().position(|c| !is_of_name(*c)).unwrap_or(rest.len());
        let begins = rest.first().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '@'));
        let is_address = rest[length..].starts_with(&[':', '/', '/']);
        if !begins || rest.get(length) != Some(&':') || is_address {
            return None;
        }
        let name = rest[..length].iter().collect();
        self.at += length + 1;
        Some(name)
    }

    fn pattern(&mut self) -> Result<Pattern, QueryError> {
        let (mut parts, mut quoted_at) = (vec![String::new()], None);
        let put = |parts: &mut Vec<String>, c: char| {
            if let Some(last) = parts.last_mut() {
                last.push(c);
            }
        };
        while let Some(c) = self.peek().filter(|c| quoted_at.is_some() || !c.is_whitespace()) {
            let here = self.at;
            self.at += 1;
            match c {
                '"' if quoted_at.is_some() => quoted_at = None,
                '"' => quoted_at = Some(here),
                '\\' if self
                    .peek()
                    .is_some_and(|next| quoted_at.is_none() || matches!(next, '"' | '\\')) =>
                {
                    put(&mut parts, self.chars[self.at]);
                    self.at += 1;
                }
                '*' if quoted_at.is_none() => parts.push(String::new()),
                c => put(&mut parts, c),
            }
        }
        match quoted_at {
            Some(at) => Err(self.fault(at, Fault::OpenQuote)),
            None => Ok(Pattern { parts: parts.iter().map(|part| sigma::folded(part)).collect() }),
        }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | '[' | ']')
}

impl Pattern {
    /// Whether it is the whole text.
    fn is(&self, text: &str) -> bool {
        let text = sigma::folded(text);
        let [first, rest @ ..] = self.parts.as_slice() else { return false };
        let Some((last, middle)) = rest.split_last() else { return text == *first };
        let Some(text) = text.strip_prefix(first.as_slice()) else { return false };
        let Some(text) = text.strip_suffix(last.as_slice()) else { return false };
        follow(text, middle)
    }

    /// Whether the text holds it somewhere.
    fn is_in(&self, text: &str) -> bool {
        follow(&sigma::folded(text), &self.parts)
    }

    fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(Vec::as_slice).filter(|part| !part.is_empty())
    }
}

/// Whether the parts follow one another in `text`.
fn follow(text: &[u8], parts: &[Vec<u8>]) -> bool {
    let mut rest = text;
    parts.iter().all(|part| match memmem::find(rest, part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

impl Term {
    pub fn holds(&self, event: &Event) -> bool {
        self.found(event) != self.is_negated
    }

    fn found(&self, event: &Event) -> bool {
        let pattern = &self.pattern;
        match &self.field {
            Some(name) => values(event, name).iter().any(|value| pattern.is(value)),
            None => {
                pattern.is_in(&event.message)
                    || event.fields.values().any(|value| pattern.is_in(value))
                    || pattern.is_in(&String::from_utf8_lossy(&event.raw))
            }
        }
    }

    /// Folded texts that every event has that the term holds for.
    pub(crate) fn literals(&self) -> Vec<&[u8]> {
        let is_number = self.field.as_ref().is_some_and(|name| NUMBERS.contains(&name.as_str()));
        match self.is_negated || is_number {
            true => Vec::new(),
            false => self.pattern.literals().collect(),
        }
    }
}

/// What an event says under a name: its field, else one whose name differs in case only, and the column.
fn values(event: &Event, name: &str) -> Vec<String> {
    let same = || event.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
    let mut found: Vec<String> =
        event.fields.get(name).or_else(same).cloned().into_iter().collect();
    match name {
        "host" => found.push(event.host.clone()),
        "app" => found.push(event.app.clone()),
        "source" => found.push(event.source.clone()),
        "message" => found.push(event.message.clone()),
        "raw" => found.push(String::from_utf8_lossy(&event.raw).into_owned()),
        "class" => found.push(event.class.to_string()),
        "severity" => found.push(event.severity.to_string()),
        _ => {}
    }
    found.retain(|value| !value.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use model::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::RawLine;

    fn event() -> Event {
        let line = "<34>Nov 28 10:00:00 web1 sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2";
        crate::parse(
            &RawLine::new(line),
            "syslog",
            Timestamp(1_795_600_000_000_000),
            &TimeZone::UTC,
        )
    }

    fn holds(query: &str) -> bool {
        parse(query).unwrap().iter().all(|term| term.holds(&event()))
    }

    #[test]
    fn what_a_field_is_can_be_asked_for() {
        for value in ["root", "a b", "say \"hi\"", r"C:\dir\*", "*", "-x"] {
            let mut event = event();
            event.fields.insert("Some.name-1[0]".to_owned(), value.to_owned());
            let term = is("Some.name-1[0]", value).unwrap();
            let terms = parse(&term).unwrap();
            assert!(terms.len() == 1 && terms[0].holds(&event), "{term}");
            event.fields.insert("Some.name-1[0]".to_owned(), format!("{value}x"));
            assert!(!terms[0].holds(&event), "{term}");
        }
        assert_eq!((is("1a", "x"), is("a b", "x"), is("a", "")), (None, None, None));
    }

    #[test]
    fn terms_must_all_hold() {
        for yes in [
            "",
            "  ",
            "failed",
            "FAILED root",
            "\"password for root\"",
            "host:web1",
            "host:WEB*",
            "app:ssh* -host:web2",
            "fail*root",
            "-disk",
            "host:*",
            "app:s*d",
            "-app:cron",
            "192.0.2.7",
            "source:syslog",
            "message:*root*",
            "10:00:00",
            "-nothing:*",
            "severity:*",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "failed disk",
            "\"root password\"",
            "host:web",
            "host:web2",
            "-root",
            "-host:*",
            "root*failed",
            "app:s*x",
            "nothing:*",
            "\"fail*root\"",
            "\\*",
        ] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn an_error_says_where_it_is() {
        for (query, at, fault) in [
            ("a \"b c", 3, Fault::OpenQuote),
            ("host:", 6, Fault::NoValue),
            ("x host: y", 8, Fault::NoValue),
            ("a -", 3, Fault::NoTerm),
            ("日本 - x", 4, Fault::NoTerm),
        ] {
            assert_eq!(parse(query), Err(QueryError { at, fault }), "{query}");
        }
        let many = "a ".repeat(TERMS_MAX + 1);
        assert_eq!(parse(&many).unwrap_err().fault, Fault::Terms);
        assert_eq!(parse(&"a".repeat(TEXT_CHARS_MAX + 1)).unwrap_err().fault, Fault::Long);
    }

    #[test]
    fn addresses_of_pages_and_escapes_are_words() {
        let one = |query: &str| parse(query).unwrap().remove(0);
        assert_eq!(one("https://example.jp/a").field, None);
        assert_eq!(one("a\\:b").field, None);
        assert_eq!(one("path:\"C:\\dir\\x\"").pattern.parts, [b"c:\\dir\\x".to_vec()]);
        assert!(!one("\\-a").is_negated);
        assert_eq!(one("name:a\\*b*").pattern.parts, [b"a*b".to_vec(), Vec::new()]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_at_a_place_in_it(text in "[ -~あ]{0,60}") {
            match parse(&text) {
                Ok(terms) => prop_assert!(terms.len() <= TERMS_MAX),
                Err(error) => prop_assert!(error.at >= 1 && error.at <= text.chars().count() + 1),
            }
        }

        #[test]
        fn a_quoted_part_of_the_message_is_found(from in 0usize..30, length in 1usize..30) {
            let message = event().message;
            let part: String = message.chars().skip(from).take(length).collect();
            let is_found = part.is_empty() || holds(&format!("\"{part}\""));
            prop_assert!(is_found, "{part}");
        }
    }
}
