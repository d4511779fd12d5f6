//! Alerts as they lie in the records: which wait to be judged, and the host that one is about.

use std::collections::{HashMap, HashSet};

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::Value as Json;
use store::Store;

use crate::findings::{FINDING, HANDLED};

/// Alerts that wait to be judged and are looked up at the start.
pub(super) const OPEN_MAX: usize = 10_000;
/// Fact of a finding that is not known by its place in the stream.
pub(super) const ONCE: &str = "occurrence";
/// An alert that nobody judged for so long takes nothing in any more.
const OPEN_DAYS: i64 = 30;

/// An alert that nobody judged yet.
#[derive(Clone)]
pub(super) struct Alert {
    pub id: Id,
    pub rule: String,
    /// Offset behind its first event, if that was of this stream.
    pub offset: Option<u64>,
}

impl Alert {
    /// Whether an event that ends there is in it, or is older than it.
    pub(super) fn holds(&self, end: u64) -> bool {
        self.offset.is_some_and(|at| end <= at)
    }
}

/// What was told, as a start finds it.
pub(super) struct Told {
    /// Alerts that nobody judged yet, by what they are told apart by.
    pub open: HashMap<String, Alert>,
    /// What was told of this stream and is not known by its place.
    pub once: HashSet<u128>,
}

/// Reads what was told in the last time.
pub(super) async fn told(store: &Store, now: Timestamp, stream: &str) -> Result<Told, Error> {
    let since = now.minus_hours(24 * OPEN_DAYS);
    let findings = store.records_since(&[FINDING], since, OPEN_MAX).await?;
    let ids: Vec<Id> = findings.iter().map(|record| record.id).collect();
    let judged = store.present().records_about(HANDLED, &ids, since).await?;
    let is_open = |id: &Id| !judged.iter().any(|record| record.subject == Some(*id));
    let fact = |record: &store::Record, name: &str| {
        record.facts.get(name).and_then(Json::as_str).map(str::to_owned)
    };
    let is_of_this = |record: &&store::Record| fact(record, "stream").as_deref() == Some(stream);
    let alert = |record: &store::Record| {
        let offset = record.facts.get("offset").and_then(Json::as_u64);
        let offset = offset.filter(|_| is_of_this(&record));
        let rule = fact(record, "rule").unwrap_or_default();
        Some((fact(record, "group")?, Alert { id: record.id, rule, offset }))
    };
    let once = |record| u128::from_str_radix(&fact(record, ONCE)?, 16).ok();
    Ok(Told {
        open: findings.iter().filter(|record| is_open(&record.id)).filter_map(alert).collect(),
        once: findings.iter().filter(is_of_this).filter_map(once).collect(),
    })
}

/// The host of the register that an event of this source and host is of.
pub(super) async fn host_of(ctx: &Shared, source: &str, host: &str) -> Result<Option<Id>, Error> {
    if host.is_empty() || host.eq_ignore_ascii_case(&room::host_name()) {
        return Ok(match source.contains('/') {
            // What an agent sent bears its name.
            true => None,
            // A demonstration never meets the machine it is shown on.
            false if ctx.house.demo => None,
            false => Some(room::this_host(ctx).await?),
        });
    }
    let store = ctx.store();
    let short = host.split('.').next().filter(|short| *short != host && !short.is_empty());
    for name in [Some(host), short].into_iter().flatten() {
        if let Some(id) = store.row_with(Table::Asset, "host", "hostname", name).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
