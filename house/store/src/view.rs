//! What the evaluation reads, of the present or of a moment in the past: the same functions for both.
//!
//! Invariants: a view of the past holds the row versions that stood then and the records received by
//! then, whatever they say of when they were observed: what became known later is not in it. It only
//! reads. A change that was begun before the moment and committed after it is in it all the same, and
//! what was shredded since is gone from the past too.

use model::{Id, Table, Timestamp};

use crate::{
    Record, Row, Store, StoreError, Val,
    about::IDS_PER_STATEMENT,
    records::{self, decode},
    rows::{self, COLUMNS},
};

/// The tables as they stand, or as they stood.
#[derive(Clone, Copy)]
pub struct View<'s> {
    store: &'s Store,
    /// `None` for the present.
    at: Option<Timestamp>,
}

impl Store {
    /// The tables as they stand.
    pub fn present(&self) -> View<'_> {
        View { store: self, at: None }
    }

    /// The tables as they stood at the end of this moment.
    pub fn as_of(&self, at: Timestamp) -> View<'_> {
        View { store: self, at: Some(at) }
    }

    /// When the first row or record came in, by the ids, which follow time.
    pub async fn first_entry(&self) -> Result<Option<Timestamp>, StoreError> {
        let tables = Table::ALL.iter().filter(|table| **table != Table::Record);
        let part = |(n, table): (usize, &Table)| {
            format!(
                "SELECT at FROM (SELECT created_at AS at FROM {} ORDER BY id LIMIT 1) AS t{n}",
                rows::table_sql(*table)
            )
        };
        let mut parts: Vec<String> = tables.enumerate().map(part).collect();
        parts.push("SELECT MIN(received_at) AS at FROM record".to_owned());
        let sql = format!("SELECT MIN(at) FROM ({}) AS firsts", parts.join(" UNION ALL "));
        let rows = self.db().fetch(&sql, &[]).await?;
        Ok(rows[0][0].opt_int()?.map(Timestamp))
    }
}

fn texts(ids: &[Id]) -> impl Iterator<Item = Val> {
    ids.iter().map(|id| id.to_string().into())
}

/// Adds values and gives their places, with commas between.
fn place(args: &mut Vec<Val>, values: impl IntoIterator<Item = Val>) -> String {
    let first = args.len() + 1;
    args.extend(values);
    let places: Vec<String> = (first..=args.len()).map(|i| format!("${i}")).collect();
    places.join(", ")
}

impl View<'_> {
    /// The store that is looked at.
    pub fn store(&self) -> &Store {
        self.store
    }

    /// The versions of a table's rows that are in the view, as what stands behind `FROM`.
    fn rows_of(&self, table: Table, args: &mut Vec<Val>) -> String {
        let current = rows::table_sql(table);
        let Some(at) = self.at else { return current.to_owned() };
        let (at, name) = (place(args, [at.0.into()]), table.name());
        format!(
            "(SELECT {COLUMNS} FROM {current} WHERE updated_at <= {at} UNION ALL \
             SELECT {COLUMNS} FROM {name}_history WHERE updated_at <= {at} AND replaced_at > {at}) \
             AS {name}_then"
        )
    }

    /// The clause that leaves out records received later; empty for the present.
    fn received(&self, args: &mut Vec<Val>) -> String {
        self.at.map_or_else(String::new, |at| {
            format!(" AND received_at <= {}", place(args, [at.0.into()]))
        })
    }

    async fn fetch_rows(
        &self,
        table: Table,
        sql: &str,
        args: &[Val],
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.store.db().fetch(sql, args).await?;
        rows.iter().map(|row| self.store.read(table, row)).collect()
    }

    async fn fetch_records(&self, sql: &str, args: &[Val]) -> Result<Vec<Record>, StoreError> {
        let rows = self.store.db().fetch(sql, args).await?;
        rows.iter().map(|row| decode(row)).collect()
    }

    /// All live rows of these kinds (every kind if empty): for the evaluation, not for pages.
    pub async fn all(&self, table: Table, kinds: &[&str]) -> Result<Vec<Row>, StoreError> {
        let mut args = Vec::new();
        let from = self.rows_of(table, &mut args);
        let only = if kinds.is_empty() {
            String::new()
        } else {
            format!(" AND kind IN ({})", place(&mut args, kinds.iter().map(|k| Val::from(*k))))
        };
        let sql =
            format!("SELECT {COLUMNS} FROM {from} WHERE deleted = 0{only} ORDER BY kind, name, id");
        self.fetch_rows(table, &sql, &args).await
    }

    /// Live rows with these ids.
    pub async fn rows_by_id(&self, table: Table, ids: &[Id]) -> Result<Vec<Row>, StoreError> {
        self.rows_where(table, ids, &["id"]).await
    }

    /// Live rows about these subjects: decisions and tasks by `subject`, links by either end.
    pub async fn rows_about(&self, table: Table, ids: &[Id]) -> Result<Vec<Row>, StoreError> {
        let columns: &[&str] =
            if table == Table::Link { &["subject", "object"] } else { &["subject"] };
        self.rows_where(table, ids, columns).await
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
                let mut args = Vec::new();
                let from = self.rows_of(table, &mut args);
                let sql = format!(
                    "SELECT {COLUMNS} FROM {from} WHERE deleted = 0 AND {column} IN ({}) \
                     ORDER BY kind, name, id",
                    place(&mut args, texts(chunk)),
                );
                found.extend(self.fetch_rows(table, &sql, &args).await?);
            }
        }
        found.sort_by(|a, b| (&a.kind, &a.name, a.id).cmp(&(&b.kind, &b.name, b.id)));
        found.dedup_by_key(|row| row.id);
        Ok(found)
    }

    /// Number of live, active rows that are not of this kind.
    pub async fn count_active(&self, table: Table, but: &str) -> Result<u64, StoreError> {
        let mut args = Vec::new();
        let from = self.rows_of(table, &mut args);
        let sql = format!(
            "SELECT COUNT(*) FROM {from} WHERE deleted = 0 AND status = 'active' AND kind <> {}",
            place(&mut args, [but.into()]),
        );
        let rows = self.store.db().fetch(&sql, &args).await?;
        Ok(rows[0][0].int()?.unsigned_abs())
    }

    /// Number of live rows of exactly these names, such as `asset/host`; names without rows may be left
    /// out. Kept for the present, counted for the past.
    pub async fn counts(&self, names: &[String]) -> Result<Vec<(String, i64)>, StoreError> {
        if self.at.is_none() {
            return self.store.counts(names).await;
        }
        let (mut parts, mut args) = (Vec::new(), Vec::new());
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Record) {
            let prefix = format!("{}/", table.name());
            let kinds: Vec<&str> = names.iter().filter_map(|n| n.strip_prefix(&prefix)).collect();
            if kinds.is_empty() {
                continue;
            }
            let from = self.rows_of(table, &mut args);
            parts.push(format!(
                "SELECT '{prefix}' || kind AS name, COUNT(*) AS amount FROM {from} \
                 WHERE deleted = 0 AND kind IN ({}) GROUP BY kind",
                place(&mut args, kinds.into_iter().map(Val::from)),
            ));
        }
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.store.db().fetch(&parts.join(" UNION ALL "), &args).await?;
        rows.iter().map(|r| Ok((r[0].text()?.to_owned(), r[1].int()?))).collect()
    }

    /// Records of these types observed since `since`, oldest first; at most `limit`.
    pub async fn records_since(
        &self,
        types: &[&str],
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let mut args: Vec<Val> = vec![since.0.into()];
        let types = place(&mut args, types.iter().map(|t| Val::from(*t)));
        let sql = format!(
            "SELECT {} FROM record WHERE observed_to >= $1 AND type IN ({types}){} \
             ORDER BY observed_to, id LIMIT {limit}",
            records::COLUMNS,
            self.received(&mut args),
        );
        self.fetch_records(&sql, &args).await
    }

    /// Newest records, optionally of one type or about one subject; at most `limit`.
    pub async fn newest_records(
        &self,
        types: &[&str],
        subject: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut args: Vec<Val> = Vec::new();
        let mut only = "1 = 1".to_owned();
        if let Some(subject) = subject {
            only += &format!(" AND subject = {}", place(&mut args, [subject.to_string().into()]));
        }
        if !types.is_empty() {
            let types = place(&mut args, types.iter().map(|t| Val::from(*t)));
            only += &format!(" AND type IN ({types})");
        }
        only += &self.received(&mut args);
        let sql = format!(
            "SELECT {} FROM record WHERE {only} ORDER BY observed_to DESC, id DESC LIMIT {limit}",
            records::COLUMNS,
        );
        self.fetch_records(&sql, &args).await
    }

    /// The newest record of a type about each subject (or about the whole organisation).
    pub async fn latest_per_subject(&self, types: &[&str]) -> Result<Vec<Record>, StoreError> {
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let mut args: Vec<Val> = Vec::new();
        let types = place(&mut args, types.iter().map(|t| Val::from(*t)));
        let (received, columns) = (self.received(&mut args), of("r"));
        let sql = format!(
            "SELECT {columns} FROM record r JOIN (SELECT subject, type, MAX(observed_to) AS newest \
             FROM record WHERE type IN ({types}){received} GROUP BY subject, type) m \
             ON r.type = m.type AND r.observed_to = m.newest \
             AND COALESCE(r.subject, '') = COALESCE(m.subject, ''){received} \
             ORDER BY r.type, COALESCE(r.subject, ''), r.id DESC",
        );
        let mut records = self.fetch_records(&sql, &args).await?;
        // Of records observed at the same moment the one written last counts.
        records.dedup_by(|b, a| (&a.ty, a.subject) == (&b.ty, b.subject));
        Ok(records)
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
            let subjects = place(&mut args, texts(chunk));
            let sql = format!(
                "SELECT {} FROM record WHERE type = $1 AND observed_to >= $2 \
                 AND subject IN ({subjects}){}",
                records::COLUMNS,
                self.received(&mut args),
            );
            found.extend(self.fetch_records(&sql, &args).await?);
            let mut args: Vec<Val> = vec![ty.into()];
            let subjects = place(&mut args, texts(chunk));
            let (received, columns) = (self.received(&mut args), of("r"));
            let sql = format!(
                "SELECT {columns} FROM record r JOIN (SELECT subject, MAX(observed_to) AS newest \
                 FROM record WHERE type = $1 AND subject IN ({subjects}){received} \
                 GROUP BY subject) m \
                 ON r.type = $1 AND r.subject = m.subject AND r.observed_to = m.newest{received}",
            );
            found.extend(self.fetch_records(&sql, &args).await?);
        }
        Ok(found)
    }

    /// Records of these types that are about no single subject.
    pub async fn records_of_the_whole(&self, types: &[&str]) -> Result<Vec<Record>, StoreError> {
        let mut args: Vec<Val> = Vec::new();
        let types = place(&mut args, types.iter().map(|t| Val::from(*t)));
        let sql = format!(
            "SELECT {} FROM record WHERE subject IS NULL AND type IN ({types}){}",
            records::COLUMNS,
            self.received(&mut args),
        );
        self.fetch_records(&sql, &args).await
    }

    /// Of these types those of which records may be in the view: none of another type is.
    pub async fn types_there(&self, types: &[&str]) -> Result<Vec<String>, StoreError> {
        let names: Vec<String> = types.iter().map(|ty| format!("record/{ty}")).collect();
        let counts = self.store.counts(&names).await?;
        Ok(counts.into_iter().map(|(name, _)| name["record/".len()..].to_owned()).collect())
    }
}

/// The columns of a record under the name of their table.
pub(crate) fn of(alias: &str) -> String {
    let columns = records::COLUMNS.split(", ").map(|column| format!("{alias}.{}", column.trim()));
    columns.collect::<Vec<String>>().join(", ")
}
