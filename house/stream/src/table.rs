//! The archive as a table: the segments of a span, and their rows in columns. For SQL.
//!
//! A row has the columns of [`schema`], as a search shows them: the message is whole wherever the segment keeps it,
//! raw bytes are text. Only what the asked columns need is read. Rows outside the span are left out. What is pruned
//! is what [`crate::search()`] prunes by span, source and sidecar.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray,
    builder::StringBuilder,
    cast::AsArray,
    types::{TimestampMicrosecondType, UInt32Type},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::filter::filter_record_batch;
use model::Timestamp;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder},
};

use crate::{
    archive::list,
    error::{At, Error, Result},
    search::{Query, candidate, day_is_over},
};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Names of the columns, in order.
pub const COLUMNS: [&str; 11] = [
    "time",
    "arrived",
    "event_time",
    "source",
    "class",
    "host",
    "app",
    "severity",
    "message",
    "fields",
    "raw",
];

/// The columns that a reader of SQL sees.
pub fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str| match name {
        "time" | "arrived" => Field::new(name, time(), false),
        "event_time" => Field::new(name, time(), true),
        "class" => Field::new(name, DataType::UInt32, false),
        "severity" => Field::new(name, DataType::UInt8, false),
        _ => Field::new(name, DataType::Utf8, false),
    };
    Arc::new(Schema::new(COLUMNS.map(field).to_vec()))
}

/// Which segments are to be read.
#[derive(Debug, Default)]
pub struct Selected {
    pub segments: Vec<Segment>,
    pub pruned: usize,
    /// Segments that could not be opened; their events are missing.
    pub unreadable: Vec<String>,
}

/// A segment, and what of it is to be read.
#[derive(Clone, Debug)]
pub struct Segment {
    path: PathBuf,
    row_groups: Vec<usize>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// The segments that may hold events of `query`, the newest first; `classes` leaves out those of other classes.
pub fn select(folder: &Path, query: &Query, classes: Option<&[u32]>) -> Result<Selected> {
    let mut selected = Selected::default();
    let mut found = Vec::new();
    for (day, path) in list(folder)? {
        let class = path.parent().and_then(|p| p.file_name()?.to_str()?.parse::<u32>().ok());
        let other =
            classes.is_some_and(|wanted| class.is_some_and(|class| !wanted.contains(&class)));
        if other || day_is_over(&day, query) {
            selected.pruned += 1;
            continue;
        }
        let bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
        match candidate(&path, bytes, query, &mut crate::SearchResult::default()) {
            Ok(Some(one)) => found.push((one.info.max_time, path, one.row_groups)),
            Ok(None) => selected.pruned += 1,
            Err(error) => selected.unreadable.push(error.to_string()),
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    let segment =
        |(_, path, row_groups)| Segment { path, row_groups, from: query.from, to: query.to };
    selected.segments = found.into_iter().map(segment).collect();
    Ok(selected)
}

impl Segment {
    /// The rows, batch by batch; `columns` are places in [`COLUMNS`].
    pub fn read(&self, columns: &[usize]) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let path = self.path.clone();
        let file = File::open(&path).at("open", &path)?;
        let metadata = ArrowReaderMetadata::load(&file, Default::default()).at("read", &path)?;
        let mut names = vec!["time"];
        for column in columns.iter().filter_map(|at| COLUMNS.get(*at)) {
            names.push(column);
            if *column == "message" {
                names.extend(["message_at", "raw"]);
            }
        }
        let schema = metadata.metadata().file_metadata().schema_descr_ptr();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_projection(ProjectionMask::columns(&schema, names))
            .with_row_groups(self.row_groups.clone())
            .with_batch_size(BATCH_ROWS)
            .build()
            .at("read", &path)?;
        let (columns, segment) = (columns.to_vec(), self.clone());
        Ok(reader.map(move |batch| segment.shown(&batch?, &columns)))
    }

    fn shown(&self, batch: &RecordBatch, columns: &[usize]) -> Result<RecordBatch> {
        let within = self.within(batch)?;
        let batch = match within {
            Some(mask) => &filter_record_batch(batch, &mask)?,
            None => batch,
        };
        let whole = schema();
        let fields: Vec<_> = columns.iter().map(|at| whole.field(*at).clone()).collect();
        let arrays = columns.iter().map(|at| self.column(batch, COLUMNS[*at]));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &rows)?)
    }

    /// Which rows lie in the span; none if all do.
    fn within(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        let times: &TimestampMicrosecondArray = self
            .named(batch, "time")?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| self.corrupt("column time has another type"))?;
        let holds = |time: &i64| {
            self.from.is_none_or(|from| *time >= from.0) && self.to.is_none_or(|to| *time < to.0)
        };
        let mask: Vec<bool> = times.values().iter().map(holds).collect();
        Ok(mask.contains(&false).then(|| BooleanArray::from(mask)))
    }

    fn column(&self, batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
        match name {
            "message" => self.messages(batch),
            "raw" => {
                let raw = self.named(batch, "raw")?;
                let raw = raw.as_binary_opt::<i32>();
                let raw = raw.ok_or_else(|| self.corrupt("column raw has another type"))?;
                let texts = (0..raw.len()).map(|row| String::from_utf8_lossy(raw.value(row)));
                Ok(Arc::new(StringArray::from_iter_values(texts)))
            }
            name => {
                let column = self.named(batch, name)?;
                let wanted = schema().field_with_name(name)?.data_type().clone();
                if *column.data_type() != wanted {
                    return Err(self.corrupt(&format!("column {name} has another type")));
                }
                Ok(column.clone())
            }
        }
    }

    fn messages(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let said = self.named(batch, "message")?;
        let texts = said.as_string_opt::<i32>();
        let texts = texts.ok_or_else(|| self.corrupt("column message has another type"))?;
        let places =
            batch.column_by_name("message_at").and_then(|c| c.as_primitive_opt::<UInt32Type>());
        let Some(places) = places.filter(|places| places.null_count() < places.len()) else {
            return Ok(said.clone());
        };
        let raw = self.named(batch, "raw")?.as_binary_opt::<i32>();
        let raw = raw.ok_or_else(|| self.corrupt("column raw has another type"))?;
        let mut all = StringBuilder::new();
        for row in 0..texts.len() {
            if places.is_null(row) {
                all.append_value(texts.value(row));
                continue;
            }
            let end = raw.value(row).get(places.value(row) as usize..);
            let end = end.and_then(|bytes| std::str::from_utf8(bytes).ok());
            all.append_value(end.ok_or_else(|| self.corrupt("no message where it is said to be"))?);
        }
        Ok(Arc::new(all.finish()))
    }

    fn named<'a>(&self, batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
        batch.column_by_name(name).ok_or_else(|| self.corrupt(&format!("no column {name}")))
    }

    fn corrupt(&self, reason: &str) -> Error {
        Error::Corrupt { path: self.path.clone(), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, archive::Archive};

    const HOUR: i64 = 3_600_000_000;

    fn event(at: i64, source: &str, raw: &str, message: &str) -> Event {
        Event {
            raw: raw.as_bytes().to_vec(),
            event_time: None,
            arrived: Timestamp(1_795_600_000_000_000 + at),
            source: source.to_owned(),
            class: 0,
            host: "h".to_owned(),
            app: "a".to_owned(),
            severity: 1,
            message: message.to_owned(),
            fields: [("user".to_owned(), "mika".to_owned())].into(),
        }
    }

    fn told(selected: &Selected, columns: &[usize]) -> Vec<RecordBatch> {
        let all = selected.segments.iter().flat_map(|s| s.read(columns).unwrap());
        all.collect::<Result<Vec<_>>>().unwrap()
    }

    #[test]
    fn rows_are_what_a_search_shows_within_the_span() {
        let place = tempfile::tempdir().unwrap();
        let archive = Archive::open(place.path()).unwrap();
        // The first message stands in its raw bytes only, the second is made by a parser.
        let events = [
            event(0, "one", "<1> hello", "hello"),
            event(HOUR, "one", "x", "made\u{3042}"),
            event(2 * HOUR, "one", "later", "later"),
        ];
        archive.write(&events, 0, 3).unwrap();
        archive.write(&[event(HOUR, "two", "other", "other")], 3, 4).unwrap();
        let query = Query {
            to: Some(events[2].arrived),
            source: Some("one".to_owned()),
            ..Query::default()
        };
        let selected = select(place.path(), &query, None).unwrap();
        assert_eq!((selected.segments.len(), selected.pruned), (1, 1));
        let batches = told(&selected, &[8, 9, 10]);
        let text = |column: usize| -> Vec<String> {
            let of = |b: &RecordBatch| -> Vec<String> {
                b.column(column).as_string::<i32>().iter().map(|t| t.unwrap().to_owned()).collect()
            };
            batches.iter().flat_map(of).collect()
        };
        assert_eq!(text(0), ["hello", "made\u{3042}"]);
        assert_eq!(text(1), ["{\"user\":\"mika\"}"; 2]);
        assert_eq!(text(2), ["<1> hello", "x"]);
        // Rows can be counted without any column.
        let rows: usize = told(&selected, &[]).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 2);
        assert_eq!(select(place.path(), &Query::default(), Some(&[3002])).unwrap().pruned, 2);
    }
}
