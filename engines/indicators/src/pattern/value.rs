//! Constants of a pattern against values of JSON.
//!
//! Unlike types are unequal and have no order. Of properties that end in `_hex` and `_bin` bytes are meant; a
//! text is held against those bytes, code points below 256 as bytes, and also against the text as it stands.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};

use super::ast::{Encoding, Literal};
use super::like::nfc;
use crate::stix::time;

/// How many bytes a compiled expression takes.
const REGEX_BYTES: usize = 4 << 20;

pub(crate) fn equal(value: &Value, encoding: Encoding, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Number(number), Literal::Integer(_) | Literal::Float(_)) => {
            order_of_numbers(number, literal) == Some(Ordering::Equal)
        }
        (Value::Bool(value), Literal::Bool(wanted)) => value == wanted,
        (Value::String(text), Literal::Text(wanted)) => {
            text == wanted
                || decoded(text, encoding).is_some_and(|b| latin(wanted).as_deref() == Some(&b[..]))
        }
        (Value::String(text), Literal::Bytes(wanted)) => {
            bytes_of(text, encoding).is_some_and(|bytes| bytes == *wanted)
        }
        (Value::String(text), Literal::Time(wanted)) => time::parse(text) == Some(*wanted),
        _ => false,
    }
}

/// How the value stands to the constant; none if the two have no order.
pub(crate) fn order(value: &Value, encoding: Encoding, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Number(number), Literal::Integer(_) | Literal::Float(_)) => {
            order_of_numbers(number, literal)
        }
        (Value::String(text), Literal::Text(wanted)) => match decoded(text, encoding) {
            Some(bytes) => Some(bytes.as_slice().cmp(&latin(wanted)?)),
            None => Some(text.as_str().cmp(wanted)),
        },
        (Value::String(text), Literal::Bytes(wanted)) => {
            Some(bytes_of(text, encoding)?.as_slice().cmp(wanted))
        }
        (Value::String(text), Literal::Time(wanted)) => Some(time::parse(text)?.cmp(wanted)),
        _ => None,
    }
}

/// Exact: a whole number beyond what a float tells apart is not rounded.
fn order_of_numbers(number: &Number, literal: &Literal) -> Option<Ordering> {
    let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match (whole, literal) {
        (Some(whole), Literal::Integer(wanted)) => Some(whole.cmp(wanted)),
        (Some(whole), Literal::Float(wanted)) => whole_to_float(whole, *wanted),
        (None, Literal::Integer(wanted)) => {
            whole_to_float(*wanted, number.as_f64()?).map(Ordering::reverse)
        }
        (None, Literal::Float(wanted)) => number.as_f64()?.partial_cmp(wanted),
        _ => None,
    }
}

fn whole_to_float(whole: i128, float: f64) -> Option<Ordering> {
    if float >= 1.7e38 {
        return Some(Ordering::Less);
    }
    if float <= -1.7e38 {
        return Some(Ordering::Greater);
    }
    let below = float.floor();
    let ordering = whole.cmp(&(below as i128));
    match ordering == Ordering::Equal && below < float {
        true => Some(Ordering::Less),
        false => Some(ordering),
    }
}

/// The bytes a text of a property for bytes stands for.
fn decoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Plain => None,
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}

fn bytes_of(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    decoded(text, encoding).or_else(|| latin(text))
}

/// A text as bytes, if all its code points are below 256.
fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// The texts that `LIKE` looks at: as it stands and, of bytes, what they spell.
pub(crate) fn texts(value: &Value, encoding: Encoding) -> impl Iterator<Item = Cow<'_, str>> {
    let text = value.as_str();
    let spelled = text.and_then(|t| decoded(t, encoding)).and_then(|b| String::from_utf8(b).ok());
    text.map(Cow::Borrowed).into_iter().chain(spelled.map(Cow::Owned))
}

/// `MATCHES`: a regular expression that is searched for.
#[derive(Clone, Debug)]
pub struct Matches {
    source: String,
    text: regex::Regex,
    bytes: Option<regex::bytes::Regex>,
}

impl PartialEq for Matches {
    fn eq(&self, other: &Matches) -> bool {
        self.source == other.source && self.bytes.is_some() == other.bytes.is_some()
    }
}

impl Matches {
    /// The offset in the source and what is wrong there, if it is none.
    pub(crate) fn new(source: &str, encoding: Encoding) -> Result<Matches, (usize, String)> {
        if let Some(at) = beyond(source) {
            return Err((at, "look-around and back references are not taken".to_owned()));
        }
        let written =
            sigma::pcre::finish(&sigma::pcre::translate(&nfc(source)), false, false, false);
        let text = regex::RegexBuilder::new(&written)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_BYTES)
            .build()
            .map_err(|error| (place(&written, source), said(&error)))?;
        let bytes = match encoding {
            Encoding::Plain => None,
            _ => byte_expression(&written),
        };
        Ok(Matches { source: source.to_owned(), text, bytes })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn is_match(&self, value: &Value, encoding: Encoding) -> bool {
        let Value::String(text) = value else { return false };
        if let (Some(expression), Some(bytes)) = (&self.bytes, decoded(text, encoding)) {
            return expression.is_match(&bytes);
        }
        self.text.is_match(&nfc(text))
    }
}

/// The same for bytes: code points below 256 are bytes; with others it matches no bytes at all.
fn byte_expression(written: &str) -> Option<regex::bytes::Regex> {
    let mut source = String::with_capacity(written.len());
    for c in written.chars() {
        match u32::from(c) {
            0..128 => source.push(c),
            128..256 => source.push_str(&format!(r"\x{:02x}", u32::from(c))),
            _ => return None,
        }
    }
    regex::bytes::RegexBuilder::new(&source)
        .unicode(false)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(REGEX_BYTES)
        .build()
        .ok()
}

/// Where look-around or a back reference begins.
fn beyond(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut at, mut class) = (0, false);
    while at < bytes.len() {
        let rest = &source.as_bytes()[at..];
        match rest[0] {
            b'\\' => {
                let next = rest.get(1).copied().unwrap_or_default();
                if !class && (matches!(next, b'1'..=b'9') || rest.starts_with(b"\\k<")) {
                    return Some(at);
                }
                at += 1;
            }
            b'[' => class = true,
            b']' => class = false,
            b'(' if !class => {
                let around: [&[u8]; 4] = [b"(?=", b"(?!", b"(?<=", b"(?<!"];
                if around.iter().any(|begin| rest.starts_with(begin)) {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn place(written: &str, source: &str) -> usize {
    match regex_syntax::parse(written) {
        Err(regex_syntax::Error::Parse(error)) => error.span().start.offset.min(source.len()),
        Err(regex_syntax::Error::Translate(error)) => error.span().start.offset.min(source.len()),
        _ => 0,
    }
}

fn said(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(max) => format!("larger than {max} bytes compiled"),
        other => {
            let text = other.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}
