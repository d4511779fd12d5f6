//! `systemd-journal-upload`: the body of one endless request, in the journal export format.
//!
//! The sender hears nothing until its body ends, and after a cut begins again at its last saved place.
//! So the cursor of each entry is written into its frame: what is in the spool already is dropped and
//! counted as `repeated`, also after `kill -9`. While the spool is full nothing is read.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{blocking, now};
use crate::{
    Error, Format, Marked, RawLine, Result, Stream,
    export::{Entry, Framer, place},
    notices,
};

/// Entries and bytes that share a batch.
const BATCH_ENTRIES: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;
/// Most journals whose places are kept; entries of further ones may be there twice after a cut.
const JOURNALS_MAX: usize = 4096;

/// What all uploads of a source share: one stores at a time, so that no entry slips in twice.
#[derive(Clone, Debug)]
pub struct Uploads {
    stream: Stream,
    source: String,
    one: Arc<Mutex<()>>,
}

impl Uploads {
    /// Takes uploads for a source.
    pub fn new(stream: Stream, source: &str) -> Uploads {
        Uploads { stream, source: source.to_owned(), one: Arc::default() }
    }

    /// Counts a request that was not let in.
    pub fn turned_away(&self, peer: &str, reason: &str) -> Result<()> {
        self.stream.turned_away(&self.source, peer, reason)
    }

    /// One body.
    pub fn begin(&self, peer: &str) -> Upload {
        let (uploads, peer) = (self.clone(), peer.to_owned());
        Upload { uploads, peer, framer: Framer::default(), held: Vec::new(), bytes: 0 }
    }
}

/// A body on its way.
#[derive(Debug)]
pub struct Upload {
    uploads: Uploads,
    peer: String,
    framer: Framer,
    held: Vec<Entry>,
    bytes: usize,
}

impl Upload {
    /// Takes bytes of the body. Whole entries wait for [`Upload::store`], at most about a MiB of them.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let taken = self.framer.push(bytes, &mut self.held);
        self.bytes += bytes.len();
        if taken.is_err() || self.held.len() >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES {
            self.store().await?;
        }
        taken.map_err(|reason| Error::Format { what: "journal export", reason })
    }

    /// Whether whole entries wait.
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// Makes what waits durable, however long the spool is full.
    pub async fn store(&mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        self.bytes = 0;
        if held.is_empty() {
            return Ok(());
        }
        let _one = self.uploads.one.lock().await;
        let (uploads, peer, held) = (self.uploads.clone(), self.peer.clone(), Arc::new(held));
        let mut done = 0;
        while done < held.len() {
            let (uploads, peer, entries) = (uploads.clone(), peer.clone(), held.clone());
            match blocking(move || uploads.store_some(&peer, &entries[done..])).await {
                Ok(stored) => done += stored,
                Err(Error::SpoolFull { .. }) => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The body ended well.
    pub async fn finish(mut self) -> Result<()> {
        self.held.extend(self.framer.end());
        self.store().await
    }
}

impl Uploads {
    /// Stores the entries at the start that are of one journal; says how many those were.
    fn store_some(&self, peer: &str, entries: &[Entry]) -> Result<usize> {
        let journal = |entry: &Entry| Some(place(entry.cursor()?)?.0.to_owned());
        let Some(first) = entries.first() else { return Ok(0) };
        let of = journal(first);
        let count = entries.iter().take_while(|entry| journal(entry) == of).count();
        let intake = of.map(|journal| format!("upload-{}-{journal}", self.source));
        let intake = intake.filter(|name| {
            self.stream.mark(name).is_some() || self.stream.marks("upload-") < JOURNALS_MAX
        });
        let known = intake.as_ref().and_then(|name| self.stream.mark(name));
        let known = known.and_then(|cursor| Some(place(&cursor)?.1));
        let (mut lines, mut cut, mut repeated) = (Vec::new(), 0, 0);
        for entry in &entries[..count] {
            let cursor = entry.cursor();
            let number = cursor.and_then(|cursor| Some(place(cursor)?.1));
            if number.is_some() && number <= known {
                repeated += 1;
                continue;
            }
            cut += u64::from(entry.cut);
            let (bytes, peer) = (entry.bytes.clone(), Some(peer.to_owned()));
            let line = RawLine { bytes, format: Format::JournalExport, peer, part: 0 };
            let position = intake.as_ref().and(cursor).map(str::to_owned);
            lines.push(Marked { line, position });
        }
        let intake = intake.as_deref().unwrap_or_default();
        if !lines.is_empty() {
            let notices = notices::found(lines.iter().map(|marked| &marked.line));
            self.stream.store_or_fail(intake, &self.source, &lines, now())?;
            notices::count(&self.stream, &self.source, notices)?;
        }
        for (reason, lines) in [("repeated", repeated), ("field too long", cut)] {
            if lines > 0 {
                self.stream.refused(&self.source, reason, lines)?;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Query};

    fn entry(journal: char, number: u64) -> String {
        let id = journal.to_string().repeat(32);
        format!(
            "__CURSOR=s={id};i={number:x};b=0\n__REALTIME_TIMESTAMP=1767225600000000\n\
             MESSAGE={journal} {number}\n\n"
        )
    }

    async fn send(uploads: &Uploads, entries: &str) {
        let mut upload = uploads.begin("192.0.2.1");
        for bytes in entries.as_bytes().chunks(11) {
            upload.take(bytes).await.unwrap();
        }
        upload.finish().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_sent_again_after_a_cut_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let uploads = Uploads::new(stream.clone(), "j");
        let all = |to: u64| (1..=to).map(|n| entry('a', n) + &entry('b', n)).collect::<String>();
        send(&uploads, &all(20)).await;
        drop((uploads, stream));
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let uploads = Uploads::new(stream.clone(), "j");
        send(&uploads, &all(30)).await;
        let counters = &stream.counters()["j"];
        assert_eq!((counters.stored, counters.refused["repeated"]), (60, 40));
        stream.flush(now()).unwrap();
        let found = stream.search(&Query { limit: 1000, ..Query::default() }).unwrap().events;
        let texts: std::collections::BTreeSet<_> = found.iter().map(|e| &e.message).collect();
        assert_eq!((found.len(), texts.len()), (60, 60));
        assert!(found.iter().all(|e| e.time().0 == 1_767_225_600_000_000));
    }

    #[tokio::test]
    async fn whole_entries_before_bytes_that_are_no_journal_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let mut upload = Uploads::new(stream.clone(), "j").begin("192.0.2.1");
        let bytes = [entry('a', 1).as_bytes(), &[b'x'; 300]].concat();
        assert!(matches!(upload.take(&bytes).await, Err(Error::Format { .. })));
        assert_eq!(stream.counters()["j"].stored, 1);
    }
}
