//! A disk that loses what was not synced: whatever the moment, the ledger opens, holds every leaf that
//! was acknowledged once, and verifies. Seeded; `UME_SOAK=1` takes many more.

use std::path::Path;

use disk::crash::{self, Chance};
use ledger::{Ledger, verify};

const ORIGIN: &str = "example.org/ume";
const STEPS: usize = 24;

/// Seeds, and moments of each.
fn measure() -> (u64, usize) {
    if std::env::var_os("UME_SOAK").is_some() { (300, 60) } else { (20, 12) }
}

fn leaf(index: u64) -> Vec<u8> {
    // Of many lengths, so that groups end anywhere in a sector.
    format!("leaf {index} {}", "x".repeat((index as usize * 37) % 700)).into_bytes()
}

/// Behind how many changes so many leaves were acknowledged, and so many signed.
struct Ack {
    moment: usize,
    leaves: u64,
    signed: u64,
}

/// A life of a ledger: groups, checkpoints, openings.
fn live(folder: &Path, chance: &mut Chance) -> Vec<Ack> {
    let mut ledger = Ledger::open(folder, ORIGIN).unwrap();
    let (mut acks, mut signed) = (Vec::new(), 0);
    for _ in 0..STEPS {
        match chance.below(8) {
            0 => {
                drop(ledger);
                ledger = Ledger::open(folder, ORIGIN).unwrap();
                signed = ledger.size();
            }
            1 | 2 => signed = ledger.checkpoint().unwrap().size(),
            _ => {
                let from = ledger.size();
                let group: Vec<_> = (from..from + 1 + chance.below(90) as u64).map(leaf).collect();
                ledger.append(&group.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            }
        }
        acks.push(Ack { moment: crash::moment(), leaves: ledger.size(), signed });
    }
    acks
}

#[test]
fn whatever_an_unsynced_disk_loses_no_acknowledged_leaf_is_among_it() {
    let (seeds, moments) = measure();
    let mut cut = 0;
    for seed in 0..seeds {
        let mut chance = Chance(seed);
        let root = tempfile::tempdir().unwrap();
        crash::record(root.path());
        let acks = live(&root.path().join("ledger"), &mut chance);
        let ops = crash::recorded();
        for _ in 0..moments {
            let moment = chance.below(ops.len() + 1);
            let into = tempfile::tempdir().unwrap();
            crash::leave(&ops, moment, &mut chance, root.path(), into.path()).unwrap();
            let last = acks.iter().rev().find(|ack| ack.moment <= moment);
            let (sure, signed) = last.map_or((0, 0), |ack| (ack.leaves, ack.signed));
            let most = acks.iter().find(|ack| ack.moment >= moment).map_or(sure, |a| a.leaves);
            let what = format!("seed {seed}, behind change {moment} of {}", ops.len());
            let folder = into.path().join("ledger");
            let mut ledger =
                Ledger::open(&folder, ORIGIN).unwrap_or_else(|e| panic!("{what}: {e}"));
            let size = ledger.size();
            assert!((sure..=most).contains(&size), "{what}: {size} of {sure}..={most}");
            assert!(size >= signed, "{what}: signed {signed}, left {size}");
            for index in 0..size {
                assert_eq!(ledger.leaf(index).unwrap(), Some(leaf(index)), "{what}: leaf {index}");
            }
            ledger.append(&[&leaf(size)]).unwrap();
            ledger.checkpoint().unwrap();
            drop(ledger);
            assert_eq!(verify(&folder).unwrap().0.faults, [], "{what}");
            cut += usize::from(size < most);
        }
    }
    assert!(cut > 0, "no crash ever cost anything: nothing was simulated");
}
