//! Approved changes and design values, as the engine takes them.

use baseline::{ApprovedChange, Bytes, Class, Value};
use model::Id;
use room::Error;
use store::Store;

/// What was approved for a host.
pub(super) async fn approved(_store: &Store, _host: Id) -> Result<Vec<ApprovedChange>, Error> {
    Ok(Vec::new())
}

/// Values a host is meant to have.
pub(super) async fn design(
    _store: &Store,
    _host: Id,
) -> Result<Vec<(Class, Bytes, Option<Value>)>, Error> {
    Ok(Vec::new())
}
