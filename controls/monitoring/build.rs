//! Makes a list of the rules that Ume ships, so that a new file in `content/detections` is shipped by being there.

use std::{env, fmt::Write, fs, path::PathBuf};

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let folder = here.join("../../content/detections").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "yml") {
            println!("cargo::rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
    files.sort();
    let mut text = "&[\n".to_owned();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(text, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    text.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("detections.rs"), text)?;
    Ok(())
}
