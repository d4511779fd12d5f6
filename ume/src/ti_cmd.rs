//! `ume ti …`: threat intelligence of a data folder or a server.

mod brief;
mod order;

use clap::Subcommand;

use crate::{CliError, ExitCode};

#[derive(Subcommand)]
pub enum TiCommand {
    /// The brief for executives: issue, show, acknowledge
    Brief {
        #[command(subcommand)]
        command: brief::BriefCommand,
    },
    /// Orders of executives
    Order {
        #[command(subcommand)]
        command: order::OrderCommand,
    },
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    match command {
        TiCommand::Brief { command } => brief::run(command).await,
        TiCommand::Order { command } => order::run(command).await,
    }
}
