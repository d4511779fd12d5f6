//! Why a command failed; each text says what to do, in English here and in Japanese in [`ja`].

mod ja;
mod os;

use std::path::PathBuf;

use model::Lang;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(
        "{0}: no Ume data here. Start with `ume serve --data {0}` or name another folder with --data"
    )]
    NoData(PathBuf),
    #[error("{0} is in use by a running server. Stop it first, or use its pages")]
    InUse(PathBuf),
    #[error(
        "another server writes the ledger of this database. Stop it first: one database has one ledger"
    )]
    LedgerHeld,
    #[error("cannot listen on {0}: {1}. Choose another address with --listen")]
    Listen(std::net::SocketAddr, std::io::Error),
    #[error("cannot take events: {0}. Choose another address in ume.toml")]
    Syslog(stream::Error),
    #[error(
        "an agent has no house CA: name certificate and key, and a file as client_ca, in ume.toml"
    )]
    NoHouseCa,
    #[error(
        "there is no [bus] in ume.toml. A node that evaluates needs at least nats = \"nats://HOST:4222\", as on the main node"
    )]
    NoBus,
    #[error("{}: {source}{}", path.display(), hint(source))]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: `data` names {}, but this file stands in another data folder", file.display(), data.display())]
    ForeignData { file: PathBuf, data: PathBuf },
    #[error("an account exists already; set-up is done")]
    SetUp,
    #[error(
        "the password is refused ({0:?}): use at least 12 characters, not a known one, without the name in it"
    )]
    Password(web::secrets::Weak),
    #[error("{0}")]
    Bundle(#[from] isms::bundle::BundleError),
    #[error(transparent)]
    Past(#[from] isms::PastError),
    #[error("{0}")]
    Verdict(#[from] isms::bundle::verdict::VerdictError),
    #[error("no randomness from the operating system")]
    Random,
    #[error("no job is called {0:?}. `ume work list` prints their names")]
    NoJob(String),
    #[error("{0} is not finished after {1} s; `ume work list` shows how it ends")]
    Slow(String, u64),
    #[error("the server ended before {0} did: start it, or run the command again without one")]
    Gone(String),
    #[error("{0} failed: {1}")]
    Job(String, String),
    #[error("a worker ended: {0}")]
    Worker(String),
    #[error(
        "{0} is in use by another command, or by a server that does not answer at its socket: wait for it, or stop it first"
    )]
    Held(PathBuf),
    #[error(
        "{path}: {1} bytes are too long for a socket, 107 are the most. Name a data folder with a shorter path (a link to it will do), stop the server, or use --server", path = .0.display()
    )]
    LongPath(PathBuf, usize),
    #[error("{0} is in the way and no socket of Ume: move it elsewhere")]
    NoSocket(PathBuf),
    #[error("stopped. What was begun was taken back, the next run finds everything as it was")]
    Stopped,
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Refused(String),
    #[error("the server's answer is not one of Ume's: {0}. Look at --server")]
    Answer(String),
    #[error("{0}: {1}. Is the server running, and is this its address?")]
    Server(String, reqwest::Error),
    #[error("{0} names no role; the roles are {roles}", roles = web::access::ROLES.join(", "))]
    Role(String),
    #[error(transparent)]
    Oidc(#[from] web::people::oidc::OidcError),
    #[error("there is no record {0}")]
    NoRecord(model::Id),
    #[error("no witness has cosigned a checkpoint yet; `ume ledger witness list` says why")]
    NotCosigned,
    #[error("no stamp of {0} is kept; `ume ledger tsa list` shows the authorities")]
    NoStamp(String),
    #[error("there is no ledger here yet: start the server once")]
    NoOrigin,
    #[error("witnesses and authorities: {0}")]
    Outside(#[from] ledger::outside::OutsideError),
    #[error(
        "the proof of record {0} is pending: no checkpoint covers it yet, try again in a second"
    )]
    Pending(model::Id),
    #[error("{0}: not a signing key of 32 bytes: make one with `ume merkle note key`")]
    SigningKey(PathBuf),
    #[error(transparent)]
    Migrate(#[from] isms::hall::migrate::MigrateError),
    #[error(transparent)]
    OscalExport(#[from] isms::oscal::ExportError),
    #[error(transparent)]
    OscalImport(#[from] isms::oscal::ImportError),
    #[error(transparent)]
    Note(#[from] merkle::NoteError),
    #[error(transparent)]
    Proof(#[from] merkle::ProofError),
    #[error(transparent)]
    Config(#[from] Box<crate::config::ConfigError>),
    #[error(transparent)]
    Edge(#[from] edge::EdgeError),
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    #[error("{0}{hint}", hint = store_hint(.0))]
    Store(#[from] store::StoreError),
    #[error("{0}{hint}", hint = ledger_hint(.0))]
    Ledger(#[from] ledger::LedgerError),
    #[error(transparent)]
    Norms(#[from] isms::norms::NormError),
    #[error(transparent)]
    Stream(#[from] stream::Error),
    #[error(transparent)]
    Room(#[from] room::Error),
}

impl CliError {
    /// The text in the reader's language.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ja => self.ja(),
            Lang::En => self.to_string(),
        }
    }
}

impl From<web::api::problem::Problem> for CliError {
    fn from(problem: web::api::problem::Problem) -> CliError {
        CliError::Refused(problem.to_string())
    }
}

const FULL: &str = ". The disk is full: free some space, then start again. Nothing is half-written";

fn hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => FULL,
        ReadOnlyFilesystem => {
            ". The folder is read-only: make it writable or name another one with --data"
        }
        PermissionDenied => {
            ". This user may not use it: change its owner or name another folder with --data"
        }
        _ => "",
    }
}

fn store_hint(error: &store::StoreError) -> &'static str {
    if error.is_full() {
        FULL
    } else if error.is_away() {
        ". The database does not answer: start it, or correct its address"
    } else {
        ""
    }
}

fn ledger_hint(error: &ledger::LedgerError) -> &'static str {
    match error {
        ledger::LedgerError::Io { source, .. } => hint(source),
        ledger::LedgerError::Store(error) => store_hint(error),
        ledger::LedgerError::Damaged { .. } => {
            ", keep the folder as it is, and restore a backup into a new one with `ume restore`"
        }
        _ => "",
    }
}
