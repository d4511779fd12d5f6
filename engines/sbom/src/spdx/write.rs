//! From a model in the words of SPDX 2 to its JSON form.

use serde_json::{Map, Value, json};

use super::read;
use crate::bom::{Acknowledgement, Bom, Component, Edge, EdgeKind, Kind, Rest};

/// The JSON form of 2.3.
pub(super) fn form(bom: &Bom) -> Value {
    let mut out = Map::new();
    out.insert("spdxVersion".into(), "SPDX-2.3".into());
    rest(&mut out, &bom.rest, "dataLicense");
    rest(&mut out, &bom.rest, "SPDXID");
    rest(&mut out, &bom.rest, "name");
    put(&mut out, "documentNamespace", bom.serial.as_deref());
    if let Some(info) = bom.rest.get("creationInfo").and_then(Value::as_object) {
        let mut info = info.clone();
        put(&mut info, "created", bom.created.as_deref());
        out.insert("creationInfo".into(), Value::Object(info));
    }
    let (files, packages): (Vec<&Component>, Vec<&Component>) =
        bom.walk().partition(|one| is_file(one));
    list(&mut out, "packages", packages.into_iter().map(package));
    list(&mut out, "files", files.into_iter().map(file));
    list(&mut out, "relationships", bom.edges.iter().flat_map(edge));
    for name in bom.rest.keys() {
        rest(&mut out, &bom.rest, name);
    }
    Value::Object(out)
}

/// A package has a place it comes from, a file has none.
fn is_file(one: &Component) -> bool {
    one.kind == Some(Kind::File) && !one.rest.contains_key("downloadLocation")
}

fn put(out: &mut Rest, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.insert(name.into(), text.into());
    }
}

fn rest(out: &mut Rest, rest: &Rest, name: &str) {
    if let Some(value) = rest.get(name).filter(|_| !out.contains_key(name)) {
        out.insert(name.into(), value.clone());
    }
}

fn list(out: &mut Rest, name: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if !items.is_empty() {
        out.insert(name.into(), Value::Array(items));
    }
}

fn shared(one: &Component, out: &mut Rest) {
    let checksums = one.hashes.iter().filter_map(|hash| {
        let name = hash.algorithm.to_spdx2()?;
        Some(json!({"algorithm": name, "checksumValue": hash.value}))
    });
    list(out, "checksums", checksums);
    for licence in &one.licences {
        let name = match licence.acknowledgement {
            Some(Acknowledgement::Concluded) => "licenseConcluded",
            _ => "licenseDeclared",
        };
        put(out, name, Some(&licence.text));
    }
    put(out, "copyrightText", one.copyright.as_deref());
}

fn package(one: &Component) -> Value {
    let mut out = Map::new();
    put(&mut out, "SPDXID", one.reference.as_deref());
    put(&mut out, "name", Some(&one.name));
    put(&mut out, "versionInfo", one.version.as_deref());
    put(&mut out, "primaryPackagePurpose", one.kind.and_then(Kind::spdx2));
    shared(one, &mut out);
    put(&mut out, "description", one.description.as_deref());
    external(one, &mut out);
    if let Some(name) = one.supplier.as_deref() {
        let raw = one.rest.get("supplier").and_then(Value::as_str);
        if raw.and_then(read::agent).as_deref() != Some(name) {
            put(&mut out, "supplier", Some(&format!("Organization: {name}")));
        }
    }
    for name in one.rest.keys() {
        rest(&mut out, &one.rest, name);
    }
    Value::Object(out)
}

/// References as they stood, unless purl or CPE are others now.
fn external(one: &Component, out: &mut Rest) {
    let mut refs =
        one.rest.get("externalRefs").and_then(Value::as_array).cloned().unwrap_or_default();
    let before = refs.len();
    let cpe = one.cpe.as_deref().unwrap_or_default();
    let cpe_type = if cpe.starts_with("cpe:2.3:") { "cpe23Type" } else { "cpe22Type" };
    let wanted = [
        (&one.purl, "PACKAGE-MANAGER", "purl", &["purl"][..]),
        (&one.cpe, "SECURITY", cpe_type, &["cpe23Type", "cpe22Type"]),
    ];
    let mut changed = false;
    for (value, category, kind, kinds) in wanted {
        if *value == read::locator(&one.rest, kinds) {
            continue;
        }
        changed = true;
        refs.retain(|one| {
            let kind = one.get("referenceType").and_then(Value::as_str).unwrap_or_default();
            !kinds.contains(&kind)
        });
        if let Some(value) = value {
            refs.push(json!({
                "referenceCategory": category, "referenceType": kind, "referenceLocator": value,
            }));
        }
    }
    if changed && (!refs.is_empty() || before > 0) {
        out.insert("externalRefs".into(), Value::Array(refs));
    }
}

fn file(one: &Component) -> Value {
    let mut out = Map::new();
    put(&mut out, "SPDXID", one.reference.as_deref());
    put(&mut out, "fileName", Some(&one.name));
    shared(one, &mut out);
    // A file has conclusions and what was seen in it, no declaration.
    if let Some(declared) = out.shift_remove("licenseDeclared") {
        out.entry("licenseConcluded").or_insert(declared);
    }
    for name in one.rest.keys() {
        rest(&mut out, &one.rest, name);
    }
    out.entry("checksums").or_insert_with(|| json!([]));
    Value::Object(out)
}

fn edge(edge: &Edge) -> impl Iterator<Item = Value> {
    let kind = match &edge.kind {
        EdgeKind::DependsOn => Some("DEPENDS_ON"),
        EdgeKind::Contains => Some("CONTAINS"),
        EdgeKind::Describes => Some("DESCRIBES"),
        // The nearest word: what is specified is a requirement of what provides it.
        EdgeKind::Provides => Some("SPECIFICATION_FOR"),
        EdgeKind::Other(kind) => Some(kind.as_str()),
    };
    let provides = edge.kind == EdgeKind::Provides;
    edge.to.iter().map(move |to| {
        let mut out = Map::new();
        let (from, to) = if provides { (to, &edge.from) } else { (&edge.from, to) };
        put(&mut out, "spdxElementId", Some(from));
        put(&mut out, "relationshipType", kind);
        put(&mut out, "relatedSpdxElement", Some(to));
        for name in edge.rest.keys() {
            rest(&mut out, &edge.rest, name);
        }
        Value::Object(out)
    })
}
