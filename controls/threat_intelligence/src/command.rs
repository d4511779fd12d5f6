//! `ume indicators`: indicators on plain files, without a server.

mod build;
mod convert;
mod diff;
mod documents;
mod explain;
mod extract;
mod input;
mod lists;
mod matching;
mod normalise;
mod pattern;
mod shown;
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
            normalise::command(),
            extract::command(),
            build::command(),
            matching::command(),
            explain::command(),
            diff::command(),
            pattern::command(),
            validate::command(),
            convert::command(),
        ]);
    Verb { command, run }
}

fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    match matches.subcommand() {
        Some(("pattern", matches)) => pattern::run(matches, out),
        Some(("validate", matches)) => validate::run(matches, out),
        Some(("convert", matches)) => convert::run(matches, out),
        Some(("extract", matches)) => extract::run(matches, out),
        Some(("normalise", matches)) => normalise::run(matches, out),
        Some(("build", matches)) => build::run(matches, out),
        Some(("match", matches)) => matching::run(matches, out),
        Some(("explain", matches)) => explain::run(matches, out),
        Some(("diff", matches)) => diff::run(matches, out),
        _ => Err(Error::said("indicators: no such subcommand")),
    }
}

#[cfg(test)]
mod documents_tests;
#[cfg(test)]
mod tests;
