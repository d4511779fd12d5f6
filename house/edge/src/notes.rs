//! What the centre writes down about its agents: which rules they work by, who fell silent, whose clock
//! is off. Once per change, not once per request; the rules also twice a day, so that the evidence ages
//! only when the agent no longer says it.

use std::collections::HashMap;

use model::{Assurance, Id, Timestamp};
use serde_json::json;
use store::{Agent, Record, RecordDraft, Store, StoreError};
use tokio::sync::Mutex;

use crate::{
    centre::{Centre, actor},
    pages::SILENT_MINUTES,
    protocol::Report,
    rules::Wanted,
};

/// A clock may differ so much; a request takes some of it on its way.
pub const CLOCK_SECONDS_MAX: i64 = 60;
const RULES_EVERY_HOURS: i64 = 12;
const REMEMBERED_MAX: usize = 100;
const CHANGED: &str = "house.agent_changed";
const APPLIED: &str = "house.rules_applied";
/// What the rules that agents work by are called in records.
const KIND: &str = "agent_rules";

/// What was written last of each agent. Empty after a start: then the records say it.
pub(crate) struct Notes {
    opened: Timestamp,
    known: Mutex<HashMap<Id, Note>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Note {
    silent: bool,
    clock_off: bool,
    /// Root, serial, files that the agent does not open, and time.
    rules: Option<(String, u64, u64, Timestamp)>,
}

impl Notes {
    pub(crate) fn new(opened: Timestamp) -> Notes {
        Notes { opened, known: Mutex::default() }
    }
}

impl Note {
    /// What the newest records of the agent say, newest first.
    fn read(agent: &Agent, records: &[Record]) -> Note {
        // What somebody handed in says nothing about what was written here.
        let ours = |r: &&Record, id: &str| {
            r.assurance == Assurance::Machine
                && r.facts.get(id).is_some_and(|v| *v == json!(agent.id))
        };
        let changes = || {
            let ours = records.iter().filter(|r| r.ty == CHANGED && ours(r, "agent_id"));
            ours.filter_map(|r| r.facts.get("change")?.as_str())
        };
        let newest = |of: [&str; 2]| changes().find(|change| of.contains(change));
        let rules = records.iter().find(|r| r.ty == APPLIED && ours(r, "edge")).and_then(|r| {
            let serial = r.facts.get("serial")?.as_u64()?;
            let denied = r.facts.get("denied").and_then(|d| d.as_u64()).unwrap_or(0);
            Some((r.facts.get("root")?.as_str()?.to_owned(), serial, denied, r.observed_to))
        });
        Note {
            silent: newest(["silent", "returned"]) == Some("silent"),
            clock_off: newest(["clock_off", "clock_right"]) == Some("clock_off"),
            rules,
        }
    }
}

async fn recall(store: &Store, agent: &Agent) -> Result<Note, StoreError> {
    let mut records = store.newest_records(&[CHANGED], Some(agent.asset), REMEMBERED_MAX).await?;
    records.extend(store.newest_records(&[APPLIED], Some(agent.asset), REMEMBERED_MAX).await?);
    Ok(Note::read(agent, &records))
}

impl Centre {
    /// Writes down what is new in the agent's report.
    pub(crate) async fn note_report(
        &self,
        agent: &Agent,
        report: &Report,
        wanted: &Wanted,
    ) -> Result<(), StoreError> {
        let mut known = self.noted.known.lock().await;
        let store = &self.house.store;
        let before = match known.get(&agent.id) {
            Some(note) => note.clone(),
            None => recall(store, agent).await?,
        };
        let now = store.now();
        let ahead = (report.clock - now.0) / 1_000_000;
        let mut after = Note { silent: false, clock_off: is_off(ahead), ..before.clone() };
        let applied = applied(report, wanted) && due(before.rules.as_ref(), report, now);
        if applied {
            let denied = report.denied.len() as u64;
            after.rules = Some((report.rules.clone(), report.rules_serial, denied, now));
        }
        if before != after {
            let mut write = store.write(&actor(agent.id), "report of an agent", "").await?;
            if before.silent {
                tracing::warn!(name = agent.name, "a silent agent is back");
                write.agent_changed(agent, "returned", json!({})).await?;
            }
            if before.clock_off != after.clock_off {
                let change = if after.clock_off { "clock_off" } else { "clock_right" };
                tracing::warn!(name = agent.name, ahead, change, "the clock of an agent changed");
                write.agent_changed(agent, change, json!({"clock_ahead": ahead})).await?;
            }
            if applied {
                write.record(draft(agent, report, now)).await?;
            }
            write.commit().await?;
            self.house.wake();
        }
        known.insert(agent.id, after);
        Ok(())
    }

    /// Writes down which agents fell silent. A centre that was away itself first waits for them.
    pub(crate) async fn note_silence(&self) -> Result<(), StoreError> {
        let store = &self.house.store;
        let before = Timestamp(store.now().0 - SILENT_MINUTES * 60_000_000);
        if before < self.noted.opened {
            return Ok(());
        }
        for agent in store.agents_unheard(before).await? {
            let mut known = self.noted.known.lock().await;
            let note = match known.get(&agent.id) {
                Some(note) => note.clone(),
                None => recall(store, &agent).await?,
            };
            if !note.silent {
                tracing::error!(name = agent.name, minutes = SILENT_MINUTES, "an agent is silent");
                let mut write = store.write("system:agents", "nothing was heard", "").await?;
                write.agent_changed(&agent, "silent", json!({})).await?;
                write.commit().await?;
                self.house.wake();
            }
            known.insert(agent.id, Note { silent: true, ..note });
        }
        Ok(())
    }
}

fn is_off(ahead: i64) -> bool {
    ahead.abs() > CLOCK_SECONDS_MAX
}

/// Whether the agent works by what this centre signed; anything else is no evidence.
fn applied(report: &Report, wanted: &Wanted) -> bool {
    report.rules == wanted.root && report.rules_serial == wanted.serial
}

fn due(known: Option<&(String, u64, u64, Timestamp)>, report: &Report, now: Timestamp) -> bool {
    known.is_none_or(|(root, serial, denied, at)| {
        *root != report.rules
            || *serial != report.rules_serial
            || *denied != report.denied.len() as u64
            || now.hours_since(*at) >= RULES_EVERY_HOURS
    })
}

fn draft(agent: &Agent, report: &Report, now: Timestamp) -> RecordDraft {
    let facts = json!({
        "edge": agent.id,
        "kind": KIND,
        "root": report.rules,
        "serial": report.rules_serial,
        "denied": report.denied.len(),
    });
    RecordDraft {
        ty: APPLIED.to_owned(),
        subject: Some(agent.asset),
        observed_from: now,
        observed_to: now,
        source: format!("agent {} ({})", agent.id, agent.name),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}
