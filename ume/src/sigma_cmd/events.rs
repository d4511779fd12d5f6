//! Events out of files, one by one: EVTX, its XML, JSON, Parquet, lines of text (read as the server reads them, in the
//! encodings of Japanese logs). What cannot be read is told and counted.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use evtx::{EvtxParser, ParserSettings};
use jiff::tz::TimeZone;
use model::Timestamp;
use monitoring::work::evaluate::lay;
use serde_json::Value as Json;
use sigma::{Arena, LogSource};
use stream::RawLine;

use crate::{
    CliError,
    lines::{self, Line},
    progress, say,
};

/// The largest file that is one JSON or XML document.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
/// Where events say when they happened, the more exact first.
const TIMES: [&str; 7] = [
    "/Event/System/TimeCreated/#attributes/SystemTime",
    "/@timestamp",
    "/UtcTime",
    "/TimeCreated",
    "/timestamp",
    "/time",
    "/eventTime",
];

/// One event of a file, with what its own text says about its time.
pub struct Event<'a> {
    pub file: &'a str,
    /// From 1
    pub number: u64,
    pub time: Option<i64>,
    pub arena: &'a Arena,
}

/// Reads events; what cannot be read is told and counted.
pub struct Reading {
    arena: Arena,
    source: Option<LogSource>,
    /// For lines that name no year or zone.
    now: Timestamp,
    zone: TimeZone,
    /// What could not be read
    pub bad: u64,
}

impl Reading {
    pub fn begin(source: Option<LogSource>) -> Reading {
        let (now, zone) = (store::system_clock()(), TimeZone::system());
        Reading { arena: Arena::new(), source, now, zone, bad: 0 }
    }

    fn tell(&mut self, file: &str, number: u64, what: &str) {
        self.bad += 1;
        eprintln!(
            "{}",
            say(
                &format!("{file}: {number}件目: {what}"),
                &format!("{file}: event {number}: {what}")
            )
        );
    }

    /// Hands over each event of a file.
    pub fn each(
        &mut self,
        path: &Path,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let file = path.display().to_string();
        if path == Path::new("-") {
            return self.lines(&file, &mut std::io::stdin().lock(), take);
        }
        let io = |source| CliError::Io { path: path.to_owned(), source };
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
        let begin = reader.fill_buf().map_err(io)?;
        if begin.starts_with(b"ElfFile\0") {
            return self.evtx(&file, path, take);
        }
        if begin.starts_with(b"PAR1") {
            return self.parquet(&file, path, take);
        }
        // Windows writes its XML as UTF-16.
        let is_utf16 = begin.starts_with(b"\xFF\xFE") || begin.starts_with(b"\xFE\xFF");
        let text = begin.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(begin).trim_ascii_start();
        if is_utf16 || text.starts_with(b"<?xml") || text.starts_with(b"<Event") {
            return self.xml(&file, path, take);
        }
        if begin.contains(&0) {
            let what = say(
                "イベントのファイルではありません。EVTX、JSON、Parquet、テキストを指定してください",
                "not a file of events; give EVTX, JSON, Parquet or text",
            );
            self.tell(&file, 0, &what);
            return Ok(());
        }
        let first_line = text.split(|b| *b == b'\n').next().unwrap_or(text);
        let opens = text.first();
        let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(first_line).is_ok();
        // A list, or an object over several lines.
        if opens == Some(&b'[')
            || (opens == Some(&b'{') && !is_whole && first_line.len() < begin.len())
        {
            return self.document(&file, path, take);
        }
        self.lines(&file, &mut reader, take)
    }

    fn evtx(
        &mut self,
        file: &str,
        path: &Path,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let settings = ParserSettings::default().num_threads(1);
        let mut parser = match EvtxParser::from_path(path) {
            Ok(parser) => parser.with_configuration(settings),
            Err(error) => {
                self.tell(file, 0, &error.to_string());
                return Ok(());
            }
        };
        let mut number = 0;
        for record in parser.records_json_value() {
            number += 1;
            match record {
                Ok(record) => self.value(file, number, &record.data, take)?,
                Err(error) => self.tell(file, number, &error.to_string()),
            }
        }
        Ok(())
    }

    /// Events as Ume archives them.
    fn parquet(
        &mut self,
        file: &str,
        path: &Path,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let events = stream::scan::events(&[path.to_owned()]);
        for (number, event) in (1..).zip(events) {
            match event {
                Ok(event) => {
                    let laid = lay(&mut self.arena, &event);
                    self.hand(file, number, Some(event.time().0), laid, take)?;
                }
                Err(error) => self.tell(file, number, &error.to_string()),
            }
        }
        Ok(())
    }

    fn document(
        &mut self,
        file: &str,
        path: &Path,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let Some(opened) = self.open(file, path)? else { return Ok(()) };
        let mut number = 0;
        for value in
            serde_json::Deserializer::from_reader(BufReader::new(opened)).into_iter::<Json>()
        {
            let values = match value {
                Ok(Json::Array(list)) => list,
                Ok(value) => vec![value],
                Err(error) => {
                    self.tell(file, number + 1, &error.to_string());
                    return Ok(());
                }
            };
            for value in values {
                number += 1;
                self.value(file, number, &value, take)?;
            }
        }
        Ok(())
    }

    /// A file that has to be read as a whole, if it is not too large for that.
    fn open(&mut self, file: &str, path: &Path) -> Result<Option<File>, CliError> {
        let io = |source| CliError::Io { path: path.to_owned(), source };
        let opened = File::open(path).map_err(io)?;
        if opened.metadata().map_err(io)?.len() <= DOCUMENT_BYTES_MAX {
            return Ok(Some(opened));
        }
        let mib = DOCUMENT_BYTES_MAX >> 20;
        let what = say(
            &format!("{mib} MiBを超える文書です。1行1件のJSONかEVTXにしてください"),
            &format!("a document of more than {mib} MiB; give one JSON object a line, or EVTX"),
        );
        self.tell(file, 0, &what);
        Ok(None)
    }

    /// Event elements, which hold no others of their name.
    fn xml(
        &mut self,
        file: &str,
        path: &Path,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        const END: &str = "</Event>";
        let Some(opened) = self.open(file, path)? else { return Ok(()) };
        let mut bytes = Vec::new();
        let io = |source| CliError::Io { path: path.to_owned(), source };
        opened.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
        // By its byte order mark, else UTF-8.
        let (text, _, _) = encoding_rs::UTF_8.decode(&bytes);
        let begins = |at: &usize| {
            let behind = text[at + "<Event".len()..].chars().next();
            behind.is_some_and(|c| c == '>' || c.is_whitespace())
        };
        let (mut from, mut number) = (0, 0);
        for at in text.match_indices("<Event").map(|(at, _)| at).filter(begins) {
            if at < from {
                continue;
            }
            number += 1;
            let Some(end) = text[at..].find(END).map(|end| at + end + END.len()) else {
                let what = say("Event要素が閉じていません", "an Event element that does not end");
                self.tell(file, number, &what);
                break;
            };
            from = end;
            let time = system_time(&text[at..end]);
            let laid = self.arena.xml(&text[at..end]);
            self.hand(file, number, time, laid, take)?;
        }
        if number == 0 {
            self.tell(file, 0, &say("Event要素がありません", "no Event element there"));
        }
        Ok(())
    }

    fn lines(
        &mut self,
        file: &str,
        reader: &mut dyn BufRead,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        lines::each(file, reader, &mut |number, line| match line {
            Line::TooLong => {
                let what = say("行が4 MiBを超えています", "a line of more than 4 MiB");
                self.tell(file, number, &what);
                Ok(())
            }
            Line::Text(text) => self.line(file, number, text, take),
        })
    }

    fn line(
        &mut self,
        file: &str,
        number: u64,
        text: &[u8],
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        match text.first() {
            None => Ok(()),
            Some(b'{') => match serde_json::from_slice::<Json>(text) {
                Ok(value) => self.value(file, number, &value, take),
                Err(error) => {
                    self.tell(file, number, &error.to_string());
                    Ok(())
                }
            },
            Some(_) => {
                let said = stream::parse(&RawLine::new(text), "", self.now, &self.zone);
                let laid = lay(&mut self.arena, &said);
                // A line that says nothing of its program is tried on every rule.
                if self
                    .arena
                    .sources()
                    .iter()
                    .all(|source| source.category.as_deref() == Some("message"))
                {
                    self.arena.set_sources([]);
                }
                self.hand(file, number, said.event_time.map(|t| t.0), laid, take)
            }
        }
    }

    fn value(
        &mut self,
        file: &str,
        number: u64,
        value: &Json,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let text = TIMES.iter().find_map(|pointer| value.pointer(pointer)?.as_str());
        let time = text.and_then(sigma::micros);
        let laid = self.arena.value(value);
        self.hand(file, number, time, laid, take)
    }

    fn hand(
        &mut self,
        file: &str,
        number: u64,
        time: Option<i64>,
        laid: Result<(), sigma::EventError>,
        take: &mut dyn FnMut(&Event<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        if let Err(error) = laid {
            self.tell(file, number, &say(&error.ja(), &error.to_string()));
            return Ok(());
        }
        if number.is_multiple_of(4096) {
            progress::going().map_err(|_| CliError::Stopped)?;
        }
        if let Some(source) = &self.source {
            self.arena.set_sources([source.clone()]);
        }
        take(&Event { file, number, time, arena: &self.arena })
    }
}

/// When a Windows event happened.
fn system_time(event: &str) -> Option<i64> {
    let (_, behind) = event.split_once("SystemTime=")?;
    let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    sigma::micros(behind[1..].split(quote).next()?)
}
