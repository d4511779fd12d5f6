//! All series of a site: what they learnt, and which of their departures are worth telling. Pure.
//!
//! Invariants: of the same events come the same points and the same departures, before and after a restart, since
//! time is that of arrival in the stream and departures are chosen when five minutes of it are over; there are never
//! more than [`SERIES_MAX`] series, and those that find no room are counted.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use model::Timestamp;
use steady::{
    Anomaly, Budget, Calendar, Crossed, Crossing, Fleet, Grave, Kind, Layer, MINUTE, Micros,
    PER_DAY, Phase, Series, Settings,
};
use stream::Placed;

use super::{
    files::{About, Point, RAW_DAYS, Shape},
    measure::{id, measures},
    rules::{Rule, Rules},
};

/// Series that there are at most.
pub const SERIES_MAX: usize = 20_000;
/// Departures that wait to be chosen from.
const FOUND_MAX: usize = 100_000;
/// A clock that goes back by more than this begins anew: a day of five minutes.
const BACK_MAX: Micros = 288;
/// Departures are chosen among those of so long a time.
const SPAN: Micros = 5 * MINUTE;
const DAY: Micros = 24 * 60 * MINUTE;
/// 2026-01-15: clocks are compared at one moment.
const WINTER: Micros = 1_768_435_200_000_000;
/// Name of the series that counts the events of a source and host that are no measurements, by ten minutes. Ten minutes without
/// any have no point: who says nothing is watched by other means.
pub const VOLUME: &str = "ume_events";
/// Sources and hosts whose events are counted.
const HEARD_MAX: usize = 4_096;

/// One series with what is known of it.
pub struct Tracked {
    pub about: Arc<About>,
    pub series: Series,
    /// The first point and the last.
    pub first: Micros,
    pub last: Micros,
    pub value: f64,
    pub points: u64,
    /// The rule of the register by which it is judged.
    pub rule: Option<Arc<Rule>>,
    /// Where it stands to the thresholds of that rule.
    pub crossing: Crossing,
}

impl Tracked {
    pub(super) fn new(about: Arc<About>, series: Series) -> Tracked {
        let (first, last) = (Micros::MAX, Micros::MIN);
        let (value, points) = (f64::NAN, 0);
        let (rule, crossing) = (None, Crossing::default());
        Tracked { about, series, first, last, value, points, rule, crossing }
    }

    fn begin(about: Arc<About>, rules: &Rules) -> Tracked {
        let series = Series::new(about.id, settings(&about));
        let mut tracked = Tracked::new(about, series);
        tracked.judge_by(rules);
        tracked
    }

    /// Takes the rule that fits; what was learnt stays.
    fn judge_by(&mut self, rules: &Rules) {
        let rule = rules.judging(&self.about).cloned();
        let own = settings(&self.about);
        self.series.judge_by(rule.as_ref().map_or(own, |rule| rule.settings(own)));
        if self.rule.as_ref().map(|rule| rule.bounds) != rule.as_ref().map(|rule| rule.bounds) {
            self.crossing = Crossing::default();
        }
        self.rule = rule;
    }

    /// What departs from normal, and which threshold it crosses.
    pub fn observe(
        &mut self,
        time: Micros,
        value: f64,
        calendar: &Calendar,
    ) -> (Option<Anomaly>, Option<Crossed>) {
        let is_next = time > self.last;
        if is_next {
            (self.last, self.value) = (time, value);
            self.first = self.first.min(time);
            self.points += 1;
        }
        let rests = self.rule.as_ref().is_some_and(|rule| rule.is_excluded(time, calendar));
        if rests != self.series.is_in_maintenance() {
            self.series.maintenance(rests);
        }
        let anomaly = self.series.observe(time, value, calendar);
        let Some(rule) = &self.rule else { return (anomaly, None) };
        let judged = self.series.judged().filter(|_| is_next && !rests);
        let crossed = judged.and_then(|value| self.crossing.observe(time, value, &rule.bounds));
        (anomaly.filter(|_| rule.is_learnt), crossed)
    }

    fn weight(&self) -> f64 {
        self.rule.as_ref().map_or(1.0, |rule| rule.sensitivity.weight())
    }

    /// A crossing in the form in which departures are told.
    fn crossed(&self, time: Micros, crossed: &Crossed, calendar: &Calendar) -> Anomaly {
        let normal = self.series.normal(time, calendar);
        let bound = crossed.bound;
        let (low, high) = match crossed.is_above {
            true => (f64::NEG_INFINITY, bound),
            false => (bound, f64::INFINITY),
        };
        Anomaly {
            series: self.about.id,
            layer: Layer::Bound,
            phase: match crossed.grave {
                Grave::Warning => Phase::Precursor,
                Grave::Critical => Phase::Sign,
            },
            time,
            onset: crossed.since,
            observed: crossed.observed,
            expected: normal.map_or(f64::NAN, |normal| normal.expected),
            low,
            high,
            // Nothing is said of how rare it is.
            p: 1.0,
        }
    }
}

/// A departure that somebody is to know of.
#[derive(Clone, Debug)]
pub struct Told {
    pub about: Arc<About>,
    pub anomaly: Anomaly,
    /// Offset behind what made it known.
    pub end: u64,
    /// The rule by which it was judged.
    pub rule: Option<Arc<Rule>>,
    /// Of a threshold that was set: which one.
    pub grave: Option<Grave>,
}

/// What came of some events.
#[derive(Default)]
pub struct Taken {
    pub points: Vec<Point>,
    pub new: Vec<About>,
    pub told: Vec<Told>,
}

/// Made once: it goes through the holidays of many years.
pub static JAPAN: LazyLock<Arc<Calendar>> = LazyLock::new(|| Arc::new(Calendar::japan()));

pub struct Site {
    pub calendar: Arc<Calendar>,
    pub rules: Arc<Rules>,
    /// Mean weight of the series in the site's budget.
    weight: f64,
    pub known: BTreeMap<u64, Tracked>,
    pub fleet: Fleet,
    /// False alarms that are borne in a day.
    pub per_day: f64,
    /// Which five minutes it is.
    pub slot: Micros,
    pub tests: u64,
    found: Vec<Anomaly>,
    /// Events of these ten minutes, by source and host.
    pub heard: BTreeMap<(String, String), u64>,
    /// Points of series for which there was no room, and those of times that are not kept.
    pub no_room: u64,
    pub too_old: u64,
}

impl Default for Site {
    fn default() -> Site {
        Site {
            calendar: JAPAN.clone(),
            rules: Arc::default(),
            weight: 1.0,
            known: BTreeMap::new(),
            fleet: Fleet::new(),
            per_day: PER_DAY,
            slot: 0,
            tests: 0,
            found: Vec::new(),
            heard: BTreeMap::new(),
            no_room: 0,
            too_old: 0,
        }
    }
}

impl Site {
    /// A site without series, with this week and these rules.
    pub fn of(calendar: Arc<Calendar>, rules: Rules) -> Site {
        Site { calendar, rules: Arc::new(rules), ..Site::default() }
    }

    /// Takes events in their order.
    pub fn take(&mut self, events: &[Placed], taken: &mut Taken) {
        for Placed { end, event } in events {
            self.pass(event.arrived, *end, taken);
            let measured = measures(event);
            if measured.is_empty() {
                self.hear(&event.source, &event.host);
                continue;
            }
            let time = event.time().min(event.arrived).0;
            if time < event.arrived.0 - RAW_DAYS * DAY {
                self.too_old += measured.len() as u64;
                continue;
            }
            for measure in measured {
                self.one(measure.about, time, measure.value, *end, taken);
            }
        }
    }

    fn one(&mut self, about: About, time: Micros, value: f64, end: u64, taken: &mut Taken) {
        let id = about.id;
        if !self.known.contains_key(&id) {
            if self.known.len() >= SERIES_MAX {
                self.no_room += 1;
                return;
            }
            taken.new.push(about.clone());
            self.known.insert(id, Tracked::begin(Arc::new(about), &self.rules));
        }
        let Some(tracked) = self.known.get_mut(&id) else { return };
        taken.points.push(Point { series: id, time, value });
        let (anomaly, crossed) = tracked.observe(time, value, &self.calendar);
        if let Some(crossed) = crossed {
            let anomaly = tracked.crossed(time, &crossed, &self.calendar);
            let (about, rule) = (tracked.about.clone(), tracked.rule.clone());
            taken.told.push(Told { about, anomaly, end, rule, grave: Some(crossed.grave) });
        }
        // What is only learnt from is not judged.
        let is_judged = tracked.rule.as_ref().is_none_or(|rule| rule.is_learnt);
        self.tests += u64::from(is_judged && tracked.series.is_warm());
        if self.found.len() < FOUND_MAX {
            self.found.extend(anomaly);
        }
    }

    /// Another week: where the clock is further ahead or behind, what was learnt keeps its instants.
    pub fn live_by(&mut self, calendar: Arc<Calendar>) {
        self.move_week(self.ahead(), ahead(&calendar));
        self.calendar = calendar;
    }

    /// Hours that the clock of this week is ahead of UTC in winter; summer time is part of a week.
    pub fn ahead(&self) -> i32 {
        ahead(&self.calendar)
    }

    /// The series were learnt by a clock that was `before` hours ahead; now it is `after`.
    pub fn move_week(&mut self, before: i32, after: i32) {
        if before != after {
            self.known.values_mut().for_each(|tracked| tracked.series.move_week(after - before));
        }
    }

    /// Judges by these rules from now on.
    pub fn judge_by(&mut self, rules: Rules) {
        for tracked in self.known.values_mut() {
            tracked.judge_by(&rules);
        }
        let weights: f64 = self.known.values().map(Tracked::weight).sum();
        self.weight = if self.known.is_empty() { 1.0 } else { weights / self.known.len() as f64 };
        self.rules = Arc::new(rules);
    }

    /// Chooses within the budget; a series that is watched more closely takes more of it.
    fn select(&mut self, mut found: Vec<Anomaly>, budget: &Budget) -> Vec<Anomaly> {
        let weights: BTreeMap<u64, f64> = found
            .iter()
            .filter_map(|a| Some((a.series, self.known.get(&a.series)?.weight() / self.weight)))
            .collect();
        let weight = |a: &Anomaly| weights.get(&a.series).copied().unwrap_or(1.0);
        found.iter_mut().for_each(|a| a.p = (a.p / weight(a)).min(1.0));
        let mut selected = self.fleet.select(found, budget);
        selected.iter_mut().for_each(|a| a.p = (a.p * weight(a)).min(1.0));
        selected
    }

    fn hear(&mut self, source: &str, host: &str) {
        let key = (source.to_owned(), host.to_owned());
        if self.heard.len() < HEARD_MAX || self.heard.contains_key(&key) {
            *self.heard.entry(key).or_default() += 1;
        }
    }

    /// Ten minutes are over: how much was heard is a measurement as well.
    fn count(&mut self, time: Micros, end: u64, taken: &mut Taken) {
        for ((source, host), count) in std::mem::take(&mut self.heard) {
            let id = id(&source, &host, VOLUME, &[]);
            let (name, shape) = (VOLUME.to_owned(), Shape::Gauge);
            let about = About { id, source, host, name, labels: Vec::new(), shape };
            self.one(about, time, count as f64, end, taken);
        }
    }

    /// Chooses among what was found once its time is over.
    pub fn pass(&mut self, now: Timestamp, end: u64, taken: &mut Taken) {
        let slot = now.0.div_euclid(SPAN);
        if slot <= self.slot && slot + BACK_MAX > self.slot {
            return;
        }
        let before = std::mem::replace(&mut self.slot, slot);
        if slot / 2 != before / 2 {
            self.count(before / 2 * 2 * SPAN, end, taken);
        }
        let found = std::mem::take(&mut self.found);
        let tests = std::mem::take(&mut self.tests);
        if tests == 0 {
            return;
        }
        let budget = Budget { per_day: self.per_day, tests, span: SPAN };
        for anomaly in self.select(found, &budget) {
            let Some(tracked) = self.known.get_mut(&anomaly.series) else { continue };
            tracked.series.told();
            let (about, rule) = (tracked.about.clone(), tracked.rule.clone());
            taken.told.push(Told { about, anomaly, end, rule, grave: None });
        }
    }

    /// Whether nothing waits to be chosen from: only then the state is whole.
    pub fn is_settled(&self) -> bool {
        self.found.is_empty()
    }

    /// A series as its points say it is.
    pub fn rebuild(&mut self, about: About, points: impl Iterator<Item = (Micros, f64)>) {
        let mut tracked: Option<Tracked> = None;
        let about = Arc::new(about);
        for (time, value) in points {
            let begin = || Tracked::begin(about.clone(), &self.rules);
            tracked.get_or_insert_with(begin).observe(time, value, &self.calendar);
        }
        if let Some(tracked) = tracked.filter(|_| self.known.len() < SERIES_MAX) {
            self.known.insert(about.id, tracked);
        }
    }

    /// Such things happen here; `is_wrong` if nobody should have been told.
    pub fn happens(&mut self, id: u64, p: f64, is_wrong: bool) {
        let Some(tracked) = self.known.get_mut(&id) else { return };
        tracked.series.false_alarm();
        if is_wrong {
            self.fleet.judged_false(&of_rarity(id, p));
        }
    }

    /// What the series does now is normal from now on.
    pub fn new_normal(&mut self, id: u64) {
        if let Some(tracked) = self.known.get_mut(&id) {
            tracked.series.new_normal(&self.calendar);
        }
    }

    /// Series that nothing came of for as long as points are kept make room.
    pub fn forget(&mut self, now: Timestamp) -> usize {
        let before = self.known.len();
        self.known.retain(|_, tracked| tracked.last >= now.0 - RAW_DAYS * DAY);
        before - self.known.len()
    }
}

fn ahead(calendar: &Calendar) -> i32 {
    (calendar.offset(WINTER) as f64 / (60 * MINUTE) as f64).round() as i32
}

fn of_rarity(series: u64, p: f64) -> Anomaly {
    Anomaly {
        series,
        layer: steady::Layer::Season,
        phase: steady::Phase::Sign,
        time: 0,
        onset: 0,
        observed: 0.0,
        expected: 0.0,
        low: 0.0,
        high: 0.0,
        p,
    }
}

fn settings(about: &About) -> Settings {
    let kind = match about.shape {
        Shape::Gauge => Kind::Gauge,
        Shape::Counter => Kind::Counter,
        Shape::State => Kind::State,
        Shape::Uptime => Kind::Uptime,
    };
    let mut settings = Settings::new(kind);
    // A hundredth of a share is nobody's concern; nearly all of it for most of a day is.
    if kind == Kind::Gauge && about.name.ends_with("_ratio") {
        settings.resolution = 0.01;
        settings.high = about.name.contains("used").then_some(0.9);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use stream::{Format, RawLine};

    /// Monday, 2026-04-06, 00:00 in Japan.
    const START: Micros = 1_775_401_200_000_000;

    fn placed(time: Micros, name: &str, value: f64, end: u64) -> Placed {
        let line = serde_json::json!({ "metric": name, "value": value.to_string(), "host": "db1" });
        let line = RawLine::with_format(line.to_string(), Format::Json);
        let event = stream::parse(&line, "node", Timestamp(time), &jiff::tz::TimeZone::UTC);
        Placed { end, event }
    }

    fn load(n: i64) -> f64 {
        (if (9..18).contains(&(n / 4 % 24)) { 60.0 } else { 20.0 }) + (n % 7) as f64
    }

    fn weeks(site: &mut Site, count: i64) -> Taken {
        let mut taken = Taken::default();
        for n in 0..count {
            let event = placed(START + n * 15 * MINUTE, "load", load(n), n as u64 + 1);
            site.take(&[event], &mut taken);
        }
        taken
    }

    #[test]
    fn work_at_midnight_is_told_once_and_what_is_judged_false_ends() {
        let mut site = Site::default();
        let taken = weeks(&mut site, 21 * 96);
        assert_eq!((taken.new.len(), taken.points.len(), taken.told.len()), (1, 21 * 96, 0));
        let night = START + 21 * 96 * 15 * MINUTE;
        let mut taken = Taken::default();
        for n in 0..8 {
            let event = placed(night + n * 15 * MINUTE, "load", 64.0, 5_000 + n as u64);
            site.take(&[event], &mut taken);
        }
        assert_eq!(taken.told.len(), 1, "{:?}", taken.told);
        let told = &taken.told[0];
        assert_eq!(
            (told.anomaly.onset, told.about.name.as_str(), told.end),
            (night, "load", 5_001)
        );
        let id = told.about.id;
        assert!(site.known[&id].series.open_since().is_some());
        site.happens(id, told.anomaly.p, true);
        assert!(site.known[&id].series.open_since().is_none());
    }

    #[test]
    fn a_clock_that_was_years_ahead_does_not_stop_the_choice() {
        let mut site = Site::default();
        weeks(&mut site, 21 * 96);
        let mut taken = Taken::default();
        site.pass(Timestamp(START + 4_000 * DAY), 1, &mut taken);
        let night = START + 21 * 96 * 15 * MINUTE;
        for n in 0..2 {
            let event = placed(night + n * 15 * MINUTE, "load", 64.0, 5_000 + n as u64);
            site.take(&[event], &mut taken);
        }
        assert_eq!(taken.told.len(), 1);
    }

    #[test]
    fn lines_that_measure_nothing_are_counted_by_ten_minutes() {
        let mut site = Site::default();
        let mut taken = Taken::default();
        let line = |minute: i64| {
            let line = RawLine::new("<13>1 - db1 app - - - x");
            let arrived = Timestamp(START + minute * MINUTE);
            let event = stream::parse(&line, "syslog", arrived, &jiff::tz::TimeZone::UTC);
            Placed { end: 1, event }
        };
        site.take(&[0, 1, 6, 9, 12, 31].map(line), &mut taken);
        let counts: Vec<(i64, f64)> =
            taken.points.iter().map(|p| ((p.time - START) / MINUTE, p.value)).collect();
        assert_eq!(counts, [(0, 4.0), (10, 1.0)]);
        assert_eq!((taken.new[0].name.as_str(), taken.new[0].host.as_str()), (VOLUME, "db1"));
    }

    #[test]
    fn time_that_passes_without_events_chooses_as_well() {
        let mut site = Site::default();
        weeks(&mut site, 21 * 96);
        let night = START + 21 * 96 * 15 * MINUTE;
        let mut taken = Taken::default();
        site.take(&[placed(night, "load", 64.0, 9_000)], &mut taken);
        assert!(taken.told.is_empty() && !site.is_settled());
        site.pass(Timestamp(night + 6 * MINUTE), 9_000, &mut taken);
        assert!(taken.told.len() == 1 && site.is_settled());
    }

    #[test]
    fn there_is_room_for_so_many_series_and_the_rest_is_counted() {
        let mut site = Site::default();
        let mut taken = Taken::default();
        for n in 0..SERIES_MAX + 5 {
            site.take(&[placed(START, &format!("m{n}"), 1.0, n as u64)], &mut taken);
        }
        assert_eq!((site.known.len(), site.no_room), (SERIES_MAX, 5));
        assert_eq!(taken.points.len(), SERIES_MAX);
        assert_eq!(site.forget(Timestamp(START + (RAW_DAYS + 1) * DAY)), SERIES_MAX);
        site.take(&[placed(START, "late", 1.0, 1)], &mut taken);
        assert_eq!(site.known.len(), 1);
    }
}
