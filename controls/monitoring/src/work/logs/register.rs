//! What the register says of sources: which there are, how often they speak, how long they may be quiet.

use model::{Id, Table};
use room::Error;
use serde_json::Value as Json;
use steady::SECOND;
use store::{Row, Store};

use super::sources::{Expected, Quiet};

fn text(row: &Row, name: &str) -> String {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_owned()
}

/// How grave it is, in the words of findings.
fn severity(said: &str) -> &'static str {
    let known = ["informational", "low", "medium", "high", "critical"];
    known.into_iter().find(|word| *word == said).unwrap_or("medium")
}

/// What the register says of sources.
pub async fn expected(store: &Store) -> Result<Vec<Expected>, Error> {
    let rows = store.all(Table::Asset, &["log_source"]).await?;
    let active: Vec<&Row> = rows.iter().filter(|row| row.status == "active").collect();
    let asset = |row: &Row| row.attributes.get("asset")?.as_str()?.parse::<Id>().ok();
    let hosts: Vec<Id> = active.iter().filter_map(|row| asset(row)).collect();
    let hosts = store.rows_by_id(Table::Asset, &hosts).await?;
    let one = |row: &&Row| {
        let host = asset(row).and_then(|id| hosts.iter().find(|host| host.id == id));
        let names = host.into_iter().flat_map(|host| [host.name.clone(), text(host, "hostname")]);
        Expected {
            id: row.id,
            name: row.name.clone(),
            class: text(row, "source_class"),
            hosts: names.filter(|name| !name.is_empty()).map(|name| name.to_lowercase()).collect(),
            address: text(row, "address"),
            cadence_s: row.attributes.get("cadence_s").and_then(Json::as_i64),
            severity: severity(&text(row, "criticality")),
            since: row.created_at.0,
            asset: asset(row),
        }
    };
    Ok(active.iter().map(one).collect())
}

/// Rules that say how long a source may be quiet.
pub async fn quiet(store: &Store) -> Result<Vec<Quiet>, Error> {
    let rows = store.all(Table::Rule, &["silence"]).await?;
    let one = |row: &Row| {
        let seconds = row.attributes.get("quiet_s").and_then(Json::as_i64).filter(|s| *s > 0)?;
        Some(Quiet {
            selector: text(row, "source_selector"),
            quiet: seconds.saturating_mul(SECOND),
            severity: severity(&text(row, "level")),
            is_for_work: row.attributes.get("calendar").and_then(Json::as_bool).unwrap_or(false),
        })
    };
    Ok(rows.iter().filter(|row| row.status == "active").filter_map(one).collect())
}
