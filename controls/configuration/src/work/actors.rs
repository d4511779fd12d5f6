//! Who made a difference, as far as it is known.

use std::collections::HashMap;

use baseline::{Actor, Bytes, Class, Delta};
use model::Id;
use room::Error;
use store::{Record, Store};

/// Actors by class and name of a difference.
pub(super) async fn of(
    _store: &Store,
    _host: Id,
    _snapshot: &Record,
    _deltas: &[Delta],
) -> Result<HashMap<(Class, Bytes), Actor>, Error> {
    Ok(HashMap::new())
}
