//! What met a criterion, told once: the record of it, and the event of an incident finding for what does not wait.
//!
//! Invariants: the same evidence is one hit of a criterion, whatever its record says later; names and titles lie in
//! the payload; due counts from when evidence and approval were both there.

use std::collections::{BTreeSet, HashMap};

use indicators::tlp::Level;
use model::{Assurance, Id, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Store, StoreError};
use stream::{Format, RawLine, Stream};

use super::{
    super::{inbox::tlp_word, triage::Verdict},
    ACTOR, Horizon, MET, YEAR_HOURS,
    criterion::{Criterion, Severity},
    evidence::{Evidence, level},
    fact,
    met::{self, Met},
};

/// Hits written in one round; the rest follows in the next.
const WRITTEN_MAX: usize = 500;
/// Hits that are looked at.
pub const HITS_MAX: usize = 10_000;
/// Name of the log source of our events.
const SOURCE: &str = "ume";
/// OCSF: Incident Finding, created.
const CLASS: u32 = 2_005;
const TYPE_CREATED: u32 = 200_501;
const CATEGORY_FINDINGS: u32 = 2;
const TITLE_CHARS_MAX: usize = 300;

/// An asset as a hit names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    pub faces_internet: bool,
    pub is_important: bool,
}

/// What a hit says beyond its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    pub title_ja: String,
    pub title_en: String,
    pub criterion: String,
    pub assets: Vec<Named>,
    pub advice: String,
    pub is_urgent: bool,
    #[serde(default)]
    pub verdict: Option<String>,
}

/// A hit with what it says; nothing where its payload was shredded.
#[derive(Clone, Debug)]
pub struct Hit {
    pub record: Record,
    pub detail: Option<Detail>,
}

impl Hit {
    pub fn horizon(&self) -> Option<Horizon> {
        Horizon::named(fact(&self.record, "horizon"))
    }

    pub fn due(&self) -> Option<Timestamp> {
        Timestamp::parse(fact(&self.record, "due"))
    }

    pub fn level(&self) -> Level {
        level(fact(&self.record, "tlp"))
    }

    pub fn verdict(&self) -> Option<Verdict> {
        Verdict::named(self.detail.as_ref()?.verdict.as_deref()?)
    }

    /// Assets that face the Internet or are important.
    pub fn exposed(&self) -> i64 {
        self.record.facts.get("exposed").and_then(Json::as_i64).unwrap_or(0)
    }
}

/// Records of hits since a moment, oldest first.
pub async fn records(store: &Store, since: Timestamp) -> Result<Vec<Record>, StoreError> {
    store.records_since(&[MET], since, HITS_MAX).await
}

/// The same with what they say.
pub async fn with_details(store: &Store, records: Vec<Record>) -> Result<Vec<Hit>, StoreError> {
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let mut said: HashMap<Id, Vec<u8>> = store.payloads(&ids).await?;
    let one = |record: Record| {
        let bytes = said.remove(&record.id);
        Hit { detail: bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()), record }
    };
    Ok(records.into_iter().map(one).collect())
}

/// Writes down what is met and was not told before; gives the new records.
pub async fn tell(
    store: &Store,
    criteria: &[(Criterion, Timestamp)],
    evidence: &Evidence,
) -> Result<Vec<Record>, StoreError> {
    let now = store.now();
    let before = records(store, now.minus_hours(2 * YEAR_HOURS)).await?;
    let mut told: BTreeSet<String> =
        before.iter().map(|record| fact(record, "key").to_owned()).collect();
    let mut drafts = Vec::new();
    for (criterion, approved_at) in criteria {
        for met in met::met(criterion, evidence, now) {
            if told.insert(met.key.clone()) && drafts.len() < WRITTEN_MAX {
                drafts.push(draft(criterion, *approved_at, &met, now));
            }
        }
    }
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let mut write = store.write(ACTOR, "criteria met", "work").await?;
    let mut written = Vec::new();
    for draft in drafts {
        written.push(write.record(draft).await?);
    }
    write.commit().await?;
    Ok(written)
}

fn draft(criterion: &Criterion, approved_at: Timestamp, met: &Met, now: Timestamp) -> RecordDraft {
    let begun = met.at.max(approved_at).min(now);
    let due = match criterion.horizon {
        Horizon::Short => Some(begun.plus_hours(criterion.due_hours).rfc3339()),
        // Due before the review that it waits for.
        Horizon::Long => None,
    };
    let named = |asset: &super::evidence::Exposed| Named {
        name: asset.name.clone(),
        faces_internet: asset.faces_internet,
        is_important: asset.is_important,
    };
    let detail = Detail {
        title_ja: met.title_ja.chars().take(TITLE_CHARS_MAX).collect(),
        title_en: met.title_en.chars().take(TITLE_CHARS_MAX).collect(),
        criterion: criterion.name.clone(),
        assets: met.assets.iter().map(named).collect(),
        advice: met.advice.clone(),
        is_urgent: met.is_urgent,
        verdict: met.verdict.map(|verdict| verdict.as_str().to_owned()),
    };
    let mut facts = json!({
        "criterion": criterion.id,
        "trigger": criterion.trigger.as_str(),
        "horizon": criterion.horizon.as_str(),
        "key": met.key,
        "tlp": tlp_word(met.level),
        "exposed": met.assets.iter().filter(|asset| asset.counts()).count(),
    });
    if let Some(due) = due {
        facts["due"] = json!(due);
    }
    RecordDraft {
        ty: MET.to_owned(),
        subject: met.subject,
        observed_from: met.at.min(now),
        observed_to: now,
        source: "threat_intelligence.executive".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&detail).ok(),
    }
}

/// Puts the events of short-term hits into the stream; the same hit is one event, however often it is sent.
pub fn emit(stream: &Stream, hits: &[Hit], now: Timestamp) -> Result<usize, stream::Error> {
    let mut sent = 0;
    for hit in hits.iter().filter(|hit| hit.horizon() == Some(Horizon::Short)) {
        let line = RawLine::with_format(event(hit).to_string(), Format::Json);
        stream.ingest_once(SOURCE, &format!("hit/{}", hit.record.id), vec![line], now)?;
        sent += 1;
    }
    Ok(sent)
}

fn event(hit: &Hit) -> Json {
    let record = &hit.record;
    // Whoever reads logs was not named by a RED.
    let title = match (&hit.detail, hit.level()) {
        (Some(detail), level) if level < Level::Red => detail.title_en.as_str(),
        _ => "TLP:RED",
    };
    let is_grave = hit.exposed() > 0 || hit.detail.as_ref().is_some_and(|d| d.is_urgent);
    let severity = if is_grave { Severity::Critical } else { Severity::High };
    json!({
        "time": record.observed_to.rfc3339(),
        "app": "ume",
        "class_uid": CLASS,
        "category_uid": CATEGORY_FINDINGS,
        "type_uid": TYPE_CREATED,
        "activity_id": 1,
        "severity_id": if severity == Severity::Critical { 5 } else { 4 },
        "message": format!("reported to executives: {title}"),
        "finding_info": {
            "uid": record.id,
            "title": title,
            "types": [fact(record, "trigger")],
            "created_time": record.observed_to.rfc3339(),
        },
        "metadata": { "product": { "name": "Ume", "feature": { "name": "threat_intelligence" } } },
    })
}
