//! One request to one peer, with its bounds.

use std::time::Duration;

use reqwest::{Client, StatusCode, header};

/// Longest wait for an answer.
pub const TIMEOUT_S: u64 = 10;

/// What a peer answered.
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// A client for all peers: no redirects, no proxy, nothing kept between requests but connections.
pub(crate) fn client() -> Result<Client, String> {
    // A second installation of the process-wide provider is refused harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(Duration::from_secs(TIMEOUT_S))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("ume/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| e.to_string())
}

/// Posts a body and reads the answer, at most `most` bytes of it.
pub(crate) async fn post(
    client: &Client,
    url: &str,
    content_type: &'static str,
    body: Vec<u8>,
    most: usize,
) -> Result<Answer, String> {
    let request = client.post(url).header(header::CONTENT_TYPE, content_type).body(body);
    let mut response = request.send().await.map_err(|e| cause(&e))?;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let content_type = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(part) = response.chunk().await.map_err(|e| cause(&e))? {
        if body.len() + part.len() > most {
            return Err(format!("the answer is larger than {most} bytes"));
        }
        body.extend(&part);
    }
    Ok(Answer { status: status.as_u16(), content_type, body })
}

/// What failed, down to the innermost cause, without the address that the page shows anyway.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {TIMEOUT_S} s");
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl Answer {
    /// A refusal in one short line.
    pub fn refusal(&self) -> String {
        let status = StatusCode::from_u16(self.status).ok();
        let reason = status.and_then(|s| s.canonical_reason()).unwrap_or_default();
        let text: String = String::from_utf8_lossy(&self.body)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(200)
            .collect();
        format!("answered {} {reason}: {}", self.status, text.trim())
            .trim_end_matches(": ")
            .to_owned()
    }
}
