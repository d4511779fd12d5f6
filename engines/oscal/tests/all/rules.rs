//! Each rule of `check`, by a document that breaks it.

use oscal::{Document, FINDINGS_MAX, Form, Rule, check};

/// A sound catalogue with a piece replaced.
fn broken(from: &str, to: &str) -> Document {
    let sound = r##"{"catalog": {"uuid": "74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724",
        "metadata": {"title": "梅", "last-modified": "2026-11-28T09:00:00+09:00", "version": "1.0",
            "oscal-version": "1.0.4", "roles": [{"id": "r", "title": "R"}],
            "parties": [{"uuid": "833ac398-5c9a-4e6b-acba-2a9c11399da0", "type": "person"}],
            "responsible-parties": [{"role-id": "r", "party-uuids": ["833ac398-5c9a-4e6b-acba-2a9c11399da0"]}]},
        "controls": [{"id": "a.5.7", "title": "t", "links": [{"href": "#a.5.7"}, {"href": "https://x.example"}],
            "params": [{"id": "p", "select": {"how-many": "one"}}]}],
        "back-matter": {"resources": [{"uuid": "b78aa3ec-915d-475b-8097-46813fae1825",
            "base64": {"value": "YQ=="}}]}}}"##;
    let text = sound.replacen(from, to, 1);
    assert!(from.is_empty() || text != sound, "{from} is not in the document");
    Document::read(text.as_bytes()).unwrap()
}

#[test]
fn a_sound_document_has_no_finding_in_either_form() {
    let document = broken("", "");
    assert_eq!(check(&document, &[]), []);
    let yaml = Document::read(document.write(Form::Yaml).as_bytes()).unwrap();
    assert_eq!(check(&yaml, &[]), []);
}

#[test]
fn each_rule_names_its_place() {
    let cases = [
        ("\"catalog\"", "\"mapping-collection\"", "model", ""),
        ("1.0.4", "2.0.0", "version", "/catalog/metadata/oscal-version"),
        (
            "\"version\": \"1.0\"",
            "\"version\": \"1.0\", \"x\": 1",
            "unknown-member",
            "/catalog/metadata/x",
        ),
        ("\"version\": \"1.0\",", "", "missing-member", "/catalog/metadata"),
        (
            "[{\"href\": \"#a.5.7\"}, {\"href\": \"https://x.example\"}]",
            "[]",
            "empty-list",
            "/catalog/controls/0/links",
        ),
        ("\"t\"", "7", "type", "/catalog/controls/0/title"),
        ("\"back-matter\": {", "\"back-matter\": [], \"y\": {", "type", "/catalog/back-matter"),
        ("74c8ba1e-5cd4-4ad1", "74c8ba1e-5cd4-7ad1", "value", "/catalog/uuid"),
        ("\"a.5.7\", \"title\"", "\"5.7\", \"title\"", "value", "/catalog/controls/0/id"),
        ("\"梅\"", "\"梅\\n竹\"", "value", "/catalog/metadata/title"),
        ("\"one\"", "\"two\"", "value", "/catalog/controls/0/params/0/select/how-many"),
        ("YQ==", "!", "value", "/catalog/back-matter/resources/0/base64/value"),
        ("09:00:00+09:00", "09:00:00", "no-zone", "/catalog/metadata/last-modified"),
        ("2026-11-28T", "2026-11-31T", "value", "/catalog/metadata/last-modified"),
        (
            "b78aa3ec-915d-475b-8097-46813fae1825",
            "74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724",
            "double",
            "/catalog/uuid",
        ),
        ("#a.5.7", "#a.5.8", "dangling", "/catalog/controls/0/links/0/href"),
        (
            "\"role-id\": \"r\"",
            "\"role-id\": \"s\"",
            "dangling",
            "/catalog/metadata/responsible-parties/0/role-id",
        ),
        (
            "[\"833ac398-5c9a-4e6b-acba-2a9c11399da0\"]",
            "[\"833ac398-5c9a-4e6b-acba-2a9c11399da1\"]",
            "dangling",
            "/catalog/metadata/responsible-parties/0/party-uuids/0",
        ),
    ];
    for (from, to, rule, pointer) in cases {
        let findings = check(&broken(from, to), &[]);
        let at = |f: &&oscal::Finding| f.pointer == pointer || matches!(f.rule, Rule::Double(..));
        let found = findings.iter().find(|f| f.rule.name() == rule).filter(at);
        assert!(found.is_some(), "{from} -> {to}: {findings:?}");
        let texts = found.map(|f| (f.rule.en(), f.rule.ja())).unwrap();
        assert!(!texts.0.is_empty() && texts.1.chars().any(|c| c > '\u{3000}'), "{texts:?}");
    }
}

#[test]
fn control_ids_are_looked_up_where_a_catalogue_is_given() {
    let profile = |id: &str| {
        let text = format!(
            r##"{{"profile": {{"uuid": "74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c725", "metadata": {{"title": "p",
            "last-modified": "2026-11-28T09:00:00Z", "version": "1", "oscal-version": "1.2.1"}},
            "imports": [{{"href": "catalog.json", "include-controls": [{{"with-ids": ["{id}"]}}]}}]}}}}"##
        );
        Document::read(text.as_bytes()).unwrap()
    };
    let catalog = broken("", "");
    assert_eq!(check(&profile("a.5.9"), &[]), [], "without a catalogue nobody can know");
    assert_eq!(check(&profile("a.5.7"), &[&catalog]), []);
    let found = check(&profile("a.5.9"), &[&catalog]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].pointer, "/profile/imports/0/include-controls/0/with-ids/0");
    assert_eq!(found[0].rule, Rule::Dangling("a.5.9".into()));
}

#[test]
fn findings_end_at_their_limit() {
    let many = vec!["{\"x\": 1}"; 3 * FINDINGS_MAX].join(",");
    let text = format!(r#"{{"catalog": {{"controls": [{many}]}}}}"#);
    let document = Document::read(text.as_bytes()).unwrap();
    assert_eq!(check(&document, &[]).len(), FINDINGS_MAX);
}
