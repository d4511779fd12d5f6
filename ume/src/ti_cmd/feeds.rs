//! `ume ti …`: threat intelligence of a data folder, beside a running server or without one.

use std::{path::PathBuf, sync::Arc};

use clap::Subcommand;
use model::Id;
use reqwest::Method;
use serde_json::{Value as Json, json};
use threat_intelligence::work::{
    feeds::{
        self,
        hold::{self, Ruling},
        secret::{self, Secret},
        shown as sources,
    },
    settings::Configured,
};

use crate::{
    CliError, ExitCode,
    door::Door,
    local,
    place::Place,
    print,
    rooms::ROOMS,
    say, serve,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

#[derive(Subcommand)]
pub enum TiCommand {
    /// Sources of intelligence: how they stand, fetching, held deliveries
    Source {
        #[command(subcommand)]
        command: SourceCommand,
    },
}

#[derive(Subcommand)]
pub enum SourceCommand {
    /// Sources in use and how they stand; exit 1 if one fails, is silent or is held
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// One source: ages, last error, what of it was refused and why
    Show {
        /// Id of the source
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Fetch a source now, whatever its interval; exit 1 if nothing came of it
    Fetch {
        /// Id of the source
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Keep what opens a source, sealed; without any of them it is forgotten
    Key {
        /// Id of the source
        #[arg(value_name = "ID")]
        id: String,
        /// User of HTTP Basic
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// File with the password in its first line
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// File with the value of the header Authorization in its first line, such as a key of MISP
        #[arg(long, value_name = "FILE", conflicts_with = "user")]
        key_file: Option<PathBuf>,
        /// File with a client certificate and its private key, PEM
        #[arg(long, value_name = "FILE")]
        identity_file: Option<PathBuf>,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Let a held delivery in although it lost many rows
    Confirm {
        /// Id of the source
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Keep what was there before a held delivery
    Reject {
        /// Id of the source
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

enum Act<'a> {
    Fetch,
    Keep(Box<Secret>),
    Rule(Ruling, &'a str),
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    let TiCommand::Source { command } = command;
    match &command {
        SourceCommand::List { data, shown } => list(data, shown).await,
        SourceCommand::Show { id, data, shown } => show(data, id, shown).await,
        SourceCommand::Fetch { id, data, shown } => act(data, id, Act::Fetch, shown).await,
        SourceCommand::Key { id, user, password_file, key_file, identity_file, data, shown } => {
            let secret = Secret {
                user: user.clone().unwrap_or_default(),
                password: first_line(password_file)?,
                key: first_line(key_file)?,
                identity: file(identity_file)?,
            };
            act(data, id, Act::Keep(Box::new(secret)), shown).await
        }
        SourceCommand::Confirm { id, reason, data, shown } => {
            act(data, id, Act::Rule(Ruling::Confirm, reason), shown).await
        }
        SourceCommand::Reject { id, reason, data, shown } => {
            act(data, id, Act::Rule(Ruling::Reject, reason), shown).await
        }
    }
}

fn file(path: &Option<PathBuf>) -> Result<String, CliError> {
    let Some(path) = path else { return Ok(String::new()) };
    let io = |source| CliError::Io { path: path.clone(), source };
    if std::fs::metadata(path).map_err(io)?.len() > secret::PEM_BYTES_MAX as u64 {
        return Err(io(std::io::Error::other("too large")));
    }
    std::fs::read_to_string(path).map_err(io)
}

fn first_line(path: &Option<PathBuf>) -> Result<String, CliError> {
    Ok(file(path)?.lines().next().unwrap_or_default().to_owned())
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn id_of(text: &str) -> Result<Id, CliError> {
    let wrong = || {
        CliError::Usage(say(
            &format!("{text}: IDではありません"),
            &format!("{text}: this is no id"),
        ))
    };
    text.parse().map_err(|_| wrong())
}

fn absent(text: &str) -> CliError {
    CliError::Usage(say(
        &format!("{text}: 使用中の入手先ではありません"),
        &format!("{text}: no such source in use"),
    ))
}

/// Whether somebody has to do something.
fn is_bad(document: &Json) -> bool {
    ["held", "failing", "silent"].iter().any(|state| document["state"] == *state)
}

fn code(is_bad: bool) -> ExitCode {
    if is_bad { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

async fn list(data: &DataFolder, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = Settings::load(data)?.place.open_read_only().await?;
    let all = sources::all(&store).await;
    let rows: Vec<Json> = all.map_err(failed)?.iter().map(sources::Shown::document).collect();
    store.db().close().await;
    let columns = ["id", "name", "format", "use", "state", "rows", "arrived_at", "url"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    Ok(code(rows.iter().any(is_bad)))
}

async fn show(data: &DataFolder, id: &str, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = Settings::load(data)?.place.open_read_only().await?;
    let one = sources::one(&store, None, id_of(id)?).await;
    let document = one.map_err(failed)?.ok_or_else(|| absent(id))?.document();
    store.db().close().await;
    print(&shown::one(shown.format, &document));
    Ok(code(is_bad(&document)))
}

async fn act(
    data: &DataFolder,
    text: &str,
    act: Act<'_>,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let id = id_of(text)?;
    let place = Place::of(data)?;
    let door = Door::of(&place).await?;
    let base = format!("/api/v1/threat_intelligence/sources/{id}");
    let (path, body) = match &act {
        Act::Fetch => (format!("{base}/fetch"), None),
        Act::Keep(secret) => {
            let body = serde_json::to_value(secret).map_err(failed)?;
            (format!("{base}/key"), Some(body))
        }
        Act::Rule(ruling, reason) => {
            let body = json!({ "ruling": ruling.as_str(), "reason": reason });
            (format!("{base}/ruling"), Some(body))
        }
    };
    let document = match door.call(Method::POST, &path, body).await? {
        Some(document) => document,
        None => here(&Settings::load(data)?, id, text, &act).await?,
    };
    print(&shown::one(shown.format, &document));
    Ok(code(is_bad(&document)))
}

/// Does it in this process; no server has the folder.
async fn here(settings: &Settings, id: Id, text: &str, act: &Act<'_>) -> Result<Json, CliError> {
    let opened = serve::open(settings).await?;
    let archive = settings.place.folder.join("stream");
    let house = web::House::new(opened.store, opened.ledger, archive, ROOMS.to_vec(), &isms::SPEC);
    let house = Arc::new(house);
    house.kept.get::<Configured>().configure(&settings.config.threat_intelligence);
    match act {
        Act::Fetch => drop(feeds::one(&house, id).await.map_err(failed)?),
        Act::Keep(kept) => {
            kept.check().map_err(|fault| {
                let (ja, en) = fault.words();
                CliError::Usage(say(&ja, &en))
            })?;
            secret::save(&house.store, id, kept, &local::user().actor()).await?;
        }
        Act::Rule(ruling, reason) => {
            let actor = local::user().actor();
            hold::rule(&house, id, *ruling, reason, &actor).await.map_err(|error| {
                let (ja, en) = error.words();
                CliError::Usage(say(&ja, &en))
            })?;
        }
    }
    let one = sources::one(&house.store, None, id).await.map_err(failed)?;
    let document = one.ok_or_else(|| absent(text))?.document();
    house.store.db().close().await;
    Ok(document)
}
