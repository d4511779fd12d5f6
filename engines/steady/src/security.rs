//! Trends of security logs: counts per day or week of a class on an asset (failed log-ins, virus hits, alerts,
//! blocks), their slope, the day on which their level changed, and who contributes that did not before.
//!
//! Counts are taken as square roots, whose scatter does not grow with their size, against the median of their
//! kind of day. The change point is Pettitt's (1979): by ranks, so that one terrible day is no new level.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    anomaly::Phase,
    time::{Calendar, Micros},
    trend::{POINTS_MIN, Point, Slope, slope},
};

/// Days that are looked back on.
pub const DAYS_MAX: usize = 730;

/// Contributors of a day that are looked at.
const CONTRIBUTORS_MAX: usize = 1_000;

/// How rare a change of level must be by chance.
const CHANGE_P: f64 = 0.001;

/// Days of which contributors are new, if they were not among the earlier ones.
const NEW_DAYS: usize = 7;

/// A top contributor has this share, and had at most the other.
const TOP_SHARE: f64 = 0.2;
const UNKNOWN_SHARE: f64 = 0.02;
const TOP_MIN: f64 = 10.0;

/// A day of one class on one asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayCount {
    /// Any instant of the day
    pub time: Micros,
    pub count: f64,
    /// Users, addresses, hosts, and their part of the count
    pub contributors: Vec<(String, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// First day of the new level
    pub time: Micros,
    /// Medians before and after
    pub before: f64,
    pub after: f64,
    pub p: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newcomer {
    pub name: String,
    pub count: f64,
    /// Of the last week's count
    pub share: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityTrend {
    pub days: usize,
    /// Of the count, per day; none where there are too few days
    pub slope: Option<Slope>,
    pub change: Option<Change>,
    pub newcomers: Vec<Newcomer>,
}

impl SecurityTrend {
    /// What it amounts to: a changed level or a newcomer has happened, a slope is yet to cost something.
    pub fn phase(&self) -> Option<Phase> {
        let rises = self.slope.is_some_and(|s| s.low > 0.0);
        let grown = self.change.is_some_and(|c| c.after > c.before);
        if grown || !self.newcomers.is_empty() {
            Some(Phase::Sign)
        } else {
            rises.then_some(Phase::Precursor)
        }
    }
}

/// The trend of days in order; the last [`DAYS_MAX`] count.
pub fn security_trend(days: &[DayCount], calendar: &Calendar) -> SecurityTrend {
    let days = &days[days.len().saturating_sub(DAYS_MAX)..];
    let sane: Vec<&DayCount> =
        days.iter().filter(|d| d.count.is_finite() && (0.0..1e15).contains(&d.count)).collect();
    let off = |d: &DayCount| usize::from(calendar.is_day_off(d.time));
    let medians = [0, 1].map(|kind| {
        let roots = sane.iter().filter(|d| off(d) == kind).map(|d| d.count.sqrt());
        middle(roots.collect())
    });
    let whole = middle(sane.iter().map(|d| d.count.sqrt()).collect());
    let rest: Vec<f64> = sane.iter().map(|d| d.count.sqrt() - medians[off(d)] + whole).collect();
    let points = sane.iter().zip(&rest).map(|(d, r)| Point { time: d.time, value: r * r.abs() });
    let points: Vec<Point> = points.collect();
    SecurityTrend {
        days: sane.len(),
        slope: slope(&points),
        change: change(&sane, &rest),
        newcomers: newcomers(&sane),
    }
}

/// Days of counts gathered into weeks from Monday, whole ones only.
pub fn weeks(days: &[DayCount], calendar: &Calendar) -> Vec<DayCount> {
    let monday = |d: &DayCount| calendar.day(d.time) - (calendar.day(d.time) + 3).rem_euclid(7);
    let mut weeks: BTreeMap<i64, (usize, DayCount)> = BTreeMap::new();
    for day in days.iter().filter(|d| d.count.is_finite()) {
        let empty = || (0, DayCount { time: day.time, count: 0.0, contributors: Vec::new() });
        let (count, week) = weeks.entry(monday(day)).or_insert_with(empty);
        *count += 1;
        week.count += day.count;
        week.time = week.time.min(day.time);
        week.contributors.extend(day.contributors.iter().take(CONTRIBUTORS_MAX).cloned());
    }
    weeks.into_values().filter(|(count, _)| *count == 7).map(|(_, week)| week).collect()
}

/// Pettitt's test over the ranks of all days.
fn change(days: &[&DayCount], values: &[f64]) -> Option<Change> {
    let n = values.len();
    if n < 2 * POINTS_MIN {
        return None;
    }
    let mut sum = 0.0;
    let mut best = (0.0f64, 0);
    for (t, value) in values.iter().enumerate() {
        sum += values.iter().map(|other| sign(value - other)).sum::<f64>();
        if t + 1 < n && sum.abs() > best.0.abs() {
            best = (sum, t + 1);
        }
    }
    let (k, size) = (best.0.abs(), n as f64);
    let p = (2.0 * (-6.0 * k * k / (size.powi(3) + size.powi(2))).exp()).min(1.0);
    let levels = |days: &[&DayCount]| middle(days.iter().map(|d| d.count).collect());
    let (before, after) = (levels(&days[..best.1]), levels(&days[best.1..]));
    (p <= CHANGE_P).then(|| Change { time: days[best.1].time, before, after, p })
}

fn newcomers(days: &[&DayCount]) -> Vec<Newcomer> {
    let split = days.len().saturating_sub(NEW_DAYS);
    let sums = |days: &[&DayCount]| {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (name, count) in days.iter().flat_map(|d| d.contributors.iter().take(CONTRIBUTORS_MAX))
        {
            if count.is_finite() && *count > 0.0 {
                *sums.entry(name.clone()).or_default() += count;
            }
        }
        sums
    };
    let (before, now) = (sums(&days[..split]), sums(&days[split..]));
    if split < NEW_DAYS {
        return Vec::new();
    }
    let all = |sums: &BTreeMap<String, f64>| sums.values().sum::<f64>().max(1e-9);
    let (all_before, all_now) = (all(&before), all(&now));
    let new = now.into_iter().filter_map(|(name, count)| {
        let share = count / all_now;
        let known = before.get(&name).copied().unwrap_or(0.0) / all_before;
        let top = share >= TOP_SHARE && count >= TOP_MIN && known <= UNKNOWN_SHARE;
        top.then_some(Newcomer { name, count, share })
    });
    let mut new: Vec<Newcomer> = new.collect();
    new.sort_by(|a, b| b.count.total_cmp(&a.count));
    new
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::{noise::Noise, time::DAY};

    static JAPAN: LazyLock<Calendar> = LazyLock::new(Calendar::japan);

    const MONDAY: Micros = 1_775_401_200_000_000;

    fn later(from: Micros, days: usize) -> Micros {
        from + days as Micros * DAY
    }

    fn days(count: usize, seed: u64, of: impl Fn(usize) -> f64) -> Vec<DayCount> {
        let mut noise = Noise::new(seed);
        let japan = &*JAPAN;
        let day = |n: usize| {
            let time = later(MONDAY, n);
            let rest = if japan.is_day_off(time) { 0.3 } else { 1.0 };
            let mean = rest * of(n);
            let count = (mean + mean.sqrt() * 1.5 * noise.normal()).max(0.0).round();
            let contributors =
                vec![("ume".to_owned(), count * 0.6), ("take".to_owned(), count * 0.4)];
            DayCount { time, count, contributors }
        };
        (0..count).map(day).collect()
    }

    #[test]
    fn rising_failures_have_a_slope() {
        let trend = security_trend(&days(60, 1, |n| 40.0 + 2.0 * n as f64), &JAPAN);
        assert!(trend.slope.unwrap().low > 0.5, "{trend:?}");
        assert!(trend.phase().is_some());
    }

    #[test]
    fn a_new_level_has_a_day() {
        let trend = security_trend(&days(60, 2, |n| if n < 40 { 50.0 } else { 120.0 }), &JAPAN);
        let change = trend.change.unwrap();
        let day = (change.time - MONDAY) / DAY;
        assert!((38..=42).contains(&day) && change.after > change.before, "{day} {change:?}");
        assert_eq!(trend.phase(), Some(Phase::Sign));
    }

    #[test]
    fn quiet_days_have_none_and_one_terrible_day_is_no_level() {
        let mut told = 0;
        for seed in 0..50 {
            let mut quiet = days(60, seed, |_| 50.0);
            quiet[55].count = 5_000.0;
            let trend = security_trend(&quiet, &JAPAN);
            told += usize::from(trend.change.is_some());
        }
        assert!(told <= 1, "{told}");
    }

    #[test]
    fn a_new_top_contributor_is_named() {
        let mut all = days(40, 3, |_| 50.0);
        for day in &mut all[35..] {
            day.contributors.push(("203.0.113.9".to_owned(), 40.0));
        }
        let trend = security_trend(&all, &JAPAN);
        assert_eq!(trend.newcomers.len(), 1);
        assert_eq!(trend.newcomers[0].name, "203.0.113.9");
    }

    #[test]
    fn weeks_are_whole() {
        let weeks = weeks(&days(24, 4, |_| 10.0), &JAPAN);
        assert_eq!(weeks.len(), 3);
        assert_eq!(weeks[1].time, later(MONDAY, 7));
    }

    #[test]
    fn nothing_and_nonsense_have_no_trend() {
        let trend = security_trend(&[], &JAPAN);
        assert_eq!((trend.slope, trend.change, trend.phase()), (None, None, None));
        let mut bad = days(40, 5, |_| 10.0);
        bad.iter_mut().for_each(|d| d.count = f64::NAN);
        assert_eq!(security_trend(&bad, &JAPAN).days, 0);
    }
}
