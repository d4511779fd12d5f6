//! Reads each file once, then makes the document and its text again ROUNDS times in memory:
//! `roundtrip ROUNDS FILE...`. What benches/oscal.py measures, from outside: the engine has no clock.

use oscal::{Document, Form};

// An example is a program around the engine, and may read files.
#[allow(clippy::disallowed_methods)]
fn main() {
    let mut args = std::env::args().skip(1);
    let rounds: usize = args.next().and_then(|n| n.parse().ok()).expect("a number of rounds");
    let files: Vec<Vec<u8>> = args.map(|path| std::fs::read(path).expect("a file")).collect();
    let mut bytes = 0;
    for _ in 0..rounds {
        for file in &files {
            let document = Document::read(file).expect("an OSCAL document");
            bytes += document.write(Form::of(file)).len();
        }
    }
    println!("{bytes}");
}
