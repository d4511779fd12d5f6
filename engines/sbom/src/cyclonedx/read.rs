//! From the JSON form to the model. A member is taken out of `rest` only where the field of the model
//! says exactly what it said.

use serde_json::Value;

use crate::bom::{
    Acknowledgement, Aggregate, Algorithm, Bom, Component, Composition, Edge, EdgeKind, Hash, Kind,
    Licence, LicenceForm, Property, Rest, Source,
};

/// A document that passed the rules.
pub(super) fn bom(value: Value, minor: u8) -> Bom {
    let Value::Object(mut rest) = value else { return Bom::default() };
    rest.shift_remove("bomFormat");
    rest.shift_remove("specVersion");
    // Names the schema of the version it was; another version has another.
    let serial = text(&mut rest, "serialNumber");
    let edition = rest.get("version").and_then(Value::as_u64);
    edition.and_then(|_| rest.shift_remove("version"));
    let metadata = rest.get_mut("metadata").and_then(Value::as_object_mut);
    let (created, subject) = metadata.map_or((None, None), |metadata| {
        let created = text(metadata, "timestamp");
        (created, taken(metadata, "component", object).map(component))
    });
    Bom {
        source: Source::CycloneDx(minor),
        serial,
        edition,
        created,
        subject,
        components: components(&mut rest),
        edges: taken(&mut rest, "dependencies", edges).unwrap_or_default(),
        compositions: taken(&mut rest, "compositions", compositions).unwrap_or_default(),
        vulnerabilities: taken(&mut rest, "vulnerabilities", filled).unwrap_or_default(),
        rest,
    }
}

/// Takes a member out if `read` makes something of it; otherwise it stays.
fn taken<T>(
    rest: &mut Rest,
    name: &str,
    read: impl FnOnce(Value) -> Result<T, Value>,
) -> Option<T> {
    let slot = rest.get_mut(name)?;
    match read(std::mem::take(slot)) {
        Ok(made) => {
            rest.shift_remove(name);
            Some(made)
        }
        Err(value) => {
            *slot = value;
            None
        }
    }
}

fn text(rest: &mut Rest, name: &str) -> Option<String> {
    taken(rest, name, |value| match value {
        Value::String(text) => Ok(text),
        value => Err(value),
    })
}

fn object(value: Value) -> Result<Rest, Value> {
    match value {
        Value::Object(members) => Ok(members),
        value => Err(value),
    }
}

fn filled(value: Value) -> Result<Vec<Value>, Value> {
    match value {
        Value::Array(list) if !list.is_empty() => Ok(list),
        value => Err(value),
    }
}

/// A list whose every item can be read, or nothing.
fn all<T>(value: Value, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Value> {
    let list = filled(value)?;
    match list.iter().map(read).collect() {
        Some(made) => Ok(made),
        None => Err(Value::Array(list)),
    }
}

fn components(rest: &mut Rest) -> Vec<Component> {
    let read = |value| {
        let list = filled(value)?;
        if list.iter().all(Value::is_object) { Ok(list) } else { Err(Value::Array(list)) }
    };
    let list = taken(rest, "components", read).unwrap_or_default();
    list.into_iter().filter_map(|one| object(one).ok()).map(component).collect()
}

/// A component; what it is not is in `rest`.
pub(super) fn component(mut rest: Rest) -> Component {
    let kind = rest.get("type").and_then(Value::as_str).and_then(Kind::named);
    kind.and_then(|_| rest.shift_remove("type"));
    let supplier = rest.get("supplier").and_then(|one| one.get("name")?.as_str());
    Component {
        kind,
        supplier: supplier.map(str::to_owned),
        locations: locations(&rest),
        reference: text(&mut rest, "bom-ref"),
        group: text(&mut rest, "group"),
        name: text(&mut rest, "name").unwrap_or_default(),
        version: text(&mut rest, "version"),
        version_range: text(&mut rest, "versionRange"),
        purl: text(&mut rest, "purl"),
        cpe: text(&mut rest, "cpe"),
        copyright: text(&mut rest, "copyright"),
        description: text(&mut rest, "description"),
        hashes: taken(&mut rest, "hashes", |value| all(value, hash)).unwrap_or_default(),
        licences: taken(&mut rest, "licenses", |value| all(value, licence)).unwrap_or_default(),
        properties: taken(&mut rest, "properties", |value| all(value, property))
            .unwrap_or_default(),
        components: components(&mut rest),
        rest,
    }
}

/// Where a component was found: `evidence.occurrences`, which stays as it is.
pub(super) fn locations(rest: &Rest) -> Vec<String> {
    let found = rest.get("evidence").and_then(|one| one.get("occurrences")?.as_array());
    let found = found.into_iter().flatten();
    found.filter_map(|one| one.get("location")?.as_str()).map(str::to_owned).collect()
}

fn hash(value: &Value) -> Option<Hash> {
    let members = value.as_object().filter(|members| members.len() == 2)?;
    let algorithm = Algorithm::cyclonedx(members.get("alg")?.as_str()?);
    Some(Hash { algorithm, value: members.get("content")?.as_str()?.to_owned() })
}

fn property(value: &Value) -> Option<Property> {
    let members = value.as_object()?;
    let text = |name: &str| match members.get(name) {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    let property = Property { name: text("name")?, value: text("value")? };
    let count = usize::from(property.name.is_some()) + usize::from(property.value.is_some());
    (members.len() == count).then_some(property)
}

/// `{license: {id | name, …}}` or `{expression, …}`.
fn licence(value: &Value) -> Option<Licence> {
    let members = value.as_object()?;
    let (mut rest, form, name) = match members.get("license") {
        Some(Value::Object(inner)) if members.len() == 1 => match inner.contains_key("id") {
            true => (inner.clone(), LicenceForm::Id, "id"),
            false => (inner.clone(), LicenceForm::Name, "name"),
        },
        Some(_) => return None,
        None => (members.clone(), LicenceForm::Expression, "expression"),
    };
    let text = text(&mut rest, name)?;
    let acknowledgement = match rest.get("acknowledgement").and_then(Value::as_str) {
        Some("declared") => Some(Acknowledgement::Declared),
        Some("concluded") => Some(Acknowledgement::Concluded),
        _ => None,
    };
    acknowledgement.and_then(|_| rest.shift_remove("acknowledgement"));
    Some(Licence { form, text, acknowledgement, rest })
}

fn texts(rest: &mut Rest, name: &str) -> Option<Vec<String>> {
    taken(rest, name, |value| all(value, |one| one.as_str().map(str::to_owned)))
}

fn edges(value: Value) -> Result<Vec<Edge>, Value> {
    let entries = all(value, |entry| {
        let mut rest = entry.as_object()?.clone();
        let from = text(&mut rest, "ref")?;
        let on = texts(&mut rest, "dependsOn");
        let provides = texts(&mut rest, "provides");
        let kind = EdgeKind::DependsOn;
        let first = Edge { from, kind, to: on.unwrap_or_default(), joined: false, rest };
        let second = provides.map(|to| Edge {
            from: first.from.clone(),
            kind: EdgeKind::Provides,
            to,
            joined: true,
            rest: Rest::new(),
        });
        Some([Some(first), second])
    })?;
    Ok(entries.into_iter().flatten().flatten().collect())
}

fn compositions(value: Value) -> Result<Vec<Composition>, Value> {
    all(value, |entry| {
        let mut rest = entry.as_object()?.clone();
        let aggregate = Aggregate::named(&text(&mut rest, "aggregate")?)?;
        Some(Composition {
            aggregate,
            parts: texts(&mut rest, "assemblies").unwrap_or_default(),
            dependencies: texts(&mut rest, "dependencies").unwrap_or_default(),
            rest,
        })
    })
}
