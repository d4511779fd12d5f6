//! Names of the entries of a backup: what a restore will write, and nothing else.

use std::path::{Component, Path};

use super::{FILES, MANIFEST, TABLES};

/// What was learnt of logs, and when it listened last.
pub(super) const LEARNT: &str = "stream/logs/";
pub(super) const LEARNT_FILES: [&str; 2] = ["state", "awake"];

const NAME_BYTES_MAX: usize = 512;
const DEPTH_MAX: usize = 12;

/// Whether an entry of this name may stand in a backup.
pub(crate) fn allowed(name: &str) -> bool {
    let plain = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)))
        && name.len() <= NAME_BYTES_MAX
        && name.split('/').count() <= DEPTH_MAX
        && !name.split('/').any(|part| part.is_empty() || part == ".")
        && !name.contains(['\0', '\\']);
    let known = name == MANIFEST
        || name == TABLES
        || name == FILES
        || name.starts_with("ledger/")
        || (name.starts_with("keys/") && name.ends_with(".keys") && name.split('/').count() == 2)
        || is_blob(name)
        || (name.starts_with("stream/archive/") && name.ends_with(".parquet"))
        || ["stream/counters.json", "stream/flush.json", "stream/spool/cursor"].contains(&name)
        || name.starts_with("stream/state/")
        || is_series(name)
        || name.strip_prefix(LEARNT).is_some_and(|file| LEARNT_FILES.contains(&file))
        || (name.starts_with("stream/spool/") && name.ends_with(".spool"));
    plain && known
}

/// Points and summaries of measured series, and their names; what series learnt is learnt anew from them.
fn is_series(name: &str) -> bool {
    let Some(place) = name.strip_prefix("stream/series/") else { return false };
    let (folder, file) = place.split_once('/').unwrap_or(("", place));
    let ends = |endings: &[&str]| endings.iter().any(|ending| file.ends_with(ending));
    match folder {
        "" => file == "names",
        "raw" => !file.contains('/') && ends(&[".day", ".part", ".log"]),
        "ten" => !file.contains('/') && ends(&[".day"]),
        _ => false,
    }
}

fn is_blob(name: &str) -> bool {
    name.strip_prefix("blobs/").is_some_and(|place| is_sealed(place) || is_clear(place))
}

/// Whether this is the place of a sealed file: `ef/01…ef`.
pub(crate) fn is_sealed(place: &str) -> bool {
    let parts = place.split_once('/');
    parts.is_some_and(|(folder, name)| store::is_file_name(name) && name[30..] == *folder)
}

/// Whether this is the place where an older Ume put a file: `ab/abcdef…`.
fn is_clear(place: &str) -> bool {
    let parts = place.split_once('/');
    parts.is_some_and(|(folder, sha)| store::is_sha256(sha) && sha[..2] == *folder)
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn only_names_of_a_backup_are_allowed() {
        for good in ["manifest.json", "ume.db", "ledger/log", "ledger/tile/0/x001/000"] {
            assert!(allowed(good), "{good}");
        }
        assert!(allowed("stream/archive/2026-01-01/0/1-2.parquet"));
        assert!(allowed("keys/none.keys"));
        let sha = "0a".repeat(32);
        assert!(allowed(&format!("blobs/0a/{sha}")));
        assert!(!allowed(&format!("blobs/0b/{sha}")) && !allowed(&format!("blobs/{sha}")));
        assert!(!allowed(&format!("blobs/0a/{}", sha.to_uppercase())) && !allowed("blobs/lock"));
        let file = format!("{}ef", "0".repeat(30));
        assert!(allowed(&format!("blobs/ef/{file}")) && allowed("files.json"));
        assert!(
            !allowed(&format!("blobs/00/{file}")) && !allowed(&format!("blobs/ef/{file}.part"))
        );
        assert!(allowed("stream/spool/00000000000000000000.spool"));
        assert!(allowed("stream/logs/state") && allowed("stream/logs/awake"));
        assert!(!allowed("stream/logs/x") && !allowed("stream/logs/a/state"));
        for good in ["names", "raw/20261128.day", "raw/20261128.0.part", "ten/20261128.day"] {
            assert!(allowed(&format!("stream/series/{good}")), "{good}");
        }
        for bad in ["state", "raw/x", "raw/a/b.day", "ten/20261128.log", "stream"] {
            assert!(!allowed(&format!("stream/series/{bad}")), "{bad}");
        }
        let long = format!("ledger/{}", "x".repeat(600));
        for bad in [
            "",
            "/etc/passwd",
            "../ume.db",
            "ledger/../../x",
            "ledger/./log",
            "ledger//log",
            "ledger/",
            "lock",
            "keys/epoch",
            "keys/a/b.keys",
            "stream/archive/x",
            "ledger/a\\b",
            "ledger/1/2/3/4/5/6/7/8/9/10/11/12",
            &long,
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
