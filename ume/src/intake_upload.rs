//! `POST /upload` on a listener of its own: systemd-journal-upload.
//!
//! Its body never ends by itself, so it has neither a size nor a time; what it has is a limit for each
//! entry, for the head of the request and for what waits in memory. The sender can show a certificate,
//! a token (as bearer, or as the password of its URL) and where it comes from; what the configuration
//! names must all be right.

use std::{convert::Infallible, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest, Sha256};
use stream::{
    Stream,
    intake::{Door, Guest, Shutdown, Upload, Uploads},
};

/// The head of a request is there within this time.
const HEADER_MAX: Duration = Duration::from_secs(20);
/// So long without a byte, and what waits is stored.
const QUIET: Duration = Duration::from_millis(100);
/// What the sender calls its body.
const MEDIA_TYPE: &str = "application/vnd.fdo.journal";

/// What a sender must show beside its certificate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    pub token_sha256: Option<[u8; 32]>,
    /// Networks it may come from; any if there are none.
    pub allow: Vec<edge::transport::Network>,
}

/// A listener for journals.
pub struct JournalUpload {
    door: Door,
    source: String,
    gate: Arc<Gate>,
}

impl JournalUpload {
    /// Takes them for a source at this door.
    pub fn at(door: Door, source: &str, gate: Gate) -> JournalUpload {
        JournalUpload { door, source: source.to_owned(), gate: Arc::new(gate) }
    }

    /// Takes journals until the end.
    pub async fn run(self, stream: Stream, shutdown: Shutdown) -> stream::Result<()> {
        let (uploads, gate) = (Uploads::new(stream.clone(), &self.source), self.gate);
        let serve = move |guest| serve(guest, uploads.clone(), gate.clone());
        self.door.run(stream, shutdown, serve).await
    }
}

async fn serve(guest: Guest, uploads: Uploads, gate: Arc<Gate>) -> stream::Result<()> {
    let Guest { wire, peer, mut shutdown, .. } = guest;
    let answering = service_fn(|request| {
        let (uploads, gate, peer) = (uploads.clone(), gate.clone(), peer.clone());
        async move { Ok::<_, Infallible>(answer(request, &uploads, &gate, &peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_MAX)
        .serve_connection(TokioIo::new(wire), answering);
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(peer, %error, "upload connection ended");
        },
        _ = shutdown.wait_for(|end| *end) => {}
    }
    Ok(())
}

async fn answer(
    request: Request<Incoming>,
    uploads: &Uploads,
    gate: &Gate,
    peer: &str,
) -> Response<String> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let (status, text) = if request.uri().path() != "/upload" {
        (StatusCode::NOT_FOUND, "journals are taken at /upload".to_owned())
    } else if request.method() != hyper::Method::POST {
        (StatusCode::METHOD_NOT_ALLOWED, "journals are taken by POST".to_owned())
    } else if let Err((status, reason)) = gate.admit(&request, peer) {
        tracing::warn!(peer, reason, "upload refused");
        if let Err(error) = uploads.turned_away(peer, reason) {
            tracing::error!(peer, %error, "a refused upload was not counted");
        }
        (status, reason.to_owned())
    } else if kind.is_none_or(|kind| !kind.starts_with(MEDIA_TYPE)) {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("a journal is {MEDIA_TYPE}"))
    } else {
        match take(request.into_body(), uploads.begin(peer)).await {
            Ok(()) => (StatusCode::ACCEPTED, "OK.".to_owned()),
            Err(stream::Error::Format { reason, .. }) => {
                (StatusCode::BAD_REQUEST, reason.to_owned())
            }
            Err(error) => {
                tracing::error!(peer, %error, "a journal was not stored to its end");
                (StatusCode::SERVICE_UNAVAILABLE, "not stored to its end, send it again".to_owned())
            }
        }
    };
    let mut response = Response::new(text + "\n");
    *response.status_mut() = status;
    response
}

/// Stores what comes while it comes; what is whole when the body breaks off is stored too.
async fn take(mut body: Incoming, mut upload: Upload) -> stream::Result<()> {
    loop {
        let bytes = match tokio::time::timeout(QUIET, next(&mut body)).await {
            Ok(bytes) => bytes,
            Err(_) if upload.waits() => {
                upload.store().await?;
                continue;
            }
            Err(_) => next(&mut body).await,
        };
        match bytes {
            Some(Ok(bytes)) => upload.take(&bytes).await?,
            Some(Err(error)) => {
                tracing::info!(%error, "a journal broke off");
                return upload.store().await;
            }
            None => return upload.finish().await,
        }
    }
}

/// The next bytes of a body.
pub async fn next(body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(bytes)) => return Some(Ok(bytes)),
            // Trailers say nothing here.
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

impl Gate {
    /// Whether a request may be read, or what to answer and count.
    pub fn admit<T>(
        &self,
        request: &Request<T>,
        peer: &str,
    ) -> Result<(), (StatusCode, &'static str)> {
        // Behind the name of a certificate.
        let address = peer.rsplit('@').next().and_then(|address| address.parse::<IpAddr>().ok());
        let near = |address| self.allow.iter().any(|network| network.holds(address));
        if !self.allow.is_empty() && !address.is_some_and(near) {
            return Err((StatusCode::FORBIDDEN, "not from this address"));
        }
        let Some(wanted) = self.token_sha256 else { return Ok(()) };
        let given = request.headers().get(header::AUTHORIZATION);
        let token = given.and_then(|given| token(given.to_str().ok()?));
        let hash: [u8; 32] = Sha256::digest(token.unwrap_or_default()).into();
        let same = bool::from(subtle::ConstantTimeEq::ct_eq(&hash[..], &wanted[..]));
        if same { Ok(()) } else { Err((StatusCode::UNAUTHORIZED, "wrong token")) }
    }
}

/// A bearer token, or the password that stands in the URL of a sender that knows no other way.
fn token(given: &str) -> Option<String> {
    let (scheme, value) = given.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    let decoded = BASE64_STANDARD.decode(value.trim()).ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(authorization: &str) -> Request<()> {
        let mut request = Request::new(());
        if !authorization.is_empty() {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        request
    }

    #[test]
    fn whatever_the_configuration_names_must_be_right() {
        let hash: [u8; 32] = Sha256::digest("secret").into();
        let here = vec!["192.0.2.0/24".parse().unwrap()];
        let both = Gate { token_sha256: Some(hash), allow: here.clone() };
        let basic = format!("Basic {}", BASE64_STANDARD.encode("journal:secret"));
        for good in ["Bearer secret", "bearer secret", &basic] {
            assert!(both.admit(&request(good), "web@192.0.2.7").is_ok(), "{good}");
            assert_eq!(both.admit(&request(good), "198.51.100.1").unwrap_err().0, 403);
        }
        for bad in ["", "Bearer", "Bearer other", "Basic !", "Basic c2VjcmV0", "Digest secret"] {
            assert_eq!(both.admit(&request(bad), "192.0.2.7").unwrap_err().0, 401, "{bad}");
        }
        assert!(Gate { token_sha256: None, allow: here }.admit(&request(""), "192.0.2.7").is_ok());
    }
}
