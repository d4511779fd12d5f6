//! A TLS listener for axum: handshakes beside the accepting loop, limits, and connections that can be
//! cut.

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
    /// A connection on which nothing moves for so long is closed.
    pub idle_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 2_048,
            per_address_max: 128,
            handshake_max: Duration::from_secs(10),
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
pub struct TlsListener {
    ready: mpsc::Receiver<(Connection, Peer)>,
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl TlsListener {
    /// Accepts from `listener` with the configuration.
    pub fn new(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        connections: Arc<Connections>,
        limits: Limits,
    ) -> io::Result<TlsListener> {
        let address = listener.local_addr()?;
        let (send, ready) = mpsc::channel(16);
        let accepting = tokio::spawn(accept(listener, config, connections, limits, send));
        Ok(TlsListener { ready, address, accepting })
    }
}

async fn accept(
    listener: TcpListener,
    config: Arc<ServerConfig>,
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
        let (acceptor, send) = (TlsAcceptor::from(config.clone()), send.clone());
        tokio::spawn(async move {
            if let Some(connection) = shake(acceptor, socket, address, entry, limits).await {
                let _ = send.send(connection).await;
            }
        });
    }
}

async fn shake(
    acceptor: TlsAcceptor,
    socket: TcpStream,
    address: SocketAddr,
    entry: Entry,
    limits: Limits,
) -> Option<(Connection, Peer)> {
    let _ = socket.set_nodelay(true);
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
    let idle = Box::pin(tokio::time::sleep(limits.idle_max));
    let connection = Connection { stream, idle, idle_max: limits.idle_max, _entry: entry };
    Some((connection, Peer { address, fingerprint }))
}

/// A second handle of the socket, to shut it down from outside.
fn twin(socket: TcpStream) -> Option<(TcpStream, std::net::TcpStream)> {
    let socket = socket.into_std().ok()?;
    let twin = socket.try_clone().ok()?;
    Some((TcpStream::from_std(socket).ok()?, twin))
}

impl axum::serve::Listener for TlsListener {
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

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: axum::serve::IncomingStream<'_, TlsListener>) -> Peer {
        stream.remote_addr().clone()
    }
}

/// One connection after its handshake.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
    _entry: Entry,
}

impl Connection {
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
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
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
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.moved();
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::{ca::HouseCa, tls};

    const NOW: model::Timestamp = model::Timestamp(1_795_600_000_000_000);

    async fn listener(limits: Limits) -> (TlsListener, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let ca = HouseCa::open(folder.path(), "host-1", NOW).unwrap();
        let config = tls::agents(tls::Served::new(ca.server(NOW).unwrap()).unwrap(), &ca).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (TlsListener::new(tcp, config, Arc::default(), limits).unwrap(), folder)
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
}
