//! The front door: command line, configuration, wiring. No logic.

mod data;
mod db;
mod door;
mod events;
mod ledger_cmd;
mod merkle_cmd;
mod people;
mod personal;
mod registers;
mod rooms;
mod routes;
mod serve;
mod shown;
mod tokens;
mod work;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use model::Lang;

/// Ume 梅 runs the eleven new controls of ISO/IEC 27001:2022 (JIS Q 27001:2023) and computes the
/// level reached from evidence.
#[derive(Parser)]
#[command(name = "ume", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server: registers this machine, collects, computes levels, serves the pages
    Serve {
        #[command(flatten)]
        data: DataFolder,
        /// Address to listen on; loopback unless told otherwise
        #[arg(long, default_value = "127.0.0.1:8620")]
        listen: std::net::SocketAddr,
        /// Requests of the API that one token, session or address may send in a minute
        #[arg(long, value_name = "N", default_value_t = web::api::limit::PER_MINUTE)]
        api_rate: u32,
    },
    /// Make the first account without a browser
    Setup {
        #[command(flatten)]
        data: DataFolder,
        /// Name of the ISMS officer's account
        #[arg(long)]
        admin: String,
        /// File whose first line is the password (12 characters or more)
        #[arg(long)]
        password_file: PathBuf,
    },
    /// Show the level of each control, and what keeps it from more
    Status {
        #[command(flatten)]
        data: DataFolder,
        /// Output format
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        /// Print each criterion with what produces its evidence instead
        #[arg(long)]
        producers: bool,
    },
    /// Move between SQLite and PostgreSQL, compare two databases
    Db {
        #[command(subcommand)]
        command: db::DbCommand,
    },
    /// Accounts: who may sign in, in which role
    User {
        #[command(subcommand)]
        command: people::UserCommand,
    },
    /// Signing in at an OpenID Connect provider
    Oidc {
        #[command(subcommand)]
        command: people::OidcCommand,
    },
    /// Assets: hosts, software, sites, data sets and the rest
    Asset {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// People, teams, roles, suppliers
    Party {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Rules that the engines execute
    Rule {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Clauses, controls and other norms
    Norm {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Tasks
    Task {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Decisions; signing one needs the pages
    Decision {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Records: immutable evidence
    Record {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Tokens with which programs use the API
    Token {
        #[command(subcommand)]
        command: tokens::TokenCommand,
    },
    /// The evidence ledger
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Merkle trees, proofs and signed notes over plain files
    Merkle {
        #[command(subcommand)]
        command: merkle_cmd::MerkleCommand,
    },
}

#[derive(Subcommand)]
enum LedgerCommand {
    /// Verify log, tiles, checkpoint, and every row and payload against its leaf
    Verify {
        #[command(flatten)]
        data: DataFolder,
        /// Output format
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Print the newest signed checkpoint
    Checkpoint {
        #[command(flatten)]
        data: DataFolder,
    },
    #[command(flatten)]
    More(ledger_cmd::LedgerMore),
}

#[derive(clap::Args)]
struct DataFolder {
    /// Data folder [default: /var/lib/ume for root, else $XDG_DATA_HOME/ume]
    #[arg(long = "data", value_name = "DIR", env = "UME_DATA")]
    path: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

/// Why a command failed; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(
        "{0}: no Ume data here. Start with `ume serve --data {0}` or name another folder with --data"
    )]
    NoData(PathBuf),
    #[error("{0} is in use by a running server. Stop it first, or use its pages")]
    InUse(PathBuf),
    #[error(
        "{0} is in use by a running server: write through it with --server URL --token-file FILE (`ume token add` makes the token), or stop it first"
    )]
    Held(PathBuf),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Refused(String),
    #[error("the server's answer is not one of Ume's: {0}. Look at --server")]
    Answer(String),
    #[error("{0}: {1}. Is the server running, and is this its address?")]
    Server(String, reqwest::Error),
    #[error("cannot listen on {0}: {1}. Choose another address with --listen")]
    Listen(std::net::SocketAddr, std::io::Error),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("an account exists already; set-up is done")]
    SetUp,
    #[error(
        "the password is refused ({0:?}): use at least 12 characters, not a known one, without the name in it"
    )]
    Password(web::secrets::Weak),
    #[error("no randomness from the operating system")]
    Random,
    #[error("there is no account {0}; `ume user list` shows them")]
    NoAccount(String),
    #[error("the account {0} exists already; choose another name")]
    Taken(String),
    #[error("{0} names no role; the roles are {roles}", roles = web::access::ROLES.join(", "))]
    Role(String),
    #[error(transparent)]
    Oidc(#[from] web::people::oidc::OidcError),
    #[error("there is no record {0}")]
    NoRecord(model::Id),
    #[error(
        "the proof of record {0} is pending: no checkpoint covers it yet, try again in a second"
    )]
    Pending(model::Id),
    #[error("{0}: not a signing key of 32 bytes: make one with `ume merkle note key`")]
    SigningKey(PathBuf),
    #[error(transparent)]
    Note(#[from] merkle::NoteError),
    #[error(transparent)]
    Proof(#[from] merkle::ProofError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    #[error(transparent)]
    Norms(#[from] isms::norms::NormError),
    #[error(transparent)]
    Stream(#[from] stream::Error),
}

impl From<web::api::problem::Problem> for CliError {
    fn from(problem: web::api::problem::Problem) -> CliError {
        CliError::Refused(problem.to_string())
    }
}

/// Exit codes of the house: 0 good, 1 mismatch found, 2 usage or error, 3 incomplete.
const MISMATCH: u8 = 1;
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("UME_LOG")
                .unwrap_or_else(|_| "info,sqlx=warn".into()),
        )
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ume: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let code = match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ume: {error}");
            ExitCode::from(FAILED)
        }
    };
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}

fn lang() -> Lang {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .and_then(|value| Lang::parse(&value))
        .unwrap_or(Lang::En)
}

async fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve { data, listen, api_rate } => {
            serve::run(&data::folder(data.path), listen, api_rate).await
        }
        Command::Setup { data, admin, password_file } => {
            setup(&data::folder(data.path), &admin, &password_file).await
        }
        Command::Status { data, format, producers } => {
            status(&data::folder(data.path), format, producers).await
        }
        Command::Db { command } => db::run(command).await,
        Command::User { command } => people::user(command).await,
        Command::Oidc { command } => people::oidc(command).await,
        Command::Asset { command } => registers::run(model::Table::Asset, command).await,
        Command::Party { command } => registers::run(model::Table::Party, command).await,
        Command::Rule { command } => registers::run(model::Table::Rule, command).await,
        Command::Norm { command } => registers::run(model::Table::Norm, command).await,
        Command::Task { command } => registers::run(model::Table::Task, command).await,
        Command::Decision { command } => registers::run(model::Table::Decision, command).await,
        Command::Record { command } => registers::run(model::Table::Record, command).await,
        Command::Token { command } => tokens::run(command).await,
        Command::Ledger { command: LedgerCommand::Verify { data, format } } => {
            verify(&data::folder(data.path), format).await
        }
        Command::Ledger { command: LedgerCommand::More(command) } => ledger_cmd::run(command).await,
        Command::Merkle { command } => merkle_cmd::run(command),
        Command::Ledger { command: LedgerCommand::Checkpoint { data } } => {
            let path = data::existing(&data::folder(data.path))?.join("ledger/checkpoint");
            let text =
                std::fs::read_to_string(&path).map_err(|source| CliError::Io { path, source })?;
            print(&text);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints to standard output; a closed pipe (`| head`) is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

async fn setup(
    folder: &std::path::Path,
    admin: &str,
    file: &std::path::Path,
) -> Result<ExitCode, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| CliError::Io { path: file.to_owned(), source })?;
    let password = text.lines().next().unwrap_or("").to_owned();
    web::secrets::judge_password(&password, admin).map_err(CliError::Password)?;
    data::create(folder)?;
    let _lock = data::lock(folder)?;
    let store = store::Store::open(folder, store::system_clock()).await?;
    let store = store.with_personal(personal::kinds());
    if store.account_count().await? > 0 {
        return Err(CliError::SetUp);
    }
    let hash = web::secrets::hash_password(&password).ok_or(CliError::Random)?;
    store.add_account(admin, "officer", &hash).await?;
    store.db().close().await;
    print(&format!("account {admin} made; the second factor is enrolled at the first sign-in\n"));
    Ok(ExitCode::SUCCESS)
}

async fn status(
    folder: &std::path::Path,
    format: Format,
    producers: bool,
) -> Result<ExitCode, CliError> {
    let lang = lang();
    if producers {
        print_producers();
        return Ok(ExitCode::SUCCESS);
    }
    let store =
        store::Store::open_read_only(data::existing(folder)?, store::system_clock()).await?;
    let board = isms::compute(&store, &rooms::ROOMS).await?;
    match format {
        Format::Json => {
            let json = isms::status::to_json(&board, lang);
            print(&format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default()));
        }
        Format::Csv | Format::Table => {
            let comma = format == Format::Csv;
            let mut out = if comma {
                String::from("id,level,level_by_slides,target,valid_until,not_passing,name\n")
            } else {
                String::new()
            };
            for control in &board.controls {
                let name = control.spec.name.get(lang);
                let until = control.valid_until.map_or_else(|| "-".to_owned(), |t| t.rfc3339());
                let failing =
                    control.verdicts.iter().filter(|v| v.status != model::Status::Pass).count();
                let id = control.spec.control;
                if comma {
                    let (l, s, t) = (
                        control.level.name(),
                        control.level_by_slides.name(),
                        control.target.name(),
                    );
                    out.push_str(&format!("{id},{l},{s},{t},{until},{failing},\"{name}\"\n"));
                } else {
                    let sign = control.level.sign();
                    let total = control.verdicts.len();
                    out.push_str(&format!(
                        "{id:<5} {sign:<3} {failing:>2}/{total:<2} {until:<25} {name}\n"
                    ));
                }
            }
            print(&out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_producers() {
    for room in rooms::ROOMS.into_iter().chain([&isms::SPEC]) {
        for criterion in room.criteria {
            let producer = match criterion.producer {
                model::Producer::Exists(job) => job,
                model::Producer::NotYet => "not yet",
            };
            print(&format!("{:<14} {producer}\n", criterion.id));
        }
    }
}

async fn verify(folder: &std::path::Path, format: Format) -> Result<ExitCode, CliError> {
    let folder = data::existing(folder)?;
    let store = store::Store::open_read_only(folder, store::system_clock()).await?;
    let (mut report, leaves) = ledger::verify(&folder.join("ledger"))?;
    ledger::verify_rows(&store, &leaves, &mut report).await?;
    if format == Format::Json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report).unwrap_or_default()));
    } else {
        let place = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        for fault in &report.faults {
            let (index, offset) = (place(fault.index), place(fault.offset));
            print(&format!("{}\tleaf {index}\toffset {offset}\t{}\n", fault.place, fault.what));
        }
        let (leaves, rows, pending) = (report.leaves, report.rows, report.pending);
        let faults = report.faults.len();
        print(&format!("{leaves} leaves, {rows} rows, {pending} pending: {faults} mismatches\n"));
        if report.shredded > 0 {
            print(&format!("{} shredded by decision\n", report.shredded));
        }
    }
    let good = report.faults.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}
