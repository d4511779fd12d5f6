//! What signing needs within one change: nobody signs the same beside it, and the subject stays as it
//! was shown.

use model::{Id, Table};

use crate::{Row, StoreError, Val, Write, rows};

/// Most decisions of one kind about one subject that are looked through, newest first.
const DECISIONS_MAX: usize = 200;

impl Write<'_> {
    /// Waits until no other change holds this name, and holds it until this one ends. On SQLite there
    /// is only one writer anyway.
    pub async fn exclusive(&mut self, name: &str) -> Result<(), StoreError> {
        if self.store().db().is_sqlite() {
            return Ok(());
        }
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        self.tx.execute(sql, &[name.into()]).await.map(drop)
    }

    /// The current row, which nobody changes before this change ends.
    pub async fn hold(&mut self, table: Table, id: Id) -> Result<Option<Row>, StoreError> {
        self.current(table, id).await
    }

    /// Live decisions of a kind about a subject, or about none, newest first.
    pub async fn decisions(
        &mut self,
        kind: &str,
        subject: Option<Id>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut args: Vec<Val> = vec![kind.into()];
        let about = match subject {
            Some(id) => {
                args.push(id.to_string().into());
                "subject = $2"
            }
            None => "subject IS NULL",
        };
        let sql = format!(
            "SELECT {} FROM decision WHERE kind = $1 AND {about} AND deleted = 0 \
             ORDER BY updated_at DESC, id LIMIT {DECISIONS_MAX}",
            rows::COLUMNS,
        );
        let found = self.tx.fetch(&sql, &args).await?;
        found.iter().map(|row| rows::decode(Table::Decision, row)).collect()
    }
}
