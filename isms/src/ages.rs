//! How old the evidence of each criterion is, against how long it counts: as strips for a page.
//!
//! Invariants: pure from verdicts and time. The left edge of a strip is the moment shown, its line the
//! age at which the evidence counts no more; what lies behind that line is drawn at most at the right
//! edge. Shapes carry no text, so that they may be stretched to any width.

use model::{Status, Text, Timestamp, t};

use crate::{Control, hall::soa::SoaRow};

/// Width of a strip in its own units, and where on it the evidence has reached its age.
const WIDTH: i64 = 1000;
pub const LIMIT: i64 = 800;
/// Narrowest band that is still seen.
const BAND_MIN: i64 = 10;

/// The evidence of one criterion, or of a control without criteria.
#[derive(Clone, Debug)]
pub struct Age {
    /// Id of the criterion; empty for a control without criteria.
    pub name: &'static str,
    pub text: Text,
    pub state: State,
    pub newest: Option<Timestamp>,
    /// Oldest that counts.
    pub oldest: Option<Timestamp>,
    /// How long evidence counts.
    pub fresh_hours: i64,
    /// When what there is counts no more, or since when.
    pub until: Option<Timestamp>,
    /// The band of what there is: where it begins, how wide it is.
    pub band: Option<(i64, i64)>,
}

/// What is to be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was ever observed, or it is not evidence that ages.
    Nothing,
    /// It counts, whatever its age.
    Lasting,
    Fresh,
    /// It counts for less than a tenth of its time still.
    Ending,
    Expired,
}

impl State {
    /// How people read it.
    pub fn text(self) -> Text {
        match self {
            State::Nothing => t("証拠なし", "no evidence"),
            State::Lasting => t("期限なし", "no expiry"),
            State::Fresh => t("有効", "fresh"),
            State::Ending => t("まもなく期限切れ", "about to expire"),
            State::Expired => t("期限切れ", "expired"),
        }
    }

    /// The class that colours its text.
    pub fn class(self) -> &'static str {
        match self {
            State::Nothing => "unknown",
            State::Lasting | State::Fresh => "pass",
            State::Ending => "stale",
            State::Expired => "fail",
        }
    }
}

/// The strips of a control with criteria.
pub fn of_control(control: &Control, now: Timestamp) -> Vec<Age> {
    let age = |verdict: &crate::Verdict| {
        let criterion = control.spec.criterion(verdict.criterion)?;
        let fresh_hours = i64::from(criterion.check.fresh_hours());
        let newest = verdict.newest.or(verdict.seen);
        let ages = !criterion.check.reads().is_empty();
        // What does not pass has no end of its own: records end with the newest that was seen.
        let until = match verdict.status {
            Status::Fail | Status::Stale | Status::Unknown if ages => {
                newest.map(|at| at.plus_hours(fresh_hours))
            }
            _ => verdict.valid_until,
        };
        let age = Age {
            name: criterion.id,
            text: criterion.text,
            state: State::Nothing,
            newest,
            oldest: verdict.oldest,
            fresh_hours,
            until,
            band: None,
        };
        Some(age.drawn(now))
    };
    control.verdicts.iter().filter_map(age).collect()
}

/// The strip of a control that rests on what was handed in, or on checks bound to it.
pub fn of_row(row: &SoaRow, now: Timestamp) -> Vec<Age> {
    let Some(seen) = row.evidence.seen else { return Vec::new() };
    let age = Age {
        name: "",
        text: t("提出された証拠と、結び付けた点検", "Evidence handed in, and checks bound to it"),
        state: State::Nothing,
        newest: Some(seen.at),
        oldest: row.evidence.oldest,
        fresh_hours: seen.until.hours_since(seen.at),
        until: Some(seen.until),
        band: None,
    };
    vec![age.drawn(now)]
}

impl Age {
    fn drawn(mut self, now: Timestamp) -> Age {
        let Some(newest) = self.newest else { return self };
        self.state = match self.until {
            None => State::Lasting,
            Some(until) if until < now => State::Expired,
            Some(until) if until < now.plus_hours(self.fresh_hours / 10) => State::Ending,
            Some(_) => State::Fresh,
        };
        let x = |at: Timestamp| {
            let whole = i128::from(Timestamp(0).plus_hours(self.fresh_hours).0).max(1);
            let age = i128::from(now.0.saturating_sub(at.0).max(0));
            (age * i128::from(LIMIT) / whole).min(i128::from(WIDTH)) as i64
        };
        let begin = x(newest).min(WIDTH - BAND_MIN);
        let end = self.oldest.map_or(begin, x).max(begin + BAND_MIN);
        self.band = Some((begin, end - begin));
        self
    }

    /// How long evidence counts, in days; under two days in hours.
    pub fn counts_for(&self) -> (i64, Text) {
        match self.fresh_hours {
            hours if hours < 48 => (hours, t("時間", "h")),
            hours => (hours / 24, t("日", "days")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(newest: i64, oldest: Option<i64>, until: Option<i64>) -> Age {
        let hour = |n: i64| Timestamp(0).plus_hours(n);
        let age = Age {
            name: "",
            text: t("", ""),
            state: State::Nothing,
            newest: Some(hour(newest)),
            oldest: oldest.map(hour),
            fresh_hours: 100,
            until: until.map(hour),
            band: None,
        };
        age.drawn(hour(1_000))
    }

    #[test]
    fn a_band_lies_where_the_age_of_its_evidence_is() {
        assert_eq!(age(1_000, None, Some(1_100)).band, Some((0, BAND_MIN)));
        assert_eq!(age(975, Some(950), Some(1_050)).band, Some((200, 200)));
        // At the limit, beyond it, far beyond it.
        assert_eq!(age(900, None, Some(1_000)).band, Some((LIMIT, BAND_MIN)));
        assert_eq!(age(890, None, Some(990)).band, Some((880, BAND_MIN)));
        assert_eq!(age(0, None, Some(100)).band, Some((WIDTH - BAND_MIN, BAND_MIN)));
        // A date ahead is no negative age.
        assert_eq!(age(2_000, None, None).band, Some((0, BAND_MIN)));
    }

    #[test]
    fn the_state_follows_from_when_the_evidence_ends() {
        assert_eq!(age(1_000, None, None).state, State::Lasting);
        assert_eq!(age(950, None, Some(1_050)).state, State::Fresh);
        assert_eq!(age(905, None, Some(1_005)).state, State::Ending);
        assert_eq!(age(900, None, Some(1_000)).state, State::Ending, "good at its end itself");
        assert_eq!(age(899, None, Some(999)).state, State::Expired);
    }
}
