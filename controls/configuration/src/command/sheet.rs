//! `ume baseline sheet`: a parameter sheet held against hosts, and filled.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use reports::Book;
use room::{Error, Outcome};
use serde_json::{Value as Json, json};

use crate::sheet::{
    Finding,
    compare::{Compared, Hosts, Line, compare},
    fill, hosts,
    map::{SheetMap, propose},
};

/// The subcommand.
pub(super) fn command() -> Command {
    let book = Arg::new("book")
        .value_name("BOOK")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Workbook (xlsx), or a table as CSV");
    let facts = Arg::new("facts")
        .long("facts")
        .value_name("[NAME=]FILE")
        .required(true)
        .action(ArgAction::Append)
        .help("Facts of a host as `ume baseline facts --format json` prints them; repeat it");
    let map = Arg::new("map")
        .long("map")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Which column holds what, as `ume baseline sheet map --format json` prints it");
    let host = Arg::new("host")
        .long("host")
        .value_name("NAME")
        .action(ArgAction::Append)
        .help("Name of a host that has a column or a sheet; repeat it");
    let output = Arg::new("output")
        .long("output")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Where the filled workbook goes");
    let day = Arg::new("checked-on")
        .long("checked-on")
        .value_name("DATE")
        .help("What stands as day of the check [default: today]");
    Command::new("sheet")
        .about("Parameter sheets: design values held against hosts, and filled")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("map")
                .about("Show which column of which sheet holds what; exit 3 if no table was found")
                .args([book.clone(), host, super::format()]),
        )
        .subcommand(
            Command::new("compare")
                .about("Hold design values against hosts; exit 1 where one differs, 3 where one could not be judged")
                .args([book.clone(), facts.clone(), map.clone(), super::format()]),
        )
        .subcommand(
            Command::new("fill")
                .about("Write actual values and verdicts into a copy of the workbook, nothing else in it changes")
                .args([book, facts, map, output, day]),
        )
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    match matches.subcommand() {
        Some(("map", matches)) => show_map(matches, out),
        Some(("compare", matches)) => show_compared(matches, out),
        Some(("fill", matches)) => fill_book(matches, out),
        _ => Err(Error::said("baseline sheet: no such subcommand")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

fn book(matches: &ArgMatches) -> Result<(PathBuf, Vec<u8>, Book), Error> {
    let path = matches.get_one::<PathBuf>("book").cloned().unwrap_or_default();
    let bytes = read(&path)?;
    let said = |error| Error::said(format!("{}: {error}", path.display()));
    let book = reports::read(&bytes).map_err(said)?;
    Ok((path, bytes, book))
}

fn show_map(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (path, _, book) = book(matches)?;
    let names: Vec<String> = matches.get_many("host").into_iter().flatten().cloned().collect();
    let maps = propose(&book, &names);
    // A closed pipe is no error.
    let _ = match super::format_name(matches) {
        "json" => writeln!(out, "{:#}", json!({ "maps": maps })),
        form => columns(&maps, form == "csv", out),
    };
    if maps.is_empty() {
        eprintln!("ume: {}: no table with items and design values was found", path.display());
        return Ok(Outcome::Incomplete);
    }
    Ok(Outcome::Good)
}

fn columns(maps: &[SheetMap], csv: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if csv {
        writeln!(out, "sheet,header_row,cell,role,header,host,new")?;
    }
    for map in maps {
        for place in &map.columns {
            let cell = reports::address(map.header_row.saturating_sub(1), place.at);
            let role = json!(place.role);
            let host = place.host.as_deref().or(map.host.as_deref()).unwrap_or("");
            let row = map.header_row.to_string();
            let new = if place.new { "new" } else { "" };
            let cells =
                [&map.sheet, &row, &cell, role.as_str().unwrap_or(""), &place.header, host, new];
            print_line(&cells, &[20, 4, 6, 10, 20, 20, 3], csv, out)?;
        }
    }
    Ok(())
}

fn print_line(
    cells: &[&str],
    widths: &[usize],
    csv: bool,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if csv {
        let cells: Vec<String> = cells.iter().map(|cell| web::csv_cell(cell)).collect();
        return writeln!(out, "{}", cells.join(","));
    }
    let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    // What a sheet holds must not steer the terminal.
    let line = cells.collect::<Vec<_>>().join(" ").replace(char::is_control, " ");
    writeln!(out, "{}", line.trim_end())
}

/// The hosts by name, and the one meant where a sheet names none.
fn hosts(matches: &ArgMatches) -> Result<Hosts, Error> {
    let mut all = BTreeMap::new();
    for said in matches.get_many::<String>("facts").into_iter().flatten() {
        let (name, file) = match said.split_once('=') {
            Some((name, file)) => (Some(name.to_owned()), file),
            None => (None, said.as_str()),
        };
        let bytes = read(Path::new(file))?;
        let json: Json =
            serde_json::from_slice(&bytes).map_err(|e| Error::said(format!("{file}: {e}")))?;
        let facts = hosts::facts(&json).map_err(|e| Error::said(format!("{file}: {e}")))?;
        let name = name.or_else(|| hosts::name(&facts)).ok_or_else(|| {
            Error::said(format!("{file}: it names no host: say it as NAME={file}"))
        })?;
        all.insert(name, facts);
    }
    Ok(all)
}

fn maps(matches: &ArgMatches, book: &Book, hosts: &Hosts) -> Result<Vec<SheetMap>, Error> {
    let Some(path) = matches.get_one::<PathBuf>("map") else {
        let names: Vec<String> = hosts.keys().cloned().collect();
        let maps = propose(book, &names);
        return match maps.is_empty() {
            true => {
                Err(Error::said("no table with items and design values was found in the workbook"))
            }
            false => Ok(maps),
        };
    };
    let said = |error| Error::said(format!("{}: {error}", path.display()));
    let json: Json = serde_json::from_slice(&read(path)?).map_err(said)?;
    serde_json::from_value(json["maps"].clone()).map_err(said)
}

struct Held {
    path: PathBuf,
    bytes: Vec<u8>,
    maps: Vec<SheetMap>,
    compared: Compared,
}

fn held(matches: &ArgMatches) -> Result<Held, Error> {
    let (path, bytes, book) = book(matches)?;
    let hosts = hosts(matches)?;
    let maps = maps(matches, &book, &hosts)?;
    let alone = (hosts.len() == 1).then(|| hosts.keys().next().cloned()).flatten();
    let mut all = Compared::default();
    for map in &maps {
        let said = |error| Error::said(format!("{}: {error}", path.display()));
        let one = compare(&book, map, &hosts, alone.as_deref()).map_err(said)?;
        all.lines.extend(one.lines);
        all.hosts_missing.extend(one.hosts_missing);
    }
    for host in &all.hosts_missing {
        match host.is_empty() {
            true => eprintln!(
                "ume: {}: a table names no host, and facts of several were given",
                path.display()
            ),
            false => eprintln!("ume: {}: no facts of the host {host}", path.display()),
        }
    }
    Ok(Held { path, bytes, maps, compared: all })
}

fn outcome(compared: &Compared) -> Outcome {
    let any =
        |finding: &[Finding]| compared.lines.iter().any(|line| finding.contains(&line.finding));
    if any(&[Finding::Differs, Finding::NotSet]) {
        return Outcome::Found;
    }
    let unjudged = any(&[Finding::Unread, Finding::UnknownItem, Finding::Unclear]);
    let nothing = compared.lines.is_empty();
    if unjudged || nothing || !compared.hosts_missing.is_empty() {
        return Outcome::Incomplete;
    }
    Outcome::Good
}

fn show_compared(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let held = held(matches)?;
    let lines = &held.compared.lines;
    let _ = match super::format_name(matches) {
        "json" => writeln!(
            out,
            "{:#}",
            json!({ "lines": lines, "hosts_missing": held.compared.hosts_missing })
        ),
        form => table(lines, form == "csv", out),
    };
    Ok(outcome(&held.compared))
}

fn table(lines: &[Line], csv: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if csv {
        writeln!(out, "sheet,cell,host,section,item,key,design,actual,finding,evidence")?;
    }
    for line in lines {
        let finding = line.finding.as_str();
        let whole = [
            line.sheet.as_str(),
            &line.cell,
            &line.host,
            &line.section,
            &line.item,
            &line.key,
            &line.design,
            &line.actual,
            finding,
            &line.evidence,
        ];
        let short = [finding, &line.host, &line.cell, &line.item, &line.design, &line.actual];
        match csv {
            true => print_line(&whole, &[], true, out)?,
            false => print_line(&short, &[12, 16, 6, 32, 20, 20], false, out)?,
        }
    }
    Ok(())
}

fn today() -> String {
    let zone = jiff::tz::TimeZone::system();
    jiff::Timestamp::now().to_zoned_datetime(zone).date().to_string()
}

fn fill_book(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let held = held(matches)?;
    let said = matches.get_one::<String>("checked-on").cloned();
    let day = said.unwrap_or_else(today);
    let pages: Vec<_> =
        held.maps.iter().map(|map| fill::page(map, &held.compared.lines, &day)).collect();
    let filled = reports::fill(&held.bytes, &pages).map_err(|error| {
        Error::said(format!("{}: nothing was written: {error}", held.path.display()))
    })?;
    let output = matches.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    std::fs::write(&output, &filled.bytes)
        .map_err(|source| Error::Io { path: output.clone(), source })?;
    for cell in &filled.formulas {
        eprintln!("ume: {}: {cell} holds a formula and was left alone", held.path.display());
    }
    let _ = writeln!(out, "{} cells written to {}", filled.written, output.display());
    Ok(outcome(&held.compared))
}
