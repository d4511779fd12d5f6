//! What a power failure leaves of files that are being kept: for the tests.

use disk::crash::{self, Chance};
use model::{Id, Timestamp};

use crate::{
    Keys,
    blobs::{Blobs, PART},
    keys::Secret,
    sealed::{Opener, sealed_length},
    upload::{Part, place},
};

const MARKER: &str = "MARKER-on-the-disk";
/// Power failures at each moment.
const SEEDS: u64 = 8;
const COHORT: &str = "files-2026-11";

fn bytes(n: u8) -> Vec<u8> {
    MARKER.repeat(4_000 * usize::from(n)).into_bytes()
}

fn id(n: u8) -> Id {
    Id::from_parts(Timestamp(1_000), &[n; 10])
}

/// A file whose row may be committed from this moment on.
struct Kept {
    moment: usize,
    id: Id,
    slot: u64,
    bytes: Vec<u8>,
}

fn keep(keys: &Keys, blobs: &Blobs, n: u8) -> Kept {
    let (id, secret, bytes) = (id(n), Secret { salt: [n; 32], key: [n; 32] }, bytes(n));
    let mut part = Part::begin(blobs, id, &secret.key).unwrap();
    let mut waiting = bytes.clone();
    part.take(&mut waiting, false).unwrap();
    part.take(&mut waiting, true).unwrap();
    let sealed = place(keys, blobs, COHORT, &[(id, secret)]).unwrap();
    assert_eq!(sealed[0].cohort, COHORT);
    Kept { moment: crash::moment(), id, slot: sealed[0].slot, bytes }
}

fn opens(keys: &Keys, blobs: &Blobs, kept: &Kept) -> bool {
    let Some(secret) = keys.reader().unwrap().read(COHORT, kept.slot, kept.id).unwrap() else {
        return false;
    };
    let path = blobs.path(kept.id);
    let Ok(file) = std::fs::File::open(&path) else { return false };
    let length = kept.bytes.len() as u64;
    let opener = Opener::new(file, &path, &secret.key, kept.id, length).unwrap();
    opener.is_some_and(|opener| opener.read(0, u64::MAX).is_ok_and(|found| found == kept.bytes))
}

/// Everything below the folder.
fn all(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(all(&path)) } else { out.push(path) }
    }
    out
}

#[test]
fn behind_the_commit_a_power_failure_takes_neither_file_nor_key_and_nothing_is_ever_clear() {
    let root = tempfile::tempdir().unwrap();
    crash::record(root.path());
    let (keys, blobs) = (Keys::new(&root.path().join("keys")), Blobs::new(root.path()));
    let kept: Vec<Kept> = (1..=2).map(|n| keep(&keys, &blobs, n)).collect();
    let ops = crash::recorded();
    let sizes: Vec<u64> = kept.iter().map(|k| sealed_length(k.bytes.len() as u64)).collect();
    let (mut whole, mut partial) = (0, 0);
    for moment in 0..=ops.len() {
        for seed in 0..SEEDS {
            let into = tempfile::tempdir().unwrap();
            let mut chance = Chance(seed << 32 | moment as u64);
            crash::leave(&ops, moment, &mut chance, root.path(), into.path()).unwrap();
            let (keys, blobs) = (Keys::new(&into.path().join("keys")), Blobs::new(into.path()));
            keys.clean().and_then(|()| keys.cut_torn_tails()).unwrap();
            for kept in kept.iter().filter(|kept| kept.moment <= moment) {
                assert!(opens(&keys, &blobs, kept), "file {} at {moment}, {seed}", kept.id);
                whole += 1;
            }
            for path in all(into.path()) {
                let found = std::fs::read(&path).unwrap();
                let clear = String::from_utf8_lossy(&found).contains(MARKER);
                assert!(!clear, "{} at {moment}, {seed}", path.display());
                // Under its own name stands a whole file or none.
                let part = path.extension().is_some_and(|e| e == PART);
                partial += usize::from(part);
                let named = path.starts_with(into.path().join("blobs")) && !part;
                let lock = path.file_name().is_some_and(|name| name == "lock");
                assert!(
                    !named || lock || sizes.contains(&(found.len() as u64)),
                    "{moment}, {seed}"
                );
            }
            // What the failure left is in nobody's way.
            if seed == 0 {
                let next = keep(&keys, &blobs, 9);
                assert!(opens(&keys, &blobs, &next), "{moment}, {seed}");
            }
        }
    }
    assert!(whole > 100 && partial > 30, "{whole} {partial}");
}
