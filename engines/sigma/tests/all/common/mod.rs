//! The corpora's files. The folder comes from `UME_CORPORA`; without it there is nothing to judge.

// Tests read files; the engine does not.
#![allow(clippy::disallowed_methods, dead_code)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder `sigma` of the corpora.
pub fn corpus() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("UME_CORPORA")?).join("sigma");
    folder.is_dir().then_some(folder)
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

/// Files as sources, named relative to `folder`.
pub struct Texts(pub Vec<(String, Vec<u8>)>);

impl Texts {
    pub fn of(folder: &Path, files: &[PathBuf]) -> Texts {
        let name = |p: &PathBuf| p.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        Texts(files.iter().map(|p| (name(p), fs::read(p).unwrap())).collect())
    }

    pub fn sources(&self) -> Vec<sigma::Source<'_>> {
        self.0.iter().map(|(file, bytes)| sigma::Source { file, bytes }).collect()
    }
}
