//! Files: sealed bytes in the data folder, what is known of them in the database.
//!
//! Invariants: a file is known by the SHA-256 of its content and never changes. On disk it is sealed
//! ([`crate::sealed`]) under a name of its own that tells nothing (`blobs/ef/01…ef`); key and hash of
//! the content stand in a slot of the key files. The sealed file and its key are durable before its
//! row, and its row is before anything names it; what any row, old version or record names is kept;
//! what nothing names goes after a day. The media type is read from the bytes, the name is cleaned.
//! Whoever adds or removes files holds `blobs/lock`, so that a file is never removed behind an upload
//! of the same bytes; the lock comes before the transaction.
//!
//! A shredding destroys the keys of the files that go with it. What is not shredded but swept loses
//! its key in place: older backups keep theirs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Id, Table, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{
    Row, Store, StoreError, Val, Write, parse_id,
    payload::blocking,
    rows::{COLUMNS, decode, places, table_sql},
};

/// Largest file unless the configuration says otherwise.
pub const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// How long a file that nothing names is kept: whoever uploaded it may still be filling in a form.
const IDLE_HOURS: i64 = 24;
/// Files removed in one run of the sweep.
const SWEEP_MAX: usize = 1_000;
/// Hashes looked up at once.
const PAGE: usize = 500;

/// Which fields hold files: by table and kind, records as `record` and their type.
pub type FileFields = HashMap<(&'static str, String), Vec<String>>;

/// Where the files are, and how large one may be.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    pub(crate) folder: PathBuf,
    pub(crate) bytes_max: u64,
}

/// Name of a file that is not whole yet, or not known yet: `blobs/ef/01…ef.part`.
pub(crate) const PART: &str = "part";

impl Blobs {
    pub(crate) fn new(data: &Path) -> Blobs {
        Blobs { folder: data.join("blobs"), bytes_max: FILE_BYTES_MAX }
    }

    pub(crate) fn limited(self, bytes_max: u64) -> Blobs {
        Blobs { bytes_max, ..self }
    }

    /// Where a sealed file lies.
    pub(crate) fn path(&self, file: Id) -> PathBuf {
        self.folder.join(place(file))
    }

    /// Held while a file is added or removed, by any process.
    pub(crate) fn lock(&self) -> Result<File, StoreError> {
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

/// Which file holds the bytes, and which slot its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) file: Id,
    pub(crate) cohort: String,
    pub(crate) slot: u64,
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
    /// `None` where an older Ume left it in the clear and it was not sealed yet.
    pub(crate) sealed: Option<Sealed>,
}

impl Blob {
    /// Where its bytes lie, below the folder of files.
    pub fn place(&self) -> String {
        match &self.sealed {
            Some(sealed) => place(sealed.file),
            None => clear_place(&self.sha256),
        }
    }
}

/// What stands on disk of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    Good,
    Missing,
    Changed,
    /// No key opens it.
    Shut,
}

/// The name of a sealed file: nothing of its content is in it.
pub(crate) fn file_name(file: Id) -> String {
    file.to_string().replace('-', "")
}

/// The last digits are random, the first are the time.
fn place(file: Id) -> String {
    let name = file_name(file);
    format!("{}/{name}", &name[name.len() - 2..])
}

/// Where an older Ume put it.
pub(crate) fn clear_place(sha256: &str) -> String {
    format!("{}/{sha256}", sha256.get(..2).unwrap_or(""))
}

/// Whether the text is the name of a sealed file.
pub fn is_file_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

/// Makes a folder whose name survives.
pub(crate) fn create(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    disk::create_dir(folder).map_err(io(folder))?;
    for path in folder.ancestors().skip(1).take(2) {
        let path = if path == Path::new("") { Path::new(".") } else { path };
        disk::sync_folder(path).map_err(io(path))?;
    }
    Ok(())
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

const BLOB_COLUMNS: &str =
    "sha256, bytes, media_type, name, uploaded_by, uploaded_at, file, cohort, slot";

fn decode_blob(v: &[Val]) -> Result<Blob, StoreError> {
    let sealed = match (v[6].opt_text()?, v[7].opt_text()?, v[8].opt_int()?) {
        (Some(file), Some(cohort), Some(slot)) => Some(Sealed {
            file: parse_id(file)?,
            cohort: cohort.to_owned(),
            slot: u64::try_from(slot).unwrap_or(u64::MAX),
        }),
        _ => None,
    };
    Ok(Blob {
        sha256: v[0].text()?.to_owned(),
        bytes: v[1].int()?.max(0) as u64,
        media_type: v[2].text()?.to_owned(),
        name: v[3].text()?.to_owned(),
        uploaded_by: v[4].text()?.to_owned(),
        uploaded_at: Timestamp(v[5].int()?),
        sealed,
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

    pub(crate) fn blob_folder(&self) -> Result<&Blobs, StoreError> {
        self.blobs.as_ref().ok_or(StoreError::NoFiles)
    }

    /// Largest file taken.
    pub fn file_bytes_max(&self) -> u64 {
        self.blobs.as_ref().map_or(FILE_BYTES_MAX, |b| b.bytes_max)
    }

    /// What is known of one blob.
    pub async fn blob(&self, sha256: &str) -> Result<Option<Blob>, StoreError> {
        Ok(self.blobs(&[sha256]).await?.remove(sha256))
    }

    /// What is known of these, by name; unknown ones are left out.
    pub async fn blobs(&self, names: &[&str]) -> Result<BTreeMap<String, Blob>, StoreError> {
        let mut out = BTreeMap::new();
        for part in names.chunks(PAGE) {
            let sql =
                format!("SELECT {BLOB_COLUMNS} FROM blob WHERE sha256 IN ({})", places(part.len()));
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
            "SELECT {BLOB_COLUMNS} FROM blob WHERE sha256 > $1 ORDER BY sha256 LIMIT {PAGE}"
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
        let lock = self.hold_blobs().await?;
        let mut tx = self.db().begin().await?;
        // Whoever is about to name it holds the row; after the wait a new statement sees that.
        let wait = if self.db().is_sqlite() { "" } else { " FOR UPDATE" };
        let sql = format!("SELECT {BLOB_COLUMNS} FROM blob WHERE sha256 = $1{wait}");
        let found = tx.fetch(&sql, &[sha256.into()]).await?;
        let Some(blob) = found.first().map(|row| decode_blob(row)).transpose()? else {
            return Ok(false);
        };
        let sql = "DELETE FROM blob WHERE sha256 = $1 AND uploaded_at < $2 AND NOT EXISTS \
                   (SELECT 1 FROM blob_ref WHERE blob_ref.sha256 = blob.sha256)";
        let gone = tx.execute(sql, &[sha256.into(), before.0.into()]).await? == 1;
        tx.commit().await?;
        if gone {
            self.discard(vec![blob], true).await?;
        }
        drop(lock);
        Ok(gone)
    }

    /// Holds the files against other writers until dropped.
    pub(crate) async fn hold_blobs(&self) -> Result<File, StoreError> {
        let blobs = self.blob_folder()?.clone();
        blocking(move || blobs.lock()).await
    }

    /// Removes files of which no row speaks any more; their keys too, unless a shredding sees to them.
    pub(crate) async fn discard(&self, gone: Vec<Blob>, keys: bool) -> Result<(), StoreError> {
        let folder = self.blob_folder()?.folder.clone();
        let files = self.keys()?.clone();
        blocking(move || {
            for blob in gone {
                let path = folder.join(blob.place());
                match &blob.sealed {
                    None => wipe(&path)?,
                    Some(sealed) => {
                        remove(&path)?;
                        if keys {
                            files.forget(&sealed.cohort, sealed.slot, sealed.file)?;
                        }
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes a file that no row speaks of: half an upload, or one whose row never came.
    async fn drop_stray(&self, path: &Path) -> Result<bool, StoreError> {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let lock = self.hold_blobs().await?;
        let sql = "SELECT 1 FROM blob WHERE file = $1 OR (sha256 = $1 AND file IS NULL)";
        // As the table names it.
        let id = parse_id(name).map_or_else(|_| name.to_owned(), |id| id.to_string());
        let known = !self.db().fetch(sql, &[id.into()]).await?.is_empty();
        if !known {
            let path = path.to_owned();
            blocking(move || if is_sha256(&name_of(&path)) { wipe(&path) } else { remove(&path) })
                .await?;
        }
        drop(lock);
        Ok(!known)
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match disk::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io(path)(e)),
        _ => Ok(()),
    }
}

/// Bytes that are overwritten at once.
const WIPE_BYTES: usize = 1024 * 1024;

/// Overwrites a file that lies in the clear, and removes it.
pub(crate) fn wipe(path: &Path) -> Result<(), StoreError> {
    let file = match OpenOptions::new().write(true).open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.map_err(io(path))?,
    };
    let found = file.metadata().map_err(io(path))?;
    let (mut at, zeros) = (0, vec![0; WIPE_BYTES]);
    while at < found.size() {
        let n = (found.size() - at).min(WIPE_BYTES as u64);
        std::os::unix::fs::FileExt::write_all_at(&file, &zeros[..n as usize], at)
            .map_err(io(path))?;
        at += n;
    }
    file.sync_all().map_err(io(path))?;
    remove(path)
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
    /// longer do is [`Write::take_loosened`]'s.
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

    /// Takes out the rows of files that nothing names any more since [`Write::refer_anew`]; the caller
    /// holds the files, and removes them behind the commit.
    pub(crate) async fn take_loosened(&mut self) -> Result<Vec<Blob>, StoreError> {
        let names: BTreeSet<String> = std::mem::take(&mut self.loosened).into_iter().collect();
        let wait = if self.store().db().is_sqlite() { "" } else { " FOR UPDATE" };
        let mut gone = Vec::new();
        for name in names {
            // Whoever is about to name it holds the row; after the wait a new statement sees that.
            let sql = format!("SELECT {BLOB_COLUMNS} FROM blob WHERE sha256 = $1{wait}");
            let found = self.tx.fetch(&sql, &[name.as_str().into()]).await?;
            let sql = "DELETE FROM blob WHERE sha256 = $1 AND NOT EXISTS \
                       (SELECT 1 FROM blob_ref WHERE blob_ref.sha256 = blob.sha256)";
            if self.tx.execute(sql, &[name.as_str().into()]).await? == 1 {
                gone.extend(found.first().map(|row| decode_blob(row)).transpose()?);
            }
        }
        Ok(gone)
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
