//! Events in: every line that reaches Ume passes here, and none vanishes uncounted.
//!
//! The way of a line: an intake (`intake`) hands it to [`Stream::ingest`]; the spool makes it durable
//! (`spool`) and only then is it acknowledged; [`Stream::flush`] decodes (`decode`), parses (`parse`)
//! and archives it as Parquet (`archive`), where [`search()`] finds it.
//!
//! | module | holds |
//! |---|---|
//! | `decode`, `parse`, `frame`, `entry`, `relp`, `export`, `flow`, `metrics`, `otlp`, `snmp`, `postgres`, `sequence`, `query`, `grams`, `histogram`, `personal`, `ready` | pure functions and machines over foreign bytes |
//! | `logsource` | where an event comes from in Sigma's terms, its fields as pairs; pure |
//! | `spool`, `archive`, `sidecar`, `files` | the only writers of files |
//! | `search`, `scan`, `table` | readers of the archive: what a query asks for, everything in order, rows and columns |
//! | `copy` | a consistent copy beside the running writer |
//! | `counters` | `received = stored + refused + lost`, per source |
//! | `stream` | the handle that ties them |
//! | `intake` | async: files, journal, syslog, RELP, OTLP; the only clock |
//!
//! Invariants: what was acknowledged survives `kill -9`; a line of a file or journal is in it once, since
//! the place it was read from stands in its own frame (`marks`), and so is a line that bears an id of its sender
//! (`once`); raw bytes are kept beside every decoded text;
//! parsers do no I/O and take time and zone as arguments; everything has a limit.

pub mod archive;
mod copy;
mod counters;
mod decode;
mod entry;
mod error;
mod event;
pub mod export;
mod files;
pub mod flow;
mod frame;
mod grams;
mod headers;
mod histogram;
mod home;
pub mod intake;
pub mod logsource;
mod marks;
pub mod metrics;
mod notices;
mod numbered;
mod once;
pub mod otlp;
pub mod parse;
pub mod personal;
pub mod postgres;
pub mod query;
mod ready;
pub mod relp;
pub mod scan;
pub mod search;
mod sequence;
pub mod sidecar;
pub mod snmp;
mod spool;
mod stream;
pub mod table;
mod window;

pub use archive::{Archive, Beside, SegmentInfo};
pub use copy::copy_live;
pub use counters::Counters;
pub use decode::{Encoding, decode, decode_as};
pub use error::{Error, Result};
pub use event::{Event, Format, MAX_LINE_BYTES, MAX_PARTS, RawLine};
pub use frame::{Framing, LineFramer, Piece};
pub use histogram::Histogram;
pub use home::{Home, Manners, Own};
pub use marks::Marked;
pub use numbered::{Numbered, Outgoing, SequenceAck};
pub use once::REPEATED;
pub use parse::{Header, JoinLimits, Joiner, parse, parse_after, plain_name};
pub use search::{Query, SearchResult, search};
pub use spool::{Batch, Spool, SpoolLimits};
pub use stream::{Ack, Frames, Limits, Placed, PlacedFrame, Reading, Stream, read_frame};
pub use window::{Glimpse, Pair, Span, Windowed, window};
