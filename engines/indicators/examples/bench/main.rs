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
    let mut table: HashMap<[u8; 32], u64, RandomState> =
        HashMap::with_capacity_and_hasher(rows as usize, RandomState::default());
    table.extend((0..rows).map(|id| (digest(id), id)));
    let mut dice = Dice(9);
    for (name, from) in [("miss", rows), ("hit", 0)] {
        // Questions in random order, none of them twice near each other.
        let ids: Vec<u64> = (0..1_000_000).map(|_| from + dice.next() % rows).collect();
        let seen: Vec<Observable> =
            ids.iter().map(|id| Observable::of(&key(*id), Direction::Both, &names)).collect();
        // Each key beside as much else as an observable holds, so both read as much of the question.
        let asked: Vec<(Observable, Box<[u8; 32]>)> = ids
            .iter()
            .map(|id| (Observable::of(&key(*id), Direction::Both, &names), Box::new(digest(*id))))
            .collect();
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let began = cpu();
            let mut hits = Vec::new();
            let mut found = 0;
            for seen in &seen {
                hits.clear();
                set.lookup(seen, 0, &mut hits).expect("a sound set");
                found += hits.len();
            }
            let middle = cpu();
            let there = asked.iter().filter(|(_, key)| table.contains_key(&**key)).count();
            plain.push(cpu() - middle);
            ours.push(middle - began);
            assert_eq!(black_box(found), black_box(there));
        }
        let nanos = |times: &mut Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2] as f64 / seen.len() as f64
        };
        let (ours, plain) = (nanos(&mut ours), nanos(&mut plain));
        println!("{name}: {ours:.0} ns, hashbrown {plain:.0} ns, ratio {:.2}", ours / plain);
    }
}

fn event(file: &str, others: &[&str]) {
    let names = Names::shipped();
    let base = map(file);
    let set = Set::open(&base, &[]).expect("a set");
    // Warning lists were asked when the set was built; they are here for their memory.
    let others: Vec<memmap2::Mmap> = others.iter().map(|file| map(file)).collect();
    let others: Vec<Set> = others.iter().map(|map| Set::open(map, &[]).expect("a set")).collect();
    let events: Vec<(String, rows::Fields)> = (0..20_000).map(rows::event).collect();
    let (mut parsing, mut looking, mut found) = (Vec::new(), Vec::new(), 0);
    for _ in 0..5 {
        let began = cpu();
        for (json, _) in &events {
            black_box(serde_json::from_str::<serde_json::Value>(json).expect("JSON"));
        }
        let middle = cpu();
        let mut hits = Vec::new();
        found = 0;
        for (_, fields) in &events {
            hits.clear();
            for (kind, direction, value) in fields {
                let seen = Observable::read(*kind, value, *direction, &names).expect("a value");
                set.lookup(&seen, rows::NOW, &mut hits).expect("a sound set");
            }
            found += hits.len();
        }
        looking.push(cpu() - middle);
        parsing.push(middle - began);
    }
    let nanos = |times: &mut Vec<u64>| {
        times.sort_unstable();
        times[times.len() / 2] as f64 / events.len() as f64
    };
    let bytes = events.iter().map(|(json, _)| json.len()).sum::<usize>() / events.len();
    let (parsing, looking) = (nanos(&mut parsing), nanos(&mut looking));
    println!("{} rows, event of {bytes} bytes, nine lookups, {found} hits", set.rows());
    println!("parse {parsing:.0} ns, nine lookups {looking:.0} ns, ratio {:.2}", looking / parsing);
    println!("{:.0} events/s/core, parsing included", 1e9 / (parsing + looking));
    let anonymous = kilobytes("/proc/self/smaps_rollup", "Anonymous:");
    let also: u64 = others.iter().map(Set::rows).sum();
    let own: usize = events.iter().map(|(json, _)| json.len() + 600).sum();
    println!("private memory {} MiB, of it some {} MiB the events", anonymous / 1_024, own >> 20);
    println!("open beside it: {also} rows");
}
