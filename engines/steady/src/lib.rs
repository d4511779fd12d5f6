//! What is normal, what departs from it, what is running out, and what differs between two windows.
//!
//! # Invariants
//! - No file, socket, clock, random number, thread or async; times, zone and holidays are arguments.
//! - The same observations in the same order give the same answers, before and after a snapshot.
//! - Whatever comes in, nothing panics and nothing grows beyond its limit.
//!
//! # Limits
//! [`STATE_BYTES_MAX`] for a series, [`SCORER_BYTES_MAX`] for a scorer, [`TemplateLimits`] for templates, the room given to [`Pairs`],
//! [`COMPARED_MAX`] for windows; the README has them all.
//!
//! # Where things are
//! | file | noun |
//! |---|---|
//! | `series`, `metric`, `states`, `counter` | one series and its episodes |
//! | `profile`, `recent`, `tail` | hours of the week, the last hours, how rare |
//! | `scorer` | one series more closely, with more state |
//! | `bounds` | thresholds that were set |
//! | `fleet`, `anomaly` | what is worth telling, and what it states |
//! | `trend`, `security` | slopes, exhaustion, security logs |
//! | `template`, `pairs`, `silence` | logs and sources |
//! | `regime`, `gap` | resources, incidents |
//! | `time`, `snapshot` | the week, state as bytes |

mod anomaly;
mod bounds;
mod counter;
mod fleet;
mod gap;
mod metric;
#[cfg(test)]
mod noise;
mod pairs;
mod profile;
mod recent;
mod regime;
mod scorer;
mod security;
mod series;
mod silence;
mod snapshot;
mod states;
mod tail;
mod template;
mod time;
mod trend;

pub use anomaly::{Anomaly, Layer, Phase};
pub use bounds::{Bounds, Crossed, Crossing, Grave};
pub use fleet::{Budget, Fleet, PER_DAY};
pub use gap::{
    COMPARED_MAX, Context, CountPart, EVENTS_MAX, EventRef, Facet, GapItem, MetricPart, Window, gap,
};
pub use pairs::{FirstSeen, Pairs};
pub use regime::{CURVE, LOADS_MIN, LoadProfile, Regime, load_profile};
pub use scorer::{Bell, SCORER_BYTES_MAX, Scored, Scorer, Telling};
pub use security::{Change, DAYS_MAX, DayCount, Newcomer, SecurityTrend, security_trend, weeks};
pub use series::{Direction, Kind, Normal, Refused, STATE_BYTES_MAX, Series, Settings};
pub use silence::{Cadence, Silence};
pub use snapshot::SnapshotError;
pub use template::{Template, TemplateEvent, TemplateId, TemplateLimits, Templates, WORDS_MAX};
pub use time::{Calendar, DAY, HOUR, MINUTE, Micros, SECOND, TIME_MAX_US, WEEK};
pub use trend::{Forecast, HORIZON, Limit, POINTS_MIN, Point, Slope, exhaustion, slope};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
