//! The policy everyone has read (7.3, 7.4): which version is in force, who has read it, who is missing.
//!
//! Invariants: a policy is in force while a signature binds it as it stands; reading is recorded for the
//! person of the account that read, with the hash of what was shown. When another version comes into
//! force, what was read before is recorded as no longer current, so that nobody passes by an old reading.

use std::collections::BTreeSet;

use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use crate::{
    days,
    hall::{fact, text_of},
    signed,
};

/// Type of the record of one reading.
pub const READ: &str = "isms.ack_given";
const ACTOR: &str = "system:isms.policy";
const REMIND_DAYS: i64 = 14;
/// A reading is not recorded again while it is younger than this.
const AGAIN_AFTER_DAYS: i64 = 300;
/// Reminders made at once, and readings outdated in one run: the next run goes on.
pub const AT_ONCE_MAX: usize = 2_000;
/// How long a reading counts (isms/take-4).
const FRESH_HOURS: i64 = 8760;

/// The policy in force.
#[derive(Clone, Debug)]
pub struct Policy {
    pub row: Row,
    pub hash: String,
    pub approved_at: Timestamp,
    pub until: Option<Timestamp>,
}

/// The document of rank policy that was approved last and stands as it was approved: two statements.
pub async fn current(store: &Store) -> Result<Option<Policy>, StoreError> {
    let mut documents = store.all(Table::Asset, &["document"]).await?;
    documents.retain(|row| text_of(row, "rank") == Some("policy"));
    let ids: Vec<Id> = documents.iter().map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let mut newest: Option<Policy> = None;
    for row in documents {
        let Some(approval) = signed::approval(&decisions, &row, store.now())? else { continue };
        if newest.as_ref().is_none_or(|p| p.approved_at < approval.updated_at) {
            newest = Some(Policy {
                hash: row.content_hash()?,
                approved_at: approval.updated_at,
                until: approval.ends_at,
                row,
            });
        }
    }
    Ok(newest)
}

/// Whether this person has read the version, recently enough not to be asked again.
pub async fn has_read(
    store: &Store,
    person: Id,
    hash: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let records = store.newest_records(&[READ], Some(person), 1).await?;
    let fresh = |r: &&Record| {
        is_of(r, hash) && store.now().hours_since(r.observed_to) < AGAIN_AFTER_DAYS * 24
    };
    Ok(records.first().filter(fresh).map(|r| r.observed_to))
}

fn is_of(record: &Record, hash: &str) -> bool {
    fact(record, "document_hash") == Some(hash)
        && record.facts.get("current") == Some(&Json::Bool(true))
}

fn reading(person: Id, hash: &str, current: bool, at: Timestamp) -> RecordDraft {
    RecordDraft {
        ty: READ.to_owned(),
        subject: Some(person),
        observed_from: at,
        observed_to: at,
        source: "isms.policy".to_owned(),
        // The act was seen here: someone signed in, was shown this version, and said so.
        assurance: Assurance::Machine,
        facts: Map::from_iter([
            ("document_hash".to_owned(), json!(hash)),
            ("current".to_owned(), json!(current)),
        ]),
        payload: None,
    }
}

/// Records that a person has read the version in force, unless that is recorded already.
pub async fn read(
    store: &Store,
    write: &mut Write<'_>,
    person: Id,
    policy: &Policy,
    language: &str,
) -> Result<(), StoreError> {
    if has_read(store, person, &policy.hash).await?.is_some() {
        return Ok(());
    }
    let mut draft = reading(person, &policy.hash, true, store.now());
    draft.facts.insert("language".into(), language.into());
    write.record(draft).await?;
    Ok(())
}

/// Who has read the version in force.
#[derive(Clone, Debug)]
pub struct Coverage {
    pub policy: Policy,
    pub people: Vec<Row>,
    pub read: BTreeSet<Id>,
}

impl Coverage {
    /// How many people have read it.
    pub fn current(&self) -> usize {
        self.people.iter().filter(|p| self.read.contains(&p.id)).count()
    }

    /// Those who have not.
    pub fn missing(&self) -> impl Iterator<Item = &Row> {
        self.people.iter().filter(|p| !self.read.contains(&p.id))
    }
}

/// Holds everybody against the version in force: two statements.
pub async fn coverage(store: &Store, policy: Policy) -> Result<Coverage, StoreError> {
    let people = store.all(Table::Party, &["person"]).await?;
    let latest = store.latest_per_subject(&[READ]).await?;
    let now = store.now();
    let counts = |r: &&Record| {
        is_of(r, &policy.hash)
            && r.observed_to <= now
            && now.hours_since(r.observed_to) <= FRESH_HOURS
    };
    let read = latest.iter().filter(counts).filter_map(|r| r.subject).collect();
    Ok(Coverage { policy, people, read })
}

/// The reminder of one person about one version; asking twice makes no second.
pub fn reminder_id(person: Id, policy: &Policy) -> Id {
    store::derived_id(policy.approved_at, &format!("ume/policy/{person}/{}", policy.hash))
}

/// Makes a task for each person who is missing and has none; returns how many.
pub async fn remind(
    store: &Store,
    write: &mut Write<'_>,
    coverage: &Coverage,
) -> Result<usize, StoreError> {
    let wanted: Vec<(Id, Id)> = coverage
        .missing()
        .map(|person| (person.id, reminder_id(person.id, &coverage.policy)))
        .collect();
    let ids: Vec<Id> = wanted.iter().map(|(_, task)| *task).collect();
    let known: BTreeSet<Id> =
        store.rows_by_id(Table::Task, &ids).await?.into_iter().map(|row| row.id).collect();
    let due = store.now().plus_hours(24 * REMIND_DAYS);
    let mut made = 0;
    for (person, id) in wanted.into_iter().filter(|(_, id)| !known.contains(id)).take(AT_ONCE_MAX) {
        // One that was deleted is not made again.
        if store.row(Table::Task, id).await?.is_some() {
            continue;
        }
        let mut task = Row::new(Table::Task, id, "task", &coverage.policy.row.name);
        task.status = "open".to_owned();
        task.schema_version = 2;
        task.subject = Some(person);
        task.ends_at = Some(due);
        let attributes = json!({
            "due": days::of(due),
            "zone": "UTC",
            "assignee": person,
            "closes_with": READ,
            "closes_where": {"document_hash": coverage.policy.hash, "current": true},
            "remind_days": 3,
            "description": "/policy",
        });
        task.attributes = attributes.as_object().cloned().unwrap_or_default();
        write.put(task).await?;
        made += 1;
    }
    Ok(made)
}

/// Records for everybody whose last reading was of another version than the one in force that it is
/// current no more; returns how many.
pub async fn record_states(store: &Store) -> Result<u64, StoreError> {
    let Some(policy) = current(store).await? else { return Ok(0) };
    let latest = store.latest_per_subject(&[READ]).await?;
    let says = |r: &Record| r.facts.get("current") == Some(&Json::Bool(true));
    // Outdated from the moment the other version came into force: a reading of that one, be it made
    // while this runs, is newer.
    let from = |r: &Record| policy.approved_at.max(Timestamp(r.observed_to.0 + 1));
    let outdated: Vec<RecordDraft> = latest
        .iter()
        .filter(|r| says(r) && fact(r, "document_hash") != Some(policy.hash.as_str()))
        .filter_map(|r| Some(reading(r.subject?, fact(r, "document_hash")?, false, from(r))))
        .take(AT_ONCE_MAX)
        .collect();
    if outdated.is_empty() {
        return Ok(0);
    }
    let count = outdated.len() as u64;
    let mut write = store.write(ACTOR, "another version is in force", "").await?;
    for draft in outdated {
        write.record(draft).await?;
    }
    write.commit().await?;
    Ok(count)
}

impl Coverage {
    /// Version in force and numbers as one document; the missing by id alone.
    pub fn json(&self) -> Json {
        json!({
            "policy": {
                "id": self.policy.row.id,
                "name": self.policy.row.name,
                "document_hash": self.policy.hash,
                "approved_at": self.policy.approved_at.rfc3339(),
                "until": self.policy.until.map(Timestamp::rfc3339),
            },
            "people": self.people.len(),
            "read": self.current(),
            "missing": self.missing().map(|p| p.id).collect::<Vec<Id>>(),
        })
    }
}
