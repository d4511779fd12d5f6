//! Alerts as they lie in the records: which wait to be judged, and the host that one is about.

use std::collections::HashMap;

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::Value as Json;
use store::Store;

use crate::findings::{FINDING, HANDLED};

/// Alerts that wait to be judged and are looked up at the start.
pub(super) const OPEN_MAX: usize = 10_000;
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

/// Alerts that nobody judged yet, by what they are told apart by.
pub(super) async fn open(
    store: &Store,
    now: Timestamp,
    stream: &str,
) -> Result<HashMap<String, Alert>, Error> {
    let since = now.minus_hours(24 * OPEN_DAYS);
    let findings = store.records_since(&[FINDING], since, OPEN_MAX).await?;
    let ids: Vec<Id> = findings.iter().map(|record| record.id).collect();
    let judged = store.present().records_about(HANDLED, &ids, since).await?;
    let is_open = |id: &Id| !judged.iter().any(|record| record.subject == Some(*id));
    let alert = |record: &store::Record| {
        let fact = |name: &str| record.facts.get(name).and_then(Json::as_str);
        let is_of_this = fact("stream") == Some(stream);
        let offset = record.facts.get("offset").and_then(Json::as_u64).filter(|_| is_of_this);
        let rule = fact("rule").unwrap_or_default().to_owned();
        Some((fact("group")?.to_owned(), Alert { id: record.id, rule, offset }))
    };
    Ok(findings.iter().filter(|record| is_open(&record.id)).filter_map(alert).collect())
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
