//! Tokens of a pattern, by the grammar of STIX 2.1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ast::{BYTES_MAX, PatternError};
use crate::stix::time;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A word that is no keyword; with a hyphen it names types only.
    Word(String),
    Keyword(&'static str),
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Time(i64),
    /// Punctuation, and operators in their one spelling.
    Mark(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub token: Token,
    pub at: usize,
}

const KEYWORDS: [&str; 17] = [
    "AND",
    "OR",
    "NOT",
    "FOLLOWEDBY",
    "LIKE",
    "MATCHES",
    "ISSUPERSET",
    "ISSUBSET",
    "EXISTS",
    "LAST",
    "IN",
    "START",
    "STOP",
    "SECONDS",
    "WITHIN",
    "REPEATS",
    "TIMES",
];

/// Longer ones first; the second of a pair is how it is kept.
const MARKS: [(&str, &str); 18] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("[", "["),
    ("]", "]"),
    ("(", "("),
    (")", ")"),
    (",", ","),
    (":", ":"),
    (".", "."),
    ("*", "*"),
    ("+", "+"),
    ("-", "-"),
];

pub(crate) fn tokens(source: &str) -> Result<Vec<Placed>, PatternError> {
    if source.len() > BYTES_MAX {
        return Err(PatternError::new(source, 0, format!("longer than {BYTES_MAX} bytes")));
    }
    let mut lexer = Lexer { source, at: 0 };
    let mut out = Vec::new();
    while lexer.skip_blank()? {
        let at = lexer.at;
        out.push(Placed { token: lexer.token()?, at });
    }
    Ok(out)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn error(&self, at: usize, what: impl Into<String>) -> PatternError {
        PatternError::new(self.source, at, what)
    }

    /// Past blanks and comments; false at the end.
    fn skip_blank(&mut self) -> Result<bool, PatternError> {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return Ok(false) };
            if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else {
                    return Err(self.error(self.at, "a comment that does not end"));
                };
                self.at += end + 2;
            } else if rest.starts_with("//") {
                self.at += rest.find(['\r', '\n']).unwrap_or(rest.len());
            } else if is_blank(first) {
                self.at += first.len_utf8();
            } else {
                return Ok(true);
            }
        }
    }

    fn token(&mut self) -> Result<Token, PatternError> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        match (bytes[0], bytes.get(1)) {
            (b'\'', _) => self.text(),
            (prefix @ (b't' | b'h' | b'b'), Some(b'\'')) => self.prefixed(prefix),
            (b'0'..=b'9' | b'+' | b'-' | b'.', _) if number_length(rest) > 0 => self.number(),
            (b'a'..=b'z' | b'A'..=b'Z' | b'_', _) => Ok(self.word()),
            _ => self.mark(),
        }
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        match word.as_str() {
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            _ => match KEYWORDS.iter().find(|keyword| **keyword == word) {
                Some(keyword) => Token::Keyword(keyword),
                None => Token::Word(word),
            },
        }
    }

    fn mark(&mut self) -> Result<Token, PatternError> {
        let rest = self.rest();
        let Some((written, kept)) = MARKS.iter().find(|(written, _)| rest.starts_with(written))
        else {
            let odd = rest.chars().next().unwrap_or_default();
            return Err(self.error(self.at, format!("a character that has no place here: {odd:?}")));
        };
        self.at += written.len();
        Ok(Token::Mark(kept))
    }

    fn number(&mut self) -> Result<Token, PatternError> {
        let (start, length) = (self.at, number_length(self.rest()));
        let text = &self.rest()[..length];
        let token = if text.contains('.') {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Token::Float)
        } else {
            text.parse().ok().map(Token::Integer)
        };
        let Some(token) = token else { return Err(self.error(start, "a number too large")) };
        self.at += length;
        Ok(token)
    }

    fn text(&mut self) -> Result<Token, PatternError> {
        let start = self.at;
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at = start + at + 1;
                    return Ok(Token::Text(out));
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('\'' | '\\'))) => out.push(escaped),
                    _ => {
                        return Err(self.error(
                            start + at,
                            r"a backslash stands only before ' or another backslash; write \\ for one",
                        ));
                    }
                },
                _ => out.push(c),
            }
        }
        Err(self.error(start, "a text that does not end"))
    }

    /// `t'…'`, `h'…'`, `b'…'`.
    fn prefixed(&mut self, prefix: u8) -> Result<Token, PatternError> {
        let start = self.at;
        let body = &self.rest()[2..];
        let Some(end) = body.find('\'') else {
            return Err(self.error(start, "a constant that does not end"));
        };
        let text = &body[..end];
        let token = match prefix {
            b't' => time::parse(text).map(Token::Time),
            b'h' => hex::decode(text).ok().map(Token::Bytes),
            // The grammar knows no empty b''.
            _ => STANDARD.decode(text).ok().filter(|b| !b.is_empty()).map(Token::Bytes),
        };
        let Some(token) = token else { return Err(self.error(start, wrong(prefix))) };
        self.at += 2 + end + 1;
        Ok(token)
    }
}

fn wrong(prefix: u8) -> &'static str {
    match prefix {
        b't' => "no timestamp; it is written t'2026-01-31T12:00:00.5Z'",
        b'h' => "no hexadecimal bytes; they are written h'00ff'",
        _ => "no base64; it is written with = at its end, as in b'AA=='",
    }
}

fn is_blank(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// How many bytes of a number stand here; 0 if none begins.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(sign);
    let dot = sign + whole;
    if bytes.get(dot) == Some(&b'.') {
        let fraction = digits(dot + 1);
        if fraction > 0 {
            return dot + 1 + fraction;
        }
    }
    match whole {
        0 => 0,
        // A leading zero ends a whole number: `012` is two tokens and so an error.
        _ if bytes[sign] == b'0' => sign + 1,
        _ => sign + whole,
    }
}
