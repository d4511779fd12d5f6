//! `[intake]` of `ume.toml`: what comes in.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{SourceName, SpoolMib, TokenHash};

#[path = "config_polls.rs"]
mod polls;

pub use polls::{Postgres, Snmp, SnmpAccess};

const CLIENTS_MAX: usize = 1000;
const OTLP_ADDRESSES_MAX: usize = 16;
const EVERY_SECONDS_MAX: u32 = 86_400;

/// What comes in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intake {
    pub journal: bool,
    pub standard_files: bool,
    pub spool_mib: SpoolMib,
    pub syslog_udp: Vec<Listener>,
    pub syslog_tcp: Vec<TcpListener>,
    pub relp: Vec<TcpListener>,
    pub journal_upload: Vec<JournalUpload>,
    pub otlp: Vec<Otlp>,
    pub flow: Vec<FlowListener>,
    pub snmp_traps: Vec<SnmpListener>,
    pub scrape: Vec<Scrape>,
    pub snmp: Vec<Snmp>,
    pub postgres: Vec<Postgres>,
    pub files: Vec<LogFile>,
    pub http: Vec<HttpSource>,
}

impl Default for Intake {
    fn default() -> Intake {
        Intake {
            journal: true,
            standard_files: true,
            spool_mib: SpoolMib(1024),
            syslog_udp: Vec::new(),
            syslog_tcp: Vec::new(),
            relp: Vec::new(),
            journal_upload: Vec::new(),
            otlp: Vec::new(),
            flow: Vec::new(),
            snmp_traps: Vec::new(),
            scrape: Vec::new(),
            snmp: Vec::new(),
            postgres: Vec::new(),
            files: Vec::new(),
            http: Vec::new(),
        }
    }
}

impl Intake {
    /// The name of every source, which must stand once.
    pub fn sources(&self) -> impl Iterator<Item = &SourceName> {
        let udp = self.syslog_udp.iter().map(|l| &l.source);
        udp.chain(self.syslog_tcp.iter().chain(&self.relp).map(|l| &l.source))
            .chain(self.journal_upload.iter().map(|j| &j.source))
            .chain(self.otlp.iter().map(|o| &o.source))
            .chain(self.flow.iter().map(|f| &f.source))
            .chain(self.snmp_traps.iter().map(|s| &s.source))
            .chain(self.scrape.iter().map(|s| &s.source))
            .chain(self.snmp.iter().map(|s| &s.source))
            .chain(self.postgres.iter().map(|p| &p.source))
            .chain(self.files.iter().map(|f| &f.source))
            .chain(self.http.iter().map(|h| &h.source))
    }
}

/// An address that takes datagrams.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub listen: SocketAddr,
    pub source: SourceName,
}

/// An address that takes connections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpListener {
    pub listen: SocketAddr,
    pub source: SourceName,
    pub tls: Option<Tls>,
}

/// An address that takes journals of systemd-journal-upload.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "JournalUploadKeys")]
pub struct JournalUpload {
    pub listen: SocketAddr,
    pub source: SourceName,
    pub tls: Option<Tls>,
    pub token_sha256: Option<TokenHash>,
    pub allow: Vec<edge::transport::Network>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalUploadKeys {
    #[serde(default = "journal_upload_listen")]
    listen: SocketAddr,
    source: SourceName,
    tls: Option<Tls>,
    token_sha256: Option<TokenHash>,
    #[serde(default)]
    allow: Vec<String>,
}

/// The port that systemd-journal-upload takes by itself.
fn journal_upload_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 19532))
}

impl TryFrom<JournalUploadKeys> for JournalUpload {
    type Error = String;
    fn try_from(keys: JournalUploadKeys) -> Result<JournalUpload, String> {
        let JournalUploadKeys { listen, source, tls, token_sha256, allow } = keys;
        asked(tls.as_ref(), token_sha256.as_ref(), &allow)?;
        Ok(JournalUpload { listen, source, tls, token_sha256, allow: networks(&allow)? })
    }
}

/// Whoever sends over HTTP must show at least one thing.
fn asked(tls: Option<&Tls>, token: Option<&TokenHash>, allow: &[String]) -> Result<(), String> {
    let asks = tls.is_some_and(|tls| tls.client_ca.is_some());
    if !asks && token.is_none() && allow.is_empty() {
        let what = "nobody is asked who they are: name tls.client_ca, token_sha256 or allow";
        return Err(what.to_owned());
    }
    Ok(())
}

/// Addresses that take OTLP, each both over gRPC and over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "OtlpKeys")]
pub struct Otlp {
    pub listen: Vec<SocketAddr>,
    pub source: SourceName,
    pub tls: Option<Tls>,
    pub token_sha256: Option<TokenHash>,
    pub allow: Vec<edge::transport::Network>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtlpKeys {
    #[serde(default = "otlp_listen")]
    listen: Vec<SocketAddr>,
    source: SourceName,
    tls: Option<Tls>,
    token_sha256: Option<TokenHash>,
    #[serde(default)]
    allow: Vec<String>,
}

/// The ports that senders take by themselves: the first for gRPC, the second for HTTP.
fn otlp_listen() -> Vec<SocketAddr> {
    [4317, 4318].map(|port| SocketAddr::from(([127, 0, 0, 1], port))).to_vec()
}

impl TryFrom<OtlpKeys> for Otlp {
    type Error = String;
    fn try_from(keys: OtlpKeys) -> Result<Otlp, String> {
        let OtlpKeys { listen, source, tls, token_sha256, allow } = keys;
        if !(1..=OTLP_ADDRESSES_MAX).contains(&listen.len()) {
            return Err(format!("listen names 1 to {OTLP_ADDRESSES_MAX} addresses"));
        }
        asked(tls.as_ref(), token_sha256.as_ref(), &allow)?;
        Ok(Otlp { listen, source, tls, token_sha256, allow: networks(&allow)? })
    }
}

fn networks(texts: &[String]) -> Result<Vec<edge::transport::Network>, String> {
    texts.iter().map(|network| network.parse()).collect()
}

/// An address that takes NetFlow and IPFIX.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "FlowKeys")]
pub struct FlowListener {
    pub listen: SocketAddr,
    pub source: SourceName,
    /// Networks of exporters; any if there are none.
    pub allow: Vec<edge::transport::Network>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowKeys {
    #[serde(default = "flow_listen")]
    listen: SocketAddr,
    source: SourceName,
    #[serde(default)]
    allow: Vec<String>,
}

/// The port that most exporters know for NetFlow.
fn flow_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 2055))
}

impl TryFrom<FlowKeys> for FlowListener {
    type Error = String;
    fn try_from(keys: FlowKeys) -> Result<FlowListener, String> {
        let FlowKeys { listen, source, allow } = keys;
        Ok(FlowListener { listen, source, allow: networks(&allow)? })
    }
}

/// An address that takes SNMP notifications.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnmpListener {
    #[serde(default = "snmp_listen")]
    pub listen: SocketAddr,
    pub source: SourceName,
    pub community_sha256: TokenHash,
}

fn snmp_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 162))
}

/// A program that shows measurements.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ScrapeKeys")]
pub struct Scrape {
    pub url: String,
    pub source: SourceName,
    pub every_seconds: u32,
    pub keep: Vec<String>,
    pub token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScrapeKeys {
    url: String,
    source: SourceName,
    #[serde(default = "every_seconds")]
    every_seconds: u32,
    keep: Vec<String>,
    token_file: Option<PathBuf>,
}

fn every_seconds() -> u32 {
    60
}

impl TryFrom<ScrapeKeys> for Scrape {
    type Error = String;
    fn try_from(keys: ScrapeKeys) -> Result<Scrape, String> {
        let ScrapeKeys { url, source, every_seconds, keep, token_file } = keys;
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains('@')) {
            return Err("write http:// or https://, host, port and path; no password".to_owned());
        }
        if !(1..=EVERY_SECONDS_MAX).contains(&every_seconds) {
            return Err(format!("every_seconds is 1 to {EVERY_SECONDS_MAX}"));
        }
        if keep.is_empty() || keep.len() > CLIENTS_MAX {
            return Err("keep names 1 to 1000 patterns of samples; [\"*\"] keeps all".to_owned());
        }
        Ok(Scrape { url, source, every_seconds, keep, token_file })
    }
}

/// TLS of a listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "TlsKeys")]
pub struct Tls {
    /// Certificate chain and key; of the house CA if not named.
    pub files: Option<(PathBuf, PathBuf)>,
    pub client_ca: Option<ClientCa>,
    /// Patterns, one of which a name in the client's certificate must fit; any if there are none.
    pub clients: Vec<String>,
}

/// Who signs the certificates of senders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCa {
    House,
    File(PathBuf),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsKeys {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<String>,
    clients: Vec<String>,
}

impl TryFrom<TlsKeys> for Tls {
    type Error = String;
    fn try_from(keys: TlsKeys) -> Result<Tls, String> {
        let TlsKeys { certificate, key, client_ca, clients } = keys;
        let files = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("certificate and key stand together, or neither does".to_owned()),
        };
        let client_ca = client_ca.map(|ca| match ca.as_str() {
            "house" => ClientCa::House,
            _ => ClientCa::File(ca.into()),
        });
        if client_ca.is_none() && !clients.is_empty() {
            return Err("clients are known by certificates: name client_ca too".to_owned());
        }
        if clients.len() > CLIENTS_MAX {
            return Err(format!("at most {CLIENTS_MAX} clients"));
        }
        Ok(Tls { files, client_ca, clients })
    }
}

/// A log file to follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    pub path: PathBuf,
    pub source: SourceName,
    #[serde(default)]
    pub format: Format,
}

/// A sender of NDJSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSource {
    pub source: SourceName,
    pub token_sha256: TokenHash,
    #[serde(default = "lines_per_second")]
    pub lines_per_second: u32,
}

fn lines_per_second() -> u32 {
    10_000
}

/// How the lines of a file are read.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Auto,
    Syslog,
    Json,
    Plain,
}

impl From<Format> for stream::Format {
    fn from(format: Format) -> stream::Format {
        match format {
            Format::Auto => stream::Format::Auto,
            Format::Syslog => stream::Format::Syslog,
            Format::Json => stream::Format::Json,
            Format::Plain => stream::Format::Plain,
        }
    }
}
