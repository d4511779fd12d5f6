//! How what is looked for is spread over time.
//!
//! Counts every event that a query holds for, newest segments first, until [`ROWS_MAX`] rows were read; what lies before is
//! not counted, and said so. Without terms only times are read, and nothing of a segment that lies within one bar.

use model::Timestamp;

use crate::search::Query;

/// Rows that are read for one histogram; those of whole events weigh [`EVENT_ROWS`] times as much.
pub(crate) const ROWS_MAX: u64 = 4_000_000;
pub(crate) const EVENT_ROWS: u64 = 20;

/// Events by time, in bars of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    pub counts: Vec<u64>,
    /// Earlier events were not counted.
    pub counted_from: Option<Timestamp>,
}

impl Histogram {
    /// One for these times, or for the span of the query where that is given; none if it is empty.
    pub(crate) fn over(
        query: &Query,
        first: Timestamp,
        last: Timestamp,
        bars: usize,
    ) -> Option<Histogram> {
        let from = query.from.unwrap_or(first);
        let to = query.to.unwrap_or(Timestamp(last.0.saturating_add(1)));
        let is_some = bars > 0 && from < to;
        is_some.then(|| Histogram { from, to, counts: vec![0; bars], counted_from: None })
    }

    /// Where a bar begins.
    pub fn start(&self, bar: usize) -> Timestamp {
        let width = i128::from(self.to.0) - i128::from(self.from.0);
        let behind = width * bar as i128 / self.counts.len() as i128;
        Timestamp((i128::from(self.from.0) + behind) as i64)
    }

    fn bar(&self, time: Timestamp) -> Option<usize> {
        if time < self.from || time >= self.to {
            return None;
        }
        let width = i128::from(self.to.0) - i128::from(self.from.0);
        let behind = i128::from(time.0) - i128::from(self.from.0);
        // The bar whose start is not behind the time, as `start` rounds it.
        let mut bar = (behind * self.counts.len() as i128 / width) as usize;
        if bar + 1 < self.counts.len() && self.start(bar + 1) <= time {
            bar += 1;
        }
        Some(bar)
    }

    pub(crate) fn add(&mut self, time: Timestamp) {
        if let Some(bar) = self.bar(time) {
            self.counts[bar] += 1;
        }
    }

    /// Adds what lies within one bar without a look at it.
    pub(crate) fn add_all(&mut self, first: Timestamp, last: Timestamp, rows: u64) -> bool {
        match (self.bar(first), self.bar(last)) {
            (Some(bar), Some(other)) if bar == other => {
                self.counts[bar] += rows;
                true
            }
            _ => false,
        }
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_time_of_the_span_is_in_the_bar_that_begins_before_it(
            from in -1_000_000i64..1_000_000, width in 1i64..5_000, bars in 1usize..80, at in 0i64..5_000,
        ) {
            let span = Histogram {
                from: Timestamp(from),
                to: Timestamp(from + width),
                counts: vec![0; bars],
                counted_from: None,
            };
            let time = Timestamp(from + at);
            let Some(bar) = span.bar(time) else {
                prop_assert!(at >= width);
                return Ok(());
            };
            prop_assert!(span.start(bar) <= time);
            prop_assert!(bar + 1 == bars || time < span.start(bar + 1));
        }
    }
}
