//! One series: what comes in is checked, made a number, held against its past, told once per episode.
//!
//! # Laws
//! - Nothing is told in cold start, of values that are not numbers, of times that do not advance, or in
//!   maintenance.
//! - While an episode is open nothing is learnt. One that was told ([`Series::told`]) stays open until the
//!   series is normal again or somebody says what is normal now ([`Series::new_normal`]); one that nobody was
//!   told of ends after a day and then counts as something that happens.
//! - A series takes [`STATE_BYTES_MAX`] bytes, in memory and as a snapshot.

use crate::{
    anomaly::{Anomaly, LAYERS_ALL, Layer},
    counter::Rate,
    metric::Metric,
    snapshot::{Fields, Pass, SnapshotError, read, walk, write},
    states::States,
    time::{Calendar, DAY, HOUR, Micros, Place, SECOND, TIME_MAX_US},
};

pub const STATE_BYTES_MAX: usize = 1024;

const VERSION: u8 = 1;

/// An episode is over when nothing is rarer than this.
const NORMAL_P: f64 = 1e-2;
/// What an episode must gain to be told again.
const AGAIN: f64 = 0.01;
/// How long an episode lasts that nobody was told of.
const UNTOLD: Micros = DAY;

/// What is beyond is no measure of anything, and its square no number.
const VALUE_MAX: f64 = 1e17;
/// Counters of 64 bits are larger; what counts is their growth.
const COUNTER_MAX: f64 = 2e19;

/// Observations after which a series may be warm although it has few hours.
const SPARSE_MIN: u32 = 30;

/// Before anything is known, half an unexpected event in so long a time (Jeffreys' prior on the rate).
const PRIOR: Micros = 365 * DAY;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A value that is what it is: load, temperature, connections
    Gauge = 0,
    /// A value that only grows and starts anew: octets, errors. Judged as growth per second
    Counter = 1,
    /// One of few values: up or down, a code
    State = 2,
    /// Seconds since something started; only starting is judged
    Uptime = 3,
}

/// Which departures matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    Both = 0,
    Up = 1,
    Down = 2,
}

/// How a series is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub kind: Kind,
    pub direction: Direction,
    /// Hours that are only learnt from: two weeks
    pub cold_start_hours: u16,
    /// Differences smaller than this mean nothing
    pub resolution: f32,
    /// What is at least as rare opens an episode and goes to the fleet, which decides
    pub tell_p: f32,
    /// From here on it is high; being high nearly all day is told
    pub high: Option<f32>,
}

impl Settings {
    pub fn new(kind: Kind) -> Settings {
        Settings {
            kind,
            direction: Direction::Both,
            cold_start_hours: 336,
            resolution: 0.0,
            tell_p: 1e-4,
            high: None,
        }
    }
}

/// What did not count, by reason; stops at the largest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Not a number, infinite or beyond any measure
    pub no_number: u16,
    /// Not after the observation before
    pub no_order: u16,
    /// A counter that began anew, and the growth that is unknown for it
    pub resets: u16,
    /// A counter that ran over; its growth counts
    pub wraps: u16,
    /// Pauses longer than six intervals and an hour
    pub gaps: u16,
}

/// What is usual at some time; of a counter, of its growth per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    pub expected: f64,
    /// Beyond these lies one observation in a thousand
    pub low: f64,
    pub high: f64,
}

/// An observation's surroundings.
pub(crate) struct Moment {
    pub time: Micros,
    pub place: Place,
    /// Seconds since the observation before; that in hours, at most one
    pub elapsed_s: f64,
    pub hours: f32,
    pub interval_s: f32,
    pub gap: bool,
    pub learn: bool,
    /// Past cold start; past half of it
    pub warm: bool,
    pub grown: bool,
    /// How often something happens that never happens, per observation
    pub novelty: f64,
}

/// What may be an anomaly.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    pub layer: Layer,
    pub statistic: f32,
    pub p: f64,
    pub onset: Micros,
    pub observed: f64,
    pub expected: f64,
    pub low: f64,
    pub high: f64,
}

impl Suspect {
    pub fn opens(&self, settings: &Settings) -> bool {
        self.p <= f64::from(settings.tell_p)
    }
}

// Not boxed: a fleet keeps its series side by side, and the bound holds for the larger.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
enum Body {
    Metric(Metric),
    States(States),
}

/// An episode; closed while `since` is the end of time.
#[derive(Clone, Debug, PartialEq)]
struct Episode {
    since: Micros,
    onset: Micros,
    last: Micros,
    p: f32,
    peak: f32,
    layer: u8,
    told: u8,
}

const NONE: Episode =
    Episode { since: Micros::MAX, onset: 0, last: 0, p: 1.0, peak: 0.0, layer: 0, told: 0 };

impl Episode {
    fn is_open(&self) -> bool {
        self.since != Micros::MAX
    }
}

/// State of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    id: u64,
    settings: Settings,
    refused: Refused,
    born: Micros,
    last_time: Micros,
    last_raw: f64,
    interval_s: f32,
    seen: u32,
    rate: Rate,
    events: u16,
    maintenance: bool,
    episode: Episode,
    body: Body,
}

impl Series {
    /// A series that knows nothing yet; `id` comes back in its anomalies.
    pub fn new(id: u64, settings: Settings) -> Series {
        let body = match settings.kind {
            Kind::Gauge | Kind::Counter => Body::Metric(Metric::default()),
            Kind::State | Kind::Uptime => Body::States(States::default()),
        };
        Series {
            id,
            settings,
            refused: Refused::default(),
            born: 0,
            last_time: Micros::MIN,
            last_raw: 0.0,
            interval_s: 0.0,
            seen: 0,
            rate: Rate::default(),
            events: 0,
            maintenance: false,
            episode: NONE,
            body,
        }
    }

    /// Takes an observation; what may be an anomaly goes to [`crate::Fleet::select`]. An episode is returned
    /// when it begins and again when it has become a hundred times rarer.
    pub fn observe(&mut self, time: Micros, value: f64, calendar: &Calendar) -> Option<Anomaly> {
        let (moment, before) = self.enter(time, value, calendar)?;
        let suspect = match (&mut self.body, self.settings.kind) {
            (Body::States(states), Kind::State) => states.observe(&moment, value),
            (Body::States(states), _) => {
                states.pass(&moment);
                let anew = before.is_some_and(|before| value < before);
                if anew { states.restart(&moment, value, before.unwrap_or(0.0)) } else { None }
            }
            (Body::Metric(metric), Kind::Counter) => {
                let rate = self.rate.growth(before?, value, moment.elapsed_s, &mut self.refused)?;
                metric.observe(&moment, &self.settings, rate)
            }
            (Body::Metric(metric), _) => metric.observe(&moment, &self.settings, value as f32),
        };
        self.conclude(&moment, suspect)
    }

    /// Somebody was told of the open episode: it stays open until the series is normal or somebody decides.
    pub fn told(&mut self) {
        self.episode.told = u8::from(self.episode.is_open());
    }

    /// The decision that what the series does now is normal. Ends the open episode.
    pub fn new_normal(&mut self, calendar: &Calendar) {
        let place = calendar.place(self.last_time);
        match &mut self.body {
            Body::Metric(metric) => metric.accept(),
            Body::States(states) => states.accept(&place, self.last_raw),
        }
        self.episode = NONE;
    }

    /// The decision that the open episode was none: such things happen here.
    pub fn false_alarm(&mut self) {
        self.close(true);
    }

    /// The organisation's clock is so many hours further ahead than it was: what was learnt keeps its instants.
    pub fn move_week(&mut self, hours: i32) {
        match &mut self.body {
            Body::Metric(metric) => metric.move_week(hours),
            Body::States(states) => states.move_week(hours),
        }
    }

    /// In maintenance nothing is told and nothing learnt; what comes after stands for itself.
    pub fn maintenance(&mut self, on: bool) {
        if self.maintenance && !on {
            self.forget();
        }
        self.maintenance = on;
    }

    /// Judges by other settings from now on; what was learnt stays. The kind of a series is its own.
    pub fn judge_by(&mut self, settings: Settings) {
        self.settings = Settings { kind: self.settings.kind, ..settings };
    }

    /// The value that was judged last: of a counter its growth per second, once that was known.
    pub fn judged(&self) -> Option<f64> {
        match (&self.body, self.settings.kind) {
            (Body::Metric(metric), Kind::Counter) => metric.last_judged(),
            _ => (self.seen > 0).then_some(self.last_raw),
        }
    }

    pub fn is_in_maintenance(&self) -> bool {
        self.maintenance
    }

    /// Past cold start.
    pub fn is_warm(&self) -> bool {
        self.has_learnt(self.settings.cold_start_hours)
    }

    /// Since when an episode is open.
    pub fn open_since(&self) -> Option<Micros> {
        self.episode.is_open().then_some(self.episode.onset)
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// What is usual at a time, by what was learnt so far. States have no range, and before there is a number
    /// nothing is usual.
    pub fn normal(&self, time: Micros, calendar: &Calendar) -> Option<Normal> {
        match &self.body {
            Body::Metric(metric) => metric.normal(&calendar.place(time)),
            Body::States(_) => None,
        }
    }

    /// Hours that were learnt from.
    pub fn hours_learnt(&self) -> u16 {
        match &self.body {
            Body::Metric(metric) => metric.learnt,
            Body::States(states) => states.learnt,
        }
    }

    pub fn refused(&self) -> Refused {
        self.refused
    }

    /// The state as bytes, for [`Series::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        write(VERSION, &mut self.clone())
    }

    /// A series that goes on as if it had never stopped.
    pub fn restore(bytes: &[u8]) -> Result<Series, SnapshotError> {
        let kind = crate::snapshot::open(VERSION, bytes)?.first().copied();
        let kind = kind.and_then(Kind::of).ok_or(SnapshotError::Damaged)?;
        let mut series = Series::new(0, Settings::new(kind));
        read(VERSION, bytes, &mut series)?;
        let whole = match &series.body {
            Body::Metric(metric) => metric.is_sane(),
            Body::States(_) => true,
        };
        let known = usize::from(series.episode.layer) < LAYERS_ALL.len();
        if whole && known { Ok(series) } else { Err(SnapshotError::Damaged) }
    }

    /// Refuses what cannot be judged; says when and where the rest lies, and the value before.
    fn enter(
        &mut self,
        time: Micros,
        value: f64,
        calendar: &Calendar,
    ) -> Option<(Moment, Option<f64>)> {
        let most = if self.settings.kind == Kind::Counter { COUNTER_MAX } else { VALUE_MAX };
        if !value.is_finite() || value.abs() > most {
            self.refused.no_number = self.refused.no_number.saturating_add(1);
            return None;
        }
        if time <= self.last_time || time.abs() > TIME_MAX_US {
            self.refused.no_order = self.refused.no_order.saturating_add(1);
            return None;
        }
        let before = (self.seen > 0).then_some(self.last_raw);
        let elapsed = if self.seen > 0 { time - self.last_time } else { 0 };
        let elapsed_s = elapsed as f64 / SECOND as f64;
        let usual = f64::from(self.interval_s);
        let gap = self.seen > 1 && elapsed > HOUR && elapsed_s > 6.0 * usual;
        if self.seen == 0 {
            self.born = time;
        } else if !gap {
            let weight = if self.seen == 1 { 1.0 } else { 0.05 };
            self.interval_s += (weight * (elapsed_s - usual)) as f32;
        } else {
            self.refused.gaps = self.refused.gaps.saturating_add(1);
        }
        (self.last_time, self.last_raw, self.seen) = (time, value, self.seen.saturating_add(1));
        let exposure = (PRIOR + (time - self.born)) as f64 / SECOND as f64;
        let moment = Moment {
            time,
            place: calendar.place(time),
            elapsed_s,
            hours: (elapsed_s / 3600.0).clamp(1e-4, 1.0) as f32,
            interval_s: self.interval_s,
            gap,
            learn: !self.maintenance && !self.episode.is_open(),
            warm: self.is_warm(),
            grown: self.has_learnt(self.settings.cold_start_hours / 2),
            novelty: (0.5 + f64::from(self.events)) * f64::from(self.interval_s) / exposure,
        };
        Some((moment, before))
    }

    fn has_learnt(&self, hours: u16) -> bool {
        let learnt = match &self.body {
            Body::Metric(metric) => metric.learnt,
            Body::States(states) => states.learnt,
        };
        let age = self.last_time.saturating_sub(self.born);
        learnt >= hours || (self.seen >= SPARSE_MIN && age >= Micros::from(hours) * HOUR)
    }

    /// What becomes of a suspicion.
    fn conclude(&mut self, m: &Moment, suspect: Option<Suspect>) -> Option<Anomaly> {
        if self.maintenance || !m.warm {
            return None;
        }
        let p = suspect.as_ref().map_or(1.0, |s| s.p);
        let Some(suspect) = suspect.filter(|s| s.opens(&self.settings)) else {
            self.end_if_normal(m, p);
            return None;
        };
        if suspect.layer.is_event() {
            self.events = self.events.saturating_add(1);
            return Some(self.anomaly(m, &suspect, suspect.onset));
        }
        let episode = &mut self.episode;
        let new = !episode.is_open();
        if new {
            *episode = Episode { since: m.time, onset: suspect.onset, p: 1.0, ..NONE };
        }
        episode.last = m.time;
        let tell = new || suspect.p < f64::from(episode.p) * AGAIN;
        if tell {
            (episode.p, episode.peak) = (suspect.p as f32, suspect.statistic);
            episode.layer = suspect.layer as u8;
        }
        let onset = episode.onset;
        self.end_if_untold(m.time);
        tell.then(|| self.anomaly(m, &suspect, onset))
    }

    fn end_if_normal(&mut self, m: &Moment, p: f64) {
        let pause = HOUR.max((3.0 * f64::from(self.interval_s) * SECOND as f64) as Micros);
        let quiet = m.time.saturating_sub(self.episode.last) >= pause;
        if self.episode.is_open() && p > NORMAL_P && quiet {
            self.close(self.episode.told == 0);
        }
    }

    /// What goes on for a day and the fleet found nothing in is how things are.
    fn end_if_untold(&mut self, now: Micros) {
        let lasted = now.saturating_sub(self.episode.since) >= UNTOLD;
        if self.episode.is_open() && self.episode.told == 0 && lasted {
            if let Body::Metric(metric) = &mut self.body {
                metric.adopt();
            }
            self.close(true);
        }
    }

    fn close(&mut self, happens: bool) {
        if !self.episode.is_open() {
            return;
        }
        if happens {
            self.events = self.events.saturating_add(1);
            if let Body::Metric(metric) = &mut self.body {
                metric.learn_peak(LAYERS_ALL[usize::from(self.episode.layer)], self.episode.peak);
            }
        }
        if let Body::Metric(metric) = &mut self.body {
            metric.begin_anew();
        }
        self.episode = NONE;
    }

    fn forget(&mut self) {
        if let Body::Metric(metric) = &mut self.body {
            metric.forget();
        }
    }

    fn anomaly(&self, m: &Moment, suspect: &Suspect, onset: Micros) -> Anomaly {
        Anomaly {
            series: self.id,
            layer: suspect.layer,
            phase: suspect.layer.phase(),
            time: m.time,
            onset: onset.max(self.born),
            observed: suspect.observed,
            expected: suspect.expected,
            low: suspect.low,
            high: suspect.high,
            p: suspect.p,
        }
    }
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        [Kind::Gauge, Kind::Counter, Kind::State, Kind::Uptime].get(usize::from(byte)).copied()
    }
}

impl Fields for Series {
    fn fields(&mut self, pass: &mut dyn Pass) {
        let s = &mut self.settings;
        // The kind comes first: it decides what follows.
        let (mut kind, mut direction) = (s.kind as u8, s.direction as u8);
        let mut high = s.high.unwrap_or(f32::NAN);
        walk(pass, &mut [&mut kind, &mut direction, &mut s.cold_start_hours, &mut s.resolution]);
        walk(pass, &mut [&mut s.tell_p, &mut high]);
        s.direction = match direction {
            1 => Direction::Up,
            2 => Direction::Down,
            _ => Direction::Both,
        };
        s.high = Some(high).filter(|h| !h.is_nan());
        let r = &mut self.refused;
        walk(pass, &mut [&mut r.no_number, &mut r.no_order, &mut r.resets, &mut r.wraps]);
        walk(pass, &mut [&mut r.gaps, &mut self.id, &mut self.born, &mut self.last_time]);
        walk(pass, &mut [&mut self.last_raw, &mut self.interval_s, &mut self.seen]);
        let mut maintenance = u8::from(self.maintenance);
        walk(pass, &mut [&mut self.rate, &mut self.events, &mut maintenance]);
        self.maintenance = maintenance != 0;
        let e = &mut self.episode;
        walk(pass, &mut [&mut e.since, &mut e.onset, &mut e.last, &mut e.p, &mut e.peak]);
        walk(pass, &mut [&mut e.layer, &mut e.told]);
        match &mut self.body {
            Body::Metric(metric) => metric.fields(pass),
            Body::States(states) => states.fields(pass),
        }
    }
}
