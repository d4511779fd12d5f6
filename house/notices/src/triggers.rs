//! What people are told of: reads the register and tells what is new. Idempotent, since each event
//! has a key of its own.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use model::{Level, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Reader, Row, Store, StoreError};
use web::access::{Action, allowed};

use crate::{
    event::{Audience, Event, readers, tell},
    settings,
};

const LEVEL_CHANGED: &str = "isms.level_changed";
const FINDING: &str = "monitoring.finding";
const FINDINGS_LOOKED_AT_MAX: usize = 1_000;
const DROPS_LOOKED_AT_MAX: usize = 1_000;
/// What changed longer ago is no news.
const NEWS_HOURS: i64 = 72;
const EXPIRING_HOURS: i64 = 24 * 14;
const REMIND_DAYS: i64 = 1;
const TASKS_LOOKED_AT_MAX: usize = 10_000;
/// Keys remembered between runs; past this they are asked of the database again.
const TOLD_MAX: usize = 100_000;

/// Remembers what was told, so that a quiet run writes nothing.
#[derive(Default)]
pub struct Triggers {
    told: HashSet<String>,
}

impl Triggers {
    /// Tells everything that is new; returns the number of new notices.
    pub async fn run(&mut self, store: &Store, zone: &TimeZone) -> Result<u64, StoreError> {
        let readers = readers(store, zone).await?;
        let mut events = drops(store).await?;
        events.extend(tasks(store, &readers).await?);
        events.extend(decisions(store).await?);
        events.extend(jobs(store).await?);
        events.extend(findings(store).await?);
        let (settings, _) = settings::load(store).await?;
        if self.told.len() > TOLD_MAX {
            self.told.clear();
        }
        let mut added = 0;
        for event in events {
            if self.told.contains(&event.key) {
                continue;
            }
            added += tell(store, &settings, &readers, &event).await?;
            self.told.insert(event.key);
        }
        Ok(added)
    }
}

async fn drops(store: &Store) -> Result<Vec<Event>, StoreError> {
    let since = store.now().minus_hours(NEWS_HOURS);
    let changes = store.records_since(&[LEVEL_CHANGED], since, DROPS_LOOKED_AT_MAX).await?;
    let event = |record: &store::Record| {
        let fact = |name: &str| record.facts.get(name).and_then(Json::as_str);
        let (from, to) = (Level::parse(fact("from")?)?, Level::parse(fact("to")?)?);
        (to < from).then(|| {
            let facts = json!({"control": fact("control"), "from": fact("from"), "to": fact("to")});
            let audience = Audience::roles(&["officer", "risk_owner", "executive"]);
            let path = format!("/review/drop/{}", record.id);
            Event::new("level_dropped", format!("level/{}", record.id), audience, facts, &path)
        })
    };
    Ok(changes.iter().filter_map(event).collect())
}

/// What rules found: those who run the machines hear of it from medium on, those who answer for security too
/// where it is grave.
async fn findings(store: &Store) -> Result<Vec<Event>, StoreError> {
    let since = store.now().minus_hours(NEWS_HOURS);
    let found = store.records_since(&[FINDING], since, FINDINGS_LOOKED_AT_MAX).await?;
    let event = |record: &store::Record| {
        let fact = |name: &str| record.facts.get(name).and_then(Json::as_str).unwrap_or("");
        let audience = match fact("severity") {
            "critical" | "high" => Audience::roles(&["administrator", "officer"]),
            "medium" => Audience::roles(&["administrator"]),
            _ => return None,
        };
        let titles = [fact("title_ja"), fact("title_en")].map(str::trim);
        let title = match titles {
            ["", ""] => fact("class").to_owned(),
            ["", one] | [one, ""] => one.to_owned(),
            [ja, en] if ja == en => ja.to_owned(),
            [ja, en] => format!("{ja} / {en}"),
        };
        let path = format!("/findings/{}", record.id);
        let key = format!("finding/{}", record.id);
        Some(Event::new("finding", key, audience, json!({ "title": title }), &path))
    };
    Ok(found.iter().filter_map(event).collect())
}

async fn tasks(store: &Store, readers: &[Reader]) -> Result<Vec<Event>, StoreError> {
    let now = store.now();
    let open = store.open_tasks(TASKS_LOOKED_AT_MAX).await?;
    Ok(open.iter().flat_map(|task| task_events(task, readers, now)).collect())
}

/// Reminder, notice of being overdue, and each rung of the escalation that was reached.
fn task_events(task: &Row, readers: &[Reader], now: Timestamp) -> Vec<Event> {
    let Some(due) = task.ends_at else { return Vec::new() };
    let remind = task.attributes.get("remind_days").and_then(Json::as_i64).unwrap_or(REMIND_DAYS);
    let own =
        || Audience::Accounts(tasks::whose::readers(task, readers).iter().map(|r| r.id).collect());
    let path = format!("/tasks/{}/close", task.id);
    let facts = |days: i64| json!({"task": task.name, "due_at": due.rfc3339(), "days": days});
    let event = |kind, key: String, audience, days| {
        let key = format!("task/{}/{}/{key}", task.id, due.0);
        Event::new(kind, key, audience, facts(days), &path)
    };
    if now <= due {
        let soon = due.minus_hours(24 * remind) <= now;
        return soon.then(|| event("task_due", "due".into(), own(), 0)).into_iter().collect();
    }
    let days = now.hours_since(due) / 24;
    let mut events = vec![event("task_overdue", "overdue".into(), own(), days)];
    let reached = web::task_rules::escalations(&task.attributes);
    for rung in reached.into_iter().filter(|rung| rung.days <= days) {
        let key = format!("escalated/{}/{}", rung.days, rung.role);
        events.push(event("task_escalated", key, Audience::Roles(vec![rung.role]), days));
    }
    events
}

/// Requests for approval; and approved decisions that end within two weeks, unless a later one took
/// their place.
async fn decisions(store: &Store) -> Result<Vec<Event>, StoreError> {
    let now = store.now();
    let soon = now.plus_hours(EXPIRING_HOURS);
    let all = store.all(Table::Decision, &[]).await?;
    let renewed = |d: &Row| {
        let same = |o: &&Row| o.kind == d.kind && o.subject == d.subject && o.status == "approved";
        d.subject.is_some() && all.iter().filter(same).any(|o| o.ends_at > d.ends_at)
    };
    let expiring = all.iter().filter(|d| d.status == "approved" && !renewed(d));
    let event = |decision: &Row| {
        let end = decision.ends_at.filter(|end| *end > now && *end <= soon)?;
        let facts = json!({"decision": decision.name, "until_at": end.rfc3339()});
        let key = format!("decision/{}/{}", decision.id, end.0);
        let audience = Audience::roles(&["officer", "risk_owner"]);
        let path = format!("/row/decision/{}", decision.id);
        Some(Event::new("decision_expiring", key, audience, facts, &path))
    };
    let asked = all.iter().filter(|d| d.status == web::decide::PROPOSED).map(|request| {
        let facts = json!({"decision": request.name});
        let audience = Audience::Roles(deciders());
        let key = format!("decision/{}/asked", request.id);
        Event::new("approval_asked", key, audience, facts, "/approvals")
    });
    Ok(expiring.filter_map(event).chain(asked).collect())
}

/// Roles that may sign.
fn deciders() -> Vec<String> {
    let roles = web::access::ROLES.into_iter();
    roles.filter(|role| allowed(role, Action::Decide)).map(str::to_owned).collect()
}

/// Jobs whose last run failed, told once a day. The error stays on the server: it may hold anything.
async fn jobs(store: &Store) -> Result<Vec<Event>, StoreError> {
    let failing = store.failing_jobs().await?;
    let event = |(name, started, _): &(String, Timestamp, String)| {
        let day = started.rfc3339().get(..10).unwrap_or_default().to_owned();
        let audience = Audience::roles(&["administrator", "officer"]);
        let facts = json!({"job": name});
        Event::new("job_failing", format!("job/{name}/{day}"), audience, facts, "/notices")
    };
    Ok(failing.iter().map(event).collect())
}

/// The event of a verification that found mismatches, told once a day and place.
pub fn ledger_fault(place: &str, faults: usize, now: Timestamp) -> Event {
    let day = now.rfc3339().get(..10).unwrap_or_default().to_owned();
    let audience = Audience::roles(&["officer", "administrator", "auditor"]);
    let facts = json!({"place": place, "faults": faults});
    Event::new("ledger_fault", format!("ledger/{place}/{day}"), audience, facts, "/ledger")
}

#[cfg(test)]
#[path = "triggers_tests.rs"]
mod tests;
