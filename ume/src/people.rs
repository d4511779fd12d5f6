//! `ume user` and `ume oidc`: accounts and sign-in from the command line, for whoever has the
//! machine. Every change leaves its record, with `local:USER` as actor.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Subcommand;
use serde_json::{Value as Json, json};
use store::Account;
use web::{Shared, access::ROLES, api::local::Act, people::oidc, secrets};

use crate::{
    CliError, Format,
    door::Door,
    place::Place,
    print,
    settings::DataFolder,
    shown::{self, Shown},
};

#[derive(Subcommand)]
pub enum UserCommand {
    /// List the accounts
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Add an account; prints a first password unless a file with one is named
    Add {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        /// officer, administrator, risk_owner, executive, department, employee or auditor
        #[arg(long, default_value = "employee")]
        role: String,
        /// File whose first line is the password
        #[arg(long)]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Bar an account from signing in and end its sessions
    Disable {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Let a disabled account sign in again
    Enable {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Give an account another role and end its sessions
    Role {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        role: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Narrow an account to sites; without any, widen it to all again
    Sites {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        /// Name or id of a site, several
        sites: Vec<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Set a new first password, to be changed at the next sign-in; ends the sessions
    ResetPassword {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        /// Take away authenticator, passkeys and recovery codes as well
        #[arg(long)]
        second_factor: bool,
        /// File whose first line is the password
        #[arg(long)]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print ten new recovery codes; the old ones stop working
    Recovery {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Subcommand)]
pub enum OidcCommand {
    /// Sign in at an OpenID Connect provider
    Set {
        #[command(flatten)]
        data: DataFolder,
        /// Issuer, for example https://id.example.com (http only on this machine)
        #[arg(long)]
        issuer: String,
        #[arg(long)]
        client_id: String,
        /// File whose first line is the client secret; read at each sign-in
        #[arg(long)]
        client_secret_file: PathBuf,
        /// Claim of the ID token that gives the role
        #[arg(long, default_value = "groups")]
        claim: String,
        /// VALUE=ROLE, several; the first that fits counts
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// What the sign-in page calls the provider
        #[arg(long, default_value = "OpenID Connect")]
        name: String,
        /// Address at which people reach this server, for example https://ume.example.com
        #[arg(long)]
        public_origin: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show the settings
    Show {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Sign in with accounts of Ume only
    Off {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs `ume user …`.
pub async fn user(command: UserCommand) -> Result<ExitCode, CliError> {
    let text = match command {
        UserCommand::List { data, shown } => list(&Place::of(&data)?, shown.format).await?,
        UserCommand::Add { data, login, role, password_file, shown } => {
            known_role(&role)?;
            let password = password(password_file.as_deref(), &login)?;
            let password_hash = secrets::hash_password(&password).ok_or(CliError::Random)?;
            let said = crate::say(
                &format!("アカウント{login}を役割{role}で作りました"),
                &format!("account {login} made with the role {role}"),
            );
            let act = Act::AccountAdd { login, role, password_hash };
            let done = Door::act(&data, act).await?;
            with_password(shown.format, said, done, password_file.is_none(), password)
        }
        UserCommand::Disable { data, login, shown } => {
            let said = crate::say(
                &format!("アカウント{login}を無効にしました"),
                &format!("account {login} disabled"),
            );
            shown::done(
                shown.format,
                &said,
                &Door::act(&data, Act::AccountDisable { login }).await?,
            )
        }
        UserCommand::Enable { data, login, shown } => {
            let said = crate::say(
                &format!("アカウント{login}を有効にしました"),
                &format!("account {login} enabled"),
            );
            shown::done(shown.format, &said, &Door::act(&data, Act::AccountEnable { login }).await?)
        }
        UserCommand::Role { data, login, role, shown } => {
            known_role(&role)?;
            let said = crate::say(
                &format!("アカウント{login}の役割を{role}にしました"),
                &format!("account {login} has the role {role} now"),
            );
            let act = Act::AccountRole { login, role };
            shown::done(shown.format, &said, &Door::act(&data, act).await?)
        }
        UserCommand::Sites { data, login, sites, shown } => {
            let said = match sites.as_slice() {
                [] => crate::say(
                    &format!("アカウント{login}はすべての拠点を扱えます"),
                    &format!("account {login} reaches all sites now"),
                ),
                some => crate::say(
                    &format!("アカウント{login}が扱える拠点: {}", some.join("、")),
                    &format!("account {login} is narrowed to {}", some.join(", ")),
                ),
            };
            let act = Act::AccountSites { login, sites };
            shown::done(shown.format, &said, &Door::act(&data, act).await?)
        }
        UserCommand::ResetPassword { data, login, second_factor, password_file, shown } => {
            let password = password(password_file.as_deref(), &login)?;
            let password_hash = secrets::hash_password(&password).ok_or(CliError::Random)?;
            let said = crate::say(
                &format!("アカウント{login}のパスワードを再設定しました"),
                &format!("account {login} has a new password"),
            );
            let act = Act::AccountPassword { login, password_hash, second_factor };
            let done = Door::act(&data, act).await?;
            with_password(shown.format, said, done, password_file.is_none(), password)
        }
        UserCommand::Recovery { data, login, shown } => {
            let codes = web::people::new_recovery_codes().ok_or(CliError::Random)?;
            let act = Act::AccountRecovery { login, codes: codes.to_vec() };
            let mut done = Door::act(&data, act).await?;
            done["codes"] = json!(codes);
            shown::done(shown.format, &codes.join("\n"), &done)
        }
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Adds a drawn password, which is shown this once.
fn with_password(
    format: Format,
    mut said: String,
    mut done: Json,
    drawn: bool,
    password: String,
) -> String {
    if drawn {
        let (ja, en) = ("仮のパスワード（今回だけ表示）", "first password, shown once");
        said.push_str(&format!("\n{}: {password}", crate::say(ja, en)));
        done["password"] = password.into();
    }
    shown::done(format, &said, &done)
}

fn known_role(role: &str) -> Result<(), CliError> {
    if ROLES.contains(&role) { Ok(()) } else { Err(CliError::Role(role.to_owned())) }
}

/// The password of the file, else a drawn one.
fn password(file: Option<&Path>, login: &str) -> Result<String, CliError> {
    let Some(file) = file else { return secrets::random_words::<15>().ok_or(CliError::Random) };
    let text = std::fs::read_to_string(file)
        .map_err(|source| CliError::Io { path: file.to_owned(), source })?;
    let password = text.lines().next().unwrap_or("").to_owned();
    secrets::judge_password(&password, login).map_err(CliError::Password)?;
    Ok(password)
}

async fn list(place: &Place, format: Format) -> Result<String, CliError> {
    let store = place.open_read_only().await?;
    let state = |a: &Account| if a.disabled { "disabled" } else { "active" };
    let accounts: Vec<Json> = store
        .accounts()
        .await?
        .iter()
        .map(|a| {
            json!({
                "id": a.id, "login": a.login, "role": a.role, "sites": a.sites,
                "state": state(a),
                "second_factor": a.totp.is_some(),
                "signed_in_at": a.signed_in_at.map(model::Timestamp::rfc3339),
            })
        })
        .collect();
    let columns = ["login", "role", "state", "signed_in_at"];
    Ok(shown::rows(format, &columns.map(str::to_owned), &accounts))
}

/// Runs `ume oidc …`.
pub async fn oidc(command: OidcCommand) -> Result<ExitCode, CliError> {
    let text = match command {
        OidcCommand::Set {
            data,
            issuer,
            client_id,
            client_secret_file,
            claim,
            roles,
            name,
            public_origin,
            shown,
        } => {
            let file = std::path::absolute(&client_secret_file)
                .map_err(|source| CliError::Io { path: client_secret_file, source })?;
            let settings = oidc::Settings {
                issuer,
                client_id,
                secret_file: file.to_string_lossy().into_owned(),
                claim,
                roles: roles.iter().map(|pair| role_pair(pair)).collect::<Result<_, _>>()?,
                name,
            };
            let said = crate::say(
                &format!("{}でのサインインを設定しました", settings.issuer),
                &format!("people sign in at {} now", settings.issuer),
            );
            let done = Door::act(&data, Act::ProviderSet { settings, public_origin }).await?;
            shown::done(shown.format, &said, &done)
        }
        OidcCommand::Show { data, shown } => {
            let store = Place::of(&data)?.open_read_only().await?;
            let settings = json!(oidc::Settings::load(&store).await?);
            match shown.format {
                Format::Table if settings.is_null() => {
                    format!("{}\n", crate::say("設定されていません", "no provider is set"))
                }
                format => shown::one(format, &settings),
            }
        }
        OidcCommand::Off { data, shown } => {
            let (ja, en) = (
                "Umeのアカウントだけでサインインします",
                "people sign in with accounts of Ume only",
            );
            let done = Door::act(&data, Act::ProviderOff {}).await?;
            shown::done(shown.format, &crate::say(ja, en), &done)
        }
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

fn role_pair(pair: &str) -> Result<(String, String), CliError> {
    let (value, role) = pair.rsplit_once('=').ok_or_else(|| CliError::Role(pair.to_owned()))?;
    known_role(role)?;
    Ok((value.to_owned(), role.to_owned()))
}

const EVENTS_EVERY: Duration = Duration::from_secs(1);
const REFUSED_EVERY_ROUNDS: u64 = 60;
const SWEEP_EVERY_ROUNDS: u64 = 3_600;
const SESSION_HOURS_MAX: i64 = 24 * 7;
const SOURCE: &str = "ume";

/// Moves events at the door into the stream, counts of refusals into the ledger, and sweeps sessions
/// that are past every limit.
pub async fn watch(house: Shared, stream: stream::Stream) {
    let mut round: u64 = 0;
    loop {
        tokio::time::sleep(EVENTS_EVERY).await;
        round += 1;
        if let Err(error) = events(&house, &stream).await {
            tracing::error!(%error, "events at the door were not stored");
        }
        if round.is_multiple_of(REFUSED_EVERY_ROUNDS)
            && let Err(error) = refused(&house).await
        {
            tracing::error!(%error, "refused sign-ins were not recorded");
        }
        if round.is_multiple_of(SWEEP_EVERY_ROUNDS)
            && let Err(error) = house.store.sweep_sessions(SESSION_HOURS_MAX).await
        {
            tracing::error!(%error, "old sessions were not removed");
        }
    }
}

async fn events(house: &Shared, stream: &stream::Stream) -> Result<(), CliError> {
    let (lines, lost) = house.people.sign_ins.take();
    if lines.is_empty() && lost == 0 {
        return Ok(());
    }
    let (stream, now) = (stream.clone(), house.store.now());
    let stored = tokio::task::spawn_blocking(move || {
        let lines = lines
            .into_iter()
            .map(|line| stream::RawLine::with_format(line, stream::Format::Json))
            .collect();
        stream.ingest(SOURCE, lines, now)?;
        if lost > 0 { stream.lost(SOURCE, "queue full", lost) } else { Ok(()) }
    });
    Ok(stored.await.unwrap_or(Ok(()))?)
}

async fn refused(house: &Shared) -> Result<(), CliError> {
    for (account, refused) in house.people.sign_ins.take_refused() {
        house.store.record_refused(account, refused.count, refused.throttled, refused.from).await?;
    }
    Ok(())
}
