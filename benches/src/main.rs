//! Appending against `ct-merkle` and ring's SHA-256 over the same entries, in CPU time, and what a
//! durable ledger takes and verifies, in wall time.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml [--features durable] [-- entries]`

use std::hint::black_box;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use merkle::{Frontier, MemTree, leaf_hash};
use rustix::time::{ClockId, clock_gettime};

/// A leaf as Ume writes it has 250 to 450 bytes.
const ENTRY_BYTES: usize = 320;
const ROUNDS: usize = 7;

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Median CPU seconds over the rounds; what `make` does is not counted.
fn cpu<T>(make: impl Fn() -> T, work: impl Fn(T)) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let input = make();
            let start = cpu_seconds();
            work(input);
            cpu_seconds() - start
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count as u64)
        .map(|n| n.to_be_bytes().iter().copied().cycle().take(ENTRY_BYTES).collect())
        .collect()
}

fn main() {
    let count = std::env::args().nth(1).map_or(200_000, |n| n.parse().expect("a number"));
    let all = entries(count);
    let show = |what: &str, seconds: f64| {
        println!("{what:<42} {seconds:>7.3} s  {:>9.0} entries/s", count as f64 / seconds);
    };

    println!("{count} entries of {ENTRY_BYTES} bytes, median of {ROUNDS}, CPU time");
    let frontier = cpu(Frontier::new, |mut frontier| {
        for entry in &all {
            frontier.push(leaf_hash(entry));
        }
        black_box(frontier.root());
    });
    show("merkle Frontier (the writer)", frontier);
    let tree = cpu(MemTree::new, |mut tree| {
        for entry in &all {
            tree.push(leaf_hash(entry));
        }
        black_box(tree.root());
    });
    show("merkle MemTree (keeps every node)", tree);
    // Its tree keeps the entries; they are cloned before the clock starts.
    let peer = cpu(
        || all.clone(),
        |all| {
            let mut tree = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
            for entry in all {
                tree.push(entry);
            }
            black_box(tree.root());
            std::mem::forget(tree);
        },
    );
    show("ct-merkle 0.3 MemoryBackedTree", peer);
    let ring = cpu(
        || (),
        |()| {
            for entry in &all {
                black_box(ring::digest::digest(&ring::digest::SHA256, entry));
            }
        },
    );
    show("ring SHA-256 of each entry", ring);
    println!("MemTree / ct-merkle {:.2} (bar 1.2)", tree / peer);
    println!("Frontier / ring     {:.2} (bar 3)", frontier / ring);
    println!("MemTree / ring      {:.2} (bar 3)", tree / ring);
    #[cfg(feature = "durable")]
    durable(&all);
}

#[cfg(feature = "durable")]
fn durable(all: &[Vec<u8>]) {
    use ledger::Ledger;
    use std::time::Instant;

    println!("\ndurable appends (one fdatasync per group), wall time");
    for group in [1, 100, 1_000, 10_000] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut ledger = Ledger::open(folder.path(), "bench.example/ume").expect("opens");
        let taken = &all[..all.len().min(group * 300).min(100_000)];
        let start = Instant::now();
        for group in taken.chunks(group) {
            let leaves: Vec<&[u8]> = group.iter().map(Vec::as_slice).collect();
            ledger.append(&leaves).expect("appends");
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("groups of {group:>6}: {:>9.0} leaves/s", taken.len() as f64 / seconds);
        if group == 10_000 {
            let start = Instant::now();
            ledger.checkpoint().expect("signs");
            println!("tiles and checkpoint: {:.3} s", start.elapsed().as_secs_f64());
            drop(ledger);
            let start = Instant::now();
            let (report, leaves) = ledger::verify(folder.path()).expect("reads");
            assert!(report.faults.is_empty() && leaves.len() == taken.len());
            let seconds = start.elapsed().as_secs_f64();
            println!("verify log, tiles, bundles: {:>9.0} leaves/s", taken.len() as f64 / seconds);
        }
    }
}
