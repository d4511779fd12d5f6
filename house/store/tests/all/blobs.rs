//! Files: what is kept, what goes, what is left of a broken upload, and that none of it ever lies in the
//! clear; on both databases.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use model::{Assurance, Table, Timestamp};
use serde_json::json;
use store::{Blob, BlobState, Opening, RecordDraft, Row, Shredding, Store, StoreError};

const START: i64 = 1_795_600_000_000_000;
const HOUR: i64 = 3_600_000_000;

struct Fixture {
    store: Store,
    time: Arc<AtomicI64>,
    folder: tempfile::TempDir,
    database: Option<(String, String)>,
}

async fn on_server(url: &str, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

impl Fixture {
    /// SQLite, and PostgreSQL where a server is named.
    async fn all() -> Vec<Fixture> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut all = vec![Fixture::over(None).await];
        match std::env::var("UME_TEST_POSTGRES") {
            Err(_) => println!("skipped: no PostgreSQL"),
            Ok(server) => {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("ume_blobs_{}_{number}", std::process::id());
                on_server(&server, &format!("CREATE DATABASE {name}")).await;
                let (base, query) = server.split_once('?').unwrap_or((&server, ""));
                let (host, _) = base.rsplit_once('/').unwrap();
                let url = format!("{host}/{name}?{query}");
                all.push(Fixture::over(Some((url, name))).await);
            }
        }
        all
    }

    async fn over(database: Option<(String, String)>) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(START));
        let store = opened(folder.path(), &time, &database).await;
        Fixture { store, time, folder, database }
    }

    /// As after a restart.
    async fn reopen(&mut self) {
        self.store.db().close().await;
        self.store = opened(self.folder.path(), &self.time, &self.database).await;
    }

    async fn sql(&self, sql: &str) {
        let mut tx = self.store.db().begin().await.unwrap();
        tx.execute(sql, &[]).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn path(&self, blob: &Blob) -> PathBuf {
        self.store.blob_path(blob).unwrap()
    }

    async fn state(&self, blob: &Blob) -> BlobState {
        self.store.blob_state(&blob.sha256).await.unwrap()
    }

    /// All of a file, as a download gives it.
    async fn read(&self, sha256: &str) -> Vec<u8> {
        let blob = self.store.blob(sha256).await.unwrap().unwrap();
        let Opening::Open(mut reader) = self.store.open_blob(&blob).await.unwrap() else {
            panic!("does not open")
        };
        let mut out = Vec::new();
        loop {
            let bytes = reader.chunk().await.unwrap();
            if bytes.is_empty() {
                return out;
            }
            out.extend(bytes);
        }
    }

    /// Where an older Ume kept the file.
    fn clear_path(&self, sha256: &str) -> PathBuf {
        self.folder.path().join("blobs").join(&sha256[..2]).join(sha256)
    }

    /// Puts a file back as an older Ume left it: plain, and a row that names no key.
    async fn as_before(&self, blob: &Blob, bytes: &[u8]) {
        let path = self.clear_path(&blob.sha256);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        let of = format!("WHERE sha256 = '{}'", blob.sha256);
        self.sql(&format!("UPDATE blob SET file = NULL, cohort = NULL, slot = NULL {of}")).await;
    }

    /// Files anywhere below the folder that hold these bytes.
    fn hits(&self, marker: &[u8]) -> Vec<PathBuf> {
        let mut out = Vec::new();
        walk(self.folder.path(), &mut out);
        // The search in a text is much faster than one by windows.
        let marker = std::str::from_utf8(marker).unwrap();
        out.retain(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(marker));
        out
    }

    async fn end(self) {
        self.store.db().close().await;
        if let (Some((_, name)), Ok(server)) = (self.database, std::env::var("UME_TEST_POSTGRES")) {
            on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    async fn send(&self, bytes: &[u8], name: &str) -> Result<store::Blob, StoreError> {
        let mut upload = self.store.upload().await?;
        for part in bytes.chunks(100_000) {
            upload.write(part).await?;
        }
        self.store.keep(upload, name, "account:tester").await
    }

    async fn row(&self, kind: &str, sha256: &str) -> Row {
        let id = self.store.new_id().unwrap();
        let mut row = Row::new(Table::Asset, id, kind, "row");
        row.attributes.insert("file".to_owned(), json!(sha256));
        self.save(row).await
    }

    async fn save(&self, row: Row) -> Row {
        let mut write = self.store.write("tester", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    fn pass_hours(&self, hours: i64) {
        self.time.fetch_add(hours * HOUR, Ordering::Relaxed);
    }

    /// Every file below `blobs` except the lock.
    fn files(&self) -> Vec<PathBuf> {
        let mut out = Vec::new();
        walk(&self.folder.path().join("blobs"), &mut out);
        out.retain(|path| path.file_name().unwrap() != "lock");
        out
    }
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, out) } else { out.push(path) }
    }
}

async fn opened(
    folder: &Path,
    time: &Arc<AtomicI64>,
    database: &Option<(String, String)>,
) -> Store {
    let shared = time.clone();
    let clock: store::Clock =
        Arc::new(move || Timestamp(shared.fetch_add(1_000, Ordering::Relaxed)));
    let store = match database {
        None => Store::open(folder, clock).await.unwrap(),
        Some((url, _)) => {
            Store::connect(url, clock).await.unwrap().with_keys(folder).await.unwrap()
        }
    };
    let personal = [(Table::Asset, "secret".to_owned(), vec!["/attributes/file".to_owned()])];
    store.with_personal(personal)
}

/// Gives a file the age it would have by the clock of the test.
fn age(path: &Path, at: i64) {
    let file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_micros(at as u64)).unwrap();
}

#[tokio::test]
async fn a_file_is_kept_under_its_hash_with_a_clean_name_and_its_true_type() {
    for f in Fixture::all().await {
        let bytes: Vec<u8> =
            b"%PDF-1.7 ".iter().copied().chain((0..3_000_000).map(|i| i as u8)).collect();
        let blob = f.send(&bytes, "../../図面\u{202e}.pdf").await.unwrap();
        assert_eq!(blob.bytes, bytes.len() as u64);
        assert_eq!((blob.name.as_str(), blob.media_type.as_str()), ("図面.pdf", "application/pdf"));
        let path = f.path(&blob);
        assert_eq!(f.files(), std::slice::from_ref(&path));
        assert!(!path.to_string_lossy().contains(&blob.sha256[..8]), "the name tells nothing");
        assert_eq!(f.hits(&bytes[..20]), Vec::<PathBuf>::new());
        assert_eq!(f.read(&blob.sha256).await, bytes);
        assert_eq!(f.store.blob_state(&blob.sha256).await.unwrap(), BlobState::Good);
        // The same bytes under another name are the same file.
        let again = f.send(&bytes, "other.pdf").await.unwrap();
        assert_eq!((again.sha256, again.name), (blob.sha256, "図面.pdf".to_owned()));
        assert_eq!(f.files().len(), 1);
        f.end().await;
    }
}

#[tokio::test]
async fn over_the_limit_or_of_another_type_nothing_is_left_on_disk() {
    for mut f in Fixture::all().await {
        f.store = f.store.clone().with_file_max(300_000);
        assert!(f.send(&vec![1; 300_000], "a.bin").await.is_ok());
        let before = f.files();
        let refused = f.send(&vec![2; 300_001], "b.bin").await;
        assert!(matches!(refused, Err(StoreError::LargeFile(300_000))));
        let refused = f.send(b"MZ\x90\0\x03\0\0\0", "report.pdf").await;
        assert!(matches!(refused, Err(StoreError::FileType { .. })));
        assert_eq!(f.files(), before);
        f.end().await;
    }
}

#[tokio::test]
async fn what_nothing_names_goes_after_a_day_and_what_old_versions_name_stays() {
    for f in Fixture::all().await {
        let [idle, first, second] = [b"idle", b"frst", b"scnd"].map(|b| b.to_vec());
        let idle = f.send(&idle, "idle.txt").await.unwrap();
        let first = f.send(&first, "first.txt").await.unwrap();
        let second = f.send(&second, "second.txt").await.unwrap();
        let mut row = f.row("open", &first.sha256).await;
        row.attributes.insert("file".to_owned(), json!(second.sha256));
        f.save(row).await;
        f.pass_hours(23);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 0);
        f.pass_hours(2);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 1);
        assert_eq!(f.store.blob(&idle.sha256).await.unwrap(), None);
        assert_eq!(f.store.blob_state(&idle.sha256).await.unwrap(), BlobState::Missing);
        for kept in [&first, &second] {
            assert_eq!(f.store.blob_state(&kept.sha256).await.unwrap(), BlobState::Good);
        }
        f.end().await;
    }
}

#[tokio::test]
async fn a_kill_between_file_and_row_leaves_nothing_after_a_day_and_a_new_upload_works() {
    for f in Fixture::all().await {
        // Killed while receiving, and killed behind the rename.
        let half = f.store.upload().await.unwrap();
        std::mem::forget(half);
        let kept = f.send(b"placed", "placed.txt").await.unwrap();
        let mut tx = f.store.db().begin().await.unwrap();
        tx.execute("DELETE FROM blob", &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(f.files().len(), 2);
        for path in f.files() {
            age(&path, START);
        }
        f.pass_hours(2);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 0, "somebody may still be at it");
        f.pass_hours(24);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 2);
        assert_eq!(f.files(), Vec::<PathBuf>::new());
        let again = f.send(b"placed", "placed.txt").await.unwrap();
        assert_eq!(again.sha256, kept.sha256);
        assert_eq!(f.store.blob_state(&again.sha256).await.unwrap(), BlobState::Good);
        f.end().await;
    }
}

#[tokio::test]
async fn shredding_removes_a_file_only_when_nobody_else_names_it() {
    for f in Fixture::all().await {
        let file = f.send(b"personal", "person.txt").await.unwrap();
        let (one, two) = (f.row("secret", &file.sha256).await, f.row("secret", &file.sha256).await);
        let shred = async |row: &Row| {
            let what = Shredding {
                rows: vec![(Table::Asset, row.id)],
                decision: Some(row.id),
                ..Shredding::default()
            };
            f.store.shred(&what, "tester").await.unwrap();
            f.store.blob_state(&file.sha256).await.unwrap()
        };
        assert_eq!(shred(&one).await, BlobState::Good);
        assert_eq!(f.store.blob_users(&file.sha256, 9).await.unwrap(), [(Table::Asset, two.id)]);
        assert_eq!(shred(&two).await, BlobState::Missing);
        assert_eq!(f.store.blob(&file.sha256).await.unwrap(), None);
        assert_eq!(f.files(), Vec::<PathBuf>::new());
        f.end().await;
    }
}

#[tokio::test]
async fn nothing_of_a_file_lies_in_the_clear_while_it_comes_in() {
    for f in Fixture::all().await {
        let marker = b"MARKER-while-it-comes-in";
        let mut upload = f.store.upload().await.unwrap();
        for _ in 0..20 {
            upload.write(&marker.repeat(8_000)).await.unwrap();
            assert_eq!(f.hits(marker), Vec::<PathBuf>::new());
        }
        let [part] = f.files().try_into().unwrap();
        assert!(fs::metadata(part).unwrap().len() > 1 << 20, "it does come to the disk");
        let blob = f.store.keep(upload, "a.txt", "tester").await.unwrap();
        assert_eq!(f.hits(marker), Vec::<PathBuf>::new());
        assert_eq!(f.read(&blob.sha256).await, marker.repeat(160_000));
        f.end().await;
    }
}

#[tokio::test]
async fn a_damaged_file_is_known_as_such_and_the_same_bytes_again_mend_it() {
    for f in Fixture::all().await {
        let bytes = vec![5; 200_000];
        let blob = f.send(&bytes, "a.bin").await.unwrap();
        let other = f.send(&[6; 200_000], "b.bin").await.unwrap();
        let sealed = fs::read(f.path(&blob)).unwrap();
        for at in [0, 65_600, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            fs::write(f.path(&blob), &changed).unwrap();
            assert_eq!(f.state(&blob).await, BlobState::Changed, "{at}");
        }
        // Cut; another's bytes of the same length; a row that shows another file under this hash.
        fs::write(f.path(&blob), &sealed[..65_552]).unwrap();
        assert_eq!(f.state(&blob).await, BlobState::Changed);
        fs::copy(f.path(&other), f.path(&blob)).unwrap();
        assert_eq!(f.state(&blob).await, BlobState::Changed);
        fs::write(f.path(&blob), &sealed).unwrap();
        assert_eq!(f.state(&blob).await, BlobState::Good);
        f.sql("CREATE TABLE was AS SELECT sha256, file, slot FROM blob").await;
        f.sql("UPDATE blob SET file = NULL").await;
        f.sql(
            "UPDATE blob SET file = (SELECT file FROM was WHERE was.sha256 <> blob.sha256), \
             slot = (SELECT slot FROM was WHERE was.sha256 <> blob.sha256)",
        )
        .await;
        assert_eq!(f.state(&blob).await, BlobState::Changed);
        assert_eq!(f.state(&other).await, BlobState::Changed);
        fs::remove_file(f.path(&blob)).unwrap();
        let again = f.send(&bytes, "a.bin").await.unwrap();
        assert_eq!(again.sha256, blob.sha256);
        assert_eq!(f.read(&blob.sha256).await, bytes);
        f.end().await;
    }
}

#[tokio::test]
async fn what_is_swept_loses_its_key_too() {
    for f in Fixture::all().await {
        let (idle, kept) = (f.send(b"idle", "i.txt").await, f.send(b"kept", "k.txt").await);
        let (idle, kept) = (idle.unwrap(), kept.unwrap());
        f.row("open", &kept.sha256).await;
        let sealed = fs::read(f.path(&idle)).unwrap();
        let sql = format!("SELECT file, cohort, slot FROM blob WHERE sha256 = '{}'", idle.sha256);
        let was = f.store.db().fetch(&sql, &[]).await.unwrap().remove(0);
        f.pass_hours(25);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 1);
        // File and row put back: no key opens them any more.
        fs::write(f.path(&idle), sealed).unwrap();
        let mut tx = f.store.db().begin().await.unwrap();
        let sql = "INSERT INTO blob (sha256, bytes, media_type, name, uploaded_by, uploaded_at, \
                   file, cohort, slot) VALUES ($1, 4, 't', 'n', 'b', 0, $2, $3, $4)";
        let mut args = vec![idle.sha256.as_str().into()];
        args.extend(was);
        tx.execute(sql, &args).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(f.state(&idle).await, BlobState::Shut);
        assert_eq!(f.state(&kept).await, BlobState::Good);
        assert_eq!(f.store.key_faults().unwrap(), []);
        f.end().await;
    }
}

const OLD: &[u8] = b"MARKER-of-an-older-ume";

#[tokio::test]
async fn files_of_an_older_ume_are_sealed_at_the_next_start_wherever_a_crash_ended_the_last_one() {
    for mut f in Fixture::all().await {
        let blob = f.send(OLD, "old.txt").await.unwrap();
        f.row("open", &blob.sha256).await;
        let stray = f.folder.path().join("blobs/tmp/0123456789abcdef0123456789abcdef");
        for crash in ["none", "before the commit", "behind the commit", "in a part"] {
            let sealed = f.store.blob(&blob.sha256).await.unwrap().unwrap();
            let bytes = fs::read(f.path(&sealed)).unwrap();
            match crash {
                // The sealed file has its name and its key, but no row: as stray as any.
                "before the commit" | "none" => f.as_before(&blob, OLD).await,
                "behind the commit" => fs::write(f.clear_path(&blob.sha256), OLD).unwrap(),
                _ => {
                    f.as_before(&blob, OLD).await;
                    fs::write(f.path(&sealed).with_extension("part"), &bytes[..9]).unwrap();
                }
            }
            if crash == "none" {
                fs::remove_file(f.path(&sealed)).unwrap();
            }
            fs::create_dir_all(stray.parent().unwrap()).unwrap();
            fs::write(&stray, OLD).unwrap();
            assert_eq!(f.hits(OLD).len(), 2, "{crash}");
            // Until then it is read as it lies there.
            assert_eq!(f.read(&blob.sha256).await, OLD, "{crash}");
            f.reopen().await;
            assert_eq!(f.hits(OLD), Vec::<PathBuf>::new(), "{crash}");
            assert_eq!(f.state(&blob).await, BlobState::Good, "{crash}");
            assert_eq!(f.read(&blob.sha256).await, OLD, "{crash}");
            assert_eq!(f.store.key_faults().unwrap(), []);
        }
        for path in f.files() {
            age(&path, START);
        }
        f.pass_hours(25);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 3, "what the crashes left");
        assert_eq!(f.files().len(), 1);
        f.end().await;
    }
}

#[tokio::test]
async fn a_file_that_changed_while_it_lay_in_the_clear_is_sealed_as_changed() {
    for mut f in Fixture::all().await {
        let blob = f.send(b"as it was sent", "old.txt").await.unwrap();
        let lost = f.send(b"lost before", "lost.txt").await.unwrap();
        f.as_before(&blob, OLD).await;
        f.as_before(&lost, b"").await;
        fs::remove_file(f.clear_path(&lost.sha256)).unwrap();
        f.reopen().await;
        assert_eq!(f.state(&blob).await, BlobState::Changed);
        assert_eq!(f.state(&lost).await, BlobState::Missing);
        assert_eq!(f.hits(OLD), Vec::<PathBuf>::new());
        f.end().await;
    }
}

#[tokio::test]
async fn shredding_the_payload_of_a_record_takes_its_attachment_along() {
    for f in Fixture::all().await {
        let file = f.send(b"evidence", "evidence.txt").await.unwrap();
        let mut write = f.store.write("tester", "", "").await.unwrap();
        let record = write
            .record(RecordDraft {
                ty: "isms.attested".to_owned(),
                subject: None,
                observed_from: Timestamp(1),
                observed_to: Timestamp(2),
                source: "test".to_owned(),
                assurance: Assurance::Attested,
                facts: json!({"file": file.sha256}).as_object().unwrap().clone(),
                payload: Some(b"statement".to_vec()),
            })
            .await
            .unwrap();
        write.commit().await.unwrap();
        f.pass_hours(48);
        assert_eq!(f.store.sweep_blobs().await.unwrap(), 0);
        let what = Shredding {
            records: vec![record.id],
            decision: Some(record.id),
            ..Shredding::default()
        };
        f.store.shred(&what, "tester").await.unwrap();
        assert_eq!(f.store.blob_state(&file.sha256).await.unwrap(), BlobState::Missing);
        f.end().await;
    }
}
