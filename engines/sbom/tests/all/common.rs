//! Where the corpora are.

use std::path::{Path, PathBuf};

/// The folder of a family of corpora, or a word that there is none.
pub fn corpus(family: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("UME_CORPORA").map(|root| PathBuf::from(root).join(family));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("skipped: no corpora");
    }
    folder
}

/// Every file below a folder with an extension, in order.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|one| one == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file as text.
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a text")
}

/// A file.
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}
