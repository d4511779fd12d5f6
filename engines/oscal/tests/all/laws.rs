//! Laws over arbitrary documents, and hostile bytes.

use oscal::{Document, Form, Limits, Members, Node, check, overlay};
use proptest::prelude::*;

/// Texts that look like something else, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\n]{0,12}",
        "(no|yes|null|~|1\\.0|0x1F|2024-02-01|<<|- a|a: b|#|\\| |梅竹松|\u{85}|\u{2028}|\t|\r\n| ){1,3}",
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// Names of OSCAL's members beside any others, so that the model's types are met.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "metadata",
            "title",
            "version",
            "props",
            "value",
            "groups",
            "controls",
            "remarks",
            "uuid",
            "id",
            "parts",
            "roles",
            "include-all",
            "start",
        ])
        .prop_map(str::to_owned),
        text(),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        number().prop_map(Node::Number),
        text().prop_map(Node::Text),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Node::List),
            prop::collection::vec((name(), inner), 0..6).prop_map(|members| {
                let mut out = Members::new();
                members.into_iter().for_each(|(name, value)| out.set(name, value));
                Node::Object(out)
            }),
        ]
    })
}

fn document() -> impl Strategy<Value = Document> {
    let kinds = prop::sample::select(vec!["catalog", "system-security-plan", "profile", "x"]);
    (kinds, node()).prop_map(|(kind, body)| {
        let mut root = Members::new();
        root.set(kind, body);
        Document::from(Node::Object(root))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_document_survives_both_forms_with_its_order(document in document()) {
        for form in [Form::Json, Form::Yaml] {
            let written = document.write(form);
            let read = Document::read_as(form, written.as_bytes(), &Limits::default());
            // `==` of documents holds order and the text of numbers against each other.
            prop_assert_eq!(read.as_ref(), Ok(&document), "{}", written);
            prop_assert_eq!(read.unwrap().write(form), written, "written twice is written once");
        }
    }

    #[test]
    fn json_is_json_to_another_reader(document in document()) {
        let text = document.write(Form::Json);
        let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
        // Exponents beyond what a float holds are the one thing it refuses.
        if let Ok(theirs) = theirs {
            let again = Document::read(theirs.to_string().as_bytes()).unwrap();
            prop_assert_eq!(again.write(Form::Json).lines().count(), text.lines().count());
        } else {
            prop_assert!(text.contains(['e', 'E']), "{}", text);
        }
    }

    #[test]
    fn json_is_yaml(document in document()) {
        let text = document.write(Form::Json);
        let as_yaml = Document::read_as(Form::Yaml, text.as_bytes(), &Limits::default());
        // Numbers at places of the model that hold texts are texts to YAML, and control characters that
        // JSON takes as they are YAML does not.
        if let Ok(as_yaml) = as_yaml {
            prop_assert_eq!(shape(as_yaml.root()), shape(document.root()));
        }
    }

    #[test]
    fn checking_ends_and_names_places_that_exist(document in document()) {
        for finding in check(&document, &[]) {
            let missing = finding.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            let there = document.at(&finding.pointer).is_some() || document.at(missing).is_some();
            prop_assert!(there, "{}", finding.pointer);
            prop_assert!(!finding.rule.en().is_empty() && !finding.rule.ja().is_empty());
        }
    }

    #[test]
    fn laying_over_loses_nothing_of_the_new_and_repeats_nothing(a in document(), b in document()) {
        let first = overlay(&a, &b);
        prop_assert_eq!(overlay(&a, &a).document, a);
        for pointer in &first.kept {
            prop_assert!(first.document.at(pointer).is_some(), "{}", pointer);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for form in [Form::Json, Form::Yaml] {
            if let Ok(document) = Document::read_as(form, &bytes, &Limits::default()) {
                check(&document, &[]);
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "[\\[\\]{}:,&*!|>'\"%@?#<~ \n\ta-c0-9.\\\\-]{0,80}") {
        for form in [Form::Json, Form::Yaml] {
            if let Ok(document) = Document::read_as(form, text.as_bytes(), &Limits::default()) {
                let again = document.write(Form::Yaml);
                let read = Document::read_as(Form::Yaml, again.as_bytes(), &Limits::default());
                prop_assert_eq!(read.as_ref(), Ok(&document), "{}", again);
            }
        }
    }
}

/// The number of values below, which no retyping changes.
fn shape(node: &Node) -> usize {
    match node {
        Node::List(items) => 1 + items.iter().map(shape).sum::<usize>(),
        Node::Object(members) => 1 + members.iter().map(|(_, value)| shape(value)).sum::<usize>(),
        _ => 1,
    }
}

#[test]
fn damaged_files_are_refused_or_read_but_never_end_the_program() {
    let text = r##"{"catalog": {"uuid": "74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724", "metadata": {"title": "梅",
        "last-modified": "2026-11-28T09:00:00+09:00", "version": "1.0", "oscal-version": "1.2.1",
        "props": [{"name": "x", "value": "\ud83c\udf38"}]}, "controls": [{"id": "a.5.7", "title": "t"}]}}"##;
    let yaml = Document::read(text.as_bytes()).unwrap().write(Form::Yaml);
    for source in [text.as_bytes(), yaml.as_bytes()] {
        for at in 0..source.len() {
            for byte in [0, b'"', b'{', b'[', b':', b'\n', b'&', 0xff] {
                let mut damaged = source.to_vec();
                damaged[at] = byte;
                drop(Document::read(&damaged).map(|document| check(&document, &[])));
            }
            drop(Document::read(&source[..at]).map(|document| check(&document, &[])));
        }
    }
}
