//! `ume completions` and `ume man`: made from the command line itself.

mod japanese;

use std::{path::Path, process::ExitCode};

pub use japanese::{help as in_japanese, said as said_in_japanese};

use crate::{CliError, command, data};

/// Prints completions.
pub fn completions(shell: clap_complete::Shell) -> Result<ExitCode, CliError> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command(), "ume", &mut out);
    crate::print(&String::from_utf8_lossy(&out));
    Ok(ExitCode::SUCCESS)
}

/// Prints ume(1), or writes a page for each command.
pub fn manual(folder: Option<&Path>) -> Result<ExitCode, CliError> {
    let Some(folder) = folder else {
        let mut out = Vec::new();
        let page = clap_mangen::Man::new(command());
        page.render(&mut out).map_err(|e| CliError::Worker(e.to_string()))?;
        crate::print(&String::from_utf8_lossy(&out));
        return Ok(ExitCode::SUCCESS);
    };
    data::create(folder)?;
    clap_mangen::generate_to(command(), folder)
        .map_err(|source| CliError::Io { path: folder.to_owned(), source })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    /// The long help of a command and of all below it, at a fixed width.
    fn all(command: &mut clap::Command, out: &mut String) {
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        out.push_str(&format!(
            "=== {}\n{}\n\n",
            command.get_bin_name().unwrap_or("ume"),
            lines.join("\n")
        ));
        for sub in command.get_subcommands_mut().filter(|c| c.get_name() != "help") {
            all(sub, out);
        }
    }

    #[test]
    fn the_command_help_is_the_checked_in_one() {
        let mut command = crate::english().term_width(100);
        command.build();
        let mut out = String::new();
        all(&mut command, &mut out);
        crate::config::reference::same_as_file("commands.txt", &out);
        let mut command = crate::command_in(model::Lang::Ja).term_width(100);
        command.build();
        let mut out = String::new();
        all(&mut command, &mut out);
        let out = super::japanese::rendered(&out, 100);
        crate::config::reference::same_as_file("commands.ja.txt", &out);
    }

    /// Commands whose output is no result that a program would read otherwise.
    const WITHOUT_FORMAT: [(&str, &str); 14] = [
        ("ume serve", "runs until it is stopped"),
        ("ume completions", "prints a script for a shell"),
        ("ume man", "prints or writes roff"),
        ("ume oscal export", "writes a document, and --format says json or yaml"),
        ("ume baseline export", "writes a project into a folder"),
        ("ume baseline watch", "prints a line of JSON for each change, as it happens"),
        ("ume baseline sheet fill", "writes a workbook"),
        ("ume indicators build", "writes a set"),
        ("ume ti brief pdf", "writes a document"),
        ("ume indicators convert", "writes a document, and --to says its form"),
        ("ume indicators pattern", "prints patterns, which have a form of their own"),
        ("ume sbom make", "writes a document, and --to says its form"),
        ("ume sbom convert", "writes a document, and --to says its form"),
        ("ume work run", "says in one line how the job ended; `ume work list` has the rest"),
    ];

    fn leaves<'c>(command: &'c clap::Command, out: &mut Vec<&'c clap::Command>) {
        let below: Vec<_> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
        if below.is_empty() {
            out.push(command);
        }
        for sub in below {
            leaves(sub, out);
        }
    }

    #[test]
    fn every_command_that_prints_a_result_has_table_json_and_csv() {
        let mut command = crate::english();
        command.build();
        let mut all = Vec::new();
        leaves(&command, &mut all);
        assert!(all.len() > 60, "{}", all.len());
        for leaf in all {
            let name = leaf.get_bin_name().unwrap_or_default();
            let format = leaf.get_arguments().find(|arg| arg.get_id() == "format");
            let excused = WITHOUT_FORMAT.iter().any(|(command, _)| *command == name);
            assert_eq!(format.is_none(), excused, "{name}");
            let values = format.map(|arg| arg.get_possible_values());
            let names: Vec<String> =
                values.into_iter().flatten().map(|v| v.get_name().to_owned()).collect();
            let common = ["table", "json", "csv"].map(str::to_owned);
            // What these print may be larger than memory, so JSON comes line by line.
            let is_stream = name.starts_with("ume indicators ");
            let is_good = match is_stream {
                true => names.iter().any(|name| name == "ndjson"),
                false => names.starts_with(&common),
            };
            assert!(excused || is_good, "{name}: {names:?}");
        }
    }
}
