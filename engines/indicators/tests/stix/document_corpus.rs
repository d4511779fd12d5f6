//! The corpora's documents: sound ones have no errors, faulty ones are told by the rule they break.

use std::path::Path;

use indicators::stix::{Diagnostic, Limits, Rule, Severity, parse, validate};

use crate::common;

fn judged(file: &Path) -> Vec<Diagnostic> {
    let bytes = std::fs::read(file).expect("a file");
    let parsed =
        parse(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    for object in &parsed.objects {
        let again: serde_json::Value = serde_json::from_slice(object.bytes).expect("its bytes");
        assert_eq!(again, object.value, "{}", file.display());
    }
    validate(&parsed)
}

fn errors(file: &Path) -> Vec<String> {
    let told = judged(file);
    told.iter().filter(|d| d.severity() == Severity::Error).map(ToString::to_string).collect()
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Faulty files by name, and the rule they break.
const FAULTY: &[(&str, Rule)] = &[
    ("bundle-bad-capec", Rule::External),
    ("bundle-bad-cve", Rule::External),
    ("bundle-bad-encryption", Rule::Enumeration),
    ("bundle-granular-selector-invalid", Rule::Selector),
    ("bundle-language-content-list-length", Rule::Translation),
    ("bundle-language-content-object-modified-mismatch", Rule::Translation),
    ("bundle-language-content-type-mismatch", Rule::Translation),
    ("bundle-location-bad-country", Rule::Format),
    ("bundle-location-bad-region", Rule::Vocabulary),
    ("bundle-relationship-matrix-invalid", Rule::Relation),
    ("bundle-sco-deterministic-id-mismatch", Rule::ScoId),
    ("bundle-tlp1-marking-ref", Rule::Tlp),
    ("observed-data-objects-with-sro", Rule::Type),
    ("bundle-missing-ref", Rule::RefMissing),
];

#[test]
fn faulty_bundles_are_told_by_their_rule() {
    let Some(folder) = common::corpus("validation") else { return };
    let mut files = common::files(&folder);
    files.extend(common::files(&folder.with_file_name("spec").join("bundle")));
    let mut met = 0;
    for file in files {
        let told = judged(&file);
        match FAULTY.iter().find(|(faulty, _)| *faulty == name(&file)) {
            Some((_, rule)) => {
                assert!(told.iter().any(|d| d.rule == *rule), "{}: {told:?}", file.display());
                met += 1;
            }
            None => {
                // The corpus leaves out what the specification requires of malware.
                let told = errors(&file);
                let left: Vec<_> =
                    told.iter().filter(|t| !t.contains("is_family is missing")).collect();
                assert!(left.is_empty(), "{}: {left:?}", file.display());
            }
        }
    }
    assert_eq!(met, FAULTY.len());
}

/// What in the name of a file says that it is faulty.
const SIGNS: &[&str] = &[
    "empty",
    "invalid",
    "missing",
    "wrong-type",
    "before",
    "out-of-range",
    "without",
    "neither",
    "both",
    "bad-",
    "no-name",
    "no-prop",
    "no-protocols",
    "not-in-ov",
    "end-with-active",
];

#[test]
fn objects_of_the_specification_are_judged_by_what_their_names_say() {
    let Some(folder) = common::corpus("spec") else { return };
    let (mut sound, mut faulty) = (0, 0);
    let mut odd = Vec::new();
    for part in ["sdo", "sro", "sco"] {
        for file in common::files(&folder.join(part)) {
            let name = name(&file);
            if file.parent().is_some_and(|p| p.ends_with("extensions")) {
                continue;
            }
            if SIGNS.iter().any(|sign| name.contains(sign)) {
                let told = judged(&file);
                if !told.iter().any(|d| d.rule != Rule::RefMissing) {
                    odd.push(format!("{name} has nothing against it"));
                }
                faulty += 1;
            } else {
                let told = errors(&file);
                if !told.is_empty() {
                    odd.push(format!("{name}: {told:?}"));
                }
                sound += 1;
            }
        }
    }
    assert_eq!(odd.len(), ODD.len(), "{odd:#?}");
    for (told, (name, part)) in odd.iter().zip(ODD) {
        assert!(told.starts_with(name) && told.contains(part), "{told}");
    }
    assert!(sound > 70 && faulty > 45, "{sound} {faulty}");
}

/// Faults their names do not tell of.
const ODD: &[(&str, &str)] = &[
    ("malware-minimal", "is_family is missing"),
    ("observed-data-deprecated-objects-sro", "an observable"),
    ("artifact-image", "no base64"),
    ("artifact-payload-and-url", "payload_bin, url (one-of)"),
    ("email-message-body-with-multipart", "(multipart)"),
];

/// What the published interoperability document itself gets wrong.
const MISPRINTS: &[(&str, &str)] = &[
    ("tc-3.12.3.1-create-malware-object", "(id)"),
    ("tc-3.16.3.1-create-report-object", "2020-01-201T17:00:00Z"),
    ("ex-3.1.4.2-leverage-externally-defined-frameworks", "(id)"),
    ("ex-3.3.4.1-confidence-indicator-internal-validation", "is_family is missing"),
    ("ex-3.13.4.1-note-on-sighting-of-malware", "is_family is missing"),
];

#[test]
fn examples_and_interoperability_cases_have_no_errors() {
    let Some(folder) = common::corpus("schemas/examples") else { return };
    let interop = folder.ancestors().nth(2).expect("stix").join("interop");
    let mut judged = 0;
    for folder in [folder, interop.join("testcases"), interop.join("examples")] {
        for file in common::files(&folder) {
            let told = errors(&file);
            let own = MISPRINTS.iter().find(|(misprinted, _)| name(&file) == *misprinted);
            match own {
                Some((_, rule)) => {
                    assert!(!told.is_empty() && told.iter().all(|t| t.contains(rule)), "{told:?}")
                }
                None => assert_eq!(told, [] as [String; 0], "{}", file.display()),
            }
            judged += 1;
        }
    }
    assert!(judged > 90, "{judged}");
}
