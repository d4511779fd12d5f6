//! What was asked for is done: the record that says so, and the task that it closes.

use model::{Assurance, Id, Table};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use super::{
    peers,
    triage::{CLOSED, audience},
};

pub const PROOF_CHARS_MAX: usize = 500;
const MINUTE_MICROS: i64 = 60_000_000;

/// The tasks of an item, open ones first.
pub async fn of_item(store: &Store, item: Id) -> Result<Vec<Row>, StoreError> {
    let mut tasks = store.rows_about(Table::Task, &[item]).await?;
    tasks.retain(|task| !task.deleted);
    tasks.sort_by_key(|task| (task.status == "closed", task.ends_at));
    Ok(tasks)
}

/// Writes the record by which a task of an item is closed.
pub async fn done(
    store: &Store,
    write: &mut Write<'_>,
    item: &Row,
    task: &Row,
    proof: &str,
) -> Result<Record, StoreError> {
    let now = store.now();
    let verdict = item.attributes.get("verdict").and_then(Json::as_str).unwrap_or("act");
    let received = item.created_at;
    let mut facts = json!({
        "item": item.id,
        "verdict": verdict,
        "audience": audience(task),
        "proof": proof,
        "delay_min": (now.0 - received.0).max(0) / MINUTE_MICROS,
    });
    if let Some(channel) = peers::channel_of(store, item).await? {
        facts["channel"] = json!(channel);
    }
    let wanted = task.attributes.get("closes_where").and_then(Json::as_object);
    for (name, value) in wanted.into_iter().flatten() {
        if ["input", "wanted"].contains(&name.as_str()) {
            facts[name] = value.clone();
        }
    }
    write
        .record(RecordDraft {
            ty: CLOSED.to_owned(),
            subject: Some(item.id),
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.actions".to_owned(),
            assurance: Assurance::Attested,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: None,
        })
        .await
}
