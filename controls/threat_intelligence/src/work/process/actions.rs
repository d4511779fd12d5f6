//! What departments were asked for: who, until when, by which record; decisions on what is late; and the review of it.
//!
//! Invariants: an action is closed by its record and by nothing else; one that is late waits for a decision, which
//! moves its due date or takes it back, with a reason, and is recorded.

use model::{Assurance, Id, Table, Timestamp};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use crate::work::triage::{CLOSED, audience};

pub const REVIEWED: &str = "threat_intelligence.actions_reviewed";
pub const DECIDED: &str = "threat_intelligence.action_decided";
const ACTOR: &str = "system:threat_intelligence.actions";
const WINDOW_HOURS: i64 = 90 * 24;
const ACTIONS_MAX: usize = 20_000;
const NAMED_MAX: usize = 100;
const AGAIN_HOURS: i64 = 24;
/// An action is put off by no more than that at a time.
pub const EXTENDED_DAYS_MAX: i64 = 90;

/// An action with the record that closed it.
#[derive(Clone, Debug)]
pub struct Action {
    pub task: Row,
    pub closed: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Late,
    Done,
    DoneLate,
}

impl Action {
    pub fn state(&self, now: Timestamp) -> State {
        let due = self.task.ends_at.unwrap_or(now);
        let done_at = match &self.closed {
            Some(record) => Some(record.observed_to),
            None => (self.task.status == "closed").then_some(self.task.updated_at),
        };
        match done_at {
            Some(at) if at <= due => State::Done,
            Some(_) => State::DoneLate,
            None if due < now => State::Late,
            None => State::Open,
        }
    }

    fn wanted(&self, name: &str) -> &str {
        let wanted = self.task.attributes.get("closes_where").and_then(|all| all.get(name));
        wanted.and_then(Json::as_str).unwrap_or_default()
    }

    pub fn audience(&self) -> &str {
        audience(&self.task)
    }

    pub fn input(&self) -> &str {
        self.wanted("input")
    }

    /// The record of the deed that was asked for.
    pub fn closing_record(&self) -> &str {
        match self.wanted("wanted") {
            "" => CLOSED,
            wanted => wanted,
        }
    }
}

/// Whether a task is an action of this room.
pub fn is_action(task: &Row) -> bool {
    let closes = task.attributes.get("closes_with").and_then(Json::as_str);
    let wanted = task.attributes.get("closes_where");
    closes == Some(CLOSED) && wanted.is_some_and(|wanted| wanted.get("item").is_some())
}

/// Actions that are open, or were closed within 90 days; what is late first, then by due date.
pub async fn all(store: &Store) -> Result<Vec<Action>, StoreError> {
    let now = store.now();
    let since = now.minus_hours(WINDOW_HOURS);
    let mut tasks = store.open_tasks(ACTIONS_MAX).await?;
    tasks.extend(store.closed_tasks(ACTIONS_MAX).await?);
    let is_recent = |task: &Row| task.status != "closed" || task.updated_at >= since;
    tasks.retain(|task| is_action(task) && is_recent(task));
    let records = store.records_since(&[CLOSED], since, ACTIONS_MAX).await?;
    let record = |task: &Row| {
        let id = task.attributes.get("closed_by").and_then(Json::as_str)?;
        records.iter().find(|record| record.id.to_string() == id).cloned()
    };
    let mut all: Vec<Action> =
        tasks.into_iter().map(|task| Action { closed: record(&task), task }).collect();
    all.sort_by_key(|action| {
        let rank = match action.state(now) {
            State::Late => 0,
            State::Open => 1,
            State::Done | State::DoneLate => 2,
        };
        (rank, action.task.ends_at, action.task.id)
    });
    Ok(all)
}

/// An action by the id of its task.
pub async fn one(store: &Store, id: Id) -> Result<Option<Row>, StoreError> {
    let task = store.row(Table::Task, id).await?;
    Ok(task.filter(|task| is_action(task) && !task.deleted))
}

/// What somebody decides on a late action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Extend(jiff::civil::Date),
    Cancel,
}

/// Why a decision does not stand.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("the action is closed already")]
    Closed,
    #[error("the new due date must lie ahead, at most {EXTENDED_DAYS_MAX} days")]
    Date,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts an action off or takes it back, and writes down that it was decided.
pub async fn decide(
    write: &mut Write<'_>,
    mut task: Row,
    decision: Decision,
    reason: &str,
) -> Result<Record, DecideError> {
    if task.status == "closed" || task.deleted {
        return Err(DecideError::Closed);
    }
    let now = write.now();
    let mut facts = json!({
        "task": task.id,
        "audience": audience(&task),
        "decision": match decision {
            Decision::Extend(_) => "extended",
            Decision::Cancel => "cancelled",
        },
        "late_days": task.ends_at.map_or(0, |due| now.hours_since(due).max(0) / 24),
    });
    let subject = task.subject;
    match decision {
        Decision::Extend(day) => {
            let due = Timestamp::parse(&format!("{day}T23:59:59Z"));
            let ahead = now.plus_hours(24 * (EXTENDED_DAYS_MAX + 1));
            let due = due.filter(|due| *due > now && *due <= ahead).ok_or(DecideError::Date)?;
            facts["due"] = json!(day.to_string());
            task.ends_at = Some(due);
            task.attributes.insert("due".to_owned(), json!(day.to_string()));
            write.put(task).await?;
        }
        Decision::Cancel => drop(write.delete(task).await?),
    }
    let record = RecordDraft {
        ty: DECIDED.to_owned(),
        subject,
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.actions".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&json!({ "reason": reason })).ok(),
    };
    Ok(write.record(record).await?)
}

/// One run: how many were done in time, and what is late without a decision.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let now = store.now();
    let actions = all(store).await?;
    let states: Vec<State> = actions.iter().map(|action| action.state(now)).collect();
    let count = |wanted: State| states.iter().filter(|state| **state == wanted).count();
    let (done, late) = (count(State::Done), count(State::Late));
    let due = done + count(State::DoneLate) + late;
    let is_late = |pair: &(&Action, &State)| *pair.1 == State::Late;
    let named: Vec<Id> = actions
        .iter()
        .zip(&states)
        .filter(is_late)
        .map(|(action, _)| action.task.id)
        .take(NAMED_MAX)
        .collect();
    let facts = json!({
        "scope": "organisation",
        "due": due,
        "in_time_permille": (done * 1000).checked_div(due).unwrap_or(1000),
        "overdue_undecided": late,
        "late": named,
    });
    let told = store.newest_records(&[REVIEWED], None, 1).await?;
    let is_told = told.first().is_some_and(|record| {
        Some(&record.facts) == facts.as_object()
            && now.hours_since(record.observed_to) < AGAIN_HOURS
    });
    if !is_told {
        room::write(store, ACTOR, draft(REVIEWED, None, now, facts)).await?;
        ctx.house.wake();
    }
    Ok(json!({ "due": due, "late": late, "written": usize::from(!is_told) }))
}
