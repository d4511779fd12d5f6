//! A file that came, plain or gzip.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use crate::Fault;

/// Opens a file; gzip is told by its first bytes and unpacked. Reading beyond `unpacked_max` bytes is an error.
pub fn open(path: &Path, unpacked_max: u64) -> Result<Box<dyn BufRead + Send>, Fault> {
    let failed = |error: io::Error| Fault::File {
        what: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        error: error.to_string(),
    };
    let mut file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("no regular file")));
    }
    let mut head = [0; 2];
    let read = file.read(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let reader = BufReader::with_capacity(1 << 16, file);
    Ok(match head[..read] == [0x1f, 0x8b] {
        true => {
            let inner = Bounded {
                inner: MultiGzDecoder::new(reader),
                left: unpacked_max,
                max: unpacked_max,
            };
            Box::new(BufReader::with_capacity(1 << 16, inner))
        }
        false => {
            let inner = Bounded { inner: reader, left: unpacked_max, max: unpacked_max };
            Box::new(BufReader::with_capacity(1 << 16, inner))
        }
    })
}

/// Reads so far and no farther.
struct Bounded<R> {
    inner: R,
    left: u64,
    max: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(Fault::Unpacked { max: self.max }))?;
        Ok(read)
    }
}

impl Fault {
    /// The fault that reading an opened file met.
    pub fn of_reading(error: io::Error) -> Fault {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
            Some(fault) => fault.clone(),
            None => Fault::Cut(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn gzip_is_unpacked_up_to_its_limit_and_no_farther() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x");
        let file = File::create(&path).expect("made");
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        gzip.write_all(&vec![0; 1 << 20]).expect("written");
        gzip.finish().expect("ended");
        let mut out = Vec::new();
        open(&path, 1 << 20).expect("open").read_to_end(&mut out).expect("read");
        assert_eq!(out.len(), 1 << 20);
        out.clear();
        let error = open(&path, 1_000).expect("open").read_to_end(&mut out).expect_err("a bomb");
        assert_eq!(Fault::of_reading(error), Fault::Unpacked { max: 1_000 });
        assert!(out.len() <= 1 << 17, "{}", out.len());
    }
}
