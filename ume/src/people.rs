//! `ume user` and `ume oidc`: accounts and sign-in from the command line, for whoever has the
//! machine. Every change leaves its record, with `system:cli` as actor.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Subcommand;
use serde_json::json;
use store::{Account, AccountChange, RecordDraft, Store};
use web::{Shared, access::ROLES, people::oidc, secrets};

use crate::{CliError, DataFolder, Format, data, print};

const ACTOR: &str = "system:cli";

#[derive(Subcommand)]
pub enum UserCommand {
    /// List the accounts
    List {
        #[command(flatten)]
        data: DataFolder,
        /// Output format
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
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
    },
    /// Bar an account from signing in and end its sessions
    Disable {
        #[command(flatten)]
        data: DataFolder,
        login: String,
    },
    /// Let a disabled account sign in again
    Enable {
        #[command(flatten)]
        data: DataFolder,
        login: String,
    },
    /// Give an account another role and end its sessions
    Role {
        #[command(flatten)]
        data: DataFolder,
        login: String,
        role: String,
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
    },
    /// Print ten new recovery codes; the old ones stop working
    Recovery {
        #[command(flatten)]
        data: DataFolder,
        login: String,
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
    },
    /// Show the settings
    Show {
        #[command(flatten)]
        data: DataFolder,
    },
    /// Sign in with accounts of Ume only
    Off {
        #[command(flatten)]
        data: DataFolder,
    },
}

/// Opens the store to write, which a running server forbids.
async fn writing<T>(
    folder: Option<PathBuf>,
    act: impl AsyncFnOnce(&Store) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let folder = data::folder(folder);
    data::existing(&folder)?;
    let _lock = data::lock(&folder)?;
    let store = Store::open(&folder, store::system_clock()).await?;
    let store = store.with_personal(crate::personal::kinds());
    let done = act(&store).await;
    store.db().close().await;
    done
}

/// Runs `ume user …`.
pub async fn user(command: UserCommand) -> Result<ExitCode, CliError> {
    match command {
        UserCommand::List { data, format } => return list(&data::folder(data.path), format).await,
        UserCommand::Add { data, login, role, password_file } => {
            known_role(&role)?;
            let password = password(password_file.as_deref(), &login)?;
            writing(data.path, async |store| add(store, &login, &role, &password).await).await?;
            if password_file.is_none() {
                print(&format!("first password, shown once: {password}\n"));
            }
        }
        UserCommand::Disable { data, login } => {
            writing(data.path, async |s| change(s, &login, AccountChange::Disable).await).await?;
        }
        UserCommand::Enable { data, login } => {
            writing(data.path, async |s| change(s, &login, AccountChange::Enable).await).await?;
        }
        UserCommand::Role { data, login, role } => {
            known_role(&role)?;
            writing(data.path, async |s| change(s, &login, AccountChange::Role(&role)).await)
                .await?;
        }
        UserCommand::ResetPassword { data, login, second_factor, password_file } => {
            let password = password(password_file.as_deref(), &login)?;
            let hash = secrets::hash_password(&password).ok_or(CliError::Random)?;
            writing(data.path, async |store| {
                let new = AccountChange::Password { hash: &hash, must_change: true };
                change(store, &login, new).await?;
                if second_factor {
                    change(store, &login, AccountChange::ResetFactor).await?;
                }
                Ok(())
            })
            .await?;
            if password_file.is_none() {
                print(&format!("first password, shown once: {password}\n"));
            }
        }
        UserCommand::Recovery { data, login } => {
            let codes = web::people::new_recovery_codes().ok_or(CliError::Random)?;
            writing(data.path, async |store| {
                change(store, &login, AccountChange::RecoveryCodes(&codes)).await
            })
            .await?;
            print(&format!("{}\n", codes.join("\n")));
        }
    }
    Ok(ExitCode::SUCCESS)
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

async fn find(store: &Store, login: &str) -> Result<Account, CliError> {
    store.account(login).await?.ok_or_else(|| CliError::NoAccount(login.to_owned()))
}

async fn add(store: &Store, login: &str, role: &str, password: &str) -> Result<(), CliError> {
    if store.account(login).await?.is_some() {
        return Err(CliError::Taken(login.to_owned()));
    }
    let hash = secrets::hash_password(password).ok_or(CliError::Random)?;
    store.create_account(ACTOR, login, role, &hash, true).await?;
    print(&format!("account {login} made with the role {role}\n"));
    Ok(())
}

async fn change(store: &Store, login: &str, change: AccountChange<'_>) -> Result<(), CliError> {
    let account = find(store, login).await?;
    store.change_account(ACTOR, &account, change).await?;
    tracing::info!(account = %account.id, change = change.name(), "account changed");
    Ok(())
}

async fn list(folder: &Path, format: Format) -> Result<ExitCode, CliError> {
    let store = Store::open_read_only(data::existing(folder)?, store::system_clock()).await?;
    let accounts = store.accounts().await?;
    let state = |a: &Account| if a.disabled { "disabled" } else { "active" };
    let seen = |a: &Account| a.signed_in_at.map_or_else(|| "-".to_owned(), |t| t.rfc3339());
    if format == Format::Json {
        let all: Vec<_> = accounts
            .iter()
            .map(|a| {
                json!({"id": a.id, "login": a.login, "role": a.role, "state": state(a),
                       "second_factor": a.totp.is_some(), "signed_in_at": a.signed_in_at})
            })
            .collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&all).unwrap_or_default()));
        return Ok(ExitCode::SUCCESS);
    }
    let comma = format == Format::Csv;
    let mut out = if comma { "login,role,state,signed_in_at\n".to_owned() } else { String::new() };
    for a in &accounts {
        let (login, role, state, seen) = (&a.login, &a.role, state(a), seen(a));
        if comma {
            let login = login.replace('"', "\"\"");
            out.push_str(&format!("\"{login}\",{role},{state},{seen}\n"));
        } else {
            out.push_str(&format!("{login:<24} {role:<14} {state:<9} {seen}\n"));
        }
    }
    print(&out);
    Ok(ExitCode::SUCCESS)
}

/// Runs `ume oidc …`.
pub async fn oidc(command: OidcCommand) -> Result<ExitCode, CliError> {
    match command {
        OidcCommand::Set {
            data,
            issuer,
            client_id,
            client_secret_file,
            claim,
            roles,
            name,
            public_origin,
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
            writing(data.path, async |store| {
                settings.save(store).await?;
                if let Some(origin) = &public_origin {
                    store.set_setting("public_origin", origin).await?;
                }
                record_settings(store, "provider_set").await
            })
            .await?;
        }
        OidcCommand::Show { data } => {
            let folder = data::folder(data.path);
            let store =
                Store::open_read_only(data::existing(&folder)?, store::system_clock()).await?;
            let settings = oidc::Settings::load(&store).await?;
            print(&format!("{}\n", serde_json::to_string_pretty(&settings).unwrap_or_default()));
        }
        OidcCommand::Off { data } => {
            writing(data.path, async |store| {
                oidc::Settings::remove(store).await?;
                record_settings(store, "provider_removed").await
            })
            .await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn role_pair(pair: &str) -> Result<(String, String), CliError> {
    let (value, role) = pair.rsplit_once('=').ok_or_else(|| CliError::Role(pair.to_owned()))?;
    known_role(role)?;
    Ok((value.to_owned(), role.to_owned()))
}

/// Who may come in by which door is evidence too.
async fn record_settings(store: &Store, change: &str) -> Result<(), CliError> {
    let facts = json!({"account_id": "all", "change": change, "role": ""});
    let now = store.now();
    let mut write = store.write(ACTOR, change, "").await?;
    let draft = RecordDraft {
        ty: "isms.account_changed".to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "ume".to_owned(),
        assurance: model::Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    };
    write.record(draft).await?;
    Ok(write.commit().await?)
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
