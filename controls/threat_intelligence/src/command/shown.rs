//! How rows are printed: each as soon as it is known, so that batches of any size run through.

use std::io::{self, Write};

use clap::{Arg, ArgMatches, builder::PossibleValuesParser};
use indicators::Micros;
use room::Error;
use serde_json::{Map, Value};

/// How output is laid out.
pub(super) fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .default_value("table")
        .value_parser(PossibleValuesParser::new(["table", "ndjson", "csv"]))
        .help("Output format")
}

/// Rows under heads.
pub(super) struct Sheet<'o> {
    form: Form,
    heads: &'static [&'static str],
    out: io::BufWriter<&'o mut dyn Write>,
    begun: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Table,
    Ndjson,
    Csv,
}

impl<'o> Sheet<'o> {
    pub(super) fn new(
        matches: &ArgMatches,
        heads: &'static [&'static str],
        out: &'o mut dyn Write,
    ) -> Sheet<'o> {
        let form = match matches.get_one::<String>("format").map(String::as_str) {
            Some("ndjson") => Form::Ndjson,
            Some("csv") => Form::Csv,
            _ => Form::Table,
        };
        Sheet { form, heads, out: io::BufWriter::new(out), begun: false }
    }

    /// Prints a row. `false` says that nobody reads any more (`| head`), which is no error.
    pub(super) fn row(&mut self, cells: &[String]) -> Result<bool, Error> {
        let written = match self.form {
            Form::Table => self.plain(cells),
            Form::Ndjson => self.json(cells),
            Form::Csv => self.csv(cells),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::said(error)),
        }
    }

    pub(super) fn end(mut self) -> Result<(), Error> {
        match self.out.flush() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::said(error)),
            _ => Ok(()),
        }
    }

    fn plain(&mut self, cells: &[String]) -> io::Result<()> {
        // What stands in foreign files must not steer the terminal.
        let cells = cells.iter().filter(|cell| !cell.is_empty());
        let cells: Vec<String> = cells.map(|cell| cell.replace(char::is_control, " ")).collect();
        writeln!(self.out, "{}", cells.join("  "))
    }

    fn json(&mut self, cells: &[String]) -> io::Result<()> {
        let members = self.heads.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let object: Map<String, Value> =
            members.map(|(head, cell)| ((*head).to_owned(), cell.as_str().into())).collect();
        serde_json::to_writer(&mut self.out, &object)?;
        writeln!(self.out)
    }

    fn csv(&mut self, cells: &[String]) -> io::Result<()> {
        if !self.begun {
            writeln!(self.out, "{}", self.heads.join(","))?;
            self.begun = true;
        }
        let cells: Vec<String> = cells.iter().map(|cell| web::csv_cell(cell)).collect();
        writeln!(self.out, "{}", cells.join(","))
    }
}

/// RFC 3339; nothing where there is no time.
pub(super) fn time(at: Option<Micros>) -> String {
    let time = at.and_then(|at| jiff::Timestamp::from_microsecond(at).ok());
    time.map_or_else(String::new, |time| time.to_string())
}

/// The text of the reader's language: as the locale says, English where it says nothing.
pub(super) fn said((ja, en): (String, String)) -> String {
    let mut named =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|n| std::env::var(n).ok());
    let locale = named.find(|value| !value.is_empty()).unwrap_or_default();
    if model::Lang::parse(&locale) == Some(model::Lang::Ja) { ja } else { en }
}
