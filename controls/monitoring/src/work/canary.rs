//! Ume tests its own alarm: an event of its own goes the whole way, and a rule has to meet it.
//!
//! Invariants: there is one on its way at a time, known by a word nobody can guess; it has arrived when the rules
//! say so, never before; one that did not arrive in time is recorded as such before the next is sent.

use model::Timestamp;
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use stream::{Format, RawLine};

use super::evaluate::{CANARY, Occurrence};
use crate::findings;

/// An indicator that a set holds for tests was met by that set.
const INDICATOR_MET: &str = "monitoring.indicator_canary";
const SENT: &str = "monitoring.canary";
/// Source that the event comes from.
pub const SOURCE: &str = "ume-canary";
/// One is sent when the last that arrived is older than this.
const EVERY_H: i64 = 12;
/// What has not arrived by then has not arrived.
const WAIT_MIN: i64 = 10;
const ACTOR: &str = "system:monitoring.canary";

#[derive(Serialize, Deserialize)]
struct Sent {
    word: String,
    at: i64,
}

/// Sends one if it is time, and gives up on one that is overdue.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (store, now) = (ctx.store(), ctx.store().now());
    let on_its_way = store.setting(SENT).await?;
    let on_its_way: Option<Sent> = on_its_way.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(sent) = on_its_way {
        if now.0 - sent.at < WAIT_MIN * 60_000_000 {
            return Ok(json!({ "waiting": true }));
        }
        // Whoever takes the word writes the record: the rules may have met it meanwhile.
        if store.take_setting(SENT).await?.is_some() {
            record(&ctx, false, now.0 - sent.at, now).await?;
        }
    } else {
        let last = store.newest_records(&[findings::CANARY], None, 1).await?;
        let arrived = |record: &&store::Record| record.facts.get("arrived") == Some(&json!(true));
        let last = last.first().filter(arrived);
        if last.is_some_and(|record| now.hours_since(record.observed_to) < EVERY_H) {
            return Ok(json!({ "sent": false }));
        }
    }
    let sent = Sent { word: store.new_id()?.to_string(), at: now.0 };
    store.set_setting(SENT, &serde_json::to_string(&sent).map_err(Error::said)?).await?;
    let line = json!({
        "time": now.rfc3339(), "app": SOURCE, "message": "Ume tests its own alarm", CANARY: sent.word,
    });
    let line = RawLine::with_format(line.to_string(), Format::Json);
    let stream = ctx.stream.clone();
    room::blocking(move || stream.ingest(SOURCE, vec![line], now)).await??;
    Ok(json!({ "sent": true }))
}

/// The rules met one: if it is the one on its way, it has arrived.
pub(super) async fn seen(ctx: &Shared, occurrence: &Occurrence) -> Result<(), Error> {
    let store = ctx.store();
    if occurrence.about.file == super::intel::DOCUMENT {
        return indicator(ctx, occurrence).await;
    }
    let Some(text) = store.setting(SENT).await? else { return Ok(()) };
    let Ok(sent) = serde_json::from_str::<Sent>(&text) else { return Ok(()) };
    let is_it = occurrence.event.source == SOURCE
        && occurrence.event.fields.get(CANARY) == Some(&sent.word);
    if is_it && store.take_setting(SENT).await?.is_some() {
        let now = store.now();
        record(ctx, true, now.0 - sent.at, now).await?;
        ctx.house.wake();
    }
    Ok(())
}

/// An event met the canary of a set of indicators. Only what Ume sent itself counts: its name may stand in other logs.
async fn indicator(ctx: &Shared, occurrence: &Occurrence) -> Result<(), Error> {
    let Some(name) = occurrence.event.fields.get("query") else { return Ok(()) };
    if occurrence.event.source != SOURCE {
        return Ok(());
    }
    let facts = json!({ "root": occurrence.about.hash, "name": name });
    let draft = room::draft(INDICATOR_MET, None, ctx.store().now(), facts);
    room::write(ctx.store(), ACTOR, draft).await?;
    ctx.house.wake();
    Ok(())
}

async fn record(ctx: &Shared, arrived: bool, took_us: i64, now: Timestamp) -> Result<(), Error> {
    let mut facts = json!({ "severity": "medium", "arrived": arrived });
    if arrived {
        facts["delay_s"] = json!(took_us.max(0) / 1_000_000);
    }
    Ok(room::write(ctx.store(), ACTOR, room::draft(findings::CANARY, None, now, facts)).await?)
}
