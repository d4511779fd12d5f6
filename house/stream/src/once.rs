//! Lines that bear an id of their sender: a repetition is known, counted and not stored again.
//!
//! A sender that was cut off sends again what was not answered. Two ids tell a repetition: the `sequenceId` of an RFC
//! 5424 message (the whole message must be the same: a sender that begins anew numbers other messages alike), and the
//! idempotency key of a batch (again with the whole batch). The id stands in the frame of the line itself, so it is
//! durable exactly when the line is: of a batch that a crash tore, only the missing lines are taken again.
//!
//! Limits: the newest [`IDS_OF_SOURCE_MAX`] ids of a source and [`IDS_MAX`] of all are known. More than a sender has
//! on its way is repeated by none.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    entry::{Tag, decode},
    error::Result,
    event::{Format, RawLine},
    files::{read_json, write_json},
    sequence::syslog_number,
    spool::Snapshot,
};

/// Ids of one source: some thirty connections with the window that RELP senders have.
const IDS_OF_SOURCE_MAX: usize = 4096;
const IDS_MAX: usize = 32_768;
/// Reason under which a repetition is counted.
pub const REPEATED: &str = "repeated";
const REPLAY_BYTES: usize = 4 << 20;

/// The id of one line: of the message or batch, and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineId {
    pub(crate) of: u128,
    pub(crate) at: u32,
}

/// What a sender said by which a repetition is told.
pub(crate) enum Said<'a> {
    /// Nothing beyond the lines.
    Lines,
    /// This key for the whole batch.
    Key(&'a str),
}

/// The id of a message that its sender numbered.
pub(crate) fn of_message(line: &RawLine) -> Option<u128> {
    // A line that came over no network is read by us, and once.
    let is_sent = line.format == Format::Syslog && line.peer.is_some();
    (is_sent && syslog_number(&line.bytes).is_some()).then(|| hash(&[b"message", &line.bytes]))
}

/// The id of a batch that its sender gave a key.
pub(crate) fn of_batch<'a>(key: &str, lines: impl Iterator<Item = &'a RawLine>) -> u128 {
    let mut sum = begun(&[b"batch", key.as_bytes()]);
    for line in lines {
        sum.update((line.bytes.len() as u64).to_le_bytes());
        sum.update(&line.bytes);
    }
    shortened(sum)
}

fn hash(parts: &[&[u8]]) -> u128 {
    shortened(begun(parts))
}

fn begun(parts: &[&[u8]]) -> Sha256 {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_le_bytes());
        sum.update(part);
    }
    sum
}

fn shortened(sum: Sha256) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sum.finalize()[..16]);
    u128::from_le_bytes(bytes)
}

/// The newest ids of a source, with how many lines of each are stored.
#[derive(Debug, Default)]
struct Window {
    taken: HashMap<u128, u32>,
    order: VecDeque<u128>,
}

impl Window {
    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.taken.remove(&oldest);
        }
    }
}

/// The ids of all sources.
#[derive(Debug, Default)]
pub(crate) struct Once {
    sources: BTreeMap<String, Window>,
    total: usize,
    /// Something came since it was saved.
    is_changed: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    /// Spool offset up to which the ids are known.
    to: u64,
    sources: BTreeMap<String, Vec<(String, u32)>>,
}

impl Once {
    /// How many lines of an id are stored.
    pub(crate) fn taken(&self, source: &str, of: u128) -> u32 {
        let window = self.sources.get(source);
        window.and_then(|window| window.taken.get(&of)).copied().unwrap_or(0)
    }

    /// A line with this id is stored.
    pub(crate) fn take(&mut self, source: &str, id: LineId) {
        self.put(source, id.of, id.at.saturating_add(1));
        self.is_changed = true;
    }

    fn put(&mut self, source: &str, of: u128, lines: u32) {
        if !self.sources.contains_key(source) {
            self.sources.insert(source.to_owned(), Window::default());
        }
        let Some(window) = self.sources.get_mut(source) else { return };
        if let Some(known) = window.taken.get_mut(&of) {
            *known = lines.max(*known);
            return;
        }
        window.taken.insert(of, lines);
        window.order.push_back(of);
        self.total += 1;
        if window.order.len() > IDS_OF_SOURCE_MAX {
            window.forget_oldest();
            self.total -= 1;
        }
        // Whoever has the most gives way, so that a flood of one source costs no other its ids.
        while self.total > IDS_MAX {
            let largest = self.sources.values_mut().max_by_key(|window| window.order.len());
            largest.into_iter().for_each(Window::forget_oldest);
            self.total -= 1;
        }
    }

    /// What was saved, and what the spool got since.
    pub(crate) fn open(path: &Path, spool: &Snapshot, end: u64) -> Result<Once> {
        let saved = read_json::<Saved>(path)?.unwrap_or_default();
        let (mut once, mut at) = (Once::default(), saved.to);
        for (source, ids) in saved.sources {
            for (of, lines) in ids {
                if let Ok(of) = u128::from_str_radix(&of, 16) {
                    once.put(&source, of, lines);
                }
            }
        }
        while at < end {
            let batch = spool.read(at, end, REPLAY_BYTES)?;
            if batch.next <= at {
                break;
            }
            for frame in batch.payloads.iter().filter_map(|payload| decode(payload)) {
                if let Tag::Id(id) = frame.tag {
                    once.take(&frame.source, id);
                }
            }
            at = batch.next;
        }
        Ok(once)
    }

    /// Saves the ids of everything up to `to`, before the spool forgets it.
    pub(crate) fn save(&mut self, path: &Path, to: u64) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let ids = |window: &Window| {
            let ids = window.order.iter().filter_map(|of| Some((of, window.taken.get(of)?)));
            ids.map(|(of, lines)| (format!("{of:032x}"), *lines)).collect()
        };
        let sources = self.sources.iter().map(|(source, window)| (source.clone(), ids(window)));
        write_json(path, &Saved { to, sources: sources.collect() })?;
        self.is_changed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::Timestamp;

    use super::*;
    use crate::{Limits, Stream};

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn open(folder: &Path) -> Stream {
        Stream::open(folder, Limits::default()).unwrap()
    }

    fn numbered(n: usize) -> RawLine {
        let text = format!("<13>1 - h app - - [meta sequenceId=\"{n}\"] line {n}");
        RawLine { peer: Some("192.0.2.1".into()), ..RawLine::with_format(text, Format::Syslog) }
    }

    #[test]
    fn a_numbered_message_is_stored_once_also_after_it_was_archived_and_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        let lines: Vec<RawLine> = (1..6).map(numbered).collect();
        assert_eq!(stream.offer("s", &lines, NOW).unwrap().stored, 5);
        for archived in [false, true] {
            if archived {
                stream.flush(NOW).unwrap();
            }
            let again = stream.offer("s", &lines[2..], NOW).unwrap();
            assert_eq!((again.stored, again.refused[REPEATED]), (0, 3));
        }
        drop(stream);
        let stream = open(folder.path());
        let more: Vec<RawLine> = (4..9).map(numbered).collect();
        let ack = stream.offer("s", &more, NOW).unwrap();
        assert_eq!((ack.stored, ack.refused[REPEATED]), (3, 2));
        // Another source, another message with the number of an old one, and lines without a number.
        assert_eq!(stream.offer("t", &lines, NOW).unwrap().stored, 5);
        let mut other = numbered(1);
        other.bytes.extend(b" of another day");
        assert_eq!(stream.offer("s", &[other], NOW).unwrap().stored, 1);
        let plain = RawLine { bytes: b"<13>1 - h app - - - x".to_vec(), ..numbered(1) };
        assert_eq!(stream.offer("s", &[plain.clone(), plain], NOW).unwrap().stored, 2);
        let counters = &stream.counters()["s"];
        assert_eq!((counters.received, counters.stored), (11 + 8, 11));
    }

    #[test]
    fn of_a_batch_with_a_key_that_a_crash_tore_only_the_missing_lines_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<RawLine> = (0..9).map(|n| RawLine::new(format!("line {n}"))).collect();
        let stream = open(folder.path());
        assert_eq!(stream.ingest_once("s", "k", lines.clone(), NOW).unwrap().stored, 9);
        drop(stream);
        let mut spool = std::fs::read_dir(folder.path().join("spool")).unwrap().flatten();
        let segment = spool.find(|e| e.path().extension().is_some_and(|x| x == "spool")).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(segment.path()).unwrap();
        file.set_len(file.metadata().unwrap().len() - 90).unwrap();
        let stream = open(folder.path());
        let ack = stream.ingest_once("s", "k", lines.clone(), NOW).unwrap();
        assert!((1..9).contains(&ack.stored), "{ack:?}");
        assert_eq!(ack.stored + ack.refused[REPEATED], 9);
        assert_eq!(stream.counters()["s"].stored, 9);
        // Another key, or the key with other lines, is another batch.
        assert_eq!(stream.ingest_once("s", "l", lines.clone(), NOW).unwrap().stored, 9);
        assert_eq!(stream.ingest_once("s", "k", lines[..4].to_vec(), NOW).unwrap().stored, 4);
    }

    #[test]
    fn a_message_twice_in_one_batch_is_stored_once() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        let ack = stream.ingest("s", vec![numbered(1), numbered(2), numbered(1)], NOW).unwrap();
        assert_eq!((ack.stored, ack.refused[REPEATED]), (2, 1));
    }

    #[test]
    fn a_flood_of_one_source_keeps_the_ids_of_others_and_memory_is_bounded() {
        let mut once = Once::default();
        once.take("quiet", LineId { of: 7, at: 0 });
        for source in 0..20 {
            for of in 0..5_000 {
                once.take(&format!("s{source}"), LineId { of, at: 0 });
            }
        }
        assert_eq!(once.taken("quiet", 7), 1);
        let total: usize = once.sources.values().map(|window| window.order.len()).sum();
        assert_eq!((total, once.total), (IDS_MAX, IDS_MAX));
        assert!(once.sources.values().all(|w| w.taken.len() == w.order.len()));
        assert_eq!(once.taken("s19", 4_999), 1);
    }
}
