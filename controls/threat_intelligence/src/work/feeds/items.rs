//! What a person judges of a feed: a group of rows becomes one item of the inbox.
//!
//! A group that changes while its item still waits changes that item; once it was judged, what is new of it is another
//! item. The same rows make the same item, so a delivery that is entered twice makes none twice.

use std::collections::BTreeSet;

use model::{Table, Timestamp};
use room::Error;
use serde_json::{Value as Json, json};
use store::{Blob, Row, Store, StoreError, Write};

use super::{
    ACTOR, Feeds, Source,
    rows::{Kept, KeptGroup},
};
use crate::work::{
    feeds::source,
    inbox::{self, ITEM, Line},
};

const GROUPS_MAX: usize = 2_000;
/// Rows of one item; a person does not judge more at once.
const LINES_MAX: usize = 50_000;
const NAME_CHARS_MAX: usize = 120;
const DAY_CHARS: usize = "2026-11-29".len();
pub const GROUP: &str = "feed_group";

/// An item that is about to be entered.
pub struct Prepared {
    row: Row,
}

impl Prepared {
    pub async fn put(&self, _store: &Store, write: &mut Write<'_>) -> Result<(), StoreError> {
        write.put(self.row.clone()).await.map(drop)
    }
}

/// The items of all rows that nobody was told of.
pub async fn prepared(
    store: &Store,
    feeds: &Feeds,
    source: &Source,
) -> Result<Vec<Prepared>, Error> {
    let mut all = Vec::new();
    for group in feeds.untold(source.id, GROUPS_MAX).await.map_err(Error::said)? {
        let rows = feeds.of_group(source.id, &group.key, LINES_MAX).await.map_err(Error::said)?;
        if let Some(row) = item(store, source, &group, &rows).await? {
            all.push(Prepared { row });
        }
    }
    Ok(all)
}

async fn item(
    store: &Store,
    source: &Source,
    group: &KeptGroup,
    rows: &[Kept],
) -> Result<Option<Row>, Error> {
    let key = format!("{}\n{}", source.id, group.key);
    let now = store.now();
    let known = waiting(store, &key).await?;
    let mut row = match known {
        Some(row) => row,
        None => new(store, source, group, &key, now)?,
    };
    let before = inbox::confirmed(store, &row).await.map_err(Error::said)?.unwrap_or_default();
    let id = row.id.to_string();
    let new = rows.iter().filter(|row| !row.revoked).map(|row| line(row, &id));
    let named = |line: &Line| (line.kind.clone(), line.value.clone());
    let fresh: Vec<Line> = new.collect();
    let replaced: BTreeSet<_> = fresh.iter().map(named).collect();
    let mut lines: Vec<Line> =
        before.iter().filter(|l| !replaced.contains(&named(l))).cloned().collect();
    lines.extend(fresh);
    lines.truncate(LINES_MAX);
    if lines == before || lines.is_empty() {
        return Ok(None);
    }
    let blob: Blob = inbox::keep(store, &lines, ACTOR).await.map_err(Error::said)?;
    inbox::put_into(&mut row, &lines, &blob);
    if !group.raw.is_empty() {
        row.attributes.insert("raw".to_owned(), json!(group.raw));
        row.attributes.insert("raw_encoding".to_owned(), json!("utf-8"));
    }
    Ok(Some(row))
}

/// The item of a group that nobody judged yet.
async fn waiting(store: &Store, key: &str) -> Result<Option<Row>, StoreError> {
    let Some(id) = store.row_with(Table::Asset, ITEM, GROUP, key).await? else { return Ok(None) };
    let row = store.row(Table::Asset, id).await?;
    let is_judged = |row: &Row| !source::text(row, "verdict").is_empty();
    Ok(row.filter(|row| !row.deleted && !is_judged(row)))
}

fn new(
    store: &Store,
    source: &Source,
    group: &KeptGroup,
    key: &str,
    now: Timestamp,
) -> Result<Row, StoreError> {
    let day: String = now.rfc3339().chars().take(DAY_CHARS).collect();
    let name = match group.title.trim() {
        "" => format!("{} {day}", source.row.name),
        title => title.to_owned(),
    };
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let mut row = Row::new(Table::Asset, store.new_id()?, ITEM, &name);
    row.status = "active".to_owned();
    let level = indicators::tlp::Level::parse(&group.level).unwrap_or(source.level);
    let facts: Json = json!({
        "source": source.id,
        "received": day,
        "field": "technical",
        "tlp": inbox::tlp_word(level),
        GROUP: key,
    });
    row.attributes = facts.as_object().cloned().unwrap_or_default();
    Ok(row)
}

fn line(row: &Kept, item: &str) -> Line {
    let time = |at: i64| Timestamp(at).rfc3339();
    Line {
        kind: row.kind.clone(),
        value: row.value.clone(),
        scope: Some(row.scope.clone()),
        direction: (row.direction != "both").then(|| row.direction.clone()),
        source: item.to_owned(),
        valid_from: row.valid_from.map(time),
        received: Some(time(row.received)),
        valid_until: row.valid_until.map(time),
        ceiling: (row.ceiling != "block").then(|| row.ceiling.clone()),
    }
}
