//! `ume ti …`: what waits in the inbox of intelligence, and what is known of a vulnerability, from a data folder, while
//! a server may run beside. It only reads: what is handed in and judged goes through the pages.

use clap::Subcommand;
use threat_intelligence::work::news::shelf::Shelf;

use crate::{
    CliError, ExitCode,
    settings::{DataFolder, Settings},
    shown::Shown,
    ti_news_cmd as news,
};

#[derive(Subcommand)]
pub enum TiCommand {
    /// The inbox: what waits for a verdict
    Triage {
        #[command(subcommand)]
        command: TriageCommand,
    },
    /// What is known of a vulnerability and whom it concerns; exit 1 if it presses and concerns something of ours
    ///
    /// What no list has said yet is not shown as "no".
    Vulnerability {
        /// Its number, such as CVE-2024-3400
        #[arg(value_name = "CVE")]
        cve: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Subcommand)]
pub enum TriageCommand {
    /// What waits, what executives should hear first, then the oldest; exit 1 if something waits
    List {
        /// What was judged as well
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// One item with what it has to do with us
    Show {
        /// Id of the item
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    let data = match &command {
        TiCommand::Vulnerability { data, .. }
        | TiCommand::Triage { command: TriageCommand::List { data, .. } }
        | TiCommand::Triage { command: TriageCommand::Show { data, .. } } => data,
    };
    let settings = Settings::load(data)?;
    let store = settings.place.open_read_only().await?;
    let answer = match &command {
        TiCommand::Vulnerability { cve, shown, .. } => {
            let known = Shelf::default().lists(&settings.place.folder).1.of(&cve.to_uppercase());
            news::vulnerability(&store, &cve.to_uppercase(), &known, shown).await
        }
        TiCommand::Triage { command: TriageCommand::List { all, shown, .. } } => {
            news::list(&store, *all, shown).await
        }
        TiCommand::Triage { command: TriageCommand::Show { id, shown, .. } } => {
            news::show(&store, id, shown).await
        }
    };
    store.db().close().await;
    answer
}
