//! What reaches executives: the criteria by which it does, hits, the brief of one page, orders, and whether all of it
//! was in time.
//!
//! Invariants: a criterion works only as long as its row is as it was approved; a hit is told once; a brief is made of
//! data alone, and its snapshot is kept, so that the same page can be made again; an order has owner and date from its
//! signature on, and a task that only its closing record closes.

pub mod brief;
pub mod criterion;
pub mod defaults;
pub mod evidence;
pub mod hits;
pub mod met;
pub mod orders;
pub mod review_day;
pub mod reviewed;
pub mod round;
pub mod sheet;
pub mod snapshot;

use jiff::tz::TimeZone;
use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Record, Row, Store, StoreError};

/// A row of rules that says what reaches executives.
pub const ESCALATION: &str = "intel_escalation";
/// Decision of an executive.
pub const ORDER: &str = "executive_order";
pub const MET: &str = "threat_intelligence.criterion_met";
pub const ISSUED: &str = "threat_intelligence.brief_issued";
pub const ACKNOWLEDGED: &str = "threat_intelligence.brief_acknowledged";
pub const GIVEN: &str = "threat_intelligence.order_given";
pub const ORDER_CLOSED: &str = "threat_intelligence.order_closed";
pub const REVIEWED: &str = "threat_intelligence.executive_reviewed";
/// Role that reads, acknowledges and orders.
pub const ROLE: &str = "executive";
const ACTOR: &str = "system:threat_intelligence.executive";
/// Setting that names the row of our own organisation.
const ORGANISATION: &str = "organisation";
const DAY_CHARS: usize = "2026-11-29".len();
const YEAR_HOURS: i64 = 24 * 365;

/// Whether something is told at once or waits for the management review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Horizon {
    Short,
    Long,
}

impl Horizon {
    pub fn as_str(self) -> &'static str {
        match self {
            Horizon::Short => "short_term",
            Horizon::Long => "long_term",
        }
    }

    pub fn named(word: &str) -> Option<Horizon> {
        [Horizon::Short, Horizon::Long].into_iter().find(|horizon| horizon.as_str() == word)
    }
}

pub(crate) fn text_of<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// A text among the facts of a record; empty where there is none.
pub fn fact<'r>(record: &'r Record, name: &str) -> &'r str {
    record.facts.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// The day of a moment where the organisation is.
pub(crate) fn day(at: Timestamp, zone: &TimeZone) -> jiff::civil::Date {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(at).date()
}

/// The first moment of a day; none if it is no day.
pub(crate) fn begin(day: &str, zone: &TimeZone) -> Option<Timestamp> {
    let day: jiff::civil::Date = day.get(..DAY_CHARS)?.parse().ok()?;
    let zoned = day.to_zoned_datetime(zone.clone()).ok()?;
    Some(Timestamp(zoned.timestamp().as_microsecond()))
}

/// Our organisation's name and zone; without it, no name and the system's zone.
pub async fn organisation(store: &Store) -> Result<(String, TimeZone), StoreError> {
    let id = store.setting(ORGANISATION).await?.and_then(|id| id.parse::<Id>().ok());
    let row = match id {
        Some(id) => store.row(Table::Party, id).await?.filter(|row| !row.deleted),
        None => None,
    };
    let Some(row) = row else { return Ok((String::new(), TimeZone::system())) };
    let zone = TimeZone::get(text_of(&row, "time_zone")).unwrap_or_else(|_| TimeZone::system());
    Ok((row.name, zone))
}
