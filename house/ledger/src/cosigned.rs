//! What witnesses and time-stamping authorities have said about our checkpoints, kept in files.
//!
//! `cosignatures/<id>` holds, for each witness, its key and the newest checkpoint it cosigned;
//! `timestamps/<authority>/<size>-<time>.tsr` the answers of an authority beside the checkpoint they are
//! over. Each file can be judged from itself and the ledger's key. `ahead` holds what a witness said of a
//! longer or another history: the one sign of a restored old backup that lies outside this machine.
//!
//! Limits: [`KEPT_MAX`] witnesses ever, [`STAMPS_MAX`] stamps of an authority, of which the oldest go
//! first: a later one covers everything before it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use merkle::{AddCheckpoint, Checkpoint, Cosignature, SignedNote, VerifierKey};
use timestamp::{Anchors, Stamp, verify_kept};

use crate::{
    Fork, Ledger, LedgerError, files,
    publish::{self, lines, read},
};

pub(crate) const COSIGNATURES: &str = "cosignatures";
const TIMESTAMPS: &str = "timestamps";
pub(crate) const AHEAD: &str = "ahead";
/// Most files of witnesses; those of removed ones stay.
pub const KEPT_MAX: usize = 64;
/// Most stamps that are kept of one authority.
pub const STAMPS_MAX: usize = 4_096;

/// A checkpoint that a witness cosigned.
#[derive(Clone, Debug)]
pub struct Cosigned {
    pub witness: VerifierKey,
    pub checkpoint: Checkpoint,
    /// Signed by the log and this witness.
    pub note: SignedNote,
    /// Unix seconds the witness stated.
    pub time: u64,
}

/// A checkpoint that an authority stamped.
#[derive(Clone, Debug)]
pub struct Stamped {
    pub authority: String,
    pub size: u64,
    pub stamp: Stamp,
    /// The answer, the checkpoint beside it, the anchors it was verified with.
    pub token: PathBuf,
    pub data: PathBuf,
    pub anchors: PathBuf,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError + '_ {
    move |source| LedgerError::Io { path: path.to_owned(), source }
}

/// Plain files of a folder in the order of their names; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, LedgerError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LedgerError::Io { path: folder.to_owned(), source }),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io(folder))?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".tmp") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The key that verifies the checkpoints of a ledger folder.
fn log_key(folder: &Path) -> Result<VerifierKey, LedgerError> {
    let path = folder.join("vkey");
    let bytes = fs::read(&path).map_err(io(&path))?;
    Ok(VerifierKey::parse(String::from_utf8_lossy(&bytes).trim_end())?)
}

/// Reads a file under `cosignatures`: the witness's key, a blank line, the note.
fn parse_cosigned(bytes: &[u8], log: &VerifierKey) -> Result<Cosigned, LedgerError> {
    let malformed =
        merkle::NoteError::Malformed { what: "kept cosignature", why: "no key and note" };
    let text = str::from_utf8(bytes).map_err(|_| malformed.clone())?;
    let (key, note) = text.split_once("\n\n").ok_or(malformed)?;
    let witness = VerifierKey::parse(key)?;
    let note = SignedNote::parse(note.as_bytes())?;
    let open = Checkpoint::open_note(&note, log.name(), log, std::slice::from_ref(&witness))?;
    let seen = open.cosignatures.first().ok_or(merkle::NoteError::Unsigned)?;
    Ok(Cosigned { witness, checkpoint: open.checkpoint, note, time: seen.time })
}

/// What each witness cosigned last, beside a running writer too. Files that do not verify are left out,
/// the verifier names them; so is an end of the log that was given up.
pub fn cosigned_by_all(folder: &Path) -> Result<Vec<Cosigned>, LedgerError> {
    kept_of(folder, &log_key(folder)?)
}

fn kept_of(folder: &Path, log: &VerifierKey) -> Result<Vec<Cosigned>, LedgerError> {
    let mut found = Vec::new();
    let place = folder.join(COSIGNATURES);
    for name in names(&place)?.into_iter().take(KEPT_MAX) {
        let path = place.join(name);
        let Some(bytes) = read(&path)? else { continue };
        match parse_cosigned(&bytes, log) {
            Ok(cosigned) if publish::given_up(folder, &cosigned.checkpoint)? => {}
            Ok(cosigned) => found.push(cosigned),
            Err(error) => tracing::warn!(path = %path.display(), %error, "ignored"),
        }
    }
    Ok(found)
}

/// The largest checkpoint that a witness has cosigned, with the cosignatures of all that cosigned it.
pub fn newest_cosigned(folder: &Path) -> Result<Option<SignedNote>, LedgerError> {
    Ok(merged(&cosigned_by_all(folder)?))
}

/// The same by the key of an open ledger, whatever the file `vkey` says: that is the verifier's business.
pub(crate) fn newest_of(
    folder: &Path,
    log: &VerifierKey,
) -> Result<Option<SignedNote>, LedgerError> {
    Ok(merged(&kept_of(folder, log)?))
}

fn merged(all: &[Cosigned]) -> Option<SignedNote> {
    let newest = all.iter().max_by_key(|c| (c.checkpoint.size(), c.time))?;
    let mut note = newest.note.clone();
    for other in all.iter().filter(|c| c.note.text() == newest.note.text()) {
        for line in other.note.signatures() {
            if !note.signatures().contains(line) {
                note.push(line.clone()).ok()?;
            }
        }
    }
    Some(note)
}

/// Files of witnesses' and authorities' words for the backup of a log of `size` leaves: names below the
/// ledger's folder, and what stands in them. What a witness cosigned of a longer log is not of that log.
pub fn outside_files(folder: &Path, size: u64) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
    let mut all = Vec::new();
    let mut add = |name: String, wanted: &dyn Fn(&[u8]) -> bool| {
        let bytes = read(&folder.join(&name))?;
        all.extend(bytes.filter(|bytes| wanted(bytes)).map(|bytes| (name, bytes)));
        Ok::<(), LedgerError>(())
    };
    add(AHEAD.to_owned(), &|_| true)?;
    let log = log_key(folder)?;
    for name in names(&folder.join(COSIGNATURES))? {
        let reached = |bytes: &[u8]| {
            parse_cosigned(bytes, &log).is_ok_and(|kept| kept.checkpoint.size() <= size)
        };
        add(format!("{COSIGNATURES}/{name}"), &reached)?;
    }
    for authority in stampers(folder)? {
        for name in names(&folder.join(TIMESTAMPS).join(&authority))? {
            add(format!("{TIMESTAMPS}/{authority}/{name}"), &|_| true)?;
        }
    }
    Ok(all)
}

/// Stamps of an authority, the newest first, at most `most`. Those that do not verify are left out.
pub fn stamps(folder: &Path, authority: &str, most: usize) -> Result<Vec<Stamped>, LedgerError> {
    let place = folder.join(TIMESTAMPS).join(authority);
    let mut found = Vec::new();
    for name in names(&place)?.into_iter().rev() {
        let Some(stem) = name.strip_suffix(".tsr") else { continue };
        if found.len() == most {
            break;
        }
        match read_stamp(&place, authority, stem) {
            Ok(stamped) => found.push(stamped),
            Err(error) => tracing::warn!(authority, name, %error, "ignored"),
        }
    }
    Ok(found)
}

/// Authorities of whom stamps are kept.
pub fn stampers(folder: &Path) -> Result<Vec<String>, LedgerError> {
    names(&folder.join(TIMESTAMPS))
}

fn read_stamp(place: &Path, authority: &str, stem: &str) -> Result<Stamped, LedgerError> {
    let (token, data) =
        (place.join(format!("{stem}.tsr")), place.join(format!("{stem}.checkpoint")));
    // The anchors of its day: those of today may be others.
    let anchors = place.join(format!("{stem}.anchors"));
    let get = |path: &Path| fs::read(path).map_err(io(path));
    let pem = String::from_utf8_lossy(&get(&anchors)?).into_owned();
    let note = get(&data)?;
    let stamp = verify_kept(&get(&token)?, &note, &Anchors::from_pem(&pem)?)?;
    let size = Checkpoint::parse(SignedNote::parse(&note)?.text())?.size();
    Ok(Stamped { authority: authority.to_owned(), size, stamp, token, data, anchors })
}

/// What does not hold among the kept words of others: place and reason.
pub(crate) fn verify(
    folder: &Path,
    log: &VerifierKey,
    extends: impl Fn(&Checkpoint) -> bool,
    given_up: impl Fn(&Checkpoint) -> bool,
) -> Result<Vec<(String, String)>, LedgerError> {
    let mut wrong = Vec::new();
    for name in names(&folder.join(COSIGNATURES))? {
        let place = format!("ledger/{COSIGNATURES}/{name}");
        let bytes = read(&folder.join(COSIGNATURES).join(&name))?.unwrap_or_default();
        match parse_cosigned(&bytes, log) {
            Ok(kept) if file_name(&kept.witness) != name => {
                wrong.push((place, "named after another witness".to_owned()));
            }
            Ok(kept) if !extends(&kept.checkpoint) && !given_up(&kept.checkpoint) => {
                wrong.push((place, "the log is no extension of what was cosigned".to_owned()));
            }
            Ok(_) => {}
            Err(e) => wrong.push((place, format!("does not verify: {e}"))),
        }
    }
    for authority in stampers(folder)? {
        let place = folder.join(TIMESTAMPS).join(&authority);
        for name in names(&place)? {
            let Some(stem) = name.strip_suffix(".tsr") else { continue };
            if let Err(e) = read_stamp(&place, &authority, stem) {
                let place = format!("ledger/{TIMESTAMPS}/{authority}/{name}");
                wrong.push((place, format!("does not verify: {e}")));
            }
        }
    }
    Ok(wrong)
}

/// Name of the file that holds what a witness cosigned.
fn file_name(witness: &VerifierKey) -> String {
    hex::encode(&timestamp::Request::imprint_of(witness.to_string().as_bytes())[..16])
}

/// Places that hold a checkpoint others have seen, for [`publish::fork`].
pub(crate) fn places(folder: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    let place = folder.join(COSIGNATURES);
    Ok(names(&place)?.into_iter().map(|name| place.join(name)).collect())
}

/// A kept note without the key before it.
pub(crate) fn note_part(bytes: &[u8]) -> &[u8] {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n");
    at.map_or(bytes, |at| &bytes[at + 2..])
}

/// What witnesses said of another history, as forks; one given up already is none.
pub(crate) fn claims(
    folder: &Path,
    log: u64,
    accepted: &[String],
) -> Result<Vec<Fork>, LedgerError> {
    let mut forks = Vec::new();
    for line in lines(&folder.join(AHEAD))? {
        let Some((size, witness)) = line.split_once(' ') else { continue };
        let Ok(published) = size.parse() else { continue };
        let (root, place) = (String::new(), PathBuf::from(witness));
        let fork = Fork { published, root, log, place };
        if !fork.is_given_up(accepted) {
            forks.push(fork);
        }
    }
    Ok(forks)
}

impl Ledger {
    /// What a witness is asked that has seen `old` leaves: the newest checkpoint and the proof to it.
    pub fn witness_request(&mut self, old: u64) -> Result<AddCheckpoint, LedgerError> {
        let checkpoint = self.checkpoint()?;
        let proof = match old {
            0 => Vec::new(),
            old => merkle::consistency_proof(old, checkpoint.size(), &self.tree)?,
        };
        Ok(AddCheckpoint::new(old, proof, checkpoint.sign(&self.signer)?)?)
    }

    /// Size a witness has cosigned last of the log as it is now; 0 for none.
    pub fn cosigned_size(&self, witness: &VerifierKey) -> Result<u64, LedgerError> {
        let Some(kept) = self.kept(witness)? else { return Ok(0) };
        let ours = publish::extends(&self.tree, &kept.checkpoint)?;
        Ok(if ours { kept.checkpoint.size() } else { 0 })
    }

    fn kept(&self, witness: &VerifierKey) -> Result<Option<Cosigned>, LedgerError> {
        let path = self.folder.join(COSIGNATURES).join(file_name(witness));
        let Some(bytes) = read(&path)? else { return Ok(None) };
        Ok(parse_cosigned(&bytes, &self.signer.verifier_key()).ok())
    }

    /// Keeps a witness's cosignature of a checkpoint of ours. Durable on return.
    pub fn keep_cosignature(
        &mut self,
        witness: &VerifierKey,
        asked: &AddCheckpoint,
        cosignature: &Cosignature,
    ) -> Result<Cosigned, LedgerError> {
        let mut note = asked.note().clone();
        note.push(cosignature.to_line())?;
        let bytes = format!("{witness}\n\n{note}");
        // Verified as everyone will read it, before it replaces what was there.
        let kept = parse_cosigned(bytes.as_bytes(), &self.signer.verifier_key())?;
        let folder = self.folder.join(COSIGNATURES);
        let path = folder.join(file_name(witness));
        if !path.exists() && names(&folder)?.len() >= KEPT_MAX {
            return Err(LedgerError::Witnesses);
        }
        files::create_dir(&folder)?;
        files::replace(&path, bytes.as_bytes())?;
        disk::sync_folder(&self.folder).map_err(io(&self.folder))?;
        self.cosigned = newest_of(&self.folder, &self.signer.verifier_key())?;
        Ok(kept)
    }

    /// Takes a witness's word that it has seen `size` leaves which this log does not extend. The ledger
    /// takes nothing more until a decision gives that end up; false if one already did.
    pub fn doubt(&mut self, witness: &str, size: u64) -> Result<bool, LedgerError> {
        let path = self.folder.join(AHEAD);
        let (mut known, line) = (lines(&path)?, format!("{size} {witness}"));
        if !known.contains(&line) {
            known.push(line);
            files::replace(&path, (known.join("\n") + "\n").as_bytes())?;
        }
        self.fork = publish::fork(&self.folder, &self.signer, &self.tree)?;
        Ok(self.fork.is_some())
    }

    /// Keeps a stamp that was verified over a checkpoint of ours. Durable on return.
    pub fn keep_stamp(
        &mut self,
        authority: &str,
        checkpoint: &SignedNote,
        answer: &[u8],
        anchors: &str,
    ) -> Result<Stamped, LedgerError> {
        let note = checkpoint.to_string();
        let stamp = verify_kept(answer, note.as_bytes(), &Anchors::from_pem(anchors)?)?;
        let size = Checkpoint::parse(checkpoint.text())?.size();
        let place = self.folder.join(TIMESTAMPS).join(authority);
        files::create_dir(&place)?;
        let stem = format!("{size:020}-{:012}", stamp.time);
        // The token last: what has one has the rest.
        for (ending, bytes) in [("checkpoint", note.as_bytes()), ("anchors", anchors.as_bytes())] {
            files::replace(&place.join(format!("{stem}.{ending}")), bytes)?;
        }
        files::replace(&place.join(format!("{stem}.tsr")), answer)?;
        for folder in [self.folder.join(TIMESTAMPS), self.folder.clone()] {
            disk::sync_folder(&folder).map_err(io(&folder))?;
        }
        forget_oldest(&place)?;
        read_stamp(&place, authority, &stem)
    }

    /// The newest checkpoint, signed, as it goes to an authority.
    pub fn note_to_stamp(&mut self) -> Result<SignedNote, LedgerError> {
        Ok(self.checkpoint()?.sign(&self.signer)?)
    }
}

fn forget_oldest(place: &Path) -> Result<(), LedgerError> {
    let all = names(place)?;
    let tokens: Vec<&str> = all.iter().filter_map(|name| name.strip_suffix(".tsr")).collect();
    for stem in &tokens[..tokens.len().saturating_sub(STAMPS_MAX)] {
        for ending in ["tsr", "checkpoint", "anchors"] {
            let path = place.join(format!("{stem}.{ending}"));
            if path.exists() {
                disk::remove_file(&path).map_err(io(&path))?;
            }
        }
    }
    Ok(())
}
