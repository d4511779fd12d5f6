//! What is on its way to the nodes, and what is complete in the order of the spool. Pure.
//!
//! A round is a piece of the spool; of each partition that it touches it waits for one answer. Rounds are handed out
//! in the order in which they began, each once, and only complete. Invariant: an answer fills a place that waits for it,
//! or it is dropped; so repetitions, answers to an earlier run and strangers change nothing.

use std::collections::VecDeque;

use crate::message::Answer;

/// The rounds of one run.
#[derive(Debug)]
pub struct Order {
    run: u64,
    /// Number of the next message of each partition.
    next: Vec<u64>,
    rounds: VecDeque<Round>,
}

#[derive(Debug)]
struct Round {
    to: u64,
    waits: Vec<(u32, u64, Option<Answer>)>,
}

/// A complete round: everything up to an offset was evaluated.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    pub to: u64,
    pub answers: Vec<Answer>,
}

impl Order {
    pub fn new(run: u64, partitions: u32) -> Order {
        Order { run, next: vec![0; partitions as usize], rounds: VecDeque::new() }
    }

    pub fn run(&self) -> u64 {
        self.run
    }

    /// Begins a round up to an offset; gives the number of the message of each of its partitions.
    pub fn begin(&mut self, to: u64, partitions: &[u32]) -> Vec<u64> {
        let mut numbers = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let Some(next) = self.next.get_mut(*partition as usize) else { continue };
            numbers.push(*next);
            *next += 1;
        }
        let waits = partitions.iter().zip(&numbers).map(|(p, n)| (*p, *n, None)).collect();
        self.rounds.push_back(Round { to, waits });
        numbers
    }

    /// Takes an answer; whether it was waited for.
    pub fn take(&mut self, answer: Answer) -> bool {
        if answer.run != self.run {
            return false;
        }
        let places = self.rounds.iter_mut().flat_map(|round| &mut round.waits);
        let mut places = places.filter(|(p, n, _)| (*p, *n) == (answer.partition, answer.n));
        match places.next() {
            Some((_, _, place @ None)) => {
                *place = Some(answer);
                true
            }
            _ => false,
        }
    }

    /// The oldest round, if it is complete.
    pub fn done(&mut self) -> Option<Done> {
        let is_complete = |round: &mut Round| round.waits.iter().all(|(_, _, a)| a.is_some());
        let Round { to, waits } = self.rounds.pop_front_if(is_complete)?;
        Some(Done { to, answers: waits.into_iter().filter_map(|(_, _, answer)| answer).collect() })
    }

    /// Rounds that are on their way.
    pub fn under_way(&self) -> usize {
        self.rounds.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(run: u64, partition: u32, n: u64) -> Answer {
        Answer { run, partition, n, made: 0, after: 0, state: Vec::new(), body: Vec::new() }
    }

    #[test]
    fn a_round_is_done_once_all_of_its_partitions_answered_and_never_before_an_older_one() {
        let mut order = Order::new(7, 4);
        assert_eq!(order.begin(100, &[0, 2]), [0, 0]);
        assert_eq!(order.begin(200, &[2]), [1]);
        assert!(order.take(answer(7, 2, 1)));
        assert_eq!(order.done(), None);
        assert!(order.take(answer(7, 0, 0)));
        assert!(!order.take(answer(7, 0, 0)), "a repetition");
        assert!(!order.take(answer(6, 2, 0)), "of an earlier run");
        assert!(!order.take(answer(7, 3, 0)), "never asked");
        assert_eq!(order.done(), None);
        assert!(order.take(answer(7, 2, 0)));
        assert_eq!(order.done().map(|done| (done.to, done.answers.len())), Some((100, 2)));
        assert_eq!(order.done().map(|done| done.to), Some(200));
        assert_eq!((order.done(), order.under_way()), (None, 0));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_whatever_order_each_round_comes_out_once_and_in_order(
            rounds in prop::collection::vec(prop::collection::btree_set(0u32..5, 0..5), 1..12),
            seed: u64,
        ) {
            let mut order = Order::new(1, 5);
            let mut answers = Vec::new();
            for (at, partitions) in rounds.iter().enumerate() {
                let partitions: Vec<u32> = partitions.iter().copied().collect();
                let numbers = order.begin(at as u64, &partitions);
                answers.extend(partitions.into_iter().zip(numbers));
            }
            // Each twice, shuffled.
            answers.extend(answers.clone());
            let mut seed = seed | 1;
            for at in (1..answers.len()).rev() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                answers.swap(at, (seed >> 33) as usize % (at + 1));
            }
            let mut done = Vec::new();
            for (partition, n) in answers {
                order.take(answer(1, partition, n));
                done.extend(std::iter::from_fn(|| order.done()));
            }
            done.extend(std::iter::from_fn(|| order.done()));
            let ends: Vec<u64> = done.iter().map(|done| done.to).collect();
            prop_assert_eq!(ends, (0..rounds.len() as u64).collect::<Vec<_>>());
            for (done, partitions) in done.iter().zip(&rounds) {
                let of: Vec<u32> = done.answers.iter().map(|answer| answer.partition).collect();
                prop_assert_eq!(of, partitions.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
