use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use indicators::{Direction, Entry, Kind};
use intel::{Current, PatternLine};
use model::Timestamp;
use netname::Names;
use sigma::Env;
use stream::{Limits, RawLine, Stream};

use super::pass::{Hunt, Next, Progress};
use crate::work::{
    evaluate::Occurrence,
    intel::{
        Intel,
        over_set::publish,
        seen,
        wanted::{self, Hunted},
    },
    rules::shipped,
};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
const FLUSHES: u64 = 24;
const LINES: u64 = 60;

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Segments of a proxy's and a login's lines; names and addresses of some are those of `rows`.
fn archive(folder: &std::path::Path, random: &mut Random) -> Stream {
    let stream = Stream::open(folder, Limits::default()).unwrap();
    stream.beside(seen::write);
    for flush in 0..FLUSHES {
        let at = Timestamp(NOW.0 + flush as i64 * 3_600_000_000);
        let lines = (0..LINES).map(|_| {
            let (name, ip) = match random.below(400) {
                0 => ("EVIL%2Eexample".to_owned(), "198.51.100.9".to_owned()),
                1 => ("ｅｖｉｌ．example".to_owned(), "198.51.100.9".to_owned()),
                2 => (format!("a{}.evil.example", random.below(9)), "198.51.100.9".to_owned()),
                3 => (format!("h{}.example", random.below(90)), "203.0.113.77".to_owned()),
                _ => (format!("h{}.example", random.below(90)), format!("10.1.{}.{}", random.below(9), random.below(200))),
            };
            let time = at.0 / 1_000_000;
            RawLine::new(format!("<30>Nov 28 09:00:00 gw squid: {time}.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://{name}/a mika HIER_DIRECT/{ip} text/html"))
        });
        stream.ingest("proxy", lines.collect(), at).unwrap();
        let failed = (0..random.below(3)).map(|_| {
            RawLine::new(
                "Jan  1 01:00:00 h sshd[1]: Failed password for root from 192.0.2.7 port 22 ssh2",
            )
        });
        stream.ingest("auth", failed.collect(), at).unwrap();
        stream.flush(at).unwrap();
    }
    stream
}

fn entry(id: u64, kind: Kind, text: &str) -> Entry {
    let key = indicators::normalise(kind, text, &Names::shipped()).unwrap();
    Entry { direction: Direction::Both, ..Entry::new(id, key, "list") }
}

type Told = BTreeSet<(String, i64, Vec<String>)>;

fn told(found: &[Occurrence]) -> Told {
    let one = |o: &Occurrence| {
        let seen = o.why.as_ref().map(|why| why.seen.clone()).unwrap_or_default();
        (o.key.clone(), o.time.0, seen)
    };
    found.iter().map(one).collect()
}

/// Runs to the end, cut off and begun again every so many slices.
fn run(stream: &Stream, make: &dyn Fn(Progress) -> Hunt, stay: u64) -> (Vec<Occurrence>, Progress) {
    let mut found = Vec::new();
    let progress = Progress { target: stream.archived(), ..Progress::default() };
    let mut hunt = make(progress);
    let mut slices = 0;
    loop {
        let until = Instant::now() + Duration::from_micros(1);
        let next = hunt.slice(until, stream.archived(), &mut found).unwrap();
        if next == Next::Done {
            hunt.finish(NOW.plus_hours(99), &mut found);
            return (found, hunt.progress.clone());
        }
        slices += 1;
        if slices % stay == 0 && hunt.is_between() {
            let windows = hunt.windows();
            let progress = hunt.progress.clone();
            hunt = make(progress);
            hunt.restore(windows.as_deref());
        }
    }
}

#[test]
fn a_hunt_that_reads_only_what_can_hold_something_finds_what_a_full_one_finds() {
    let mut random = Random(11);
    let (folder, sets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stream = archive(folder.path(), &mut random);
    let loaded = shipped();
    let rows = [
        below(1, "evil.example"),
        entry(2, Kind::Cidr, "203.0.113.0/24"),
        entry(3, Kind::Domain, "never.example"),
    ];
    let set = Arc::new(publish(sets.path(), 1, &rows, &[]));
    let asks = wanted::new_in(&set, &Hunted::default(), &Names::shipped()).unwrap().asks;
    assert!(asks.is_some());
    let place = stream.archive_folder();
    let of = |asks: Option<seen::Asks>, progress: Progress| {
        let intel = Arc::new(Intel::new(set.clone()));
        Hunt::of_set(&place, &loaded, intel, asks, &Env::default(), progress)
    };
    let (full, all) = run(&stream, &|progress| of(None, progress), u64::MAX);
    assert!(full.len() > 5, "{}", full.len());
    for stay in [u64::MAX, 1, 3] {
        let (found, progress) = run(&stream, &|progress| of(asks.clone(), progress), stay);
        assert_eq!(told(&found), told(&full), "{stay}");
        assert_eq!((progress.missing, progress.scanned + progress.pruned), (0, all.scanned));
        assert!(progress.pruned > 0 && progress.read_bytes < all.read_bytes, "{progress:?}");
    }
    // What is not new is asked of nobody.
    let hunted = Hunted::of(&set).unwrap();
    let new = wanted::new_in(&set, &hunted, &Names::shipped()).unwrap();
    let intel = Arc::new(Intel::new(set.clone()).only(Arc::new(new.rows), &new.patterns));
    let make = |progress: Progress| {
        Hunt::of_set(&place, &loaded, intel.clone(), new.asks.clone(), &Env::default(), progress)
    };
    let (found, progress) = run(&stream, &make, u64::MAX);
    assert_eq!((found.len(), progress.scanned, progress.events), (0, 0, 0));
}

fn below(id: u64, name: &str) -> Entry {
    let key = indicators::normalise(Kind::Domain, name, &Names::shipped()).unwrap();
    let key = key.reaching(indicators::Scope::Subdomains).unwrap();
    Entry::new(id, key, "list")
}

#[test]
fn patterns_over_time_are_hunted_in_the_order_of_time_wherever_the_hunt_is_cut_off() {
    let mut random = Random(5);
    let (folder, sets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stream = archive(folder.path(), &mut random);
    let loaded = shipped();
    let line = |id: &str, pattern: &str| PatternLine {
        id: id.to_owned(),
        pattern: pattern.to_owned(),
        ..PatternLine::default()
    };
    let patterns = [
        line("over", "[ipv4-addr:value = '192.0.2.7'] REPEATS 4 TIMES WITHIN 36000 SECONDS"),
        line("one", "[domain-name:value = 'h5.example'] OR [url:value = 'http://h5.example/a']"),
    ];
    let set: Arc<Current> = Arc::new(publish(sets.path(), 1, &[], &patterns));
    let place = stream.archive_folder();
    let make = |progress: Progress| {
        let intel = Arc::new(Intel::new(set.clone()));
        Hunt::of_set(&place, &loaded, intel, None, &Env::default(), progress)
    };
    let (whole, _) = run(&stream, &make, u64::MAX);
    let titles: BTreeSet<&str> = whole.iter().map(|o| o.about.id.as_str()).collect();
    assert_eq!(titles, ["pattern:one", "pattern:over"].into());
    for stay in [1, 4] {
        assert_eq!(told(&run(&stream, &make, stay).0), told(&whole), "{stay}");
    }
}
