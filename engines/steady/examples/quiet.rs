//! Quiet days of a whole site: `cargo run --release -p steady --example quiet [series] [minutes] [days] [seed]`
//!
//! Two weeks are learnt from; alarms of the days after are false, as nothing happens.

// An example measures time; the engine does not.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../tests/all/simulator/mod.rs"]
mod simulator;

use std::{collections::BTreeMap, time::Instant};

use simulator::{START, Site};
use steady::{DAY, MINUTE};

fn main() {
    let argument = |n: usize, default: i64| {
        std::env::args().nth(n).map_or(default, |text| text.parse().expect("a number"))
    };
    let (count, minutes, days) = (argument(1, 2_000), argument(2, 5), argument(3, 28));
    let mut site = Site::new(count as usize, minutes * MINUTE, argument(4, 1) as u64);
    let begin = Instant::now();
    let learnt = START + 14 * DAY;
    let (early, _) = site.run(START, learnt, |_, _, value| value);
    println!("{count} series every {minutes} min; {} alarms while learning", early.len());
    let (mut all, mut noticed) = (0, 0);
    let mut habits: BTreeMap<String, usize> = BTreeMap::new();
    for day in 0..days {
        let (told, seen) = site.run(learnt + day * DAY, learnt + (day + 1) * DAY, |_, _, v| v);
        for anomaly in &told {
            let habit = site.sources[anomaly.series as usize].habit;
            *habits.entry(format!("{habit:?} {:?}", anomaly.layer)).or_default() += 1;
        }
        let open = site.series.iter().filter(|s| s.open_since().is_some()).count();
        println!(
            "day {:2}: {:3} alarms of {seen:5} noticed, {open:4} open, correction {:.1}",
            day + 1,
            told.len(),
            site.fleet.correction()
        );
        all += told.len();
        noticed += seen;
    }
    println!("{:.2} alarms a day of {noticed} noticed", all as f64 / days as f64);
    println!("{habits:?}");
    let observations = (days + 14) * 1_440 / minutes * count;
    let each = begin.elapsed().as_nanos() / observations as u128;
    println!("{each} ns an observation, values made included; {} warm", warm(&site));
}

fn warm(site: &Site) -> usize {
    site.series.iter().filter(|series| series.is_warm()).count()
}
