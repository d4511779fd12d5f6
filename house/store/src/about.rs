//! Look-ups by a set of ids: what the incremental evaluation reads.

use model::{Id, Table, Timestamp};

use crate::{Row, Store, StoreError, Val, list::Sql, rows};

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Subject,
    Object,
}

/// Ids in one statement; both databases take far more parameters.
pub(crate) const IDS_PER_STATEMENT: usize = 400;

fn places(from: usize, count: usize) -> String {
    let places: Vec<String> = (from..from + count).map(|i| format!("${i}")).collect();
    places.join(", ")
}

fn texts(ids: &[Id]) -> Vec<Val> {
    ids.iter().map(|id| id.to_string().into()).collect()
}

impl Store {
    /// Live rows with these ids.
    pub async fn rows_by_id(&self, table: Table, ids: &[Id]) -> Result<Vec<Row>, StoreError> {
        self.present().rows_by_id(table, ids).await
    }

    /// Ids of live rows of these kinds (all if empty) behind `after`, in order, at most `limit`.
    pub async fn ids(
        &self,
        table: Table,
        kinds: &[&str],
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Id>, StoreError> {
        let mut args: Vec<Val> = vec![after.map_or(String::new(), |id| id.to_string()).into()];
        args.extend(kinds.iter().map(|kind| Val::from(*kind)));
        let only = if kinds.is_empty() {
            String::new()
        } else {
            format!(" AND kind IN ({})", places(2, kinds.len()))
        };
        let sql = format!(
            "SELECT id FROM {} WHERE id > $1 AND deleted = 0{only} ORDER BY id LIMIT {limit}",
            rows::table_sql(table),
        );
        let found = self.db().fetch(&sql, &args).await?;
        found.iter().map(|row| crate::parse_id(row[0].text()?)).collect()
    }

    /// Live rows about these subjects: decisions and tasks by `subject`, links by either end.
    pub async fn rows_about(&self, table: Table, ids: &[Id]) -> Result<Vec<Row>, StoreError> {
        self.present().rows_about(table, ids).await
    }

    /// Live links that begin or end at a row, as far as they are reached; at most `limit` each way.
    pub async fn links_of(
        &self,
        id: Id,
        within: &crate::Within,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found: Vec<Row> = Vec::new();
        for column in ["subject", "object"] {
            let mut sql = Sql::default();
            sql.add(&format!("t.deleted = 0 AND t.{column} = ?"), vec![id.to_string().into()]);
            within.narrow(Table::Link, &mut sql);
            let text = format!(
                "SELECT {} FROM link AS t WHERE {} ORDER BY kind, name, id LIMIT {}",
                rows::COLUMNS,
                sql.clauses.join(" AND "),
                limit.min(rows::PAGE_ROWS_MAX),
            );
            for row in self.db().fetch(&text, &sql.args).await? {
                let row = self.read(Table::Link, &row)?;
                // A link from a row to itself is found both ways.
                if !found.iter().any(|known| known.id == row.id) {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }

    /// Live links of one kind that have one of these ids at this end.
    pub async fn links(&self, ids: &[Id], kind: &str, end: End) -> Result<Vec<Row>, StoreError> {
        let column = match end {
            End::Subject => "subject",
            End::Object => "object",
        };
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS_PER_STATEMENT) {
            let sql = format!(
                "SELECT {} FROM link WHERE deleted = 0 AND kind = $1 AND {column} IN ({})",
                rows::COLUMNS,
                places(2, chunk.len()),
            );
            let mut args: Vec<Val> = vec![kind.into()];
            args.extend(texts(chunk));
            for row in self.db().fetch(&sql, &args).await? {
                found.push(self.read(Table::Link, &row)?);
            }
        }
        Ok(found)
    }

    /// Live rows of an owner with this status; at most `limit`.
    pub async fn owned(
        &self,
        table: Table,
        owner: Id,
        status: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} WHERE deleted = 0 AND owner = $1 AND status = $2 \
             ORDER BY name, id LIMIT {}",
            rows::COLUMNS,
            rows::table_sql(table),
            limit.min(rows::PAGE_ROWS_MAX),
        );
        let args = [owner.to_string().into(), status.into()];
        let rows = self.db().fetch(&sql, &args).await?;
        rows.iter().map(|row| self.read(table, row)).collect()
    }

    /// Whether a live link of this kind leads from one row to the other.
    pub async fn linked(&self, kind: &str, from: Id, to: Id) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM link \
                   WHERE deleted = 0 AND kind = $1 AND subject = $2 AND object = $3 LIMIT 1";
        let args = [kind.into(), from.to_string().into(), to.to_string().into()];
        Ok(!self.db().fetch(sql, &args).await?.is_empty())
    }

    /// The oldest live row of a kind whose field holds this text, without regard to case or width.
    pub async fn row_with(
        &self,
        table: Table,
        kind: &str,
        field: &str,
        text: &str,
    ) -> Result<Option<Id>, StoreError> {
        let crate::Key::Text(text) = crate::Key::text(text) else { return Ok(None) };
        let sql = "SELECT row_id FROM attribute \
                   WHERE subject_table = $1 AND kind = $2 AND name = $3 AND text = $4 \
                   ORDER BY row_id LIMIT 1";
        let args = [table.name().into(), kind.into(), field.into(), text.into()];
        let rows = self.db().fetch(sql, &args).await?;
        rows.first().map(|row| crate::parse_id(row[0].text()?)).transpose()
    }

    /// How many rows of these kinds there are or were, and when one of them changed last: what is loaded from
    /// them is current as long as this stays the same.
    pub async fn stamp(
        &self,
        table: Table,
        kinds: &[&str],
    ) -> Result<(u64, Timestamp), StoreError> {
        let sql = format!(
            "SELECT COUNT(*), COALESCE(MAX(updated_at), 0) FROM {} WHERE kind IN ({})",
            rows::table_sql(table),
            places(1, kinds.len())
        );
        let args: Vec<Val> = kinds.iter().map(|kind| (*kind).into()).collect();
        let rows = self.db().fetch(&sql, &args).await?;
        Ok((rows[0][0].int()?.unsigned_abs(), Timestamp(rows[0][1].int()?)))
    }

    /// Number of live, active rows that are not of this kind.
    pub async fn count_active(&self, table: Table, but: &str) -> Result<u64, StoreError> {
        self.present().count_active(table, but).await
    }

    /// Type, subject and time of records dated after `now`; at most 10,000.
    pub async fn records_ahead(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(String, Option<Id>, Timestamp)>, StoreError> {
        let sql = "SELECT type, subject, observed_to FROM record WHERE observed_to > $1 \
                   ORDER BY observed_to LIMIT 10000";
        let rows = self.db().fetch(sql, &[now.0.into()]).await?;
        rows.iter()
            .map(|r| {
                let subject = r[1].opt_text()?.map(crate::parse_id).transpose()?;
                Ok((r[0].text()?.to_owned(), subject, Timestamp(r[2].int()?)))
            })
            .collect()
    }
}
