//! How a resource is used: its load-duration curve, and the two regimes in it, steady and high load.
//!
//! Loads are counted in bins of equal width over the observed range of an hour of values; the border between the
//! regimes is where the variance between both sides is largest (Otsu 1979), and there are two regimes only if
//! that explains most of the variance.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::time::{Calendar, Micros};

/// Bins of the histogram in which the border is looked for.
const BINS: usize = 64;

/// Points of the load-duration curve.
pub const CURVE: usize = 21;

/// Least share of the variance that two regimes explain; one bell alone reaches 0.64.
const EXPLAINED: f64 = 0.75;

/// Least share of the time that a regime takes.
const SHARE_MIN: f64 = 0.005;

pub const LOADS_MIN: usize = 48;

/// Time in a regime, and what it is like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regime {
    /// Share of all values
    pub share: f64,
    pub median: f64,
    /// 95 of 100 are below
    pub p95: f64,
    /// Share of this regime's values in working time: Monday to Friday without holidays, 8 to 19
    pub working: f64,
    /// Hour of the day, local, with most of its values
    pub peak_hour: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadProfile {
    pub values: usize,
    /// Local days with a value
    pub days: usize,
    /// Loads that are exceeded 0, 5, … 100 of 100 of the time
    pub duration: [f64; CURVE],
    /// The same of each regime, by shares of its own time
    pub steady_duration: [f64; CURVE],
    pub high_duration: Option<[f64; CURVE]>,
    pub steady: Regime,
    /// Absent where there is but one regime
    pub high: Option<Regime>,
    /// Where high load begins
    pub border: Option<f64>,
}

/// The profile of loads; `None` below [`LOADS_MIN`] numbers.
pub fn load_profile(loads: &[(Micros, f64)], calendar: &Calendar) -> Option<LoadProfile> {
    let mut loads: Vec<(Micros, f64)> =
        loads.iter().copied().filter(|(_, v)| v.is_finite() && v.abs() < 1e150).collect();
    if loads.len() < LOADS_MIN {
        return None;
    }
    let days: BTreeSet<i64> = loads.iter().map(|(time, _)| calendar.day(*time)).collect();
    loads.sort_by(|a, b| a.1.total_cmp(&b.1));
    let border = border(&loads);
    let split = border.map_or(loads.len(), |b| loads.partition_point(|(_, v)| *v < b));
    let (low, high) = loads.split_at(split);
    let all = loads.len();
    Some(LoadProfile {
        values: all,
        days: days.len(),
        duration: duration(&loads),
        steady_duration: duration(low),
        high_duration: border.map(|_| duration(high)),
        steady: regime(low, all, calendar),
        high: border.map(|_| regime(high, all, calendar)),
        border,
    })
}

fn at(sorted: &[(Micros, f64)], share: f64) -> f64 {
    let place = (share * (sorted.len().max(1) - 1) as f64).round() as usize;
    sorted.get(place).map_or(f64::NAN, |(_, v)| *v)
}

fn duration(sorted: &[(Micros, f64)]) -> [f64; CURVE] {
    std::array::from_fn(|n| at(sorted, 1.0 - n as f64 / (CURVE - 1) as f64))
}

fn regime(sorted: &[(Micros, f64)], all: usize, calendar: &Calendar) -> Regime {
    let (mut hours, mut working) = ([0usize; 24], 0);
    for (time, _) in sorted {
        let place = calendar.place(*time);
        let hour = place.slot % 24;
        hours[hour] += 1;
        working += usize::from(!calendar.is_day_off(*time) && (8..19).contains(&hour));
    }
    let peak = (0..24).max_by_key(|hour| (hours[*hour], std::cmp::Reverse(*hour))).unwrap_or(0);
    Regime {
        share: sorted.len() as f64 / all as f64,
        median: at(sorted, 0.5),
        p95: at(sorted, 0.95),
        working: working as f64 / sorted.len().max(1) as f64,
        peak_hour: peak as u8,
    }
}

/// The border that explains most, if it explains enough.
fn border(sorted: &[(Micros, f64)]) -> Option<f64> {
    let (low, top) = (at(sorted, 0.0), at(sorted, 1.0));
    if top <= low {
        return None;
    }
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|(_, v)| v / n).sum::<f64>();
    let variance = sorted.iter().map(|(_, v)| (v - mean).powi(2) / n).sum::<f64>();
    let (mut below, mut sum, mut best) = (0, 0.0, (0.0, None));
    for bin in 1..BINS {
        let edge = low + (top - low) * bin as f64 / BINS as f64;
        while below < sorted.len() && sorted[below].1 < edge {
            sum += sorted[below].1;
            below += 1;
        }
        let share = below as f64 / n;
        if !(SHARE_MIN..=1.0 - SHARE_MIN).contains(&share) {
            continue;
        }
        let (left, right) = (sum / below as f64, (mean * n - sum) / (n - below as f64));
        let between = share * (1.0 - share) * (right - left).powi(2);
        if between > best.0 {
            best = (between, Some(edge));
        }
    }
    best.1.filter(|_| variance > 0.0 && best.0 / variance >= EXPLAINED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        noise::Noise,
        time::{DAY, HOUR, MINUTE},
    };

    const MONDAY: Micros = 1_775_401_200_000_000;

    fn loads(of: impl Fn(i64, f64) -> f64) -> Vec<(Micros, f64)> {
        let mut noise = Noise::new(2);
        let times = (0..28 * 96).map(|n| n * 15 * MINUTE);
        times.map(|t| (MONDAY + t, of(t % DAY / HOUR, noise.normal()))).collect()
    }

    #[test]
    fn office_hours_are_a_regime_of_high_load() {
        let of = |hour, z| if (9..18).contains(&hour) { 70.0 + 5.0 * z } else { 15.0 + 3.0 * z };
        let profile = load_profile(&loads(of), &Calendar::japan()).unwrap();
        let high = profile.high.unwrap();
        assert!((high.median - 70.0).abs() < 1.0 && (profile.steady.median - 15.0).abs() < 1.0);
        assert!((high.share - 9.0 / 24.0).abs() < 0.01 && (9..18).contains(&high.peak_hour));
        assert!(profile.duration.windows(2).all(|w| w[0] >= w[1]));
        let (steady, peak) = (profile.steady_duration, profile.high_duration.unwrap());
        assert!(steady[0] < peak[CURVE - 1] && peak[0] == profile.duration[0]);
        assert_eq!(profile.days, 28);
        assert!(high.working > 0.6 && profile.steady.working < 0.2);
    }

    #[test]
    fn a_nightly_job_is_a_regime_however_short() {
        let of = |hour, z| if hour == 2 { 95.0 + z } else { 10.0 + 2.0 * z };
        let high = load_profile(&loads(of), &Calendar::japan()).unwrap().high.unwrap();
        assert_eq!((high.peak_hour, high.working), (2, 0.0));
    }

    #[test]
    fn one_bell_and_a_constant_are_one_regime() {
        assert_eq!(load_profile(&loads(|_, z| 50.0 + z), &Calendar::japan()).unwrap().high, None);
        assert_eq!(load_profile(&loads(|_, _| 50.0), &Calendar::japan()).unwrap().high, None);
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(load_profile(&[(0, f64::NAN); 100], &Calendar::utc()), None);
        assert_eq!(load_profile(&[], &Calendar::utc()), None);
        let ends = [(Micros::MIN, -1e149), (Micros::MAX, 1e149)].repeat(50);
        assert!(load_profile(&ends, &Calendar::utc()).is_some());
    }
}
