//! `ume monitoring …`: what the pages of monitoring compare, from a data folder, while a server may run beside.

use std::path::PathBuf;

use clap::Subcommand;
use model::{Table, Timestamp};
use monitoring::gap::{self, Asked, Host};
use serde_json::json;
use store::Store;

use crate::{
    CliError, ExitCode, print, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

#[derive(Subcommand)]
pub enum MonitoringCommand {
    /// What differs between a span of time and the same hours of four quiet weeks; exit 1 if something does
    ///
    /// Exit 3 if there is no quiet week to hold it against. What waits in the spool is not seen.
    Gap {
        #[command(flatten)]
        data: DataFolder,
        /// Begin, such as 2026-11-25T09:00:00+09:00
        #[arg(long, value_name = "TIME")]
        from: String,
        /// End, at most 24 hours later
        #[arg(long, value_name = "TIME")]
        to: String,
        /// Name or id of a host; all if not given
        #[arg(long)]
        host: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: MonitoringCommand) -> Result<ExitCode, CliError> {
    let MonitoringCommand::Gap { data, from, to, host, shown } = command;
    let settings = Settings::load(&data)?;
    let store = settings.place.open_read_only().await?;
    let asked = asked(&store, &from, &to, host.as_deref()).await;
    let answer = match asked {
        Ok(asked) => compare(&store, settings.place.folder.join("stream"), &asked, &shown).await,
        Err(error) => Err(error),
    };
    store.db().close().await;
    answer
}

async fn asked(store: &Store, from: &str, to: &str, host: Option<&str>) -> Result<Asked, CliError> {
    let wrong = |ja: &str, en: &str| CliError::Usage(say(ja, en));
    let time = |text: &str| {
        Timestamp::parse(text.trim()).ok_or_else(|| {
            wrong(
                "--fromと--toは2026-11-25T09:00:00+09:00のように書いてください",
                "write --from and --to like 2026-11-25T09:00:00+09:00",
            )
        })
    };
    let (from, to) = (time(from)?, time(to)?);
    let host = match host {
        None => None,
        Some(name) => Some(host_named(store, name).await?.ok_or_else(|| {
            wrong("--host: 台帳にないホストです", "--host: the register knows no such host")
        })?),
    };
    let at = Timestamp(from.0 + (to.0 - from.0) / 3 * 2);
    let asked = Asked { from, to, at, host };
    if !asked.is_whole(store.now()) {
        return Err(wrong(
            "--fromはいまより前、--toはその後24時間以内にしてください",
            "--from has to be before now, and --to at most 24 hours behind it",
        ));
    }
    Ok(asked)
}

async fn host_named(store: &Store, name: &str) -> Result<Option<Host>, CliError> {
    let id = match name.parse() {
        Ok(id) => Some(id),
        Err(_) => store.row_with(Table::Asset, "host", "hostname", name).await?,
    };
    let Some(id) = id else { return Ok(None) };
    let row = store.rows_by_id(Table::Asset, &[id]).await?.pop();
    Ok(row.as_ref().map(Host::of))
}

async fn compare(
    store: &Store,
    folder: PathBuf,
    asked: &Asked,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let analysis = gap::analyse(store, &folder, asked).await;
    let analysis = analysis.map_err(|error| CliError::Usage(error.to_string()))?;
    if shown.format == crate::Format::Json {
        print(&shown::one(shown.format, &gap::document(&analysis)));
    } else {
        let names = ["rank", "began", "facet", "key", "observed", "expected", "effect"];
        let columns: Vec<String> = names.map(str::to_owned).to_vec();
        let row = |item: &gap::Item| {
            json!({
                "rank": format!("{:.1}", item.gap.rank),
                "began": Timestamp(item.gap.onset).rfc3339(),
                "facet": item.gap.facet,
                "key": item.gap.key,
                "observed": item.gap.observed,
                "expected": item.gap.expected,
                "effect": format!("{:+.1}", item.gap.effect),
            })
        };
        let rows: Vec<_> = analysis.items.iter().map(row).collect();
        print(&shown::rows(shown.format, &columns, &rows));
    }
    Ok(match (analysis.weeks.is_empty(), analysis.items.is_empty()) {
        (true, _) => ExitCode::from(3),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    })
}
