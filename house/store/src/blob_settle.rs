//! Sealing the files that an older Ume left in the clear, at the first start.
//!
//! For each: sealed copy synced, key durable, named, row committed, and only then is the plain file
//! overwritten and removed. Whatever a crash interrupts is done again, and a plain file whose row was
//! committed goes at the next start.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use model::Id;
use sha2::{Digest, Sha256};

use crate::{
    Store, StoreError,
    blobs::{Blobs, Sealed, clear_place, io, is_sha256, wipe},
    keys::{Keys, Secret, cohort_of_files},
    payload::blocking,
    upload::{Part, place},
};

/// Files sealed between two commits.
const BATCH: usize = 64;
const READ_BYTES: usize = 1024 * 1024;
/// Folder of an older Ume's half uploads, plain.
const OLD_PARTS: &str = "tmp";

impl Store {
    pub(crate) async fn seal_clear_files(&self) -> Result<(), StoreError> {
        let Some(blobs) = self.blobs.clone().filter(|b| b.folder.is_dir()) else { return Ok(()) };
        if self.keys_locked()? {
            tracing::warn!("files stay as they are until keys/epoch is back");
            return Ok(());
        }
        let lock = self.hold_blobs().await?;
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let sql = format!(
                "SELECT sha256 FROM blob WHERE file IS NULL AND sha256 > $1 \
                 ORDER BY sha256 LIMIT {BATCH}"
            );
            let rows = self.db().fetch(&sql, &[after.as_str().into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last[0].text()?.to_owned();
            let names: Result<Vec<String>, StoreError> =
                rows.iter().map(|row| Ok(row[0].text()?.to_owned())).collect();
            count += self.seal_batch(&blobs, names?).await?;
        }
        if count > 0 {
            tracing::info!(count, "sealed the files of an older Ume");
        }
        self.wipe_clear_files(&blobs).await?;
        drop(lock);
        Ok(())
    }

    async fn seal_batch(&self, blobs: &Blobs, names: Vec<String>) -> Result<usize, StoreError> {
        let ids: Vec<Id> = names.iter().map(|_| self.new_id()).collect::<Result<_, _>>()?;
        let (keys, folder) = (self.keys()?.clone(), blobs.clone());
        let cohort = cohort_of_files(self.now());
        let sealed = blocking(move || seal_all(&keys, &folder, &cohort, names, ids)).await?;
        let mut tx = self.db().begin().await?;
        for (sha256, sealed) in &sealed {
            let sql = "UPDATE blob SET file = $1, cohort = $2, slot = $3 WHERE sha256 = $4";
            let args = [
                sealed.file.to_string().into(),
                sealed.cohort.as_str().into(),
                (sealed.slot as i64).into(),
                sha256.as_str().into(),
            ];
            tx.execute(sql, &args).await?;
        }
        tx.commit().await?;
        Ok(sealed.len())
    }

    /// Plain files whose rows name a sealed one, or which no row ever named.
    async fn wipe_clear_files(&self, blobs: &Blobs) -> Result<(), StoreError> {
        let folder = blobs.folder.clone();
        let found = blocking(move || clear_files(&folder)).await?;
        for path in found {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let waits = match is_sha256(&name) {
                true => self.blob(&name).await?.is_some_and(|blob| blob.sealed.is_none()),
                false => false,
            };
            if !waits {
                blocking(move || wipe(&path)).await?;
            }
        }
        Ok(())
    }
}

/// Seals those of the files that are there.
fn seal_all(
    keys: &Keys,
    blobs: &Blobs,
    cohort: &str,
    names: Vec<String>,
    ids: Vec<Id>,
) -> Result<Vec<(String, Sealed)>, StoreError> {
    let (mut secrets, mut done) = (Vec::new(), Vec::new());
    for (name, id) in names.into_iter().zip(ids) {
        let path = blobs.folder.join(clear_place(&name));
        let file = match File::open(&path) {
            // Lost before; the verifier names it.
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            _ if !is_sha256(&name) => continue,
            file => file.map_err(io(&path))?,
        };
        secrets.push((id, seal(blobs, id, file, &path)?));
        done.push(name);
    }
    if done.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = place(keys, blobs, cohort, &secrets)?;
    Ok(done.into_iter().zip(sealed).collect())
}

/// Seals one file whole. What its bytes hash to goes into the key: a file that was changed while it lay
/// in the clear is not taken for what its name says.
fn seal(blobs: &Blobs, id: Id, mut file: File, path: &Path) -> Result<Secret, StoreError> {
    let mut secret = Secret::draw()?;
    let mut part = Part::begin(blobs, id, &secret.key)?;
    let (mut hash, mut waiting, mut buffer) = (Sha256::new(), Vec::new(), vec![0; READ_BYTES]);
    loop {
        let n = file.read(&mut buffer).map_err(io(path))?;
        hash.update(&buffer[..n]);
        waiting.extend_from_slice(&buffer[..n]);
        part.take(&mut waiting, n == 0)?;
        if n == 0 {
            secret.salt = hash.finalize().into();
            return Ok(secret);
        }
    }
}

/// What lies in the clear: files under their hash, and half uploads.
fn clear_files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut out = Vec::new();
    for inner in fs::read_dir(folder).map_err(io(folder))? {
        let inner = inner.map_err(io(folder))?.path();
        if !inner.is_dir() {
            continue;
        }
        let old_parts = inner.file_name().is_some_and(|name| name == OLD_PARTS);
        for entry in fs::read_dir(&inner).map_err(io(&inner))? {
            let entry = entry.map_err(io(&inner))?;
            if old_parts || is_sha256(&entry.file_name().to_string_lossy()) {
                out.push(entry.path());
            }
        }
    }
    Ok(out)
}
