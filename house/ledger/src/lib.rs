//! The evidence log: an RFC 6962 Merkle tree over canonical leaves, in tlog-tiles form with C2SP
//! signed checkpoints.
//!
//! Invariants:
//! - [`Ledger::append`] returns only after one `fdatasync` over the whole group: what it
//!   acknowledged survives a kill;
//! - opening drops only a torn tail behind the last checkpoint; a fault below it is never repaired
//!   silently but refused with its place;
//! - checkpoints and tiles are written to a temporary name, synced and renamed, tiles first;
//! - one process writes: opening takes a lock on the folder;
//! - a log that does not extend what was published takes nothing until a decision gives that up;
//! - no clock, no randomness except the signing key drawn once at creation.

mod copy;
mod cosigned;
mod decision;
mod files;
mod log;
pub mod outside;
mod proof;
mod publish;
mod reading;
mod shred;
mod verify;
mod witness;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use merkle::{
    Checkpoint, Hash, MemTree, NoteError, ProofError, SignedNote, Signer, TileError, TlogProof,
};

pub use copy::{Frozen, settled_size};
pub use cosigned::{
    Cosigned, Stamped, cosigned_by_all, newest_cosigned, outside_files, stampers, stamps,
};
pub use decision::{FORK, SHRED, approved_fork};
pub use log::LEAVES_PER_GROUP_MAX;
pub use proof::read_proof;
pub use publish::Fork;
pub use reading::{Reading, signed_outside};
pub use shred::{SHRED_MAX, ShredReceipt, shred};
pub use verify::{Fault, Report, verify, verify_all, verify_rows};
pub use witness::{WitnessDesk, Witnessed, witness_name};

/// Why the ledger refused.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}: damaged at byte {offset} (entry {index}), below the last checkpoint of size {size}: run `ume ledger verify`"
    )]
    Damaged { path: PathBuf, offset: u64, index: u64, size: u64 },
    #[error("a leaf of {0} bytes is larger than the 65,535 of an entry bundle")]
    Large(usize),
    #[error("an empty leaf")]
    Empty,
    #[error("{0} leaves in one group are more than {LEAVES_PER_GROUP_MAX}")]
    Many(usize),
    #[error("checkpoint: {0}")]
    Note(#[from] NoteError),
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
    #[error("tile: {0}")]
    Tile(#[from] TileError),
    #[error("time stamp: {0}")]
    Stamp(#[from] timestamp::StampError),
    #[error(
        "cosignatures of {} witnesses are kept: remove files of former ones",
        cosigned::KEPT_MAX
    )]
    Witnesses,
    #[error(
        "{0}: missing although there is a memory of what was cosigned; put the key back, or move the folder away and tell the logs the new key"
    )]
    WitnessKey(PathBuf),
    #[error("{0}: not a signing key of 32 bytes")]
    Key(PathBuf),
    #[error("{0}: missing although the log has entries: restore it from a backup")]
    Missing(PathBuf),
    #[error(
        "the log holds {log} leaves but the database names {store}: restore the log from a backup"
    )]
    Behind { log: u64, store: u64 },
    #[error("no randomness from the operating system")]
    Random,
    #[error("an earlier write failed; the ledger takes nothing until it is opened again")]
    Poisoned,
    #[error("{0} is in use by another process: stop it first")]
    InUse(PathBuf),
    #[error(
        "{path}: missing or not what the log implies, below the last checkpoint: run `ume ledger verify`, and copy it from a backup"
    )]
    TileDamaged { path: PathBuf },
    #[error(
        "the checkpoint of size {} published at {} is not the past of this log of {} leaves (was an old backup restored?): restore the newest backup, or give the published end up with `ume ledger accept-fork`",
        .0.published, .0.place.display(), .0.log
    )]
    Fork(Box<Fork>),
    #[error(
        "decision {id} cannot carry this, {why}: it must be an approved, unexpired decision of kind {kind}"
    )]
    Decision { id: model::Id, kind: &'static str, why: &'static str },
    #[error("no decision is named")]
    NoDecision,
    #[error("the decision does not name {0}")]
    NotNamed(String),
    #[error("{0} records and rows: name at least one and at most {SHRED_MAX}")]
    ShredCount(usize),
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// The open ledger; one writer.
pub struct Ledger {
    folder: PathBuf,
    log: log::Log,
    tree: MemTree,
    signer: Signer,
    checkpoint_size: Option<u64>,
    fork: Option<Fork>,
    /// The newest checkpoint that witnesses have cosigned, with their lines.
    cosigned: Option<SignedNote>,
    /// Held until the ledger is dropped.
    _lock: std::fs::File,
}

impl Ledger {
    /// Opens the ledger in `folder`, creating it with a fresh signing key under the name `origin`.
    pub fn open(folder: &Path, origin: &str) -> Result<Ledger, LedgerError> {
        files::create_dir(folder)?;
        // What is acknowledged in a folder is worth nothing if the folder itself is lost.
        if let Some(above) = folder.parent().filter(|p| *p != Path::new("")) {
            disk::sync_folder(above)
                .map_err(|source| LedgerError::Io { path: above.to_owned(), source })?;
        }
        let lock = files::lock(folder)?;
        let signer = files::signer(folder, origin)?;
        let known = files::read_checkpoint(folder, &signer)?;
        let size = known.as_ref().map_or(0, Checkpoint::size);
        let (log, tree) = log::Log::open(&folder.join("log"), size)?;
        if let Some(checkpoint) = &known
            && log::root_at(&tree, size)? != *checkpoint.root()
        {
            return Err(LedgerError::Damaged {
                path: folder.join("log"),
                offset: 0,
                index: 0,
                size,
            });
        }
        let checkpoint_size = known.map(|c| c.size());
        files::settle_tiles(folder, &tree, &log, size)?;
        let fork = publish::fork(folder, &signer, &tree)?;
        let cosigned = cosigned::newest_of(folder, &signer.verifier_key())?;
        let folder = folder.to_owned();
        let mut ledger =
            Ledger { folder, log, tree, signer, checkpoint_size, fork, cosigned, _lock: lock };
        if ledger.fork.is_none() {
            ledger.checkpoint()?;
        }
        Ok(ledger)
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Appends the leaves as one group and returns the index of the first. Durable on return.
    pub fn append(&mut self, leaves: &[&[u8]]) -> Result<u64, LedgerError> {
        if let Some(fork) = &self.fork {
            return Err(LedgerError::Fork(Box::new(fork.clone())));
        }
        let first = self.size();
        self.log.append(leaves)?;
        for leaf in leaves {
            self.tree.push(merkle::leaf_hash(leaf));
        }
        Ok(first)
    }

    /// Index of a leaf with these bytes at or behind `from`.
    pub fn find_from(&self, from: u64, leaf: &[u8]) -> Option<u64> {
        let wanted = merkle::leaf_hash(leaf);
        self.hashes_from(from).find(|(hash, _)| *hash == wanted).map(|(_, index)| index)
    }

    fn hashes_from(&self, from: u64) -> impl Iterator<Item = (Hash, u64)> {
        (from..self.size())
            .filter_map(|i| Some((merkle::TileReader::hash(&self.tree, 0, i).ok()?, i)))
    }

    /// Writes tiles and a signed checkpoint if the log grew since the last one.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, LedgerError> {
        let size = self.size();
        let checkpoint = Checkpoint::new(self.signer.name(), size, self.tree.root())?;
        if self.checkpoint_size != Some(size) {
            // Signing another future of a published log is what a ledger must never do.
            if let Some(fork) = &self.fork {
                return Err(LedgerError::Fork(Box::new(fork.clone())));
            }
            files::write_tiles(
                &self.folder,
                &self.tree,
                &mut self.log,
                self.checkpoint_size.unwrap_or(0),
            )?;
            let note = checkpoint.sign(&self.signer)?;
            files::replace(&self.folder.join("checkpoint"), note.to_string().as_bytes())?;
            self.checkpoint_size = Some(size);
        }
        Ok(checkpoint)
    }

    /// The signed checkpoint over the current size, as text; with the cosignatures of those who have
    /// cosigned this one.
    pub fn signed_checkpoint(&mut self) -> Result<String, LedgerError> {
        let own = self.checkpoint()?.sign(&self.signer)?;
        let cosigned = self.cosigned.as_ref().filter(|note| note.text() == own.text());
        Ok(cosigned.unwrap_or(&own).to_string())
    }

    /// Inclusion proof of the leaf at `index`: under the checkpoint that witnesses have cosigned if it
    /// reaches that far, else under one of the current size.
    pub fn proof(&mut self, index: u64) -> Result<TlogProof, LedgerError> {
        if let Some(proof) = self.cosigned_proof(index)? {
            return Ok(proof);
        }
        let checkpoint = self.checkpoint()?;
        let hashes = merkle::inclusion_proof(index, checkpoint.size(), &self.tree)?;
        Ok(TlogProof::new(Vec::new(), index, hashes, checkpoint.sign(&self.signer)?)?)
    }

    fn cosigned_proof(&self, index: u64) -> Result<Option<TlogProof>, LedgerError> {
        let Some(note) = &self.cosigned else { return Ok(None) };
        let checkpoint = Checkpoint::parse(note.text())?;
        // After a fork was accepted the cosigned end may be one that was given up.
        if index >= checkpoint.size() || !publish::extends(&self.tree, &checkpoint)? {
            return Ok(None);
        }
        let hashes = merkle::inclusion_proof(index, checkpoint.size(), &self.tree)?;
        Ok(Some(TlogProof::new(Vec::new(), index, hashes, note.clone())?))
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        self.signer.name()
    }

    /// The leaf at `index`, read back from the disk.
    pub fn leaf(&mut self, index: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        self.log.read(index)
    }

    /// The key that verifies the checkpoints, in C2SP text form.
    pub fn verifier_key(&self) -> String {
        self.signer.verifier_key().to_string()
    }

    /// Keys that no peer may have: our own as a log, and that of the witness beside us.
    pub fn own_keys(&self) -> Result<Vec<merkle::VerifierKey>, LedgerError> {
        Ok(vec![self.signer.verifier_key(), WitnessDesk::beside(self).verifier_key()?])
    }

    /// A note over another text than a checkpoint, signed with the same key. The text must not begin
    /// with the ledger's name, or it could pass for a checkpoint.
    pub fn sign(&self, text: &str) -> Result<String, LedgerError> {
        if text.lines().next() == Some(self.signer.name()) {
            let why = "it begins like a checkpoint";
            return Err(NoteError::Malformed { what: "note", why }.into());
        }
        let mut note = merkle::SignedNote::new(text)?;
        note.sign(&self.signer)?;
        Ok(note.to_string())
    }

    /// Folder of the ledger.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Moves pending leaves from the outbox into the ledger; returns how many. Safe to repeat after a
/// crash at any point: a leaf that already stands in the log is only settled.
pub async fn drain(store: &store::Store, ledger: &mut Ledger) -> Result<usize, LedgerError> {
    let settled_to = settled_size(store).await?;
    if settled_to > ledger.size() {
        return Err(LedgerError::Behind { log: ledger.size(), store: settled_to });
    }
    // Leaves in the log that the store does not know yet: a crash came between append and settle.
    // All of them are settled at once, or the next round would no longer look for the rest.
    let unsettled: HashMap<Hash, u64> = ledger.hashes_from(settled_to).collect();
    let limit = if unsettled.is_empty() { LEAVES_PER_GROUP_MAX } else { i64::MAX as usize };
    let pending = store.pending(limit).await?;
    if pending.is_empty() {
        return Ok(0);
    }
    let mut settled = Vec::with_capacity(pending.len());
    let mut fresh: Vec<(i64, String, &str)> = Vec::new();
    for (seq, key, leaf) in &pending {
        match unsettled.get(&merkle::leaf_hash(leaf.as_bytes())) {
            Some(index) => settled.push((*seq, key.clone(), *index)),
            None => fresh.push((*seq, key.clone(), leaf)),
        }
    }
    fresh.truncate(LEAVES_PER_GROUP_MAX);
    let leaves: Vec<&[u8]> = fresh.iter().map(|(_, _, leaf)| leaf.as_bytes()).collect();
    let first = if leaves.is_empty() { ledger.size() } else { ledger.append(&leaves)? };
    let indexes = first..;
    settled.extend(fresh.into_iter().zip(indexes).map(|((seq, key, _), index)| (seq, key, index)));
    store.settle(&settled).await?;
    Ok(settled.len())
}
