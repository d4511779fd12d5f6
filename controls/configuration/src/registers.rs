//! Small words for rows and links of the register, as this room's parts use them.

use model::{Id, Table, Timestamp};
use serde_json::{Map, Value as Json};
use store::{Record, Row, Store, StoreError};

/// A text attribute of a row; empty if there is none.
pub(crate) fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// The row that an attribute refers to.
pub(crate) fn reference(row: &Row, name: &str) -> Option<Id> {
    text(row, name).parse().ok()
}

/// A list of texts among the attributes.
pub(crate) fn list<'r>(row: &'r Row, name: &str) -> impl Iterator<Item = &'r str> {
    row.attributes.get(name).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

/// A text fact of a record.
pub(crate) fn fact<'r>(record: &'r Record, name: &str) -> &'r str {
    record.facts.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// A number among the facts of a record.
pub(crate) fn number(record: &Record, name: &str) -> i64 {
    record.facts.get(name).and_then(Json::as_i64).unwrap_or(0)
}

/// A row that is not saved yet; `attributes` is an object.
pub(crate) fn row(
    store: &Store,
    table: Table,
    kind: &str,
    name: &str,
    attributes: Json,
) -> Result<Row, StoreError> {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let mut row = Row::new(table, store.new_id()?, kind, &name);
    row.attributes = match attributes {
        Json::Object(attributes) => attributes,
        _ => Map::new(),
    };
    Ok(row)
}

const NAME_CHARS_MAX: usize = 300;

/// A link from one row to another, not saved yet.
pub(crate) fn link(
    store: &Store,
    kind: &str,
    from: Id,
    to: Id,
    name: &str,
) -> Result<Row, StoreError> {
    let mut link = row(store, Table::Link, kind, name, Json::Null)?;
    (link.subject, link.object) = (Some(from), Some(to));
    Ok(link)
}

/// The beginning of a day in Japan, as registers write days.
pub(crate) fn day(text: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{text}T00:00:00+09:00"))
}
