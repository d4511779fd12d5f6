//! `ume merkle`: trees, proofs and notes over plain files, with nothing of Ume's own around them.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use merkle::{
    AddCheckpoint, Checkpoint, MemTree, Seen, SignedNote, Signer, TlogProof, VerifierKey,
    WitnessRefusal, WitnessedLog, inclusion_proof, leaf_hash,
};

use serde_json::json;

use crate::{
    CliError, Format, MISMATCH, print,
    shown::{self, Shown},
};

/// Largest file that is read as one entry or as lines.
const FILE_BYTES_MAX: u64 = 1 << 30;

#[derive(clap::Subcommand)]
pub enum MerkleCommand {
    /// Print size and root of the tree over the entries
    Root {
        #[command(flatten)]
        entries: Entries,
        #[command(flatten)]
        shown: Shown,
    },
    /// Prove that an entry is in the tree; prints a .tlog-proof with a checkpoint signed by the key
    Prove {
        #[command(flatten)]
        entries: Entries,
        /// Number of the entry, from 0
        #[arg(long)]
        index: u64,
        #[command(flatten)]
        key: SigningKey,
        #[command(flatten)]
        shown: Shown,
    },
    /// Check a .tlog-proof against the entry and the log's key; exit 1 where it does not hold
    Check {
        /// The proof
        proof: PathBuf,
        /// File that holds the entry, byte for byte
        #[arg(long, value_name = "FILE")]
        entry: PathBuf,
        /// Verifier key of the log, or a file that holds it
        #[arg(long, value_name = "KEY")]
        vkey: String,
        /// Verifier key of a witness whose cosignature is required; may be given several times
        #[arg(long, value_name = "KEY")]
        witness: Vec<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Decide an add-checkpoint request as a witness does (c2sp.org/tlog-witness): prints the
    /// cosignature and keeps the new state; exit 1 where it is refused
    Witness {
        /// The request's body
        request: PathBuf,
        /// Verifier key of the log, or a file that holds it; may be given several times
        #[arg(long, value_name = "KEY", required = true)]
        vkey: Vec<String>,
        /// First line of the log's checkpoints [default: the name of the first key]
        #[arg(long)]
        origin: Option<String>,
        /// Checkpoint cosigned last, of which nothing is there at first; replaced before the answer is
        /// printed
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
        /// Unix seconds to state [default: now]
        #[arg(long, value_name = "SECONDS")]
        time: Option<u64>,
        #[command(flatten)]
        key: SigningKey,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make a key, sign a text, verify a note (c2sp.org/signed-note)
    Note {
        #[command(subcommand)]
        command: NoteCommand,
    },
}

#[derive(clap::Subcommand)]
pub enum NoteCommand {
    /// Draw a key into a new file; prints its verifier key
    Key {
        #[command(flatten)]
        key: SigningKey,
        #[command(flatten)]
        shown: Shown,
    },
    /// Sign a text; prints the note
    Sign {
        /// The text, ending in a newline
        text: PathBuf,
        #[command(flatten)]
        key: SigningKey,
        #[command(flatten)]
        shown: Shown,
    },
    /// Verify a note and print its text; exit 1 where a signature is wrong or missing
    Verify {
        /// The note
        note: PathBuf,
        /// Verifier key, or a file that holds it; may be given several times
        #[arg(long, value_name = "KEY", required = true)]
        vkey: Vec<String>,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(clap::Args)]
pub struct Entries {
    /// Files, each an entry; with --lines each line of them, without its newline
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Each line is an entry
    #[arg(long)]
    lines: bool,
}

#[derive(clap::Args)]
pub struct SigningKey {
    /// File with the 32 bytes of the signing key, as DIR/ledger/key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Name of the key: the origin of the log
    #[arg(long)]
    pub name: String,
}

impl SigningKey {
    pub fn signer(&self) -> Result<Signer, CliError> {
        let seed = read(&self.key)?.try_into();
        let seed: [u8; 32] = seed.map_err(|_| CliError::SigningKey(self.key.clone()))?;
        Ok(Signer::from_seed(&self.name, &seed)?)
    }
}

pub fn run(command: MerkleCommand) -> Result<ExitCode, CliError> {
    match command {
        MerkleCommand::Root { entries, shown } => {
            let tree = entries.tree()?;
            let (size, root) = (tree.size(), hex::encode(tree.root()));
            let members = json!({"size": size, "root": root});
            print(&shown::done(shown.format, &format!("{size} {root}"), &members));
        }
        MerkleCommand::Prove { entries, index, key, shown } => {
            let (tree, signer) = (entries.tree()?, key.signer()?);
            let hashes = inclusion_proof(index, tree.size(), &tree)?;
            let note = Checkpoint::new(signer.name(), tree.size(), tree.root())?.sign(&signer)?;
            let proof = TlogProof::new(Vec::new(), index, hashes, note)?.to_string();
            print(&as_written(shown.format, "proof", &proof));
        }
        MerkleCommand::Check { proof, entry, vkey, witness, shown } => {
            return check(&proof, &entry, &vkey, &witness, shown.format);
        }
        MerkleCommand::Witness { request, vkey, origin, state, time, key, shown } => {
            let keys: Vec<VerifierKey> =
                vkey.iter().map(|key| verifier(key)).collect::<Result<_, _>>()?;
            let origin = origin.unwrap_or_else(|| keys[0].name().to_owned());
            let (log, signer) = (WitnessedLog { origin, keys }, key.signer()?);
            return witness(&request, &state, &log, &signer, time, shown.format);
        }
        MerkleCommand::Note { command } => return note(command),
    }
    Ok(ExitCode::SUCCESS)
}

fn witness(
    request: &Path,
    state: &Path,
    log: &WitnessedLog,
    signer: &Signer,
    time: Option<u64>,
    format: Format,
) -> Result<ExitCode, CliError> {
    let refused = |refusal: &WitnessRefusal| {
        let status = refusal.status();
        let ja = format!("連署しません（{status}）: {refusal}");
        eprintln!("ume: {}", crate::say(&ja, &format!("not cosigned ({status}): {refusal}")));
        ExitCode::from(MISMATCH)
    };
    let request = match AddCheckpoint::parse(&read(request)?) {
        Ok(request) => request,
        Err(error) => return Ok(refused(&WitnessRefusal::Malformed(error))),
    };
    let seen = if state.exists() {
        let open = Checkpoint::parse(SignedNote::parse(&read(state)?)?.text())?;
        Some(Seen { size: open.size(), root: *open.root() })
    } else {
        None
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let time = time.unwrap_or_else(|| now.map_or(0, |now| now.as_secs()));
    let decided = merkle::witness(signer, Some(log), seen, &request, time);
    let (_, cosignature) = match decided {
        Ok(decided) => decided,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let mut note = request.note().clone();
    note.push(cosignature.to_line())?;
    disk::replace(state, note.to_string().as_bytes())
        .map_err(|source| CliError::Io { path: state.to_owned(), source })?;
    print(&as_written(format, "cosignature", &format!("{}\n", cosignature.to_line())));
    Ok(ExitCode::SUCCESS)
}

fn note(command: NoteCommand) -> Result<ExitCode, CliError> {
    match command {
        NoteCommand::Key { key, shown } => {
            let key = new_key(&key)?;
            print(&shown::done(shown.format, &key, &json!({"vkey": key})));
        }
        NoteCommand::Sign { text, key, shown } => {
            let text = String::from_utf8_lossy(&read(&text)?).into_owned();
            let mut note = SignedNote::new(&text)?;
            note.sign(&key.signer()?)?;
            print(&as_written(shown.format, "note", &note.to_string()));
        }
        NoteCommand::Verify { note, vkey, shown } => {
            let keys: Vec<VerifierKey> =
                vkey.iter().map(|key| verifier(key)).collect::<Result<_, _>>()?;
            match SignedNote::open(&read(&note)?, &keys) {
                Ok((note, _)) => print(&as_written(shown.format, "text", note.text())),
                Err(error) => return Ok(mismatch(&error)),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A text that other programs read byte by byte, or as a member.
fn as_written(format: Format, name: &str, text: &str) -> String {
    match format {
        Format::Table => text.to_owned(),
        format => shown::one(format, &json!({name: text})),
    }
}

fn mismatch(error: &impl std::fmt::Display) -> ExitCode {
    let ja = format!("検証できません: {error}");
    eprintln!("ume: {}", crate::say(&ja, &format!("does not hold: {error}")));
    ExitCode::from(MISMATCH)
}

fn check(
    proof: &Path,
    entry: &Path,
    vkey: &str,
    witnesses: &[String],
    format: Format,
) -> Result<ExitCode, CliError> {
    let key = verifier(vkey)?;
    let witnesses: Vec<VerifierKey> =
        witnesses.iter().map(|key| verifier(key)).collect::<Result<_, _>>()?;
    let leaf = leaf_hash(&read(entry)?);
    let proof = match TlogProof::parse(&read(proof)?) {
        Ok(proof) => proof,
        Err(error) => return Ok(mismatch(&error)),
    };
    match proof.verify(&leaf, key.name(), &key, &witnesses) {
        Ok(open) if open.cosignatures.len() == witnesses.len() => {
            let (index, size) = (proof.index(), open.checkpoint.size());
            let origin = open.checkpoint.origin();
            let said = format!("entry {index} of {size} in {origin}");
            let members = json!({"index": index, "size": size, "origin": origin});
            print(&shown::done(format, &said, &members));
            Ok(ExitCode::SUCCESS)
        }
        Ok(_) => Ok(mismatch(&"a witness has not cosigned")),
        Err(error) => Ok(mismatch(&error)),
    }
}

fn new_key(key: &SigningKey) -> Result<String, CliError> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| CliError::Random)?;
    // The name is judged before the file is made.
    let signer = Signer::from_seed(&key.name, &seed)?;
    let io = |source| CliError::Io { path: key.key.clone(), source };
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&key.key)
        .and_then(|mut file| file.write_all(&seed).and_then(|()| file.sync_all()))
        .map_err(io)?;
    Ok(signer.verifier_key().to_string())
}

/// A verifier key as text, or from the file of that name.
fn verifier(text: &str) -> Result<VerifierKey, CliError> {
    let path = Path::new(text);
    let from_file = if path.is_file() {
        Some(String::from_utf8_lossy(&read(path)?).trim_end().to_owned())
    } else {
        None
    };
    Ok(VerifierKey::parse(from_file.as_deref().unwrap_or(text))?)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let io = |source| CliError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io(std::io::Error::other("larger than 1 GiB")));
    }
    Ok(bytes)
}

impl Entries {
    fn tree(&self) -> Result<MemTree, CliError> {
        let mut tree = MemTree::new();
        for path in &self.files {
            let bytes = read(path)?;
            if !self.lines {
                tree.push(leaf_hash(&bytes));
                continue;
            }
            let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            if !bytes.is_empty() {
                body.split(|b| *b == b'\n').for_each(|line| tree.push(leaf_hash(line)));
            }
        }
        Ok(tree)
    }
}
