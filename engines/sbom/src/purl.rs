//! Package URLs: parsing, the canonical form, and what single types ask for.
//!
//! # Invariants
//! - What [`Purl::parse`] returned is canonical: printing and parsing it again gives the same value.
//! - Nothing panics, whatever the bytes.
//!
//! # Source
//! The package URL specification (ECMA-427) and its type definitions.
//!
//! # Limits
//! [`LENGTH_MAX`] bytes.

mod types;

use std::{collections::BTreeMap, fmt};

pub use types::pypi_name;

/// The longest package URL that is read.
pub const LENGTH_MAX: usize = 8 * 1024;

/// A package URL in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// The type: `deb`, `npm` and so on.
    pub kind: String,
    /// Segments joined by `/`.
    pub namespace: Option<String>,
    pub name: String,
    pub version: Option<String>,
    pub qualifiers: BTreeMap<String, String>,
    pub subpath: Option<String>,
}

/// The parts of which a package URL is built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    pub kind: &'a str,
    pub namespace: Option<&'a str>,
    pub name: &'a str,
    pub version: Option<&'a str>,
    pub qualifiers: Vec<(&'a str, &'a str)>,
    pub subpath: Option<&'a str>,
}

/// Why something is no package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurlError {
    #[error("longer than {LENGTH_MAX} bytes")]
    TooLong,
    #[error("does not begin with pkg:")]
    Scheme,
    #[error("has no type that is a letter followed by letters, digits, '.' or '-'")]
    Kind,
    #[error("has no name")]
    Name,
    #[error("qualifier {0:?} is not a letter followed by letters, digits, '.', '-' or '_'")]
    Key(String),
    #[error("qualifier {0:?} stands twice")]
    Twice(String),
    #[error("{0:?} is not percent-encoded UTF-8")]
    Encoding(String),
    #[error("type {kind} {what}")]
    Type { kind: String, what: String },
}

impl Purl {
    /// Reads a package URL as the specification asks for it.
    pub fn parse(text: &str) -> Result<Purl, PurlError> {
        read(text, false)
    }

    /// Reads a package URL and mends what can be mended without a guess: capitals in keys of qualifiers.
    pub fn parse_lenient(text: &str) -> Result<Purl, PurlError> {
        read(text, true)
    }

    /// Builds one of its parts, which are not encoded.
    pub fn build(parts: &Parts) -> Result<Purl, PurlError> {
        let mut qualifiers = BTreeMap::new();
        for (key, value) in &parts.qualifiers {
            insert(&mut qualifiers, key, (*value).to_owned())?;
        }
        let namespace = parts.namespace.map(|n| segments(n, |s| Ok(s.to_owned()))).transpose()?;
        let subpath = parts.subpath.map(|s| path(s, |s| Ok(s.to_owned()))).transpose()?;
        finish(Purl {
            kind: kind(parts.kind)?,
            namespace: namespace.filter(|n| !n.is_empty()),
            name: parts.name.trim_matches('/').to_owned(),
            version: parts.version.filter(|v| !v.is_empty()).map(str::to_owned),
            qualifiers,
            subpath: subpath.filter(|s| !s.is_empty()),
        })
    }

    /// The same package without version, qualifiers and subpath: the key of decisions that survive upgrades.
    pub fn versionless(&self) -> Purl {
        Purl {
            version: None,
            qualifiers: BTreeMap::new(),
            subpath: None,
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The value of a qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }
}

impl std::str::FromStr for Purl {
    type Err = PurlError;

    fn from_str(text: &str) -> Result<Purl, PurlError> {
        Purl::parse(text)
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(64);
        out.push_str("pkg:");
        out.push_str(&self.kind);
        for segment in self.namespace.iter().flat_map(|n| n.split('/')) {
            out.push('/');
            encode(segment, &mut out);
        }
        // Names of git repositories are paths.
        for segment in self.name.split('/').filter(|_| self.kind == "git") {
            out.push('/');
            encode(segment, &mut out);
        }
        if self.kind != "git" {
            out.push('/');
            encode(&self.name, &mut out);
        }
        if let Some(version) = &self.version {
            out.push('@');
            encode(version, &mut out);
        }
        for (at, (key, value)) in self.qualifiers.iter().enumerate() {
            out.push(if at == 0 { '?' } else { '&' });
            out.push_str(key);
            out.push('=');
            encode(value, &mut out);
        }
        for (at, segment) in self.subpath.iter().flat_map(|s| s.split('/')).enumerate() {
            out.push(if at == 0 { '#' } else { '/' });
            encode(segment, &mut out);
        }
        f.write_str(&out)
    }
}

fn read(text: &str, lenient: bool) -> Result<Purl, PurlError> {
    if text.len() > LENGTH_MAX {
        return Err(PurlError::TooLong);
    }
    let rest = match text.split_at_checked(4) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("pkg:") => rest,
        _ => return Err(PurlError::Scheme),
    };
    let (rest, subpath) = cut(rest, '#');
    let (rest, query) = cut(rest, '?');
    let (kind_text, rest) = rest.trim_start_matches('/').split_once('/').ok_or(PurlError::Name)?;
    let kind = kind(kind_text)?;
    // An @ that is followed by a slash belongs to the path: `pkg:npm/@scope/name`.
    let (rest, version) = match rest.rsplit_once('@') {
        Some((front, version)) if !version.contains('/') => (front, Some(version)),
        _ => (rest, None),
    };
    // The name of a git repository is a path on its host; elsewhere it is the last segment.
    let (front, name) = match kind.as_str() {
        "git" => rest.trim_matches('/').split_once('/').ok_or(PurlError::Name)?,
        _ => rest.rsplit_once('/').unwrap_or(("", rest)),
    };
    let namespace = segments(front, decode)?;
    let purl = Purl {
        qualifiers: qualifiers(query.unwrap_or_default(), lenient || !types::strict_keys(&kind))?,
        kind,
        namespace: (!namespace.is_empty()).then_some(namespace),
        name: decode(name)?,
        version: version.map(decode).transpose()?.filter(|v| !v.is_empty()),
        subpath: subpath.map(|s| path(s, decode)).transpose()?.filter(|s| !s.is_empty()),
    };
    finish(purl)
}

fn finish(mut purl: Purl) -> Result<Purl, PurlError> {
    if purl.name.is_empty() {
        return Err(PurlError::Name);
    }
    types::normalise(&mut purl);
    types::check(&purl)?;
    Ok(purl)
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.rsplit_once(at).map_or((text, None), |(front, back)| (front, Some(back)))
}

fn kind(text: &str) -> Result<String, PurlError> {
    let letter = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    if letter && rest { Ok(text.to_ascii_lowercase()) } else { Err(PurlError::Kind) }
}

type Decode = fn(&str) -> Result<String, PurlError>;

fn segments(text: &str, decode: Decode) -> Result<String, PurlError> {
    let mut out = String::new();
    for segment in text.split('/').filter(|s| !s.is_empty()) {
        if !out.is_empty() {
            out.push('/');
        }
        out.push_str(&decode(segment)?);
    }
    Ok(out)
}

/// A path below the package: empty segments and those that lead elsewhere are left out.
fn path(text: &str, decode: Decode) -> Result<String, PurlError> {
    let mut out = Vec::new();
    for segment in text.split('/') {
        let segment = decode(segment)?;
        if !matches!(segment.as_str(), "" | "." | "..") {
            out.push(segment);
        }
    }
    Ok(out.join("/"))
}

fn qualifiers(query: &str, fold: bool) -> Result<BTreeMap<String, String>, PurlError> {
    let mut out = BTreeMap::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !fold && key.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(PurlError::Key(key.to_owned()));
        }
        insert(&mut out, key, decode(value)?)?;
    }
    Ok(out)
}

fn insert(out: &mut BTreeMap<String, String>, key: &str, value: String) -> Result<(), PurlError> {
    let letter = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !letter || !rest {
        return Err(PurlError::Key(key.to_owned()));
    }
    if value.is_empty() {
        return Ok(());
    }
    match out.insert(key.to_ascii_lowercase(), value) {
        Some(_) => Err(PurlError::Twice(key.to_owned())),
        None => Ok(()),
    }
}

pub(crate) fn decode(text: &str) -> Result<String, PurlError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let wrong = || PurlError::Encoding(text.to_owned());
    let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or_else(wrong);
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push((high * 16 + low) as u8);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).map_err(|_| wrong())
}

pub(crate) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                out.push(byte.into());
            }
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(HEX[usize::from(byte >> 4)].into());
                out.push(HEX[usize::from(byte & 15)].into());
            }
        }
    }
}
