//! `ume ledger witness | tsa | log`: who sees this ledger from outside, and whose is seen here.

use std::{fs, path::PathBuf};

use ledger::{
    WitnessDesk, cosigned_by_all,
    outside::{AUTHORITY_SECONDS, Change, Outside, OutsideError, Troubles, WITNESS_SECONDS},
    stamps, witness_name,
};
use model::Timestamp;
use serde_json::{Value as Json, json};
use web::api::local::Act;

use crate::{
    CliError,
    door::Door,
    place::Place,
    settings::DataFolder,
    shown::{self, Shown},
};

/// Most bytes of a file with trust anchors.
const PEM_BYTES_MAX: u64 = 64 * 1024;

#[derive(clap::Subcommand)]
pub enum WitnessCommand {
    /// Have a witness cosign every checkpoint (c2sp.org/tlog-witness)
    Add {
        #[command(flatten)]
        data: DataFolder,
        /// Address of the witness, up to `/add-checkpoint`
        #[arg(long)]
        url: String,
        /// Its verifier key (type 0x04)
        #[arg(long, value_name = "KEY")]
        vkey: String,
        /// Shortest time between two requests, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = WITNESS_SECONDS)]
        every: u32,
        #[command(flatten)]
        shown: Shown,
    },
    /// List the witnesses, what each cosigned last, and why one is silent
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Ask a witness no more; what it cosigned is kept
    Remove {
        #[command(flatten)]
        data: DataFolder,
        /// Name of its key
        name: String,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(clap::Subcommand)]
pub enum TsaCommand {
    /// Have an authority time-stamp the checkpoints (RFC 3161)
    Add {
        #[command(flatten)]
        data: DataFolder,
        /// Short name of yours for it: a-z, 0-9 and -
        name: String,
        /// Its address
        #[arg(long)]
        url: String,
        /// File with the certificates its own must lead to (PEM)
        #[arg(long, value_name = "FILE")]
        anchors: PathBuf,
        /// Time between two stamps, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = AUTHORITY_SECONDS)]
        every: u32,
        #[command(flatten)]
        shown: Shown,
    },
    /// List the authorities, the last stamp of each, and why one is silent
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Ask an authority no more; its stamps are kept
    Remove {
        #[command(flatten)]
        data: DataFolder,
        /// Name it was added under
        name: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Copy the newest stamp of an authority, for `openssl ts -verify -in token.tsr -data checkpoint
    /// -CAfile anchors.pem`
    Export {
        #[command(flatten)]
        data: DataFolder,
        /// Name it was added under
        name: String,
        /// Folder to write token.tsr, checkpoint and anchors.pem into
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(clap::Subcommand)]
pub enum LogCommand {
    /// Cosign the checkpoints of another house's log at /witness/add-checkpoint
    Add {
        #[command(flatten)]
        data: DataFolder,
        /// Verifier key of the log (type 0x01); a second one joins the first
        #[arg(long, value_name = "KEY")]
        vkey: String,
        /// First line of its checkpoints [default: the name of the key]
        #[arg(long)]
        origin: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// List the logs that are cosigned here, and the key of this witness
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Cosign a log no more; how far it was cosigned is remembered
    Remove {
        #[command(flatten)]
        data: DataFolder,
        /// Its origin
        origin: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the verifier key of this witness, for those whose logs it cosigns
    Key {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn witness(command: WitnessCommand) -> Result<String, CliError> {
    match command {
        WitnessCommand::Add { data, url, vkey, every, shown } => {
            change(&data, Change::WitnessAdd { url, vkey, every_s: every }, &shown).await
        }
        WitnessCommand::Remove { data, name, shown } => {
            change(&data, Change::WitnessRemove { name }, &shown).await
        }
        WitnessCommand::List { data, shown } => {
            let rows = witnesses(&Place::of(&data)?).await?;
            Ok(list(&shown, &["name", "size", "at", "since", "trouble", "url"], &rows))
        }
    }
}

pub async fn tsa(command: TsaCommand) -> Result<String, CliError> {
    match command {
        TsaCommand::Add { data, name, url, anchors, every, shown } => {
            let anchors = pem(&anchors)?;
            change(&data, Change::AuthorityAdd { name, url, anchors, every_s: every }, &shown).await
        }
        TsaCommand::Remove { data, name, shown } => {
            change(&data, Change::AuthorityRemove { name }, &shown).await
        }
        TsaCommand::List { data, shown } => {
            let rows = authorities(&Place::of(&data)?).await?;
            Ok(list(&shown, &["name", "size", "at", "since", "trouble", "url"], &rows))
        }
        TsaCommand::Export { data, name, to, shown } => {
            export(&Place::of(&data)?, &name, &to, &shown)
        }
    }
}

pub async fn log(command: LogCommand) -> Result<String, CliError> {
    match command {
        LogCommand::Add { data, vkey, origin, shown } => {
            change(&data, Change::LogAdd { origin, vkey }, &shown).await
        }
        LogCommand::Remove { data, origin, shown } => {
            change(&data, Change::LogRemove { origin }, &shown).await
        }
        LogCommand::List { data, shown } => {
            let rows = logs(&Place::of(&data)?).await?;
            Ok(list(&shown, &["origin", "size", "at"], &rows))
        }
        LogCommand::Key { data, shown } => {
            let key = desk(&Place::of(&data)?).await?.verifier_key()?.to_string();
            Ok(shown::done(shown.format, &key, &json!({"vkey": key})))
        }
    }
}

fn list(shown: &Shown, columns: &[&str], rows: &[Json]) -> String {
    let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    shown::rows(shown.format, &columns, rows)
}

async fn change(data: &DataFolder, what: Change, shown: &Shown) -> Result<String, CliError> {
    let verb = what.name();
    let done = Door::act(data, Act::LedgerOutside { what }).await?;
    let name = shown::text(&done["name"]);
    let said = match verb {
        "witness_add" => {
            crate::say(&format!("証人{name}を追加しました"), &format!("witness {name} added"))
        }
        "witness_remove" => {
            crate::say(&format!("証人{name}を外しました"), &format!("witness {name} removed"))
        }
        "authority_add" => crate::say(
            &format!("タイムスタンプ局{name}を追加しました"),
            &format!("authority {name} added"),
        ),
        "authority_remove" => crate::say(
            &format!("タイムスタンプ局{name}を外しました"),
            &format!("authority {name} removed"),
        ),
        "log_add" => crate::say(
            &format!("{name}のチェックポイントに連署します"),
            &format!("checkpoints of {name} are cosigned from now on"),
        ),
        _ => crate::say(
            &format!("{name}への連署をやめました"),
            &format!("checkpoints of {name} are cosigned no more"),
        ),
    };
    Ok(shown::done(shown.format, &said, &done))
}

fn pem(path: &std::path::Path) -> Result<String, CliError> {
    let io = |source| CliError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > PEM_BYTES_MAX {
        return Err(io(std::io::Error::other("larger than 64 KiB")));
    }
    fs::read_to_string(path).map_err(io)
}

fn time(unix: i64) -> String {
    Timestamp(unix.saturating_mul(1_000_000)).rfc3339()
}

fn with_trouble(mut row: Json, troubles: &Troubles, peer: &str) -> Json {
    if let Some(trouble) = troubles.0.get(peer) {
        row["trouble"] = json!(trouble.said);
        row["since"] = json!(Timestamp(trouble.since_us).rfc3339());
    }
    row
}

fn unreadable(error: OutsideError) -> CliError {
    CliError::Outside(error)
}

async fn witnesses(place: &Place) -> Result<Vec<Json>, CliError> {
    let store = place.open_read_only().await?;
    let outside = Outside::load(&store).await.map_err(unreadable)?;
    let troubles = Troubles::load(&store).await.map_err(unreadable)?;
    let kept = cosigned_by_all(&place.folder.join("ledger"))?;
    let mut rows = Vec::new();
    for witness in outside.witnesses {
        let name = witness.key().map_err(unreadable)?.name().to_owned();
        let kept = kept.iter().find(|kept| kept.witness.to_string() == witness.vkey);
        let row = json!({
            "name": name,
            "url": witness.url,
            "vkey": witness.vkey,
            "every_s": witness.every_s,
            "size": kept.map(|kept| kept.checkpoint.size()),
            "at": kept.map(|kept| time(i64::try_from(kept.time).unwrap_or(i64::MAX))),
        });
        rows.push(with_trouble(row, &troubles, &format!("witness:{name}")));
    }
    Ok(rows)
}

async fn authorities(place: &Place) -> Result<Vec<Json>, CliError> {
    let store = place.open_read_only().await?;
    let outside = Outside::load(&store).await.map_err(unreadable)?;
    let troubles = Troubles::load(&store).await.map_err(unreadable)?;
    let mut rows = Vec::new();
    for authority in outside.authorities {
        let newest = stamps(&place.folder.join("ledger"), &authority.name, 1)?.pop();
        let peer = format!("authority:{}", authority.name);
        let row = json!({
            "name": authority.name,
            "url": authority.url,
            "every_s": authority.every_s,
            "size": newest.as_ref().map(|newest| newest.size),
            "at": newest.as_ref().map(|newest| time(newest.stamp.time)),
            "serial": newest.as_ref().map(|newest| newest.stamp.serial.clone()),
            "authority": newest.as_ref().map(|newest| newest.stamp.authority.clone()),
        });
        rows.push(with_trouble(row, &troubles, &peer));
    }
    Ok(rows)
}

async fn logs(place: &Place) -> Result<Vec<Json>, CliError> {
    let store = place.open_read_only().await?;
    let outside = Outside::load(&store).await.map_err(unreadable)?;
    let mut desk = desk(place).await?;
    let mut rows = Vec::new();
    for log in outside.logs {
        let seen = desk.witnessed(&log.origin)?;
        rows.push(json!({
            "origin": log.origin,
            "vkeys": log.vkeys,
            "size": seen.as_ref().map(|seen| seen.size),
            "at": seen.map(|seen| time(i64::try_from(seen.time).unwrap_or(i64::MAX))),
        }));
    }
    Ok(rows)
}

/// The witness of a folder. Its key is drawn here if no server did yet; the file is made whole or not.
async fn desk(place: &Place) -> Result<WitnessDesk, CliError> {
    let store = place.open_read_only().await?;
    let origin = store.setting("ledger_origin").await?.ok_or(CliError::NoOrigin)?;
    Ok(WitnessDesk::at(place.folder.join("keys/witness"), &witness_name(&origin)))
}

fn export(
    place: &Place,
    name: &str,
    to: &std::path::Path,
    shown: &Shown,
) -> Result<String, CliError> {
    let folder = place.folder.join("ledger");
    let known = ledger::stampers(&folder)?.iter().any(|known| known == name);
    let newest = if known { stamps(&folder, name, 1)?.pop() } else { None };
    let newest = newest.ok_or_else(|| CliError::NoStamp(name.to_owned()))?;
    fs::create_dir_all(to).map_err(|source| CliError::Io { path: to.to_owned(), source })?;
    let parts = [
        (&newest.token, "token.tsr"),
        (&newest.data, "checkpoint"),
        (&newest.anchors, "anchors.pem"),
    ];
    for (from, name) in parts {
        let path = to.join(name);
        fs::copy(from, &path).map_err(|source| CliError::Io { path, source })?;
    }
    let (size, at, folder) = (newest.size, time(newest.stamp.time), to.display());
    let said = crate::say(
        &format!("{folder}: 証跡{size}件のチェックポイント、{at}のタイムスタンプ"),
        &format!("{folder}: checkpoint of {size} leaves, stamped at {at}"),
    );
    Ok(shown::done(shown.format, &said, &json!({"to": to, "size": size, "at": at})))
}
