//! Connections of senders over TCP, plain or TLS: how many, from where, who, and who was turned away.
//!
//! Handshakes run beside the accepting loop and end in time. A connection that is not let in is counted
//! per peer under its source; no line was received on it, so `received` does not know it.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::net::sockopt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::{Shutdown, ended, pause};
use crate::{Result, Stream, error::At};

/// Silence after which the peer's kernel is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// Bounds of a TCP listener.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    pub connections_max: usize,
    pub per_address_max: usize,
    /// A connection on which nothing comes for so long is closed.
    pub idle_max: Duration,
    /// A TLS handshake is over within this time.
    pub handshake_max: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        TcpLimits {
            connections_max: 256,
            per_address_max: 64,
            idle_max: Duration::from_secs(600),
            handshake_max: Duration::from_secs(10),
        }
    }
}

/// Says who holds the client's certificate (DER, verified), or why it is not let in.
pub type Admit = dyn Fn(Option<&[u8]>) -> std::result::Result<Option<String>, String> + Send + Sync;

/// TLS of a listener.
#[derive(Clone)]
pub struct Secure {
    pub config: Arc<ServerConfig>,
    pub admit: Arc<Admit>,
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secure")
    }
}

/// Either kind of connection.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Wire for T {}

/// A listener for senders of one source.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    source: String,
    limits: TcpLimits,
    secure: Option<Secure>,
}

/// A connection that was let in.
pub struct Guest {
    pub wire: Box<dyn Wire>,
    /// Its address, and before it the name in its certificate if it showed one.
    pub peer: String,
    pub stream: Stream,
    pub source: String,
    pub shutdown: Shutdown,
    idle_max: Duration,
}

impl Guest {
    /// Reads some bytes; `None` at the end, after too long a silence and when the server ends.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        tokio::select! {
            got = timeout(self.idle_max, self.wire.read(buffer)) => match got {
                Ok(Ok(got @ 1..)) => Some(got),
                _ => None,
            },
            () = ended(&mut self.shutdown) => None,
        }
    }

    /// How long an answer may take to be taken.
    pub fn idle_max(&self) -> Duration {
        self.idle_max
    }
}

impl Door {
    /// Binds to `address`.
    pub async fn bind(address: SocketAddr, source: &str, limits: TcpLimits) -> Result<Door> {
        let listener = TcpListener::bind(address).await.at("bind tcp", &place(address))?;
        Ok(Door { listener, source: source.to_owned(), limits, secure: None })
    }

    /// Speaks TLS from the first byte on.
    pub fn secured(self, secure: Secure) -> Door {
        Door { secure: Some(secure), ..self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Lets connections in until the end, each served by `serve` in a task of its own.
    pub async fn run<F, S>(self, stream: Stream, mut shutdown: Shutdown, serve: F) -> Result<()>
    where
        F: Fn(Guest) -> S + Clone + Send + 'static,
        S: Future<Output = Result<()>> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.limits.connections_max));
        let addresses = Addresses::default();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = ended(&mut shutdown) => return Ok(()),
            };
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!(error = %e, "tcp accept failed");
                    pause(Duration::from_millis(100), &mut shutdown).await;
                    continue;
                }
            };
            let slot = slots.clone().try_acquire_owned().ok();
            let seat = addresses.take(address.ip(), self.limits.per_address_max);
            let (Some(slot), Some(seat)) = (slot, seat) else {
                self.turn_away(&stream, address, "too many connections");
                continue;
            };
            let visit = Visit {
                stream: stream.clone(),
                source: self.source.clone(),
                shutdown: shutdown.clone(),
                limits: self.limits,
                secure: self.secure.clone(),
                address,
            };
            let serve = serve.clone();
            tokio::spawn(async move {
                if let Some(guest) = visit.enter(socket).await {
                    let peer = guest.peer.clone();
                    if let Err(e) = serve(guest).await {
                        tracing::warn!(peer, error = %e, "connection ended");
                    }
                }
                drop((slot, seat));
            });
        }
    }

    fn turn_away(&self, stream: &Stream, address: SocketAddr, reason: &str) {
        turn_away(stream, &self.source, address, reason);
    }
}

fn turn_away(stream: &Stream, source: &str, address: SocketAddr, reason: &str) {
    tracing::warn!(source, %address, reason, "connection turned away");
    if let Err(error) = stream.turned_away(source, &address.ip().to_string(), reason) {
        tracing::error!(source, %error, "a connection turned away was not counted");
    }
}

/// A connection before anyone knows whether it may stay.
struct Visit {
    stream: Stream,
    source: String,
    shutdown: Shutdown,
    limits: TcpLimits,
    secure: Option<Secure>,
    address: SocketAddr,
}

impl Visit {
    async fn enter(self, socket: TcpStream) -> Option<Guest> {
        let _ = socket.set_nodelay(true);
        // A peer that lost its power gives its place back, however long the silence may be.
        let _ = sockopt::set_socket_keepalive(&socket, true);
        let _ = sockopt::set_tcp_keepidle(&socket, KEEPALIVE);
        let ip = self.address.ip();
        let Some(secure) = &self.secure else {
            return Some(self.guest(Box::new(socket), ip.to_string()));
        };
        let acceptor = TlsAcceptor::from(secure.config.clone());
        let wire = match timeout(self.limits.handshake_max, acceptor.accept(socket)).await {
            Ok(Ok(wire)) => wire,
            Ok(Err(error)) => {
                tracing::info!(address = %self.address, %error, "TLS handshake failed");
                self.turn_away("TLS handshake");
                return None;
            }
            Err(_) => {
                self.turn_away("TLS handshake took too long");
                return None;
            }
        };
        let certificates = wire.get_ref().1.peer_certificates();
        let first = certificates.and_then(<[_]>::first).map(|c| c.as_ref());
        match (secure.admit)(first) {
            Ok(name) => {
                let peer = name.map_or_else(|| ip.to_string(), |name| format!("{name}@{ip}"));
                Some(self.guest(Box::new(wire), peer))
            }
            Err(reason) => {
                self.turn_away(&reason);
                None
            }
        }
    }

    fn turn_away(&self, reason: &str) {
        turn_away(&self.stream, &self.source, self.address, reason);
    }

    fn guest(&self, wire: Box<dyn Wire>, peer: String) -> Guest {
        Guest {
            wire,
            peer,
            stream: self.stream.clone(),
            source: self.source.clone(),
            shutdown: self.shutdown.clone(),
            idle_max: self.limits.idle_max,
        }
    }
}

/// How many connections each address holds.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Addresses {
    fn take(&self, address: IpAddr, most: usize) -> Option<Seat> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { addresses: self.clone(), address })
    }
}

/// One connection of an address, given back when it ends.
struct Seat {
    addresses: Addresses,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

pub(super) fn place(address: SocketAddr) -> PathBuf {
    Path::new(&address.to_string()).to_path_buf()
}
