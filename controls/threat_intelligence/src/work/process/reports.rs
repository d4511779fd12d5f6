//! What employees report of mail, sites and log-ins becomes an item of the inbox with its text read, and gets an answer.
//!
//! Invariants: a report is one item; who reported it stays in the finding, for those who judge; the answer is shown to
//! whoever reported, and to nobody else below those who judge.

use std::collections::BTreeMap;

use model::{Assurance, Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Blob, Record, RecordDraft, Row, Store, StoreError, Write};

use super::internal::{self, FINDING, Input};
use crate::work::{
    inbox::{self, ITEM, SOURCE},
    triage::TRIAGED,
};

pub const ANSWERED: &str = "threat_intelligence.report_answered";
const ACTOR: &str = "system:threat_intelligence.reports";
/// Setting that names the source of what comes from inside.
const INSIDE: &str = "intel_inside_source";
/// Setting that names the item made of a finding.
const MADE: &str = "intel_item_of:";
const NEWS_HOURS: i64 = 90 * 24;
const TAKEN_MAX: usize = 50;
const RECORDS_MAX: usize = 20_000;
const NAME_CHARS_MAX: usize = 80;
const MINUTE_MICROS: i64 = 60_000_000;

/// What a report is about that this room takes up at once.
const ABOUT: [&str; 3] = ["mail", "site", "login"];

/// What a finding says of itself in its payload.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub text: String,
    /// `mail`, `site`, `login`, or nothing.
    pub about: String,
    /// A file that came with it.
    pub file: Option<String>,
}

impl Said {
    /// Reads the payload of a finding; empty if it was shredded.
    pub async fn of(store: &Store, finding: &Record) -> Result<Said, StoreError> {
        let payload = match finding.payload_commit {
            Some(_) => store.payload(finding.id).await?,
            None => None,
        };
        Ok(Said::read(payload.as_deref()))
    }

    /// The same for many.
    pub async fn of_all(store: &Store, findings: &[Id]) -> Result<BTreeMap<Id, Said>, StoreError> {
        let payloads = store.payloads(findings).await?;
        Ok(payloads.iter().map(|(id, payload)| (*id, Said::read(Some(payload)))).collect())
    }

    fn read(payload: Option<&[u8]>) -> Said {
        let payload: Json =
            payload.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let file = text(&payload["fields"]["file"]);
        Said {
            text: text(&payload["message"]),
            about: text(&payload["fields"]["about"]),
            file: store::is_sha256(&file).then_some(file),
        }
    }
}

/// One run: takes up new reports of mail, sites and log-ins.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let mut taken = 0;
    let inside = internal::all(store).await?;
    let waiting = inside.iter().filter(|one| one.input == Input::Report && one.judged.is_none());
    for one in waiting {
        if taken >= TAKEN_MAX {
            break;
        }
        if item_of(store, one.finding.id).await?.is_some() {
            continue;
        }
        let said = Said::of(store, &one.finding).await?;
        if !ABOUT.contains(&said.about.as_str()) {
            continue;
        }
        let prepared = prepare(store, ACTOR, &one.finding, &said).await?;
        let mut write = store.write(ACTOR, "an employee's report", "").await?;
        take(store, &mut write, &prepared).await?;
        write.commit().await?;
        taken += 1;
    }
    if taken > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "taken": taken }))
}

/// The items made of findings, by finding.
pub async fn items(store: &Store) -> Result<BTreeMap<Id, Id>, StoreError> {
    let all = store.settings(MADE).await?;
    let pair = |(name, item): &(String, String)| {
        Some((name.strip_prefix(MADE)?.parse().ok()?, item.parse().ok()?))
    };
    Ok(all.iter().filter_map(pair).collect())
}

/// The item made of a finding.
pub async fn item_of(store: &Store, finding: Id) -> Result<Option<Id>, StoreError> {
    let made = store.setting(&format!("{MADE}{finding}")).await?;
    Ok(made.and_then(|id| id.parse().ok()))
}

/// What an item is made of, with its original kept.
#[derive(Clone, Debug)]
pub struct Prepared {
    source: Id,
    finding: Id,
    name: String,
    encoding: String,
    blob: Blob,
    is_reported: bool,
}

/// Keeps the original of what becomes an item: the file that came with it, else its words. It is no part of a change,
/// since keeping a file is one of its own.
pub async fn prepare(
    store: &Store,
    actor: &str,
    finding: &Record,
    said: &Said,
) -> Result<Prepared, Error> {
    let title = |name: &str| finding.facts.get(name).and_then(Json::as_str).unwrap_or_default();
    let words = match said.text.trim() {
        "" => title("title_ja"),
        text => text,
    };
    let sent = match &said.file {
        Some(sha256) => store.blob(sha256).await?,
        None => None,
    };
    let blob = match sent {
        Some(blob) => blob,
        None => {
            let mut upload = store.upload().await?;
            upload.write(words.as_bytes()).await?;
            store.keep(upload, "report.txt", actor).await?
        }
    };
    let original = inbox::original(store, &blob, None).await.unwrap_or_default();
    let named = [original.subject.trim(), words.lines().next().unwrap_or_default(), &blob.name];
    let name = named.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    Ok(Prepared {
        source: source(store, actor).await?,
        finding: finding.id,
        name: name.replace(char::is_control, " ").chars().take(NAME_CHARS_MAX).collect(),
        encoding: match original.encoding.as_str() {
            "" => "utf-8".to_owned(),
            encoding => encoding.to_owned(),
        },
        blob,
        is_reported: !said.about.is_empty(),
    })
}

/// Makes the item.
pub async fn take(
    store: &Store,
    write: &mut Write<'_>,
    prepared: &Prepared,
) -> Result<Id, StoreError> {
    let mut row = Row::new(Table::Asset, store.new_id()?, ITEM, &prepared.name);
    let today: String = store.now().rfc3339().chars().take("2026-11-29".len()).collect();
    let attributes = json!({
        "source": prepared.source,
        "received": today,
        "field": if prepared.is_reported { "human" } else { "technical" },
        // It may name people and customers.
        "tlp": "amber_strict",
        "raw": prepared.blob.sha256,
        "raw_encoding": prepared.encoding,
        "internal_of": prepared.finding,
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    let row = write.put(row).await?;
    write.set_setting(&format!("{MADE}{}", prepared.finding), &row.id.to_string()).await?;
    Ok(row.id)
}

/// The source of what comes from inside, made at its first use. It is not one that has to deliver.
async fn source(store: &Store, actor: &str) -> Result<Id, StoreError> {
    let known = store.setting(INSIDE).await?.and_then(|id| id.parse::<Id>().ok());
    if let Some(id) = known
        && store.row(Table::Asset, id).await?.is_some_and(|row| !row.deleted)
    {
        return Ok(id);
    }
    let mut row = Row::new(Table::Asset, store.new_id()?, SOURCE, "社内の報告と検知");
    let attributes = json!({
        "active": false,
        "format": "hand",
        "interval_min": 1440,
        "tlp_default": "amber_strict",
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    let mut write = store.write(actor, "source of what comes from inside", "").await?;
    let row = write.put(row).await?;
    write.set_setting(INSIDE, &row.id.to_string()).await?;
    write.commit().await?;
    Ok(row.id)
}

/// Writes the answer to whoever reported.
pub async fn answer(
    store: &Store,
    write: &mut Write<'_>,
    finding: &Record,
    words: &str,
) -> Result<Record, StoreError> {
    let now: Timestamp = store.now();
    let waited = (now.0 - finding.received_at.0).max(0) / MINUTE_MICROS;
    let facts = json!({ "of": finding.id, "answer_min": waited });
    write
        .record(RecordDraft {
            ty: ANSWERED.to_owned(),
            subject: Some(finding.id),
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.reports".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: serde_json::to_vec(&json!({ "answer": words })).ok(),
        })
        .await
}

/// A report as whoever made it sees it.
#[derive(Clone, Debug)]
pub struct Own {
    pub at: Timestamp,
    pub text: String,
    /// What was made of it.
    pub verdict: Option<String>,
    pub answer: Option<String>,
}

/// The reports of one person, the newest first.
pub async fn own(store: &Store, actor: &str, limit: usize) -> Result<Vec<Own>, StoreError> {
    let since = store.now().minus_hours(NEWS_HOURS);
    let records = store.records_since(&[FINDING, TRIAGED, ANSWERED], since, RECORDS_MAX).await?;
    let mut mine: Vec<&Record> = records
        .iter()
        .filter(|r| r.ty == FINDING && r.actor == actor && Input::of(r) == Some(Input::Report))
        .collect();
    mine.sort_by_key(|record| std::cmp::Reverse((record.received_at, record.id)));
    mine.truncate(limit);
    let mut all = Vec::new();
    for finding in mine {
        let id = finding.id.to_string();
        let about = |record: &&Record| {
            record.subject == Some(finding.id)
                || record.facts.get("of").and_then(Json::as_str) == Some(id.as_str())
        };
        let newest = |ty: &str| {
            let of = records.iter().filter(|record| record.ty == ty).filter(about);
            of.max_by_key(|record| (record.received_at, record.id))
        };
        let answer = match newest(ANSWERED) {
            Some(record) => store.payload(record.id).await?,
            None => None,
        };
        let answer = answer.and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok());
        let verdict = newest(TRIAGED).and_then(|r| r.facts.get("verdict")?.as_str());
        all.push(Own {
            at: finding.received_at,
            text: Said::of(store, finding).await?.text,
            verdict: verdict.map(str::to_owned),
            answer: answer.and_then(|all| all["answer"].as_str().map(str::to_owned)),
        });
    }
    Ok(all)
}
