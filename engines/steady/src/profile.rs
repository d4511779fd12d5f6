//! What is normal at each hour of the week: a level and a spread per hour, shrunk towards the same hour of
//! like days, and those towards the whole, as far as the data asks for it (empirical Bayes).
//!
//! Levels are 16-bit steps of a frame that follows the series, spreads logarithmic bytes, visits half bytes:
//! 588 bytes for a week.

use crate::time::{Place, SLOTS};

/// Steps of a level per unit of the series' own spread.
const STEPS: f32 = 64.0;
/// When the spread has this many steps or this few, levels are written anew.
const STEPS_MAX: f32 = 512.0;
const STEPS_MIN: f32 = 8.0;

/// Steps of a spread per doubling, and the byte that means one step of a level.
const SPREAD_STEPS: f32 = 16.0;
const SPREAD_ONE: f32 = 96.0;

/// Weeks that weigh in: older ones fade.
const VISITS_MAX: u8 = 15;
const MEMORY_WEEKS: f32 = 6.0;

/// Hours over which the whole's level and spread are taken: two weeks.
const MEMORY_HOURS: f32 = 336.0;

/// Hours over which departures from what was expected are taken.
const REST_HOURS: f32 = 168.0;

/// Least spread, as shares of the series' own spread and size: what is smaller than that matters to nobody.
const SPREAD_FLOOR: f32 = 0.1;
const SIZE_FLOOR: f32 = 1e-3;
const GRAIN_FLOOR: f32 = 0.5;

/// Least spread of all: its square is still a number.
const LEAST: f32 = 1e-12;

/// Mean absolute and median absolute deviation to standard deviation.
const MEAN_TO_SIGMA: f32 = 1.2533;
pub(crate) const MEDIAN_TO_SIGMA: f32 = 1.4826;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    pub origin: f32,
    pub step: f32,
    pub centre: f32,
    pub spread: f32,
    /// Hours that weigh in the two
    pub hours: f32,
    /// The smallest step between two values, 0 before there was one
    pub grain: f32,
    /// How far hours usually lie from what was expected of them
    pub rest: f32,
    pub levels: [i16; SLOTS],
    pub spreads: [u8; SLOTS],
    pub visits: [u8; SLOTS / 2],
}

/// What is expected: within an hour the value may follow the step between hours or the line between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expected {
    pub line: f32,
    pub step: f32,
    pub scale: f32,
}

impl Expected {
    /// Signed distance from what is expected, 0 between step and line.
    pub fn distance(&self, value: f32) -> f32 {
        let (low, high) = (self.line.min(self.step), self.line.max(self.step));
        if value < low {
            value - low
        } else if value > high {
            value - high
        } else {
            0.0
        }
    }
}

#[derive(Clone, Copy)]
struct Estimate {
    level: f32,
    scale: f32,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            origin: 0.0,
            step: 0.0,
            centre: 0.0,
            spread: 0.0,
            hours: 0.0,
            grain: 0.0,
            rest: 0.0,
            levels: [0; SLOTS],
            spreads: [0; SLOTS],
            visits: [0; SLOTS / 2],
        }
    }
}

impl Profile {
    /// Lets a value weigh in the whole for a share of an hour.
    pub fn see(&mut self, value: f32, hours: f32) {
        if self.hours == 0.0 {
            self.centre = value;
        }
        let weight = hours / (self.hours + hours);
        self.hours = (self.hours + hours).min(MEMORY_HOURS);
        let away = value - self.centre;
        let reach = if self.hours < 2.0 { f32::INFINITY } else { 4.0 * self.spread };
        self.centre +=
            weight * away.clamp(-reach.max(away.abs() * 0.05), reach.max(away.abs() * 0.05));
        self.spread += weight * (away.abs() * MEAN_TO_SIGMA - self.spread);
    }

    /// Two values in a row were apart by this much.
    pub fn step_of(&mut self, apart: f32) {
        let new = apart > 0.0 && (self.grain == 0.0 || apart < self.grain);
        self.grain = if new { apart } else { self.grain };
    }

    pub fn floor(&self) -> f32 {
        let whole = (SPREAD_FLOOR * self.spread).max(SIZE_FLOOR * self.centre.abs());
        // Less than a step does not happen.
        whole.max(GRAIN_FLOOR * self.grain.min(self.spread * 50.0)).max(LEAST)
    }

    pub fn visits(&self, slot: usize) -> u8 {
        (self.visits[slot / 2] >> (slot % 2 * 4)) & 15
    }

    pub fn expect(&self, place: &Place) -> Expected {
        let here = self.estimate(place.slot);
        let next = if place.part < 0.5 { SLOTS - 1 } else { 1 };
        let there = self.estimate((place.slot + next) % SLOTS);
        let share = (place.part - 0.5).abs();
        Expected {
            line: here.level + share * (there.level - here.level),
            step: here.level,
            scale: here.scale + share * (there.scale - here.scale).max(0.0),
        }
    }

    /// An hour is over: its median lay `away` from the expected level, its values scattered around it by `scatter`.
    pub fn learn(&mut self, slot: usize, away: f32, scatter: f32) {
        self.fit_frame();
        let old = self.estimate(slot);
        let weight = 1.0 / self.hours.clamp(1.0, REST_HOURS);
        self.rest += weight * (away.abs().hypot(scatter) - self.rest);
        let visits = self.visits(slot);
        let weight = 1.0 / (f32::from(visits).min(MEMORY_WEEKS - 1.0) + 1.0);
        let away = if visits < 2 { away } else { away.clamp(-4.0 * old.scale, 4.0 * old.scale) };
        let before = if visits == 0 { old.level } else { self.level(slot) };
        let level = before + weight * (old.level + away - before);
        // Of a first visit only what like days scatter by counts: the rest is the hour's own level.
        let apart = if visits == 0 { away.abs().min(self.like_days(slot).spread) } else { away };
        let scatter = scatter.hypot(apart);
        let before = if visits == 0 { scatter } else { self.spread_of(slot) };
        let spread = before + weight * (scatter - before);
        self.set(slot, level, spread, (visits + 1).min(VISITS_MAX));
    }

    /// What was learnt of an hour is from now on that of the one so many hours later.
    pub fn rotate(&mut self, hours: usize) {
        let visits = std::array::from_fn::<_, SLOTS, _>(|slot| self.visits(slot));
        self.levels.rotate_right(hours);
        self.spreads.rotate_right(hours);
        for (slot, visits) in visits.into_iter().enumerate() {
            self.set_visits((slot + hours) % SLOTS, visits);
        }
    }

    /// Forgets how sure the hours are, so that the next weeks weigh as much as all before.
    pub fn doubt(&mut self) {
        for slot in 0..SLOTS {
            let visits = self.visits(slot).min(1);
            self.set_visits(slot, visits);
        }
        self.hours = self.hours.min(24.0);
    }

    fn level(&self, slot: usize) -> f32 {
        self.origin + f32::from(self.levels[slot]) * self.step
    }

    fn spread_of(&self, slot: usize) -> f32 {
        match self.spreads[slot] {
            0 => 0.0,
            code => self.step * ((f32::from(code) - SPREAD_ONE) / SPREAD_STEPS).exp2(),
        }
    }

    fn set_visits(&mut self, slot: usize, visits: u8) {
        let pair = &mut self.visits[slot / 2];
        let shift = slot % 2 * 4;
        *pair = (*pair & !(15 << shift)) | (visits << shift);
    }

    fn set(&mut self, slot: usize, level: f32, spread: f32, visits: u8) {
        let steps = ((level - self.origin) / self.step).round();
        self.levels[slot] = steps as i16; // saturates
        let code = (spread / self.step).log2() * SPREAD_STEPS + SPREAD_ONE;
        self.spreads[slot] = if spread > 0.0 { code.round().clamp(1.0, 255.0) as u8 } else { 0 };
        self.set_visits(slot, visits);
    }

    /// Keeps the frame of the levels in proportion to the series.
    fn fit_frame(&mut self) {
        let spread = self.spread.max(self.floor());
        let steps = spread / self.step;
        let far = (self.centre - self.origin).abs() > 256.0 * spread;
        if self.step > 0.0 && (STEPS_MIN..=STEPS_MAX).contains(&steps) && !far {
            return;
        }
        let kept = std::array::from_fn::<_, SLOTS, _>(|s| (self.level(s), self.spread_of(s)));
        self.origin = self.centre;
        self.step = spread / STEPS;
        for (slot, (level, spread)) in kept.into_iter().enumerate() {
            self.set(slot, level, spread, self.visits(slot));
        }
    }

    /// The hour's own data, drawn towards the same hour of like days, and those towards the whole.
    fn estimate(&self, slot: usize) -> Estimate {
        let floor = self.floor();
        let whole = Estimate { level: self.centre, scale: self.spread.max(floor) };
        let days = self.like_days(slot);
        if days.visits == 0.0 {
            // Days off may be like others; how much is not known.
            let other = self.like_days((slot + if slot < 120 { 120 } else { 48 }) % SLOTS);
            let level = if other.visits > 0.0 { other.level } else { whole.level };
            return Estimate { level, ..whole };
        }
        let noise = square(days.spread.max(floor));
        let between = (square(whole.scale) - noise).max(0.02 * square(whole.scale));
        let pull = (noise / between).clamp(0.05, 8.0);
        let mid = (days.visits * days.level + pull * whole.level) / (days.visits + pull);
        let n = f32::from(self.visits(slot));
        let pull = (noise / days.between.max(0.05 * noise)).clamp(0.2, 8.0);
        let own = if n > 0.0 { self.level(slot) } else { mid };
        let level = (n * own + pull * mid) / (n + pull);
        // Little data scatters too little: days and the whole say how much is usual.
        let like = days.visits.min(2.0);
        let spread = n * square(self.spread_of(slot)) + like * noise + square(self.rest);
        let spread = spread / (n + like + 1.0);
        // Where the hour itself was not seen yet, like days may still differ.
        let unknown = if n == 0.0 { days.between } else { 0.0 } + noise / (n + days.visits);
        Estimate { level, scale: (spread + unknown).sqrt().max(floor) }
    }

    fn like_days(&self, slot: usize) -> LikeDays {
        let (day, hour) = (slot / 24, slot % 24);
        let days = if day < 5 { 0..5 } else { 5..7 };
        let (mut visits, mut level, mut spread) = (0.0, 0.0, 0.0);
        for day in days.clone() {
            let slot = day * 24 + hour;
            let n = f32::from(self.visits(slot));
            visits += n;
            level += n * self.level(slot);
            spread += n * square(self.spread_of(slot));
        }
        if visits == 0.0 {
            return LikeDays { visits, level, spread, between: 0.0 };
        }
        level /= visits;
        let between = days.map(|day| {
            let slot = day * 24 + hour;
            f32::from(self.visits(slot)) * square(self.level(slot) - level)
        });
        let between = between.sum::<f32>() / visits;
        LikeDays { visits, level, spread: (spread / visits).sqrt(), between }
    }
}

struct LikeDays {
    visits: f32,
    level: f32,
    spread: f32,
    /// Variance of the days' levels
    between: f32,
}

fn square(x: f32) -> f32 {
    x * x
}

/// The median; the values are left in another order.
pub(crate) fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let upper = *upper;
    if odd {
        return upper;
    }
    let lower = below.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    lower + (upper - lower) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(slot: usize, part: f32) -> Place {
        Place { hour: 0, slot, plain: None, part }
    }

    /// Teaches weeks in which the level is `of(slot)`.
    fn taught(weeks: usize, of: impl Fn(usize) -> f32) -> Profile {
        let mut profile = Profile::default();
        for slot in (0..weeks * SLOTS).map(|n| n % SLOTS) {
            profile.see(of(slot), 1.0);
            let expected = profile.expect(&place(slot, 0.5));
            profile.learn(slot, of(slot) - expected.line, 1.0);
        }
        profile
    }

    #[test]
    fn an_hour_of_the_week_has_its_own_level() {
        let of = |slot: usize| {
            if slot / 24 == 2 && slot % 24 == 3 { 500.0 } else { 100.0 + slot as f32 }
        };
        let profile = taught(4, of);
        for slot in [0, 30, 51, 100, 167] {
            let level = profile.expect(&place(slot, 0.5)).line;
            assert!((level - of(slot)).abs() < 15.0, "{slot}: {level} for {}", of(slot));
        }
    }

    #[test]
    fn an_hour_never_seen_is_taken_from_like_days() {
        let mut profile = Profile::default();
        for slot in 0..48 {
            let value = (slot % 24) as f32 * 10.0;
            profile.see(value, 1.0);
            let expected = profile.expect(&place(slot, 0.5));
            profile.learn(slot, value - expected.line, 1.0);
        }
        let wednesday = profile.expect(&place(48 + 20, 0.5));
        assert!((wednesday.line - 200.0).abs() < 15.0, "{}", wednesday.line);
        let sunday = profile.expect(&place(6 * 24 + 20, 0.5));
        assert!(sunday.scale > 3.0 * wednesday.scale, "nothing is known of days off");
    }

    #[test]
    fn the_frame_follows_a_series_that_grows_a_thousandfold() {
        let mut profile = taught(2, |slot| slot as f32);
        profile.doubt();
        for slot in (0..4 * SLOTS).map(|n| n % SLOTS) {
            let value = 1e6 + 1000.0 * slot as f32;
            profile.see(value, 1.0);
            let expected = profile.expect(&place(slot, 0.5));
            profile.learn(slot, value - expected.line, 1000.0);
        }
        let level = profile.expect(&place(80, 0.5)).line;
        assert!((level - 1.08e6).abs() < 3e5, "{level}");
    }

    #[test]
    fn between_hours_step_and_line_are_both_expected() {
        let profile = taught(4, |slot| if slot % 24 < 12 { 0.0 } else { 100.0 });
        let early = profile.expect(&place(12, 0.1));
        assert!(early.line < 65.0 && early.step > 90.0);
        assert_eq!(early.distance(75.0), 0.0);
        assert!(early.distance(120.0) > 10.0 && early.distance(20.0) < -10.0);
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
