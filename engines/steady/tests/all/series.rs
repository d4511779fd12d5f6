//! The laws of a series.

use std::sync::LazyLock;

use steady::{
    Anomaly, Calendar, DAY, Direction, HOUR, Kind, Layer, MINUTE, Micros, Phase, STATE_BYTES_MAX,
    Series, Settings, SnapshotError,
};

use crate::simulator::{Chance, HABITS, Habit, START, Source};

/// Made once: it goes through 78 years.
static JAPAN: LazyLock<Calendar> = LazyLock::new(Calendar::japan);

const STEP: Micros = 15 * MINUTE;

/// A series that learnt three weeks of a habit, and its source.
fn learnt(habit: Habit, settings: impl Fn(Settings) -> Settings) -> (Series, Source, Micros) {
    let mut source = Source::new(7, habit);
    let mut series = Series::new(1, settings(source.settings()));
    let until = START + 21 * DAY;
    let found = feed(&mut series, &mut source, START, until, |_, v| v);
    assert!(found.is_empty(), "{habit:?}: {found:?}");
    (series, source, until)
}

fn feed(
    series: &mut Series,
    source: &mut Source,
    from: Micros,
    until: Micros,
    change: impl Fn(Micros, f64) -> f64,
) -> Vec<Anomaly> {
    let calendar = &*JAPAN;
    (0..(until - from) / STEP)
        .map(|n| from + n * STEP)
        .filter_map(|t| {
            let value = source.value(t, STEP, calendar);
            series.observe(t, change(t, value), calendar)
        })
        .collect()
}

#[test]
fn a_series_takes_at_most_a_kibibyte() {
    assert!(size_of::<Series>() <= STATE_BYTES_MAX, "{}", size_of::<Series>());
    for habit in HABITS {
        let (series, ..) = learnt(habit, |s| s);
        assert!(series.snapshot().len() <= STATE_BYTES_MAX, "{}", series.snapshot().len());
    }
}

#[test]
fn a_restored_series_goes_on_as_if_it_had_never_stopped() {
    for habit in HABITS {
        let (mut series, mut source, now) = learnt(habit, |s| s);
        let mut other = Series::restore(&series.snapshot()).unwrap();
        assert_eq!(format!("{other:?}"), format!("{series:?}"));
        let mut again = Source::new(7, habit);
        feed(&mut Series::new(0, series_settings(&source)), &mut again, START, now, |_, v| v);
        let bend = |t: Micros, v: f64| if t > now + DAY { v * 3.0 + 50.0 } else { v };
        let one = feed(&mut series, &mut source, now, now + 3 * DAY, bend);
        let two = feed(&mut other, &mut again, now, now + 3 * DAY, bend);
        assert_eq!(format!("{one:?}"), format!("{two:?}"), "{habit:?}");
        assert_eq!(series.snapshot(), other.snapshot());
    }
}

fn series_settings(source: &Source) -> Settings {
    source.settings()
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let (series, ..) = learnt(Habit::Office, |s| s);
    let bytes = series.snapshot();
    for n in (0..bytes.len()).step_by(7) {
        let mut bad = bytes.clone();
        bad[n] ^= 0x20;
        assert_eq!(Series::restore(&bad), Err(SnapshotError::Damaged), "byte {n}");
    }
    assert_eq!(Series::restore(&[]), Err(SnapshotError::Damaged));
    assert_eq!(Series::restore(&bytes[..bytes.len() - 1]), Err(SnapshotError::Damaged));
}

#[test]
fn nothing_is_told_in_cold_start() {
    let mut source = Source::new(3, Habit::Office);
    let mut series = Series::new(1, source.settings());
    let bend = |t: Micros, v: f64| if (t / DAY) % 3 == 0 { v * 100.0 } else { v };
    assert!(feed(&mut series, &mut source, START, START + 13 * DAY, bend).is_empty());
    assert!(!series.is_warm());
}

#[test]
fn an_anomaly_states_what_was_seen_and_what_was_expected() {
    let (mut series, mut source, now) = learnt(Habit::Office, |s| s);
    // Monday, 27 April: at three in the night the machine works as if it were noon.
    let bend = |t: Micros, v: f64| if t >= now + 3 * HOUR { v + 80.0 } else { v };
    let found = feed(&mut series, &mut source, now, now + 6 * HOUR, bend);
    let first = &found[0];
    assert_eq!((first.series, first.time, first.onset), (1, now + 3 * HOUR, now + 3 * HOUR));
    assert!(matches!(first.layer, Layer::Season | Layer::Jump) && first.phase == Phase::Sign);
    assert!(first.low < first.expected && first.expected < first.high);
    assert!(first.observed > first.high && first.p < 1e-5, "{first:?}");
    assert!(found.iter().all(|a| a.onset == first.onset), "one episode: {found:?}");
}

#[test]
fn a_holiday_is_no_anomaly_and_neither_is_work_on_it() {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
    let restless = Calendar::new(&zone, &calendar::Holidays::by_law(), 2001..=2001);
    let japan = Calendar::japan();
    // To 17 May, over 昭和の日, the three days of May and 振替休日; or nobody takes them off.
    for lived in [&japan, &restless] {
        let mut source = Source::new(7, Habit::Office);
        let mut series = Series::new(1, source.settings());
        let times = (0..42 * DAY / STEP).map(|n| START + n * STEP);
        let found: Vec<_> =
            times.filter_map(|t| series.observe(t, source.value(t, STEP, lived), &japan)).collect();
        assert!(found.iter().all(|a| a.p > 1e-6), "{found:?}");
    }
}

#[test]
fn a_holiday_off_the_calendar_is_seen() {
    // The same weeks without knowing the holidays: an office that rests on a weekday is off its normal.
    let (japan, utc) = (Calendar::japan(), Calendar::utc());
    let mut source = Source::new(7, Habit::Office);
    let mut series = Series::new(1, source.settings());
    let mut found = Vec::new();
    for n in 0..42 * DAY / STEP {
        let time = START + n * STEP;
        let value = source.value(time, STEP, &japan);
        found.extend(series.observe(time + 9 * HOUR, value, &utc));
    }
    assert!(found.iter().any(|a| a.p < 1e-5), "{found:?}");
}

#[test]
fn what_is_told_is_not_learnt_and_a_decision_makes_it_normal() {
    let (mut series, mut source, now) = learnt(Habit::Daily, |s| s);
    let high = |_: Micros, v: f64| v + 100.0;
    assert!(!feed(&mut series, &mut source, now, now + 2 * HOUR, high).is_empty());
    series.told();
    feed(&mut series, &mut source, now + 2 * HOUR, now + 14 * DAY, high);
    assert_eq!(series.open_since(), Some(now), "two weeks do not make it normal");
    let back = feed(&mut series, &mut source, now + 14 * DAY, now + 15 * DAY, |_, v| v);
    assert!(
        back.is_empty() && series.open_since().is_none(),
        "the old normal is still known: {back:?}"
    );

    let again = feed(&mut series, &mut source, now + 15 * DAY, now + 16 * DAY, high);
    assert!(!again.is_empty());
    series.told();
    series.new_normal(&Calendar::japan());
    assert_eq!(series.open_since(), None);
    let after = feed(&mut series, &mut source, now + 16 * DAY, now + 23 * DAY, high);
    assert!(after.iter().all(|a| a.p > 1e-6), "{after:?}");
}

#[test]
fn maintenance_is_silent_and_teaches_nothing() {
    let (mut series, mut source, now) = learnt(Habit::Office, |s| s);
    series.maintenance(true);
    assert!(feed(&mut series, &mut source, now, now + DAY, |_, _| 1e6).is_empty());
    series.maintenance(false);
    let after = feed(&mut series, &mut source, now + DAY, now + 2 * DAY, |_, v| v);
    assert!(after.is_empty(), "{after:?}");
    let found = feed(&mut series, &mut source, now + 2 * DAY, now + 3 * DAY, |_, _| 1e6);
    assert!(!found.is_empty(), "the madness of maintenance is no normal");
}

#[test]
fn a_gap_is_no_jump() {
    let (mut series, mut source, now) = learnt(Habit::Wandering, |s| s);
    let found = feed(&mut series, &mut source, now + 3 * DAY, now + 4 * DAY, |_, v| v);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(series.refused().gaps, 1);
}

#[test]
fn a_frozen_sensor_is_seen() {
    let (mut series, mut source, now) = learnt(Habit::Temperature, |s| s);
    let found = feed(&mut series, &mut source, now, now + DAY, |_, _| 25.31);
    assert!(found.iter().any(|a| a.layer == Layer::Frozen), "{found:?}");
}

#[test]
fn only_the_wanted_direction_is_told() {
    let down = |s: Settings| Settings { direction: Direction::Down, ..s };
    let (mut series, mut source, now) = learnt(Habit::Daily, down);
    assert!(feed(&mut series, &mut source, now, now + DAY, |_, v| v + 100.0).is_empty());
    let (mut series, mut source, now) = learnt(Habit::Daily, down);
    assert!(!feed(&mut series, &mut source, now, now + DAY, |_, v| v - 100.0).is_empty());
}

#[test]
fn what_was_constant_is_told_when_it_moves_as_it_matters() {
    for (direction, resolution, to, told) in [
        (Direction::Both, 0.0, 8.0, true),
        (Direction::Up, 0.0, 8.0, true),
        (Direction::Down, 0.0, 8.0, false),
        (Direction::Both, 10.0, 8.0, false),
    ] {
        let settings = Settings { direction, resolution, ..Settings::new(Kind::Gauge) };
        let mut series = Series::new(1, settings);
        for n in 0..30 * 96 {
            assert_eq!(series.observe(START + n * STEP, 0.0, &JAPAN), None);
        }
        let found = series.observe(START + 30 * DAY, to, &JAPAN);
        assert_eq!(found.is_some(), told, "{direction:?} {resolution} {found:?}");
    }
}

#[test]
fn constant_and_sparse_series_tell_nothing() {
    let calendar = Calendar::japan();
    for (step, kind) in
        [(STEP, Kind::Gauge), (DAY, Kind::Gauge), (STEP, Kind::Counter), (STEP, Kind::State)]
    {
        for value in [0.0, 45.0, -1e17, 1e-300] {
            let mut series = Series::new(1, Settings::new(kind));
            let found = (0..400 * DAY / step.max(HOUR))
                .filter_map(|n| series.observe(START + n * step, value, &calendar));
            assert_eq!(found.count(), 0, "{kind:?} {value}");
        }
    }
    let mut chance = Chance::new(5);
    let mut series = Series::new(1, Settings::new(Kind::Gauge));
    let mut time = START;
    let mut found = Vec::new();
    for _ in 0..300 {
        time += (chance.uniform() * 2.0 * DAY as f64) as Micros;
        found.extend(series.observe(time, 50.0 + chance.normal(), &calendar));
    }
    assert!(found.iter().all(|a| a.p > 1e-5), "{found:?}");
}

#[test]
fn what_is_refused_is_counted() {
    let calendar = Calendar::utc();
    let mut series = Series::new(1, Settings::new(Kind::Gauge));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e18] {
        assert_eq!(series.observe(0, value, &calendar), None);
    }
    series.observe(10, 1.0, &calendar);
    for time in [10, 9, Micros::MIN, Micros::MAX] {
        assert_eq!(series.observe(time, 1.0, &calendar), None);
    }
    assert_eq!((series.refused().no_number, series.refused().no_order), (4, 4));
}

#[test]
fn a_week_that_moves_with_the_clock_keeps_what_was_learnt() {
    // Days off are days of somebody's clock: here there are none.
    let plain = |hours: i8| {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(hours));
        Calendar::new(&zone, &calendar::Holidays::none(), 2001..=2001)
    };
    let (east, utc) = (plain(9), plain(0));
    let (series, mut source, until) = learnt(Habit::Office, |settings| settings);
    let mut moved = series.clone();
    moved.move_week(-9);
    for hour in 0..168 {
        let time = until + hour * HOUR + HOUR / 3;
        let (here, there) = (series.normal(time, &east), moved.normal(time, &utc));
        let (here, there) = (here.unwrap(), there.unwrap());
        // Days begin at another hour, so that others are like each other.
        let apart = (there.expected - here.expected).abs();
        assert!(apart < 0.15 * (here.high - here.low), "{hour}: {here:?} {there:?}");
    }
    let mut there = moved.clone();
    let times = (0..7 * DAY / STEP).map(|n| until + n * STEP);
    let found: Vec<_> = times
        .filter_map(|t| there.observe(t, source.value(t, STEP, &east), &utc))
        .filter(|anomaly| anomaly.p < 1e-6)
        .collect();
    assert!(found.is_empty(), "{found:?}");
    moved.move_week(9);
    assert_eq!(moved, series);
}

#[test]
fn what_is_usual_is_known_for_any_time_once_it_was_learnt() {
    let (series, _, until) = learnt(Habit::Office, |settings| settings);
    let at = |hours: i64| series.normal(until + hours * HOUR, &JAPAN).unwrap();
    // The Monday after, at noon and in the night.
    let (noon, night) = (at(12), at(3));
    assert!(noon.expected > night.high, "{noon:?} {night:?}");
    for normal in [noon, night] {
        assert!(normal.low < normal.expected && normal.expected < normal.high, "{normal:?}");
    }
    assert!(series.hours_learnt() > 336);
    let (states, ..) = learnt(Habit::UpDown, |settings| settings);
    assert_eq!(states.normal(until, &JAPAN), None);
    assert_eq!(Series::new(1, Settings::new(Kind::Gauge)).normal(until, &JAPAN), None);
}
