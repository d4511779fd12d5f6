//! The checklist of Sigma 2.1, a test for each line: what fires, what does not, what is refused and why.

use sigma::{Arena, Env, Limits, LogSource, Match, Matcher, RuleSet, Source, load};

fn document(detection: &str) -> String {
    let indented: String = detection.lines().map(|l| format!("    {l}\n")).collect();
    format!("title: t\nid: r\nlogsource:\n    product: test\ndetection:\n{indented}")
}

fn env() -> Env {
    let mut env = Env::default();
    for (name, values) in [("Servers", vec!["srv*", "db1"]), ("Admins", vec!["root", r"adm\*"])] {
        env.placeholders.insert(name.to_owned(), values.into_iter().map(str::to_owned).collect());
    }
    env
}

fn loaded(text: &str) -> Result<RuleSet, String> {
    let (set, rejected) =
        load(&[Source { file: "f.yml", bytes: text.as_bytes() }], &env(), &Limits::default());
    match rejected.first() {
        None => Ok(set),
        Some(refused) => {
            assert!(refused.line > 0 && refused.column > 0 && refused.file == "f.yml");
            assert!(!refused.reason.en().is_empty());
            assert!(refused.reason.ja().chars().any(|c| c > '\u{3000}'), "{}", refused.reason.ja());
            Err(refused.reason.code().to_owned())
        }
    }
}

fn fires_on(set: &RuleSet, json: &str) -> bool {
    let mut arena = Arena::new();
    arena.json(json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
    arena.set_sources([LogSource::new(None, Some("test"), None)]);
    let mut found: Vec<Match> = Vec::new();
    Matcher::new(set).eval(&arena, &mut found);
    let rule = sigma::RuleId(0);
    let fires = found.contains(&Match { rule });
    let explained = set.explain(&arena, rule).unwrap();
    assert_eq!(explained.matched, fires, "explained otherwise: {json}");
    for test in explained.clauses.iter().flat_map(|c| &c.selections).flat_map(|s| &s.tests) {
        if let Some(hit) = &test.hit {
            assert!(hit.value.get(hit.from..hit.to).is_some(), "{hit:?}");
        }
    }
    fires
}

/// A detection with the events that meet it and those that do not.
fn check(detection: &str, yes: &[&str], no: &[&str]) {
    let set = loaded(&document(detection)).unwrap_or_else(|e| panic!("{e}: {detection}"));
    for json in yes {
        assert!(fires_on(&set, json), "does not fire: {detection}\n{json}");
    }
    for json in no {
        assert!(!fires_on(&set, json), "fires: {detection}\n{json}");
    }
}

/// One selection of one field.
fn field(line: &str, yes: &[&str], no: &[&str]) {
    check(&format!("s:\n    {line}\ncondition: s"), yes, no);
}

fn refused(detection: &str) -> String {
    loaded(&document(detection)).err().unwrap_or_else(|| panic!("is not refused: {detection}"))
}

fn refused_field(line: &str) -> String {
    refused(&format!("s:\n    {line}\ncondition: s"))
}

// Values

#[test]
fn texts_are_equal_without_case_beyond_ascii() {
    field(
        "F: 'ÄPFEL STRAẞE ＡＢＣ'",
        &[r#"{"F":"äpfel straße ａｂｃ"}"#],
        &[r#"{"F":"apfel strasse abc"}"#, r#"{"G":"äpfel straße ａｂｃ"}"#],
    );
}

#[test]
fn wildcards_and_their_escapes() {
    field(
        r"F: 'prog?.exe'",
        &[r#"{"F":"PROGA.exe"}"#, r#"{"F":"prog梅.exe"}"#],
        &[r#"{"F":"prog.exe"}"#, r#"{"F":"prog12.exe"}"#],
    );
    field(r"F: 'a*z'", &[r#"{"F":"az"}"#, r#"{"F":"a\nz"}"#], &[r#"{"F":"azb"}"#]);
    field(r"F: 'a\*z'", &[r#"{"F":"a*z"}"#], &[r#"{"F":"abz"}"#]);
    field(r"F: 'a\?z'", &[r#"{"F":"a?z"}"#], &[r#"{"F":"abz"}"#]);
    field(r"F: 'C:\\*'", &[r#"{"F":"C:\\x"}"#], &[r#"{"F":"C:x"}"#, r#"{"F":"C:*"}"#]);
    field(r"F: 'C:\\\*'", &[r#"{"F":"C:\\*"}"#], &[r#"{"F":"C:\\x"}"#]);
    for value in [r"a\b", r"a\\b"] {
        field(&format!("F: '{value}'"), &[r#"{"F":"a\\b"}"#], &[r#"{"F":"a\\\\b"}"#]);
    }
    for value in [r"a\\\b", r"a\\\\b"] {
        field(&format!("F: '{value}'"), &[r#"{"F":"a\\\\b"}"#], &[r#"{"F":"a\\b"}"#]);
    }
}

#[test]
fn numbers_and_booleans_meet_texts_that_say_the_same() {
    field(
        "F: 4624",
        &[r#"{"F":4624}"#, r#"{"F":"4624"}"#, r#"{"F":4624.0}"#],
        &[r#"{"F":46240}"#, r#"{"F":"x4624"}"#],
    );
    field("F: '4624'", &[r#"{"F":4624}"#], &[r#"{"F":462}"#]);
    field("F: 1.5", &[r#"{"F":1.5}"#, r#"{"F":"1.50"}"#], &[r#"{"F":1}"#]);
    field("F: true", &[r#"{"F":true}"#, r#"{"F":"True"}"#], &[r#"{"F":false}"#, r#"{"F":1}"#]);
    field("F: 9007199254740993", &[r#"{"F":9007199254740993}"#], &[r#"{"F":9007199254740992}"#]);
    field("F: yes", &[r#"{"F":"YES"}"#], &[r#"{"F":true}"#]);
}

#[test]
fn empty_is_not_null() {
    field("F: ''", &[r#"{"F":""}"#], &[r#"{"F":null}"#, "{}", r#"{"F":"x"}"#]);
    field(
        "F: null",
        &[r#"{"F":null}"#, "{}"],
        &[r#"{"F":""}"#, r#"{"F":0}"#, r#"{"F":{"a":1}}"#, r#"{"F":[null,1]}"#],
    );
    field("F: '*'", &[r#"{"F":""}"#, r#"{"F":"x"}"#], &[r#"{"F":null}"#, "{}"]);
    assert_eq!(refused_field("F: ['', null]"), "null-in-list");
    assert_eq!(refused_field("F: [null]"), "null-in-list");
    assert_eq!(refused_field("F|contains: null"), "null-modified");
}

#[test]
fn an_empty_element_of_a_windows_event_is_empty_and_null() {
    let event = r#"{"Event":{"System":{"Channel":"X"},"EventData":{"F":""}}}"#;
    field("F: ''", &[event], &[]);
    field("F: null", &[event], &[]);
}

// Structure

#[test]
fn maps_are_and_lists_are_or() {
    check(
        "s:\n    A: 1\n    B: [2, 3]\ncondition: s",
        &[r#"{"A":1,"B":3}"#],
        &[r#"{"A":1,"B":4}"#, r#"{"B":2}"#],
    );
    check(
        "s:\n    - A: 1\n      B: 2\n    - C: 3\ncondition: s",
        &[r#"{"A":1,"B":2}"#, r#"{"C":3}"#],
        &[r#"{"A":1}"#, r#"{"B":2}"#],
    );
}

#[test]
fn keywords_search_the_whole_event() {
    check(
        "k: ['event::clear', 'DROP*table', 4711]\ncondition: k",
        &[
            r#"{"a":{"b":["x","has Event::CLEAR in it"]}}"#,
            r#"{"m":"drop my table"}"#,
            r#"{"n":47110}"#,
        ],
        &[
            r#"{"event::clear":"in a name"}"#,
            r#"{"a":"drop","b":"table"}"#,
            r#"{"a":"event::","b":"clear"}"#,
        ],
    );
    check(
        "k:\n    '|all':\n        - OabVirtualDirectory\n        - ' -ExternalUrl '\ncondition: k",
        &[r#"{"a":"oabvirtualdirectory","b":"set -externalurl x"}"#],
        &[r#"{"a":"oabvirtualdirectory"}"#],
    );
    check("k:\n    '|re': ['a\\db']\ncondition: k", &[r#"{"x":"za5bz"}"#], &[r#"{"x":"ab"}"#]);
    check("k: [ab]\ncondition: k", &[r#"{"x":"cab"}"#], &[r#"{"x":"a b"}"#]);
    assert_eq!(refused("k: [null]\ncondition: k"), "null-keyword");
    assert_eq!(refused("k:\n    '|cidr': ['10.0.0.0/8']\ncondition: k"), "modifier-keyword");
    assert_eq!(refused("k: word\ncondition: k"), "selection-scalar");
    assert_eq!(refused("k: [[a]]\ncondition: k"), "nested-list");
    assert_eq!(refused("k: []\ncondition: k"), "empty");
    assert_eq!(refused("k: {}\ncondition: k"), "empty");
}

#[test]
fn names_are_dotted_or_hold_dots_and_no_spaces() {
    field(
        "a.b: 1",
        &[r#"{"a":{"b":1}}"#, r#"{"a.b":1}"#, r#"{"a":[{"c":2},{"b":1}]}"#],
        &[r#"{"b":1}"#, r#"{"a":{"B":1}}"#],
    );
    field(
        "SAM User Account: x",
        &[r#"{"SAM User Account":"x"}"#, r#"{"SAMUserAccount":"X"}"#],
        &[r#"{"SAM_User_Account":"x"}"#],
    );
    field(
        "Provider_Name: p",
        &[r##"{"Event":{"System":{"Provider":{"#attributes":{"Name":"P"}}}}}"##],
        &[r#"{"Provider":{"Name":"p"}}"#],
    );
    assert_eq!(refused_field("F: {a: 1}"), "nested-map");
    assert_eq!(refused_field("F: []"), "empty");
}

#[test]
fn one_of_several_values_is_enough() {
    field("F: x", &[r#"{"F":["a","X"]}"#], &[r#"{"F":["a","b"]}"#, r#"{"F":[]}"#]);
    field("F|contains|all: [a, b]", &[r#"{"F":["xa","xb"]}"#], &[r#"{"F":["xa","xc"]}"#]);
}

// Generic modifiers

#[test]
fn startswith_endswith_contains_all() {
    field("F|startswith: adm", &[r#"{"F":"ADMIN"}"#], &[r#"{"F":"xadm"}"#]);
    field(r"F|endswith: '\cmd.exe'", &[r#"{"F":"C:\\CMD.EXE"}"#], &[r#"{"F":"\\cmd.exe2"}"#]);
    field("F|contains: b?d", &[r#"{"F":"aBxDc"}"#], &[r#"{"F":"bd"}"#]);
    field("F|startswith: 'a?c*e'", &[r#"{"F":"abcdefg"}"#], &[r#"{"F":"acde"}"#]);
    field("F|endswith: 'a?c'", &[r#"{"F":"xxabc"}"#], &[r#"{"F":"abcx"}"#]);
    field("F|contains|all: [a, b]", &[r#"{"F":"xbxa"}"#], &[r#"{"F":"a"}"#]);
    field("F|contains: 46", &[r#"{"F":4624}"#], &[r#"{"F":4263}"#]);
    assert_eq!(refused_field("F|contains|all: a"), "all-of-one");
    assert_eq!(refused_field("F|contains|all: [a]"), "all-of-one");
    assert_eq!(refused_field("F|contains|contains: a"), "modifier-twice");
    assert_eq!(refused_field("F|near: a"), "modifier");
    assert_eq!(refused_field("F|: a"), "modifier");
    assert_eq!(refused_field("F|contains: true"), "modifier-type");
}

#[test]
fn exists_looks_only_whether_the_field_is_there() {
    field(
        "F|exists: true",
        &[r#"{"F":null}"#, r#"{"F":""}"#, r#"{"F":{"a":1}}"#, r#"{"F":[]}"#],
        &["{}"],
    );
    field("F|exists: false", &["{}"], &[r#"{"F":null}"#]);
    assert_eq!(refused_field("F|exists: 1"), "modifier-type");
    assert_eq!(refused_field("F|exists|contains: true"), "modifier-order");
}

#[test]
fn cased_looks_at_case() {
    field("F|contains|cased: AbC", &[r#"{"F":"xAbCx"}"#], &[r#"{"F":"xabcx"}"#, r#"{"F":"ABC"}"#]);
    field("F|cased: AbC", &[r#"{"F":"AbC"}"#], &[r#"{"F":"abc"}"#]);
}

#[test]
fn neq_is_different_from_all_of_the_values() {
    field("F|neq: a", &[r#"{"F":"b"}"#, "{}"], &[r#"{"F":"A"}"#]);
    field("F|neq: [1, 2]", &[r#"{"F":3}"#], &[r#"{"F":2}"#]);
    field("F|contains|neq: a", &[r#"{"F":"b"}"#], &[r#"{"F":"xax"}"#]);
    field("F|neq: null", &[r#"{"F":1}"#], &["{}", r#"{"F":null}"#]);
}

// Text modifiers

#[test]
fn windash_takes_five_dashes_for_one_another() {
    for dash in ['-', '/', '–', '—', '―'] {
        field(
            &format!("F|contains|windash: ' {dash}f '"),
            &[
                r#"{"F":"x -F y"}"#,
                r#"{"F":"x /f y"}"#,
                r#"{"F":"x –f y"}"#,
                r#"{"F":"x —f y"}"#,
                r#"{"F":"x ―f y"}"#,
            ],
            &[r#"{"F":"x +f y"}"#, r#"{"F":"x f y"}"#],
        );
    }
    field("F|windash|contains: ' -a-b'", &[r#"{"F":"x /a-b"}"#], &[r#"{"F":"x /a/b"}"#]);
    field("F|contains|all|windash: ['-a', '-b']", &[r#"{"F":"/b /a"}"#], &[r#"{"F":"/b"}"#]);
    assert_eq!(refused_field("F|windash: 1"), "modifier-type");
}

#[test]
fn regular_expressions_look_at_case_unless_told() {
    field("F|re: 'a.c'", &[r#"{"F":"xabcx"}"#], &[r#"{"F":"ABC"}"#, r#"{"F":"a\nc"}"#]);
    for i in ["i", "ignorecase"] {
        field(&format!("F|re|{i}: '^a.c$'"), &[r#"{"F":"ABC"}"#], &[r#"{"F":"x\nabc\ny"}"#]);
    }
    for m in ["m", "multiline"] {
        field(&format!("F|re|{m}: '^abc$'"), &[r#"{"F":"x\nabc\ny"}"#], &[r#"{"F":"xabc"}"#]);
    }
    for s in ["s", "dotall"] {
        field(&format!("F|re|{s}: 'a.c'"), &[r#"{"F":"a\nc"}"#], &[r#"{"F":"A\nC"}"#]);
    }
    field("F|re|i|s: 'a.c'", &[r#"{"F":"A\nC"}"#], &[r#"{"F":"AC"}"#]);
    field("F|re: ['a{2}', '[^b]z']", &[r#"{"F":"aa"}"#, r#"{"F":"cz"}"#], &[r#"{"F":"bz"}"#]);
    field("F|re|startswith: 'a|b'", &[r#"{"F":"bx"}"#], &[r#"{"F":"xb"}"#]);
    for (line, code) in [
        ("F|re: '(?=a)'", "regex"),
        (r"F|re: '(a)\1'", "regex"),
        ("F|re: '('", "regex"),
        (r"F|re: '(\w{200}){200}'", "regex"),
        ("F|re: 5", "modifier-type"),
        ("F|i: a", "modifier-type"),
        ("F|contains|re: a", "modifier-order"),
        ("F|re|base64: a", "modifier-order"),
    ] {
        assert_eq!(refused_field(line), code, "{line}");
    }
}

#[test]
fn encodings_work_in_the_order_given() {
    field("F|base64: foobar", &[r#"{"F":"Zm9vYmFy"}"#], &[r#"{"F":"xZm9vYmFy"}"#]);
    field("F|base64|contains: foobar", &[r#"{"F":"xZm9vYmFyx"}"#], &[r#"{"F":"foobar"}"#]);
    // "xfoobar", "xyfoobar", "xyzfoobar" in Base64
    field(
        "F|base64offset|contains: foobar",
        &[r#"{"F":"eGZvb2Jhcg=="}"#, r#"{"F":"eHlmb29iYXI="}"#, r#"{"F":"eHl6Zm9vYmFy"}"#],
        &[r#"{"F":"Zm9v"}"#],
    );
    // "cmd" as UTF-16: 63 00 6d 00 64 00, 00 63 00 6d 00 64, FF FE 63 00 6d 00 64 00
    for wide in ["wide", "utf16le"] {
        field(&format!("F|{wide}|base64: cmd"), &[r#"{"F":"YwBtAGQA"}"#], &[]);
        field(
            &format!("F|{wide}: cmd"),
            &[r#"{"F":"c\u0000m\u0000d\u0000"}"#],
            &[r#"{"F":"cmd"}"#],
        );
    }
    field("F|utf16be|base64: cmd", &[r#"{"F":"AGMAbQBk"}"#], &[]);
    field("F|utf16|base64: cmd", &[r#"{"F":"//5jAG0AZAA="}"#], &[]);
    field(
        "F|wide|base64offset|contains: cmd",
        &[r#"{"F":"eHgAYwBtAGQAYw=="}"#, r#"{"F":"AAAAYwBtAGQA"}"#],
        &[r#"{"F":"Y21k"}"#],
    );
    for (line, code) in [
        ("F|base64: 'a*'", "wildcard"),
        ("F|contains|base64: a", "wildcard"),
        ("F|utf16: cmd", "unfinished"),
        ("F|wide: 梅", "unfinished"),
        ("F|base64: 5", "modifier-type"),
        ("F|base64offset: true", "modifier-type"),
        ("F|cidr|base64: '10.0.0.0/8'", "modifier-order"),
    ] {
        assert_eq!(refused_field(line), code, "{line}");
    }
}

// Typed modifiers

#[test]
fn numbers_compare() {
    field(
        "F|gt: 5",
        &[r#"{"F":6}"#, r#"{"F":"5.5"}"#],
        &[r#"{"F":5}"#, r#"{"F":"x"}"#, r#"{"F":null}"#],
    );
    field("F|gte: 5", &[r#"{"F":5}"#], &[r#"{"F":4}"#]);
    field("F|lt: 5", &[r#"{"F":-6}"#], &[r#"{"F":5}"#]);
    field("F|lte: 5.5", &[r#"{"F":5.5}"#], &[r#"{"F":6}"#]);
    field("F|gt|neq: 5", &[r#"{"F":5}"#], &[r#"{"F":6}"#]);
    assert_eq!(refused_field("F|gt: '5'"), "modifier-type");
    assert_eq!(refused_field("F|gt|lt: 5"), "modifier-order");
}

#[test]
fn parts_of_a_time_compare() {
    let event = r#"{"F":"2026-11-28T09:45:10.5+09:00"}"#;
    for (line, fires) in [
        ("F|minute: 45", true),
        ("F|hour: 9", true),
        ("F|hour: 0", false),
        ("F|day: 28", true),
        ("F|week: 48", true),
        ("F|month: 11", true),
        ("F|year: 2026", true),
        ("F|hour|gte: 9", true),
        ("F|gte|hour: 10", false),
        ("F|hour|lt: 9", false),
        ("F|month: [10, 11]", true),
        ("F|hour|neq: 9", false),
    ] {
        match fires {
            true => field(line, &[event], &[]),
            false => field(line, &[], &[event]),
        }
    }
    field(
        "F|hour: 9",
        &[r#"{"F":"2025-11-27 09:40:10.132"}"#],
        &[r#"{"F":"2025-11-27"}"#, r#"{"F":9}"#],
    );
    for (line, code) in [
        ("F|hour: 24", "out-of-range"),
        ("F|month: 0", "out-of-range"),
        ("F|day: 1.5", "out-of-range"),
        ("F|hour: '9'", "modifier-type"),
        ("F|minute|hour: 5", "modifier-order"),
    ] {
        assert_eq!(refused_field(line), code, "{line}");
    }
}

#[test]
fn networks_of_both_versions() {
    field(
        "F|cidr: 10.0.0.0/8",
        &[r#"{"F":"10.1.2.3"}"#],
        &[r#"{"F":"11.1.2.3"}"#, r#"{"F":"10.1"}"#, r#"{"F":"::1"}"#],
    );
    field(
        "F|cidr: ['fe80::/10', '::1/128']",
        &[r#"{"F":"FE80::abcd"}"#, r#"{"F":"::1"}"#],
        &[r#"{"F":"::2"}"#],
    );
    assert_eq!(refused_field("F|cidr: 10.0.0.1/8"), "cidr");
    assert_eq!(refused_field("F|cidr: 10"), "modifier-type");
}

#[test]
fn fields_compare_with_fields() {
    field(
        "F|fieldref: G",
        &[r#"{"F":"a","G":"A"}"#, r#"{"F":["x","a"],"G":"a"}"#],
        &[r#"{"F":"a","G":"b"}"#, r#"{"F":"a"}"#, "{}"],
    );
    field("F|fieldref|neq: G", &[r#"{"F":"a","G":"b"}"#], &[r#"{"F":"a","G":"a"}"#]);
    for order in ["fieldref|startswith", "startswith|fieldref"] {
        field(&format!("F|{order}: G"), &[r#"{"F":"abc","G":"AB"}"#], &[r#"{"F":"abc","G":"bc"}"#]);
    }
    for order in ["fieldref|endswith", "endswith|fieldref"] {
        field(&format!("F|{order}: G"), &[r#"{"F":"abc","G":"BC"}"#], &[r#"{"F":"abc","G":"ab"}"#]);
    }
    field("F|fieldref|contains: G", &[r#"{"F":"abc","G":"b"}"#], &[r#"{"F":"abc","G":"d"}"#]);
    field("F|fieldref|cased: G", &[r#"{"F":"a","G":"a"}"#], &[r#"{"F":"a","G":"A"}"#]);
    field("F|fieldref: 'a.b'", &[r#"{"F":"x","a":{"b":"x"}}"#], &[r#"{"F":"x","b":"x"}"#]);
    assert_eq!(refused_field("F|fieldref: 5"), "modifier-type");
}

#[test]
fn placeholders_come_from_the_register() {
    field(
        "F|expand: '%Servers%'",
        &[r#"{"F":"SRV9"}"#, r#"{"F":"db1"}"#],
        &[r#"{"F":"db2"}"#, r#"{"F":"%Servers%"}"#],
    );
    field(
        r"F|expand: '%Admins%@%Servers%'",
        &[r#"{"F":"root@srv1"}"#, r#"{"F":"adm*@db1"}"#],
        &[r#"{"F":"admin@db1"}"#],
    );
    field("F|contains|expand: '%Admins%'", &[r#"{"F":"is root here"}"#], &[r#"{"F":"is user"}"#]);
    field("F|expand|contains: '%Admins%'", &[r#"{"F":"is root here"}"#], &[r#"{"F":"is user"}"#]);
    field("F: '%Servers%'", &[r#"{"F":"%servers%"}"#], &[r#"{"F":"srv1"}"#]);
    field(r"F|expand: '\%Servers%'", &[r#"{"F":"%servers%"}"#], &[r#"{"F":"srv1"}"#]);
    assert_eq!(refused_field("F|expand: '%Nobody%'"), "placeholder");
    assert_eq!(refused_field("F|wide|expand: '%Servers%'"), "wildcard");
}

// Conditions

#[test]
fn conditions_join_selections() {
    let detection = |condition: &str| {
        format!("a1: {{A: 1}}\na2: {{B: 1}}\nf: {{C: 1}}\n_x: {{D: 1}}\ncondition: {condition}")
    };
    for (condition, yes, no) in [
        ("a1 and not f", r#"{"A":1}"#, r#"{"A":1,"C":1}"#),
        ("1 of a*", r#"{"B":1}"#, r#"{"C":1}"#),
        ("all of a*", r#"{"A":1,"B":1}"#, r#"{"A":1}"#),
        ("1 of them", r#"{"C":1}"#, r#"{"D":1}"#),
        ("all of them", r#"{"A":1,"B":1,"C":1}"#, r#"{"A":1,"B":1,"D":1}"#),
        ("a1 or a2 and f", r#"{"A":1}"#, r#"{"B":1}"#),
        ("(a1 or a2) and f", r#"{"B":1,"C":1}"#, r#"{"A":1}"#),
        ("not a1 and _x", r#"{"D":1}"#, r#"{"A":1,"D":1}"#),
        ("[a1, f]", r#"{"C":1}"#, r#"{"B":1}"#),
        ("not 1 of a*", "{}", r#"{"A":1}"#),
    ] {
        check(&detection(condition), &[yes], &[no]);
    }
    for (condition, code) in [
        ("a1 | count() > 5", "condition-pipe"),
        ("b", "condition-name"),
        ("1 of b*", "condition-pattern"),
        ("a1 and", "condition"),
        ("5", "wants-text"),
        ("[]", "empty"),
    ] {
        assert_eq!(refused(&detection(condition)), code, "{condition}");
    }
    assert_eq!(refused("a: {A: 1}\ntimeframe: 5m\ncondition: a"), "timeframe");
    assert_eq!(refused("a: {A: 1}"), "missing");
    assert_eq!(refused("condition: a"), "empty");
}

#[test]
fn a_bomb_of_conditions_names_its_limit() {
    let values: String = (0..10_000).map(|n| format!("v{n}, ")).collect();
    let condition = vec!["a"; 50].join(" or ");
    assert_eq!(refused(&format!("a: {{F: [{values}]}}\ncondition: {condition}")), "limit");
    let values: String = (0..30_000).map(|n| format!("v{n}, ")).collect();
    assert_eq!(refused(&format!("a: {{F: [{values}]}}\ncondition: a")), "limit");
    assert_eq!(refused(&format!("a: {{F: '{}'}}\ncondition: a", "x".repeat(70_000))), "limit");
}

// Explanations

#[test]
fn an_explanation_shows_the_bytes_that_met_a_test() {
    let set = loaded(&document(
        "s:\n    F|contains: 'straẞe'\n    G|re: '\\d+'\nf:\n    H: x\ncondition: s and not f",
    ))
    .unwrap();
    let mut arena = Arena::new();
    arena.json(r#"{"F":"KKK Straße 5","G":"ab123"}"#.as_bytes()).unwrap();
    arena.set_sources([LogSource::new(None, Some("test"), None)]);
    let explained = set.explain(&arena, sigma::RuleId(0)).unwrap();
    assert!(explained.matched && explained.concerned);
    let selections = &explained.clauses[0].selections;
    let hit = |at: usize| selections[0].tests[at].hit.unwrap();
    assert_eq!(&hit(0).value[hit(0).from..hit(0).to], "Straße");
    assert_eq!(&hit(1).value[hit(1).from..hit(1).to], "123");
    assert!(!selections[1].holds && selections[1].tests[0].hit.is_none());
    arena.set_sources([LogSource::new(None, Some("other"), None)]);
    let explained = set.explain(&arena, sigma::RuleId(0)).unwrap();
    assert!(!explained.matched && !explained.concerned && explained.clauses[0].holds);
}
