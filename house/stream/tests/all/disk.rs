//! A disk that loses what was not synced: whatever the moment, the spool opens, gives back every line
//! that was acknowledged and not consumed, in order and once. Seeded; `UME_SOAK=1` takes many more.

use std::path::Path;

use disk::crash::{self, Chance};
use stream::{Spool, SpoolLimits};

const STEPS: usize = 40;
const LIMITS: SpoolLimits = SpoolLimits { max_bytes: 1 << 20, segment_bytes: 2_000 };

fn measure() -> (u64, usize) {
    if std::env::var_os("UME_SOAK").is_some() { (300, 60) } else { (20, 12) }
}

fn line(number: usize) -> Vec<u8> {
    format!("line {number} {}", "y".repeat((number * 53) % 400)).into_bytes()
}

/// What stood behind so many changes: lines acknowledged, and consumed.
#[derive(Clone, Copy, Default)]
struct Ack {
    moment: usize,
    lines: usize,
    consumed: usize,
}

/// A life of a spool; also the offset behind each line.
fn live(folder: &Path, chance: &mut Chance) -> (Vec<Ack>, Vec<u64>) {
    let mut spool = Spool::open(folder, LIMITS).unwrap();
    let (mut acks, mut ends, mut now) = (Vec::new(), Vec::new(), Ack::default());
    for _ in 0..STEPS {
        match chance.below(8) {
            0 => {
                drop(spool);
                spool = Spool::open(folder, LIMITS).unwrap();
            }
            1 | 2 if now.lines > now.consumed => {
                now.consumed += 1 + chance.below(now.lines - now.consumed);
                spool.advance(ends[now.consumed - 1]).unwrap();
            }
            _ => {
                let count = 1 + chance.below(6);
                let batch: Vec<_> = (now.lines..now.lines + count).map(line).collect();
                let mut end = spool.end();
                for payload in &batch {
                    end += 8 + payload.len() as u64;
                    ends.push(end);
                }
                assert_eq!(spool.append(&batch).unwrap(), end);
                now.lines += count;
            }
        }
        now.moment = crash::moment();
        acks.push(now);
    }
    (acks, ends)
}

#[test]
fn whatever_an_unsynced_disk_loses_no_acknowledged_line_is_among_it() {
    let (seeds, moments) = measure();
    let mut cut = 0;
    for seed in 0..seeds {
        let mut chance = Chance(seed);
        let root = tempfile::tempdir().unwrap();
        crash::record(root.path());
        let (acks, ends) = live(&root.path().join("spool"), &mut chance);
        let ops = crash::recorded();
        for _ in 0..moments {
            let moment = chance.below(ops.len() + 1);
            let into = tempfile::tempdir().unwrap();
            crash::leave(&ops, moment, &mut chance, root.path(), into.path()).unwrap();
            let sure = acks.iter().rev().find(|a| a.moment <= moment).copied().unwrap_or_default();
            let most = acks.iter().find(|a| a.moment >= moment).copied().unwrap_or(sure);
            let what = format!("seed {seed}, behind change {moment} of {}", ops.len());
            let folder = into.path().join("spool");
            let mut spool = Spool::open(&folder, LIMITS).unwrap_or_else(|e| panic!("{what}: {e}"));
            let consumed = match spool.cursor() {
                0 => 0,
                at => {
                    1 + ends
                        .iter()
                        .position(|end| *end == at)
                        .unwrap_or_else(|| panic!("{what}: {at}"))
                }
            };
            assert!((sure.consumed..=most.consumed).contains(&consumed), "{what}: {consumed}");
            let left = spool.read(spool.cursor(), usize::MAX).unwrap();
            assert_eq!(left.damaged_bytes, 0, "{what}");
            let end = consumed + left.payloads.len();
            assert!((sure.lines..=most.lines).contains(&end), "{what}: {end} of {}", sure.lines);
            let expected: Vec<_> = (consumed..end).map(line).collect();
            assert_eq!(left.payloads, expected, "{what}");
            // It goes on behind what is there, and gives no offset twice.
            let from = spool.end();
            assert!(consumed == 0 || from >= ends[consumed - 1], "{what}");
            spool.append(&[line(7)]).unwrap();
            assert_eq!(spool.read(from, usize::MAX).unwrap().payloads, [line(7)], "{what}");
            cut += usize::from(end < most.lines);
        }
    }
    assert!(cut > 0, "no crash ever cost anything: nothing was simulated");
}
