//! Tasks by their due moment.

use model::Table;

use crate::{Row, Store, StoreError, rows::COLUMNS};

/// Most tasks that one question returns.
const TASKS_MAX: usize = 10_000;

impl Store {
    /// Live tasks that are not closed, the most overdue first; those without a date come last.
    pub async fn open_tasks(&self, limit: usize) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM task WHERE deleted = 0 AND status <> 'closed' \
             ORDER BY COALESCE(ends_at, 9223372036854775807), id LIMIT {}",
            limit.min(TASKS_MAX)
        );
        let rows = self.db().fetch(&sql, &[]).await?;
        rows.iter().map(|row| self.read(Table::Task, row)).collect()
    }

    /// Live tasks, newest change first, that are closed.
    pub async fn closed_tasks(&self, limit: usize) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM task WHERE deleted = 0 AND status = 'closed' \
             ORDER BY updated_at DESC, id LIMIT {}",
            limit.min(TASKS_MAX)
        );
        let rows = self.db().fetch(&sql, &[]).await?;
        rows.iter().map(|row| self.read(Table::Task, row)).collect()
    }
}
