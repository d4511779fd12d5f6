//! Every published set can be made again: what it was built of is kept, and its root compared.
//!
//! The rows of a set are lines in the order they were built in. Lines are cut into chunks where their own hash says
//! so, so a row that comes or goes changes the chunk it lies in and no other; a chunk is a file named by its content
//! and lies there once for all sets that hold it.
//!
//! Limits: `SETS_MAX` sets, the oldest go first; `CHUNK_LINES_MAX` lines of a chunk.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use indicators::{Ceiling, Direction, Entry, Kind, Kinds, Micros, ndjson, set};
use intel::{FileRef, Manifest};
use netname::Names;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Below the folder of sets.
const FOLDER: &str = "past";
const CHUNKS: &str = "chunks";
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

/// What a set was built of, beside its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub root: String,
    pub sequence: u64,
    /// Microseconds since 1970.
    pub made_at: i64,
    pub rows: u64,
    /// Hex.
    pub seed: String,
    /// Name of the one file, before its hash.
    pub prefix: String,
    /// SHA-256 of the lines of each chunk, hex.
    pub chunks: Vec<String>,
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

/// Keeps what a set is built of.
pub fn keep(
    sets: &Path,
    manifest: &Manifest,
    seed: [u8; 16],
    entries: &[Entry],
) -> Result<(), PastError> {
    let folder = sets.join(FOLDER);
    let chunks_at = folder.join(CHUNKS);
    fs::create_dir_all(&chunks_at).map_err(failed(&chunks_at))?;
    let (mut chunks, mut open, mut lines, mut last) = (Vec::new(), Vec::new(), 0, 0);
    for entry in entries {
        let text =
            serde_json::to_vec(&line(entry, last)).map_err(|e| PastError::Build(e.to_string()))?;
        last = entry.id;
        open.extend_from_slice(&text);
        open.push(b'\n');
        lines += 1;
        let hash = Sha256::digest(&text);
        if u16::from_be_bytes([hash[0], hash[1]]) < CUT_BELOW || lines >= CHUNK_LINES_MAX {
            chunks.push(put_chunk(&chunks_at, &open)?);
            open.clear();
            lines = 0;
        }
    }
    if !open.is_empty() {
        chunks.push(put_chunk(&chunks_at, &open)?);
    }
    let kept = Kept {
        root: manifest.root(),
        sequence: manifest.sequence,
        made_at: manifest.made_at,
        rows: manifest.rows,
        seed: hex::encode(seed),
        prefix: "base".to_owned(),
        chunks,
    };
    let path = folder.join(name(&kept));
    let text = serde_json::to_vec(&kept).map_err(|e| PastError::Build(e.to_string()))?;
    disk::replace(&path, &text).map_err(failed(&path))?;
    bound(&folder)
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
    let mut used = BTreeSet::new();
    for name in kept {
        used.extend(read(&folder.join(name))?.chunks);
    }
    let chunks = folder.join(CHUNKS);
    for entry in fs::read_dir(&chunks).map_err(failed(&chunks))? {
        let path = entry.map_err(failed(&chunks))?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        if stem.is_some_and(|stem| !used.contains(&stem)) {
            fs::remove_file(&path).map_err(failed(&path))?;
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

fn read(path: &Path) -> Result<Kept, PastError> {
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

/// The rows of a set, as they were built.
pub fn entries(sets: &Path, kept: &Kept, names: &Names) -> Result<Vec<Entry>, PastError> {
    let folder = sets.join(FOLDER).join(CHUNKS);
    let (mut all, mut last) = (Vec::new(), 0_u64);
    for sha256 in &kept.chunks {
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
            let line: Line = serde_json::from_slice(text).map_err(|e| damaged(&path, e))?;
            let entry = entry(line, &mut last, names).map_err(|why| damaged(&path, why))?;
            all.push(entry);
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
    let mut seed = [0; 16];
    hex::decode_to_slice(&kept.seed, &mut seed)
        .map_err(|error| PastError::Build(format!("seed: {error}")))?;
    let entries = entries(sets, kept, names)?;
    let mut bytes = Vec::new();
    set::build(entries, seed, &set::Limits::DEFAULT, &mut bytes)
        .map_err(|error| PastError::Build(error.to_string()))?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let name = format!("{}-{}.uix", kept.prefix, &sha256[..16]);
    let files = vec![FileRef { name, sha256, bytes: bytes.len() as u64 }];
    let manifest =
        Manifest { sequence: kept.sequence, made_at: kept.made_at, rows: kept.rows, files };
    Ok(manifest.root())
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
        let files = vec![intel::add_file(folder, "base", &bytes).expect("file")];
        let manifest = Manifest { sequence, made_at: 9, rows: entries.len() as u64, files };
        keep(folder, &manifest, seed, entries).expect("kept");
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
        let [one, two] = [&first, &second].map(|m| find(folder, &m.root()).expect("kept").chunks);
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
        let path = chunk_path(&folder.join(FOLDER).join(CHUNKS), &kept.chunks[0]);
        fs::write(&path, zstd::encode_all(&b"{}\n"[..], 3).expect("packed")).expect("written");
        let error = rebuild(folder, &kept, &names).expect_err("changed").to_string();
        assert!(error.contains(&kept.chunks[0]) && error.contains("another"), "{error}");
        for root in ["", "../../etc", "0123456789abcdef"] {
            assert!(matches!(find(folder, root), Err(PastError::Unknown(_))), "{root}");
        }
    }
}
