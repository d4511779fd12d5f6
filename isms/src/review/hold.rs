//! Holding a review: the signature, what it sets going, and the record of it.

use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};
use web::decide::{Ruling, RulingError, Signer};

use super::{
    HELD_KIND, INSTRUCTION_KIND, Input, PACK,
    follow::{Follow, short},
    gather::{Instruction, inputs, proposed},
};
use crate::{
    days,
    hall::{fact, text_of},
};

const ACTOR: &str = "system:isms.review";
/// Inputs a to g.
const LETTERS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
/// The input that a reason does not excuse (see content/review/README.md).
const NEVER_EMPTY: &str = "f";
/// Months for which the signature holds: until the next review is due, and some time to hold it.
pub const MONTHS: i64 = 14;
/// Reviews whose tasks are still watched.
const WATCHED_DAYS: i64 = 400;
const RECORDS_MAX: usize = 1_000;
pub const INSTRUCTIONS_MAX: usize = 100;

/// Why a review cannot be signed yet.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("the day lies in the future, or is no day")]
    Day,
    #[error("inputs without content and reason: {0}")]
    Unsettled(String),
    #[error("instruction {0} lacks text, owner or a date on or after the review")]
    Instruction(usize),
    #[error("more than {INSTRUCTIONS_MAX} instructions")]
    Many,
    #[error("the review was signed already")]
    Signed,
    #[error(transparent)]
    Ruling(#[from] RulingError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Letters of the inputs that keep a review from being signed.
pub fn unsettled(inputs: &[Input]) -> Vec<&'static str> {
    let settled = |letter: &str| {
        let input = inputs.iter().find(|input| input.letter == letter);
        input.is_some_and(|i| i.has_content() || (letter != NEVER_EMPTY && i.is_settled()))
    };
    LETTERS.into_iter().filter(|letter| !settled(letter)).collect()
}

/// Whether an instruction says what, who and by when.
pub fn is_whole(instruction: &Instruction, held_on: Timestamp) -> bool {
    !instruction.text.is_empty()
        && instruction.owner.is_some()
        && days::begin(&instruction.due).is_some_and(|due| due >= held_on)
}

/// Holds the review against what a signature needs; gives the first moment of its day.
pub fn check(row: &Row, now: Timestamp) -> Result<Timestamp, HoldError> {
    // The day may have begun already where the organisation is.
    let held = days::field(row, "held_on").filter(|day| *day <= now.plus_hours(14));
    let held = held.ok_or(HoldError::Day)?;
    let open = unsettled(&inputs(row));
    if !open.is_empty() {
        return Err(HoldError::Unsettled(open.join(", ")));
    }
    let instructions = proposed(row);
    if instructions.len() > INSTRUCTIONS_MAX {
        return Err(HoldError::Many);
    }
    match instructions.iter().position(|i| !is_whole(i, held)) {
        Some(at) => Err(HoldError::Instruction(at + 1)),
        None => Ok(held),
    }
}

/// What the signer was shown, and who signs.
pub struct Signing<'a> {
    /// Hash of the review as shown.
    pub hash: &'a str,
    pub reason: &'a str,
    pub signer: Signer<'a>,
}

/// What is signed.
pub fn ruling<'a>(hash: &'a str, reason: &'a str) -> Ruling<'a> {
    Ruling {
        hash,
        outcome: "approved",
        reason,
        hours: web::decide::months(MONTHS),
        kind: HELD_KIND,
        notes: Vec::new(),
    }
}

/// Holds the review against what a signature needs, a review that was signed before included.
pub async fn ready(store: &Store, row: &Row) -> Result<Timestamp, HoldError> {
    let held = check(row, store.now())?;
    let before = store.rows_about(Table::Decision, &[row.id]).await?;
    if before.iter().any(|d| d.kind == HELD_KIND && d.status == "approved") {
        return Err(HoldError::Signed);
    }
    Ok(held)
}

/// Signs the review for someone who sits at no browser; the caller has made sure of the signer.
pub async fn sign(
    store: &Store,
    write: &mut Write<'_>,
    row: &Row,
    signing: &Signing<'_>,
) -> Result<Row, HoldError> {
    let held = ready(store, row).await?;
    let ruling = ruling(signing.hash, signing.reason);
    let decision = ruling.sign(store, write, row, &signing.signer).await?;
    settle(store, write, row, held, &decision).await?;
    Ok(decision)
}

/// What the signature sets going, in the change that brings the last one it takes: each instruction
/// becomes a decision with a task, the risk it names changes, and the record is written. As long as signatures are missing nothing
/// happens.
pub async fn settle(
    store: &Store,
    write: &mut Write<'_>,
    row: &Row,
    held: Timestamp,
    decision: &Row,
) -> Result<(), HoldError> {
    if decision.status != "approved" {
        return Ok(());
    }
    let instructions = proposed(row);
    let mut follow = Follow::new(store);
    for instruction in &instructions {
        let (given, task) = instruct(store, write, row, instruction, decision).await?;
        follow.up(write, &given, task).await?;
    }
    let facts = facts(row, decision, instructions.len(), 0);
    // What was reviewed is as old as the day of the review, not as its signature.
    write.record(draft(facts, held.min(store.now()))).await?;
    Ok(())
}

async fn instruct(
    store: &Store,
    write: &mut Write<'_>,
    review: &Row,
    instruction: &Instruction,
    signed: &Row,
) -> Result<(Row, Id), HoldError> {
    let (task_id, name) = (store.new_id()?, short(&instruction.text));
    let mut decision = Row::new(Table::Decision, store.new_id()?, INSTRUCTION_KIND, &name);
    decision.status = "approved".to_owned();
    decision.subject = Some(review.id);
    decision.subject_hash = signed.subject_hash.clone();
    let attributes = json!({
        "order": instruction.text,
        "assignee": instruction.owner,
        "due": instruction.due,
        "task": task_id,
        "signer": text_of(signed, "signer"),
        "method": text_of(signed, "method"),
        "subject_table": review.table.name(),
    });
    decision.attributes = attributes.as_object().cloned().unwrap_or_default();
    if let Some(risk) = instruction.risk {
        decision.attributes.insert("risk".to_owned(), risk.to_string().into());
    }
    Ok((write.put(decision).await?, task_id))
}

fn facts(row: &Row, decision: &Row, instructions: usize, without_task: usize) -> Json {
    let open = unsettled(&inputs(row)).len();
    json!({
        "scope": "organisation",
        "held_on": text_of(row, "held_on"),
        "inputs_present": LETTERS.len() - open,
        "inputs_empty": open,
        "instructions": instructions,
        "instructions_without_task": without_task,
        "review": row.id,
        "decision": decision.id,
    })
}

fn draft(facts: Json, at: Timestamp) -> RecordDraft {
    RecordDraft {
        ty: PACK.to_owned(),
        subject: None,
        observed_from: at,
        observed_to: at,
        source: "isms.review".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

/// Records that tasks of a signed review went missing, or came back. Such a record is as old as the
/// review itself: it must not make it fresher.
pub async fn record_states(store: &Store) -> Result<u64, StoreError> {
    let since = store.now().minus_hours(24 * WATCHED_DAYS);
    let records = store.records_since(&[PACK], since, RECORDS_MAX).await?;
    let mut drafts = Vec::new();
    for record in newest_of_each(&records) {
        let Some(review) = fact(record, "review").and_then(|id| id.parse::<Id>().ok()) else {
            continue;
        };
        let without = without_task(store, review).await?;
        if record.facts.get("instructions_without_task") != Some(&json!(without)) {
            let mut facts = Json::Object(record.facts.clone());
            facts["instructions_without_task"] = json!(without);
            drafts.push(draft(facts, Timestamp(record.observed_to.0 + 1)));
        }
    }
    if drafts.is_empty() {
        return Ok(0);
    }
    let count = drafts.len() as u64;
    let mut write = store.write(ACTOR, "tasks of a review", "").await?;
    for draft in drafts {
        write.record(draft).await?;
    }
    write.commit().await?;
    Ok(count)
}

fn newest_of_each(records: &[Record]) -> Vec<&Record> {
    let mut newest: std::collections::BTreeMap<&str, &Record> = std::collections::BTreeMap::new();
    for record in records {
        if let Some(review) = fact(record, "review") {
            // They come oldest first.
            newest.insert(review, record);
        }
    }
    newest.into_values().collect()
}

async fn without_task(store: &Store, review: Id) -> Result<usize, StoreError> {
    let decisions = store.rows_about(Table::Decision, &[review]).await?;
    let given: Vec<&Row> = decisions.iter().filter(|d| d.kind == INSTRUCTION_KIND).collect();
    let named: Vec<Id> = given.iter().filter_map(|d| text_of(d, "task")?.parse().ok()).collect();
    let there = store.rows_by_id(Table::Task, &named).await?;
    let has = |d: &&&Row| {
        there.iter().any(|task| text_of(d, "task") == Some(task.id.to_string().as_str()))
    };
    Ok(given.len() - given.iter().filter(has).count())
}
