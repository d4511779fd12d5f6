//! A table of buckets and its filter, as it lies in the file.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::format::{BLOCK, BUCKET, CHAINS_FROM, Damage, PLACES, ROOM, RUN, RUN_MAX, TablePart};

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

/// Where a hash is at home among so many: both buckets and blocks are in the order of hashes.
#[inline]
pub(super) fn scaled(hash: u64, homes: u64) -> u64 {
    ((u128::from(hash) * u128::from(homes)) >> 64) as u64
}

/// What of a hash stands in its bucket: bits that its home does not tell.
#[inline]
pub(super) fn tag(hash: u64) -> u16 {
    hash as u16
}

/// The bit of each of a block's eight words, from the 40 low bits of the hash.
#[inline]
pub(super) fn word_bits(hash: u64) -> impl Iterator<Item = u32> {
    (0..8).map(move |word| (hash >> (5 * word)) as u32 & 31)
}

#[derive(Debug)]
pub(super) struct Table<'a> {
    blocks: &'a [[u8; BLOCK]],
    buckets: &'a [[u8; BUCKET]],
    homes: u64,
    pub scopes: u8,
    pub schemeless: bool,
    lengths: (usize, usize),
}

impl<'a> Table<'a> {
    pub(super) fn open(body: &'a [u8], part: &TablePart) -> Result<Table<'a>, Damage> {
        let wrong = Damage::Part { part: "a table" };
        let buckets = slice(body, part.buckets.at, part.buckets.count, BUCKET).ok_or(wrong)?;
        let blocks = slice(body, part.filter.at, part.filter.count, BLOCK).ok_or(wrong)?;
        if part.homes == 0 || part.homes > part.buckets.count || blocks.is_empty() {
            return Err(wrong);
        }
        Ok(Table {
            blocks: blocks.as_chunks().0,
            buckets: buckets.as_chunks().0,
            homes: part.homes,
            scopes: part.scopes,
            schemeless: part.schemeless,
            lengths: (part.length_min as usize, part.length_max as usize),
        })
    }

    /// The hash of a key, unless no row is of its length.
    #[inline]
    pub(super) fn hash(&self, key: &[u8], secrets: &RapidSecrets) -> Option<u64> {
        let fits = key.len() >= self.lengths.0 && key.len() <= self.lengths.1;
        fits.then(|| hash(key, secrets))
    }

    #[inline]
    pub(super) fn block(&self, hash: u64) -> &'a [u8; BLOCK] {
        &self.blocks[scaled(hash, self.blocks.len() as u64) as usize]
    }

    #[inline]
    pub(super) fn bucket(&self, hash: u64) -> &'a [u8; BUCKET] {
        &self.buckets[scaled(hash, self.homes) as usize]
    }

    /// Whether the filter lets a hash through: surely, if it is here.
    #[inline]
    pub(super) fn passes(&self, hash: u64) -> bool {
        let (words, _) = self.block(hash).as_chunks::<4>();
        let bits = words.iter().zip(word_bits(hash));
        bits.fold(1, |there, (word, bit)| there & (u32::from_le_bytes(*word) >> bit)) == 1
    }

    /// Where records of this hash may lie: `visit` gets a record's place or, from [`CHAINS_FROM`] on,
    /// a chain's number. Who visits compares bytes.
    pub(super) fn find(
        &self,
        hash: u64,
        mut visit: impl FnMut(u32) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let home = scaled(hash, self.homes) as usize;
        let run = u32::from_le_bytes(four(&self.buckets[home], RUN)) as usize;
        for bucket in self.buckets[home..].iter().take(run.min(RUN_MAX) + 1) {
            for at in 0..ROOM {
                if u16::from_le_bytes([bucket[at * 2], bucket[at * 2 + 1]]) != tag(hash) {
                    continue;
                }
                match u32::from_le_bytes(four(bucket, PLACES + at * 4)) {
                    0 => {}
                    place => visit(place)?,
                }
            }
        }
        Ok(())
    }
}

fn four(bucket: &[u8; BUCKET], at: usize) -> [u8; 4] {
    [bucket[at], bucket[at + 1], bucket[at + 2], bucket[at + 3]]
}

/// The bytes of `count` items of a size, if they lie within.
pub(super) fn slice(body: &[u8], at: u64, count: u64, size: usize) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let length = usize::try_from(count).ok()?.checked_mul(size)?;
    body.get(start..start.checked_add(length)?)
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
