use std::{path::Path, sync::Arc};

use indicators::{
    Direction, Entry, Key, Kind, Scope,
    pattern::{Budget, Outcome, eval, parse},
    set::{Limits, build},
};
use intel::{Current, Language, Manifest, PatternLine};
use merkle::{SignedNote, Signer};
use model::Timestamp;
use netname::Names;
use proptest::prelude::*;
use stream::{Event, RawLine};

use super::{
    Intel, Rows,
    patterns::{KEPT_MAX, Patterns, Seen},
    seen,
    wanted::{self, Hunted},
    watcher::{PatternMet, Watcher},
};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

pub fn signer() -> Signer {
    Signer::from_seed("ume.example", &[7; 32]).unwrap()
}

/// A signed set with patterns in a folder.
pub fn publish(folder: &Path, sequence: u64, rows: &[Entry], patterns: &[PatternLine]) -> Current {
    let mut bytes = Vec::new();
    build(rows.to_vec(), [5; 16], &Limits::DEFAULT, &mut bytes).unwrap();
    let mut files = vec![intel::add_file(folder, "base", &bytes).unwrap()];
    if !patterns.is_empty() {
        files.push(intel::add_patterns(folder, patterns).unwrap());
    }
    let manifest = Manifest { sequence, made_at: NOW.0, rows: rows.len() as u64, files };
    let mut note = SignedNote::new(&manifest.text()).unwrap();
    note.sign(&signer()).unwrap();
    intel::put(folder, &manifest, &note.to_string()).unwrap();
    Current::load(folder, &[signer().verifier_key()]).unwrap().unwrap()
}

fn line(id: &str, pattern: &str) -> PatternLine {
    PatternLine { id: id.to_owned(), pattern: pattern.to_owned(), ..PatternLine::default() }
}

fn event(line: &str, at_s: i64) -> Event {
    let at = Timestamp(NOW.0 + at_s * 1_000_000);
    let mut event = stream::parse(&RawLine::new(line), "s", at, &jiff::tz::TimeZone::UTC);
    event.event_time = Some(at);
    event
}

const SQUID: &str = "<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://evil.example/a mika HIER_DIRECT/203.0.113.7 text/html";
const SYSMON: &str = r#"{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"pc1","Image":"C:\\Users\\mika\\AppData\\Local\\Temp\\dropper.exe","CommandLine":"dropper.exe -x","ParentImage":"C:\\Windows\\explorer.exe","User":"CORP\\mika","Hashes":"SHA256=9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"}"#;
const REGISTRY: &str = r#"{"EventID":13,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"pc1","Image":"C:\\x.exe","TargetObject":"HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Run\\evil","Details":"C:\\x.exe"}"#;
const FAILED: &str =
    "Jan  1 01:00:00 h sshd[1]: Failed password for root from 192.0.2.7 port 22 ssh2";
const ACCEPTED: &str =
    "Jan  1 01:00:00 h sshd[1]: Accepted password for root from 192.0.2.7 port 22 ssh2";
const DNS: &str = r#"{"query":"C2.Evil.Example.","src_ip":"10.0.0.9"}"#;

fn met(patterns: &[&str], events: &[Event]) -> Vec<(String, usize, bool)> {
    let lines: Vec<PatternLine> = patterns.iter().map(|p| line(p, p)).collect();
    let patterns = Patterns::new(&lines);
    assert_eq!(patterns.refused, []);
    let mut watcher = Watcher::new(Arc::new(patterns));
    let mut found: Vec<PatternMet> = Vec::new();
    for event in events {
        watcher.push(event, event.time().0, |_| true, &mut found);
    }
    let one =
        |met: PatternMet| (lines[met.of as usize].id.clone(), met.seen.len(), met.is_undecided);
    found.into_iter().map(one).collect()
}

#[test]
fn patterns_of_one_event_meet_real_lines() {
    for (text, pattern, is_met) in [
        (SQUID, "[url:value = 'http://evil.example/a']", true),
        (SQUID, "[url:value = 'http://evil.example/A']", false),
        (SQUID, "[ipv4-addr:value ISSUBSET '203.0.113.0/24']", true),
        (SQUID, "[ipv4-addr:value ISSUBSET '198.51.100.0/24']", false),
        (SQUID, "[network-traffic:dst_ref.value = '203.0.113.7']", true),
        (SQUID, "[network-traffic:src_ref.value = '203.0.113.7']", false),
        (SQUID, "[x-ume-event:fields.'cs-method' = 'GET' AND x-ume-event:app = 'squid']", true),
        (SYSMON, "[file:name = 'dropper.exe']", true),
        (
            SYSMON,
            "[file:hashes.'SHA-256' = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08']",
            true,
        ),
        (
            SYSMON,
            "[file:hashes.'SHA-256' = '9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08' AND file:name = 'dropper.exe']",
            true,
        ),
        (
            SYSMON,
            "[process:command_line LIKE 'dropper%' AND process:parent_ref.image_ref.name = 'explorer.exe']",
            true,
        ),
        (SYSMON, "[process:creator_user_ref.account_login = 'mika']", true),
        (SYSMON, "[directory:path MATCHES 'Temp$']", true),
        (
            REGISTRY,
            "[windows-registry-key:key = 'HKLM\\\\Software\\\\Microsoft\\\\Windows\\\\CurrentVersion\\\\Run' AND windows-registry-key:values[*].name = 'evil']",
            true,
        ),
        (DNS, "[domain-name:value = 'c2.EVIL.example']", true),
        (
            FAILED,
            "[user-account:account_login = 'root' AND user-account:x_ume_outcome = 'failure']",
            true,
        ),
        (ACCEPTED, "[user-account:x_ume_outcome = 'failure']", false),
        (FAILED, "[mutex:name = 'x'] OR [ipv4-addr:value = '192.0.2.7']", true),
        (
            FAILED,
            "[ipv4-addr:value = '192.0.2.7'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'",
            false,
        ),
    ] {
        let found = met(&[pattern], &[event(text, 0)]);
        assert_eq!(!found.is_empty(), is_met, "{pattern}: {:?}", event(text, 0).fields);
    }
}

#[test]
fn what_takes_several_events_waits_for_the_rest_and_takes_each_once() {
    let repeats = "[ipv4-addr:value = '192.0.2.7'] REPEATS 3 TIMES WITHIN 60 SECONDS";
    let at = |seconds: &[i64]| seconds.iter().map(|s| event(FAILED, *s)).collect::<Vec<_>>();
    assert_eq!(met(&[repeats], &at(&[0, 30])), []);
    assert_eq!(met(&[repeats], &at(&[0, 30, 91])), [], "too far apart");
    assert_eq!(met(&[repeats], &at(&[0, 31, 91, 91])).len(), 1);
    assert_eq!(met(&[repeats], &at(&[0, 1, 2, 3, 4])).len(), 1, "the rest waits anew");
    assert_eq!(met(&[repeats], &at(&[0, 1, 2, 3, 4, 5])).len(), 2);
    let chain = "([user-account:x_ume_outcome = 'failure'] FOLLOWEDBY [user-account:x_ume_outcome = 'success']) WITHIN 300 SECONDS";
    let found = met(&[chain], &[event(FAILED, 0), event(ACCEPTED, 9)]);
    assert_eq!(found, [(chain.to_owned(), 2, false)]);
    assert_eq!(met(&[chain], &[event(ACCEPTED, 0), event(FAILED, 9)]), [], "the other way round");
    // What comes late counts at its own time.
    assert_eq!(met(&[chain], &[event(ACCEPTED, 9), event(FAILED, 0)]).len(), 1);
}

#[test]
fn windows_outlast_a_restart_and_a_new_set_but_not_another_pattern() {
    let one = line("a", "[ipv4-addr:value = '192.0.2.7'] REPEATS 2 TIMES WITHIN 60 SECONDS");
    let other = PatternLine { pattern: one.pattern.replace("60", "90"), ..one.clone() };
    let patterns = |lines: &[PatternLine]| Arc::new(Patterns::new(lines));
    let mut found = Vec::new();
    let mut before = Watcher::new(patterns(std::slice::from_ref(&one)));
    before.push(&event(FAILED, 0), NOW.0, |_| true, &mut found);
    let saved = before.snapshot();
    for (lines, count) in [(vec![one.clone()], 1), (vec![other.clone()], 0), (vec![other, one], 1)]
    {
        let mut after = Watcher::new(patterns(&lines));
        after.restore(&saved).unwrap();
        let mut found = Vec::new();
        after.push(&event(FAILED, 5), NOW.0 + 5_000_000, |_| true, &mut found);
        assert_eq!(found.len(), count, "{lines:?}");
        before.follow(patterns(&lines));
    }
    assert!(before.restore(b"{").is_err());
}

#[test]
fn what_cannot_be_decided_or_kept_is_told_once() {
    let chain = "[ipv4-addr:value = '192.0.2.7'] FOLLOWEDBY [mutex:name = 'never']";
    let many: Vec<Event> = (0..KEPT_MAX as i64 + 9).map(|s| event(FAILED, s)).collect();
    let found = met(&[chain], &many);
    assert_eq!(found, [(chain.to_owned(), 1, true)], "told once");
    let lines = [
        line("many", "[url:value = 'x'] REPEATS 501 TIMES"),
        line("bad", "[url:value ="),
        PatternLine { language: Language::Sigma, ..line("sigma", "title: x") },
    ];
    let patterns = Patterns::new(&lines);
    let refused: Vec<&str> = patterns.refused.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(refused, ["many", "bad"]);
    assert!(patterns.refused[1].1.contains("column"), "{:?}", patterns.refused);
}

/// Pieces that make patterns and events often, not always, agree.
const TESTS: [&str; 10] = [
    "[url:value = 'http://evil.example/a']",
    "[ipv4-addr:value = '192.0.2.7']",
    "[ipv4-addr:value ISSUBSET '203.0.113.0/24']",
    "[file:name IN ('dropper.exe', 'b')]",
    "[user-account:account_login = 'root']",
    "[domain-name:value = 'c2.evil.example']",
    "[process:command_line MATCHES 'drop']",
    "[windows-registry-key:key LIKE '%Run']",
    "[x-ume-event:app = 'sshd']",
    "[network-traffic:dst_ref.value = '203.0.113.7' OR url:value = 'x']",
];
const LINES: [&str; 6] = [SQUID, SYSMON, REGISTRY, FAILED, ACCEPTED, DNS];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever wakes a pattern, what it says is what all its tests held against the event say.
    #[test]
    fn no_pattern_sleeps_through_an_event_that_it_meets(
        tests in prop::collection::vec(0..TESTS.len(), 1..6),
        lines in prop::collection::vec(0..LINES.len(), 1..6),
    ) {
        let wanted: Vec<PatternLine> =
            tests.iter().enumerate().map(|(n, at)| line(&n.to_string(), TESTS[*at])).collect();
        let patterns = Patterns::new(&wanted);
        for at in lines {
            let event = event(LINES[at], 0);
            let seen = Seen::of(&event, NOW.0);
            let plain: Vec<u32> = (0u32..)
                .zip(&wanted)
                .filter(|(_, line)| {
                    let pattern = parse(&line.pattern).unwrap();
                    let outcome = eval(&pattern, &[seen.observation()], Budget::default());
                    matches!(outcome, Outcome::True(_))
                })
                .map(|(at, _)| at)
                .collect();
            let touched = patterns.touched(&event, NOW.0);
            // Constants are brought into the events' form, so some more may hold, never fewer.
            prop_assert!(plain.iter().all(|at| touched.met.contains(at)), "{:?}", touched.met);
        }
    }
}

/// Values as logs and lists write them.
fn value() -> impl Strategy<Value = (Kind, String)> {
    let label =
        prop::sample::select(vec!["evil", "a", "www", "xn--q9jyb4c", "日本", "ｅｖｉｌ", "EVIL"]);
    let top = prop::sample::select(vec!["example", "co.jp", "example.", "jp"]);
    let name = (prop::collection::vec(label, 1..4), top)
        .prop_map(|(labels, top)| format!("{}.{top}", labels.join(".")));
    let ip = prop::sample::select(vec![
        "203.0.113.7",
        "203.0.114.7",
        "203.1.113.7",
        "2001:db8::1",
        "2001:0DB8:0::1",
        "2001:db8:1::1",
        "::ffff:203.0.113.7",
    ]);
    let path = prop::sample::select(vec!["/a", "/a/b", "/a/./b", "/%61/b?q=1", "/"]);
    let host = prop_oneof![
        name.clone(),
        ip.clone().prop_filter("v4", |ip| !ip.contains(':')).prop_map(str::to_owned)
    ];
    let url = (prop::sample::select(vec!["http://", "https://", "HTTP://u@"]), host, path)
        .prop_map(|(scheme, host, path)| format!("{scheme}{host}{path}"));
    let file = prop::sample::select(vec![
        "C:\\Temp\\Evil.exe",
        "c:/temp/evil.exe",
        "/usr/bin/evil",
        "C:\\Users\\mika\\AppData\\x.dll",
    ]);
    prop_oneof![
        name.clone().prop_map(|v| (Kind::Domain, v)),
        ip.prop_map(|v| (Kind::Ip, v.to_owned())),
        url.prop_map(|v| (Kind::Url, v)),
        file.prop_map(|v| (Kind::Path, v.to_owned())),
        (prop::sample::select(vec!["a", "b"]), name)
            .prop_map(|(w, n)| (Kind::Email, format!("{w}@{n}"))),
        prop::sample::select(vec!["HKLM\\Software\\Run\\x", "hklm\\software\\run"])
            .prop_map(|v| (Kind::RegistryKey, v.to_owned())),
    ]
}

fn wanted_value() -> impl Strategy<Value = (Kind, String)> {
    let more = prop::sample::select(vec![
        (Kind::Cidr, "203.0.113.0/24"),
        (Kind::Cidr, "203.0.112.0/22"),
        (Kind::Cidr, "203.0.0.0/9"),
        (Kind::Cidr, "2001:db8::/48"),
        (Kind::Cidr, "2001:db8::/32"),
        (Kind::FileName, "evil.EXE"),
        (Kind::Path, "C:\\Temp\\*"),
    ]);
    prop_oneof![value(), more.prop_map(|(kind, text)| (kind, text.to_owned()))]
}

fn row(id: u64, kind: Kind, text: &str, scope: Scope, days: (i64, i64)) -> Option<Entry> {
    let key: Key = indicators::normalise(kind, text, &Names::shipped()).ok()?;
    let key =
        if key.scope() == Scope::Exact { key.clone().reaching(scope).unwrap_or(key) } else { key };
    let day = |days: i64| Some(NOW.0 + days * 86_400_000_000);
    Some(Entry { from: day(days.0), until: day(days.1), ..Entry::new(id, key, "list") })
}

fn seen_in(kind: Kind, text: &str, day: i64) -> Event {
    let name = match kind {
        Kind::Domain => "query",
        Kind::Ip => "dst_ip",
        Kind::Url => "c-uri",
        Kind::Email => "sender",
        Kind::RegistryKey => "TargetObject",
        _ => "TargetFilename",
    };
    let mut event = event("x", day * 86_400);
    event.fields = [(name.to_owned(), text.to_owned())].into();
    event
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A segment is left out only if no new row hits any event of it.
    #[test]
    fn no_segment_that_holds_a_hit_is_left_out(
        rows in prop::collection::vec((wanted_value(), 0..4usize, -3i64..3, 0i64..4), 1..8),
        events in prop::collection::vec((value(), -3i64..4), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let scopes = [Scope::Exact, Scope::Prefix, Scope::Host, Scope::Subdomains];
        let rows: Vec<Entry> = rows
            .into_iter()
            .enumerate()
            .filter_map(|(id, ((kind, text), scope, from, days))| {
                row(id as u64, kind, &text, scopes[scope], (from, from + days))
            })
            .collect();
        let set = Arc::new(publish(folder.path(), 1, &rows, &[]));
        let intel = Intel::new(set.clone());
        let new = wanted::new_in(&set, &Hunted::default(), intel.names()).unwrap();
        let events: Vec<Event> =
            events.iter().map(|((kind, text), day)| seen_in(*kind, text, *day)).collect();
        let segment = folder.path().join("x.parquet");
        std::fs::write(&segment, b"four").unwrap();
        seen::write(&segment, 4, &events.iter().collect::<Vec<_>>()).unwrap();
        let hits = events.iter().any(|e| intel.is_met(e, e.time().min(e.arrived)));
        if let Some(asks) = &new.asks {
            let (may, bytes) = asks.may_meet(&segment);
            prop_assert!(may || !hits);
            prop_assert!(bytes > 0);
        }
        // Everything was hunted for, so nothing is new.
        let none = wanted::new_in(&set, &Hunted::of(&set).unwrap(), intel.names()).unwrap();
        prop_assert!(none.rows.is_empty() && none.patterns.is_empty());
        prop_assert!(!none.asks.unwrap().may_meet(&segment).0);
    }
}

#[test]
fn a_sidecar_that_is_torn_or_of_another_segment_leaves_nothing_out() {
    let folder = tempfile::tempdir().unwrap();
    let segment = folder.path().join("x.parquet");
    std::fs::write(&segment, b"four").unwrap();
    let quiet = seen_in(Kind::Domain, "good.example", 0);
    seen::write(&segment, 4, &[&quiet]).unwrap();
    let rows = [row(1, Kind::Domain, "evil.example", Scope::Exact, (-9, 9)).unwrap()];
    let set = publish(folder.path(), 1, &rows, &[]);
    let asks = wanted::new_in(&set, &Hunted::default(), &Names::shipped()).unwrap().asks.unwrap();
    assert!(!asks.may_meet(&segment).0);
    let path = seen::path_of(&segment);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut torn = whole.clone();
        torn[at] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        assert!(asks.may_meet(&segment).0, "byte {at}");
        std::fs::write(&path, &whole[..at]).unwrap();
        assert!(asks.may_meet(&segment).0, "cut at {at}");
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(&segment, b"longer").unwrap();
    assert!(asks.may_meet(&segment).0, "of another segment");
    std::fs::remove_file(&path).unwrap();
    assert!(asks.may_meet(&segment).0);
}

#[test]
fn only_what_is_new_counts_and_what_comes_back_is_new_again() {
    let folder = tempfile::tempdir().unwrap();
    let one = |id, name: &str| row(id, Kind::Domain, name, Scope::Exact, (-9, 9)).unwrap();
    let pattern = line("p", "[url:value = 'x']");
    let first = publish(folder.path(), 1, &[one(1, "a.example"), one(2, "b.example")], &[]);
    let hunted = Hunted::of(&first).unwrap();
    let read = Hunted::read(&hunted.bytes()).unwrap();
    assert_eq!(read, hunted);
    assert_eq!(Hunted::read(&hunted.bytes()[..30]), None);
    let rows = [one(7, "b.example"), one(9, "c.example")];
    let second = Arc::new(publish(folder.path(), 2, &rows, std::slice::from_ref(&pattern)));
    let names = Names::shipped();
    let new = wanted::new_in(&second, &hunted, &names).unwrap();
    assert_eq!(new.rows, Rows::of(vec![9]));
    assert_eq!(new.patterns, [pattern]);
    assert!(new.asks.is_none(), "a pattern may stand anywhere");
    let intel = Intel::new(second.clone()).only(Arc::new(new.rows), &new.patterns);
    let is_met = |name: &str| intel.is_met(&seen_in(Kind::Domain, name, 0), NOW);
    assert!(is_met("c.example") && !is_met("b.example"));
    // What was out of force for a while has to be looked for again.
    let cut = hunted.and(&Hunted::of(&second).unwrap());
    let third = publish(folder.path(), 3, &[one(1, "a.example"), one(7, "b.example")], &[]);
    assert_eq!(wanted::new_in(&third, &cut, &names).unwrap().rows, Rows::of(vec![1]));
    // Another period is another row.
    let longer = row(1, Kind::Domain, "a.example", Scope::Exact, (-9, 99)).unwrap();
    let fourth = publish(folder.path(), 4, &[longer], &[]);
    assert_eq!(wanted::new_in(&fourth, &hunted, &names).unwrap().rows.len(), 1);
}

#[test]
fn a_finding_says_which_indicator_of_which_item_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let id = model::Id::from_parts(NOW, &[3; 10]);
    let mut bytes = Vec::new();
    let key = indicators::normalise(Kind::Domain, "evil.example", &Names::shipped()).unwrap();
    let entry = Entry { direction: Direction::Destination, ..Entry::new(42, key, "JPCERT") };
    build([entry], [5; 16], &Limits::DEFAULT, &mut bytes).unwrap();
    let plain: String = id.to_string().replace('-', "");
    let item: [u8; 16] = hex::decode(plain).unwrap().try_into().unwrap();
    let origins = [(42, vec![item])].into();
    let files = vec![
        intel::add_file(folder.path(), "base", &bytes).unwrap(),
        intel::add_origins(folder.path(), &origins).unwrap(),
    ];
    let manifest = Manifest { sequence: 1, made_at: NOW.0, rows: 1, files };
    let mut note = SignedNote::new(&manifest.text()).unwrap();
    note.sign(&signer()).unwrap();
    intel::put(folder.path(), &manifest, &note.to_string()).unwrap();
    let set = Current::load(folder.path(), &[signer().verifier_key()]).unwrap().unwrap();
    let intel = Intel::new(Arc::new(set));
    let met = intel.meets(&event(SQUID, 0), NOW);
    assert_eq!(met.len(), 1);
    let why = &met[0].why;
    assert_eq!((why.kind.as_str(), why.value.as_str()), ("domain", "evil.example"));
    assert_eq!((why.items.as_slice(), why.direction), (&[id.to_string()][..], "destination"));
    let sighting = why.sighting(NOW).unwrap();
    assert_eq!((sighting.count, sighting.last, sighting.source.as_str()), (1, NOW.0, "JPCERT"));
}
