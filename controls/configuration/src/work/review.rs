//! The review of a system: the state its hosts are in, what changed since the last review, and the
//! signature under exactly that state.
//!
//! Invariants: the state is a hash over the roots of the newest snapshots of all hosts, a host without
//! one included as such; what is signed is the state that was shown.

use model::{Id, Table, Timestamp, canonical};
use room::draft;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Key, Record, RecordDraft, Row, Store, StoreError};

use super::drift::{DRIFT, Drift, SNAPSHOT, with_decisions};

pub const REVIEW: &str = "configuration.review";
const RECORDS_MAX: usize = 5_000;
const HOSTS_MAX: usize = 500;

/// A host of a system as it was seen last.
#[derive(Clone, Debug)]
pub struct HostState {
    pub row: Row,
    pub snapshot: Option<Record>,
}

/// What a review looks at.
pub struct State {
    pub system: Row,
    pub hosts: Vec<HostState>,
    pub hash: String,
    pub last: Option<Record>,
    /// Differences since the last review, newest first.
    pub drifts: Vec<Drift>,
    /// There are more.
    pub is_cut: bool,
}

impl State {
    /// Differences nobody authorised or decided.
    pub fn findings(&self) -> usize {
        let open = |drift: &&Drift| drift.is_unauthorised() && drift.decided.is_none();
        self.drifts.iter().filter(open).count()
    }

    /// Whether the last review was of this very state.
    pub fn is_reviewed(&self) -> bool {
        let said = self.last.as_ref().and_then(|r| r.facts.get("state")).and_then(Json::as_str);
        said == Some(self.hash.as_str())
    }
}

/// All systems with their last review.
pub async fn systems(store: &Store) -> Result<Vec<(Row, Option<Record>)>, StoreError> {
    let rows = store.all(Table::Asset, &["system"]).await?;
    let mut last = store.latest_per_subject(&[REVIEW]).await?;
    let pair = |row: Row| {
        let at = last.iter().position(|record| record.subject == Some(row.id));
        let record = at.map(|at| last.swap_remove(at));
        (row, record)
    };
    Ok(rows.into_iter().map(pair).collect())
}

/// What stands of a system now; none if there is no such system.
pub async fn of(store: &Store, id: Id) -> Result<Option<State>, StoreError> {
    let system = store.row(Table::Asset, id).await?.filter(|r| r.kind == "system" && !r.deleted);
    let Some(system) = system else { return Ok(None) };
    let filter = store::Filter {
        kind: Some("host".to_owned()),
        conditions: vec![store::Condition {
            name: "system".to_owned(),
            test: store::Test::Is(Key::text(&id.to_string())),
        }],
        limit: HOSTS_MAX,
        ..store::Filter::default()
    };
    let mut rows = store.list(Table::Asset, &filter).await?;
    rows.sort_by_key(|row| row.id);
    let newest = store.latest_per_subject(&[SNAPSHOT]).await?;
    let hosts: Vec<HostState> = rows
        .into_iter()
        .map(|row| {
            let snapshot = newest.iter().find(|record| record.subject == Some(row.id)).cloned();
            HostState { row, snapshot }
        })
        .collect();
    let last = store.newest_records(&[REVIEW], Some(id), 1).await?.pop();
    let since = last.as_ref().map_or(Timestamp(0), |record| record.observed_to);
    let ids: Vec<Id> = hosts.iter().map(|host| host.row.id).collect();
    let mut records = store.newest_records(&[DRIFT], None, RECORDS_MAX).await?;
    let is_cut = records.len() == RECORDS_MAX
        && records.last().is_some_and(|record| record.observed_to > since);
    records.retain(|r| r.observed_to > since && r.subject.is_some_and(|host| ids.contains(&host)));
    let hash = hash(&hosts)?;
    let drifts = with_decisions(store, records).await?;
    Ok(Some(State { system, hosts, hash, last, drifts, is_cut }))
}

/// The hash over what the hosts were seen to be.
fn hash(hosts: &[HostState]) -> Result<String, StoreError> {
    let of = |host: &HostState| {
        let roots = host.snapshot.as_ref().and_then(|record| record.facts.get("roots"));
        json!([host.row.id, roots.unwrap_or(&Json::Null)])
    };
    let all: Vec<Json> = hosts.iter().map(of).collect();
    let text = canonical::to_string(&Json::Array(all))?;
    Ok(hex::encode(Sha256::digest(text)))
}

/// The record of a review that enough people signed.
pub fn reviewed(state: &State, signatures: usize, now: Timestamp) -> RecordDraft {
    let facts = json!({
        "signatures": signatures, "state": state.hash, "findings": state.findings(),
    });
    let mut draft = draft(REVIEW, Some(state.system.id), now, facts);
    draft.source = "configuration.review".to_owned();
    draft
}
