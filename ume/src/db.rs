//! `ume db`: moves everything between SQLite and PostgreSQL, compares two databases, and makes the
//! search index anew.

use std::{path::Path, process::ExitCode};

use serde_json::json;
use store::Store;
use web::api::local::Act;

use crate::{
    CliError, Format, MISMATCH, data,
    door::Door,
    print,
    progress::Bar,
    settings::DataFolder,
    shown::{self, Shown},
};

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
        #[command(flatten)]
        shown: Shown,
    },
    /// Compare two databases table by table; exit 1 where they differ
    Check {
        /// The one database
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// The other
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make the search index of every row anew, which no other data depend on; the server may run
    Reindex {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: DbCommand) -> Result<ExitCode, CliError> {
    match command {
        DbCommand::Move { from, to, shown } => transfer(&from, &to, shown.format).await,
        DbCommand::Check { from, to, shown } => check(&from, &to, shown.format).await,
        DbCommand::Reindex { data, shown } => {
            let bar = Bar::open("索引を作り直しています", "making the index anew");
            let done = Door::act(&data, Act::Reindex {}).await?;
            drop(bar);
            let rows = &done["rows"];
            let ja = format!("{rows}行の検索索引を作り直しました");
            let said = crate::say(&ja, &format!("search index of {rows} rows made anew"));
            print(&shown::done(shown.format, &said, &done));
            Ok(ExitCode::SUCCESS)
        }
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

async fn transfer(from: &str, to: &str, format: Format) -> Result<ExitCode, CliError> {
    let source = open(from).await?;
    let _source = lock(from)?;
    let same_folder = store::sqlite_path(from).map(|p| p.parent().map(Path::to_owned))
        == store::sqlite_path(to).map(|p| p.parent().map(Path::to_owned));
    let _target = if same_folder { None } else { lock(to)? };
    let target = Store::at(to, true, store::system_clock()).await?;
    let bar = Bar::open("データベースを移しています", "moving the database");
    let moved = store::transfer(source.db(), target.db()).await;
    source.db().close().await;
    target.db().close().await;
    drop(bar);
    let moved = moved?;
    let rows: Vec<_> = moved
        .tables
        .iter()
        .map(|sum| json!({"table": sum.table, "rows": sum.rows, "sha256": sum.sha256}))
        .collect();
    let columns = ["table", "rows", "sha256"];
    print(&shown::rows(format, &columns.map(str::to_owned), &rows));
    if format == Format::Table {
        let rows = moved.rows();
        let ja = format!("{rows}行を移しました。ハッシュはすべて一致しています\n");
        print(&crate::say(&ja, &format!("{rows} rows moved, equal hash by hash\n")));
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(from: &str, to: &str, format: Format) -> Result<ExitCode, CliError> {
    let (a, b) = (open(from).await?, open(to).await?);
    let bar = Bar::open("データベースを比べています", "comparing the databases");
    let pairs = store::compare(a.db(), b.db()).await?;
    drop(bar);
    let differing = pairs.iter().filter(|(a, b)| a != b).count();
    let rows: Vec<_> = pairs
        .iter()
        .map(|(a, b)| {
            let result = if a == b { "equal" } else { "DIFFERS" };
            json!({"table": a.table, "from_rows": a.rows, "to_rows": b.rows, "result": result})
        })
        .collect();
    let columns = ["table", "from_rows", "to_rows", "result"];
    print(&shown::rows(format, &columns.map(str::to_owned), &rows));
    if format == Format::Table {
        let tables = pairs.len();
        let ja = format!("{tables}表のうち{differing}表が異なります\n");
        print(&crate::say(&ja, &format!("{tables} tables: {differing} differ\n")));
    }
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}
