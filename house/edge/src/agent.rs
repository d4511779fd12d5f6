//! The agent's side: outbound only. Enrols once, collects, spools, delivers in order, renews, and works
//! by the rules that the centre signed for it.
//!
//! Rules that were taken over lie in the folder as they were signed and stay at work while the centre
//! is away, past their end too: a host that no longer reports because nobody renewed its rules would be
//! the worse fault. They are read again at a start only if the signature still fits and their serial is
//! no lower than the one noted apart from them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use model::Timestamp;
use rcgen::KeyPair;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};
use stream::Stream;

use crate::{
    EdgeError, Result,
    ca::{self, Identity, Request},
    files,
    outbox::Outbox,
    protocol::{
        Enrol, Enrolled, Events, EventsAck, Have, LINE_BYTES_MAX, LINES_MAX, Records, RecordsAck,
        Renew, Renewed, Report, Rules, State, WireLine, WireRecord, accept_rules, open_rules,
    },
    random, tls,
    token::Token,
};

const COLLECT_EVERY: Duration = Duration::from_secs(6 * 3600);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often an agent says that it is there, and hears of new rules.
pub const STATE_EVERY: Duration = Duration::from_secs(30);
/// Rules whose end is nearer are asked for again.
const RULES_HOURS_LEFT: i64 = 7 * 24;
const RENEW_EVERY_MIN: Duration = Duration::from_secs(3600);
const REQUEST_MAX: Duration = Duration::from_secs(90);
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// What a collector found.
pub struct Collected {
    pub ty: &'static str,
    pub facts: Map<String, Json>,
    pub payload: Option<String>,
}

/// Collects once; the rooms are not known here.
pub type Collect = Arc<dyn Fn() -> Vec<Collected> + Send + Sync>;

/// Whether something happened that should be collected before its time; asked every second, so it must be quick.
pub type Due = Arc<dyn Fn() -> bool + Send + Sync>;

/// What became of rules on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Time between two collections, if the rules say one.
    pub collect_every: Option<Duration>,
    /// Files that this host does not open, with a word for the reason.
    pub denied: std::collections::BTreeMap<String, String>,
}

/// Brings the rules to work, again and again: what they say and is at work already stays untouched.
/// The host's own configuration has the last word.
pub type Apply = Arc<dyn Fn(&Json) -> Applied + Send + Sync>;

/// What an agent needs.
pub struct Options {
    /// `https://host:port` of the centre.
    pub url: String,
    /// File with the enrolment token; read only while the agent is not enrolled.
    pub token: Option<PathBuf>,
    pub data: PathBuf,
    pub version: &'static str,
    pub collect: Collect,
    pub due: Due,
    pub apply: Apply,
    /// The spool, which intakes fill.
    pub stream: Stream,
    pub now: store::Clock,
    /// [`STATE_EVERY`], shorter in tests.
    pub state_every: Duration,
}

/// What enrolment gave.
#[derive(Clone, Serialize, Deserialize)]
struct Enrolment {
    agent: String,
    name: String,
    /// Fingerprint of the house CA.
    ca: String,
    /// Verifier key of the centre's ledger.
    ledger: String,
    rules_serial: u64,
    rules_root: String,
}

/// An agent.
pub struct Runner {
    options: Options,
    folder: PathBuf,
    outbox: Outbox,
    enrolment: Enrolment,
    client: reqwest::Client,
    renew_at: Timestamp,
    checked: bool,
    /// The rules at work.
    rules: Option<Rules>,
    applied: Applied,
    asked: Option<tokio::time::Instant>,
    renewed: Option<tokio::time::Instant>,
}

/// Whether the same may succeed later.
fn passing(error: &EdgeError) -> bool {
    match error {
        EdgeError::Away(_) => true,
        EdgeError::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
        _ => false,
    }
}

/// Enrols if that was not done, then works until revoked or until an error that waiting cannot mend.
pub async fn run(options: Options) -> Result<()> {
    if !options.url.starts_with("https://") || options.url.contains(char::is_whitespace) {
        return Err(EdgeError::Url(options.url));
    }
    let folder = options.data.join("agent");
    files::create_dir(&folder)?;
    let enrolment = enrolled(&options, &folder).await?;
    tracing::info!(name = enrolment.name, "agent of {}", options.url);
    let (client, renew_at) = client(&folder, &enrolment.ca)?;
    let outbox = Outbox::open(&options.data.join("outbox"))?;
    let rules = kept_rules(&folder, &enrolment)?;
    let mut runner = Runner {
        options,
        folder,
        outbox,
        enrolment,
        client,
        renew_at,
        rules,
        checked: false,
        applied: Applied::default(),
        asked: None,
        renewed: None,
    };
    runner.apply();
    runner.work().await
}

/// The rules that were taken over last, if they are still what the centre signed.
fn kept_rules(folder: &std::path::Path, enrolment: &Enrolment) -> Result<Option<Rules>> {
    let Some(note) = files::read(&folder.join("rules.note"))? else { return Ok(None) };
    match open_rules(note.as_bytes(), &enrolment.ledger) {
        Ok(r) if r.agent == enrolment.agent && r.serial >= enrolment.rules_serial => Ok(Some(r)),
        Ok(rules) => {
            tracing::error!(serial = rules.serial, "the rules on disk are older than they were");
            Ok(None)
        }
        Err(error) => {
            tracing::error!(%error, "the rules on disk are not at work");
            Ok(None)
        }
    }
}

fn key(folder: &std::path::Path) -> Result<KeyPair> {
    let path = folder.join("key.pem");
    if let Some(pem) = files::read_key(&path)? {
        return Ok(KeyPair::from_pem(&pem)?);
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    files::replace(&path, key.serialize_pem().as_bytes())?;
    Ok(key)
}

async fn enrolled(options: &Options, folder: &std::path::Path) -> Result<Enrolment> {
    let path = folder.join("agent.json");
    if let Some(text) = files::read(&path)? {
        let wrong = |e: serde_json::Error| EdgeError::File { path, what: e.to_string() };
        return serde_json::from_str(&text).map_err(wrong);
    }
    let wrong = |what: &str| EdgeError::File { path: folder.to_owned(), what: what.to_owned() };
    let file = options.token.as_ref().ok_or_else(|| {
        wrong("not enrolled yet: name a token with --token-file (ume agent token makes one)")
    })?;
    let token = files::read(file)?.ok_or_else(|| wrong("the token file is not there"))?;
    let token = Token::parse(&token)?;
    // The key first: the token counts once, but for the same key it counts again.
    let request = Request::make(&key(folder)?)?;
    let client = build(tls::agent(token.ca(), None)?)?;
    let body = Enrol { token: token.secret().to_owned(), request };
    let mut backoff = Backoff::default();
    let answer: Enrolled = loop {
        match ask(&client, &options.url, "enrol", &body).await {
            Ok(answer) => break answer,
            Err(error) if passing(&error) => backoff.wait(&error).await,
            Err(error) => return Err(error),
        }
    };
    ca::certificates(&answer.certificate, &folder.join("certificate.pem"))?;
    files::replace(&folder.join("certificate.pem"), answer.certificate.as_bytes())?;
    let enrolment = Enrolment {
        agent: answer.agent,
        name: answer.name,
        ca: token.ca().to_owned(),
        ledger: answer.ledger,
        rules_serial: 0,
        rules_root: String::new(),
    };
    save(folder, &enrolment)?;
    tracing::info!("enrolled; the token is used up and its file can be removed");
    Ok(enrolment)
}

fn save(folder: &std::path::Path, enrolment: &Enrolment) -> Result<()> {
    let path = folder.join("agent.json");
    let text = serde_json::to_string_pretty(enrolment)
        .map_err(|e| EdgeError::File { path: path.clone(), what: e.to_string() })?;
    files::replace(&path, text.as_bytes())
}

/// A client with the agent's certificate, and when to renew it.
fn client(folder: &std::path::Path, ca: &str) -> Result<(reqwest::Client, Timestamp)> {
    let path = folder.join("certificate.pem");
    let wrong = |what: String| EdgeError::File { path: path.clone(), what };
    let pem = files::read(&path)?.ok_or_else(|| wrong("missing: enrol again".to_owned()))?;
    let chain = ca::certificates(&pem, &path)?;
    let (_, first) =
        x509_parser::parse_x509_certificate(&chain[0]).map_err(|e| wrong(e.to_string()))?;
    let (from, to) = (first.validity.not_before.timestamp(), first.validity.not_after.timestamp());
    let at = |seconds: i64| Timestamp(seconds.saturating_mul(1_000_000));
    let (renew_at, ends) = (at(from + (to - from) / 3 * 2), at(to));
    let key = PrivatePkcs8KeyDer::from(key(folder)?.serialize_der());
    let identity = Identity { chain, key: PrivateKeyDer::Pkcs8(key), ends };
    Ok((build(tls::agent(ca, Some(identity))?)?, renew_at))
}

fn build(config: rustls::ClientConfig) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(REQUEST_MAX)
        .pool_idle_timeout(Duration::from_secs(60))
        .build()
        .map_err(|error| away(&error))
}

/// Not reached. The likeliest reason for a certificate out of its time is the clock of this machine.
fn away(error: &reqwest::Error) -> EdgeError {
    let text = chain(error);
    let clock = text.contains("certificate expired") || text.contains("not valid yet");
    EdgeError::Away(if clock { format!("{text} (check the clock of this machine)") } else { text })
}

/// An error with all its causes: the outermost of a client says only that it failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

async fn ask<T: DeserializeOwned>(
    client: &reqwest::Client,
    url: &str,
    what: &str,
    body: &impl Serialize,
) -> Result<T> {
    let url = format!("{}/agent/v1/{what}", url.trim_end_matches('/'));
    let bytes = answer(client.post(url).json(body)).await?;
    serde_json::from_slice(&bytes).map_err(|e| EdgeError::Away(format!("answer to {what}: {e}")))
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Vec<u8>> {
    let away = |error: reqwest::Error| away(&error);
    let mut response = request.send().await.map_err(away)?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(away)? {
        if bytes.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(EdgeError::Away("the answer is too long".to_owned()));
        }
        bytes.extend_from_slice(&part);
    }
    if status.is_success() {
        return Ok(bytes);
    }
    let problem: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = problem["detail"].as_str().unwrap_or("no reason given").chars().take(300).collect();
    Err(EdgeError::Refused { status: status.as_u16(), text })
}

/// Waits longer after each failure, and never as long as its neighbour.
#[derive(Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    fn next(&mut self, jitter: u8) -> Duration {
        let full = BACKOFF_MIN.saturating_mul(1 << self.failures.min(20)).min(BACKOFF_MAX);
        self.failures += 1;
        full / 2 + full / 2 * u32::from(jitter) / 255
    }

    async fn wait(&mut self, error: &EdgeError) {
        let jitter = random::<1>().map_or(128, |[byte]| byte);
        let time = self.next(jitter);
        tracing::warn!(%error, seconds = time.as_secs(), "tries again");
        tokio::time::sleep(time).await;
    }
}

impl Runner {
    async fn work(mut self) -> Result<()> {
        let mut backoff = Backoff::default();
        let mut collected: Option<tokio::time::Instant> = None;
        let mut retry_at = tokio::time::Instant::now();
        loop {
            // Collecting goes on while the centre is away.
            let every = self.applied.collect_every.unwrap_or(COLLECT_EVERY);
            if collected.is_none_or(|at| at.elapsed() >= every) || (self.options.due)() {
                self.collect().await?;
                collected = Some(tokio::time::Instant::now());
            }
            if tokio::time::Instant::now() >= retry_at {
                match self.deliver().await {
                    Ok(()) => backoff = Backoff::default(),
                    Err(error) if passing(&error) => {
                        let time = backoff.next(random::<1>().map_or(128, |[byte]| byte));
                        tracing::warn!(%error, seconds = time.as_secs(), "tries again");
                        retry_at = tokio::time::Instant::now() + time;
                    }
                    Err(error) => return Err(error),
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn collect(&mut self) -> Result<()> {
        let collect = self.options.collect.clone();
        let from = (self.options.now)();
        let found = match tokio::task::spawn_blocking(move || collect()).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "nothing was collected");
                return Ok(());
            }
        };
        for one in found {
            self.outbox.push(WireRecord {
                sequence: 0,
                ty: one.ty.to_owned(),
                observed_from: from.0,
                observed_to: (self.options.now)().0,
                facts: one.facts,
                payload: one.payload,
            })?;
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, body: &impl Serialize) -> Result<T> {
        ask(&self.client, &self.options.url, what, body).await
    }

    async fn deliver(&mut self) -> Result<()> {
        if !self.checked || self.asked.is_none_or(|at| at.elapsed() >= self.options.state_every) {
            self.state().await?;
        }
        // A clock that is off must not ask for a certificate each second.
        let lately = self.renewed.is_some_and(|at| at.elapsed() < RENEW_EVERY_MIN);
        if (self.options.now)() >= self.renew_at && !lately {
            self.renew().await?;
        }
        self.records().await?;
        self.events().await
    }

    /// Brings the rules to work, or sees that they still are.
    fn apply(&mut self) {
        if let Some(rules) = &self.rules {
            let applied = (self.options.apply)(&rules.rules);
            for (path, reason) in
                applied.denied.iter().filter(|d| !self.applied.denied.contains_key(d.0))
            {
                tracing::warn!(path, reason, "a rule names a file that is not opened here");
            }
            self.applied = applied;
        }
    }

    async fn state(&mut self) -> Result<()> {
        self.apply();
        let counters = self.options.stream.counters();
        let (mut refused, mut lost) = (Report::default().refused, Report::default().lost);
        for (source, counts) in counters.iter().take(100) {
            let sum = |map: &std::collections::BTreeMap<String, u64>| map.values().sum::<u64>();
            refused.insert(source.clone(), sum(&counts.refused));
            lost.insert(source.clone(), sum(&counts.lost));
        }
        let report = Report {
            version: self.options.version.to_owned(),
            clock: (self.options.now)().0,
            rules: self.rules.as_ref().map_or_else(String::new, |r| r.root.clone()),
            rules_serial: self.enrolment.rules_serial,
            pending_bytes: self.options.stream.pending(),
            refused,
            lost,
            denied: self.applied.denied.clone(),
        };
        let state: State = self.ask("state", &report).await?;
        if !self.checked {
            // The centre knows sequences that this folder never gave: everything new would be taken
            // for known and vanish.
            let ahead = state.events > self.options.stream.end()
                || state.records > self.outbox.highest()?;
            if ahead {
                return Err(EdgeError::Older(self.options.data.clone()));
            }
            self.checked = true;
        }
        // At once after new rules: the next report says that they are at work.
        let fresh = self.wants_rules(&state) && self.rules().await?;
        self.asked = if fresh { None } else { Some(tokio::time::Instant::now()) };
        Ok(())
    }

    /// Whether the centre has other rules than those at work, or these are in the later half of their
    /// time.
    fn wants_rules(&self, state: &State) -> bool {
        let Some(rules) = &self.rules else { return true };
        let late = (self.options.now)().plus_hours(RULES_HOURS_LEFT) >= rules.until;
        late || state.rules != rules.root || state.rules_serial != rules.serial
    }

    /// Takes rules over only if the centre's ledger signed them for this agent and they are no older;
    /// true if they are new. The next report tells the centre, which records it.
    async fn rules(&mut self) -> Result<bool> {
        let url = format!("{}/agent/v1/rules", self.options.url.trim_end_matches('/'));
        let note = answer(self.client.get(url)).await?;
        let have = Have {
            key: &self.enrolment.ledger,
            agent: &self.enrolment.agent,
            serial: self.enrolment.rules_serial,
            root: &self.enrolment.rules_root,
        };
        let rules = match accept_rules(&note, &have, (self.options.now)()) {
            Ok(rules) => rules,
            Err(error) => {
                tracing::error!(%error, "rules were not taken");
                return Ok(false);
            }
        };
        files::replace(&self.folder.join("rules.note"), &note)?;
        (self.enrolment.rules_serial, self.enrolment.rules_root) =
            (rules.serial, rules.root.clone());
        save(&self.folder, &self.enrolment)?;
        // The same with a later end is nothing to report at once.
        let known = |r: &Rules| (r.serial, &r.root) == (rules.serial, &rules.root);
        let fresh = !self.rules.as_ref().is_some_and(known);
        if fresh {
            tracing::info!(serial = rules.serial, "works by new rules");
        }
        self.rules = Some(rules);
        self.apply();
        Ok(fresh)
    }

    async fn renew(&mut self) -> Result<()> {
        let request = Request::make(&key(&self.folder)?)?;
        let answer: Renewed = self.ask("renew", &Renew { request }).await?;
        ca::certificates(&answer.certificate, &self.folder.join("certificate.pem"))?;
        files::replace(&self.folder.join("certificate.pem"), answer.certificate.as_bytes())?;
        (self.client, self.renew_at) = client(&self.folder, &self.enrolment.ca)?;
        self.renewed = Some(tokio::time::Instant::now());
        tracing::info!("certificate renewed");
        // The first use of the new certificate ends the old one.
        self.state().await
    }

    async fn records(&mut self) -> Result<()> {
        for sequence in self.outbox.waiting()? {
            let Some(record) = self.outbox.read(sequence)? else { continue };
            let ack = self.ask::<RecordsAck>("records", &Records { records: vec![record] }).await;
            match ack {
                Ok(ack) => match ack.refused.get(&sequence) {
                    Some(reason) => self.outbox.refused(sequence, reason)?,
                    None if ack.taken_to >= sequence => self.outbox.delivered(sequence)?,
                    None => return Err(EdgeError::Away("a record was not taken".to_owned())),
                },
                Err(EdgeError::Refused { status: 413 | 422, text }) => {
                    self.outbox.refused(sequence, &text)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn events(&mut self) -> Result<()> {
        loop {
            let stream = self.options.stream.clone();
            let read = tokio::task::spawn_blocking(move || stream.outgoing(LINE_BYTES_MAX));
            let mut out = read.await.map_err(|e| EdgeError::Away(e.to_string()))??;
            if out.damaged_bytes > 0 {
                tracing::error!(bytes = out.damaged_bytes, "a damaged part of the spool is lost");
            }
            if out.lines.len() > LINES_MAX {
                out.lines.truncate(LINES_MAX);
                out.next = out.lines.last().map_or(out.next, |line| line.sequence);
            }
            if let Some(last) = out.lines.last().map(|line| line.sequence) {
                let lines = out.lines.iter().map(|numbered| WireLine {
                    sequence: numbered.sequence,
                    file: numbered.source.clone(),
                    format: numbered.line.format.into(),
                    part: numbered.line.part,
                    bytes: STANDARD.encode(&numbered.line.bytes),
                });
                let body = Events { lines: lines.collect() };
                let ack: EventsAck = self.ask("events", &body).await?;
                if ack.taken_to < last {
                    return Err(EdgeError::Away("lines were not taken".to_owned()));
                }
            } else if out.damaged_bytes == 0 {
                return Ok(());
            }
            let (stream, next) = (self.options.stream.clone(), out.next);
            let done = tokio::task::spawn_blocking(move || stream.advance(next));
            done.await.map_err(|e| EdgeError::Away(e.to_string()))??;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_to_a_limit_and_differs() {
        let mut backoff = Backoff::default();
        let times: Vec<Duration> = (0..30).map(|_| backoff.next(255)).collect();
        assert_eq!(times[0], BACKOFF_MIN);
        assert!(times.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(times[29], BACKOFF_MAX);
        let mut other = Backoff::default();
        assert!(other.next(0) < times[0]);
    }

    #[test]
    fn a_refusal_of_the_certificate_is_final_and_a_busy_centre_is_not() {
        let refused = |status| EdgeError::Refused { status, text: String::new() };
        for status in [429, 500, 503] {
            assert!(passing(&refused(status)));
        }
        for status in [401, 403, 410, 422] {
            assert!(!passing(&refused(status)));
        }
        assert!(passing(&EdgeError::Away(String::new())));
    }
}
