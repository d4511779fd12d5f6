//! Lists: filters, sorting by any attribute, pages by key.

use model::{Id, Table};

use crate::{
    Row, Store, StoreError, Val,
    index::Key,
    rows::{COLUMNS, PAGE_ROWS_MAX, table_sql},
    words::query_tokens,
};

/// Up to so many matching rows a condition drives the list; above, the list is walked in its order
/// and each row is asked. Only where several frequent conditions are met by
/// hardly any row does a page walk the whole kind.
const FEW: i64 = 10_000;
/// The same where there is one probe only.
const FEW_ALONE: i64 = 2_000;
/// Most conditions of one list.
pub const CONDITIONS_MAX: usize = 12;

/// Which rows a list shows, and in which order.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<String>,
    /// Words that must stand in the row (folded, see [`model`]); empty for all.
    pub text: String,
    pub subject: Option<Id>,
    pub status: Option<String>,
    /// All must hold. They and an order by attribute need a `kind`.
    pub conditions: Vec<Condition>,
    pub order: Order,
    /// Show rows behind this one: the value it is sorted by, and its id.
    pub after: Option<(Key, Id)>,
    pub limit: usize,
    /// Whose list it is.
    pub reach: Reach,
}

/// How far a reader reaches. The default reaches everything: that is the house itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Rows are not found by what stands in their personal fields.
    pub hides_personal: bool,
    /// Only these rows are there.
    pub within: crate::Within,
}

/// What one attribute must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// An attribute, or one of the `@` columns of [`crate::index`].
    pub name: String,
    pub test: Test,
}

/// How a [`Condition`] compares. Texts are compared folded; of a list, one item suffices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    Is(Key),
    IsNot(Key),
    Starts(String),
    AtLeast(Key),
    AtMost(Key),
    Set,
    Unset,
}

/// What a list is sorted by; rows without the value come last, equal ones by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// `None` for the name of the row.
    pub by: Option<By>,
    pub descending: bool,
}

/// An attribute or `@` column to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub name: String,
    /// Whether its values are numbers (dates are texts, times of the `@` columns numbers).
    pub number: bool,
}

/// A statement under construction.
#[derive(Default)]
pub(crate) struct Sql {
    pub(crate) clauses: Vec<String>,
    pub(crate) args: Vec<Val>,
}

impl Sql {
    /// Adds a clause in which `?` stands for each value in turn.
    pub(crate) fn add(&mut self, clause: &str, values: Vec<Val>) {
        let placed = self.place(clause, values);
        self.clauses.push(placed);
    }

    fn place(&mut self, clause: &str, values: Vec<Val>) -> String {
        let mut values = values.into_iter();
        let mut out = String::new();
        for c in clause.chars() {
            match (c, c == '?') {
                (_, true) => {
                    self.args.push(values.next().unwrap_or(Val::Null));
                    out.push_str(&format!("${}", self.args.len()));
                }
                (c, false) => out.push(c),
            }
        }
        out
    }
}

/// A test through an index: rows of `source` that satisfy `wanted` hold (or, negated, do not hold).
struct Probe {
    source: &'static str,
    wanted: String,
    values: Vec<Val>,
    negated: bool,
}

impl Probe {
    fn token(table: Table, token: String, reach: &Reach) -> Probe {
        let open = if reach.hides_personal { " AND personal = 0" } else { "" };
        Probe {
            source: "token",
            wanted: format!("subject_table = ? AND token = ?{open}"),
            values: vec![table.name().into(), token.into()],
            negated: false,
        }
    }

    fn condition(table: Table, kind: &str, condition: &Condition) -> Probe {
        let column = |key: &Key| if matches!(key, Key::Number(_)) { "number" } else { "text" };
        let value = |key: &Key| match key {
            Key::Text(text) => vec![text.as_str().into()],
            Key::Number(n) => vec![(*n).into()],
            Key::Nothing => vec![Val::Text(String::new())],
        };
        let (test, values) = match &condition.test {
            Test::Is(key) | Test::IsNot(key) => (format!(" AND {} = ?", column(key)), value(key)),
            Test::AtLeast(key) => (format!(" AND {} >= ?", column(key)), value(key)),
            Test::AtMost(key) => (format!(" AND {} <= ?", column(key)), value(key)),
            Test::Starts(text) => {
                let end = format!("{text}\u{10ffff}");
                (" AND text >= ? AND text < ?".to_owned(), vec![text.as_str().into(), end.into()])
            }
            Test::Set | Test::Unset => (String::new(), Vec::new()),
        };
        let of = [Val::from(table.name()), kind.into(), condition.name.as_str().into()];
        Probe {
            source: "attribute",
            wanted: format!("subject_table = ? AND kind = ? AND name = ?{test}"),
            values: of.into_iter().chain(values).collect(),
            negated: matches!(condition.test, Test::IsNot(_) | Test::Unset),
        }
    }

    /// Asked of each row of the list in turn.
    fn ask(&self, sql: &mut Sql) {
        let (source, wanted) = (self.source, &self.wanted);
        // No EXISTS: SQLite would make a join of it, and read every match before it sorts.
        let there = if self.negated { "IS NULL" } else { "IS NOT NULL" };
        sql.add(
            &format!(
                "(SELECT 1 FROM {source} AS p WHERE p.row_id = t.id AND {wanted} LIMIT 1) {there}"
            ),
            self.values.clone(),
        );
    }

    /// Read first, as the set the list is made of.
    fn drive(&self, sql: &mut Sql) {
        let (source, wanted) = (self.source, &self.wanted);
        sql.add(
            &format!("t.id IN (SELECT row_id FROM {source} WHERE {wanted})"),
            self.values.clone(),
        );
    }
}

impl Store {
    /// One page, in the order asked for.
    pub async fn list(&self, table: Table, filter: &Filter) -> Result<Vec<Row>, StoreError> {
        let kind = filter.kind.as_deref().unwrap_or("");
        self.no_hidden_field(table, kind, filter)?;
        let tokens = query_tokens(&filter.text)
            .into_iter()
            .map(|token| Probe::token(table, token, &filter.reach));
        let conditions = filter.conditions.iter().take(CONDITIONS_MAX);
        // What is somebody's own is little: it leads to the rows faster than asking each of them.
        let own = filter.reach.within.leads(table).filter(|_| filter.kind.is_some());
        let probes: Vec<Probe> = tokens
            .chain(conditions.chain(own.iter()).map(|c| Probe::condition(table, kind, c)))
            .collect();
        let driver = self.fewest(&probes).await?;
        let limit = filter.limit.clamp(1, PAGE_ROWS_MAX);
        let Some(by) = &filter.order.by else {
            return self.by_name(table, filter, &probes, driver, limit).await;
        };
        let mut rows = Vec::new();
        if !matches!(filter.after, Some((Key::Nothing, _))) {
            rows = self.by_value(table, filter, by, &probes, driver, limit).await?;
        }
        if rows.len() < limit {
            let rest = limit - rows.len();
            rows.extend(self.without_value(table, filter, by, &probes, driver, rest).await?);
        }
        Ok(rows)
    }

    /// Refuses to compare by what the reader may not see: an order or a condition would tell it.
    fn no_hidden_field(&self, table: Table, kind: &str, filter: &Filter) -> Result<(), StoreError> {
        if !filter.reach.hides_personal {
            return Ok(());
        }
        let personal = self.personal_of(table, kind);
        let asked = filter.conditions.iter().map(|c| &c.name);
        for name in asked.chain(filter.order.by.iter().map(|by| &by.name)) {
            if personal.iter().any(|p| p.strip_prefix("/attributes/") == Some(name)) {
                return Err(StoreError::Hidden(name.clone()));
            }
        }
        Ok(())
    }

    /// The probe that matches fewest rows, if they are few.
    async fn fewest(&self, probes: &[Probe]) -> Result<Option<usize>, StoreError> {
        let able: Vec<usize> = (0..probes.len()).filter(|i| !probes[*i].negated).collect();
        if able.is_empty() {
            return Ok(None);
        }
        // One frequent condition is met soon on a walk along the order; several may be met by no row.
        let few = if able.len() == 1 { FEW_ALONE } else { FEW };
        let mut sql = Sql::default();
        for i in &able {
            let Probe { source, wanted, values, .. } = &probes[*i];
            let count = format!(
                "(SELECT COUNT(*) FROM (SELECT 1 FROM {source} WHERE {wanted} LIMIT {}) AS few)",
                few + 1
            );
            sql.add(&count, values.clone());
        }
        let counts =
            self.db().fetch(&format!("SELECT {}", sql.clauses.join(", ")), &sql.args).await?;
        let mut best: Option<(i64, usize)> = None;
        for (place, i) in able.into_iter().enumerate() {
            let count = counts[0][place].int()?;
            if count <= few && best.is_none_or(|(least, _)| count < least) {
                best = Some((count, i));
            }
        }
        Ok(best.map(|(_, i)| i))
    }

    fn narrowed(table: Table, filter: &Filter, probes: &[Probe], driver: Option<usize>) -> Sql {
        let mut sql = Sql::default();
        sql.add("t.deleted = 0", Vec::new());
        if let Some(kind) = &filter.kind {
            // The empty suffix keeps the planner from walking the kind where a probe leads.
            let column = if driver.is_some() { "t.kind || ''" } else { "t.kind" };
            sql.add(&format!("{column} = ?"), vec![kind.as_str().into()]);
        }
        if let Some(subject) = filter.subject {
            sql.add("t.subject = ?", vec![subject.to_string().into()]);
        }
        if let Some(status) = &filter.status {
            sql.add("t.status = ?", vec![status.as_str().into()]);
        }
        for (i, probe) in probes.iter().enumerate() {
            if driver == Some(i) { probe.drive(&mut sql) } else { probe.ask(&mut sql) }
        }
        filter.reach.within.narrow(table, &mut sql);
        sql
    }

    async fn by_name(
        &self,
        table: Table,
        filter: &Filter,
        probes: &[Probe],
        driver: Option<usize>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut sql = Self::narrowed(table, filter, probes, driver);
        let (than, way) = directions(filter.order.descending);
        if let Some((Key::Text(name), id)) = &filter.after {
            let behind = format!("(t.name, t.id) {than} (?, ?)");
            sql.add(&behind, vec![name.as_str().into(), id.to_string().into()]);
        }
        let order = format!("t.name {way}, t.id {way}");
        self.page(table, "", &sql, &order, limit).await
    }

    async fn by_value(
        &self,
        table: Table,
        filter: &Filter,
        by: &By,
        probes: &[Probe],
        driver: Option<usize>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut sql = Self::narrowed(table, filter, probes, driver);
        let column = if by.number { "number" } else { "text" };
        sql.add(
            &format!("s.subject_table = ? AND s.kind = ? AND s.name = ? AND s.item = 0 AND s.{column} IS NOT NULL"),
            vec![table.name().into(), filter.kind.clone().unwrap_or_default().into(), by.name.as_str().into()],
        );
        let (than, way) = directions(filter.order.descending);
        if let Some((key, id)) = &filter.after {
            let value = match key {
                Key::Number(n) => (*n).into(),
                Key::Text(text) => text.as_str().into(),
                Key::Nothing => Val::Null,
            };
            let behind = format!("(s.{column}, s.row_id) {than} (?, ?)");
            sql.add(&behind, vec![value, id.to_string().into()]);
        }
        let order = format!("s.{column} {way}, s.row_id {way}");
        self.page(table, " JOIN attribute AS s ON s.row_id = t.id", &sql, &order, limit).await
    }

    async fn without_value(
        &self,
        table: Table,
        filter: &Filter,
        by: &By,
        probes: &[Probe],
        driver: Option<usize>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut sql = Self::narrowed(table, filter, probes, driver);
        let column = if by.number { "number" } else { "text" };
        let with = format!(
            "NOT EXISTS (SELECT 1 FROM attribute AS s WHERE s.row_id = t.id \
             AND s.subject_table = ? AND s.name = ? AND s.item = 0 AND s.{column} IS NOT NULL)"
        );
        sql.add(&with, vec![table.name().into(), by.name.as_str().into()]);
        let (than, way) = directions(filter.order.descending);
        if let Some((Key::Nothing, id)) = &filter.after {
            sql.add(&format!("t.id {than} ?"), vec![id.to_string().into()]);
        }
        self.page(table, "", &sql, &format!("t.id {way}"), limit).await
    }

    async fn page(
        &self,
        table: Table,
        join: &str,
        sql: &Sql,
        order: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let columns: Vec<String> = COLUMNS.split(", ").map(|c| format!("t.{}", c.trim())).collect();
        let text = format!(
            "SELECT {} FROM {} AS t{join} WHERE {} ORDER BY {order} LIMIT {limit}",
            columns.join(", "),
            table_sql(table),
            sql.clauses.join(" AND ")
        );
        let rows = self.db().fetch(&text, &sql.args).await?;
        rows.iter().map(|r| self.read(table, r)).collect()
    }
}

fn directions(descending: bool) -> (&'static str, &'static str) {
    if descending { ("<", "DESC") } else { (">", "ASC") }
}
