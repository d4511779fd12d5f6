//! How the ledger grew, and when outsiders signed it: as a curve with marks.
//!
//! Invariants: pure from sizes and marks to shapes; only [`Growth::load`] reads. The size at a moment is
//! that of the newest record received by then, so changes of rows behind it show a little later. The
//! table below the curve holds what the picture shows.

use std::{collections::BTreeMap, fmt::Write};

use model::Timestamp;
use serde_json::Value as Json;
use store::{Record, Store, StoreError};

/// The record that says what outsiders signed.
const PUBLISHED: &str = "isms.checkpoint_published";
/// Newest of them that are looked at.
const PUBLISHED_MAX: usize = 10_000;
/// Moments at which the size is looked up.
const MOMENTS: i64 = 60;
/// Rows of the table; the curve has more points.
const TABLE_ROWS: usize = 12;
const WIDTH: i64 = 1000;
const HEIGHT: i64 = 160;
/// Marks closer than this to the one before fall on it.
const MARK_STEP: i64 = 4;

/// The size of the ledger over its life.
pub(crate) struct Growth {
    pub from: Timestamp,
    pub to: Timestamp,
    points: Vec<(Timestamp, u64)>,
    /// Where witnesses cosigned, and how often.
    pub witnessed: Marks,
    /// Where authorities stamped the time, and how often.
    pub stamped: Marks,
}

/// Places of marks, and how many words they stand for.
#[derive(Default)]
pub(crate) struct Marks {
    places: Vec<i64>,
    pub count: usize,
}

impl Growth {
    /// Reads the life of the ledger up to now, where it has this size; `None` before its first record.
    pub async fn load(
        store: &Store,
        now: Timestamp,
        size: u64,
    ) -> Result<Option<Growth>, StoreError> {
        let Some(from) = store.first_received().await?.filter(|from| *from < now) else {
            return Ok(None);
        };
        let step = |i: i64| Timestamp(from.0 + ((now.0 - from.0) / MOMENTS).saturating_mul(i));
        let moments: Vec<Timestamp> = (1..MOMENTS).map(step).collect();
        let sizes = store.ledger_sizes(&moments).await?;
        let published = store.newest_records(&[PUBLISHED], None, PUBLISHED_MAX).await?;
        let points = moments.into_iter().zip(sizes).chain([(now, size)]).collect();
        Ok(Some(Growth::of(from, now, points, &published)))
    }

    fn of(
        from: Timestamp,
        to: Timestamp,
        points: Vec<(Timestamp, u64)>,
        published: &[Record],
    ) -> Growth {
        let cosigned = |r: &&Record| r.facts.get("witnesses").and_then(Json::as_i64) > Some(0);
        let stamped = |r: &&Record| r.facts.get("time_stamped") == Some(&Json::Bool(true));
        let marks = |test: &dyn Fn(&&Record) -> bool| {
            let times = published.iter().filter(test).map(|r| r.observed_to);
            Marks::of(times.filter(|at| (from..=to).contains(at)), |at| x(from, to, at))
        };
        Growth { from, to, points, witnessed: marks(&cosigned), stamped: marks(&stamped) }
    }

    /// The largest size.
    pub fn most(&self) -> u64 {
        self.points.iter().map(|(_, size)| *size).max().unwrap_or(0)
    }

    /// The curve as an SVG path in a box of a thousand by a hundred and sixty.
    pub fn line(&self) -> String {
        let most = i128::from(self.most().max(1));
        let mut path = format!("M0 {HEIGHT}");
        for (at, size) in &self.points {
            let up = (i128::from(*size) * i128::from(HEIGHT - 10) / most) as i64;
            // Writing into a String does not fail.
            let _ = write!(path, "L{} {}", x(self.from, self.to, *at), HEIGHT - up);
        }
        path
    }

    /// The curve closed down to the ground, for the tint below it.
    pub fn area(&self) -> String {
        format!("{}V{HEIGHT}Z", self.line())
    }

    /// Five moments from the beginning to the end, evenly spaced, for the axis.
    pub fn ticks(&self) -> Vec<Timestamp> {
        (0..=4).map(|i| Timestamp(self.from.0 + (self.to.0 - self.from.0) / 4 * i)).collect()
    }

    /// Some moments with the size then, newest first, for the table.
    pub fn rows(&self) -> Vec<(Timestamp, u64)> {
        let every = self.points.len().div_ceil(TABLE_ROWS).max(1);
        self.points.iter().rev().step_by(every).copied().collect()
    }
}

impl Marks {
    fn of(times: impl Iterator<Item = Timestamp>, x: impl Fn(Timestamp) -> i64) -> Marks {
        let mut at: BTreeMap<i64, usize> = BTreeMap::new();
        for time in times {
            *at.entry(x(time) / MARK_STEP * MARK_STEP).or_default() += 1;
        }
        Marks { count: at.values().sum(), places: at.into_keys().collect() }
    }

    /// The marks as one SVG path of upright strokes.
    pub fn path(&self, top: i64, bottom: i64) -> String {
        self.places.iter().fold(String::new(), |mut path, x| {
            // Writing into a String does not fail.
            let _ = write!(path, "M{x} {top}V{bottom}");
            path
        })
    }
}

fn x(from: Timestamp, to: Timestamp, at: Timestamp) -> i64 {
    let whole = i128::from(to.0 - from.0).max(1);
    (i128::from(at.0 - from.0) * i128::from(WIDTH) / whole).clamp(0, i128::from(WIDTH)) as i64
}

#[cfg(test)]
mod tests {
    use model::{Assurance, Id};
    use serde_json::json;

    use super::*;

    fn published(at: i64, witnesses: i64, time_stamped: bool) -> Record {
        let facts = json!({"size": 1, "witnesses": witnesses, "time_stamped": time_stamped});
        Record {
            id: Id::nil(),
            ty: PUBLISHED.to_owned(),
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

    #[test]
    fn the_curve_rises_to_the_top_and_marks_stand_where_outsiders_signed() {
        let points = vec![(Timestamp(50), 10), (Timestamp(100), 30)];
        let said = [published(50, 2, false), published(75, 0, true), published(999, 1, true)];
        let growth = Growth::of(Timestamp(0), Timestamp(100), points, &said);
        assert_eq!(growth.line(), "M0 160L500 110L1000 10");
        assert_eq!((growth.witnessed.count, growth.witnessed.path(1, 2).as_str()), (1, "M500 1V2"));
        assert_eq!((growth.stamped.count, growth.stamped.path(1, 2).as_str()), (1, "M748 1V2"));
        assert_eq!(growth.rows(), [(Timestamp(100), 30), (Timestamp(50), 10)]);
    }

    #[test]
    fn many_marks_at_one_place_are_one_stroke() {
        let said: Vec<Record> = (0..500).map(|i| published(500_000 + i, 1, false)).collect();
        let growth = Growth::of(Timestamp(0), Timestamp(1_000_000), Vec::new(), &said);
        assert_eq!((growth.witnessed.count, growth.witnessed.places.len()), (500, 1));
        assert_eq!(growth.line(), "M0 160");
    }
}
