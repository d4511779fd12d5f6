//! Receiving files: sealed while they come in.
//!
//! Order: the sealed bytes are synced, then the key is, then the file gets its name, then its row is
//! committed. A crash leaves a `.part`, a file without a row or a key without a file: none of them can
//! be mistaken for a file, and the sweep takes the first two away. What waits in memory is bounded.

use std::path::PathBuf;

use model::Id;
use sha2::{Digest, Sha256};

use crate::{
    Blob, Keys, Store, StoreError, Val,
    blobs::{Blobs, PART, Sealed, create, io},
    file_name::{HEAD_BYTES, clean_name, fits, sniff},
    keys::{self, Secret},
    payload::blocking,
    sealed::Sealer,
};

/// Bytes collected before they are sealed and written.
const CHUNK_BYTES: usize = 1024 * 1024;

/// A file on its way to the disk.
pub(crate) struct Part {
    file: disk::File,
    path: PathBuf,
    sealer: Sealer,
}

impl Part {
    pub(crate) fn begin(blobs: &Blobs, id: Id, key: &[u8; 32]) -> Result<Part, StoreError> {
        let path = blobs.path(id).with_extension(PART);
        create(path.parent().unwrap_or(&blobs.folder))?;
        let file = disk::File::create(&path).map_err(io(&path))?;
        Ok(Part { file, path, sealer: Sealer::new(key, id)? })
    }

    /// Seals and writes what waits; with the end of it, durably.
    pub(crate) fn take(&mut self, waiting: &mut Vec<u8>, end: bool) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(waiting, end)?;
        self.file.write_all(&sealed).map_err(io(&self.path))?;
        if end {
            self.file.sync().map_err(io(&self.path))?;
        }
        Ok(())
    }
}

/// Keeps the keys of files that were written whole, and gives these their names. Gives the slots.
pub(crate) fn place(
    keys: &Keys,
    blobs: &Blobs,
    cohort: &str,
    files: &[(Id, Secret)],
) -> Result<Vec<Sealed>, StoreError> {
    let (cohort, first) = keys.append(cohort, files)?;
    let mut out = Vec::with_capacity(files.len());
    for (slot, (file, _)) in (first..).zip(files) {
        let path = blobs.path(*file);
        disk::rename(&path.with_extension(PART), &path).map_err(io(&path))?;
        let folder = path.parent().unwrap_or(&blobs.folder);
        disk::sync_folder(folder).map_err(io(folder))?;
        out.push(Sealed { file: *file, cohort: cohort.clone(), slot });
    }
    Ok(out)
}

/// A file that is being received. Dropped before [`Store::keep`] it leaves nothing behind.
pub struct Upload {
    file: Id,
    secret: Secret,
    path: PathBuf,
    /// Not there once writing it failed.
    part: Option<Part>,
    waiting: Vec<u8>,
    head: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    bytes_max: u64,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Upload {
    /// Takes the next bytes; one byte too many ends it.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(StoreError::LargeFile(self.bytes_max));
        }
        self.hash.update(bytes);
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK_BYTES { self.flush(false).await } else { Ok(()) }
    }

    /// Bytes received so far.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    async fn flush(&mut self, end: bool) -> Result<(), StoreError> {
        let mut part = self.part.take().ok_or(StoreError::NoFiles)?;
        let mut waiting = std::mem::take(&mut self.waiting);
        let (part, waiting) = blocking(move || {
            part.take(&mut waiting, end)?;
            Ok((part, waiting))
        })
        .await?;
        self.waiting = waiting;
        self.part = Some(part);
        Ok(())
    }
}

impl Store {
    /// Begins to receive a file.
    pub async fn upload(&self) -> Result<Upload, StoreError> {
        let (blobs, file, secret) = (self.blob_folder()?.clone(), self.new_id()?, Secret::draw()?);
        let (bytes_max, key) = (blobs.bytes_max, secret.key);
        let path = blobs.path(file).with_extension(PART);
        let part = blocking(move || Part::begin(&blobs, file, &key)).await?;
        Ok(Upload {
            file,
            secret,
            path,
            part: Some(part),
            waiting: Vec::new(),
            head: Vec::new(),
            hash: Sha256::new(),
            bytes: 0,
            bytes_max,
        })
    }

    /// Keeps what was received: file and key first, synced, then the row.
    pub async fn keep(
        &self,
        mut upload: Upload,
        name: &str,
        actor: &str,
    ) -> Result<Blob, StoreError> {
        let (name, media_type) = (clean_name(name), sniff(&upload.head));
        if !fits(&name, media_type, upload.bytes) {
            return Err(StoreError::FileType { name, found: media_type });
        }
        upload.flush(true).await?;
        let digest = std::mem::take(&mut upload.hash).finalize();
        let sha256 = hex::encode(digest);
        let lock = self.hold_blobs().await?;
        let before = self.blob(&sha256).await?;
        let stands = match &before {
            Some(blob) => self.blob_opens(blob).await?,
            None => false,
        };
        if stands {
            // Who sends the same bytes again gets another day to name them.
            let sql = "UPDATE blob SET uploaded_at = $2 WHERE sha256 = $1";
            self.change_blob(sql, &[sha256.as_str().into(), self.now().0.into()]).await?;
        } else {
            upload.secret.salt = digest.into();
            let sealed = self.place_upload(&upload).await?;
            let sql = "INSERT INTO blob (sha256, bytes, media_type, name, uploaded_by, \
                       uploaded_at, file, cohort, slot) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                       ON CONFLICT (sha256) DO UPDATE SET uploaded_at = excluded.uploaded_at, \
                       file = excluded.file, cohort = excluded.cohort, slot = excluded.slot";
            let args = [
                sha256.as_str().into(),
                (upload.bytes as i64).into(),
                media_type.into(),
                name.as_str().into(),
                actor.into(),
                self.now().0.into(),
                sealed.file.to_string().into(),
                sealed.cohort.as_str().into(),
                (sealed.slot as i64).into(),
            ];
            self.change_blob(sql, &args).await?;
            // What lay there before could not be opened any more.
            self.discard(before.into_iter().collect(), true).await?;
        }
        drop(lock);
        self.blob(&sha256).await?.ok_or(StoreError::NoFiles)
    }

    async fn change_blob(&self, sql: &str, args: &[Val]) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        tx.execute(sql, args).await?;
        tx.commit().await
    }

    async fn place_upload(&self, upload: &Upload) -> Result<Sealed, StoreError> {
        let (keys, blobs) = (self.keys()?.clone(), self.blob_folder()?.clone());
        let cohort = keys::cohort_of_files(self.now());
        let files = [(upload.file, upload.secret.clone())];
        let placed = blocking(move || place(&keys, &blobs, &cohort, &files)).await?;
        placed.into_iter().next().ok_or(StoreError::NoFiles)
    }
}
