//! A line as it arrives and an event as it is stored.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest line kept in one piece; longer ones are split.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Most pieces one line is split into (1 MiB); the rest is refused as `line too long`.
pub const MAX_PARTS: u16 = 16;

/// A time of the sender further ahead of arrival than this is not believed by [`Event::time`].
const MAX_AHEAD_HOURS: i64 = 24;

/// How a line is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// By what it looks like.
    #[default]
    Auto,
    /// RFC 5424 or RFC 3164, with or without priority.
    Syslog,
    Dpkg,
    /// A paragraph of `apt/history.log`.
    AptHistory,
    /// `journalctl -o json`.
    Journal,
    Json,
    Plain,
    /// An entry of systemd's journal export format.
    JournalExport,
    /// A log record of OpenTelemetry with its resource and scope, as OTLP/JSON.
    Otlp,
}

impl Format {
    /// The order stands in frames on disk: new ones come last.
    pub(crate) const ALL: [Format; 9] = [
        Format::Auto,
        Format::Syslog,
        Format::Dpkg,
        Format::AptHistory,
        Format::Journal,
        Format::Json,
        Format::Plain,
        Format::JournalExport,
        Format::Otlp,
    ];
}

/// One line as an intake saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawLine {
    pub bytes: Vec<u8>,
    pub format: Format,
    /// Who sent it, if it came over the network.
    pub peer: Option<String>,
    /// 0 for a whole line, else the number of this piece, from 1.
    pub part: u16,
}

impl RawLine {
    /// A whole line of unknown format.
    pub fn new(bytes: impl Into<Vec<u8>>) -> RawLine {
        RawLine { bytes: bytes.into(), ..RawLine::default() }
    }

    /// A whole line of known format.
    pub fn with_format(bytes: impl Into<Vec<u8>>, format: Format) -> RawLine {
        RawLine { bytes: bytes.into(), format, ..RawLine::default() }
    }
}

/// An event with its raw bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub raw: Vec<u8>,
    /// What the sender says; kept even if absurd.
    pub event_time: Option<Timestamp>,
    /// When it reached us.
    pub arrived: Timestamp,
    pub source: String,
    /// OCSF class, one of `parse::CLASS_…`; 0 Base Event where nothing more is known.
    pub class: u32,
    pub host: String,
    pub app: String,
    /// OCSF severity: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal.
    pub severity: u8,
    pub message: String,
    pub fields: BTreeMap<String, String>,
}

impl Event {
    /// The time to sort and search by: the sender's, unless it is absent or more than a day ahead.
    pub fn time(&self) -> Timestamp {
        let latest = self.arrived.plus_hours(MAX_AHEAD_HOURS);
        self.event_time.filter(|t| *t <= latest).unwrap_or(self.arrived)
    }

    /// Injective bytes of the row, the leaf of a segment's tree: numbers little-endian, texts with length.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len() + self.message.len() + 128);
        out.push(1);
        out.extend(self.arrived.0.to_le_bytes());
        out.push(u8::from(self.event_time.is_some()));
        out.extend(self.event_time.map_or(0, |t| t.0).to_le_bytes());
        out.extend(self.class.to_le_bytes());
        out.push(self.severity);
        for text in [&self.source, &self.host, &self.app, &self.message] {
            put(&mut out, text.as_bytes());
        }
        out.extend((self.fields.len() as u64).to_le_bytes());
        for (name, value) in &self.fields {
            put(&mut out, name.as_bytes());
            put(&mut out, value.as_bytes());
        }
        put(&mut out, &self.raw);
        out
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}
