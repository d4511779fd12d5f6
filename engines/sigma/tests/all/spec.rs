//! The specification's own examples load, and its schemas judge documents as we do.

#![allow(clippy::disallowed_methods)]

use std::fs;

use serde_json::{Value, json};
use sigma::{Env, Limits, Rejected, Source, load};

use crate::common::{corpus, files};

fn judged(text: &str) -> Vec<Rejected> {
    load(&[Source { file: "x.yml", bytes: text.as_bytes() }], &Env::default(), &Limits::default()).1
}

/// Documents that stand alone refer to rules that are not here.
fn unsound(text: &str) -> Option<Rejected> {
    judged(text).into_iter().find(|r| r.reason.code() != "reference")
}

#[test]
fn every_example_of_the_schema_tests_loads() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let examples = files(&folder.join("spec/tests"), ".yml");
    assert!(examples.len() >= 12);
    for example in examples {
        let text = fs::read_to_string(&example).unwrap();
        assert_eq!(unsound(&text), None, "{}", example.display());
    }
}

#[test]
fn every_whole_document_in_the_texts_loads() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let (mut seen, mut partial) = (0, 0);
    for path in files(&folder.join("spec/specification"), ".md") {
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("```y").skip(1) {
            let block = block[block.find('\n').unwrap()..].split("```").next().unwrap();
            let whole = block.contains("title:")
                && (block.contains("detection:")
                    || block.contains("correlation:")
                    || block.contains("filter:"));
            // The outline of a file, and an example with dashes for title and id, are no documents.
            if !whole || block.contains("[optional]") {
                partial += 1;
                continue;
            }
            let refused = unsound(block);
            // "correlation: rules" alone shows references, without type and timespan.
            let fragment = refused
                .as_ref()
                .is_some_and(|r| r.reason.code() == "missing" && !block.contains("type:"));
            // The first value_sum and value_percentile examples name fields; all others are whole.
            assert!(refused.is_none() || fragment, "{}: {refused:?}\n{block}", path.display());
            seen += usize::from(refused.is_none());
        }
    }
    println!("{seen} whole documents, {partial} fragments");
    assert!(seen >= 8, "{seen}");
}

#[test]
fn the_long_example_makes_a_chain() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let text = fs::read_to_string(
        folder.join("spec/specification/sigma-correlation-rules-specification.md"),
    )
    .unwrap();
    let at = text.find("title: Correlation - Multiple Failed Logins").unwrap();
    let block = text[at..].split("```").next().unwrap();
    let (set, rejected) = load(
        &[Source { file: "x.yml", bytes: block.as_bytes() }],
        &Env::default(),
        &Limits::default(),
    );
    assert_eq!(rejected, []);
    assert_eq!((set.rules().len(), set.correlations().len()), (2, 2));
    assert!(set.rules().iter().all(|r| !r.standalone));
    let standalone: Vec<bool> = set.correlations().iter().map(|c| c.standalone).collect();
    assert_eq!(standalone, [false, true]);
}

/// As much of JSON Schema as the three schemas use.
fn valid(schema: &Value, value: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return true };
    schema.iter().all(|(word, arg)| match word.as_str() {
        "type" => match arg.as_str().unwrap() {
            "string" => value.is_string(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64(),
            other => panic!("type {other}"),
        },
        "required" => value.as_object().is_none_or(|o| {
            arg.as_array().unwrap().iter().all(|k| o.contains_key(k.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|o| {
            arg.as_object().unwrap().iter().all(|(k, s)| o.get(k).is_none_or(|v| valid(s, v)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|o| {
            let known = schema.get("properties").and_then(Value::as_object);
            o.iter()
                .filter(|(k, _)| known.is_none_or(|p| !p.contains_key(*k)))
                .all(|(_, v)| valid(arg, v))
        }),
        "items" => value.as_array().is_none_or(|a| a.iter().all(|v| valid(arg, v))),
        "uniqueItems" => {
            value.as_array().is_none_or(|a| (0..a.len()).all(|i| !a[..i].contains(&a[i])))
        }
        "minItems" => value.as_array().is_none_or(|a| a.len() as u64 >= arg.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|a| a.len() as u64 <= arg.as_u64().unwrap()),
        "minLength" => {
            value.as_str().is_none_or(|t| t.chars().count() as u64 >= arg.as_u64().unwrap())
        }
        "maxLength" => {
            value.as_str().is_none_or(|t| t.chars().count() as u64 <= arg.as_u64().unwrap())
        }
        "pattern" => value
            .as_str()
            .is_none_or(|t| regex::Regex::new(arg.as_str().unwrap()).unwrap().is_match(t)),
        "const" => value == arg,
        "oneOf" => arg.as_array().unwrap().iter().filter(|s| valid(s, value)).count() == 1,
        "anyOf" => arg.as_array().unwrap().iter().any(|s| valid(s, value)),
        "allOf" => arg.as_array().unwrap().iter().all(|s| valid(s, value)),
        "if" => !valid(arg, value) || schema.get("then").is_none_or(|s| valid(s, value)),
        // Without effect on verdicts, or not a word of JSON Schema at the place where it stands.
        "$schema" | "title" | "description" | "format" | "then" | "condition" => true,
        other if ["gt", "gte", "lt", "lte", "eq", "neq", "field"].contains(&other) => true,
        other => panic!("word {other}"),
    })
}

/// Where the text asks for more than the schema can say, or names what a schema cannot know.
const BEYOND: [&str; 14] = [
    "empty",
    "condition-name",
    "condition-pattern",
    "taxonomy",
    "timespan",
    "correlation-key",
    "correlation-condition",
    "selection-scalar",
    "nested-map",
    "kinds",
    "alias-rule",
    "placeholder",
    "condition",
    "null-keyword",
];

/// The schema has `condition` of a rule as one text; the text allows a list, and so do we.
fn text_allows(path: &[&str], value: &Value) -> bool {
    path == ["detection", "condition"] && value.is_array()
}

#[test]
fn the_schemas_judge_documents_as_we_do() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let schema = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.join("spec/json-schema").join(name)).unwrap())
            .unwrap()
    };
    let rule = json!({"title": "t", "id": "545a5da6-f103-4919-a519-e9aec1026ee4", "name": "n", "status": "test", "description": "d",
        "license": "MIT", "author": "a", "references": ["r"], "date": "2026-01-31", "modified": "2026-02-01", "taxonomy": "sigma",
        "related": [{"id": "x", "type": "similar"}], "logsource": {"category": "c", "product": "p", "service": "s", "definition": "d"},
        "detection": {"sel": {"F": "x"}, "condition": "sel"}, "fields": ["F"], "falsepositives": ["none at all"], "level": "high",
        "tags": ["attack.t1059.001"], "scope": ["server"], "ours": {"any": [1, null]}});
    let correlation = json!({"title": "t", "id": "i", "status": "test", "description": "d", "author": "a", "references": ["r"],
        "date": "2026-01-31", "modified": "2026-02-01", "taxonomy": "sigma", "falsepositives": ["some"], "level": "low", "generate": true,
        "correlation": {"type": "value_count", "rules": ["some rule"], "aliases": {"x": {"some rule": "f"}}, "group-by": ["x"],
            "timespan": "5m", "condition": {"gte": 3, "field": "User"}}});
    let filter = json!({"title": "t", "id": "i", "description": "d", "date": "2026-01-31", "modified": "2026-02-01", "taxonomy": "sigma",
        "logsource": {"category": "c", "product": "p", "service": "s"},
        "filter": {"rules": ["some rule"], "selection": {"F": "x"}, "condition": "selection"}});
    let values = [
        Value::Null,
        json!(true),
        json!(5),
        json!(1.5),
        json!("x"),
        json!(""),
        json!("2026-13-01"),
        json!("2026-12-01"),
        json!("high"),
        json!("stable"),
        json!("Stable"),
        json!("temporal"),
        json!("value_sum"),
        json!("event_count"),
        json!("sometimes"),
        json!("sel"),
        json!([]),
        json!(["a"]),
        json!(["ab"]),
        json!(["ab", "ab"]),
        json!(["ab", "cd"]),
        json!([5]),
        json!([{"F": "y"}]),
        json!({}),
        json!({"F": "y"}),
        json!("attack.x"),
        json!(["attack.x"]),
        json!(["Attack.X"]),
        json!(["attack"]),
        json!("x".repeat(257)),
        json!("x".repeat(70_000)),
        json!([{"id": "a", "type": "obsolete"}]),
        json!([{"id": "a"}]),
        json!([{"id": "a", "type": "b"}]),
        json!(["sel"]),
        json!("12345678901s"),
        json!({"gt": 1}),
        json!({"gt": 1, "lte": 5, "field": "f"}),
        json!({"gte": "x"}),
    ];
    let (mut judged, mut stricter) = (0, 0);
    for (document, schema) in [
        (&rule, schema("sigma-detection-rule-schema.json")),
        (&correlation, schema("sigma-correlation-rules-schema.json")),
        (&filter, schema("sigma-filters-schema.json")),
    ] {
        assert!(valid(&schema, document), "{document}");
        assert_eq!(unsound(&document.to_string()), None, "{document}");
        for path in paths(document) {
            for value in values.iter().map(Some).chain([None]) {
                let mut changed = document.clone();
                set(&mut changed, &path, value);
                let want = valid(&schema, &changed);
                let got = unsound(&changed.to_string());
                judged += 1;
                match (&got, want) {
                    (None, true) => {}
                    (Some(_), false) => {}
                    (None, false) => {
                        assert!(value.is_some_and(|v| text_allows(&path, v)), "we take {changed}")
                    }
                    (Some(refused), true) => {
                        let code = refused.reason.code();
                        // A correlation's condition has no working schema: its words stand outside `properties`.
                        let open = path.first() == Some(&"correlation");
                        assert!(
                            BEYOND.contains(&code)
                                || open && ["wants-map", "wants-number", "missing"].contains(&code)
                                || path.contains(&"aliases")
                                || code == "wants-text" && path == ["detection", "sel"],
                            "{code}: we refuse {changed}"
                        );
                        stricter += 1;
                    }
                }
            }
        }
    }
    println!("{judged} documents judged, {stricter} refused by the text alone");
}

/// Every attribute, and those inside the main parts.
fn paths(document: &Value) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for (key, value) in document.as_object().unwrap() {
        if key == "ours" {
            continue;
        }
        found.push(vec![key.as_str()]);
        if ["logsource", "detection", "correlation", "filter"].contains(&key.as_str()) {
            found.extend(
                value.as_object().unwrap().keys().map(|inner| vec![key.as_str(), inner.as_str()]),
            );
        }
    }
    found
}

fn set(document: &mut Value, path: &[&str], value: Option<&Value>) {
    let (last, above) = path.split_last().unwrap();
    let object =
        above.iter().fold(document, |at, key| at.get_mut(*key).unwrap()).as_object_mut().unwrap();
    match value {
        Some(value) => object.insert((*last).to_owned(), value.clone()),
        None => object.remove(*last),
    };
}
