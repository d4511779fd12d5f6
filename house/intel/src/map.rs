//! Files of sets read where they lie: the system brings in what is touched and may take it away again,
//! so a file of a gigabyte costs no memory of the process.
//!
//! What is mapped so must never be changed in place, or its reader would see bytes change under it
//! (and a file cut short would end the process). Sets come to be by [`disk::rename`] alone: who has
//! the old one mapped keeps the old one.

use std::{fs, io, ops::Deref, path::Path};

/// A file's bytes, read where they lie.
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

impl Map {
    /// A regular file, whole.
    pub fn open(path: &Path) -> io::Result<Map> {
        let file = fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"));
        }
        map(&file).map(Map)
    }
}

/// The only place where memory is not the compiler's to watch: nobody writes into such a file, see
/// above.
#[allow(unsafe_code)]
fn map(file: &fs::File) -> io::Result<memmap2::Mmap> {
    unsafe { memmap2::Mmap::map(file) }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Map;

    #[test]
    fn who_has_the_old_file_mapped_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        disk::put(&path, b"old").unwrap();
        let old = Map::open(&path).unwrap();
        disk::put(&path, b"newer").unwrap();
        assert_eq!((&*old, &*Map::open(&path).unwrap()), (&b"old"[..], &b"newer"[..]));
        disk::put(&path, b"").unwrap();
        assert_eq!(&*Map::open(&path).unwrap(), b"");
        assert!(Map::open(folder.path()).is_err());
    }
}
