//! When people hand in evidence by hand, and when they forget: this is what makes levels rise and decay.

use model::{Criterion, RoomSpec};

/// Day on which the company took up a control, in the order of Annex A.
const TAKEN_UP: [(&str, i64); 11] = [
    ("5.7", 14),
    ("5.23", 28),
    ("5.30", 42),
    ("7.4", 34),
    ("8.9", 10),
    ("8.10", 58),
    ("8.11", 94),
    ("8.12", 112),
    ("8.16", 206),
    ("8.23", 162),
    ("8.28", 124),
];
/// Spans of days in which nobody attested anything for a control.
const FORGOTTEN: [(&str, i64, i64); 9] = [
    ("5.7", 128, 152),
    ("5.7", 243, 262),
    ("5.30", 200, 248),
    ("7.4", 222, 258),
    ("8.9", 170, 214),
    ("8.11", 252, 296),
    ("8.16", 300, 316),
    ("8.28", 212, 247),
    ("7.4", 310, 322),
];
/// What must be shown every day is shown by hand only in a month of inspection; nobody keeps it up.
const INSPECTIONS: [(&str, i64, i64); 3] =
    [("8.12", 268, 301), ("8.23", 228, 262), ("8.23", 330, 349)];
const DAILY_HOURS: u32 = 24;

/// Day on which the company took up the room; the hall is there from the beginning.
pub fn taken_up(room: &RoomSpec) -> i64 {
    TAKEN_UP.iter().find(|(control, _)| *control == room.control).map_or(6, |(_, day)| *day)
}

fn within(spans: &[(&str, i64, i64)], control: &str, day: i64) -> bool {
    spans.iter().any(|(c, from, to)| *c == control && (*from..*to).contains(&day))
}

/// Whether someone hands in evidence for the criterion on this day; `last` is when it was done last.
pub fn due(
    room: &RoomSpec,
    criterion: &Criterion,
    day: i64,
    last: Option<i64>,
    works: bool,
) -> bool {
    let hours = criterion.check.fresh_hours();
    let place = room.criteria.iter().position(|c| c.id == criterion.id).unwrap_or(0) as i64;
    if criterion.by_hand.is_none() || day < taken_up(room) + 4 + 3 * place {
        return false;
    }
    if hours <= DAILY_HOURS {
        return within(&INSPECTIONS, room.control, day);
    }
    // Done with some days to spare, on a working day.
    let days = i64::from(hours) / 24;
    let period = (days - days / 8 - 2).max(1);
    works && !within(&FORGOTTEN, room.control, day) && last.is_none_or(|last| day - last >= period)
}
