//! Advisories of every kind.

use sbom::{
    Limits,
    advisory::{Advisory, Package, Read, read},
};

use crate::common;

fn one(text: &str) -> Advisory {
    let Read { mut advisories, problems } = read(text.as_bytes(), &Limits::DEFAULT);
    assert_eq!((advisories.len(), problems.len()), (1, 0), "{problems:?}");
    advisories.remove(0)
}

fn problem(text: &str) -> String {
    let read = read(text.as_bytes(), &Limits::DEFAULT);
    read.problems.first().map(ToString::to_string).unwrap_or_else(|| panic!("taken: {text}"))
}

#[test]
fn every_advisory_of_the_corpus_is_read() {
    let Some(folder) = common::corpus("advisories") else { return };
    let mut count = 0;
    for file in [common::files(&folder, "yaml"), common::files(&folder, "md")].concat() {
        let name = file.file_name().unwrap().to_string_lossy();
        if name.starts_with("README") {
            continue;
        }
        let read = read(&common::bytes(&file), &Limits::DEFAULT);
        assert!(read.problems.is_empty(), "{}: {}", file.display(), read.problems[0]);
        count += read.advisories.len();
    }
    assert!(count > 3000, "{count}");
}

#[test]
fn what_is_malformed_is_named_by_its_place() {
    assert_eq!(
        problem(r#"{"id":"X","affected":[{"package":{"name":"a"}}]}"#),
        "/affected/0/package: a package needs ecosystem and name"
    );
    let text = r#"{"id":"X","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"fixed":"1"}]}]}]}"#;
    assert_eq!(problem(text), "/affected/0/ranges/0/events: no event says where it was introduced");
    assert!(problem("id: X\nid: Y\n").starts_with("line 2"));
    assert!(problem("```toml\n[advisory]\nid = 1 2\n```\n").starts_with("line 3: no TOML"));
    assert!(problem("{\"a\": 1}").contains("neither OSV"));
    assert!(problem("<rss/>").contains("JVN"));
}

#[test]
fn the_tracker_names_source_packages_of_releases_and_faults_leave_the_others() {
    let text = r#"{"curl":{"CVE-1":{"releases":{
        "bookworm":{"status":"resolved","fixed_version":"7.88.1-10+deb12u5"},
        "trixie":{"status":"open"},"sid":{"status":"resolved","fixed_version":"0"},
        "buster":{"status":"undetermined"},"bullseye":{"status":"odd"}}}}}"#;
    let read = read(text.as_bytes(), &Limits::DEFAULT);
    assert_eq!(read.problems.len(), 1);
    assert!(read.problems[0].to_string().starts_with("/curl/CVE-1/releases/bullseye"));
    assert_eq!(read.advisories[0].affected.len(), 4);
    let Package::Distribution { release, name, .. } = &read.advisories[0].affected[0].package
    else {
        panic!()
    };
    assert_eq!((release.as_deref(), name.as_str()), (Some("12"), "curl"));
}

#[test]
fn the_secdb_of_alpine_names_several_weaknesses_at_once() {
    let text = r#"{"distroversion":"v3.18","reponame":"main","packages":[{"pkg":{"name":"curl",
        "secfixes":{"8.1.0-r0":["CVE-2 GHSA-x","CVE-3"],"0":["CVE-4"]}}}]}"#;
    let read = read(text.as_bytes(), &Limits::DEFAULT);
    assert_eq!(read.advisories.len(), 3);
    assert_eq!(read.advisories[0].aliases, ["GHSA-x"]);
}

#[test]
fn jvn_is_read_as_feed_and_as_details() {
    let feed = r#"<?xml version="1.0"?><rdf:RDF xmlns:rdf="r" xmlns:sec="s"><item rdf:about="x">
        <title>A &amp; B</title><sec:identifier>JVNDB-2024-000001</sec:identifier>
        <sec:references source="CVE" id="CVE-2024-1">u</sec:references>
        <sec:cpe version="2.2" vendor="v" product="p">cpe:/a:vendor:product</sec:cpe></item></rdf:RDF>"#;
    let advisory = one(feed);
    assert_eq!(
        (advisory.id.as_str(), advisory.title.as_deref()),
        ("JVNDB-2024-000001", Some("A & B"))
    );
    assert_eq!(advisory.aliases, ["CVE-2024-1"]);
    assert_eq!(advisory.affected.len(), 1);
    let details = r#"<VULDEF-Document><Vulinfo><VulinfoID>JVNDB-2024-000002</VulinfoID><VulinfoData><Title>t</Title>
        <Affected><AffectedItem><Name>v</Name><Cpe version="2.2">cpe:/a:vendor:product</Cpe>
        <VersionNumber>1.2.3 およびそれ以前</VersionNumber></AffectedItem></Affected></VulinfoData></Vulinfo></VULDEF-Document>"#;
    let advisory = one(details);
    assert!(
        matches!(advisory.affected[0].ranges[0], sbom::advisory::Range::Span(_)),
        "{advisory:?}"
    );
}
