//! `ume ti order …`: orders are listed and closed; to give one, an executive signs on the page.

use clap::Subcommand;
use serde_json::{Value as Json, json};
use threat_intelligence::work::executive::{
    self,
    orders::{self, CloseError},
};

use super::brief::{absent, id_of};
use crate::{
    CliError, ExitCode,
    door::{self, Door},
    local, print,
    registers::At,
    say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

const PATH: &str = "/api/v1/threat_intelligence/orders";
const PAGE: &str = "/intelligence/orders";

#[derive(Subcommand)]
pub enum OrderCommand {
    /// Orders, open ones first; exit 1 if one is overdue
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Prepare an order: prints the address at which an executive signs it
    Give {
        /// What is ordered
        #[arg(value_name = "TEXT")]
        text: String,
        /// Day by which it is to be done
        #[arg(long, value_name = "YYYY-MM-DD")]
        due: String,
        /// Address of the server, as browsers reach it
        #[arg(long, value_name = "URL", default_value = "")]
        origin: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Close an order by the record of the deed, or by a decision
    Close {
        /// Id of the order, as the list shows it
        #[arg(value_name = "ID")]
        id: String,
        /// Id of the record or decision that shows it
        #[arg(long, value_name = "ID")]
        proof: String,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: OrderCommand) -> Result<ExitCode, CliError> {
    match command {
        OrderCommand::List { data, shown } => list(&data, &shown).await,
        OrderCommand::Give { text, due, origin, shown } => give(&text, &due, &origin, &shown),
        OrderCommand::Close { id, proof, at, shown } => close(&id, &proof, at, &shown).await,
    }
}

async fn list(data: &DataFolder, shown: &Shown) -> Result<ExitCode, CliError> {
    let store = Settings::load(data)?.place.open_read_only().await?;
    let (_, zone) = executive::organisation(&store).await?;
    let all = orders::all(&store, &zone).await?;
    let owners = orders::owners(&store, &all).await?;
    let now = store.now();
    store.db().close().await;
    let owner = |given: &orders::Given| given.owner.and_then(|id| owners.get(&id));
    let rows: Vec<Json> =
        all.iter().map(|given| orders::document(given, owner(given), now)).collect();
    let columns = ["id", "order", "assignee_name", "due", "state", "days_late", "proof"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    let is_late = all.iter().any(|given| given.days_late(now).is_some());
    Ok(if is_late { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn give(text: &str, due: &str, origin: &str, shown: &Shown) -> Result<ExitCode, CliError> {
    let day: Result<jiff::civil::Date, _> = due.parse();
    if day.is_err() || text.trim().is_empty() || text.chars().count() > orders::ORDER_CHARS_MAX {
        return Err(CliError::Usage(say(
            "指示の内容と、2026-01-31 の形の期限を指定してください",
            "give a text, and a due day such as 2026-01-31",
        )));
    }
    let query = door::query(&[("order", Some(text.to_owned())), ("due", Some(due.to_owned()))]);
    let address = format!("{}{PAGE}{query}", origin.trim_end_matches('/'));
    print(&shown::done(shown.format, &address, &json!({ "address": address })));
    Ok(ExitCode::SUCCESS)
}

async fn close(id: &str, proof: &str, at: At, shown: &Shown) -> Result<ExitCode, CliError> {
    let id = id_of(id)?;
    let document = match Door::writing(at).await? {
        Door::Server(server) => {
            server.post(&format!("{PATH}/{id}/close"), &json!({ "proof": proof })).await?
        }
        Door::Folder(folder) => {
            let store = folder.store();
            let (_, zone) = executive::organisation(store).await?;
            let all = orders::all(store, &zone).await?;
            let given = all.iter().find(|given| given.decision.id == id);
            let given = given.ok_or_else(|| absent(&id.to_string()))?;
            let proof = orders::proof(store, given, proof).await.map_err(failed)?;
            let actor = local::user().actor();
            let write = store.write(&actor, "an order is carried out", "command line").await?;
            let record = orders::close(store, write, given, &proof).await.map_err(failed)?;
            folder.close().await?;
            json!({ "record": record.id, "order": id, "in_time": record.facts.get("in_time") })
        }
    };
    let said = say("指示を完了にしました", "the order is closed");
    print(&shown::done(shown.format, &said, &document));
    Ok(ExitCode::SUCCESS)
}

fn failed(error: CloseError) -> CliError {
    match error {
        CloseError::Store(error) => error.into(),
        other => CliError::Usage(other.to_string()),
    }
}
