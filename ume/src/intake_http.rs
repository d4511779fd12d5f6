//! `POST /intake/{source}`: NDJSON over HTTP into the stream.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Extension, Json,
    body::Body,
    extract::Path as UrlPath,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use stream::{RawLine, Stream};

/// Most bytes of one request.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Seconds after which a sender may try again while the spool is full.
const SPOOL_RETRY_AFTER: u64 = 15;
const KEY_BYTES_MAX: usize = 200;

/// Who may send NDJSON, and how fast.
pub struct Http {
    stream: Stream,
    senders: BTreeMap<String, Sender>,
    /// Lines each source may still send, and when that was reckoned.
    budget: Mutex<HashMap<String, (f64, Instant)>>,
}

/// One source that may send.
pub struct Sender {
    pub token_sha256: [u8; 32],
    pub lines_per_second: f64,
}

impl Http {
    /// Takes what these senders send.
    pub fn new(stream: Stream, senders: BTreeMap<String, Sender>) -> Arc<Http> {
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

/// Takes NDJSON. The answer 200 comes after the spool has it on disk; anything else means that the
/// sender keeps its lines. What comes again under the same `Idempotency-Key` is known and counted as
/// repeated, so a sender that was not answered may send it again.
pub async fn take(
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
    let Ok(key) = key(&headers) else {
        let what = format!("Idempotency-Key has 1 to {KEY_BYTES_MAX} visible ASCII characters");
        return (StatusCode::BAD_REQUEST, Json(problem(&what))).into_response();
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
    let stored = tokio::task::spawn_blocking(move || match key {
        Some(key) => stream.ingest_once(&name, &key, lines, stream::intake::now()),
        None => stream.ingest(&name, lines, stream::intake::now()),
    });
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

/// The key of the batch, if its sender gave one.
fn key(headers: &HeaderMap) -> Result<Option<String>, ()> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().map_err(drop)?.trim();
    let fits = (1..=KEY_BYTES_MAX).contains(&key.len());
    if fits { Ok(Some(key.to_owned())) } else { Err(()) }
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
