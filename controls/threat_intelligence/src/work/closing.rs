//! Closes what was asked of administrators about indicators, by the records of the deed: the set in force is applied
//! where events are evaluated, and it was looked for in what came before.
//!
//! Invariant: nothing is closed by a wish. Both records name the root of the set in force, and the set in force was
//! made after the item was judged.

use model::{Id, Table};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store};

use super::{actions, publish::PUBLISHED, triage::Input};

const JOB: &str = "threat_intelligence.closing";
const APPLIED: &str = "house.rules_applied";
const ACTIVATED: &str = "monitoring.rule_activated";
const HUNT: &str = "monitoring.hunt_run";
const TASKS_MAX: usize = 500;
/// Newest records of each type that are looked at.
const RECORDS_MAX: usize = 50;

/// What shows that the set in force is at work.
struct Proof {
    published: Record,
    applied: Id,
    hunt: Id,
}

/// One run: closes what the records bear out.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let tasks = open(store).await?;
    if tasks.is_empty() {
        return Ok(json!({ "open": 0, "closed": 0 }));
    }
    let Some(proof) = proof(store).await? else {
        return Ok(json!({ "open": tasks.len(), "closed": 0 }));
    };
    let mut closed = 0;
    for task in &tasks {
        // What was judged after the set was made may not be in it.
        if task.created_at > proof.published.received_at {
            continue;
        }
        let deed = format!("{APPLIED} {} / {HUNT} {}", proof.applied, proof.hunt);
        closed += usize::from(actions::close(store, task, &deed, JOB).await?);
    }
    if closed > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "open": tasks.len(), "closed": closed }))
}

async fn open(store: &Store) -> Result<Vec<Row>, Error> {
    let filter = store::Filter {
        kind: Some("task".to_owned()),
        status: Some("open".to_owned()),
        limit: TASKS_MAX,
        ..store::Filter::default()
    };
    let mut tasks = store.list(Table::Task, &filter).await?;
    tasks.retain(|task| {
        let input = task.attributes.get("closes_where").and_then(|wanted| wanted.get("input"));
        input.and_then(Json::as_str) == Some(Input::Indicator.as_str()) && task.subject.is_some()
    });
    Ok(tasks)
}

async fn proof(store: &Store) -> Result<Option<Proof>, Error> {
    let newest = store.newest_records(&[PUBLISHED], None, 1).await?;
    let Some(published) = newest.into_iter().next() else { return Ok(None) };
    let root = published.facts.get("root").cloned().unwrap_or_default();
    let is_of = |record: &Record, field: &str| {
        record.facts.get("kind").and_then(Json::as_str) == Some("indicators")
            && record.facts.get(field) == Some(&root)
    };
    let applied = store.newest_records(&[APPLIED], None, RECORDS_MAX).await?;
    let applied = applied.iter().find(|record| is_of(record, "root")).map(|record| record.id);
    let activated = store.newest_records(&[ACTIVATED], None, RECORDS_MAX).await?;
    let activated = activated.iter().find(|record| is_of(record, "hash")).map(|record| record.id);
    let (Some(applied), Some(activated)) = (applied, activated) else { return Ok(None) };
    let hunts = store.newest_records(&[HUNT], Some(activated), 1).await?;
    Ok(hunts.first().map(|hunt| Proof { published, applied, hunt: hunt.id }))
}
