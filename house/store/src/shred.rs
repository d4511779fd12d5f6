//! Shredding: what a decision names is gone from tables, history, search and key files, and the proof
//! of the rest stands.

use std::collections::{BTreeMap, HashSet};

use model::{Assurance, Id, Table};
use serde_json::{Map, Value as Json, json};

use crate::{
    RecordDraft, Row, Store, StoreError, Val, Write, parse_id,
    payload::blocking,
    personal,
    rows::{COLUMNS, decode, encode, places, table_sql},
};

/// Type of the record that says what was shredded, by which decision.
pub const SHREDDED: &str = "isms.shredded";

/// Attempts to get the write-ahead log emptied while others read.
const SCRUB_TRIES: u32 = 50;

/// What one shredding covers: payloads of records, personal fields of rows.
#[derive(Clone, Debug, Default)]
pub struct Shredding {
    pub records: Vec<Id>,
    pub rows: Vec<(Table, Id)>,
    pub decision: Option<Id>,
}

impl Store {
    /// Whether a version lacks personal fields because they were shredded.
    pub fn is_shredded(row: &Row) -> bool {
        personal::is_shredded(row)
    }

    /// Everything that shredding records name: `record/<id>` and `<table>/<id>`, with the decision
    /// each goes by.
    pub async fn shredded(&self) -> Result<BTreeMap<String, Id>, StoreError> {
        let mut out = BTreeMap::new();
        for facts in self.shredding_facts().await? {
            let Some(decision) = facts.get("decision").and_then(Json::as_str) else { continue };
            let Ok(decision) = parse_id(decision) else { continue };
            let texts = |name: &str| {
                let list = facts.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
                list.into_iter().filter_map(|v| v.as_str().map(str::to_owned))
            };
            out.extend(texts("records").map(|id| (format!("record/{id}"), decision)));
            out.extend(texts("rows").map(|key| (key, decision)));
        }
        Ok(out)
    }

    async fn shredding_facts(&self) -> Result<Vec<Map<String, Json>>, StoreError> {
        let sql = "SELECT facts FROM record WHERE type = $1 ORDER BY id";
        let rows = self.db().fetch(sql, &[SHREDDED.into()]).await?;
        // A damaged one is no permission; the verifier names it as a record of its own.
        Ok(rows.iter().filter_map(|r| serde_json::from_str(r[0].text().ok()?).ok()).collect())
    }

    /// Takes payloads and personal fields out of the tables and says so in the ledger, at once or not
    /// at all. The keys fall right behind the commit; a crash between is made good by the next
    /// opening.
    pub async fn shred(&self, what: &Shredding, actor: &str) -> Result<(), StoreError> {
        let decision =
            what.decision.ok_or(StoreError::Unshreddable("nothing".to_owned(), "no decision"))?;
        let reason = format!("shredding by decision {decision}");
        // The lock comes before the transaction, as for whoever adds or removes a file.
        let files = if self.has_files() { Some(self.hold_blobs().await?) } else { None };
        let mut write = self.write(actor, &reason, "").await?;
        let mut cohorts: BTreeMap<String, Vec<Id>> = BTreeMap::new();
        for id in &what.records {
            if let Some(cohort) = write.take_payload(*id).await? {
                cohorts.entry(cohort).or_default().push(*id);
            }
        }
        for (cohort, records) in cohorts {
            self.note_shredded(&mut write, decision, "records", &cohort, records).await?;
        }
        let mut rows = Vec::new();
        for (table, id) in &what.rows {
            if write.take_personal(*table, *id).await? {
                rows.push(format!("{}/{id}", table.name()));
            }
        }
        if !rows.is_empty() {
            let facts = json!({"rows": rows, "decision": decision});
            write.record(draft(&write, facts)).await?;
        }
        // What is shredded stands in those too, and there is no way back behind a shredding.
        for kept in self.kept_copies()? {
            blocking(move || crate::blobs::wipe(&kept)).await?;
        }
        let gone = write.take_loosened().await?;
        let mut cohorts: BTreeMap<String, Vec<Id>> = BTreeMap::new();
        for sealed in gone.iter().filter_map(|blob| blob.sealed.as_ref()) {
            cohorts.entry(sealed.cohort.clone()).or_default().push(sealed.file);
        }
        for (cohort, files) in cohorts {
            self.note_shredded(&mut write, decision, "files", &cohort, files).await?;
        }
        write.commit().await?;
        self.destroy_keys(false).await?;
        if !gone.is_empty() {
            self.discard(gone, false).await?;
        }
        drop(files);
        self.scrub().await
    }

    /// Says whose keys fall: payloads by their records, files by the names under which they lie, which
    /// tell nothing of their content.
    async fn note_shredded(
        &self,
        write: &mut Write<'_>,
        decision: Id,
        what: &str,
        cohort: &str,
        ids: Vec<Id>,
    ) -> Result<(), StoreError> {
        let epoch = self.keys()?.epoch(cohort)?.unwrap_or(0) as i64;
        let facts = json!({what: ids, "decision": decision, "cohort": cohort, "epoch": epoch});
        let draft = draft(write, facts);
        write.record(draft).await.map(drop)
    }

    /// Destroys the keys of everything that shredding records name. `late`: only where the epoch
    /// shows that a crash came between.
    async fn destroy_keys(&self, late: bool) -> Result<(), StoreError> {
        let mut gone: BTreeMap<String, (u64, HashSet<Id>)> = BTreeMap::new();
        for facts in self.shredding_facts().await? {
            let Some(cohort) = facts.get("cohort").and_then(Json::as_str) else { continue };
            let epoch = facts.get("epoch").and_then(Json::as_u64).unwrap_or(0);
            let ids = ["records", "files"].into_iter().filter_map(|n| facts.get(n)?.as_array());
            let entry = gone.entry(cohort.to_owned()).or_default();
            entry.0 = entry.0.max(epoch);
            entry.1.extend(ids.flatten().filter_map(|id| parse_id(id.as_str()?).ok()));
        }
        for (cohort, (epoch, ids)) in gone {
            let keys = self.keys()?.clone();
            if late && keys.epoch(&cohort)?.is_none_or(|now| now > epoch) {
                continue;
            }
            blocking(move || keys.destroy(&cohort, &ids)).await?;
        }
        Ok(())
    }

    /// Brings the key files in order after a crash: what was being replaced, what was never
    /// acknowledged, what was to be destroyed. Seals what an older Ume left in the clear: payloads,
    /// secret settings, files.
    pub(crate) async fn settle_keys(&self) -> Result<(), StoreError> {
        let keys = self.keys()?.clone();
        let settled = blocking(move || keys.clean().and_then(|()| keys.cut_torn_tails())).await;
        match settled {
            // A damaged key file costs payloads, not the whole house; the verifier names it.
            Err(StoreError::Keys(path, what)) => {
                tracing::error!(path = %path.display(), what, "key file: run `ume ledger verify`");
                return Ok(());
            }
            other => other?,
        }
        self.destroy_keys(true).await?;
        self.seal_clear_payloads().await?;
        self.seal_settings().await?;
        self.seal_clear_files().await
    }

    /// Rewrites the database so that no page, free or in the write-ahead log, holds what is no longer
    /// in the tables.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        self.db().vacuum().await?;
        for _ in 0..SCRUB_TRIES {
            if self.db().empty_wal().await? {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Err(StoreError::Scrub("the write-ahead log could not be emptied"))
    }

    /// Whether the key files cannot be opened because their epoch file is not there.
    pub fn keys_locked(&self) -> Result<bool, StoreError> {
        self.keys.as_ref().map_or(Ok(false), crate::Keys::locked)
    }

    /// Everything in the key files that is not as Ume writes it.
    pub fn key_faults(&self) -> Result<Vec<crate::KeyFault>, StoreError> {
        self.keys.as_ref().map_or(Ok(Vec::new()), crate::Keys::faults)
    }
}

fn draft(write: &Write<'_>, facts: Json) -> RecordDraft {
    RecordDraft {
        ty: SHREDDED.to_owned(),
        subject: None,
        observed_from: write.now(),
        observed_to: write.now(),
        source: "ume".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

impl Write<'_> {
    /// Removes the payload row of a record; gives its cohort, `None` if it was shredded before.
    async fn take_payload(&mut self, id: Id) -> Result<Option<String>, StoreError> {
        let text: Val = id.to_string().into();
        let key = std::slice::from_ref(&text);
        let name = || format!("record {id}");
        let sql = "SELECT payload_commit FROM record WHERE id = $1";
        let record = self.tx.fetch(sql, key).await?;
        let Some(record) = record.first() else {
            return Err(StoreError::Unshreddable(name(), "there is no such record"));
        };
        if record[0] == Val::Null {
            return Err(StoreError::Unshreddable(name(), "it has no payload"));
        }
        let sql = "SELECT cohort FROM payload WHERE record = $1";
        let found = self.tx.fetch(sql, key).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let cohort = row[0]
            .opt_text()?
            .ok_or_else(|| StoreError::Unshreddable(name(), "its payload is not sealed"))?;
        self.tx.execute("DELETE FROM payload WHERE record = $1", key).await?;
        self.refer_anew(Table::Record, id).await?;
        Ok(Some(cohort.to_owned()))
    }

    /// Takes the personal fields out of every version of a row; false if there were none left.
    async fn take_personal(&mut self, table: Table, id: Id) -> Result<bool, StoreError> {
        let old = format!("{}_history", table.name());
        let name = || format!("{} {id}", table.name());
        if table == Table::Record {
            return Err(StoreError::Unshreddable(name(), "name it as a record, not as a row"));
        }
        let mut changed = false;
        let mut current = None;
        for source in [table_sql(table), &old] {
            let sql = format!("SELECT {COLUMNS} FROM {source} WHERE id = $1 ORDER BY version");
            for values in self.tx.fetch(&sql, &[id.to_string().into()]).await? {
                let mut row = decode(table, &values)?;
                let kind = (table.name(), row.kind.clone());
                let pointers = self.store().personal.get(&kind).cloned().unwrap_or_default();
                if personal::shred(&mut row, &pointers)? {
                    changed = true;
                    self.overwrite(source, &row).await?;
                }
                if source != old {
                    current = Some(row);
                }
            }
        }
        let Some(current) = current else {
            return Err(StoreError::Unshreddable(name(), "there is no such row"));
        };
        self.index(&current).await?;
        self.refer_anew(table, id).await?;
        Ok(changed)
    }

    /// Replaces a stored version as it stands: the one change of a version that is no new version.
    async fn overwrite(&mut self, source: &str, row: &Row) -> Result<(), StoreError> {
        let args = encode(row)?;
        let sql = format!(
            "UPDATE {source} SET ({COLUMNS}) = ({}) WHERE id = $1 AND version = $13",
            places(args.len())
        );
        self.tx.execute(&sql, &args).await.map(drop)
    }
}
