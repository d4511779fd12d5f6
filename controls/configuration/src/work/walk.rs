//! The files below a root, read so that nothing in it can lead outside.
//!
//! Folders are opened one below the other by descriptor and without following links; files are opened
//! without waiting (a FIFO would block) and only when somebody wants their bytes.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::pread;
use sbom::catalogue::{Catalogue, FIRST, Source};

/// Folders in each other.
const DEPTH_MAX: usize = 128;
/// Files and folders of a root.
const ENTRIES_MAX: usize = 20_000_000;
/// What a running system has at the top that is no file.
const NOT_FILES: [&str; 4] = ["proc", "sys", "dev", "run"];

/// A root.
pub(crate) struct Root {
    folder: OwnedFd,
    /// Folders that are left out, without leading slash.
    without: &'static [&'static str],
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

impl Root {
    pub(crate) fn open(path: &Path) -> std::io::Result<Root> {
        // The root itself may be named through a link; below it none is followed.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(rustix::fs::CWD, path, flags, Mode::empty())?;
        Ok(Root { folder, without: &[] })
    }

    /// The same root without some of its folders.
    pub(crate) fn without(self, folders: &'static [&'static str]) -> Root {
        Root { without: folders, ..self }
    }

    /// Whether `/bin` is a link into `/usr`.
    pub(crate) fn merged_usr(&self) -> bool {
        let found = rustix::fs::readlinkat(&self.folder, "bin", Vec::new());
        found.is_ok_and(|target| target.as_bytes().ends_with(b"usr/bin"))
    }

    /// A folder by its path, step by step.
    fn folder(&self, path: &str) -> std::io::Result<OwnedFd> {
        let mut at = openat(&self.folder, ".", folder_flags(), Mode::empty())?;
        for step in path.split('/').filter(|step| !step.is_empty()) {
            at = openat(&at, step, folder_flags(), Mode::empty())?;
        }
        Ok(at)
    }

    /// A regular file by its path.
    pub(crate) fn file(&self, path: &str) -> std::io::Result<Opened<OwnedFd>> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Opened::new(self.folder(folder)?, name.into())
    }

    /// Offers every file to the catalogue, databases first.
    pub(crate) fn offer(&self, catalogue: &mut Catalogue) {
        self.offer_databases(catalogue);
        self.all(catalogue);
    }

    /// Offers what package managers wrote, and nothing else.
    pub(crate) fn offer_databases(&self, catalogue: &mut Catalogue) {
        for path in FIRST {
            self.first(path, catalogue);
        }
    }

    fn first(&self, path: &str, catalogue: &mut Catalogue) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Ok(above) = self.folder(above) else { return };
        match statat(&above, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                self.look(&above, name.into(), path, catalogue);
            }
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                let Ok(folder) = openat(&above, name, folder_flags(), Mode::empty()) else {
                    return;
                };
                for (name, _) in names(&folder, path, catalogue) {
                    let path = format!("{path}/{}", String::from_utf8_lossy(name.as_bytes()));
                    self.look(&folder, name, &path, catalogue);
                }
            }
            _ => {}
        }
    }

    fn all(&self, catalogue: &mut Catalogue) {
        let Ok(top) = openat(&self.folder, ".", folder_flags(), Mode::empty()) else { return };
        let mut stack = vec![(top, String::new(), 0)];
        let mut entries = 0;
        while let Some((folder, path, depth)) = stack.pop() {
            let mut below = Vec::new();
            for (name, kind) in names(&folder, &path, catalogue) {
                entries += 1;
                let text = String::from_utf8_lossy(name.as_bytes());
                let inner =
                    if path.is_empty() { text.into_owned() } else { format!("{path}/{text}") };
                let first = |path: &str| {
                    FIRST.iter().any(|first| {
                        path == *first
                            || path.starts_with(first) && path[first.len()..].starts_with('/')
                    })
                };
                match kind {
                    FileType::RegularFile if !first(&inner) => {
                        self.look(&folder, name, &inner, catalogue);
                    }
                    FileType::Directory if !self.is_left_out(&inner, depth) => {
                        below.push((name, inner));
                    }
                    _ => {}
                }
            }
            if entries > ENTRIES_MAX {
                return catalogue.fail(&path, "more files than are looked at");
            }
            for (name, inner) in below {
                if depth >= DEPTH_MAX {
                    catalogue.fail(&inner, "folders nest too deep");
                    continue;
                }
                match openat(&folder, name.as_os_str(), folder_flags(), Mode::empty()) {
                    Ok(next) => stack.push((next, inner, depth + 1)),
                    Err(error) => catalogue.fail(&inner, std::io::Error::from(error).to_string()),
                }
            }
        }
    }

    fn is_left_out(&self, path: &str, depth: usize) -> bool {
        self.without.contains(&path) || depth == 0 && NOT_FILES.contains(&path)
    }

    fn look(&self, folder: &OwnedFd, name: OsString, path: &str, catalogue: &mut Catalogue) {
        match Opened::new(folder, name) {
            Ok(mut file) if file.regular => {
                let executable = file.executable;
                catalogue.look(path, executable, &mut file);
            }
            Ok(_) => {}
            // It vanished since the folder was read.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => catalogue.fail(path, error.to_string()),
        }
    }
}

/// The names in a folder and what they are, in order.
fn names(folder: &OwnedFd, path: &str, catalogue: &mut Catalogue) -> Vec<(OsString, FileType)> {
    let mut found = Vec::new();
    let entries = match Dir::read_from(folder) {
        Ok(entries) => entries,
        Err(error) => {
            catalogue.fail(path, std::io::Error::from(error).to_string());
            return found;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                catalogue.fail(path, std::io::Error::from(error).to_string());
                break;
            }
        };
        let name: CString = entry.file_name().to_owned();
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            let stat = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW);
            kind = stat.map_or(kind, |stat| FileType::from_raw_mode(stat.st_mode));
        }
        found.push((OsString::from_vec(name.into_bytes()), kind));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// A file that is opened when its bytes are wanted.
pub(crate) struct Opened<F> {
    folder: F,
    name: OsString,
    size: u64,
    pub(crate) regular: bool,
    executable: bool,
    file: Option<OwnedFd>,
}

impl<F: AsFd> Opened<F> {
    fn new(folder: F, name: OsString) -> std::io::Result<Opened<F>> {
        let stat = statat(folder.as_fd(), name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Opened {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
            executable: stat.st_mode & 0o111 != 0,
            folder,
            name,
            file: None,
        })
    }

    fn open(&mut self) -> std::io::Result<&OwnedFd> {
        if self.file.is_none() {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = openat(self.folder.as_fd(), self.name.as_os_str(), flags, Mode::empty())?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

impl<F: AsFd> Source for Opened<F> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, String> {
        // No more than the file has: its size is what a hostile length cannot exceed.
        let left = self.size.saturating_sub(offset);
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        let file = self.open().map_err(|error| error.to_string())?;
        let mut bytes = vec![0; length];
        let mut at = 0;
        while at < length {
            match pread(file, &mut bytes[at..], offset + at as u64) {
                Ok(0) => break,
                Ok(count) => at += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(std::io::Error::from(error).to_string()),
            }
        }
        bytes.truncate(at);
        Ok(bytes)
    }
}
