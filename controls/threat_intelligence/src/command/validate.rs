//! `ume indicators validate`: STIX documents against the specification.

use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};
use indicators::stix::{self, Diagnostic, Severity};
use room::{Error, Outcome};
use serde_json::json;

use super::documents::{files, files_of, lines_or_table, plain, read, wants_lines, words};

pub(super) fn command() -> Command {
    Command::new("validate")
        .about("Hold STIX documents against the specification; exit 1 if one has errors, 3 if one was not readable")
        .arg(files("STIX bundles, lists of objects or single objects; - is the input"))
        .arg(
            Arg::new("strict")
                .long("strict")
                .action(ArgAction::SetTrue)
                .help("Warnings count as errors"),
        )
        .arg(lines_or_table())
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (mut errors, mut unread) = (0usize, false);
    for path in files_of(matches) {
        let file = path.display().to_string();
        let bytes = read(&path)?;
        let parsed = match stix::parse(&bytes, &stix::Limits::default()) {
            Ok(parsed) => parsed,
            Err(error) => {
                eprintln!("ume: {file}: {error}");
                unread = true;
                continue;
            }
        };
        let told = stix::validate(&parsed);
        let grave = |d: &&Diagnostic| matches.get_flag("strict") || d.severity() == Severity::Error;
        let own = told.iter().filter(grave).count();
        errors += own;
        for diagnostic in &told {
            print(&file, diagnostic, wants_lines(matches), out)?;
        }
        if !wants_lines(matches) {
            let (objects, all) = (parsed.objects.len(), told.len());
            let sum = words(
                format!("{file}: オブジェクト{objects}件、指摘{all}件（うち誤り{own}件）"),
                format!("{file}: {objects} objects, {all} findings, {own} of them errors"),
            );
            writeln!(out, "{sum}").map_err(Error::said)?;
        }
    }
    Ok(match (unread, errors) {
        (true, _) => Outcome::Incomplete,
        (false, 0) => Outcome::Good,
        (false, _) => Outcome::Found,
    })
}

fn print(
    file: &str,
    diagnostic: &Diagnostic,
    lines: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (severity, rule) = (diagnostic.severity(), diagnostic.rule.id());
    let text = words(diagnostic.ja(), diagnostic.en());
    if lines {
        let line = json!({
            "file": file, "pointer": diagnostic.pointer, "severity": severity.as_str(), "rule": rule, "text": text,
        });
        return writeln!(out, "{line}").map_err(Error::said);
    }
    let severity = match severity {
        Severity::Error => words("誤り".into(), "error".into()),
        Severity::Warning => words("注意".into(), "warning".into()),
    };
    let pointer = if diagnostic.pointer.is_empty() { "/" } else { &diagnostic.pointer };
    writeln!(out, "{file}: {}: {severity}: {} ({rule})", plain(pointer), plain(&text))
        .map_err(Error::said)
}
