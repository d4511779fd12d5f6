//! The job: criteria held against what there is, hits told, briefs issued, orders followed, and all of it reviewed.

use std::sync::Arc;

use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::Store;

use super::{
    brief, criterion, defaults,
    evidence::{Cache, Evidence},
    hits::{self, Hit},
    orders, reviewed,
};

/// Events of hits are sent again for so long, in case the stream was away.
const SENT_AGAIN_HOURS: i64 = 1;

/// One run.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let cache: Arc<Cache> = ctx.house.kept.get();
    let (told, outcome) = round(store, &cache).await?;
    let (stream, now) = (ctx.stream.clone(), store.now());
    if !told.is_empty() {
        room::blocking(move || hits::emit(&stream, &told, now)).await??;
    }
    if outcome["changed"] == true {
        ctx.house.wake();
    }
    Ok(outcome)
}

/// The same on the tables alone; gives the hits whose events are to be sent.
pub async fn round(store: &Store, cache: &Cache) -> Result<(Vec<Hit>, Json), Error> {
    let offered = defaults::offer(store).await?;
    let criteria = criterion::all(store).await?;
    let in_force: Vec<_> = criteria.iter().filter_map(criterion::Ruled::in_force).collect();
    let mut new = 0;
    if !in_force.is_empty() {
        let evidence = Evidence::load(store, cache).await?;
        new = hits::tell(store, &in_force, &evidence).await?.len();
    }
    let recent = hits::records(store, store.now().minus_hours(SENT_AGAIN_HOURS)).await?;
    let recent = hits::with_details(store, recent).await?;
    let (_, zone) = super::organisation(store).await?;
    let followed = orders::follow_up(store, &zone).await?;
    let issued = brief::issue_due(store).await.map_err(Error::said)?.len();
    let reviewed = reviewed::record(store).await?;
    let changed = offered + new + followed + issued + reviewed > 0;
    let outcome = json!({
        "criteria": criteria.len(), "in_force": in_force.len(), "hits": new, "issued": issued,
        "changed": changed,
    });
    Ok((recent, outcome))
}
