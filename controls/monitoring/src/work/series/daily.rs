//! What is written down of series twice a day: whether the steady state is recorded, how resources are used at steady
//! and at high load, and what runs out.
//!
//! Invariant: each record tells what the files hold, and a source of which nothing came gets one that says so.
//! Limits: [`SERIES_OF_SOURCE_MAX`] series of a source are counted, [`FORECASTS_MAX`] forecasts are written.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use steady::{Calendar, Forecast, Limit, LoadProfile, load_profile};
use store::{RecordDraft, Row as Asset};

use super::{
    ACTOR, Steady, bare,
    exhaustion::{self, Warned},
    files::{About, Shape, TEN, read},
    folder,
    forecast::{BACK_DAYS, ahead, rates},
    lock,
    rules::Rules,
    site::VOLUME,
};

/// Days over which samples are counted.
const COUNTED_DAYS: i64 = 14;
const SERIES_OF_SOURCE_MAX: usize = 200;
const FORECASTS_MAX: usize = 1_000;
const KINDS: [&str; 5] = ["metric_source", "log_source", "host", "database", "network_device"];
const HOUR: i64 = 6 * TEN;
const DAY: i64 = 24 * HOUR;

/// What shows how much of a machine is used, best first: a part of the name, and whether it is a share.
const LOADS: [(&str, bool); 9] = [
    ("cpu_used_ratio", true),
    ("cpu_usage", false),
    ("connections_used_ratio", true),
    ("connections", false),
    ("numbackends", false),
    ("load1", false),
    ("memory_used_ratio", true),
    ("received_bytes_total", false),
    ("octets", false),
];

/// What a day's records are made from.
struct Look {
    folder: PathBuf,
    now: Timestamp,
    known: Vec<Known>,
    assets: Vec<Asset>,
    calendar: Arc<Calendar>,
    rules: Arc<Rules>,
}

struct Known {
    about: About,
    first: i64,
}

/// Writes the records.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    // A demonstration has its own records of machines that there are not.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let store = ctx.store();
    let Some(site) = ctx.house.kept.get::<Steady>().site() else {
        return Ok(json!({ "skipped": "series are not read yet" }));
    };
    let (known, calendar, rules) = {
        let site = lock(&site);
        let one = |tracked: &super::site::Tracked| Known {
            about: (*tracked.about).clone(),
            first: tracked.first,
        };
        let known: Vec<Known> = site.known.values().map(one).collect();
        (known, site.calendar.clone(), site.rules.clone())
    };
    let assets = store.all(Table::Asset, &KINDS).await?;
    let (folder, now) = (folder(&ctx.house), store.now());
    let look = Look { folder, now, known, assets, calendar, rules };
    let (mut drafts, warned) = room::blocking(move || look.drafts()).await??;
    drafts.extend(exhaustion::news(store, &warned, now).await?);
    let count = drafts.len();
    if count > 0 {
        let mut write = store.write(ACTOR, "work", "").await?;
        for draft in drafts {
            write.record(draft).await?;
        }
        write.commit().await?;
        ctx.house.wake();
    }
    Ok(json!({ "records": count }))
}

impl Look {
    fn drafts(&self) -> Result<(Vec<RecordDraft>, Vec<Warned>), Error> {
        let mut drafts = Vec::new();
        for asset in self.assets.iter().filter(|asset| asset.status != "retired") {
            match asset.kind.as_str() {
                "metric_source" | "log_source" => drafts.push(self.baseline(asset)?),
                _ => drafts.extend(self.profile(asset)?),
            }
        }
        let mut warned = Vec::new();
        drafts.extend(self.forecasts(&mut warned)?);
        Ok((drafts, warned))
    }

    /// How completely the series of a source were recorded.
    fn baseline(&self, source: &Asset) -> Result<RecordDraft, Error> {
        let is_log = source.kind == "log_source";
        let named = if is_log { "cadence_s" } else { "interval_s" };
        let interval = number(source, named).unwrap_or(0.0).max(1.0) as i64;
        // Lines are counted by ten minutes.
        let interval = if is_log { interval.max(TEN / 1_000_000) } else { interval };
        let of_source: Vec<&Known> = self
            .known
            .iter()
            .filter(|known| (known.about.name == VOLUME) == is_log)
            .filter(|known| self.is_of(source, &known.about))
            .take(SERIES_OF_SOURCE_MAX)
            .collect();
        let mut samples = 0;
        let mut due = 0;
        let first = of_source.iter().map(|known| known.first).min().unwrap_or(self.now.0);
        // Whole days, of which there are summaries.
        let until = self.now.0.div_euclid(DAY) * DAY;
        let from = (until - COUNTED_DAYS * DAY).max(first);
        let of_one = ((until - from).max(0) / 1_000_000 / interval) as u64;
        for known in &of_source {
            let range = (Timestamp(from), Timestamp(until.max(from + 1)));
            let rows = read(&self.folder, known.about.id, range.0, range.1, DAY)?;
            let taken = rows.iter().map(|row| row.count).sum::<u64>();
            samples += taken.min(of_one);
            due += of_one;
        }
        let facts = json!({
            "baseline_days": ((self.now.0 - first) / DAY).max(0),
            "samples": samples,
            "samples_due": due,
            "samples_permille": (samples * 1_000).checked_div(due).unwrap_or(0),
        });
        Ok(room::draft("monitoring.baseline_status", Some(source.id), self.now, facts))
    }

    /// Whether a series is of a source: by its target, its name, or the host that it names.
    fn is_of(&self, source: &Asset, about: &About) -> bool {
        let host = bare(&about.host);
        let target = ["target", "address"].iter().find_map(|name| text(source, name));
        let place = target.map(|target| {
            let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
            rest.split(['/', '?']).next().unwrap_or(rest)
        });
        if let Some(place) = place.filter(|place| !place.is_empty()) {
            return place == about.host || bare(place) == host || place == about.source;
        }
        let asset = text(source, "asset").and_then(|id| id.parse::<Id>().ok());
        let named = self.assets.iter().find(|row| Some(row.id) == asset);
        source.name == about.source || named.is_some_and(|row| is_host(row, host))
    }

    /// How an asset is used at steady and at high load.
    fn profile(&self, asset: &Asset) -> Result<Option<RecordDraft>, Error> {
        let Some((about, is_share)) = self.load_of(asset) else { return Ok(None) };
        let Some(profile) = profile(&self.folder, about, self.now, &self.calendar)? else {
            return Ok(None);
        };
        let most = match is_share {
            true => 1.0,
            false => number(asset, "connections_max").unwrap_or(profile.duration[0]),
        };
        let permille = |value: f64| {
            let share = if most > 0.0 { value / most } else { 0.0 };
            (share * 1_000.0).round().clamp(0.0, 1e9) as i64
        };
        let count = |share: f64| (share * profile.values as f64).round() as i64;
        // One regime alone is no high load: that is said, with how long was looked at.
        let steady = permille(profile.steady.median);
        let (high_share, high) = match profile.high {
            Some(high) => (high.share, permille(high.median).max(steady)),
            None => (0.0, steady),
        };
        let facts = json!({
            "steady_samples": count(1.0 - high_share),
            "high_samples": count(high_share),
            "steady_permille": steady,
            "high_permille": high,
            "high_hours": (high_share * profile.values as f64 / 6.0).round() as i64,
            "peak_permille": permille(profile.duration[0]),
            "has_high_load": profile.high.is_some(),
            "days": profile.days,
        });
        let payload = json!({ "series": about, "profile": profile });
        let draft = room::draft("monitoring.load_profile", Some(asset.id), self.now, facts);
        Ok(Some(RecordDraft { payload: serde_json::to_vec(&payload).ok(), ..draft }))
    }

    /// The series that shows best how much an asset is used, and whether it is a share.
    fn load_of(&self, asset: &Asset) -> Option<(&About, bool)> {
        let of_asset = |about: &&About| match asset.kind.as_str() {
            "database" => {
                let host = text(asset, "host").and_then(|id| id.parse::<Id>().ok());
                let host = self.assets.iter().find(|row| Some(row.id) == host);
                let on_host = || {
                    is_of_port(asset, &about.host)
                        && host.is_some_and(|row| is_host(row, bare(&about.host)))
                };
                // A probe may be named as the database that it looks at.
                about.host == asset.name || about.source == asset.name || on_host()
            }
            _ => is_host(asset, bare(&about.host)),
        };
        let abouts: Vec<&About> =
            self.known.iter().map(|known| &known.about).filter(of_asset).collect();
        let first = if asset.kind == "database" { 2 } else { 0 };
        let wanted = LOADS.iter().skip(first).chain(LOADS.iter().take(first));
        wanted.into_iter().find_map(|(part, is_share)| {
            abouts.iter().find(|about| about.name.contains(part)).map(|about| (*about, *is_share))
        })
    }

    /// What meets its limit within the horizon, and what of it a rule wants to be told.
    fn forecasts(&self, warned: &mut Vec<Warned>) -> Result<Vec<RecordDraft>, Error> {
        let mut drafts = Vec::new();
        for known in &self.known {
            let set = limit_set(&self.assets, &self.rules, &known.about);
            let Some(ahead) = ahead(&self.folder, &known.about, set, self.now)? else { continue };
            let whole = |days: f64| days.floor().clamp(0.0, 1e9) as i64;
            let (eta, low, high) = match ahead.forecast {
                Forecast::Beyond { .. } => (0, Some(0), Some(0)),
                Forecast::Ends { days, low, high, .. } => {
                    (whole(days), Some(whole(low)), high.map(whole))
                }
                Forecast::Sparse { .. } | Forecast::NoTrend { .. } => continue,
            };
            let resource = format!("{} {}", bare(&known.about.host), known.about.title());
            let mut facts = json!({
                "resource": resource.trim().chars().take(200).collect::<String>(),
                "eta_days": eta,
            });
            for (name, days) in [("low_days", low), ("high_days", high)] {
                if let Some(days) = days {
                    facts[name] = days.into();
                }
            }
            let host = bare(&known.about.host);
            let subject = self.assets.iter().find(|row| row.kind == "host" && is_host(row, host));
            let subject = subject.map(|row| row.id);
            let rule = self.rules.outlook(&known.about);
            if let Some(rule) = rule.filter(|rule| eta as f64 <= rule.warn_days) {
                let (about, rule) = (known.about.clone(), rule.clone());
                warned.push(Warned { about, rule, eta, subject, forecast: ahead.forecast });
            }
            let payload = json!({ "series": known.about, "forecast": ahead.forecast });
            let draft = room::draft("monitoring.capacity_forecast", subject, self.now, facts);
            drafts.push(RecordDraft { payload: serde_json::to_vec(&payload).ok(), ..draft });
            if drafts.len() == FORECASTS_MAX {
                break;
            }
        }
        Ok(drafts)
    }
}

/// How a series was used in the last month. Reads files.
pub fn profile(
    folder: &Path,
    about: &About,
    now: Timestamp,
    calendar: &Calendar,
) -> Result<Option<LoadProfile>, Error> {
    if !matches!(about.shape, Shape::Gauge | Shape::Counter) {
        return Ok(None);
    }
    let rows = read(folder, about.id, now.minus_hours(24 * BACK_DAYS), now.plus_hours(1), TEN)?;
    let loads = rates(about.shape, rows).into_iter().map(|row| (row.time, row.mean));
    Ok(load_profile(&loads.collect::<Vec<_>>(), calendar))
}

/// The limit that a rule or a source of measurements has in the register.
pub fn limit_set(assets: &[Asset], rules: &Rules, about: &About) -> Option<Limit> {
    if let Some(outlook) = rules.outlook(about) {
        return Some(outlook.limit);
    }
    let sources = assets.iter().filter(|row| row.kind == "metric_source");
    let mut of_series = sources.filter(|row| text(row, "target") == Some(about.title().as_str()));
    of_series.find_map(|row| number(row, "limit_value")).map(Limit::AtMost)
}

/// Two databases of one host are told apart by their ports, where the series name one.
fn is_of_port(database: &Asset, host: &str) -> bool {
    let port = host.strip_prefix(bare(host)).and_then(|rest| rest.strip_prefix(':')?.parse().ok());
    port.zip(number(database, "port")).is_none_or(|(said, known): (f64, f64)| said == known)
}

pub(super) fn is_host(asset: &Asset, host: &str) -> bool {
    let known = [Some(asset.name.as_str()), text(asset, "hostname"), text(asset, "address")];
    !host.is_empty() && known.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(host))
}

fn text<'a>(row: &'a Asset, name: &str) -> Option<&'a str> {
    row.attributes.get(name)?.as_str()
}

fn number(row: &Asset, name: &str) -> Option<f64> {
    row.attributes.get(name)?.as_f64()
}

#[cfg(test)]
mod tests {
    use model::Table;

    use super::*;

    #[test]
    fn databases_of_one_host_are_told_apart_by_the_port_where_both_name_one() {
        let mut database = Asset::new(Table::Asset, Id::nil(), "database", "shop");
        assert!(is_of_port(&database, "db1:5433"));
        database.attributes = json!({"port": 5432}).as_object().cloned().unwrap_or_default();
        for (host, fits) in [("db1", true), ("db1:5432", true), ("db1:5433", false), ("::1", true)]
        {
            assert_eq!(is_of_port(&database, host), fits, "{host}");
        }
    }

    #[test]
    fn a_database_is_used_by_its_share_of_connections_before_anything_else() {
        let database = LOADS.iter().skip(2).chain(LOADS.iter().take(2));
        assert_eq!(database.copied().next(), Some(("connections_used_ratio", true)));
    }
}
