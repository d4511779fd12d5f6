//! `root DIR [FORMAT]`: what is installed below a folder, for figures against other programs. The walk of `ume sbom make`
//! is the careful one; this one trusts the folder.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fs::File;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sbom::catalogue::{Catalogue, FIRST, Options, Source};

struct OnDisk {
    path: PathBuf,
    size: u64,
    file: Option<File>,
}

impl Source for OnDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, String> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.path).map_err(|error| error.to_string())?);
        }
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        let Some(file) = &self.file else { return Err("closed".into()) };
        file.read_exact_at(&mut bytes, offset).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

fn look(root: &Path, path: &Path, catalogue: &mut Catalogue) {
    let Ok(meta) = path.symlink_metadata().map(|meta| (meta.is_file(), meta)) else { return };
    if let (true, meta) = meta {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        let mut source = OnDisk { path: path.to_owned(), size: meta.len(), file: None };
        catalogue.look(&name, meta.permissions().mode() & 0o111 != 0, &mut source);
    }
}

fn walk(root: &Path, folder: &Path, catalogue: &mut Catalogue, skip: bool) {
    let mut stack = vec![folder.to_path_buf()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let inner = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if skip && FIRST.contains(&inner.as_str()) {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => stack.push(path),
                Ok(kind) if kind.is_file() => look(root, &path, catalogue),
                _ => {}
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(arguments.next().ok_or("root DIR [FORMAT]")?);
    let format = arguments.next().unwrap_or_else(|| "cyclonedx-json".into()).parse()?;
    let merged_usr = root.join("bin").is_symlink();
    let mut catalogue = Catalogue::new(Options { merged_usr, ..Options::default() });
    for first in FIRST {
        let path = root.join(first);
        if path.is_dir() {
            walk(&root, &path, &mut catalogue, false)
        } else {
            look(&root, &path, &mut catalogue)
        }
    }
    walk(&root, &root.clone(), &mut catalogue, true);
    let (bom, unread) = catalogue.finish();
    print!("{}", sbom::write(&bom, format)?.text);
    for one in unread {
        eprintln!("{one}");
    }
    Ok(())
}
