//! One series looked at more closely than a fleet can afford: against the same time of the last seven days, and
//! against the shapes that it had.
//!
//! Each view gives a departure for every value: the distance to the nearest of the values around the same time of day
//! in the last week, the means of that distance over two longer spans, and how far the last values lie from the second
//! nearest of the shapes that were kept (conformal nearest neighbours). Each departure becomes a p-value by what it was
//! before in this series, by peaks of excursions with a generalised Pareto tail, so that one threshold fits all series.
//! The score of a value is the sum of the negative logarithms over all views, by the root of their number.
//!
//! # Laws
//! - Nothing is told while learning, nor for some time after an alarm; each alarm that was told makes the next one
//!   dearer for a while, since nobody said that it was right.
//! - Everything is learnt, also what was told: whoever wants to freeze learning takes [`crate::Series`].
//! - A scorer takes [`SCORER_BYTES_MAX`] bytes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::{DAY, HOUR, MINUTE, Micros, SECOND, TIME_MAX_US};

pub const SCORER_BYTES_MAX: usize = 32 << 10;

/// What is beyond is no measure of anything.
const VALUE_MAX: f64 = 1e17;

/// The week that is remembered, in steps, and how far around the same time is looked.
const STEP: Micros = 5 * MINUTE;
const DAYS: i64 = 7;
const AROUND: i64 = 6;
const STEPS: usize = (DAYS * DAY / STEP + AROUND + 1) as usize;

/// Values over which the distance to the week is averaged.
const SPANS: [usize; 2] = [12, 48];

/// A shape is the last values as so many means; every fourth is kept, once it no longer overlaps with now.
const SHAPE_VALUES: usize = 24;
const SHAPE: usize = 8;
const SHAPE_EVERY: u32 = 4;
const SHAPES_MAX: usize = 400;
const SHAPES_WAIT: usize = SHAPE_VALUES / SHAPE_EVERY as usize + 1;

const VIEWS: usize = 2 + SPANS.len();

/// How alarms are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telling {
    /// Values that are only learnt from
    pub learn: u32,
    /// What scores at least as much is told
    pub threshold: f64,
    /// Values after an alarm in which there is no other
    pub rest: u32,
    /// By what share each alarm that is remembered raises the threshold, and the values after which half is forgotten
    pub dearer: f64,
    pub half_life: f64,
}

impl Default for Telling {
    fn default() -> Telling {
        Telling { learn: 576, threshold: 2.4, rest: 150, dearer: 0.5, half_life: 3_000.0 }
    }
}

/// A value as it was judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Sum of the rarities of all views, by the root of their number
    pub score: f64,
    /// It is told
    pub is_alarm: bool,
    /// The value of the week before that lies nearest
    pub expected: f64,
}

/// State of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scorer {
    /// Means of the steps of a week, NaN where there was no value; how many values the last one has
    week: Vec<f32>,
    step: i64,
    step_count: u32,
    level: f64,
    interval: f64,
    last: Micros,
    seen: u32,
    residuals: VecDeque<f32>,
    values: VecDeque<f32>,
    waiting: VecDeque<[f32; SHAPE]>,
    shapes: VecDeque<[f32; SHAPE]>,
    until_shape: u32,
    rarities: [Rarity; VIEWS],
    bell: Bell,
}

impl Default for Scorer {
    fn default() -> Scorer {
        Scorer {
            week: vec![f32::NAN; STEPS],
            step: 0,
            step_count: 0,
            level: 0.0,
            interval: 0.0,
            last: Micros::MIN,
            seen: 0,
            residuals: VecDeque::new(),
            values: VecDeque::new(),
            waiting: VecDeque::new(),
            shapes: VecDeque::new(),
            until_shape: 0,
            rarities: Default::default(),
            bell: Bell::default(),
        }
    }
}

impl Scorer {
    pub fn new() -> Scorer {
        Scorer::default()
    }

    /// Judges a value and learns it; `None` for what is no number or does not come after the value before.
    pub fn observe(&mut self, time: Micros, value: f64, telling: &Telling) -> Option<Scored> {
        if !value.is_finite() || value.abs() > VALUE_MAX || time <= self.last {
            return None;
        }
        if time.abs() > TIME_MAX_US {
            return None;
        }
        self.advance(time);
        let residual = self.residual(time, value);
        push(&mut self.residuals, residual as f32, SPANS[SPANS.len() - 1]);
        push(&mut self.values, value as f32, SHAPE_VALUES);
        let departures = self.departures(residual);
        let mut score = 0.0;
        for (rarity, departure) in self.rarities.iter_mut().zip(departures) {
            score += departure.map_or(0.0, |departure| rarity.score(departure));
        }
        self.learn(value);
        let score = score / (VIEWS as f64).sqrt();
        let is_alarm = self.bell.rings(score, telling);
        Some(Scored { score, is_alarm, expected: value - residual })
    }

    /// What passes between two values: steps of the week without any, and a pause after which nothing is just before.
    fn advance(&mut self, time: Micros) {
        let step = time.div_euclid(STEP);
        if self.seen > 0 {
            let elapsed = time.saturating_sub(self.last);
            let seconds = elapsed as f64 / SECOND as f64;
            if elapsed > HOUR && seconds > 6.0 * self.interval && self.seen > 1 {
                self.residuals.clear();
                self.values.clear();
                self.waiting.clear();
            } else {
                let weight = if self.seen == 1 { 1.0 } else { 0.05 };
                self.interval += weight * (seconds - self.interval);
            }
            let passed = (step - self.step).clamp(0, STEPS as i64);
            for n in 0..passed {
                self.week[place(step - n)] = f32::NAN;
            }
        }
        self.step_count = if step == self.step && self.seen > 0 { self.step_count } else { 0 };
        (self.step, self.last) = (step, time);
    }

    /// The distance to the nearest value around the same time of the last seven days; before there are any, to the
    /// level of about a day.
    fn residual(&self, time: Micros, value: f64) -> f64 {
        let around = AROUND.max((self.interval * SECOND as f64 / STEP as f64).round() as i64);
        let now = time.div_euclid(STEP);
        let mut nearest = f64::INFINITY;
        for day in 1..=DAYS {
            let back = now - day * (DAY / STEP);
            for step in back - around..=back + around {
                let is_kept = step < now && now - step < STEPS as i64;
                let away = value - f64::from(self.week[place(step)]);
                if is_kept && away.abs() < nearest.abs() {
                    nearest = away;
                }
            }
        }
        match (nearest.is_finite(), self.seen) {
            (true, _) => nearest,
            (false, 0) => 0.0,
            (false, _) => value - self.level,
        }
    }

    fn departures(&self, residual: f64) -> [Option<f64>; VIEWS] {
        let mean = |span: usize| {
            let count = span.min(self.residuals.len());
            let sum: f64 = self.residuals.iter().rev().take(span).map(|r| f64::from(*r)).sum();
            (count > 0).then(|| (sum / count as f64).abs())
        };
        [Some(residual.abs()), mean(SPANS[0]), mean(SPANS[1]), self.strangeness()]
    }

    /// The last values as means, once there are enough.
    fn shape(&self) -> Option<[f32; SHAPE]> {
        let each = SHAPE_VALUES / SHAPE;
        let of = |n: usize| self.values.iter().skip(n * each).take(each).sum::<f32>() / each as f32;
        (self.values.len() == SHAPE_VALUES).then(|| std::array::from_fn(of))
    }

    /// Mean distance of the shape just now from the second nearest of those that were kept.
    fn strangeness(&self) -> Option<f64> {
        let shape = self.shape()?;
        let mut nearest = [f32::INFINITY; 2];
        for kept in &self.shapes {
            let away: f32 = kept.iter().zip(&shape).map(|(a, b)| (a - b).abs()).sum();
            if away < nearest[0] {
                nearest = [away, nearest[0]];
            } else if away < nearest[1] {
                nearest[1] = away;
            }
        }
        nearest[1].is_finite().then_some(f64::from(nearest[1]) / SHAPE as f64)
    }

    fn learn(&mut self, value: f64) {
        let of_a_day = (self.interval * SECOND as f64 / DAY as f64).clamp(1e-6, 1.0);
        let weight = of_a_day.max(1.0 / (f64::from(self.seen) + 1.0));
        self.level += weight * (value - self.level);
        self.step_count += 1;
        let mean = &mut self.week[place(self.step)];
        let before = if self.step_count == 1 { value as f32 } else { *mean };
        *mean = before + (value as f32 - before) / self.step_count as f32;
        self.seen = self.seen.saturating_add(1);
        if self.until_shape > 0 {
            self.until_shape -= 1;
            return;
        }
        let Some(shape) = self.shape() else { return };
        self.until_shape = SHAPE_EVERY - 1;
        self.waiting.push_back(shape);
        if self.waiting.len() > SHAPES_WAIT
            && let Some(shape) = self.waiting.pop_front()
        {
            push(&mut self.shapes, shape, SHAPES_MAX);
        }
    }
}

/// What was told of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bell {
    seen: u32,
    /// Alarms as they are remembered, and when the last one was
    alarms: f64,
    last: Option<u32>,
}

impl Bell {
    /// Whether the next value's score is told.
    pub fn rings(&mut self, score: f64, telling: &Telling) -> bool {
        self.seen = self.seen.saturating_add(1);
        self.alarms *= (-1.0 / telling.half_life.max(1.0)).exp2();
        let wanted = telling.threshold * (1.0 + telling.dearer * self.alarms);
        let rests = self.last.is_some_and(|last| self.seen - last < telling.rest);
        let is_alarm = self.seen > telling.learn && !rests && score >= wanted;
        if is_alarm {
            (self.alarms, self.last) = (self.alarms + 1.0, Some(self.seen));
        }
        is_alarm
    }
}

fn place(step: i64) -> usize {
    step.rem_euclid(STEPS as i64) as usize
}

fn push<T>(ring: &mut VecDeque<T>, value: T, most: usize) {
    ring.push_back(value);
    if ring.len() > most {
        ring.pop_front();
    }
}

const BINS: usize = 30;
const RATIO: f64 = 1.3;
/// The tail is fitted above the highest bin that at least so many peaks reached.
const FIT_MIN: f64 = 10.0;
/// Priors of the mean logarithmic exceedance and of the tail's shape, and their weights.
const LOG: (f64, f64) = (1.0 / 3.0, 4.0);
const TAIL: (f64, f64) = (0.15, 20.0);
const TAIL_RANGE: (f64, f64) = (0.05, 1.0);
/// Values after which anything is said, and over which the scale is taken.
const WARM: f64 = 20.0;
const MEMORY: f64 = 3_000.0;
/// From so many scales on it is an excursion; no single value says more of the scale than so many.
const EXCURSION: f64 = 1.5;
const CLIP: f64 = 8.0;

/// How often a departure was as large as this, in finer steps than a fleet's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Rarity {
    bins: [f32; BINS],
    total: f64,
    scale: f64,
    seen: f64,
    peak: f64,
}

impl Rarity {
    /// The negative decimal logarithm of how often it was as large; then it is learnt.
    fn score(&mut self, departure: f64) -> f64 {
        let is_warm = self.seen >= WARM;
        let scale = self.scale.max(1e-9);
        let size = departure / scale / EXCURSION;
        let score = if is_warm { -self.p(size).log10() } else { 0.0 };
        // A scale of nothing could not grow by multiples of itself.
        let most = if self.scale == 0.0 { CLIP * scale + 0.02 * departure } else { CLIP * scale };
        let learnt = if is_warm { departure.min(most) } else { departure };
        self.scale += (learnt - self.scale) / (self.seen + 1.0).min(MEMORY);
        self.seen += 1.0;
        if is_warm {
            self.total += 1.0;
            self.excursion(size);
        }
        score.max(0.0)
    }

    fn excursion(&mut self, size: f64) {
        if size >= 1.0 {
            self.peak = self.peak.max(size);
        } else if self.peak > 0.0 {
            let bin = (self.peak.ln() / RATIO.ln()) as usize;
            self.bins[bin.min(BINS - 1)] += 1.0;
            self.peak = 0.0;
        }
    }

    fn p(&self, size: f64) -> f64 {
        if size.is_nan() || size < 1.0 {
            return 1.0;
        }
        let size = size.min(edge(BINS) * 100.0);
        let bin = (0..BINS).rev().find(|bin| self.above(*bin) >= FIT_MIN).unwrap_or(0);
        let (from, count) = (edge(bin), self.above(bin));
        if size < from {
            let place = size.ln() / RATIO.ln();
            let bin = (place as usize).min(BINS - 1);
            let (here, next) = (self.share(self.above(bin)), self.share(self.above(bin + 1)));
            return here * (next / here).powf(place - bin as f64);
        }
        let (mut log, mut square) = (0.0, 0.0);
        for (n, peaks) in self.bins[bin..].iter().enumerate() {
            let middle = (n as f64 + 0.5) * RATIO.ln();
            log += f64::from(*peaks) * middle;
            square += f64::from(*peaks) * (middle * middle + RATIO.ln().powi(2) / 12.0);
        }
        let mean = (log + LOG.0 * LOG.1) / (count + LOG.1);
        let seen =
            if count > 0.0 && square > 0.0 { moment(log / count, square / count) } else { 0.0 };
        let shape = (count * seen + TAIL.0 * TAIL.1) / (count + TAIL.1);
        let shape = shape.clamp(TAIL_RANGE.0, TAIL_RANGE.1);
        self.share(count) * (1.0 + shape * (size - from) / (from * mean)).powf(-1.0 / shape)
    }

    fn above(&self, bin: usize) -> f64 {
        self.bins[bin.min(BINS)..].iter().map(|peaks| f64::from(*peaks)).sum()
    }

    fn share(&self, count: f64) -> f64 {
        (count + 0.5) / (self.total + 1.0)
    }
}

fn edge(bin: usize) -> f64 {
    RATIO.powi(bin as i32)
}

/// Shape of the tail, of the mean and the mean square of logarithmic exceedances (Dekkers, Einmahl and de Haan 1989).
fn moment(mean: f64, square: f64) -> f64 {
    let rest = 1.0 - mean * mean / square;
    if rest > 0.0 { mean + 1.0 - 0.5 / rest } else { 0.1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    const MONDAY: Micros = 1_775_401_200_000_000;

    fn daily(n: i64, noise: &mut Noise) -> f64 {
        let hour = n / 12 % 24;
        (if (9..18).contains(&hour) { 60.0 } else { 20.0 }) + noise.normal()
    }

    /// Rows of alarms, of values every five minutes.
    fn alarms(days: i64, of: impl Fn(i64, f64) -> f64) -> Vec<i64> {
        let (mut scorer, mut noise) = (Scorer::new(), Noise::new(4));
        let mut found = Vec::new();
        for n in 0..days * 288 {
            let value = of(n, daily(n, &mut noise));
            let scored = scorer.observe(MONDAY + n * STEP, value, &Telling::default()).unwrap();
            found.extend(scored.is_alarm.then_some(n));
        }
        assert!(bytes(&scorer) <= SCORER_BYTES_MAX, "{}", bytes(&scorer));
        found
    }

    fn bytes(scorer: &Scorer) -> usize {
        let rings = scorer.residuals.capacity() + scorer.values.capacity() + scorer.week.capacity();
        let shapes = scorer.shapes.capacity() + scorer.waiting.capacity();
        size_of::<Scorer>() + 4 * rings + 4 * SHAPE * shapes
    }

    #[test]
    fn a_day_that_is_missing_is_found_and_quiet_weeks_are_not() {
        let quiet = alarms(28, |_, value| value);
        assert!(quiet.len() <= 2, "{quiet:?}");
        // The fifteenth day has no working hours.
        let idle = |n: i64, value: f64| if n / 288 == 14 { value.min(21.0) } else { value };
        let found = alarms(16, idle);
        assert!(found.iter().any(|n| (14 * 288 + 108..15 * 288).contains(n)), "{found:?}");
    }

    #[test]
    fn a_shape_that_never_was_is_found_within_usual_values() {
        let saw = |n: i64, value: f64| {
            let is_odd = (10 * 288 + 12..10 * 288 + 72).contains(&n);
            if is_odd { 20.0 + 20.0 * (n % 2) as f64 } else { value }
        };
        let found = alarms(12, saw);
        assert!(found.iter().any(|n| (10 * 288..10 * 288 + 84).contains(n)), "{found:?}");
    }

    #[test]
    fn an_alarm_makes_the_next_one_dearer_for_a_while() {
        let telling = Telling { learn: 0, threshold: 2.4, rest: 10, dearer: 0.5, half_life: 100.0 };
        let mut bell = Bell::default();
        let rung: Vec<usize> = (0..400).filter(|_| bell.rings(3.0, &telling)).collect();
        // 2.4 × (1 + 0.5 / 2) is 3: one half-life later.
        assert!(rung[0] == 0 && (100..=101).contains(&rung[1]), "{rung:?}");
        assert!(rung[2] > 220, "two are remembered: {rung:?}");
        let mut bell = Bell::default();
        let rung =
            (0..40).filter(|n| bell.rings(if *n == 12 { 9.0 } else { 3.0 }, &telling)).count();
        assert_eq!(rung, 2, "what is much rarer is told all the same");
    }

    #[test]
    fn learning_and_rest_are_kept_and_hostile_values_refused() {
        let (mut scorer, telling) = (Scorer::new(), Telling::default());
        for bad in [f64::NAN, f64::INFINITY, 1e18] {
            assert_eq!(scorer.observe(0, bad, &telling), None);
        }
        assert!(scorer.observe(10, 1.0, &telling).is_some());
        for time in [10, 9, Micros::MIN, Micros::MAX] {
            assert_eq!(scorer.observe(time, 1.0, &telling), None);
        }
        let found = alarms(3, |n, value| if n % 50 == 0 { 1e6 } else { value });
        let pauses = found.windows(2).all(|pair| pair[1] - pair[0] >= 150);
        assert!(found.iter().all(|n| *n >= 576) && pauses, "{found:?}");
    }

    #[test]
    fn a_snapshot_goes_on() {
        let (mut scorer, mut noise) = (Scorer::new(), Noise::new(9));
        for n in 0..3_000 {
            scorer.observe(MONDAY + n * STEP, daily(n, &mut noise), &Telling::default());
        }
        let bytes = postcard::to_allocvec(&scorer).unwrap();
        let mut again: Scorer = postcard::from_bytes(&bytes).unwrap();
        let next = MONDAY + 3_000 * STEP;
        let telling = Telling::default();
        assert_eq!(again.observe(next, 99.0, &telling), scorer.observe(next, 99.0, &telling));
    }
}
