//! What follows from signatures and snapshots: decisions on drift become records, adopted values become
//! design values, reverts end where a snapshot shows the old value.
//!
//! Invariants: each run looks at what stands and writes what is missing, so it can be cut off anywhere;
//! a revert whose setting was not read is not over.

use std::collections::HashMap;

use baseline::{Delta, Facts, Value, withhold};
use model::{Id, Table, Timestamp};
use room::draft;
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError, Write};

use super::{
    DECIDED, DRIFT, Drift, Outcome, Plan, SNAPSHOT, UNAUTHORISED, by_ids, days::Clock, plan,
    with_all,
};
use crate::work::changes::{self, Change, Kind, scope::typed, standing::Signed};

const EMERGENCY_RECORDS_MAX: usize = 20_000;
const DESIGNS_MAX: usize = 400;

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::work) struct Done {
    pub decided: usize,
    /// Plans whose signer is nobody among the people.
    pub unnamed: usize,
}

/// Settles all plans and emergencies.
pub(in crate::work) async fn all(store: &Store, clock: &Clock<'_>) -> Result<Done, StoreError> {
    let mut done = Done::default();
    for plan in plan::all(store).await? {
        let Ok(signed) = &plan.signed else { continue };
        let drifts = by_ids(store, &plan.drifts).await?;
        let open = undecided(&plan, drifts);
        if open.is_empty() {
            continue;
        }
        let Some(approver) = approver(store, signed).await? else {
            done.unnamed += 1;
            continue;
        };
        let shown = shown_again(store, &plan, open).await?;
        if shown.is_empty() {
            continue;
        }
        let mut write = store.write("system:configuration.settle", "work", "").await?;
        done.decided += decide(store, &mut write, &plan, approver, &shown, clock).await?;
        write.commit().await?;
    }
    done.decided += emergencies(store, clock).await?;
    Ok(done)
}

/// Those of a plan that its decision was not written for yet. A lapsed exception is decided anew.
fn undecided(plan: &Plan, drifts: Vec<Drift>) -> Vec<Drift> {
    let is_open = |drift: &Drift| match &drift.decided {
        None => true,
        Some(record) => {
            let excepted = record.facts.get("outcome").and_then(Json::as_str) == Some("excepted");
            excepted && record.received_at < plan.row.created_at
        }
    };
    drifts.into_iter().filter(|d| d.is_unauthorised() && is_open(d)).collect()
}

/// The person behind the first signature.
async fn approver(store: &Store, signed: &Signed) -> Result<Option<Id>, StoreError> {
    match signed.by.first() {
        Some(login) => changes::person(store, login).await,
        None => Ok(None),
    }
}

/// Writes what the signature decides: records, and for what is adopted its design values.
async fn decide(
    store: &Store,
    write: &mut Write<'_>,
    plan: &Plan,
    approver: Id,
    drifts: &[Drift],
    clock: &Clock<'_>,
) -> Result<usize, StoreError> {
    let Some(requester) = plan.proposer.filter(|proposer| *proposer != approver) else {
        return Ok(0);
    };
    for drift in drifts {
        let by = By { outcome: plan.outcome, requester, approver, change: &plan.change };
        write.record(decided(drift, &by, clock)).await?;
    }
    if plan.outcome == Outcome::Adopted {
        adopt(store, write, plan, drifts).await?;
    }
    Ok(drifts.len())
}

struct By<'a> {
    outcome: Outcome,
    requester: Id,
    approver: Id,
    change: &'a str,
}

fn decided(drift: &Drift, by: &By<'_>, clock: &Clock<'_>) -> store::RecordDraft {
    let mut facts = json!({
        "outcome": by.outcome.name(),
        "working_days": clock.days_since(drift.record.observed_to),
        "requester": by.requester,
        "approver": by.approver,
    });
    if !by.change.is_empty() {
        facts["change"] = json!(by.change);
    }
    let mut draft = draft(DECIDED, Some(drift.record.id), clock.now, facts);
    draft.source = "configuration.settle".to_owned();
    draft
}

/// What was adopted is what is designed from now on: on its host, or everywhere.
async fn adopt(
    store: &Store,
    write: &mut Write<'_>,
    plan: &Plan,
    drifts: &[Drift],
) -> Result<(), StoreError> {
    let reason = plan.row.attributes.get("reason").and_then(Json::as_str).unwrap_or("");
    let mut wanted: HashMap<(String, Option<Id>), String> = HashMap::new();
    for drift in drifts {
        let host = drift.host().filter(|_| !plan.everywhere);
        for item in &drift.items {
            let key = item.delta.path().replace('\0', "\\x00");
            wanted.insert((key, host), typed(item.delta.after.as_ref()).replace('\0', "\\x00"));
        }
    }
    let existing = store.all(Table::Rule, &["baseline"]).await?;
    let mut wanted: Vec<_> = wanted.into_iter().collect();
    wanted.sort();
    for ((key, host), value) in wanted.into_iter().take(DESIGNS_MAX) {
        let is_it = |row: &&Row| {
            row.subject == host && row.attributes.get("key").and_then(Json::as_str) == Some(&key)
        };
        let name: String = key.chars().take(150).collect();
        let mut row = match existing.iter().find(is_it) {
            Some(row) => row.clone(),
            None => Row::new(Table::Rule, store.new_id()?, "baseline", &name),
        };
        row.subject = host;
        row.attributes.insert("key".to_owned(), json!(key));
        row.attributes.insert("value".to_owned(), json!(value));
        row.attributes.insert("reason".to_owned(), json!(reason));
        write.put(row).await?;
    }
    Ok(())
}

/// Of a revert, those whose old value the newest snapshot shows; of anything else, all.
async fn shown_again(
    store: &Store,
    plan: &Plan,
    open: Vec<Drift>,
) -> Result<Vec<Drift>, StoreError> {
    if plan.outcome != Outcome::Reverted {
        return Ok(open);
    }
    let mut newest: HashMap<Id, Option<(Record, Facts)>> = HashMap::new();
    let mut shown = Vec::new();
    for drift in open {
        let Some(host) = drift.host() else { continue };
        if let std::collections::hash_map::Entry::Vacant(place) = newest.entry(host) {
            place.insert(snapshot(store, host).await?);
        }
        let Some(Some((record, facts))) = newest.get(&host) else { continue };
        let is_newer = record.observed_to > drift.record.observed_to;
        if is_newer
            && !drift.items.is_empty()
            && drift.items.iter().all(|i| is_back(&i.delta, facts))
        {
            shown.push(drift);
        }
    }
    Ok(shown)
}

/// The newest snapshot of a host, if its facts can be read.
pub(crate) async fn snapshot(
    store: &Store,
    host: Id,
) -> Result<Option<(Record, Facts)>, StoreError> {
    let Some(record) = store.newest_records(&[SNAPSHOT], Some(host), 1).await?.pop() else {
        return Ok(None);
    };
    let payload = store.payload(record.id).await?;
    let facts = payload.and_then(|bytes| Facts::from_document(&bytes).ok());
    Ok(facts.map(|facts| (record, facts)))
}

/// Whether a host has again what it had before a difference. What was not read is not back.
fn is_back(delta: &Delta, facts: &Facts) -> bool {
    let there: Option<&Value> = facts.get(delta.class, delta.name.as_slice()).map(|f| &f.value);
    if there != delta.before.as_ref() {
        return false;
    }
    if there.is_some() {
        return true;
    }
    let gone = Delta { before: delta.after.clone(), after: None, ..delta.clone() };
    let mut read = vec![gone];
    withhold(&mut read, &[], &facts.unread, true);
    !read.is_empty()
}

/// What fell into an emergency is decided by the approval that came afterwards.
async fn emergencies(store: &Store, clock: &Clock<'_>) -> Result<usize, StoreError> {
    let all = changes::all(store).await?;
    let approved: Vec<&Change> = all
        .iter()
        .filter(|change| change.kind == Kind::Emergency && change.standing.is_approved())
        .filter(|change| change.closed.is_none())
        .collect();
    let mut count = 0;
    for change in approved {
        let since = change.from;
        let records = store.present().records_since(&[DRIFT], since, EMERGENCY_RECORDS_MAX).await?;
        let id = change.row.id.to_string();
        let own = |record: &Record| {
            let is = |name: &str, text: &str| {
                record.facts.get(name).and_then(Json::as_str) == Some(text)
            };
            is("change", &id) && is("class", UNAUTHORISED)
        };
        let drifts = with_all(store, records.into_iter().filter(own).collect()).await?;
        let (Some(scope), Some(requester)) = (&change.scope, change.requester) else { continue };
        let covered = |drift: &&Drift| {
            let host = drift.host().unwrap_or(Id::nil());
            drift.decided.is_none()
                && !drift.items.is_empty()
                && drift.items.iter().all(|item| scope.covers(host, &item.delta))
        };
        let drifts: Vec<&Drift> = drifts.iter().filter(covered).collect();
        let login = change.approvers.first();
        let approver = match login {
            Some(login) if !drifts.is_empty() => changes::person(store, login).await?,
            _ => None,
        };
        let Some(approver) = approver.filter(|approver| *approver != requester) else { continue };
        let mut write = store.write("system:configuration.settle", "work", "").await?;
        let by = By { outcome: Outcome::Adopted, requester, approver, change: &id };
        for drift in &drifts {
            write.record(decided(drift, &by, clock)).await?;
        }
        write.commit().await?;
        count += drifts.len();
    }
    Ok(count)
}

/// When a decision is counted from; shown beside what waits.
pub fn waited(drift: &Drift, clock: &Clock<'_>) -> i64 {
    let until = drift.decided.as_ref().map_or(clock.now, |record| record.observed_to);
    clock.days(drift.record.observed_to, until.max(Timestamp(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use baseline::{Class, Fact, Origin, Unread};

    fn facts(value: Option<Value>) -> Facts {
        let fact = |value| Fact {
            class: Class::User,
            name: "eve".into(),
            value,
            origin: Origin::File("/etc/passwd".into(), 9),
        };
        Facts::new(value.map(fact).into_iter().collect())
    }

    #[test]
    fn the_old_value_is_back_only_if_it_was_read() {
        let delta = |before: Option<Value>, after: Option<Value>| Delta {
            class: Class::User,
            name: "eve".into(),
            before,
            after,
            origin: Origin::File("/etc/passwd".into(), 9),
        };
        let (one, two) = (Some(Value::Int(1)), Some(Value::Int(2)));
        assert!(is_back(&delta(one.clone(), two.clone()), &facts(one.clone())));
        assert!(!is_back(&delta(one.clone(), two.clone()), &facts(two.clone())));
        assert!(!is_back(&delta(one.clone(), None), &facts(None)));
        // Eve was added: she is gone where passwd was read, and unknown where it was not.
        assert!(is_back(&delta(None, one.clone()), &facts(None)));
        let mut unread = facts(None);
        unread.unread = vec![Unread { place: "/etc/passwd".into(), reason: "denied".into() }];
        assert!(!is_back(&delta(None, one), &unread));
    }
}
