//! What the registers hold already, as far as a plan needs it: one statement a table, whatever the
//! rows.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use model::{FieldType, Id, Lang, RoomSpec, Table};
use reports::fold;
use store::{Row, Store, StoreError};

use super::{
    Clash, File, Found, Mapping, Plan, Target,
    judge::{self, Input, PROPOSED_MAX},
    mapping::{ID, VERSION},
    soa,
};
use crate::access::{Action, Reader};

/// Kinds of party that a name in a cell may mean.
pub(crate) const PARTY_KINDS: [&str; 4] = ["person", "team", "supplier", "organisation"];

/// Files and what was found in them.
#[derive(Debug, Default)]
pub struct Books {
    pub files: Vec<File>,
    pub found: Vec<Found>,
}

/// Rows that are there.
#[derive(Debug, Default)]
pub struct Known {
    pub(crate) rows: HashMap<Id, Row>,
    /// By table and kind, then by folded name.
    names: HashMap<(Table, String), HashMap<String, Vec<Id>>>,
    parties: HashMap<String, Vec<Id>>,
    pub(crate) old: HashMap<(Id, i64), Row>,
    pub(crate) blobs: HashSet<String>,
    /// Rows that the reader may not change; empty for who may change all.
    pub(crate) locked: HashSet<Id>,
    /// Kinds of party the reader may add.
    pub(crate) may_add: HashSet<&'static str>,
    pub(crate) answers: soa::Answers,
}

impl Known {
    fn add(&mut self, row: Row) {
        let folded = fold(&row.name);
        if row.table == Table::Party && PARTY_KINDS.contains(&row.kind.as_str()) {
            self.parties.entry(folded.clone()).or_default().push(row.id);
        }
        let of_kind = self.names.entry((row.table, row.kind.clone())).or_default();
        of_kind.entry(folded).or_default().push(row.id);
        self.rows.insert(row.id, row);
    }

    /// Rows of a kind with this name; the exact name goes before what only folds to it.
    pub(crate) fn named(&self, table: Table, kind: &str, name: &str) -> Vec<Id> {
        let of_kind = self.names.get(&(table, kind.to_owned()));
        self.exact(of_kind.and_then(|names| names.get(&fold(name))), name)
    }

    /// Parties with this name, whatever their kind.
    pub(crate) fn party(&self, name: &str) -> Vec<Id> {
        self.exact(self.parties.get(&fold(name)), name)
    }

    fn exact(&self, ids: Option<&Vec<Id>>, name: &str) -> Vec<Id> {
        let Some(ids) = ids else { return Vec::new() };
        let exact: Vec<Id> = ids
            .iter()
            .copied()
            .filter(|id| self.rows.get(id).is_some_and(|r| r.name == name))
            .collect();
        if exact.is_empty() { ids.clone() } else { exact }
    }
}

/// Who imports what, and how.
pub struct Asking<'a> {
    pub store: &'a Store,
    pub specs: &'a [&'static RoomSpec],
    pub reader: &'a Reader,
    pub lang: Lang,
    pub zone: TimeZone,
    pub clash: Clash,
}

/// Judges every row of every table; writes nothing.
pub async fn plan(
    asking: &Asking<'_>,
    books: Arc<Books>,
    choices: Vec<Mapping>,
) -> Result<Plan, StoreError> {
    let targets = super::targets(asking.specs, asking.reader);
    let chosen = |mapping: &Mapping| targets.iter().find(|t| t.key() == mapping.to).copied();
    let chosen: Vec<Option<Target>> = choices.iter().map(chosen).collect();
    let known = load(asking, &books, &choices, &chosen).await?;
    let rows: usize = books.found.iter().map(|found| found.table.rows.len()).sum();
    let ids = (0..rows + PROPOSED_MAX).map(|_| asking.store.new_id());
    let input = Input {
        books,
        choices,
        targets: chosen,
        known,
        ids: ids.collect::<Result<Vec<Id>, _>>()?,
        clash: asking.clash,
        lang: asking.lang,
        zone: asking.zone.clone(),
    };
    // A large book takes its time, and other requests must not wait for it.
    let judged = tokio::task::spawn_blocking(move || judge::judge(input)).await;
    judged.map_err(|error| StoreError::Column(format!("judging ended early: {error}")))
}

async fn load(
    asking: &Asking<'_>,
    books: &Books,
    choices: &[Mapping],
    targets: &[Option<Target>],
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    let mut kinds: BTreeMap<Table, HashSet<&str>> = BTreeMap::new();
    for target in targets.iter().flatten() {
        if target.kind.is_some() {
            kinds.entry(target.table).or_default().insert(target.id);
        }
        for field in target.fields {
            match field.ty {
                FieldType::Reference(kind) => {
                    kinds.entry(Table::Asset).or_default().insert(kind);
                }
                FieldType::Party => {
                    kinds.entry(Table::Party).or_default().extend(PARTY_KINDS);
                }
                _ => {}
            }
        }
    }
    let with_soa = targets.iter().flatten().any(|target| target.kind.is_none());
    for row in seen(asking, kinds, with_soa, &mut known).await? {
        known.add(row);
    }
    let parties = asking.specs.iter().flat_map(|room| crate::kinds_of(room));
    let may = |kind: &&model::KindSpec| {
        kind.table == Table::Party && asking.reader.may(Action::Write, kind)
    };
    known.may_add = parties.filter(may).map(|kind| kind.id).collect();
    lock(asking, targets, &mut known).await?;
    let asked = Asked::of(books, choices, targets, &known);
    for (table, wanted) in asked.versions {
        for row in asking.store.old_versions(table, &wanted).await? {
            known.old.insert((row.id, row.version), row);
        }
    }
    let hashes: Vec<&str> = asked.files.iter().map(String::as_str).collect();
    known.blobs = asking.store.blobs(&hashes).await?.into_keys().collect();
    Ok(known)
}

/// Live rows of these kinds that the reader sees; the controls of Annex A beside them go to the answers
/// of an old Statement of Applicability. One statement, and one for each kind of which the reader sees a
/// part.
async fn seen(
    asking: &Asking<'_>,
    kinds: BTreeMap<Table, HashSet<&str>>,
    with_soa: bool,
    known: &mut Known,
) -> Result<Vec<Row>, StoreError> {
    let mut wanted = kinds.clone();
    if with_soa {
        wanted.entry(Table::Norm).or_default().extend(soa::NORMS);
    }
    let wanted: Vec<(Table, Vec<&str>)> =
        wanted.into_iter().map(|(table, kinds)| (table, kinds.into_iter().collect())).collect();
    let mut rows = asking.store.all_in(&wanted).await?;
    if with_soa {
        let is_norm = |row: &Row| row.table == Table::Norm && soa::NORMS.contains(&&*row.kind);
        let norms: Vec<Row> = rows.iter().filter(|row| is_norm(row)).cloned().collect();
        known.answers = soa::load(asking.store, &norms).await?;
        let asked = kinds.get(&Table::Norm);
        rows.retain(|row| !is_norm(row) || asked.is_some_and(|kinds| kinds.contains(&*row.kind)));
    }
    for kind in asking.specs.iter().flat_map(|room| crate::kinds_of(room)) {
        let table = kind.table;
        if !kinds.get(&table).is_some_and(|kinds| kinds.contains(kind.id)) {
            continue;
        }
        let within = asking.reader.within(Action::Read, kind);
        if within == store::Within::All {
            continue;
        }
        let of_kind = rows.iter().filter(|r| r.table == table && r.kind == kind.id);
        let ids: Vec<Id> = of_kind.map(|r| r.id).collect();
        let reached = asking.store.reached(table, &ids, &within).await?;
        let of_kind = |row: &Row| row.table == table && row.kind == kind.id;
        rows.retain(|row| !of_kind(row) || reached.contains(&row.id));
    }
    Ok(rows)
}

/// Notes the rows of the targets that the reader sees but may not change.
async fn lock(
    asking: &Asking<'_>,
    targets: &[Option<Target>],
    known: &mut Known,
) -> Result<(), StoreError> {
    for kind in targets.iter().flatten().filter_map(|target| target.kind) {
        let within = asking.reader.within(Action::Write, kind);
        if within == store::Within::All {
            continue;
        }
        let of_kind = |row: &&Row| row.table == kind.table && row.kind == kind.id;
        let ids: Vec<Id> = known.rows.values().filter(of_kind).map(|row| row.id).collect();
        let reached = asking.store.reached(kind.table, &ids, &within).await?;
        known.locked.extend(ids.into_iter().filter(|id| !reached.contains(id)));
    }
    Ok(())
}

/// What only the cells tell to look up.
#[derive(Default)]
struct Asked {
    /// Versions that were exported and are not the newest any more.
    versions: BTreeMap<Table, Vec<(Id, i64)>>,
    files: HashSet<String>,
}

impl Asked {
    fn of(books: &Books, choices: &[Mapping], targets: &[Option<Target>], known: &Known) -> Asked {
        let mut asked = Asked::default();
        for ((found, mapping), target) in books.found.iter().zip(choices).zip(targets) {
            let Some(target) = target else { continue };
            let files: Vec<usize> = target
                .fields
                .iter()
                .filter(|field| matches!(field.ty, FieldType::File))
                .filter_map(|field| mapping.column_of(field.name))
                .collect();
            let (id, version) = (mapping.column_of(ID), mapping.column_of(VERSION));
            if id.is_none() && files.is_empty() {
                continue;
            }
            for (_, cells) in found.table.records(found.sheet(&books.files)) {
                let text =
                    |at: Option<usize>| at.and_then(|at| cells.get(at)).map(|c| c.text.as_ref());
                for at in &files {
                    let sha = text(Some(*at)).filter(|text| store::is_sha256(text));
                    asked.files.extend(sha.map(str::to_owned));
                }
                let row = text(id).and_then(|text| known.rows.get(&text.parse().ok()?));
                let version = text(version).and_then(|text| text.parse::<i64>().ok());
                if let (Some(row), Some(version)) = (row, version)
                    && version < row.version
                {
                    asked.versions.entry(target.table).or_default().push((row.id, version));
                }
            }
        }
        asked
    }
}
