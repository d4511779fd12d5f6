//! What becomes of markings: every change of one is recorded, and what was given under a more open one is known.
//!
//! The store lets nobody lower a marking without the signed decision of another (`model::Guard`); raising is free. So
//! what was given before a raise goes out no more from the moment of it: [`raised`] looks before it answers.

use std::{collections::BTreeMap, sync::Arc};

use indicators::tlp::Level;
use model::{Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Row, Store};
use tokio::sync::Mutex;

use crate::work::{
    inbox::{self, ITEM},
    share,
};

pub const CHANGED: &str = "threat_intelligence.marking_changed";
const ACTOR: &str = "system:threat_intelligence.markings";
/// Setting: up to which change of an item its marking was looked at.
const CURSOR: &str = "threat_intelligence.markings_to";

/// What the last look saw.
#[derive(Default)]
pub struct Looked(Mutex<Option<Seen>>);

struct Seen {
    stamp: (u64, Timestamp),
    raised: Arc<BTreeMap<String, Level>>,
}

/// One round: records what changed.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    raised(&ctx.house).await.map(drop)
}

/// Objects that were given and whose item is marked otherwise since, with its marking now.
pub async fn raised(house: &web::House) -> Result<Arc<BTreeMap<String, Level>>, Error> {
    let looked: Arc<Looked> = house.kept.get();
    let mut looked = looked.0.lock().await;
    let stamp = house.store.stamp(Table::Asset, &[ITEM]).await?;
    if let Some(seen) = looked.as_ref().filter(|seen| seen.stamp == stamp) {
        return Ok(seen.raised.clone());
    }
    record(&house.store).await?;
    let raised = Arc::new(changed_objects(&house.store).await?);
    *looked = Some(Seen { stamp, raised: raised.clone() });
    Ok(raised)
}

/// Writes a record for each change of a marking since the last look; what was looked at is known by its time, so a
/// change is recorded once.
async fn record(store: &Store) -> Result<usize, Error> {
    let cursor = store.setting(CURSOR).await?.and_then(|text| text.parse().ok()).unwrap_or(0_i64);
    let items = store.all(Table::Asset, &[ITEM]).await?;
    let mut drafts = Vec::new();
    let mut last = cursor;
    for item in items.iter().filter(|item| item.updated_at.0 > cursor) {
        last = last.max(item.updated_at.0);
        if item.version < 2 {
            continue;
        }
        let mut versions = store.history(Table::Asset, item.id).await?;
        versions.retain(|version| version.version != item.version);
        versions.push(item.clone());
        versions.sort_by_key(|version| version.version);
        for pair in versions.windows(2) {
            let [before, after] = pair else { continue };
            if after.updated_at.0 > cursor
                && let Some(facts) = change(before, after)
            {
                drafts.push(room::draft(CHANGED, Some(item.id), after.updated_at, facts));
            }
        }
    }
    if last == cursor {
        return Ok(0);
    }
    let count = drafts.len();
    let mut write = store.write(ACTOR, "markings", "").await?;
    for draft in drafts {
        write.record(draft).await?;
    }
    write.set_setting(CURSOR, &last.to_string()).await?;
    write.commit().await?;
    Ok(count)
}

fn change(before: &Row, after: &Row) -> Option<Json> {
    let word = |row: &Row| row.attributes.get("tlp").and_then(Json::as_str).map(str::to_owned);
    let (from, to) = (word(before)?, word(after)?);
    (from != to).then(|| json!({ "from": from, "to": to }))
}

async fn changed_objects(store: &Store) -> Result<BTreeMap<String, Level>, Error> {
    let mut all = BTreeMap::new();
    for record in store.latest_per_subject(&[CHANGED]).await? {
        let Some(id) = record.subject else { continue };
        let Some(item) = store.row(Table::Asset, id).await? else { continue };
        let level = super::level(&item, "tlp");
        let lines = inbox::confirmed(store, &item).await.map_err(Error::said)?;
        for line in lines.unwrap_or_default() {
            all.insert(object(&item, &line), level);
        }
    }
    Ok(all)
}

/// The id under which a line of an item is given to peers.
pub fn object(item: &Row, line: &inbox::Line) -> String {
    let key = format!("{}\n{}\n{}", item.id, line.kind, line.value);
    format!("indicator--{}", uuid::Uuid::new_v5(&share::NAMESPACE, key.as_bytes()))
}
