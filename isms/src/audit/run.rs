//! One audit: drawn into a plan, answered sample by sample, each answer a record.
//!
//! Invariants: only the auditor named answers, and never about what they own by then; an answer is given
//! once; a nonconformity becomes a finding with a task in the same transaction.

use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{RecordDraft, Row, Store, StoreError, Write};

use super::{AUDIT_KIND, Item, SAMPLED, Sample};
use crate::{days, hall::text_of};

/// How long a finding may take to be mended.
const MEND_DAYS: i64 = 30;
const NOTE_CHARS_MAX: usize = 4_000;
/// What an answer may be.
pub const RESULTS: [&str; 4] = ["conform", "observation", "minor", "major"];

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the audit has no such sample")]
    NoSample,
    #[error("the sample was answered already")]
    Answered,
    #[error("only the auditor named answers")]
    NotTheAuditor,
    #[error("the auditor owns the control")]
    Own,
    #[error("nobody owns the control")]
    Unowned,
    #[error("an answer needs a result and a note of 1 to {NOTE_CHARS_MAX} characters")]
    Incomplete,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The row of an audit that is about to begin.
pub fn row(id: Id, name: &str, seed: &str, auditor: Id, at: Timestamp, samples: &[Sample]) -> Row {
    let mut row = Row::new(Table::Plan, id, AUDIT_KIND, name);
    let line = |s: &Sample| {
        json!({
            "item": s.item,
            "owner": s.owner,
            "question": s.question,
            "why": s.why,
            "question_in_a_row": s.question_in_a_row,
            "auditor_in_a_row": s.auditor_in_a_row,
        })
    };
    let flags: Vec<&str> =
        samples.iter().filter(|s| s.is_flagged()).map(|s| s.item.as_str()).collect();
    row.attributes = Map::from_iter([
        ("seed".to_owned(), json!(seed)),
        ("auditor".to_owned(), json!(auditor)),
        ("drawn_at".to_owned(), json!(at.rfc3339())),
        ("samples".to_owned(), samples.iter().map(line).collect()),
        ("flags".to_owned(), json!(flags)),
    ]);
    row
}

/// The samples of an audit's row.
pub fn samples(row: &Row) -> &[Json] {
    row.attributes.get("samples").and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The auditor of an audit's row.
pub fn auditor(row: &Row) -> Option<Id> {
    text_of(row, "auditor")?.parse().ok()
}

/// What an auditor says to one sample.
pub struct Answer<'a> {
    pub sample: usize,
    /// One of [`RESULTS`].
    pub result: &'a str,
    /// What was seen. May name people: it goes into the payload, not into the leaf.
    pub note: &'a str,
    /// Who answers.
    pub by: Id,
}

/// Takes an answer: its record, the audit with it, and where it is none that conforms, a finding. `item`
/// is the control as it stands now.
pub async fn answer(
    store: &Store,
    write: &mut Write<'_>,
    audit: Row,
    item: &Item,
    answer: &Answer<'_>,
) -> Result<Row, AnswerError> {
    let line = samples(&audit).get(answer.sample).ok_or(AnswerError::NoSample)?;
    let owner = check(&audit, line, item, answer)?;
    let question = line["question"]["id"].as_str().unwrap_or("").to_owned();
    let in_a_row = (item.question_run(&question) + 1, item.auditor_run(answer.by) + 1);
    let at = store.now();
    let facts = json!({
        "control": item.number,
        "seed": text_of(&audit, "seed"),
        "asked": 1,
        "auditor": answer.by,
        "control_owner": owner,
        "repeats": in_a_row.0,
        "auditor_in_a_row": in_a_row.1,
        "question": question,
        "result": answer.result,
        "audit": audit.id,
    });
    let record = write
        .record(RecordDraft {
            ty: SAMPLED.to_owned(),
            subject: None,
            observed_from: at,
            observed_to: at,
            source: "web".to_owned(),
            // The answer itself was seen here; what it claims is the auditor's.
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: Some(answer.note.trim().as_bytes().to_vec()),
        })
        .await?;
    let mut finding = None;
    if answer.result != "conform" {
        finding = Some(find(store, write, item, line, owner, answer).await?);
    }
    let mut audit = audit;
    if let Some(line) = audit
        .attributes
        .get_mut("samples")
        .and_then(Json::as_array_mut)
        .and_then(|lines| lines.get_mut(answer.sample))
    {
        line["result"] = answer.result.into();
        line["record"] = json!(record.id);
        line["finding"] = json!(finding);
    }
    Ok(write.put(audit).await?)
}

/// Holds an answer against audit and control; gives the owner.
fn check(audit: &Row, line: &Json, item: &Item, answer: &Answer) -> Result<Id, AnswerError> {
    if line.get("record").is_some() {
        return Err(AnswerError::Answered);
    }
    if auditor(audit) != Some(answer.by) {
        return Err(AnswerError::NotTheAuditor);
    }
    let owner = item.owner.ok_or(AnswerError::Unowned)?;
    if owner == answer.by {
        return Err(AnswerError::Own);
    }
    let chars = answer.note.trim().chars().count();
    if !RESULTS.contains(&answer.result) || chars == 0 || chars > NOTE_CHARS_MAX {
        return Err(AnswerError::Incomplete);
    }
    Ok(owner)
}

async fn find(
    store: &Store,
    write: &mut Write<'_>,
    item: &Item,
    line: &Json,
    owner: Id,
    answer: &Answer<'_>,
) -> Result<Id, StoreError> {
    let due = store.now().plus_hours(24 * MEND_DAYS);
    // Number and day, because a row's name has no second language.
    let name = format!("{} {}", item.number, days::of(store.now()));
    let mut finding = Row::new(Table::Asset, store.new_id()?, "audit_finding", &name);
    let attributes = json!({
        "control": item.number,
        "grade": answer.result,
        "description": answer.note.trim(),
        "question": line["question"]["id"],
        "found_on": days::of(store.now()),
        "due": days::of(due),
        "responsible": owner,
        "auditor": answer.by,
    });
    finding.attributes = attributes.as_object().cloned().unwrap_or_default();
    let finding = write.put(finding).await?;
    let mut task = Row::new(Table::Task, store.new_id()?, "task", &finding.name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.ends_at = Some(due);
    task.subject = Some(finding.id);
    let attributes = json!({
        "due": days::of(due),
        "zone": "UTC",
        "assignee": owner,
        "closes_with": super::states::FOUND,
        // Only a check of effectiveness closes it.
        "closes_where": {"effective": true},
        "remind_days": 7,
        "escalation": ["1 officer", "14 executive"],
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    write.put(task).await?;
    Ok(finding.id)
}
