//! Captures of a few texts, for tests.

use std::collections::BTreeSet;

use crate::capture::{Ask, Fault};
use crate::{
    capture::{Capture, Digests, Entry, Got},
    collect::{Collector, Plan, Step},
    fact::Facts,
    secret::FingerprintKey,
};
use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A host of texts, as a collector sees it: path, mode and bytes; a text that begins with `-> ` is a
/// link.
pub(crate) fn host(files: &[(&str, u32, &[u8])]) -> Capture {
    let mut collector =
        Collector::new(Plan { live: false, full: true, key: FingerprintKey::new([5; 32]) });
    let mut got = Vec::new();
    loop {
        match collector.step(got) {
            Step::Done(capture) => return *capture,
            Step::Ask(asks) => got = asks.iter().map(|ask| answer(files, ask)).collect(),
        }
    }
}

pub(crate) fn capture(texts: &[(&str, &str)]) -> Capture {
    let files: Vec<(&str, u32, &[u8])> =
        texts.iter().map(|(path, text)| (*path, 0o644, text.as_bytes())).collect();
    host(&files)
}

pub(crate) fn facts(texts: &[(&str, &str)]) -> Facts {
    crate::facts::facts(&capture(texts))
}

fn entries(files: &[(&str, u32, &[u8])]) -> Vec<Entry> {
    let entry = |path: &str, mode, size, target: Option<&[u8]>| Entry {
        path: path.as_bytes().into(),
        mode,
        uid: 0,
        gid: 0,
        size,
        target: target.map(Into::into),
        xattrs: Vec::new(),
        immutable: false,
    };
    let mut folders = BTreeSet::from(["/".to_owned()]);
    let mut found = Vec::new();
    for (path, mode, bytes) in files {
        let cuts = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| at);
        folders.extend(cuts.map(|at| path[..at].to_owned()));
        found.push(match bytes.strip_prefix(b"-> ") {
            Some(target) => entry(path, 0o120_777, 0, Some(target)),
            None => entry(path, 0o100_000 | mode, bytes.len() as u64, None),
        });
    }
    found.extend(folders.iter().map(|path| entry(path, 0o040_755, 0, None)));
    found
}

fn answer(files: &[(&str, u32, &[u8])], ask: &Ask) -> Got {
    let bytes = |path: &[u8]| files.iter().find(|f| f.0.as_bytes() == path).map(|f| f.2);
    match ask {
        Ask::Walk { path, depth_max, .. } => {
            let deep = |p: &[u8]| p.iter().filter(|byte| **byte == b'/').count() as u32;
            let inside = |entry: &Entry| {
                let own = *entry.path == path.0[..];
                let below = path.0 == b"/" || entry.path.starts_with(&[&path.0[..], b"/"].concat());
                own || (below && (*depth_max > 1 || deep(&entry.path) <= 1))
            };
            Got::Walk {
                entries: entries(files).into_iter().filter(inside).collect(),
                faults: Vec::new(),
            }
        }
        Ask::Read { path, .. } => {
            Got::Read(bytes(path.as_slice()).map(<[u8]>::to_vec).ok_or(Fault::Absent))
        }
        Ask::Digest { paths, .. } => {
            let digests = paths.iter().map(|path| {
                let bytes = bytes(path.as_slice()).ok_or(Fault::Absent)?;
                Ok(Digests {
                    md5: Some(Md5::digest(bytes).into()),
                    sha256: Sha256::digest(bytes).into(),
                })
            });
            Got::Digest(digests.collect())
        }
        Ask::Live(_) => Got::Live(Err(Fault::Unsupported)),
    }
}
