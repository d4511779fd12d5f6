//! Documents in: `validate` and `convert`.

use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use room::{Error, Outcome};
use sbom::{Bom, Format, Limits, Problem};

use super::{format, format_of, table};

const LOSSES_SHOWN_MAX: usize = 100;

pub(super) fn validate_command() -> Command {
    let files = Arg::new("file")
        .value_name("FILE")
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf))
        .help("Documents; - is one on standard input. Without any, their names are read from there, one a line");
    Command::new("validate")
        .about("Check documents by the rules of their formats; exit 1 with what is wrong and where")
        .args([files, format()])
}

pub(super) fn convert_command() -> Command {
    Command::new("convert")
        .about("Write a document in another format; exit 1 if it cannot say everything, with what was lost")
        .args([document("file"), to(), output()])
}

/// A document to read.
pub(super) fn document(name: &'static str) -> Arg {
    Arg::new(name)
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Document; - is standard input")
}

pub(super) fn to() -> Arg {
    let parse = |text: &str| text.parse::<Format>();
    Arg::new("to").long("to").value_name("FORMAT").default_value("cyclonedx-json").value_parser(parse).help(
        "cyclonedx-json, cyclonedx-xml (each @1.4 to @1.7), spdx-json, spdx-tag-value (2.3), spdx3-json (3.0.1)",
    )
}

pub(super) fn output() -> Arg {
    Arg::new("output")
        .long("output")
        .short('o')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Where to write; without it to standard output")
}

/// The bytes of a document, never more than are read anyway.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let max = Limits::DEFAULT.bytes_max as u64;
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        if size > max {
            let what = format!("{}: {size} bytes; {max} are read", path.display());
            return Err(Error::said(what));
        }
        file.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    Ok(bytes)
}

/// A document, or an error that says what is wrong with it.
pub(super) fn load(path: &Path) -> Result<Bom, Error> {
    sbom::parse(&bytes(path)?).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        let more = match problems.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more; see ume sbom validate)", count - 1),
        };
        Error::said(format!("{}: {first}{more}", path.display()))
    })
}

pub(super) fn validate(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let files: Vec<PathBuf> = match matches.get_many::<PathBuf>("file") {
        Some(files) => files.cloned().collect(),
        None => {
            let lines = std::io::stdin().lock().lines();
            let lines: Result<Vec<String>, _> = lines.collect();
            let lines = lines.map_err(|source| Error::Io { path: "-".into(), source })?;
            lines.into_iter().filter(|line| !line.is_empty()).map(PathBuf::from).collect()
        }
    };
    let mut rows = Vec::new();
    let mut unread = false;
    for file in &files {
        let name = file.display().to_string();
        let problems = match bytes(file) {
            Ok(bytes) => sbom::parse(&bytes).err().unwrap_or_default(),
            Err(error) => {
                eprintln!("ume: {error}");
                unread = true;
                continue;
            }
        };
        rows.extend(problems.iter().map(|problem| row(&name, problem)));
    }
    table(format_of(matches), &["file", "place", "rule", "what"], &rows, out);
    Ok(match (unread, rows.is_empty()) {
        (_, false) => Outcome::Found,
        (true, true) => Outcome::Incomplete,
        (false, true) => Outcome::Good,
    })
}

fn row(file: &str, problem: &Problem) -> Vec<String> {
    vec![
        file.to_owned(),
        problem.place.to_string(),
        problem.rule.name().to_owned(),
        problem.what.clone(),
    ]
}

pub(super) fn convert(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let path = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    write(&load(&path)?, matches, out)
}

/// Writes a document where the arguments say; what was lost goes to standard error.
pub(super) fn write(
    bom: &Bom,
    matches: &ArgMatches,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let format = matches.get_one::<Format>("to").copied().unwrap_or(Format::CycloneDxJson(7));
    let written =
        sbom::write(bom, format).map_err(|problem| Error::said(format!("{format}: {problem}")))?;
    match matches.get_one::<PathBuf>("output") {
        Some(path) => std::fs::write(path, &written.text)
            .map_err(|source| Error::Io { path: path.clone(), source })?,
        // A closed pipe is no error.
        None => drop(out.write_all(written.text.as_bytes())),
    }
    for loss in written.losses.iter().take(LOSSES_SHOWN_MAX) {
        eprintln!("ume: lost in {format}: {loss}");
    }
    if written.losses.len() > LOSSES_SHOWN_MAX {
        eprintln!("ume: lost in {format}: {} in all", written.losses.len());
    }
    Ok(if written.losses.is_empty() { Outcome::Good } else { Outcome::Found })
}
