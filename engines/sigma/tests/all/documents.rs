//! Documents together: what is refused leaves the others, filters, switches, coverage, log sources.

use sigma::{
    Arena, Env, FieldCensus, Level, Limits, LogSource, Match, Matcher, Relation, RuleId, RuleSet,
    Source, Status, TrafficProfile, load,
};

fn rule(name: &str, more: &str, detection: &str) -> String {
    format!(
        "title: {name}\nid: id-{name}\nname: {name}\n{more}logsource:\n  product: test\n  service: s\ndetection:\n  sel:\n    {detection}\n  condition: sel\n---\n"
    )
}

fn read(text: &str) -> (RuleSet, Vec<String>) {
    let (set, rejected) = load(
        &[Source { file: "f.yml", bytes: text.as_bytes() }],
        &Env::default(),
        &Limits::default(),
    );
    (set, rejected.iter().map(|r| format!("{}:{} {}", r.line, r.title, r.reason.code())).collect())
}

fn fired(set: &RuleSet, json: &str, sources: &[LogSource]) -> Vec<String> {
    let mut arena = Arena::new();
    arena.json(json.as_bytes()).unwrap();
    arena.set_sources(sources.iter().cloned());
    let mut found: Vec<Match> = Vec::new();
    Matcher::new(set).eval(&arena, &mut found);
    found.iter().map(|m| set.rule(m.rule).unwrap().meta.title.clone()).collect()
}

fn test_source() -> LogSource {
    LogSource::new(None, Some("test"), Some("s"))
}

#[test]
fn one_bad_document_leaves_the_others_and_names_its_place() {
    let text = rule("a", "", "F: 1") + &rule("b", "", "F|nonsense: 1") + "title: c\nx: [1\n---\n";
    let (set, rejected) = read(&text);
    assert_eq!(set.rules().len(), 1);
    assert_eq!(rejected.len(), 2);
    assert_eq!(rejected[0], "20:b modifier");
    assert!(rejected[1].ends_with(" yaml"), "{rejected:?}");
    let shown = load(
        &[Source { file: "d/f.yml", bytes: text.as_bytes() }],
        &Env::default(),
        &Limits::default(),
    )
    .1[0]
        .to_string();
    assert!(shown.starts_with("d/f.yml:20:5: modifier \"nonsense\""), "{shown}");
}

#[test]
fn attributes_are_kept() {
    let more = "related:\n  - {id: x, type: obsolete}\nstatus: stable\nlicense: MIT\nauthor: 梅\ndate: 2026-01-01\nmodified: 2026-02-01\ntags: [attack.t1]\nscope: [server]\nfields: [F]\nfalsepositives: [none at all]\nlevel: critical\nreferences: ['https://x.example']\nx-own: {a: [1, two]}\n";
    let (set, rejected) = read(&rule("a", more, "F: 1"));
    assert_eq!(rejected, [""; 0]);
    let meta = &set.rules()[0].meta;
    assert_eq!(meta.related, [(Relation::Obsolete, "x".to_owned())]);
    assert_eq!((meta.status, meta.level), (Some(Status::Stable), Some(Level::Critical)));
    assert_eq!(meta.custom["x-own"], serde_json::json!({"a": [1, "two"]}));
    assert_eq!(
        (meta.tags.len(), meta.scope.len(), meta.fields.len(), meta.falsepositives.len()),
        (1, 1, 1, 1)
    );
    assert_eq!(meta.date.as_deref(), Some("2026-01-01"));
    assert_eq!(set.find("ID-A"), Some(RuleId(0)));
    assert_eq!(set.find("a"), Some(RuleId(0)));
}

#[test]
fn doubles_unknown_taxonomies_and_kinds_are_refused() {
    let (set, rejected) = read(&(rule("a", "", "F: 1") + &rule("a", "", "F: 2")));
    assert_eq!((set.rules().len(), rejected.as_slice()), (1, &["12:a double-id".to_owned()][..]));
    let second = rule("a", "", "F: 2").replace("id-a", "ID-A");
    assert_eq!(read(&(rule("a", "", "F: 1") + &second)).1, ["12:a double-id"]);
    let second = rule("a", "", "F: 2").replace("id-a", "id-b");
    assert_eq!(read(&(rule("a", "", "F: 1") + &second)).1, ["12:a double-name"]);
    assert_eq!(read(&rule("a", "taxonomy: splunk\n", "F: 1")).1, ["1:a taxonomy"]);
    assert_eq!(read(&rule("a", "taxonomy: ecs\n", "F: 1")).1, [""; 0]);
    assert_eq!(read("title: x\n").1, ["1:x kind"]);
    assert_eq!(read("- x\n").1, ["1: not-a-map"]);
    assert_eq!(read("title: x\ndetection: {}\nfilter: {}\n").1, ["1:x kinds"]);
    assert_eq!(read("---\n---\n").1, [""; 0]);
}

#[test]
fn deprecated_and_unsupported_rules_are_off_unless_asked_for() {
    let text = rule("a", "status: deprecated\n", "F: 1")
        + &rule("b", "status: unsupported\n", "F: 1")
        + &rule("c", "status: test\n", "F: 1");
    let (set, rejected) = read(&text);
    assert_eq!(rejected, [""; 0]);
    assert_eq!((set.rules().len(), set.off().len()), (1, 2));
    let env = Env { with_off: true, ..Env::default() };
    let (set, _) = load(&[Source { file: "f", bytes: text.as_bytes() }], &env, &Limits::default());
    assert_eq!((set.rules().len(), set.off().len()), (3, 0));
}

fn filter(rules: &str, logsource: &str, selection: &str) -> String {
    format!(
        "title: filter\nlogsource: {logsource}\nfilter:\n  rules: {rules}\n  selection:\n    {selection}\n  condition: selection\n---\n"
    )
}

#[test]
fn filters_take_away_from_each_rule_they_name() {
    let text = rule("a", "", "F: 1")
        + &rule("b", "", "F: 1")
        + &rule("c", "", "F: 1")
        + &filter("[id-a, b]", "{product: test}", "User|startswith: adm_");
    let (set, rejected) = read(&text);
    assert_eq!(rejected, [""; 0]);
    assert_eq!(fired(&set, r#"{"F":1,"User":"bob"}"#, &[test_source()]), ["a", "b", "c"]);
    assert_eq!(fired(&set, r#"{"F":1,"User":"ADM_bob"}"#, &[test_source()]), ["c"]);
    assert_eq!(set.rules()[0].filters, ["filter"]);
    let unfiltered = read(&rule("a", "", "F: 1")).0;
    assert_ne!(
        set.rules()[0].version,
        unfiltered.rules()[0].version,
        "a filter changes the version"
    );
    let mut arena = Arena::new();
    arena.json(br#"{"F":1,"User":"adm_x"}"#).unwrap();
    arena.set_sources([test_source()]);
    let explained = set.explain(&arena, RuleId(0)).unwrap();
    assert!(!explained.matched && explained.clauses[0].holds && explained.clauses[1].holds);
}

#[test]
fn filters_that_cannot_be_laid_over_their_rules_are_refused() {
    let a = rule("a", "", "F: 1");
    assert_eq!(
        read(&(a.clone() + &filter("[zzz]", "{product: test}", "U: 1"))).1,
        ["15:filter reference"]
    );
    assert_eq!(
        read(&(a.clone() + &filter("[a]", "{product: other}", "U: 1"))).1,
        ["15:filter filter-logsource"]
    );
    assert_eq!(read(&(a.clone() + &filter("[a]", "{}", "U|x: 1"))).1, ["17:filter modifier"]);
    assert_eq!(read(&(a.clone() + &filter("[]", "{}", "U: 1"))).1, ["15:filter empty"]);
    let off = rule("o", "status: deprecated\n", "F: 1");
    assert_eq!(read(&(off + &a + &filter("[o, a]", "{}", "U: 1"))).1, [""; 0]);
}

fn correlation(name: &str, body: &str) -> String {
    let body: String = body.lines().map(|l| format!("  {l}\n")).collect();
    format!("title: {name}\nname: {name}\ncorrelation:\n{body}---\n")
}

#[test]
fn correlations_that_refer_to_nothing_or_in_circles_are_refused() {
    let body = |rules: &str| {
        format!(
            "type: event_count\nrules: {rules}\ngroup-by: [u]\ntimespan: 1m\ncondition: {{gte: 2}}"
        )
    };
    let a = rule("a", "", "F: 1");
    let ok = a.clone() + &correlation("c", &body("[a]"));
    assert_eq!(read(&ok).1, [""; 0]);
    assert_eq!(read(&(a.clone() + &correlation("c", &body("[zzz]")))).1, ["16:c reference"]);
    let circle = correlation("c", &body("[d]"))
        + &correlation("d", &body("[e]"))
        + &correlation("e", &body("[c]"));
    let (set, rejected) = read(&(a.clone() + &circle + &correlation("f", &body("[a]"))));
    assert_eq!((set.correlations().len(), rejected.len()), (1, 3));
    assert!(rejected.iter().any(|r| r.ends_with(" cycle")), "{rejected:?}");
    assert_eq!(read(&correlation("c", &body("[c]"))).1, ["5:c cycle"]);
    let off = rule("o", "status: unsupported\n", "F: 1");
    assert_eq!(read(&(off + &correlation("c", &body("[o]")))).1, ["17:c reference-off"]);
    let deep: String = (0..12)
        .map(|n| {
            correlation(
                &format!("d{n}"),
                &body(&format!("[{}]", if n == 0 { "a".into() } else { format!("d{}", n - 1) })),
            )
        })
        .collect();
    assert!(read(&(a.clone() + &deep)).1.iter().any(|r| r.ends_with(" limit")));
    for (body, code) in [
        (body("[a]").replace("1m", "1w"), "timespan"),
        (body("[a]").replace("1m", "0s"), "timespan"),
        (body("[a]").replace("timespan: 1m\n", ""), "missing"),
        (body("[a]").replace("group-by: [u]\n", ""), "missing"),
        (body("[a]").replace("event_count", "value_count"), "missing"),
        (body("[a]").replace("event_count", "sometimes"), "not-one-of"),
        (body("[a]").replace("gte: 2", "gte: 2, eq: 3"), "correlation-condition"),
        (body("[a]").replace("gte: 2", "gte: 2, gt: 3"), "correlation-condition"),
        (body("[a]").replace("gte: 2", "gte: many"), "wants-number"),
        (body("[a]").replace("gte: 2", "field: x"), "correlation-condition"),
        (body("[a, a]"), "repeated"),
        (body("[]"), "empty"),
        (body("[a]") + "\naliases: {x: {b: f}}", "alias-rule"),
        (body("[a]") + "\nwindow: 5", "correlation-key"),
        (body("[a]") + "\nume: {what: 5}", "extension"),
        (
            body("[a]").replace("event_count", "temporal").replace("{gte: 2}", "not a"),
            "correlation-condition",
        ),
    ] {
        let rejected = read(&(a.clone() + &correlation("c", &body))).1;
        assert!(
            rejected.len() == 1 && rejected[0].ends_with(&format!(" {code}")),
            "{body}: {rejected:?}"
        );
    }
}

#[test]
fn generate_says_which_rules_stand_alone() {
    let body = |generate: &str| {
        format!(
            "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 1m\ncondition: {{gte: 2}}\n{generate}"
        )
    };
    let rules = rule("a", "", "F: 1") + &rule("b", "", "F: 1");
    let standing =
        |text: String| read(&text).0.rules().iter().map(|r| r.standalone).collect::<Vec<_>>();
    assert_eq!(standing(rules.clone() + &correlation("c", &body(""))), [false, true]);
    assert_eq!(standing(rules.clone() + &correlation("c", &body("generate: true"))), [true, true]);
    assert_eq!(
        standing(rules + &correlation("c", &body("")) + &correlation("d", &body("generate: true"))),
        [true, true]
    );
}

#[test]
fn rules_are_tried_only_on_their_log_source() {
    let (set, _) = read(
        &(rule("a", "", "F: 1")
            + &rule("b", "", "F: 1").replace("product: test\n  service: s", "category: c")
            + &rule("d", "", "F: 1").replace(
                "product: test\n  service: s",
                "product: windows\n  category: registry_set",
            )),
    );
    let event = r#"{"F":1}"#;
    assert_eq!(fired(&set, event, &[test_source()]), ["a"]);
    assert_eq!(
        fired(&set, event, &[LogSource::new(Some("c"), Some("test"), Some("s"))]),
        ["a", "b"]
    );
    assert_eq!(
        fired(&set, event, &[LogSource::new(Some("c"), None, None), test_source()]),
        ["a", "b"]
    );
    assert_eq!(fired(&set, event, &[LogSource::new(None, Some("test"), None)]), [""; 0]);
    assert_eq!(fired(&set, event, &[]), ["a", "b", "d"], "nobody says where it comes from");
    let sysmon = r#"{"F":1,"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":13}"#;
    assert_eq!(fired(&set, sysmon, &[]), ["d"]);
    assert_eq!(fired(&set, r#"{"F":1,"Channel":"Application"}"#, &[]), [""; 0]);
}

#[test]
fn coverage_says_which_rules_can_fire() {
    let text = rule("both", "", "F: 1\n    G: 2")
        + &rule("either", "", "F: 1")
        + &rule("nil", "", "G: null")
        + &rule("elsewhere", "", "F: 1").replace("service: s", "service: t");
    let (set, _) = read(&text);
    let mut census = FieldCensus::default();
    let mut arena = Arena::new();
    for json in [r#"{"F":5,"H":1}"#, r#"{"F":6}"#] {
        arena.json(json.as_bytes()).unwrap();
        arena.set_sources([test_source()]);
        census.observe(&arena);
    }
    let shown: Vec<_> = set
        .coverage(&census)
        .into_iter()
        .map(|c| (c.events, c.missing.join(","), c.can_fire))
        .collect();
    assert_eq!(
        shown,
        [
            (2, "G".into(), false),
            (2, String::new(), true),
            (2, "G".into(), true),
            (0, "F".into(), false)
        ]
    );
}

#[test]
fn learning_from_traffic_changes_no_result() {
    let rules: String = (0..50)
        .map(|n| rule(&format!("r{n}"), "", &format!("F|contains|all: [common text, 'rare{n}x']")))
        .collect();
    let (set, _) = read(&rules);
    let mut profile = TrafficProfile::default();
    let mut arena = Arena::new();
    for _ in 0..100 {
        arena.json(br#"{"F":"some common text"}"#).unwrap();
        profile.observe(&arena);
    }
    let tuned = set.tuned(&profile);
    for n in 0..50 {
        let json = format!(r#"{{"F":"common text rare{n}x"}}"#);
        let want = fired(&set, &json, &[test_source()]);
        assert_eq!(want, [format!("r{n}")]);
        assert_eq!(fired(&tuned, &json, &[test_source()]), want);
    }
    let mut matcher = Matcher::new(&tuned);
    arena.json(br#"{"F":"some common text"}"#).unwrap();
    arena.set_sources([test_source()]);
    matcher.eval(&arena, &mut Vec::new());
    assert_eq!(matcher.tried, 0, "what is common wakes no rule");
}
