//! Compressed streams, each with an end to what it may give.

use std::io::{self, Read};

use super::ArchiveError;

/// Memory of one decoder: the largest preset of xz needs 65 MiB.
const MEMORY_KIB_MAX: u32 = 256 << 10;
const WINDOW_LOG_MAX: u32 = 27;

/// A stream that fails once it has given too much.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("unpacks to more bytes than allowed"))?;
        Ok(count)
    }
}

/// The bytes behind a name ending in `.gz`, `.xz`, `.zst`, or in none of them.
pub(super) fn stream<'a>(
    name: &str,
    bytes: &'a [u8],
    bytes_max: u64,
) -> Result<Box<dyn Read + 'a>, ArchiveError> {
    let failed = |what: String| ArchiveError::Deb { member: name.to_owned(), what };
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let inner: Box<dyn Read + 'a> = match ending {
        "gz" => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        "xz" => Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, MEMORY_KIB_MAX)),
        "zst" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)
                .map_err(|error| failed(error.to_string()))?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(|error| failed(error.to_string()))?;
            Box::new(decoder)
        }
        "bz2" | "lzma" | "lz4" | "Z" => {
            return Err(failed("packed in a way that is not read here".to_owned()));
        }
        _ => Box::new(bytes),
    };
    Ok(Box::new(Bounded { inner, left: bytes_max }))
}

/// All of it.
pub(super) fn whole(name: &str, bytes: &[u8], bytes_max: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut out = Vec::new();
    stream(name, bytes, bytes_max)?
        .read_to_end(&mut out)
        .map_err(|error| ArchiveError::Deb { member: name.to_owned(), what: error.to_string() })?;
    Ok(out)
}
