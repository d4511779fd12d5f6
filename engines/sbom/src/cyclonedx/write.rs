//! From the model to the JSON form. Fields go first, then what the source said beside them.

use serde_json::{Map, Value, json};

use super::read;
use crate::bom::{
    Acknowledgement, Bom, Component, Composition, Edge, EdgeKind, Licence, LicenceForm, Property,
    Rest,
};

/// The JSON form; what a version does not know is taken out afterwards.
pub(super) fn form(bom: &Bom, minor: u8) -> Value {
    let mut out = Map::new();
    if let Some(schema) = bom.rest.get("$schema") {
        // A schema that the document named for itself stays, unless it is that of another version.
        let official = format!("http://cyclonedx.org/schema/bom-1.{minor}.schema.json");
        let foreign =
            schema.as_str().is_none_or(|one| !one.contains("cyclonedx.org/schema/bom-1."));
        out.insert("$schema".into(), if foreign { schema.clone() } else { official.into() });
    }
    out.insert("bomFormat".into(), "CycloneDX".into());
    out.insert("specVersion".into(), format!("1.{minor}").into());
    put(&mut out, "serialNumber", bom.serial.as_deref());
    if let Some(edition) = bom.edition {
        out.insert("version".into(), edition.into());
    }
    metadata(bom, &mut out);
    list(&mut out, "components", bom.components.iter().map(component));
    rest(&mut out, &bom.rest, "dependencies");
    list(&mut out, "dependencies", edges(&bom.edges));
    list(&mut out, "compositions", bom.compositions.iter().map(composition));
    list(&mut out, "vulnerabilities", bom.vulnerabilities.iter().cloned());
    for name in bom.rest.keys() {
        rest(&mut out, &bom.rest, name);
    }
    Value::Object(out)
}

fn put(out: &mut Rest, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.insert(name.into(), text.into());
    }
}

fn list(out: &mut Rest, name: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if !items.is_empty() {
        out.insert(name.into(), Value::Array(items));
    }
}

/// A member of the source that no field has written.
fn rest(out: &mut Rest, rest: &Rest, name: &str) {
    if let Some(value) = rest.get(name).filter(|_| !out.contains_key(name)) {
        out.insert(name.into(), value.clone());
    }
}

fn metadata(bom: &Bom, out: &mut Rest) {
    let kept = bom.rest.get("metadata").and_then(Value::as_object);
    if kept.is_none() && bom.created.is_none() && bom.subject.is_none() {
        return;
    }
    let mut metadata = Map::new();
    put(&mut metadata, "timestamp", bom.created.as_deref());
    if let Some(kept) = kept {
        metadata.extend(kept.clone());
    }
    if let Some(subject) = &bom.subject {
        metadata.insert("component".into(), component(subject));
    }
    out.insert("metadata".into(), Value::Object(metadata));
}

fn component(one: &Component) -> Value {
    let mut out = Map::new();
    put(&mut out, "type", one.kind.map(|kind| kind.name()));
    rest(&mut out, &one.rest, "type");
    // CycloneDX asks for one; a library is what it says itself to take where nothing is known.
    out.entry("type").or_insert_with(|| "library".into());
    put(&mut out, "bom-ref", one.reference.as_deref());
    supplier(one, &mut out);
    put(&mut out, "group", one.group.as_deref());
    put(&mut out, "name", Some(&one.name));
    put(&mut out, "version", one.version.as_deref());
    put(&mut out, "versionRange", one.version_range.as_deref());
    put(&mut out, "description", one.description.as_deref());
    let hashes = one.hashes.iter().filter_map(|hash| {
        let name = hash.algorithm.to_cyclonedx()?;
        Some(json!({"alg": name, "content": hash.value}))
    });
    list(&mut out, "hashes", hashes);
    list(&mut out, "licenses", one.licences.iter().map(licence));
    put(&mut out, "copyright", one.copyright.as_deref());
    put(&mut out, "cpe", one.cpe.as_deref());
    put(&mut out, "purl", one.purl.as_deref());
    list(&mut out, "properties", one.properties.iter().map(property));
    list(&mut out, "components", one.components.iter().map(component));
    evidence(one, &mut out);
    for name in one.rest.keys() {
        rest(&mut out, &one.rest, name);
    }
    Value::Object(out)
}

fn supplier(one: &Component, out: &mut Rest) {
    let Some(name) = &one.supplier else { return };
    let mut supplier = one.rest.get("supplier").and_then(Value::as_object).cloned();
    supplier.get_or_insert_default().insert("name".into(), name.as_str().into());
    out.insert("supplier".into(), supplier.map_or(Value::Null, Value::Object));
}

/// What the source said of occurrences stands while it says the same places.
fn evidence(one: &Component, out: &mut Rest) {
    if one.locations.is_empty() || read::locations(&one.rest) == one.locations {
        return;
    }
    let mut evidence = one.rest.get("evidence").and_then(Value::as_object).cloned();
    let places = one.locations.iter().map(|place| json!({"location": place})).collect();
    evidence.get_or_insert_default().insert("occurrences".into(), Value::Array(places));
    out.insert("evidence".into(), evidence.map_or(Value::Null, Value::Object));
}

fn property(one: &Property) -> Value {
    let mut out = Map::new();
    put(&mut out, "name", one.name.as_deref());
    put(&mut out, "value", one.value.as_deref());
    Value::Object(out)
}

fn licence(one: &Licence) -> Value {
    let mut out = Map::new();
    let name = match one.form {
        LicenceForm::Id => "id",
        LicenceForm::Name => "name",
        LicenceForm::Expression => "expression",
    };
    put(&mut out, name, Some(&one.text));
    put(
        &mut out,
        "acknowledgement",
        one.acknowledgement.map(|one| match one {
            Acknowledgement::Declared => "declared",
            Acknowledgement::Concluded => "concluded",
        }),
    );
    out.extend(one.rest.clone());
    match one.form {
        LicenceForm::Expression => Value::Object(out),
        LicenceForm::Id | LicenceForm::Name => json!({"license": out}),
    }
}

fn texts(list: &[String]) -> Value {
    list.iter().map(String::as_str).collect()
}

/// Edges of one entry are written into one again. Kinds of other formats are no dependencies.
fn edges(edges: &[Edge]) -> impl Iterator<Item = Value> {
    let mut entries: Vec<Rest> = Vec::new();
    for edge in edges {
        let name = match edge.kind {
            EdgeKind::DependsOn => "dependsOn",
            EdgeKind::Provides => "provides",
            _ => continue,
        };
        let fits = |entry: &&mut Rest| entry.get("ref").and_then(Value::as_str) == Some(&edge.from);
        let entry = match entries.last_mut().filter(|_| edge.joined).filter(fits) {
            Some(entry) => entry,
            None => {
                entries.push(Map::new());
                let Some(entry) = entries.last_mut() else { continue };
                put(entry, "ref", Some(&edge.from));
                entry
            }
        };
        if !edge.to.is_empty() {
            entry.insert(name.into(), texts(&edge.to));
        }
        for name in edge.rest.keys() {
            rest(entry, &edge.rest, name);
        }
    }
    entries.into_iter().map(Value::Object)
}

fn composition(one: &Composition) -> Value {
    let mut out = Map::new();
    put(&mut out, "aggregate", Some(one.aggregate.name()));
    if !one.parts.is_empty() {
        out.insert("assemblies".into(), texts(&one.parts));
    }
    if !one.dependencies.is_empty() {
        out.insert("dependencies".into(), texts(&one.dependencies));
    }
    for name in one.rest.keys() {
        rest(&mut out, &one.rest, name);
    }
    Value::Object(out)
}
