//! The folder of `--files`: sealed files beside the backups, each written once.
//!
//! A file stands there as `ef/01…ef.<sha256 of its sealed bytes>`: under the name it has in the data
//! folder, which tells nothing of its content, and with a sum that anybody can check. It never changes;
//! what a backup names is found again by both. Its key is in the key files of the backups, so a shredding
//! reaches it as it reaches them. One backup or pruning works on the folder at a time (`lock`). A folder
//! belongs to one Ume.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, BufReader, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    BackupError, FILES_MAX, Hashing, Sum, at, create_new, names::is_sealed, parent, passphrase,
    sync_folder,
};
use crate::{CliError, data, print, restore, shown};

/// What a backup names of the folder: place of each file, and the sum of its sealed bytes.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) sums: Vec<(String, Sum)>,
}

impl Listed {
    pub(crate) fn json(&self) -> Vec<u8> {
        let map: BTreeMap<&String, &Sum> = self.sums.iter().map(|(p, sum)| (p, sum)).collect();
        serde_json::to_vec(&map).unwrap_or_default()
    }

    /// `None` where this is not what [`Listed::json`] writes.
    pub(crate) fn parse(json: &[u8]) -> Option<Listed> {
        let map: BTreeMap<String, Sum> = serde_json::from_slice(json).ok()?;
        let sound =
            |(place, sum): (&String, &Sum)| is_sealed(place) && store::is_sha256(&sum.sha256);
        (map.len() <= FILES_MAX && map.iter().all(sound))
            .then(|| Listed { sums: map.into_iter().collect() })
    }
}

fn name_of(place: &str, sum: &Sum) -> String {
    format!("{place}.{}", sum.sha256)
}

/// The folder, held.
pub(crate) struct Shelf {
    folder: PathBuf,
    _lock: File,
}

impl Shelf {
    /// Opens the folder, making it where it is missing, and takes away what a killed run left half
    /// written.
    pub(crate) fn open(folder: &Path) -> Result<Shelf, CliError> {
        data::create(folder)?;
        let path = folder.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| BackupError::ShelfBusy(folder.to_owned()))?;
        let shelf = Shelf { folder: folder.to_owned(), _lock: lock };
        for path in files_below(folder)?.into_iter().filter(|p| p.extension().is_some_and(is_tmp)) {
            fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(shelf)
    }

    /// What stands in the folder: names, and the length of each.
    fn names(&self) -> Result<BTreeMap<String, u64>, CliError> {
        let mut names = BTreeMap::new();
        for path in files_below(&self.folder)? {
            let name = path.strip_prefix(&self.folder).unwrap_or(&path).to_string_lossy();
            if parts(&name).is_some() {
                names.insert(name.into_owned(), fs::metadata(&path).map_err(at(&path))?.len());
            }
        }
        Ok(names)
    }

    /// Takes the sealed files out of `places` and sees that they stand here; those that do already are
    /// not read again. What is gone meanwhile is left out.
    pub(crate) fn take(&self, from: &Path, places: &mut Vec<String>) -> Result<Listed, CliError> {
        let names = self.names()?;
        let mut there: BTreeMap<&str, Sum> = BTreeMap::new();
        for (name, bytes) in &names {
            if let Some((place, sha256)) = parts(name) {
                there.insert(place, Sum { bytes: *bytes, sha256: sha256.to_owned() });
            }
        }
        let mut listed = Listed::default();
        for place in places.extract_if(.., |place| is_sealed(place)) {
            crate::progress::going().map_err(|_| CliError::Stopped)?;
            let path = from.join(&place);
            let length = match fs::metadata(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                found => found.map_err(at(&path))?.len(),
            };
            let sum = match there.get(place.as_str()).filter(|sum| sum.bytes == length) {
                Some(sum) => sum.clone(),
                None => match self.put(&place, &path) {
                    Err(CliError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                        continue;
                    }
                    sum => sum?,
                },
            };
            listed.sums.push((place, sum));
        }
        Ok(listed)
    }

    fn put(&self, place: &str, from: &Path) -> Result<Sum, CliError> {
        let temporary = self.folder.join(format!("{place}.tmp"));
        let file = File::open(from).map_err(at(from))?;
        data::create(parent(&temporary))?;
        let sum = copied(file, from, &temporary)?;
        let to = self.folder.join(name_of(place, &sum));
        fs::rename(&temporary, &to).map_err(at(&to))?;
        sync_folder(parent(&to))?;
        sync_folder(&self.folder)?;
        Ok(sum)
    }
}

/// Copies a file, synced, and gives the sum of what was read.
fn copied(file: File, from: &Path, to: &Path) -> Result<Sum, CliError> {
    let mut hashing = Hashing { inner: BufReader::new(file), hash: Sha256::new(), bytes: 0 };
    let mut out = create_new(to)?;
    io::copy(&mut hashing, &mut out).map_err(at(from))?;
    out.flush().and_then(|()| out.sync_all()).map_err(at(to))?;
    Ok(hashing.sum())
}

fn is_tmp(extension: &std::ffi::OsStr) -> bool {
    extension == "tmp"
}

/// Place and sum of what a name here says; `None` for anything that is not ours.
fn parts(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(place, sha)| is_sealed(place) && store::is_sha256(sha))
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut out = Vec::new();
    for inner in fs::read_dir(folder).map_err(at(folder))? {
        let inner = inner.map_err(at(folder))?;
        if !inner.file_type().map_err(at(folder))?.is_dir() {
            continue;
        }
        let inner = inner.path();
        for entry in fs::read_dir(&inner).map_err(at(&inner))? {
            out.push(entry.map_err(at(&inner))?.path());
        }
    }
    Ok(out)
}

/// Fetches what a backup names into the folder of files that is being restored. What is missing or was
/// changed is left out and named.
pub(crate) fn fetch(
    shelf: &Path,
    listed: &Listed,
    into: &Path,
) -> Result<Vec<ledger::Fault>, CliError> {
    let mut faults = Vec::new();
    fs::read_dir(shelf).map_err(at(shelf))?;
    for (place, sum) in &listed.sums {
        let (from, to) = (shelf.join(name_of(place, sum)), into.join(place));
        let what = match File::open(&from) {
            Err(e) if e.kind() == ErrorKind::NotFound => Some("is missing"),
            file => {
                data::create(parent(&to))?;
                let found = copied(file.map_err(at(&from))?, &from, &to)?;
                (found != *sum).then_some("was changed: its SHA-256 is not the one in its name")
            }
        };
        if let Some(what) = what {
            let _ = fs::remove_file(&to);
            let place = from.display().to_string();
            faults.push(ledger::Fault { place, index: None, offset: None, what: what.to_owned() });
        }
    }
    Ok(faults)
}

/// Backups that stay, and the folder that is to hold what they name and nothing else.
#[derive(clap::Args)]
pub struct Prune {
    /// Folder given to `ume backup --files`
    #[arg(long, value_name = "DIR")]
    files: PathBuf,
    /// Backup that stays; name every one of them, also those on other media
    #[arg(long, value_name = "FILE", required = true)]
    keep: Vec<PathBuf>,
    /// File whose first line is the passphrase of these backups
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shown: shown::Shown,
}

/// Runs `ume prune`: removes what no backup that stays names.
pub(crate) async fn prune(args: Prune) -> Result<ExitCode, CliError> {
    // A folder that is not there is a slip of the pen, not one to make.
    fs::read_dir(&args.files).map_err(at(&args.files))?;
    let format = args.shown.format;
    let (dry, files) = (args.dry_run, args.files.clone());
    let pruned = tokio::task::spawn_blocking(move || pruned(&args));
    let [gone, bytes, kept] = pruned.await.map_err(|e| CliError::Worker(e.to_string()))??;
    let files = files.display();
    let said = match dry {
        true => crate::say(
            &format!(
                "{files}: {gone}個のファイル（{bytes}バイト）を削除できます。{kept}個は残ります"
            ),
            &format!("{files}: {gone} files, {bytes} bytes, would go; {kept} stay"),
        ),
        false => crate::say(
            &format!(
                "{files}: {gone}個のファイル（{bytes}バイト）を削除しました。{kept}個を残しました"
            ),
            &format!("{files}: {gone} files, {bytes} bytes, removed; {kept} stay"),
        ),
    };
    let members = json!({"removed": gone, "bytes": bytes, "kept": kept, "dry_run": dry});
    print(&shown::done(format, &said, &members));
    Ok(ExitCode::SUCCESS)
}

/// Files that went, their bytes, files that stay.
fn pruned(args: &Prune) -> Result<[u64; 3], CliError> {
    let shelf = Shelf::open(&args.files)?;
    let secret = passphrase(&args.passphrase_file)?;
    let mut named = BTreeSet::new();
    for backup in &args.keep {
        let listed = restore::listed(backup, secret.clone())?;
        named.extend(listed.sums.iter().map(|(place, sum)| name_of(place, sum)));
    }
    let [mut gone, mut bytes, mut kept] = [0; 3];
    for (name, length) in shelf.names()? {
        if named.contains(&name) {
            kept += 1;
            continue;
        }
        (gone, bytes) = (gone + 1, bytes + length);
        if !args.dry_run {
            let path = shelf.folder.join(&name);
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok([gone, bytes, kept])
}
