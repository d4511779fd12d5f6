//! NetFlow and IPFIX over UDP: each flow becomes an event.
//!
//! What is missing is known from the numbers of the exporters: in flows for v5 and IPFIX, in datagrams
//! for v9. What the kernel dropped is among it as soon as the next datagram comes, so it is said in the
//! log and not counted a second time.

use std::{
    collections::HashMap,
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
    /// Of IPFIX exporters; the decoder bounds how many there are.
    last: HashMap<String, Last>,
}

/// The newest datagram of an IPFIX exporter. Its number should be that of its first record, but some
/// exporters (softflowd) give that of the record behind its last, or leave records of options out. A
/// step that fits either reading is no gap; `place` is where the datagram then stands.
#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: u32,
    place: u32,
    records: u32,
    flows: u32,
}

impl Last {
    fn first(sequence: u32, records: u32, flows: u32) -> Last {
        Last { sequence, place: sequence, records, flows }
    }

    /// Where the next datagram stands; one that comes late stands behind this one.
    fn next(self, sequence: u32, records: u32, flows: u32) -> Last {
        let step = sequence.wrapping_sub(self.sequence);
        let fits = [self.records, self.flows, records, flows].contains(&step);
        let place = self.place.wrapping_add(if fits { self.records } else { step });
        Last { sequence, place, records, flows }
    }
}

impl Default for Reader {
    fn default() -> Reader {
        let gaps = || Gaps::between(0, u32::MAX.into());
        let (decoder, last) = (Decoder::default(), HashMap::new());
        Reader { decoder, flows: gaps(), datagrams: gaps(), last }
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
        let key = format!("{peer} {} {}", decoded.version, decoded.domain);
        let Some(records) = decoded.moves else {
            self.last.remove(&key);
            return self.flows.forget(key.as_bytes());
        };
        let gaps = if decoded.version == 9 { &mut self.datagrams } else { &mut self.flows };
        let mut number = decoded.sequence;
        if decoded.version == 10 {
            let flows = u32::try_from(decoded.flows.len()).unwrap_or(records);
            let fresh = match self.last.get(&key) {
                Some(last) => last.next(number, records, flows),
                None => Last::first(number, records, flows),
            };
            number = fresh.place;
            let known = self.last.entry(key.clone()).or_insert(fresh);
            if fresh.place.wrapping_sub(known.place) < 1 << 31 {
                *known = fresh;
            }
        }
        gaps.see(key.as_bytes(), number.into(), records.into(), now());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(version: u16, datagrams: &[(u32, u32)]) -> u64 {
        let mut reader = Reader::default();
        for (sequence, count) in datagrams {
            let (sequence, moves) = (*sequence, Some(*count));
            let decoded = Decoded { version, sequence, moves, ..Decoded::default() };
            reader.number(IpAddr::from([192, 0, 2, 1]), &decoded);
        }
        reader.flows.all() + reader.datagrams.all()
    }

    #[test]
    fn numbers_before_and_behind_the_records_are_both_understood() {
        // As RFC 7011 wants it, also late, also with a gap and round the corner.
        assert_eq!(missing(10, &[(10, 5), (15, 3), (18, 1)]), 0);
        assert_eq!(missing(10, &[(10, 5), (18, 1), (15, 3), (19, 2)]), 0);
        assert_eq!(missing(10, &[(10, 5), (22, 1), (23, 1)]), 7);
        assert_eq!(missing(10, &[(u32::MAX - 1, 4), (2, 3), (5, 1)]), 0);
        // As softflowd writes it: what is sent so far, this datagram included.
        assert_eq!(missing(10, &[(24, 24), (56, 32), (88, 32), (101, 13), (102, 1)]), 0);
        // v5 counts flows, v9 datagrams.
        assert_eq!(missing(5, &[(0, 29), (29, 29), (87, 14)]), 29);
        assert_eq!(missing(9, &[(1, 1), (2, 1), (5, 1)]), 2);
    }
}
