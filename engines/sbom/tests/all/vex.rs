//! VEX in and out, and decisions that outlive upgrades.

use sbom::{
    Limits,
    advisory::{Advisory, read as read_advisories},
    judge::{Index, Reason, State, Subject},
    purl::Purl,
    vex::{self, Decision, Document, Form, Product, Standing, Statement, Status, standing},
};

fn purl(text: &str) -> Purl {
    Purl::parse(text).unwrap()
}

fn statement(text: &str, status: Status, justification: Option<&str>) -> Statement {
    Statement {
        advisory: "CVE-2024-1".into(),
        product: Product::Purl(purl(text)),
        status,
        original: status.name().into(),
        justification: justification.map(str::to_owned),
        impact: None,
        action: (status == Status::Affected).then(|| "update".to_owned()),
        author: "Plum".into(),
        at: Some("2024-01-01T00:00:00Z".into()),
    }
}

fn read(text: &str) -> Vec<Statement> {
    let read = vex::read(text.as_bytes(), &Limits::DEFAULT);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    read.statements
}

#[test]
fn what_is_written_is_read_back_in_every_format() {
    let statements = [
        statement("pkg:npm/a@1.0.0", Status::NotAffected, Some("vulnerable_code_not_present")),
        statement("pkg:npm/b@1.0.0", Status::Affected, None),
        statement("pkg:deb/debian/c@1-1", Status::Fixed, None),
        statement("pkg:npm/d", Status::UnderInvestigation, None),
    ];
    let document = Document {
        id: "https://plum.example/1".into(),
        author: "Plum".into(),
        namespace: "https://plum.example".into(),
        at: "2024-01-01T00:00:00Z".into(),
        edition: 1,
        title: "Statements".into(),
    };
    for form in [Form::OpenVex, Form::CycloneDx, Form::Csaf20, Form::Csaf21] {
        let again = read(&vex::write(&document, &statements, form).to_string());
        assert_eq!(again.len(), statements.len(), "{form:?}");
        for one in &statements {
            let found = again.iter().find(|s| s.product == one.product).unwrap();
            assert_eq!((found.status, &found.advisory), (one.status, &one.advisory), "{form:?}");
        }
        let reason = again.iter().find(|s| s.status == Status::NotAffected).unwrap();
        assert!(reason.justification.is_some(), "{form:?}");
        if form == Form::Csaf20 {
            let written = vex::write(&document, &statements, form);
            assert_eq!(sbom::csaf::check::check(&written), []);
        }
    }
}

#[test]
fn the_status_stays_as_it_was_written() {
    let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","bom-ref":"x","name":"a","purl":"pkg:npm/a@1.0.0"}],
        "vulnerabilities":[{"id":"CVE-2024-1","analysis":{"state":"false_positive","justification":"code_not_present"},"affects":[{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#x"}]}]}"#;
    let found = read(text);
    assert_eq!(
        (found[0].status, found[0].original.as_str()),
        (Status::NotAffected, "false_positive")
    );
    assert_eq!(found[0].product, Product::Purl(purl("pkg:npm/a@1.0.0")));
    let csaf = read(include_str!("data/csaf-vex.json"));
    let originals: Vec<_> = csaf.iter().map(|s| s.original.as_str()).collect();
    assert_eq!(originals, ["fixed", "known_not_affected"]);
}

#[test]
fn a_statement_without_reason_is_refused_at_its_place() {
    let text = r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"i","author":"a","timestamp":"2024-01-01T00:00:00Z","version":1,
        "statements":[{"vulnerability":{"name":"CVE-1"},"products":["pkg:npm/a"],"status":"not_affected"},
        {"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:npm/b"}],"status":"fixed"}]}"#;
    let read = vex::read(text.as_bytes(), &Limits::DEFAULT);
    assert!(read.problems[0].to_string().starts_with("/statements/0"));
    assert_eq!(read.statements.len(), 1);
}

fn advisory() -> Advisory {
    let text = r#"{"id":"GHSA-1","aliases":["CVE-2024-1"],"affected":[{"package":{"ecosystem":"npm","name":"a"},
        "ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}"#;
    read_advisories(text.as_bytes(), &Limits::DEFAULT).advisories.remove(0)
}

#[test]
fn a_statement_decides_by_alias_and_for_the_version_it_names() {
    let index = Index::new([advisory()]);
    let subject = |v: &str| Subject::of(&purl(&format!("pkg:npm/a@{v}")));
    let said = [statement("pkg:npm/a@1.0.0", Status::NotAffected, Some("component_not_present"))];
    let verdicts = index.judge(&[subject("1.0.0"), subject("1.0.1")], &said);
    assert_eq!(verdicts[0].state, State::NotAffected);
    assert_eq!(verdicts[0].without_statements, Some(State::Affected));
    assert!(matches!(verdicts[0].reason, Reason::Statement { .. }));
    assert_eq!((verdicts[1].state, verdicts[1].without_statements), (State::Affected, None));
}

#[test]
fn a_decision_survives_upgrades_expires_and_reopens_when_its_fact_changes() {
    let decision = Decision {
        purl: purl("pkg:npm/a@1.0.0"),
        advisory: "CVE-2024-1".into(),
        reason: "module not loaded".into(),
        status: Status::NotAffected,
        expires: Some(100),
        facts: vec![("module.sctp".into(), "not loaded".into())],
    };
    let subject = |text: &str| Subject::of(&purl(text));
    let on = |text: &str, now, fact: Option<&str>| {
        let fact = fact.map(str::to_owned);
        standing(&decision, &subject(text), &advisory(), now, move |_| fact.clone())
    };
    let kept = Some("not loaded");
    assert_eq!(on("pkg:npm/a@1.0.0", 50, kept), Standing::Stands);
    assert_eq!(on("pkg:npm/a@3.2.1", 50, kept), Standing::Stands);
    assert_eq!(on("pkg:npm/b@1.0.0", 50, kept), Standing::Elsewhere);
    assert_eq!(on("pkg:npm/a@1.0.0", 100, kept), Standing::Expired(100));
    assert!(matches!(on("pkg:npm/a@1.0.0", 50, Some("loaded")), Standing::Reopened { .. }));
    assert!(matches!(on("pkg:npm/a@1.0.0", 50, None), Standing::Reopened { now: None, .. }));
}
