//! The room's verbs on the command line.

mod extract;

use std::io::Write;

use clap::{ArgMatches, Command};
use room::{Error, Outcome, Verb};

/// `ume indicators`.
pub(crate) fn verb() -> Verb {
    let command = Command::new("indicators")
        .about("Threat indicators on plain files: normalise, extract, build, match, explain")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(extract::command());
    Verb { command, run }
}

fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    if let Some(("extract", matches)) = matches.subcommand() {
        return extract::run(matches, out);
    }
    let name = matches.subcommand_name().unwrap_or_default();
    Err(Error::said(format!("indicators: no such subcommand: {name}")))
}
