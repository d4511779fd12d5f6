//! What an instruction sets going once it is signed: its task, and the change of the risk it names.
//!
//! Invariant: a risk that was instructed about says so among its measures, so that its content is another
//! and what was left of it has to be accepted anew, with the instruction in view.

use std::collections::BTreeMap;

use model::{Id, Table};
use serde_json::json;
use store::{Row, Store, StoreError, Write};

use crate::{days, hall::text_of};

/// Writes down what follows from instructions, in one change.
pub(crate) struct Follow<'s> {
    store: &'s Store,
    /// Risks as this change leaves them: two instructions may name the same.
    risks: BTreeMap<Id, Row>,
}

impl<'s> Follow<'s> {
    pub(crate) fn new(store: &'s Store) -> Follow<'s> {
        Follow { store, risks: BTreeMap::new() }
    }

    /// The task of a signed instruction, and the risk with the instruction among its measures.
    pub(crate) async fn up(
        &mut self,
        write: &mut Write<'_>,
        decision: &Row,
        task: Id,
    ) -> Result<(), StoreError> {
        let mut task = task_of(decision, task);
        if let Some(risk) = self.risk(decision).await? {
            task.subject = Some(risk.id);
            let changed = write.put(instructed(risk, decision)).await?;
            self.risks.insert(changed.id, changed);
        }
        write.put(task).await?;
        Ok(())
    }

    /// The risk that the instruction names, if it is still there.
    async fn risk(&self, decision: &Row) -> Result<Option<Row>, StoreError> {
        let Some(id) = text_of(decision, "risk").and_then(|id| id.parse().ok()) else {
            return Ok(None);
        };
        if let Some(row) = self.risks.get(&id) {
            return Ok(Some(row.clone()));
        }
        let row = self.store.row(Table::Risk, id).await?;
        Ok(row.filter(|row| !row.deleted))
    }
}

fn instructed(mut risk: Row, decision: &Row) -> Row {
    let (order, due) = (text_of(decision, "order"), text_of(decision, "due"));
    let line = format!(
        "経営層の指示 / Instructed by executives（～{}）: {}",
        due.unwrap_or("–"),
        order.unwrap_or(&decision.name)
    );
    let measures = match text_of(&risk, "measures").map(str::trim_end) {
        None | Some("") => line,
        Some(before) => format!("{before}\n{line}"),
    };
    risk.attributes.insert("measures".to_owned(), measures.into());
    risk
}

/// The task that carries out an instruction.
fn task_of(decision: &Row, id: Id) -> Row {
    let (order, due) = (text_of(decision, "order"), text_of(decision, "due"));
    let mut task = Row::new(Table::Task, id, "task", &short(order.unwrap_or(&decision.name)));
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(decision.id);
    task.ends_at = due.and_then(days::begin).map(|day| day.plus_hours(24));
    let attributes = json!({
        "due": due,
        "zone": "UTC",
        "assignee": text_of(decision, "assignee"),
        "description": order,
        "remind_days": 7,
        "escalation": ["1 officer", "7 executive"],
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}

/// The first line, as a name.
pub(crate) fn short(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(80).collect()
}
