//! One client for all that is fetched.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{
    Method, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use crate::{Fault, is_here};

const CONNECT: Duration = Duration::from_secs(15);
const REDIRECTS_MAX: usize = 5;
const TAG_BYTES_MAX: usize = 1_000;
const TITLE_CHARS_MAX: usize = 200;
const TITLE_BYTES_MAX: usize = 4_096;
const PEM_BYTES_MAX: u64 = 1 << 20;

/// What one fetch may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// As it comes.
    pub bytes_max: u64,
    /// For one try, all of it.
    pub time: Duration,
    pub tries: u32,
    /// Before the second try; three times as long before each further one.
    pub wait: Duration,
    /// The longest that a server's `Retry-After` is waited for at once; longer ones are a fault that says when.
    pub wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes_max: 256 << 20,
            time: Duration::from_secs(300),
            tries: 3,
            wait: Duration::from_secs(3),
            wait_max: Duration::from_secs(30),
        }
    }
}

/// What was known of the last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// What was there is what there is.
    Same,
    /// A new file was written.
    New { tags: Tags, bytes: u64, content_type: String },
}

/// An answer in memory, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// Why an answer gave nothing.
    pub fn fault(&self) -> Fault {
        let wait = self.header("retry-after").and_then(wait_of);
        if let Some(seconds) = wait.filter(|_| self.status == 429 || self.status >= 500) {
            return Fault::Wait { status: self.status, seconds };
        }
        Fault::Status(self.status, String::new())
    }
}

/// Whom a client believes, and who it is.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificates that are believed instead of the system's, PEM.
    pub ca: Option<PathBuf>,
    /// Own certificate and key, PEM.
    pub identity: Option<Vec<u8>>,
}

/// Fetches.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    limits: Limits,
    headers: HeaderMap,
}

impl Client {
    pub fn new(limits: Limits, trust: &Trust) -> Result<Client, Fault> {
        // A second installation of the process-wide provider is refused harmlessly.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let redirects = reqwest::redirect::Policy::custom(|attempt| {
            let from_here = attempt.previous().last().is_some_and(is_here);
            let to = attempt.url();
            let secure =
                to.scheme() == "https" || (to.scheme() == "http" && is_here(to) && from_here);
            match attempt.previous().len() {
                0..=REDIRECTS_MAX if secure => attempt.follow(),
                _ => attempt.error("redirected too often, or away from https"),
            }
        });
        let mut builder = reqwest::Client::builder()
            .timeout(limits.time)
            .connect_timeout(CONNECT.min(limits.time))
            .redirect(redirects)
            .user_agent(concat!("ume/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &trust.ca {
            let failed = |error: String| Fault::File { what: path.display().to_string(), error };
            let about = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
            if about.len() > PEM_BYTES_MAX {
                return Err(Fault::Large { max: PEM_BYTES_MAX });
            }
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| failed(cause_of_pem(&error)))?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(pem) = &trust.identity {
            let identity = reqwest::Identity::from_pem(pem).map_err(|_| {
                Fault::said(
                    "クライアント証明書と鍵をPEMとして読めません",
                    "the client certificate and key cannot be read as PEM",
                )
            })?;
            builder = builder.identity(identity);
        }
        let inner = builder.build().map_err(Fault::from)?;
        Ok(Client { inner, limits, headers: HeaderMap::new() })
    }

    /// Sends this header with everything; it is never shown, nor sent on to another host.
    pub fn with_secret(mut self, name: HeaderName, value: &str) -> Result<Client, Fault> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Fault::said("鍵にヘッダーで送れない文字があります", "the key holds what no header can")
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// One request, its answer in memory whatever its status. It is not tried again.
    pub async fn call(
        &self,
        method: Method,
        url: Url,
        headers: &[(HeaderName, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, Fault> {
        let mut request = self.inner.request(method, url).headers(self.headers.clone());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        let max = self.limits.bytes_max;
        if response.content_length().is_some_and(|length| length > max) {
            return Err(Fault::Large { max });
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            if body.len() as u64 + part.len() as u64 > max {
                return Err(Fault::Large { max });
            }
            body.extend_from_slice(&part);
        }
        Ok(Reply { status, headers, body })
    }

    /// Fetches into a file, and tries again what may pass.
    pub async fn file(&self, url: &Url, known: &Tags, to: &Path) -> Result<Got, Fault> {
        let mut wait = self.limits.wait;
        let mut tried = 1;
        loop {
            let fault = match self.once(url, known, to).await {
                Ok(got) => return Ok(got),
                Err(fault) => fault,
            };
            let asked = match &fault {
                Fault::Wait { seconds, .. } => Duration::from_secs(seconds.unsigned_abs()),
                fault if fault.is_passing() => wait,
                _ => return Err(fault),
            };
            if tried >= self.limits.tries || asked > self.limits.wait_max {
                return Err(fault);
            }
            tokio::time::sleep(asked).await;
            tried += 1;
            wait *= 3;
        }
    }

    async fn once(&self, url: &Url, known: &Tags, to: &Path) -> Result<Got, Fault> {
        let mut request = self.inner.get(url.clone()).headers(self.headers.clone());
        request = request.header(header::ACCEPT_ENCODING, "gzip");
        for (name, tag) in
            [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.modified)]
        {
            if let Some(tag) = tag {
                request = request.header(name, tag);
            }
        }
        let mut response = request.send().await?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(Got::Same),
            status if status.is_success() => {}
            _ => return Err(refused(response).await),
        }
        let max = self.limits.bytes_max;
        if response.content_length().is_some_and(|length| length > max) {
            return Err(Fault::Large { max });
        }
        let text = |name: HeaderName| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok())?;
            (value.len() <= TAG_BYTES_MAX).then(|| value.to_owned())
        };
        let tags = Tags { etag: text(header::ETAG), modified: text(header::LAST_MODIFIED) };
        let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
        let failed = |error: std::io::Error| Fault::File {
            what: to.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            error: error.to_string(),
        };
        let mut file = tokio::fs::File::create(to).await.map_err(failed)?;
        let mut bytes = 0;
        while let Some(part) = response.chunk().await? {
            bytes += part.len() as u64;
            if bytes > max {
                return Err(Fault::Large { max });
            }
            file.write_all(&part).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok(Got::New { tags, bytes, content_type })
    }
}

fn cause_of_pem(error: &reqwest::Error) -> String {
    crate::cause(error)
}

/// Why a server gave nothing, with the first of what it says.
async fn refused(mut response: Response) -> Fault {
    let status = response.status().as_u16();
    let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    if let Some(seconds) = after.and_then(wait_of).filter(|_| status == 429 || status >= 500) {
        return Fault::Wait { status, seconds };
    }
    let is_text = |response: &Response| {
        let ty = response.headers().get(header::CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
        ty.is_some_and(|ty| ty.starts_with("text/plain"))
    };
    let mut said = Vec::new();
    while is_text(&response) && said.len() < TITLE_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(part)) => said.extend_from_slice(&part[..part.len().min(TITLE_BYTES_MAX)]),
            _ => break,
        }
    }
    let said = String::from_utf8_lossy(&said);
    Fault::Status(status, said.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect())
}

/// Seconds, or a date of HTTP.
fn wait_of(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<i64>() {
        return (seconds >= 0).then_some(seconds);
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some((at.as_second() - jiff::Timestamp::now().as_second()).max(0))
}

#[cfg(test)]
mod tests;
