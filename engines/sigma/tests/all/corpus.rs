//! Every rule of the corpus, and every regression case.

#![allow(clippy::disallowed_methods)]

use std::{collections::BTreeMap, fs};

use evtx::{EvtxParser, ParserSettings};
use sigma::{Arena, Env, Limits, Match, Matcher, RuleSet, load};

use crate::common::{Texts, corpus, files};

/// Names the corpus' rules ask the register for.
fn env() -> Env {
    let names = ["DC-MACHINE-NAME", "Admins_Workstations", "jump_hosts"];
    let placeholders =
        names.map(|n| (n.to_owned(), vec!["SRV*".to_owned(), "jump1".to_owned()])).into();
    Env { placeholders, ..Env::default() }
}

#[test]
fn every_rule_loads_or_is_refused_for_a_reason_that_holds() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let paths = files(&folder.join("rules"), ".yml");
    let texts = Texts::of(&folder, &paths);
    let (set, rejected) = load(&texts.sources(), &Env::default(), &Limits::default());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for refused in &rejected {
        *reasons.entry(refused.reason.code()).or_default() += 1;
        println!("{refused}");
    }
    let unwitnessed = set.unwitnessed().count();
    println!(
        "{} rules, {} predicates, {unwitnessed} without witness, refused {reasons:?}",
        set.rules().len(),
        set.predicates()
    );
    assert_eq!(set.rules().len() + rejected.len() + set.off().len(), paths.len());
    assert_eq!(reasons.keys().collect::<Vec<_>>(), [&"placeholder"]);
}

struct Case {
    rule: String,
    evtx: Vec<u8>,
    json: Vec<u8>,
    count: Option<usize>,
    name: String,
}

fn cases(folder: &std::path::Path) -> Vec<Case> {
    let text = |value: &str, key: &str| {
        let line =
            value.lines().map(str::trim).find(|l| l.trim_start_matches("- ").starts_with(key));
        line.map(|l| l.trim_start_matches("- ")[key.len()..].trim().to_owned())
    };
    let mut found = Vec::new();
    for info in files(&folder.join("regression"), "info.yml") {
        let yaml = fs::read_to_string(&info).unwrap();
        let rule = text(&yaml[yaml.find("rule_metadata").unwrap()..], "id:").unwrap();
        let at = info.parent().unwrap();
        let evtx = at.join(format!("{rule}.evtx"));
        let evtx = fs::read(&evtx).unwrap_or_else(|e| panic!("{}: {e}", evtx.display()));
        let mut json = Vec::new();
        for path in files(at, ".json") {
            json.extend(fs::read(path).unwrap());
            json.push(b'\n');
        }
        let count = text(&yaml, "match_count:").map(|c| c.parse().unwrap());
        found.push(Case { rule, evtx, json, count, name: info.display().to_string() });
    }
    found
}

fn fired(matcher: &mut Matcher, set: &RuleSet, arena: &Arena, rule: &str) -> bool {
    let mut found: Vec<Match> = Vec::new();
    matcher.eval(arena, &mut found);
    found.iter().any(|m| set.rule(m.rule).unwrap().meta.id.as_deref() == Some(rule))
}

/// The fast way finds what the plain way finds.
fn agrees(matcher: &mut Matcher, set: &RuleSet, arena: &Arena) {
    let mut found: Vec<Match> = Vec::new();
    matcher.eval(arena, &mut found);
    let plain = (0..set.rules().len() as u32).map(sigma::RuleId).filter(|id| set.meets(*id, arena));
    assert!(plain.eq(found.iter().map(|m| m.rule)));
}

/// The fields, so that files of different tools can be compared: the corpus' JSON has GUIDs without braces in
/// capitals, times cut to microseconds, no space at the end, and in one case another spelling of Explorer.EXE.
fn flat(arena: &Arena) -> Vec<(String, Option<String>)> {
    let alike = |name: &str, value: &str| {
        let bare = value.strip_prefix('{').and_then(|v| v.strip_suffix('}')).unwrap_or(value);
        if bare.len() == 36 && bare.bytes().filter(|b| *b == b'-').count() == 4 {
            return bare.to_lowercase();
        }
        match name {
            "TimeCreated_SystemTime" => value[..26].to_owned(),
            _ => value.trim_end().to_lowercase(),
        }
    };
    let mut fields: Vec<_> =
        arena.fields().map(|(n, v)| (n.to_owned(), v.map(|v| alike(n, v)))).collect();
    fields.sort();
    fields
}

/// Cases whose file states another count than its rule has: rule, stated, true. Every event that fires has been
/// explained to be sure: the rules ask with `contains` and `endswith` for what each of those events holds.
const MISCOUNTED: &[(&str, usize, usize)] = &[
    ("0b9ad457-2554-44c1-82c2-d56a99c42377", 1, 3),
    ("8fbf3271-1ef6-4e94-8210-03c2317947f6", 1, 3),
    ("c7dcacd0-cc59-4004-b0a4-1d6cdebe6f3e", 1, 2),
];

#[test]
fn every_regression_case_fires_its_rule_from_evtx_and_json_alike() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let texts = Texts::of(&folder, &files(&folder.join("rules"), ".yml"));
    let (set, _) = load(&texts.sources(), &env(), &Limits::default());
    let mut matcher = Matcher::new(&set);
    let mut arena = Arena::new();
    let mut miscounted = Vec::new();
    let (mut cases_seen, mut events, mut counted, mut fired_total) = (0, 0, 0, 0);
    for case in cases(&folder) {
        cases_seen += 1;
        let mut from_json = Vec::new();
        let mut json_fires = 0;
        for value in
            serde_json::Deserializer::from_slice(&case.json).into_iter::<serde_json::Value>()
        {
            arena.value(&value.unwrap()).unwrap();
            from_json.push(flat(&arena));
            json_fires += usize::from(fired(&mut matcher, &set, &arena, &case.rule));
        }
        let settings = || ParserSettings::default().num_threads(1);
        let mut parser =
            EvtxParser::from_buffer(case.evtx.clone()).unwrap().with_configuration(settings());
        let mut evtx_fires = 0;
        let mut from_evtx = Vec::new();
        for record in parser.records_json_value() {
            arena.value(&record.unwrap().data).unwrap();
            agrees(&mut matcher, &set, &arena);
            from_evtx.push(flat(&arena));
            evtx_fires += usize::from(fired(&mut matcher, &set, &arena, &case.rule));
        }
        let mut parser =
            EvtxParser::from_buffer(case.evtx.clone()).unwrap().with_configuration(settings());
        let (mut xml_fires, mut from_xml) = (0, Vec::new());
        for record in parser.records() {
            arena.xml(&record.unwrap().data).unwrap();
            from_xml.push(flat(&arena));
            xml_fires += usize::from(fired(&mut matcher, &set, &arena, &case.rule));
        }
        events += from_evtx.len();
        assert_eq!(from_evtx, from_xml, "{}", case.name);
        assert_eq!(evtx_fires, xml_fires, "{}", case.name);
        assert_eq!(from_json, from_evtx, "{}", case.name);
        assert_eq!(json_fires, evtx_fires, "{}", case.name);
        assert!(evtx_fires > 0 && json_fires > 0, "{} does not fire", case.name);
        if let Some(count) = case.count {
            counted += 1;
            if evtx_fires != count {
                miscounted.push((case.rule.clone(), count, evtx_fires));
            }
        }
        fired_total += evtx_fires;
    }
    println!(
        "{cases_seen} cases, {events} events, {fired_total} matches, {counted} with a stated count"
    );
    assert!(cases_seen >= 100);
    let want: Vec<_> =
        MISCOUNTED.iter().map(|(rule, stated, is)| ((*rule).to_owned(), *stated, *is)).collect();
    assert_eq!(miscounted, want);
}
