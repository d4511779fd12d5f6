//! A table of slots and its filters, as it lies in the file.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use xorf::{BinaryFuse8Ref, Filter, FilterRef};

use super::format::{CHAINS_FROM, Damage, RUN_MAX, SLOT, Shard, TablePart};

/// The seed of 16 bytes: half of it makes the secrets, the other half the start.
pub(super) fn secrets(seed: &[u8; 16]) -> RapidSecrets {
    let half = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&seed[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let mut secrets = RapidSecrets::seed(half(0));
    secrets.seed ^= half(8);
    secrets
}

#[inline]
pub(super) fn hash(key: &[u8], secrets: &RapidSecrets) -> u64 {
    rapidhash_v3_seeded(key, secrets)
}

/// The slot where a hash is at home: slots are in the order of hashes.
#[inline]
pub(super) fn home(hash: u64, homes: u64) -> u64 {
    ((u128::from(hash) * u128::from(homes)) >> 64) as u64
}

#[inline]
pub(super) fn shard_of(hash: u64, bits: u32) -> usize {
    if bits == 0 { 0 } else { (hash >> (64 - bits)) as usize }
}

#[derive(Debug)]
pub(super) struct Table<'a> {
    slots: &'a [u8],
    homes: u64,
    run: u64,
    bits: u32,
    filters: Vec<Option<BinaryFuse8Ref<'a>>>,
    pub scopes: u8,
    pub schemeless: bool,
    lengths: (usize, usize),
}

impl<'a> Table<'a> {
    pub(super) fn open(body: &'a [u8], part: &TablePart) -> Result<Table<'a>, Damage> {
        let wrong = Damage::Part { part: "a table" };
        let slots = slice(body, part.slots.at, part.slots.count, SLOT).ok_or(wrong)?;
        let shards = part.shards.len();
        if part.homes > part.slots.count || part.run > RUN_MAX || !shards.is_power_of_two() {
            return Err(wrong);
        }
        let filters = part.shards.iter().map(|shard| filter(body, shard));
        Ok(Table {
            slots,
            homes: part.homes,
            run: u64::from(part.run),
            bits: shards.trailing_zeros(),
            filters: filters.collect::<Result<_, _>>()?,
            scopes: part.scopes,
            schemeless: part.schemeless,
            lengths: (part.length_min as usize, part.length_max as usize),
        })
    }

    /// Where records of this key may lie: `visit` gets a record's place or, from [`CHAINS_FROM`] on,
    /// a chain's number. Who visits compares bytes.
    #[inline]
    pub(super) fn find(
        &self,
        key: &[u8],
        secrets: &RapidSecrets,
        mut visit: impl FnMut(u32) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        if key.len() < self.lengths.0 || key.len() > self.lengths.1 {
            return Ok(());
        }
        let hash = hash(key, secrets);
        match &self.filters[shard_of(hash, self.bits)] {
            Some(filter) if filter.contains(&hash) => {}
            _ => return Ok(()),
        }
        let home = home(hash, self.homes) as usize;
        for slot in self.slots[home * SLOT..].chunks_exact(SLOT).take(self.run as usize + 1) {
            let place = u32::from_le_bytes([slot[2], slot[3], slot[4], slot[5]]);
            if place == 0 {
                return Ok(());
            }
            if u16::from_le_bytes([slot[0], slot[1]]) == hash as u16 {
                visit(place)?;
            }
        }
        Ok(())
    }
}

/// The bytes of `count` items of a size, if they lie within.
pub(super) fn slice(body: &[u8], at: u64, count: u64, size: usize) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let length = usize::try_from(count).ok()?.checked_mul(size)?;
    body.get(start..start.checked_add(length)?)
}

/// A filter indexes by what its descriptor says, unchecked but for slices' bounds, so it is held
/// against its length here.
fn filter<'a>(body: &'a [u8], shard: &Shard) -> Result<Option<BinaryFuse8Ref<'a>>, Damage> {
    let wrong = Damage::Part { part: "a filter" };
    if shard.length == 0 {
        return Ok(None);
    }
    let bytes = slice(body, shard.at, shard.length, 1).ok_or(wrong)?;
    let word = |at: usize| {
        let bytes = [0, 1, 2, 3].map(|n| shard.descriptor[at + n]);
        u64::from(u32::from_le_bytes(bytes))
    };
    let (segment, mask, count) = (word(8), word(12), word(16));
    let consistent = segment.is_power_of_two()
        && mask == segment - 1
        && count >= segment
        && count.is_multiple_of(segment)
        && count + 2 * segment == bytes.len() as u64
        && bytes.len() < u32::MAX as usize;
    if !consistent {
        return Err(wrong);
    }
    Ok(Some(BinaryFuse8Ref::from_dma(&shard.descriptor, bytes)))
}

/// The records of a chain.
pub(super) fn chain(chains: &[u8], place: u32) -> Result<impl Iterator<Item = u32>, Damage> {
    let wrong = Damage::Part { part: "a chain" };
    let first = (place - CHAINS_FROM) as usize;
    let count = slice(chains, first as u64 * 4, 1, 4).ok_or(wrong)?;
    let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]);
    let places = slice(chains, (first as u64 + 1) * 4, u64::from(count), 4).ok_or(wrong)?;
    Ok(places.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])))
}
