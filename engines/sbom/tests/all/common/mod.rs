//! The corpora's files. The folder comes from `UME_CORPORA`; without it there is nothing to judge.

// Tests read files; the engine does not.
#![allow(clippy::disallowed_methods, dead_code)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A family of the corpora.
pub fn corpus(family: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("UME_CORPORA").map(|f| PathBuf::from(f).join(family));
    let folder = folder.filter(|f| f.is_dir());
    if folder.is_none() {
        eprintln!("skipped: no corpora ({family})");
    }
    folder
}

/// Every file below `folder` whose name ends so, in order.
pub fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
