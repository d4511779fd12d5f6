//! The ZIP that a bundle is: written one way only, and read only if it was written that way.
//!
//! Nothing is compressed, times are those of 1980, attributes and extra fields are empty, entries lie
//! end to end in the order of the central directory. So equal files give equal bytes whichever Ume
//! wrote them, no byte of the container can change unseen or hide anything, and nothing grows when it
//! is unpacked. Every unzip reads it; from 65,535 entries on it is ZIP64.

use std::collections::BTreeMap;

/// Most files.
pub const ENTRIES_MAX: usize = 400_000;
/// Most bytes of a bundle: it is held in memory.
pub const BYTES_MAX: usize = 1 << 30;
const NAME_BYTES_MAX: usize = 200;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// Version 1.0 needed: stored entries, no folders.
const VERSION: u16 = 10;
/// 1980-01-01, midnight.
const DATE: u16 = 0x21;

/// Why the file is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    #[error("more than {BYTES_MAX} bytes")]
    Large,
    #[error("more than {ENTRIES_MAX} files")]
    Many,
    #[error("{name}: not a name that a bundle has")]
    Name { name: String },
    #[error("{place} at byte {offset}: not as Ume writes it")]
    Form { place: String, offset: usize },
}

/// Bytes as they are appended.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    central: Vec<u8>,
    entries: u64,
}

/// Whether a file of a bundle may have this name.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let part = |p: &str| !p.is_empty() && p != "." && p != ".." && p.chars().all(plain);
    name.len() <= NAME_BYTES_MAX && name.split('/').all(part)
}

/// What local and central header share, from `version needed` to the length of the name.
fn head(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    for word in [VERSION, 0, 0, 0, DATE] {
        out.extend(word.to_le_bytes());
    }
    let size = content.len() as u32;
    for word in [crc32(content), size, size] {
        out.extend(word.to_le_bytes());
    }
    out.extend((name.len() as u16).to_le_bytes());
    out
}

impl Writer {
    /// Adds a file.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), ContainerError> {
        if !is_name(name) {
            return Err(ContainerError::Name { name: name.to_owned() });
        }
        if self.entries as usize == ENTRIES_MAX {
            return Err(ContainerError::Many);
        }
        if self.bytes.len() + self.central.len() + content.len() > BYTES_MAX {
            return Err(ContainerError::Large);
        }
        let head = head(name, content);
        let offset = self.bytes.len() as u32;
        self.central.extend(CENTRAL.to_le_bytes());
        self.central.extend(VERSION.to_le_bytes());
        self.central.extend(&head);
        // Extra field, comment, disk, internal and external attributes.
        self.central.extend([0; 12]);
        self.central.extend(offset.to_le_bytes());
        self.central.extend(name.as_bytes());
        self.bytes.extend(LOCAL.to_le_bytes());
        self.bytes.extend(&head);
        self.bytes.extend([0; 2]);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(content);
        self.entries += 1;
        Ok(())
    }

    /// The whole file.
    pub fn finish(mut self) -> Vec<u8> {
        let (start, size) = (self.bytes.len() as u64, self.central.len() as u64);
        self.bytes.append(&mut self.central);
        let many = self.entries >= u64::from(u16::MAX);
        if many {
            let end64 = self.bytes.len() as u64;
            self.bytes.extend(END64.to_le_bytes());
            self.bytes.extend(44_u64.to_le_bytes());
            for word in [45_u16, 45] {
                self.bytes.extend(word.to_le_bytes());
            }
            self.bytes.extend([0; 8]);
            for word in [self.entries, self.entries, size, start] {
                self.bytes.extend(word.to_le_bytes());
            }
            self.bytes.extend(LOCATOR64.to_le_bytes());
            self.bytes.extend([0; 4]);
            self.bytes.extend(end64.to_le_bytes());
            self.bytes.extend(1_u32.to_le_bytes());
        }
        let entries = if many { u16::MAX } else { self.entries as u16 };
        self.bytes.extend(END.to_le_bytes());
        self.bytes.extend([0; 4]);
        for word in [entries, entries] {
            self.bytes.extend(word.to_le_bytes());
        }
        for word in [size as u32, start as u32] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend([0; 2]);
        self.bytes
    }
}

/// Files by name, as parts of `bytes`. What does not read is named; the contents are not judged here.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<&str, &[u8]>, ContainerError> {
    if bytes.len() > BYTES_MAX {
        return Err(ContainerError::Large);
    }
    let mut files = BTreeMap::new();
    let mut central = Vec::new();
    let mut at = 0;
    while bytes.get(at..at + 4) == Some(&LOCAL.to_le_bytes()) {
        let form = |place: &str| ContainerError::Form { place: place.to_owned(), offset: at };
        let number = |from: usize, length: usize| -> Option<usize> {
            let part = bytes.get(at + from..at + from + length)?;
            Some(part.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
        };
        let (size, length) = (number(18, 4), number(26, 2));
        let (Some(size), Some(length)) = (size, length) else { return Err(form("local header")) };
        let (begin, end) = (at + 30 + length, at + 30 + length + size);
        let name = bytes.get(at + 30..begin).and_then(|name| str::from_utf8(name).ok());
        let name = name.filter(|name| is_name(name)).ok_or_else(|| form("name"))?;
        let content = bytes.get(begin..end).ok_or_else(|| form(name))?;
        let mut wanted = Vec::from(LOCAL.to_le_bytes());
        wanted.extend(head(name, content));
        wanted.extend([0; 2]);
        if bytes[at..at + 30] != wanted[..] || files.insert(name, content).is_some() {
            return Err(form(name));
        }
        if files.len() > ENTRIES_MAX {
            return Err(ContainerError::Many);
        }
        central.push(name);
        at = end;
    }
    let tail = directory(&central, &files, at);
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(differs) = (0..tail.len().max(rest.len())).find(|i| tail.get(*i) != rest.get(*i)) {
        let place = "central directory".to_owned();
        return Err(ContainerError::Form { place, offset: at + differs });
    }
    Ok(files)
}

/// The end that files in this order must have.
fn directory(order: &[&str], files: &BTreeMap<&str, &[u8]>, start: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut offset = 0;
    for name in order {
        let content = files[name];
        writer.central.extend(CENTRAL.to_le_bytes());
        writer.central.extend(VERSION.to_le_bytes());
        writer.central.extend(head(name, content));
        writer.central.extend([0; 12]);
        writer.central.extend((offset as u32).to_le_bytes());
        writer.central.extend(name.as_bytes());
        offset += 30 + name.len() + content.len();
    }
    writer.entries = order.len() as u64;
    // Only the lengths count here: what lies before was read already.
    writer.bytes = vec![0; start];
    writer.finish().split_off(start)
}

/// CRC-32 as ZIP uses it (ISO 3309, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut value, mut bit) = (i as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<u8> {
        let mut writer = Writer::default();
        for (name, content) in [("b/x.json", "one"), ("a", ""), ("c", "three")] {
            writer.add(name, content.as_bytes()).expect("added");
        }
        writer.finish()
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = three();
        let files = read(&bytes).expect("read");
        assert_eq!(files.len(), 3);
        assert_eq!(files["b/x.json"], b"one");
        assert!(files["a"].is_empty());
        assert!(read(&Writer::default().finish()).expect("empty").is_empty());
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_changed_cut_or_added_byte_is_refused() {
        let good = three();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(read(&bad).is_err(), "byte {at} bit {bit}");
            }
            assert!(read(&good[..at]).is_err(), "cut at {at}");
            let mut more = good.clone();
            more.insert(at, 0);
            assert!(read(&more).is_err(), "byte added at {at}");
        }
        assert!(read(&[good.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["", "/a", "../a", "a/../b", "a//b", "a\\b", "a b", "梅", "a/"] {
            assert!(Writer::default().add(name, b"").is_err(), "{name:?}");
        }
    }

    #[test]
    fn beyond_sixteen_bits_of_entries_it_is_zip64_and_reads_back() {
        let mut writer = Writer::default();
        for i in 0..65_540 {
            writer.add(&format!("f/{i}"), b"x").expect("added");
        }
        let bytes = writer.finish();
        assert_eq!(read(&bytes).expect("read").len(), 65_540);
        let mut bad = bytes;
        let at = bad.len() - 40;
        bad[at] ^= 1;
        assert!(read(&bad).is_err());
    }
}
