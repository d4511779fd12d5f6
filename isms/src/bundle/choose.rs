//! Which leaves of the ledger belong into a bundle, and which of them each row of the Statement of
//! Applicability rests on.
//!
//! Invariant: pure but for what [`Wanted::load`] reads beforehand. A row points to the newest version
//! of each row it names and to the newest record of each type and subject its control is judged by, as
//! far as they are in the bundle.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Store, StoreError};

use crate::{
    Board,
    evidence::BY_HAND,
    hall::{
        SNAPSHOT,
        soa::{BY_HAND_PREFIX, SoaRow},
        text_of,
    },
};

/// Most records that one row of the statement points to; the newest stay.
pub const POINTED_MAX: usize = 1_000;

/// The part of the ISMS a bundle is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole ledger.
    All,
    /// What stands behind these rows of the statement.
    Controls(BTreeSet<String>),
}

impl Scope {
    /// From `all`, or numbers of controls apart by commas or spaces.
    pub fn parse(text: &str) -> Scope {
        let parts: BTreeSet<String> = text
            .split([',', ' ', '、'])
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect();
        if parts.is_empty() || parts.contains("all") { Scope::All } else { Scope::Controls(parts) }
    }

    /// As the manifest says it.
    pub fn names(&self) -> Vec<String> {
        match self {
            Scope::All => vec!["all".to_owned()],
            Scope::Controls(numbers) => numbers.iter().cloned().collect(),
        }
    }

    /// Whether a row of the statement is part of it.
    pub fn has(&self, control: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Controls(numbers) => numbers.contains(control),
        }
    }
}

/// What a row rests on: rows by id, record types, criteria of what was handed in.
#[derive(Clone, Debug, Default)]
struct Behind {
    rows: BTreeSet<Id>,
    types: BTreeSet<String>,
    criteria: BTreeSet<String>,
}

/// What stands behind the rows in scope.
pub struct Wanted {
    scope: Scope,
    by_control: BTreeMap<String, Behind>,
    rows: HashSet<Id>,
    types: HashSet<String>,
    criteria: HashSet<String>,
}

impl Wanted {
    /// Reads which rows stand behind which control. Those asked for but not in the statement are named.
    pub async fn load(
        store: &Store,
        board: &Board,
        scope: &Scope,
    ) -> Result<Result<Wanted, String>, StoreError> {
        if let Scope::Controls(numbers) = scope
            && let Some(unknown) = numbers.iter().find(|n| board.view.row(n).is_none())
        {
            return Ok(Err(unknown.clone()));
        }
        let mut by_control: BTreeMap<String, Behind> = board
            .view
            .soa
            .iter()
            .filter(|row| scope.has(&row.control))
            .map(|row| (row.control.clone(), behind(board, row)))
            .collect();
        for check in store.all(Table::Check, &[]).await? {
            let (control, ty) = (text_of(&check, "control"), text_of(&check, "record_type"));
            if let (Some(behind), Some(ty)) = (control.and_then(|c| by_control.get_mut(c)), ty) {
                behind.rows.insert(check.id);
                behind.types.insert(ty.to_owned());
            }
        }
        add_links(store, &mut by_control).await?;
        add_decisions(store, &mut by_control).await?;
        let mut wanted = Wanted {
            scope: scope.clone(),
            rows: board.view.edition.iter().map(|edition| edition.id).collect(),
            types: HashSet::from([SNAPSHOT.to_owned()]),
            criteria: HashSet::new(),
            by_control,
        };
        for behind in wanted.by_control.values() {
            wanted.rows.extend(&behind.rows);
            wanted.types.extend(behind.types.iter().cloned());
            wanted.criteria.extend(behind.criteria.iter().cloned());
        }
        Ok(Ok(wanted))
    }

    /// Whether a leaf belongs into the bundle.
    pub fn takes(&self, leaf: &Leaf) -> bool {
        match (&self.scope, &leaf.is) {
            (Scope::All, _) => true,
            (_, Is::Row { id, .. }) => self.rows.contains(id),
            (_, Is::Record { ty, criterion, .. }) => match criterion {
                Some(criterion) => self.criteria.contains(criterion),
                None => self.types.contains(ty),
            },
        }
    }

    /// The leaves that each row of the statement points to.
    pub fn pointed(&self, leaves: &[Leaf]) -> BTreeMap<String, Vec<u64>> {
        let newest = Newest::of(leaves);
        let of = |behind: &Behind| {
            let mut found: BTreeSet<u64> = BTreeSet::new();
            found.extend(behind.rows.iter().filter_map(|id| newest.rows.get(id)).map(|n| n.1));
            let keys = behind.types.iter().chain(&behind.criteria);
            let mut records: Vec<(Timestamp, u64)> = keys
                .filter_map(|key| newest.records.get(key))
                .flat_map(HashMap::values)
                .copied()
                .collect();
            records.sort_unstable_by(|a, b| b.cmp(a));
            found.extend(records.iter().take(POINTED_MAX).map(|(_, index)| *index));
            found.into_iter().collect()
        };
        self.by_control.iter().map(|(control, behind)| (control.clone(), of(behind))).collect()
    }
}

fn behind(board: &Board, row: &SoaRow) -> Behind {
    let mut behind = Behind::default();
    behind.rows.extend([row.norm, row.usage, row.provider, row.owner].into_iter().flatten());
    behind.rows.extend(row.drivers.iter().filter_map(|d| d.risk));
    behind.rows.extend(row.exclusion.iter().map(|e| e.decision));
    behind.rows.extend(row.exceptions.iter().map(|(decision, _)| *decision));
    behind.criteria.insert(format!("{BY_HAND_PREFIX}{}", row.control));
    for control in board.controls.iter().filter(|c| c.spec.control == row.control) {
        for criterion in control.spec.criteria {
            behind.criteria.insert(criterion.id.to_owned());
            let types = criterion.check.reads().into_iter().filter(|ty| !BY_HAND.contains(ty));
            behind.types.extend(types.map(str::to_owned));
        }
    }
    behind
}

/// The links by which a control treats the risks that drive it.
async fn add_links(
    store: &Store,
    by_control: &mut BTreeMap<String, Behind>,
) -> Result<(), StoreError> {
    for link in store.all(Table::Link, &["treats"]).await? {
        let ends = [link.subject, link.object];
        let between =
            |b: &&mut Behind| ends.iter().all(|end| end.is_some_and(|id| b.rows.contains(&id)));
        for behind in by_control.values_mut().filter(between) {
            behind.rows.insert(link.id);
        }
    }
    Ok(())
}

/// The decisions about a row, signed or not.
async fn add_decisions(
    store: &Store,
    by_control: &mut BTreeMap<String, Behind>,
) -> Result<(), StoreError> {
    let subjects: BTreeSet<Id> = by_control.values().flat_map(|b| &b.rows).copied().collect();
    let subjects: Vec<Id> = subjects.into_iter().collect();
    for decision in store.rows_about(Table::Decision, &subjects).await? {
        let about = |b: &&mut Behind| decision.subject.is_some_and(|id| b.rows.contains(&id));
        for behind in by_control.values_mut().filter(about) {
            behind.rows.insert(decision.id);
        }
    }
    Ok(())
}

/// A leaf as it is chosen by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub index: u64,
    /// When it was received, or the row changed.
    pub at: Timestamp,
    pub is: Is,
}

/// What it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    Row {
        table: Table,
        id: Id,
        version: i64,
    },
    Record {
        id: Id,
        ty: String,
        subject: Option<Id>,
        observed_to: Timestamp,
        /// The criterion that evidence was handed in for.
        criterion: Option<String>,
        has_payload: bool,
    },
}

/// Reads a leaf; `None` where it is of no form that this Ume writes.
pub fn read_leaf(index: u64, bytes: &[u8]) -> Option<Leaf> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    let time = |name: &str| json.get(name).and_then(Json::as_i64).map(Timestamp);
    let id = text("id")?.parse().ok()?;
    let ty = text("type")?;
    if ty == "table_change" {
        let table = Table::parse(text("table")?)?;
        let version = json.get("version")?.as_i64()?;
        return Some(Leaf { index, at: time("at")?, is: Is::Row { table, id, version } });
    }
    let by_hand = BY_HAND.contains(&ty);
    let criterion = json.pointer("/facts/criterion").and_then(Json::as_str);
    Some(Leaf {
        index,
        at: time("received_at")?,
        is: Is::Record {
            id,
            ty: ty.to_owned(),
            subject: text("subject").and_then(|id| id.parse().ok()),
            observed_to: time("observed_to")?,
            criterion: criterion.filter(|_| by_hand).map(str::to_owned),
            has_payload: text("commit").is_some(),
        },
    })
}

/// Newest version of each row, newest record of each type (or criterion) and subject.
#[derive(Default)]
struct Newest {
    rows: HashMap<Id, (i64, u64)>,
    records: HashMap<String, HashMap<Option<Id>, (Timestamp, u64)>>,
}

impl Newest {
    fn of(leaves: &[Leaf]) -> Newest {
        let mut newest = Newest::default();
        for leaf in leaves {
            match &leaf.is {
                Is::Row { id, version, .. } => {
                    let known = newest.rows.entry(*id).or_insert((*version, leaf.index));
                    *known = (*known).max((*version, leaf.index));
                }
                Is::Record { ty, subject, observed_to, criterion, .. } => {
                    let key = criterion.as_ref().unwrap_or(ty).clone();
                    let of = newest.records.entry(key).or_default();
                    let known = of.entry(*subject).or_insert((*observed_to, leaf.index));
                    *known = (*known).max((*observed_to, leaf.index));
                }
            }
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_all_or_some_controls() {
        assert_eq!(Scope::parse(""), Scope::All);
        assert_eq!(Scope::parse("all"), Scope::All);
        assert_eq!(Scope::parse("8.9, 5.7").names(), ["5.7", "8.9"]);
        assert!(!Scope::parse("8.9").has("8.10"));
    }

    #[test]
    fn a_leaf_of_another_form_is_none() {
        assert_eq!(read_leaf(0, b"{}"), None);
        assert_eq!(read_leaf(0, b"\xff"), None);
    }
}
