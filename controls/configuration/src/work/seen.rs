//! The hosts of the register with what was seen of them last.
//!
//! Limit: facts of [`HOSTS_MAX`] hosts at once, since those of one host are some megabytes.

use std::collections::BTreeMap;

use baseline::Facts;
use model::{Id, Table, Timestamp};
use room::{Error, blocking};
use store::{Record, RecordFilter, Row, Store, StoreError, Within};

pub(crate) const SNAPSHOT: &str = "configuration.snapshot";
/// Hosts whose facts are held at once.
pub(crate) const HOSTS_MAX: usize = 64;
/// Pages of two hundred snapshots that are gone through to the first one of a host.
const PAGES_MAX: usize = 200;
const PAGE: usize = 200;

/// The newest snapshot of a host.
pub(crate) struct Seen {
    pub record: Record,
    pub facts: Facts,
}

/// Hosts of the register that are in use, as far as the reader sees them.
pub(crate) async fn hosts(store: &Store, within: &Within) -> Result<Vec<Row>, StoreError> {
    let mut rows = store.all(Table::Asset, &["host"]).await?;
    rows.retain(|row| row.status == "active");
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let reached = store.reached(Table::Asset, &ids, within).await?;
    rows.retain(|row| reached.contains(&row.id));
    Ok(rows)
}

/// The newest readable snapshots of these hosts; at most [`HOSTS_MAX`] are looked at.
pub(crate) async fn newest(store: &Store, hosts: &[Id]) -> Result<BTreeMap<Id, Seen>, Error> {
    let mut found = BTreeMap::new();
    for host in hosts.iter().take(HOSTS_MAX) {
        let Some(record) = store.newest_records(&[SNAPSHOT], Some(*host), 1).await?.pop() else {
            continue;
        };
        let Some(payload) = store.payload(record.id).await? else { continue };
        // A payload of an older format, or a shredded one, says nothing.
        let facts = blocking(move || Facts::from_document(&payload).ok()).await?;
        if let Some(facts) = facts {
            found.insert(*host, Seen { record, facts });
        }
    }
    Ok(found)
}

/// When a host was seen for the first time; kept once it is known.
pub(crate) async fn first(store: &Store, host: Id) -> Result<Option<Timestamp>, StoreError> {
    let setting = format!("configuration.first_snapshot:{host}");
    if let Some(at) = store.setting(&setting).await?.and_then(|at| at.parse().ok()) {
        return Ok(Some(Timestamp(at)));
    }
    let mut filter = RecordFilter {
        ty: Some(SNAPSHOT.to_owned()),
        subject: Some(host),
        limit: PAGE,
        ..RecordFilter::default()
    };
    let mut first = None;
    for _ in 0..PAGES_MAX {
        let page = store.list_records(&filter).await?;
        let Some(last) = page.last() else { break };
        first = page.iter().map(|record| record.observed_from).chain(first).min();
        filter.before = Some(last.id);
        if page.len() < PAGE {
            break;
        }
    }
    if let Some(first) = first {
        store.set_setting(&setting, &first.0.to_string()).await?;
    }
    Ok(first)
}
