//! npm: `package.json` of what is installed, and lock files.

use std::collections::HashMap;

use serde_json::Value;

use super::build::Found;
use super::purl;
use crate::Limits;
use crate::bom::{Algorithm, Hash, Licence};

fn json(bytes: &[u8]) -> Result<Value, String> {
    crate::json::read(bytes, &Limits::DEFAULT).map_err(|problem| problem.to_string())
}

fn found(path: &str, name: &str, version: &str) -> Found {
    let (scope, bare) =
        name.split_once('/').filter(|(s, _)| s.starts_with('@')).unwrap_or(("", name));
    let made = purl::purl("npm", &[scope], bare, version, &[]);
    let mut found = Found::at(path, made, bare, version);
    found.component.group = Some(scope.to_owned()).filter(|scope| !scope.is_empty());
    found
}

/// An installed package.
pub(super) fn package(path: &str, bytes: &[u8]) -> Result<Vec<Found>, String> {
    // Only that of the package itself: folders within it have files of that name for other ends.
    let inner = path.rsplit("node_modules/").next().unwrap_or_default();
    let depth = if inner.starts_with('@') { 3 } else { 2 };
    if inner.split('/').count() != depth {
        return Ok(Vec::new());
    }
    let value = json(bytes)?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (Some(name), Some(version)) = (text("name"), text("version")) else {
        return Ok(Vec::new());
    };
    let mut found = found(path, name, version);
    found.component.description = text("description").map(str::to_owned);
    let licence = text("license").or_else(|| value.get("license")?.get("type")?.as_str());
    found.component.licences.extend(licence.map(Licence::declared));
    Ok(vec![found])
}

/// A lock file, of version 1 (`dependencies`), 2 or 3 (`packages`).
pub(super) fn lock(path: &str, bytes: &[u8]) -> Result<Vec<Found>, String> {
    let value = json(bytes)?;
    let mut all = Vec::new();
    if let Some(packages) = value.get("packages").and_then(Value::as_object) {
        let mut index = HashMap::new();
        for (place, one) in packages.iter().filter(|(place, _)| place.contains("node_modules/")) {
            let name = place.rsplit("node_modules/").next().unwrap_or_default();
            let name = one.get("name").and_then(Value::as_str).unwrap_or(name);
            if let Some(made) = locked(path, name, one) {
                index.insert(place.as_str(), all.len());
                all.push(made);
            }
        }
        for (place, one) in packages {
            let Some(at) = index.get(place.as_str()).copied() else { continue };
            let lists = ["dependencies", "optionalDependencies", "peerDependencies"];
            let names = lists.iter().filter_map(|list| one.get(list)?.as_object());
            let names = names.flat_map(|list| list.keys());
            let needs: Vec<usize> = names.filter_map(|name| resolve(&index, place, name)).collect();
            all[at].needs = needs;
            all[at].needs_known = true;
        }
    } else if let Some(dependencies) = value.get("dependencies").and_then(Value::as_object) {
        let mut stack: Vec<_> = dependencies.iter().collect();
        while let Some((name, one)) = stack.pop() {
            all.extend(locked(path, name, one));
            stack.extend(one.get("dependencies").and_then(Value::as_object).into_iter().flatten());
        }
    }
    Ok(all)
}

/// As Node looks a name up: in the folder of the package, then in those above it.
fn resolve(index: &HashMap<&str, usize>, place: &str, name: &str) -> Option<usize> {
    let mut folder = place;
    loop {
        let there = match folder {
            "" => format!("node_modules/{name}"),
            folder => format!("{folder}/node_modules/{name}"),
        };
        if let Some(at) = index.get(there.as_str()) {
            return Some(*at);
        }
        if folder.is_empty() {
            return None;
        }
        folder = folder.rfind("node_modules/").map_or("", |at| folder[..at].trim_end_matches('/'));
    }
}

fn locked(path: &str, name: &str, one: &Value) -> Option<Found> {
    let text = |name: &str| one.get(name).and_then(Value::as_str);
    let version = text("version")?;
    let mut found = found(path, name, version);
    found.component.licences.extend(text("license").map(Licence::declared));
    let sums = text("integrity").unwrap_or_default();
    for sum in sums.split_whitespace() {
        let hash = sum.split_once('-').and_then(|(algorithm, sum)| {
            let algorithm = match algorithm {
                "sha1" => Algorithm::Sha1,
                "sha256" => Algorithm::Sha256,
                "sha384" => Algorithm::Sha384,
                "sha512" => Algorithm::Sha512,
                _ => return None,
            };
            Some(Hash { algorithm, value: super::hex_of_base64(sum)? })
        });
        found.component.hashes.extend(hash);
    }
    Some(found)
}
