//! `ume db`: moves everything between SQLite and PostgreSQL, and compares two databases.

use std::{path::Path, process::ExitCode};

use store::Store;

use crate::{CliError, MISMATCH, data, print};

#[derive(clap::Subcommand)]
pub enum DbCommand {
    /// Copy a whole database into an empty one, and hold both against each other
    ///
    /// An address is sqlite:PATH (the file, or the folder with ume.db) or postgres://… . Give the
    /// password of PostgreSQL in PGPASSWORD or ~/.pgpass rather than in the address. Events and the
    /// ledger are files of the data folder and stay where they are.
    Move {
        /// Database to copy; it stays as it is
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// Empty database to write
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
    /// Compare two databases table by table; exit 1 where they differ
    Check {
        /// The one database
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// The other
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
}

pub async fn run(command: DbCommand) -> Result<ExitCode, CliError> {
    match command {
        DbCommand::Move { from, to } => transfer(&from, &to).await,
        DbCommand::Check { from, to } => check(&from, &to).await,
    }
}

/// No server may write to a SQLite file while it is moved.
fn lock(address: &str) -> Result<Option<std::fs::File>, CliError> {
    let Some(path) = store::sqlite_path(address) else { return Ok(None) };
    let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
    data::lock(folder).map(Some)
}

/// Opens for reading; a file that is not there is named.
async fn open(address: &str) -> Result<Store, CliError> {
    if let Some(path) = store::sqlite_path(address).filter(|path| !path.exists()) {
        return Err(CliError::Io { path, source: std::io::ErrorKind::NotFound.into() });
    }
    Ok(Store::at(address, false, store::system_clock()).await?)
}

async fn transfer(from: &str, to: &str) -> Result<ExitCode, CliError> {
    let source = open(from).await?;
    let _source = lock(from)?;
    let same_folder = store::sqlite_path(from).map(|p| p.parent().map(Path::to_owned))
        == store::sqlite_path(to).map(|p| p.parent().map(Path::to_owned));
    let _target = if same_folder { None } else { lock(to)? };
    let target = Store::at(to, true, store::system_clock()).await?;
    let moved = store::transfer(source.db(), target.db()).await;
    source.db().close().await;
    target.db().close().await;
    let moved = moved?;
    let mut out = String::new();
    for sum in &moved.tables {
        out.push_str(&format!("{:<18} {:>9}  {}\n", sum.table, sum.rows, sum.sha256));
    }
    out.push_str(&format!("{} rows moved, equal hash by hash\n", moved.rows()));
    print(&out);
    Ok(ExitCode::SUCCESS)
}

async fn check(from: &str, to: &str) -> Result<ExitCode, CliError> {
    let (a, b) = (open(from).await?, open(to).await?);
    let pairs = store::compare(a.db(), b.db()).await?;
    let (mut out, mut differing) = (String::new(), 0);
    for (a, b) in &pairs {
        let same = a == b;
        differing += usize::from(!same);
        let word = if same { "equal" } else { "DIFFERS" };
        out.push_str(&format!("{:<18} {:>9} {:>9}  {word}\n", a.table, a.rows, b.rows));
    }
    out.push_str(&format!("{} tables: {differing} differ\n", pairs.len()));
    print(&out);
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}
