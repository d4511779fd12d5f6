//! Numenta Anomaly Benchmark: `UME_CORPORA=… cargo run --release -p steady --example nab [all|choose [family]]`
//!
//! Reads `$UME_CORPORA/nab`: the series and the labelled windows. Series in alphabetical order alternate
//! between the half on which parameters are chosen and the half on which the result is reported; the split was
//! fixed before the first run. One threshold holds for all series. `all` shows each series and the other direction, `choose` what was chosen
//! from.

// An example reads files; the engine does not.
#![allow(clippy::disallowed_methods)]

mod detect;
mod score;

use std::{fs, path::Path};

use score::{Detections, Labelled, best_threshold, standard};
use steady::Micros;

fn main() {
    let Some(folder) = std::env::var_os("UME_CORPORA").map(|f| Path::new(&f).join("nab")) else {
        println!("skipped: UME_CORPORA is not set");
        return;
    };
    let (verbose, only) = (std::env::args().nth(1), std::env::args().nth(2));
    let all = read(&folder);
    let half = |n: usize| all.iter().skip(n).step_by(2).collect::<Vec<_>>();
    let (even, odd) = (half(0), half(1));
    for (name, choose, report) in [("even → odd", &even, &odd), ("odd → even", &odd, &even)] {
        if name == "odd → even" && verbose.as_deref() != Some("all") {
            break;
        }
        println!("{name}: chosen on {} series, reported on {}", choose.len(), report.len());
        let mut table = Vec::new();
        let wanted = |family: &str| only.as_deref().is_none_or(|only| only == family);
        for detector in detect::all().into_iter().filter(|d| wanted(d.family())) {
            let found = |set: &[&Labelled]| {
                set.iter().map(|s| detector.run(s)).collect::<Vec<Detections>>()
            };
            let chosen = found(choose);
            let (threshold, score) = best_threshold(choose, &chosen);
            table.push((detector, threshold, score));
            if verbose.as_deref() == Some("choose") && detector.family() != "gaussian" {
                println!("{:40} threshold {threshold:8.3}  chosen {score:6.2}", detector.name());
            }
        }
        for family in ["scorer", "steady", "gaussian"] {
            let mine = table.iter().filter(|(d, ..)| d.family() == family);
            let Some((best, threshold, score)) = mine.max_by(|a, b| a.2.total_cmp(&b.2)) else {
                continue;
            };
            if verbose.as_deref() == Some("choose") {
                println!("{:40} threshold {threshold:8.3}  chosen {score:6.2}", best.name());
                let found: Vec<Detections> = choose.iter().map(|s| best.run(s)).collect();
                show(choose, &found, *threshold);
                continue;
            }
            let found: Vec<Detections> = report.iter().map(|s| best.run(s)).collect();
            println!(
                "{:40} threshold {threshold:8.3}  chosen {score:6.2}  reported {:6.2}",
                best.name(),
                standard(report, &found, *threshold)
            );
            if verbose.as_deref() == Some("all") {
                show(report, &found, *threshold);
            }
        }
    }
}

fn show(series: &[&Labelled], found: &[Detections], threshold: f64) {
    for (series, found) in series.iter().zip(found) {
        let one = score::judge(series, found, threshold);
        println!(
            "   {:52} windows {} found {} false {:3}  {:6.2}",
            series.name,
            series.windows.len(),
            one.found,
            one.false_alarms,
            one.score
        );
    }
}

fn read(folder: &Path) -> Vec<Labelled> {
    let text = fs::read_to_string(folder.join("windows.json")).expect("windows.json");
    let windows: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut all: Vec<Labelled> = windows
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, windows)| series(folder, name, windows))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn series(folder: &Path, name: &str, windows: &serde_json::Value) -> Labelled {
    let text = fs::read_to_string(folder.join(name)).expect(name);
    let points: Vec<(Micros, f64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(t, v)| (micros(t), v.trim().parse().expect("a number")))
        .collect();
    let bounds = windows.as_array().expect("windows").iter().map(|w| {
        let bound = |n: usize| micros(w[n].as_str().expect("a time"));
        let (from, to) = (bound(0), bound(1));
        let first = points.partition_point(|(t, _)| *t < from);
        (first, points.partition_point(|(t, _)| *t <= to) - 1)
    });
    let windows = bounds.collect();
    Labelled { name: name.to_owned(), points, windows }
}

fn micros(text: &str) -> Micros {
    let text = text.trim().replace(' ', "T");
    let time: jiff::civil::DateTime = text.parse().expect("a time");
    let zone = jiff::tz::TimeZone::UTC;
    zone.to_timestamp(time).expect("a time").as_microsecond()
}
