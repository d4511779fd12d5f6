//! What the packages of a host are made of, as their signed archive says.

use std::collections::HashMap;

use baseline::{Facts, PackageManifest};
use model::Id;
use room::Error;
use store::Store;

/// Manifests by `name:architecture`.
pub(super) async fn of(
    _store: &Store,
    _host: Id,
    _facts: &Facts,
) -> Result<HashMap<String, PackageManifest>, Error> {
    Ok(HashMap::new())
}
