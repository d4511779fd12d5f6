//! The bounded queue on disk: what [`Spool::append`] returned for is there after `kill -9`.
//!
//! Segment files `<first offset>.spool` hold frames `len u32 LE | crc32c u32 LE | payload`; an offset
//! counts bytes since the folder was made, over all segments. `cursor` holds the offset consumed, `holds` what
//! else still has to be read, by the reader's name.
//!
//! Invariants: one fdatasync per batch before it is acknowledged; recovery cuts only the tail of the last
//! segment, and sets the cut bytes aside as `<offset>.torn`; a consumed segment is deleted, unless a reader holds
//! it. A reader that falls behind holds no more than half of the spool: it must not stop the intake.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use disk::File;

use crate::{
    error::{At, Error, Result},
    files::{read_json, sync_folder, write_json},
};

const HEADER: usize = 8;

/// Largest payload of a frame.
pub const MAX_FRAME_BYTES: usize = 128 * 1024;

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct SpoolLimits {
    /// Most bytes of all segments together.
    pub max_bytes: u64,
    /// A segment is closed when it has reached this size.
    pub segment_bytes: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        SpoolLimits { max_bytes: 1 << 30, segment_bytes: 16 << 20 }
    }
}

/// Payloads read in order, and the offset after the last of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub payloads: Vec<Vec<u8>>,
    /// Offset after each payload: unique and rising over the life of the folder.
    pub ends: Vec<u64>,
    pub next: u64,
    /// Bytes that could not be read because a closed segment is damaged.
    pub damaged_bytes: u64,
}

#[derive(Clone, Debug)]
struct Segment {
    start: u64,
    len: u64,
    path: PathBuf,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// The segments as they stood at one moment; reading needs no lock.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot(Vec<Segment>);

/// The queue.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    segments: Vec<Segment>,
    active: File,
    cursor: u64,
    /// Offsets from which others still read.
    holds: BTreeMap<String, u64>,
    poisoned: bool,
}

impl Spool {
    /// Opens or creates the folder and cuts a torn tail.
    pub fn open(folder: &Path, limits: SpoolLimits) -> Result<Spool> {
        disk::create_dir(folder).at("create folder", folder)?;
        // What is acknowledged in a folder is worth nothing if the folder itself is lost.
        folder.parent().filter(|p| *p != Path::new("")).map_or(Ok(()), sync_folder)?;
        let cursor = read_json::<u64>(&folder.join("cursor"))?.unwrap_or(0);
        let holds = read_json(&folder.join("holds"))?.unwrap_or_default();
        let mut segments = list(folder)?;
        if let Some(last) = segments.last_mut() {
            cut_torn_tail(folder, last)?;
        }
        let end = segments.last().map_or(0, Segment::end);
        // A cursor beyond the end means that segments were taken away: their offsets are not given again.
        if segments.is_empty() || end < cursor {
            segments.push(create(folder, end.max(cursor))?);
        }
        let active = match segments.last() {
            Some(last) => File::append(&last.path).at("open", &last.path)?,
            None => return Err(Error::Poisoned),
        };
        let mut spool = Spool {
            folder: folder.to_path_buf(),
            limits,
            segments,
            active,
            cursor,
            holds,
            poisoned: false,
        };
        spool.drop_consumed()?;
        Ok(spool)
    }

    /// Appends all payloads or none; when it returns, they are durable. Returns the new end.
    pub fn append(&mut self, payloads: &[impl AsRef<[u8]>]) -> Result<u64> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        if payloads.is_empty() {
            return Ok(self.end());
        }
        let frames = encode(payloads)?;
        let need = frames.len() as u64;
        if need > self.free() {
            return Err(Error::SpoolFull { need, used: self.used(), max: self.limits.max_bytes });
        }
        if self.segments.last().is_some_and(|s| s.len >= self.limits.segment_bytes) {
            self.roll()?;
        }
        let Some(last) = self.segments.last_mut() else { return Err(Error::Poisoned) };
        if let Err(e) = self.active.write_all(&frames) {
            // A half batch must not stand before the next one.
            let undone = self.active.set_len(last.len).and_then(|()| self.active.sync());
            self.poisoned = undone.is_err();
            return Err(e).at("append to", &last.path);
        }
        if let Err(e) = self.active.sync() {
            // After a failed fdatasync nobody knows what is on the disk.
            self.poisoned = true;
            return Err(e).at("sync", &last.path);
        }
        last.len += need;
        Ok(last.end())
    }

    /// Reads whole frames from `from` on, up to some `max_bytes` (at least one frame if there is one).
    pub fn read(&self, from: u64, max_bytes: usize) -> Result<Batch> {
        self.snapshot().read(from, u64::MAX, max_bytes)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.segments.clone())
    }

    /// Marks everything before `to` as consumed and deletes segments that hold nothing else.
    pub fn advance(&mut self, to: u64) -> Result<()> {
        let to = to.clamp(self.cursor, self.end());
        write_json(&self.folder.join("cursor"), &to)?;
        self.cursor = to;
        self.drop_consumed()
    }

    /// Keeps what lies behind `from` for a reader, beside what is not consumed.
    pub fn hold(&mut self, reader: &str, from: u64) -> Result<()> {
        if self.holds.get(reader) == Some(&from) {
            return Ok(());
        }
        self.holds.insert(reader.to_owned(), from);
        write_json(&self.folder.join("holds"), &self.holds)?;
        self.drop_consumed()
    }

    /// First offset that can still be read.
    pub fn start(&self) -> u64 {
        self.segments.first().map_or(self.cursor, |s| s.start)
    }

    /// Offset up to which is consumed.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Offset after the last frame.
    pub fn end(&self) -> u64 {
        self.segments.last().map_or(self.cursor, Segment::end)
    }

    /// Bytes on disk.
    pub fn used(&self) -> u64 {
        self.segments.iter().map(|s| s.len).sum()
    }

    /// Bytes that still fit.
    pub fn free(&self) -> u64 {
        self.limits.max_bytes.saturating_sub(self.used())
    }

    fn roll(&mut self) -> Result<()> {
        let next = create(&self.folder, self.end())?;
        self.active = File::append(&next.path).at("open", &next.path)?;
        self.segments.push(next);
        Ok(())
    }

    fn drop_consumed(&mut self) -> Result<()> {
        if self.segments.last().is_some_and(|s| s.len > 0 && s.end() <= self.cursor) {
            self.roll()?;
        }
        while self.segments.len() > 1 && self.segments[0].end() <= self.cursor {
            let end = self.segments[0].end();
            let is_held = self.holds.values().any(|from| *from < end);
            if is_held && self.used() <= self.limits.max_bytes / 2 {
                return Ok(());
            }
            let path = &self.segments[0].path;
            disk::remove_file(path).at("delete", path)?;
            self.segments.remove(0);
        }
        Ok(())
    }
}

impl Snapshot {
    /// First offset that can be read.
    pub fn start(&self) -> u64 {
        self.0.first().map_or(0, |s| s.start)
    }

    /// Reads whole frames of `from..to`; a damaged segment is skipped to its end and said.
    pub fn read(&self, from: u64, to: u64, max_bytes: usize) -> Result<Batch> {
        let mut batch = Batch { next: from.max(self.start()), ..Batch::default() };
        let mut taken = 0usize;
        for segment in &self.0 {
            if segment.end() <= batch.next {
                continue;
            }
            let bytes = read_range(segment, batch.next - segment.start)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() && batch.next < to && taken < max_bytes {
                let Some((payload, after)) = split_frame(rest) else {
                    batch.damaged_bytes += rest.len() as u64;
                    batch.next = segment.end();
                    break;
                };
                batch.next += (HEADER + payload.len()) as u64;
                taken += HEADER + payload.len();
                batch.payloads.push(payload.to_vec());
                batch.ends.push(batch.next);
                rest = after;
            }
            if batch.next >= to || taken >= max_bytes {
                break;
            }
        }
        Ok(batch)
    }
}

fn encode(payloads: &[impl AsRef<[u8]>]) -> Result<Vec<u8>> {
    let total: usize = payloads.iter().map(|p| p.as_ref().len() + HEADER).sum();
    let mut out = Vec::with_capacity(total);
    for payload in payloads.iter().map(AsRef::as_ref) {
        // An empty frame would be eight zero bytes, which is also what a torn page looks like.
        if payload.is_empty() || payload.len() > MAX_FRAME_BYTES {
            return Err(Error::FrameSize { bytes: payload.len(), max: MAX_FRAME_BYTES });
        }
        out.extend((payload.len() as u32).to_le_bytes());
        out.extend(crc32c::crc32c(payload).to_le_bytes());
        out.extend(payload);
    }
    Ok(out)
}

/// The first frame and the bytes after it; `None` if it is torn, damaged or oversized.
fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len) as usize;
    if len == 0 || len > MAX_FRAME_BYTES {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(len)?;
    (crc32c::crc32c(payload) == u32::from_le_bytes(*crc)).then_some((payload, rest))
}

fn read_range(segment: &Segment, skip: u64) -> Result<Vec<u8>> {
    let mut file = fs::File::open(&segment.path).at("open", &segment.path)?;
    file.seek(SeekFrom::Start(skip)).at("seek in", &segment.path)?;
    let mut bytes = Vec::new();
    file.take(segment.len - skip).read_to_end(&mut bytes).at("read", &segment.path)?;
    Ok(bytes)
}

fn list(folder: &Path) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).at("list", folder)? {
        let path = entry.at("list", folder)?.path();
        let start = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".spool")?.parse::<u64>().ok());
        if let Some(start) = start {
            let len = fs::metadata(&path).at("look at", &path)?.len();
            segments.push(Segment { start, len, path });
        }
    }
    segments.sort_by_key(|s| s.start);
    Ok(segments)
}

fn create(folder: &Path, start: u64) -> Result<Segment> {
    let path = folder.join(format!("{start:020}.spool"));
    File::append(&path).and_then(|file| file.sync()).at("create", &path)?;
    sync_folder(folder)?;
    Ok(Segment { start, len: 0, path })
}

fn cut_torn_tail(folder: &Path, segment: &mut Segment) -> Result<()> {
    let bytes = read_range(segment, 0)?;
    let mut rest = bytes.as_slice();
    while let Some((_, after)) = split_frame(rest) {
        rest = after;
    }
    if rest.is_empty() {
        return Ok(());
    }
    let good = (bytes.len() - rest.len()) as u64;
    let aside = folder.join(format!("{:020}.torn", segment.start + good));
    disk::replace(&aside, rest).at("write", &aside)?;
    let file = File::existing(&segment.path).at("open", &segment.path)?;
    file.set_len(good).and_then(|()| file.sync()).at("cut", &segment.path)?;
    tracing::warn!(segment = %segment.path.display(), bytes = rest.len(), "cut a torn tail");
    segment.len = good;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(from: usize, to: usize) -> Vec<Vec<u8>> {
        (from..to).map(|i| format!("line {i}").into_bytes()).collect()
    }

    fn open(folder: &Path) -> Spool {
        Spool::open(folder, SpoolLimits { max_bytes: 4096, segment_bytes: 100 }).unwrap()
    }

    #[test]
    fn a_tail_torn_at_any_byte_costs_nothing_acknowledged_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        let acknowledged = spool.append(&payloads(0, 3)).unwrap();
        let end = spool.append(&payloads(3, 4)).unwrap();
        let path = spool.segments[0].path.clone();
        drop(spool);
        let whole = fs::read(&path).unwrap();
        for cut in acknowledged..end {
            for filler in [0usize, 3, 40] {
                let mut torn = whole[..cut as usize].to_vec();
                torn.extend(vec![0u8; filler]);
                fs::write(&path, torn).unwrap();
                let mut spool = open(folder.path());
                assert_eq!(spool.end(), acknowledged, "cut at {cut}");
                assert_eq!(spool.read(0, usize::MAX).unwrap().payloads, payloads(0, 3));
                spool.append(&payloads(9, 10)).unwrap();
                let after = open(folder.path()).read(0, usize::MAX).unwrap();
                assert_eq!(after.payloads.len(), 4);
            }
        }
    }

    #[test]
    fn consumed_segments_go_and_offsets_go_on_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        for i in 0..40 {
            spool.append(&payloads(i, i + 1)).unwrap();
        }
        assert!(spool.segments.len() > 3);
        let first = spool.read(0, 200).unwrap();
        spool.advance(first.next).unwrap();
        drop(spool);
        let mut spool = open(folder.path());
        assert_eq!(spool.cursor(), first.next);
        let rest = spool.read(spool.cursor(), usize::MAX).unwrap();
        assert_eq!(first.payloads.len() + rest.payloads.len(), 40);
        let end = spool.end();
        spool.advance(end).unwrap();
        assert_eq!(spool.used(), 0);
        assert_eq!(open(folder.path()).end(), end);
    }

    #[test]
    fn a_reader_holds_what_it_has_not_read_but_no_more_than_half_of_the_spool() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        spool.hold("slow", 0).unwrap();
        for i in 0..40 {
            let end = spool.append(&payloads(i, i + 1)).unwrap();
            spool.advance(end).unwrap();
        }
        drop(spool);
        let mut spool = open(folder.path());
        let all = spool.read(0, usize::MAX).unwrap();
        assert_eq!((spool.start(), all.payloads.len()), (0, 40), "held over a restart");
        spool.hold("slow", all.ends[20]).unwrap();
        assert!((1..=all.ends[20]).contains(&spool.start()), "what is read goes");
        let rest = spool.read(all.ends[20], usize::MAX).unwrap();
        assert_eq!(rest.payloads, payloads(21, 40));
        for i in 40..400 {
            let end = spool.append(&payloads(i, i + 1)).unwrap();
            spool.advance(end).unwrap();
            assert!(spool.used() <= 4096 / 2 + 200, "{}", spool.used());
        }
        assert!(spool.start() > all.ends[20], "the intake goes on");
    }

    #[test]
    fn a_full_spool_refuses_the_whole_batch_and_stays_usable() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        assert!(matches!(spool.append(&vec![vec![7u8; 1500]; 3]), Err(Error::SpoolFull { .. })));
        assert_eq!(spool.used(), 0);
        spool.append(&payloads(0, 1)).unwrap();
        assert!(matches!(spool.append(&[[0u8; 0]]), Err(Error::FrameSize { .. })));
    }

    #[test]
    fn damage_in_a_closed_segment_is_said_and_does_not_stop_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        spool.append(&payloads(0, 10)).unwrap();
        spool.append(&payloads(10, 11)).unwrap();
        let path = spool.segments[0].path.clone();
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        let batch = spool.read(0, usize::MAX).unwrap();
        assert!(batch.damaged_bytes > 0);
        assert_eq!(batch.payloads.last(), payloads(10, 11).last());
        assert_eq!(batch.next, spool.end());
    }
}
