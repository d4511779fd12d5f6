//! A listener, plain or TLS: handshakes beside the accepting loop, limits in all and per address, and
//! connections that can be cut; and the server on it, which waits for nobody's headers for long.
//!
//! A client has [`Limits::handshake_max`] for its first byte (and for TLS before it), then
//! [`Limits::header_max`] for the head of each request, also on a connection it keeps open; what a
//! whole request may take is the router's own limit.

use std::{
    collections::HashMap,
    io,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, Sleep},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::fingerprint;

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections_max: usize,
    pub per_address_max: usize,
    pub handshake_max: Duration,
    /// The head of a request is there within this time.
    pub header_max: Duration,
    /// A connection on which nothing moves for so long is closed.
    pub idle_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 2_048,
            per_address_max: 128,
            handshake_max: Duration::from_secs(10),
            header_max: Duration::from_secs(20),
            idle_max: Duration::from_secs(120),
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// SHA-256 of the client's certificate, verified against the house CA.
    pub fingerprint: Option<String>,
}

/// Open connections, so that those of a revoked certificate can be cut.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

#[derive(Debug)]
struct Open {
    address: std::net::IpAddr,
    fingerprint: Option<String>,
    socket: Option<std::net::TcpStream>,
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, address: SocketAddr, per_address_max: usize) -> Option<u64> {
        let address = address.ip();
        let mut open = self.open();
        if open.values().filter(|o| o.address == address).count() >= per_address_max {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(id, Open { address, fingerprint: None, socket: None });
        Some(id)
    }

    /// Certificates in use at this moment.
    pub fn fingerprints(&self) -> Vec<String> {
        self.open().values().filter_map(|o| o.fingerprint.clone()).collect()
    }

    /// Cuts every connection with this certificate; returns how many.
    pub fn cut(&self, fingerprint: &str) -> usize {
        let open = self.open();
        let theirs = open.values().filter(|o| o.fingerprint.as_deref() == Some(fingerprint));
        theirs
            .filter_map(|o| o.socket.as_ref())
            .filter(|socket| socket.shutdown(Shutdown::Both).is_ok())
            .count()
    }
}

/// Takes a connection out of the list when it ends.
struct Entry {
    connections: Arc<Connections>,
    id: u64,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}

/// The listener.
pub struct BoundedListener {
    ready: mpsc::Receiver<(Connection, Peer)>,
    address: SocketAddr,
    limits: Limits,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for BoundedListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl BoundedListener {
    /// Accepts from `listener`; over TLS where there is a configuration.
    pub fn new(
        listener: TcpListener,
        config: Option<Arc<ServerConfig>>,
        connections: Arc<Connections>,
        limits: Limits,
    ) -> io::Result<BoundedListener> {
        let address = listener.local_addr()?;
        let (send, ready) = mpsc::channel(16);
        let accepting = tokio::spawn(accept(listener, config, connections, limits, send));
        Ok(BoundedListener { ready, address, accepting, limits })
    }

    /// Serves HTTP/1.1 and HTTP/2 until `stop`, and then those who are still being served.
    pub async fn serve(mut self, app: Router, stop: impl Future<Output = ()>) {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.header_max);
        server
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX)
            .keep_alive_interval(Some(self.limits.header_max))
            .keep_alive_timeout(self.limits.handshake_max);
        let (server, graceful) = (Arc::new(server), GracefulShutdown::new());
        let mut stop = std::pin::pin!(stop);
        loop {
            let (connection, peer) = tokio::select! {
                accepted = self.ready.recv() => match accepted {
                    Some(accepted) => accepted,
                    None => break,
                },
                () = &mut stop => break,
            };
            let app = app.clone().layer(axum::Extension(ConnectInfo(peer)));
            let (server, watcher) = (server.clone(), graceful.watcher());
            tokio::spawn(async move {
                let service = TowerToHyperService::new(app);
                let served = server.serve_connection(TokioIo::new(connection), service);
                if let Err(error) = watcher.watch(served.into_owned()).await {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }
        graceful.shutdown().await;
    }
}

/// Requests at once on one connection of HTTP/2, and bytes of their heads.
const STREAMS_MAX: u32 = 100;
const HEADER_BYTES_MAX: u32 = 64 << 10;

async fn accept(
    listener: TcpListener,
    config: Option<Arc<ServerConfig>>,
    connections: Arc<Connections>,
    limits: Limits,
    send: mpsc::Sender<(Connection, Peer)>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(id) = connections.admit(address, limits.per_address_max) else {
            tracing::warn!(%address, "connection closed, too many from this address");
            continue;
        };
        let entry = Entry { connections: connections.clone(), id, _slot: slot };
        let (acceptor, send) = (config.clone().map(TlsAcceptor::from), send.clone());
        tokio::spawn(async move {
            if let Some(connection) = shake(acceptor, socket, address, entry, limits).await {
                let _ = send.send(connection).await;
            }
        });
    }
}

async fn shake(
    acceptor: Option<TlsAcceptor>,
    socket: TcpStream,
    address: SocketAddr,
    entry: Entry,
    limits: Limits,
) -> Option<(Connection, Peer)> {
    let _ = socket.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        let stream = Stream::Plain(socket);
        return Some((Connection::new(stream, entry, limits), Peer { address, fingerprint: None }));
    };
    let (socket, twin) = twin(socket)?;
    let stream = match tokio::time::timeout(limits.handshake_max, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "TLS handshake refused");
            return None;
        }
        Err(_) => return None,
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let fingerprint = certificates.and_then(<[_]>::first).map(|c| fingerprint(c));
    if let Some(open) = entry.connections.open().get_mut(&entry.id) {
        (open.fingerprint, open.socket) = (fingerprint.clone(), Some(twin));
    }
    let connection = Connection::new(Stream::Tls(Box::new(stream)), entry, limits);
    Some((connection, Peer { address, fingerprint }))
}

/// A second handle of the socket, to shut it down from outside.
fn twin(socket: TcpStream) -> Option<(TcpStream, std::net::TcpStream)> {
    let socket = socket.into_std().ok()?;
    let twin = socket.try_clone().ok()?;
    Some((TcpStream::from_std(socket).ok()?, twin))
}

impl axum::serve::Listener for BoundedListener {
    type Io = Connection;
    type Addr = Peer;

    async fn accept(&mut self) -> (Connection, Peer) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task ended, which it never does by itself.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.address, fingerprint: None })
    }
}

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, BoundedListener>>
    for Peer
{
    fn connect_info(stream: axum::serve::IncomingStream<'_, BoundedListener>) -> Peer {
        stream.remote_addr().clone()
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Does the same with whichever stream it is.
macro_rules! with {
    ($stream:expr, $name:ident => $act:expr) => {
        match $stream {
            Stream::Plain($name) => $act,
            Stream::Tls($name) => $act,
        }
    };
}

/// One connection after its handshake.
pub struct Connection {
    stream: Stream,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
    _entry: Entry,
}

impl Connection {
    fn new(stream: Stream, entry: Entry, limits: Limits) -> Connection {
        // Until the first byte has come or gone, less patience.
        let idle = Box::pin(tokio::time::sleep(limits.handshake_max));
        Connection { stream, idle, idle_max: limits.idle_max, _entry: entry }
    }

    fn moved(&mut self) {
        self.idle.as_mut().reset(Instant::now() + self.idle_max);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match with!(&mut self.stream, s => Pin::new(s).poll_read(cx, buffer)) {
            Poll::Ready(result) => {
                self.moved();
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match with!(&mut self.stream, s => Pin::new(s).poll_write(cx, bytes)) {
            Poll::Ready(result) => {
                self.moved();
                Poll::Ready(result)
            }
            // Who asks and never reads the answer holds its place no longer than who is silent.
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(&mut self.stream, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(&mut self.stream, s => Pin::new(s).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::{ca::HouseCa, tls};

    const NOW: model::Timestamp = model::Timestamp(1_795_600_000_000_000);

    async fn listener(limits: Limits) -> (BoundedListener, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let ca = HouseCa::open(folder.path(), "host-1", NOW).unwrap();
        let config = tls::agents(tls::Served::new(ca.server(NOW).unwrap()).unwrap(), &ca).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (BoundedListener::new(tcp, Some(config), Arc::default(), limits).unwrap(), folder)
    }

    /// How long the other side keeps the connection.
    async fn kept(mut socket: TcpStream) -> Duration {
        let from = Instant::now();
        let mut byte = [0];
        let end = tokio::time::timeout(Duration::from_secs(20), socket.read(&mut byte)).await;
        assert!(matches!(end, Ok(Ok(0) | Err(_))), "not closed");
        from.elapsed()
    }

    #[tokio::test]
    async fn who_never_shakes_hands_is_closed() {
        let handshake_max = Duration::from_secs(1);
        let (listener, _folder) = listener(Limits { handshake_max, ..Limits::default() }).await;
        let address = listener.local_addr().unwrap().address;
        let time = kept(TcpStream::connect(address).await.unwrap()).await;
        assert!(time >= Duration::from_millis(900), "{time:?}");
    }

    #[tokio::test]
    async fn one_address_holds_only_so_many_connections_and_gets_them_back() {
        let limits = Limits { per_address_max: 2, ..Limits::default() };
        let (listener, _folder) = listener(limits).await;
        let address = listener.local_addr().unwrap().address;
        let held = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        assert!(kept(TcpStream::connect(address).await.unwrap()).await < limits.handshake_max / 2);
        drop(held);
        // Their places are free as soon as the listener has seen the end.
        for _ in 0..100 {
            let socket = TcpStream::connect(address).await.unwrap();
            let mut byte = [0];
            let waits = tokio::time::timeout(Duration::from_millis(200), socket.peek(&mut byte));
            if waits.await.is_err() {
                return;
            }
        }
        panic!("the places were never given back");
    }

    /// A plain server with one page that reads the whole body within a second.
    async fn plain(limits: Limits) -> SocketAddr {
        use axum::routing::post;
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let slow = async |next: axum::middleware::Next, request: axum::extract::Request| {
            let served = tokio::time::timeout(Duration::from_secs(1), next.run(request)).await;
            served.unwrap_or_else(|_| {
                axum::response::IntoResponse::into_response(axum::http::StatusCode::REQUEST_TIMEOUT)
            })
        };
        let app = Router::new().route("/", post(async |body: String| body)).layer(
            axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
                slow(next, request)
            }),
        );
        let listener = BoundedListener::new(tcp, None, Arc::default(), limits).unwrap();
        tokio::spawn(listener.serve(app, std::future::pending()));
        address
    }

    async fn say(socket: &mut TcpStream, text: &str) {
        use tokio::io::AsyncWriteExt;
        socket.write_all(text.as_bytes()).await.unwrap();
    }

    const GOOD: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok";

    async fn answers(address: SocketAddr) -> bool {
        let mut socket = TcpStream::connect(address).await.unwrap();
        say(&mut socket, GOOD).await;
        let mut bytes = [0; 15];
        let read = tokio::time::timeout(Duration::from_secs(5), socket.read_exact(&mut bytes));
        matches!(read.await, Ok(Ok(_))) && &bytes == b"HTTP/1.1 200 OK"
    }

    fn quick() -> Limits {
        Limits {
            handshake_max: Duration::from_secs(1),
            header_max: Duration::from_secs(1),
            idle_max: Duration::from_secs(3),
            ..Limits::default()
        }
    }

    #[tokio::test]
    async fn half_a_head_sent_drop_by_drop_is_cut_off() {
        let address = plain(quick()).await;
        let mut socket = TcpStream::connect(address).await.unwrap();
        say(&mut socket, "POST / HTTP/1.1\r\nHost: x\r\n").await;
        let from = Instant::now();
        let cut = loop {
            use tokio::io::AsyncWriteExt;
            tokio::time::sleep(Duration::from_millis(200)).await;
            if socket.write_all(b"X-A: b\r\n").await.is_err() || from.elapsed().as_secs() > 10 {
                break from.elapsed();
            }
        };
        assert!(cut < Duration::from_secs(4), "{cut:?}");
        // One that is kept open after an answer, and silent, goes too.
        let mut socket = TcpStream::connect(address).await.unwrap();
        say(&mut socket, GOOD).await;
        let mut bytes = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(8), socket.read_to_end(&mut bytes));
        assert!(end.await.is_ok(), "still open");
        assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
        assert!(answers(address).await);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_answered_and_cut_off() {
        let address = plain(quick()).await;
        let mut socket = TcpStream::connect(address).await.unwrap();
        say(&mut socket, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbegun").await;
        let mut bytes = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(8), socket.read_to_end(&mut bytes));
        assert!(end.await.is_ok(), "still open");
        assert!(bytes.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&bytes));
        assert!(answers(address).await);
    }

    #[tokio::test]
    async fn a_thousand_half_open_connections_keep_nobody_else_out() {
        let limits = Limits { per_address_max: 900, connections_max: 2_048, ..quick() };
        let address = plain(limits).await;
        let mut held = Vec::new();
        for _ in 0..1_000 {
            held.push(TcpStream::connect(address).await.unwrap());
        }
        // Another address is served while this one has more than its share.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = socket.connect(address).await.unwrap();
        say(&mut other, GOOD).await;
        let mut bytes = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(5), other.read_exact(&mut bytes));
        assert!(matches!(read.await, Ok(Ok(_))) && &bytes == b"HTTP/1.1 200");
        // And this one, once its silent ones are cut off.
        for socket in held {
            kept(socket).await;
        }
        assert!(answers(address).await);
    }

    #[tokio::test]
    async fn http_2_is_spoken_without_tls_too() {
        let address = plain(Limits::default()).await;
        let mut socket = TcpStream::connect(address).await.unwrap();
        // The preface, and an empty frame of settings (RFC 9113, 3.4); the server's own comes back.
        say(&mut socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        let mut head = [0; 9];
        let read = tokio::time::timeout(Duration::from_secs(5), socket.read_exact(&mut head));
        read.await.unwrap().unwrap();
        assert_eq!((head[3], &head[5..]), (4, &[0; 4][..]), "a frame of settings: {head:?}");
    }
}
