//! Buckets and filter as they are written, from hashes that come in their order.

use std::{collections::VecDeque, io};

use sha2::{Digest, Sha256};

use super::{
    build::BuildError,
    format::{BLOCK, BUCKET, LINE, PLACES, ROOM, RUN, RUN_MAX},
    table::{scaled, tag, word_bits},
};

/// Rows of a bucket on average, of ten: an eighth is left free, so that few overflow.
const FILL: (u64, u64) = (4, 35);
/// Rows of a filter's block on average: 10.7 bits a row, of which one value in a hundred passes that is not there.
const BLOCK_ROWS: u64 = 24;

/// What goes out, counted and digested.
pub(super) struct Out<'w, W> {
    pub to: &'w mut W,
    pub sha: Sha256,
    pub at: u64,
}

impl<W: io::Write> Out<'_, W> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.sha.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Up to the next place where a line of the processor's cache begins.
    pub(super) fn align(&mut self) -> io::Result<()> {
        let line = LINE as u64;
        let empty = (self.at.next_multiple_of(line) - self.at) as usize;
        self.write(&[0; LINE][..empty])
    }
}

/// Buckets in the order of hashes, each row in its own or as soon behind it as there is room.
pub(super) struct Slots {
    homes: u64,
    /// The bucket with which `open` begins: where the last row is at home.
    base: u64,
    open: VecDeque<[u8; BUCKET]>,
    /// Rows of the last open bucket; those before it are full.
    filled: usize,
    buffer: Vec<u8>,
}

impl Slots {
    pub(super) fn new(rows: u64) -> Slots {
        let homes = rows * FILL.0 / FILL.1 + 1;
        Slots { homes, base: 0, open: VecDeque::new(), filled: 0, buffer: Vec::new() }
    }

    pub(super) fn push(
        &mut self,
        hash: u64,
        place: u32,
        out: &mut Out<'_, impl io::Write>,
    ) -> Result<(), BuildError> {
        self.close_before(scaled(hash, self.homes), out)?;
        if self.open.is_empty() || self.filled == ROOM {
            self.open.push_back([0; BUCKET]);
            self.filled = 0;
        }
        let run = self.open.len() - 1;
        if run > RUN_MAX {
            return Err(BuildError::Seed);
        }
        let (at, bucket) = (self.filled, &mut self.open[run]);
        bucket[at * 2..][..2].copy_from_slice(&tag(hash).to_le_bytes());
        bucket[PLACES + at * 4..][..4].copy_from_slice(&place.to_le_bytes());
        self.filled += 1;
        self.open[0][RUN..].copy_from_slice(&(run as u32).to_le_bytes());
        Ok(())
    }

    /// Nothing more is at home before this bucket.
    fn close_before(&mut self, home: u64, out: &mut Out<'_, impl io::Write>) -> io::Result<()> {
        while self.base < home {
            let bucket = self.open.pop_front().unwrap_or([0; BUCKET]);
            self.buffer.extend_from_slice(&bucket);
            self.base += 1;
            if self.buffer.len() > 1 << 16 {
                out.write(&self.buffer)?;
                self.buffer.clear();
            }
        }
        Ok(())
    }

    /// How many buckets there are, and how many of them are homes.
    pub(super) fn finish(mut self, out: &mut Out<'_, impl io::Write>) -> io::Result<(u64, u64)> {
        let total = self.homes.max(self.base + self.open.len() as u64);
        self.close_before(total, out)?;
        out.write(&self.buffer)?;
        Ok((total, self.homes))
    }
}

/// A filter of blocks, each a line's half, so that asking it reads one line.
pub(super) struct Filter(Vec<u8>);

impl Filter {
    pub(super) fn new(rows: u64) -> Filter {
        Filter(vec![0; (rows / BLOCK_ROWS + 1) as usize * BLOCK])
    }

    pub(super) fn push(&mut self, hash: u64) {
        let blocks = (self.0.len() / BLOCK) as u64;
        let at = scaled(hash, blocks) as usize * BLOCK;
        for (word, bit) in word_bits(hash).enumerate() {
            self.0[at + word * 4 + bit as usize / 8] |= 1 << (bit % 8);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
