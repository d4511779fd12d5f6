//! CycloneDX against documents that nobody here wrote.

use sbom::{Limits, cyclonedx};
use serde_json::Value;

use crate::common::{bytes, corpus, files};

#[test]
fn the_corpus_is_accepted_or_refused_as_its_names_say_and_json_comes_back_whole() {
    let Some(folder) = corpus("cyclonedx") else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in files(&folder, "json") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = bytes(&path);
        count += 1;
        match (cyclonedx::from_json(&bytes, &Limits::DEFAULT), name.contains("invalid")) {
            (Ok(_), true) => wrong.push(format!("{name}: accepted")),
            (Err(problems), false) => wrong.push(format!("{name}: {problems:?}")),
            (Err(_), true) => {}
            (Ok(bom), false) => {
                let sbom::bom::Source::CycloneDx(minor) = bom.source else { panic!("{name}") };
                let written = cyclonedx::to_json(&bom, minor).expect("a version that is written");
                let before: Value = serde_json::from_slice(&bytes).expect("JSON");
                let after: Value = serde_json::from_str(&written.text).expect("JSON");
                if before != after || !written.losses.is_empty() {
                    wrong.push(format!("{name}: differs\n{before:#}\n{after:#}"));
                }
            }
        }
    }
    assert!(count > 100, "{count} files only");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// An XML document as a value: attributes in order of their names, white space between elements away.
fn tree(text: &str) -> String {
    let mut out = String::new();
    let mut reader = quick_xml::Reader::from_str(text);
    let mut spaces = vec![std::collections::BTreeMap::<String, String>::new()];
    use quick_xml::events::Event;
    let mut pending = String::new();
    let mut mixed = vec![false];
    let flush = |pending: &mut String, out: &mut String| {
        if !pending.trim().is_empty() {
            out.push_str(&format!("text {:?}\n", pending.trim()));
        }
        pending.clear();
    };
    loop {
        let event = reader.read_event().expect("XML");
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                flush(&mut pending, &mut out);
                let mut known = spaces.last().cloned().unwrap_or_default();
                let mut attributes = Vec::new();
                for one in start.attributes() {
                    let one = one.expect("an attribute");
                    let value =
                        one.normalized_value(quick_xml::XmlVersion::Implicit1_0).expect("value");
                    let name: &str = one.key.as_ref();
                    match name.strip_prefix("xmlns") {
                        Some(prefix) => {
                            drop(known.insert(prefix.trim_start_matches(':').into(), value.into()))
                        }
                        None => attributes.push((name.to_owned(), value.into_owned())),
                    }
                }
                let full = |name: &str, element: bool| match name.split_once(':') {
                    Some((prefix, local)) => {
                        format!("{{{}}}{local}", known.get(prefix).map_or(prefix, |x| x))
                    }
                    None if element => format!("{{{}}}{name}", known.get("").map_or("", |x| x)),
                    None => name.to_owned(),
                };
                let mut attributes: Vec<String> = attributes
                    .iter()
                    .map(|(name, value)| format!("{}={value:?}", full(name, false)))
                    .collect();
                attributes.sort();
                out.push_str(&format!(
                    "start {} {attributes:?}\n",
                    full(start.name().as_ref(), true)
                ));
                if matches!(event, Event::Start(_)) {
                    spaces.push(known);
                    mixed.push(false);
                } else {
                    out.push_str("end\n");
                }
            }
            Event::End(_) => {
                flush(&mut pending, &mut out);
                spaces.pop();
                out.push_str("end\n");
            }
            Event::Text(text) => pending.push_str(text),
            Event::CData(text) => pending.push_str(text),
            Event::GeneralRef(name) => {
                let name: &str = name;
                pending.push_str(match name {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    "apos" => "'",
                    "#13" => "\r",
                    other => panic!("{other}"),
                });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    out
}

fn first_difference(before: &str, after: &str) -> Option<String> {
    let (mut one, mut two) = (before.lines(), after.lines());
    let mut line = 0;
    let mut last = String::new();
    loop {
        line += 1;
        match (one.next(), two.next()) {
            (None, None) => return None,
            (a, b) if a == b => last = a.unwrap_or_default().to_owned(),
            (a, b) => return Some(format!("line {line} after {last}\n  was {a:?}\n  now {b:?}")),
        }
    }
}

#[test]
fn the_corpus_in_xml_is_accepted_or_refused_and_comes_back_whole() {
    let Some(folder) = corpus("cyclonedx") else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in files(&folder, "xml") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = bytes(&path);
        count += 1;
        match (cyclonedx::from_xml(&bytes, &Limits::DEFAULT), name.contains("invalid")) {
            (Ok(_), true) => wrong.push(format!("{name}: accepted")),
            (Err(problems), false) => wrong.push(format!("{name}: {problems:?}")),
            (Err(_), true) => {}
            (Ok(bom), false) => {
                let sbom::bom::Source::CycloneDx(minor) = bom.source else { panic!("{name}") };
                let written = match cyclonedx::to_xml(&bom, minor) {
                    Ok(written) => written,
                    Err(problem) => {
                        wrong.push(format!("{name}: not written: {problem}"));
                        continue;
                    }
                };
                let (before, after) = (tree(&String::from_utf8_lossy(&bytes)), tree(&written.text));
                if let Some(difference) = first_difference(&before, &after) {
                    wrong.push(format!("{name}: {difference}\n  {:?}", written.losses));
                }
            }
        }
    }
    assert!(count > 100, "{count} files only");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What differs, by pointer.
fn differences(before: &Value, after: &Value, at: String, out: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let (a, b) = (a.get(name), b.get(name));
                match (a, b) {
                    (Some(a), Some(b)) => differences(a, b, format!("{at}/{name}"), out),
                    _ => out.push(format!("{at}/{name}: {a:?} {b:?}").chars().take(200).collect()),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, format!("{at}/{index}"), out);
            }
        }
        (Value::String(a), Value::String(b)) => {
            if a.split_whitespace().ne(b.split_whitespace()) {
                out.push(format!("{at}: {a:?} {b:?}").chars().take(200).collect());
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{at}: {a} {b}").chars().take(200).collect()),
    }
}

/// What one of the two languages has no place for: signatures of JSON, lists that are there but empty
/// where XML repeats an element, one identity where XML has several, and who asserts or holds a
/// patent, which XML wraps by its sort.
const ONE_LANGUAGE_ONLY: [&str; 7] = [
    "/signature",
    "/$schema",
    "/signatories",
    "Some(Array []) None",
    "/evidence/identity",
    "/patentAssertions",
    "/patentAssignee",
];

#[test]
fn json_through_xml_is_the_same_json() {
    let Some(folder) = corpus("cyclonedx") else { return };
    let mut wrong = Vec::new();
    for path in files(&folder, "json") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.contains("invalid") {
            continue;
        }
        let bytes = bytes(&path);
        let bom = cyclonedx::from_json(&bytes, &Limits::DEFAULT).expect("accepted");
        let sbom::bom::Source::CycloneDx(minor) = bom.source else { panic!("{name}") };
        let xml = match cyclonedx::to_xml(&bom, minor) {
            Ok(xml) => xml,
            Err(problem) => {
                wrong.push(format!("{name}: {problem}"));
                continue;
            }
        };
        let bom = match cyclonedx::from_xml(xml.text.as_bytes(), &Limits::DEFAULT) {
            Ok(bom) => bom,
            Err(problems) => {
                wrong.push(format!("{name}: {problems:?}"));
                continue;
            }
        };
        let made = cyclonedx::to_json(&bom, minor).expect("written");
        let made: Value = serde_json::from_str(&made.text).expect("JSON");
        let other: Value = serde_json::from_slice(&bytes).expect("JSON");
        let mut out = Vec::new();
        differences(&other, &made, String::new(), &mut out);
        out.retain(|one| !ONE_LANGUAGE_ONLY.iter().any(|known| one.contains(known)));
        // What was told is no silent loss.
        let told: Vec<String> = xml.losses.iter().map(|loss| loss.place.to_string()).collect();
        out.retain(|one| !told.iter().any(|place| one.starts_with(place.as_str())));
        if !out.is_empty() {
            wrong.push(format!("{name}\n    {}\n   told {told:?}", out.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
