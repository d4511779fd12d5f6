//! MISP core format: events read and written, rows for matching, the folder of a feed, requests of its REST API.
//!
//! - An event is kept as it came; reading and writing it changes nothing, whatever its types and fields.
//! - `to_ids` false, deleted and unreadable rows are never enforced.
//! - Distribution and `tlp:` tags both limit; the stricter one holds, of the event, the object and the attribute.

mod event;
mod feed;
mod rest;
mod rows;
mod types;

pub use event::{Draft, DraftAttribute, Event, Limits, MispError, read_event, write_event};
pub use feed::{Hashes, hashes, manifest};
pub use rest::{Search, read_response, sighting};
pub use rows::{Row, Rows, rows};
pub use types::{is_known, split};
