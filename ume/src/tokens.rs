//! `ume token`: tokens with which programs use the API.

use std::{path::Path, process::ExitCode};

use serde_json::json;

use crate::{CliError, DataFolder, FAILED, Format, data, print, shown};

const DAYS_MAX: i64 = 3_650;
const NAME_CHARS_MAX: usize = 100;

#[derive(clap::Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is printed this once and stored nowhere
    Add {
        #[command(flatten)]
        data: DataFolder,
        /// Account the token acts as, with its role
        #[arg(long)]
        login: String,
        /// What the token is for
        #[arg(long)]
        name: String,
        /// Days until it ends
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=DAYS_MAX))]
        days: i64,
    },
    /// List tokens with their last use
    List {
        #[command(flatten)]
        data: DataFolder,
        /// Output format
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Take a token away, at once
    Revoke {
        #[command(flatten)]
        data: DataFolder,
        /// Id of the token, as the list shows it
        id: String,
    },
}

pub async fn run(command: TokenCommand) -> Result<ExitCode, CliError> {
    match command {
        TokenCommand::Add { data, login, name, days } => {
            add(&data::folder(data.path), &login, &name, days).await
        }
        TokenCommand::List { data, format } => list(&data::folder(data.path), format).await,
        TokenCommand::Revoke { data, id } => revoke(&data::folder(data.path), &id).await,
    }
}

/// Beside a running server: a token is a row of plumbing of its own, written in SQLite's own
/// transaction, and the server looks it up at each request.
async fn open(folder: &Path) -> Result<store::Store, CliError> {
    Ok(store::Store::open(data::existing(folder)?, store::system_clock())
        .await?
        .with_personal(crate::personal::kinds()))
}

async fn add(folder: &Path, login: &str, name: &str, days: i64) -> Result<ExitCode, CliError> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(CliError::Usage(format!("--name: give 1 to {NAME_CHARS_MAX} characters")));
    }
    let store = open(folder).await?;
    let account = store.account(login).await?.filter(|a| !a.disabled);
    let Some(account) = account else {
        return Err(CliError::Usage(format!("no account {login:?} that may sign in")));
    };
    let (id, secret) = store.add_api_token(account.id, name.trim(), days).await?;
    store.db().close().await;
    eprintln!("token {id} of {login} ({}), ends in {days} days", account.role);
    print(&format!("{secret}\n"));
    Ok(ExitCode::SUCCESS)
}

async fn list(folder: &Path, format: Format) -> Result<ExitCode, CliError> {
    let store =
        store::Store::open_read_only(data::existing(folder)?, store::system_clock()).await?;
    let time = |at: Option<model::Timestamp>| at.map(model::Timestamp::rfc3339);
    let tokens: Vec<serde_json::Value> = store
        .api_tokens()
        .await?
        .iter()
        .map(|t| {
            json!({
                "id": t.id,
                "login": t.login,
                "name": t.name,
                "created_at": t.created_at.rfc3339(),
                "expires_at": time(t.expires_at),
                "used_at": time(t.used_at),
            })
        })
        .collect();
    let columns = ["id", "login", "name", "created_at", "expires_at", "used_at"];
    print(&shown::rows(format, &columns.map(str::to_owned), &tokens));
    Ok(ExitCode::SUCCESS)
}

async fn revoke(folder: &Path, id: &str) -> Result<ExitCode, CliError> {
    let known = match id.parse() {
        Ok(id) => {
            let store = open(folder).await?;
            let gone = store.revoke_api_token(id).await?;
            store.db().close().await;
            gone
        }
        Err(_) => false,
    };
    if known {
        print(&format!("token {id} no longer works\n"));
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("ume: there is no token {id}. `ume token list` shows those there are");
    Ok(ExitCode::from(FAILED))
}
