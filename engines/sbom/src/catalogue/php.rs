//! PHP: `composer.lock`, and `vendor/composer/installed.json`.

use std::collections::HashMap;

use serde_json::Value;

use super::build::Found;
use super::purl;
use crate::Limits;
use crate::bom::{Algorithm, Hash, Licence};

/// Whether a file is one of Composer.
pub(super) fn is_one(path: &str) -> bool {
    path.ends_with("composer.lock") || path.ends_with("composer/installed.json")
}

/// The packages of a file; those for development are marked.
pub(super) fn packages(path: &str, bytes: &[u8]) -> Result<Vec<Found>, String> {
    let value = crate::json::read(bytes, &Limits::DEFAULT).map_err(|error| error.to_string())?;
    let list = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut entries: Vec<(Value, bool)> = Vec::new();
    match value.as_array() {
        // Composer 1.
        Some(all) => entries.extend(all.iter().map(|one| (one.clone(), false))),
        None => {
            entries.extend(list("packages").into_iter().map(|one| (one, false)));
            entries.extend(list("packages-dev").into_iter().map(|one| (one, true)));
        }
    }
    let (mut all, mut index, mut wanted) = (Vec::new(), HashMap::new(), Vec::new());
    for (one, development) in &entries {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let (full, version) = (text("name"), text("version"));
        let Some((vendor, name)) = full.split_once('/') else { continue };
        let made = purl::purl("composer", &[vendor], name, version, &[]);
        let mut found = Found::at(path, made, name, version);
        found.component.group = Some(vendor.to_owned());
        found.component.description =
            Some(text("description").to_owned()).filter(|t| !t.is_empty());
        let licences = one.get("license").and_then(Value::as_array).into_iter().flatten();
        let licences = licences.filter_map(Value::as_str);
        found.component.licences = licences.map(Licence::declared).collect();
        let sum = one.get("dist").and_then(|dist| dist.get("shasum")?.as_str());
        if let Some(sum) = sum.filter(|sum| sum.len() == 40) {
            found.component.hashes.push(Hash { algorithm: Algorithm::Sha1, value: sum.into() });
        }
        if *development {
            found.component.set_property("ume:scope", "development");
        }
        found.needs_known = true;
        index.insert(full.to_owned(), all.len());
        let needs = one.get("require").and_then(Value::as_object);
        wanted
            .push(needs.map(|needs| needs.keys().cloned().collect::<Vec<_>>()).unwrap_or_default());
        all.push(found);
    }
    for (at, names) in wanted.into_iter().enumerate() {
        all[at].needs = names.iter().filter_map(|name| index.get(name).copied()).collect();
    }
    Ok(all)
}
