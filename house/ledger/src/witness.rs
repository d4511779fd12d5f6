//! The witness: cosigns checkpoints of other logs, and remembers how far each has grown.
//!
//! Key and memory lie in one folder and stay together: neither is in a backup. A witness restored to
//! yesterday's memory under today's key would cosign a second history; so a restored Ume gets a new
//! witness key, and its peers are told it.
//!
//! Invariants: what was seen is on disk, file and folder synced, before its cosignature is given out; a
//! memory that cannot be read refuses, it is never taken for an empty one. Whoever owns the [`WitnessDesk`]
//! holds the data folder, so there is one writer; `&mut` keeps two requests apart.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use merkle::{
    AddCheckpoint, Checkpoint, KeyKind, Seen, SignedNote, Signer, VerifierKey, WitnessRefusal,
    WitnessedLog,
};

use crate::{LedgerError, files};

const KEY: &str = "key";
const VKEY: &str = "vkey";
/// Hex of a SHA-256.
const MEMORY_NAME_CHARS: usize = 64;

/// A witness under a name.
pub struct WitnessDesk {
    folder: PathBuf,
    name: String,
    signer: Option<Signer>,
}

/// What a witness remembers of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    pub size: u64,
    pub root: merkle::Hash,
    /// Unix seconds of the cosignature.
    pub time: u64,
}

/// Name of the witness beside a ledger, and where it lies.
pub fn witness_name(origin: &str) -> String {
    format!("{origin}/witness")
}

impl WitnessDesk {
    /// A witness in this folder; its key is drawn when it is first needed.
    pub fn at(folder: PathBuf, name: &str) -> WitnessDesk {
        WitnessDesk { folder, name: name.to_owned(), signer: None }
    }

    /// The witness beside a ledger.
    pub fn beside(ledger: &crate::Ledger) -> WitnessDesk {
        let data = ledger.folder().parent().unwrap_or(Path::new(""));
        WitnessDesk::at(data.join("keys/witness"), &witness_name(ledger.origin()))
    }

    /// The key that verifies its cosignatures, drawn if there is none yet.
    pub fn verifier_key(&mut self) -> Result<VerifierKey, LedgerError> {
        Ok(self.signer()?.cosigner_key())
    }

    fn signer(&mut self) -> Result<&Signer, LedgerError> {
        let signer = match self.signer.take() {
            Some(signer) => signer,
            None => read_key(&self.folder, &self.name)?,
        };
        Ok(self.signer.insert(signer))
    }

    /// What it has cosigned last of a log.
    pub fn witnessed(&mut self, origin: &str) -> Result<Option<Witnessed>, LedgerError> {
        let path = self.folder.join(file_name(origin));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LedgerError::Io { path, source }),
        };
        // Our own cosignature vouches for our own memory.
        let own = self.verifier_key()?;
        let note = SignedNote::parse(&bytes)?;
        let mine = note.verify(&[own])?;
        let time = mine.first().and_then(|line| line.time).unwrap_or_default();
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin() != origin {
            let (expected, got) = (origin.to_owned(), checkpoint.origin().to_owned());
            return Err(merkle::NoteError::Origin { expected, got }.into());
        }
        Ok(Some(Witnessed { size: checkpoint.size(), root: *checkpoint.root(), time }))
    }

    /// Decides one request and gives the line that answers it. `now` is Unix seconds.
    pub fn add_checkpoint(
        &mut self,
        logs: &[WitnessedLog],
        body: &[u8],
        now: u64,
    ) -> Result<Result<String, WitnessRefusal>, LedgerError> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(error) => return Ok(Err(WitnessRefusal::Malformed(error))),
        };
        let origin = request.origin();
        // A stranger's origin is not even looked up.
        let Some(log) = logs.iter().find(|log| log.origin == origin) else {
            return Ok(Err(WitnessRefusal::UnknownOrigin(origin.to_owned())));
        };
        let before = self.witnessed(origin)?;
        let seen = before.as_ref().map(|w| Seen { size: w.size, root: w.root });
        // Our times of one log do not run backwards, whatever the clock does.
        let now = before.map_or(now, |w| w.time.max(now));
        let (new, cosignature) =
            match merkle::witness(self.signer()?, Some(log), seen, &request, now) {
                Ok(decided) => decided,
                Err(refusal) => return Ok(Err(refusal)),
            };
        let line = cosignature.to_line();
        if Some(new) != seen {
            let path = self.folder.join(file_name(origin));
            let note = memory(&request, log, line.clone())?;
            files::replace(&path, note.to_string().as_bytes())?;
        }
        Ok(Ok(format!("{line}\n")))
    }
}

/// The checkpoint with its log's signature and ours; lines of strangers are not kept.
fn memory(
    request: &AddCheckpoint,
    log: &WitnessedLog,
    own: merkle::NoteSignature,
) -> Result<SignedNote, LedgerError> {
    let mut note = SignedNote::new(request.note().text())?;
    for verified in request.note().verify(&log.keys)? {
        note.push(request.note().signatures()[verified.line].clone())?;
    }
    note.push(own)?;
    Ok(note)
}

/// Origins hold what they like; their hash is a name.
fn file_name(origin: &str) -> String {
    hex::encode(timestamp::Request::imprint_of(origin.as_bytes()))
}

fn read_key(folder: &Path, name: &str) -> Result<Signer, LedgerError> {
    let path = folder.join(KEY);
    let seed = match fs::read(&path) {
        Ok(seed) => seed,
        Err(e) if e.kind() == ErrorKind::NotFound => draw_key(folder, &path)?.to_vec(),
        Err(source) => return Err(LedgerError::Io { path, source }),
    };
    let seed: [u8; 32] = seed.try_into().map_err(|_| LedgerError::Key(path))?;
    let signer = Signer::from_seed(name, &seed)?;
    let key = signer.cosigner_key();
    debug_assert_eq!(key.kind(), KeyKind::CosignatureV1);
    let (path, text) = (folder.join(VKEY), format!("{key}\n"));
    if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
        files::replace(&path, text.as_bytes())?;
    }
    Ok(signer)
}

/// Draws a key unless another process is quicker: then theirs is the key.
fn draw_key(folder: &Path, path: &Path) -> Result<[u8; 32], LedgerError> {
    let io = |source| LedgerError::Io { path: path.to_owned(), source };
    files::create_dir(folder)?;
    let entries = fs::read_dir(folder).map_err(io)?.filter_map(Result::ok);
    // A memory without its key could not be read, and must not look like none.
    if entries.map(|entry| entry.file_name().len()).any(|length| length == MEMORY_NAME_CHARS) {
        return Err(LedgerError::WitnessKey(path.to_owned()));
    }
    let mut drawn = [0; 40];
    getrandom::fill(&mut drawn).map_err(|_| LedgerError::Random)?;
    let (seed, name) = drawn.split_at(32);
    let fresh = folder.join(format!("{}.new", hex::encode(name)));
    disk::put(&fresh, seed).map_err(io)?;
    // A link takes no name that is taken.
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh).map_err(io)?;
    match linked {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(io(e)),
        _ => {}
    }
    for folder in folder.ancestors().take(3).filter(|p| *p != Path::new("")) {
        disk::sync_folder(folder).map_err(io)?;
    }
    fs::read(path).map_err(io)?.try_into().map_err(|_| LedgerError::Key(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use merkle::{MemTree, consistency_proof, cosignature_in, leaf_hash};

    const ORIGIN: &str = "example.com/log";

    fn log() -> Signer {
        Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
    }

    fn logs() -> Vec<WitnessedLog> {
        vec![WitnessedLog { origin: ORIGIN.to_owned(), keys: vec![log().verifier_key()] }]
    }

    fn body(old: u64, size: u64, branch: u8) -> String {
        let tree: MemTree =
            (0..size).map(|i| leaf_hash(&[i as u8, if i < 3 { 0 } else { branch }])).collect();
        let note = Checkpoint::new(ORIGIN, size, tree.root()).unwrap().sign(&log()).unwrap();
        let proof =
            if old == 0 { Vec::new() } else { consistency_proof(old, size, &tree).unwrap() };
        AddCheckpoint::new(old, proof, note).unwrap().to_string()
    }

    fn ask(desk: &mut WitnessDesk, body: &str, now: u64) -> Result<String, u16> {
        desk.add_checkpoint(&logs(), body.as_bytes(), now).unwrap().map_err(|r| r.status())
    }

    #[test]
    fn what_was_cosigned_is_remembered_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("keys/witness");
        let mut desk = WitnessDesk::at(place.clone(), "w");
        let answer = ask(&mut desk, &body(0, 5, 0), 100).unwrap();
        let key = desk.verifier_key().unwrap();
        let asked = AddCheckpoint::parse(body(0, 5, 0).as_bytes()).unwrap();
        assert_eq!(cosignature_in(answer.as_bytes(), asked.note(), &key).unwrap().time, 100);
        drop(desk);
        let mut desk = WitnessDesk::at(place, "w");
        assert_eq!(desk.verifier_key().unwrap(), key);
        assert_eq!(ask(&mut desk, &body(0, 5, 0), 101), Err(409));
        assert_eq!(ask(&mut desk, &body(5, 8, 1), 102), Err(422));
        assert!(ask(&mut desk, &body(5, 8, 0), 103).is_ok());
        // The clock went back: the times of a log do not.
        let again = ask(&mut desk, &body(8, 8, 0), 50).unwrap();
        let asked = AddCheckpoint::parse(body(8, 8, 0).as_bytes()).unwrap();
        assert_eq!(cosignature_in(again.as_bytes(), asked.note(), &key).unwrap().time, 103);
        assert_eq!(desk.witnessed(ORIGIN).unwrap().map(|w| (w.size, w.time)), Some((8, 103)));
        assert_eq!(desk.witnessed("other").unwrap(), None);
    }

    #[test]
    fn no_changed_byte_of_the_memory_is_taken_for_another_memory() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = WitnessDesk::at(folder.path().to_owned(), "w");
        ask(&mut desk, &body(0, 5, 0), 100).unwrap();
        let path = folder.path().join(file_name(ORIGIN));
        let whole = fs::read(&path).unwrap();
        let text = whole.windows(2).position(|w| w == b"\n\n").unwrap();
        for at in 0..text {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(desk.add_checkpoint(&logs(), body(5, 8, 0).as_bytes(), 101).is_err(), "{at}");
        }
        fs::write(&path, &whole).unwrap();
        // Without its key the memory is worth nothing, and a new key must not hide it.
        fs::remove_file(folder.path().join(KEY)).unwrap();
        let mut desk = WitnessDesk::at(folder.path().to_owned(), "w");
        assert!(matches!(desk.verifier_key(), Err(LedgerError::WitnessKey(_))));
    }

    #[test]
    fn strangers_get_nothing_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = WitnessDesk::at(folder.path().to_owned(), "w");
        let nobody = desk.add_checkpoint(&[], body(0, 5, 0).as_bytes(), 1).unwrap();
        assert_eq!(nobody.unwrap_err().status(), 404);
        let junk = desk.add_checkpoint(&logs(), b"junk", 1).unwrap();
        assert_eq!(junk.unwrap_err().status(), 400);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
