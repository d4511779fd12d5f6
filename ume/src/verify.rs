//! `ume verify`: checks a backup whole without restoring it.
//!
//! The backup is unpacked into a folder of mode 0700 in `$TMPDIR`, since SQLite reads files only, and
//! the folder goes at the end, however that comes: what a killed run left, the next one takes away.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    CliError, Format, MISMATCH,
    backup::{BackupError, Temporary, at},
    data, print,
    restore::{self, Sealed, unpack_and_verify},
    shown,
};

const PREFIX: &str = "ume-verify-";

/// Runs `ume verify`.
pub async fn run(sealed: &Sealed, format: Format) -> Result<ExitCode, CliError> {
    let scratch = scratch(&std::env::temp_dir())?;
    let unpacked = match unpack_and_verify(sealed, &scratch.0).await {
        Ok(unpacked) => unpacked,
        Err(CliError::Backup(BackupError::Damaged { path, byte, what })) => {
            // The user may have stopped it, which is no fault of the file.
            crate::progress::going().map_err(|_| CliError::Stopped)?;
            print(&report(&found(path.display().to_string(), Some(byte), what), format));
            return Ok(ExitCode::from(MISMATCH));
        }
        Err(CliError::Backup(BackupError::NoEpoch(path))) => {
            let what = "no epoch key that `ume backup` wrote".to_owned();
            print(&report(&found(path.display().to_string(), None, what), format));
            return Ok(ExitCode::from(MISMATCH));
        }
        Err(error) => return Err(error),
    };
    let (count, made_at) = (unpacked.files(), &unpacked.manifest.made_at);
    let said = crate::say(
        &format!("{count}個のファイル（{made_at}時点）のハッシュはすべて一致しています"),
        &format!("{count} files, as of {made_at}; every hash fits the manifest"),
    );
    print(&restore::shown(&said, &unpacked, format));
    Ok(crate::outcome(&unpacked.report))
}

fn found(place: String, offset: Option<u64>, what: String) -> ledger::Report {
    let fault = ledger::Fault { place, index: None, offset, what };
    ledger::Report { faults: vec![fault], ..ledger::Report::default() }
}

/// A new private folder; those of processes that are no more are removed.
fn scratch(below: &Path) -> Result<Temporary, CliError> {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let gone = pid.is_some_and(|pid| {
            pid.parse::<u32>().is_ok_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        });
        if gone && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Another user's folder cannot be removed, and need not be.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let path: PathBuf = below.join(format!("{PREFIX}{}", std::process::id()));
    data::create_new(&path).map_err(at(&path))?;
    Ok(Temporary(path))
}

/// What a verification found, as it is printed.
pub fn report(report: &ledger::Report, format: Format) -> String {
    match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report).unwrap_or_default()),
        Format::Csv => {
            let faults: Vec<_> = report.faults.iter().map(|f| serde_json::json!(f)).collect();
            shown::rows(format, &["place", "index", "offset", "what"].map(str::to_owned), &faults)
        }
        Format::Table => sentences(report),
    }
}

fn sentences(report: &ledger::Report) -> String {
    let place = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut out = String::new();
    for fault in &report.faults {
        let (index, offset) = (place(fault.index), place(fault.offset));
        out.push_str(&format!("{}\tleaf {index}\toffset {offset}\t{}\n", fault.place, fault.what));
    }
    let (leaves, rows, pending) = (report.leaves, report.rows, report.pending);
    let faults = report.faults.len();
    let mut line = |ja: String, en: String| out.push_str(&format!("{}\n", crate::say(&ja, &en)));
    line(
        format!("証跡{leaves}件、{rows}行、未記載{pending}件: 不一致{faults}件"),
        format!("{leaves} leaves, {rows} rows, {pending} pending: {faults} mismatches"),
    );
    if report.blobs > 0 {
        let n = report.blobs;
        line(format!("ファイル{n}件を読み直し"), format!("{n} files read back"));
    }
    if report.shredded > 0 {
        let n = report.shredded;
        line(format!("決定によるシュレッド{n}件"), format!("{n} shredded by decision"));
    }
    if report.unreadable > 0 {
        let n = report.unreadable;
        line(
            format!("keys/epochがないため読めないペイロード{n}件。コミットメントは有効です"),
            format!("{n} payloads unreadable: keys/epoch is not here; their commitments stand"),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_process_that_is_no_more_is_taken_away_and_no_other() {
        let below = tempfile::tempdir().unwrap();
        let at = |name: &str| below.path().join(name);
        let mine = format!("{PREFIX}1");
        for name in [&format!("{PREFIX}4194305"), &mine, "ume-verify-x", "other"] {
            fs::create_dir(at(name)).unwrap();
        }
        let scratch = scratch(below.path()).unwrap();
        assert!(!at(&format!("{PREFIX}4194305")).exists());
        assert!(at(&mine).exists() && at("ume-verify-x").exists() && at("other").exists());
        let path = scratch.0.clone();
        drop(scratch);
        assert!(!path.exists());
    }
}
