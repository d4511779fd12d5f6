//! Rows of older schemas as the newest one reads them.
//!
//! Invariants: what stands in a table stays as it was written, and so does its leaf; only what is read
//! is lifted, step by step; whoever saves a lifted row saves the newest schema. Decisions bind what
//! was written, so a new schema voids none. The index holds lifted rows, so sorting and searching know
//! the newest names only.

use std::{collections::HashMap, sync::Arc};

use model::Table;
use serde_json::{Map, Value as Json};

use crate::{Row, Store, StoreError, Val, rows::decode};

/// One step from a schema to the next.
pub type Upcast = fn(&mut Map<String, Json>);
/// Steps of each kind that has some; the first leads from version 1 to 2.
pub type Upcasts = HashMap<&'static str, &'static [Upcast]>;

impl Store {
    /// Lifts rows of older schemas when they are read.
    pub fn with_upcasts(mut self, upcasts: Upcasts) -> Store {
        self.upcasts = Arc::new(upcasts);
        self
    }

    /// A row as it is read.
    pub(crate) fn read(&self, table: Table, values: &[Val]) -> Result<Row, StoreError> {
        Ok(self.lift(decode(table, values)?))
    }

    pub(crate) fn lift(&self, mut row: Row) -> Row {
        let Some(steps) = self.upcasts.get(row.kind.as_str()) else { return row };
        let behind = usize::try_from(row.schema_version - 1).unwrap_or(0);
        if behind >= steps.len() {
            return row;
        }
        let written = row.attributes.clone();
        for step in &steps[behind..] {
            step(&mut row.attributes);
        }
        row.schema_version = steps.len() as i64 + 1;
        row.written = Some(written);
        row
    }
}
