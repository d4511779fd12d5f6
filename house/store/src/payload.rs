//! Payloads: sealed under a key of their own, which lies in the key files.

use std::collections::{BTreeMap, HashMap};

use model::{Id, Timestamp};

use crate::{
    Record, Store, StoreError, Val, Write,
    keys::{self, Keys, Secret},
    parse_id,
    records::commitment,
};

/// Largest payload; what is larger belongs into a file of its own.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Payloads read at once: they are bulky.
const PAGE: usize = 64;
/// Payloads asked for by id at once: short ones, such as reasons.
const PAYLOADS_BY_ID: usize = 500;

/// Payloads of an open change, sealed already, whose keys are not on disk yet; by cohort.
#[derive(Default)]
pub(crate) struct Sealing(BTreeMap<String, Vec<Waiting>>);

struct Waiting {
    record: Id,
    secret: Secret,
    body: Vec<u8>,
}

/// Every key seals exactly one text, so the nonce may be constant.
const NONCE: [u8; 12] = [0; 12];

fn context(record: Id) -> Vec<u8> {
    format!("ume/payload/v1\n{record}").into_bytes()
}

impl Write<'_> {
    /// Seals a payload; returns the commitment for the leaf.
    pub(crate) fn add_payload(
        &mut self,
        record: Id,
        payload: &[u8],
        expires: Option<Timestamp>,
    ) -> Result<String, StoreError> {
        self.store().keys()?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(StoreError::LargePayload(payload.len(), PAYLOAD_BYTES_MAX));
        }
        let secret = Secret::draw()?;
        let commit = commitment(&secret.salt, payload);
        let body = keys::seal(&secret.key, NONCE, &context(record), payload)?;
        let waiting = Waiting { record, secret, body };
        self.sealing.0.entry(keys::cohort(expires)).or_default().push(waiting);
        Ok(commit)
    }

    /// Writes the keys, then the rows that need them. If the commit fails, keys without a payload
    /// stay behind, which harms nothing; a payload without its key never exists.
    pub(crate) async fn seal(&mut self) -> Result<(), StoreError> {
        for (cohort, waiting) in std::mem::take(&mut self.sealing).0 {
            let entries: Vec<(Id, Secret)> =
                waiting.iter().map(|w| (w.record, w.secret.clone())).collect();
            let (keys, name) = (self.store().keys()?.clone(), cohort);
            let (cohort, first) = blocking(move || keys.append(&name, &entries)).await?;
            for (slot, waiting) in (first..).zip(waiting) {
                let sql =
                    "INSERT INTO payload (record, cohort, slot, body) VALUES ($1, $2, $3, $4)";
                let record = waiting.record.to_string();
                let args = [
                    record.into(),
                    cohort.as_str().into(),
                    (slot as i64).into(),
                    waiting.body.into(),
                ];
                self.tx.execute(sql, &args).await?;
            }
        }
        Ok(())
    }
}

/// Syncing and waiting for a lock must not hold up other work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| StoreError::Column(format!("writing keys ended early: {e}")))?
}

impl Store {
    pub(crate) fn keys(&self) -> Result<&Keys, StoreError> {
        self.keys.as_ref().ok_or(StoreError::NoKeys)
    }

    /// The payload of a record, if it has one that was not shredded.
    pub async fn payload(&self, id: Id) -> Result<Option<Vec<u8>>, StoreError> {
        let text = id.to_string();
        let rows = self.payload_rows(&text, &text).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let opened = self.open_payloads(std::slice::from_ref(row))?;
        match opened.into_iter().next().flatten() {
            Some((_, payload)) => Ok(Some(payload)),
            None => Err(StoreError::Column(format!("payload of record {id} does not open"))),
        }
    }

    /// The payloads of these records, as far as they open.
    pub async fn payloads(&self, ids: &[Id]) -> Result<HashMap<Id, Vec<u8>>, StoreError> {
        let mut out = HashMap::new();
        for page in ids.chunks(PAYLOADS_BY_ID) {
            let places: Vec<String> = (1..=page.len()).map(|i| format!("${i}")).collect();
            let sql = format!(
                "SELECT record, cohort, slot, salt, body FROM payload WHERE record IN ({})",
                places.join(", ")
            );
            let args: Vec<Val> = page.iter().map(|id| id.to_string().into()).collect();
            let rows = self.db().fetch(&sql, &args).await?;
            for (row, opened) in rows.iter().zip(self.open_payloads(&rows)?) {
                if let Some((_, payload)) = opened {
                    out.insert(parse_id(row[0].text()?)?, payload);
                }
            }
        }
        Ok(out)
    }

    /// The records whose payload is stored: of those that commit to one, the others were shredded.
    pub async fn payload_ids(&self) -> Result<Vec<Id>, StoreError> {
        let rows = self.db().fetch("SELECT record FROM payload ORDER BY record", &[]).await?;
        rows.iter().map(|row| parse_id(row[0].text()?)).collect()
    }

    /// Payload and salt of a record, with which anyone can hold them against its leaf.
    pub async fn payload_opening(&self, id: Id) -> Result<PayloadOpening, StoreError> {
        let text = id.to_string();
        let rows = self.payload_rows(&text, &text).await?;
        let Some(row) = rows.first() else { return Ok(PayloadOpening::Gone) };
        let opened = self.open_payloads(std::slice::from_ref(row))?;
        Ok(match opened.into_iter().next().flatten() {
            Some((salt, payload)) => PayloadOpening::Shown { salt: hex::encode(salt), payload },
            None => PayloadOpening::Sealed,
        })
    }

    /// Whether the stored payload still is what the leaf commits to; `None` where it is gone.
    pub async fn payload_matches(&self, record: &Record) -> Result<Option<bool>, StoreError> {
        Ok(self.payloads_match(&[record]).await?.get(&record.id).copied())
    }

    /// [`Store::payload_matches`] for records in id order; who is missing has no payload row.
    pub async fn payloads_match(
        &self,
        records: &[&Record],
    ) -> Result<HashMap<Id, bool>, StoreError> {
        let mut out = HashMap::new();
        for page in records.chunks(PAGE) {
            let (Some(first), Some(last)) = (page.first(), page.last()) else { continue };
            let commits: HashMap<String, Option<&String>> =
                page.iter().map(|r| (r.id.to_string(), r.payload_commit.as_ref())).collect();
            let rows = self.payload_rows(&first.id.to_string(), &last.id.to_string()).await?;
            let opened = self.open_payloads(&rows)?;
            for (row, opened) in rows.iter().zip(opened) {
                let Some(commit) = commits.get(row[0].text()?) else { continue };
                let fits = opened
                    .is_some_and(|(salt, payload)| *commit == Some(&commitment(&salt, &payload)));
                out.insert(parse_id(row[0].text()?)?, fits);
            }
        }
        Ok(out)
    }

    async fn payload_rows(&self, first: &str, last: &str) -> Result<Vec<Vec<Val>>, StoreError> {
        let sql = "SELECT record, cohort, slot, salt, body FROM payload \
                   WHERE record >= $1 AND record <= $2 ORDER BY record";
        self.db().fetch(sql, &[first.into(), last.into()]).await
    }

    /// Salt and payload of each row; `None` where it does not open.
    fn open_payloads(&self, rows: &[Vec<Val>]) -> Result<Vec<Option<Opened>>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut reader = self.keys()?.reader()?;
        rows.iter()
            .map(|row| {
                let body = row[4].bytes()?;
                let Ok(id) = parse_id(row[0].text()?) else { return Ok(None) };
                let Some(cohort) = row[1].opt_text()? else {
                    return Ok(open_clear(row)?.map(|salt| (salt, body.to_vec())));
                };
                if row[3] != Val::Null {
                    return Ok(None);
                }
                let Ok(slot) = u64::try_from(row[2].opt_int()?.unwrap_or(-1)) else {
                    return Ok(None);
                };
                let Some(secret) = reader.read(cohort, slot, id)? else { return Ok(None) };
                let payload = keys::unseal(&secret.key, NONCE, &context(id), body);
                Ok(payload.map(|payload| (secret.salt.to_vec(), payload)))
            })
            .collect()
    }

    /// Seals what an older Ume stored in the clear.
    pub(crate) async fn seal_clear_payloads(&self) -> Result<(), StoreError> {
        loop {
            let sql = "SELECT record, cohort, slot, salt, body FROM payload WHERE cohort IS NULL \
                       ORDER BY record LIMIT 64";
            let rows = self.db().fetch(sql, &[]).await?;
            let mut entries = Vec::new();
            for row in &rows {
                // One that does not read is left to the verifier; it must not stop the start.
                let (Ok(id), Some(salt)) = (parse_id(row[0].text()?), open_clear(row)?) else {
                    continue;
                };
                let Ok(salt) = salt.try_into() else { continue };
                entries.push((id, Secret { salt, ..Secret::draw()? }, row[4].bytes()?));
            }
            if entries.is_empty() {
                return Ok(());
            }
            let cohort = keys::cohort(None);
            let (keys, name) = (self.keys()?.clone(), cohort);
            let secrets: Vec<(Id, Secret)> =
                entries.iter().map(|(id, secret, _)| (*id, secret.clone())).collect();
            let (cohort, first) = blocking(move || keys.append(&name, &secrets)).await?;
            let mut tx = self.db().begin().await?;
            for (slot, (id, secret, body)) in (first..).zip(entries) {
                let sealed = keys::seal(&secret.key, NONCE, &context(id), body)?;
                let sql = "UPDATE payload SET cohort = $1, slot = $2, salt = NULL, body = $3 \
                           WHERE record = $4";
                let slot = (slot as i64).into();
                let args = [cohort.as_str().into(), slot, sealed.into(), id.to_string().into()];
                tx.execute(sql, &args).await?;
            }
            tx.commit().await?;
        }
    }
}

type Opened = (Vec<u8>, Vec<u8>);

/// What is there to hold against the commitment of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadOpening {
    /// The salt in hex.
    Shown { salt: String, payload: Vec<u8> },
    /// Shredded.
    Gone,
    /// Stored, but its key is not here.
    Sealed,
}

/// The salt of a payload in the clear, if the row is as an older Ume wrote it.
fn open_clear(row: &[Val]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(text) = row[3].opt_text()? else { return Ok(None) };
    let salt = hex::decode(text).ok().filter(|salt| hex::encode(salt) == text);
    Ok(salt.filter(|salt| salt.len() == 32 && row[2] == Val::Null))
}
