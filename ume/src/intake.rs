//! What comes in: this machine's journal and log files, syslog over UDP and TCP. NDJSON over HTTP is
//! `intake_http`.

use std::{path::Path, sync::Arc};

use stream::{
    Stream,
    intake::{FileTail, JournalFollow, Shutdown, SyslogTcp, SyslogUdp, TcpLimits},
};
use tokio::task::JoinHandle;

use crate::{
    CliError, config,
    intake_http::{Http, Sender},
};

const BACKLOG_BYTES_MAX: u64 = 64 << 20;
const JOURNAL_FIRST_LINES: u32 = 10_000;

/// Listeners bound before anything starts, so that a taken port is an error of the start.
pub struct Bound {
    udp: Vec<SyslogUdp>,
    tcp: Vec<SyslogTcp>,
}

/// Binds the configured syslog listeners.
pub async fn bind(config: &config::Intake) -> Result<Bound, CliError> {
    let mut bound = Bound { udp: Vec::new(), tcp: Vec::new() };
    for at in &config.syslog_udp {
        let udp = SyslogUdp::bind(at.listen, &at.source.0).await.map_err(CliError::Syslog)?;
        tracing::info!(source = at.source.0, address = ?udp.local_addr(), "takes syslog over UDP");
        bound.udp.push(udp);
    }
    for at in &config.syslog_tcp {
        let limits = TcpLimits::default();
        let tcp =
            SyslogTcp::bind(at.listen, &at.source.0, limits).await.map_err(CliError::Syslog)?;
        tracing::info!(source = at.source.0, address = ?tcp.local_addr(), "takes syslog over TCP");
        bound.tcp.push(tcp);
    }
    Ok(bound)
}

/// Opens the stream folder.
pub async fn open(folder: &Path, config: &config::Intake) -> Result<Stream, CliError> {
    let folder = folder.join("stream");
    let mut limits = stream::Limits::default();
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
    let mut tasks = Vec::new();
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
