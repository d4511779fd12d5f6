//! `ume indicators convert`: indicators between STIX, MISP and rows.

use std::io::Write;

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser};
use indicators::exchange::{Item, Items, from_misp, from_stix, to_misp, to_stix};
use indicators::misp::{self, MispError};
use indicators::pattern::Side;
use indicators::stix::{self, time};
use indicators::tlp::Level;
use room::{Error, Outcome};
use serde_json::{Value, json};

use super::documents::{files, files_of, plain, read, words};

const HEADS: [&str; 8] = ["kind", "value", "side", "from", "until", "tlp", "enforce", "by"];

pub(super) fn command() -> Command {
    Command::new("convert")
        .about("Convert indicators between STIX, MISP and rows; exit 3 if some say more than one value")
        .arg(files("STIX documents and MISP events; - is the input"))
        .arg(
            Arg::new("to")
                .long("to")
                .default_value("csv")
                .value_parser(PossibleValuesParser::new(["csv", "ndjson", "stix", "misp"]))
                .help("What to write"),
        )
        .arg(
            Arg::new("unmarked")
                .long("unmarked")
                .value_name("TLP")
                .default_value("TLP:RED")
                .value_parser(|text: &str| Level::parse(text).ok_or("no level such as TLP:AMBER"))
                .help("What counts as the mark of the unmarked"),
        )
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("TIME")
                .value_parser(|text: &str| time::parse(text).ok_or("no time as in 2026-04-01T09:00:00Z"))
                .help("When the output is made, as 2026-04-01T09:00:00Z; without it now"),
        )
        .arg(
            Arg::new("org")
                .long("org")
                .value_name("NAME")
                .default_value("Ume")
                .help("Who makes the MISP event"),
        )
        .arg(
            Arg::new("info")
                .long("info")
                .value_name("TEXT")
                .default_value("Indicators")
                .help("What the MISP event is about"),
        )
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let unmarked = matches.get_one::<Level>("unmarked").copied().unwrap_or(Level::Red);
    let mut all = Items::default();
    for path in files_of(matches) {
        let file = path.display().to_string();
        let items = items(&read(&path)?, unmarked)
            .map_err(|what| Error::said(format!("{file}: {what}")))?;
        for (id, why) in &items.left {
            eprintln!("ume: {file}: {}: {}", plain(id), plain(why));
        }
        all.items.extend(items.items);
        all.left.extend(items.left);
    }
    write(matches, &all.items, out)?;
    Ok(if all.left.is_empty() { Outcome::Good } else { Outcome::Incomplete })
}

/// A MISP event has a uuid and no type; anything else is STIX.
fn items(bytes: &[u8], unmarked: Level) -> Result<Items, String> {
    match misp::read_event(bytes, &misp::Limits::default()) {
        Ok(event) => return Ok(from_misp(&event, unmarked)),
        Err(error @ (MispError::Bytes(_) | MispError::Attributes(_))) => {
            let (ja, en) = error.words();
            return Err(words(ja, en));
        }
        Err(MispError::Json(_) | MispError::Shape(_)) => {}
    }
    let parsed = stix::parse(bytes, &stix::Limits::default()).map_err(|error| error.to_string())?;
    let values: Vec<&Value> = parsed.objects.iter().map(|object| &object.value).collect();
    let mut items = from_stix(&values, unmarked);
    let unread = parsed.diagnostics.iter().map(|d| (d.pointer.clone(), words(d.ja(), d.en())));
    items.left.extend(unread);
    Ok(items)
}

fn write(matches: &ArgMatches, items: &[Item], out: &mut dyn Write) -> Result<(), Error> {
    let now = || jiff::Timestamp::now().as_microsecond();
    let at = matches.get_one::<i64>("at").copied().unwrap_or_else(now);
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    match text("to").as_str() {
        "stix" => document(&to_stix(items, at), out),
        "misp" => {
            let name = text("org");
            let uuid = indicators::exchange::org_uuid(&name);
            document(&misp::write_event(&to_misp(items, &text("info"), (name, uuid), at)), out)
        }
        "ndjson" => items.iter().try_for_each(|item| {
            let cells = cells(item);
            let line: serde_json::Map<String, Value> = HEADS
                .iter()
                .zip(cells)
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(head, cell)| ((*head).to_owned(), json!(cell)))
                .collect();
            writeln!(out, "{}", Value::Object(line)).map_err(Error::said)
        }),
        _ => {
            writeln!(out, "{}", HEADS.join(",")).map_err(Error::said)?;
            items.iter().try_for_each(|item| {
                let cells = cells(item).map(|cell| web::csv_cell(&cell));
                writeln!(out, "{}", cells.join(",")).map_err(Error::said)
            })
        }
    }
}

fn document(value: &Value, out: &mut dyn Write) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(Error::said)?;
    writeln!(out).map_err(Error::said)
}

fn cells(item: &Item) -> [String; 8] {
    let moment = |at: Option<i64>| at.map(time::print).unwrap_or_default();
    let side = match item.side {
        Some(Side::Source) => "source",
        Some(Side::Destination) => "destination",
        None => "",
    };
    [
        item.kind.as_str().to_owned(),
        item.value.clone(),
        side.to_owned(),
        moment(item.from),
        moment(item.until),
        item.level.as_str().to_owned(),
        item.enforce.to_string(),
        item.by.clone(),
    ]
}
