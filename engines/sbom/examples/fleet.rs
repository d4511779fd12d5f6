//! What one advisory costs against a fleet, beside judging every package of every host:
//! `fleet [HOSTS PACKAGES ADVISORIES]`, 1,000 each if nothing is said. CPU time of this process, one thread.

// A program beside the engine reads its arguments and the clock.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Instant;

use sbom::{
    advisory::{Advisory, Affected, Event, Package, Range, Said},
    judge::{Fleet, Index, State, Subject},
    order::Ecosystem,
};

fn main() {
    let argument = |at| std::env::args().nth(at).map(|a| a.parse().expect("a number"));
    let (hosts, packages) = (argument(1).unwrap_or(1000u32), argument(2).unwrap_or(1000u32));
    let advisories = argument(3).unwrap_or(1000u32);
    let index = Index::new((0..advisories).map(advisory));
    let host = |host: u32| (0..packages).map(move |p| subject(p, host));

    let start = Instant::now();
    let mut fleet = Fleet::default();
    for number in 0..hosts {
        host(number).for_each(|s| {
            fleet.add(number, &s);
        });
    }
    println!(
        "fleet of {hosts} hosts, {packages} packages each: {:?}, {} subjects",
        start.elapsed(),
        fleet.subjects()
    );

    let start = Instant::now();
    let mut affected = Vec::new();
    let mut taken = std::time::Duration::ZERO;
    for number in 0..hosts {
        let subjects: Vec<Subject> = host(number).collect();
        let one = Instant::now();
        let verdicts = index.judge(&subjects, &[]);
        taken += one.elapsed();
        if verdicts.iter().any(|v| v.advisory == "A-7" && v.state == State::Affected) {
            affected.push(number);
        }
    }
    println!("full matching: {taken:?} ({:?} with making the subjects)", start.elapsed());

    const TIMES: u32 = 1000;
    let start = Instant::now();
    let mut found = Default::default();
    for _ in 0..TIMES {
        found = index.who("A-7", &fleet);
    }
    let each = start.elapsed() / TIMES;
    assert_eq!(
        found.affected.iter().collect::<Vec<_>>(),
        affected,
        "both ways name the same hosts"
    );
    println!(
        "one advisory: {each:?}, {} hosts affected; 1 / {:.0}",
        found.affected.len(),
        taken.as_secs_f64() / each.as_secs_f64()
    );
}

/// Weakness number N is in package number N, fixed in the middle of the versions that hosts have.
fn advisory(number: u32) -> Advisory {
    let events = vec![Event::Introduced("0".to_owned()), Event::Fixed(format!("1.{number}.5-1"))];
    Advisory {
        id: format!("A-{number}"),
        affected: vec![Affected {
            package: Package::Distribution {
                order: Ecosystem::Dpkg,
                distribution: "debian".to_owned(),
                release: Some("12".to_owned()),
                name: format!("source-{number}"),
            },
            versions: Vec::new(),
            ranges: vec![Range::Events(events)],
            said: Said::Affected,
        }],
        ..Advisory::default()
    }
}

/// Hosts are at ten states of patching.
fn subject(package: u32, host: u32) -> Subject {
    Subject {
        ecosystem: "deb".to_owned(),
        name: format!("package-{package}"),
        version: format!("1.{package}.{}-1", host % 10),
        distribution: Some("debian".to_owned()),
        release: Some("12".to_owned()),
        source_name: Some(format!("source-{package}")),
        ..Subject::default()
    }
}
