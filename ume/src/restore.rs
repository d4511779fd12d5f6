//! `ume restore`: unpacks a backup beside its place in an empty folder, checks every hash, verifies
//! ledger and rows, moves all of it into place, and leaves a record of the drill. Stopped or killed
//! before that move it leaves nothing that the next run does not take away.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use age::secrecy::SecretString;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{
    CliError, Format, MISMATCH,
    backup::{
        BLOBS, BackupError, FILES, FILES_MAX, FORMAT, Hashing, KEYS, MANIFEST, MANIFEST_BYTES_MAX,
        Manifest, Sum, TABLES, Temporary, WORK_FACTOR_MAX, allowed, at, create_new, parent,
        passphrase, record,
        shelf::{self, Listed},
        sum_of, sync_folder,
    },
    data,
    place::Place,
    print,
    progress::{self, Bar},
    shown, verify,
};

const STAGING: &str = "restore.tmp";

/// A backup and what opens it.
#[derive(clap::Args)]
pub struct Sealed {
    /// File that `ume backup` wrote
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// File whose first line is the passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
    /// Epoch key: the newest FILE.epoch that `ume backup` wrote; without it no payload can be read
    #[arg(long, value_name = "FILE")]
    epoch: Option<PathBuf>,
    /// Folder given to `ume backup --files`, if one was
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

/// What came out of a backup, verified where it was unpacked.
pub(crate) struct Unpacked {
    pub(crate) sum: Sum,
    pub(crate) manifest: Manifest,
    /// What came out of the folder beside it.
    listed: Listed,
    pub(crate) report: ledger::Report,
}

impl Unpacked {
    /// Files in the backup and beside it.
    pub(crate) fn files(&self) -> usize {
        self.manifest.files.len() + self.listed.sums.len()
    }

    fn bytes(&self) -> u64 {
        let beside = self.listed.sums.iter().map(|(_, sum)| sum);
        self.manifest.files.values().chain(beside).map(|sum| sum.bytes).sum()
    }

    /// What is known about the backup and about what stands in it.
    pub(crate) fn facts(&self) -> Json {
        json!({
            "made_at": self.manifest.made_at,
            "sha256": self.sum.sha256,
            "files": self.files(),
            "bytes": self.bytes(),
            "leaves": self.report.leaves,
            "rows": self.report.rows,
            "unreadable": self.report.unreadable,
            "mismatches": self.report.faults.len(),
        })
    }
}

/// Decrypts a backup into an empty folder, holds every file against the manifest, and the tables
/// against the ledger.
pub(crate) async fn unpack_and_verify(sealed: &Sealed, into: &Path) -> Result<Unpacked, CliError> {
    let secret = passphrase(&sealed.passphrase_file)?;
    let epoch = sealed.epoch.as_deref().map(|path| read_epoch(path, secret.clone())).transpose()?;
    let (from, target, beside) = (sealed.from.clone(), into.to_owned(), sealed.files.clone());
    let unpacked = tokio::task::spawn_blocking(move || {
        let sum = sum_of(&from)?;
        let bar = Bar::bytes("バックアップを展開しています", "unpacking the backup", sum.bytes);
        let manifest = extract(&from, secret, &target, bar)?;
        let (listed, faults) = fetched(&from, beside.as_deref(), &target)?;
        if let Some(epoch) = epoch {
            let path = target.join(KEYS).join("epoch");
            data::create(parent(&path))?;
            let mut out = create_new(&path)?;
            out.write_all(&epoch).and_then(|()| out.sync_all()).map_err(at(&path))?;
        }
        Ok::<_, CliError>((sum, manifest, listed, faults))
    });
    let (sum, manifest, listed, faults) =
        unpacked.await.map_err(|e| CliError::Worker(e.to_string()))??;
    let place = Place::sqlite(into);
    let mut report = match crate::verified(&place).await {
        // A backup of an older Ume: what was unpacked is ours to bring up to date.
        Err(CliError::Store(store::StoreError::Older { .. })) => {
            place.open().await?.db().close().await;
            crate::verified(&place).await?
        }
        report => report?,
    };
    report.faults.splice(0..0, faults);
    Ok(Unpacked { sum, manifest, listed, report })
}

/// Fetches what the unpacked backup names of the folder beside it.
fn fetched(
    from: &Path,
    beside: Option<&Path>,
    into: &Path,
) -> Result<(Listed, Vec<ledger::Fault>), CliError> {
    let path = into.join(FILES);
    let json = match fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Default::default()),
        json => json.map_err(at(&path))?,
    };
    let listed = Listed::parse(&json).ok_or_else(|| not_a_list(from))?;
    let faults = match beside {
        Some(shelf) => shelf::fetch(shelf, &listed, &into.join(BLOBS))?,
        None if listed.sums.is_empty() => Vec::new(),
        None => return Err(BackupError::NoShelf(from.to_owned(), listed.sums.len()).into()),
    };
    Ok((listed, faults))
}

fn not_a_list(from: &Path) -> CliError {
    damaged(from, &AtomicU64::new(0), format!("{FILES:?} does not read"))
}

/// What a backup names of the folder beside it: its first entry, if it has one of that name.
pub(crate) fn listed(from: &Path, secret: SecretString) -> Result<Listed, CliError> {
    let file = Counted::new(File::open(from).map_err(at(from))?, None);
    let bytes = file.bytes.clone();
    let broken = |e: io::Error| damaged(from, &bytes, e.to_string());
    let mut tar = tar::Archive::new(decrypted(from, file, secret)?);
    let mut entries = tar.entries().map_err(broken)?;
    let first = entries.next().ok_or_else(|| not_a_list(from))?.map_err(broken)?;
    if first.path_bytes().as_ref() != FILES.as_bytes() {
        return Ok(Listed::default());
    }
    let mut json = Vec::new();
    first.take(MANIFEST_BYTES_MAX).read_to_end(&mut json).map_err(broken)?;
    Listed::parse(&json).ok_or_else(|| not_a_list(from))
}

/// Restores a backup into an empty folder and verifies it before it stands there. The record of it
/// goes into the restored data, and into those of `drill`, the Ume that the restore was a test for.
pub async fn restore(
    sealed: &Sealed,
    folder: &Path,
    drill: Option<&Place>,
    format: Format,
) -> Result<ExitCode, CliError> {
    let existed = folder.exists();
    let staging = folder.join(STAGING);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        // What a killed restore left in an else empty folder is no obstacle.
        if entry.map_err(at(folder))?.file_name() != STAGING {
            return Err(BackupError::NotEmpty(folder.to_owned()).into());
        }
    }
    passphrase(&sealed.passphrase_file)?;
    data::create(folder)?;
    let new = if existed { None } else { Some(RemoveIfEmpty(folder)) };
    let staging = Temporary(staging);
    match fs::remove_dir_all(&staging.0) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&staging.0)(error)),
        _ => data::create(&staging.0)?,
    }
    let unpacked = unpack_and_verify(sealed, &staging.0).await?;
    put_in_place(&staging.0, folder)?;
    drop(staging);
    sync_folder(folder)?;
    drop(new);
    let restored = Place::sqlite(folder);
    let facts = unpacked.facts();
    for place in std::iter::once(&restored).chain(drill) {
        record(place, "isms.backup_restored", facts.clone()).await?;
    }
    let (count, made_at) = (unpacked.files(), &unpacked.manifest.made_at);
    let said = crate::say(
        &format!(
            "{count}個のファイルを復元しました（{made_at}時点）。ハッシュはすべて一致しています"
        ),
        &format!("{count} files restored, as of {made_at}; every hash fits the manifest"),
    );
    print(&shown(&said, &unpacked, format));
    if unpacked.report.faults.is_empty() {
        if unpacked.report.unreadable > 0 {
            let ja = "ペイロードを読むには --epoch FILE.epoch を付けて復元してください";
            let en = "payloads need the epoch key: restore with --epoch FILE.epoch to read them";
            eprintln!("ume: {}", crate::say(ja, en));
        }
        return Ok(crate::outcome(&unpacked.report));
    }
    let place = folder.display();
    let ja = format!("復元したデータに不一致があります。確認のため{place}に残しました");
    let en = format!("the restored data do not verify; they were left in {place} for inspection");
    eprintln!("ume: {}", crate::say(&ja, &en));
    Ok(ExitCode::from(MISMATCH))
}

/// A sentence and the report of the verification, or both as members.
pub(crate) fn shown(said: &str, unpacked: &Unpacked, format: Format) -> String {
    if format == Format::Table {
        return format!("{said}\n{}", verify::report(&unpacked.report, format));
    }
    let mut members = unpacked.facts();
    members["faults"] = json!(unpacked.report.faults);
    shown::one(format, &members)
}

/// The tables come last: only with them is the folder one of Ume.
fn put_in_place(staging: &Path, folder: &Path) -> Result<(), CliError> {
    for name in ["ledger", KEYS, BLOBS, "stream", TABLES] {
        let source = staging.join(name);
        if source.exists() {
            let target = folder.join(name);
            fs::rename(&source, &target).map_err(at(&target))?;
        }
    }
    Ok(())
}

/// A folder this command made goes away again unless something came into it.
struct RemoveIfEmpty<'p>(&'p Path);

impl Drop for RemoveIfEmpty<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0);
    }
}

/// Longest epoch file that is read: one line for each month.
const EPOCH_BYTES_MAX: u64 = 1 << 20;

/// Decrypts the file that `ume backup` wrote beside the archive.
fn read_epoch(path: &Path, secret: SecretString) -> Result<Vec<u8>, CliError> {
    let mut out = Vec::new();
    let file = File::open(path).map_err(at(path))?;
    let plain = decrypted(path, Counted::new(file, None), secret)?;
    let read = plain.take(EPOCH_BYTES_MAX).read_to_end(&mut out);
    if read.is_err() || !out.starts_with(b"ume/epoch/") {
        return Err(BackupError::NoEpoch(path.to_owned()).into());
    }
    Ok(out)
}

/// Counts what was read, shows it, and ends where the user wants it to.
struct Counted {
    inner: BufReader<File>,
    bytes: Arc<AtomicU64>,
    bar: Option<Bar>,
}

impl Counted {
    fn new(file: File, bar: Option<Bar>) -> Counted {
        Counted { inner: BufReader::new(file), bytes: Arc::default(), bar }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        progress::going()?;
        let n = self.inner.read(buffer)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.add(n as u64);
        }
        Ok(n)
    }
}

fn damaged(path: &Path, bytes: &AtomicU64, what: String) -> CliError {
    let byte = bytes.load(Ordering::Relaxed);
    BackupError::Damaged { path: path.to_owned(), byte, what }.into()
}

fn decrypted(from: &Path, file: Counted, secret: SecretString) -> Result<impl Read, CliError> {
    let bytes = file.bytes.clone();
    let decryptor = age::Decryptor::new(file).map_err(|e| match &e {
        age::DecryptError::Io(e) if e.kind() == ErrorKind::UnexpectedEof => {
            let empty = bytes.load(Ordering::Relaxed) == 0;
            let what = if empty { "the file is empty" } else { "it ends within its head" };
            damaged(from, &bytes, what.to_owned())
        }
        _ => damaged(from, &bytes, e.to_string()),
    })?;
    let mut identity = age::scrypt::Identity::new(secret);
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|e| match e {
        age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed
        | age::DecryptError::NoMatchingKeys => BackupError::WrongPassphrase(from.to_owned()).into(),
        other => damaged(from, &bytes, other.to_string()),
    })
}

fn extract(from: &Path, secret: SecretString, into: &Path, bar: Bar) -> Result<Manifest, CliError> {
    let file = Counted::new(File::open(from).map_err(at(from))?, Some(bar));
    let bytes = file.bytes.clone();
    let damaged = |what: String| damaged(from, &bytes, what);
    let broken = |e: io::Error| damaged(e.to_string());
    let plain = decrypted(from, file, secret)?;
    let mut tar = tar::Archive::new(plain);
    let (mut found, mut manifest) = (BTreeMap::new(), None::<Manifest>);
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let bytes = entry.path_bytes().into_owned();
        let name = String::from_utf8(bytes).map_err(|_| damaged("a name is no text".into()))?;
        if manifest.is_some() || found.len() >= FILES_MAX || found.contains_key(&name) {
            return Err(damaged(format!("{name:?} is one entry too many")));
        }
        if entry.header().entry_type() != tar::EntryType::Regular || !allowed(&name) {
            return Err(damaged(format!("{name:?} does not belong into a backup")));
        }
        if name == MANIFEST {
            if entry.size() > MANIFEST_BYTES_MAX {
                return Err(damaged("the manifest is too large".into()));
            }
            let mut json = Vec::new();
            entry.read_to_end(&mut json).map_err(broken)?;
            let read: Manifest =
                serde_json::from_slice(&json).map_err(|e| damaged(format!("manifest: {e}")))?;
            manifest = Some(read);
            continue;
        }
        let sum = unpack(&mut entry, &into.join(&name), broken)?;
        found.insert(name, sum);
    }
    // The tar reader stops at the end mark; the end of the encrypted stream is authenticated too.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(broken)?;
    let manifest = manifest.ok_or_else(|| damaged("the manifest is missing".into()))?;
    fits(&manifest, &found).map_err(damaged)?;
    Ok(manifest)
}

/// Writes one entry to a new file and gives its sum.
fn unpack(
    entry: &mut impl Read,
    path: &Path,
    broken: impl Fn(io::Error) -> CliError,
) -> Result<Sum, CliError> {
    data::create(parent(path))?;
    let mut out = create_new(path)?;
    let mut hashing = Hashing { inner: entry, hash: Sha256::new(), bytes: 0 };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = hashing.read(&mut buffer).map_err(&broken)?;
        if n == 0 {
            break;
        }
        out.write_all(&buffer[..n]).map_err(at(path))?;
    }
    out.sync_all().map_err(at(path))?;
    Ok(hashing.sum())
}

/// Holds what was unpacked against the manifest, both ways.
fn fits(manifest: &Manifest, found: &BTreeMap<String, Sum>) -> Result<(), String> {
    if !(1..=FORMAT).contains(&manifest.format) {
        return Err(format!("format {} is not known", manifest.format));
    }
    if let Some((name, _)) = manifest.files.iter().find(|(n, sum)| found.get(*n) != Some(*sum)) {
        return Err(format!("{name:?} does not fit the manifest"));
    }
    if let Some(name) = found.keys().find(|name| !manifest.files.contains_key(*name)) {
        return Err(format!("{name:?} does not stand in the manifest"));
    }
    if found.contains_key(TABLES) { Ok(()) } else { Err("the tables are missing".into()) }
}
