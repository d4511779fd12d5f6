//! GAP analysis: what differs between the hours around a finding and the same hours of quiet weeks.
//!
//! Invariants: weeks in which something was wrong, or of which nothing is there, do not stand for normal; what was
//! read is bound by the roots of its segments; a decision says how many weeks it was held against, none included.
//!
//! Limits: [`ROWS_MAX`] events of a window, [`RECORDS_MAX`] records; what waits in the spool (some seconds) is not
//! seen yet, nor what arrived hours late; a change of the register that no record tells of is not seen.

mod decide;
mod tally;
mod weeks;

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use model::{Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use steady::{Context, Facet, GapItem, gap};
use store::{Record, Row, Store};
use stream::{Span, Windowed};

pub use decide::{ANALYSIS, Deciding, decide, working_days};
pub use tally::Coverage;

use crate::{
    findings::{self, Alert, FINDING, HANDLED},
    work::series::{self, About},
};
use tally::{Part, Scope, Tally, time_of};
use weeks::{Trouble, WEEKS};

/// Events of a window that are read.
pub const ROWS_MAX: u64 = 400_000;
const RECORDS_MAX: usize = 20_000;
/// Longest window that is compared.
pub const HOURS_MAX: i64 = 24;
const KEPT_MAX: usize = 16;
/// An analysis of a window that was not over is made anew after so long.
const KEPT_MIN: i64 = 5;

/// Records of all rooms that may explain a difference, with the one fact that tells them apart.
const TOLD: &[(&str, Facet, &str)] = &[
    ("configuration.drift", Facet::Change, "key"),
    ("configuration.change_verified", Facet::Change, ""),
    ("configuration.rebuild", Facet::Change, ""),
    ("configuration.recovery", Facet::Change, ""),
    ("configuration.template_applied", Facet::Change, ""),
    ("monitoring.ruleset_loaded", Facet::Change, ""),
    ("ict_readiness.backup_point", Facet::Backup, ""),
    ("ict_readiness.restore_run", Facet::Backup, ""),
    ("physical_monitoring.alarm", Facet::Door, "rule"),
    ("physical_monitoring.footage_access", Facet::Camera, ""),
    ("physical_monitoring.retrieval_test", Facet::Camera, ""),
];

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum GapError {
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Stream(#[from] stream::Error),
    #[error("the series cannot be read: {0}")]
    Series(String),
    #[error("the comparison was cut off: {0}")]
    Worker(String),
    #[error("another comparison is being made")]
    Busy,
}

/// A host as events name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub id: Id,
    pub name: String,
    names: Vec<String>,
    is_this: bool,
}

impl Host {
    pub fn of(row: &Row) -> Host {
        let own = row.attributes.get("hostname").and_then(Json::as_str).unwrap_or("");
        let mut names = vec![row.name.to_lowercase(), own.to_lowercase()];
        names.retain(|name| !name.is_empty());
        let this = room::host_name().to_lowercase();
        Host { id: row.id, name: row.name.clone(), is_this: names.contains(&this), names }
    }
}

/// What is to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub from: Timestamp,
    pub to: Timestamp,
    /// When it was noticed.
    pub at: Timestamp,
    pub host: Option<Host>,
}

impl Asked {
    /// Two hours before a finding to one after.
    pub fn around(at: Timestamp, host: Option<Host>) -> Asked {
        let (from, to) = steady::Window::around(at.0);
        Asked { from: Timestamp(from), to: Timestamp(to), at, host }
    }

    /// Whether it can be compared: some of it has passed, and it is not longer than a day.
    pub fn is_whole(&self, now: Timestamp) -> bool {
        self.from < self.to
            && self.from < now
            && self.to.0 - self.from.0 <= HOURS_MAX * 3_600_000_000
            && (self.from..=self.to).contains(&self.at)
    }
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub gap: GapItem,
    /// When the newest of its events was, for a look at them.
    pub last: Timestamp,
    /// The record it is of, if it is no event.
    pub record: Option<Id>,
}

/// What came of a comparison.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub from: Timestamp,
    pub to: Timestamp,
    pub at: Timestamp,
    pub host: Option<Id>,
    pub made_at: Timestamp,
    /// Most telling first.
    pub items: Vec<Item>,
    pub incident: Coverage,
    pub weeks: Vec<Coverage>,
    /// Weeks back in which something was wrong, and those of which nothing is there.
    pub troubled: Vec<i64>,
    pub empty: Vec<i64>,
    /// A window held more than is read.
    pub is_cut: bool,
    pub unreadable: usize,
    pub left_out: u64,
    /// Hex roots over the roots of the segments that were read.
    pub incident_root: Option<String>,
    pub steady_root: Option<String>,
}

impl Analysis {
    /// The items in the order in which they began.
    pub fn by_onset(&self) -> Vec<&Item> {
        let mut items: Vec<&Item> = self.items.iter().collect();
        items.sort_by(|a, b| a.gap.onset.cmp(&b.gap.onset).then(b.gap.rank.total_cmp(&a.gap.rank)));
        items
    }
}

/// Analyses that were made, so that a decision is about what was shown.
#[derive(Default)]
pub struct Kept {
    made: Mutex<VecDeque<(Asked, Arc<Analysis>)>>,
    /// One comparison at a time.
    one: Arc<tokio::sync::Mutex<()>>,
}

impl Kept {
    fn find(&self, asked: &Asked, now: Timestamp) -> Option<Arc<Analysis>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |analysis: &Analysis| {
            let was_over = analysis.made_at.0 > asked.to.0 + KEPT_MIN * 60_000_000;
            was_over || now.0 - analysis.made_at.0 < KEPT_MIN * 60_000_000
        };
        let known = made.iter().find(|(known, analysis)| known == asked && is_good(analysis));
        known.map(|(_, analysis)| analysis.clone())
    }

    fn keep(&self, asked: &Asked, analysis: &Arc<Analysis>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(known, _)| known != asked);
        made.push_front((asked.clone(), analysis.clone()));
        made.truncate(KEPT_MAX);
    }
}

/// The comparison that somebody was shown, if it is still there.
pub fn shown(house: &web::House, asked: &Asked, made_at: Timestamp) -> Option<Arc<Analysis>> {
    let kept = house.kept.get::<Kept>();
    let made = kept.made.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it =
        |(known, analysis): &&(Asked, Arc<Analysis>)| known == asked && analysis.made_at == made_at;
    made.iter().find(is_it).map(|(_, analysis)| analysis.clone())
}

/// The comparison, made now or a moment ago. It goes on where nobody waits for it any more, so that asking again
/// finds it.
pub async fn made(house: &web::Shared, asked: &Asked) -> Result<Arc<Analysis>, GapError> {
    let kept = house.kept.get::<Kept>();
    if let Some(known) = kept.find(asked, house.store.now()) {
        return Ok(known);
    }
    let Ok(one) = kept.one.clone().try_lock_owned() else { return Err(GapError::Busy) };
    let (house, asked) = (house.clone(), asked.clone());
    let work = tokio::spawn(async move {
        let _one = one;
        let analysis = Arc::new(analyse(&house.store, &house.archive, &asked).await?);
        kept.keep(&asked, &analysis);
        Ok(analysis)
    });
    work.await.map_err(|e| GapError::Worker(e.to_string()))?
}

/// Compares.
pub async fn analyse(store: &Store, archive: &Path, asked: &Asked) -> Result<Analysis, GapError> {
    let now = store.now();
    let asked = Asked { to: asked.to.min(now), ..asked.clone() };
    let known = Known::load(store, &asked).await?;
    let folders = Folders { archive: archive.join("archive"), series: series::below(archive) };
    let work = move || compare(&folders, &asked, &known, now);
    tokio::task::spawn_blocking(work).await.map_err(|e| GapError::Worker(e.to_string()))?
}

/// Where what is compared is kept.
struct Folders {
    archive: PathBuf,
    series: PathBuf,
}

/// What the tables know of these weeks.
struct Known {
    records: Vec<(Facet, String, Timestamp, Id)>,
    troubles: Vec<Trouble>,
    classes: BTreeMap<String, Facet>,
}

impl Known {
    /// Two statements.
    async fn load(store: &Store, asked: &Asked) -> Result<Known, GapError> {
        let since = weeks::before(asked.from, weeks::BACK_MAX);
        let types: Vec<&str> = TOLD.iter().map(|(ty, ..)| *ty).chain([FINDING, HANDLED]).collect();
        // The newest, should there be more than are looked at.
        let mut all = store.newest_records(&types, None, RECORDS_MAX).await?;
        all.retain(|record| record.observed_to >= since);
        let (found, told): (Vec<Record>, Vec<Record>) =
            all.into_iter().partition(|record| record.ty == FINDING);
        let alerts = findings::joined(found, &told);
        let host = asked.host.as_ref().map(|host| host.id);
        let concerns = |record: &Record| host.is_none() || record.subject == host;
        let troubles = alerts.iter().filter(|a| concerns(&a.record)).filter_map(Trouble::of);
        let troubles = troubles.collect();
        let mut records: Vec<(Facet, String, Timestamp, Id)> = alerts
            .iter()
            .filter(|alert| concerns(&alert.record))
            .map(|alert| {
                (Facet::Finding, name_of(alert), alert.record.observed_to, alert.record.id)
            })
            .collect();
        records.extend(told.iter().filter_map(|record| told_of(record, host)));
        let sources = store.all(Table::Asset, &["log_source"]).await?;
        let classes = sources.iter().filter_map(|row| Some((row.name.clone(), class_of(row)?)));
        Ok(Known { records, troubles, classes: classes.collect() })
    }
}

/// The name of a finding in both languages.
pub fn name_of(alert: &Alert) -> String {
    let (ja, en) = (alert.fact("title_ja"), alert.fact("title_en"));
    if ja.is_empty() || ja == en { en.to_owned() } else { format!("{ja} / {en}") }
}

/// Doors and cameras concern every host of a site, what was changed or saved only its own.
fn told_of(record: &Record, host: Option<Id>) -> Option<(Facet, String, Timestamp, Id)> {
    let (_, facet, detail) = TOLD.iter().find(|(ty, ..)| *ty == record.ty)?;
    let is_own = matches!(facet, Facet::Change | Facet::Backup);
    if is_own && host.is_some() && record.subject.is_some() && record.subject != host {
        return None;
    }
    let detail = record.facts.get(*detail).and_then(Json::as_str).unwrap_or("");
    let key = format!("{} {detail}", record.ty);
    Some((*facet, key.trim_end().to_owned(), record.observed_to, record.id))
}

fn class_of(row: &Row) -> Option<Facet> {
    match row.attributes.get("source_class")?.as_str()? {
        "camera" => Some(Facet::Camera),
        "backup" => Some(Facet::Backup),
        "change" => Some(Facet::Change),
        _ => None,
    }
}

/// Series are compared by the minute.
const SERIES_STEP_US: i64 = 60 * 1_000_000;

/// Reads the windows and compares them.
fn compare(
    folders: &Folders,
    asked: &Asked,
    known: &Known,
    now: Timestamp,
) -> Result<Analysis, GapError> {
    let mut tally = Tally::new(Scope {
        host: asked.host.as_ref().map(|host| host.names.clone()),
        is_this: asked.host.as_ref().is_some_and(|host| host.is_this),
        classes: known.classes.clone(),
    });
    let (quiet, troubled) = weeks::quiet(asked.from, asked.to, &known.troubles);
    let kept = series::list(&folders.series).map_err(|e| GapError::Series(e.to_string()))?;
    let mut reads = Reads { series: kept, ..Reads::default() };
    reads.series.retain(|about| tally.scope().holds(&about.source, series::bare(&about.host)));
    let (mut there, mut empty, mut steady) = (Vec::new(), Vec::new(), Vec::new());
    for week in quiet {
        if there.len() == WEEKS {
            break;
        }
        let (from, to) = (weeks::before(asked.from, week), weeks::before(asked.to, week));
        let part = Part::Week(there.len());
        let (coverage, segments) = read(folders, &mut tally, part, (from, to), known, &mut reads)?;
        // Where nothing was collected nothing was normal either.
        match coverage.events + coverage.values {
            0 => empty.push(week),
            _ => {
                there.push(coverage);
                steady.extend(segments);
            }
        }
    }
    let span = (asked.from, asked.to);
    let (incident, segments) = read(folders, &mut tally, Part::Incident, span, known, &mut reads)?;
    let (now_window, baseline) = tally.windows(asked.from, asked.to);
    let context = Context { weeks: there.len(), ..Context::new(asked.at.0) };
    let differ = if there.is_empty() { Vec::new() } else { gap(&now_window, &baseline, &context) };
    let item = |gap: GapItem| Item {
        last: gap.events.iter().map(|e| time_of(*e)).max().unwrap_or(Timestamp(gap.onset)),
        record: gap.events.first().and_then(|event| tally.record_of(*event)),
        gap,
    };
    Ok(Analysis {
        from: asked.from,
        to: asked.to,
        at: asked.at,
        host: asked.host.as_ref().map(|host| host.id),
        made_at: now,
        items: differ.into_iter().map(item).collect(),
        incident,
        weeks: there,
        troubled,
        empty,
        is_cut: reads.is_cut,
        unreadable: reads.unreadable,
        left_out: tally.left_out,
        incident_root: root(&segments),
        steady_root: root(&steady),
    })
}

#[derive(Default)]
struct Reads {
    series: Vec<About>,
    is_cut: bool,
    unreadable: usize,
}

/// Counts one window. Records alone are no coverage, so a week without events takes none in.
fn read(
    folders: &Folders,
    tally: &mut Tally,
    part: Part,
    (from, to): (Timestamp, Timestamp),
    known: &Known,
    reads: &mut Reads,
) -> Result<(Coverage, Vec<[u8; 32]>), GapError> {
    let mut counting = tally.begin(part, from, to);
    let ids = reads.series.iter().map(|about| about.id).collect();
    let rows = series::read_many(&folders.series, &ids, from, to, SERIES_STEP_US);
    let mut rows = rows.map_err(|e| GapError::Series(e.to_string()))?;
    for about in &reads.series {
        if let Some(rows) = rows.remove(&about.id) {
            counting.series(about, rows);
        }
    }
    let span = Span { from, to, rows_max: ROWS_MAX };
    let read: Windowed =
        stream::window(&folders.archive, &span, &mut |event| counting.event(event))?;
    reads.is_cut |= read.is_cut;
    reads.unreadable += read.unreadable.len();
    let coverage = counting.coverage();
    if coverage.events + coverage.values > 0 || part == Part::Incident {
        let within = known.records.iter().filter(|(_, _, at, _)| *at >= from && *at < to);
        within.for_each(|(facet, key, at, id)| counting.record(*facet, key, *at, *id));
    }
    Ok((coverage, read.segments.iter().map(|segment| segment.row_root).collect()))
}

/// One root over the roots of segments.
fn root(segments: &[[u8; 32]]) -> Option<String> {
    let leaves: Vec<merkle::Hash> = segments.iter().map(|root| merkle::leaf_hash(root)).collect();
    (!leaves.is_empty()).then(|| hex::encode(merkle::root_of(&leaves)))
}

/// An analysis for programs: what differs in order of rank, and how much was there to compare.
pub fn document(analysis: &Analysis) -> Json {
    let coverage = |c: &Coverage| {
        json!({
            "from": Timestamp(c.from).rfc3339(),
            "to": Timestamp(c.to).rfc3339(),
            "events": c.events,
            "values": c.values,
            "sources": c.sources,
            "parts": c.slots,
            "parts_heard": c.heard,
        })
    };
    let item = |item: &Item| {
        json!({
            "facet": item.gap.facet,
            "key": item.gap.key,
            "observed": item.gap.observed,
            "expected": item.gap.expected,
            "effect": item.gap.effect,
            "rank": item.gap.rank,
            "onset": Timestamp(item.gap.onset).rfc3339(),
            "last": item.last.rfc3339(),
            "record": item.record,
            "also": item.gap.also,
        })
    };
    json!({
        "from": analysis.from.rfc3339(),
        "to": analysis.to.rfc3339(),
        "at": analysis.at.rfc3339(),
        "host": analysis.host,
        "made_at": analysis.made_at.rfc3339(),
        "items": analysis.items.iter().map(item).collect::<Vec<_>>(),
        "incident": coverage(&analysis.incident),
        "weeks": analysis.weeks.iter().map(coverage).collect::<Vec<_>>(),
        "weeks_in_trouble": analysis.troubled,
        "weeks_without_data": analysis.empty,
        "is_cut": analysis.is_cut,
        "unreadable": analysis.unreadable,
        "left_out": analysis.left_out,
        "incident_root": analysis.incident_root,
        "steady_root": analysis.steady_root,
    })
}
