//! The centre's side: the routes that agents call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, State as Inject},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use model::{Assurance, Id, Table, Timestamp, Writer};
use serde_json::json;
use store::{Agent, EnrolError, RecordDraft, StoreError};
use stream::{Numbered, RawLine, Stream};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    EdgeError,
    ca::{HouseCa, LEAF_DAYS, Request},
    listen::{Connections, Peer},
    notes::Notes,
    protocol::{
        BODY_BYTES_MAX, Enrol, Enrolled, Events, EventsAck, LINES_MAX, PAYLOAD_BYTES_MAX,
        RECORDS_MAX, Records, RecordsAck, Renew, Renewed, Report, State, WireRecord,
    },
    rules::RuleKind,
    tls::Served,
    token::Token,
};

const REQUEST_SECONDS_MAX: u64 = 60;
const SILENCE_EVERY_ROUNDS: u64 = 10;
const SEEN_EVERY_MICROS: i64 = 10_000_000;
/// Requests per second that an agent, or an address that enrols, may keep up; and at once.
const AGENT_RATE: (f64, f64) = (20.0, 200.0);
const ENROL_RATE: (f64, f64) = (0.2, 10.0);
/// Hosts whose name contains the agent's; a page of the store.
const HOSTS_LOOKED_AT: usize = 200;
const BUCKETS_MAX: usize = 20_000;
/// Files of its rules that an agent may say it does not open, and characters of each.
const DENIED_MAX: usize = 100;
const DENIED_CHARS_MAX: usize = 4_096;

/// What the routes for agents work on.
pub struct Centre {
    pub house: web::Shared,
    pub ca: HouseCa,
    pub connections: Arc<Connections>,
    /// Where events go; set when the intake has opened it.
    pub stream: OnceLock<Stream>,
    /// Record types that agents may write.
    accepts: &'static [&'static str],
    pub(crate) rules: RuleKind,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
    reports: Mutex<HashMap<Id, Report>>,
    pub(crate) noted: Notes,
}

/// Shared handle.
pub type SharedCentre = Arc<Centre>;

impl Centre {
    /// A centre that takes these record types, and gives rules of this kind.
    pub fn new(
        house: web::Shared,
        ca: HouseCa,
        accepts: &'static [&'static str],
        rules: RuleKind,
    ) -> SharedCentre {
        let opened = house.store.now();
        Arc::new(Centre {
            house,
            ca,
            connections: Arc::default(),
            stream: OnceLock::new(),
            accepts,
            rules,
            buckets: Mutex::default(),
            reports: Mutex::default(),
            noted: Notes::new(opened),
        })
    }

    /// What an agent last said of itself.
    pub fn report(&self, agent: Id) -> Option<Report> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).get(&agent).cloned()
    }

    /// Seconds to wait if `key` asks too often.
    fn too_often(&self, key: &str, (rate, burst): (f64, f64)) -> Option<u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, (_, at)| now.duration_since(*at) < Duration::from_secs(120));
        }
        let (left, at) = buckets.entry(key.to_owned()).or_insert((burst, now));
        *left = (*left + now.duration_since(*at).as_secs_f64() * rate).min(burst);
        *at = now;
        if *left >= 1.0 {
            *left -= 1.0;
            return None;
        }
        Some(((1.0 - *left) / rate).ceil().max(1.0) as u64)
    }

    /// Cuts connections of revoked agents each second, and renews the centre's own certificate.
    pub async fn watch(self: Arc<Centre>, served: Arc<Served>) {
        let mut renew_at = self.house.store.now().plus_hours(LEAF_DAYS * 16);
        for round in 1_u64.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if let Err(error) = self.cut_revoked().await {
                tracing::error!(%error, "revoked agents were not looked for");
            }
            if round.is_multiple_of(SILENCE_EVERY_ROUNDS)
                && let Err(error) = self.note_silence().await
            {
                tracing::error!(%error, "silent agents were not looked for");
            }
            let now = self.house.store.now();
            if now < renew_at {
                continue;
            }
            match self.ca.server(now).and_then(|identity| served.replace(identity)) {
                Ok(()) => renew_at = now.plus_hours(LEAF_DAYS * 16),
                Err(error) => {
                    tracing::error!(%error, "the centre's certificate was not renewed");
                    renew_at = now.plus_hours(1);
                }
            }
        }
    }

    async fn cut_revoked(&self) -> Result<(), StoreError> {
        let open = self.connections.fingerprints();
        if open.is_empty() {
            return Ok(());
        }
        let revoked = self.house.store.revoked_fingerprints().await?;
        for fingerprint in revoked.iter().filter(|f| open.contains(f)) {
            let cut = self.connections.cut(fingerprint);
            tracing::warn!(cut, "connections of a revoked agent were cut");
        }
        Ok(())
    }
}

/// The routes, behind their limits.
pub fn routes(centre: SharedCentre) -> Router {
    Router::new()
        .route("/agent/v1/enrol", post(enrol))
        .route("/agent/v1/state", post(state))
        .route("/agent/v1/records", post(records))
        .route("/agent/v1/events", post(events))
        .route("/agent/v1/rules", get(rules))
        .route("/agent/v1/renew", post(renew))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such address"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(REQUEST_SECONDS_MAX),
        ))
        .layer(CatchPanicLayer::new())
        .with_state(centre)
}

/// A refusal as problem details.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), retry_after: None }
    }

    fn later(status: StatusCode, detail: &str, seconds: u64) -> Problem {
        Problem { status, detail: detail.to_owned(), retry_after: Some(seconds) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn broken(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request of an agent failed");
    Problem::later(StatusCode::SERVICE_UNAVAILABLE, "the centre could not store this", 10)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        broken(&error)
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Problem {
        let status = match &error {
            EnrolError::Store(store) => return broken(store),
            EnrolError::Unknown => StatusCode::UNAUTHORIZED,
            EnrolError::Expired(_) | EnrolError::Used => StatusCode::GONE,
            EnrolError::Revoked(_) | EnrolError::TooMany(_) => StatusCode::FORBIDDEN,
        };
        Problem::new(status, error.to_string())
    }
}

impl From<EdgeError> for Problem {
    fn from(error: EdgeError) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

/// The agent that asks: certificate verified by TLS, known here, not revoked, within its rate.
struct Known {
    agent: Agent,
    fingerprint: String,
}

impl FromRequestParts<SharedCentre> for Known {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        centre: &SharedCentre,
    ) -> Result<Known, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
        let Some(fingerprint) = peer.and_then(|p| p.fingerprint) else {
            let text = "this needs the certificate that enrolment gives";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, text));
        };
        let Some(agent) = centre.house.store.agent_of(&fingerprint).await? else {
            let text = "this certificate belongs to no agent, or was replaced: enrol again";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, text));
        };
        if agent.revoked_at.is_some() {
            let text = format!("the agent {} was revoked", agent.name);
            return Err(Problem::new(StatusCode::FORBIDDEN, text));
        }
        if let Some(seconds) = centre.too_often(&agent.id.to_string(), AGENT_RATE) {
            return Err(Problem::later(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
                seconds,
            ));
        }
        let now = centre.house.store.now();
        let recent = agent.last_seen.is_some_and(|seen| now.0 - seen.0 < SEEN_EVERY_MICROS);
        let settled = agent.fingerprint == fingerprint && agent.previous.is_empty();
        if !recent || (agent.fingerprint == fingerprint && !settled) {
            centre.house.store.agent_seen(&agent, &fingerprint).await?;
        }
        Ok(Known { agent, fingerprint })
    }
}

async fn enrol(
    Inject(centre): Inject<SharedCentre>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(body): Json<Enrol>,
) -> Result<Json<Enrolled>, Problem> {
    if let Some(seconds) = centre.too_often(&format!("enrol {}", peer.address.ip()), ENROL_RATE) {
        return Err(Problem::later(StatusCode::TOO_MANY_REQUESTS, "too many enrolments", seconds));
    }
    let token = Token::parse(&body.token)?;
    let request = Request::parse(&body.request)?;
    let key = request.key_hash();
    let store = &centre.house.store;
    let found = match store.enrolment(token.secret(), &key).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(address = %peer.address, %error, "enrolment refused");
            return Err(error.into());
        }
    };
    let now = store.now();
    let issued = centre.ca.client(&request, &found.name, now)?;
    let id = match &found.used {
        Some((id, _)) => *id,
        None => store.new_id()?,
    };
    let asset = host(&centre, &found.name).await?;
    let agent = Agent {
        id,
        name: found.name.clone(),
        asset,
        fingerprint: issued.fingerprint,
        previous: String::new(),
        revoked_at: None,
        created_at: now,
        expires_at: issued.ends,
        last_seen: None,
        record_sequence: 0,
    };
    let mut write = store.write(&actor(id), "agent enrolled", "").await?;
    if found.used.is_some() {
        write.enrol_again(&agent).await?;
    } else {
        write.enrol(token.secret(), &key, &agent).await?;
    }
    write.commit().await?;
    centre.house.wake();
    tracing::info!(name = found.name, address = %peer.address, "agent enrolled");
    let ledger = centre.house.ledger.lock().await.verifier_key();
    let certificate = issued.pem;
    Ok(Json(Enrolled { agent: id.to_string(), name: found.name, certificate, ledger }))
}

/// The host in the register, made if it is not there.
async fn host(centre: &Centre, name: &str) -> Result<Id, StoreError> {
    let store = &centre.house.store;
    let known = store::Filter {
        kind: Some("host".to_owned()),
        text: name.to_owned(),
        limit: HOSTS_LOOKED_AT,
        ..store::Filter::default()
    };
    let known = store.list(Table::Asset, &known).await?;
    if let Some(row) = known.into_iter().find(|h| h.name == name) {
        return Ok(row.id);
    }
    let mut write = store.write("system:enrol", "agent enrolled", "").await?;
    let row = write.put(store::Row::new(Table::Asset, store.new_id()?, "host", name)).await?;
    write.commit().await?;
    centre.house.wake();
    Ok(row.id)
}

async fn state(
    known: Known,
    Inject(centre): Inject<SharedCentre>,
    Json(report): Json<Report>,
) -> Result<Json<State>, Problem> {
    let text_max = 100;
    let texts = report.version.len().max(report.rules.len());
    let denied = |(path, why): (&String, &String)| path.len().max(why.len()) > DENIED_CHARS_MAX;
    let too_long = report.refused.len().max(report.lost.len()).max(texts) > text_max
        || report.denied.len() > DENIED_MAX
        || report.denied.iter().any(denied);
    if too_long {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the report is too long"));
    }
    let wanted = centre.rules_for(&known.agent, report.rules_serial).await?;
    centre.note_report(&known.agent, &report, &wanted).await?;
    let mut reports = centre.reports.lock().unwrap_or_else(PoisonError::into_inner);
    reports.insert(known.agent.id, report);
    drop(reports);
    let events = stream(&centre)?.taken_to(&actor(known.agent.id));
    Ok(Json(State {
        events,
        records: known.agent.record_sequence.unsigned_abs(),
        rules: wanted.root,
        rules_serial: wanted.serial,
    }))
}

fn stream(centre: &Centre) -> Result<&Stream, Problem> {
    let text = "the centre is starting";
    centre.stream.get().ok_or_else(|| Problem::later(StatusCode::SERVICE_UNAVAILABLE, text, 2))
}

/// Who an agent is, as actor of its records and as origin of its lines.
pub(crate) fn actor(agent: Id) -> String {
    format!("agent:{agent}")
}

async fn records(
    known: Known,
    Inject(centre): Inject<SharedCentre>,
    Json(body): Json<Records>,
) -> Result<Json<RecordsAck>, Problem> {
    if body.records.len() > RECORDS_MAX {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too many records at once"));
    }
    let agent = &known.agent;
    let mut ack = RecordsAck { taken_to: agent.record_sequence.unsigned_abs(), ..<_>::default() };
    for record in body.records {
        let sequence = record.sequence;
        if sequence <= ack.taken_to {
            continue;
        }
        let refused = match refuse(&centre, &record) {
            None => write_record(&centre, agent, record).await?,
            Some(reason) => Some(reason),
        };
        if let Some(reason) = refused {
            tracing::warn!(agent = agent.name, reason, "a record of an agent was refused");
            let mut write = centre.house.store.write("system:agents", "refused", "").await?;
            write.take_sequence(agent.id, signed(sequence)).await?;
            write.commit().await?;
            ack.refused.insert(sequence, reason);
        }
        ack.taken_to = sequence;
    }
    Ok(Json(ack))
}

/// Writes the record with its sequence in one transaction: neither is there without the other. What
/// the store will never take is named, not tried again.
async fn write_record(
    centre: &Centre,
    agent: &Agent,
    record: WireRecord,
) -> Result<Option<String>, StoreError> {
    let store = &centre.house.store;
    let mut write = store.write(&actor(agent.id), "agent", "").await?;
    if !write.take_sequence(agent.id, signed(record.sequence)).await? {
        return Ok(None);
    }
    // `refuse` has seen that it is declared.
    let Some(spec) = centre.house.record_spec(&record.ty) else {
        return Ok(Some(format!("{} is declared nowhere", record.ty)));
    };
    match write.record_by(Writer::Agents, spec, draft(agent, record, store.now())).await {
        Ok(_) => {
            write.commit().await?;
            centre.house.wake();
            Ok(None)
        }
        Err(
            error @ (StoreError::LargeLeaf(..)
            | StoreError::Canonical(_)
            | StoreError::Nul(_)
            | StoreError::NotTheirs(_)),
        ) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// Why this record will never be taken.
fn refuse(centre: &Centre, record: &WireRecord) -> Option<String> {
    if !centre.accepts.contains(&record.ty.as_str()) {
        return Some(format!("agents write no {}", record.ty.chars().take(80).collect::<String>()));
    }
    if record.payload.as_ref().is_some_and(|p| p.len() > PAYLOAD_BYTES_MAX) {
        return Some(format!("the payload is larger than {PAYLOAD_BYTES_MAX} bytes"));
    }
    if let Err(error) = model::canonical::to_string(&json!(record.facts)) {
        return Some(error.to_string());
    }
    let Some(spec) = centre.house.record_spec(&record.ty) else {
        return Some(format!("{} is declared nowhere", record.ty));
    };
    let errors = spec.validate(&record.facts);
    errors.first().map(|error| format!("the fact {} is not as declared", error.field()))
}

fn draft(agent: &Agent, record: WireRecord, now: Timestamp) -> RecordDraft {
    let (observed_from, observed_to) = record.observed(now);
    RecordDraft {
        ty: record.ty,
        // Whatever the agent says: it speaks for its own host only.
        subject: Some(agent.asset),
        observed_from,
        observed_to,
        source: format!("agent {} ({})", agent.id, agent.name),
        assurance: Assurance::Machine,
        facts: record.facts,
        payload: record.payload.map(String::into_bytes),
    }
}

async fn events(
    known: Known,
    Inject(centre): Inject<SharedCentre>,
    Json(body): Json<Events>,
) -> Result<Json<EventsAck>, Problem> {
    if body.lines.len() > LINES_MAX {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too many lines at once"));
    }
    let mut lines = Vec::with_capacity(body.lines.len());
    for line in body.lines {
        crate::check_name(&line.file)?;
        let Ok(bytes) = STANDARD.decode(&line.bytes) else {
            let text = format!("the bytes of line {} are no base64", line.sequence);
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text));
        };
        lines.push(Numbered {
            sequence: line.sequence,
            source: format!("{}/{}", known.agent.name, line.file),
            line: RawLine { bytes, format: line.format.into(), peer: None, part: line.part },
        });
    }
    let (stream, origin) = (stream(&centre)?.clone(), actor(known.agent.id));
    let now = centre.house.store.now();
    let stored = tokio::task::spawn_blocking(move || stream.ingest_numbered(&origin, &lines, now));
    match stored.await {
        Ok(Ok(ack)) => {
            Ok(Json(EventsAck { taken_to: ack.taken_to, stored: ack.stored, known: ack.known }))
        }
        Ok(Err(error @ stream::Error::SpoolFull { .. })) => {
            tracing::warn!(%error, "lines of an agent have to wait");
            Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, "the spool is full", 15))
        }
        Ok(Err(error)) => Err(broken(&error)),
        Err(error) => Err(broken(&error)),
    }
}

async fn rules(known: Known, Inject(centre): Inject<SharedCentre>) -> Result<Response, Problem> {
    let wanted = centre.rules_for(&known.agent, 0).await?;
    let note = centre.sign_rules(&known.agent, &wanted).await.map_err(|error| broken(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

async fn renew(
    known: Known,
    Inject(centre): Inject<SharedCentre>,
    Json(body): Json<Renew>,
) -> Result<Json<Renewed>, Problem> {
    let request = Request::parse(&body.request)?;
    let issued = centre.ca.client(&request, &known.agent.name, centre.house.store.now())?;
    let store = &centre.house.store;
    let mut write = store.write(&actor(known.agent.id), "certificate renewed", "").await?;
    let fresh = &issued.fingerprint;
    write.renew_agent(&known.agent, &known.fingerprint, fresh, issued.ends).await?;
    write.commit().await?;
    centre.house.wake();
    tracing::info!(name = known.agent.name, "agent's certificate renewed");
    Ok(Json(Renewed { certificate: issued.pem }))
}
