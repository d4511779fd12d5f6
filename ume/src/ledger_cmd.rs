//! `ume ledger proof | publish | accept-fork | shred`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use ledger::Ledger;
use model::{Assurance, Id, Table};
use serde_json::json;
use store::{RecordDraft, Shredding, Store};

use crate::{CliError, DataFolder, data, personal, print, serve};

/// Who acts where a command is run on the machine itself.
const ACTOR: &str = "command line";

#[derive(clap::Subcommand)]
pub enum LedgerMore {
    /// Print the inclusion proof of a record (c2sp.org/tlog-proof), for `ume merkle check`
    Proof {
        #[command(flatten)]
        data: DataFolder,
        /// Id of the record
        #[arg(long, value_name = "ID")]
        record: Id,
        /// Write the leaf that is proved to this file
        #[arg(long, value_name = "FILE")]
        entry: Option<PathBuf>,
    },
    /// Publish the newest checkpoint to a file outside the data folder; a restored older backup is
    /// then found out
    Publish {
        #[command(flatten)]
        data: DataFolder,
        /// File to write, best on another machine's disk
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Give up the published end of the log after an old backup was restored
    AcceptFork {
        #[command(flatten)]
        data: DataFolder,
        /// Approved decision of kind `fork` whose `published_size` is the size given up
        #[arg(long, value_name = "ID")]
        decision: Id,
    },
    /// Shred payloads of records and personal fields of rows; the rest still proves
    Shred {
        #[command(flatten)]
        data: DataFolder,
        /// Record whose payload is shredded; may be given several times
        #[arg(long, value_name = "ID")]
        record: Vec<Id>,
        /// Row whose personal fields are shredded in all versions; may be given several times
        #[arg(long, value_name = "TABLE/ID", value_parser = row_name)]
        row: Vec<(Table, Id)>,
        /// Approved decision of kind `shred` that names them
        #[arg(long, value_name = "ID")]
        decision: Id,
    },
}

fn row_name(text: &str) -> Result<(Table, Id), String> {
    let wrong = || format!("{text:?} is not TABLE/ID, for example party/0198…");
    let (table, id) = text.split_once('/').ok_or_else(wrong)?;
    let table = Table::ALL.into_iter().find(|t| t.name() == table).ok_or_else(wrong)?;
    Ok((table, id.parse().map_err(|_| wrong())?))
}

pub async fn run(command: LedgerMore) -> Result<ExitCode, CliError> {
    match command {
        LedgerMore::Proof { data, record, entry } => {
            proof(&data::folder(data.path), record, entry.as_deref()).await
        }
        LedgerMore::Publish { data, to } => publish(&data::folder(data.path), &to).await,
        LedgerMore::AcceptFork { data, decision } => {
            accept_fork(&data::folder(data.path), decision).await
        }
        LedgerMore::Shred { data, record, row, decision } => {
            let what = Shredding { records: record, rows: row, decision: Some(decision) };
            shred(&data::folder(data.path), what).await
        }
    }
}

async fn proof(folder: &Path, id: Id, entry: Option<&Path>) -> Result<ExitCode, CliError> {
    let store = Store::open_read_only(data::existing(folder)?, store::system_clock()).await?;
    let record = store.record(id).await?.ok_or(CliError::NoRecord(id))?;
    let pending = CliError::Pending(id);
    let Some(index) = record.leaf_index else { return Err(pending) };
    let proof = ledger::read_proof(&folder.join("ledger"), index)?.ok_or(pending)?;
    if let Some(path) = entry {
        std::fs::write(path, store::record_leaf(&record)?)
            .map_err(|source| CliError::Io { path: path.to_owned(), source })?;
    }
    print(&proof.to_string());
    Ok(ExitCode::SUCCESS)
}

/// Store and ledger of a folder that no server holds.
struct Opened {
    store: Store,
    ledger: Ledger,
    _lock: std::fs::File,
}

impl Opened {
    async fn open(folder: &Path) -> Result<Opened, CliError> {
        let lock = data::lock(data::existing(folder)?)?;
        let store = Store::open(folder, store::system_clock()).await?;
        let store = store.with_personal(personal::kinds());
        let origin = serve::origin(&store).await?;
        let ledger = Ledger::open(&folder.join("ledger"), &origin)?;
        Ok(Opened { store, ledger, _lock: lock })
    }

    async fn close(mut self) -> Result<(), CliError> {
        while ledger::drain(&self.store, &mut self.ledger).await? > 0 {}
        self.ledger.checkpoint()?;
        self.store.db().close().await;
        Ok(())
    }
}

async fn publish(folder: &Path, sink: &Path) -> Result<ExitCode, CliError> {
    let mut open = Opened::open(folder).await?;
    while ledger::drain(&open.store, &mut open.ledger).await? > 0 {}
    let size = open.ledger.publish(sink)?.size();
    open.close().await?;
    print(&format!("{}: checkpoint of {size} leaves\n", sink.display()));
    Ok(ExitCode::SUCCESS)
}

async fn accept_fork(folder: &Path, decision: Id) -> Result<ExitCode, CliError> {
    let mut open = Opened::open(folder).await?;
    let Some(fork) = open.ledger.fork().cloned() else {
        print("nothing to accept: the log reaches everything that was published\n");
        return Ok(ExitCode::SUCCESS);
    };
    ledger::approved_fork(&open.store, decision, &fork).await?;
    let facts = json!({
        "decision": decision,
        "published_size": fork.published,
        "published_root": fork.root,
        "size": fork.log,
    });
    let mut write = open.store.write(ACTOR, "published end of the log given up", "").await?;
    let now = write.now();
    write
        .record(RecordDraft {
            ty: "isms.ledger_forked".to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "ume".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: None,
        })
        .await?;
    write.commit().await?;
    open.ledger.accept_fork(decision)?;
    open.close().await?;
    print(&format!(
        "given up: checkpoint of {} leaves at {}; the log goes on from {} leaves\n",
        fork.published,
        fork.place.display(),
        fork.log
    ));
    Ok(ExitCode::SUCCESS)
}

async fn shred(folder: &Path, what: Shredding) -> Result<ExitCode, CliError> {
    let open = Opened::open(folder).await?;
    let receipt = ledger::shred(&open.store, &what, ACTOR).await?;
    open.close().await?;
    print(&format!(
        "shredded: payloads of {} records, personal fields of {} rows, by decision {}\n",
        receipt.records, receipt.rows, receipt.decision
    ));
    Ok(ExitCode::SUCCESS)
}
