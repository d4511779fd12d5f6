//! `ume baseline`: looks at a host, or at a folder that holds the root of one, without a server.

pub mod sbom;
mod rebuild;
mod sheet;

use std::{io::Write, path::PathBuf};

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use room::{Error, Outcome, Verb};
use serde_json::Value as Json;

use crate::work::collect::{Snapshot, collect};

const VALUE_CHARS_MAX: usize = 100;

/// The room's verb.
pub fn verb() -> Verb {
    let root = Arg::new("root")
        .long("root")
        .value_name("DIR")
        .default_value("/")
        .value_parser(value_parser!(PathBuf))
        .help("Folder that holds the root of a host; of / the running kernel is asked as well");
    let gather = Command::new("gather")
        .about("Collect the configuration: one line per fact; exit 3 if something was not readable")
        .args([root, format()]);
    let command = Command::new("baseline")
        .about("Configuration of a host, or of a folder that holds the root of one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(gather)
        .subcommand(rebuild::export_command())
        .subcommand(rebuild::prove_command())
        .subcommand(sheet::command());
    Verb { command, run }
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

fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    match matches.subcommand() {
        Some(("export", matches)) => return rebuild::run_export(matches, out),
        Some(("prove", matches)) => return rebuild::run_prove(matches, out),
        Some(("sheet", matches)) => return sheet::run(matches, out),
        _ => {}
    }
    let Some(("gather", matches)) = matches.subcommand() else {
        return Err(Error::said("baseline: no such subcommand"));
    };
    let root = matches.get_one::<PathBuf>("root").cloned().unwrap_or_else(|| "/".into());
    std::fs::read_dir(&root).map_err(|source| Error::Io { path: root.clone(), source })?;
    let snapshot = collect(&root, root.as_os_str() == "/");
    let printed = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => json(&snapshot, out),
        Some("csv") => {
            writeln!(out, "family,key,value").and_then(|()| lines(&snapshot, out, csv_line))
        }
        _ => lines(&snapshot, out, table_line),
    };
    // A closed pipe (`| head`) is no error.
    let whole = printed.is_ok() && snapshot.unread.is_empty();
    for unread in &snapshot.unread {
        eprintln!("ume: {}: {}", unread.path, unread.reason);
    }
    Ok(if whole || printed.is_err() { Outcome::Good } else { Outcome::Incomplete })
}

fn json(snapshot: &Snapshot, out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &snapshot.to_json())?;
    writeln!(out)
}

type Line = fn(&str, &str, &str) -> String;

fn lines(snapshot: &Snapshot, out: &mut dyn Write, line: Line) -> std::io::Result<()> {
    for (family, facts) in &snapshot.families {
        for (key, value) in facts {
            writeln!(out, "{}", line(family, key, &text(value)))?;
        }
    }
    Ok(())
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn csv_line(family: &str, key: &str, value: &str) -> String {
    [family, key, value].map(web::csv_cell).join(",")
}

fn table_line(family: &str, key: &str, value: &str) -> String {
    let shown: String = value.chars().take(VALUE_CHARS_MAX).collect();
    let more = if shown.len() < value.len() { "…" } else { "" };
    // What a host's files hold must not steer the terminal.
    format!("{family:<12} {key:<48} {shown}{more}").replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(arguments: &[&str]) -> (Result<Outcome, Error>, String) {
        let mut out = Vec::new();
        let arguments = ["baseline", "gather"].iter().chain(arguments);
        let matches = verb().command.try_get_matches_from(arguments).expect("arguments");
        let outcome = run(&matches, &mut out);
        (outcome, String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn a_folder_is_read_like_a_host_and_what_is_missing_makes_it_incomplete() {
        let folder = tempfile::tempdir().expect("folder");
        let etc = folder.path().join("etc");
        std::fs::create_dir(&etc).expect("etc");
        std::fs::write(etc.join("os-release"), "ID=debian\nPRETTY_NAME=\"A, \\\"B\\\"\"\n")
            .expect("written");
        let root = folder.path().to_string_lossy().into_owned();
        let (outcome, text) = gather(&["--root", &root, "--format", "csv"]);
        assert_eq!(outcome.expect("read"), Outcome::Incomplete);
        assert!(text.starts_with("family,key,value\n"), "{text}");
        assert!(text.lines().any(|line| line.contains("debian")), "{text}");
        let (_, text) = gather(&["--root", &root, "--format", "json"]);
        let json: Json = serde_json::from_str(&text).expect("JSON");
        assert!(json.to_string().contains("debian"));
    }

    #[test]
    fn no_value_steers_the_terminal() {
        assert!(!table_line("os", "name\x1b[2J", "a\nb\x07").contains(char::is_control));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let (outcome, _) = gather(&["--root", "/no/such/root"]);
        assert!(outcome.expect_err("refused").to_string().starts_with("/no/such/root"));
    }
}
