//! CSV: which column is what is said by the source, by the header, or seen from the values.
//!
//! A header may stand in the last comment line, as some publish it. Lines are decoded one by one, so a file of any size
//! is read in little memory.

mod columns;

use std::io::{self, BufRead, Read};

use fetch::Fault;
use indicators::{Kind, tlp::Level};
use netname::Names;
use serde_json::Value as Json;
use stream::Encoding;

use super::{
    BoxFuture, Desk, Document, Extent, FeedRow, Reader, Received, desk,
    list::{self, Pour, poured},
    source,
};
use columns::{Columns, Role};

const LINE_BYTES_MAX: usize = 1 << 20;
const FIELDS_MAX: usize = 1_000;
const ENDS: [&str; 3] = [".csv", ".tsv", ".txt"];

/// CSV files.
pub struct Csv;

impl Reader for Csv {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            let Some(documents) = desk.documents(&ENDS).await? else {
                return Ok(Received { unchanged: true, ..Received::default() });
            };
            let row = desk.source.row.clone();
            let listed =
                row.attributes.get("columns").and_then(Json::as_array).into_iter().flatten();
            let listed: Vec<String> = listed.filter_map(Json::as_str).map(str::to_owned).collect();
            let told = Told {
                columns: listed,
                kind: Kind::named(source::text(&row, "value_kind")),
                encoding: Encoding::named(source::text(&row, "encoding")),
                level: desk.source.level,
            };
            columns::check(&told.columns)?;
            let mut items = 0;
            for document in documents {
                let told = told.clone();
                items += poured(desk, document, move |document, names, now, out| {
                    rows(&document, &told, names, now, out)
                })
                .await?;
            }
            Ok(Received { items, extent: Extent::Whole, ..Received::default() })
        })
    }
}

/// What the source says of its files.
#[derive(Clone)]
struct Told {
    columns: Vec<String>,
    kind: Option<Kind>,
    encoding: Option<Encoding>,
    level: Level,
}

fn rows(
    document: &Document,
    told: &Told,
    names: &Names,
    now: i64,
    out: &mut Pour,
) -> Result<(), Fault> {
    let mut text = Lines::new(document.open()?, told.encoding);
    let head = text.head().map_err(Fault::of_reading)?;
    if head.first.trim_start().starts_with('<') {
        return Err(list::wrong_type());
    }
    let delimiter = delimiter(&head.first);
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(::csv::Trim::All)
        .from_reader(text);
    let fields = |line: &str| -> Vec<String> {
        let line = line.trim_start_matches(['#', ' ']);
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .trim(::csv::Trim::All)
            .from_reader(line.as_bytes());
        let mut record = ::csv::StringRecord::new();
        match reader.read_record(&mut record) {
            Ok(true) => record.iter().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let of_comment = head.comment.as_deref().map(fields).unwrap_or_default();
    let mut columns: Option<Columns> = None;
    let mut record = ::csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => match error.into_kind() {
                ::csv::ErrorKind::Io(error) => return Err(Fault::of_reading(error)),
                other => return Err(Fault::Cut(format!("{other:?}"))),
            },
        }
        if record.len() > FIELDS_MAX {
            out.refuse("too_long", &record[0], list::too_long);
            continue;
        }
        let known = match &columns {
            Some(known) => known,
            None => {
                let first: Vec<&str> = record.iter().collect();
                let (found, is_header) =
                    Columns::find(&told.columns, &first, &of_comment, told.kind, names)?;
                let known = columns.insert(found);
                if is_header {
                    continue;
                }
                known
            }
        };
        one(&record, known, told, names, now, out)?;
    }
}

fn one(
    record: &::csv::StringRecord,
    columns: &Columns,
    told: &Told,
    names: &Names,
    now: i64,
    out: &mut Pour,
) -> Result<(), Fault> {
    let field =
        |role: Role| columns.of(role).and_then(|at| record.get(at)).filter(|f| !f.is_empty());
    let time = |role: Role| field(role).and_then(columns::time);
    let by_column = field(Role::Kind).and_then(columns::kind_word);
    for (at, kind) in &columns.values {
        let Some(value) = record.get(*at).map(str::trim).filter(|value| !value.is_empty()) else {
            continue;
        };
        let value = list::refanged(value);
        let said = (*kind).or(by_column).or(told.kind);
        let Some(kind) = list::kind_of(&value, said, names) else {
            out.refuse("unknown_kind", &value, list::unknown_kind);
            continue;
        };
        let bare = match kind {
            // An address with its port.
            Kind::Ip => value.rsplit_once(':').map_or(value.as_str(), |(ip, port)| {
                let is_port = port.parse::<u16>().is_ok() && !ip.contains(':');
                if is_port { ip } else { &value }
            }),
            _ => &value,
        };
        match indicators::normalise(kind, bare, names) {
            Ok(key) => {
                let mut row = FeedRow::new(key, columns.level(record).unwrap_or(told.level));
                row.valid_from = time(Role::From);
                row.valid_until = time(Role::Until);
                row.sighted = Some(time(Role::Seen).unwrap_or(now).min(now));
                row.score = field(Role::Score).and_then(columns::score);
                row.direction = field(Role::Direction).map(columns::direction).unwrap_or_default();
                out.row(row)?;
            }
            Err(reject) => out.refuse(desk::word(&reject), &value, || reject.words()),
        }
    }
    Ok(())
}

/// The character that stands oftenest between fields of a line.
fn delimiter(line: &str) -> u8 {
    let count = |mark: &u8| line.bytes().filter(|byte| byte == mark).count();
    let marks = [b',', b'\t', b';', b'|'];
    let best = marks.into_iter().max_by_key(|mark| (count(mark), *mark == b','));
    best.unwrap_or(b',')
}

struct Head {
    /// The last comment before the first line.
    comment: Option<String>,
    first: String,
}

/// Lines in UTF-8, comments left out.
struct Lines {
    inner: Box<dyn BufRead + Send>,
    encoding: Option<Encoding>,
    line: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
    /// Within quotes a line that begins with `#` is none.
    is_quoted: bool,
}

impl Lines {
    fn new(inner: Box<dyn BufRead + Send>, encoding: Option<Encoding>) -> Lines {
        let (line, ready) = (Vec::new(), Vec::new());
        Lines { inner, encoding, line, ready, at: 0, is_quoted: false }
    }

    /// Reads up to the first line that is no comment.
    fn head(&mut self) -> io::Result<Head> {
        let mut comment = None;
        while let Some(text) = self.next()? {
            let text = text.trim_start_matches('\u{feff}');
            if text.starts_with('#') {
                comment = Some(text.trim_end().to_owned());
            } else if !text.trim().is_empty() {
                let first = text.to_owned();
                self.is_quoted = first.bytes().filter(|b| *b == b'"').count() % 2 == 1;
                (self.ready, self.at) = (first.clone().into_bytes(), 0);
                return Ok(Head { comment, first });
            }
        }
        Ok(Head { comment, first: String::new() })
    }

    fn next(&mut self) -> io::Result<Option<String>> {
        self.line.clear();
        let read =
            (&mut self.inner).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if read == LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
            return Err(io::Error::other(Fault::said(
                format!("1行が{LINE_BYTES_MAX}バイトを超えています"),
                format!("a line of more than {LINE_BYTES_MAX} bytes"),
            )));
        }
        let (text, _) = match self.encoding {
            Some(encoding) => stream::decode_as(&self.line, encoding),
            None => stream::decode(&self.line),
        };
        Ok(Some(text))
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            let Some(text) = self.next()? else { return Ok(0) };
            if !self.is_quoted && text.starts_with('#') {
                continue;
            }
            self.is_quoted ^= text.bytes().filter(|b| *b == b'"').count() % 2 == 1;
            (self.ready, self.at) = (text.into_bytes(), 0);
        }
        let count = buffer.len().min(self.ready.len() - self.at);
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
