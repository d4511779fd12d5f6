//! The service: asks whoever is due, and writes down what came of it.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use ledger::{
    Cosigned, Ledger, Stamped, cosigned_by_all,
    outside::{Authority, Outside, Trouble, Troubles, Witness},
    stamps as kept_stamps,
};
use model::{Id, Timestamp};
use reqwest::Client;
use room::{Error, Pause, Service, Shared, draft, write};
use serde_json::json;
use store::{Record, Store};
use tokio::sync::Mutex;

use crate::{
    http,
    pace::{Heard, Pace},
    stamps, witnesses,
};

/// The record that tells of a checkpoint which the outside has signed.
pub const RECORD: &str = "isms.checkpoint_published";

const ROUND_EVERY: Duration = Duration::from_secs(1);
const RECORD_EVERY_HOURS: i64 = 1;
const ACTOR: &str = "system:witness";

/// What goes from round to round.
pub struct Rounds {
    client: Client,
    pace: Pace,
    troubles: Option<Troubles>,
}

/// The service of this crate.
pub fn service() -> Service {
    let rounds: Arc<Mutex<Option<Rounds>>> = Arc::default();
    Service::new("witness", Pause::For(ROUND_EVERY), move |ctx| run(ctx, rounds.clone()))
}

async fn run(ctx: Shared, rounds: Arc<Mutex<Option<Rounds>>>) -> Result<(), Error> {
    let mut rounds = rounds.lock().await;
    let rounds = match &mut *rounds {
        Some(rounds) => rounds,
        none => none.insert(Rounds::new().map_err(Error::said)?),
    };
    round(ctx.store(), &ctx.house.ledger, rounds).await
}

impl Rounds {
    /// Nobody asked yet.
    pub fn new() -> Result<Rounds, String> {
        Ok(Rounds { client: http::client()?, pace: Pace::default(), troubles: None })
    }
}

/// One round: every peer that is due is asked, all at once.
pub async fn round(
    store: &Store,
    ledger: &Mutex<Ledger>,
    rounds: &mut Rounds,
) -> Result<(), Error> {
    let outside = Outside::load(store).await.map_err(Error::said)?;
    let now = store.now();
    let (folder, size, forked) = {
        let ledger = ledger.lock().await;
        (ledger.folder().to_owned(), ledger.size(), ledger.fork().is_some())
    };
    if rounds.troubles.is_none() {
        rounds.troubles = Some(Troubles::load(store).await.map_err(Error::said)?);
    }
    // A ledger in doubt about its own past signs nothing, and so asks nobody.
    let due = if forked { Due::default() } else { due(&outside, rounds, &folder, size, now)? };
    let client = &rounds.client;
    let asked = join_all(due.witnesses.iter().map(|w| witnesses::ask(client, w, ledger)));
    let clock = || store.now();
    let stamped = due.authorities.iter().map(|a| stamps::ask(client, a, ledger, clock));
    let (asked, stamped) = tokio::join!(asked, join_all(stamped));

    let mut outcomes = Vec::new();
    for (witness, outcome) in due.witnesses.iter().zip(&asked) {
        outcomes.push((witness_name(witness), outcome.as_ref().err().cloned()));
    }
    for (authority, outcome) in due.authorities.iter().zip(&stamped) {
        outcomes.push((authority_name(authority), outcome.as_ref().err().cloned()));
    }
    note(store, &outside, rounds, outcomes).await?;
    if asked.iter().any(Result::is_ok) {
        record_cosigned(store, &outside, &cosigned_by_all(&folder)?).await?;
    }
    for stamp in stamped.into_iter().flatten() {
        record_stamped(store, &stamp, &cosigned_by_all(&folder)?).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Due {
    witnesses: Vec<Witness>,
    authorities: Vec<Authority>,
}

fn witness_name(witness: &Witness) -> String {
    let key = witness.key();
    format!("witness:{}", key.as_ref().map_or(witness.vkey.as_str(), |key| key.name()))
}

fn authority_name(authority: &Authority) -> String {
    format!("authority:{}", authority.name)
}

/// Unix seconds to the one time of the house.
fn time(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1_000_000))
}

fn due(
    outside: &Outside,
    rounds: &Rounds,
    folder: &std::path::Path,
    size: u64,
    now: Timestamp,
) -> Result<Due, Error> {
    let mut due = Due::default();
    let kept = if outside.witnesses.is_empty() { Vec::new() } else { cosigned_by_all(folder)? };
    for witness in &outside.witnesses {
        let kept = kept.iter().find(|kept| kept.witness.to_string() == witness.vkey);
        let heard = kept.map_or(Heard::default(), |kept| Heard {
            size: kept.checkpoint.size(),
            at: Some(time(i64::try_from(kept.time).unwrap_or(i64::MAX))),
        });
        if rounds.pace.is_due(&witness_name(witness), heard, size, witness.every_s, now) {
            due.witnesses.push(witness.clone());
        }
    }
    for authority in &outside.authorities {
        let newest = kept_stamps(folder, &authority.name, 1)?;
        let heard = newest.first().map_or(Heard::default(), |newest| Heard {
            // Stamps go by time alone: they cost something, and each covers everything before it.
            size: 0,
            at: Some(time(newest.stamp.time)),
        });
        let name = authority_name(authority);
        if rounds.pace.is_due(&name, heard, u64::MAX, authority.every_s, now) {
            due.authorities.push(authority.clone());
        }
    }
    Ok(due)
}

/// Remembers who answered and who did not; a change of that is kept and logged.
async fn note(
    store: &Store,
    outside: &Outside,
    rounds: &mut Rounds,
    outcomes: Vec<(String, Option<String>)>,
) -> Result<(), Error> {
    let now = store.now();
    let before = rounds.troubles.clone().unwrap_or_default();
    let mut after = before.clone();
    for (name, trouble) in outcomes {
        rounds.pace.note(&name, trouble.is_none(), now);
        match trouble {
            None => {
                if after.0.remove(&name).is_some() {
                    tracing::info!(peer = name, "answers again");
                }
            }
            Some(said) => {
                let since_us = after.0.get(&name).map_or(now.0, |trouble| trouble.since_us);
                if after.0.get(&name).is_none_or(|trouble| trouble.said != said) {
                    tracing::warn!(peer = name, error = said, "a checkpoint did not go out");
                }
                after.0.insert(name, Trouble { since_us, said });
            }
        }
    }
    let known: Vec<String> = outside.witnesses.iter().map(witness_name).collect();
    let known: Vec<String> =
        known.into_iter().chain(outside.authorities.iter().map(authority_name)).collect();
    after.0.retain(|name, _| known.contains(name));
    if after != before {
        after.save(store).await.map_err(Error::said)?;
    }
    rounds.troubles = Some(after);
    Ok(())
}

/// Names of those who cosigned this checkpoint and are still among the peers.
fn names_at(size: u64, outside: Option<&Outside>, all: &[Cosigned]) -> Vec<String> {
    let ours = |kept: &&Cosigned| {
        let key = kept.witness.to_string();
        outside.is_none_or(|outside| outside.witnesses.iter().any(|w| w.vkey == key))
    };
    let same = all.iter().filter(|kept| kept.checkpoint.size() == size).filter(ours);
    same.map(|kept| kept.witness.name().to_owned()).collect()
}

async fn record_cosigned(store: &Store, outside: &Outside, all: &[Cosigned]) -> Result<(), Error> {
    let Some(newest) = all.iter().max_by_key(|kept| (kept.checkpoint.size(), kept.time)) else {
        return Ok(());
    };
    let size = newest.checkpoint.size();
    let names = names_at(size, Some(outside), all);
    let last = store.newest_records(&[RECORD], None, 20).await?;
    let count = |record: &Record| {
        let count = record.facts.get("witnesses").and_then(|count| count.as_u64());
        count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    };
    let last = last.iter().find(|record| count(record) > 0);
    let now = store.now();
    let is_new = last.is_none_or(|record| {
        names.len() > count(record) || now.hours_since(record.observed_to) >= RECORD_EVERY_HOURS
    });
    if names.is_empty() || !is_new {
        return Ok(());
    }
    let same = all.iter().filter(|kept| kept.checkpoint.size() == size);
    let stated = same.map(|kept| i64::try_from(kept.time).unwrap_or(i64::MAX)).max();
    // A witness whose clock is ahead makes nothing fresher than it is.
    let at = time(stated.unwrap_or_default()).min(now);
    let facts = json!({
        "scope": "organisation",
        "size": size,
        "root": hex::encode(newest.checkpoint.root()),
        "witnesses": names.len(),
        "time_stamped": false,
        "names": names,
    });
    record(store, at, facts).await
}

async fn record_stamped(store: &Store, stamp: &Stamped, all: &[Cosigned]) -> Result<(), Error> {
    let note = std::fs::read(&stamp.data)
        .map_err(|source| Error::Io { path: stamp.data.clone(), source })?;
    let root = merkle::SignedNote::parse(&note)
        .and_then(|note| merkle::Checkpoint::parse(note.text()))
        .map(|checkpoint| hex::encode(checkpoint.root()))
        .map_err(Error::said)?;
    let mut names = names_at(stamp.size, None, all);
    let witnesses = names.len();
    names.push(stamp.authority.clone());
    let facts = json!({
        "scope": "organisation",
        "size": stamp.size,
        "root": root,
        "witnesses": witnesses,
        "time_stamped": true,
        "names": names,
    });
    record(store, time(stamp.stamp.time).min(store.now()), facts).await
}

async fn record(store: &Store, at: Timestamp, facts: serde_json::Value) -> Result<(), Error> {
    let subject: Option<Id> = None;
    write(store, ACTOR, draft(RECORD, subject, at, facts)).await?;
    Ok(())
}
