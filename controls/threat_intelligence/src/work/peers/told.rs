//! Channels and values as documents, for the API and the command line.

use model::{Id, Table};
use serde_json::{Value as Json, json};
use store::{Row, Store};

use super::{probe, push, way};
use crate::work::{
    channels::{self, CHANNEL},
    explain, share,
};

const CHANNELS_MAX: usize = 200;
const COUNTED_MAX: usize = 1_000;

/// What a channel is and how it fares.
pub async fn document(store: &Store, row: &Row) -> Result<Json, room::Error> {
    let fact = |name: &str| row.attributes.get(name).cloned().unwrap_or_default();
    let probed = probe::newest(store, row.id).await?;
    let (waiting, why) = push::of_channel(store, row.id).await?;
    let count = async |ty: &str| -> Result<usize, store::StoreError> {
        Ok(store.newest_records(&[ty], Some(row.id), COUNTED_MAX).await?.len())
    };
    Ok(json!({
        "id": row.id,
        "name": row.name,
        "active": channels::is_used(row),
        "protocol": fact("protocol"),
        "address": fact("address"),
        "way": format!("{:?}", way(row)).to_lowercase(),
        "agreement": fact("agreement"),
        "agreement_end": fact("agreement_end"),
        "tlp_ceiling": share::ceiling(row).as_str(),
        "has_token": channels::has_token(store, row.id).await?,
        "passed": probed.as_ref().map(|probed| probed.0),
        "probe": probed.as_ref().map(|probed| probed.1.clone()),
        "probed_at": probed.as_ref().map(|probed| probed.2.rfc3339()),
        "given": count(share::SHARED).await?,
        "accepted": count(channels::ACCEPTED).await?,
        "received": count(channels::RECEIVED).await?,
        "waiting": waiting,
        "waiting_why": why,
    }))
}

/// All channels, by name.
pub async fn documents(store: &Store) -> Result<Vec<Json>, room::Error> {
    let mut rows = store.all(Table::Asset, &[CHANNEL]).await?;
    rows.retain(|row| !row.deleted);
    rows.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let mut all = Vec::new();
    for row in rows.iter().take(CHANNELS_MAX) {
        all.push(document(store, row).await?);
    }
    Ok(all)
}

/// The channel with this id.
pub async fn channel(store: &Store, id: Id) -> Result<Option<Row>, store::StoreError> {
    let row = store.row(Table::Asset, id).await?;
    Ok(row.filter(|row| row.kind == CHANNEL && !row.deleted))
}

/// A value with its verdict, step by step, in both languages.
pub async fn why(
    store: &Store,
    sets: &std::path::Path,
    value: &str,
) -> Result<Vec<Json>, room::Error> {
    let found = explain::explain(store, sets, value).await?;
    Ok(found
        .iter()
        .map(|one| {
            let steps: Vec<Json> = one
                .judged
                .verdict
                .steps
                .iter()
                .map(|step| {
                    let (ja, en) = step.words();
                    json!({ "step": step.as_str(), "ja": ja, "en": en })
                })
                .collect();
            let items: Vec<Json> =
                one.items.iter().map(|item| json!({ "id": item.id, "name": item.name })).collect();
            json!({
                "kind": one.judged.row.key.kind().as_str(),
                "value": one.judged.row.key.text(),
                "state": one.judged.verdict.state.as_str(),
                "ceiling": one.judged.verdict.ceiling.as_str(),
                "in_force": one.is_in_force(),
                "steps": steps,
                "items": items,
            })
        })
        .collect())
}
