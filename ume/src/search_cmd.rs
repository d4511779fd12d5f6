//! `ume search`: the archived events of a data folder, beside a running server or without one.

use std::{path::PathBuf, process::ExitCode};

use model::Timestamp;
use serde_json::{Value as Json, json};
use stream::{Event, Query, query};

use crate::{
    CliError, Format, INCOMPLETE, MISMATCH, print, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

const LIMIT_MAX: usize = 1_000_000;
const SQL_SECONDS_MAX: u64 = 300;

#[derive(clap::Args)]
pub struct SearchArgs {
    /// What to look for: words that must all be there, "some words" in a row, name:value, * for
    /// anything, - before what must not be there
    #[arg(default_value = "", value_name = "QUERY", allow_hyphen_values = true)]
    query: String,
    /// From this time on: 2026-11-28, 2026-11-28T09:00:00+09:00, or an age such as 90m, 24h, 7d
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Events of this source only
    #[arg(long)]
    source: Option<String>,
    /// Events at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX as i64))]
    limit: u32,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// A statement of SQL instead of a query: SELECT … FROM events. Only in builds with SQL
    #[arg(long, value_name = "STATEMENT", conflicts_with_all = ["query", "oldest_first"])]
    sql: Option<String>,
    /// Folder with archived events instead of a data folder
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    shown: Shown,
}

/// Exit 0: found, 1: nothing, 3: a part could not be read.
pub fn run(args: &SearchArgs) -> Result<ExitCode, CliError> {
    let folder = match &args.archive {
        Some(folder) => folder.clone(),
        None => Settings::load(&args.data)?.place.folder.join("stream/archive"),
    };
    if !folder.is_dir() {
        return Err(CliError::Usage(say(
            &format!(
                "{}に保管したイベントがありません。--dataか--archiveを確認してください",
                folder.display()
            ),
            &format!("no archived events at {}; check --data or --archive", folder.display()),
        )));
    }
    let now = store::system_clock()();
    if let Some(statement) = &args.sql {
        return by_sql(args, statement, &folder, now);
    }
    let terms = query::parse(&args.query).map_err(|error| {
        let what = error.fault.text();
        CliError::Usage(say(
            &format!("検索語の{}文字目: {}", error.at, what.ja),
            &format!("query, character {}: {}", error.at, what.en),
        ))
    })?;
    let wanted = Query {
        from: args.from.as_deref().map(|text| time("--from", text, now)).transpose()?,
        to: args.to.as_deref().map(|text| time("--to", text, now)).transpose()?,
        source: args.source.clone(),
        terms,
        limit: args.limit as usize,
        newest_first: !args.oldest_first,
        ..Query::default()
    };
    let found = stream::search(&folder, &wanted).map_err(room::Error::from)?;
    for trouble in &found.unreadable {
        eprintln!("{trouble}");
    }
    let columns = ["time", "source", "host", "app", "message"].map(str::to_owned);
    let rows: Vec<Json> = found.events.iter().map(row).collect();
    if args.shown.format != Format::Table || !rows.is_empty() {
        print(&shown::rows(args.shown.format, &columns, &rows));
    }
    let (events, read, all) = (rows.len(), found.read_bytes, found.archive_bytes);
    let (scanned, pruned) = (found.scanned_segments, found.pruned_segments);
    eprintln!(
        "{}",
        say(
            &format!(
                "{events}件。{scanned}区画を読み、{pruned}区画は読まずに判断（{all}バイト中{read}バイト）"
            ),
            &format!(
                "{events} events; {scanned} segments read, {pruned} ruled out unread ({read} of {all} bytes)"
            ),
        )
    );
    Ok(match () {
        () if !found.unreadable.is_empty() => ExitCode::from(INCOMPLETE),
        () if rows.is_empty() => ExitCode::from(MISMATCH),
        () => ExitCode::SUCCESS,
    })
}

/// SQL in a process of its own: exit 0: rows, 1: none, 3: a part could not be read.
fn by_sql(
    args: &SearchArgs,
    statement: &str,
    folder: &std::path::Path,
    now: Timestamp,
) -> Result<ExitCode, CliError> {
    let moment = |option: &str, text: &Option<String>| -> Result<Option<i64>, CliError> {
        let found = text.as_deref().map(|text| time(option, text, now)).transpose()?;
        Ok(found.map(|time| time.0))
    };
    let ask = sql::Ask {
        sql: statement.to_owned(),
        from: moment("--from", &args.from)?,
        to: moment("--to", &args.to)?,
        source: args.source.clone(),
        limits: sql::Limits {
            rows_max: args.limit as usize,
            bytes_max: 256 << 20,
            memory_bytes_max: 1 << 30,
            seconds_max: SQL_SECONDS_MAX,
        },
    };
    let answer = sql::apart::apart(folder, &ask).map_err(|trouble| {
        let (ja, en) = trouble.texts();
        CliError::Usage(say(&ja, &en))
    })?;
    for trouble in &answer.unreadable {
        eprintln!("{trouble}");
    }
    let object = |row: &Vec<Json>| {
        Json::Object(answer.columns.iter().cloned().zip(row.iter().cloned()).collect())
    };
    let rows: Vec<Json> = answer.rows.iter().map(object).collect();
    if args.shown.format != Format::Table || !rows.is_empty() {
        print(&shown::rows(args.shown.format, &answer.columns, &rows));
    }
    let (count, scanned, pruned) = (rows.len(), answer.scanned_segments, answer.pruned_segments);
    let (more_ja, more_en) = match answer.cut {
        true => ("（続きがあります。--limitで増やせます）", " and there are more (--limit)"),
        false => ("", ""),
    };
    eprintln!(
        "{}",
        say(
            &format!("{count}行{more_ja}。{scanned}区画を読み、{pruned}区画は読まずに判断"),
            &format!("{count} rows{more_en}; {scanned} segments read, {pruned} ruled out unread"),
        )
    );
    Ok(match () {
        () if !answer.unreadable.is_empty() => ExitCode::from(INCOMPLETE),
        () if rows.is_empty() => ExitCode::from(MISMATCH),
        () => ExitCode::SUCCESS,
    })
}

fn row(event: &Event) -> Json {
    json!({
        "time": event.time().rfc3339(), "arrived": event.arrived.rfc3339(), "source": event.source,
        "class": event.class, "host": event.host, "app": event.app, "severity": event.severity,
        "message": event.message, "fields": event.fields,
        "raw": String::from_utf8_lossy(&event.raw),
    })
}

/// A day, a moment, or an age.
fn time(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, CliError> {
    let units = [('m', 60), ('h', 3_600), ('d', 86_400)];
    let age = units.iter().find_map(|(unit, seconds)| {
        let count: i64 = text.strip_suffix(*unit)?.parse().ok()?;
        (0..=36_500 * 86_400)
            .contains(&count)
            .then(|| Timestamp(now.0 - count * seconds * 1_000_000))
    });
    let day = || {
        let day: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
        let begin = jiff::tz::TimeZone::system().to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        Some(Timestamp(begin.as_microsecond()))
    };
    age.or_else(|| Timestamp::parse(text)).or_else(day).ok_or_else(|| {
        CliError::Usage(say(
            &format!(
                "{option} {text}: 2026-11-28、2026-11-28T09:00:00+09:00、24hのように書いてください"
            ),
            &format!(
                "{option} {text}: give 2026-11-28, 2026-11-28T09:00:00+09:00 or an age such as 24h"
            ),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_days_and_ages() {
        let now = Timestamp(1_795_600_000_000_000);
        assert_eq!(time("--from", "2h", now).unwrap(), now.minus_hours(2));
        assert_eq!(time("--from", "1d", now).unwrap(), now.minus_hours(24));
        let moment = Timestamp::parse("2026-11-28T00:00:00Z").unwrap();
        assert_eq!(time("--to", "2026-11-28T09:00:00+09:00", now).unwrap(), moment);
        assert!(
            (time("--to", "2026-11-28", now).unwrap().0 - moment.0).abs() <= 14 * 3_600_000_000
        );
        for bad in ["", "yesterday", "-1h", "2026-13-01", "99999999999999999d"] {
            assert!(time("--from", bad, now).is_err(), "{bad}");
        }
    }
}
