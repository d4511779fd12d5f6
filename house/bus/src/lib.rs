//! Events to other nodes, and what these say of them, over NATS JetStream.
//!
//! The main node has every event on its own disk and publishes what is not evaluated yet; evaluating nodes hold it
//! against the rules and say what of it meets one; the main node takes their answers in the order of its spool and
//! judges, counts and writes down by itself. So the bus is a way and no store: whatever is lost on it is published
//! again from where the main node's own state stands.
//!
//! | module | holds |
//! |---|---|
//! | `message` | what goes over the bus, as bytes; pure |
//! | `order` | what is on its way, and what is complete in the order of the spool; pure |
//! | `lease` | which node evaluates which partition; pure |
//! | `link` | the connection, and what there is in JetStream |
//! | `centre` | the main node's side |
//! | `node` | an evaluating node |
//!
//! Invariants: an answer is a function of the message, of the rules it names and of what the node still waited for
//! before it, which goes with each answer; so it does not matter which node gives it, nor how often. An answer that
//! was not asked for in this run is dropped. Leases spare work; nothing depends on them being kept.
//!
//! Absent here: events, rules and findings; those belong to who uses the bus.

pub mod centre;
pub mod lease;
pub mod link;
pub mod message;
pub mod node;
pub mod order;

use std::path::PathBuf;

pub use link::Link;
pub use message::{Answer, Frame, Work};

/// Partitions that a bus may have.
pub const PARTITIONS_MAX: u32 = 64;

/// Where the bus is and how this process takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `nats://host:4222` or `tls://…`, several with commas.
    pub url: String,
    /// A file with credentials: what `nsc` writes, or `user:password`, or a token.
    pub credentials: Option<PathBuf>,
    /// Certificate authority of the server, if it is none that this machine knows.
    pub ca: Option<PathBuf>,
    /// Certificate and key by which this process shows who it is.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// What names in JetStream begin with: several Umes may share a server.
    pub name: String,
    pub replicas: usize,
    /// What the main node makes; the others ask it.
    pub partitions: u32,
    /// Name of this node among those that evaluate.
    pub node: String,
}

/// What went wrong with the bus. Each text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    #[error("NATS at {url} cannot be reached: {reason}. Start it, or correct `nats` in [bus]")]
    Away { url: String, reason: String },
    #[error(
        "NATS at {url} does not let this node in. Check the file that `credentials` in [bus] names"
    )]
    Refused { url: String },
    #[error("{}: {reason}. Correct `credentials` in [bus], or the rights of the file", path.display())]
    Credentials { path: PathBuf, reason: String },
    #[error("TLS with NATS at {url}: {reason}. Check `ca`, `certificate` and `key` in [bus]")]
    Tls { url: String, reason: String },
    #[error(
        "NATS at {url} has no JetStream. Start it with -js, or switch it on in its configuration"
    )]
    NoJetStream { url: String },
    #[error("{what} is not there in NATS. The main node makes it: start it with the same [bus]")]
    Missing { what: String },
    #[error("{what} vanished from NATS; it is made anew and what waits is sent again")]
    Gone { what: String },
    #[error(
        "another main node uses the name {name} in this NATS. Give each a `name` of its own in [bus]"
    )]
    Shared { name: String },
    #[error("{what}: {reason}")]
    Failed { what: &'static str, reason: String },
    #[error(
        "a message of {bytes} bytes does not fit into NATS, which takes {max}. Raise max_payload there to 2 MB"
    )]
    TooLarge { bytes: usize, max: usize },
}

impl BusError {
    pub(crate) fn failed(what: &'static str, reason: impl std::fmt::Display) -> BusError {
        BusError::Failed { what, reason: reason.to_string() }
    }

    /// The same in Japanese.
    pub fn ja(&self) -> String {
        match self {
            BusError::Away { url, reason } => format!(
                "NATS（{url}）に接続できません: {reason}。NATSを起動するか、[bus]のnatsを直してください"
            ),
            BusError::Refused { url } => format!(
                "NATS（{url}）がこのノードの接続を認めません。[bus]のcredentialsが指すファイルを確認してください"
            ),
            BusError::Credentials { path, reason } => format!(
                "{}: {reason}。[bus]のcredentialsかファイルの権限を直してください",
                path.display()
            ),
            BusError::Tls { url, reason } => format!(
                "NATS（{url}）とのTLS: {reason}。[bus]のca・certificate・keyを確認してください"
            ),
            BusError::NoJetStream { url } => format!(
                "NATS（{url}）でJetStreamが有効になっていません。-jsを付けて起動するか、NATSの設定で有効にしてください"
            ),
            BusError::Missing { what } => format!(
                "NATSに{what}がありません。同じ[bus]の設定で主ノードを起動してください（主ノードが作ります）"
            ),
            BusError::Gone { what } => {
                format!("NATSの{what}がなくなりました。作り直し、未評価の分を送り直します")
            }
            BusError::Shared { name } => format!(
                "別の主ノードがこのNATSで名前{name}を使っています。[bus]のnameをそれぞれ別にしてください"
            ),
            BusError::Failed { what, reason } => format!("{what}: {reason}"),
            BusError::TooLarge { bytes, max } => format!(
                "{bytes}バイトのメッセージはNATSの上限{max}バイトを超えます。NATSのmax_payloadを2MBに上げてください"
            ),
        }
    }
}

pub type Result<T> = std::result::Result<T, BusError>;
