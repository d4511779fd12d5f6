//! `ume ledger proof | publish | witness | tsa | log | accept-fork | shred`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use model::{Id, Table};
use serde_json::json;
use web::api::local::{self, Act};

use crate::{
    CliError, Format,
    door::Door,
    outside_cmd::{self, LogCommand, TsaCommand, WitnessCommand},
    place::Place,
    print,
    settings::DataFolder,
    shown::{self, Shown},
};

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
        #[command(flatten)]
        shown: Shown,
    },
    /// Publish the newest checkpoint to a file outside the data folder; a restored older backup is
    /// then found out
    Publish {
        #[command(flatten)]
        data: DataFolder,
        /// File to write, best on another machine's disk
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        shown: Shown,
    },
    /// Witnesses that cosign the checkpoints of this ledger
    Witness {
        #[command(subcommand)]
        command: WitnessCommand,
    },
    /// Authorities that time-stamp the checkpoints of this ledger
    Tsa {
        #[command(subcommand)]
        command: TsaCommand,
    },
    /// Logs of others whose checkpoints are cosigned here
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Give up the published end of the log after an old backup was restored
    AcceptFork {
        #[command(flatten)]
        data: DataFolder,
        /// Approved decision of kind `fork` whose `published_size` is the size given up
        #[arg(long, value_name = "ID")]
        decision: Id,
        #[command(flatten)]
        shown: Shown,
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
        #[command(flatten)]
        shown: Shown,
    },
}

fn row_name(text: &str) -> Result<(Table, Id), String> {
    local::row_name(text).ok_or_else(|| {
        let ja = format!("{text:?}は「表/番号」ではありません。例: party/0198…");
        crate::say(&ja, &format!("{text:?} is not TABLE/ID, for example party/0198…"))
    })
}

pub async fn run(command: LedgerMore) -> Result<ExitCode, CliError> {
    let text = match command {
        LedgerMore::Witness { command } => outside_cmd::witness(command).await?,
        LedgerMore::Tsa { command } => outside_cmd::tsa(command).await?,
        LedgerMore::Log { command } => outside_cmd::log(command).await?,
        LedgerMore::Proof { data, record, entry, shown } => {
            proof(&Place::of(&data)?, record, entry.as_deref(), shown.format).await?
        }
        LedgerMore::Publish { data, to, shown } => {
            // The server has another working folder than the command.
            let to = std::path::absolute(&to)
                .map_err(|source| CliError::Io { path: to.clone(), source })?;
            let done = Door::act(&data, Act::LedgerPublish { to: to.clone() }).await?;
            let (to, size) = (to.display(), &done["size"]);
            let ja = format!("{to}: 証跡{size}件のチェックポイント");
            let said = crate::say(&ja, &format!("{to}: checkpoint of {size} leaves"));
            shown::done(shown.format, &said, &done)
        }
        LedgerMore::AcceptFork { data, decision, shown } => {
            let done = Door::act(&data, Act::LedgerAcceptFork { decision }).await?;
            shown::done(shown.format, &forked(&done), &done)
        }
        LedgerMore::Shred { data, record, row, decision, shown } => {
            let rows = row.iter().map(|(table, id)| format!("{}/{id}", table.name())).collect();
            let act = Act::LedgerShred { records: record, rows, decision };
            let done = Door::act(&data, act).await?;
            let (records, rows) = (&done["records"], &done["rows"]);
            let said = crate::say(
                &format!(
                    "シュレッドしました: 記録{records}件のペイロード、{rows}行の個人項目、決定{decision}"
                ),
                &format!(
                    "shredded: payloads of {records} records, personal fields of {rows} rows, by decision {decision}"
                ),
            );
            shown::done(shown.format, &said, &done)
        }
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Prints the newest signed checkpoint, or the newest that witnesses have cosigned.
pub fn checkpoint(place: &Place, cosigned: bool, format: Format) -> Result<ExitCode, CliError> {
    crate::data::existing_place(place)?;
    let folder = place.folder.join("ledger");
    let text = if cosigned {
        ledger::newest_cosigned(&folder)?.ok_or(CliError::NotCosigned)?.to_string()
    } else {
        let path = folder.join("checkpoint");
        std::fs::read_to_string(&path).map_err(|source| CliError::Io { path, source })?
    };
    // Origin, size and root are the first three lines of a signed checkpoint (c2sp.org/tlog-checkpoint).
    let mut lines = text.lines();
    let (origin, size, root) = (lines.next(), lines.next(), lines.next());
    let size = size.and_then(|size| size.parse::<u64>().ok());
    let members = json!({"origin": origin, "size": size, "root": root, "checkpoint": text});
    match format {
        Format::Table => print(&text),
        format => print(&shown::one(format, &members)),
    }
    Ok(ExitCode::SUCCESS)
}

fn forked(done: &serde_json::Value) -> String {
    let (fork, size, place) = (&done["fork"], &done["size"], shown::text(&done["place"]));
    if fork.is_null() {
        let ja = "受け入れるものはありません。証跡は公開済みのチェックポイントに届いています";
        return crate::say(ja, "nothing to accept: the log reaches everything that was published");
    }
    crate::say(
        &format!("{place}の証跡{fork}件のチェックポイントを破棄し、{size}件から続けます"),
        &format!(
            "given up: checkpoint of {fork} leaves at {place}; the log goes on from {size} leaves"
        ),
    )
}

async fn proof(
    place: &Place,
    id: Id,
    entry: Option<&Path>,
    format: Format,
) -> Result<String, CliError> {
    let store = place.open_read_only().await?;
    let record = store.record(id).await?.ok_or(CliError::NoRecord(id))?;
    let pending = CliError::Pending(id);
    let Some(index) = record.leaf_index else { return Err(pending) };
    let proof = ledger::read_proof(&place.folder.join("ledger"), index)?.ok_or(pending)?;
    if let Some(path) = entry {
        std::fs::write(path, store::record_leaf(&record)?)
            .map_err(|source| CliError::Io { path: path.to_owned(), source })?;
    }
    let proof = proof.to_string();
    Ok(match format {
        // As c2sp.org/tlog-proof writes it, so that other programs read it as it is.
        Format::Table => proof,
        format => shown::one(format, &json!({"record": id, "index": index, "proof": proof})),
    })
}
