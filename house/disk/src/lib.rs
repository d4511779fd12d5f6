//! The files that must survive a crash: the one seam between ledger or spool and the file system.
//!
//! Everything goes straight to the operating system. With the feature `crash` a thread can record what
//! it does ([`crash::record`]), and a test makes from the record what a power failure at any moment
//! may leave. What is not changed through this seam is not part of that test.

#[cfg(feature = "crash")]
pub mod crash;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

#[cfg(feature = "crash")]
use crash::Op;

/// Mode of what is made: for its owner only.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// A file that is written.
#[derive(Debug)]
pub struct File {
    file: fs::File,
    #[cfg(feature = "crash")]
    id: Option<u64>,
}

impl File {
    /// For reading, and writing behind what is there; made where it is missing.
    pub fn append(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        File::open(path, options.read(true).append(true).create(true))
    }

    /// An empty one, whatever stood there.
    pub fn create(path: &Path) -> io::Result<File> {
        let file = File::open(path, OpenOptions::new().write(true).create(true).truncate(false))?;
        if file.file.metadata()?.len() > 0 {
            file.set_len(0)?;
        }
        Ok(file)
    }

    /// One that is there, to cut it.
    pub fn existing(path: &Path) -> io::Result<File> {
        File::open(path, OpenOptions::new().write(true))
    }

    fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
        let file = options.mode(FILE_MODE).open(path)?;
        Ok(File {
            file,
            #[cfg(feature = "crash")]
            id: crash::opened(path),
        })
    }

    /// Writes behind what is there.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(feature = "crash")]
        if let Some(id) = self.id {
            let offset = self.file.metadata()?.len();
            crash::note(Op::Write { id, offset, bytes: bytes.to_vec() });
        }
        self.file.write_all(bytes)
    }

    /// Cuts the file, or fills it with zeros.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        #[cfg(feature = "crash")]
        if let Some(id) = self.id {
            crash::note(Op::SetLen { id, len });
        }
        self.file.set_len(len)
    }

    /// Makes what was written durable; not its name, which takes [`sync_folder`].
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        #[cfg(feature = "crash")]
        if let Some(id) = self.id {
            crash::note(Op::Sync { id });
        }
        Ok(())
    }

    /// The file below, to read it.
    pub fn file(&mut self) -> &mut fs::File {
        &mut self.file
    }
}

/// Makes the folder and those above it.
pub fn create_dir(path: &Path) -> io::Result<()> {
    #[cfg(feature = "crash")]
    crash::made(path);
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Gives a file another name, taking it from whatever had it.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    #[cfg(feature = "crash")]
    crash::note(Op::Rename { from: from.to_owned(), to: to.to_owned() });
    Ok(())
}

/// Takes a file's name away.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    #[cfg(feature = "crash")]
    crash::note(Op::Remove { path: path.to_owned() });
    Ok(())
}

/// Makes the names in a folder durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()?;
    #[cfg(feature = "crash")]
    crash::note(Op::SyncFolder { path: path.to_owned() });
    Ok(())
}

/// Writes and syncs a file under a temporary name and gives it its own; the folder is the caller's to
/// sync.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync()?;
    rename(&temporary, path)
}

/// Replaces a file whole: after a crash it is the old or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes)?;
    sync_folder(path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new(".")))
}
