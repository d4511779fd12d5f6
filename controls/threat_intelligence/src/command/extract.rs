//! `ume indicators extract`: what notices say, from plain files.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use indicators::extract::{self, Labels, Notice, Span};
use room::{Error, Outcome};
use serde_json::{Value as Json, json};
use stream::Encoding;

use crate::work::inbox::{self, ORIGINAL_BYTES_MAX};

const ENCODINGS: [&str; 4] = ["utf-8", "cp932", "euc-jp", "iso-2022-jp"];

pub(super) fn command() -> Command {
    Command::new("extract")
        .about(
            "Read indicators, periods and markings out of notices and mails; exit 1 if any, 3 if \
             something was not readable",
        )
        .arg(
            Arg::new("FILE")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("Texts or mails (.eml); - is the input"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .default_value("table")
                .value_parser(PossibleValuesParser::new(["table", "ndjson", "csv"]))
                .help("Output format"),
        )
        .arg(
            Arg::new("encoding")
                .long("encoding")
                .value_name("NAME")
                .value_parser(PossibleValuesParser::new(ENCODINGS))
                .help("Encoding of the texts, where it cannot be found out"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("Show what is unlikely too: links, versions, private addresses"),
        )
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let format = matches.get_one::<String>("format").map_or("table", String::as_str);
    let told = matches.get_one::<String>("encoding").and_then(|name| Encoding::named(name));
    let has_all = matches.get_flag("all");
    let (mut found, mut failed) = (false, false);
    if format == "csv" {
        let _ = writeln!(out, "file,what,value,direction,from,to,port,confidence,basis");
    }
    for path in matches.get_many::<PathBuf>("FILE").into_iter().flatten() {
        let name = path.display().to_string();
        let original = match bytes(path)
            .and_then(|bytes| inbox::read(&bytes, told).map_err(|error| advice(&error)))
        {
            Ok(original) => original,
            Err(error) => {
                eprintln!("{name}: {error}");
                failed = true;
                continue;
            }
        };
        let notice = extract::extract(&original.whole(), Labels::shipped());
        failed |= original.is_cut || notice.is_cut;
        found |= notice.spans.iter().any(|span| span.indicator().is_some());
        // A closed pipe (`| head`) is no error.
        let _ = print(format, &name, &notice, has_all, out);
    }
    Ok(match (failed, found) {
        (true, _) => Outcome::Incomplete,
        (false, true) => Outcome::Found,
        (false, false) => Outcome::Good,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = ORIGINAL_BYTES_MAX + 1;
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > ORIGINAL_BYTES_MAX {
        return Err(format!("more than {ORIGINAL_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

fn advice(error: &inbox::InboxError) -> String {
    match error {
        inbox::InboxError::Encoding => {
            format!("{error}: name it by --encoding {}", ENCODINGS.join("|"))
        }
        other => other.to_string(),
    }
}

fn is_shown(span: &Span, has_all: bool) -> bool {
    has_all || span.confidence >= extract::LIKELY
}

fn print(
    format: &str,
    name: &str,
    notice: &Notice,
    has_all: bool,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for span in notice.spans.iter().filter(|span| is_shown(span, has_all)) {
        match format {
            "ndjson" => writeln!(out, "{}", json(name, span))?,
            "csv" => {
                let cells = cells(name, span);
                let cells: Vec<String> = cells.iter().map(|cell| web::csv_cell(cell)).collect();
                writeln!(out, "{}", cells.join(","))?;
            }
            _ => {
                let [_, what, value, direction, from, to, ..] = cells(name, span);
                // What stands in foreign files must not steer the terminal.
                let value = value.replace(char::is_control, " ");
                writeln!(out, "{what:<13} {direction:<11} {from:>10} {to:>10}  {value}")?;
            }
        }
    }
    if format == "ndjson" {
        let day = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string());
        let whole = json!({
            "file": name,
            "marking": notice.marking.map(|marking| inbox::tlp_word(marking.level)),
            "group_companies": notice.marking.map(|marking| marking.has_group),
            "from": notice.period.and_then(|period| day(period.from)),
            "to": notice.period.and_then(|period| day(period.to)),
            "is_cut": notice.is_cut,
        });
        writeln!(out, "{whole}")?;
    }
    Ok(())
}

fn json(name: &str, span: &Span) -> Json {
    let [_, what, value, _, from, to, ..] = cells(name, span);
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    json!({
        "file": name,
        "start": span.start,
        "end": span.end,
        "what": what,
        "value": value,
        "direction": span.direction.map(|direction| direction.as_str()),
        "from": said(from),
        "to": said(to),
        "port": span.port,
        "confidence": span.confidence,
        "basis": span.basis.as_str(),
    })
}

fn cells(name: &str, span: &Span) -> [String; 9] {
    let day =
        |date: Option<jiff::civil::Date>| date.map_or_else(String::new, |date| date.to_string());
    [
        name.to_owned(),
        span.what.as_str().to_owned(),
        span.value.clone(),
        span.direction.map_or("", |direction| direction.as_str()).to_owned(),
        day(span.period.and_then(|period| period.from)),
        day(span.period.and_then(|period| period.to)),
        span.port.map_or_else(String::new, |port| port.to_string()),
        span.confidence.to_string(),
        span.basis.as_str().to_owned(),
    ]
}
