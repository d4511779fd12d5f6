//! Patterns over lines of JSON, for `tests/stix/patterns`: `{"pattern": …, "objects": […]}` in, the outcome out.
//!
//! `cargo run --release -p indicators --example patterns -- judge < CASES` says `true`, `false`, `undecided` or
//! `error …` a line; `-- bench < CASES` evaluates each line's pattern, parsed before, over its observations for
//! two seconds of processor time and tells evaluations a second.

// Examples read their input; the engine does not.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::io::{BufRead, Write};

use indicators::pattern::{Budget, Outcome, Pattern, eval, observations, parse};
use serde_json::Value;

fn main() {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    match std::env::args().nth(1).as_deref() {
        Some("judge") => judge(lines),
        Some("bench") => bench(lines),
        _ => eprintln!("judge or bench"),
    }
}

fn case(line: &str) -> Result<(Pattern, Vec<Value>), String> {
    let mut case: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let pattern = parse(case["pattern"].as_str().unwrap_or_default()).map_err(|e| e.to_string())?;
    let Value::Array(objects) = case["objects"].take() else { return Err("no objects".to_owned()) };
    Ok((pattern, objects))
}

fn judge(lines: impl Iterator<Item = String>) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        let said = case(&line).and_then(|(pattern, objects)| {
            let seen = observations(&objects).map_err(|e| e.to_string())?;
            Ok(match eval(&pattern, &seen, Budget::default()) {
                Outcome::True(_) => "true",
                Outcome::False => "false",
                Outcome::Undecided => "undecided",
            })
        });
        let said = said.map_or_else(|error| format!("error {error}"), str::to_owned);
        writeln!(out, "{}", said.replace('\n', " ")).expect("an output");
    }
}

fn bench(lines: impl Iterator<Item = String>) {
    let cases: Vec<(Pattern, Vec<Value>)> = lines.filter_map(|line| case(&line).ok()).collect();
    let seen: Vec<_> = cases
        .iter()
        .map(|(p, objects)| (p, observations(objects).expect("observations")))
        .collect();
    let (begin, mut done) = (on_processor(), 0u64);
    let mut hits = 0u64;
    while on_processor() - begin < 2.0 {
        for (pattern, observations) in &seen {
            hits += u64::from(matches!(
                eval(pattern, observations, Budget::default()),
                Outcome::True(_)
            ));
            done += 1;
        }
    }
    println!(
        "{} cases, {hits} hits, {:.0} evaluations a second",
        seen.len(),
        done as f64 / (on_processor() - begin)
    );
}

/// Seconds of this thread on a processor: others use the machine too.
fn on_processor() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanoseconds = told.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.expect("nanoseconds") / 1e9
}
