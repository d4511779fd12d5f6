//! What differs between an incident and the same hours of weeks without one: metrics by robust effect and onset,
//! everything that can be counted by log-odds with a prior, ranked by evidence × earliness.
//!
//! The odds of a key in the incident are held against its odds in the baseline, both with a prior so that a single
//! event proves nothing (after Monroe, Colaresi and Quinn 2008); the evidence is the signed root of their
//! likelihood ratio (Dunning 1993), which also holds where a key was never seen before, bounded by how much the
//! weeks of the baseline differ among themselves. What chance alone would bring among so many keys is not listed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    profile::{MEDIAN_TO_SIGMA, median},
    time::{HOUR, Micros},
};

/// The id of an event, as in the archive.
pub type EventRef = u128;

/// References that an item keeps.
pub const EVENTS_MAX: usize = 20;

/// Metrics and keys that are compared, the first of each window; aggregate before there are more.
pub const COMPARED_MAX: usize = 200_000;

/// Evidence beyond this is all the same.
const EVIDENCE_MAX: f64 = 20.0;
const EVIDENCE_MIN: f64 = 3.0;

/// A metric has begun to differ where it lies so far off, and most of the next do too.
const ONSET: f64 = 4.0;
const ONSET_OF: usize = 3;

/// Values that a metric must have in the baseline.
const BASELINE_MIN: usize = 12;

/// Weight of the prior, in events of a facet and of a key.
const PRIOR: f64 = 10.0;
const PRIOR_KEY: f64 = 0.5;

/// Least variance of the logarithm, from week to week, of what is an amount and no count.
const AMOUNT_SPREAD: f64 = 0.05;

/// Metrics that move like this are one.
const ALIKE: f64 = 0.95;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    Metric,
    Template,
    User,
    Process,
    Destination,
    Port,
    Volume,
    Connections,
    Finding,
    Change,
    Backup,
    Door,
    Camera,
}

impl Facet {
    /// Of these each single one says something if there is none in the baseline.
    fn is_rare(self) -> bool {
        matches!(self, Facet::Finding | Facet::Change | Facet::Backup | Facet::Door | Facet::Camera)
    }

    /// Amounts consist of many units per event, so their units are no evidence each.
    fn least_spread(self) -> f64 {
        if matches!(self, Facet::Volume | Facet::Connections) { AMOUNT_SPREAD } else { 0.0 }
    }
}

/// A metric's values in the window, in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricPart {
    pub name: String,
    pub values: Vec<(Micros, f64)>,
    pub events: Vec<EventRef>,
}

/// How often a key came in each week of the window, and how much it carried (bytes, connections).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountPart {
    pub facet: Facet,
    pub key: String,
    /// One number per week; an incident has one
    pub counts: Vec<f64>,
    /// When it came first and last
    pub first: Micros,
    pub last: Micros,
    pub events: Vec<EventRef>,
}

/// Pre-aggregates of a span: of the incident, or of the same hours of earlier weeks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub from: Micros,
    pub until: Micros,
    pub metrics: Vec<MetricPart>,
    pub counts: Vec<CountPart>,
}

impl Window {
    /// Two hours before an incident to one after.
    pub fn around(at: Micros) -> (Micros, Micros) {
        (at.saturating_sub(2 * HOUR), at.saturating_add(HOUR))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Context {
    /// When the incident was noticed
    pub at: Micros,
    /// Weeks that the baseline holds
    pub weeks: usize,
    /// Items to list
    pub items: usize,
}

impl Context {
    pub fn new(at: Micros) -> Context {
        Context { at, weeks: 4, items: 30 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapItem {
    pub facet: Facet,
    pub key: String,
    pub observed: f64,
    /// Per week of the baseline
    pub expected: f64,
    /// In standard deviations, signed: more or less than expected
    pub effect: f64,
    pub onset: Micros,
    /// Evidence × earliness
    pub rank: f64,
    pub events: Vec<EventRef>,
    /// What came with it: the same events, or a metric that moves alike
    pub also: Vec<(Facet, String)>,
}

/// What differs, most telling first.
pub fn gap(incident: &Window, baseline: &Window, context: &Context) -> Vec<GapItem> {
    let floor = floor(incident, baseline);
    let mut items = metrics(incident, baseline);
    items.extend(counts(incident, baseline, context, floor));
    items.retain(|item| item.effect.abs() >= floor);
    for item in &mut items {
        let evidence = item.effect.abs().min(EVIDENCE_MAX);
        item.rank = evidence * earliness(item.onset, incident, context);
    }
    items.sort_by(|a, b| {
        let key = |i: &GapItem| (i.facet, i.key.clone());
        b.rank.total_cmp(&a.rank).then_with(|| key(a).cmp(&key(b)))
    });
    let mut items = merged(items, incident);
    items.truncate(context.items);
    items
}

/// The largest of so many normal deviations by chance, and never less than three.
fn floor(incident: &Window, baseline: &Window) -> f64 {
    let keys = |w: &Window| w.metrics.len().max(1) + w.counts.len();
    let compared = keys(incident).max(keys(baseline)).min(COMPARED_MAX) as f64;
    EVIDENCE_MIN.max((2.0 * compared.ln()).sqrt() + 0.5)
}

/// 1 at the beginning of the window, a half when the incident was noticed, a quarter at the end.
fn earliness(onset: Micros, window: &Window, context: &Context) -> f64 {
    let share = |from: Micros, to: Micros| {
        let (part, whole) = (onset.saturating_sub(from) as f64, to.saturating_sub(from) as f64);
        if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 1.0 }
    };
    if onset <= context.at {
        1.0 - 0.5 * share(window.from, context.at)
    } else {
        0.5 - 0.25 * share(context.at, window.until)
    }
}

fn metrics(incident: &Window, baseline: &Window) -> Vec<GapItem> {
    let before: BTreeMap<&str, &MetricPart> =
        baseline.metrics.iter().map(|m| (m.name.as_str(), m)).collect();
    let parts = incident.metrics.iter().take(COMPARED_MAX);
    parts.filter_map(|part| metric(part, before.get(part.name.as_str())?)).collect()
}

fn metric(part: &MetricPart, baseline: &MetricPart) -> Option<GapItem> {
    let (centre, scale) = centre_and_scale(&baseline.values)?;
    let values = sorted(&part.values);
    let away: Vec<f64> = values.iter().map(|(_, v)| (v - centre) / scale).collect();
    let onset = onset(&away)?;
    let mut rest: Vec<f32> = away[onset..].iter().map(|v| *v as f32).collect();
    let mut values_after: Vec<f32> = values[onset..].iter().map(|(_, v)| *v as f32).collect();
    let effect = f64::from(median(&mut rest));
    Some(GapItem {
        facet: Facet::Metric,
        key: part.name.clone(),
        observed: f64::from(median(&mut values_after)),
        expected: centre,
        effect: effect.clamp(-1e6, 1e6),
        onset: values[onset].0,
        rank: 0.0,
        events: kept(&part.events),
        also: Vec::new(),
    })
}

/// Where values leave the normal and do not return at once.
fn onset(away: &[f64]) -> Option<usize> {
    let off = |v: &f64| v.abs() >= ONSET;
    (0..away.len()).find(|n| {
        let next = &away[*n..(n + ONSET_OF).min(away.len())];
        off(&away[*n]) && 2 * next.iter().filter(|v| off(v)).count() > next.len()
    })
}

fn centre_and_scale(values: &[(Micros, f64)]) -> Option<(f64, f64)> {
    let mut finite: Vec<f32> =
        values.iter().map(|(_, v)| *v as f32).filter(|v| v.is_finite()).collect();
    if finite.len() < BASELINE_MIN {
        return None;
    }
    let centre = median(&mut finite);
    let mean = finite.iter().map(|v| f64::from((v - centre).abs())).sum::<f64>();
    let mean = mean / finite.len() as f64;
    finite.iter_mut().for_each(|v| *v = (*v - centre).abs());
    let scatter = f64::from(median(&mut finite) * MEDIAN_TO_SIGMA);
    let centre = f64::from(centre);
    Some((centre, scatter.max(0.5 * mean).max(1e-3 * centre.abs()).max(1e-12)))
}

fn sorted(values: &[(Micros, f64)]) -> Vec<(Micros, f64)> {
    let finite = values.iter().filter(|(_, v)| (*v as f32).is_finite());
    let mut values: Vec<(Micros, f64)> = finite.copied().collect();
    values.sort_by_key(|(time, _)| *time);
    values
}

type Keyed<'a> = BTreeMap<(Facet, &'a str), &'a CountPart>;

fn counts(incident: &Window, baseline: &Window, context: &Context, floor: f64) -> Vec<GapItem> {
    fn keyed(window: &Window) -> Keyed<'_> {
        let parts = window.counts.iter().take(COMPARED_MAX);
        parts.map(|c| ((c.facet, c.key.as_str()), c)).collect()
    }
    let (now, before) = (keyed(incident), keyed(baseline));
    let keys: BTreeSet<(Facet, &str)> = now.keys().chain(before.keys()).copied().collect();
    let totals = |of: &Keyed| {
        let mut totals: BTreeMap<Facet, f64> = BTreeMap::new();
        for ((facet, _), part) in of {
            *totals.entry(*facet).or_default() += total(part);
        }
        totals
    };
    let facets = Facets { now: totals(&now), before: totals(&before), weeks: context.weeks.max(1) };
    keys.into_iter()
        .filter_map(|key| count(key, now.get(&key), before.get(&key), &facets, incident, floor))
        .collect()
}

struct Facets {
    now: BTreeMap<Facet, f64>,
    before: BTreeMap<Facet, f64>,
    weeks: usize,
}

fn total(part: &CountPart) -> f64 {
    part.counts.iter().filter(|n| **n > 0.0).map(|n| n.min(1e18)).sum()
}

fn count(
    (facet, key): (Facet, &str),
    now: Option<&&CountPart>,
    before: Option<&&CountPart>,
    facets: &Facets,
    incident: &Window,
    floor: f64,
) -> Option<GapItem> {
    let (y, x) = (now.map_or(0.0, |p| total(p)), before.map_or(0.0, |p| total(p)));
    let weeks = facets.weeks as f64;
    let sum = |of: &BTreeMap<Facet, f64>| of.get(&facet).copied().unwrap_or(0.0);
    let (all_y, all_x) = (sum(&facets.now), sum(&facets.before));
    let expected = x / weeks;
    // Volumes and the like carry many units per event: their weeks say how much they scatter.
    let spread = spread(before, facets.weeks).max(facet.least_spread());
    let effect = evidence(y, x, all_y, all_x, weeks, spread);
    let single = facet.is_rare() && y > 0.0 && x == 0.0;
    let effect = if single { effect.max(floor) } else { effect };
    let span = incident.until.saturating_sub(incident.from);
    let onset = match now.filter(|_| y > 0.0) {
        Some(part) if effect >= 0.0 => part.first,
        // What has become rarer differs from when it came last, or from when it should have come.
        Some(part) => part.last,
        None => incident.from.saturating_add((span as f64 / (expected + 1.0)) as Micros),
    };
    let onset = onset.min(incident.until).max(incident.from);
    let events = now.or(before).map(|p| kept(&p.events)).unwrap_or_default();
    let (key, also) = (key.to_owned(), Vec::new());
    Some(GapItem { facet, key, observed: y, expected, effect, onset, rank: 0.0, events, also })
}

/// How far the odds of both windows lie apart, in standard deviations. `x` and `all_x` are sums over the weeks.
fn evidence(y: f64, x: f64, all_y: f64, all_x: f64, weeks: f64, spread: f64) -> f64 {
    let (rest_y, rest_x) = ((all_y - y).max(0.0), (all_x - x).max(0.0));
    let by_time = root_of_ratio(y, x, weeks);
    let by_rest = root_of_ratio(y, x, (rest_x + PRIOR * weeks) / (rest_y + PRIOR));
    // Both must say it: a key is not rarer because another floods its facet.
    if by_time.signum() != by_rest.signum() {
        return 0.0;
    }
    let evidence = by_time.abs().min(by_rest.abs());
    let apart = ((y + PRIOR_KEY) / (x / weeks + PRIOR_KEY)).ln().abs();
    let bound = if spread > 0.0 { apart / spread.sqrt() } else { f64::INFINITY };
    by_time.signum() * evidence.min(bound)
}

/// Signed root of the likelihood ratio of two Poisson counts, the second over `times` as much.
fn root_of_ratio(y: f64, x: f64, times: f64) -> f64 {
    let (y, x) = (y + PRIOR_KEY, x + PRIOR_KEY * times);
    let (due_y, due_x) = ((y + x) / (1.0 + times), (y + x) * times / (1.0 + times));
    let ratio = 2.0 * (y * (y / due_y).ln() + x * (x / due_x).ln());
    if ratio.is_finite() { ratio.max(0.0).sqrt() * (y - due_y).signum() } else { 0.0 }
}

/// Variance of the logarithm from week to week, beyond that of counts.
fn spread(before: Option<&&CountPart>, weeks: usize) -> f64 {
    let Some(part) = before else { return 0.0 };
    let counts = || (0..weeks).map(|n| part.counts.get(n).copied().unwrap_or(0.0).max(0.0));
    let mean = counts().sum::<f64>() / weeks as f64;
    if weeks < 2 || mean <= 0.0 || !mean.is_finite() {
        return 0.0;
    }
    let variance = counts().map(|n| (n - mean).powi(2)).sum::<f64>() / (weeks - 1) as f64;
    ((variance - mean) / (mean * mean)).clamp(0.0, 4.0)
}

/// Joins what is the same matter into the item that ranks highest.
fn merged(items: Vec<GapItem>, incident: &Window) -> Vec<GapItem> {
    let values: BTreeMap<&str, &MetricPart> =
        incident.metrics.iter().map(|m| (m.name.as_str(), m)).collect();
    let mut kept: Vec<GapItem> = Vec::new();
    for item in items {
        match kept.iter_mut().find(|head| is_same(head, &item, &values)) {
            Some(head) => head.also.push((item.facet, item.key)),
            None => kept.push(item),
        }
    }
    kept
}

fn is_same(a: &GapItem, b: &GapItem, values: &BTreeMap<&str, &MetricPart>) -> bool {
    if a.effect.signum() != b.effect.signum() {
        return false;
    }
    if a.facet == Facet::Metric && b.facet == Facet::Metric {
        let both = (values.get(a.key.as_str()), values.get(b.key.as_str()));
        return matches!(both, (Some(a), Some(b)) if correlation(&a.values, &b.values) >= ALIKE);
    }
    let fewer = a.events.len().min(b.events.len());
    let shared = a.events.iter().filter(|e| b.events.contains(e)).count();
    fewer > 0 && 2 * shared > fewer
}

fn correlation(a: &[(Micros, f64)], b: &[(Micros, f64)]) -> f64 {
    let other: BTreeMap<Micros, f64> = b.iter().copied().collect();
    let pairs: Vec<(f64, f64)> = a.iter().filter_map(|(t, v)| Some((*v, *other.get(t)?))).collect();
    let n = pairs.len() as f64;
    if pairs.len() < BASELINE_MIN {
        return 0.0;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in &pairs {
        xx += (a - x).powi(2);
        yy += (b - y).powi(2);
        xy += (a - x) * (b - y);
    }
    if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

fn kept(events: &[EventRef]) -> Vec<EventRef> {
    events.iter().copied().take(EVENTS_MAX).collect()
}
