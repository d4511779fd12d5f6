//! What is installed where, the other way round: from package and version to the hosts that have it.

use std::collections::{BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::{Name, Subject, keys};
use crate::advisory::Advisory;

/// Hosts by number, found by what is installed on them.
#[derive(Debug, Default)]
pub struct Fleet {
    subjects: Vec<(Subject, RoaringBitmap)>,
    known: HashMap<Subject, u32>,
    by_name: HashMap<Name, Vec<u32>>,
}

/// What an advisory means for a fleet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostSet {
    pub affected: RoaringBitmap,
    /// Hosts of which it cannot be said, and that are not affected by anything else.
    pub unknown: RoaringBitmap,
}

impl Fleet {
    /// Says that a host has something, and gives the number of the subject. Hosts bear numbers of the
    /// caller's.
    pub fn add(&mut self, host: u32, subject: &Subject) -> u32 {
        let at = match self.known.get(subject) {
            Some(at) => *at,
            None => {
                let at = self.subjects.len() as u32;
                for name in subject.names() {
                    self.by_name.entry(name).or_default().push(at);
                }
                self.subjects.push((subject.clone(), RoaringBitmap::new()));
                self.known.insert(subject.clone(), at);
                at
            }
        };
        self.subjects[at as usize].1.insert(host);
        at
    }

    /// Says that a host has these subjects no more.
    pub fn leave(&mut self, host: u32, subjects: &[u32]) {
        for number in subjects {
            if let Some((_, hosts)) = self.subjects.get_mut(*number as usize) {
                hosts.remove(host);
            }
        }
    }

    /// A subject and the hosts that have it.
    pub fn subject(&self, number: u32) -> Option<(&Subject, &RoaringBitmap)> {
        self.subjects.get(number as usize).map(|(subject, hosts)| (subject, hosts))
    }

    /// The subjects that an advisory names, whatever their versions.
    pub fn touched(&self, advisory: &Advisory) -> BTreeSet<u32> {
        let names = advisory.affected.iter().map(|affected| keys(&affected.package).0);
        names.filter_map(|name| self.by_name.get(&name)).flatten().copied().collect()
    }

    /// How many different subjects there are.
    pub fn subjects(&self) -> usize {
        self.subjects.len()
    }

    pub(super) fn named(&self, name: &Name) -> impl Iterator<Item = (&Subject, &RoaringBitmap)> {
        self.by_name.get(name).into_iter().flatten().map(|at| {
            let (subject, hosts) = &self.subjects[*at as usize];
            (subject, hosts)
        })
    }
}
