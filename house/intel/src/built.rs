//! Files of sets that are too large to be made in memory.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{Error, FileRef};

/// A file of a set while it is written; dropped before [`Draft::keep`] it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    path: PathBuf,
    writer: Option<BufWriter<fs::File>>,
}

impl Draft {
    /// Begins a file; `name` tells it from others that are written at the same time.
    pub fn new(folder: &Path, name: &str) -> Result<Draft, Error> {
        let path = folder.join(format!("{name}.part"));
        let io = |source| Error::Io { name: name.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let file = fs::File::create(&path).map_err(io)?;
        let writer = BufWriter::with_capacity(1 << 20, file);
        Ok(Draft { folder: folder.to_owned(), path, writer: Some(writer) })
    }

    /// Keeps it under a name made of `prefix` and its content, which is on disk then. `root` is the SHA-256 of its
    /// bytes. Nothing is in force by that.
    pub fn keep(mut self, prefix: &str, root: [u8; 32], bytes: u64) -> Result<FileRef, Error> {
        let sha256 = hex::encode(root);
        let name = format!("{prefix}-{}.uix", &sha256[..16]);
        let io = |source| Error::Io { name: name.clone(), source };
        let writer = self.writer.take().ok_or_else(|| io(io::Error::other("it was kept")))?;
        let file = writer.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        disk::rename(&self.path, &self.folder.join(&name)).map_err(io)?;
        disk::sync_folder(&self.folder).map_err(io)?;
        Ok(FileRef { name, sha256, bytes })
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writer = self.writer.as_mut();
        writer.ok_or_else(|| io::Error::other("it was kept"))?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn a_file_is_kept_by_its_content_and_one_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Draft::new(folder.path(), "x").unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut draft = Draft::new(folder.path(), "x").unwrap();
        draft.write_all(b"abc").unwrap();
        let kept = draft.keep("base", Sha256::digest(b"abc").into(), 3).unwrap();
        assert_eq!(fs::read(folder.path().join(&kept.name)).unwrap(), b"abc");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
