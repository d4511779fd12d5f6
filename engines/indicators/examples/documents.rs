//! STIX objects over lines of JSON, for `tests/stix/generated.py`: an object in, the rules it breaks out.
//!
//! `cargo run --release -p indicators --example documents < OBJECTS` says for each line `fine`, or the ids of the
//! rules of severity "error", each once, with a comma between.

// Examples read their input; the engine does not.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;
use std::io::{BufRead, Write};

use indicators::stix::{Limits, Severity, parse, validate};

fn main() {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let broken = match parse(line.as_bytes(), &Limits::default()) {
            Ok(parsed) => validate(&parsed)
                .iter()
                .filter(|told| told.severity() == Severity::Error)
                .map(|told| told.rule.id())
                .collect(),
            Err(_) => BTreeSet::from(["document"]),
        };
        let broken: Vec<&str> = broken.into_iter().collect();
        let said = if broken.is_empty() { "fine".to_owned() } else { broken.join(",") };
        writeln!(out, "{said}").expect("an output");
    }
}
