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

use crate::{Ledger, LedgerError, cosigned, files, log};

const PUBLISHED: &str = "published";
const SINKS: &str = "sinks";
const FORKS: &str = "forks";

/// A published checkpoint that this log does not extend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Size of the published checkpoint.
    pub published: u64,
    /// Its root, in hex; empty where only a witness's word of the size is known.
    pub root: String,
    /// Number of leaves here.
    pub log: u64,
    /// Where the checkpoint was found: a file, or the witness that has seen it.
    pub place: PathBuf,
}

impl Fork {
    /// How a line of the accepted ones begins.
    fn name(&self) -> String {
        match self.root.as_str() {
            "" => format!("{} {}", self.published, self.place.display()),
            root => format!("{} {root}", self.published),
        }
    }

    pub(crate) fn is_given_up(&self, accepted: &[String]) -> bool {
        let start = format!("{} ", self.name());
        accepted.iter().any(|line| line.starts_with(&start))
    }
}

pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { path: path.to_owned(), source }),
    }
}

pub(crate) fn lines(path: &Path) -> Result<Vec<String>, LedgerError> {
    let bytes = read(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn root_hex(root: &Hash) -> String {
    hex::encode(root)
}

/// Whether a log of this tree may stand behind the checkpoint.
pub(crate) fn extends(tree: &MemTree, checkpoint: &Checkpoint) -> Result<bool, LedgerError> {
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
    let folder = path.parent().and_then(Path::file_name);
    let kept = folder.is_some_and(|name| name == cosigned::COSIGNATURES);
    let bytes = if kept { cosigned::note_part(&bytes) } else { &bytes };
    // What our key did not sign says nothing about our log.
    let Ok(open) = Checkpoint::open(bytes, signer.name(), &signer.verifier_key(), &[]) else {
        tracing::warn!(path = %path.display(), "not a checkpoint of this ledger; ignored");
        return Ok(None);
    };
    let (published, root) = (open.checkpoint.size(), root_hex(open.checkpoint.root()));
    let fork = Fork { published, root, log: tree.size(), place: path.to_owned() };
    if fork.is_given_up(accepted) || extends(tree, &open.checkpoint)? {
        return Ok(None);
    }
    Ok(Some(fork))
}

/// Whether a checkpoint is of an end of the log that a decision has given up.
pub(crate) fn given_up(folder: &Path, checkpoint: &Checkpoint) -> Result<bool, LedgerError> {
    let (published, root) = (checkpoint.size(), root_hex(checkpoint.root()));
    let fork = Fork { published, root, log: 0, place: PathBuf::new() };
    Ok(fork.is_given_up(&lines(&folder.join(FORKS))?))
}

/// The largest checkpoint that others have seen, here, at a sink or at a witness, and that the log does
/// not extend.
pub(crate) fn fork(
    folder: &Path,
    signer: &Signer,
    tree: &MemTree,
) -> Result<Option<Fork>, LedgerError> {
    let accepted = lines(&folder.join(FORKS))?;
    let mut places = vec![folder.join(PUBLISHED)];
    places.extend(lines(&folder.join(SINKS))?.into_iter().map(PathBuf::from));
    places.extend(cosigned::places(folder)?);
    let mut forks = cosigned::claims(folder, tree.size(), &accepted)?;
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
        let text = self.signed_checkpoint()?;
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
            text.push(format!("{} {decision}", fork.name()));
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
