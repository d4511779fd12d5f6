//! The rules of one agent on the centre's side: made from the register, numbered, signed.
//!
//! Invariants: what the rules mean is said by a room ([`RuleKind`]), not here; a set is signed for one
//! agent and for some days; its serial rises whenever its content changes, also above what the agent
//! says it has, so that a centre restored from an older backup is followed again.

use ledger::LedgerError;
use serde_json::Value as Json;
use store::{Agent, Filter, PAGE_ROWS_MAX, Row, StoreError};

use crate::{centre::Centre, protocol::rules_text};

/// How long a signed set is taken over by an agent.
const DAYS: i64 = 14;
/// Most that an agent may claim to have; it could lift the serial to the end otherwise.
const SERIAL_MAX: u64 = 1 << 60;

/// The kind of rule that agents work by, and what rows of it tell the agent of a host.
#[derive(Clone, Copy)]
pub struct RuleKind {
    pub kind: &'static str,
    pub of: fn(&[Row], &Row) -> Json,
}

/// What an agent should work by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub serial: u64,
    pub root: String,
    /// Canonical JSON.
    pub rules: String,
}

impl Centre {
    /// The rules of an agent as the register has them now; `have` is the serial it says it works by.
    pub(crate) async fn rules_for(&self, agent: &Agent, have: u64) -> Result<Wanted, StoreError> {
        let store = &self.house.store;
        let filter = Filter {
            kind: Some(self.rules.kind.to_owned()),
            limit: PAGE_ROWS_MAX,
            ..Filter::default()
        };
        let rows = store.list(model::Table::Rule, &filter).await?;
        let host = store.row(model::Table::Asset, agent.asset).await?;
        let host =
            host.unwrap_or_else(|| Row::new(model::Table::Asset, agent.asset, "host", &agent.name));
        let rules = (self.rules.of)(&rows, &host);
        let rules = model::canonical::to_string(&rules)
            .map_err(|error| StoreError::Column(format!("rules for an agent: {error}")))?;
        let root = crate::fingerprint(rules.as_bytes());
        let have = i64::try_from(have.min(SERIAL_MAX)).unwrap_or(0);
        let serial = store.number_agent_rules(agent.id, &root, have).await?;
        Ok(Wanted { serial: serial.unsigned_abs(), root, rules })
    }

    /// The same as a signed note.
    pub(crate) async fn sign_rules(
        &self,
        agent: &Agent,
        wanted: &Wanted,
    ) -> Result<String, LedgerError> {
        let until = self.house.store.now().plus_hours(DAYS * 24);
        let text = rules_text(&agent.id.to_string(), wanted.serial, until, &wanted.rules);
        self.house.ledger.lock().await.sign(&text)
    }
}
