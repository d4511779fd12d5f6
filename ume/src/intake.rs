//! What comes in: this machine's journal and log files, syslog over UDP and TCP, NDJSON over HTTP.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path as UrlPath},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use sha2::{Digest, Sha256};
use stream::{
    RawLine, Stream,
    intake::{FileTail, JournalFollow, Shutdown, SyslogTcp, SyslogUdp, TcpLimits},
};
use tokio::task::JoinHandle;
use web::Shared;

use crate::{CliError, config};

const BACKLOG_BYTES_MAX: u64 = 64 << 20;
const JOURNAL_FIRST_LINES: u32 = 10_000;
/// Most bytes of one NDJSON request.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Seconds after which a sender may try again while the spool is full.
const SPOOL_RETRY_AFTER: u64 = 15;

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

/// Who may send NDJSON, and how fast.
pub struct Http {
    stream: Stream,
    senders: BTreeMap<String, Sender>,
    /// Lines each source may still send, and when that was reckoned.
    budget: Mutex<HashMap<String, (f64, Instant)>>,
}

struct Sender {
    token_sha256: [u8; 32],
    lines_per_second: f64,
}

impl Http {
    /// The configured senders.
    pub fn new(stream: Stream, config: &config::Intake) -> Arc<Http> {
        let senders = config.http.iter().map(|h| {
            let lines_per_second = f64::from(h.lines_per_second.max(1));
            (h.source.0.clone(), Sender { token_sha256: h.token_sha256.0, lines_per_second })
        });
        let senders = senders.collect();
        Arc::new(Http { stream, senders, budget: Mutex::default() })
    }

    /// The sender, if the bearer token is its own. An unknown source and a wrong token look alike.
    fn sender(&self, source: &str, headers: &HeaderMap) -> Option<&Sender> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = given.split_once(' ')?;
        let hash: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
        let sender = self.senders.get(source)?;
        let same = subtle::ConstantTimeEq::ct_eq(&hash[..], &sender.token_sha256[..]);
        (scheme.eq_ignore_ascii_case("bearer") && bool::from(same)).then_some(sender)
    }

    /// Takes `lines` from the budget of two seconds; else the seconds to wait.
    fn spend(&self, source: &str, sender: &Sender, lines: usize) -> Result<(), u64> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let (rate, now) = (sender.lines_per_second, Instant::now());
        let entry = budget.entry(source.to_owned()).or_insert((rate * 2.0, now));
        let earned = now.duration_since(entry.1).as_secs_f64() * rate;
        // A request larger than the whole budget passes when the budget is full, and overdraws it.
        *entry = ((entry.0 + earned).min(rate * 2.0), now);
        let need = (lines as f64).min(rate * 2.0);
        if entry.0 < need {
            return Err(((need - entry.0) / rate).ceil().max(1.0) as u64);
        }
        entry.0 -= lines as f64;
        Ok(())
    }
}

/// `POST /intake/{source}`.
pub fn routes(http: Arc<Http>) -> Router<Shared> {
    Router::new()
        .route("/intake/{source}", post(take))
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(http))
}

/// Takes NDJSON. The answer 200 comes after the spool has it on disk; anything else means that the
/// sender keeps its lines.
async fn take(
    Extension(http): Extension<Arc<Http>>,
    UrlPath(source): UrlPath<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(sender) = http.sender(&source, &headers) else {
        let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, ask, Json(problem("no such source and token")))
            .into_response();
    };
    let bytes = match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(_) => {
            let what = format!("at most {BODY_BYTES_MAX} bytes in one request; send smaller parts");
            return (StatusCode::PAYLOAD_TOO_LARGE, Json(problem(&what))).into_response();
        }
    };
    let lines = lines(&bytes);
    if let Err(wait) = http.spend(&source, sender, lines.len()) {
        return later(StatusCode::TOO_MANY_REQUESTS, wait, "too many lines a second");
    }
    let (stream, name) = (http.stream.clone(), source.clone());
    let stored =
        tokio::task::spawn_blocking(move || stream.ingest(&name, lines, stream::intake::now()));
    match stored.await.map_err(|e| stream::Error::Worker(e.to_string())) {
        Ok(Ok(ack)) if ack.refused.contains_key("spool full") => {
            later(StatusCode::SERVICE_UNAVAILABLE, SPOOL_RETRY_AFTER, "the spool is full")
        }
        Ok(Ok(ack)) => {
            let body = serde_json::json!({ "stored": ack.stored, "refused": ack.refused });
            (StatusCode::OK, Json(body)).into_response()
        }
        Ok(Err(error)) | Err(error) => {
            tracing::error!(%error, source, "lines over HTTP were not stored");
            later(StatusCode::SERVICE_UNAVAILABLE, SPOOL_RETRY_AFTER, "not stored, keep the lines")
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<RawLine> {
    let whole = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
    let lines = bytes.split(|b| *b == b'\n').map(whole).filter(|line| !line.is_empty());
    lines.map(|line| RawLine::with_format(line, stream::Format::Json)).collect()
}

fn problem(what: &str) -> serde_json::Value {
    serde_json::json!({ "title": what })
}

fn later(status: StatusCode, seconds: u64, what: &str) -> Response {
    (status, [(header::RETRY_AFTER, seconds.to_string())], Json(problem(what))).into_response()
}
