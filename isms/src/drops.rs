//! Answers each drop of a level: a task at once, and a daily record of how drops were answered
//! (isms/matsu-4).
//!
//! Idempotent: the task's id follows from the record of the drop, so that a drop never gets two.

use std::collections::BTreeMap;

use model::{Assurance, Id, Level, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError};

/// The record type that tells of a change of a level.
pub const LEVEL_CHANGED: &str = "isms.level_changed";
/// The record type that tells how drops were answered.
pub const DROPS_STATE: &str = "isms.drops_state";

const DROPS_MAX: usize = 10_000;
const RECALLED_MAX: usize = 1_000;
/// Drops are counted as long as the criterion's evidence is fresh.
const WINDOW_HOURS: i64 = 2160;
const STATE_EVERY_HOURS: i64 = 24;
/// How long a drop may take to be mended.
const TASK_DAYS: i64 = 14;
const TASK_WITHIN_HOURS: i64 = 24;
const ACTOR: &str = "system:isms.drops";

/// The levels between which a change went, if it went down.
pub fn drop_of(record: &Record) -> Option<(Level, Level)> {
    let level = |name| record.facts.get(name).and_then(Json::as_str).and_then(Level::parse);
    let (from, to) = (level("from")?, level("to")?);
    (to < from).then_some((from, to))
}

/// The task that answers a drop.
pub fn task_id(drop: &Record) -> Id {
    store::derived_id(drop.observed_to, &format!("ume/drop/{}", drop.id))
}

/// Takes over the last recorded level of each control, so that a drop while no server ran is seen.
pub async fn recall(
    store: &Store,
    known: &mut BTreeMap<&'static str, Level>,
) -> Result<(), StoreError> {
    let mut changes = store.newest_records(&[LEVEL_CHANGED], None, RECALLED_MAX).await?;
    changes.reverse();
    for change in changes {
        let fact = |name: &str| change.facts.get(name).and_then(Json::as_str);
        if let (Some(control), Some(level)) = (fact("control"), fact("to").and_then(Level::parse))
            && let Some(known) = known.get_mut(control)
        {
            *known = level;
        }
    }
    Ok(())
}

/// Makes the tasks that are missing, and once a day the record; returns the number of new tasks.
pub async fn answer(store: &Store) -> Result<usize, StoreError> {
    let now = store.now();
    let since = now.minus_hours(WINDOW_HOURS);
    let changes = store.records_since(&[LEVEL_CHANGED], since, DROPS_MAX).await?;
    let drops: Vec<&Record> = changes.iter().filter(|r| drop_of(r).is_some()).collect();
    let mut made = 0;
    let mut answered = Vec::new();
    for drop in drops {
        let task = match store.row(Table::Task, task_id(drop)).await? {
            Some(task) => task,
            None => {
                made += 1;
                make_task(store, drop).await?
            }
        };
        answered.push((drop.observed_to, task));
    }
    let newest = store.newest_records(&[DROPS_STATE], None, 1).await?;
    let due = newest.first().is_none_or(|r| now.hours_since(r.observed_to) >= STATE_EVERY_HOURS);
    if due || made > 0 {
        record_state(store, &answered).await?;
    }
    Ok(made)
}

async fn make_task(store: &Store, drop: &Record) -> Result<Row, StoreError> {
    let (from, to) = drop_of(drop).unwrap_or((Level::None, Level::None));
    let control = drop.facts.get("control").and_then(Json::as_str).unwrap_or("").to_owned();
    // Control and signs, because a row's name has no second language.
    let name = format!("{control} {} → {}", from.sign(), to.sign());
    let mut task = Row::new(Table::Task, task_id(drop), "task", &name);
    let due = drop.observed_to.max(store.now()).plus_hours(24 * TASK_DAYS);
    task.status = "open".to_owned();
    task.ends_at = Some(due);
    task.schema_version = 2;
    task.attributes = json!({
        "due": due.rfc3339().get(..10),
        "zone": "UTC",
        "role": "officer",
        "closes_with": LEVEL_CHANGED,
        // Only a rise of the same control to what it had mends the drop.
        "closes_where": {"control": control, "to": at_least(from)},
        "remind_days": 3,
        "escalation": ["1 risk_owner", "7 executive"],
    })
    .as_object()
    .cloned()
    .unwrap_or_default();
    let mut write = store.write(ACTOR, "level dropped", "").await?;
    let task = write.put(task).await?;
    write.commit().await?;
    Ok(task)
}

fn at_least(level: Level) -> Vec<&'static str> {
    Level::RUNGS.into_iter().filter(|l| *l >= level).map(Level::name).collect()
}

/// How many drops there were, how many had no task in time, and how many tasks were closed in time.
fn state(now: Timestamp, answered: &[(Timestamp, Row)]) -> (u64, u64, u64) {
    let late = |(at, task): &&(Timestamp, Row)| {
        task.created_at > at.plus_hours(TASK_WITHIN_HOURS) || task.deleted
    };
    let without = answered.iter().filter(late).count() as u64;
    // A task that may still be closed in time says nothing yet.
    let decided: Vec<&Row> = answered
        .iter()
        .map(|(_, task)| task)
        .filter(|task| task.status == "closed" || task.ends_at.is_some_and(|due| due < now))
        .collect();
    let in_time = decided
        .iter()
        .filter(|t| t.status == "closed" && t.ends_at.is_none_or(|due| t.updated_at <= due))
        .count() as u64;
    let permille = (in_time * 1000).checked_div(decided.len() as u64).unwrap_or(1000);
    (answered.len() as u64, without, permille)
}

async fn record_state(store: &Store, answered: &[(Timestamp, Row)]) -> Result<(), StoreError> {
    let now = store.now();
    let (drops, without, permille) = state(now, answered);
    let mut facts = Map::new();
    facts.insert("scope".into(), json!("organisation"));
    facts.insert("drops".into(), json!(drops));
    facts.insert("without_task_in_24_h".into(), json!(without));
    facts.insert("closed_in_time_permille".into(), json!(permille));
    let mut write = store.write(ACTOR, "daily", "").await?;
    write
        .record(RecordDraft {
            ty: DROPS_STATE.to_owned(),
            subject: None,
            observed_from: now.minus_hours(WINDOW_HOURS),
            observed_to: now,
            source: "isms.drops".to_owned(),
            assurance: Assurance::Machine,
            facts,
            payload: None,
        })
        .await?;
    write.commit().await
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;

    const START: Timestamp = Timestamp(1_795_600_000_000_000);

    async fn change(store: &Store, from: &str, to: &str) {
        let facts = json!({"control": "8.9", "from": from, "to": to});
        let mut write = store.write("test", "", "").await.unwrap();
        let now = store.now();
        let draft = RecordDraft {
            ty: LEVEL_CHANGED.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap(),
            payload: None,
        };
        write.record(draft).await.unwrap();
        write.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_drop_gets_one_task_and_a_rise_none() {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(START.0));
        let clock = time.clone();
        let store =
            Store::open(folder.path(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))))
                .await
                .unwrap();
        change(&store, "none", "ume").await;
        assert_eq!(answer(&store).await.unwrap(), 0);
        // Records of one moment have no order.
        time.fetch_add(1_000_000, Ordering::SeqCst);
        change(&store, "take", "ume").await;
        assert_eq!(answer(&store).await.unwrap(), 1);
        assert_eq!(answer(&store).await.unwrap(), 0, "never two");
        let tasks = store.all(Table::Task, &[]).await.unwrap();
        assert_eq!(tasks.len(), 1);
        assert_eq!(tasks[0].name, "8.9 竹 → 梅");
        assert_eq!(
            crate::SPEC
                .others
                .iter()
                .find(|k| k.id == "task")
                .unwrap()
                .validate(&tasks[0].attributes),
            []
        );
        let state = |records: Vec<Record>| records[0].facts.clone();
        let first = state(store.newest_records(&[DROPS_STATE], None, 1).await.unwrap());
        assert_eq!((&first["drops"], &first["without_task_in_24_h"]), (&json!(1), &json!(0)));
        // Nobody closes it: past its date it counts against the organisation.
        time.store(START.plus_hours(24 * 15).0, Ordering::SeqCst);
        answer(&store).await.unwrap();
        let later = state(store.newest_records(&[DROPS_STATE], None, 1).await.unwrap());
        assert_eq!(later["closed_in_time_permille"], json!(0));
    }

    #[tokio::test]
    async fn a_drop_that_waited_longer_than_a_day_for_its_task_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(START.0));
        let clock = time.clone();
        let store =
            Store::open(folder.path(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))))
                .await
                .unwrap();
        change(&store, "matsu", "none").await;
        time.store(START.plus_hours(25).0, Ordering::SeqCst);
        answer(&store).await.unwrap();
        let state = store.newest_records(&[DROPS_STATE], None, 1).await.unwrap();
        assert_eq!(state[0].facts["without_task_in_24_h"], json!(1));
    }
}
