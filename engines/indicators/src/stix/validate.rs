//! Documents and objects against the specification.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::{Checker, Members};
use super::diagnostic::{Diagnostic, Rule};
use super::document::Parsed;
use super::format;
use super::id::sco_id;
use super::laws;
use super::model::{Family, MODEL, Shape};

/// Judges a document that was read.
pub fn validate(parsed: &Parsed<'_>) -> Vec<Diagnostic> {
    let mut c = Checker::new();
    c.out.extend(parsed.diagnostics.iter().cloned());
    let old = parsed.bundle.as_ref().is_some_and(|b| b.get("spec_version") == Some(&"2.0".into()));
    if let Some(bundle) = parsed.bundle.as_ref().and_then(Value::as_object) {
        frame(&mut c, bundle);
    }
    if old {
        c.say_at("spec_version", Rule::OldVersion, "2.0");
    }
    let objects: Vec<(&str, &Value)> =
        parsed.objects.iter().map(|o| (o.pointer.as_str(), &o.value)).collect();
    together(&mut c, &objects, old);
    if parsed.bundle.is_some() {
        missing(&mut c, &objects);
    }
    c.out
}

/// Judges objects with the places they are to be told by.
pub fn validate_objects(objects: &[(&str, &Value)]) -> Vec<Diagnostic> {
    let mut c = Checker::new();
    together(&mut c, objects, false);
    c.out
}

fn together(c: &mut Checker<'_>, objects: &[(&str, &Value)], old: bool) {
    for (pointer, value) in objects {
        (*pointer).clone_into(&mut c.place);
        one(c, value, old);
    }
    across(c, objects);
    c.place.clear();
}

fn frame(c: &mut Checker<'_>, bundle: &Members) {
    match bundle.get("id").and_then(Value::as_str) {
        None => c.say(Rule::Missing, "id"),
        Some(id) => match format::identifier(id) {
            Some(("bundle", _)) => {}
            Some(_) => c.say_at("id", Rule::IdType, "bundle"),
            None => c.say_at("id", Rule::Id, format!("{id:?}")),
        },
    }
    let known = ["type", "id", "spec_version"];
    for name in bundle.keys().filter(|name| !known.contains(&name.as_str())) {
        c.say_at(name, Rule::Custom, name.as_str());
    }
}

fn one(c: &mut Checker<'_>, value: &Value, old: bool) {
    let Some(members) = value.as_object() else { return c.say(Rule::NotObject, "") };
    c.no_null(value, 0);
    let Some(name) = members.get("type").and_then(Value::as_str) else {
        return c.say(Rule::Missing, "type");
    };
    if !format::is_type(name) {
        return c.say_at("type", Rule::TypeName, format!("{name:?}"));
    }
    if name == "bundle" {
        return c.say(Rule::Bundle, "a bundle within a bundle");
    }
    identity(c, name, members);
    let version = members.get("spec_version").and_then(Value::as_str);
    match version {
        None | Some("2.1") => {}
        Some("2.0") => c.say_at("spec_version", Rule::OldVersion, "2.0"),
        Some(other) => c.say_at("spec_version", Rule::SpecVersion, format!("{other:?}")),
    }
    if version == Some("2.0") || (old && version.is_none()) {
        return old_object(c, name, members);
    }
    match MODEL.object(name) {
        Some(shape) => known(c, name, shape, members),
        None => unknown(c, name, members),
    }
}

/// Of STIX 2.0 what both editions agree on.
fn old_object(c: &mut Checker<'_>, name: &str, members: &Members) {
    if let Some(shape) = MODEL.part("common-object") {
        let known = shape.properties.iter().filter(|p| p.name != "spec_version");
        for property in known.filter(|p| members.contains_key(p.name)) {
            c.properties(members, std::slice::from_ref(property));
        }
    }
    if name == "observed-data" {
        embedded(c, members);
    }
}

fn known(c: &mut Checker<'_>, name: &str, shape: &Shape, members: &Members) {
    let common = common(shape.family, name);
    c.properties(members, &common.properties);
    c.laws(members, &common.laws);
    c.properties(members, &shape.properties);
    c.laws(members, &shape.laws);
    if shape.family != Family::Sco {
        millis(c, members);
    }
    extensions(c, name, members);
    custom(c, &[common, shape], members);
    laws::special(c, name, members);
    if name == "observed-data" {
        embedded(c, members);
    }
    if shape.family == Family::Sco {
        own_id(c, &Value::Object(members.clone()), members);
    }
}

fn common(family: Family, name: &str) -> &'static Shape {
    let part = match (family, name) {
        (Family::Sco, _) => "common-observable",
        (_, "marking-definition") => "common-marking",
        _ => "common-object",
    };
    MODEL.part(part).expect("a test holds the tables whole")
}

fn unknown(c: &mut Checker<'_>, name: &str, members: &Members) {
    let declared = extension_types(members).any(|kind| kind.starts_with("new-"));
    if !declared {
        c.say_at("type", Rule::UnknownType, name);
    }
    let observable = extension_types(members).any(|kind| kind == "new-sco")
        || !(members.contains_key("created") || members.contains_key("modified"));
    let family = if observable { Family::Sco } else { Family::Sdo };
    let common = common(family, name);
    c.properties(members, &common.properties);
    c.laws(members, &common.laws);
    extensions(c, name, members);
    laws::special(c, name, members);
}

fn identity(c: &mut Checker<'_>, name: &str, members: &Members) {
    let Some(id) = members.get("id").and_then(Value::as_str) else { return };
    let Some((of, uuid)) = format::identifier(id) else {
        return c.say_at("id", Rule::Id, format!("{id:?}"));
    };
    if of != name {
        c.say_at("id", Rule::IdType, name);
    }
    let observable = MODEL.object(name).is_none_or(|shape| shape.family == Family::Sco);
    match uuid.get_version_num() {
        4 => {}
        5 if observable => {}
        // The marks of TLP 1 and markings of vendors are of several versions.
        _ if name == "marking-definition" => {}
        _ => c.say_at("id", Rule::IdVersion, id),
    }
}

/// An id that is not random follows from the content.
fn own_id(c: &mut Checker<'_>, value: &Value, members: &Members) {
    let Some(id) = members.get("id").and_then(Value::as_str) else { return };
    let of_content = format::identifier(id).is_some_and(|(_, uuid)| uuid.get_version_num() != 4);
    match sco_id(value) {
        Some(made) if of_content && made != id => c.say_at("id", Rule::ScoId, made),
        _ => {}
    }
}

fn millis(c: &mut Checker<'_>, members: &Members) {
    for key in ["created", "modified"] {
        let Some(text) = members.get(key).and_then(Value::as_str) else { continue };
        let digits = text.split_once('.').map_or(0, |(_, rest)| rest.len().saturating_sub(1));
        if digits < 3 && super::time::parse(text).is_some() {
            c.say_at(key, Rule::Millis, key);
        }
    }
}

fn extension_types(members: &Members) -> impl Iterator<Item = &str> {
    let extensions = members.get("extensions").and_then(Value::as_object);
    extensions
        .into_iter()
        .flat_map(|extensions| extensions.values())
        .filter_map(|extension| extension.get("extension_type")?.as_str())
}

fn extensions(c: &mut Checker<'_>, name: &str, members: &Members) {
    let Some(extensions) = members.get("extensions") else { return };
    c.at("extensions", |c| {
        let Some(extensions) = extensions.as_object() else { return c.say(Rule::NotObject, "") };
        if extensions.is_empty() {
            c.say(Rule::EmptyMap, "");
        }
        for (key, extension) in extensions {
            c.at(key, |c| match MODEL.extension(name, key) {
                Some(shape) => c.part(extension, shape),
                None => foreign(c, key, extension),
            });
        }
    });
}

fn foreign(c: &mut Checker<'_>, key: &str, extension: &Value) {
    if !extension.is_object() {
        return c.say(Rule::NotObject, "");
    }
    if format::identifier(key).is_some_and(|(of, _)| of == "extension-definition") {
        let kind = extension.get("extension_type").and_then(Value::as_str);
        if !kind.is_some_and(|kind| MODEL.knows_word("extension-type", kind)) {
            c.say(Rule::ExtensionType, kind.unwrap_or("-"));
        }
        return;
    }
    let of_another = MODEL.extension_exists(key);
    c.say(if of_another { Rule::Extension } else { Rule::Custom }, key);
}

/// Properties nobody declared.
fn custom(c: &mut Checker<'_>, shapes: &[&Shape], members: &Members) {
    let declared = extension_types(members).any(|kind| kind == "toplevel-property-extension");
    let unknown = |name: &&String| shapes.iter().all(|shape| shape.property(name).is_none());
    for name in members.keys().filter(unknown) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(3..=250).contains(&name.len()) || !name.bytes().all(plain) {
            c.say_at(name, Rule::PropertyName, format!("{name:?}"));
        } else if !declared {
            c.say_at(name, Rule::Custom, name.as_str());
        }
    }
}

/// The observables within an observed-data of STIX 2.0.
fn embedded(c: &mut Checker<'_>, members: &Members) {
    let Some(objects) = members.get("objects") else { return };
    c.at("objects", |c| {
        let Some(objects) = objects.as_object() else { return c.say(Rule::NotObject, "") };
        if objects.is_empty() {
            c.say(Rule::EmptyMap, "");
        }
        for (key, object) in objects {
            c.at(key, |c| inner(c, object, objects));
        }
    });
}

fn inner(c: &mut Checker<'_>, object: &Value, objects: &Members) {
    let Some(members) = object.as_object() else { return c.say(Rule::NotObject, "") };
    let Some(name) = members.get("type").and_then(Value::as_str) else {
        return c.say(Rule::Missing, "type");
    };
    let Some(shape) = MODEL.object(name) else { return };
    if shape.family != Family::Sco {
        return c.say(Rule::Type, "an observable");
    }
    let mut within = Checker { out: Vec::new(), place: c.place.clone(), embedded: Some(objects) };
    within.properties(members, &shape.properties);
    within.laws(members, &shape.laws);
    let told = std::mem::take(&mut within.out);
    told.into_iter().for_each(|d| c.say_there(d));
}

/// What only shows when objects are seen together.
fn across(c: &mut Checker<'_>, objects: &[(&str, &Value)]) {
    let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut versions: BTreeMap<(&str, Option<&str>), ()> = BTreeMap::new();
    for (pointer, value) in objects {
        let Some(id) = value.get("id").and_then(Value::as_str) else { continue };
        let modified = value.get("modified").and_then(Value::as_str);
        if versions.insert((id, modified), ()).is_some() {
            (*pointer).clone_into(&mut c.place);
            c.say_at("id", Rule::DuplicateId, id);
        }
        known.insert(id, value);
    }
    for (pointer, value) in objects {
        let Some(members) = value.as_object() else { continue };
        (*pointer).clone_into(&mut c.place);
        match members.get("type").and_then(Value::as_str) {
            Some("relationship") => relation(c, members),
            Some("language-content") => {
                let of = members.get("object_ref").and_then(Value::as_str);
                if let Some(object) = of.and_then(|id| known.get(id)) {
                    laws::translation(c, members, object);
                }
            }
            _ => {}
        }
    }
}

fn relation(c: &mut Checker<'_>, members: &Members) {
    let text = |key: &str| members.get(key).and_then(Value::as_str);
    let end = |key: &str| text(key).and_then(format::identifier).map(|(name, _)| name);
    let (Some(from), Some(how), Some(to)) =
        (end("source_ref"), text("relationship_type"), end("target_ref"))
    else {
        return;
    };
    let both_known = MODEL.object(from).is_some() && MODEL.object(to).is_some();
    if both_known && !MODEL.suggests(from, how, to) {
        c.say_at("relationship_type", Rule::Relation, format!("{from} {how} {to}"));
    }
}

/// References out of a bundle: allowed, and whoever gets it cannot follow them.
fn missing(c: &mut Checker<'_>, objects: &[(&str, &Value)]) {
    let mut known: Vec<&str> =
        objects.iter().filter_map(|(_, value)| value.get("id")?.as_str()).collect();
    known.sort_unstable();
    for (pointer, value) in objects {
        for (key, value) in value.as_object().into_iter().flatten() {
            let ids: Vec<&str> = match value {
                Value::String(id) if key.ends_with("_ref") => vec![id],
                Value::Array(ids) if key.ends_with("_refs") => {
                    ids.iter().filter_map(Value::as_str).collect()
                }
                _ => continue,
            };
            for id in ids {
                let published = crate::tlp::read_definition(id).is_some();
                if !published
                    && format::identifier(id).is_some()
                    && known.binary_search(&id).is_err()
                {
                    (*pointer).clone_into(&mut c.place);
                    c.say_at(key, Rule::RefMissing, id);
                }
            }
        }
    }
    c.place.clear();
}
