//! What the documents say beyond the board: who we are, risks and tasks as written.

use std::collections::BTreeMap;

use model::{Id, Table};
use oscal::{Uuid, export::Party, uuid_v5};
use store::{Row, Store, StoreError};

use super::{ExportError, VOCABULARY};
use crate::{Board, hall::text_of, welcome};

/// `id` of the publisher among the parties.
pub(super) const ORGANISATION: &str = "organisation";
/// RFC 9562's namespace for names that are URLs.
const URLS: Uuid = Uuid::from_u128(0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8);
/// Open tasks that are told; a plan of more is no plan.
const TASKS_MAX: usize = 2_000;

/// Read once for any number of documents.
#[derive(Clone, Debug)]
pub struct Source {
    pub namespace: Uuid,
    pub organisation: Option<Row>,
    pub risks: BTreeMap<Id, Row>,
    pub tasks: Vec<Row>,
    pub scope: Option<Row>,
    /// Rows of the parties that the board or a task names.
    pub people: BTreeMap<Id, Row>,
}

impl Source {
    pub async fn load(store: &Store, board: &Board) -> Result<Source, ExportError> {
        let origin = store.setting("ledger_origin").await?.ok_or(ExportError::NoOrigin)?;
        Ok(Source::of(store, board, &origin).await?)
    }

    /// The same for a ledger of this name.
    pub async fn of(store: &Store, board: &Board, origin: &str) -> Result<Source, StoreError> {
        let mut tasks = store.all(Table::Task, &[]).await?;
        tasks.retain(|task| !matches!(task.status.as_str(), "closed" | "retired"));
        tasks.truncate(TASKS_MAX);
        let hall = &board.view;
        let assigned = tasks.iter().filter_map(assignee);
        let of_rows = hall.soa.iter().flat_map(|r| [r.owner, r.provider]).flatten();
        let ids: std::collections::BTreeSet<Id> =
            of_rows.chain(hall.risks.iter().filter_map(|r| r.owner)).chain(assigned).collect();
        let ids: Vec<Id> = ids.into_iter().collect();
        let by_id = |rows: Vec<Row>| rows.into_iter().map(|row| (row.id, row)).collect();
        let scopes = store.all(Table::Asset, &["scope_statement"]).await?;
        let in_force = scopes.into_iter().filter(|row| row.status == "active");
        Ok(Source {
            namespace: uuid_v5(&URLS, &format!("{VOCABULARY}/{origin}")),
            organisation: welcome::organisation_row(store).await?,
            risks: by_id(store.all(Table::Risk, &[]).await?),
            tasks,
            scope: in_force.max_by_key(|row| (row.updated_at, row.id)),
            people: by_id(store.rows_by_id(Table::Party, &ids).await?),
        })
    }

    /// Names everybody by the id, as the leaves of the ledger do.
    pub fn forget_names(&mut self) {
        for (id, row) in &mut self.people {
            row.name = id.to_string();
        }
    }

    pub(super) fn organisation_name(&self) -> &str {
        self.organisation.as_ref().map_or("", |row| row.name.as_str())
    }

    /// Everybody a document may refer to.
    pub(super) fn parties(&self, board: &Board) -> Vec<Party> {
        let ours = match self.organisation_name() {
            "" => "この組織 / this organisation",
            name => name,
        };
        let party = |id: String, name: &str, organisation| Party {
            id,
            name: name.to_owned(),
            organisation,
        };
        let mut all = vec![party(ORGANISATION.to_owned(), ours, true)];
        all.extend(
            self.people
                .values()
                .map(|row| party(row.id.to_string(), &row.name, row.kind != "person")),
        );
        let approvers: std::collections::BTreeSet<&str> = board
            .view
            .soa
            .iter()
            .filter_map(|row| row.exclusion.as_ref().map(|e| e.approver.as_str()))
            .collect();
        all.extend(
            approvers
                .into_iter()
                .map(|id| party(id.to_owned(), id.strip_prefix("account:").unwrap_or(id), false)),
        );
        all
    }

    /// Id of a party, if the documents know it.
    pub(super) fn party(&self, id: Option<Id>) -> Option<String> {
        id.filter(|id| self.people.contains_key(id)).map(|id| id.to_string())
    }

    pub(super) fn scope_text(&self) -> &str {
        self.scope.as_ref().and_then(|row| text_of(row, "statement")).unwrap_or("")
    }
}

/// Who a task is for.
pub(super) fn assignee(task: &Row) -> Option<Id> {
    text_of(task, "assignee").and_then(|id| id.parse().ok()).or(task.owner)
}
