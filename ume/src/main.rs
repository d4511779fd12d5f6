//! The front door: command line, configuration, wiring. No logic.

mod agent_host;
mod agents;
mod backup;
mod bundle_cmd;
mod config;
mod configuration_cmd;
mod data;
mod db;
mod decision_cmd;
mod declared;
mod demo;
mod door;
mod error;
mod evaluate;
mod follow;
mod hall_cmd;
mod hall_process;
mod help;
mod import;
mod intake;
mod intake_http;
mod intake_otlp;
mod intake_postgres;
mod intake_scrape;
mod intake_snmp;
mod intake_upload;
mod jobs_page;
mod ledger_cmd;
mod lines;
mod local;
mod merkle_cmd;
mod monitoring_cmd;
mod oscal_cmd;
mod outside_cmd;
mod people;
mod place;
mod progress;
mod registers;
mod restore;
mod rooms;
mod routes;
mod search_cmd;
mod serve;
mod settings;
mod shown;
mod sigma_cmd;
mod steady_cmd;
mod steady_logs_cmd;
mod ti_cmd;
mod ti_news_cmd;
mod tokens;
mod verify;
mod work;

use std::{io::Write, path::PathBuf, process::ExitCode};

pub use error::CliError;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use model::Lang;
use place::Place;
use settings::{DataFolder, Settings};
use shown::Shown;

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
        /// Address to listen on [default: 127.0.0.1:8620]
        #[arg(long)]
        listen: Option<std::net::SocketAddr>,
        #[command(flatten)]
        edge: Box<agents::EdgeOptions>,
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
        #[command(flatten)]
        shown: Shown,
    },
    /// Show the level of each control, and what keeps it from more
    Status {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
        /// Print each criterion with what produces its evidence instead
        #[arg(long)]
        producers: bool,
    },
    /// The ISMS itself: gap, levels, statement, risks, context, changes, audit, review, policy
    Isms {
        #[command(subcommand)]
        command: hall_cmd::IsmsCommand,
    },
    /// Configuration (8.9): changes, drift and what was decided, reviews
    Configuration {
        #[command(subcommand)]
        command: configuration_cmd::ConfigurationCommand,
    },
    /// Threat intelligence (5.7): inbox, sources, briefs, ten threats, channels, outlets
    Ti {
        #[command(subcommand)]
        command: ti_cmd::TiCommand,
    },
    /// Monitoring (8.16): comparisons of the collected events
    Monitoring {
        #[command(subcommand)]
        command: monitoring_cmd::MonitoringCommand,
    },
    /// Build a fictional company with a simulated year in a folder of its own, print sign-in links
    Demo(demo::DemoArgs),
    /// Move between SQLite and PostgreSQL, compare two databases
    Db {
        #[command(subcommand)]
        command: db::DbCommand,
    },
    /// Machines that deliver to this centre
    Agent {
        #[command(subcommand)]
        command: agents::AgentCommand,
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
        command: decision_cmd::DecisionCommand,
    },
    /// Records: immutable evidence
    Record {
        #[command(subcommand)]
        command: registers::RegisterCommand,
    },
    /// Import a whole workbook or CSV file: finds its tables, all rows or none
    ///
    /// Every table whose register is recognised is taken; with --as the first one goes to the kind
    /// given. Exit 1 where rows are refused or nothing is recognised: then nothing is saved.
    Import(import::ImportArgs),
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
    /// Write tables, ledger, keys and events into one encrypted file; the server may run
    ///
    /// The key that opens payloads and secret settings goes into a second file, FILE.epoch: keep it
    /// elsewhere, only its newest version, and write it anew after each shredding.
    ///
    /// With --files the files of registers and records stand in a folder beside the backups, each
    /// written once for all of them; without, each backup holds them all. Restoring needs the folder.
    Backup {
        #[command(flatten)]
        data: DataFolder,
        /// File to write; it must not exist yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Folder for files, shared by the backups of one Ume: only new ones are written there
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
        /// File whose first line is the passphrase (12 characters or more)
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
        #[command(flatten)]
        shown: Shown,
    },
    /// Remove from a folder of `ume backup --files` what no backup that stays names
    Prune(backup::shelf::Prune),
    /// Restore a backup into an empty folder and verify it
    Restore {
        #[command(flatten)]
        sealed: restore::Sealed,
        /// New or empty data folder
        #[arg(long = "data", value_name = "DIR")]
        folder: PathBuf,
        /// Data folder of the Ume this restore is a drill for; it gets the record too
        #[arg(long, value_name = "DIR")]
        drill_for: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Check a backup whole, without restoring it: every hash, ledger, rows and payloads; or a bundle
    ///
    /// A backup is unpacked into a private folder in $TMPDIR, which is gone afterwards. Exit 1 with the
    /// place where something does not fit; 3 where payloads could not be opened for want of the epoch
    /// key.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Verify {
        #[command(flatten)]
        sealed: Option<restore::Sealed>,
        #[command(flatten)]
        shown: Shown,
        #[command(subcommand)]
        command: Option<VerifyCommand>,
    },
    /// The jobs: what runs when, and how the last run ended
    Work {
        #[command(subcommand)]
        command: work::command::WorkCommand,
    },
    /// Print completions for a shell
    Completions {
        /// Shell to print them for
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of every command
    Man {
        /// Folder to write one page for each command to
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Merkle trees, proofs and signed notes over plain files
    Merkle {
        #[command(subcommand)]
        command: merkle_cmd::MerkleCommand,
    },
    /// OSCAL documents: judged as plain files, made from a data folder, taken into one
    Oscal {
        #[command(subcommand)]
        command: oscal_cmd::OscalCommand,
    },
    /// Search the archived events of a data folder; the server may run
    Search(Box<search_cmd::SearchArgs>),
    /// Detection rules (Sigma 2.1) over plain files: EVTX, JSON, Parquet, text
    Sigma {
        #[command(subcommand)]
        command: sigma_cmd::SigmaCommand,
    },
    /// What is normal, over plain files: departures and forecasts of values, kinds of log lines, silences
    Steady {
        #[command(subcommand)]
        command: Steady,
    },
}

#[derive(Subcommand)]
enum LedgerCommand {
    /// Verify log, tiles, checkpoint, and every row and payload against its leaf
    Verify {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the newest signed checkpoint
    Checkpoint {
        #[command(flatten)]
        data: DataFolder,
        /// The newest one that witnesses have cosigned, with their lines
        #[arg(long)]
        cosigned: bool,
        #[command(flatten)]
        shown: Shown,
    },
    #[command(flatten)]
    More(ledger_cmd::LedgerMore),
}

#[derive(Subcommand)]
enum VerifyCommand {
    /// Check an audit bundle with nothing but the file, as its verify.sh does; exit 1 with what does
    /// not hold
    Bundle(bundle_cmd::Verify),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

#[derive(Subcommand)]
enum Steady {
    #[command(flatten)]
    Values(steady_cmd::SteadyCommand),
    #[command(flatten)]
    Lines(steady_logs_cmd::Steady),
}

/// Exit codes of the house: 0 good, 1 mismatch found, 2 usage or error, 3 incomplete.
const MISMATCH: u8 = 1;
const FAILED: u8 = 2;
const INCOMPLETE: u8 = 3;

/// The whole command line: the commands of the house, and the verbs of the rooms.
fn english() -> clap::Command {
    let verbs = rooms::AT_WORK.iter().flat_map(|room| room.commands());
    verbs.fold(Cli::command(), |all, verb| all.subcommand(verb.command))
}

/// The command line in the reader's language.
fn command() -> clap::Command {
    command_in(lang())
}

fn command_in(lang: Lang) -> clap::Command {
    match lang {
        Lang::Ja => help::in_japanese(english()),
        Lang::En => english(),
    }
}

/// Ends with what clap says: help on standard output, what is wrong on standard error.
fn ended(error: clap::Error) -> ! {
    if lang() == Lang::En {
        error.exit();
    }
    let text = help::said_in_japanese(&error);
    match error.use_stderr() {
        true => eprint!("{text}"),
        false => print(&text),
    }
    std::process::exit(error.exit_code())
}

/// Runs the verb of a room, if it is one.
fn verb(name: &str, matches: &clap::ArgMatches) -> Option<ExitCode> {
    let mut verbs = rooms::AT_WORK.iter().flat_map(|room| room.commands());
    let verb = verbs.find(|verb| verb.command.get_name() == name)?;
    Some(match (verb.run)(matches, &mut std::io::stdout().lock()) {
        Ok(room::Outcome::Good) => ExitCode::SUCCESS,
        Ok(room::Outcome::Found) => ExitCode::from(MISMATCH),
        Ok(room::Outcome::Incomplete) => ExitCode::from(INCOMPLETE),
        Err(error) => {
            eprintln!("ume: {}", CliError::from(error).text(lang()));
            ExitCode::from(FAILED)
        }
    })
}

fn main() -> ExitCode {
    // One statement for another ume: no arguments, no settings, no log.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == sql::apart::VERB) {
        return if sql::apart::work().is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    }
    let matches = command().try_get_matches().unwrap_or_else(|error| ended(error));
    if let Some(code) = matches.subcommand().and_then(|(name, below)| verb(name, below)) {
        return code;
    }
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| ended(error));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ume: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let code = match runtime.block_on(started(cli.command)) {
        Ok(code) => code,
        Err(CliError::Config(error)) => {
            eprintln!("{:?}", miette::Report::new(*error));
            ExitCode::from(FAILED)
        }
        Err(error) => {
            eprintln!("ume: {}", error.text(lang()));
            let stopped = matches!(error, CliError::Stopped);
            ExitCode::from(if stopped { progress::STOPPED } else { FAILED })
        }
    };
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

/// Logs to standard error: `UME_LOG`, else what the configuration says. A command that ends by itself
/// says what it did; only a server tells as it goes.
fn log_to_stderr(configured: Option<&str>, serves: bool) {
    let usual = if serves { "info,sqlx=warn,async_nats=off" } else { "warn,async_nats=off" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("UME_LOG")
        .unwrap_or_else(|_| configured.unwrap_or(usual).into());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
}

fn lang() -> Lang {
    room::lang()
}

/// The text of the reader's language.
fn say(ja: &str, en: &str) -> String {
    (if lang() == Lang::Ja { ja } else { en }).to_owned()
}

impl Command {
    /// Where the data are, for the commands that work on them.
    fn data(&self) -> Option<&DataFolder> {
        match self {
            Command::Serve { data, .. }
            | Command::Setup { data, .. }
            | Command::Status { data, .. }
            | Command::Backup { data, .. }
            | Command::Ledger { command: LedgerCommand::Verify { data, .. } }
            | Command::Ledger { command: LedgerCommand::Checkpoint { data, .. } } => Some(data),
            Command::Work { command } => Some(command.data()),
            Command::Db { .. }
            | Command::Isms { .. }
            | Command::Configuration { .. }
            | Command::Ti { .. }
            | Command::Monitoring { .. }
            | Command::User { .. }
            | Command::Oidc { .. }
            | Command::Asset { .. }
            | Command::Party { .. }
            | Command::Rule { .. }
            | Command::Norm { .. }
            | Command::Task { .. }
            | Command::Decision { .. }
            | Command::Record { .. }
            | Command::Import(_)
            | Command::Token { .. }
            | Command::Merkle { .. }
            | Command::Oscal { .. }
            | Command::Sigma { .. }
            | Command::Steady { .. }
            | Command::Search(_)
            | Command::Ledger { command: LedgerCommand::More(_) }
            | Command::Restore { .. }
            | Command::Prune(_)
            | Command::Verify { .. }
            | Command::Demo(_)
            | Command::Agent { .. }
            | Command::Completions { .. }
            | Command::Man { .. } => None,
        }
    }
}

/// A server has its own end; everything else is a command that Ctrl-C stops.
async fn started(command: Command) -> Result<ExitCode, CliError> {
    if matches!(command, Command::Serve { .. }) {
        return run(command).await;
    }
    progress::until_stopped(run(command)).await
}

async fn run(command: Command) -> Result<ExitCode, CliError> {
    let settings = command.data().map_or_else(|| Ok(Settings::default()), Settings::load)?;
    let serves = matches!(command, Command::Serve { .. });
    log_to_stderr(settings.config.log.as_ref().map(|l| l.0.as_str()), serves);
    let place = &settings.place;
    match command {
        Command::Serve { edge, .. } if edge.roles == agents::Roles::Agent => {
            agents::run_agent(&settings, *edge).await
        }
        Command::Serve { edge, .. } if edge.roles == agents::Roles::Evaluate => {
            evaluate::run(&settings).await
        }
        Command::Serve { listen, edge, api_rate, .. } => {
            serve::run(&settings, listen, api_rate, &edge).await
        }
        Command::Agent { command } => agents::run(command).await,
        Command::Setup { admin, password_file, shown, .. } => {
            setup(place, &admin, &password_file, shown.format).await
        }
        Command::Status { shown, producers, .. } => status(place, shown.format, producers).await,
        Command::Isms { command } => hall_cmd::run(command).await,
        Command::Configuration { command } => configuration_cmd::run(command).await,
        Command::Ti { command } => ti_cmd::run(command).await,
        Command::Monitoring { command } => monitoring_cmd::run(command).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Db { command } => db::run(command).await,
        Command::User { command } => people::user(command).await,
        Command::Oidc { command } => people::oidc(command).await,
        Command::Asset { command } => registers::run(model::Table::Asset, command).await,
        Command::Party { command } => registers::run(model::Table::Party, command).await,
        Command::Rule { command } => registers::run(model::Table::Rule, command).await,
        Command::Norm { command } => registers::run(model::Table::Norm, command).await,
        Command::Task { command } => registers::run(model::Table::Task, command).await,
        Command::Decision { command } => decision_cmd::run(command).await,
        Command::Record { command } => registers::run(model::Table::Record, command).await,
        Command::Import(args) => import::run(args).await,
        Command::Token { command } => tokens::run(command).await,
        Command::Ledger { command: LedgerCommand::Verify { shown, .. } } => {
            verify(place, shown.format).await
        }
        Command::Ledger { command: LedgerCommand::More(command) } => ledger_cmd::run(command).await,
        Command::Merkle { command } => merkle_cmd::run(command),
        Command::Oscal { command } => oscal_cmd::run(command).await,
        Command::Steady { command: Steady::Values(command) } => steady_cmd::run(&command),
        Command::Steady { command: Steady::Lines(command) } => steady_logs_cmd::run(command),
        Command::Sigma { command } => sigma_cmd::run(command).await,
        Command::Search(args) => search_cmd::run(&args),
        Command::Ledger { command: LedgerCommand::Checkpoint { cosigned, shown, .. } } => {
            ledger_cmd::checkpoint(place, cosigned, shown.format)
        }
        Command::Backup { to, files, passphrase_file, shown, .. } => {
            backup::backup(place, &to, files.as_deref(), &passphrase_file, shown.format).await
        }
        Command::Prune(args) => backup::shelf::prune(args).await,
        Command::Restore { sealed, folder, drill_for, shown } => {
            let drill = drill_for.as_deref().map(Settings::of_folder).transpose()?;
            let drill = drill.as_ref().map(|settings| &settings.place);
            restore::restore(&sealed, &folder, drill, shown.format).await
        }
        Command::Verify { command: Some(VerifyCommand::Bundle(asked)), .. } => {
            bundle_cmd::verify(&asked)
        }
        Command::Verify { sealed: Some(sealed), shown, .. } => {
            verify::run(&sealed, shown.format).await
        }
        Command::Verify { .. } => Err(CliError::Usage(say(
            "--fromと--passphrase-fileを指定するか、bundleに続けてファイルを指定してください",
            "give --from and --passphrase-file, or `bundle` and a file",
        ))),
        Command::Work { command } => work::command::run(command, &settings).await,
        Command::Completions { shell } => help::completions(shell),
        Command::Man { dir } => help::manual(dir.as_deref()),
    }
}

/// Prints to standard output; a closed pipe (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

async fn setup(
    place: &Place,
    admin: &str,
    file: &std::path::Path,
    format: Format,
) -> Result<ExitCode, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| CliError::Io { path: file.to_owned(), source })?;
    let password = text.lines().next().unwrap_or("").to_owned();
    web::secrets::judge_password(&password, admin).map_err(CliError::Password)?;
    data::create(&place.folder)?;
    let _lock = data::lock(&place.folder)?;
    let store = place.open().await?;
    if store.account_count().await? > 0 {
        return Err(CliError::SetUp);
    }
    let hash = web::secrets::hash_password(&password).ok_or(CliError::Random)?;
    let id = store.add_account(admin, "officer", &hash).await?;
    store.db().close().await;
    let said = say(
        &format!("アカウント{admin}を作りました。二つ目の要素は最初のサインインで登録します"),
        &format!("account {admin} made; the second factor is enrolled at the first sign-in"),
    );
    let done = serde_json::json!({"id": id, "login": admin, "role": "officer"});
    print(&shown::done(format, &said, &done));
    Ok(ExitCode::SUCCESS)
}

async fn status(place: &Place, format: Format, producers: bool) -> Result<ExitCode, CliError> {
    if producers {
        print_producers(format);
        return Ok(ExitCode::SUCCESS);
    }
    let lang = lang();
    let store = place.open_read_only().await?;
    let keeper = isms::Keeper::open(&store, &rooms::ROOMS).await?;
    let board = keeper.board(&store, store.now()).await?;
    if format == Format::Json {
        let mut json = isms::status::to_json(&board, lang);
        if let Some(told) = monitoring::work::spread::told(&place.folder) {
            json["nodes"] = told;
        }
        print(&format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default()));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = board.controls.iter().map(|control| status_row(control, lang)).collect();
    let columns: &[&str] = match format {
        Format::Csv => {
            &["id", "level", "level_by_slides", "target", "valid_until", "not_passing", "name"]
        }
        _ => &["id", "sign", "not_passing_of", "valid_until", "name"],
    };
    let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    print(&shown::rows(format, &columns, &rows));
    if format == Format::Table
        && let Some(waits) = evaluate::waits(&place.folder)
    {
        print(&format!("{waits}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows of the table and of CSV; JSON says more ([`isms::status::to_json`]).
fn status_row(control: &isms::Control, lang: Lang) -> serde_json::Value {
    let failing = control.verdicts.iter().filter(|v| v.status != model::Status::Pass).count();
    serde_json::json!({
        "id": control.spec.control,
        "sign": control.level.sign(),
        "level": control.level.name(),
        "level_by_slides": control.level_by_slides.name(),
        "target": control.target.name(),
        "valid_until": control.valid_until.map_or_else(|| "-".to_owned(), |t| t.rfc3339()),
        "not_passing": failing,
        "not_passing_of": format!("{failing}/{}", control.verdicts.len()),
        "name": control.spec.name.get(lang),
    })
}

fn print_producers(format: Format) {
    let criteria = rooms::ROOMS.into_iter().chain([&isms::SPEC]).flat_map(|room| room.criteria);
    let rows: Vec<_> = criteria
        .map(|criterion| {
            let producer = match criterion.producer {
                model::Producer::Exists(job) => job,
                model::Producer::NotYet => "not yet",
            };
            serde_json::json!({"criterion": criterion.id, "producer": producer})
        })
        .collect();
    print(&shown::rows(format, &["criterion", "producer"].map(str::to_owned), &rows));
}

/// Verifies the ledger of a place against its tables, be it beside a running server.
async fn verified(place: &Place) -> Result<ledger::Report, CliError> {
    let _bar = progress::Bar::open("証跡を検証しています", "verifying the ledger");
    let store = place.open_read_only().await?;
    let report = ledger::verify_all(&place.folder.join("ledger"), &store).await?;
    store.db().close().await;
    Ok(report)
}

/// Exit code of a verification: a payload that could not be opened was not verified.
fn outcome(report: &ledger::Report) -> ExitCode {
    match report {
        report if !report.faults.is_empty() => ExitCode::from(MISMATCH),
        report if report.unreadable > 0 => ExitCode::from(INCOMPLETE),
        _ => ExitCode::SUCCESS,
    }
}

async fn verify(place: &Place, format: Format) -> Result<ExitCode, CliError> {
    let mut report = verified(place).await?;
    // Before the first start nothing was moved into a ledger yet; had something been, its rows would
    // say where they stand in it.
    let is_begun = report.rows > report.pending || place.folder.join("ledger").exists();
    if !is_begun {
        report.faults.retain(|fault| !fault.place.starts_with("ledger/"));
    }
    print(&verify::report(&report, format));
    if !is_begun {
        eprintln!(
            "ume: {}",
            say(
                "証跡はまだ始まっていません。ume serveの最初の起動で作られます",
                "the ledger has not begun: the first `ume serve` makes it",
            )
        );
        let worse = if report.faults.is_empty() { INCOMPLETE } else { MISMATCH };
        return Ok(ExitCode::from(worse));
    }
    Ok(outcome(&report))
}
