//! What can fail here. Each text reads after "failed to …".

use std::path::{Path, PathBuf};

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    /// A segment cannot be written or read as Parquet.
    #[error("use segment {}: {source}", path.display())]
    Parquet { path: PathBuf, source: parquet::errors::ParquetError },
    /// A batch of rows cannot be built.
    #[error("build rows: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A file of ours does not hold what we wrote.
    #[error("read {}: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    /// The spool has reached its limit; nothing of the batch was kept.
    #[error("append {need} bytes: spool full, {used} of {max} bytes used")]
    SpoolFull { need: u64, used: u64, max: u64 },
    /// A payload is empty or above the frame limit.
    #[error("append a frame of {bytes} bytes: allowed are 1 to {max}")]
    FrameSize { bytes: usize, max: usize },
    /// A write failed in a way that leaves the disk state unknown; reopen.
    #[error("append: an earlier write failed, the spool must be reopened")]
    Poisoned,
    /// Another process holds the folder.
    #[error("open {}: in use by another process", path.display())]
    Busy { path: PathBuf },
    /// Source names are short and printable.
    #[error("use source name {name:?}: 1 to 128 bytes without control characters")]
    SourceName { name: String },
    /// A flood of source names must not fill memory.
    #[error("add source {name:?}: {max} sources exist already")]
    TooManySources { name: String, max: usize },
    /// A sender speaks something else than what is taken here.
    #[error("read {what}: {reason}")]
    Format { what: &'static str, reason: &'static str },
    /// A worker task was cancelled or panicked.
    #[error("finish a worker task: {0}")]
    Worker(String),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds the thing and the place to an I/O error.
pub(crate) trait At<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { what, path: path.to_path_buf(), source })
    }
}

impl<T> At<T> for parquet::errors::Result<T> {
    fn at(self, _: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Parquet { path: path.to_path_buf(), source })
    }
}
