//! Key, checkpoint and tiles: small files that are replaced whole.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read},
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use merkle::{Checkpoint, MemTree, Signer, TileId, TileReader};

use crate::{LedgerError, log::Log};

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError + '_ {
    move |source| LedgerError::Io { path: path.to_owned(), source }
}

pub(crate) fn create_dir(path: &Path) -> Result<(), LedgerError> {
    disk::create_dir(path).map_err(io(path))
}

/// Writes, syncs, renames, syncs the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    disk::replace(path, bytes).map_err(io(path))
}

/// Reads the signing key, drawing one at the very first start.
pub(crate) fn signer(folder: &Path, origin: &str) -> Result<Signer, LedgerError> {
    let path = folder.join("key");
    let mut seed = Vec::new();
    match File::open(&path) {
        Ok(mut file) => {
            file.read_to_end(&mut seed).map_err(io(&path))?;
        }
        // A log without its key must not get a new one: old proofs would no longer verify.
        Err(e)
            if e.kind() == ErrorKind::NotFound
                && !folder.join("checkpoint").exists()
                && !folder.join("log").exists() =>
        {
            seed = vec![0; 32];
            getrandom::fill(&mut seed).map_err(|_| LedgerError::Random)?;
            replace(&path, &seed)?;
        }
        Err(source) => return Err(LedgerError::Io { path, source }),
    }
    let seed: [u8; 32] = seed.try_into().map_err(|_| LedgerError::Key(path))?;
    let signer = Signer::from_seed(origin, &seed)?;
    let vkey = folder.join("vkey");
    if !vkey.exists() {
        replace(&vkey, format!("{}\n", signer.verifier_key()).as_bytes())?;
    }
    Ok(signer)
}

/// Reads and verifies the last checkpoint; `None` before the first.
pub(crate) fn read_checkpoint(
    folder: &Path,
    signer: &Signer,
) -> Result<Option<Checkpoint>, LedgerError> {
    let path = folder.join("checkpoint");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        // The first opening signs size 0 before anything can be appended.
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let entries = fs::metadata(folder.join("log")).is_ok_and(|log| log.len() > 0);
            return if entries { Err(LedgerError::Missing(path)) } else { Ok(None) };
        }
        Err(source) => return Err(LedgerError::Io { path, source }),
    };
    let open = Checkpoint::open(&bytes, signer.name(), &signer.verifier_key(), &[])?;
    Ok(Some(open.checkpoint))
}

/// Nodes of a tile within its level; `None` where a file name claims what no tree can hold.
pub(crate) fn tile_range(tile: &TileId) -> Option<Range<u64>> {
    let start = tile.index().checked_mul(256)?;
    Some(start..start.checked_add(u64::from(tile.width()))?)
}

/// Bytes a tile must hold; `None` where the tree does not reach.
pub(crate) fn tile_bytes(tile: &TileId, tree: &MemTree) -> Option<Vec<u8>> {
    let height = u32::from(tile.level()) * 8;
    let range = tile_range(tile)?;
    if height >= u64::BITS || range.end > tree.size() >> height {
        return None;
    }
    let hashes: Option<Vec<_>> = range.map(|i| tree.hash(height, i).ok()).collect();
    Some(merkle::encode_tile(&hashes?))
}

/// Bytes the bundle beside a leaf tile must hold; `None` where the log does not reach.
pub(crate) fn bundle_bytes(tile: &TileId, leaves: &[Vec<u8>]) -> Option<Vec<u8>> {
    let range = tile_range(tile)?;
    let entries = leaves.get(range.start as usize..range.end as usize)?;
    merkle::encode_bundle(entries).ok()
}

/// Writes the tiles that growth from `old` to the tree's size adds, and the entry bundles beside
/// the lowest level.
pub(crate) fn write_tiles(
    folder: &Path,
    tree: &MemTree,
    log: &mut Log,
    old: u64,
) -> Result<(), LedgerError> {
    let mut folders = BTreeSet::new();
    let mut write = |name: String, bytes: &[u8]| {
        let path = folder.join(name);
        folders.extend(path.ancestors().skip(1).take_while(|p| *p != folder).map(Path::to_owned));
        write_file(&path, bytes)
    };
    for tile in merkle::tiles_for_growth(old, tree.size()) {
        let bytes = tile_bytes(&tile, tree).unwrap_or_default();
        write(tile.path(), &bytes)?;
        if let Some(path) = tile.entries_path() {
            let start = tile.index() * 256;
            let mut entries = Vec::with_capacity(usize::from(tile.width()));
            for index in start..start + u64::from(tile.width()) {
                entries.push(log.read(index)?.unwrap_or_default());
            }
            write(path, &merkle::encode_bundle(&entries)?)?;
        }
    }
    // A name is durable only with its folder, and a new folder only with its own.
    folders.insert(folder.to_owned());
    for folder in folders.iter().rev() {
        disk::sync_folder(folder).map_err(io(folder))?;
    }
    Ok(())
}

/// Writes and syncs a file; its folder is synced by the caller, once for all.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    if let Some(folder) = path.parent() {
        create_dir(folder)?;
    }
    disk::put(path, bytes).map_err(io(path))
}

/// Takes the folder for this process until the file is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File, LedgerError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io(&path))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| LedgerError::InUse(folder.to_owned()))?;
    Ok(file)
}

/// Holds the tiles against the log: what the signed size needs must stand there, what a crash left
/// behind it is removed and written anew with the next checkpoint.
pub(crate) fn settle_tiles(
    folder: &Path,
    tree: &MemTree,
    log: &Log,
    signed: u64,
) -> Result<(), LedgerError> {
    for tile in merkle::tiles_for_growth(0, signed) {
        let path = folder.join(tile.path());
        if read_if_there(&path)? != tile_bytes(&tile, tree) {
            return Err(LedgerError::TileDamaged { path });
        }
        // Bundles are as large as the log: here their length, byte for byte the verifier.
        let (Some(name), Some(range)) = (tile.entries_path(), tile_range(&tile)) else { continue };
        let path = folder.join(name);
        if fs::metadata(&path).map(|m| m.len()).ok() != log.bundle_bytes(range) {
            return Err(LedgerError::TileDamaged { path });
        }
    }
    let mut found = BTreeSet::new();
    walk(&folder.join("tile"), &mut found)?;
    for path in found {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        let is_bundle = name.starts_with("tile/entries/");
        let parsed = if is_bundle { TileId::parse_entries(&name) } else { TileId::parse(&name) };
        let stale = match parsed {
            Err(_) => name.ends_with(".tmp"),
            Ok(tile) => {
                let end = tile_range(&tile).and_then(|range| {
                    range.end.checked_mul(1_u64.checked_shl(u32::from(tile.level()) * 8)?)
                });
                // Names that no tree can have, and what is signed, are the verifier's business.
                end.is_some_and(|end| end > signed) && !fits(&tile, is_bundle, &path, tree, log)?
            }
        };
        if stale {
            tracing::warn!(name, "removed a tile that a crash left unfinished");
            disk::remove_file(&path).map_err(io(&path))?;
        }
    }
    Ok(())
}

fn fits(
    tile: &TileId,
    is_bundle: bool,
    path: &Path,
    tree: &MemTree,
    log: &Log,
) -> Result<bool, LedgerError> {
    let Some(have) = read_if_there(path)? else { return Ok(false) };
    if !is_bundle {
        return Ok(tile_bytes(tile, tree) == Some(have));
    }
    let Some(range) = tile_range(tile).filter(|range| range.end <= tree.size()) else {
        return Ok(false);
    };
    // By hash: the log was read already when its tree was built.
    let Ok(entries) = merkle::decode_bundle(&have) else { return Ok(false) };
    let whole = log.bundle_bytes(range.clone()) == Some(have.len() as u64);
    Ok(whole
        && entries.len() as u64 == range.end - range.start
        && range.zip(entries).all(|(index, entry)| {
            tree.hash(0, index).is_ok_and(|hash| hash == merkle::leaf_hash(entry))
        }))
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { path: path.to_owned(), source }),
    }
}

/// Every file below a folder.
pub(crate) fn walk(folder: &Path, out: &mut BTreeSet<PathBuf>) -> Result<(), LedgerError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(folder)(e)),
    };
    for entry in entries {
        let path = entry.map_err(io(folder))?.path();
        if path.is_dir() {
            walk(&path, out)?;
        } else {
            out.insert(path);
        }
    }
    Ok(())
}
