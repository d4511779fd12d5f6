//! The rows of the interoperability matrix that an engine alone can show, each on its own fixture.

use std::path::Path;

use indicators::stix::{Diagnostic, Limits, Rule, Severity, Standing, parse, supersedes, validate};
use serde_json::Value;

use crate::common;

struct Fixture {
    objects: Vec<Value>,
    told: Vec<Diagnostic>,
    misprinted: bool,
}

/// The published document's own faults; see `document_corpus`.
const MISPRINTED: &[&str] =
    &["tc-3.12.3.1", "tc-3.16.3.1", "ex-3.1.4.2", "ex-3.3.4.1", "ex-3.13.4.1"];

impl Fixture {
    fn read(file: &Path) -> Fixture {
        let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let parsed =
            parse(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for object in &parsed.objects {
            // Whatever an object bears is kept, to the byte.
            assert_eq!(
                serde_json::from_slice::<Value>(object.bytes).ok().as_ref(),
                Some(&object.value)
            );
        }
        let told = validate(&parsed);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let misprinted = MISPRINTED.iter().any(|part| name.starts_with(part));
        let objects = parsed.objects.into_iter().map(|object| object.value).collect();
        Fixture { objects, told, misprinted }
    }

    fn errors(&self) -> Vec<String> {
        let errors = self.told.iter().filter(|d| d.severity() == Severity::Error);
        errors.map(ToString::to_string).collect()
    }

    fn sound(&self) -> bool {
        self.errors().is_empty() != self.misprinted
    }

    fn of_types<'a>(&'a self, types: &'a [&str]) -> impl Iterator<Item = (usize, &'a Value)> {
        let of = |object: &Value| {
            object["type"].as_str().is_some_and(|t| types.is_empty() || types.contains(&t))
        };
        self.objects.iter().enumerate().filter(move |(_, object)| of(object))
    }

    fn has(&self, id: &Value) -> bool {
        self.objects.iter().any(|object| object["id"] == *id)
    }

    /// Whether every creator is there and is a whole identity.
    fn creators(&self) -> bool {
        let whole = |identity: &&Value| {
            identity["type"] == "identity"
                && ["name", "id", "spec_version", "created", "modified"]
                    .iter()
                    .all(|key| identity.get(key).is_some())
        };
        self.objects
            .iter()
            .filter_map(|o| o.get("created_by_ref"))
            .all(|id| self.objects.iter().filter(|o| o["id"] == *id).any(|o| whole(&o)))
    }

    /// Whether both ends of every relationship are there, or their absence is told.
    fn related(&self) -> bool {
        self.of_types(&["relationship", "sighting"]).all(|(at, relation)| {
            ["source_ref", "target_ref", "sighting_of_ref"]
                .iter()
                .filter_map(|key| Some((key, relation.get(key)?)))
                .all(|(key, id)| {
                    let told = |d: &&Diagnostic| d.pointer == format!("/objects/{at}/{key}");
                    self.has(id)
                        || self
                            .told
                            .iter()
                            .filter(told)
                            .any(|d| matches!(d.rule, Rule::RefMissing | Rule::Id))
                })
        })
    }

    /// Whether an object of the type bears the property, and nothing is told of it.
    fn bears(&self, types: &[&str], property: &str) -> bool {
        self.of_types(types).any(|(at, object)| {
            let place = format!("/objects/{at}/{property}");
            let told =
                |d: &&Diagnostic| d.pointer.starts_with(&place) && d.severity() == Severity::Error;
            object.get(property).is_some()
                && (self.misprinted || !self.told.iter().any(|d| told(&d)))
        })
    }
}

fn types(use_case: &str) -> Vec<String> {
    match use_case {
        "confidence" | "data_markings" => vec!["indicator".into()],
        "versioning" => vec!["indicator".into(), "sighting".into()],
        "cross_cutting" => vec![],
        other => vec![other.replace('_', "-")],
    }
}

/// Whether the fixture shows what the row asks for; none if the row is of another kind.
fn shown(fixture: &Fixture, test: &str, use_case: &str) -> Option<bool> {
    if use_case == "harness" {
        return None;
    }
    let owned = types(use_case);
    let types: Vec<&str> = owned.iter().map(String::as_str).collect();
    let there = || fixture.of_types(&types).next().is_some();
    if let Some(property) = test.strip_prefix("prop_") {
        let property = if property == "opinion_value" { "opinion" } else { property };
        // The published case spells it `implementation_langauges`: kept, and told to be of nobody.
        if property == "implementation_languages" {
            let told =
                |d: &Diagnostic| d.rule == Rule::Custom && d.detail == "implementation_langauges";
            return Some(fixture.told.iter().any(told));
        }
        return Some(fixture.bears(&types, property));
    }
    let of = |needed: &[&str]| needed.iter().all(|name| fixture.of_types(&[name]).next().is_some());
    Some(match test {
        "description_scope" | "select_content" | "receives_content" => there(),
        "identity_compliance"
        | "resolves_created_by_ref"
        | "consumer_resolves_created_by_ref"
        | "identity_shape_on_parsed" => fixture.creators(),
        "processes_related"
        | "consumer_processes_related"
        | "relationship_shape_on_parsed"
        | "reference_closed_bundle_passes" => fixture.related(),
        "receives_triad" | "consumer_receives_triad" => there() && of(&["identity"]),
        "spec_conformance"
        | "processes_fields"
        | "supports_producer_props"
        | "consumer_processes_fields"
        | "consumer_supports_producer_props"
        | "producer_conformance_12_1"
        | "consumer_conformance_12_1"
        | "sco_spec_conformance"
        | "additional_properties_permitted"
        | "interop_stricter_than_spec"
        | "referenced_obj_spec_only"
        | "loads_fixture_with_provenance" => there() && fixture.sound(),
        "modified_after_created" => {
            fixture.of_types(&types).all(|(_, o)| o["modified"].as_str() > o["created"].as_str())
        }
        "created_preserved" => fixture.of_types(&types).all(|(_, o)| {
            let mut first = o.clone();
            first["modified"] = o["created"].clone();
            first["revoked"] = false.into();
            matches!(supersedes(&first, o), Standing::Newer | Standing::Same)
        }),
        "revoked_true" => fixture.of_types(&types).any(|(_, o)| o["revoked"] == true),
        "no_new_version_of_revoked_id" => {
            fixture.of_types(&types).filter(|(_, o)| o["revoked"] == true).all(|(_, o)| {
                let mut later = o.clone();
                later["modified"] = "2999-01-01T00:00:00.000Z".into();
                later["revoked"] = false.into();
                supersedes(o, &later) == Standing::AfterRevocation
            })
        }
        "tlp_exemption_with_fixture" => !fixture.told.iter().any(|d| d.rule == Rule::RefMissing),
        "framework_example_rejects_truncated_ids" => {
            fixture.told.iter().any(|d| d.rule == Rule::Id)
        }
        _ if test.starts_with("create_") => there() && fixture.sound(),
        // Examples, by name: what they are about is read and hangs together.
        _ if !use_case.is_empty() && use_case != "cross_cutting" => {
            fixture.sound() && fixture.related() && !fixture.objects.is_empty()
        }
        _ => return None,
    })
}

#[test]
fn each_row_is_shown_on_its_fixture() {
    let Some(folder) = common::corpus("interop") else { return };
    let text = std::fs::read_to_string(folder.join("manifest.toml")).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let rows = manifest["requirement"].as_array().expect("rows");
    let (mut shown_rows, mut wrong, mut left) = (0, Vec::new(), Vec::new());
    for row in rows {
        let of = |key: &str| row.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        if of("disposition") != "TESTED" {
            continue;
        }
        let test = of("test_id").rsplit("::").next().unwrap_or_default();
        let use_case = of("use_case");
        let fixtures: Vec<Fixture> = match (of("fixture"), test) {
            // The checklist's rows are of all cases of the use.
            ("", "handles_producer_testcases" | "producer_testcase_data") => {
                common::files(&folder.join("testcases").join(use_case.replace('_', "-")))
                    .iter()
                    .map(|f| Fixture::read(f))
                    .collect()
            }
            ("", _) => Vec::new(),
            (fixture, _) => vec![Fixture::read(&folder.join(fixture))],
        };
        let verdicts: Vec<Option<bool>> = match test {
            "handles_producer_testcases" | "producer_testcase_data" => {
                fixtures.iter().map(|f| Some(f.sound() && f.creators() && f.related())).collect()
            }
            _ => fixtures.iter().map(|f| shown(f, test, use_case)).collect(),
        };
        if verdicts.is_empty() || verdicts.contains(&None) {
            left.push(of("req_id").to_owned());
        } else if verdicts.contains(&Some(false)) {
            wrong.push(format!("{} {test} {}", of("req_id"), of("fixture")));
        } else {
            shown_rows += 1;
        }
    }
    println!("{shown_rows} rows shown; of another kind: {left:?}");
    assert_eq!(wrong, [] as [String; 0], "{wrong:#?}");
    // Left are rows about the matrix's own test program.
    assert_eq!(shown_rows + left.len(), 506);
    assert!(
        left.len() <= 13 && left.iter().all(|row| row.contains("HARNESS") || row.contains("2.3-X")),
        "{left:?}"
    );
}
