//! Lines with numbers: how a line reaches another stream exactly once.
//!
//! The sender's number of a line is its offset in the sender's spool. The receiver writes the number
//! into the frame of the line itself, so it is durable exactly when the line is: after a crash at any
//! point the receiver knows from its spool what it has, and takes of a repeated batch only the rest.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::{
    Stream,
    entry::{Tag, decode, encode},
    error::{Error, Result},
    event::{MAX_LINE_BYTES, RawLine},
};

/// A line as its sender numbered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    pub sequence: u64,
    pub source: String,
    pub line: RawLine,
}

/// What became of a numbered batch. Everything up to `taken_to` is durable here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceAck {
    pub stored: u64,
    /// Lines that were here already.
    pub known: u64,
    /// Empty or over-long lines, counted as refused.
    pub refused: u64,
    pub taken_to: u64,
}

/// Lines that wait to be sent on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    pub lines: Vec<Numbered>,
    /// Where to [`Stream::advance`] when all of them were taken.
    pub next: u64,
    pub damaged_bytes: u64,
}

impl Stream {
    /// Stores the lines of `origin` that are not here yet. The sequence must rise within a batch; what
    /// is at or below the highest known is dropped. A full spool is an error and stores nothing, so
    /// that the sender keeps its lines.
    pub fn ingest_numbered(
        &self,
        origin: &str,
        lines: &[Numbered],
        now: Timestamp,
    ) -> Result<SequenceAck> {
        let mut state = self.state();
        let mut high = state.origins.get(origin).copied().unwrap_or(0);
        let max = self.inner.limits.max_sources;
        if state.origins.len() >= max && !state.origins.contains_key(origin) {
            return Err(Error::TooManySources { name: origin.to_owned(), max });
        }
        let mut ack = SequenceAck::default();
        let mut payloads = Vec::with_capacity(lines.len());
        let mut counts: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for numbered in lines {
            self.check_source(&state, &numbered.source)?;
            if numbered.sequence <= high {
                ack.known += 1;
                continue;
            }
            high = numbered.sequence;
            let bytes = &numbered.line.bytes;
            let count = counts.entry(&numbered.source).or_default();
            if bytes.is_empty() || bytes.len() > MAX_LINE_BYTES {
                count.2 += 1;
                ack.refused += 1;
                continue;
            }
            (count.0, count.1) = (count.0 + 1, count.1 + bytes.len() as u64);
            let tag = Tag::Number(origin.to_owned(), numbered.sequence);
            payloads.push(encode(&numbered.line, &numbered.source, now, &tag));
        }
        state.spool.append(&payloads)?;
        for (source, (stored, bytes, refused)) in counts {
            let counters = state.sources.entry(source.to_owned()).or_default();
            counters.store(stored, bytes);
            if refused > 0 {
                counters.refuse("empty or too long", refused);
            }
            ack.stored += stored;
        }
        state.origins.insert(origin.to_owned(), high);
        if ack.refused > 0 {
            self.save_counters(&state)?;
        }
        ack.taken_to = high;
        Ok(ack)
    }

    /// Highest sequence taken of `origin`; 0 before the first.
    pub fn taken_to(&self, origin: &str) -> u64 {
        self.state().origins.get(origin).copied().unwrap_or(0)
    }

    /// The oldest lines that were not sent on yet, at most about `max_bytes`. For a stream that sends
    /// on instead of archiving: it must never be flushed.
    pub fn outgoing(&self, max_bytes: usize) -> Result<Outgoing> {
        let (snapshot, from, end) = {
            let state = self.state();
            (state.spool.snapshot(), state.spool.cursor(), state.spool.end())
        };
        let batch = snapshot.read(from, end, max_bytes)?;
        let numbered = batch.payloads.iter().zip(&batch.ends).filter_map(|(payload, end)| {
            let frame = decode(payload)?;
            Some(Numbered { sequence: *end, source: frame.source, line: frame.line })
        });
        let lines = numbered.collect();
        Ok(Outgoing { lines, next: batch.next, damaged_bytes: batch.damaged_bytes })
    }

    /// Forgets what was sent on, up to `to`.
    pub fn advance(&self, to: u64) -> Result<()> {
        let mut state = self.state();
        // Counts first: what is consumed can no longer be counted from the spool.
        self.save_counters(&state)?;
        self.save_ids(&mut state)?;
        state.spool.advance(to)
    }

    /// Offset after the newest line.
    pub fn end(&self) -> u64 {
        self.state().spool.end()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Limits, Query};

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn open(folder: &Path) -> Stream {
        Stream::open(folder, Limits::default()).unwrap()
    }

    fn send(from: &Stream, to: &Stream) -> SequenceAck {
        let out = from.outgoing(1 << 20).unwrap();
        to.ingest_numbered("a", &out.lines, NOW).unwrap()
    }

    #[test]
    fn a_repeated_batch_is_taken_once_even_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let sender = open(&here);
        let lines = |n: u64| (0..n).map(|i| RawLine::new(format!("line {i}"))).collect();
        sender.ingest("x", lines(5), NOW).unwrap();
        let receiver = open(&there);
        assert_eq!(send(&sender, &receiver).stored, 5);
        // The answer was lost, both restart, and two more lines came.
        drop((sender, receiver));
        let (sender, receiver) = (open(&here), open(&there));
        sender.ingest("x", lines(2), NOW).unwrap();
        let ack = send(&sender, &receiver);
        assert_eq!((ack.stored, ack.known, ack.taken_to), (2, 5, sender.end()));
        sender.advance(ack.taken_to).unwrap();
        assert!(sender.outgoing(1 << 20).unwrap().lines.is_empty());
        receiver.flush(NOW).unwrap();
        // What is archived is still known, by the saved counters.
        drop(receiver);
        let receiver = open(&there);
        assert_eq!(receiver.taken_to("a"), sender.end());
        let all = receiver.search(&Query { limit: 100, ..Query::default() }).unwrap();
        assert_eq!(all.events.len(), 7);
        assert_eq!(receiver.counters()["x"].stored, 7);
    }

    #[test]
    fn of_a_batch_torn_by_a_crash_only_the_missing_lines_are_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let (sender, receiver) = (open(&here), open(&there));
        sender.ingest("x", (0..9).map(|i| RawLine::new(format!("l{i}"))).collect(), NOW).unwrap();
        send(&sender, &receiver);
        drop(receiver);
        // The tail of the batch never reached the disk, nor did the counters.
        let mut spool = std::fs::read_dir(there.join("spool")).unwrap().flatten().map(|e| e.path());
        let segment = spool.find(|p| p.extension().is_some_and(|e| e == "spool")).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
        file.set_len(file.metadata().unwrap().len() - 50).unwrap();
        let receiver = open(&there);
        let ack = send(&sender, &receiver);
        assert!(ack.known > 0 && ack.stored > 0);
        assert_eq!(ack.known + ack.stored, 9);
        assert_eq!(receiver.counters()["x"].stored, 9);
    }

    #[test]
    fn a_full_spool_takes_nothing_and_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::SpoolLimits { max_bytes: 100, segment_bytes: 100 };
        let small = Limits { spool, ..Limits::default() };
        let receiver = Stream::open(folder.path(), small).unwrap();
        let line = Numbered { sequence: 7, source: "x".into(), line: RawLine::new(vec![b'a'; 90]) };
        let refused = receiver.ingest_numbered("a", std::slice::from_ref(&line), NOW);
        assert!(matches!(refused, Err(Error::SpoolFull { .. })));
        assert_eq!(receiver.taken_to("a"), 0);
        assert!(receiver.counters().is_empty());
    }
}
