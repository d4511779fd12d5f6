//! The room's verbs on the command line.

mod convert;
mod documents;
mod extract;
mod pattern;
mod validate;

use std::io::Write;

use clap::{ArgMatches, Command};
use room::{Error, Outcome, Verb};

/// `ume indicators`.
pub(crate) fn verb() -> Verb {
    let command = Command::new("indicators")
        .about("Threat indicators on plain files: normalise, extract, build, match, explain")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            pattern::command(),
            validate::command(),
            convert::command(),
            extract::command(),
        ]);
    Verb { command, run }
}

fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    match matches.subcommand() {
        Some(("pattern", matches)) => pattern::run(matches, out),
        Some(("validate", matches)) => validate::run(matches, out),
        Some(("convert", matches)) => convert::run(matches, out),
        Some(("extract", matches)) => extract::run(matches, out),
        _ => Err(Error::said("indicators: no such subcommand")),
    }
}

#[cfg(test)]
mod documents_tests;
