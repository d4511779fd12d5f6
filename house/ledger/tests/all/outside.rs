//! What others said of a ledger: kept, verified, and held against it when it is opened again.

use std::{fs, path::Path};

use ledger::{Ledger, LedgerError, WitnessDesk, cosigned_by_all, newest_cosigned, outside_files};
use merkle::{VerifierKey, WitnessedLog};

const ORIGIN: &str = "example.org/log";
const NOON: u64 = 1_795_600_000;

fn witness(place: &Path, number: u8) -> WitnessDesk {
    let name = format!("witness.example/{number}");
    WitnessDesk::at(place.join(format!("witness-{number}")), &name)
}

fn leaves(ledger: &mut Ledger, count: usize, word: &str) {
    for number in 0..count {
        ledger.append(&[format!("{word} {number}").as_bytes()]).unwrap();
    }
    ledger.checkpoint().unwrap();
}

/// Has the witness cosign the newest checkpoint, and keeps it.
fn cosign(ledger: &mut Ledger, desk: &mut WitnessDesk, now: u64) -> Result<(), u16> {
    let log = VerifierKey::parse(&ledger.verifier_key()).unwrap();
    let logs = [WitnessedLog { origin: ORIGIN.to_owned(), keys: vec![log] }];
    let key = desk.verifier_key().unwrap();
    let old = desk.witnessed(ORIGIN).unwrap().map_or(0, |seen| seen.size);
    let request = ledger.witness_request(old).unwrap();
    let body = request.to_string();
    let line = desk.add_checkpoint(&logs, body.as_bytes(), now).unwrap();
    let line = line.map_err(|refusal| refusal.status())?;
    let line = merkle::cosignature_in(line.as_bytes(), request.note(), &key).unwrap();
    ledger.keep_cosignature(&key, &request, &line).unwrap();
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            fs::copy(&path, target).map(drop).unwrap()
        }
    }
}

fn faults(folder: &Path) -> Vec<String> {
    ledger::verify(folder).unwrap().0.faults.into_iter().map(|f| f.place).collect()
}

#[test]
fn checkpoint_and_proofs_carry_the_cosignatures_of_all_who_saw_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    let mut ledger = Ledger::open(&place, ORIGIN).unwrap();
    leaves(&mut ledger, 5, "a");
    let (mut one, mut two) = (witness(folder.path(), 1), witness(folder.path(), 2));
    cosign(&mut ledger, &mut one, NOON).unwrap();
    cosign(&mut ledger, &mut two, NOON + 1).unwrap();
    let keys = [one.verifier_key().unwrap(), two.verifier_key().unwrap()];
    let log = VerifierKey::parse(&ledger.verifier_key()).unwrap();
    let note = ledger.signed_checkpoint().unwrap();
    let open = merkle::Checkpoint::open(note.as_bytes(), ORIGIN, &log, &keys).unwrap();
    let mut times: Vec<u64> = open.cosignatures.iter().map(|c| c.time).collect();
    times.sort_unstable();
    assert_eq!(times, [NOON, NOON + 1]);

    // The log grows: the newest checkpoint is ours alone, proofs go as far as the witnesses do.
    leaves(&mut ledger, 3, "b");
    let note = ledger.signed_checkpoint().unwrap();
    let open = merkle::Checkpoint::open(note.as_bytes(), ORIGIN, &log, &keys).unwrap();
    assert_eq!((open.checkpoint.size(), open.cosignatures.len()), (8, 0));
    let leaf = merkle::leaf_hash(b"a 4");
    let open = ledger.proof(4).unwrap().verify(&leaf, ORIGIN, &log, &keys).unwrap();
    assert_eq!((open.checkpoint.size(), open.cosignatures.len()), (5, 2));
    let leaf = merkle::leaf_hash(b"b 0");
    let open = ledger.proof(5).unwrap().verify(&leaf, ORIGIN, &log, &keys).unwrap();
    assert_eq!((open.checkpoint.size(), open.cosignatures.len()), (8, 0));
    // And from the files beside a running writer the same.
    let leaf = merkle::leaf_hash(b"a 4");
    let proof = ledger::read_proof(&place, 4).unwrap().unwrap();
    assert_eq!(proof.verify(&leaf, ORIGIN, &log, &keys).unwrap().cosignatures.len(), 2);

    // One of them sees the growth: it alone is the newest word.
    cosign(&mut ledger, &mut two, NOON + 2).unwrap();
    let note = newest_cosigned(&place).unwrap().unwrap().to_string();
    let open = merkle::Checkpoint::open(note.as_bytes(), ORIGIN, &log, &keys).unwrap();
    assert_eq!((open.checkpoint.size(), open.cosignatures.len()), (8, 1));
    assert_eq!(cosigned_by_all(&place).unwrap().len(), 2);
    assert_eq!(faults(&place), Vec::<String>::new());
    // A backup of five leaves takes along what was said of five.
    let names: Vec<String> = outside_files(&place, 5).unwrap().into_iter().map(|f| f.0).collect();
    assert_eq!(names.len(), 1);
    assert_eq!(outside_files(&place, 8).unwrap().len(), 2);
}

#[test]
fn every_changed_byte_of_a_kept_cosignature_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    let mut ledger = Ledger::open(&place, ORIGIN).unwrap();
    leaves(&mut ledger, 5, "a");
    cosign(&mut ledger, &mut witness(folder.path(), 1), NOON).unwrap();
    drop(ledger);
    let kept = fs::read_dir(place.join("cosignatures")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&kept).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&kept, bytes).unwrap();
        let found = faults(&place);
        assert!(
            found.len() == 1 && found[0].starts_with("ledger/cosignatures/"),
            "byte {at}: {found:?}"
        );
    }
    fs::write(&kept, whole).unwrap();
    assert_eq!(faults(&place), Vec::<String>::new());
}

#[test]
fn a_log_shorter_than_what_was_cosigned_takes_nothing_until_that_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (place, old) = (folder.path().join("ledger"), folder.path().join("old"));
    let mut desk = witness(folder.path(), 1);
    let mut ledger = Ledger::open(&place, ORIGIN).unwrap();
    leaves(&mut ledger, 3, "a");
    copy(&place, &old);
    leaves(&mut ledger, 2, "b");
    cosign(&mut ledger, &mut desk, NOON).unwrap();
    drop(ledger);
    // The old log, but the words of the witness that go with every backup.
    copy(&place.join("cosignatures"), &old.join("cosignatures"));
    let mut ledger = Ledger::open(&old, ORIGIN).unwrap();
    assert_eq!(ledger.fork().map(|fork| (fork.published, fork.log)), Some((5, 3)));
    assert!(matches!(ledger.append(&[b"x"]), Err(LedgerError::Fork(_))));
    let decision = "01980000-0000-7000-8000-000000000000".parse().unwrap();
    ledger.accept_fork(decision).unwrap();
    assert_eq!(ledger.fork(), None);
    leaves(&mut ledger, 4, "c");
    drop(ledger);
    let mut ledger = Ledger::open(&old, ORIGIN).unwrap();
    assert_eq!((ledger.fork(), ledger.size()), (None, 7));
    assert_eq!(faults(&old), Vec::<String>::new());
    // The given-up end carries no proof of the new one.
    let log = VerifierKey::parse(&ledger.verifier_key()).unwrap();
    let open = ledger.proof(4).unwrap().verify(&merkle::leaf_hash(b"c 1"), ORIGIN, &log, &[]);
    assert_eq!(open.unwrap().checkpoint.size(), 7);
    // The witness never goes on with it: it has cosigned another history.
    assert_eq!(cosign_from(&mut ledger, &mut desk, 5), Err(422));
}

fn cosign_from(ledger: &mut Ledger, desk: &mut WitnessDesk, old: u64) -> Result<(), u16> {
    assert_eq!(desk.witnessed(ORIGIN).unwrap().unwrap().size, old);
    cosign(ledger, desk, NOON + 9)
}

#[test]
fn a_witness_s_word_of_more_stops_the_ledger_over_restarts_and_one_decision_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    let mut ledger = Ledger::open(&place, ORIGIN).unwrap();
    leaves(&mut ledger, 3, "a");
    assert!(ledger.doubt("witness.example/1", 9).unwrap());
    assert!(matches!(ledger.append(&[b"x"]), Err(LedgerError::Fork(_))));
    drop(ledger);
    let mut ledger = Ledger::open(&place, ORIGIN).unwrap();
    let fork = ledger.fork().unwrap();
    assert_eq!((fork.published, fork.root.as_str()), (9, ""));
    assert!(fork.place.ends_with("witness.example/1"));
    ledger.accept_fork("01980000-0000-7000-8000-000000000000".parse().unwrap()).unwrap();
    leaves(&mut ledger, 1, "b");
    // The same word again changes nothing; another one does.
    assert!(!ledger.doubt("witness.example/1", 9).unwrap());
    assert!(ledger.doubt("witness.example/1", 10).unwrap());
    assert!(ledger.append(&[b"x"]).is_err());
}
