//! Verdicts: real advisories against references that are written here anew, and the traps of matching.

use sbom::{
    Limits,
    advisory::{Advisory, Event, Package, Range, read},
    judge::{Fleet, Index, Reason, State, Subject, Verdict},
    order::{Ecosystem, Key},
    purl::Purl,
};

use crate::common;

fn advisories(text: &str) -> Vec<Advisory> {
    let read = read(text.as_bytes(), &Limits::DEFAULT);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    read.advisories
}

fn subject(purl: &str) -> Subject {
    Subject::of(&Purl::parse(purl).unwrap())
}

fn verdicts(index: &Index, purl: &str) -> Vec<Verdict> {
    index.judge(&[subject(purl)], &[])
}

fn state(index: &Index, purl: &str) -> Option<State> {
    let verdicts = verdicts(index, purl);
    assert!(verdicts.len() <= 1, "{verdicts:?}");
    verdicts.first().map(|v| v.state)
}

const TRACKER: &str = r#"{"curl":{"CVE-2023-1":{"releases":{
    "bookworm":{"status":"resolved","fixed_version":"7.88.1-10+deb12u5"},
    "trixie":{"status":"resolved","fixed_version":"8.5.0-1"},
    "buster":{"status":"undetermined"},
    "sid":{"status":"resolved","fixed_version":"0"}}}}}"#;

#[test]
fn a_back_port_is_fixed_though_its_version_is_older_than_upstreams() {
    let index = Index::new(advisories(TRACKER));
    let of = |version: &str, distro: &str| {
        state(&index, &format!("pkg:deb/debian/libcurl4@{version}?distro={distro}&upstream=curl"))
    };
    assert_eq!(of("7.88.1-10%2Bdeb12u5", "bookworm"), Some(State::NotAffected));
    assert_eq!(of("7.88.1-10%2Bdeb12u4", "debian-12.4"), Some(State::Affected));
    assert_eq!(of("7.88.1-10%2Bdeb12u5", "trixie"), Some(State::Affected));
    assert_eq!(of("7.74.0-1", "sid"), Some(State::NotAffected));
    assert_eq!(of("7.64.0-4", "buster"), Some(State::Unknown));
    // Nothing is said of this release.
    assert_eq!(of("7.64.0-4", "bullseye"), None);
}

#[test]
fn distribution_packages_are_matched_by_source_package_never_by_name_alone() {
    let index = Index::new(advisories(TRACKER));
    // Another source builds a binary of that name; the binary's own name says nothing.
    assert_eq!(state(&index, "pkg:deb/debian/curl@1?distro=bookworm&upstream=curl-fake"), None);
    let unknown = verdicts(&index, "pkg:deb/debian/curl@1?distro=bookworm");
    assert_eq!((unknown[0].state, &unknown[0].reason), (State::Unknown, &Reason::NoSource));
    // Without the release nobody knows which of the fixes counts.
    let unknown = verdicts(&index, "pkg:deb/debian/curl@1?upstream=curl");
    assert!(matches!(unknown[0].reason, Reason::NoRelease(_)));
    // The source may bear another version than the binary.
    let own = "pkg:deb/debian/libcurl4@9?distro=bookworm&upstream=curl%407.88.1-10";
    assert_eq!(state(&index, own), Some(State::Affected));
}

#[test]
fn data_of_a_language_says_nothing_of_a_distribution_and_the_other_way_round() {
    let osv = r#"{"id":"A","affected":[{"package":{"ecosystem":"PyPI","name":"curl"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#;
    let index = Index::new(advisories(osv).into_iter().chain(advisories(TRACKER)));
    let found = verdicts(&index, "pkg:deb/debian/curl@1?distro=bookworm&upstream=curl");
    assert_eq!(found.iter().map(|v| v.advisory.as_str()).collect::<Vec<_>>(), ["CVE-2023-1"]);
    let found = verdicts(&index, "pkg:pypi/curl@1");
    assert_eq!(found.iter().map(|v| v.advisory.as_str()).collect::<Vec<_>>(), ["A"]);
    // A wheel within a deb is that deb.
    let inner = Subject { part_of: Some("python3-curl".into()), ..subject("pkg:pypi/curl@1") };
    assert!(index.judge(&[inner], &[]).is_empty());
    // Other makers list it beside its package; its place says whose it is.
    let listed = |place: &str| {
        let mut component =
            sbom::Component { purl: Some("pkg:pypi/curl@1".into()), ..Default::default() };
        component.locations.push(place.to_owned());
        index.judge(&[Subject::from(&component)], &[]).len()
    };
    assert_eq!(listed("/usr/lib/python3/dist-packages/curl-1.dist-info/METADATA"), 0);
    assert_eq!(listed("/usr/local/lib/python3.11/dist-packages/curl-1.dist-info/METADATA"), 1);
}

fn osv(events: &str, rest: &str) -> Index {
    let text = format!(
        r#"{{"id":"A"{rest},"affected":[{{"package":{{"ecosystem":"npm","name":"a"}},
        "ranges":[{{"type":"SEMVER","events":[{events}]}}]}}]}}"#
    );
    Index::new(advisories(&text))
}

#[test]
fn events_of_osv_in_any_order() {
    let index = osv(
        r#"{"fixed":"1.2.0"},{"introduced":"2.0.0"},{"introduced":"0"},{"last_affected":"2.3.0"}"#,
        "",
    );
    let of = |version: &str| state(&index, &format!("pkg:npm/a@{version}")).unwrap();
    let affected = ["0.0.0-0", "1.2.0-rc.1", "2.0.0", "2.3.0", "2.3.0+x"];
    assert!(affected.iter().all(|v| of(v) == State::Affected));
    assert!(["1.2.0", "1.9.0", "2.0.0-x", "2.3.1"].iter().all(|v| of(v) == State::NotAffected));
    assert_eq!(of("latest"), State::Unknown);
}

#[test]
fn limits_and_withdrawal() {
    let index = osv(r#"{"introduced":"0"},{"limit":"2.0.0"}"#, "");
    assert_eq!(state(&index, "pkg:npm/a@1.0.0"), Some(State::Affected));
    assert_eq!(state(&index, "pkg:npm/a@2.0.0"), Some(State::NotAffected));
    let index = osv(r#"{"introduced":"0"}"#, r#","withdrawn":"2024-01-01T00:00:00Z""#);
    let found = verdicts(&index, "pkg:npm/a@1.0.0");
    assert!(matches!(found[0].reason, Reason::Withdrawn(_)));
    assert_eq!(found[0].state, State::NotAffected);
}

#[test]
fn what_has_no_order_is_unknown_with_a_reason() {
    let text = r#"{"id":"A","affected":[{"package":{"ecosystem":"Homebrew","name":"a"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"}]}]},
        {"package":{"ecosystem":"npm","name":"b"},"ranges":[{"type":"GIT","repo":"r","events":[{"introduced":"0"}]}]},
        {"package":{"ecosystem":"npm","name":"c"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"two"}]}]}]}"#;
    let index = Index::new(advisories(text));
    let named = Subject {
        ecosystem: "homebrew".into(),
        name: "a".into(),
        version: "1".into(),
        ..Subject::default()
    };
    let verdict = &index.judge(&[named], &[])[0];
    assert!(matches!(verdict.reason, Reason::NoOrder(_)), "{verdict:?}");
    assert_eq!(verdicts(&index, "pkg:npm/b@1.0.0")[0].reason, Reason::Commits);
    assert!(matches!(verdicts(&index, "pkg:npm/c@1.0.0")[0].reason, Reason::Range(_)));
}

#[test]
fn products_are_matched_by_cpe_and_an_order_is_not_invented() {
    let feed = |cpe: &str, version: &str| {
        let text = format!(
            "<VULDEF-Document><Vulinfo><VulinfoID>JVNDB-1</VulinfoID><VulinfoData><Affected><AffectedItem>\
             <Cpe>{cpe}</Cpe>{version}</AffectedItem></Affected></VulinfoData></Vulinfo></VULDEF-Document>"
        );
        Index::new(advisories(&text))
    };
    let own = |cpe: &str| Subject {
        cpes: vec![sbom::cpe::Cpe::parse(cpe).unwrap()],
        ..Subject::default()
    };
    let of = |index: &Index, cpe: &str| index.judge(&[own(cpe)], &[]).first().map(|v| v.state);
    let named = feed("cpe:/a:v:p:1.2", "");
    assert_eq!(of(&named, "cpe:2.3:a:v:p:1.2:*:*:*:*:*:*:*"), Some(State::Affected));
    assert_eq!(of(&named, "cpe:2.3:a:v:p:1.3:*:*:*:*:*:*:*"), Some(State::NotAffected));
    assert_eq!(of(&named, "cpe:2.3:a:v:pp:1.2:*:*:*:*:*:*:*"), None);
    let below = feed("cpe:/a:v:p", "<VersionNumber>1.2 未満</VersionNumber>");
    assert_eq!(of(&below, "cpe:2.3:a:v:p:1.1:*:*:*:*:*:*:*"), Some(State::Unknown));
    let unsaid = feed("cpe:/a:v:p", "");
    assert_eq!(of(&unsaid, "cpe:2.3:a:v:p:1.1:*:*:*:*:*:*:*"), Some(State::Unknown));
}

#[test]
fn csaf_says_where_a_distribution_fixed_it() {
    let csaf = include_str!("data/csaf-vex.json");
    let index = Index::new(advisories(csaf));
    let of = |version: &str| {
        state(
            &index,
            &format!("pkg:rpm/redhat/openssl@{version}?arch=x86_64&distro=rhel-9.3&epoch=1"),
        )
    };
    assert_eq!(of("3.0.7-24.el9"), Some(State::Affected));
    assert_eq!(of("3.0.7-25.el9_3"), Some(State::NotAffected));
}

#[test]
fn one_advisory_names_its_hosts_and_judges_each_version_once() {
    let index = osv(r#"{"introduced":"0"},{"fixed":"2.0.0"}"#, "");
    let mut fleet = Fleet::default();
    for host in 0..300 {
        fleet.add(host, &subject(&format!("pkg:npm/a@{}.0.0", 1 + host % 3)));
        fleet.add(host, &subject("pkg:npm/b@1.0.0"));
    }
    fleet.add(300, &subject("pkg:npm/a@latest"));
    assert_eq!(fleet.subjects(), 5);
    let hosts = index.who("A", &fleet);
    assert_eq!(hosts.affected.len(), 100);
    assert!(hosts.affected.iter().all(|h| h % 3 == 0));
    assert_eq!(hosts.unknown.iter().collect::<Vec<_>>(), [300]);
    // As if each host were judged by itself.
    for host in 0..300 {
        let own = subject(&format!("pkg:npm/a@{}.0.0", 1 + host % 3));
        let affected = index.judge(&[own], &[])[0].state == State::Affected;
        assert_eq!(hosts.affected.contains(host), affected);
    }
}

/// Versions around every version that an advisory names.
fn around(advisory: &Advisory) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    for affected in &advisory.affected {
        named.extend(affected.versions.iter().take(4).cloned());
        for range in &affected.ranges {
            match range {
                Range::Events(events) => named.extend(events.iter().map(|e| match e {
                    Event::Introduced(v)
                    | Event::Fixed(v)
                    | Event::LastAffected(v)
                    | Event::Limit(v) => v.clone(),
                })),
                Range::AllBut(spans) => {
                    for bound in spans.iter().flat_map(|s| [&s.low, &s.high]) {
                        if let sbom::advisory::Bound::At(v) | sbom::advisory::Bound::Beyond(v) =
                            bound
                        {
                            named.push(v.clone());
                        }
                    }
                }
                _ => {}
            }
        }
    }
    let mut out = vec!["0.0.1".to_owned(), "999.0.0".to_owned()];
    for version in named {
        for end in ["", ".1", ".dev1", "rc1", "-alpha.1", "+build", ".post1"] {
            out.push(format!("{version}{end}"));
        }
    }
    out.sort();
    out.dedup();
    out
}

/// The rule of OSV in its own words: walk the events in order of their versions.
struct Reference {
    listed: Vec<Key>,
    /// Of each range, sorted; no key is before every version.
    ranges: Vec<Vec<(Option<Key>, Event)>>,
}

impl Reference {
    fn of(affected: &sbom::advisory::Affected) -> Reference {
        let key = |v: &str| Ecosystem::Pypi.key(v).unwrap();
        let ranges = affected.ranges.iter().filter_map(|range| {
            let Range::Events(events) = range else { return None };
            let with_key = |e: &Event| match e {
                Event::Introduced(v) if v == "0" => (None, e.clone()),
                Event::Introduced(v)
                | Event::Fixed(v)
                | Event::LastAffected(v)
                | Event::Limit(v) => (Some(key(v)), e.clone()),
            };
            let mut sorted: Vec<_> = events.iter().map(with_key).collect();
            sorted.sort_by(|a, b| match (&a.0, &b.0) {
                (Some(a), Some(b)) => a.compare(b).unwrap(),
                (a, b) => a.is_some().cmp(&b.is_some()),
            });
            Some(sorted)
        });
        Reference {
            ranges: ranges.collect(),
            listed: affected.versions.iter().map(|v| key(v)).collect(),
        }
    }

    fn says(&self, version: &str) -> Option<bool> {
        let own = Ecosystem::Pypi.key(version).ok().filter(|k| !k.is_legacy())?;
        if self.listed.iter().any(|v| own.compare(v).unwrap().is_eq()) {
            return Some(true);
        }
        let hit = |events: &Vec<(Option<Key>, Event)>| {
            let mut vulnerable = false;
            for (key, event) in events {
                let order =
                    key.as_ref().map_or(std::cmp::Ordering::Greater, |k| own.compare(k).unwrap());
                match event {
                    Event::Introduced(_) if order.is_ge() => vulnerable = true,
                    Event::Fixed(_) if order.is_ge() => vulnerable = false,
                    Event::LastAffected(_) if order.is_gt() => vulnerable = false,
                    _ => {}
                }
            }
            vulnerable
        };
        Some(self.ranges.iter().any(hit))
    }
}

/// RustSec's rule in its own words: affected unless one requirement holds, each a list of comparators over
/// the whole order.
fn rustsec_says(requirements: &[String], version: &str) -> Option<bool> {
    let own = Ecosystem::Cargo.key(version).ok()?;
    let against = |v: &str| {
        let mut v = v.trim().to_owned();
        while v.split(['-', '+']).next().unwrap().split('.').count() < 3 {
            v.push_str(".0");
        }
        own.compare(&Ecosystem::Cargo.key(&v).unwrap()).unwrap()
    };
    let holds = |part: &str| {
        let part = part.trim();
        if let Some(v) = part.strip_prefix(">=") {
            against(v).is_ge()
        } else if let Some(v) = part.strip_prefix("<=") {
            against(v).is_le()
        } else if let Some(v) = part.strip_prefix('>') {
            against(v).is_gt()
        } else if let Some(v) = part.strip_prefix('<') {
            against(v).is_lt()
        } else if let Some(v) = part.strip_prefix('=') {
            against(v).is_eq()
        } else {
            let v = part.trim_start_matches('^').trim();
            let numbers: Vec<u64> =
                v.split('-').next().unwrap().split('.').map(|n| n.parse().unwrap()).collect();
            let end = match numbers.as_slice() {
                [0, 0, patch] => format!("0.0.{}-0", patch + 1),
                [0, minor, ..] => format!("0.{}.0-0", minor + 1),
                [major, ..] => format!("{}.0.0-0", major + 1),
                [] => unreachable!(),
            };
            against(v).is_ge() && against(&end).is_lt()
        }
    };
    Some(!requirements.iter().any(|r| r.split(',').all(holds)))
}

#[test]
fn every_advisory_of_rustsec_against_its_rule() {
    let Some(folder) = common::corpus("advisories/rustsec") else { return };
    let (mut pairs, mut wrong) = (0, Vec::new());
    for file in common::files(&folder, "md") {
        let text = common::text(&file);
        let Some(front) = text.strip_prefix("```toml").and_then(|t| t.split("\n```").next()) else {
            continue;
        };
        let table: toml::Table = front.parse().unwrap();
        let list = |name: &str| {
            let list =
                table["versions"].get(name).and_then(|v| v.as_array()).cloned().unwrap_or_default();
            list.iter().map(|v| v.as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        let requirements = [list("patched"), list("unaffected")].concat();
        for advisory in read(text.as_bytes(), &Limits::DEFAULT).advisories {
            let Package::Language { name, .. } = advisory.affected[0].package.clone() else {
                panic!()
            };
            let index = Index::new([advisory.clone()]);
            for version in around(&advisory) {
                let own = Subject {
                    ecosystem: "cargo".into(),
                    name: name.clone(),
                    version: version.clone(),
                    ..Subject::default()
                };
                let state = index.judge(&[own], &[])[0].state;
                let expected =
                    match (advisory.withdrawn.is_some(), rustsec_says(&requirements, &version)) {
                        (true, _) => State::NotAffected,
                        (_, Some(true)) => State::Affected,
                        (_, Some(false)) => State::NotAffected,
                        (_, None) => State::Unknown,
                    };
                pairs += 1;
                if state != expected {
                    wrong.push(format!("{} {name} {version}: {state:?}", advisory.id));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {pairs}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(pairs > 10_000, "{pairs}");
}

#[test]
fn every_advisory_of_pypa_against_the_rule_of_osv() {
    let Some(folder) = common::corpus("advisories/pypa") else { return };
    let (mut pairs, mut wrong) = (0, Vec::new());
    for file in common::files(&folder, "yaml") {
        for advisory in read(&common::bytes(&file), &Limits::DEFAULT).advisories {
            if advisory.withdrawn.is_some() {
                continue;
            }
            let index = Index::new([advisory.clone()]);
            for affected in &advisory.affected {
                let Package::Language { name, .. } = &affected.package else { continue };
                let only =
                    advisory.affected.iter().filter(|a| a.package == affected.package).count() == 1;
                let readable =
                    affected.versions.iter().all(|v| !Ecosystem::Pypi.key(v).unwrap().is_legacy());
                if !only || !readable {
                    continue;
                }
                let reference = Reference::of(affected);
                for version in around(&advisory) {
                    let own = Subject {
                        ecosystem: "pypi".into(),
                        name: name.clone(),
                        version: version.clone(),
                        ..Subject::default()
                    };
                    let verdict = &index.judge(&[own], &[])[0];
                    let expected = match reference.says(&version) {
                        Some(true) => State::Affected,
                        Some(false) => State::NotAffected,
                        None => State::Unknown,
                    };
                    pairs += 1;
                    let commits_only = affected.versions.is_empty()
                        && affected.ranges.iter().all(|r| *r == Range::Commits);
                    if verdict.state != expected && !commits_only {
                        wrong.push(format!("{} {name} {version}: {verdict:?}", advisory.id));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {pairs}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(pairs > 50_000, "{pairs}");
}
