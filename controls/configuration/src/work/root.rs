//! Reading below a root directory that an attacker may have written.
//!
//! Invariants: every symbolic link is resolved inside the root, component by component, so no
//! answer ever comes from outside; only regular files are opened; nothing here waits on a FIFO.
//!
//! Limits: 40 links and 128 components per path, 4,096 components waiting, `ENTRIES_MAX` names per
//! directory, a size per file given by the caller, `BYTES_MAX` for a whole collection.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

pub(super) const ENTRIES_MAX: usize = 200_000;
const LINKS_MAX: usize = 40;
const COMPONENTS_MAX: usize = 128;
const WAITING_MAX: usize = 4_096;
const BYTES_MAX: u64 = 1 << 30;
const MATCHES_MAX: usize = 1_000;
/// Linux on x86, Arm and RISC-V: a FIFO put in place of a file must not hold the collector.
const O_NONBLOCK: i32 = 0o4000;

/// Why a path gave no bytes. The text is the reason shown to people and has no changing parts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("absent")]
    Absent,
    #[error("more than {LINKS_MAX} symbolic links")]
    Loop,
    #[error("path is nested too deeply")]
    Deep,
    #[error("not a regular file")]
    NotFile,
    #[error("not a directory")]
    NotDirectory,
    #[error("larger than {0} bytes")]
    Large(u64),
    #[error("more than {ENTRIES_MAX} entries")]
    Many,
    #[error("changed while it was read")]
    Changed,
    #[error("more than {BYTES_MAX} bytes in all")]
    Budget,
    #[error("{0}")]
    Io(ErrorKind),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Absent,
            kind => Self::Io(kind),
        }
    }
}

pub(super) struct Root {
    path: PathBuf,
    bytes: u64,
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), bytes: 0 }
    }

    /// The real place of `path`, with every link followed inside the root.
    pub(super) fn resolve(&self, path: &Path) -> Result<PathBuf, Fault> {
        let mut inside = PathBuf::new();
        let mut waiting: Vec<OsString> = Vec::new();
        wait_for(path, &mut waiting)?;
        let mut links = 0;
        while let Some(name) = waiting.pop() {
            if name == ".." {
                inside.pop();
                continue;
            }
            if inside.components().count() >= COMPONENTS_MAX {
                return Err(Fault::Deep);
            }
            let here = self.path.join(&inside).join(&name);
            if !here.symlink_metadata()?.is_symlink() {
                inside.push(&name);
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(Fault::Loop);
            }
            let target = here.read_link()?;
            if target.is_absolute() {
                inside.clear();
            }
            wait_for(&target, &mut waiting)?;
        }
        Ok(self.path.join(inside))
    }

    /// The bytes of a regular file; a file that changes meanwhile is tried once more.
    pub(super) fn read(
        &mut self,
        path: &Path,
        size_max: u64,
    ) -> Result<(Vec<u8>, Metadata), Fault> {
        match self.read_once(path, size_max) {
            Err(Fault::Changed) => self.read_once(path, size_max),
            result => result,
        }
    }

    fn read_once(&mut self, path: &Path, size_max: u64) -> Result<(Vec<u8>, Metadata), Fault> {
        let real = self.resolve(path)?;
        if !real.symlink_metadata()?.is_file() {
            return Err(Fault::NotFile);
        }
        let mut file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&real)?;
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(Fault::NotFile);
        }
        if before.len() > size_max {
            return Err(Fault::Large(size_max));
        }
        let bytes = read_at_most(&mut file, size_max)?;
        let after = file.metadata()?;
        if stamp(&before) != stamp(&after) {
            return Err(Fault::Changed);
        }
        self.bytes += bytes.len() as u64;
        if self.bytes > BYTES_MAX {
            return Err(Fault::Budget);
        }
        Ok((bytes, after))
    }

    /// The names in a directory, sorted by bytes.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<OsString>, Fault> {
        let real = self.resolve(path)?;
        if !real.is_dir() {
            return Err(Fault::NotDirectory);
        }
        let mut names = BTreeSet::new();
        for entry in real.read_dir()? {
            if names.len() >= ENTRIES_MAX {
                return Err(Fault::Many);
            }
            names.insert(entry?.file_name());
        }
        Ok(names.into_iter().collect())
    }

    /// The text of the link at `path` itself, none when it is not a link.
    pub(super) fn link(&self, path: &Path) -> Option<PathBuf> {
        let parent = self.resolve(path.parent()?).ok()?;
        parent.join(path.file_name()?).read_link().ok()
    }

    /// Paths matching a shell pattern, sorted; as glob(3), a wildcard never matches a leading dot.
    pub(super) fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, Fault> {
        let mut found = vec![PathBuf::from("/")];
        for step in pattern.components() {
            let name = match step {
                Component::Normal(name) => name,
                Component::ParentDir => OsStr::new(".."),
                _ => continue,
            };
            found = self.glob_step(&found, name)?;
            if found.len() > MATCHES_MAX {
                return Err(Fault::Many);
            }
        }
        found.retain(|path| self.resolve(path) != Err(Fault::Absent));
        Ok(found)
    }

    fn glob_step(&self, folders: &[PathBuf], name: &OsStr) -> Result<Vec<PathBuf>, Fault> {
        if !name.as_bytes().iter().any(|byte| b"*?[".contains(byte)) {
            return Ok(folders.iter().map(|folder| folder.join(name)).collect());
        }
        let mut found = Vec::new();
        for folder in folders {
            let names = match self.list(folder) {
                Err(Fault::Absent | Fault::NotDirectory) => continue,
                result => result?,
            };
            let fits = |entry: &OsString| matches(name.as_bytes(), entry.as_bytes());
            found.extend(names.iter().filter(|entry| fits(entry)).map(|entry| folder.join(entry)));
        }
        Ok(found)
    }
}

fn wait_for(path: &Path, waiting: &mut Vec<OsString>) -> Result<(), Fault> {
    for step in path.components().rev() {
        match step {
            Component::Normal(name) => waiting.push(name.to_owned()),
            Component::ParentDir => waiting.push("..".into()),
            _ => {}
        }
    }
    if waiting.len() > WAITING_MAX { Err(Fault::Deep) } else { Ok(()) }
}

fn read_at_most(file: &mut File, size_max: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    // Files of /proc say length 0, so the cap is on what arrives.
    file.take(size_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > size_max { Err(Fault::Large(size_max)) } else { Ok(bytes) }
}

fn stamp(meta: &Metadata) -> (u64, i64, i64) {
    (meta.len(), meta.mtime(), meta.mtime_nsec())
}

/// Shell pattern match with `*`, `?` and `[…]`; linear stack and at most n·m steps.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(width) = one(pattern.get(p..).unwrap_or_default(), name[n]) {
            p += width;
            n += 1;
        } else if let Some((after, tried)) = star {
            star = Some((after, tried + 1));
            (p, n) = (after, tried + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// How much of `pattern` matches `byte`, none when it does not.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((hit, width)) => hit.then_some(width + 1),
            None => (byte == b'[').then_some(1),
        },
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

fn class(rest: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|byte| *byte == b']')?;
    let (mut i, mut hit) = (start, false);
    while i < end {
        if i + 2 < end && rest[i + 1] == b'-' {
            hit |= (rest[i]..=rest[i + 2]).contains(&byte);
            i += 3;
        } else {
            hit |= rest[i] == byte;
            i += 1;
        }
    }
    Some((hit != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("etc/d")).unwrap();
        std::fs::write(folder.path().join("etc/hostname"), "inside").unwrap();
        let root = Root::new(folder.path());
        (folder, root)
    }

    #[test]
    fn links_that_lead_out_are_resolved_inside() {
        let (folder, mut root) = tree();
        symlink("/etc/hostname", folder.path().join("absolute")).unwrap();
        symlink("../../../../etc/hostname", folder.path().join("etc/d/up")).unwrap();
        for name in ["/absolute", "/etc/d/up", "/../../etc/hostname"] {
            assert_eq!(root.read(Path::new(name), 100).unwrap().0, b"inside", "{name}");
        }
        symlink("/proc/version", folder.path().join("out")).unwrap();
        assert_eq!(root.read(Path::new("/out"), 100).unwrap_err(), Fault::Absent);
    }

    #[test]
    fn loops_folders_and_large_files_are_refused() {
        let (folder, mut root) = tree();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        symlink("grow/x/x/x", folder.path().join("grow")).unwrap();
        assert_eq!(root.resolve(Path::new("/a")), Err(Fault::Loop));
        assert_eq!(root.resolve(Path::new("/grow")), Err(Fault::Loop));
        assert_eq!(root.read(Path::new("/etc"), 9).unwrap_err(), Fault::NotFile);
        assert_eq!(root.read(Path::new("/etc/hostname"), 5).unwrap_err(), Fault::Large(5));
        assert_eq!(root.list(Path::new("/etc/hostname")), Err(Fault::NotDirectory));
    }

    #[test]
    fn patterns_match_as_in_the_shell() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            ("[0-9]?-*", "10-x", true),
            ("[!a]x", "ax", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("[x", "[x", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let nasty = "*a".repeat(200);
        assert!(!matches(nasty.as_bytes(), "a".repeat(150).as_bytes()));
    }

    #[test]
    fn a_glob_finds_sorted_files() {
        let (folder, root) = tree();
        for name in ["b.conf", "a.conf", "c.txt"] {
            std::fs::write(folder.path().join("etc/d").join(name), "").unwrap();
        }
        let found = root.glob(Path::new("/etc/d/*.conf")).unwrap();
        assert_eq!(found, [Path::new("/etc/d/a.conf"), Path::new("/etc/d/b.conf")]);
        assert!(root.glob(Path::new("/etc/none/*.conf")).unwrap().is_empty());
    }
}
