//! House CA, TLS, and the one protocol between agents and the centre.
//!
//! | module | holds |
//! |---|---|
//! | `ca` | the house CA: certificates for the centre (server) and for agents (client), both short |
//! | `tls` | what each side accepts; `listen` the listener with limits and connections that can be cut |
//! | `transport` | pages over TLS or behind trusted proxies |
//! | `token`, `protocol` | what is said |
//! | `centre`, `pages` | the centre's side: routes for agents, page `/agents` for people |
//! | `rules` | the centre's side: the rules of one agent, numbered and signed |
//! | `notes` | the centre's records about its agents: rules at work, silence, clock |
//! | `agent`, `outbox` | the agent's side: enrol once, spool, deliver in order, renew |
//!
//! Invariants:
//! - there is no trust on first use: the token carries the fingerprint of the house CA;
//! - an agent speaks for its own host only: subject and actor of its records are set by the centre;
//! - a record or a line that was acknowledged is there exactly once, whatever is killed when;
//! - every change of an agent is a record, in the transaction that makes it;
//! - a revoked agent is refused at its next request, and its open connections are cut within a second;
//! - keys are 0600 and leave neither the machine nor the process; tokens are stored as hashes.

pub mod agent;
pub mod ca;
pub mod centre;
mod files;
pub mod listen;
mod notes;
mod outbox;
pub mod pages;
pub mod protocol;
pub mod rules;
pub mod tls;
pub mod token;
pub mod transport;

use std::path::PathBuf;

/// Why certificates, listener or agent refused.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {what}")]
    File { path: PathBuf, what: String },
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("no randomness from the operating system")]
    Random,
    #[error("the key of the request is not ECDSA P-256")]
    Algorithm,
    #[error("{0:?} is no enrolment token: it looks like ume-<40 characters>-<64 characters>")]
    Token(String),
    #[error("{0:?}: write the centre's address as https://host:port")]
    Url(String),
    #[error("{0:?}: a name of a host has 1 to 63 of a-z, A-Z, 0-9, '.', '-' and '_'")]
    Name(String),
    #[error("the centre refused ({status}): {text}")]
    Refused { status: u16, text: String },
    #[error("the centre does not answer: {0}")]
    Away(String),
    #[error(
        "the centre has more of this agent than the folder {0} ever sent: the folder is an older copy. Empty it and enrol again with a new token"
    )]
    Older(PathBuf),
    #[error("the rules of the centre: {0}")]
    Rules(String),
    #[error(transparent)]
    Stream(#[from] stream::Error),
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, EdgeError>;

/// Names that can be part of a source, a file name and a certificate.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=63).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    Err(EdgeError::Name(name.chars().take(80).collect()))
}

/// SHA-256 in hex.
pub fn fingerprint(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| EdgeError::Random)?;
    Ok(bytes)
}
