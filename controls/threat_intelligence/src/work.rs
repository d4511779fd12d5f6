//! What the room does with intelligence that arrives: receive, confirm, judge, hand out, close.

pub mod actions;
pub mod channels;
pub mod inbox;
pub mod objects;
pub mod publish;
pub mod relevance;
pub mod share;
pub mod triage;

use std::time::Duration;

use room::{Pause, Service};

/// What is confirmed is in force within two seconds: one here, one where it is met.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// The room's services.
pub fn services() -> Vec<Service> {
    vec![Service::new("indicators", Pause::For(PUBLISH_EVERY), publish::round)]
}
