//! What `ume ti triage` and `ume ti vulnerability` say.

use model::{Id, Table};
use serde_json::{Value as Json, json};
use store::{Row, Store};
use threat_intelligence::work::{
    inbox::ITEM,
    news::{
        exposure::{Exposure, Impact},
        shelf::Known,
        vulnerabilities::KIND,
    },
    relevance::{Hit, hits},
};

use crate::{
    CliError, ExitCode, print, say,
    shown::{self, Shown},
};

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn words(item: &Row) -> Vec<&'static str> {
    hits(item).into_iter().map(Hit::as_str).collect()
}

pub async fn list(store: &Store, all: bool, shown: &Shown) -> Result<ExitCode, CliError> {
    let mut items = store.all(Table::Asset, &[ITEM]).await?;
    items.retain(|item| !item.deleted && (all || text(item, "verdict").is_empty()));
    items.sort_by_key(|item| (words(item).is_empty(), item.created_at, item.id));
    let one = |item: &Row| {
        json!({
            "id": item.id,
            "name": item.name,
            "received": text(item, "received"),
            "tlp": text(item, "tlp"),
            "verdict": text(item, "verdict"),
            "hits": words(item).join(", "),
        })
    };
    let rows: Vec<Json> = items.iter().map(one).collect();
    let columns = ["id", "name", "received", "tlp", "verdict", "hits"].map(str::to_owned);
    print(&shown::rows(shown.format, &columns, &rows));
    let waits = items.iter().any(|item| text(item, "verdict").is_empty());
    Ok(if waits { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

pub async fn show(store: &Store, id: &str, shown: &Shown) -> Result<ExitCode, CliError> {
    let absent = || {
        CliError::Usage(say(&format!("{id}: ありません"), &format!("{id}: there is no such item")))
    };
    let id: Id = id.parse().map_err(|_| absent())?;
    let item = store.row(Table::Asset, id).await?;
    let item = item.filter(|row| row.kind == ITEM && !row.deleted).ok_or_else(absent)?;
    let member = |name: &str| item.attributes.get(name).cloned().unwrap_or_default();
    let document = json!({
        "id": item.id,
        "name": item.name,
        "received": member("received"),
        "tlp": member("tlp"),
        "verdict": member("verdict"),
        "link": member("link"),
        "hits": words(&item),
        "reasons": member("reasons"),
        "affected": member("affected"),
        "vulnerabilities": member("vulnerabilities"),
        "products": member("products"),
        "indicators": member("indicators"),
    });
    print(&shown::one(shown.format, &document));
    Ok(ExitCode::SUCCESS)
}

pub async fn vulnerability(
    store: &Store,
    cve: &str,
    known: &Known,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let failed = |error: room::Error| CliError::Worker(error.to_string());
    let impact = Impact::load(store).await.map_err(failed)?;
    let exposure = Exposure::load(store).await?;
    let weakness = impact.of(cve);
    let assets: Vec<Id> =
        weakness.into_iter().flat_map(|one| one.assets.iter().map(|asset| asset.asset)).collect();
    let names: Vec<&String> = assets.iter().filter_map(|id| exposure.names.get(id)).collect();
    let row = match store.row_with(Table::Asset, KIND, "cve", cve).await? {
        Some(id) => store.row(Table::Asset, id).await?.filter(|row| !row.deleted),
        None => None,
    };
    if row.is_none() && weakness.is_none() && *known == Known::default() {
        return Err(CliError::Usage(say(
            &format!(
                "{cve}: 何も分かっていません。番号を確かめるか、KEV・EPSSの入手先を登録してください"
            ),
            &format!(
                "{cve}: nothing is known of it; check the number, or enter sources for KEV and EPSS"
            ),
        )));
    }
    let note = known.note.as_ref();
    let document = json!({
        "cve": cve,
        "title": note.map(|note| note.title.clone()).or_else(|| row.as_ref().map(|row| row.name.clone())),
        "exploited": known.is_exploited,
        "epss_permille": known.epss_permille,
        "cvss_tenths": known.tenths().or(weakness.and_then(|one| one.score)),
        "jvndb": note.map(|note| note.jvndb.clone()),
        "products": note.map(|note| note.products.clone()),
        "action": known.exploited.as_ref().map(|exploited| exploited.action.clone()),
        "affected": names,
        "on_exposed_or_important": assets.iter().any(|asset| exposure.matters(*asset)),
    });
    print(&shown::one(shown.format, &document));
    let presses = known.is_pressing() && !assets.is_empty();
    Ok(if presses { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
