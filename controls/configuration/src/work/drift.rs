//! Differences between snapshots as people decide on them.
//!
//! Invariants: a difference is judged by the machine once and decided by people once, a lapsed exception
//! apart; nobody decides what they proposed; a revert is over when a newer snapshot shows the old value,
//! and by nothing else.

pub mod days;
pub mod plan;
pub mod settle;
pub mod undo;

use std::collections::HashMap;

use baseline::{Bytes, Class, Delta, Origin, Value};
use model::{Id, Table, Text, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Record, Store, StoreError};

pub use plan::{Outcome, Plan};

pub const DRIFT: &str = "configuration.drift";
pub const DECIDED: &str = "configuration.drift_decided";
pub(in crate::work) const SNAPSHOT: &str = "configuration.snapshot";
/// Working days within which what nobody authorised is decided.
pub const DAYS_MAX: i64 = 3;
/// Items of one record that a document holds.
const ITEMS_MAX: usize = 50;
/// The class that waits for people.
pub const UNAUTHORISED: &str = "unauthorised";

/// One setting that differs.
#[derive(Clone, Debug)]
pub struct Item {
    pub delta: Delta,
    pub class: String,
    /// Stable word of the verdict.
    pub reason: String,
    /// Mask, package or change that decided.
    pub by: String,
    pub actor: Option<Actor>,
    /// The snapshots before and after.
    pub snapshots: Option<(Id, Id)>,
}

/// Who made it, as far as it is known.
#[derive(Clone, Debug)]
pub struct Actor {
    pub party: String,
    /// Program, session, command.
    pub evidence: String,
    pub at: Option<Timestamp>,
}

/// A record of drift with what it holds and what was decided.
#[derive(Clone, Debug)]
pub struct Drift {
    pub record: Record,
    /// Empty where the payload was shredded or not asked for.
    pub items: Vec<Item>,
    pub decided: Option<Record>,
}

/// Where a difference stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Judged by the machine: nobody has to decide.
    Settled,
    Open,
    /// Open for longer than it may be.
    Late,
    /// A plan waits for its signature.
    Planned(Id),
    /// A revert is approved; no snapshot shows the old value yet.
    Reverting(Id),
    Decided(Outcome),
    /// Its exception has ended.
    Lapsed,
}

impl State {
    pub const NAMES: [&'static str; 7] =
        ["settled", "open", "late", "planned", "reverting", "decided", "lapsed"];

    pub fn name(&self) -> &'static str {
        match self {
            State::Settled => "settled",
            State::Open => "open",
            State::Late => "late",
            State::Planned(_) => "planned",
            State::Reverting(_) => "reverting",
            State::Decided(_) => "decided",
            State::Lapsed => "lapsed",
        }
    }

    pub fn text(&self) -> Text {
        match self {
            State::Settled => t("決定不要", "Nothing to decide"),
            State::Open => t("未決定", "Undecided"),
            State::Late => t("未決定（期限超過）", "Undecided, overdue"),
            State::Planned(_) => t("承認待ち", "Waiting for approval"),
            State::Reverting(_) => t("復元中（採取待ち）", "To be reverted: waits for a snapshot"),
            State::Decided(outcome) => outcome.text(),
            State::Lapsed => t("例外の期限切れ", "Its exception has ended"),
        }
    }

    /// Whether somebody still has to do something.
    pub fn is_open(&self) -> bool {
        !matches!(self, State::Settled | State::Decided(_))
    }

    /// Whether somebody may propose what becomes of it.
    pub fn takes_a_plan(&self) -> bool {
        matches!(self, State::Open | State::Late | State::Lapsed)
    }
}

impl Drift {
    pub fn fact(&self, name: &str) -> &str {
        self.record.facts.get(name).and_then(Json::as_str).unwrap_or("")
    }

    pub fn is_unauthorised(&self) -> bool {
        self.fact("class") == UNAUTHORISED
    }

    pub fn host(&self) -> Option<Id> {
        self.record.subject
    }

    /// Where it stands, given the plans about it.
    pub fn state(&self, plans: &[&Plan], clock: &days::Clock<'_>) -> State {
        if !self.is_unauthorised() {
            return State::Settled;
        }
        // A newer plan goes before what an older one decided: an exception that lapsed is decided anew.
        let waiting = plans.iter().filter(|plan| plan.waits());
        if let Some(plan) = waiting.max_by_key(|plan| plan.row.created_at) {
            return State::Planned(plan.row.id);
        }
        if let Some(decided) = &self.decided {
            let outcome = decided.facts.get("outcome").and_then(Json::as_str).unwrap_or("");
            let outcome = Outcome::parse(outcome).unwrap_or(Outcome::Adopted);
            if outcome == Outcome::Excepted && !plans.iter().any(|p| p.excepts(clock.now)) {
                return State::Lapsed;
            }
            return State::Decided(outcome);
        }
        if let Some(plan) = plans.iter().find(|plan| plan.is_revert_agreed()) {
            return State::Reverting(plan.row.id);
        }
        match clock.days_since(self.record.observed_to) > DAYS_MAX {
            true => State::Late,
            false => State::Open,
        }
    }
}

fn items(payload: &[u8]) -> Vec<Item> {
    let json: Json = serde_json::from_slice(payload).unwrap_or(Json::Null);
    json.as_array().into_iter().flatten().filter_map(item).collect()
}

fn item(json: &Json) -> Option<Item> {
    let (delta, verdict) = (&json["delta"], &json["verdict"]);
    let value = |name: &str| match &delta[name] {
        Json::Null => None,
        value => Value::from_json(value),
    };
    let text = |json: &Json| json.as_str().unwrap_or("").to_owned();
    let snapshot = |name: &str| json[name].as_str().and_then(|id| id.parse::<Id>().ok());
    let actor = verdict["actor"].as_object().map(|actor| Actor {
        party: text(actor.get("party").unwrap_or(&Json::Null)),
        evidence: text(actor.get("evidence").unwrap_or(&Json::Null)),
        at: actor.get("at").and_then(Json::as_i64).map(|s| Timestamp(s.saturating_mul(1_000_000))),
    });
    Some(Item {
        delta: Delta {
            class: Class::named(delta["class"].as_str()?)?,
            name: Bytes::parse(delta["name"].as_str()?),
            before: value("before"),
            after: value("after"),
            origin: Origin::parse(delta["origin"].as_str().unwrap_or("default")),
        },
        class: text(&verdict["class"]),
        reason: text(&verdict["reason"]),
        by: text(&verdict["by"]),
        actor,
        snapshots: snapshot("old").zip(snapshot("new")),
    })
}

/// Joins records with what they hold and what was decided: two statements.
pub async fn with_all(store: &Store, records: Vec<Record>) -> Result<Vec<Drift>, StoreError> {
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let mut payloads = store.payloads(&ids).await?;
    let mut found = with_decisions(store, records).await?;
    for drift in &mut found {
        drift.items = payloads.remove(&drift.record.id).map(|p| items(&p)).unwrap_or_default();
    }
    Ok(found)
}

/// Joins records with what was decided.
pub async fn with_decisions(store: &Store, records: Vec<Record>) -> Result<Vec<Drift>, StoreError> {
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let decided = store.present().records_about(DECIDED, &ids, Timestamp(i64::MAX)).await?;
    let mut decided: HashMap<Id, Record> =
        decided.into_iter().filter_map(|record| Some((record.subject?, record))).collect();
    let join = |record: Record| {
        let decided = decided.remove(&record.id);
        Drift { record, items: Vec::new(), decided }
    };
    Ok(records.into_iter().map(join).collect())
}

/// Records of drift by id, those that are none left out.
pub async fn by_ids(store: &Store, ids: &[Id]) -> Result<Vec<Drift>, StoreError> {
    let mut records = Vec::new();
    for id in ids {
        records.extend(store.record(*id).await?.filter(|record| record.ty == DRIFT));
    }
    with_all(store, records).await
}

/// Values that approved plans bring back on a host, so that bringing them back is no drift of its own.
pub(in crate::work) async fn being_reverted(
    store: &Store,
    host: Id,
) -> Result<Vec<(Class, Bytes, Option<Value>)>, StoreError> {
    let mut found = Vec::new();
    for plan in plan::all(store).await?.iter().filter(|plan| plan.is_revert_agreed()) {
        let drifts = by_ids(store, &plan.drifts).await?;
        let open = drifts.iter().filter(|d| d.decided.is_none() && d.host() == Some(host));
        for item in open.flat_map(|drift| &drift.items) {
            let Delta { class, name, before, .. } = &item.delta;
            found.push((*class, name.clone(), before.clone()));
        }
    }
    Ok(found)
}

/// Names of hosts.
pub async fn host_names(store: &Store, ids: &[Id]) -> Result<HashMap<Id, String>, StoreError> {
    let rows = store.rows_by_id(Table::Asset, ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// A difference as documents tell it.
pub fn document(drift: &Drift, state: &State, plan: Option<Id>) -> Json {
    let one = |item: &Item| {
        json!({
            "key": item.delta.path(),
            "before": item.delta.before,
            "after": item.delta.after,
            "origin": item.delta.origin.to_string(),
            "class": item.class,
            "reason": item.reason,
            "by": Some(&item.by).filter(|by| !by.is_empty()),
            "actor": item.actor.as_ref().map(|actor| json!({
                "party": actor.party,
                "evidence": actor.evidence,
                "at": actor.at.map(|at| at.rfc3339()),
            })),
        })
    };
    json!({
        "id": drift.record.id,
        "host": drift.host(),
        "key": drift.fact("key"),
        "class": drift.fact("class"),
        "change": Some(drift.fact("change")).filter(|change| !change.is_empty()),
        "seen_from": drift.record.observed_from.rfc3339(),
        "seen_to": drift.record.observed_to.rfc3339(),
        "state": state.name(),
        "plan": plan,
        "decision": drift.decided.as_ref().map(|record| &record.facts),
        "items": drift.items.iter().take(ITEMS_MAX).map(one).collect::<Vec<_>>(),
    })
}

/// The newest differences from `from` on with where they stand; and whether there are more than `most`.
pub async fn newest(
    store: &Store,
    clock: &days::Clock<'_>,
    from: Timestamp,
    most: usize,
) -> Result<(Vec<(Drift, State)>, bool), StoreError> {
    let mut records = store.newest_records(&[DRIFT], None, most).await?;
    let is_cut = records.len() == most && records.last().is_some_and(|r| r.observed_to > from);
    records.retain(|record| record.observed_to >= from);
    let drifts = with_decisions(store, records).await?;
    let states = states(&drifts, &plan::all(store).await?, clock);
    Ok((drifts.into_iter().zip(states).collect(), is_cut))
}

/// Plans by the difference they are about.
pub fn by_drift(plans: &[Plan]) -> HashMap<Id, Vec<&Plan>> {
    let mut found: HashMap<Id, Vec<&Plan>> = HashMap::new();
    for plan in plans {
        for id in &plan.drifts {
            found.entry(*id).or_default().push(plan);
        }
    }
    found
}

/// Where each stands.
pub fn states(drifts: &[Drift], plans: &[Plan], clock: &days::Clock<'_>) -> Vec<State> {
    let about = by_drift(plans);
    let none = Vec::new();
    let of = |drift: &Drift| drift.state(about.get(&drift.record.id).unwrap_or(&none), clock);
    drifts.iter().map(of).collect()
}
