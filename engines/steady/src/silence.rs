//! When a source that used to speak says nothing.
//!
//! A source's pauses are kept as logarithmic bins, per working days and days off; the longest pause that is still
//! normal is far beyond the tail of what was seen, so that a source that comes in bursts is given the time it
//! takes. Nothing is told before a source has been heard often enough for long enough.

use serde::{Deserialize, Serialize};

use crate::{
    snapshot::{SnapshotError, pack, unpack},
    time::{Calendar, DAY, HOUR, MINUTE, Micros, SECOND},
};

/// Bins of a half octave, from a second to some 34 days.
const BINS: usize = 44;

/// What is heard within less than this belongs together.
const TOGETHER: Micros = SECOND;

/// Pauses and days that a source must have shown; the same for each kind of day.
const PAUSES_MIN: u32 = 20;
const LEARN: Micros = 3 * DAY;
const DAYS_MIN: u16 = 3;

/// The longest pause so far is exceeded by this before anybody is told, and more where little was seen.
const MARGIN: f64 = 2.0;
const LITTLE: f64 = 20.0;

/// Beyond so many pauses the counts are halved.
const TOTAL_MAX: u32 = 1 << 20;

/// Nobody waits less than this.
const LEAST: Micros = MINUTE;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cadence {
    first: Option<Micros>,
    last: Micros,
    /// Pauses that began on working days, and on days off
    pauses: [Pauses; 2],
    told: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pauses {
    bins: Vec<u32>,
    total: u32,
    /// Days of its kind, and the last of them
    days: u16,
    day: i64,
}

/// A source has been silent for longer than it ever is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// When it was heard last
    pub since: Micros,
    pub silent: Micros,
    /// The longest pause that would be normal
    pub normal: Micros,
    /// Half of its pauses are shorter
    pub usual: Micros,
}

impl Default for Cadence {
    fn default() -> Cadence {
        let pauses = || Pauses { bins: vec![0; BINS], total: 0, days: 0, day: i64::MIN };
        Cadence { first: None, last: 0, pauses: [pauses(), pauses()], told: false }
    }
}

impl Cadence {
    pub fn new() -> Cadence {
        Cadence::default()
    }

    /// The source was heard. Earlier than the last time counts as nothing.
    pub fn heard(&mut self, time: Micros, calendar: &Calendar) {
        if self.first.is_none() {
            (self.first, self.last) = (Some(time), time);
            return;
        }
        let pause = time.saturating_sub(self.last);
        if pause < TOGETHER {
            return;
        }
        // A silence that somebody was told of is no cadence.
        if !self.told {
            let kind = usize::from(calendar.is_day_off(self.last));
            self.pauses[kind].learn(pause, calendar.day(self.last));
        }
        (self.last, self.told) = (time, false);
    }

    /// The silence that has lasted too long, told once.
    pub fn check(&mut self, now: Micros, calendar: &Calendar) -> Option<Silence> {
        let silent = now.saturating_sub(self.last);
        let normal = self.normal(calendar)?;
        if self.told || silent <= normal {
            return None;
        }
        self.told = true;
        let usual = self.quantile(0.5)?;
        Some(Silence { since: self.last, silent, normal, usual })
    }

    /// Nobody could hear the source until `time`: its silence counts from there.
    pub fn deaf_until(&mut self, time: Micros) {
        if self.first.is_some() {
            self.last = self.last.max(time);
        }
    }

    /// The silence that goes on is how the source is from now on: a decision.
    pub fn new_normal(&mut self) {
        *self = Cadence::new();
    }

    /// Pauses longer than this share of all.
    pub fn quantile(&self, share: f64) -> Option<Micros> {
        let total: u32 = self.pauses.iter().map(|p| p.total).sum();
        let (mut seen, want) = (0, share.clamp(0.0, 1.0) * f64::from(total));
        for bin in 0..BINS {
            seen += self.pauses.iter().map(|p| p.bins[bin]).sum::<u32>();
            if seen > 0 && f64::from(seen) >= want {
                return Some(upper(bin));
            }
        }
        None
    }

    pub fn snapshot(&self) -> Vec<u8> {
        pack(self)
    }

    pub fn restore(bytes: &[u8]) -> Result<Cadence, SnapshotError> {
        let cadence: Cadence = unpack(bytes)?;
        let whole = cadence.pauses.iter().all(|p| p.bins.len() == BINS);
        whole.then_some(cadence).ok_or(SnapshotError::Damaged)
    }

    /// The longest pause after the last time it was heard that is still normal; none in cold start.
    pub fn normal(&self, calendar: &Calendar) -> Option<Micros> {
        let known = self.last.saturating_sub(self.first?);
        let total: u32 = self.pauses.iter().map(|p| p.total).sum();
        if known < LEARN || total < PAUSES_MIN {
            return None;
        }
        let own = &self.pauses[usize::from(calendar.is_day_off(self.last))];
        let all = self.pauses.iter().filter_map(Pauses::longest).max()?;
        // Until a kind of day is known, the longest of all; a first day off may bring no more than that plus a day.
        let seen = f64::from(own.total);
        let longest = match own.longest() {
            // A day that has hardly begun has not shown the pauses of its night.
            Some(longest) if own.total >= PAUSES_MIN && own.days >= DAYS_MIN => longest,
            _ if calendar.is_day_off(self.last) => all.saturating_add(3 * DAY),
            _ => all,
        };
        let margin = MARGIN + LITTLE / (LITTLE + seen);
        let weekly = if known < 8 * DAY && longest >= HOUR { 2 * DAY } else { 0 };
        Some(((longest as f64 * margin) as Micros).max(LEAST).saturating_add(weekly))
    }
}

impl Pauses {
    fn learn(&mut self, pause: Micros, day: i64) {
        if day > self.day {
            (self.day, self.days) = (day, self.days.saturating_add(1));
        }
        if self.total >= TOTAL_MAX {
            // What was seen once is the longest pause, and stays.
            self.bins.iter_mut().for_each(|n| *n = n.div_ceil(2));
            self.total = self.bins.iter().sum();
        }
        self.bins[bin(pause)] += 1;
        self.total += 1;
    }

    fn longest(&self) -> Option<Micros> {
        self.bins.iter().rposition(|n| *n > 0).map(upper)
    }
}

fn bin(pause: Micros) -> usize {
    let octaves = (pause.max(TOGETHER) as f64 / TOGETHER as f64).log2();
    ((octaves * 2.0) as usize).min(BINS - 1)
}

fn upper(bin: usize) -> Micros {
    (TOGETHER as f64 * ((bin + 1) as f64 / 2.0).exp2()) as Micros
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{noise::Noise, time::WEEK};

    /// Hears a source at these times, checking every five minutes between; how often it was called silent.
    fn alarms(times: impl Iterator<Item = Micros>) -> (Cadence, usize) {
        let calendar = Calendar::japan();
        let (mut cadence, mut alarms, mut now) = (Cadence::new(), 0, 0);
        for time in times {
            while now < time {
                alarms += usize::from(cadence.check(now, &calendar).is_some());
                now += 5 * MINUTE;
            }
            cadence.heard(time, &calendar);
        }
        (cadence, alarms)
    }

    #[test]
    fn a_heartbeat_that_stops_is_missed_within_minutes() {
        let (mut cadence, early) = alarms((0..7 * 1_440).map(|n| n * MINUTE));
        assert_eq!(early, 0);
        let last = (7 * 1_440 - 1) * MINUTE;
        let japan = Calendar::japan();
        assert_eq!(cadence.check(last + 2 * MINUTE, &japan), None);
        let silence = cadence.check(last + 4 * MINUTE, &japan).unwrap();
        assert_eq!((silence.since, silence.silent), (last, 4 * MINUTE));
        assert_eq!(cadence.check(last + 9 * MINUTE, &japan), None, "told once");
    }

    #[test]
    fn the_first_saturday_has_its_nightly_pause_too() {
        // Every five minutes but for four hours a day; the first day is a Monday.
        let start = 1_775_401_200_000_000;
        let times = (0..28 * 288).map(|n| start + n * 5 * MINUTE);
        let times = times.filter(|t| !(14..18).contains(&((t - start).rem_euclid(DAY) / HOUR)));
        assert_eq!(alarms(times).1, 0);
    }

    #[test]
    fn time_in_which_nobody_listened_is_no_silence() {
        let (mut cadence, _) = alarms((0..7 * 1_440).map(|n| n * MINUTE));
        let japan = Calendar::japan();
        let up = 8 * DAY;
        cadence.deaf_until(up);
        assert_eq!(cadence.check(up + 2 * MINUTE, &japan), None);
        assert!(cadence.check(up + 5 * MINUTE, &japan).is_some());
        let mut unheard = Cadence::new();
        unheard.deaf_until(up);
        assert_eq!(unheard, Cadence::new());
    }

    #[test]
    fn a_bursty_source_is_given_its_time() {
        let mut all = 0;
        for seed in 0..20 {
            let mut noise = Noise::new(seed);
            let mut time = 0;
            // Bursts of a few seconds, pauses of minutes to hours with a heavy tail.
            let times = (0..4_000).map(move |_| {
                let burst = noise.uniform() < 0.8;
                let pause = if burst { 2.0 } else { 600.0 * (1.2 * noise.normal()).exp() };
                time += (pause * SECOND as f64) as Micros;
                time
            });
            all += alarms(times).1;
        }
        assert!(all <= 4, "{all} false silences of 20 sources");
    }

    #[test]
    fn an_office_may_be_silent_on_weekends_and_holidays() {
        let calendar = Calendar::japan();
        // Every ten minutes from nine to six on working days, four weeks and over Golden Week.
        let start = 1_775_401_200_000_000;
        let times = (0..42 * 144).map(|n| start + n * 10 * MINUTE).filter(|t| {
            let hour = (t - start).rem_euclid(DAY) / HOUR;
            !calendar.is_day_off(*t) && (9..18).contains(&hour)
        });
        let (_, alarms) = alarms(times);
        assert!(alarms <= 1, "{alarms}: only the first long holiday is new");
    }

    #[test]
    fn too_little_is_no_cadence() {
        let calendar = Calendar::utc();
        let mut cadence = Cadence::new();
        assert_eq!(cadence.check(Micros::MAX, &calendar), None);
        for n in 0..19 {
            cadence.heard(n * DAY, &calendar);
        }
        assert_eq!(cadence.check(WEEK * 52, &calendar), None);
        cadence.heard(Micros::MIN, &calendar);
        cadence.heard(Micros::MAX, &calendar);
        assert_eq!(Cadence::restore(&cadence.snapshot()), Ok(cadence));
    }
}
