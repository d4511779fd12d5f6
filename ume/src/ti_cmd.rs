//! `ume ti …`: threat intelligence of a data folder, beside a running server or without one.

mod feeds;
mod sharing;

use clap::Subcommand;

use crate::{CliError, ExitCode};

#[derive(Subcommand)]
pub enum TiCommand {
    #[command(flatten)]
    Feeds(feeds::TiCommand),
    #[command(flatten)]
    Sharing(sharing::TiCommand),
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    match command {
        TiCommand::Feeds(command) => feeds::run(command).await,
        TiCommand::Sharing(command) => sharing::run(command).await,
    }
}
