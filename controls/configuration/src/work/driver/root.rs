//! The root directory of a host, mounted or running, whose files an attacker may have written.
//!
//! Invariants: nothing outside the root is ever opened (`openat2` beneath it, no symbolic links); no
//! FIFO or device is waited on; a file that changes while it is read is tried once more.
//!
//! Limits: the size that each question names, 1 GiB per digest and of texts in all, 2 million
//! entries per walk, 256 levels.

use std::{
    ffi::{CStr, CString},
    io::Read,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
};

use baseline::{Ask, Bytes, Digests, ENTRIES_MAX, Entry, Fault, Got, Kind, Only, Xattr};
use md5::Md5;
use rustix::{
    fs::{self, AtFlags, Mode, OFlags, RawDir, ResolveFlags, Statx, StatxAttributes, StatxFlags},
    io::Errno,
};
use sha2::{Digest as _, Sha256};

use super::{DigestCache, Driver, live};

const BYTES_MAX: u64 = 1 << 30;
const LEVELS_MAX: usize = 256;
const XATTR_BYTES_MAX: usize = 64 << 10;

/// A folder that is the root of a host.
pub struct RootDriver {
    root: OwnedFd,
    /// The folder is `/` of the running system, so `/proc` and `/sys` may be asked.
    live: bool,
    bytes: u64,
    buffer: Vec<u8>,
    digests: Option<DigestCache>,
}

impl RootDriver {
    /// Takes digests of an earlier collection for files that have not changed since.
    pub fn remember(&mut self, mut digests: DigestCache) {
        digests.begin();
        self.digests = Some(digests);
    }

    /// The digests to remember for the next collection.
    pub fn remembered(&mut self) -> DigestCache {
        self.digests.take().unwrap_or_default()
    }

    /// Opens the root. With `live` the running system is asked as well, which only `/` may.
    pub fn open(root: &Path, live: bool) -> std::io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = fs::open(root, flags, Mode::empty())?;
        let live = live && root == Path::new("/");
        Ok(Self { root: fd, live, bytes: 0, buffer: vec![0; 128 << 10], digests: None })
    }

    fn open_file(&self, path: &Bytes) -> Result<OwnedFd, Fault> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let of_kernel = path.0.starts_with(b"/proc/") || path.0.starts_with(b"/sys/");
        if of_kernel {
            // The kernel's own trees hold links (`/proc/self`) and nothing that a user wrote.
            return match self.live {
                true => fs::open(path.as_slice(), flags, Mode::empty()).map_err(fault),
                false => Err(Fault::Absent),
            };
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let inside = relative(path.as_slice());
        fs::openat2(&self.root, inside, flags | OFlags::NOFOLLOW, Mode::empty(), resolve)
            .map_err(fault)
    }

    fn twice<T>(
        &mut self,
        path: &Bytes,
        bytes_max: u64,
        take: impl Fn(&mut Self, &mut std::fs::File) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self.once(path, bytes_max, &take) {
            Err(Fault::Changed) => self.once(path, bytes_max, &take),
            result => result,
        }
    }

    fn once<T>(
        &mut self,
        path: &Bytes,
        bytes_max: u64,
        take: &impl Fn(&mut Self, &mut std::fs::File) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let fd = self.open_file(path)?;
        let before = fs::fstat(&fd).map_err(fault)?;
        if Kind::of(before.st_mode) != Kind::File {
            return Err(Fault::NotFile);
        }
        if before.st_size as u64 > bytes_max {
            return Err(Fault::Large(bytes_max));
        }
        let mut file = std::fs::File::from(fd);
        let taken = take(self, &mut file)?;
        let after = fs::fstat(&file).map_err(fault)?;
        let stamp = |stat: &fs::Stat| {
            (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec)
        };
        // Files of /proc have times of their own.
        if stamp(&before) != stamp(&after) && !path.0.starts_with(b"/proc/") {
            return Err(Fault::Changed);
        }
        Ok(taken)
    }

    fn read(&mut self, path: &Bytes, bytes_max: u64) -> Result<Vec<u8>, Fault> {
        let bytes = self.twice(path, bytes_max, |_, file| {
            let mut bytes = Vec::new();
            // Files of /proc say length 0, so the cap is on what arrives.
            file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io_fault)?;
            if bytes.len() as u64 > bytes_max { Err(Fault::Large(bytes_max)) } else { Ok(bytes) }
        })?;
        self.bytes += bytes.len() as u64;
        if self.bytes > BYTES_MAX { Err(Fault::Budget) } else { Ok(bytes) }
    }

    fn digest(&mut self, path: &Bytes, md5: bool) -> Result<Digests, Fault> {
        self.twice(path, BYTES_MAX, |driver, file| {
            let stat = fs::fstat(&*file).map_err(fault)?;
            let known = driver.digests.as_ref().and_then(|all| all.get(path, &stat, md5));
            if let Some(known) = known {
                return Ok(known);
            }
            let (mut strong, mut weak) = (Sha256::new(), Md5::new());
            loop {
                let count = file.read(&mut driver.buffer).map_err(io_fault)?;
                if count == 0 {
                    break;
                }
                strong.update(&driver.buffer[..count]);
                if md5 {
                    weak.update(&driver.buffer[..count]);
                }
            }
            let sum: [u8; 16] = weak.finalize().into();
            let digests = Digests { md5: md5.then_some(sum), sha256: strong.finalize().into() };
            if let Some(all) = &mut driver.digests {
                all.put(path, &stat, digests, jiff::Timestamp::now().as_second());
            }
            Ok(digests)
        })
    }

    fn walk(&self, path: &Bytes, prune: &[Bytes], depth_max: u32, only: Only) -> Got {
        let mut walk = Walk {
            prune,
            depth_max,
            only,
            device: (0, 0),
            entries: Vec::new(),
            faults: Vec::new(),
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match fs::openat2(&self.root, relative(path.as_slice()), flags, Mode::empty(), resolve) {
            Err(error) => walk.faults.push((path.clone(), fault(error))),
            Ok(folder) => walk.top(folder, path),
        }
        Got::Walk { entries: walk.entries, faults: walk.faults }
    }
}

impl Driver for RootDriver {
    fn answer(&mut self, asks: &[Ask]) -> Vec<Got> {
        let answer = |ask: &Ask| match ask {
            Ask::Walk { path, prune, depth_max, only } => self.walk(path, prune, *depth_max, *only),
            Ask::Read { path, bytes_max } => Got::Read(self.read(path, *bytes_max)),
            Ask::Digest { paths, md5 } => {
                Got::Digest(paths.iter().map(|path| self.digest(path, *md5)).collect())
            }
            Ask::Live(question) if self.live => Got::Live(live::answer(*question)),
            Ask::Live(_) => Got::Live(Err(Fault::Unsupported)),
        };
        asks.iter().map(answer).collect()
    }
}

/// A walk over one file system.
struct Walk<'a> {
    prune: &'a [Bytes],
    depth_max: u32,
    only: Only,
    device: (u32, u32),
    entries: Vec<Entry>,
    faults: Vec<(Bytes, Fault)>,
}

impl Walk<'_> {
    fn top(&mut self, folder: OwnedFd, path: &Bytes) {
        let empty = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        match fs::statx(&folder, c"", empty, StatxFlags::BASIC_STATS) {
            Err(error) => self.faults.push((path.clone(), fault(error))),
            Ok(stat) => {
                self.device = (stat.stx_dev_major, stat.stx_dev_minor);
                let mut path = path.0.clone();
                self.keep(&path, &folder, c".", &stat, &mut Vec::new());
                if path == b"/" {
                    path.clear();
                }
                self.folder(folder, &mut path, 1);
            }
        }
    }

    fn folder(&mut self, folder: OwnedFd, path: &mut Vec<u8>, depth: u32) {
        if depth > self.depth_max {
            return;
        }
        if depth as usize > LEVELS_MAX {
            self.faults.push((Bytes(path.clone()), Fault::Many));
            return;
        }
        let (length, mut proc_path) = (path.len(), Vec::new());
        let mut below: Vec<CString> = Vec::new();
        let mut buffer = Vec::with_capacity(16 << 10);
        let mut listing = RawDir::new(&folder, buffer.spare_capacity_mut());
        while let Some(entry) = listing.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.faults.push((Bytes(path.clone()), fault(error)));
                    break;
                }
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.entries.len() >= ENTRIES_MAX {
                self.faults.push((Bytes(path.clone()), Fault::Many));
                return;
            }
            path.push(b'/');
            path.extend_from_slice(name.to_bytes());
            if !self.prune.iter().any(|pruned| pruned.0 == *path) {
                match fs::statx(&folder, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) {
                    // Gone since the listing: as if it had never been.
                    Err(Errno::NOENT) => {}
                    Err(error) => self.faults.push((Bytes(path.clone()), fault(error))),
                    Ok(stat) => {
                        self.keep(path, &folder, name, &stat, &mut proc_path);
                        let same = (stat.stx_dev_major, stat.stx_dev_minor) == self.device;
                        if Kind::of(stat.stx_mode.into()) == Kind::Directory && same {
                            below.push(name.to_owned());
                        }
                    }
                }
            }
            path.truncate(length);
        }
        drop(buffer);
        for name in below {
            path.push(b'/');
            path.extend_from_slice(name.to_bytes());
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match fs::openat(&folder, &name, flags, Mode::empty()) {
                Err(Errno::NOENT) => {}
                Err(error) => self.faults.push((Bytes(path.clone()), fault(error))),
                Ok(inner) => self.folder(inner, path, depth + 1),
            }
            path.truncate(length);
        }
    }

    fn keep(
        &mut self,
        path: &[u8],
        folder: &OwnedFd,
        name: &CStr,
        stat: &Statx,
        proc_path: &mut Vec<u8>,
    ) {
        let mode = u32::from(stat.stx_mode);
        let kind = Kind::of(mode);
        let xattrs = match kind {
            Kind::File | Kind::Directory if self.depth_max > 1 => {
                xattrs(folder.as_fd(), name, proc_path)
            }
            _ => Vec::new(),
        };
        if self.only == Only::Privileged && !is_privileged(mode, &xattrs) {
            return;
        }
        let target = match kind {
            Kind::Link => fs::readlinkat(folder, name, Vec::new()).ok(),
            _ => None,
        };
        self.entries.push(Entry {
            path: path.into(),
            mode,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            size: if kind == Kind::File { stat.stx_size } else { 0 },
            // A link that went away between listing and reading points nowhere.
            target: (kind == Kind::Link)
                .then(|| target.map(|t| t.into_bytes().into_boxed_slice()).unwrap_or_default()),
            xattrs,
            immutable: stat.stx_attributes.contains(StatxAttributes::IMMUTABLE),
        });
    }
}

fn is_privileged(mode: u32, xattrs: &[Xattr]) -> bool {
    let file = Kind::of(mode) == Kind::File;
    file && (mode & 0o6000 != 0 || !xattrs.is_empty())
}

/// Attributes that give rights or labels; those of users and of overlays say nothing.
fn xattrs(folder: BorrowedFd<'_>, name: &CStr, path: &mut Vec<u8>) -> Vec<Xattr> {
    use std::io::Write as _;
    path.clear();
    let _ = write!(path, "/proc/self/fd/{}/", folder.as_raw_fd());
    path.extend_from_slice(name.to_bytes());
    let mut names = [0u8; 1024];
    let count = match fs::llistxattr(&path[..], &mut names) {
        Ok(0) | Err(_) => return Vec::new(),
        Ok(count) => count,
    };
    let mut found = Vec::new();
    for name in names[..count].split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0u8; XATTR_BYTES_MAX];
        if let Ok(length) = fs::lgetxattr(&path[..], name, &mut value) {
            value.truncate(length);
            found.push((name.into(), value.into_boxed_slice()));
        }
    }
    found.sort();
    found
}

fn is_kept(name: &[u8]) -> bool {
    matches!(
        name,
        b"security.capability"
            | b"system.posix_acl_access"
            | b"system.posix_acl_default"
            | b"security.selinux"
    )
}

/// As seen from the root.
fn relative(path: &[u8]) -> &[u8] {
    let at = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    if at == path.len() { b"." } else { &path[at..] }
}

fn fault(error: Errno) -> Fault {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::NXIO => Fault::Absent,
        Errno::ACCESS | Errno::PERM => Fault::Denied,
        Errno::LOOP => Fault::Link,
        Errno::XDEV => Fault::Link,
        _ => Fault::Io,
    }
}

fn io_fault(error: std::io::Error) -> Fault {
    error.raw_os_error().map_or(Fault::Io, |code| fault(Errno::from_raw_os_error(code)))
}
