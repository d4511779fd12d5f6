//! Files of a folder that feeds are read from.

use std::path::{Path, PathBuf};

use fetch::Fault;

use super::desk::file_fault;

/// A file, or the files of a folder that end so, by name, with their sizes. Links and hidden files are left out.
pub fn files(
    path: &Path,
    ends: &[&str],
    files_max: usize,
    bytes_max: u64,
) -> Result<Vec<(PathBuf, u64)>, Fault> {
    let failed = |error: std::io::Error| file_fault(&path.display().to_string(), &error);
    let about = std::fs::metadata(path).map_err(failed)?;
    let mut files = Vec::new();
    if about.is_file() {
        files.push((path.to_owned(), about.len()));
    } else {
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let is_file = entry.file_type().map_err(failed)?.is_file();
            let bare = name.strip_suffix(".gz").unwrap_or(&name);
            let is_wanted = is_file
                && !name.starts_with('.')
                && (ends.is_empty() || ends.iter().any(|end| bare.ends_with(end)));
            if !is_wanted {
                continue;
            }
            if files.len() >= files_max {
                return Err(Fault::said(
                    format!("フォルダに{files_max}個を超えるファイルがあります"),
                    format!("more than {files_max} files in the folder"),
                ));
            }
            files.push((entry.path(), entry.metadata().map_err(failed)?.len()));
        }
        files.sort();
    }
    if files.iter().map(|(_, bytes)| bytes).sum::<u64>() > bytes_max {
        return Err(Fault::Large { max: bytes_max });
    }
    Ok(files)
}
