//! What of all that was noticed is worth a person's attention.
//!
//! Benjamini and Hochberg's step-up procedure (1995) over everything that was tested in a while. Where nothing
//! is wrong, the chance that it selects anything is its level q, so that q = (alarms a day) × (share of a day)
//! keeps the expected number of false alarms within the budget; where R things are wrong, at most q·R more are
//! false.
//!
//! That holds if p-values are what they say. The fleet checks them: what it did not select, and what people
//! judged false, is counted by decade of p against the number of tests, and where such p-values come more often
//! than they should, all are corrected by that factor.

use std::collections::BTreeMap;

use crate::{
    anomaly::Anomaly,
    snapshot::{Fields, Pass, SnapshotError, read, walk, write},
    time::{DAY, Micros},
};

const VERSION: u8 = 1;

/// Decades of p that are watched: 10⁻⁴ to 10⁻¹¹.
const DECADES: usize = 8;
const FIRST_DECADE: i32 = 4;

/// A correction needs so many cases, or chance would make it.
const CASES_MIN: f64 = 5.0;

/// Half of what was counted is forgotten in two weeks.
const HALF_LIFE: Micros = 14 * DAY;

/// What a site can bear, and what was looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// False alarms a day
    pub per_day: f64,
    /// Observations judged since the last selection
    pub tests: u64,
    /// Time since the last selection
    pub span: Micros,
}

/// Three false alarms a day.
pub const PER_DAY: f64 = 3.0;

/// The alarms of one site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    tests: f64,
    cases: [f64; DECADES],
}

impl Fleet {
    pub fn new() -> Fleet {
        Fleet::default()
    }

    /// What is worth telling, rarest first, one per episode. [`Series::told`](crate::Series::told) belongs to
    /// each of them.
    pub fn select(&mut self, found: Vec<Anomaly>, budget: &Budget) -> Vec<Anomaly> {
        let factor = self.correction();
        let mut found = one_per_episode(found);
        for anomaly in &mut found {
            anomaly.p = corrected(anomaly.p, factor);
        }
        found.sort_by(|a, b| a.p.total_cmp(&b.p).then(a.series.cmp(&b.series)));
        let level = level(budget);
        let tests = (budget.tests as f64).max(found.len() as f64);
        let meets = |(n, a): (usize, &Anomaly)| a.p <= level * (n + 1) as f64 / tests;
        let selected = found.iter().enumerate().rposition(meets).map_or(0, |last| last + 1);
        let rest = found.split_off(selected);
        self.age(budget.span);
        self.tests += budget.tests as f64;
        rest.iter().for_each(|a| self.count(a.p / factor));
        found
    }

    /// Somebody judged a selected anomaly false: p-values such as its own come more often than they say.
    pub fn judged_false(&mut self, anomaly: &Anomaly) {
        self.count(anomaly.p / self.correction());
    }

    /// By how much p-values were too small so far.
    pub fn correction(&self) -> f64 {
        let ratio = |n: usize| {
            let due = self.tests * 10f64.powi(-(FIRST_DECADE + n as i32));
            if self.cases[n] < CASES_MIN { 1.0 } else { self.cases[n] / due.max(f64::MIN_POSITIVE) }
        };
        (0..DECADES).map(ratio).fold(1.0, f64::max)
    }

    pub fn snapshot(&self) -> Vec<u8> {
        write(VERSION, &mut self.clone())
    }

    pub fn restore(bytes: &[u8]) -> Result<Fleet, SnapshotError> {
        let mut fleet = Fleet::new();
        read(VERSION, bytes, &mut fleet)?;
        let counts = std::iter::once(fleet.tests).chain(fleet.cases);
        let sane = counts.into_iter().all(|n| n.is_finite() && n >= 0.0);
        sane.then_some(fleet).ok_or(SnapshotError::Damaged)
    }

    fn count(&mut self, p: f64) {
        for (n, cases) in self.cases.iter_mut().enumerate() {
            if p <= 10f64.powi(-(FIRST_DECADE + n as i32)) {
                *cases += 1.0;
            }
        }
    }

    fn age(&mut self, span: Micros) {
        let fade = (-(span.max(0) as f64) / HALF_LIFE as f64).exp2();
        self.tests *= fade;
        self.cases.iter_mut().for_each(|n| *n *= fade);
    }
}

impl Fields for Fleet {
    fn fields(&mut self, pass: &mut dyn Pass) {
        walk(pass, &mut [&mut self.tests, &mut self.cases]);
    }
}

/// The level that spends the budget over the span; never more than one half.
fn level(budget: &Budget) -> f64 {
    let level = budget.per_day * budget.span.max(0) as f64 / DAY as f64;
    if level.is_nan() { 0.0 } else { level.clamp(0.0, 0.5) }
}

fn corrected(p: f64, factor: f64) -> f64 {
    if p.is_nan() { 1.0 } else { (p.max(0.0) * factor).min(1.0) }
}

/// The rarest of what is said about one episode of a series.
fn one_per_episode(found: Vec<Anomaly>) -> Vec<Anomaly> {
    let mut best: BTreeMap<(u64, Micros), Anomaly> = BTreeMap::new();
    for anomaly in found {
        let kept = best.entry((anomaly.series, anomaly.onset)).or_insert(anomaly);
        if anomaly.p < kept.p {
            *kept = anomaly;
        }
    }
    best.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        anomaly::{Layer, Phase},
        noise::Noise,
        time::MINUTE,
    };

    fn anomaly(series: u64, p: f64) -> Anomaly {
        Anomaly {
            series,
            layer: Layer::Season,
            phase: Phase::Sign,
            time: 0,
            onset: 0,
            observed: 1.0,
            expected: 0.0,
            low: -0.5,
            high: 0.5,
            p,
        }
    }

    fn budget(tests: u64) -> Budget {
        Budget { per_day: PER_DAY, tests, span: 5 * MINUTE }
    }

    /// Days of a fleet whose p-values are too small by `lie`; alarms a day in the last half.
    fn alarms(lie: f64, days: usize) -> f64 {
        let (mut fleet, mut noise, mut told) = (Fleet::new(), Noise::new(11), 0);
        for round in 0..days * 288 {
            let found = (0..2_000).map(|n| anomaly(n, noise.uniform() / lie));
            let found: Vec<_> = found.filter(|a| a.p <= 1e-4).collect();
            let selected = fleet.select(found, &budget(2_000));
            selected.iter().for_each(|a| fleet.judged_false(a));
            told += if round >= days * 144 { selected.len() } else { 0 };
        }
        told as f64 / (days as f64 / 2.0)
    }

    #[test]
    fn a_quiet_fleet_stays_within_the_budget() {
        // 42 are due in the half that counts; three standard deviations more would be 4.4 a day.
        let alarms = alarms(1.0, 28);
        assert!((1.5..=4.4).contains(&alarms), "{alarms}");
    }

    #[test]
    fn p_values_that_lie_are_found_out() {
        let alarms = alarms(30.0, 28);
        assert!(alarms <= 4.4, "{alarms}");
    }

    #[test]
    fn many_true_things_lower_the_bar_for_each_other() {
        let one = Fleet::new().select(vec![anomaly(1, 2e-5)], &budget(2_000));
        assert!(one.is_empty());
        let many = (0..50).map(|n| anomaly(n, 2e-5)).collect();
        assert_eq!(Fleet::new().select(many, &budget(2_000)).len(), 50);
    }

    #[test]
    fn an_episode_is_told_once() {
        let twice = vec![anomaly(1, 1e-9), anomaly(1, 1e-12), anomaly(2, 1e-10)];
        let told = Fleet::new().select(twice, &budget(2_000));
        assert_eq!(
            told.iter().map(|a| (a.series, a.p)).collect::<Vec<_>>(),
            [(1, 1e-12), (2, 1e-10)]
        );
    }

    #[test]
    fn nothing_is_told_without_a_budget_and_nonsense_is_no_evidence() {
        let none = Budget { per_day: 0.0, ..budget(10) };
        assert!(Fleet::new().select(vec![anomaly(1, 1e-12)], &none).is_empty());
        assert!(Fleet::new().select(vec![anomaly(1, f64::NAN)], &budget(10)).is_empty());
    }

    #[test]
    fn a_snapshot_goes_on() {
        let mut fleet = Fleet::new();
        fleet.select((0..9).map(|n| anomaly(n, 9e-5)).collect(), &budget(2_000));
        assert!(fleet.correction() > 1.0);
        assert_eq!(Fleet::restore(&fleet.snapshot()), Ok(fleet.clone()));
        let mut bytes = fleet.snapshot();
        bytes[5] ^= 1;
        assert_eq!(Fleet::restore(&bytes), Err(SnapshotError::Damaged));
    }
}
