//! What a person judges of a feed: a group of rows becomes one item of the inbox.
//!
//! A group that changes while its item still waits changes that item; once it was judged, what is new of it is another
//! item. The same rows make the same item, so a delivery that is entered twice makes none twice.

use std::collections::{BTreeMap, BTreeSet};

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
    row: Option<Row>,
    /// Rows of the feed that are told of by it.
    pub ids: Vec<i64>,
}

impl Prepared {
    pub async fn put(&self, write: &mut Write<'_>) -> Result<(), StoreError> {
        match &self.row {
            Some(row) => write.put(row.clone()).await.map(drop),
            None => Ok(()),
        }
    }
}

/// The items of all rows that nobody was told of.
pub async fn prepared(
    store: &Store,
    feeds: &Feeds,
    source: &Source,
) -> Result<Vec<Prepared>, Error> {
    let groups = feeds.untold(source.id, GROUPS_MAX).await.map_err(Error::said)?;
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut waiting = waiting(store, source).await?;
    let mut all = Vec::new();
    for group in groups {
        let key = format!("{}/{}", source.id, group.key);
        let known = waiting.remove(&key);
        all.push(item(store, feeds, source, &group, &key, known).await?);
    }
    Ok(all)
}

/// The items of a source that nobody judged yet, by their group.
async fn waiting(store: &Store, source: &Source) -> Result<BTreeMap<String, Row>, StoreError> {
    let id = source.id.to_string();
    let items = store.all(Table::Asset, &[ITEM]).await?;
    let waits = |row: &Row| {
        !row.deleted
            && source::text(row, "source") == id
            && source::text(row, "verdict").is_empty()
            && !source::text(row, GROUP).is_empty()
    };
    let items = items.into_iter().filter(waits);
    Ok(items.map(|row| (source::text(&row, GROUP).to_owned(), row)).collect())
}

async fn item(
    store: &Store,
    feeds: &Feeds,
    source: &Source,
    group: &KeptGroup,
    key: &str,
    known: Option<Row>,
) -> Result<Prepared, Error> {
    let mut row = match known {
        Some(row) => row,
        None => new(store, source, group, key, store.now())?,
    };
    let before = inbox::confirmed(store, &row).await.map_err(Error::said)?.unwrap_or_default();
    // What does not fit waits for the item after this one.
    let room = LINES_MAX.saturating_sub(before.len());
    let rows = feeds.of_group(source.id, &group.key, room).await.map_err(Error::said)?;
    let ids = rows.iter().map(|row| row.id).collect();
    let id = row.id.to_string();
    let fresh = rows.iter().filter(|row| !row.revoked).map(|row| line(row, &id));
    let fresh: Vec<Line> = fresh.collect();
    let named = |line: &Line| (line.kind.clone(), line.value.clone());
    let replaced: BTreeSet<_> = fresh.iter().map(named).collect();
    let stays = before.iter().filter(|line| !replaced.contains(&named(line))).cloned();
    let lines: Vec<Line> = stays.chain(fresh).collect();
    if lines == before || lines.is_empty() {
        return Ok(Prepared { row: None, ids });
    }
    let blob: Blob = inbox::keep(store, &lines, ACTOR).await.map_err(Error::said)?;
    inbox::put_into(&mut row, &lines, &blob);
    if !group.raw.is_empty() {
        row.attributes.insert("raw".to_owned(), json!(group.raw));
        row.attributes.insert("raw_encoding".to_owned(), json!("utf-8"));
    }
    Ok(Prepared { row: Some(row), ids })
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
        ..Line::default()
    }
}
