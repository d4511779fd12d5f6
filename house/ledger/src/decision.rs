//! Acts that cannot be undone need a decision: of the right kind, approved, unexpired, by name.

use model::{Id, Table};
use serde_json::Value as Json;
use store::{Row, Store};

use crate::LedgerError;

/// Kind of the decision that lets payloads and personal fields be shredded.
pub const SHRED: &str = "shred";
/// Kind of the decision that gives up a published end of the log.
pub const FORK: &str = "fork";

/// The decision, if it holds now. It is approved by its own status, or by a confirmation that binds
/// the hash of what it says.
pub(crate) async fn approved(
    store: &Store,
    id: Id,
    kind: &'static str,
) -> Result<Row, LedgerError> {
    let refuse = |why| LedgerError::Decision { id, kind, why };
    let row = store.row(Table::Decision, id).await?.filter(|row| !row.deleted);
    let row = row.ok_or_else(|| refuse("it does not exist"))?;
    if row.kind != kind {
        return Err(refuse("it is of another kind"));
    }
    let now = store.now();
    let holds = |row: &Row| row.status == "approved" && row.ends_at.is_some_and(|end| end > now);
    if holds(&row) {
        return Ok(row);
    }
    let hash = row.content_hash()?;
    let filter = store::Filter {
        kind: Some("confirmation".to_owned()),
        subject: Some(id),
        limit: 200,
        ..store::Filter::default()
    };
    let confirmed = store
        .list(Table::Decision, &filter)
        .await?
        .iter()
        .any(|c| holds(c) && c.subject_hash.as_deref() == Some(&hash));
    if confirmed {
        Ok(row)
    } else {
        Err(refuse("it is not approved, or has expired, or was edited"))
    }
}

/// Refuses a decision that does not give up exactly this published end of the log.
pub async fn approved_fork(store: &Store, id: Id, fork: &crate::Fork) -> Result<(), LedgerError> {
    let row = approved(store, id, FORK).await?;
    if row.attributes.get("published_size").and_then(Json::as_u64) != Some(fork.published) {
        return Err(LedgerError::NotNamed(format!("published_size {}", fork.published)));
    }
    Ok(())
}

/// Texts of a list attribute.
pub(crate) fn texts(row: &Row, name: &str) -> Vec<String> {
    let list = row.attributes.get(name).and_then(Json::as_array);
    list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}
