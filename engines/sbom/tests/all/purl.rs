//! Package URLs against the specification's own cases, and their laws.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sbom::purl::{Parts, Purl};
use serde_json::Value as Json;

use crate::common;

#[test]
fn every_case_of_the_specification() {
    let Some(folder) = common::corpus("purl") else { return };
    let (mut cases, mut wrong) = (0, Vec::new());
    for file in common::files(&folder, "json") {
        let json: Json = serde_json::from_str(&common::text(&file)).unwrap();
        for case in json["tests"].as_array().unwrap() {
            cases += 1;
            if let Err(why) = judge(case) {
                wrong.push(format!("{}: {why}\n  {case}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 100, "{cases} cases");
}

fn judge(case: &Json) -> Result<(), String> {
    let input = &case["input"];
    let result = match case["test_type"].as_str() {
        Some("build") => Purl::build(&parts(input)),
        // Repairing what was written is a recommendation; refusing it, or reading it, a rule.
        Some("validate") => Purl::parse_lenient(input.as_str().unwrap()),
        _ => Purl::parse(input.as_str().unwrap()),
    };
    match (case["expected_failure"].as_bool() == Some(true), result) {
        (true, Err(_)) => Ok(()),
        (true, Ok(purl)) => Err(format!("taken as {purl}")),
        (false, Err(error)) => Err(error.to_string()),
        (false, Ok(purl)) => expect(&case["expected_output"], &purl),
    }
}

fn expect(expected: &Json, purl: &Purl) -> Result<(), String> {
    let good = match expected {
        Json::String(text) => *text == purl.to_string(),
        parts => {
            let of = |key: &str| parts[key].as_str();
            let qualifiers: BTreeMap<String, String> = parts["qualifiers"]
                .as_object()
                .map(|q| {
                    q.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect()
                })
                .unwrap_or_default();
            of("type") == Some(&purl.kind)
                && of("namespace") == purl.namespace.as_deref()
                && of("name") == Some(&purl.name)
                && of("version") == purl.version.as_deref()
                && of("subpath") == purl.subpath.as_deref()
                && qualifiers == purl.qualifiers
        }
    };
    if good { Ok(()) } else { Err(format!("became {purl} ({purl:?})")) }
}

fn parts(input: &Json) -> Parts<'_> {
    let of = |key: &str| input[key].as_str();
    Parts {
        kind: of("type").unwrap_or_default(),
        namespace: of("namespace"),
        name: of("name").unwrap_or_default(),
        version: of("version"),
        qualifiers: input["qualifiers"]
            .as_object()
            .map(|q| q.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect())
            .unwrap_or_default(),
        subpath: of("subpath"),
    }
}

#[test]
fn a_qualifier_stands_once_and_an_empty_one_is_none() {
    assert!(Purl::parse("pkg:deb/debian/a@1?arch=x&arch=y").is_err());
    assert_eq!(Purl::parse("pkg:deb/debian/a@1?arch=").unwrap().to_string(), "pkg:deb/debian/a@1");
}

#[test]
fn a_python_name_is_one_however_it_is_written() {
    let name = |text| Purl::parse(text).unwrap().name;
    assert_eq!(name("pkg:pypi/Zope.Interface@5"), name("pkg:pypi/zope__interface@5"));
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_read_prints_to_itself(text in "pkg:[a-z]{1,4}/[ -~]{0,40}") {
        if let Ok(purl) = Purl::parse(&text) {
            let again = Purl::parse(&purl.to_string()).unwrap();
            prop_assert_eq!(&again, &purl, "{}", text);
        }
    }

    #[test]
    fn no_bytes_panic(text in "\\PC{0,60}") {
        let _ = Purl::parse(&text);
        let _ = Purl::parse(&format!("pkg:{text}"));
    }
}
