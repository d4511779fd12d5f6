//! `ume restore`: unpacks a backup into an empty folder, checks every hash, verifies ledger and rows,
//! and leaves a record of the drill.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::Path,
    process::ExitCode,
};

use age::secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::{
    CliError, MISMATCH,
    backup::{
        BLOBS, BackupError, FILES_MAX, FORMAT, Hashing, KEYS, MANIFEST, MANIFEST_BYTES_MAX,
        Manifest, Sum, TABLES, Temporary, WORK_FACTOR_MAX, allowed, at, create_new, parent,
        passphrase, record, sum_of, sync_folder,
    },
    data,
    place::Place,
    print,
};

/// Restores a backup into an empty folder and verifies what stands there. The record of it goes
/// into the restored data, and into those of `drill`, the Ume that the restore was a test for.
pub async fn restore(
    from: &Path,
    folder: &Path,
    secret: &Path,
    epoch: Option<&Path>,
    drill: Option<&Place>,
) -> Result<ExitCode, CliError> {
    let secret = passphrase(secret)?;
    let epoch = epoch.map(|path| read_epoch(path, secret.clone())).transpose()?;
    let sum = sum_of(from)?;
    let existed = folder.exists();
    if existed && fs::read_dir(folder).map_err(at(folder))?.next().is_some() {
        return Err(BackupError::NotEmpty(folder.to_owned()).into());
    }
    data::create(folder)?;
    let new = if existed { None } else { Some(RemoveIfEmpty(folder)) };
    let (source, target) = (from.to_owned(), folder.to_owned());
    let unpacked = tokio::task::spawn_blocking(move || unpack_all(&source, &target, secret, epoch));
    let manifest = unpacked.await.map_err(|e| CliError::Worker(e.to_string()))??;
    drop(new);
    let count = manifest.files.len();
    let made_at = &manifest.made_at;
    print(&format!("{count} files restored, as of {made_at}; every hash fits the manifest\n"));
    let restored = Place::sqlite(folder);
    let report = crate::verified(&restored).await?;
    crate::print_report(&report);
    let facts = serde_json::json!({
        "made_at": made_at,
        "sha256": sum.sha256,
        "files": count,
        "bytes": manifest.files.values().map(|f| f.bytes).sum::<u64>(),
        "leaves": report.leaves,
        "rows": report.rows,
        "unreadable": report.unreadable,
        "mismatches": report.faults.len(),
    });
    for place in std::iter::once(&restored).chain(drill) {
        record(place, "isms.backup_restored", facts.clone()).await?;
    }
    if report.faults.is_empty() {
        if report.unreadable > 0 {
            eprintln!(
                "ume: payloads need the epoch key: restore with --epoch FILE.epoch to read them"
            );
        }
        return Ok(crate::outcome(&report));
    }
    let place = folder.display();
    eprintln!("ume: the restored data do not verify; they were left in {place} for inspection");
    Ok(ExitCode::from(MISMATCH))
}

fn unpack_all(
    from: &Path,
    folder: &Path,
    secret: SecretString,
    epoch: Option<Vec<u8>>,
) -> Result<Manifest, CliError> {
    let file = File::open(from).map_err(at(from))?;
    let staging = Temporary(folder.join("restore.tmp"));
    data::create(&staging.0)?;
    let manifest = extract(from, file, secret, &staging.0)?;
    // The tables come last: only with them is the folder one of Ume.
    if let Some(epoch) = epoch {
        let path = staging.0.join(KEYS).join("epoch");
        data::create(parent(&path))?;
        let mut out = create_new(&path)?;
        out.write_all(&epoch).and_then(|()| out.sync_all()).map_err(at(&path))?;
    }
    for name in ["ledger", KEYS, BLOBS, "stream", TABLES] {
        let source = staging.0.join(name);
        if source.exists() {
            let target = folder.join(name);
            fs::rename(&source, &target).map_err(at(&target))?;
        }
    }
    drop(staging);
    sync_folder(folder)?;
    Ok(manifest)
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
    let plain = decrypted(path, File::open(path).map_err(at(path))?, secret)?;
    let read = plain.take(EPOCH_BYTES_MAX).read_to_end(&mut out);
    if read.is_err() || !out.starts_with(b"ume/epoch/") {
        return Err(BackupError::NoEpoch(path.to_owned()).into());
    }
    Ok(out)
}

fn decrypted(from: &Path, file: File, secret: SecretString) -> Result<impl Read, CliError> {
    let damaged = |what: String| CliError::from(BackupError::Damaged(from.to_owned(), what));
    let decryptor =
        age::Decryptor::new(BufReader::new(file)).map_err(|e| damaged(e.to_string()))?;
    let mut identity = age::scrypt::Identity::new(secret);
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|e| match e {
        age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed
        | age::DecryptError::NoMatchingKeys => BackupError::WrongPassphrase(from.to_owned()).into(),
        other => damaged(other.to_string()),
    })
}

fn extract(
    from: &Path,
    file: File,
    secret: SecretString,
    into: &Path,
) -> Result<Manifest, CliError> {
    let damaged = |what: String| CliError::from(BackupError::Damaged(from.to_owned(), what));
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
    if manifest.format != FORMAT {
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
