//! Pieces of bytes behind each other in a file: `length u32 | CRC32C u32 | payload`, little-endian.
//!
//! Invariant: what follows a piece that is cut off or damaged is not read, since nothing says where it begins.

use std::{io, path::Path};

const HEADER: usize = 8;
/// Largest payload.
pub(super) const PAYLOAD_MAX: usize = 8 << 20;

pub(super) fn put(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend((payload.len() as u32).to_le_bytes());
    out.extend(crc32c::crc32c(payload).to_le_bytes());
    out.extend(payload);
}

/// The payloads of whole pieces, one by one.
pub(super) struct Pieces<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Pieces<'a> {
    pub fn of(all: &'a [u8]) -> Pieces<'a> {
        Pieces { all, at: 0 }
    }

    /// Bytes of the pieces so far: what lies behind them once there are no more is damaged.
    pub fn whole(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (header, rest) = self.all.get(self.at..)?.split_at_checked(HEADER)?;
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| header[at + n]));
        let length = number(0) as usize;
        let payload = rest.get(..length).filter(|_| length <= PAYLOAD_MAX)?;
        if crc32c::crc32c(payload) != number(4) {
            return None;
        }
        self.at += HEADER + length;
        Some(payload)
    }
}

/// The whole file; nothing where there is none.
pub(super) fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// Cuts what a crash left half written.
pub(super) fn mend(path: &Path) -> io::Result<()> {
    let bytes = bytes_of(path)?;
    let mut pieces = Pieces::of(&bytes);
    pieces.by_ref().for_each(drop);
    if pieces.whole() < bytes.len() {
        let lost = bytes.len() - pieces.whole();
        tracing::warn!(path = %path.display(), bytes = lost, "cut what was written half");
        disk::File::existing(path)?.set_len(pieces.whole() as u64)?;
    }
    Ok(())
}
