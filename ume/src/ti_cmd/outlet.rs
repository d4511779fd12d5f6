//! `ume ti outlet …`: the ways out of the register, what opens them, what the last probe of markings saw.

use clap::Subcommand;
use serde_json::{Value as Json, json};
use store::Store;
use threat_intelligence::work::{
    outlets::{self, Outlet},
    tlp::probe,
};

use crate::{
    CliError, ExitCode,
    door::Door,
    local,
    place::Place,
    print, say,
    settings::DataFolder,
    shown::{self, Shown},
};

#[derive(Subcommand)]
pub enum OutletCommand {
    /// Outlets with their last fetch and probe; exit 1 if one discloses beyond its marking
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// One outlet: form, ceiling, lists, last fetch, outcome of the probe for each level
    Show {
        /// Name or id of the outlet
        name: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make what opens an outlet; it is printed this once, and the one before ends
    Token {
        /// Name or id of the outlet
        name: String,
        /// Take the token away instead
        #[arg(long)]
        revoke: bool,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: OutletCommand) -> Result<ExitCode, CliError> {
    match command {
        OutletCommand::List { data, shown } => list(&data, &shown).await,
        OutletCommand::Show { name, data, shown } => show(&data, &name, &shown).await,
        OutletCommand::Token { name, revoke, data, shown } => {
            token(&data, &name, revoke, &shown).await
        }
    }
}

async fn list(data: &DataFolder, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = Place::of(data)?.open_read_only().await?;
    let mut rows = Vec::new();
    for outlet in outlets::all(&store).await? {
        rows.push(document(&store, &outlet).await?);
    }
    store.db().close().await;
    let leaks = rows.iter().any(|row| row["leaks"].as_u64().unwrap_or(0) > 0);
    let columns = ["name", "form", "ceiling", "open", "token", "fetched_at", "probed_at", "leaks"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    Ok(if leaks { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn show(data: &DataFolder, name: &str, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = Place::of(data)?.open_read_only().await?;
    let found = find(&store, name).await;
    let document = match &found {
        Ok(outlet) => document(&store, outlet).await,
        Err(_) => Ok(Json::Null),
    };
    store.db().close().await;
    found?;
    print(&shown::one(shown.format, &document?));
    Ok(ExitCode::SUCCESS)
}

async fn token(
    data: &DataFolder,
    name: &str,
    revoke: bool,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let door = Door::of(&Place::of(data)?).await?;
    let done = match door.store() {
        Some(store) => {
            let outlet = find(store, name).await?.row;
            let actor = local::user().actor();
            let said = |error: room::Error| CliError::Usage(error.to_string());
            match revoke {
                true => {
                    outlets::revoke_token(store, &outlet, &actor).await.map_err(said)?;
                    json!({ "outlet": outlet.id })
                }
                false => {
                    let token = outlets::renew_token(store, &outlet, &actor).await.map_err(said)?;
                    json!({ "outlet": outlet.id, "token": token })
                }
            }
        }
        None => {
            let deed = if revoke { "revoke" } else { "token" };
            let name = urlencoding::encode(name);
            let path = format!("/api/v1/threat_intelligence/outlets/{name}/{deed}");
            door.post(&path, &json!({})).await?.unwrap_or_default()
        }
    };
    if let Door::Folder(folder) = door {
        folder.close().await?;
    }
    let text = match revoke {
        true => say("鍵を取り消しました", "the token opens it no more"),
        false => shown::text(&done["token"]),
    };
    print(&shown::done(shown.format, &text, &done));
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &Store, name: &str) -> Result<Outlet, CliError> {
    let all = outlets::all(store).await?;
    let mut found =
        all.into_iter().filter(|one| one.row.name == name || one.row.id.to_string() == name);
    match (found.next(), found.next()) {
        (Some(outlet), None) => Ok(outlet),
        (None, _) => Err(CliError::Usage(say(
            &format!("{name}: この出口は台帳にありません"),
            &format!("{name}: the register has no such outlet"),
        ))),
        (Some(_), Some(_)) => Err(CliError::Usage(say(
            &format!("{name}: この名前の出口が複数あります。IDを書いてください"),
            &format!("{name}: several outlets have this name, give the id"),
        ))),
    }
}

async fn document(store: &Store, outlet: &Outlet) -> Result<Json, CliError> {
    let id = outlet.row.id;
    let matrix = probe::matrix(store, id).await?;
    let fetched = outlets::fetched(store, id).await?;
    let paths = outlet.parts().iter().map(|(part, _)| match part.is_empty() {
        true => format!("/outlets/{}", urlencoding::encode(&outlet.row.name)),
        false => format!("/outlets/{}?part={part}", urlencoding::encode(&outlet.row.name)),
    });
    Ok(json!({
        "id": id,
        "name": outlet.row.name,
        "form": outlet.form,
        "ceiling": outlet.row.attributes.get("tlp_ceiling"),
        "open": outlet.is_open(),
        "paths": paths.collect::<Vec<_>>(),
        "token": outlets::token(store, id).await?.is_some(),
        "fetched_at": fetched.as_ref().map(|one| one.at.clone()),
        "fetched": fetched,
        "probed_at": matrix.as_ref().map(|one| one.at.clone()),
        "leaks": matrix.as_ref().map(probe::Matrix::leaks),
        "levels": matrix.map(|one| one.cells),
    }))
}
