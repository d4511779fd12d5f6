//! Verdicts: real advisories against references that are written here anew, and the traps of matching.

use sbom::{
    Limits,
    advisory::{Advisory, Event, Package, Range, read},
    judge::{Fleet, Index, Reason, State, Subject, Verdict},
    order::Ecosystem,
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
        named.extend(affected.versions.iter().take(20).cloned());
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
fn reference(affected: &sbom::advisory::Affected, version: &str) -> Option<bool> {
    let order = Ecosystem::Pypi;
    let own = order.key(version).ok().filter(|k| !k.is_legacy())?;
    let at_least = |v: &str| v == "0" || own.compare(&order.key(v).unwrap()).unwrap().is_ge();
    if affected.versions.iter().any(|v| order.key(v).unwrap().compare(&own).unwrap().is_eq()) {
        return Some(true);
    }
    for range in &affected.ranges {
        let Range::Events(events) = range else { continue };
        let text = |e: &Event| match e {
            Event::Introduced(v) | Event::Fixed(v) | Event::LastAffected(v) | Event::Limit(v) => {
                v.clone()
            }
        };
        let mut sorted = events.clone();
        sorted.sort_by(|a, b| match (text(a).as_str(), text(b).as_str()) {
            ("0", "0") => std::cmp::Ordering::Equal,
            ("0", _) => std::cmp::Ordering::Less,
            (_, "0") => std::cmp::Ordering::Greater,
            (a, b) => order.key(a).unwrap().compare(&order.key(b).unwrap()).unwrap(),
        });
        let mut vulnerable = false;
        for event in &sorted {
            match event {
                Event::Introduced(v) if at_least(v) => vulnerable = true,
                Event::Fixed(v) if at_least(v) => vulnerable = false,
                Event::LastAffected(v)
                    if at_least(v) && own.compare(&order.key(v).unwrap()).unwrap().is_gt() =>
                {
                    vulnerable = false;
                }
                _ => {}
            }
        }
        if vulnerable {
            return Some(true);
        }
    }
    Some(false)
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
                for version in around(&advisory) {
                    let own = Subject {
                        ecosystem: "pypi".into(),
                        name: name.clone(),
                        version: version.clone(),
                        ..Subject::default()
                    };
                    let verdict = &index.judge(&[own], &[])[0];
                    let expected = match reference(affected, &version) {
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
