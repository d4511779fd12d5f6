//! Slots and filters as they are written, from hashes that come in their order.

use std::io;

use sha2::{Digest, Sha256};
use xorf::{BinaryFuse8, DmaSerializable};

use super::{
    build::BuildError,
    format::{RUN_MAX, SLOT},
    table::{home, shard_of},
};

/// Filters are built over so many keys at most: what building one costs is 25 bytes a key.
const SHARD_ROWS: u64 = 1 << 19;

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
}

/// Slots in the order of hashes, each at its home or as soon behind it as there is room.
pub(super) struct Slots {
    homes: u64,
    next: u64,
    run: u64,
    buffer: Vec<u8>,
}

impl Slots {
    pub(super) fn new(rows: u64) -> Slots {
        // A sixth is left free, so that runs are short.
        Slots { homes: rows + rows / 6 + 1, next: 0, run: 0, buffer: Vec::new() }
    }

    pub(super) fn push(
        &mut self,
        hash: u64,
        place: u32,
        out: &mut Out<'_, impl io::Write>,
    ) -> Result<(), BuildError> {
        let home = home(hash, self.homes);
        let at = self.next.max(home);
        self.run = self.run.max(at - home);
        if self.run > u64::from(RUN_MAX) {
            return Err(BuildError::Seed);
        }
        self.pad(at);
        self.buffer.extend_from_slice(&(hash as u16).to_le_bytes());
        self.buffer.extend_from_slice(&place.to_le_bytes());
        self.next = at + 1;
        if self.buffer.len() > 1 << 16 {
            out.write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn pad(&mut self, to: u64) {
        let empty = (to - self.next) as usize * SLOT;
        self.buffer.resize(self.buffer.len() + empty, 0);
    }

    pub(super) fn finish(
        mut self,
        out: &mut Out<'_, impl io::Write>,
    ) -> Result<(u64, u64, u32), BuildError> {
        let total = self.next.max(self.homes);
        self.pad(total);
        out.write(&self.buffer)?;
        Ok((total, self.homes, self.run as u32))
    }
}

pub(super) type Built = ([u8; 20], Vec<u8>);

/// Filters over ranges of hashes, which come in their order.
pub(super) struct Filters {
    bits: u32,
    keys: Vec<u64>,
    built: Vec<Built>,
}

impl Filters {
    pub(super) fn new(rows: u64) -> Filters {
        let bits = (rows / SHARD_ROWS).checked_ilog2().map_or(0, |bits| bits + 1);
        Filters { bits, keys: Vec::new(), built: Vec::new() }
    }

    pub(super) fn push(&mut self, hash: u64) -> Result<(), BuildError> {
        while self.built.len() < shard_of(hash, self.bits) {
            self.close()?;
        }
        self.keys.push(hash);
        Ok(())
    }

    fn close(&mut self) -> Result<(), BuildError> {
        let keys = std::mem::take(&mut self.keys);
        if keys.is_empty() {
            self.built.push(([0; 20], Vec::new()));
            return Ok(());
        }
        let filter = BinaryFuse8::try_from(&keys).map_err(|_| BuildError::Seed)?;
        let mut descriptor = [0; 20];
        filter.dma_copy_descriptor_to(&mut descriptor);
        self.built.push((descriptor, filter.fingerprints.into_vec()));
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<Built>, BuildError> {
        while self.built.len() < 1 << self.bits {
            self.close()?;
        }
        Ok(self.built)
    }
}
