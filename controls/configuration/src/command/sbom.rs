//! `ume sbom`: bills of materials, without a server.

mod identity;
mod image;
mod make;
mod matching;
mod read;
pub(crate) mod shown;
mod verify;

use std::io::Write;

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser};
use room::{Error, Outcome, Verb};

/// The verb.
pub fn verb() -> Verb {
    let command = Command::new("sbom")
        .about("Bills of materials (CycloneDX, SPDX): make, check, convert, compare")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            make::command(),
            read::convert_command(),
            read::validate_command(),
            verify::command(),
            shown::diff_command(),
            shown::graph_command(),
            shown::licences_command(),
            identity::purl_command(),
            identity::order_command(),
            matching::match_command(),
            matching::vex_command(),
            matching::csaf_command(),
        ]);
    Verb { command, run }
}

fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    match matches.subcommand() {
        Some(("make", matches)) => make::run(matches, out),
        Some(("convert", matches)) => read::convert(matches, out),
        Some(("validate", matches)) => read::validate(matches, out),
        Some(("verify", matches)) => verify::run(matches, out),
        Some(("diff", matches)) => shown::diff(matches, out),
        Some(("graph", matches)) => shown::graph(matches, out),
        Some(("licences", matches)) => shown::licences(matches, out),
        Some(("purl", matches)) => identity::purl(matches, out),
        Some(("order", matches)) => identity::versions(matches, out),
        Some(("match", matches)) => matching::advisories(matches, out),
        Some(("vex", matches)) => matching::statements(matches, out),
        Some(("csaf", matches)) => matching::csaf(matches, out),
        _ => Err(Error::said("sbom: no such subcommand")),
    }
}

/// How output is laid out.
fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .default_value("table")
        .value_parser(PossibleValuesParser::new(["table", "json", "csv"]))
        .help("Output format")
}

fn format_of(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("format").map_or("table", String::as_str)
}

/// Rows under heads. A closed pipe (`| head`) is no error.
fn table(format: &str, heads: &[&str], rows: &[Vec<String>], out: &mut dyn Write) {
    let _ = match format {
        "json" => json(heads, rows, out),
        "csv" => csv(heads, rows, out),
        _ => plain(heads, rows, out),
    };
}

fn json(heads: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> std::io::Result<()> {
    let object = |row: &Vec<String>| {
        let members = heads.iter().zip(row);
        members.map(|(head, cell)| ((*head).to_owned(), cell.as_str().into())).collect()
    };
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = rows.iter().map(object).collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}

fn csv(heads: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}", heads.join(","))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| web::csv_cell(cell)).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

fn plain(heads: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> std::io::Result<()> {
    let widths: Vec<usize> = (0..heads.len())
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).min(60))
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            // What stands in foreign files must not steer the terminal.
            let cell = cell.replace(char::is_control, " ");
            let last = at + 1 == heads.len();
            if last { cell } else { format!("{cell:<width$}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  "))?;
    }
    Ok(())
}
