//! The context of the organisation (4.1 to 4.3): issues, needs, interfaces, scope; what of it nobody
//! looked at for a year; and samples to begin with.
//!
//! Invariant: pure but for [`load`] and [`take`]; a sample is taken over once.

pub mod samples;

use std::collections::BTreeSet;

use model::{Id, Lang, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Row, Store, StoreError, Write};

use crate::{days, hall::text_of, signed};
use samples::Sample;

/// Kinds of the registers that the context is.
pub const KINDS: [&str; 4] = ["context_issue", "party_need", "interface", "scope_statement"];
/// What nobody looked at for longer is to be looked at.
pub const REVIEW_DAYS: i64 = 365;

/// One row of the context.
#[derive(Clone, Debug)]
pub struct Entry {
    pub row: Row,
    /// Day it was looked at last; where nobody wrote one, the day it was entered.
    pub reviewed: String,
    pub overdue: bool,
    pub climate: bool,
}

/// A scope statement, and until when its approval holds.
#[derive(Clone, Debug)]
pub struct Stated {
    pub row: Row,
    /// Decision and end; `None` where nothing approves it as it stands.
    pub approved: Option<(Id, Option<Timestamp>)>,
}

/// Everything of 4.1 to 4.3.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub external: Vec<Entry>,
    pub internal: Vec<Entry>,
    pub needs: Vec<Entry>,
    pub interfaces: Vec<Entry>,
    pub scope: Vec<Stated>,
}

/// Reads the context: two statements.
pub async fn load(store: &Store) -> Result<Context, StoreError> {
    let rows = store.all(Table::Asset, &KINDS).await?;
    let statements: Vec<Id> =
        rows.iter().filter(|r| r.kind == "scope_statement").map(|r| r.id).collect();
    let decisions = store.rows_about(Table::Decision, &statements).await?;
    draw(rows, &decisions, store.now())
}

/// Draws the context from its rows.
pub fn draw(rows: Vec<Row>, decisions: &[Row], now: Timestamp) -> Result<Context, StoreError> {
    let mut context = Context::default();
    for row in rows {
        match row.kind.as_str() {
            "scope_statement" => {
                let approval = signed::approval(decisions, &row, now)?;
                let approved = approval.map(|d| (d.id, d.ends_at));
                context.scope.push(Stated { row, approved });
            }
            "party_need" => context.needs.push(entry(row, now)),
            "interface" => context.interfaces.push(entry(row, now)),
            _ if text_of(&row, "side") == Some("internal") => {
                context.internal.push(entry(row, now));
            }
            _ => context.external.push(entry(row, now)),
        }
    }
    Ok(context)
}

fn entry(row: Row, now: Timestamp) -> Entry {
    let at = days::field(&row, "reviewed_on").unwrap_or(row.created_at);
    Entry {
        reviewed: days::of(at),
        overdue: now.hours_since(at) > REVIEW_DAYS * 24,
        climate: row.attributes.get("climate") == Some(&Json::Bool(true)),
        row,
    }
}

impl Context {
    /// Everything that is looked at in turn.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        [&self.external, &self.internal, &self.needs, &self.interfaces].into_iter().flatten()
    }

    /// Samples that were taken over.
    pub fn taken(&self) -> BTreeSet<&str> {
        self.entries().filter_map(|e| text_of(&e.row, "shipped")).collect()
    }

    /// Whether somebody decided about climate change, as the amendment of 2024 asks.
    pub fn minds_climate(&self) -> bool {
        self.external.iter().chain(&self.internal).any(|e| e.climate)
    }

    /// The context as one document.
    pub fn json(&self) -> Json {
        let entry = |e: &Entry| {
            json!({
                "id": e.row.id, "name": e.row.name, "reviewed_on": e.reviewed,
                "overdue": e.overdue, "attributes": e.row.attributes,
            })
        };
        let list = |entries: &[Entry]| entries.iter().map(entry).collect::<Vec<Json>>();
        let stated = |s: &Stated| {
            json!({
                "id": s.row.id, "name": s.row.name, "attributes": s.row.attributes,
                "approved": s.approved.map(|(decision, until)| json!({
                    "decision": decision, "until": until.map(Timestamp::rfc3339),
                })),
            })
        };
        json!({
            "external": list(&self.external),
            "internal": list(&self.internal),
            "needs": list(&self.needs),
            "interfaces": list(&self.interfaces),
            "scope": self.scope.iter().map(stated).collect::<Vec<Json>>(),
        })
    }
}

/// Takes samples over as rows, in one language; those taken before are left alone. Returns how many
/// were new. What is there is read within the change, so that two at once take nothing twice.
pub async fn take(
    store: &Store,
    write: &mut Write<'_>,
    ids: &[&str],
    lang: Lang,
) -> Result<usize, StoreError> {
    let there = store.all(Table::Asset, &KINDS).await?;
    let taken: BTreeSet<&str> = there.iter().filter_map(|r| text_of(r, "shipped")).collect();
    let today = days::of(store.now());
    let chosen = |s: &&Sample| ids.contains(&s.id.as_str()) && !taken.contains(s.id.as_str());
    let mut count = 0;
    for sample in samples::all().iter().filter(chosen) {
        write.put(sample.row(store.new_id()?, lang, &today)).await?;
        count += 1;
    }
    Ok(count)
}

/// Notes that these rows were looked at today and still hold; returns how many there were.
pub async fn reviewed(
    store: &Store,
    write: &mut Write<'_>,
    ids: &[Id],
    day: &str,
) -> Result<usize, StoreError> {
    let mut count = 0;
    let own = |row: &Row| KINDS.contains(&row.kind.as_str()) && row.kind != "scope_statement";
    for mut row in store.rows_by_id(Table::Asset, ids).await?.into_iter().filter(own) {
        if text_of(&row, "reviewed_on") != Some(day) {
            row.attributes.insert("reviewed_on".into(), day.into());
            write.put(row).await?;
            count += 1;
        }
    }
    Ok(count)
}
