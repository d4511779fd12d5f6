//! An event laid out for matching: its fields' values once as they came and once folded, a NUL after each.
//!
//! Field names are paths joined with dots, without spaces; lists give a name several values. An arena is
//! used again for the next event, so that nothing is allocated once it has grown.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::{document::LogSource, fold::fold_into};

/// Fields and bytes of one event.
pub const EVENT_BYTES_MAX: usize = 16 << 20;
pub const FIELDS_MAX: usize = 20_000;

/// An event that cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("{0}; send one JSON object")]
    Json(String),
    #[error("{0}; send one Event element")]
    Xml(String),
    #[error("more than {EVENT_BYTES_MAX} bytes; split the event")]
    Bytes,
    #[error("more than {FIELDS_MAX} fields; split the event")]
    Fields,
}

impl EventError {
    /// The same in Japanese.
    pub fn ja(&self) -> String {
        match self {
            EventError::Json(what) => format!("{what}。JSONオブジェクトを一つ送ってください"),
            EventError::Xml(what) => format!("{what}。Event要素を一つ送ってください"),
            EventError::Bytes => {
                format!("{EVENT_BYTES_MAX}バイトを超えています。イベントを分けてください")
            }
            EventError::Fields => {
                format!("フィールドが{FIELDS_MAX}個を超えています。イベントを分けてください")
            }
        }
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    Null,
    /// An empty element of a Windows event: the format does not tell an empty text from null, so it is both
    Void,
    /// A map or an empty list: it is there, but has no value of its own
    Inner,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub name: (u32, u32),
    pub hash: u64,
    pub raw: (u32, u32),
    pub folded: (u32, u32),
    pub kind: Kind,
    /// A second name for another field's value
    pub alias: bool,
}

/// One event.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    names: String,
    raw: String,
    folded: Vec<u8>,
    fields: Vec<Field>,
    sources: Vec<LogSource>,
    overflow: bool,
}

fn is_guid(text: &str) -> bool {
    let sound = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(sound)
}

/// The hash of a field's name, the same in rules and events.
pub(crate) fn name_hash(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl Arena {
    pub fn new() -> Arena {
        Arena::default()
    }

    /// Forgets the event, keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.raw.clear();
        self.folded.clear();
        self.fields.clear();
        self.sources.clear();
        self.overflow = false;
    }

    /// Adds a value; the same name may come several times.
    pub fn push(&mut self, name: &str, value: &str) {
        self.add(name, value, Kind::Value);
    }

    /// Adds a field that is there without a value.
    pub fn push_null(&mut self, name: &str) {
        self.add(name, "", Kind::Null);
    }

    /// The event is one line of text: the field `message`.
    pub fn text(&mut self, line: &str) -> Result<(), EventError> {
        self.clear();
        self.push("message", line);
        self.checked()
    }

    /// Says where the event comes from. Without it the taxonomy decides by the event's own fields; an event
    /// that neither tells is tried on every rule.
    pub fn set_sources(&mut self, sources: impl IntoIterator<Item = LogSource>) {
        self.sources.clear();
        self.sources.extend(sources);
    }

    pub fn sources(&self) -> &[LogSource] {
        &self.sources
    }

    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = |f: &&Field| self.name(f) == name && matches!(f.kind, Kind::Value | Kind::Void);
        self.fields.iter().find(named).map(|f| self.raw(f))
    }

    /// Every field with its value, `None` where there is none.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.fields.iter().filter(|f| !f.alias).map(|f| {
            (self.name(f), matches!(f.kind, Kind::Value | Kind::Void).then(|| self.raw(f)))
        })
    }

    pub(crate) fn add(&mut self, name: &str, value: &str, kind: Kind) {
        if self.fields.len() >= FIELDS_MAX
            || self.raw.len() + value.len() + self.names.len() > EVENT_BYTES_MAX
        {
            self.overflow = true;
            return;
        }
        let name_start = self.names.len();
        if name.contains(' ') {
            self.names.extend(name.chars().filter(|c| *c != ' '));
        } else {
            self.names.push_str(name);
        }
        let hash = name_hash(&self.names[name_start..]);
        let (raw_start, folded_start) = (self.raw.len(), self.folded.len());
        self.raw.push_str(value);
        fold_into(value, &mut self.folded);
        let field = Field {
            name: (name_start as u32, self.names.len() as u32),
            hash,
            raw: (raw_start as u32, self.raw.len() as u32),
            folded: (folded_start as u32, self.folded.len() as u32),
            kind,
            alias: false,
        };
        self.fields.push(field);
        self.raw.push('\0');
        self.folded.push(0);
    }

    /// Adds a value of a Windows event. One that is a GUID gets its other spelling too, with or without
    /// braces: Windows writes braces, many exporters leave them out, and rules know both.
    pub(crate) fn add_windows(&mut self, name: &str, value: &str) {
        let kind = if value.is_empty() { Kind::Void } else { Kind::Value };
        self.add(name, value, kind);
        let bare = value.strip_prefix('{').and_then(|v| v.strip_suffix('}')).unwrap_or(value);
        if is_guid(bare) {
            let other =
                if bare.len() == value.len() { format!("{{{bare}}}") } else { bare.to_owned() };
            self.add(name, &other, Kind::Value);
            if let Some(last) = self.fields.last_mut().filter(|_| !self.overflow) {
                last.alias = true;
            }
        }
    }

    /// Gives the values of `from` a second name, unless the event has that name itself.
    pub(crate) fn alias(&mut self, name: &str, from: &str) {
        let hash = name_hash(name);
        if self.fields.iter().any(|f| f.hash == hash && self.name(f) == name) {
            return;
        }
        let start = self.names.len() as u32;
        let found: Vec<Field> =
            self.fields.iter().filter(|f| self.name(f) == from).copied().collect();
        if found.is_empty() {
            return;
        }
        self.names.push_str(name);
        let name = (start, self.names.len() as u32);
        self.fields.extend(found.into_iter().map(|f| Field { name, hash, alias: true, ..f }));
    }

    pub(crate) fn checked(&self) -> Result<(), EventError> {
        match (self.overflow, self.fields.len() >= FIELDS_MAX) {
            (false, _) => Ok(()),
            (true, true) => Err(EventError::Fields),
            (true, false) => Err(EventError::Bytes),
        }
    }

    pub(crate) fn all(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn name(&self, field: &Field) -> &str {
        &self.names[field.name.0 as usize..field.name.1 as usize]
    }

    pub(crate) fn raw(&self, field: &Field) -> &str {
        &self.raw[field.raw.0 as usize..field.raw.1 as usize]
    }

    pub(crate) fn folded(&self, field: &Field) -> &[u8] {
        &self.folded[field.folded.0 as usize..field.folded.1 as usize]
    }

    pub(crate) fn folded_all(&self) -> &[u8] {
        &self.folded
    }
}
