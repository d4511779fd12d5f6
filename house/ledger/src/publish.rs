//! What left this machine, and what happens when the log no longer reaches it.
//!
//! A published checkpoint is a promise: the log will always be an extension of it. A backup restored
//! from before breaks the promise, so such a ledger takes nothing until a decision says that the
//! published end of the log is given up.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use merkle::{Checkpoint, Hash, MemTree, Signer};

use crate::{Ledger, LedgerError, files, log};

const PUBLISHED: &str = "published";
const SINKS: &str = "sinks";
const FORKS: &str = "forks";

/// A published checkpoint that this log does not extend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Size of the published checkpoint.
    pub published: u64,
    /// Its root, in hex.
    pub root: String,
    /// Number of leaves here.
    pub log: u64,
    /// Where the checkpoint was found.
    pub place: PathBuf,
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { path: path.to_owned(), source }),
    }
}

fn lines(path: &Path) -> Result<Vec<String>, LedgerError> {
    let bytes = read(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn root_hex(root: &Hash) -> String {
    hex::encode(root)
}

/// Whether a log of this tree may stand behind the checkpoint.
fn extends(tree: &MemTree, checkpoint: &Checkpoint) -> Result<bool, LedgerError> {
    let size = checkpoint.size();
    Ok(size <= tree.size() && log::root_at(tree, size)? == *checkpoint.root())
}

fn judge(
    path: &Path,
    signer: &Signer,
    tree: &MemTree,
    accepted: &[String],
) -> Result<Option<Fork>, LedgerError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    // What our key did not sign says nothing about our log.
    let Ok(open) = Checkpoint::open(&bytes, signer.name(), &signer.verifier_key(), &[]) else {
        tracing::warn!(path = %path.display(), "not a checkpoint of this ledger; ignored");
        return Ok(None);
    };
    let (published, root) = (open.checkpoint.size(), root_hex(open.checkpoint.root()));
    let given_up = accepted.iter().any(|line| line.starts_with(&format!("{published} {root} ")));
    if given_up || extends(tree, &open.checkpoint)? {
        return Ok(None);
    }
    Ok(Some(Fork { published, root, log: tree.size(), place: path.to_owned() }))
}

/// The largest published checkpoint, here or at a sink, that the log does not extend.
pub(crate) fn fork(
    folder: &Path,
    signer: &Signer,
    tree: &MemTree,
) -> Result<Option<Fork>, LedgerError> {
    let accepted = lines(&folder.join(FORKS))?;
    let mut places = vec![folder.join(PUBLISHED)];
    places.extend(lines(&folder.join(SINKS))?.into_iter().map(PathBuf::from));
    let mut forks = Vec::new();
    for place in places {
        match judge(&place, signer, tree, &accepted) {
            Ok(found) => forks.extend(found),
            // A sink on a medium that is away must not stop the ledger.
            Err(error) => tracing::warn!(%error, "a published checkpoint could not be read"),
        }
    }
    Ok(forks.into_iter().max_by_key(|fork| fork.published))
}

impl Ledger {
    /// Publishes the newest checkpoint to a file outside the ledger, and remembers that it did: every
    /// later opening holds the log against what stands there.
    pub fn publish(&mut self, sink: &Path) -> Result<Checkpoint, LedgerError> {
        let io = |source| LedgerError::Io { path: sink.to_owned(), source };
        let accepted = lines(&self.folder.join(FORKS))?;
        if let Some(fork) = judge(sink, &self.signer, &self.tree, &accepted)? {
            return Err(LedgerError::Fork(Box::new(fork)));
        }
        let checkpoint = self.checkpoint()?;
        let text = checkpoint.sign(&self.signer)?.to_string();
        // Known before it leaves: a crash between must not forget what others may have seen.
        files::replace(&self.folder.join(PUBLISHED), text.as_bytes())?;
        let absolute = std::path::absolute(sink).map_err(io)?;
        let mut sinks = lines(&self.folder.join(SINKS))?;
        let name = absolute.to_string_lossy().into_owned();
        if !sinks.contains(&name) {
            sinks.push(name);
            files::replace(&self.folder.join(SINKS), (sinks.join("\n") + "\n").as_bytes())?;
        }
        files::replace(&absolute, text.as_bytes())?;
        Ok(checkpoint)
    }

    /// The published checkpoint that keeps this ledger from taking anything.
    pub fn fork(&self) -> Option<&Fork> {
        self.fork.as_ref()
    }

    /// Gives up the published end of the log by a decision; the ledger takes leaves again.
    pub fn accept_fork(&mut self, decision: model::Id) -> Result<(), LedgerError> {
        while let Some(fork) = self.fork.take() {
            let path = self.folder.join(FORKS);
            let mut text = lines(&path)?;
            text.push(format!("{} {} {decision}", fork.published, fork.root));
            files::replace(&path, (text.join("\n") + "\n").as_bytes())?;
            self.fork = crate::publish::fork(&self.folder, &self.signer, &self.tree)?;
            // Another one needs a decision of its own.
            if self.fork.is_some() {
                break;
            }
        }
        Ok(())
    }
}
