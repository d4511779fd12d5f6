//! Syslog over UDP, TCP and TLS: both framings of RFC 6587, told apart per message, so that octet
//! counting as RFC 5425 asks for it over TLS and lines may even mix on one connection.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Shutdown, ingest,
    net::{Door, Guest},
    now, pause, room,
    udp::{BUFFER_BYTES, Datagrams, NO_ROOM, Tally},
};
use crate::{
    Format, Framing, LineFramer, Piece, RawLine, Result, Stream,
    sequence::{Gaps, LATENESS_MICROS, syslog_number},
};

/// Why a line is lost that its sender numbered and that never came.
const GAP: &str = "sequenceId missing";

/// A bound UDP listener.
#[derive(Debug)]
pub struct SyslogUdp {
    datagrams: Datagrams,
    source: String,
}

impl SyslogUdp {
    /// Binds to `address`.
    pub async fn bind(address: SocketAddr, source: &str) -> Result<SyslogUdp> {
        SyslogUdp::with_buffer(address, source, BUFFER_BYTES).await
    }

    async fn with_buffer(address: SocketAddr, source: &str, bytes: usize) -> Result<SyslogUdp> {
        let datagrams = Datagrams::bind(address, bytes).await?;
        Ok(SyslogUdp { datagrams, source: source.to_owned() })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.datagrams.local_addr()
    }

    /// Takes datagrams until the end; those of one moment share a batch.
    pub async fn run(mut self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let (mut missing, mut tally) = (Missing::new(), Tally::of(&self.source));
        while let Some(batch) = self.datagrams.batch(&mut shutdown).await {
            let time = now();
            missing.see(batch.iter().map(|(bytes, peer)| (bytes.as_slice(), *peer)), time);
            let dropped = self.datagrams.dropped();
            tally.lose(NO_ROOM, dropped);
            tally.lose(GAP, missing.due(dropped, time));
            tally.settle(&stream).await?;
            if batch.is_empty() {
                continue;
            }
            let lines = batch.into_iter().map(|(bytes, peer)| line(bytes, peer.ip(), 0)).collect();
            if let Err(e) = ingest(&stream, &self.source, lines).await {
                tracing::error!(source = self.source, error = %e, "udp lines not stored");
                pause(Duration::from_millis(200), &mut shutdown).await;
            }
        }
        let dropped = self.datagrams.dropped();
        tally.lose(NO_ROOM, dropped);
        tally.lose(GAP, missing.rest(dropped));
        tally.settle_all(&stream).await
    }
}

/// Numbers that never came over UDP. What the kernel dropped at the same time explains them first, so
/// that a line is lost once and not twice.
#[derive(Debug)]
struct Missing {
    gaps: Gaps,
    /// Dropped by the kernel, with the time, and not held against a gap yet.
    dropped: u64,
    since: i64,
}

impl Missing {
    fn new() -> Missing {
        Missing { gaps: Gaps::syslog(), dropped: 0, since: 0 }
    }

    fn see<'a>(
        &mut self,
        batch: impl Iterator<Item = (&'a [u8], SocketAddr)>,
        time: model::Timestamp,
    ) {
        for (bytes, peer) in batch {
            if let Some((host, number)) = syslog_number(bytes) {
                self.gaps.see(&key(&peer.ip().to_string(), host), number, 1, time);
            }
        }
    }

    fn due(&mut self, dropped: u64, time: model::Timestamp) -> u64 {
        // A gap is confirmed a while after the drop that made it, and never long after.
        if dropped > 0 {
            (self.dropped, self.since) = (self.dropped + dropped, time.0);
        } else if time.0 - self.since > 4 * LATENESS_MICROS {
            self.dropped = 0;
        }
        let missing = self.gaps.due(time);
        self.unexplained(missing)
    }

    fn rest(&mut self, dropped: u64) -> u64 {
        self.dropped += dropped;
        let missing = self.gaps.all();
        self.unexplained(missing)
    }

    fn unexplained(&mut self, missing: u64) -> u64 {
        let explained = missing.min(self.dropped);
        self.dropped -= explained;
        missing - explained
    }
}

fn key(peer: &str, host: &[u8]) -> Vec<u8> {
    [peer.as_bytes(), b"\0", host].concat()
}

/// A TCP or TLS listener.
#[derive(Debug)]
pub struct SyslogTcp(Door);

impl SyslogTcp {
    /// Takes them at this door.
    pub fn at(door: Door) -> SyslogTcp {
        SyslogTcp(door)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local_addr()
    }

    /// Takes lines until the end.
    pub async fn run(self, stream: Stream, shutdown: Shutdown) -> Result<()> {
        let numbers = Numbers::default();
        self.0.run(stream, shutdown, move |guest| serve(guest, numbers.clone())).await
    }
}

/// The numbers of all senders of a listener: one that connects again goes on with them.
#[derive(Clone, Debug)]
pub(super) struct Numbers(Arc<Mutex<Gaps>>);

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers(Arc::new(Mutex::new(Gaps::syslog())))
    }
}

impl Numbers {
    /// Looks at the lines of one sender and counts what is missing for good. Over TCP nothing
    /// overtakes, but a sender may use two connections.
    pub async fn see(&self, guest: &Guest, lines: &[RawLine]) -> Result<()> {
        let missing = {
            let mut gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for line in lines.iter().filter(|line| line.part <= 1) {
                if let Some((host, number)) = syslog_number(&line.bytes) {
                    gaps.see(&key(&guest.peer, host), number, 1, now());
                }
            }
            gaps.due(now())
        };
        let mut tally = Tally::of(&guest.source);
        tally.lose(GAP, missing);
        tally.settle_all(&guest.stream).await
    }
}

async fn serve(mut guest: Guest, numbers: Numbers) -> Result<()> {
    let mut framer = LineFramer::new(Framing::Syslog);
    let mut buffer = vec![0; 65_536];
    let mut shutdown = guest.shutdown.clone();
    // Not reading while the spool is full is the back-pressure the sender feels.
    while room(&guest.stream, &mut shutdown).await {
        let Some(got) = guest.read(&mut buffer).await else { break };
        let pieces = framer.push(&buffer[..got]);
        take(&guest, &numbers, pieces).await?;
    }
    take(&guest, &numbers, framer.end().into_iter().collect()).await
}

async fn take(guest: &Guest, numbers: &Numbers, pieces: Vec<Piece>) -> Result<()> {
    if pieces.is_empty() {
        return Ok(());
    }
    let lines: Vec<RawLine> =
        pieces.into_iter().map(|p| line(p.bytes, &guest.peer, p.part)).collect();
    numbers.see(guest, &lines).await?;
    ingest(&guest.stream, &guest.source, lines).await.map(drop)
}

fn line(bytes: Vec<u8>, peer: impl ToString, part: u16) -> RawLine {
    RawLine { bytes, format: Format::Syslog, peer: Some(peer.to_string()), part }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpStream, UdpSocket},
        sync::watch,
    };

    use super::*;
    use crate::{Limits, intake::TcpLimits};

    #[tokio::test]
    async fn udp_and_tcp_lines_arrive_and_the_end_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let udp = SyslogUdp::bind(local, "udp").await.unwrap();
        let door = Door::bind(local, "tcp", TcpLimits::default()).await.unwrap();
        let tcp = SyslogTcp::at(door);
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
