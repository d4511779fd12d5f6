//! What a set costs, beside what one would take instead.
//!
//! `bench build FILE ROWS` writes rows of eight kinds; `bench probe ROWS` asks a set and a plain hash
//! table (hashbrown, as the standard library has it) of the same keys the same questions; `bench event FILE` looks nine fields of an event up and
//! parses the event's JSON, in one run. Times are CPU time of the process, so other load counts less.

mod rows;

use std::{collections::HashMap, hint::black_box, io::BufWriter};

use indicators::{
    Direction, Entry, Kind, Observable, Set, normalise,
    set::{Limits, build},
};
use netname::Names;
use rapidhash::fast::RandomState;
use rows::{Dice, SEED, digest, mixed};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["build", file, rows] => write(file, rows.parse().expect("a number")),
        ["probe", rows] => probe(rows.parse().expect("a number")),
        ["event", file, others @ ..] => event(file, others),
        _ => eprintln!("bench build FILE ROWS | probe ROWS | event FILE [FILE…]"),
    }
}

/// CPU time of this process in nanoseconds, as the kernel counts it for each thread.
fn cpu() -> u64 {
    let text = read("/proc/self/schedstat");
    text.split(' ').next().and_then(|word| word.parse().ok()).expect("schedstat")
}

#[allow(clippy::disallowed_methods)]
fn read(path: &str) -> String {
    std::fs::read_to_string(path).expect("a readable file")
}

#[allow(clippy::disallowed_methods, clippy::disallowed_types, unsafe_code)]
fn map(path: &str) -> memmap2::Mmap {
    let file = std::fs::File::open(path).expect("the set");
    // Nobody writes into the file while it is measured.
    unsafe { memmap2::Mmap::map(&file) }.expect("a map")
}

/// Kilobytes of a field of smaps_rollup or status.
fn kilobytes(path: &str, field: &str) -> u64 {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
fn write(file: &str, rows: u64) {
    let to = std::fs::File::create(file).expect("a writable file");
    let mut to = BufWriter::with_capacity(1 << 20, to);
    let names = Names::shipped();
    let began = cpu();
    let summary = build((0..rows).map(|id| mixed(id, &names)), SEED, &Limits::DEFAULT, &mut to)
        .expect("a set");
    let spent = (cpu() - began) as f64 / 1e9;
    let over = (summary.bytes - summary.values) as f64 / rows as f64;
    println!("{rows} rows, {} bytes, of them values {}", summary.bytes, summary.values);
    println!("{over:.2} bytes a row above its value; {spent:.1} s CPU");
    println!("peak memory {} MiB", kilobytes("/proc/self/status", "VmHWM") / 1_024);
}

fn probe(rows: u64) {
    let names = Names::shipped();
    let key = |id: u64| {
        let text: String = digest(id).iter().map(|byte| format!("{byte:02x}")).collect();
        normalise(Kind::Sha256, &text, &names).expect("a hash")
    };
    let mut file = Vec::new();
    let entries = (0..rows).map(|id| Entry::new(id, key(id), "feed"));
    build(entries, SEED, &Limits::DEFAULT, &mut file).expect("a set");
    // In one piece, as the table is: both may lie in large pages.
    let file = file.as_slice().to_vec();
    let set = Set::open(&file, &[]).expect("a set");
    let mut dice = Dice(9);
    let questions: Vec<Questions> = [("miss", rows), ("hit", 0)]
        .into_iter()
        .map(|(name, from)| {
            // In random order, none of them twice near each other.
            let ids: Vec<u64> = (0..1_000_000).map(|_| from + dice.next() % rows).collect();
            let seen: Vec<Observable> =
                ids.iter().map(|id| Observable::of(&key(*id), Direction::Both, &names)).collect();
            Questions { name, ids, seen }
        })
        .collect();
    let ours: Vec<[f64; 3]> = questions
        .iter()
        .map(|one| [single(&set, one), together(&set, one, 9), together(&set, one, 63)])
        .collect();
    let mut bytes: HashMap<[u8; 32], u64, RandomState> =
        HashMap::with_capacity_and_hasher(rows as usize, RandomState::default());
    bytes.extend((0..rows).map(|id| (digest(id), id)));
    let plain: Vec<f64> = questions
        .iter()
        .map(|one| {
            // Each key beside as much else as an observable holds, so both read as much of the question.
            let asked = one.ids.iter().zip(&one.seen).map(|(id, seen)| (seen.clone(), digest(*id)));
            let asked: Vec<(Observable, [u8; 32])> = asked.collect();
            timed(one.ids.len(), || asked.iter().filter(|(_, key)| bytes.contains_key(key)).count())
        })
        .collect();
    drop(bytes);
    let mut texts: HashMap<Box<str>, u64, RandomState> =
        HashMap::with_capacity_and_hasher(rows as usize, RandomState::default());
    texts.extend((0..rows).map(|id| (key(id).into_text().into_boxed_str(), id)));
    for ((one, ours), plain) in questions.iter().zip(ours).zip(plain) {
        let text = timed(one.ids.len(), || {
            one.seen.iter().filter(|seen| texts.contains_key(seen.text())).count()
        });
        for (how, ns) in
            [("one by one", ours[0]), ("nine together", ours[1]), ("63 together", ours[2])]
        {
            println!(
                "{} {how}: {ns:.0} ns; hashbrown of 32 bytes each {plain:.0} ns, ratio {:.2}; of texts {text:.0} ns, ratio {:.2}",
                one.name,
                ns / plain,
                ns / text
            );
        }
    }
}

struct Questions {
    name: &'static str,
    ids: Vec<u64>,
    seen: Vec<Observable>,
}

/// Nanoseconds of CPU time for each of so many, the median of five runs.
fn timed(count: usize, mut run: impl FnMut() -> usize) -> f64 {
    let mut times: Vec<u64> = (0..5)
        .map(|_| {
            let began = cpu();
            black_box(run());
            cpu() - began
        })
        .collect();
    times.sort_unstable();
    times[2] as f64 / count as f64
}

fn single(set: &Set<'_>, questions: &Questions) -> f64 {
    timed(questions.seen.len(), || {
        let (mut hits, mut found) = (Vec::new(), 0);
        for seen in &questions.seen {
            hits.clear();
            set.lookup(seen, 0, &mut hits).expect("a sound set");
            found += hits.len();
        }
        assert_eq!(found, if questions.name == "hit" { questions.seen.len() } else { 0 });
        found
    })
}

/// So many together: nine are an event's, 63 those of seven.
fn together(set: &Set<'_>, questions: &Questions, count: usize) -> f64 {
    timed(questions.seen.len(), || {
        let (mut hits, mut found) = (Vec::new(), 0);
        for seen in questions.seen.chunks(count) {
            hits.clear();
            set.lookup_all(seen, 0, &mut hits).expect("a sound set");
            found += hits.len();
        }
        assert_eq!(found, if questions.name == "hit" { questions.seen.len() } else { 0 });
        found
    })
}

fn event(file: &str, others: &[&str]) {
    let names = Names::shipped();
    let base = map(file);
    let set = Set::open(&base, &[]).expect("a set");
    // Warning lists were asked when the set was built; they are here for their memory.
    let others: Vec<memmap2::Mmap> = others.iter().map(|file| map(file)).collect();
    let others: Vec<Set> = others.iter().map(|map| Set::open(map, &[]).expect("a set")).collect();
    let events: Vec<(String, rows::Fields)> = (0..20_000).map(rows::event).collect();
    let (mut parsing, mut reading, mut looking, mut found) =
        (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..5 {
        let began = cpu();
        for (json, _) in &events {
            black_box(serde_json::from_str::<serde_json::Value>(json).expect("JSON"));
        }
        let middle = cpu();
        let mut seen = Vec::with_capacity(9);
        for (_, fields) in &events {
            seen.clear();
            observables(fields, &names, &mut seen);
            black_box(&seen);
        }
        let read = cpu();
        let mut hits = Vec::new();
        found = 0;
        for (_, fields) in &events {
            hits.clear();
            seen.clear();
            observables(fields, &names, &mut seen);
            set.lookup_all(&seen, rows::NOW, &mut hits).expect("a sound set");
            found += hits.len();
        }
        looking.push(cpu() - read);
        reading.push(read - middle);
        parsing.push(middle - began);
    }
    let nanos = |times: &mut Vec<u64>| {
        times.sort_unstable();
        times[times.len() / 2] as f64 / events.len() as f64
    };
    let bytes = events.iter().map(|(json, _)| json.len()).sum::<usize>() / events.len();
    let (parsing, looking) = (nanos(&mut parsing), nanos(&mut looking));
    let reading = nanos(&mut reading);
    println!("{} rows, event of {bytes} bytes, nine lookups, {found} hits", set.rows());
    println!(
        "parse {parsing:.0} ns, nine lookups {looking:.0} ns (of it reading the values {reading:.0}), ratio {:.2}",
        looking / parsing
    );
    println!("{:.0} events/s/core, parsing included", 1e9 / (parsing + looking));
    let anonymous = kilobytes("/proc/self/smaps_rollup", "Anonymous:");
    let also: u64 = others.iter().map(Set::rows).sum();
    let own: usize = events.iter().map(|(json, _)| json.len() + 600).sum();
    println!("private memory {} MiB, of it some {} MiB the events", anonymous / 1_024, own >> 20);
    println!("open beside it: {also} rows");
}

fn observables(fields: &rows::Fields, names: &Names, seen: &mut Vec<Observable>) {
    for (kind, direction, value) in fields {
        seen.push(Observable::read(*kind, value, *direction, names).expect("a value"));
    }
}
