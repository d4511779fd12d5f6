//! What comes in: this machine's journal and log files, syslog over UDP, TCP and TLS, RELP, journals of
//! other machines, flows, SNMP. NDJSON over HTTP is `intake_http`, `POST /upload` is `intake_upload`,
//! OpenTelemetry is `intake_otlp`; measurements are `intake_scrape`, `intake_snmp` and `intake_postgres`.

use std::{path::Path, sync::Arc, time::Duration};

use edge::{ca, ca::HouseCa, tls};
use rustls::{ServerConfig, pki_types::CertificateDer};
use sha2::{Digest, Sha256};
use stream::{
    Stream,
    intake::{
        Door, FileTail, Flows, JournalFollow, Relp, Secure, Shutdown, SyslogTcp, SyslogUdp,
        TcpLimits, Traps,
    },
};
use tokio::task::JoinHandle;

use crate::{
    CliError, config,
    intake_http::{Http, Sender},
    intake_otlp::OtlpListener,
    intake_postgres::Probe,
    intake_scrape::Scrape,
    intake_snmp,
    intake_upload::{Gate, JournalUpload},
};

const BACKLOG_BYTES_MAX: u64 = 64 << 20;
const JOURNAL_FIRST_LINES: u32 = 10_000;
/// How often the certificate of the house CA is made anew, well before it ends.
const RENEW_HOURS: u64 = 24 * 7;

/// Listeners bound before anything starts, so that a taken port is an error of the start.
#[derive(Default)]
pub struct Bound {
    udp: Vec<SyslogUdp>,
    tcp: Vec<SyslogTcp>,
    relp: Vec<Relp>,
    uploads: Vec<JournalUpload>,
    otlp: Vec<OtlpListener>,
    flows: Vec<Flows>,
    traps: Vec<Traps>,
    /// What the house CA signs anew now and then.
    renewed: Vec<(HouseCa, Arc<tls::Served>)>,
}

/// Ports taken, before it is known what is shown at them.
pub struct Ports {
    bound: Bound,
    tcp: Vec<Door>,
    relp: Vec<Door>,
    uploads: Vec<Door>,
    otlp: Vec<Vec<Door>>,
}

/// Binds the configured listeners.
pub async fn bind(config: &config::Intake) -> Result<Ports, CliError> {
    let mut bound = Bound::default();
    for at in &config.syslog_udp {
        let udp = SyslogUdp::bind(at.listen, &at.source.0).await.map_err(CliError::Syslog)?;
        tracing::info!(source = at.source.0, address = ?udp.local_addr(), "takes syslog over UDP");
        bound.udp.push(udp);
    }
    for at in &config.flow {
        let allow = at.allow.clone();
        let may_send = Arc::new(move |peer| {
            allow.is_empty() || allow.iter().any(|network| network.holds(peer))
        });
        let flows = Flows::bind(at.listen, &at.source.0, may_send).await;
        let flows = flows.map_err(CliError::Syslog)?;
        tracing::info!(source = at.source.0, address = ?flows.local_addr(), "takes flows");
        bound.flows.push(flows);
    }
    for at in &config.snmp_traps {
        let hash = at.community_sha256.0;
        let knows = Arc::new(move |community: &[u8]| {
            let given: [u8; 32] = Sha256::digest(community).into();
            bool::from(subtle::ConstantTimeEq::ct_eq(&given[..], &hash[..]))
        });
        let traps = Traps::bind(at.listen, &at.source.0, knows).await;
        let traps = traps.map_err(CliError::Syslog)?;
        tracing::info!(source = at.source.0, address = ?traps.local_addr(), "takes SNMP traps");
        bound.traps.push(traps);
    }
    let (mut tcp, mut relp, mut uploads) = (Vec::new(), Vec::new(), Vec::new());
    for at in &config.syslog_tcp {
        tcp.push(door(at.listen, &at.source, "takes syslog over TCP").await?);
    }
    for at in &config.relp {
        relp.push(door(at.listen, &at.source, "takes RELP").await?);
    }
    for at in &config.journal_upload {
        uploads.push(door(at.listen, &at.source, "takes journals").await?);
    }
    let mut otlp = Vec::new();
    for at in &config.otlp {
        let mut doors = Vec::new();
        for listen in &at.listen {
            doors.push(door(*listen, &at.source, "takes OTLP").await?);
        }
        otlp.push(doors);
    }
    Ok(Ports { bound, tcp, relp, uploads, otlp })
}

async fn door(
    listen: std::net::SocketAddr,
    source: &config::SourceName,
    what: &str,
) -> Result<Door, CliError> {
    let door = Door::bind(listen, &source.0, TcpLimits::default()).await;
    let door = door.map_err(CliError::Syslog)?;
    tracing::info!(source = source.0, address = ?door.local_addr(), "{what}");
    Ok(door)
}

impl Ports {
    /// Puts TLS where it is configured. `house` is the folder of the house CA, which an agent has not.
    pub fn secured(self, config: &config::Intake, house: Option<&Path>) -> Result<Bound, CliError> {
        let mut bound = self.bound;
        for (door, at) in self.tcp.into_iter().zip(&config.syslog_tcp) {
            let door = secured(door, at.tls.as_ref(), house, tls::senders, &mut bound.renewed)?;
            bound.tcp.push(SyslogTcp::at(door));
        }
        for (door, at) in self.relp.into_iter().zip(&config.relp) {
            let door = secured(door, at.tls.as_ref(), house, tls::senders, &mut bound.renewed)?;
            bound.relp.push(Relp::at(door));
        }
        for (door, at) in self.uploads.into_iter().zip(&config.journal_upload) {
            let door = secured(door, at.tls.as_ref(), house, tls::senders, &mut bound.renewed)?;
            let gate = gate(at.token_sha256.as_ref(), &at.allow);
            bound.uploads.push(JournalUpload::at(door, &at.source.0, gate));
        }
        for (doors, at) in self.otlp.into_iter().zip(&config.otlp) {
            let mut open = Vec::new();
            for door in doors {
                let speaks = tls::http_senders;
                open.push(secured(door, at.tls.as_ref(), house, speaks, &mut bound.renewed)?);
            }
            let gate = gate(at.token_sha256.as_ref(), &at.allow);
            bound.otlp.push(OtlpListener::at(open, &at.source.0, gate));
        }
        Ok(bound)
    }
}

fn gate(token: Option<&config::TokenHash>, allow: &[edge::transport::Network]) -> Gate {
    Gate { token_sha256: token.map(|hash| hash.0), allow: allow.to_vec() }
}

/// How a listener greets its senders.
type Speaks = fn(Arc<tls::Served>, Vec<CertificateDer<'static>>) -> edge::Result<Arc<ServerConfig>>;

fn secured(
    door: Door,
    tls: Option<&config::Tls>,
    house: Option<&Path>,
    speaks: Speaks,
    renewed: &mut Vec<(HouseCa, Arc<tls::Served>)>,
) -> Result<Door, CliError> {
    let Some(tls) = tls else { return Ok(door) };
    let now = stream::intake::now();
    let house = || {
        let folder = house.ok_or(CliError::NoHouseCa)?;
        Ok::<_, CliError>(HouseCa::open(folder, &crate::agents::hostname(), now)?)
    };
    let served = match &tls.files {
        Some((certificate, key)) => tls::Served::new(tls::identity_from_files(certificate, key)?)?,
        None => {
            let ca = house()?;
            let served = tls::Served::new(ca.server(now)?)?;
            renewed.push((ca, served.clone()));
            served
        }
    };
    let roots = match &tls.client_ca {
        Some(config::ClientCa::House) => vec![house()?.der().clone()],
        Some(config::ClientCa::File(path)) => {
            let io = |source| CliError::Io { path: path.clone(), source };
            ca::certificates(&std::fs::read_to_string(path).map_err(io)?, path)?
        }
        None => Vec::new(),
    };
    let clients = tls.clients.clone();
    let admit = Arc::new(move |certificate: Option<&[u8]>| admit(certificate, &clients));
    Ok(door.secured(Secure { config: speaks(served, roots)?, admit }))
}

/// The name by which a client is let in.
fn admit(certificate: Option<&[u8]>, clients: &[String]) -> Result<Option<String>, String> {
    let Some(certificate) = certificate else { return Ok(None) };
    let names = tls::names(certificate);
    let fits = |name: &String| {
        let name = name.to_ascii_lowercase();
        clients.iter().any(|p| stream::intake::wild(&p.to_ascii_lowercase(), &name))
    };
    if clients.is_empty() {
        return Ok(names.into_iter().next());
    }
    let known = names.into_iter().find(fits);
    known.map(Some).ok_or_else(|| "certificate of another client".to_owned())
}

async fn renew(ca: HouseCa, served: Arc<tls::Served>, mut shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(RENEW_HOURS * 3600)) => {}
            _ = shutdown.wait_for(|end| *end) => return,
        }
        let renewed = ca.server(stream::intake::now()).and_then(|fresh| served.replace(fresh));
        if let Err(error) = renewed {
            tracing::error!(%error, "the certificate of a listener was not renewed");
        }
    }
}

/// Opens the stream folder.
pub async fn open(folder: &Path, config: &config::Intake) -> Result<Stream, CliError> {
    let folder = folder.join("stream");
    let mut limits = stream::Limits {
        // Files of this machine are written in its own time.
        zone: jiff::tz::TimeZone::try_system().unwrap_or(jiff::tz::TimeZone::UTC),
        host: Some(crate::agents::hostname()),
        ..stream::Limits::default()
    };
    limits.spool.max_bytes = u64::from(config.spool_mib.0) << 20;
    let opened = tokio::task::spawn_blocking(move || Stream::open(&folder, limits)).await;
    Ok(opened.map_err(|e| CliError::Worker(e.to_string()))??)
}

/// Starts everything that follows or listens.
pub fn follow(
    stream: &Stream,
    config: &config::Intake,
    bound: Bound,
    shutdown: &Shutdown,
) -> Vec<JoinHandle<()>> {
    let renewed = bound.renewed.into_iter();
    let mut tasks: Vec<_> =
        renewed.map(|(ca, served)| tokio::spawn(renew(ca, served, shutdown.clone()))).collect();
    if config.journal
        && let Some(journal) = JournalFollow::find("journal", JOURNAL_FIRST_LINES)
    {
        tasks.push(watch("journal", journal.run(stream.clone(), shutdown.clone())));
    }
    for udp in bound.udp {
        tasks.push(watch("syslog over UDP", udp.run(stream.clone(), shutdown.clone())));
    }
    for tcp in bound.tcp {
        tasks.push(watch("syslog over TCP", tcp.run(stream.clone(), shutdown.clone())));
    }
    for relp in bound.relp {
        tasks.push(watch("RELP", relp.run(stream.clone(), shutdown.clone())));
    }
    for flows in bound.flows {
        tasks.push(watch("flows", flows.run(stream.clone(), shutdown.clone())));
    }
    for traps in bound.traps {
        tasks.push(watch("SNMP traps", traps.run(stream.clone(), shutdown.clone())));
    }
    for at in &config.scrape {
        let scrape = Scrape {
            url: at.url.clone(),
            source: at.source.0.clone(),
            every: Duration::from_secs(at.every_seconds.into()),
            keep: at.keep.clone(),
            token_file: at.token_file.clone(),
        };
        tasks.push(watch("scrape", scrape.run(stream.clone(), shutdown.clone())));
    }
    for poll in config.snmp.iter().flat_map(intake_snmp::polls) {
        tasks.push(watch("SNMP", poll.run(stream.clone(), shutdown.clone())));
    }
    for at in &config.postgres {
        let probe = Probe {
            url: at.url.clone(),
            source: at.source.0.clone(),
            password_file: at.password_file.clone(),
            every: Duration::from_secs(at.every_seconds.into()),
        };
        tasks.push(watch("PostgreSQL", probe.run(stream.clone(), shutdown.clone())));
    }
    for upload in bound.uploads {
        tasks.push(watch("journal upload", upload.run(stream.clone(), shutdown.clone())));
    }
    for otlp in bound.otlp {
        tasks.push(watch("OTLP", otlp.run(stream.clone(), shutdown.clone())));
    }
    let standard =
        if config.standard_files { Stream::standard_files(Path::new("/")) } else { Vec::new() };
    let standard = standard.into_iter().map(|(source, path)| {
        let format = format_of(&source);
        (source, path, format)
    });
    let named = config.files.iter().map(|f| (f.source.0.clone(), f.path.clone(), f.format.into()));
    for (source, path, format) in standard.chain(named) {
        match FileTail::open(stream, &source, &path, format, BACKLOG_BYTES_MAX) {
            Ok(tail) => tasks.push(watch("log file", tail.run(stream.clone(), shutdown.clone()))),
            Err(error) => tracing::error!(%error, source, "the log file is not followed"),
        }
    }
    tasks
}

/// Names and paths of the log files that the configuration follows.
pub fn own_files(config: &config::Intake) -> Vec<(String, std::path::PathBuf)> {
    let standard =
        if config.standard_files { Stream::standard_files(Path::new("/")) } else { Vec::new() };
    let named = config.files.iter().map(|f| (f.source.0.clone(), f.path.clone()));
    standard.into_iter().chain(named).collect()
}

fn watch(
    what: &'static str,
    run: impl Future<Output = stream::Result<()>> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = run.await {
            tracing::error!(%error, what, "an intake ended");
        }
    })
}

fn format_of(source: &str) -> stream::Format {
    match source {
        s if s.contains("dpkg") => stream::Format::Dpkg,
        s if s.contains("apt") => stream::Format::AptHistory,
        s if s.contains("alternatives") => stream::Format::Plain,
        _ => stream::Format::Syslog,
    }
}

/// The configured senders of NDJSON.
pub fn http(stream: Stream, config: &config::Intake) -> Arc<Http> {
    let senders = config.http.iter().map(|h| {
        let lines_per_second = f64::from(h.lines_per_second.max(1));
        (h.source.0.clone(), Sender { token_sha256: h.token_sha256.0, lines_per_second })
    });
    Http::new(stream, senders.collect())
}
