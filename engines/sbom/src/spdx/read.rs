//! From the JSON form of SPDX 2 to the model.

use serde_json::Value;

use crate::bom::{
    Acknowledgement, Algorithm, Bom, Component, Edge, EdgeKind, Hash, Kind, Licence, LicenceForm,
    Rest, Source,
};

/// Words that say that nothing is said.
pub(crate) fn says_nothing(text: &str) -> bool {
    matches!(text, "NOASSERTION" | "NONE" | "")
}

/// A document that passed the rules.
pub(super) fn bom(value: Value) -> Bom {
    let Value::Object(mut rest) = value else { return Bom::default() };
    let minor = if rest.get("spdxVersion") == Some(&"SPDX-2.2".into()) { 2 } else { 3 };
    rest.shift_remove("spdxVersion");
    let serial = text(&mut rest, "documentNamespace");
    let created = rest.get_mut("creationInfo").and_then(Value::as_object_mut);
    let created = created.and_then(|info| text(info, "created"));
    let mut components: Vec<Component> = objects(&mut rest, "packages").map(package).collect();
    components.extend(objects(&mut rest, "files").map(file));
    let edges = objects(&mut rest, "relationships").map(edge).collect();
    let source = Source::Spdx2(minor);
    Bom { source, serial, created, components, edges, rest, ..Bom::default() }
}

fn text(rest: &mut Rest, name: &str) -> Option<String> {
    match rest.get(name) {
        Some(Value::String(_)) => match rest.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The same, but words that say nothing stay where they are.
fn said(rest: &mut Rest, name: &str) -> Option<String> {
    let nothing = rest.get(name).and_then(Value::as_str).is_none_or(says_nothing);
    if nothing { None } else { text(rest, name) }
}

/// Takes a list of objects that is not empty.
fn objects(rest: &mut Rest, name: &str) -> impl Iterator<Item = Rest> + use<> {
    let filled = rest.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let taken = filled.then(|| rest.shift_remove(name)).flatten();
    let list = match taken {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    list.into_iter().filter_map(|one| match one {
        Value::Object(members) => Some(members),
        _ => None,
    })
}

fn hashes(rest: &mut Rest) -> Vec<Hash> {
    objects(rest, "checksums")
        .filter_map(|one| {
            Some(Hash {
                algorithm: Algorithm::spdx2(one.get("algorithm")?.as_str()?),
                value: one.get("checksumValue")?.as_str()?.to_owned(),
            })
        })
        .collect()
}

fn licences(rest: &mut Rest) -> Vec<Licence> {
    let of = [
        ("licenseConcluded", Acknowledgement::Concluded),
        ("licenseDeclared", Acknowledgement::Declared),
    ];
    let mut found = Vec::new();
    for (name, acknowledgement) in of {
        if let Some(text) = said(rest, name) {
            let form = LicenceForm::Expression;
            let acknowledgement = Some(acknowledgement);
            found.push(Licence { form, text, acknowledgement, rest: Rest::new() });
        }
    }
    found
}

/// The locator of an external reference of one of some types; the references stay as they are.
pub(super) fn locator(rest: &Rest, types: &[&str]) -> Option<String> {
    let list = rest.get("externalRefs")?.as_array()?;
    let is = |one: &&Value| {
        one.get("referenceType").and_then(Value::as_str).is_some_and(|one| {
            // In JSON-LD a type may be a whole IRI.
            types.contains(&one.rsplit('/').next().unwrap_or(one))
        })
    };
    Some(list.iter().find(is)?.get("referenceLocator")?.as_str()?.to_owned())
}

/// `Organization: Name (mail)` as a name.
pub(super) fn agent(text: &str) -> Option<String> {
    let (_, name) = text.split_once(':')?;
    let name = name.trim();
    let name = name.split_once(" (").map_or(name, |(name, _)| name);
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

fn package(mut rest: Rest) -> Component {
    let kind = rest.get("primaryPackagePurpose").and_then(Value::as_str).and_then(Kind::of_spdx2);
    kind.and_then(|_| rest.shift_remove("primaryPackagePurpose"));
    Component {
        kind,
        reference: text(&mut rest, "SPDXID"),
        name: text(&mut rest, "name").unwrap_or_default(),
        version: text(&mut rest, "versionInfo"),
        purl: locator(&rest, &["purl"]),
        cpe: locator(&rest, &["cpe23Type", "cpe22Type"]),
        hashes: hashes(&mut rest),
        licences: licences(&mut rest),
        supplier: rest.get("supplier").and_then(Value::as_str).and_then(agent),
        copyright: said(&mut rest, "copyrightText"),
        description: text(&mut rest, "description"),
        rest,
        ..Component::default()
    }
}

fn file(mut rest: Rest) -> Component {
    Component {
        kind: Some(Kind::File),
        reference: text(&mut rest, "SPDXID"),
        name: text(&mut rest, "fileName").unwrap_or_default(),
        hashes: hashes(&mut rest),
        licences: licences(&mut rest),
        copyright: said(&mut rest, "copyrightText"),
        rest,
        ..Component::default()
    }
}

fn edge(mut rest: Rest) -> Edge {
    let kind = text(&mut rest, "relationshipType").unwrap_or_default();
    let kind = match kind.as_str() {
        "DEPENDS_ON" => EdgeKind::DependsOn,
        "CONTAINS" => EdgeKind::Contains,
        "DESCRIBES" => EdgeKind::Describes,
        _ => EdgeKind::Other(kind),
    };
    let from = text(&mut rest, "spdxElementId").unwrap_or_default();
    let to = vec![text(&mut rest, "relatedSpdxElement").unwrap_or_default()];
    Edge { from, kind, to, joined: false, rest }
}
