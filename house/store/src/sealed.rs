//! Sealed files: pieces of 64 KiB, each of which opens in its own place only.
//!
//! The construction is STREAM over AES-256-GCM. The nonce of a piece is its number and whether it is the
//! last one; the name of the file is bound into each. So a piece that is changed, moved, left out or
//! taken from another file does not open, and neither does a file that was cut at a border between
//! pieces. Every key seals one file, once; that is why a counter does as nonce.
//!
//! Memory is bounded by the caller's buffer, and any piece can be read by itself.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use model::Id;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{StoreError, keys::NONCE_BYTES};

/// Bytes of a piece before it is sealed.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;

/// Length on disk of a sealed file of so many bytes; an empty one is one empty piece.
pub(crate) fn sealed_length(bytes: u64) -> u64 {
    bytes + pieces(bytes) * TAG_BYTES as u64
}

fn pieces(bytes: u64) -> u64 {
    bytes.div_ceil(PIECE_BYTES as u64).max(1)
}

/// What seals and opens one file.
struct Pieces {
    key: LessSafeKey,
    context: Vec<u8>,
}

impl Pieces {
    fn new(key: &[u8; 32], file: Id) -> Result<Pieces, StoreError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Random)?;
        let context = format!("ume/blob/v1\n{file}").into_bytes();
        Ok(Pieces { key: LessSafeKey::new(key), context })
    }

    fn nonce(number: u64, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        nonce[NONCE_BYTES - 1] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Seals a file from its beginning to its end.
pub(crate) struct Sealer {
    pieces: Pieces,
    next: u64,
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 32], file: Id) -> Result<Sealer, StoreError> {
        Ok(Sealer { pieces: Pieces::new(key, file)?, next: 0 })
    }

    /// Takes whole pieces out of what waits and gives them sealed. A piece is sealed once it is known
    /// whether another follows, so up to one stays unless these are the last bytes.
    pub(crate) fn seal(&mut self, waiting: &mut Vec<u8>, end: bool) -> Result<Vec<u8>, StoreError> {
        let mut out = Vec::with_capacity(sealed_length(waiting.len() as u64) as usize);
        let mut from = 0;
        while waiting.len() - from > PIECE_BYTES {
            self.piece(&waiting[from..from + PIECE_BYTES], false, &mut out)?;
            from += PIECE_BYTES;
        }
        if end {
            self.piece(&waiting[from..], true, &mut out)?;
            from = waiting.len();
        }
        waiting.drain(..from);
        Ok(out)
    }

    fn piece(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let from = out.len();
        out.extend_from_slice(plain);
        let Pieces { key, context } = &self.pieces;
        let nonce = Pieces::nonce(self.next, last);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(context), &mut out[from..])
            .map_err(|_| StoreError::Random)?;
        out.extend_from_slice(tag.as_ref());
        self.next += 1;
        Ok(())
    }
}

/// Opens a sealed file, any piece of it.
pub(crate) struct Opener {
    pieces: Pieces,
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Opener {
    /// `None` where the file has not the length that so many bytes have when sealed.
    pub(crate) fn new(
        file: File,
        path: &Path,
        key: &[u8; 32],
        id: Id,
        bytes: u64,
    ) -> Result<Option<Opener>, StoreError> {
        let found = file.metadata().map_err(|e| io(path, e))?.len();
        if found != sealed_length(bytes) {
            return Ok(None);
        }
        Ok(Some(Opener { pieces: Pieces::new(key, id)?, file, path: path.to_owned(), bytes }))
    }

    /// Up to `most` pieces from this one on; empty behind the last.
    pub(crate) fn read(&self, first: u64, most: u64) -> Result<Vec<u8>, StoreError> {
        let count = pieces(self.bytes);
        let end = count.min(first.saturating_add(most));
        if first >= end {
            return Ok(Vec::new());
        }
        let whole = (PIECE_BYTES + TAG_BYTES) as u64;
        let (from, to) = (first * whole, sealed_length(self.bytes).min(end * whole));
        let mut bytes = vec![0; (to - from) as usize];
        self.file.read_exact_at(&mut bytes, from).map_err(|e| io(&self.path, e))?;
        // Opened where they lie, then moved over the tags before them.
        let (mut at, mut filled) = (0, 0);
        for number in first..end {
            let length = (PIECE_BYTES + TAG_BYTES).min(bytes.len() - at);
            let Pieces { key, context } = &self.pieces;
            let nonce = Pieces::nonce(number, number + 1 == count);
            let plain = key
                .open_in_place(nonce, Aad::from(context), &mut bytes[at..at + length])
                .map_err(|_| StoreError::SealedFile(self.path.clone(), number))?
                .len();
            bytes.copy_within(at..at + plain, filled);
            at += length;
            filled += plain;
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

fn io(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const WHOLE: usize = PIECE_BYTES + TAG_BYTES;

    fn id(n: u8) -> Id {
        Id::from_parts(model::Timestamp(1_000), &[n; 10])
    }

    fn sealed(plain: &[u8], step: usize) -> Vec<u8> {
        let mut sealer = Sealer::new(&KEY, id(1)).unwrap();
        let (mut waiting, mut out) = (Vec::new(), Vec::new());
        for part in plain.chunks(step) {
            waiting.extend_from_slice(part);
            out.extend(sealer.seal(&mut waiting, false).unwrap());
            assert!(waiting.len() <= PIECE_BYTES);
        }
        out.extend(sealer.seal(&mut waiting, true).unwrap());
        out
    }

    /// All of it, read so many pieces at once; `None` where it does not open.
    fn opened(sealed: &[u8], key: &[u8; 32], id: Id, bytes: usize, most: u64) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, sealed).unwrap();
        let file = File::open(&path).unwrap();
        let opener = Opener::new(file, &path, key, id, bytes as u64).unwrap()?;
        let (mut out, mut next) = (Vec::new(), 0);
        loop {
            let part = opener.read(next, most).ok()?;
            if part.is_empty() {
                return Some(out);
            }
            next += most;
            out.extend(part);
        }
    }

    fn plain(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|i| (i * 31 / 7) as u8).collect()
    }

    #[test]
    fn what_is_sealed_opens_whatever_the_length_and_the_steps() {
        let edges = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES];
        for bytes in edges {
            let plain = plain(bytes);
            for step in [1_000, PIECE_BYTES, 200_000] {
                let sealed = sealed(&plain, step);
                assert_eq!(sealed.len() as u64, sealed_length(bytes as u64));
                for most in [1, 2, 9] {
                    let found = opened(&sealed, &KEY, id(1), bytes, most);
                    assert_eq!(found.as_deref(), Some(plain.as_slice()), "{bytes} {step} {most}");
                }
            }
        }
    }

    #[test]
    fn a_piece_that_is_changed_moved_or_missing_does_not_open() {
        let plain = plain(3 * PIECE_BYTES + 5);
        let sound = sealed(&plain, 100_000);
        let open = |sealed: &[u8], bytes| opened(sealed, &KEY, id(1), bytes, 2);
        assert_eq!(open(&sound, plain.len()).unwrap(), plain);
        for at in [0, WHOLE - 1, WHOLE, sound.len() - 1] {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            assert_eq!(open(&changed, plain.len()), None, "{at}");
        }
        // Cut at a border, with a database that says so much and no more.
        assert_eq!(open(&sound[..2 * WHOLE], 2 * PIECE_BYTES), None);
        assert_eq!(open(&sound[..2 * WHOLE], plain.len()), None);
        let swapped = [&sound[WHOLE..2 * WHOLE], &sound[..WHOLE], &sound[2 * WHOLE..]].concat();
        assert_eq!(open(&swapped, plain.len()), None);
        assert_eq!(opened(&sound, &[8; 32], id(1), plain.len(), 2), None);
        assert_eq!(opened(&sound, &KEY, id(2), plain.len(), 2), None);
    }
}
