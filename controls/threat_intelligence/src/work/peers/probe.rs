//! Whether the way to each peer works, asked again and again.
//!
//! What proves it: of a peer's TAXII server, its discovery and a read of the collection with our login; of a peer's
//! MISP, its version, with our key; of a peer that comes to us, an authenticated request by it within the last day,
//! since that needs its side, the way and our side alike. Mail and portals have no such proof here and do not pass.

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Row, Store};

use super::{
    Way,
    http::{self, JSON, Peer, TAXII},
    login, way,
};
use crate::work::channels::{self, CHANNEL};

pub const PROBED: &str = "threat_intelligence.channel_probed";
/// A peer that comes to us has come within so long.
const SEEN_H: i64 = 24;
const REASON_CHARS_MAX: usize = 200;
const ACTOR: &str = "system:threat_intelligence.probe";

/// Probes all channels in use.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let rows = ctx.store().all(Table::Asset, &[CHANNEL]).await?;
    let (mut passed, mut failed) = (0, 0);
    for channel in rows.iter().filter(|row| channels::is_used(row)) {
        match probe(ctx.store(), channel).await?.is_ok() {
            true => passed += 1,
            false => failed += 1,
        }
    }
    ctx.house.wake();
    Ok(json!({ "passed": passed, "failed": failed }))
}

/// Probes one channel and records the outcome; the error is the reason that is recorded.
pub async fn probe(store: &Store, channel: &Row) -> Result<Result<String, String>, Error> {
    let outcome = outcome(store, channel).await?;
    let reason = match &outcome {
        Ok(how) => how.clone(),
        Err(why) => why.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect(),
    };
    let facts = json!({ "passed": outcome.is_ok(), "reason": reason });
    let draft = room::draft(PROBED, Some(channel.id), store.now(), facts);
    room::write(store, ACTOR, draft).await?;
    Ok(outcome)
}

async fn outcome(store: &Store, channel: &Row) -> Result<Result<String, String>, Error> {
    let way = way(channel);
    if way == Way::Comes {
        let seen = channels::seen(store, channel.id).await?;
        return Ok(came(seen, store.now()));
    }
    let address = channel.attributes.get("address").and_then(Json::as_str).unwrap_or_default();
    let login = login::get(store, channel.id).await?;
    Ok(match way {
        Way::Taxii => taxii(address, login).await,
        Way::Misp => misp(address, login).await,
        Way::Comes | Way::ByHand => Err("mail and portals are not probed by machine".to_owned()),
    })
}

fn came(seen: Option<Timestamp>, now: Timestamp) -> Result<String, String> {
    match seen {
        None => Err("the peer never signed in".to_owned()),
        Some(at) if now.hours_since(at) >= SEEN_H => {
            Err(format!("the peer did not sign in for {} h", now.hours_since(at)))
        }
        Some(_) => Ok("the peer signed in within a day".to_owned()),
    }
}

async fn taxii(address: &str, login: Option<login::Login>) -> Result<String, String> {
    let peer = Peer::new(address, login, false)?;
    let found = match http::collection(&peer, false).await {
        Ok(found) => found,
        // One that takes only has nothing to read.
        Err(why) => http::collection(&peer, true).await.map_err(|_| why)?,
    };
    if !found.can_read {
        return match found.can_write {
            true => Ok("discovery and a collection that takes".to_owned()),
            false => Err("the collection may be neither read nor written".to_owned()),
        };
    }
    let path = format!("collections/{}/objects/?limit=1", found.collection);
    let url = found.root.join(&path).map_err(|error| error.to_string())?;
    match peer.get(url, TAXII).await?.status {
        200 => Ok("discovery and a read of the collection".to_owned()),
        status => Err(format!("its objects answer {status}")),
    }
}

async fn misp(address: &str, login: Option<login::Login>) -> Result<String, String> {
    let peer = Peer::new(address, login, true)?;
    let url = peer.named("servers/getVersion").map_err(|error| error.to_string())?;
    let answer = peer.get(url, JSON).await?;
    if answer.status != 200 {
        return Err(format!("its version answers {}", answer.status));
    }
    match answer.json()["version"].as_str() {
        Some(version) => Ok(format!("MISP {}", version.chars().take(20).collect::<String>())),
        None => Err("it answers, but not as a MISP".to_owned()),
    }
}

/// The newest outcome of a channel.
pub async fn newest(
    store: &Store,
    channel: Id,
) -> Result<Option<(bool, String, Timestamp)>, Error> {
    let records = store.newest_records(&[PROBED], Some(channel), 1).await?;
    Ok(records.first().map(|record| {
        let reason = record.facts.get("reason").and_then(Json::as_str).unwrap_or_default();
        let passed = record.facts.get("passed") == Some(&Json::Bool(true));
        (passed, reason.to_owned(), record.observed_to)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_stays_away_for_a_day_does_not_pass() {
        let now = Timestamp(100 * 3_600_000_000);
        let hours = |hours: i64| Some(Timestamp(now.0 - hours * 3_600_000_000));
        assert!(came(hours(23), now).is_ok());
        assert!(came(hours(24), now).is_err() && came(None, now).is_err());
    }
}
