//! Every published set can be made again: what it was built of is kept, and its root compared.
//!
//! A set is a base and what changed since. What a file of it was built of are lines in that order, cut into chunks where
//! their own hash says so, so a row that comes or goes changes the chunk it lies in and no other; a chunk is a file
//! named by its content and lies there once for all that hold it.
//!
//! Limits: `SETS_MAX` sets, the oldest go first; `CHUNK_LINES_MAX` lines of a chunk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use indicators::{
    Ceiling, Direction, Entry, Kind, Kinds, Micros, ndjson,
    set::{self, Change},
};
use intel::{FileRef, Manifest};
use netname::Names;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Below the folder of sets.
const FOLDER: &str = "past";
const CHUNKS: &str = "chunks";
const FILES: &str = "files";
const SETS_MAX: usize = 20_000;
/// How many are dropped at once, so that sweeping is rare.
const DROPPED: usize = 1_000;
const CHUNK_LINES_MAX: usize = 16_384;
/// A line ends a chunk if the first two bytes of its hash are below this: some 1,000 lines on average.
const CUT_BELOW: u16 = 64;
const LEVEL: i32 = 3;
/// A chunk that is larger when opened is none of ours.
const CHUNK_BYTES_MAX: u64 = 1 << 30;
const SET_BYTES_MAX: u64 = 64 << 20;
const RAW_BYTES_MAX: u64 = 1 << 30;

/// Why a set cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error("no set with the root {0} is kept")]
    Unknown(String),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("build: {0}")]
    Build(String),
}

/// A set that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub root: String,
    pub sequence: u64,
    /// Microseconds since 1970.
    pub made_at: i64,
    pub rows: u64,
    /// The base, then what changed since.
    pub files: Vec<FileRef>,
}

/// What a file of a set was built of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    is_base: bool,
    /// Hex.
    seed: String,
    /// SHA-256 of the lines of each chunk, hex.
    chunks: Vec<String>,
}

/// A line that is kept.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Gone { gone: u64 },
    Row(Line),
}

/// A row as it is kept. The number counts on from the row before, so that a new row changes no other line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    step: u64,
    kind: String,
    scope: String,
    value: String,
    direction: Direction,
    ceiling: Ceiling,
    from: Option<Micros>,
    until: Option<Micros>,
    kinds: Kinds,
    source: String,
}

/// Keeps what a file is built of while it is built.
pub struct Keeper {
    folder: PathBuf,
    chunks: Vec<String>,
    open: Vec<u8>,
    lines: usize,
    last: u64,
    failed: Option<PastError>,
}

impl Keeper {
    /// For a file below this folder of sets.
    pub fn new(sets: &Path) -> Result<Keeper, PastError> {
        let folder = sets.join(FOLDER);
        for name in [CHUNKS, FILES] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(failed(&path))?;
        }
        let (chunks, open) = (Vec::new(), Vec::new());
        Ok(Keeper { folder, chunks, open, lines: 0, last: 0, failed: None })
    }

    /// A row that goes into the file.
    pub fn row(&mut self, entry: &Entry) {
        let line = Said::Row(line(entry, self.last));
        self.last = entry.id;
        self.take(&line);
    }

    /// A change that goes into the file.
    pub fn change(&mut self, change: &Change) {
        match change {
            Change::Put(entry) => self.row(entry),
            Change::Gone(id) => {
                let gone = id.wrapping_sub(self.last);
                self.last = *id;
                self.take(&Said::Gone { gone });
            }
        }
    }

    fn take(&mut self, line: &Said) {
        if self.failed.is_none() {
            self.failed = self.write(line).err();
        }
    }

    fn write(&mut self, line: &Said) -> Result<(), PastError> {
        let text = serde_json::to_vec(line).map_err(|e| PastError::Build(e.to_string()))?;
        self.open.extend_from_slice(&text);
        self.open.push(b'\n');
        self.lines += 1;
        let hash = Sha256::digest(&text);
        let is_cut = u16::from_be_bytes([hash[0], hash[1]]) < CUT_BELOW;
        if is_cut || self.lines >= CHUNK_LINES_MAX {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), PastError> {
        if !self.open.is_empty() {
            self.chunks.push(put_chunk(&self.folder.join(CHUNKS), &self.open)?);
            self.open.clear();
            self.lines = 0;
        }
        Ok(())
    }

    /// The file was built with this seed.
    pub fn done(mut self, file: &FileRef, is_base: bool, seed: [u8; 16]) -> Result<(), PastError> {
        self.close()?;
        if let Some(error) = self.failed {
            return Err(error);
        }
        let parts = Parts { is_base, seed: hex::encode(seed), chunks: self.chunks };
        let path = parts_path(&self.folder, file);
        let text = serde_json::to_vec(&parts).map_err(|e| PastError::Build(e.to_string()))?;
        disk::replace(&path, &text).map_err(failed(&path))
    }
}

/// Whether a file of a set is one of values, and not of what stands beside them.
pub fn holds_values(file: &FileRef) -> bool {
    file.name.ends_with(".uix")
}

fn raw_path(folder: &Path, file: &FileRef) -> PathBuf {
    folder.join(FILES).join(format!("{}.raw", file.sha256))
}

/// Keeps a set whose files of values were kept; what stands beside them is small and kept as it is.
pub fn keep(sets: &Path, manifest: &Manifest) -> Result<(), PastError> {
    let folder = sets.join(FOLDER);
    for file in manifest.files.iter().filter(|file| !holds_values(file)) {
        let path = raw_path(&folder, file);
        if !path.exists() {
            let bytes = bounded(&sets.join(&file.name), RAW_BYTES_MAX)?;
            disk::replace(&path, &bytes).map_err(failed(&path))?;
        }
    }
    let kept = Kept {
        root: manifest.root(),
        sequence: manifest.sequence,
        made_at: manifest.made_at,
        rows: manifest.rows,
        files: manifest.files.clone(),
    };
    let path = folder.join(name(&kept));
    let text = serde_json::to_vec(&kept).map_err(|e| PastError::Build(e.to_string()))?;
    disk::replace(&path, &text).map_err(failed(&path))?;
    bound(&folder)
}

fn parts_path(folder: &Path, file: &FileRef) -> PathBuf {
    folder.join(FILES).join(format!("{}.json", file.sha256))
}

fn parts(folder: &Path, file: &FileRef) -> Result<Parts, PastError> {
    read(&parts_path(folder, file))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PastError {
    let path = path.to_owned();
    move |source| PastError::Io { path, source }
}

/// Sorts by sequence.
fn name(kept: &Kept) -> String {
    format!("{:012}-{}.json", kept.sequence, kept.root)
}

fn line(entry: &Entry, last: u64) -> Line {
    Line {
        step: entry.id.wrapping_sub(last),
        kind: entry.key.kind().as_str().to_owned(),
        scope: entry.key.scope().as_str().to_owned(),
        value: entry.key.text().to_owned(),
        direction: entry.direction,
        ceiling: entry.ceiling,
        from: entry.from,
        until: entry.until,
        kinds: entry.kinds,
        source: entry.source.clone(),
    }
}

fn put_chunk(folder: &Path, lines: &[u8]) -> Result<String, PastError> {
    let sha256 = hex::encode(Sha256::digest(lines));
    let path = chunk_path(folder, &sha256);
    if !path.exists() {
        let packed = zstd::encode_all(lines, LEVEL).map_err(failed(&path))?;
        disk::replace(&path, &packed).map_err(failed(&path))?;
    }
    Ok(sha256)
}

fn chunk_path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}.zst"))
}

/// The kept sets, oldest first.
fn names(folder: &Path) -> Result<Vec<String>, PastError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in listed {
        let name = entry.map_err(failed(folder))?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Drops the oldest sets beyond the limit, and chunks that no set holds any more.
fn bound(folder: &Path) -> Result<(), PastError> {
    let names = names(folder)?;
    if names.len() <= SETS_MAX {
        return Ok(());
    }
    let (old, kept) = names.split_at(names.len() - SETS_MAX + DROPPED);
    for name in old {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    let (mut files, mut chunks) = (BTreeSet::new(), BTreeSet::new());
    for name in kept {
        files.extend(read::<Kept>(&folder.join(name))?.files.into_iter().map(|file| file.sha256));
    }
    for sha256 in &files {
        let path = folder.join(FILES).join(format!("{sha256}.json"));
        if path.exists() {
            chunks.extend(read::<Parts>(&path)?.chunks);
        }
    }
    for (name, used) in [(FILES, files), (CHUNKS, chunks)] {
        let place = folder.join(name);
        for entry in fs::read_dir(&place).map_err(failed(&place))? {
            let path = entry.map_err(failed(&place))?.path();
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            if stem.is_some_and(|stem| !used.contains(&stem)) {
                fs::remove_file(&path).map_err(failed(&path))?;
            }
        }
    }
    Ok(())
}

fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, PastError> {
    let length = fs::metadata(path).map_err(failed(path))?.len();
    if length > most {
        return Err(damaged(path, format!("{length} bytes, more than {most}")));
    }
    fs::read(path).map_err(failed(path))
}

fn damaged(path: &Path, why: impl std::fmt::Display) -> PastError {
    PastError::Damaged { path: path.to_owned(), why: why.to_string() }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, PastError> {
    let bytes = bounded(path, SET_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, error))
}

/// The newest sets that are kept, newest first.
pub fn newest(sets: &Path, limit: usize) -> Result<Vec<Kept>, PastError> {
    let folder = sets.join(FOLDER);
    let names = names(&folder)?;
    names.iter().rev().take(limit).map(|name| read(&folder.join(name))).collect()
}

/// The set with this root, or the one whose root begins like this.
pub fn find(sets: &Path, root: &str) -> Result<Kept, PastError> {
    let unknown = || PastError::Unknown(root.to_owned());
    let is_root = root.len() >= 8 && root.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_root {
        return Err(unknown());
    }
    let folder = sets.join(FOLDER);
    let names = names(&folder)?;
    let of = |name: &&String| name.split_once('-').is_some_and(|(_, rest)| rest.starts_with(root));
    read(&folder.join(names.iter().rev().find(of).ok_or_else(unknown)?))
}

/// The rows of a set, by number: a later file has the last word on each row it names.
pub fn entries(sets: &Path, kept: &Kept, names: &Names) -> Result<Vec<Entry>, PastError> {
    let folder = sets.join(FOLDER);
    let mut all: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    for file in kept.files.iter().filter(|file| holds_values(file)) {
        let mut of_file: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
        for change in changes(&folder, &parts(&folder, file)?, names)? {
            match change {
                Change::Put(entry) => of_file.entry(entry.id).or_default().push(entry),
                Change::Gone(id) => drop(of_file.entry(id).or_default()),
            }
        }
        all.extend(of_file);
    }
    Ok(all.into_values().flatten().collect())
}

/// What a file was built of, in that order.
fn changes(folder: &Path, parts: &Parts, names: &Names) -> Result<Vec<Change>, PastError> {
    let folder = folder.join(CHUNKS);
    let (mut all, mut last) = (Vec::new(), 0_u64);
    for sha256 in &parts.chunks {
        let path = chunk_path(&folder, sha256);
        let packed = fs::File::open(&path).map_err(failed(&path))?;
        let mut lines = Vec::new();
        let unpacked = zstd::Decoder::new(packed).map_err(failed(&path))?;
        io::Read::read_to_end(&mut io::Read::take(unpacked, CHUNK_BYTES_MAX), &mut lines)
            .map_err(failed(&path))?;
        if hex::encode(Sha256::digest(&lines)) != *sha256 {
            return Err(damaged(&path, "its content is another"));
        }
        for text in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(text).map_err(|e| damaged(&path, e))? {
                Said::Gone { gone } => {
                    last = last.wrapping_add(gone);
                    all.push(Change::Gone(last));
                }
                Said::Row(line) => {
                    let entry = entry(line, &mut last, names).map_err(|why| damaged(&path, why))?;
                    all.push(Change::Put(entry));
                }
            }
        }
    }
    Ok(all)
}

fn entry(line: Line, last: &mut u64, names: &Names) -> Result<Entry, String> {
    *last = last.wrapping_add(line.step);
    if Kind::named(&line.kind).is_none() {
        return Err(format!("{} is no kind", line.kind));
    }
    let said = ndjson::Line {
        kind: line.kind,
        value: line.value.clone(),
        scope: Some(line.scope),
        ..ndjson::Line::default()
    };
    let key = ndjson::row(said, *last, 0, names).map_err(|error| error.to_string())?.key;
    if key.text() != line.value {
        return Err(format!("{:?} is written {:?} today", line.value, key.text()));
    }
    Ok(Entry {
        id: *last,
        key,
        direction: line.direction,
        source: line.source,
        ceiling: line.ceiling,
        from: line.from,
        until: line.until,
        kinds: line.kinds,
    })
}

/// Builds a past set anew and gives the root of what came of it.
pub fn rebuild(sets: &Path, kept: &Kept, names: &Names) -> Result<String, PastError> {
    let folder = sets.join(FOLDER);
    let mut files = Vec::new();
    for file in &kept.files {
        if !holds_values(file) {
            let bytes = bounded(&raw_path(&folder, file), RAW_BYTES_MAX)?;
            let sha256 = hex::encode(Sha256::digest(&bytes));
            files.push(FileRef { name: file.name.clone(), sha256, bytes: bytes.len() as u64 });
            continue;
        }
        let parts = parts(&folder, file)?;
        let mut seed = [0; 16];
        hex::decode_to_slice(&parts.seed, &mut seed)
            .map_err(|error| PastError::Build(format!("seed: {error}")))?;
        let changes = changes(&folder, &parts, names)?;
        let mut bytes = Vec::new();
        let limits = &set::Limits::DEFAULT;
        let built = match parts.is_base {
            true => {
                let rows = changes.into_iter().filter_map(|change| match change {
                    Change::Put(entry) => Some(entry),
                    Change::Gone(_) => None,
                });
                set::build(rows, seed, limits, &mut bytes)
            }
            false => set::build_delta(changes, seed, limits, &mut bytes),
        };
        built.map_err(|error| PastError::Build(error.to_string()))?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let prefix = if parts.is_base { "base" } else { "delta" };
        let name = format!("{prefix}-{}.uix", &sha256[..16]);
        files.push(FileRef { name, sha256, bytes: bytes.len() as u64 });
    }
    let Kept { sequence, made_at, rows, .. } = *kept;
    Ok(Manifest { sequence, made_at, rows, files }.root())
}

#[cfg(test)]
mod tests {
    use indicators::Scope;

    use super::*;

    fn entries_of(names: &Names, count: usize) -> Vec<Entry> {
        let mut all = vec![
            (Kind::Ip, "203.0.113.7", Scope::Exact),
            (Kind::Ip, "2001:db8::7", Scope::Exact),
            (Kind::Cidr, "198.51.100.0/25", Scope::Exact),
            (Kind::Domain, "evil.example", Scope::Subdomains),
            (Kind::Url, "http://evil.example/a/b?c=1", Scope::Exact),
            (Kind::Url, "http://evil.example/a/b", Scope::Prefix),
            (Kind::Url, "http://host.example/x", Scope::Host),
            (Kind::Email, "a@mail.example", Scope::Exact),
            (Kind::Email, "a@host.example", Scope::Host),
            (Kind::FileName, "請求書.exe", Scope::Exact),
            (Kind::Path, "C:\\Users\\x\\evil.exe", Scope::Exact),
            (Kind::RegistryKey, "HKLM\\Software\\Evil", Scope::Prefix),
        ];
        let many: Vec<String> = (0..count).map(|n| format!("n{n}.many.example")).collect();
        all.extend(many.iter().map(|name| (Kind::Domain, name.as_str(), Scope::Exact)));
        let key = |(kind, value, scope): &(Kind, &str, Scope)| {
            let key = indicators::normalise(*kind, value, names).expect("a key");
            key.reaching(*scope).expect("a scope")
        };
        let entries = (0..).zip(&all).map(|(id, one)| Entry::new(id * 2, key(one), "通知"));
        entries.collect()
    }

    fn publish(folder: &Path, sequence: u64, seed: [u8; 16], entries: &[Entry]) -> Manifest {
        let mut bytes = Vec::new();
        set::build(entries.iter().cloned(), seed, &set::Limits::DEFAULT, &mut bytes).expect("set");
        let file = intel::add_file(folder, "base", &bytes).expect("file");
        let mut keeper = Keeper::new(folder).expect("keeper");
        entries.iter().for_each(|entry| keeper.row(entry));
        keeper.done(&file, true, seed).expect("kept");
        let rows = entries.len() as u64;
        let manifest = Manifest { sequence, made_at: 9, rows, files: vec![file] };
        keep(folder, &manifest).expect("kept");
        manifest
    }

    #[test]
    fn a_past_set_is_built_anew_to_the_same_root() {
        let (folder, names) = (tempfile::tempdir().expect("folder"), Names::shipped());
        let folder = folder.path();
        let mut entries = entries_of(&names, 3_000);
        let first = publish(folder, 1, [7; 16], &entries);
        entries[3].until = Some(77);
        entries.remove(20);
        let second = publish(folder, 2, [8; 16], &entries);
        assert_ne!(first.root(), second.root());
        for manifest in [&first, &second] {
            let kept = find(folder, &manifest.root()[..12]).expect("kept");
            assert_eq!(rebuild(folder, &kept, &names).expect("built"), manifest.root());
        }
        let chunks = |manifest: &Manifest| {
            parts(&folder.join(FOLDER), &manifest.files[0]).expect("parts").chunks
        };
        let [one, two] = [&first, &second].map(chunks);
        let shared = two.iter().filter(|chunk| one.contains(chunk)).count();
        assert!(two.len() >= 3 && shared + 2 >= two.len(), "{shared} of {} shared", two.len());
        assert_eq!(newest(folder, 9).expect("listed").len(), 2);
    }

    #[test]
    fn a_chunk_that_was_changed_is_named_and_an_unknown_root_too() {
        let (folder, names) = (tempfile::tempdir().expect("folder"), Names::shipped());
        let folder = folder.path();
        let manifest = publish(folder, 1, [7; 16], &entries_of(&names, 0));
        let kept = find(folder, &manifest.root()).expect("kept");
        let chunk = parts(&folder.join(FOLDER), &kept.files[0]).expect("parts").chunks[0].clone();
        let path = chunk_path(&folder.join(FOLDER).join(CHUNKS), &chunk);
        fs::write(&path, zstd::encode_all(&b"{}\n"[..], 3).expect("packed")).expect("written");
        let error = rebuild(folder, &kept, &names).expect_err("changed").to_string();
        assert!(error.contains(&chunk) && error.contains("another"), "{error}");
        for root in ["", "../../etc", "0123456789abcdef"] {
            assert!(matches!(find(folder, root), Err(PastError::Unknown(_))), "{root}");
        }
    }

    #[test]
    fn what_changed_since_a_base_has_the_last_word() {
        let (folder, names) = (tempfile::tempdir().expect("folder"), Names::shipped());
        let folder = folder.path();
        let entries = entries_of(&names, 50);
        let base = publish(folder, 1, [7; 16], &entries);
        let mut later = entries[3].clone();
        later.until = Some(77);
        let changes = vec![Change::Put(later.clone()), Change::Gone(entries[20].id)];
        let mut keeper = Keeper::new(folder).expect("keeper");
        changes.iter().for_each(|change| keeper.change(change));
        let mut bytes = Vec::new();
        set::build_delta(changes, [9; 16], &set::Limits::DEFAULT, &mut bytes).expect("delta");
        let delta = intel::add_file(folder, "delta", &bytes).expect("file");
        keeper.done(&delta, false, [9; 16]).expect("kept");
        let files = vec![base.files[0].clone(), delta];
        let manifest = Manifest { sequence: 2, made_at: 10, rows: 61, files };
        keep(folder, &manifest).expect("kept");

        let kept = find(folder, &manifest.root()).expect("found");
        assert_eq!(rebuild(folder, &kept, &names).expect("built"), manifest.root());
        let now = super::entries(folder, &kept, &names).expect("rows");
        assert_eq!(now.len(), entries.len() - 1);
        assert!(now.iter().all(|entry| entry.id != entries[20].id));
        let changed = now.iter().find(|entry| entry.id == later.id).expect("there");
        assert_eq!(changed.until, Some(77));
    }
}
