//! Where records lie, brought into the order of their hashes: sorted in runs, merged at the end.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{build::BuildError, format::scope_bits};
use crate::Key;

/// Rows are sorted in runs of so many.
const RUN_ROWS: usize = 1 << 20;

/// A row as it is sorted: its hash in two halves, and where its record lies.
pub(super) type Place = (u32, u32, u32);

fn hash_of(place: Place) -> u64 {
    u64::from(place.0) << 32 | u64::from(place.1)
}

#[derive(Default)]
pub(super) struct Rows {
    sorted: Vec<Vec<Place>>,
    last: Vec<Place>,
    pub count: u64,
    pub scopes: u8,
    pub schemeless: bool,
    pub lengths: Option<(u32, u32)>,
}

impl Rows {
    pub(super) fn push(&mut self, place: Place, key: &Key, length: usize) {
        self.last.push(place);
        self.count += 1;
        self.scopes |= 1 << scope_bits(key.scope());
        self.schemeless |= key.text().starts_with("//");
        let length = length as u32;
        let (least, most) = self.lengths.unwrap_or((length, length));
        self.lengths = Some((least.min(length), most.max(length)));
        if self.last.len() == RUN_ROWS {
            self.close();
        }
    }

    fn close(&mut self) {
        let mut last = std::mem::take(&mut self.last);
        last.sort_unstable();
        last.shrink_to_fit();
        self.sorted.push(last);
    }

    /// All rows in the order of hashes, those of one hash together.
    pub(super) fn groups(
        mut self,
        mut each: impl FnMut(u64, &[u32]) -> Result<(), BuildError>,
    ) -> Result<(), BuildError> {
        self.close();
        let mut heads: Vec<_> = self.sorted.into_iter().map(Vec::into_iter).collect();
        let mut heap: BinaryHeap<_> = heads
            .iter_mut()
            .enumerate()
            .filter_map(|(from, head)| Some(Reverse((head.next()?, from))))
            .collect();
        let (mut now, mut group) = (0, Vec::new());
        while let Some(Reverse((place, from))) = heap.pop() {
            if let Some(next) = heads[from].next() {
                heap.push(Reverse((next, from)));
            }
            if hash_of(place) != now && !group.is_empty() {
                each(now, &group)?;
                group.clear();
            }
            now = hash_of(place);
            group.push(place.2);
        }
        if group.is_empty() { Ok(()) } else { each(now, &group) }
    }
}
