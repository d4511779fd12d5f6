//! Consumed events as Parquet: `<yyyy-mm-dd>/<class>/<from>-<to>.parquet`.
//!
//! The day is the day of arrival (UTC), so that a hostile sender cannot make folders with its own
//! times. The name holds the spool offsets the rows came from: a segment that exists is not written
//! again, which makes a flush idempotent. Files appear whole (write, fsync, rename, fsync of folder), each with
//! what spares opening it beside it (`sidecar`).

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use arrow_array::{
    Array, ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array,
    UInt32Array,
    cast::AsArray,
    types::{TimestampMicrosecondType, UInt8Type, UInt32Type},
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use model::Timestamp;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::{KeyValue, ParquetMetaData},
        properties::{EnabledStatistics, WriterProperties},
        reader::{FileReader, SerializedFileReader},
    },
    schema::types::ColumnPath,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor},
};

use crate::{
    error::{At, Error, Result},
    event::Event,
    files::sync_folder,
    sidecar,
    window::Pair,
};

/// Rows of a row group: what a search reads or skips at once.
pub(crate) const ROW_GROUP_ROWS: usize = 16 * 1024;
const ZSTD_LEVEL: i32 = 6;
const PAGE_BYTES: usize = 16 << 20;

/// How names of segments end.
const SEGMENT: &str = "parquet";

const KEY_ROOT: &str = "ume.row_root";
const KEY_MIN: &str = "ume.time_min";
const KEY_MAX: &str = "ume.time_max";

/// What the ledger and a search need to know of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub path: PathBuf,
    pub rows: u64,
    pub bytes: u64,
    /// RFC 6962 root over [`Event::canonical_bytes`] in row order.
    pub row_root: [u8; 32],
    pub min_time: Timestamp,
    pub max_time: Timestamp,
}

/// Writes what somebody else wants beside a segment: its path, its bytes, its events. What it does not write is not
/// there.
pub type Beside = fn(&Path, u64, &[&Event]) -> std::io::Result<()>;

/// A folder of segments.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
    beside: Arc<OnceLock<Beside>>,
}

impl Archive {
    /// Opens or creates the folder.
    pub fn open(folder: &Path) -> Result<Archive> {
        fs::create_dir_all(folder).at("create folder", folder)?;
        Ok(Archive { folder: folder.to_path_buf(), beside: Arc::default() })
    }

    /// Says what else is written beside each segment from now on; the first word stands.
    pub fn beside(&self, write: Beside) {
        let _ = self.beside.set(write);
    }

    /// Writes events that came from the spool offsets `from..to`, by day and class.
    pub fn write(&self, events: &[Event], from: u64, to: u64) -> Result<Vec<SegmentInfo>> {
        let mut groups: BTreeMap<(String, u32), Vec<&Event>> = BTreeMap::new();
        for event in events {
            groups.entry((day(event.arrived), event.class)).or_default().push(event);
        }
        let mut infos = Vec::new();
        for ((day, class), events) in groups {
            let folder = self.folder.join(&day).join(class.to_string());
            let path = folder.join(format!("{from:020}-{to:020}.{SEGMENT}"));
            if !path.exists() {
                fs::create_dir_all(&folder).at("create folder", &folder)?;
                sync_folder(&self.folder)?;
                sync_folder(&self.folder.join(&day))?;
                write_segment(&path, &events)?;
                if let Some(write) = self.beside.get() {
                    let bytes = fs::metadata(&path).at("look at", &path)?.len();
                    if let Err(error) = write(&path, bytes, &events) {
                        tracing::warn!(%error, "what belongs beside a segment was not written");
                    }
                }
            }
            infos.push(info(&path)?);
        }
        Ok(infos)
    }

    /// All segments, oldest day first.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>> {
        list(&self.folder)?.into_iter().map(|(_, path)| info(&path)).collect()
    }
}

/// Day of arrival as the folder is named.
pub(crate) fn day(time: Timestamp) -> String {
    time.rfc3339().chars().take_while(|c| *c != 'T').collect()
}

/// Day and path of every segment.
pub(crate) fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for day in children(folder)? {
        let name = day.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        for class in children(&day)? {
            let files = children(&class)?.into_iter();
            let segments = files.filter(|f| f.extension().is_some_and(|e| e == SEGMENT));
            found.extend(segments.map(|path| (name.clone(), path)));
        }
    }
    found.sort();
    Ok(found)
}

/// Segments of the days from `first` to `last`, of each day and class in the order in which they were written.
pub(crate) fn list_days(folder: &Path, first: &str, last: &str) -> Result<Vec<Vec<PathBuf>>> {
    let mut found = Vec::new();
    for day in children(folder)? {
        let name = day.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name < first || name > last {
            continue;
        }
        for class in children(&day)? {
            let files = children(&class)?.into_iter();
            let mut segments: Vec<PathBuf> =
                files.filter(|f| f.extension().is_some_and(|e| e == "parquet")).collect();
            segments.sort();
            found.push(segments);
        }
    }
    found.sort();
    Ok(found)
}

/// When the first and the last event of a segment arrived, as its statistics say.
pub(crate) fn arrived_of(footer: &ParquetMetaData) -> Option<(i64, i64)> {
    let number = |bytes: Option<&[u8]>| Some(i64::from_le_bytes(bytes?.try_into().ok()?));
    let groups = footer.row_groups().iter().map(|group| {
        let mut columns = group.columns().iter();
        let column = columns.find(|column| column.column_path().string() == "arrived")?;
        let statistics = column.statistics()?;
        number(statistics.min_bytes_opt()).zip(number(statistics.max_bytes_opt()))
    });
    let bounds = groups.collect::<Option<Vec<(i64, i64)>>>()?;
    let first = bounds.iter().map(|(first, _)| *first).min()?;
    Some((first, bounds.iter().map(|(_, last)| *last).max()?))
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).at("list", folder)?;
    entries.map(|entry| Ok(entry.at("list", folder)?.path())).collect()
}

/// What the footer of a segment says.
pub fn info(path: &Path) -> Result<SegmentInfo> {
    let file = File::open(path).at("open", path)?;
    let bytes = file.metadata().at("look at", path)?.len();
    let reader = SerializedFileReader::new(file).at("read", path)?;
    info_of(path, bytes, reader.metadata())
}

pub(crate) fn info_of(path: &Path, bytes: u64, footer: &ParquetMetaData) -> Result<SegmentInfo> {
    let corrupt = |reason: &str| Error::Corrupt { path: path.into(), reason: reason.into() };
    let pairs = footer.file_metadata().key_value_metadata();
    let value = |key: &str| {
        let pair = pairs.and_then(|pairs| pairs.iter().find(|p| p.key == key));
        pair.and_then(|p| p.value.as_deref()).ok_or_else(|| corrupt("footer without our keys"))
    };
    let time = |key: &str| {
        value(key)?.parse::<i64>().map(Timestamp).map_err(|_| corrupt("bad time in footer"))
    };
    Ok(SegmentInfo {
        path: path.to_path_buf(),
        rows: u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0),
        bytes,
        row_root: from_hex(value(KEY_ROOT)?).ok_or_else(|| corrupt("bad root in footer"))?,
        min_time: time(KEY_MIN)?,
        max_time: time(KEY_MAX)?,
    })
}

/// Reads all rows and computes their root: equal to `row_root` of [`info`] if nothing was changed.
pub fn recompute_root(path: &Path) -> Result<[u8; 32]> {
    let file = File::open(path).at("open", path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).at("read", path)?;
    let mut tree = merkle::Frontier::new();
    for batch in reader.build().at("read", path)? {
        for event in events_of(path, &batch?)? {
            tree.push(merkle::leaf_hash(&event.canonical_bytes()));
        }
    }
    Ok(tree.root())
}

fn write_segment(path: &Path, events: &[&Event]) -> Result<()> {
    let mut tree = merkle::Frontier::new();
    tree.extend(events.iter().map(|e| merkle::leaf_hash(&e.canonical_bytes())));
    let times = || events.iter().map(|e| e.time().0);
    let keys = [
        (KEY_ROOT, to_hex(&tree.root())),
        (KEY_MIN, times().min().unwrap_or(0).to_string()),
        (KEY_MAX, times().max().unwrap_or(0).to_string()),
    ];
    let keys = keys.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).at("compress", path)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // One page a column: what repeats is seen as far as the row group goes.
        .set_data_page_size_limit(PAGE_BYTES);
    for column in ["message", "fields", "raw"].map(ColumnPath::from) {
        // Hardly two are equal: a dictionary would only hide their common parts from the compression.
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    for column in ["time", "event_time", "message_at"].map(ColumnPath::from) {
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    let properties = builder
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(concat!("ume stream ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(keys))
        .build();
    let tmp = path.with_extension("tmp");
    let file = File::create(&tmp).at("create", &tmp)?;
    let mut writer =
        ArrowWriter::try_new(file, Arc::new(schema()), Some(properties)).at("write", &tmp)?;
    for rows in events.chunks(ROW_GROUP_ROWS) {
        writer.write(&rows_of(rows)?).at("write", &tmp)?;
    }
    let file = writer.into_inner().at("write", &tmp)?;
    file.sync_all().at("sync", &tmp)?;
    // Before the segment has its name: no segment of ours is ever without.
    sidecar::write(path, file.metadata().at("look at", &tmp)?.len(), events, ROW_GROUP_ROWS)?;
    fs::rename(&tmp, path).at("rename to", path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn schema() -> Schema {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Schema::new(vec![
        Field::new("time", time(), false),
        Field::new("arrived", time(), false),
        Field::new("event_time", time(), true),
        Field::new("source", DataType::Utf8, false),
        Field::new("class", DataType::UInt32, false),
        Field::new("host", DataType::Utf8, false),
        Field::new("app", DataType::Utf8, false),
        Field::new("severity", DataType::UInt8, false),
        Field::new("message", DataType::Utf8, false),
        Field::new("fields", DataType::Utf8, false),
        Field::new("raw", DataType::Binary, false),
        // Where in `raw` the message begins that goes to its end; `message` is empty then.
        Field::new("message_at", DataType::UInt32, true),
    ])
}

fn rows_of(events: &[&Event]) -> Result<RecordBatch> {
    let times = |times: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
    };
    let texts = |text: fn(&Event) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(events.iter().map(|e| text(e))))
    };
    let fields = events.iter().map(|e| serde_json::to_string(&e.fields).unwrap_or_default());
    let places: Vec<Option<u32>> = events.iter().map(|e| message_at(e)).collect();
    let messages = events.iter().zip(&places).map(|(e, at)| match at {
        Some(_) => "",
        None => &e.message,
    });
    let columns: Vec<ArrayRef> = vec![
        times(events.iter().map(|e| Some(e.time().0)).collect()),
        times(events.iter().map(|e| Some(e.arrived.0)).collect()),
        times(events.iter().map(|e| e.event_time.map(|t| t.0)).collect()),
        texts(|e| &e.source),
        Arc::new(UInt32Array::from_iter_values(events.iter().map(|e| e.class))),
        texts(|e| &e.host),
        texts(|e| &e.app),
        Arc::new(UInt8Array::from_iter_values(events.iter().map(|e| e.severity))),
        Arc::new(StringArray::from_iter_values(messages)),
        Arc::new(StringArray::from_iter_values(fields)),
        Arc::new(BinaryArray::from_iter_values(events.iter().map(|e| &e.raw))),
        Arc::new(UInt32Array::from(places)),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema()), columns)?)
}

/// Where the message begins in the raw bytes, if it is what they end with: most are, and then it is kept once.
fn message_at(event: &Event) -> Option<u32> {
    let before = event.raw.strip_suffix(event.message.as_bytes())?;
    u32::try_from(before.len()).ok().filter(|_| !event.message.is_empty())
}

/// The events of a batch; a foreign file is an error, not a panic.
pub(crate) fn events_of(path: &Path, batch: &RecordBatch) -> Result<Vec<Event>> {
    let columns = Columns::of(path, batch)?;
    if columns.raw.is_none() {
        return Err(Error::Corrupt { path: path.into(), reason: "no column raw".into() });
    }
    (0..batch.num_rows()).map(|row| columns.event(row)).collect()
}

/// Reads an object of texts into a list.
struct Pairs<'v, 'a>(&'v mut Vec<Pair<'a>>);

impl<'a> DeserializeSeed<'a> for Pairs<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> std::result::Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Pairs<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<Lent<'a>, Lent<'a>>()? {
            self.0.push((name.0, value.0));
        }
        Ok(())
    }
}

/// A text of the input itself where it holds no escape.
#[derive(Deserialize)]
struct Lent<'a>(#[serde(borrow)] Cow<'a, str>);

/// The columns of a batch, each of the type it should have.
pub(crate) struct Columns<'a> {
    path: &'a Path,
    time: &'a TimestampMicrosecondArray,
    arrived: &'a TimestampMicrosecondArray,
    event_time: &'a TimestampMicrosecondArray,
    source: &'a StringArray,
    class: &'a UInt32Array,
    host: &'a StringArray,
    app: &'a StringArray,
    severity: &'a UInt8Array,
    message: &'a StringArray,
    /// Where messages begin that only the raw bytes hold; segments of earlier versions say every message.
    places: Option<&'a UInt32Array>,
    fields: &'a StringArray,
    /// Absent where it was not read.
    raw: Option<&'a BinaryArray>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(path: &'a Path, batch: &'a RecordBatch) -> Result<Columns<'a>> {
        let corrupt = |reason: String| Error::Corrupt { path: path.to_path_buf(), reason };
        let column = |name: &str| {
            let column = batch.column_by_name(name);
            column.ok_or_else(|| corrupt(format!("no column {name}")))
        };
        let kind = |name: &str| corrupt(format!("column {name} has another type"));
        let time = |name| {
            let column = column(name)?.as_primitive_opt::<TimestampMicrosecondType>();
            column.ok_or_else(|| kind(name))
        };
        let text = |name| column(name)?.as_string_opt::<i32>().ok_or_else(|| kind(name));
        let number =
            |name| column(name)?.as_primitive_opt::<UInt32Type>().ok_or_else(|| kind(name));
        let small = |name| column(name)?.as_primitive_opt::<UInt8Type>().ok_or_else(|| kind(name));
        let raw = batch.column_by_name("raw").map(|c| c.as_binary_opt::<i32>());
        Ok(Columns {
            path,
            time: time("time")?,
            arrived: time("arrived")?,
            event_time: time("event_time")?,
            source: text("source")?,
            class: number("class")?,
            host: text("host")?,
            app: text("app")?,
            severity: small("severity")?,
            message: text("message")?,
            places: batch.column_by_name("message_at").and_then(|c| c.as_primitive_opt()),
            fields: text("fields")?,
            raw: raw.map(|raw| raw.ok_or_else(|| kind("raw"))).transpose()?,
        })
    }

    pub(crate) fn time(&self, row: usize) -> Timestamp {
        Timestamp(self.time.value(row))
    }

    pub(crate) fn source(&self, row: usize) -> &'a str {
        self.source.value(row)
    }

    pub(crate) fn class(&self, row: usize) -> u32 {
        self.class.value(row)
    }

    pub(crate) fn host(&self, row: usize) -> &'a str {
        self.host.value(row)
    }

    pub(crate) fn app(&self, row: usize) -> &'a str {
        self.app.value(row)
    }

    /// Puts the fields of a row into `into`, as they lie there where they hold no escape.
    pub(crate) fn pairs(&self, row: usize, into: &mut Vec<Pair<'a>>) -> Result<()> {
        into.clear();
        let mut reader = serde_json::Deserializer::from_str(self.fields.value(row));
        let read = Pairs(into).deserialize(&mut reader);
        read.map_err(|e| Error::Corrupt { path: self.path.to_path_buf(), reason: e.to_string() })
    }

    pub(crate) fn said(&self, row: usize) -> Result<&str> {
        let Some(places) = self.places.filter(|places| places.is_valid(row)) else {
            return Ok(self.message.value(row));
        };
        let end = self.raw.and_then(|raw| raw.value(row).get(places.value(row) as usize..));
        end.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(|| Error::Corrupt {
            path: self.path.to_path_buf(),
            reason: format!("row {row}: no message where it is said to be"),
        })
    }

    pub(crate) fn event(&self, row: usize) -> Result<Event> {
        let fields = serde_json::from_str(self.fields.value(row));
        let corrupt = |e: serde_json::Error| Error::Corrupt {
            path: self.path.to_path_buf(),
            reason: e.to_string(),
        };
        let event_time = self.event_time;
        Ok(Event {
            raw: self.raw.map_or_else(Vec::new, |raw| raw.value(row).to_vec()),
            event_time: event_time.is_valid(row).then(|| Timestamp(event_time.value(row))),
            arrived: Timestamp(self.arrived.value(row)),
            source: self.source.value(row).to_owned(),
            class: self.class.value(row),
            host: self.host.value(row).to_owned(),
            app: self.app.value(row).to_owned(),
            severity: self.severity.value(row),
            message: self.said(row)?.to_owned(),
            fields: fields.map_err(corrupt)?,
        })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(out)
}
