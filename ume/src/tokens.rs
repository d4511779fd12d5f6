//! `ume token`: tokens with which programs use the API.

use std::process::ExitCode;

use serde_json::json;
use web::api::local::Act;

use crate::{
    CliError, Format,
    door::Door,
    place::Place,
    print,
    settings::DataFolder,
    shown::{self, Shown},
};

const DAYS_MAX: i64 = 3_650;

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
        #[command(flatten)]
        shown: Shown,
    },
    /// List tokens with their last use
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Take a token away, at once
    Revoke {
        #[command(flatten)]
        data: DataFolder,
        /// Id of the token, as the list shows it
        id: String,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: TokenCommand) -> Result<ExitCode, CliError> {
    let text = match command {
        TokenCommand::Add { data, login, name, days, shown } => {
            let done = Door::act(&data, Act::TokenAdd { login, name, days }).await?;
            if shown.format == Format::Table {
                let text = |name: &str| shown::text(&done[name]);
                let (id, login, role) = (text("id"), text("login"), text("role"));
                let ja = format!("{login}（{role}）のトークン{id}、期限は{days}日後");
                let en = format!("token {id} of {login} ({role}), ends in {days} days");
                eprintln!("{}", crate::say(&ja, &en));
            }
            shown::done(shown.format, &shown::text(&done["token"]), &done)
        }
        TokenCommand::List { data, shown } => list(&Place::of(&data)?, shown.format).await?,
        TokenCommand::Revoke { data, id, shown } => {
            let said = crate::say(
                &format!("トークン{id}を無効にしました"),
                &format!("token {id} no longer works"),
            );
            shown::done(shown.format, &said, &Door::act(&data, Act::TokenRevoke { id }).await?)
        }
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

async fn list(place: &Place, format: Format) -> Result<String, CliError> {
    let store = place.open_read_only().await?;
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
    Ok(shown::rows(format, &columns.map(str::to_owned), &tokens))
}
