//! Proofs from the files of a ledger alone, beside a running writer.

use std::{cell::RefCell, collections::HashMap, fs, path::Path};

use merkle::{Checkpoint, Hash, ProofError, SignedNote, TileId, TiledTree, TlogProof, VerifierKey};

use crate::{LedgerError, cosigned};

/// Inclusion proof of a leaf under the checkpoint that witnesses have cosigned if it reaches that far,
/// else under the last one; `None` while no checkpoint covers it.
pub fn read_proof(folder: &Path, index: u64) -> Result<Option<TlogProof>, LedgerError> {
    if let Some(note) = cosigned::newest_cosigned(folder)?
        && let Ok(Some(proof)) = proof_under(folder, note, index)
    {
        return Ok(Some(proof));
    }
    let path = folder.join("checkpoint");
    let bytes = fs::read(&path).map_err(|source| LedgerError::Io { path, source })?;
    proof_under(folder, SignedNote::parse(&bytes)?, index)
}

fn proof_under(
    folder: &Path,
    note: SignedNote,
    index: u64,
) -> Result<Option<TlogProof>, LedgerError> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|source| LedgerError::Io { path, source })
    };
    let key = String::from_utf8_lossy(&read("vkey")?).into_owned();
    let key = VerifierKey::parse(key.trim_end())?;
    let checkpoint = Checkpoint::open_note(&note, key.name(), &key, &[])?.checkpoint;
    if index >= checkpoint.size() {
        return Ok(None);
    }
    let known: RefCell<HashMap<String, Vec<Hash>>> = RefCell::default();
    let tree = TiledTree::new(checkpoint.size(), |tile: TileId| {
        let name = tile.path();
        if let Some(hashes) = known.borrow().get(&name) {
            return Ok(hashes.clone());
        }
        let missing = ProofError::MissingNode {
            level: u32::from(tile.level()) * 8,
            index: tile.index() * 256,
        };
        let bytes = fs::read(folder.join(&name)).map_err(|_| missing.clone())?;
        let hashes = merkle::decode_tile(&bytes).map_err(|_| missing)?;
        known.borrow_mut().insert(name, hashes.clone());
        Ok(hashes)
    });
    // After an old backup was restored, a cosigned checkpoint may be of another history than the tiles.
    if merkle::tree_root(checkpoint.size(), &tree)? != *checkpoint.root() {
        return Ok(None);
    }
    let hashes = merkle::inclusion_proof(index, checkpoint.size(), &tree)?;
    Ok(Some(TlogProof::new(Vec::new(), index, hashes, note)?))
}
