//! A consistent copy of a stream folder beside its running writer, for backups.
//!
//! Counters and spool are copied between two equal readings of the spool's cursor: then no segment
//! was consumed meanwhile, and the counters cover no more than the copied spool holds. Positions of
//! intakes are copied first, so a restored intake reads some lines twice rather than none.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    archive::list,
    error::{At, Error, Result},
    files::read_json,
};

/// Flushes come every some seconds; so many in a row never meet a copy.
const TRIES_MAX: usize = 20;

/// Copies positions, counters and spool below `into`; returns the archived segments that belong to
/// the copy, oldest day first. Those behind the cursor are left out: the spool still holds their
/// lines and archives them again.
pub fn copy_live(folder: &Path, into: &Path) -> Result<Vec<PathBuf>> {
    let cursor_path = folder.join("spool/cursor");
    for _ in 0..TRIES_MAX {
        reset(into)?;
        copy_files(&folder.join("state"), &into.join("state"))?;
        let cursor = read_json::<u64>(&cursor_path)?.unwrap_or(0);
        for name in ["counters.json", "once.json", "flush.json"] {
            copy_file(&folder.join(name), &into.join(name))?;
        }
        copy_files(&folder.join("spool"), &into.join("spool"))?;
        if read_json::<u64>(&cursor_path)?.unwrap_or(0) == cursor {
            let all = list(&folder.join("archive"))?.into_iter().map(|(_, path)| path);
            return Ok(all.filter(|path| end_of(path).is_some_and(|to| to <= cursor)).collect());
        }
    }
    Err(Error::Busy { path: folder.to_path_buf() })
}

/// The spool offset behind a segment, from its name.
fn end_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.split_once('-')?.1.parse().ok()
}

fn reset(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).at("remove", folder),
        _ => fs::create_dir_all(folder).at("create folder", folder),
    }
}

/// Copies the plain files of a folder; one that vanishes meanwhile was consumed or replaced.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).at("create folder", to)?;
    let entries = match fs::read_dir(from) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.at("list", from)?,
    };
    for entry in entries {
        let entry = entry.at("list", from)?;
        let path = entry.path();
        // Whoever reads the spool beside the archive keeps its own state, which is not in the copy.
        let wanted = path.extension().is_none_or(|e| e != "tmp")
            && path.file_name().is_none_or(|name| name != "holds");
        if wanted && entry.file_type().at("look at", &path)?.is_file() {
            copy_file(&path, &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    match fs::copy(from, to) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map(drop).at("copy", from),
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::{Limits, Query, RawLine, Stream};

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    #[test]
    fn a_copy_taken_while_lines_come_and_go_opens_and_its_counts_fit_its_events() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(&folder.path().join("live"), Limits::default()).unwrap();
        let writer = stream.clone();
        let busy = std::thread::spawn(move || {
            for i in 0..200 {
                writer.ingest("a", vec![RawLine::new(format!("line {i}"))], NOW).unwrap();
                if i % 20 == 0 {
                    writer.flush(NOW).unwrap();
                }
            }
        });
        for n in 0..5 {
            let into = folder.path().join(format!("copy{n}"));
            let segments = copy_live(&folder.path().join("live"), &into).unwrap();
            for path in segments {
                let below = path.strip_prefix(folder.path().join("live")).unwrap();
                fs::create_dir_all(into.join(below).parent().unwrap()).unwrap();
                fs::copy(&path, into.join(below)).unwrap();
            }
            let copy = Stream::open(&into, Limits::default()).unwrap();
            copy.flush(NOW).unwrap();
            let found = copy.search(&Query { limit: 1000, ..Query::default() }).unwrap();
            let stored = copy.counters().get("a").map_or(0, |c| c.stored);
            assert_eq!(found.events.len() as u64, stored);
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        busy.join().unwrap();
    }
}
