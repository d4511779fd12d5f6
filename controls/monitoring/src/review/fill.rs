//! Fills the cells of a review by what is known of its hours.
//!
//! Invariant: where something could be found and was not, the cell names what looked; where nothing looks it says so.
//!
//! Limits: [`LOOKED_AT_MAX`] records, [`HITS_MAX`] of an item are listed, all are counted.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Lang, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store};
use stream::Span;

use super::{PANELS, Panel, due::Pending};
use crate::{
    findings::{self, Alert, FINDING},
    gap::{GapError, name_of},
    work::live::Shown,
};

const LOOKED_AT_MAX: usize = 20_000;
/// Events of the hours around an incident that are read.
const EVENTS_MAX: u64 = 200_000;
pub const HITS_MAX: usize = 5;
/// A record of its type within so many days says that there is a source.
const SOURCE_DAYS: i64 = 90;
/// A status older than this says nothing of now.
const HEARD_H: i64 = 24;
/// Hours before an incident and after it of which events are read.
const AROUND_H: (i64, i64) = (2, 1);

/// What a cell can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Found,
    Nothing,
    NoSource,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Found => "found",
            State::Nothing => "nothing",
            State::NoSource => "no_source",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Type of the record, or none for a finding, whose title it is.
    pub ty: Option<String>,
    pub title: String,
    pub at: Timestamp,
    pub id: Id,
}

/// What was found for one item of a cell.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub count: usize,
    pub hits: Vec<Hit>,
    /// Events of its programs around the incident, and the words that find them.
    pub events: u64,
    pub query: String,
}

/// A cell with what was found.
#[derive(Clone, Debug)]
pub struct Filled {
    pub panel: &'static Panel,
    pub items: Vec<Found>,
    pub state: State,
    /// What feeds it.
    pub sources: Vec<String>,
}

impl Filled {
    /// As it is kept with what was signed.
    pub fn document(&self) -> Json {
        let item = |(item, found): (&super::panels::Item, &Found)| {
            json!({
                "what": item.text(Lang::En),
                "count": found.count,
                "events": found.events,
                "hits": found.hits.iter().map(|hit| hit.id).collect::<Vec<_>>(),
            })
        };
        json!({
            "row": self.panel.row,
            "purpose": self.panel.purpose.name(),
            "state": self.state.name(),
            "sources": self.sources,
            "items": self.panel.items.iter().zip(&self.items).map(item).collect::<Vec<_>>(),
        })
    }
}

/// Fills the cells of a review: four statements, and for an investigation the events around it.
pub async fn fill(
    store: &Store,
    archive: &std::path::Path,
    shown: &Shown,
    pending: &Pending,
) -> Result<Vec<Filled>, GapError> {
    let now = store.now();
    let panels: Vec<&'static Panel> =
        PANELS.iter().filter(|panel| panel.purpose == pending.purpose).collect();
    let known = Known::load(store, shown, &panels, pending, now).await?;
    let around = match &pending.incident {
        Some(incident) => around(archive, &panels, incident, known.host.as_deref()).await?,
        None => BTreeMap::new(),
    };
    Ok(panels.into_iter().map(|panel| known.filled(panel, &around)).collect())
}

struct Known {
    from: Timestamp,
    alerts: Vec<Alert>,
    records: Vec<Record>,
    sources: Vec<Row>,
    /// Classes of which something was received lately.
    heard: BTreeSet<String>,
    /// File of each rule.
    files: BTreeMap<String, String>,
    /// The host that an incident concerns.
    subject: Option<Id>,
    host: Option<String>,
}

impl Known {
    async fn load(
        store: &Store,
        shown: &Shown,
        panels: &[&Panel],
        pending: &Pending,
        now: Timestamp,
    ) -> Result<Known, GapError> {
        let (from, _) = pending.window(now);
        let named = panels.iter().flat_map(|p| &p.items).flat_map(|i| &i.records);
        let mut types: BTreeSet<&str> = named.map(String::as_str).collect();
        types.insert(FINDING);
        let types: Vec<&str> = types.into_iter().collect();
        let since = now.minus_hours(24 * SOURCE_DAYS).min(from);
        // The newest, should there be more than are looked at.
        let mut records = store.newest_records(&types, None, LOOKED_AT_MAX).await?;
        records.retain(|record| record.observed_to >= since);
        let (found, records): (Vec<Record>, Vec<Record>) =
            records.into_iter().partition(|record| record.ty == FINDING);
        let subject = pending.incident.as_ref().and_then(|incident| incident.subject);
        let host = match subject {
            Some(id) => store.rows_by_id(Table::Asset, &[id]).await?.pop(),
            None => None,
        };
        let host = host.map(|row| {
            let named = row.attributes.get("hostname").and_then(Json::as_str);
            named.unwrap_or(&row.name).to_lowercase()
        });
        // A class is heard while its newest status is fresh and not silent.
        let statuses = store.latest_per_subject(&["monitoring.source_status"]).await?;
        let heard = statuses
            .iter()
            .filter(|r| now.hours_since(r.observed_to) < HEARD_H)
            .filter(|r| r.facts.get("silent") == Some(&Json::Bool(false)))
            .filter_map(|r| Some(r.facts.get("source_class")?.as_str()?.to_owned()))
            .collect();
        Ok(Known {
            from,
            // What somebody made of them is on their own pages.
            alerts: findings::joined(found, &[]),
            records,
            sources: store.all(Table::Asset, &["log_source", "metric_source"]).await?,
            heard,
            files: files(shown),
            subject,
            host,
        })
    }

    fn filled(&self, panel: &'static Panel, around: &BTreeMap<String, u64>) -> Filled {
        let items: Vec<Found> = panel.items.iter().map(|item| self.found(item, around)).collect();
        let sources = self.sources_of(panel);
        let state = match items.iter().any(|found| found.count > 0 || found.events > 0) {
            true => State::Found,
            false if sources.is_empty() => State::NoSource,
            false => State::Nothing,
        };
        Filled { panel, items, state, sources }
    }

    fn found(&self, item: &super::panels::Item, around: &BTreeMap<String, u64>) -> Found {
        let mut found = Found::default();
        let in_time = |at: Timestamp| at >= self.from;
        for alert in self.alerts.iter().filter(|a| in_time(a.record.observed_to)) {
            if self.concerns(&alert.record) && self.is_met(item, alert) {
                found.add(None, name_of(alert), &alert.record);
            }
        }
        for record in self.records.iter().filter(|r| in_time(r.observed_to)) {
            if item.records.contains(&record.ty) && fits_series(item, record) {
                let resource = record.facts.get("resource").and_then(Json::as_str).unwrap_or("");
                found.add(Some(record.ty.clone()), resource.to_owned(), record);
            }
        }
        for app in &item.apps {
            let Some(n) = around.get(app).filter(|n| **n > 0) else { continue };
            found.events += n;
            if found.query.is_empty() {
                found.query = format!("app:{app}");
            }
        }
        found
    }

    /// Of an incident on a host only what is about that host, or about none.
    fn concerns(&self, record: &Record) -> bool {
        self.subject.is_none() || record.subject.is_none() || record.subject == self.subject
    }

    fn is_met(&self, item: &super::panels::Item, alert: &Alert) -> bool {
        let file = self.files.get(alert.fact("rule")).map_or("", String::as_str);
        let title = name_of(alert).to_lowercase();
        let holds =
            |words: &[String]| words.iter().any(|word| title.contains(&word.to_lowercase()));
        item.rules.iter().any(|rule| !file.is_empty() && file.starts_with(rule.as_str()))
            || holds(&item.words)
            || (alert.fact("class") == "anomaly" && holds(&item.series))
    }

    fn sources_of(&self, panel: &Panel) -> Vec<String> {
        let class = |row: &Row| {
            row.attributes.get("source_class").and_then(Json::as_str).unwrap_or("").to_owned()
        };
        let mut names: BTreeSet<String> = self
            .sources
            .iter()
            .filter(|row| row.status == "active" && panel.classes.contains(&class(row)))
            .map(|row| row.name.clone())
            .collect();
        names.extend(panel.classes.iter().filter(|c| self.heard.contains(*c)).cloned());
        let named: BTreeSet<&String> = panel.items.iter().flat_map(|item| &item.records).collect();
        let told = self.records.iter().filter(|r| named.contains(&r.ty));
        names.extend(told.map(|record| record.ty.clone()));
        names.into_iter().collect()
    }
}

impl Found {
    fn add(&mut self, ty: Option<String>, title: String, record: &Record) {
        self.count += 1;
        if self.hits.len() < HITS_MAX {
            self.hits.push(Hit { ty, title, at: record.observed_to, id: record.id });
        }
    }
}

/// A forecast is of the item only if its resource is; other records are by their type.
fn fits_series(item: &super::panels::Item, record: &Record) -> bool {
    let Some(resource) = record.facts.get("resource").and_then(Json::as_str) else { return true };
    let resource = resource.to_lowercase();
    item.series.is_empty() || item.series.iter().any(|word| resource.contains(word.as_str()))
}

/// File of each shipped rule, without its folder, by the rule's id.
fn files(shown: &Shown) -> BTreeMap<String, String> {
    let Some(loaded) = &shown.loaded else { return BTreeMap::new() };
    let rules = loaded.set.rules().iter().map(|rule| &rule.meta);
    let all = rules.chain(loaded.set.correlations().iter().map(|c| &c.meta));
    let name = |file: &str| file.rsplit('/').next().unwrap_or(file).to_owned();
    all.filter_map(|meta| Some((meta.id.clone()?, name(&meta.file)))).collect()
}

/// Counts events of the programs that the cells name, in the hours around an incident.
async fn around(
    archive: &std::path::Path,
    panels: &[&'static Panel],
    incident: &Record,
    host: Option<&str>,
) -> Result<BTreeMap<String, u64>, GapError> {
    let apps: BTreeSet<&'static str> =
        panels.iter().flat_map(|p| &p.items).flat_map(|i| &i.apps).map(String::as_str).collect();
    let (before, after) = AROUND_H;
    let span = Span {
        from: incident.observed_from.minus_hours(before),
        to: incident.observed_from.plus_hours(after),
        rows_max: EVENTS_MAX,
    };
    let (folder, host) = (archive.join("archive"), host.map(str::to_owned));
    let work = move || {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let read = stream::window(&folder, &span, &mut |event| {
            let name = event.host.to_lowercase();
            let is_of = |host: &String| {
                name.is_empty() || name == *host || name.starts_with(&format!("{host}."))
            };
            if host.as_ref().is_none_or(is_of)
                && let Some(app) = apps.iter().find(|app| event.app.starts_with(**app))
            {
                *counts.entry((*app).to_owned()).or_default() += 1;
            }
        });
        read.map(|_| counts)
    };
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|e| GapError::Worker(e.to_string()))??)
}
