//! What commands read: lines of files or standard input, sets where they lie, times and kinds.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches, builder::PossibleValuesParser, value_parser};
use indicators::{Kind, Micros, Set, ndjson::LINE_BYTES_MAX};
use room::Error;

use intel::Map;

/// Faults that are told one by one; the rest is counted.
const TOLD_MAX: u64 = 100;

/// Files to read line by line.
pub(super) fn files() -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf))
        .help("Files to read, line by line; - or none is standard input")
}

pub(super) fn kind() -> Arg {
    Arg::new("kind")
        .long("kind")
        .value_name("KIND")
        .value_parser(PossibleValuesParser::new(Kind::ALL.iter().map(|kind| kind.as_str())))
        .help("Kind of the values; without it their form tells it")
}

pub(super) fn kind_of(matches: &ArgMatches) -> Option<Kind> {
    matches.get_one::<String>("kind").and_then(|word| Kind::named(word))
}

pub(super) fn at() -> Arg {
    Arg::new("at")
        .long("at")
        .value_name("TIME")
        .value_parser(|text: &str| {
            text.parse::<jiff::Timestamp>().map_err(|_| "not a time as in 2026-04-01T09:00:00Z")
        })
        .help("The time that counts, as 2026-04-01T09:00:00Z; without it now")
}

pub(super) fn at_of(matches: &ArgMatches) -> Micros {
    let given = matches.get_one::<jiff::Timestamp>("at").copied();
    given.unwrap_or_else(jiff::Timestamp::now).as_microsecond()
}

/// An option that names a file.
pub(super) fn path(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

pub(super) fn path_of<'m>(matches: &'m ArgMatches, name: &str) -> Option<&'m Path> {
    matches.get_one::<PathBuf>(name).map(PathBuf::as_path)
}

pub(super) fn paths_of<'m>(matches: &'m ArgMatches, name: &str) -> Vec<&'m Path> {
    matches.get_many::<PathBuf>(name).into_iter().flatten().map(PathBuf::as_path).collect()
}

/// Faults of the input: told with their place, then counted.
#[derive(Default)]
pub(super) struct Faults(u64);

impl Faults {
    pub(super) fn tell(&mut self, file: &str, line: u64, what: impl std::fmt::Display) {
        self.0 += 1;
        match self.0.cmp(&(TOLD_MAX + 1)) {
            std::cmp::Ordering::Less => eprintln!("ume: {file}:{line}: {what}"),
            std::cmp::Ordering::Equal => eprintln!("ume: …"),
            std::cmp::Ordering::Greater => {}
        }
    }

    pub(super) fn any(&self) -> bool {
        self.0 > 0
    }

    pub(super) fn count(&self) -> u64 {
        self.0
    }
}

/// A line, where it stands, and what it says: `Err` if it is no text or too long.
pub(super) struct Line<'a> {
    pub file: &'a str,
    pub number: u64,
    pub text: Result<&'a str, &'static str>,
}

/// Lines of files, one after the other, never more than one in memory.
pub(super) struct Lines {
    left: std::vec::IntoIter<PathBuf>,
    now: Option<(String, Box<dyn BufRead>)>,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn of(matches: &ArgMatches) -> Lines {
        let mut files: Vec<PathBuf> =
            paths_of(matches, "file").into_iter().map(Into::into).collect();
        if files.is_empty() {
            files.push("-".into());
        }
        Lines { left: files.into_iter(), now: None, number: 0, buffer: Vec::new() }
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Error> {
        loop {
            if self.now.is_none() {
                let Some(path) = self.left.next() else { return Ok(None) };
                self.now = Some((path.display().to_string(), open(&path)?));
                self.number = 0;
            }
            let Some((name, reader)) = &mut self.now else { continue };
            let failed = |source| Error::Io { path: PathBuf::from(&*name), source };
            self.buffer.clear();
            let max = LINE_BYTES_MAX as u64 + 1;
            let read = reader.take(max).read_until(b'\n', &mut self.buffer).map_err(failed)?;
            if read == 0 {
                self.now = None;
                continue;
            }
            self.number += 1;
            if read as u64 == max && self.buffer.last() != Some(&b'\n') {
                skip_line(reader.as_mut()).map_err(failed)?;
                break;
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let text = match std::str::from_utf8(self.buffer.trim_ascii()) {
            Ok(text) if text.len() <= LINE_BYTES_MAX => Ok(text.trim_start_matches('\u{feff}')),
            Ok(_) => Err("the line is longer than a megabyte"),
            Err(_) if self.buffer.len() > LINE_BYTES_MAX => {
                Err("the line is longer than a megabyte")
            }
            Err(_) => Err("no UTF-8 text"),
        };
        let file = self.now.as_ref().map_or("", |(name, _)| name.as_str());
        Ok(Some(Line { file, number: self.number, text }))
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let failed = |source| Error::Io { path: path.to_owned(), source };
    Ok(Box::new(BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?)))
}

fn skip_line(reader: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let chunk = reader.fill_buf()?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let (used, over) =
            (end.map_or(chunk.len(), |end| end + 1), end.is_some() || chunk.is_empty());
        reader.consume(used);
        if over {
            return Ok(());
        }
    }
}

/// The files of a set, read where they lie.
pub(super) struct Maps(Vec<(PathBuf, Map)>);

impl Maps {
    pub(super) fn open(paths: &[&Path]) -> Result<Maps, Error> {
        let open = |path: &&Path| {
            let failed = |source| Error::Io { path: path.to_path_buf(), source };
            Ok((path.to_path_buf(), Map::open(path).map_err(failed)?))
        };
        paths.iter().map(open).collect::<Result<_, Error>>().map(Maps)
    }

    /// The first file is the base. Every byte is held against what was written.
    pub(super) fn set(&self) -> Result<Set<'_>, Error> {
        for (path, map) in &self.0 {
            indicators::set::verify(map)
                .map_err(|damage| Error::said(format!("{}: {damage}", path.display())))?;
        }
        let files: Vec<&[u8]> = self.0.iter().map(|(_, map)| &**map).collect();
        let (base, deltas) = files.split_first().ok_or_else(|| Error::said("no set"))?;
        Set::open(base, deltas).map_err(|damage| {
            let path = self.0.first().map(|(path, _)| path.display().to_string());
            Error::said(format!("{}: {damage}", path.unwrap_or_default()))
        })
    }
}
