//! Every rule on every event, whatever its log source: `everywhere RULES... < events.ndjson` prints, for each
//! event, the ids of the rules it meets. `tests/sigma/run` compares with another program by it.

// The engine reads no file; this does.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufWriter, Write};

use sigma::{Arena, Env, Limits, LogSource, Match, Matcher, Source, load};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let bytes = files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    let sources: Vec<Source<'_>> =
        files.iter().zip(&bytes).map(|(file, bytes)| Source { file, bytes }).collect();
    let (set, rejected) = load(&sources, &Env::default(), &Limits::default());
    for refused in &rejected {
        eprintln!("{refused}");
    }
    let mut everywhere: Vec<LogSource> = set.rules().iter().map(|r| r.logsource.clone()).collect();
    everywhere.sort();
    everywhere.dedup();
    let mut matcher = Matcher::new(&set);
    let mut arena = Arena::new();
    let mut found: Vec<Match> = Vec::new();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        arena.json(line?.as_bytes())?;
        arena.set_sources(everywhere.iter().cloned());
        found.clear();
        matcher.eval(&arena, &mut found);
        let ids = found.iter().filter_map(|m| set.rule(m.rule)?.meta.id.clone());
        writeln!(out, "{}", serde_json::Value::from_iter(ids))?;
    }
    Ok(())
}
