//! Syslog over UDP and TCP (RFC 6587, both framings). TLS and RELP are not here yet.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    time::timeout,
};

use super::{Shutdown, ended, ingest, pause, room};
use crate::{Format, Framing, LineFramer, Piece, RawLine, Result, Stream, error::At};

/// Room that the kernel is asked for to hold datagrams while others are being synced to disk; it gives
/// no more than net.core.rmem_max. The usual 208 KiB are full after some 250 datagrams.
const UDP_BUFFER_BYTES: usize = 4 << 20;

/// Bounds of a TCP listener.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    pub connections_max: usize,
    pub idle_max: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        TcpLimits { connections_max: 256, idle_max: Duration::from_secs(600) }
    }
}

/// A bound UDP listener.
#[derive(Debug)]
pub struct SyslogUdp {
    socket: UdpSocket,
    source: String,
}

impl SyslogUdp {
    /// Binds to `address`.
    pub async fn bind(address: SocketAddr, source: &str) -> Result<SyslogUdp> {
        let socket = UdpSocket::bind(address).await.at("bind udp", &place(address))?;
        if let Err(error) =
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, UDP_BUFFER_BYTES)
        {
            tracing::warn!(%error, %address, "the receive buffer keeps its size");
        }
        Ok(SyslogUdp { socket, source: source.to_owned() })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Takes datagrams until the end; those of one moment share a batch.
    pub async fn run(self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            let first = tokio::select! {
                first = self.socket.recv_from(&mut buffer) => first,
                () = ended(&mut shutdown) => return Ok(()),
            };
            let mut lines = Vec::new();
            match first {
                Ok((size, peer)) => lines.push(line(buffer[..size].to_vec(), peer, 0)),
                Err(e) => tracing::warn!(error = %e, "udp receive failed"),
            }
            while lines.len() < 2000
                && let Ok((size, peer)) = self.socket.try_recv_from(&mut buffer)
            {
                lines.push(line(buffer[..size].to_vec(), peer, 0));
            }
            if let Err(e) = ingest(&stream, &self.source, lines).await {
                tracing::error!(source = self.source, error = %e, "udp lines not stored");
                pause(Duration::from_millis(200), &mut shutdown).await;
            }
        }
    }
}

/// A bound TCP listener.
#[derive(Debug)]
pub struct SyslogTcp {
    listener: TcpListener,
    source: String,
    limits: TcpLimits,
}

impl SyslogTcp {
    /// Binds to `address`.
    pub async fn bind(address: SocketAddr, source: &str, limits: TcpLimits) -> Result<SyslogTcp> {
        let listener = TcpListener::bind(address).await.at("bind tcp", &place(address))?;
        Ok(SyslogTcp { listener, source: source.to_owned(), limits })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Accepts connections until the end; above the limit they are closed at once.
    pub async fn run(self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let slots = Arc::new(Semaphore::new(self.limits.connections_max));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = ended(&mut shutdown) => return Ok(()),
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!(error = %e, "tcp accept failed");
                    pause(Duration::from_millis(100), &mut shutdown).await;
                    continue;
                }
            };
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                tracing::warn!(%peer, "tcp connection closed, too many are open");
                continue;
            };
            let (stream, source, shutdown) =
                (stream.clone(), self.source.clone(), shutdown.clone());
            let idle_max = self.limits.idle_max;
            tokio::spawn(async move {
                if let Err(e) = serve(socket, peer, &stream, &source, idle_max, shutdown).await {
                    tracing::warn!(%peer, error = %e, "tcp connection ended");
                }
                drop(slot);
            });
        }
    }
}

async fn serve(
    mut socket: TcpStream,
    peer: SocketAddr,
    stream: &Stream,
    source: &str,
    idle_max: Duration,
    mut shutdown: Shutdown,
) -> Result<()> {
    let mut framer = LineFramer::new(Framing::Syslog);
    let mut buffer = vec![0; 65_536];
    // Not reading while the spool is full is the back-pressure the sender feels.
    while room(stream, &mut shutdown).await {
        let got = tokio::select! {
            got = timeout(idle_max, socket.read(&mut buffer)) => got,
            () = ended(&mut shutdown) => break,
        };
        let Ok(Ok(got @ 1..)) = got else { break };
        let pieces = framer.push(&buffer[..got]);
        if !pieces.is_empty() {
            ingest(stream, source, lines(pieces, peer)).await?;
        }
    }
    let rest: Vec<Piece> = framer.end().into_iter().collect();
    if !rest.is_empty() {
        ingest(stream, source, lines(rest, peer)).await?;
    }
    Ok(())
}

fn lines(pieces: Vec<Piece>, peer: SocketAddr) -> Vec<RawLine> {
    pieces.into_iter().map(|p| line(p.bytes, peer, p.part)).collect()
}

fn line(bytes: Vec<u8>, peer: SocketAddr, part: u16) -> RawLine {
    RawLine { bytes, format: Format::Syslog, peer: Some(peer.ip().to_string()), part }
}

fn place(address: SocketAddr) -> std::path::PathBuf {
    Path::new(&address.to_string()).to_path_buf()
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, sync::watch};

    use super::*;
    use crate::Limits;

    #[tokio::test]
    async fn udp_and_tcp_lines_arrive_and_the_end_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let udp = SyslogUdp::bind(local, "udp").await.unwrap();
        let tcp = SyslogTcp::bind(local, "tcp", TcpLimits::default()).await.unwrap();
        let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        let (end, shutdown) = watch::channel(false);
        let udp = tokio::spawn(udp.run(stream.clone(), shutdown.clone()));
        let tcp = tokio::spawn(tcp.run(stream.clone(), shutdown));
        let sender = UdpSocket::bind(local).await.unwrap();
        sender.send_to(b"<13>1 - h app - - - one", udp_at).await.unwrap();
        let mut socket = TcpStream::connect(tcp_at).await.unwrap();
        socket.write_all(b"<13>two\n7 <13>333<13>four").await.unwrap();
        socket.shutdown().await.unwrap();
        for _ in 0..200 {
            let stored: u64 = stream.counters().values().map(|c| c.stored).sum();
            if stored == 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let counters = stream.counters();
        assert_eq!((counters["udp"].stored, counters["tcp"].stored), (1, 3));
        end.send(true).unwrap();
        udp.await.unwrap().unwrap();
        tcp.await.unwrap().unwrap();
    }
}
