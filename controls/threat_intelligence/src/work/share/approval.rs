//! Two persons give what a sharing rule wants approved: one asks, another gives.

use room::draft;
use serde_json::json;
use store::{Row, Store, StoreError};

pub const ASKED: &str = "threat_intelligence.share_asked";
/// Setting of a channel and an item: who asked, and the version of the item that was seen.
const ASKING: &str = "threat_intelligence.share_asked:";

fn setting(channel: &Row, item: &Row) -> String {
    format!("{ASKING}{}:{}", channel.id, item.id)
}

/// Whether another person asked for this item as it is now.
pub async fn asked_by_another(
    store: &Store,
    channel: &Row,
    item: &Row,
    actor: &str,
) -> Result<bool, StoreError> {
    let asked = store.setting(&setting(channel, item)).await?.unwrap_or_default();
    let Some((version, who)) = asked.split_once(' ') else { return Ok(false) };
    Ok(version == item.version.to_string() && who != actor)
}

/// Whether somebody asked for this item as it is now.
pub async fn is_asked(store: &Store, channel: &Row, item: &Row) -> Result<bool, StoreError> {
    asked_by_another(store, channel, item, "").await
}

pub async fn ask(store: &Store, channel: &Row, item: &Row, actor: &str) -> Result<(), StoreError> {
    let mut write = store.write(actor, "share", "").await?;
    write.set_setting(&setting(channel, item), &format!("{} {actor}", item.version)).await?;
    let facts = json!({ "channel": channel.id, "item": item.id });
    write.record(draft(ASKED, Some(channel.id), store.now(), facts)).await?;
    write.commit().await
}

/// It was given: the next time it is asked anew.
pub async fn end(store: &Store, channel: &Row, item: &Row) -> Result<(), StoreError> {
    store.take_setting(&setting(channel, item)).await.map(drop)
}
