//! Files that commands read whole, and what is said about them in the reader's language.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, builder::PossibleValuesParser, value_parser};
use room::Error;

/// As large as a document may be.
const BYTES_MAX: u64 = 256 << 20;

pub(super) fn files(help: &'static str) -> Arg {
    Arg::new("files")
        .value_name("FILE")
        .num_args(1..)
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

pub(super) fn files_of(matches: &ArgMatches) -> Vec<PathBuf> {
    matches.get_many::<PathBuf>("files").into_iter().flatten().cloned().collect()
}

pub(super) fn lines_or_table() -> Arg {
    Arg::new("format")
        .long("format")
        .default_value("table")
        .value_parser(PossibleValuesParser::new(["table", "ndjson"]))
        .help("Output format")
}

pub(super) fn wants_lines(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "ndjson")
}

/// The bytes of a file; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let reader: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => Box::new(File::open(path).map_err(failed)?),
    };
    reader.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        let at = path.display();
        return Err(Error::said(words(
            format!("{at}: {BYTES_MAX}バイトを超えています"),
            format!("{at}: more than {BYTES_MAX} bytes"),
        )));
    }
    Ok(bytes)
}

/// The text of the reader's language.
pub(super) fn words(ja: String, en: String) -> String {
    if room::lang() == model::Lang::Ja { ja } else { en }
}

/// What stands in foreign files must not steer the terminal.
pub(super) fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}
