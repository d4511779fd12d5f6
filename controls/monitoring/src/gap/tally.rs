//! Counts the events and records of two windows into what the engine compares: pure.
//!
//! Invariants: templates of both windows come from one set, so a line has the same template in each; every event
//! has one reference, whatever it is counted under; what did not fit is counted.
//!
//! Limits: [`KEYS_MAX`] keys of a window, [`METRICS_MAX`] metrics with [`VALUES_MAX`] values each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{Id, Timestamp};
use rustc_hash::FxHashMap;
use steady::{
    CountPart, EVENTS_MAX, EventRef, Facet, MetricPart, TemplateId, TemplateLimits, Templates,
    Window,
};
use stream::Glimpse;

use crate::work::series::{self, About, Row};

const KEYS_MAX: usize = 50_000;
const METRICS_MAX: usize = 2_000;
const VALUES_MAX: usize = 4_000;
const KEY_CHARS_MAX: usize = 300;
/// Coverage is told in parts of so many minutes.
const SLOT_US: i64 = 10 * 60 * 1_000_000;
const SOURCES_MAX: usize = 1_000;
/// OCSF class of connections.
const NETWORK: u32 = 4001;

/// Where an event of the window stands, and who counts as its host.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Names of the host, in small letters; none for all hosts.
    pub host: Option<Vec<String>>,
    /// Events without a host are of this host.
    pub is_this: bool,
    /// Sources whose lines are of cameras, backups or changes, by name.
    pub classes: BTreeMap<String, Facet>,
}

impl Scope {
    /// Whether what comes from this source and names this host is compared.
    pub fn holds(&self, source: &str, host: &str) -> bool {
        let Some(names) = &self.host else { return true };
        let host = host.to_lowercase();
        let short = host.split('.').next().unwrap_or("");
        match host.as_str() {
            "" => self.is_this && !source.contains('/'),
            _ => names.iter().any(|name| *name == host || name == short),
        }
    }
}

/// How much of a window is there at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub from: i64,
    pub to: i64,
    pub events: u64,
    /// Values of series that are kept.
    pub values: u64,
    /// Parts of ten minutes, and those in which something came.
    pub slots: usize,
    pub heard: usize,
    pub sources: usize,
}

#[derive(Clone, Copy, Debug)]
enum Key<'a> {
    Template(TemplateId),
    Text(&'a str),
}

#[derive(Default)]
struct Keys {
    templates: FxHashMap<TemplateId, CountPart>,
    texts: FxHashMap<String, CountPart>,
}

#[derive(Default)]
struct Half {
    counts: BTreeMap<Facet, Keys>,
    /// Keys of all facets.
    len: usize,
    metrics: BTreeMap<String, MetricPart>,
}

/// Counts of both windows.
pub struct Tally {
    scope: Scope,
    templates: Templates,
    incident: Half,
    baseline: Half,
    refs: u64,
    /// Names of series that are kept: the events they came of are not counted a second time.
    kept: HashSet<String>,
    /// Records by their reference.
    records: HashMap<EventRef, Id>,
    /// Counts and values that found no room.
    pub left_out: u64,
}

/// Which window is being counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Incident,
    /// Week of the baseline, from 0.
    Week(usize),
}

/// One window while its events come.
pub struct Counting<'t> {
    tally: &'t mut Tally,
    part: Part,
    span: (Timestamp, Timestamp),
    heard: BTreeSet<i64>,
    sources: BTreeSet<String>,
    events: u64,
    values: u64,
}

impl Tally {
    pub fn new(scope: Scope) -> Tally {
        Tally {
            scope,
            templates: Templates::new(TemplateLimits::default()),
            incident: Half::default(),
            baseline: Half::default(),
            refs: 0,
            kept: HashSet::new(),
            records: HashMap::new(),
            left_out: 0,
        }
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub fn begin(&mut self, part: Part, from: Timestamp, to: Timestamp) -> Counting<'_> {
        let (heard, sources) = Default::default();
        Counting { tally: self, part, span: (from, to), heard, sources, events: 0, values: 0 }
    }

    /// The record that a reference is of.
    pub fn record_of(&self, event: EventRef) -> Option<Id> {
        self.records.get(&event).copied()
    }

    /// The windows as the engine takes them.
    pub fn windows(&mut self, from: Timestamp, to: Timestamp) -> (Window, Window) {
        let halves = [std::mem::take(&mut self.incident), std::mem::take(&mut self.baseline)];
        let [incident, baseline] = halves.map(|half| self.window(half, from, to));
        (incident, baseline)
    }

    fn window(&self, half: Half, from: Timestamp, to: Timestamp) -> Window {
        let text = |id| {
            let text = self.templates.get(id).map(steady::Template::text);
            cut(&text.unwrap_or_else(|| format!("#{id}"))).to_owned()
        };
        // Templates that grew alike are one.
        let mut counts: BTreeMap<(Facet, String), CountPart> = BTreeMap::new();
        let named = half.counts.into_iter().flat_map(|(facet, keys)| {
            let templates =
                keys.templates.into_iter().map(move |(id, part)| (facet, text(id), part));
            templates.chain(keys.texts.into_iter().map(move |(key, part)| (facet, key, part)))
        });
        for (facet, key, mut part) in named {
            part.key = key;
            match counts.get_mut(&(facet, part.key.clone())) {
                Some(known) => join(known, part),
                None => drop(counts.insert((facet, part.key.clone()), part)),
            }
        }
        Window {
            from: from.0,
            until: to.0,
            metrics: half.metrics.into_values().collect(),
            counts: counts.into_values().collect(),
        }
    }

    fn half(&mut self, part: Part) -> (&mut Half, usize) {
        match part {
            Part::Incident => (&mut self.incident, 0),
            Part::Week(week) => (&mut self.baseline, week),
        }
    }

    /// A key is copied the first time it is met, and not again.
    fn count(
        &mut self,
        part: Part,
        facet: Facet,
        key: Key<'_>,
        amount: f64,
        (at, event): (i64, EventRef),
    ) {
        let (half, week) = self.half(part);
        let has_room = half.len < KEYS_MAX;
        let begun = || CountPart {
            facet,
            key: String::new(),
            counts: Vec::new(),
            first: at,
            last: at,
            events: Vec::new(),
        };
        let keys = half.counts.entry(facet).or_default();
        let known = match key {
            Key::Template(id) => match has_room || keys.templates.contains_key(&id) {
                true => Some(keys.templates.entry(id).or_insert_with(|| {
                    half.len += 1;
                    begun()
                })),
                false => None,
            },
            Key::Text(text) => {
                let text = cut(text);
                if has_room && !keys.texts.contains_key(text) {
                    half.len += 1;
                    keys.texts.insert(text.to_owned(), begun());
                }
                keys.texts.get_mut(text)
            }
        };
        let Some(known) = known else {
            self.left_out += 1;
            return;
        };
        if known.counts.len() <= week {
            known.counts.resize(week + 1, 0.0);
        }
        known.counts[week] += amount;
        (known.first, known.last) = (known.first.min(at), known.last.max(at));
        if known.events.len() < EVENTS_MAX {
            known.events.push(event);
        }
    }

    /// A value of a series.
    fn measure(&mut self, part: Part, name: String, at: i64, value: f64, event: EventRef) {
        let (half, _) = self.half(part);
        if !half.metrics.contains_key(&name) && half.metrics.len() >= METRICS_MAX {
            self.left_out += 1;
            return;
        }
        let known = half.metrics.entry(name).or_insert_with_key(|name| MetricPart {
            name: name.clone(),
            values: Vec::new(),
            events: Vec::new(),
        });
        if known.values.len() >= VALUES_MAX {
            self.left_out += 1;
            return;
        }
        known.values.push((at, value));
        if known.events.len() < EVENTS_MAX {
            known.events.push(event);
        }
    }

    /// References carry the time, so that what they stand for can be found again.
    fn refer(&mut self, at: i64) -> EventRef {
        self.refs += 1;
        (u128::from(at.max(0).unsigned_abs()) << 64) | u128::from(self.refs)
    }
}

/// The time of what a reference stands for.
pub fn time_of(event: EventRef) -> Timestamp {
    Timestamp(i64::try_from(event >> 64).unwrap_or(i64::MAX))
}

fn join(known: &mut CountPart, other: CountPart) {
    if known.counts.len() < other.counts.len() {
        known.counts.resize(other.counts.len(), 0.0);
    }
    for (sum, n) in known.counts.iter_mut().zip(other.counts) {
        *sum += n;
    }
    known.first = known.first.min(other.first);
    known.last = known.last.max(other.last);
    known.events.extend(other.events);
    known.events.truncate(EVENTS_MAX);
}

impl Counting<'_> {
    /// One event of the archive.
    pub fn event(&mut self, event: &Glimpse<'_>) {
        if !self.tally.scope.holds(event.source, event.host) {
            return;
        }
        let at = event.time.0;
        self.events += 1;
        self.heard.insert((at - self.span.0.0) / SLOT_US);
        if self.sources.len() < SOURCES_MAX && !self.sources.contains(event.source) {
            self.sources.insert(event.source.to_owned());
        }
        let (part, reference) = (self.part, self.tally.refer(at));
        if let Some((name, value)) = metric_of(event) {
            if !self.tally.kept.contains(&name) {
                self.tally.measure(part, name, at, value, reference);
            }
            return;
        }
        let (template, _) = self.tally.templates.observe(at, event.message);
        let facet = self.tally.scope.classes.get(event.source).copied();
        let facet = facet.unwrap_or(Facet::Template);
        self.tally.count(part, facet, Key::Template(template), 1.0, (at, reference));
        for (facet, key, amount) in facets(event) {
            self.tally.count(part, facet, Key::Text(key), amount, (at, reference));
        }
    }

    /// What is kept of a series; of a counter its growth per second.
    pub fn series(&mut self, about: &About, rows: Vec<Row>) {
        let name = cut(&format!("{} {}", about.title(), about.host)).to_owned();
        self.tally.kept.insert(name.clone());
        for row in series::rates(about.shape, rows) {
            self.values += 1;
            self.heard.insert((row.time - self.span.0.0) / SLOT_US);
            let reference = self.tally.refer(row.time);
            self.tally.measure(self.part, name.clone(), row.time, row.mean, reference);
        }
    }

    /// A record of the register's side: a finding, a change, a backup, a door, a camera.
    pub fn record(&mut self, facet: Facet, key: &str, at: Timestamp, id: Id) {
        let reference = self.tally.refer(at.0);
        self.tally.records.insert(reference, id);
        self.tally.count(self.part, facet, Key::Text(key), 1.0, (at.0, reference));
    }

    /// What was there.
    pub fn coverage(&self) -> Coverage {
        let (from, to) = (self.span.0.0, self.span.1.0);
        let slots = usize::try_from(((to - from).max(0) + SLOT_US - 1) / SLOT_US).unwrap_or(0);
        Coverage {
            from,
            to,
            events: self.events,
            values: self.values,
            slots,
            heard: self.heard.len().min(slots),
            sources: self.sources.len(),
        }
    }
}

/// Name and value of a measurement.
fn metric_of(event: &Glimpse<'_>) -> Option<(String, f64)> {
    let name = event.field("metric")?;
    let value: f64 = event.field("value")?.parse().ok()?;
    let labels = event.fields.iter().filter_map(|(name, value)| {
        name.strip_prefix("label.").map(|name| format!("{name}={value:?}"))
    });
    let labels: Vec<String> = labels.collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let name = format!("{name}{labels} {}", event.host);
    value.is_finite().then(|| (cut(&name).to_owned(), value))
}

/// What an event is counted under, beside its words.
fn facets<'a>(event: &'a Glimpse<'_>) -> impl Iterator<Item = (Facet, &'a str, f64)> {
    let first = |names: &[&str]| names.iter().find_map(|name| event.field(name));
    let amount: f64 = ["bytes", "bytes_sent"]
        .iter()
        .filter_map(|name| event.field(name)?.parse::<f64>().ok())
        .find(|n| n.is_finite() && *n > 0.0)
        .unwrap_or(0.0);
    let process = first(&["exe", "process"]).or(Some(event.app));
    let destination = first(&["dst_ip", "query"]);
    let from = first(&["src_ip"]);
    let volume = (amount > 0.0).then(|| destination.or(from).unwrap_or(event.host));
    let connection = from.filter(|_| event.class == NETWORK);
    let all = [
        (Facet::User, first(&["user", "target_user"]), 1.0),
        (Facet::Process, process, 1.0),
        (Facet::Destination, destination, 1.0),
        (Facet::Port, first(&["dst_port"]), 1.0),
        (Facet::Volume, volume, amount),
        (Facet::Connections, connection, 1.0),
    ];
    let all = all.into_iter().filter_map(|(facet, key, n)| Some((facet, key?, n)));
    all.filter(|(_, key, _)| !key.is_empty())
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(KEY_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use stream::Event;

    use super::*;

    fn event(minute: i64, host: &str, message: &str, fields: &[(&str, &str)]) -> Event {
        Event {
            raw: Vec::new(),
            event_time: None,
            arrived: Timestamp(minute * 60_000_000),
            source: "syslog".to_owned(),
            class: 0,
            host: host.to_owned(),
            app: "sshd".to_owned(),
            severity: 0,
            message: message.to_owned(),
            fields: fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        }
    }

    fn tally(scope: Scope, events: &[Event]) -> (Tally, Coverage) {
        let mut tally = Tally::new(scope);
        let mut counting = tally.begin(Part::Incident, Timestamp(0), Timestamp(180 * 60_000_000));
        for event in events {
            let lent = |(name, value): (&'_ String, &'_ String)| {
                (Cow::Owned(name.clone()), Cow::Owned(value.clone()))
            };
            let fields: Vec<stream::Pair<'_>> = event.fields.iter().map(lent).collect();
            counting.event(&Glimpse {
                time: event.time(),
                source: &event.source,
                class: event.class,
                host: &event.host,
                app: &event.app,
                message: &event.message,
                fields: &fields,
            });
        }
        let coverage = counting.coverage();
        (tally, coverage)
    }

    #[test]
    fn lines_of_one_template_and_what_they_name_are_counted_together() {
        let events: Vec<Event> = (0..30)
            .map(|n| {
                let text = format!("Failed password for root from 192.0.2.{n} port 22");
                event(n, "web1", &text, &[("user", "root"), ("dst_port", "22")])
            })
            .collect();
        let (mut tally, coverage) = tally(Scope::default(), &events);
        assert_eq!((coverage.events, coverage.heard, coverage.slots), (30, 3, 18));
        let (incident, baseline) = tally.windows(Timestamp(0), Timestamp(1));
        assert!(baseline.counts.is_empty());
        let of = |facet| incident.counts.iter().filter(move |c| c.facet == facet);
        let template = of(Facet::Template).next().unwrap();
        assert_eq!((of(Facet::Template).count(), template.counts[0]), (1, 30.0));
        assert!(template.key.contains("<*>"), "{}", template.key);
        assert_eq!(template.events.len(), EVENTS_MAX);
        assert_eq!(time_of(template.events[1]), Timestamp(60_000_000));
        assert_eq!(of(Facet::User).next().unwrap().key, "root");
        assert_eq!(of(Facet::Process).next().unwrap().key, "sshd");
    }

    #[test]
    fn long_keys_are_counted_and_cut_only_where_they_are_too_long() {
        let names = ["a-destination-of-some-length.example.jp".to_owned(), "長".repeat(400)];
        let events: Vec<Event> =
            names.iter().map(|name| event(0, "web1", "x", &[("query", name)])).collect();
        let (mut tally, _) = tally(Scope::default(), &events);
        let (incident, _) = tally.windows(Timestamp(0), Timestamp(1));
        let all = incident.counts.iter().filter(|c| c.facet == Facet::Destination);
        let mut keys: Vec<&str> = all.map(|c| c.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, [names[0].as_str(), &"長".repeat(KEY_CHARS_MAX)]);
    }

    #[test]
    fn only_events_of_the_host_are_counted() {
        let scope = Scope { host: Some(vec!["web1".to_owned()]), ..Scope::default() };
        let events = [
            event(0, "web1.example.jp", "a", &[]),
            event(1, "web2", "b", &[]),
            event(2, "", "c", &[]),
        ];
        assert_eq!(tally(scope.clone(), &events).1.events, 1);
        assert_eq!(tally(Scope { is_this: true, ..scope }, &events).1.events, 2);
    }

    #[test]
    fn a_measurement_is_a_value_of_its_series_and_no_line() {
        let fields = [("metric", "temperature"), ("value", "41.5"), ("label.disk", "sda")];
        let events = [
            event(0, "db1", "temperature 41.5", &fields),
            event(1, "db1", "x", &[("metric", "temperature"), ("value", "NaN")]),
        ];
        let (mut tally, _) = tally(Scope::default(), &events);
        let (incident, _) = tally.windows(Timestamp(0), Timestamp(1));
        assert_eq!(incident.metrics[0].name, "temperature{disk=\"sda\"} db1");
        assert_eq!(incident.metrics[0].values, [(0, 41.5)]);
        assert_eq!(incident.metrics.len(), 1);
    }
}
