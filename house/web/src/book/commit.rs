//! Writes what a plan made: all tables in one transaction, and one record about each.

use model::Assurance;
use serde_json::{Map, Value as Json, json};
use store::{ImportMapping, RecordDraft, StoreError, Write};

use super::{Judged, Mapping, Plan, known::Books};

const RUN: &str = "isms.import_run";

/// Writes everything and commits. The caller has seen that the plan is good, and has bounded the
/// change by what the importer may write.
pub async fn commit(
    mut write: Write<'_>,
    plan: Plan,
    books: &Books,
    choices: &[Mapping],
    keep_files: bool,
) -> Result<(), StoreError> {
    let now = write.now();
    for row in plan.rows {
        write.put(row).await?;
    }
    for mut draft in plan.records {
        (draft.observed_from, draft.observed_to) = (now, now);
        if !keep_files {
            draft.facts.shift_remove("file");
        }
        write.record(draft).await?;
    }
    let mut write = write.unbounded();
    for ((found, mapping), judged) in books.found.iter().zip(choices).zip(&plan.tables) {
        write
            .keep_mapping(&ImportMapping {
                signature: found.signature.clone(),
                header: found.header.clone(),
                mapping: serde_json::to_string(mapping).unwrap_or_default(),
            })
            .await?;
        if mapping.to.is_empty() {
            continue;
        }
        let file = &books.files[found.file];
        let headers: Vec<String> = found.table.columns.iter().map(|c| c.text()).collect();
        // Names of sheets and headers are anyone's words, so they stay out of the leaf.
        let payload =
            json!({"file": file.name, "place": found.place(&books.files), "header": headers});
        write
            .record(RecordDraft {
                ty: RUN.to_owned(),
                subject: None,
                observed_from: now,
                observed_to: now,
                source: "workbook".to_owned(),
                assurance: Assurance::Machine,
                facts: facts(mapping, judged, &file.sha256, keep_files),
                payload: serde_json::to_vec(&payload).ok(),
            })
            .await?;
    }
    write.commit().await
}

fn facts(mapping: &Mapping, judged: &Judged, sha256: &str, keep_file: bool) -> Map<String, Json> {
    let mut facts = Map::new();
    let mut put = |name: &str, value: Json| facts.insert(name.to_owned(), value);
    put("kind", json!(mapping.to));
    put("file_hash", json!(sha256));
    put("rows", json!(judged.lines.len()));
    put("accepted", json!(judged.lines.len() - judged.refused));
    put("refused", json!(judged.refused));
    put("added", json!(judged.added));
    put("changed", json!(judged.changed));
    put("same", json!(judged.same));
    put("warned", json!(judged.warned));
    put("mapping", json!({"columns": mapping.columns, "name": mapping.name}));
    if keep_file {
        put("file", json!(sha256));
    }
    facts
}
