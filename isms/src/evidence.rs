//! What verdicts are computed from: a snapshot of the register and the records that the checks of
//! some criteria read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{Check, Criterion, Id, Predicate, Subjects, Table, Timestamp};
use store::{Record, Row, StoreError, View};

use crate::scope::Scope;

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
    /// First moment at which a link of this kind at this row begins or ends.
    link_changes: BTreeMap<(String, Id), Timestamp>,
    /// Positions of decisions and tasks by their subject.
    rows_by_subject: BTreeMap<(&'static str, Option<Id>), Vec<usize>>,
    scope: Arc<Scope>,
}

impl Evidence {
    /// Reads what these criteria need as of `now`.
    pub async fn load(
        view: View<'_>,
        criteria: &[&Criterion],
        now: Timestamp,
    ) -> Result<Evidence, StoreError> {
        let mut evidence = Evidence::load_about(view, criteria, now, None).await?;
        if tables(criteria).contains(&Table::Asset) {
            evidence.scope = Arc::new(Scope::load(view, now).await?);
        }
        Ok(evidence)
    }

    /// Reads what these criteria need to judge the rows `about` (all rows if `None`), without the
    /// scope.
    pub async fn load_about(
        view: View<'_>,
        criteria: &[&Criterion],
        now: Timestamp,
        about: Option<&[Id]>,
    ) -> Result<Evidence, StoreError> {
        let mut evidence = Evidence::default();
        let needed = tables(criteria);
        for table in [Table::Asset, Table::Party, Table::Rule, Table::Norm, Table::Plan] {
            if !needed.contains(&table) {
                continue;
            }
            let rows = match about {
                None => view.all(table, &kinds(criteria, table)).await?,
                Some(ids) => view.rows_by_id(table, ids).await?,
            };
            evidence.rows.insert(table.name(), rows);
        }
        evidence.set_rows(Table::Decision, view.all(Table::Decision, &[]).await?);
        if needed.contains(&Table::Task) {
            let tasks = match about {
                None => view.all(Table::Task, &[]).await?,
                Some(ids) => view.rows_about(Table::Task, ids).await?,
            };
            evidence.set_rows(Table::Task, tasks);
        }
        if needed.contains(&Table::Link) {
            let links = match about {
                None => view.all(Table::Link, &[]).await?,
                Some(ids) => view.rows_about(Table::Link, ids).await?,
            };
            evidence.add_links(links, now);
        }
        evidence.load_records(view, criteria, now, about).await?;
        Ok(evidence)
    }

    /// The same under this scope.
    pub(crate) fn under(self, scope: Arc<Scope>) -> Evidence {
        Evidence { scope, ..self }
    }

    /// The scope; without an approved one everything active is in.
    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Whether the approved scope takes this asset in.
    pub fn in_scope(&self, asset: Id) -> bool {
        self.scope.holds(asset)
    }

    async fn load_records(
        &mut self,
        view: View<'_>,
        criteria: &[&Criterion],
        now: Timestamp,
        about: Option<&[Id]>,
    ) -> Result<(), StoreError> {
        let mut found = Vec::new();
        let windows = windows(criteria);
        let types: Vec<&str> = windows.keys().copied().collect();
        let there: BTreeSet<String> = view.types_there(&types).await?.into_iter().collect();
        for (ty, hours) in windows {
            if !there.contains(ty) {
                continue;
            }
            let since = now.minus_hours(i64::from(hours));
            match about {
                None => {
                    found.extend(view.latest_per_subject(&[ty]).await?);
                    found.extend(view.records_since(&[ty], since, RECORDS_MAX).await?);
                }
                Some(ids) => found.extend(view.records_about(ty, ids, since).await?),
            }
        }
        if about.is_some() {
            found.extend(view.records_of_the_whole(&BY_HAND).await?);
        }
        found.retain(|r| r.observed_to <= now);
        self.add_records(found);
        Ok(())
    }

    pub(crate) fn set_rows(&mut self, table: Table, rows: Vec<Row>) {
        for (position, row) in rows.iter().enumerate() {
            self.rows_by_subject.entry((table.name(), row.subject)).or_default().push(position);
        }
        self.rows.insert(table.name(), rows);
    }

    fn add_links(&mut self, links: Vec<Row>, now: Timestamp) {
        for link in links {
            let begun = link.starts_at.is_none_or(|t| t <= now);
            let valid = begun && link.ends_at.is_none_or(|t| t > now);
            let next =
                [link.starts_at, link.ends_at].into_iter().flatten().filter(|t| *t > now).min();
            for end in [link.subject, link.object].into_iter().flatten() {
                let key = (link.kind.clone(), end);
                if let Some(next) = next {
                    let first = self.link_changes.entry(key.clone()).or_insert(next);
                    *first = next.min(*first);
                }
                if valid {
                    self.linked.insert(key);
                }
            }
        }
    }

    /// Adds records, ignoring those already there.
    pub fn add_records(&mut self, found: Vec<Record>) {
        for record in found {
            self.records.entry(record.ty.clone()).or_default().push(record);
        }
        self.by_subject.clear();
        for (ty, list) in &mut self.records {
            list.sort_by_key(|r| (r.observed_to, r.id));
            list.dedup_by_key(|r| r.id);
            for (position, record) in list.iter().enumerate() {
                self.by_subject.entry((ty.clone(), record.subject)).or_default().push(position);
            }
        }
    }

    /// First moment at which a link of this kind at this row begins or ends.
    pub fn link_changes(&self, kind: &str, id: Id) -> Option<Timestamp> {
        self.link_changes.get(&(kind.to_owned(), id)).copied()
    }

    /// Decisions or tasks about this row; for `None` all of them.
    pub fn rows_about(&self, table: Table, subject: Option<Id>) -> impl Iterator<Item = &Row> {
        let rows = self.rows(table);
        let positions = self.rows_by_subject.get(&(table.name(), subject));
        let some = positions.filter(|_| subject.is_some()).map_or(&[][..], Vec::as_slice);
        let all = if subject.is_none() { rows } else { &[] };
        some.iter().map(|p| &rows[*p]).chain(all)
    }

    /// Live rows of a table.
    pub fn rows(&self, table: Table) -> &[Row] {
        self.rows.get(table.name()).map_or(&[], Vec::as_slice)
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

/// Kinds of this table that are in a denominator; empty where a criterion takes every kind.
pub(crate) fn kinds(criteria: &[&Criterion], table: Table) -> Vec<&'static str> {
    let mut all = BTreeSet::new();
    for criterion in criteria {
        let Check::PerSubject(p) = &criterion.check else { continue };
        let (of, kinds) = match p.of {
            Subjects::Assets { kinds, .. } | Subjects::AssetParts { kinds, .. } => {
                (Table::Asset, kinds)
            }
            Subjects::Parties { kinds, .. } => (Table::Party, kinds),
            Subjects::Rules { kinds, .. } => (Table::Rule, kinds),
            Subjects::Plans { kinds, .. } => (Table::Plan, kinds),
            _ => continue,
        };
        if of == table {
            if kinds.is_empty() {
                return Vec::new();
            }
            all.extend(kinds);
        }
    }
    all.into_iter().copied().collect()
}

/// Longest window, in hours, for which any criterion wants records of a type.
fn windows(criteria: &[&Criterion]) -> BTreeMap<&'static str, u32> {
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
    windows
}

pub(crate) fn tables(criteria: &[&Criterion]) -> BTreeSet<Table> {
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
