//! What is exported: the files under `tests/exports`, which `tests/oscal/run` gives to another program.
//! `UME_BLESS=1` writes them anew.

// Tests read and write files; the engine does not.
#![allow(clippy::disallowed_methods)]

use company::{about, exports};
use oscal::{
    Document, Form, Rule, check,
    export::{self, Refused, Status, Tongue},
    import, overlay,
};

use crate::company;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exports");

#[test]
fn exports_are_the_files_that_were_looked_at() {
    for (tongue, suffix) in [(Tongue::Ja, "ja"), (Tongue::En, "en")] {
        for (name, document) in exports(tongue) {
            let path = format!("{FOLDER}/{suffix}/{name}.json");
            let found = document.write(Form::Json);
            if std::env::var_os("UME_BLESS").is_some() {
                std::fs::create_dir_all(format!("{FOLDER}/{suffix}")).unwrap();
                std::fs::write(&path, &found).unwrap();
            }
            let want = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == want,
                "{path} differs; UME_BLESS=1 rewrites it, then look at the difference"
            );
        }
    }
}

#[test]
fn exports_have_no_finding_even_when_all_are_looked_up_in_each_other() {
    let all = exports(Tongue::Ja);
    let documents: Vec<&Document> = all.iter().map(|(_, document)| document).collect();
    for (name, document) in &all {
        let mut findings = check(document, &documents);
        // What a provider offers under which UUID stands in the provider's own plan.
        findings.retain(|f| !matches!(&f.rule, Rule::Elsewhere(id) if id.starts_with("11111111-")));
        assert_eq!(findings, [], "{name}");
    }
}

#[test]
fn the_same_input_makes_the_same_document_and_another_organisation_other_ids() {
    assert_eq!(exports(Tongue::Ja), exports(Tongue::Ja));
    let mut other = about("管理策一覧", "Controls", Tongue::Ja);
    other.namespace = oscal::uuid_v5(&other.namespace, "another");
    let ours = export::catalog(&about("a", "b", Tongue::Ja), "x", &company::groups()).unwrap();
    let theirs = export::catalog(&other, "x", &company::groups()).unwrap();
    assert_ne!(ours.at("/catalog/uuid"), theirs.at("/catalog/uuid"));
}

fn refused(made: Result<Document, Refused>) -> Vec<(String, &'static str)> {
    let Refused(findings) = made.expect_err("is made all the same");
    findings.into_iter().map(|finding| (finding.pointer, finding.rule.name())).collect()
}

#[test]
fn what_would_break_a_rule_is_not_written() {
    let about = about("x", "x", Tongue::En);
    let mut groups = company::groups();
    groups[0].controls[0].id = "5.7".into();
    groups[0].controls[0].objectives.clear();
    let at = "/catalog/groups/0/controls/0";
    let want = vec![
        (format!("{at}/id"), "value"),
        (format!("{at}/parts/0/id"), "value"),
        (format!("{at}/parts/0/parts/0/id"), "value"),
    ];
    assert_eq!(refused(export::catalog(&about, "x", &groups)), want);

    let mut late = about.clone();
    late.last_modified = "2026-11-28T09:00:00".into();
    let found = refused(export::catalog(&late, "x", &company::groups()));
    assert_eq!(found, [("/catalog/metadata/last-modified".to_owned(), "no-zone")]);

    let mut nobody = company::statement();
    nobody.rows[0].owner = Some("nobody".into());
    let found = refused(export::system_security_plan(&about, &nobody));
    let at = "/system-security-plan/control-implementation/implemented-requirements/0";
    assert_eq!(found, [(format!("{at}/responsible-roles/0/party-uuids/0"), "dangling")]);

    let mut empty = company::statement();
    empty.rows.clear();
    let found = refused(export::system_security_plan(&about, &empty));
    assert_eq!(
        found,
        [("/system-security-plan/control-implementation".to_owned(), "missing-member")]
    );

    let mut twice = company::statement();
    twice.rows.push(twice.rows[0].clone());
    assert!(refused(export::system_security_plan(&about, &twice)).iter().all(|f| f.1 == "double"));

    let none = export::profile(&about, "x", "catalog.json", &["5.7".to_owned()]);
    let at = "/profile/imports/0/include-controls/0/with-ids/0";
    assert_eq!(refused(none), [(at.to_owned(), "value")]);
}

#[test]
fn a_statement_of_applicability_is_read_back_as_it_was() {
    let (_, document) = exports(Tongue::Ja).swap_remove(3);
    let plan = import::system_security_plan(&document).unwrap();
    assert_eq!((plan.system.as_str(), plan.profile.as_str()), ("架空製作所のISMS", "profile.json"));
    assert_eq!(plan.leveraged[0].party, "雲井クラウド");
    let rows = &plan.requirements;
    let statuses: Vec<_> =
        rows.iter().map(|row| (row.control.as_str(), row.status.as_deref())).collect();
    let want = company::statement().rows;
    let names = |status: Status| match status {
        Status::Implemented => "implemented",
        Status::Partial => "partial",
        Status::NotApplicable => "not-applicable",
        _ => unreachable!(),
    };
    let want: Vec<_> = want.iter().map(|row| (row.control.clone(), names(row.status))).collect();
    assert!(
        statuses.iter().zip(&want).all(|(a, b)| a.0 == b.0 && a.1 == Some(b.1)),
        "{statuses:?}"
    );
    assert_eq!(rows[0].owners, ["佐藤 花"]);
    assert_eq!(rows[0].parts[0].description, "台帳と手順で運用している。");
    assert_eq!(rows[0].links.len(), 1);
    assert_eq!(rows[1].parts[1].title, "雲井クラウド");
    assert_eq!(
        rows[1].parts[1].inherited[0].of.as_deref(),
        Some("11111111-1111-4111-8111-111111111111")
    );
    assert_eq!(rows[1].parts[1].satisfied[0].description, "権限は自社で見直す。");
    assert_eq!(rows[2].parts[0].provided[0].description, "子会社へ復旧手順を提供する。");
    assert_eq!(
        rows[2].parts[0].responsibilities[0].of,
        Some(rows[2].parts[0].provided[0].uuid.clone())
    );
    assert_eq!(rows[3].remarks, "自社で開発しない。\n\n次は竹を目指す。");
    let level = |row: &import::Requirement| {
        row.props.iter().find(|prop| prop.name == "level").map(|prop| prop.value.clone())
    };
    assert_eq!((level(&rows[0]), level(&rows[3])), (Some("ume".to_owned()), None));
    for row in rows {
        let control = document.at(&row.pointer).and_then(|node| node.text_of("control-id"));
        assert_eq!(control, Some(row.control.as_str()), "{}", row.pointer);
    }
}

#[test]
fn catalogues_profiles_and_components_are_read_back() {
    let all = exports(Tongue::En);
    let catalog = import::catalog(&all[0].1).unwrap();
    assert_eq!(catalog.head.oscal_version, export::OSCAL_VERSION);
    let first = &catalog.controls[0];
    assert_eq!((first.id.as_str(), first.label.as_str()), ("a.5.7", "5.7"));
    assert_eq!(first.statement, "Decide on Threat intelligence and keep to it.");
    assert_eq!(first.groups, ["Organizational controls"]);
    let japanese = first.props.iter().find(|prop| prop.class.as_deref() == Some("ja")).unwrap();
    assert_eq!(japanese.value, "脅威インテリジェンス");
    let profile = import::profile(&all[1].1).unwrap();
    assert_eq!(
        (profile.imports[0].href.as_str(), profile.imports[0].include.len()),
        ("catalog.json", 4)
    );
    let components = import::component_definition(&all[2].1).unwrap();
    assert_eq!(components.components[0].requirements[0].description, "Reads its sources daily.");
    assert_eq!(import::catalog(&all[1].1), None);
}

#[test]
fn statements_are_read_with_their_parts_and_parameters() {
    let text = r##"{"catalog": {"controls": [{"id": "ac-1", "title": "t",
        "params": [{"id": "p1", "label": "staff"}, {"id": "p2", "values": ["a", "b"]},
            {"id": "p3", "select": {"choice": ["{{ insert: param, p1 }} weekly", "never"]}},
            {"id": "loop", "values": ["{{ insert: param, loop }}"]}],
        "parts": [{"name": "statement", "prose": "Tell {{ insert: param, p1 }}:", "parts": [
            {"name": "item", "prose": "{{insert: param, p2}} and {{ insert: param, p3 }}",
             "props": [{"name": "label", "value": "a."}]},
            {"name": "item", "prose": "{{ insert: param, unknown }} {{ open"}]},
            {"name": "guidance", "prose": "not this"}],
        "controls": [{"id": "ac-1.1", "title": "deeper"}]}]}}"##;
    let catalog = import::catalog(&Document::read(text.as_bytes()).unwrap()).unwrap();
    let want = "Tell [staff]:\n  a. a, b and [[staff] weekly / never]\n  {{ insert: param, unknown }} {{ open";
    assert_eq!(catalog.controls[0].statement, want);
    assert_eq!(catalog.controls[1].parent.as_deref(), Some("ac-1"));
    assert_eq!(catalog.controls[1].pointer, "/catalog/controls/0/controls/0");
    let text = text.replace("{{ insert: param, p1 }}:", "{{ insert: param, loop }}");
    import::catalog(&Document::read(text.as_bytes()).unwrap()).unwrap();
}

#[test]
fn a_later_export_over_a_foreign_plan_keeps_what_ume_does_not_say() {
    let (_, fresh) = exports(Tongue::En).swap_remove(3);
    let mut foreign = fresh.clone();
    let at = "/system-security-plan/system-characteristics";
    let node = foreign.at_mut(at).unwrap().members_mut().unwrap();
    node.set("x-vendor", "kept");
    node.set("security-sensitivity-level", "moderate");
    let found = overlay(&foreign, &fresh);
    assert_eq!(found.document.difference(&foreign), None);
    assert_eq!(found.kept, [format!("{at}/x-vendor"), format!("{at}/security-sensitivity-level")]);
}
