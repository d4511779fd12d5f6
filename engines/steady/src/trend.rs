//! Slopes that outliers do not bend (Theil 1950, Sen 1968), their confidence by Kendall's statistic, and when
//! what grows or shrinks meets its limit.

use serde::{Deserialize, Serialize};

use crate::time::{DAY, Micros};

/// Points that are compared pair by pair, some 32,000 pairs; more are gathered into medians of equal spans.
const COMPARED_MAX: usize = 256;

/// Fewer points say nothing about a trend.
pub const POINTS_MIN: usize = 8;

/// Nobody plans farther: ten years.
pub const HORIZON: Micros = 3_650 * DAY;

/// Of the normal distribution, both sides: nine of ten true slopes lie within the range.
const Z: f64 = 1.645;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub time: Micros,
    pub value: f64,
}

/// Where something ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// What must stay below: used space, temperature, reallocated sectors
    AtMost(f64),
    /// What must stay above: free memory, remaining space, spare blocks
    AtLeast(f64),
}

/// A slope with its range, per day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    pub per_day: f64,
    pub low: f64,
    pub high: f64,
    /// The level at the last point, by the last tenth of all
    pub level: f64,
}

impl Slope {
    /// Whether the whole range lies on one side of zero.
    pub fn is_trend(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// Too few points, or all of one instant
    Sparse { points: usize },
    /// The limit is passed already
    Beyond { value: f64 },
    /// It does not move, moves away, or meets its limit beyond [`HORIZON`]
    NoTrend { slope: Slope },
    /// Days from the last point until the limit; without a latest day the slope may also be none
    Ends { days: f64, low: f64, high: Option<f64>, slope: Slope },
}

/// The slope of points in any order; what is no number does not count.
pub fn slope(points: &[Point]) -> Option<Slope> {
    let points = gathered(points);
    if points.len() < POINTS_MIN {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (n, (t, v)) in points.iter().enumerate() {
        slopes.extend(points[..n].iter().filter(|(u, _)| u < t).map(|(u, w)| (v - w) / (t - u)));
    }
    slopes.sort_by(f64::total_cmp);
    let per_day = middle(&slopes)?;
    let half = Z * kendall_deviation(&points, per_day) / 2.0;
    let centre = slopes.len() as f64 / 2.0;
    let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
    let (low, high) = (at(centre - half), at(centre + half));
    let last = points.last()?.0;
    let tail = (points.len() / 10).max(3);
    let levels = points[points.len() - tail..].iter().map(|(t, v)| v + per_day * (last - t));
    let mut levels: Vec<f64> = levels.collect();
    levels.sort_by(f64::total_cmp);
    Some(Slope { per_day, low: low.min(per_day), high: high.max(per_day), level: middle(&levels)? })
}

/// When what the points measure meets its limit.
pub fn exhaustion(points: &[Point], limit: Limit) -> Forecast {
    let Some(slope) = slope(points) else {
        return Forecast::Sparse { points: points.iter().filter(|p| p.value.is_finite()).count() };
    };
    // Towards the limit is positive from here on.
    let (room, towards, least, most) = match limit {
        Limit::AtMost(limit) => (limit - slope.level, slope.per_day, slope.low, slope.high),
        Limit::AtLeast(limit) => (slope.level - limit, -slope.per_day, -slope.high, -slope.low),
    };
    let days = room / towards;
    if room <= 0.0 {
        Forecast::Beyond { value: slope.level }
    } else if !slope.is_trend() || towards <= 0.0 || days > (HORIZON / DAY) as f64 {
        Forecast::NoTrend { slope }
    } else {
        let high = (least > 0.0).then_some(room / least);
        Forecast::Ends { days, low: room / most, high, slope }
    }
}

/// Days since the first point and values in order of time, not more than can be compared.
fn gathered(points: &[Point]) -> Vec<(f64, f64)> {
    let finite = points.iter().filter(|p| p.value.is_finite() && p.value.abs() < 1e300);
    let mut points: Vec<&Point> = finite.collect();
    points.sort_by_key(|p| p.time);
    let Some(first) = points.first().map(|p| p.time) else { return Vec::new() };
    let days = |time: Micros| (i128::from(time) - i128::from(first)) as f64 / DAY as f64;
    let all = points.iter().map(|p| (days(p.time), p.value));
    if points.len() <= COMPARED_MAX {
        return all.collect();
    }
    let width = days(points[points.len() - 1].time) / COMPARED_MAX as f64;
    let all: Vec<(f64, f64)> = all.collect();
    let bucket = |day: f64| if width > 0.0 { (day / width) as usize } else { 0 };
    all.chunk_by(|a, b| bucket(a.0) == bucket(b.0)).map(median_point).collect()
}

fn median_point(points: &[(f64, f64)]) -> (f64, f64) {
    let mut values: Vec<f64> = points.iter().map(|(_, v)| *v).collect();
    values.sort_by(f64::total_cmp);
    let time = points.iter().map(|(t, _)| t).sum::<f64>() / points.len() as f64;
    (time, middle(&values).unwrap_or(0.0))
}

/// Standard deviation of Kendall's S, widened for what is left of one point in the next.
fn kendall_deviation(points: &[(f64, f64)], per_day: f64) -> f64 {
    let n = points.len() as f64;
    let rest: Vec<f64> = points.iter().map(|(t, v)| v - per_day * t).collect();
    let mean = rest.iter().sum::<f64>() / n;
    let squares: f64 = rest.iter().map(|r| (r - mean).powi(2)).sum();
    let next: f64 = rest.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    let echo = if squares > 0.0 { (next / squares).clamp(0.0, 0.95) } else { 0.0 };
    (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0 * (1.0 + echo) / (1.0 - echo)).sqrt()
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    match sorted {
        [] => None,
        _ if sorted.len() % 2 == 1 => Some(sorted[half]),
        _ => Some(sorted[half - 1] / 2.0 + sorted[half] / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{noise::Noise, time::HOUR};

    fn hourly(count: i64, of: impl FnMut(i64) -> f64) -> Vec<Point> {
        (0..count)
            .zip((0..count).map(of))
            .map(|(n, value)| Point { time: n * HOUR, value })
            .collect()
    }

    #[test]
    fn a_disk_that_fills_has_a_day_and_a_range_around_it() {
        let mut noise = Noise::new(1);
        // 50 % after 30 days of one per cent a day from 20 %, with a backup that comes and goes.
        let points = hourly(720, |n| {
            let backup = if n % 24 < 2 { 15.0 } else { 0.0 };
            20.0 + n as f64 / 24.0 + 0.5 * noise.normal() + backup
        });
        let Forecast::Ends { days, low, high, .. } = exhaustion(&points, Limit::AtMost(95.0))
        else {
            panic!("no end")
        };
        assert!((43.0..47.0).contains(&days), "{days}");
        assert!(low <= days && days <= high.unwrap() && high.unwrap() - low < 8.0);
    }

    #[test]
    fn shrinking_memory_ends_too() {
        let points = hourly(200, |n| 1000.0 - n as f64);
        let Forecast::Ends { days, low, high, .. } = exhaustion(&points, Limit::AtLeast(100.0))
        else {
            panic!("no end")
        };
        assert!((days - 701.0 / 24.0).abs() < 0.1 && (low - days).abs() < 0.1, "{days}");
        assert!((high.unwrap() - days).abs() < 0.1);
    }

    #[test]
    fn noise_is_no_trend() {
        let mut trends = 0;
        for seed in 0..100 {
            let mut noise = Noise::new(seed);
            let mut level = 0.0;
            let points = hourly(300, |_| {
                level = 0.8 * level + noise.normal();
                50.0 + level
            });
            trends += usize::from(slope(&points).unwrap().is_trend());
        }
        assert!(trends <= 20, "{trends} of 100 where 10 are due");
    }

    #[test]
    fn what_is_passed_is_said_and_what_moves_away_has_no_end() {
        let rising = hourly(50, |n| n as f64);
        assert!(
            matches!(exhaustion(&rising, Limit::AtMost(40.0)), Forecast::Beyond { value } if value == 49.0)
        );
        assert!(matches!(exhaustion(&rising, Limit::AtLeast(-5.0)), Forecast::NoTrend { .. }));
        let flat = hourly(50, |_| 7.0);
        assert!(matches!(exhaustion(&flat, Limit::AtMost(8.0)), Forecast::NoTrend { .. }));
    }

    #[test]
    fn sparse_and_broken_points_are_said() {
        let mut points = hourly(7, |n| n as f64);
        assert_eq!(exhaustion(&points, Limit::AtMost(9.0)), Forecast::Sparse { points: 7 });
        points.push(Point { time: i64::MAX, value: f64::NAN });
        points.push(Point { time: i64::MIN, value: f64::INFINITY });
        assert_eq!(exhaustion(&points, Limit::AtMost(9.0)), Forecast::Sparse { points: 7 });
        let one_instant = vec![Point { time: 5, value: 1.0 }; 300];
        assert!(matches!(exhaustion(&one_instant, Limit::AtMost(9.0)), Forecast::Sparse { .. }));
        let ends =
            [Point { time: i64::MIN, value: 1.0 }, Point { time: i64::MAX, value: 2.0 }].repeat(9);
        let _ = exhaustion(&ends, Limit::AtMost(9.0));
    }

    #[test]
    fn a_million_points_cost_as_much_as_a_few() {
        let points: Vec<Point> =
            (0..1_000_000).map(|n| Point { time: n * 1_000_000, value: n as f64 }).collect();
        let slope = slope(&points).unwrap();
        assert!((slope.per_day - 86_400.0).abs() < 1.0);
    }
}
