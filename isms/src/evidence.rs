//! What verdicts are computed from: a snapshot of the register and the records that the checks of
//! some criteria read.

use std::collections::{BTreeMap, BTreeSet};

use model::{Check, Criterion, Id, Predicate, Subjects, Table, Timestamp};
use store::{Record, Row, Store, StoreError};

use crate::scope::{Extent, Scope};

/// Records type under which people hand in evidence (梅 only).
pub const BY_HAND: [&str; 2] = ["isms.attested", "isms.imported"];
const RECORDS_MAX: usize = 1_000_000;

/// The snapshot.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    rows: BTreeMap<&'static str, Vec<Row>>,
    /// Records by type, oldest first, each once.
    records: BTreeMap<String, Vec<Record>>,
    /// `(type, subject)` to positions in `records`, so that one subject is one look-up.
    by_subject: BTreeMap<(String, Option<Id>), Vec<usize>>,
    linked: BTreeSet<(String, Id)>,
    scope: Scope,
}

impl Evidence {
    /// Reads what these criteria need as of `now`.
    pub async fn load(
        store: &Store,
        criteria: &[&Criterion],
        now: Timestamp,
    ) -> Result<Evidence, StoreError> {
        let mut evidence = Evidence::default();
        let needed = tables(criteria);
        for table in
            [Table::Asset, Table::Party, Table::Rule, Table::Norm, Table::Plan, Table::Task]
        {
            if needed.contains(&table) {
                evidence.rows.insert(table.name(), store.all(table, &[]).await?);
            }
        }
        evidence.rows.insert("decision", store.all(Table::Decision, &[]).await?);
        let links = if needed.contains(&Table::Link) || needed.contains(&Table::Asset) {
            store.all(Table::Link, &[]).await?
        } else {
            Vec::new()
        };
        if needed.contains(&Table::Asset) {
            let parties = store.all(Table::Party, &[]).await?;
            let decisions = evidence.rows(Table::Decision);
            evidence.scope =
                Scope::new(evidence.rows(Table::Asset), &parties, &links, decisions, now);
        }
        if needed.contains(&Table::Link) {
            for link in links {
                let valid =
                    link.starts_at.is_none_or(|t| t <= now) && link.ends_at.is_none_or(|t| t > now);
                for end in [link.subject, link.object].into_iter().flatten().filter(|_| valid) {
                    evidence.linked.insert((link.kind.clone(), end));
                }
            }
        }
        let mut windows: BTreeMap<&'static str, u32> = BTreeMap::new();
        for criterion in criteria {
            let mut hours = criterion.check.fresh_hours();
            if let Check::PerSubject(p) = criterion.check
                && let Subjects::Records { within_hours, .. } = p.of
            {
                hours = hours.max(within_hours);
            }
            for ty in criterion.check.reads().into_iter().chain(BY_HAND) {
                let window = windows.entry(ty).or_default();
                *window = (*window).max(hours);
            }
        }
        for (ty, hours) in windows {
            let since = now.minus_hours(i64::from(hours));
            let mut found = store.latest_per_subject(&[ty]).await?;
            found.extend(store.records_since(&[ty], since, RECORDS_MAX).await?);
            found.retain(|r| r.observed_to <= now);
            evidence.add_records(found);
        }
        Ok(evidence)
    }

    /// Adds records, ignoring those already there.
    pub fn add_records(&mut self, found: Vec<Record>) {
        let mut types = BTreeSet::new();
        for record in found {
            types.insert(record.ty.clone());
            self.records.entry(record.ty.clone()).or_default().push(record);
        }
        for ty in types {
            let list = self.records.entry(ty.clone()).or_default();
            list.sort_by_key(|r| (r.observed_to, r.id));
            list.dedup_by_key(|r| r.id);
            self.by_subject.retain(|(t, _), _| *t != ty);
            for (position, record) in list.iter().enumerate() {
                self.by_subject.entry((ty.clone(), record.subject)).or_default().push(position);
            }
        }
    }

    /// Live rows of a table.
    pub fn rows(&self, table: Table) -> &[Row] {
        self.rows.get(table.name()).map_or(&[], Vec::as_slice)
    }

    /// Whether the approved scope takes this asset in; without one, everything active is in scope.
    pub fn in_scope(&self, asset: Id) -> bool {
        self.scope.holds(asset)
    }

    /// What the approved scope takes in.
    pub fn extent(&self) -> Option<Extent> {
        self.scope.extent()
    }

    /// Records of a type, oldest first.
    pub fn records(&self, ty: &str) -> &[Record] {
        self.records.get(ty).map_or(&[], Vec::as_slice)
    }

    /// Records of a type about one subject, oldest first.
    pub fn about<'a>(
        &'a self,
        ty: &str,
        subject: Option<Id>,
    ) -> impl DoubleEndedIterator<Item = &'a Record> {
        let positions =
            self.by_subject.get(&(ty.to_owned(), subject)).map_or(&[][..], Vec::as_slice);
        let list = self.records(ty);
        positions.iter().map(move |p| &list[*p])
    }

    /// Whether a valid link of this kind touches the row.
    pub fn is_linked(&self, kind: &str, id: Id) -> bool {
        self.linked.contains(&(kind.to_owned(), id))
    }
}

fn tables(criteria: &[&Criterion]) -> BTreeSet<Table> {
    let mut needed = BTreeSet::new();
    for criterion in criteria {
        let Check::PerSubject(p) = &criterion.check else { continue };
        match p.of {
            Subjects::Assets { .. } | Subjects::AssetParts { .. } => needed.insert(Table::Asset),
            Subjects::Parties { .. } => needed.insert(Table::Party),
            Subjects::Rules { .. } => needed.insert(Table::Rule),
            Subjects::Norms { .. } => needed.insert(Table::Norm),
            Subjects::Plans { .. } => needed.insert(Table::Plan),
            Subjects::Records { .. } | Subjects::Parts { .. } => false,
        };
        predicate_tables(&p.must, &mut needed);
    }
    needed
}

fn predicate_tables(predicate: &Predicate, out: &mut BTreeSet<Table>) {
    match predicate {
        Predicate::Link { .. } => drop(out.insert(Table::Link)),
        Predicate::Task => drop(out.insert(Table::Task)),
        Predicate::All(list) | Predicate::Any(list) => {
            list.iter().for_each(|p| predicate_tables(p, out));
        }
        Predicate::Record { .. } | Predicate::Attributes(_) | Predicate::Decision { .. } => {}
    }
}
