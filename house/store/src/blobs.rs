//! Files: content-addressed blobs in the data folder, what is known of them in the database.
//!
//! Invariants: a blob is named by the SHA-256 of its bytes (`blobs/ab/abcdef…`) and never changes; its
//! file is on disk before its row, and its row before anything names it; what any row, old version or
//! record names is kept; what nothing names goes after a day. The media type is read from the bytes,
//! the name is cleaned. Whoever adds or removes files holds `blobs/lock`, so that a file is never
//! removed behind an upload of the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Id, Table, Timestamp};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::{
    Row, Store, StoreError, Val, Write,
    file_name::{HEAD_BYTES, clean_name, fits, sniff},
    parse_id,
    payload::blocking,
    random_hex,
    rows::{COLUMNS, decode, places, table_sql},
};

/// Largest file unless the configuration says otherwise.
pub const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// How long a file that nothing names is kept: whoever uploaded it may still be filling in a form.
const IDLE_HOURS: i64 = 24;
/// Bytes collected before they are written.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Files removed in one run of the sweep.
const SWEEP_MAX: usize = 1_000;
/// Hashes looked up at once.
const PAGE: usize = 500;

/// Which fields hold files: by table and kind, records as `record` and their type.
pub type FileFields = HashMap<(&'static str, String), Vec<String>>;

/// Where the files are, and how large one may be.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    bytes_max: u64,
}

impl Blobs {
    pub(crate) fn new(data: &Path) -> Blobs {
        Blobs { folder: data.join("blobs"), bytes_max: FILE_BYTES_MAX }
    }

    pub(crate) fn limited(self, bytes_max: u64) -> Blobs {
        Blobs { bytes_max, ..self }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(&sha256[..2]).join(sha256)
    }

    /// Held while a file is added or removed, by any process.
    fn lock(&self) -> Result<File, StoreError> {
        create(&self.folder)?;
        let path = self.folder.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io(&path))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|e| io(&path)(e.into()))?;
        Ok(file)
    }
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub sha256: String,
    pub bytes: u64,
    /// Read from the bytes.
    pub media_type: String,
    /// As its first sender called it, cleaned.
    pub name: String,
    pub uploaded_by: String,
    pub uploaded_at: Timestamp,
}

/// What stands on disk under the name of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    Good,
    Missing,
    Changed,
}

/// A file that is being received. Dropped before [`Store::keep`] it leaves nothing behind.
pub struct Upload {
    path: PathBuf,
    file: Option<File>,
    waiting: Vec<u8>,
    head: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    bytes_max: u64,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Upload {
    /// Takes the next bytes; one byte too many ends it.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(StoreError::LargeFile(self.bytes_max));
        }
        self.hash.update(bytes);
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK_BYTES { self.flush(false).await } else { Ok(()) }
    }

    /// Bytes received so far.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    async fn flush(&mut self, sync: bool) -> Result<(), StoreError> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let (waiting, path) = (std::mem::take(&mut self.waiting), self.path.clone());
        let file = blocking(move || {
            file.write_all(&waiting).map_err(io(&path))?;
            if sync {
                file.sync_all().map_err(io(&path))?;
            }
            Ok(file)
        })
        .await?;
        self.file = Some(file);
        Ok(())
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

fn create(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io(folder))
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(io(folder))
}

/// Whether the text is the name of a blob.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Every text in the object that may name a blob, at any depth.
fn hashes(object: &Map<String, Json>) -> BTreeSet<String> {
    fn walk(value: &Json, out: &mut BTreeSet<String>) {
        match value {
            Json::String(text) if is_sha256(text) => drop(out.insert(text.clone())),
            Json::Array(list) => list.iter().for_each(|v| walk(v, out)),
            Json::Object(object) => object.values().for_each(|v| walk(v, out)),
            _ => {}
        }
    }
    let mut out = BTreeSet::new();
    object.values().for_each(|v| walk(v, &mut out));
    out
}

fn decode_blob(v: &[Val]) -> Result<Blob, StoreError> {
    Ok(Blob {
        sha256: v[0].text()?.to_owned(),
        bytes: v[1].int()?.max(0) as u64,
        media_type: v[2].text()?.to_owned(),
        name: v[3].text()?.to_owned(),
        uploaded_by: v[4].text()?.to_owned(),
        uploaded_at: Timestamp(v[5].int()?),
    })
}

impl Store {
    /// Names the fields that hold files, so that the verifier can tell a file that must be there from
    /// any other hash.
    pub fn with_files(mut self, fields: FileFields) -> Store {
        self.files = Arc::new(fields);
        self
    }

    /// The same store with another limit for one file.
    pub fn with_file_max(mut self, bytes: u64) -> Store {
        self.blobs = self.blobs.map(|blobs| blobs.limited(bytes));
        self
    }

    fn blob_folder(&self) -> Result<&Blobs, StoreError> {
        self.blobs.as_ref().ok_or(StoreError::NoFiles)
    }

    /// Largest file taken.
    pub fn file_bytes_max(&self) -> u64 {
        self.blobs.as_ref().map_or(FILE_BYTES_MAX, |b| b.bytes_max)
    }

    /// Where the bytes of a blob lie, whether or not they are there.
    pub fn blob_path(&self, sha256: &str) -> Result<PathBuf, StoreError> {
        if !is_sha256(sha256) {
            return Err(StoreError::Column(format!("{sha256:?} is no SHA-256")));
        }
        Ok(self.blob_folder()?.path(sha256))
    }

    /// Begins to receive a file.
    pub async fn upload(&self) -> Result<Upload, StoreError> {
        let blobs = self.blob_folder()?.clone();
        let folder = blobs.folder.join("tmp");
        let path = folder.join(random_hex::<16>()?);
        let (file, path) = blocking(move || {
            create(&folder)?;
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(io(&path))?;
            Ok((file, path))
        })
        .await?;
        Ok(Upload {
            path,
            file: Some(file),
            waiting: Vec::new(),
            head: Vec::new(),
            hash: Sha256::new(),
            bytes: 0,
            bytes_max: blobs.bytes_max,
        })
    }

    /// Keeps what was received: file first, synced, then its row.
    pub async fn keep(
        &self,
        mut upload: Upload,
        name: &str,
        actor: &str,
    ) -> Result<Blob, StoreError> {
        let (name, media_type) = (clean_name(name), sniff(&upload.head));
        if !fits(&name, media_type, upload.bytes) {
            return Err(StoreError::FileType { name, found: media_type });
        }
        upload.flush(true).await?;
        let sha256 = hex::encode(std::mem::take(&mut upload.hash).finalize());
        let (blobs, bytes) = (self.blob_folder()?.clone(), upload.bytes);
        let (to, from) = (blobs.path(&sha256), upload.path.clone());
        let lock = blocking(move || {
            let lock = blobs.lock()?;
            place(&from, &to)?;
            Ok(lock)
        })
        .await?;
        let mut tx = self.db().begin().await?;
        // Who sends the same bytes again gets another day to name them.
        let sql = "INSERT INTO blob (sha256, bytes, media_type, name, uploaded_by, uploaded_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (sha256) DO UPDATE SET uploaded_at = excluded.uploaded_at";
        let args = [
            sha256.as_str().into(),
            (bytes as i64).into(),
            media_type.into(),
            name.as_str().into(),
            actor.into(),
            self.now().0.into(),
        ];
        tx.execute(sql, &args).await?;
        tx.commit().await?;
        drop(lock);
        self.blob(&sha256).await?.ok_or(StoreError::NoFiles)
    }

    /// What is known of one blob.
    pub async fn blob(&self, sha256: &str) -> Result<Option<Blob>, StoreError> {
        Ok(self.blobs(&[sha256]).await?.remove(sha256))
    }

    /// What is known of these, by name; unknown ones are left out.
    pub async fn blobs(&self, names: &[&str]) -> Result<BTreeMap<String, Blob>, StoreError> {
        let mut out = BTreeMap::new();
        for part in names.chunks(PAGE) {
            let sql = format!(
                "SELECT sha256, bytes, media_type, name, uploaded_by, uploaded_at FROM blob \
                 WHERE sha256 IN ({})",
                places(part.len())
            );
            let args: Vec<Val> = part.iter().map(|n| (*n).into()).collect();
            for row in self.db().fetch(&sql, &args).await? {
                let blob = decode_blob(&row)?;
                out.insert(blob.sha256.clone(), blob);
            }
        }
        Ok(out)
    }

    /// Every blob, in pages by name: for backup and verifier.
    pub async fn all_blobs(&self, after: &str) -> Result<Vec<Blob>, StoreError> {
        let sql = format!(
            "SELECT sha256, bytes, media_type, name, uploaded_by, uploaded_at FROM blob \
             WHERE sha256 > $1 ORDER BY sha256 LIMIT {PAGE}"
        );
        self.db().fetch(&sql, &[after.into()]).await?.iter().map(|r| decode_blob(r)).collect()
    }

    /// What names a blob: table (`record` among them) and id; at most `limit`.
    pub async fn blob_users(
        &self,
        sha256: &str,
        limit: usize,
    ) -> Result<Vec<(Table, Id)>, StoreError> {
        let sql = format!(
            "SELECT subject_table, row_id FROM blob_ref WHERE sha256 = $1 \
             ORDER BY subject_table, row_id LIMIT {limit}"
        );
        let rows = self.db().fetch(&sql, &[sha256.into()]).await?;
        rows.iter()
            .map(|r| {
                let table = Table::parse(r[0].text()?)
                    .ok_or_else(|| StoreError::Column("subject_table of blob_ref".into()))?;
                Ok((table, parse_id(r[1].text()?)?))
            })
            .collect()
    }

    /// Field and name of every file that an object of this kind names.
    pub fn files_of<'o>(
        &self,
        table: Table,
        kind: &str,
        object: &'o Map<String, Json>,
    ) -> Vec<(String, &'o str)> {
        let Some(fields) = self.files.get(&(table.name(), kind.to_owned())) else {
            return Vec::new();
        };
        let value = |f: &String| Some((f.clone(), object.get(f)?.as_str()?));
        fields.iter().filter_map(value).filter(|(_, text)| !text.is_empty()).collect()
    }

    /// Whether this store knows where files are.
    pub fn has_files(&self) -> bool {
        self.blobs.is_some()
    }

    /// Reads a blob back and holds it against its name.
    pub async fn blob_state(&self, sha256: &str) -> Result<BlobState, StoreError> {
        let path = self.blob_path(sha256)?;
        let wanted = sha256.to_owned();
        blocking(move || {
            let mut file = match File::open(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BlobState::Missing),
                other => other.map_err(io(&path))?,
            };
            let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
            loop {
                match file.read(&mut buffer).map_err(io(&path))? {
                    0 => break,
                    n => hash.update(&buffer[..n]),
                }
            }
            let same = hex::encode(hash.finalize()) == wanted;
            Ok(if same { BlobState::Good } else { BlobState::Changed })
        })
        .await
    }

    /// Removes what nothing has named for a day, and what crashes left; returns how many files.
    pub async fn sweep_blobs(&self) -> Result<u64, StoreError> {
        let Some(blobs) = self.blobs.clone() else { return Ok(0) };
        let before = self.now().plus_hours(-IDLE_HOURS);
        let sql = format!(
            "SELECT sha256 FROM blob WHERE uploaded_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM blob_ref WHERE blob_ref.sha256 = blob.sha256) \
             ORDER BY sha256 LIMIT {SWEEP_MAX}"
        );
        let mut removed = 0;
        for row in self.db().fetch(&sql, &[before.0.into()]).await? {
            removed += u64::from(self.drop_blob(row[0].text()?, before).await?);
        }
        let old = blocking(move || stale_files(&blobs.folder, before)).await?;
        for path in old {
            removed += u64::from(self.drop_stray(&path).await?);
        }
        Ok(removed)
    }

    /// Removes a blob that nothing names and that was sent before then.
    pub(crate) async fn drop_blob(
        &self,
        sha256: &str,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let blobs = self.blob_folder()?.clone();
        let path = blobs.path(sha256);
        let lock = blocking(move || blobs.lock()).await?;
        let mut tx = self.db().begin().await?;
        if !self.db().is_sqlite() {
            // Whoever is about to name it holds the row; after the wait a new statement sees that.
            let sql = "SELECT sha256 FROM blob WHERE sha256 = $1 FOR UPDATE";
            tx.fetch(sql, &[sha256.into()]).await?;
        }
        let sql = "DELETE FROM blob WHERE sha256 = $1 AND uploaded_at < $2 AND NOT EXISTS \
                   (SELECT 1 FROM blob_ref WHERE blob_ref.sha256 = blob.sha256)";
        let gone = tx.execute(sql, &[sha256.into(), before.0.into()]).await? == 1;
        tx.commit().await?;
        if gone {
            blocking(move || remove(&path)).await?;
        }
        drop(lock);
        Ok(gone)
    }

    /// Removes a file that no row speaks of: half an upload, or one whose row never came.
    async fn drop_stray(&self, path: &Path) -> Result<bool, StoreError> {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let blobs = self.blob_folder()?.clone();
        let lock = blocking(move || blobs.lock()).await?;
        let known = is_sha256(name) && self.blob(name).await?.is_some();
        if !known {
            let path = path.to_owned();
            blocking(move || remove(&path)).await?;
        }
        drop(lock);
        Ok(!known)
    }
}

/// Puts a received file in its place, unless the same bytes stand there already.
fn place(from: &Path, to: &Path) -> Result<(), StoreError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let length = fs::metadata(from).map_err(io(from))?.len();
    // A damaged file of another length is replaced; the verifier finds any other damage.
    if fs::metadata(to).is_ok_and(|there| there.is_file() && there.len() == length) {
        return Ok(());
    }
    create(folder)?;
    fs::rename(from, to).map_err(io(to))?;
    sync_folder(folder)?;
    sync_folder(folder.parent().unwrap_or(Path::new(".")))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io(path)(e)),
        _ => Ok(()),
    }
}

/// Files not touched since then, at most [`SWEEP_MAX`] from a few folders: those of half uploads, and
/// blobs, which the caller holds against the database.
fn stale_files(folder: &Path, before: Timestamp) -> Result<Vec<PathBuf>, StoreError> {
    let mut out = Vec::new();
    let Ok(folders) = fs::read_dir(folder) else { return Ok(out) };
    for inner in folders.filter_map(Result::ok).filter(|e| e.path().is_dir()) {
        for entry in fs::read_dir(inner.path()).map_err(io(&inner.path()))? {
            let entry = entry.map_err(io(&inner.path()))?;
            let modified = entry.metadata().and_then(|m| m.modified());
            let age = modified.ok().and_then(|m| m.duration_since(std::time::UNIX_EPOCH).ok());
            if age.is_some_and(|a| (a.as_micros() as i64) < before.0) {
                out.push(entry.path());
            }
        }
    }
    Ok(out)
}

impl Write<'_> {
    /// Notes which blobs an object names, so that they are kept.
    pub(crate) async fn refer(
        &mut self,
        table: Table,
        id: Id,
        object: &Map<String, Json>,
    ) -> Result<(), StoreError> {
        let names: Vec<Val> = hashes(object).into_iter().map(Val::from).collect();
        for part in names.chunks(PAGE) {
            if !self.store().db().is_sqlite() {
                let sql = format!(
                    "SELECT sha256 FROM blob WHERE sha256 IN ({}) ORDER BY sha256 FOR SHARE",
                    places(part.len())
                );
                self.tx.fetch(&sql, part).await?;
            }
            let id = id.to_string();
            let sql = format!(
                "INSERT INTO blob_ref (sha256, subject_table, row_id) \
                 SELECT sha256, '{}', '{id}' FROM blob WHERE sha256 IN ({}) \
                 ON CONFLICT (sha256, subject_table, row_id) DO NOTHING",
                table.name(),
                places(part.len())
            );
            self.tx.execute(&sql, part).await?;
        }
        Ok(())
    }

    /// Notes anew what all versions of a row, or a record whose payload is gone, name; what they no
    /// longer do is looked at once the change stands.
    pub(crate) async fn refer_anew(&mut self, table: Table, id: Id) -> Result<(), StoreError> {
        let args: [Val; 2] = [table.name().into(), id.to_string().into()];
        let sql = "SELECT sha256 FROM blob_ref WHERE subject_table = $1 AND row_id = $2";
        for row in self.tx.fetch(sql, &args).await? {
            self.loosened.push(row[0].text()?.to_owned());
        }
        let sql = "DELETE FROM blob_ref WHERE subject_table = $1 AND row_id = $2";
        self.tx.execute(sql, &args).await?;
        if table == Table::Record {
            return Ok(());
        }
        for version in self.all_versions(table, id).await? {
            self.refer(table, id, &version.attributes).await?;
        }
        Ok(())
    }

    async fn all_versions(&mut self, table: Table, id: Id) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE id = $1 UNION ALL \
             SELECT {COLUMNS} FROM {}_history WHERE id = $1",
            table_sql(table),
            table.name(),
        );
        let rows = self.tx.fetch(&sql, &[id.to_string().into()]).await?;
        rows.iter().map(|r| decode(table, r)).collect()
    }
}
