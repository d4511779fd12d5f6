//! Records: immutable, each one a leaf of the ledger.

use model::{Assurance, Id, RecordSpec, Timestamp, Writer, canonical};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{Store, StoreError, Val, Write, parse_id};

/// A record that is about to be written.
#[derive(Clone, Debug)]
pub struct RecordDraft {
    /// `<room>.<snake_case>`
    pub ty: String,
    pub subject: Option<Id>,
    pub observed_from: Timestamp,
    pub observed_to: Timestamp,
    pub source: String,
    pub assurance: Assurance,
    /// Typed, non-personal JSON on which checks compute; no floats.
    pub facts: Map<String, Json>,
    /// What is personal or bulky; the leaf holds only its salted commitment.
    pub payload: Option<Vec<u8>>,
}

/// A stored record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: Id,
    pub ty: String,
    pub subject: Option<Id>,
    pub actor: String,
    pub observed_from: Timestamp,
    pub observed_to: Timestamp,
    pub received_at: Timestamp,
    pub source: String,
    pub assurance: Assurance,
    pub facts: Map<String, Json>,
    pub payload_commit: Option<String>,
    /// Place in the ledger; `None` while the proof is pending.
    pub leaf_index: Option<u64>,
}

/// A record as the database holds it, readable or not.
#[derive(Debug)]
pub struct StoredRecord {
    pub id: String,
    pub record: Result<Record, StoreError>,
}

/// The ledger leaf of a record: all its fields but the place in the ledger.
pub fn record_leaf(record: &Record) -> Result<String, StoreError> {
    Ok(canonical::to_string(&json!({
        "type": record.ty,
        "id": record.id,
        "subject": record.subject,
        "actor": record.actor,
        "observed_from": record.observed_from,
        "observed_to": record.observed_to,
        "received_at": record.received_at,
        "source": record.source,
        "assurance": record.assurance.name(),
        "facts": record.facts,
        "commit": record.payload_commit,
    }))?)
}

/// `SHA-256("ume/commit/v1\n" ‖ salt ‖ payload)`: says nothing about the payload without the salt.
pub(crate) fn commitment(salt: &[u8], payload: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"ume/commit/v1\n");
    hash.update(salt);
    hash.update(payload);
    hex::encode(hash.finalize())
}

/// Moments that one statement looks up.
const MOMENTS_PER_STATEMENT: usize = 100;

pub(crate) const COLUMNS: &str = "id, type, subject, actor, observed_from, observed_to, received_at, source, \
                       assurance, facts, payload_commit, leaf_index";

impl Write<'_> {
    /// Appends a record; acknowledged, like the rest, at commit.
    pub async fn record(&mut self, draft: RecordDraft) -> Result<Record, StoreError> {
        self.record_until(draft, None).await
    }

    /// Appends a record of a type that someone outside chose: the one gate of API, command line, agents
    /// and entries by hand. What is declared for another writer is refused.
    pub async fn record_by(
        &mut self,
        writer: Writer,
        spec: &RecordSpec,
        draft: RecordDraft,
    ) -> Result<Record, StoreError> {
        if !writer.may_write(spec.writer) {
            return Err(StoreError::NotTheirs(spec.ty));
        }
        self.record(RecordDraft { ty: spec.ty.to_owned(), ..draft }).await
    }

    /// Appends a record whose payload belongs to the cohort of what expires in the same month.
    pub async fn record_until(
        &mut self,
        draft: RecordDraft,
        expires: Option<Timestamp>,
    ) -> Result<Record, StoreError> {
        if let Some(bounds) = &self.bounds {
            let within = (bounds.within)(model::Table::Record, &draft.ty);
            let (table, ends) = (model::Table::Record, [draft.subject, None]);
            if !crate::within::would_be_within(&mut self.tx, &within, table, ends).await? {
                let id = draft.subject.unwrap_or_else(Id::nil);
                return Err(StoreError::OutOfReach { table: "record", id });
            }
        }
        let id = self.store().new_id()?;
        let commit = match draft.payload {
            Some(payload) => Some(self.add_payload(id, &payload, expires)?),
            None => None,
        };
        let record = Record {
            id,
            ty: draft.ty,
            subject: draft.subject,
            actor: self.actor().to_owned(),
            observed_from: draft.observed_from,
            observed_to: draft.observed_to,
            received_at: self.now(),
            source: draft.source,
            assurance: draft.assurance,
            facts: draft.facts,
            payload_commit: commit,
            leaf_index: None,
        };
        let sql = "INSERT INTO record (id, type, subject, actor, observed_from, observed_to, \
                   received_at, source, assurance, facts, payload_commit) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        // Before anything is written: it names the place of what has no canonical form.
        let leaf = record_leaf(&record)?;
        self.tx.execute(sql, &encode(&record)?).await?;
        self.outbox(&format!("record/{}", record.id), &leaf).await?;
        self.tally(&format!("record/{}", record.ty), 1).await?;
        self.refer(model::Table::Record, record.id, &record.facts).await?;
        self.changes.push(crate::Change::Record {
            ty: record.ty.clone(),
            subject: record.subject,
            observed_to: record.observed_to,
        });
        Ok(record)
    }
}

impl Store {
    /// One record.
    pub async fn record(&self, id: Id) -> Result<Option<Record>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM record WHERE id = $1");
        let rows = self.db().fetch(&sql, &[id.to_string().into()]).await?;
        rows.first().map(|r| decode(r)).transpose()
    }

    /// Records of these types observed since `since`, oldest first; at most `limit`.
    pub async fn records_since(
        &self,
        types: &[&str],
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.present().records_since(types, since, limit).await
    }

    /// Newest records, optionally of one type or about one subject; at most `limit`.
    pub async fn newest_records(
        &self,
        types: &[&str],
        subject: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.present().newest_records(types, subject, limit).await
    }

    /// The newest record of a type about each subject (or about the whole organisation).
    pub async fn latest_per_subject(&self, types: &[&str]) -> Result<Vec<Record>, StoreError> {
        self.present().latest_per_subject(types).await
    }

    /// When the first record was received: the beginning of what a trend can show.
    pub async fn first_received(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.db().fetch("SELECT MIN(received_at) FROM record", &[]).await?;
        Ok(rows[0][0].opt_int()?.map(Timestamp))
    }

    /// How many leaves the ledger held at each of these moments, by the newest settled record received
    /// by then; 0 before the first. One statement, one index look-up each.
    pub async fn ledger_sizes(&self, moments: &[Timestamp]) -> Result<Vec<u64>, StoreError> {
        if moments.is_empty() {
            return Ok(Vec::new());
        }
        // A number in front, for the parts come in no certain order.
        let part = |n: usize| {
            format!(
                "SELECT {n} AS n, leaf_index FROM (SELECT leaf_index FROM record \
                 WHERE received_at <= ${} AND leaf_index IS NOT NULL \
                 ORDER BY received_at DESC LIMIT 1) AS t{n}",
                n + 1
            )
        };
        let mut sizes = vec![0; moments.len()];
        for (chunk, first) in
            moments.chunks(MOMENTS_PER_STATEMENT).zip((0..).step_by(MOMENTS_PER_STATEMENT))
        {
            let parts: Vec<String> = (0..chunk.len()).map(part).collect();
            let args: Vec<Val> = chunk.iter().map(|at| at.0.into()).collect();
            let sql = format!("SELECT n, leaf_index FROM ({}) AS sizes", parts.join(" UNION ALL "));
            for row in self.db().fetch(&sql, &args).await? {
                let at = first + usize::try_from(row[0].int()?).unwrap_or_default();
                sizes[at] = row[1].int()?.unsigned_abs() + 1;
            }
        }
        Ok(sizes)
    }

    /// Number of records per type received since `since`.
    pub async fn received_by_type(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        // The empty suffix keeps the planner from counting all records along the index of types.
        let sql = "SELECT type || '', COUNT(*) FROM record WHERE received_at >= $1 \
                   GROUP BY type || '' ORDER BY 1";
        let rows = self.db().fetch(sql, &[since.0.into()]).await?;
        rows.iter().map(|r| Ok((r[0].text()?.to_owned(), r[1].int()?))).collect()
    }

    /// Records in id order behind `after`: for the verifier.
    pub async fn records_after(
        &self,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let after = after.map_or(String::new(), |id| id.to_string());
        let sql = format!("SELECT {COLUMNS} FROM record WHERE id > $1 ORDER BY id LIMIT {limit}");
        let rows = self.db().fetch(&sql, &[after.into()]).await?;
        rows.iter().map(|r| decode(r)).collect()
    }

    /// Records in id order behind `after` as they stand in the database, damaged ones included: for
    /// the verifier.
    pub async fn stored_records(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let (behind, args): (&str, Vec<Val>) =
            after.map_or(("", Vec::new()), |id| ("WHERE id > $1", vec![id.into()]));
        let sql = format!("SELECT {COLUMNS} FROM record {behind} ORDER BY id LIMIT {limit}");
        let rows = self.db().fetch(&sql, &args).await?;
        rows.iter()
            .map(|r| Ok(StoredRecord { id: r[0].text()?.to_owned(), record: decode_exactly(r) }))
            .collect()
    }

    /// Payloads whose record does not exist: ids as they stand in the database.
    pub async fn orphan_payloads(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT record FROM payload p WHERE NOT EXISTS \
                   (SELECT 1 FROM record r WHERE r.id = p.record) ORDER BY record LIMIT 1000";
        let rows = self.db().fetch(sql, &[]).await?;
        rows.iter().map(|r| r[0].text().map(str::to_owned)).collect()
    }

    /// Pending leaves in order: `(sequence, row key, leaf)`.
    pub async fn pending(&self, limit: usize) -> Result<Vec<(i64, String, String)>, StoreError> {
        let sql = format!("SELECT seq, row_key, leaf FROM outbox ORDER BY seq LIMIT {limit}");
        let rows = self.db().fetch(&sql, &[]).await?;
        rows.iter()
            .map(|r| Ok((r[0].int()?, r[1].text()?.to_owned(), r[2].text()?.to_owned())))
            .collect()
    }

    /// Fills in where the leaves now stand and takes them out of the outbox, in one transaction.
    pub async fn settle(&self, settled: &[(i64, String, u64)]) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        for (seq, key, index) in settled {
            let index = *index as i64;
            let sql = "INSERT INTO leaf (row_key, leaf_index) VALUES ($1, $2) \
                       ON CONFLICT (row_key) DO NOTHING";
            tx.execute(sql, &[key.as_str().into(), index.into()]).await?;
            if let Some(id) = key.strip_prefix("record/") {
                let sql = "UPDATE record SET leaf_index = $1 WHERE id = $2";
                tx.execute(sql, &[index.into(), id.into()]).await?;
            }
            tx.execute("DELETE FROM outbox WHERE seq = $1", &[(*seq).into()]).await?;
        }
        tx.commit().await?;
        let end = settled.iter().map(|(_, _, index)| index + 1).max().unwrap_or(0);
        self.settled.send_if_modified(|known| {
            let is_more = end > *known;
            *known = end.max(*known);
            is_more
        });
        Ok(())
    }

    /// Changes whenever leaves have found their place.
    pub fn settled(&self) -> tokio::sync::watch::Receiver<u64> {
        self.settled.subscribe()
    }

    /// How many leaves have a place.
    pub async fn leaves(&self) -> Result<u64, StoreError> {
        let rows = self.db().fetch("SELECT MAX(leaf_index) FROM leaf", &[]).await?;
        Ok(rows[0][0].opt_int()?.map_or(0, |index| index.unsigned_abs() + 1))
    }

    /// Records of a type among the leaves from `from` on, at most `leaves` of these, in the order of the ledger,
    /// and where to go on. Nothing ever comes in before what was read: places are given in one row and once.
    pub async fn records_from_leaf(
        &self,
        ty: &str,
        from: u64,
        leaves: u64,
    ) -> Result<(Vec<Record>, u64), StoreError> {
        let to = from.saturating_add(leaves).min(self.leaves().await?).max(from);
        let columns = crate::view::of("r");
        let sql = format!(
            "SELECT {columns} FROM leaf l JOIN record r ON r.id = substr(l.row_key, 8) \
             WHERE l.leaf_index >= $1 AND l.leaf_index < $2 AND l.row_key LIKE 'record/%' \
             AND r.type = $3 ORDER BY l.leaf_index"
        );
        let args = [place(from)?.into(), place(to)?.into(), ty.into()];
        let rows = self.db().fetch(&sql, &args).await?;
        let records = rows.iter().map(|r| decode(r)).collect::<Result<_, _>>()?;
        Ok((records, to))
    }

    /// Where the leaf with this row key stands.
    pub async fn leaf_index(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT leaf_index FROM leaf WHERE row_key = $1";
        let rows = self.db().fetch(sql, &[key.into()]).await?;
        rows.first().map(|r| r[0].int().map(|n| n as u64)).transpose()
    }
}

fn place(leaf: u64) -> Result<i64, StoreError> {
    i64::try_from(leaf).map_err(|_| StoreError::Column(format!("{leaf} is no leaf")))
}

/// All columns but the place in the ledger.
fn encode(record: &Record) -> Result<Vec<Val>, StoreError> {
    Ok(vec![
        record.id.to_string().into(),
        record.ty.as_str().into(),
        record.subject.map(|s| s.to_string()).into(),
        record.actor.as_str().into(),
        record.observed_from.0.into(),
        record.observed_to.0.into(),
        record.received_at.0.into(),
        record.source.as_str().into(),
        record.assurance.name().into(),
        canonical::to_string(&Json::Object(record.facts.clone()))?.into(),
        record.payload_commit.clone().into(),
    ])
}

/// Decodes only what [`encode`] would write: an edit that means the same is still an edit.
fn decode_exactly(v: &[Val]) -> Result<Record, StoreError> {
    let record = decode(v)?;
    if encode(&record)? != v[..v.len() - 1] {
        return Err(StoreError::Column(format!("record {} is not as Ume writes it", record.id)));
    }
    Ok(record)
}

pub(crate) fn decode(v: &[Val]) -> Result<Record, StoreError> {
    let facts = serde_json::from_str(v[9].text()?)
        .map_err(|e| StoreError::Column(format!("facts of record: {e}")))?;
    let assurance = v[8].text()?;
    Ok(Record {
        id: parse_id(v[0].text()?)?,
        ty: v[1].text()?.to_owned(),
        subject: v[2].opt_text()?.map(parse_id).transpose()?,
        actor: v[3].text()?.to_owned(),
        observed_from: Timestamp(v[4].int()?),
        observed_to: Timestamp(v[5].int()?),
        received_at: Timestamp(v[6].int()?),
        source: v[7].text()?.to_owned(),
        assurance: Assurance::parse(assurance)
            .ok_or_else(|| StoreError::Column(format!("assurance {assurance:?}")))?,
        facts,
        payload_commit: v[10].opt_text()?.map(str::to_owned),
        leaf_index: v[11].opt_int()?.map(|n| n as u64),
    })
}
