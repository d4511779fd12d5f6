//! `ume steady`: what is normal over plain files of measurements; no data folder is touched.
//!
//! Values are read one by one and judged in the order of the file. What cannot be read is told with its line, and
//! the rest goes on. Limits: a line of [`LINE_BYTES_MAX`] bytes; a forecast keeps [`POINTS_MAX`] points.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::{civil::DateTime, tz::TimeZone};
use model::Timestamp;
use serde_json::{Value as Json, json};
use steady::{
    Calendar, Direction, Forecast, HOUR, Kind, Limit, Point, Scorer, Series, Settings, Telling,
};

use crate::{CliError, INCOMPLETE, MISMATCH, print, say, shown};

const LINE_BYTES_MAX: u64 = 64 * 1024;
const POINTS_MAX: usize = 5_000_000;
const FOUND_MAX: usize = 100_000;

#[derive(clap::Subcommand)]
pub enum SteadyCommand {
    /// Departures from what is normal at each hour of the week: exit 0 none, 1 some, 3 if a line could not be read
    Score {
        #[command(flatten)]
        values: Values,
        /// How the values behave
        #[arg(long, value_enum, default_value = "gauge")]
        kind: Behaviour,
        /// Which departures matter
        #[arg(long, value_enum, default_value = "both")]
        direction: Side,
        /// Hours that are only learnt from: 336, with --closer 48 if it is left out
        #[arg(long, value_name = "HOURS")]
        cold_start: Option<u16>,
        /// What is at least as rare is told: a share of all values
        #[arg(long, default_value_t = 1e-4, value_name = "P")]
        rarity: f32,
        /// Look more closely: at the same time of the last seven days and at shapes, with 32 KiB for a series
        #[arg(long, conflicts_with_all = ["kind", "direction", "rarity"])]
        closer: bool,
        /// With --closer, the score from which on a value is told
        #[arg(long, default_value_t = Telling::default().threshold, value_name = "SCORE", requires = "closer")]
        threshold: f64,
        /// With --closer, every value with its score
        #[arg(long, requires = "closer")]
        each: bool,
        #[command(flatten)]
        shown: shown::Shown,
    },
    /// When values meet a limit: exit 0 if they do not, 1 if they will or have, 3 if a line could not be read
    Forecast {
        #[command(flatten)]
        values: Values,
        /// What must not be exceeded
        #[arg(
            long,
            value_name = "LIMIT",
            required_unless_present = "at_least",
            allow_negative_numbers = true
        )]
        at_most: Option<f64>,
        /// What must not be fallen below
        #[arg(
            long,
            value_name = "LIMIT",
            conflicts_with = "at_most",
            allow_negative_numbers = true
        )]
        at_least: Option<f64>,
        #[command(flatten)]
        shown: shown::Shown,
    },
}

#[derive(clap::Args)]
pub struct Values {
    /// CSV with the columns time,value, or a JSON object with both on each line; - reads the standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose hours and holidays count, and in whose zone times without one are
    #[arg(long, value_enum, default_value = "japan")]
    calendar: Week,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Week {
    Japan,
    Utc,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Behaviour {
    Gauge,
    Counter,
    State,
    Uptime,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Side {
    Both,
    Up,
    Down,
}

pub fn run(command: &SteadyCommand) -> Result<ExitCode, CliError> {
    match command {
        SteadyCommand::Score {
            values, cold_start, closer: true, threshold, each, shown, ..
        } => {
            let learn = i64::from(cold_start.unwrap_or(48)) * HOUR;
            closer(values, learn, *threshold, *each, shown)
        }
        SteadyCommand::Score { values, kind, direction, cold_start, rarity, shown, .. } => {
            let kind = match kind {
                Behaviour::Gauge => Kind::Gauge,
                Behaviour::Counter => Kind::Counter,
                Behaviour::State => Kind::State,
                Behaviour::Uptime => Kind::Uptime,
            };
            let direction = match direction {
                Side::Both => Direction::Both,
                Side::Up => Direction::Up,
                Side::Down => Direction::Down,
            };
            if !(*rarity > 0.0 && *rarity < 1.0) {
                return Err(CliError::Usage(say(
                    "--rarityは0より大きく1より小さい数を指定してください",
                    "--rarity: give a number between 0 and 1",
                )));
            }
            let settings = Settings {
                direction,
                cold_start_hours: cold_start.unwrap_or(336),
                tell_p: *rarity,
                ..Settings::new(kind)
            };
            score(values, settings, shown)
        }
        SteadyCommand::Forecast { values, at_most, at_least, shown } => {
            let limit = match (at_most, at_least) {
                (Some(most), _) => Limit::AtMost(*most),
                (None, Some(least)) => Limit::AtLeast(*least),
                (None, None) => unreachable!("the parser asks for one of them"),
            };
            forecast(values, limit, shown)
        }
    }
}

fn score(values: &Values, settings: Settings, shown: &shown::Shown) -> Result<ExitCode, CliError> {
    let calendar = values.calendar();
    let mut series = Series::new(0, settings);
    let mut found = Vec::new();
    let read = values.each(&mut |time, value| {
        let Some(anomaly) = series.observe(time, value, &calendar) else { return };
        // Whoever runs this is told of all of it.
        series.told();
        let (ja, en) = anomaly.layer.texts();
        let finite =
            |value: f64| if value.is_finite() { json!(rounded(value)) } else { Json::Null };
        if found.len() < FOUND_MAX {
            found.push(json!({
                "time": Timestamp(anomaly.time).rfc3339(),
                "onset": Timestamp(anomaly.onset).rfc3339(),
                "observed": finite(anomaly.observed),
                "expected": finite(anomaly.expected),
                "low": finite(anomaly.low),
                "high": finite(anomaly.high),
                "layer": anomaly.layer,
                "phase": anomaly.phase,
                "p": anomaly.p,
                "what": say(ja, en),
            }));
        }
    })?;
    let columns = ["time", "onset", "observed", "expected", "low", "high", "phase", "what"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &found));
    let (count, refused) = (found.len(), series.refused());
    let (ja, en) = match series.is_warm() {
        true => ("", ""),
        false => {
            ("。まだ学習中のため、何も判定していません", "; still learning, so nothing was judged")
        }
    };
    eprintln!(
        "{}",
        say(
            &format!(
                "値{}件、平常からの外れ{count}件、読めない行{}件、途切れ{}件、時刻が前後した値{}件{ja}",
                read.values, read.bad, refused.gaps, refused.no_order
            ),
            &format!(
                "{} values, {count} departures, {} lines not read, {} gaps, {} out of order{en}",
                read.values, read.bad, refused.gaps, refused.no_order
            ),
        )
    );
    Ok(code(read.bad > 0, count > 0))
}

/// What stands out beside the last week and the shapes that were.
fn closer(
    values: &Values,
    learn: i64,
    threshold: f64,
    is_each: bool,
    shown: &shown::Shown,
) -> Result<ExitCode, CliError> {
    let (mut scorer, mut told, mut alarms, mut refused) = (Scorer::new(), Vec::new(), 0u64, 0u64);
    let (mut first, mut left_out) = (None, 0u64);
    let read = values.each(&mut |time, value| {
        let is_learning = time - *first.get_or_insert(time) < learn;
        let learn = if is_learning { u32::MAX } else { 0 };
        let telling = Telling { learn, threshold, ..Telling::default() };
        let Some(scored) = scorer.observe(time, value, &telling) else {
            refused += 1;
            return;
        };
        alarms += u64::from(scored.is_alarm);
        if !is_each && !scored.is_alarm {
            return;
        }
        if told.len() == FOUND_MAX {
            left_out += 1;
            return;
        }
        told.push(json!({
            "time": Timestamp(time).rfc3339(),
            "observed": rounded(value),
            "expected": rounded(scored.expected),
            "score": rounded(scored.score),
            "alarm": scored.is_alarm,
        }));
    })?;
    let columns = ["time", "observed", "expected", "score", "alarm"].map(str::to_owned);
    print(&shown::rows(shown.format, &columns, &told));
    eprintln!(
        "{}",
        say(
            &format!(
                "値{}件、目立つ値{alarms}件、読めない行{}件、使えない値{refused}件、表示しきれない行{left_out}件",
                read.values, read.bad
            ),
            &format!(
                "{} values, {alarms} that stand out, {} lines not read, {refused} values refused, {left_out} rows not shown",
                read.values, read.bad
            ),
        )
    );
    Ok(code(read.bad > 0, alarms > 0))
}

fn forecast(values: &Values, limit: Limit, shown: &shown::Shown) -> Result<ExitCode, CliError> {
    let mut points = Vec::new();
    let read = values.each(&mut |time, value| {
        if points.len() < POINTS_MAX {
            points.push(Point { time, value });
        }
    })?;
    let days = |days: f64| (days * 10.0).round() / 10.0;
    let (row, text, meets) = match steady::exhaustion(&points, limit) {
        Forecast::Sparse { points } => (
            json!({ "outlook": "sparse", "points": points }),
            say("予測に足りる値がありません", "too few values for a forecast"),
            false,
        ),
        Forecast::Beyond { value } => (
            json!({ "outlook": "beyond", "value": rounded(value) }),
            say("すでに限界に達しています", "the limit is passed already"),
            true,
        ),
        Forecast::NoTrend { slope } => (
            json!({ "outlook": "no_trend", "per_day": rounded(slope.per_day) }),
            say("限界へ向かう傾向は見られません", "there is no trend towards the limit"),
            false,
        ),
        Forecast::Ends { days: eta, low, high, slope } => (
            json!({
                "outlook": "ends",
                "days": days(eta),
                "low_days": days(low),
                "high_days": high.map(days),
                "per_day": rounded(slope.per_day),
                "level": rounded(slope.level),
            }),
            say(
                &format!("約{}日後に限界に達する見込みです", days(eta)),
                &format!("it meets its limit in some {} days", days(eta)),
            ),
            true,
        ),
    };
    print(&shown::one(shown.format, &row));
    eprintln!("{text}");
    Ok(code(read.bad > 0, meets))
}

fn code(is_incomplete: bool, is_found: bool) -> ExitCode {
    match (is_incomplete, is_found) {
        (true, _) => ExitCode::from(INCOMPLETE),
        (false, true) => ExitCode::from(MISMATCH),
        (false, false) => ExitCode::SUCCESS,
    }
}

/// Six digits say all that there is to say.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// What came of a file.
struct Reading {
    values: u64,
    bad: u64,
}

impl Values {
    fn calendar(&self) -> Calendar {
        match self.calendar {
            Week::Japan => Calendar::japan(),
            Week::Utc => Calendar::utc(),
        }
    }

    fn zone(&self) -> TimeZone {
        match self.calendar {
            Week::Japan => TimeZone::fixed(jiff::tz::offset(9)),
            Week::Utc => TimeZone::UTC,
        }
    }

    /// Gives each value with its time, in the order of the file.
    fn each(&self, take: &mut dyn FnMut(i64, f64)) -> Result<Reading, CliError> {
        let io = |source| CliError::Io { path: self.file.clone(), source };
        let input: Box<dyn Read> = match self.file == Path::new("-") {
            true => Box::new(std::io::stdin()),
            false => Box::new(File::open(&self.file).map_err(io)?),
        };
        let (mut input, zone) = (BufReader::new(input), self.zone());
        let (mut read, mut number, mut bytes) = (Reading { values: 0, bad: 0 }, 0u64, Vec::new());
        loop {
            bytes.clear();
            if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(io)? == 0 {
                return Ok(read);
            }
            number += 1;
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_start_matches('\u{feff}').trim();
            match row(line, &zone) {
                Some((time, value)) => {
                    read.values += 1;
                    take(time, value);
                }
                // The first line may name the columns.
                None if line.is_empty() || (number == 1 && !line.starts_with('{')) => {}
                None => {
                    read.bad += 1;
                    if read.bad <= 10 {
                        eprintln!(
                            "{}",
                            say(
                                &format!(
                                    "{}の{number}行目: 時刻と数値の形ではありません",
                                    self.file.display()
                                ),
                                &format!(
                                    "{}: line {number} is no time with a number",
                                    self.file.display()
                                ),
                            )
                        );
                    }
                }
            }
        }
    }
}

/// A time and a number.
fn row(line: &str, zone: &TimeZone) -> Option<(i64, f64)> {
    if line.starts_with('{') {
        let object: Json = serde_json::from_str(line).ok()?;
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let at = |names: [&str; 3]| names.iter().find_map(|name| object.get(name)).map(text);
        let time = at(["time", "timestamp", "ts"])?;
        return Some((moment(&time, zone)?, number(&at(["value", "v", "mean"])?)?));
    }
    let (when, rest) = line.split_once([',', ';', '\t'])?;
    let value = rest.split([',', ';', '\t']).next()?;
    Some((moment(when.trim().trim_matches('"'), zone)?, number(value.trim().trim_matches('"'))?))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// RFC 3339, the same without a zone, or seconds since 1970 (milliseconds and microseconds by their size).
fn moment(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Some(time) = Timestamp::parse(text) {
        return Some(time.0);
    }
    if let Ok(number) = text.parse::<f64>() {
        let unit = match number.abs() {
            n if n < 1e11 => 1e6,
            n if n < 1e14 => 1e3,
            _ => 1.0,
        };
        let micros = number * unit;
        return (micros.abs() < 1e17).then_some(micros as i64);
    }
    let civil: DateTime = text.replace('/', "-").parse().ok()?;
    Some(zone.to_timestamp(civil).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_the_forms_that_tools_write() {
        let japan = TimeZone::fixed(jiff::tz::offset(9));
        let nine = 1_795_600_000_000_000i64;
        let time = Timestamp(nine).rfc3339();
        for line in [
            format!("{time},5"),
            format!("\"{time}\";\"5\""),
            "1795600000,5,more".to_owned(),
            "1795600000000\t5".to_owned(),
            format!("{{\"time\":\"{time}\",\"value\":\"5\"}}"),
            "{\"ts\":1795600000,\"v\":5.0}".to_owned(),
        ] {
            assert_eq!(row(&line, &japan), Some((nine, 5.0)), "{line}");
        }
        let local = row("2026/04/06 00:00:00,1", &japan);
        assert_eq!(local, Some((1_775_401_200_000_000, 1.0)));
        for line in ["time,value", "x,1", "2026-04-06T00:00:00Z", "{\"time\":1}", "{", ""] {
            assert_eq!(row(line, &japan), None, "{line}");
        }
    }
}
