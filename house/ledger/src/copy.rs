//! What of a ledger folder belongs into a backup, taken beside a running writer.
//!
//! Order of a consistent copy: [`Frozen::read`] first, then the tables, then the files. Everything
//! the checkpoint covers then stands in the tables, and the log is cut where the tables end, so that
//! no leaf of the copy lacks its row.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
};

use merkle::{Checkpoint, VerifierKey};

use crate::{
    LedgerError,
    log::{FRAME_HEAD_BYTES, Frame, read_frame},
};

/// A signed checkpoint as it stood at one time.
pub struct Frozen {
    /// The file `checkpoint`, byte for byte.
    pub checkpoint: Vec<u8>,
    /// Number of leaves it covers.
    pub size: u64,
}

impl Frozen {
    /// Reads and verifies the checkpoint of a ledger folder.
    pub fn read(folder: &Path) -> Result<Frozen, LedgerError> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|source| LedgerError::Io { path, source })
        };
        let key = String::from_utf8_lossy(&read("vkey")?).into_owned();
        let key = VerifierKey::parse(key.trim_end())?;
        let checkpoint = read("checkpoint")?;
        let size = Checkpoint::open(&checkpoint, key.name(), &key, &[])?.checkpoint.size();
        Ok(Frozen { checkpoint, size })
    }

    /// Names, below the folder, of the files beside `checkpoint` and `log`: keys and tiles.
    pub fn files(&self) -> Vec<String> {
        let mut names = vec!["key".to_owned(), "vkey".to_owned()];
        for tile in merkle::tiles_for_growth(0, self.size) {
            names.push(tile.path());
            names.extend(tile.entries_path());
        }
        names
    }

    /// Bytes of the log that hold the leaves of the checkpoint and the `settled` ones of the tables.
    pub fn log_bytes(&self, folder: &Path, settled: u64) -> Result<u64, LedgerError> {
        let path = folder.join("log");
        let io = |source| LedgerError::Io { path: path.clone(), source };
        let size = self.size.max(settled);
        let mut reader = BufReader::with_capacity(1 << 20, File::open(&path).map_err(io)?);
        let mut offset = 0;
        for index in 0..size {
            match read_frame(&mut reader).map_err(io)? {
                Frame::Entry(bytes) => offset += FRAME_HEAD_BYTES + bytes.len() as u64,
                _ => return Err(LedgerError::Damaged { path, offset, index, size }),
            }
        }
        Ok(offset)
    }
}

/// Number of leaves the tables name.
pub async fn settled_size(store: &store::Store) -> Result<u64, LedgerError> {
    let sql = "SELECT COALESCE(MAX(leaf_index), -1) FROM leaf";
    let rows = store.db().fetch(sql, &[]).await?;
    Ok((rows[0][0].int()? + 1) as u64)
}
