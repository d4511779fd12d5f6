//! Changes and design values of the register, as the engine takes them for one host.
//!
//! Invariants: a change counts as it stands now, never as it stood when it was approved; a design value
//! counts if it was there before the difference can have come about, or if somebody else than its last
//! editor approved it: what was found makes no design of itself.

pub mod scope;
pub mod standing;
pub mod verify;

use std::collections::HashMap;

use baseline::{
    ApprovedChange, Bytes, Class, Context, Delta, DriftClass, Value, Verdict, classify,
};
use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

pub use standing::{CHANGE, Change, Kind, Standing};

/// A change was closed.
pub const CLOSED: &str = "configuration.change_closed";
/// Why something inside an emergency is not authorised yet.
pub const PENDING: &str = "pending";
const MICROS: i64 = 1_000_000;
/// Changes that ended or begin within that time of a difference are named as what missed it.
const NEAR_SECONDS: i64 = 30 * 86_400;
/// Rows of one kind that are looked at.
const ROWS_MAX: usize = 20_000;

/// All changes, the one that begins last first.
pub async fn all(store: &Store) -> Result<Vec<Change>, StoreError> {
    let rows = store.all(Table::Plan, &[CHANGE]).await?;
    of_rows(store, rows).await
}

/// One change; none if there is none of that id.
pub async fn one(store: &Store, id: Id) -> Result<Option<Change>, StoreError> {
    let row = store.row(Table::Plan, id).await?;
    let Some(row) = row.filter(|row| row.kind == CHANGE && !row.deleted) else { return Ok(None) };
    let scope = row.attributes.get("scope").and_then(|s| s["pattern"].as_str()?.parse::<Id>().ok());
    let mut rows = vec![row];
    if let Some(pattern) = scope {
        rows.extend(store.rows_by_id(Table::Plan, &[pattern]).await?);
    }
    Ok(of_rows(store, rows).await?.into_iter().find(|change| change.row.id == id))
}

async fn of_rows(store: &Store, rows: Vec<Row>) -> Result<Vec<Change>, StoreError> {
    let ids: Vec<Id> = rows.iter().map(|row| row.id).take(ROWS_MAX).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let closed = store.present().records_about(CLOSED, &ids, Timestamp(i64::MAX)).await?;
    let logins = logins(store, rows.iter().filter_map(requester)).await?;
    let askers = |row: &Row| -> Vec<String> {
        requester(row).and_then(|id| logins.get(&id).cloned()).into_iter().collect()
    };
    let mut by_row: HashMap<Id, Vec<Row>> = HashMap::new();
    for decision in decisions {
        by_row.entry(decision.subject.unwrap_or(Id::nil())).or_default().push(decision);
    }
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows.into_iter().take(ROWS_MAX) {
        let asked = askers(&row);
        let about = by_row.remove(&row.id).unwrap_or_default();
        let mut change = Change::of(row, &about, &asked)?;
        let own = closed.iter().filter(|record| record.subject == Some(change.row.id));
        change.closed = own.map(|record| record.observed_to).min();
        changes.push(change);
    }
    let patterns: Vec<Change> = changes.iter().filter(|c| c.is_pattern()).cloned().collect();
    for change in &mut changes {
        let asked = askers(&change.row);
        change.follow(&patterns, &asked);
    }
    changes.sort_by_key(|change| (std::cmp::Reverse(change.from), change.row.id));
    Ok(changes)
}

fn requester(row: &Row) -> Option<Id> {
    row.attributes.get("requester")?.as_str()?.parse().ok()
}

/// Sign-in names of people, where their row names one.
pub(in crate::work) async fn logins(
    store: &Store,
    people: impl Iterator<Item = Id>,
) -> Result<HashMap<Id, String>, StoreError> {
    let mut ids: Vec<Id> = people.collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = store.rows_by_id(Table::Party, &ids).await?;
    let login = |row: Row| Some((row.id, row.attributes.get("account")?.as_str()?.to_owned()));
    Ok(rows.into_iter().filter_map(login).collect())
}

/// The person whose row names this account.
pub async fn person(store: &Store, login: &str) -> Result<Option<Id>, StoreError> {
    store.row_with(Table::Party, "person", "account", login).await
}

/// What was agreed on for a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreed {
    pub changes: Vec<ApprovedChange>,
    /// Emergencies nobody approved yet.
    pub pending: Vec<ApprovedChange>,
    pub design: Vec<(Class, Bytes, Option<Value>)>,
}

/// What was agreed on about these differences, which came about within `seen` (seconds).
pub(super) async fn agreed(
    store: &Store,
    host: Id,
    seen: (i64, i64),
    deltas: &[Delta],
) -> Result<Agreed, StoreError> {
    if deltas.is_empty() {
        return Ok(Agreed::default());
    }
    let mut agreed =
        Agreed { design: design(store, host, seen, deltas).await?, ..Agreed::default() };
    for change in all(store).await? {
        let parts = change.for_engine(host, deltas).into_iter();
        // One that missed it by days still says why; older ones say nothing.
        let parts = parts
            .filter(|part| seen.1 >= part.from - NEAR_SECONDS && seen.0 <= part.to + NEAR_SECONDS);
        match change.is_pending() {
            true => agreed.pending.extend(parts),
            false => agreed.changes.extend(parts),
        }
    }
    Ok(agreed)
}

/// Names the emergency into which a difference falls that nothing authorises.
pub(super) fn mark_pending(
    deltas: &[Delta],
    verdicts: &mut [Verdict],
    context: &Context,
    pending: Vec<ApprovedChange>,
) {
    if pending.is_empty() {
        return;
    }
    let as_if = Context { changes: pending, ..context.clone() };
    for (verdict, would) in verdicts.iter_mut().zip(classify(deltas, &as_if)) {
        if verdict.class == DriftClass::Unauthorised && would.class == DriftClass::Authorised {
            (verdict.reason, verdict.by) = (PENDING, would.by);
        }
    }
}

/// Design values that these differences brought about.
async fn design(
    store: &Store,
    host: Id,
    seen: (i64, i64),
    deltas: &[Delta],
) -> Result<Vec<(Class, Bytes, Option<Value>)>, StoreError> {
    let mut found = super::drift::being_reverted(store, host).await?;
    let rows = store.all(Table::Rule, &["baseline"]).await?;
    let of_host = |row: &&Row| row.status == "active" && row.subject.is_none_or(|id| id == host);
    let rows: Vec<&Row> = rows.iter().filter(of_host).take(ROWS_MAX).collect();
    let young: Vec<Id> = rows
        .iter()
        .filter(|row| row.updated_at.0.div_euclid(MICROS) > seen.0)
        .map(|row| row.id)
        .collect();
    let decisions = store.rows_about(Table::Decision, &young).await?;
    let mut values = Vec::new();
    for row in rows {
        let is_known = match young.contains(&row.id) {
            false => true,
            true => standing::judged(row, &decisions, &[], &["approval"])?.is_ok(),
        };
        if is_known {
            values.extend(DesignValue::of(row));
        }
    }
    for delta in deltas {
        let own: Vec<&DesignValue> = values.iter().filter(|value| value.is_about(delta)).collect();
        if !own.is_empty() && is_designed(delta, &own) {
            found.push((delta.class, delta.name.clone(), delta.after.clone()));
        }
    }
    Ok(found)
}

/// A row of kind `baseline` that names a setting by its path.
struct DesignValue {
    /// `class/name` or `class/name/attribute`.
    key: String,
    value: String,
    unit: String,
}

impl DesignValue {
    fn of(row: &Row) -> Option<DesignValue> {
        let text = |name: &str| Some(row.attributes.get(name)?.as_str()?.trim().to_owned());
        let unit = text("unit").unwrap_or_default();
        Some(DesignValue { key: text("key")?, value: text("value")?, unit })
    }

    fn is_about(&self, delta: &Delta) -> bool {
        let path = delta.path();
        self.key == path || self.key.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The attribute that it names; empty for the whole.
    fn attribute(&self, delta: &Delta) -> &str {
        self.key.strip_prefix(&delta.path()).unwrap_or("").trim_start_matches('/')
    }
}

/// Whether everything that a difference changed is as designed.
fn is_designed(delta: &Delta, own: &[&DesignValue]) -> bool {
    let is_so = |attribute: &str, there: Option<&Value>| {
        let mut named = own.iter().filter(|value| value.attribute(delta) == attribute).peekable();
        named.peek().is_some() && named.all(|value| scope::fits(&value.value, &value.unit, there))
    };
    if is_so("", delta.after.as_ref()) {
        return true;
    }
    let parts = delta.parts();
    let is_of_parts = parts.iter().all(|(name, ..)| !name.is_empty());
    is_of_parts
        && parts.iter().all(|(name, _, after)| {
            let there = (*after != Value::Absent).then_some(after);
            is_so(name, there)
        })
}

/// What a change says in one of its fields.
pub fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use baseline::Origin;

    fn value(key: &str, value: &str) -> DesignValue {
        DesignValue { key: key.to_owned(), value: value.to_owned(), unit: String::new() }
    }

    #[test]
    fn a_resource_is_as_designed_only_if_every_changed_part_is() {
        let user = |shell: &str, uid: i64| {
            Some(Value::map([("shell", Value::text(shell)), ("uid", Value::Int(uid))]))
        };
        let delta = |after| Delta {
            class: Class::User,
            name: "ann".into(),
            before: user("/bin/sh", 1),
            after,
            origin: Origin::Default,
        };
        let shell = value("user/ann/shell", "/bin/bash");
        assert!(is_designed(&delta(user("/bin/bash", 1)), &[&shell]));
        assert!(!is_designed(&delta(user("/bin/bash", 0)), &[&shell]), "uid 0 was not designed");
        assert!(!is_designed(&delta(user("/bin/zsh", 1)), &[&shell]));
        assert!(!is_designed(&delta(None), &[&shell]));
        assert!(is_designed(&delta(None), &[&value("user/ann", "なし")]));
        assert!(!value("user/anna", "x").is_about(&delta(None)));
    }
}
