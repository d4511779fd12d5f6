//! OSV, from JSON or YAML: `versions` or `ranges` of `events`.

use serde_json::Value;

use super::{Advisory, Affected, EVENTS_MAX, Event, Package, Range, Said, text, texts};
use crate::bom::{Problem, Rule};

pub(super) fn read(value: &Value, at: &str) -> Result<Advisory, Problem> {
    let wrong = |pointer: String, what: &str| Problem::at(pointer, Rule::Schema, what);
    let id = text(value, "id").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| wrong(format!("{at}/id"), "an advisory needs an id"))?;
    if value.get("modified").is_some_and(|m| !m.is_string()) {
        return Err(wrong(format!("{at}/modified"), "a time is a text"));
    }
    let mut affected = Vec::new();
    let list = match value.get("affected") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong(format!("{at}/affected"), "a list belongs here")),
    };
    for (index, one) in list.iter().enumerate() {
        affected.extend(package(one, &format!("{at}/affected/{index}"))?);
    }
    let mut aliases = texts(value, "aliases");
    aliases.extend(texts(value, "upstream"));
    let severities = value.get("severity").and_then(Value::as_array);
    Ok(Advisory {
        id,
        aliases,
        title: text(value, "summary"),
        published: text(value, "published"),
        modified: text(value, "modified"),
        withdrawn: text(value, "withdrawn"),
        informational: value
            .pointer("/affected/0/database_specific/informational")
            .and_then(Value::as_str)
            .map(str::to_owned),
        severities: severities.into_iter().flatten().filter_map(|s| text(s, "score")).collect(),
        affected,
    })
}

fn package(value: &Value, at: &str) -> Result<Option<Affected>, Problem> {
    let wrong = |place: &str, what: &str| Problem::at(format!("{at}{place}"), Rule::Schema, what);
    // Without a package only commits are named, and nobody's inventory lists those.
    let Some(package) = value.get("package") else { return Ok(None) };
    let of = |name: &str| text(package, name).filter(|t| !t.is_empty());
    let (Some(ecosystem), Some(name)) = (of("ecosystem"), of("name")) else {
        return Err(wrong("/package", "a package needs ecosystem and name"));
    };
    let ranges = match value.get("ranges") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(index, one)| range(one, &format!("{at}/ranges/{index}")))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong("/ranges", "a list belongs here")),
    };
    let versions = match value.get("versions") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => texts(value, "versions"),
        Some(_) => return Err(wrong("/versions", "a list of texts belongs here")),
    };
    let package = Package::named(&ecosystem, &name);
    Ok(Some(Affected { package, versions, ranges, said: Said::Affected }))
}

fn range(value: &Value, at: &str) -> Result<Range, Problem> {
    let wrong = |place: String, what: &str| Problem::at(format!("{at}{place}"), Rule::Schema, what);
    match value.get("type").and_then(Value::as_str) {
        Some("GIT") => return Ok(Range::Commits),
        Some("ECOSYSTEM" | "SEMVER") => {}
        _ => return Err(wrong("/type".into(), "one of SEMVER, ECOSYSTEM, GIT belongs here")),
    }
    let Some(list) = value.get("events").and_then(Value::as_array) else {
        return Err(wrong("/events".into(), "a list of events belongs here"));
    };
    if list.len() > EVENTS_MAX {
        return Err(Problem::at(format!("{at}/events"), Rule::Limit, "more than 10,000 events"));
    }
    let mut events = Vec::new();
    for (index, one) in list.iter().enumerate() {
        let members = one.as_object().filter(|o| o.len() == 1);
        let event = members.and_then(|o| o.iter().next()).and_then(|(name, version)| {
            let version = version.as_str()?.to_owned();
            Some(match name.as_str() {
                "introduced" => Event::Introduced(version),
                "fixed" => Event::Fixed(version),
                "last_affected" => Event::LastAffected(version),
                "limit" => Event::Limit(version),
                _ => return None,
            })
        });
        let what = "an event is one of introduced, fixed, last_affected, limit with a version";
        events.push(event.ok_or_else(|| wrong(format!("/events/{index}"), what))?);
    }
    if !events.iter().any(|e| matches!(e, Event::Introduced(_))) {
        return Err(wrong("/events".into(), "no event says where it was introduced"));
    }
    Ok(Range::Events(events))
}
