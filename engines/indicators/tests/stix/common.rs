//! Files of the corpora. The folder comes from `UME_CORPORA`; without it there is nothing to judge.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder below `stix`, or none with a word of it.
pub fn corpus(below: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("UME_CORPORA").map(|root| Path::new(&root).join("stix").join(below));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("skipped: no corpora");
    }
    folder
}

pub fn json(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// All JSON files below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|e| e == "json") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}
