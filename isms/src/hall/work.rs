//! What the hall records of itself: the state of gap, risks and statement, an edition when it is
//! drawn, and its approval.
//!
//! Idempotent: a state is written when it changed, and once a day so that its evidence stays fresh.

use std::collections::BTreeMap;

use model::{Assurance, Id, RoomSpec, Status, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError};

use super::{Hall, fact, soa, text_of};
use crate::{Board, signed};

/// Kind of the row that an edition of the statement is.
pub const EDITION_KIND: &str = "statement_of_applicability";
/// Type of the record that holds an edition's content.
pub const SNAPSHOT: &str = "isms.soa_snapshot";

const ACTOR: &str = "system:isms.state";
const GAP: &str = "isms.gap_assessed";
const RISKS: &str = "isms.risk_state";
const COMPARED: &str = "isms.soa_compared";
const MEASURED: &str = "isms.measured_day";
/// Since when the statement differs from the one approved.
const DIFFERS_SINCE: &str = "soa_differs_since";
const STATE_EVERY_HOURS: i64 = 24;
/// Newest records looked through for the state recorded last.
const RECENT: usize = 200;

/// Records the states that changed or are a day old; returns how many records it wrote.
pub async fn record_states(store: &Store, board: &Board) -> Result<u64, StoreError> {
    let hall = &board.view;
    let mut wanted: Vec<(&'static str, Json)> =
        board.controls.iter().map(|c| (GAP, gap_facts(hall, c.spec, c.level.name()))).collect();
    wanted.push((RISKS, risk_facts(hall)));
    wanted.push((COMPARED, compared_facts(store, hall).await?));
    let mut written = 0;
    let mut drafts = Vec::new();
    let recent = store.newest_records(&[GAP, RISKS, COMPARED], None, RECENT).await?;
    for (ty, facts) in wanted {
        if is_due(&recent, ty, &facts, store.now()) {
            drafts.push(draft(ty, facts, store.now(), None));
        }
    }
    drafts.extend(measured(store, board).await?);
    drafts.extend(approval(store, hall).await?);
    if drafts.is_empty() {
        return Ok(0);
    }
    let mut write = store.write(ACTOR, "state of the ISMS", "").await?;
    for draft in drafts {
        write.record(draft).await?;
        written += 1;
    }
    write.commit().await?;
    Ok(written)
}

fn draft(ty: &str, facts: Json, at: Timestamp, payload: Option<Vec<u8>>) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject: None,
        observed_from: at,
        observed_to: at,
        source: "isms.state".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload,
    }
}

/// Whether the state recorded last is another one, or a day old.
fn is_due(recent: &[Record], ty: &str, facts: &Json, now: Timestamp) -> bool {
    let part = |facts: &Map<String, Json>| facts.get("control").or(facts.get("scope")).cloned();
    let mine = facts.as_object().and_then(part);
    let last = recent.iter().find(|r| r.ty == ty && part(&r.facts) == mine);
    last.is_none_or(|r| {
        Some(&r.facts) != facts.as_object() || now.hours_since(r.observed_to) >= STATE_EVERY_HOURS
    })
}

fn gap_facts(hall: &Hall, spec: &RoomSpec, level: &str) -> Json {
    let row = hall.gap.iter().find(|g| g.control == spec.control);
    let (risks, complete) = row.map_or((0, 0), |g| (g.risks, g.risks_complete));
    json!({
        "control": spec.control, "level": level, "risks_linked": risks, "risks_complete": complete,
    })
}

fn risk_facts(hall: &Hall) -> Json {
    let open: Vec<_> = hall.risks.iter().filter(|r| r.open).collect();
    json!({
        "scope": "organisation",
        "open": open.len(),
        "untreated": open.iter().filter(|r| !r.is_treated()).count(),
        "unowned": open.iter().filter(|r| r.owner.is_none()).count(),
        "unsigned": open.iter().filter(|r| !r.acceptance.holds()).count(),
    })
}

async fn compared_facts(store: &Store, hall: &Hall) -> Result<Json, StoreError> {
    let now = store.now();
    let since = match (hall.is_approved(), store.setting(DIFFERS_SINCE).await?) {
        (true, None) => None,
        (true, Some(_)) => {
            store.take_setting(DIFFERS_SINCE).await?;
            None
        }
        (false, Some(since)) => Timestamp::parse(&since).or(Some(now)),
        (false, None) => {
            store.set_setting(DIFFERS_SINCE, &now.rfc3339()).await?;
            Some(now)
        }
    };
    let age_days = since.map_or(0, |since| now.hours_since(since) / 24);
    let (applicable, evidenced) = hall.evidenced();
    Ok(json!({
        "scope": "organisation",
        "explained": hall.comparison.explained,
        "open_differences": hall.comparison.open(),
        "difference_age_days": age_days.max(0),
        "applicable": applicable,
        "evidenced_permille": (evidenced * 1000).checked_div(applicable).unwrap_or(0),
    }))
}

/// The day's measurement, once a day: how many criteria are unknown or stale, and for how many days in
/// a row none was (isms/matsu-2).
async fn measured(store: &Store, board: &Board) -> Result<Option<RecordDraft>, StoreError> {
    let now = store.now();
    let last = store.newest_records(&[MEASURED], None, 1).await?;
    let age = last.first().map(|r| now.hours_since(r.observed_to));
    if age.is_some_and(|hours| hours < STATE_EVERY_HOURS) {
        return Ok(None);
    }
    // The ISMS's own criteria are not among them: this one would wait for itself.
    let verdicts = || board.controls.iter().flat_map(|c| &c.verdicts);
    let count = |status| verdicts().filter(|v| v.status == status).count();
    let (unknown, stale) = (count(Status::Unknown), count(Status::Stale));
    let before = last.first().and_then(|r| r.facts.get("clean_days")).and_then(Json::as_i64);
    // A day without a measurement is no clean day.
    let unbroken = age.is_some_and(|hours| hours < 2 * STATE_EVERY_HOURS);
    let clean_days = match (unknown + stale, unbroken) {
        (0, true) => before.unwrap_or(0) + 1,
        (0, false) => 1,
        _ => 0,
    };
    let facts = json!({
        "scope": "organisation", "criteria": verdicts().count(), "unknown": unknown, "stale": stale,
        "clean_days": clean_days,
    });
    Ok(Some(draft(MEASURED, facts, now, None)))
}

/// The record of an approval that was signed since. What was signed is the row with the hash; content
/// that does not fit it was not signed, and makes no record.
async fn approval(store: &Store, hall: &Hall) -> Result<Option<RecordDraft>, StoreError> {
    let Some(edition) = &hall.edition else { return Ok(None) };
    let decisions = store.rows_about(Table::Decision, &[edition.id]).await?;
    let Some(decision) = signed::approval(&decisions, edition, store.now())? else {
        return Ok(None);
    };
    let id = decision.id.to_string();
    let records = store.newest_records(&[SNAPSHOT], None, RECENT).await?;
    let of_ume = |r: &&Record| r.assurance == Assurance::Machine;
    if records.iter().filter(of_ume).any(|r| fact(r, "decision") == Some(&id)) {
        return Ok(None);
    }
    let snapshot = text_of(edition, "snapshot").and_then(|id| id.parse::<Id>().ok());
    let Some(snapshot) = snapshot else { return Ok(None) };
    let hash = text_of(edition, "soa_hash").unwrap_or_default();
    let payload = store.payload(snapshot).await?.unwrap_or_default();
    let Some(rows) = soa::kept(&payload, hash) else {
        tracing::warn!(edition = %edition.id, "an approved edition names content that is not its own");
        return Ok(None);
    };
    let excluded = rows.iter().filter(|r| r.status == soa::SoaStatus::Excluded).count();
    let mut facts = json!({
        "scope": "organisation",
        "soa_hash": hash,
        "approved": true,
        "rows": rows.len(),
        "applicable": rows.len() - excluded,
        "excluded": excluded,
        "decision": id,
    });
    if let Some(until) = decision.ends_at {
        facts["until"] = until.rfc3339().into();
    }
    Ok(Some(draft(SNAPSHOT, facts, decision.updated_at, Some(payload))))
}

/// Draws an edition of the statement as it stands: a record with the content, and the row that is put
/// before the signer. The row of the last edition gets a new version, so that its history is the list
/// of editions.
pub async fn draw_edition(
    store: &Store,
    write: &mut store::Write<'_>,
    hall: &Hall,
    day: &str,
) -> Result<Row, StoreError> {
    let (content, hash) = soa::content(&hall.soa)?;
    let counts: BTreeMap<soa::SoaStatus, usize> = hall.by_status();
    let excluded = counts.get(&soa::SoaStatus::Excluded).copied().unwrap_or(0);
    let facts = json!({
        "scope": "organisation", "soa_hash": hash, "approved": false, "rows": hall.soa.len(),
        "applicable": hall.soa.len() - excluded, "excluded": excluded,
    });
    let record = write.record(draft(SNAPSHOT, facts, hall.at, Some(content.into_bytes()))).await?;
    let name = format!("適用宣言書 / Statement of Applicability {day}");
    let mut edition = match &hall.edition {
        Some(edition) => edition.clone(),
        None => Row::new(Table::Asset, store.new_id()?, EDITION_KIND, &name),
    };
    edition.name = name;
    edition.attributes = json!({
        "soa_hash": hash, "snapshot": record.id, "drawn_on": day, "rows": hall.soa.len(),
        "applicable": hall.soa.len() - excluded, "excluded": excluded,
    })
    .as_object()
    .cloned()
    .unwrap_or_default();
    write.put(edition).await
}
