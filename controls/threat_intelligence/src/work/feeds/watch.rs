//! How long a source has given nothing, written down each time its turn comes.

use model::Id;
use serde_json::{Value as Json, json};
use store::{Row, Store, StoreError};

use super::{ACTOR, account::Account};
use crate::work::inbox::RECEIVED;

pub const WATCHED: &str = "threat_intelligence.source_watched";
const MINUTE: i64 = 60_000_000;
/// Newest receipts that are looked through for one that held something.
const RECEIPTS: usize = 20;

/// Records how long a source has been silent, and how long it may be.
pub async fn watch(store: &Store, row: &Row) -> Result<(), StoreError> {
    let now = store.now();
    let mut account = Account::load(store, row.id).await?;
    let heard = account.arrived_at.max(by_hand(store, row.id).await?);
    let since = heard.unwrap_or(row.created_at.0);
    let own = row.attributes.get("interval_min").and_then(Json::as_i64).unwrap_or(0);
    let facts = json!({
        "silent_min": (now.0 - since).max(0) / MINUTE,
        "limit_min": own.max(1).saturating_mul(2),
    });
    account.watched_at = Some(now.0);
    let mut write = store.write(ACTOR, "watch", "").await?;
    write.record(room::draft(WATCHED, Some(row.id), now, facts)).await?;
    account.save_in(&mut write, row.id).await?;
    write.commit().await
}

/// When something of a source was last handed in by a person or given by a peer.
async fn by_hand(store: &Store, id: Id) -> Result<Option<i64>, StoreError> {
    let records = store.newest_records(&[RECEIVED], Some(id), RECEIPTS).await?;
    let held = |facts: &serde_json::Map<String, Json>| {
        facts.get("items").and_then(Json::as_i64).is_some_and(|items| items > 0)
    };
    Ok(records.iter().filter(|r| held(&r.facts)).map(|r| r.observed_to.0).max())
}
