//! A number over time against its own past, in five ways of looking.

use crate::{
    anomaly::Layer,
    profile::{Expected, Profile},
    recent::{Fast, Hour, Hours, KEPT, RING, Since},
    series::{Direction, Moment, Normal, Settings, Suspect},
    snapshot::{Fields, Pass, walk},
    tail::{Tail, rank},
    time::{HOUR, Place, SECOND, SLOTS},
};

/// Ways of looking that learn how large their statistic usually is.
pub(crate) const LAYERS: [Layer; 5] =
    [Layer::Season, Layer::Jump, Layer::Drift, Layer::Shift, Layer::Frozen];

/// Hours over which the level may move without being anybody's hour of the week.
const OFFSET_HOURS: f32 = 72.0;

/// Least mean departure of the last three hours, in standard deviations of an observation, that goes on.
const LASTING: f32 = 0.5;

/// Hours after which an excursion is no event any more. Slower things are for [`crate::slope`].
const EXCURSION_HOURS: u16 = 72;

/// Hours after which tails fade.
const AGE_HOURS: u16 = 336;

/// Equal observations in a row per unit of the statistic.
const RUN_UNIT: f32 = 6.0;

/// "Constantly" is this share of about a day; it ends below the other.
const HIGH_SHARE: f32 = 0.9;
const HIGH_OVER: f32 = 0.6;
const HIGH_HOURS: f32 = 12.0;

/// What lies beyond the stated range happens so rarely.
const RANGE_P: f64 = 1e-3;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metric {
    pub profile: Profile,
    pub tails: [Tail; 5],
    /// Rank of the largest statistic of each excursion that goes on
    peaks: [u8; 5],
    pub hours: Hours,
    pub hour: Hour,
    pub fast: Fast,
    /// Local hour and slot of the values in `hour`, and whether any of them was suspect
    at: i32,
    slot: u8,
    tainted: u8,
    /// What the level has moved since the hours of the week were learnt
    pub offset: f32,
    last: f32,
    /// How often in a row the last value was seen
    run: u16,
    /// Hours that were learnt
    pub learnt: u16,
    high_share: f32,
    high: u8,
}

/// How an observation lies, before anything is concluded.
struct Look {
    expected: Expected,
    /// From the line of expectation, which is what is learnt
    residual: f32,
    /// Beyond all that is expected
    beyond: f32,
    statistics: [f32; 5],
    /// Hours since when, for layers of hours
    since: [u16; 5],
}

impl Metric {
    /// What is suspicious about a value; learns it unless it is.
    pub fn observe(&mut self, m: &Moment, settings: &Settings, value: f32) -> Option<Suspect> {
        if m.gap {
            self.forget();
        }
        if self.profile.hours == 0.0 {
            self.profile.see(value, m.hours);
        }
        let ended = self.turn_hour(m);
        let look = self.look(m, settings, value);
        let suspect = self.judge(m, value, &look);
        let learn = m.learn && (!m.warm || suspect.as_ref().is_none_or(|s| !s.opens(settings)));
        self.learn(m, value, &look, learn, ended);
        if learn { self.high(m, settings, value, &look).or(suspect) } else { suspect }
    }

    /// The last value, once there was one.
    pub fn last_judged(&self) -> Option<f64> {
        (self.profile.hours > 0.0).then_some(f64::from(self.last))
    }

    /// What is usual at a place of the week, once there was a value.
    pub fn normal(&self, place: &Place) -> Option<Normal> {
        if self.profile.hours == 0.0 {
            return None;
        }
        let expected = self.profile.expect(place);
        let (low, high) = self.usual(&expected);
        Some(Normal { expected: f64::from(expected.line + self.offset), low, high })
    }

    /// What is usual around what is expected.
    fn usual(&self, expected: &Expected) -> (f64, f64) {
        let usual = self.tails[0].quantile(RANGE_P) * expected.scale;
        let low = expected.line.min(expected.step) + self.offset - usual;
        let high = expected.line.max(expected.step) + self.offset + usual;
        (f64::from(low), f64::from(high))
    }

    /// What came before a gap says nothing about what is just now.
    pub fn forget(&mut self) {
        self.fast.forget();
        self.hours = Hours::default();
        self.hour = Hour::default();
        self.run = 0;
    }

    /// The level since then is normal from now on, and the hours of the week are open to doubt.
    pub fn accept(&mut self) {
        self.adopt();
        self.profile.doubt();
        self.forget();
    }

    /// The level just now is the one to compare with.
    pub fn adopt(&mut self) {
        self.offset += self.hour.middle().unwrap_or(self.fast.level);
        self.hour = Hour::default();
        self.fast.forget();
    }

    /// The week begins so many hours earlier: an instant lies in a later hour than it did.
    pub fn move_week(&mut self, hours: i32) {
        let later = hours.rem_euclid(SLOTS as i32) as usize;
        self.profile.rotate(later);
        self.at = self.at.saturating_add(hours);
        self.slot = ((usize::from(self.slot) + later) % SLOTS) as u8;
    }

    /// Sums, change points and excursions begin after what was found.
    pub fn begin_anew(&mut self) {
        self.peaks = [0; 5];
        self.hours = Hours::default();
    }

    /// Whether every index of a restored state lies inside what it points into.
    pub fn is_sane(&self) -> bool {
        usize::from(self.slot) < SLOTS
            && usize::from(self.hours.len) <= RING
            && usize::from(self.hour.len) <= KEPT
    }

    /// Ends the hour before this moment, if it did; true if a whole hour was judged.
    fn turn_hour(&mut self, m: &Moment) -> bool {
        let (hour, slot) = (m.place.hour as i32, m.place.slot as u8);
        if hour == self.at {
            return false;
        }
        let (slot_before, tainted) = (usize::from(self.slot), self.tainted > 0);
        (self.at, self.slot, self.tainted) = (hour, slot, 0);
        let place = Place { hour: 0, slot: slot_before, plain: None, part: 0.5 };
        let scale = self.profile.expect(&place).scale;
        let departure = self.hour.departure(scale);
        let Some((middle, scatter)) = self.hour.take() else { return false };
        self.hours.push(departure);
        if m.learn && !tainted {
            if self.profile.visits(slot_before) > 0 {
                self.offset += middle.clamp(-2.0 * scale, 2.0 * scale) / OFFSET_HOURS;
            }
            self.profile.learn(slot_before, middle, scatter);
            // Goes round near its end, so that what is due every so many hours stays due.
            self.learnt = self.learnt.checked_add(1).unwrap_or(u16::MAX - 3 * AGE_HOURS);
        }
        true
    }

    fn expect(&self, m: &Moment, value: f32) -> Expected {
        let expected = self.profile.expect(&m.place);
        let Some(plain) = m.place.plain else { return expected };
        let worked = self.profile.expect(&Place { slot: plain, plain: None, ..m.place });
        let far = |e: &Expected| e.distance(value - self.offset).abs() / e.scale;
        if far(&worked) < far(&expected) { worked } else { expected }
    }

    fn look(&self, m: &Moment, settings: &Settings, value: f32) -> Look {
        let expected = self.expect(m, value);
        let residual = value - self.offset - expected.line;
        let beyond = expected.distance(value - self.offset);
        let season = beyond / expected.scale.max(settings.resolution);
        let floor = self.profile.floor().max(settings.resolution);
        let jump = self.fast.departure(beyond, floor * 0.5);
        // A departure of hours that is over is no longer one.
        let lasts = self.hours.mean(3).abs() >= LASTING;
        let over = (Since::default(), Since::default());
        let (drift, shift) = if lasts { (self.hours.drift(), self.hours.shift()) } else { over };
        let run = if value == self.last { f32::from(self.run) / RUN_UNIT } else { 0.0 };
        let wanted = |statistic: f32| match settings.direction {
            Direction::Both => statistic.abs(),
            Direction::Up => statistic.max(0.0),
            Direction::Down => (-statistic).max(0.0),
        };
        Look {
            expected,
            residual,
            beyond,
            statistics: [
                wanted(season),
                wanted(jump),
                wanted(drift.statistic),
                wanted(shift.statistic),
                run,
            ],
            since: [0, 0, drift.hours, shift.hours, 0],
        }
    }

    fn judge(&self, m: &Moment, value: f32, look: &Look) -> Option<Suspect> {
        let p = |n: usize| self.tails[n].p(look.statistics[n]);
        let layer = (0..LAYERS.len()).min_by(|a, b| p(*a).total_cmp(&p(*b)))?;
        // What was always the same has no tail: how often it changes is all there is to know.
        let constant = self.profile.spread <= self.profile.centre.abs() * 1e-4;
        let p = match LAYERS[layer] {
            Layer::Frozen if constant => return None,
            // Not moved, not in the direction that matters, or by less than means something.
            _ if constant && (value == self.last || look.statistics[0] < 1.0) => return None,
            _ if constant => m.novelty,
            _ => (p(layer) * LAYERS.len() as f64).min(1.0),
        };
        let (low, high) = self.usual(&look.expected);
        let back = match LAYERS[layer] {
            Layer::Frozen => i64::from(self.run) * (f64::from(m.interval_s) * SECOND as f64) as i64,
            _ => i64::from(look.since[layer]) * HOUR,
        };
        Some(Suspect {
            layer: LAYERS[layer],
            statistic: look.statistics[layer],
            p,
            onset: m.time.saturating_sub(back),
            observed: f64::from(value),
            expected: f64::from(look.expected.line + self.offset),
            low,
            high,
        })
    }

    /// The limit that was set is passed nearly all the time; said once, until it is over.
    fn high(
        &mut self,
        m: &Moment,
        settings: &Settings,
        value: f32,
        look: &Look,
    ) -> Option<Suspect> {
        let limit = settings.high?;
        let weight = (m.hours / HIGH_HOURS).min(1.0);
        self.high_share += weight * (f32::from(u8::from(value >= limit)) - self.high_share);
        if self.high == 1 {
            self.high = u8::from(self.high_share > HIGH_OVER);
            return None;
        }
        if self.high_share < HIGH_SHARE || !m.warm {
            return None;
        }
        self.high = 1;
        Some(Suspect {
            layer: Layer::High,
            statistic: 0.0,
            p: m.novelty,
            onset: m.time.saturating_sub((f64::from(HIGH_HOURS) * 2.3 * HOUR as f64) as i64),
            observed: f64::from(value),
            expected: f64::from(look.expected.line + self.offset),
            low: f64::NEG_INFINITY,
            high: f64::from(limit),
        })
    }

    fn learn(&mut self, m: &Moment, value: f32, look: &Look, learn: bool, ended: bool) {
        self.hour.push(look.residual);
        self.fast.follow(look.beyond, learn);
        let (before, before_run) = (self.last, self.run);
        let again = value == before && before_run > 0;
        self.run = if again { self.run.saturating_add(1) } else { 1 };
        self.last = value;
        if !learn {
            (self.tainted, self.peaks) = (1, [0; 5]);
            return;
        }
        self.profile.see(value, m.hours);
        if before_run > 0 {
            self.profile.step_of((value - before).abs());
        }
        if !m.grown {
            return;
        }
        // What is learnt from first, and what went on for days without being told, is how things are.
        if ended && (!m.warm || self.learnt.is_multiple_of(EXCURSION_HOURS)) {
            (0..LAYERS.len()).for_each(|n| self.end_excursion(n));
        }
        if ended && self.learnt.is_multiple_of(AGE_HOURS) {
            self.tails.iter_mut().for_each(Tail::age);
        }
        for (n, layer) in LAYERS.iter().enumerate() {
            if ended || !matches!(layer, Layer::Drift | Layer::Shift) {
                self.tails[n].pass();
                self.excursion(n, look.statistics[n]);
            }
        }
    }

    fn excursion(&mut self, n: usize, statistic: f32) {
        match rank(statistic) {
            0 => self.end_excursion(n),
            rank => self.peaks[n] = self.peaks[n].max(rank),
        }
    }

    fn end_excursion(&mut self, n: usize) {
        self.tails[n].peak(std::mem::take(&mut self.peaks[n]));
    }

    /// An episode that nobody was told about is over: it belongs to what happens.
    pub fn learn_peak(&mut self, layer: Layer, statistic: f32) {
        if let Some(n) = LAYERS.iter().position(|l| *l == layer) {
            self.tails[n].peak(rank(statistic));
        }
    }
}

impl Fields for Metric {
    fn fields(&mut self, pass: &mut dyn Pass) {
        let p = &mut self.profile;
        walk(pass, &mut [&mut p.origin, &mut p.step, &mut p.centre, &mut p.spread, &mut p.hours]);
        walk(pass, &mut [&mut p.grain, &mut p.rest]);
        walk(pass, &mut [&mut p.levels, &mut p.spreads, &mut p.visits]);
        for tail in &mut self.tails {
            walk(pass, &mut [&mut tail.bins, &mut tail.total]);
        }
        self.peaks.fields(pass);
        let h = &mut self.hours;
        walk(pass, &mut [&mut h.ring, &mut h.len, &mut h.up, &mut h.down]);
        walk(pass, &mut [&mut h.up_for, &mut h.down_for]);
        let h = &mut self.hour;
        walk(pass, &mut [&mut h.values, &mut h.len, &mut h.stride, &mut h.skip]);
        let f = &mut self.fast;
        walk(pass, &mut [&mut f.level, &mut f.scale, &mut f.seen]);
        walk(pass, &mut [&mut self.at, &mut self.slot, &mut self.tainted, &mut self.offset]);
        walk(pass, &mut [&mut self.last, &mut self.run, &mut self.learnt]);
        walk(pass, &mut [&mut self.high_share, &mut self.high]);
    }
}
