//! What is in one of a few states (up or down, ready or failed, a code), and what starts anew.
//!
//! Each hour of the week knows the states it has had. A state it never had is a departure; how rare such a
//! thing is comes from how often it happened before, with half an event in a year to begin with.

use crate::{
    anomaly::Layer,
    series::{Moment, Suspect},
    snapshot::{Fields, Pass, walk},
    time::{Place, SECOND, SLOTS},
};

/// States that are told apart; the last stands for all further ones.
pub(crate) const STATES_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct States {
    /// Values of the states, in the order in which they came
    known: [f64; STATES_MAX],
    count: u8,
    /// States seen in each hour of the week, as bits
    hours: [u16; SLOTS],
    /// Seen at all in normal times
    all: u16,
    pub learnt: u16,
    at: i32,
}

impl Default for States {
    fn default() -> States {
        States {
            known: [0.0; STATES_MAX],
            count: 0,
            hours: [0; SLOTS],
            all: 0,
            learnt: 0,
            at: i32::MIN,
        }
    }
}

impl States {
    pub fn observe(&mut self, m: &Moment, value: f64) -> Option<Suspect> {
        let state = self.intern(value);
        if self.expected(m) & (1 << state) != 0 || self.learnt == 0 {
            self.learn(m, state);
            return None;
        }
        let suspect = Suspect {
            layer: Layer::State,
            statistic: 0.0,
            p: m.novelty,
            onset: m.time,
            observed: value,
            expected: self.usual(m),
            low: f64::NAN,
            high: f64::NAN,
        };
        if m.learn && !m.warm {
            self.learn(m, state);
        }
        Some(suspect)
    }

    /// A restart: state 0 is "it started in this hour".
    pub fn restart(&mut self, m: &Moment, uptime: f64, before: f64) -> Option<Suspect> {
        let known = self.near(m) & 1 != 0;
        if m.learn {
            self.hours[m.place.slot] |= 1;
        }
        (!known).then(|| Suspect {
            layer: Layer::Restart,
            statistic: 0.0,
            p: m.novelty,
            onset: m.time.saturating_sub((uptime.clamp(0.0, 1e9) * SECOND as f64) as i64),
            observed: uptime,
            expected: before,
            low: before,
            high: f64::INFINITY,
        })
    }

    /// Time without a restart passes.
    pub fn pass(&mut self, m: &Moment) {
        self.count_hour(m);
    }

    /// The state is normal at all hours from now on.
    pub fn accept(&mut self, place: &Place, value: f64) {
        let state = self.intern(value);
        self.hours.iter_mut().filter(|hour| **hour != 0).for_each(|hour| *hour |= 1 << state);
        self.hours[place.slot] |= 1 << state;
        self.all |= 1 << state;
    }

    /// As [`crate::metric::Metric::move_week`].
    pub fn move_week(&mut self, hours: i32) {
        self.hours.rotate_right(hours.rem_euclid(SLOTS as i32) as usize);
        self.at = self.at.saturating_add(hours);
    }

    fn learn(&mut self, m: &Moment, state: usize) {
        if !m.learn {
            return;
        }
        self.hours[m.place.slot] |= 1 << state;
        self.all |= 1 << state;
        self.count_hour(m);
    }

    fn count_hour(&mut self, m: &Moment) {
        if m.learn && self.at != m.place.hour as i32 {
            self.at = m.place.hour as i32;
            self.learnt = self.learnt.saturating_add(1);
        }
    }

    /// States of this hour and the two beside it; plans are not kept to the minute.
    fn near(&self, m: &Moment) -> u16 {
        let around = |slot: usize| {
            self.hours[slot]
                | self.hours[(slot + 1) % SLOTS]
                | self.hours[(slot + SLOTS - 1) % SLOTS]
        };
        around(m.place.slot) | m.place.plain.map_or(0, around)
    }

    /// As [`States::near`]; where nothing was seen yet, what like days have at this hour, or anything known.
    fn expected(&self, m: &Moment) -> u16 {
        if self.hours[m.place.slot] != 0 {
            return self.near(m);
        }
        let (day, hour) = (m.place.slot / 24, m.place.slot % 24);
        let days = if day < 5 { 0..5 } else { 5..7 };
        let like = days.map(|day| self.hours[day * 24 + hour]).fold(0, |all, one| all | one);
        if like != 0 { like | self.near(m) } else { self.all }
    }

    fn usual(&self, m: &Moment) -> f64 {
        let state = self.expected(m).trailing_zeros() as usize;
        self.known.get(state).copied().unwrap_or(f64::NAN)
    }

    fn intern(&mut self, value: f64) -> usize {
        let count = usize::from(self.count);
        if let Some(state) = self.known[..count].iter().position(|known| *known == value) {
            return state;
        }
        if count == STATES_MAX {
            return STATES_MAX - 1;
        }
        self.known[count] = value;
        self.count += 1;
        count
    }
}

impl Fields for States {
    fn fields(&mut self, pass: &mut dyn Pass) {
        walk(pass, &mut [&mut self.known, &mut self.count, &mut self.hours, &mut self.all]);
        walk(pass, &mut [&mut self.learnt, &mut self.at]);
        self.count = self.count.min(STATES_MAX as u8);
    }
}
