//! The first rows of the Statement of Applicability: from an old statement that was imported, or empty.

use std::collections::HashMap;

use model::{Id, Table};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError};

use super::{fact, text_of};
use crate::norms;

/// Type of the record that an imported row of an old statement is.
const IMPORTED: &str = "isms.soa_imported";

/// A row for each control of Annex A that has none. Nothing is saved yet.
pub async fn first_uses(store: &Store) -> Result<Vec<Row>, StoreError> {
    let known = store.all(Table::Rule, &["control_use"]).await?;
    let known: Vec<&str> = known.iter().filter_map(|r| text_of(r, "control")).collect();
    let norms = store.all(Table::Norm, &["annex_a"]).await?;
    let ids: HashMap<&str, Id> =
        norms.iter().filter_map(|n| Some((text_of(n, "number")?, n.id))).collect();
    let imported = store.latest_per_subject(&[IMPORTED]).await?;
    let imported: HashMap<Id, &Record> =
        imported.iter().filter_map(|r| Some((r.subject?, r))).collect();
    let mut rows = Vec::new();
    for norm in norms::annex_a().iter().filter(|n| !known.contains(&n.number.as_str())) {
        let mut row = Row::new(Table::Rule, store.new_id()?, "control_use", &norm.title_ja);
        row.attributes.insert("control".into(), norm.number.as_str().into());
        row.attributes.insert("applies".into(), "yes".into());
        let answer = ids.get(norm.number.as_str()).and_then(|id| imported.get(id));
        if let Some(answer) = answer {
            take(store, &mut row, answer).await?;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Takes over what the old statement said: whether the control applies, how far it is done, why.
async fn take(store: &Store, row: &mut Row, answer: &Record) -> Result<(), StoreError> {
    let applies = answer.facts.get("applicable").and_then(Json::as_bool).unwrap_or(true);
    let declared = match fact(answer, "status") {
        Some("implemented") => Some("done"),
        Some("partial") => Some("partly"),
        Some("planned") => Some("planned"),
        Some("not_implemented") => Some("not_done"),
        _ => None,
    };
    // The reason may name people: it lies in the payload, and may have been shredded.
    let payload = match answer.payload_commit {
        Some(_) => store.payload(answer.id).await?,
        None => None,
    };
    let reason = payload.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let reason = reason.trim();
    if !reason.is_empty() {
        row.attributes.insert("reason".into(), json!(reason));
    }
    if let Some(declared) = declared {
        row.attributes.insert("declared".into(), declared.into());
    }
    // Without its reason an exclusion would not stand in the register; the claim stays undecided there.
    let applies = applies || reason.is_empty();
    row.attributes.insert("applies".into(), if applies { "yes" } else { "no" }.into());
    Ok(())
}
