//! `ume completions` and `ume man`: made from the command line itself.

use std::{path::Path, process::ExitCode};

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
        let mut command = crate::command().term_width(100);
        command.build();
        let mut out = String::new();
        all(&mut command, &mut out);
        crate::config::reference::same_as_file("commands.txt", &out);
    }
}
