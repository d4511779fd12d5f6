//! `ume ti brief …`: lists and shows on the folder; issues there or in the server that holds it.

use std::{io::Write as _, path::PathBuf};

use clap::{Subcommand, ValueEnum};
use model::{Id, Lang};
use serde_json::{Value as Json, json};
use store::Store;
use threat_intelligence::work::executive::{
    Horizon,
    brief::{self, Brief, BriefError},
};

use crate::{
    CliError, ExitCode,
    door::Door,
    local, print,
    registers::At,
    say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

const PATH: &str = "/api/v1/threat_intelligence/briefs";

/// Which brief.
#[derive(Clone, Copy, ValueEnum)]
pub enum Term {
    Short,
    Long,
}

/// Language of the page.
#[derive(Clone, Copy, ValueEnum)]
pub enum PageLanguage {
    Ja,
    En,
}

#[derive(Subcommand)]
pub enum BriefCommand {
    /// Briefs, newest first; exit 1 if the newest was not acknowledged
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// What a brief says; without an id, the newest
    Show {
        /// Id of the brief, as the list shows it
        #[arg(value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Write the page as PDF; exit 3 if this build draws another than the one that was issued
    Pdf {
        /// Id of the brief, as the list shows it
        #[arg(value_name = "ID")]
        id: String,
        /// File to write; - is standard output
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Language of the page
        #[arg(long, value_enum, default_value = "ja")]
        lang: PageLanguage,
        #[command(flatten)]
        data: DataFolder,
    },
    /// Issue the brief of this moment
    Issue {
        /// What does not wait, or what the management review gets
        #[arg(long, value_enum, default_value = "short")]
        term: Term,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        shown: Shown,
    },
    /// Acknowledge a brief with the token of an executive's account; needs --server
    Ack {
        /// Id of the brief, as the list shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: BriefCommand) -> Result<ExitCode, CliError> {
    match command {
        BriefCommand::List { data, shown } => list(&data, &shown).await,
        BriefCommand::Show { id, data, shown } => show(&data, id.as_deref(), &shown).await,
        BriefCommand::Pdf { id, out, lang, data } => pdf(&data, &id, &out, lang).await,
        BriefCommand::Issue { term, at, shown } => issue(term, at, &shown).await,
        BriefCommand::Ack { id, at, shown } => acknowledge(&id, at, &shown).await,
    }
}

fn failed(error: BriefError) -> CliError {
    match error {
        BriefError::Store(error) => error.into(),
        BriefError::Pdf(error) => CliError::Usage(error.to_string()),
    }
}

/// An id as somebody gives it.
pub(super) fn id_of(text: &str) -> Result<Id, CliError> {
    let wrong = || {
        let ja = format!("{text}: IDではありません");
        CliError::Usage(say(&ja, &format!("{text}: this is no id")))
    };
    text.parse().map_err(|_| wrong())
}

/// What is said where there is no such thing.
pub(super) fn absent(text: &str) -> CliError {
    CliError::Usage(say(&format!("{text}: ありません"), &format!("{text}: there is no such thing")))
}

async fn reading(data: &DataFolder) -> Result<Store, CliError> {
    Settings::load(data)?.place.open_read_only().await
}

async fn list(data: &DataFolder, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = reading(data).await?;
    let acks = brief::acknowledgements(&store).await?;
    let all = brief::records(&store).await?;
    store.db().close().await;
    let rows: Vec<Json> = all.iter().map(|record| brief::document(record, &acks)).collect();
    let columns = ["id", "issued_at", "horizon", "tlp", "hits", "acknowledged", "acknowledged_at"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    let waits = rows.first().is_some_and(|newest| newest["acknowledged"] == 0);
    Ok(if waits { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn opened(store: &Store, id: Option<&str>) -> Result<Brief, CliError> {
    let id = match id {
        Some(text) => id_of(text)?,
        None => match brief::records(store).await?.first() {
            Some(newest) => newest.id,
            None => return Err(absent("brief")),
        },
    };
    brief::one(store, id).await?.ok_or_else(|| absent(&id.to_string()))
}

async fn show(data: &DataFolder, id: Option<&str>, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = reading(data).await?;
    let found = opened(&store, id).await?;
    store.db().close().await;
    let mut document = brief::document(&found.record, &found.acknowledged);
    document["snapshot"] = json!(found.snapshot);
    print(&shown::one(shown.format, &document));
    Ok(ExitCode::SUCCESS)
}

async fn pdf(
    data: &DataFolder,
    id: &str,
    out: &std::path::Path,
    lang: PageLanguage,
) -> Result<ExitCode, CliError> {
    let lang = match lang {
        PageLanguage::Ja => Lang::Ja,
        PageLanguage::En => Lang::En,
    };
    let store = reading(data).await?;
    let found = opened(&store, Some(id)).await?;
    store.db().close().await;
    let bytes = found.pdf(lang).map_err(failed)?.ok_or_else(|| absent(id))?;
    let io = |source| CliError::Io { path: out.to_owned(), source };
    match out.as_os_str() == "-" {
        true => std::io::stdout().write_all(&bytes).map_err(io)?,
        false => std::fs::write(out, &bytes).map_err(io)?,
    }
    Ok(if found.is_as_issued(&bytes, lang) { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

async fn issue(term: Term, at: At, shown: &Shown) -> Result<ExitCode, CliError> {
    let horizon = match term {
        Term::Short => Horizon::Short,
        Term::Long => Horizon::Long,
    };
    let document = match Door::writing(at).await? {
        Door::Server(server) => server.post(PATH, &json!({ "horizon": horizon.as_str() })).await?,
        Door::Folder(folder) => {
            let actor = local::user().actor();
            let record = brief::issue(folder.store(), horizon, &actor).await.map_err(failed)?;
            folder.close().await?;
            brief::document(&record, &[])
        }
    };
    let id = document["id"].as_str().unwrap_or_default().to_owned();
    let said = say(&format!("要約を発行しました: {id}"), &format!("issued the brief {id}"));
    print(&shown::done(shown.format, &said, &document));
    Ok(ExitCode::SUCCESS)
}

async fn acknowledge(id: &str, at: At, shown: &Shown) -> Result<ExitCode, CliError> {
    let id = id_of(id)?;
    if at.server.is_none() {
        return Err(CliError::Usage(say(
            "確認できるのは経営層だけです。--server と、経営層のアカウントのトークンを指定してください",
            "only executives acknowledge: give --server and the token of an executive's account",
        )));
    }
    let Door::Server(server) = Door::writing(at).await? else { return Err(CliError::Stopped) };
    let document = server.post(&format!("{PATH}/{id}/acknowledge"), &json!({})).await?;
    let said = say("確認を記録しました", "acknowledged");
    print(&shown::done(shown.format, &said, &document));
    Ok(ExitCode::SUCCESS)
}
