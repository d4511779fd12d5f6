//! `ume ti …`: threat intelligence of a data folder. Reading works beside a running server; what changes something goes
//! through the server that holds the folder, or takes a free one.

mod outlet;

use clap::Subcommand;

use crate::{CliError, ExitCode};

#[derive(Subcommand)]
pub enum TiCommand {
    /// Outlets: lists for resolvers, proxies, scanners and firewalls
    Outlet {
        #[command(subcommand)]
        command: outlet::OutletCommand,
    },
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    match command {
        TiCommand::Outlet { command } => outlet::run(command).await,
    }
}
