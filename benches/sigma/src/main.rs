//! The engine sigma against rsigma-eval 0.23: what both find, and what it costs in CPU time.
//!
//! `cargo run --release --manifest-path benches/sigma/Cargo.toml -- differ|time|windows CORPORA [EVENTS]`
//!
//! Events are those of the regression files and new ones made of their fields (of one number and channel), all
//! different, as flat JSON with Sigma's names. Grams are learnt on one half and both sides timed on the other,
//! JSON parsing and match details included. rsigma-eval is told each event's log source beforehand, which costs
//! it nothing here; it runs with the fastest of its settings.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    hint::black_box,
    path::{Path, PathBuf},
};

use evtx::{EvtxParser, ParserSettings};
use rsigma_eval::{CorrelationConfig, CorrelationEngine, Engine, event::JsonEvent};
use rsigma_parser::parse_sigma_yaml;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};
use sigma::{Arena, Correlator, Env, Limits, Match, Matcher, RuleSet, Settings, Source, TrafficProfile, load};

const ROUNDS: usize = 5;

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Median CPU seconds.
fn cpu(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = cpu_seconds();
            work();
            cpu_seconds() - start
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.to_string_lossy().ends_with(end) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// An event, and the log sources it belongs to as rsigma-eval wants them.
struct Event {
    json: String,
    sources: Vec<rsigma_parser::LogSource>,
}

fn flat(arena: &Arena) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in arena.fields() {
        let value = match value {
            None => Value::Null,
            Some(text) => text.parse::<i64>().ok().filter(|i| i.to_string() == text).map_or_else(|| text.into(), Value::from),
        };
        object.insert(name.to_owned(), value);
    }
    object
}

fn originals(corpora: &Path) -> Vec<Map<String, Value>> {
    let mut arena = Arena::new();
    let mut found = Vec::new();
    for path in files(&corpora.join("sigma/regression"), ".evtx") {
        let settings = ParserSettings::default().num_threads(1);
        let mut parser = EvtxParser::from_buffer(fs::read(path).unwrap()).unwrap().with_configuration(settings);
        for record in parser.records_json_value() {
            arena.value(&record.unwrap().data).unwrap();
            found.push(flat(&arena));
        }
    }
    found
}

/// The regression's events and recombined ones.
fn events(corpora: &Path, count: usize) -> Vec<Event> {
    let originals = originals(corpora);
    let kind = |event: &Map<String, Value>| (event["Channel"].to_string(), event["EventID"].to_string());
    let mut groups: BTreeMap<_, Vec<&Map<String, Value>>> = BTreeMap::new();
    originals.iter().for_each(|e| groups.entry(kind(e)).or_default().push(e));
    let mut seen: HashSet<String> = HashSet::new();
    let mut found = Vec::new();
    let mut add = |object: &Map<String, Value>, found: &mut Vec<Event>| {
        let json = Value::Object(object.clone()).to_string();
        if seen.insert(json.clone()) {
            found.push(Event { sources: sources(object), json });
        }
    };
    originals.iter().for_each(|e| add(e, &mut found));
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    while found.len() < count {
        let base = &originals[next(originals.len())];
        let group = &groups[&kind(base)];
        let mut object = base.clone();
        for (name, value) in &mut object {
            if !matches!(name.as_str(), "Channel" | "EventID" | "Provider_Name") && next(3) == 0
                && let Some(other) = group[next(group.len())].get(name)
            {
                *value = other.clone();
            }
        }
        object.insert("EventRecordID".into(), (found.len() as u64).into());
        add(&object, &mut found);
    }
    found
}

fn sources(object: &Map<String, Value>) -> Vec<rsigma_parser::LogSource> {
    let service = match object["Channel"].as_str().unwrap_or_default() {
        "Microsoft-Windows-Sysmon/Operational" => "sysmon",
        "Security" => "security",
        "System" => "system",
        "Application" => "application",
        "Microsoft-Windows-PowerShell/Operational" => "powershell",
        "Windows PowerShell" => "powershell-classic",
        "Microsoft-Windows-TaskScheduler/Operational" => "taskscheduler",
        "Microsoft-Windows-Bits-Client/Operational" => "bits-client",
        "Microsoft-Windows-Windows Defender/Operational" => "windefend",
        "Microsoft-Windows-AppXDeploymentServer/Operational" => "appxdeployment-server",
        "Microsoft-Windows-CodeIntegrity/Operational" => "codeintegrity-operational",
        "Microsoft-Windows-WMI-Activity/Operational" => "wmi",
        "Microsoft-Windows-NTLM/Operational" => "ntlm",
        // A service no rule has.
        _ => "-",
    };
    let number = object["EventID"].as_i64().unwrap_or_default();
    let categories: &[&str] = match (service, number) {
        ("sysmon", 1) | ("security", 4688) => &["process_creation"],
        ("sysmon", 3) => &["network_connection"],
        ("sysmon", 6) => &["driver_load"],
        ("sysmon", 7) => &["image_load"],
        ("sysmon", 8) => &["create_remote_thread"],
        ("sysmon", 10) => &["process_access"],
        ("sysmon", 11) => &["file_event"],
        ("sysmon", 12) if object.get("EventType").is_some_and(|t| t == "CreateKey") => &["registry_event", "registry_add"],
        ("sysmon", 12) => &["registry_event", "registry_delete"],
        ("sysmon", 13) => &["registry_event", "registry_set"],
        ("sysmon", 15) => &["create_stream_hash"],
        ("sysmon", 17 | 18) => &["pipe_created"],
        ("sysmon", 22) => &["dns_query"],
        ("sysmon", 23) => &["file_delete"],
        ("powershell", 4103) => &["ps_module"],
        ("powershell", 4104) => &["ps_script"],
        ("windefend", 1006..=1119) => &["antivirus"],
        _ => &["-"],
    };
    let source = |category: &&str| rsigma_parser::LogSource {
        category: Some((*category).to_owned()),
        product: Some("windows".to_owned()),
        service: Some(service.to_owned()),
        definition: None,
        custom: Default::default(),
    };
    categories.iter().map(source).collect()
}

fn texts(corpora: &Path) -> Vec<(String, String)> {
    files(&corpora.join("sigma/rules"), ".yml")
        .into_iter()
        .map(|p| (p.display().to_string(), fs::read_to_string(p).unwrap()))
        .collect()
}

fn ours(texts: &[(String, String)]) -> RuleSet {
    let sources: Vec<Source<'_>> = texts.iter().map(|(file, text)| Source { file, bytes: text.as_bytes() }).collect();
    load(&sources, &Env::default(), &Limits::default()).0
}

fn theirs(texts: &[(String, String)]) -> Engine {
    let mut engine = Engine::new();
    let mut rules = Vec::new();
    for (_, text) in texts {
        if let Ok(collection) = parse_sigma_yaml(text) {
            rules.extend(collection.rules);
        }
    }
    engine.add_rules(rules.iter());
    engine
}

fn id(meta: &Option<String>) -> String {
    meta.clone().unwrap_or_default()
}

fn differ(corpora: &Path, count: usize) {
    let texts = texts(corpora);
    let (set, engine) = (ours(&texts), theirs(&texts));
    println!("{} rules here, {} there", set.rules().len(), engine.rule_count());
    let here: BTreeSet<String> = set.rules().iter().map(|r| id(&r.meta.id)).collect();
    let mut matcher = Matcher::new(&set);
    let mut arena = Arena::new();
    let mut only: BTreeMap<(String, bool), (usize, String)> = BTreeMap::new();
    let (mut pairs, mut both) = (0usize, 0usize);
    for event in events(corpora, count) {
        arena.json(event.json.as_bytes()).unwrap();
        let mut found: Vec<Match> = Vec::new();
        matcher.eval(&arena, &mut found);
        let mine: BTreeSet<String> = found.iter().map(|m| id(&set.rule(m.rule).unwrap().meta.id)).collect();
        let value: Value = serde_json::from_str(&event.json).unwrap();
        let theirs: BTreeSet<String> = found_there(&engine, &value, &event).into_iter().filter(|r| here.contains(r)).collect();
        pairs += set.rules().len();
        both += mine.intersection(&theirs).count();
        for rule in mine.symmetric_difference(&theirs) {
            let entry = only.entry((rule.clone(), mine.contains(rule))).or_insert((0, event.json.clone()));
            entry.0 += 1;
        }
    }
    println!("{pairs} pairs of rule and event, {both} found by both");
    for ((rule, mine), (count, event)) in &only {
        let title = set.rules().iter().find(|r| id(&r.meta.id) == *rule).map(|r| r.meta.title.clone());
        println!("only {}: {rule} {title:?}, {count} events, such as {event}", if *mine { "here" } else { "there" });
    }
    std::process::exit(i32::from(!only.is_empty()));
}

fn found_there(engine: &Engine, value: &Value, event: &Event) -> BTreeSet<String> {
    let json = JsonEvent::borrow(value);
    let all = event.sources.iter().flat_map(|source| engine.evaluate_with_logsource(&json, source));
    all.map(|r| id(&r.header.rule_id)).collect()
}

fn time(corpora: &Path, count: usize) {
    let texts = texts(corpora);
    let load_ours = cpu(|| drop(black_box(ours(&texts))));
    let load_theirs = cpu(|| drop(black_box(theirs(&texts))));
    println!("load: {:.2} s here, {:.2} s there: {:.2}×", load_ours, load_theirs, load_ours / load_theirs);
    let set = ours(&texts);
    let mut engine = theirs(&texts);
    let events = events(corpora, count);
    let (learn, timed): (Vec<_>, Vec<_>) = events.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let timed: Vec<&Event> = timed.into_iter().map(|(_, e)| e).collect();
    let mut profile = TrafficProfile::default();
    let mut arena = Arena::new();
    for (_, event) in learn {
        arena.json(event.json.as_bytes()).unwrap();
        profile.observe(&arena);
    }
    let bytes: usize = timed.iter().map(|e| e.json.len()).sum();
    println!("{} events timed, {} bytes each", timed.len(), bytes / timed.len());
    let parse = cpu(|| {
        for event in &timed {
            arena.json(event.json.as_bytes()).unwrap();
            black_box(&arena);
        }
    });
    println!("here, JSON alone: {:.2} µs an event", parse * 1e6 / timed.len() as f64);
    let tuned = set.tuned(&profile);
    let (mut here, mut there) = (vec![Vec::new(); 2], vec![Vec::new(); 3]);
    // Side by side in every round: other work on the machine meets both.
    for _ in 0..ROUNDS {
        for (set, times) in [&set, &tuned].into_iter().zip(&mut here) {
            times.push(once_here(set, &timed));
        }
        for ((bloom, ac), times) in [(false, false), (true, false), (false, true)].into_iter().zip(&mut there) {
            engine.set_bloom_prefilter(bloom);
            engine.set_cross_rule_ac(ac);
            times.push(once_there(&engine, &timed));
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2] * 1e6 / timed.len() as f64
    };
    let here: Vec<f64> = here.iter_mut().map(median).collect();
    let there: Vec<f64> = there.iter_mut().map(median).collect();
    println!("here: {:.2} µs an event not tuned, {:.2} µs tuned", here[0], here[1]);
    println!("there: {:.2} µs plain, {:.2} µs with bloom, {:.2} µs with its cross-rule index", there[0], there[1], there[2]);
    let best = there.into_iter().fold(f64::INFINITY, f64::min);
    println!("ratio: {:.1}× not tuned, {:.1}× tuned", best / here[0], best / here[1]);
}

fn once_here(set: &RuleSet, events: &[&Event]) -> f64 {
    let mut matcher = Matcher::new(set);
    let mut arena = Arena::new();
    let mut found: Vec<Match> = Vec::new();
    let start = cpu_seconds();
    for event in events {
        arena.json(event.json.as_bytes()).unwrap();
        found.clear();
        matcher.eval(&arena, &mut found);
        for m in &found {
            black_box(matcher.hits(&arena, m.rule));
        }
    }
    cpu_seconds() - start
}

fn once_there(engine: &Engine, events: &[&Event]) -> f64 {
    let start = cpu_seconds();
    for event in events {
        let value: Value = serde_json::from_str(&event.json).unwrap();
        let json = JsonEvent::borrow(&value);
        for source in &event.sources {
            black_box(engine.evaluate_with_logsource(&json, source));
        }
    }
    cpu_seconds() - start
}

/// Correlations: one rule that every event meets, no condition that is ever met.
fn windows(count: usize) {
    for (name, condition, by, groups, values, events) in [
        ("event_count", "gte: 100000000", "g", 1_000, 1, count),
        ("value_count", "{gte: 100000000, field: v}", "one", 1, 1_800, count / 10),
    ] {
        let condition = condition.trim_matches(['{', '}']);
        let text = format!(
            "title: r\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nname: r\nlogsource: {{category: c}}\ndetection:\n  s: {{k: v}}\n  condition: s\n---\ntitle: c\nid: 0e95725d-7320-415d-80f7-004da920fc11\ncorrelation:\n  type: {name}\n  rules: [r]\n  group-by: [{by}]\n  timespan: 1h\n  condition: {{{condition}}}\n"
        );
        let lines: Vec<String> = (0..events)
            .map(|n| format!(r#"{{"k":"v","one":"1","g":"group-{}","v":"value-{}"}}"#, n % groups, (n * 7_919) % values))
            .collect();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (set, rejected) = load(&[Source { file: "f", bytes: text.as_bytes() }], &Env::default(), &Limits::default());
            assert!(rejected.is_empty(), "{rejected:?}");
            let mut matcher = Matcher::new(&set);
            let mut correlator = Correlator::new(&set, Settings::default());
            let (mut arena, mut matches, mut found) = (Arena::new(), Vec::new(), Vec::new());
            let start = cpu_seconds();
            for (n, line) in lines.iter().enumerate() {
                arena.json(line.as_bytes()).unwrap();
                matches.clear();
                matcher.eval(&arena, &mut matches);
                correlator.push(&matches, &arena, n as i64 * 10_000, n as u128, &mut found);
            }
            correlator.watermark(events as i64 * 10_000, &mut found);
            here.push(cpu_seconds() - start);
            let mut engine = CorrelationEngine::new(CorrelationConfig::default());
            engine.add_collection(&parse_sigma_yaml(&text).unwrap()).unwrap();
            let start = cpu_seconds();
            for (n, line) in lines.iter().enumerate() {
                let value: Value = serde_json::from_str(line).unwrap();
                black_box(engine.process_event_at(&JsonEvent::borrow(&value), 1_700_000_000 + n as i64 / 100));
            }
            there.push(cpu_seconds() - start);
            assert_eq!(engine.state_count(), groups, "it follows the same groups");
        }
        here.sort_by(f64::total_cmp);
        there.sort_by(f64::total_cmp);
        let (here, there) = (here[ROUNDS / 2], there[ROUNDS / 2]);
        println!("{name}: {:.2} µs an event here, {:.2} there: {:.1}×", here * 1e6 / events as f64, there * 1e6 / events as f64, there / here);
    }
    idle_groups();
}

/// Memory of a million groups that saw one event each.
fn idle_groups() {
    let text = "title: r\nname: r\nlogsource: {category: c}\ndetection:\n  s: {k: v}\n  condition: s\n---\ntitle: c\ncorrelation:\n  type: event_count\n  rules: [r]\n  group-by: [g]\n  timespan: 1d\n  condition: {gte: 10}\n";
    let (set, _) = load(&[Source { file: "f", bytes: text.as_bytes() }], &Env::default(), &Limits::default());
    let mut matcher = Matcher::new(&set);
    let mut correlator = Correlator::new(&set, Settings { lateness_us: 0, ..Settings::default() });
    let (mut arena, mut matches, mut found) = (Arena::new(), Vec::new(), Vec::new());
    let resident = || -> usize {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
    };
    let before = resident();
    for n in 0..1_000_000i64 {
        arena.clear();
        arena.push("k", "v");
        arena.push("g", &format!("user{n:07}@example.org"));
        matches.clear();
        matcher.eval(&arena, &mut matches);
        correlator.push(&matches, &arena, n, n as u128, &mut found);
    }
    println!("{} groups, {} bytes each", correlator.groups(), (resident() - before) / correlator.groups());
}

/// Our side alone, again and again, for a profiler.
fn profile(corpora: &Path, count: usize) {
    let set = ours(&texts(corpora));
    let events = events(corpora, count);
    let mut profile = TrafficProfile::default();
    let mut arena = Arena::new();
    for event in &events {
        arena.json(event.json.as_bytes()).unwrap();
        profile.observe(&arena);
    }
    let mut matcher = Matcher::new(&set.tuned(&profile));
    let mut found: Vec<Match> = Vec::new();
    let mut tried: BTreeMap<usize, usize> = BTreeMap::new();
    for _ in 0..10 {
        for event in &events {
            arena.json(event.json.as_bytes()).unwrap();
            found.clear();
            let before = matcher.tried;
            matcher.eval(&arena, &mut found);
            *tried.entry((matcher.tried - before) as usize).or_default() += 1;
        }
    }
    println!("rules tried: {tried:?}");
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (what, corpora) = (args[1].as_str(), Path::new(&args[2]));
    let count = args.get(3).map_or(20_000, |c| c.parse().unwrap());
    match what {
        "differ" => differ(corpora, count),
        "time" => time(corpora, count),
        "windows" => windows(count),
        "profile" => profile(corpora, count),
        _ => panic!("differ, time or windows"),
    }
}
