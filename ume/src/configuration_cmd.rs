//! `ume configuration …`: changes, drift and reviews of a data folder, while a server may run beside. It only reads:
//! what is asked for and signed goes through the pages and the API.

use clap::Subcommand;
use configuration::work::{
    changes::{self, verify},
    drift::{self, State, days::Clock},
    review,
};
use jiff::tz::TimeZone;
use model::Id;
use serde_json::{Value as Json, json};
use store::Store;

use crate::{
    CliError, ExitCode, print, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

/// Records of drift looked at.
const LOOKED_AT_MAX: usize = 5_000;

#[derive(Subcommand)]
pub enum ConfigurationCommand {
    /// Changes with their approval; exit 1 if one is void, or an emergency waits for its approval
    Changes {
        /// One change with what of it was seen
        #[arg(value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Drift and what becomes of it; exit 1 if some waits for a decision
    Drift {
        /// One difference with its values
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// How many days back
        #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=90))]
        days: u16,
        /// What waits for nobody as well
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Systems with the last review of their configuration; exit 1 if the present state of one was not reviewed
    Reviews {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: ConfigurationCommand) -> Result<ExitCode, CliError> {
    let data = match &command {
        ConfigurationCommand::Changes { data, .. }
        | ConfigurationCommand::Drift { data, .. }
        | ConfigurationCommand::Reviews { data, .. } => data,
    };
    let store = Settings::load(data)?.place.open_read_only().await?;
    let answer = match &command {
        ConfigurationCommand::Changes { id, shown, .. } => {
            list_changes(&store, id.as_deref(), shown).await
        }
        ConfigurationCommand::Drift { id, days, all, shown, .. } => {
            list_drift(&store, id.as_deref(), (*days, *all), shown).await
        }
        ConfigurationCommand::Reviews { shown, .. } => list_reviews(&store, shown).await,
    };
    store.db().close().await;
    answer
}

fn code(found: bool) -> ExitCode {
    if found { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

fn id_of(text: &str) -> Result<Id, CliError> {
    let wrong = || {
        CliError::Usage(say(
            &format!("{text}: IDではありません"),
            &format!("{text}: this is no id"),
        ))
    };
    text.parse().map_err(|_| wrong())
}

fn absent(text: &str) -> CliError {
    CliError::Usage(say(&format!("{text}: ありません"), &format!("{text}: there is no such thing")))
}

async fn list_changes(
    store: &Store,
    id: Option<&str>,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    if let Some(text) = id {
        let change = changes::one(store, id_of(text)?).await?.ok_or_else(|| absent(text))?;
        let mut document = change.document();
        let found = verify::now(store, &change).await?;
        document["verified"] = found.map_or(Json::Null, |found| found.document());
        print(&shown::one(shown.format, &document));
        return Ok(ExitCode::SUCCESS);
    }
    let all = changes::all(store).await?;
    let rows: Vec<Json> = all.iter().map(changes::Change::document).collect();
    let columns = ["id", "name", "type", "from", "to", "standing", "closed_at"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    let waits = |change: &changes::Change| {
        change.is_pending() || change.standing == changes::Standing::Void
    };
    Ok(code(all.iter().any(|change| change.closed.is_none() && waits(change))))
}

async fn list_drift(
    store: &Store,
    id: Option<&str>,
    (days, all): (u16, bool),
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let (now, zone) = (store.now(), TimeZone::system());
    let clock = Clock::at(now, &zone);
    if let Some(text) = id {
        let found = drift::by_ids(store, &[id_of(text)?]).await?;
        let plans = drift::plan::all(store).await?;
        let states = drift::states(&found, &plans, &clock);
        let one = found.first().zip(states.first()).ok_or_else(|| absent(text))?;
        print(&shown::one(shown.format, &drift::document(one.0, one.1, None)));
        return Ok(code(one.1.is_open()));
    }
    let from = now.minus_hours(24 * i64::from(days));
    let (found, is_cut) = drift::newest(store, &clock, from, LOOKED_AT_MAX).await?;
    let hosts: Vec<Id> = found.iter().filter_map(|(drift, _)| drift.host()).collect();
    let names = drift::host_names(store, &hosts).await?;
    let wanted = found.iter().filter(|(_, state)| all || state.is_open());
    let rows: Vec<Json> = wanted
        .map(|(drift, state)| {
            json!({
                "id": drift.record.id,
                "at": drift.record.observed_to.rfc3339(),
                "host": drift.host().and_then(|id| names.get(&id)),
                "key": drift.fact("key"),
                "class": drift.fact("class"),
                "state": state.name(),
                "working_days": drift::settle::waited(drift, &clock),
            })
        })
        .collect();
    let columns = ["id", "at", "host", "key", "class", "state", "working_days"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    let is_open = found.iter().any(|(_, state): &(_, State)| state.is_open());
    // Of what was not looked at nothing is known.
    Ok(if is_cut { ExitCode::from(3) } else { code(is_open) })
}

async fn list_reviews(store: &Store, shown: &Shown) -> Result<ExitCode, CliError> {
    let mut rows = Vec::new();
    let mut is_old = false;
    for (row, last) in review::systems(store).await? {
        let Some(state) = review::of(store, row.id).await? else { continue };
        is_old |= !state.is_reviewed();
        rows.push(json!({
            "id": row.id,
            "name": row.name,
            "hosts": state.hosts.len(),
            "reviewed_at": last.map(|record| record.observed_to.rfc3339()),
            "is_current": state.is_reviewed(),
            "findings": state.findings(),
            "state": state.hash,
        }));
    }
    let columns = ["id", "name", "hosts", "reviewed_at", "is_current", "findings"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    Ok(code(is_old))
}
