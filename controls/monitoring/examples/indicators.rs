//! What indicators cost at work, in CPU time of this thread.
//!
//! `live ROWS`: events a second against the shipped rules, without a set and with one of so many rows.
//! `hunt LINES`: bytes read and CPU time of a hunt for three new values in an archive of so many lines, full and by keys.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use indicators::{
    Entry, Kind,
    set::{Limits, build},
};
use intel::{Current, Manifest};
use merkle::{SignedNote, Signer};
use model::Timestamp;
use monitoring::work::{
    evaluate::{Evaluator, Part},
    hunts::pass::{Hunt, Next, Progress},
    intel::{
        Intel, seen,
        wanted::{self, Hunted},
    },
    rules::Loaded,
};
use netname::Names;
use sigma::Env;
use stream::{Placed, RawLine, Stream};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |n| n.parse());
    match args.first().map(String::as_str) {
        Some("live") => live(number(1, 1_000_000)?),
        Some("hunt") => hunt(number(1, 1_000_000)?),
        _ => Err("live ROWS | hunt LINES".into()),
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

/// The rules of `content/detections`.
fn rules() -> std::io::Result<Loaded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content/detections");
    let (mut open, mut texts) = (vec![folder], BTreeMap::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|e| e == "yml") {
            texts.insert(path.display().to_string(), std::fs::read(&path)?);
        }
    }
    Ok(Loaded::of(texts, &Env::default()))
}

fn set(folder: &Path, entries: Vec<Entry>) -> Result<Arc<Current>, Box<dyn std::error::Error>> {
    let signer = Signer::from_seed("ume.example", &[7; 32])?;
    let (mut bytes, rows) = (Vec::new(), entries.len() as u64);
    build(entries, [5; 16], &Limits::DEFAULT, &mut bytes)?;
    let files = vec![intel::add_file(folder, "base", &bytes)?];
    let manifest = Manifest { sequence: 1, made_at: NOW.0, rows, files };
    let mut note = SignedNote::new(&manifest.text())?;
    note.sign(&signer)?;
    intel::put(folder, &manifest, &note.to_string())?;
    let current = Current::load(folder, &[signer.verifier_key()])?;
    Ok(Arc::new(current.ok_or("no set")?))
}

/// A row in five kinds by turns, none of which the lines below meet.
fn row(id: u64, names: &Names) -> Option<Entry> {
    let text = match id % 5 {
        0 => (Kind::Domain, format!("d{id}.evil-{}.example", id % 97)),
        1 => (Kind::Ip, format!("203.{}.{}.{}", id >> 16 & 255, id >> 8 & 255, id & 255)),
        2 => (Kind::Url, format!("http://u{id}.example/drop/{}", id % 13)),
        3 => (Kind::Sha256, format!("{id:064x}")),
        _ => (Kind::Path, format!("c:\\temp\\x{id}.exe")),
    };
    Some(Entry::new(id, indicators::normalise(text.0, &text.1, names).ok()?, "list"))
}

fn line(n: u64) -> RawLine {
    let (a, b, c) = (n % 251, n / 251 % 251, n % 9_973);
    RawLine::new(match n % 5 {
        0 | 1 => format!(
            "<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.{b}.{a} TCP_MISS/200 {c} GET http://www{c}.host-{a}.example/p/{n}?q={c} mika HIER_DIRECT/198.51.{b}.{a} text/html"
        ),
        2 => format!(
            "Nov 28 09:00:00 h{a} sshd[{c}]: Failed password for root from 192.0.{b}.{a} port {c} ssh2"
        ),
        3 => format!(
            r#"{{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"pc{a}","Image":"C:\\Program Files\\App{c}\\app.exe","CommandLine":"app.exe --n {n}","ParentImage":"C:\\Windows\\explorer.exe","User":"CORP\\u{b}","Hashes":"MD5={n:032x},SHA256={n:064X}"}}"#
        ),
        _ => format!("<30>Nov 28 09:00:00 h{a} app[{c}]: served request {n} in {b} ms"),
    })
}

fn live(rows: u64) -> Result<(), Box<dyn std::error::Error>> {
    const EVENTS: u64 = 100_000;
    let folder = tempfile::tempdir()?;
    let names = Names::shipped();
    let current = set(folder.path(), (0..rows).filter_map(|id| row(id, &names)).collect())?;
    let loaded = Arc::new(rules()?);
    let zone = jiff::tz::TimeZone::UTC;
    let events: Vec<Placed> = (0..EVENTS)
        .map(|n| Placed { end: n + 1, event: stream::parse(&line(n), "s", NOW, &zone) })
        .collect();
    let intel = Arc::new(Intel::new(current));
    for round in 0..3 {
        for with in [false, true] {
            let mut evaluator = Evaluator::new(loaded.clone());
            if with {
                evaluator.meet(intel.clone(), Part::All);
            }
            let (given, mut found) = (events.clone(), Vec::new());
            let before = cpu();
            evaluator.take(given, &mut found);
            let spent = cpu() - before;
            let rate = EVENTS as f64 / spent.as_secs_f64();
            println!("round {round}, set {with}: {rate:.0} events/s, {} found", found.len());
        }
    }
    Ok(())
}

fn hunt(lines: u64) -> Result<(), Box<dyn std::error::Error>> {
    const OF_FLUSH: u64 = 5_000;
    let (folder, sets) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let stream = Stream::open(folder.path(), stream::Limits::default())?;
    stream.beside(seen::write);
    let begun = cpu();
    for from in (0..lines).step_by(OF_FLUSH as usize) {
        let at = Timestamp(NOW.0 + from as i64 * 1_000_000);
        stream.ingest("s", (from..lines.min(from + OF_FLUSH)).map(line).collect(), at)?;
        stream.flush(at)?;
    }
    println!("archive of {lines} lines: {:?}", cpu() - begun);
    let names = Names::shipped();
    let wanted = [(Kind::Domain, "www77.host-7.example"), (Kind::Ip, "203.0.113.9")];
    let wanted = wanted.iter().enumerate().filter_map(|(id, (kind, text))| {
        Some(Entry::new(id as u64, indicators::normalise(*kind, text, &names).ok()?, "list"))
    });
    let current = set(sets.path(), wanted.collect())?;
    let loaded = rules()?;
    let asks = wanted::new_in(&current, &Hunted::default(), &names)?.asks;
    for asks in [None, asks] {
        let progress = Progress { target: stream.archived(), ..Progress::default() };
        let (intel, env) = (Arc::new(Intel::new(current.clone())), Env::default());
        let by_keys = asks.is_some();
        let place = stream.archive_folder();
        let mut hunt = Hunt::of_set(&place, &loaded, intel, asks, &env, progress);
        let (mut found, before) = (Vec::new(), cpu());
        while hunt.slice(Instant::now() + Duration::from_secs(1), stream.archived(), &mut found)?
            != Next::Done
        {}
        let p = &hunt.progress;
        println!(
            "by keys {by_keys}: {:?}, {} bytes, {} of {} segments, {} events, {} found",
            cpu() - before,
            p.read_bytes,
            p.scanned,
            p.scanned + p.pruned,
            p.events,
            found.len()
        );
    }
    Ok(())
}
