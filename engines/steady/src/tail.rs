//! How often a statistic was as large as this: counts in logarithmic bins, a generalised Pareto tail above
//! them.
//!
//! Every layer learns the tail of its own statistic, so that a p-value says how rare a value is in *this*
//! series and not under a normal distribution. Above the highest percentile that was seen often enough the
//! tail is fitted by moments of logarithms (Dekkers, Einmahl and de Haan 1989), drawn towards a prior while
//! there is little to go by.
//!
//! A statistic above 1 is an excursion, and only its peak is counted, when it is over: values that follow each
//! other are no independent witnesses, and what creeps up would otherwise teach its own tail on the way.

pub(crate) const BINS: usize = 12;

/// Width of a bin: twelve of them reach from 1 to 281.
const RATIO: f32 = 1.6;

/// Beyond so many the counts are halved: what is old fades.
const TOTAL_MAX: u32 = 60_000;

/// Fewer do not fade with time.
const AGED_MIN: u32 = 2_000;

/// The tail is fitted above the highest bin that at least so many values reached.
const FIT_MIN: u32 = 30;

/// The prior of the mean logarithmic exceedance, and how many exceedances it weighs as much as.
const PRIOR_COUNT: f64 = 4.0;
const PRIOR_LOG: f64 = 1.0 / 3.0;

/// The prior of the tail's shape: a little heavier than a normal distribution's.
const SHAPE_COUNT: f64 = 20.0;
const SHAPE: f64 = 0.15;
const SHAPE_MIN: f64 = 0.1;
const SHAPE_MAX: f64 = 1.0;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tail {
    pub bins: [u16; BINS],
    pub total: u32,
}

fn edge(bin: usize) -> f64 {
    f64::from(RATIO).powi(bin as i32)
}

/// 0 for what is no excursion, else the bin, counted from 1.
pub(crate) fn rank(statistic: f32) -> u8 {
    if statistic >= 1.0 {
        1 + ((statistic.ln() / RATIO.ln()) as usize).min(BINS - 1) as u8
    } else {
        0
    }
}

impl Tail {
    /// One more value, of which only the peak of its excursion counts.
    pub fn pass(&mut self) {
        if self.total >= TOTAL_MAX {
            self.fade();
        }
        self.total += 1;
    }

    /// Two weeks are over: what was learnt while little was known weighs half.
    pub fn age(&mut self) {
        if self.total >= AGED_MIN {
            self.fade();
        }
    }

    fn fade(&mut self) {
        self.total /= 2;
        self.bins.iter_mut().for_each(|n| *n /= 2);
    }

    /// An excursion is over whose largest value lay at this rank.
    pub fn peak(&mut self, rank: u8) {
        if let Some(bin) = usize::from(rank).checked_sub(1) {
            let bin = &mut self.bins[bin.min(BINS - 1)];
            *bin = bin.saturating_add(1);
        }
    }

    /// How often a value at least as large is to be expected, per value.
    pub fn p(&self, statistic: f32) -> f64 {
        if statistic.is_nan() || statistic < 1.0 {
            return 1.0;
        }
        // Beyond the last bin nothing is told apart.
        let s = f64::from(statistic).min(edge(BINS - 1));
        let fit = self.fit();
        if s >= fit.from {
            return fit.p(s);
        }
        let place = s.ln() / f64::from(RATIO).ln();
        let bin = (place as usize).min(BINS - 1);
        let (here, next) = (self.share(self.above(bin)), self.share(self.above(bin + 1)));
        here * (next / here).powf(place - bin as f64)
    }

    /// The value that is reached as rarely as `p`.
    pub fn quantile(&self, p: f64) -> f32 {
        let fit = self.fit();
        if p <= fit.share {
            return fit.quantile(p) as f32;
        }
        // Between two edges shares fall evenly, on both logarithmic scales.
        let below = (0..BINS).rev().find(|bin| self.share(self.above(*bin)) >= p);
        let Some(bin) = below else { return 1.0 };
        let (here, next) = (self.share(self.above(bin)), self.share(self.above(bin + 1)));
        (edge(bin) * f64::from(RATIO).powf((here / p).ln() / (here / next).ln())) as f32
    }

    fn above(&self, bin: usize) -> u32 {
        self.bins[bin.min(BINS)..].iter().map(|n| u32::from(*n)).sum()
    }

    fn share(&self, count: u32) -> f64 {
        (f64::from(count) + 0.5) / (f64::from(self.total) + 1.0)
    }

    fn fit(&self) -> Fit {
        let enough = FIT_MIN;
        let bin = (0..BINS).rev().find(|bin| self.above(*bin) >= enough).unwrap_or(0);
        let count = f64::from(self.above(bin));
        let from = edge(bin);
        let (mut log, mut square, mut excess) = (0.0, 0.0, 0.0);
        for (n, values) in self.bins[bin..].iter().enumerate() {
            // Values lie evenly in their bin, on the logarithmic scale.
            let (width, values) = (f64::from(RATIO.ln()), f64::from(*values));
            let middle = (n as f64 + 0.5) * width;
            log += values * middle;
            square += values * (middle * middle + width * width / 12.0);
            let (low, high) = (edge(bin + n), edge(bin + n + 1));
            excess += values * ((high - low) / width - from);
        }
        let mean = (log + PRIOR_COUNT * PRIOR_LOG) / (count + PRIOR_COUNT);
        let seen = if count > 0.0 && square > 0.0 {
            moment_shape(log / count, square / count)
        } else {
            0.0
        };
        let shape = (count * seen + SHAPE_COUNT * SHAPE) / (count + SHAPE_COUNT);
        let shape = shape.clamp(SHAPE_MIN, SHAPE_MAX);
        // Logarithms say too little of the scale where the excesses are large beside the threshold.
        let excess = (excess + PRIOR_COUNT * PRIOR_LOG * from) / (count + PRIOR_COUNT);
        let scale = (from * mean).max(excess * (1.0 - shape));
        Fit { from, share: self.share(self.above(bin)), scale, shape }
    }
}

/// Of the mean and the mean square of logarithmic exceedances.
fn moment_shape(mean: f64, square: f64) -> f64 {
    let rest = 1.0 - mean * mean / square;
    if rest > 0.0 { mean + 1.0 - 0.5 / rest } else { SHAPE_MIN }
}

/// A generalised Pareto distribution above `from`.
struct Fit {
    from: f64,
    share: f64,
    scale: f64,
    shape: f64,
}

impl Fit {
    fn p(&self, s: f64) -> f64 {
        let away = (s - self.from) / self.scale;
        self.share * (1.0 + self.shape * away).powf(-1.0 / self.shape)
    }

    fn quantile(&self, p: f64) -> f64 {
        self.from + self.scale / self.shape * ((self.share / p).powf(self.shape) - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    impl Tail {
        fn learn(&mut self, statistic: f32) {
            self.pass();
            self.peak(rank(statistic));
        }
    }

    #[test]
    fn p_is_how_often_it_happens() {
        let mut noise = Noise::new(7);
        for heavy in [false, true] {
            let mut draw = || {
                let z = noise.normal().abs();
                if heavy { (z * z * z) as f32 } else { z as f32 }
            };
            let mut tail = Tail::default();
            (0..8_000).for_each(|_| tail.learn(draw()));
            let n = 400_000;
            for p in [1e-2, 1e-3, 1e-4] {
                let limit = tail.quantile(p);
                let seen = (0..n).filter(|_| draw() >= limit).count() as f64 / f64::from(n);
                assert!(seen <= 2.5 * p, "heavy {heavy}: p {p} happened with {seen}");
                assert!((tail.p(limit) / p - 1.0).abs() < 0.75, "{p} {}", tail.p(limit));
            }
            assert!(tail.p(200.0) < 1e-4, "{}", tail.p(200.0));
        }
    }

    #[test]
    fn little_is_no_ground_for_certainty() {
        assert_eq!(Tail::default().p(0.5), 1.0);
        assert!(Tail::default().p(6.0) > 1e-4);
        let mut tail = Tail::default();
        (0..50).for_each(|_| tail.learn(1.2));
        assert!(tail.p(5.0) > 1e-5);
    }

    #[test]
    fn hostile_values_have_a_p() {
        let mut tail = Tail::default();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, f32::MAX, 0.0] {
            tail.learn(value);
            assert!((0.0..=1.0).contains(&tail.p(value)), "{value}");
        }
    }
}
