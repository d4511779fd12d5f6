//! `ume indicators convert`: indicators between STIX, MISP and rows.

use std::io::Write;

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser};
use indicators::Direction;
use indicators::exchange::{Item, Items, from_misp, from_stix, to_misp, to_stix};
use indicators::misp::{self, MispError};
use indicators::outlet::{Ask, Form};
use indicators::pattern::Side;
use indicators::stix::{self, time};
use indicators::tlp::Level;
use room::{Error, Outcome};
use serde_json::{Value, json};

use super::documents::{files, files_of, plain, read, words};
use super::lists;

const HEADS: [&str; 8] = ["kind", "value", "side", "from", "until", "tlp", "enforce", "by"];

pub(super) fn command() -> Command {
    Command::new("convert")
        .about("Convert indicators between STIX, MISP, rows and the lists of edges; exit 3 if some are left out")
        .arg(files("STIX documents, MISP events and rows as lines of JSON; - is the input"))
        .arg(
            Arg::new("to")
                .long("to")
                .default_value("csv")
                .visible_alias("format")
                .value_parser(PossibleValuesParser::new([
                    "csv", "ndjson", "stix", "misp", "list", "rpz", "squid", "squid-urls", "squid-networks",
                    "hsb",
                ]))
                .help("What to write; lists hold what may be blocked now"),
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
            Arg::new("zone")
                .long("zone")
                .value_name("NAME")
                .default_value(indicators::outlet::ZONE)
                .value_parser(zone)
                .help("Zone of an RPZ"),
        )
        .arg(
            Arg::new("direction")
                .long("direction")
                .value_name("SIDE")
                .default_value("destination")
                .value_parser(PossibleValuesParser::new(["destination", "source", "both"]))
                .help("Side of a connection that a list is for"),
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
    let to = matches.get_one::<String>("to").map_or("csv", String::as_str);
    if let Some(form) = lists::form(to) {
        return list(matches, form, out);
    }
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

/// What resolvers and file systems take for a name.
fn zone(text: &str) -> Result<String, &'static str> {
    let is_label = |label: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    let name = text.trim_end_matches('.');
    match name.len() <= 100 && name.split('.').all(is_label) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err("no name of a zone such as rpz.example"),
    }
}

fn list(matches: &ArgMatches, form: Form, out: &mut dyn Write) -> Result<Outcome, Error> {
    let at = at(matches);
    let (mut rows, mut is_whole) = (Vec::new(), true);
    for path in files_of(matches) {
        let file = path.display().to_string();
        let bytes = read(&path)?;
        let text = std::str::from_utf8(&bytes).ok();
        let (more, left) = match items(&bytes, Level::Red) {
            // One row alone is an object too, and neither an event nor STIX.
            _ if text.is_some_and(lists::is_rows) => lists::of_lines(text.unwrap_or_default(), at),
            Ok(items) => {
                let said = items.left.iter().map(|(id, why)| format!("{id}: {why}"));
                let (rows, mut left) = lists::of_items(&items.items);
                left.extend(said);
                (rows, left)
            }
            Err(what) => match text {
                Some(text) if text.trim_start().starts_with('{') => lists::of_lines(text, at),
                _ => return Err(Error::said(format!("{file}: {what}"))),
            },
        };
        for why in &left {
            eprintln!("ume: {file}: {}", plain(why));
        }
        is_whole &= left.is_empty();
        rows.extend(more);
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let direction = Direction::named(&text("direction")).unwrap_or_default();
    let ask = Ask { direction, zone: text("zone"), ..Ask::new(form, at) };
    for (why, rows) in lists::write(ask, &rows, out)? {
        eprintln!("ume: {rows} {}", left_said(why));
        is_whole &= why != "long" && why != "full";
    }
    Ok(if is_whole { Outcome::Good } else { Outcome::Incomplete })
}

fn left_said(why: &str) -> String {
    let (ja, en) = match why {
        "alert_only" => ("件は検知のみのため、入れていません", "left out: told of only"),
        "not_now" => ("件は期間外のため、入れていません", "left out: outside their period"),
        "other_direction" => ("件は向きが違うため、入れていません", "left out: other direction"),
        "other_kind" => {
            ("件はこの形で扱わない種類です", "left out: a kind that the list does not take")
        }
        "reach" => ("件はこの形では表せません", "left out: the list cannot say how far they reach"),
        "long" => ("件は長すぎます", "left out: too long"),
        _ => ("件は上限を超えました", "left out: beyond the limit"),
    };
    words(ja.to_owned(), en.to_owned())
}

fn at(matches: &ArgMatches) -> i64 {
    let now = || jiff::Timestamp::now().as_microsecond();
    matches.get_one::<i64>("at").copied().unwrap_or_else(now)
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
    let at = at(matches);
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
