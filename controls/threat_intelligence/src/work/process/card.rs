//! The awareness card: what threatens persons, and the subjects that phishing mail bears now.
//!
//! Invariants: of an item only subjects and links of its text get onto the card, and only where its marking lets the
//! whole organisation know; its version is the hash of what it says, so a confirmation is of what was read.

use indicators::{
    extract::{self, What},
    tlp::{self, Level},
};
use model::{Table, Timestamp};
use room::{Error, draft};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store, StoreError};
use stream::Encoding;

use crate::work::{
    inbox::{self, ITEM, InboxError},
    ten::{content::Audience, editions::Editions},
};

pub const READ: &str = "threat_intelligence.card_read";
/// Items judged worth acting on within so long are still news.
const NEWS_HOURS: i64 = 90 * 24;
/// Originals that are looked at, and how large each may be.
const ITEMS_MAX: usize = 20;
const ORIGINAL_BYTES_MAX: u64 = 1024 * 1024;
const SUBJECTS_MAX: usize = 20;
const SUBJECT_CHARS_MAX: usize = 100;
const RECORDS_MAX: usize = 50_000;
/// An action for staff is done once so many of the accounts have read it.
pub const READ_PERMILLE: usize = 900;

/// One threat to persons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Danger {
    pub title: (String, String),
    pub about: (String, String),
    /// What to do.
    pub measures: Vec<(String, String)>,
}

/// The card.
#[derive(Clone, Debug, Default)]
pub struct Card {
    pub edition: Option<i64>,
    pub dangers: Vec<Danger>,
    /// Subjects of mail that is going round.
    pub subjects: Vec<String>,
    /// Hash of all of it.
    pub version: String,
}

impl Card {
    pub async fn load(store: &Store) -> Result<Card, InboxError> {
        let editions = Editions::load(store).await?;
        let threats = editions.newest(Audience::Person);
        let dangers: Vec<Danger> = threats
            .iter()
            .map(|threat| Danger {
                title: threat.title.clone(),
                about: threat.about.clone(),
                measures: threat
                    .measures
                    .iter()
                    .filter_map(|id| editions.measures.get(id))
                    .map(|measure| measure.text.clone())
                    .collect(),
            })
            .collect();
        let subjects = subjects(store).await?;
        let mut hash = Sha256::new();
        hash.update(b"ume/card/v1\n");
        let said = json!({
            "dangers": dangers.iter().map(|d| (&d.title, &d.about, &d.measures)).collect::<Vec<_>>(),
            "subjects": subjects,
        });
        hash.update(said.to_string());
        let version = hex::encode(hash.finalize());
        Ok(Card { edition: threats.first().map(|t| t.edition), dangers, subjects, version })
    }
}

/// Whether everybody who works here may know of an item with this marking.
fn may_know(row: &Row) -> bool {
    let word = row.attributes.get("tlp").and_then(Json::as_str).unwrap_or_default();
    let levels = [Level::Clear, Level::Green, Level::Amber, Level::AmberStrict, Level::Red];
    let level = levels.into_iter().find(|level| inbox::tlp_word(*level) == word);
    // What has no marking is not shown.
    level.is_some_and(|level| {
        let exit = tlp::Exit::to(tlp::Audience::Organisation);
        tlp::permits(&exit, &tlp::Marking::level(level)) == tlp::Permit::Allow
    })
}

async fn subjects(store: &Store) -> Result<Vec<String>, InboxError> {
    let since = store.now().minus_hours(NEWS_HOURS);
    let mut items = store.all(Table::Asset, &[ITEM]).await?;
    let verdict =
        |row: &Row| row.attributes.get("verdict").and_then(Json::as_str).map(str::to_owned);
    items.retain(|row| {
        matches!(verdict(row).as_deref(), Some("act" | "brief"))
            && row.created_at >= since
            && may_know(row)
    });
    items.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    let labels = inbox::labels(store).await?;
    let mut all: Vec<String> = Vec::new();
    for row in items.iter().take(ITEMS_MAX) {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
        let Some(blob) = store.blob(text("raw")).await? else { continue };
        if blob.bytes > ORIGINAL_BYTES_MAX {
            continue;
        }
        let told = Encoding::named(text("raw_encoding"));
        // A card without one item is better than no card.
        let Ok(original) = inbox::original(store, &blob, told).await else { continue };
        let notice = extract::extract(&original.whole(), &labels);
        let found = notice.spans.iter().filter(|span| span.what == What::Subject);
        for span in found {
            let subject: String = span.value.chars().take(SUBJECT_CHARS_MAX).collect();
            if !all.contains(&subject) && all.len() < SUBJECTS_MAX {
                all.push(subject);
            }
        }
    }
    Ok(all)
}

/// Writes that somebody read this version.
pub async fn read(store: &Store, actor: &str, version: &str) -> Result<(), StoreError> {
    let facts = json!({ "card": version });
    room::write(store, actor, draft(READ, None, store.now(), facts)).await
}

/// Whether somebody read this version.
pub async fn has_read(store: &Store, actor: &str, version: &str) -> Result<bool, StoreError> {
    let since = store.now().minus_hours(2 * NEWS_HOURS);
    let records = store.records_since(&[READ], since, RECORDS_MAX).await?;
    Ok(records.iter().any(|r| r.actor == actor && r.facts.get("card") == Some(&json!(version))))
}

/// How many of those with an account read a card since a moment, and how many there are.
pub async fn readers(store: &Store, since: Timestamp) -> Result<(usize, usize), Error> {
    let accounts = store.accounts().await?;
    let active: Vec<String> = accounts
        .iter()
        .filter(|account| !account.disabled && account.role != "auditor")
        .map(|account| format!("account:{}", account.login))
        .collect();
    let records = store.records_since(&[READ], since, RECORDS_MAX).await?;
    let read = active.iter().filter(|actor| records.iter().any(|r| r.actor == **actor)).count();
    Ok((read, active.len()))
}
