//! SNMP v2c notifications over UDP: each becomes an event. An inform is answered when it is on the disk.

use std::{net::SocketAddr, sync::Arc};

use super::{
    Shutdown, offer_once,
    udp::{BUFFER_BYTES, Datagrams, NO_ROOM, Tally},
};
use crate::{Format, RawLine, Result, Stream, snmp};

const NO_TRAP: &str = "no SNMP v2c notification";
const WRONG_COMMUNITY: &str = "wrong community";

/// Says whether a community is the one that is taken.
pub type Knows = dyn Fn(&[u8]) -> bool + Send + Sync;

/// A bound listener for traps and informs.
pub struct Traps {
    datagrams: Datagrams,
    source: String,
    knows: Arc<Knows>,
}

impl Traps {
    /// Binds to `address`.
    pub async fn bind(address: SocketAddr, source: &str, knows: Arc<Knows>) -> Result<Traps> {
        let datagrams = Datagrams::bind(address, BUFFER_BYTES).await?;
        Ok(Traps { datagrams, source: source.to_owned(), knows })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.datagrams.local_addr()
    }

    /// Takes datagrams until the end.
    pub async fn run(mut self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let mut tally = Tally::of(&self.source);
        while let Some(batch) = self.datagrams.batch(&mut shutdown).await {
            let (mut lines, mut answers) = (Vec::new(), Vec::new());
            for (bytes, peer) in batch {
                let Ok(notification) = snmp::read(&bytes) else {
                    tally.refuse(NO_TRAP, 1);
                    continue;
                };
                let address = peer.ip().to_string();
                if !(self.knows)(&notification.community) {
                    stream.turned_away(&self.source, &address, WRONG_COMMUNITY)?;
                    continue;
                }
                let (bytes, format) = (notification.line(), Format::Json);
                lines.push(RawLine { bytes, format, peer: Some(address), part: 0 });
                answers.extend(notification.answer.map(|answer| (answer, peer)));
            }
            tally.lose(NO_ROOM, self.datagrams.dropped());
            tally.settle(&stream).await?;
            // Who is not answered sends its inform again; a trap is refused, and counted.
            if !lines.is_empty() && offer_once(&stream, &self.source, lines).await {
                self.datagrams.answer(&answers).await;
            }
        }
        tally.lose(NO_ROOM, self.datagrams.dropped());
        tally.settle_all(&stream).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::{net::UdpSocket, sync::watch};

    use super::*;
    use crate::Limits;

    #[tokio::test]
    async fn an_inform_is_answered_when_it_is_stored_and_strangers_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let traps = Traps::bind(local, "snmp", Arc::new(|c: &[u8]| c == b"good")).await.unwrap();
        let address = traps.local_addr().unwrap();
        let (end, shutdown) = watch::channel(false);
        let server = tokio::spawn(traps.run(stream.clone(), shutdown));
        let inform = |community: &[u8; 4]| {
            let mut bytes = vec![0x30, 44, 2, 1, 1, 4, 4];
            bytes.extend(community);
            bytes.extend([0xa6, 33, 2, 1, 9, 2, 1, 0, 2, 1, 0, 0x30, 22, 0x30, 20, 6, 10, 0x2b, 6]);
            bytes.extend([1, 6, 3, 1, 1, 4, 1, 0, 6, 6, 0x2b, 6, 1, 4, 1, 9]);
            bytes[1] = (bytes.len() - 2) as u8;
            bytes[12] = (bytes.len() - 13) as u8;
            bytes
        };
        let socket = UdpSocket::bind(local).await.unwrap();
        for bytes in [&inform(b"evil"), &inform(b"good"), &b"rubbish".to_vec()] {
            socket.send_to(bytes, address).await.unwrap();
        }
        let mut answer = [0; 200];
        let (size, _) = socket.recv_from(&mut answer).await.unwrap();
        let mut wanted = inform(b"good");
        wanted[11] = 0xa2;
        assert_eq!(answer[..size], wanted);
        assert_eq!(stream.counters()["snmp"].stored, 1);
        end.send(true).unwrap();
        server.await.unwrap().unwrap();
        let counters = &stream.counters()["snmp"];
        assert_eq!((counters.refused[NO_TRAP], counters.stored), (1, 1));
        assert_eq!(counters.turned_away["127.0.0.1: wrong community"], 1);
    }
}
