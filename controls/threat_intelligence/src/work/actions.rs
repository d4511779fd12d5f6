//! What was asked for is done: the record that says so, and the task that it closes.

use model::{Assurance, Id, Table};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use super::{
    inbox::ITEM,
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

/// Writes the record by which a person closes a task of an item.
pub async fn done(
    store: &Store,
    write: &mut Write<'_>,
    item: &Row,
    task: &Row,
    proof: &str,
) -> Result<Record, StoreError> {
    let draft = closed(store, item, task, proof).await?;
    let source = "threat_intelligence.actions".to_owned();
    write.record(RecordDraft { source, assurance: Assurance::Attested, ..draft }).await
}

/// Closes a task of an item by what machines recorded; whether it is closed now. `job` is who looked.
pub async fn close(
    store: &Store,
    task: &Row,
    proof: &str,
    job: &'static str,
) -> Result<bool, StoreError> {
    let Some(item) = task.subject else { return Ok(false) };
    let Some(item) = store.row(Table::Asset, item).await?.filter(|row| row.kind == ITEM) else {
        return Ok(false);
    };
    let draft = closed(store, &item, task, proof).await?;
    let actor = format!("system:{job}");
    let mut write = store.write(&actor, "work", "").await?;
    let record = write.record(RecordDraft { source: job.to_owned(), ..draft }).await?;
    write.commit().await?;
    let done = tasks::close::close(store, task.clone(), &record, &actor).await;
    Ok(done.inspect_err(|error| tracing::warn!(%error, "a task stays open")).is_ok())
}

/// What the record says: the item and its verdict, whom it was asked of and what, and the channel it came by.
async fn closed(
    store: &Store,
    item: &Row,
    task: &Row,
    proof: &str,
) -> Result<RecordDraft, StoreError> {
    let now = store.now();
    let mut facts = json!({
        "item": item.id,
        "verdict": item.attributes.get("verdict").and_then(Json::as_str).unwrap_or("act"),
        "audience": audience(task),
        "proof": proof,
        "delay_min": (now.0 - item.created_at.0).max(0) / MINUTE_MICROS,
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
    Ok(RecordDraft {
        ty: CLOSED.to_owned(),
        subject: Some(item.id),
        observed_from: now,
        observed_to: now,
        source: String::new(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    })
}
