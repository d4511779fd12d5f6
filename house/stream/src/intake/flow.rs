//! NetFlow and IPFIX over UDP: each flow becomes an event.
//!
//! What is missing is known from the numbers of the exporters: in flows for v5 and IPFIX, in datagrams
//! for v9. What the kernel dropped is among it as soon as the next datagram comes, so it is said in the
//! log and not counted a second time.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    Shutdown, ingest, now,
    udp::{BUFFER_BYTES, Datagrams, Tally},
};
use crate::{
    Format, RawLine, Result, Stream,
    flow::{Decoded, Decoder},
    sequence::Gaps,
};

const MISSING_FLOWS: &str = "flow sequence missing";
const MISSING_DATAGRAMS: &str = "datagram of flows missing";
const UNREAD: &str = "flow without template";
const NO_FLOWS: &str = "no flow datagram";
const STRANGER: &str = "not from this address";

/// Says whether an exporter may send.
pub type MaySend = dyn Fn(IpAddr) -> bool + Send + Sync;

/// A bound listener for flows.
pub struct Flows {
    datagrams: Datagrams,
    source: String,
    may_send: Arc<MaySend>,
}

impl Flows {
    /// Binds to `address`.
    pub async fn bind(address: SocketAddr, source: &str, may_send: Arc<MaySend>) -> Result<Flows> {
        let datagrams = Datagrams::bind(address, BUFFER_BYTES).await?;
        Ok(Flows { datagrams, source: source.to_owned(), may_send })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.datagrams.local_addr()
    }

    /// Takes datagrams until the end.
    pub async fn run(mut self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let (mut reader, mut tally) = (Reader::default(), Tally::of(&self.source));
        while let Some(batch) = self.datagrams.batch(&mut shutdown).await {
            let mut lines = Vec::new();
            for (bytes, peer) in batch {
                if (self.may_send)(peer.ip()) {
                    lines.extend(reader.read(peer.ip(), &bytes, &mut tally));
                } else {
                    stream.turned_away(&self.source, &peer.ip().to_string(), STRANGER)?;
                }
            }
            let dropped = self.datagrams.dropped();
            if dropped > 0 {
                tracing::warn!(source = self.source, dropped, "no room in the kernel's buffer");
            }
            reader.missing(&mut tally);
            tally.settle(&stream).await?;
            if !lines.is_empty()
                && let Err(error) = ingest(&stream, &self.source, lines).await
            {
                tracing::error!(source = self.source, %error, "flows not stored");
            }
        }
        reader.missing_at_the_end(&mut tally);
        tally.settle_all(&stream).await
    }
}

#[derive(Debug)]
struct Reader {
    decoder: Decoder,
    flows: Gaps,
    datagrams: Gaps,
}

impl Default for Reader {
    fn default() -> Reader {
        let gaps = || Gaps::between(0, u32::MAX.into());
        Reader { decoder: Decoder::default(), flows: gaps(), datagrams: gaps() }
    }
}

impl Reader {
    fn read(&mut self, peer: IpAddr, bytes: &[u8], tally: &mut Tally) -> Vec<RawLine> {
        let decoded = match self.decoder.read(peer, bytes) {
            Ok(decoded) => decoded,
            Err(reason) => {
                tracing::debug!(%peer, reason, "a datagram is none of flows");
                tally.refuse(NO_FLOWS, 1);
                return Vec::new();
            }
        };
        tally.refuse(UNREAD, decoded.unread);
        self.number(peer, &decoded);
        let peer = peer.to_string();
        let line =
            |bytes| RawLine { bytes, format: Format::Json, peer: Some(peer.clone()), part: 0 };
        decoded.flows.iter().map(|flow| line(flow.line(decoded.version))).collect()
    }

    fn number(&mut self, peer: IpAddr, decoded: &Decoded) {
        let gaps = if decoded.version == 9 { &mut self.datagrams } else { &mut self.flows };
        let key = format!("{peer} {} {}", decoded.version, decoded.domain);
        match decoded.moves {
            Some(count) => {
                gaps.see(key.as_bytes(), decoded.sequence.into(), count.into(), now());
            }
            None => gaps.forget(key.as_bytes()),
        }
    }

    fn missing(&mut self, tally: &mut Tally) {
        tally.lose(MISSING_FLOWS, self.flows.due(now()));
        tally.lose(MISSING_DATAGRAMS, self.datagrams.due(now()));
    }

    fn missing_at_the_end(&mut self, tally: &mut Tally) {
        tally.lose(MISSING_FLOWS, self.flows.all());
        tally.lose(MISSING_DATAGRAMS, self.datagrams.all());
    }
}
