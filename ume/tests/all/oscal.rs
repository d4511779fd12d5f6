//! `ume oscal` on plain files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value as Json;

fn ume(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command.args(args).env("LC_ALL", "C.UTF-8").output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exports the engine's tests hold: seven sound documents.
fn exports() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engines/oscal/tests/exports/ja");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 7);
    files
}

#[test]
fn check_names_the_place_in_every_format_and_its_exit_code_says_how_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let files = exports();
    let catalog = text(&files[2]);
    let good = ume(&["oscal", "check", catalog]);
    assert_eq!(
        (good.status.code(), said(&good).as_str()),
        (Some(0), "nothing wrong found in 1 documents\n")
    );

    let broken = folder.path().join("broken.json");
    let sound = fs::read_to_string(catalog).unwrap();
    fs::write(&broken, sound.replacen("\"a.5.7\"", "\"5.7\"", 1)).unwrap();
    let found = ume(&["oscal", "check", text(&broken)]);
    assert_eq!(found.status.code(), Some(1));
    let place = "broken.json#/catalog/groups/0/controls/0/id: \"5.7\" is not a token";
    assert!(said(&found).contains(place), "{}", said(&found));
    let found = ume(&["oscal", "check", text(&broken), "--format", "json"]);
    let rows: Json = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(rows[0]["pointer"], "/catalog/groups/0/controls/0/id");
    assert_eq!(rows[0]["rule"], "value");
    let csv = said(&ume(&["oscal", "check", catalog, "--format", "csv"]));
    assert_eq!(csv, "file,pointer,rule,what\r\n");

    let deep = folder.path().join("deep.json");
    let bytes = format!("{{\"catalog\": {}", "[".repeat(5_000));
    fs::write(&deep, &bytes).unwrap();
    let found = ume(&["oscal", "check", text(&deep), catalog]);
    assert_eq!(found.status.code(), Some(2));
    assert!(said(&found).contains("deep.json#/catalog/0/0/0"), "{}", said(&found));
    assert_eq!(fs::read_to_string(&deep).unwrap(), bytes, "the file is kept");

    assert_eq!(ume(&["oscal", "check", "no-such-file"]).status.code(), Some(2));
}

#[test]
fn references_into_an_imported_document_are_open_until_it_is_given() {
    let files = exports();
    let name = |name: &str| files.iter().find(|f| f.file_stem().unwrap() == name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results.json");
    let plan = name("assessment-plan");
    let plan_text = fs::read_to_string(plan).unwrap();
    let at = plan_text.find("\"activity-uuid\": \"").unwrap();
    let activity = &plan_text[at..at + 55];
    let task = activity.replace("activity-uuid", "subject-uuid");
    let subject = format!("\"subjects\": [{{{task}, \"type\": \"component\"}}], \"collected\"");
    let sound = fs::read_to_string(name("assessment-results")).unwrap();
    fs::write(&results, sound.replacen("\"collected\"", &subject, 1)).unwrap();
    let alone = ume(&["oscal", "check", text(&results)]);
    assert_eq!(alone.status.code(), Some(3), "{}", said(&alone));
    assert!(said(&alone).contains("/observations/0/subjects/0/subject-uuid"));
    let both = ume(&["oscal", "check", text(&results), text(plan)]);
    assert_eq!(both.status.code(), Some(0), "{}", said(&both));
}

#[test]
fn roundtrip_turns_json_into_yaml_and_back_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (yaml, json) = (folder.path().join("yaml"), folder.path().join("json"));
    fs::create_dir(&yaml).unwrap();
    fs::create_dir(&json).unwrap();
    for file in exports() {
        let to = ["oscal", "roundtrip", text(&file), "--as", "yaml", "--to", text(&yaml)];
        let first = ume(&to);
        assert_eq!(first.status.code(), Some(0), "{}", said(&first));
        assert_eq!(ume(&to).status.code(), Some(2), "a file is not replaced");
        let written = yaml.join(file.file_name().unwrap()).with_extension("yaml");
        let back = ["oscal", "roundtrip", text(&written), "--as", "json", "--to", text(&json)];
        assert_eq!(ume(&back).status.code(), Some(0));
        let last = fs::read_to_string(json.join(file.file_name().unwrap())).unwrap();
        assert_eq!(last, fs::read_to_string(&file).unwrap(), "{}", file.display());
    }
}
