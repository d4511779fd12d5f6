//! Whoever edits a ledger file or a table by hand is found, and the place is named.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use ledger::{Ledger, Report, drain, verify, verify_all, verify_rows};
use model::{Assurance, Table, Timestamp};
use serde_json::json;
use store::{RecordDraft, Row, Store, Val};
use tempfile::TempDir;

const ORIGIN: &str = "example.org/ume";
const BYTES_ALL_MAX: usize = 2_048;
const SAMPLES_PER_FILE: usize = 150;
/// More than one tile, so that there is a level above.
const MANY_RECORDS: i64 = 270;
/// Enough where only tables are edited; every edit is verified against the whole store.
const FEW_RECORDS: i64 = 3;

struct House {
    folder: TempDir,
    store: Store,
}

impl House {
    /// Three versions of a row in each table, records with payloads, two checkpoints, one change
    /// that still waits in the outbox.
    async fn build(records: i64) -> House {
        let folder = tempfile::tempdir().unwrap();
        let time = AtomicI64::new(1_795_600_000_000_000);
        let clock = Arc::new(move || Timestamp(time.fetch_add(1_000, Ordering::Relaxed)));
        let store = Store::open(folder.path(), clock).await.unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
        for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
            let mut row = Row::new(table, store.new_id().unwrap(), "kind", "名前");
            row.owner = Some(store.new_id().unwrap());
            row.attributes.insert("note".to_owned(), json!("梅"));
            for _ in 0..3 {
                let mut write = store.write("tester", "why", "req").await.unwrap();
                row = write.put(row).await.unwrap();
                write.commit().await.unwrap();
            }
        }
        drain(&store, &mut ledger).await.unwrap();
        ledger.checkpoint().unwrap();
        let mut write = store.write("tester", "why", "req").await.unwrap();
        for i in 0..records {
            write.record(draft(i)).await.unwrap();
        }
        write.commit().await.unwrap();
        drain(&store, &mut ledger).await.unwrap();
        ledger.checkpoint().unwrap();
        let mut write = store.write("tester", "why", "req").await.unwrap();
        let waiting = Row::new(Table::Norm, store.new_id().unwrap(), "kind", "waits");
        write.put(waiting).await.unwrap();
        write.commit().await.unwrap();
        House { folder, store }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    async fn execute(&self, sql: &str, args: &[Val]) {
        let mut tx = self.store.db().begin().await.unwrap();
        let changed = tx.execute(sql, args).await.unwrap();
        assert_eq!(changed, 1, "{sql}");
        tx.commit().await.unwrap();
    }

    async fn faults_of_rows(&self, leaves: &[Vec<u8>]) -> Report {
        let mut report = Report::default();
        verify_rows(&self.store, leaves, &mut report).await.unwrap();
        report
    }
}

fn draft(i: i64) -> RecordDraft {
    let facts = json!({"count": i}).as_object().unwrap().clone();
    RecordDraft {
        ty: "house.note".to_owned(),
        subject: None,
        observed_from: Timestamp(i),
        observed_to: Timestamp(i),
        source: "test".to_owned(),
        assurance: Assurance::Attested,
        facts,
        payload: (i % 2 == 0).then(|| vec![i as u8; 10]),
    }
}

/// xorshift64*: the same places every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

/// All files but the empty ones that are only locked.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name == "lock") {
            continue;
        }
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

fn assert_found(ledger: &Path, what: &str) -> Report {
    let (report, _) = verify(ledger).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(!report.faults.is_empty(), "not found: {what}");
    report
}

#[tokio::test]
async fn an_untouched_house_has_no_fault() {
    let house = House::build(MANY_RECORDS).await;
    let (mut report, leaves) = verify(&house.ledger()).unwrap();
    verify_rows(&house.store, &leaves, &mut report).await.unwrap();
    assert_eq!(report.faults, []);
    assert_eq!((report.leaves, report.rows, report.pending), (300, 301, 1));
}

#[tokio::test]
async fn every_flipped_byte_of_a_ledger_file_is_a_fault() {
    let house = House::build(MANY_RECORDS).await;
    let ledger = house.ledger();
    let mut random = Random(0x756d_6521);
    let soak = std::env::var_os("UME_SOAK").is_some();
    let (mut kinds, mut flipped) = (std::collections::BTreeSet::new(), 0);
    for path in files(&ledger) {
        let name = path.strip_prefix(&ledger).unwrap().to_string_lossy().into_owned();
        kinds.insert(name.split(".p/").next().unwrap().to_owned());
        let sound = fs::read(&path).unwrap();
        let places: Vec<usize> = if sound.len() <= BYTES_ALL_MAX || soak {
            (0..sound.len()).collect()
        } else {
            (0..SAMPLES_PER_FILE).map(|_| random.below(sound.len())).collect()
        };
        flipped += places.len();
        for place in places {
            let mut bytes = sound.clone();
            bytes[place] ^= 1 << random.below(8);
            fs::write(&path, bytes).unwrap();
            assert_found(&ledger, &format!("{name} at {place}"));
        }
        fs::write(&path, sound).unwrap();
    }
    println!("{flipped} bytes flipped, each found");
    assert!(flipped >= 2_000, "only {flipped}");
    let expected = [
        "checkpoint",
        "key",
        "log",
        "tile/0/000",
        "tile/0/001",
        "tile/1/000",
        "tile/entries/000",
        "tile/entries/001",
        "vkey",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert_eq!(verify(&ledger).unwrap().0.faults, []);
}

#[tokio::test]
async fn every_cut_grown_or_missing_ledger_file_is_a_fault() {
    let house = House::build(MANY_RECORDS).await;
    let ledger = house.ledger();
    for path in files(&ledger) {
        let name = path.strip_prefix(&ledger).unwrap().to_string_lossy().into_owned();
        let sound = fs::read(&path).unwrap();
        for end in [0, 1, sound.len() / 2, sound.len() - 1] {
            fs::write(&path, &sound[..end]).unwrap();
            assert_found(&ledger, &format!("{name} cut at {end}"));
        }
        for tail in [&b"\n"[..], &[0; 8], &[0; 32]] {
            fs::write(&path, [&sound, tail].concat()).unwrap();
            assert_found(&ledger, &format!("{name} with a tail"));
        }
        fs::remove_file(&path).unwrap();
        // A partial tile that a later, wider one replaces may be removed.
        if name != "tile/0/000.p/30" && name != "tile/entries/000.p/30" {
            assert_found(&ledger, &format!("{name} removed"));
        }
        fs::write(&path, sound).unwrap();
    }
    assert_eq!(verify(&ledger).unwrap().0.faults, []);
}

#[tokio::test]
async fn a_file_that_the_log_does_not_imply_is_a_fault() {
    let house = House::build(MANY_RECORDS).await;
    let ledger = house.ledger();
    let huge = format!("tile/0/{}999", "x999/".repeat(5));
    let overflow = format!("tile/0/x018/{}615", "x446/x744/x073/x709/x551/");
    for name in [
        "tile/0/002",
        "tile/entries/002",
        "tile/9/000",
        "tile/63/000",
        "tile/note",
        &huge,
        &overflow,
    ] {
        let path = ledger.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"").unwrap();
        let report = assert_found(&ledger, name);
        assert_eq!(report.faults[0].place, format!("ledger/{name}"));
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn an_edit_with_repaired_checksum_is_located() {
    let house = House::build(MANY_RECORDS).await;
    let path = house.ledger().join("log");
    let mut log = fs::read(&path).unwrap();
    // The third frame.
    let frame = |log: &[u8], at: usize| {
        at + 8 + u32::from_le_bytes(log[at..at + 4].try_into().unwrap()) as usize
    };
    let start = frame(&log, frame(&log, 0));
    let end = frame(&log, start);
    log[end - 3] ^= 1;
    let checksum = crc32c::crc32c(&log[start + 8..end]);
    log[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, log).unwrap();
    let report = assert_found(&house.ledger(), "repaired checksum");
    assert!(report.faults.iter().any(|f| f.place == "ledger/tile/0/000" && f.index == Some(2)));
    assert!(Ledger::open(&house.ledger(), ORIGIN).is_err());
}

#[tokio::test]
async fn every_flipped_byte_of_a_key_file_is_a_fault_with_its_place() {
    let house = House::build(FEW_RECORDS).await;
    let (_, leaves) = verify(&house.ledger()).unwrap();
    let keys = house.folder.path().join("keys");
    let mut random = Random(0x6b65_7973);
    let names: Vec<String> = files(&keys)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["epoch", "none.keys"]);
    for name in names {
        let path = keys.join(&name);
        let sound = fs::read(&path).unwrap();
        for place in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[place] ^= 1 << random.below(8);
            fs::write(&path, bytes).unwrap();
            let report = house.faults_of_rows(&leaves).await;
            let at = format!("keys/{name}");
            let found = report.faults.iter().find(|f| f.place == at);
            let found = found.unwrap_or_else(|| panic!("{name} at {place}: {:?}", report.faults));
            if let Some(offset) = found.offset {
                // A head of 64 bytes, entries of 108.
                let start = if place < 64 { 0 } else { 64 + (place - 64) / 108 * 108 };
                assert_eq!(offset, start as u64, "{name} at {place}");
            }
        }
        for end in [0, 63, sound.len() - 109, sound.len() - 1] {
            fs::write(&path, &sound[..end]).unwrap();
            assert!(!house.faults_of_rows(&leaves).await.faults.is_empty(), "{name} cut at {end}");
        }
        fs::remove_file(&path).unwrap();
        let report = house.faults_of_rows(&leaves).await;
        if name == "epoch" {
            // So stands a backup restored without its epoch key: proved, but not read.
            assert!(report.unreadable > 0, "{name} removed");
        } else {
            assert!(!report.faults.is_empty(), "{name} removed");
        }
        fs::write(&path, sound).unwrap();
    }
    assert_eq!(house.faults_of_rows(&leaves).await.faults, []);
}

/// Values that differ from `old`, some of which mean the same to a careless reader.
fn edits(column: &str, old: &Val) -> Vec<Val> {
    match old {
        Val::Null if column.ends_with("_at") || column == "leaf_index" => vec![Val::Int(7)],
        Val::Null if ["owner", "subject", "object"].contains(&column) => {
            vec!["".into(), "00000000-0000-0000-0000-000000000000".into()]
        }
        Val::Null if column == "personal" => vec!["{}".into(), "x".into()],
        Val::Null => vec!["x".into()],
        Val::Int(n) => vec![Val::Int(n + 1_000), Val::Int(-1)],
        Val::Text(text) => {
            let mut out = vec![format!("{text}x"), format!("{text} "), String::new()];
            out.extend([text.to_uppercase(), text.replace('-', ""), text.replace(':', ": ")]);
            out.extend([text.replace('梅', "竹"), text.replace("count", "Count")]);
            out.retain(|edit| edit != text);
            out.into_iter().map(Val::from).collect()
        }
        Val::Bytes(bytes) => {
            let mut other = bytes.clone();
            other[0] ^= 1;
            vec![Val::Bytes(other), Val::Bytes(Vec::new())]
        }
        other => panic!("{other:?}"),
    }
}

async fn columns(store: &Store, table: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
    let rows = store.db().fetch(&sql, &[]).await.unwrap();
    rows.iter().map(|r| r[0].text().unwrap().to_owned()).collect()
}

fn evidence_tables() -> Vec<String> {
    let mut tables: Vec<String> = Table::ALL.iter().map(|t| t.name().to_owned()).collect();
    tables.extend(
        Table::ALL.iter().filter(|t| **t != Table::Record).map(|t| format!("{}_history", t.name())),
    );
    tables.extend(["payload", "leaf"].map(str::to_owned));
    tables
}

#[tokio::test]
async fn every_edited_column_of_every_table_is_a_fault() {
    let house = House::build(FEW_RECORDS).await;
    let (_, leaves) = verify(&house.ledger()).unwrap();
    for table in evidence_tables().into_iter().chain(["outbox".to_owned()]) {
        for column in columns(&house.store, &table).await {
            // The sequence only orders what waits.
            if table == "outbox" && column == "seq" {
                continue;
            }
            let sql = format!("SELECT rowid, {column} FROM \"{table}\" ORDER BY rowid LIMIT 1");
            let found = house.store.db().fetch(&sql, &[]).await.unwrap();
            let (rowid, old) = (found[0][0].clone(), found[0][1].clone());
            let sql = format!("UPDATE \"{table}\" SET {column} = $1 WHERE rowid = $2");
            for edit in edits(&column, &old) {
                house.execute(&sql, &[edit.clone(), rowid.clone()]).await;
                let report = house.faults_of_rows(&leaves).await;
                assert!(!report.faults.is_empty(), "{table}.{column}: {old:?} -> {edit:?}");
            }
            house.execute(&sql, &[old, rowid]).await;
        }
    }
    assert_eq!(house.faults_of_rows(&leaves).await.faults, []);
}

#[tokio::test]
async fn every_removed_row_is_a_fault() {
    let house = House::build(FEW_RECORDS).await;
    let (_, leaves) = verify(&house.ledger()).unwrap();
    for table in evidence_tables() {
        let sql = format!("SELECT rowid, * FROM \"{table}\" ORDER BY rowid LIMIT 2");
        for row in house.store.db().fetch(&sql, &[]).await.unwrap() {
            house.execute(&format!("DELETE FROM \"{table}\" WHERE rowid = $1"), &row[..1]).await;
            let report = house.faults_of_rows(&leaves).await;
            assert!(!report.faults.is_empty(), "{table}");
            let places: Vec<String> = (1..row.len()).map(|i| format!("${i}")).collect();
            let sql = format!("INSERT INTO \"{table}\" VALUES ({})", places.join(", "));
            house.execute(&sql, &row[1..]).await;
        }
    }
    house.execute("DELETE FROM outbox", &[]).await;
    let report = house.faults_of_rows(&leaves).await;
    assert_eq!(report.faults.len(), 1);
    assert!(report.faults[0].place.starts_with("norm/"));
}

#[tokio::test]
async fn a_row_removed_together_with_its_leaf_row_is_a_fault() {
    let house = House::build(FEW_RECORDS).await;
    let (_, leaves) = verify(&house.ledger()).unwrap();
    let rows = house.store.db().fetch("SELECT id FROM risk", &[]).await.unwrap();
    let id = rows[0][0].text().unwrap();
    house.execute("DELETE FROM risk WHERE id = $1", &[id.into()]).await;
    let key = format!("risk/{id}/3");
    house.execute("DELETE FROM leaf WHERE row_key = $1", &[key.into()]).await;
    let report = house.faults_of_rows(&leaves).await;
    assert!(report.faults.iter().any(|f| f.what == "leaf that no row names"), "{report:?}");
}

#[tokio::test]
async fn an_invented_row_is_a_fault() {
    let house = House::build(FEW_RECORDS).await;
    let (_, leaves) = verify(&house.ledger()).unwrap();
    house.execute("INSERT INTO leaf VALUES ('asset/x/1', 5)", &[]).await;
    assert_eq!(house.faults_of_rows(&leaves).await.faults.len(), 1);
    house.execute("DELETE FROM leaf WHERE row_key = 'asset/x/1'", &[]).await;
    house.execute("INSERT INTO outbox (row_key, leaf) VALUES ('asset/x/1', 'x')", &[]).await;
    assert_eq!(house.faults_of_rows(&leaves).await.faults.len(), 1);
    house.execute("DELETE FROM outbox WHERE leaf = 'x'", &[]).await;
    house.execute("INSERT INTO payload (record, body) VALUES ('x', x'00')", &[]).await;
    assert_eq!(house.faults_of_rows(&leaves).await.faults[0].place, "payload/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_verifier_reads_is_no_mismatch_and_a_real_one_stays() {
    let house = House::build(FEW_RECORDS).await;
    let (folder, store) = (house.folder.path().join("ledger"), house.store.clone());
    let mut ledger = Ledger::open(&folder, ORIGIN).unwrap();
    let writing = tokio::spawn(async move {
        loop {
            let mut write = store.write("tester", "why", "").await.unwrap();
            write.record(draft(1)).await.unwrap();
            write.commit().await.unwrap();
            drain(&store, &mut ledger).await.unwrap();
            ledger.checkpoint().unwrap();
        }
    });
    // Enough rounds for a single reading to stumble.
    let mut stumbled = false;
    for _ in 0..20 {
        let (mut once, leaves) = verify(&folder).unwrap();
        verify_rows(&house.store, &leaves, &mut once).await.unwrap();
        stumbled |= !once.faults.is_empty();
        let report = verify_all(&folder, &house.store).await.unwrap();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
    assert!(stumbled, "nothing was written while a verifier read");
    writing.abort();
    let _ = writing.await;
    let mut tx = house.store.db().begin().await.unwrap();
    tx.execute("UPDATE party SET name = 'other' WHERE name = '名前'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let report = verify_all(&folder, &house.store).await.unwrap();
    assert!(report.faults.iter().any(|f| f.what.contains("does not fit its leaf")));
}
