//! Closing a task: by a record of the type it asks for, and by nothing else.

use model::{Assurance, RecordSpec, Timestamp, Writer};
use serde_json::{Map, Value as Json};
use store::{Record, RecordDraft, Row, Store, StoreError};

use crate::recur;

/// What closes a task that asks for nothing else.
pub const DEFAULT_TYPE: &str = "house.task_done";
/// A record may be this much older than its task: work is often done on the day it is noted.
const OLDER_HOURS_MAX: i64 = 24;
const RECORDS_OFFERED_MAX: usize = 50;
const CLOSED_LOOKED_AT_MAX: usize = 1_000;

/// Why a record does not close a task.
#[derive(Debug, thiserror::Error)]
pub enum NotClosed {
    #[error("the task is closed already")]
    Already,
    #[error("the record is of type {found}, the task asks for {wanted}")]
    Type { found: String, wanted: String },
    #[error("the record is about something else")]
    Subject,
    #[error("the record does not say what the task asks for")]
    Facts,
    #[error("the record is older than the task")]
    Old,
    #[error("the record closed another task")]
    Used,
    #[error("records of type {0} are collected by the machine and not entered by hand")]
    Machine(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A closed task, and its next occurrence.
#[derive(Debug)]
pub struct Closed {
    pub task: Row,
    pub next: Option<Row>,
}

/// The record type that closes a task.
pub fn closing_type(task: &Row) -> &str {
    let named = task.attributes.get("closes_with").and_then(Json::as_str);
    named.filter(|ty| !ty.is_empty()).unwrap_or(DEFAULT_TYPE)
}

/// Holds a record against what the task asks for.
pub fn fits(task: &Row, record: &Record) -> Result<(), NotClosed> {
    if task.status == "closed" || task.deleted {
        return Err(NotClosed::Already);
    }
    let wanted = closing_type(task);
    if record.ty != wanted {
        return Err(NotClosed::Type { found: record.ty.clone(), wanted: wanted.to_owned() });
    }
    if task.subject.is_some() && record.subject.is_some() && task.subject != record.subject {
        return Err(NotClosed::Subject);
    }
    if wanted == DEFAULT_TYPE
        && record.facts.get("task").and_then(Json::as_str) != Some(&task.id.to_string())
    {
        return Err(NotClosed::Subject);
    }
    let conditions = task.attributes.get("closes_where").and_then(Json::as_object);
    for (field, wanted) in conditions.into_iter().flatten() {
        let said = record.facts.get(field);
        let holds = match wanted {
            Json::Array(list) => said.is_some_and(|said| list.contains(said)),
            one => said == Some(one),
        };
        if !holds {
            return Err(NotClosed::Facts);
        }
    }
    if record.observed_to < task.created_at.minus_hours(OLDER_HOURS_MAX) {
        return Err(NotClosed::Old);
    }
    Ok(())
}

/// Records that would close the task, newest first.
pub async fn offered(store: &Store, task: &Row) -> Result<Vec<Record>, StoreError> {
    let mut records =
        store.newest_records(&[closing_type(task)], None, RECORDS_OFFERED_MAX).await?;
    records.retain(|record| fits(task, record).is_ok());
    Ok(records)
}

/// Whether a record of the task's type may be entered by hand: not where the machine speaks, for a
/// person's word must never outweigh what it says.
pub async fn may_enter(store: &Store, task: &Row, spec: &RecordSpec) -> Result<bool, StoreError> {
    if closing_type(task) == DEFAULT_TYPE {
        return Ok(true);
    }
    if !Writer::Anyone.may_write(spec.writer) {
        return Ok(false);
    }
    let newest = store.newest_records(&[closing_type(task)], None, RECORDS_OFFERED_MAX).await?;
    let has_conditions = task.attributes.contains_key("closes_where");
    Ok(!has_conditions && newest.iter().all(|r| r.assurance != Assurance::Machine))
}

async fn used(store: &Store, record: &Record) -> Result<bool, StoreError> {
    let id = record.id.to_string();
    let closed = store.closed_tasks(CLOSED_LOOKED_AT_MAX).await?;
    Ok(closed.iter().any(|t| t.attributes.get("closed_by").and_then(Json::as_str) == Some(&id)))
}

/// Closes the task by a record that is there.
pub async fn close(
    store: &Store,
    task: Row,
    record: &Record,
    actor: &str,
) -> Result<Closed, NotClosed> {
    fits(&task, record)?;
    if used(store, record).await? {
        return Err(NotClosed::Used);
    }
    let mut write = store.write(actor, "closed by its record", "web").await?;
    let closed = finish(store, &mut write, task, record).await?;
    write.commit().await?;
    Ok(closed)
}

/// What a person enters instead of picking a record.
#[derive(Clone, Debug)]
pub struct Entry {
    pub facts: Map<String, Json>,
    pub done: Timestamp,
    /// May name people, so it goes into the payload and not into the leaf.
    pub statement: String,
}

/// Enters the record that the task asks for, of which `spec` is the declaration, as attested, and
/// closes the task by it, in one change.
pub async fn enter(
    store: &Store,
    task: Row,
    spec: &RecordSpec,
    entry: Entry,
    actor: &str,
) -> Result<Closed, NotClosed> {
    if spec.ty != closing_type(&task) || !may_enter(store, &task, spec).await? {
        return Err(NotClosed::Machine(closing_type(&task).to_owned()));
    }
    let mut write = store.write(actor, "entered to close a task", "web").await?;
    let draft = RecordDraft {
        ty: spec.ty.to_owned(),
        subject: task.subject,
        observed_from: entry.done,
        observed_to: entry.done,
        source: "web".to_owned(),
        assurance: Assurance::Attested,
        facts: entry.facts,
        payload: Some(entry.statement.into_bytes()).filter(|s| !s.is_empty()),
    };
    let record = write.record_by(Writer::Anyone, spec, draft).await?;
    fits(&task, &record)?;
    let closed = finish(store, &mut write, task, &record).await?;
    write.commit().await?;
    Ok(closed)
}

async fn finish(
    store: &Store,
    write: &mut store::Write<'_>,
    mut task: Row,
    record: &Record,
) -> Result<Closed, NotClosed> {
    task.status = "closed".to_owned();
    task.attributes.insert("closed_by".into(), Json::from(record.id.to_string()));
    let task = write.put(task).await?;
    let next = recur::put_next(store, write, &task, task.updated_at).await?;
    Ok(Closed { task, next })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
