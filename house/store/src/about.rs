//! Look-ups by a set of ids: what the incremental evaluation reads.

use model::{Id, Table, Timestamp};

use crate::{Record, Row, Store, StoreError, Val, list::Sql, records, rows};

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Subject,
    Object,
}

/// Ids in one statement; both databases take far more parameters.
const IDS_PER_STATEMENT: usize = 400;

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
        self.rows_where(table, ids, &["id"]).await
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
        let columns: &[&str] =
            if table == Table::Link { &["subject", "object"] } else { &["subject"] };
        self.rows_where(table, ids, columns).await
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

    /// Number of live, active rows that are not of this kind.
    pub async fn count_active(&self, table: Table, but: &str) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT COUNT(*) FROM {} WHERE deleted = 0 AND status = 'active' AND kind <> $1",
            rows::table_sql(table)
        );
        let rows = self.db().fetch(&sql, &[but.into()]).await?;
        Ok(rows[0][0].int()?.unsigned_abs())
    }

    async fn rows_where(
        &self,
        table: Table,
        ids: &[Id],
        columns: &[&str],
    ) -> Result<Vec<Row>, StoreError> {
        let mut found: Vec<Row> = Vec::new();
        for chunk in ids.chunks(IDS_PER_STATEMENT) {
            for column in columns {
                let sql = format!(
                    "SELECT {} FROM {} WHERE deleted = 0 AND {column} IN ({}) ORDER BY kind, name, id",
                    rows::COLUMNS,
                    rows::table_sql(table),
                    places(1, chunk.len()),
                );
                for row in self.db().fetch(&sql, &texts(chunk)).await? {
                    found.push(self.read(table, &row)?);
                }
            }
        }
        found.sort_by(|a, b| (&a.kind, &a.name, a.id).cmp(&(&b.kind, &b.name, b.id)));
        found.dedup_by_key(|row| row.id);
        Ok(found)
    }

    /// Records of one type about these subjects: those observed since `since`, and the newest of each
    /// subject however old.
    pub async fn records_about(
        &self,
        ty: &str,
        ids: &[Id],
        since: Timestamp,
    ) -> Result<Vec<Record>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS_PER_STATEMENT) {
            let mut args: Vec<Val> = vec![ty.into(), since.0.into()];
            args.extend(texts(chunk));
            let sql = format!(
                "SELECT {} FROM record WHERE type = $1 AND observed_to >= $2 AND subject IN ({})",
                records::COLUMNS,
                places(3, chunk.len()),
            );
            for row in self.db().fetch(&sql, &args).await? {
                found.push(records::decode(&row)?);
            }
            let columns: Vec<String> =
                records::COLUMNS.split(", ").map(|c| format!("r.{}", c.trim())).collect();
            let sql = format!(
                "SELECT {} FROM record r JOIN (SELECT subject, MAX(observed_to) AS newest FROM record \
                 WHERE type = $1 AND subject IN ({}) GROUP BY subject) m \
                 ON r.type = $1 AND r.subject = m.subject AND r.observed_to = m.newest",
                columns.join(", "),
                places(2, chunk.len()),
            );
            let mut args: Vec<Val> = vec![ty.into()];
            args.extend(texts(chunk));
            for row in self.db().fetch(&sql, &args).await? {
                found.push(records::decode(&row)?);
            }
        }
        Ok(found)
    }

    /// Records of these types that are about no single subject.
    pub async fn records_of_the_whole(&self, types: &[&str]) -> Result<Vec<Record>, StoreError> {
        let sql = format!(
            "SELECT {} FROM record WHERE subject IS NULL AND type IN ({})",
            records::COLUMNS,
            places(1, types.len()),
        );
        let args: Vec<Val> = types.iter().map(|ty| Val::from(*ty)).collect();
        let rows = self.db().fetch(&sql, &args).await?;
        rows.iter().map(|row| records::decode(row)).collect()
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
