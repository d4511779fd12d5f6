//! Exceptions in force: what somebody with the right to it admitted, until its day.

use std::collections::BTreeSet;

use model::{Id, Table};
use store::{Row, Store, StoreError};

/// Rows with an approved exception that has not ended.
pub(crate) async fn excepted(store: &Store) -> Result<BTreeSet<Id>, StoreError> {
    let now = store.now();
    let decisions = store.all(Table::Decision, &["exception"]).await?;
    let holds = |row: &&Row| row.status == "approved" && row.ends_at.is_none_or(|end| end > now);
    Ok(decisions.iter().filter(holds).filter_map(|row| row.subject).collect())
}
