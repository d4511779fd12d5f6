//! What a decision has shredded is gone everywhere, and what is left still proves.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use ledger::{Ledger, LedgerError, Report, drain, shred, verify, verify_rows};
use model::{Assurance, Id, Table, Timestamp};
use serde_json::json;
use store::{Clock, Record, RecordDraft, Row, Shredding, Store, StoreError};
use tempfile::TempDir;

const ORIGIN: &str = "example.org/ume";
const PAYLOAD: &str = "MARKER-payload-7f3a9c";
const FIELD: &str = "marker.field.5d1e@example.org";
const NAME: &str = "MARKER氏名一郎";
const YEAR: i64 = 8_760;

struct House {
    folder: TempDir,
    store: Store,
    ledger: Ledger,
}

fn clock() -> Clock {
    let time = AtomicI64::new(1_795_600_000_000_000);
    Arc::new(move || Timestamp(time.fetch_add(1_000, Ordering::Relaxed)))
}

async fn open(folder: &Path) -> Store {
    let pointers = ["/name", "/attributes/mail"].map(str::to_owned).to_vec();
    let store = Store::open(folder, clock()).await.unwrap();
    let files =
        |table: Table, kind: &str| ((table.name(), kind.to_owned()), vec!["file".to_owned()]);
    store
        .with_personal([(Table::Asset, "phone".to_owned(), pointers)])
        .with_files([files(Table::Record, "house.note"), files(Table::Asset, "plan")].into())
}

fn draft(payload: &str) -> RecordDraft {
    RecordDraft {
        ty: "house.note".to_owned(),
        subject: None,
        observed_from: Timestamp(1),
        observed_to: Timestamp(2),
        source: "test".to_owned(),
        assurance: Assurance::Machine,
        facts: serde_json::Map::new(),
        payload: Some(payload.as_bytes().to_vec()),
    }
}

impl House {
    async fn build() -> House {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).unwrap();
        House { folder, store, ledger }
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    async fn record(&mut self, payload: &str, expires: Option<Timestamp>) -> Record {
        let mut write = self.store.write("tester", "why", "").await.unwrap();
        let record = write.record_until(draft(payload), expires).await.unwrap();
        write.commit().await.unwrap();
        self.settle().await;
        record
    }

    async fn put(&mut self, row: Row) -> Row {
        let mut write = self.store.write("tester", "why", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        self.settle().await;
        row
    }

    /// A person's phone in three versions, of which the last no longer has the mail.
    async fn phone(&mut self) -> Row {
        let mut row = Row::new(Table::Asset, self.store.new_id().unwrap(), "phone", NAME);
        row.attributes.insert("mail".to_owned(), json!(FIELD));
        row.attributes.insert("model".to_owned(), json!("X-1"));
        let mut row = self.put(row).await;
        row.attributes.insert("model".to_owned(), json!("X-2"));
        let mut row = self.put(row).await;
        row.name = "spare".to_owned();
        row.attributes.remove("mail");
        self.put(row).await
    }

    async fn decision(&mut self, records: &[Id], rows: &[(Table, Id)]) -> Id {
        let id = self.store.new_id().unwrap();
        let mut row = Row::new(Table::Decision, id, "shred", "shred");
        row.status = "approved".to_owned();
        row.ends_at = Some(self.store.now().plus_hours(YEAR));
        row.attributes.insert("records".to_owned(), json!(records));
        let rows: Vec<String> = rows.iter().map(|(t, id)| format!("{}/{id}", t.name())).collect();
        row.attributes.insert("rows".to_owned(), json!(rows));
        self.put(row).await.id
    }

    async fn shred(&mut self, records: &[Id], rows: &[(Table, Id)]) -> Result<(), LedgerError> {
        let decision = Some(self.decision(records, rows).await);
        let what = Shredding { records: records.to_vec(), rows: rows.to_vec(), decision };
        shred(&self.store, &what, "tester").await?;
        self.settle().await;
        Ok(())
    }

    async fn settle(&mut self) {
        while drain(&self.store, &mut self.ledger).await.unwrap() > 0 {}
        self.ledger.checkpoint().unwrap();
    }

    async fn report(&self) -> Report {
        let (mut report, leaves) = verify(&self.folder.path().join("ledger")).unwrap();
        verify_rows(&self.store, &leaves, &mut report).await.unwrap();
        report
    }

    /// Where the file with this content lies.
    async fn file(&self, sha256: &str) -> PathBuf {
        let blob = self.store.blob(sha256).await.unwrap().unwrap();
        self.store.blob_path(&blob).unwrap()
    }

    /// Place of each fault, and what is said of the file's content in its field.
    async fn file_faults(&self) -> Vec<(String, String)> {
        let faults = self.report().await.faults;
        let said = |what: &str| what.rsplit(" in file ").next().unwrap().to_owned();
        faults.iter().map(|f| (f.place.clone(), said(&f.what))).collect()
    }

    async fn reopen(&mut self) {
        self.store.db().close().await;
        self.store = open(self.folder.path()).await;
    }
}

/// Files below the folder, database and write-ahead log among them, that hold these bytes.
fn hits(folder: &Path, marker: &[u8]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(hits(&path, marker));
        } else if fs::read(&path).unwrap().windows(marker.len()).any(|w| w == marker) {
            out.push(path);
        }
    }
    out
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_payload_never_stands_in_the_clear() {
    let mut house = House::build().await;
    let record = house.record(PAYLOAD, None).await;
    assert_eq!(house.store.payload(record.id).await.unwrap().unwrap(), PAYLOAD.as_bytes());
    assert_eq!(hits(house.folder.path(), PAYLOAD.as_bytes()), Vec::<PathBuf>::new());
    assert_eq!(house.report().await.faults, []);
}

#[tokio::test]
async fn after_shredding_a_raw_search_finds_nothing_and_the_rest_proves() {
    let mut house = House::build().await;
    let record = house.record(PAYLOAD, None).await;
    let kept = house.record("kept", None).await;
    let phone = house.phone().await;
    let folder = house.folder.path().to_owned();
    // As an update keeps it from before its migrations.
    house.store.db().copy_to(&folder.join("ume.db.before-0009")).await.unwrap();
    for marker in [FIELD, NAME] {
        assert!(!hits(&folder, marker.as_bytes()).is_empty(), "the search must be able to find it");
    }
    house.shred(&[record.id], &[(Table::Asset, phone.id)]).await.unwrap();

    for marker in [PAYLOAD, FIELD, NAME, "MARKER", "marker"] {
        assert_eq!(hits(&folder, marker.as_bytes()), Vec::<PathBuf>::new(), "{marker}");
    }
    let sql = "SELECT COUNT(*) FROM token WHERE token IN ('ma', '氏名', '一郎')";
    assert_eq!(house.store.db().fetch(sql, &[]).await.unwrap()[0][0], store::Val::Int(0));
    let report = house.report().await;
    assert_eq!(report.faults, []);
    // One payload, three versions.
    assert_eq!(report.shredded, 4);
    assert_eq!(house.store.payload(record.id).await.unwrap(), None);
    assert_eq!(house.store.payload(kept.id).await.unwrap().unwrap(), b"kept");
    // What is not personal is kept in every version.
    let history = house.store.history(Table::Asset, phone.id).await.unwrap();
    let models: Vec<_> = history.iter().map(|r| r.attributes["model"].as_str().unwrap()).collect();
    assert_eq!(models, ["X-2", "X-2", "X-1"]);
    assert!(history.iter().all(|r| !r.attributes.contains_key("mail")));
    // And the row lives on.
    let mut row = house.store.row(Table::Asset, phone.id).await.unwrap().unwrap();
    row.attributes.insert("mail".to_owned(), json!("new@example.org"));
    house.put(row).await;
    house.reopen().await;
    assert_eq!(house.report().await.faults, []);
}

#[tokio::test]
async fn an_older_copy_of_database_and_key_files_opens_no_shredded_payload() {
    let mut house = House::build().await;
    let record = house.record(PAYLOAD, None).await;
    let kept = house.record("kept", None).await;
    let other = house.record("other cohort", Some(Timestamp(1_795_600_000_000_000))).await;
    let backup = tempfile::tempdir().unwrap();
    house.store.db().copy_to(&backup.path().join("ume.db")).await.unwrap();
    copy(&house.keys(), &backup.path().join("keys"));
    // With the epoch key the copy opens: so it is the key that counts below.
    let old = open(backup.path()).await;
    assert_eq!(old.payload(record.id).await.unwrap().unwrap(), PAYLOAD.as_bytes());
    old.db().close().await;
    let epoch = fs::read(house.keys().join("epoch")).unwrap();
    house.shred(&[record.id], &[]).await.unwrap();
    assert_ne!(fs::read(house.keys().join("epoch")).unwrap(), epoch);

    // The older database and key files, the only epoch file there still is.
    fs::copy(house.keys().join("epoch"), backup.path().join("keys/epoch")).unwrap();
    let old = open(backup.path()).await;
    assert!(matches!(old.payload(record.id).await, Err(StoreError::Column(_))));
    assert_eq!(old.payload(other.id).await.unwrap().unwrap(), b"other cohort");
    // What nothing opens holds nothing up that is written from now on.
    for text in ["new", "newer"] {
        let mut write = old.write("tester", "why", "").await.unwrap();
        let new = write.record(draft(text)).await.unwrap();
        write.commit().await.unwrap();
        assert_eq!(old.payload(new.id).await.unwrap().unwrap(), text.as_bytes());
    }
    assert!(backup.path().join("keys/none.2.keys").exists());
    assert!(!backup.path().join("keys/none.3.keys").exists());
    old.db().close().await;
    // With the newest key files it opens everything but what was shredded.
    copy(&house.keys(), &backup.path().join("keys"));
    let old = open(backup.path()).await;
    assert!(matches!(old.payload(record.id).await, Err(StoreError::Column(_))));
    assert_eq!(old.payload(kept.id).await.unwrap().unwrap(), b"kept");
    // No raw copy of the old epoch key is left in the folder either.
    let text = String::from_utf8(epoch).unwrap();
    let key = text.lines().find_map(|l| l.strip_prefix("none 1 ")).unwrap();
    assert_eq!(hits(house.folder.path(), key.as_bytes()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_vanished_without_a_decision_is_a_fault() {
    let mut house = House::build().await;
    let record = house.record(PAYLOAD, None).await;
    let phone = house.phone().await;
    let mut tx = house.store.db().begin().await.unwrap();
    tx.execute("DELETE FROM payload", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let report = house.report().await;
    assert_eq!(report.faults.len(), 1);
    assert_eq!(report.faults[0].place, format!("record/{}", record.id));
    assert!(report.faults[0].what.contains("no record says"), "{:?}", report.faults);

    // Fields taken out by the book, but with the record of it removed from what the decision says.
    house.shred(&[], &[(Table::Asset, phone.id)]).await.unwrap();
    assert_eq!(house.report().await.faults.len(), 1);
    let mut tx = house.store.db().begin().await.unwrap();
    tx.execute("DELETE FROM record WHERE type = 'isms.shredded'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let faults = house.report().await.faults;
    let of_phone = faults.iter().filter(|f| f.place.starts_with(&format!("asset/{}", phone.id)));
    assert_eq!(of_phone.count(), 3, "{faults:?}");
}

#[tokio::test]
async fn only_an_approved_unexpired_decision_that_names_it_shreds() {
    let mut house = House::build().await;
    let record = house.record(PAYLOAD, None).await;
    let stranger = house.record("other", None).await;
    let decision = house.decision(&[record.id], &[]).await;
    let shredding = |records: &[Id], decision| Shredding {
        records: records.to_vec(),
        rows: Vec::new(),
        decision: Some(decision),
    };
    let refused = shred(&house.store, &shredding(&[stranger.id], decision), "t").await;
    assert!(matches!(refused, Err(LedgerError::NotNamed(_))), "{refused:?}");
    let refused = shred(&house.store, &shredding(&[], decision), "t").await;
    assert!(matches!(refused, Err(LedgerError::ShredCount(0))), "{refused:?}");
    for change in ["rejected", "expired", "kind"] {
        let mut row = house.store.row(Table::Decision, decision).await.unwrap().unwrap();
        row.status = "approved".to_owned();
        row.ends_at = Some(house.store.now().plus_hours(YEAR));
        match change {
            "rejected" => row.status = "rejected".to_owned(),
            "expired" => row.ends_at = Some(Timestamp(0)),
            _ => row.kind = "approval".to_owned(),
        }
        house.put(row).await;
        let refused = shred(&house.store, &shredding(&[record.id], decision), "t").await;
        assert!(matches!(refused, Err(LedgerError::Decision { .. })), "{change}: {refused:?}");
    }
    let refused = shred(&house.store, &shredding(&[record.id], record.id), "t").await;
    assert!(matches!(refused, Err(LedgerError::Decision { .. })), "{refused:?}");
    assert_eq!(house.store.payload(record.id).await.unwrap().unwrap(), PAYLOAD.as_bytes());

    // As pages approve: a confirmation that binds the hash; an edit voids it.
    let mut row = house.store.row(Table::Decision, decision).await.unwrap().unwrap();
    row.kind = "shred".to_owned();
    row.status = "active".to_owned();
    let row = house.put(row).await;
    let id = house.store.new_id().unwrap();
    let mut confirmation = Row::new(Table::Decision, id, "confirmation", "yes");
    confirmation.status = "approved".to_owned();
    confirmation.subject = Some(decision);
    confirmation.subject_hash = Some("00".to_owned());
    confirmation.ends_at = Some(house.store.now().plus_hours(YEAR));
    let mut confirmation = house.put(confirmation).await;
    let what = shredding(&[record.id], decision);
    assert!(shred(&house.store, &what, "t").await.is_err());
    confirmation.subject_hash = Some(row.content_hash().unwrap());
    house.put(confirmation).await;
    assert_eq!(shred(&house.store, &what, "t").await.unwrap().records, 1);
    assert_eq!(house.store.payload(record.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_version_from_before_its_kind_had_personal_fields_verifies_and_can_be_shredded() {
    let mut house = House::build().await;
    // Written by a store that does not know what is personal: its leaf commits to all of the row.
    let plain = Store::open(house.folder.path(), clock()).await.unwrap();
    let mut row = Row::new(Table::Asset, plain.new_id().unwrap(), "phone", NAME);
    row.attributes.insert("mail".to_owned(), json!(FIELD));
    let mut write = plain.write("tester", "why", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    plain.db().close().await;
    house.settle().await;
    let row = house.put(row).await;
    assert_eq!(house.report().await.faults, []);
    house.shred(&[], &[(Table::Asset, row.id)]).await.unwrap();
    let report = house.report().await;
    assert_eq!((report.faults.as_slice(), report.shredded), (&[][..], 2));
    assert_eq!(hits(house.folder.path(), FIELD.as_bytes()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_crash_between_tables_and_keys_is_finished_by_the_next_opening() {
    let mut house = House::build().await;
    let record = house.record(PAYLOAD, None).await;
    let kept = house.record("kept", None).await;
    let before = tempfile::tempdir().unwrap();
    copy(&house.keys(), before.path());
    house.shred(&[record.id], &[]).await.unwrap();
    // The tables say shredded, the key files stand as before; one replacement was half done.
    let lock = house.keys().join("lock");
    fs::remove_dir_all(house.keys()).unwrap();
    copy(before.path(), &house.keys());
    fs::write(house.keys().join("epoch.tmp"), b"half").unwrap();
    fs::write(house.keys().join("none.old"), b"secret").unwrap();
    assert!(lock.exists());
    house.reopen().await;
    let text = fs::read_to_string(house.keys().join("epoch")).unwrap();
    assert!(text.contains("\nnone 2 ") && !text.contains("\nnone 1 "), "{text}");
    assert!(!house.keys().join("epoch.tmp").exists() && !house.keys().join("none.old").exists());
    assert_eq!(house.store.payload(kept.id).await.unwrap().unwrap(), b"kept");
    assert_eq!(house.report().await.faults, []);
    // A second time there is nothing left to do.
    house.shred(&[record.id], &[]).await.unwrap();
    assert_eq!(house.report().await.faults, []);
}

#[tokio::test]
async fn a_torn_tail_of_keys_is_cut_and_payloads_of_an_older_ume_are_sealed() {
    let mut house = House::build().await;
    let record = house.record("one", None).await;
    let path = house.keys().join("none.keys");
    let sound = fs::read(&path).unwrap();
    for tail in [&[7; 1][..], &[7; 107], &[7; 108], &[7; 300]] {
        fs::write(&path, [&sound, tail].concat()).unwrap();
        house.reopen().await;
        assert_eq!(fs::read(&path).unwrap(), sound, "{}", tail.len());
    }
    // As migration 4 leaves it: salt and body in the row.
    let clear = house.record("two", None).await;
    let salt = "11".repeat(32);
    let commit = {
        use sha2::Digest;
        let mut hash = sha2::Sha256::new_with_prefix(b"ume/commit/v1\n");
        hash.update([0x11; 32]);
        hash.update(PAYLOAD);
        hex::encode(hash.finalize())
    };
    let mut tx = house.store.db().begin().await.unwrap();
    let id = clear.id.to_string();
    let sql =
        "UPDATE payload SET cohort = NULL, slot = NULL, salt = $1, body = $2 WHERE record = $3";
    let args = [salt.as_str().into(), PAYLOAD.as_bytes().to_vec().into(), id.as_str().into()];
    assert_eq!(tx.execute(sql, &args).await.unwrap(), 1);
    tx.commit().await.unwrap();
    house.reopen().await;
    let expected = Record { payload_commit: Some(commit), ..clear.clone() };
    assert_eq!(house.store.payload_matches(&expected).await.unwrap(), Some(true));
    assert_eq!(house.store.payload(clear.id).await.unwrap().unwrap(), PAYLOAD.as_bytes());
    let sql = "SELECT COUNT(*) FROM payload WHERE cohort IS NULL OR salt IS NOT NULL";
    assert_eq!(house.store.db().fetch(sql, &[]).await.unwrap()[0][0], store::Val::Int(0));
    assert_eq!(house.store.payload(record.id).await.unwrap().unwrap(), b"one");
}

/// A record and a row that name a file each.
async fn with_files(house: &mut House) -> (Record, Row, String, String) {
    let mut names = Vec::new();
    for bytes in ["of the record", "of the row"].map(str::as_bytes) {
        let mut upload = house.store.upload().await.unwrap();
        upload.write(bytes).await.unwrap();
        names.push(house.store.keep(upload, "a.txt", "tester").await.unwrap().sha256);
    }
    let mut write = house.store.write("tester", "why", "").await.unwrap();
    let mut noted = draft(PAYLOAD);
    noted.facts.insert("file".to_owned(), json!(names[0]));
    let record = write.record(noted).await.unwrap();
    write.commit().await.unwrap();
    let mut row = Row::new(Table::Asset, house.store.new_id().unwrap(), "plan", "plan");
    row.attributes.insert("file".to_owned(), json!(names[1]));
    let row = house.put(row).await;
    (record, row, names.remove(0), names.remove(0))
}

#[tokio::test]
async fn a_missing_or_changed_file_is_named_with_its_row_even_if_the_database_forgot_it() {
    let mut house = House::build().await;
    let (record, row, first, second) = with_files(&mut house).await;
    let report = house.report().await;
    assert_eq!((report.faults.len(), report.blobs), (0, 2), "{report:?}");
    let path = house.file(&first).await;
    let sound = fs::read(&path).unwrap();
    fs::write(&path, vec![0; sound.len()]).unwrap();
    fs::remove_file(house.file(&second).await).unwrap();
    let (asset, noted) = (format!("asset/{}/1", row.id), format!("record/{}", record.id));
    let found = house.file_faults().await;
    assert_eq!(found, [(asset.clone(), "is missing"), (noted.clone(), "was changed")].map(said));
    let mut tx = house.store.db().begin().await.unwrap();
    for sql in ["DELETE FROM blob", "DELETE FROM blob_ref"] {
        tx.execute(sql, &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let found = house.file_faults().await;
    assert_eq!(found, [(asset, "is missing"), (noted, "is missing")].map(said));
}

fn said((place, what): (String, &str)) -> (String, String) {
    (place, what.to_owned())
}

#[tokio::test]
async fn the_file_of_a_shredded_record_is_gone_and_excused() {
    let mut house = House::build().await;
    let (record, _, first, second) = with_files(&mut house).await;
    let path = house.file(&first).await;
    house.shred(&[record.id], &[]).await.unwrap();
    assert!(!path.exists());
    assert!(house.file(&second).await.exists());
    let report = house.report().await;
    assert_eq!((report.faults.len(), report.blobs), (0, 1), "{report:?}");
}

const FILE: &str = "MARKER-in-the-file-3c9e";

/// A record that names a file full of markers, and two more files of the same month.
async fn marked_files(house: &mut House) -> (Record, [String; 3]) {
    let mut names = Vec::new();
    for text in [FILE, "survivor", "another"] {
        let mut upload = house.store.upload().await.unwrap();
        upload.write(text.repeat(9_000).as_bytes()).await.unwrap();
        names.push(house.store.keep(upload, "a.txt", "tester").await.unwrap().sha256);
    }
    let mut noted = draft(PAYLOAD);
    noted.facts.insert("file".to_owned(), json!(names[0]));
    let mut write = house.store.write("tester", "why", "").await.unwrap();
    let record = write.record(noted).await.unwrap();
    let mut row = Row::new(Table::Asset, house.store.new_id().unwrap(), "plan", "plan");
    row.attributes.insert("file".to_owned(), json!(names[1]));
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    house.settle().await;
    (record, names.try_into().unwrap())
}

/// The whole of a file as its reader gives it; `None` where it does not open.
async fn content(store: &Store, sha256: &str) -> Option<String> {
    let blob = store.blob(sha256).await.unwrap()?;
    let store::Opening::Open(mut reader) = store.open_blob(&blob).await.unwrap() else {
        return None;
    };
    let mut out = Vec::new();
    loop {
        let bytes = reader.chunk().await.unwrap();
        if bytes.is_empty() {
            return Some(String::from_utf8(out).unwrap());
        }
        out.extend(bytes);
    }
}

#[tokio::test]
async fn an_older_copy_with_the_newest_epoch_opens_no_shredded_file() {
    let mut house = House::build().await;
    let (record, [shredded, kept, other]) = marked_files(&mut house).await;
    let backup = tempfile::tempdir().unwrap();
    house.store.db().copy_to(&backup.path().join("ume.db")).await.unwrap();
    for name in ["keys", "blobs"] {
        copy(&house.folder.path().join(name), &backup.path().join(name));
    }
    // With the epoch key of its day the copy opens: so it is the key that counts below.
    let old = open(backup.path()).await;
    assert!(content(&old, &shredded).await.unwrap().starts_with(FILE));
    old.db().close().await;
    let epochs = fs::read_to_string(house.keys().join("epoch")).unwrap();
    let lay = house.file(&shredded).await;
    house.shred(&[record.id], &[]).await.unwrap();

    // The house itself: no content, no name, no row that would confirm a guess of the content. What
    // remains is the hash in the facts of the record, to which the ledger commits.
    let folder = house.folder.path();
    assert_eq!(hits(folder, FILE.as_bytes()), Vec::<PathBuf>::new());
    assert!(!lay.exists());
    for table in ["blob", "blob_ref"] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE sha256 = $1");
        let count = house.store.db().fetch(&sql, &[shredded.as_str().into()]).await.unwrap();
        assert_eq!(count[0][0], store::Val::Int(0), "{table}");
    }
    assert!(content(&house.store, &kept).await.unwrap().starts_with("survivor"));
    assert_eq!(house.report().await.faults, []);
    for line in epochs.lines().filter(|l| l.starts_with("files-") || l.starts_with("none ")) {
        let key = line.rsplit(' ').next().unwrap();
        assert_eq!(hits(folder, key.as_bytes()), Vec::<PathBuf>::new(), "{line}");
    }

    // The older database, key files and sealed files, the only epoch file there still is.
    fs::copy(house.keys().join("epoch"), backup.path().join("keys/epoch")).unwrap();
    let old = open(backup.path()).await;
    assert_eq!(old.blob_state(&shredded).await.unwrap(), store::BlobState::Shut);
    assert_eq!(content(&old, &shredded).await, None);
    // The same bytes sent again lie under a key that opens.
    let mut upload = old.upload().await.unwrap();
    upload.write("another".repeat(9_000).as_bytes()).await.unwrap();
    assert_eq!(content(&old, &other).await, None);
    let again = old.keep(upload, "a.txt", "tester").await.unwrap();
    assert_eq!(again.sha256, other);
    assert!(content(&old, &other).await.unwrap().starts_with("another"));
    old.db().close().await;
    assert_eq!(hits(backup.path(), FILE.as_bytes()), Vec::<PathBuf>::new());
    // With the newest key files it opens everything but what was shredded.
    copy(&house.keys(), &backup.path().join("keys"));
    let old = open(backup.path()).await;
    assert_eq!(content(&old, &shredded).await, None);
    assert!(content(&old, &kept).await.unwrap().starts_with("survivor"));
}

#[tokio::test]
async fn a_crash_between_the_tables_and_the_key_of_a_file_is_finished_by_the_next_opening() {
    let mut house = House::build().await;
    let (record, [shredded, kept, _]) = marked_files(&mut house).await;
    let before = tempfile::tempdir().unwrap();
    copy(&house.keys(), &before.path().join("keys"));
    let lay = house.file(&shredded).await;
    let sealed = fs::read(&lay).unwrap();
    house.shred(&[record.id], &[]).await.unwrap();
    // The tables say shredded; key files and the sealed file stand as before.
    fs::remove_dir_all(house.keys()).unwrap();
    copy(&before.path().join("keys"), &house.keys());
    fs::write(&lay, sealed).unwrap();
    house.reopen().await;
    let text = fs::read_to_string(house.keys().join("epoch")).unwrap();
    let epochs: Vec<&str> = text.lines().filter(|l| l.starts_with("files-")).collect();
    assert_eq!(epochs.len(), 1, "{text}");
    assert!(epochs[0].contains(" 2 "), "{text}");
    assert!(content(&house.store, &kept).await.unwrap().starts_with("survivor"));
    assert_eq!(house.report().await.faults, []);
}
