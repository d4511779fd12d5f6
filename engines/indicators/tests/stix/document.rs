//! Documents: what is read, what is kept, what is told.

use indicators::stix::{
    Diagnostic, Limits, ParseError, Rule, Severity, Standing, parse, sco_id, sco_key, supersedes,
    validate, validate_objects,
};
use serde_json::{Value, json};

fn judged(object: Value) -> Vec<Diagnostic> {
    validate_objects(&[("", &object)])
}

fn rules(object: Value) -> Vec<(String, Rule)> {
    judged(object).into_iter().map(|d| (d.pointer, d.rule)).collect()
}

fn indicator() -> Value {
    json!({
        "type": "indicator", "spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "pattern": "[file:name = 'a']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
    })
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

#[test]
fn one_bad_object_costs_itself_alone_and_bytes_are_kept() {
    let text = r#" {"type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "x_mine": 1.50,
        "objects": [ {"type":"mutex","id":"mutex--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"a","n":1.0e2,"s":"\u00e9"},
        {"type": "mutex" "id"}, 5, {"deep": [[[[[[[[[[[]]]]]]]]]]]} ] } "#;
    let limits = Limits { depth: 8, ..Limits::default() };
    let parsed = parse(text.as_bytes(), &limits).unwrap();
    assert_eq!(parsed.objects.len(), 1);
    let kept = std::str::from_utf8(parsed.objects[0].bytes).unwrap();
    assert!(kept.contains(r#""n":1.0e2,"s":"\u00e9""#), "{kept}");
    assert_eq!(parsed.objects[0].pointer, "/objects/0");
    let told: Vec<_> = parsed.diagnostics.iter().map(|d| (d.pointer.as_str(), d.rule)).collect();
    assert_eq!(
        told,
        [("/objects/1", Rule::Json), ("/objects/2", Rule::NotObject), ("/objects/3", Rule::Limit)]
    );
    assert_eq!(parsed.bundle.unwrap()["x_mine"], 1.5);
}

#[test]
fn single_objects_and_lists_are_documents_too() {
    let object = indicator().to_string();
    assert_eq!(parse(object.as_bytes(), &Limits::default()).unwrap().objects[0].pointer, "");
    let list = format!("\u{feff}[{object},{object}]");
    let parsed = parse(list.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(parsed.objects.len(), 2);
    assert!(validate(&parsed).iter().any(|d| d.pointer == "/1/id" && d.rule == Rule::DuplicateId));
}

#[test]
fn bombs_and_rubbish_meet_errors() {
    let small = Limits { bytes: 1000, object_bytes: 100, objects: 3, depth: 10 };
    let of = |text: &str| parse(text.as_bytes(), &small).map(|p| p.diagnostics);
    assert_eq!(of(&" ".repeat(1001)), Err(ParseError::Bytes(1000)));
    assert_eq!(of("[1,2,3,4]"), Err(ParseError::Objects(3)));
    assert_eq!(of("5"), Err(ParseError::Shape));
    let deep = "[".repeat(900);
    for text in [
        "",
        "{",
        "[",
        "{\"a\"",
        "{} {}",
        "[{}",
        "[{},]",
        "\"",
        "{\"type\":\"bundle\",\"objects\":[}",
        &deep,
    ] {
        assert!(matches!(of(text), Err(ParseError::Json { .. })), "{text}");
    }
    let large = format!("[{{\"a\":\"{}\"}}]", "x".repeat(200));
    assert_eq!(of(&large).unwrap()[0].rule, Rule::Limit);
    let bundle = "{\"type\":\"bundle\",\"objects\":{}}";
    assert_eq!(of(bundle).unwrap()[0].rule, Rule::Type);
}

#[test]
fn a_sound_indicator_has_nothing_against_it() {
    assert_eq!(judged(indicator()), []);
}

#[test]
fn each_rule_is_told_at_its_place() {
    let i = indicator;
    for (object, pointer, rule) in [
        (with(i(), "pattern", json!("[file:name = 'a'")), "/pattern", Rule::Pattern),
        (with(i(), "valid_until", json!("2026-01-01T00:00:00Z")), "/valid_until", Rule::TimeOrder),
        (with(i(), "modified", json!("2025-01-01T00:00:00.000Z")), "/modified", Rule::TimeOrder),
        (with(i(), "created", json!("2026-01-01T00:00:00Z")), "/created", Rule::Millis),
        (with(i(), "valid_from", json!("soon")), "/valid_from", Rule::Timestamp),
        (with(i(), "confidence", json!(101)), "/confidence", Rule::Range),
        (with(i(), "confidence", json!("5")), "/confidence", Rule::Type),
        (with(i(), "labels", json!([])), "/labels", Rule::EmptyList),
        (with(i(), "lang", json!("日本語")), "/lang", Rule::Language),
        (with(i(), "name", Value::Null), "/name", Rule::NoNull),
        (with(i(), "id", json!("indicator--1")), "/id", Rule::Id),
        (
            with(i(), "id", json!("malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f")),
            "/id",
            Rule::IdType,
        ),
        (with(i(), "spec_version", json!("3.0")), "/spec_version", Rule::SpecVersion),
        (
            with(i(), "created_by_ref", json!("malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f")),
            "/created_by_ref",
            Rule::RefType,
        ),
        (with(i(), "x_extra", json!(1)), "/x_extra", Rule::Custom),
        (with(i(), "X", json!(1)), "/X", Rule::PropertyName),
        (with(i(), "indicator_types", json!(["odd"])), "/indicator_types/0", Rule::Vocabulary),
        (
            with(i(), "object_marking_refs", json!([i()["id"]])),
            "/object_marking_refs/0",
            Rule::OwnMarking,
        ),
        (
            with(i(), "granular_markings", json!([{"selectors": ["labels.[0]"], "lang": "en"}])),
            "/granular_markings/0/selectors/0",
            Rule::Selector,
        ),
        (
            with(
                i(),
                "external_references",
                json!([{"source_name": "cve", "external_id": "CVE-1"}]),
            ),
            "/external_references/0",
            Rule::External,
        ),
        (
            with(i(), "kill_chain_phases", json!([{"kill_chain_name": "a b", "phase_name": "c"}])),
            "/kill_chain_phases/0/kill_chain_name",
            Rule::KillChain,
        ),
        (
            with(
                i(),
                "extensions",
                json!({"extension-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f": {"a": 1}}),
            ),
            "/extensions/extension-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            Rule::ExtensionType,
        ),
        (with(i(), "a/b~c", json!(1)), "/a~1b~0c", Rule::PropertyName),
    ] {
        let told = rules(object.clone());
        assert!(told.contains(&(pointer.to_owned(), rule)), "{object}: {told:?}");
    }
    let mut bare = i();
    bare.as_object_mut().unwrap().remove("pattern");
    assert_eq!(rules(bare), [(String::new(), Rule::Missing)]);
}

#[test]
fn severity_and_both_languages_are_told() {
    let told = judged(with(indicator(), "x_extra", json!(1)));
    assert_eq!(told[0].severity(), Severity::Warning);
    assert_eq!(
        told[0].to_string(),
        "/x_extra: warning: x_extra is not of this type and no extension says what it is (custom-property)"
    );
    assert_eq!(told[0].ja(), "x_extraはこの型の項目ではなく、拡張の宣言もありません");
    let ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len());
}

#[test]
fn an_extension_explains_what_is_not_of_the_type() {
    let definition = "extension-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
    let kind = |kind: &str| json!({ definition: {"extension_type": kind} });
    let top = with(
        with(indicator(), "x_extra", json!(1)),
        "extensions",
        kind("toplevel-property-extension"),
    );
    assert_eq!(judged(top), []);
    let own = json!({"type": "x-ours", "spec_version": "2.1", "id": "x-ours--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "anything": 1});
    assert_eq!(rules(own.clone()), [("/type".to_owned(), Rule::UnknownType)]);
    assert_eq!(judged(with(own, "extensions", kind("new-sdo"))), []);
}

#[test]
fn tlp_definitions_are_exactly_the_published_ones() {
    use indicators::tlp::{Edition, Level, definition};
    for (edition, level) in
        [Edition::One, Edition::Two].into_iter().flat_map(|e| Level::ALL.map(|l| (e, l)))
    {
        let told = judged(definition(edition, level));
        assert!(
            told.iter().all(|d| d.severity() == Severity::Warning),
            "{edition:?} {level:?} {told:?}"
        );
    }
    let mut other = definition(Edition::One, Level::Red);
    other["definition"]["tlp"] = json!("green");
    assert!(rules(other).iter().any(|(_, rule)| *rule == Rule::Tlp));
    let mut own = definition(Edition::Two, Level::Clear);
    own["id"] = json!("marking-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f");
    assert!(rules(own).iter().any(|(_, rule)| *rule == Rule::Tlp));
}

#[test]
fn an_older_version_late_does_not_stand_and_revocation_is_final() {
    let old = indicator();
    let new = with(indicator(), "modified", json!("2026-02-01T00:00:00.000Z"));
    assert_eq!(supersedes(&old, &new), Standing::Newer);
    assert_eq!(supersedes(&new, &old), Standing::Older);
    assert_eq!(supersedes(&new, &new), Standing::Same);
    assert_eq!(supersedes(&new, &with(new.clone(), "name", json!("x"))), Standing::Conflict);
    let revoked = with(new.clone(), "revoked", json!(true));
    let later = with(indicator(), "modified", json!("2026-03-01T00:00:00.000Z"));
    assert_eq!(supersedes(&revoked, &later), Standing::AfterRevocation);
    let stranger =
        with(later, "created_by_ref", json!("identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"));
    assert_eq!(supersedes(&new, &stranger), Standing::Foreign);
}

#[test]
fn an_observables_id_follows_from_its_content() {
    // As the reference library makes them.
    for (object, id) in [
        (
            json!({"type": "ipv4-addr", "value": "198.51.100.3"}),
            "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
        ),
        (
            json!({"type": "url", "value": "https://example.com/research/index.html"}),
            "url--47c3cf9a-5027-5bf0-997a-017c7edc7c55",
        ),
        (
            json!({"type": "file", "hashes": {"MD5": "d41d8cd98f00b204e9800998ecf8427e", "SHA-1": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}, "name": "a"}),
            "file--e225bcbd-7d8f-5548-b8c5-6974bf120d56",
        ),
        (
            json!({"type": "file", "name": "b.pdf", "extensions": {"pdf-ext": {"version": "1.7", "is_optimized": true}}}),
            "file--a658a195-f67d-5c68-8e06-80931563bd64",
        ),
        (
            json!({"type": "domain-name", "value": "例え.jp"}),
            "domain-name--23e4afa5-dfcd-52bd-87a6-10a971d48a94",
        ),
        (
            json!({"type": "autonomous-system", "number": 15139}),
            "autonomous-system--3aa27478-50b5-5ab8-9da9-cdc12b657fff",
        ),
        (
            json!({"type": "windows-registry-key", "key": "HKEY_LOCAL_MACHINE\\x", "values": [{"name": "a", "data": "b", "data_type": "REG_SZ"}]}),
            "windows-registry-key--df2684f9-93e7-5004-9441-ebbc7a722cf8",
        ),
        (
            json!({"type": "network-traffic", "start": "2020-01-01T00:00:00Z", "dst_ref": "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd", "dst_port": 443, "protocols": ["tcp"]}),
            "network-traffic--ab99a7ff-fd18-5c6b-86c0-eae87051f51c",
        ),
        (
            json!({"type": "user-account", "user_id": "1001", "account_login": "x", "account_type": "unix"}),
            "user-account--c525fe9c-71da-5cf8-bd76-50bba55eba6a",
        ),
        (
            json!({"type": "software", "name": "Word", "vendor": "Microsoft"}),
            "software--e7fe4452-5d58-52cf-864e-3642b52c1eb7",
        ),
        (
            json!({"type": "email-message", "is_multipart": false, "subject": "s", "body": "b"}),
            "email-message--a997e674-22e8-5726-8c77-d87d7802be38",
        ),
        (json!({"type": "mutex", "name": "m"}), "mutex--07f2b411-b577-5759-885d-c3058bce0b29"),
        (
            json!({"type": "x509-certificate", "serial_number": "01:02"}),
            "x509-certificate--79f84c1a-9212-596d-9905-a409724a0d6c",
        ),
        (
            json!({"type": "artifact", "payload_bin": "Zm9v"}),
            "artifact--1351dbf6-5f51-5625-abd0-2192997fda17",
        ),
    ] {
        assert_eq!(sco_id(&object).as_deref(), Some(id), "{:?}", sco_key(&object));
    }
    let file =
        json!({"type": "file", "name": "a", "hashes": {"SHA-256": "x", "MD5": "y"}, "size": 5});
    assert_eq!(sco_key(&file).as_deref(), Some(r#"{"hashes":{"MD5":"y"},"name":"a"}"#));
    assert_eq!(sco_id(&json!({"type": "process", "pid": 5})), None);
    assert_eq!(sco_id(&json!({"type": "file", "size": 5})), None);
}
