//! What is kept beside each row so that it can be searched, filtered and sorted: tokens of its
//! words and its attributes by type.
//!
//! A token that stands in personal fields only is marked so. The name of a row is never taken for
//! personal here, though that of a person can be shredded: pages show names to everyone who reads.

use std::collections::HashSet;

use model::{Id, Table};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::{
    Row, Store, StoreError, Val, Write,
    rows::{COLUMNS, table_sql},
    within,
    words::{fold, index_tokens},
};

/// Raised whenever what is written here changes; an older index is made anew at start.
pub(crate) const INDEX_VERSION: i64 = 5;
/// Most characters of a text that filters and sorting look at; PostgreSQL limits index keys.
const TEXT_CHARS_MAX: usize = 250;
/// Most items of a list that filters see.
const ITEMS_MAX: usize = 100;
/// Bound parameters of one statement stay far below both databases' limits.
const ROWS_PER_INSERT: usize = 100;
const ROWS_PER_REINDEX: usize = 500;
const ATTRIBUTES: &str = "/attributes/";

/// Name under which a column of every row is sorted and filtered like an attribute.
pub const CHANGED: &str = "@changed";
/// As [`CHANGED`]: due, or valid until.
pub const ENDS: &str = "@ends";
/// As [`CHANGED`]: the status.
pub const STATUS: &str = "@status";

/// A value as it is compared: texts folded and cut, booleans as 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Text(String),
    Number(i64),
    /// The row has no such value; such rows come last.
    Nothing,
}

impl Key {
    /// The key of a text.
    pub fn text(text: &str) -> Key {
        Key::Text(fold(text).chars().take(TEXT_CHARS_MAX).collect())
    }

    /// The key of an attribute; `None` for what cannot be compared.
    pub fn of(value: &Json) -> Option<Key> {
        match value {
            Json::String(text) => Some(Key::text(text)),
            Json::Number(n) => n.as_i64().map(Key::Number),
            Json::Bool(flag) => Some(Key::Number(i64::from(*flag))),
            _ => None,
        }
    }

    /// The key under which a row is sorted by `name`: an attribute, or one of the `@` columns.
    pub fn of_row(row: &Row, name: &str) -> Key {
        let number = |time: model::Timestamp| Key::Number(time.0);
        match name {
            CHANGED => number(row.updated_at),
            ENDS => row.ends_at.map_or(Key::Nothing, number),
            STATUS => Key::text(&row.status),
            name => match row.attributes.get(name) {
                Some(Json::Array(items)) => items.first().and_then(Key::of),
                Some(value) => Key::of(value),
                None => None,
            }
            .unwrap_or(Key::Nothing),
        }
    }

    pub(crate) fn columns(&self) -> [Val; 2] {
        match self {
            Key::Text(text) => [text.as_str().into(), Val::Null],
            Key::Number(n) => [Val::Null, (*n).into()],
            Key::Nothing => [Val::Null, Val::Null],
        }
    }
}

/// Name, place in a list and key.
pub(crate) type Entry<'r> = (&'r str, i64, Key);

/// Everything comparable in the row.
fn entries(row: &Row) -> Vec<Entry<'_>> {
    let mut all: Vec<Entry> = [CHANGED, ENDS, STATUS]
        .into_iter()
        .map(|name| (name, 0, Key::of_row(row, name)))
        .filter(|(.., key)| *key != Key::Nothing)
        .collect();
    for (name, value) in &row.attributes {
        match value {
            Json::Array(items) => {
                let keys = items.iter().take(ITEMS_MAX).filter_map(Key::of);
                all.extend(keys.zip(0..).map(|(key, item)| (name.as_str(), item, key)));
            }
            value => all.extend(Key::of(value).map(|key| (name.as_str(), 0, key))),
        }
    }
    all
}

/// The words of the row that everyone finds, and those of its personal fields.
fn all_words(row: &Row, personal: &[String]) -> [String; 2] {
    let mut texts = [row.name.clone(), String::new()];
    for (name, value) in &row.attributes {
        let hidden = personal.iter().any(|p| p.strip_prefix(ATTRIBUTES) == Some(name));
        let text = &mut texts[usize::from(hidden)];
        let mut add = |more: &str| {
            text.push('\n');
            text.push_str(more);
        };
        match value {
            Json::String(s) => add(s),
            Json::Array(items) => items.iter().filter_map(Json::as_str).for_each(&mut add),
            _ => {}
        }
    }
    texts
}

/// Tokens of the row; true for those that stand in personal fields only.
fn tokens(row: &Row, personal: &[String]) -> Vec<(String, bool)> {
    let [open, hidden] = all_words(row, personal).map(|text| index_tokens(&text));
    let known: HashSet<String> = open.iter().cloned().collect();
    let hidden = hidden.into_iter().filter(|token| !known.contains(token));
    hidden.map(|token| (token, true)).chain(open.into_iter().map(|token| (token, false))).collect()
}

impl Write<'_> {
    /// Replaces what is kept beside the row; a deleted row keeps only to whom it belongs.
    pub(crate) async fn index(&mut self, row: &Row) -> Result<(), StoreError> {
        let row = &self.store().lift(row.clone());
        let id: Val = row.id.to_string().into();
        let table: Val = row.table.name().into();
        let of_row = [id.clone(), table.clone()];
        for clear in [
            "DELETE FROM token WHERE row_id = $1 AND subject_table = $2",
            "DELETE FROM attribute WHERE row_id = $1 AND subject_table = $2",
        ] {
            self.tx.execute(clear, &of_row).await?;
        }
        self.place(row).await?;
        let mut entries = if row.deleted { Vec::new() } else { entries(row) };
        entries.extend(within::entries(row, self.store().ties_of(row.table, &row.kind)));
        self.store().note_guards(&entries);
        self.index_attributes(row, entries).await?;
        if row.deleted {
            return Ok(());
        }
        let tokens = tokens(row, self.store().personal_of(row.table, &row.kind))
            .into_iter()
            .map(|(token, personal)| {
                vec![token.into(), table.clone(), id.clone(), i64::from(personal).into()]
            })
            .collect::<Vec<_>>();
        let head = "INSERT INTO token (token, subject_table, row_id, personal) VALUES ";
        self.insert_many(head, &["", "", "", ""], &tokens).await
    }

    async fn index_attributes(
        &mut self,
        row: &Row,
        entries: Vec<Entry<'_>>,
    ) -> Result<(), StoreError> {
        let id: Val = row.id.to_string().into();
        let table: Val = row.table.name().into();
        let kind: Val = row.kind.as_str().into();
        let attributes = entries
            .into_iter()
            .map(|(name, item, key)| {
                let [text, number] = key.columns();
                let of = [table.clone(), kind.clone(), id.clone()];
                of.into_iter().chain([name.into(), item.into(), text, number]).collect()
            })
            .collect::<Vec<Vec<Val>>>();
        let head = "INSERT INTO attribute \
                    (subject_table, kind, row_id, name, item, text, number) VALUES ";
        let types = ["", "", "", "", "", "TEXT", "BIGINT"];
        self.insert_many(head, &types, &attributes).await
    }

    /// Inserts rows in statements of [`ROWS_PER_INSERT`]. A column that may be NULL names its type,
    /// since PostgreSQL cannot guess it.
    async fn insert_many(
        &mut self,
        head: &str,
        types: &[&str],
        rows: &[Vec<Val>],
    ) -> Result<(), StoreError> {
        for some in rows.chunks(ROWS_PER_INSERT) {
            let mut at = 0;
            let mut place = |ty: &&str| {
                at += 1;
                if ty.is_empty() { format!("${at}") } else { format!("CAST(${at} AS {ty})") }
            };
            let tuples: Vec<String> = some
                .iter()
                .map(|_| {
                    format!("({})", types.iter().map(&mut place).collect::<Vec<_>>().join(","))
                })
                .collect();
            let args: Vec<Val> = some.iter().flatten().cloned().collect();
            self.tx.execute(&format!("{head}{}", tuples.join(",")), &args).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Makes the index of every row anew; returns how many rows it read.
    pub async fn reindex(&self) -> Result<u64, StoreError> {
        let mut done = 0;
        for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
            let mut after: Option<Id> = None;
            loop {
                let rows = self.rows_behind(table, after).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.id);
                done += rows.len() as u64;
                let mut write = self.write("system", "reindex", "").await?;
                for row in &rows {
                    write.index(row).await?;
                }
                write.commit().await?;
            }
        }
        self.bind_accounts().await?;
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE index_version SET number = $1, declared = $2";
        tx.execute(sql, &[INDEX_VERSION.into(), self.declared().into()]).await?;
        tx.commit().await?;
        Ok(done)
    }

    async fn rows_behind(&self, table: Table, after: Option<Id>) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE id > $1 ORDER BY id LIMIT {ROWS_PER_REINDEX}",
            table_sql(table)
        );
        let after = after.map_or(String::new(), |id| id.to_string());
        let rows = self.db().fetch(&sql, &[after.into()]).await?;
        rows.iter().map(|r| self.read(table, r)).collect()
    }

    /// JSON pointers of the personal fields of a kind.
    pub(crate) fn personal_of(&self, table: Table, kind: &str) -> &[String] {
        self.personal.get(&(table.name(), kind.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Hash of everything declared personal, of every declared tie, and of the schema versions.
    fn declared(&self) -> String {
        let mut all: Vec<String> = self
            .personal
            .iter()
            .flat_map(|((table, kind), p)| p.iter().map(move |p| format!("{table}/{kind}{p}\n")))
            .collect();
        all.extend(self.ties.iter().flat_map(|((table, kind), ties)| {
            ties.iter().map(move |(field, tie)| format!("{table}/{kind}/{field} {tie:?}\n"))
        }));
        let raised = self.upcasts.iter();
        all.extend(raised.map(|(kind, steps)| format!("{kind} {}\n", steps.len() + 1)));
        all.sort();
        hex::encode(Sha256::digest(all.concat()))
    }

    /// Makes the index anew if an older Ume made it, or one with other declarations. To be called
    /// behind [`Store::with_personal`], [`Store::with_ties`] and [`Store::with_upcasts`], before anyone
    /// searches.
    pub async fn settle_index(&self) -> Result<(), StoreError> {
        let found = self.db().fetch("SELECT number, declared FROM index_version", &[]).await?;
        if let Some(row) = found.first()
            && row[0].int()? >= INDEX_VERSION
            && row[1].text()? == self.declared()
        {
            return self.settle_guards().await;
        }
        let rows = self.reindex().await?;
        tracing::info!(rows, "made the search index anew");
        self.settle_guards().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_is_compared_folded_and_cut_and_a_boolean_as_a_number() {
        assert_eq!(Key::of(&json!("ＷＥＢサーバ")), Some(Key::Text("webさーば".into())));
        assert_eq!(Key::of(&json!("あ".repeat(300))), Some(Key::Text("あ".repeat(250))));
        assert_eq!(Key::of(&json!(true)), Some(Key::Number(1)));
        assert_eq!(Key::of(&json!(null)), None);
        assert_eq!(Key::of(&json!(1.5)), None);
    }
}
