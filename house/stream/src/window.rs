//! Every archived event of a span of time, in the order of its segments: what comparisons of hours read.
//!
//! Invariants: only folders of the days that can hold such an event are listed, of each day and class only the
//! segments that arrived near the span are opened (they lie in order of arrival, so the others are searched past),
//! only those whose footer meets the span are read, and of them no raw bytes but where a message is kept in
//! them; what was left out for a limit, or could not be read, is counted.
//!
//! Limits: an event that arrived more than [`LATE_H`] hours after its time, or [`AHEAD_H`] before it, is not found;
//! [`Span::rows_max`] rows are handed over.

use std::{
    borrow::Cow,
    fs::File,
    path::{Path, PathBuf},
};

use arrow_array::{BooleanArray, RecordBatch, cast::AsArray, types::TimestampMicrosecondType};
use arrow_schema::ArrowError;
use model::Timestamp;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{
        ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowFilter,
    },
};

use crate::{
    archive::{Columns, SegmentInfo, arrived_of, day, info_of, list_days},
    error::{At, Result},
};

/// Hours behind its own time by which an event has to have arrived.
pub const LATE_H: i64 = 6;
/// Hours by which a sender's clock may be ahead.
pub const AHEAD_H: i64 = 1;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Earliest [`Event::time`], inclusive.
    pub from: Timestamp,
    /// Latest [`Event::time`], exclusive.
    pub to: Timestamp,
    /// Events that are handed over at most.
    pub rows_max: u64,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Windowed {
    /// Segments that were read, by name.
    pub segments: Vec<SegmentInfo>,
    /// Footers that were looked at.
    pub looked_at: usize,
    /// Events that were handed over.
    pub rows: u64,
    /// There are more than the limit.
    pub is_cut: bool,
    /// Segments that could not be read; their events are missing.
    pub unreadable: Vec<String>,
}

/// An event as it lies in a segment, for whoever counts and keeps nothing of it.
pub struct Glimpse<'a> {
    pub time: Timestamp,
    pub source: &'a str,
    pub class: u32,
    pub host: &'a str,
    pub app: &'a str,
    pub message: &'a str,
    pub fields: &'a [Pair<'a>],
}

/// Name and value of a field.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

impl Glimpse<'_> {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_ref())
    }
}

/// Hands every event of the span to `each`, without its raw bytes and without a copy of anything.
pub fn window(folder: &Path, span: &Span, each: &mut dyn FnMut(&Glimpse<'_>)) -> Result<Windowed> {
    let mut found = Windowed::default();
    let mut there: Vec<Segment> = Vec::new();
    // When such an event can have arrived.
    let arrived = (span.from.minus_hours(AHEAD_H), span.to.plus_hours(LATE_H));
    for segments in list_days(folder, &day(arrived.0), &day(arrived.1))? {
        for path in near(&segments, arrived, &mut found.looked_at) {
            found.looked_at += 1;
            match open(path) {
                Ok(segment) if segment.0.max_time < span.from || segment.0.min_time >= span.to => {}
                Ok(segment) => there.push(segment),
                Err(error) => found.unreadable.push(error.to_string()),
            }
        }
    }
    there.sort_by(|a, b| (a.0.min_time, &a.0.path).cmp(&(b.0.min_time, &b.0.path)));
    for (info, file, metadata) in there {
        if found.is_cut {
            break;
        }
        match read(&info.path, file, metadata, span, &mut found, each) {
            Ok(()) => found.segments.push(info),
            Err(error) => found.unreadable.push(error.to_string()),
        }
    }
    found.segments.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The segments that arrived in a span, of segments in order of arrival. One that cannot be read may be any, so it
/// ends the search on its side and nothing behind it is searched past.
fn near<'s>(
    segments: &'s [PathBuf],
    (from, to): (Timestamp, Timestamp),
    looked_at: &mut usize,
) -> &'s [PathBuf] {
    let mut arrived = |at: usize| {
        *looked_at += 1;
        let (_, _, metadata) = open(&segments[at]).ok()?;
        arrived_of(metadata.metadata())
    };
    let (mut low, mut high) = (0, segments.len());
    // Everything before `low` arrived before the span.
    let mut end = high;
    while low < end {
        let middle = low + (end - low) / 2;
        match arrived(middle) {
            Some((_, last)) if last < from.0 => low = middle + 1,
            Some(_) => end = middle,
            None => break,
        }
    }
    // Everything from `high` on arrived behind it.
    let mut begin = low;
    while begin < high {
        let middle = begin + (high - begin) / 2;
        match arrived(middle) {
            Some((first, _)) if first > to.0 => high = middle,
            Some(_) => begin = middle + 1,
            None => break,
        }
    }
    &segments[low..high]
}

type Segment = (SegmentInfo, File, ArrowReaderMetadata);

fn open(path: &Path) -> Result<Segment> {
    let file = File::open(path).at("open", path)?;
    let bytes = file.metadata().at("look at", path)?.len();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).at("read", path)?;
    Ok((info_of(path, bytes, metadata.metadata())?, file, metadata))
}

fn read(
    path: &Path,
    file: File,
    metadata: ArrowReaderMetadata,
    span: &Span,
    found: &mut Windowed,
    each: &mut dyn FnMut(&Glimpse<'_>),
) -> Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let all = builder.parquet_schema().columns();
    // Where messages are kept once, the raw bytes hold them.
    let needs_raw = all.iter().any(|c| c.name() == "message_at");
    let columns = all.iter().enumerate();
    let kept = columns.filter(|(_, c)| needs_raw || c.name() != "raw").map(|(n, _)| n);
    let mask = ProjectionMask::leaves(builder.parquet_schema(), kept.collect::<Vec<_>>());
    // Times are read first: of rows outside nothing else is unpacked into batches.
    let time = ProjectionMask::columns(builder.parquet_schema(), ["time"]);
    let within = ArrowPredicateFn::new(time, within(*span));
    let builder = builder.with_row_filter(RowFilter::new(vec![Box::new(within)]));
    for batch in builder.with_projection(mask).build().at("read", path)? {
        let batch = batch?;
        let columns = Columns::of(path, &batch)?;
        let mut pairs = Vec::new();
        for row in 0..batch.num_rows() {
            let time = columns.time(row);
            if time < span.from || time >= span.to {
                continue;
            }
            if found.rows == span.rows_max {
                found.is_cut = true;
                return Ok(());
            }
            found.rows += 1;
            columns.pairs(row, &mut pairs)?;
            each(&Glimpse {
                time,
                source: columns.source(row),
                class: columns.class(row),
                host: columns.host(row),
                app: columns.app(row),
                message: columns.said(row)?,
                fields: &pairs,
            });
        }
    }
    Ok(())
}

/// Whether each row of a batch of times lies in the span.
fn within(
    span: Span,
) -> impl FnMut(RecordBatch) -> std::result::Result<BooleanArray, ArrowError> + Send + 'static {
    move |batch| {
        let times = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>();
        let wrong = || ArrowError::SchemaError("column time has another type".to_owned());
        let times = times.ok_or_else(wrong)?;
        let inside = |time: &i64| (span.from.0..span.to.0).contains(time);
        Ok(times.values().iter().map(|time| Some(inside(time))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stream, event::RawLine, stream::Limits};

    const NOON: &str = "2026-11-20T12:00:00Z";

    fn stream(folder: &Path) -> Stream {
        Stream::open(folder, Limits::default()).expect("stream")
    }

    fn lines(range: std::ops::Range<u32>) -> Vec<RawLine> {
        let line = |n| format!("{{\"time\":\"2026-11-20T12:{n:02}:00Z\",\"message\":\"m{n}\"}}");
        range.map(|n| RawLine::new(line(n))).collect()
    }

    fn read(folder: &Path, from: i64, to: i64, rows_max: u64) -> (Windowed, Vec<String>) {
        let noon = Timestamp::parse(NOON).expect("time");
        let at = |minute: i64| Timestamp(noon.0 + minute * 60_000_000);
        let span = Span { from: at(from), to: at(to), rows_max };
        let mut seen = Vec::new();
        let found = window(&folder.join("archive"), &span, &mut |event| {
            seen.push(event.message.to_owned());
        });
        (found.expect("read"), seen)
    }

    #[test]
    fn every_event_of_the_span_is_handed_over_and_nothing_else_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let stream = stream(folder.path());
        let noon = Timestamp::parse(NOON).expect("time");
        for part in [0..20, 20..40, 40..60] {
            stream.ingest("app", lines(part), noon.plus_hours(1)).expect("stored");
            stream.flush(noon.plus_hours(1)).expect("archived");
        }
        let (found, seen) = read(folder.path(), 15, 25, 100);
        assert_eq!(seen, (15..25).map(|n| format!("m{n}")).collect::<Vec<_>>());
        assert_eq!((found.segments.len(), found.rows, found.is_cut), (2, 10, false));
        let (found, seen) = read(folder.path(), 0, 60, 30);
        assert_eq!((seen.len(), found.is_cut), (30, true), "a limit is told");
        let (found, seen) = read(folder.path(), 60, 90, 30);
        assert_eq!((seen.len(), found.segments.len()), (0, 0));
    }

    #[test]
    fn a_segment_that_cannot_be_read_is_named_and_the_others_are_read() {
        let folder = tempfile::tempdir().expect("folder");
        let stream = stream(folder.path());
        let noon = Timestamp::parse(NOON).expect("time");
        stream.ingest("app", lines(0..10), noon).expect("stored");
        let first = stream.flush(noon).expect("archived");
        stream.ingest("app", lines(10..20), noon).expect("stored");
        stream.flush(noon).expect("archived");
        std::fs::write(&first[0].path, b"not Parquet").expect("damaged");
        let (found, seen) = read(folder.path(), 0, 60, 100);
        assert_eq!((seen.len(), found.unreadable.len()), (10, 1));
    }

    #[test]
    fn of_many_segments_only_those_that_arrived_near_the_span_are_opened() {
        let folder = tempfile::tempdir().expect("folder");
        let stream = stream(folder.path());
        let begin = Timestamp::parse("2026-11-20T00:00:00Z").expect("time");
        for part in 0..48 {
            let at = Timestamp(begin.0 + part * 1_800_000_000);
            let line = format!("{{\"time\":\"{}\",\"message\":\"m{part}\"}}", at.rfc3339());
            stream.ingest("app", vec![RawLine::new(line)], at).expect("stored");
            stream.flush(at).expect("archived");
        }
        // From noon for an hour: two of the segments, and footers of an hour before to six after.
        let (found, seen) = read(folder.path(), 0, 60, 1_000);
        assert_eq!(seen, (24..26).map(|n| format!("m{n}")).collect::<Vec<_>>());
        assert_eq!(found.segments.len(), 2);
        assert!(found.looked_at < 17 + 14, "{}", found.looked_at);
    }

    #[test]
    fn what_came_late_is_found_and_what_came_far_too_late_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let stream = stream(folder.path());
        let noon = Timestamp::parse(NOON).expect("time");
        for hours in [1, 5, 9] {
            let line = format!("{{\"time\":\"{NOON}\",\"message\":\"late {hours}\"}}");
            let at = noon.plus_hours(hours);
            stream.ingest("app", vec![RawLine::new(line)], at).expect("stored");
            stream.flush(at).expect("archived");
        }
        assert_eq!(read(folder.path(), 0, 60, 10).1, ["late 1", "late 5"]);
    }
}
