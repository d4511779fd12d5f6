//! Import of whole workbooks: find the tables, guess their registers, judge every row, commit all or
//! nothing.
//!
//! Purpose: an organisation drops the Excel books it has and gets its registers. The steps are pure
//! where they can be: [`found`] and [`judge`] see no database, [`known`] reads what they need and
//! [`commit`] writes what they made.
//!
//! Invariants: nothing is stored while one row of one table is refused; every fault names its cell;
//! the same book twice changes nothing; a row changed here since it was exported is never overwritten
//! silently; what a reader may not write no import writes.

pub mod commit;
mod found;
mod guess;
mod judge;
mod known;
mod mapping;
pub(crate) mod pages;
mod soa;
mod typed;

use model::{Field, KindSpec, RoomSpec, Table, Text};
use serde_json::{Value as Json, json};

pub(crate) use found::chosen;
pub use found::{File, Found, find};
pub use guess::{Guess, Sure};
pub use judge::{Clash, Judged, Line, Plan, Says, Verdict};
pub use known::{Asking, Books, plan};
pub use mapping::Mapping;
pub use soa::STATUSES as SOA_STATUSES;
pub(crate) use typed::plain;

use crate::access::{Action, Reader};

/// Most files of one import.
pub const FILES_MAX: usize = 8;
/// Most tables over all of them.
pub const TABLES_MAX: usize = 100;
/// Most rows over all tables.
pub const ROWS_MAX: usize = 100_000;

/// Where a table can go: a register, or the answers of an old Statement of Applicability.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub table: Table,
    pub id: &'static str,
    pub title: Text,
    pub fields: &'static [Field],
    known_as: &'static [&'static str],
    /// `None` where rows become records.
    pub kind: Option<&'static KindSpec>,
}

impl Target {
    /// The target of a kind.
    pub fn of(kind: &'static KindSpec) -> Target {
        let KindSpec { table, id, title, fields, known_as, .. } = *kind;
        Target { table, id, title, fields, known_as, kind: Some(kind) }
    }

    /// `asset/host`: how forms and kept mappings name it.
    pub fn key(&self) -> String {
        format!("{}/{}", self.table.name(), self.id)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// Every target this reader may write, registers of rules and norms last.
pub fn targets(specs: &[&'static RoomSpec], reader: &Reader) -> Vec<Target> {
    let kinds = specs.iter().flat_map(|room| crate::kinds_of(room));
    let open = |kind: &&KindSpec| {
        crate::import::closed(kind.table).is_none() && reader.may(Action::Write, kind)
    };
    let mut all: Vec<Target> = kinds.filter(open).map(Target::of).collect();
    if reader.may_hand_in() {
        all.push(soa::TARGET);
    }
    let rank = |target: &Target| match target.table {
        Table::Asset => 0,
        Table::Party => 1,
        Table::Risk => 2,
        Table::Record => 3,
        Table::Task | Table::Plan => 4,
        _ => 5,
    };
    all.sort_by_key(rank);
    all
}

/// What was found and what it would come to, for programs; at most so many cells are named.
pub fn json(books: &Books, choices: &[Mapping], plan: &Plan, cells_max: usize) -> Json {
    let mut room = cells_max;
    let tables = books.found.iter().zip(choices).zip(&plan.tables);
    let tables: Vec<Json> = tables
        .map(|((found, mapping), judged)| {
            let column = |(at, column): (usize, &reports::find::Column)| {
                json!({
                    "header": column.text(),
                    "field": mapping.columns.get(at).filter(|field| !field.is_empty()),
                    "names_rows": mapping.name == Some(at),
                    "confidence": found.guess.columns.get(at).map(|sure| sure.name()),
                })
            };
            let says = judged.lines.iter().flat_map(|line| &line.says).take(room);
            let says: Vec<Json> =
                says.map(|s| json!({"cell": s.cell, "what": s.what, "refused": s.bad})).collect();
            room -= says.len();
            json!({
                "file": books.files[found.file].name,
                "place": found.place(&books.files),
                "title": found.table.title,
                "as": (!mapping.to.is_empty()).then_some(&mapping.to),
                "guess": (!found.guess.mapping.to.is_empty()).then_some(&found.guess.mapping.to),
                "confidence": found.guess.sure.name(),
                "reason": found.guess.why,
                "alternatives": found.guess.others,
                "columns": found.table.columns.iter().enumerate().map(column).collect::<Vec<_>>(),
                "rows": found.table.rows.len(),
                "notes": found.table.notes.len(),
                "added": judged.added,
                "changed": judged.changed,
                "same": judged.same,
                "warned": judged.warned,
                "refused": judged.refused,
                "conflicts": judged.clashes,
                "cells": says,
            })
        })
        .collect();
    let proposed: Vec<Json> = plan
        .proposed
        .iter()
        .take(cells_max)
        .map(|p| json!({"kind": p.kind, "name": p.name, "cell": p.cell}))
        .collect();
    json!({"tables": tables, "proposed": proposed, "fault": plan.fault})
}
