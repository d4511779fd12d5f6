//! The room's verbs on the command line.

use std::io::Write;

use clap::{ArgMatches, Command};
use room::{Error, Outcome, Verb};

/// `ume indicators`.
pub(crate) fn verb() -> Verb {
    let command = Command::new("indicators")
        .about("Threat indicators on plain files: normalise, extract, build, match, explain")
        .subcommand_required(true)
        .arg_required_else_help(true);
    Verb { command, run }
}

fn run(matches: &ArgMatches, _out: &mut dyn Write) -> Result<Outcome, Error> {
    let name = matches.subcommand_name().unwrap_or_default();
    Err(Error::said(format!("indicators: no such subcommand: {name}")))
}
