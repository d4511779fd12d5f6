//! The organisation's week: zone, holidays and closing days by which the steady state is judged.
//!
//! Invariants: the newest active row of the register holds, and without one the holidays of Japan in the zone of the
//! organisation; a change moves days to other hours of the week and forgets nothing that was learnt.
//! Limits: [`SPAN_DAYS_MAX`] days of a closing, [`CLOSED_MAX`] days in all.

use std::sync::Arc;

use calendar::Holidays;
use jiff::{Span, civil::Date, tz::TimeZone};
use model::{Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Map, Value as Json};
use steady::Calendar;
use store::{Row, Store, StoreError};

pub const KIND: &str = "working_calendar";
/// Years for which days are known.
pub const YEARS: std::ops::RangeInclusive<i16> = 2000..=2099;
const SPAN_DAYS_MAX: i64 = 62;
const CLOSED_MAX: usize = 20_000;

/// What says whether the week changed: state of the register, and the zone of the organisation.
pub type Stamp = ((u64, Timestamp), Option<String>);

/// The calendar that is in force, and what it was made of.
#[derive(Clone, Default)]
pub struct Week {
    stamp: Option<Stamp>,
    calendar: Option<Arc<Calendar>>,
}

impl Week {
    /// The calendar as the register has it now; a new one only where something changed.
    pub async fn renewed(&mut self, ctx: &Shared) -> Result<Option<Arc<Calendar>>, Error> {
        let own = ctx.house.people.local().zone.clone();
        let rows = ctx.store().stamp(Table::Norm, &[KIND]).await?;
        let stamp = (rows, own.iana_name().map(str::to_owned));
        if self.stamp.as_ref() == Some(&stamp) {
            return Ok(None);
        }
        let calendar = Arc::new(of(in_force(ctx.store()).await?.as_ref(), &own));
        (self.stamp, self.calendar) = (Some(stamp), Some(calendar.clone()));
        Ok(Some(calendar))
    }

    /// The calendar, made at the first call.
    pub async fn calendar(&mut self, ctx: &Shared) -> Result<Arc<Calendar>, Error> {
        let renewed = self.renewed(ctx).await?;
        renewed.or_else(|| self.calendar.clone()).ok_or_else(|| Error::said("there is no calendar"))
    }
}

/// Days off as the register has them now.
pub async fn holidays(store: &Store) -> Result<Holidays, StoreError> {
    Ok(days_off(in_force(store).await?.as_ref()))
}

async fn in_force(store: &Store) -> Result<Option<Row>, StoreError> {
    let rows = store.all(Table::Norm, &[KIND]).await?;
    let active = rows.into_iter().filter(|row| row.status == "active");
    Ok(active.max_by_key(|row| (row.updated_at, row.id)))
}

fn of(row: Option<&Row>, own: &TimeZone) -> Calendar {
    let named = row.and_then(|row| text(&row.attributes, "zone"));
    let zone = named.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(|| own.clone());
    Calendar::new(&zone, &days_off(row), YEARS)
}

fn days_off(row: Option<&Row>) -> Holidays {
    let Some(row) = row else { return web::task_rules::HOLIDAYS.clone() };
    let country = match text(&row.attributes, "country") {
        Some("none") => Holidays::none(),
        _ => web::task_rules::HOLIDAYS.clone(),
    };
    let closed = row.attributes.get("closing_days").and_then(Json::as_array).into_iter().flatten();
    country.and(closed.filter_map(Json::as_object).flat_map(closing).take(CLOSED_MAX))
}

/// The days of one line: from the first to the last, in its own year or in all of them.
fn closing(line: &Map<String, Json>) -> Vec<(Date, String)> {
    let date = |name: &str| text(line, name).and_then(|day| day.parse::<Date>().ok());
    let Some(first) = date("from") else { return Vec::new() };
    let last = date("to").unwrap_or(first).max(first);
    let name = text(line, "name").unwrap_or("休業日").to_owned();
    let days = i64::from((last - first).get_days()).min(SPAN_DAYS_MAX - 1);
    let is_yearly = line.get("is_yearly").and_then(Json::as_bool).unwrap_or(false);
    let years = if is_yearly { YEARS } else { first.year()..=first.year() };
    // The 29th of February is the 28th in other years.
    let begins = years.filter_map(|year| first.with().year(year).build().ok());
    let of =
        |begin: Date| (0..=days).filter_map(move |n| begin.checked_add(Span::new().days(n)).ok());
    begins.flat_map(of).map(|day| (day, name.clone())).collect()
}

fn text<'a>(at: &'a Map<String, Json>, name: &str) -> Option<&'a str> {
    at.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use model::Id;
    use serde_json::json;

    use super::*;

    fn row(attributes: Json) -> Row {
        let mut row = Row::new(Table::Norm, Id::nil(), KIND, "2026");
        row.attributes = attributes.as_object().cloned().unwrap();
        let spec = crate::SPEC.others.iter().find(|kind| kind.id == KIND).unwrap();
        assert_eq!(spec.validate(&row.attributes), []);
        row
    }

    fn is_off(calendar: &Calendar, day: &str) -> bool {
        let noon = format!("{day}T12:00:00Z").parse::<jiff::Timestamp>().unwrap();
        calendar.is_day_off(noon.as_microsecond())
    }

    #[test]
    fn closing_days_are_off_and_holidays_as_the_country_has_them() {
        let closed = json!([
            { "name": "年末年始", "from": "2025-12-29", "to": "2026-01-03", "is_yearly": true },
            { "from": "2026-08-13", "to": "2026-08-14" },
        ]);
        let row_of =
            |country: &str| row(json!({ "country": country, "closing_days": closed.clone() }));
        let japan = of(Some(&row_of("japan")), &TimeZone::UTC);
        let none = of(Some(&row_of("none")), &TimeZone::UTC);
        for calendar in [&japan, &none] {
            for day in ["2025-12-30", "2026-01-02", "2030-12-31", "2026-08-14", "2026-11-28"] {
                assert!(is_off(calendar, day), "{day}");
            }
            assert!(!is_off(calendar, "2026-08-12") && !is_off(calendar, "2027-08-13"));
        }
        assert!(is_off(&japan, "2026-11-03") && !is_off(&none, "2026-11-03"));
        assert!(is_off(&of(None, &TimeZone::UTC), "2026-05-06"), "振替休日 without a row");
    }

    #[test]
    fn the_zone_is_the_rows_or_the_organisations() {
        let own = TimeZone::get("Europe/Berlin").unwrap();
        let at = "2026-07-06T10:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        assert_eq!(of(None, &own).hour(at), 12);
        let japan = row(json!({ "country": "japan", "zone": "Asia/Tokyo" }));
        assert_eq!(of(Some(&japan), &own).hour(at), 19);
        // The form refuses it, an older row may have it.
        let mut unknown = japan.clone();
        unknown.attributes.insert("zone".to_owned(), json!("Mars/Base"));
        assert_eq!(of(Some(&unknown), &own).hour(at), 12);
    }
}
