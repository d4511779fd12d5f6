//! `pattern`, `validate`, `convert` as they are called.

use std::path::Path;

use room::Outcome;

use super::verb;

fn ume(args: &[&str]) -> (Result<Outcome, String>, String) {
    let verb = verb();
    let mut out = Vec::new();
    let matches = verb.command.try_get_matches_from([&["indicators"], args].concat());
    let outcome = match matches {
        Ok(matches) => (verb.run)(&matches, &mut out).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    (outcome, String::from_utf8(out).expect("text"))
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

const OBSERVED: &str = r#"{"type":"bundle","id":"bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","objects":[
    {"type":"observed-data","spec_version":"2.1","id":"observed-data--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
     "created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","first_observed":"2026-01-01T00:00:00Z",
     "last_observed":"2026-01-01T00:00:00Z","number_observed":1,"object_refs":["mutex--07f2b411-b577-5759-885d-c3058bce0b29"]},
    {"type":"mutex","spec_version":"2.1","id":"mutex--07f2b411-b577-5759-885d-c3058bce0b29","name":"m"}]}"#;

#[test]
fn a_pattern_is_printed_planned_and_held_against_what_was_observed() {
    let folder = tempfile::tempdir().expect("a folder");
    let observed = file(folder.path(), "o.json", OBSERVED);
    let (outcome, out) = ume(&["pattern", "[ mutex:name=='m' ]", "--plan"]);
    assert_eq!((outcome, out.lines().next()), (Ok(Outcome::Good), Some("[mutex:name = 'm']")));
    assert!(out.contains("  mutex  m"), "{out}");
    let (outcome, out) = ume(&["pattern", "[mutex:name = 'm']", "--observed", &observed]);
    assert_eq!(outcome, Ok(Outcome::Found));
    assert!(out.contains("observed-data--8e2e2d2b"), "{out}");
    assert_eq!(
        ume(&["pattern", "[mutex:name = 'n']", "--observed", &observed]).0,
        Ok(Outcome::Good)
    );
    let (outcome, _) = ume(&["pattern", "[mutex:name = ]"]);
    assert!(outcome.unwrap_err().contains("line 1, column 15"));
}

#[test]
fn a_document_is_judged_and_errors_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = file(folder.path(), "sound.json", OBSERVED);
    assert_eq!(ume(&["validate", &sound]).0, Ok(Outcome::Good));
    let faulty = file(folder.path(), "faulty.json", &OBSERVED.replace("\"name\":\"m\"", "\"n\":1"));
    let (outcome, out) = ume(&["validate", "--format", "ndjson", &sound, &faulty]);
    assert_eq!(outcome, Ok(Outcome::Found));
    assert!(out.contains(r#""pointer":"/objects/1","severity":"error","rule":"missing""#), "{out}");
    let rubbish = file(folder.path(), "rubbish.json", "{");
    assert_eq!(ume(&["validate", &rubbish, &faulty]).0, Ok(Outcome::Incomplete));
}

#[test]
fn what_is_converted_there_and_back_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = r#"{"Event":{"uuid":"8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","info":"x","Tag":[{"name":"tlp:green"}],"Attribute":[
        {"type":"ip-dst","value":"192.0.2.1","to_ids":true,"first_seen":"2026-01-01T00:00:00Z"},
        {"type":"filename|md5","value":"=a.exe|79054025255fb1a26e4bc422aef54eb4","to_ids":false}]}}"#;
    let misp = file(folder.path(), "misp.json", event);
    let rows = |file: &str| {
        let (outcome, out) = ume(&["convert", file, "--to", "csv"]);
        assert_eq!(outcome, Ok(Outcome::Good));
        // Who says it differs.
        out.lines()
            .map(|l| l.rsplit_once(',').map_or(l, |(row, _)| row).to_owned())
            .collect::<Vec<_>>()
    };
    let first = rows(&misp);
    assert_eq!(first[1], "ip,192.0.2.1,destination,2026-01-01T00:00:00Z,,TLP:GREEN,true");
    assert_eq!(first.len(), 4);
    let (outcome, stix) = ume(&["convert", &misp, "--to", "stix", "--at", "2026-02-01T00:00:00Z"]);
    assert_eq!(outcome, Ok(Outcome::Good));
    let stix = file(folder.path(), "stix.json", &stix);
    assert_eq!(ume(&["validate", &stix]).0, Ok(Outcome::Good));
    let second = rows(&stix);
    assert_eq!(second[1], first[1]);
    let (_, again) = ume(&["convert", &stix, "--to", "misp", "--at", "2026-02-01T00:00:00Z"]);
    let again = file(folder.path(), "again.json", &again);
    assert_eq!(rows(&again)[1], first[1]);
}

#[test]
fn what_says_more_than_one_value_makes_it_incomplete() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"[{"type":"indicator","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","pattern_type":"stix",
        "pattern":"[file:name = 'a' AND file:size = 1]"}]"#;
    let (outcome, _) = ume(&["convert", &file(folder.path(), "s.json", text)]);
    assert_eq!(outcome, Ok(Outcome::Incomplete));
}
