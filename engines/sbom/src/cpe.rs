//! CPE 2.3 names: both bindings, and how one name stands to another.
//!
//! # Sources
//! NISTIR 7695 (names and bindings) and NISTIR 7696 (matching, table 6-2 and section 6.3).
//!
//! # Limits
//! [`LENGTH_MAX`] bytes. Wildcards stand at the ends of a value only, as 7695 says, so matching is linear.

use std::fmt;

/// The longest name that is read.
pub const LENGTH_MAX: usize = 4 * 1024;

const ATTRIBUTES: usize = 11;

/// The attributes in the order of the formatted string.
pub const NAMES: [&str; ATTRIBUTES] = [
    "part",
    "vendor",
    "product",
    "version",
    "update",
    "edition",
    "language",
    "sw_edition",
    "target_sw",
    "target_hw",
    "other",
];

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cpe {
    attributes: [Attribute; ATTRIBUTES],
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// Any value: `*`
    Any,
    /// No value: `-`
    Na,
    /// A text in lower case, with what may stand before and behind it.
    Value { before: Wild, text: String, after: Wild },
}

/// What may stand at an end of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wild {
    /// At most so many characters: none, or one for each `?`.
    UpTo(usize),
    /// Anything: `*`
    Anything,
}

/// How a source name stands to a target name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    /// Every product of the target is one of the source.
    Superset,
    /// The target says less than the source: it may or may not be meant.
    Subset,
    Disjoint,
    /// Each says something that the other leaves open, or both have wildcards.
    Undefined,
}

/// Why something is no CPE name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpeError {
    #[error("begins neither with cpe:2.3: nor with cpe:/")]
    Binding,
    #[error("longer than {LENGTH_MAX} bytes")]
    TooLong,
    #[error("has {0} attributes instead of 11")]
    Count(usize),
    #[error("{attribute}: {what}")]
    Value { attribute: &'static str, what: &'static str },
}

impl Cpe {
    /// Reads a formatted string (`cpe:2.3:a:…`) or a URI (`cpe:/a:…`).
    pub fn parse(text: &str) -> Result<Cpe, CpeError> {
        if text.len() > LENGTH_MAX {
            return Err(CpeError::TooLong);
        }
        let text = text.trim();
        if let Some(rest) = strip(text, "cpe:2.3:") {
            formatted(rest)
        } else if let Some(rest) = strip(text, "cpe:/") {
            uri(rest)
        } else {
            Err(CpeError::Binding)
        }
    }

    /// An attribute, by its place among [`NAMES`].
    pub fn attribute(&self, name: &str) -> &Attribute {
        let at = NAMES.iter().position(|n| *n == name).unwrap_or(ATTRIBUTES - 1);
        &self.attributes[at]
    }

    /// Vendor and product where both are said: what names are looked up by.
    pub fn product(&self) -> Option<(&str, &str)> {
        match (&self.attributes[1], &self.attributes[2]) {
            (Attribute::Value { text: vendor, .. }, Attribute::Value { text: product, .. }) => {
                Some((vendor, product))
            }
            _ => None,
        }
    }

    /// The version, where one is said.
    pub fn version(&self) -> Option<&str> {
        match &self.attributes[3] {
            Attribute::Value { text, before: Wild::UpTo(0), after: Wild::UpTo(0) } => Some(text),
            _ => None,
        }
    }

    /// The same name with any version and update.
    pub fn versionless(&self) -> Cpe {
        let mut attributes = self.attributes.clone();
        attributes[3] = Attribute::Any;
        attributes[4] = Attribute::Any;
        Cpe { attributes }
    }

    /// How this name, of an advisory, stands to another, of a product.
    pub fn relation(&self, target: &Cpe) -> Relation {
        let mut all = Relation::Equal;
        for (source, target) in self.attributes.iter().zip(&target.attributes) {
            all = match (all, relation(source, target)) {
                (_, Relation::Disjoint) => return Relation::Disjoint,
                (all, Relation::Equal) => all,
                (Relation::Equal, other) => other,
                (Relation::Superset, Relation::Superset) => Relation::Superset,
                (Relation::Subset, Relation::Subset) => Relation::Subset,
                _ => Relation::Undefined,
            };
        }
        all
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (front, rest) = text.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn formatted(text: &str) -> Result<Cpe, CpeError> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match (c, parts.last_mut()) {
            (':', _) if !escaped => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    if parts.len() != ATTRIBUTES {
        return Err(CpeError::Count(parts.len()));
    }
    let mut attributes = [const { Attribute::Any }; ATTRIBUTES];
    for (at, part) in parts.iter().enumerate() {
        attributes[at] = value(part, NAMES[at])?;
    }
    Ok(Cpe { attributes })
}

fn uri(text: &str) -> Result<Cpe, CpeError> {
    let mut attributes = [const { Attribute::Any }; ATTRIBUTES];
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 7 {
        return Err(CpeError::Count(parts.len()));
    }
    for (at, part) in parts.iter().enumerate() {
        match part.strip_prefix('~') {
            // The edition packs four attributes more: ~edition~sw_edition~target_sw~target_hw~other
            Some(packed) if at == 5 => {
                for (slot, part) in [5, 7, 8, 9, 10].into_iter().zip(packed.split('~')) {
                    attributes[slot] = decoded(part, NAMES[slot])?;
                }
            }
            _ => attributes[at] = decoded(part, NAMES[at])?,
        }
    }
    Ok(Cpe { attributes })
}

/// A value of a URI, in the notation of the formatted string.
fn decoded(text: &str, attribute: &'static str) -> Result<Attribute, CpeError> {
    if text.is_empty() {
        return Ok(Attribute::Any);
    }
    if text == "-" {
        return Ok(Attribute::Na);
    }
    let wrong = CpeError::Value { attribute, what: "is not percent-encoded" };
    let plain = crate::purl::decode(text).map_err(|_| wrong)?;
    let mut out = String::new();
    for c in plain.chars() {
        match c {
            '\u{1}' => out.push('?'),
            '\u{2}' => out.push('*'),
            c if c.is_alphanumeric() || c == '_' => out.push(c),
            c => out.extend(['\\', c]),
        }
    }
    value(&out, attribute)
}

fn value(text: &str, attribute: &'static str) -> Result<Attribute, CpeError> {
    let wrong = |what| Err(CpeError::Value { attribute, what });
    match text {
        "" => return wrong("is empty; any value is *, none is -"),
        "*" => return Ok(Attribute::Any),
        "-" => return Ok(Attribute::Na),
        _ => {}
    }
    // Characters, and whether each is a wildcard.
    let mut tokens = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c) => tokens.push((c, false)),
                None => return wrong("ends with a backslash"),
            },
            '*' | '?' => tokens.push((c, true)),
            c if c.is_whitespace() || c.is_control() => return wrong("holds white space"),
            c => tokens.push((c, false)),
        }
    }
    let front = tokens.iter().take_while(|t| t.1).count();
    let back = tokens.iter().rev().take_while(|t| t.1).count();
    if front == tokens.len() {
        return wrong("is wildcards only");
    }
    let (before, rest) = tokens.split_at(front);
    let (middle, after) = rest.split_at(rest.len() - back);
    if middle.iter().any(|t| t.1) {
        return wrong("has a wildcard in its middle");
    }
    let (Some(before), Some(after)) = (wild(before), wild(after)) else {
        return wrong("mixes * and ? at one end");
    };
    let text = middle.iter().flat_map(|t| t.0.to_lowercase()).collect();
    Ok(Attribute::Value { before, text, after })
}

fn wild(tokens: &[(char, bool)]) -> Option<Wild> {
    match tokens {
        [('*', _)] => Some(Wild::Anything),
        tokens if tokens.iter().all(|t| t.0 == '?') => Some(Wild::UpTo(tokens.len())),
        _ => None,
    }
}

fn relation(source: &Attribute, target: &Attribute) -> Relation {
    use Attribute::{Any, Na, Value};
    let is_wild = |a: &Attribute| match a {
        Value { before, after, .. } => *before != Wild::UpTo(0) || *after != Wild::UpTo(0),
        _ => false,
    };
    match (source, target) {
        (Any, Any) | (Na, Na) => Relation::Equal,
        (_, target) if is_wild(target) => Relation::Undefined,
        (Any, _) => Relation::Superset,
        (_, Any) => Relation::Subset,
        (Na, _) | (_, Na) => Relation::Disjoint,
        (Value { before, text, after }, Value { text: target, .. }) => match is_wild(source) {
            false if text == target => Relation::Equal,
            true if covers(*before, text, *after, target) => Relation::Superset,
            _ => Relation::Disjoint,
        },
    }
}

fn covers(before: Wild, text: &str, after: Wild, target: &str) -> bool {
    let allows = |wild: Wild, rest: &str| match wild {
        Wild::Anything => true,
        Wild::UpTo(most) => rest.chars().count() <= most,
    };
    target
        .match_indices(text)
        .any(|(at, _)| allows(before, &target[..at]) && allows(after, &target[at + text.len()..]))
}

impl fmt::Display for Cpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cpe:2.3")?;
        for attribute in &self.attributes {
            f.write_str(":")?;
            match attribute {
                Attribute::Any => f.write_str("*")?,
                Attribute::Na => f.write_str("-")?,
                Attribute::Value { before, text, after } => {
                    write_wild(*before, f)?;
                    write_text(text, f)?;
                    write_wild(*after, f)?;
                }
            }
        }
        Ok(())
    }
}

fn write_wild(wild: Wild, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match wild {
        Wild::Anything => f.write_str("*"),
        Wild::UpTo(count) => (0..count).try_for_each(|_| f.write_str("?")),
    }
}

/// A dash alone would mean "no value"; a dot and an underscore need no escape.
fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        match c {
            '.' | '_' => write!(f, "{c}")?,
            '-' if text.len() > 1 => write!(f, "{c}")?,
            c if c.is_alphanumeric() => write!(f, "{c}")?,
            c => write!(f, "\\{c}")?,
        }
    }
    Ok(())
}
