//! Follows a log file over rotation and truncation.

use std::{
    fmt,
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Allow, Shutdown, blocking, now, pause, room};
use crate::{
    Format, MAX_LINE_BYTES, Marked, RawLine, Result, Stream, error::At, files::read_json, notices,
};

const CHUNK_BYTES: u64 = 1 << 20;
const HEAD_BYTES: u64 = 256;

/// Where reading goes on, and how the file is known again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    inode: u64,
    offset: u64,
    head_bytes: u64,
    head_crc: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.inode, self.offset, self.head_bytes, self.head_crc)
    }
}

impl Position {
    fn parse(text: &str) -> Option<Position> {
        let mut parts = text.split(' ').map(str::parse::<u64>);
        let mut next = || parts.next()?.ok();
        let (inode, offset, head_bytes) = (next()?, next()?, next()?);
        let head_crc = u32::try_from(next()?).ok()?;
        Some(Position { inode, offset, head_bytes, head_crc })
    }

    /// Behind `offset` of the file that begins with `head`.
    fn behind(&self, offset: u64, head: &[u8]) -> Position {
        let mut position = Position { offset, ..self.clone() };
        let most = head.len() as u64;
        if position.head_bytes < most && position.head_bytes < offset {
            position.head_bytes = offset.min(most);
            position.head_crc = crc32c::crc32c(&head[..position.head_bytes as usize]);
        }
        position
    }
}

/// A followed file.
#[derive(Debug)]
pub struct FileTail {
    path: PathBuf,
    source: String,
    format: Format,
    /// Name of its mark in the stream.
    intake: String,
    backlog_bytes_max: u64,
    position: Option<Position>,
    /// Kept open, so that a renamed file can be read to its end.
    file: Option<File>,
    /// What may be read at all; everything if nothing is said.
    only: Option<Allow>,
}

impl FileTail {
    /// Follows `path`; of what is there already the newest `backlog_bytes_max` are read, the rest is
    /// counted as lost. Goes on where an earlier process stopped.
    pub fn open(
        stream: &Stream,
        source: &str,
        path: &Path,
        format: Format,
        backlog_bytes_max: u64,
    ) -> Result<FileTail> {
        let name: String =
            source.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let crc = crc32c::crc32c(format!("{source}\0{}", path.display()).as_bytes());
        let intake = format!("file-{name}-{crc:08x}");
        let position = match stream.mark(&intake) {
            Some(mark) => Position::parse(&mark),
            None => read_json(&stream.state_folder().join(format!("{intake}.json")))?,
        };
        let (path, source) = (path.to_path_buf(), source.to_owned());
        let (file, only) = (None, None);
        Ok(FileTail { path, source, format, intake, backlog_bytes_max, position, file, only })
    }

    /// Reads only what these patterns admit, whatever stands under its name when it is opened.
    pub fn only(mut self, allow: Allow) -> FileTail {
        self.only = Some(allow);
        self
    }

    /// Opens a file of the name that is followed. One that is no regular file must not be waited for.
    fn open_only(&self, path: &Path) -> std::io::Result<File> {
        let Some(only) = &self.only else { return File::open(path) };
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
        only.admits(&file)?;
        Ok(file)
    }

    /// Follows until the end; one look a second.
    pub async fn run(mut self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        while room(&stream, &mut shutdown).await {
            let handle = stream.clone();
            let (tail, lines) = blocking(move || {
                let lines = self.poll(&handle);
                Ok((self, lines))
            })
            .await?;
            self = tail;
            let idle = match lines {
                Ok(lines) => lines == 0,
                Err(e) => {
                    tracing::warn!(source = self.source, error = %e, "file tail failed, tries again");
                    true
                }
            };
            if idle && !pause(Duration::from_secs(1), &mut shutdown).await {
                break;
            }
        }
        Ok(())
    }

    /// Reads at most one chunk and says how many lines were taken. Blocks on the disk.
    pub fn poll(&mut self, stream: &Stream) -> Result<u64> {
        let Ok(meta) = fs::metadata(&self.path) else { return Ok(0) };
        if let Some(old) = self.position.clone().filter(|p| p.inode != meta.ino()) {
            let lines = self.finish_rotated(stream, &old)?;
            if lines > 0 {
                return Ok(lines);
            }
            (self.file, self.position) = (None, None);
        }
        if self.file.is_none() {
            self.file = Some(self.open_only(&self.path).at("open", &self.path)?);
        }
        let Some(file) = &self.file else { return Ok(0) };
        let meta = file.metadata().at("look at", &self.path)?;
        let mut position = self.position.clone().unwrap_or_default();
        position.inode = meta.ino();
        if meta.len() < position.offset || !same_head(file, &position) {
            (position.offset, position.head_bytes) = (0, 0);
            self.lost(stream, &position, "truncated: unknown number of lines", 1)?;
        }
        let backlog = meta.len() - position.offset;
        if backlog > self.backlog_bytes_max {
            let to = meta.len() - self.backlog_bytes_max;
            let lines = skip(file, &mut position.offset, to).at("read", &self.path)?;
            tracing::warn!(source = self.source, lines, "skipped old backlog");
            self.lost(stream, &position, "backlog", lines)?;
        }
        self.take(stream, position, false)
    }

    /// Reads what is left of the file that was renamed away.
    fn finish_rotated(&mut self, stream: &Stream, old: &Position) -> Result<u64> {
        if self.file.is_none() {
            self.file = sibling(&self.path, old.inode).and_then(|p| self.open_only(&p).ok());
        }
        let known = self.file.as_ref().is_some_and(|file| {
            file.metadata().is_ok_and(|m| m.len() >= old.offset) && same_head(file, old)
        });
        if !known {
            if old.inode != 0 {
                let none = Position::default();
                self.lost(stream, &none, "rotated away: unknown number of lines", 1)?;
            }
            return Ok(0);
        }
        self.take(stream, old.clone(), true)
    }

    fn lost(&self, stream: &Stream, position: &Position, cause: &str, lines: u64) -> Result<()> {
        stream.lost_to(&self.intake, &position.to_string(), &self.source, cause, lines)
    }

    fn take(&mut self, stream: &Stream, mut position: Position, last: bool) -> Result<u64> {
        let Some(file) = &self.file else { return Ok(0) };
        let len = file.metadata().at("look at", &self.path)?.len();
        let size = len.saturating_sub(position.offset).min(CHUNK_BYTES);
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(&mut bytes, position.offset).at("read", &self.path)?;
        let at_end = position.offset + size == len;
        let used = match end_of_records(&bytes, self.format) {
            0 if size == CHUNK_BYTES || (last && at_end) => bytes.len(),
            _ if last && at_end => bytes.len(),
            used => used,
        };
        let records = records(&bytes[..used], self.format);
        let count = records.len() as u64;
        let (start, head) = (position.clone(), head(file, len));
        let behind = |used: usize| start.behind(start.offset + used as u64, &head);
        position = behind(used);
        if !records.is_empty() {
            let marked = records
                .into_iter()
                .map(|(line, end)| Marked { line, position: Some(behind(end).to_string()) });
            let mut lines: Vec<Marked> = marked.collect();
            if let Some(last) = lines.last_mut() {
                last.position = Some(position.to_string());
            }
            let notices = notices::found(lines.iter().map(|marked| &marked.line));
            let ack = stream.ingest_marked(&self.intake, &self.source, lines, now())?;
            notices::count(stream, &self.source, notices)?;
            if ack.refused.contains_key("spool full") {
                tracing::warn!(source = self.source, "lines refused, the spool is full");
            }
        } else if self.position.as_ref() != Some(&position) {
            stream.set_mark(&self.intake, &position.to_string())?;
        }
        self.position = Some(position);
        Ok(if count == 0 { u64::from(used > 0) } else { count })
    }
}

/// Bytes up to the end of the last whole record.
fn end_of_records(bytes: &[u8], format: Format) -> usize {
    let mark: &[u8] = if format == Format::AptHistory { b"\n\n" } else { b"\n" };
    let whole = bytes.windows(mark.len()).rposition(|w| w == mark).map_or(0, |at| at + mark.len());
    // The newest apt paragraph has no blank line after it yet, but its last line says so.
    let tail = &bytes[whole..];
    let done = format == Format::AptHistory
        && tail.ends_with(b"\n")
        && tail.windows(10).any(|w| w == b"\nEnd-Date:");
    if done { bytes.len() } else { whole }
}

/// The records, each with the offset behind it. A line that is too long comes in pieces.
fn records(bytes: &[u8], format: Format) -> Vec<(RawLine, usize)> {
    let mut out = Vec::new();
    if format == Format::AptHistory {
        let mut start = 0;
        let ends = bytes.windows(2).enumerate().filter(|(_, w)| w == b"\n\n").map(|(at, _)| at);
        for end in ends.chain([bytes.len()]) {
            let text = bytes[start..end.max(start)].trim_ascii().to_vec();
            out.push((RawLine::with_format(text, format), end));
            start = end;
        }
        out.retain(|(line, _)| !line.bytes.is_empty());
        return out;
    }
    let mut end = 0;
    for whole in bytes.split_inclusive(|b| *b == b'\n') {
        let line = whole.strip_suffix(b"\n").map_or(whole, |l| l.strip_suffix(b"\r").unwrap_or(l));
        let first = u16::from(line.len() > MAX_LINE_BYTES);
        for (part, piece) in (first..=u16::MAX).zip(line.chunks(MAX_LINE_BYTES)) {
            let line = RawLine { bytes: piece.to_vec(), format, peer: None, part };
            out.push((line, end + usize::from(part.max(1) - 1) * MAX_LINE_BYTES + piece.len()));
        }
        end += whole.len();
        if let Some(last) = out.last_mut().filter(|_| !line.is_empty()) {
            last.1 = end;
        }
    }
    out
}

/// Counts the lines up to `to` and then on to the next line start.
fn skip(file: &File, offset: &mut u64, to: u64) -> std::io::Result<u64> {
    let mut lines = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let got = file.read_at(&mut buffer, *offset)?;
        if got == 0 {
            return Ok(lines);
        }
        for byte in &buffer[..got] {
            *offset += 1;
            lines += u64::from(*byte == b'\n');
            if *byte == b'\n' && *offset >= to {
                return Ok(lines);
            }
        }
    }
}

fn same_head(file: &File, position: &Position) -> bool {
    position.head_bytes == 0 || head_crc(file, position.head_bytes) == Some(position.head_crc)
}

/// What the file begins with.
fn head(file: &File, len: u64) -> Vec<u8> {
    let mut head = vec![0; len.min(HEAD_BYTES) as usize];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => head,
        Err(_) => Vec::new(),
    }
}

fn head_crc(file: &File, bytes: u64) -> Option<u32> {
    let mut head = vec![0; bytes.min(HEAD_BYTES) as usize];
    file.read_exact_at(&mut head, 0).ok()?;
    Some(crc32c::crc32c(&head))
}

/// The renamed file: in the same folder, with the same inode.
fn sibling(path: &Path, inode: u64) -> Option<PathBuf> {
    let entries = fs::read_dir(path.parent()?).ok()?.take(10_000).flatten();
    let found = entries.filter(|e| e.metadata().is_ok_and(|m| m.is_file() && m.ino() == inode));
    found.map(|e| e.path()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn drain(tail: &mut FileTail, stream: &Stream) -> u64 {
        let mut sum = 0;
        loop {
            match tail.poll(stream).unwrap() {
                0 => return sum,
                lines => sum += lines,
            }
        }
    }

    #[test]
    fn follows_rotation_truncation_and_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(&folder.path().join("s"), Limits::default()).unwrap();
        let path = folder.path().join("x.log");
        let tail = || FileTail::open(&stream, "x", &path, Format::Auto, 1 << 20).unwrap();
        fs::write(&path, "a\nb\nhalf").unwrap();
        let mut first = tail();
        assert_eq!(drain(&mut first, &stream), 2);
        fs::write(&path, "a\nb\nhalf line\nc\n").unwrap();
        drop(first);
        let mut second = tail();
        assert_eq!(drain(&mut second, &stream), 2);
        drop(second);
        // Rotated while nobody looked, with one more line before.
        fs::write(&path, "a\nb\nhalf line\nc\nd\n").unwrap();
        fs::rename(&path, folder.path().join("x.log.1")).unwrap();
        fs::write(&path, "new\n").unwrap();
        let mut third = tail();
        assert_eq!(drain(&mut third, &stream), 2);
        fs::write(&path, "").unwrap();
        drain(&mut third, &stream);
        let counters = stream.counters();
        assert_eq!(counters["x"].stored, 6);
        assert_eq!(counters["x"].lost.values().sum::<u64>(), 1);
    }

    #[test]
    fn an_old_backlog_is_counted_as_lost() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(&folder.path().join("s"), Limits::default()).unwrap();
        let path = folder.path().join("x.log");
        fs::write(&path, "0123456789\n".repeat(100)).unwrap();
        let mut tail = FileTail::open(&stream, "x", &path, Format::Plain, 110).unwrap();
        assert_eq!(drain(&mut tail, &stream), 10);
        let counters = stream.counters();
        assert_eq!((counters["x"].lost["backlog"], counters["x"].received), (90, 100));
    }

    #[test]
    fn apt_paragraphs_are_one_record_each() {
        let text =
            b"\nStart-Date: 1\nA: b\nEnd-Date: 2\n\nStart-Date: 3\nEnd-Date: 4\n\nStart-Date: 5\n";
        let end = end_of_records(text, Format::AptHistory);
        assert_eq!(records(&text[..end], Format::AptHistory).len(), 2);
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            let (path, target) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                copy(&path, &target);
            } else {
                fs::copy(&path, &target).unwrap();
            }
        }
    }

    fn texts(stream: &Stream) -> Vec<String> {
        stream.flush(now()).unwrap();
        let query = crate::Query { limit: 1_000, ..crate::Query::default() };
        let found = stream.search(&query).unwrap();
        let mut all: Vec<String> = found.events.into_iter().map(|e| e.message).collect();
        all.sort();
        all
    }

    #[test]
    fn killed_at_any_byte_of_a_batch_every_line_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let before = folder.path().join("before");
        let mut written: Vec<String> = (10..16).map(|n| format!("line {n}")).collect();
        fs::write(&path, written[..3].join("\n") + "\n").unwrap();
        let open = |folder: &Path| Stream::open(folder, Limits::default()).unwrap();
        let tail = |s: &Stream| FileTail::open(s, "x", &path, Format::Plain, 1 << 20).unwrap();
        let stream = open(&before);
        drain(&mut tail(&stream), &stream);
        // Counters and consumed segments may be older or newer than the batch that is cut off.
        stream.flush(now()).unwrap();
        fs::write(&path, written.join("\n") + "\n\n").unwrap();
        drain(&mut tail(&stream), &stream);
        drop(stream);
        written.sort();
        let segment = fs::read_dir(before.join("spool")).unwrap().flatten().map(|e| e.path());
        let segment =
            segment.filter(|p| p.extension().is_some_and(|e| e == "spool")).max().unwrap();
        let len = fs::metadata(&segment).unwrap().len();
        assert!(len > 100);
        // Every seventh byte meets every part of a frame: their lengths have no factor with 7.
        for cut in (0..=len).step_by(7).chain([len]) {
            let after = folder.path().join(format!("cut-{cut}"));
            copy(&before, &after);
            let torn = after.join("spool").join(segment.file_name().unwrap());
            File::options().write(true).open(&torn).unwrap().set_len(cut).unwrap();
            let stream = open(&after);
            drain(&mut tail(&stream), &stream);
            assert_eq!(texts(&stream), written, "cut at {cut} of {len}");
            assert_eq!(stream.counters()["x"].received, 6, "cut at {cut}");
            drop(stream);
            fs::remove_dir_all(&after).unwrap();
        }
    }

    #[test]
    fn a_position_of_an_older_version_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let path = folder.path().join("x.log");
        fs::write(&path, "a\nb\n").unwrap();
        let tail = || FileTail::open(&stream, "x", &path, Format::Plain, 1 << 20).unwrap();
        let first = tail();
        let inode = fs::metadata(&path).unwrap().ino();
        let old = Position { inode, offset: 2, ..Position::default() };
        let state = stream.state_folder().join(format!("{}.json", first.intake));
        crate::files::write_json(&state, &old).unwrap();
        assert_eq!(drain(&mut tail(), &stream), 1);
        assert_eq!(drain(&mut tail(), &stream), 0);
    }

    #[test]
    fn pieces_of_a_long_line_say_where_each_ends() {
        let long = [vec![b'x'; MAX_LINE_BYTES + 3], b"\r\n\nshort\n".to_vec()].concat();
        let all: Vec<_> =
            records(&long, Format::Plain).into_iter().map(|(l, end)| (l.part, end)).collect();
        assert_eq!(all, [(1, MAX_LINE_BYTES), (2, MAX_LINE_BYTES + 5), (0, long.len())]);
    }
}
