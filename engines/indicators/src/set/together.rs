//! Looking several values up together. Each step is taken for all of them before the next, so that what one waits
//! for from memory, the others wait for in the same time.

use std::hint::black_box;

use super::{
    format::Damage,
    keys::{Ask, keys},
    lookup::{Hit, Search},
    observable::Observable,
    open::{Layer, Set},
};
use crate::Micros;

/// Keys of a value, as a start for what is reserved.
const KEYS: usize = 4;

/// A key that may be there.
struct Asked<'k> {
    ask: Ask<'k>,
    hash: u64,
    /// Whose key it is, by its place among the values.
    of: u32,
}

impl Set<'_> {
    /// All rows that the values of one event hit at that time, each with its value's place in `seen`; they are
    /// those of [`Set::lookup`], in no particular order.
    pub fn lookup_all<'s>(
        &'s self,
        seen: &[Observable],
        at: Micros,
        out: &mut Vec<(usize, Hit<'s>)>,
    ) -> Result<(), Damage> {
        let mut asked = Vec::with_capacity(seen.len() * KEYS);
        let mut places = Vec::new();
        let mut hits = Vec::new();
        for number in 0..self.layers.len() {
            let layer = &self.layers[number];
            asked.clear();
            all_keys(layer, seen, &mut asked);
            still_asked(layer, &mut asked);
            candidates(layer, &asked, &mut places)?;
            for (of, place) in places.drain(..) {
                let Asked { ask, of, .. } = &asked[of as usize];
                let of = *of as usize;
                let mut search = Search::new(self, number, &seen[of], at, &mut hits);
                search.candidate(*ask, place)?;
                out.extend(hits.drain(..).map(|hit| (of, hit)));
            }
            for (of, seen) in seen.iter().enumerate() {
                Search::new(self, number, seen, at, &mut hits).beside_keys()?;
                out.extend(hits.drain(..).map(|hit| (of, hit)));
            }
        }
        Ok(())
    }
}

fn all_keys<'k>(layer: &Layer<'_>, seen: &'k [Observable], asked: &mut Vec<Asked<'k>>) {
    for (of, seen) in seen.iter().enumerate() {
        keys(layer, seen, |ask| {
            if let Some(hash) = layer.hash(ask) {
                asked.push(Asked { ask, hash, of: of as u32 });
            }
        });
    }
}

/// Leaves only what the filters let through.
fn still_asked(layer: &Layer<'_>, asked: &mut Vec<Asked<'_>>) {
    let table = |kind| layer.tables[kind as usize].as_ref();
    touch(asked.iter().filter_map(|one| Some(table(one.ask.kind)?.block(one.hash)[0])));
    asked.retain(|one| table(one.ask.kind).is_some_and(|table| table.passes(one.hash)));
}

/// Where records of what is asked may lie, each with its place among the questions.
fn candidates(
    layer: &Layer<'_>,
    asked: &[Asked<'_>],
    places: &mut Vec<(u32, u32)>,
) -> Result<(), Damage> {
    let table = |kind| layer.tables[kind as usize].as_ref();
    touch(asked.iter().filter_map(|one| Some(table(one.ask.kind)?.bucket(one.hash)[0])));
    for (of, one) in asked.iter().enumerate() {
        let Some(table) = table(one.ask.kind) else { continue };
        table.find(one.hash, |place| {
            places.push((of as u32, place));
            Ok(())
        })?;
    }
    touch(places.iter().filter_map(|(_, place)| layer.body.get(*place as usize).copied()));
    Ok(())
}

/// Reads a byte of each line: none waits for the one before it.
fn touch(bytes: impl Iterator<Item = u8>) {
    black_box(bytes.fold(0, |all, byte| all ^ byte));
}
