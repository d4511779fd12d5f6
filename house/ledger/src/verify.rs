//! The verifier: reads everything back and names what does not fit, with its place.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, File},
    io::{BufReader, ErrorKind},
    path::{Path, PathBuf},
};

use merkle::{Checkpoint, MemTree, VerifierKey};
use model::Table;
use store::{BlobState, Record, Store, StoreError, Version, record_leaf, row_leaf};

use crate::{
    LedgerError, cosigned, files,
    log::{FRAME_HEAD_BYTES, Frame, read_frame, root_at},
    publish, shred,
};

/// One mismatch.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// File, or table row such as `asset/0198…/3`.
    pub place: String,
    /// Index of the leaf, where one is concerned.
    pub index: Option<u64>,
    /// Byte offset in the file, where one is concerned.
    pub offset: Option<u64>,
    pub what: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    pub leaves: u64,
    pub rows: u64,
    pub pending: u64,
    /// Payloads and row versions that a decision had shredded; their proof stands.
    pub shredded: u64,
    /// Files read back and held against their names.
    pub blobs: u64,
    /// Payloads that nobody can open here because `keys/epoch` is not there; their commitment stands.
    pub unreadable: u64,
    pub faults: Vec<Fault>,
}

const FAULTS_MAX: usize = 1_000;
const PAGE: usize = 1_000;

impl Report {
    fn fault(
        &mut self,
        place: impl Into<String>,
        index: Option<u64>,
        offset: Option<u64>,
        what: &str,
    ) {
        if self.faults.len() < FAULTS_MAX {
            let what = what.to_owned();
            self.faults.push(Fault { place: place.into(), index, offset, what });
        }
    }
}

/// Verifies log, checkpoint, key and tiles of a ledger folder from the bytes on disk alone.
pub fn verify(folder: &Path) -> Result<(Report, Vec<Vec<u8>>), LedgerError> {
    let mut report = Report::default();
    let (tree, leaves) = read_log(folder, &mut report)?;
    report.leaves = tree.size();
    let size = verify_checkpoint(folder, &tree, &mut report)?;
    verify_tiles(folder, &tree, size, &leaves, &mut report)?;
    verify_outside(folder, &tree, &mut report)?;
    Ok((report, leaves))
}

/// Verifies what witnesses and authorities said of this log.
fn verify_outside(folder: &Path, tree: &MemTree, report: &mut Report) -> Result<(), LedgerError> {
    // A missing or broken key is told by who reads the checkpoint.
    let Ok(key) = fs::read_to_string(folder.join("vkey")) else { return Ok(()) };
    let Ok(key) = VerifierKey::parse(key.trim_end()) else { return Ok(()) };
    let extends = |c: &Checkpoint| publish::extends(tree, c).unwrap_or(false);
    let given_up = |c: &Checkpoint| publish::given_up(folder, c).unwrap_or(false);
    for (place, what) in cosigned::verify(folder, &key, extends, given_up)? {
        report.fault(place, None, None, &what);
    }
    Ok(())
}

fn read_log(folder: &Path, report: &mut Report) -> Result<(MemTree, Vec<Vec<u8>>), LedgerError> {
    let path = folder.join("log");
    let io = |source| LedgerError::Io { path: path.clone(), source };
    let (mut tree, mut leaves, mut offset) = (MemTree::new(), Vec::new(), 0);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            report.fault("ledger/log", None, None, "file is missing");
            return Ok((tree, leaves));
        }
        Err(source) => return Err(io(source)),
    };
    let mut reader = BufReader::with_capacity(1 << 20, file);
    loop {
        match read_frame(&mut reader).map_err(io)? {
            Frame::End => break,
            Frame::Broken => {
                let index = Some(tree.size());
                report.fault("ledger/log", index, Some(offset), "entry is damaged or cut off");
                break;
            }
            Frame::Entry(bytes) => {
                tree.push(merkle::leaf_hash(&bytes));
                offset += FRAME_HEAD_BYTES + bytes.len() as u64;
                leaves.push(bytes);
            }
        }
    }
    Ok((tree, leaves))
}

/// Bytes of a file; a missing one is a fault, not an error: someone may have removed it.
fn read(folder: &Path, name: &str, report: &mut Report) -> Result<Option<Vec<u8>>, LedgerError> {
    let path: PathBuf = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            report.fault(format!("ledger/{name}"), None, None, "file is missing");
            Ok(None)
        }
        Err(source) => Err(LedgerError::Io { path, source }),
    }
}

/// Reads the key, byte for byte as it was written.
fn read_vkey(folder: &Path, report: &mut Report) -> Result<Option<VerifierKey>, LedgerError> {
    let Some(bytes) = read(folder, "vkey", report)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    match VerifierKey::parse(text.strip_suffix('\n').unwrap_or(&text)) {
        Ok(key) => {
            if bytes != format!("{key}\n").as_bytes() {
                report.fault("ledger/vkey", None, None, "not as Ume writes it");
            }
            Ok(Some(key))
        }
        Err(e) => {
            report.fault("ledger/vkey", None, None, &format!("unreadable key: {e}"));
            Ok(None)
        }
    }
}

/// Returns the size up to which tiles must exist.
fn verify_checkpoint(
    folder: &Path,
    tree: &MemTree,
    report: &mut Report,
) -> Result<u64, LedgerError> {
    let key = read_vkey(folder, report)?;
    let seed = read(folder, "key", report)?;
    let note = read(folder, "checkpoint", report)?;
    let Some(key) = key else { return Ok(tree.size()) };
    if let Some(seed) = seed {
        let own = <[u8; 32]>::try_from(seed.as_slice())
            .ok()
            .and_then(|seed| merkle::Signer::from_seed(key.name(), &seed).ok());
        if own.is_none_or(|signer| signer.verifier_key().to_string() != key.to_string()) {
            report.fault("ledger/key", None, None, "signing key does not belong to ledger/vkey");
        }
    }
    let Some(note) = note else { return Ok(tree.size()) };
    let checkpoint = match Checkpoint::open(&note, key.name(), &key, &[]) {
        Ok(open) => open.checkpoint,
        Err(e) => {
            report.fault("ledger/checkpoint", None, None, &format!("does not verify: {e}"));
            return Ok(tree.size());
        }
    };
    if checkpoint.size() > tree.size() {
        let what = format!("the log ends before the signed size {}", checkpoint.size());
        report.fault("ledger/log", Some(tree.size()), None, &what);
        return Ok(tree.size());
    }
    if root_at(tree, checkpoint.size())? != *checkpoint.root() {
        report.fault("ledger/log", None, None, "entries do not hash to the signed root");
    }
    Ok(checkpoint.size())
}

/// Every tile and bundle that stands in the folder must fit the log, and every one that a log of
/// `size` has must stand there. The first difference between a leaf tile and the log names the entry
/// even where the log's own checksum was repaired along with the edit.
fn verify_tiles(
    folder: &Path,
    tree: &MemTree,
    size: u64,
    leaves: &[Vec<u8>],
    report: &mut Report,
) -> Result<(), LedgerError> {
    let mut found = BTreeSet::new();
    files::walk(&folder.join("tile"), &mut found)?;
    for path in &found {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        // What a crash left of a file that was being replaced.
        if name.ends_with(".tmp") {
            continue;
        }
        let place = format!("ledger/{name}");
        let is_bundle = name.starts_with("tile/entries/");
        let parsed = if is_bundle {
            merkle::TileId::parse_entries(&name)
        } else {
            merkle::TileId::parse(&name)
        };
        let Ok(tile) = parsed else {
            report.fault(place, None, None, "not the name of a tile");
            continue;
        };
        let want = if is_bundle {
            files::bundle_bytes(&tile, leaves)
        } else {
            files::tile_bytes(&tile, tree)
        };
        let Some(want) = want else {
            report.fault(place, None, None, "tile reaches beyond the log");
            continue;
        };
        let have =
            fs::read(path).map_err(|source| LedgerError::Io { path: path.clone(), source })?;
        if have != want {
            let same = have.iter().zip(&want).take_while(|(a, b)| a == b).count() as u64;
            let first = (!is_bundle && tile.level() == 0).then(|| tile.index() * 256 + same / 32);
            report.fault(place, first, Some(same), "tile does not fit the log");
        }
    }
    for tile in merkle::tiles_for_growth(0, size) {
        for name in [Some(tile.path()), tile.entries_path()].into_iter().flatten() {
            if !found.contains(&folder.join(&name)) {
                report.fault(format!("ledger/{name}"), None, None, "file is missing");
            }
        }
    }
    Ok(())
}

/// [`verify`] and [`verify_rows`] while others may write. A row written between two reads looks like
/// one without a leaf, so a mismatch counts only if a second reading finds it again.
pub async fn verify_all(folder: &Path, store: &Store) -> Result<Report, LedgerError> {
    let mut report = read_all(folder, store).await?;
    if !report.faults.is_empty() {
        let again = read_all(folder, store).await?;
        let before = std::mem::replace(&mut report, again).faults;
        report.faults.retain(|fault| before.contains(fault));
    }
    Ok(report)
}

async fn read_all(folder: &Path, store: &Store) -> Result<Report, LedgerError> {
    // A log of a million entries is a second of reading and hashing.
    let place = folder.to_owned();
    let read = tokio::task::spawn_blocking(move || verify(&place)).await;
    let ended = |e| LedgerError::Io { path: folder.into(), source: std::io::Error::other(e) };
    let (mut report, leaves) = read.map_err(ended)??;
    verify_rows(store, &leaves, &mut report).await?;
    Ok(report)
}

/// Holds every row of the eleven tables, old versions included, and every payload against its leaf.
pub async fn verify_rows(
    store: &Store,
    leaves: &[Vec<u8>],
    report: &mut Report,
) -> Result<(), LedgerError> {
    let pending = all_pending(store).await?;
    report.pending = pending.len() as u64;
    let indexes = all_indexes(store).await?;
    let excused = shred::excused(store).await?;
    let locked = store.keys_locked()?;
    let (seen, files) = (BTreeSet::new(), BTreeMap::new());
    let mut judge = Judge { pending, indexes, leaves, excused, locked, seen, files };
    for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
        verify_table(store, table, &mut judge, report).await?;
    }
    verify_records(store, &mut judge, report).await?;
    verify_blobs(store, &mut judge, report).await?;
    for id in store.orphan_payloads().await? {
        report.fault(format!("payload/{id}"), None, None, "payload without its record");
    }
    let key_faults = if judge.locked { Vec::new() } else { store.key_faults()? };
    for fault in key_faults {
        report.fault(fault.place, None, fault.offset, &fault.what);
    }
    judge.rest(report);
    Ok(())
}

/// Holds rows against leaves and remembers which leaves had a row.
struct Judge<'l> {
    pending: BTreeMap<String, String>,
    indexes: BTreeMap<String, u64>,
    leaves: &'l [Vec<u8>],
    /// Records and rows that were shredded by decision.
    excused: HashSet<String>,
    seen: BTreeSet<String>,
    /// What stands on disk under the names of files read so far.
    files: BTreeMap<String, BlobState>,
    /// The file that opens the keys is not there, so payloads cannot be held against anything.
    locked: bool,
}

impl Judge<'_> {
    fn row(&mut self, key: &str, leaf: Result<String, StoreError>, report: &mut Report) {
        report.rows += 1;
        let index = self.indexes.get(key).copied();
        let stored = match index {
            Some(index) => self.leaves.get(index as usize).map(Vec::as_slice),
            None => self.pending.get(key).map(|leaf| leaf.as_bytes()),
        };
        match (stored, leaf) {
            (Some(stored), Ok(leaf)) if stored == leaf.as_bytes() => {}
            (Some(_), Ok(_)) => report.fault(key, index, None, "row does not fit its leaf"),
            (None, Ok(_)) => report.fault(key, index, None, "row has no leaf"),
            (_, Err(e)) => report.fault(key, index, None, &format!("row is unreadable: {e}")),
        }
        self.seen.insert(key.to_owned());
    }

    /// Whether what is missing was shredded by decision.
    fn excuse(&self, name: &str, report: &mut Report) -> bool {
        let excused = self.excused.contains(name);
        report.shredded += u64::from(excused);
        excused
    }

    fn personal(&self, table: Table, version: &Version, report: &mut Report) {
        let shredded = version.row.as_ref().is_ok_and(Store::is_shredded);
        let name = format!("{}/{}", table.name(), version.id);
        if shredded && !self.excuse(&name, report) {
            let what = "personal fields were removed, and no record says they were shredded";
            report.fault(key(table, version), None, None, what);
        }
    }

    /// `fits`: whether the payload row fits the commitment; `None` where there is none.
    fn payload(&self, key: &str, record: &Record, fits: Option<bool>, report: &mut Report) {
        let what = match fits {
            Some(true) => return,
            Some(false) if self.locked => {
                report.unreadable += 1;
                return;
            }
            Some(false) => "payload does not open or does not fit its commitment",
            None if record.payload_commit.is_none() => return,
            None if self.excuse(key, report) => return,
            None => "payload was removed, and no record says it was shredded",
        };
        report.fault(key, record.leaf_index, None, what);
    }

    /// What stands on disk under the name of a file; each is read once.
    async fn file(
        &mut self,
        store: &Store,
        sha256: &str,
        report: &mut Report,
    ) -> Result<BlobState, LedgerError> {
        if let Some(state) = self.files.get(sha256) {
            return Ok(*state);
        }
        let state = match store::is_sha256(sha256) {
            true => store.blob_state(sha256).await?,
            false => BlobState::Missing,
        };
        report.blobs += u64::from(state == BlobState::Good);
        self.files.insert(sha256.to_owned(), state);
        Ok(state)
    }

    /// Holds the files that a row or record names against what stands on disk.
    async fn files(
        &mut self,
        store: &Store,
        key: &str,
        named: Vec<(String, &str)>,
        report: &mut Report,
    ) -> Result<(), LedgerError> {
        if !store.has_files() {
            return Ok(());
        }
        for (field, sha256) in named {
            let index = self.indexes.get(key).copied();
            let what = match self.file(store, sha256, report).await? {
                BlobState::Good => continue,
                BlobState::Missing if self.excuse(key, report) => continue,
                BlobState::Shut if self.locked => {
                    report.unreadable += 1;
                    continue;
                }
                BlobState::Missing => "is missing",
                BlobState::Changed => "was changed",
                BlobState::Shut => "has no key that opens it",
            };
            report.fault(key, index, None, &format!("file {sha256} in {field} {what}"));
        }
        Ok(())
    }

    /// Judges what is left over once all rows were seen.
    fn rest(&self, report: &mut Report) {
        for (key, index) in self.indexes.iter().filter(|(key, _)| !self.seen.contains(*key)) {
            report.fault(key, Some(*index), None, "leaf without its row: the row was removed");
        }
        for key in self.pending.keys().filter(|key| !self.seen.contains(*key)) {
            report.fault(key, None, None, "waiting leaf without its row: the row was removed");
        }
        let named: HashSet<u64> = self.indexes.values().copied().collect();
        // Appended, but not settled yet.
        let waiting: HashSet<&[u8]> = self.pending.values().map(|leaf| leaf.as_bytes()).collect();
        for (index, leaf) in (0u64..).zip(self.leaves) {
            if !named.contains(&index) && !waiting.contains(leaf.as_slice()) {
                report.fault("ledger/log", Some(index), None, "leaf that no row names");
            }
        }
    }
}

async fn verify_table(
    store: &Store,
    table: Table,
    judge: &mut Judge<'_>,
    report: &mut Report,
) -> Result<(), LedgerError> {
    let mut after = None;
    let mut before: Option<Version> = None;
    loop {
        let page = store.stored_versions(table, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.id.clone(), last.version));
        for version in page {
            judge.row(&key(table, &version), version_leaf(&version), report);
            judge.personal(table, &version, report);
            if let Ok(row) = &version.row {
                let named = store.files_of(table, &row.kind, &row.attributes);
                judge.files(store, &key(table, &version), named, report).await?;
            }
            verify_succession(table, before.as_ref(), Some(&version), report);
            before = Some(version);
        }
    }
    verify_succession(table, before.as_ref(), None, report);
    Ok(())
}

fn key(table: Table, version: &Version) -> String {
    format!("{}/{}/{}", table.name(), version.id, version.version)
}

fn version_leaf(version: &Version) -> Result<String, StoreError> {
    match &version.row {
        Ok(row) => row_leaf(row),
        Err(e) => Err(StoreError::Column(e.to_string())),
    }
}

/// The time at which a version was replaced stands in no leaf of its own: it is the time of the
/// next version, and the last version has none.
fn verify_succession(
    table: Table,
    old: Option<&Version>,
    next: Option<&Version>,
    report: &mut Report,
) {
    let Some(old) = old else { return };
    let next = next.filter(|next| next.id == old.id);
    let expected = next.and_then(|next| Some(next.row.as_ref().ok()?.updated_at));
    let readable = next.is_none_or(|next| next.row.is_ok());
    if readable && old.replaced_at != expected {
        report.fault(key(table, old), None, None, "the next version does not follow it");
    }
}

async fn verify_records(
    store: &Store,
    judge: &mut Judge<'_>,
    report: &mut Report,
) -> Result<(), LedgerError> {
    let mut after: Option<String> = None;
    loop {
        let page = store.stored_records(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        let readable: Vec<&Record> = page.iter().filter_map(|s| s.record.as_ref().ok()).collect();
        let fits = store.payloads_match(&readable).await?;
        for stored in page {
            let key = format!("record/{}", stored.id);
            let record = match stored.record {
                Ok(record) => record,
                Err(e) => {
                    judge.row(&key, Err(e), report);
                    continue;
                }
            };
            judge.row(&key, record_leaf(&record), report);
            if record.leaf_index != judge.indexes.get(&key).copied() {
                report.fault(&key, record.leaf_index, None, "row names another leaf");
            }
            judge.payload(&key, &record, fits.get(&record.id).copied(), report);
            let named = store.files_of(Table::Record, &record.ty, &record.facts);
            judge.files(store, &key, named, report).await?;
        }
    }
    Ok(())
}

/// Files that no field of a file names, but that the database speaks of.
async fn verify_blobs(
    store: &Store,
    judge: &mut Judge<'_>,
    report: &mut Report,
) -> Result<(), LedgerError> {
    let mut after = String::new();
    while store.has_files() {
        let page = store.all_blobs(&after).await?;
        let Some(last) = page.last() else { break };
        after = last.sha256.clone();
        for blob in page {
            if judge.files.contains_key(&blob.sha256) {
                continue;
            }
            let what = match judge.file(store, &blob.sha256, report).await? {
                BlobState::Good => continue,
                BlobState::Shut if judge.locked => {
                    report.unreadable += 1;
                    continue;
                }
                BlobState::Missing => "file is missing",
                BlobState::Changed => "file was changed",
                BlobState::Shut => "file has no key that opens it",
            };
            report.fault(format!("blob/{}", blob.sha256), None, None, what);
        }
    }
    Ok(())
}

async fn all_pending(store: &Store) -> Result<BTreeMap<String, String>, LedgerError> {
    let rows = store.db().fetch("SELECT row_key, leaf FROM outbox ORDER BY seq", &[]).await?;
    rows.iter()
        .map(|r| Ok((r[0].text()?.to_owned(), r[1].text()?.to_owned())))
        .collect::<Result<_, StoreError>>()
        .map_err(LedgerError::from)
}

async fn all_indexes(store: &Store) -> Result<BTreeMap<String, u64>, LedgerError> {
    let rows = store.db().fetch("SELECT row_key, leaf_index FROM leaf", &[]).await?;
    rows.iter()
        .map(|r| Ok((r[0].text()?.to_owned(), r[1].int()? as u64)))
        .collect::<Result<_, StoreError>>()
        .map_err(LedgerError::from)
}
