//! What is kept beside each row so that it can be searched, filtered and sorted: tokens of its
//! words and its attributes by type.

use model::{Id, Table};
use serde_json::Value as Json;

use crate::{
    Row, Store, StoreError, Val, Write,
    rows::{COLUMNS, table_sql},
    words::{fold, index_tokens},
};

/// Raised whenever what is written here changes; an older index is made anew at start.
pub(crate) const INDEX_VERSION: i64 = 2;
/// Most characters of a text that filters and sorting look at; PostgreSQL limits index keys.
const TEXT_CHARS_MAX: usize = 250;
/// Most items of a list that filters see.
const ITEMS_MAX: usize = 100;
/// Bound parameters of one statement stay far below both databases' limits.
const ROWS_PER_INSERT: usize = 100;
const ROWS_PER_REINDEX: usize = 500;

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

/// Name, place in a list and key of everything comparable in the row.
fn entries(row: &Row) -> Vec<(&str, i64, Key)> {
    let mut all: Vec<(&str, i64, Key)> = [CHANGED, ENDS, STATUS]
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

fn all_words(row: &Row) -> String {
    let mut text = row.name.clone();
    let mut add = |more: &str| {
        text.push('\n');
        text.push_str(more);
    };
    for value in row.attributes.values() {
        match value {
            Json::String(s) => add(s),
            Json::Array(items) => items.iter().filter_map(Json::as_str).for_each(&mut add),
            _ => {}
        }
    }
    text
}

impl Write<'_> {
    /// Replaces what is kept beside the row; a deleted row keeps nothing.
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
        if row.deleted {
            return Ok(());
        }
        let tokens = index_tokens(&all_words(row))
            .into_iter()
            .map(|token| vec![token.into(), table.clone(), id.clone()])
            .collect::<Vec<_>>();
        let head = "INSERT INTO token (token, subject_table, row_id) VALUES ";
        self.insert_many(head, &["", "", ""], &tokens).await?;
        let kind: Val = row.kind.as_str().into();
        let attributes = entries(row)
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
        let mut tx = self.db().begin().await?;
        tx.execute("UPDATE index_version SET number = $1", &[INDEX_VERSION.into()]).await?;
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

    /// Makes the index anew if an older Ume made it.
    pub(crate) async fn refresh_index(&self) -> Result<(), StoreError> {
        let found = self.db().fetch("SELECT number FROM index_version", &[]).await?;
        if found.first().map_or(Ok(0), |row| row[0].int())? >= INDEX_VERSION {
            return Ok(());
        }
        let rows = self.reindex().await?;
        tracing::info!(rows, "made the search index anew");
        Ok(())
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
