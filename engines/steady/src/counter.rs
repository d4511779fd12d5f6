//! Growth per second of a counter that may start anew or run over.

use crate::{
    series::Refused,
    snapshot::{Fields, Pass, walk},
};

/// Where counters of 32 and 64 bits run over.
const WRAPS: [f64; 2] = [4_294_967_296.0, 18_446_744_073_709_551_616.0];

/// How much faster than ever before the growth over a wrap may be.
const FASTER: f64 = 1.2;

/// Growth per second that nothing has.
const RATE_MAX: f64 = 1e17;

/// How fast the memory of the fastest growth fades, per observation.
const FADE: f32 = 0.9999;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rate {
    fastest: f32,
}

impl Rate {
    /// `None` where the counter began anew: what it grew is unknown.
    pub fn growth(
        &mut self,
        before: f64,
        now: f64,
        elapsed_s: f64,
        refused: &mut Refused,
    ) -> Option<f32> {
        if elapsed_s <= 0.0 {
            return None;
        }
        let grown = if now >= before {
            now - before
        } else if let Some(grown) = self.over(before, now, elapsed_s) {
            refused.wraps = refused.wraps.saturating_add(1);
            grown
        } else {
            refused.resets = refused.resets.saturating_add(1);
            return None;
        };
        let rate = (grown / elapsed_s).min(RATE_MAX) as f32;
        self.fastest = rate.max(self.fastest * FADE);
        Some(rate)
    }

    /// Growth over the end of the counter, if it was near it and the growth is nothing unheard of.
    fn over(&self, before: f64, now: f64, elapsed_s: f64) -> Option<f64> {
        let end = WRAPS.into_iter().find(|end| before < *end)?;
        let grown = end - before + now;
        let plausible = grown / elapsed_s <= FASTER * f64::from(self.fastest);
        (now >= 0.0 && before > end / 2.0 && plausible).then_some(grown)
    }
}

impl Fields for Rate {
    fn fields(&mut self, pass: &mut dyn Pass) {
        walk(pass, &mut [&mut self.fastest]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(values: &[f64]) -> (Vec<Option<f32>>, Refused) {
        let (mut rate, mut refused) = (Rate::default(), Refused::default());
        let pairs = values.windows(2);
        let found = pairs.map(|w| rate.growth(w[0], w[1], 10.0, &mut refused)).collect();
        (found, refused)
    }

    #[test]
    fn a_counter_that_runs_over_goes_on() {
        let (found, refused) = rates(&[4_294_966_096.0, 4_294_966_696.0, 4_294_967_290.0, 600.0]);
        assert_eq!(found, [Some(60.0), Some(59.4), Some(60.6)]);
        assert_eq!((refused.wraps, refused.resets), (1, 0));
    }

    #[test]
    fn a_counter_that_begins_anew_has_no_growth() {
        let (found, refused) = rates(&[1_000.0, 2_000.0, 500.0, 1_500.0, 4_000_000_000.0, 10.0]);
        assert_eq!(found[1], None);
        assert_eq!(found[2], Some(100.0));
        assert_eq!(refused.resets + refused.wraps, 2);
    }

    #[test]
    fn a_reset_near_the_end_is_no_wrap_if_the_growth_would_be_unheard_of() {
        let (found, refused) = rates(&[3_000_000_000.0, 3_000_000_100.0, 5.0]);
        assert_eq!((found[1], refused.resets), (None, 1));
    }
}
