//! Which file systems hold what counts: those of the folders that the collector reads, and what is mounted below.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, fstatvfs, open};

use baseline::actor::fanotify;

use super::kernel::{CHANGES, Group};

/// Folders that hold what the collector reads.
const TOPS: &[&str] = &["/", "/boot", "/etc", "/opt", "/srv", "/usr", "/var", "/root", "/home"];

/// File systems without files of their own, or of other machines.
const PASSED: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    place: PathBuf,
    kind: String,
}

/// Marked file systems by the number that events name them with.
#[derive(Default)]
pub struct Marked {
    pub folders: BTreeMap<[u8; 8], (PathBuf, OwnedFd)>,
    /// What could not be marked, with the reason.
    pub unwatched: BTreeMap<PathBuf, String>,
}

impl Marked {
    /// Marks what is not yet; again and again, since file systems come and go. Of file systems that only hold
    /// programs it is reported what is executed.
    pub fn renew(&mut self, group: &Group, folders: Option<&[PathBuf]>, beside: &[PathBuf]) {
        let mounts = parse(&fs::read("/proc/self/mountinfo").unwrap_or_default());
        let tops: Vec<PathBuf> = TOPS.iter().map(PathBuf::from).collect();
        self.unwatched.clear();
        for place in chosen(&mounts, folders.unwrap_or(&tops), beside) {
            self.add(group, &place, CHANGES);
        }
        if folders.is_some() {
            for place in chosen(&mounts, &tops, &[]) {
                self.add(group, &place, fanotify::OPEN_EXEC);
            }
        }
    }

    fn add(&mut self, group: &Group, place: &Path, mask: u64) {
        let marked = folder(place).and_then(|(number, fd)| {
            if let Entry::Vacant(vacant) = self.folders.entry(number) {
                group.mark(place, mask)?;
                vacant.insert((place.to_owned(), fd));
            }
            Ok(())
        });
        if let Err(error) = marked {
            self.unwatched.insert(place.to_owned(), error.to_string());
        }
    }
}

/// The number of a file system and a descriptor by which handles on it are opened.
fn folder(place: &Path) -> io::Result<([u8; 8], OwnedFd)> {
    let fd = open(place, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let number = fstatvfs(&fd)?.f_fsid;
    let (low, high) = (number as u32, (number >> 32) as u32);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&low.to_ne_bytes());
    bytes[4..].copy_from_slice(&high.to_ne_bytes());
    Ok((bytes, fd))
}

/// Places by which the file systems of these folders are marked.
fn chosen(mounts: &[Mount], tops: &[PathBuf], beside: &[PathBuf]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        // Later mounts lie over earlier ones.
        let over = mounts.iter().rev().filter(|mount| path.starts_with(&mount.place));
        over.max_by_key(|mount| mount.place.as_os_str().len())
    };
    let mut found: Vec<&Mount> = tops.iter().chain(beside).filter_map(holds).collect();
    let is_top =
        |place: &Path| tops.iter().any(|top| top.as_os_str() != "/" && place.starts_with(top));
    found.extend(mounts.iter().filter(|mount| is_top(&mount.place)));
    found.retain(|mount| !PASSED.contains(&mount.kind.as_str()));
    let mut places: Vec<PathBuf> = found.into_iter().map(|mount| mount.place.clone()).collect();
    places.sort();
    places.dedup();
    places
}

/// Reads `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
fn parse(text: &[u8]) -> Vec<Mount> {
    let lines = text.split(|byte| *byte == b'\n');
    let mount = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        let place = unescape(fields.nth(4)?);
        let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
        let kind = String::from_utf8_lossy(rest.next()?).into_owned();
        Some(Mount { place: PathBuf::from(std::ffi::OsStr::from_bytes(&place)), kind })
    };
    lines.filter_map(mount).collect()
}

/// Space, tab, newline and backslash stand as octal numbers.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut at = 0;
    while at < field.len() {
        let octal = field.get(at + 1..at + 4).filter(|_| field[at] == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(field[at]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"21 1 254:1 / / rw - ext4 /dev/vda rw
22 21 0:5 / /proc rw - proc proc rw
23 21 254:2 / /boot rw shared:1 - vfat /dev/vdb rw
24 21 254:3 / /usr/lo\\040cal rw - xfs /dev/vdc rw
25 21 254:4 / /mnt/data rw - ext4 /dev/vdd rw
26 21 0:9 / /run rw - tmpfs tmpfs rw
broken line
";

    #[test]
    fn the_file_systems_of_the_folders_and_what_lies_below_them_are_chosen() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 6);
        let tops: Vec<PathBuf> = TOPS.iter().map(PathBuf::from).collect();
        let places = chosen(&mounts, &tops, &[]);
        assert_eq!(places, ["/", "/boot", "/usr/lo cal"].map(PathBuf::from));
        let state = [PathBuf::from("/run/ume")];
        let places = chosen(&mounts, &[PathBuf::from("/mnt/data/x")], &state);
        assert_eq!(places, ["/mnt/data", "/run"].map(PathBuf::from));
    }
}
