//! A round where other nodes evaluate: what they found is judged here, in the order of the spool.

use std::{sync::atomic::Ordering, time::Instant};

use model::Timestamp;
use room::{Error, Shared};

use super::{Live, Running};
use crate::work::{
    saved,
    spread::lane::{Lane, Sieved},
};

/// How long a round stays with what other nodes evaluate before other work has its turn.
const OVER_BUS_MS: u64 = 500;

impl Running {
    /// Takes what other nodes evaluated; gives the time up to which everything that came is evaluated, if that is
    /// known: where nodes are behind the clock decides nothing, or what they bring would be late.
    pub(super) async fn over_bus(
        &mut self,
        ctx: &Shared,
        live: &Live,
        lane: &mut Lane,
    ) -> Result<Option<Timestamp>, Error> {
        let begun = Instant::now();
        let mut until = None;
        loop {
            let rules = self.evaluator.as_ref().map(|e| (e.loaded().clone(), e.intel().cloned()));
            let Some((loaded, intel)) = rules else {
                return Err(Error::said("the evaluation of events was cut off"));
            };
            let now = ctx.store().now();
            // Before the end is asked for: what came by now is before it.
            let Some(sieved) = lane.step(ctx, (&loaded, intel.as_ref()), self.at).await? else {
                break;
            };
            until = sieved.arrived.map(|(_, newest)| newest).or(until);
            self.take_over(ctx, live, sieved, now).await?;
            if begun.elapsed().as_millis() as u64 > OVER_BUS_MS {
                break;
            }
        }
        let now = ctx.store().now();
        Ok(if ctx.stream.end() <= self.at { Some(now) } else { until })
    }

    /// Judges what nodes found in a piece of the stream, and counts it as evaluated.
    async fn take_over(
        &mut self,
        ctx: &Shared,
        live: &Live,
        sieved: Sieved,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(mut evaluator) = self.evaluator.take() else {
            return Err(Error::said("the evaluation of events was cut off"));
        };
        let Sieved { to, met, said, gone_bytes, arrived } = sieved;
        let done = room::blocking(move || {
            let mut found = Vec::new();
            evaluator.judge(met, &mut found);
            for one in said {
                evaluator.count(one.evaluated, one.unreadable);
                saved::add(&mut evaluator.seen.census, one.census);
            }
            (evaluator, found)
        });
        let (evaluator, found) = done.await?;
        self.is_dirty = true;
        self.gone_bytes += gone_bytes;
        self.record(ctx, found, to).await?;
        self.at = to;
        live.at.store(to, Ordering::Release);
        let lag_ms = arrived.map_or(0, |(oldest, _)| (now.0 - oldest.0) / 1_000);
        self.tell(live, &evaluator, lag_ms, now);
        self.evaluator = Some(evaluator);
        Ok(())
    }
}
