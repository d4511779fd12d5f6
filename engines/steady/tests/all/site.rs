//! A site: quiet weeks bring few alarms, and what reviews look for is found.

use steady::{
    Anomaly, Calendar, DAY, Forecast, HOUR, Kind, Layer, Limit, MINUTE, Micros, PER_DAY, Phase,
    Point, Series, Settings, exhaustion,
};

use crate::simulator::{Chance, HABITS, Habit, START, Site};

#[test]
fn quiet_weeks_with_holidays_gaps_and_resets_stay_within_the_budget() {
    // A quarter of a site, with a quarter of the budget; `--example quiet` is the whole at five minutes.
    let count = 520;
    let mut site = Site::new(count, HOUR, 1);
    let (early, _) = site.run(START, START + 14 * DAY, |_, _, v| v);
    assert!(early.is_empty(), "alarms in cold start: {early:?}");
    let (told, _) = site.run(START + 14 * DAY, START + 42 * DAY, |_, _, v| v);
    assert!(site.series.iter().all(Series::is_warm));
    let a_day = told.len() as f64 / 28.0;
    assert!(a_day <= PER_DAY * count as f64 / 2_000.0, "{a_day} alarms a day: {told:#?}");
}

/// What happens to one series from the 22nd day on.
struct Injected {
    name: &'static str,
    habit: Habit,
    change: fn(hours: f64, value: f64) -> f64,
    /// Hours until somebody has to know
    within: f64,
}

/// Discovery and prevention of the three reviews, as far as they show in one series.
const INJECTED: [Injected; 13] = [
    Injected {
        name: "stops at an unexpected time",
        habit: Habit::UpDown,
        change: |_, _| 0.0,
        within: 1.0,
    },
    Injected {
        name: "restarts at an unexpected time",
        habit: Habit::Uptime,
        change: |h, _| 60.0 + h * 3600.0,
        within: 1.0,
    },
    Injected {
        name: "temperature jumps",
        habit: Habit::Temperature,
        change: |_, v| v + 15.0,
        within: 2.0,
    },
    Injected {
        name: "temperature creeps up",
        habit: Habit::Temperature,
        change: |h, v| v + 0.15 * h,
        within: 36.0,
    },
    Injected {
        name: "sensor or fan reading frozen",
        habit: Habit::Temperature,
        change: |_, _| 25.3,
        within: 24.0,
    },
    Injected {
        name: "constantly high processor",
        habit: Habit::Daily,
        change: |_, v| v + 120.0,
        within: 3.0,
    },
    Injected { name: "works at night", habit: Habit::Office, change: |_, v| v + 90.0, within: 2.0 },
    Injected {
        name: "processing time triples",
        habit: Habit::Latency,
        change: |_, v| v * 3.0,
        within: 24.0,
    },
    Injected {
        name: "traffic tenfold",
        habit: Habit::Octets,
        change: |h, v| v + h * 3600.0 * 2e6,
        within: 2.0,
    },
    Injected {
        name: "commands end abnormally, faults, failed log-ins",
        habit: Habit::Errors,
        change: |_, v| v + 6.0,
        within: 6.0,
    },
    Injected {
        name: "reallocated sectors jump",
        habit: Habit::Constant,
        change: |_, v| v + 8.0,
        within: 1.0,
    },
    Injected {
        name: "disk fills suddenly",
        habit: Habit::Disk,
        change: |_, v| v + 30.0,
        within: 2.0,
    },
    Injected {
        name: "memory is eaten",
        habit: Habit::Memory,
        change: |h, v| v + 8.0 * h,
        within: 24.0,
    },
];

#[test]
fn what_reviews_look_for_is_found_in_time() {
    const STEP: Micros = 15 * MINUTE;
    let begin = START + 21 * DAY + 9 * HOUR;
    let mut site = Site::new(10 * HABITS.len(), STEP, 2);
    let (quiet, _) = site.run(START, begin, |_, _, v| v);
    let place = |n: usize| {
        let habit = HABITS.iter().position(|h| *h == INJECTED[n].habit).unwrap();
        // Each injection has a series of its own.
        habit + HABITS.len() * (1 + n % 9)
    };
    let (told, _) = site.run(begin, begin + 40 * HOUR, |series, time, value| {
        let hours = (time - begin) as f64 / HOUR as f64;
        match (0..INJECTED.len()).find(|n| place(*n) == series) {
            Some(n) => (INJECTED[n].change)(hours, value),
            None => value,
        }
    });
    let mut missed = Vec::new();
    for (n, injected) in INJECTED.iter().enumerate() {
        let mine = told.iter().find(|a| a.series == place(n) as u64);
        let hours = mine.map(|a| (a.time - begin) as f64 / HOUR as f64);
        if hours.is_none_or(|hours| hours > injected.within) {
            missed.push((injected.name, hours, mine));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    let injected: Vec<u64> = (0..INJECTED.len()).map(|n| place(n) as u64).collect();
    let others = told.iter().filter(|a| !injected.contains(&a.series)).count();
    assert!(others <= 2 && quiet.len() <= 2, "{others} beside them, {} before", quiet.len());
}

#[test]
fn constant_overload_is_a_precursor_told_once() {
    let calendar = Calendar::japan();
    let mut chance = Chance::new(9);
    let settings = Settings { high: Some(90.0), ..Settings::new(Kind::Gauge) };
    let mut series = Series::new(1, settings);
    let mut found: Vec<Anomaly> = Vec::new();
    for n in 0..30 * 96 {
        let time = START + n * 15 * MINUTE;
        // From the 16th day on the night brings no rest any more; it creeps up over two weeks.
        let load = (60.0 + 2.5 * (n as f64 / 96.0)).min(97.0) + chance.normal();
        found.extend(series.observe(time, load, &calendar));
    }
    let high: Vec<_> = found.iter().filter(|a| a.layer == Layer::High).collect();
    assert_eq!(high.len(), 1, "{found:?}");
    assert_eq!((high[0].phase, high[0].high), (Phase::Precursor, 90.0));
}

#[test]
fn what_runs_out_has_a_day() {
    let mut chance = Chance::new(4);
    let mut daily = |from: f64, per_day: f64, noise: f64| -> Vec<Point> {
        let value = |n: i64, z: f64| from + per_day * n as f64 + noise * z;
        (0..60).map(|n| Point { time: START + n * DAY, value: value(n, chance.normal()) }).collect()
    };
    let cases = [
        ("remaining backup capacity", daily(900.0, -10.0, 5.0), Limit::AtLeast(0.0), 31.0),
        ("used disk", daily(40.0, 0.5, 0.3), Limit::AtMost(95.0), 51.0),
        ("remaining memory", daily(64.0, -0.4, 0.5), Limit::AtLeast(8.0), 81.0),
        ("reallocated sectors", daily(0.0, 2.0, 0.5), Limit::AtMost(200.0), 41.0),
        ("device temperature", daily(35.0, 0.25, 0.5), Limit::AtMost(60.0), 41.0),
        ("days of footage kept", daily(90.0, -0.5, 0.2), Limit::AtLeast(30.0), 61.0),
    ];
    for (name, points, limit, truth) in cases {
        let Forecast::Ends { days, low, high, .. } = exhaustion(&points, limit) else {
            panic!("{name}: no end")
        };
        assert!((days - truth).abs() < 0.15 * truth, "{name}: {days} for {truth}");
        assert!(low <= truth * 1.05 && high.unwrap() >= truth * 0.95, "{name}: {low} {high:?}");
    }
}
