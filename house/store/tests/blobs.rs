//! Files: what is kept, what goes, and what is left of a broken upload; on both databases.

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
use store::{BlobState, RecordDraft, Row, Shredding, Store, StoreError};

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
        let shared = time.clone();
        let clock: store::Clock =
            Arc::new(move || Timestamp(shared.fetch_add(1_000, Ordering::Relaxed)));
        let store = match &database {
            None => Store::open(folder.path(), clock).await.unwrap(),
            Some((url, _)) => {
                Store::connect(url, clock).await.unwrap().with_keys(folder.path()).await.unwrap()
            }
        };
        let personal = [(Table::Asset, "secret".to_owned(), vec!["/attributes/file".to_owned()])];
        Fixture { store: store.with_personal(personal), time, folder, database }
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
        fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, out) } else { out.push(path) }
            }
        }
        let mut out = Vec::new();
        walk(&self.folder.path().join("blobs"), &mut out);
        out.retain(|path| path.file_name().unwrap() != "lock");
        out
    }
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
        let path = f.store.blob_path(&blob.sha256).unwrap();
        assert_eq!(f.files(), std::slice::from_ref(&path));
        assert_eq!(fs::read(&path).unwrap(), bytes);
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
