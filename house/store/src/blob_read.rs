//! Reading files back, piece by piece.

use std::{
    fs::File,
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{
    Blob, BlobState, Keys, Store, StoreError,
    blobs::{Sealed, io, is_sha256},
    payload::blocking,
    sealed::{Opener, PIECE_BYTES},
};

/// Pieces read at once: what a download holds in memory.
const PIECES: u64 = 4;

/// A file as it was found.
pub enum Opening {
    Open(BlobReader),
    Missing,
    /// Its length, or the content its key was made for, is not what the database says.
    Changed,
    /// No key opens it.
    Shut,
}

enum Source {
    Sealed(Box<Opener>),
    /// What an older Ume left, until it is sealed.
    Clear(File, PathBuf),
}

impl Source {
    fn read(&self, first: u64) -> Result<Vec<u8>, StoreError> {
        match self {
            Source::Sealed(opener) => opener.read(first, PIECES),
            Source::Clear(file, path) => {
                let mut bytes = vec![0; PIECES as usize * PIECE_BYTES];
                let (mut filled, from) = (0, first * PIECE_BYTES as u64);
                while filled < bytes.len() {
                    let at = from + filled as u64;
                    match file.read_at(&mut bytes[filled..], at).map_err(io(path))? {
                        0 => break,
                        n => filled += n,
                    }
                }
                bytes.truncate(filled);
                Ok(bytes)
            }
        }
    }
}

/// A file that is being read, from its beginning on.
pub struct BlobReader {
    source: Arc<Source>,
    next: u64,
}

impl BlobReader {
    /// The next bytes; empty behind the last. What does not open is an error, and nothing of it is
    /// given.
    pub async fn chunk(&mut self) -> Result<Vec<u8>, StoreError> {
        let (source, first) = (self.source.clone(), self.next);
        let bytes = blocking(move || source.read(first)).await?;
        self.next += PIECES;
        Ok(bytes)
    }

    /// SHA-256 of all of it; `None` where a piece does not open.
    fn hash(mut self) -> Result<Option<String>, StoreError> {
        let mut hash = Sha256::new();
        loop {
            match self.source.read(self.next) {
                Ok(bytes) if bytes.is_empty() => return Ok(Some(hex::encode(hash.finalize()))),
                Ok(bytes) => hash.update(&bytes),
                Err(StoreError::SealedFile(..)) => return Ok(None),
                Err(error) => return Err(error),
            }
            self.next += PIECES;
        }
    }
}

impl Store {
    /// Where the bytes of a file lie, whether or not they are there.
    pub fn blob_path(&self, blob: &Blob) -> Result<PathBuf, StoreError> {
        Ok(self.blob_folder()?.folder.join(blob.place()))
    }

    /// Opens a file for reading.
    pub async fn open_blob(&self, blob: &Blob) -> Result<Opening, StoreError> {
        let (path, blob, keys) = (self.blob_path(blob)?, blob.clone(), self.keys()?.clone());
        blocking(move || open(&keys, &path, &blob)).await
    }

    /// A whole file in memory; `None` if it is not there or does not open. Its size is limited as that
    /// of every file ([`crate::FILE_BYTES_MAX`] unless configured).
    pub async fn blob_bytes(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.blob(sha256).await? {
            Some(blob) => self.whole_blob(&blob).await,
            None => Ok(None),
        }
    }

    /// The same of a file that was looked up; asks the database nothing.
    pub async fn whole_blob(&self, blob: &Blob) -> Result<Option<Vec<u8>>, StoreError> {
        let Opening::Open(mut reader) = self.open_blob(blob).await? else { return Ok(None) };
        let mut whole = Vec::new();
        loop {
            let bytes = reader.chunk().await?;
            if bytes.is_empty() {
                return Ok(Some(whole));
            }
            whole.extend(bytes);
        }
    }

    pub(crate) async fn blob_opens(&self, blob: &Blob) -> Result<bool, StoreError> {
        Ok(matches!(self.open_blob(blob).await?, Opening::Open(_)))
    }

    /// Reads a file back and holds it against its hash. One of which the database knows nothing is
    /// missing.
    pub async fn blob_state(&self, sha256: &str) -> Result<BlobState, StoreError> {
        let Some(blob) = self.blob(sha256).await? else { return Ok(BlobState::Missing) };
        let (path, keys) = (self.blob_path(&blob)?, self.keys()?.clone());
        blocking(move || {
            Ok(match open(&keys, &path, &blob)? {
                Opening::Missing => BlobState::Missing,
                Opening::Changed => BlobState::Changed,
                Opening::Shut => BlobState::Shut,
                Opening::Open(reader) => match reader.hash()? {
                    Some(hash) if hash == blob.sha256 => BlobState::Good,
                    _ => BlobState::Changed,
                },
            })
        })
        .await
    }
}

fn open(keys: &Keys, path: &Path, blob: &Blob) -> Result<Opening, StoreError> {
    if !is_sha256(&blob.sha256) {
        return Ok(Opening::Missing);
    }
    let file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Opening::Missing),
        file => file.map_err(io(path))?,
    };
    let source = match &blob.sealed {
        None => Source::Clear(file, path.to_owned()),
        Some(Sealed { file: id, cohort, slot }) => {
            let Some(secret) = keys.reader()?.read(cohort, *slot, *id)? else {
                return Ok(Opening::Shut);
            };
            // The key says for which content it is: a row cannot show another file under this hash.
            if hex::encode(secret.salt) != blob.sha256 {
                return Ok(Opening::Changed);
            }
            match Opener::new(file, path, &secret.key, *id, blob.bytes)? {
                Some(opener) => Source::Sealed(Box::new(opener)),
                None => return Ok(Opening::Changed),
            }
        }
    };
    Ok(Opening::Open(BlobReader { source: Arc::new(source), next: 0 }))
}
