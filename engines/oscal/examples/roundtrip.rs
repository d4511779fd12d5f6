//! Reads each file and writes it beside itself as `out-…`, ROUNDS times: `roundtrip ROUNDS FILE...`. What
//! benches/oscal.py measures; it measures from outside, since the engine has no clock.

use oscal::{Document, Form};
use std::path::PathBuf;

// An example is a program around the engine, and may read files.
#[allow(clippy::disallowed_methods)]
fn main() {
    let mut args = std::env::args().skip(1);
    let rounds: usize = args.next().and_then(|n| n.parse().ok()).expect("a number of rounds");
    let files: Vec<PathBuf> = args.map(PathBuf::from).collect();
    for _ in 0..rounds {
        for path in &files {
            let bytes = std::fs::read(path).expect("a file");
            let document = Document::read(&bytes).expect("an OSCAL document");
            let name = path.file_name().expect("a file name").to_string_lossy();
            let text = document.write(Form::of(&bytes));
            std::fs::write(path.with_file_name(format!("out-{name}")), text).expect("a folder");
        }
    }
}
