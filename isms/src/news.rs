//! What changed since yesterday, for the home page.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use model::{Id, Level, Table, Timestamp};
use store::{Row, StoreError};
use web::{House, frame::User};

use crate::trend::Trend;

const ROWS_SHOWN_MAX: usize = 8;
const TABLES: [Table; 3] = [Table::Decision, Table::Task, Table::Asset];

/// A row that was added or changed.
pub struct Changed {
    pub table: &'static str,
    pub id: Id,
    pub name: String,
    pub kind: String,
    pub at: Timestamp,
    pub deleted: bool,
}

/// What happened since the beginning of yesterday.
#[derive(Default)]
pub struct News {
    /// Control, when, before, after.
    pub levels: Vec<(&'static str, Timestamp, Level, Level)>,
    /// Record type, its title, how many.
    pub records: Vec<(String, String, i64)>,
    pub rows: Vec<Changed>,
}

impl News {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.records.is_empty() && self.rows.is_empty()
    }
}

/// Reads what the home page tells of yesterday and today.
pub async fn since_yesterday(
    house: &House,
    user: &User,
    trends: &[Trend],
    now: Timestamp,
) -> Result<News, StoreError> {
    let cx = &user.cx;
    let since = yesterday(now, cx.local.zone.clone());
    let levels = trends
        .iter()
        .flat_map(|t| t.changes().into_iter().map(|(at, a, b)| (t.control, at, a, b)))
        .filter(|change| change.1 >= since)
        .collect();
    let title = |ty: &str| {
        house.record_spec(ty).map_or_else(|| ty.to_owned(), |r| r.title.get(cx.lang).to_owned())
    };
    // Numbers and names of what a limited reader does not see stay untold.
    let all = user.reader().sees_all();
    let counts = if all { house.store.received_by_type(since).await? } else { Vec::new() };
    let records = counts.into_iter().map(|(ty, n)| (ty.clone(), title(&ty), n)).collect();
    let changed = house.store.changed_since(&TABLES, since, ROWS_SHOWN_MAX).await?;
    let seen = seen(house, user, &changed).await?;
    let row = |row: Row| {
        let kind = house.kind(row.table, &row.kind).map(|(_, k)| k.title.get(cx.lang).to_owned());
        Changed {
            table: row.table.name(),
            id: row.id,
            kind: kind.unwrap_or(row.kind),
            name: row.name,
            at: row.updated_at,
            deleted: row.deleted,
        }
    };
    let rows = changed.into_iter().filter(|row| seen.contains(&row.id)).map(row).collect();
    Ok(News { levels, records, rows })
}

/// Ids of those rows that the reader sees.
async fn seen(house: &House, user: &User, rows: &[Row]) -> Result<HashSet<Id>, StoreError> {
    let mut seen = HashSet::new();
    for table in TABLES {
        let ids: Vec<Id> = rows.iter().filter(|row| row.table == table).map(|r| r.id).collect();
        seen.extend(house.store.reached(table, &ids, &user.reader().sees_of(table)).await?);
    }
    Ok(seen)
}

fn yesterday(now: Timestamp, zone: TimeZone) -> Timestamp {
    let start = jiff::Timestamp::from_microsecond(now.0)
        .ok()
        .and_then(|t| t.to_zoned_datetime(zone).yesterday().ok()?.start_of_day().ok());
    start.map_or(now.minus_hours(24), |t| Timestamp(t.timestamp().as_microsecond()))
}
