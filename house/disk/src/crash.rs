//! What a power failure leaves, made from a record of what was done.
//!
//! Until a file is synced, any write to it may be missing, torn, or zeros where its bytes should be,
//! each by itself, so that later ones stand without earlier ones. A name (made, changed, removed) is
//! durable only once its folder was synced; before that the names of a folder stand as after any
//! number of the changes, in their order, each folder by itself. A folder whose own name is lost is
//! lost with all in it. The seed decides; the same seed leaves the same disk.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// One change.
#[derive(Clone, Debug)]
pub enum Op {
    Create { id: u64, path: PathBuf },
    Folder { path: PathBuf },
    Write { id: u64, offset: u64, bytes: Vec<u8> },
    SetLen { id: u64, len: u64 },
    Sync { id: u64 },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    SyncFolder { path: PathBuf },
}

#[derive(Default)]
struct Recorder {
    root: PathBuf,
    ops: Vec<Op>,
    files: BTreeMap<PathBuf, u64>,
    next: u64,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

fn with<T>(act: impl FnOnce(&mut Recorder) -> T) -> Option<T> {
    RECORDER.with_borrow_mut(|recorder| recorder.as_mut().map(act))
}

/// Begins to record what this thread does below an empty folder, which itself is durable.
pub fn record(root: &Path) {
    let recorder = Recorder { root: root.to_owned(), ..Recorder::default() };
    RECORDER.set(Some(recorder));
}

/// Changes so far: a moment of the record.
pub fn moment() -> usize {
    with(|recorder| recorder.ops.len()).unwrap_or(0)
}

/// Ends the recording.
pub fn recorded() -> Vec<Op> {
    RECORDER.take().map(|recorder| recorder.ops).unwrap_or_default()
}

pub(crate) fn note(op: Op) {
    with(|recorder| {
        match &op {
            Op::Rename { from, to } => {
                if let Some(id) = recorder.files.remove(from) {
                    recorder.files.insert(to.clone(), id);
                }
            }
            Op::Remove { path } => {
                recorder.files.remove(path);
            }
            _ => {}
        }
        recorder.ops.push(op);
    });
}

/// The file of this name, new or known; `None` outside of what is recorded.
pub(crate) fn opened(path: &Path) -> Option<u64> {
    with(|recorder| {
        if !path.starts_with(&recorder.root) {
            return None;
        }
        if let Some(id) = recorder.files.get(path) {
            return Some(*id);
        }
        recorder.next += 1;
        let id = recorder.next;
        recorder.files.insert(path.to_owned(), id);
        recorder.ops.push(Op::Create { id, path: path.to_owned() });
        Some(id)
    })?
}

/// Folders that `create_dir` is going to make.
pub(crate) fn made(path: &Path) {
    with(|recorder| {
        let missing: Vec<&Path> =
            path.ancestors().take_while(|p| p.starts_with(&recorder.root) && !p.exists()).collect();
        for path in missing.into_iter().rev() {
            recorder.ops.push(Op::Folder { path: path.to_owned() });
        }
    });
}

/// splitmix64: small, and the same everywhere.
pub struct Chance(pub u64);

impl Chance {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

#[derive(Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Data>,
}

enum Data {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Data {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Data::SetLen(len) => to.resize(*len, 0),
            Data::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(u64),
    Folder,
}

type Names = BTreeMap<PathBuf, Entry>;

fn rename_in(names: &mut Names, op: &Op) {
    match op {
        Op::Create { id, path } => {
            names.insert(path.clone(), Entry::File(*id));
        }
        Op::Folder { path } => {
            names.insert(path.clone(), Entry::Folder);
        }
        Op::Rename { from, to } => {
            if let Some(entry) = names.remove(from) {
                names.insert(to.clone(), entry);
            }
        }
        Op::Remove { path } => {
            names.remove(path);
        }
        _ => {}
    }
}

/// Folder whose names the change concerns; `None` for a change of data.
fn folder_of(op: &Op) -> Option<&Path> {
    match op {
        Op::Create { path, .. } | Op::Folder { path } | Op::Remove { path } => path.parent(),
        // Ours never move a file between folders.
        Op::Rename { to, .. } => to.parent(),
        _ => None,
    }
}

#[derive(Default)]
struct Disk {
    inodes: BTreeMap<u64, Inode>,
    names: Names,
    pending: BTreeMap<PathBuf, Vec<Op>>,
}

impl Disk {
    fn run(&mut self, op: &Op) {
        match op {
            Op::Write { id, offset, bytes } => {
                let data = Data::Write { offset: *offset as usize, bytes: bytes.clone() };
                self.inodes.entry(*id).or_default().pending.push(data);
            }
            Op::SetLen { id, len } => {
                self.inodes.entry(*id).or_default().pending.push(Data::SetLen(*len as usize));
            }
            Op::Sync { id } => {
                let inode = self.inodes.entry(*id).or_default();
                for data in std::mem::take(&mut inode.pending) {
                    data.apply(&mut inode.durable);
                }
            }
            Op::SyncFolder { path } => {
                for op in self.pending.remove(path).unwrap_or_default() {
                    rename_in(&mut self.names, &op);
                }
            }
            other => {
                if let Op::Create { id, .. } = other {
                    self.inodes.entry(*id).or_default();
                }
                let folder = folder_of(other).unwrap_or(Path::new("/")).to_owned();
                self.pending.entry(folder).or_default().push(other.clone());
            }
        }
    }

    /// The power goes.
    fn fail(&mut self, chance: &mut Chance) {
        for ops in std::mem::take(&mut self.pending).into_values() {
            let kept = chance.below(ops.len() + 1);
            ops[..kept].iter().for_each(|op| rename_in(&mut self.names, op));
        }
        for inode in self.inodes.values_mut() {
            for data in std::mem::take(&mut inode.pending) {
                let torn = match (&data, chance.below(4)) {
                    (_, 0) => None,
                    (Data::Write { offset, bytes }, 1) => {
                        let bytes = bytes[..chance.below(bytes.len() + 1)].to_vec();
                        Some(Data::Write { offset: *offset, bytes })
                    }
                    (Data::Write { offset, bytes }, 2) => {
                        Some(Data::Write { offset: *offset, bytes: vec![0; bytes.len()] })
                    }
                    _ => Some(data),
                };
                if let Some(data) = torn {
                    data.apply(&mut inode.durable);
                }
            }
        }
    }

    fn write(&self, root: &Path, into: &Path) -> io::Result<()> {
        // In order of their names, so a folder comes before what is in it.
        for (path, entry) in &self.names {
            let place = into.join(path.strip_prefix(root).unwrap_or(path));
            if !place.parent().is_some_and(Path::is_dir) {
                continue;
            }
            match entry {
                Entry::Folder => fs::create_dir_all(&place)?,
                Entry::File(id) => {
                    let bytes = self.inodes.get(id).map_or(&[][..], |inode| &inode.durable);
                    fs::write(&place, bytes)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes into an empty folder what a power failure behind the first `moment` changes leaves of `root`.
pub fn leave(
    ops: &[Op],
    moment: usize,
    chance: &mut Chance,
    root: &Path,
    into: &Path,
) -> io::Result<()> {
    let mut disk = Disk::default();
    ops[..moment.min(ops.len())].iter().for_each(|op| disk.run(op));
    disk.fail(chance);
    disk.write(root, into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, create_dir, replace, sync_folder};

    /// All that may be left of one file after each moment, over many seeds.
    fn left(root: &Path, ops: &[Op], moment: usize, name: &str) -> Vec<Option<Vec<u8>>> {
        let mut all = Vec::new();
        for seed in 0..200 {
            let into = tempfile::tempdir().unwrap();
            leave(ops, moment, &mut Chance(seed), root, into.path()).unwrap();
            all.push(fs::read(into.path().join(name)).ok());
        }
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn only_what_was_synced_is_sure() {
        let root = tempfile::tempdir().unwrap();
        record(root.path());
        let mut file = File::append(&root.path().join("a")).unwrap();
        file.write_all(b"one").unwrap();
        file.sync().unwrap();
        let nameless = moment();
        sync_folder(root.path()).unwrap();
        let sure = moment();
        file.write_all(b"two").unwrap();
        let unsure = moment();
        let ops = recorded();
        let one = || Some(b"one".to_vec());
        assert_eq!(left(root.path(), &ops, nameless, "a"), [None, one()]);
        assert_eq!(left(root.path(), &ops, sure, "a"), [one()]);
        let states = left(root.path(), &ops, unsure, "a");
        for state in [&b"one"[..], b"onet", b"onetw", b"onetwo", b"one\0\0\0"] {
            assert!(states.contains(&Some(state.to_vec())), "{states:?}");
        }
        assert_eq!(states.len(), 5, "{states:?}");
    }

    #[test]
    fn a_replaced_file_is_the_old_or_the_new_one_and_a_lost_folder_is_lost_whole() {
        let root = tempfile::tempdir().unwrap();
        record(root.path());
        let folder = root.path().join("in");
        create_dir(&folder).unwrap();
        replace(&folder.join("a"), b"old").unwrap();
        let lost = moment();
        sync_folder(root.path()).unwrap();
        let begun = moment();
        replace(&folder.join("a"), b"new").unwrap();
        let ops = recorded();
        assert_eq!(left(root.path(), &ops, lost, "in/a"), [None, Some(b"old".to_vec())]);
        for moment in begun..=ops.len() {
            for state in left(root.path(), &ops, moment, "in/a") {
                let state = state.unwrap();
                assert!(state == b"old" || state == b"new", "{moment}: {state:?}");
            }
        }
        assert_eq!(left(root.path(), &ops, ops.len(), "in/a"), [Some(b"new".to_vec())]);
    }
}
