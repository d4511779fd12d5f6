//! Search over the archive: by time, source and terms, pruned by day, sidecars and statistics.
//!
//! Reads only what can match: days that ended before `from`, segments whose times, sources or grams exclude the
//! query, and, once `limit` is full, segments that hold nothing nearer. A segment without a sidecar is read.

use std::{cmp::Reverse, fs::File, path::Path};

use arrow_array::{cast::AsArray, types::TimestampMicrosecondType};
use memchr::memmem;
use model::Timestamp;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder},
    },
    file::metadata::RowGroupMetaData,
};

use crate::{
    archive::{SegmentInfo, events_of, info_of, list},
    error::{At, Error, Result},
    event::Event,
    histogram::{EVENT_ROWS, Histogram, ROWS_MAX},
    personal::{self, MASK},
    query::Term,
    sidecar::Sidecar,
};

/// What is looked for; every part that is given must hold.
#[derive(Clone, Debug)]
pub struct Query {
    /// Earliest [`Event::time`], inclusive.
    pub from: Option<Timestamp>,
    /// Latest [`Event::time`], exclusive.
    pub to: Option<Timestamp>,
    pub source: Option<String>,
    /// Events of this program are left out.
    pub without_app: Option<&'static str>,
    /// What [`crate::query::parse`] read.
    pub terms: Vec<Term>,
    pub limit: usize,
    pub newest_first: bool,
    /// Whoever asks does not see what is about people ([`crate::personal`]), neither by looking nor by asking for it.
    pub hides_personal: bool,
    /// Bars of the histogram of all that is met; 0 for none.
    pub bars: usize,
}

impl Default for Query {
    fn default() -> Self {
        Query {
            from: None,
            to: None,
            source: None,
            without_app: None,
            terms: Vec::new(),
            limit: 100,
            newest_first: true,
            hides_personal: false,
            bars: 0,
        }
    }
}

/// What was found, and how much had to be read for it.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    pub events: Vec<Event>,
    pub scanned_segments: usize,
    pub pruned_segments: usize,
    /// Segments whose sidecar is missing or damaged, and which were read for that.
    pub without_sidecar: usize,
    /// Bytes read: of sidecars, footers, and row groups as they lie on the disk.
    pub read_bytes: u64,
    /// Bytes of all segments.
    pub archive_bytes: u64,
    /// Segments that could not be read; their events are missing here.
    pub unreadable: Vec<String>,
    pub histogram: Option<Histogram>,
}

/// Searches the archive in `folder`.
pub fn search(folder: &Path, query: &Query) -> Result<SearchResult> {
    let mut result = SearchResult::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    for (day, path) in list(folder)? {
        let bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
        result.archive_bytes += bytes;
        if day_is_over(&day, query) {
            result.pruned_segments += 1;
            continue;
        }
        match candidate(&path, bytes, query, &mut result) {
            Ok(Some(found)) => candidates.push(found),
            Ok(None) => result.pruned_segments += 1,
            Err(e) => result.unreadable.push(e.to_string()),
        }
    }
    if query.newest_first {
        candidates.sort_by_key(|c| Reverse(c.info.max_time));
    } else {
        candidates.sort_by_key(|c| c.info.min_time);
    }
    if query.bars > 0 {
        result.histogram = histogram(&candidates, query, &mut result.unreadable);
    }
    for candidate in candidates {
        if is_full(&result.events, query, &candidate.info) {
            result.pruned_segments += 1;
            continue;
        }
        result.read_bytes += candidate.row_group_bytes();
        match scan(&candidate, query) {
            Ok(events) => result.events.extend(events),
            Err(e) => result.unreadable.push(e.to_string()),
        }
        result.scanned_segments += 1;
        if query.newest_first {
            result.events.sort_by_key(|e| Reverse(e.time()));
        } else {
            result.events.sort_by_key(Event::time);
        }
        result.events.truncate(query.limit);
    }
    Ok(result)
}

/// A segment that may hold what is looked for, and where in it.
pub(crate) struct Candidate {
    pub(crate) info: SegmentInfo,
    pub(crate) file: File,
    pub(crate) metadata: ArrowReaderMetadata,
    pub(crate) row_groups: Vec<usize>,
}

impl Candidate {
    fn row_group_bytes(&self) -> u64 {
        let groups = self.metadata.metadata().row_groups();
        let of = |at: &usize| u64::try_from(groups[*at].compressed_size()).unwrap_or(0);
        self.row_groups.iter().map(of).sum()
    }

    /// A reader of the row groups that may hold something.
    fn reader(&self) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = self.file.try_clone().at("open", &self.info.path)?;
        let metadata = self.metadata.clone();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        Ok(builder.with_row_groups(self.row_groups.clone()))
    }
}

/// [`Event::time`] is at most a day after arrival, so a folder two days before `from` holds nothing.
pub(crate) fn day_is_over(day: &str, query: &Query) -> bool {
    let start = Timestamp::parse(&format!("{day}T00:00:00Z"));
    start.zip(query.from).is_some_and(|(start, from)| start.plus_hours(48) < from)
}

fn is_outside(query: &Query, min: Timestamp, max: Timestamp) -> bool {
    query.from.is_some_and(|from| max < from) || query.to.is_some_and(|to| min >= to)
}

pub(crate) fn candidate(
    path: &Path,
    bytes: u64,
    query: &Query,
    result: &mut SearchResult,
) -> Result<Option<Candidate>> {
    // The sidecar first: what it rules out is never opened.
    let mut sidecar = Sidecar::open(path);
    let possible = sidecar.as_mut().map(|sidecar| possible(sidecar, query));
    result.read_bytes += sidecar.as_ref().map_or(0, Sidecar::read_bytes);
    result.without_sidecar += usize::from(sidecar.as_ref().is_none_or(Sidecar::is_damaged));
    if possible.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    let file = File::open(path).at("open", path)?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).at("read", path)?;
    let info = info_of(path, bytes, metadata.metadata())?;
    let groups = metadata.metadata().row_groups();
    let of_groups: i64 = groups.iter().map(RowGroupMetaData::compressed_size).sum();
    result.read_bytes += bytes.saturating_sub(u64::try_from(of_groups).unwrap_or(0));
    if is_outside(query, info.min_time, info.max_time) {
        return Ok(None);
    }
    let row_groups: Vec<usize> = (0..groups.len())
        .filter(|at| possible.as_ref().is_none_or(|groups| groups.contains(at)))
        .filter(|at| group_may_match(&groups[*at], query))
        .collect();
    let found = Candidate { info, file, metadata, row_groups };
    Ok((!found.row_groups.is_empty()).then_some(found))
}

/// Row groups that a sidecar does not rule out.
fn possible(sidecar: &mut Sidecar, query: &Query) -> Vec<usize> {
    let source = query.source.as_deref();
    if is_outside(query, sidecar.min_time(), sidecar.max_time())
        || source.is_some_and(|source| !sidecar.may_have(source))
    {
        return Vec::new();
    }
    // The longest first: it is the one that rules most out.
    let mut literals: Vec<&[u8]> = query.terms.iter().flat_map(Term::literals).collect();
    // A mask stands in no segment.
    literals.retain(|literal| {
        !query.hides_personal || memmem::find(literal, MASK.as_bytes()).is_none()
    });
    literals.sort_by_key(|literal| Reverse(literal.len()));
    (0..sidecar.groups())
        .filter(|group| literals.iter().all(|literal| sidecar.may_hold(*group, literal)))
        .collect()
}

fn group_may_match(group: &RowGroupMetaData, query: &Query) -> bool {
    let may_hold = |column: &str, value: &str| {
        let columns = group.columns().iter();
        let statistics =
            columns.filter(|c| c.column_path().string() == column).find_map(|c| c.statistics());
        let bounds = statistics.and_then(|s| s.min_bytes_opt().zip(s.max_bytes_opt()));
        bounds.is_none_or(|(min, max)| min <= value.as_bytes() && value.as_bytes() <= max)
    };
    // A field is not pruned by the column of its name: JSON may carry another `host` in its fields.
    query.source.as_deref().is_none_or(|source| may_hold("source", source))
}

/// Whether enough is found and nothing in the segment could take its place.
fn is_full(events: &[Event], query: &Query, info: &SegmentInfo) -> bool {
    if events.len() < query.limit {
        return query.limit == 0;
    }
    let worst = events.last().map(Event::time);
    worst.is_some_and(|worst| {
        if query.newest_first { info.max_time <= worst } else { info.min_time >= worst }
    })
}

fn scan(candidate: &Candidate, query: &Query) -> Result<Vec<Event>> {
    let path = candidate.info.path.as_path();
    let reader = candidate.reader()?.build().at("read", path)?;
    let mut found = Vec::new();
    for batch in reader {
        let events = events_of(path, &batch?)?.into_iter();
        found.extend(events.filter_map(|event| met(event, query)));
    }
    Ok(found)
}

/// The event as whoever asks sees it, if the query holds for that.
fn met(event: Event, query: &Query) -> Option<Event> {
    let event = if query.hides_personal { personal::masked(event) } else { event };
    matches(&event, query).then_some(event)
}

/// All that the query holds for by time, newest segments first as far as the limit goes.
fn histogram(
    candidates: &[Candidate],
    query: &Query,
    unreadable: &mut Vec<String>,
) -> Option<Histogram> {
    let first = candidates.iter().map(|c| c.info.min_time).min()?;
    let last = candidates.iter().map(|c| c.info.max_time).max()?;
    let mut histogram = Histogram::over(query, first, last, query.bars)?;
    let mut newest: Vec<&Candidate> = candidates.iter().collect();
    newest.sort_by_key(|candidate| Reverse(candidate.info.max_time));
    let (mut weight, is_plain) = (0, query.terms.is_empty());
    for candidate in newest {
        let info = &candidate.info;
        if weight > ROWS_MAX {
            // Segments overlap in time: what lies behind this one's end is counted whole.
            let counted = Timestamp(info.max_time.0.saturating_add(1));
            histogram.counted_from = histogram.counted_from.max(Some(counted));
            break;
        }
        if is_plain
            && query.source.is_none()
            && query.without_app.is_none()
            && histogram.add_all(info.min_time, info.max_time, info.rows)
        {
            continue;
        }
        weight += info.rows * if is_plain { 1 } else { EVENT_ROWS };
        let counted = match is_plain {
            true => count_times(candidate, query, &mut histogram),
            false => count_events(candidate, query, &mut histogram),
        };
        if let Err(error) = counted {
            unreadable.push(error.to_string());
        }
    }
    Some(histogram)
}

/// Counts by the columns of time, source and program alone.
fn count_times(candidate: &Candidate, query: &Query, histogram: &mut Histogram) -> Result<()> {
    let path = candidate.info.path.as_path();
    let corrupt = || Error::Corrupt { path: path.into(), reason: "no times or names".into() };
    let builder = candidate.reader()?;
    let names = ["time", "source", "app"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    for batch in builder.with_projection(mask).build().at("read", path)? {
        let batch = batch?;
        let times = batch.column_by_name("time");
        let times = times.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let text = |name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let (sources, apps) = text("source").zip(text("app")).ok_or_else(corrupt)?;
        let times = times.ok_or_else(corrupt)?;
        for row in 0..batch.num_rows() {
            let is_met = query.source.as_deref().is_none_or(|source| source == sources.value(row))
                && query.without_app.is_none_or(|app| app != apps.value(row));
            if is_met {
                histogram.add(Timestamp(times.value(row)));
            }
        }
    }
    Ok(())
}

fn count_events(candidate: &Candidate, query: &Query, histogram: &mut Histogram) -> Result<()> {
    let path = candidate.info.path.as_path();
    for batch in candidate.reader()?.build().at("read", path)? {
        for event in events_of(path, &batch?)? {
            if let Some(event) = met(event, query) {
                histogram.add(event.time());
            }
        }
    }
    Ok(())
}

fn matches(event: &Event, query: &Query) -> bool {
    query.from.is_none_or(|from| event.time() >= from)
        && query.to.is_none_or(|to| event.time() < to)
        && query.source.as_ref().is_none_or(|source| *source == event.source)
        && query.without_app.is_none_or(|app| app != event.app)
        && query.terms.iter().all(|term| term.holds(event))
}
