//! Everything in the archive, in the order in which it came: for what looks back.
//!
//! A flush writes the events of one range of offsets as a segment for each class; read together, by arrival, they are the
//! events as they came. Only a batch of each segment is held in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    path::{Path, PathBuf},
};

use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::{
    archive::{events_of, list},
    error::{At, Result},
    event::Event,
};

/// Rows of a segment held at once.
const BATCH_ROWS: usize = 1024;

/// What one flush archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Offsets of the spool that the events came from.
    pub from: u64,
    pub to: u64,
    pub segments: Vec<PathBuf>,
}

/// All ranges of an archive, oldest first.
pub fn ranges(folder: &Path) -> Result<Vec<Range>> {
    let mut found: BTreeMap<(u64, u64), Vec<PathBuf>> = BTreeMap::new();
    for (_, path) in list(folder)? {
        if let Some(offsets) = offsets(&path) {
            found.entry(offsets).or_default().push(path);
        }
    }
    let range = |((from, to), segments)| Range { from, to, segments };
    Ok(found.into_iter().map(range).collect())
}

/// Offsets that the name of a segment says.
fn offsets(path: &Path) -> Option<(u64, u64)> {
    let (from, to) = path.file_stem()?.to_str()?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// The events of some segments together, by arrival. A segment that cannot be read ends with its error.
pub fn events(segments: &[PathBuf]) -> Events {
    Events { segments: segments.iter().map(|path| Segment::of(path)).collect() }
}

/// See [`events`].
pub struct Events {
    segments: Vec<Segment>,
}

struct Segment {
    path: PathBuf,
    reader: Option<ParquetRecordBatchReader>,
    is_opened: bool,
    waiting: VecDeque<Event>,
}

impl Segment {
    fn of(path: &Path) -> Segment {
        let (reader, waiting) = (None, VecDeque::new());
        Segment { path: path.to_owned(), reader, is_opened: false, waiting }
    }

    fn open(&mut self) -> Result<()> {
        self.is_opened = true;
        let file = File::open(&self.path).at("open", &self.path)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).at("read", &self.path)?;
        self.reader = Some(reader.with_batch_size(BATCH_ROWS).build().at("read", &self.path)?);
        Ok(())
    }

    /// Has an event waiting unless there are no more.
    fn fill(&mut self) -> Result<()> {
        if !self.is_opened {
            self.open()?;
        }
        while self.waiting.is_empty() {
            let Some(batch) = self.reader.as_mut().and_then(Iterator::next) else {
                self.reader = None;
                return Ok(());
            };
            // What is behind a damaged place is not read: nobody knows what it is.
            let events = batch.map_err(Into::into).and_then(|batch| events_of(&self.path, &batch));
            match events {
                Ok(events) => self.waiting.extend(events),
                Err(error) => {
                    self.reader = None;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        for segment in &mut self.segments {
            if let Err(error) = segment.fill() {
                return Some(Err(error));
            }
        }
        let arrived = |segment: &&mut Segment| segment.waiting.front().map(|event| event.arrived);
        let next = self.segments.iter_mut().filter(|s| arrived(s).is_some()).min_by_key(arrived);
        next.and_then(|segment| segment.waiting.pop_front()).map(Ok)
    }
}
