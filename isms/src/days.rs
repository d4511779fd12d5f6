//! Days as registers write them. A day is held against the clock in UTC here: limits are of weeks and
//! months, and a day that begins some hours early or late changes none of them.

use model::Timestamp;
use store::Row;

/// The first moment of a day such as `2026-11-25`.
pub(crate) fn begin(day: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = day.trim().parse().ok()?;
    Timestamp::parse(&format!("{day}T00:00:00Z"))
}

/// The day of a moment.
pub(crate) fn of(at: Timestamp) -> String {
    at.rfc3339().chars().take("2026-11-25".len()).collect()
}

/// The first moment of the day that a field names.
pub(crate) fn field(row: &Row, name: &str) -> Option<Timestamp> {
    begin(crate::hall::text_of(row, name)?)
}
