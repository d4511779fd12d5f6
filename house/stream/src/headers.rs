//! What files said of their columns, per source, at a place of the spool: so that a row of a table means the same
//! wherever a step of reading begins.
//!
//! Only lines of files are asked (nobody sent them, and no format was named): over the network anybody could name
//! columns for the lines of others. Pure.
//!
//! Limits: [`SOURCES_MAX`] sources with columns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    decode::decode,
    entry::Frame,
    event::{Format, RawLine},
    parse::Header,
};

/// Most sources whose columns are remembered.
const SOURCES_MAX: usize = 256;

/// The columns at a place of the spool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeadersAt {
    pub at: u64,
    pub headers: Headers,
}

/// The columns of each source behind the lines that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Headers(BTreeMap<String, Header>);

impl Headers {
    /// Takes note of what a line says of those behind it; gives the columns by which the line itself is read.
    pub fn learn(&mut self, frame: &Frame) -> Option<&Header> {
        let (line, source) = (&frame.line, &frame.source);
        if !may_name_columns(line) {
            return None;
        }
        if line.bytes.first() == Some(&b'#') && line.part <= 1 {
            let mut header = self.0.get(source).cloned().unwrap_or_default();
            let has_room = self.0.len() < SOURCES_MAX || self.0.contains_key(source);
            if header.learn(&decode(&line.bytes).0) && has_room {
                self.0.insert(source.clone(), header);
            }
        }
        self.0.get(source)
    }
}

fn may_name_columns(line: &RawLine) -> bool {
    line.peer.is_none() && line.format == Format::Auto
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::Timestamp;

    use crate::{Limits, Query, RawLine, Stream};

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
    const FIELDS: &str = "#Fields: date time c-ip cs-method cs-uri-stem sc-status";

    fn open(folder: &Path) -> Stream {
        Stream::open(folder, Limits { flush_bytes: 400, ..Limits::default() }).unwrap()
    }

    fn row(n: usize) -> String {
        format!("2026-11-25 00:00:01 192.0.2.7 GET /{n} 200")
    }

    fn come(stream: &Stream, source: &str, lines: &[String]) {
        let lines = lines.iter().map(|line| RawLine::new(line.as_str())).collect();
        stream.ingest(source, lines, NOW).unwrap();
    }

    /// The stems that rows became, in order.
    fn archived(stream: &Stream) -> Vec<String> {
        let found = stream.search(&Query { limit: 1000, ..Query::default() }).unwrap().events;
        let stems = found.iter().filter_map(|e| e.fields.get("cs-uri-stem").cloned());
        let mut stems: Vec<String> = stems.collect();
        stems.sort();
        stems
    }

    fn stems(numbers: std::ops::Range<usize>) -> Vec<String> {
        let mut stems: Vec<String> = numbers.map(|n| format!("/{n}")).collect();
        stems.sort();
        stems
    }

    #[test]
    fn rows_are_read_by_columns_of_an_earlier_flush_and_an_earlier_process() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        come(&stream, "iis", &[FIELDS.to_owned()]);
        come(&stream, "other", &[row(99)]);
        come(&stream, "iis", &(0..20).map(row).collect::<Vec<_>>());
        stream.flush(NOW).unwrap();
        come(&stream, "iis", &(20..25).map(row).collect::<Vec<_>>());
        drop(stream);
        let stream = open(folder.path());
        // What follows live reads the same: from where it was, and on.
        let mut at = stream.archived();
        let mut live = Vec::new();
        while at < stream.end() {
            let reading = stream.read_from(at, 200).unwrap();
            let stems = reading.events.iter().filter_map(|p| p.event.fields.get("cs-uri-stem"));
            live.extend(stems.cloned());
            at = reading.next;
        }
        assert_eq!(live, stems(20..25));
        stream.flush(NOW).unwrap();
        come(&stream, "iis", &["#Fields: cs-uri-stem sc-status".to_owned(), "/25 404".to_owned()]);
        stream.flush(NOW).unwrap();
        assert_eq!(archived(&stream), stems(0..26));
    }

    #[test]
    fn a_repeated_flush_reads_by_the_columns_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, cursor) = (folder.path().join("flush.json"), folder.path().join("spool/cursor"));
        let stream = open(folder.path());
        // What is archived stays in the spool.
        stream.hold("test", 0).unwrap();
        come(&stream, "iis", &[FIELDS.to_owned(), row(0)]);
        stream.flush(NOW).unwrap();
        let before = std::fs::read(&cursor).unwrap();
        // One step: rows by the old columns, then others.
        come(&stream, "iis", &[row(1), "#Fields: x y".to_owned()]);
        let first = stream.flush(NOW).unwrap();
        drop(stream);
        // Killed before the cursor moved, and before the segment was there.
        assert!(plan.exists());
        std::fs::write(&cursor, before).unwrap();
        for info in &first {
            std::fs::remove_file(&info.path).unwrap();
        }
        let again = open(folder.path()).flush(NOW).unwrap();
        assert_eq!(again, first);
    }

    #[test]
    fn columns_that_came_over_the_network_are_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let stream = open(folder.path());
        let line =
            |text: String| RawLine { peer: Some("192.0.2.1".to_owned()), ..RawLine::new(text) };
        stream.ingest("net", vec![line(FIELDS.to_owned()), line(row(1))], NOW).unwrap();
        stream.flush(NOW).unwrap();
        assert_eq!(archived(&stream), Vec::<String>::new());
    }
}
