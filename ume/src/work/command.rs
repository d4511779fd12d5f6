//! `ume work`: lists the jobs and runs one by hand.

use std::{process::ExitCode, sync::Arc, time::Duration};

use room::{Ctx, Job, Schedule};
use serde_json::json;
use store::{JobRow, Store};

use crate::{
    CliError, Format, data,
    jobs_page::{duration_ms, state},
    print,
    rooms::ROOMS,
    serve,
    settings::{DataFolder, Settings},
    shown,
};

const WAIT: Duration = Duration::from_secs(900);

#[derive(clap::Subcommand)]
pub enum WorkCommand {
    /// List the jobs: last and next run, duration, outcome
    List {
        #[command(flatten)]
        data: DataFolder,
        /// Output format
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Run a job now: in the running server, else in this process; exit 2 if it fails
    Run {
        /// Name as `ume work list` prints it
        name: String,
        #[command(flatten)]
        data: DataFolder,
    },
}

impl WorkCommand {
    /// Where the data are.
    pub fn data(&self) -> &DataFolder {
        match self {
            WorkCommand::List { data, .. } | WorkCommand::Run { data, .. } => data,
        }
    }
}

pub async fn run(command: WorkCommand, settings: &Settings) -> Result<ExitCode, CliError> {
    match command {
        WorkCommand::List { format, .. } => list(settings, format).await,
        WorkCommand::Run { name, .. } => run_now(settings, &name).await,
    }
}

async fn list(settings: &Settings, format: Format) -> Result<ExitCode, CliError> {
    let store = settings.place.open_read_only().await?;
    let (rows, now) = (store.jobs().await?, store.now());
    store.db().close().await;
    let time = |t: Option<model::Timestamp>| t.map_or_else(|| "-".to_owned(), |t| t.rfc3339());
    if format != Format::Table {
        let all: Vec<_> = rows.iter().map(|row| to_json(row, now)).collect();
        let columns = ["name", "state", "last", "next", "duration_ms", "error"];
        print(&shown::rows(format, &columns.map(str::to_owned), &all));
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = String::new();
    for row in &rows {
        let (last, next) = (time(row.last_started), row.next_due.rfc3339());
        let ms = duration_ms(row).map_or_else(|| "-".to_owned(), |n| n.to_string());
        let (name, state) = (&row.name, state(row, now));
        let error = row.last_error.as_deref().unwrap_or("");
        let said = if error.is_empty() { row.last_result.as_deref().unwrap_or("") } else { error };
        out.push_str(&format!("{name:<32} {state:<8} {last:<28} {next:<28} {ms:>7} ms  {said}\n"));
    }
    print(&out);
    Ok(ExitCode::SUCCESS)
}

fn to_json(row: &JobRow, now: model::Timestamp) -> serde_json::Value {
    let result = row.last_result.as_deref().and_then(|r| serde_json::from_str(r).ok());
    json!({
        "name": row.name,
        "state": state(row, now),
        "last": row.last_started.map(|t| t.rfc3339()),
        "next": row.next_due.rfc3339(),
        "duration_ms": duration_ms(row),
        "result": result.unwrap_or(serde_json::Value::Null),
        "error": row.last_error,
    })
}

/// The job of this name, with or without the machine behind `@`.
fn find(name: &str) -> Option<Job> {
    super::jobs(None).into_iter().find(|job| job.name == name || job.row() == name)
}

async fn run_now(settings: &Settings, name: &str) -> Result<ExitCode, CliError> {
    let job = find(name).ok_or_else(|| CliError::NoJob(name.to_owned()))?;
    data::existing_place(&settings.place)?;
    match data::lock(&settings.place.folder) {
        Err(CliError::InUse(_)) => {
            let store = settings.place.open_current().await?;
            let asked = store.now();
            store.job_declare(&job.row()).await?;
            store.job_ask(&job.row()).await?;
            let folder = &settings.place.folder;
            tokio::select! {
                ended = wait(&store, &job, asked) => ended,
                () = server_gone(folder) => Err(CliError::Gone(job.row())),
            }
        }
        Err(error) => Err(error),
        Ok(_lock) => run_here(settings, job).await,
    }
}

/// Returns when no server holds the folder any more.
async fn server_gone(folder: &std::path::Path) {
    while data::lock(folder).is_err() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Runs it in this process; no server has the folder.
async fn run_here(settings: &Settings, job: Job) -> Result<ExitCode, CliError> {
    let opened = serve::open(settings).await?;
    let archive = settings.place.folder.join("stream");
    let demo = web::demo::is_demo(&opened.store).await?;
    let house = web::House::new(opened.store, opened.ledger, archive, ROOMS.to_vec(), &isms::SPEC);
    let house = Arc::new(web::House { demo, ..house });
    let advisories = house.kept.get::<configuration::impact::settings::Configured>();
    advisories.configure(&settings.place.folder, &settings.config.configuration);
    let feeds = house.kept.get::<threat_intelligence::work::settings::Configured>();
    feeds.configure(&settings.config.threat_intelligence);
    let ctx = Arc::new(Ctx { house: house.clone(), stream: opened.stream });
    let asked = house.store.now();
    let schedule = Schedule::new(ctx, vec![job.clone()], serve::random()?);
    schedule.declare().await?;
    house.store.job_ask(&job.row()).await?;
    for run in schedule.look().await? {
        run.await.map_err(|e| CliError::Worker(e.to_string()))?;
    }
    let code = wait(&house.store, &job, asked).await;
    let mut ledger = house.ledger.lock().await;
    serve::settle(&house.store, &mut ledger).await?;
    house.store.db().close().await;
    code
}

/// Waits for the end of a run that began after `asked`, and says how it ended.
async fn wait(store: &Store, job: &Job, asked: model::Timestamp) -> Result<ExitCode, CliError> {
    let (name, end) = (job.row(), tokio::time::Instant::now() + WAIT);
    while tokio::time::Instant::now() < end {
        if let Some(row) = store.job(&name).await?
            && row.last_started.is_some_and(|t| t >= asked)
            && row.last_ended >= row.last_started
        {
            return match row.last_error {
                Some(error) => Err(CliError::Job(name, error)),
                None => {
                    let ms = duration_ms(&row).unwrap_or(0);
                    let result = row.last_result.unwrap_or_default();
                    print(&format!("{name}: {ms} ms  {result}\n"));
                    Ok(ExitCode::SUCCESS)
                }
            };
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(CliError::Slow(name, WAIT.as_secs()))
}
