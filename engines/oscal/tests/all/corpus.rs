//! Every file of the `oscal` corpus, in and out, in both forms.
//!
//! The folder with the unpacked corpora comes from `UME_CORPORA`; without it there is nothing to judge.

// Tests read and write files; the engine does not.
#![allow(clippy::disallowed_methods)]

use oscal::{Document, Form, Rule, check};
use std::{fs, path::PathBuf};

fn corpus() -> Option<Vec<PathBuf>> {
    let folder = PathBuf::from(std::env::var_os("UME_CORPORA")?).join("oscal");
    let files = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    Some(
        files
            .filter(|path| !path.file_name().unwrap().as_encoded_bytes().starts_with(b"."))
            .collect(),
    )
}

#[test]
fn every_file_comes_out_equal_as_json() {
    let Some(files) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    assert!(files.len() >= 5);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let document = Document::read(&bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let before: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let json = document.write(Form::Json);
        let after: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(before, after, "{}", file.display());
        assert_eq!(Document::read(json.as_bytes()).as_ref(), Ok(&document), "{}", file.display());
        let yaml = document.write(Form::Yaml);
        assert_eq!(Document::read(yaml.as_bytes()).as_ref(), Ok(&document), "{}", file.display());
    }
}

#[test]
fn their_faults_are_named_and_nothing_else() {
    let Some(files) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let mut found = Vec::new();
    for file in files {
        let document = Document::read(&fs::read(&file).unwrap()).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let findings = check(&document, &[]);
        let certain = findings.iter().filter(|finding| !finding.rule.is_open());
        found.extend(certain.map(|f| format!("{name} {} {}", f.rule.name(), f.pointer)));
    }
    found.sort();
    let component = "/component-definition/components/0";
    let requirement = format!("{component}/control-implementations/0/implemented-requirements/1");
    let want = [
        format!("example-component-definition dangling {requirement}/statements/0/responsible-roles/0/role-id"),
        format!("example-component-definition dangling {component}/responsible-roles/1/role-id"),
        format!("example-component-definition double {requirement}/statements/0/uuid"),
        "ifa_assessment-plan-example dangling /assessment-plan/tasks/0/associated-activities/0/activity-uuid"
            .to_owned(),
    ];
    assert_eq!(found, want);
}

#[test]
fn a_plan_given_with_its_results_answers_what_they_refer_to() {
    let Some(files) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let named = |name: &str| {
        let file = files.iter().find(|f| f.ends_with(name)).unwrap();
        Document::read(&fs::read(file).unwrap()).unwrap()
    };
    let results = named("ifa_assessment-results-example.json");
    let plan = named("ifa_assessment-plan-example.json");
    let alone = check(&results, &[]);
    assert!(alone.iter().any(|f| matches!(f.rule, Rule::Elsewhere(_))));
    let both = check(&results, &[&plan]);
    assert!(
        both.iter().any(|f| matches!(f.rule, Rule::Dangling(_))),
        "the plan has not its subjects"
    );
    assert!(both.iter().all(|f| !f.rule.is_open()));
}
