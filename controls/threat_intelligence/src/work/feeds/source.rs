//! What the register says of a source, and the rules that go before it.

use std::{collections::BTreeMap, sync::Arc};

use fetch::{Address, Fault};
use indicators::{Ceiling, tlp::Level};
use model::{Id, Table};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

use crate::work::{
    inbox::{self, SOURCE},
    settings::Configured,
};

pub const RULE: &str = "intel_source_rule";
const SOURCES_MAX: usize = 1_000;
const MINUTE: i64 = 60_000_000;
const DAY_MIN: i64 = 24 * 60;
const INTERVAL_MIN: std::ops::RangeInclusive<i64> = 1..=90 * DAY_MIN;
const HOLD_PERMILLE: i64 = 200;
const BYTES_MAX: u64 = 256 << 20;
/// What a rule may allow at most.
const BYTES_MOST: u64 = 4 << 30;
/// How far gzip may unpack, as a multiple of what came.
const UNPACKED_TIMES: u64 = 16;

/// How the rows of a source are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// A person judges them.
    #[default]
    Inbox,
    /// Met at once, never blocked.
    Alert,
    /// Met at once, may be blocked.
    Enforce,
}

impl Usage {
    pub fn of(row: &Row) -> Usage {
        match text(row, "rows_use") {
            "alert" => Usage::Alert,
            "enforce" => Usage::Enforce,
            _ => Usage::Inbox,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Usage::Inbox => "inbox",
            Usage::Alert => "alert",
            Usage::Enforce => "enforce",
        }
    }

    /// The most that may be done with a row.
    pub fn ceiling(self) -> Ceiling {
        match self {
            Usage::Inbox => Ceiling::Nothing,
            Usage::Alert => Ceiling::Alert,
            Usage::Enforce => Ceiling::Block,
        }
    }
}

/// What a rule of the register says of a source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    pub interval_min: Option<i64>,
    pub hold_permille: Option<i64>,
    pub bytes_max: Option<u64>,
}

/// A source that can be fetched.
#[derive(Clone, Debug)]
pub struct Source {
    pub id: Id,
    pub row: Arc<Row>,
    pub format: String,
    pub address: Address,
    pub usage: Usage,
    /// Of what bears no mark.
    pub level: Level,
    pub hold_permille: i64,
    pub bytes_max: u64,
    pub unpacked_max: u64,
}

pub fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim()
}

/// Whether a source gives by itself.
pub fn is_fetched(row: &Row) -> bool {
    super::reader(text(row, "format")).is_some() && !text(row, "url").is_empty()
}

/// Minutes between two fetches.
pub fn interval_min(row: &Row, rule: Option<&Rule>) -> i64 {
    let own = row.attributes.get("interval_min").and_then(Json::as_i64);
    let minutes = rule.and_then(|rule| rule.interval_min).or(own).unwrap_or(DAY_MIN);
    minutes.clamp(*INTERVAL_MIN.start(), *INTERVAL_MIN.end())
}

/// Microseconds between two looks at a source that gives nothing by itself.
pub fn watch_every(row: &Row) -> i64 {
    let own = row.attributes.get("interval_min").and_then(Json::as_i64).unwrap_or(DAY_MIN);
    (own / 2).clamp(5, DAY_MIN) * MINUTE
}

fn is_active(row: &Row) -> bool {
    !row.deleted
        && row.kind == SOURCE
        && row.status == "active"
        && row.attributes.get("active").and_then(Json::as_bool) == Some(true)
}

/// All sources in use.
pub async fn active(store: &Store) -> Result<Vec<Row>, StoreError> {
    let mut rows = store.all(Table::Asset, &[SOURCE]).await?;
    rows.retain(is_active);
    rows.sort_by_key(|row| row.id);
    rows.truncate(SOURCES_MAX);
    Ok(rows)
}

/// Those of these sources that the register knows no more.
pub async fn unknown(store: &Store, ids: Vec<String>) -> Result<Vec<String>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = store.all(Table::Asset, &[SOURCE]).await?;
    let known = rows.iter().filter(|row| !row.deleted).map(|row| row.id.to_string());
    let known: std::collections::BTreeSet<String> = known.collect();
    Ok(ids.into_iter().filter(|id| !known.contains(id)).collect())
}

pub async fn by_id(store: &Store, id: Id) -> Result<Option<Row>, StoreError> {
    Ok(store.row(Table::Asset, id).await?.filter(is_active))
}

/// The active rules by source.
pub async fn rules(store: &Store) -> Result<BTreeMap<Id, Rule>, StoreError> {
    let rows = store.all(Table::Rule, &[RULE]).await?;
    let active = rows.iter().filter(|row| !row.deleted && row.status == "active");
    let number = |row: &Row, name: &str| row.attributes.get(name).and_then(Json::as_i64);
    let rule = |row: &Row| {
        let id = text(row, "source").parse::<Id>().ok()?;
        let bytes = number(row, "bytes_max").filter(|bytes| *bytes > 0);
        let rule = Rule {
            interval_min: number(row, "interval_min").filter(|minutes| *minutes > 0),
            hold_permille: number(row, "hold_on_drop_permille"),
            bytes_max: bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        };
        Some((id, rule))
    };
    Ok(active.filter_map(rule).collect())
}

impl Source {
    /// What can be fetched of a row, or why nothing.
    pub fn read(row: &Row, rule: Option<&Rule>, house: &web::House) -> Result<Source, Fault> {
        let address = fetch::address(text(row, "url"))?;
        if let Address::Path(path) = &address {
            house.kept.get::<Configured>().permits(house, path)?;
        }
        let bytes_max = rule.and_then(|rule| rule.bytes_max).unwrap_or(BYTES_MAX).min(BYTES_MOST);
        Ok(Source {
            id: row.id,
            row: Arc::new(row.clone()),
            format: text(row, "format").to_owned(),
            address,
            usage: Usage::of(row),
            level: match text(row, "tlp_default") {
                "" => Level::Amber,
                word => inbox::tlp_named(word),
            },
            hold_permille: rule.and_then(|rule| rule.hold_permille).unwrap_or(HOLD_PERMILLE),
            bytes_max,
            unpacked_max: bytes_max.saturating_mul(UNPACKED_TIMES).min(BYTES_MOST),
        })
    }
}
