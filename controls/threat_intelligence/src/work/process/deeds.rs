//! Closes actions by the record of the deed that was asked for: rules activated, a card read, a weakness remedied, a
//! takedown requested, a brief acknowledged.
//!
//! Invariants: only a record written after the action was asked for closes it; what has such a record is not closed by
//! a word, unless that names a record of the kind.

use std::collections::BTreeSet;

use indicators::{
    Kind,
    extract::{self, Notice, What},
};
use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store};
use stream::Encoding;
use web::decide;

use super::{actions, card};
use crate::work::{
    self,
    inbox::{self, ITEM},
};

const JOB: &str = "threat_intelligence.deeds";
const LOADED: &str = "monitoring.ruleset_loaded";
const ACTIVATED: &str = "monitoring.rule_activated";
const REMEDIED: &str = "configuration.remedied";
const TAKEDOWN: &str = "threat_intelligence.takedown_requested";
const ACKNOWLEDGED: &str = "threat_intelligence.brief_acknowledged";
/// Newest records of each type that are looked at.
const RECORDS_MAX: usize = 200;

/// Whether this room waits for records of a type and closes actions by them.
pub fn is_awaited(ty: &str) -> bool {
    [LOADED, ACTIVATED, REMEDIED, TAKEDOWN, ACKNOWLEDGED, card::READ].contains(&ty)
}

/// One run: closes what the records bear out.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let open: Vec<actions::Action> = actions::all(store).await?;
    let open: Vec<&actions::Action> = open
        .iter()
        .filter(|action| action.task.status != "closed" && is_awaited(action.closing_record()))
        .collect();
    let mut closed = 0;
    for action in &open {
        if let Some(proof) = proof(store, action).await? {
            closed += usize::from(work::actions::close(store, &action.task, &proof, JOB).await?);
        }
    }
    if closed > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "open": open.len(), "closed": closed }))
}

/// What shows that it was done; none if nothing does.
async fn proof(store: &Store, action: &actions::Action) -> Result<Option<String>, Error> {
    let (task, since) = (&action.task, action.task.created_at);
    let Some(item) = task.subject else { return Ok(None) };
    let named = |record: &Record| format!("{} {}", record.ty, record.id);
    Ok(match action.closing_record() {
        LOADED => {
            let activated = newer(store, ACTIVATED, since, is_detection).await?;
            let loaded = newer(store, LOADED, since, any).await?;
            let both = loaded.zip(activated);
            both.map(|(loaded, activated)| format!("{} / {}", named(&loaded), named(&activated)))
        }
        ACTIVATED => newer(store, ACTIVATED, since, is_detection).await?.map(|r| named(&r)),
        REMEDIED => remedied(store, item, since).await?,
        card::READ => {
            let (read, of) = card::readers(store, since).await?;
            let is_enough = of > 0 && read * 1000 >= of * card::READ_PERMILLE;
            is_enough.then(|| format!("{} {read}/{of}", card::READ))
        }
        TAKEDOWN => takedown(store, item, since).await?,
        // The brief closes it when it is acknowledged: what it left out was not read.
        _ => None,
    })
}

fn any(_: &Record) -> bool {
    true
}

fn is_detection(record: &Record) -> bool {
    record.facts.get("kind").and_then(Json::as_str) != Some("indicators")
}

/// The newest record of a type written after a moment.
async fn newer(
    store: &Store,
    ty: &str,
    since: Timestamp,
    fits: fn(&Record) -> bool,
) -> Result<Option<Record>, Error> {
    let records = store.newest_records(&[ty], None, RECORDS_MAX).await?;
    Ok(records.into_iter().find(|record| record.received_at > since && fits(record)))
}

/// A takedown was requested of a domain that the item names.
async fn takedown(store: &Store, item: Id, since: Timestamp) -> Result<Option<String>, Error> {
    let records = store.newest_records(&[TAKEDOWN], None, RECORDS_MAX).await?;
    let records: Vec<Record> =
        records.into_iter().filter(|record| record.received_at > since).collect();
    if records.is_empty() {
        return Ok(None);
    }
    let Some(row) = store.row(Table::Asset, item).await?.filter(|row| row.kind == ITEM) else {
        return Ok(None);
    };
    let hosts = hosts(store, &row).await;
    let named = records.iter().find(|record| {
        let domain = record.facts.get("domain").and_then(Json::as_str).unwrap_or_default();
        hosts.iter().any(|host| host == domain || host.ends_with(&format!(".{domain}")))
    });
    Ok(named.map(|record| format!("{TAKEDOWN} {}", record.id)))
}

/// Hosts that the original of an item names, alone or within addresses.
async fn hosts(store: &Store, row: &Row) -> BTreeSet<String> {
    let Some(notice) = notice(store, row).await else { return BTreeSet::new() };
    let urls = notice.values(What::Indicator(Kind::Url));
    let within = urls.into_iter().filter_map(|url| {
        let rest = url.split_once("://")?.1;
        rest.split(['/', ':', '?', '#']).next()
    });
    let domains = notice.values(What::Indicator(Kind::Domain));
    domains.into_iter().chain(within).map(str::to_owned).collect()
}

/// Every weakness that the notice names was remedied, or somebody signed what becomes of the item.
async fn remedied(store: &Store, item: Id, since: Timestamp) -> Result<Option<String>, Error> {
    let filter = store::Filter {
        subject: Some(item),
        status: Some("approved".to_owned()),
        limit: 20,
        ..store::Filter::default()
    };
    let decisions = store.list(Table::Decision, &filter).await?;
    if let Some(decision) = decisions.iter().find(|row| decide::is_signed(row)) {
        return Ok(Some(format!("decision {}", decision.id)));
    }
    let Some(row) = store.row(Table::Asset, item).await?.filter(|row| row.kind == ITEM) else {
        return Ok(None);
    };
    let wanted = weaknesses(store, &row).await;
    if wanted.is_empty() {
        return Ok(None);
    }
    let records = store.newest_records(&[REMEDIED], None, RECORDS_MAX).await?;
    let of = |cve: &String| {
        records.iter().find(|record| {
            record.received_at > since
                && record.facts.get("advisory").and_then(Json::as_str) == Some(cve.as_str())
        })
    };
    let all: Option<Vec<&Record>> = wanted.iter().map(of).collect();
    let named = |record: &Record| format!("{REMEDIED} {}", record.id);
    Ok(all.map(|all| all.into_iter().take(5).map(named).collect::<Vec<_>>().join(" / ")))
}

/// Weaknesses that the original of an item names.
async fn weaknesses(store: &Store, row: &Row) -> BTreeSet<String> {
    let Some(notice) = notice(store, row).await else { return BTreeSet::new() };
    notice.values(What::Vulnerability).into_iter().map(str::to_owned).collect()
}

/// What the original of an item says; none if it cannot be read.
async fn notice(store: &Store, row: &Row) -> Option<Notice> {
    let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
    let blob = store.blob(text("raw")).await.ok()??;
    let told = Encoding::named(text("raw_encoding"));
    let original = inbox::original(store, &blob, told).await.ok()?;
    Some(extract::extract(&original.whole(), extract::Labels::shipped()))
}

/// Whether words of a person name a record, or a signed decision, that is there: what an action with a record of the
/// deed asks of whoever closes it by hand.
pub async fn names_a_record(store: &Store, words: &str) -> Result<bool, Error> {
    let parts = words.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
    for id in parts.filter_map(|part| part.parse::<Id>().ok()).take(10) {
        let decision = store.row(Table::Decision, id).await?;
        if decision.is_some_and(|row| decide::is_signed(&row)) || store.record(id).await?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
