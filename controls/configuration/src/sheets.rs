//! Workbooks held against the newest snapshots of the register's hosts: one set of functions below page and API. The
//! command line works on files by the same steps of [`crate::sheet`].
//!
//! Invariants: a workbook that is not laid out as its kept map says is not held against anything before somebody looked
//! at the mapping; a host without a snapshot is unread, never equal; one host has one record of a workbook.
//!
//! Limits: those of `reports`; [`HOSTS_MAX`] hosts of a workbook; design values of [`VALUE_CHARS_MAX`] characters.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use baseline::Facts;
use model::{Assurance, Id, Lang, Table, Timestamp};
use reports::{Book, FillError, Filled, SheetError, fold};
use room::blocking;
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store, StoreError, Within, Write};

use crate::{
    design::{self, Wanted},
    registers::{reference, row, text},
    sheet::{
        Finding,
        choose::Unfit,
        compare::{Compared, Hosts, Line, compare},
        fill,
        map::{SheetMap, Shifted, propose},
    },
    work::seen::{self, HOSTS_MAX},
};

pub(crate) const KIND: &str = "sheet_map";
pub(crate) const RECORD: &str = "configuration.sheet";
const VALUE_CHARS_MAX: usize = 1_000;
/// Lines that a record keeps.
const LINES_KEPT_MAX: usize = 20_000;
const SOURCE: &str = "parameter sheet";

/// Why a workbook is not held against hosts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Read(#[from] SheetError),
    #[error("no table with items and design values was found in the workbook")]
    NoTable,
    #[error(transparent)]
    Shifted(#[from] Shifted),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Fill(#[from] FillError),
    #[error("the workbook names {0} hosts, more than the limit of {HOSTS_MAX}")]
    Hosts(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Work(#[from] room::Error),
}

impl Fault {
    /// What is wrong, in the reader's language.
    pub fn text(&self, lang: Lang) -> String {
        match (self, lang) {
            (Fault::Read(error), _) => error.text(lang),
            (Fault::Fill(error), _) => error.text(lang),
            (Fault::Unfit(unfit), _) => unfit.text(lang),
            (Fault::Shifted(shifted), Lang::Ja) => shifted.ja(),
            (Fault::NoTable, Lang::Ja) => {
                "項目と設計値の列を持つ表が見つかりません。「項目」「設定値」などの見出しがあるか確かめてください。何も書き込んでいません。".to_owned()
            }
            (Fault::Hosts(found), Lang::Ja) => {
                format!("ブックにホストが{found}台あります。一度に{HOSTS_MAX}台までなので、ブックを分けてください。")
            }
            (other, _) => {
                let text = other.to_string();
                let mut chars = text.chars();
                let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
                format!("{first}{}.", chars.as_str())
            }
        }
    }
}

/// Which column of a workbook holds what.
#[derive(Default)]
pub(crate) struct Proposed {
    pub maps: Vec<SheetMap>,
    /// Somebody confirmed all of them before.
    pub is_known: bool,
    /// Sheets that were confirmed before and are laid out otherwise now.
    pub shifted: Vec<Shifted>,
}

/// Reads a workbook.
pub(crate) async fn read(bytes: Arc<Vec<u8>>) -> Result<Book, Fault> {
    Ok(blocking(move || reports::read(&bytes)).await??)
}

/// Proposes a mapping: what was confirmed for such a sheet before, else what the headers say.
pub(crate) async fn proposed(
    store: &Store,
    book: &Book,
    within: &Within,
) -> Result<Proposed, Fault> {
    let hosts = seen::hosts(store, within).await?;
    let names: Vec<String> = hosts.iter().flat_map(names_of).collect();
    let kept = kept(store).await?;
    let mut out = Proposed { maps: propose(book, &names), is_known: true, shifted: Vec::new() };
    for map in &mut out.maps {
        let of_sheet = || kept.iter().filter(|kept| kept.sheet == map.sheet);
        let fits =
            of_sheet().find(|kept| kept.header_row == map.header_row && kept.locate(book).is_ok());
        if let Some(fits) = fits {
            *map = fits.clone();
            continue;
        }
        out.is_known = false;
        out.shifted.extend(of_sheet().next().and_then(|kept| kept.locate(book).err()));
    }
    if out.maps.is_empty() {
        return Err(Fault::NoTable);
    }
    Ok(out)
}

/// Name and host name of a host.
fn names_of(host: &Row) -> Vec<String> {
    let mut names = vec![host.name.clone()];
    let own = text(host, "hostname");
    if !own.is_empty() && own != host.name {
        names.push(own.to_owned());
    }
    names
}

/// The maps that people confirmed, the newest first.
async fn kept(store: &Store) -> Result<Vec<SheetMap>, StoreError> {
    let mut rows = store.all(Table::Rule, &[KIND]).await?;
    rows.sort_by_key(|row| std::cmp::Reverse((row.updated_at, row.id)));
    Ok(rows.iter().filter_map(map_of).collect())
}

fn map_of(row: &Row) -> Option<SheetMap> {
    let columns = row.attributes.get("columns")?;
    serde_json::from_value(json!({
        "sheet": text(row, "sheet"),
        "header_row": row.attributes.get("header_row")?,
        "columns": columns.get("places")?,
        "host": columns.get("host").filter(|host| !host.is_null()),
    }))
    .ok()
}

/// Keeps what somebody confirmed, for the next workbook with such sheets.
pub(crate) async fn keep_maps(
    store: &Store,
    write: &mut Write<'_>,
    maps: &[SheetMap],
) -> Result<(), StoreError> {
    let rows = store.all(Table::Rule, &[KIND]).await?;
    for map in maps {
        let is_it = |row: &&Row| {
            text(row, "sheet") == map.sheet
                && row.attributes.get("header_row").and_then(Json::as_u64)
                    == Some(map.header_row as u64)
                && map_of(row).is_some_and(|kept| is_alike(&kept, map))
        };
        let attributes = json!({
            "sheet": map.sheet, "header_row": map.header_row, "per_host": map.host.is_some(),
            "columns": { "places": map.columns, "host": map.host },
        });
        let name = format!("{} ({})", map.sheet, map.header_row);
        let mut kept = match rows.iter().find(is_it) {
            Some(kept) => kept.clone(),
            None => row(store, Table::Rule, KIND, &name, Json::Null)?,
        };
        if Json::Object(kept.attributes.clone()) != attributes {
            kept.attributes = attributes.as_object().cloned().unwrap_or_default();
            write.put(kept).await?;
        }
    }
    Ok(())
}

/// Whether two maps are about one layout: the columns that are there bear the same headers at the same places.
fn is_alike(one: &SheetMap, other: &SheetMap) -> bool {
    let there = |map: &SheetMap| -> BTreeMap<usize, String> {
        let old = map.columns.iter().filter(|place| !place.new);
        old.map(|place| (place.at, place.header.clone())).collect()
    };
    let (one, other) = (there(one), there(other));
    one.iter().all(|(at, header)| other.get(at).is_none_or(|there| there == header))
}

/// A workbook held against hosts.
#[derive(Default)]
pub(crate) struct Held {
    pub lines: Vec<Line>,
    /// Hosts of the register by what the workbook calls them.
    pub hosts: BTreeMap<String, Row>,
    /// When those were seen that were.
    pub seen_at: BTreeMap<String, Timestamp>,
    /// What the workbook names and the register, as far as the reader sees it, does not know.
    pub strangers: BTreeSet<String>,
    /// A table names no host, and nobody said which is meant.
    pub is_nameless: bool,
}

impl Held {
    /// Lines with this outcome.
    pub fn count(&self, finding: Finding) -> usize {
        self.lines.iter().filter(|line| line.finding == finding).count()
    }
}

/// Holds the tables of the maps against the newest snapshots; `alone` is the host meant where a sheet names none.
pub(crate) async fn hold(
    store: &Store,
    book: Arc<Book>,
    maps: Arc<Vec<SheetMap>>,
    alone: Option<Id>,
    within: &Within,
) -> Result<Held, Fault> {
    let rows = seen::hosts(store, within).await?;
    let alone =
        alone.and_then(|id| rows.iter().find(|row| row.id == id)).map(|row| row.name.clone());
    let nobody = compared(&book, &maps, &Hosts::new(), alone.as_deref())?;
    let mut held = Held::default();
    for name in nobody.hosts_missing {
        match host_named(&rows, &name) {
            _ if name.is_empty() => held.is_nameless = true,
            Some(row) => drop(held.hosts.insert(name, row.clone())),
            None => drop(held.strangers.insert(name)),
        }
    }
    let ids: BTreeSet<Id> = held.hosts.values().map(|row| row.id).collect();
    if ids.len() > HOSTS_MAX {
        return Err(Fault::Hosts(ids.len()));
    }
    let ids: Vec<Id> = ids.into_iter().collect();
    let newest = seen::newest(store, &ids).await?;
    let mut facts = Hosts::new();
    for (name, row) in &held.hosts {
        let seen = newest.get(&row.id);
        held.seen_at.extend(seen.map(|seen| (name.clone(), seen.record.observed_to)));
        facts.insert(name.clone(), seen.map(|seen| seen.facts.clone()).unwrap_or_else(nothing));
    }
    let all = blocking(move || compared(&book, &maps, &facts, alone.as_deref())).await??;
    held.lines = all.lines;
    for line in &mut held.lines {
        let is_unseen = !held.seen_at.contains_key(&line.host);
        if is_unseen && !matches!(line.finding, Finding::NoDesign | Finding::UnknownItem) {
            line.finding = Finding::Unread;
        }
    }
    Ok(held)
}

fn nothing() -> Facts {
    Facts::new(Vec::new())
}

fn compared(
    book: &Book,
    maps: &[SheetMap],
    hosts: &Hosts,
    alone: Option<&str>,
) -> Result<Compared, Shifted> {
    let mut all = Compared::default();
    for map in maps {
        let one = compare(book, map, hosts, alone)?;
        all.lines.extend(one.lines);
        all.hosts_missing.extend(one.hosts_missing);
    }
    Ok(all)
}

/// The host of that name; a short name stands for the long one if it is the only one.
fn host_named<'r>(rows: &'r [Row], name: &str) -> Option<&'r Row> {
    let wanted = fold(name);
    let exact = rows.iter().find(|row| names_of(row).iter().any(|name| fold(name) == wanted));
    exact.or_else(|| {
        let short = |name: &str| fold(name).split('.').next().unwrap_or_default().to_owned();
        let mut near = rows
            .iter()
            .filter(|row| names_of(row).iter().any(|name| short(name) == short(&wanted)));
        let first = near.next();
        first.filter(|_| near.next().is_none())
    })
}

/// The workbook with what was found.
pub(crate) async fn filled(
    bytes: Arc<Vec<u8>>,
    maps: &[SheetMap],
    lines: &[Line],
    day: &str,
) -> Result<Filled, Fault> {
    let pages: Vec<_> = maps.iter().map(|map| fill::page(map, lines, day)).collect();
    Ok(blocking(move || reports::fill(&bytes, &pages)).await??)
}

/// Writes down that these hosts have a sheet, and that their systems answer the considerations that it has values for.
pub(crate) async fn keep(
    write: &mut Write<'_>,
    held: &Held,
    sha256: &str,
    at: Timestamp,
) -> Result<usize, StoreError> {
    let mut by_host: BTreeMap<Id, Vec<&Line>> = BTreeMap::new();
    for line in &held.lines {
        if let Some(host) = held.hosts.get(&line.host) {
            by_host.entry(host.id).or_default().push(line);
        }
    }
    for (host, lines) in &by_host {
        write.record(draft(*host, lines, held, sha256, at)).await?;
    }
    for ((system, family), keys) in answers(held) {
        let answer = design::answered(system, family, keys, at, Assurance::Imported, SOURCE);
        write.record(answer).await?;
    }
    Ok(by_host.len())
}

fn draft(host: Id, lines: &[&Line], held: &Held, sha256: &str, at: Timestamp) -> RecordDraft {
    let mut facts = json!({ "file": sha256, "rows": lines.len() });
    if lines.iter().any(|line| held.seen_at.contains_key(&line.host)) {
        facts["matched"] =
            lines.iter().filter(|line| line.finding == Finding::Equal).count().into();
    }
    let kept: Vec<&&Line> = lines.iter().take(LINES_KEPT_MAX).collect();
    RecordDraft {
        ty: RECORD.to_owned(),
        subject: Some(host),
        observed_from: at,
        observed_to: at,
        source: SOURCE.to_owned(),
        assurance: Assurance::Imported,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&json!({ "lines": kept })).ok(),
    }
}

/// Systems and considerations with the number of settings that the sheet designs.
fn answers(held: &Held) -> BTreeMap<(Id, &'static str), usize> {
    let mut keys: BTreeMap<(Id, &'static str), BTreeSet<&str>> = BTreeMap::new();
    for line in held.lines.iter().filter(|line| is_designed(line) && !line.family.is_empty()) {
        let system = held.hosts.get(&line.host).and_then(|host| reference(host, "system"));
        if let Some(system) = system {
            keys.entry((system, line.family)).or_default().insert(&line.key);
        }
    }
    keys.into_iter().map(|(place, keys)| (place, keys.len())).collect()
}

fn is_designed(line: &Line) -> bool {
    !line.key.is_empty()
        && line.finding != Finding::NoDesign
        && line.design.chars().count() <= VALUE_CHARS_MAX
}

/// The design values of the sheet, as rules for its hosts.
pub(crate) fn wanted(held: &Held, name: &str) -> Vec<Wanted> {
    let one = |line: &Line| {
        let host = held.hosts.get(&line.host)?;
        Some(Wanted {
            to: host.id,
            to_name: host.name.clone(),
            key: line.key.clone(),
            value: line.design.clone(),
            unit: String::new(),
            family: line.family.to_owned(),
            reason: format!("{name} {}!{}", line.sheet, line.cell),
        })
    };
    held.lines.iter().filter(|line| is_designed(line)).filter_map(one).collect()
}

/// The whole as a document.
pub(crate) fn document(proposed: &Proposed, held: &Held, lang: Lang) -> Json {
    let counts: serde_json::Map<String, Json> = Finding::ALL
        .iter()
        .map(|finding| (finding.as_str().to_owned(), held.count(*finding).into()))
        .collect();
    let hosts = held.hosts.iter().map(|(name, row)| {
        json!({
            "name": name, "id": row.id.to_string(),
            "seen_at": held.seen_at.get(name).map(|at| at.rfc3339()),
        })
    });
    let shifted = proposed.shifted.iter().map(|shifted| match lang {
        Lang::Ja => shifted.ja(),
        Lang::En => shifted.to_string(),
    });
    json!({
        "maps": proposed.maps,
        "known": proposed.is_known,
        "shifted": shifted.collect::<Vec<_>>(),
        "hosts": hosts.collect::<Vec<_>>(),
        "hosts_missing": held.strangers,
        "host_not_said": held.is_nameless,
        "counts": counts,
        "lines": held.lines,
    })
}
