//! The entry log: frames of `length u32 | crc32c u32 | bytes`, little-endian, in one file.

use std::{
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use disk::File;
use merkle::{Hash, MemTree};

use crate::LedgerError;

/// Most leaves in one group commit.
pub const LEAVES_PER_GROUP_MAX: usize = 10_000;
const LEAF_BYTES_MAX: usize = 65_535;
pub(crate) const FRAME_HEAD_BYTES: u64 = 8;

pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// Byte offset of each frame.
    offsets: Vec<u64>,
    end: u64,
    poisoned: bool,
}

/// One frame as found on disk.
pub(crate) enum Frame {
    Entry(Vec<u8>),
    End,
    /// Not a whole, sound frame.
    Broken,
}

pub(crate) fn read_frame(reader: &mut impl Read) -> std::io::Result<Frame> {
    let mut head = [0; FRAME_HEAD_BYTES as usize];
    let got = read_up_to(reader, &mut head)?;
    if got == 0 {
        return Ok(Frame::End);
    }
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    // Length 0 is what a file system shows where it grew the file but lost the data.
    if got < head.len() || length == 0 || length > LEAF_BYTES_MAX {
        return Ok(Frame::Broken);
    }
    let mut bytes = vec![0; length];
    if read_up_to(reader, &mut bytes)? < length || crc32c::crc32c(&bytes) != crc {
        return Ok(Frame::Broken);
    }
    Ok(Frame::Entry(bytes))
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Root over the first `size` leaves of a tree that may be larger.
pub(crate) fn root_at(tree: &MemTree, size: u64) -> Result<Hash, LedgerError> {
    if size == 0 {
        return Ok(merkle::empty_root());
    }
    Ok(merkle::tree_root(size, tree)?)
}

impl Log {
    /// Opens the log and builds the tree. A broken tail is cut off only where no checkpoint covers it.
    pub(crate) fn open(path: &Path, checkpoint_size: u64) -> Result<(Log, MemTree), LedgerError> {
        let io = |source| LedgerError::Io { path: path.to_owned(), source };
        let mut file = File::append(path).map_err(io)?;
        let twin = file.file().try_clone().map_err(io)?;
        let mut reader = BufReader::with_capacity(1 << 20, twin);
        let mut tree = MemTree::new();
        let mut offsets = Vec::new();
        let mut end = 0;
        loop {
            match read_frame(&mut reader).map_err(io)? {
                Frame::Entry(bytes) => {
                    tree.push(merkle::leaf_hash(&bytes));
                    offsets.push(end);
                    end += FRAME_HEAD_BYTES + bytes.len() as u64;
                }
                Frame::End => break,
                Frame::Broken => {
                    if tree.size() < checkpoint_size {
                        break;
                    }
                    tracing::warn!(offset = end, "cut off a torn, never acknowledged tail");
                    file.set_len(end).map_err(io)?;
                    file.sync().map_err(io)?;
                    break;
                }
            }
        }
        if tree.size() < checkpoint_size {
            return Err(LedgerError::Damaged {
                path: path.to_owned(),
                offset: end,
                index: tree.size(),
                size: checkpoint_size,
            });
        }
        Ok((Log { path: path.to_owned(), file, offsets, end, poisoned: false }, tree))
    }

    /// Appends one group: a single write, a single fdatasync.
    pub(crate) fn append(&mut self, leaves: &[&[u8]]) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        if leaves.len() > LEAVES_PER_GROUP_MAX {
            return Err(LedgerError::Many(leaves.len()));
        }
        if let Some(large) = leaves.iter().find(|l| l.len() > LEAF_BYTES_MAX) {
            return Err(LedgerError::Large(large.len()));
        }
        if leaves.iter().any(|l| l.is_empty()) {
            return Err(LedgerError::Empty);
        }
        let mut group = Vec::new();
        let mut offsets = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            offsets.push(self.end + group.len() as u64);
            group.extend_from_slice(&(leaf.len() as u32).to_le_bytes());
            group.extend_from_slice(&crc32c::crc32c(leaf).to_le_bytes());
            group.extend_from_slice(leaf);
        }
        let written = self.file.write_all(&group).and_then(|()| self.file.sync());
        if let Err(source) = written {
            // After a failed fsync nobody knows what the disk holds: stop until reopened and read.
            self.poisoned = true;
            return Err(LedgerError::Io { path: self.path.clone(), source });
        }
        self.end += group.len() as u64;
        self.offsets.extend(offsets);
        Ok(())
    }

    /// Length of the bundle that holds these entries; `None` where the log does not reach.
    pub(crate) fn bundle_bytes(&self, range: std::ops::Range<u64>) -> Option<u64> {
        let place = |index: u64| match self.offsets.get(index as usize) {
            Some(offset) => Some(*offset),
            None => (index == self.offsets.len() as u64).then_some(self.end),
        };
        let count = range.end - range.start;
        // A length of two bytes where the log has a head of eight.
        Some(place(range.end)? - place(range.start)? - count * (FRAME_HEAD_BYTES - 2))
    }

    /// Reads one entry back.
    pub(crate) fn read(&mut self, index: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(offset) = self.offsets.get(index as usize).copied() else { return Ok(None) };
        let io = |source| LedgerError::Io { path: self.path.clone(), source };
        let file = self.file.file();
        file.seek(SeekFrom::Start(offset)).map_err(io)?;
        match read_frame(file).map_err(io)? {
            Frame::Entry(bytes) => Ok(Some(bytes)),
            _ => Err(LedgerError::Damaged {
                path: self.path.clone(),
                offset,
                index,
                size: self.offsets.len() as u64,
            }),
        }
    }
}
