//! What stands beside a segment, so that a search need not open it: times, sources, and which grams occur.
//!
//! `x.grams` beside `x.parquet`: `UMEGRAM`, version, length and CRC32C of the head (little-endian `u32`), the head as
//! JSON, then of each row group its bitmap in blocks of 256 bytes, each with its CRC32C. A question reads
//! the head and, of a row group, some blocks.
//!
//! Invariants: it may say "perhaps" wrongly, never "no"; missing, damaged, or not of this segment means that the
//! segment is read. It holds nothing that the segment does not: whoever removes one removes both.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    archive::{ROW_GROUP_ROWS, list},
    error::{At, Result},
    event::Event,
    grams::{BLOCK_BITS, Collector, places},
    logsource, scan,
};

const MAGIC: [u8; 8] = *b"UMEGRAM\x01";
const FIXED_BYTES: usize = MAGIC.len() + 8;
/// Read at once: nearly every head is shorter.
const FIRST_BYTES: usize = 1024;
const HEAD_BYTES_MAX: usize = 1 << 20;
const BLOCK_BYTES: usize = BLOCK_BITS / 8;
const CRC_BYTES: usize = 4;
/// Sources, and log sources, that are named; of more it says that it does not know.
const NAMES_MAX: usize = 64;
/// Strings of one JSON document that are looked into.
const LEAVES_MAX: usize = 20_000;

/// A log source in Sigma's terms: category, product, service.
pub type Named = (Option<String>, Option<String>, Option<String>);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Head {
    segment_bytes: u64,
    min_time: i64,
    max_time: i64,
    /// None if there are too many to name.
    sources: Option<BTreeSet<String>>,
    logsources: Option<BTreeSet<Named>>,
    /// Blocks of each row group.
    blocks: Vec<u32>,
}

/// An open sidecar.
#[derive(Debug)]
pub struct Sidecar {
    file: File,
    head: Head,
    /// Where the blocks of each row group begin.
    starts: Vec<u64>,
    read_bytes: u64,
    is_damaged: bool,
}

/// Path of the sidecar of a segment.
pub fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("grams")
}

/// Writes the sidecar of a segment of `segment_bytes` whose row groups hold `group_rows` events each. Not synced:
/// what a crash leaves of it fails its checks, and then the segment is read.
pub(crate) fn write(
    segment: &Path,
    segment_bytes: u64,
    events: &[&Event],
    group_rows: usize,
) -> Result<()> {
    let times = || events.iter().map(|e| e.time().0);
    let mut head = Head {
        segment_bytes,
        min_time: times().min().unwrap_or(0),
        max_time: times().max().unwrap_or(0),
        sources: some(events.iter().map(|e| e.source.clone())),
        logsources: some(events.iter().flat_map(|event| named(event))),
        blocks: Vec::new(),
    };
    let (mut collector, mut body) = (Collector::new(), Vec::new());
    for group in events.chunks(group_rows) {
        group.iter().for_each(|event| collect(event, &mut collector));
        let bitmap = collector.take();
        head.blocks.push((bitmap.len() / BLOCK_BYTES) as u32);
        for block in bitmap.chunks(BLOCK_BYTES) {
            body.extend_from_slice(block);
            body.extend(crc32c::crc32c(block).to_le_bytes());
        }
    }
    let path = path_of(segment);
    let text = serde_json::to_vec(&head).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(crc32c::crc32c(&text).to_le_bytes());
    bytes.extend(text);
    bytes.extend(body);
    fs::write(&path, bytes).at("write", &path)
}

/// Segments that have none: those of earlier versions, and of restored backups.
pub fn missing(archive: &Path) -> Result<Vec<PathBuf>> {
    let all = list(archive)?.into_iter().map(|(_, path)| path);
    Ok(all.filter(|path| !path_of(path).exists()).collect())
}

/// Makes the sidecar of a segment that has none.
pub fn rebuild(segment: &Path) -> Result<()> {
    let events: Vec<Event> = scan::events(&[segment.to_owned()]).collect::<Result<_>>()?;
    let bytes = fs::metadata(segment).at("look at", segment)?.len();
    write(segment, bytes, &events.iter().collect::<Vec<_>>(), ROW_GROUP_ROWS)
}

fn some<T: Ord>(all: impl Iterator<Item = T>) -> Option<BTreeSet<T>> {
    let mut set = BTreeSet::new();
    for one in all {
        set.insert(one);
        if set.len() > NAMES_MAX {
            return None;
        }
    }
    Some(set)
}

fn named(event: &Event) -> Vec<Named> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    let sources = logsource::logsources(event).into_iter();
    sources.map(|s| (own(s.category), own(s.product), own(s.service.as_deref()))).collect()
}

/// Every text that a search or a rule may look into.
fn collect(event: &Event, grams: &mut Collector) {
    let mut add = |text: &str| grams.add(&sigma::folded(text));
    [&event.message, &event.host, &event.app, &event.source].into_iter().for_each(|text| add(text));
    logsource::fields(event).iter().for_each(|(_, value)| add(value));
    event.fields.values().for_each(|value| add(value));
    let raw = String::from_utf8_lossy(&event.raw);
    if raw != event.message {
        add(&raw);
    }
    if raw.starts_with('{')
        && let Ok(value) = serde_json::from_str(&raw)
    {
        leaves(value, &mut add);
    }
}

/// What strings of a document say, without escapes.
fn leaves(value: serde_json::Value, add: &mut impl FnMut(&str)) {
    let (mut open, mut left) = (vec![value], LEAVES_MAX);
    while let Some(value) = open.pop().filter(|_| left > 0) {
        left -= 1;
        match value {
            serde_json::Value::String(text) => add(&text),
            serde_json::Value::Array(list) => open.extend(list),
            serde_json::Value::Object(map) => open.extend(map.into_iter().map(|(_, v)| v)),
            _ => {}
        }
    }
}

impl Sidecar {
    /// Opens the sidecar of a segment, if there is one that fits it.
    pub fn open(segment: &Path) -> Option<Sidecar> {
        let segment_bytes = fs::metadata(segment).ok()?.len();
        let file = File::open(path_of(segment)).ok()?;
        let mut first = vec![0; FIRST_BYTES];
        let got = read_up_to(&file, &mut first).ok()?;
        first.truncate(got);
        let fixed = first.get(..FIXED_BYTES)?.strip_prefix(&MAGIC)?;
        let number = |at: usize| Some(u32::from_le_bytes(fixed.get(at..at + 4)?.try_into().ok()?));
        let (length, crc) = (number(0)? as usize, number(4)?);
        let end = FIXED_BYTES + length;
        if length > HEAD_BYTES_MAX {
            return None;
        }
        let mut read_bytes = got as u64;
        if end > got {
            first.resize(end, 0);
            file.read_exact_at(&mut first[got..], got as u64).ok()?;
            read_bytes = end as u64;
        }
        let text = first.get(FIXED_BYTES..end)?;
        let head: Head = Some(text)
            .filter(|text| crc32c::crc32c(text) == crc)
            .and_then(|text| serde_json::from_slice(text).ok())?;
        if head.segment_bytes != segment_bytes {
            return None;
        }
        let mut at = end as u64;
        let starts = head.blocks.iter().map(|blocks| {
            let start = at;
            at += u64::from(*blocks) * (BLOCK_BYTES + CRC_BYTES) as u64;
            start
        });
        let starts = starts.collect();
        Some(Sidecar { file, starts, head, read_bytes, is_damaged: false })
    }

    pub fn segment_bytes(&self) -> u64 {
        self.head.segment_bytes
    }

    pub fn min_time(&self) -> Timestamp {
        Timestamp(self.head.min_time)
    }

    pub fn max_time(&self) -> Timestamp {
        Timestamp(self.head.max_time)
    }

    pub fn groups(&self) -> usize {
        self.head.blocks.len()
    }

    /// Bytes read of it so far.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Whether a block failed its check.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Whether events of this source may be in the segment.
    pub fn may_have(&self, source: &str) -> bool {
        self.head.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }

    /// The log sources of its events; none if there are too many to name.
    pub fn logsources(&self) -> Option<&BTreeSet<Named>> {
        self.head.logsources.as_ref()
    }

    /// Whether a row group may hold a folded text.
    pub fn may_hold(&mut self, group: usize, folded: &[u8]) -> bool {
        let (Some(start), Some(blocks)) = (self.starts.get(group), self.head.blocks.get(group))
        else {
            return true;
        };
        let (start, bits) = (*start, *blocks as usize * BLOCK_BITS);
        places(folded, bits).into_iter().all(|place| self.is_set(start, place))
    }

    /// Whether any row group may hold one of these.
    pub fn may_hold_one(&mut self, folded: &[Vec<u8>]) -> bool {
        (0..self.groups()).any(|group| folded.iter().any(|text| self.may_hold(group, text)))
    }

    fn is_set(&mut self, start: u64, place: usize) -> bool {
        let mut block = [0; BLOCK_BYTES + CRC_BYTES];
        let at = start + (place / BLOCK_BITS * block.len()) as u64;
        let is_read = self.file.read_exact_at(&mut block, at).is_ok();
        self.read_bytes += block.len() as u64;
        let (bits, crc) = block.split_at(BLOCK_BYTES);
        if !is_read || crc32c::crc32c(bits).to_le_bytes() != crc {
            self.is_damaged = true;
            return true;
        }
        let place = place % BLOCK_BITS;
        bits[place / 8] & 1 << (place % 8) != 0
    }
}

fn read_up_to(file: &File, into: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < into.len() {
        match file.read_at(&mut into[got..], got as u64)? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Query, RawLine, SearchResult, Stream, query::parse, scan};

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    /// An archive of four segments, each with a needle of its own.
    fn archive() -> (tempfile::TempDir, Stream) {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        for flush in 0..4 {
            let line = |i| RawLine::new(format!("<13>1 - h app - - - line {i} needle{flush}x{i}"));
            stream.ingest("a", (0..300).map(line).collect(), NOW).unwrap();
            stream.flush(NOW).unwrap();
        }
        (folder, stream)
    }

    fn found(stream: &Stream, query: &str) -> SearchResult {
        let terms = parse(query).unwrap();
        stream.search(&Query { terms, limit: 10_000, ..Query::default() }).unwrap()
    }

    #[test]
    fn only_the_segment_that_can_hold_a_rare_text_is_opened() {
        let (_folder, stream) = archive();
        let one = found(&stream, "needle2x77");
        let counts = (one.events.len(), one.scanned_segments, one.pruned_segments);
        assert_eq!((counts, one.without_sidecar), ((1, 1, 3), 0));
        assert_eq!(found(&stream, "NEEDLE0X* -needle0x7").events.len(), 300 - 11);
        let none = found(&stream, "host:elsewhere");
        assert_eq!((none.events.len(), none.scanned_segments), (0, 0));
        assert!(none.read_bytes < none.archive_bytes / 2, "{none:?}");
    }

    #[test]
    fn without_a_sidecar_or_with_a_damaged_one_the_segment_is_read_and_counted() {
        let (_folder, stream) = archive();
        let ranges = scan::ranges(&stream.archive_folder()).unwrap();
        let paths: Vec<PathBuf> = ranges.iter().map(|r| path_of(&r.segments[0])).collect();
        fs::remove_file(&paths[0]).unwrap();
        let mut bytes = fs::read(&paths[1]).unwrap();
        for at in [9, 20, bytes.len() - 1] {
            bytes[at] ^= 1;
            fs::write(&paths[1], &bytes).unwrap();
            for needle in 0..4 {
                assert_eq!(found(&stream, &format!("needle{needle}x5x")).events.len(), 0);
                let one = found(&stream, &format!("needle{needle}x299"));
                assert_eq!(one.events.len(), 1, "byte {at}");
                assert!(one.without_sidecar >= 1 && one.scanned_segments >= 1, "{one:?}");
            }
            bytes[at] ^= 1;
        }
        // Every block is damaged: nothing is ruled out.
        let head = fs::read(&paths[2]).unwrap();
        let body: Vec<u8> = head.iter().rev().take(260).map(|b| b ^ 0x55).collect();
        let at = head.len() - body.len();
        fs::write(&paths[2], [&head[..at], &body].concat()).unwrap();
        assert_eq!(found(&stream, "needle2x5").events.len(), 11);
        // Made anew, it is as it was.
        assert_eq!(missing(&stream.archive_folder()).unwrap(), [ranges[0].segments[0].clone()]);
        rebuild(&ranges[0].segments[0]).unwrap();
        assert!(missing(&stream.archive_folder()).unwrap().is_empty());
        let mut anew = Sidecar::open(&ranges[0].segments[0]).unwrap();
        assert!(anew.may_hold(0, b"needle0x299") && !anew.may_hold(0, b"needle1x299"));
        // One of another segment says nothing of this one.
        fs::copy(&paths[3], &paths[0]).unwrap();
        let size = |at: usize| fs::metadata(&ranges[at].segments[0]).unwrap().len();
        assert_eq!(Sidecar::open(&ranges[0].segments[0]).is_some(), size(0) == size(3));
    }

    #[test]
    fn looking_through_everything_gives_the_events_as_they_came() {
        let (_folder, stream) = archive();
        let ranges = scan::ranges(&stream.archive_folder()).unwrap();
        assert_eq!((ranges.len(), ranges[0].from, ranges[3].to), (4, 0, stream.archived()));
        let messages: Vec<String> = ranges
            .iter()
            .flat_map(|range| scan::events(&range.segments))
            .map(|event| event.unwrap().message)
            .collect();
        assert_eq!(messages.len(), 1_200);
        assert_eq!(messages[301], "line 1 needle1x1");
        fs::write(&ranges[1].segments[0], b"PAR1 not").unwrap();
        let read: Vec<_> = scan::events(&ranges[1].segments).take(1).collect();
        assert!(read[0].is_err());
    }
}
