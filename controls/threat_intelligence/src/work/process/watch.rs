//! Writes down that an item was not judged in time: once, by name, when its limit passes.

use std::collections::BTreeSet;

use model::{Id, Table};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::Row;

use crate::work::{
    inbox::ITEM,
    triage::{TRIAGED, limit_min},
};

const ACTOR: &str = "system:threat_intelligence.triage_watch";
const MINUTE_MICROS: i64 = 60_000_000;
/// Items told of in one run; the next run tells the rest.
const TOLD_MAX: usize = 500;

/// One run.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let now = store.now();
    // What came from inside is reviewed by its finding.
    let waits = |row: &Row| {
        !row.attributes.contains_key("verdict") && !row.attributes.contains_key("internal_of")
    };
    let mut late = Vec::new();
    for row in store.all(Table::Asset, &[ITEM]).await?.into_iter().filter(waits) {
        let is_urgent = row.attributes.get("urgent") == Some(&Json::Bool(true));
        let limit = limit_min(is_urgent, row.created_at);
        let waited = (now.0 - row.created_at.0) / MINUTE_MICROS;
        if waited > limit {
            late.push((row, is_urgent, limit, waited));
        }
    }
    let Some(oldest) = late.iter().map(|(row, ..)| row.created_at).min() else {
        return Ok(json!({ "late": 0, "written": 0 }));
    };
    let ids: Vec<Id> = late.iter().map(|(row, ..)| row.id).collect();
    let told = store.present().records_about(TRIAGED, &ids, oldest).await?;
    let told: BTreeSet<Id> = told.iter().filter_map(|record| record.subject).collect();
    let mut write = store.write(ACTOR, "work", "").await?;
    let mut written = 0;
    for (row, is_urgent, limit, waited) in
        late.iter().filter(|(row, ..)| !told.contains(&row.id)).take(TOLD_MAX)
    {
        let facts = json!({
            "item": row.id,
            "origin": "external",
            "verdict": "overdue",
            "reasons": [],
            "urgent": is_urgent,
            "delay_min": waited,
            "limit_min": limit,
        });
        write.record(draft(TRIAGED, Some(row.id), now, facts)).await?;
        written += 1;
    }
    if written > 0 {
        write.commit().await?;
        ctx.house.wake();
    }
    Ok(json!({ "late": late.len(), "written": written }))
}
