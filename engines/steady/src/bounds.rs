//! Fixed thresholds: what is too much or too little whatever was learnt, from the first observation on.
//!
//! # Laws
//! - A crossing is told once it has lasted for the time it must hold, and again when it becomes critical.
//! - It is over, and may be told anew, when a value lies within every bound again.

use serde::{Deserialize, Serialize};

use crate::time::Micros;

/// The thresholds of a series; what is not set bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    pub warn_above: Option<f64>,
    pub critical_above: Option<f64>,
    pub warn_below: Option<f64>,
    pub critical_below: Option<f64>,
    /// How long a value must lie beyond before it is told
    pub hold: Micros,
}

/// How grave a crossing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grave {
    Warning,
    Critical,
}

/// A value has lain beyond a bound for long enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossed {
    pub grave: Grave,
    pub bound: f64,
    pub is_above: bool,
    pub observed: f64,
    /// Since when it has lain beyond
    pub since: Micros,
}

/// Where a series stands to its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    /// Since when it lies beyond the warning and beyond the critical bound, and on which side
    warning: Option<(Micros, bool)>,
    critical: Option<(Micros, bool)>,
    told: Option<Grave>,
}

impl Bounds {
    pub fn is_empty(&self) -> bool {
        let all = [self.warn_above, self.critical_above, self.warn_below, self.critical_below];
        all.iter().all(Option::is_none)
    }

    /// The bound of this gravity that the value lies beyond, and on which side.
    fn beyond(&self, grave: Grave, value: f64) -> Option<(f64, bool)> {
        let (above, below) = match grave {
            Grave::Warning => {
                (self.warn_above.or(self.critical_above), self.warn_below.or(self.critical_below))
            }
            Grave::Critical => (self.critical_above, self.critical_below),
        };
        let over = above.filter(|bound| value >= *bound).map(|bound| (bound, true));
        over.or_else(|| below.filter(|bound| value <= *bound).map(|bound| (bound, false)))
    }
}

impl Crossing {
    /// Takes a value in the order of time.
    pub fn observe(&mut self, time: Micros, value: f64, bounds: &Bounds) -> Option<Crossed> {
        if !value.is_finite() {
            return None;
        }
        let Some((warn, side)) = bounds.beyond(Grave::Warning, value) else {
            *self = Crossing::default();
            return None;
        };
        let critical = bounds.beyond(Grave::Critical, value);
        lasting(&mut self.warning, time, Some(side));
        lasting(&mut self.critical, time, critical.map(|(_, side)| side));
        let is_long = |since: Option<(Micros, bool)>| {
            since.map(|(since, _)| since).filter(|since| time - since >= bounds.hold)
        };
        let (grave, bound, side, since) = match (critical, is_long(self.critical)) {
            (Some((bound, side)), Some(since)) => (Grave::Critical, bound, side, since),
            _ => (Grave::Warning, warn, side, is_long(self.warning)?),
        };
        if self.told.is_some_and(|told| told >= grave) {
            return None;
        }
        self.told = Some(grave);
        Some(Crossed { grave, bound, is_above: side, observed: value, since })
    }

    /// Nothing lies beyond a bound.
    pub fn is_idle(&self) -> bool {
        *self == Crossing::default()
    }
}

/// Since when it lies on this side; from the other side it begins anew.
fn lasting(since: &mut Option<(Micros, bool)>, time: Micros, side: Option<bool>) {
    *since = side.map(|side| match *since {
        Some((from, before)) if before == side && from <= time => (from, side),
        _ => (time, side),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    const BOUNDS: Bounds = Bounds {
        warn_above: Some(80.0),
        critical_above: Some(95.0),
        warn_below: None,
        critical_below: Some(5.0),
        hold: 60 * SECOND,
    };

    fn told(bounds: &Bounds, values: &[f64]) -> Vec<(usize, Grave, f64, i64)> {
        let mut crossing = Crossing::default();
        let told = values.iter().enumerate().filter_map(|(n, value)| {
            let crossed = crossing.observe(n as i64 * 30 * SECOND, *value, bounds)?;
            Some((n, crossed.grave, crossed.bound, crossed.since / SECOND))
        });
        told.collect()
    }

    #[test]
    fn a_crossing_is_told_when_it_has_held_and_again_when_it_is_critical() {
        let values = [10.0, 80.0, 81.0, 82.0, 96.0, 97.0, 98.0, 99.0, 10.0];
        assert_eq!(
            told(&BOUNDS, &values),
            [(3, Grave::Warning, 80.0, 30), (6, Grave::Critical, 95.0, 120)]
        );
    }

    #[test]
    fn what_does_not_last_is_not_told_and_what_comes_back_is_told_anew() {
        assert_eq!(told(&BOUNDS, &[90.0, 90.0, 10.0, 90.0, 90.0, 10.0]), []);
        let at_once = Bounds { hold: 0, ..BOUNDS };
        let found = told(&at_once, &[90.0, 10.0, 90.0, 3.0]);
        let graves: Vec<_> = found.iter().map(|(n, grave, ..)| (*n, *grave)).collect();
        let (warning, critical) = (Grave::Warning, Grave::Critical);
        assert_eq!(graves, [(0, warning), (2, warning), (3, critical)]);
    }

    #[test]
    fn one_side_does_not_hold_for_the_other() {
        let both =
            Bounds { warn_below: Some(20.0), critical_above: None, critical_below: None, ..BOUNDS };
        assert_eq!(told(&both, &[90.0, 10.0, 90.0, 10.0, 90.0]), []);
        assert_eq!(told(&both, &[10.0, 10.0, 10.0]), [(2, Grave::Warning, 20.0, 0)]);
    }

    #[test]
    fn no_bounds_and_no_number_tell_nothing() {
        assert!(Bounds::default().is_empty() && !BOUNDS.is_empty());
        assert_eq!(told(&Bounds::default(), &[1e300, -1e300]), []);
        assert_eq!(told(&Bounds { hold: 0, ..BOUNDS }, &[f64::NAN, f64::INFINITY]), []);
    }
}
