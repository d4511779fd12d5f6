//! What single types ask for beside their tables.

use serde_json::{Map, Value};

use super::check::{Checker, Members};
use super::diagnostic::Rule;
use super::format;
use crate::pattern;
use crate::tlp::{self, Edition};

pub(crate) fn special(c: &mut Checker<'_>, name: &str, members: &Members) {
    match name {
        "indicator" => indicator(c, members),
        "malware"
            if members.get("is_family") == Some(&Value::Bool(true))
                && !members.contains_key("name") =>
        {
            c.say(Rule::Missing, "name");
        }
        "email-message" => multipart(c, members),
        "network-traffic"
            if members.get("is_active") == Some(&Value::Bool(true))
                && members.contains_key("end") =>
        {
            c.say(Rule::NotBoth, "is_active, end");
        }
        "marking-definition" => marking(c, members),
        "language-content" => contents(c, members),
        _ => {}
    }
    external_references(c, members);
    kill_chains(c, members);
    markings(c, members);
}

fn text<'a>(members: &'a Members, key: &str) -> Option<&'a str> {
    members.get(key)?.as_str()
}

fn indicator(c: &mut Checker<'_>, members: &Members) {
    if text(members, "pattern_type") != Some("stix") {
        return;
    }
    let Some(source) = text(members, "pattern") else { return };
    if let Err(error) = pattern::parse(source) {
        c.say_at("pattern", Rule::Pattern, error.to_string());
    }
}

fn multipart(c: &mut Checker<'_>, members: &Members) {
    let wrong = match members.get("is_multipart") {
        Some(Value::Bool(true)) => "body",
        Some(Value::Bool(false)) => "body_multipart",
        _ => return,
    };
    if members.contains_key(wrong) {
        let detail = format!("is_multipart and {wrong} do not go together");
        c.say_at(wrong, Rule::Multipart, detail);
    }
}

/// A TLP marking is exactly the one its editors published.
fn marking(c: &mut Checker<'_>, members: &Members) {
    let id = text(members, "id").unwrap_or_default();
    let one = text(members, "definition_type") == Some("tlp");
    let extension = members.get("extensions").and_then(|e| e.get(tlp::TLP_2_0_EXTENSION));
    let claims_two = members
        .get("extensions")
        .and_then(Value::as_object)
        .is_some_and(|extensions| extensions.values().any(|e| e.get("tlp_2_0").is_some()));
    match tlp::read_definition(id) {
        Some((Edition::One, level)) => {
            let published = tlp::definition(Edition::One, level);
            if members.get("definition") != published.get("definition") {
                c.say(
                    Rule::Tlp,
                    format!("{id} is {}, and this says something else", level.as_str()),
                );
            }
        }
        Some((Edition::Two, level)) => {
            let published = tlp::definition(Edition::Two, level);
            if extension != published["extensions"].get(tlp::TLP_2_0_EXTENSION) {
                c.say(
                    Rule::Tlp,
                    format!("{id} is {}, and this says something else", level.as_str()),
                );
            }
        }
        None if one || claims_two => {
            c.say(Rule::Tlp, format!("{id} is none of the published marking definitions"));
        }
        None => {}
    }
    if members.contains_key("definition") != members.contains_key("definition_type") {
        c.say(Rule::Needs, "definition and definition_type need each other");
    }
    if text(members, "definition_type") == Some("statement") {
        let statement = members.get("definition").and_then(|d| d.get("statement"));
        if statement.and_then(Value::as_str).is_none() {
            c.say_at("definition", Rule::Missing, "statement");
        }
    }
}

fn contents(c: &mut Checker<'_>, members: &Members) {
    let Some(contents) = members.get("contents") else { return };
    c.at("contents", |c| {
        let Some(languages) = contents.as_object() else { return c.say(Rule::NotObject, "") };
        if languages.is_empty() {
            c.say(Rule::EmptyMap, "");
        }
        for (language, fields) in languages {
            c.at(language, |c| {
                if !format::is_language(language) {
                    c.say(Rule::Language, format!("{language:?}"));
                }
                match fields.as_object() {
                    None => c.say(Rule::NotObject, ""),
                    Some(fields) if fields.is_empty() => c.say(Rule::EmptyMap, ""),
                    Some(_) => {}
                }
            });
        }
    });
}

/// Translations against the object they are of.
pub(crate) fn translation(c: &mut Checker<'_>, members: &Members, object: &Value) {
    if let (Some(meant), Some(there)) = (text(members, "object_modified"), object.get("modified"))
        && there.as_str() != Some(meant)
    {
        let detail = format!("object_modified is {meant}, the object's modified {there}");
        c.say_at("object_modified", Rule::Translation, detail);
    }
    let languages = members.get("contents").and_then(Value::as_object);
    for (language, fields) in languages.into_iter().flatten() {
        for (field, translated) in fields.as_object().into_iter().flatten() {
            // A field the object does not have is passed over, as the specification says.
            let Some(original) = object.get(field) else { continue };
            if let Some(detail) = unlike(original, translated) {
                c.at("contents", |c| {
                    c.at(language, |c| {
                        c.say_at(field, Rule::Translation, format!("{field}: {detail}"))
                    });
                });
            }
        }
    }
}

fn unlike(original: &Value, translated: &Value) -> Option<&'static str> {
    match (original, translated) {
        (Value::Array(a), Value::Array(b)) if a.len() != b.len() => {
            Some("a list of another length")
        }
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => None,
        (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
            Some("a value of another type")
        }
        _ => None,
    }
}

fn external_references(c: &mut Checker<'_>, members: &Members) {
    let Some(Value::Array(references)) = members.get("external_references") else { return };
    for (at, reference) in references.iter().enumerate() {
        let Some(reference) = reference.as_object() else { continue };
        let id = text(reference, "external_id");
        let wrong = match (text(reference, "source_name"), id) {
            (Some("cve"), Some(id)) if !is_cve(id) => Some(format!("{id:?} is no CVE-YYYY-NNNN")),
            (Some("capec"), Some(id)) if !is_capec(id) => Some(format!("{id:?} is no CAPEC-N")),
            (Some("cve" | "capec"), None) => Some("external_id is missing".to_owned()),
            _ => None,
        };
        if let Some(detail) = wrong {
            c.at("external_references", |c| c.say_at(&at.to_string(), Rule::External, detail));
        }
    }
}

fn is_cve(id: &str) -> bool {
    let digits = |t: &str, least: usize| t.len() >= least && t.bytes().all(|b| b.is_ascii_digit());
    let parts = id.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(year, number)| year.len() == 4 && digits(year, 4) && digits(number, 4))
}

fn is_capec(id: &str) -> bool {
    let number = id.strip_prefix("CAPEC-").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

fn kill_chains(c: &mut Checker<'_>, members: &Members) {
    let Some(Value::Array(phases)) = members.get("kill_chain_phases") else { return };
    for (at, phase) in phases.iter().enumerate() {
        for key in ["kill_chain_name", "phase_name"] {
            let Some(name) = phase.get(key).and_then(Value::as_str) else { continue };
            if name.contains(|c: char| c.is_uppercase() || c == '_' || c.is_whitespace()) {
                c.at("kill_chain_phases", |c| {
                    c.at(&at.to_string(), |c| c.say_at(key, Rule::KillChain, format!("{name:?}")));
                });
            }
        }
    }
}

fn markings(c: &mut Checker<'_>, members: &Members) {
    let own = text(members, "id");
    let is_own = |value: Option<&Value>| own.is_some() && value.and_then(Value::as_str) == own;
    for (at, marking) in members
        .get("object_marking_refs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        if is_own(Some(marking)) {
            c.at("object_marking_refs", |c| c.say_at(&at.to_string(), Rule::OwnMarking, ""));
        }
    }
    let granular = members.get("granular_markings").and_then(Value::as_array);
    for (at, marking) in granular.into_iter().flatten().enumerate() {
        c.at("granular_markings", |c| {
            c.at(&at.to_string(), |c| {
                if is_own(marking.get("marking_ref")) {
                    c.say_at("marking_ref", Rule::OwnMarking, "");
                }
                selectors(c, marking, members);
            });
        });
    }
}

fn selectors(c: &mut Checker<'_>, marking: &Value, members: &Map<String, Value>) {
    let selectors = marking.get("selectors").and_then(Value::as_array);
    for (at, selector) in selectors.into_iter().flatten().enumerate() {
        let Some(selector) = selector.as_str() else { continue };
        if !leads(selector, members) {
            c.at("selectors", |c| {
                c.say_at(&at.to_string(), Rule::Selector, format!("{selector:?}"));
            });
        }
    }
}

/// `key.key.[0].key`
fn leads(selector: &str, members: &Map<String, Value>) -> bool {
    let mut steps = selector.split('.');
    let mut at = steps.next().and_then(|first| members.get(first));
    for step in steps {
        let index = step.strip_prefix('[').and_then(|s| s.strip_suffix(']'));
        at = match (at, index) {
            (Some(Value::Array(items)), Some(index)) => {
                index.parse().ok().and_then(|i: usize| items.get(i))
            }
            (Some(Value::Object(members)), None) => members.get(step),
            _ => None,
        };
    }
    at.is_some()
}
