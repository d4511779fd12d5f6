//! What patterns say and mean, rule by rule.

use indicators::Kind;
use indicators::pattern::{
    Budget, Observation, Observed, Outcome, Plan, Side, Trigger, eval, observations, parse, plan,
};
use serde_json::{Value, json};

/// Whether a pattern matches one observation of these objects.
fn on(pattern: &str, objects: Value) -> bool {
    let objects = objects.as_array().expect("a list");
    let observed = Observed { id: "", first: 0, last: 0, number: 1 };
    let observation = Observation::new(observed, objects.iter().collect());
    let pattern = parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    matches!(eval(&pattern, &[observation], Budget::default()), Outcome::True(_))
}

/// Observations of `x:a = n`, with first and last second and number.
fn over(pattern: &str, seen: &[(i64, i64, i64, u32)]) -> Outcome {
    over_within(pattern, seen, Budget::default())
}

fn over_within(pattern: &str, seen: &[(i64, i64, i64, u32)], budget: Budget) -> Outcome {
    let objects: Vec<Value> =
        seen.iter().map(|s| json!({"type": "x", "id": "x--1", "a": s.0})).collect();
    let observations: Vec<Observation<'_>> = seen
        .iter()
        .zip(&objects)
        .map(|(&(_, first, last, number), object)| {
            let observed =
                Observed { id: "", first: first * 1_000_000, last: last * 1_000_000, number };
            Observation::new(observed, vec![object])
        })
        .collect();
    let pattern = parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    eval(&pattern, &observations, budget)
}

fn found(pattern: &str, seen: &[(i64, i64, i64, u32)]) -> bool {
    matches!(over(pattern, seen), Outcome::True(_))
}

#[test]
fn what_is_no_pattern_is_refused_at_its_place() {
    let wrong: &[(&str, usize, &str)] = &[
        ("", 0, "expected \"[\" or \"(\", found the end"),
        ("[file:name = 'a'", 16, "expected \"]\""),
        ("[file:name = 'a']]", 17, "expected the end"),
        ("[file:size = 012]", 14, "expected \"]\""),
        ("[a:b = 1.]", 8, "expected \"]\""),
        ("[a:b-c = 1]", 3, "without hyphen"),
        ("[a:b > true]", 7, "a value that has an order"),
        ("[a:b IN (1, 'x')]", 12, "of one type"),
        ("[a:b IN ('x',)]", 13, "expected a value"),
        (r"[a:b = 'x\n']", 9, "a backslash"),
        ("[a:b = 'x]", 7, "does not end"),
        ("[a:b = b'']", 7, "no base64"),
        ("[a:b = h'f']", 7, "no hexadecimal"),
        ("[a:b = t'2014-02-30T00:00:00Z']", 7, "no timestamp"),
        ("[NOT a:b = 1]", 5, "expected EXISTS"),
        ("[a:IN = 1]", 3, "the name of a property"),
        ("[a:b ISSUBSET '10.0.0.0/33']", 14, "no network"),
        ("[a:b MATCHES 'x(?=y)']", 15, "look-around"),
        (r"[a:b MATCHES 'é\\\\(x)\\1']", 23, "back references"),
        ("[a:b MATCHES '(']", 14, "unclosed group"),
        ("[a:b = 1] REPEATS 0 TIMES", 18, "1 to"),
        ("[a:b = 1] WITHIN 0 SECONDS", 17, "more than 0"),
        ("[a:b = 1] WITHIN 5 MINUTES", 19, "expected SECONDS"),
        ("[a:b = 1] WITHIN 5 SECONDS WITHIN 5 SECONDS", 27, "stands here already"),
        ("[a:b = 1] REPEATS 2 TIMES REPEATS 2 TIMES", 26, "stands here already"),
        ("[a:b = 1] START t'2014-01-01T00:00:00Z' STOP t'2014-01-01T00:00:00Z'", 45, "after START"),
        ("[a:b = 1] /* open", 10, "does not end"),
        ("[a:b = 1] § [a:b = 1]", 10, "has no place here"),
        ("[a:b = 99999999999999999999999999999999999999999]", 7, "too large"),
    ];
    for (text, offset, what) in wrong {
        let error = parse(text).expect_err(text);
        assert_eq!(error.offset, *offset, "{text}: {error}");
        assert!(error.what.contains(what), "{text}: {error}");
    }
    let error = parse("[a:b = 1]\n AND [か:b = 1]").expect_err("か names no type");
    assert_eq!((error.line, error.column), (2, 7), "{error}");
}

#[test]
fn bombs_meet_limits() {
    let deep = format!("{}[a:b = 1]{}", "(".repeat(100), ")".repeat(100));
    assert!(parse(&deep).unwrap_err().what.contains("deeper than"));
    let long = format!("[a:b{} = 1]", ".c".repeat(40));
    assert!(parse(&long).unwrap_err().what.contains("steps"));
    let chain = vec!["[a:b = 1]"; 65].join(" FOLLOWEDBY ");
    assert!(parse(&chain).unwrap_err().what.contains("64 parts"));
    let many = vec!["a:b = 1"; 10_001].join(" OR ");
    assert!(parse(&format!("[{many}]")).unwrap_err().what.contains("10000 tests"));
    let expression = format!("[a:b MATCHES '{}']", "(a{1000}){1000}");
    assert!(parse(&expression).unwrap_err().what.contains("compiled"));
    assert!(parse(&" ".repeat(300_000)).unwrap_err().what.contains("longer than"));
}

#[test]
fn spellings_blanks_and_comments_do_not_matter() {
    let a = parse("[a:b == 1 AND a:c <> +2] // end").unwrap();
    let b = parse("\u{3000}[a:b=1/* x */AND a:c!=2]").unwrap();
    assert_eq!(a, b);
    assert_eq!(a.to_string(), "[a:b = 1 AND a:c != 2]");
}

#[test]
fn and_binds_tighter_than_or_and_or_than_followedby() {
    let flat = "[a:b = 1] FOLLOWEDBY [a:b = 2] OR [a:b = 3] AND [a:b = 4] WITHIN 5 SECONDS";
    let clear = "[a:b = 1] FOLLOWEDBY ([a:b = 2] OR ([a:b = 3] AND ([a:b = 4] WITHIN 5 SECONDS)))";
    assert_eq!(parse(flat).unwrap(), parse(clear).unwrap());
    assert_eq!(parse(clear).unwrap().to_string(), flat);
    assert_ne!(
        parse("([a:b = 1] OR [a:b = 2]) AND [a:b = 3]").unwrap(),
        parse("[a:b = 1] OR [a:b = 2] AND [a:b = 3]").unwrap()
    );
    assert_eq!(
        parse("[a:b = 1 OR a:c = 2 AND a:d = 3]").unwrap(),
        parse("[a:b = 1 OR (a:c = 2 AND a:d = 3)]").unwrap()
    );
}

#[test]
fn all_tests_of_one_bracket_look_at_the_same_object() {
    let apart =
        json!([{"type": "file", "name": "a", "size": 1}, {"type": "file", "name": "b", "size": 2}]);
    assert!(!on("[file:name = 'a' AND file:size = 2]", apart.clone()));
    assert!(on("[file:name = 'a' AND file:size = 1]", apart.clone()));
    assert!(on("[file:name = 'a' OR file:size = 2]", apart.clone()));
    assert!(!on("[file:name = 'a'] AND [file:size = 2]", apart), "one observation is not two");
}

#[test]
fn values_of_unlike_types_are_unequal_and_have_no_order() {
    let object = json!([{"type": "x", "n": 5, "s": "5", "b": true, "f": 5.0, "l": [5], "big": 9007199254740993u64}]);
    for yes in [
        "x:n = 5",
        "x:n = 5.0",
        "x:f = 5",
        "x:n != '5'",
        "x:s != 5",
        "x:b = true",
        "x:b != 1",
        "x:n NOT = '5'",
        "x:n > 4.5",
        "x:n IN (1, 5.0)",
        "x:s NOT IN (5)",
        "x:l != 5",
        "x:l[*] = 5",
        "x:l[0] = 5",
        "x:big = 9007199254740993",
        "x:big != 9007199254740992.0",
        "x:big > 9007199254740992.0",
        "x:s NOT < '4'",
        "x:s >= '4'",
        "EXISTS x:l",
        "NOT EXISTS x:nothing",
    ] {
        assert!(on(&format!("[{yes}]"), object.clone()), "{yes}");
    }
    for no in [
        "x:n = '5'",
        "x:s = 5",
        "x:b = 1",
        "x:n < '6'",
        "x:n NOT < '6'",
        "x:n NOT >= '6'",
        "x:s > 4",
        "x:l = 5",
        "x:l[1] = 5",
        "x:l[-1] = 5",
        "x:n[*] = 5",
        "x:nothing != 5",
        "x:nothing NOT = 5",
        "x:nothing NOT IN (5)",
        "y:n != 5",
        "NOT EXISTS x:n",
        "x:n LIKE '5'",
        "x:n MATCHES '5'",
    ] {
        assert!(!on(&format!("[{no}]"), object.clone()), "{no}");
    }
    assert!(on("[x:n NOT LIKE '5']", object.clone()) && on("[x:n NOT MATCHES '5']", object));
}

#[test]
fn bytes_compare_with_bytes_and_with_texts_below_256() {
    let object = json!([{"type": "x", "m_hex": "FFd8", "p_bin": "1MOyoQIABAA=", "t": "ÿØ", "w": "あ", "bad_hex": "zz"}]);
    for yes in [
        "x:m_hex = h'ffd8'",
        "x:m_hex = b'/9g='",
        "x:m_hex = 'ÿØ'",
        "x:t = h'ffd8'",
        "x:m_hex > h'ff'",
        "x:m_hex = 'FFd8'",
        "x:w != h'ff'",
        "x:bad_hex != h'00'",
        "x:m_hex IN (h'00', h'ffd8')",
        r"x:p_bin MATCHES '^\\xd4\\xc3\\xb2\\xa1'",
        "x:p_bin MATCHES 'Ô'",
        "x:t < h'ffd9'",
    ] {
        assert!(on(&format!("[{yes}]"), object.clone()), "{yes}");
    }
    for no in [
        "x:w = h'ff'",
        "x:w < h'ff'",
        "x:w NOT < h'ff'",
        "x:m_hex = h'ffd9'",
        "x:p_bin MATCHES 'あ'",
    ] {
        assert!(!on(&format!("[{no}]"), object.clone()), "{no}");
    }
}

#[test]
fn times_compare_as_times_and_texts_as_texts() {
    let object = json!([{"type": "x", "t": "2020-01-01T00:00:00.000Z", "no": "yesterday"}]);
    assert!(on("[x:t = t'2020-01-01T00:00:00Z']", object.clone()));
    assert!(!on("[x:t = '2020-01-01T00:00:00Z']", object.clone()));
    assert!(on("[x:t < t'2020-01-01T00:00:00.000001Z']", object.clone()));
    assert!(on("[x:no != t'2020-01-01T00:00:00Z']", object.clone()));
    assert!(!on("[x:no < t'2020-01-01T00:00:00Z' OR x:no > t'2020-01-01T00:00:00Z']", object));
}

#[test]
fn equality_is_exact_and_networks_have_operators_of_their_own() {
    let object = json!([{"type": "x", "v4": "198.51.100.7", "net": "198.51.100.0/24", "v6": "2001:db8::1", "odd": "x"}]);
    for yes in [
        "x:v4 ISSUBSET '198.51.100.0/24'",
        "x:net ISSUBSET '198.51.0.0/16'",
        "x:net ISSUPERSET '198.51.100.7'",
        "x:v6 ISSUBSET '2001:db8::/32'",
        "x:v4 NOT ISSUBSET '::/0'",
        "x:odd NOT ISSUBSET '0.0.0.0/0'",
    ] {
        assert!(on(&format!("[{yes}]"), object.clone()), "{yes}");
    }
    for no in [
        "x:v4 = '198.51.100.7/32'",
        "x:v4 IN ('198.51.100.0/24')",
        "x:v6 = '2001:DB8::1'",
        "x:net ISSUPERSET '198.51.0.0/16'",
        "x:odd ISSUBSET '0.0.0.0/0'",
    ] {
        assert!(!on(&format!("[{no}]"), object.clone()), "{no}");
    }
}

#[test]
fn references_lead_on_and_are_ids_at_the_end() {
    let objects = json!([
        {"type": "file", "id": "file--1", "name": "a", "parent_directory_ref": "directory--1", "contains_refs": ["file--2", "gone"]},
        {"type": "file", "id": "file--2", "name": "inner", "parent_directory_ref": "gone"},
        {"type": "directory", "id": "directory--1", "path": "C:\\", "contains_refs": ["file--1"]},
        {"type": "process", "id": "process--1", "image_ref": "file--1", "parent_ref": "process--1"},
    ]);
    for yes in [
        r"file:parent_directory_ref.path = 'C:\\'",
        "file:contains_refs[*].name = 'inner'",
        "file:contains_refs[0].name = 'inner'",
        "file:contains_refs[0] = 'file--2'",
        "directory:contains_refs[*].contains_refs[*].name = 'inner'",
        "process:name = 'a'",
        "process:parent_ref.parent_ref.parent_ref.image_ref.name = 'a'",
        "EXISTS file:parent_directory_ref",
    ] {
        assert!(on(&format!("[{yes}]"), objects.clone()), "{yes}");
    }
    for no in [
        "file:contains_refs[1].name != 'x'",
        "file:contains_refs[*].path = 'C:'",
        "file:name.x = 1",
    ] {
        assert!(!on(&format!("[{no}]"), objects.clone()), "{no}");
    }
    let named = json!([{"type": "process", "name": "b", "image_ref": "f"}, {"type": "file", "id": "f", "name": "a"}]);
    assert!(!on("[process:name = 'a']", named), "a name of its own goes first");
}

#[test]
fn stix_2_0_and_2_1_observed_data_are_read() {
    let objects = json!([
        {"type": "observed-data", "id": "observed-data--1", "first_observed": "2020-01-01T00:00:00Z",
         "last_observed": "2020-01-01T00:00:05Z", "number_observed": 2,
         "objects": {"0": {"type": "ipv4-addr", "value": "192.0.2.1"},
                     "1": {"type": "network-traffic", "dst_ref": "0"}}},
        {"type": "observed-data", "id": "observed-data--2", "first_observed": "2020-01-01T00:00:00Z",
         "last_observed": "2020-01-01T00:00:05Z", "number_observed": 1, "object_refs": ["ipv4-addr--1", "gone"]},
        {"type": "ipv4-addr", "id": "ipv4-addr--1", "value": "192.0.2.2"},
        {"type": "ipv4-addr", "id": "ipv4-addr--2", "value": "192.0.2.3"},
    ]);
    let objects = objects.as_array().unwrap();
    let seen = observations(objects).unwrap();
    let on = |text: &str| eval(&parse(text).unwrap(), &seen, Budget::default());
    assert_eq!(
        on("[network-traffic:dst_ref.value = '192.0.2.1'] REPEATS 2 TIMES"),
        Outcome::True(vec![0])
    );
    assert_eq!(on("[ipv4-addr:value = '192.0.2.2']"), Outcome::True(vec![1]));
    assert_eq!(on("[ipv4-addr:value = '192.0.2.3']"), Outcome::False, "no observed-data names it");

    let wrong = json!([{"type": "observed-data", "id": "o", "first_observed": "2020-01-02T00:00:00Z",
        "last_observed": "2020-01-01T00:00:00Z", "number_observed": 1}]);
    let error = observations(wrong.as_array().unwrap()).unwrap_err();
    assert!(error.to_string().contains("before first_observed"), "{error}");
}

#[test]
fn each_test_takes_an_observation_of_its_own_and_number_multiplies() {
    assert!(!found("[x:a = 1] AND [x:a = 1]", &[(1, 0, 0, 1)]));
    assert!(found("[x:a = 1] AND [x:a = 1]", &[(1, 0, 0, 2)]));
    assert!(found("[x:a = 1] REPEATS 5 TIMES", &[(1, 0, 0, 3), (2, 0, 0, 9), (1, 9, 9, 2)]));
    assert!(!found("[x:a = 1] REPEATS 6 TIMES", &[(1, 0, 0, 3), (2, 0, 0, 9), (1, 9, 9, 2)]));
    // The second test can take only the first observation, so the first must give way.
    assert!(found("[x:a > 0] AND [x:a = 1]", &[(1, 0, 0, 1), (2, 0, 0, 1)]));
    assert!(!found("([x:a > 0] REPEATS 2 TIMES) AND [x:a = 1]", &[(1, 0, 0, 1), (2, 0, 0, 1)]));
}

#[test]
fn stop_is_excluded_and_start_is_not() {
    let pattern = "[x:a = 1] START t'1970-01-01T00:00:10Z' STOP t'1970-01-01T00:00:20Z'";
    let at = |first, last| found(pattern, &[(1, first, last, 1)]);
    assert!(at(10, 10) && at(0, 10) && at(19, 30) && at(0, 99));
    assert!(!at(20, 20) && !at(0, 9) && !at(20, 30));
}

#[test]
fn order_and_span_look_at_moments_within_what_was_observed() {
    let followed = "[x:a = 1] FOLLOWEDBY [x:a = 2]";
    assert!(found(followed, &[(1, 0, 0, 1), (2, 5, 5, 1)]));
    assert!(found(followed, &[(1, 5, 5, 1), (2, 5, 5, 1)]), "the same moment is not before");
    assert!(!found(followed, &[(1, 6, 9, 1), (2, 0, 5, 1)]));
    assert!(found(followed, &[(1, 4, 9, 1), (2, 0, 5, 1)]), "spans that overlap");
    let within = "([x:a = 1] AND [x:a = 2]) WITHIN 5 SECONDS";
    assert!(found(within, &[(1, 0, 0, 1), (2, 5, 5, 1)]));
    assert!(!found(within, &[(1, 0, 0, 1), (2, 6, 6, 1)]));
    assert!(found(within, &[(1, 0, 1, 1), (2, 6, 9, 1)]));
    // The moment is one and the same for all that is asked of it.
    let both = "([x:a = 1] START t'1970-01-01T00:00:50Z' STOP t'1970-01-01T00:01:00Z') FOLLOWEDBY [x:a = 2]";
    assert!(!found(both, &[(1, 0, 100, 1), (2, 10, 20, 1)]));
    assert!(found(both, &[(1, 0, 100, 1), (2, 10, 50, 1)]));
}

#[test]
fn the_matching_observations_are_told() {
    let seen = [(9, 0, 0, 1), (1, 0, 0, 1), (1, 100, 100, 1), (2, 102, 102, 1)];
    let pattern = "([x:a = 1] FOLLOWEDBY [x:a = 2]) WITHIN 5 SECONDS";
    assert_eq!(over(pattern, &seen), Outcome::True(vec![2, 3]));
}

#[test]
fn many_observations_are_no_matter() {
    let seen: Vec<_> =
        (0..20_000).map(|at| (i64::from(at % 7 == 0), at * 10, at * 10, 1)).collect();
    assert!(matches!(
        over("[x:a = 1] REPEATS 5 TIMES WITHIN 280 SECONDS", &seen),
        Outcome::True(_)
    ));
    assert_eq!(over("[x:a = 1] REPEATS 5 TIMES WITHIN 279 SECONDS", &seen), Outcome::False);
    assert!(found("[x:a = 1] FOLLOWEDBY [x:a = 0] FOLLOWEDBY [x:a = 1]", &seen[..3_000]));
    assert_eq!(over("([x:a = 0] FOLLOWEDBY [x:a = 2]) WITHIN 9 SECONDS", &seen), Outcome::False);
}

#[test]
fn a_spent_budget_says_undecided() {
    let seen: Vec<_> = (0..300).map(|at| (at % 3, at, at + 40, 1)).collect();
    let hard = "(([x:a = 1] FOLLOWEDBY [x:a = 2]) WITHIN 1 SECONDS) REPEATS 95 TIMES";
    assert_eq!(over_within(hard, &seen, Budget { steps: 100_000 }), Outcome::Undecided);
    assert_eq!(over_within("[x:a = 9]", &seen, Budget { steps: 10 }), Outcome::Undecided);
    assert_eq!(
        over("[x:a = 1] REPEATS 1000000 TIMES", &seen),
        Outcome::False,
        "too few is told at once"
    );
    let wide = vec!["([x:a = 1] OR ([x:a = 2] FOLLOWEDBY [x:a = 1]))"; 2_000].join(" AND ");
    assert_eq!(over_within(&wide, &seen, Budget { steps: 500_000 }), Outcome::Undecided);
}

#[test]
fn what_an_index_knows_becomes_values_or_triggers() {
    let trigger = |kind, value: &str, side| Trigger { kind, value: value.into(), side };
    let of = |text: &str| plan(&parse(text).unwrap());
    assert_eq!(
        of(
            "[ipv4-addr:value = '192.0.2.1' OR domain-name:value IN ('a.example', 'b.example')] OR [file:hashes.'SHA-256' = 'ab']"
        ),
        Plan::Values(vec![
            trigger(Kind::Ip, "192.0.2.1", None),
            trigger(Kind::Domain, "a.example", None),
            trigger(Kind::Domain, "b.example", None),
            trigger(Kind::Sha256, "ab", None),
        ])
    );
    assert_eq!(
        of(
            "[network-traffic:dst_ref.value ISSUBSET '192.0.2.0/24' AND network-traffic:dst_port = 443]"
        ),
        Plan::Triggers(vec![trigger(Kind::Cidr, "192.0.2.0/24", Some(Side::Destination))])
    );
    assert_eq!(
        of("([file:name = 'a'] FOLLOWEDBY [x:y = 1]) WITHIN 5 SECONDS"),
        Plan::Triggers(vec![trigger(Kind::FileName, "a", None)])
    );
    assert_eq!(of("[file:name = 'a' OR x:y > 1]"), Plan::Types(vec!["file".into(), "x".into()]));
    assert_eq!(of("[file:name NOT = 'a']"), Plan::Types(vec!["file".into()]));
}
