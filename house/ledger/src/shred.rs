//! Shredding by decision.

use std::collections::{BTreeMap, HashSet};

use model::Id;
use store::{Shredding, Store};

use crate::{
    LedgerError,
    decision::{self, SHRED},
};

/// Most records and rows of one shredding: the leaf that names them has a limit.
pub const SHRED_MAX: usize = 1_000;

/// What was shredded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShredReceipt {
    pub records: usize,
    pub rows: usize,
    pub decision: Id,
}

/// Shreds what the decision names; on return nothing of it can be found in database, write-ahead log,
/// search or key files. Safe to repeat after a crash.
pub async fn shred(
    store: &Store,
    what: &Shredding,
    actor: &str,
) -> Result<ShredReceipt, LedgerError> {
    let count = what.records.len() + what.rows.len();
    if count == 0 || count > SHRED_MAX {
        return Err(LedgerError::ShredCount(count));
    }
    let id = what.decision.ok_or(LedgerError::NoDecision)?;
    let decision = decision::approved(store, id, SHRED).await?;
    let (records, rows) =
        (decision::texts(&decision, "records"), decision::texts(&decision, "rows"));
    let named = |list: &[String], key: &str, id: Id| {
        decision.subject == Some(id) || list.iter().any(|named| named == key)
    };
    for id in &what.records {
        if !named(&records, &id.to_string(), *id) {
            return Err(LedgerError::NotNamed(format!("record {id}")));
        }
    }
    for (table, id) in &what.rows {
        let key = format!("{}/{id}", table.name());
        if !named(&rows, &key, *id) {
            return Err(LedgerError::NotNamed(key));
        }
    }
    store.shred(what, actor).await?;
    Ok(ShredReceipt { records: what.records.len(), rows: what.rows.len(), decision: id })
}

/// What the verifier excuses: names of records and rows that a shredding record names, by a decision
/// that exists.
pub(crate) async fn excused(store: &Store) -> Result<HashSet<String>, LedgerError> {
    let mut known: BTreeMap<Id, bool> = BTreeMap::new();
    let mut out = HashSet::new();
    for (key, id) in store.shredded().await? {
        let exists = match known.get(&id) {
            Some(exists) => *exists,
            None => {
                let row = store.row(model::Table::Decision, id).await?;
                let exists = row.is_some_and(|row| row.kind == SHRED);
                known.insert(id, exists);
                exists
            }
        };
        if exists {
            out.insert(key);
        }
    }
    Ok(out)
}
