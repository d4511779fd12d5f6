//! Key, checkpoint and tiles: small files that are replaced whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use merkle::{Checkpoint, MemTree, Signer, TileId, TileReader};

use crate::{LedgerError, log::Log};

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError + '_ {
    move |source| LedgerError::Io { path: path.to_owned(), source }
}

pub(crate) fn create_dir(path: &Path) -> Result<(), LedgerError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))
}

/// Writes, syncs, renames, syncs the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = path.with_extension("tmp");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(io(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io(&temporary))?;
    fs::rename(&temporary, path).map_err(io(path))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(io(folder))
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
    for tile in merkle::tiles_for_growth(old, tree.size()) {
        let bytes = tile_bytes(&tile, tree).unwrap_or_default();
        write_file(&folder.join(tile.path()), &bytes)?;
        if let Some(path) = tile.entries_path() {
            let start = tile.index() * 256;
            let mut entries = Vec::with_capacity(usize::from(tile.width()));
            for index in start..start + u64::from(tile.width()) {
                entries.push(log.read(index)?.unwrap_or_default());
            }
            write_file(&folder.join(path), &merkle::encode_bundle(&entries)?)?;
        }
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    if let Some(folder) = path.parent() {
        create_dir(folder)?;
    }
    // Tiles can be rebuilt from the log, so they are not synced one by one.
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes).map_err(io(&temporary))?;
    fs::rename(&temporary, path).map_err(io(path))
}
