//! What the room does with intelligence that arrives: receive, confirm, judge, hand out, close.

pub mod actions;
pub mod channels;
pub mod closing;
pub mod inbox;
pub mod objects;
pub mod publish;
pub mod publish_patterns;
pub mod relevance;
pub mod share;
pub mod triage;

use std::time::Duration;

use model::t;
use room::{Job, Pause, Service};

/// What is confirmed is in force within two seconds: one here, one where it is met.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("指標の対応の完了確認", "Close what was asked about indicators");
    vec![Job::new("threat_intelligence.closing", title, closing::run).every(MINUTE)]
}

/// The room's services.
pub fn services() -> Vec<Service> {
    vec![Service::new("publication", Pause::For(PUBLISH_EVERY), publish::round)]
}
