//! Digests of an earlier collection, for files that have not changed since.
//!
//! A file is the same if inode, length and both times are, down to the nanosecond. Whoever is root can forge them, so
//! nothing is believed for longer than [`BELIEVED`].

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use baseline::{Bytes, Digests};
use rustix::fs::Stat;

/// Then every digest is taken anew.
const BELIEVED: Duration = Duration::from_secs(6 * 3600);
const FILES_MAX: usize = 400_000;
/// A file that was changed so short before it was read may change once more under the same stamp.
const SETTLED_S: i64 = 2;

type Stamp = (u64, u64, i64, (i64, i64), (i64, i64));

/// Digests by path.
#[derive(Default)]
pub struct DigestCache {
    known: HashMap<Bytes, (Stamp, Digests)>,
    since: Option<Instant>,
}

impl DigestCache {
    /// Forgets what is too old to be believed; before each collection.
    pub(super) fn begin(&mut self) {
        if self.since.is_none_or(|since| since.elapsed() >= BELIEVED) {
            self.known.clear();
            self.since = Some(Instant::now());
        }
    }

    pub(super) fn get(&self, path: &Bytes, stat: &Stat, md5: bool) -> Option<Digests> {
        let (stamp, digests) = self.known.get(path)?;
        (*stamp == stamp_of(stat) && (digests.md5.is_some() || !md5)).then_some(*digests)
    }

    pub(super) fn put(&mut self, path: &Bytes, stat: &Stat, digests: Digests, now_s: i64) {
        let is_settled = stat.st_ctime + SETTLED_S < now_s;
        if is_settled && (self.known.len() < FILES_MAX || self.known.contains_key(path)) {
            self.known.insert(path.clone(), (stamp_of(stat), digests));
        }
    }
}

#[allow(clippy::unnecessary_cast)]
fn stamp_of(stat: &Stat) -> Stamp {
    let times = |seconds, parts| (seconds as i64, parts as i64);
    let changed = times(stat.st_ctime as i64, stat.st_ctime_nsec as i64);
    let written = times(stat.st_mtime as i64, stat.st_mtime_nsec as i64);
    (stat.st_dev as u64, stat.st_ino as u64, stat.st_size as i64, written, changed)
}
