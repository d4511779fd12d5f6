//! `ume steady templates|silence`: what departs in log lines, over plain files; no data folder is touched.
//!
//! Lines are read as the server reads them, and their own times count. Lines without a time are told and counted.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use jiff::tz::TimeZone;
use model::Timestamp;
use serde_json::{Value as Json, json};
use steady::{
    Cadence, Calendar, Micros, SECOND, Silence, TemplateEvent, TemplateLimits, Templates,
};
use stream::{Event, RawLine};

use crate::{
    CliError, Format, MISMATCH,
    lines::{self, Line},
    print, say,
    shown::{self, Shown},
};

/// Programs and hosts that are told apart; the rest is one.
const KEYS_MAX: usize = 4_096;
/// Departures that are listed.
const FOUND_MAX: usize = 100_000;
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2099;

#[derive(clap::Subcommand)]
pub enum Steady {
    /// Kinds of log lines that are new, vanished or burst: exit 0 none, 1 some, 2 usage or error
    ///
    /// The first day is learnt; a kind of line vanishes when it was seen on five days and is absent for more
    /// than twice its longest pause.
    Templates {
        #[command(flatten)]
        lines: Lines,
        /// Every kind of line with its count, not only what departs
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Pauses of hosts that are longer than they ever are: exit 0 none, 1 some, 2 usage or error
    ///
    /// Three days and twenty pauses of a host are learnt first.
    Silence {
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(clap::Args)]
pub struct Lines {
    /// Files with log lines in the order of their times; - reads the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The moment up to which is judged (RFC 3339); the time of the last line if it is left out
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Lines {
    fn until(&self) -> Result<Option<Micros>, CliError> {
        let Some(text) = &self.until else { return Ok(None) };
        let time = Timestamp::parse(text).ok_or_else(|| {
            CliError::Usage(say(
                &format!("--until: {text}は日時ではありません（例: 2026-04-01T00:00:00Z）"),
                &format!("--until: {text} is no time; give one such as 2026-04-01T00:00:00Z"),
            ))
        })?;
        Ok(Some(time.0))
    }

    /// Hands over each event that has a time; the time of the last one.
    fn each(&self, take: &mut dyn FnMut(Micros, &Event)) -> Result<Option<Micros>, CliError> {
        let (now, zone) = (store::system_clock()(), TimeZone::system());
        let (mut last, mut timeless, mut long) = (None::<Micros>, 0u64, 0u64);
        for path in &self.files {
            lines::of_file(path, &mut |_, line| {
                let text = match line {
                    Line::Text([]) => return Ok(()),
                    Line::Text(text) => text,
                    Line::TooLong => {
                        long += 1;
                        return Ok(());
                    }
                };
                let event = stream::parse(&RawLine::new(text), "", now, &zone);
                match event.event_time {
                    Some(time) => {
                        last = last.max(Some(time.0));
                        take(time.0, &event);
                    }
                    None => timeless += 1,
                }
                Ok(())
            })?;
        }
        if timeless + long > 0 {
            eprintln!(
                "{}",
                say(
                    &format!("使えなかった行: 時刻のない行{timeless}、4 MiBを超える行{long}"),
                    &format!(
                        "lines left out: {timeless} without a time, {long} of more than 4 MiB"
                    ),
                )
            );
        }
        Ok(last)
    }
}

pub fn run(command: Steady) -> Result<ExitCode, CliError> {
    match command {
        Steady::Templates { lines, all, shown } => templates(&lines, all, shown.format),
        Steady::Silence { lines, shown } => silence(&lines, shown.format),
    }
}

/// Templates of each host and program.
#[derive(Default)]
struct Programs {
    known: BTreeMap<(String, String), Templates>,
    found: Vec<Json>,
    dropped: u64,
}

impl Programs {
    fn take(&mut self, time: Micros, event: &Event) {
        let key = (event.host.clone(), event.app.clone());
        let is_known = self.known.contains_key(&key) || self.known.len() < KEYS_MAX;
        let key = if is_known { key } else { Default::default() };
        let fresh = || Templates::new(TemplateLimits::default());
        let templates = self.known.entry(key.clone()).or_insert_with(fresh);
        let (_, departed) = templates.observe(time, &event.message);
        if let Some(row) = departed.and_then(|departed| row(&key, templates, &departed)) {
            self.add(row);
        }
    }

    fn add(&mut self, row: Json) {
        if self.found.len() < FOUND_MAX {
            self.found.push(row);
        } else {
            self.dropped += 1;
        }
    }

    fn vanished(&mut self, now: Micros) {
        let mut rows = Vec::new();
        for (key, templates) in &mut self.known {
            for departed in templates.vanished(now) {
                rows.extend(row(key, templates, &departed));
            }
        }
        rows.into_iter().for_each(|row| self.add(row));
    }

    /// Every kind of line, the most frequent first.
    fn all(&self) -> Vec<Json> {
        let mut all: Vec<(u64, Json)> = Vec::new();
        for ((host, program), templates) in &self.known {
            for template in templates.iter() {
                let told = json!({
                    "lines": template.lines, "days": template.days, "host": host, "program": program,
                    "template": template.text(), "first": rfc3339(template.first),
                    "last": rfc3339(template.last),
                });
                all.push((template.lines, told));
            }
        }
        all.sort_by_key(|(lines, _)| std::cmp::Reverse(*lines));
        all.into_iter().map(|(_, told)| told).collect()
    }
}

fn rfc3339(time: Micros) -> String {
    Timestamp(time).rfc3339()
}

fn row(key: &(String, String), templates: &Templates, departed: &TemplateEvent) -> Option<Json> {
    let (what, id, time, lines, usual, last) = match departed {
        TemplateEvent::New { id, time } => ("new", id, time, Some(1), None, None),
        TemplateEvent::Burst { id, time, lines, busiest } => {
            ("burst", id, time, Some(*lines), Some(busiest.round()), None)
        }
        TemplateEvent::Vanished { id, last, time } => {
            ("vanished", id, time, None, None, Some(rfc3339(*last)))
        }
    };
    let template = templates.get(*id)?;
    Some(json!({
        "what": what, "time": rfc3339(*time), "host": key.0, "program": key.1,
        "template": template.text(), "lines": lines, "usual": usual, "last": last,
    }))
}

fn templates(lines: &Lines, all: bool, format: Format) -> Result<ExitCode, CliError> {
    let until = lines.until()?;
    let mut programs = Programs::default();
    let last = lines.each(&mut |time, event| programs.take(time, event))?;
    if let Some(end) = until.or(last) {
        programs.vanished(end);
    }
    let found = programs.found.len();
    if all {
        let columns = ["lines", "days", "host", "program", "template"];
        tell(format, &columns, &programs.all());
    } else {
        let columns = ["what", "time", "host", "program", "lines", "usual", "template"];
        tell(format, &columns, &programs.found);
    }
    let kinds: usize = programs.known.values().map(Templates::len).sum();
    let more = programs.dropped;
    eprintln!(
        "{}",
        say(
            &format!("ログの種類{kinds}、変化{found}件（表示しきれないもの{more}件）"),
            &format!("{kinds} kinds of lines, {found} departures, {more} more not listed"),
        )
    );
    Ok(if found > 0 { ExitCode::from(MISMATCH) } else { ExitCode::SUCCESS })
}

fn silence(lines: &Lines, format: Format) -> Result<ExitCode, CliError> {
    let until = lines.until()?;
    let calendar = Calendar::new(&TimeZone::system(), &web::task_rules::HOLIDAYS, YEARS);
    let mut hosts: BTreeMap<String, Cadence> = BTreeMap::new();
    let (mut found, mut beyond) = (Vec::new(), 0u64);
    let last = lines.each(&mut |time, event| {
        if hosts.len() >= KEYS_MAX && !hosts.contains_key(&event.host) {
            beyond += 1;
            return;
        }
        let cadence = hosts.entry(event.host.clone()).or_default();
        if let Some(silence) = cadence.check(time, &calendar).filter(|_| found.len() < FOUND_MAX) {
            found.push(silent(&event.host, &silence, Some(time)));
        }
        cadence.heard(time, &calendar);
    })?;
    if let Some(end) = until.or(last) {
        for (host, cadence) in &mut hosts {
            found.extend(cadence.check(end, &calendar).map(|silence| silent(host, &silence, None)));
        }
    }
    let columns = ["host", "since", "until", "silent_s", "normal_s", "usual_s"];
    tell(format, &columns, &found);
    let (known, total) = (hosts.len(), found.len());
    let learning = hosts.values().filter(|cadence| cadence.normal(&calendar).is_none()).count();
    eprintln!(
        "{}",
        say(
            &format!(
                "ホスト{known}（学習が足りないもの{learning}）、途絶{total}件、数えきれない行{beyond}"
            ),
            &format!(
                "{known} hosts, {learning} of them not known well enough; {total} silences; {beyond} lines beyond the limit"
            ),
        )
    );
    Ok(if total > 0 { ExitCode::from(MISMATCH) } else { ExitCode::SUCCESS })
}

fn silent(host: &str, silence: &Silence, until: Option<Micros>) -> Json {
    json!({
        "host": host, "since": rfc3339(silence.since), "until": until.map(rfc3339),
        "silent_s": silence.silent / SECOND, "normal_s": silence.normal / SECOND,
        "usual_s": silence.usual / SECOND,
    })
}

fn tell(format: Format, columns: &[&str], rows: &[Json]) {
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    print(&shown::rows(format, &columns, rows));
}
