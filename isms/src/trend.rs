//! Levels over time: what `isms.level_changed` records say, as steps and as shapes for a page.
//!
//! Invariant: pure from records and a window to steps; only [`load`] reads the store. Shapes carry no
//! text, so that they may be stretched to any width; the words stand beside them in the page.

use std::fmt::Write;

use model::{Level, Timestamp};
use store::{Record, StoreError, View};

use crate::Board;

/// How far back a trend looks.
pub const DAYS_MAX: i64 = 365;
const CHANGES_MAX: usize = 10_000;
/// Width of a shape in its own units; height of one level.
const WIDTH: i64 = 1000;
const STEP: i64 = 40;

/// A level from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Timestamp,
    pub level: Level,
}

/// One control's steps within a window; the first stands at its beginning.
#[derive(Clone, Debug)]
pub struct Trend {
    pub control: &'static str,
    pub from: Timestamp,
    pub to: Timestamp,
    pub steps: Vec<Step>,
}

/// A stretch of one level, in units of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    pub x: i64,
    pub width: i64,
    pub class: &'static str,
}

/// The trends of every control of the board and of the ISMS itself, since the first record but at most a year.
pub async fn load(view: View<'_>, board: &Board) -> Result<Vec<Trend>, StoreError> {
    let earliest = board.at.minus_hours(24 * DAYS_MAX);
    let begun = view.store().first_received().await?.unwrap_or(board.at);
    let from = earliest.max(begun).min(board.at);
    let records = view.records_since(&["isms.level_changed"], from, CHANGES_MAX).await?;
    let trend = |c: &crate::Control| steps(c.spec.control, c.level, &records, from, board.at);
    Ok(board.all().map(trend).collect())
}

/// The trend of one control.
pub async fn of(
    view: View<'_>,
    board: &Board,
    control: &crate::Control,
) -> Result<Option<Trend>, StoreError> {
    let trends = load(view, board).await?;
    Ok(trends.into_iter().find(|trend| trend.control == control.spec.control))
}

/// Steps of one control; `now` is its level at `to`, whether that was recorded already or not.
pub fn steps(
    control: &'static str,
    now: Level,
    records: &[Record],
    from: Timestamp,
    to: Timestamp,
) -> Trend {
    let fact = |r: &Record, name: &str| r.facts.get(name)?.as_str().map(str::to_owned);
    let level = |r: &Record, name: &str| fact(r, name).and_then(|l| Level::parse(&l));
    let about: Vec<&Record> =
        records.iter().filter(|r| fact(r, "control").as_deref() == Some(control)).collect();
    let before = about.first().and_then(|r| level(r, "from")).unwrap_or(now);
    let mut steps = vec![Step { at: from, level: before }];
    for record in about {
        let at = record.observed_to.max(from).min(to);
        if let Some(level) = level(record, "to") {
            steps.push(Step { at, level });
        }
    }
    if steps.last().is_some_and(|last| last.level != now) {
        steps.push(Step { at: to, level: now });
    }
    steps.dedup_by(|b, a| a.level == b.level);
    Trend { control, from, to, steps }
}

impl Trend {
    /// The changes, without the step at the beginning: `(when, before, after)`, newest first.
    pub fn changes(&self) -> Vec<(Timestamp, Level, Level)> {
        let mut changes: Vec<_> =
            self.steps.windows(2).map(|w| (w[1].at, w[0].level, w[1].level)).collect();
        changes.reverse();
        changes
    }

    /// The trend as bands side by side.
    pub fn bands(&self) -> Vec<Band> {
        let ends = self.steps.iter().skip(1).map(|s| self.x(s.at)).chain([WIDTH]);
        let bands = self.steps.iter().zip(ends).map(|(step, end)| {
            let x = self.x(step.at);
            Band { x, width: end - x, class: step.level.name() }
        });
        bands.filter(|b| b.width > 0).collect()
    }

    /// The step line as an SVG path, 松 at the top, in a box of [`WIDTH`] by four levels.
    pub fn line(&self) -> String {
        let y = |level: Level| STEP * (3 - level as i64) + STEP / 2;
        let mut path = String::new();
        for (i, step) in self.steps.iter().enumerate() {
            let (x, y) = (self.x(step.at), y(step.level));
            // Writing into a String does not fail.
            let _ = if i == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
        }
        let _ = write!(path, "H{WIDTH}");
        path
    }

    /// The line closed down to the ground, for the tint below it.
    pub fn area(&self) -> String {
        format!("{}V{}H0Z", self.line(), STEP * 4)
    }

    /// Five moments from the beginning to the end, evenly spaced, for the axis.
    pub fn ticks(&self) -> Vec<Timestamp> {
        (0..=4).map(|i| Timestamp(self.from.0 + (self.to.0 - self.from.0) / 4 * i)).collect()
    }

    /// Whole percent of the window spent at 梅 or above.
    pub fn reached_percent(&self) -> i64 {
        let reached =
            self.bands().iter().filter(|b| b.class != "none").map(|b| b.width).sum::<i64>();
        reached * 100 / WIDTH
    }

    fn x(&self, at: Timestamp) -> i64 {
        let whole = i128::from(self.to.0 - self.from.0).max(1);
        (i128::from(at.0 - self.from.0) * i128::from(WIDTH) / whole).clamp(0, 1000) as i64
    }
}

#[cfg(test)]
mod tests {
    use model::{Assurance, Id};
    use serde_json::json;

    use super::*;

    fn change(control: &str, at: i64, from: &str, to: &str) -> Record {
        let facts = json!({"control": control, "from": from, "to": to});
        Record {
            id: Id::nil(),
            ty: "isms.level_changed".to_owned(),
            subject: None,
            actor: String::new(),
            observed_from: Timestamp(at),
            observed_to: Timestamp(at),
            received_at: Timestamp(at),
            source: String::new(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload_commit: None,
            leaf_index: None,
        }
    }

    fn trend(records: &[Record], now: Level) -> Trend {
        steps("8.16", now, records, Timestamp(0), Timestamp(100))
    }

    #[test]
    fn a_level_begins_where_the_first_change_came_from() {
        let records = [
            change("8.16", 20, "none", "ume"),
            change("8.9", 30, "none", "take"),
            change("8.16", 60, "ume", "none"),
        ];
        let trend = trend(&records, Level::None);
        let band = |x, width, class| Band { x, width, class };
        assert_eq!(
            trend.bands(),
            [band(0, 200, "none"), band(200, 400, "ume"), band(600, 400, "none")]
        );
        assert_eq!(trend.line(), "M0 140H200V100H600V140H1000");
        assert_eq!(trend.reached_percent(), 40);
        assert_eq!(trend.changes()[0], (Timestamp(60), Level::Ume, Level::None));
    }

    #[test]
    fn without_changes_the_level_of_today_held_all_the_time() {
        let trend = trend(&[], Level::Ume);
        assert_eq!(trend.bands(), [Band { x: 0, width: 1000, class: "ume" }]);
        assert!(trend.changes().is_empty());
    }

    #[test]
    fn a_change_that_is_not_recorded_yet_shows_at_the_end() {
        let trend = trend(&[change("8.16", 20, "none", "ume")], Level::None);
        assert_eq!(trend.steps.last(), Some(&Step { at: Timestamp(100), level: Level::None }));
    }
}
