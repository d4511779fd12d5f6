//! The lists that `ume indicators convert` writes for edges of other makers: RPZ, Squid, ClamAV, plain.

use std::io::Write;

use indicators::{
    Ceiling, Direction, Key,
    exchange::Item,
    ndjson::{self, Said},
    outlet::{Ask, Form, List, Listed},
    pattern::Side,
};
use netname::Names;
use room::Error;

/// A row with its value in one form.
pub(super) struct Row {
    key: Key,
    direction: Direction,
    ceiling: Ceiling,
    from: Option<i64>,
    until: Option<i64>,
}

/// Rows of a document; what is no value of its kind is named with the reason.
pub(super) fn of_items(items: &[Item]) -> (Vec<Row>, Vec<String>) {
    let names = Names::shipped();
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    for item in items {
        match indicators::normalise(item.kind, &item.value, &names) {
            Ok(key) => rows.push(Row {
                key,
                direction: match item.side {
                    Some(Side::Source) => Direction::Source,
                    Some(Side::Destination) => Direction::Destination,
                    None => Direction::Both,
                },
                // What its producer does not mean for detection blocks nothing.
                ceiling: if item.enforce { Ceiling::Block } else { Ceiling::Alert },
                from: item.from,
                until: item.until,
            }),
            Err(reject) => {
                let (ja, en) = reject.words();
                left.push(format!("{}: {}", item.value, super::documents::words(ja, en)));
            }
        }
    }
    (rows, left)
}

/// Whether the first line is a row.
pub(super) fn is_rows(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let row = serde_json::from_str::<serde_json::Value>(first).ok();
    row.is_some_and(|row| row["kind"].is_string() && row["value"].is_string())
}

/// Rows as lines of JSON, as `ume indicators build` takes them; a line that is none is named by its number.
pub(super) fn of_lines(text: &str, at: i64) -> (Vec<Row>, Vec<String>) {
    let names = Names::shipped();
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match ndjson::read(line, number, at, &names) {
            Ok(Said::Row(row)) => rows.push(Row {
                direction: row.direction,
                ceiling: if row.revoked { Ceiling::Nothing } else { row.ceiling },
                from: row.valid_from,
                until: row.valid_until,
                key: row.key,
            }),
            Ok(Said::Gone(_)) => {}
            Err(error) => left.push(format!("{number}: {error}")),
        }
    }
    (rows, left)
}

/// Writes the list; gives how many rows it could not say, by reason.
pub(super) fn write(
    ask: Ask,
    rows: &[Row],
    out: &mut dyn Write,
) -> Result<Vec<(&'static str, u64)>, Error> {
    // Seconds since 1970: a later file has the higher serial.
    let serial = u32::try_from(ask.at.div_euclid(1_000_000)).unwrap_or(u32::MAX);
    let mut list = List::new(ask);
    for row in rows {
        let Row { key, direction, ceiling, from, until } = row;
        list.add(&Listed {
            direction: *direction,
            ceiling: *ceiling,
            from: *from,
            until: *until,
            ..Listed::key(key)
        });
    }
    let mut push = |text: &str| out.write_all(text.as_bytes());
    let summary = list.write(serial, &mut push).map_err(Error::said)?;
    Ok(summary.left.into_iter().map(|(why, rows)| (why.as_str(), rows)).collect())
}

/// The list that a word names; CSV is that of rows, with all they say.
pub(super) fn form(word: &str) -> Option<Form> {
    Form::named(word).filter(|form| *form != Form::Csv)
}
