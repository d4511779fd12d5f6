//! What the hall records of its audits: each finding when it changed, and the state for each of the
//! eleven controls when it changed or is a day old.

use std::collections::BTreeMap;

use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError};

use super::{
    findings::{self, Standing},
    load,
};
use crate::{
    Board,
    hall::{fact, text_of},
};

pub(super) const FOUND: &str = "isms.audit_finding";
const STATE: &str = "isms.audit_state";
const ACTOR: &str = "system:isms.audit";
const STATE_EVERY_HOURS: i64 = 24;
/// Newest states looked through for the one recorded last.
const RECENT: usize = 200;

/// Records what changed; returns how many records that were.
pub async fn record_states(store: &Store, board: &Board) -> Result<u64, StoreError> {
    let now = store.now();
    let rows = store.all(Table::Asset, &["audit_finding"]).await?;
    let mut drafts = changed_findings(store, &rows).await?;
    let recent = store.newest_records(&[STATE], None, RECENT).await?;
    let unaudited = unaudited(store, board).await?;
    for control in &board.controls {
        let facts = state(control.spec.control, board, &rows, unaudited, now);
        if is_due(&recent, &facts, now) {
            drafts.push(draft(STATE, None, facts, now));
        }
    }
    if drafts.is_empty() {
        return Ok(0);
    }
    let count = drafts.len() as u64;
    let mut write = store.write(ACTOR, "state of the audit", "").await?;
    for draft in drafts {
        write.record(draft).await?;
    }
    write.commit().await?;
    Ok(count)
}

fn draft(ty: &str, subject: Option<Id>, facts: Json, at: Timestamp) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject,
        observed_from: at,
        observed_to: at,
        source: "isms.state".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

async fn changed_findings(store: &Store, rows: &[Row]) -> Result<Vec<RecordDraft>, StoreError> {
    let latest = store.latest_per_subject(&[FOUND]).await?;
    let known: BTreeMap<Id, &Record> =
        latest.iter().filter_map(|r| Some((r.subject?, r))).collect();
    let differs = |row: &&Row| {
        let facts = findings::facts(row);
        known.get(&row.id).is_none_or(|r| Some(&r.facts) != facts.as_object())
    };
    let changed = rows.iter().filter(differs);
    Ok(changed.map(|r| draft(FOUND, Some(r.id), findings::facts(r), store.now())).collect())
}

/// Applicable controls that nobody looked at for 36 months.
async fn unaudited(store: &Store, board: &Board) -> Result<usize, StoreError> {
    let history = load::history(store, board.at).await?;
    let open = board.view.soa.iter().filter(|r| r.is_applicable());
    Ok(open.filter(|r| !history.contains_key(&r.control)).count())
}

/// A finding counts for its own control; one about anything beside the eleven counts for all of them,
/// since no other state would tell of it.
fn state(control: &str, board: &Board, rows: &[Row], unaudited: usize, now: Timestamp) -> Json {
    let has_state = |number: &str| board.controls.iter().any(|c| c.spec.control == number);
    let counts = |row: &&Row| {
        let about = text_of(row, "control").unwrap_or("");
        about == control || !has_state(about)
    };
    let of = |standing: Standing| {
        let here = rows.iter().filter(counts);
        here.filter(|row| findings::standing(row, now) == standing).count()
    };
    json!({
        "control": control,
        "applicable_unaudited_36_months": unaudited,
        "findings_unverified": of(Standing::Unverified),
        "findings_overdue": of(Standing::Overdue),
    })
}

fn is_due(recent: &[Record], facts: &Json, now: Timestamp) -> bool {
    let last = recent.iter().find(|r| fact(r, "control") == facts["control"].as_str());
    last.is_none_or(|r| {
        Some(&r.facts) != facts.as_object() || now.hours_since(r.observed_to) >= STATE_EVERY_HOURS
    })
}
