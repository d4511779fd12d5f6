//! `ume ti …`: threat intelligence of a data folder, beside a running server or without one.

mod brief;
mod feeds;
mod inbox;
mod order;
mod outlet;
mod sharing;
mod ten;

use clap::Subcommand;

use crate::{CliError, ExitCode};

#[derive(Subcommand)]
pub enum TiCommand {
    #[command(flatten)]
    Inbox(inbox::TiCommand),
    #[command(flatten)]
    Feeds(feeds::TiCommand),
    #[command(flatten)]
    Ten(ten::TiCommand),
    #[command(flatten)]
    Sharing(sharing::TiCommand),
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
    /// Outlets: lists for resolvers, proxies, scanners and firewalls
    Outlet {
        #[command(subcommand)]
        command: outlet::OutletCommand,
    },
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    match command {
        TiCommand::Inbox(command) => inbox::run(command).await,
        TiCommand::Feeds(command) => feeds::run(command).await,
        TiCommand::Ten(command) => ten::run(command).await,
        TiCommand::Sharing(command) => sharing::run(command).await,
        TiCommand::Brief { command } => brief::run(command).await,
        TiCommand::Order { command } => order::run(command).await,
        TiCommand::Outlet { command } => outlet::run(command).await,
    }
}
