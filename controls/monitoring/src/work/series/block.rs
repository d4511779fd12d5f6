//! Columns of numbers over time as bytes, and sealed files of them: one block a series, found without reading the
//! others.
//!
//! `UMESER1\n`, the blocks, an index of `id u64 | offset u64 | length u32 | CRC32C u32` by rising id, and a tail of
//! `offset of the index u64 | entries u64 | CRC32C of the index u32 | UMEE`, all little-endian. A block is zstd over
//! the number of rows, the second differences of the times, and each column as eight planes of bytes of every value
//! XOR the one before.
//!
//! Invariants: what is read passed its CRC; a damaged block costs itself only. Limits: [`ROWS_MAX`] rows of a block.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Rows of a series in one file: a point every second of a day, and some.
pub(super) const ROWS_MAX: usize = 100_000;
const MAGIC: &[u8; 8] = b"UMESER1\n";
const END: &[u8; 4] = b"UMEE";
const ENTRY: usize = 24;
const TAIL: usize = 24;
const LEVEL: i32 = 3;
/// Bytes gathered before they are written.
const GATHERED: usize = 1 << 20;

/// Times, rising, and columns as long as they.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    pub times: Vec<i64>,
    pub values: Vec<Vec<f64>>,
}

impl Columns {
    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(self.times.len() * (2 + 8 * self.values.len()));
        put(&mut plain, self.times.len() as u64);
        put(&mut plain, self.values.len() as u64);
        let (mut last, mut step) = (0i64, 0i64);
        for time in &self.times {
            let next = time.wrapping_sub(last);
            let second = next.wrapping_sub(step);
            put(&mut plain, ((second << 1) ^ (second >> 63)) as u64);
            (last, step) = (*time, next);
        }
        for column in &self.values {
            let mut before = 0;
            let bits: Vec<u64> = column
                .iter()
                .map(|value| {
                    let bits = value.to_bits();
                    std::mem::replace(&mut before, bits) ^ bits
                })
                .collect();
            for plane in 0..8 {
                plain.extend(bits.iter().map(|bits| (bits >> (8 * plane)) as u8));
            }
        }
        zstd::bulk::compress(&plain, LEVEL)
    }

    fn decode(bytes: &[u8]) -> Option<Columns> {
        // The times take ten bytes at most, each of at most four columns eight.
        let plain = zstd::bulk::decompress(bytes, ROWS_MAX * 50).ok()?;
        let mut rest = plain.as_slice();
        let (rows, columns) = (take(&mut rest)? as usize, take(&mut rest)? as usize);
        if rows > ROWS_MAX || columns > 8 {
            return None;
        }
        let (mut times, mut last, mut step) = (Vec::with_capacity(rows), 0i64, 0i64);
        for _ in 0..rows {
            let coded = take(&mut rest)?;
            let second = (coded >> 1) as i64 ^ -((coded & 1) as i64);
            step = step.wrapping_add(second);
            last = last.wrapping_add(step);
            times.push(last);
        }
        let mut values = Vec::with_capacity(columns);
        for _ in 0..columns {
            let (planes, after) = rest.split_at_checked(rows * 8)?;
            rest = after;
            let mut before = 0;
            let value = |row: usize| {
                let bits = (0..8).map(|p| u64::from(planes[p * rows + row]) << (8 * p));
                before ^= bits.fold(0, |all, byte| all | byte);
                f64::from_bits(before)
            };
            values.push((0..rows).map(value).collect());
        }
        Some(Columns { times, values })
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Writes a sealed file, series by rising id.
pub(super) struct Sealer {
    path: PathBuf,
    draft: PathBuf,
    file: disk::File,
    gathered: Vec<u8>,
    at: u64,
    index: Vec<u8>,
}

impl Sealer {
    pub fn create(path: &Path) -> io::Result<Sealer> {
        let draft = path.with_extension("draft");
        let file = disk::File::create(&draft)?;
        let (path, gathered) = (path.to_owned(), MAGIC.to_vec());
        Ok(Sealer { path, draft, file, gathered, at: MAGIC.len() as u64, index: Vec::new() })
    }

    pub fn add(&mut self, id: u64, columns: &Columns) -> io::Result<()> {
        let block = columns.encode()?;
        self.index.extend(id.to_le_bytes());
        self.index.extend(self.at.to_le_bytes());
        self.index.extend((block.len() as u32).to_le_bytes());
        self.index.extend(crc32c::crc32c(&block).to_le_bytes());
        self.at += block.len() as u64;
        self.gathered.extend(block);
        if self.gathered.len() >= GATHERED {
            self.file.write_all(&std::mem::take(&mut self.gathered))?;
        }
        Ok(())
    }

    /// The file is there as a whole, or what was there before is.
    pub fn finish(mut self) -> io::Result<()> {
        let entries = (self.index.len() / ENTRY) as u64;
        let sum = crc32c::crc32c(&self.index);
        self.gathered.append(&mut self.index);
        self.gathered.extend(self.at.to_le_bytes());
        self.gathered.extend(entries.to_le_bytes());
        self.gathered.extend(sum.to_le_bytes());
        self.gathered.extend(END);
        self.file.write_all(&self.gathered)?;
        self.file.sync()?;
        disk::rename(&self.draft, &self.path)?;
        self.path.parent().map_or(Ok(()), disk::sync_folder)
    }
}

/// A sealed file that is read.
pub(super) struct Sealed {
    path: PathBuf,
    file: File,
    index: u64,
    entries: u64,
}

impl Sealed {
    /// Opens it; `None` where there is none, or none that is whole.
    pub fn open(path: &Path) -> io::Result<Option<Sealed>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let len = file.metadata()?.len();
        let mut tail = [0; TAIL];
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let whole = len >= (MAGIC.len() + TAIL) as u64 && {
            file.read_exact_at(&mut tail, len - TAIL as u64)?;
            &tail[20..] == END
        };
        let (index, entries) = (number(&tail[..8]), number(&tail[8..16]));
        let fits = entries.checked_mul(ENTRY as u64).and_then(|size| size.checked_add(index));
        if !whole || fits != Some(len - TAIL as u64) {
            tracing::error!(path = %path.display(), "a file of series is damaged and left out");
            return Ok(None);
        }
        Ok(Some(Sealed { path: path.to_owned(), file, index, entries }))
    }

    /// The ids in it, rising.
    pub fn ids(&self) -> io::Result<Vec<u64>> {
        (0..self.entries).map(|at| Ok(self.entry(at)?.0)).collect()
    }

    pub fn read(&self, id: u64) -> io::Result<Option<Columns>> {
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = (low + high) / 2;
            let (found, offset, length, sum) = self.entry(middle)?;
            match found.cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.block(id, offset, length, sum),
            }
        }
        Ok(None)
    }

    fn block(&self, id: u64, offset: u64, length: u32, sum: u32) -> io::Result<Option<Columns>> {
        let fits = offset.checked_add(u64::from(length)).is_some_and(|end| end <= self.index);
        let mut bytes = vec![0; if fits { length as usize } else { 0 }];
        self.file.read_exact_at(&mut bytes, offset)?;
        let columns = (crc32c::crc32c(&bytes) == sum).then(|| Columns::decode(&bytes)).flatten();
        if columns.is_none() {
            let (path, id) = (self.path.display(), format!("{id:016x}"));
            tracing::error!(%path, series = id, "a block of a series is damaged and left out");
        }
        Ok(columns)
    }

    fn entry(&self, at: u64) -> io::Result<(u64, u64, u32, u32)> {
        let mut entry = [0; ENTRY];
        self.file.read_exact_at(&mut entry, self.index + at * ENTRY as u64)?;
        let wide = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| entry[at + n]));
        let short = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| entry[at + n]));
        Ok((wide(0), wide(8), short(16), short(20)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(rows: usize, of: impl Fn(usize) -> f64) -> Columns {
        let times = (0..rows as i64).map(|n| 1_795_600_000_000_000 + n * 60_000_000 + n % 7);
        Columns { times: times.collect(), values: vec![(0..rows).map(of).collect()] }
    }

    #[test]
    fn what_was_sealed_is_read_back_one_series_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("20261128.day");
        let series: Vec<(u64, Columns)> = (0..50)
            .map(|id| (id * 3, columns(id as usize * 7, |n| n as f64 * 0.1 + id as f64)))
            .collect();
        let mut sealer = Sealer::create(&path).unwrap();
        series.iter().for_each(|(id, columns)| sealer.add(*id, columns).unwrap());
        sealer.finish().unwrap();
        let sealed = Sealed::open(&path).unwrap().unwrap();
        assert_eq!(sealed.ids().unwrap().len(), 50);
        for (id, columns) in &series {
            assert_eq!(sealed.read(*id).unwrap().as_ref(), Some(columns));
        }
        assert_eq!(sealed.read(1).unwrap(), None);
        assert_eq!(sealed.read(u64::MAX).unwrap(), None);
    }

    #[test]
    fn a_day_of_a_gauge_takes_few_bytes() {
        let gauge = columns(1_440, |n| (n / 30) as f64);
        assert!(gauge.encode().unwrap().len() < 1_500, "{}", gauge.encode().unwrap().len());
        let odd = [f64::NAN, f64::INFINITY, -0.0, 1e300, 5e-324];
        let odd = columns(odd.len(), |n| odd[n]);
        let back = Columns::decode(&odd.encode().unwrap()).unwrap();
        let bits = |columns: &Columns| -> Vec<u64> {
            columns.values[0].iter().map(|v| v.to_bits()).collect()
        };
        assert_eq!(bits(&back), bits(&odd));
    }

    #[test]
    fn a_flipped_byte_costs_one_block_or_is_seen_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.day");
        let mut sealer = Sealer::create(&path).unwrap();
        (0..3).for_each(|id| sealer.add(id, &columns(100, |n| n as f64)).unwrap());
        sealer.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            let Some(sealed) = Sealed::open(&path).unwrap() else { continue };
            let right = columns(100, |n| n as f64);
            let read = (0..3).filter_map(|id| sealed.read(id).unwrap_or(None));
            assert!(read.into_iter().all(|columns| columns == right), "byte {at}");
        }
    }

    #[test]
    fn cut_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.day");
        assert!(Sealed::open(&path).unwrap().is_none());
        for len in [0, 5, 40, 1_000] {
            std::fs::write(&path, vec![b'E'; len]).unwrap();
            assert!(Sealed::open(&path).unwrap().is_none());
        }
    }
}
