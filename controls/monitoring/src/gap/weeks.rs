//! Which weeks stand for normal: the same hours of the newest weeks in which nothing was wrong. Pure.

use model::Timestamp;

use crate::findings::{Alert, Judgement};

/// Weeks that stand for normal.
pub const WEEKS: usize = 4;
/// Weeks that are looked at for them.
pub const BACK_MAX: i64 = 12;
const WEEK_US: i64 = 7 * 24 * 3_600 * 1_000_000;

/// A span of time in which something was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub from: Timestamp,
    /// None while it is not over.
    pub to: Option<Timestamp>,
}

impl Trouble {
    /// What a finding says of the time: an anomaly or an incident lasts until somebody judged it, and what was
    /// judged to be nothing was nothing.
    pub fn of(alert: &Alert) -> Option<Trouble> {
        let judged = alert.judgement();
        if matches!(judged, Some(Judgement::Normal | Judgement::FalseAlarm)) {
            return None;
        }
        let is_grave = ["incident", "anomaly"].contains(&alert.fact("class"));
        if !is_grave && judged != Some(Judgement::Incident) {
            return None;
        }
        let to = alert.judged.as_ref().map(|record| record.received_at);
        Some(Trouble { from: alert.record.observed_from, to })
    }

    fn meets(&self, from: Timestamp, to: Timestamp) -> bool {
        self.from < to && self.to.is_none_or(|end| end >= from)
    }
}

/// The same hours so many weeks before.
pub fn before(time: Timestamp, weeks: i64) -> Timestamp {
    Timestamp(time.0 - weeks * WEEK_US)
}

/// Weeks back in which nothing was wrong, and those in which something was, the newest first.
pub fn quiet(from: Timestamp, to: Timestamp, troubles: &[Trouble]) -> (Vec<i64>, Vec<i64>) {
    (1..=BACK_MAX).partition(|week| {
        let (from, to) = (before(from, *week), before(to, *week));
        !troubles.iter().any(|trouble| trouble.meets(from, to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_in_which_something_was_wrong_do_not_stand_for_normal() {
        let (from, to) = (Timestamp(20 * WEEK_US), Timestamp(20 * WEEK_US + 100));
        let at = |week: i64| Timestamp((20 - week) * WEEK_US);
        let troubles = [
            Trouble { from: at(1), to: Some(at(1)) },
            // Began in week 4 and was judged in week 3.
            Trouble { from: Timestamp(at(4).0 + 50), to: Some(Timestamp(at(3).0 + 50)) },
            Trouble { from: Timestamp(at(6).0 + 101), to: Some(Timestamp(at(6).0 + 102)) },
        ];
        let (quiet_weeks, loud) = quiet(from, to, &troubles);
        assert_eq!(loud, [1, 3, 4]);
        assert_eq!(&quiet_weeks[..WEEKS], [2, 5, 6, 7]);
        let open = [Trouble { from: at(8), to: None }];
        assert_eq!(quiet(from, to, &open).0, [9, 10, 11, 12], "what is not over lasts until now");
    }
}
