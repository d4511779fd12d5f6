//! The last hours of a series: its level just now, its cumulated departures, the change point among them.

use crate::profile::{MEDIAN_TO_SIGMA, median};

/// Hours in which a change point is looked for.
pub(crate) const RING: usize = 40;
/// Hours that either side of a change point needs.
const BEFORE_MIN: usize = 12;
const AFTER_MIN: usize = 3;
/// Steps of a kept departure per standard deviation.
const RING_STEPS: f32 = 8.0;

/// Values of an hour that are kept; of more, every second, fourth and so on.
pub(crate) const KEPT: usize = 10;

/// Departures smaller than this, in standard deviations of an observation, are no drift.
const SLACK: f32 = 0.5;
/// Departures larger than this are the other layers' to find.
const CLIP: f32 = 4.0;
const CUSUM_MAX: f32 = 500.0;

/// A sum over more hours begins anew: what wanders would never end.
const SUM_HOURS: u16 = 72;

/// How much of a new value enters the level just now.
const FAST_WEIGHT: f32 = 0.15;
const FAST_MEMORY: f32 = 256.0;

/// The residuals of the current hour, thinned evenly.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hour {
    pub values: [f32; KEPT],
    pub len: u8,
    pub stride: u16,
    pub skip: u16,
}

impl Hour {
    pub fn push(&mut self, value: f32) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        if usize::from(self.len) == KEPT {
            for n in 0..KEPT / 2 {
                self.values[n] = self.values[2 * n];
            }
            self.len = (KEPT / 2) as u8;
            self.stride = (self.stride * 2 + 1).min(16_383);
        }
        self.values[usize::from(self.len)] = value;
        self.len += 1;
        self.skip = self.stride;
    }

    /// The median so far.
    pub fn middle(&self) -> Option<f32> {
        let mut values = self.values;
        let values = &mut values[..usize::from(self.len)];
        if values.is_empty() { None } else { Some(median(values)) }
    }

    /// The mean departure in units of `scale`; no single value says more than four.
    pub fn departure(&self, scale: f32) -> f32 {
        let values = &self.values[..usize::from(self.len)];
        let sum: f32 = values.iter().map(|v| (v / scale).clamp(-CLIP, CLIP)).sum();
        sum / f32::from(self.len.max(1))
    }

    /// Median and scatter around it, and an empty hour after.
    pub fn take(&mut self) -> Option<(f32, f32)> {
        let middle = self.middle()?;
        let Hour { mut values, len, .. } = std::mem::take(self);
        let values = &mut values[..usize::from(len)];
        values.iter_mut().for_each(|v| *v = (*v - middle).abs());
        Some((middle, median(values) * MEDIAN_TO_SIGMA))
    }
}

/// The level just now of what lies beyond expectation, and how much they move from one to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fast {
    pub level: f32,
    pub scale: f32,
    pub seen: u16,
}

impl Fast {
    /// Signed departure from the level just now, in units of the usual movement.
    pub fn departure(&self, value: f32, floor: f32) -> f32 {
        if self.seen < 8 { 0.0 } else { (value - self.level) / self.scale.max(floor) }
    }

    pub fn follow(&mut self, value: f32, learn: bool) {
        if self.seen == 0 {
            self.level = value;
        }
        let away = (value - self.level).abs();
        if learn {
            let weight = 1.0 / (f32::from(self.seen) + 1.0).min(FAST_MEMORY);
            let most = if self.seen < 8 { f32::INFINITY } else { 4.0 * self.scale };
            // A scale of zero could not grow by multiples of itself.
            let most = most.max(away * 0.1);
            self.scale += weight * (away.min(most) * 1.2533 - self.scale);
        }
        self.seen = self.seen.saturating_add(1);
        self.level += FAST_WEIGHT * (value - self.level);
    }

    /// After a gap there is no level just before.
    pub fn forget(&mut self) {
        self.seen = self.seen.min(1);
        self.level = 0.0;
    }
}

/// Departures of whole hours, in standard deviations of an observation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hours {
    pub ring: [i8; RING],
    pub len: u8,
    pub up: f32,
    pub down: f32,
    /// Hours since which the sums have not been zero
    pub up_for: u16,
    pub down_for: u16,
}

impl Default for Hours {
    fn default() -> Hours {
        Hours { ring: [0; RING], len: 0, up: 0.0, down: 0.0, up_for: 0, down_for: 0 }
    }
}

/// A statistic of hours: how large, in which direction, since how many hours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Since {
    pub statistic: f32,
    pub hours: u16,
}

impl Hours {
    pub fn push(&mut self, departure: f32) {
        self.ring.copy_within(1.., 0);
        self.ring[RING - 1] = (departure * RING_STEPS).round() as i8; // saturates
        self.len = (self.len + 1).min(RING as u8);
        let clipped = departure.clamp(-CLIP, CLIP);
        (self.up, self.up_for) = sum(self.up, self.up_for, clipped);
        (self.down, self.down_for) = sum(self.down, self.down_for, -clipped);
    }

    /// The larger of both cumulated sums, signed.
    pub fn drift(&self) -> Since {
        if self.up >= self.down {
            Since { statistic: self.up, hours: self.up_for }
        } else {
            Since { statistic: -self.down, hours: self.down_for }
        }
    }

    /// The split of the last hours into two levels that says most (likelihood ratio over all splits).
    pub fn shift(&self) -> Since {
        let len = usize::from(self.len);
        let hours = &self.ring[RING - len..];
        let mut best = Since::default();
        if len < BEFORE_MIN + AFTER_MIN {
            return best;
        }
        let all: i32 = hours.iter().map(|v| i32::from(*v)).sum();
        let mut after = 0;
        for (n, value) in hours.iter().rev().enumerate().take(len - BEFORE_MIN) {
            after += i32::from(*value);
            let (k, rest) = ((n + 1) as f32, (len - n - 1) as f32);
            let apart = after as f32 / k - (all - after) as f32 / rest;
            let statistic = apart / RING_STEPS * (k * rest / len as f32).sqrt();
            if n + 1 >= AFTER_MIN && statistic.abs() > best.statistic.abs() {
                best = Since { statistic, hours: (n + 1) as u16 };
            }
        }
        best
    }

    /// Mean departure of the last hours.
    pub fn mean(&self, hours: u16) -> f32 {
        let len = usize::from(hours).clamp(1, usize::from(self.len).max(1));
        let sum: i32 = self.ring[RING - len..].iter().map(|v| i32::from(*v)).sum();
        sum as f32 / RING_STEPS / len as f32
    }
}

fn sum(sum: f32, hours: u16, departure: f32) -> (f32, u16) {
    if hours >= SUM_HOURS {
        return (0.0, 0);
    }
    let sum = (sum + departure - SLACK).clamp(0.0, CUSUM_MAX);
    (sum, if sum > 0.0 { hours.saturating_add(1) } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    #[test]
    fn an_hour_keeps_its_median_whatever_its_length() {
        for count in [1, 2, 10, 11, 60, 3_600] {
            let mut hour = Hour::default();
            (0..count).for_each(|n| hour.push(n as f32));
            let (middle, _) = hour.take().unwrap();
            let truth = (count - 1) as f32 / 2.0;
            assert!((middle - truth).abs() <= 0.12 * count as f32, "{count}: {middle}");
            assert_eq!(hour.take(), None);
        }
    }

    #[test]
    fn a_change_point_is_where_the_level_changed() {
        let (mut hours, mut noise) = (Hours::default(), Noise::new(3));
        (0..32).for_each(|_| hours.push(noise.normal() as f32));
        assert!(hours.shift().statistic.abs() < 4.5);
        (0..8).for_each(|_| hours.push(3.0 + noise.normal() as f32));
        let shift = hours.shift();
        assert!(shift.statistic > 5.5 && (5..=9).contains(&shift.hours), "{shift:?}");
        assert!((hours.mean(8) - 3.0).abs() < 1.0);
    }

    #[test]
    fn drift_says_since_when() {
        let mut hours = Hours::default();
        (0..20).for_each(|_| hours.push(0.0));
        (0..10).for_each(|_| hours.push(-1.0));
        assert_eq!(hours.drift(), Since { statistic: -5.0, hours: 10 });
    }

    #[test]
    fn a_jump_is_measured_by_the_usual_movement() {
        let (mut fast, mut noise) = (Fast::default(), Noise::new(5));
        (0..500).for_each(|_| fast.follow(noise.normal() as f32, true));
        assert!((0.8..1.6).contains(&fast.scale), "{}", fast.scale);
        assert!(fast.departure(10.0, 0.01) > 6.0);
        fast.forget();
        assert_eq!(fast.departure(10.0, 0.01), 0.0);
    }
}
