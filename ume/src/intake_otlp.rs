//! OTLP on listeners of its own: gRPC and HTTP at each of them, told apart by what a request says it is.
//!
//! A request is answered when its records are on the disk. While the spool is full it is told to come later. Of
//! what Ume does not take (traces, profiles) it says so as OTLP asks: `UNIMPLEMENTED`, or 404.
//!
//! Limits: so many bodies are read at once and so many worked on; a body is there within [`BODY_MAX`], the first
//! request of a connection within [`FIRST_MAX`].

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::{self, HeaderName, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use stream::{
    Stream,
    intake::{Door, Guest, Otlp, Shutdown, Taken},
    otlp::{Answer, Coding, Problem, REQUEST_BYTES_MAX, Signal, frame, unframe},
};
use tokio::sync::Semaphore;

use crate::intake_upload::{Gate, next};

/// A body is there within this time.
const BODY_MAX: Duration = Duration::from_secs(30);
/// A connection that has asked for nothing within this time is closed.
const FIRST_MAX: Duration = Duration::from_secs(60);
/// How long requests under way may take once the server ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bodies that are read at once, and those that are worked on: what a request becomes stands in memory three times.
const BODIES_MAX: usize = 16;
const WORK_MAX: usize = 1;
/// Bytes of a body that are read at most, be they only read over.
const OVER_BYTES_MAX: usize = 64 << 20;
/// Requests at once on a connection.
const STREAMS_MAX: u32 = 32;
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// Seconds after which a sender may try again while the spool is full.
const RETRY_AFTER_S: u32 = 15;

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_ACCEPTS: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Listeners of one source.
pub struct OtlpListener {
    doors: Vec<Door>,
    source: String,
    gate: Gate,
}

impl OtlpListener {
    /// Takes requests for a source at these doors.
    pub fn at(doors: Vec<Door>, source: &str, gate: Gate) -> OtlpListener {
        OtlpListener { doors, source: source.to_owned(), gate }
    }

    /// Takes requests until the end.
    pub async fn run(self, stream: Stream, shutdown: Shutdown) -> stream::Result<()> {
        let desk = Arc::new(Desk {
            otlp: Otlp::new(stream.clone(), &self.source),
            gate: self.gate,
            bodies: Semaphore::new(BODIES_MAX),
            work: Semaphore::new(WORK_MAX),
        });
        let mut tasks = tokio::task::JoinSet::new();
        for door in self.doors {
            let desk = desk.clone();
            tasks.spawn(
                door.run(stream.clone(), shutdown.clone(), move |guest| serve(guest, desk.clone())),
            );
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| stream::Error::Worker(error.to_string()))??;
        }
        Ok(())
    }
}

/// What all requests of a source share.
struct Desk {
    otlp: Otlp,
    gate: Gate,
    bodies: Semaphore,
    work: Semaphore,
}

async fn serve(guest: Guest, desk: Arc<Desk>) -> stream::Result<()> {
    let Guest { wire, peer, mut shutdown, .. } = guest;
    let has_asked = Arc::new(AtomicBool::new(false));
    let (asked, who) = (has_asked.clone(), peer.clone());
    let answering = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        let (desk, peer) = (desk.clone(), who.clone());
        async move { Ok::<_, Infallible>(answer(request, &desk, &peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(FIRST_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .keep_alive_interval(FIRST_MAX)
        .keep_alive_timeout(BODY_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(wire), answering));
    let patience = async {
        tokio::time::sleep(FIRST_MAX).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(peer, %error, "OTLP connection ended");
            }
            return Ok(());
        }
        () = patience => return Ok(()),
        _ = shutdown.wait_for(|end| *end) => {}
    }
    // Who is being served hears that it was stored, and need not send it again.
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(FAREWELL, connection).await;
    Ok(())
}

/// How a sender hears.
#[derive(Clone, Copy)]
enum Voice {
    Grpc,
    Http(Coding),
}

async fn answer(request: Request<Incoming>, desk: &Desk, peer: &str) -> Response<Reply> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_grpc = kind == GRPC || kind.starts_with("application/grpc+proto");
    let coding = Coding::of(kind);
    let voice = match is_grpc {
        true => Voice::Grpc,
        false => Voice::Http(coding.unwrap_or(Coding::Json)),
    };
    let path = request.uri().path();
    let signal = match voice {
        Voice::Grpc => Signal::of_method(path),
        Voice::Http(_) => Signal::of_path(path),
    };
    let Some(signal) = signal else {
        return voice.no(
            StatusCode::NOT_FOUND,
            12,
            "logs and metrics are taken here, nothing else",
        );
    };
    if request.method() != Method::POST {
        let mut no = voice.no(StatusCode::METHOD_NOT_ALLOWED, 12, "OTLP is sent by POST");
        no.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return no;
    }
    if let Err((status, reason)) = desk.gate.admit(&request, peer) {
        tracing::warn!(peer, reason, "OTLP refused");
        if let Err(error) = desk.otlp.turned_away(peer, reason) {
            tracing::error!(peer, %error, "a refused request was not counted");
        }
        let code = if status == StatusCode::UNAUTHORIZED { 16 } else { 7 };
        return voice.no(status, code, reason);
    }
    match take(request, desk, voice, coding, signal, peer).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(peer, %error, "OTLP was not stored");
            voice.later("not stored, send it again")
        }
    }
}

async fn take(
    request: Request<Incoming>,
    desk: &Desk,
    voice: Voice,
    coding: Option<Coding>,
    signal: Signal,
    peer: &str,
) -> stream::Result<Response<Reply>> {
    let encoding = match voice {
        Voice::Grpc => request.headers().get(GRPC_ENCODING),
        Voice::Http(_) => request.headers().get(header::CONTENT_ENCODING),
    };
    let encoding = encoding.map_or(Some("identity"), |encoding| encoding.to_str().ok());
    let is_zipped = match encoding.map(str::to_ascii_lowercase).as_deref() {
        Some("identity" | "") => false,
        Some("gzip") => true,
        _ => return unsupported(desk, voice, "compressed by gzip or not at all").await,
    };
    if coding.is_none() && !matches!(voice, Voice::Grpc) {
        let what = "OTLP is application/x-protobuf or application/json";
        return unsupported(desk, voice, what).await;
    }
    // Who waits here holds no memory but what the kernel does.
    let _body = desk.bodies.acquire().await;
    let body = match tokio::time::timeout(BODY_MAX, read(request.into_body())).await {
        Ok(Read::Whole(body)) => body,
        Ok(Read::TooLarge) => return voice.taken(desk.otlp.too_large().await?, signal),
        Ok(Read::Broken) => {
            return Ok(voice.no(StatusCode::BAD_REQUEST, 1, "the body broke off"));
        }
        Err(_) => {
            return Ok(voice.no(StatusCode::REQUEST_TIMEOUT, 4, "the body took too long"));
        }
    };
    let _work = desk.work.acquire().await;
    let taken = match voice {
        Voice::Http(coding) => desk.otlp.take(signal, coding, body, is_zipped, peer).await?,
        Voice::Grpc => match unframe(&body) {
            Ok((_, true)) if !is_zipped => {
                desk.otlp.unreadable("a compressed message without grpc-encoding").await?
            }
            Ok((message, is_packed)) => {
                let message = message.to_vec();
                drop(body);
                desk.otlp.take(signal, Coding::Protobuf, message, is_packed, peer).await?
            }
            Err(_) => desk.otlp.unreadable("the body is no gRPC message").await?,
        },
    };
    voice.taken(taken, signal)
}

async fn unsupported(
    desk: &Desk,
    voice: Voice,
    what: &'static str,
) -> stream::Result<Response<Reply>> {
    desk.otlp.unreadable(what).await?;
    let mut no = voice.no(StatusCode::UNSUPPORTED_MEDIA_TYPE, 12, what);
    if matches!(voice, Voice::Grpc) {
        no.headers_mut().insert(GRPC_ACCEPTS, HeaderValue::from_static("identity,gzip"));
    }
    Ok(no)
}

enum Read {
    Whole(Vec<u8>),
    TooLarge,
    Broken,
}

/// The whole body, unless it is too large: then not more than was allowed stands in memory, and the rest is read
/// over up to [`OVER_BYTES_MAX`], for many senders hear nothing before they have sent everything.
async fn read(mut body: Incoming) -> Read {
    // gRPC has five bytes around its message.
    let most = REQUEST_BYTES_MAX + 5;
    if body.size_hint().lower() > OVER_BYTES_MAX as u64 {
        return Read::TooLarge;
    }
    let (mut whole, mut over) = (Vec::new(), 0);
    while let Some(bytes) = next(&mut body).await {
        let Ok(bytes) = bytes else { return Read::Broken };
        if over > 0 || whole.len() + bytes.len() > most {
            over += whole.len() + bytes.len();
            whole = Vec::new();
        } else {
            whole.extend_from_slice(&bytes);
        }
        if over > OVER_BYTES_MAX {
            return Read::TooLarge;
        }
    }
    if over > 0 { Read::TooLarge } else { Read::Whole(whole) }
}

impl Voice {
    fn taken(self, taken: Taken, signal: Signal) -> stream::Result<Response<Reply>> {
        Ok(match taken {
            Taken::Stored(refused) => {
                let answer = Answer::of(refused.iter().map(|(reason, count)| (*reason, *count)));
                self.yes(&answer, signal)
            }
            Taken::Unreadable(why) => self.no(StatusCode::BAD_REQUEST, 3, why),
            Taken::TooLarge => {
                self.no(StatusCode::PAYLOAD_TOO_LARGE, 8, "too large: send smaller batches")
            }
            Taken::Full => self.later("the spool is full"),
        })
    }

    fn yes(self, answer: &Answer, signal: Signal) -> Response<Reply> {
        match self {
            Voice::Http(coding) => {
                let body = answer.body(signal, coding);
                reply(StatusCode::OK, coding.name(), Reply::of(body))
            }
            Voice::Grpc => {
                let mut trailers = HeaderMap::new();
                trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
                let data = frame(&answer.body(signal, Coding::Protobuf));
                let body = Reply { data: Some(data.into()), trailers: Some(trailers) };
                reply(StatusCode::OK, GRPC, body)
            }
        }
    }

    fn no(self, status: StatusCode, code: u32, text: &'static str) -> Response<Reply> {
        self.problem(status, Problem { code, text, retry_s: None })
    }

    fn later(self, text: &'static str) -> Response<Reply> {
        let retry_s = Some(RETRY_AFTER_S);
        let mut no =
            self.problem(StatusCode::SERVICE_UNAVAILABLE, Problem { code: 14, text, retry_s });
        if matches!(self, Voice::Http(_)) {
            no.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        no
    }

    fn problem(self, status: StatusCode, problem: Problem) -> Response<Reply> {
        let coding = match self {
            Voice::Http(coding) => coding,
            Voice::Grpc => return grpc_problem(problem),
        };
        let mut no = reply(status, coding.name(), Reply::of(problem.body(coding)));
        if status == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Bearer");
            no.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
        }
        no
    }
}

/// gRPC says what is wrong in headers and has no body then.
fn grpc_problem(problem: Problem) -> Response<Reply> {
    let mut no = reply(StatusCode::OK, GRPC, Reply::default());
    let headers = no.headers_mut();
    headers.insert(GRPC_STATUS, problem.code.into());
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(problem.text));
    if problem.retry_s.is_some() {
        use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
        let details = BASE64_STANDARD_NO_PAD.encode(problem.status());
        if let Ok(details) = HeaderValue::from_str(&details) {
            headers.insert(GRPC_DETAILS, details);
        }
    }
    no
}

fn reply(status: StatusCode, kind: &'static str, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A body of one piece, and what gRPC says behind it.
#[derive(Default)]
struct Reply {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Reply {
    fn of(body: Vec<u8>) -> Reply {
        let data = (!body.is_empty()).then(|| body.into());
        Reply { data, trailers: None }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.trailers {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64)),
        }
    }
}
