//! Peers: what is given to them, what they give, whether the way to them works.
//!
//! A channel works in one of these ways: the peer comes to our TAXII server; we go to the peer's TAXII server or MISP
//! (the channel's address and its login); mail and portals are kept by hand.

pub mod http;
pub mod login;
pub mod probe;
pub mod push;
pub mod receive;
pub mod sightings;
pub mod told;

use serde_json::Value as Json;
use store::{Row, Store, StoreError};

/// Setting of a channel: `date_added` up to which what its peer posted became items.
const RECEIVED_TO: &str = "threat_intelligence.channel_received:";

/// The channel that an item came by: its own, or that of its source.
pub async fn channel_of(store: &Store, item: &Row) -> Result<Option<String>, StoreError> {
    let text = |row: &Row, name: &str| {
        row.attributes
            .get(name)
            .and_then(Json::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    if let Some(channel) = text(item, "channel") {
        return Ok(Some(channel));
    }
    let Some(source) = text(item, "source").and_then(|id| id.parse().ok()) else {
        return Ok(None);
    };
    let source = store.row(model::Table::Asset, source).await?;
    Ok(source.and_then(|row| text(&row, "channel")))
}

/// How a channel reaches its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The peer comes to our TAXII server.
    Comes,
    /// We go to the peer's TAXII server.
    Taxii,
    /// We go to the peer's MISP.
    Misp,
    /// Mail and portals: no machine goes there.
    ByHand,
}

pub fn way(channel: &Row) -> Way {
    let text = |name: &str| channel.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
    match (text("protocol"), text("address").trim().is_empty()) {
        ("taxii", true) => Way::Comes,
        ("taxii", false) => Way::Taxii,
        ("misp", false) => Way::Misp,
        _ => Way::ByHand,
    }
}
