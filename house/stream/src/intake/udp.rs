//! Datagrams, and those that the kernel had no room for.
//!
//! The kernel says with each datagram how many of this socket it had dropped before it
//! (`SO_RXQ_OVFL`). What was dropped after the last one stands in `/proc/net/udp` only; that is read
//! when nothing comes any more. Both are the same counter, so none is counted twice.

use std::{
    collections::BTreeMap,
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use nix::{
    cmsg_space,
    sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
        sockopt::{RcvBuf, RxqOvfl},
    },
};
use tokio::{
    io::Interest,
    net::UdpSocket,
    time::{Instant, timeout},
};

use super::{Shutdown, blocking, ended, net::place};
use crate::{Result, Stream, error::At};

/// Room that the kernel is asked for to hold datagrams while others are being synced to disk; it gives
/// no more than net.core.rmem_max. The usual 208 KiB are full after some 250 datagrams.
pub(super) const BUFFER_BYTES: usize = 4 << 20;
/// The largest datagram there can be.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Datagrams of one moment that share a batch.
const BATCH_MAX: usize = 2000;
/// How long nothing comes until the tail is looked at.
const QUIET: Duration = Duration::from_secs(1);
/// Why they are lost.
pub(super) const NO_ROOM: &str = "no room in the kernel's buffer";

/// A bound socket that counts what it never got.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    /// The kernel's counter as it was seen last.
    seen: u32,
    /// Not counted yet.
    dropped: u64,
    buffer: Vec<u8>,
    /// Whether something came since the tail was looked at.
    moved: bool,
}

impl Datagrams {
    pub async fn bind(address: SocketAddr, buffer_bytes: usize) -> Result<Datagrams> {
        let socket = UdpSocket::bind(address).await.at("bind udp", &place(address))?;
        if let Err(error) = setsockopt(&socket, RcvBuf, &buffer_bytes) {
            tracing::warn!(%error, %address, "the receive buffer keeps its size");
        }
        if let Err(error) = setsockopt(&socket, RxqOvfl, &1) {
            tracing::warn!(%error, %address, "datagrams that the kernel drops are counted late");
        }
        let buffer = vec![0; DATAGRAM_BYTES_MAX];
        Ok(Datagrams { socket, seen: 0, dropped: 0, buffer, moved: true })
    }

    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// What came at this moment; nothing after a quiet second, `None` at the end.
    pub async fn batch(&mut self, shutdown: &mut Shutdown) -> Option<Vec<(Vec<u8>, SocketAddr)>> {
        tokio::select! {
            ready = timeout(QUIET, self.socket.readable()) => if ready.is_err() {
                self.look_at_the_tail().await;
                return Some(Vec::new());
            },
            () = ended(shutdown) => {
                // What the kernel holds already was received.
                let rest = self.drain();
                self.moved = true;
                self.look_at_the_tail().await;
                return (!rest.is_empty()).then_some(rest);
            }
        }
        let batch = self.drain();
        self.moved |= !batch.is_empty();
        Some(batch)
    }

    /// Sends what was asked for; what cannot be sent is asked for again.
    pub async fn answer(&self, answers: &[(Vec<u8>, SocketAddr)]) {
        for (bytes, peer) in answers {
            if let Err(error) = self.socket.send_to(bytes, peer).await {
                tracing::debug!(%peer, %error, "not answered");
            }
        }
    }

    fn drain(&mut self) -> Vec<(Vec<u8>, SocketAddr)> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            match self.receive() {
                Ok(datagram) => batch.push(datagram),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => {
                    tracing::warn!(error = %e, "udp receive failed");
                    break;
                }
            }
        }
        batch
    }

    /// How many datagrams the kernel dropped since the last call.
    pub fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn receive(&mut self) -> io::Result<(Vec<u8>, SocketAddr)> {
        let (socket, buffer) = (&self.socket, &mut self.buffer);
        let (bytes, peer, counter) = socket.try_io(Interest::READABLE, || {
            let mut space = cmsg_space!(u32);
            let mut parts = [IoSliceMut::new(buffer)];
            let (descriptor, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            let got = recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut space), flags)?;
            let mut said = got.cmsgs()?.filter_map(|message| match message {
                ControlMessageOwned::RxqOvfl(count) => Some(count),
                _ => None,
            });
            let counter = said.next();
            let peer = got.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
            Ok((got.bytes, peer, counter))
        })?;
        let datagram = self.buffer[..bytes].to_vec();
        counter.into_iter().for_each(|counter| self.count(counter));
        Ok((datagram, peer))
    }

    /// The counter goes round, and what is read from the tail may be ahead of what is still queued.
    fn count(&mut self, counter: u32) {
        let ahead = counter.wrapping_sub(self.seen);
        if ahead < 1 << 31 {
            self.dropped += u64::from(ahead);
            self.seen = counter;
        }
    }

    async fn look_at_the_tail(&mut self) {
        if !std::mem::take(&mut self.moved) {
            return;
        }
        let Ok(stat) = rustix::fs::fstat(self.socket.as_fd()) else { return };
        let six = self.local_addr().is_some_and(|a| a.is_ipv6());
        let path = if six { "/proc/net/udp6" } else { "/proc/net/udp" };
        let table = blocking(move || Ok(std::fs::read_to_string(path).unwrap_or_default())).await;
        if let Some(drops) = table.ok().and_then(|table| drops_of(&table, stat.st_ino)) {
            self.count(drops);
        }
    }
}

/// The last column of the socket's line.
fn drops_of(table: &str, inode: u64) -> Option<u32> {
    let mut lines = table.lines().skip(1).map(|line| line.split_ascii_whitespace());
    lines.find_map(|mut words| {
        let found = words.nth(9)?.parse::<u64>().ok()? == inode;
        found.then(|| words.next_back()?.parse().ok())?
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(four) = storage.as_sockaddr_in() {
        return Some(SocketAddr::from((four.ip(), four.port())));
    }
    let six = storage.as_sockaddr_in6()?;
    Some(SocketAddr::from((six.ip().to_canonical(), six.port())))
}

/// What a socket lost or refused, written at most once a second: a flood must not be made worse by
/// counting it.
#[derive(Debug)]
pub(super) struct Tally {
    source: String,
    lost: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    saved: Instant,
}

impl Tally {
    pub fn of(source: &str) -> Tally {
        let (lost, refused, saved) = (BTreeMap::new(), BTreeMap::new(), Instant::now());
        Tally { source: source.to_owned(), lost, refused, saved }
    }

    pub fn lose(&mut self, cause: &'static str, lines: u64) {
        if lines > 0 {
            *self.lost.entry(cause).or_default() += lines;
        }
    }

    pub fn refuse(&mut self, reason: &'static str, lines: u64) {
        if lines > 0 {
            *self.refused.entry(reason).or_default() += lines;
        }
    }

    /// Counts what waits, if it is time.
    pub async fn settle(&mut self, stream: &Stream) -> Result<()> {
        if self.saved.elapsed() < QUIET { Ok(()) } else { self.settle_all(stream).await }
    }

    /// Counts what waits.
    pub async fn settle_all(&mut self, stream: &Stream) -> Result<()> {
        self.saved = Instant::now();
        let (lost, refused) = (std::mem::take(&mut self.lost), std::mem::take(&mut self.refused));
        if lost.is_empty() && refused.is_empty() {
            return Ok(());
        }
        tracing::warn!(source = self.source, ?lost, ?refused, "not everything was stored");
        let (stream, source) = (stream.clone(), self.source.clone());
        blocking(move || {
            lost.iter().try_for_each(|(cause, lines)| stream.lost(&source, cause, *lines))?;
            refused.iter().try_for_each(|(reason, lines)| stream.refused(&source, reason, *lines))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_of_a_socket_stand_behind_its_inode() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
            2413: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 41 2 0000000000000000 0         \n \
            2414: 0100007F:1F91 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 42 2 0000000000000000 17        \n";
        assert_eq!((drops_of(table, 42), drops_of(table, 41)), (Some(17), Some(0)));
        assert_eq!((drops_of(table, 2), drops_of("", 1), drops_of("\nx y", 1)), (None, None, None));
    }
}
