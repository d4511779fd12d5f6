//! What was acknowledged survives a kill, nothing is doubled, and opening never hides damage.

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ledger::{Ledger, LedgerError, drain, verify, verify_rows};
use model::{Assurance, Id, Table, Timestamp};
use store::{RecordDraft, Row, Shredding, Store, Write, system_clock};

const ORIGIN: &str = "example.org/ume";
const CHILD: &str = "UME_CRASH_CHILD";
const SHRED_CHILD: &str = "UME_SHRED_CHILD";
const GONE: &[u8] = b"gone";

/// 20 in every run, 500 with `UME_SOAK=1`.
fn kills() -> u64 {
    if std::env::var_os("UME_SOAK").is_some() { 500 } else { 20 }
}

fn leaves(from: usize, to: usize) -> Vec<Vec<u8>> {
    (from..to).map(|i| format!("leaf {i}").into_bytes()).collect()
}

fn append(ledger: &mut Ledger, leaves: &[Vec<u8>]) {
    ledger.append(&leaves.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
}

/// A ledger of two groups, of which the checkpoint covers the first: log bytes and their border.
fn two_groups(folder: &Path) -> (Vec<u8>, usize) {
    let mut ledger = Ledger::open(folder, ORIGIN).unwrap();
    append(&mut ledger, &leaves(0, 3));
    ledger.checkpoint().unwrap();
    let border = fs::read(folder.join("log")).unwrap().len();
    append(&mut ledger, &leaves(3, 6));
    (fs::read(folder.join("log")).unwrap(), border)
}

#[test]
fn a_tail_torn_anywhere_behind_the_checkpoint_is_dropped_to_whole_entries() {
    let folder = tempfile::tempdir().unwrap();
    let (log, border) = two_groups(folder.path());
    let checkpoint = fs::read(folder.path().join("checkpoint")).unwrap();
    let tiles = ["tile/0/000.p/3", "tile/entries/000.p/3"].map(|name| folder.path().join(name));
    let signed = tiles.clone().map(|path| fs::read(path).unwrap());
    let frame = 8 + "leaf 3".len();
    for end in border..=log.len() {
        fs::write(folder.path().join("log"), &log[..end]).unwrap();
        fs::write(folder.path().join("checkpoint"), &checkpoint).unwrap();
        let mut ledger = Ledger::open(folder.path(), ORIGIN).unwrap();
        let whole = 3 + (end - border) / frame;
        assert_eq!(ledger.size(), whole as u64, "cut at {end}");
        let expected = leaves(0, whole);
        for (index, leaf) in (0..).zip(&expected) {
            assert_eq!(ledger.leaf(index).unwrap().as_ref(), Some(leaf));
        }
        let hashes: Vec<_> = expected.iter().map(|l| merkle::leaf_hash(l)).collect();
        assert_eq!(*ledger.checkpoint().unwrap().root(), merkle::root_of(&hashes));
        // The tree goes on from the prefix; the next opening sees all of it.
        append(&mut ledger, &leaves(10, 11));
        drop(ledger);
        assert_eq!(Ledger::open(folder.path(), ORIGIN).unwrap().size(), whole as u64 + 1);
        // Tiles of the other futures of this log: what a crash leaves, never signed.
        for (path, bytes) in tiles.iter().zip(&signed) {
            fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn a_log_cut_below_the_checkpoint_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (log, border) = two_groups(folder.path());
    for end in 0..border {
        fs::write(folder.path().join("log"), &log[..end]).unwrap();
        let refused = Ledger::open(folder.path(), ORIGIN).err();
        assert!(
            matches!(refused, Some(LedgerError::Damaged { size: 3, .. })),
            "{end}: {refused:?}"
        );
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), &log[..end]);
    }
}

#[test]
fn a_tail_of_zeros_or_noise_is_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = two_groups(folder.path());
    for tail in [&[0; 7][..], &[0; 8], &[0; 4096], &[0xff; 100], b"leaf"] {
        fs::write(folder.path().join("log"), [&log, tail].concat()).unwrap();
        assert_eq!(Ledger::open(folder.path(), ORIGIN).unwrap().size(), 6);
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), log);
    }
}

#[test]
fn what_no_entry_can_be_is_refused_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path(), ORIGIN).unwrap();
    assert!(matches!(ledger.append(&[b"a", b""]), Err(LedgerError::Empty)));
    assert!(matches!(ledger.append(&[&[0; 65_536]]), Err(LedgerError::Large(65_536))));
    let many = vec![&b"a"[..]; ledger::LEAVES_PER_GROUP_MAX + 1];
    assert!(matches!(ledger.append(&many), Err(LedgerError::Many(_))));
    assert_eq!(ledger.append(&[&[0; 65_535]]).unwrap(), 0);
    ledger.checkpoint().unwrap();
    assert_eq!(verify(folder.path()).unwrap().0.faults, []);
}

#[test]
fn a_log_that_lost_its_key_or_checkpoint_gets_no_new_one() {
    for name in ["key", "checkpoint"] {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = two_groups(folder.path());
        fs::remove_file(folder.path().join(name)).unwrap();
        assert!(Ledger::open(folder.path(), ORIGIN).is_err(), "{name}");
        fs::remove_file(folder.path().join("key")).ok();
        fs::remove_file(folder.path().join("checkpoint")).ok();
        assert!(Ledger::open(folder.path(), ORIGIN).is_err(), "{name} and the other");
        assert!(!folder.path().join("key").exists());
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), log);
    }
}

async fn save(store: &Store, name: &str) -> Id {
    let mut write = store.write("tester", "why", "").await.unwrap();
    let id = store.new_id().unwrap();
    write.put(Row::new(Table::Asset, id, "server", name)).await.unwrap();
    write.commit().await.unwrap();
    id
}

async fn assert_sound(store: &Store, folder: &Path) -> u64 {
    let (mut report, leaves) = verify(&folder.join("ledger")).unwrap();
    verify_rows(store, &leaves, &mut report).await.unwrap();
    assert_eq!(report.faults, []);
    let distinct: std::collections::HashSet<_> = leaves.iter().collect();
    assert_eq!(distinct.len(), leaves.len(), "a leaf is doubled");
    report.leaves
}

#[tokio::test]
async fn a_crash_between_append_and_settle_doubles_nothing() {
    // Any part of the group may have reached the log, in any order of the sequence.
    for appended in [vec![0, 1, 2, 3], vec![0, 1], vec![2, 3], vec![3, 1], vec![]] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
        save(&store, "before").await;
        assert_eq!(drain(&store, &mut ledger).await.unwrap(), 1);
        for name in ["a", "b", "c", "d"] {
            save(&store, name).await;
        }
        let pending = store.pending(10).await.unwrap();
        let group: Vec<&[u8]> = appended.iter().map(|i: &usize| pending[*i].2.as_bytes()).collect();
        ledger.append(&group).unwrap();
        drop(ledger);
        let mut ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
        // Appended, not settled: no fault while it waits.
        assert_sound(&store, folder.path()).await;
        assert_eq!(drain(&store, &mut ledger).await.unwrap(), 4);
        assert_eq!(drain(&store, &mut ledger).await.unwrap(), 0);
        ledger.checkpoint().unwrap();
        assert_eq!(assert_sound(&store, folder.path()).await, 5);
    }
}

#[tokio::test]
async fn a_log_shorter_than_the_database_knows_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), system_clock()).await.unwrap();
    let path = folder.path().join("ledger");
    let mut ledger = Ledger::open(&path, ORIGIN).unwrap();
    save(&store, "a").await;
    save(&store, "b").await;
    drain(&store, &mut ledger).await.unwrap();
    drop(ledger);
    let log = fs::read(path.join("log")).unwrap();
    fs::write(path.join("log"), &log[..log.len() - 1]).unwrap();
    let mut ledger = Ledger::open(&path, ORIGIN).unwrap();
    save(&store, "c").await;
    let refused = drain(&store, &mut ledger).await;
    assert!(matches!(refused, Err(LedgerError::Behind { log: 1, store: 2 })), "{refused:?}");
    let (mut report, leaves) = verify(&path).unwrap();
    verify_rows(&store, &leaves, &mut report).await.unwrap();
    assert_eq!(report.faults.len(), 1);
}

/// Not a rule of its own: the process that the next test kills.
#[tokio::test]
async fn child_writes_until_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    let store = Store::open(folder, system_clock()).await.unwrap();
    let mut ledger = Ledger::open(&folder.join("ledger"), ORIGIN).unwrap();
    for round in 1u64.. {
        let id = save(&store, "row").await;
        // Through the handle, not `println!`: a broken pipe must end the child.
        writeln!(std::io::stdout(), "\nacknowledged {id}").unwrap();
        if round % 3 == 0 {
            drain(&store, &mut ledger).await.unwrap();
        }
        if round % 7 == 0 {
            ledger.checkpoint().unwrap();
        }
    }
}

/// Runs a child of this file, kills it within `slow` × 131 ms of its first word, gives what it said.
fn kill_child(test: &str, variable: &str, folder: &Path, seed: &mut u64, slow: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (first, started) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let said = lines.map_while(Result::ok).inspect(|line| {
            if line.starts_with("acknowledged ") {
                first.send(()).ok();
            }
        });
        said.collect::<Vec<String>>()
    });
    started.recv_timeout(Duration::from_secs(30)).expect("the child writes");
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    std::thread::sleep(Duration::from_micros(slow * (*seed >> 33 & 0x1ffff)));
    // On Unix this is SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[tokio::test]
async fn a_kill_loses_nothing_acknowledged_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<Id> = Vec::new();
    let mut seed = 0x756d_6521_u64;
    for kill in 0..kills() {
        let lines =
            kill_child("crash::child_writes_until_killed", CHILD, folder.path(), &mut seed, 1);
        let ids = lines.iter().filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
        acknowledged.extend(ids.collect::<Vec<Id>>());

        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
        while drain(&store, &mut ledger).await.unwrap() > 0 {}
        ledger.checkpoint().unwrap();
        let size = assert_sound(&store, folder.path()).await;
        assert!(size >= acknowledged.len() as u64, "kill {kill}");
        for id in &acknowledged {
            assert!(store.row(Table::Asset, *id).await.unwrap().is_some(), "kill {kill}: {id}");
            let index = store.leaf_index(&format!("asset/{id}/1")).await.unwrap().unwrap();
            let leaf = String::from_utf8(ledger.leaf(index).unwrap().unwrap()).unwrap();
            assert!(leaf.contains(&id.to_string()));
        }
        store.db().close().await;
    }
    assert!(acknowledged.len() >= kills() as usize);
    println!("{} acknowledged over {} kills", acknowledged.len(), kills());
}

#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), ORIGIN).unwrap();
    assert!(matches!(Ledger::open(folder.path(), ORIGIN), Err(LedgerError::InUse(_))));
    drop(ledger);
    assert!(Ledger::open(folder.path(), ORIGIN).is_ok());
}

#[test]
fn tiles_that_a_crash_left_are_made_anew_and_signed_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut ledger = Ledger::open(path, ORIGIN).unwrap();
    append(&mut ledger, &leaves(0, 257));
    ledger.checkpoint().unwrap();
    let checkpoint = fs::read(path.join("checkpoint")).unwrap();
    append(&mut ledger, &leaves(257, 300));
    ledger.checkpoint().unwrap();
    drop(ledger);
    // As after a kill between tiles and checkpoint, with files that were not all written.
    fs::write(path.join("checkpoint"), &checkpoint).unwrap();
    for name in ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/0/001.p/99", "tile/0/x.tmp"] {
        fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        fs::write(path.join(name), b"torn").unwrap();
    }
    fs::remove_file(path.join("tile/0/001.p/44")).unwrap();
    drop(Ledger::open(path, ORIGIN).unwrap());
    assert_eq!(verify(path).unwrap().0.faults, []);
    assert!(!path.join("tile/0/001.p/99").exists() && !path.join("tile/0/x.tmp").exists());

    for name in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"] {
        let file = path.join(name);
        let sound = fs::read(&file).unwrap();
        for damaged in [Some(&sound[..sound.len() - 1]), None] {
            match damaged {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let refused = Ledger::open(path, ORIGIN).err();
            assert!(matches!(refused, Some(LedgerError::TileDamaged { .. })), "{name}");
            assert_eq!(fs::read(&file).ok().as_deref(), damaged, "{name} was changed");
        }
        fs::write(&file, sound).unwrap();
    }
    assert!(Ledger::open(path, ORIGIN).is_ok());
}

#[tokio::test]
async fn with_the_clock_running_backwards_the_index_gives_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let time = AtomicI64::new(1_795_600_000_000_000);
    let clock = Arc::new(move || Timestamp(time.fetch_sub(3_600_000_000, Ordering::Relaxed)));
    let store = Store::open(folder.path(), clock).await.unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
    let mut keys = Vec::new();
    let mut row = Row::new(Table::Asset, store.new_id().unwrap(), "server", "a");
    for _ in 0..4 {
        let mut write = store.write("tester", "why", "").await.unwrap();
        row = write.put(row).await.unwrap();
        keys.push(format!("asset/{}/{}", row.id, row.version));
        write.commit().await.unwrap();
        keys.push(format!("asset/{}/1", save(&store, "other").await));
        drain(&store, &mut ledger).await.unwrap();
        ledger.checkpoint().unwrap();
    }
    assert_sound(&store, folder.path()).await;
    for (index, key) in (0..).zip(keys) {
        assert_eq!(store.leaf_index(&key).await.unwrap(), Some(index), "{key}");
    }
    let history = store.history(Table::Asset, row.id).await.unwrap();
    assert!(history.windows(2).all(|v| v[0].updated_at > v[1].updated_at), "as_of has an order");
}

/// Not a rule of its own: the process that the next test kills.
#[tokio::test]
async fn child_shreds_until_killed() {
    let Some(folder) = std::env::var_os(SHRED_CHILD) else { return };
    let folder = Path::new(&folder);
    let store = Store::open(folder, system_clock()).await.unwrap();
    let mut ledger = Ledger::open(&folder.join("ledger"), ORIGIN).unwrap();
    for round in 1u64.. {
        let mut write = store.write("tester", "why", "").await.unwrap();
        let (kept, gone) = (payload(&mut write, b"kept").await, payload(&mut write, GONE).await);
        let mut decision =
            Row::new(Table::Decision, store.new_id().unwrap(), ledger::SHRED, "shred");
        decision.status = "approved".to_owned();
        decision.subject = Some(gone);
        decision.ends_at = Some(store.now().plus_hours(1));
        let decision = Some(write.put(decision).await.unwrap().id);
        write.commit().await.unwrap();
        writeln!(std::io::stdout(), "\nacknowledged {kept}").unwrap();
        let what = Shredding { records: vec![gone], rows: Vec::new(), decision };
        ledger::shred(&store, &what, "tester").await.unwrap();
        writeln!(std::io::stdout(), "\nshredded {gone}").unwrap();
        if round % 3 == 0 {
            drain(&store, &mut ledger).await.unwrap();
            ledger.checkpoint().unwrap();
        }
    }
}

async fn payload(write: &mut Write<'_>, bytes: &[u8]) -> Id {
    let draft = RecordDraft {
        ty: "house.note".to_owned(),
        subject: None,
        observed_from: Timestamp(1),
        observed_to: Timestamp(2),
        source: "test".to_owned(),
        assurance: Assurance::Machine,
        facts: serde_json::Map::new(),
        payload: Some(bytes.to_vec()),
    };
    write.record(draft).await.unwrap().id
}

#[tokio::test]
async fn a_kill_while_shredding_brings_nothing_back_and_takes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kept, mut gone): (Vec<Id>, Vec<Id>) = (Vec::new(), Vec::new());
    let mut seed = 0x7368_7265_u64;
    for kill in 0..kills() {
        let lines = kill_child(
            "crash::child_shreds_until_killed",
            SHRED_CHILD,
            folder.path(),
            &mut seed,
            10,
        );
        let ids = |word: &str| {
            let ids = lines.iter().filter_map(|line| line.strip_prefix(word)?.parse().ok());
            ids.collect::<Vec<Id>>()
        };
        kept.extend(ids("acknowledged "));
        gone.extend(ids("shredded "));
        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
        while drain(&store, &mut ledger).await.unwrap() > 0 {}
        ledger.checkpoint().unwrap();
        assert_sound(&store, folder.path()).await;
        for id in &kept {
            let payload = store.payload(*id).await.unwrap();
            assert_eq!(payload.as_deref(), Some(&b"kept"[..]), "kill {kill}: {id}");
        }
        for id in &gone {
            assert_eq!(store.payload(*id).await.unwrap(), None, "kill {kill}: {id}");
        }
        store.db().close().await;
        let left: Vec<_> = fs::read_dir(folder.path().join("keys")).unwrap().collect();
        assert_eq!(left.len(), 3, "lock, epoch, none.keys: {left:?}");
    }
    assert!(!gone.is_empty());
    println!("{} kept, {} shredded over {} kills", kept.len(), gone.len(), kills());
}
