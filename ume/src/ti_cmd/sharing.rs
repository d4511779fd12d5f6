//! `ume ti …`: sharing channels and published sets of a data folder. Reading works beside a running server; what changes
//! something goes through the server that holds the folder, or takes a free one.

use clap::Subcommand;
use indicators::{Entry, Micros};
use model::Id;
use netname::Names;
use serde_json::{Value as Json, json};
use store::Store;
use threat_intelligence::work::{
    channels, past,
    peers::{probe, told},
};

use crate::{
    CliError, ExitCode,
    door::Door,
    print, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

/// Rows of a set that are printed at most.
const ROWS_MAX: usize = 100_000;
const SETS_MAX: usize = 1_000;

#[derive(Subcommand)]
pub enum TiCommand {
    /// Sharing channels: whether each works, what opens it, what is given
    Channel {
        #[command(subcommand)]
        command: ChannelCommand,
    },
    /// Published sets of indicators: what they hold, and made anew
    Set {
        #[command(subcommand)]
        command: SetCommand,
    },
}

#[derive(Subcommand)]
pub enum ChannelCommand {
    /// Channels in use and others; exit 1 if one in use does not pass its probe
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// One channel: agreement, probe, given, accepted, received, waiting
    Status {
        /// Id of the channel
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make what opens a channel to its peer; shown once, and the one before ends
    Token {
        /// Id of the channel
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// End what opens a channel to its peer
    Revoke {
        /// Id of the channel
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Probe a channel now and record the outcome; exit 1 if it does not pass
    Probe {
        /// Id of the channel
        id: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Give an item to a channel's peer, within its marking; needs a running server
    Give {
        /// Id of the channel
        id: String,
        /// Id of the item of intelligence
        item: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Subcommand)]
pub enum SetCommand {
    /// Sets that can be made again, the newest first
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Rows of a set
    Show {
        /// Root of the set, or how it begins; the newest set if left out
        root: Option<String>,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Why a value is met or not, step by step; exit 1 if it is in force
    Why {
        /// Address, domain, URL, hash and the like
        value: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// What came and went between two sets; exit 1 if they differ
    Diff {
        /// Root of the earlier set, or how it begins
        from: String,
        /// Root of the later set, or how it begins
        to: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Build a past set anew from what was kept and compare its root; exit 1 if it differs
    Rebuild {
        /// Root of the set, or how it begins
        root: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    match command {
        TiCommand::Channel { command } => channel(command).await,
        TiCommand::Set { command } => set(command).await,
    }
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn code(found: bool) -> ExitCode {
    if found { ExitCode::from(1) } else { ExitCode::SUCCESS }
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

fn absent(id: &str) -> CliError {
    CliError::Usage(say(
        &format!("{id}: 共有チャネルがありません"),
        &format!("{id}: there is no such channel"),
    ))
}

async fn channel(command: ChannelCommand) -> Result<ExitCode, CliError> {
    match command {
        ChannelCommand::List { data, shown } => {
            let store = Settings::load(&data)?.place.open_read_only().await?;
            let all = told::documents(&store).await.map_err(failed)?;
            store.db().close().await;
            let columns = [
                "id",
                "name",
                "active",
                "way",
                "tlp_ceiling",
                "passed",
                "given",
                "accepted",
                "received",
            ];
            print(&shown::rows(shown.format, &columns.map(str::to_owned), &all));
            Ok(code(all.iter().any(|one| one["active"] == true && one["passed"] != true)))
        }
        ChannelCommand::Status { id, data, shown } => {
            let store = Settings::load(&data)?.place.open_read_only().await?;
            let row = told::channel(&store, id_of(&id)?).await?.ok_or_else(|| absent(&id))?;
            let one = told::document(&store, &row).await.map_err(failed)?;
            store.db().close().await;
            print(&shown::one(shown.format, &one));
            Ok(ExitCode::SUCCESS)
        }
        ChannelCommand::Token { id, data, shown } => {
            let made = change(&data, &id, "token", json!({})).await?;
            print(&shown::one(shown.format, &made));
            Ok(ExitCode::SUCCESS)
        }
        ChannelCommand::Revoke { id, data, shown } => {
            let ended = change(&data, &id, "revoke", json!({})).await?;
            print(&shown::one(shown.format, &ended));
            Ok(ExitCode::SUCCESS)
        }
        ChannelCommand::Probe { id, data, shown } => {
            let outcome = change(&data, &id, "probe", json!({})).await?;
            print(&shown::one(shown.format, &outcome));
            Ok(code(outcome["passed"] != true))
        }
        ChannelCommand::Give { id, item, data, shown } => {
            let given = change(&data, &id, "give", json!({ "item": id_of(&item)? })).await?;
            print(&shown::one(shown.format, &given));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does it in the server that holds the folder, or here where the folder is free.
async fn change(data: &DataFolder, id: &str, what: &str, body: Json) -> Result<Json, CliError> {
    let channel = id_of(id)?;
    let place = Settings::load(data)?.place;
    let door = Door::of(&place).await?;
    let path = format!("/api/v1/threat_intelligence/channels/{channel}/{what}");
    if let Some(answer) = door.post(&path, &body).await? {
        return Ok(answer);
    }
    let Some(store) = door.store() else { return Err(absent(id)) };
    let row = told::channel(store, channel).await?.ok_or_else(|| absent(id))?;
    let actor = crate::local::user().actor();
    let done = match what {
        "token" => {
            let token = channels::renew_token(store, row.id, &actor).await.map_err(failed)?;
            json!({ "channel": row.id, "user": row.id, "token": token })
        }
        "revoke" => {
            let ended = channels::revoke_token(store, row.id, &actor).await.map_err(failed)?;
            json!({ "channel": row.id, "ended": ended })
        }
        "probe" => {
            let outcome = probe::probe(store, &row).await.map_err(failed)?;
            let passed = outcome.is_ok();
            json!({ "channel": row.id, "passed": passed, "reason": outcome.unwrap_or_else(|why| why) })
        }
        _ => {
            return Err(CliError::Usage(say(
                "サーバーを起動してから実行してください",
                "start the server first",
            )));
        }
    };
    store.db().close().await;
    Ok(done)
}

async fn set(command: SetCommand) -> Result<ExitCode, CliError> {
    match command {
        SetCommand::List { data, shown } => {
            let sets = past::newest(&folder(&data)?, SETS_MAX).map_err(failed)?;
            let rows: Vec<Json> = sets.iter().map(summary).collect();
            let columns = ["sequence", "root", "made_at", "rows"];
            print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
            Ok(ExitCode::SUCCESS)
        }
        SetCommand::Show { root, data, shown } => {
            let sets = folder(&data)?;
            let kept = match root {
                Some(root) => past::find(&sets, &root),
                None => past::newest(&sets, 1).and_then(|sets| {
                    sets.into_iter().next().ok_or_else(|| past::PastError::Unknown(String::new()))
                }),
            };
            let kept = match kept {
                Err(past::PastError::Unknown(root)) if root.is_empty() => {
                    return Err(CliError::Usage(say(
                        "公開された指標集はまだありません",
                        "no set was published yet",
                    )));
                }
                other => other.map_err(failed)?,
            };
            let entries = past::entries(&sets, &kept, &Names::shipped()).map_err(failed)?;
            let rows: Vec<Json> = entries.iter().take(ROWS_MAX).map(entry).collect();
            let columns = ["kind", "value", "scope", "direction", "ceiling", "until", "source"];
            print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
            Ok(if entries.len() > ROWS_MAX { ExitCode::from(3) } else { ExitCode::SUCCESS })
        }
        SetCommand::Why { value, data, shown } => {
            if value.trim().is_empty() {
                return Err(CliError::Usage(say("値を指定してください", "give a value")));
            }
            let store: Store = Settings::load(&data)?.place.open_read_only().await?;
            let sets = folder(&data)?;
            let found = told::why(&store, &sets, value.trim()).await.map_err(failed)?;
            store.db().close().await;
            if found.is_empty() {
                eprintln!(
                    "ume: {}",
                    say("この値はどの情報にもありません", "no item and no source says this value")
                );
            }
            let mut rows = Vec::new();
            for one in &found {
                for step in one["steps"].as_array().into_iter().flatten() {
                    rows.push(json!({
                        "kind": one["kind"], "value": one["value"], "state": one["state"],
                        "step": step["step"], "finding": say(
                            step["ja"].as_str().unwrap_or_default(),
                            step["en"].as_str().unwrap_or_default(),
                        ),
                    }));
                }
            }
            let columns = ["kind", "value", "state", "step", "finding"];
            print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
            Ok(code(found.iter().any(|one| one["in_force"] == true)))
        }
        SetCommand::Diff { from, to, data, shown } => {
            let sets = folder(&data)?;
            let names = Names::shipped();
            let of = |root: &str| {
                let kept = past::find(&sets, root)?;
                past::entries(&sets, &kept, &names)
            };
            let (old, new) = (of(&from).map_err(failed)?, of(&to).map_err(failed)?);
            let rows = difference(&old, &new);
            let columns = ["change", "kind", "value", "scope", "until", "source"];
            print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
            Ok(code(!rows.is_empty()))
        }
        SetCommand::Rebuild { root, data, shown } => {
            let sets = folder(&data)?;
            let kept = past::find(&sets, &root).map_err(failed)?;
            let built = past::rebuild(&sets, &kept, &Names::shipped()).map_err(failed)?;
            let same = built == kept.root;
            let mut outcome = summary(&kept);
            outcome["built"] = json!(built);
            outcome["same"] = json!(same);
            print(&shown::one(shown.format, &outcome));
            Ok(code(!same))
        }
    }
}

fn folder(data: &DataFolder) -> Result<std::path::PathBuf, CliError> {
    Ok(Settings::load(data)?.place.folder.join(intel::FOLDER))
}

fn time(at: Option<Micros>) -> Json {
    at.map_or(Json::Null, |at| json!(model::Timestamp(at).rfc3339()))
}

fn summary(kept: &past::Kept) -> Json {
    json!({
        "sequence": kept.sequence,
        "root": kept.root,
        "made_at": time(Some(kept.made_at)),
        "rows": kept.rows,
    })
}

fn entry(entry: &Entry) -> Json {
    json!({
        "kind": entry.key.kind().as_str(),
        "value": entry.key.text(),
        "scope": entry.key.scope().as_str(),
        "direction": entry.direction.as_str(),
        "ceiling": entry.ceiling.as_str(),
        "from": time(entry.from),
        "until": time(entry.until),
        "source": entry.source,
    })
}

/// Rows that one set has and the other has not, whatever their numbers.
fn difference(old: &[Entry], new: &[Entry]) -> Vec<Json> {
    let texts = |entries: &[Entry]| -> std::collections::BTreeMap<String, Json> {
        entries.iter().map(entry).map(|entry| (entry.to_string(), entry)).collect()
    };
    let (old, new) = (texts(old), texts(new));
    let gone = old.iter().filter(|(text, _)| !new.contains_key(*text)).map(|(_, e)| ("removed", e));
    let came = new.iter().filter(|(text, _)| !old.contains_key(*text)).map(|(_, e)| ("added", e));
    let all = gone.chain(came).map(|(change, entry)| {
        let mut entry = entry.clone();
        entry["change"] = json!(change);
        entry
    });
    all.collect()
}
