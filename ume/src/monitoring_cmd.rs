//! `ume monitoring …`: what the pages of monitoring compare, from a data folder, while a server may run beside.

use std::path::PathBuf;

use clap::Subcommand;
use model::{Table, Timestamp};
use monitoring::{
    gap::{self, Asked, Host},
    senders::{self, Place},
};
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
    /// Ready configuration of what is to send logs, for the sender and for ume.toml; the kinds if none is named
    ///
    /// A secret is made anew each time and kept nowhere. No data folder is touched.
    Sender {
        /// Kind of sender, such as rsyslog, journal or otlp
        kind: Option<String>,
        /// Ume's address as the sender sees it
        #[arg(long, value_name = "HOST", default_value = "localhost")]
        host: String,
        /// Port where Ume listens; the usual one if not given
        #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// Name of the source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// The sender's address or network
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
        from: String,
        /// Address of what Ume asks
        #[arg(long, value_name = "HOST[:PORT]", default_value = "localhost")]
        target: String,
        /// Whether the pages speak TLS
        #[arg(long)]
        tls: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: MonitoringCommand) -> Result<ExitCode, CliError> {
    let (data, from, to, host, shown) = match command {
        MonitoringCommand::Gap { data, from, to, host, shown } => (data, from, to, host, shown),
        MonitoringCommand::Sender { kind, host, port, source, from, target, tls, shown } => {
            let place = Place { host, port: 0, tls, from, target, ..Place::default() };
            return sender(kind.as_deref(), place, (port, source), &shown);
        }
    };
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

fn sender(
    kind: Option<&str>,
    mut place: Place,
    (port, source): (Option<u16>, Option<String>),
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let Some(kind) = kind else {
        let one = |sender: &senders::Sender| {
            let port = sender.port.map_or(String::new(), |port| port.to_string());
            json!({ "kind": sender.id, "port": port, "title": say(&sender.title_ja, &sender.title_en) })
        };
        let columns = ["kind", "port", "title"].map(str::to_owned).to_vec();
        let rows: Vec<_> = senders::SENDERS.iter().map(one).collect();
        print(&shown::rows(shown.format, &columns, &rows));
        return Ok(ExitCode::SUCCESS);
    };
    let sender = senders::named(kind).ok_or_else(|| {
        let known: Vec<&str> = senders::SENDERS.iter().map(|s| s.id.as_str()).collect();
        CliError::Usage(say(
            &format!("{kind}: この種類の送り手はありません（{}）", known.join("、")),
            &format!("{kind}: no such kind of sender; there are {}", known.join(", ")),
        ))
    })?;
    place.port = port.or(sender.port).unwrap_or(8620);
    place.source = source.unwrap_or_else(|| sender.id.clone());
    place.token = web::secrets::random_words::<20>().unwrap_or_default();
    let ready = sender.ready(&place).map_err(|wrong| {
        let all = wrong.iter().map(|w| format!("--{}: {}", w.field, say(w.what.ja, w.what.en)));
        CliError::Usage(all.collect::<Vec<_>>().join("\n"))
    })?;
    match shown.format {
        crate::Format::Json => {
            print(&shown::one(shown.format, &senders::document(sender, &ready, &place.token)));
        }
        _ => print(&as_text(&ready)),
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(ready: &senders::Ready) -> String {
    let mut out = String::new();
    let mut put = |head: &str, text: &str| {
        out.push_str(&format!("# {head}\n{}\n\n", text.trim_end()));
    };
    if let Some(toml) = &ready.ume {
        put("ume.toml", toml);
    }
    for step in &ready.steps {
        let title = say(&step.title.0, &step.title.1);
        let head = step.file.as_ref().map_or(title.clone(), |file| format!("{title}: {file}"));
        match step.text.as_ref().or(step.run.as_ref()) {
            Some(text) => put(&head, text),
            None => put(&head, ""),
        }
    }
    out.trim_end().to_owned()
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
