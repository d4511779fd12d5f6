//! Search over the archive: by time, source, one field and text, pruned by day and statistics.
//!
//! Reads only what can match: days that ended before `from`, segments whose footer times or column
//! statistics exclude the query, and, once `limit` is full, segments that hold nothing nearer.

use std::{cmp::Reverse, fs::File, path::Path};

use model::Timestamp;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder},
    file::metadata::RowGroupMetaData,
};

use crate::{
    archive::{SegmentInfo, events_of, info_of, list},
    error::{At, Result},
    event::Event,
};

/// What is looked for; every part that is given must hold.
#[derive(Clone, Debug)]
pub struct Query {
    /// Earliest [`Event::time`], inclusive.
    pub from: Option<Timestamp>,
    /// Latest [`Event::time`], exclusive.
    pub to: Option<Timestamp>,
    pub source: Option<String>,
    /// A column (`host`, `app`, `class`, `severity`, `message`) or a field, and its exact value.
    pub field: Option<(String, String)>,
    /// Part of the message, without regard to case.
    pub text: Option<String>,
    pub limit: usize,
    pub newest_first: bool,
}

impl Default for Query {
    fn default() -> Self {
        Query {
            from: None,
            to: None,
            source: None,
            field: None,
            text: None,
            limit: 100,
            newest_first: true,
        }
    }
}

/// What was found, and how much had to be read for it.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    pub events: Vec<Event>,
    pub scanned_segments: usize,
    pub pruned_segments: usize,
    /// Segments that could not be read; their events are missing here.
    pub unreadable: Vec<String>,
}

/// Searches the archive in `folder`.
pub fn search(folder: &Path, query: &Query) -> Result<SearchResult> {
    let mut result = SearchResult::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    for (day, path) in list(folder)? {
        if day_is_over(&day, query) {
            result.pruned_segments += 1;
            continue;
        }
        match candidate(&path, query) {
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
    let text = query.text.as_ref().map(|text| text.to_lowercase());
    for candidate in candidates {
        if is_full(&result.events, query, &candidate.info) {
            result.pruned_segments += 1;
            continue;
        }
        match scan(candidate, query, text.as_deref()) {
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

struct Candidate {
    info: SegmentInfo,
    file: File,
    metadata: ArrowReaderMetadata,
    row_groups: Vec<usize>,
}

/// [`Event::time`] is at most a day after arrival, so a folder two days before `from` holds nothing.
fn day_is_over(day: &str, query: &Query) -> bool {
    let start = Timestamp::parse(&format!("{day}T00:00:00Z"));
    start.zip(query.from).is_some_and(|(start, from)| start.plus_hours(48) < from)
}

fn candidate(path: &Path, query: &Query) -> Result<Option<Candidate>> {
    let file = File::open(path).at("open", path)?;
    let bytes = file.metadata().at("look at", path)?.len();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).at("read", path)?;
    let info = info_of(path, bytes, metadata.metadata())?;
    let outside = query.from.is_some_and(|from| info.max_time < from)
        || query.to.is_some_and(|to| info.min_time >= to);
    if outside {
        return Ok(None);
    }
    let groups = metadata.metadata().row_groups();
    let row_groups: Vec<usize> =
        (0..groups.len()).filter(|i| group_may_match(&groups[*i], query)).collect();
    let found = Candidate { info, file, metadata, row_groups };
    Ok((!found.row_groups.is_empty()).then_some(found))
}

fn group_may_match(group: &RowGroupMetaData, query: &Query) -> bool {
    let may_hold = |column: &str, value: &str| {
        let columns = group.columns().iter();
        let statistics =
            columns.filter(|c| c.column_path().string() == column).find_map(|c| c.statistics());
        let bounds = statistics.and_then(|s| s.min_bytes_opt().zip(s.max_bytes_opt()));
        bounds.is_none_or(|(min, max)| min <= value.as_bytes() && value.as_bytes() <= max)
    };
    let source = query.source.as_deref().is_none_or(|source| may_hold("source", source));
    // A field is not pruned by the column of its name: JSON may carry another `host` in its fields.
    source
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

fn scan(candidate: Candidate, query: &Query, text: Option<&str>) -> Result<Vec<Event>> {
    let path = candidate.info.path.as_path();
    let reader =
        ParquetRecordBatchReaderBuilder::new_with_metadata(candidate.file, candidate.metadata)
            .with_row_groups(candidate.row_groups)
            .build()
            .at("read", path)?;
    let mut found = Vec::new();
    for batch in reader {
        let events = events_of(path, &batch?)?.into_iter();
        found.extend(events.filter(|event| matches(event, query, text)));
    }
    Ok(found)
}

fn matches(event: &Event, query: &Query, text: Option<&str>) -> bool {
    query.from.is_none_or(|from| event.time() >= from)
        && query.to.is_none_or(|to| event.time() < to)
        && query.source.as_ref().is_none_or(|source| *source == event.source)
        && query.field.as_ref().is_none_or(|(name, value)| field_is(event, name, value))
        && text.is_none_or(|text| event.message.to_lowercase().contains(text))
}

fn field_is(event: &Event, name: &str, value: &str) -> bool {
    if event.fields.get(name).is_some_and(|v| v == value) {
        return true;
    }
    match name {
        "host" => event.host == value,
        "app" => event.app == value,
        "source" => event.source == value,
        "message" => event.message == value,
        "class" => event.class.to_string() == value,
        "severity" => event.severity.to_string() == value,
        _ => false,
    }
}
