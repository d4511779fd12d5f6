//! `ume backup` and `ume restore`: one encrypted file with tables, ledger, keys, files and archived
//! events.
//!
//! The file is a tar stream inside the age format (passphrase). Its last entry is a manifest with
//! length and SHA-256 of every other one. The checkpoint is read first, the tables next, the files
//! of the ledger after them, so the ledger of a backup is never behind its tables; positions, counters,
//! spool and archive of the stream come last. Keys are written before the payloads they open, so the
//! key files are copied behind the tables too. Of the files of registers and records those go in that
//! the copied tables speak of: a file is on disk before its row.
//!
//! `keys/epoch`, without which no key file opens, is not in it: after a shredding no older backup
//! may open what was shredded. It goes into `FILE.epoch` beside, encrypted alike, of which only the
//! newest is kept, elsewhere.
//!
//! Files of registers and records are sealed where they lie and go in as they are. With `--files DIR`
//! they stand in a folder beside the backups instead, each written once ([`shelf`]); `files.json`, the
//! first entry, then names those of this backup.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use age::secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod leftovers;
mod names;
pub(crate) mod shelf;

pub(crate) use names::allowed;
use names::{LEARNT, LEARNT_FILES};
use shelf::{Listed, Shelf};

use crate::{CliError, Format, data, place::Place, print, progress::Bar, shown};

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const TABLES: &str = "ume.db";
pub(crate) const KEYS: &str = "keys";
pub(crate) const BLOBS: &str = "blobs";
/// What a backup names of the folder beside it; its first entry, where there is one.
pub(crate) const FILES: &str = "files.json";
/// 2: files are sealed, and may stand in a folder beside it. 1 is read as before.
pub(crate) const FORMAT: u32 = 2;
const PASSPHRASE_CHARS_MIN: usize = 12;
/// scrypt with 2^18 rounds takes 256 MiB; more than 2^20 in a file is refused.
const WORK_FACTOR: u8 = 18;
pub(crate) const WORK_FACTOR_MAX: u8 = 20;
pub(crate) const FILES_MAX: usize = 1_000_000;
pub(crate) const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// Why a backup or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} exists already: name a new file, an older backup is never overwritten")]
    Exists(PathBuf),
    #[error("{0} has no ledger yet: start `ume serve` once")]
    NoLedger(PathBuf),
    #[error("another backup of {0} is running")]
    Running(PathBuf),
    #[error("{0}: the passphrase is its first line, {PASSPHRASE_CHARS_MIN} characters or more")]
    Passphrase(PathBuf),
    #[error("{0} keeps its {1} files in a folder beside it: name that folder with --files DIR")]
    NoShelf(PathBuf, usize),
    #[error("{0} is in use by another backup or `ume prune`: wait until it has ended")]
    ShelfBusy(PathBuf),
    #[error("more than {FILES_MAX} files")]
    Many,
    #[error("the backup {0} is complete, but its record was not written: {1}")]
    Unrecorded(PathBuf, String),
    #[error("{0} is not empty: restore into a new or empty folder")]
    NotEmpty(PathBuf),
    #[error("{0}: wrong passphrase, or its first 200 bytes are damaged. Nothing was restored")]
    WrongPassphrase(PathBuf),
    #[error("{0} is no epoch key that `ume backup` wrote. Nothing was restored")]
    NoEpoch(PathBuf),
    #[error(
        "{} is damaged at or before byte {byte}, cut off or no backup of Ume: {what}. Nothing was restored",
        path.display()
    )]
    Damaged { path: PathBuf, byte: u64, what: String },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    ume: String,
    pub(crate) made_at: String,
    pub(crate) files: BTreeMap<String, Sum>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> CliError + '_ {
    move |source| CliError::Io { path: path.to_owned(), source }
}

/// Removes a file or folder when dropped: what a failure must not leave behind.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    /// Leaves it: what was to be made is complete.
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ =
            if self.0.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
    }
}

pub(crate) fn passphrase(path: &Path) -> Result<SecretString, CliError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(BackupError::Passphrase(path.to_owned()).into());
    }
    Ok(SecretString::from(line.to_owned()))
}

pub(crate) fn create_new(path: &Path) -> Result<File, CliError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."))
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), CliError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(at(folder))
}

/// Writes a backup beside a running server.
pub async fn backup(
    place: &Place,
    to: &Path,
    files: Option<&Path>,
    secret: &Path,
    format: Format,
) -> Result<ExitCode, CliError> {
    data::existing_place(place)?;
    let folder = place.folder.as_path();
    let secret = passphrase(secret)?;
    let lock = only_one(folder)?;
    leftovers::remove(folder)?;
    for path in [to, &epoch_path(to)] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(BackupError::Exists(path.to_owned()).into());
        }
    }
    if !folder.join("ledger/checkpoint").exists() {
        return Err(BackupError::NoLedger(folder.to_owned()).into());
    }
    let shelf = files.map(Shelf::open).transpose()?;
    let bar = Bar::open("バックアップを書いています", "writing the backup");
    let scratch = Temporary(folder.join("backup.tmp"));
    // What a killed backup left.
    match fs::remove_dir_all(&scratch.0) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(at(&scratch.0)(e)),
        _ => data::create(&scratch.0)?,
    }
    let frozen = ledger::Frozen::read(&folder.join("ledger"))?;
    let Copied { settled, made_at, blobs } = copy_tables(place, &scratch.0).await?;
    let key_files = store::Keys::new(&folder.join("keys"));
    // Opening the copy of the tables made a folder of its own.
    let keys = scratch.0.join(KEYS);
    let _ = fs::remove_dir_all(&keys);
    let epoch = key_files.copy_to(&keys)?;
    let (folder_, to_, scratch_) = (folder.to_owned(), to.to_owned(), scratch.0.clone());
    let beside = epoch.as_ref().map(|_| epoch_path(to));
    let sealed = tokio::task::spawn_blocking(move || {
        let mut begun = leftovers::Begun::note(&folder_, &to_)?;
        let beside =
            epoch.map(|bytes| seal_epoch(&mut begun, secret.clone(), &bytes)).transpose()?;
        let mut from = Source {
            folder: &folder_,
            scratch: &scratch_,
            frozen: &frozen,
            settled,
            blobs,
            listed: None,
        };
        if let Some(shelf) = &shelf {
            from.listed = Some(shelf.take(&folder_.join(BLOBS), &mut from.blobs)?);
        }
        let made = seal(&from, &to_, secret, made_at)?;
        if let Some(beside) = beside {
            beside.keep();
        }
        begun.finished()?;
        Ok::<_, CliError>(made)
    });
    let made = sealed.await.map_err(|e| CliError::Worker(e.to_string()))??;
    drop((scratch, bar));
    let recorded = record(place, "isms.backup_made", made.facts()).await;
    drop(lock);
    print(&made.shown(to, beside.as_deref(), format));
    if let Err(error) = recorded {
        // The backup stands and is good; only its record is missing.
        return Err(BackupError::Unrecorded(to.to_owned(), error.to_string()).into());
    }
    Ok(ExitCode::SUCCESS)
}

fn only_one(folder: &Path) -> Result<File, CliError> {
    let path = folder.join("backup.lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| BackupError::Running(folder.to_owned()))?;
    Ok(lock)
}

/// What the copied tables say.
struct Copied {
    /// Number of leaves they name.
    settled: u64,
    made_at: String,
    /// Places of the files they speak of.
    blobs: Vec<String>,
}

/// Copies the tables into `scratch/ume.db`.
async fn copy_tables(place: &Place, scratch: &Path) -> Result<Copied, CliError> {
    let tables = scratch.join(TABLES);
    drop(create_new(&tables)?);
    let store = place.open_read_only().await?;
    if store.db().is_sqlite() {
        store.db().copy_to(&tables).await?;
    }
    // The copy gets the journal mode of the original, which a read-only opening cannot set. Its keys
    // lie with the original: nothing is sealed here under others.
    let address = format!("sqlite:{}", tables.display());
    let copy = store::Store::at(&address, true, store::system_clock()).await?;
    if !store.db().is_sqlite() {
        store::transfer(store.db(), copy.db()).await?;
    }
    store.db().close().await;
    let settled = ledger::settled_size(&copy).await;
    let blobs = blob_places(&copy).await;
    let made_at = copy.now().rfc3339();
    copy.db().close().await;
    Ok(Copied { settled: settled?, made_at, blobs: blobs? })
}

async fn blob_places(store: &store::Store) -> Result<Vec<String>, store::StoreError> {
    let (mut places, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.all_blobs(&after).await?;
        let Some(last) = page.last() else { return Ok(places) };
        after = last.sha256.clone();
        places.extend(page.iter().map(store::Blob::place));
    }
}

/// What goes into a backup.
struct Source<'a> {
    folder: &'a Path,
    scratch: &'a Path,
    frozen: &'a ledger::Frozen,
    settled: u64,
    /// Places of the files that go in.
    blobs: Vec<String>,
    /// The files that stand beside it instead.
    listed: Option<Listed>,
}

/// What a finished backup is.
struct Made {
    made_at: String,
    sha256: String,
    files: usize,
    bytes: u64,
    size: u64,
}

impl Made {
    fn facts(&self) -> serde_json::Value {
        serde_json::json!({
            "made_at": self.made_at, "sha256": self.sha256,
            "files": self.files, "bytes": self.bytes,
        })
    }

    fn shown(&self, to: &Path, beside: Option<&Path>, format: Format) -> String {
        let (count, bytes, size) = (self.files, self.bytes, self.size);
        let file = to.display();
        let mut said = crate::say(
            &format!("{count}個のファイル、{bytes}バイト: {file}（暗号化して{size}バイト）"),
            &format!("{count} files, {bytes} bytes: {file} ({size} bytes, encrypted)"),
        );
        if let Some(beside) = beside.map(Path::display) {
            said.push_str(&format!("\n{beside}: "));
            said.push_str(&crate::say(
                "ペイロードの鍵。最新のものだけを別の場所に保管してください",
                "the key of its payloads; keep it elsewhere, only the newest",
            ));
        }
        let mut members = self.facts();
        members["to"] = to.display().to_string().into();
        members["size"] = size.into();
        members["epoch"] = beside.map(|path| path.display().to_string()).into();
        shown::done(format, &said, &members)
    }
}

/// Where the epoch key of a backup goes: `FILE.epoch`.
fn epoch_path(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".epoch");
    PathBuf::from(name)
}

fn temporary_for(to: &Path) -> Temporary {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    Temporary(parent(to).join(format!(".{name}.{}.tmp", std::process::id())))
}

fn encryptor(secret: SecretString) -> io::Result<age::Encryptor> {
    let mut recipient = age::scrypt::Recipient::new(secret);
    recipient.set_work_factor(WORK_FACTOR);
    age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        .map_err(|e| io::Error::other(e.to_string()))
}

/// Writes the epoch key, encrypted, before the backup it belongs to; it goes again with what is
/// returned, unless the backup comes to its end.
fn seal_epoch(
    begun: &mut leftovers::Begun,
    secret: SecretString,
    epoch: &[u8],
) -> Result<Temporary, CliError> {
    let to = begun.epoch();
    let temporary = temporary_for(&to);
    let file = create_new(&temporary.0)?;
    let sealed = || -> io::Result<()> {
        let mut out = encryptor(secret)?.wrap_output(file)?;
        out.write_all(epoch)?;
        out.finish()?.sync_all()
    };
    sealed().map_err(at(&temporary.0))?;
    begun.note_epoch(sum_of(&temporary.0)?.sha256)?;
    fs::rename(&temporary.0, &to).map_err(at(&to))?;
    sync_folder(parent(&to))?;
    Ok(Temporary(to))
}

/// Writes everything under a temporary name beside the final one, syncs, renames.
fn seal(from: &Source, to: &Path, secret: SecretString, made_at: String) -> Result<Made, CliError> {
    let temporary = temporary_for(to);
    let file = create_new(&temporary.0)?;
    let wrong = |e: io::Error| at(&temporary.0)(e);
    let sealed = encryptor(secret)
        .and_then(|encryptor| encryptor.wrap_output(BufWriter::new(file)))
        .map_err(wrong)?;
    let mut out = Archive { tar: tar::Builder::new(sealed), files: BTreeMap::new() };
    if let Some(listed) = &from.listed {
        let json = listed.json();
        out.entry(FILES, json.len() as u64, json.as_slice()).map_err(wrong)?;
    }
    add_all(&mut out, from)?;
    add_blobs(&mut out, from)?;
    let files = std::mem::take(&mut out.files);
    let beside = from.listed.as_ref().map_or(&[][..], |listed| &listed.sums);
    let sums = || files.values().chain(beside.iter().map(|(_, sum)| sum));
    let (count, bytes) = (sums().count(), sums().map(|sum| sum.bytes).sum());
    if count > FILES_MAX {
        return Err(BackupError::Many.into());
    }
    let ume = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { format: FORMAT, ume, made_at: made_at.clone(), files };
    let json = serde_json::to_vec(&manifest).map_err(|e| wrong(io::Error::other(e)))?;
    out.entry(MANIFEST, json.len() as u64, json.as_slice()).map_err(wrong)?;
    let sealed = out.tar.into_inner().map_err(wrong)?;
    let file = sealed.finish().map_err(wrong)?.into_inner().map_err(|e| wrong(e.into_error()))?;
    file.sync_all().map_err(wrong)?;
    let sum = sum_of(&temporary.0)?;
    fs::rename(&temporary.0, to).map_err(at(to))?;
    sync_folder(parent(to))?;
    Ok(Made { made_at, sha256: sum.sha256, files: count, bytes, size: sum.bytes })
}

fn add_blobs<W: Write>(out: &mut Archive<W>, from: &Source) -> Result<(), CliError> {
    for place in &from.blobs {
        let name = format!("{BLOBS}/{place}");
        match out.file(&name, &from.folder.join(&name), None) {
            // Shredded meanwhile, or lost before: the verification of the restore names it.
            Err(CliError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn add_all<W: Write>(out: &mut Archive<W>, from: &Source) -> Result<(), CliError> {
    let Source { folder, scratch, frozen, settled, .. } = from;
    let ledger = folder.join("ledger");
    out.file(TABLES, &scratch.join(TABLES), None)?;
    for name in frozen.files() {
        out.file(&format!("ledger/{name}"), &ledger.join(&name), None)?;
    }
    let checkpoint = frozen.checkpoint.as_slice();
    let path = ledger.join("checkpoint");
    out.entry("ledger/checkpoint", checkpoint.len() as u64, checkpoint).map_err(at(&path))?;
    // What left this machine and what was given up; not there before the first `ume ledger publish`.
    for name in ["published", "sinks", "forks"] {
        let path = ledger.join(name);
        if path.try_exists().map_err(at(&path))? {
            out.file(&format!("ledger/{name}"), &path, None)?;
        }
    }
    // What others have said of this ledger; those who restore it must find it again.
    for (name, bytes) in ledger::outside_files(&ledger, frozen.size)? {
        let path = ledger.join(&name);
        let (name, length) = (format!("ledger/{name}"), bytes.len() as u64);
        out.entry(&name, length, bytes.as_slice()).map_err(at(&path))?;
    }
    let keys = scratch.join(KEYS);
    if keys.exists() {
        for path in plain_files(&keys)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            out.file(&format!("{KEYS}/{name}"), &path, None)?;
        }
    }
    let log_bytes = frozen.log_bytes(&ledger, *settled)?;
    out.file("ledger/log", &ledger.join("log"), Some(log_bytes))?;
    let (live, copied) = (folder.join("stream"), scratch.join("stream"));
    if !live.exists() {
        return Ok(());
    }
    // Before the spool: what was learnt must not know of more events than it holds.
    let learnt = copy_learnt(&live, &scratch.join("learnt"))?;
    let segments = stream::copy_live(&live, &copied)?;
    for path in plain_files(&copied)? {
        let below = path.strip_prefix(&copied).unwrap_or(&path).to_string_lossy().into_owned();
        out.file(&format!("stream/{below}"), &path, None)?;
    }
    for path in segments {
        let below = path.strip_prefix(&live).unwrap_or(&path).to_string_lossy().into_owned();
        match out.file(&format!("stream/{below}"), &path, None) {
            // Retention may remove a file meanwhile.
            Err(CliError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
    }
    for path in learnt {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        out.file(&format!("{LEARNT}{name}"), &path, None)?;
    }
    add_series(out, &live)
}

/// Copies what was learnt of logs, which is replaced as a whole every minute. It is in a backup for itself: the lines it
/// was made of are gone from the spool, and months of them would have to be read again.
fn copy_learnt(live: &Path, into: &Path) -> Result<Vec<PathBuf>, CliError> {
    fs::create_dir_all(into).map_err(at(into))?;
    let mut copied = Vec::new();
    for name in LEARNT_FILES {
        let (from, to) = (live.join("logs").join(name), into.join(name));
        match fs::copy(&from, &to) {
            Ok(_) => copied.push(to),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(CliError::Io { path: from, source }),
        }
    }
    Ok(copied)
}

/// What was measured over the years. Logs and names grow meanwhile and are taken as long as they are now, which a
/// restore mends as after a crash; closed days are listed behind them, so that one that is closed meanwhile is there.
fn add_series<W: Write>(out: &mut Archive<W>, live: &Path) -> Result<(), CliError> {
    let folder = live.join("series");
    for closed in [false, true].into_iter().filter(|_| folder.exists()) {
        for path in plain_files(&folder)? {
            let below = path.strip_prefix(live).unwrap_or(&path).to_string_lossy().into_owned();
            let name = format!("stream/{below}");
            if !allowed(&name) || name.ends_with(".day") != closed {
                continue;
            }
            let length = || fs::metadata(&path).map(|found| found.len()).map_err(at(&path));
            let taken = match closed {
                true => out.file(&name, &path, None),
                false => length().and_then(|length| out.file(&name, &path, Some(length))),
            };
            match taken {
                Err(CliError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// Length and hash of a whole file.
pub(crate) fn sum_of(path: &Path) -> Result<Sum, CliError> {
    let file = File::open(path).map_err(at(path))?;
    let mut hashing = Hashing { inner: file, hash: Sha256::new(), bytes: 0 };
    io::copy(&mut hashing, &mut io::sink()).map_err(at(path))?;
    Ok(hashing.sum())
}

/// Leaves a record of a backup or restore; the outbox carries it into the ledger.
pub(crate) async fn record(
    place: &Place,
    ty: &str,
    facts: serde_json::Value,
) -> Result<(), CliError> {
    let store = place.open_current().await?;
    let now = store.now();
    let mut write = store.write("system:backup", "command line", "").await?;
    write
        .record(store::RecordDraft {
            ty: ty.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "this machine".to_owned(),
            assurance: model::Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: None,
        })
        .await?;
    write.commit().await?;
    store.db().close().await;
    Ok(())
}

/// The tar stream being written, and what went into it.
struct Archive<W: Write> {
    tar: tar::Builder<W>,
    files: BTreeMap<String, Sum>,
}

impl<W: Write> Archive<W> {
    /// Adds a file, or its first `bytes`.
    fn file(&mut self, name: &str, path: &Path, bytes: Option<u64>) -> Result<(), CliError> {
        let file = File::open(path).map_err(at(path))?;
        let length = file.metadata().map_err(at(path))?.len();
        self.entry(name, bytes.unwrap_or(length), BufReader::new(file)).map_err(at(path))
    }

    fn entry(&mut self, name: &str, bytes: u64, from: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        let mut from = Hashing { inner: from.take(bytes), hash: Sha256::new(), bytes: 0 };
        self.tar.append_data(&mut header, name, &mut from)?;
        let sum = from.sum();
        if sum.bytes != bytes {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        self.files.insert(name.to_owned(), sum);
        Ok(())
    }
}

/// Hashes what passes through.
pub(crate) struct Hashing<R> {
    pub(crate) inner: R,
    pub(crate) hash: Sha256,
    pub(crate) bytes: u64,
}

impl<R> Hashing<R> {
    pub(crate) fn sum(self) -> Sum {
        Sum { bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        crate::progress::going()?;
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// All plain files below a folder in a fixed order; links are not followed.
fn plain_files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let (mut out, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let entry = entry.map_err(at(&folder))?;
            let kind = entry.file_type().map_err(at(&folder))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                out.push(entry.path());
            }
        }
    }
    out.sort();
    Ok(out)
}
