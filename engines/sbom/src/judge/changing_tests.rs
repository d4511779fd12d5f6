use super::{Fleet, Index, Subject};
use crate::{
    Limits,
    advisory::{self, Advisory},
    purl::Purl,
};

fn advisories(text: &str) -> Vec<Advisory> {
    let read = advisory::read(text.as_bytes(), &Limits::DEFAULT);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    read.advisories
}

fn subject(purl: &str) -> Subject {
    Subject::of(&Purl::parse(purl).unwrap())
}

const TRACKER: &str = r#"{"curl": {"CVE-2023-1": {"releases": {
    "bookworm": {"status": "resolved", "fixed_version": "7.88.1-10+deb12u5"}}}}}"#;

#[test]
fn an_advisory_that_was_taken_out_says_nothing_any_more_and_the_others_stand() {
    let mut index = Index::new(advisories(TRACKER));
    let other = TRACKER.replace("CVE-2023-1", "CVE-2023-2");
    let number = index.insert(advisories(&other).remove(0));
    let old = subject("pkg:deb/debian/libcurl4@7.88.1-1?distro=bookworm&upstream=curl");
    let names = |index: &Index| -> Vec<String> {
        index.verdicts(&old).into_iter().map(|(_, verdict)| verdict.advisory).collect()
    };
    assert_eq!(names(&index), ["CVE-2023-1", "CVE-2023-2"]);
    assert_eq!(index.get(number).map(|one| one.id.as_str()), Some("CVE-2023-2"));
    assert_eq!(index.remove(number).map(|one| one.id), Some("CVE-2023-2".to_owned()));
    assert_eq!((names(&index), index.len()), (vec!["CVE-2023-1".to_owned()], 1));
    assert!(index.find("CVE-2023-2").next().is_none() && index.remove(number).is_none());
    // Its places are used again, and mean what stands there now.
    index.insert(advisories(&TRACKER.replace("CVE-2023-1", "CVE-2023-3")).remove(0));
    assert_eq!(names(&index), ["CVE-2023-1", "CVE-2023-3"]);
}

#[test]
fn silence_means_something_only_where_somebody_speaks_of_the_kind() {
    let mut index = Index::new(advisories(TRACKER));
    let covers = |index: &Index, purl: &str| index.covers(&subject(purl));
    assert!(covers(&index, "pkg:deb/debian/anything@1?distro=bookworm&upstream=other"));
    assert!(!covers(&index, "pkg:deb/debian/anything@1?distro=wheezy&upstream=other"));
    assert!(!covers(&index, "pkg:deb/ubuntu/anything@1?distro=jammy&upstream=other"));
    assert!(!covers(&index, "pkg:npm/anything@1"));
    index.remove(0);
    assert!(!covers(&index, "pkg:deb/debian/anything@1?distro=bookworm&upstream=other"));
    assert!(index.kinds().is_empty());
}

#[test]
fn an_advisory_touches_the_subjects_that_it_names_and_who_left_has_none() {
    let mut fleet = Fleet::default();
    let first = fleet.add(1, &subject("pkg:npm/a@1.0.0"));
    let second = fleet.add(2, &subject("pkg:npm/a@2.0.0"));
    fleet.add(2, &subject("pkg:npm/b@1.0.0"));
    let advisory = advisories(
        r#"{"id": "A", "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "npm",
        "name": "a"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.5.0"}]}]}]}"#,
    )
    .remove(0);
    assert_eq!(fleet.touched(&advisory).into_iter().collect::<Vec<_>>(), [first, second]);
    fleet.leave(1, &[first]);
    assert!(fleet.subject(first).is_some_and(|(_, hosts)| hosts.is_empty()));
    assert!(Index::new([advisory]).who("A", &fleet).affected.is_empty());
}
