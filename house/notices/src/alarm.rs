//! The ledger stands still: it no longer extends what was published, or it cannot be written. Told once
//! per matter and day, with a task while a decision is asked for.
//!
//! Rows and notices can still be written then: their leaves wait.

use std::path::Path;

use jiff::tz::TimeZone;
use ledger::{Fork, LedgerError};
use model::{Table, Timestamp};
use serde_json::json;
use store::{Row, Store, StoreError, derived_id};

use crate::{
    event::{self, Audience, Event},
    settings,
};

/// The record that ends a fork, by whose hand `ume ledger accept-fork` goes.
const FORKED: &str = "isms.ledger_forked";
const DECIDE_DAYS: i64 = 2;
const ACTOR: &str = "system:ledger";

/// What was told already, so that a ledger that stands still is not asked about twice a second.
#[derive(Debug, Default)]
pub struct Alarm {
    told: Option<String>,
}

impl Alarm {
    /// Tells of a fork and makes its task; returns whether it was news to this process.
    pub async fn forked(
        &mut self,
        store: &Store,
        zone: &TimeZone,
        fork: &Fork,
    ) -> Result<bool, StoreError> {
        let event = fork_event(fork);
        if self.told.as_ref() == Some(&event.key) {
            return Ok(false);
        }
        let task = fork_task(fork, store.now());
        if store.row(Table::Task, task.id).await?.is_none() {
            let mut write = store.write(ACTOR, "the ledger takes nothing", "").await?;
            write.put(task).await?;
            write.commit().await?;
        }
        self.tell(store, zone, event).await.map(|()| true)
    }

    /// Tells that the ledger cannot be written. Other errors of a round are for the list of services.
    pub async fn failed(
        &mut self,
        store: &Store,
        zone: &TimeZone,
        error: &LedgerError,
    ) -> Result<bool, StoreError> {
        let stops = matches!(
            error,
            LedgerError::Io { .. }
                | LedgerError::Poisoned
                | LedgerError::Damaged { .. }
                | LedgerError::TileDamaged { .. }
                | LedgerError::Behind { .. }
                | LedgerError::Missing(_)
        );
        let event = stop_event(store.now());
        if !stops || self.told.as_ref() == Some(&event.key) {
            return Ok(false);
        }
        self.tell(store, zone, event).await.map(|()| true)
    }

    async fn tell(
        &mut self,
        store: &Store,
        zone: &TimeZone,
        event: Event,
    ) -> Result<(), StoreError> {
        let (settings, _) = settings::load(store).await?;
        let readers = event::readers(store, zone).await?;
        event::tell(store, &settings, &readers, &event).await?;
        self.told = Some(event.key);
        Ok(())
    }
}

fn audience() -> Audience {
    Audience::roles(&["officer", "administrator", "auditor", "executive"])
}

/// Who holds the published end: the name of a file, or of a witness.
fn seen_by(place: &Path) -> String {
    place.file_name().unwrap_or(place.as_os_str()).to_string_lossy().into_owned()
}

fn fork_key(fork: &Fork) -> String {
    format!("fork/{}/{}/{}", fork.published, fork.root, fork.place.display())
}

fn fork_event(fork: &Fork) -> Event {
    let facts = json!({
        "published": fork.published, "size": fork.log, "place": seen_by(&fork.place),
    });
    Event::new("ledger_forked", format!("ledger/{}", fork_key(fork)), audience(), facts, "/ledger")
}

fn stop_event(now: Timestamp) -> Event {
    let day = now.rfc3339().get(..10).unwrap_or_default().to_owned();
    // The error itself stays on the server: it may hold anything.
    Event::new("ledger_stopped", format!("ledger/stopped/{day}"), audience(), json!({}), "/ledger")
}

/// The task to decide about a fork; of the same fork there is one.
fn fork_task(fork: &Fork, now: Timestamp) -> Row {
    let id = derived_id(Timestamp(0), &format!("ume/{}", fork_key(fork)));
    let name = format!("証跡の分岐 / Fork of the ledger {} → {}", fork.published, fork.log);
    let mut task = Row::new(Table::Task, id, "task", &name);
    let due = now.plus_hours(24 * DECIDE_DAYS);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.ends_at = Some(due);
    let attributes = json!({
        "due": due.rfc3339().get(..10),
        "zone": "UTC",
        "role": "officer",
        "closes_with": FORKED,
        "closes_where": {"published_size": fork.published},
        "remind_days": DECIDE_DAYS + 1,
        "escalation": ["1 executive"],
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use model::Id;

    use super::*;

    async fn told(store: &Store, account: Id) -> Vec<String> {
        let notices = store.notices_of(account, 99).await.unwrap();
        notices.into_iter().filter(|n| n.channel == "app").map(|n| n.kind).collect()
    }

    #[tokio::test]
    async fn a_fork_is_told_once_with_a_task_and_a_ledger_that_cannot_be_written_once_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
        let officer = store.add_account("umeko", "officer", "-").await.unwrap();
        let employee = store.add_account("taro", "employee", "-").await.unwrap();
        let fork = Fork {
            published: 9,
            root: "ab".to_owned(),
            log: 4,
            place: PathBuf::from("/data/ledger/published"),
        };
        let (mut alarm, zone) = (Alarm::default(), TimeZone::UTC);
        assert!(alarm.forked(&store, &zone, &fork).await.unwrap());
        assert!(!alarm.forked(&store, &zone, &fork).await.unwrap());
        // After a restart the queue and the register know of it.
        assert!(Alarm::default().forked(&store, &zone, &fork).await.unwrap());
        assert_eq!(told(&store, officer).await, ["ledger_forked"]);
        assert!(told(&store, employee).await.is_empty());
        let tasks = store.open_tasks(9).await.unwrap();
        assert_eq!(tasks.len(), 1);
        let decided = |published: u64| {
            let facts = json!({"decision": "d", "published_size": published, "size": 4});
            let facts = facts.as_object().cloned().unwrap();
            store::Record {
                id: Id::nil(),
                ty: FORKED.to_owned(),
                subject: None,
                actor: String::new(),
                observed_from: store.now(),
                observed_to: store.now(),
                received_at: store.now(),
                source: String::new(),
                assurance: model::Assurance::Machine,
                facts,
                payload_commit: None,
                leaf_index: None,
            }
        };
        assert!(tasks::close::fits(&tasks[0], &decided(9)).is_ok(), "accepting it closes the task");
        assert!(tasks::close::fits(&tasks[0], &decided(8)).is_err(), "of another fork it does not");

        let full = LedgerError::Io {
            path: PathBuf::from("log"),
            source: std::io::ErrorKind::StorageFull.into(),
        };
        assert!(alarm.failed(&store, &zone, &full).await.unwrap());
        assert!(!alarm.failed(&store, &zone, &LedgerError::Poisoned).await.unwrap());
        assert!(!alarm.failed(&store, &zone, &LedgerError::NoDecision).await.unwrap());
        assert_eq!(told(&store, officer).await.len(), 2);
    }
}
