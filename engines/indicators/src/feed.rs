//! What news and vulnerability services publish: RSS 2.0 and 1.0, Atom, JVN in its forms, KEV, EPSS.
//!
//! [`read`] tells the form by the content and gives entries of one shape; [`kev`] and [`epss`] are lists of their own,
//! since they say one thing each of many vulnerabilities. [`jvn`] also says what to ask MyJVN for next.
//!
//! Invariants: an entry that cannot be read costs itself alone and is named with its place; no entity but the five of
//! XML and numbers is resolved; what goes beyond a limit is left out and said. Limits: the constants below.

mod entry;
pub mod epss;
mod json;
pub mod jvn;
pub mod kev;
mod product;
mod xml;

pub use entry::{Entry, Product, Reference, Score};
pub use product::ProductError;

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

pub const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries of one document.
pub const ENTRIES_MAX: usize = 20_000;
/// Elements within each other.
pub const DEPTH_MAX: usize = 64;
/// Elements of one entry.
pub const ELEMENTS_MAX: usize = 50_000;
/// The text of one entry.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// A title, an address, an id.
pub const WORD_BYTES_MAX: usize = 2_048;
/// Products, references, categories of one entry.
pub const LISTED_MAX: usize = 1_000;
/// Problems that are told; further ones are counted.
pub const PROBLEMS_MAX: usize = 200;

/// What a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Rss,
    /// RSS 1.0, JVNRSS among it.
    Rdf,
    Atom,
    /// VULDEF of MyJVN.
    Vuldef,
    /// JSON of MyJVN (`feed=oka`).
    Oka,
    /// MyJVN without anything but its status: nothing found, or an error.
    Status,
}

impl Form {
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Rss => "rss",
            Form::Rdf => "rdf",
            Form::Atom => "atom",
            Form::Vuldef => "vuldef",
            Form::Oka => "oka",
            Form::Status => "status",
        }
    }
}

/// Where in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// From 1.
    Line(usize),
    /// JSON pointer.
    Pointer(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Pointer(pointer) if pointer.is_empty() => f.write_str("/"),
            Place::Pointer(pointer) => f.write_str(pointer),
        }
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("more than {0} bytes")]
    Large(usize),
    #[error("more than {0} entries: the rest is left out")]
    Entries(usize),
    #[error("elements nest deeper than {0}")]
    Depth(usize),
    #[error("more than {0} elements in one entry")]
    Elements(usize),
    #[error("a document type that declares entities is not read")]
    Entities,
    #[error("bytes that are not {0}")]
    Encoding(&'static str),
    #[error("the encoding {0:?} is not known")]
    UnknownEncoding(String),
    #[error("no XML: {0}")]
    Xml(String),
    #[error("no JSON: {0}")]
    Json(String),
    #[error("neither RSS, Atom nor a document of MyJVN")]
    Unknown,
    #[error("the {0} is missing")]
    Missing(&'static str),
    #[error("{0:?} is no {1}")]
    Value(String, &'static str),
    #[error("it says {said} entries and holds {found}: it may have been cut")]
    Count { said: u64, found: u64 },
    #[error("named twice: {0}")]
    Twice(String),
}

impl Fault {
    /// In Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            Fault::Large(max) => format!("{max}バイトを超えています"),
            Fault::Entries(max) => format!("{max}件を超えています。残りは読んでいません"),
            Fault::Depth(max) => format!("要素の入れ子が{max}段を超えています"),
            Fault::Elements(max) => format!("1件の要素が{max}個を超えています"),
            Fault::Entities => "実体を宣言するDOCTYPEは読みません".to_owned(),
            Fault::Encoding(name) => format!("{name}ではないバイトがあります"),
            Fault::UnknownEncoding(name) => format!("文字コード「{name}」は分かりません"),
            Fault::Xml(what) => format!("XMLではありません（{what}）"),
            Fault::Json(what) => format!("JSONではありません（{what}）"),
            Fault::Unknown => "RSS、Atom、MyJVNのどの形式でもありません".to_owned(),
            Fault::Missing(what) => format!("{what} がありません"),
            Fault::Value(value, what) => format!("「{value}」は{what}ではありません"),
            Fault::Count { said, found } => {
                format!("{said}件とありますが{found}件しかありません。途中で切れた可能性があります")
            }
            Fault::Twice(id) => format!("同じものが2回あります: {id}"),
        };
        (ja, self.to_string())
    }
}

/// A fault and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub fault: Fault,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

/// Problems as far as they are told, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    pub told: Vec<Problem>,
    pub count: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, place: Place, fault: Fault) {
        self.count += 1;
        if self.told.len() < PROBLEMS_MAX {
            self.told.push(Problem { place, fault });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed {
    pub form: Form,
    pub title: String,
    /// Language tag as written.
    pub language: Option<String>,
    /// In the order of the document.
    pub entries: Vec<Entry>,
    /// Of MyJVN.
    pub status: Option<jvn::Status>,
    pub problems: Problems,
}

/// Reads a document; none at all if its very form is unknown.
pub fn read(bytes: &[u8]) -> Result<Feed, Problem> {
    let first = |fault| Problem { place: Place::Line(1), fault };
    if bytes.len() > BYTES_MAX {
        return Err(first(Fault::Large(BYTES_MAX)));
    }
    let mut problems = Problems::default();
    let text = decode(bytes, &mut problems).map_err(first)?;
    let start = text.trim_start();
    let mut feed = if start.starts_with('<') {
        xml::read(&text)?
    } else if start.starts_with('{') {
        json::read(start)?
    } else {
        return Err(first(Fault::Unknown));
    };
    problems.count += feed.problems.count;
    problems.told.append(&mut feed.problems.told);
    problems.told.truncate(PROBLEMS_MAX);
    feed.problems = problems;
    // MyJVN says that there is nothing by an entry that says so.
    feed.entries.retain(|entry| !jvn::is_dummy(entry));
    Ok(feed)
}

/// By byte order mark, else by the XML declaration, else UTF-8. A byte that does not belong there is shown as such.
fn decode<'b>(bytes: &'b [u8], problems: &mut Problems) -> Result<Cow<'b, str>, Fault> {
    let declared = || -> Result<Option<&'static Encoding>, Fault> {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let Some(declaration) = head.trim_start().strip_prefix("<?xml") else { return Ok(None) };
        let declaration = declaration.split("?>").next().unwrap_or_default();
        let Some((_, rest)) = declaration.split_once("encoding") else { return Ok(None) };
        let label = rest.trim_start().trim_start_matches('=').trim_start();
        let label = label.trim_start_matches(['"', '\'']).split(['"', '\'']).next();
        let label = label.unwrap_or_default();
        let unknown = || Fault::UnknownEncoding(short(label));
        Encoding::for_label(label.as_bytes()).map(Some).ok_or_else(unknown)
    };
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => declared()?.unwrap_or(UTF_8),
    };
    let (text, encoding, has_errors) = encoding.decode(bytes);
    if has_errors {
        let at = text.find('\u{fffd}').unwrap_or_default();
        let line = text[..at].matches('\n').count() + 1;
        problems.add(Place::Line(line), Fault::Encoding(encoding.name()));
    }
    Ok(text)
}

/// A value as far as it is worth showing in a message.
pub(crate) fn short(text: &str) -> String {
    let clean = text.replace(char::is_control, " ");
    let mut short: String = clean.chars().take(60).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
