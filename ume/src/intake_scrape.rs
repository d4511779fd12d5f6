//! Measurements fetched from programs that show them (Prometheus, OpenMetrics).
//!
//! Each sample that is kept becomes an event, so that it is counted, archived, proven and backed up
//! like all others; the list of what is kept bounds how much that is. One more sample, `up`, says
//! whether the target answered. A text that could not be had or read is counted as lost: how many
//! samples that were nobody knows, so it counts one.

use std::{path::PathBuf, time::Duration};

use reqwest::{Client, header, redirect::Policy};
use stream::{
    RawLine, Stream,
    intake::{Shutdown, now, wild},
    metrics::{self, Dialect, Sample},
};

/// Most bytes of a text.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// Longest wait for one, however rarely it is asked for.
const WAIT_MAX: Duration = Duration::from_secs(30);
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
const FAILED: &str = "scrape failed";

/// A target.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub url: String,
    pub source: String,
    pub every: Duration,
    /// Patterns of the names of samples that become events.
    pub keep: Vec<String>,
    /// Holds a bearer token; read before each scrape.
    pub token_file: Option<PathBuf>,
}

impl Scrape {
    /// Fetches until the end.
    pub async fn run(self, stream: Stream, mut shutdown: Shutdown) -> stream::Result<()> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wait = self.every.min(WAIT_MAX);
        let client = Client::builder().timeout(wait).redirect(Policy::none()).build();
        let client = client.map_err(|error| stream::Error::Worker(error.to_string()))?;
        let mut ticks = tokio::time::interval(self.every);
        // A late scrape is not made up for by two in a row.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|end| *end) => return Ok(()),
            }
            if let Err(error) = self.once(&client, &stream).await {
                tracing::error!(source = self.source, %error, "measurements were not stored");
            }
        }
    }

    async fn once(&self, client: &Client, stream: &Stream) -> stream::Result<()> {
        let time = now();
        let fetched = self.fetch(client).await;
        let up = f64::from(u8::from(fetched.is_ok()));
        let failed = fetched.is_err();
        let mut samples = fetched.unwrap_or_else(|reason| {
            tracing::warn!(source = self.source, reason, "scrape failed");
            Vec::new()
        });
        samples.retain(|sample| self.keep.iter().any(|pattern| wild(pattern, &sample.name)));
        samples.push(Sample {
            name: "up".to_owned(),
            labels: Vec::new(),
            value: up,
            kind: Some("gauge"),
            time: None,
        });
        let line =
            |s: &Sample| RawLine::with_format(s.line(self.host(), time), stream::Format::Json);
        let lines: Vec<RawLine> = samples.iter().map(line).collect();
        let (stream, source) = (stream.clone(), self.source.clone());
        let stored = tokio::task::spawn_blocking(move || {
            if failed {
                stream.lost(&source, FAILED, 1)?;
            }
            stream.ingest(&source, lines, time).map(drop)
        });
        stored.await.map_err(|error| stream::Error::Worker(error.to_string()))?
    }

    async fn fetch(&self, client: &Client) -> Result<Vec<Sample>, String> {
        let mut request = client.get(&self.url).header(header::ACCEPT, ACCEPT);
        if let Some(path) = &self.token_file {
            let token = tokio::fs::read_to_string(path).await;
            let token = token.map_err(|error| format!("{}: {error}", path.display()))?;
            request = request.bearer_auth(token.trim());
        }
        let said = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = request.send().await.map_err(said)?.error_for_status().map_err(said)?;
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let dialect = Dialect::of(kind.unwrap_or_default());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(said)? {
            if bytes.len() + chunk.len() > TEXT_BYTES_MAX {
                return Err(format!("more than {TEXT_BYTES_MAX} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes).map_err(|_| "no UTF-8".to_owned())?;
        metrics::read(&text, dialect).map_err(|broken| broken.to_string())
    }

    /// Host and port as the configuration names them.
    fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or_default()
    }
}
