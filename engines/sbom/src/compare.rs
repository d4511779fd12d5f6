//! What differs between two bills of materials.

use std::collections::BTreeMap;

use crate::bom::{Bom, Component};
use crate::purl::Purl;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only the second has it.
    Added {
        /// Who it is.
        name: String,
        /// Its version.
        version: String,
    },
    /// Only the first has it.
    Removed {
        /// Who it is.
        name: String,
        /// Its version.
        version: String,
    },
    /// Both have it, in other versions.
    Version {
        /// Who it is.
        name: String,
        /// In the first.
        before: String,
        /// In the second.
        after: String,
    },
    /// The same version with another hash, licence or supplier.
    Content {
        /// Who it is.
        name: String,
        /// Which field.
        field: &'static str,
        /// In the first.
        before: String,
        /// In the second.
        after: String,
    },
}

/// Who a component is, whatever its version: its purl without version, or kind, group and name.
fn identity(one: &Component) -> String {
    if let Some(purl) = one.purl.as_deref().and_then(|purl| Purl::parse_lenient(purl).ok()) {
        return purl.versionless().to_string();
    }
    let kind = one.kind.map_or("", |kind| kind.name());
    match &one.group {
        Some(group) => format!("{kind}:{group}/{}", one.name),
        None => format!("{kind}:{}", one.name),
    }
}

fn gathered(bom: &Bom) -> BTreeMap<String, BTreeMap<String, &Component>> {
    let mut all: BTreeMap<String, BTreeMap<String, &Component>> = BTreeMap::new();
    let subject = bom.subject.as_ref().map(|one| one as *const Component);
    for one in bom.walk().filter(|one| Some(*one as *const Component) != subject) {
        let version = one.version.clone().unwrap_or_default();
        all.entry(identity(one)).or_default().entry(version).or_insert(one);
    }
    all
}

/// What differs, in order of names. Where each side has one version of a thing, it is a change of
/// version; where there are several, those that came and went are told.
pub fn compare(before: &Bom, after: &Bom) -> Vec<Change> {
    let (one, two) = (gathered(before), gathered(after));
    let mut changes = Vec::new();
    let none = BTreeMap::new();
    let names: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    for name in names {
        let (a, b) = (one.get(name).unwrap_or(&none), two.get(name).unwrap_or(&none));
        let gone: Vec<&String> = a.keys().filter(|version| !b.contains_key(*version)).collect();
        let come: Vec<&String> = b.keys().filter(|version| !a.contains_key(*version)).collect();
        if let ([before], [after]) = (gone.as_slice(), come.as_slice()) {
            let (before, after) = ((*before).clone(), (*after).clone());
            changes.push(Change::Version { name: name.clone(), before, after });
        } else {
            let version = |version: &&String| (*version).clone();
            changes.extend(
                gone.iter()
                    .map(|one| Change::Removed { name: name.clone(), version: version(one) }),
            );
            changes.extend(
                come.iter().map(|one| Change::Added { name: name.clone(), version: version(one) }),
            );
        }
        for (version, a) in a {
            if let Some(b) = b.get(version) {
                content(name, a, b, &mut changes);
            }
        }
    }
    changes
}

fn content(name: &str, one: &Component, two: &Component, changes: &mut Vec<Change>) {
    let hashes = |one: &Component| {
        let mut all: Vec<String> =
            one.hashes.iter().map(|hash| hash.value.to_lowercase()).collect();
        all.sort();
        all.join(" ")
    };
    let licences = |one: &Component| {
        let mut all: Vec<String> = one.licences.iter().map(|one| one.text.clone()).collect();
        all.sort();
        all.dedup();
        all.join(", ")
    };
    let supplier = |one: &Component| one.supplier.clone().unwrap_or_default();
    let fields = [
        ("hashes", hashes(one), hashes(two)),
        ("licences", licences(one), licences(two)),
        ("supplier", supplier(one), supplier(two)),
    ];
    for (field, before, after) in fields {
        if before != after {
            changes.push(Change::Content { name: name.to_owned(), field, before, after });
        }
    }
}
