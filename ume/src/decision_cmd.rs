//! `ume decision`: the register of decisions, and the verification of one by its own signatures.

use std::{collections::HashMap, process::ExitCode};

use model::{Id, Table};
use serde_json::{Value as Json, json};
use store::{Row, Store};
use web::decide::{self, Flaw, Signature};

use crate::{
    CliError, Format, INCOMPLETE, MISMATCH, place::Place, print, registers::RegisterCommand,
    settings::DataFolder, shown,
};

/// What can be done with decisions.
#[derive(clap::Subcommand)]
pub enum DecisionCommand {
    #[command(flatten)]
    Register(RegisterCommand),
    /// Verify the signatures of a decision from what the folder holds, asking nobody
    ///
    /// Rebuilds the signed hash from the subject's version, the statement and the nonce, and verifies
    /// each passkey's signature over it. Exit 1 where something does not fit; 3 where it holds no
    /// signatures, or its subject's version is gone.
    Verify {
        #[command(flatten)]
        data: DataFolder,
        id: String,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
}

/// Runs `ume decision`.
pub async fn run(command: DecisionCommand) -> Result<ExitCode, CliError> {
    match command {
        DecisionCommand::Register(command) => crate::registers::run(Table::Decision, command).await,
        DecisionCommand::Verify { data, id, format } => verify(&data, &id, format).await,
    }
}

async fn verify(data: &DataFolder, id: &str, format: Format) -> Result<ExitCode, CliError> {
    let store = Place::of(data)?.open_read_only().await?;
    let unknown = || {
        let ja = format!("{id:?}という決定はありません");
        CliError::Usage(crate::say(&ja, &format!("there is no decision {id:?}")))
    };
    let key: Id = id.parse().map_err(|_| unknown())?;
    let row = store.row(Table::Decision, key).await?.ok_or_else(unknown)?;
    let contents = contents(&store, &row).await?;
    let flaws = decide::flaws(&row, |hash| contents.get(hash).map(String::as_str));
    let signatures = decide::signatures(&row);
    let mut lines = Vec::new();
    for signature in &signatures {
        lines.push(line(&store, signature).await?);
    }
    print(&report(&row, &lines, &flaws, format));
    Ok(match flaws.iter().find(|flaw| !open(flaw)) {
        Some(_) => ExitCode::from(MISMATCH),
        None if flaws.is_empty() => ExitCode::SUCCESS,
        None => ExitCode::from(INCOMPLETE),
    })
}

/// What could not be looked at, other than what was found wrong.
fn open(flaw: &Flaw) -> bool {
    matches!(flaw, Flaw::None | Flaw::NoSubject(_))
}

/// The versions of the subject that are still here, by their hashes.
async fn contents(store: &Store, row: &Row) -> Result<HashMap<String, String>, CliError> {
    let table = row.attributes.get("subject_table").and_then(Json::as_str).and_then(Table::parse);
    let Some((table, subject)) = table.zip(row.subject) else { return Ok(HashMap::new()) };
    let mut found = HashMap::new();
    for version in store.history(table, subject).await? {
        found.insert(version.content_hash()?, version.content()?);
    }
    Ok(found)
}

/// One signature, and whether its passkey is still registered for the signer.
async fn line(store: &Store, signature: &Signature) -> Result<Json, CliError> {
    let statement = &signature.statement;
    let registered = match (&signature.assertion, statement.signer.account.parse::<Id>()) {
        (Some(evidence), Ok(account)) => {
            let known = store.passkeys(account).await?;
            let keys = known.iter().filter_map(|row| serde_json::from_str(&row.credential).ok());
            Json::Bool(
                keys.filter_map(|kept: Json| decide::public_key(&kept))
                    .any(|key| evidence.is_by(&key)),
            )
        }
        _ => Json::Null,
    };
    let algorithm = signature.assertion.as_ref().map(|evidence| evidence.algorithm.clone());
    Ok(json!({
        "by": statement.signers(), "at": statement.at, "outcome": statement.outcome,
        "method": signature.method, "algorithm": algorithm, "registered": registered,
        "origin": signature.assertion.as_ref().map(|evidence| &evidence.origin),
        "hash": signature.hash,
    }))
}

fn report(row: &Row, lines: &[Json], flaws: &[Flaw], format: Format) -> String {
    let found: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
    if format == Format::Json {
        let all = json!({"id": row.id, "status": row.status, "signatures": lines, "flaws": found});
        return format!("{}\n", serde_json::to_string_pretty(&all).unwrap_or_default());
    }
    let columns = ["by", "at", "outcome", "method", "algorithm", "registered", "origin", "hash"];
    let mut out = shown::rows(format, &columns.map(str::to_owned), lines);
    if format == Format::Table {
        found.iter().for_each(|flaw| out.push_str(&format!("{flaw}\n")));
        let (signatures, wrong) = (lines.len(), found.len());
        out.push_str(&crate::say(
            &format!("署名{signatures}件: 不備{wrong}件\n"),
            &format!("{signatures} signatures: {wrong} flaws\n"),
        ));
    }
    out
}
