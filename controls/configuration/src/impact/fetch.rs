//! One file of advisories over HTTP: asked for with what is known of the last answer, written beside the old one.
//!
//! Limits: the bytes that the source's settings allow, [`TIMEOUT`] for all of it, [`TRIES`] tries. Redirects are
//! followed over TLS only.

use std::{path::Path, time::Duration};

use reqwest::{Client, StatusCode, Url, header};
use tokio::io::AsyncWriteExt;

pub(crate) use ::fetch::cause;

use super::settings::Source;

const TIMEOUT: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(15);
const TRIES: u32 = 3;
/// Before the second try; three times as long before each further one.
const WAIT: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(3) };
const REDIRECTS_MAX: usize = 5;
const TAG_BYTES_MAX: usize = 1_000;
const CA_BYTES_MAX: u64 = 1 << 20;

/// What was known of the last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub etag: Option<String>,
    pub modified: Option<String>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// What is there is what there is.
    Same,
    /// A new file was written.
    New(Tags),
}

enum Failure {
    /// May go better the next time.
    Passing(String),
    Final(String),
}

/// Fetches a source into a file.
pub(crate) async fn fetch(
    source: &Source,
    url: &str,
    known: &Tags,
    to: &Path,
) -> Result<Got, String> {
    let client = client(source)?;
    let mut wait = WAIT;
    let mut tried = 0;
    loop {
        tried += 1;
        match once(&client, source, url, known, to).await {
            Ok(got) => return Ok(got),
            Err(Failure::Final(why)) => return Err(why),
            Err(Failure::Passing(why)) if tried >= TRIES => {
                return Err(format!("{why} ({TRIES} tries)"));
            }
            Err(Failure::Passing(_)) => tokio::time::sleep(wait).await,
        }
        wait *= 3;
    }
}

fn client(source: &Source) -> Result<Client, String> {
    // A second installation of the process-wide provider is refused harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let redirects = reqwest::redirect::Policy::custom(|attempt| {
        let secure = attempt.url().scheme() == "https";
        match attempt.previous().len() {
            0..=REDIRECTS_MAX if secure => attempt.follow(),
            _ => attempt.error("redirected too often, or away from https"),
        }
    });
    let mut builder = Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT)
        .redirect(redirects)
        .user_agent(concat!("ume/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &source.ca {
        let failed = |error: String| format!("{}: {error}", path.display());
        let about = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
        if about.len() > CA_BYTES_MAX {
            return Err(failed(format!("more than {CA_BYTES_MAX} bytes")));
        }
        let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| failed(error.to_string()))?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| error.to_string())
}

async fn once(
    client: &Client,
    source: &Source,
    url: &str,
    known: &Tags,
    to: &Path,
) -> Result<Got, Failure> {
    let url: Url = url.parse().map_err(|_| Failure::Final("no address".to_owned()))?;
    let mut request = client.get(url);
    if let Some(etag) = &known.etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(modified) = &known.modified {
        request = request.header(header::IF_MODIFIED_SINCE, modified);
    }
    let mut response = request.send().await.map_err(|error| Failure::Passing(cause(&error)))?;
    match response.status() {
        StatusCode::NOT_MODIFIED => return Ok(Got::Same),
        status if status.is_success() => {}
        status if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) => {
            return Err(Failure::Passing(format!("answered {status}")));
        }
        status => return Err(Failure::Final(format!("answered {status}"))),
    }
    let most = source.bytes_max;
    if response.content_length().is_some_and(|length| length > most) {
        return Err(Failure::Final(format!("larger than {most} bytes (max_mib)")));
    }
    let tags = tags(response.headers());
    let written = |error: std::io::Error| Failure::Final(format!("{}: {error}", to.display()));
    let mut file = tokio::fs::File::create(to).await.map_err(written)?;
    let mut bytes = 0;
    while let Some(part) = response.chunk().await.map_err(|e| Failure::Passing(cause(&e)))? {
        bytes += part.len() as u64;
        if bytes > most {
            return Err(Failure::Final(format!("larger than {most} bytes (max_mib)")));
        }
        file.write_all(&part).await.map_err(written)?;
    }
    file.sync_all().await.map_err(written)?;
    Ok(Got::New(tags))
}

fn tags(headers: &header::HeaderMap) -> Tags {
    let text = |name| {
        let value =
            headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok())?;
        (value.len() <= TAG_BYTES_MAX).then(|| value.to_owned())
    };
    Tags { etag: text(header::ETAG), modified: text(header::LAST_MODIFIED) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impact::settings::From;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    /// Answers each connection with the next of these and gives what was asked.
    async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/x", listener.local_addr().expect("bound"));
        let served = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a call");
                let mut buffer = vec![0; 4_096];
                let read = stream.read(&mut buffer).await.expect("read");
                asked.push(String::from_utf8_lossy(&buffer[..read]).to_lowercase());
                stream.write_all(answer.as_bytes()).await.expect("answered");
                stream.shutdown().await.expect("ended");
            }
            asked
        });
        (url, served)
    }

    fn answer(head: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    async fn get(url: &str, known: &Tags, bytes_max: u64) -> (Result<Got, String>, Vec<u8>) {
        let folder = tempfile::tempdir().expect("folder");
        let to = folder.path().join("incoming");
        let from = From::Url(url.to_owned());
        let source = Source { name: "a".to_owned(), from, every_min: 60, bytes_max, ca: None };
        let got = fetch(&source, url, known, &to).await;
        (got, std::fs::read(&to).unwrap_or_default())
    }

    #[tokio::test]
    async fn what_is_known_is_not_fetched_again() {
        let tags = Tags { etag: Some("\"v1\"".to_owned()), modified: None };
        let new = answer("200 OK\r\netag: \"v1\"", "body");
        let (url, served) = server(vec![new, answer("304 Not Modified", "")]).await;
        let (got, body) = get(&url, &Tags::default(), 100).await;
        assert_eq!((got, body.as_slice()), (Ok(Got::New(tags.clone())), b"body".as_slice()));
        assert_eq!(get(&url, &tags, 100).await.0, Ok(Got::Same));
        let asked = served.await.expect("served");
        assert!(!asked[0].contains("if-none-match") && asked[1].contains("if-none-match: \"v1\""));
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
        let busy = || answer("503 Service Unavailable", "");
        let (url, served) = server(vec![busy(), busy(), answer("200 OK", "late")]).await;
        assert_eq!(get(&url, &Tags::default(), 100).await.1, b"late");
        assert_eq!(served.await.expect("served").len(), 3);
        let (url, _served) = server(vec![answer("404 Not Found", "")]).await;
        assert!(get(&url, &Tags::default(), 100).await.0.is_err_and(|why| why.contains("404")));
        let (url, _served) = server(vec![busy(), busy(), busy()]).await;
        assert!(get(&url, &Tags::default(), 100).await.0.is_err_and(|why| why.contains("3 tries")));
    }

    #[tokio::test]
    async fn what_is_too_large_or_ends_early_is_refused() {
        let (url, _served) = server(vec![answer("200 OK", "much too long")]).await;
        assert!(get(&url, &Tags::default(), 5).await.0.is_err_and(|why| why.contains("larger")));
        let open = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nno length given".to_owned();
        let (url, _served) = server(vec![open]).await;
        assert!(get(&url, &Tags::default(), 5).await.0.is_err_and(|why| why.contains("larger")));
        let cut = || "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_owned();
        let (url, _served) = server(vec![cut(), cut(), cut()]).await;
        assert!(get(&url, &Tags::default(), 1_000).await.0.is_err());
    }
}
