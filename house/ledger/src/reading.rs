//! Leaves and proofs as the last checkpoint froze them, read from the files beside a running writer.
//!
//! Invariant: what is handed out was held against the signed root, so nothing leaves a damaged log.
//! The log is read through once; only the leaves that the caller keeps stay in memory, and some 64
//! bytes of hashes for each of the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufReader, ErrorKind},
    path::{Path, PathBuf},
};

use merkle::{Checkpoint, MemTree, Node, SignedNote, TlogProof, VerifierKey};

use crate::{
    LedgerError,
    log::{FRAME_HEAD_BYTES, Frame, read_frame, root_at},
};

/// Files that outsiders signed over our checkpoints, by folder of the ledger: cosignatures of witnesses
/// and answers of time-stamping authorities.
const OUTSIDE: [&str; 2] = ["cosignatures", "timestamps"];
/// Most of them, and the largest, that are read.
const OUTSIDE_FILES_MAX: usize = 10_000;
const OUTSIDE_BYTES_MAX: u64 = 1 << 20;

/// A ledger at the size of its checkpoint.
pub struct Reading {
    key: String,
    note: SignedNote,
    checkpoint: Checkpoint,
    tree: MemTree,
    leaves: BTreeMap<u64, Vec<u8>>,
}

impl Reading {
    /// Reads what the checkpoint covers; `keep` says which leaves stay.
    pub fn open(
        folder: &Path,
        mut keep: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<Reading, LedgerError> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|source| LedgerError::Io { path, source })
        };
        let key = String::from_utf8_lossy(&read("vkey")?).trim_end().to_owned();
        let verifier = VerifierKey::parse(&key)?;
        let note = SignedNote::parse(&read("checkpoint")?)?;
        let checkpoint = Checkpoint::open_note(&note, verifier.name(), &verifier, &[])?.checkpoint;
        let size = checkpoint.size();
        let path = folder.join("log");
        let io = |source| LedgerError::Io { path: path.clone(), source };
        let mut reader = BufReader::with_capacity(1 << 20, File::open(&path).map_err(io)?);
        let (mut tree, mut leaves, mut offset) = (MemTree::new(), BTreeMap::new(), 0);
        for index in 0..size {
            let Frame::Entry(bytes) = read_frame(&mut reader).map_err(io)? else {
                return Err(LedgerError::Damaged { path, offset, index, size });
            };
            tree.push(merkle::leaf_hash(&bytes));
            offset += FRAME_HEAD_BYTES + bytes.len() as u64;
            if keep(index, &bytes) {
                leaves.insert(index, bytes);
            }
        }
        if root_at(&tree, size)? != *checkpoint.root() {
            return Err(LedgerError::Damaged { path, offset: 0, index: 0, size });
        }
        Ok(Reading { key, note, checkpoint, tree, leaves })
    }

    /// The key that verifies the checkpoint, in C2SP text form.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The signed checkpoint.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The leaves kept, by index.
    pub fn leaves(&self) -> &BTreeMap<u64, Vec<u8>> {
        &self.leaves
    }

    /// Lets go of leaves that turned out not to be wanted.
    pub fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) {
        self.leaves.retain(|index, _| keep(*index));
    }

    /// Inclusion proof of any leaf.
    pub fn proof(&self, index: u64) -> Result<TlogProof, LedgerError> {
        let hashes = merkle::inclusion_proof(index, self.checkpoint.size(), &self.tree)?;
        Ok(TlogProof::new(Vec::new(), index, hashes, self.note.clone())?)
    }

    /// The nodes that lead from the leaves kept to the root.
    pub fn cover(&self) -> Result<Vec<Node>, LedgerError> {
        let kept: BTreeSet<u64> = self.leaves.keys().copied().collect();
        Ok(merkle::cover(&kept, self.checkpoint.size(), &self.tree)?)
    }
}

/// What outsiders signed, by path below the ledger folder with `/` between; empty where nobody did.
pub fn signed_outside(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, LedgerError> {
    let mut found = BTreeMap::new();
    for name in OUTSIDE {
        collect(&folder.join(name), name, &mut found)?;
    }
    Ok(found)
}

fn collect(
    folder: &Path,
    name: &str,
    found: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), LedgerError> {
    let io = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |source| LedgerError::Io { path, source }
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(folder)(e)),
    };
    for entry in entries {
        let entry = entry.map_err(io(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(io(folder))?);
        let part = entry.file_name().to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        // A name of another form is none that a ledger writes, and half-written files end in .tmp.
        if part.starts_with('.') || part.ends_with(".tmp") || !part.chars().all(plain) {
            continue;
        }
        let name = format!("{name}/{part}");
        if kind.is_dir() {
            collect(&path, &name, found)?;
        } else if kind.is_file()
            && found.len() < OUTSIDE_FILES_MAX
            && entry.metadata().map_err(io(&path))?.len() <= OUTSIDE_BYTES_MAX
        {
            found.insert(name, fs::read(&path).map_err(io(&path))?);
        }
    }
    Ok(())
}
