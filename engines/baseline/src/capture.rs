//! What a collector asks for, what it gets, and what it keeps of it.
//!
//! A capture holds no secret: bytes are cut and digests keyed as they come in. It holds no times
//! either, so two captures of an unchanged host are equal.

use std::collections::BTreeMap;

use crate::{bytes::Bytes, fact::Fingerprint, fact::Unread};

/// Largest file that is read as text.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// Largest table of packages or of the kernel.
pub const TABLE_BYTES_MAX: u64 = 64 << 20;
/// Entries of one walk.
pub const ENTRIES_MAX: usize = 2_000_000;

/// Which entries of a walk are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    All,
    /// Files that give rights: setuid, setgid, capabilities; and folders that anyone may write
    /// without the sticky bit.
    Privileged,
}

/// Something to be read on a host. No driver follows a symbolic link: the collector has the tree
/// and resolves links itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Every entry at and below `path` on the same file system, without what is at or below `prune`,
    /// and `depth_max` levels deep: 0 is the path itself.
    Walk { path: Bytes, prune: Vec<Bytes>, depth_max: u32, only: Only },
    /// The bytes of a regular file.
    Read { path: Bytes, bytes_max: u64 },
    /// Digests of regular files, in the order given.
    Digest { paths: Vec<Bytes>, md5: bool },
    /// What the running system says: asked only where it is running.
    Live(Live),
}

/// Questions that only a running system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Live {
    /// Lines `INODE NAME`: which process holds which socket.
    SocketHolders,
    /// What `chronyc -c tracking` prints.
    Chrony,
    /// What `timedatectl show` prints.
    Timedate,
}

/// Why something was not read. The text has no parts that change from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Fault {
    #[error("absent")]
    Absent,
    #[error("more than 40 symbolic links")]
    Loop,
    #[error("not a regular file")]
    NotFile,
    #[error("not a directory")]
    NotDirectory,
    #[error("permission denied")]
    Denied,
    #[error("larger than {0} bytes")]
    Large(u64),
    #[error("too many entries")]
    Many,
    #[error("changed while it was read")]
    Changed,
    #[error("more bytes in all than a collection may read")]
    Budget,
    #[error("a symbolic link stands in the way")]
    Link,
    #[error("input or output error")]
    Io,
    #[error("the host cannot answer this")]
    Unsupported,
}

/// What a thing in the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    File,
    Directory,
    Link,
    Fifo,
    Socket,
    Block,
    Character,
}

impl Kind {
    /// Of the type bits of a mode.
    pub fn of(mode: u32) -> Kind {
        match mode & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Link,
            0o010_000 => Kind::Fifo,
            0o140_000 => Kind::Socket,
            0o060_000 => Kind::Block,
            0o020_000 => Kind::Character,
            _ => Kind::File,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Link => "link",
            Kind::Fifo => "fifo",
            Kind::Socket => "socket",
            Kind::Block => "block",
            Kind::Character => "character",
        }
    }
}

/// Name and value of an extended attribute.
pub type Xattr = (Box<[u8]>, Box<[u8]>);

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the root of the host, without `/` at the end; the root itself is `/`.
    pub path: Box<[u8]>,
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// 0 for all but regular files.
    pub size: u64,
    /// Where a link points, as it is written.
    pub target: Option<Box<[u8]>>,
    /// Extended attributes that give rights or labels, sorted by name.
    pub xattrs: Vec<Xattr>,
    /// `chattr +i`.
    pub immutable: bool,
}

impl Entry {
    pub fn kind(&self) -> Kind {
        Kind::of(self.mode)
    }

    /// Permission bits.
    pub fn permissions(&self) -> u16 {
        (self.mode & 0o7777) as u16
    }
}

/// Digests of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    pub md5: Option<[u8; 16]>,
    pub sha256: [u8; 32],
}

/// The answer to one [`Ask`], in the same order.
#[derive(Clone, Debug)]
pub enum Got {
    Walk { entries: Vec<Entry>, faults: Vec<(Bytes, Fault)> },
    Read(Result<Vec<u8>, Fault>),
    Digest(Vec<Result<Digests, Fault>>),
    Live(Result<Vec<u8>, Fault>),
}

/// What stands for a file's content where bytes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    Plain([u8; 32]),
    /// The file is or holds a secret: HMAC of its SHA-256.
    Keyed(Fingerprint),
}

/// A text that was read, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub digest: Digest,
    /// To hold against a manifest of dpkg; none of what is a secret as a whole.
    pub md5: Option<[u8; 16]>,
    /// Line and fingerprint of each secret cut.
    pub secrets: Vec<(u32, Fingerprint)>,
    /// The file as a whole is a secret, so `bytes` is empty.
    pub withheld: bool,
}

/// All that was read of a host.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// Sorted by path.
    pub entries: Vec<Entry>,
    /// By path of the file itself, no link in it.
    pub contents: BTreeMap<Bytes, Content>,
    /// Of files whose content was not kept.
    pub digests: BTreeMap<Bytes, (Digest, Option<[u8; 16]>)>,
    /// SHA-256 of every file that was read. They reach a fact only where a file equals what its package
    /// brought: of anything else they could confirm a guess of a secret.
    pub(crate) sums: BTreeMap<Bytes, [u8; 32]>,
    pub live: BTreeMap<Live, Vec<u8>>,
    pub unread: Vec<Unread>,
    pub unstable: Vec<Bytes>,
    pub attempted: u64,
    /// Which key the fingerprints were made with.
    pub key_id: String,
    /// Whether the running system was asked.
    pub is_live: bool,
    /// Whether all files were held against the manifests, or only those of `/etc`.
    pub is_full: bool,
}

impl Capture {
    pub fn entry(&self, path: &[u8]) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| (*entry.path).cmp(path)).ok()?;
        self.entries.get(at)
    }

    /// Names directly in a folder, given without links: sorted paths.
    pub fn list<'a>(&'a self, folder: &[u8]) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let below = below(folder);
        let from = self.entries.partition_point(|entry| *entry.path < *below);
        let length = below.len();
        let inside = self.entries[from..].iter();
        inside
            .take_while(move |entry| entry.path.starts_with(&below))
            .filter(move |entry| !entry.path[length..].contains(&b'/') && entry.path.len() > length)
    }

    /// All below a folder, given without links.
    pub fn below<'a>(&'a self, folder: &[u8]) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let below = below(folder);
        let from = self.entries.partition_point(|entry| *entry.path < *below);
        self.entries[from..].iter().take_while(move |entry| entry.path.starts_with(&below))
    }

    /// The real path of `path`, with every link followed inside the root.
    pub fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut inside: Vec<u8> = Vec::new();
        let mut waiting: Vec<Vec<u8>> = parts(path);
        let mut links = 0;
        while let Some(name) = waiting.pop() {
            if name == b".." {
                let end = inside.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                inside.truncate(end);
                continue;
            }
            let length = inside.len();
            inside.push(b'/');
            inside.extend_from_slice(&name);
            let Some(target) = self.entry(&inside).ok_or(Fault::Absent)?.target.as_ref() else {
                continue;
            };
            links += 1;
            if links > 40 || waiting.len() > 4_096 {
                return Err(Fault::Loop);
            }
            inside.truncate(if target.first() == Some(&b'/') { 0 } else { length });
            waiting.extend(parts(target));
        }
        Ok(if inside.is_empty() { b"/".to_vec() } else { inside })
    }

    /// The text at a path, links followed.
    pub fn content(&self, path: &[u8]) -> Option<&Content> {
        self.contents.get(&self.resolve(path).ok()?[..])
    }
}

fn below(folder: &[u8]) -> Vec<u8> {
    let mut below = folder.to_vec();
    if below.last() != Some(&b'/') {
        below.push(b'/');
    }
    below
}

/// Components, the first one last.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').rev();
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Option<&str>)]) -> Capture {
        let mut entries: Vec<Entry> = entries
            .iter()
            .map(|(path, target)| Entry {
                path: path.as_bytes().into(),
                mode: if target.is_some() { 0o120_777 } else { 0o100_644 },
                uid: 0,
                gid: 0,
                size: 0,
                target: target.map(|target| target.as_bytes().into()),
                xattrs: Vec::new(),
                immutable: false,
            })
            .collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Capture { entries, ..Capture::default() }
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        let capture = tree(&[
            ("/etc", None),
            ("/etc/a", None),
            ("/etc/out", Some("../../../../etc/a")),
            ("/lib", Some("usr/lib")),
            ("/loop", Some("loop")),
            ("/usr", None),
            ("/usr/lib", None),
            ("/usr/lib/x", Some("/etc/a")),
        ]);
        assert_eq!(capture.resolve(b"/etc/out"), Ok(b"/etc/a".to_vec()));
        assert_eq!(capture.resolve(b"/lib/x"), Ok(b"/etc/a".to_vec()));
        assert_eq!(capture.resolve(b"/loop"), Err(Fault::Loop));
        assert_eq!(capture.resolve(b"/none"), Err(Fault::Absent));
        let names: Vec<&[u8]> = capture.list(b"/etc").map(|entry| &*entry.path).collect();
        assert_eq!(names, [&b"/etc/a"[..], b"/etc/out"]);
        assert_eq!(capture.list(b"/").count(), 4);
    }
}
