//! Observations to slots, each used no more often than it was seen: a flow by augmenting paths.

use std::collections::BTreeMap;

use super::solve::{Meter, Spent};

pub(crate) struct Flow {
    /// What each slot still wants.
    wanted: Vec<u64>,
    /// What each slot could take, as places in `seen`.
    offers: Vec<Vec<usize>>,
    seen: Vec<Seen>,
    places: BTreeMap<u32, usize>,
}

struct Seen {
    observation: u32,
    free: u64,
    /// The slot it was offered to last.
    offered: Option<usize>,
    /// Slots that took some of it.
    taken: Vec<(usize, u64)>,
}

impl Flow {
    pub fn new(slots: usize) -> Flow {
        Flow {
            wanted: vec![0; slots],
            offers: vec![Vec::new(); slots],
            seen: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    pub fn want(&mut self, slot: usize, demand: u64) {
        self.wanted[slot] = demand;
    }

    /// Says how much the offer is worth: nothing if the slot has it already. Slots are served one after another.
    pub fn offer(&mut self, slot: usize, observation: u32, capacity: u64) -> u64 {
        let next = self.seen.len();
        let place = *self.places.entry(observation).or_insert(next);
        if place == next {
            self.seen.push(Seen { observation, free: capacity, offered: None, taken: Vec::new() });
        }
        if self.seen[place].offered.replace(slot) == Some(slot) {
            return 0;
        }
        self.offers[slot].push(place);
        capacity
    }

    /// The observations used, if all slots get what they want.
    pub fn settle(mut self, meter: &mut Meter) -> Result<Option<Vec<u32>>, Spent> {
        for slot in 0..self.wanted.len() {
            while self.wanted[slot] > 0 {
                if !self.augment(slot, meter)? {
                    return Ok(None);
                }
            }
        }
        let used = self.seen.iter().filter(|seen| !seen.taken.is_empty());
        Ok(Some(used.map(|seen| seen.observation).collect()))
    }

    /// Brings one slot nearer to what it wants, others giving way along a path.
    fn augment(&mut self, slot: usize, meter: &mut Meter) -> Result<bool, Spent> {
        meter.pay(1 + self.wanted.len() as u64 / 8)?;
        // How each slot was reached: the slot before it and the observation it would give up.
        let mut reached: Vec<Option<(usize, usize)>> = vec![None; self.wanted.len()];
        let mut open = vec![slot];
        let mut at = 0;
        while let Some(&here) = open.get(at) {
            at += 1;
            for &place in &self.offers[here] {
                meter.pay(1)?;
                if self.seen[place].free > 0 {
                    self.push(slot, here, place, &reached);
                    return Ok(true);
                }
                for &(other, _) in &self.seen[place].taken {
                    if other != slot && reached[other].is_none() {
                        reached[other] = Some((here, place));
                        open.push(other);
                    }
                }
            }
        }
        Ok(false)
    }

    /// `end` takes what is free at `place`; each slot before it takes over what the next one gives up.
    fn push(&mut self, slot: usize, end: usize, place: usize, reached: &[Option<(usize, usize)>]) {
        let mut amount = self.wanted[slot].min(self.seen[place].free);
        let mut here = end;
        while let Some((before, given)) = reached[here].filter(|_| here != slot) {
            amount = amount.min(self.taken(given, here));
            here = before;
        }
        self.seen[place].free -= amount;
        self.take(place, end, amount);
        let mut here = end;
        while let Some((before, given)) = reached[here].filter(|_| here != slot) {
            self.give(given, here, amount);
            self.take(given, before, amount);
            here = before;
        }
        self.wanted[slot] -= amount;
    }

    fn taken(&self, place: usize, slot: usize) -> u64 {
        let taken = &self.seen[place].taken;
        taken.iter().find(|(by, _)| *by == slot).map_or(0, |(_, amount)| *amount)
    }

    fn take(&mut self, place: usize, slot: usize, amount: u64) {
        let taken = &mut self.seen[place].taken;
        match taken.iter_mut().find(|(by, _)| *by == slot) {
            Some((_, has)) => *has += amount,
            None => taken.push((slot, amount)),
        }
    }

    fn give(&mut self, place: usize, slot: usize, amount: u64) {
        let taken = &mut self.seen[place].taken;
        if let Some((_, has)) = taken.iter_mut().find(|(by, _)| *by == slot) {
            *has -= amount;
        }
        taken.retain(|(_, amount)| *amount > 0);
    }
}
