//! Manifests and packages on this server's disk: `DATA/configuration/manifests` and `pool`.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use baseline::{
    FingerprintKey, PackageManifest,
    archive::{DEB_BYTES_MAX, agrees},
};
use room::Error;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::fetch;

const MANIFEST_BYTES_MAX: u64 = 256 << 20;
const NAME_CHARS_MAX: usize = 200;
const PURPOSE: &[u8] = b"package manifest";

/// The two folders, and the key that seals what is in the first one.
#[derive(Clone)]
pub struct Keep {
    manifests: PathBuf,
    pool: PathBuf,
    pool_bytes_max: u64,
    key: FingerprintKey,
}

/// A name for a version of a package that is no path: everything unusual in hexadecimal digits.
fn name(key: &str, version: &str) -> String {
    let mut out = String::new();
    for byte in format!("{key}_{version}").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'+' | b'-' | b'~' | b'_' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02x}")),
        }
    }
    if out.len() > NAME_CHARS_MAX || out.starts_with('.') {
        out = hex::encode(Sha256::digest(format!("{key}_{version}")));
    }
    out
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// Whole or not at all.
fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io(folder))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io(path))?;
    file.persist(path).map_err(|error| Error::Io { path: path.to_owned(), source: error.error })?;
    Ok(())
}

impl Keep {
    /// Makes the folders where they are missing.
    pub fn open(data: &Path, pool_mib: u32, key: FingerprintKey) -> Result<Keep, Error> {
        let folder = data.join("configuration");
        let keep = Keep {
            manifests: folder.join("manifests"),
            pool: folder.join("pool"),
            pool_bytes_max: u64::from(pool_mib) << 20,
            key,
        };
        for folder in [&keep.manifests, &keep.pool] {
            fs::create_dir_all(folder).map_err(io(folder))?;
        }
        Ok(keep)
    }

    fn seal(&self, body: &str) -> String {
        hex::encode(self.key.print(PURPOSE, &Sha256::digest(body)).0)
    }

    /// Writes a manifest and where it is from.
    pub fn write(&self, manifest: &PackageManifest, origin: &Json) -> Result<(), Error> {
        let body = json!({ "origin": origin, "manifest": manifest.to_document() }).to_string();
        let path = self.manifests.join(name(&manifest.key(), &manifest.version));
        put(&path, format!("{}\n{body}\n", self.seal(&body)).as_bytes())
    }

    /// The manifest of a version; none where there is none, or where the seal does not fit: it is made
    /// anew then.
    pub fn read(&self, key: &str, version: &str) -> Option<PackageManifest> {
        let path = self.manifests.join(name(key, version));
        let bytes = fetch::read(&path, MANIFEST_BYTES_MAX).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (seal, body) = text.split_once('\n')?;
        let body = body.strip_suffix('\n')?;
        if self.seal(body) != seal {
            return None;
        }
        let json: Json = serde_json::from_str(body).ok()?;
        let manifest = PackageManifest::from_document(&json["manifest"])?;
        (manifest.key() == key && manifest.version == version).then_some(manifest)
    }

    /// Whether an index is at least as new as the newest one seen under its name, which it becomes. Who
    /// can hold back an archive could otherwise show an older state of it.
    pub fn newest(&self, name: &str, date: i64) -> bool {
        let path = self.manifests.with_file_name("archives.json");
        let read = || {
            let text = String::from_utf8(fetch::read(&path, MANIFEST_BYTES_MAX).ok()?).ok()?;
            let (seal, body) = text.trim_end().split_once('\n')?;
            let fits = self.seal(body) == seal;
            fits.then(|| serde_json::from_str::<BTreeMap<String, i64>>(body).ok())?
        };
        let mut seen = read().unwrap_or_default();
        let known = seen.get(name).copied().unwrap_or(i64::MIN);
        if date > known {
            seen.insert(name.to_owned(), date);
            let body = json!(seen).to_string();
            let written = put(&path, format!("{}\n{body}\n", self.seal(&body)).as_bytes());
            if let Err(error) = written {
                tracing::warn!(%error, "the date of an archive was not kept");
            }
        }
        date >= known
    }

    fn pooled(&self, sha256: &[u8; 32]) -> PathBuf {
        self.pool.join(hex::encode(sha256))
    }

    /// A package, or an index, from the pool, if it still is what it was.
    pub fn package(&self, size: u64, sha256: &[u8; 32]) -> Option<Vec<u8>> {
        let path = self.pooled(sha256);
        let bytes = fetch::read(&path, size.min(DEB_BYTES_MAX)).ok()?;
        agrees("pool", &bytes, size, sha256).ok().map(|()| bytes)
    }

    /// Puts a package into the pool; the oldest make room for it.
    pub fn pool(&self, sha256: &[u8; 32], bytes: &[u8]) -> Result<(), Error> {
        let room = self.pool_bytes_max.saturating_sub(bytes.len() as u64);
        if room == 0 {
            return Ok(());
        }
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.pool).map_err(io(&self.pool))?.flatten() {
            let Ok(found) = entry.metadata() else { continue };
            files.push((
                found.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                found.len(),
                entry.path(),
            ));
        }
        files.sort();
        let mut used: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if used <= room {
                break;
            }
            fs::remove_file(&path).map_err(io(&path))?;
            used -= size;
        }
        put(&self.pooled(sha256), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(folder: &Path, key: u8) -> Keep {
        Keep::open(folder, 1, FingerprintKey::new([key; 32])).expect("folders")
    }

    #[test]
    fn a_kept_manifest_is_read_only_under_the_seal_of_the_house() {
        let folder = tempfile::tempdir().expect("folder");
        let kept = keep(folder.path(), 1);
        let manifest = PackageManifest {
            name: "../../a".into(),
            version: "1:2/..".into(),
            architecture: "amd64".into(),
            ..PackageManifest::default()
        };
        kept.write(&manifest, &json!({ "archive": "x" })).expect("written");
        let key = manifest.key();
        assert_eq!(kept.read(&key, "1:2/.."), Some(manifest.clone()));
        assert_eq!(kept.read(&key, "1:3"), None);
        assert_eq!(keep(folder.path(), 2).read(&key, "1:2/.."), None, "another house");
        let files = fs::read_dir(folder.path().join("configuration/manifests")).expect("folder");
        let path = files.flatten().next().expect("the file lies within its folder").path();
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, text.replace("amd64", "arm64")).expect("written");
        assert_eq!(kept.read(&key, "1:2/.."), None, "changed on disk");
    }

    #[test]
    fn an_archive_never_goes_back_behind_what_was_seen_of_it() {
        let folder = tempfile::tempdir().expect("folder");
        let dates =
            [("a", 5, true), ("a", 5, true), ("b", 1, true), ("a", 7, true), ("a", 6, false)];
        for (name, date, good) in dates {
            assert_eq!(keep(folder.path(), 1).newest(name, date), good, "{name} {date}");
        }
    }

    #[test]
    fn the_pool_keeps_its_size_and_gives_out_only_what_was_put_in() {
        let folder = tempfile::tempdir().expect("folder");
        let kept = keep(folder.path(), 1);
        let packages: Vec<Vec<u8>> = (0..5).map(|n| vec![n; 300 << 10]).collect();
        let hash = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
        for bytes in &packages {
            kept.pool(&hash(bytes), bytes).expect("pooled");
        }
        let size = |path: &Path| {
            fs::read_dir(path)
                .expect("pool")
                .flatten()
                .map(|e| e.metadata().expect("file").len())
                .sum::<u64>()
        };
        assert!(size(&folder.path().join("configuration/pool")) <= 1 << 20);
        let last = &packages[4];
        assert_eq!(kept.package(last.len() as u64, &hash(last)).as_ref(), Some(last));
        fs::write(kept.pooled(&hash(last)), vec![9; last.len()]).expect("written");
        assert_eq!(kept.package(last.len() as u64, &hash(last)), None);
    }
}
